"""An ext4 filesystem on a disk whose power can be cut (`fuse_disk.py`, a loop device, ext4)."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

SIZE = "4G"                                        # few of it are ever written
DISK = Path(__file__).with_name("fuse_disk.py")


class NotPermitted(Exception):
    """This machine does not let us mount, or lacks what for."""


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise NotPermitted(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.returncode}")
    return done.stdout.strip()


class PowerDisk:
    """Mounted at `.files` while it is on."""

    def __init__(self, dir):
        self.image, self.after = dir / "disk.img", dir / "cut.img"
        self.block, self.files = dir / "disk", dir / "files"
        self.server = self.loop = None
        if os.geteuid() != 0:
            raise NotPermitted("mounting needs root")
        if not os.access("/dev/fuse", os.R_OK | os.W_OK):
            raise NotPermitted("there is no /dev/fuse")
        self.block.touch()
        self.files.mkdir()
        run("truncate", "-s", SIZE, self.image)
        run("mkfs.ext4", "-q", "-F", "-N", "4096", "-J", "size=16", "-E", "lazy_itable_init=0,lazy_journal_init=0",
            self.image)
        try:
            self.on()
        except BaseException:
            self.off()
            raise

    def on(self):
        self.server = subprocess.Popen([sys.executable, DISK, self.image, self.block], text=True,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       start_new_session=True)
        if self.server.stdout.readline() != "mounted\n":
            raise NotPermitted(" ".join(self.server.stderr.read().split()))
        self.loop = run("losetup", "--find", "--show", self.block)
        run("mount", "-t", "ext4", "-o", "data=ordered", self.loop, self.files)

    def cut(self, seed):
        """Cuts the power: from now on nothing written lasts. `restart` shows what has lasted."""
        self.server.stdin.write(json.dumps({"cut": str(self.after), "seed": seed}) + "\n")
        self.server.stdin.flush()
        return json.loads(self.server.stdout.readline())

    def restart(self, keep=None):
        """Turns the power on again after a cut; nobody may have files open."""
        self.off()
        os.replace(self.after, self.image)
        if keep:
            run("cp", "--sparse=always", self.image, keep)
        self.on()

    def off(self):
        """Unmounts everything that is mounted."""
        if os.path.ismount(self.files):
            self._patiently("umount", self.files)
        if self.loop:
            self._patiently("losetup", "--detach", self.loop)
            self.loop = None
        if self.server:
            if os.path.ismount(self.block):
                self._patiently("umount", self.block)
            self.server.stdin.close()
            self.server.wait(10)
            self.server = None

    def _patiently(self, *command):
        """The kernel may hold on for a moment to what a killed process had open."""
        deadline = time.monotonic() + 10
        while True:
            try:
                return run(*command)
            except NotPermitted:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
