"""The fuzzer's entries, on a few hundred inputs; for a minute each where HYPOTHESIS_PROFILE is `long`."""

import os

import pytest

from tests.fuzz import json_readers, loop, parser, tables

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"


@pytest.mark.parametrize("entry", [parser, json_readers, tables], ids=lambda entry: entry.__name__.rpartition(".")[2])
def test_no_input_is_more_than_refused(entry):
    options = {"seconds": 60.0, "seed": os.getpid()} if LONG else {"count": 300}
    assert loop.run(entry.TestOneInput, entry.SEEDS, **options) >= len(entry.SEEDS)


def test_a_fault_is_told_with_its_input():
    def entry(data):
        if b"\xff" in data:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        loop.run(entry, [b"x,y"], count=10_000)
    assert "the input was b" in caught.value.__notes__[0]
