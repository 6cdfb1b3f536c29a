"""What Python, NumPy and micrograd's users ask of a `Value` beside arithmetic that makes nodes in a hurry.

Comparison, conversion, copies and files; NumPy's functions and the names its arrays look for; micrograd's names.
"""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar, cast

from . import accelerated, adjoints, context, frames, graph, ops
from .arrays import NAMES
from .errors import InputTypeError, NotALeafError
from .graph import Node
from .ops import Op
from .tree import Number, as_float, held, is_node
from .truth import FALSE, TRUE

if TYPE_CHECKING:
    from .drawing.drawing import Drawing
    from .explanation.found import Explanation
    from .value import Value

clock = (
    count(1).__next__ if accelerated.loaded is None else accelerated.loaded.clock
)  # one count for each leaf made: what is older than a call has the smaller one

Method = TypeVar("Method", bound=Callable[..., Any])


def described(method: Method, op: Op) -> Method:
    """The method under the name and first sentence of its row."""
    method.__name__, method.__qualname__ = op.name, f"Value.{op.name}"
    method.__doc__ = (op.__doc__ or "").split("\n\n")[0]
    return method


def _compared(relation: Op) -> Callable[[Number, object], bool]:
    """The method that compares by value; the answer is a `Truth`, or while a batch is traced a node."""
    forward = relation.forward

    def method(self: Value, other: object) -> Number:  # what is traced over a batch, and NotImplemented, count as bools
        y: Any = other  # a number as it is: Python compares a float with any int exactly
        if not isinstance(other, (Protocols, numbers.Real)):
            other = y = other_number(other, relation)
            if y is NotImplemented:
                return y
        if isinstance(other, Protocols):
            y = other._data
        outcome = forward(self._data, y)
        if context.active and (trace := context.trace()) is not None:
            return trace.compared(relation, self, other if isinstance(other, Protocols) else y, bool(outcome))
        return TRUE if outcome else FALSE

    return described(method, relation)


_EXACT = 2**53  # ints up to here are doubles


def other_number(other: Number, op: Op) -> Number:
    """The operand of an operator as a float, or the node in an array of no axes; else NotImplemented."""
    if other.__class__ is int and -_EXACT < other < _EXACT:  # nearly always
        return float(other)
    if isinstance(other, (str, bytes, complex)) or other is None or type(other).__name__ == "Decimal":
        if op in (ops.eq, ops.ne):
            return NotImplemented
        as_float(other, f"operand of {op.name}()")
    if getattr(other, "shape", ()) != ():
        return NotImplemented
    if is_node(other := held(other)):
        return other
    try:
        return as_float(other, f"operand of {op.name}()")
    except InputTypeError:
        return NotImplemented


class NeitherError(Exception):
    """Some argument is neither a Value nor a float, and must be looked at more closely."""


def neither(arg: object) -> NoReturn:
    """Say so, in the middle of an expression."""
    raise NeitherError


def _leaf(kind: type[Protocols]) -> Protocols:
    """A leaf whose copied attributes are still to come, as young as one made now."""
    leaf = object.__new__(kind)
    leaf._y = clock()
    return leaf


_ROW = (
    'an operation of your own is a row, tanh = Op("tanh", lambda x: ..., lambda x, out: 1 - out**2), and tanh(v) a Value; '
    "or compute it from Values, as in (v.exp() - 1) / (v.exp() + 1)"
)


def _kept(get: Callable[[Any], Any]) -> property:
    """An attribute of micrograd's that follows from the graph, and cannot be set."""

    def refuse(self: Any, _: object) -> None:
        raise AttributeError(f"{get.__name__} of {self._title()} cannot be set: {_ROW}")

    return property(get, refuse, doc=get.__doc__)


