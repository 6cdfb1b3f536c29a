"""The script that counts signals, forks, kills and memory, on small counts: none is lost, hangs or leaves anything."""

import os
import re
import subprocess
import sys

import pytest

pytest.importorskip("llvmlite")
from tests.process import ROOT

SCRIPT = os.path.join(ROOT, "tests", "benchmarks", "soak.py")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals, forks and kills as of Unix")
@pytest.mark.parametrize(
    ("part", "count", "pattern"),
    [
        ("signals --calls batch", 60, r"^0 of [56]\d signals lost, wrong or fatal \(\d+ came before the end of a call\)$"),
        ("signals --calls checkpoint", 30, r"^0 of [23]\d signals lost, wrong or fatal \(\d+ came before the end of a call\)$"),
        ("forks", 5, r"^0 of 5 forks hung or wrong$"),
        ("kills", 2, r"^\d+ kills in (\d+) runs, (\1) of \1 to the same bytes, 0 temporary files left$"),
    ],
)
def test_the_promises_hold_for_a_while(part, count, pattern):
    command = [sys.executable, SCRIPT, *part.split(), "--count", str(count)]
    environment = {**os.environ, "PYTHONPATH": ROOT}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT, env=environment)
    assert re.search(pattern, done.stdout, re.MULTILINE), done.stdout + done.stderr
