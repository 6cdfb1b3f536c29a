"""Python source that takes arguments apart into v0, v1, ... and puts results together, for code that knows their structure.

What is not made of lists, tuples and dicts is put together by a call of `tree.rebuild`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from ..arrays import np
from ..sparse import Coordinates
from ..tree import Spec, Tree, rebuild, unflatten

DEEP = 60  # containers in each other, of which an expression is made: Python's parser has an end
MOST_LEAVES = 64  # of arguments taken apart by source of their own
ABSENT = object()


class RefusedError(Exception):
    """The arguments are too many, or of a kind that only `tree.flatten` takes apart."""


class Parameters:
    """The parameters b0, b1, ... of a function that takes `count` arguments, and goes on to ``other(args, {})`` for others.

    `signature` is its head's, `first` its first line, `leave` the statement by which it goes on; `names` are what they need
    besides `other`.

    >>> p = Parameters(1)
    >>> print(f"def entry({p.signature}):", p.first, p.leave, sep="\\n    ")
    def entry(b0=absent, *more):
        if more or b0 is absent: return other(given(b0, *more), {})
        return other((b0,), {})
    """

    def __init__(self, count: int) -> None:
        each = "".join(f"b{i}, " for i in range(count))
        self.signature = "".join(f"b{i}=absent, " for i in range(count)) + "*more"
        last = f" or b{count - 1} is absent" if count else ""
        self.first = f"if more{last}: return other(given({each}*more), {{}})"
        self.leave = f"return other(({each.rstrip()}), {{}})"
        self.names: dict[str, object] = {"absent": ABSENT, "given": _given}


def _given(*args: Tree) -> tuple[Tree, ...]:
    return tuple([arg for arg in args if arg is not ABSENT])


class Unpacking:
    """Lines that take b0, b1, ... apart into v0, v1, ... in the order of `tree.flatten`, or leave by `otherwise` where the
    structure is another one; `names` are what the lines need.

    Args:
        specs: the structure of each argument, by its number.
        otherwise: a statement that leaves.
        array: the lines for an array, given its name in the source, its structure and the number of its first leaf; without
            it, those that make each of its numbers a value.

    `leaves` is how many there are, `scalars` those that are no array's.  Raises RefusedError where no such lines are worth it.
    """

    def __init__(
        self, specs: Mapping[int, Spec], otherwise: str, array: Callable[[str, Spec, int], list[str]] | None = None
    ) -> None:
        self.names: dict[str, object] = {}
        self.scalars: list[int] = []
        self.leaves = 0
        self._otherwise, self._array = otherwise, array or _numbers
        self._containers = 0
        targets, checks = self._items(specs.values())
        if len(self.scalars) > MOST_LEAVES:
            raise RefusedError
        if self.scalars:
            classes = " is ".join(f"v{i}.__class__" for i in self.scalars)
            checks.append(f"if not ({classes} is float): {otherwise}")
        given = ", ".join(f"b{i}" for i in specs)
        self.lines = [*[f"{', '.join(targets)} = {given}"] * bool(targets), *checks]

    def _items(self, specs: Iterable[Spec]) -> tuple[list[str], list[str]]:
        """Names for the items of a container, and lines that take apart those that are containers themselves."""
        targets: list[str] = []
        inside: list[str] = []
        for spec in specs:
            if spec.kind is None:
                targets.append(f"v{self.leaves}")
                self.scalars.append(self.leaves)
                self.leaves += 1
            else:
                targets.append(f"a{self._containers}")
                self._containers += 1
                inside += self._container(targets[-1], spec)
        return targets, inside

    def _container(self, name: str, spec: Spec) -> list[str]:
        if is_array(spec):
            self.names.update(array_names())
            first, self.leaves = self.leaves, self.leaves + len(spec.children)
            return [array_or(name, spec.detail, self._otherwise), *self._array(name, spec, first)]
        if spec.kind not in (list, tuple, dict):
            raise RefusedError
        lines = [f"if {name}.__class__ is not {spec.kind.__name__} or len({name}) != {len(spec.children)}: {self._otherwise}"]
        targets, inside = self._items(spec.children)
        if spec.kind is not dict:
            return [*lines, *_named(targets, name), *inside]
        order = f"k{len(self.names)}"
        self.names[order] = list(spec.detail)
        lines.append(f"if [*{name}] != {order}: {self._otherwise}")
        keys = [f"{order}_{i}" for i in range(len(targets))]
        self.names.update(zip(keys, spec.detail, strict=True))
        return [*lines, *(f"{target} = {name}[{key}]" for target, key in zip(targets, keys, strict=True)), *inside]


def _named(targets: Sequence[str], source: str) -> list[str]:
    return [f"{', '.join(targets)}, = {source}"] if targets else []


def array_or(name: str, shape: object, otherwise: str, kind: str = "float64") -> str:
    """The line that leaves by `otherwise` where `name` is no array of some numbers of a shape; its names are `array_names`."""
    return f"if {name}.__class__ is not ndarray or {name}.dtype is not {kind} or {name}.shape != {shape}: {otherwise}"


def array_names() -> dict[str, object]:
    """The names that `array_or` needs."""
    return {"ndarray": np.ndarray, "float64": np.dtype(float)}


def _numbers(name: str, spec: Spec, first: int) -> list[str]:
    """Each number of an array as a value."""
    if not spec.children:
        return []
    flat = name if len(spec.detail) == 1 else f"{name}.ravel()"
    return [f"{', '.join(f'v{i}' for i in range(first, first + len(spec.children)))}, = {flat}.tolist()"]


def assembly(
    spec: Spec,
    leaves: Sequence[str],
    names: dict[str, object],
    array: Callable[[int, Spec], str] | None = None,
    known: Mapping[int, str] = MappingProxyType({}),
    run: Callable[[int, int, bool], str | None] | None = None,
) -> str:
    """The expression that puts `leaves` together; what it needs is entered in `names`.

    `array` gives the expression of a plain array whose first leaf has that number; without it, it is made of its leaves.
    `known` has the expressions of some arrays, by the number of their first leaf.  `run` gives the expression of the
    leaves from one number to another, as a list or any sequence, if there is one.
    """
    if depth(spec) > DEEP:
        names["unflatten"], names["whole"] = unflatten, spec
        return f"unflatten(whole, [{', '.join(leaves)}])"
    return _Assembly(leaves, names, array, known, run).expression(spec)


class _Assembly:
    """Expressions of the parts of a result, made in the order of its leaves; the arguments are those of `assembly`."""

    def __init__(
        self,
        leaves: Sequence[str],
        names: dict[str, object],
        array: Callable[[int, Spec], str] | None,
        known: Mapping[int, str],
        run: Callable[[int, int, bool], str | None] | None,
    ) -> None:
        self.leaves, self.names, self.array, self.known, self.run = leaves, names, array, known, run
        self.place = 0

    def expression(self, spec: Spec) -> str:
        if spec.kind is None:
            self.place += 1
            return self.leaves[self.place - 1]
        first, last = self.place, self.place + len(spec.children)
        if spec.children and first in self.known and is_array(spec):
            self.place = last
            return self.known[first]
        if self.array is not None and is_array(spec):
            self.place = last
            return self.array(first, spec)
        if self.run is not None and len(spec.children) > 3 and spec.kind in (list, tuple, Coordinates):
            several = self._run_of(spec, first, last)
            if several is not None:
                self.place = last
                return several
        return self._of(spec, [self.expression(child) for child in spec.children])

    def _run_of(self, spec: Spec, first: int, last: int) -> str | None:
        """The container of some leaves in a row, if there is an expression for them all."""
        if self.run is None or any(child.kind is not None for child in spec.children):
            return None
        several = self.run(first, last, spec.kind is not Coordinates)
        if several is not None and spec.kind is Coordinates:
            self.names[f"s{first}"] = spec.detail.matrix
            return f"s{first}({several})"
        return several if several is None or spec.kind is list else f"tuple({several})"

    def _of(self, spec: Spec, inside: list[str]) -> str:
        """The expression of a container, from those of what is in it."""
        if spec.kind is list:
            return f"[{', '.join(inside)}]"
        if spec.kind is tuple:
            return f"({', '.join(inside)}{',' * (len(inside) == 1)})"
        if spec.kind is type(None):
            return "None"
        names = self.names
        name = f"s{len(names)}"
        if spec.kind is dict:
            keys = [f"{name}_{i}" for i in range(len(inside))]
            names.update(zip(keys, spec.detail, strict=True))
            return "{" + ", ".join(f"{k}: {x}" for k, x in zip(keys, inside, strict=True)) + "}"
        if is_array(spec):
            names["array"] = np.array
            return f"array([{', '.join(inside)}], float).reshape({spec.detail})"
        names[name], names["rebuild"] = spec, rebuild
        return f"rebuild({name}, [{', '.join(inside)}])"


def depth(spec: Spec) -> int:
    """How many containers stand in each other at most."""
    return 1 + max(map(depth, spec.children), default=0) if spec.kind is not None else 0


def is_array(spec: Spec) -> bool:
    """Whether it is a plain NumPy array."""
    return spec.kind is not None and spec.kind.__name__ == "ndarray" and spec.kind.__module__ == "numpy"
