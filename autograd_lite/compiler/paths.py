"""One program of a function, compiled: by the first backend that can, for calls with numbers or for the rows of a batch."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .. import frames, ops
from ..arrays import np
from ..errors import CompilationError, JitWarning, LoweringError
from ..tree import Number, Spec, Tree, array_of
from . import to_python
from .arguments import Columns, batch_assembly
from .shapes import assembly
from .simplify import simplify
from .split import Split, split
from .trace import Traced

LONG = 400  # instructions: from here on a compiled function pays for the way to it

Function = Callable[..., Any]


class Settings(NamedTuple):
    """The options of `jit`; `batch` names the arguments that hold rows, none for scalar calls."""

    backend: str = "auto"
    fastmath: bool = False
    batch: tuple[int, ...] = ()
    reduce: str | None = None
    threads: int = 1
    cache: str | None = None  # the folder in which machine code is kept
    float32: bool = False


class SideExit:
    """What a path gives in place of a result: the number of the guard that did not hold."""

    __slots__ = ("guard",)

    def __init__(self, guard: int) -> None:
        self.guard = guard


class CompiledPath:
    """One way through the function: its program, and that compiled by the first of some backends that can."""

    def __init__(self, traced: Traced, settings: Settings) -> None:
        self.traced, self.captured, self.settings = traced, traced.captured, settings
        self.program = simplify(traced.program, settings.fastmath)
        self.exits: dict[int, CompiledPath] = {}  # the paths that turn off this one, by guard
        self.machine: Any = None  # its machine code
        self.run, self.source, self.backend = self._compiled()

    def _compiled(self) -> tuple[Function, str, str]:
        """What runs it, the source, and which backend made them."""
        tried = self._backends()
        for name in tried:
            try:
                return (*getattr(self, f"_{name}")(), name)
            except (CompilationError, LoweringError, ImportError) as error:
                if name == tried[-1]:
                    raise
                if not isinstance(error, ImportError):
                    warnings.warn(f"{error}; it runs by the next backend instead", JitWarning, stacklevel=frames.stacklevel())
        raise AssertionError

    def _backends(self) -> tuple[str, ...]:
        raise NotImplementedError

    def _store(self) -> Any:
        """Where machine code is kept, if anywhere."""
        from .llvm.stored import Store

        return Store(self.settings.cache) if self.settings.cache is not None else None


class ScalarPath(CompiledPath):
    """A path for calls with numbers; `run` takes a list of them and gives the result, or a `SideExit`."""

    def _backends(self) -> tuple[str, ...]:
        if self.settings.backend != "auto":
            return (self.settings.backend,)
        return ("llvm", "python") if len(self.program) > LONG else ("python",)

    def _python(self) -> tuple[Function, str]:
        given = ", ".join(f"v{i}" for i in range(self.program.inputs))
        run = self.source_of([f"{given}, = inputs"] * bool(given))
        return to_python.define(*run), run[0]

    def source_of(
        self, unpack: list[str], signature: str = "run(inputs)", leave: str = "return exits[{}]"
    ) -> tuple[str, str, dict[str, object]]:
        """A Python function of this path, whose first lines name the inputs: text, name and names needed."""
        source = to_python.Source(self.program, leave.format)
        result, names = call_assembly(self.traced, [*map(source.operand, self.program.outputs)])
        names |= source.names | {"exits": [SideExit(k) for k in range(len(self.program.guards))]}
        return source.text(signature, unpack, result), signature.partition("(")[0], names

    def _llvm(self) -> tuple[Function, str]:
        from .llvm.scalar import scalar

        self.machine = machine = scalar(self.program, self.settings.fastmath, store=self._store())
        exits = [SideExit(k) for k in range(len(self.program.guards))]
        traced, count = self.traced, len(self.program.outputs)

        @functools.cache
        def pack() -> Function:  # mostly the way in of `entries` has its own
            leaves = [f"out[{i}]" for i in range(count)]
            expression, names = call_assembly(traced, leaves, _array_of, lambda first, last, _: f"[*out[{first}:{last}]]")
            names["array_of"] = array_of
            made: Function = to_python.define(f"def pack(out):\n    return {expression}\n", "pack", names)
            return made

        def run(inputs: list[float]) -> Any:
            out = machine(inputs)
            return exits[out] if out.__class__ is int else pack()(out)

        return run, machine.source

    def inputs(self, floats: list[float]) -> list[float]:
        """What it runs on: the numbers in the arguments, and those of the Values it reads."""
        return [*floats, *[leaf._data for leaf in self.captured]] if self.captured else floats


def _array_of(first: int, spec: Spec) -> str:
    """The expression of an array whose numbers stand in ``out``."""
    return f"array_of(out[{first}:{first + len(spec.children)}], {spec.detail})"


def call_assembly(
    traced: Traced,
    leaves: list[str],
    array: Callable[[int, Tree], str] | None = None,
    run: Callable[[int, int, bool], str] | None = None,
) -> tuple[str, dict[str, object]]:
    """The expression of the result, from expressions of the outputs and, as for `shapes.assembly`, of arrays and runs of
    them; and its names.  Plain numbers are given back as they were, arrays of them as new ones.
    """
    names: dict[str, object] = {}

    def several(first: int, last: int, as_list: bool) -> str | None:
        plain = run is not None and not any(first <= i < last for i in traced.literals)
        return run(first, last, as_list) if plain else None  # type: ignore[misc]

    for i, literal in traced.literals.items():
        names[f"literal{i}"] = literal.copy() if hasattr(literal, "setflags") else literal
        leaves[i] = f"literal{i}.copy()" if hasattr(literal, "setflags") else f"literal{i}"
    names |= {f"array{i}": a.copy() for i, a in traced.arrays.items()}
    constant = {i: f"array{i}.copy()" for i in traced.arrays}
    return assembly(traced.spec, leaves, names, array, constant, several), names


class BatchPath(CompiledPath):
    """The program of a row, cut into what is uniform and what is not.

    `run` takes the shared numbers, the columns, how many rows and threads there are; it gives sums, or one row for each output.
    """

    def __init__(self, traced: Traced, settings: Settings, shared: int, columns: int) -> None:
        self._is_column = [False] * shared + [True] * columns + [False] * len(traced.captured)
        super().__init__(traced, settings)
        names: dict[str, object] = {}
        expression = batch_assembly(traced.spec, self.reduced, names)
        self.pack = to_python.define(f"def pack(out):\n    return {expression}\n", "pack", names)

    def _backends(self) -> tuple[str, ...]:
        self.reduced = self.settings.reduce is not None
        self.cut = split(self.program, self._is_column, self.reduced, self.settings.fastmath)
        if self.settings.float32:
            return ("llvm",)
        return ("llvm", "numpy", "python") if self.settings.backend == "auto" else (self.settings.backend,)

    def __call__(self, floats: list[float], columns: Columns, threads: int) -> Any:
        numbers = np.array([*floats, *[leaf._data for leaf in self.captured]], dtype=float)
        return self.pack(self.run(numbers, columns.arrays, columns.rows, threads))

    def _python(self) -> tuple[Function, str]:
        """Row by row in Python: what any op can do, a user's own too."""
        cut, reduce = self.cut, self.settings.reduce
        uniform = to_python.function(cut.uniform)[0]
        row, source = to_python.function(cut.row)

        def run(shared: Number, columns: Sequence[Number], rows: int, threads: int) -> Any:
            numbers = shared.tolist()
            extra = uniform(numbers)
            given = [*numbers, *extra]
            rows_of = zip(*[c.tolist() for c in columns], strict=True) if columns else [()] * rows
            table = [row([*given, *values]) for values in rows_of]
            outputs = [list(column) for column in zip(*table, strict=True)] or [[] for _ in cut.row.outputs]
            return _combined(cut, reduce, extra, [ops.sum(column) if reduce else column for column in outputs], rows)

        return run, source

    def _numpy(self) -> tuple[Function, str]:
        """Whole columns at a time."""
        from . import to_numpy

        cut, reduce = self.cut, self.settings.reduce
        uniform = to_python.function(cut.uniform)[0]
        is_column = [i >= cut.row.inputs - len(cut.columns) for i in range(cut.row.inputs)]
        run_rows = to_numpy.compile(cut.row, is_column, reduce=self.reduced)

        def run(shared: Number, columns: Sequence[Number], rows: int, threads: int) -> Any:
            numbers = shared.tolist()
            extra = uniform(numbers)
            found = run_rows([*numbers, *extra, *columns])
            return _combined(cut, reduce, extra, [x if reduce or np.ndim(x) else np.full(rows, x) for x in found], rows)

        return run, to_numpy.source(cut.row, is_column)

    def _llvm(self) -> tuple[Function, str]:
        """Machine code, a vector of rows at a time."""
        from .llvm import kernel

        cut, reduce = self.cut, self.settings.reduce
        finish = kernel.Finish(reduce == "mean", cut.given if cut.added else None)
        programs = cut.uniform, cut.row, len(cut.columns), self.reduced, self.settings.fastmath
        self.machine = machine = kernel.batch(*programs, finish=finish, store=self._store(), single=self.settings.float32)

        def run(shared: Number, columns: Sequence[Number], rows: int, threads: int) -> Any:
            uniform, found = machine(shared, columns, rows, threads)
            return found if reduce else _combined(cut, reduce, uniform, found, rows)

        return run, machine.source


def _combined(cut: Split, reduce: str | None, uniform: Tree, by_row: Tree, rows: int) -> Tree:
    """All outputs, from those of the uniform program and those of the row program: sums, or one row for each output."""
    kind = getattr(by_row, "dtype", float)
    out = np.asarray(by_row, dtype=kind).reshape(len(cut.row.outputs), *(() if reduce else (rows,)))
    with np.errstate(all="ignore"):
        if reduce == "mean":
            out /= rows
        if cut.added and rows:
            same = np.asarray(uniform[cut.given :], dtype=float)
            out += same * rows if reduce == "sum" else same if reduce else same[:, None]
    return out
