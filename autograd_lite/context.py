"""Watching computations: `errstate` raises where a result is invalid or infinite, `detect_anomaly` names what made a nan.

Both hold for the code inside the ``with`` in this thread (or asyncio task).  Imports `errors` only; `value` asks `active`, one
attribute look-up, before it pays for anything here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from .errors import AnomalyError, InputValueError, InvalidValueError, PoleError, RangeError, TraceError

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
_current: ContextVar[Watch] = ContextVar("autograd_lite.context", default=QUIET)


def current() -> Watch:
    """What this thread watches for."""
    return _current.get() if active else QUIET


@contextmanager
def _watching(watch: Watch) -> Iterator[None]:
    global active  # noqa: PLW0603
    token = _current.set(watch)
    active += 1
    try:
        yield
    finally:
        active -= 1
        _current.reset(token)


@contextmanager
def errstate(*, invalid: str | None = None, divide: str | None = None, overflow: str | None = None) -> Iterator[None]:
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
    _not_traced("errstate")
    given = {"invalid": invalid, "divide": divide, "overflow": overflow}
    for name, word in given.items():
        if word not in (None, "ignore", "raise"):
            raise InputValueError(f'{name}={word!r} must be "ignore" or "raise"')
    with _watching(_current.get()._replace(**{name: word == "raise" for name, word in given.items() if word is not None})):
        yield


@contextmanager
def detect_anomaly() -> Iterator[None]:
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
    _not_traced("detect_anomaly")
    with _watching(_current.get()._replace(anomaly=True, lines=True)):
        yield


def _not_traced(what: str) -> None:
    if trace() is not None:
        raise TraceError(f"{what} in a function under jit has no effect, as compiled code cannot raise: put it around the call")


@contextmanager
def tracing(trace: Any) -> Iterator[None]:
    """`trace` is told of every node made inside, of every comparison, and of every look at a Value's number."""
    with _watching(Watch(trace=trace)):
        yield


@contextmanager
def unchecked() -> Iterator[None]:
    """Nothing raises inside: for the library's own sweeps, whose partials may be infinite and are looked at afterwards."""
    now = _current.get()
    token = _current.set(Watch(lines=now.lines, trace=now.trace) if now.lines or now.trace is not None else QUIET)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def unwatched() -> Iterator[None]:
    """The code inside is neither watched nor traced, whatever called it."""
    token = _current.set(QUIET)
    try:
        yield
    finally:
        _current.reset(token)


def trace() -> Any:
    """What records the computation of this thread, or None."""
    return _current.get().trace if active else None


def check(op: Any, names: Sequence[str | None], values: Sequence[float], result: float, where: str | None) -> None:
    """Raise if the watch of this thread does not allow this result of this op."""
    watch = _current.get()
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
            domain = ", ".join(str(d) for d in op.domain)
            raise InvalidValueError(f'{call}: outside the domain {domain}; errstate(invalid="ignore") lets it pass')
    elif all(map(math.isfinite, values)):
        if any(kink.holds(*values) for kink in op.kinks):
            if watch.divide:
                raise PoleError(f'{call}: a pole; errstate(divide="ignore") lets it pass')
        elif watch.overflow:
            raise RangeError(f'{call}: beyond 1.8e308; scale the operands, or errstate(overflow="ignore") lets it pass')
