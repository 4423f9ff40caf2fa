"""What the clients did, what the broker answered, and what therefore must be there after a crash.

Things are written down before they are sent and when they are answered. `tick` counts both: the
broker's log has one order, so what the broker has carried out before a publish was sent is on disk
when that publish is confirmed. So it is known of many acks that they must have lasted.
"""

import itertools
import json
import random
import threading
import traceback
import zlib
from collections import Counter, defaultdict
from enum import Enum

from topology import Churned

NOISE = random.Random(0).randbytes(1 << 20)


def body_of(id, size):
    """The body of a message: bytes that no other message has at the same place."""
    start = zlib.crc32(id.encode()) % (len(NOISE) - size)
    return NOISE[start:start + size]


class Commit(Enum):
    """How far a transaction has come."""
    OPEN = "open"
    SENT = "commit sent"
    OK = "committed"
    ROLLED_BACK = "rolled back"


class Transaction:
    def __init__(self):
        self.state = Commit.OPEN
        self.published, self.acked = [], []        # messages, copies
        self.sent = None                           # the commit's tick


class Message:
    """Something published, to some queues."""
    __slots__ = ("id", "publisher", "number", "size", "persistent", "queues", "sent", "confirmed", "transaction")

    def __init__(self, publisher, number, size, persistent, queues, sent, transaction):
        self.id = f"{publisher}:{number}"
        self.publisher, self.number, self.size = publisher, number, size
        self.persistent, self.queues, self.sent = persistent, queues, sent
        self.confirmed, self.transaction = False, transaction

    def body(self):
        return body_of(self.id, self.size)

    def safe(self):
        """Whether the broker has promised to keep it."""
        return self.confirmed or (self.transaction is not None and self.transaction.state is Commit.OK)


class Copy:
    """A message in one queue."""

    __slots__ = ("message", "queue", "carried", "seen", "held", "acked", "ack_done", "ack_in", "returned",
                 "return_done")

    def __init__(self, message, queue):
        self.message, self.queue = message, queue
        self.carried = False       # it was there when the broker started
        self.seen = False          # it was delivered since
        self.held = False          # a client has it and has not answered yet
        self.acked = False         # an ack was sent, perhaps
        self.ack_done = None       # the tick at which the ack was known to be carried out
        self.ack_in = None         # the transaction in which it was acked
        self.returned = False      # it was sent back, perhaps
        self.return_done = None

    def promised(self):
        """Whether the broker has promised to keep it until it is acked."""
        return self.message.persistent and (self.carried or self.message.safe())


