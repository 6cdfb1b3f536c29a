"""A program as machine code for one call at a time.

It calls the C library's own functions and fuses nothing, so that it gives the bits of the rows' own functions.
"""

from __future__ import annotations

import ctypes
import struct
from collections import deque
from collections.abc import Sequence
from typing import Any

from ...errors import InputValueError
from ...program import Program
from . import calls, native, stored
from .cutting import CutProgram, Cutting
from .emit import Emitter, Handle
from .loops import looped
from .native import Code
from .prepare import on_demand, shortened

PART = 400  # steps in a function, about: LLVM takes longer the more values wait for their use
PARAMETERS = "ptr noalias %in, ptr noalias %out"

_pointer = ctypes.c_void_p


def address(memory: Any) -> int:
    """Where a bytearray, or the numbers of an array, lie; they are in one piece and can be written to.

    Arrays of ctypes would need a type for each length, and types go only with the collector.
    """
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def scalar(program: Program, fastmath: bool = False, *, part: int = PART, store: stored.Store | None = None) -> ScalarCode:
    """A program as machine code for one call at a time, with the bits of the rows' own functions unless `fastmath`.

        code = scalar(Program(2, (Instruction(ops.mul, (0, 1)),), (2,)))
        code([3.0, 4.0])                                                    # (12.0,)

    Args:
        part: how many steps go into one function: the time to compile grows with the program's length, not faster.
        store: where compiled code is kept.

    Raises CompilationError, MissingPackageError without llvmlite.
    """
    return ScalarCode(program, fastmath, part, store)


class ScalarCode:
    """A compiled program; call it with the inputs.

    `run(input, output, frame)` is the machine code, a ctypes function of three addresses that releases the interpreter
    lock: inputs and outputs are doubles, the frame is `frame` doubles to work in; it returns the number of the first guard
    that does not hold, else -1.  It writes no constant: the outputs have to begin as `initial` has them.  `source` is the IR.
    """

    def __init__(self, program: Program, fastmath: bool, part: int, store: stored.Store | None) -> None:
        def write() -> Code:
            short = shortened(program)
            k = Emitter(1, exact=True, fastmath=fastmath)
            parts, initial = parts_of(short, k, "part", part)
            text = calls.module(k.declared, [parts.text, calls.scalar(parts)], 1)
            return Code(text, tuple(k.library), (), k.callbacks, (parts.frame,), initial)

        code, module = stored.made(store, "scalar", [program], (fastmath, part), native.host(), write)
        self.source, self.initial = code.text, code.initial
        (self.frame,) = code.sizes
        run = module.function("run", _pointer, _pointer, _pointer)
        self.run = native.collecting(run) if code.callbacks else run
        self._inputs, self._outputs = struct.Struct(f"{program.inputs}d"), struct.Struct(f"{len(program.outputs)}d")
        self._pool: deque[tuple[Any, int, int, int]] = deque()  # buffers of no call at the moment

    def __call__(self, inputs: Sequence[float]) -> tuple[float, ...] | int:
        """The outputs, or the number of the first guard that does not hold."""
        try:
            entry = self._pool.pop()
        except IndexError:
            entry = self._buffer()
        memory, base, out, frame = entry
        try:
            self._inputs.pack_into(memory, 0, *inputs)
        except struct.error:
            self._pool.append(entry)
            raise InputValueError(
                f"{len(inputs)} inputs given, the program has {self._inputs.size // 8}: give one float for each"
            ) from None
        guard: int = self.run(base, out, frame)
        result = guard if guard >= 0 else self._outputs.unpack_from(memory, out - base)
        self._pool.append(entry)
        return result

    def _buffer(self) -> tuple[Any, int, int, int]:
        sizes = self._inputs.size, self._outputs.size, 8 * self.frame
        memory = bytearray(sum(sizes) + 1)
        base = address(memory)
        self._outputs.pack_into(memory, sizes[0], *self.initial)
        return memory, base, base + sizes[0], base + sizes[0] + sizes[1]


def parts_of(program: Program, k: Emitter, name: str, part: int) -> tuple[CutProgram, tuple[float, ...]]:
    """A program as scalar functions of its inputs and outputs in memory, and what the outputs are before these have run.

    Constants among the outputs are not stored: they stand there from the beginning.
    """
    constants = {i: a for i, a in enumerate(program.outputs) if a.__class__ is float}

    def load(i: int) -> Handle:
        return k.value(f"load double, ptr {k.value(f'getelementptr i8, ptr %in, i64 {8 * i}')}, align 8")

    def store(i: int, a: Handle) -> None:
        if isinstance(a, float):
            constants[i] = a
        else:
            k.store(a, k.value(f"getelementptr i8, ptr %out, i64 {8 * i}"), 8)

    parts = looped(program, k, name, PARAMETERS, part)
    if parts is None:
        parts = Cutting(program if program.guards else on_demand(program), k, name, PARAMETERS, load, store, part).parts()
    return parts, tuple([constants.get(i, 0.0) for i in range(len(program.outputs))])
