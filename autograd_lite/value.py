"""`Value`: a number that remembers how it was computed, and `backward`, which applies the chain rule to it.

Every operator and method is one line that names its row of the op table; what makes no node is in `protocols`.
"""

from __future__ import annotations

import numbers
import os
import threading
from collections import deque
from collections.abc import Callable
from itertools import chain
from operator import add, attrgetter
from types import MethodType
from typing import Any

from . import accelerated, adjoints, context, ends, frames, graph, ops, sweeps
from .errors import InputTypeError, NotALeafError
from .ops import Op
from .protocols import NeitherError, Protocols, clock, described, given_name, looked_at, neither, other_number
from .tree import Number, as_float, held

__all__ = ["Value"]

_new = object.__new__
_commit = threading.RLock()  # one that a signal handler may take again
if hasattr(os, "register_at_fork"):  # whoever forks waits until nobody hands gradients over
    os.register_at_fork(before=_commit.acquire, after_in_parent=_commit.release, after_in_child=_commit.release)


# The makers below write out the stores of a node, which they share: every operation passes here, and a call would be felt.


def _unary(op: Op) -> Callable[[Value], Value]:
    """The method that applies a row to one Value."""
    forward = op.forward

    def method(self: Value) -> Value:
        out = _new(Value)
        out._x = x = self._data
        out._data = forward(x)
        out._a = self
        out._b = out._y = 0.0
        out.op = op
        out.grad = 0.0
        out.name = None
        return _watched(out) if context.active else out

    return accelerated.method(op, described(method, op))


def _binary(op: Op) -> Callable[[Value, Number], Value]:
    """The method that applies a row to a Value and another Value or number, in this order."""
    forward, plus, times = op.forward, op is ops.add, op is ops.mul

    def method(self: Value, other: Number, modulus: None = None) -> Number:
        if modulus is not None:
            repair = f"write v ** {other!r} % {modulus!r}" if op is ops.pow else f"{op.name} takes one other operand"
            raise InputTypeError(f"{op.name}(v, {other!r}, {modulus!r}) is not there: {repair}")
        if type(other) is Value:
            y = other._data
        elif type(other) is float:
            y = other
        else:
            if not isinstance(other, Value) and (other := other_number(other, op)) is NotImplemented:
                return other
            y = other if other.__class__ is float else other._data
        out = _new(Value)
        out._x = x = self._data
        out._y = y
        out._data = x + y if plus else x * y if times else forward(x, y)  # a call takes longer than a sum
        out._a = self
        out._b = other
        out.op = op
        out.grad = 0.0
        out.name = None
        return _watched(out) if context.active else out

    return described(method, op)


def _extreme(op: Op) -> Callable[[Value, Number], Value]:
    """The method for `maximum` and `minimum`, by the row itself, which knows what ties in an operand."""
    binary: Callable[..., Any] = _binary(op)

    def method(self: Value, other: Number, *more: Number) -> Number:
        return binary(self, other, *more) if more or not isinstance(other, (Value, numbers.Real)) else op(self, other)

    return described(method, op)


def _reflected(op: Op) -> Callable[[Value, Number], Value]:
    """The method for a number on the left of the operator: ``2.0 - v``."""
    forward = op.forward

    def method(self: Value, other: Number, modulus: None = None) -> Number:
        if type(other) is not float or modulus is not None:  # pow(2, v, 5), as of CPython 3.14
            if modulus is not None or (other := other_number(other, op)) is NotImplemented:
                return NotImplemented
            if other.__class__ is not float:
                return op(other, self)
        out = _new(Value)
        out._x = other
        out._y = y = self._data
        out._data = forward(other, y)
        out._a = other
        out._b = self
        out.op = op
        out.grad = 0.0
        out.name = None
        return _watched(out) if context.active else out

    return described(method, op)


