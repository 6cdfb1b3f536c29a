"""What `jit` keeps of a function: for arguments of each layout the program, compiled; for scalar calls and batches alike.

A scalar program holds for one path through the function's branches.  Where one of its guards does not hold, the call leaves it
by a side exit and goes on with the path that turned the other way there, which is traced first if no call has gone there yet.
"""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable
from typing import Any

from .. import accelerated, context, frames, ops
from ..errors import InputTypeError, InputValueError, JitWarning
from ..program import Program
from ..tree import Number, Tree, array_of, as_float, called, flatten, is_node, map_leaves, unflatten
from ..value import Value
from . import short, to_python
from .arguments import Arguments, by_rows, columns_of
from .paths import BatchPath, CompiledPath, Function, ScalarPath, Settings, SideExit
from .shapes import Parameters, RefusedError, Unpacking
from .trace import Locked, Trace, trace

MOST_PATHS = 64
MOST_LAYOUTS = 64


class Specialization:
    """The paths for arguments of one layout; no root where the function joins a graph outside and is not compiled."""

    def __init__(self, given: Arguments, root: Any) -> None:
        self.layout, self.root = given.layout, root
        self.paths = 1
        self.full = False


class Specializer(Locked):
    """A function and what has been compiled of it so far; `fast` takes the positional arguments of a call."""

    def __init__(self, f: Function, settings: Settings, jitted: Callable[[], Any]) -> None:
        super().__init__()
        self.jitted = jitted  # what is called, if it is still there
        self.f, self.settings, self.name = f, settings, called(f)
        self.batch = settings.batch
        self.found: list[Specialization] = []
        # the entries do not hold what holds them, or a function would go only with the collector
        owner = weakref.ref(self)
        self.other: Callable[[tuple[Any, ...], dict[str, Any]], Any] = lambda args, kwargs: owner().call(args, kwargs)  # type: ignore[union-attr]
        other = self.other
        self.first: Function = lambda *args: other(args, {})
        self.fast = self.first

    def call(self, args: tuple[Tree, ...], kwargs: dict[str, Tree]) -> Tree:
        """The result for any arguments."""
        if context.active:
            now = context.current()
            if now is not context.QUIET:  # part of a larger function that is traced, or watched: compiled code cannot raise
                return self._uncompiled(args, kwargs, now.trace is not None)
        given = self._given(args, kwargs)
        if given.in_graph:
            return self._uncompiled(args, kwargs, True)
        floats = given.floats(self.name)
        known = self._specialization(given, floats)
        if known is None:
            return self._uncompiled(args, kwargs, False)
        if known.root is None:
            return self._uncompiled(args, kwargs, True)
        if self.batch:
            return known.root(floats, given.columns, self.settings.threads)
        return self._follow(known, known.root, floats)

    def path(self, args: tuple[Tree, ...], kwargs: dict[str, Tree]) -> Tree:
        """The path that these arguments take, compiled if need be."""
        given = self._given(args, kwargs)
        floats = given.floats(self.name)
        known = self._specialization(given, floats)
        path = known.root if known is not None and not (self.batch and given.in_graph) else None
        while path is not None and known is not None:
            result = None if self.batch else path.run(path.inputs(floats))
            if result.__class__ is not SideExit:
                return path
            path = self._turn(known, path, result.guard, floats)
        if self.batch:
            raise InputTypeError(f"{self.name} reads Values that are computed outside and is not compiled: give numbers")
        raise InputValueError(
            f"{self.name} is not compiled for these arguments: it reads Values computed outside, or has more than "
            f"{MOST_PATHS} paths; give it what it reads as arguments"
        )

    def share(self, threads: int) -> None:
        """Let so many threads share the rows from now on."""
        with self.lock:
            self.settings = self.settings._replace(threads=threads)
            self._enter(self._entry(self.found[-1]) if self.found else self.first)

    # -- what is compiled ---------------------------------------------------------------------------------------------

    def _given(self, args: tuple[Tree, ...], kwargs: dict[str, Tree]) -> Arguments:
        given = Arguments(self.name, args, kwargs, self.batch)
        if self.settings.reduce == "mean" and not given.columns.rows:  # type: ignore[union-attr]
            raise InputValueError(f'reduce="mean" of {self.name} over a batch of no rows: a mean needs one at least')
        return given

    def _specialization(self, given: Arguments, floats: list[float]) -> Specialization | None:
        """What there is for arguments of this layout, compiled if need be; None where there are too many to make another."""
        known = self._known(given)
        if known is not None:
            return known
        with self.lock:  # where another thread may have compiled it meanwhile
            known = self._known(given)
            if known is None and len(self.found) <= MOST_LAYOUTS:
                if len(self.found) == MOST_LAYOUTS:
                    warnings.warn(
                        f"jit of {self.name} has compiled {MOST_LAYOUTS} programs, each for arguments of another structure or "
                        f"modules that hold something else; new ones run as plain Python from now on: give what changes as "
                        f"numbers, and keep it out of modules",
                        JitWarning,
                        stacklevel=frames.stacklevel(),
                    )
                    self.found.append(Specialization(given, None))  # of nothing: so that it is said once
                    self.found[-1].layout = None  # type: ignore[assignment]
                    return None
                known = Specialization(given, self._traced(given, floats))
                self.found.append(known)
                self._enter(self._entry(known))
        return known

    def _enter(self, fast: Function) -> None:
        self.fast = fast
        accelerated.enter(self.jitted(), fast)

    def _known(self, given: Arguments) -> Specialization | None:
        return next((s for s in self.found if s.layout == given.layout), None)

    def _traced(self, given: Arguments, floats: list[float]) -> Tree:
        """The path that the function takes at these arguments; None where it joins a graph outside."""

        def build(record: Trace) -> tuple[tuple[Tree, ...], dict[str, Tree]]:
            shared = [record.input(x) for x in floats]
            return given.layout.filled(self.batch, shared, given.columns.traced(record.input) if given.columns else ())

        found = trace(self.f, build, batch=bool(self.batch))
        if found.joined:
            return None
        if given.columns is not None:
            return BatchPath(found, self.settings, len(floats), given.columns.count)
        return ScalarPath(found, self.settings)

    def _entry(self, known: Specialization) -> Function:
        """A function of the positional arguments that checks, takes apart and computes in one, where that is worth it."""
        root, layout = known.root, known.layout
        if root is None or layout.keywords or (self.batch and root.machine is None):
            return self.first
        try:
            if root.backend == "llvm":
                from . import entries

                return entries.batch(self, known) if self.batch else entries.scalar(self, known)
            call = Parameters(layout.positional)
            unpacking = Unpacking(dict(enumerate(layout.specs)), call.leave)
        except RefusedError:
            return self.first
        count = root.program.inputs - len(root.captured)
        lines = [call.first, *unpacking.lines, *[f"v{count + i} = captured{i}._data" for i in range(len(root.captured))]]
        floats = "[" + ", ".join(f"v{i}" for i in range(count)) + "]"
        text, name, names = root.source_of(lines, f"entry({call.signature})", "return left(" + "{}, " + floats + ")")
        names |= (
            call.names
            | unpacking.names
            | {f"captured{i}": leaf for i, leaf in enumerate(root.captured)}
            | {"other": self.other}
        )
        names["left"] = self.left(known)
        root.source = text
        return short.entry(to_python.define(text, name, names), layout.specs, root)

    # -- from path to path --------------------------------------------------------------------------------------------

    def left(self, known: Specialization) -> Callable[[int, list[float]], Tree]:
        """A function that gives the result for numbers at which a guard of the first path does not hold."""
        owner = weakref.ref(self)
        return lambda guard, floats: owner()._left(known, known.root, guard, floats)  # type: ignore[union-attr]

    def _left(self, known: Specialization, path: ScalarPath, guard: int, floats: list[float]) -> Tree:
        other = self._turn(known, path, guard, floats)
        if other is None:  # the function itself, on Values: so that 1/0 is inf here too
            return self._plainly(*known.layout.filled((), map(on_values, floats)))
        return self._follow(known, other, floats)

    def _follow(self, known: Specialization, path: ScalarPath, floats: list[float]) -> Tree:
        """The result of the path that these numbers take, from `path` on."""
        result = path.run(path.inputs(floats))
        while result.__class__ is SideExit:
            other = self._turn(known, path, result.guard, floats)
            if other is None:
                return self._plainly(*known.layout.filled((), map(on_values, floats)))
            path = other
            result = path.run(path.inputs(floats))
        return result

    def _turn(self, known: Specialization, path: CompiledPath, guard: int, floats: list[float]) -> Tree:
        """The path that turns off `path` at a guard; None where there are too many to make another."""
        other = path.exits.get(guard)
        if other is not None or known.full:
            return other
        with self.lock:
            other = path.exits.get(guard)
            if other is not None:
                return other
            line = path.program.guards[guard].line
            if known.paths == MOST_PATHS:
                return self._filled(
                    known,
                    f"jit of {self.name} has traced {MOST_PATHS} paths, the last for the branch at {line}; calls that take "
                    f"other ways run as plain Python from now on: compute with where(gt(a, b), ...), maximum or clamp there",
                )
            shared = [*floats]
            found = trace(self.f, lambda record: known.layout.filled((), map(record.input, shared)), batch=False)
            new = None if found.joined else ScalarPath(found, self.settings)
            if new is None or not _turns_off(path.program, guard, new.program):
                return self._filled(
                    known,
                    f"jit of {self.name}: the branch at {line} came out differently when the function was run again on the "
                    f"same numbers, so it depends on more than its arguments; it runs as plain Python from now on",
                )
            path.exits[guard] = new
            known.paths += 1
        return new

    @staticmethod
    def _filled(known: Specialization, why: str) -> None:
        known.full = True
        warnings.warn(why, JitWarning, stacklevel=frames.stacklevel())

    # -- not compiled -------------------------------------------------------------------------------------------------

    def _uncompiled(self, args: tuple[Tree, ...], kwargs: dict[str, Tree], in_graph: bool) -> Tree:
        """What the function itself gives: nodes where it is part of a graph, else numbers."""
        if self.batch:
            return self._row_by_row(args, kwargs, in_graph)
        return self.f(*args, **kwargs) if in_graph else self._plainly(*map_leaves(on_values, (args, kwargs)))

    def _plainly(self, args: tuple[Tree, ...], kwargs: dict[str, Tree]) -> Tree:
        """What it gives, with plain numbers in place of Values."""
        out = self.f(*args, **kwargs)
        leaves, spec = flatten(out, "result")
        if not any(isinstance(leaf, Value) for leaf in leaves):
            return out
        return unflatten(spec, [leaf._data if isinstance(leaf, Value) else leaf for leaf in leaves])

    def _row_by_row(self, args: tuple[Tree, ...], kwargs: dict[str, Tree], in_graph: bool) -> Tree:
        """One row after the other."""
        columns = columns_of(self.name, args, self.batch)
        if not in_graph:
            kwargs = map_leaves(on_values, kwargs)
            args = tuple([arg if i in self.batch else map_leaves(on_values, arg) for i, arg in enumerate(args)])

        def outputs(parts: list[Tree]) -> tuple[list[Tree], Tree]:
            own = list(args)
            for i, part in zip(self.batch, parts, strict=True):
                own[i] = part if in_graph else map_leaves(on_values, part)
            return flatten(self.f(*own, **kwargs), f"result of {self.name}")

        if columns.rows:
            table = [outputs(columns.row(number)) for number in range(columns.rows)]
            spec = table[0][1]
            found = list(zip(*[leaves for leaves, _ in table], strict=True))
        else:  # nothing that could raise, or carry a gradient: only the structure is wanted
            with context.unwatched():
                leaves, spec = outputs(columns.traced(on_values))
            found = [()] * len(leaves)
        if self.settings.reduce is None:
            arrays = [array_of([_result(x, in_graph) for x in output], (columns.rows,)) for output in found]
            return by_rows(spec, iter(arrays), columns.rows)
        totals = [_result(ops.sum(output), in_graph) for output in found]
        if self.settings.reduce == "mean":
            totals = [ops.div(total, float(columns.rows)) for total in totals]
        return by_rows(spec, iter(totals), None)


def _turns_off(old: Program, guard: int, new: Program) -> bool:
    """Whether the new program goes the way of the old one up to a guard, and the other way there."""
    ways = [[(g.mark, g.expected) for g in program.guards[: guard + 1]] for program in (old, new)]
    mark, expected = ways[0].pop()
    return ways[1] == [*ways[0], (mark, not expected)]


def on_values(x: Number) -> Number:
    """An argument as a Value, so that 1/0 is inf, or an error that names it, as in compiled code and on Values."""
    return x if is_node(x) else ops.identity(Value(x))


def _result(x: Number, in_graph: bool) -> Number:
    """A result as a float, or as the node it is."""
    return x if in_graph and isinstance(x, Value) else as_float(x._data if isinstance(x, Value) else x)