class Protocols:
    """The part of `Value` that makes no node itself, or asks a row to."""

    __slots__ = ()

    if TYPE_CHECKING:  # what `Value` has, and a class of no slots may not declare
        _a: Any
        _b: Any
        _data: float
        _y: Any
        data: float
        grad: Any
        name: str | None
        op: Op | None

    @property
    def args(self) -> tuple[float | Value, ...]:
        """The operands this was computed from, in order, repeats kept; constants are plain floats."""
        return graph.operands(self)

    def _title(self) -> str:
        return f"Value {self.name!r}" if self.name is not None else f"a Value of {self._data!r}"

    def __repr__(self) -> str:
        grad = self.grad._data if isinstance(self.grad, Protocols) else self.grad
        name = "" if self.name is None else f", name={self.name!r}"
        return f"Value(data={self._data}, grad={grad}{name})"

    def __format__(self, spec: str) -> str:
        if not spec:
            return repr(self)
        if context.active:
            looked_at(self, "format()")  # a number again as soon as float() reads it
        return format(self._data, spec)

    # -- comparison and conversion ---------------------------------------------------------------------------------------

    __lt__ = _compared(ops.lt)
    __le__ = _compared(ops.le)
    __gt__ = _compared(ops.gt)
    __ge__ = _compared(ops.ge)
    __eq__ = _compared(ops.eq)
    __ne__ = _compared(ops.ne)
    __hash__ = object.__hash__

    def __divmod__(self, other: Number) -> tuple[Value, Value]:
        return self // other, self % other

    def __rdivmod__(self, other: Number) -> tuple[Value, Value]:
        return other // self, other % self

    def __round__(self, digits: int | None = None) -> Value:
        return cast("Value", ops.round_(self, 0 if digits is None else digits))

    def __float__(self) -> float:
        if frames.operation() == ("operator", "%"):  # "%.4f" % v is text, as f"{v:.4f}" is
            if context.active:
                looked_at(self, "format()")
            return self._data
        self._refuse("float")

    def __int__(self) -> int:
        self._refuse("int")

    def __complex__(self) -> complex:
        self._refuse("complex")

    def _refuse(self, kind: str) -> NoReturn:
        if context.active:
            looked_at(self, f"{kind}()")
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

    # -- what it shows ----

    def explain(self, **options: Any) -> Explanation:
        """The backward pass from here in readable steps: see `autograd_lite.explain`."""
        from .explanation import explain

        return explain(cast("Value", self), **options)

    def draw(self, **options: Any) -> Drawing:
        """The picture of the computation and its gradients: see `autograd_lite.draw`."""
        from .drawing import draw

        return draw(cast("Value", self), **options)

    # -- copies and files ---------------------------------------------------------------------------------------------

    def __reduce__(self) -> tuple[Any, ...]:
        if context.active:
            looked_at(self, "copy()")
        if self.op is not None:
            raise NotALeafError(
                f"{self._title()} is computed by {self.op.name} and cannot be copied or pickled with its graph: "
                f"copy v.detach(), which keeps value and name"
            )
        slots = {  # of a subclass too, whose __init__ may take other arguments
            slot: getattr(self, slot)
            for cls in type(self).__mro__
            for slot in vars(cls).get("__slots__", ())
            if slot not in ("__dict__", "__weakref__", "grad", "_y") and hasattr(self, slot)
        }
        return _leaf, (type(self),), (getattr(self, "__dict__", None), {**slots, "grad": 0.0})

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
        return getattr(ufunc, method)(*[_boxed(x) if isinstance(x, Protocols) else x for x in inputs], **options)

    @property
    def dtype(self) -> NoReturn:
        """Absent: what NumPy functions ask for that work on arrays of numbers only."""
        raise AttributeError(
            "a Value has no dtype: this function of NumPy takes arrays of numbers only; write it with operators and with "
            "functions of autograd_lite, as sum([abs(x) ** 3 for x in v]) ** (1 / 3) for np.linalg.norm(v, 3)"
        )

    def conjugate(self) -> Self:
        """Itself: it is real."""
        return self

    # -- functions without a row of their own, under the names NumPy's ufuncs look for -----------------------------------

    def hypot(self, *others: float | Value) -> Value:
        """The length of the vector of this and the others."""
        return cast("Value", ops.hypot(self, *others))

    def reciprocal(self) -> Value:
        """One over this."""
        return cast("Value", ops.reciprocal(self))

    def degrees(self) -> Value:
        """These radians in degrees."""
        return cast("Value", ops.degrees(self))

    def radians(self) -> Value:
        """These degrees in radians."""
        return cast("Value", ops.radians(self))

    rad2deg = degrees
    deg2rad = radians

    def rint(self) -> Value:
        """Rounded to the nearest whole number, halves to even."""
        return cast("Value", ops.round_(self))

    def clip(self, low: float | Value, high: float | Value) -> Value:
        """Kept within [low, high]."""
        return cast("Value", ops.clamp(self, low, high))

    # -- micrograd's names ------------------------------------------------------------------------------------------------

    @_kept
    def _prev(self) -> set[Node]:
        """The operands that are Values, as micrograd has them."""
        return {a for a in graph.operands(self) if isinstance(a, Protocols)}

    @_kept
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
        self.name = given_name(self._data, name, None, None) or None  # type: ignore[misc]

    @_kept
    def _backward(self) -> Callable[[], None]:
        """The step of the chain rule at this Value, as micrograd has it: the operands gain ``.grad`` times a partial."""
        return self._pass_on

    def _pass_on(self) -> None:
        if context.active:
            looked_at(self, "._backward()")
        if self.op is None:
            return
        g = as_float(_plain(self.grad or 0.0), "grad")
        for a, d in zip(graph.operands(self), adjoints.contributions(self, g), strict=True):
            if isinstance(a, Protocols) and d is not None:
                a.grad = (a.grad or 0.0) + d