class Journal:
    def __init__(self):
        self.tick = itertools.count(1).__next__
        self.copies = defaultdict(dict)            # queue -> id -> Copy
        self.churned = Churned()
        self.faults = []
        self.transactions = []
        self.ended = threading.Event()             # the broker is being killed
        self.new_life()

    def new_life(self):
        """The broker has been started, and what it has is known."""
        self.ended.clear()
        self.frozen = self.stopped = False
        self.proven = 0                            # what was carried out before this tick is on disk
        self.transactions.clear()
        self.consumers = Counter()                 # of each queue: how many there were
        self.counts = {"sent": 0, "confirmed": 0, "delivered": 0, "acked": 0, "committed": 0, "declared": 0}

    def fault(self, text):
        self.faults.append(text)

    def freeze(self):
        """What is answered from now on is not counted on; a power cut is near."""
        self.frozen = True

    # --- publishing -------------------------------------------------------------------------------

    def publishing(self, publisher, queues, persistent, size, transaction=None):
        name, number = publisher
        message = Message(name, number, size, persistent, queues, self.tick(), transaction)
        for queue in queues:
            self.copies[queue][message.id] = Copy(message, queue)
        if transaction:
            transaction.published.append(message)
        self.counts["sent"] += 1
        return message

    def confirmed(self, messages):
        if self.frozen:
            return
        for message in messages:
            message.confirmed = True
            if message.persistent and message.queues:
                self.proven = max(self.proven, message.sent)
        self.counts["confirmed"] += len(messages)

    def begin(self):
        transaction = Transaction()
        self.transactions.append(transaction)
        return transaction

    def committing(self, transaction):
        transaction.sent = self.tick()
        transaction.state = Commit.SENT

    def committed(self, transaction):
        if self.frozen:
            return
        transaction.state = Commit.OK
        if any(message.persistent and message.queues for message in transaction.published):
            self.proven = max(self.proven, transaction.sent)
        self.counts["committed"] += 1

    def rolled_back(self, transaction):
        for copy in transaction.acked:
            copy.ack_in = None
        transaction.state = Commit.ROLLED_BACK

    # --- consuming --------------------------------------------------------------------------------

    def delivered(self, queue, delivery):
        """Checks a delivery while the broker lives. Returns the copy, or None where there is none."""
        copy = self.known(queue, delivery)
        if copy is None:
            return None
        transaction = copy.message.transaction
        if transaction and transaction.state in (Commit.OPEN, Commit.ROLLED_BACK):
            self.fault(f"{queue}: {delivery.id} was delivered, its transaction is {transaction.state.value}")
        # A broker that stops takes back what it has not read the ack of.
        acked = copy.ack_done is not None if self.ended.is_set() else copy.acked
        if acked or (copy.ack_in and copy.ack_in.state in (Commit.SENT, Commit.OK)):
            self.fault(f"{queue}: {delivery.id} was delivered after it was acked")
        if copy.held and not self.ended.is_set():  # a broker that stops takes it back first
            self.fault(f"{queue}: {delivery.id} was delivered while somebody has it")
        copy.held = copy.seen = True
        self.counts["delivered"] += 1
        return copy

    def known(self, queue, delivery):
        """The copy that this is, if it is whole."""
        copy = self.copies[queue].get(delivery.id)
        if copy is None:
            self.fault(f"{queue}: {delivery.id} is there; it was never sent there, or was gone before")
            return None
        if delivery.body != copy.message.body():
            self.fault(f"{queue}: {delivery.id} is torn: {len(delivery.body)} bytes for {copy.message.size}")
        if delivery.persistent != copy.message.persistent:
            self.fault(f"{queue}: {delivery.id} came back with another delivery mode")
        return copy

    def acking(self, copies, transaction=None):
        for copy in copies:
            if transaction:
                copy.ack_in = transaction
                transaction.acked.append(copy)
            else:
                copy.acked, copy.held = True, False
        self.counts["acked"] += len(copies)

    def returning(self, copies):
        for copy in copies:
            copy.returned, copy.held = True, False

    def carried_out(self, copies):
        """An answer shows that the broker has carried out what was sent about these."""
        if self.frozen:
            return
        now = self.tick()
        for copy in copies:
            if copy.acked and copy.ack_done is None:
                copy.ack_done = now
            if copy.returned and copy.return_done is None:
                copy.return_done = now

    def all_lasted(self):
        """The broker has stopped in order: whatever was carried out is on disk."""
        self.proven = self.tick()
        self.stopped = True

    # --- after a crash ----------------------------------------------------------------------------

    def lasted(self, done):
        """Whether what was carried out at a tick is sure to be on disk."""
        return done is not None and done < self.proven

    def start_over(self, found):
        """What was found, queue by queue, is what there is."""
        before, self.copies = self.copies, defaultdict(dict)
        for queue, deliveries in found.items():
            for delivery in deliveries:
                copy = self.copies[queue][delivery.id] = Copy(before[queue][delivery.id].message, queue)
                copy.carried = True
                copy.message.transaction = None
        self.new_life()

    def dump(self, path, found, afterlife):
        """Writes everything down for whoever looks for the reason."""
        queues = {queue: {
            "found, in order": [[each.id, each.redelivered] for each in found.get(queue, [])],
            "journal": [describe(copy) for copy in copies.values()],
        } for queue, copies in self.copies.items()}
        churned = {"now": self.churned.now, "pending": self.churned.pending, "did": self.churned.did}
        story = {"faults": self.faults, "proven": self.proven, "churned": churned, "queues": queues, "afterlife": afterlife}
        path.write_text(json.dumps(story, indent=1, default=str))


def describe(copy):
    message = copy.message
    story = {name: getattr(copy, name) for name in ("carried", "seen", "held", "acked", "ack_done", "returned", "return_done")}
    story = {name: value for name, value in story.items() if value not in (False, None)}
    for name, transaction in ("published in", message.transaction), ("acked in", copy.ack_in):
        if transaction:
            story[name] = f"transaction {id(transaction):x}, {transaction.state.value}"
    kind = "persistent" if message.persistent else "transient"
    return {"id": message.id, "sent": message.sent, "confirmed": message.confirmed, "kind": kind,
            "size": message.size, **story}


def watched(journal, client):
    """Runs a client until the broker dies; that it fails before is a fault."""
    try:
        client()
    except Exception:  # whatever a library makes of a connection that was cut
        if not journal.ended.is_set():
            journal.fault(f"a client failed while the broker lived: {traceback.format_exc(limit=-4)}")
