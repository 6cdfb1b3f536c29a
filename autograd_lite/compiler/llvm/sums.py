"""The memory of a batch, and the functions that add up its rows from the factors that `prepare.plan` keeps."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import NamedTuple, TypeVar

from .emit import FASTMATH
from .prepare import SumTerm

T = TypeVar("T")

ROOM = {8: 24, 4: 9}  # sums that stay in registers at once, by the doubles in a vector: with 32 registers, and with 16
MOST_TOGETHER = 16  # blocks added up at once
NEAR, FAR = 2_304, 32_768  # how many doubles their factors may take: 18 kB of the first cache, and 256 kB of the second
CODE = 3_200  # instructions that the first cache holds; where there are more, to change to those of the sums takes long


FIELDS = (  # what the driver reads of a layout
    "columns", "outputs", "factors", "most", "together", "sums_at", "kept_at", "totals_at", "frame_at", "singles_at", "shared",
    "extra",
)  # fmt: skip


class SumLayout(NamedTuple):
    """The sizes of a batch, and where in the scratch memory of a thread its parts are, in doubles."""

    width: int
    columns: int
    outputs: int
    factors: int  # vectors that a block of rows keeps to be added up
    steps: int  # instructions of a row, about
    frame: int  # values of a row
    uniform_frame: int
    given: int = 0  # shared inputs and outputs of the uniform program
    extra: int = 0  # the latter alone
    single: bool = False  # whether rows are computed in single precision, two such blocks at once

    def fields(self) -> dict[str, int]:
        """What the driver reads of it."""
        places = self.sums, self.kept, self.totals, self.frames, self.singles
        sizes = self.columns, self.outputs, self.factors, self.most, self.together
        return dict(zip(FIELDS, (*sizes, *places, self.given - self.extra, self.extra), strict=True))

    @property
    def together(self) -> int:
        """How many blocks are added up at once."""
        long = self.steps + 4 * self.outputs > CODE  # a sum is loaded, multiplied for, added to and stored
        return self.most if long else self._fitting(NEAR)

    @property
    def most(self) -> int:
        """How many where there are no more."""
        return self._fitting(FAR)

    def _fitting(self, doubles: int) -> int:
        blocks = max(1, min(MOST_TOGETHER, doubles // max(1, self.width * self.factors)))
        return -(-blocks // 2) * 2 if self.single else blocks

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
        return self.kept + self.width * self.factors * (self.most + 1 + self.single)

    @property
    def frames(self) -> int:
        """Where the frame is, of a row and of `uniform`, which are not used at once."""
        return self.totals + -(-self.outputs // 8) * 8

    @property
    def singles(self) -> int:
        """Where the shared numbers are once more, in single precision."""
        return self.frames + max(self.width * self.frame, self.uniform_frame) + 8

    @property
    def size(self) -> int:
        """All of it."""
        return self.singles + (self.given if self.single else 0) + 8


def tiles(terms: Sequence[SumTerm], room: int) -> list[list[int]]:
    """The sums in groups of at most `room`, which stay in registers together, such that few factors make the terms of a group.

    The gradients of a layer are the products of each of some factors with each of some others.  Cut into tiles of 4 by 6,
    a factor that is loaded serves for six of them, or for four.

    >>> tiles([SumTerm(a, b) for a in (0, 1, 2) for b in (3, 4)], 4)
    [[0, 1], [2, 3, 4, 5]]
    """
    sums: dict[tuple[int | None, int | None], list[int]] = {}
    partners: dict[int | None, dict[int | None, None]] = {}
    for k, (a, b) in enumerate(terms):
        for one, other in {(a, b): None, (b, a): None}:
            sums.setdefault((one, other), []).append(k)
            partners.setdefault(one, {})[other] = None
    alike: dict[frozenset[int | None], list[int | None]] = {}  # the factors that have the same partners
    for factor, others in partners.items():
        alike.setdefault(frozenset(others), []).append(factor)
    side = isqrt(room)
    todo = set(range(len(terms)))
    groups: list[list[int]] = []
    for _, factors in sorted(alike.items(), key=lambda item: -len(item[0]) * len(item[1])):
        columns = [b for b in partners[factors[0]] if any(todo.issuperset(sums[a, b]) for a in factors)]
        wide = min(len(columns), max(room // side, room // len(factors))) or 1
        for row in _even_pieces(factors, max(1, room // wide)):
            for column in _even_pieces(columns, wide):
                tile = [*dict.fromkeys(k for a in row for b in column for k in sums[a, b] if k in todo)]
                todo.difference_update(tile)
                for part in _even_pieces(tile, room):
                    if not groups or len(groups[-1]) + len(part) > room:
                        groups.append([])
                    groups[-1] += part
    return groups


def _even_pieces(items: Sequence[T], most: int) -> list[Sequence[T]]:
    """Pieces of about the same length, none longer than `most`."""
    pieces = -(-len(items) // most)
    return [items[i * len(items) // pieces : (i + 1) * len(items) // pieces] for i in range(pieces)]


def sums(terms: Sequence[SumTerm], factors: int, width: int, fastmath: bool, limit: int) -> tuple[str, tuple[str, ...]]:
    """Functions ``sums0(factors, sums, count, begun)``, ...: add up `count` blocks of `factors` vectors each.

    Where they have not begun, there are no sums yet.  Every sum takes its terms in the order of the rows, as if it had been
    added to row by row.
    """
    functions: list[str] = []
    lines: list[str] = []
    mask = [
        f"  %begun.0 = insertelement <{width} x i1> poison, i1 %begun, i64 0",
        f"  %some = shufflevector <{width} x i1> %begun.0, <{width} x i1> poison, <{width} x i32> zeroinitializer",
    ]
    vector, size, flags = f"<{width} x double>", 8 * width, FASTMATH if fastmath else ""

    def close() -> None:
        given = "ptr noalias %factors, ptr noalias %sums, i64 %count, i1 %begun"
        head = f"define internal void @sums{len(functions)}({given}) #0 {{"
        functions.append("\n".join([head, *mask, "  br label %before0", *lines, f"before{number}:", "  ret void", "}"]))
        lines.clear()

    number = 0
    for group in tiles(terms, ROOM[width]):
        lines.append(f"before{number}:")
        for k in group:
            lines.append(f"  %at{k} = getelementptr i8, ptr %sums, i64 {size * k}")
            lines.append(f"  %old{k} = load {vector}, ptr %at{k}, align {size}")
            lines.append(f"  %from{k} = select <{width} x i1> %some, {vector} %old{k}, {vector} zeroinitializer")
        lines += [
            f"  br label %go{number}",
            f"go{number}:",
            f"  %i{number} = phi i64 [ 0, %before{number} ], [ %next{number}, %go{number} ]",
            f"  %block{number} = phi ptr [ %factors, %before{number} ], [ %more{number}, %go{number} ]",
        ]
        for k in group:
            lines.append(f"  %sum{k} = phi {vector} [ %from{k}, %before{number} ], [ %new{k}, %go{number} ]")
        loaded: dict[int, str] = {}
        for k in group:
            for factor in terms[k]:
                if factor is not None and factor not in loaded:
                    name = loaded[factor] = f"%f{number}.{factor}"
                    lines.append(f"  {name}.at = getelementptr i8, ptr %block{number}, i64 {size * factor}")
                    lines.append(f"  {name} = load {vector}, ptr {name}.at, align {size}")
            term = loaded[terms[k].factor]
            if (partner := terms[k].partner) is not None:
                lines.append(f"  %t{k} = fmul {flags}{vector} {term}, {loaded[partner]}")
                term = f"%t{k}"
            lines.append(f"  %new{k} = fadd {flags}{vector} %sum{k}, {term}")
        lines += [
            f"  %next{number} = add i64 %i{number}, 1",
            f"  %more{number} = getelementptr i8, ptr %block{number}, i64 {size * factors}",
            f"  %again{number} = icmp slt i64 %next{number}, %count",
            f"  br i1 %again{number}, label %go{number}, label %after{number}",
            f"after{number}:",
        ]
        for k in group:
            lines.append(f"  store {vector} %new{k}, ptr %at{k}, align {size}")
        number += 1
        lines.append(f"  br label %before{number}")
        if len(lines) >= limit:
            close()
            number = 0
    if lines or not functions:
        close()
    return "\n\n".join(functions), tuple(f"sums{i}" for i in range(len(functions)))
