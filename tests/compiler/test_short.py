"""Entries of batches in the core in C: what they take by themselves, what they leave to Python, and what they give."""

from __future__ import annotations

import gc
import threading
from functools import partial

import pytest

pytest.importorskip("numpy", reason="batches are made of NumPy arrays: install the extra 'jit'")
pytest.importorskip("llvmlite", reason="machine code needs llvmlite: install the extra 'jit'")

import numpy as np

from autograd_lite import Value, accelerated, exp, jit
from autograd_lite.compiler import short

pytestmark = pytest.mark.skipif(accelerated.loaded is None, reason="the core in C is not there")

N = 5
W, X, Y = np.array([1.5, -2.0, 0.25]), np.arange(3.0 * N).reshape(N, 3), np.linspace(-1.0, 1.0, N)


def entered(f, *args, **options):
    """The entry in C of a batch, and the list of the calls that it left to Python, which answers "left"."""
    fast = jit(f, backend="llvm", **options)
    fast(*args)
    (known,) = fast._compiled.found
    left = []
    kind = np.dtype(np.float32 if options.get("float32") else np.float64)
    batch = options["batch"]
    positions = (batch,) if isinstance(batch, int) else batch
    python = lambda *args: left.append(args) or "left"  # noqa: E731
    return short.batch(python, known.layout, positions, known.root, kind), left


def loss(w, x, y):
    return w[0] * x[0] + w[1] * x[1] + w[2] * x[2] - y


def summed(x, y):
    return float((x @ W - y).sum())


class Other(np.ndarray):
    pass


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


def unaligned(a):
    return np.frombuffer(bytes(1) + a.tobytes(), dtype=np.uint8)[1:].view(np.float64).reshape(a.shape)


# each gives an array of the same numbers
TAKEN = {
    "as it was": lambda a: a,
    "backwards": lambda a: a[::-1].copy()[::-1],
    "every other": lambda a: np.repeat(a, 2, axis=0)[::2],
    "Fortran order": np.asfortranarray,
    "columns apart": lambda a: np.repeat(a, 2, axis=-1)[..., ::2] if a.ndim > 1 else a,
    "columns backwards": lambda a: a[..., ::-1].copy()[..., ::-1] if a.ndim > 1 else a,
    "read-only": read_only,
    "unaligned": unaligned,
}
LEFT = {
    "single": lambda a: a.astype(np.float32), "big endian": lambda a: a.astype(">f8"), "whole": lambda a: a.astype(int),
    "another class": lambda a: a.view(Other), "a list": lambda a: a.tolist(), "objects": lambda a: a.astype(object),
    "more rows": lambda a: np.concatenate([a, a]), "no rows": lambda a: a[:0], "more axes": lambda a: a[..., None],
    "nothing": lambda a: None, "a number": lambda a: 1.0,
}  # fmt: skip


@pytest.mark.parametrize("which", [1, 2])
@pytest.mark.parametrize("how", TAKEN)
def test_columns_of_any_stride_are_taken(how, which):
    entry, left = entered(loss, W, X, Y, batch=(1, 2), reduce="sum")
    args = [W, X, Y]
    args[which] = TAKEN[how](args[which])
    assert entry(*args) == pytest.approx(summed(X, Y), rel=1e-14)
    assert not left


@pytest.mark.parametrize("which", [1, 2])
@pytest.mark.parametrize("how", LEFT)
def test_other_columns_are_left_to_python(how, which):
    entry, left = entered(loss, W, X, Y, batch=(1, 2), reduce="sum")
    args = [W, X, Y]
    args[which] = LEFT[how](args[which])
    assert entry(*args) == "left"
    assert [len(args) for args in left] == [3]


@pytest.mark.parametrize("how", [*LEFT, "every other", "backwards"])
def test_other_shared_arrays_are_left_to_python(how):
    entry, _ = entered(loss, W, X, Y, batch=(1, 2), reduce="sum")
    assert entry((LEFT | TAKEN)[how](W), X, Y) == "left"
    assert entry(read_only(W), X, Y) == pytest.approx(summed(X, Y), rel=1e-14)


def test_calls_of_another_kind_are_left_to_python():
    entry, left = entered(loss, W, X, Y, batch=(1, 2), reduce="sum")
    long = np.ones((2000, 3)), np.ones(2000)
    for args in ((), (W, X), (W, X, Y, Y), (W, X[:, :2], Y), (W, *long), (W.tolist(), X, Y)):
        assert entry(*args) == "left"
    assert len(left) == 6
    with pytest.raises(TypeError):
        entry(W, X, y=Y)  # which the stand-in does not take


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 1023, 1024])
@pytest.mark.parametrize("shared", [[2.0, 3.0], (2.0, 3.0), np.array([2.0, 3.0]), np.array([[2.0, 3.0]])], ids=str)
@pytest.mark.parametrize("reduce", [None, "sum", "mean"])
def test_results_of_every_structure(rows, shared, reduce):
    captured = Value(0.5)

    def f(x, w, c):
        a, b = np.ravel(w) if isinstance(w, np.ndarray) else w
        r = np.array([a * x, b * x + c, x * captured, x * x], dtype=object)
        return (x, [a * x, (b * x,)], r, r.reshape(2, 2)) if reduce else (x, [a * x, (b * x,)])

    x = np.linspace(-1.0, 2.0, rows)
    entry, left = entered(f, x, shared, 4.0, batch=0, reduce=reduce)
    captured.data = 3.0
    found = entry(x, shared, 4.0)
    one, (two, (three,)), *arrays = found
    assert not left
    assert type(found) is tuple
    assert type(found[1]) is list
    assert type(found[1][1]) is tuple
    of = {None: lambda a: a, "sum": np.sum, "mean": np.mean}[reduce]
    for got, want in ((one, x), (two, 2.0 * x), (three, 3.0 * x)):
        assert type(got) is (np.ndarray if reduce is None else float)
        np.testing.assert_allclose(got, of(want), rtol=1e-12, atol=1e-9)
    if reduce:
        want = [of(2.0 * x), of(3.0 * x + 4.0), of(3.0 * x), of(x * x)]
        np.testing.assert_allclose(arrays[0], want, rtol=1e-12, atol=1e-9)
        assert arrays[1].shape == (2, 2)
        assert np.array_equal(arrays[1].ravel(), arrays[0])
        arrays[0][:] = 0.0
        assert arrays[1].any(), "two results share memory"
    before = [np.copy(part) for part in (one, two, three)]
    entry(x + 1.0, shared, 4.0)
    assert all(map(np.array_equal, before, (one, two, three))), "a later call wrote into the results"
    assert entry(x, shared, 4) == "left"
    assert entry(x, shared, captured) == "left"


