"""`jit`: the same scalar code at the speed of hand-written C.

The function is run once on Values (`trace`), its graph becomes a straight-line program (`program`), which is simplified
(`simplify`), cut into what is the same for every row and what is not (`split`), and emitted as Python source (`to_python`),
NumPy (`to_numpy`) or machine code (`llvm`); for others as JAX (`to_jax`) or JavaScript (`to_js`), also out of a graph that is
there already (`recorded`).  `lowering` says how a row becomes the words of a backend: another backend is a file ``to_*`` with
an emitter of those words.

What is compiled is kept by the layout of the arguments (`specialize`), one for each way through the branches (`paths`).  A call
takes its arguments apart (`arguments`) by source made for their structure (`shapes`, `entries`), or in C (`short`).
"""

from __future__ import annotations

import functools
import os
import sys
import weakref
from collections.abc import Callable, Sequence
from operator import index
from types import MethodType
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, overload

from .. import accelerated, context
from ..errors import InputTypeError, InputValueError, MissingPackageError
from ..program import Guard, Instruction, Program
from ..tree import Tree, called
from .paths import Settings
from .specialize import Specializer

if TYPE_CHECKING:
    from ..value import Value

__all__ = ["Guard", "Instruction", "Jitted", "Program", "jit"]

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
BACKENDS = ("auto", "python", "numpy", "llvm")


class Jitted(accelerated.Called):
    """A function that `jit` compiled: called as the function is, with numbers in place of Values in its results."""

    def __init__(self, f: Callable[..., Tree], settings: Settings) -> None:
        functools.update_wrapper(self, f, updated=())
        self._compiled = Specializer(f, settings, weakref.ref(self))

    def __reduce__(self) -> str | tuple[Any, ...]:
        """By its name where it stands under one; else the function, to be compiled anew."""
        named: Any = sys.modules.get(getattr(self, "__module__", ""))
        for part in getattr(self, "__qualname__", "").split("."):
            named = getattr(named, part, None)
        return self.__qualname__ if named is self else (Jitted, (self._compiled.f, self._compiled.settings))

    def __call__(self, *args: Tree, **kwargs: Tree) -> Any:
        if kwargs or context.active:
            return self._compiled.call(args, kwargs)
        return self._compiled.fast(*args)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """As a method: called with the instance, a module or another container, as its first argument."""
        return self if instance is None else MethodType(self, instance)

    def program(self, *args: Tree, **kwargs: Tree) -> Program:
        """The program for these arguments: printable, countable, savable."""
        found: Program = self._compiled.path(args, kwargs).program
        return found

    def source(self, *args: Tree, **kwargs: Tree) -> str:
        """The code emitted for these arguments."""
        text: str = self._compiled.path(args, kwargs).source
        return text

    def share(self, threads: int) -> None:
        """Let so many threads share the rows of a batch from now on."""
        self._compiled.share(threads)

    def __repr__(self) -> str:
        return f"jit({self._compiled.name})"


accelerated.call_in_c(Jitted)


_ABSENT: Any = object()
Batch = int | Sequence[int] | None
Folder = str | os.PathLike[str] | None


class Compiled(Protocol[P, R_co]):
    """What a type checker knows of a compiled function: it takes what the function takes."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """The function's result, numbers in place of Values."""

    def __get__(self, instance: object, owner: type | None = None) -> Any: ...
    def program(self, *args: Tree, **kwargs: Tree) -> Program:
        """The program for these arguments."""

    def source(self, *args: Tree, **kwargs: Tree) -> str:
        """The code emitted for these arguments."""

    def share(self, threads: int) -> None:
        """Let so many threads share the rows of a batch."""


