"""Each pass alone: what it does, what it must leave alone, the same bits before and after, and time linear in the length."""

from __future__ import annotations

import itertools
import random
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_lite as al
from autograd_lite import Op, grad, jit, ops, value_and_grad
from autograd_lite.accelerated import loaded
from autograd_lite.compiler import Guard, Instruction, Program
from autograd_lite.compiler.simplify import (
    _STRENGTH,
    dead_code,
    fold,
    reduce_strength,
    relax,
    rewrite,
    rewritten,
    simplify,
)
from autograd_lite.ops import TABLE
from autograd_lite.tree import flatten
from tests.compiler import programs as p
from tests.same import same_bits


def constant_folding(program):
    return rewrite(program, fold)


def strength_reduction(program):
    return rewrite(program, reduce_strength)


def common_subexpressions(program):
    return rewrite(program)


PASSES = [dead_code, constant_folding, strength_reduction, common_subexpressions, simplify]
GRID = [0.0, -0.0, 0.1, -0.3, 1.0, -1.0, 3.0, 7.0, 1e-300, -5e-324, 1.7e308, -1e200, inf, -inf, nan]


def program(inputs, *rows, out=None, guards=()):
    """A program from rows (op name or op, operands...); it returns the last value, or `out`."""
    made = tuple(Instruction(TABLE[op] if isinstance(op, str) else op, tuple(args)) for op, *args in rows)
    return Program(inputs, made, (inputs + len(made) - 1,) if out is None else out, guards)


def guarded(made, guards):
    """The program with these branches."""
    return Program(made.inputs, made.instructions, made.outputs, guards)


def text(made):
    return str(made).replace("\n", "; ")


def agree(before, after, inputs):
    """Whether two programs give the same bits, and their guards the same answer."""
    one, other = p.values(before, inputs), p.values(after, inputs)
    results = zip(before(inputs), after(inputs), strict=True)
    hold = [all(bool(v[g.ref]) is g.expected for g in q.guards) for v, q in ((one, before), (other, after))]
    return all(same_bits(x, y) for x, y in results) and hold[0] == hold[1]


# -- what each pass does ----------------------------------------------------------------------------------------------

