"""A program cut into what is the same for every row and what is not: nothing lost, nothing done twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_lite.compiler import Instruction, Program
from autograd_lite.compiler.split import split
from autograd_lite.ops import TABLE
from tests.compiler import programs as p
from tests.same import same_bits


def program(inputs, *rows, out=None):
    made = tuple(Instruction(TABLE[op], tuple(args)) for op, *args in rows)
    return Program(inputs, made, (inputs + len(made) - 1,) if out is None else out)


def text(made):
    return str(made).replace("\n", "; ")


def joined(cut, inputs):
    """The outputs of a program that was cut, for one row."""
    shared = [inputs[i] for i in cut.shared]
    uniform = cut.uniform(shared)
    rows = cut.row([*shared, *uniform, *[inputs[i] for i in cut.columns]])
    return [row + same for row, same in zip(rows, uniform[cut.given :], strict=True)]


@given(p.programs(), st.data())
def test_together_they_give_what_the_whole_gave(before, data):
    is_column = data.draw(st.lists(st.booleans(), min_size=before.inputs, max_size=before.inputs))
    inputs = data.draw(st.lists(p.numbers(), min_size=before.inputs, max_size=before.inputs))
    for reduce in (False, True):
        for fastmath in (False, True):
            cut = split(before, is_column, reduce, fastmath)
            assert sorted([*cut.shared, *cut.columns]) == list(range(before.inputs))
            assert all(is_column[i] for i in cut.columns)
            assert len(cut.row.outputs) == len(before.outputs) == len(cut.uniform.outputs) - cut.given
            got = joined(cut, inputs)
            assert all(map(same_bits, got, before(inputs))), f"{before}\n\n{cut.uniform}\n\n{cut.row}"


@given(p.programs(), st.data())
def test_no_row_does_what_could_be_done_once(before, data):
    is_column = data.draw(st.lists(st.booleans(), min_size=before.inputs, max_size=before.inputs))
    cut = split(before, is_column)
    varies = [i >= cut.row.inputs - len(cut.columns) for i in range(cut.row.inputs)]
    for _, args in cut.row.instructions:
        varies.append(any(a.__class__ is int and varies[a] for a in args))
    assert all(varies[cut.row.inputs :])
    assert len(cut.row) + len(cut.uniform) <= len(before)


def test_the_row_part_holds_only_what_varies():
    before = program(3, ("exp", 0), ("mul", 3, 1), ("sin", 0), ("mul", 4, 5), ("add", 6, 2), ("cos", 1), out=(7,))
    cut = split(before, [False, True, False])
    assert text(cut.uniform) == "v2 = exp(v0); v3 = sin(v0); return v2, v3, -0.0"
    assert text(cut.row) == "v6 = mul(v2, v5); v7 = mul(v6, v3); v8 = add(v7, v1); return v8"
    assert (cut.given, cut.added) == (2, False)


def test_results_that_are_the_same_for_every_row():
    before = program(2, ("exp", 0), ("exp", 1), out=(2, 3, 7.0, 0, 1))
    cut = split(before, [False, True])
    assert text(cut.row) == "v7 = exp(v6); return -0.0, v7, -0.0, -0.0, v6"
    assert cut.uniform([0.0]) == [1.0, -0.0, 7.0, 0.0, -0.0]
    assert cut.added


def test_with_a_reduction_a_product_and_what_is_uniform_are_added_up_apart():
    before = program(2, ("mul", 0, 0), ("mul", 0, 1), ("add", 3, 2))
    for order in (before, program(2, ("mul", 0, 0), ("mul", 0, 1), ("add", 2, 3))):
        cut = split(order, [False, True], reduce=True)
        assert "add" not in str(cut.row)
        assert cut.uniform([3.0]) == [9.0]
        assert cut.added
        assert "add" in str(split(order, [False, True]).row)


@pytest.mark.parametrize("row", [("add", 1, 0), ("add", 1, -3.0), ("add", 3, 2), ("sub", 1, 0)])
def test_a_sum_that_may_cancel_is_not_cut(row):
    before = program(2, ("exp", 0), ("exp", 1), row)
    assert not split(before, [False, True], reduce=True).added
    assert split(before, [False, True], reduce=True, fastmath=True).added == (row[0] == "add")


@pytest.mark.parametrize("op", ["neg", "add", "where", "sum"])
@pytest.mark.parametrize("is_column", [[True], [False]])
def test_twice_the_length_takes_twice_the_steps(op, is_column):
    def chain(n):
        return program(1, *[(op, k, *[k] * ((TABLE[op].arity or 2) - 1)) for k in range(n)])

    once, twice = chain(400), chain(800)
    assert p.steps(lambda: split(twice, is_column, True)) <= 2.2 * p.steps(lambda: split(once, is_column, True))
