"""Which part of a graph is drawn: paths to chosen Values, and what is near the root.  Imports `errors`."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InputTypeError, InputValueError

Node = Any


@dataclass
class Shown:
    """The nodes that are drawn, and how many are behind each of those where the picture was cut."""

    nodes: set[Node]
    stubs: dict[Node, int]


def values_of(option: str, given: Any, known: Mapping[Node, str]) -> list[Node] | None:
    """The Values given to an option, one or several; each must be one that the root was computed from."""
    if given is None:
        return None
    if hasattr(given, "_data"):
        given = [given]
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InputTypeError(f"{option}={given!r} must be a Value or a list of Values")
    values = list(given)
    for value in values:
        if not hasattr(value, "_data"):
            raise InputTypeError(f"{option} holds {value!r}, which is no Value")
        if value not in known:
            raise InputValueError(f"{option} holds {value!r}, which the drawn Value was not computed from")
    return values


def paths(operands: Mapping[Node, list[Node]], ends: Collection[Node]) -> set[Node]:
    """The nodes on a path from one of `ends` to the root; `operands` lists operands before results."""
    reached = set(ends)
    for node, below in operands.items():
        if any(a in reached for a in below):
            reached.add(node)
    return reached


def shown(
    roots: Collection[Node],
    operands: Mapping[Node, list[Node]],
    only: Collection[Node] | None,
    max_depth: int | None,
    max_nodes: int | None,
) -> Shown:
    """The nodes nearest the roots, as many as allowed."""
    for option, limit, least in (("max_depth", max_depth, 0), ("max_nodes", max_nodes, 1)):
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < least):
            raise InputValueError(f"{option}={limit!r} must be None or a whole number of at least {least}")
    depth = dict.fromkeys(roots, 0)
    waiting = deque(roots)
    nodes: set[Node] = set()
    beyond: list[Node] = []
    while waiting:
        node = waiting.popleft()
        if (max_depth is not None and depth[node] > max_depth) or (max_nodes is not None and len(nodes) >= max_nodes):
            beyond.append(node)
            continue
        nodes.add(node)
        for a in operands[node]:
            if a not in depth and (only is None or a in only):
                depth[a] = depth[node] + 1
                waiting.append(a)
    stubs: dict[Node, int] = {}
    counted = set(nodes)
    for node in [n for n in operands if n in nodes] if beyond else ():
        behind = [a for a in operands[node] if a not in nodes and (only is None or a in only)]
        if not behind:
            continue
        stubs[node] = 0
        while behind:
            a = behind.pop()
            if a not in counted:
                counted.add(a)
                stubs[node] += 1
                behind.extend(b for b in operands[a] if only is None or b in only)
    return Shown(nodes, stubs)