DEAD = [
    (program(1, ("sin", 0), ("cos", 0), out=(1,)), "v1 = sin(v0); return v1"),
    (program(1, ("sin", 0), ("cos", 0), out=(2,)), "v1 = cos(v0); return v1"),
    (program(1, ("sin", 0), ("cos", 1), ("exp", 0), ("add", 3, 2)), None),
    (program(2, ("sin", 0), ("exp", 1), out=(0, 1.5)), "return v0, 1.5"),
    (program(1, ("gt", 0, 1.0), ("sin", 0), out=(0,), guards=(Guard(1, True, "a:1"),)),
     "v1 = gt(v0, 1.0); assert v1  # a:1; return v0"),
    (program(1, ("exp", 0), ("sin", 0), ("gt", 2, 1.0), out=(0,), guards=(Guard(3, False, "a:1"),)),
     "v1 = sin(v0); v2 = gt(v1, 1.0); assert not v2  # a:1; return v0"),
    (program(0, out=(2.0,)), "return 2.0"),
]  # fmt: skip
FOLDED = [
    (program(0, ("add", 1.0, 2.0)), "return 3.0"),
    (program(1, ("mul", 2.0, 3.0), ("mul", 0, 1)), "v1 = mul(v0, 6.0); return v1"),
    (program(1, ("exp", 0.0), ("log", 1), ("sub", 0, 2)), "v1 = sub(v0, 0.0); return v1"),
    (program(0, ("div", 1.0, 0.0)), "return inf"),
    (program(0, ("neg", 0.0)), "return -0.0"),
    (program(0, ("sum", 1.0, 2.0, 3.0)), "return 6.0"),
    (program(0, ("lt", 1.0, 2.0), out=(5.0,), guards=(Guard(0, True, "a:1"),)), "return 5.0"),
    (program(1, ("mul", 0, 0.0)), None),
    (program(1, ("where", 1.0, 0, 2.0)), None),
]
COMMON = [
    (program(1, ("sin", 0), ("sin", 0), ("add", 1, 2)), "v1 = sin(v0); v2 = add(v1, v1); return v2"),
    (program(2, ("add", 0, 1), ("add", 1, 0), ("mul", 2, 3)), "v2 = add(v0, v1); v3 = mul(v2, v2); return v3"),
    (program(2, ("mul", 0, 2.0), ("mul", 2.0, 0), ("sub", 2, 3)), "v2 = mul(v0, 2.0); v3 = sub(v2, v2); return v3"),
    (program(1, ("sin", 0), ("exp", 1), ("sin", 0), ("exp", 3), out=(2, 4)),
     "v1 = sin(v0); v2 = exp(v1); return v2, v2"),
    (program(1, ("add", 0, nan), ("add", 0, nan), out=(1, 2)), "v1 = add(v0, nan); return v1, v1"),
    (program(1, ("gt", 0, 1.0), ("gt", 0, 1.0), guards=(Guard(1, True, "a:1"), Guard(2, True, "a:2"))),
     "v1 = gt(v0, 1.0); assert v1  # a:1; return v1"),
    # what only looks the same; the larger of 0.0 and -0.0 is the second
    (program(2, ("maximum", 0, 1), ("maximum", 1, 0), out=(2, 3)), None),
    (program(2, ("minimum", 0, 1), ("minimum", 1, 0), out=(2, 3)), None),
    (program(2, ("sub", 0, 1), ("sub", 1, 0), out=(2, 3)), None),
    (program(2, ("div", 0, 1), ("div", 1, 0), out=(2, 3)), None),
    (program(2, ("lt", 0, 1), ("lt", 1, 0), out=(2, 3)), None),
    (program(2, ("add", 0, 1), ("mul", 0, 1), out=(2, 3)), None),
    (program(1, ("copysign", 0, 0.0), ("copysign", 0, -0.0), out=(1, 2)), None),
    (program(13, ("sub", 1, 12), ("sub", 11, 2), out=(13, 14)), None),
    (program(2, ("pow", 0, 1), ("pow", 0, 1.0), out=(2, 3)), None),
]  # fmt: skip
STRENGTH = [
    (program(1, ("pow", 0, 2.0)), "v1 = mul(v0, v0); return v1"),
    (program(1, ("square", 0)), "v1 = mul(v0, v0); return v1"),
    (program(1, ("pow", 0, 1.0)), "return v0"),
    (program(1, ("pow", 0, 0.0)), "return 1.0"),
    (program(1, ("pow", 0, -0.0)), "return 1.0"),
    (program(1, ("mul", 0, 1.0)), "return v0"),
    (program(1, ("mul", 1.0, 0)), "return v0"),
    (program(1, ("mul", 0, -1.0)), "v1 = neg(v0); return v1"),
    (program(1, ("neg", 0), ("neg", 1)), "v1 = neg(v0); return v0"),
    (program(2, ("neg", 0), ("neg", 1), ("mul", 2, 3)), "v2 = neg(v0); v3 = neg(v1); v4 = mul(v0, v1); return v4"),
    (program(1, ("neg", 0), ("mul", 1, 3.0)), "v1 = neg(v0); v2 = mul(v0, -3.0); return v2"),
    (program(2, ("neg", 0), ("add", 1, 2)), "v2 = neg(v0); v3 = sub(v1, v0); return v3"),
    (program(2, ("neg", 0), ("add", 2, 1)), "v2 = neg(v0); v3 = sub(v1, v0); return v3"),
    (program(2, ("neg", 0), ("sub", 1, 2)), "v2 = neg(v0); v3 = add(v1, v0); return v3"),
    (program(1, ("add", 0, -0.0)), "return v0"),
    (program(1, ("sub", 0, 0.0)), "return v0"),
    (program(1, ("div", 0, 4.0)), "v1 = mul(v0, 0.25); return v1"),
    (program(1, ("div", 0, -0.5)), "v1 = mul(v0, -2.0); return v1"),
    (program(1, ("div", 0, 1.0)), "return v0"),
    (program(1, ("identity", 0), ("stop_gradient", 1), ("sin", 2)), "v1 = sin(v0); return v1"),
    (program(2, ("where", 1.0, 0, 1)), "return v0"),
    (program(2, ("where", 0.0, 0, 1)), "return v1"),
    (program(2, ("where", nan, 0, 1)), "return v0"),
    (program(2, ("where", 0, 1, 1)), "return v1"),
    (program(3, ("eq", 0, 0.0), ("where", 3, 1, 2)), "v3 = eq(v0, 0.0); v4 = where(v0, v2, v1); return v4"),
    (program(3, ("where", 0, 1, 2), ("where", 0, 3, 7.0)), "v3 = where(v0, v1, v2); v4 = where(v0, v1, 7.0); return v4"),
    (program(3, ("where", 0, 1, 2), ("where", 0, 7.0, 3)), "v3 = where(v0, v1, v2); v4 = where(v0, 7.0, v2); return v4"),
    (program(1, ("pow_derivative", 0, 3.0, 1.0, 0.0)), "v1 = mul(v0, v0); v2 = mul(3.0, v1); return v2"),
    (program(1, ("pow_derivative", 0, 3.0, 2.0, 0.0)), "v1 = mul(6.0, v0); return v1"),
    (program(1, ("pow_derivative", 0, 2.0, 3.0, 0.0)), "return 0.0"),
    # no rule: other bits for some operands
    (program(1, ("add", 0, 0.0)), None),
    (program(1, ("sub", 0, -0.0)), None),
    (program(1, ("sub", 0.0, 0)), None),
    (program(1, ("sub", 0, 0)), None),
    (program(1, ("div", 0, 0)), None),
    (program(1, ("mul", 0, 0.0)), None),
    (program(1, ("div", 0, 3.0)), None),
    (program(1, ("div", 0, 0.0)), None),
    (program(1, ("div", 0, 2.0**-1074)), None),
    (program(1, ("div", 0, inf)), None),
    (program(1, ("pow", 0, 3.0)), None),
    (program(1, ("pow", 0, 0.5)), None),
    (program(1, ("pow", 0, -1.0)), None),
    (program(1, ("pow", 2.0, 0)), None),
    (program(2, ("neg", 0), ("div", 2, 1)), None),
    (program(2, ("neg", 0), ("sub", 2, 1)), None),
    (program(2, ("add", 0, 1), ("sub", 2, 1)), None),
    (program(2, ("mul", 0, 1), ("div", 2, 1)), None),
    (program(2, ("mul", 0, 3.0), ("mul", 2, 5.0)), None),
    (program(3, ("eq", 0, 1.0), ("where", 3, 1, 2)), None),
    (program(3, ("ne", 0, 1.0), ("where", 3, 1, 2)), None),
    (program(3, ("where", 1, 0, 2), ("where", 0, 3, 7.0)), None),
    (program(1, ("exp", 0), ("log", 1)), None),
    (program(1, ("pow_derivative", 0, 3.0, 1.0, 1.0)), None),
    (program(2, ("pow_derivative", 0, 1, 1.0, 0.0)), None),
    (program(1, ("pow_derivative", 0, 3.0, 0.0, 0.0)), None),
]
CASES = [
    (which, before, wanted)
    for which, cases in [
        (dead_code, DEAD),
        (constant_folding, FOLDED),
        (common_subexpressions, COMMON),
        (strength_reduction, STRENGTH),
    ]
    for before, wanted in cases
]


