"""A program as functions of bounded size.

Values are written in the program's order; where a function has grown long enough it is closed, and what later instructions
still need goes through a frame in memory, each value where it is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ...program import Program, Ref, written
from .emit import Emitter, Handle
from .schedule import arranged

MOST_COMMENTS = 10_000  # instructions, each of which is named beside its last line; in longer programs none is
CALL = 20  # instructions around a call of the vector library, which keeps no register


class CutProgram(NamedTuple):
    """A program as functions of the module, to be called one after the other.

    Each has the parameters it was written with and then the frame, `frame` doubles a row; where the program has guards it
    returns the number of the first one that does not hold, else -1.  `steps` is about how many instructions they take.
    """

    text: str
    names: tuple[str, ...]
    frame: int
    guarded: bool
    steps: int


class Cutting:
    """A program written as functions ``name0``, ``name1``, ... of about `limit` steps each, which `parts` gives.

    What it knows on the way: which values have a name in the function being written, and which are in the frame.

    Args:
        load: gives input i, by writing lines.
        store: writes lines that take output i, as soon as it is known.
    """

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

    def parts(self) -> CutProgram:
        """All of it."""
        program, k = self.program, self.k
        k.restart()
        for number in sorted(n for n in self.checks if n < program.inputs):
            self._check(number)
        final, commented = program.inputs + len(program) - 1, len(program) < MOST_COMMENTS
        for number, (op, args) in enumerate(zip(program.ops, program.args, strict=True), program.inputs):
            before = len(k.lines)
            result = k.row(op, [*map(self._get, args)])
            if len(k.lines) > before and commented:
                name = op.name if op.entered else "own"
                k.lines[-1] += f"  ; v{number} = {name}({', '.join(map(written, args))})"
            if isinstance(result, float):
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
        return CutProgram("\n\n".join(self.functions), names, self.frame, bool(program.guards), self.steps)

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
        return self.k.value(f"getelementptr i8, ptr %frame, i64 {slot * self.k.size}")

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
        if self.k.long:  # the stores have names, as numbers would be those of other values
            done = 0
            for place, name in sorted((self.k.at[int(name[1:])] + 1, name) for name in made):
                self.k.lines += lines[done:place]
                done = place
                for slot in made[name]:
                    self.k.lines.append(f"%slot{slot} = getelementptr i8, ptr %frame, i64 {slot * self.k.size}")
                    self.k.store(name, f"%slot{slot}", 8)
            self.k.lines += lines[done:]
        else:
            for line in lines:
                self.k.lines.append(line)
                name = line[2 : line.find(" ", 2)]
                if name in made:
                    for slot in made.pop(name):
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
        if self.k.width > 1 and not self.k.long:  # scalar code is short, or compiled to be called once
            self.k.lines = arranged(self.k.lines)

    def _close(self) -> None:
        self.steps += self.k.steps + CALL * self.k.calls
        name = f"{self.name}{len(self.functions)}"
        head = f"define internal {self.result} @{name}({self.parameters}, ptr noalias %frame) #0 {{"
        leave = "  ret i64 -1" if self.program.guards else "  ret void"
        self.functions.append("\n".join([head, "entry:", *self.k.lines, leave, "}"]))
