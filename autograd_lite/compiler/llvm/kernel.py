"""The LLVM backend: a program as machine code, one row at a time (`scalar`) or over all rows of a batch (`batch`).

Scalar code calls the C library's own functions and fuses nothing, so that it gives the bits of the rows' own functions.
A batch is run in blocks of one vector of rows: each value of the program is a vector, value and gradients of a block come
out of one pass, and sums are kept for each lane in memory.  Rows are cut into chunks whose number and order depend on
nothing but how many rows there are, so that sums have the same bits for any number of threads.

Needs llvmlite when code is compiled.
"""

from __future__ import annotations

import ctypes
import struct
from collections import deque
from collections.abc import Sequence
from typing import Any

from ...errors import InputValueError
from ...program import Program
from . import driver, native
from .driver import Finish
from .emit import Emitter, Handle, emit
from .functions import ALIKE
from .prepare import PLAIN, Plan, alike_together, calls_together, on_demand, plan, prepared, shortened
from .sums import Layout, sums
from .workers import share

__all__ = ["CHUNK", "Arguments", "Finish", "Kernel", "ScalarCode", "batch", "scalar"]

PART = 2_000  # steps in a function, about: the net of 337 weights takes 1,500 and would lose a tenth in two functions
SCALAR_PART = 400  # of scalar code, which loses nothing by it: LLVM takes longer the more values wait for their use
FINISH = Finish()
CHUNK, CHUNKS = 1_024, 256  # rows in a chunk at least; chunks at most

SCALAR = "ptr noalias %in, ptr noalias %out"  # the parameters of scalar code

_int, _pointer = ctypes.c_int64, ctypes.c_void_p


def address(memory: Any) -> int:
    """Where a bytearray, or the numbers of an array, lie; they are in one piece and can be written to.

    Arrays of ctypes would need a type for each length, and types go only with the collector.
    """
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def scalar(program: Program, fastmath: bool = False, *, part: int = SCALAR_PART) -> ScalarCode:
    """A program as machine code for one call at a time, with the bits of the rows' own functions unless `fastmath`.

        code = scalar(Program(2, (Instruction(ops.mul, (0, 1)),), (2,)))
        code([3.0, 4.0])                                                    # (12.0,)

    Args:
        part: how many steps go into one function: the time to compile grows with the program's length, not faster.

    Raises CompilationError, MissingPackageError without llvmlite.
    """
    return ScalarCode(program, fastmath, part)


class ScalarCode:
    """A compiled program; call it with the inputs.

    `run(input, output, frame)` is the machine code, a ctypes function of three addresses that releases the interpreter
    lock: inputs and outputs are doubles, the frame is `frame` doubles to work in; it returns the number of the first guard
    that does not hold, else -1.  It writes no constant: the outputs have to begin as `initial` has them.  `source` is the IR.
    """

    def __init__(self, program: Program, fastmath: bool, part: int) -> None:
        machine = native.host()
        program = shortened(program)
        if not program.guards:
            program = on_demand(program)
        k = Emitter(1, exact=True, fastmath=fastmath)
        constants: dict[int, float] = {}
        parts = emit(program, k, "part", SCALAR, _scalar_load(k), _scalar_store(k, constants), part)
        self.source = driver.module(k.declared, [parts.text, driver.scalar(parts)], 1)
        self.frame = parts.frame
        self.initial = _initial(len(program.outputs), constants)
        module = native.compile_text(self.source, machine, k.library, (), k.callbacks)
        run = module.function("run", _pointer, _pointer, _pointer)
        self.run = native.collecting(run) if k.callbacks else run
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


def _scalar_load(k: Emitter) -> Any:
    def load(i: int) -> Handle:
        place = k.value(f"getelementptr i8, ptr %in, i64 {8 * i}")
        return k.value(f"load double, ptr {place}, align 8")

    return load


def _scalar_store(k: Emitter, constants: dict[int, float]) -> Any:
    """What stores an output; constants are only noted, as the memory has them before the first call."""

    def store(i: int, a: Handle) -> None:
        if isinstance(a, float):
            constants[i] = a
        else:
            k.store(a, k.value(f"getelementptr i8, ptr %out, i64 {8 * i}"), 8)

    return store


def _initial(count: int, constants: dict[int, float]) -> list[float]:
    """What the outputs are before the code has run."""
    return [constants.get(i, 0.0) for i in range(count)]


# -- batches ----------------------------------------------------------------------------------------------------------


