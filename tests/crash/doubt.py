#!/usr/bin/env python3
"""Shows that the checks of messages with an afterlife can fail: something is tampered with before the verification, in
the broker or in what is known of its letters, and the verification must say so."""

import random
import sys
import tempfile
import time
from pathlib import Path

import environment  # noqa: F401  (first: it brings pika)
import letters
import rounds
from amqp import AnyProperties, publish_with
from kill import Killed

TRIES = 8                                # rounds until there is something to tamper with
PATIENCE = 3


class Nothing(Exception):
    """There is nothing to tamper with in this round."""


# --- in the broker --------------------------------------------------------------------------------

def steal(queue, section, connection):
    """Acks a letter that must be there. Returns its delivery."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        delivery = connection.get(queue)
        letter = delivery and section.letters.get(delivery.id)
        if letter and section.promised(letter):
            connection.method("basic.ack", delivery_tag=delivery.tag)
            connection.reopen_channel()
            return delivery
    raise Nothing


def put(queue, connection, delivery, **changes):
    properties = {**delivery.properties, **changes}
    connection.send(publish_with("", queue, properties, delivery.body))
    connection.call("basic.qos")


def double(queue, section, connection):
    delivery = steal(queue, section, connection)
    put(queue, connection, delivery)
    put(queue, connection, delivery)


def change(queue, section, connection, **changes):
    put(queue, connection, steal(queue, section, connection), **changes)


def copy_to(target, source, section, connection):
    delivery = steal(source, section, connection)
    put(source, connection, delivery)
    put(target, connection, delivery)


def steal_value(queue, section, connection):
    """All copies that there are."""
    delivery = steal_any(queue, section, connection)
    if section.letters[delivery.id].kept:
        raise Nothing


def steal_any(queue, section, connection):
    while delivery := connection.get(queue):
        letter = section.letters.get(delivery.id)
        if letter and letter.value and letter.value.confirmed and not (letter.kept or letter.arrived):
            connection.method("basic.ack", delivery_tag=delivery.tag)
            connection.reopen_channel()
            return delivery
    raise Nothing


def second_copy(queue, section, connection):
    """Of a value whose publisher was told that it is there, past those who look for duplicates."""
    delivery = steal_any("single", section, connection)
    put("single", connection, delivery)
    value = section.letters[delivery.id].value
    number = next(number for number, each in section.values["single"].items() if each is value)
    letter, _ = section.repeat("r0.v", random, "single", number)
    properties = {"delivery_mode": 2, "message_id": letter.id}
    connection.send(publish_with("", "single", properties, letter.body()))
    connection.call("basic.qos")


def remain(queue, section, connection):
    connection.send(publish_with("", queue, {"delivery_mode": 2}, b""))


def delete(queue, section, connection):
    connection.call("queue.delete", queue=queue)


# --- in what is known -----------------------------------------------------------------------------

def forge(section, _, where=lambda letter: True, **facts):
    """Other facts of letters; those that are functions are given the letter."""
    forged = [letter for letter in section.letters.values() if where(letter)]
    for letter in forged:
        facts_of_it = {name: fact(letter) if callable(fact) else fact for name, fact in facts.items()}
        letter.__dict__.update(facts_of_it)
    if not forged:
        raise Nothing


def forget(section, _):
    section.letters.clear()


def shrink(section, _):
    section.ROOM = 2


def turn_around(section, connection):
    section.alone = True
    forge(section, connection, number=lambda letter: -letter.number)


def of(function, queue, *more, **changes):
    return lambda section, connection: function(queue, *more, section, connection, **changes)


def forging(**facts):
    return lambda section, connection: forge(section, connection, **facts)


def soon(seconds):
    return lambda letter: time.monotonic() + seconds


# Section, what is done, what a fault must say.
DOUBTS = [
    ("mortal", of(steal, "dead"), "is lost"),
    ("mortal", of(double, "dead"), "is in dead twice"),
    ("mortal", of(change, "dead", headers={}), "says of its death None"),
    ("mortal", of(change, "dead", delivery_mode=1), "is not persistent any more"),
    ("mortal", of(remain, "mortal"), "mortal still has 1"),
    ("mortal", of(delete, "dead"), "dead is gone"),
    ("mortal", forging(lifetime=60_000), "died after"),
    ("mortal", forging(size=lambda letter: letter.size + 1), "is torn"),
    ("mortal", forging(acked="dead", settled=0), "it was acked, and what was sent after that"),
    ("mortal", forget, "it was never sent, or was gone before"),
    ("careful", of(steal, "cared"), "is lost"),
    ("careful", of(double, "cared"), "is in cared twice"),
    ("careful", forging(refused=True), "it was refused"),
    ("judged", of(steal, "judged"), "is lost"),
    ("judged", of(steal, "condemned"), "is lost"),
    ("judged", of(copy_to, "condemned", "judged"), "is in condemned and judged"),
    ("judged", of(copy_to, "judged", "condemned"), "in judged says that it died"),
    ("judged", forging(rejected=False, arrived=None, home=None), "nobody rejected it"),
    ("judged", forging(arrived=0), "it had come to condemned"),
    ("short", of(steal, "short"), "is lost"),
    ("short", of(steal, "dropped"), "is lost"),
    ("short", of(copy_to, "dropped", "short"), "is in dropped and short"),
    ("short", shrink, "it has room for 2"),
    ("short", turn_around, "was dropped from short"),
    ("punctual", of(steal, "punctual"), "is lost"),
    ("punctual", of(double, "punctual"), "is in punctual twice"),
    ("punctual", forging(sent=soon(60), confirmed=None), "too early"),
    ("punctual", forging(where=lambda letter: letter.confirmed, confirmed=lambda letter: -letter.confirmed,
                         sent=lambda letter: -letter.sent - 2 * letter.delay), "which was due"),
    ("tried", of(steal, "tried"), "is lost"),
    ("tried", of(steal, "given_up"), "is lost"),
    ("tried", of(double, "given_up"), "is in given_up twice"),
    ("tried", forging(count=3, counted=0), "that should be 3 to"),
    ("tried", forging(fails=0, held=None, failed=None, losses=0), "that should be 0 to 0"),
    ("tried", forging(fails=-99, arrived=None, home=None), "was given up; it had failed"),
    ("tried", forging(failed=soon(5), settled=0), "came again after"),
    ("once", of(steal_value, "single"), "a value is lost"),
    ("once", of(steal_value, "unique"), "a value is lost"),
    ("once", of(second_copy, "single"), "has 2 letters of one value"),
    ("ranked", of(steal, "ranked"), "is lost"),
    ("ranked", of(change, "ranked", priority=9), "came back with priority 9"),
    ("ranked", forging(number=lambda letter: -letter.number), "came after number"),
]


def doubted(world, rng, doubt):
    """Plays rounds until the tampering is done. Returns that round's faults."""
    name, tamper, _ = doubt
    section = next(each for each in world.afterlife.sections if each.name == name)
    verify, done = world.afterlife.verify, []

    def tampered(port, *more):
        try:
            with AnyProperties(port) as connection:
                tamper(section, connection)
            done.append(True)
        except Nothing:
            pass
        return verify(port, *more)

    for round in range(1, TRIES + 1):
        rounds.play(world, rng, round)
        if world.journal.faults:
            return world.journal.faults
        world.afterlife.verify = tampered
    return ["there was nothing to tamper with"] if not done else []


def main():
    parser = rounds.arguments(__doc__)
    options = parser.parse_args()
    letters.PATIENCE = PATIENCE
    rng, passed = random.Random(options.seed), 0
    with tempfile.TemporaryDirectory(prefix="warren-doubt-", dir=options.dir) as base:
        for number, doubt in enumerate(DOUBTS):
            world = Killed(options, Path(base) / str(number))
            try:
                faults = doubted(world, random.Random(rng.getrandbits(64)), doubt)
            finally:
                world.discard()
            name, _, text = doubt
            noticed = any(fault.startswith(name) and text in fault for fault in faults)
            passed += noticed
            print(f"{'ok' if noticed else 'FAILED'}: {name}: {text}", *([] if noticed else faults[:3]), flush=True)
    print(f"{passed} passed, {len(DOUBTS) - passed} failed")
    sys.exit(passed < len(DOUBTS))


if __name__ == "__main__":
    main()
