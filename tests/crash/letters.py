"""A letter is a message of which more is known than that it is there: when and how it dies, how long it waits,
what it repeats. A section is some queues, the rules for what becomes of letters in them, and a journal of them.

What is known of a letter rests on times, not on ticks as in `journal.py`: a dead letter is handed out a moment before
the transaction that brought it is closed, so nothing follows from what was seen less than `MARGIN` before the publish
whose confirm would prove it.
"""

import time
import traceback

from amqp import AnyProperties, Confirm, publish_with
from journal import body_of

MARGIN = 0.05
PATIENCE = 10                            # seconds in which what must come has come
EARLY = 0.005                            # seconds by which two clocks may differ
EXCHANGE = "afterlife"                   # brings dead letters to where they belong
SEAL = "sealed"                          # what is confirmed here proves what was done before
SHOWN = 3                                # faults of one kind


class Letter:
    """What was sent and what is known of it."""

    def __init__(self, id, author, number, size, **facts):
        self.id, self.author, self.number, self.size = id, author, number, size
        self.sent = time.monotonic()
        self.confirmed = None            # when
        self.refused = False             # the broker said basic.nack
        self.kept = False                # it was there after the last restart, and stayed
        self.ghost = False               # it was not, and might come yet; nothing was promised
        self.home = None                 # the queue that it surely does not leave any more but by an ack
        self.held = None                 # the queue from which a client has it
        self.acked = None                # the queue from which it was acked, perhaps
        self.settled = None              # when the last answer was known to be carried out
        self.arrived = None              # when it was seen in a queue for dead letters
        self.rejected = False            # somebody rejected it, perhaps
        self.fails = 0                   # how often it was sent back, perhaps, or a client died that had it
        self.did = []                    # for the reader of a journal
        self.__dict__.update(facts)

    def note(self, what):
        self.did.append(f"{time.monotonic():.3f} {what}")

    def body(self):
        return body_of(self.id, self.size)


