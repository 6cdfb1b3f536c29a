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

Function = Callable[[Any], Any]

SOME = (-1.7, -0.6, 0.4, 2.3)  # no product is 0 and no power 1 there
NEAR = (1e-3, -1e-3, 1e-2, -1e-2)
BY_DEFINITION = {"stop_gradient": (0,)}  # has a slope, and hands none on


def points(op: Op) -> Iterator[tuple[float, ...]]:
    n = op.arity or len(op.example)
    for at in product(SOME, repeat=n):
        whole = tuple(op.example[i] if i in op.settings else x for i, x in enumerate(at))
        inside = all(x in op.domain[i if op.arity else 0] for i, x in enumerate(whole) if i not in op.settings)
        if inside and not any(kink.holds(*whole) for kink in op.kinks):
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


def backward(f: Function, create_graph: bool) -> Function:
    def slope(x: float) -> float:
        leaf = Value(x)
        f(leaf).backward(create_graph=create_graph)
        return float(getattr(leaf.grad, "data", leaf.grad))

    return slope


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


@pytest.mark.parametrize("name", ["elu", "leaky_relu"])
@pytest.mark.parametrize("at", [(0.0, 0.5), (-0.0, 1.0), (0.0, 0.0)])
def test_a_slope_that_happens_to_be_0_is_an_influence(name: str, at: tuple[float, float]) -> None:
    """At 0 the slope by alpha is 0 on the way, not nothing: the mixed derivative is 1, as just below."""
    row = al.ops.TABLE[name]
    for second in (al.hessian(row, (0, 1))(*at), al.jit(al.hessian(row, (0, 1)))(*at)):
        assert second[0][1] == second[1][0] == 1.0
