"""Rounds of load, crash, restart and verification, on one data directory after the other.

A `World` is a data directory and a way to crash; `kill.py` and `powercut.py` each have one. A
round that fails keeps its world for inspection, and the next one begins with an empty one; so it
does after `LIFE` rounds.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import stage
from afterlife import Afterlife
from amqp import Connection
from broker import Broken, Broker
from churn import Churn
from consumers import Batching, Consumer, Hoarding, Moody, Polling
from journal import Journal, watched
from publishers import Careless, Mover, Pika, Transactional, Windowed
from verify import verify

ROOT = Path(__file__).resolve().parents[2]
SHOWN = 5                                          # faults of a round
LIFE = 30                                          # rounds on one data directory


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32),
                        help="what is drawn at random follows from it, but for the timing")
    parser.add_argument("--binary", type=lambda path: Path(path).resolve(), default=ROOT / "target/release/warren")
    parser.add_argument("--dir", type=Path, default=roomy(), help="where to work")
    return parser


def roomy():
    """Memory, where there is enough of it: nothing here needs a real disk."""
    shared = Path("/dev/shm")
    return shared if shared.is_dir() and shutil.disk_usage(shared).free > 4 << 30 else Path(tempfile.gettempdir())


class World:
    """A data directory, what is known of it, and the broker on it."""

    def __init__(self, options, dir):
        self.options, self.dir = options, dir
        dir.mkdir(parents=True)
        self.journal = Journal()
        self.afterlife = Afterlife(self.journal)
        self.broker, self.rounds, self.catalog = None, 0, None
        self.data = dir / "data"

    def durability(self, rng):
        """Any mode that survives the crash."""
        raise NotImplementedError

    def die(self, rng):
        """Ends the broker at once, and says how."""
        raise NotImplementedError

    def crash(self, rng):
        """Ends the broker while clients are busy, and says how."""
        return self.die(rng)

    def save(self):
        """Keeps what the crash left as it is, for inspection."""
        raise NotImplementedError

    def close(self):
        if self.broker:
            self.broker.kill()

    def discard(self):
        self.close()
        shutil.rmtree(self.dir)

    def start(self, rng):
        """Starts the broker. Small windows make it read back from disk what large ones keep in memory; small files
        of the log make it move messages to segments all the time."""
        durability, window = self.durability(rng), rng.choice(("10000", "30", "1"))
        self.catalog = self.catalog or rng.choice(("sled", "sled", "redb"))
        files, size = rng.choice(((4, 8), (4, 1), (1, 1)))
        settings = {"WARREN_DATA_DURABILITY": durability, "WARREN_LIMITS_QUEUE_WINDOW": window,
                    "WARREN_DATA_CATALOG": self.catalog, "WARREN_DATA_LOG_FILES": str(files),
                    "WARREN_DATA_LOG_FILE": str(size << 20)}
        self.mode = f"{durability}, window {window}, {files} files of {size} MiB, {self.catalog}"
        self.broker = Broker(self.options.binary, self.data, self.dir / "broker.log", settings)

    def crash_while_it_starts(self, rng):
        self.start(rng)
        self.broker.ends_within(rng.choice((rng.random() * 0.02, rng.random() * 0.2)))
        self.die(rng)
        self.save()


def clients(journal, rng, port, round):
    """Who is busy this time. Every one draws from a generator of its own."""
    def own():
        return random.Random(rng.getrandbits(64))

    kinds = [Windowed, Windowed, Pika, Transactional, Mover, Churn]
    kinds += [kind for kind in (Windowed, Careless) if rng.random() < 0.5]
    publishers = [kind(journal, own(), port, f"r{round}.{n}") for n, kind in enumerate(kinds)]
    consumers = [(Consumer, "work"), (Batching, "batch"), (Moody, "moody"), (Polling, "polled")]
    consumers += [each for each in ((Consumer, "work"), (Hoarding, "moody"), (Hoarding, "slow"), (Batching, "slow"))
                  if rng.random() < 0.3]
    return publishers + [kind(journal, own(), port, queue) for kind, queue in consumers]


def play(world, rng, round):
    """One round. Returns a line about it; what is wrong is in the journal."""
    journal = world.journal
    if world.broker is None:
        world.start(rng)
        with Connection(world.broker.port()) as connection:
            stage.set_up(connection)
            world.afterlife.set_up(connection)
    port = world.broker.port()
    busy = [threading.Thread(target=watched, args=(journal, each), daemon=True)
            for each in clients(journal, rng, port, round) + world.afterlife.clients(rng, port, round)]
    for thread in busy:
        thread.start()
    load = rng.choice((rng.uniform(0.05, 0.4), rng.uniform(0.4, 1.3)))
    if world.broker.ends_within(load):
        raise Broken(f"the broker ended by itself: {world.broker.last_words()}")
    mode, how = world.mode, world.crash(rng)
    for thread in busy:
        thread.join(30)
        if thread.is_alive():
            raise Broken("a client does not see that the broker is gone")
    journal.faults += world.broker.trouble()
    world.save()
    if rng.random() < 0.25:
        world.crash_while_it_starts(rng)
        how += ", again at start"
    counts = journal.counts
    world.start(rng)
    port = world.broker.port()
    with ThreadPoolExecutor(1) as aside:
        own = random.Random(rng.getrandbits(64))
        looking = aside.submit(world.afterlife.verify, port, own, round, journal.stopped)
        tally, found = verify(journal, port, rng)
        letters = looking.result()
    if journal.faults:
        journal.dump(world.dir / "journal.json", found, world.afterlife.story())
    did = ", ".join(f"{count} {what}" for what, count in counts.items())
    return (f"{load:.2f} s ({mode}), {how}: {did}; back after {world.broker.took * 1000:.0f} ms: "
            f"{tally.there} there, {tally.acked_but_back} acked ones among them, "
            f"{tally.unconfirmed_but_there} unconfirmed ones; {letters.there} letters of {letters.promised} promised, "
            f"seen to in {letters.took:.2f} s"), Counter(counts, letters=letters.there) + Counter(tally._asdict())


def run(make_world, options):
    """All rounds. Returns how many passed and failed."""
    if not os.access(options.binary, os.X_OK):
        sys.exit(f"{options.binary} is not there; cargo build --release")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("asked to end"))
    rng = random.Random(options.seed)
    base = Path(tempfile.mkdtemp(prefix="warren-crash-", dir=options.dir))
    print(f"seed {options.seed}, {options.binary}, in {base}", flush=True)
    world, passed, failed, totals = None, 0, 0, Counter()
    try:
        for round in range(1, options.rounds + 1):
            drawn = random.Random(rng.getrandbits(64))
            if world and world.rounds == LIFE:
                world.discard()
                world = None
            world = world or make_world(options, base / str(round))
            world.rounds += 1
            try:
                line, counts = play(world, drawn, round)
                totals += counts
            except Exception as error:  # whatever goes wrong with one round, the others are played
                line = f"{type(error).__name__}: {error}"
                world.journal.fault(line)
                world.journal.dump(world.dir / "journal.json", {}, world.afterlife.story())
            faults = world.journal.faults
            print(f"round {round} {'FAILED' if faults else 'ok'}: {line}", flush=True)
            if not faults:
                passed += 1
                continue
            failed += 1
            for fault in faults[:SHOWN]:
                print(f"    {fault}")
            print(f"    {len(faults)} faults; see {world.dir}", flush=True)
            world.close()
            world = None
    finally:
        if world:
            world.discard()
        if not failed:
            shutil.rmtree(base)
    print("in all: " + ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in totals.items()))
    return passed, failed
