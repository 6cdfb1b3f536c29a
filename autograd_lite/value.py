"""`Value`: a number that remembers how it was computed, and `backward`, which applies the chain rule to it.

Imports `ops`, `graph`, `tree` and `errors`.  Every operator and method is one line that names its row of the op table.
"""

from __future__ import annotations

import math
import numbers
import operator
import os
import threading
from collections import deque
from collections.abc import Callable
from itertools import chain, count
from typing import Any, NoReturn, TypeVar

from . import context, frames, graph, ops
from .errors import InputTypeError, NotALeafError
from .ops import Op
from .tree import as_float
from .truth import FALSE, TRUE

__all__ = ["Value"]

_new = object.__new__
clock = count(1).__next__  # one count for each leaf made: what is older than a call has the smaller one
_commit = threading.RLock()  # one that a signal handler may take again
if hasattr(os, "register_at_fork"):  # whoever forks waits until nobody hands gradients over
    os.register_at_fork(before=_commit.acquire, after_in_parent=_commit.release, after_in_child=_commit.release)


Method = TypeVar("Method", bound=Callable[..., Any])


class _NeitherError(Exception):
    """Some argument is neither a Value nor a float, and must be looked at more closely."""


def _neither(arg: Any) -> NoReturn:
    raise _NeitherError


def _described(method: Method, op: Op) -> Method:
    """The method under the name and first sentence of its row."""
    method.__name__, method.__qualname__ = op.name, f"Value.{op.name}"
    method.__doc__ = (op.__doc__ or "").split("\n\n")[0]
    return method


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

    return _described(method, op)


def _binary(op: Op) -> Callable[[Value, Any], Value]:
    """The method that applies a row to a Value and another Value or number, in this order."""
    forward = op.forward

    def method(self: Value, other: Any, modulus: None = None) -> Any:
        if modulus is not None:
            repair = f"write v ** {other!r} % {modulus!r}" if op is ops.pow else f"{op.name} takes one other operand"
            raise InputTypeError(f"{op.name}(v, {other!r}, {modulus!r}) is not there: {repair}")
        if other.__class__ is Value:
            y = other._data
        elif other.__class__ is float:
            y = other
        elif isinstance(other, Value):
            y = other._data
        else:
            other = y = _other_number(other, op)
            if y is NotImplemented:
                return y
        out = _new(Value)
        out._x = x = self._data
        out._y = y
        out._data = forward(x, y)
        out._a = self
        out._b = other
        out.op = op
        out.grad = 0.0
        out.name = None
        return _watched(out) if context.active else out

    return _described(method, op)


def _extreme(op: Op) -> Callable[[Value, Any], Value]:
    """The method for `maximum` and `minimum`, by the row itself, which knows what ties in an operand."""
    binary: Callable[..., Any] = _binary(op)

    def method(self: Value, other: Any, *more: Any) -> Any:
        return binary(self, other, *more) if more or not isinstance(other, (Value, numbers.Real)) else op(self, other)

    return _described(method, op)


def _reflected(op: Op) -> Callable[[Value, Any], Value]:
    """The method for a number on the left of the operator: ``2.0 - v``."""
    forward = op.forward

    def method(self: Value, other: Any) -> Any:
        if other.__class__ is not float:
            other = _other_number(other, op)
            if other is NotImplemented:
                return other
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

    return _described(method, op)


def _compared(relation: Op) -> Callable[[Any, object], bool]:
    """The method that compares by value; the answer is a `Truth`, or while a batch is traced a node."""
    forward = relation.forward

    def method(self: Value, other: object) -> Any:  # what is traced over a batch, and NotImplemented, count as bools
        y: Any
        if isinstance(other, Value):
            y = other._data
        elif isinstance(other, numbers.Real):
            y = other  # as it is: Python compares a float with any int exactly
        else:
            y = _other_number(other, relation)
            if y is NotImplemented:
                return y
        outcome = forward(self._data, y)
        if context.active and (trace := context.trace()) is not None:
            return trace.compared(relation, self, other if isinstance(other, Value) else y, bool(outcome))
        return TRUE if outcome else FALSE

    return _described(method, relation)


def _other_number(other: Any, op: Op) -> Any:
    """The operand of an operator as a float; NotImplemented where it may know better what to do (an array)."""
    if isinstance(other, (str, bytes, complex)) or other is None or type(other).__name__ == "Decimal":
        if op.name in ("eq", "ne"):
            return NotImplemented
        as_float(other, f"operand of {op.name}()")
    if getattr(other, "shape", ()) != ():
        return NotImplemented
    try:
        return as_float(other, f"operand of {op.name}()")
    except InputTypeError:
        return NotImplemented


