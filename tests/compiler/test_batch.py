"""Batches: one row's function over columns of any kind, on every backend; reductions, masks, messages."""

from __future__ import annotations

import collections
import itertools
import math
import re
import threading
from math import inf, nan

import pytest

pytest.importorskip("numpy", reason="batches are made of NumPy arrays: install the extra 'jit'")

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_lite as al
from autograd_lite import (
    Op,
    Value,
    detect_anomaly,
    errstate,
    grad,
    gt,
    hessian,
    jit,
    jvp,
    lt,
    nn,
    ops,
    value_and_grad,
    where,
)
from autograd_lite.errors import InputTypeError, InputValueError, MissingPackageError, StructureError
from autograd_lite.tree import flatten, unflatten
from tests.compiler import programs as p

LLVM = pytest.mark.skipif(not p.has("llvmlite"), reason="llvmlite is not installed: install the extra 'jit'")
BACKENDS = ["python", "numpy", pytest.param("llvm", marks=LLVM), "auto"]
ULP = 4.0

Pair = collections.namedtuple("Pair", "a b")
RNG = np.random.default_rng(7)


def eager(f, batch, args, kwargs=None):
    """Row by row through the eager engine, results put together as arrays."""
    batch = (batch,) if isinstance(batch, int) else batch
    rows, spec = [], None
    for i in range(count_rows(args[batch[0]])):
        own = [row_of(a, i) if k in batch else a for k, a in enumerate(args)]
        leaves, spec = flatten(p.reference(f)(*own, **(kwargs or {})))
        rows.append([float(leaf) for leaf in leaves])
    return rows, spec


def count_rows(arg):
    while not hasattr(arg, "shape"):
        arg = next(iter(arg.values())) if isinstance(arg, dict) else arg[0]
    return len(arg)


def row_of(arg, i):
    """Row i of a batch: of arrays in any container."""
    if arg is None:
        return None
    if isinstance(arg, dict):
        return {k: row_of(v, i) for k, v in arg.items()}
    if isinstance(arg, tuple) and hasattr(arg, "_fields"):
        return type(arg)(*[row_of(v, i) for v in arg])
    if isinstance(arg, (list, tuple)):
        return type(arg)(row_of(v, i) for v in arg)
    return arg[i].astype(float) if arg.ndim > 1 else float(arg[i])


def check(f, batch, args, backend, kwargs=None, rel=1e-13):
    """Against the eager engine: every row, the sum and the mean."""
    rows, spec = eager(f, batch, args, kwargs)
    kwargs = kwargs or {}
    got = jit(f, batch=batch, backend=backend)(*args, **kwargs)
    by_row = [flatten(row_of(got, i) if not isinstance(got, np.ndarray) else got[i])[0] for i in range(len(rows))]
    assert close(by_row, rows, rel), backend
    table = np.array(rows, dtype=float)
    with np.errstate(all="ignore"):
        size = np.abs(table).sum(axis=0)
        for reduce, total in (("sum", table.sum(axis=0)), ("mean", table.mean(axis=0))):
            reduced = jit(f, batch=batch, reduce=reduce, backend=backend)(*args, **kwargs)
            leaves, structure = flatten(reduced)
            assert structure == spec
            room = rel * (size if reduce == "sum" else size / len(rows))
            for x, y, r in zip(leaves, total, room, strict=True):
                assert x == y or (x != x and y != y) or abs(x - y) <= r, (backend, reduce)


def close(got, wanted, rel):
    pairs = [(x, y) for a, b in zip(got, wanted, strict=True) for x, y in zip(a, b, strict=True)]
    return all(x == y or (x != x and y != y) or abs(x - y) <= rel * abs(y) for x, y in pairs)


# -- arguments --------------------------------------------------------------------------------------------------------

X3 = RNG.uniform(-2.0, 2.0, (11, 3))
Y = RNG.uniform(0.5, 2.0, 11)


def line(w, x, y):
    return (al.dot(list(w["w"]), list(x)) + w["b"] - y) ** 2


