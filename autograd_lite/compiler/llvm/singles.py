"""Rows in single precision: twice as many of them in a vector.

Arithmetic, comparisons, choices and some functions are done on floats of 32 bits.  Any other row is worked out in double
precision, one half of the vector after the other, and rounded: its formula knows the range and the rounding of doubles.  A
user's own may cancel in fewer digits.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ...ops import Op
from . import functions
from .asked import asked, rounded
from .emit import Emitter, Handle


class Singles(Emitter):
    """An `Emitter` whose numbers are floats of 32 bits; `halves` writes in double precision into the same function."""

    element, bytes, precision = "float", 4, functions.SINGLE

    def __init__(self, width: int, fastmath: bool, vector: Collection[str], fused: bool, scalef: bool) -> None:
        super().__init__(width, False, fastmath, scalef=scalef)
        self.halves = _Half(self, width // 2, fastmath, vector, fused, scalef)
        self.rows = functions.IN_SINGLE if fused else {}

    def restart(self) -> None:
        super().restart()
        self.halves.restart()

    def written(self, a: Handle) -> str:
        return super().written(rounded(a) if isinstance(a, float) else a)

    def row(self, op: Op, args: Sequence[Handle]) -> Handle:
        wants = asked(op)
        if op.entered and (op.name in self.rows or not (wants.calls or wants.doubles)):
            return super().row(op, args)
        low, high = (self.halves.row(op, [a if isinstance(a, float) else self.half(a, i) for a in args]) for i in (0, 1))
        return self._joined(low, high)

    def half(self, a: Handle, which: int) -> Handle:
        """One half of the numbers, as doubles."""
        if isinstance(a, float):
            return rounded(a)
        count = self.width // 2
        lanes = ", ".join(f"i32 {i}" for i in range(which * count, (which + 1) * count))
        part = self.value(f"shufflevector {self.typed(a)}, {self.type} poison, <{count} x i32> <{lanes}>")
        return self.value(f"fpext <{count} x float> {part} to {self.halves.type}")

    def _joined(self, low: Handle, high: Handle) -> Handle:
        if isinstance(low, float):  # of no argument that varies
            return low
        count = self.width // 2
        parts = [self.value(f"fptrunc {self.halves.typed(a)} to <{count} x float>") for a in (low, high)]
        lanes = ", ".join(f"i32 {i}" for i in range(self.width))
        kind = f"<{count} x float>"
        return self.value(f"shufflevector {kind} {parts[0]}, {kind} {parts[1]}, <{self.width} x i32> <{lanes}>")


class _Half(Emitter):
    """The words in double precision, whose lines are another emitter's."""

    def __init__(self, whole: Singles, width: int, fastmath: bool, vector: Collection[str], fused: bool, scalef: bool) -> None:
        super().__init__(width, False, fastmath, vector, fused, scalef)
        self._write: Any = whole.line
        self.declared, self.library, self.vectors = whole.declared, whole.library, whole.vectors
        self.callbacks = whole.callbacks

    def line(self, text: str) -> str:
        name: str = self._write(text)
        return name
