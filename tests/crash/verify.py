"""What a restarted broker has, held against the journal."""

from typing import NamedTuple

import stage
import topology
from amqp import Connection, publish
from journal import Commit
from topology import Topology

PROBE = "probe"
PATIENCE = 20


class Tally(NamedTuple):
    """What was found that might have been otherwise."""
    there: int = 0
    acked_but_back: int = 0
    unconfirmed_but_there: int = 0


def verify(journal, port, rng):
    """Compares, and writes faults to the journal. If there are none, settles a part of what is
    there. Returns a tally and what was found."""
    with Connection(port) as connection, Connection(port) as asking:
        for what in stage.missing(asking):
            journal.fault(f"{what} is gone")
        there = look_at_topology(journal, asking)
        found, tags = {}, {}
        for queue in [*stage.QUEUES, *sorted(there.queues)]:
            deliveries = read(journal, connection, asking, queue)
            tags[queue] = {each.id: each.tag for each in deliveries}
            found[queue] = [each for each in deliveries if not each.id.startswith(PROBE)]
        judge_topology(journal, there, tags, asking)
        tally = judge(journal, found)
        if not journal.faults:
            journal.start_over(found)
            settle(journal, connection, tags, rng)
            connection.close()
    return tally, found


def read(journal, connection, asking, queue):
    """All that a queue has. Nothing is acked."""
    counts = asking.exists("queue.declare", queue=queue)
    if counts is None:
        return []
    count, deliveries = counts["message_count"], []
    tag = connection.call("basic.consume", queue=queue)["consumer_tag"]
    while len(deliveries) < count:
        arrived = connection.events(PATIENCE)
        deliveries += arrived
        if not arrived:
            break
    left = asking.exists("queue.declare", queue=queue)["message_count"]
    connection.call("basic.cancel", consumer_tag=tag)
    deliveries += connection.events(0)
    if len(deliveries) != count or left:
        journal.fault(f"{queue} said it has {count}, gave {len(deliveries)}, and says it has {left} more")
    return deliveries


# --- topology -------------------------------------------------------------------------------------

def look_at_topology(journal, asking):
    """Which of the queues and exchanges that come and go are there. Sends a probe along each way."""
    if asking.exists("queue.declare", queue=topology.PASSING_QUEUE):
        journal.fault("a queue that is not durable is there after a restart")
    if asking.exists("exchange.declare", exchange=topology.PASSING_EXCHANGE, type="fanout") is not None:
        journal.fault("an exchange that is not durable is there after a restart")
    queues = {name for name in topology.QUEUES if asking.exists("queue.declare", queue=name) is not None}
    exchanges = {name for name, kind in topology.EXCHANGES.items()
                 if asking.exists("exchange.declare", exchange=name, type=kind) is not None}
    for name in exchanges:
        for key in topology.KEYS:
            asking.send(publish(name, key, False, f"{PROBE}:{name}:{key}", b""))
    asking.call("basic.qos")                       # answered when the probes have arrived
    return Topology(frozenset(queues), frozenset(exchanges))


def judge_topology(journal, there, tags, asking):
    """It is all as before the request under way, or all as after it."""
    churned = journal.churned
    ways = {(name, key): frozenset(queue for queue in there.queues if f"{PROBE}:{name}:{key}" in tags[queue])
            for name in there.exchanges for key in topology.KEYS}
    possible = [each for each in (churned.now, churned.pending) if each is not None]
    fitting = [each for each in possible if each[:2] == there[:2] and each.routes() == ways]
    if not fitting:
        journal.fault(f"there are {sorted(there.queues)}, {sorted(there.exchanges)}, {ways}; that is none of "
                      f"{possible}; the request under way was {churned.request}")
        return
    if len(fitting) == 2:                          # they look alike, so make it the second
        method, fields = churned.request
        asking.call(method, **fields)
    churned.start_over(fitting[-1])


# --- messages -------------------------------------------------------------------------------------

def judge(journal, found):
    """Every promise about messages."""
    outcomes = {id(each): outcome(journal, each, found) for each in journal.transactions}
    tally = Tally()
    for queue, deliveries in found.items():
        here = {}
        newest = {}
        for delivery in deliveries:
            copy = journal.known(queue, delivery)
            if copy is None:
                continue
            if delivery.id in here:
                journal.fault(f"{queue}: {delivery.id} is there twice")
            here[delivery.id] = copy
            message = copy.message
            if message.number <= newest.get(message.publisher, 0):
                journal.fault(f"{queue}: {message.id} comes after number {newest[message.publisher]}")
            newest[message.publisher] = message.number
            judge_redelivered(journal, copy, delivery)
        judge_passed_over(journal, queue, outcomes)
        for name, copy in journal.copies[queue].items():
            tally = judge_copy(journal, copy, name in here, outcomes, tally)
    return tally


