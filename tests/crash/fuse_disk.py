"""A disk with a volatile write cache, whose power can be cut: `fuse_disk.py IMAGE MOUNT`.

The file MOUNT, over which this mounts itself by FUSE, reads and writes IMAGE; a loop device on it
is the disk. As on real disks, what was written since the last flush may be lost, in any part and
order. It is a process of its own because a filesystem waits for it: whoever writes to that
filesystem must not be the one who serves it.

A line on standard input, {"cut": PATH, "seed": N}, has it write to PATH what a power cut leaves,
and answer with what was lost. That happens between two requests of the disk: PATH is the disk at
one instant. The requests are those of linux/fuse.h, version 7.31.
"""

import errno
import json
import os
import random
import select
import struct
import subprocess
import sys
from enum import IntEnum

SECTOR = 512
LARGEST_WRITE = 1 << 20
HEADER = struct.Struct("<IIQQIIIHH")               # length, opcode, unique, node, …
ANSWER = struct.Struct("<IiQ")                     # length, error, unique
ROOT_MODE = 0o100600                               # the mount is one regular file
KEEP_CACHE = 2
ASYNC_READ, BIG_WRITES, MAX_PAGES = 1 << 0, 1 << 5, 1 << 22


class Op(IntEnum):
    FORGET, GETATTR, SETATTR = 2, 3, 4
    OPEN, READ, WRITE, STATFS, RELEASE = 14, 15, 16, 17, 18
    FSYNC, FLUSH, INIT = 20, 25, 26
    INTERRUPT, DESTROY, BATCH_FORGET, FALLOCATE = 36, 38, 42, 43


UNANSWERED = (Op.FORGET, Op.BATCH_FORGET, Op.INTERRUPT)


class Disk:
    """The image as it is now, and how to take back what was not flushed."""

    def __init__(self, path):
        self.path = path
        self.file = os.open(path, os.O_RDWR)
        self.size = os.fstat(self.file).st_size
        self.cache = []                            # of (offset, before, after), in order

    def read(self, offset, size):
        return os.pread(self.file, size, offset)

    def write(self, offset, data):
        self.cache.append((offset, os.pread(self.file, len(data), offset), data))
        os.pwrite(self.file, data, offset)

    def flush(self):
        self.cache.clear()

    def cut(self, path, seed):
        """Leaves, of each sector that was written and not flushed, the old content or the new."""
        rng = random.Random(seed)
        survives = rng.choice((0.0, 1.0, rng.random()))
        subprocess.run(["cp", "--sparse=always", self.path, path], check=True)
        image = os.open(path, os.O_RDWR)
        for offset, before, _ in reversed(self.cache):
            os.pwrite(image, before, offset)
        unflushed, lost = 0, 0
        for offset, _, after in self.cache:
            for at in range(0, len(after), SECTOR):
                unflushed += 1
                if rng.random() < survives:
                    os.pwrite(image, after[at:at + SECTOR], offset + at)
                else:
                    lost += 1
        os.close(image)
        return {"unflushed": unflushed, "lost": lost}


class Server:
    """Answers the kernel's requests for the one file there is."""

    def __init__(self, disk, device):
        self.disk, self.device = disk, device
        self.room = bytearray(LARGEST_WRITE + 65536)

    def turn(self):
        """Serves one request. False when it was unmounted."""
        try:
            size = os.readv(self.device, [self.room])
        except OSError as error:
            if error.errno in (errno.EINTR, errno.ENOENT):
                return True                        # a request that was interrupted
            if error.errno == errno.ENODEV:
                return False
            raise
        _, opcode, unique, *_ = HEADER.unpack_from(self.room)
        if opcode in UNANSWERED:
            return True
        try:
            answer, error = self.answer(opcode, memoryview(self.room)[HEADER.size:size]), 0
        except OSError as failure:
            answer, error = b"", -failure.errno
        os.writev(self.device, [ANSWER.pack(ANSWER.size + len(answer), error, unique), answer])
        return True

    def answer(self, opcode, request):
        match opcode:
            case Op.INIT:
                flags = ASYNC_READ | BIG_WRITES | MAX_PAGES
                pages = LARGEST_WRITE >> 12
                return struct.pack("<IIIIHHIIHHI28x", 7, 31, 1 << 20, flags, 16, 12, LARGEST_WRITE, 1, pages, 0, 0)
            case Op.GETATTR | Op.SETATTR:
                return struct.pack("<QII", 3600, 0, 0) + self.attributes()
            case Op.OPEN:
                return struct.pack("<QII", 1, KEEP_CACHE, 0)
            case Op.READ:
                _, offset, size = struct.unpack_from("<QQI", request)
                return self.disk.read(offset, size)
            case Op.WRITE:
                _, offset, size = struct.unpack_from("<QQI", request)
                self.disk.write(offset, bytes(request[40:40 + size]))
                return struct.pack("<II", size, 0)
            case Op.FALLOCATE:                     # the kernel asks for holes where it wants zeros
                _, offset, size = struct.unpack_from("<QQQ", request)
                self.disk.write(offset, bytes(size))
                return b""
            case Op.FSYNC:
                self.disk.flush()
                return b""
            case Op.STATFS:
                return bytes(80)
            case Op.RELEASE | Op.FLUSH | Op.DESTROY:
                return b""
        raise OSError(errno.ENOSYS, "no such request here")

    def attributes(self):
        size, never = self.disk.size, (0,) * 3
        return struct.pack("<6Q10I", 1, size, size // SECTOR, *never, *never, ROOT_MODE, 1, 0, 0, 0, 4096, 0)


def mount(path):
    """Mounts over a file. Returns what the requests come from."""
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode={ROOT_MODE:o},user_id={os.getuid()},group_id={os.getgid()}"
    command = ["mount", "-i", "-t", "fuse", "-o", options, "warren-test-disk", path]
    done = subprocess.run(command, pass_fds=[device], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr.strip())
    return device


def main(image, path):
    disk = Disk(image)
    device = mount(path)
    server = Server(disk, device)
    print("mounted", flush=True)
    sources = [device, sys.stdin]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if device in ready and not server.turn():
            return
        if sys.stdin in ready:
            line = sys.stdin.readline()
            if not line:
                sources.remove(sys.stdin)          # who asked is gone; the mount is still in use
                continue
            order = json.loads(line)
            print(json.dumps(disk.cut(order["cut"], order["seed"])), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
