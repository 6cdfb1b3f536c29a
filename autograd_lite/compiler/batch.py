"""Calls over batches: the function of one row, traced once, run over all rows of its columns.

Imports `trace`, `simplify`, `columns`, `scalar` and the backends.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from operator import index
from typing import Any

from .. import context, frames, ops
from ..errors import CompilationError, InputTypeError, InputValueError, JitWarning, LoweringError, MissingPackageError
from ..tree import array_of, as_float, called, flatten, is_node, map_leaves, take, unflatten
from ..value import Value
from . import entries, to_python
from .columns import Columns, packing
from .scalar import Function, fixed_content, flattened, on_values
from .shapes import RefusedError
from .simplify import simplify
from .split import split
from .trace import Locked, trace

EXTRA = "pip install 'autograd-lite[jit]'"


class Batch(Locked):
    """A function of one row and what has been compiled of it so far; `fast` takes the positional arguments of a call."""

    def __init__(
        self, f: Function, batch: int | Sequence[int], reduce: str | None, backend: str, threads: int, fastmath: bool
    ) -> None:
        try:
            import numpy  # noqa: F401
        except ImportError:
            raise MissingPackageError(f"a batch is made of NumPy arrays, and NumPy is not installed: {EXTRA}") from None
        self.f, self.reduce, self.backend, self.threads, self.fastmath = f, reduce, backend, threads, fastmath
        super().__init__()
        self.name = called(f)
        try:
            numbers = (index(batch),) if hasattr(batch, "__index__") else tuple(map(index, batch))
        except TypeError:
            raise InputTypeError(f"batch={batch!r} must be the number of an argument, or a tuple of them") from None
        if isinstance(batch, bool) or not numbers or min(numbers) < 0 or len(set(numbers)) < len(numbers):
            raise InputValueError(f"batch={batch!r} must name arguments by position, each once, counted from 0")
        self.batch = numbers
        self.structures: list[Compiled] = []
        self.fast: Function = self._first

    def _first(self, *args: Any) -> Any:
        return self.call(args, {})

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result for any arguments."""
        if context.active and context.current() is not context.QUIET:  # part of a larger function, or watched for errors
            return self._row_by_row(args, kwargs, context.trace() is not None)
        compiled, shared, columns = self._prepared(args, kwargs)
        if compiled is None or compiled.joined:
            return self._row_by_row(args, kwargs, True)
        return compiled(shared, columns)

    def share(self, threads: int) -> None:
        """Let so many threads share the rows from now on."""
        with self.lock:
            self.threads = threads
            self.fast = self._entry(self.structures[-1]) if self.structures else self._first

    def path(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Compiled:
        """What is compiled for these arguments."""
        compiled, _, _ = self._prepared(args, kwargs)
        if compiled is None or compiled.joined:
            raise InputTypeError(f"{self.name} reads Values that are computed outside and is not compiled: give numbers")
        return compiled

    def _prepared(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Compiled | None, list[float], Columns]:
        """What is compiled for these arguments, their shared numbers, and their columns; None where they are Values."""
        columns = self._columns(args)
        if self.reduce == "mean" and not columns.rows:
            raise InputValueError(f'reduce="mean" of {self.name} over a batch of no rows: a mean needs one at least')
        others = [(key, arg) for key, arg in [*enumerate(args), *kwargs.items()] if key not in self.batch]
        leaves, specs = flattened(self.name, others)
        if any(leaf.__class__ is not float and is_node(leaf) for leaf in leaves):
            return None, [], columns
        shared = [as_float(leaf, f"an argument of {self.name}") for leaf in leaves]
        layout = (len(args), tuple(kwargs), specs, columns.specs, columns.shapes)
        content = [part for spec in specs for part in fixed_content(spec)]
        known = self._known(layout, content)
        if known is not None:
            return known, shared, columns
        with self.lock:  # where another thread may have compiled it meanwhile
            known = self._known(layout, content)
            if known is None:
                known = Compiled(self, layout, content, shared, columns)
                self.structures.append(known)
                self.fast = self._entry(known)
        return known, shared, columns

    def _known(self, layout: Any, content: list[Any]) -> Compiled | None:
        return next((c for c in self.structures if c.layout == layout and c.content == content), None)

    def _columns(self, args: tuple[Any, ...]) -> Columns:
        if max(self.batch) >= len(args):
            raise InputValueError(
                f"batch={self.batch} of jit, but {self.name} was called with {len(args)} positional argument"
                f"{'s' * (len(args) != 1)}: pass the arguments that hold rows by position"
            )
        return Columns([(f"argument {i} of {self.name}", args[i]) for i in self.batch])

    def _entry(self, compiled: Compiled) -> Function:
        """The quickest way in for arguments like these."""
        if compiled.joined or compiled.machine is None:
            return self._first
        try:
            return entries.batch(self, compiled, compiled.machine, compiled.found)
        except RefusedError:
            return self._first

    def _row_by_row(self, args: tuple[Any, ...], kwargs: dict[str, Any], in_graph: bool) -> Any:
        """The function itself, one row after the other: for arguments that are Values (`in_graph`), and under errstate."""
        columns = self._columns(args)
        results, spec = [], None
        for row in range(columns.rows):
            own = list(args)
            for i, part in zip(self.batch, columns.row(row), strict=True):
                own[i] = part
            if not in_graph:
                own = [map_leaves(on_values, arg) for arg in own]
            leaves, spec = flatten(self.f(*own, **kwargs), f"result of {self.name}")
            results.append(leaves)
        if spec is None:  # nothing that could raise, or carry a gradient
            with context.unwatched():
                return self.call(args, kwargs)
        by_output = list(zip(*results, strict=True))
        if self.reduce is None:
            found: list[Any] = [array_of([as_number(x, in_graph) for x in output], (columns.rows,)) for output in by_output]
        else:
            found = [as_number(ops.sum(output), in_graph) for output in by_output]
            if self.reduce == "mean":
                found = [ops.div(total, float(columns.rows)) for total in found]
        return unflatten(spec, found)


def as_number(x: Any, in_graph: bool) -> Any:
    """A result as a float, or as the node it is."""
    return x if in_graph and isinstance(x, Value) else as_float(x._data if isinstance(x, Value) else x)


class Compiled:
    """The function for arguments of one layout: its program, cut into what is uniform and what is not, and the kernel."""

    def __init__(self, owner: Batch, layout: Any, content: list[Any], shared: list[float], columns: Columns) -> None:
        self.layout, self.content = layout, content
        self.owner = owner
        count, keywords, specs, *_ = layout

        def build(record: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
            given = iter(specs)
            inputs = iter([record.input(x) for x in shared])
            parts = {k: take(next(given), inputs) for k in [*range(count), *keywords] if k not in owner.batch}
            rows = columns.traced(record.input)
            parts |= dict(zip(owner.batch, rows, strict=True))
            return tuple(parts[i] for i in range(count)), {k: parts[k] for k in keywords}

        found = trace(owner.f, build, batch=True)
        self.joined, self.found = found.joined, found.spec
        self.machine: Any = None  # the kernel of the LLVM backend
        if found.joined:
            return
        self.program = simplify(found.program, owner.fastmath)
        self.live = found.live
        is_column = [False] * len(shared) + [True] * columns.count + [False] * len(found.live)
        self.cut = split(self.program, is_column, owner.reduce is not None, owner.fastmath)
        self.kernel, self.source, self.backend = self._kernel(owner.backend)
        self.pack = self._packing()

    def _kernel(self, backend: str) -> tuple[Callable[..., Any], str, str]:
        """What runs the rows: from shared numbers, columns and threads to sums, or to one row for each output."""
        tried = ("llvm", "numpy", "python") if backend == "auto" else (backend,)
        for name in tried:
            try:
                return (*_KERNELS[name](self), name)
            except (CompilationError, LoweringError, ImportError) as error:
                if name == tried[-1]:
                    raise
                if not isinstance(error, ImportError):
                    warnings.warn(f"{error}; it runs by the next backend instead", JitWarning, stacklevel=frames.stacklevel())
        raise AssertionError

    def _packing(self) -> Callable[[Any], Any]:
        reduced = self.owner.reduce is not None
        names: dict[str, Any] = {}
        expression = packing(self.found, reduced, names)
        return to_python.define(f"def pack(out):\n    return {expression}\n", "pack", names)  # type: ignore[no-any-return]

    def __call__(self, shared: list[float], columns: Columns) -> Any:
        import numpy as np

        numbers = np.array([*shared, *[leaf._data for leaf in self.live]], dtype=float)
        return self.pack(self.kernel(numbers, columns.arrays, columns.rows, self.owner.threads))

    def combined(self, uniform: Any, by_row: Any, rows: int) -> Any:
        """All outputs, from those of the uniform program and those of the row program: sums, or one row for each output."""
        import numpy as np

        reduce = self.owner.reduce
        out = np.array(by_row, dtype=float).reshape(len(self.cut.row.outputs), *(() if reduce else (rows,)))
        with np.errstate(all="ignore"):
            if reduce == "mean":
                out /= rows
            if self.cut.added and rows:
                same = np.asarray(uniform[self.cut.given :], dtype=float)
                out += same * rows if reduce == "sum" else same if reduce else same[:, None]
        return out


# -- the backends -----------------------------------------------------------------------------------------------------


def _python(compiled: Compiled) -> tuple[Callable[..., Any], str]:
    """Row by row in Python: what any op can do, a user's own too."""
    cut = compiled.cut
    uniform = to_python.function(cut.uniform)[0]
    row, source = to_python.function(cut.row)
    reduced = compiled.owner.reduce is not None

    def run(shared: Any, columns: Sequence[Any], rows: int, threads: int) -> Any:
        numbers = shared.tolist()
        extra = uniform(numbers)
        given = [*numbers, *extra]
        by_row = zip(*[c.tolist() for c in columns], strict=True) if columns else [()] * rows
        table = [row([*given, *values]) for values in by_row]
        by_output = [list(column) for column in zip(*table, strict=True)] or [[] for _ in cut.row.outputs]
        return compiled.combined(extra, [ops.sum(column) if reduced else column for column in by_output], rows)

    return run, source


def _numpy(compiled: Compiled) -> tuple[Callable[..., Any], str]:
    """Whole columns at a time."""
    import numpy as np

    from . import to_numpy

    cut = compiled.cut
    uniform = to_python.function(cut.uniform)[0]
    is_column = [i >= cut.row.inputs - len(cut.columns) for i in range(cut.row.inputs)]
    reduced = compiled.owner.reduce is not None
    run_rows = to_numpy.compile(cut.row, is_column, reduce=reduced)

    def run(shared: Any, columns: Sequence[Any], rows: int, threads: int) -> Any:
        numbers = shared.tolist()
        extra = uniform(numbers)
        by_row = [x if reduced or np.ndim(x) else np.full(rows, x) for x in run_rows([*numbers, *extra, *columns])]
        return compiled.combined(extra, by_row, rows)

    return run, to_numpy.source(cut.row, is_column)


def _llvm(compiled: Compiled) -> tuple[Callable[..., Any], str]:
    """Machine code, a vector of rows at a time."""
    from .llvm import kernel as machine

    cut, owner = compiled.cut, compiled.owner
    reduced = owner.reduce is not None
    finish = machine.Finish(owner.reduce == "mean", cut.given if cut.added else None)
    compiled.machine = kernel = machine.batch(cut.uniform, cut.row, len(cut.columns), reduced, owner.fastmath, finish=finish)

    def run(shared: Any, columns: Sequence[Any], rows: int, threads: int) -> Any:
        uniform, found = kernel(shared, columns, rows, threads)
        return found if reduced else compiled.combined(uniform, found, rows)

    return run, kernel.source


_KERNELS: dict[str, Callable[[Compiled], tuple[Callable[..., Any], str]]] = {"python": _python, "numpy": _numpy, "llvm": _llvm}
