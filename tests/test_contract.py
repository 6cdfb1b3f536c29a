"""The contract of the transforms: plain in, plain out, at any nesting; one meaning of an edge in every sweep and route.

Right values are written out by hand.
"""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import autograd_lite as al
from autograd_lite import Value, grad, hessian, hvp, jacobian, jit, jvp, nn, vjp
from autograd_lite.ops import TABLE
from tests.functions import backward

Function = Callable[..., Any]

# -- plain in, plain out ----------------------------------------------------------------------------------------------

# each transform as one of functions of one number, and how many derivatives it takes
TRANSFORMS: dict[str, tuple[Callable[[Function], Function], int]] = {
    "grad": (al.grad, 1),
    "value_and_grad": (lambda f: lambda x: al.value_and_grad(f)(x)[1], 1),
    "jacobian": (al.jacobian, 1),
    "hessian": (al.hessian, 2),
    "vjp": (lambda f: lambda x: al.vjp(f, x)[1](1.0)[0], 1),
    "jvp": (lambda f: lambda x: al.jvp(f, (x,), (1.0,))[1], 1),
    "hvp": (lambda f: lambda x: al.hvp(f, (x,), (1.0,)), 2),
    "jit": (al.jit, 0),
}
X = 1.5


@pytest.mark.parametrize("names", list(product(TRANSFORMS, repeat=3)), ids="-".join)
def test_three_transforms_of_a_power(names: tuple[str, ...]) -> None:
    f: Function = lambda x: x**7 * Value(2.0)  # noqa: E731
    order = 0
    for name in names:
        transform, taken = TRANSFORMS[name]
        f, order = transform(f), order + taken
    result = f(X)
    assert result.__class__ is float
    assert math.isclose(result, 2.0 * math.perm(7, order) * X ** (7 - order), rel_tol=1e-12)


@pytest.mark.parametrize("inner", TRANSFORMS)
@pytest.mark.parametrize("outer", TRANSFORMS)
def test_an_inner_transform_that_reads_the_outer_argument(outer: str, inner: str) -> None:
    below, n = TRANSFORMS[inner]
    above, m = TRANSFORMS[outer]
    result = above(lambda x: below(lambda y: x**4 * y**3)(3.0))(2.0)
    assert result.__class__ is float
    assert math.isclose(result, math.perm(4, m) * 2.0 ** (4 - m) * math.perm(3, n) * 3.0 ** (3 - n), rel_tol=1e-12)


class Pair(NamedTuple):
    a: Any
    b: Any


@dataclass(frozen=True)
class Record:
    a: Any
    b: Any


ARGUMENTS = [
    (2, 12.0),
    (True, 3.0),
    (2.0, 12.0),
    (np.float64(2.0), 12.0),
    (np.array(2.0), 12.0),
    ([1.0, 2], [3.0, 12.0]),
    ((1.0, (2.0,)), (3.0, (12.0,))),
    ({"b": 1.0, "a": [2.0]}, {"b": 3.0, "a": [12.0]}),
    (Pair(1.0, 2.0), Pair(3.0, 12.0)),
    (Record(1.0, [2]), Record(3.0, [12.0])),
    (OrderedDict(a=1.0, b=2.0), OrderedDict(a=3.0, b=12.0)),
]


def cubes(tree: Any) -> Any:
    tree = vars(tree) if isinstance(tree, Record) else tree
    items = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, (list, tuple)) else None
    return tree**3 if items is None else sum(map(cubes, items))


@pytest.mark.parametrize(("argument", "due"), ARGUMENTS, ids=lambda x: type(x).__name__)
def test_structures_keep_their_types(argument: Any, due: Any) -> None:
    for transform in (al.grad, lambda f: lambda x: al.value_and_grad(f)(x)[1], lambda f: lambda x: al.vjp(f, x)[1](1.0)[0]):
        for f in (cubes, lambda x: al.grad(lambda y: y * cubes(x))(3.0), lambda x: cubes(x) + 0.0 * Value(1.0)):
            result = transform(f)(argument)
            assert result == due
            assert type(result) is type(due)
            json.dumps(vars(result) if isinstance(result, Record) else result)


