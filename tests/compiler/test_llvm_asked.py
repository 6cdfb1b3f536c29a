"""What a row asks of a machine is read off its formula, of a user's op too."""

from __future__ import annotations

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


def test_a_users_own_op_is_taken_for_what_it_is() -> None:
    program = made(2, (halved, (0,)), (called, (2,)), (halved, (1,)), (called, (4,)), outputs=[3, 5])
    assert [op.name for op in calls_together(program).ops] == ["halved", "halved", "called", "called"]


def test_rows_that_are_written_out_are_no_calls() -> None:
    program = made(2, (ops.exp, (0,)), (ops.neg, (2,)), (ops.exp, (1,)), (ops.neg, (4,)), outputs=[3, 5])
    assert [op.name for op in calls_together(program).ops] == ["exp", "exp", "neg", "neg"]
    assert calls_together(program, {"exp"}) is program