class Value:
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

    def __init__(self, data: Any, name: str | None = None, _op: Any = None, *, label: str | None = None) -> None:
        if name is not None or label is not None or _op is not None:
            name = _given_name(data, name, _op, label)
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
            _looked_at(self, ".data")
        return self._data

    @data.setter
    def data(self, number: Any) -> None:
        if context.active:
            _looked_at(self, ".data = ...")
        if self.op is not None:
            raise NotALeafError(
                f"data of {self._title()} cannot be set: it is computed by {self.op.name}; "
                f"set the leaves it comes from, or take .detach() first"
            )
        self._data = number if number.__class__ is float else as_float(number)

    @property
    def args(self) -> tuple[Any, ...]:
        """The operands this was computed from, in order, repeats kept; constants are plain floats."""
        return graph.operands(self)

    @property
    def _prev(self) -> set[Value]:
        """The operands that are Values, as micrograd has them."""
        return {a for a in graph.operands(self) if isinstance(a, Value)}

    @property
    def _op(self) -> str:
        """The sign of the op, as micrograd has it; empty for a leaf."""
        if self.op is None:
            return ""
        return f"**{self._b:g}" if self.op is ops.pow and self._b.__class__ is float else self.op.symbol

    @property
    def label(self) -> str:
        """The name, as micrograd's lecture calls it; empty where there is none."""
        return self.name or ""

    @label.setter
    def label(self, name: str) -> None:
        self.name = _given_name(self._data, name, None, None) or None

    @property
    def _backward(self) -> Callable[[], None]:
        """The step of the chain rule at this Value, as micrograd has it: the operands gain ``.grad`` times a partial."""
        return self._pass_on

    @_backward.setter
    def _backward(self, step: Any) -> None:
        raise AttributeError(f"_backward of {self._title()} cannot be set: {_ROW}")

    def _pass_on(self) -> None:
        if context.active:
            _looked_at(self, "._backward()")
        if self.op is None:
            return
        g = as_float(_plain(self.grad or 0.0), "grad")
        for a, d in zip(graph.operands(self), graph.contributions(self, g), strict=True):
            if isinstance(a, Value) and d is not None:
                a.grad = (a.grad or 0.0) + d

    def _title(self) -> str:
        return f"Value {self.name!r}" if self.name is not None else f"a Value of {self._data!r}"

    def __repr__(self) -> str:
        grad = self.grad._data if isinstance(self.grad, Value) else self.grad
        name = "" if self.name is None else f", name={self.name!r}"
        return f"Value(data={self._data}, grad={grad}{name})"

    def __format__(self, spec: str) -> str:
        if not spec:
            return repr(self)
        if context.active:
            _looked_at(self, "format()")  # a number again as soon as float() reads it
        return format(self._data, spec)

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
    def _record(op: Op, args: tuple[Any, ...]) -> Value:
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
                worth = [a._data if a.__class__ is Value else a if a.__class__ is float else _neither(a) for a in args]
            except _NeitherError:
                worth = [a._data if isinstance(a, Value) else op.number(a, i) for i, a in enumerate(args)]
                args = tuple(a if isinstance(a, Value) else x for a, x in zip(args, worth, strict=True))
            data = op.forward(*worth)
            if op.arity == 1:
                (a,), (x,) = args, worth
            elif op.arity == 2:
                a, b = args
                x, y = worth
            else:
                a, x = args, tuple(worth)
        out = _new(Value)
        out._data = data if data.__class__ is float else as_float(data, f"result of {op.name}()")
        out._a, out._b, out._x, out._y = a, b, x, y
        out.op = op
        out.grad = 0.0
        out.name = None
        return _watched(out) if context.active else out

    def _worth(self, data: float) -> Value:
        """This leaf as it was when it was worth `data`: gradients still pass through to it."""
        out: Value = ops.identity(self)
        out._data = out._x = data
        return out

    # -- the chain rule -----------------------------------------------------------------------------------------------

    def backward(self, gradient: Any = 1.0, create_graph: bool = False) -> None:
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

        The sweep keeps its sums to itself and hands them over at the end in one step: an interrupted backward has
        changed nothing, and threads that share leaves lose nothing.  The gradient belongs to the values of the
        forward pass, even if leaves have been given new data since.
        """
        if context.active:
            _looked_at(self, ".backward()")
        if not isinstance(gradient, Value):
            gradient = as_float(gradient, "gradient")
        inputs, nodes, grads, _ = graph.reverse({self: gradient}, create_graph or isinstance(gradient, Value))
        if create_graph:
            grads = [g if isinstance(g, Value) else Value(g) for g in grads]
        with _commit:
            totals = [_sum(leaf.grad, g, create_graph) for leaf, g in inputs.items()]
            # One call that runs no Python code of ours: neither a signal nor another thread can come in between.
            deque(map(_set_grad, chain(inputs, nodes), chain(totals, grads)), maxlen=0)

    def explain(self, **options: Any) -> Any:
        """The backward pass from here in readable steps: see `autograd_lite.explain`."""
        from .explanation import explain

        return explain(self, **options)

    def draw(self, **options: Any) -> Any:
        """The picture of the computation and its gradients: see `autograd_lite.draw`."""
        from .drawing import draw

        return draw(self, **options)

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
    __lt__ = _compared(ops.lt)
    __le__ = _compared(ops.le)
    __gt__ = _compared(ops.gt)
    __ge__ = _compared(ops.ge)
    __eq__ = _compared(ops.eq)
    __ne__ = _compared(ops.ne)
    __hash__ = object.__hash__

    def __divmod__(self, other: Any) -> tuple[Value, Value]:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> tuple[Value, Value]:
        return other // self, other % self

    def __round__(self, digits: int | None = None) -> Value:
        rounded: Value = ops.round_(self, 0 if digits is None else digits)
        return rounded

    def __bool__(self) -> bool:
        outcome = self._data != 0.0
        if context.active and (trace := context.trace()) is not None:
            trace.decided(self, outcome)
        return outcome

    def __float__(self) -> float:
        if frames.operation() == ("operator", "%"):  # "%.4f" % v is text, as f"{v:.4f}" is
            if context.active:
                _looked_at(self, "format()")
            return self._data
        self._refuse("float")

    def __int__(self) -> int:
        self._refuse("int")

    def __complex__(self) -> complex:
        self._refuse("complex")

    def _refuse(self, kind: str) -> NoReturn:
        if context.active:
            _looked_at(self, f"{kind}()")
        what, called = frames.operation()
        ours = {"fabs": "abs", "round": "round_"}.get(called, called) if what == "call" else ""
        row = ops.PUBLIC.get(ours)
        advice = "the library's own functions in place of those of math"
        if row is not None:
            method = f" or v.{ours}()" if hasattr(type(self), ours) else ""
            advice = f"autograd_lite.{ours}(v){method} in place of {called}(v) of another library"
        raise InputTypeError(
            f"{kind}() of {self._title()} would lose its gradient: use {advice}, "
            f"an object array in place of a float one, and v.data where only the number is wanted"
        )

    # -- copies and files ---------------------------------------------------------------------------------------------

    def __reduce__(self) -> tuple[Any, ...]:
        if context.active:
            _looked_at(self, "copy()")
        if self.op is not None:
            raise NotALeafError(
                f"{self._title()} is computed by {self.op.name} and cannot be copied or pickled with its graph: "
                f"copy v.detach(), which keeps value and name"
            )
        if type(self) is Value:
            return Value, (self._data, self.name)
        slots = {  # of a subclass too, whose __init__ may take other arguments
            slot: getattr(self, slot)
            for cls in type(self).__mro__
            for slot in vars(cls).get("__slots__", ())
            if slot not in ("__dict__", "__weakref__", "grad") and hasattr(self, slot)
        }
        return _new, (type(self),), (getattr(self, "__dict__", None), {**slots, "grad": 0.0})

    # -- NumPy ----------------------------------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """NumPy's function of a Value and numbers is ours of that name; with an array, item by item.

        Of arrays alone it is NumPy's own, which looks for the methods below on each item.
        """
        ours = _UFUNCS.get(ufunc.__name__)
        if ours is not None and method == "__call__":
            if not options and all(getattr(x, "shape", ()) == () for x in inputs):
                return ours(*inputs)
            if not options and ufunc.types[0][-1] != "?":  # comparisons of arrays are arrays of bool
                import numpy as np

                ufunc = np.frompyfunc(ours, ufunc.nin, 1)
        return getattr(ufunc, method)(*[_boxed(x) if isinstance(x, Value) else x for x in inputs], **options)

    @property
    def dtype(self) -> NoReturn:
        """Absent: what NumPy functions ask for that work on arrays of numbers only."""
        raise AttributeError(
            "a Value has no dtype: this function of NumPy takes arrays of numbers only; write it with operators and with "
            "functions of autograd_lite, as sum([abs(x) ** 3 for x in v]) ** (1 / 3) for np.linalg.norm(v, 3)"
        )

    def conjugate(self) -> Value:
        """Itself: it is real."""
        return self

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

    def hypot(self, *others: Any) -> Any:
        """The length of the vector of this and the others."""
        return ops.hypot(self, *others)

    def reciprocal(self) -> Any:
        """One over this."""
        return ops.reciprocal(self)

    def degrees(self) -> Any:
        """These radians in degrees."""
        return ops.degrees(self)

    def radians(self) -> Any:
        """These degrees in radians."""
        return ops.radians(self)

    rad2deg = degrees
    deg2rad = radians

    def rint(self) -> Any:
        """Rounded to the nearest whole number, halves to even."""
        return ops.round_(self)

    def clip(self, low: Any, high: Any) -> Any:
        """Kept within [low, high]."""
        return ops.clamp(self, low, high)


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


def _looked_at(value: Value, how: str) -> None:
    """Tell what records this thread's computation, if anything does, of a look at a number."""
    if (trace := context.trace()) is not None:
        trace.looked_at(value, how)


