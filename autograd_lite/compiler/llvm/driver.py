"""The functions that call those of any batch: the loops over blocks and chunks of rows, the threads' too.

They are compiled once in a process.  What differs between batches is in a header: sizes, and addresses of
functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .calls import CALL, DRIVER, HEADER, INTS, module
from .native import Code, llvmlite

if TYPE_CHECKING:
    from llvmlite.ir import Function, IRBuilder, Type, Value  # type: ignore[import-untyped,import-not-found,unused-ignore]

__all__ = ["driver"]


def driver(width: int, single: bool, reduce: bool) -> Code:
    """The code of all of them.  Without `reduce` the rows are kept."""
    return Code(module({}, [_Driver(width, single, reduce).text()], width))


class Functions:
    """Functions written by llvmlite's builder, with vectors of `width` doubles."""

    def __init__(self, width: int) -> None:
        llvmlite()  # or it is said that it is not there
        from llvmlite import ir  # type: ignore[import-untyped,import-not-found,unused-ignore]

        self.ir, self.width, self.align = ir, width, 8 * width
        self.double, self.int, self.bit, self.byte = ir.DoubleType(), ir.IntType(64), ir.IntType(1), ir.IntType(8)
        self.pointer, self.void = ir.PointerType(), ir.VoidType()
        self.vector = ir.VectorType(self.double, width)
        self.module = ir.Module()
        self.made: list[Any] = []

    def text(self) -> str:
        """All of them; then none is left: llvmlite's objects hold each other, and would go only with the collector."""
        text = "\n".join(str(made).replace(")\n{", ") #0\n{", 1).replace('"', "") for made in self.made)
        for function in [*self.module.globals.values()]:
            for block in function.blocks:
                for part in [*block.instructions, block]:
                    vars(part).clear()
            vars(function).clear()
        return text

    def number(self, x: int) -> Value:
        """An int64."""
        return self.ir.Constant(self.int, x)

    def function(self, name: str, result: Type, names: Sequence[str], body: Callable[..., Any], apart: str = "") -> Function:
        """A function whose parameters are int64 where `INTS` has their names, else pointers; those in `apart` share no memory.

        `body` takes a builder and the arguments; what it gives is returned.
        """
        types = [self.int if n in INTS else self.pointer for n in names]
        made = self.ir.Function(self.module, self.ir.FunctionType(result, types), name)
        for argument, n in zip(made.args, names, strict=True):
            argument.name = n
            if n in apart.split():
                argument.add_attribute("noalias")
        if result is self.void:
            made.linkage = "internal"
        b = self.ir.IRBuilder(made.append_basic_block("entry"))
        found = body(b, *made.args)
        if not b.block.is_terminated:
            b.ret_void() if result is self.void else b.ret(found if found is not None else self.number(0))
        self.made.append(made)
        return made

    @contextmanager
    def loop(self, b: IRBuilder, start: Value, end: Value, step: Value | int = 1) -> Iterator[Value]:
        """``for i in range(start, end, step)``: gives i."""
        start, end, step = [self.number(x) if isinstance(x, int) else x for x in (start, end, step)]
        before = b.block
        test, body, done = [b.append_basic_block() for _ in range(3)]
        b.branch(test)
        b.position_at_end(test)
        i = b.phi(self.int)
        i.add_incoming(start, before)
        b.cbranch(b.icmp_signed("<", i, end), body, done)
        b.position_at_end(body)
        yield i
        i.add_incoming(b.add(i, step), b.block)
        b.branch(test)
        b.position_at_end(done)

    def at(self, b: IRBuilder, pointer: Value, index: Value, kind: Type | None = None) -> Value:
        """The address of item `index` of an array of doubles, or of another type."""
        index = self.number(index) if isinstance(index, int) else index
        return b.gep(pointer, [index], source_etype=kind or self.double)

    def load(self, b: IRBuilder, pointer: Value, kind: Type | None = None, align: int = 8) -> Value:
        """The double at an address, or what is of another type."""
        return b.load(pointer, typ=kind or self.double, align=align)

    def splat(self, b: IRBuilder, x: Value) -> Value:
        """A vector of one number in all lanes."""
        kind = self.ir.VectorType(x.type, self.width)
        one = b.insert_element(self.ir.Constant(kind, self.ir.Undefined), x, self.number(0))
        return self.shuffled(b, one, one, [0] * self.width)

    def shuffled(self, b: IRBuilder, x: Value, y: Value, lanes: Sequence[int]) -> Value:
        """The vector of some lanes of two."""
        return b.shuffle_vector(x, y, self.ir.Constant(self.ir.VectorType(self.ir.IntType(32), len(lanes)), list(lanes)))


