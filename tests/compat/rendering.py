"""How transcripts show what was sent and answered: one line each, with nothing that differs by run."""

import re
import time

from amqpraw import Typed

_GENERATED = (
    (re.compile(r"amq\.gen-[\w-]{22}"), "amq.gen-<22>"),
    (re.compile(r"compat\.e-[0-9a-f]{8}"), "compat.e"),
    (re.compile(r"amq\.ctag-[\w-]{22}"), "amq.ctag-<22>"),
    (re.compile(r"amq\.rabbitmq\.reply-to\.g[\w.+/=-]+"), "amq.rabbitmq.reply-to.<generated>"),
)


def normalised(line):
    for pattern, stand_in in _GENERATED:
        line = pattern.sub(stand_in, line)
    return line


def shown(value):
    if isinstance(value, Typed):
        is_now = value.tag == "T" and abs(value.value - time.time()) < 3600
        return value.tag + ("<now>" if is_now else shown(value.value))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {shown(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(shown, value)) + "]"
    text = repr(value)
    return text if len(text) <= 400 else f"{text[:60]}... ({len(value)} long)"


def shown_fields(fields):
    return " ".join(f"{name}={shown(value)}" for name, value in fields.items())


def shown_event(event):
    if event is None:
        return "end of stream"
    if event.name in ("connection.close", "channel.close"):
        return "{} {reply_code} {reply_text!r} class={class_id} method={method_id}".format(event.name, **event.fields)
    line = f"{event.name} {shown_fields(event.fields)}".rstrip()
    if event.body is None:
        return line
    return f"{line} | {shown_fields(event.properties)} | {shown(event.body)}"
