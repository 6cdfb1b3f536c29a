"""The memory of a batch, and the functions that add up its rows from the factors that `llvm_prepare.plan` keeps.

Imports `llvm_emit`, `llvm_prepare`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .llvm_emit import FASTMATH
from .llvm_prepare import Group

__all__ = ["Layout", "sums"]

MOST_TOGETHER, FACTORS = 16, 2_304  # blocks added up at once, and how many doubles their factors may take: 18 kB of cache


class Layout(NamedTuple):
    """The sizes of a batch, and where in the scratch memory of a thread its parts are, in doubles."""

    width: int
    columns: int
    outputs: int
    factors: int  # vectors that a block of rows keeps to be added up
    frame: int  # values of a row
    uniform_frame: int

    @property
    def together(self) -> int:
        """How many blocks are added up at once."""
        return max(1, min(MOST_TOGETHER, FACTORS // max(1, self.width * self.factors)))

    @property
    def sums(self) -> int:
        """Where the sums of each lane are, or the rows left over; before it the columns of a block."""
        return self.width * self.columns

    @property
    def kept(self) -> int:
        """Where the factors of some blocks are."""
        return self.sums + self.width * self.outputs

    @property
    def totals(self) -> int:
        """Where the sums of a chunk are."""
        return self.kept + self.width * self.factors * (self.together + 1)

    @property
    def frames(self) -> int:
        """Where the frame is, of a row and of `uniform`, which are not used at once."""
        return self.totals + -(-self.outputs // 8) * 8

    @property
    def size(self) -> int:
        """All of it."""
        return self.frames + max(self.width * self.frame, self.uniform_frame) + 8


def sums(groups: Sequence[Group], factors: int, width: int, fastmath: bool, limit: int) -> tuple[str, tuple[str, ...]]:
    """Functions ``sums0(factors, sums, count)``, ...: add up `count` blocks of `factors` vectors each."""
    functions: list[str] = []
    lines: list[str] = []
    vector, size, flags = f"<{width} x double>", 8 * width, FASTMATH if fastmath else ""

    def close() -> None:
        head = f"define internal void @sums{len(functions)}(ptr noalias %factors, ptr noalias %sums, i64 %count) #0 {{"
        functions.append("\n".join([head, "  br label %before0", *lines, f"before{number}:", "  ret void", "}"]))
        lines.clear()

    number = 0
    for group in groups:
        lines.append(f"before{number}:")
        for k, _ in group.items:
            lines.append(f"  %at{k} = getelementptr i8, ptr %sums, i64 {size * k}")
            lines.append(f"  %from{k} = load {vector}, ptr %at{k}, align {size}")
        lines += [
            f"  br label %go{number}",
            f"go{number}:",
            f"  %i{number} = phi i64 [ 0, %before{number} ], [ %next{number}, %go{number} ]",
            f"  %block{number} = phi ptr [ %factors, %before{number} ], [ %more{number}, %go{number} ]",
        ]
        for k, _ in group.items:
            lines.append(f"  %sum{k} = phi {vector} [ %from{k}, %before{number} ], [ %new{k}, %go{number} ]")
        lines.append(f"  %f{number} = getelementptr i8, ptr %block{number}, i64 {size * group.factor}")
        lines.append(f"  %a{number} = load {vector}, ptr %f{number}, align {size}")
        for k, partner in group.items:
            term = f"%a{number}"
            if partner is not None:
                lines.append(f"  %p{k} = getelementptr i8, ptr %block{number}, i64 {size * partner}")
                lines.append(f"  %b{k} = load {vector}, ptr %p{k}, align {size}")
                lines.append(f"  %t{k} = fmul {flags}{vector} {term}, %b{k}")
                term = f"%t{k}"
            lines.append(f"  %new{k} = fadd {flags}{vector} %sum{k}, {term}")
        lines += [
            f"  %next{number} = add i64 %i{number}, 1",
            f"  %more{number} = getelementptr i8, ptr %block{number}, i64 {size * factors}",
            f"  %again{number} = icmp slt i64 %next{number}, %count",
            f"  br i1 %again{number}, label %go{number}, label %after{number}",
            f"after{number}:",
        ]
        for k, _ in group.items:
            lines.append(f"  store {vector} %new{k}, ptr %at{k}, align {size}")
        number += 1
        lines.append(f"  br label %before{number}")
        if len(lines) >= limit:
            close()
            number = 0
    if lines or not functions:
        close()
    return "\n\n".join(functions), tuple(f"sums{i}" for i in range(len(functions)))