def test_dataclasses_pass_through_compiled_code() -> None:
    slopes = al.jit(al.grad(lambda r: r.a * r.b[0]))
    for a in (2.0, 3.0):
        assert slopes(Record(a, [5.0])) == Record(5.0, [a])


def test_arrays_are_arrays_of_floats() -> None:
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    for f in (al.grad(lambda x: (x**3).sum()), al.grad(lambda x: al.grad(lambda y: y * (x**3).sum())(1.0))):
        assert f(x).dtype == np.float64
        assert (f(x) == 3.0 * x**2).all()


def test_several_arguments_of_nested_transforms() -> None:
    assert al.grad(al.grad(lambda x, y: al.sin(x) * y, 0), 1)(1.0, 2.0) == math.cos(1.0)
    assert al.grad(al.grad(lambda x, y: x**2 * y**3, 0), (0, 1))(2.0, 3.0) == (54.0, 108.0)
    assert al.jacobian(al.grad(lambda x, y: x**2 * y**3, (0, 1)), (0, 1))(2.0, 3.0) == ((54.0, 108.0), (108.0, 72.0))


def test_values_that_lived_before_the_call_make_graph() -> None:
    w = Value(3.0)
    for f in (lambda x: w * x, lambda x: al.floor(w) * x, lambda x: al.grad(lambda y: w * y)(1.0) * x):
        assert isinstance(al.grad(f)(2.0), Value)
        assert isinstance(al.jacobian(f)(2.0), Value)
    assert isinstance(al.grad(lambda x: x * x)(w), Value)
    assert al.grad(lambda x: x * x.detach())(3.0).__class__ is float


def test_a_descent_builds_no_graph() -> None:
    x = 5.0
    for _ in range(100):
        x = x - 0.1 * al.grad(lambda x: al.grad(lambda y: x * x * y)(1.0))(x)
    assert x.__class__ is float
    assert abs(x) < 1e-8


# -- results are told apart by place ----------------------------------------------------------------------------------


class Two(nn.Module):
    def __init__(self) -> None:
        self.w, self.b = Value(1.0), Value(2.0)


def slopes_squared(m: Any) -> Any:
    return al.sum([p * p for p in al.grad(lambda m: (m.w + m.b) ** 2)(m).parameters()])


def test_two_slopes_of_one_value_are_two_parameters() -> None:
    value, slope = al.value_and_grad(slopes_squared)(Two())
    assert value == 72.0
    assert (slope.w.data, slope.b.data) == (48.0, 48.0)
    assert al.jit(slopes_squared)(Two()) == 72.0
    v = al.hvp(lambda m: (m.w * 1.0 + m.b) ** 2, (Two(),), (Two(),))
    assert (v.w.data, v.b.data) == (6.0, 6.0)


def test_two_parameters_never_have_one_path(tmp_path: Path) -> None:
    class Odd(nn.Module):
        def __init__(self, *numbers: float) -> None:
            one, two, three, four = map(Value, numbers)
            self.d = {1: one, "1": two}
            self.e = {"a.b": three, "a": {"b": four}}

    Odd(1.0, 2.0, 3.0, 4.0).save(tmp_path / "odd.json")
    other = Odd(0.0, 0.0, 0.0, 0.0)
    other.load(tmp_path / "odd.json")
    assert [(name, p.data) for name, p in other.named_parameters()] == [
        ("d[1]", 1.0), ("d['1']", 2.0), ("e['a.b']", 3.0), ("e.a.b", 4.0)
    ]  # fmt: skip


# -- nothing flows where nothing flows --------------------------------------------------------------------------------

