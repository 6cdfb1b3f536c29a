"""`Module`: anything that holds parameters, as a container like a list; saved to and loaded from JSON."""

from __future__ import annotations

import json
import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import lru_cache, partial
from itertools import repeat
from numbers import Real
from os import PathLike
from types import FunctionType, MethodType, SimpleNamespace
from typing import Any

from .. import context
from ..errors import InputOverflowError, InputTypeError, InputValueError, NotALeafError, listed
from ..files import JsonData, json_number, read_json, write_atomically
from ..ops import Op
from ..protocols import looked_at
from ..tree import Number, Tree, as_float, refilled
from ..value import Value


class Module:
    """Anything that holds parameters: the Values in its attributes, and what lists, deques, dicts, dataclasses, namespaces and
    modules in them hold.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.w, self.b = Value(2.0), Value(1.0)
    ...     def __call__(self, x):
    ...         return self.w * x + self.b
    >>> [name for name, p in Line().named_parameters()]
    ['w', 'b']
    """

    def named_parameters(self) -> Iterator[tuple[str, Value]]:
        """Each parameter once, with its path: ``layers.0.neurons.2.b``."""
        seen: set[Value] = set()
        for name, value in _walk(self, ""):
            if value not in seen:
                seen.add(value)
                yield name, value

    def parameters(self) -> list[Value]:
        """The parameters in a fixed order."""
        found: dict[Value, None] = {}
        _enter_values(self, found)
        return list(found)

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0."""
        for p in self.parameters():
            if type(p) is Value:  # in half the time
                p.grad = 0.0
            else:
                p.zero_grad()

    def tree_flatten(self) -> tuple[list[Any], _Shape]:
        """Parameters that are leaves count as plain numbers; those that a transform has put in are passed on as they are."""
        names, values = [], []
        for name, p in self.named_parameters():
            names.append(name)
            values.append(p if p.op is not None or context.trace() is not None else p.data)
        return values, _Shape(self, names)

    @classmethod
    def tree_unflatten(cls, shape: _Shape, children: Sequence[Tree]) -> Module:
        """A module like the one flattened, holding `children` as its parameters."""
        own = shape.module.parameters()
        # a number becomes a parameter of its own; a row of a Hessian may put whole modules in the parameters' places
        replaced = {p: Value(c) if isinstance(c, Real) else c for p, c in zip(own, children, strict=True)}
        copy: Module = _rebuilt(shape.module, replaced, {})
        return copy

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the parameters as JSON; the file is complete or not there at all.

        The format is ``{"format": "autograd_lite.parameters", "version": 1, "parameters": {name: number}}``, with "nan",
        "inf" and "-inf" as strings.
        """
        parameters = {n: json_number(p.data) for n, p in self.named_parameters()}
        text = json.dumps({"format": FORMAT, "version": VERSION, "parameters": parameters}, indent=1, allow_nan=False)
        write_atomically(path, text + "\n")

    def load(self, path: str | os.PathLike[str]) -> None:
        """Set the parameters from a file that `save` wrote.

        Raises InputValueError, with nothing changed, where the file is not one or names other parameters.
        """
        content = read_json(path, FORMAT, VERSION, "a file written by save()")
        saved, own = content.get("parameters"), dict(self.named_parameters())
        if not isinstance(saved, dict):
            raise InputValueError(f"{path} has no table of parameters: give a file written by save()")
        if missing := [n for n in own if n not in saved]:
            raise InputValueError(f"{path} lacks {listed(missing, 3)}: it was saved from a module of another shape")
        if extra := [n for n in saved if n not in own]:
            raise InputValueError(f"{path} also holds {listed(extra, 3)}: it was saved from a module of another shape")
        numbers = {n: _saved_number(saved[n], n, path) for n in own}
        if computed := [n for n, p in own.items() if p.op is not None]:
            raise NotALeafError(
                f"{listed(computed, 3)} cannot be set: computed from other Values; keep only leaves in a module"
            )
        if context.active:
            for p in own.values():
                looked_at(p, ".data = ...")
        # by one call that runs no Python code of ours, so that Ctrl-C comes before or after
        deque(map(setattr, own.values(), repeat("_data"), map(numbers.__getitem__, own)), maxlen=0)


FORMAT, VERSION = "autograd_lite.parameters", 1


