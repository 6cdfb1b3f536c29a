"""What it takes to begin, in milliseconds of the processor, the fastest of nine: `python tests/benchmarks/startup.py`."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GOALS = {"import autograd_lite": 40, "autograd-lite grad": 120, "autograd-lite --help": 150}
PROGRAMS = {
    "python -c pass": ["-c", "pass"],
    "import autograd_lite": ["-c", "import autograd_lite"],
    "import typer, and what it reads options with": ["-c", "import typer, typer.main, typer._adapters"],
    "import rich, for tables": ["-c", "import rich.console, rich.table, rich.text"],
    "autograd-lite grad": ["-m", "autograd_lite", "grad", "x**2 + sin(x)", "x=3"],
    "autograd-lite --help": ["-m", "autograd_lite", "--help"],
    "autograd-lite --version": ["-m", "autograd_lite", "--version"],
}


def milliseconds(arguments: list[str]) -> float:
    """Of user time, which other programs on the machine stretch least."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run([sys.executable, *arguments], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=False)
    return 1e3 * (resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)


if __name__ == "__main__":
    for name, arguments in PROGRAMS.items():
        goal = f"   goal {GOALS[name]}" if name in GOALS else ""
        print(f"{name:46}{min(milliseconds(arguments) for _ in range(9)):6.0f} ms{goal}")
