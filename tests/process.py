"""A program run in an interpreter of its own."""

import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run(program, *args, timeout=300, **environment):
    """What `program` prints; it must end well, and warnings are errors in it."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *args], cwd=ROOT,
        capture_output=True, text=True, timeout=timeout, check=False, env={**os.environ, "PYTHONPATH": ROOT, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
