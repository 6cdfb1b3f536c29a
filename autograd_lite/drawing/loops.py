"""Loops, of which one iteration is drawn: what repeats, and what the cards and edges of that iteration are in the others.

A loop of p nodes is found where node k and node k + p are the same op of operands in the same places: constants may differ, and
leaves that each iteration has for itself; other operands are the same node or stand p nodes apart.  What the first iteration
takes in place of an iteration before it is its start.  The order is that of `notation.names_of`, in which what one iteration
computes stands together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import graph, ops
from ..graph import Node
from ..ops import Op
from ..tree import Number
from .fold import PLUS
from .model import Card, Edge, Frame

if TYPE_CHECKING:
    from .build import PictureBuilder

ITERATIONS, NODES = 4, 10  # a loop has at least so many iterations, and nodes in all of them
LONGEST = 60  # nodes of a body
LARGEST = 5_000  # nodes of a graph that is looked at


class Carried(NamedTuple):
    """What an iteration takes from an earlier one: the node at a place of the body, so many iterations ago."""

    place: int
    ago: int


@dataclass
class Loop:
    """The iterations of a loop, each a list of nodes."""

    iterations: list[list[Node]]
    carried: dict[Carried, list[Any]] = field(default_factory=dict)  # by iteration: a node, or a number at the start
    taken: dict[Node, list[Node]] = field(default_factory=dict)  # by the first: leaves of which each iteration has its own
    left: list[int] = field(default_factory=list)  # places of the body that the last iteration hands on
    place: dict[Node, tuple[int, int]] = field(default_factory=dict)  # of each node: its iteration, and its place in the body

    @property
    def shown(self) -> int:
        """The iteration that is drawn unless another is asked for: one in the middle."""
        most = max(c.ago for c in self.carried)
        return max(most, min(len(self.iterations) // 2 + 1, len(self.iterations) - 2))

    def title(self, iteration: int) -> str:
        """Which iteration that is.

        >>> Loop([[], [], []]).title(1)
        'iteration 2 of 3'
        """
        return f"iteration {iteration + 1} of {len(self.iterations)}"

    def comes_from(self, node: Node, operand: Node) -> Carried | None:
        """What an operand of a node of the loop is, where it comes from an earlier iteration."""
        if operand not in self.place:
            return None
        (iteration, _), (earlier, place) = self.place[node], self.place[operand]
        return Carried(place, iteration - earlier) if iteration > earlier else None


def loops_of(nodes: Sequence[Node], roots: Collection[Node], keep: Collection[Node]) -> list[Loop]:
    """The loops in a graph, from the first on.

    Args:
        nodes: the computed ones, operands before results.
        roots: what is used by the picture itself.
        keep: nodes that must be drawn.
    """
    found = _loops(nodes, roots, keep) if len(nodes) <= LARGEST else []
    if not found:
        return []
    # where two chains run side by side, the order above may change from iteration to iteration; this does not
    depth: dict[Node, int] = {}
    for node in nodes:
        depth[node] = 1 + max((depth.get(a, 0) for a in graph.operands(node) if a.__class__ is not float), default=0)
    other = _loops(sorted(nodes, key=lambda node: (depth[node], node.op.name)), roots, keep)
    return max(found, other, key=lambda loops: sum(len(loop.place) - len(loop.iterations[0]) for loop in loops))


def _loops(nodes: Sequence[Node], roots: Collection[Node], keep: Collection[Node]) -> list[Loop]:
    """The loops in a list of nodes."""
    at = {node: i for i, node in enumerate(nodes)}
    users: dict[Node, list[int]] = {}
    for i, node in enumerate(nodes):
        for a in graph.operands(node):
            if a.__class__ is not float:
                users.setdefault(a, []).append(i)
    found: list[Loop] = []
    letter: dict[Op, str] = {}
    ops = "".join(letter.setdefault(node.op, chr(len(letter))) for node in nodes)
    start = failed = 0
    while start < len(nodes) - NODES + 1:
        most = min(LONGEST, (len(nodes) - start) // ITERATIONS)
        some = [
            p
            for p, op in enumerate(ops[start + 1 : start + most + 1], 1)
            if op == ops[start] and ops[start : start + (ITERATIONS - 1) * p] == ops[start + p : start + ITERATIONS * p]
        ]
        runs = [(_iterations(nodes, at, start, p), p) for p in some]
        runs = [(count, p) for count, p in runs if count >= ITERATIONS and count * p >= NODES]
        longest = max(runs, key=lambda run: run[0] * run[1], default=(0, 0))
        # what two iterations do is one of the other runs: the shortest that misses less than an iteration of the longest
        runs.sort(key=lambda run: (run[0] * run[1] <= longest[0] * longest[1] - longest[1], run[1]))
        bodies = [(count, p) for count, p in runs if _may_be(nodes, at, start, start + count * p, p)]
        loops = (_loop(nodes, at, users, start, *run, roots, keep) for run in bodies)
        loop = next(filter(None, loops), None)
        if loop is not None:
            found.append(loop)
            start, failed = start + len(loop.place), 0
        elif bodies and failed < longest[1]:  # another node may be the first of an iteration
            start, failed = start + 1, failed + 1
        else:
            start, failed = start + max(longest[0] * longest[1], 1), 0
    return found


def _iterations(nodes: Sequence[Node], at: Mapping[Node, int], start: int, period: int) -> int:
    """How many iterations of so many nodes there are from a place on."""
    i = start
    while i + period < len(nodes) and _alike(nodes, at, start, i, period):
        i += 1
    return (i - start) // period + 1


def _alike(nodes: Sequence[Node], at: Mapping[Node, int], start: int, i: int, period: int) -> bool:
    """Whether node i and the one an iteration later are the same op of operands in the same places."""
    first, second = nodes[i], nodes[i + period]
    before, after = graph.operands(first), graph.operands(second)
    if first.op is not second.op or len(before) != len(after):
        return False
    for a, b in zip(before, after, strict=True):
        if a is b or (a.__class__ is float and b.__class__ is float):
            continue
        here = at.get(a, -1) if a.__class__ is not float else -1
        there = at.get(b, -1) if b.__class__ is not float else -1
        if here >= start:
            same = there - here == period
        elif (
            there < start
        ):  # computed before the loop: what the first iterations begin with, or a leaf of its own for each iteration
            same = i - start < period or (_is_leaf(a) and _is_leaf(b))
        else:  # where the first iterations have a start, later ones have an iteration before
            same = there < i - (i - start) % period + period
        if not same:
            return False
    return True


def _may_be(nodes: Sequence[Node], at: Mapping[Node, int], start: int, end: int, period: int) -> bool:
    """Whether anything is carried on, and by more than a sum: that is told as one, term by term."""
    if not any(
        a.__class__ is not float and start <= at.get(a, -1) < end - period
        for node in nodes[end - period : end]
        for a in graph.operands(node)
    ):
        return False
    others = [node for node in nodes[start : start + period] if node.op not in PLUS]
    if any(
        node.op is not ops.mul or any(a.__class__ is not float and start <= at.get(a, -1) < end for a in graph.operands(node))
        for node in others
    ):
        return True
    pairs = zip(nodes[start : start + period], nodes[start + period :], strict=False)
    leaves = (zip(graph.operands(first), graph.operands(second), strict=False) for first, second in pairs)
    return bool(others) and not any(a is not b and _is_leaf(a) and _is_leaf(b) for pair in leaves for a, b in pair)


def _loop(
    nodes: Sequence[Node], at: Mapping[Node, int], users: Mapping[Node, list[int]], start: int, count: int, period: int,
    roots: Collection[Node], keep: Collection[Node],
) -> Loop | None:  # fmt: skip
    """The loop, if it is one: something is carried on, and no iteration but the last is used by what follows."""
    end = start + count * period
    loop = Loop([list(nodes[i : i + period]) for i in range(start, end, period)])
    loop.place = {node: divmod(k, period) for k, node in enumerate(nodes[start:end])}
    for node, (iteration, place) in loop.place.items():
        used_later = node in roots or any(i >= end for i in users.get(node, ()))
        if node in keep and node not in roots:
            return None
        if used_later and iteration < count - 1:
            return None
        if used_later:
            loop.left.append(place)
    for place, node in enumerate(loop.iterations[-1]):
        for k, a in enumerate(graph.operands(node)):
            if a.__class__ is float:
                continue
            line = [graph.operands(iteration[place])[k] for iteration in loop.iterations]
            carried = loop.comes_from(node, a)
            if carried is not None:
                if not _alike_lines(loop.carried.setdefault(carried, line), line):
                    return None
                continue
            own = a not in loop.place and any(other is not a for other in line)
            if own and not (all(map(_is_leaf, line)) and _alike_lines(loop.taken.setdefault(line[0], line), line)):
                return None
    if not all(_own(line, users, start, period, keep) for line in loop.taken.values()):
        return None
    if not all(
        line[iteration] is loop.iterations[iteration - c.ago][c.place]
        for c, line in loop.carried.items()
        for iteration in range(c.ago, count)
    ):
        return None
    return loop if loop.carried and loop.left and loop.shown <= count - 2 else None


def _is_leaf(a: Number) -> bool:
    return a.__class__ is not float and a.op is None


def _own(line: list[Node], users: Mapping[Node, list[int]], start: int, period: int, keep: Collection[Node]) -> bool:
    """Whether each of these leaves is used in its own iteration alone."""
    return all(a not in keep and {(i - start) // period for i in users[a]} == {iteration} for iteration, a in enumerate(line))


def _alike_lines(some: Sequence[Number], others: Sequence[Number]) -> bool:
    return all(
        a is b or (a.__class__ is float and b.__class__ is float and a == b) for a, b in zip(some, others, strict=True)
    )  # fmt: skip


def told_in_each(
    builder: PictureBuilder, cards: Sequence[Card], edges: Sequence[Edge], index: Mapping[Node, int]
) -> Iterator[Frame]:
    """Tell the cards and edges of loops what they are in each iteration; gives the box of each loop."""
    for k, loop in enumerate(builder.loops):
        members = [_carried(builder, cards, index, k, *each) for each in loop.carried.items()]
        for line in loop.taken.values():
            if line[loop.shown] in index:
                card = cards[index[line[loop.shown]]]
                card.loop, card.iterations, card.headers = k, list(line), [builder.names[leaf] for leaf in line]
                members.append(card)
        for j, node in enumerate(loop.iterations[loop.shown]):
            if node in index:
                card = cards[index[node]]
                card.loop, card.iterations = k, [iteration[j] for iteration in loop.iterations]
                card.headers = [builder.headed(each) for each in card.iterations]
                members.append(card)
        for j in loop.left:
            if (node := loop.iterations[-1][j]) in index:
                cards[index[node]].header = f"{builder.names[node]} after {len(loop.iterations)} iterations"
        shown = {node: j for j, node in enumerate(loop.iterations[loop.shown])}
        for edge in edges:
            if edge.owner in shown:
                edge.owners = [iteration[shown[edge.owner]] for iteration in loop.iterations]
                edge.labels = [builder.labelled(owner, edge.argument)[1] for owner in edge.owners]
        found = sorted(card.index for card in members if card is not None)
        if found:
            yield Frame(loop.title(loop.shown), found, k)


def _carried(
    builder: PictureBuilder, cards: Sequence[Card], index: Mapping[Node, int], k: int, carried: Any, line: list[Node]
) -> Card | None:  # fmt: skip
    """The card of what each iteration takes from the one before."""
    loop: Loop = builder.loops[k]
    if line[loop.shown] not in index:
        return None
    card = cards[index[line[loop.shown]]]
    card.loop, card.iterations = k, line
    for iteration, node in enumerate(line):
        name = builder.number(node) if node.__class__ is float else builder.names[node]
        start = iteration < carried.ago
        card.headers.append(f"{name} at the start" if start else f"{name} from iteration {iteration + 1 - carried.ago}")
    card.header = card.headers[loop.shown]
    return card