class _Shape:
    """A module's structure: two are equal where the parameters have the same names."""

    def __init__(self, module: Module, names: list[str]) -> None:
        self.module, self.names = module, names

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Shape) and self.names == other.names

    __hash__ = None  # type: ignore[assignment]

    def fixed(self) -> list[Any]:
        """What the module holds besides its parameters, to be compared by ==: a program is compiled for one such content."""
        return _fixed(self.module, (), {})


def _saved_number(text: JsonData, name: str, path: str | PathLike[str]) -> float:
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        try:
            return as_float(text)
        except InputOverflowError as error:
            raise InputValueError(f"{path} gives {name} as {str(error).partition(' is ')[2]}") from None
    if text in ("nan", "inf", "-inf"):
        return float(text)
    raise InputValueError(f"{path} gives {name}={text!r}, which is not a number: give a file written by save()")


def _has_attributes(thing: Tree) -> bool:
    """Whether parameters are looked for in its attributes: a module, a plain namespace, and what a dataclass makes."""
    is_dataclass = hasattr(type(thing), "__dataclass_fields__") and not isinstance(thing, type)
    return is_dataclass or isinstance(thing, (Module, SimpleNamespace))


def _held_in(thing: Tree) -> dict[Any, Any] | None:
    """What a module or a container holds, by name, key or place; None of anything else.

    Raises InputTypeError for parameters in any other container; in a set they would come in another order in each run.
    """
    if _has_attributes(thing):
        kind: Any = type(thing)
        slots = [name for name in _all_slots(kind) if hasattr(thing, name)]
        return {**getattr(thing, "__dict__", {}), **{name: getattr(thing, name) for name in slots}}
    if isinstance(thing, dict):
        return {key: thing[key] for key in thing}
    if isinstance(thing, (list, tuple, deque)):
        return dict(enumerate(thing))
    if _holds_objects(thing):
        return dict(enumerate(thing.ravel().tolist()))
    if hasattr(type(thing), "__len__") and not isinstance(thing, (str, bytes)) and not hasattr(thing, "dtype"):
        held = thing.values() if isinstance(thing, Mapping) else thing if isinstance(thing, Iterable) else ()
        if any(isinstance(x, (Value, Module)) for x in held):
            why = "which have no order there" if isinstance(thing, Set) else "where none are looked for"
            raise InputTypeError(f"a module holds a {type(thing).__name__} of parameters, {why}: keep them in a list or a dict")
    return None


@lru_cache(maxsize=128)
def _all_slots(kind: type) -> tuple[str, ...]:
    return tuple(name for cls in kind.__mro__ for name in _slot_names(cls))


def _slot_names(cls: type) -> list[str]:
    names = vars(cls).get("__slots__", ())
    own = [names] if isinstance(names, str) else list(names)
    return [name for name in own if name not in ("__dict__", "__weakref__")]


def _walk(thing: Tree, path: str, inside: tuple[object, ...] = ()) -> Iterator[tuple[str, Value]]:
    """The Values in a module or container with their paths; a module within itself is walked once."""
    if isinstance(thing, Value):
        yield path, thing
        return
    if _has_attributes(thing):
        if any(thing is outer for outer in inside):
            return
        inside = (*inside, thing)
    items = _held_in(thing) or {}
    texts = Counter(map(str, items))
    for key, inner in items.items():
        clear = texts[str(key)] == 1 and "." not in str(key)  # else the key as Python writes it: no two have one path
        step = f".{key}" if clear else f"[{key!r}]"
        yield from _walk(inner, f"{path}{step}" if path else step.removeprefix("."), inside)


def _enter_values(thing: Tree, found: dict[Value, None], inside: tuple[object, ...] = ()) -> None:
    """Enter the Values that `_walk` gives, without their paths: every step of training asks for them."""
    if isinstance(thing, Value):
        found[thing] = None
        return
    if _has_attributes(thing):
        if any(thing is outer for outer in inside):
            return
        inside = (*inside, thing)
    for inner in thing if type(thing) is list else (_held_in(thing) or {}).values():
        if type(inner) is Value:
            found[inner] = None
        elif type(inner) not in _NO_CONTAINERS:
            _enter_values(inner, found, inside)