@overload
def jit(f: Callable[P, Value], *, backend: str = ..., fastmath: bool = ..., cache: Folder = ...) -> Compiled[P, Any]: ...
@overload
def jit(f: Callable[P, R], *, backend: str = ..., fastmath: bool = ..., cache: Folder = ...) -> Compiled[P, R]: ...
@overload
def jit(
    f: Callable[..., Tree], *, batch: Batch = ..., reduce: str | None = ..., backend: str = ..., threads: int | None = ...,
    fastmath: bool = ..., sparse: bool = ..., cache: Folder = ..., float32: bool = ...,
) -> Compiled[..., Any]: ...  # fmt: skip
@overload
def jit(
    *, batch: Batch = ..., reduce: str | None = ..., backend: str = ..., threads: int | None = ..., fastmath: bool = ...,
    sparse: bool = ..., cache: Folder = ..., float32: bool = ...,
) -> Callable[[Callable[..., Any]], Compiled[..., Any]]: ...  # fmt: skip
def jit(
    f: Callable[..., Tree] = _ABSENT,
    *,
    batch: Batch = None,
    reduce: str | None = None,
    backend: str = "auto",
    threads: int | None = None,
    fastmath: bool = False,
    sparse: bool = False,
    cache: Folder = None,
    float32: bool = False,
) -> Any:
    """The function compiled: run once on Values, turned into a straight-line program, simplified, and emitted as code.

    >>> from autograd_lite import value_and_grad
    >>> fast = jit(value_and_grad(lambda v: (1 - v[0]) ** 2 + 100 * (v[1] - v[0] ** 2) ** 2))
    >>> fast([3.0, 1.0])
    (6404.0, [9604.0, -1600.0])

    Args:
        f: any function of scalars and nested containers that the engine can differentiate, often made by `value_and_grad`,
            `hessian` or `jvp`.  Python branches and loops on its numbers are followed: each way through is compiled when a
            call first takes it.  Values it reads from its surroundings count with the number they have at each call;
            other numbers from there, and Values it makes itself, are kept as they were when a way was first taken.
            Each number of an argument is traced; a count or an index that steers Python is given before, as in partial(f, n=3).
            Without it, jit(batch=0) is a decorator.
        batch: the positional argument, or arguments, whose leaves are NumPy arrays of n rows; f is written for one row,
            and the results become arrays of n rows.
        reduce: "sum" or "mean" of the rows, added up on the way; None keeps them apart.
        backend: "python", "numpy" (batches), "llvm", or "auto": Python for what is short, machine code for the rest.
        threads: how many cores share the rows of a batch; the result has the same bits for any number.  None is 1.
        fastmath: allow algebra that holds for numbers but not for every rounding.
        sparse: of ``jacobian(f)`` or ``hessian(f)``, give a sparse matrix, as they do with ``sparse=True`` themselves.
        cache: a folder of the user's own, closed to others, in which machine code is kept for other processes; None is the one
            that the environment variable AUTOGRAD_LITE_CACHE names, if it is set.
        float32: compute the rows of a batch in single precision, twice as many at once; sums are still added up in double.
            Columns of dtype float32 are taken as they are, others are converted at each call; kept rows come as float32.

    Results have the bits of the function itself without `fastmath`, but for signs of zero and nan and what follows from them
    (1/-0.0 is -inf), and for the roundings of a second or higher derivative of a choice (`where` over a Value, `relu`,
    `maximum`, `clamp`, `floor`), which may be added up in another order; those of a batch are within 5 ulp a function.  Inside
    `errstate` and `detect_anomaly` the function itself runs.  Memory of kept rows that nobody has any more, up to 128 MB of it,
    is held for the next ones.

    Raises TraceError where f needs the number of a Value, BranchError where it branches over a batch.
    """
    if f is _ABSENT:  # @jit(batch=0)
        options = {"batch": batch, "reduce": reduce, "backend": backend, "threads": threads, "fastmath": fastmath}
        return functools.partial(jit, **options, sparse=sparse, cache=cache, float32=float32)
    if not callable(f):
        raise InputTypeError(f"f={f!r} is not callable: give a function, jit(lambda x: x * x)")
    if sparse:
        if not hasattr(f, "sparse"):
            raise InputValueError(
                f"sparse=True is for the matrix of a transform, and {called(f)} is none: give jacobian(f) or hessian(f), "
                f"or write hessian(f, sparse=True) where it is computed"
            )
        f = f.sparse()
    if backend not in BACKENDS:
        raise InputValueError(f"backend={backend!r} must be one of {', '.join(map(repr, BACKENDS))}")
    if reduce not in (None, "sum", "mean"):
        raise InputValueError(f'reduce={reduce!r} must be "sum", "mean" or None')
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise InputValueError(f"threads={threads!r} must be a whole number of at least 1")
    folder = cache if cache is not None else os.environ.get("AUTOGRAD_LITE_CACHE") or None
    if folder is not None and not (isinstance(folder, (str, os.PathLike)) and isinstance(os.fspath(folder), str)):
        raise InputTypeError(f"cache={cache!r} must be the path of a folder, as text")
    folder = os.path.abspath(folder) if folder is not None else None
    if batch is None:
        for name, given in (("reduce", reduce), ("threads", threads)):
            if given is not None:
                raise InputValueError(f"{name}={given!r} is for batches: name the arguments that hold rows, batch=0")
        if float32:
            raise InputValueError("float32=True is for batches: name the arguments that hold rows, batch=0")
        if backend == "numpy":
            raise InputValueError('backend="numpy" is for batches: name the arguments that hold rows, or use "python"')
        return Jitted(f, Settings(backend, fastmath, cache=folder))
    if float32 and backend not in ("auto", "llvm"):
        raise InputValueError(f"float32=True is for machine code, and backend={backend!r} computes in double: leave one out")
    return Jitted(f, Settings(backend, fastmath, _positions(batch), reduce, threads or 1, folder, float32))


def _positions(batch: Any) -> tuple[int, ...]:
    """The arguments that hold rows."""
    try:
        import numpy  # noqa: F401
    except ImportError:
        raise MissingPackageError(
            "a batch is made of NumPy arrays, and NumPy is not installed: pip install 'autograd-lite[jit]'"
        ) from None
    try:
        found = (index(batch),) if hasattr(batch, "__index__") else tuple(map(index, batch))
    except TypeError:
        raise InputTypeError(f"batch={batch!r} must be the number of an argument, or a tuple of them") from None
    if isinstance(batch, bool) or not found or min(found) < 0 or len(set(found)) < len(found):
        raise InputValueError(f"batch={batch!r} must name arguments by position, each once, counted from 0")
    return found
