"""Messages that wait: until they are due, or to be tried again."""

import time

from amqp import Confirm
from deaths import a_size, dying
from letters import EARLY, Section

# Two messages whose due times are less apart may come in any order: of when the broker read a publish it is only
# known that this was between sending and confirm.
APART = 0.05


class Punctual(Section):
    """Scheduled messages: each comes once, not before its time, in the order of due times; what fell due while
    the broker was down as well."""

    EXCHANGE = "later"
    targets = {"punctual": {}}

    def begin(self):
        super().begin()
        self.latest = None                         # among those that came

    def declare(self, connection):
        connection.call("exchange.declare", exchange=self.EXCHANGE, type="x-delayed-message", durable=True,
                        arguments={"x-delayed-type": "direct"})
        super().declare(connection)
        connection.call("queue.bind", queue="punctual", exchange=self.EXCHANGE, routing_key="punctual")

    def write(self, author, rng, delay=None):
        if delay is None:
            delay = rng.choice((0, rng.randrange(50), rng.randrange(800)))
        headers = {"headers": {"x-delay": delay}}
        return self.letter(author, self.EXCHANGE, "punctual", a_size(rng), headers, delay=delay / 1000)

    def reads(self, rng):
        return list(self.targets) if rng.random() < 0.7 else []

    def arrives(self, queue, letter, delivery):
        due, now = letter.sent + letter.delay, time.monotonic()
        if now < due - EARLY:
            self.fault(f"{letter.id} came {due - now:.3f} s too early")
        if letter.delay == 0:                      # it waited for nobody
            return
        if self.latest and letter.confirmed and letter.confirmed + letter.delay + APART < self.latest[0]:
            late = self.latest[0] - letter.confirmed - letter.delay
            self.fault(f"{letter.id} came after {self.latest[1]}, which was due {late:.3f} s later")
        self.latest = max(self.latest or (0, ""), (due, letter.id))

    def last_letters(self, rng):
        """Due when all others are."""
        now = time.monotonic()
        dues = [(letter.confirmed or self.afterlife.silent_since) + letter.delay for letter in self.letters.values()
                if not letter.kept]
        return [self.write(self.author, rng, 1 + max(0, int((max(dues, default=now) - now) * 1000)))]


class Tried(Section):
    """Messages that fail and are tried again: in the meantime they wait, how often they failed is remembered, and
    the last failure makes a dead letter."""

    sources = {"tried": dying("given_up", x_retry_delay=100, x_retry_multiplier=1, x_retry_attempts=3,
                              x_delivery_limit=1000),             # it makes the broker say the count
               "tried.slow": dying("given_up", x_retry_delay=400, x_retry_attempts=1, x_queue_type="quorum")}
    targets = {"given_up": {}}
    reason = "delivery_limit"
    COUNT = {"tried": "x-delivery-count", "tried.slow": "x-acquired-count"}
    keeps_in_sources = False

    def write(self, author, rng, queue=None, failures=None):
        queue = queue or rng.choice(("tried", "tried", "tried.slow"))
        failures = rng.choice((0, 1, 2, 9)) if failures is None else failures
        return self.letter(author, "", queue, a_size(rng), failures=failures, count=0, counted=None,
                           failed=None, losses=0)

    def reads(self, rng):
        return [*self.sources, *super().reads(rng)]

    def answer(self, queue, letter, rng):
        if queue in self.targets:
            return super().answer(queue, letter, rng)
        if letter.fails >= letter.failures:
            return self.ack(queue, letter)
        return self.fail(letter, rng) if rng.random() < 0.95 else None

    def fail(self, letter, rng):
        letter.held = letter.settled = None
        letter.fails += 1
        letter.failed = time.monotonic()
        letter.note("nack")
        return rng.choice(("basic.nack", "basic.reject")), {"requeue": True}

    def arrives(self, queue, letter, delivery):
        arguments, now = self.sources[letter.queue], time.monotonic()
        attempts, delay = arguments["x-retry-attempts"], arguments["x-retry-delay"] / 1000
        if queue in self.targets:
            if letter.fails <= attempts and letter.home is None:
                self.fault(f"{letter.id} was given up; it had failed {letter.fails} times of {attempts + 1}")
            return
        count = delivery.properties.get("headers", {}).get(self.COUNT[queue], 0)
        least, most = letter.count + (letter.failed is not None), min(letter.fails, attempts + letter.losses)
        if not least <= count <= most:
            self.fault(f"{letter.id} says that it came back {count} times; that should be {least} to {most}")
        if letter.failed and now < letter.failed + delay - EARLY:
            self.fault(f"{letter.id} came again after {now - letter.failed:.3f} s")
        letter.count, letter.counted, letter.failed = count, now, None

    def after_crash(self):
        """What had not lasted may be forgotten. A broker that stops counts what was on its way to somebody. What was
        just given up may come once more."""
        for letter in self.letters.values():
            letter.losses += bool(letter.held or letter.failed)
            if self.afterlife.stopped and not letter.held:
                letter.losses, letter.fails = letter.losses + 1, letter.fails + 1
        super().after_crash()
        for letter in self.letters.values():
            if not self.afterlife.lasted(letter.counted):
                letter.count = 0
            worn_out = letter.fails > self.sources[letter.queue]["x-retry-attempts"]
            if worn_out or not self.afterlife.lasted(letter.settled):
                letter.failed = None               # nothing says that it waits

    def last_letters(self, rng):
        return [self.write(self.author, rng, queue, failures) for queue in self.sources for failures in (0, 9)]

    def take(self, event):
        """A message that fails fails until it is given up; others are acked."""
        super().take(event)
        if isinstance(event, Confirm) or event.consumer in self.targets or event.id not in self.letters:
            return
        letter = self.letters[event.id]
        if letter.failures < 9:
            return                                 # it has come, and is acked in the end
        del self.found[letter.id]
        self.awaited.add(letter.id)
        method, fields = self.fail(letter, self.rng)
        self.connection.method(method, delivery_tag=event.tag, **fields)
