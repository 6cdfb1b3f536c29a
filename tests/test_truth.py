"""Conditions mean the same in every route: for one row and for many, eager, compiled and by NumPy."""

from __future__ import annotations

import copy
import math
import operator
import pickle
import re

import numpy as np
import pytest

from autograd_lite import Value, errstate, jit, where
from autograd_lite.errors import AutogradError, BranchError, InputTypeError
from autograd_lite.truth import FALSE, TRUE, Truth

X = [-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, -2.5, math.inf]
Y = [0.0, 0.0, 0.5, -1.0, 2.5, -3.0, -2.5, 1.0]

# the expression, and what it means, in the words of Python
LOGIC = {
    "not": (lambda x, y: ~(x > 2), lambda x, y: not x > 2),
    "not not": (lambda x, y: ~~(x > y), lambda x, y: x > y),
    "and": (lambda x, y: (x > 0) & (y > 0), lambda x, y: x > 0 and y > 0),
    "or": (lambda x, y: (x > 0) | (y > 0), lambda x, y: x > 0 or y > 0),
    "xor": (lambda x, y: (x > 0) ^ (y > 0), lambda x, y: (x > 0) != (y > 0)),
    "and not": (lambda x, y: (x >= 0) & ~(y < 0), lambda x, y: x >= 0 and not y < 0),
    "True &": (lambda x, y: True & (x > 0), lambda x, y: x > 0),
    "& False": (lambda x, y: (x > 0) & False, lambda x, y: False),
    "| True": (lambda x, y: (x > 0) | True, lambda x, y: True),
    "0 |": (lambda x, y: 0 | (x > 0), lambda x, y: x > 0),
    "1 ^": (lambda x, y: 1 ^ (x > 0), lambda x, y: not x > 0),
    "^ False": (lambda x, y: (x > 0) ^ False, lambda x, y: x > 0),
    "np.True_ &": (lambda x, y: np.True_ & (x > 0), lambda x, y: x > 0),
    "of conditions": (lambda x, y: ~((x > 0) == (y > 0)), lambda x, y: (x > 0) != (y > 0)),
    "not equal": (lambda x, y: ~(x != y), lambda x, y: x == y),
    "of a constant": (lambda x, y: (Value(1.0) > 0) & (x > 0), lambda x, y: x > 0),
    "with a constant": (lambda x, y: (x > 0) ^ (Value(1.0) > 0), lambda x, y: not x > 0),
}  # fmt: skip

# what a condition is worth as a number
NUMBERS = {
    "times": lambda x, y: (x > 0) * y,
    "plus": lambda x, y: (x > 0) + (y > 0),
    "minus": lambda x, y: 3 - (x > 0),
    "negative": lambda x, y: -(x > 0),
    "over": lambda x, y: (x > 0) / 4,
    "under": lambda x, y: 1 / (x > 0),
    "power": lambda x, y: (x > 0) ** -1,
    "exponent": lambda x, y: 3 ** (x > 0),
    "floor": lambda x, y: 3 // (x > 0),
    "modulo": lambda x, y: 3 % (x > 0),
    "less": lambda x, y: (x > 0) < (y > 0),
    "least": lambda x, y: (x > 0) >= 1,
    "absolute": lambda x, y: abs(x > 0),
    "sum": lambda x, y: sum(v > 0 for v in (x, y)),
}

REFUSED = {
    "2 &": lambda x, y: 2 & (x > 0),
    "| 0.5": lambda x, y: (x > 0) | 0.5,
    "^ Value": lambda x, y: (x > 0) ^ y,
    "Value &": lambda x, y: y & (x > 0),
    "& without parentheses": lambda x, y: (x > 0) & (y * 2),
    "~ and None": lambda x, y: (x > 0) & None,
}


def eager(f):
    return lambda: [number(f(Value(x), Value(y))) for x, y in zip(X, Y, strict=True)]


def scalar(backend):
    def route(f):
        fast = jit(f, backend=backend)
        return lambda: [number(fast(x, y)) for x, y in zip(X, Y, strict=True)]

    return route


def batch(backend):
    return lambda f: lambda: jit(f, batch=(0, 1), backend=backend)(np.array(X), np.array(Y)).tolist()


def by_row(f):
    def run():
        with errstate(invalid="ignore"), errstate(overflow="raise"):  # which compiled code cannot
            return jit(f, batch=(0, 1))(np.array(X), np.array(Y)).tolist()

    return run


ROUTES = {
    "eager": eager, "python": scalar("python"), "llvm": scalar("llvm"), "batch python": batch("python"),
    "batch numpy": batch("numpy"), "batch llvm": batch("llvm"), "row by row": by_row,
}  # fmt: skip
table = pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)


