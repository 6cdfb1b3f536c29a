"""LLVM IR as text: what `lowering` and `functions` speak to, each word a line.

One value is one double, or one vector of `width` rows.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, NamedTuple

from ...ops import TABLE, Op
from ..lowering import COMPARISONS, FUNCTIONS, PAIRS, lower
from .functions import DOUBLE, QUICKER, ROWS
from .schedule import OPERANDS

Handle = str | float  # the name of an IR value, or a constant

_packed = struct.Struct(">d").pack

INSTRUCTIONS = ("neg", "add", "sub", "mul", "div")
INTRINSICS = ("abs", "sqrt", "floor", "ceil", "trunc", "rint", "copysign")
LIBRARY = tuple(name for name in FUNCTIONS + PAIRS if name not in (*INTRINSICS, *INSTRUCTIONS))
PREDICATES = dict(zip(COMPARISONS, ("olt", "ole", "ogt", "oge", "oeq", "une"), strict=True))
# without "reassoc": LLVM 22 merges sums that share a product wrongly where it may reassociate and contract at once
FASTMATH = "contract arcp nsz afn "


class Callback(NamedTuple):
    """A row's own Python function, called with `arity` arguments for `width` rows at once."""

    op: Op
    arity: int
    width: int


class Emitter:
    """The kernel object: each method writes a line of IR and gives the name of the result.

    Args:
        width: how many rows a value holds; 1 is a plain double.
        exact: whether results must have the bits of the rows' own functions.
        fastmath: allow LLVM to fuse, and to leave out what only matters to signs of zero.
        vector: the functions of `LIBRARY` that the vector library has in this width.
        fused: whether the processor multiplies and adds in one, so that `rows` are written by `functions`.
        scalef: whether it multiplies by a power of two, as AVX-512 does.
    """

    element, bytes, precision = "double", 8, DOUBLE  # what a number is

    def __init__(
        self,
        width: int,
        exact: bool,
        fastmath: bool = False,
        vector: Collection[str] = (),
        fused: bool = False,
        scalef: bool = False,
    ) -> None:
        self.width, self.exact, self.vector, self.scalef = width, exact, vector, scalef
        called = QUICKER & set(vector)
        self.rows = {name: row for name, row in ROWS.items() if name not in called} if fused and not exact else {}
        self.inline = width > 1
        self.flags = FASTMATH if fastmath else ""
        self.type = self.element if width == 1 else f"<{width} x {self.element}>"
        self.bits = "i1" if width == 1 else f"<{width} x i1>"
        self.suffix = f"{'' if width == 1 else f'v{width}'}f{8 * self.bytes}"
        self.size = self.bytes * width
        self.lines: list[str] = []
        self.made: dict[str, str] = {}  # what has been computed already, by its text
        self.conditions: dict[str, str] = {}  # number(c) -> c
        self.count = 0
        self.steps = self.calls = 0  # lines that compute something, and calls of the vector library, in this function
        self.declared: dict[str, str] = {}  # functions from outside, and helpers of this module: name -> IR
        self.library: set[str] = set()  # scalar functions of the C library that are called
        self.vectors: set[str] = set()  # and those of the vector library
        self.callbacks: dict[str, Callback] = {}
        self.long = False  # for long programs: values have numbers, not names, and constants of vectors stand in a table, at
        self.at: list[int] = []  # which LLVM is quicker; where the line of each value is
        self.table: dict[str, int] = {}
        self.loaded: dict[str, str] = {}  # of the table, in this function
        self._own: dict[Op, str] = {}  # how users' ops are called: several may have one name

    def restart(self) -> None:
        """Begin another function: nothing is known there."""
        self.lines, self.made, self.conditions, self.steps, self.calls = [], {}, {}, 0, 0
        self.at, self.loaded = [], {}

    def constants(self) -> str:
        """The table, as text of the module."""
        texts = [f"{self.type} {text}" for text in self.table]
        return f"@constants = internal constant [{len(texts)} x {self.type}] [{', '.join(texts)}], align {self.size}"

    # -- lines --------------------------------------------------------------------------------------------------------

    def line(self, text: str) -> str:
        """A new value, even where the same text was written before."""
        self.steps += not text.startswith(OPERANDS)
        if self.long:
            self.at.append(len(self.lines))
            self.lines.append(text)
            return f"%{len(self.at) - 1}"
        self.count += 1
        name = f"%t{self.count}"
        self.lines.append(f"  {name} = {text}")
        return name

    def value(self, text: str) -> str:
        """The value of a text that means the same wherever it stands."""
        name = self.made.get(text)
        if name is None:
            name = self.made[text] = self.line(text)
        return name

    def store(self, a: Handle, place: str, align: int) -> None:
        """A value written to memory."""
        self.steps += 1
        self.lines.append(f"  store {self.typed(a)}, ptr {place}, align {align}")

    def written(self, a: Handle) -> str:
        """An operand: a name, or a constant in hexadecimal, one for each row."""
        if a.__class__ is str:
            return a
        bits = f"0x{_packed(a).hex().upper()}"
        if self.width == 1:
            return bits
        text = f"splat ({self.element} {bits})"
        return self._from_table(text) if self.long else text

    def _from_table(self, text: str) -> str:
        name = self.loaded.get(text)
        if name is None:
            place = self.size * self.table.setdefault(text, len(self.table))
            at = self.line(f"getelementptr i8, ptr {self.value('getelementptr i8, ptr @constants, i64 0')}, i64 {place}")
            name = self.loaded[text] = self.line(f"load {self.type}, ptr {at}, align {self.size}")
        return name

    def typed(self, a: Handle) -> str:
        """An operand after its type."""
        return f"{self.type} {self.written(a)}"

    def row(self, op: Op, args: Sequence[Handle]) -> Handle:
        """A row of the op table at some arguments."""
        direct = DIRECT.get(op)
        found: Handle = direct(self, *args) if direct is not None and op.core is None else lower(op)(self, *args)
        return found

    # -- the vocabulary -----------------------------------------------------------------------------------------------

    def neg(self, a: Handle) -> Handle:
        """-a."""
        return self.value(f"fneg {self.flags}{self.typed(a)}")

    def add(self, a: Handle, b: Handle) -> Handle:
        """a + b; over rows nothing for a constant 0 + b."""
        if not self.exact and a.__class__ is float and a == 0.0:  # how sums begin; signs of zero are not significant
            return b
        return self.value(f"fadd {self.flags}{self.typed(a)}, {self.written(b)}")

    def truth(self, a: Handle) -> str:
        """Whether a number is not 0; nan is true."""
        known = self.conditions.get(a) if isinstance(a, str) else None
        return known if known is not None else self.value(f"fcmp une {self.typed(a)}, {self.written(0.0)}")

    def number(self, c: str) -> Handle:
        """1.0 where a condition holds, else 0.0."""
        result = self.select(c, 1.0, 0.0)
        assert result.__class__ is str
        self.conditions[result] = c
        return result

    def select(self, c: str, a: Handle, b: Handle) -> Handle:
        """a where the condition holds, else b."""
        return self.value(f"select {self.bits} {c}, {self.typed(a)}, {self.typed(b)}")

    def both(self, c: str, d: str) -> str:
        """Whether two conditions hold."""
        return self.value(f"and {self.bits} {c}, {d}")

    def either(self, c: str, d: str) -> str:
        """Whether one of two conditions holds."""
        return self.value(f"or {self.bits} {c}, {d}")

    def negate(self, c: str) -> str:
        """Whether a condition does not hold."""
        ones = "true" if self.width == 1 else f"<{', '.join(['i1 true'] * self.width)}>"
        return self.value(f"xor {self.bits} {c}, {ones}")

    def call(self, op: Op, *args: Handle) -> Handle:
        """The row's own Python function, through a helper that hands its arguments over in memory."""
        label = op.name if op.entered else self._own.setdefault(op, f"own{len(self._own)}")
        name = f"python_{label}_{len(args)}_{self.width}"
        if name not in self.callbacks:
            self.callbacks[name] = Callback(op, len(args), self.width)
            self.declared[name] = f"declare void @{name}(ptr, ptr) nounwind\n" + self._handing_over(name, len(args))
        return self.value(f"call {self.type} @call_{name}({', '.join(map(self.typed, args))})")

    def _handing_over(self, name: str, count: int) -> str:
        slots, size = max(count, 1), 8 * self.width
        lines = [f"  %args = alloca [{slots} x {self.type}], align 64", f"  %out = alloca [2 x {self.type}], align 64"]
        for i in range(count):
            lines.append(f"  %p{i} = getelementptr i8, ptr %args, i64 {i * size}")
            lines.append(f"  store {self.type} %a{i}, ptr %p{i}, align 8")
        lines += [  # called again where its exception was lost, see `native`
            f"  %state = getelementptr i8, ptr %out, i64 {size}",
            "  store double 0.0, ptr %state, align 8",
            "  br label %again",
            "again:",
            f"  call void @{name}(ptr %args, ptr %out)",
            "  %found = load double, ptr %state, align 8",
            "  store double 2.0, ptr %state, align 8",
            "  %done = fcmp oeq double %found, 1.0",
            "  br i1 %done, label %over, label %again",
            "over:",
            f"  %r = load {self.type}, ptr %out, align 8",
        ]
        parameters = ", ".join(f"{self.type} %a{i}" for i in range(count))
        return self._helper(f"call_{name}", parameters, [*lines, f"  ret {self.type} %r"])

    def _helper(self, name: str, parameters: str, lines: Sequence[str]) -> str:
        return "\n".join([f"define internal {self.type} @{name}({parameters}) #0 {{", *lines, "}"])

    def function(self, name: str, *args: Handle) -> Handle:
        """A function of the C library; over rows the vector library's, or the scalar one for each row."""
        if self.width == 1:
            self.library.add(name)
            target = f"c_{name}"
            self.declared[target] = f"declare double @{target}({', '.join(['double'] * len(args))}) nounwind"
        elif name in self.vector:
            self.vectors.add(name)
            self.calls += 1
            target = f"v_{name}"
            self.declared[target] = f"declare {self.type} @{target}({', '.join([self.type] * len(args))}) nounwind"
        else:
            self.library.add(name)
            target = f"each_{name}"
            if target not in self.declared:
                self.declared[f"c_{name}"] = f"declare double @c_{name}({', '.join(['double'] * len(args))}) nounwind"
                self.declared[target] = self._row_by_row(name, len(args))
        return self.value(f"call {self.type} @{target}({', '.join(map(self.typed, args))})")

    def _row_by_row(self, name: str, count: int) -> str:
        lines, result = [], "poison"
        for i in range(self.width):
            for j in range(count):
                lines.append(f"  %x{i}.{j} = extractelement {self.type} %a{j}, i64 {i}")
            given = ", ".join(f"double %x{i}.{j}" for j in range(count))
            lines.append(f"  %y{i} = call double @c_{name}({given})")
            lines.append(f"  %r{i} = insertelement {self.type} {result}, double %y{i}, i64 {i}")
            result = f"%r{i}"
        parameters = ", ".join(f"{self.type} %a{j}" for j in range(count))
        return self._helper(f"each_{name}", parameters, [*lines, f"  ret {self.type} {result}"])

    def intrinsic(self, name: str, *args: Handle) -> Handle:
        """An operation that LLVM knows."""
        target = f"llvm.{'fabs' if name == 'abs' else name}.{self.suffix}"
        self.declared[target] = f"declare {self.type} @{target}({', '.join([self.type] * len(args))})"
        return self.value(f"call {self.type} @{target}({', '.join(map(self.typed, args))})")

    # -- for `functions` ----------------------------------------------------------------------------------------------

    def fma(self, a: Handle, b: Handle, c: Handle) -> Handle:
        """a * b + c, rounded once."""
        return self.intrinsic("fma", a, b, c)

    def scaled(self, a: Handle, n: Handle) -> Handle:
        """a 2^n, rounded once."""
        name = f"llvm.x86.avx512.mask.scalef.p{self.element[0].replace('f', 's')}.{8 * self.size}"
        mask = f"i{self.width}"
        self.declared[name] = f"declare {self.type} @{name}({self.type}, {self.type}, {self.type}, {mask}, i32)"
        given = f"{self.typed(a)}, {self.typed(n)}, {self.type} zeroinitializer, {mask} -1, i32 4"
        return self.value(f"call {self.type} @{name}({given})")

    def bits_of(self, a: Handle) -> str:
        """The bits of each number, as a whole number."""
        return self.value(f"bitcast {self.typed(a)} to <{self.width} x i{8 * self.bytes}>")

    def number_of(self, bits: str) -> str:
        """The number that has these bits."""
        return self.value(f"bitcast <{self.width} x i{8 * self.bytes}> {bits} to {self.type}")

    def whole(self, word: str, a: str, b: int, swapped: bool = False) -> str:
        """An operation on bits and the same whole number in each lane."""
        kind = f"i{8 * self.bytes}"
        number = f"splat ({kind} {b})"
        operands = f"{number}, {a}" if swapped else f"{a}, {number}"
        return self.value(f"{word} <{self.width} x {kind}> {operands}")

    def sub(self, a: Handle, b: Handle) -> Handle:
        """a - b."""
        return self.value(f"fsub {self.flags}{self.typed(a)}, {self.written(b)}")

    def mul(self, a: Handle, b: Handle) -> Handle:
        """a * b."""
        return self.value(f"fmul {self.flags}{self.typed(a)}, {self.written(b)}")

    def div(self, a: Handle, b: Handle) -> Handle:
        """a / b."""
        return self.value(f"fdiv {self.flags}{self.typed(a)}, {self.written(b)}")

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The words that are alike: each a line of IR, or a call."""
        if (word := PREDICATES.get(name)) is not None:
            return lambda a, b: self.value(f"fcmp {word} {self.typed(a)}, {self.written(b)}")
        if name in INTRINSICS:
            return partial(self.intrinsic, name)
        if name in LIBRARY:
            return partial(self.function, name)
        raise AttributeError(name)


# of rows that are one word of the vocabulary, as `lower` would find
DIRECT: dict[Op, Callable[..., Handle]] = {TABLE[name]: getattr(Emitter, name) for name in INSTRUCTIONS}
