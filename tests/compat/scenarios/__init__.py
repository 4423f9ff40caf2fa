"""The scenarios, a file for each theme. Importing a theme registers what is in it."""

from importlib import import_module

THEMES = ("handshake", "framing", "undecodable", "channels", "content",
          "exchanges", "bindings", "queues", "exclusive_queues", "queue_arguments",
          "publishing", "consumers", "acknowledgements", "transactions", "reply_to", "lifetimes")

# These make nothing on the broker, so they may run at the same time; and they should, for
# RabbitMQ hesitates three seconds before it hangs up on a client it does not trust.
SIDE_BY_SIDE = {"handshake", "framing"}


def load(quorum=False):
    for theme in THEMES + (("quorum",) if quorum else ()):
        import_module(f"scenarios.{theme}")
