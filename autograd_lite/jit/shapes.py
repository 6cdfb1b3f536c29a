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

    def take_apart(source: str, specs: tuple[Spec, ...], keys: tuple[Any, ...] | None) -> Iterator[str]:
        nonlocal leaves, inner
        # leaves are numbered in the order of flatten: those inside a container before those after it
        targets: list[str] = []
        parts: list[list[str]] = []
        for spec in specs:
            if spec.kind is None:
                targets.append(f"v{leaves}")
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

    def container(name: str, spec: Spec) -> Iterator[str]:
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
    if leaves > MOST_LEAVES:
        raise RefusedError
    if leaves:
        classes = " is ".join(f"v{i}.__class__" for i in range(leaves))
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
        names[name] = spec
        names["rebuild"] = rebuild
        return f"rebuild({name}, [{', '.join(inside)}])"

    return put_together(spec)
