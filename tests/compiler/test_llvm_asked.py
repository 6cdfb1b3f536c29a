"""What a row asks of a machine is read off its formula, of a user's op too."""

from __future__ import annotations

import pytest

import autograd_lite as al
from autograd_lite import Op, ops
from autograd_lite.compiler.llvm.asked import Asked, asked
from autograd_lite.compiler.llvm.prepare import calls_together
from autograd_lite.ops import TABLE
from tests.compiler.cases import made

halved = Op("halved", lambda x: x / 2.0, 0.5, core=lambda x: 0.5 * x)
tenth = Op("tenth", lambda x: 0.1 * x, 0.1, core=lambda x: 0.1 * x)
called = Op("called", lambda x: 0.5 * x, 0.5)


def test_formulas_are_read() -> None:
    assert asked(halved) == Asked(calls=False, doubles=False)
    assert asked(tenth) == Asked(calls=False, doubles=True)  # no float of 32 bits is 0.1
    assert asked(called).calls
    assert asked(ops.exp).calls
    assert asked(TABLE["muldiv"]) == Asked(calls=False, doubles=True)  # it knows the range of doubles
    assert asked(TABLE["unit"]).doubles
    assert not any(asked(op).calls for op in (ops.add, ops.where, ops.clamp, ops.hypot, ops.sum, ops.sqrt, TABLE["influence"]))


def test_a_formula_for_another_number_of_items_asks_for_all_there_is() -> None:
    def middle(*items: float) -> float:
        _, mid, _ = items
        return mid * 1.0

    own = Op("middle", middle, lambda args, out: (0.0, 1.0, 0.0), core=middle, variadic=True)
    assert asked(own) == Asked(calls=True, doubles=True)
    jit = pytest.importorskip("llvmlite") and al.jit(lambda x, y, z: own(x, y, z) + x, batch=(0, 1, 2), float32=True)
    assert jit([1.0, 2.0], [3.0, 4.0], [5.0, 6.0]).tolist() == [4.0, 6.0]


def test_a_users_own_op_is_taken_for_what_it_is() -> None:
    program = made(2, (halved, (0,)), (called, (2,)), (halved, (1,)), (called, (4,)), outputs=[3, 5])
    assert [op.name for op in calls_together(program).ops] == ["halved", "halved", "called", "called"]


def test_a_users_formula_is_worked_out_in_double_precision() -> None:
    """It may cancel, or come out of the range on the way."""
    pytest.importorskip("llvmlite")
    cancels = Op("cancels", lambda x: (1.0 + x) - 1.0, 1.0, core=lambda x: (1.0 + x) - 1.0)
    square = Op("square_over", lambda x: x * x / 4e30, 1.0, core=lambda x: ops.div(x * x, 2.0**102))
    assert asked(cancels) == Asked(calls=False, doubles=True)
    assert asked(square) == Asked(calls=False, doubles=False)
    found = al.jit(lambda x, y: cancels(x) + square(y), batch=(0, 1), float32=True)([1e-6, 0.0], [0.0, 2.0**70])
    assert found.tolist() == pytest.approx([1e-6, 2.0**38], rel=1e-6)


def test_rows_that_are_written_out_are_no_calls() -> None:
    program = made(2, (ops.exp, (0,)), (ops.neg, (2,)), (ops.exp, (1,)), (ops.neg, (4,)), outputs=[3, 5])
    assert [op.name for op in calls_together(program).ops] == ["exp", "exp", "neg", "neg"]
    assert calls_together(program, {"exp"}) is program
