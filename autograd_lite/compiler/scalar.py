"""Scalar calls: one program for each path through the function's branches, found and made as calls need them.

A call runs the program of some path.  Where one of its guards does not hold, the path that turned the other way there is
run, and is traced first if no call has gone there yet.  Imports `trace`, `simplify`,
`shapes`, `to_python`, and where they are wanted `kernel` and `entries`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

from .. import context, frames, ops
from ..errors import CompilationError, InputValueError, JitWarning, LoweringError
from ..program import Program
from ..tree import Spec, as_float, called, flatten, is_node, map_leaves, unflatten
from ..value import Value
from . import to_python
from .shapes import Parameters, RefusedError, Unpacking, packing
from .simplify import simplify
from .trace import Locked, Traced, trace

MOST_PATHS = 64
LONG = 400  # instructions: from here on a compiled function pays for the way to it

Function = Callable[..., Any]


class Missed:
    """What a path gives in place of a result: the number of the guard that did not hold."""

    __slots__ = ("guard",)

    def __init__(self, guard: int) -> None:
        self.guard = guard


class Path:
    """One way through the function: its program, compiled, and the paths that turn off it, by guard."""

    def __init__(self, traced: Traced, backend: str, fastmath: bool) -> None:
        self.program = simplify(traced.program, fastmath)
        self.live = traced.live
        self.spec = traced.spec
        self.literals = traced.literals
        self.turns: dict[int, Path] = {}
        self.kernel: Any = None
        self.run, self.source, self.backend = self._compiled(backend, fastmath)

    def _compiled(self, backend: str, fastmath: bool) -> tuple[Callable[[list[float]], Any], str, str]:
        """The function from the inputs to the result, or to a Missed; its source, and which backend made it."""
        if backend == "llvm" or (backend == "auto" and len(self.program) > LONG):
            try:
                return (*self._llvm(fastmath), "llvm")
            except (CompilationError, LoweringError, ImportError) as error:
                if backend == "llvm":
                    raise
                if not isinstance(error, ImportError):
                    warnings.warn(f"{error}; it runs as Python source instead", JitWarning, stacklevel=frames.stacklevel())
        run = self.source_of(
            [f"{', '.join(f'v{i}' for i in range(self.program.inputs))}, = inputs"] * bool(self.program.inputs)
        )
        return to_python.define(*run), run[0], "python"

    def source_of(
        self, unpack: list[str], signature: str = "run(inputs)", leave: str = "return missed[{}]"
    ) -> tuple[str, str, dict[str, Any]]:
        """A Python function of this path, whose first lines name the inputs: text, name and names needed."""
        source = to_python.Source(self.program, leave.format)
        result, names = self.packing([*map(source.operand, self.program.outputs)])
        names |= source.names | {"missed": [Missed(k) for k in range(len(self.program.guards))]}
        return source.text(signature, unpack, result), signature.partition("(")[0], names

    def packing(self, leaves: list[str], array: Any = None) -> tuple[str, dict[str, Any]]:
        """The expression of the result, from expressions of the outputs and, as for `shapes.packing`, of arrays of them; and
        its names.  Plain numbers are given back as they were.
        """
        names: dict[str, Any] = {}
        for i, literal in self.literals.items():
            names[f"literal{i}"] = literal
            leaves[i] = f"literal{i}"
        return packing(self.spec, leaves, names, array), names

    def _llvm(self, fastmath: bool) -> tuple[Callable[[list[float]], Any], str]:
        from .llvm.kernel import scalar

        self.kernel = kernel = scalar(self.program, fastmath)
        missed = [Missed(k) for k in range(len(self.program.guards))]
        expression, names = self.packing([f"out[{i}]" for i in range(len(self.program.outputs))])
        pack = to_python.define(f"def pack(out):\n    return {expression}\n", "pack", names)

        def run(inputs: list[float]) -> Any:
            out = kernel(inputs)
            return missed[out] if out.__class__ is int else pack(out)

        return run, kernel.source


class Structure:
    """The paths for arguments of one structure; no root where the function joins a graph outside and is not compiled."""

    def __init__(self, spec: Spec, fixed: list[Any], root: Path | None) -> None:
        self.spec, self.fixed, self.root = spec, fixed, root
        self.paths = 1
        self.full = False


class Scalar(Locked):
    """A function and what has been compiled of it so far; `fast` takes the positional arguments of a call."""

    def __init__(self, f: Function, backend: str, fastmath: bool) -> None:
        self.f, self.backend, self.fastmath = f, backend, fastmath
        super().__init__()
        self.name = called(f)
        self.structures: list[Structure] = []
        self.fast: Function = self._first

    def _first(self, *args: Any) -> Any:
        return self.call(args, {})

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result for any arguments."""
        if context.active:
            now = context.current()
            if now.trace is not None:  # the function is part of a larger one that is traced
                return self.f(*args, **kwargs)
            if now is not context.QUIET:  # compiled code cannot raise
                lifted = map_leaves(on_values, (args, kwargs))
                return numbers(self.f(*lifted[0], **lifted[1]))
        leaves, spec = self._leaves(args, kwargs)
        if any(leaf.__class__ is not float and is_node(leaf) for leaf in leaves):
            return self.f(*args, **kwargs)  # the result joins their graph
        floats = [as_float(leaf, f"an argument of {self.name}") for leaf in leaves]
        structure = self._structure(spec, floats)
        if structure.root is None:
            return self.f(*args, **kwargs)
        return self._follow(structure, structure.root, floats)

    def path(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Path:
        """The path that these arguments take, traced if need be."""
        leaves, spec = self._leaves(args, kwargs)
        floats = [as_float(leaf._data if isinstance(leaf, Value) else leaf, f"an argument of {self.name}") for leaf in leaves]
        structure = self._structure(spec, floats)
        path = structure.root
        while path is not None:
            result = path.run([*floats, *[leaf._data for leaf in path.live]])
            if result.__class__ is not Missed:
                return path
            path = self._turn(structure, path, result.guard, floats)
        raise InputValueError(
            f"{self.name} is not compiled for these arguments: it reads Values computed outside, or has more than "
            f"{MOST_PATHS} paths; give it what it reads as arguments"
        )

    def _leaves(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], Spec]:
        leaves, specs = flattened(self.name, [*enumerate(args), *kwargs.items()])
        return leaves, Spec(tuple, (len(args), *kwargs), tuple(specs))

    def _arguments(self, spec: Spec, leaves: list[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        positional, *keys = spec.detail
        args = unflatten(spec._replace(detail=None), leaves)
        return args[:positional], dict(zip(keys, args[positional:], strict=True))

    def _structure(self, spec: Spec, floats: list[float]) -> Structure:
        fixed = fixed_content(spec)
        known = self._known(spec, fixed)
        if known is not None:
            return known
        with self.lock:  # where another thread may have traced it meanwhile
            known = self._known(spec, fixed)
            if known is not None:
                return known
            root = self._traced(spec, floats)
            structure = Structure(spec, fixed, root)
            self.structures.append(structure)
            self.fast = self._entry(structure, root) if root is not None else self._first
        return structure

    def _known(self, spec: Spec, fixed: list[Any]) -> Structure | None:
        return next((s for s in self.structures if s.spec == spec and s.fixed == fixed), None)

    def _traced(self, spec: Spec, floats: list[float]) -> Path | None:
        """The path that the function takes at these numbers; None where it joins a graph outside."""
        found = trace(self.f, lambda record: self._arguments(spec, [record.input(x) for x in floats]), batch=False)
        return None if found.joined else Path(found, self.backend, self.fastmath)

    def _follow(self, structure: Structure, path: Path, floats: list[float]) -> Any:
        """The result of the path that these numbers take, from `path` on."""
        while True:
            result = path.run([*floats, *[leaf._data for leaf in path.live]] if path.live else floats)
            if result.__class__ is not Missed:
                return result
            turn = self._turn(structure, path, result.guard, floats)
            if turn is None:
                return self._plain_python(structure, floats)
            path = turn

    def _plain_python(self, structure: Structure, floats: list[float]) -> Any:
        """The function itself, on Values: so that 1/0 is inf here too."""
        args, kwargs = self._arguments(structure.spec, list(map(on_values, floats)))
        return numbers(self.f(*args, **kwargs))

    def _turn(self, structure: Structure, path: Path, guard: int, floats: list[float]) -> Path | None:
        """The path that turns off `path` at a guard; None where there are too many to make another."""
        turn = path.turns.get(guard)
        if turn is not None or structure.full:
            return turn
        with self.lock:
            turn = path.turns.get(guard)
            if turn is not None:
                return turn
            line = path.program.guards[guard].line
            if structure.paths == MOST_PATHS:
                structure.full = True
                warnings.warn(
                    f"jit of {self.name} has traced {MOST_PATHS} paths, the last for the branch at {line}; calls that take "
                    f"other ways run as plain Python from now on: compute with where(gt(a, b), ...), maximum or clamp there",
                    JitWarning,
                    stacklevel=frames.stacklevel(),
                )
                return None
            new = self._traced(structure.spec, floats)
            if new is None or not _turns_off(path.program, guard, new.program):
                structure.full = True
                warnings.warn(
                    f"jit of {self.name}: the branch at {line} came out differently when the function was run again on the "
                    f"same numbers, so it depends on more than its arguments; it runs as plain Python from now on",
                    JitWarning,
                    stacklevel=frames.stacklevel(),
                )
                return None
            path.turns[guard] = new
            structure.paths += 1
        return new

    def _entry(self, structure: Structure, root: Path) -> Function:
        """A function of the positional arguments that checks, takes apart and computes in one, where that is worth it."""
        if structure.spec.detail[1:]:
            return self._first
        try:
            if root.backend == "llvm":
                from . import entries

                return entries.scalar(self, structure, root)
            call = Parameters(len(structure.spec.children))
            unpacking = Unpacking(dict(enumerate(structure.spec.children)), call.leave)
        except RefusedError:
            return self._first
        count = root.program.inputs - len(root.live)
        lines = [call.first, *unpacking.lines, *[f"v{count + i} = live{i}._data" for i in range(len(root.live))]]
        floats = "[" + ", ".join(f"v{i}" for i in range(count)) + "]"
        text, name, names = root.source_of(lines, f"entry({call.signature})", "return turned(" + "{}, " + floats + ")")
        names |= call.names | unpacking.names | {f"live{i}": leaf for i, leaf in enumerate(root.live)} | {"other": self.call}
        names["turned"] = lambda guard, floats: self.turned(structure, root, guard, floats)
        root.source = text
        return to_python.define(text, name, names)  # type: ignore[no-any-return]

    def turned(self, structure: Structure, path: Path, guard: int, floats: list[float]) -> Any:
        """The result for these numbers, at which a guard of `path` does not hold."""
        turn = self._turn(structure, path, guard, floats)
        return self._plain_python(structure, floats) if turn is None else self._follow(structure, turn, floats)


def _turns_off(old: Program, guard: int, new: Program) -> bool:
    """Whether the new program goes the way of the old one up to a guard, and the other way there."""
    ways = [[(g.mark, g.expected) for g in program.guards[: guard + 1]] for program in (old, new)]
    mark, expected = ways[0].pop()
    return ways[1] == [*ways[0], (mark, not expected)]


def on_values(x: Any) -> Any:
    """An argument as a Value, so that 1/0 is inf, or an error that names it, as in compiled code and on Values."""
    return x if is_node(x) else ops.identity(Value(x))


def flattened(name: str, args: Iterable[tuple[Any, Any]]) -> tuple[list[Any], list[Spec]]:
    """The leaves of arguments, given with their numbers or keywords, all in one list; and the structure of each."""
    leaves: list[Any] = []
    specs = []
    for key, arg in args:
        more, spec = flatten(arg, f"argument {key} of {name}")
        leaves += more
        specs.append(spec)
    return leaves, specs


def numbers(out: Any) -> Any:
    """What a function gave, with plain numbers in place of Values."""
    leaves, spec = flatten(out, "result")
    if not any(isinstance(leaf, Value) for leaf in leaves):
        return out
    return unflatten(spec, [leaf._data if isinstance(leaf, Value) else leaf for leaf in leaves])


def fixed_content(spec: Spec) -> list[Any]:
    """What modules in the arguments hold besides numbers: a program is for one such content."""
    found = [spec.detail.fixed()] if hasattr(spec.detail, "fixed") else []
    for child in spec.children:
        found += fixed_content(child)
    return found
