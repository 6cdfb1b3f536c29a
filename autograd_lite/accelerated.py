"""The core in C (`_core.c`), where it has been compiled, and what stands in its place where it has not.

It holds the nodes, the operators, and the reverse sweep on floats; without it the Python of `value`, `graph` and `sweeps` does
the same to the bit, only slower.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from .ops import Op


T = TypeVar("T")

VERSION = 12  # of what the core offers; one that was compiled from another source is not used

loaded: Any = None  # the module `_core`; None where it is not there, or not wanted
FREE_THREADED = "t" in getattr(sys, "abiflags", "")  # objects of such a Python are laid out in another way
if not os.environ.get("AUTOGRAD_LITE_PURE") and not FREE_THREADED:
    with suppress(ImportError):  # the wheel without it, or another processor's
        from . import _core as loaded  # type: ignore[attr-defined, no-redef]
    if getattr(loaded, "VERSION", None) != VERSION:
        loaded = None


def core() -> str:
    """Which core computes op by op: "C" or "Python".

    The C one is there where the package was built with a compiler; AUTOGRAD_LITE_PURE=1 in the environment turns it off,
    and a free-threaded build of Python has the Python one.
    """
    return "Python" if loaded is None else "C"


def _nothing(active: int, values: Any = None) -> None:
    """Nobody listens."""
    pass


# told of every change of `context.active`, and of the list to which all nodes of this thread go, if they do
watch: Callable[..., None] = _nothing if loaded is None else loaded.watch

if TYPE_CHECKING or loaded is None:

    class RowBase:
        """The base of `Op`, which in C keeps what the sweep asks for most."""

        __slots__ = ()
        kind = 0

        def __setattr__(self, name: str, value: Any) -> None:
            object.__setattr__(self, name, value)
            if name in ("first", "second"):  # whoever changes a row is asked from then on
                object.__setattr__(self, "kind", min(self.kind, 2))

    class Called:
        """The base of what `jit` gives, which in C goes to the entry of short programs at once."""

else:
    RowBase, Called = loaded.Row, loaded.Called

_python: dict[str, Any] = {}  # methods that the type in C has in its own way, for what it leaves to them
# what the type in C has of its own, beside the slots
_OWN = {"__dict__", "__weakref__", "__init__", "__neg__"} | {
    f"__{r}{name}__" for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow") for r in ("", "r")
}


def stored(cls: type[T]) -> type[T]:
    """The class with its storage and operators in C, if they are there: all else is as the class statement has it."""
    if loaded is None:
        return cls
    made: type[T] = loaded.storage(f"{cls.__module__}.{cls.__qualname__}", cls.__bases__)
    made.__name__ = cls.__name__  # as messages of Python's have it
    _python["init"] = vars(cls)["__init__"]
    own = _OWN.union(vars(cls)["__slots__"])
    for name, thing in vars(cls).items():
        if name not in own:
            setattr(made, name, thing)
    return made


def call_in_c(cls: Any) -> None:
    """Have frequent calls of a row, or of what `jit` gives, answered in C, if it is there, the others by their own method."""
    if loaded is not None:
        cls._call = cls.__call__
        del cls.__call__
        if hasattr(cls, "apply"):
            cls._apply = cls.apply
            del cls.apply


def enter(jitted: object, fast: object) -> None:
    """Let what `jit` gives go to `fast`, which takes all positional arguments, at once."""
    if loaded is not None and jitted is not None:
        loaded.enter(jitted, fast)


def method(row: Op, function: T) -> T:
    """The method that applies `row` to one Value; in C `function` is left with what is not a Value itself."""
    if loaded is None:
        return function
    in_c: T = loaded.method(row, function)
    return in_c


# what the neurons of a layer give for one input: layer(neurons, x, Neuron); None where Python must do it
layer: Callable[[Any, Any, type], list[Any] | None] | None = None if loaded is None else loaded.layer


def adopted(functions: dict[str, object], operators: list[object], natives: list[object], lasting: list[object]) -> Any:
    """Give the core the Python that it calls where a case is not frequent, and the rows; its ``backward``, None without it."""
    if loaded is None:
        return None
    loaded.adopt(functions | _python, operators, natives, lasting)
    return loaded.backward
