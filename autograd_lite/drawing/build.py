"""From a graph of Values to the picture model: what gets a card, what an edge says."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .. import frames, graph
from ..errors import GraphTooLargeWarning, InputValueError
from ..formula import nodes, notation
from ..formula.notation import clean
from ..formula.steps import Step, adjoints_of, steps_of
from ..graph import Node
from . import subject
from .fold import PLUS, Factor, Folding, Term, folding, framed, layers_of, paths, shown_of, values_of
from .loops import loops_of, told_in_each
from .model import TOOLTIP, Card, Edge, Frame, Line, Move, label_width, measure, sign, strength

FULL, SHORT, FOLD = 40, 150, 60  # cards up to which labels are full, up to which short; nodes above which auto folds
CROWD = 150  # edges above which lines are drawn half as thick
HEADER = 44  # characters
LABEL = 40  # of a symbol on an edge

ROWS = 24  # terms that a card lists


@dataclass
class Options:
    """What `draw` was asked for that decides the content of the picture."""

    params: Any = None
    grad: str | None = "adjoint"
    labels: str = "auto"
    fold: bool | str = "auto"
    only_paths_to: Any = None
    highlight: Any = None
    max_depth: int | None = None
    max_nodes: int | None = 250
    digits: int = 4
    guards: tuple[tuple[Node, bool, str], ...] = ()  # the branches taken: what was compared, how it came out, the line
    names: Mapping[Node, str] = field(default_factory=dict)  # besides those of `params` and the Values' own
    others: tuple[Node, ...] = ()  # further results
    loops: bool = True  # whether a repeated body is drawn once, where `fold` does not say otherwise


@dataclass
class Picture:
    """Cards, edges and moves without places."""

    cards: list[Card] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    moves: Callable[[], list[Move]] = list  # worked out when asked for
    hidden: int = 0
    name: str = ""  # of the root
    builder: Any = None  # who made it, for pages that work it out anew


class Use(NamedTuple):
    """One edge to be: an operand with a card, and the term of the result's card it belongs to."""

    factor: Factor
    term: int | None


