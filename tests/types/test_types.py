"""What mypy and pyright know of a user's code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

USER = Path(__file__).with_name("user.py")
ROOT = USER.parents[2]
LINES = USER.read_text(encoding="utf-8").splitlines()
REVEALED = {n: line.rpartition("  # ")[2] for n, line in enumerate(LINES, 1) if line.startswith("reveal_type(")}
WRONG = {n for n, line in enumerate(LINES, 1) if line.endswith("  # error")}


def same_type(text: str) -> str:
    """A type as both checkers and a reader write it: without modules, in one notation."""
    text = re.sub(r"\b(?:builtins|typing|autograd_lite(?:\.\w+)*)\.", "", text).replace("*", "")
    text = re.sub(r"^def (.*)$", r"\1", text)
    text = re.sub(r"Union\[(.*)\]", lambda m: m[1].replace(", ", " | "), text)
    return re.sub(r"= ?(?:2\.0|2|\.\.\.)?(?=[,)])", "=", text).replace(" =", "=")


def run(*command: str) -> str:
    """What a checker prints of the user's file."""
    done = subprocess.run([sys.executable, "-m", *command, str(USER)], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_mypy() -> None:
    pytest.importorskip("mypy", reason="mypy is only in the extra 'check'")
    printed = run("mypy", "--strict", "--no-error-summary", "--hide-error-context")
    notes = {int(n): t for n, t in re.findall(r':(\d+): note: Revealed type is "(.*)"', printed)}
    assert {n: same_type(t) for n, t in notes.items()} == {n: same_type(t) for n, t in REVEALED.items()}
    assert {int(n) for n in re.findall(r"user\.py:(\d+): error", printed)} == WRONG, printed


def test_pyright() -> None:
    pytest.importorskip("pyright", reason="pyright is only in the extra 'check'")
    printed = run("pyright", "--pythonpath", sys.executable)
    if "failed to" in printed.lower() or "No module" in printed:
        pytest.skip("pyright's own runtime cannot be had here")
    notes = {int(n): t for n, t in re.findall(r':(\d+):\d+ - information: Type of ".*" is "(.*)"', printed)}
    assert {n: same_type(t) for n, t in notes.items()} == {n: same_type(t) for n, t in REVEALED.items()}
    assert {int(n) for n in re.findall(r":(\d+):\d+ - error", printed)} == WRONG, printed