_NO_CONTAINERS = frozenset((type(None), bool, int, float, str, Op))  # the most frequent things in which no parameter can be


_UNCHANGED = (type, FunctionType, Op)  # that have no attributes of their own to look at


@lru_cache(1024)
def _own_classes(kind: type) -> list[type]:
    """The classes among a class and its bases that the user wrote."""
    return [c for c in reversed(kind.__mro__) if not c.__module__.startswith(("autograd_lite", "builtins", "_abc"))]


def _of_class(kind: type) -> dict[str, Any]:
    """What a class of the user's holds that is no method, and may change, as settings in its body do."""
    own = _own_classes(kind)
    return {name: x for c in own for name, x in vars(c).items() if name[:2] != "__" and not hasattr(type(x), "__get__")}


def _holds_objects(thing: Tree) -> bool:
    """Whether it is a NumPy array of objects, in which Values can be."""
    return bool(getattr(getattr(thing, "dtype", None), "hasobject", False))


class _Itself:
    """An object that is equal to itself alone."""

    def __init__(self, thing: Tree) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and self.thing is other.thing

    __hash__ = None  # type: ignore[assignment]


def _fixed(thing: Tree, inside: tuple[object, ...], seen: dict[int, int] | None) -> list[Any]:
    """The kinds of all containers, which parameters are one, and what they hold that is no parameter, in order.

    `seen` numbers the parameters; there is none within an object that is no container, whose Values are no parameters.
    """
    if isinstance(thing, Value):
        return [Value, _Itself(thing) if seen is None else seen.setdefault(id(thing), len(seen))]
    if _has_attributes(thing):
        if any(thing is outer for outer in inside):
            return [type(thing)]
        inside = (*inside, thing)
    items = _held_in(thing)
    if items is None:
        if hasattr(thing, "tobytes") and hasattr(thing, "dtype"):
            return [type(thing), thing.dtype, thing.shape, thing.tobytes()]
        if isinstance(thing, (set, frozenset)):
            return [type(thing), frozenset(thing)]
        if isinstance(thing, (partial, MethodType)):
            bound: Any = thing.__self__ if isinstance(thing, MethodType) else (thing.func, thing.args, thing.keywords)
            return [type(thing), getattr(thing, "__func__", None), *_fixed(bound, inside, None)]
        held = {} if isinstance(thing, _UNCHANGED) else getattr(thing, "__dict__", {})
        held = {**_of_class(thing if isinstance(thing, type) else type(thing)), **held}
        if held and not any(thing is outer for outer in inside):  # what may change in place
            return [type(thing), _Itself(thing), *_fixed(held, (*inside, thing), None)]
        return [type(thing), thing.hex() if thing.__class__ is float else thing]  # nan is not itself
    found: list[Any] = [type(thing), *items]
    if _has_attributes(thing) and (settings := _of_class(type(thing))):
        found += _fixed(settings, inside, None)
    for inner in items.values():
        found += _fixed(inner, inside, seen)
    return found


def _rebuilt(thing: Tree, replaced: dict[Value, Number], copies: dict[int, Tree]) -> Any:
    """A copy that holds other parameters; what is not a container is shared, what is shared stays so."""
    if isinstance(thing, Value):
        return replaced[thing]
    if _has_attributes(thing):
        if id(thing) not in copies:
            if not isinstance(thing, Module) and next(_walk(thing, ""), None) is None:
                return thing  # settings, which are shared
            made: Any = SimpleNamespace if isinstance(thing, SimpleNamespace) else object
            copies[id(thing)] = copy = made.__new__(type(thing))
            for name, inner in (_held_in(thing) or {}).items():
                object.__setattr__(copy, name, _rebuilt(inner, replaced, copies))
        return copies[id(thing)]
    if isinstance(thing, deque):
        return type(thing)((_rebuilt(v, replaced, copies) for v in thing), thing.maxlen)
    if isinstance(thing, (list, tuple, dict)):
        items = [thing[k] for k in thing] if isinstance(thing, dict) else thing
        return refilled(thing, [_rebuilt(v, replaced, copies) for v in items])
    if _holds_objects(thing):
        copy = thing.copy()
        copy.ravel()[:] = [_rebuilt(v, replaced, copies) for v in thing.ravel().tolist()]
        return copy
    return thing
