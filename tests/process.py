"""A program run in an interpreter of its own, and a file as a module."""

import importlib.util
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def loaded(path):
    """The module of a file, fresh; what belongs to its main() has not run."""
    spec = importlib.util.spec_from_file_location(os.path.splitext(os.path.basename(path))[0], path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(program, *args, timeout=300, **environment):
    """What `program` prints; it must end well, and warnings are errors in it."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *args], cwd=ROOT,
        capture_output=True, text=True, timeout=timeout, check=False, env={**os.environ, "PYTHONPATH": ROOT, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
