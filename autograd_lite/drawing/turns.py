"""What a picture shows of loops and layers: what its cards and edges are in every turn, and the boxes around them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import graph
from .fold import Folding, uses_of
from .loops import Loop
from .model import Card, Edge, Frame

if TYPE_CHECKING:
    from .build import Builder

Node = Any


def turned(builder: Builder, cards: Sequence[Card], edges: Sequence[Edge], index: Mapping[Node, int]) -> Iterator[Frame]:
    """Tell the cards and edges of loops what they are in each turn; gives the box of each loop."""
    for k, loop in enumerate(builder.loops):
        members = [_carried(builder, cards, index, k, *each) for each in loop.carried.items()]
        for j, node in enumerate(loop.turns[loop.shown]):
            if node in index:
                card = cards[index[node]]
                card.loop, card.turns = k, [turn[j] for turn in loop.turns]
                card.headers = [builder.headed(each) for each in card.turns]
                members.append(card)
        for j in loop.left:
            if (node := loop.turns[-1][j]) in index:
                cards[index[node]].header = f"{builder.names[node]} after {len(loop.turns)} turns"
        shown = {node: j for j, node in enumerate(loop.turns[loop.shown])}
        for edge in edges:
            if edge.owner in shown:
                edge.owners = [turn[shown[edge.owner]] for turn in loop.turns]
                edge.labels = [builder.labelled(owner, edge.argument)[1] for owner in edge.owners]
        found = sorted(card.index for card in members if card is not None)
        if found:
            yield Frame(loop.title(loop.shown), found, k)


def _carried(
    builder: Builder, cards: Sequence[Card], index: Mapping[Node, int], k: int, carried: Any, line: list[Any]
) -> Card | None:  # fmt: skip
    """The card of what each turn takes from the one before."""
    loop: Loop = builder.loops[k]
    if line[loop.shown] not in index:
        return None
    card = cards[index[line[loop.shown]]]
    card.loop, card.turns = k, line
    for turn, node in enumerate(line):
        name = builder.number(node) if node.__class__ is float else builder.names[node]
        start = turn < carried.ago
        card.headers.append(f"{name} at the start" if start else f"{name} from turn {turn + 1 - carried.ago}")
    card.header = card.headers[loop.shown]
    return card


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
