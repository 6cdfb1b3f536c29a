"""Memory of results: used again once nobody has the results, never before, and no more of it kept than is said."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pytest

pytest.importorskip("llvmlite", reason="machine code needs llvmlite: install the extra 'jit'")
pytest.importorskip("numpy", reason="columns are NumPy arrays: install the extra 'jit'")

import numpy as np

from autograd_lite import jit
from autograd_lite.compiler.llvm import results

ROWS = 40_000
X = np.arange(float(ROWS))
DOUBLES = np.dtype(float)

pytestmark = pytest.mark.skipif(results.MOST == 0, reason="references cannot be counted without the interpreter's lock")


@pytest.fixture(autouse=True)
def _none_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "_remembered", type(results._remembered)())


HOLDERS: dict[str, Any] = {
    "the results": lambda r: r,
    "one of them": lambda r: r[1],
    "a part of one": lambda r: r[1][3:5],
    "its base": lambda r: r[1].base,
    "a view of it": lambda r: memoryview(r[1])[2:],
    "another array there": lambda r: np.frombuffer(r[1]),
    "an iterator": lambda r: iter(r[1]),
    "another kind": lambda r: r[1].view(np.int64),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_what_somebody_has_is_never_written_to_again(holder: str) -> None:
    twice = jit(lambda x: (x + x, x * x), batch=0)
    given = twice(X)
    address, before = given[0].ctypes.data, [r.copy() for r in given]
    held = HOLDERS[holder](given)
    del given
    others = [twice(-X - k) for k in range(3)]
    assert address not in [other[0].ctypes.data for other in others]
    if holder == "one of them":
        np.testing.assert_array_equal(held, before[1])
    del held
    assert twice(X)[0].ctypes.data == address


def test_memory_that_was_closed_for_writing_is_left_alone() -> None:
    f = jit(lambda x: x - 1.0, batch=0)
    f(X)
    f(X).base.flags.writeable = False
    np.testing.assert_array_equal(f(X), X - 1.0)


def test_results_alternate_between_two_pieces_of_memory() -> None:
    f = jit(lambda x: 3.0 * x, batch=0)
    seen, given = set(), None
    for k in range(6):
        given = f(X + k)
        np.testing.assert_array_equal(given, 3.0 * (X + k))
        seen.add(given.ctypes.data)
    assert len(seen) == 2


def test_threads_never_share_memory_that_is_in_use() -> None:
    f = jit(lambda x: 2.0 * x, batch=0)
    wrong: list[float] = []

    def work(k: float) -> None:
        for _ in range(40):
            found = f(X + k)
            again = f(X - k)
            if not (np.array_equal(found, 2.0 * (X + k)) and np.array_equal(again, 2.0 * (X - k))):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(float(k),)) for k in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_no_more_is_kept_than_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MOST", 3 * results.LEAST)
    rows = results.LEAST // 8
    held = [results.matrix(1, rows + k, DOUBLES) for k in range(5)]
    alive = [weakref.ref(raw) for raw in results._remembered]
    assert sum(raw().nbytes for raw in alive) <= results.MOST
    del held
    gc.collect()
    assert 0 < sum(raw.nbytes for raw in results._remembered) <= results.MOST


@pytest.mark.parametrize(("outputs", "rows"), [(1, 10), (3, 0), (2, 1 << 40)])
def test_of_little_and_of_very_much_nothing_is_kept(outputs: int, rows: int) -> None:
    if rows > 1_000_000:
        with pytest.raises((MemoryError, ValueError)):
            results.matrix(outputs, rows << 20, DOUBLES)
    else:
        assert results.matrix(outputs, rows, DOUBLES).shape == (outputs, rows)
    assert len(results._remembered) == 0


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_it_begins_at_a_line_of_the_cache_and_may_be_written_to(kind: Any) -> None:
    for rows in (131_072, 131_077):
        made = results.matrix(2, rows, np.dtype(kind))
        made[...] = 1.5
        assert made.dtype == kind
        assert made.flags.c_contiguous
        assert made.ctypes.data % 64 == 0
        assert made.sum() == 3.0 * rows
