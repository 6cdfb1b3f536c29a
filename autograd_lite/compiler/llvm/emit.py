"""LLVM IR text for a `Program`: the kernel object that `lowering` speaks to, and the cutting into functions of bounded size.

One value is one double, or one vector of `width` rows.  Values are written in the program's order; where a function has grown
long enough it is closed, and what later instructions still need goes through a frame in memory.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, NamedTuple

from ...ops import TABLE, Op
from ...program import Program, Ref, written
from ..lowering import COMPARISONS, FUNCTIONS, PAIRS, lower
from .functions import QUICKER, ROWS
from .schedule import OPERANDS, arranged

__all__ = ["INTRINSICS", "LIBRARY", "Callback", "Emitter", "Parts", "emit"]

Handle = str | float  # the name of an IR value, or a constant

INSTRUCTIONS = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
INTRINSICS = ("abs", "sqrt", "floor", "ceil", "trunc", "rint", "copysign")
LIBRARY = tuple(name for name in FUNCTIONS + PAIRS if name not in (*INTRINSICS, *INSTRUCTIONS, "neg"))
PREDICATES = dict(zip(COMPARISONS, ("olt", "ole", "ogt", "oge", "oeq", "une"), strict=True))
CALL = 20  # instructions around a call of the vector library, which keeps no register
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
        self.type = "double" if width == 1 else f"<{width} x double>"
        self.bits = "i1" if width == 1 else f"<{width} x i1>"
        self.suffix = "f64" if width == 1 else f"v{width}f64"
        self.lines: list[str] = []
        self.made: dict[str, str] = {}  # what has been computed already, by its text
        self.conditions: dict[str, str] = {}  # number(c) -> c
        self.count = 0
        self.steps = self.calls = 0  # lines that compute something, and calls of the vector library, in this function
        self.declared: dict[str, str] = {}  # functions from outside, and helpers of this module: name -> IR
        self.library: set[str] = set()  # scalar functions of the C library that are called
        self.vectors: set[str] = set()  # and those of the vector library
        self.callbacks: dict[str, Callback] = {}
        self._own: dict[Op, str] = {}  # how users' ops are called: several may have one name

    def restart(self) -> None:
        """Begin another function: nothing is known there."""
        self.lines, self.made, self.conditions, self.steps, self.calls = [], {}, {}, 0, 0

    # -- lines --------------------------------------------------------------------------------------------------------

    def line(self, text: str) -> str:
        """A new value, even where the same text was written before."""
        self.count += 1
        self.steps += not text.startswith(OPERANDS)
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
        bits = f"0x{struct.unpack('<Q', struct.pack('<d', a))[0]:016X}"
        return bits if self.width == 1 else f"splat (double {bits})"

    def typed(self, a: Handle) -> str:
        """An operand after its type."""
        return f"{self.type} {self.written(a)}"

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
        label = op.name if TABLE.get(op.name) is op else self._own.setdefault(op, f"own{len(self._own)}")
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
        name = f"llvm.x86.avx512.mask.scalef.pd.{64 * self.width}"
        self.declared[name] = f"declare {self.type} @{name}({self.type}, {self.type}, {self.type}, i8, i32)"
        return self.value(
            f"call {self.type} @{name}({self.typed(a)}, {self.typed(n)}, {self.type} zeroinitializer, i8 -1, i32 4)"
        )

    def bits_of(self, a: Handle) -> str:
        """The bits of each number, as a whole number."""
        return self.value(f"bitcast {self.typed(a)} to <{self.width} x i64>")

    def number_of(self, bits: str) -> str:
        """The number that has these bits."""
        return self.value(f"bitcast <{self.width} x i64> {bits} to {self.type}")

    def whole(self, word: str, a: str, b: int, swapped: bool = False) -> str:
        """An operation on bits and the same whole number in each lane."""
        number = f"splat (i64 {b})"
        operands = f"{number}, {a}" if swapped else f"{a}, {number}"
        return self.value(f"{word} <{self.width} x i64> {operands}")

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The words that are alike: each a line of IR, or a call."""
        if (word := INSTRUCTIONS.get(name)) is not None:
            return lambda a, b: self.value(f"{word} {self.flags}{self.typed(a)}, {self.written(b)}")
        if (word := PREDICATES.get(name)) is not None:
            return lambda a, b: self.value(f"fcmp {word} {self.typed(a)}, {self.written(b)}")
        if name in INTRINSICS:
            return partial(self.intrinsic, name)
        if name in LIBRARY:
            return partial(self.function, name)
        raise AttributeError(name)


# -- programs ---------------------------------------------------------------------------------------------------------


class Parts(NamedTuple):
    """A program as functions of the module, to be called one after the other.

    Each has the parameters it was written with and then the frame, `frame` doubles a row; where the program has guards it
    returns the number of the first one that does not hold, else -1.  `steps` is about how many instructions they take.
    """

    text: str
    names: tuple[str, ...]
    frame: int
    guarded: bool
    steps: int


def emit(
    program: Program,
    k: Emitter,
    name: str,
    parameters: str,
    load: Callable[[int], Handle],
    store: Callable[[int, Handle], None],
    limit: int,
) -> Parts:
    """Write a program as functions ``name0``, ``name1``, ... of about `limit` steps each.

    Args:
        load: gives input i, by writing lines.
        store: writes lines that take output i, as soon as it is known.
    """
    return _Cutting(program, k, name, parameters, load, store, limit).parts()


