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

FRAME_IN_WORDS = Difference(
    "a frame that is none is described in words, RabbitMQ prints its bytes as an Erlang term",
    {"0 < connection.close 501 'FRAME_ERROR - type …": ["0 < connection.close 501 'FRAME_ERROR - … class=0 method=0"],
     "0 < connection.close 505 'UNEXPECTED_FRAME - type …": [
         "0 < connection.close 505 'UNEXPECTED_FRAME - … class=0 method=0"]})

ONE_LINE = Difference(
    "terms are printed on one line, RabbitMQ breaks long ones",
    {"1 < channel.close 406 … {value_too_large,…": ["1 < channel.close 406 … {value_too_large,1844…"]})

OTHER_IDENTITY = Difference(
    "the identity to act as is ignored, as RabbitMQ's documentation says",
    {END: ["0 < connection.tune …"]})

MALFORMED_LOGIN = Difference(
    "a login that cannot be read is a syntax error, RabbitMQ takes a number for a wrong password",
    {"0 < connection.close 403 …": [_close(502, "SYNTAX_ERROR")]})

GREETED_TWICE = Difference(
    "to say why is a courtesy, RabbitMQ hangs up without a word",
    {" < b'', end of stream": [" < …FRAME_ERROR - …, end of stream"]})

HANGS_UP = Difference(
    "after close-ok the stream ends, RabbitMQ waits for the client to end it",
    {" < nothing": [END]})

LONGER_LOGIN = Difference(
    "clients with long tokens may log in: initial_frame_max is 16384, RabbitMQ's is 8192",
    {END: ["0 < connection.tune …"]})

ASKER_LEFT = Difference(
    "an answer that reaches nobody is returned, RabbitMQ says it was routed",
    {"B1 < basic.ack …": ["B1 < basic.return reply_code=312 …"]})

TEXT_KEYS = Difference(
    "keys of declare arguments are text; what is not cannot be decoded",
    {ACCEPTED: [_close(501, "FRAME_ERROR"), END]})

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

STILL_REFUSED = Difference(
    "classic queues know this argument too, and say what is wrong with its value",
    {"1 < channel.close 406 …": ["1 < channel.close 406 …x-consumer-timeout…: …"]})

# --- by scenario: a name, or the part of it before the label ------------------------------------

DIFFERENCES = {
    "undecodable.unknown_method": UNKNOWN_METHOD,
    "undecodable.unknown_method_on_an_unopened_channel": UNKNOWN_METHOD,
    "undecodable.table_cannot_be_read": UNDECODABLE_TABLE,
    "undecodable.table_cannot_be_read[table longer than its method]": UNDECODABLE,
    "undecodable.table_cannot_be_read[table of 4 GiB]": UNDECODABLE,
    "undecodable.declare_of_wrong_length": UNDECODABLE,
    "undecodable.table_is_odd[key not UTF-8]": TEXT_KEYS,
    "framing.wrong_frame_end": FRAME_IN_WORDS,
    "framing.unknown_frame_kind": FRAME_IN_WORDS,
    "framing.heartbeat": FRAME_IN_WORDS,
    "framing.method_frame_too_short": FRAME_IN_WORDS,
    "framing.frame_size": FRAME_IN_WORDS,
    "framing.frame_announced": FRAME_IN_WORDS,
    "handshake.instead_of_open": FRAME_IN_WORDS,
    "channels.content_on_channel_zero": FRAME_IN_WORDS,
    "content.out_of_order": FRAME_IN_WORDS,
    "publishing.expiration[64 bits]": ONE_LINE,
    "handshake.protocol_header_once_more": GREETED_TWICE,
    "handshake.what_follows_a_close_is_ignored": HANGS_UP,
    "handshake.authentication[PLAIN with an authorisation id]": OTHER_IDENTITY,
    "handshake.authentication[AMQPLAIN with a number]": MALFORMED_LOGIN,
    "framing.frame_size_before_tuning[too long]": LONGER_LOGIN,
    "reply_to.address_after_the_asker_left": ASKER_LEFT,
    "content.header_cannot_be_read": UNDECODABLE,
    "acknowledgements.global_prefetch_counts_for_the_channel": GLOBAL_PREFETCH,
    "queue_arguments.refused[x-queue-version 1]": OLD_ARGUMENT,
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
    "queue_arguments.refused[x-delivery-limit string]": MORE_ON_CLASSIC,
    "queue_arguments.refused[x-consumer-timeout string]": STILL_REFUSED,
    "consumers.argument[x-consumer-timeout string]": STILL_REFUSED,
    "consumers.argument[x-consumer-timeout negative]": STILL_REFUSED,
    "queue_arguments.refused[x-delivery-limit on classic]": MORE_ON_CLASSIC,
    "queue_arguments.refused[x-consumer-timeout on classic]": MORE_ON_CLASSIC,
    "consumers.argument[x-consumer-timeout]": MORE_ON_CLASSIC,
}


def difference_of(scenario):
    return DIFFERENCES.get(scenario) or DIFFERENCES.get(scenario.split("[")[0])


# --- not there yet ------------------------------------------------------------------------------

# Scenarios whose feature is still to come, by the feature. They are counted as skipped; one that
# passes is reported, so that it leaves this list.
LATER: dict[str, list[str]] = {}


def awaited_feature(scenario):
    return next((feature for feature, names in LATER.items() if scenario in names), None)