_ROW = (
    'an operation of your own is a row, tanh = Op("tanh", lambda x: ..., lambda x, out: 1 - out**2), and tanh(v) a Value; '
    "or compute it from Values, as in (v.exp() - 1) / (v.exp() + 1)"
)


def _given_name(data: Any, name: Any, op: Any, label: Any) -> Any:
    """The name that a Value was given, as `name` or as `label`."""
    if op is not None or isinstance(name, (tuple, list, set)):
        raise InputTypeError(f"Value({data!r}, {name!r}, {op!r}): a Value finds its operands by itself; {_ROW}")
    if name is not None and label is not None:
        raise InputTypeError(f"name={name!r} and label={label!r} are one thing: give one of them")
    given = label if name is None else name
    if given is not None and not isinstance(given, str):
        raise InputTypeError(f"name={given!r} must be a string: Value({data!r}, name='w')")
    return given


def _plain(grad: Any) -> Any:
    return grad._data if isinstance(grad, Value) else grad


def _boxed(value: Value) -> Any:
    """A Value as an array of no axes, which NumPy takes as it is."""
    import numpy as np

    box = np.empty((), object)
    box[()] = value
    return box


def _sought(test: Callable[[float], bool]) -> Callable[[Any], bool]:
    """A question about a number, asked of a Value."""
    return lambda x: test(float(x.data) if isinstance(x, Value) else float(x))