class _Cutting:
    """The state of `emit`: which values have a name in the function being written, and which are in the frame."""

    def __init__(
        self,
        program: Program,
        k: Emitter,
        name: str,
        parameters: str,
        load: Callable[[int], Handle],
        store: Callable[[int, Handle], None],
        limit: int,
    ) -> None:
        self.program, self.k, self.name, self.limit, self.load = program, k, name, limit, load
        self.parameters, self.store = parameters, store
        self.result = "i64" if program.guards else "void"
        self.checks = self._checks()
        self.last = self._last_uses()
        self.outputs: dict[int, list[int]] = {}
        for i, ref in enumerate(program.outputs):
            if ref.__class__ is int and ref >= program.inputs:
                self.outputs.setdefault(ref, []).append(i)
        self.constants: dict[int, float] = {}
        self.handles: dict[int, str] = {}
        self.made: list[int] = []  # the values of this function
        self.slots: dict[int, int] = {}  # value -> its place in the frame
        self.free: list[int] = []
        self.frame = 0
        self.functions: list[str] = []
        self.steps = 0

    def _checks(self) -> dict[int, list[int]]:
        """The guards to look at once a value is made: in their order, so that the first to fail is the first."""
        checks: dict[int, list[int]] = {}
        latest = 0
        for i, guard in enumerate(self.program.guards):
            latest = max(latest, guard.ref)
            checks.setdefault(latest, []).append(i)
        return checks

    def _last_uses(self) -> list[int]:
        last = self.program.last_uses()
        for number, guards in self.checks.items():
            for i in guards:
                ref = self.program.guards[i].ref
                last[ref] = max(last[ref], number)
        return last

    def parts(self) -> Parts:
        program, k = self.program, self.k
        k.restart()
        for number in sorted(n for n in self.checks if n < program.inputs):
            self._check(number)
        final = program.inputs + len(program) - 1
        for number, (op, args) in enumerate(program.instructions, program.inputs):
            before = len(k.lines)
            result = lower(op)(k, *map(self._get, args))
            if len(k.lines) > before:
                name = op.name if TABLE.get(op.name) is op else "own"
                k.lines[-1] += f"  ; v{number} = {name}({', '.join(map(written, args))})"
            if result.__class__ is float:
                self.constants[number] = result
            else:
                self.handles[number] = result
                self.made.append(number)
            for i in self.outputs.get(number, ()):
                self.store(i, result)
            if number in self.checks:
                self._check(number)
            if k.steps >= self.limit and number < final:
                self._cut(number)
        for i, ref in enumerate(program.outputs):
            if ref.__class__ is float or ref < program.inputs:
                self.store(i, self._get(ref))
        self._arrange()
        self._close()
        names = tuple(f"{self.name}{i}" for i in range(len(self.functions)))
        return Parts("\n\n".join(self.functions), names, self.frame, bool(program.guards), self.steps)

    def _get(self, ref: Ref) -> Handle:
        if ref.__class__ is float:
            return ref
        assert ref.__class__ is int
        if ref < self.program.inputs:
            return self.load(ref)
        if (constant := self.constants.get(ref)) is not None:
            return constant
        name = self.handles.get(ref)
        if name is None:
            name = self.handles[ref] = self.k.line(f"load {self.k.type}, ptr {self._slot(self.slots[ref])}, align 8")
        return name

    def _slot(self, slot: int) -> str:
        return self.k.value(f"getelementptr i8, ptr %frame, i64 {slot * 8 * self.k.width}")

    def _check(self, number: int) -> None:
        """Leave the function where a guard decided by this value does not hold."""
        for i in self.checks[number]:
            guard = self.program.guards[i]
            holds = self.k.truth(self._get(guard.ref))
            ways = (f"go{i}", f"leave{i}") if guard.expected else (f"leave{i}", f"go{i}")
            self.k.lines += [f"  br i1 {holds}, label %{ways[0]}, label %{ways[1]}", f"leave{i}:", f"  ret i64 {i}", f"go{i}:"]

    def _cut(self, number: int) -> None:
        """Close the function after a value; what is needed later goes to the frame."""
        self._arrange()
        later = {v: self._new_slot() for v in self.made if self.last[v] > number}
        # a place that is read in this function is free for the next one only, as stores stand where the values are made
        for old in [v for v in self.slots if self.last[v] <= number]:
            self.free.append(self.slots.pop(old))
        self.slots |= later
        made: dict[str, list[int]] = {}  # several values may be one, told apart by the program alone
        for v, slot in later.items():
            made.setdefault(self.handles[v], []).append(slot)
        lines, self.k.lines = self.k.lines, []
        for line in lines:
            self.k.lines.append(line)
            name = line.partition(" = ")[0].strip()
            for slot in made.pop(name, ()):
                self.k.store(name, self._slot(slot), 8)
        assert not made
        self._close()
        self.handles, self.made = {}, []
        self.k.restart()

    def _new_slot(self) -> int:
        """A place of the frame that holds nothing."""
        if self.free:
            return self.free.pop()
        self.frame += 1
        return self.frame - 1

    def _arrange(self) -> None:
        if self.k.width > 1:  # over rows; scalar code is short, or compiled to be called once
            self.k.lines = arranged(self.k.lines)

    def _close(self) -> None:
        self.steps += self.k.steps + CALL * self.k.calls
        name = f"{self.name}{len(self.functions)}"
        head = f"define internal {self.result} @{name}({self.parameters}, ptr noalias %frame) #0 {{"
        leave = "  ret i64 -1" if self.program.guards else "  ret void"
        self.functions.append("\n".join([head, "entry:", *self.k.lines, leave, "}"]))
