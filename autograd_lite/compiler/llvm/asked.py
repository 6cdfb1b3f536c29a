"""What a row asks of a machine, found by writing it once: no list of rows says so."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from ...ops import Op
from .emit import LIBRARY, Emitter, Handle


class Asked(NamedTuple):
    """What a row asks for."""

    calls: bool  # functions, whose calls keep no register
    doubles: bool  # numbers that no float of 32 bits holds, the bound of a range, or digits to lose in a sum of what is rounded


class _Reader(Emitter):
    """An `Emitter` that notes the constants, and whether something is added that is rounded already, so that it may cancel."""

    def __init__(self) -> None:
        super().__init__(8, False, vector=LIBRARY)
        self.met: set[float] = set()
        self.rounded: set[str] = set()
        self.cancels = False

    def value(self, text: str) -> str:
        name = super().value(text)
        word = text.partition(" ")[0]
        late = not self.rounded.isdisjoint(re.findall(r"%\w+", text))
        self.cancels |= late and word in ("fadd", "fsub")
        if late or word in ("fadd", "fsub", "fmul", "fdiv"):
            self.rounded.add(name)
        return name

    def written(self, a: Handle) -> str:
        if isinstance(a, float):
            self.met.add(a)
        return super().written(a)


@lru_cache(512)
def asked(op: Op) -> Asked:
    """What an op asks for where it is written as its formula says, with any of its settings.

    >>> from ...ops import TABLE
    >>> asked(TABLE["sub"]), asked(TABLE["exp"]).calls, asked(TABLE["hypot"]).doubles
    (Asked(calls=False, doubles=False), True, True)
    """
    k = _Reader()
    count = 4 if op.arity is None else op.arity
    each: list[Sequence[Handle]] = [op.settings[i].examples if i in op.settings else (f"%a{i}",) for i in range(count)]
    try:
        for args in product(*each):
            k.row(op, args)
    except Exception:  # a user's formula may be for another number of items; where it is wrong, compiling it says so
        return Asked(True, True)
    large = any(not (x != x or (math.isfinite(x) and rounded(x) == x)) for x in k.met)
    return Asked(bool(k.vectors or k.library or k.callbacks), large or (k.cancels and not op.variadic))


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
