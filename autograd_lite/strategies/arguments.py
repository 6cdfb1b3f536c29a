"""What a row says about its arguments, as the strategies need it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from .. import ops as rows
from ..errors import InputTypeError
from ..ops import TABLE, Interval, Op

PUBLIC = {op: name for name, op in rows.PUBLIC.items() if isinstance(op, Op)}
NOT_DRAWN = {rows.stop_gradient, rows.identity}  # whose gradient is no derivative; which is nothing to test
SETTINGS = (0.0, 1.0, 2.0)  # what is drawn for an argument that selects a function: the order of polygamma, an index


def row_of(op: Op | str) -> Op:
    """The row meant by an `Op` or the name of a built-in one."""
    if isinstance(op, Op):
        return op
    named = TABLE.get(op) if isinstance(op, str) else None
    if named is None:
        hint = f"one of {', '.join(list(TABLE)[:3])}, ..." if isinstance(op, str) else "a row such as autograd_lite.sin"
        raise InputTypeError(f"op={op!r} is not an op: give an Op of your own, {hint}")
    return named


def size_of(op: Op) -> int:
    """How many arguments the strategies give to a row."""
    if op.arity is not None:
        return op.arity
    return 4 if op is rows.dot or settings_of(op, 4) else 3


def domain_of(op: Op, n: int) -> tuple[Interval, ...]:
    """The domain of each of n arguments."""
    return op.domain if op.arity is not None else op.domain[:1] * n


@lru_cache(maxsize=256)
def settings_of(op: Op, n: int) -> frozenset[int]:
    """The arguments that select a function and are no variables: constant partials of nan, or of 0 with a default."""
    if op.rule is not None:
        at = (0.0, 0.5, 0.75, 0.25)[:n] if n <= 4 else tuple(0.25 * i for i in range(n))
        return frozenset(i for i, d in enumerate(op.rule(at, op.forward(*at))) if d.__class__ is float and d != d)
    first_default = len(op.partials) - len(op.defaults)
    return frozenset(
        i for i, d in enumerate(op.partials) if d.__class__ is float and (d != d or (d == 0.0 and i >= first_default))
    )


def usable(op: Op, at: Sequence[float]) -> bool:
    """Whether a point is in a row's domain and on none of its kinks."""
    inside = all(x in d for x, d in zip(at, domain_of(op, len(at)), strict=True))
    return inside and not any(kink.holds(*at) for kink in op.kinks)
