"""The code around the functions of a program: a scalar call's parts; the loops over blocks and chunks of rows of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from .cutting import CutProgram
from .native import llvmlite
from .sums import SumLayout

if TYPE_CHECKING:
    from llvmlite.ir import Function, IRBuilder, Type, Value  # type: ignore[import-untyped,import-not-found,unused-ignore]

__all__ = ["ROW", "Finish", "batch", "module", "scalar"]

ROW = "ptr noalias %shared, ptr noalias %extra, ptr noalias %columns, ptr noalias %out, i64 %step"

# "stackrealign": otherwise vectors that leave their registers straddle two lines of the cache
ATTRIBUTES = 'attributes #0 = {{ nounwind "stackrealign" "prefer-vector-width"="{0}" "min-legal-vector-width"="{0}" }}'


def module(declared: Mapping[str, str], functions: Sequence[str], width: int) -> str:
    """The text of a module."""
    return "\n\n".join([*functions, *declared.values(), ATTRIBUTES.format(64 * width if width > 1 else 64)]) + "\n"


class Finish(NamedTuple):
    """What becomes of the sums: whether they are divided by the rows, and where `extra` holds what each row has besides."""

    mean: bool = False
    addends: int | None = None


def scalar(parts: CutProgram) -> str:
    """``run(in, out, frame)``: the parts one after the other, until a guard does not hold."""
    f = Functions(1)

    def run(b: IRBuilder, *given: Value) -> Any:
        for name in parts.names:
            guard = b.call(f.external(name, f.int if parts.guarded else f.void, given), given)
            if parts.guarded:
                with b.if_then(b.icmp_signed(">=", guard, f.number(0))):
                    b.ret(guard)
        return f.number(-1)

    f.function("run", f.int, ("in", "out", "frame"), run)
    return f.text()


def batch(layout: SumLayout, uniform: CutProgram, row: CutProgram, sums: Sequence[str], finish: Finish) -> str:
    """The functions of a batch around those of `uniform`, `row` and `sums`.  Without sums the rows are kept."""
    return _Batch(layout, uniform, row, sums, finish).text()


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

    def external(self, name: str, result: Type, given: Sequence[Value]) -> Function:
        """A function of the module that is written elsewhere, taking such arguments."""
        known = self.module.globals.get(name)
        types = [x.type for x in given]
        return known if known is not None else self.ir.Function(self.module, self.ir.FunctionType(result, types), name)

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


INTS = frozenset({"first", "end", "n", "size", "low", "high", "step", "chunks"})
CALL = ("shared", "extra", "table", "n", "size", "out", "block")


class _Batch(Functions):
    """The functions of a batch, in the order in which one calls those before."""

    def __init__(self, layout: SumLayout, uniform: CutProgram, row: CutProgram, sums: Sequence[str], finish: Finish) -> None:
        super().__init__(layout.width)
        self.layout, self.sums, self.reduce, self.how = layout, sums, bool(sums), finish
        self.rows = self.width * (1 + layout.single)  # of a block
        self.item, self.bytes = (self.ir.FloatType(), 4) if layout.single else (self.double, 8)
        self.lanes = self.ir.VectorType(self.item, self.rows)
        given = ("shared", "extra", "columns", "out", "step", "frame")
        self.uniform = self.function("uniform", self.int, ("shared", "extra", "frame"), self._calls(uniform.names))
        self.block = self.function("block", self.void, given, self._calls(row.names))
        self.gather = self.function("gather", self.void, ("table", "block", "first", "end"), self._gather, "table block")
        chunk = ("shared", "extra", "table", "n", "low", "high", "out", "block")
        self.chunk = self.function("chunk", self.void, chunk, self._chunk)
        self.finish = self.function("finish", self.int, ("out", "extra", "n"), self._finish, "out extra")
        self.run = self.function("run", self.int, CALL, self._run)
        self.function("call", self.int, ("arguments",), self._call)
        self.function("some", self.int, (*CALL, "counter"), self._some)
        self.function("total", self.int, ("sums", "chunks", "out"), self._total)

    def _calls(self, names: Sequence[str]) -> Callable[..., None]:
        """The parts of a program, one after the other."""

        def body(b: IRBuilder, *given: Value) -> None:
            for name in names:
                b.call(self.external(name, self.void, given), given)

        return body

    def _gather(self, b: IRBuilder, table: Value, block: Value, first: Value, end: Value) -> None:
        """Rows `first` and after of each column into a block; where they end before a whole block, the last one again."""
        w, rows_in = self.width, self.rows
        left = b.sub(end, first)
        with self.loop(b, 0, self.layout.columns) as j:
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
        self, b: IRBuilder, shared: Value, extra: Value, table: Value, n: Value, low: Value, high: Value, out: Value,
        block: Value,
    ) -> None:  # fmt: skip
        """Rows `low` to `high`: first what is left over after whole blocks, whose idle lanes count as 0; then the blocks."""
        w, layout = self.rows, self.layout
        sums, kept, frame = [self.at(b, block, place) for place in (layout.sums, layout.kept, layout.frames)]
        rows = b.sub(high, low)
        over = b.and_(rows, self.number(w - 1))
        even = b.sub(high, over)
        some = b.icmp_signed("!=", over, self.number(0))

        def run(first: Value, target: Value, step: Value | int) -> None:
            b.call(self.gather, [table, block, first, high])
            b.call(self.block, [shared, extra, block, target, step, frame])

        if not self.reduce:
            with b.if_then(some):
                run(even, sums, self.number(self.align))
                with self.loop(b, 0, layout.outputs) as k:
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
            run(even, kept, self.number(self.align))
            for part in range(w // self.width):
                lanes = range(part * self.width, (part + 1) * self.width)
                numbers = self.ir.Constant(self.ir.VectorType(self.int, self.width), list(lanes))
                used = b.icmp_signed("<", numbers, self.splat(b, over))
                with self.loop(b, part * layout.factors, (part + 1) * layout.factors) as m:
                    place = self.at(b, kept, m, self.vector)
                    found = self.load(b, place, self.vector, self.align)
                    b.store(b.select(used, found, self.ir.Constant(self.vector, None)), place, align=self.align)
        before = b.select(some, self.number(w), self.number(0))
        least = b.add(low, before)
        stop = b.select(b.icmp_signed(">", even, least), even, least)
        most = self.number(self.width * layout.most)
        together = b.select(b.icmp_signed("<=", rows, most), most, self.number(self.width * layout.together))
        with self.loop(b, low, stop, together) as i:
            last = b.add(i, together)
            end = b.select(b.icmp_signed("<", last, even), last, even)
            later = b.icmp_signed("!=", i, low)
            given = b.select(later, self.number(0), before)
            with self.loop(b, i, end, w) as g:
                place = b.mul(b.add(b.sub(g, i), given), self.number(layout.factors))
                run(g, self.at(b, kept, place), self.number(self.align))
            count = b.udiv(b.add(b.sub(end, i), given), self.number(self.width))
            for name in self.sums:
                arguments = [kept, sums, count, later]
                b.call(self.external(name, self.void, arguments), arguments)
        self._lanes(b, sums, out)

    def _lanes(self, b: IRBuilder, sums: Value, out: Value) -> None:
        """The sums of the lanes: as many vectors as there are lanes at once, then one by one; halves upon halves."""
        w, outputs = self.width, self.layout.outputs
        full = outputs // w * w
        if full:
            with self.loop(b, 0, full, w) as s:
                found = [
                    self.load(b, self.at(b, sums, b.add(s, self.number(i)), self.vector), self.vector, self.align)
                    for i in range(w)
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

    def _finish(self, b: IRBuilder, out: Value, extra: Value, n: Value) -> None:
        """The sums made means, and what is the same for every row added to them: by vectors, and one by one at the end."""
        mean, addends = self.how
        if not self.reduce or not (mean or addends is not None):
            return
        rows = b.sitofp(n, self.double)
        some = b.icmp_signed("!=", n, self.number(0))
        outputs = self.layout.outputs
        vectors, count = [b.select(some, self.number(k), self.number(0)) for k in (outputs // self.width * self.width, outputs)]
        for start, end, step, kind, divisor in (
            (0, vectors, self.width, self.vector, self.splat(b, rows)),
            (vectors, count, 1, self.double, rows),
        ):
            with self.loop(b, start, end, step) as k:
                place = self.at(b, out, k)
                total = self.load(b, place, kind)
                if mean:
                    total = b.fdiv(total, divisor)
                if addends is not None:
                    each = self.load(b, self.at(b, extra, b.add(k, self.number(addends))), kind)
                    total = b.fadd(total, each if mean else b.fmul(each, divisor))
                b.store(total, place, align=8)

    def _singles(self, b: IRBuilder, shared: Value, extra: Value, block: Value) -> tuple[Value, Value]:
        """The shared numbers as rows read them: where they are, or rounded to single precision in the thread's memory."""
        if not self.layout.single:
            return shared, extra
        place = self.at(b, block, self.layout.singles)
        found = []
        for source, count in ((shared, self.layout.given - self.layout.extra), (extra, self.layout.extra)):
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
        self, b: IRBuilder, shared: Value, extra: Value, table: Value, n: Value, size: Value, out: Value,
        block: Value,
    ) -> None:  # fmt: skip
        """All chunks in order by one thread; the first one's sums go straight to `out`."""
        outputs = self.number(self.layout.outputs)
        totals, frame = [self.at(b, block, place) for place in (self.layout.totals, self.layout.frames)]
        b.call(self.uniform, [shared, extra, frame])
        singles = self._singles(b, shared, extra, block)
        if self.reduce:
            empty = b.icmp_signed("==", n, self.number(0))
            with self.loop(b, 0, b.select(empty, outputs, self.number(0))) as z:
                b.store(self.ir.Constant(self.double, 0.0), self.at(b, out, z), align=8)
        with self.loop(b, 0, n, size) as low:
            high = self._high(b, low, size, n)
            new = b.icmp_signed("==", low, self.number(0))
            target = b.select(new, out, totals) if self.reduce else out
            b.call(self.chunk, [*singles, table, n, low, high, target, block])
            if self.reduce:
                self._added(b, totals, out, b.select(new, self.number(0), outputs))
        if self.reduce:
            b.call(self.finish, [out, extra, n])

    def _call(self, b: IRBuilder, arguments: Value) -> Value:
        """`run`, its arguments in memory: ctypes takes longer to hand over seven numbers than to look for one row."""
        kinds = [self.int if name in INTS else self.pointer for name in CALL]
        return b.call(self.run, [self.load(b, self.at(b, arguments, i, self.int), kind) for i, kind in enumerate(kinds)])

    def _some(
        self, b: IRBuilder, shared: Value, extra: Value, table: Value, n: Value, size: Value, out: Value,
        block: Value, counter: Value,
    ) -> None:  # fmt: skip
        """Chunks until none is left, each taken by its number from a counter that threads share."""
        singles = self._singles(b, shared, extra, block)
        take, work, end = [b.append_basic_block() for _ in range(3)]
        b.branch(take)
        b.position_at_end(take)
        number = b.atomic_rmw("add", counter, self.number(1), "monotonic")
        low = b.mul(number, size)
        b.cbranch(b.icmp_signed("<", low, n), work, end)
        b.position_at_end(work)
        target = self.at(b, out, b.mul(number, self.number(self.layout.outputs))) if self.reduce else out
        b.call(self.chunk, [*singles, table, n, low, self._high(b, low, size, n), target, block])
        b.branch(take)
        b.position_at_end(end)

    def _total(self, b: IRBuilder, sums: Value, chunks: Value, out: Value) -> None:
        """The sums of all chunks added up in their order."""
        outputs = self.number(self.layout.outputs)
        with self.loop(b, 0, outputs) as k:
            b.store(self.load(b, self.at(b, sums, k)), self.at(b, out, k), align=8)
        with self.loop(b, 1, chunks) as c:
            self._added(b, self.at(b, sums, b.mul(c, outputs)), out, outputs)
