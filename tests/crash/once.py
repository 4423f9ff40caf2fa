"""Messages that are published again and again and must come once; and messages that overtake others."""

import itertools

from deaths import a_size
from letters import Section


class Value:
    """What the copies of a message have in common."""

    def __init__(self):
        self.letters = []
        self.copies = set()              # the ids of those that were ever seen in the queue
        self.allowed = 1                 # as many of them may have been
        self.confirmed = False
        self.taken = False               # somebody acked one


class Once(Section):
    """Deduplication, by an exchange and by a queue. Of letters with the same value one is let in; one more for each
    crash before the first confirm, for then nobody had been told that there is one."""

    EXCHANGE = "once"
    HEADER = "x-deduplication-header"
    REMEMBERED = 1000
    WINDOW = {"x-cache-size": REMEMBERED}
    targets = {"single": {}, "unique": {"x-message-deduplication": True, **WINDOW}}
    ghosts = False
    WAYS = {"single": (EXCHANGE, "single"), "unique": ("", "unique")}

    def __init__(self, afterlife):
        super().__init__(afterlife)
        self.values = {queue: {} for queue in self.targets}        # number -> Value
        self.next = {queue: itertools.count(1).__next__ for queue in self.targets}
        self.newest = dict.fromkeys(self.targets, 0)

    def declare(self, connection):
        connection.call("exchange.declare", exchange=self.EXCHANGE, type="x-message-deduplication", durable=True,
                        arguments=self.WINDOW)
        super().declare(connection)
        connection.call("queue.bind", queue="single", exchange=self.EXCHANGE)

    def write(self, author, rng):
        """Something new, something that somebody is just publishing, or something from before."""
        queue, dice = rng.choice(list(self.targets)), rng.random()
        if dice < 0.4 or not self.newest[queue]:
            number = self.newest[queue] = self.next[queue]()
        else:
            number = self.newest[queue] - rng.randrange(5 if dice < 0.8 else self.REMEMBERED * 9 // 10)
        return self.repeat(author, rng, queue, max(1, number))

    def repeat(self, author, rng, queue, number):
        value = self.values[queue].setdefault(number, Value())
        exchange, key = self.WAYS[queue]
        headers = {"headers": {self.HEADER: f"{queue} {number}"}}
        letter, data = self.letter(author, exchange, key, a_size(rng), headers, value=value)
        value.letters.append(letter)
        return letter, data

    def unnumbered(self, author, rng, queue):
        """A letter without a value, which nobody asks for one."""
        return self.letter(author, *self.WAYS[queue], a_size(rng), value=None)

    def confirmed(self, letter, ack):
        super().confirmed(letter, ack)
        if letter.confirmed and getattr(letter, "value", None):
            letter.value.confirmed = True

    def proves(self, letter):
        return getattr(letter, "value", None) is None      # a duplicate's confirm is about another one

    def arrives(self, queue, letter, delivery):
        value = letter.value
        if value is None or letter.id in value.copies:
            return
        value.copies.add(letter.id)
        if len(value.copies) > value.allowed:
            self.fault(f"{queue} has {len(value.copies)} letters of one value, {sorted(value.copies)}; "
                       f"{value.allowed} would be right")

    def after_crash(self):
        super().after_crash()
        for value in self.all_values():
            value.allowed += not value.confirmed

    def all_values(self):
        return [value for values in self.values.values() for value in values.values()]

    def promised(self, letter):
        """Of those with a value that is so once they were seen. Of the others see `is_missing`."""
        return (letter.value is None or bool(letter.kept or letter.home)) and super().promised(letter)

    def ack(self, queue, letter):
        if letter.value:
            letter.value.taken = True
        return super().ack(queue, letter)

    def look(self, rng):
        """Then publishes again what there has been: nothing comes of it."""
        self.subscribe()
        self.post(self.last_letters(rng))
        self.collect_values()
        again = [(queue, number) for queue, values in self.values.items() for number, value in values.items()
                 if number > self.newest[queue] - self.REMEMBERED * 9 // 10]
        rng.shuffle(again)
        self.post([self.repeat(self.author, rng, queue, number) for queue, number in again[:150]])
        self.post(self.last_letters(rng))
        self.collect_values()
        self.judge()

    def last_letters(self, rng):
        return [self.unnumbered(self.author, rng, queue) for queue in self.targets]

    def collect_values(self):
        self.collect_promised()
        self.collect(lambda: not any(map(self.is_missing, self.all_values())))

    def is_missing(self, value):
        """Somebody was told that it is there, nobody took it, and it is not."""
        return value.confirmed and not value.taken and not any(letter.id in self.found for letter in value.letters)

    def judge(self):
        super().judge()
        for value in filter(self.is_missing, self.all_values()):
            self.fault(f"a value is lost, or has not come: one of {[letter.id for letter in value.letters]}")

    def settle(self, rng):
        super().settle(rng)
        for value in self.all_values():
            stayed = [letter for letter in value.letters if letter.id in self.letters]
            value.taken |= any(letter.id in self.found for letter in value.letters if letter not in stayed)
            value.letters = stayed
        for queue, newest in self.newest.items():
            values = self.values[queue]
            self.values[queue] = {number: values[number] for number in values if number > newest - self.REMEMBERED}


class Ranked(Section):
    """Priorities: all is there, and within a priority in order. (What is where is only known some time after a
    restart, so a message may overtake until then that must not later.)"""

    HIGHEST = 5
    targets = {"ranked": {"x-max-priority": HIGHEST}}
    ghosts = False

    def begin(self):
        super().begin()
        self.newest = {}                 # author and priority -> the last number that came

    def write(self, author, rng):
        priority = rng.choice((None, 0, 1, 2, 3, 5, 7))
        properties = {} if priority is None else {"priority": priority}
        return self.letter(author, "", "ranked", a_size(rng), properties, priority=priority)

    def arrives(self, queue, letter, delivery):
        priority = delivery.properties.get("priority")
        if priority != letter.priority:
            self.fault(f"{letter.id} came back with priority {priority}; it had {letter.priority}")
        rank = letter.author, min(self.HIGHEST, letter.priority or 0)
        if letter.number <= self.newest.get(rank, 0):
            self.fault(f"{letter.id} with priority {priority} came after number {self.newest[rank]}")
        self.newest[rank] = letter.number
