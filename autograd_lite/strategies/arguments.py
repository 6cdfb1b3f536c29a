"""What a row says about its arguments, as the strategies need it."""

from __future__ import annotations

from collections.abc import Sequence

from .. import ops as rows
from ..errors import InputTypeError
from ..ops import TABLE, Interval, Op

PUBLIC = {op: name for name, op in rows.PUBLIC.items() if isinstance(op, Op)}
NOT_DRAWN = {rows.stop_gradient, rows.identity}  # whose gradient is no derivative; which is nothing to test


def row_of(op: Op | str) -> Op:
    """The row meant by an `Op` or the name of a built-in one."""
    if isinstance(op, Op):
        return op
    named = TABLE.get(op) if isinstance(op, str) else None
    if named is None:
        hint = f"one of {', '.join(list(TABLE)[:3])}, ..." if isinstance(op, str) else "a row such as autograd_lite.sin"
        raise InputTypeError(f"op={op!r} is not an op: give an Op of your own, {hint}")
    return named


def domain_of(op: Op, n: int) -> tuple[Interval, ...]:
    """The domain of each of n arguments."""
    return op.domain if op.arity is not None else op.domain[:1] * n


def usable(op: Op, at: Sequence[float]) -> bool:
    """Whether a point is in a row's domain and on none of its kinks."""
    inside = all(x in d for x, d in zip(at, domain_of(op, len(at)), strict=True))
    return inside and not op.kinked(*at)
