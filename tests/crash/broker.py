"""The broker under test."""

import os
import re
import signal
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
        environment = {**os.environ, **settings, "NO_COLOR": "1"}
        command = [binary, "--data-dir", data, "--bind", "127.0.0.1", "--amqp-port", "0", "--http-port", "0"]
        with open(log, "ab") as errors:
            self.process = subprocess.Popen(command, stderr=errors, stdin=subprocess.DEVNULL, cwd=log.parent,
                                            env=environment)

    def said(self):
        with open(self.log, "rb") as log:
            log.seek(self.seen)
            return log.read().decode("utf-8", "replace")

    def port(self):
        """Waits until it is ready. Returns its port."""
        deadline = self.began + PATIENCE
        while not (ready := READY.search(self.said())):
            if self.process.poll() is not None:
                raise Broken(f"the broker ended with {self.process.returncode} at its start: {self.last_words()}")
            if time.monotonic() > deadline:
                raise Broken(f"the broker was not ready after {PATIENCE} s: {self.last_words()}")
            time.sleep(0.002)
        self.took = time.monotonic() - self.began
        return int(ready[1])

    def last_words(self):
        return self.said().strip()[-600:]

    def trouble(self):
        """Lines of its log that should not be there."""
        return [line for line in self.said().splitlines() if " ERROR " in line or "panicked" in line]

    def alive(self):
        return self.process.poll() is None

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