class _Driver(Functions):
    """The functions around those of a batch, in the order in which one calls those before."""

    def __init__(self, width: int, single: bool, reduce: bool) -> None:
        super().__init__(width)
        self.single, self.reduce = single, reduce
        self.rows = width * (1 + single)  # of a block
        self.item, self.bytes = (self.ir.FloatType(), 4) if single else (self.double, 8)
        self.lanes = self.ir.VectorType(self.item, self.rows)
        self.gather = self.function(
            "gather", self.void, ("table", "block", "count", "first", "end"), self._gather, "table block"
        )
        chunk = ("header", "shared", "extra", "table", "n", "low", "high", "out", "block")
        self.chunk = self.function("chunk", self.void, chunk, self._chunk)
        self.exported: dict[str, Function] = {}
        for name, body in (
            ("finish", self._finish), ("run", self._run), ("call", self._call), ("some", self._some), ("total", self._total)
        ):  # fmt: skip
            apart = "out extra" if name == "finish" else ""
            self.exported[name] = self.function(name, self.int, ("header", *DRIVER[name]), body, apart)

    def read(self, b: IRBuilder, header: Value, *names: str) -> list[Value]:
        """Numbers of the header."""
        return [self.load(b, self.at(b, header, HEADER.index(name), self.int), self.int) for name in names]

    def calls(self, b: IRBuilder, header: Value, name: str, given: Sequence[Value], result: Type) -> Callable[..., None]:
        """A function of the header, to be called with such arguments."""
        place = self.load(b, self.at(b, header, HEADER.index(name), self.int), self.pointer)
        function = SimpleNamespace(function_type=self.ir.FunctionType(result, given), get_reference=place.get_reference)
        return lambda *arguments: b.call(function, arguments)

    def _gather(self, b: IRBuilder, table: Value, block: Value, count: Value, first: Value, end: Value) -> None:
        """Rows `first` and after of each column into a block; where they end before a whole block, the last one again."""
        w, rows_in = self.width, self.rows
        left = b.sub(end, first)
        with self.loop(b, 0, count) as j:
            entry = b.shl(j, self.number(1))
            base = self.load(b, self.at(b, table, entry, self.int), self.pointer)
            stride = self.load(b, self.at(b, table, b.add(entry, self.number(1)), self.int), self.int)
            source = self.at(b, base, b.mul(first, stride), self.byte)
            target = self.at(b, block, b.mul(j, self.number(w)))
            with b.if_else(b.icmp_signed(">=", left, self.number(rows_in))) as (whole, part):
                with whole, b.if_else(b.icmp_signed("==", stride, self.number(self.bytes))) as (together, apart):
                    with together:
                        b.store(self.load(b, source, self.lanes, 1), target, align=self.align)
                    with apart:
                        rows = self.ir.Constant(self.lanes, self.ir.Undefined)
                        for lane in range(rows_in):
                            place = self.at(b, source, b.mul(stride, self.number(lane)), self.byte)
                            rows = b.insert_element(rows, self.load(b, place, self.item, 1), self.number(lane))
                        b.store(rows, target, align=self.align)
                with part, self.loop(b, 0, rows_in) as lane:
                    row = b.select(b.icmp_signed("<", lane, left), lane, b.sub(left, self.number(1)))
                    one = self.load(b, self.at(b, source, b.mul(row, stride), self.byte), self.item, 1)
                    b.store(one, self.at(b, target, lane, self.item), align=self.bytes)

    def _chunk(
        self, b: IRBuilder, header: Value, shared: Value, extra: Value, table: Value, n: Value, low: Value, high: Value,
        out: Value, block: Value,
    ) -> None:  # fmt: skip
        """Rows `low` to `high`: first what is left over after whole blocks, whose idle lanes count as 0; then the blocks."""
        w = self.rows
        sums, kept, frame = [self.at(b, block, place) for place in self.read(b, header, "sums_at", "kept_at", "frame_at")]
        columns, outputs, factors = self.read(b, header, "columns", "outputs", "factors")
        handed = (*[self.pointer] * 4, self.int, self.pointer)
        row = self.calls(b, header, "block", handed, self.void)
        rows = b.sub(high, low)
        over = b.and_(rows, self.number(w - 1))
        even = b.sub(high, over)
        some = b.icmp_signed("!=", over, self.number(0))

        def run(first: Value, target: Value, step: Value | int) -> None:
            b.call(self.gather, [table, block, columns, first, high])
            row(shared, extra, block, target, self.number(step) if isinstance(step, int) else step, frame)

        if not self.reduce:
            with b.if_then(some):
                run(even, sums, self.align)
                with self.loop(b, 0, outputs) as k:
                    target = self.at(b, out, b.add(b.mul(k, n), even), self.item)
                    with self.loop(b, 0, over) as lane:
                        place = self.at(b, sums, b.add(b.mul(k, self.number(w)), lane), self.item)
                        b.store(
                            self.load(b, place, self.item, self.bytes), self.at(b, target, lane, self.item), align=self.bytes
                        )
            with self.loop(b, low, even, w) as i:
                run(i, self.at(b, out, i, self.item), b.mul(n, self.number(self.bytes)))
            return

        # what is left over stands before the first blocks, and is added up with them
        with b.if_then(some):
            run(even, kept, self.align)
            for part in range(w // self.width):
                lanes = range(part * self.width, (part + 1) * self.width)
                numbers = self.ir.Constant(self.ir.VectorType(self.int, self.width), list(lanes))
                used = b.icmp_signed("<", numbers, self.splat(b, over))
                end = b.mul(factors, self.number(part + 1))
                with self.loop(b, b.mul(factors, self.number(part)), end) as m:
                    place = self.at(b, kept, m, self.vector)
                    found = self.load(b, place, self.vector, self.align)
                    b.store(b.select(used, found, self.ir.Constant(self.vector, None)), place, align=self.align)
        before = b.select(some, self.number(w), self.number(0))
        least = b.add(low, before)
        stop = b.select(b.icmp_signed(">", even, least), even, least)
        most, usual = [b.mul(x, self.number(self.width)) for x in self.read(b, header, "most", "together")]
        together = b.select(b.icmp_signed("<=", rows, most), most, usual)
        add_up = self.calls(b, header, "sums", (self.pointer, self.pointer, self.int, self.bit), self.void)
        with self.loop(b, low, stop, together) as i:
            last = b.add(i, together)
            end = b.select(b.icmp_signed("<", last, even), last, even)
            later = b.icmp_signed("!=", i, low)
            given = b.select(later, self.number(0), before)
            with self.loop(b, i, end, w) as g:
                place = b.mul(b.add(b.sub(g, i), given), factors)
                run(g, self.at(b, kept, place), self.align)
            count = b.udiv(b.add(b.sub(end, i), given), self.number(self.width))
            add_up(kept, sums, count, later)
        self._lanes(b, sums, out, outputs)

    def _lanes(self, b: IRBuilder, sums: Value, out: Value, outputs: Value) -> None:
        """The sums of the lanes: as many vectors as there are lanes at once, then one by one; halves upon halves."""
        w = self.width
        full = b.and_(outputs, self.number(-w))
        with self.loop(b, 0, full, w) as s:
            found = [
                self.load(b, self.at(b, sums, b.add(s, self.number(i)), self.vector), self.vector, self.align) for i in range(w)
            ]
            length = w
            while length > 1:
                half = length // 2
                starts = [v * w + i * length for v in (0, 1) for i in range(w // length)]
                low, high = [[start + first + i for start in starts for i in range(half)] for first in (0, half)]
                pairs = zip(found[::2], found[1::2], strict=True)
                found = [b.fadd(self.shuffled(b, x, y, low), self.shuffled(b, x, y, high)) for x, y in pairs]
                length = half
            b.store(found[0], self.at(b, out, s), align=8)
        with self.loop(b, full, outputs) as t:
            total = self.load(b, self.at(b, sums, t, self.vector), self.vector, self.align)
            while (half := total.type.count // 2) > 0:
                halves = [self.shuffled(b, total, total, range(first, first + half)) for first in (0, half)]
                total = b.fadd(*halves)
            b.store(b.extract_element(total, self.number(0)), self.at(b, out, t), align=8)

    def _finish(self, b: IRBuilder, header: Value, out: Value, extra: Value, n: Value) -> None:
        """The sums made means, and what is the same for every row added to them; of no rows nothing is made."""
        if not self.reduce:
            return
        outputs, mean, added = self.read(b, header, "outputs", "mean", "added")
        rows, zero = b.sitofp(n, self.double), self.number(0)
        mean, more = b.icmp_signed("!=", mean, zero), b.icmp_signed(">=", added, zero)
        one = self.ir.Constant(self.double, 1.0)
        divisor, times = b.select(mean, rows, one), b.select(mean, one, rows)
        source = b.select(more, self.at(b, extra, added), out)  # of the same numbers for every row, where there are any
        some = b.or_(mean, more)
        count = b.select(b.and_(some, b.icmp_signed("!=", n, zero)), outputs, zero)
        full = b.and_(count, self.number(-self.width))
        for start, end, step, kind in ((zero, full, self.width, self.vector), (full, count, 1, self.double)):
            by, of = (divisor, times) if step == 1 else (self.splat(b, divisor), self.splat(b, times))
            with self.loop(b, start, end, step) as k:
                place = self.at(b, out, k)
                total = b.fdiv(self.load(b, place, kind), by)
                sum_ = b.fadd(total, b.fmul(self.load(b, self.at(b, source, k), kind), of))
                b.store(b.select(more, sum_, total), place, align=8)

    def _singles(self, b: IRBuilder, header: Value, shared: Value, extra: Value, block: Value) -> tuple[Value, Value]:
        """The shared numbers as rows read them: where they are, or rounded to single precision in the thread's memory."""
        if not self.single:
            return shared, extra
        at, *counts = self.read(b, header, "singles_at", "shared", "extra")
        place = self.at(b, block, at)
        found = []
        for source, count in zip((shared, extra), counts, strict=True):
            found.append(place)
            with self.loop(b, 0, count) as i:
                one = b.fptrunc(self.load(b, self.at(b, source, i)), self.item)
                b.store(one, self.at(b, place, i, self.item), align=self.bytes)
            place = self.at(b, place, count, self.item)
        return found[0], found[1]

    def _high(self, b: IRBuilder, low: Value, size: Value, n: Value) -> Value:
        """Where a chunk ends."""
        end = b.add(low, size)
        return b.select(b.icmp_signed("<", end, n), end, n)

    def _added(self, b: IRBuilder, more: Value, out: Value, count: Value) -> None:
        """The first numbers of one array added to those of another."""
        with self.loop(b, 0, count) as k:
            place = self.at(b, out, k)
            b.store(b.fadd(self.load(b, place), self.load(b, self.at(b, more, k))), place, align=8)

    def _run(
        self, b: IRBuilder, header: Value, shared: Value, extra: Value, table: Value, n: Value, size: Value, out: Value,
        block: Value,
    ) -> None:  # fmt: skip
        """All chunks in order by one thread; the first one's sums go straight to `out`."""
        outputs, *places = self.read(b, header, "outputs", "totals_at", "frame_at")
        totals, frame = [self.at(b, block, place) for place in places]
        self.calls(b, header, "uniform", [self.pointer] * 3, self.int)(shared, extra, frame)
        singles = self._singles(b, header, shared, extra, block)
        if self.reduce:
            empty = b.icmp_signed("==", n, self.number(0))
            with self.loop(b, 0, b.select(empty, outputs, self.number(0))) as z:
                b.store(self.ir.Constant(self.double, 0.0), self.at(b, out, z), align=8)
        with self.loop(b, 0, n, size) as low:
            high = self._high(b, low, size, n)
            new = b.icmp_signed("==", low, self.number(0))
            target = b.select(new, out, totals) if self.reduce else out
            b.call(self.chunk, [header, *singles, table, n, low, high, target, block])
            if self.reduce:
                self._added(b, totals, out, b.select(new, self.number(0), outputs))
        if self.reduce:
            b.call(self.exported["finish"], [header, out, extra, n])

    def _call(self, b: IRBuilder, header: Value, arguments: Value) -> Value:
        """`run`, its arguments in memory: ctypes takes longer to hand over seven numbers than to look for one row."""
        kinds = [self.int if name in INTS else self.pointer for name in CALL]
        given = [self.load(b, self.at(b, arguments, i, self.int), kind) for i, kind in enumerate(kinds)]
        return b.call(self.exported["run"], [header, *given])

    def _some(
        self, b: IRBuilder, header: Value, shared: Value, extra: Value, table: Value, n: Value, size: Value, out: Value,
        block: Value, counter: Value,
    ) -> None:  # fmt: skip
        """Chunks until none is left, each taken by its number from a counter that threads share."""
        (outputs,) = self.read(b, header, "outputs")
        singles = self._singles(b, header, shared, extra, block)
        take, work, end = [b.append_basic_block() for _ in range(3)]
        b.branch(take)
        b.position_at_end(take)
        number = b.atomic_rmw("add", counter, self.number(1), "monotonic")
        low = b.mul(number, size)
        b.cbranch(b.icmp_signed("<", low, n), work, end)
        b.position_at_end(work)
        target = self.at(b, out, b.mul(number, outputs)) if self.reduce else out
        b.call(self.chunk, [header, *singles, table, n, low, self._high(b, low, size, n), target, block])
        b.branch(take)
        b.position_at_end(end)

    def _total(self, b: IRBuilder, header: Value, sums: Value, chunks: Value, out: Value) -> None:
        """The sums of all chunks added up in their order."""
        (outputs,) = self.read(b, header, "outputs")
        with self.loop(b, 0, outputs) as k:
            b.store(self.load(b, self.at(b, sums, k)), self.at(b, out, k), align=8)
        with self.loop(b, 1, chunks) as c:
            self._added(b, self.at(b, sums, b.mul(c, outputs)), out, outputs)
