#!/usr/bin/env python3
"""Cuts the power under load, and looks whether everything promised has reached the disk."""

import sys
import tempfile
from pathlib import Path

import environment  # noqa: F401  (first: it brings pika)
import rounds
from power_disk import NotPermitted, PowerDisk


class PoweredOff(rounds.World):
    modes = ("confirm", "confirm", "always")

    def __init__(self, options, dir):
        super().__init__(options, dir)
        self.disk = PowerDisk(dir)
        self.data = self.disk.files / "data"

    def durability(self, rng):
        return rng.choice(self.modes)

    def die(self, rng):
        self.journal.freeze()
        lost = self.disk.cut(rng.getrandbits(32))
        self.journal.ended.set()
        self.broker.kill()
        return f"power cut, {lost['lost']} of {lost['unflushed']} unflushed sectors lost"

    def save(self):
        self.disk.restart(keep=self.dir / "crashed.img")

    def close(self):
        super().close()
        self.disk.off()


class Forgetful(PoweredOff):
    """In a mode that promises nothing about power cuts."""

    modes = ("os",)


def main():
    parser = rounds.arguments(__doc__)
    parser.add_argument("--prove", action="store_true", help="show that the test can fail: durability = os must")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(dir=options.dir) as dir:
            PowerDisk(Path(dir)).off()
    except NotPermitted as reason:
        print(f"power cuts cannot be played here: {reason}")
        print("0 passed, 0 failed, 1 skipped")
        return
    passed, failed = rounds.run(Forgetful if options.prove else PoweredOff, options)
    if options.prove:
        print(f"without a sync {failed} of {passed + failed} rounds failed, as they should")
        passed, failed = int(failed > 0), int(failed == 0)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
