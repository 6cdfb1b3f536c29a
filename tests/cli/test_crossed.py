"""Two options of `fit` at a time: the right answer, or an error that says which of them does not go with what."""

import pytest

from tests.cli.crossed import Job, pairs

SOME = list(pairs())[::15]


@pytest.mark.parametrize("pair", SOME, ids=" + ".join)
def test_two_options_together(pair, tmp_path, monkeypatch):
    pytest.importorskip("scipy", reason="SciPy minimises for comparison")
    monkeypatch.chdir(tmp_path)
    assert Job(*pair).check()
