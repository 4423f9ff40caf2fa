"""The broker under test."""

import os
import re
import select
import signal
import socket
import subprocess
import time

READY = re.compile(r"Warren is ready amqp=127\.0\.0\.1:(\d+)")
PATIENCE = 60


class Broken(Exception):
    """The broker did not do what it must."""


class Broker:
    """A running `warren`."""

    def __init__(self, binary, data, log, settings):
        self.log = log
        self.began = time.monotonic()
        self.seen = log.stat().st_size if log.exists() else 0
        # As a service manager does, it is told when the broker is ready.
        told = log.with_suffix(".notify")
        told.unlink(missing_ok=True)
        self.told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.told.bind(str(told))
        environment = {**os.environ, **settings, "NO_COLOR": "1", "NOTIFY_SOCKET": str(told)}
        command = [binary, "--data-dir", data, "--bind", "127.0.0.1", "--amqp-port", "0", "--http-port", "0"]
        with open(log, "ab") as errors:
            self.process = subprocess.Popen(command, stderr=errors, stdin=subprocess.DEVNULL, cwd=log.parent,
                                            env=environment)
        self.end = os.pidfd_open(self.process.pid)

    def __del__(self):
        self.told.close()
        os.close(self.end)

    def said(self):
        with open(self.log, "rb") as log:
            log.seek(self.seen)
            return log.read().decode("utf-8", "replace")

    def port(self):
        """Waits until it is ready. Returns its port."""
        while not (ready := READY.search(self.said())):
            happened, _, _ = select.select([self.told, self.end], [], [], PATIENCE)
            if self.end in happened:
                raise Broken(f"the broker ended with {self.process.wait()} at its start: {self.last_words()}")
            if not happened:
                raise Broken(f"the broker was not ready after {PATIENCE} s: {self.last_words()}")
            self.told.recv(4096)
        self.took = time.monotonic() - self.began
        return int(ready[1])

    def last_words(self):
        return self.said().strip()[-600:]

    def trouble(self):
        """Lines of its log that should not be there."""
        return [line for line in self.said().splitlines() if " ERROR " in line or "panicked" in line]

    def ends_within(self, seconds):
        """Waits for its end, at most so long. Returns whether it has come."""
        return bool(select.select([self.end], [], [], seconds)[0])

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Asks it to stop."""
        self.process.send_signal(signal.SIGTERM)
        try:
            if self.process.wait(20):
                raise Broken(f"the broker was stopped and ended with {self.process.returncode}: {self.last_words()}")
        except subprocess.TimeoutExpired:
            raise Broken("the broker did not stop within 20 s") from None
