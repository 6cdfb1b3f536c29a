"""The IR around the functions of a program: the module, the call of its parts, and the loops over blocks and chunks of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .chunk import Chunks, function
from .emit import Parts
from .sums import Layout

__all__ = ["ROW", "batch", "module", "scalar"]

ROW = "ptr noalias %shared, ptr noalias %extra, ptr noalias %columns, ptr noalias %out, i64 %step"

# "stackrealign": otherwise vectors that leave their registers straddle two lines of the cache
ATTRIBUTES = 'attributes #0 = {{ nounwind "stackrealign" "prefer-vector-width"="{0}" "min-legal-vector-width"="{0}" }}'


def module(declared: Mapping[str, str], functions: Sequence[str], width: int) -> str:
    """The text of a module."""
    return "\n\n".join([*functions, *declared.values(), ATTRIBUTES.format(64 * width if width > 1 else 64)]) + "\n"


def scalar(parts: Parts) -> str:
    """``run(in, out, frame)``: the parts one after the other, until a guard does not hold."""
    lines = []
    for i, name in enumerate(parts.names):
        if parts.guarded:
            lines += [
                f"  %g{i} = call i64 @{name}(ptr %in, ptr %out, ptr %frame)",
                f"  %f{i} = icmp sge i64 %g{i}, 0",
                f"  br i1 %f{i}, label %leave{i}, label %go{i}",
                f"leave{i}:",
                f"  ret i64 %g{i}",
                f"go{i}:",
            ]
        else:
            lines.append(f"  call void @{name}(ptr %in, ptr %out, ptr %frame)")
    return function("i64 @run(ptr %in, ptr %out, ptr %frame)", ["entry:", *lines, "  ret i64 -1"])


class Finish(NamedTuple):
    """What becomes of the sums: whether they are divided by the rows, and where `extra` holds what each row has besides."""

    mean: bool = False
    addends: int | None = None


def batch(layout: Layout, uniform: Parts, row: Parts, sums: Sequence[str], finish: Finish) -> str:
    """The functions around those of `uniform`, `row` and `sums`; see their heads.  Without sums the rows are kept."""
    fill = _Fill(layout, uniform, row, sums)
    functions = [fill.uniform(), fill.row(), fill.gather(), fill.chunk(), fill.finish(finish), fill.run(), fill.call()]
    return "\n\n".join([*functions, fill.some(), fill.total()])


class _Fill(Chunks):
    """The functions that go through the chunks, in one thread or in several; see their heads."""

    def finish(self, how: Finish) -> str:
        """The sums made means, and what is the same for every row added to them: by vectors, and one by one at the end."""
        w, outputs = self.w, self.at.outputs
        full = outputs // w * w
        changed = self.reduce and (how.mean or how.addends is not None)
        rows = [f"insertelement {self.vector} poison, double %rows, i64 0"]
        rows.append(f"shufflevector {self.vector} %first, {self.vector} poison, <{w} x i32> zeroinitializer")
        return function("i64 @finish(ptr noalias %out, ptr noalias %extra, i64 %n)", [
            "  %rows = sitofp i64 %n to double",
            f"  %first = {rows[0]}",
            f"  %all = {rows[1]}",
            "  %some = icmp ne i64 %n, 0",
            f"  %vectors = select i1 %some, i64 {full}, i64 0",
            f"  %count = select i1 %some, i64 {outputs}, i64 0",
            *(self.loop("v", "0", "%vectors", str(w), self._finished("v", self.vector, "%all", how)) if changed else ()),
            *(self.loop("k", "%vectors", "%count", "1", self._finished("k", "double", "%rows", how)) if changed else ()),
            "  ret i64 0",
        ])  # fmt: skip

    def _finished(self, k: str, kind: str, rows: str, how: Finish) -> list[str]:
        """One double or one vector of the sums, at the index named `k`."""
        result = f"%{k}.sum"
        lines = [f"  %{k}.at = getelementptr double, ptr %out, i64 %{k}", f"  {result} = load {kind}, ptr %{k}.at, align 8"]
        if how.mean:
            lines.append(f"  %{k}.mean = fdiv {kind} {result}, {rows}")
            result = f"%{k}.mean"
        if how.addends is not None:
            lines += [
                f"  %{k}.place = add i64 %{k}, {how.addends}",
                f"  %{k}.from = getelementptr double, ptr %extra, i64 %{k}.place",
                f"  %{k}.one = load {kind}, ptr %{k}.from, align 8",
            ]
            each = f"%{k}.one"
            if not how.mean:
                lines.append(f"  %{k}.rows = fmul {kind} {each}, {rows}")
                each = f"%{k}.rows"
            lines.append(f"  %{k}.total = fadd {kind} {result}, {each}")
            result = f"%{k}.total"
        return [*lines, f"  store {kind} {result}, ptr %{k}.at, align 8"]

    def _ends(self) -> list[str]:
        return [
            "  %later = add i64 %low, %size",
            "  %short = icmp slt i64 %later, %n",
            "  %high = select i1 %short, i64 %later, i64 %n",
        ]

    def run(self) -> str:
        """All chunks in order by one thread; the first one's sums go straight to `out`."""
        at = self.at
        chunk = "call void @chunk(ptr %shared, ptr %extra, ptr %table, i64 %n, i64 %low, i64 %high, ptr {}, ptr %block)"
        sums = [
            "  %new = icmp eq i64 %low, 0",
            "  %target = select i1 %new, ptr %out, ptr %totals",
            f"  {chunk.format('%target')}",
            f"  %count = select i1 %new, i64 0, i64 {at.outputs}",
            *self.loop("k", "0", "%count", "1", [
                "  %k.to = getelementptr double, ptr %out, i64 %k",
                "  %k.from = getelementptr double, ptr %totals, i64 %k",
                "  %k.sum = load double, ptr %k.to, align 8",
                "  %k.more = load double, ptr %k.from, align 8",
                "  %k.both = fadd double %k.sum, %k.more",
                "  store double %k.both, ptr %k.to, align 8",
            ]),
        ]  # fmt: skip
        nothing = [
            "  %empty = icmp eq i64 %n, 0",
            f"  %cleared = select i1 %empty, i64 {at.outputs}, i64 0",
            *self.loop("z", "0", "%cleared", "1", [
                "  %z.at = getelementptr double, ptr %out, i64 %z",
                "  store double 0.0, ptr %z.at, align 8",
            ]),
        ]  # fmt: skip
        return function(
            "i64 @run(ptr %shared, ptr %extra, ptr %table, i64 %n, i64 %size, ptr %out, ptr %block)",
            [
                f"  %totals = getelementptr double, ptr %block, i64 {at.totals}",
                f"  %frame = getelementptr double, ptr %block, i64 {at.frames}",
                "  %done = call i64 @uniform(ptr %shared, ptr %extra, ptr %frame)",
                *(nothing if self.reduce else ()),
                *self.loop(
                    "low", "0", "%n", "%size",
                    [*self._ends(), *(sums if self.reduce else [f"  {chunk.format('%out')}"])],
                    "k.done" if self.reduce else None,
                ),
                *(["  %finished = call i64 @finish(ptr %out, ptr %extra, i64 %n)"] if self.reduce else ()),
                "  ret i64 0",
            ],
        )  # fmt: skip

    def call(self) -> str:
        """`run`, its arguments in memory: ctypes takes longer to hand over seven numbers than to look for one row."""
        names = ("shared", "extra", "table", "n", "size", "out", "block")
        types = ["i64" if name in ("n", "size") else "ptr" for name in names]
        lines = []
        for i, (name, kind) in enumerate(zip(names, types, strict=True)):
            lines += [
                f"  %{name}.at = getelementptr i64, ptr %arguments, i64 {i}",
                f"  %{name} = load {kind}, ptr %{name}.at, align 8",
            ]
        given = ", ".join(f"{kind} %{name}" for name, kind in zip(names, types, strict=True))
        return function("i64 @call(ptr %arguments)", [*lines, f"  %done = call i64 @run({given})", "  ret i64 %done"])

    def some(self) -> str:
        """Chunks until none is left, each taken by its number from a counter that threads share."""
        place = "getelementptr double, ptr %out, i64 %first" if self.reduce else "getelementptr double, ptr %out, i64 0"
        return function(
            "i64 @some(ptr %shared, ptr %extra, ptr %table, i64 %n, i64 %size, ptr %out, ptr %block, ptr %counter)",
            [
                "  br label %take",
                "take:",
                "  %chunk = atomicrmw add ptr %counter, i64 1 monotonic",
                "  %low = mul i64 %chunk, %size",
                "  %left = icmp slt i64 %low, %n",
                "  br i1 %left, label %work, label %end",
                "work:",
                *self._ends(),
                f"  %first = mul i64 %chunk, {self.at.outputs}",
                f"  %here = {place}",
                "  call void @chunk(ptr %shared, ptr %extra, ptr %table, i64 %n, i64 %low, i64 %high, ptr %here, ptr %block)",
                "  br label %take",
                "end:",
                "  ret i64 0",
            ],
        )

    def total(self) -> str:
        """The sums of all chunks added up in their order."""
        outputs = str(self.at.outputs)
        return function(
            "i64 @total(ptr %sums, i64 %chunks, ptr %out)",
            [
                *self.loop("k", "0", outputs, "1", [
                    "  %k.at = getelementptr double, ptr %sums, i64 %k",
                    "  %k.first = load double, ptr %k.at, align 8",
                    "  %k.to = getelementptr double, ptr %out, i64 %k",
                    "  store double %k.first, ptr %k.to, align 8",
                ]),
                *self.loop("c", "1", "%chunks", "1", [
                    f"  %c.first = mul i64 %c, {outputs}",
                    *self.loop("i", "0", outputs, "1", [
                        "  %i.from = add i64 %c.first, %i",
                        "  %i.at = getelementptr double, ptr %sums, i64 %i.from",
                        "  %i.more = load double, ptr %i.at, align 8",
                        "  %i.to = getelementptr double, ptr %out, i64 %i",
                        "  %i.sum = load double, ptr %i.to, align 8",
                        "  %i.both = fadd double %i.sum, %i.more",
                        "  store double %i.both, ptr %i.to, align 8",
                    ]),
                ], "i.done"),
                "  ret i64 0",
            ],
        )  # fmt: skip