def judge_redelivered(journal, copy, delivery):
    if delivery.redelivered and not copy.carried and not journal.consumers[copy.queue]:
        journal.fault(f"{copy.queue}: {delivery.id} says redelivered, and nobody has had it")
    if not delivery.redelivered and journal.lasted(copy.return_done):
        journal.fault(f"{copy.queue}: {delivery.id} had come back to the queue and does not say redelivered")


def judge_passed_over(journal, queue, outcomes):
    """A consumer that was alone had everything in front of what it had."""
    if journal.consumers[queue] != 1:
        return
    later = set()                                  # publishers of whom something later was delivered
    for copy in reversed(journal.copies[queue].values()):
        message = copy.message
        if copy.seen:
            later.add(message.publisher)
        elif copy.acked or outcomes.get(id(message.transaction)) is Commit.ROLLED_BACK:
            continue                               # it was gone before, or never there
        elif message.publisher in later:
            journal.fault(f"{queue}: {message.id} was passed over while the broker lived")


def outcome(journal, transaction, found):
    """What became of a transaction: Commit.OK or Commit.ROLLED_BACK; None where nothing tells."""
    if transaction.state is Commit.OK:
        return Commit.OK
    if transaction.state is not Commit.SENT:
        return Commit.ROLLED_BACK
    ids = {queue: {each.id for each in deliveries} for queue, deliveries in found.items()}
    done = [f"{message.id} in {queue}" for message in transaction.published for queue in message.queues
            if message.id in ids[queue]]
    done += [f"no {copy.message.id} in {copy.queue}" for copy in transaction.acked
             if copy.promised() and copy.message.id not in ids[copy.queue]]
    undone = [f"{copy.message.id} in {copy.queue}" for copy in transaction.acked if copy.message.id in ids[copy.queue]]
    if done and undone:
        journal.fault(f"a transaction is half done: there is {done[0]} ({len(done)} such), and {undone[0]} "
                      f"({len(undone)} such), which it acked")
    return Commit.OK if done else Commit.ROLLED_BACK if undone else None


def judge_copy(journal, copy, there, outcomes, tally):
    message = copy.message
    which = f"{copy.queue}: {message.id}"
    published = outcomes.get(id(message.transaction), None if message.transaction else Commit.OK)
    acked = outcomes.get(id(copy.ack_in))
    if there:
        gone_because = [
            (not message.persistent, "is transient"),
            (published is Commit.ROLLED_BACK, "was published in a transaction that was not carried out"),
            (journal.lasted(copy.ack_done), "was acked, and what was published after that was confirmed"),
            (acked is Commit.OK, "was acked in a transaction that was carried out"),
        ]
        journal.faults += [f"{which} is there; it {why}" for so, why in gone_because if so]
        return tally._replace(
            there=tally.there + 1,
            acked_but_back=tally.acked_but_back + copy.acked,
            unconfirmed_but_there=tally.unconfirmed_but_there + (not message.safe() and not copy.carried))
    promised = copy.promised() or (message.persistent and message.transaction and published is Commit.OK)
    if promised and not copy.acked and (copy.ack_in is None or acked is Commit.ROLLED_BACK):
        journal.fault(f"{which} is lost, {message.size} bytes; it was {promise(copy)}")
    return tally


def promise(copy):
    if copy.carried:
        return "there before"
    if copy.message.transaction is None:
        return "confirmed"
    committed = copy.message.transaction.state is Commit.OK
    return "in a committed transaction" if committed else "in a transaction of which others are there"


# --- carrying on ----------------------------------------------------------------------------------

def settle(journal, connection, tags, rng):
    """Acks a part of what is there, in one way or another, and gives back the rest."""
    returned = []
    for queue, by_id in tags.items():
        keep = rng.choice((0.0, 0.1, 0.5, 0.95)) if len(by_id) < 1500 else 0.1
        ids = [name for name in by_id if name.startswith(PROBE)]
        others = [name for name in by_id if not name.startswith(PROBE)]
        ids += others[int(len(others) * keep):] if rng.random() < 0.5 else [
            name for name in others if rng.random() >= keep]
        if rng.random() < 0.3:
            ids.reverse()
        acking = set(ids)
        copies = journal.copies.get(queue, {})
        journal.acking([copies[name] for name in ids if name in copies])
        returned += [copy for name, copy in copies.items() if name in by_id and name not in acking]
        for name in ids:
            connection.method("basic.ack", delivery_tag=by_id[name])
    connection.call("basic.qos", prefetch_count=0)
    acked = [copy for copies in journal.copies.values() for copy in copies.values() if copy.acked]
    journal.carried_out(acked)
    journal.returning(returned)
    connection.reopen_channel()
    journal.carried_out(returned)
