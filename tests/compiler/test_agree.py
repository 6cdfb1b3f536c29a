"""Whole expressions, orders 0 to 3, every backend against the eager engine: scalar calls to the bit, batches as conditioned.

The allowance of an expression is what half an ulp in every operand on the way adds up to.  A function of a vector library may
be off by 4 ulp, eight such halves, so a batch is given `LIMIT` and eight allowances.
"""

from __future__ import annotations

import math
import random
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("mpmath", reason="the truth is worked out with mpmath: install the extra 'test'")

import autograd_lite as al
from autograd_lite import Op, grad, hessian, jacobian, jit, ops, value_and_grad
from autograd_lite.ops.columns import MANY
from autograd_lite.strategies import Expression, expressions
from autograd_lite.strategies.conditioning import ILL, judge
from autograd_lite.tree import flatten
from tests.benchmarks import expressions as benchmark
from tests.compiler import programs as p
from tests.lines import formula
from tests.same import same_bits

LLVM = pytest.mark.skipif(not p.has("llvmlite"), reason="llvmlite is not installed: install the extra 'jit'")
NUMPY = pytest.mark.skipif(not p.has("numpy"), reason="NumPy is not installed: install the extra 'jit'")
SCALAR = ["python", pytest.param("llvm", marks=LLVM), "auto"]
BATCH = [*[pytest.param(b, marks=NUMPY) for b in ("python", "numpy", "auto")], pytest.param("llvm", marks=[LLVM, NUMPY])]
COUNT = 30 if settings.default.max_examples <= 25 else 600


def everything(e):
    """All derivatives up to second order, and those of the Hessian."""
    names = tuple(range(len(e.names)))
    return {
        0: e,
        1: value_and_grad(e, names),
        2: hessian(e, names),
        3: jacobian(hessian(e, names), names),
    }


@pytest.fixture(scope="module")
def drawn():
    return benchmark.draw(COUNT, start=500)


def chooses(e):
    """Whether conditions of the expression, or of its slopes, are computed: then the sums of second sweeps have an order of
    their own.
    """
    made = e.program.instructions
    return any((op.name == "where" and a[0].__class__ is int) or (op.name == "hypot" and len(a) > 2) for op, a in made)


# -- scalar calls -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", range(4))
@pytest.mark.parametrize("backend", SCALAR)
def test_scalar_calls_have_the_bits_of_the_eager_engine(drawn, backend, order):
    for e in drawn:
        f = everything(e)[order]
        fast, slow = jit(f, backend=backend), p.reference(f)
        points = [e.at, *[[x * (1.0 + 2.0**-k) for x in e.at] for k in (2, 9)], [-x for x in e.at], [0.0] * len(e.at)]
        for at in points if order < 3 else points[:1]:
            if order > 1 and chooses(e):
                assert flatten(fast(*at))[0] == pytest.approx(flatten(slow(*at))[0], rel=1e-12, nan_ok=True), (e, at)
            else:
                assert p.same(fast(*at), slow(*at)), (e, at)


OF_ITEMS = {
    "hypot": lambda v: ops.hypot(*v),
    "logsumexp": ops.logsumexp,
    "softmax": lambda v: ops.dot(ops.softmax(v), v),
    "log_softmax": lambda v: ops.dot(ops.log_softmax(v), v),
}


@pytest.mark.parametrize("items", [1, 2, 3, 7, 9, MANY, MANY + 1])
@pytest.mark.parametrize("name", OF_ITEMS)
@pytest.mark.parametrize("backend", SCALAR)
def test_slopes_of_items_have_the_bits_of_the_eager_engine(backend, name, items):
    eager, draw = grad(OF_ITEMS[name]), random.Random(items)
    fast = jit(eager, backend=backend)
    for _ in range(20):
        at = [draw.gauss(0.0, 3.0) for _ in range(items)]
        assert fast(at) == eager(at)


@pytest.mark.parametrize("backend", SCALAR)
def test_a_wrong_bit_would_be_noticed(backend):
    nearly = formula([(ops.sin, (0,)), (ops.mul, (1, 1.0 + 2.0**-52))], x=0.7)
    right = formula([(ops.sin, (0,)), (ops.mul, (1, 1.0))], x=0.7)
    assert not p.same(jit(nearly, backend=backend)(0.7), p.reference(right)(0.7))
    assert p.same(jit(right, backend=backend)(0.7), p.reference(right)(0.7))


@given(expressions(max_ops=5))
def test_loaded_programs_give_what_the_function_gave(e):
    f = value_and_grad(e, tuple(range(len(e.names))))
    fast = jit(f, backend="python")
    program = fast.program(*e.at)
    value, slopes = fast(*e.at)
    again = type(program).from_list(program.to_list())
    assert all(map(same_bits, again(list(e.at)), [value, *slopes]))


