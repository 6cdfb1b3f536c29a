"""Batches in single precision: close to double ones, sums exact in double, the same bits however rows are cut and shared."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("llvmlite", reason="machine code needs llvmlite: install the extra 'jit'")
pytest.importorskip("numpy", reason="columns are NumPy arrays: install the extra 'jit'")

import numpy as np

from autograd_lite import errors, exp, jit, maximum, nn, ops, relu, tanh, value_and_grad, where
from autograd_lite.compiler.llvm.asked import asked, rounded
from autograd_lite.compiler.llvm.functions import IN_SINGLE
from autograd_lite.compiler.llvm.kernel import batch
from autograd_lite.compiler.llvm.native import Machine, host
from tests.compiler import cases
from tests.compiler.test_to_llvm import random_program

NOTHING = cases.made(0, outputs=())
EPS = 2.0**-24  # half a unit of a float of 32 bits near 1
MACHINES = {"host": host(), "without AVX-512": host("avx512"), "no vector library": Machine(4, {}, "", "")}
ONE_STEP = [(op, arity) for op, arity in cases.cases() if not op.variadic]


def kernel(program: Any, reduce: bool = False, **options: Any) -> Any:
    return batch(NOTHING, program, program.inputs, reduce, single=True, **options)


class Tried(NamedTuple):
    """A row with its settings as constants, the places of the arguments that vary, and points."""

    row: tuple[Any, tuple[Any, ...]]
    varies: list[int]
    points: list[tuple[float, ...]]


@functools.cache
def tried(op: Any, arity: int) -> Tried:
    points = [p for p in cases.grid(op, arity) if all(math.isfinite(rounded(x)) or not math.isfinite(x) for x in p)][:400]
    settings = [i for i in range(arity) if i in op.settings]
    at = points[0]
    points = [p for p in points if all(p[i] == at[i] or (p[i] != p[i] and at[i] != at[i]) for i in settings)]
    varies = [i for i in range(arity) if i not in settings]
    return Tried((op, tuple(varies.index(i) if i in varies else at[i] for i in range(arity))), varies, points)


@functools.cache
def together(columns: int) -> list[list[tuple[Any, int]]]:
    """The rows of so many columns in groups that are compiled as one: LLVM takes as long for a program as for a row."""
    rows = [case for case in ONE_STEP if len(tried(*case).varies) == columns]
    return [rows[i : i + 8] for i in range(0, len(rows), 8)]


SQUARES = ("difference", "co_square", "square_difference")  # right beside the larger of what is subtracted


@functools.cache
def kernel_of(columns: int, group: int, machine: str) -> Any:
    rows = [tried(*case).row for case in together(columns)[group]]
    return kernel(cases.made(columns, *rows, outputs=range(columns, columns + len(rows))), machine=MACHINES[machine])


@pytest.mark.parametrize(("op", "arity"), ONE_STEP, ids=[op.name for op, _ in ONE_STEP])
def test_every_row_is_that_of_the_rounded_arguments(op: Any, arity: int) -> None:
    """To a unit of single precision, of the row's own function, rounded too."""
    _, varies, points = tried(op, arity)
    columns = [np.array([p[i] for p in points], np.float32) for i in varies]
    ((group, k),) = [(i, g.index((op, arity))) for i, g in enumerate(together(len(varies))) if (op, arity) in g]
    for machine in ("host", "no vector library"):
        got = kernel_of(len(varies), group, machine)(np.empty(0), columns, len(points))[1][k]
        assert got.dtype == np.float32
        for at, point in enumerate(points):
            exact = [float(columns[varies.index(i)][at]) if i in varies else point[i] for i in range(arity)]
            wanted, found = rounded(op.forward(*exact)), float(got[at])
            if found == wanted or (found != found and wanted != wanted):
                continue
            if math.isinf(wanted) or math.isinf(found):
                assert max(map(abs, filter(math.isfinite, (wanted, found))), default=0.0) > 3.4e38 or not asked(op).doubles, (
                    point,
                    found,
                )
                continue
            term = abs(cases.TERMS[op.name](*exact)) if op.name in cases.TERMS else 0.0
            largest = max(
                [
                    abs(wanted),
                    term,
                    *([abs(x) for x in exact] if op.name in SQUARES else []),
                ]
            )
            units = 7.0 if op.name in IN_SINGLE else 4.0  # written out, they err by three of single precision
            assert abs(found - wanted) <= units * EPS * largest + 3e-45, (machine, exact, found, wanted)


@given(st.integers(0, 10**6), st.integers(1, 40), st.sampled_from([1, 2, 7, 16, 17, 40, 100]), st.sampled_from([5, 2000]))
def test_widths_cuts_and_few_rows_have_the_same_bits(seed: int, length: int, rows: int, part: int) -> None:
    program = random_program(seed, length)
    columns = [c.astype(np.float32) for c in np.random.default_rng(seed).normal(size=(4, rows))]
    whole = kernel(program)
    wanted = whole(np.empty(0), columns, rows)[1]
    assert np.array_equal(kernel(program, part=part)(np.empty(0), columns, rows)[1], wanted, equal_nan=True)
    last = whole(np.empty(0), [c[-1:] for c in columns], 1)[1]
    assert np.array_equal(last[:, 0], wanted[:, -1], equal_nan=True)
    doubles = [c.astype(float) for c in columns]
    assert np.array_equal(whole(np.empty(0), doubles, rows)[1], wanted, equal_nan=True)


