"""A program as machine code over all rows of a batch.

It is run in blocks of one vector of rows: each value of the program is a vector, value and gradients of a block come
out of one pass, and sums are kept for each lane in memory.  Rows are cut into chunks whose number and order depend on
nothing but how many rows there are, so that sums have the same bits for any number of threads.

Needs llvmlite when code is compiled.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Sequence
from typing import Any

from ...arrays import Array, np
from ...program import Program
from . import native, stored
from .calls import ROW, Finish, module
from .calls import batch as calls_of
from .cutting import Cutting
from .driver import driver
from .emit import Emitter, Handle
from .functions import ALIKE, ROWS
from .native import Code
from .prepare import Plan, alike_together, calls_together, on_demand, plan, prepared, shortened
from .results import matrix
from .scalar import PART as SCALAR_PART
from .scalar import address, parts_of
from .singles import Singles
from .sums import SumLayout, sums
from .workers import share

__all__ = ["CHUNK", "Finish", "Kernel", "KernelArguments", "batch"]

PART = 2_000  # steps in a function, about: the net of 337 weights takes 1,500 and would lose a tenth in two functions
LONG = 90_000  # instructions: beyond them it counts how long LLVM takes, and constants stand in memory
FINISH = Finish()
CHUNK, CHUNKS = 1_024, 256  # rows in a chunk at least; chunks at most

_int, _pointer = ctypes.c_int64, ctypes.c_void_p


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
    store: stored.Store | None = None,
    single: bool = False,
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
        store: where compiled code is kept.
        single: compute rows in single precision; what is added up is added in double precision.

    Raises CompilationError, MissingPackageError without llvmlite.
    """
    return Kernel(uniform, row, columns, reduce, fastmath, finish, part, machine or native.host(), store, single)


_drivers: dict[tuple[object, ...], native.NativeModule] = {}


def _driver(machine: native.Machine, single: bool, reduce: bool, store: stored.Store | None) -> native.NativeModule:
    """The functions that call those of any batch, compiled once in a process."""
    key = machine.width, machine.cpu, machine.features, single, reduce, store and store.folder
    if key not in _drivers:
        made = stored.made(store, "driver", [], (single, reduce), machine, lambda: driver(machine.width, single, reduce))
        _drivers[key] = made[1]
    return _drivers[key]


class KernelArguments(ctypes.Structure):
    """What `Kernel.call` takes the address of: set `rows`, then call it; for one call at a time."""

    _fields_ = [(name, _int) for name in ("shared", "extra", "table", "rows", "size", "out", "scratch")]
    rows: int
    memory: Any


