"""Which nodes have a card: what folds into the card of another, the boxes of layers, and what is left out.

Chains of + become one sum card, w·x + b one dot card.  A node disappears into the card of its one consumer only where nothing
is lost: it has no name of its own, and the partial on the way is 1.  A leaf used once, in one term, is written in the row of
that term.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .. import graph, ops
from ..errors import InputTypeError, InputValueError
from ..graph import Node
from ..tree import Tree
from .model import Frame

PLUS = frozenset({ops.add, ops.sum, ops.dot})  # rows that hand their adjoint on unchanged to each term


class Factor(NamedTuple):
    """One operand of a term: that argument of `owner`."""

    operand: Any  # a node, or a float
    owner: Node
    argument: int


@dataclass(slots=True)
class Term:
    """One row of a sum or dot card: one factor, or two to be multiplied."""

    factors: tuple[Factor, ...]
    leaf: Node | None = None  # the factor written in the row instead of on a card


@dataclass(slots=True)
class Folding:
    """Which nodes have a card of their own, what it gathers, and in which card the others are."""

    terms: dict[Node, list[Term]] = field(default_factory=dict)  # cards with rows
    head: dict[Node, Node] = field(default_factory=dict)  # a node folded away -> the node whose card it is in


def uses_of(order: Collection[Node]) -> dict[Node, int]:
    """How often each node is an operand."""
    uses: dict[Node, int] = {}
    for node in order:
        for a in graph.operands(node):
            if a.__class__ is not float:
                uses[a] = uses.get(a, 0) + 1
    return uses


def own_terms(node: Node) -> list[Term] | None:
    """The terms of an op of any number of arguments as it stands; None where rows would say nothing."""
    operands = graph.operands(node)
    if node.op is ops.dot:
        half = len(operands) // 2
        return [Term((Factor(operands[i], node, i), Factor(operands[half + i], node, half + i))) for i in range(half)]
    if len(operands) < 3 or (node.op not in (ops.sum, ops.mean, ops.prod) and any(a.__class__ is float for a in operands)):
        return None
    return [Term((Factor(a, node, i),)) for i, a in enumerate(operands)]


def folding(root: Node, order: Collection[Node], fold: bool, keep: Collection[Node], first: Mapping[Node, Any]) -> Folding:
    """Decide for the whole graph of `root`.

    Args:
        order: the computed nodes, results before operands.
        fold: False gives rows only to ops that have many arguments by themselves.
        keep: nodes that must have a card.
        first: of two leaves in a term, one of these is the one written in the row.
    """
    found = Folding()
    uses = uses_of(order) if fold else {}

    def folds(a: Node) -> bool:
        return a.__class__ is not float and uses[a] == 1 and a not in keep and a is not root

    for node in order:
        if node in found.head:
            continue
        if not fold or node.op not in PLUS:
            if node.op.variadic and (own := own_terms(node)) is not None:
                found.terms[node] = own
            continue
        terms, inner = _gather(node, folds)
        for term in terms:
            leaves = [f.operand for f in term.factors if folds(f.operand) and f.operand.op is None]
            if leaves:
                term.leaf = next((a for a in leaves if a in first), leaves[0])
        if inner or len(terms) > 2 or node.op is ops.dot or any(t.leaf is not None for t in terms):
            found.terms[node] = terms
            found.head.update(dict.fromkeys(inner, node))
            found.head.update({t.leaf: node for t in terms if t.leaf is not None})
    return found


def _gather(node: Node, folds: Any) -> tuple[list[Term], list[Node]]:
    """The terms of a sum, looking through the sums and products that fold; and those."""
    terms: list[Term] = []
    inner: list[Node] = []
    stack: list[Factor | Term] = [Factor(node, node, 0)]
    while stack:
        top = stack.pop()
        if isinstance(top, Term):
            terms.append(top)
            continue
        a = top.operand
        computed = a is node or (folds(a) and a.op is not None and a.name is None)
        op = a.op if computed else None
        if op in PLUS:
            if a is not node:
                inner.append(a)
            operands = graph.operands(a)
            parts: list[Factor | Term]
            if op is ops.dot:
                parts = list(own_terms(a) or [])
            else:
                parts = [Factor(b, a, i) for i, b in enumerate(operands)]
            stack.extend(reversed(parts))
        elif op is ops.mul:
            inner.append(a)
            terms.append(Term(tuple(Factor(b, a, i) for i, b in enumerate(graph.operands(a)))))
        else:
            terms.append(Term((top,)))
    return terms, inner


# -- layers -----------------------------------------------------------------------------------------------------------


def layers_of(folding: Folding, order: Collection[Node], full: Mapping[Node, str]) -> dict[str, list[Node]]:
    """The nodes of each layer of a module: sums over its parameters, by their names, and what bends each of them.

    Args:
        folding: what shares a card.
        order: the computed nodes, results before operands.
        full: the names of the module's parameters.
    """
    found: dict[Node, str] = {}
    uses = uses_of(order) if full else {}
    for node in reversed(list(order)) if full else ():
        if node in folding.head:
            continue
        paths = {full[t.leaf].rpartition(".")[0] for t in folding.terms.get(node, ()) if t.leaf in full}
        if len(paths) == 1 and (path := paths.pop()):
            found[node] = path
        elif node.op.arity == 1:
            (a,) = graph.operands(node)
            if a in found and uses.get(a) == 1:
                found[node] = found[a]
    layers: dict[str, list[Node]] = {}
    for node, path in found.items():
        layers.setdefault(path, []).append(node)
    return layers


def framed(layers: Mapping[str, Sequence[Node]], index: Mapping[Node, int]) -> Iterator[Frame]:
    """The boxes of layers."""
    for path, nodes in layers.items():
        if cards := sorted(index[node] for node in nodes if node in index):
            yield Frame(path, cards)


# -- which part of a graph is drawn: paths to chosen Values, and what is near the root ---------------------------------


@dataclass
class Shown:
    """The nodes that are drawn, and how many are behind each of those where the picture was cut."""

    nodes: set[Node]
    stubs: dict[Node, int]


def values_of(option: str, given: Tree, known: Mapping[Node, str]) -> list[Node] | None:
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


def shown_of(
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