@functools.cache
def summed(machine: str, reduce: bool) -> Any:
    program = cases.made(2, (ops.mul, (0, 1)), (ops.tanh, (0,)), outputs=[2, 3, 0, 0.5])
    return kernel(program, reduce, machine=MACHINES[machine])


@pytest.mark.parametrize("rows", [0, 1, 8, 15, 16, 17, 31, 33, 1000, 1024, 1031, 5000])
def test_sums_are_those_of_the_rows_in_double(rows: int) -> None:
    columns = [c.astype(np.float32) for c in np.random.default_rng(rows).normal(size=(2, rows))]
    for machine in MACHINES:
        kept = summed(machine, False)(np.empty(0), columns, rows)[1]
        sums = summed(machine, True)(np.empty(0), columns, rows)[1]
        assert sums.dtype == np.float64
        assert sums[1:].tolist() == pytest.approx([math.fsum(row.tolist()) for row in kept[1:]], rel=1e-14, abs=1e-14)
        # the last product of a sum is worked out in double
        products = columns[0].astype(float) * columns[1].astype(float)
        assert sums[0] == pytest.approx(math.fsum(products.tolist()), rel=1e-14, abs=1e-14)
        threads = summed(machine, True)(np.empty(0), columns, rows, 3)[1]
        assert threads.tolist() == sums.tolist()


def loss(w: Any, x: Any, y: Any) -> Any:
    hidden = [tanh(w[3 * i] * x[0] + w[3 * i + 1] * x[1] + w[3 * i + 2]) for i in range(4)]
    return maximum(0.0, 1.0 - y * relu(sum(w[12 + i] * h for i, h in enumerate(hidden)))) + 0.01 * sum(a * a for a in w)


@pytest.mark.parametrize("rows", [1, 16, 50, 3000])
@pytest.mark.parametrize("reduce", ["sum", "mean"])
def test_a_net_is_near_that_in_double(rows: int, reduce: str) -> None:
    rng = np.random.default_rng(rows)
    w, x, y = (
        rng.normal(size=16),
        rng.normal(size=(rows, 2)).astype(np.float32),
        rng.choice([-1.0, 1.0], rows).astype(np.float32),
    )
    double = jit(value_and_grad(loss), batch=(1, 2), reduce=reduce)(w, x.astype(float), y.astype(float))
    step = jit(value_and_grad(loss), batch=(1, 2), reduce=reduce, float32=True)
    value, slopes = step(w, x, y)
    assert value == pytest.approx(double[0], rel=1e-6)
    assert np.abs(slopes - double[1]).max() <= 3e-6 * max(np.abs(double[1]).max(), rows if reduce == "sum" else 1.0)
    for x2, y2 in ((x.astype(float), y), (np.asfortranarray(x), y.astype(float)), (x[::-1][::-1], y)):
        again = step(w, x2, y2)
        assert again[0] == value
        assert (again[1] == slopes).all()
    step.share(2)
    shared = step(w, x, y)
    assert shared[0] == value
    assert (shared[1] == slopes).all()


def test_rows_kept_and_columns_in_containers() -> None:
    x = np.linspace(-2.0, 2.0, 21, dtype=np.float32)
    f = jit(lambda c, t: {"y": where(t["x"] > 0, c * t["x"], exp(t["x"])), "c": c * 2.0}, batch=1, float32=True)
    for columns in ({"x": x}, {"x": x.astype(float)}):
        out = f(3.0, columns)
        assert (out["y"].dtype, out["c"].dtype) == (np.float32, np.float32)
        assert np.allclose(out["y"], np.where(x > 0, 3.0 * x, np.exp(x)), rtol=3e-7)
        assert (out["c"] == 6.0).all()
    kept = jit(lambda t: t * t, batch=0, float32=True)(x)
    assert kept.dtype == np.float32
    assert (kept == x * x).all()
    assert jit(lambda t: t * 1e30 * 1e30, batch=0, float32=True)(x)[-1] == math.inf  # beyond the largest float of 32 bits
    model = nn.MLP(1, [2, 1], seed=3)
    assert jit(lambda m, t: m([t]), batch=1, float32=True)(model, x).dtype == np.float32


def test_what_single_precision_is_not_for() -> None:
    with pytest.raises(
        errors.InputValueError, match=r"^float32=True is for batches: name the arguments that hold rows, batch=0$"
    ):
        jit(lambda x: x, float32=True)
    for backend in ("numpy", "python"):
        with pytest.raises(
            errors.InputValueError, match=f"^float32=True is for machine code, and backend='{backend}' computes in"
        ):
            jit(lambda x: x, batch=0, float32=True, backend=backend)
