"""Every transform over every other, by tables: numbers, types and structures, with right values written out by hand.

Random programs tell whether all sweeps and compiled code mean the same by an edge, nan included.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pytest

import autograd_lite as al
from autograd_lite import Value
from autograd_lite.fit import minimize, scipy_objective
from tests import test_contract

Function = Callable[..., Any]

pytestmark = pytest.mark.filterwarnings("ignore::autograd_lite.errors.GradientWarning")  # some random programs are constants

# -- depth two with every transform, batches too ----------------------------------------------------------------------

ROWS = np.array([0.0, 1.0, 2.0])
TRANSFORMS: dict[str, tuple[Callable[[Function], Function], int]] = {
    **test_contract.TRANSFORMS,
    "jit llvm": (lambda f: al.jit(f, backend="llvm"), 0),
    "batch": (lambda f: lambda x: al.jit(lambda x, c: f(x) * c, batch=1)(x, ROWS)[1], 0),
    "mean of a batch": (lambda f: lambda x: al.ops.mean(list(al.jit(lambda x, c: f(x) * c, batch=1)(x, ROWS))), 0),
}
X = test_contract.X


@pytest.mark.parametrize("names", list(product(TRANSFORMS, repeat=2)), ids="-".join)
def test_two_transforms_and_a_check(names: tuple[str, ...]) -> None:
    f: Function = lambda x: x**7 * Value(2.0)  # noqa: E731
    order = 0
    for name in names:
        transform, taken = TRANSFORMS[name]
        f, order = transform(f), order + taken
    result = f(X)
    assert isinstance(result, float)
    assert math.isclose(result, 2.0 * math.perm(7, order) * X ** (7 - order), rel_tol=1e-12)
    report = al.check_grads(f, (X,), order=1, fast=True)
    assert report.ok
    assert math.isclose(report.rows[0].engine, 2.0 * math.perm(7, order + 1) * X ** (6 - order), rel_tol=1e-12)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_step_of_newton_inside_any_transform(name: str) -> None:
    """Newton's steps for y**3 = x end at the cube root of x, whose derivatives they have as well."""

    def root(x: Any) -> Any:
        y = 1.2
        for _ in range(6):
            y = y - (y**3 - x) / al.grad(lambda y: y**3 - x)(y)
        return y

    transform, order = TRANSFORMS[name]
    result = transform(root)(X)
    assert isinstance(result, float)
    due = (X ** (1 / 3), X ** (-2 / 3) / 3, -2 / 9 * X ** (-5 / 3))[order]
    assert math.isclose(result, due, rel_tol=1e-9)


def test_losses_with_a_derivative_of_the_model_are_minimised_without_data() -> None:
    """The energy of y = a x (1 - x) for -y'' = 2 at five points: a = 1, where the residual of the equation is 0."""

    def loss(p: Any) -> Any:
        y = lambda x: p["a"] * x * (1.0 - x) + p["b"] * x  # noqa: E731
        return al.ops.mean([(al.hessian(y)(x) + 2.0) ** 2 + al.grad(y)(0.5) ** 2 for x in (0.1, 0.3, 0.5, 0.7, 0.9)])

    found = minimize(loss, {"a": 3.0, "b": 2.0}, optimizer=lambda params: al.optim.SGD(params, lr=0.1), steps=100)
    assert found.params["a"].__class__ is float
    assert found.params == pytest.approx({"a": 1.0, "b": 0.0}, abs=1e-6)
    objective = scipy_objective(loss, {"a": 3.0, "b": 2.0})
    value, slopes = objective.fun(objective.x0)
    assert (type(value), slopes.dtype) == (float, np.float64)
    assert value == pytest.approx(20.0)
    assert list(slopes) == pytest.approx([16.0, 4.0])
    assert np.allclose(objective.hess(objective.x0), [[8.0, 0.0], [0.0, 2.0]])
    assert objective.params(np.array([1.0, 0.0])) == {"a": 1.0, "b": 0.0}


