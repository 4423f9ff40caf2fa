#!/usr/bin/env python3
"""Kills the broker with signal 9 under load, and looks whether everything promised is still there."""

import shutil
import sys

import environment  # noqa: F401  (first: it brings pika)
import rounds


class Killed(rounds.World):
    def durability(self, rng):
        return rng.choice(("confirm", "confirm", "always", "os"))

    def die(self, rng):
        self.journal.ended.set()
        self.broker.kill()
        return "killed"

    def crash(self, rng):
        """Now and then it is asked to stop, and nothing at all may be lost."""
        if rng.random() >= 0.1:
            return self.die(rng)
        self.journal.ended.set()
        self.broker.stop()
        self.journal.all_lasted()
        return "stopped"

    def save(self):
        shutil.rmtree(self.dir / "crashed", ignore_errors=True)
        shutil.copytree(self.data, self.dir / "crashed")


def main():
    options = rounds.arguments(__doc__).parse_args()
    passed, failed = rounds.run(Killed, options)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
