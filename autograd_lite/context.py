"""Watching computations: `errstate` raises where a result is invalid or infinite, `detect_anomaly` names what made a nan.

Both hold for the code inside the ``with`` in this thread (or asyncio task), and in a generator for the generator and what it
calls, not for what it yields to.  Whoever computes asks `active` first, one attribute look-up, before anything here is
paid for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ContextDecorator
from contextvars import ContextVar
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

from . import frames
from .accelerated import watch as tell_core
from .errors import AnomalyError, InputValueError, InvalidValueError, PoleError, RangeError, TraceError

if TYPE_CHECKING:
    from .graph import Node
    from .ops.row import Op
    from .tree import Number

__all__ = ["detect_anomaly", "errstate"]

active = 0  # how many watches there are, in any thread


class Watch(NamedTuple):
    """What is watched for."""

    invalid: bool = False
    divide: bool = False
    overflow: bool = False
    anomaly: bool = False  # name the first nan in value or gradient
    lines: bool = False  # nodes remember the source line that made them
    trace: Any = None  # what records the nodes made, and the branches taken, while `jit` runs a function


QUIET = Watch()


class Recorder:
    """What a trace is told while a function runs; this one keeps nothing and lets every answer stand."""

    values: list[Node] | None = None  # where `recorded` puts every node, if it does no more than that

    def made(self, leaf: Node) -> None:
        """A leaf was made."""

    def recorded(self, node: Node) -> None:
        """An op made a node."""

    def lifted(self, node: Node) -> None:
        """A transform made a leaf of a plain number."""

    def looked_at(self, value: Node, how: str) -> None:
        """The number of a Value was asked for."""

    def compared(self, relation: Op, a: Number, b: Number, outcome: bool) -> Number:
        """Two were compared: what the comparison gives."""
        return outcome

    def decided(self, node: Node, outcome: bool) -> None:
        """The truth of a Value was asked for."""

    def is_plain(self, x: Number) -> bool:
        """Whether it would be a plain number if nothing were traced."""
        return False

    def is_tame(self, x: Number) -> bool:
        """Whether a number is known to be finite; where it is not, masks are kept."""
        return False


class _Entry:
    """One ``with``: what it changes, whether nothing outside of it counts (`only`), and the generator it stands in, outside of
    which it holds only for what that calls.
    """

    __slots__ = ("changes", "generator", "only")

    def __init__(self, changes: dict[str, Any], only: bool, generator: FrameType | None = None) -> None:
        self.changes, self.only, self.generator = changes, only, generator


class _Entries(NamedTuple):
    """The blocks that this thread is in, from the outermost in, and what they come to; None where it depends on the moment."""

    entries: tuple[_Entry, ...] = ()
    watch: Watch | None = QUIET


_NONE = _Entries()
_current: ContextVar[_Entries] = ContextVar("autograd_lite.context", default=_NONE)


def current() -> Watch:
    """What this thread watches for."""
    if not active:
        return QUIET
    entries, watch = _current.get()
    if watch is None:
        watch = QUIET
        for entry in entries:
            if entry.only:
                watch = QUIET
            if entry.generator is None or entry.generator.f_back is not None:  # one that waits at a yield has no caller
                watch = watch._replace(**entry.changes)
    return watch if watch != QUIET else QUIET


def _innermost(entries: tuple[_Entry, ...]) -> _Entries:
    watch = QUIET
    first = max((i for i, entry in enumerate(entries) if entry.only), default=0)
    for entry in entries[first:]:
        if entry.generator is not None:
            return _Entries(entries, None)
        watch = watch._replace(**entry.changes)
    return _Entries(entries, watch if watch != QUIET else QUIET)


def _recording(now: _Entries) -> list[Node] | None:
    """The list that every node of this thread goes to, if all that is watched for is a trace that does no more with it."""
    watch = now.watch
    return watch.trace.values if watch is not None and watch.trace is not None else None


class _Watching(ContextDecorator):
    """What `errstate` and `detect_anomaly` give: a block, or a decorator, in which other results are errors.

    Signals come in after calls and at the start of functions.  Between two calls here all is consistent: an interruption on
    the way in is undone at once, one on the way out when the traceback lets go of this object.
    """

    _open: tuple[_Entry, ...] = ()

    def __init__(self, only: bool = False, counted: bool = True, **changes: Any) -> None:
        self._only, self._counted, self._changes = only, counted, changes

    def _recreate_cm(self) -> _Watching:
        return _Watching(self._only, self._counted, **self._changes)

    def __enter__(self) -> None:
        global active  # noqa: PLW0603
        if not self._only and trace() is not None:
            raise TraceError("errstate or detect_anomaly in a function under jit has no effect, as compiled code cannot raise: "
                             "put it around the call")  # fmt: skip
        entry = _Entry(self._changes, self._only, None if self._only else frames.generator())
        active += self._counted
        self._open = (*self._open, entry)
        self.__class__ = _Open
        try:
            tell_core(active)
            now = _innermost((*_current.get().entries, entry))
            values = _recording(now)
            _current.set(now)
            tell_core(active, values)
            return
        except BaseException:
            self._leave()
            raise

    def __exit__(self, *exception: object) -> None:
        self._leave()

    def _leave(self) -> None:
        global active  # noqa: PLW0603
        if self._open:
            tell_core(active)
            entry = self._open[-1]
            # by itself, wherever it stands: two generators may enter and leave in any order
            now = _innermost(tuple([e for e in _current.get().entries if e is not entry]))
            values = _recording(now)
            _current.set(now)
            active -= self._counted
            self._open = self._open[:-1]
            self.__class__ = _Open if self._open else _Watching
            tell_core(active, values)


class _Open(_Watching):
    """One that has been entered, and not left yet."""

    def __del__(self) -> None:
        while self._open:
            self._leave()


def errstate(*, invalid: str | None = None, divide: str | None = None, overflow: str | None = None) -> _Watching:
    """Say what becomes of results that are no numbers, or infinite: "ignore" (IEEE, as without it) or "raise".

    `invalid`: nan from operands that are not (ValueError); `divide`: an exact infinity from finite operands, as in 1/0
    or log(0) (ZeroDivisionError); `overflow`: a result beyond 1.8e308 (OverflowError).  Gradients are not watched, see
    `detect_anomaly`.

    >>> from autograd_lite import Value, log
    >>> with errstate(invalid="raise"):
    ...     log(Value(-1.0, "x"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    autograd_lite.errors.InvalidValueError: log(x) is nan at x=-1.0: outside the domain (0, inf); ...

    Args: each None to leave as it is.  Raises InputValueError for another word.  Source: numpy.errstate.
    """
    given = {"invalid": invalid, "divide": divide, "overflow": overflow}
    for name, word in given.items():
        if word not in (None, "ignore", "raise"):
            raise InputValueError(f'{name}={word!r} must be "ignore" or "raise"')
    return _Watching(**{name: word == "raise" for name, word in given.items() if word is not None})


def detect_anomaly() -> _Watching:
    """Name the first node that makes a nan, in value or in gradient, with both factors and the source lines.

    >>> from autograd_lite import Value, sqrt
    >>> x = Value(0.0, "x")
    >>> with detect_anomaly():
    ...     (sqrt(x) ** 2).backward()  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    autograd_lite.errors.AnomalyError: the gradient of x is nan: 0 (from pow at ...) x inf (sqrt' at ...)

    Only nodes made inside know their lines, so build the graph and call backward under it.  It costs some microseconds a
    node.  Raises AnomalyError.  Source: torch.autograd.detect_anomaly.
    """
    return _Watching(anomaly=True, lines=True)


def tracing(trace: Recorder) -> _Watching:
    """`trace` is told of every node made inside, of every comparison, and of every look at a Value's number."""
    return _Watching(only=True, trace=trace)


def unchecked() -> _Watching:
    """Nothing raises inside: for the library's own sweeps, whose partials may be infinite and are looked at afterwards."""
    now = current()
    return _Watching(only=True, counted=False, lines=now.lines, trace=now.trace)


def unwatched() -> _Watching:
    """The code inside is neither watched nor traced, whatever called it."""
    return _Watching(only=True, counted=False)


def trace() -> Recorder | None:
    """What records the computation of this thread, or None."""
    return current().trace if active else None


def check(op: Op, names: Sequence[str | None], values: Sequence[float], result: float, where: str | None) -> None:
    """Raise if the watch of this thread does not allow this result of this op."""
    watch = current()
    if math.isfinite(result) or watch is QUIET:
        return
    labels = [name or f"{value!r}" for name, value in zip(names, values, strict=True)]
    at = ", ".join(f"{name}={value!r}" for name, value in zip(names, values, strict=True) if name)
    line = f" ({where})" if where else ""
    call = f"{op.name}({', '.join(labels)})" + (f" is {result!r} at {at}{line}" if at else f"{line} is {result!r}")
    if result != result:
        if any(v != v for v in values):
            return
        if watch.anomaly:
            raise AnomalyError(f"{call}: the first nan; none of its operands was one")
        if watch.invalid:
            inside = all(v in d for v, d in zip(values, op.domain * len(values), strict=False))
            why = "it has no value there" if inside else "outside the domain " + ", ".join(map(str, op.domain))
            raise InvalidValueError(f'{call}: {why}; errstate(invalid="ignore") lets it pass')
    elif all(map(math.isfinite, values)):
        if op.kinked(*values):
            if watch.divide:
                raise PoleError(f'{call}: a pole; errstate(divide="ignore") lets it pass')
        elif watch.overflow:
            raise RangeError(f'{call}: beyond 1.8e308; scale the operands, or errstate(overflow="ignore") lets it pass')
