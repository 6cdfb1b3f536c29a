"""What becomes of a program, and of the order of its lines, before it is machine code.  None of it needs llvmlite."""

from __future__ import annotations

import random
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_lite import Op, ops
from autograd_lite.compiler.llvm.asked import asked
from autograd_lite.compiler.llvm.prepare import (
    CALLS,
    LONGEST,
    SumTerm,
    calls_together,
    on_demand,
    plan,
    prepared,
    shortened,
)
from autograd_lite.compiler.llvm.schedule import arranged
from autograd_lite.program import Guard, Program
from tests.compiler import cases
from tests.same import same_bits

made, ROW = cases.made, cases.ROW


def test_long_sums_are_taken_in_steps_of_the_same_bits() -> None:
    n = 3 * LONGEST + 7
    every = tuple(range(n))
    rng = random.Random(3)
    at = [rng.uniform(-1.0, 1.0) * 10.0 ** rng.randrange(-8, 8) for _ in every]
    rows = [(ops.sum, every), (ops.mean, every), (ops.prod, every), (ops.dot, every + every), (ops.sum, (-0.0,) * n)]
    program = made(n, *rows, outputs=range(n, n + 5))
    assert max(len(args) for _, args in shortened(program).instructions) == LONGEST
    assert shortened(program)(at) == program(at)
    short = made(2, (ops.sum, (0, 1)), outputs=[2])
    assert shortened(short) is short
    guarded = made(n, (ops.sum, every), outputs=[n], guards=[Guard(n, True, "here")])
    assert shortened(guarded).guards[0].ref == shortened(guarded).outputs[0] > n


def test_plan_keeps_factors_that_only_outputs_need() -> None:
    found = plan(ROW)
    assert len(found.program) == len(ROW) - 2  # v7 and v10 are multiplied where they are added up; v11 is needed as it is
    assert found.program.outputs == (6, 4, 8, 7, 3, 9, 10, 2.5, 1)
    assert found.terms == tuple(
        SumTerm(*places)
        for places in [(0, 1), (2, None), (3, 4), (5, None), (6, None), (4, None), (7, None), (8, None), (3, 4)]
    )


def test_relu_is_a_maximum_and_its_slope_is_taken_from_its_result() -> None:
    program = made(2, (ops.relu, (0,)), (ops.heaviside, (0, 0.0)), (ops.heaviside, (1, 0.0)), (ops.heaviside, (0, 0.5)),
                   (ops.heaviside, (2.0, 0.0)), (ops.relu, (0.0,)), outputs=[2, 3, 4, 5, 6, 7])  # fmt: skip
    changed = prepared(program)
    assert [op.name for op, _ in changed.instructions] == ["lt", "where", "gt", "where", *["heaviside"] * 3, "lt", "where"]
    assert [args for op, args in changed.instructions if op is ops.where] == [(2, 0.0, 0), (4, 1.0, 3), (9, 0.0, 0.0)]
    for x in (-1.0, 0.0, 2.0, inf, -inf, nan):
        for y in (-1.0, 0.0, nan):
            assert all(map(same_bits, changed([x, y]), program([x, y])))
    assert changed([-0.0, 1.0]) == program([-0.0, 1.0])  # but for the sign of zero


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), st.sampled_from(["fadd", "load", "store"])), max_size=120))
def test_arranged_lines_come_after_what_they_need(drawn: list[tuple[int, int, str]]) -> None:
    lines: list[str] = []
    values = 0
    for a, b, kind in drawn:
        x, y = (f"%t{i % values}" if values else "%in" for i in (a, b))
        if kind == "store":
            lines.append(f"  store double {x}, ptr %p{len(lines)}")
            continue
        lines.append(f"  %t{values} = {kind} double {x}, {y}")
        values += 1
    result = arranged(lines)
    assert sorted(result) == sorted(lines)
    known: set[str] = set()
    for line in result:
        name, _, text = line.strip().rpartition(" = ")
        assert {w.strip(",") for w in text.split() if w.startswith("%t")} <= known
        known.add(name)


@pytest.mark.parametrize("seed", range(20))
def test_values_made_on_demand_are_the_same(seed: int) -> None:
    rng = random.Random(seed)
    rows = [(rng.choice([ops.add, ops.mul, ops.sub]), (rng.randrange(3 + i), rng.choice([rng.randrange(3 + i), 0.5])))
            for i in range(30)]  # fmt: skip
    program = made(3, *rows, outputs=[rng.randrange(33) for _ in range(6)] + [2.5])
    changed = on_demand(program)
    assert changed([1.0, 2.0, -0.7]) == program([1.0, 2.0, -0.7])
    assert len(changed) <= len(program)
    for number, (_, args) in enumerate(changed.instructions, 3):
        assert all(a.__class__ is float or a < number for a in args)


@pytest.mark.parametrize("seed", range(20))
def test_calls_are_brought_together_and_results_stay(seed: int) -> None:
    rng = random.Random(seed)
    rows = [(rng.choice([ops.add, ops.mul, ops.sub, ops.sin]), rng.randrange(3 + i), rng.randrange(3 + i)) for i in range(500)]
    program = made(3, *[(op, (a, b)[: op.arity]) for op, a, b in rows], outputs=[rng.randrange(503) for _ in range(6)] + [2.5])
    changed = calls_together(program)
    assert all(map(same_bits, changed([1.0, 2.0, -0.7]), program([1.0, 2.0, -0.7])))
    assert sorted(op.name for op, _ in changed.instructions) == sorted(op.name for op, _ in program.instructions)
    for number, (_, args) in enumerate(changed.instructions, 3):
        assert all(a < number for a in args if a.__class__ is int)


def runs(program: Program) -> list[int]:
    """How many calls stand next to each other, each time."""
    return [len(run) for run in "".join("- "[not asked(op).calls] for op, _ in program.instructions).split()]


def test_calls_that_do_not_wait_for_each_other_stand_together() -> None:
    net: list[tuple[Op, Any]] = []
    for layer in range(3):  # each of the 10 sums of a layer in front of its own tanh, as values are made on demand
        for i in range(10):
            net += [
                (ops.sum, range(20 * layer - 9 if layer else 0, 10 + 20 * layer, 2)),
                (ops.tanh, (10 + 20 * layer + 2 * i,)),
            ]
    program = made(10, *[(op, tuple(args)) for op, args in net], outputs=[69])
    assert (runs(program), runs(calls_together(program))) == ([1] * 30, [10] * 3)


def test_values_wait_for_a_bounded_number_of_calls() -> None:
    program = made(
        1, *[(op, (0 if op is ops.neg else 1 + 2 * i,)) for i in range(1000) for op in (ops.neg, ops.exp)], outputs=[0]
    )
    assert set(runs(calls_together(program))) == {CALLS, 1000 % CALLS}


def test_plan_tells_an_input_from_the_constant_of_its_number() -> None:
    found = plan(made(2, (ops.mul, (0, 0.0)), (ops.mul, (1, -0.0)), outputs=[2, 3, 1.0, 1]))
    assert found.program.outputs == (0, 0.0, 1, -0.0, 1.0)
    assert [ref.__class__ for ref in found.program.outputs] == [int, float, int, float, float]
    assert found.terms == (SumTerm(0, 1), SumTerm(2, 3), SumTerm(4, None), SumTerm(2, None))


def test_what_follows_from_calls_comes_after_all_of_them() -> None:
    program = made(10, *[row for i in range(10) for row in ((ops.exp, (i,)), (ops.neg, (10 + 2 * i,)))], outputs=[29])
    assert (runs(program), runs(calls_together(program))) == ([1] * 10, [10])