WEIGHTS = {"w": [0.5, -1.5, 2.0], "b": 0.25}
CALLS = {
    "a column": (lambda x: x * al.sin(x), 0, (Y,)),
    "two columns": (lambda x, y: x * y - y, (0, 1), (Y, X3[:, 1])),
    "the second argument only": (lambda w, x: w * x, 1, (2.0, Y)),
    "named backwards": (lambda x, y: x - y, (1, 0), (Y, X3[:, 0])),
    "rows of three": (lambda x: x[0] * x[1] - x[2], 0, (X3,)),
    "rows as a whole": (lambda x: (x * x).sum() + len(x), 0, (X3,)),
    "rows unpacked": (lambda x: [a * b for a, b in itertools.pairwise(x)], 0, (X3,)),
    "rows of (3, 2)": (lambda x: x[2, 1] * x[0][0] + x.sum(), 0, (RNG.normal(size=(7, 3, 2)),)),
    "rows of (2, 1, 2)": (lambda x: x @ np.ones(2), 0, (RNG.normal(size=(5, 2, 1, 2)),)),
    "value and gradient": (value_and_grad(line), (1, 2), (WEIGHTS, X3, Y)),
    "gradient by a row": (grad(line, 1), (1, 2), (WEIGHTS, X3, Y)),
    "both gradients": (value_and_grad(line, (0, 1)), (1, 2), (WEIGHTS, X3, Y)),
    "a Hessian by a row": (hessian(lambda x: x[0] * x[1] ** 2 * al.exp(x[2])), 0, (X3,)),
    "a tangent": (lambda x, t: jvp(lambda v: v[0] * al.sin(v[1]), (x,), (t,)), (0, 1), (X3, X3[::-1])),
    "a dict of columns": (lambda d, k: {"s": d["x"] * k, "t": [d["r"][1]]}, 0, ({"x": Y, "r": X3}, 2.0)),
    "a tuple of columns": (lambda t: (t[1], t[0] * t[1]), 0, ((Y, X3[:, 2]),)),
    "containers of containers": (lambda t: t[0][1] * t[1]["k"][0], 0, (((Y, X3[:, 0]), {"k": [X3[:, 1]]}),)),
    "a named tuple of columns": (lambda q: Pair(q.b, q.a - q.b), 0, (Pair(Y, X3[:, 0]),)),
    "shared array": (lambda w, x: (w * x).sum(), 1, (np.array([1.0, 2.0, 3.0]), X3)),
    "shared scalars of every kind": (lambda a, b, c, d, x: a + b + c + d[0] * x, 4, (2, True, np.float32(0.5), (1.5,), Y)),
    "shared None": (lambda w, x: x if w is None else w * x, 1, (None, Y)),
    "results that are the same for every row": (lambda w, x: [w, w * w, 3.0, 2, x, w * x], 1, (1.5, Y)),
    "constants that look like the numbers of values": (lambda x, y: [x, 0.0, y, 1.0, x * y, -0.0, 4.0], (0, 1), (Y, Y[::-1])),
    "results that are arrays": (lambda x: {"m": np.array([[x[0], 1.0], [x[1], 2.0 * x[2]]]), "v": x}, 0, (X3,)),
    "no result": (lambda x: {"e": [], "n": None, "x": x}, 0, (Y,)),
    "a sum with a penalty": (lambda w, x: x * w + w * w, 1, (1.5, Y)),
    "transcendental": (lambda x: [al.exp(x), al.log(x), al.tanh(x), al.sqrt(x), x**1.7, al.atan2(x, 2.0)], 0, (Y,)),
    "pieces": (lambda x: [abs(x), al.maximum(x, 0.2), al.clamp(x, -1.0, 1.0), al.relu(x), x % 0.7, x // 0.3], 0, (X3[:, 0],)),
    "rows that meet": (lambda x: al.logsumexp(list(x)) + al.softmax(list(x))[1] + al.hypot(*x), 0, (X3,)),
    "special functions": (lambda x: [al.erf(x), al.gamma(x), al.digamma(x), al.gelu(x)], 0, (Y,)),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", CALLS)
def test_every_row_is_what_the_eager_engine_gives(name, backend):
    f, batch, args = CALLS[name]
    check(f, batch, args, backend)


def test_results_have_the_rows_first():
    got = jit(CALLS["results that are arrays"][0], batch=0, backend="python")(X3)
    assert got["m"].shape == (11, 2, 2)
    assert got["v"].shape == (11, 3)
    value, slope = jit(value_and_grad(line), batch=(1, 2), backend="python")(WEIGHTS, X3, Y)
    assert value.shape == (11,)
    assert [g.shape for g in slope["w"]] == [(11,)] * 3
    assert jit(grad(line, 1), batch=(1, 2), backend="python")(WEIGHTS, X3, Y).shape == (11, 3)


def test_reduced_results_are_what_f_returns():
    value, slope = jit(value_and_grad(line), batch=(1, 2), reduce="mean", backend="python")(WEIGHTS, X3, Y)
    assert type(value) is float
    assert list(map(type, slope["w"])) == [float] * 3
    model = nn.MLP(3, [2, 1], seed=1)
    _, step = jit(value_and_grad(lambda m, x: m(x)), batch=1, reduce="sum", backend="python")(model, X3)
    assert isinstance(step, nn.MLP)
    assert all(type(p.data) is float for p in step.parameters())
    array = jit(grad(lambda w, x: (w * x).sum()), batch=1, reduce="mean", backend="python")(np.ones(3), X3)
    assert array.shape == (3,)
    assert np.allclose(array, X3.mean(axis=0))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_gradient_of_a_shared_module_is_a_module(backend):
    model = nn.MLP(3, [4, 1], activation="tanh", seed=2)
    f = value_and_grad(lambda m, x, y: (m(x) - y) ** 2)
    wanted = [flatten(p.reference(f)(model, list(x), float(y)))[0] for x, y in zip(X3, Y, strict=True)]
    value, slope = jit(f, batch=(1, 2), reduce="sum", backend=backend)(model, X3, Y)
    assert [value, *[q.data for q in slope.parameters()]] == pytest.approx(
        np.sum(wanted, axis=0).tolist(), rel=1e-12, abs=1e-14
    )
    model.parameters()[0].data += 1.0  # the numbers of the module count, not those of the first call
    assert jit(f, batch=(1, 2), reduce="sum", backend=backend)(model, X3, Y)[0] != value


def test_keywords_are_shared():
    fast = jit(lambda x, k=2.0, *, c=(1.0,): x * k + c[0], batch=0, backend="python")
    assert fast(Y).tolist() == (Y * 2.0 + 1.0).tolist()
    for kwargs in ({"k": 3}, {"c": [5.0]}, {"k": 3.0, "c": (0.5,)}, {"c": (0.5,), "k": 3.0}):
        assert np.array_equal(fast(Y, **kwargs), Y * kwargs.get("k", 2.0) + kwargs.get("c", (1.0,))[0])


def beside_another(a):
    """The same numbers as part of a wider array."""
    flat = a.reshape(len(a), -1)
    return np.hstack([flat, flat])[:, : flat.shape[1]].reshape(a.shape)


def locked(a):
    """A copy that cannot be written to."""
    copy = a.copy()
    copy.flags.writeable = False
    return copy


KINDS = {
    "reversed": lambda a: a[::-1],
    "every other": lambda a: np.repeat(a, 2, axis=0)[::2],
    "backwards by two": lambda a: a[::-2],
    "Fortran": np.asfortranarray,
    "transposed": lambda a: np.ascontiguousarray(a.T).T,
    "columns turned": lambda a: a[:, ::-1] if a.ndim > 1 else a,
    "one row": lambda a: a[:1],
    "broadcast": lambda a: np.broadcast_to(a[2], a.shape),
    "unaligned": lambda a: np.frombuffer(bytes(1) + a.tobytes(), dtype=np.uint8)[1:].view(np.float64).reshape(a.shape),
    "part of a wider one": beside_another,
    "read-only": locked,
    "float32": lambda a: a.astype(np.float32),
    "float16": lambda a: a.astype(np.float16),
    "ints": lambda a: (a * 10).astype(int),
    "int8": lambda a: (a * 10).astype(np.int8),
    "bools": lambda a: a > 1.0,
    "big endian": lambda a: a.astype(">f8"),
    "a list": lambda a: a.tolist(),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_arrays_of_any_kind_and_stride(kind, backend):
    x, y = KINDS[kind](np.abs(X3)), KINDS[kind](Y)
    f = value_and_grad(line)
    rows = eager(f, (1, 2), (WEIGHTS, np.array(x), np.array(y)))[0]
    fast = jit(f, batch=(1, 2), backend=backend)
    for _ in range(2):
        got = fast(WEIGHTS, x, y)
        assert close([flatten(row_of(got, i))[0] for i in range(len(rows))], rows, 1e-13)
    # and with the plain arrays by the same compiled code
    assert close([[v] for v in fast(WEIGHTS, X3, Y)[0]], [[r[0]] for r in eager(f, (1, 2), (WEIGHTS, X3, Y))[0]], 1e-13)


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_number_of_rows(backend):
    fast = jit(lambda w, x: w * al.exp(x[0]) + x[1], batch=1, backend=backend)
    total = jit(lambda w, x: w * al.exp(x[0]) + x[1], batch=1, reduce="sum", backend=backend)
    table = RNG.normal(size=(70, 2))
    wanted = np.array([1.5 * math.exp(a) + b for a, b in table])
    for n in [*range(40), 63, 64, 65, 70]:
        got = fast(1.5, table[:n])
        assert got.shape == (n,)
        assert np.allclose(got, wanted[:n], rtol=1e-14, atol=1e-15)
        assert total(1.5, table[:n]) == pytest.approx(wanted[:n].sum(), rel=1e-13, abs=1e-13)
    assert np.allclose(fast(1.5, table[69::-3]), wanted[69::-3], rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("backend", BACKENDS)
def test_rows_do_not_mix(backend):
    fast = jit(value_and_grad(lambda x: al.sqrt(x) * al.log(x) / (x - 1.0)), batch=0, backend=backend)
    clean = np.linspace(0.5, 9.0, 19) + 0.01
    value, slope = fast(clean)
    for bad in (nan, inf, -inf, 0.0, -1.0, 1.0):
        for spot in range(19):
            spoilt = clean.copy()
            spoilt[spot] = bad
            v, s = fast(spoilt)
            kept = np.arange(19) != spot
            assert np.array_equal(v[kept], value[kept])
            assert np.array_equal(s[kept], slope[kept])
            wanted = p.reference(value_and_grad(lambda x: al.sqrt(x) * al.log(x) / (x - 1.0)))(bad)
            assert all(a == b or (a != a and b != b) for a, b in zip((v[spot], s[spot]), wanted, strict=True)), bad


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_nan_row_makes_the_sum_nan(backend):
    f = lambda w, x: [w * x, w]  # noqa: E731
    for reduce in ("sum", "mean"):
        got = jit(f, batch=1, reduce=reduce, backend=backend)(2.0, np.array([1.0, nan, 3.0]))
        assert math.isnan(got[0])
        assert got[1] == (6.0 if reduce == "sum" else 2.0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.filterwarnings("error")
def test_special_values_raise_no_warning_and_are_ieee(backend):
    special = [0.0, -0.0, 1.0, -1.0, inf, -inf, nan, 5e-324, 1e308, -1e308]
    x, y = np.array(list(itertools.product(special, special))).T

    def f(x, y):
        return [x + y, x * y, x / y, al.exp(x), al.log(y), al.maximum(x, y), abs(x), al.sqrt(y), where(gt(x, y), x, y), x - y]

    rows = eager(f, (0, 1), (x, y))[0]
    got = jit(f, batch=(0, 1), backend=backend)(x, y)
    assert close([[out[i] for out in got] for i in range(len(x))], rows, 1e-14)


@pytest.mark.parametrize("backend", BACKENDS)
def test_arrays_that_come_and_go(backend):
    fast = jit(lambda w, x, y: w[0] * x[0] - w[1] * x[1] + y, batch=(1, 2), backend=backend)
    total = jit(lambda w, x, y: w[0] * x[0] - w[1] * x[1] + y, batch=(1, 2), reduce="sum", backend=backend)
    rng = np.random.default_rng(1)
    keep = rng.normal(size=(40, 6))
    for trial in range(200):  # memory is used again for arrays of other lengths, strides and kinds
        n = int(rng.integers(1, 20))
        x = [
            keep[:n, 1:3],
            keep[n:0:-1, ::3],
            np.asfortranarray(keep[:n, :2]),
            keep[:n, :2].astype(np.float32),
            rng.normal(size=(n, 2)),
        ]
        x = x[trial % 5].copy() if trial % 3 else x[trial % 5]
        y = keep[: len(x), 5] if trial % 2 else rng.integers(-5, 5, len(x))
        w = np.array([float(trial), 0.5])
        wanted = w[0] * x[:, 0].astype(float) - w[1] * x[:, 1].astype(float) + y
        assert np.allclose(fast(w, x, y), wanted, rtol=1e-13, atol=1e-12)
        assert total(w, x, y) == pytest.approx(wanted.sum(), rel=1e-12, abs=1e-10)


@pytest.mark.parametrize("backend", BACKENDS)
def test_arrays_changed_in_place_between_calls(backend):
    fast = jit(lambda w, x: w[0] * x, batch=1, backend=backend)
    w, x = np.array([2.0]), Y.copy()
    for _ in range(3):
        assert np.array_equal(fast(w, x), w[0] * x)
        x *= -1.5
        w += 1.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_array_for_several_arguments(backend):
    fast = jit(lambda x, y, r: x * y + r[0], batch=(0, 1, 2), backend=backend)
    assert np.allclose(fast(X3[:, 0], X3[:, 0], X3), X3[:, 0] ** 2 + X3[:, 0])
    assert np.allclose(fast(X3[:, 0], X3[::-1, 0], X3), X3[:, 0] * X3[::-1, 0] + X3[:, 0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_python_threads_may_run_one_batch_at_once(backend):
    f = value_and_grad(lambda w, x: al.tanh(w[0] * x[0] + w[1]) * x[1])
    fast = jit(f, batch=1, reduce="mean", backend=backend, threads=2)
    tables = [RNG.normal(size=(n, 2)) for n in (1, 7, 64, 300, 3000)]
    wanted = [fast([0.1 * k, 0.2], t) for k, t in enumerate(tables)]
    found = {}

    def work(name):
        found[name] = [fast([0.1 * k, 0.2], t) for _ in range(4) for k, t in enumerate(tables)]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[n] for n in range(4)] == [wanted * 4] * 4


@pytest.mark.parametrize("backend", BACKENDS)
def test_wide_rows_and_many_results(backend):
    wide = RNG.normal(size=(9, 150))
    f = value_and_grad(lambda w, x: al.tanh(al.dot(list(w), list(x))) ** 2)
    w = RNG.normal(size=150) / 20
    value, slope = jit(f, batch=1, reduce="sum", backend=backend)(w, wide)
    t = np.tanh(wide @ w)
    assert value == pytest.approx((t**2).sum(), rel=1e-12)
    assert np.allclose(slope, (2.0 * t * (1.0 - t * t)) @ wide, rtol=1e-11, atol=1e-12)


# -- no rows, reductions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_batch_of_no_rows(backend):
    f = lambda w, x: {"v": [w * x[0], x[1], w], "a": x}  # noqa: E731
    none = np.zeros((0, 2))
    for w in (2.0, inf, nan):
        got = jit(f, batch=1, backend=backend)(w, none)
        assert [v.shape for v in got["v"]] == [(0,)] * 3
        assert got["a"].shape == (0, 2)
        total = jit(f, batch=1, reduce="sum", backend=backend)(w, none)
        assert total["v"] == [0.0, 0.0, 0.0]
        assert total["a"].tolist() == [0.0, 0.0]
    with pytest.raises(
        InputValueError, match=r'^reduce="mean" of <lambda> over a batch of no rows: a mean needs one at least$'
    ):
        jit(f, batch=1, reduce="mean", backend=backend)(2.0, none)


@pytest.mark.parametrize("backend", BACKENDS)
def test_rows_of_no_numbers(backend):
    fast = jit(lambda x: [1.0 + len(x), x], batch=0, backend=backend)
    count, rows = fast(np.zeros((4, 0)))
    assert count.tolist() == [1.0] * 4
    assert rows.shape == (4, 0)
    assert jit(lambda x: 2.0 + len(x), batch=0, reduce="sum", backend=backend)(np.zeros((4, 0))) == 8.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_the_same_for_every_row_is_summed_too(backend):
    x = np.full(3, -1.7e308)
    assert jit(lambda w, x: w + x, batch=1, reduce="sum", backend=backend)(1.7e308, x) == 0.0
    ones = np.array([1.0, 2.0, 3.0])
    assert jit(lambda w, x: x + w, batch=1, reduce="sum", backend=backend)(-1e16, ones + 1e16) == float(
        ((ones + 1e16) - 1e16).sum()
    )
    assert jit(lambda w, x: [w, 2.0, x], batch=1, reduce="sum", backend=backend)(0.5, ones) == [1.5, 6.0, 6.0]
    assert jit(lambda w, x: [w, 2.0, x], batch=1, reduce="mean", backend=backend)(0.5, ones) == [0.5, 2.0, 2.0]
    assert jit(lambda w, x: [w, x], batch=1, reduce="mean", backend=backend)(inf, ones) == [inf, 2.0]


@settings(max_examples=25)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(-10.0, 10.0))
@pytest.mark.parametrize("backend", BACKENDS)
def test_sums_and_means_are_those_of_the_rows(backend, rows, w):
    def f(w, x):
        return [w * x + w * w, x, al.sin(x) * w, w]

    table = np.array([f(w, x) for x in rows])
    room = 1e-13 * np.abs(table).sum(axis=0) + 1e-300
    got = COMPILED[backend, "sum"](f)(w, np.array(rows))
    assert np.all(np.abs(np.array(got) - table.sum(axis=0)) <= room)
    got = COMPILED[backend, "mean"](f)(w, np.array(rows))
    assert np.all(np.abs(np.array(got) - table.mean(axis=0)) <= room)


class _Compiled(dict):
    """One compiled function for each backend and reduction."""

    def __missing__(self, key):
        backend, reduce = key
        made = []

        def of(f):
            if not made:
                made.append(jit(f, batch=1, reduce=reduce, backend=backend))
            return made[0]

        self[key] = of
        return of


COMPILED = _Compiled()


@pytest.mark.parametrize("backend", BACKENDS)
def test_any_number_of_threads_gives_the_same_bits(backend):
    f = value_and_grad(lambda w, x: al.tanh(w[0] * x[0] + w[1]) * x[1])
    x = RNG.normal(size=(5000, 2))
    for reduce in (None, "sum"):
        results = [
            flatten(jit(f, batch=1, reduce=reduce, backend=backend, threads=t)([0.3, 0.2], x))[0] for t in (None, 1, 2, 3, 7)
        ]
        assert all(all(np.array_equal(a, b) for a, b in zip(results[0], r, strict=True)) for r in results[1:])


# -- the branch not taken, per row ------------------------------------------------------------------------------------

MASKED = {
    "log": lambda x: where(x > 0.0, al.log(x), x * x),
    "gt": lambda x: where(gt(x, 0.0), al.sqrt(x), -x),
    "1/x": lambda x: where(x == 0.0, 1.0 + x, al.exp(x) / x),
    "nested": lambda x: where(x > 0.0, where(x > 1.0, al.sqrt(x - 1.0), al.sqrt(1.0 - x)), ops.reciprocal(x)),
    "joined": lambda x: where((x > 0.0) & (x < 1.0), al.log(x) * al.log(1.0 - x), x),
    "either": lambda x: where((x < -1.0) | (x > 1.0), al.log(x * x - 1.0), x * x * x),
    "through floor": lambda x: where(x > 0.0, al.floor(al.log(x)) * x, x * x),
    "through stop_gradient": lambda x: where(x > 0.0, al.stop_gradient(al.log(x)) * x, x * x),
    "through maximum": lambda x: where(x > 0.0, al.maximum(al.log(x), 0.0), x * x),
    "a product": lambda x: where(x > 0.0, al.log(x), 1.0) * where(lt(x, 1.0), al.sqrt(1.0 - x), 2.0),
    "overflow": lambda x: where(x < 1.0, x, al.exp(1000.0 * x)),
}
POINTS = np.array([-2.0, -1.0, -0.5, 0.0, 0.25, 0.5, 1.0, 1.5, 3.0, inf, -inf, nan])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", MASKED)
def test_where_takes_nothing_from_the_branch_a_row_does_not_take(name, backend):
    f = MASKED[name]
    along = lambda x: jvp(f, (x,), (1.0,))  # noqa: E731
    for order in (f, value_and_grad(f), grad(grad(f)), along, grad(grad(grad(f)))):
        got = flatten(jit(order, batch=0, backend=backend)(POINTS))[0]
        rows = [flatten(p.reference(order)(float(x)))[0] for x in POINTS]
        width = len(rows[0])
        table = np.array(got).reshape(width, len(POINTS)).T.tolist()
        assert close(table, rows, 1e-12), (table, rows)


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_row_that_is_masked_spoils_no_sum(backend):
    f = value_and_grad(lambda w, x: where(x > 0.0, w * al.log(x), w))
    assert jit(f, batch=1, reduce="sum", backend=backend)(2.0, np.array([1.0, 0.0, -1.0])) == (4.0, 2.0)


# -- Values, transforms and watches around a batch --------------------------------------------------------------------


def test_leaves_from_the_surroundings_are_live():
    w = Value(2.0)
    fast = jit(lambda x: w * x, batch=0, reduce="sum", backend="python")
    assert fast(Y) == pytest.approx(2.0 * Y.sum())
    w.data = -3.0
    assert fast(Y) == pytest.approx(-3.0 * Y.sum())


SHARED = {
    "a number": (lambda w, x: w * x, 2.0),
    "a list": (lambda w, x: w[0] * x, [2.0]),
    "an array": (lambda w, x: w[0] * x, np.array([2.0])),
    "a dict": (lambda w, x: w["w"] * x, {"w": 2.0}),
}


@pytest.mark.parametrize("kind", SHARED)
@pytest.mark.parametrize("outer", [lambda f: f, jit], ids=["eager", "jit"])
def test_a_batch_inside_a_transform_keeps_its_gradient(kind, outer):
    f, w = SHARED[kind]
    x = np.arange(3.0)
    for reduce, factor in ((None, 2.0), ("sum", 3.0), ("mean", 1.0)):
        inner = jit(f, batch=1, reduce=reduce, backend="python")

        def loss(w, inner=inner, reduce=reduce):
            out = inner(w, x)
            return (out[2] if reduce is None else out) * flatten(w)[0][0]  # factor * w * w

        slope = flatten(outer(grad(loss))(w))[0]
        assert slope == [pytest.approx(2.0 * factor * 2.0, rel=1e-15)], reduce


def test_a_batch_inside_a_transform_by_keyword():
    inner = jit(lambda x, w=0.0: w * x, batch=0, reduce="sum", backend="python")
    assert grad(lambda w: inner(np.arange(3.0), w=w) * w)(2.0) == 12.0
    assert grad(lambda w: jit(lambda x: w * x, batch=0, reduce="sum", backend="python")(np.arange(3.0)) * w)(2.0) == 12.0


def test_a_batch_called_with_values_joins_their_graph():
    w = Value(2.0)
    out = jit(lambda w, x: w * x, batch=1, reduce="sum", backend="python")(w, np.arange(4.0))
    out.backward()
    assert (out.data, w.grad) == (12.0, 6.0)
    rows = jit(lambda w, x: w * x, batch=1, backend="python")(w, np.arange(4.0))
    rows[3].backward()
    assert w.grad == 9.0


def test_a_jitted_function_within_a_batch():
    inner = jit(lambda x: al.sin(x) * x)
    assert np.allclose(jit(lambda x: inner(x) + 1.0, batch=0, backend="python")(Y), np.sin(Y) * Y + 1.0)


def test_errstate_and_detect_anomaly_around_a_batch():
    fast = jit(al.log, batch=0, backend="python")
    with errstate(invalid="raise"), pytest.raises(ValueError, match=r"log\(-1.0\) is nan"):
        fast(np.array([1.0, -1.0]))
    with errstate(invalid="raise"):
        assert fast(np.array([1.0, math.e])).tolist() == [0.0, 1.0]
    assert math.isnan(fast(np.array([1.0, -1.0]))[1])
    with detect_anomaly(), pytest.raises(ArithmeticError, match="is nan"):
        jit(grad(lambda x: al.sqrt(x) ** 2), batch=0, backend="python")(np.array([1.0, 0.0]))
    with errstate(divide="raise"):
        assert jit(lambda x: x, batch=0, reduce="sum", backend="python")(np.zeros(0)) == 0.0
        assert jit(lambda x: [x], batch=0, backend="python")(np.zeros(0))[0].shape == (0,)


# -- users' ops -------------------------------------------------------------------------------------------------------

softsign = Op("softsign", lambda x: x / (1.0 + abs(x)), lambda x, out: ops.div(1.0, (1.0 + ops.abs(x)) ** 2))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_users_op_is_called_back(backend):
    check(value_and_grad(lambda x: softsign(x) * x), 0, (X3[:, 0],), backend)


# -- what is refused --------------------------------------------------------------------------------------------------

WRONG_BATCH = [
    (-1, InputValueError, "batch=-1 must name arguments by position, each once, counted from 0"),
    ((), InputValueError, "batch=() must name arguments by position"),
    ((0, 0), InputValueError, "batch=(0, 0) must name arguments by position"),
    (True, InputValueError, "batch=True must name arguments by position"),
    ("x", InputTypeError, "batch='x' must be the number of an argument, or a tuple of them"),
    (1.0, InputTypeError, "batch=1.0 must be the number of an argument, or a tuple of them"),
    ((0, "x"), InputTypeError, "batch=(0, 'x') must be the number of an argument"),
]


@pytest.mark.parametrize(("batch", "error", "message"), WRONG_BATCH)
def test_which_arguments_hold_rows(batch, error, message):
    with pytest.raises(error, match="^" + re.escape(message)):
        jit(lambda x: x, batch=batch)


@pytest.mark.parametrize("batch", [0, np.int64(0), (0,), [0], (np.int8(0),)])
def test_ways_to_name_an_argument(batch):
    assert jit(lambda x: x * 2.0, batch=batch, backend="python")(Y).tolist() == (Y * 2.0).tolist()


REFUSED = [
    (
        lambda f: f(Y),
        "batch=(1,) of jit, but f was called with 1 positional argument: pass the arguments that hold rows by position",
    ),
    (lambda f: f(1.0, x=Y), "batch=(1,) of jit, but f was called with 1 positional argument: pass"),
    (lambda f: f(1.0, 2.0), "argument 1 of f=2.0 is one number: give an array of n rows, or leave the argument out of batch"),
    (lambda f: f(1.0, "text"), "argument 1 of f is a str: give numbers"),
    (lambda f: f(1.0, ["a", "b"]), "argument 1 of f is an array of <U1: give numbers"),
    (lambda f: f(1.0, [[1.0], [1.0, 2.0]]), "argument 1 of f is ragged: give rows of one length"),
    (lambda f: f(1.0, np.array([1.0, None])), "argument 1 of f is an array of object"),
    (lambda f: f(1.0, np.array([1j])), "argument 1 of f is an array of complex128"),
    (lambda f: f(1.0, {"a": Y, "b": Y[:3]}), "argument 1 of f['b'] has 3 rows, but argument 1 of f['a'] has 11: give all"),
    (lambda f: f("text", Y), "argument 0 of f='text' is a str: expected numbers"),
    (lambda f: f(10**400, Y), "an argument of f is an int too large for a double"),
    (lambda f: f(1.0, None), "argument 1 of f is None: give numbers"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED, ids=[m[:60] for _, m in REFUSED])
def test_calls_that_are_refused(call, message):
    def f(w, x):
        return w * x

    fast = jit(f, batch=1, backend="python")
    for _ in range(2):
        with pytest.raises((InputTypeError, InputValueError, StructureError, OverflowError), match="^" + re.escape(message)):
            call(fast)
        assert fast(2.0, Y).tolist() == (2.0 * Y).tolist()


def test_missing_rows_are_named_under_errstate_too():
    fast = jit(lambda w, x: w * x, batch=1, backend="python")
    with (
        errstate(invalid="raise"),
        pytest.raises(InputValueError, match=r"^batch=\(1,\) of jit, but <lambda> was called with 1 "),
    ):
        fast(1.0)


def test_columns_of_different_lengths():
    fast = jit(lambda x, y: x * y, batch=(0, 1), backend="python")
    fast(Y, Y)
    for _ in range(2):
        with pytest.raises(
            StructureError, match=r"^argument 1 of <lambda> has 3 rows, but argument 0 of <lambda> has 11: give all"
        ):
            fast(Y, Y[:3])


def test_layouts_one_after_another():
    fast = jit(lambda x, k=1.0: (x.sum() if hasattr(x, "sum") else x) * k, batch=0, backend="python")
    for x in (Y, X3, X3[:, :2], Y, X3.reshape(11, 3, 1), X3):
        wanted = x if x.ndim == 1 else x.reshape(len(x), -1).sum(axis=1)
        assert np.allclose(fast(x), wanted)
        assert np.allclose(fast(x, 2), wanted * 2.0)


def test_results_do_not_share_memory_with_arguments_or_each_other():
    fast = jit(lambda x: [x, x], batch=0, backend="auto")
    x = Y.copy()
    first, second = fast(x)
    first[:] = 0.0
    assert x.tolist() == Y.tolist()
    assert second.tolist() == Y.tolist()
    again = fast(x)
    assert again[0].tolist() == Y.tolist()
    assert first.tolist() == [0.0] * 11


def test_program_and_source_of_a_batch():
    w = Value(2.0)
    fast = jit(lambda k, x: k * x[0] + w * x[1], batch=1, backend="python")
    assert fast.program(1.0, X3).inputs == 1 + 3 + 1
    assert "def " in fast.source(1.0, X3)
    assert fast(1.0, X3).tolist() == (X3[:, 0] + 2.0 * X3[:, 1]).tolist()


def test_without_numpy(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "numpy", None)
    with pytest.raises(
        MissingPackageError, match=r"a batch is made of NumPy arrays, and NumPy is not installed: pip install 'auto"
    ):
        jit(lambda x: x, batch=0)


def test_trees_of_results_can_be_put_together_again():
    got = jit(lambda x: {"a": x, "b": (x, [x])}, batch=0, backend="python")(Y)
    leaves, spec = flatten({"a": 0.0, "b": (0.0, [0.0])})
    assert len(leaves) == 3
    assert unflatten(spec, [got["a"][4], got["b"][0][4], got["b"][1][0][4]]) == {"a": Y[4], "b": (Y[4], [Y[4]])}


def test_options_alone_make_a_decorator():
    @jit(batch=0, reduce="sum")
    def total(x):
        return x * x

    assert total(np.array([1.0, 2.0, 3.0])) == 14.0
    assert repr(total) == "jit(total)"


def test_errstate_around_a_compiled_call_names_the_op():
    f = jit(lambda x: 1 / x)
    assert f(1.0) == 1.0
    with errstate(divide="raise"), pytest.raises(ZeroDivisionError, match=r"^div\(1.0, 0.0\) is inf: a pole"):
        f(0.0)
    rows = jit(lambda x: 1 / x, batch=0)
    assert rows(np.array([1.0])).tolist() == [1.0]
    with errstate(divide="raise"), pytest.raises(ZeroDivisionError, match=r"^div\(1.0, 0.0\) is inf: a pole"):
        rows(np.array([1.0, 0.0]))


@LLVM
def test_rows_of_no_number_and_rows_that_are_numbers_are_not_mistaken() -> None:
    f = jit(lambda w, x: w * (7.0 if getattr(x, "shape", ()) == (0,) else x), batch=1, reduce="sum", backend="llvm")
    for _ in range(2):
        assert (f(2.0, np.zeros((5, 0))), f(2.0, np.arange(5.0))) == (70.0, 20.0)


@LLVM
def test_products_of_columns_with_each_other_are_added_up() -> None:
    f = jit(lambda x, y: (x * x, x * y, y * y, y * x), batch=(0, 1), reduce="sum", backend="llvm")
    x, y = np.arange(5.0), np.arange(5.0) + 1
    assert f(x, y) == (30.0, 40.0, 55.0, 40.0)


@LLVM
@pytest.mark.parametrize(("numbers", "weights"), [(1, 2), (1, 4), (2, 4), (3, 5), (3, 6), (4, 7)])
def test_sums_of_products_that_share_factors_stay_close_with_fastmath(numbers: int, weights: int) -> None:
    def f(w, x):
        pairs = itertools.combinations_with_replacement(range(weights), 2)
        return sum(w[k] * w[j] * x[k % numbers] * x[j % numbers] for k, j in pairs)

    draw = np.random.default_rng(weights)
    w, x = draw.normal(size=weights), draw.normal(size=(20, numbers))
    wanted, wanted_slopes = jit(value_and_grad(f), batch=1)(w, x)
    value, slopes = jit(value_and_grad(f), batch=1, backend="llvm", fastmath=True)(w, x)
    assert np.allclose(value, wanted, rtol=1e-12, atol=1e-13)
    assert np.allclose(slopes, wanted_slopes, rtol=1e-12, atol=1e-13)
    found = [jit(value_and_grad(f), backend="llvm", fastmath=True)(list(w), list(row)) for row in x]
    assert np.allclose([value for value, _ in found], wanted, rtol=1e-12, atol=1e-13)
    assert np.allclose([slopes for _, slopes in found], wanted_slopes, rtol=1e-12, atol=1e-13)