def _ordered(relation: Callable[[Any, Any], Any], turned: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A comparison asked of the Value among the two: NumPy's numbers would ask us again."""
    return lambda x, y: relation(x, y) if isinstance(x, Value) else turned(y, x)


# NumPy's names of what we have under another, and of what it does for no objects at all
_NO_METHODS: dict[str, Callable[..., Any]] = {
    "isnan": _sought(math.isnan), "isfinite": _sought(math.isfinite), "isinf": _sought(math.isinf),
    "signbit": _sought(lambda x: math.copysign(1.0, x) < 0.0), "logaddexp": ops.logaddexp, "copysign": ops.copysign,
    "heaviside": ops.heaviside,
}  # fmt: skip
_UFUNCS: dict[str, Callable[..., Any]] = {
    **{name: operation for name, operation in ops.TABLE.items() if name not in ("mod", "round", "pow", "sum", "gamma")},
    **_NO_METHODS, "subtract": ops.sub, "multiply": ops.mul, "divide": ops.div, "floor_divide": ops.floordiv,
    "remainder": ops.mod, "power": ops.pow, "float_power": ops.pow, "negative": ops.neg, "absolute": ops.abs, "fabs": ops.abs,
    "arcsin": ops.asin, "arccos": ops.acos, "arctan": ops.atan, "arctan2": ops.atan2, "arcsinh": ops.asinh,
    "arccosh": ops.acosh, "arctanh": ops.atanh, "fmax": ops.maximum, "fmin": ops.minimum,
    "rad2deg": ops.degrees, "deg2rad": ops.radians,
    "less": _ordered(operator.lt, operator.gt), "less_equal": _ordered(operator.le, operator.ge),
    "greater": _ordered(operator.gt, operator.lt), "greater_equal": _ordered(operator.ge, operator.le),
    "equal": _ordered(operator.eq, operator.eq), "not_equal": _ordered(operator.ne, operator.ne),
}  # fmt: skip

_set_grad = vars(Value)["grad"].__set__


def _sum(old: Any, new: Any, create_graph: bool) -> Any:
    """A leaf's gradient so far and what is added; always a new object, by which an optimizer knows it was reached."""
    if old is None:  # as PyTorch clears it
        old = 0.0
    if isinstance(new, Value):
        return new if not isinstance(old, Value) and old == 0.0 else old + new
    return Value(old + new) if create_graph and not isinstance(old, Value) else old + new