def looked_at(value: Protocols, how: str) -> None:
    """Tell what records this thread's computation, if anything does, of a look at a number."""
    if (trace := context.trace()) is not None:
        trace.looked_at(value, how)


def given_name(data: object, name: object, op: object, label: object) -> str | None:
    """The name that a Value was given, as `name` or as `label`; where micrograd has the operands of a leaf, none may stand."""
    children = isinstance(name, (tuple, list, set, frozenset))
    if op or (children and name):
        raise InputTypeError(f"Value({data!r}, {name!r}, {op!r}): a Value finds its operands by itself; {_ROW}")
    if children:
        name = None
    if name is not None and label is not None:
        raise InputTypeError(f"name={name!r} and label={label!r} are one thing: give one of them")
    given = label if name is None else name
    if given is not None and not isinstance(given, str):
        raise InputTypeError(f"name={given!r} must be a string: Value({data!r}, name='w')")
    return given


def _plain(grad: Number) -> Number:
    return grad._data if isinstance(grad, Protocols) else grad


def _boxed(value: Protocols) -> Number:
    """A Value as an array of no axes, which NumPy takes as it is."""
    import numpy as np

    box = np.empty((), object)
    box[()] = value
    return box


def _sought(test: Callable[[float], bool]) -> Callable[[Number], bool]:
    """A question about a number, asked of a Value."""
    return lambda x: test(float(x.data) if isinstance(x, Protocols) else float(x))


def _ordered(
    relation: Callable[[Number, Number], Number], turned: Callable[[Number, Number], Number]
) -> Callable[[Number, Number], Number]:
    """A comparison asked of the Value among the two: NumPy's numbers would ask us again."""
    return lambda x, y: relation(x, y) if isinstance(x, Protocols) else turned(y, x)


# NumPy's names of what we have under another, and of what it does for no objects at all
_NO_METHODS: dict[str, Callable[..., Any]] = {
    "isnan": _sought(math.isnan), "isfinite": _sought(math.isfinite), "isinf": _sought(math.isinf),
    "signbit": _sought(lambda x: math.copysign(1.0, x) < 0.0), "logaddexp": ops.logaddexp, "copysign": ops.copysign,
    "heaviside": ops.heaviside,
}  # fmt: skip
_UFUNCS: dict[str, Callable[..., Any]] = {
    **{name: operation for name, operation in ops.TABLE.items() if name not in ("mod", "round", "pow", "sum", "gamma")},
    **{NAMES[name]: ops.TABLE[name] for name in NAMES},
    **_NO_METHODS, "floor_divide": ops.floordiv, "remainder": ops.mod, "float_power": ops.pow, "absolute": ops.abs,
    "fabs": ops.abs, "fmax": ops.maximum, "fmin": ops.minimum, "rad2deg": ops.degrees, "deg2rad": ops.radians,
    "less": _ordered(operator.lt, operator.gt), "less_equal": _ordered(operator.le, operator.ge),
    "greater": _ordered(operator.gt, operator.lt), "greater_equal": _ordered(operator.ge, operator.le),
    "equal": _ordered(operator.eq, operator.eq), "not_equal": _ordered(operator.ne, operator.ne),
}  # fmt: skip
