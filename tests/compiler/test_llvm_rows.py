"""Every row of the op table in machine code: one at a time to the bit, over rows on what other machines have too."""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest

pytest.importorskip("llvmlite", reason="machine code needs llvmlite: install the extra 'jit'")
pytest.importorskip("numpy", reason="columns are NumPy arrays: install the extra 'jit'")

import mpmath
import numpy as np

from autograd_lite import Op, ops
from autograd_lite.compiler.llvm.kernel import batch
from autograd_lite.compiler.llvm.native import Machine, host
from autograd_lite.compiler.llvm.scalar import scalar
from autograd_lite.ops import expm1, gt, le, where
from autograd_lite.program import Program
from tests.compiler import cases
from tests.ops import reference
from tests.same import same_bits

made = cases.made

CASES = cases.cases()
IDS = [f"{op.name}-{arity}" for op, arity in CASES]
ULP = 8.0  # a row has up to two functions of the vector library, each within 4 ulp
MOST_GROUPS = 12  # choices of the constants that a row is tried with

MACHINES = {
    "host": host(),
    **({"without AVX-512": host("avx512")} if host().has("avx512f") else {}),
    "no vector library": Machine(4, {}, host().cpu, host().features),
}


NOTHING = made(0, outputs=())


class Tried(NamedTuple):
    """A row applied to arguments of which some are constants, points, and what is wanted.

    Each point is for one of the outputs.
    """

    rows: list[tuple[Op, tuple[float, ...]]]
    points: list[tuple[int, tuple[float, ...]]]
    wanted: list[float]


@functools.lru_cache(maxsize=32)
def tried(op: Op, arity: int) -> Tried:
    """With every choice of the arguments that vary, and constants in place of the others."""
    found: dict[tuple[bool, ...], list[Any]] = {}
    for varies, points in cases.columns(op, arity):
        found.setdefault(varies, []).append(points)
    rows, at = [], []
    for varies, every in found.items():
        for points in every[:: -(-len(every) // MOST_GROUPS)]:
            at += [(len(rows), point) for point in points]
            rows.append((op, tuple(i if varies[i] else x for i, x in enumerate(points[0]))))
    return Tried(rows, at, [op.forward(*point) for _, point in at])


def program(together: Sequence[tuple[Op, int]]) -> Program:
    """What is tried of some rows of as many arguments, as one program: LLVM takes as long for a program as for a row."""
    rows = [row for op, arity in together for row in tried(op, arity).rows]
    _, arity = together[0]
    return made(arity, *rows, outputs=range(arity, arity + len(rows)))


def in_scalar_code(op: Op, arity: int) -> list[Any]:
    """Where scalar code and the row's own function differ in a bit."""
    wrong = []
    code = scalar(program([(op, arity)]))
    _, points, wanted = tried(op, arity)
    for (k, at), value in zip(points, wanted, strict=True):
        got = code(at)
        assert got.__class__ is tuple
        if not same_bits(got[k], value):
            wrong.append((at, got[k], value))
    return wrong


def truth(op: Op, at: tuple[float, ...]) -> float:
    """What the row is to many digits: where results have few bits its own function may be the one that is far off."""
    with mpmath.workdps(60):
        return float(reference.exactly(op, at)(*map(mpmath.mpf, at)))


def over_rows(op: Op, arity: int, machine: Machine, kernel: Any = None, first: int = 0) -> list[Any]:
    """Where a batch differs by more than a few units in the last place from the row's own function and from the truth.

    The outputs are those of a kernel from `first` on, or of one of the row alone.
    """
    wrong = []
    kernel = kernel or batch(NOTHING, program([(op, arity)]), arity, reduce=False, machine=machine)
    _, points, wanted = tried(op, arity)
    out = kernel(np.empty(0), list(np.array([at for _, at in points]).T), len(points))[1].tolist()
    for row, ((k, at), value) in enumerate(zip(points, wanted, strict=True)):
        got = out[first + k][row]
        tiny = 0.0 < abs(value) < 1e-307
        if not cases.within(op, at, got, value, ULP) and not (tiny and cases.within(op, at, got, truth(op, at), ULP)):
            wrong.append((at, got, value))
    return wrong


@functools.cache
def together(arity: int) -> list[list[tuple[Op, int]]]:
    """The rows of so many arguments in groups that are compiled as one; what may be called back at every point, alone."""
    plain = [(op, n) for op, n in CASES if n == arity and not op.settings]
    return [plain[i : i + 8] for i in range(0, len(plain), 8)] + [[(op, n)] for op, n in CASES if n == arity and op.settings]


@functools.cache
def kernel_with(op: Op, arity: int, machine: str) -> tuple[Any, int]:
    """A kernel in which a row is, and the first of its outputs."""
    (group,) = [group for group in together(arity) if (op, arity) in group]
    if (op, arity) != group[0]:
        kernel, _ = kernel_with(*group[0], machine)
    else:
        kernel = batch(NOTHING, program(group), arity, reduce=False, machine=MACHINES[machine])
    return kernel, sum(len(tried(*case).rows) for case in group[: group.index((op, arity))])


@pytest.mark.parametrize(("op", "arity"), CASES, ids=IDS)
def test_every_row_in_scalar_code_has_its_own_bits(op: Op, arity: int) -> None:
    assert in_scalar_code(op, arity)[:5] == []


@pytest.mark.parametrize(("op", "arity"), CASES, ids=IDS)
def test_every_row_over_rows(op: Op, arity: int) -> None:
    for name, machine in MACHINES.items():
        assert (name, over_rows(op, arity, machine, *kernel_with(op, arity, name))[:5]) == (name, [])


def test_single_functions_are_within_4_ulp() -> None:
    """Rows that are one function of the vector library, held to that library's own promise."""
    rng = random.Random(0)
    for name in sorted(host().vector):
        op = ops.TABLE[name]
        arity = op.arity or 2
        points = [tuple(rng.uniform(*rng.choice([(-1, 1), (-20, 20), (0, 700)])) for _ in range(arity)) for _ in range(2000)]
        kernel = batch(NOTHING, made(arity, (op, tuple(range(arity))), outputs=[arity]), arity, reduce=False)
        _, out = kernel(np.empty(0), list(np.array(points).T), len(points))
        for at, got in zip(points, out[0].tolist(), strict=True):
            assert cases.within(op, at, got, op.forward(*at), 4.5), (name, at, got)  # 4 from the truth, 0.5 the reference


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("leaky_relu", lambda x, slope: where(gt(x, 0.0), x, where(le(x, 0.0), slope * x, 0.0))),  # nan
        ("exp2", lambda x: (expm1(x * math.log(2.0)) + 1.0) * (1.0 + 4e-15)),
        ("sub", lambda x, y: y + -x),
        ("maximum", lambda x, y: where(gt(x, y), x, y)),
    ],
)
def test_a_wrong_lowering_is_noticed(name: str, fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cases.plant(monkeypatch, name, fault)
    op = ops.TABLE[name]
    assert op.arity is not None
    assert in_scalar_code(op, op.arity)
    assert over_rows(op, op.arity, host())
