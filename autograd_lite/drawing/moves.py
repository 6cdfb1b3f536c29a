"""The steps of the backward pass in words: what is added to what, and how it came about."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Mapping

from .. import graph, ops
from ..errors import counted
from ..formula import nodes, notation
from ..formula.notation import clean
from ..formula.steps import Step
from ..graph import Node
from .build import LABEL, Options, Picture, PictureBuilder
from .loops import Loop
from .model import Card, Edge, Move, Number, Text, sign, strength

SUMMED = 4  # contributions that a step lists


def build(root: Node, options: Options) -> Picture:
    """The picture of everything `root` was computed from; it changes nothing."""
    return Telling(root, options).picture()


class Telling(PictureBuilder):
    """A builder that also tells the steps of what it built."""

    def picture(self) -> Picture:
        picture = super().picture()
        picture.moves = functools.partial(self.moves, picture.cards, picture.edges)
        return picture

    def moves(self, cards: list[Card], edges: list[Edge], every: bool = False) -> list[Move]:
        """The uses of the chain rule that the picture shows, in order; of loops in the shown iteration or in `every` one."""
        return Told(self, cards, edges, every).run()

    def beside(self, step: Step, edge_at: Mapping[tuple[Node, int], Edge]) -> Edge | None:
        """The edge into the same term as a leaf folded into it: along x for w in w × x."""
        count = len(graph.operands(step.node))
        if step.node.op is ops.mul:
            return edge_at.get((step.node, 1 - step.argument))
        if step.node.op is ops.dot:
            return edge_at.get((step.node, (step.argument + count // 2) % count))
        return None

    def line(self, step: Step, node: Node, so_far: list[Step]) -> tuple[Text, Text]:
        """What a step adds to what, and how that came about: ``dy/dx: 1 (through +) + 3 (first factor) = 4``."""
        over = self.derivative(step.operand)
        symbol = clean(self.symbol(step), 4 * LABEL)
        plain = symbol in (self.number(step.partial), "") or len(symbol) > LABEL
        product: Text = (
            Number("total", step.node), " × ", Number("factor", step.node, step.argument, "factor"),
            " = ", Number("part", step.node, step.argument),
        )  # fmt: skip
        shown: Text = () if plain else (Number("factor", step.node, step.argument, f" × {symbol}"),)
        product = (self.derivative(node), *shown, " = ", *product)
        if len(self.uses_of[step.operand]) < 2:
            return (f"{over} = ", *product), (self.card_text(node),)
        added: list[str | Number] = [f"{over}: "]
        for k, each in enumerate(so_far[-SUMMED:]):
            style = "added" if k or len(so_far) > SUMMED else ""
            added += [Number("part", each.node, each.argument, style), f" ({self.where(each)})"]
        if len(so_far) > SUMMED:
            added.insert(1, f"… {len(so_far) - SUMMED} more")
        if len(so_far) > 1:
            added += [" = ", Number("sum", step.operand, len(so_far))]
        return tuple(added), (f"{self.where(step)}: ", *product)

    def computed(self, card: Card, iteration: int | None = None) -> Text:
        """How the value of a card comes about, in numbers: ``v1 = w × x = 2 × 3 = 6``; of a loop, in an iteration."""
        node, header = card.node, card.header
        if iteration is not None:
            node, header = card.iterations[iteration], card.headers[iteration]
        if node.__class__ is float:
            return (f"{header} = {self.number(node)}",)
        parts: list[str | Number] = [f"{header} = "]
        if not header.startswith(f"{self.names[node]} = "):
            return (*parts, Number("value", node))
        terms = self.folding.terms.get(node)
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
        place = notation.place(step.node, step.argument)
        if step.operand not in self.places:
            self.places[step.operand] = Counter(notation.place(s.node, s.argument) for s in self.uses_of[step.operand])
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
        if n.style.startswith(" "):
            return n.style if x == x else ""
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


class Told:
    """The backward pass of a picture told step by step, with one iteration of each loop."""

    def __init__(self, telling: Telling, cards: list[Card], edges: list[Edge], every: bool) -> None:
        self.telling, self.cards = telling, cards
        self.index: dict[Node, int] = {card.node: card.index for card in cards if card.node is not None}
        self.edge_at = {edge.key: edge for edge in edges}
        self.every = every
        self.silent = [edge for edge in edges if edge.silent]
        self.leaving = {edge.source: edge for edge in reversed(self.silent)}
        self.rows = {row.leaf: (c.index, k) for c in cards for k, row in enumerate(c.rows) if row.leaf is not None}
        self.gathered: dict[Node, list[Step]] = {}
        self.handed: set[Node] = set()  # nodes of a told iteration that have got what comes from later ones
        self.complete: set[Node] = set()  # and those of which every card has got all
        self.counted: dict[tuple[int, tuple[int, int] | None], int] = {}  # how much each card has got, by loop and iteration
        self.given_by_loops: dict[Node, tuple[int, Edge | None]] = {}  # to what they are computed from
        self.found: list[Move] = []

    def run(self) -> list[Move]:
        """The moves."""
        telling, home = self.telling, self.index[self.telling.root]
        self.add(None, home, None, home, telling.root, None, ((f"{telling.derivative(telling.root)} = 1",), ()), "", 1.0)
        inside = telling.folding.head
        for step in telling.steps:
            node = inside.get(step.node, step.node)
            if step.node in self.given_by_loops:
                self.flush(step.node)
            if node in telling.loop_of:
                self.in_loop(step, node)
                continue
            self.gathered.setdefault(step.operand, []).append(step)
            if node in self.index and not (step.operand in inside and step.operand not in self.rows):
                self.plain(step, node)
        for node in list(self.given_by_loops):
            self.flush(node)
        return self.found

    def plain(self, step: Step, node: Node) -> None:
        """A step that is in no loop."""
        edge, row = self.edge_at.get((step.node, step.argument)), None
        if step.operand in self.rows:
            card, row = self.rows[step.operand]
            edge = self.telling.beside(step, self.edge_at)
        elif edge is not None:
            card = edge.source
        else:
            return
        self.step(step, node, edge, card, row, self.index[node])

    def step(
        self,
        step: Step,
        node: Node,
        edge: Edge | None,
        card: int,
        row: int | None,
        source: int,
        loop: tuple[int, int] | None = None,
    ) -> None:
        """A use of the chain rule as a move."""
        so_far = self.gathered[step.operand]
        self.counted[card, loop] = len(so_far)
        before = "" if step.before is None else self.telling.number(step.before)
        texts = self.telling.line(step, node, so_far)
        total = Number("sum", step.operand, len(so_far))
        self.add(edge, card, row, source, step.operand, total, texts, before, step.after, loop)

    def add(
        self, edge: Edge | None, card: int, row: int | None, source: int, node: Node, total: Number | None,
        texts: tuple[Text, Text], before: str, after: float, loop: tuple[int, int] | None = None, back: bool = False,
    ) -> None:  # fmt: skip
        """One more move."""
        telling = self.telling
        self.found.append(
            Move(
                None if edge is None else edge.index, card, row, source, telling.text(texts[0]), telling.text(texts[1]), before,
                telling.number(after), sign(after), strength(after, telling.strongest), total, texts, loop, back,
            )
        )  # fmt: skip

    # -- loops --------------------------------------------------------------------------------------------------------

    def in_loop(self, step: Step, node: Node) -> None:
        """A step of a loop: told in the iterations that are told; the others add up."""
        k = self.telling.loop_of[node]
        loop = self.telling.loops[k]
        iteration, place = loop.place[node]
        told = self.every or iteration == loop.shown
        operand = step.operand
        self.elsewhere(k, node)
        if told:
            self.hand(k, loop, iteration, place, node)
            if operand in loop.place and loop.place[operand][0] == iteration:
                self.hand(k, loop, iteration, loop.place[operand][1], operand)
        self.gathered.setdefault(operand, []).append(step)
        edge = self.edge_at.get((loop.iterations[loop.shown][place], step.argument))
        into = edge is not None and self.cards[edge.source].loop == k
        if operand not in loop.place and operand not in self.telling.taken:
            begins = [e for e in self.silent if e.source == self.index.get(operand) and self.cards[e.target].loop == k]
            self.given_by_loops[operand] = (k, edge if edge is not None and not into else begins[0] if begins else None)
        if told and edge is not None and into:
            self.step(step, node, edge, edge.source, None, edge.target, (k, iteration))

    def hand(self, k: int, loop: Loop, iteration: int, place: int, node: Node) -> None:
        """What comes back from the iterations after one, and from behind the loop."""
        handing = place in loop.left or any(c.place == place for c in loop.carried)
        card = self.index.get(loop.iterations[loop.shown][place])
        if not handing or node in self.handed or card is None:
            return
        self.handed.add(node)
        so_far, over = self.gathered.get(node, []), self.telling.derivative(node)
        left = len(loop.iterations) - 1 - iteration
        where = f"the {counted(left, 'iteration')} after this one" if left else "what follows the loop"
        leaving = self.leaving.get(card)
        source = card if leaving is None else leaving.target
        total: Number | None = Number("sum", node, len(so_far)) if so_far else None
        after = so_far[-1].after if so_far else 0.0
        said: Text = (f"{over}: nothing comes back from {where}",)
        if node is self.telling.root:
            total, after, said = Number("total", node), 1.0, (f"{over} = 1",)
        elif total is not None:
            said = (f"{over} = ", total, f", back through {where}")
        self.add(leaving, card, None, source, node, total, (said, ()), "", after, (k, iteration), True)

    def elsewhere(self, k: int, node: Node) -> None:
        """What came back to something carried from other iterations than the one whose card it is on."""
        loop, so_far = self.telling.loops[k], self.gathered.get(node, [])
        if node in self.complete or not so_far:
            return
        self.complete.add(node)
        iteration, place = loop.place.get(node, (0, None))
        takers = [
            (self.index.get(line[loop.shown]), (k, at))
            for c, line in loop.carried.items()
            for at in ([iteration + c.ago] if c.place == place else range(c.ago) if place is None else ())
            if at < len(line) and line[at] is node and (self.every or at == loop.shown)
        ]
        behind = [(self.index.get(node), None)] if place in loop.left and iteration == len(loop.iterations) - 1 else []
        total = Number("sum", node, len(so_far))
        said: Text = (f"{self.telling.derivative(node)} = ", total, ", with what comes back elsewhere in the loop")
        for card, where in [*takers, *behind]:
            if card is not None and self.counted.get((card, where), 0) < len(so_far):
                self.add(None, card, None, card, node, total, (said, ()), "", so_far[-1].after, where)

    def flush(self, node: Node) -> None:
        """What all iterations of a loop give to something that it is computed from."""
        k, edge = self.given_by_loops.pop(node)
        self.elsewhere(k, node)
        if node not in self.index or edge is None:
            return
        so_far = self.gathered[node]
        total = Number("sum", node, len(so_far))
        over, count = self.telling.derivative(node), len(self.telling.loops[k].iterations)
        texts: tuple[Text, Text] = ((f"{over} = ", total, f", back through all {count} iterations"), ())
        self.add(edge, self.index[node], None, edge.target, node, total, texts, "", so_far[-1].after)
