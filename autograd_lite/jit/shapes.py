"""Python source that takes arguments apart into v0, v1, ... and puts results together, for code that knows their structure.

Imports `tree`.  What is not made of lists, tuples and dicts is put together by a call of `tree.rebuild`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..tree import Spec, rebuild

MOST_LEAVES = 64  # of arguments taken apart by source of their own


class RefusedError(Exception):
    """The arguments are too many, or of a kind that only `tree.flatten` takes apart."""


def unpacking(specs: tuple[Spec, ...], otherwise: str) -> tuple[list[str], dict[str, Any]]:
    """Lines that take ``args`` apart, or leave by `otherwise` where the structure is another one; and the names they need.

    Raises RefusedError where no such lines are worth it.
    """
    names: dict[str, Any] = {}
    lines = [f"if len(args) != {len(specs)}: {otherwise}"]
    leaves = 0
    inner = 0
    checked: list[int] = []  # the leaves that may be of any class

    def take_apart(source: str, specs: tuple[Spec, ...], keys: tuple[Any, ...] | None) -> Iterator[str]:
        nonlocal leaves, inner
        # leaves are numbered in the order of flatten: those inside a container before those after it
        targets: list[str] = []
        parts: list[list[str]] = []
        for spec in specs:
            if spec.kind is None:
                targets.append(f"v{leaves}")
                checked.append(leaves)
                leaves += 1
            else:
                targets.append(f"a{inner}")
                inner += 1
                parts.append(list(container(targets[-1], spec)))
        if keys is not None:
            for key, target in zip(keys, targets, strict=True):
                name = f"k{len(names)}"
                names[name] = key
                yield f"{target} = {source}[{name}]"
        elif targets:
            yield f"{', '.join(targets)}, = {source}"
        for part in parts:
            yield from part

    def array(name: str, spec: Spec) -> Iterator[str]:
        nonlocal leaves
        import numpy as np

        names.update(ndarray=np.ndarray, float64=np.dtype(float))
        yield f"if {name}.__class__ is not ndarray or {name}.dtype is not float64 or {name}.shape != {spec.detail}: {otherwise}"
        first, leaves = leaves, leaves + len(spec.children)
        if spec.children:
            flat = name if len(spec.detail) == 1 else f"{name}.ravel()"
            yield f"{', '.join(f'v{i}' for i in range(first, leaves))}, = {flat}.tolist()"

    def container(name: str, spec: Spec) -> Iterator[str]:
        if _is_array(spec):
            yield from array(name, spec)
            return
        if spec.kind not in (list, tuple, dict):
            raise RefusedError
        kind, size = spec.kind.__name__, len(spec.children)
        yield f"if {name}.__class__ is not {kind} or len({name}) != {size}: {otherwise}"
        if spec.kind is dict:
            keys = f"k{len(names)}"
            names[keys] = list(spec.detail)
            yield f"if [*{name}] != {keys}: {otherwise}"
            yield from take_apart(name, spec.children, spec.detail)
        else:
            yield from take_apart(name, spec.children, None)

    lines += take_apart("args", specs, None)
    if len(checked) > MOST_LEAVES:
        raise RefusedError
    if checked:
        classes = " is ".join(f"v{i}.__class__" for i in checked)
        lines.append(f"if not ({classes} is float): {otherwise}")
    return lines, names


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
        if _is_array(spec) and not any(x.startswith("literal") for x in inside):
            import numpy as np

            names["array"] = np.array
            return f"array([{', '.join(inside)}], float).reshape({spec.detail})"
        names[name] = spec
        names["rebuild"] = rebuild
        return f"rebuild({name}, [{', '.join(inside)}])"

    return put_together(spec)


def _is_array(spec: Spec) -> bool:
    """Whether it is a plain NumPy array."""
    return spec.kind is not None and spec.kind.__name__ == "ndarray" and spec.kind.__module__ == "numpy"