# -- arguments --------------------------------------------------------------------------------------------------------


class Pair(NamedTuple):
    a: Any
    b: Any


def cubes(tree: Any) -> Any:
    items = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, (list, tuple)) else None
    if isinstance(tree, np.ndarray) and tree.shape:
        return (tree**3).sum()
    return tree**3 if items is None else sum(map(cubes, items))


# an argument, and what its gradient by x**3 is
ARGUMENTS: list[tuple[Any, Any]] = [
    (2, 12.0), (True, 3.0), (2.0, 12.0), (np.float64(2.0), 12.0), (np.float32(2.0), 12.0), (np.int64(2), 12.0),
    (np.array(2.0), np.array(12.0)), (np.array([1.0, 2.0]), np.array([3.0, 12.0])),
    (np.array([[1, 2]]), np.array([[3.0, 12.0]])), ([1.0, 2], [3.0, 12.0]), ((1.0, (2.0,)), (3.0, (12.0,))),
    ({"b": 1.0, "a": [2.0]}, {"b": 3.0, "a": [12.0]}), (Pair(1.0, 2.0), Pair(3.0, 12.0)), ([], []), ((), ()), ({}, {}),
]  # fmt: skip


def alike(found: Any, due: Any) -> bool:
    """Whether two results have the same numbers in the same structure, and all of them are plain."""
    if isinstance(due, np.ndarray):
        return np.shape(found) == due.shape and np.asarray(found).dtype == np.float64 and bool((np.asarray(found) == due).all())
    if isinstance(due, dict):
        return type(found) is type(due) and list(found) == list(due) and all(alike(found[k], due[k]) for k in due)
    if isinstance(due, (list, tuple)):
        return type(found) is type(due) and len(found) == len(due) and all(map(alike, found, due))
    return isinstance(found, float) and found == due


ONE: dict[str, Callable[[Function], Function]] = {
    "grad": al.grad,
    "jacobian": al.jacobian,
    "value_and_grad": lambda f: lambda x: al.value_and_grad(f)(x)[1],
    "vjp": lambda f: lambda x: al.vjp(f, x)[1](1.0)[0],
    "jit of grad": lambda f: al.jit(al.grad(f)),
    "grad of jit": lambda f: al.grad(al.jit(f)),
}


@pytest.mark.parametrize("name", ONE)
@pytest.mark.parametrize(("argument", "due"), ARGUMENTS, ids=lambda x: repr(x)[:30])
def test_an_argument_of_any_kind(argument: Any, due: Any, name: str) -> None:
    assert alike(ONE[name](cubes)(argument), due)


@pytest.mark.parametrize("name", ["grad", "jacobian", "value_and_grad", "jit of grad"])
@pytest.mark.parametrize(("argument", "due"), ARGUMENTS, ids=lambda x: repr(x)[:30])
def test_one_and_several_arguments(argument: Any, due: Any, name: str) -> None:
    f = lambda s, x, t: cubes(x) + s * t  # noqa: E731
    by: Function = {
        "grad": al.grad, "jacobian": al.jacobian, "jit of grad": lambda f, n: al.jit(al.grad(f, n)),
        "value_and_grad": lambda f, n: lambda *args: al.value_and_grad(f, n)(*args)[1],
    }[name]  # fmt: skip
    assert alike(by(f, 1)(2.0, argument, 3.0), due)
    assert alike(by(f, (1,))(2.0, argument, 3.0), (due,))
    assert alike(by(f, (2, 1))(2.0, argument, 3.0), (2.0, due))
    assert alike(by(f, (0, 1, 2))(2.0, argument, 3.0), (3.0, due, 2.0))


# -- random programs: one meaning of an edge --------------------------------------------------------------------------