@accelerated.stored
class Value(Protocols):
    """A scalar that records the computation it comes from, so that gradients can be taken through it.

    ``bar(a) = sum over results z of a:  bar(z) * dz/da``, in reverse topological order.

    >>> w, x, b, y = Value(2.0, "w"), 3.0, Value(1.0, "b"), 10.0
    >>> loss = (w * x + b - y) ** 2
    >>> loss.backward()
    >>> loss.data, w.grad, b.grad
    (9.0, -18.0, -6.0)

    Args:
        data: any real number; it becomes an exact float.
        name: how messages and pictures call it; `label` is micrograd's word for it.

    Raises InputTypeError for what is not one real number, InputOverflowError for an int beyond a double.

    Comparison is by value and gives a `Truth`, a bool whose ``& | ^ ~`` are logic; the hash is by identity, and ``s += v``
    rebinds ``s`` to a new node.
    """

    __slots__ = ("_a", "_b", "_data", "_x", "_y", "grad", "name", "op")

    _a: Any  # first operand, a Value or a float; a tuple of all where there are more than two
    _b: Any  # second operand; the float 0.0 where there is none
    _x: Any  # what _a was worth when this node was made, so that a leaf changed later cannot mix old and new
    _y: Any  # what _b was worth; of a leaf, when it was made
    _data: float
    grad: float | Any  # a float; with create_graph a Value
    name: str | None
    op: Op | None

    def __init__(self, data: Any, name: Any = None, _op: Any = None, label: str | None = None, _children: Any = None) -> None:
        if name is not None or label is not None or _op is not None or _children is not None:
            name = given_name(data, name if _children is None else _children, _op, label)
        self._data = data if data.__class__ is float else as_float(data)
        self.grad = 0.0
        self.name = name
        self.op = None
        self._a = self._b = self._x = 0.0
        self._y = clock()
        if context.active and (trace := context.trace()) is not None:
            trace.made(self)

    # -- what it is ---------------------------------------------------------------------------------------------------

    @property
    def data(self) -> float:
        """The number itself; it can be set on leaves only."""
        if context.active:
            looked_at(self, ".data")
        return self._data

    @data.setter
    def data(self, number: Number) -> None:
        if context.active:
            looked_at(self, ".data = ...")
        if self.op is not None:
            raise NotALeafError(
                f"data of {self._title()} cannot be set: it is computed by {self.op.name}; "
                f"set the leaves it comes from, or take .detach() first"
            )
        self._data = number if number.__class__ is float else as_float(number)

    def detach(self) -> Value:
        """A new leaf of the same value and name, which no gradient passes.

        To a transform it is a Value from the surroundings; inside a function `stop_gradient` is the better word.
        """
        if context.active and context.trace() is not None:  # a number of its own would be the one of this call for ever
            held: Value = ops.stop_gradient(self)
            return held
        return Value(self._data, self.name)

    def zero_grad(self) -> None:
        """Set this Value's own gradient to 0."""
        self.grad = 0.0

    # -- making nodes -------------------------------------------------------------------------------------------------

    @staticmethod
    def _record(op: Op, args: tuple[Number, ...]) -> Value:
        """The node that applies `op` to `args`, Values and numbers of any kind."""
        a: Any
        x: Any
        b: Any = 0.0
        y = 0.0
        if op.arity == 1 and args[0].__class__ is Value:  # the most frequent call by far
            a = args[0]
            x = a._data
            data = op.forward(x)
        else:
            try:
                floats = [a._data if a.__class__ is Value else a if a.__class__ is float else neither(a) for a in args]
            except NeitherError:
                args = tuple(map(held, args))
                floats = [a._data if isinstance(a, Value) else op.number(a, i) for i, a in enumerate(args)]
                args = tuple(a if isinstance(a, Value) else x for a, x in zip(args, floats, strict=True))
            data = op.forward(*floats)
            if op.arity == 1:
                (a,), (x,) = args, floats
            elif op.arity == 2:
                a, b = args
                x, y = floats
            else:
                a, x = args, tuple(floats)
        out = _new(Value)
        out._data = data if data.__class__ is float else as_float(data, f"result of {op.name}()")
        out._a, out._b, out._x, out._y = a, b, x, y
        out.op = op
        out.grad = 0.0
        out.name = None
        return _watched(out) if context.active else out

    def _snapshot(self, data: float) -> Value:
        """This leaf as it was when it was worth `data`: gradients still pass through to it."""
        out: Value = ops.identity(self)
        out._data = out._x = data
        return out

    # -- the chain rule -----------------------------------------------------------------------------------------------

    def backward(self, gradient: Number = 1.0, create_graph: bool = False) -> None:
        """Set ``.grad`` of everything this was computed from to the derivative of this Value with respect to it.

        ``leaf.grad += gradient * d self / d leaf``; computed Values get theirs set, not added to.

        >>> x = Value(3.0)
        >>> (x * x).backward()
        >>> x.grad
        6.0

        Args:
            gradient: the derivative of some further result with respect to this Value; a number, or a Value.
            create_graph: make the gradients Values, which can be differentiated again.  They refer to the graph that
                refers to them: `zero_grad` breaks that ring, and `autograd_lite.grad` never makes one.

        The sums are handed over at the end in one step: an interrupted backward has changed nothing, and threads and
        signal handlers that share leaves lose nothing.  The gradient is that at the values of the forward pass.
        """
        if context.active:
            looked_at(self, ".backward()")
        if not isinstance(gradient, Value):
            gradient = as_float(gradient, "gradient")
            if _backward is not None and not create_graph and not context.active and _backward(self, gradient):
                return
        inputs, nodes, grads, _ = sweeps.reverse({self: gradient}, create_graph or isinstance(gradient, Value))
        grads = [g if isinstance(g, Value) else Value(g) for g in grads] if create_graph else grads
        with _commit:
            totals: Any = map(add, map(_grad_of, inputs), inputs.values())
            if create_graph or {*map(type, chain(map(_grad_of, inputs), inputs.values()))} - {float}:
                totals = [_sum(leaf.grad, g, create_graph) for leaf, g in inputs.items()]
            # One call that runs no Python code of ours: neither a signal nor another thread can come in between.
            deque(map(_set_grad, chain(inputs, nodes), chain(totals, grads)), maxlen=0)

    # -- operators ----------------------------------------------------------------------------------------------------

    __add__ = _binary(ops.add)
    __radd__ = _reflected(ops.add)
    __sub__ = _binary(ops.sub)
    __rsub__ = _reflected(ops.sub)
    __mul__ = _binary(ops.mul)
    __rmul__ = _reflected(ops.mul)
    __truediv__ = _binary(ops.div)
    __rtruediv__ = _reflected(ops.div)
    __floordiv__ = _binary(ops.floordiv)
    __rfloordiv__ = _reflected(ops.floordiv)
    __mod__ = _binary(ops.mod)
    __rmod__ = _reflected(ops.mod)
    __pow__ = _binary(ops.pow)
    __rpow__ = _reflected(ops.pow)
    __neg__ = _unary(ops.neg)
    __pos__ = _unary(ops.identity)
    __abs__ = _unary(ops.abs)
    __floor__ = _unary(ops.floor)
    __ceil__ = _unary(ops.ceil)
    __trunc__ = _unary(ops.trunc)

    def __bool__(self) -> bool:
        outcome = self._data != 0.0
        if context.active and (trace := context.trace()) is not None:
            trace.decided(self, outcome)
        return outcome

    # -- functions, under the names NumPy's ufuncs look for -----------------------------------------------------------

    exp = _unary(ops.exp)
    exp2 = _unary(ops.exp2)
    expm1 = _unary(ops.expm1)
    log = _unary(ops.log)
    log2 = _unary(ops.log2)
    log10 = _unary(ops.log10)
    log1p = _unary(ops.log1p)
    sqrt = _unary(ops.sqrt)
    cbrt = _unary(ops.cbrt)
    square = _unary(ops.square)
    sin = _unary(ops.sin)
    cos = _unary(ops.cos)
    tan = _unary(ops.tan)
    asin = arcsin = _unary(ops.asin)
    acos = arccos = _unary(ops.acos)
    atan = arctan = _unary(ops.atan)
    atan2 = arctan2 = _binary(ops.atan2)
    sinh = _unary(ops.sinh)
    cosh = _unary(ops.cosh)
    tanh = _unary(ops.tanh)
    asinh = arcsinh = _unary(ops.asinh)
    acosh = arccosh = _unary(ops.acosh)
    atanh = arctanh = _unary(ops.atanh)
    sinc = _unary(ops.sinc)
    erf = _unary(ops.erf)
    erfc = _unary(ops.erfc)
    sigmoid = _unary(ops.sigmoid)
    log_sigmoid = _unary(ops.log_sigmoid)
    softplus = _unary(ops.softplus)
    relu = _unary(ops.relu)
    gelu = _unary(ops.gelu)
    silu = _unary(ops.silu)
    sign = _unary(ops.sign)
    fabs = _unary(ops.abs)
    floor = _unary(ops.floor)
    ceil = _unary(ops.ceil)
    trunc = _unary(ops.trunc)
    fmod = _binary(ops.fmod)
    copysign = _binary(ops.copysign)
    logaddexp = _binary(ops.logaddexp)
    maximum = fmax = _extreme(ops.maximum)
    minimum = fmin = _extreme(ops.minimum)


