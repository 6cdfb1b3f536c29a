"""The conventions of the library, row by row: values and gradients at kinks, at the ends of domains, at infinity and nan.

Each row is written as a user would write it, and must hold by every route there is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from math import inf, nan, pi
from typing import Any

import pytest

import autograd_lite as al
from autograd_lite import Value, grad, jacobian, jvp
from tests import same as numbers

same = partial(numbers.same, rel=1e-15)

Row = tuple[str, Callable[..., Any], tuple[float, ...], float, tuple[float, ...]]


def power(x: Any, y: Any) -> Any:
    return x**y


ROWS: list[Row] = [
    ("abs(0)", abs, (0.0,), 0.0, (0.0,)),
    *[(f"{f.__name__} of nan", f, (nan,), nan, (nan,)) for f in (al.abs, al.relu)],
    *[(f"{f.__name__}{at}", f, at, nan, (nan, nan)) for f in (al.maximum, al.minimum) for at in ((nan, 1.0), (1.0, nan))],
    ("relu(0)", al.relu, (0.0,), 0.0, (0.0,)),
    ("leaky_relu(0)", lambda x: al.leaky_relu(x, 0.1), (0.0,), 0.0, (0.1,)),
    ("elu(0)", al.elu, (0.0,), 0.0, (1.0,)),
    ("max tie", al.maximum, (3.0, 3.0), 3.0, (0.5, 0.5)),
    ("min tie", al.minimum, (3.0, 3.0), 3.0, (0.5, 0.5)),
    ("max tie of infinities", al.maximum, (inf, inf), inf, (0.5, 0.5)),
    ("builtin max picks one operand", max, (3.0, 3.0), 3.0, (1.0, 0.0)),
    ("clamp at the lower bound", lambda x: al.clamp(x, 0.0, 1.0), (0.0,), 0.0, (1.0,)),
    ("clamp at the upper bound", lambda x: al.clamp(x, 0.0, 1.0), (1.0,), 1.0, (1.0,)),
    ("clamp beyond", lambda x: al.clamp(x, 0.0, 1.0), (1.5,), 1.0, (0.0,)),
    *[(f"{f.__name__}", f, (2.5,), v, (0.0,)) for f, v in
      ((al.sign, 1.0), (math.floor, 2.0), (math.ceil, 3.0), (round, 2.0), (math.trunc, 2.0))],
    ("//", lambda x, y: x // y, (7.0, 2.0), 3.0, (0.0, 0.0)),
    ("x % y", lambda x, y: x % y, (7.5, 2.0), 1.5, (1.0, -3.0)),
    ("x % 0", lambda x, y: x % y, (7.5, 0.0), nan, (nan, nan)),
    ("-1 % inf", lambda x, y: x % y, (-1.0, inf), inf, (1.0, 1.0)),
    ("fmod", al.fmod, (-7.5, 2.0), -1.5, (1.0, 3.0)),
    ("copysign(0, y)", al.copysign, (0.0, -2.0), 0.0, (0.0, 0.0)),
    ("1/0", lambda x, y: x / y, (1.0, 0.0), inf, (inf, -inf)),
    ("1/-0", lambda x, y: x / y, (1.0, -0.0), -inf, (-inf, -inf)),
    ("0/0", lambda x, y: x / y, (0.0, 0.0), nan, (inf, nan)),
    *[(f"({x})**0", lambda x: x**0, (x,), 1.0, (0.0,)) for x in (5.0, -5.0, 0.0, inf, nan)],
    ("0**0", power, (0.0, 0.0), 1.0, (0.0, 0.0)),
    ("0**0.5", power, (0.0, 0.5), 0.0, (inf, 0.0)),
    ("0**1", power, (0.0, 1.0), 0.0, (1.0, 0.0)),
    ("0**2", power, (0.0, 2.0), 0.0, (0.0, 0.0)),
    ("0**-1", power, (0.0, -1.0), inf, (-inf, nan)),
    ("(-2)**3.0", power, (-2.0, 3.0), -8.0, (12.0, nan)),
    ("(-2)**0.5", power, (-2.0, 0.5), nan, (nan, nan)),
    ("(-8)**(1/3)", power, (-8.0, 1 / 3), nan, (nan, nan)),
    ("1**nan", power, (1.0, nan), 1.0, (nan, 0.0)),
    ("sqrt(0)", al.sqrt, (0.0,), 0.0, (inf,)),
    ("sqrt(-0.0)", al.sqrt, (-0.0,), 0.0, (inf,)),
    ("cbrt(0)", al.cbrt, (0.0,), 0.0, (inf,)),
    ("x**0.5 at 0", lambda x: x**0.5, (0.0,), 0.0, (inf,)),
    *[(f"{f.__name__}({x})", f, (x,), nan, (nan,)) for f, x in
      ((al.log, -1.0), (al.log2, -1.0), (al.log10, -1.0), (al.log1p, -2.0), (al.atanh, 2.0))],
    ("log(0)", al.log, (0.0,), -inf, (inf,)),
    ("log1p(-1)", al.log1p, (-1.0,), -inf, (inf,)),
    ("log of the smallest double", al.log, (5e-324,), -744.4400719213812, (inf,)),
    ("asin(1)", al.asin, (1.0,), pi / 2, (inf,)),
    ("asin(-1)", al.asin, (-1.0,), -pi / 2, (inf,)),
    ("acos(1)", al.acos, (1.0,), 0.0, (-inf,)),
    ("acosh(1)", al.acosh, (1.0,), 0.0, (inf,)),
    ("atanh(1)", al.atanh, (1.0,), inf, (inf,)),
    ("atanh(-1)", al.atanh, (-1.0,), -inf, (inf,)),
    ("exp overflow", al.exp, (1e3,), inf, (inf,)),
    ("expm1 overflow", al.expm1, (1e3,), inf, (inf,)),
    ("sinh overflow", al.sinh, (-1e3,), -inf, (inf,)),
    ("cosh overflow", al.cosh, (-1e3,), inf, (-inf,)),
    *[(f"{f.__name__}({x})", f, (x,), v, (d,)) for f, x, v, d in (
        (al.tanh, inf, 1.0, 0.0), (al.tanh, -inf, -1.0, 0.0), (al.erf, inf, 1.0, 0.0), (al.erf, -inf, -1.0, 0.0),
        (al.atan, inf, pi / 2, 0.0), (al.atan, -inf, -pi / 2, 0.0), (al.sigmoid, inf, 1.0, 0.0),
        (al.sigmoid, -inf, 0.0, 0.0), (al.softplus, inf, inf, 1.0), (al.softplus, -inf, 0.0, 0.0),
        (al.gelu, -inf, 0.0, 0.0), (al.gelu, inf, inf, 1.0), (al.silu, -inf, 0.0, 0.0), (al.silu, inf, inf, 1.0))],
    ("hypot(0, 0)", al.hypot, (0.0, 0.0), 0.0, (0.0, 0.0)),
    ("hypot(inf, 1)", al.hypot, (inf, 1.0), inf, (1.0, 0.0)),
    ("atan2(0, 0)", al.atan2, (0.0, 0.0), 0.0, (nan, nan)),
    ("gamma(-2)", al.gamma, (-2.0,), nan, (nan,)),
    ("lgamma(-2)", al.lgamma, (-2.0,), inf, (nan,)),
    ("digamma(0)", al.digamma, (0.0,), -inf, (inf,)),
    ("logaddexp(-inf, -inf)", al.logaddexp, (-inf, -inf), -inf, (0.5, 0.5)),
    ("logaddexp(inf, 1)", al.logaddexp, (inf, 1.0), inf, (1.0, 0.0)),
    ("logsumexp of -inf", lambda x, y: al.logsumexp([x, y]), (-inf, -inf), -inf, (0.5, 0.5)),
    ("where keeps the other branch's nan out", lambda x: al.where(x > 1, al.log(x - 1), x * x), (0.5,), 0.25, (1.0,)),
    ("where keeps the other branch's inf out", lambda x: al.where(x > 0, al.sqrt(x), 0 * x), (0.0,), 0.0, (0.0,)),
    # a numeric 0 * inf in the chain rule stays nan
    ("sqrt(x)**2 at 0", lambda x: al.sqrt(x) ** 2, (0.0,), 0.0, (nan,)),
    ("exp(log(x)) at 0", lambda x: al.exp(al.log(x)), (0.0,), 0.0, (nan,)),
    ("cbrt(x)**3 at 0", lambda x: al.cbrt(x) ** 3, (0.0,), 0.0, (nan,)),
]  # fmt: skip


def by_backward(f: Any, at: Any) -> tuple[float, list[float]]:
    leaves = [Value(x) for x in at]
    out = f(*leaves)
    out.backward()
    return out.data, [leaf.grad for leaf in leaves]


def by_create_graph(f: Any, at: Any) -> tuple[float, list[float]]:
    leaves = [Value(x) for x in at]
    out = f(*leaves)
    out.backward(create_graph=True)
    return out.data, [leaf.grad.data if isinstance(leaf.grad, Value) else leaf.grad for leaf in leaves]


def by_grad(f: Any, at: Any) -> tuple[float, list[float]]:
    value, gradient = al.value_and_grad(f, tuple(range(len(at))))(*at)
    return value, list(gradient)


def by_jvp(f: Any, at: Any) -> tuple[float, list[float]]:
    columns = [jvp(f, at, tuple(float(i == j) for j in range(len(at)))) for i in range(len(at))]
    return columns[0][0], [c[1] for c in columns]


@pytest.mark.parametrize("route", [by_backward, by_create_graph, by_grad], ids=lambda r: r.__name__)
@pytest.mark.parametrize(("label", "f", "at", "value", "gradient"), ROWS, ids=[r[0] for r in ROWS])
def test_conventions(label: str, f: Any, at: Any, value: float, gradient: Any, route: Any) -> None:
    got, slopes = route(f, at)
    assert same(got, value)
    assert all(map(same, slopes, gradient)), slopes


ONE_ARGUMENT = [r for r in ROWS if len(r[2]) == 1]


@pytest.mark.parametrize(("label", "f", "at", "value", "gradient"), ONE_ARGUMENT, ids=[r[0] for r in ONE_ARGUMENT])
def test_conventions_forward(label: str, f: Any, at: Any, value: float, gradient: Any) -> None:
    got, slopes = by_jvp(f, at)
    assert same(got, value)
    assert all(map(same, slopes, gradient)), slopes


SECOND = [
    ("x**1.0 at 0", lambda x: x**1.0, 0.0, 0.0),
    ("x**2 at 0", lambda x: x**2, 0.0, 2.0),
    ("x**0 at 0", lambda x: x**0, 0.0, 0.0),
    ("0**y in y", lambda y: Value(0.0) ** y, 0.5, 0.0),
    *[(f"{f.__name__} at {x}", f, x, 0.0) for f in (al.tanh, al.erf, al.atan, al.sigmoid, al.softplus) for x in (inf, -inf)],
]  # fmt: skip


@pytest.mark.parametrize(("label", "f", "x", "wanted"), SECOND, ids=[r[0] for r in SECOND])
def test_second_derivatives(label: str, f: Any, x: float, wanted: float) -> None:
    got = grad(grad(f))(x)
    assert same(got.data if isinstance(got, Value) else got, wanted)
    (forward,) = jacobian(lambda v: [grad(f)(v)])(x)
    assert same(forward.data if isinstance(forward, Value) else forward, wanted)


def test_zero_to_a_power_has_no_slope_in_the_power_at_any_order() -> None:
    f: Any = lambda y: al.pow(0.0, y)  # noqa: E731
    for _ in range(4):
        f = grad(f)
        assert f(2.5) == 0.0


def test_known_faults_of_others() -> None:
    assert al.hessian(lambda x: al.hypot(x[0], x[1]))([1.0, 1.0])[0][1] == pytest.approx(-(2.0**-1.5), rel=1e-15)
    assert grad(al.digamma)(-10.5) == pytest.approx(9.778757739814811, rel=1e-15)
    assert al.softplus(20.000001) - al.softplus(20.0) == pytest.approx(1e-6, rel=1e-6)
    assert grad(al.atan)(1e200) == 0.0


def test_the_operand_not_taken_is_not_reached_at_all() -> None:
    a, b = Value(2.0), Value(3.0)
    before = b.grad
    al.where(a > 1, a, b).backward()
    assert a.grad == 1.0
    assert b.grad is before