ONES = [
    "sin", "cos", "exp", "log", "sqrt", "tanh", "sigmoid", "relu", "abs", "floor", "ceil", "sign", "square", "cbrt", "atan",
    "asin", "erf", "gelu", "silu", "softplus", "stop_gradient", "trunc", "log1p", "acosh", "expm1", "sinh",
]  # fmt: skip
TWOS = [
    "add", "sub", "mul", "div", "pow", "maximum", "minimum", "atan2", "hypot", "copysign", "fmod", "mod", "floordiv",
    "logaddexp", "heaviside", "lt", "ge", "eq", "xlogy", "remainder",
]  # fmt: skip
PLACES = (0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, 3.0, 0.3, -0.8, 1.7, 1e-100, 1e100, math.inf, -math.inf, math.nan)


def random_function(draw: random.Random) -> Function:
    """A composition of two to five rows, of the argument, of 0.7 and of one another."""
    steps: list[tuple[str, tuple[int, ...]]] = []
    for k in range(2, 2 + draw.randrange(2, 6)):
        name = draw.choice([draw.choice(ONES), draw.choice(TWOS), draw.choice([*ONES, *TWOS, "where"])])
        count = 1 if name in ONES else 3 if name == "where" else 2
        steps.append((name, tuple(draw.randrange(k) for _ in range(count))))

    def f(x: Any) -> Any:
        known = [x, 0.7]
        for name, places in steps:
            args = [known[i] for i in places]
            known.append(al.where(args[0] > 0.5, *args[1:]) if name == "where" else getattr(al, name)(*args))
        return known[-1]

    f.__doc__ = repr(steps)
    return f


def agree(a: float, b: float) -> bool:
    if math.isnan(a) or math.isnan(b) or math.isinf(a) or math.isinf(b):
        return repr(a) == repr(b)
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-15)


@pytest.mark.parametrize("block", range(8))
def test_all_sweeps_and_compiled_code_agree_on_random_programs(block: int) -> None:
    for seed in range(50 * block, 50 * block + 50):
        draw = random.Random(seed)
        f = random_function(draw)
        compiled, twice = al.jit(al.grad(f)), al.jit(al.hessian(f))
        for x in draw.sample(PLACES, 3):
            first = [
                al.grad(f)(x), al.jvp(f, (x,), (1.0,))[1], al.jacobian(f)(x), al.vjp(f, x)[1](1.0)[0], compiled(x),
            ]  # fmt: skip
            second = [
                al.grad(al.grad(f))(x), al.hessian(f)(x), al.hvp(f, (x,), (1.0,)), al.jvp(al.grad(f), (x,), (1.0,))[1],
                al.grad(lambda t, f=f: al.jvp(f, (t,), (1.0,))[1])(x), al.jacobian(al.jacobian(f))(x), twice(x),
            ]  # fmt: skip
            for found in (first, second):
                assert all(agree(found[0], other) for other in found), (seed, x, f.__doc__, found)


@pytest.mark.filterwarnings("ignore:Bitwise inversion")  # of a condition on plain numbers
@pytest.mark.parametrize("block", range(4))
def test_few_rows_and_many_agree_on_random_programs(block: int) -> None:
    """A batch of 3 rows and one of 300 by every backend, and the rows one by one."""
    for seed in range(1000 + 15 * block, 1000 + 15 * block + 15):
        draw = random.Random(seed)
        inner, other = random_function(draw), random_function(draw)

        def f(x: Any, inner: Function = inner, other: Function = other) -> Any:
            a, b = inner(x), other(x)
            return al.where((a > 0.3) & ~(b < a) | (x != 0.5), a, b) + al.where((x <= 0.0) ^ (b == a), x, 2.0 * b)

        slope = al.grad(f)
        rows = [draw.choice(PLACES) for _ in range(300)]
        due = {repr(x): slope(x) for x in PLACES}
        for count in (3, 300):
            for backend in ("numpy", "llvm"):
                found = al.jit(slope, batch=0, backend=backend)(np.array(rows[:count]))
                assert all(agree(float(g), due[repr(x)]) for g, x in zip(found, rows, strict=False)), (seed, backend, f.__doc__)
