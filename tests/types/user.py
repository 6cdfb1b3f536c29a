"""What a user writes, and what a type checker must know of it: each comment says what `reveal_type` there says."""

from typing import reveal_type

from autograd_lite import (
    Value,
    grad,
    hessian,
    hvp,
    jacobian,
    jit,
    jvp,
    log,
    lt,
    maximum,
    nn,
    ops,
    optim,
    sin,
    value_and_grad,
    vjp,
)
from autograd_lite.fit import fit, minimize
from autograd_lite.formula.expression import parse
from autograd_lite.nn import losses


def f(x: float, y: float = 2.0) -> float:
    """A function of floats."""
    return x * y


def line(weights: list[float], x: float) -> float:
    """A function of a list and a float."""
    return weights[0] * x + weights[1]


def bowl(p: dict[str, float]) -> float:
    """A function of named weights."""
    return p["a"] * p["a"]


v, w = Value(2.0), Value(3.0, "w")
reveal_type(v + w)  # Value
reveal_type(2 * v - w / 3)  # Value
reveal_type(-(v**2))  # Value
reveal_type(v.data)  # float
reveal_type(v.grad)  # float | Any
reveal_type(v < w)  # bool
reveal_type(v.detach())  # Value

reveal_type(sin(1.0))  # float
reveal_type(sin(v))  # Value
reveal_type(maximum(2, v))  # Value
reveal_type(lt(1, 2.0))  # float
reveal_type(lt(v, w))  # Value
reveal_type(log(8.0, 2.0))  # float
reveal_type(ops.sum([v, 2.0]))  # Value
reveal_type(ops.sum([1.0, 2.0]))  # float
reveal_type(ops.logsumexp([v, w]))  # Value
reveal_type(ops.dot([v, w], [1.0, 2.0]))  # Value
reveal_type(ops.softmax([v, 1.0]))  # list[Value]
reveal_type(ops.softmax([1.0, 2.0]))  # list[float]
reveal_type(ops.clamp(v, 0, 1))  # Value
reveal_type(ops.where(v > w, v, 1.0))  # Value
reveal_type(ops.round_(1.5))  # float
reveal_type(ops.degrees(v))  # Value
reveal_type(ops.reciprocal(4.0))  # float

reveal_type(sum([v, w], Value(0.0)))  # Value
reveal_type(max(v, w))  # Value
reveal_type(v.args)  # tuple[float | Value, ...]
reveal_type(v.hypot(w))  # Value
reveal_type(v.clip(0, 1))  # Value
reveal_type(round(v, 2))  # Value

reveal_type(grad(f))  # (float, y: float = 2.0) -> float
reveal_type(grad(f)(1.0))  # float
slope = grad(f)
reveal_type(grad(slope)(1.0))  # float
reveal_type(grad(line)([1.0, 2.0], 3.0))  # list[float]
reveal_type(grad(bowl)({"a": 1.0}))  # dict[str, float]
reveal_type(grad(f, 1)(1.0, 2.0))  # Any
reveal_type(grad(jit(f))(1.0))  # float
reveal_type(jit(grad(line))([1.0, 2.0], 3.0))  # list[float]
reveal_type(value_and_grad(f)(1.0, y=3.0))  # tuple[float, float]
reveal_type(hvp(bowl, ({"a": 1.0},), ({"a": 2.0},)))  # dict[str, float]
reveal_type(jacobian(f)(1.0))  # Any
reveal_type(hessian(f)(1.0))  # Any
reveal_type(jvp(f, (1.0, 2.0), (1.0, 0.0)))  # tuple[float, float]
reveal_type(vjp(f, 1.0, 2.0)[0])  # float

reveal_type(jit(f)(1.0, y=3.0))  # float
reveal_type(jit(f, batch=0)([1.0, 2.0]))  # Any
reveal_type(jit(f).source(1.0))  # str

reveal_type(nn.Neuron(2)([1.0, 2.0]))  # Value
reveal_type(nn.MLP(2, [4, 1])([1.0, 2.0]))  # Value | Any
reveal_type(nn.MLP(2, [4, 1]).parameters())  # list[Value]
reveal_type(losses.mse([v, w], [1.0, 2.0]))  # Value
reveal_type(losses.mse([1.0], [2.0]))  # float
reveal_type(optim.Adam([v], lr=0.1).zero_grad())  # None
reveal_type(optim.Adam([v], lr=0.1).lr)  # float

reveal_type(minimize(bowl, {"a": 1.0}).params)  # dict[str, float]
reveal_type(minimize(bowl, {"a": 1.0}).path)  # list[tuple[int, dict[str, float]]]
cars = fit("w*x + b", {"x": [1.0, 2.0, 3.0], "y": [2.0, 3.0, 5.0]}, target="y")
reveal_type(cars.params)  # dict[str, float]
reveal_type(cars.predict({"x": [1.0]}))  # list[float]
reveal_type(cars.model.weights)  # dict[str, float]
reveal_type(parse("x + 1")({"x": 1.0}))  # float

grad(lambda x: x**3)(2.0)  # what a function without types takes is anybody's guess
grad(lambda p: p["a"] ** 2)({"a": 1.0})


def wrong() -> None:
    """Calls that a type checker must refuse."""
    grad(f)("one")  # error
    value_and_grad(f)(1.0, z=3.0)  # error
    jit(f)("one")  # error
