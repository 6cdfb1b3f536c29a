"""The steps of the backward pass in words: what is added to what, and how it came about.  Imports `printer`, `model`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from .. import graph
from ..formula import nodes
from ..formula.steps import Step
from . import escape
from .fold import Folding
from .model import Card, Edge, Move, Number, Text, sign, strength

Node = Any
LABEL = 40  # characters of a symbol
SUMMED = 4  # contributions that a step lists


class Telling:
    """What a picture knows when its steps are told: see `build`."""

    root: Node
    digits: int
    names: dict[Node, str]
    folding: Folding
    steps: list[Step]
    step_at: dict[tuple[Node, int], Step]
    uses_of: dict[Node, list[Step]]
    places: dict[Node, Counter[str]]
    adjoints: dict[Node, float]
    strongest: float

    def number(self, x: float) -> str:
        """A number as it is written."""
        raise NotImplementedError

    def factor(self, x: float) -> str:
        """A number after a multiplication sign."""
        raise NotImplementedError

    def derivative(self, node: Node) -> str:
        """The total derivative by a node, as it is written."""
        raise NotImplementedError

    def header(self, node: Node, terms: Any) -> str:
        """How a node is computed."""
        raise NotImplementedError

    def symbol(self, step: Step) -> str:
        """A factor's letters."""
        raise NotImplementedError

    def place(self, node: Node, argument: int) -> str:
        """Where an operand stands."""
        raise NotImplementedError

    # -- moves --------------------------------------------------------------------------------------------------------

    def moves(self, cards: list[Card], index: Mapping[Node, int], edge_at: Mapping[tuple[Node, int], Edge]) -> list[Move]:
        """The uses of the chain rule that the picture shows, in order."""
        home, one = index[self.root], self.number(1.0)
        seed: Text = (f"{self.derivative(self.root)} = 1",)
        power = strength(1.0, self.strongest)
        moves = [Move(None, home, None, home, self.text(seed), "", "", one, "pos", power, None, (seed, ()))]
        inside = self.folding.head
        rows = {row.leaf: (card.index, k) for card in cards for k, row in enumerate(card.rows) if row.leaf is not None}
        gathered: dict[Node, list[Step]] = {}
        for step in self.steps:
            node = inside.get(step.node, step.node)
            gathered.setdefault(step.operand, []).append(step)
            if node not in index or (step.operand in inside and step.operand not in rows):
                continue
            edge = edge_at.get((step.node, step.argument))
            row: int | None = None
            if step.operand in rows:
                card, row = rows[step.operand]
                edge = self.beside(step, edge_at)
            elif edge is not None:
                card = index[step.operand]
            else:
                continue
            texts = self.line(step, node, gathered[step.operand])
            moves.append(
                Move(
                    None if edge is None else edge.index,
                    card,
                    row,
                    index[node],
                    self.text(texts[0]),
                    self.text(texts[1]),
                    "" if step.before is None else self.number(step.before),
                    self.number(step.after),
                    sign(step.after),
                    strength(step.after, self.strongest),
                    Number("part", step.node, step.argument),
                    texts,
                )
            )
        return moves

    def beside(self, step: Step, edge_at: Mapping[tuple[Node, int], Edge]) -> Edge | None:
        """The edge into the same term as a leaf folded into it: along x for w in w × x."""
        count = len(graph.operands(step.node))
        if step.node.op.name == "mul":
            return edge_at.get((step.node, 1 - step.argument))
        if step.node.op.name == "dot":
            return edge_at.get((step.node, (step.argument + count // 2) % count))
        return None

    def line(self, step: Step, node: Node, so_far: list[Step]) -> tuple[Text, Text]:
        """What a step adds to what, and how that came about: ``dy/dx: 1 (through +) + 3 (first factor) = 4``."""
        over = self.derivative(step.operand)
        symbol = escape.clean(self.symbol(step), 4 * LABEL)
        plain = symbol in (self.number(step.partial), "") or len(symbol) > LABEL
        product: Text = (
            Number("total", step.node), " × ", Number("factor", step.node, step.argument, "factor"),
            " = ", Number("part", step.node, step.argument),
        )  # fmt: skip
        letters = f"{self.derivative(node)}{'' if plain else f' × {symbol}'} = "
        if len(self.uses_of[step.operand]) < 2:
            return (f"{over} = {letters}", *product), (self.card_text(node),)
        added: list[str | Number] = [f"{over}: "]
        for k, each in enumerate(so_far[-SUMMED:]):
            style = "added" if k or len(so_far) > SUMMED else ""
            added += [Number("part", each.node, each.argument, style), f" ({self.where(each)})"]
        if len(so_far) > SUMMED:
            added.insert(1, f"… {len(so_far) - SUMMED} more")
        if len(so_far) > 1:
            added += [" = ", Number("sum", step.operand, len(so_far))]
        return tuple(added), (f"{self.where(step)}: {letters}", *product)

    def computed(self, card: Card) -> Text:
        """How the value of a card comes about, in numbers: ``v1 = w × x = 2 × 3 = 6``."""
        node, terms = card.node, self.folding.terms.get(card.node)
        parts: list[str | Number] = [f"{card.header} = "]
        if terms is None:
            marks = {a: f"\x01{i}\x02" for i, a in enumerate(graph.operands(node)) if a.__class__ is not float}
            pieces = re.split("\x01(\\d+)\x02", nodes.formula(node, marks, self.digits))
            for before, i, after in zip(pieces[::2], pieces[1::2], pieces[2::2], strict=False):
                style = "" if before.endswith("(") and after.startswith((")", ",")) else "factor"
                parts += [before, Number("value", graph.operands(node)[int(i)], 0, style)]
            parts += [pieces[-1], " = "]
        return tuple(part for part in (*parts, Number("value", node)) if part)

    def where(self, step: Step) -> str:
        """The place of a use, with the node it is in where another use has the same place."""
        place = self.place(step.node, step.argument)
        if step.operand not in self.places:
            self.places[step.operand] = Counter(self.place(s.node, s.argument) for s in self.uses_of[step.operand])
        return f"{place} of {self.names[step.node]}" if self.places[step.operand][place] > 1 else place

    def card_text(self, node: Node) -> str:
        """How the value on a card is computed."""
        formula = self.header(node, self.folding.terms.get(node))
        return f"{self.names[node]} = {formula}"

    def text(self, text: Text) -> str:
        """A text with its numbers as they are."""
        return "".join(part if isinstance(part, str) else self.written_number(part) for part in text)

    def written_number(self, n: Number) -> str:
        """A number in a text, written."""
        x = self.number_of(n)
        if n.style == "factor":
            return self.factor(x)
        text = self.number(x)
        if n.style != "added":
            return text
        return f" − {text[1:]}" if text.startswith("\u2212") else f" + {text}"

    def number_of(self, n: Number) -> float:
        """A number in a text."""
        if n.kind == "value":
            return float(n.node._data)
        if n.kind == "total":
            return self.adjoints[n.node]
        if n.kind == "sum":
            return self.uses_of[n.node][n.argument - 1].after
        step = self.step_at[n.node, n.argument]
        return step.partial if n.kind == "factor" else step.product
