"""Functions and transforms that several tests take derivatives with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from autograd_lite import Op, Value, exp, jvp, vjp


def rosenbrock(v: Sequence[Any]) -> Any:
    """The valley, of any number of arguments."""
    return sum(100 * (v[i + 1] - v[i] ** 2) ** 2 + (1 - v[i]) ** 2 for i in range(len(v) - 1))


def decayed(p: Any, x: Any, y: Any) -> Any:
    """What a decay leaves of a row."""
    return p["a"] * exp(-p["k"] * x) - y


def along(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The derivative of a function of one number, forwards."""
    return lambda x: jvp(f, (x,), (1.0,))[1]


def back(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same, backwards."""
    return lambda x: vjp(f, x)[1](1.0)[0]


def backward(f: Callable[[Any], Any], create_graph: bool = False) -> Callable[[float], float]:
    """The same, by the method of a Value."""

    def slope(x: float) -> float:
        leaf = Value(x)
        f(leaf).backward(create_graph=create_graph)
        return float(getattr(leaf.grad, "data", leaf.grad))

    return slope


def applied(op: Op, args: Sequence[Any]) -> Any:
    """A row on flat arguments, without the gathering of lists that the public call does."""
    return Value._record(op, tuple(args)) if any(isinstance(a, Value) for a in args) else op.forward(*args)
