"""How every row of the op table is computed by a backend: by a word of its own, by the row's formula in other rows, or called.

``lower(op)(k, *args)`` speaks the vocabulary of a backend's emitter `k`.  An argument is a handle of that backend or a
plain float, a constant.  The result is a handle too, or a float where it does not depend on any handle.  An emitter offers, on
handles and floats alike,

- the functions `FUNCTIONS` and `PAIRS`, with the special values of C (IEEE 754): ``div(1.0, 0.0)`` is inf, ``log(-1.0)`` nan;
- conditions from `COMPARISONS` (nan compares false, but ``ne`` true), ``truth(a)``, which is a != 0 (true for nan), joined by
  ``both(c, d)``, ``either(c, d)`` and ``negate(c)``; ``select(c, a, b)`` and ``number(c)``, 1.0 or 0.0;
- ``call(op, *args)``: the row's own Python function, item by item;
- ``exact``: whether the result must have the bits of the row's own function, given the C library's functions.  Otherwise
  it may be a few units in the last place away, where that avoids a call; special values are the same ones;
- ``inline``: whether ten operations cost less than a call.  Then it has ``rows`` too, functions that write some rows by name
  in another way than by words and formulas, or give NotImplemented.

``select`` evaluates both sides, which in IEEE arithmetic is harmless: the side not taken is never multiplied by 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from ..arrays import NAMES
from ..ops import Op, where
from ..ops.operators import Operators
from ..ops.words import WORDS, both, either, negate
from ..tree import Number

__all__ = ["COMPARISONS", "CONTROL", "FUNCTIONS", "NUMPY", "PAIRS", "Emitter", "Handle", "Lowering", "Named", "Notes", "lower"]

FUNCTIONS = (
    "neg", "abs", "sqrt", "floor", "ceil", "trunc", "rint", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p",
    "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "cbrt", "erf", "erfc",
)  # fmt: skip
PAIRS = ("add", "sub", "mul", "div", "pow", "fmod", "atan2", "copysign")
COMPARISONS = ("lt", "le", "gt", "ge", "eq", "ne")
JOINED = {"both": "logical_and", "either": "logical_or", "negate": "logical_not", "select": "where"}
NUMPY = {word: NAMES.get(word, word) for word in (*FUNCTIONS, *PAIRS, *COMPARISONS)} | JOINED  # what NumPy and JAX call them
CONTROL = ("both", "either", "negate", "select", "truth", "number", "call")

Emitter = Any  # an object with those words, and the attributes `exact` and `inline`
Lowering = Callable[..., Any]

_NUMBERS = frozenset((*FUNCTIONS, *PAIRS))
_JOINED = frozenset((both, either, negate))
_WORDS = frozenset(WORDS)


class Handle(Operators):
    """A number of a backend while a formula is worked out: rows applied to it are lowered in turn, as Values record them."""

    __slots__ = ("k", "own")

    def __init__(self, k: Emitter, own: Number) -> None:
        self.k = k
        self.own = own

    @property
    def number(self) -> Number:
        """What the backend knows it by."""
        return self.own

    @property
    def truth(self) -> Number:
        """The backend's condition that it is not 0."""
        return self.k.truth(self.own)

    @staticmethod
    def _record(op: Op, args: tuple[Number, ...]) -> Number:
        k = next(a.k for a in args if isinstance(a, Handle))
        return _lowered(k, op, [a if isinstance(a, Handle) else op.number(a, i) for i, a in enumerate(args)])

    def __bool__(self) -> NoReturn:
        raise TypeError("a formula asked which way a number goes that it has not got yet: write where(condition, a, b)")


class Named:
    """A value of a backend that writes source; it has a name once the source is written."""

    __slots__ = ("name",)

    def __init__(self, name: str = "") -> None:
        self.name = name


class Notes:
    """The part of an emitter that writes source: what is to be computed, in order; what is noted already is not noted again."""

    exact = False
    inline = False

    def __init__(self) -> None:
        self.noted: list[tuple[Named, str, tuple[Any, ...]]] = []
        self._found: dict[tuple[Any, ...], Named] = {}

    def note(self, how: str, *args: Number) -> Named:
        """The value of ``how``, a function or a template, at some arguments."""
        key = (how, *[a.hex() if a.__class__ is float else a for a in args])
        value = self._found.get(key)
        if value is None:
            value = self._found[key] = Named()
            self.noted.append((value, how, args))
        return value


class Condition(Handle):
    """A condition of a backend, which is a number only where it is used as one."""

    __slots__ = ()

    @property
    def number(self) -> Number:
        return self.k.number(self.own)

    @property
    def truth(self) -> Number:
        return self.own


def lower(op: Op) -> Lowering:
    """The lowering of a row; one without a formula, a user's own op too, is called back.

    >>> from autograd_lite import ops
    >>> class Emitter:
    ...     exact = inline = True
    ...     def __getattr__(self, word):
    ...         return lambda *args: f"{word}({', '.join(map(str, args))})"
    >>> lower(ops.relu)(Emitter(), "v0")
    'select(le(v0, 0.0), 0.0, v0)'
    """

    def lowering(k: Emitter, *args: Number) -> Number:
        result = _lowered(k, op, [a if a.__class__ is float else Handle(k, a) for a in args])
        return result.number if isinstance(result, Handle) else result

    return lowering


def _lowered(k: Emitter, op: Op, args: list[Number]) -> Number:
    """A row applied to Handles and constants, as a Handle or a constant."""
    if op is where:
        return _selected(k, *args)
    if op in _JOINED:
        return _joined(k, op, *args)
    built_in = op.entered
    if k.inline and not k.exact and built_in and op.name in k.rows:
        written = k.rows[op.name](k, *map(_unwrapped, args))
        if written is not NotImplemented:
            return Handle(k, written)
    native = op in _WORDS or (built_in and op.core is None and op.name in _NUMBERS)
    if native and not (op.fast and k.inline and not k.exact):
        return Handle(k, getattr(k, op.name)(*map(_unwrapped, args)))
    if built_in and op.name in COMPARISONS:
        return Condition(k, getattr(k, op.name)(*map(_unwrapped, args)))
    formula = op.core if k.exact else op.fast or op.core
    if formula is not None and all(args[i].__class__ is float for i in op.settings):
        result = formula(*args)
        if result is not NotImplemented:
            return result
    return Handle(k, k.call(op, *map(_unwrapped, args)))


def _unwrapped(a: Number) -> Number:
    return a.number if isinstance(a, Handle) else a


def _selected(k: Emitter, c: Number, a: Number, b: Number) -> Number:
    if c.__class__ is float:
        return a if c else b
    return Handle(k, k.select(c.truth, _unwrapped(a), _unwrapped(b)))


def _joined(k: Emitter, op: Op, *args: Number) -> Number:
    if all(c.__class__ is float for c in args):
        return op.forward(*args)
    for c, other in (args, args[::-1]) if len(args) == 2 else ():
        if c.__class__ is float:  # it decides, or the other does
            return other if bool(c) is (op is both) else float(op is either)
    return Condition(k, getattr(k, op.name)(*[c.truth for c in args]))
