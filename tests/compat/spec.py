"""The methods and properties of AMQP 0-9-1, as RabbitMQ speaks it: names, numbers and field types."""

from typing import NamedTuple


class Method(NamedTuple):
    name: str
    class_id: int
    method_id: int
    fields: tuple  # of (field name, field type)


CLASSES = {"connection": 10, "channel": 20, "access": 30, "exchange": 40,
           "queue": 50, "basic": 60, "confirm": 85, "tx": 90}

# One method a line: name, method id, then name:type for every field. A field without a type is a bit.
_METHODS = """
connection.start 10 version_major:octet version_minor:octet server_properties:table mechanisms:longstr locales:longstr
connection.start-ok 11 client_properties:table mechanism:shortstr response:longstr locale:shortstr
connection.secure 20 challenge:longstr
connection.secure-ok 21 response:longstr
connection.tune 30 channel_max:short frame_max:long heartbeat:short
connection.tune-ok 31 channel_max:short frame_max:long heartbeat:short
connection.open 40 virtual_host:shortstr reserved1:shortstr reserved2
connection.open-ok 41 reserved1:shortstr
connection.close 50 reply_code:short reply_text:shortstr class_id:short method_id:short
connection.close-ok 51
connection.blocked 60 reason:shortstr
connection.unblocked 61
connection.update-secret 70 new_secret:longstr reason:shortstr
connection.update-secret-ok 71
channel.open 10 reserved1:shortstr
channel.open-ok 11 reserved1:longstr
channel.flow 20 active
channel.flow-ok 21 active
channel.close 40 reply_code:short reply_text:shortstr class_id:short method_id:short
channel.close-ok 41
access.request 10 realm:shortstr exclusive passive active write read
access.request-ok 11 ticket:short
exchange.declare 10 ticket:short exchange:shortstr type:shortstr passive durable auto_delete internal nowait arguments:table
exchange.declare-ok 11
exchange.delete 20 ticket:short exchange:shortstr if_unused nowait
exchange.delete-ok 21
exchange.bind 30 ticket:short destination:shortstr source:shortstr routing_key:shortstr nowait arguments:table
exchange.bind-ok 31
exchange.unbind 40 ticket:short destination:shortstr source:shortstr routing_key:shortstr nowait arguments:table
exchange.unbind-ok 51
queue.declare 10 ticket:short queue:shortstr passive durable exclusive auto_delete nowait arguments:table
queue.declare-ok 11 queue:shortstr message_count:long consumer_count:long
queue.bind 20 ticket:short queue:shortstr exchange:shortstr routing_key:shortstr nowait arguments:table
queue.bind-ok 21
queue.purge 30 ticket:short queue:shortstr nowait
queue.purge-ok 31 message_count:long
queue.delete 40 ticket:short queue:shortstr if_unused if_empty nowait
queue.delete-ok 41 message_count:long
queue.unbind 50 ticket:short queue:shortstr exchange:shortstr routing_key:shortstr arguments:table
queue.unbind-ok 51
basic.qos 10 prefetch_size:long prefetch_count:short global
basic.qos-ok 11
basic.consume 20 ticket:short queue:shortstr consumer_tag:shortstr no_local no_ack exclusive nowait arguments:table
basic.consume-ok 21 consumer_tag:shortstr
basic.cancel 30 consumer_tag:shortstr nowait
basic.cancel-ok 31 consumer_tag:shortstr
basic.publish 40 ticket:short exchange:shortstr routing_key:shortstr mandatory immediate
basic.return 50 reply_code:short reply_text:shortstr exchange:shortstr routing_key:shortstr
basic.deliver 60 consumer_tag:shortstr delivery_tag:longlong redelivered exchange:shortstr routing_key:shortstr
basic.get 70 ticket:short queue:shortstr no_ack
basic.get-ok 71 delivery_tag:longlong redelivered exchange:shortstr routing_key:shortstr message_count:long
basic.get-empty 72 cluster_id:shortstr
basic.ack 80 delivery_tag:longlong multiple
basic.reject 90 delivery_tag:longlong requeue
basic.recover-async 100 requeue
basic.recover 110 requeue
basic.recover-ok 111
basic.nack 120 delivery_tag:longlong multiple requeue
confirm.select 10 nowait
confirm.select-ok 11
tx.select 10
tx.select-ok 11
tx.commit 20
tx.commit-ok 21
tx.rollback 30
tx.rollback-ok 31
"""

# In the order of their flags, from bit 15 downwards.
PROPERTIES = (
    ("content_type", "shortstr"), ("content_encoding", "shortstr"), ("headers", "table"),
    ("delivery_mode", "octet"), ("priority", "octet"), ("correlation_id", "shortstr"),
    ("reply_to", "shortstr"), ("expiration", "shortstr"), ("message_id", "shortstr"),
    ("timestamp", "timestamp"), ("type", "shortstr"), ("user_id", "shortstr"),
    ("app_id", "shortstr"), ("cluster_id", "shortstr"),
)

WITH_CONTENT = {"basic.publish", "basic.return", "basic.deliver", "basic.get-ok"}


def _parse(line):
    name, method_id, *fields = line.split()
    typed = tuple((field, kind or "bit") for field, _, kind in (f.partition(":") for f in fields))
    return Method(name, CLASSES[name.split(".")[0]], int(method_id), typed)


BY_NAME = {method.name: method for method in map(_parse, _METHODS.strip().splitlines())}
BY_ID = {(method.class_id, method.method_id): method for method in BY_NAME.values()}