ROUTES: dict[str, Callable[[Function], Function]] = {
    "grad": al.grad,
    "jacobian": al.jacobian,
    "jvp": TRANSFORMS["jvp"][0],
    "vjp": TRANSFORMS["vjp"][0],
    "jit": lambda f: al.jit(al.grad(f)),
    "jit jacobian": lambda f: al.jit(al.jacobian(f)),
    "jit llvm": lambda f: al.jit(al.grad(f), backend="llvm"),
    "batch": lambda f: lambda x: float(al.jit(al.grad(f), batch=0)(np.array([x]))[0]),
}


ROUTES |= {"backward": backward, "create_graph": lambda f: backward(f, True)}

FLAT: dict[str, tuple[Function, float, float]] = {  # the function, a point behind which a slope is infinite, the slope due
    "stop_gradient": (lambda x: al.stop_gradient(al.sqrt(x)) + x, 0.0, 1.0),
    "lt": (lambda x: al.lt(al.sqrt(x), 1.0) + x, 0.0, 1.0),
    "eq": (lambda x: al.eq(al.sqrt(x), 0.0) + x, 0.0, 1.0),
    "sign": (lambda x: al.sign(al.sqrt(x)) + x, 0.0, 1.0),
    "floor": (lambda x: al.floor(al.sqrt(x)) + x, 0.0, 1.0),
    "ceil": (lambda x: al.ceil(al.sqrt(x)) + x, 0.0, 1.0),
    "trunc": (lambda x: al.trunc(al.sqrt(x)) + x, 0.0, 1.0),
    "round": (lambda x: al.round_(al.sqrt(x)) + x, 0.0, 1.0),
    "heaviside": (lambda x: al.heaviside(al.sqrt(x), 0.5) + x, 0.0, 1.0),
    "heaviside of 1": (lambda x: al.heaviside(1.0, al.sqrt(x)) + x, 0.0, 1.0),
    "copysign": (lambda x: al.copysign(2.0, al.sqrt(x)) + x, 0.0, 1.0),
    "floordiv": (lambda x: al.sqrt(x) // 2.0 + x, 0.0, 1.0),
    "floordiv below": (lambda x: 2.0 // (al.sqrt(x) + 1.0) + x, 0.0, 1.0),
    "x**0": (lambda x: al.sqrt(x) ** 0 + x, 0.0, 1.0),
    "maximum": (lambda x: al.maximum(al.sqrt(x), 1e-10) + x, 0.0, 1.0),
    "minimum": (lambda x: al.minimum(-1.0, al.sqrt(x)) + x, 0.0, 1.0),
    "clamp": (lambda x: al.clamp(al.exp(x), 0.0, 1.0) + x, 800.0, 1.0),
    "clamp's bound": (lambda x: al.clamp(0.5, al.sqrt(x), 1.0) + x, 0.0, 1.0),
    "relu": (lambda x: al.relu(al.sqrt(x) - 1.0) + x, 0.0, 1.0),
    "a weight of 0": (lambda x: TABLE["share"](al.stop_gradient(x), al.log(x)) + x, 0.0, 1.0),
    "where": (lambda x: al.where(x < 1.0, x, al.sqrt(x)), 0.0, 1.0),
    "a flat one upstream": (lambda x: al.sqrt(al.round_(x)) + x, 0.3, 1.0),
    "x log x": (al.grad(lambda x: x * al.log(x)), 1e-200, 1e200),
    "x sqrt x": (al.grad(lambda x: x * al.sqrt(x)), 1e-220, 0.75e110),
    "x ** sign x": (al.grad(lambda x: x ** al.sign(x)), -0.8, -3.90625),
}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", FLAT)
def test_slopes_where_something_has_no_influence(name: str, route: str) -> None:
    f, x, due = FLAT[name]
    assert math.isclose(ROUTES[route](f)(x), due, rel_tol=1e-14)


@pytest.mark.parametrize("name", [name for name in FLAT if name not in ("x log x", "x sqrt x", "x ** sign x")])
def test_second_derivatives_where_something_has_no_influence(name: str) -> None:
    f, x, _ = FLAT[name]
    for g in (al.hessian(f), al.grad(al.grad(f)), lambda x: al.hvp(f, (x,), (1.0,)), al.jit(al.hessian(f))):
        assert g(x) == 0.0


def test_nan_stays() -> None:
    for f in (al.floor, al.sign, al.relu, lambda x: al.maximum(x, 1.0), lambda x: al.clamp(x, 0.0, 1.0), al.round_):
        for route in ROUTES.values():
            assert math.isnan(route(f)(math.nan))


def test_zeros_among_tangents_and_cotangents_have_no_influence() -> None:
    assert al.jvp(lambda x, y: x**y, (-2.0, 3.0), (1.0, 0.0))[1] == 12.0
    assert al.vjp(lambda x: [al.sqrt(x), 2 * x], 0.0)[1]([0.0, 1.0]) == (2.0,)
    assert al.grad(lambda t: al.jvp(lambda x: x**3, (2.0,), (t,))[1])(0.0) == 12.0


def test_zeros_that_only_a_call_tells_have_no_influence() -> None:
    forward = al.jit(lambda x, y, s, t: al.jvp(lambda x, y: x**y, (x, y), (s, t))[1])
    assert forward(-2.0, 3.0, 1.0, 0.0) == 12.0
    assert math.isnan(forward(-2.0, 3.0, 1.0, 1.0))
    assert forward(2.0, 3.0, 0.0, 1.0) == pytest.approx(8.0 * math.log(2.0), rel=1e-15)
    reverse = al.jit(lambda x, u, v: al.vjp(lambda x: [al.sqrt(x), 2 * x], x)[1]([u, v])[0])
    assert (reverse(0.0, 0.0, 1.0), reverse(4.0, 1.0, 1.0)) == (2.0, 2.25)
    power = lambda x, n: al.sqrt(x) ** n + x  # noqa: E731
    assert al.grad(power)(0.0, 0.0) == al.jit(al.grad(power))(0.0, 0.0) == 1.0
    assert al.jit(al.grad(lambda t: al.jvp(lambda x: x**3, (2.0,), (t,))[1]))(0.0) == 12.0


def test_forward_sweeps_are_watched_as_the_reverse_sweep_is() -> None:
    f = lambda x: al.sqrt(x) * 0.0 + x  # noqa: E731
    for transform in (al.grad, al.jacobian, TRANSFORMS["jvp"][0]):
        with al.detect_anomaly(), pytest.raises(al.errors.AnomalyError, match=r"is nan: .*inf"):
            transform(lambda x: f(x) * f(x))(0.0)
        with al.errstate(invalid="raise", divide="raise", overflow="raise"):
            assert transform(al.sqrt)(0.0) == math.inf


# -- ties of more than two --------------------------------------------------------------------------------------------

TIES: dict[str, tuple[Function, tuple[float, ...], tuple[float, ...]]] = {
    "nested left": (lambda x, y, z: al.maximum(al.maximum(x, y), z), (1.0, 1.0, 1.0), (1 / 3, 1 / 3, 1 / 3)),
    "nested right": (lambda x, y, z: al.minimum(x, al.minimum(y, z)), (1.0, 1.0, 1.0), (1 / 3, 1 / 3, 1 / 3)),
    "two of three": (lambda x, y, z: al.maximum(al.maximum(x, y), z), (1.0, 0.0, 1.0), (0.5, 0.0, 0.5)),
    "none": (lambda x, y, z: al.maximum(al.maximum(x, y), z), (1.0, 2.0, 1.0), (0.0, 1.0, 0.0)),
    "inner pair": (lambda x, y, z: al.maximum(al.maximum(x, y), z), (1.0, 1.0, 0.0), (0.5, 0.5, 0.0)),
    "methods": (lambda x, y, z: x.minimum(y).minimum(z), (1.0, 1.0, 1.0), (1 / 3, 1 / 3, 1 / 3)),
    "one twice": (lambda x, y, z: al.maximum(al.maximum(x, y), x) + z, (1.0, 1.0, 0.0), (2 / 3, 1 / 3, 1.0)),
    "three deep": (lambda x, y, z: al.minimum(al.minimum(al.minimum(x, y), z), x), (1.0, 1.0, 1.0), (0.5, 0.25, 0.25)),
    "pairs": (lambda x, y, z: al.maximum(al.maximum(x, y), al.maximum(z, 1.0)), (1.0, 1.0, 1.0), (0.25, 0.25, 0.25)),
}


@pytest.mark.parametrize("name", TIES)
def test_all_that_tie_share_equally(name: str) -> None:
    f, at, due = TIES[name]
    every = (0, 1, 2)
    leaves = [Value(x) for x in at]
    f(*leaves).backward()
    rows = np.array([at])
    found = [
        al.grad(f, every)(*at), al.jacobian(f, every)(*at), al.jit(al.grad(f, every))(*at),
        tuple(al.jvp(f, at, tuple(map(float, unit)))[1] for unit in np.eye(3)),
        tuple(x.grad for x in leaves),
        tuple(float(g[0]) for g in al.jit(al.grad(f, every), batch=every)(*rows.T)),
    ]  # fmt: skip
    for slopes in found:
        assert slopes == pytest.approx(due, rel=1e-15)
    assert all(x == 0.0 for row in al.hessian(f, every)(*at) for x in row)


@pytest.mark.parametrize(
    ("transform", "wanted"),
    [
        (lambda f: grad(f)(3.0), 6.0), (lambda f: jacobian(f)(3.0), 6.0), (lambda f: hessian(f)(3.0), 2.0),
        (lambda f: vjp(f, 3.0)[0], 9.0), (lambda f: vjp(f, 3.0)[1](1.0), (6.0,)),
        (lambda f: jvp(f, (3.0,), (1.0,)), (9.0, 6.0)),
        (lambda f: hvp(f, (3.0,), (1.0,)), 2.0), (lambda f: jit(f)(3.0), 9.0), (lambda f: jit(jacobian(f))(3.0), 6.0),
        (lambda f: jacobian(lambda x: {"a": f(x)})(3.0), {"a": 6.0}),
    ],
)  # fmt: skip
def test_a_value_in_an_array_of_no_axes_is_that_value(transform: Any, wanted: Any) -> None:
    assert transform(lambda x: np.array(x * x)) == wanted


@pytest.mark.parametrize("x", [1e-100, 1e-160, 1e-200])
def test_x_to_the_x_has_its_second_derivative_where_a_power_on_the_way_overflows(x: float) -> None:
    """``x**x ((log(x) + 1)**2 + 1/x)`` by hand, which is 1/x to all digits."""
    f = lambda x: x**x  # noqa: E731
    found = [grad(grad(f))(x), hessian(f)(x), hvp(f, (x,), (1.0,)), jit(grad(grad(f)))(x)]
    assert found == pytest.approx([1.0 / x] * 4, rel=1e-14)
    small = lambda x: x**1e-5  # noqa: E731
    assert jit(grad(grad(small)))(1e-156) == grad(grad(small))(1e-156) == pytest.approx(-9.964044467428867e306, rel=1e-13)


def test_powers_by_small_exponents_keep_their_digits() -> None:
    """Of the exponent y - 2 two digits are left at y = -0.025: the second derivatives by mpmath, to 40 digits."""
    x, y = 1.1703700359408053e24, -0.025201510793764398
    (xx, xy), (yx, _) = hessian(al.pow, (0, 1))(x, y)
    assert [xx, xy, yx] == pytest.approx(
        [4.666930344063297328e-51, -8.385480806268512362e-26, -8.385480806268512362e-26], rel=8e-16
    )