class Located(Value):
    """A node made under `detect_anomaly`: it also knows the source line that made it."""

    __slots__ = ("where",)

    where: str


def _watched(node: Value) -> Value:
    """The node just made, looked at as `errstate` and `detect_anomaly` ask."""
    now = context.current()
    if now is context.QUIET:
        return node
    if now.trace is not None:
        now.trace.recorded(node)
        return node
    where = None
    if now.lines:
        located = _new(Located)
        for slot in Value.__slots__:
            setattr(located, slot, getattr(node, slot))
        where = located.where = frames.source_line()
        node = located
    assert node.op is not None
    names = [a.name if isinstance(a, Value) else None for a in node.args]
    context.check(node.op, names, graph.values(node), node._data, where)
    return node


_set_grad, _grad_of = vars(Value)["grad"].__set__, attrgetter("grad")


def _sum(old: Number, new: Number, create_graph: bool) -> Number:
    """A leaf's gradient so far and what is added; always a new object, by which an optimizer knows it was reached."""
    old = 0.0 if old is None else old  # as PyTorch clears it
    if isinstance(new, Value):
        return new if not isinstance(old, Value) and old == 0.0 else old + new
    return Value(old + new) if create_graph and not isinstance(old, Value) else old + new


_backward = accelerated.adopted(
    adjoints.CALLED
    | {
        "negative": _unary(ops.neg), "sum": _sum, "acquire": _commit.acquire, "release": _commit.release, "as_float": as_float,
        "bound": MethodType, "watched": _watched, "ramp": ops.relu.forward, "above": (ops.relu.products or (None,))[0],
    },
    [(op, _binary(op), _reflected(op)) for op in (ops.add, ops.sub, ops.mul, ops.div, ops.pow, ops.floordiv, ops.mod)],
    [ops.add, ops.sub, ops.mul, ops.div, ops.neg, ops.sum, ops.mean, ops.dot],
    list(ops.TABLE.values()),
)  # fmt: skip

if ends.DEEP and accelerated.loaded is None:
    Value.__del__ = ends.freed  # type: ignore[attr-defined]
