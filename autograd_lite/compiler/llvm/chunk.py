"""The IR that works through a chunk of rows: their columns gathered block by block, the program run, what it gives added up."""

from __future__ import annotations

from collections.abc import Sequence

from .emit import Parts
from .sums import Layout

__all__ = ["Chunks", "function"]


def function(head: str, lines: Sequence[str], internal: bool = False) -> str:
    """The text of a function."""
    return "\n".join([f"define {'internal ' * internal}{head} #0 {{", *lines, "}"])


class Chunks:
    """The functions ``uniform``, ``block``, ``gather`` and ``chunk`` of a batch; vectors of `w` doubles."""

    def __init__(self, layout: Layout, uniform: Parts, row: Parts, sums: Sequence[str]) -> None:
        self.at, self.uniform_parts, self.row_parts, self.sums, self.reduce = layout, uniform, row, sums, bool(sums)
        self.w = layout.width
        self.vector = f"<{self.w} x double>"
        self.align = 8 * self.w

    def loop(self, name: str, start: str, end: str, step: str, body: Sequence[str], last: str | None = None) -> list[str]:
        """``for name in range(start, end, step)``; the body names its index %name and ends in the block `last`."""
        return [
            f"  br label %{name}.before",
            f"{name}.before:",
            f"  br label %{name}.test",
            f"{name}.test:",
            f"  %{name} = phi i64 [ {start}, %{name}.before ], [ %{name}.next, %{last or f'{name}.body'} ]",
            f"  %{name}.go = icmp slt i64 %{name}, {end}",
            f"  br i1 %{name}.go, label %{name}.body, label %{name}.done",
            f"{name}.body:",
            *body,
            f"  %{name}.next = add i64 %{name}, {step}",
            f"  br label %{name}.test",
            f"{name}.done:",
        ]

    def uniform(self) -> str:
        """What does not depend on the row, once."""
        calls = [f"  call void @{name}(ptr %shared, ptr %extra, ptr %frame)" for name in self.uniform_parts.names]
        return function("i64 @uniform(ptr %shared, ptr %extra, ptr %frame)", [*calls, "  ret i64 0"])

    def row(self) -> str:
        """``block``: the program of a row, for a vector of rows."""
        given = "ptr %shared, ptr %extra, ptr %columns, ptr %out, i64 %step, ptr %frame"
        calls = [f"  call void @{name}({given})" for name in self.row_parts.names]
        return function(f"void @block({given})", [*calls, "  ret void"], internal=True)

    def gather(self) -> str:
        """Rows `first` and after of each column into a block; where they end before `end` allows, the last one again."""
        w, vector = self.w, self.vector
        picked, packed = [], "poison"
        for lane in range(w):
            picked += [
                f"  %b{lane} = mul i64 %stride, {lane}",
                f"  %p{lane} = getelementptr i8, ptr %from, i64 %b{lane}",
                f"  %x{lane} = load double, ptr %p{lane}, align 1",
                f"  %y{lane} = insertelement {vector} {packed}, double %x{lane}, i64 {lane}",
            ]
            packed = f"%y{lane}"
        body = [
            "  %entry0 = shl i64 %j, 1",
            "  %entry1 = add i64 %entry0, 1",
            "  %where0 = getelementptr i64, ptr %table, i64 %entry0",
            "  %where1 = getelementptr i64, ptr %table, i64 %entry1",
            "  %base = load ptr, ptr %where0, align 8",
            "  %stride = load i64, ptr %where1, align 8",
            "  %bytes = mul i64 %first, %stride",
            "  %from = getelementptr i8, ptr %base, i64 %bytes",
            f"  %offset = mul i64 %j, {8 * w}",
            "  %to = getelementptr i8, ptr %block, i64 %offset",
            "  br i1 %whole, label %full, label %lane.entry",
            "full:",
            "  %unit = icmp eq i64 %stride, 8",
            "  br i1 %unit, label %together, label %apart",
            "together:",
            f"  %all = load {vector}, ptr %from, align 1",
            f"  store {vector} %all, ptr %to, align {self.align}",
            "  br label %column",
            "apart:",
            *picked,
            f"  store {vector} {packed}, ptr %to, align {self.align}",
            "  br label %column",
            "lane.entry:",
            *self.loop("lane", "0", str(w), "1", [
                "  %after = icmp slt i64 %lane, %left",
                "  %row = select i1 %after, i64 %lane, i64 %most",
                "  %ahead = mul i64 %row, %stride",
                "  %source = getelementptr i8, ptr %from, i64 %ahead",
                "  %one = load double, ptr %source, align 1",
                "  %target = getelementptr double, ptr %to, i64 %lane",
                "  store double %one, ptr %target, align 8",
            ]),
            "  br label %column",
            "column:",
        ]  # fmt: skip
        return function(
            "void @gather(ptr noalias %table, ptr noalias %block, i64 %first, i64 %end)",
            [
                "  %left = sub i64 %end, %first",
                "  %most = sub i64 %left, 1",
                f"  %whole = icmp sge i64 %left, {w}",
                *self.loop("j", "0", str(self.at.columns), "1", body, "column"),
                "  ret void",
            ],
            internal=True,
        )

    def chunk(self) -> str:
        """Rows `low` to `high`: first what is left over after whole blocks, whose idle lanes count as 0; then the blocks."""
        at, w, vector = self.at, self.w, self.vector
        idle = [
            f"  %m.at = getelementptr {vector}, ptr %kept, i64 %m",
            f"  %m.all = load {vector}, ptr %m.at, align {self.align}",
            f"  %m.some = select <{w} x i1> %used, {vector} %m.all, {vector} zeroinitializer",
            f"  store {vector} %m.some, ptr %m.at, align {self.align}",
        ]
        lanes = ", ".join(f"i64 {lane}" for lane in range(w))
        used = [
            f"  %over.0 = insertelement <{w} x i64> poison, i64 %over, i64 0",
            f"  %over.w = shufflevector <{w} x i64> %over.0, <{w} x i64> poison, <{w} x i32> zeroinitializer",
            f"  %used = icmp slt <{w} x i64> <{lanes}>, %over.w",
        ]
        copied = self.loop("k", "0", str(at.outputs), "1", [
            "  %k.row = mul i64 %k, %n",
            "  %k.first = add i64 %k.row, %even",
            *self.loop("l", "0", "%over", "1", [
                f"  %l.k = mul i64 %k, {w}",
                "  %l.from = add i64 %l.k, %l",
                "  %l.source = getelementptr double, ptr %sums, i64 %l.from",
                "  %l.one = load double, ptr %l.source, align 8",
                "  %l.to = add i64 %k.first, %l",
                "  %l.target = getelementptr double, ptr %out, i64 %l.to",
                "  store double %l.one, ptr %l.target, align 8",
            ]),
        ], "l.done")  # fmt: skip
        added, sum_of_lanes = self._lanes_added("%t.all")
        full = at.outputs // w * w
        totals = self.loop("s", "0", str(full), str(w), self._transposed()) if full else []
        totals += self.loop("t", str(full), str(at.outputs), "1", [
            f"  %t.at = getelementptr {vector}, ptr %sums, i64 %t",
            f"  %t.all = load {vector}, ptr %t.at, align {self.align}",
            *added,
            "  %t.to = getelementptr double, ptr %out, i64 %t",
            f"  store double {sum_of_lanes}, ptr %t.to, align 8",
        ])  # fmt: skip
        block = "call void @block(ptr %shared, ptr %extra, ptr %block, ptr {}, i64 {}, ptr %frame)"
        if self.reduce:
            # what is left over stands before the first blocks, and is added up with them
            rest = [f"  {block.format('%kept', 8 * w)}", *used, *self.loop("m", "0", str(at.factors), "1", idle)]
            whole = self.loop(
                "i",
                "%low",
                "%stop",
                "%together",
                [
                    "  %i.most = add i64 %i, %together",
                    "  %i.short = icmp slt i64 %i.most, %even",
                    "  %i.end = select i1 %i.short, i64 %i.most, i64 %even",
                    "  %i.later = icmp ne i64 %i, %low",
                    "  %i.given = select i1 %i.later, i64 0, i64 %before",
                    *self.loop(
                        "g",
                        "%i",
                        "%i.end",
                        str(w),
                        [
                            "  call void @gather(ptr %table, ptr %block, i64 %g, i64 %high)",
                            "  %g.new = sub i64 %g, %i",
                            "  %g.rows = add i64 %g.new, %i.given",
                            f"  %g.place = mul i64 %g.rows, {at.factors}",
                            "  %g.at = getelementptr double, ptr %kept, i64 %g.place",
                            f"  {block.format('%g.at', 8 * w)}",
                        ],
                    ),
                    "  %i.new = sub i64 %i.end, %i",
                    "  %i.rows = add i64 %i.new, %i.given",
                    f"  %i.count = udiv i64 %i.rows, {w}",
                    *[f"  call void @{name}(ptr %kept, ptr %sums, i64 %i.count, i1 %i.later)" for name in self.sums],
                ],
                "g.done",
            )
        else:
            rest = [f"  {block.format('%sums', 8 * w)}", *copied]
            whole = self.loop(
                "i",
                "%low",
                "%even",
                str(w),
                [
                    "  call void @gather(ptr %table, ptr %block, i64 %i, i64 %high)",
                    "  %here = getelementptr double, ptr %out, i64 %i",
                    f"  {block.format('%here', '%step')}",
                ],
            )
        return function(
            "void @chunk(ptr %shared, ptr %extra, ptr %table, i64 %n, i64 %low, i64 %high, ptr %out, ptr %block)",
            [
                f"  %sums = getelementptr double, ptr %block, i64 {at.sums}",
                f"  %kept = getelementptr double, ptr %block, i64 {at.kept}",
                f"  %frame = getelementptr double, ptr %block, i64 {at.frames}",
                "  %step = shl i64 %n, 3",
                "  %rows = sub i64 %high, %low",
                f"  %over = and i64 %rows, {w - 1}",
                "  %even = sub i64 %high, %over",
                "  %some = icmp ne i64 %over, 0",
                f"  %before = select i1 %some, i64 {w}, i64 0",
                "  %least = add i64 %low, %before",
                "  %more = icmp sgt i64 %even, %least",
                "  %stop = select i1 %more, i64 %even, i64 %least",
                f"  %few = icmp sle i64 %rows, {w * at.most}",
                f"  %together = select i1 %few, i64 {w * at.most}, i64 {w * at.together}",
                "  br i1 %some, label %rest, label %whole",
                "rest:",
                "  call void @gather(ptr %table, ptr %block, i64 %even, i64 %high)",
                *rest,
                "  br label %whole",
                "whole:",
                *whole,
                *(totals if self.reduce else ()),
                "  ret void",
            ],
            internal=True,
        )

    def _lanes_added(self, value: str) -> tuple[list[str], str]:
        """The sum of the lanes of a vector, halves upon halves."""
        lines, w = [], self.w
        while w > 1:
            half = w // 2
            for part, first in (("low", 0), ("high", half)):
                picked = ", ".join(f"i32 {first + i}" for i in range(half))
                lines.append(
                    f"  %{part}{half} = shufflevector <{w} x double> {value}, <{w} x double> poison, <{half} x i32> <{picked}>"
                )
            lines.append(f"  %sum{half} = fadd <{half} x double> %low{half}, %high{half}")
            value, w = f"%sum{half}", half
        return [*lines, f"  %sum = extractelement <1 x double> {value}, i64 0"], "%sum"

    def _transposed(self) -> list[str]:
        """The sums of the lanes of as many vectors as there are lanes, each added up as `_lanes_added` does, all at once."""
        w = self.w
        lines: list[str] = []
        names: list[str] = []
        for i in range(w):
            lines.append(f"  %s.i{i} = add i64 %s, {i}")
            lines.append(f"  %s.at{i} = getelementptr {self.vector}, ptr %sums, i64 %s.i{i}")
            lines.append(f"  %s.v{i} = load {self.vector}, ptr %s.at{i}, align {self.align}")
            names.append(f"%s.v{i}")
        length = w
        while length > 1:
            half = length // 2
            following: list[str] = []
            starts = [v * w + i * length for v in (0, 1) for i in range(w // length)]
            for a, b in zip(names[::2], names[1::2], strict=True):
                name = f"%s.{length}.{len(following)}"
                for part, first in (("low", 0), ("high", half)):
                    picked = ", ".join(f"i32 {start + first + i}" for start in starts for i in range(half))
                    lines.append(
                        f"  {name}.{part} = shufflevector {self.vector} {a}, {self.vector} {b}, <{w} x i32> <{picked}>"
                    )
                lines.append(f"  {name} = fadd {self.vector} {name}.low, {name}.high")
                following.append(name)
            names, length = following, half
        return [
            *lines,
            "  %s.to = getelementptr double, ptr %out, i64 %s",
            f"  store {self.vector} {names[0]}, ptr %s.to, align 8",
        ]
