"""`Program`: a computation as a straight line of instructions, the form that passes rewrite and backends emit.

Each instruction applies one row of the op table.  An operand is an int, the number of an earlier value, or a float, a
constant.  Values 0 to inputs - 1 are the inputs, instruction k computes value inputs + k.

`Program.run(inputs, apply)` is every reading of it.  ``apply(op, *operands)`` says what one instruction is in that reading:
a float, a Value, a number of mpmath, an interval, a text, a line of code, an instruction of another program.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from . import ops
from .accelerated import loaded
from .errors import InputValueError
from .files import JsonData, write_atomically
from .notebook import preformatted
from .ops import Op
from .tree import Number

Ref = int | float  # the number of a value, or a constant

FORMAT, VERSION = "autograd_lite.program", 1


class Instruction(NamedTuple):
    """One row of the op table applied to earlier values and constants."""

    op: Op
    args: tuple[Ref, ...]


# Instruction(op, args) of the pair, for less: programs have hundreds of thousands
instruction: Callable[[tuple[Op, tuple[Ref, ...]]], Instruction] = partial(tuple.__new__, Instruction)

Apply = Callable[..., Any]  # (op, *operands) -> what an instruction is in some reading


class Guard(NamedTuple):
    """A branch that the traced function took: the program holds only where value `ref` is true, or is not."""

    ref: int
    expected: bool
    line: str
    mark: int = 0  # when it was met: the same in all paths that went alike so far


class Program:
    """A straight line of instructions: what `jit` makes of a function, and what `jit(f).program(...)` gives.

    >>> from autograd_lite import jit
    >>> program = jit(lambda x, y: x * y + x).program(2.0, 3.0)
    >>> print(program)
    v2 = mul(v0, v1)
    v3 = add(v2, v0)
    return v3
    >>> len(program), program([2.0, 3.0])
    (2, [8.0])

    Args:
        inputs: how many inputs there are: the numbers in the arguments, then the Values read from the surroundings.
        instructions: in order; each refers to inputs, to earlier instructions and to constants.
        outputs: the results.
        guards: the branches taken, in order.

    It holds the ops and the operands of all instructions each in a tuple of its own, `ops` and `args`: a tuple of numbers is
    nothing that the garbage collector looks at, so that long programs cost it nothing.
    """

    __slots__ = ("args", "guards", "inputs", "ops", "outputs")

    inputs: int
    ops: tuple[Op, ...]
    args: tuple[tuple[Ref, ...], ...]
    outputs: tuple[Ref, ...]
    guards: tuple[Guard, ...]

    def __init__(
        self, inputs: int, instructions: Iterable[Instruction], outputs: tuple[Ref, ...], guards: tuple[Guard, ...] = ()
    ) -> None:
        given = tuple(instructions)
        ops, args = zip(*given, strict=True) if given else ((), ())
        self._set(inputs, ops, args, outputs, guards)

    @classmethod
    def of(
        cls, inputs: int, ops: Iterable[Op], args: Iterable[tuple[Ref, ...]], outputs: tuple[Ref, ...],
        guards: tuple[Guard, ...] = (),
    ) -> Program:  # fmt: skip
        """That of ops and their operands, one after the other."""
        made = cls.__new__(cls)
        made._set(inputs, tuple(ops), tuple(args), outputs, guards)
        return made

    def _set(self, *parts: Any) -> None:
        set_once = object.__setattr__  # written out, as dataclasses would take a fifth of the time to import the package
        for name, part in zip(("inputs", "ops", "args", "outputs", "guards"), parts, strict=True):
            set_once(self, name, part)

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        """The instructions in order, made anew."""
        return tuple(map(instruction, zip(self.ops, self.args, strict=True)))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name} of a program cannot be set: make a new one, Program(inputs, instructions, outputs)")

    def __reduce__(self) -> tuple[object, ...]:
        return Program, (self.inputs, self.instructions, self.outputs, self.guards)

    def __repr__(self) -> str:
        return (
            f"Program(inputs={self.inputs!r}, instructions={self.instructions!r}, outputs={self.outputs!r}, "
            f"guards={self.guards!r})"
        )

    def __len__(self) -> int:
        return len(self.ops)

    def __eq__(self, other: object) -> bool:
        """Whether it is the same program: constants to the bit, and nan is nan."""
        return isinstance(other, Program) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        rows = [(op, *map(_stored, args)) for op, args in zip(self.ops, self.args, strict=True)]
        return self.inputs, tuple(rows), tuple(map(_stored, self.outputs)), self.guards

    def run(self, inputs: Iterable[Number], apply: Apply, constant: Callable[[float], Number] | None = None) -> list[Number]:
        """The outputs in the reading that `apply` gives.

        >>> from autograd_lite import Value
        >>> square = Program(1, (Instruction(ops.mul, (0, 0)), Instruction(ops.add, (1, 1.0))), (2,))
        >>> square.run([3.0], ops.Op.apply), square.run([Value(3.0)], ops.Op.apply)  # floats, Values
        ([10.0], [Value(data=10.0, grad=0.0)])
        >>> square.run(["x"], lambda op, *operands: f"({f' {op.symbol} '.join(operands)})", constant=str)
        ['((x * x) + 1.0)']

        Args:
            inputs: what the inputs are in this reading, one for each.
            apply: called as ``apply(op, *operands)`` for each instruction in order, the operands being what it gave before.
            constant: what a constant is in this reading; without it, the float that it is.
        """
        values = self.values(inputs, apply, constant)
        if constant is None:
            return [values[a] if a.__class__ is int else a for a in self.outputs]
        return [values[a] if isinstance(a, int) else constant(a) for a in self.outputs]

    def values(self, inputs: Iterable[Number], apply: Apply, constant: Callable[[float], Number] | None = None) -> list[Number]:
        """Every value in the reading that `apply` gives, inputs first."""
        values = list(inputs)
        if len(values) != self.inputs:
            raise InputValueError(f"{len(values)} inputs given, the program has {self.inputs}: give one float for each")
        found = values.append
        if constant is None:
            for op, args in zip(self.ops, self.args, strict=True):
                found(apply(op, *[values[a] if a.__class__ is int else a for a in args]))
        else:
            for op, args in zip(self.ops, self.args, strict=True):
                found(apply(op, *[values[a] if isinstance(a, int) else constant(a) for a in args]))
        return values

    def __call__(self, inputs: Sequence[float]) -> list[float]:
        """The outputs, worked out one instruction after the other by the rows' own functions: no branch is looked at."""
        return self.run(inputs, lambda op, *args: op.forward(*args))

    def varying(self, inputs: Iterable[bool]) -> list[bool]:
        """Which values depend on the inputs that are marked.

        >>> SUM = Program(2, (Instruction(ops.exp, (0,)), Instruction(ops.add, (2, 1))), (3,))
        >>> SUM.varying([False, True])
        [False, True, False, True]
        """
        varies = list(inputs)
        for args in self.args:
            for a in args:
                if a.__class__ is int and varies[a]:
                    varies.append(True)
                    break
            else:
                varies.append(False)
        return varies

    def last_uses(self) -> list[int]:
        """For each value the number of the last one that an instruction makes of it; -1 where there is none."""
        last = [-1] * (self.inputs + len(self))
        for number, args in enumerate(self.args, self.inputs):
            for a in args:
                if a.__class__ is int:
                    last[a] = number
        return last

    def __str__(self) -> str:
        """One line for each instruction, the branches where they were taken, and what is returned."""
        lines: list[str] = []
        waiting = list(self.guards[::-1])
        for number, (op, args) in enumerate(zip(self.ops, self.args, strict=True), self.inputs):
            lines += _passed(waiting, number)
            lines.append(f"v{number} = {op.name}({', '.join(map(written, args))})")
        lines += _passed(waiting, self.inputs + len(self))
        lines.append(f"return {', '.join(map(written, self.outputs))}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """The lines in a notebook."""
        return preformatted(str(self))

    def to_list(self) -> list[JsonData]:
        """The program as a flat list that JSON can hold; constants are written by float.hex.

        >>> Program(1, (Instruction(ops.mul, (0, 2.0)),), (1,)).to_list()
        ['autograd_lite.program', 1, 1, [['mul', 0, '0x1.0000000000000p+1']], [1], []]
        """
        rows = [[_entered(op), *map(_stored, args)] for op, args in zip(self.ops, self.args, strict=True)]
        guards = [list(guard) for guard in self.guards]
        return [FORMAT, VERSION, self.inputs, rows, [*map(_stored, self.outputs)], guards]

    @classmethod
    def from_list(cls, content: JsonData) -> Program:
        """The program that `to_list` wrote.

        Raises InputValueError where the list is not one, or an instruction refers to what does not exist yet.
        """
        try:
            form, version, inputs, rows, outputs, guards = content
            if (form, version) != (FORMAT, VERSION) or inputs.__class__ is not int or inputs < 0:
                raise ValueError
            instructions = []
            for number, (name, *args) in enumerate(rows, inputs):
                op = ops.TABLE[name]
                if op.arity not in (None, len(args)):
                    raise ValueError
                instructions.append(Instruction(op, tuple(_read_ref(a, number) for a in args)))
            count = inputs + len(instructions)
            marks = [Guard(*guard) for guard in guards]
            for guard in marks:
                if [x.__class__ for x in guard] != [int, bool, str, int] or not 0 <= guard.ref < count:
                    raise ValueError
            return cls(inputs, tuple(instructions), tuple(_read_ref(a, count) for a in outputs), tuple(marks))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            raise InputValueError(
                f"no program in a list that starts {str(content)[:60]!r}: give what Program.to_list() returned"
            ) from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the program as JSON; the file is complete or not there at all."""
        write_atomically(path, json.dumps(self.to_list()) + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Program:
        """The program of a file that `save` wrote.

        Raises InputValueError where the file does not hold one.
        """
        with open(path, encoding="utf-8") as file:
            try:
                return cls.from_list(json.load(file))
            except (ValueError, RecursionError) as error:
                wrong = InputValueError(f"{os.fspath(path)} holds no program: give a file that Program.save wrote")
                raise wrong from error


class Builder:
    """Instructions of a program with some inputs while it is made; `add` gives the number of the value that is new.

    >>> b = Builder(1)
    >>> b.add(ops.mul, 0, b.add(ops.exp, 0)), b.args
    (2, [(0,), (0, 1)])
    """

    def __init__(self, inputs: int) -> None:
        self.inputs = inputs
        self.ops: list[Op] = []
        self.args: list[tuple[Ref, ...]] = []

    def __len__(self) -> int:
        return len(self.ops)

    def add(self, op: Op, *args: Ref) -> int:
        """The number of the value that a new instruction makes."""
        self.ops.append(op)
        self.args.append(args)
        return self.inputs + len(self.ops) - 1

    def of(self, op: Op, ref: Ref) -> tuple[Ref, ...] | None:
        """The operands of the instruction that makes a value, if it applies `op`."""
        if ref.__class__ is int and ref >= self.inputs and self.ops[ref - self.inputs] is op:
            return self.args[ref - self.inputs]
        return None

    def program(self, old: Program, place: Sequence[Ref]) -> Program:
        """The whole, in the stead of `old`, whose values are found at their new places."""
        guards: dict[int, Guard] = {}  # one for each value: decided twice is decided the same way
        for guard in old.guards:
            ref = place[guard.ref]
            if isinstance(ref, int):
                guards.setdefault(ref, guard._replace(ref=ref))
        return Program.of(self.inputs, self.ops, self.args, placed(old.outputs, place), tuple(guards.values()))


def placed(refs: Sequence[Ref], place: Mapping[Any, Ref] | Sequence[Ref]) -> tuple[Ref, ...]:
    """Operands of a program as those of another, in which each value has the place given for it.

    >>> placed((0, 2.0, 1), {0: 1, 1: 4})
    (1, 2.0, 4)
    """
    if len(refs) == 2:  # nearly all operands of long programs: written out
        a, b = refs
        return (place[a] if a.__class__ is int else a, place[b] if b.__class__ is int else b)
    return tuple([place[a] if a.__class__ is int else a for a in refs])


def renumbered(some: Iterable[tuple[Ref, ...]], place: Mapping[Any, Any] | Sequence[Any]) -> list[tuple[Ref, ...]]:
    """`placed` of the operands of many instructions.

    >>> renumbered([(0, 2.0), (1,)], [3, 4])
    [(3, 2.0), (4,)]
    """
    if loaded is not None and place.__class__ is list:
        moved: list[tuple[Ref, ...]] = loaded.renumbered(some, place)
        return moved
    return [placed(args, place) for args in some]


def written(ref: Ref) -> str:
    """How an operand is printed: ``v3``, or the constant."""
    return f"v{ref}" if ref.__class__ is int else repr(ref)


def _passed(waiting: list[Guard], number: int) -> list[str]:
    """The lines of the guards, last one first in `waiting`, that are decided before value `number` is made."""
    lines = []
    while waiting and waiting[-1].ref < number:
        ref, expected, line, _ = waiting.pop()
        lines.append(f"assert {'' if expected else 'not '}v{ref}  # {line}")
    return lines


def _entered(op: Op) -> str:
    if not op.entered:
        raise InputValueError(
            f"op {op.name} is not in the op table and cannot be saved: build it from functions of the library"
        )
    return op.name


def _stored(ref: Ref) -> int | str:
    return ref if isinstance(ref, int) else ref.hex()


def _read_ref(stored: JsonData, count: int) -> Ref:
    """A ref to one of the first `count` values, or a constant."""
    if stored.__class__ is str:
        return float.fromhex(stored)
    if stored.__class__ is int and 0 <= stored < count:
        return int(stored)
    raise ValueError


def is_constant(ref: Ref) -> bool:
    """Whether an operand is a constant."""
    return ref.__class__ is float


def same(x: float, y: float) -> bool:
    """Whether two constants are the same double; zeros of two signs are not."""
    return x == y and math.copysign(1.0, x) == math.copysign(1.0, y)