@pytest.mark.parametrize(("which", "before", "wanted"), CASES, ids=lambda x: getattr(x, "__name__", None) or text(x))
def test_a_pass(which, before, wanted):
    after = which(before)
    assert text(after) == (text(before) if wanted is None else wanted)
    for inputs in itertools.islice(itertools.product(GRID, repeat=before.inputs), 4000):
        assert agree(before, after, list(inputs)), inputs


# -- the bits stay the same -------------------------------------------------------------------------------------------


@given(p.programs(), st.data())
@pytest.mark.parametrize("which", PASSES)
def test_any_program_keeps_its_bits(which, before, data):
    points = data.draw(st.lists(st.lists(p.numbers(), min_size=before.inputs, max_size=before.inputs), min_size=1, max_size=4))
    count = before.inputs + len(before)
    worth = p.values(before, points[0])
    refs = data.draw(st.lists(st.integers(0, count - 1), max_size=3)) if count else []
    before = guarded(before, tuple(Guard(r, bool(worth[r]), f"f.py:{i}") for i, r in enumerate(refs)))
    after = which(before)
    assert after.inputs == before.inputs
    for number, (_, args) in enumerate(after.instructions, after.inputs):
        assert all(a.__class__ is float or 0 <= a < number for a in args)
    for inputs in points:
        assert agree(before, after, inputs), f"{before}\n\n{after}\n{inputs}"