class Section:
    """Subclasses say which queues there are, what is published there, what readers answer, and what must hold."""

    sources, targets = {}, {}            # names and arguments of queues
    reason = None                        # of a death
    may_refuse = False
    keeps = (0.0, 0.1, 0.5)              # which parts of the targets' letters stay for the next round
    keeps_in_sources = True
    ghosts = True                        # what is not there after a restart might come yet from where it is

    def __init__(self, afterlife):
        self.afterlife = afterlife
        self.journal = afterlife.journal
        self.name = type(self).__name__.lower()
        self.letters = {}                # by id, those that may be there
        self.numbers = {}                # author -> the last number
        self.faults = []
        self.begin()

    def begin(self):
        """A broker has been started."""
        self.verifying = False
        self.found = {}                  # what the verification has: id -> queue -> delivery tag
        self.awaited = set()
        self.posted = {}                 # delivery tag -> letter that waits for its confirm
        self.tag = 0

    def fault(self, text):
        self.faults.append(f"{self.name}: {text}")

    # --- the load ---------------------------------------------------------------------------------

    def declare(self, connection):
        for queue, arguments in {**self.sources, **self.targets}.items():
            connection.call("queue.declare", queue=queue, durable=True, arguments=arguments)
        for queue in self.targets:
            connection.call("queue.bind", queue=queue, exchange=EXCHANGE, routing_key=queue)

    def write(self, author, rng):
        """A letter, and the bytes of its publish."""
        raise NotImplementedError

    def letter(self, author, exchange, key, size, properties=(), **facts):
        number = self.numbers[author] = self.numbers.get(author, 0) + 1
        letter = Letter(f"{self.name}:{author}:{number}", author, number, size, queue=key, **facts)
        self.letters[letter.id] = letter
        properties = {"delivery_mode": 2, "message_id": letter.id, **dict(properties)}
        return letter, publish_with(exchange, key, properties, letter.body())

    def confirmed(self, letter, ack):
        if self.journal.frozen and not self.verifying:
            return
        if not ack and not self.may_refuse:
            self.fault(f"{letter.id} was refused")
        letter.refused = not ack
        if ack:
            letter.confirmed = time.monotonic()
            if not self.verifying:
                self.afterlife.proves(self, letter)

    def proves(self, letter):
        """Whether its confirm shows that the log is safe up to where it was sent."""
        return True

    def reads(self, rng):
        """The queues that somebody reads in this round."""
        return [queue for queue in self.targets if rng.random() < 0.5]

    def received(self, queue, delivery):
        """A reader was given something. Returns the letter."""
        letter = self.recognise(queue, delivery)
        if letter is None:
            return None
        if not self.journal.ended.is_set():        # a broker that stops takes back what it has no answer for
            if letter.acked:
                self.fault(f"{letter.id} was delivered from {queue} after it was acked from {letter.acked}")
            if letter.held:
                self.fault(f"{letter.id} was delivered from {queue} while somebody has it from {letter.held}")
        letter.held = queue
        if queue in self.targets and not self.journal.frozen:
            letter.arrived = letter.arrived or time.monotonic()
        self.arrives(queue, letter, delivery)
        return letter

    def answer(self, queue, letter, rng):
        """The method and its fields that a reader answers with; None: it keeps the letter."""
        return self.ack(queue, letter) if rng.random() < 0.9 else None

    def ack(self, queue, letter):
        letter.acked, letter.held, letter.settled = queue, None, None
        letter.note("ack")
        return "basic.ack", {}

    # --- every delivery ---------------------------------------------------------------------------

    def recognise(self, queue, delivery):
        letter = self.letters.get(delivery.id)
        if letter is None:
            return self.fault(f"{delivery.id} is in {queue}; it was never sent, or was gone before")
        if delivery.body != letter.body():
            self.fault(f"{letter.id} in {queue} is torn: {len(delivery.body)} bytes for {letter.size}")
        if not delivery.persistent:
            self.fault(f"{letter.id} in {queue} is not persistent any more")
        if letter.refused:
            self.fault(f"{letter.id} is in {queue}; it was refused")
        letter.note(f"came from {queue}")
        self.recognise_death(queue, letter, delivery.properties.get("headers", {}).get("x-death"))
        return letter

    def recognise_death(self, queue, letter, deaths):
        """Who died says so, once."""
        if queue in self.sources:
            if deaths is not None:
                self.fault(f"{letter.id} in {queue} says that it died: {deaths}")
            return
        right = {"count": 1, "reason": self.reason, "queue": letter.queue}
        if self.reason and (not deaths or len(deaths) > 1 or {key: deaths[0].get(key) for key in right} != right):
            self.fault(f"{letter.id} in {queue} says of its death {deaths}; that should be {right}")

    def arrives(self, queue, letter, delivery):
        """What else must hold when a letter comes, to a reader or to the verification."""

    # --- verification -----------------------------------------------------------------------------

    def verify(self, port, rng, round):
        """Compares what is there with what must be, and goes on with a part of it."""
        self.round, self.rng = round, rng
        try:
            self.begin()
            self.verifying = True
            self.after_crash()
            with AnyProperties(port) as self.connection:
                self.look(rng)
                if not self.faults:
                    self.settle(rng)
                    self.connection.close()
        except Exception:  # whatever goes wrong here, the other sections are looked at
            self.fault(f"the verification failed: {traceback.format_exc(limit=-4)}")

    def after_crash(self):
        for letter in self.letters.values():
            letter.note("crash")
            letter.fails += letter.held is not None
            letter.held = None
            if self.afterlife.lasted(letter.arrived):
                letter.home = letter.queue if letter.queue in self.targets else next(iter(self.targets))

    def look(self, rng):
        """Sees that the queues are there and work, waits for all that must come, and compares."""
        self.subscribe()
        self.post(self.last_letters(rng))
        self.collect_promised()
        self.judge()

    def subscribe(self, queues=None):
        queues = queues or [*self.sources, *self.targets]
        for queue, arguments in {**self.sources, **self.targets}.items():
            if self.connection.exists("queue.declare", queue=queue) is None:
                self.fault(f"{queue} is gone")
        self.declare(self.connection)              # refused where arguments have changed
        self.connection.call("confirm.select")
        for queue in queues:
            self.connection.call("basic.consume", queue=queue, consumer_tag=queue)

    def last_letters(self, rng):
        """One more for each way: the queues still work, and what came before these has come when they have."""
        return [self.write(self.author, rng)]

    @property
    def author(self):
        return f"{self.round}.v"

    def post(self, letters):
        """Publishes, and waits for the confirms."""
        for letter, data in letters:
            self.tag += 1
            self.posted[self.tag] = letter
            self.connection.send(data)
        if not self.collect(lambda: not self.posted):
            self.fault(f"{len(self.posted)} letters are not confirmed after {PATIENCE} s")

    def collect(self, satisfied):
        """Takes what comes until that is enough. False if it took too long."""
        deadline = time.monotonic() + PATIENCE
        while not satisfied():
            if time.monotonic() > deadline:
                return False
            for event in self.connection.events(0.1):
                self.take(event)
        return True

    def collect_promised(self):
        """Takes what comes until everything is there that must be."""
        self.awaited |= {letter.id for letter in self.letters.values() if self.promised(letter)} - set(self.found)
        self.collect(lambda: not self.awaited)

    def take(self, event):
        if isinstance(event, Confirm):
            tags = [tag for tag in self.posted if tag == event.tag or (event.multiple and tag < event.tag)]
            for tag in tags:
                self.confirmed(self.posted.pop(tag), event.ack)
            return
        queue = event.consumer
        letter = self.recognise(queue, event)
        if letter is None:
            return
        places = self.found.setdefault(letter.id, {})
        if queue in places:
            self.fault(f"{letter.id} is in {queue} twice")
        places[queue] = event.tag
        self.awaited.discard(letter.id)
        self.arrives(queue, letter, event)

    def promised(self, letter):
        """Whether it must be somewhere."""
        safe = letter.confirmed or letter.kept or letter.home
        return bool(safe) and not letter.ghost and not letter.acked

    def judge(self):
        for letter in self.letters.values():
            places = self.found.get(letter.id, {})
            if len(places) > 1:
                self.fault(f"{letter.id} is in {' and '.join(sorted(places))}")
            if not places and self.promised(letter):
                self.fault(f"{letter.id} is lost, or has not come within {PATIENCE} s; it was {describe(letter)}")
            for queue in places:
                self.judge_place(queue, letter)

    def judge_place(self, queue, letter):
        if letter.acked and self.afterlife.lasted(letter.settled):
            self.fault(f"{letter.id} is in {queue}; it was acked, and what was sent after that was confirmed")
        if queue in self.sources and letter.home in self.targets:
            self.fault(f"{letter.id} is in {queue}; it had come to {letter.home}")

    def count(self, queue):
        return self.connection.call("queue.declare", queue=queue, passive=True)["message_count"]

    # --- carrying on ------------------------------------------------------------------------------

    def settle(self, rng):
        """Acks a part of what is there; the rest stays for the next round. What was acked is gone for good."""
        part, letters = rng.choice(self.keeps), {}
        for letter in self.letters.values():
            places = self.found.get(letter.id)
            if places is None:
                gone = letter.refused or (letter.acked and self.afterlife.lasted(letter.settled))
                if self.ghosts and not gone:
                    letter.ghost, letter.acked = True, None
                    letters[letter.id] = letter
                continue
            (queue, tag), = places.items()
            if rng.random() < part and (self.keeps_in_sources or queue in self.targets):
                letter.kept, letter.ghost, letter.rejected, letter.acked = True, False, False, None
                letter.home = queue if queue in self.targets else None
                letters[letter.id] = letter
            else:
                self.connection.method("basic.ack", delivery_tag=tag)
        self.connection.call("basic.qos")          # answered when the acks are carried out
        self.post([(Letter("", "", 0, 0), publish_with("", SEAL, {"delivery_mode": 2}, b""))])
        self.letters = letters

    def story(self):
        """For whoever looks for the reason of a fault."""
        return {"found": self.found, "faults": self.faults,
                "letters": {letter.id: describe(letter) for letter in self.letters.values()}}


def describe(letter):
    facts = {name: value for name, value in vars(letter).items() if value not in (None, False, 0)}
    return ", ".join(f"{name} {value:.3f}" if isinstance(value, float) else f"{name} {value}"
                     for name, value in facts.items() if name not in ("id", "author", "number", "size"))
