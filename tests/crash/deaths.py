"""Queues in which messages die: of age, by a consumer's word, for want of room."""

import time

from letters import EARLY, EXCHANGE, PATIENCE, Section


def dying(target, **arguments):
    """A queue's arguments: its dead letters go to a target."""
    arguments = {name.replace("_", "-"): value for name, value in arguments.items()}
    return {"x-dead-letter-exchange": EXCHANGE, "x-dead-letter-routing-key": target, **arguments}


def a_size(rng):
    return rng.choice((0, 10, 100, 3000))


class Mortal(Section):
    """Messages that expire, by the queue's word or their own: each of them becomes a dead letter, once."""

    TTL = {"mortal.quick": 60, "mortal.slow": 250, "mortal": None}
    sources = {"mortal.quick": dying("dead", x_message_ttl=60), "mortal.slow": dying("dead", x_message_ttl=250),
               "mortal": dying("dead")}
    targets = {"dead": {}}
    reason = "expired"

    def write(self, author, rng, queue=None):
        queue = queue or rng.choice(list(self.sources))
        limit = self.TTL[queue]
        own = None if limit and rng.random() < 0.7 else rng.randrange(300)
        properties = {} if own is None else {"expiration": str(own)}
        lifetime = min(each for each in (limit, own) if each is not None)
        return self.letter(author, "", queue, a_size(rng), properties, lifetime=lifetime)

    def reads(self, rng):
        return super().reads(rng) + (["mortal.slow"] if rng.random() < 0.3 else [])

    def arrives(self, queue, letter, delivery):
        age = (time.monotonic() - letter.sent + EARLY) * 1000
        if queue in self.targets and age < letter.lifetime:
            self.fault(f"{letter.id} died after {age:.0f} ms; it had {letter.lifetime}")

    def last_letters(self, rng):
        return [self.write(self.author, rng, queue) for queue in self.sources]

    def subscribe(self):
        super().subscribe(self.targets)

    def judge(self):
        super().judge()
        for queue in self.sources:
            if left := self.count(queue):
                self.fault(f"{queue} still has {left}")


class Careful(Mortal):
    """The same, at least once: also while the target is full, and the queue then refuses what is published."""

    TTL = {"careful": 100}
    ROOM = 60
    sources = {"careful": dying("cared", x_message_ttl=100, x_max_length=80, x_queue_type="quorum",
                                x_overflow="reject-publish", x_dead_letter_strategy="at-least-once")}
    targets = {"cared": {"x-max-length": ROOM, "x-overflow": "reject-publish"}}
    may_refuse = True
    keeps = (0.0, 0.0, 0.1)                        # of the target's room something has to be left

    def reads(self, rng):
        return list(self.targets) if rng.random() < 0.75 else []

    def post(self, letters):
        """Until they are taken: that may need some room first, and letters that come make it."""
        deadline = time.monotonic() + PATIENCE
        super().post(letters)
        while refused := [letter for letter, _ in letters if letter.refused]:
            if time.monotonic() > deadline:
                return self.fault(f"{refused[0].id} is still refused after {PATIENCE} s")
            for event in self.connection.events(0.1):
                self.take(event)
            letters = [self.write(self.author, self.rng, letter.queue) for letter in refused]
            super().post(letters)


class Judged(Section):
    """Messages that consumers reject: a rejected one is in one of two queues; any other stays where it was."""

    sources = {"judged": dying("condemned")}
    targets = {"condemned": {}}
    reason = "rejected"
    ghosts = False

    def write(self, author, rng):
        return self.letter(author, "", "judged", a_size(rng))

    def reads(self, rng):
        return ["judged", *super().reads(rng)]

    def answer(self, queue, letter, rng):
        dice = rng.random()
        if queue != "judged" or dice < 0.2:
            return super().answer(queue, letter, rng)
        if dice < 0.3:
            return None
        letter.held = letter.settled = None
        letter.note("nack" if dice < 0.4 else "reject")
        if dice < 0.4:
            return "basic.nack", {"requeue": True}
        letter.rejected = True
        return rng.choice(("basic.nack", "basic.reject")), {}

    def arrives(self, queue, letter, delivery):
        if queue in self.targets and not letter.rejected and letter.home is None:
            self.fault(f"{letter.id} is in {queue}; nobody rejected it")

    def look(self, rng):
        """Then rejects a part of what there is."""
        super().look(rng)
        rejected = [id for id, places in self.found.items() if "judged" in places and rng.random() < 0.5]
        for id in rejected:
            self.letters[id].rejected = True
            self.connection.method("basic.reject", delivery_tag=self.found.pop(id)["judged"])
        self.awaited |= set(rejected)
        self.collect(lambda: not self.awaited)
        self.judge()


class Short(Section):
    """A queue with little room: what is pushed out is a dead letter; each message is here or there."""

    ROOM = 10
    # No routing key: dead letters keep their own, by which `dropped` is bound, too.
    sources = {"short": {"x-dead-letter-exchange": EXCHANGE, "x-max-length": ROOM}}
    targets = {"dropped": {}}
    reason = "maxlen"

    def declare(self, connection):
        super().declare(connection)
        connection.call("queue.bind", queue="dropped", exchange=EXCHANGE, routing_key="short")

    def write(self, author, rng):
        return self.letter(author, "", "short", a_size(rng))

    def reads(self, rng):
        self.alone = rng.random() < 0.5
        return super().reads(rng) + ([] if self.alone else ["short"])

    def look(self, rng):
        # Nothing that is held counts, so it is asked before anybody consumes.
        self.subscribe(self.targets)
        self.post(self.last_letters(rng))
        # What has to go may have to be read first, after a restart.
        if not self.collect(lambda: self.count("short") <= self.ROOM):
            self.fault(f"short still has {self.count('short')}; it has room for {self.ROOM}")
        self.connection.call("basic.consume", queue="short", consumer_tag="short")
        self.collect_promised()
        self.judge()

    def judge(self):
        """It is the oldest that had to go, if nobody had taken one."""
        super().judge()
        if not self.alone:
            return
        authors = {letter.author for letter in self.letters.values()}
        for author in (author for author in authors if author.startswith(f"{self.round}.")):
            letters = [letter for letter in self.letters.values() if letter.author == author]
            stayed = [letter.number for letter in letters if "short" in self.found.get(letter.id, {})]
            went = [letter.number for letter in letters if "dropped" in self.found.get(letter.id, {})]
            if stayed and went and min(stayed) < max(went):
                self.fault(f"{author}:{max(went)} was dropped from short, {author}:{min(stayed)} was not")
