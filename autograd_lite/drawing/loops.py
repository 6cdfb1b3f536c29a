"""Repeated bodies in a graph: the turns of a loop, of which a picture shows one, with what it takes from the turn before.

A loop of p nodes is found where node k and node k + p are the same op of operands in the same places: constants may differ,
other operands are the same node or stand p nodes apart.  What the first turn takes from outside in place of a turn before it is
its start.  The order is that of `notation.names_of`, in which what one turn computes stands together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .. import graph
from .fold import PLUS

Node = Any
TURNS, NODES = 4, 10  # a loop has at least so many turns, and nodes in all of them
LONGEST = 60  # nodes of a body
LARGEST = 5_000  # nodes of a graph that is looked at


class Carried(NamedTuple):
    """What a turn takes from an earlier one: the node at a place of the body, so many turns ago."""

    place: int
    ago: int


@dataclass
class Loop:
    """The turns of a loop, each a list of nodes."""

    turns: list[list[Node]]
    carried: dict[Carried, list[Any]] = field(default_factory=dict)  # by turn: a node, or a number at the start
    left: list[int] = field(default_factory=list)  # places of the body that the last turn hands on
    place: dict[Node, tuple[int, int]] = field(default_factory=dict)  # of each node: its turn, and its place in the body

    @property
    def shown(self) -> int:
        """The turn that is drawn unless another is asked for: one in the middle."""
        most = max(c.ago for c in self.carried)
        return max(most, min(len(self.turns) // 2 + 1, len(self.turns) - 2))

    def title(self, turn: int) -> str:
        """Which turn that is.

        >>> Loop([[], [], []]).title(1)
        'turn 2 of 3'
        """
        return f"turn {turn + 1} of {len(self.turns)}"

    def comes_from(self, node: Node, operand: Node) -> Carried | None:
        """What an operand of a node of the loop is, where it comes from an earlier turn."""
        if operand not in self.place:
            return None
        (turn, _), (earlier, place) = self.place[node], self.place[operand]
        return Carried(place, turn - earlier) if turn > earlier else None


def loops_of(nodes: Sequence[Node], roots: Collection[Node], keep: Collection[Node]) -> list[Loop]:
    """The loops in a graph, from the first on.

    Args:
        nodes: the computed ones, operands before results.
        roots: what is used by the picture itself.
        keep: nodes that must be drawn.
    """
    if len(nodes) > LARGEST:
        return []
    at = {node: i for i, node in enumerate(nodes)}
    users: dict[Node, list[int]] = {}
    for i, node in enumerate(nodes):
        for a in graph.operands(node):
            if a.__class__ is not float:
                users.setdefault(a, []).append(i)
    found: list[Loop] = []
    start = 0
    while start < len(nodes) - NODES + 1:
        runs = [(_turns(nodes, at, start, p), p) for p in range(1, min(LONGEST, len(nodes) // TURNS) + 1)]
        runs = [(count, p) for count, p in runs if count >= TURNS and count * p >= NODES]
        runs.sort(key=lambda run: (-run[0] * run[1], run[1]))
        loop = None
        for count, period in runs:
            if not all(node.op.name in PLUS for node in nodes[start : start + period]):  # a sum is told as one, term by term
                loop = loop or _loop(nodes, at, users, start, count, period, roots, keep)
        if loop is not None:
            found.append(loop)
        start += runs[0][0] * runs[0][1] if runs and loop is None else 1 if loop is None else len(loop.place)
    return found


def _turns(nodes: Sequence[Node], at: Mapping[Node, int], start: int, period: int) -> int:
    """How many turns of so many nodes there are from a place on."""
    i = start
    while i + period < len(nodes) and _alike(nodes, at, start, i, period):
        i += 1
    return (i - start) // period + 1


def _alike(nodes: Sequence[Node], at: Mapping[Node, int], start: int, i: int, period: int) -> bool:
    """Whether node i and the one a turn later are the same op of operands in the same places."""
    first, second = nodes[i], nodes[i + period]
    if first.op is not second.op:
        return False
    before, after = graph.operands(first), graph.operands(second)
    return len(before) == len(after) and all(
        _same(at, start, i, period, a, b) for a, b in zip(before, after, strict=True)
    )  # fmt: skip


def _same(at: Mapping[Node, int], start: int, i: int, period: int, a: Any, b: Any) -> bool:
    if a is b or (a.__class__ is float and b.__class__ is float):
        return True
    there = at.get(b, -1) if b.__class__ is not float else -1
    if there < start:
        return False  # another node from outside
    here = at.get(a, -1) if a.__class__ is not float else -1
    if here >= start:
        return there - here == period
    return there < i - (i - start) % period + period  # where the first turns have a start, later ones have a turn before


def _loop(
    nodes: Sequence[Node], at: Mapping[Node, int], users: Mapping[Node, list[int]], start: int, count: int, period: int,
    roots: Collection[Node], keep: Collection[Node],
) -> Loop | None:  # fmt: skip
    """The loop, if it is one: something is carried on, and no turn but the last is used by what follows."""
    end = start + count * period
    loop = Loop([list(nodes[i : i + period]) for i in range(start, end, period)])
    loop.place = {node: divmod(k, period) for k, node in enumerate(nodes[start:end])}
    for node, (turn, place) in loop.place.items():
        outside = node in roots or any(i >= end for i in users.get(node, ()))
        if node in keep and node not in roots:
            return None
        if outside and turn < count - 1:
            return None
        if outside:
            loop.left.append(place)
    last = loop.turns[-1]
    for place, node in enumerate(last):
        for k, a in enumerate(graph.operands(node)):
            carried = None if a.__class__ is float else loop.comes_from(node, a)
            if carried is None:
                continue
            line = [graph.operands(turn[place])[k] for turn in loop.turns]
            if not _equal(loop.carried.setdefault(carried, line), line):
                return None
    return loop if loop.carried and loop.left and loop.shown <= count - 2 else None


def _equal(some: Sequence[Any], others: Sequence[Any]) -> bool:
    return all(
        a is b or (a.__class__ is float and b.__class__ is float and a == b) for a, b in zip(some, others, strict=True)
    )  # fmt: skip