# -- batches ----------------------------------------------------------------------------------------------------------


def rows_of(e):
    """Points all over the box at which the expression is well conditioned, with what is true there."""
    found = [e]
    for share in (0.0, 0.25, 0.8, 1.0):
        point = {name: low + share * (high - low) for name, (low, high) in e.box.items()}
        there = Expression(e.names, e.program, point)
        if all(low < high for low, high in e.box.values()) and judge(there, {}):
            found.append(there)
    return found


def columns_of(result):
    if isinstance(result, (list, tuple)):
        return [column for part in result for column in columns_of(part)]
    return [result]


@pytest.fixture(scope="module")
def rows_of_drawn(drawn):
    return [(e, rows_of(e)) for e in drawn[: COUNT // 2]]


@pytest.mark.parametrize("backend", BATCH)
def test_batches_are_as_close_as_the_conditioning_allows(rows_of_drawn, backend):
    for e, rows in rows_of_drawn:
        table = [[row.at[k] for row in rows] for k in range(len(e.names))]
        batch = tuple(range(len(e.names)))
        _, first, second, _ = everything(e).values()
        value, slopes = jit(first, batch=batch, backend=backend)(*table)
        curves = jit(second, batch=batch, backend=backend)(*table)
        for i, row in enumerate(rows):
            found = {(): value[i]} | {(j,): s[i] for j, s in enumerate(slopes)}
            found |= {(j, k): d[i] for j, r in enumerate(curves) for k, d in enumerate(r)}
            for key, error in benchmark.errors(row, found):
                assert error <= benchmark.LIMIT + 8.0, (row, key, error)


@pytest.mark.parametrize("backend", BATCH)
def test_third_derivatives_in_batches(drawn, backend):
    for e in drawn[: COUNT // 3]:
        f = everything(e)[3]
        batch = tuple(range(len(e.names)))
        got = columns_of(jit(f, batch=batch, backend=backend)(*[[x] * 9 for x in e.at]))
        wanted = flatten(p.reference(f)(*e.at))[0]
        curves = flatten(p.reference(everything(e)[2])(*e.at))[0]
        # no worse conditioned, by the strategy's own bound, than ILL to the size of what it is made of
        size = max([abs(w) for w in wanted] + [abs(c / x) for c in curves for x in e.at if x])
        room = 16.0 * 2.0**-53 * ILL * size
        for column, w in zip(got, wanted, strict=True):
            assert all(abs(x - w) <= room for x in column), e
            assert all(x == column[0] for x in column[:8])


def test_batches_in_python_have_the_bits_of_scalar_calls(drawn):
    pytest.importorskip("numpy", reason="batches are made of NumPy arrays: install the extra 'jit'")
    for e in drawn:
        for order in (0, 1, 2):
            f = everything(e)[order]
            got = columns_of(jit(f, batch=tuple(range(len(e.names))), backend="python")(*[[x] for x in e.at]))
            wanted = flatten(jit(f, backend="python")(*e.at))[0]
            assert p.same([float(column[0]) for column in got], wanted), e


@pytest.mark.parametrize("backend", BATCH)
def test_sums_over_a_batch_are_those_of_its_rows(drawn, backend):
    for e in drawn[: COUNT // 3]:
        f = everything(e)[1]
        batch = tuple(range(len(e.names)))
        table = [[x] * 13 for x in e.at]
        each = columns_of(jit(f, batch=batch, backend=backend)(*table))
        total = flatten(jit(f, batch=batch, reduce="sum", backend=backend)(*table))[0]
        mean = flatten(jit(f, batch=batch, reduce="mean", backend=backend)(*table))[0]
        for column, t, m in zip(each, total, mean, strict=True):
            room = 13 * 2.0**-50 * sum(map(abs, column))
            assert abs(t - math.fsum(column)) <= room
            assert abs(m - math.fsum(column) / 13) <= room / 13


@pytest.mark.parametrize("fault", [1.0 + 1e-11, -1.0, 0.0])
def test_a_wrong_derivative_in_a_batch_would_be_noticed(fault):
    pytest.importorskip("numpy", reason="batches are made of NumPy arrays: install the extra 'jit'")
    wrong = Op("exp", ops.exp.forward, lambda x, out: fault * out)
    right, planted = (
        formula([(ops.mul, (0, 1)), (ops.sin, (2,)), (exp, (3,)), (ops.div, (4, 0))], x=0.7, y=1.3) for exp in (ops.exp, wrong)
    )
    assert judge(right, {})

    def errors(e):
        _, slopes = jit(value_and_grad(e, (0, 1)), batch=(0, 1), backend="python")([0.7], [1.3])
        return [error for _, error in benchmark.errors(right, {(j,): s[0] for j, s in enumerate(slopes)})]

    assert max(errors(right)) <= benchmark.LIMIT
    assert min(errors(planted)) > benchmark.LIMIT + 8.0


# -- random programs --------------------------------------------------------------------------------------------------


@given(p.programs(), st.data())
@pytest.mark.parametrize("backend", SCALAR)
def test_any_program_keeps_its_bits_in_scalar_calls(backend, program, data):
    inputs = data.draw(st.lists(p.numbers(), min_size=program.inputs, max_size=program.inputs))
    assert p.same(jit(p.function(program), backend=backend)(*inputs), program(inputs)), f"{program}\n{inputs}"


@given(p.programs(exact=True).filter(lambda program: program.inputs), st.data())
@pytest.mark.parametrize("backend", BATCH)
def test_what_is_rounded_once_has_the_same_bits_in_every_row(backend, program, data):
    batch = sorted(data.draw(st.sets(st.integers(0, program.inputs - 1), min_size=1)))
    n = data.draw(st.sampled_from([1, 2, 8, 11]))
    table = [
        data.draw(st.lists(p.numbers(), min_size=n, max_size=n)) if i in batch else data.draw(p.numbers())
        for i in range(program.inputs)
    ]
    got = jit(p.function(program), batch=batch, backend=backend)(*table)
    for row in range(n):
        wanted = program([x[row] if i in batch else x for i, x in enumerate(table)])
        assert p.same([float(column[row]) for column in got], wanted), f"{program}\n{table}\n{row}"


@given(p.programs(most=6, exact=True).filter(lambda program: program.inputs), st.data())
@pytest.mark.parametrize("backend", BATCH)
def test_sums_of_whole_numbers_are_exact(backend, program, data):
    whole = st.integers(-8, 8).map(float)
    n = data.draw(st.sampled_from([1, 3, 8, 11]))
    batch = sorted(data.draw(st.sets(st.integers(0, program.inputs - 1), min_size=1)))
    table = [
        data.draw(st.lists(whole, min_size=n, max_size=n)) if i in batch else data.draw(whole) for i in range(program.inputs)
    ]
    rows = [program([x[k] if i in batch else x for i, x in enumerate(table)]) for k in range(n)]
    got = jit(p.function(program), batch=batch, reduce="sum", backend=backend)(*table)
    for total, column in zip(got, zip(*rows, strict=True), strict=True):
        if all(abs(x) < 2.0**40 and x * 2.0**8 == math.floor(x * 2.0**8) for x in column):
            assert total == math.fsum(column), f"{program}\n{table}"


# -- users' ops -------------------------------------------------------------------------------------------------------


@LLVM
def test_machine_code_calls_users_ops_back_also_two_of_one_name():
    mine = Op("mine", lambda x: x * x, lambda x, out: 2.0 * x)
    other = Op("mine", lambda x: x + 1.0, lambda x, out: 1.0)
    for f in (mine, value_and_grad(mine), lambda x: [mine(x), other(x), grad(lambda x: mine(other(x)))(x)]):
        assert jit(f, backend="llvm")(2.0) == f(2.0)


@pytest.mark.parametrize("backend", ["python", "numpy", pytest.param("llvm", marks=LLVM), "auto"])
def test_a_batch_calls_users_ops_back_also_two_of_one_name(backend):
    np = pytest.importorskip("numpy")
    mine = Op("sin", lambda x: x * x, lambda x, out: 2.0 * x)
    other = Op("sin", lambda x: x + 1.0, lambda x, out: 1.0)
    f = value_and_grad(lambda x: mine(other(x)) + al.sin(x) * other(x))
    fast = jit(f, batch=0, backend=backend)
    x = np.linspace(-2.0, 2.0, 19)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # none gives way to another backend
        got = fast(x)
    assert np.allclose(np.transpose(got), [f(float(t)) for t in x], rtol=1e-15)


@LLVM
@pytest.mark.parametrize("batch", [None, 0])
def test_what_a_users_op_raises_reaches_the_caller(batch):
    np = pytest.importorskip("numpy")
    picky = Op("picky", math.log, lambda x, out: ops.div(1.0, x))
    fast = jit(picky, backend="llvm", batch=batch)
    good, bad = (2.0, -2.0) if batch is None else (np.full(9, 2.0), np.linspace(2.0, -2.0, 9))
    assert np.all(fast(good) == math.log(2.0))
    with pytest.raises(ValueError, match=r"math domain error|expected a positive input"):  # the latter as of CPython 3.14
        fast(bad)
    assert np.all(fast(good) == math.log(2.0))
