"""Long programs that repeat themselves, as loops: the gradient and the sparse Hessian of a sum of ten thousand like terms.

A stretch of instructions repeats where each differs from the one a period before in its operands alone, and each operand moves
on by the same step every time.  What is written of it is one period, in a loop; so the code is as long as the formula of one
term, and so is the time that LLVM takes.  Each value has a place of its own in the frame, by its number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from math import nan
from typing import Any, NamedTuple

from ...arrays import np
from ...program import Program, Ref
from .cutting import CutProgram
from .emit import Emitter, Handle

LONG = 4_000  # instructions: below, code that runs straight on is quicker
LEAST, MOST = 8, 256  # times that a loop goes round at least; instructions of a period at most
TRIES = 16  # periods tried at an instruction


class Stretch(NamedTuple):
    """`rounds` times `period` instructions from `start` on; straight code where it is once."""

    start: int
    period: int
    rounds: int


def stretches(codes: Sequence[int], operands: Sequence[Sequence[int]]) -> list[Stretch] | None:
    """A program in stretches; None where more than a quarter of it repeats nothing.

    >>> stretches([7, *[1, 2] * 20, 7], [[0, *[k // 2 for k in range(40)], 0]])
    [Stretch(start=0, period=1, rounds=1), Stretch(start=1, period=2, rounds=20), Stretch(start=41, period=1, rounds=1)]

    Args:
        codes: what instructions of one kind have in common, one for each.
        operands: the values that they take: first operands, second ones, ...; 0 where there is none, or a constant.
    """
    values = [np.asarray(codes), *map(np.asarray, operands)]
    total, code = len(codes), values[0].tolist()
    following, last = [total] * total, dict[int, int]()  # where the same code comes next
    for k in range(total - 1, -1, -1):
        following[k] = last.get(code[k], total)
        last[code[k]] = k

    def times(start: int, period: int) -> int:
        """How often a period repeats from there on."""
        found, size = 0, LEAST * period
        while True:
            low = start + found
            high = min(low + size, total - 2 * period)
            good = np.ones(max(high - low, 0), bool)
            for i, a in enumerate(values):
                one, two, three = (a[low + j * period : high + j * period] for j in range(3))
                good &= (one == two) & (two == three) if i == 0 else three - two == two - one
            wrong = int(good.argmin()) if not good.all() else len(good)
            found += wrong
            if wrong < size:
                return found // period + 2
            size *= 4

    found: list[Stretch] = []
    at = straight = single = 0  # where it is looked; where straight code began, and how much there is
    while at < total:
        here, tries = following[at], TRIES
        while here < total and (period := here - at) <= MOST and tries:
            if code[at:here] == code[here : here + period] == code[here + period : here + 2 * period]:
                rounds = times(at, period)
                if rounds >= LEAST:
                    if straight < at:
                        found.append(Stretch(straight, at - straight, 1))
                    found.append(Stretch(at, period, rounds))
                    at = straight = at + period * rounds
                    break
            here, tries = following[here], tries - 1
        else:
            at += 1
            single += 1
            if single > total // 4:
                return None
    return [*found, *[Stretch(straight, total - straight, 1)] * (straight < total)]


def looped(program: Program, k: Emitter, name: str, parameters: str, limit: int) -> CutProgram | None:
    """A long program as functions of its inputs, `%in`, and outputs, `%out`, in memory; None where too little repeats itself.

    The outputs are written by stretches too, as if they were instructions.  Constants among them are not written.
    """
    if len(program) < LONG or program.guards:
        return None
    codes, operands = _codes(program)
    found = stretches(codes, operands)
    return _Loops(program, k, name, parameters, limit).parts(found) if found is not None else None


def _codes(program: Program) -> tuple[Any, list[Any]]:
    """What `stretches` takes; of rows with more than three operands, each is of a kind of its own.  Values are far from inputs,
    as they are in other memory: no step leads from one to the other.
    """
    first, far = program.inputs, 2 * (program.inputs + len(program)) + 1
    rows = [*program.args, *[(ref,) for ref in program.outputs]]
    flat = [*chain.from_iterable(rows)]
    constant = np.fromiter(map(isinstance, flat, repeat(float)), bool, len(flat))
    numbers = np.array(flat, float)
    numbers[np.isnan(numbers)] = nan  # the same, whatever its sign
    constants, which = np.unique(numbers.view(np.int64), return_inverse=True)
    values = np.where(numbers < first, numbers, numbers + far)
    lengths = np.fromiter(map(len, rows), int, len(rows))
    begins = np.cumsum(lengths) - lengths
    kinds = {op: i for i, op in enumerate(dict.fromkeys(program.ops))}
    codes = np.full(len(rows), len(kinds))
    codes[: len(program)] = np.fromiter(map(kinds.__getitem__, program.ops), int, len(program))
    operands = []
    for i in range(3):
        there = lengths > i
        at = begins[there] + i
        operand, alike = np.zeros(len(rows), int), np.zeros(len(rows), int)
        operand[there] = np.where(constant[at], 0.0, values[at])
        alike[there] = np.where(constant[at], 2 + which[at], 1)
        operands.append(operand)
        codes = np.unique(codes * (len(constants) + 2) + alike, return_inverse=True)[1]
    long = lengths > 3
    codes[long] = len(rows) + np.flatnonzero(long)
    return codes, operands


class _Loops:
    """The functions being written: which values are in the frame, and which have a name in this one."""

    def __init__(self, program: Program, k: Emitter, name: str, parameters: str, limit: int) -> None:
        self.program, self.k, self.name, self.parameters, self.limit = program, k, name, parameters, limit
        self.first, self.last = program.inputs, program.inputs + len(program)
        self.functions: list[str] = []
        self.steps = 0

    def parts(self, found: Sequence[Stretch]) -> CutProgram:
        """All of it."""
        pieces = [piece for stretch in found for piece in self._pieces(stretch)]
        kept = self._kept(pieces)
        for piece in pieces:
            self._function(piece, kept)
        names = tuple(f"{self.name}{i}" for i in range(len(self.functions)))
        return CutProgram("\n\n".join(self.functions), names, len(self.program), False, self.steps)

    def _pieces(self, stretch: Stretch) -> Iterator[Stretch]:
        """Straight code in pieces that are not too long."""
        start, period, rounds = stretch
        most = self.limit if rounds == 1 else period
        for at in range(start, start + period, most):
            yield Stretch(at, min(most, start + period - at), rounds)

    def _args(self, number: int) -> tuple[Ref, ...]:
        return self.program.args[number] if number < len(self.program) else (self.program.outputs[number - len(self.program)],)

    def _moves(self, piece: Stretch, number: int) -> Iterator[tuple[Ref, int, bool]]:
        """The operands of an instruction of a piece: each with its step, and whether it is made in the same round."""
        start, period, rounds = piece
        own = range(self.first + start, self.first + start + period)
        for a, later in zip(self._args(number), self._args(number + period) if rounds > 1 else self._args(number), strict=True):
            step = later - a if a.__class__ is int else 0
            yield a, int(step), a.__class__ is int and a in own and (rounds == 1 or step == period)

    def _kept(self, pieces: Sequence[Stretch]) -> bytearray:
        """Which values have to be in the frame: those that are asked for in another round, or from elsewhere."""
        kept = bytearray(self.last)
        for piece in pieces:
            for number in range(piece.start, piece.start + piece.period):
                for a, step, near in self._moves(piece, number):
                    if a.__class__ is int and not near:
                        low, high = sorted((a, a + (piece.rounds - 1) * step))
                        some = range(low, high + 1, abs(step) or 1)
                        kept[some.start : some.stop : some.step] = b"\1" * len(some)
        return kept

    def _function(self, piece: Stretch, kept: bytearray) -> None:
        """Write a piece as a function of its own."""
        k, (start, period, rounds) = self.k, piece
        k.restart()
        names: dict[Ref, Handle] = {}
        for number in range(start, start + period):
            args = [
                a if a.__class__ is float else names[a] if near else self._load(a, step)  # type: ignore[arg-type]
                for a, step, near in self._moves(piece, number)
            ]
            value = self.first + number
            if number < len(self.program):
                names[value] = result = k.row(self.program.ops[number], args)
                if any(kept[value : value + period * rounds : period]):
                    k.store(result, self._place("%frame", number, period * (rounds > 1)), 8)
            elif self._args(number)[0].__class__ is int:
                k.store(args[0], self._place("%out", number - len(self.program), period * (rounds > 1)), 8)
        self.steps += k.steps * rounds
        head = f"define internal void @{self.name}{len(self.functions)}({self.parameters}, ptr noalias %frame) #0 {{"
        lines = ["entry:", *k.lines]
        if rounds > 1:
            lines = ["entry:", "  br label %loop", "loop:", "  %round = phi i64 [ 0, %entry ], [ %next, %loop ]", *k.lines]
            lines += ["  %next = add i64 %round, 1", f"  %again = icmp slt i64 %next, {rounds}"]
            lines += ["  br i1 %again, label %loop, label %done", "done:"]
        self.functions.append("\n".join([head, *lines, "  ret void", "}"]))

    def _load(self, a: int, step: int) -> str:
        place = self._place("%in", a, step) if a < self.first else self._place("%frame", a - self.first, step)
        return self.k.value(f"load double, ptr {place}, align 8")

    def _place(self, memory: str, number: int, step: int) -> str:
        """Where a value is in this round."""
        k = self.k
        at = k.value(f"getelementptr i8, ptr {memory}, i64 {k.value(f'mul i64 %round, {8 * step}')}") if step else memory
        return k.value(f"getelementptr i8, ptr {at}, i64 {8 * number}")
