"""Every row of the op table in machine code: one at a time to the bit, over rows on what other machines have too."""

from __future__ import annotations

import functools
import math
import random
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
    """A program that applies a row with several constants, at points given by the arguments that vary, and what is wanted.

    Each point is for one of the outputs.
    """

    program: Program
    points: list[tuple[int, tuple[float, ...], list[float]]]
    wanted: list[float]


@functools.lru_cache(maxsize=4)
def tried(op: Op, arity: int) -> list[Tried]:
    """For each choice of the arguments that vary."""
    found: dict[tuple[bool, ...], list[Any]] = {}
    for varies, points in cases.columns(op, arity):
        found.setdefault(varies, []).append(points)
    result = []
    for varies, every in found.items():
        groups = every[:: -(-len(every) // MOST_GROUPS)]
        places = [i for i in range(arity) if varies[i]]
        rows = [(op, tuple(places.index(i) if varies[i] else x for i, x in enumerate(points[0]))) for points in groups]
        program = made(len(places), *rows, outputs=range(len(places), len(places) + len(rows)))
        at = [(k, at, [at[i] for i in places]) for k, points in enumerate(groups) for at in points]
        result.append(Tried(program, at, [op.forward(*point) for _, point, _ in at]))
    return result


def in_scalar_code(op: Op, arity: int) -> list[Any]:
    """Where scalar code and the row's own function differ in a bit."""
    wrong = []
    for program, points, wanted in tried(op, arity):
        code = scalar(program)
        for (k, at, moving), value in zip(points, wanted, strict=True):
            got = code(moving)
            assert got.__class__ is tuple
            if not same_bits(got[k], value):
                wrong.append((at, got[k], value))
    return wrong


def truth(op: Op, at: tuple[float, ...]) -> float:
    """What the row is to many digits: where results have few bits its own function may be the one that is far off."""
    with mpmath.workdps(60):
        return float(reference.exactly(op, at)(*map(mpmath.mpf, at)))


def over_rows(op: Op, arity: int, machine: Machine) -> list[Any]:
    """Where a batch differs by more than a few units in the last place from the row's own function and from the truth."""
    wrong = []
    for program, points, wanted in tried(op, arity):
        columns = np.array([moving for _, _, moving in points]).T
        kernel = batch(NOTHING, program, program.inputs, reduce=False, machine=machine)
        out = kernel(np.empty(0), list(columns), len(points))[1].tolist()
        for row, ((k, at, _), value) in enumerate(zip(points, wanted, strict=True)):
            got = out[k][row]
            tiny = 0.0 < abs(value) < 1e-307
            if not cases.within(op, at, got, value, ULP) and not (tiny and cases.within(op, at, got, truth(op, at), ULP)):
                wrong.append((at, out[k][row], value))
    return wrong


@pytest.mark.parametrize(("op", "arity"), CASES, ids=IDS)
def test_every_row_in_scalar_code_has_its_own_bits(op: Op, arity: int) -> None:
    assert in_scalar_code(op, arity)[:5] == []


@pytest.mark.parametrize(("op", "arity"), CASES, ids=IDS)
def test_every_row_over_rows(op: Op, arity: int) -> None:
    for name, machine in MACHINES.items():
        assert (name, over_rows(op, arity, machine)[:5]) == (name, [])


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