WRONG = {  # what a careless rule would do, and the program that tells
    "x + 0 is x": (lambda op, a, made: a[0] if op is ops.add and a[1] == 0.0 else None, program(1, ("add", 0, 0.0))),
    "x - x is 0": (lambda op, a, made: 0.0 if op is ops.sub and a[0] == a[1] else None, program(1, ("sub", 0, 0))),
    "x * 0 is 0": (lambda op, a, made: 0.0 if op is ops.mul and a[1] == 0.0 else None, program(1, ("mul", 0, 0.0))),
    "x / x is 1": (lambda op, a, made: 1.0 if op is ops.div and a[0] == a[1] else None, program(1, ("div", 0, 0))),
    "x / 3 is x * (1/3)": (
        lambda op, a, made: Instruction(ops.mul, (a[0], 1.0 / 3.0)) if op is ops.div else None,
        program(1, ("div", 0, 3.0)),
    ),
    "x**3 is x*x*x": (
        lambda op, a, made: Instruction(ops.mul, (a[0], Instruction(ops.mul, (a[0], a[0])))) if op is ops.pow else None,
        program(1, ("pow", 0, 3.0)),
    ),
    "x**0.5 is sqrt": (
        lambda op, a, made: Instruction(ops.sqrt, (a[0],)) if op is ops.pow else None,
        program(1, ("pow", 0, 0.5)),
    ),
    "a - b is b - a": (
        lambda op, a, made: Instruction(ops.sub, a[::-1]) if op is ops.sub and a[0].__class__ is int and a[0] > a[1] else None,
        program(2, ("sub", 1, 0)),
    ),
    "where(x == 1, a, b) is where(x, b, a)": (
        lambda op, a, of: Instruction(op, (of(ops.eq, a[0])[0], a[2], a[1])) if op is ops.where and of(ops.eq, a[0]) else None,
        program(3, ("eq", 0, 1.0), ("where", 3, 1, 2)),
    ),
    "-(a * b) is a * b": (lambda op, a, made: a[0] if op is ops.neg else None, program(1, ("neg", 0))),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_rule_is_noticed(fault):
    rule, before = WRONG[fault]
    points = [*itertools.product(GRID, repeat=before.inputs), *[[0.1 * k] * before.inputs for k in range(50)]]
    assert all(agree(before, rewrite(before), list(inputs)) for inputs in points)
    assert all(agree(before, simplify(before), list(inputs)) for inputs in points)
    assert not all(agree(before, rewrite(before, rule), list(inputs)) for inputs in points)


@pytest.mark.parametrize("at", [(-0.0, 1.0, 1.0, 0), (1, 1.0, 1.0, 0), (1, 2.0, 0, 0.0), (1, 0, 1.0, 0.0)])
def test_an_order_that_is_no_constant_is_none_of_the_known_ones(at):
    before = program(2, ("pow_derivative", *at))
    assert text(simplify(before)) == text(before)


def test_simplify_does_all_of_it_at_once():
    before = program(
        1, ("mul", 2.0, 3.0), ("pow", 0, 2.0), ("mul", 0, 0), ("mul", 1, 2), ("mul", 1, 3), ("sub", 4, 5), ("sin", 6)
    )
    assert text(simplify(before)) == "v1 = mul(v0, v0); v2 = mul(6.0, v1); v3 = sub(v2, v2); v4 = sin(v3); return v4"


@given(p.programs())
def test_simplify_twice_is_simplify(before):
    once = simplify(before)
    assert str(simplify(once)) == str(once)
    assert len(once) <= len(before) + sum(op.name == "pow_derivative" for op, _ in before.instructions)


def test_a_users_op_is_neither_folded_nor_taken_for_a_row_of_that_name():
    calls = []

    def forward(x, y):
        calls.append((x, y))
        return x - 2.0 * y

    mine = Op("add", forward, (1.0, -2.0))
    before = program(2, (mine, 1.0, 2.0), (mine, 0, 1), (mine, 1, 0), (mine, 0, -0.0), out=(2, 3, 4, 5))
    assert text(simplify(before)) == text(before)
    assert not calls
    twice = program(2, (mine, 0, 1), (mine, 0, 1), out=(2, 3))
    assert len(simplify(twice)) == 1


def test_a_guard_is_asked_once_and_a_decided_one_not_at_all():
    before = program(1, ("gt", 0, 1.0), ("gt", 2.0, 1.0), ("gt", 0, 1.0), out=(0,))
    before = guarded(before, (Guard(1, True, "a:1"), Guard(2, True, "a:2"), Guard(3, True, "a:3")))
    assert simplify(before).guards == (Guard(1, True, "a:1"),)


def test_the_order_of_guards_is_kept():
    before = program(2, ("gt", 0, 1.0), ("gt", 1, 1.0), out=(0,))
    before = guarded(before, (Guard(3, True, "a:1"), Guard(2, False, "a:2"), Guard(0, True, "a:3")))
    assert simplify(before).guards == before.guards


def test_the_derivative_of_a_power():
    assert text(jit(grad(lambda x: x**2)).program(3.0)) == "v1 = mul(2.0, v0); return v1"
    assert text(jit(grad(grad(lambda x: x**2))).program(3.0)) == "return 2.0"


# -- the passes in C --------------------------------------------------------------------------------------------------

in_c = pytest.mark.skipif(loaded is None, reason="the core in C is not there")
SUBJECTS = [*_STRENGTH, *[TABLE[name] for name in ("eq", "ne", "sin", "maximum")]]
CONSTANTS = [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 3.0, 4.0, inf, nan, -2.5, 0.125]


def of_subjects(seed):
    """Instructions of which nearly all are the business of some rule."""
    rng = random.Random(seed)
    inputs, rows = rng.randint(0, 3), []
    for _ in range(rng.randint(1, 60)):
        op, made = rng.choice(SUBJECTS), inputs + len(rows)
        args = [
            rng.randrange(max(0, made - 6), made) if made and rng.random() < 0.75 else rng.choice(CONSTANTS)
            for _ in range(op.arity)
        ]
        rows.append((op, *args[:2], 1.0, 0.0) if op.settings else (op, *args))
    outs = tuple(rng.choice([rng.randrange(inputs + len(rows)), 1.0, 2.0]) for _ in range(3))
    return program(inputs, *rows, out=outs, guards=(Guard(inputs + len(rows) - 1, True, "a:1"),))


@in_c
@pytest.mark.parametrize("rules", [(), (fold, reduce_strength), (fold, reduce_strength, relax)])
def test_c_rewrites_a_program_as_python_does(rules):
    for before in (*(case[1] for case in CASES), *map(of_subjects, range(150)), long_program(600), chain("neg", 50)):
        wanted = dead_code(rewrite(before, *rules))
        assert rewritten(before, *rules) == wanted, before


@in_c
def test_c_asks_rules_once_for_each_kind_of_instruction():
    asked = []

    def counting(op, args, of):
        asked.append((op.name, *map(str, args)))
        return reduce_strength(op, args, of)

    rewritten(long_program(3000), counting)
    once = len(asked)
    rewritten(long_program(6000), counting)
    assert once < 200
    assert len(asked) - once < 1.2 * once


@in_c
def test_c_refuses_what_no_rule_may_do_and_what_is_no_program():
    before = program(2, ("sin", 0), ("neg", 2), ("add", 3, 1))
    for rule, error in [
        (lambda op, args, of: of(ops.sin, args[0]), AssertionError),  # not one of those that are looked into
        (lambda op, args, of: of(ops.neg, 7), AssertionError),  # no operand
        (lambda op, args, of: 9, ValueError),  # a value that it was not asked about
        (lambda op, args, of: "x", TypeError),
        (lambda op, args, of: Instruction(op, args[::-1] if op is ops.add else args), RecursionError),
        (lambda op, args, of: 1 / 0, ZeroDivisionError),
    ]:
        with pytest.raises(error):
            rewritten(before, rule)
    for wrong in [
        (1, (ops.sin,), ((1,),), (1,)),
        (1, (ops.sin,), ((-1,),), (1,)),
        (1, (ops.sin,), ((0,),), (2,)),
        (1, (ops.sin,), (), (0,)),
        (-1, (), (), ()),
        (1, (ops.sin,), (("a",),), (1,)),
        (1, ("sin",), ((0,),), (1,)),
    ]:
        with pytest.raises((ValueError, TypeError)):
            loaded.rewrite(*wrong, lambda *_: None)
    for args, places in (([(5,)], [0]), ([(-1,)], [0]), ([0], [0]), ([(0,)], {0: 0})):
        with pytest.raises((IndexError, TypeError, SystemError)):
            loaded.renumbered(args, places)


# -- fastmath ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        (program(1, ("mul", 0, 0.0)), "return 0.0"),
        (program(1, ("mul", 0.0, 0)), "return 0.0"),
        (program(1, ("add", 0, 0.0)), "return v0"),
        (program(1, ("add", 0.0, 0)), "return v0"),
        (program(1, ("sub", 0, 0)), "return 0.0"),
        (program(1, ("div", 0, 3.0)), "v1 = mul(v0, 0.3333333333333333); return v1"),
        (program(1, ("div", 0, 0.0)), "v1 = div(v0, 0.0); return v1"),
        (program(1, ("pow", 0, 0.5)), "v1 = sqrt(v0); return v1"),
        (program(1, ("pow", 0, -1.0)), "v1 = div(1.0, v0); return v1"),
        (program(1, ("pow", 0, 3.0)), "v1 = mul(v0, v0); v2 = mul(v1, v0); return v2"),
        (program(1, ("pow", 0, 4.0)), "v1 = mul(v0, v0); v2 = mul(v1, v1); return v2"),
        (program(1, ("pow", 0, 5.0)), "v1 = pow(v0, 5.0); return v1"),
        (program(2, ("sub", 0, 1)), "v2 = sub(v0, v1); return v2"),
    ],
    ids=lambda x: x if isinstance(x, str) else text(x),
)
def test_fastmath(before, wanted):
    assert text(simplify(before, fastmath=True)) == wanted
    for x in (0.3, -1.7, 5.0):
        inputs = [x, 0.25][: before.inputs]
        if all(v == v for v in before(inputs)):
            assert simplify(before, fastmath=True)(inputs) == pytest.approx(before(inputs), rel=1e-15, abs=1e-300, nan_ok=True)


