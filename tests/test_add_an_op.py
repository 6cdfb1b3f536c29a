"""An op is added in one place: the script that adds two, run."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from tests import add_an_op


@pytest.mark.skipif(
    not importlib.util.find_spec("mpmath"), reason="the truth is worked out with mpmath: install the extra 'test'"
)
def test_two_rows_in_one_file_are_all_it_takes() -> None:
    done = subprocess.run([sys.executable, add_an_op.__file__], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    asked = [f"{name}: {ask.__name__.replace('_', ' ')}" for name in add_an_op.POINTS for ask in add_an_op.ASKED]
    assert [line for line in done.stdout.splitlines() if line in asked] == asked


def test_a_backend_that_nobody_runs_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(add_an_op.RUNS, "js")
    with pytest.raises(AssertionError, match=r"say here how a program is run by \{'js'\}"):
        add_an_op.every_backend(None)
