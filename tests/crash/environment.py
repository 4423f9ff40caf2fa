"""Sees to it that pika is there: it starts again with the Python that tests/clients/run installs."""

import os
import sys
from pathlib import Path

sys.dont_write_bytecode = True

try:
    import pika  # noqa: F401
except ImportError:
    python = Path(os.environ.get("WARREN_TEST_ENV", "/var/tmp/warren-test-env")) / "python/bin/python"
    if not os.access(python, os.X_OK) or Path(sys.executable) == python:
        sys.exit(f"pika is not there; tests/clients/run installs it in {python.parent.parent}")
    os.execv(python, [python, *sys.argv])