def test_without_fastmath_none_of_it_happens():
    before = program(1, ("mul", 0, 0.0), ("add", 1, 0.0), ("pow", 2, 0.5))
    assert text(simplify(before)) == text(before)
    assert len(simplify(before, fastmath=True)) == 0


# -- linear in the length ---------------------------------------------------------------------------------------------


def long_program(n):
    """Instructions of many kinds, each on recent values: repeats, constants, dead ends, guards."""
    rng = random.Random(7)
    rows = [("add", 0, 1)]
    while len(rows) < n:
        a, b = (2 + rng.randrange(max(0, len(rows) - 9), len(rows)) for _ in range(2))
        rows.append(rng.choice([("add", a, b), ("mul", a, b), ("neg", a), ("pow", a, 2.0), ("sin", a), ("where", a, b, 0),
                                ("mul", 2.0, 3.0), ("div", a, 4.0), ("sub", a, 0.0), ("eq", a, 0.0), ("sin", 0)]))  # fmt: skip
    return program(2, *rows, guards=tuple(Guard(2 + k, True, "a:1") for k in range(0, n, 10)))


def chain(op, n):
    """One op again and again on its own result."""
    return program(1, *[(op, k, *[k] * (TABLE[op].arity - 1)) for k in range(n)])


def growth(which, make, n):
    """How many times the steps a pass takes for a program of twice the length."""
    once, twice = make(n), make(2 * n)
    return p.steps(lambda: which(twice)) / p.steps(lambda: which(once))


