"""Python source that takes arguments apart into v0, v1, ... and puts results together, for code that knows their structure.

Imports `tree`.  What is not made of lists, tuples and dicts is put together by a call of `tree.rebuild`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..tree import Spec, rebuild

MOST_LEAVES = 64  # of arguments taken apart by source of their own


class RefusedError(Exception):
    """The arguments are too many, or of a kind that only `tree.flatten` takes apart."""


class Unpacking:
    """Lines that take ``args`` apart into v0, v1, ... in the order of `tree.flatten`, or leave by `otherwise` where the
    structure is another one; `names` are what the lines need.

    Args:
        specs: the structure of each argument.
        otherwise: a statement that leaves.
        array: the lines for an array, given its name in the source, its structure and the number of its first leaf; without
            it, those that make each of its numbers a value.

    `leaves` is how many there are, `scalars` those that are no array's.  Raises RefusedError where no such lines are worth it.
    """

    def __init__(
        self, specs: Sequence[Spec], otherwise: str, array: Callable[[str, Spec, int], list[str]] | None = None
    ) -> None:
        self.names: dict[str, Any] = {}
        self.scalars: list[int] = []
        self.leaves = 0
        self._otherwise, self._array = otherwise, array or _numbers
        self._containers = 0
        self.lines = [f"if len(args) != {len(specs)}: {otherwise}", *self._parts("args", specs, None)]
        if len(self.scalars) > MOST_LEAVES:
            raise RefusedError
        if self.scalars:
            classes = " is ".join(f"v{i}.__class__" for i in self.scalars)
            self.lines.append(f"if not ({classes} is float): {otherwise}")

    def _parts(self, source: str, specs: Sequence[Spec], keys: Sequence[Any] | None) -> list[str]:
        """Lines that name the items of a container, and take apart those that are containers themselves."""
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
        if keys is None:
            return [*([f"{', '.join(targets)}, = {source}"] if targets else []), *inside]
        lines = []
        for key, target in zip(keys, targets, strict=True):
            name = f"k{len(self.names)}"
            self.names[name] = key
            lines.append(f"{target} = {source}[{name}]")
        return lines + inside

    def _container(self, name: str, spec: Spec) -> list[str]:
        if is_array(spec):
            import numpy as np

            self.names.update(ndarray=np.ndarray, float64=np.dtype(float))
            first, self.leaves = self.leaves, self.leaves + len(spec.children)
            check = f"{name}.__class__ is not ndarray or {name}.dtype is not float64 or {name}.shape != {spec.detail}"
            return [f"if {check}: {self._otherwise}", *self._array(name, spec, first)]
        if spec.kind not in (list, tuple, dict):
            raise RefusedError
        lines = [f"if {name}.__class__ is not {spec.kind.__name__} or len({name}) != {len(spec.children)}: {self._otherwise}"]
        if spec.kind is dict:
            keys = f"k{len(self.names)}"
            self.names[keys] = list(spec.detail)
            lines.append(f"if [*{name}] != {keys}: {self._otherwise}")
        return lines + self._parts(name, spec.children, spec.detail if spec.kind is dict else None)


def _numbers(name: str, spec: Spec, first: int) -> list[str]:
    """Each number of an array as a value."""
    if not spec.children:
        return []
    flat = name if len(spec.detail) == 1 else f"{name}.ravel()"
    return [f"{', '.join(f'v{i}' for i in range(first, first + len(spec.children)))}, = {flat}.tolist()"]


def packing(spec: Spec, leaves: list[str], names: dict[str, Any]) -> str:
    """The expression that puts `leaves` together; what it needs is entered in `names`."""
    supply = iter(leaves)

    def put_together(spec: Spec) -> str:
        if spec.kind is None:
            return next(supply)
        inside = [put_together(child) for child in spec.children]
        if spec.kind is list:
            return f"[{', '.join(inside)}]"
        if spec.kind is tuple:
            return f"({', '.join(inside)}{',' * (len(inside) == 1)})"
        if spec.kind is type(None):
            return "None"
        name = f"s{len(names)}"
        if spec.kind is dict:
            for key in spec.detail:
                names[f"{name}_{len(names)}"] = key
            keys = [k for k in names if k.startswith(f"{name}_")]
            return "{" + ", ".join(f"{k}: {x}" for k, x in zip(keys, inside, strict=True)) + "}"
        if is_array(spec) and not any(x.startswith("literal") for x in inside):
            import numpy as np

            names["array"] = np.array
            return f"array([{', '.join(inside)}], float).reshape({spec.detail})"
        names[name] = spec
        names["rebuild"] = rebuild
        return f"rebuild({name}, [{', '.join(inside)}])"

    return put_together(spec)


def is_array(spec: Spec) -> bool:
    """Whether it is a plain NumPy array."""
    return spec.kind is not None and spec.kind.__name__ == "ndarray" and spec.kind.__module__ == "numpy"
