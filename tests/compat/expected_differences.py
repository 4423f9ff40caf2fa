"""Where Warren means to answer otherwise than RabbitMQ 4.3, and why.

A difference replaces lines of the recorded transcript; `…` stands for any text, in what is
replaced and in what replaces it. A `may=True` difference is allowed, but RabbitMQ's own answer
is right as well.
"""

import re
from typing import NamedTuple


class Difference(NamedTuple):
    reason: str
    replace: dict           # recorded line -> the lines expected in its place
    may: bool = False

    def applied_to(self, transcript):
        """The transcript expected of Warren."""
        expected = []
        for line in transcript:
            pattern = next((pattern for pattern in self.replace if matches(line, pattern)), None)
            expected += [line] if pattern is None else self.replace[pattern]
        return expected


def matches(line, pattern):
    return re.fullmatch(".*".join(map(re.escape, pattern.split("…"))), line, re.DOTALL) is not None


END = " < end of stream"
ACCEPTED = "1 < queue.declare-ok queue='compat.q' message_count=0 consumer_count=0"


def _close(code, name):
    return f"0 < connection.close {code} '{name} - …"


# --- intended, always ---------------------------------------------------------------------------

UNKNOWN_METHOD = Difference(
    "an unknown method is answered with a code, RabbitMQ just drops the connection",
    {END: [_close(540, "NOT_IMPLEMENTED"), END]})

# RabbitMQ's three ways: it drops the connection, it says 501, and for headers of content 541.
UNDECODABLE_TABLE = Difference(
    "what cannot be decoded is answered with a code, RabbitMQ just drops the connection",
    {END: [_close(502, "SYNTAX_ERROR"), END]})
UNDECODABLE = Difference(
    "what cannot be decoded is a syntax error, RabbitMQ calls it a frame error or an internal error",
    {"0 < connection.close 501 …": [_close(502, "SYNTAX_ERROR")],
     "0 < connection.close 541 …": [_close(502, "SYNTAX_ERROR")]})

GLOBAL_PREFETCH = Difference(
    "a global prefetch count limits the whole channel, RabbitMQ 4.3 takes it for one of each consumer",
    {"1 < basic.deliver consumer_tag='2' …": [" < nothing"]})

OLD_ARGUMENT = Difference(
    "arguments of older brokers are accepted and ignored, as applications still declare them",
    {"1 < channel.close 406 …": [ACCEPTED], "0 < connection.close 541 …": [ACCEPTED], END: []})

OWN_HEADER = Difference(
    "we answer a protocol we do not speak with the one we do, RabbitMQ with AMQP 1.0's",
    {" < b'AMQP\\x03\\x01\\x00\\x00', end of stream": [" < b'AMQP\\x00\\x00\\t\\x01', end of stream"]})

NO_ANONYMOUS = Difference("anonymous logins are off by default", {"AMQPLAIN ANONYMOUS PLAIN": ["AMQPLAIN PLAIN"]})

UNCHANGED_HEADERS = Difference(
    "headers come back as they were sent, RabbitMQ sorts them and turns L into l",
    {"a b c": ["b a c"], "1 < basic.get-ok …": ["1 < basic.get-ok …, L: L5, …"]})

NO_SUCH_REPLY_QUEUE = Difference(
    "a reply address that nobody has is not found, RabbitMQ fails to decode it and says 541",
    {"0 < connection.close 541 …": ["1 < channel.close 404 \"NOT_FOUND - no queue '…"], END: []})

# --- allowed ------------------------------------------------------------------------------------

COURTESY = Difference(
    "before the connection is open RabbitMQ hangs up without a word, to say why is a courtesy",
    {END: ["0 < connection.close 5… '…", END]}, may=True)

NACK_BITS = Difference(
    "RabbitMQ sets both bits of a nack for a single message, which mean nothing there",
    {"1 < basic.nack …": ["1 < basic.nack delivery_tag=… multiple=… requeue=…"]}, may=True)

MORE_ON_CLASSIC = Difference(
    "classic queues may know what RabbitMQ has for quorum queues only",
    {"1 < channel.close 406 …": ["1 < …-ok …"]}, may=True)

# --- by scenario: a name, or the part of it before the label ------------------------------------

DIFFERENCES = {
    "undecodable.unknown_method": UNKNOWN_METHOD,
    "undecodable.unknown_method_on_an_unopened_channel": UNKNOWN_METHOD,
    "undecodable.table_cannot_be_read": UNDECODABLE_TABLE,
    "undecodable.table_cannot_be_read[table longer than its method]": UNDECODABLE,
    "undecodable.table_cannot_be_read[table of 4 GiB]": UNDECODABLE,
    "undecodable.declare_of_wrong_length": UNDECODABLE,
    "undecodable.not_utf8": UNDECODABLE,
    "handshake.vhost[not UTF-8]": UNDECODABLE,
    "content.header_cannot_be_read": UNDECODABLE,
    "acknowledgements.global_prefetch_counts_for_the_channel": GLOBAL_PREFETCH,
    "queue_arguments.refused[x-queue-version 1]": OLD_ARGUMENT,
    "queue_arguments.refused[x-queue-version 3]": OLD_ARGUMENT,
    "queue_arguments.refused[x-queue-version string]": OLD_ARGUMENT,
    "queue_arguments.refused[x-queue-master-locator]": OLD_ARGUMENT,
    "handshake.protocol_header": OWN_HEADER,
    "handshake.mechanisms": NO_ANONYMOUS,
    "publishing.header_keys_keep_their_order": UNCHANGED_HEADERS,
    "publishing.every_type_of_header_comes_back": UNCHANGED_HEADERS,
    "reply_to.name_nobody_has": NO_SUCH_REPLY_QUEUE,
    "handshake.authentication": COURTESY,
    "framing.frame_size_before_tuning": COURTESY,
    "handshake.tune_ok": COURTESY,
    "handshake.instead_of_start_ok": COURTESY,
    "handshake.instead_of_tune_ok": COURTESY,
    "transactions.a_full_queue_refuses": NACK_BITS,
    "transactions.a_full_queue_among_two_refuses_for_both": NACK_BITS,
    "lifetimes.refused_and_dead_lettered": NACK_BITS,
    "queue_arguments.refused[x-delivery-limit on classic]": MORE_ON_CLASSIC,
    "queue_arguments.refused[x-consumer-timeout on classic]": MORE_ON_CLASSIC,
    "consumers.argument[x-consumer-timeout]": MORE_ON_CLASSIC,
}


def difference_of(scenario):
    return DIFFERENCES.get(scenario) or DIFFERENCES.get(scenario.split("[")[0])