def batch(
    uniform: Program,
    row: Program,
    columns: int,
    reduce: bool,
    fastmath: bool = False,
    *,
    finish: Finish = FINISH,
    part: int = PART,
    machine: native.Machine | None = None,
) -> Kernel:
    """A program over rows as machine code.

    Args:
        uniform: from the shared inputs to what does not depend on the row; run once a call, in scalar code.
        row: from the shared inputs, the outputs of `uniform` and one number of each column to the outputs of a row.
        columns: how many columns there are.
        reduce: add the rows up, rather than keep them.
        fastmath: allow LLVM to fuse, and to leave out what only matters to signs of zero.
        finish: whether the sums become means, and what of `extra` is added to them, or n times.
        part: how many steps go into one function.
        machine: what to compile for; this machine unless given.

    Raises CompilationError, MissingPackageError without llvmlite.
    """
    return Kernel(uniform, row, columns, reduce, fastmath, finish, part, machine or native.host())


class Arguments(ctypes.Structure):
    """What `Kernel.quick` takes: set `rows`, then call it with this; for one call at a time."""

    _fields_ = [(name, _int) for name in ("shared", "extra", "table", "rows", "size", "out", "scratch")]
    rows: int
    memory: Any


class Kernel:
    """A compiled batch.

    ``kernel(shared, arrays, rows, threads)`` is the way in that needs no addresses; `run` takes them.  For up to CHUNK rows and
    one thread ``quick(arguments)`` does the same for less, with `arguments` made once and ``arguments.rows`` set.
    `source` is the IR; `extra` and `outputs` say how many numbers `uniform` and a row give.
    """

    def __init__(
        self,
        uniform: Program,
        row: Program,
        columns: int,
        reduce: bool,
        fastmath: bool,
        finish: Finish,
        part: int,
        machine: native.Machine,
    ) -> None:
        self.columns, self.reduce, self.width = columns, reduce, machine.width
        self.shared, self.extra, self.outputs = uniform.inputs, len(uniform.outputs), len(row.outputs)
        assert row.inputs == self.shared + self.extra + columns, (row.inputs, self.shared, self.extra, columns)
        once = Emitter(1, exact=True, fastmath=fastmath)
        constants: dict[int, float] = {}
        first = emit(
            shortened(uniform),
            once,
            "uniform",
            SCALAR,
            _scalar_load(once),
            _scalar_store(once, constants),
            min(part, SCALAR_PART),
        )
        self.initial = _initial(self.extra, constants)
        scalef = machine.width == 8 and machine.has("avx512f")
        k = Emitter(machine.width, False, fastmath, machine.vector, machine.fused, scalef)
        row = shortened(row)
        row, terms = plan(row) if reduce else Plan(row, ())
        factors = len(row.outputs) if reduce else 0
        ordered = alike_together(on_demand(prepared(row)), {name: ALIKE[name] for name in ALIKE if name in k.rows})
        body = emit(calls_together(ordered, PLAIN | k.rows.keys()), k, "row", driver.ROW, self._load(k), self._store(k), part)
        added, names = sums(terms, factors, machine.width, fastmath, part) if reduce else ("", ())
        layout = Layout(machine.width, columns, self.outputs, factors, body.steps, body.frame, first.frame)
        self.source = driver.module(
            once.declared | k.declared,
            [first.text, body.text, *[added] * reduce, driver.batch(layout, first, body, names, finish)],
            machine.width,
        )
        module = native.compile_text(self.source, machine, once.library | k.library, k.vectors, once.callbacks | k.callbacks)
        reached = native.collecting if once.callbacks or k.callbacks else lambda run: run
        call = module.function("call", ctypes.POINTER(Arguments))
        self.call = reached(call)
        self._run = reached(module.function("run", *[_pointer] * 3, _int, _int, *[_pointer] * 2))
        self._uniform = reached(module.function("uniform", *[_pointer] * 3))
        self._some = reached(module.function("some", *[_pointer] * 3, _int, _int, *[_pointer] * 3))
        self._total = module.function("total", _pointer, _int, _pointer)
        self._finish = module.function("finish", _pointer, _pointer, _int)
        self._size = layout.size
        self._pool: deque[tuple[Any, int]] = deque()

    def arguments(self, shared: int, table: int, out: int, extra: int) -> Arguments:
        """The arguments of `call`, addresses as for `run`, with memory to work in."""
        memory, scratch = self._taken()
        arguments = Arguments(shared, extra, table, 0, CHUNK, out, scratch)
        arguments.memory = memory
        return arguments

    # -- calls --------------------------------------------------------------------------------------------------------

    def run(self, shared: int, table: int, rows: int, out: int, extra: int, threads: int = 1, kept: Any = None) -> None:
        """Run over all rows, by addresses.

        Args:
            shared: of the shared inputs, doubles.
            table: of an int64 pair for each column: the address of its first number and the bytes from one to the next.
            rows: how many rows there are.
            out: where the results go: a double for each output if reduced, else `rows` doubles for each output.
            extra: where the outputs of `uniform` go, a double each; it begins as `initial` has it, and holds constants.
            threads: how many threads share the rows; the calling one is among them.
            kept: what keeps the memory that the addresses are of, for threads that outlive an interrupted call.
        """
        size = max(CHUNK, -(-rows // (8 * CHUNKS)) * 8)
        if threads > 1 and rows > size:
            self._shared_out(shared, table, rows, size, out, extra, threads, kept)
        else:
            entry = self._taken()
            self._run(shared, extra, table, rows, size, out, entry[1])
            self._pool.append(entry)

    def __call__(self, shared: Any, arrays: Sequence[Any], rows: int, threads: int = 1) -> tuple[Any, Any]:
        """The outputs of `uniform`, and those of the rows: sums if reduced, else an array of `rows` numbers for each.

        Args:
            shared: an array of the shared inputs, doubles one after the other.
            arrays: a 1-D array of doubles for each column, of any stride.
        """
        import numpy as np

        shared = np.ascontiguousarray(shared, dtype=np.float64)
        table = np.array([(a.ctypes.data, a.strides[0]) for a in arrays], dtype=np.int64)
        extra = np.array(self.initial)
        out = np.empty(self.outputs if self.reduce else (self.outputs, rows))
        kept = (shared, arrays, table, out, extra)
        self.run(shared.ctypes.data, table.ctypes.data, rows, out.ctypes.data, extra.ctypes.data, threads, kept)
        return extra, out

    def _taken(self) -> tuple[Any, int]:
        """Memory to work in that no other call uses, and its address."""
        try:
            return self._pool.pop()
        except IndexError:
            memory = bytearray(8 * self._size + 64)
            return memory, -(-address(memory) // 64) * 64

    def _shared_out(self, shared: int, table: int, rows: int, size: int, out: int, extra: int, threads: int, kept: Any) -> None:
        """Chunks go to whichever thread is free; the order in which they are added up does not depend on it."""
        chunks = -(-rows // size)
        sums = bytearray(8 * chunks * self.outputs if self.reduce else 8)
        target = address(sums) if self.reduce else out
        counter = _int(0)
        entries = [self._taken() for _ in range(min(threads, chunks))]
        self._uniform(shared, extra, entries[0][1])
        memory = (self, sums, counter, entries, kept)

        def work(number: int, memory: Any = memory) -> None:
            self._some(shared, extra, table, rows, size, target, entries[number][1], ctypes.addressof(counter))

        share(work, len(entries), lambda: setattr(counter, "value", chunks))
        self._pool.extend(entries)
        if self.reduce:
            self._total(target, chunks, out)
            self._finish(out, extra, rows)

    # -- loads and stores of a row ------------------------------------------------------------------------------------

    def _load(self, k: Emitter) -> Any:
        shared, first_column, width = self.shared, self.shared + self.extra, self.width

        def load(i: int) -> Handle:
            if i >= first_column:
                place = k.value(f"getelementptr i8, ptr %columns, i64 {8 * width * (i - first_column)}")
                return k.value(f"load {k.type}, ptr {place}, align {8 * width}")
            # loaded anew for each use: an operand in memory costs nothing, a register for it does
            source, number = ("%shared", i) if i < shared else ("%extra", i - shared)
            place = k.line(f"getelementptr i8, ptr {source}, i64 {8 * number}")
            one = k.line(f"load double, ptr {place}, align 8")
            lane = k.line(f"insertelement {k.type} poison, double {one}, i64 0")
            return k.line(f"shufflevector {k.type} {lane}, {k.type} poison, <{width} x i32> zeroinitializer")

        return load

    def _store(self, k: Emitter) -> Any:
        width = self.width

        def keep(i: int, a: Handle) -> None:
            offset = k.value(f"mul i64 %step, {i}")
            place = k.value(f"getelementptr i8, ptr %out, i64 {offset}")
            k.store(a, place, 8)

        def pack(i: int, a: Handle) -> None:
            place = k.value(f"getelementptr i8, ptr %out, i64 {8 * width * i}")
            k.store(a, place, 8 * width)

        return pack if self.reduce else keep
