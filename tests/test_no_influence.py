"""Nothing flows where nothing flows: each operand of the table without influence, behind an infinite slope, in every route.

Which operands have none is read from values: a function that gives the same at either side of a point does not depend on that
operand there, be it flat (floor), a selector (where) or an operand that was not taken (maximum).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest

import autograd_lite as al
from autograd_lite import Value
from autograd_lite.formula.printer import grouped
from autograd_lite.ops import TABLE, Op
from tests.functions import backward

Function = Callable[[Any], Any]

SOME = (-1.7, -0.6, 0.4, 2.3)  # no product is 0 and no power 1 there
NEAR = (1e-3, -1e-3, 1e-2, -1e-2)
BY_DEFINITION = {"stop_gradient": (0,)}  # has a slope, and hands none on


def points(op: Op) -> Iterator[tuple[float, ...]]:
    n = op.arity or len(op.example)
    for at in product(SOME, repeat=n):
        whole = tuple(op.example[i] if i in op.settings else x for i, x in enumerate(at))
        inside = all(x in op.domain[i if op.arity else 0] for i, x in enumerate(whole) if i not in op.settings)
        if inside and not op.kinked(*whole):
            yield whole


def is_flat(op: Op, at: tuple[float, ...], i: int) -> bool:
    """Whether the value is the same wherever operand i moves nearby, so that nothing flows there."""
    here = op.forward(*at)
    moved = [op.forward(*at[:i], at[i] + h, *at[i + 1 :]) for h in NEAR]
    return math.isfinite(here) and all(m == here for m in moved)


def flat_operands() -> Iterator[Any]:
    for op in TABLE.values():
        found: dict[int, tuple[float, ...]] = {}
        for at in points(op):
            for i in range(len(at)):
                if i not in op.settings and i not in found and (is_flat(op, at, i) or i in BY_DEFINITION.get(op.name, ())):
                    found[i] = at
        for i, at in found.items():
            yield pytest.param(op, at, i, id=f"{op.name}{at} by {i}")


def behind_an_infinite_slope(op: Op, at: tuple[float, ...], i: int) -> Function:
    """t plus the op, whose operand i has an infinite slope at t = 0."""

    def f(t: Any) -> Any:
        args = [x + al.sqrt(t) if j == i else x for j, x in enumerate(at)]
        if op is TABLE["where"] and i:
            args[0] = at[0] + t  # a plain condition would be decided before there is a node
        return op(*grouped(op, args)) + t

    return f


FIRST: dict[str, Callable[[Function], Function]] = {
    "grad": al.grad,
    "value_and_grad": lambda f: lambda x: al.value_and_grad(f)(x)[1],
    "jacobian": al.jacobian,
    "jvp": lambda f: lambda x: al.jvp(f, (x,), (1.0,))[1],
    "vjp": lambda f: lambda x: al.vjp(f, x)[1](1.0)[0],
    "backward": lambda f: backward(f, create_graph=False),
    "create_graph": lambda f: backward(f, create_graph=True),
    "jit": lambda f: al.jit(al.grad(f)),
    "jit jvp": lambda f: al.jit(lambda x: al.jvp(f, (x,), (1.0,))[1]),
    "jit llvm": lambda f: al.jit(al.grad(f), backend="llvm"),
    "batch": lambda f: lambda x: float(al.jit(al.grad(f), batch=0)(np.array([x, x]))[1]),
    "numpy": lambda f: lambda x: float(al.jit(al.grad(f), batch=0, backend="numpy")(np.array([x, x]))[1]),
}
SECOND: dict[str, Callable[[Function], Function]] = {
    "grad of grad": lambda f: al.grad(al.grad(f)),
    "hessian": al.hessian,
    "hvp": lambda f: lambda x: al.hvp(f, (x,), (1.0,)),
    "jvp of grad": lambda f: lambda x: al.jvp(al.grad(f), (x,), (1.0,))[1],
    "grad of jvp": lambda f: al.grad(lambda x: al.jvp(f, (x,), (1.0,))[1]),
    "jit": lambda f: al.jit(al.hessian(f)),
    "jit llvm": lambda f: al.jit(al.hessian(f), backend="llvm"),
    "batch": lambda f: lambda x: float(al.jit(al.hessian(f), batch=0)(np.array([x, x]))[1]),
}


def test_the_table_has_flat_operands() -> None:
    names = {case.values[0].name for case in flat_operands()}
    assert names >= {
        "lt", "le", "gt", "ge", "eq", "ne", "where", "sign", "heaviside", "copysign", "floor", "ceil", "trunc", "round",
        "floordiv", "mod", "fmod", "remainder", "maximum", "minimum", "clamp", "relu", "elu", "leaky_relu", "zero",
        "stop_gradient",
    }  # fmt: skip


@pytest.mark.parametrize(("op", "at", "i"), list(flat_operands()))
def test_nothing_flows_in_any_route_or_order(op: Op, at: tuple[float, ...], i: int) -> None:
    f = behind_an_infinite_slope(op, at, i)
    found = {name: route(f)(0.0) for name, route in FIRST.items()}
    assert found == dict.fromkeys(FIRST, 1.0)
    found = {name: route(f)(0.0) for name, route in SECOND.items()}
    assert found == dict.fromkeys(SECOND, 0.0)
    assert al.grad(al.hessian(f))(0.0) == al.jit(al.grad(al.hessian(f)))(0.0) == 0.0


WITH_OTHERS: dict[str, Callable[[Function, int], Function]] = {
    "grad": lambda f, n: lambda xs: al.grad(f)(xs)[n],
    "jvp": lambda f, n: lambda xs: al.jvp(f, (xs,), ([float(j == n) for j in range(len(xs))],))[1],
    "hvp's gradient": lambda f, n: lambda xs: al.jvp(al.grad(f), (xs,), (xs,))[0][n],
    "backward": lambda f, n: backward_at(f, n, create_graph=False),
    "create_graph": lambda f, n: backward_at(f, n, create_graph=True),
    "jit": lambda f, n: lambda xs: al.jit(al.grad(f))(xs)[n],
    "jit create_graph": lambda f, n: al.jit(lambda xs: al.jvp(al.grad(f), (xs,), (xs,))[0][n]),
    "numpy": lambda f, n: lambda xs: float(al.jit(al.grad(f), batch=0, backend="numpy")(np.array([xs, xs]))[1][n]),
}


def backward_at(f: Function, n: int, create_graph: bool) -> Function:
    def slope(xs: list[float]) -> float:
        leaves = list(map(Value, xs))
        f(leaves).backward(create_graph=create_graph)
        return float(getattr(leaves[n].grad, "data", leaves[n].grad))

    return slope


@pytest.mark.parametrize(("op", "at", "i"), [*flat_operands(), (al.pow, (1.7, 0.0), 0), (al.pow, (0.0, 0.0), 0)])
def test_nothing_flows_where_all_operands_vary(op: Op, at: tuple[float, ...], i: int) -> None:
    """An exponent of 0 lets nothing flow to its base, though it varies and the mixed second derivative is 1/x."""

    def f(xs: Any) -> Any:
        args = [x if j in op.settings else xs[j] + al.sqrt(xs[-1]) if j == i else xs[j] for j, x in enumerate(at)]
        return op(*grouped(op, args)) + xs[-1]

    found = {name: route(f, len(at))([*at, 0.0]) for name, route in WITH_OTHERS.items()}
    assert found == dict.fromkeys(WITH_OTHERS, 1.0)


@pytest.mark.parametrize("x", [0.25, 4.0])
def test_what_hangs_on_an_exponent_of_0_keeps_its_slopes(x: float) -> None:
    """d/dy x**(y/2) and its slope by x, 1/2x, at y = 0; and a tangent of 0 that varies: f' of x**2 is 2x."""
    f = lambda x, y: al.sqrt(x) ** y  # noqa: E731
    for h in (al.hessian(f, (0, 1)), al.jit(al.hessian(f, (0, 1))), al.jit(al.hessian(f, (0, 1)), backend="llvm")):
        assert h(x, 0.0)[0][1] == h(x, 0.0)[1][0] == 0.5 / x
    g = lambda t: al.jvp(lambda x: al.sqrt(x) ** 4.0, (x,), (t,))[1]  # noqa: E731
    assert al.grad(g)(0.0) == al.jit(al.grad(g))(0.0) == 2.0 * x


@pytest.mark.parametrize("name", ["elu", "leaky_relu"])
@pytest.mark.parametrize("at", [(0.0, 0.5), (-0.0, 1.0), (0.0, 0.0)])
def test_a_slope_that_happens_to_be_0_is_an_influence(name: str, at: tuple[float, float]) -> None:
    """At 0 the slope by alpha is 0 on the way, not nothing: the mixed derivative is 1, as just below."""
    row = al.ops.TABLE[name]
    for second in (al.hessian(row, (0, 1))(*at), al.jit(al.hessian(row, (0, 1)))(*at)):
        assert second[0][1] == second[1][0] == 1.0