class PictureBuilder:
    """Everything that a picture of a graph is made of."""

    def __init__(self, root: Node, options: Options) -> None:
        self.root, self.options, self.digits = root, options, options.digits
        self.guards = options.guards
        self.written: dict[float, str] = {}
        self.given = subject.given_names(options.params)
        self.roots = [root, *options.others]
        given = {**options.names, **(self.given or {})}
        self.full = notation.names_of(self.roots, given, result=root)
        self.names = {node: clean(name) for node, name in self.full.items()}
        self.said = dict(self.names)  # with what was only compared
        compared = [node for node, _, _ in options.guards]
        for node, name in notation.names_of([*self.roots, *compared], self.full).items() if compared else ():
            if node not in self.said:
                formula = nodes.formula(node, self.said, self.digits)
                self.said[node] = clean(f"({formula})" if formula else name, 60)
        self.steps = steps_of(root, self.names, self.digits, worded=False)
        self.adjoints = adjoints_of(root, self.steps)
        self.uses_of: dict[Node, list[Step]] = {}
        self.places: dict[Node, Counter[str]] = {}  # how often each place of a node is taken
        for step in self.steps:
            self.uses_of.setdefault(step.operand, []).append(step)
        self.step_at: dict[tuple[Node, int], Step] = {(s.node, s.argument): s for s in self.steps}
        self.order = graph.order(self.roots)
        self.chosen = [
            values_of("only_paths_to", options.only_paths_to, self.names),
            values_of("highlight", options.highlight, self.names),
        ]
        fold = options.fold
        if fold not in (True, False, "auto"):
            raise InputValueError(f"fold={fold!r} must be True, False or 'auto'")
        module = hasattr(options.params, "named_parameters")
        wanted = module or len(self.names) > FOLD if fold == "auto" else bool(fold)
        keep = {*self.roots, *(node for values in self.chosen for node in values or ())}
        computed = [node for node in self.names if node.op is not None]
        self.loops = loops_of(computed, set(self.roots), keep) if options.loops and fold is not False and not module else []
        self.loop_of = {node: k for k, loop in enumerate(self.loops) for node in loop.place}
        self.taken = {leaf for loop in self.loops for line in loop.taken.values() for leaf in line}
        begun = {a for loop in self.loops for line in loop.carried.values() for a in line if a.__class__ is not float}
        apart = keep.union(self.loop_of, self.taken, begun)
        self.folding: Folding = folding(root, self.order, wanted, apart, self.given or {})
        own = {node: name for node, name in self.names.items() if node in (self.given or {})} if module else {}
        self.layers = layers_of(self.folding, self.order, own)
        self.layer = {node: f"{path}." for path, nodes in self.layers.items() for node in nodes}
        self.numbers = self._shown()
        self.strongest = max((abs(g) for g in self.numbers.values() if math.isfinite(g)), default=0.0)
        self.strongest_product = max((abs(s.product) for s in self.steps if math.isfinite(s.product)), default=0.0)

    # -- numbers ------------------------------------------------------------------------------------------------------

    def _shown(self) -> dict[Node, float]:
        if self.options.grad == "adjoint":
            return self.adjoints
        if self.options.grad == "attr":
            return {node: getattr(node.grad, "_data", node.grad) for node in self.names}
        if self.options.grad is None:
            return {}
        raise InputValueError(f"grad={self.options.grad!r} must be 'adjoint', 'attr' or None")

    def number(self, x: float) -> str:
        """A number as it is written."""
        text = self.written.get(x)
        if text is None:
            text = self.written[x] = notation.number(x + 0.0, self.digits)  # -0.0 + 0.0 is 0.0
        return text

    def factor(self, x: float) -> str:
        """A number after a multiplication sign."""
        text = self.number(x)
        return f"({text})" if text.startswith("\u2212") else text

    def derivative(self, node: Node) -> str:
        """The total derivative by a node, as it is written."""
        return f"d{self.names[self.root]}/d{self.names[node]}"

    # -- what is shown ------------------------------------------------------------------------------------------------

    def uses(self, node: Node) -> list[Use]:
        """The edges into the card of a node."""
        if node.op is None:
            return []
        terms = self.folding.terms.get(node)
        if terms is None:
            return [Use(Factor(a, node, i), None) for i, a in enumerate(graph.operands(node)) if a.__class__ is not float]
        return [
            Use(f, k)
            for k, term in enumerate(terms)
            for f in term.factors
            if f.operand.__class__ is not float and f.operand is not term.leaf
        ]

    def inputs(self) -> dict[Node, list[Use]]:
        """What has a card, operands before results, with the edges into it; of a loop the iteration that is shown."""
        inside = {*self.folding.head, *self.loop_of, *self.taken}
        found = {node: self.uses(node) for node in self.names if node not in inside}
        if not self.loops:
            return found
        for loop in self.loops:
            shown, last = loop.iterations[loop.shown], loop.iterations[-1]
            for line in loop.carried.values():
                starts = [a for a in line if a.__class__ is not float and a not in loop.place]
                found[line[loop.shown]] = [Use(Factor(a, None, k), None) for k, a in enumerate(dict.fromkeys(starts))]
            found.update((line[loop.shown], []) for line in loop.taken.values())
            found.update((node, self.uses(node)) for node in shown)
            found.update((last[j], [Use(Factor(shown[j], None, 0), None)]) for j in loop.left)
        return {node: found[node] for node in self.names if node in found}

    def picture(self) -> Picture:
        """The cards, edges, boxes and moves."""
        options = self.options
        inputs = self.inputs()
        operands = {node: [use.factor.operand for use in uses] for node, uses in inputs.items()}
        only, bright = (None if values is None else paths(operands, values) for values in self.chosen)
        shown = shown_of(self.roots, operands, only, options.max_depth, options.max_nodes)
        if shown.stubs:
            warnings.warn(
                f"the graph has {len(operands)} nodes to draw and {len(shown.nodes)} are drawn: give max_nodes or max_depth "
                f"a larger number or None for more of it, or only_paths_to for the part that matters",
                GraphTooLargeWarning,
                stacklevel=frames.stacklevel(),
            )
        picture = Picture(hidden=len(operands) - len(shown.nodes), name=self.names[self.root], builder=self)
        index: dict[Node, int] = {}
        for node in operands:
            if node in shown.nodes:
                card = self.card(len(index), node)
                card.dim = bright is not None and node not in bright
                index[node] = card.index
                picture.cards.append(card)
        for node in index:
            for use in inputs[node]:
                if use.factor.operand in index:
                    edge = self.edge(len(picture.edges), node, use, index, picture.cards)
                    lit = bright is not None and node in bright and use.factor.operand in bright
                    edge.emphasis, edge.dim = lit, bright is not None and not lit
                    picture.edges.append(edge)
        for node, count in shown.stubs.items():
            self.stub(picture, index[node], count)
        picture.frames = [*told_in_each(self, picture.cards, picture.edges, index), *framed(self.layers, index)]
        self.label(picture)
        for card in picture.cards:
            measure(card)
        for edge in picture.edges:
            edge.label_width = max(map(label_width, [edge.label, *edge.labels])) if edge.label else 0.0
        return picture

    # -- cards --------------------------------------------------------------------------------------------------------

    def card(self, i: int, node: Node) -> Card:
        """The card of a node."""
        name, value = self.names[node], node._data
        if any(node is root for root in self.roots):
            kind = "root"
        elif node.op is not None:
            kind = "interior"
        else:
            kind = "parameter" if self.given is None or node in self.given else "input"
        terms = self.folding.terms.get(node)
        formula = self.header(node, terms)
        card = Card(i, node, kind, name, f"{name} = {formula}" if formula else name, self.number(value))
        card.full_name = clean(self.full[node], TOOLTIP)
        lines = [f"{card.full_name} = {formula}" if formula else card.full_name, f"value = {value!r}"]
        if self.options.grad is not None:
            g = self.numbers.get(node)
            card.label = self.derivative(node) if self.options.grad == "adjoint" else f"{name}.grad"
            card.adjoint = "none" if g is None else self.number(g)
            card.sign, card.strength = sign(g), strength(g, self.strongest)
            lines.append(f"{card.label} = {g!r}" if g is not None else f"{card.label}: no gradient reaches it")
        card.bad = not math.isfinite(value) or card.sign == "bad"
        if where := getattr(node, "where", None):
            lines.append(f"made at {clean(str(where), TOOLTIP)}")
        card.may_kink = nodes.may_kink(node)
        if card.may_kink and (sides := nodes.slopes(node, self.step_at)):
            left, right, taken = map(self.number, sides)
            card.kink = f"kink: {left} | {right}, taken {taken}"
            lines.append(f"kink: the slope is {left} from the left and {right} from the right; {taken} is taken")
        card.tooltip = "\n".join(lines)
        if terms is not None:
            self.rows(card, terms)
        return card

    def headed(self, node: Node) -> str:
        """The head of a card: ``v1 = w × x``."""
        formula = self.header(node, self.folding.terms.get(node))
        return f"{self.names[node]} = {formula}" if formula else self.names[node]

    def header(self, node: Node, terms: list[Term] | None) -> str:
        """How a node is computed, as its card says it."""
        if terms is not None and node.op in PLUS:
            text = " + ".join(self.term(t) for t in terms[:4]) if len(terms) <= 4 else ""
            return text if text and len(text) <= HEADER else f"Σ {len(terms)} terms"
        return clean(nodes.formula(node, self.names, self.digits), HEADER)

    def term(self, term: Term, prefix: str = "") -> str:
        """A term as it is written."""
        texts = []
        for f in term.factors:
            if f.operand.__class__ is float:
                texts.append(self.number(f.operand))
            else:
                name = self.names[f.operand]
                texts.append(name.removeprefix(prefix) if f.operand is term.leaf else name)
        return " × ".join(texts)

    def rows(self, card: Card, terms: list[Term]) -> None:
        """The rows of a card of many terms."""
        leaves = [self.names[t.leaf] for t in terms if t.leaf is not None]
        prefix = self.layer.get(card.node) or subject.common_prefix(leaves)
        what = "value" if any(t.leaf is None for t in terms) else "weight"
        card.columns = ("term", what, f"d{self.names[self.root]}/dweight") if leaves else ("term", "value")
        if prefix and card.node not in self.layer:
            card.columns = (f"{prefix}…", *card.columns[1:])
        if leaves and not card.label:
            card.columns = card.columns[:2]
        several = len(terms) > ROWS
        for term in terms[: ROWS - 1] if several else terms:
            row = Line(self.term(term, prefix), "")
            if term.leaf is not None:
                use = next(f for f in term.factors if f.operand is term.leaf)
                row.owner, row.argument = use.owner, use.argument
                self.weight(row, term)
            else:
                row.factors = [(f.operand, graph.values(f.owner)[f.argument]) for f in term.factors]
                row.value = self.number(math.prod(x for _, x in row.factors))
            card.rows.append(row)
        if several:
            rest = len(terms) - ROWS + 1
            card.rows.append(Line(f"… {rest} more terms", "", tooltip=f"{rest} more terms"))

    def weight(self, row: Line, term: Term) -> None:
        """What a row says of the leaf folded into it."""
        leaf = row.leaf = term.leaf
        assert leaf is not None
        row.name = self.names[leaf]
        row.value = self.number(leaf._data)
        row.parameter = self.given is None or leaf in self.given
        g = self.numbers.get(leaf)
        if self.options.grad is not None:
            row.grad = "none" if g is None else self.number(g)
            row.sign, row.strength = sign(g), strength(g, self.strongest)
        row.tooltip = f"{clean(self.full[leaf], TOOLTIP)}\nvalue = {leaf._data!r}"
        if row.grad:
            row.tooltip += f"\n{self.derivative(leaf)} = {g!r}"

    def stub(self, picture: Picture, target: int, count: int) -> None:
        """The card that stands for what was left out."""
        text = f"… {count} more" if count else "…"
        card = Card(len(picture.cards), None, "stub", "…", text, tooltip=f"{count} more nodes, not drawn")
        picture.cards.append(card)
        picture.edges.append(Edge(len(picture.edges), card.index, target, tooltip=card.tooltip))

    # -- edges --------------------------------------------------------------------------------------------------------

    def edge(self, i: int, node: Node, use: Use, index: Mapping[Node, int], cards: list[Card]) -> Edge:
        """One use of an operand."""
        (operand, owner, argument), term = use
        step = self.step_at.get((owner, argument))
        edge = Edge(i, index[operand], index[node], argument=argument)
        if term is not None:
            edge.row = min(term, len(cards[edge.target].rows) - 1)
        edge.owner = owner
        if owner is None:
            edge.silent = True
            edge.tooltip = "what the iterations lead to" if operand in self.loop_of else "what the loop begins with"
            return edge
        over, where = self.derivative(operand), f"{notation.place(owner, argument)} in {self.names[node]}"
        edge.symbol, edge.label = self.labelled(owner, argument)
        if step is None:
            edge.tooltip = f"{where}: nothing flows here to {over}"
            return edge
        edge.partial, edge.contribution = step.partial, step.product
        edge.tooltip = (
            f"{where}: {edge.label}\nadds to {over}: "
            f"{self.number(step.adjoint)} × {self.factor(step.partial)} = {self.number(step.product)}"
        )
        edge.sign = sign(step.product)
        edge.weight = round(0.5 + 5.0 * strength(step.product, self.strongest_product), 2)
        return edge

    def labelled(self, owner: Node, argument: int) -> tuple[str, str]:
        """The letters and the label of an edge."""
        step = self.step_at.get((owner, argument))
        if step is None:
            return "", "no flow"
        symbol = clean(self.symbol(step), 4 * LABEL)
        symbol = symbol.removeprefix(self.layer.get(self.folding.head.get(owner, owner), ""))
        if math.isnan(step.partial):
            return symbol, "× nan (outside the domain)" if nodes.out_of_domain(owner) else "× nan"
        plain = symbol in (self.number(step.partial), "") or len(symbol) > LABEL
        return symbol, f"× {self.factor(step.partial)}" if plain else f"× {symbol} = {self.number(step.partial)}"

    def symbol(self, step: Step) -> str:
        """A step's partial as written."""
        return nodes.partial(step.node, step.argument, self.names, self.digits)

    def label(self, picture: Picture) -> None:
        """Keep the labels that there is room for, and the thickness of lines."""
        level = self.options.labels
        if level not in ("auto", "full", "short", "none"):
            raise InputValueError(f"labels={level!r} must be 'auto', 'full', 'short' or 'none'")
        if level == "auto":
            n = len(picture.cards)
            crowded = sum(e.row is not None for e in picture.edges) > FULL
            level = "full" if n <= FULL and not crowded else "short" if n <= SHORT else "none"
        for edge in picture.edges:
            if len(picture.edges) > CROWD:
                edge.weight = max(round(edge.weight / 2, 2), 0.6)
            if level == "none" or (level == "short" and edge.row is not None):
                edge.label = ""
            elif level == "short" and edge.label:
                edge.label = f"× {self.factor(edge.partial)}" if edge.contribution is not None else edge.label