def number(x):
    return x.data if isinstance(x, Value) else float(x)


@table
@pytest.mark.parametrize(("f", "meant"), LOGIC.values(), ids=LOGIC)
def test_logic_in_every_route(f, meant, route):
    wanted = [float(bool(meant(x, y))) for x, y in zip(X, Y, strict=True)]
    assert route(f)() == wanted
    assert route(lambda x, y: where(f(x, y), x * 2, y - 7))() == [
        x * 2 if t else y - 7 for x, y, t in zip(X, Y, wanted, strict=True)
    ]


@table
@pytest.mark.parametrize("f", NUMBERS.values(), ids=NUMBERS)
def test_a_condition_is_the_same_number_in_every_route(f, route):
    np.testing.assert_array_equal(route(f)(), eager(f)())


def test_division_by_a_condition_is_ieee():
    x = Value(-1.0)
    assert (1 / (x > 0), (x > 0) ** -1, 0 ** (x > 0)) == (math.inf, math.inf, 1.0)
    assert math.isnan(3 % (x > 0))


@table
@pytest.mark.parametrize("f", REFUSED.values(), ids=REFUSED)
def test_what_is_no_condition_is_refused_in_every_route(f, route):
    with pytest.raises(InputTypeError, match=r"[&|^] joins conditions, and .*: compare it, as in \(x > 0\) "):
        route(f)()


@pytest.mark.parametrize(
    "f",
    [
        lambda x, y: x if x > 0 else y,
        lambda x, y: x and y,
        lambda x, y: not x,
        lambda x, y: max(x, y) + 1.0,
        lambda x, y: sorted([x, y])[0],
        lambda x, y: x if 0 < x < 2 else y,
        lambda x, y: x in (1.0, 2.0),
        lambda x, y: [x, y][x > 0],
        lambda x, y: any([x > 0, y > 0]),
        lambda x, y: {True: x, False: y}[x > 0],
        lambda x, y: x if str(x > 0) == "True" else y,
        lambda x, y: x if f"{x > 0}" == "True" else y,
        lambda x, y: x if (x > 0) in {True} else y,
        lambda x, y: np.max(np.array([x, y])),
        lambda x, y: x * (x > 0 and y > 0),
    ],
)
def test_python_branches_are_errors_over_a_batch_that_name_the_line(f):
    run = scalar("python")(f)
    assert run() == eager(f)()
    for backend in ("python", "numpy", "llvm"):
        with pytest.raises(BranchError, match=r"test_truth\.py:\d+: over a batch each row may go another way"):
            batch(backend)(f)()


def test_it_is_a_bool_to_python_and_numpy():
    x = Value(3.0)
    assert ((x > 2), (x < 2)) == (True, False)
    assert (x > 2) is TRUE
    assert [bool(x > 2), int(x > 2), float(x < 2), -(x > 2)] == [True, 1, 0.0, -1]
    assert (repr(x > 2), str(x < 2), f"{x > 2}", f"{x > 2!s:>6}") == ("True", "False", "True", "  True")
    assert {True: "yes", False: "no"}[x > 2] == ["no", "yes"][x > 2] == "yes"
    assert sum(v > 0 for v in (x, -x, x)) == 2
    mask = np.array([v > 0 for v in (x, -x, x)])
    assert mask.dtype == bool
    assert np.array([1, 2, 3])[mask].tolist() == [1, 3]
    assert np.mean([x > 2, x < 2]) == 0.5
    assert (np.array([True, False]) & (x > 2)).tolist() == [True, False]
    assert Value(x > 2).data == 1.0
    assert (x * (x > 2)).data == ((x > 2) * x).data == 3.0
    assert copy.deepcopy([TRUE, FALSE]) == pickle.loads(pickle.dumps([TRUE, FALSE])) == [True, False]
    assert pickle.loads(pickle.dumps(TRUE)) is TRUE
    assert isinstance(x > 2, Truth)
    with pytest.raises(
        AutogradError, match=re.escape("& joins conditions, and 2 is an int: compare it, as in (x > 0) & (y != 0)")
    ):
        operator.and_(x > 2, 2)


@pytest.mark.filterwarnings("ignore:Bitwise inversion")
def test_what_python_makes_of_not_a_bool_is_no_condition():
    x = 3.0  # a plain number, whose comparison is Python's
    with pytest.raises(InputTypeError, match=r"condition=-2 of where\(\) is what ~ makes of Python's True"):
        where(~(x > 2), 1.0, 2.0)
    with pytest.raises(InputTypeError, match=r"condition=-1 .* False: write where\(not c, a, b\), or where\(c, b, a\)"):
        where(~(x < 2), Value(1.0), 2.0)
    assert where(-2.0, 1.0, 2.0) == 1.0