@pytest.mark.parametrize("which", [*PASSES, lambda q: simplify(q, True)])
@pytest.mark.parametrize("make", [long_program, *[lambda n, op=op: chain(op, n) for op in ("neg", "where", "add", "identity")]])
def test_twice_the_length_takes_twice_the_steps(which, make):
    assert growth(which, make, 400) <= 2.2


def test_the_count_of_steps_notices_what_is_not_linear():
    def quadratic(q):
        for _ in q.instructions:
            for _ in q.instructions:
                pass

    assert growth(quadratic, lambda n: chain("neg", n), 100) > 3.5


@pytest.mark.parametrize("rule", [reduce_strength, relax])
def test_each_instruction_is_asked_about_a_bounded_number_of_times(rule):
    asked = []

    def counting(op, args, of):
        asked.append(str((op, args)))  # value 2 is not the number 2.0
        return rule(op, args, of)

    made = long_program(1000)
    left = rewrite(made, counting)
    assert {*map(str, zip(left.ops, left.args, strict=True))} <= {*asked}
    assert len(asked) <= 4000
    assert len(asked) == len({*asked})  # of equal ones the first alone


# -- what several weights share ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["python", "llvm"])
@pytest.mark.parametrize("at", [[0.3, -2.0, 5.0, 5.0, 700.0, -inf], [-0.0, 0.0, 1.0], [inf, 1.0, inf], [nan, 1.0, 2.0], [3.0]])
def test_weights_of_one_softmax_share_their_work_and_keep_their_bits(at, backend):
    if backend == "llvm":
        pytest.importorskip("llvmlite")
    for f in (al.logsumexp, lambda v: al.softmax(v)[-1], lambda v: al.log_softmax(v, 0)):
        for transform in (al.value_and_grad, al.hessian):
            wanted = flatten(transform(f)(at))[0]
            assert all(map(same_bits, flatten(jit(transform(f), backend=backend)(at))[0], wanted))


def test_programs_of_softmax_losses_grow_with_their_items():
    for f in (al.logsumexp, lambda v: al.softmax(v)[0], lambda v: -al.log_softmax(v, 0)):
        small, large = (jit(value_and_grad(f)).program([0.1 * i for i in range(n)]) for n in (40, 80))
        size = [sum(1 + len(args) for _, args in p.instructions) for p in (small, large)]
        assert size[1] < 2.2 * size[0]
