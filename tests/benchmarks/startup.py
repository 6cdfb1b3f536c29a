"""What it takes to begin, in milliseconds of the processor, the fastest of nine: `python tests/benchmarks/startup.py`."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GOALS = {"import autograd_lite": 40, "autograd-lite grad": 120, "autograd-lite --help": 150}
PROGRAMS = {
    "python -c pass": ["-c", "pass"],
    "import autograd_lite": ["-c", "import autograd_lite"],
    "import click": ["-c", "import click"],
    "autograd-lite grad": ["-m", "autograd_lite", "grad", "x**2 + sin(x)", "x=3"],
    "autograd-lite --help": ["-m", "autograd_lite", "--help"],
    "autograd-lite --version": ["-m", "autograd_lite", "--version"],
}


def milliseconds(arguments: list[str], bytecode: str) -> float:
    """Of user time, which other programs on the machine stretch least; with the bytecode that an earlier run has left."""
    environment = {name: x for name, x in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": bytecode}
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, check=False)
    return 1e3 * (resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for name, arguments in PROGRAMS.items():
            goal = f"   goal {GOALS[name]}" if name in GOALS else ""
            print(f"{name:46}{min(milliseconds(arguments, folder) for _ in range(9)):6.0f} ms{goal}")