class Kernel:
    """A compiled batch.

    ``kernel(shared, arrays, rows, threads)`` is the way in that needs no addresses; `run` takes them.  For up to CHUNK rows and
    one thread ``call(address of arguments)`` does the same for less, with `arguments` made once and ``arguments.rows`` set.
    `source` is the IR; `extra` and `outputs` say how many numbers `uniform` and a row give, `scratch` how many doubles a call
    works in, `callbacks` how many rows are called back.
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
        store: stored.Store | None,
        single: bool,
    ) -> None:
        self.columns, self.reduce, self.width, self.single = columns, reduce, machine.width, single
        self.shared, self.extra, self.outputs = uniform.inputs, len(uniform.outputs), len(row.outputs)
        assert row.inputs == self.shared + self.extra + columns, (row.inputs, self.shared, self.extra, columns)

        def write() -> Code:
            return self._written(uniform, row, fastmath, finish, part, machine)

        options = (columns, reduce, fastmath, tuple(finish), part, single)
        code, module = stored.made(
            store, "batch", [uniform, row], options, machine, write, _driver(machine, single, reduce, store)
        )
        self.source, self.initial = code.text, code.initial
        (self.scratch,) = code.sizes
        self.callbacks = len(code.callbacks)
        reached = native.collecting if code.callbacks else lambda run: run
        self.call = reached(module.function("call", _pointer))
        self._run = reached(module.function("run", *[_pointer] * 3, _int, _int, *[_pointer] * 2))
        self._uniform = reached(module.function("uniform", *[_pointer] * 3))
        self._some = reached(module.function("some", *[_pointer] * 3, _int, _int, *[_pointer] * 3))
        self._total = module.function("total", _pointer, _int, _pointer)
        self._finish = module.function("finish", _pointer, _pointer, _int)
        self._pool: deque[tuple[Any, int]] = deque()

    def _written(
        self, uniform: Program, row: Program, fastmath: bool, finish: Finish, part: int, machine: native.Machine
    ) -> Code:
        """The code of all of it."""
        once = Emitter(1, exact=True, fastmath=fastmath)
        first, initial = parts_of(shortened(uniform), once, "uniform", min(part, SCALAR_PART))
        scalef = machine.width == 8 and machine.has("avx512f")
        k = (
            Singles(2 * machine.width, fastmath, machine.vector, machine.fused, scalef)
            if self.single
            else Emitter(machine.width, False, fastmath, machine.vector, machine.fused, scalef)
        )
        row = shortened(row)
        row, terms = plan(row) if self.reduce else Plan(row, ())
        factors = len(row.outputs) if self.reduce else 0
        k.long = len(row) > LONG
        if scalef and "gaussian" in k.rows.keys() & {op.name for op in row.ops}:
            k.rows["erf"] = ROWS["erf"]  # whose bell is there anyway, as its slope; with fewer lanes the library is quicker
        ordered = alike_together(on_demand(prepared(row)), {name: ALIKE[name] for name in ALIKE if name in k.rows})
        ordered = calls_together(ordered, k.rows)
        body = Cutting(ordered, k, "row", ROW, self._load(k), self._store(k, factors), part).parts()
        added, names = sums(terms, factors, machine.width, fastmath, part) if self.reduce else ("", ())
        given = self.shared + self.extra
        sizes = machine.width, self.columns, self.outputs, factors, body.steps, body.frame, first.frame
        layout = SumLayout(*sizes, given, self.extra, self.single)
        around = calls_of(layout, first, body, names, finish)
        texts = [first.text, body.text, *[added] * self.reduce, around, *[k.constants()] * k.long]
        text = module(once.declared | k.declared, texts, machine.width)
        library, callbacks = sorted(once.library | k.library), once.callbacks | k.callbacks
        return Code(text, tuple(library), tuple(sorted(k.vectors)), callbacks, (layout.size,), initial)

    def arguments(self, shared: int, table: int, out: int, extra: int) -> KernelArguments:
        """The arguments of `call`, addresses as for `run`, with memory to work in."""
        memory, scratch = self._taken()
        arguments = KernelArguments(shared, extra, table, 0, CHUNK, out, scratch)
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

    def __call__(self, shared: Any, arrays: Sequence[Array], rows: int, threads: int = 1) -> tuple[Any, Any]:
        """The outputs of `uniform`, and those of the rows: sums if reduced, else an array of `rows` numbers for each.

        Args:
            shared: an array of the shared inputs, doubles one after the other.
            arrays: a 1-D array of doubles for each column, of any stride.
        """
        shared = np.ascontiguousarray(shared, dtype=np.float64)
        kind = np.float32 if self.single else np.float64
        arrays = [a.astype(kind) for a in arrays] if self.single else arrays
        table = np.array([(a.ctypes.data, a.strides[0]) for a in arrays], dtype=np.int64)
        extra = np.array(self.initial)
        out = np.empty(self.outputs) if self.reduce else matrix(self.outputs, rows, np.dtype(kind))
        kept = (shared, arrays, table, out, extra)
        self.run(shared.ctypes.data, table.ctypes.data, rows, out.ctypes.data, extra.ctypes.data, threads, kept)
        return extra, out

    def _taken(self) -> tuple[Any, int]:
        """Memory to work in that no other call uses, and its address."""
        try:
            return self._pool.pop()
        except IndexError:
            memory = bytearray(8 * self.scratch + 64)
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
        shared, first_column, width = self.shared, self.shared + self.extra, k.width

        def load(i: int) -> Handle:
            if i >= first_column:
                place = k.value(f"getelementptr i8, ptr %columns, i64 {k.size * (i - first_column)}")
                return k.value(f"load {k.type}, ptr {place}, align {k.size}")
            # loaded anew for each use: an operand in memory costs nothing, a register for it does
            source, number = ("%shared", i) if i < shared else ("%extra", i - shared)
            place = k.line(f"getelementptr i8, ptr {source}, i64 {k.bytes * number}")
            one = k.line(f"load {k.element}, ptr {place}, align {k.bytes}")
            lane = k.line(f"insertelement {k.type} poison, {k.element} {one}, i64 0")
            return k.line(f"shufflevector {k.type} {lane}, {k.type} poison, <{width} x i32> zeroinitializer")

        return load

    def _store(self, k: Emitter, factors: int) -> Any:
        size = 8 * self.width

        def keep(i: int, a: Handle) -> None:
            k.store(a, k.value(f"getelementptr i8, ptr %out, i64 {k.value(f'mul i64 %step, {i}')}"), k.bytes)

        def pack(i: int, a: Handle) -> None:
            k.store(a, k.value(f"getelementptr i8, ptr %out, i64 {size * i}"), size)

        def pack_halves(i: int, a: Handle) -> None:
            assert isinstance(k, Singles)
            for which in (0, 1):
                place = k.value(f"getelementptr i8, ptr %out, i64 {size * (i + which * factors)}")
                k.lines.append(f"  store {k.halves.typed(k.half(a, which))}, ptr {place}, align {size}")
                k.steps += 1

        return keep if not self.reduce else pack_halves if self.single else pack
