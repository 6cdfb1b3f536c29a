"""What a user writes, and what a type checker must know of it: each comment says what `reveal_type` there says."""

from typing import reveal_type

from autograd_lite import Value, grad, hessian, jacobian, jit, jvp, log, lt, maximum, nn, ops, sin, value_and_grad, vjp


def f(x: float, y: float = 2.0) -> float:
    """A function of floats."""
    return x * y


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
reveal_type(ops.sum([v, 2.0]))  # Any

reveal_type(grad(f))  # (x: float, y: float = 2.0) -> Any
reveal_type(value_and_grad(f)(1.0, y=3.0))  # tuple[float, Any]
reveal_type(jacobian(f)(1.0))  # Any
reveal_type(hessian(f)(1.0))  # Any
reveal_type(jvp(f, (1.0, 2.0), (1.0, 0.0)))  # tuple[float, float]
reveal_type(vjp(f, 1.0, 2.0)[0])  # float

reveal_type(jit(f)(1.0, y=3.0))  # float
reveal_type(jit(f, batch=0)([1.0, 2.0]))  # Any
reveal_type(jit(f).source(1.0))  # str

reveal_type(nn.Neuron(2)([1.0, 2.0]))  # Value
reveal_type(nn.MLP(2, [4, 1])([1.0, 2.0]))  # Value | Any


def wrong() -> None:
    """Calls that a type checker must refuse."""
    grad(f)("one")  # error
    value_and_grad(f)(1.0, z=3.0)  # error
    jit(f)("one")  # error
