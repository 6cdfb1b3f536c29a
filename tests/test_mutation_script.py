"""The mutation script does what it says: a fault is noticed, no fault is not, in the table and in the engine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "tests" / "benchmarks" / "mutation.py"

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the script forks")


def run(*args: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *args], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_a_fault_in_a_rule_is_noticed() -> None:
    status, printed = run("--only", "relu: slope 1 at 0")
    assert "test_conventions.py::test_conventions[relu(0)-by_backward]" in printed
    assert "1 of 1 mutations noticed" in printed
    assert status == 0


@pytest.mark.parametrize("kind", ["no-op", "no-op in the engine"])
def test_no_fault_survives(kind: str) -> None:
    status, printed = run("--only", kind)
    assert f"SURVIVED  {kind}" in printed
    assert "0 of 1 mutations noticed" in printed
    assert status == 1


def test_a_fault_in_the_engine_is_noticed() -> None:
    status, printed = run("--only", "steps.py: sums start over")
    assert "test_steps.py::test_" in printed
    assert status == 0


def test_every_line_that_it_breaks_is_there() -> None:
    """As text: that the tests notice each is the script's own work, of hours."""
    source = "import sys; sys.path.insert(0, '.'); from pathlib import Path; from tests.benchmarks import mutation as m"
    stale = "[x.name for x in m.ENGINE if m.patch(Path(x.file).read_text(encoding='utf-8'), x.old, x.new) is None]"
    done = subprocess.run(
        [sys.executable, "-c", f"{source}; print({stale})"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
