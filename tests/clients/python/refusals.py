"""How a broker says no: by closing the channel or the whole connection, with a code and a reason."""

from contextlib import contextmanager

import pytest
from pika.exceptions import ChannelClosedByBroker, ConnectionClosedByBroker

from inbox import until


@contextmanager
def channel_refused(channel, code, words):
    """What happens inside costs the channel, and the channel alone."""
    with pytest.raises(ChannelClosedByBroker) as closed:
        yield
        # Publishing and acking have no answer of their own; this answer cannot overtake their refusal.
        channel.basic_qos(prefetch_count=1)
    assert closed.value.reply_code == code
    assert words in closed.value.reply_text
    assert channel.connection.channel().is_open


@contextmanager
def connection_refused(connection, code, words):
    """What happens inside costs the connection."""
    with pytest.raises(ConnectionClosedByBroker) as closed:
        yield
        until(lambda: connection.is_closed, connection)
    assert closed.value.reply_code == code
    assert words in closed.value.reply_text
