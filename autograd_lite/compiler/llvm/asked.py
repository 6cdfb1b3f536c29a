"""What a row asks of a machine, found by writing it once: no list of rows says so."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from ...ops import Op
from .emit import LIBRARY, Emitter, Handle

__all__ = ["Asked", "asked", "rounded"]


class Asked(NamedTuple):
    """What a row asks for."""

    calls: bool  # functions, whose calls keep no register
    doubles: bool  # numbers that no float of 32 bits holds, or the bound of a range: its formula is one for doubles


class _Reader(Emitter):
    """An `Emitter` that notes the constants."""

    def __init__(self) -> None:
        super().__init__(8, False, vector=LIBRARY)
        self.met: set[float] = set()

    def written(self, a: Handle) -> str:
        if isinstance(a, float):
            self.met.add(a)
        return super().written(a)


@lru_cache(4096)
def asked(op: Op) -> Asked:
    """What an op asks for where it is written as its formula says, with any of its settings.

    >>> from ...ops import TABLE
    >>> asked(TABLE["sub"]), asked(TABLE["exp"]).calls, asked(TABLE["hypot"]).doubles
    (Asked(calls=False, doubles=False), True, True)
    """
    k = _Reader()
    count = 4 if op.arity is None else op.arity
    each: list[Sequence[Handle]] = [op.settings[i].examples if i in op.settings else (f"%a{i}",) for i in range(count)]
    for args in product(*each):
        k.row(op, args)
    doubles = any(not (x != x or (math.isfinite(x) and rounded(x) == x)) for x in k.met)
    return Asked(bool(k.vectors or k.library or k.callbacks), doubles)


def rounded(x: float) -> float:
    """The nearest float of 32 bits; inf beyond the largest.

    >>> rounded(0.1), rounded(-1e39)
    (0.10000000149011612, -inf)
    """
    try:
        nearest: float = struct.unpack("<f", struct.pack("<f", x))[0]
    except OverflowError:
        return math.copysign(math.inf, x)
    return nearest