def test_single_precision():
    x = np.arange(9, dtype=np.float32)
    entry, left = entered(lambda x: x * x, x, batch=0, float32=True)
    assert entry(x).dtype == np.float32
    assert entry(x).tolist() == (x * x).tolist()
    assert not left
    assert entry(x.astype(float)) == "left"


@pytest.mark.parametrize("reduce", [None, "sum"])
def test_an_array_that_has_moved_or_changed_its_shape(reduce):
    entry, left = entered(lambda x: x * 2.0, np.arange(4.0), batch=0, reduce=reduce)
    x = np.arange(4.0)
    entry(x)
    for k in range(1, 4):
        new = np.arange(4.0 * k) + k
        x.__setstate__((1, new.shape, new.dtype, False, new.tobytes()))
        assert np.array_equal(entry(x), 2.0 * new if reduce is None else 2.0 * new.sum())
        x.resize(3, refcheck=False)
        assert np.array_equal(entry(x), 2.0 * new[:3] if reduce is None else 2.0 * new[:3].sum())
    assert not left
    x.__setstate__((1, (3,), np.dtype(np.float32), False, bytes(12)))
    assert entry(x) == "left"


def test_a_call_within_a_call_goes_through_python():
    """A finalizer that runs while results are made."""
    entry, _left = entered(lambda x: [x * k for k in range(300)], np.arange(4.0), batch=0)
    x, met = np.arange(4.0), []

    class Ring:
        def __init__(self):
            self.ring = self

        def __del__(self):
            met.append(entry(x + 100.0))

    gc.collect()
    old = gc.get_threshold()
    try:
        gc.set_threshold(1)
        for _ in range(20):
            Ring()
            found = entry(x)
            assert all(np.array_equal(part, x * k) for k, part in enumerate(found))
    finally:
        gc.set_threshold(*old)
    gc.collect()
    assert len(met) == 20
    assert all(m == "left" or np.array_equal(m[1], x + 100.0) for m in met)


def test_threads_at_once():
    fast = jit(lambda w, x: exp(w * x), batch=1, reduce="sum")
    x = np.linspace(0.0, 1.0, 1000)
    want = {w: fast(float(w), x) for w in range(8)}
    wrong = []

    def work(w):
        wrong.extend(w for _ in range(200) if fast(float(w), x) != want[w])

    threads = [threading.Thread(target=partial(work, w)) for w in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_it_is_made_of_is_checked():
    fast = jit(loss, batch=(1, 2), reduce="sum", backend="llvm")
    fast(W, X, Y)
    (known,) = fast._compiled.found
    kernel = known.root.machine
    names = np._core.multiarray._ARRAY_API if hasattr(np, "_core") else np.core.multiarray._ARRAY_API, *[np.dtype(float)] * 2
    good = (2, 3, 1, 3, 3, 3, 2, -1, 3, 3, 1, 1, -1), (0, 0), (0.0,), (3, 3, 4, 1, 1024, 8, kernel.scratch, True)
    assert accelerated.loaded.batch(print, kernel.call, (), names, *good) is not None
    bad = [
        ((2, 3, 1, 3, 3, 3, 2, -1, 3, 3, 1, 1), *good[1:]),  # cut short
        ((2, 3, 1, 4, 3, 3, 2, -1, 3, 3, 1, 1, -1), *good[1:]),  # more numbers than said
        ((2, 3, 1, 3, 3, 3, 9, -1, 3, 3, 1, 1, -1), *good[1:]),
        ((2, 3, 1, 3, 3, 3, 3, -1, 3, 1, 3, 1, 1, -1), *good[1:]),  # columns of three axes
        ((2, 3, 99, 3, 3, 3, 2, -1, 3, 3, 1, 1, -1), *good[1:]),
        ((9, 3, 1, 3, 3, 3, 2, -1, 3, 3, 1, 1, -1), *good[1:]),
        (good[0], (0, 1), *good[2:]),  # a result that is not there
        (good[0], (0, 0, 1, 2), *good[2:]),
        (good[0], (3, 0, 1, 2), *good[2:]),
        (good[0], (0, 0, 0, 0), *good[2:]),
        (good[0], (9, 0), *good[2:]),
        (*good[:3], (2, 3, 4, 1, 1024, 8, kernel.scratch, True)),
        (*good[:3], (3, 4, 4, 1, 1024, 8, kernel.scratch, True)),
        (*good[:3], (3, 3, 5, 1, 1024, 8, kernel.scratch, True)),
    ]
    for wrong in bad:
        with pytest.raises(ValueError, match="no program for a batch"):
            accelerated.loaded.batch(print, kernel.call, (), names, *wrong)
    with pytest.raises(TypeError, match="captured"):
        accelerated.loaded.batch(print, kernel.call, (1,), names, *good)
