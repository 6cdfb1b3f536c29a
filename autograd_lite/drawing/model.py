"""The picture before it has a place: cards, edges, moves, and how large they are.

What the other files of this package agree on:

* ``Drawing.nodes`` is a list of `Card`, ``Drawing.edges`` a list of `Edge`, ``Drawing.steps`` a list of `Move`; the index of
  a card or an edge is its place in its list.  ``Drawing.prefix`` is the text every id and class of its SVG starts with.
* SVG, p being the prefix.  Every class starts with p, too::

      <svg id=p class=p viewBox="0 0 W H" width=W height=H>
      <g id=p-e{j} class="p-e p-pos|p-neg|p-zero|p-bad"> title, <path class=p-line>, <path class=p-tip> </g>   edge j
      <g id=p-l{j} class="p-l"> <rect class=p-pill>, <text> </g>           the label of edge j, where it has one
      <g id=p-n{i} class="p-n p-parameter|p-input|p-interior|p-root|p-stub"> title, <rect class=p-box>, header, value,
         <rect class="p-band p-pos|p-neg|p-zero|p-bad" fill-opacity=strength>, <text class=p-grad>  the adjoint's text
         <g id=p-n{i}-r{k} class=p-row> ... <rect class=p-band>, <text class=p-grad> </g>       row k of a sum or dot card
      </g>                                                                 card i

* A `Frame` is drawn around the cards it holds: ``<rect id=p-f{k} class=p-frame>``, its title ``<g id=p-b{k}>``.  Of a loop one
  iteration is drawn; its cards and edges list what they are in every iteration; silent edges lead into the box and out of it.
* One `Move` per use of the chain rule, in an order that works; the first is the seed.  What it changes: the ``p-grad`` text and
  the ``p-band`` of card ``move.card`` (of its row ``move.row`` where that is not None: a leaf folded into the card) go from
  ``move.before`` to ``move.after``; the edge ``move.edge`` is what it came along (None for the seed, and for a folded leaf in a
  term without an edge), the card ``move.source`` is whose adjoint was handed on.  ``Move.line`` is the sentence.
* `page.page(drawing) -> str` is what ``Drawing.html()`` calls; it starts from ``drawing.svg()``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..formula.notation import columns

Point = tuple[float, float]


class Number(NamedTuple):
    """A number inside a text: which one it is, so that a page can write it anew when the leaves change."""

    kind: str  # value, total (derivative of the root), factor, part (what one use adds to a total), sum (of the first parts)
    node: Any
    argument: int = 0  # of a factor or part: which operand of the node; of a sum: how many parts
    style: str = ""  # "factor": a negative one in parentheses; "added": with + or −; " × 1/x": that, unless it is nan


Text = tuple["str | Number", ...]
TOOLTIP = 1000  # characters of a name in a tooltip
ROW, HEAD = 15.0, 17.0  # heights of a row of a card and of the line above the rows, pixels


@dataclass(slots=True)
class Line:
    """One term inside a sum or dot card; an edge may end at it."""

    text: str  # "w.1 × x2"
    value: str  # what is worth showing of it: the folded weight, or the term
    grad: str = ""  # the adjoint of a leaf folded into it, else empty
    sign: str = "zero"
    strength: float = 0.0
    tooltip: str = ""
    leaf: Any = None  # that leaf
    factors: list[tuple[Any, float]] = field(
        default_factory=list
    )  # what a term without one is the product of, and their values
    owner: Any = None  # the node that uses it, as which argument
    argument: int = 0
    name: str = ""  # its name
    parameter: bool = False  # whether it is one


@dataclass(slots=True)
class Card:
    """One Value as drawn, or a stub for what was cut off."""

    index: int
    node: Any  # the Value; None for a stub
    kind: str  # parameter, input, interior, root, stub
    name: str  # "v1"
    header: str  # "v1 = w × x"
    value: str = ""  # "3"
    label: str = ""  # "dL/dv1"; empty: no such row
    adjoint: str = ""  # "−3"
    sign: str = "zero"  # of the adjoint: pos, neg, zero, bad (nan or infinite)
    strength: float = 0.0  # opacity of the band, 0 to 0.5
    columns: tuple[str, ...] = ()  # heads of the columns of the rows; the first may be what the names have in common
    rows: list[Line] = field(default_factory=list)
    tooltip: str = ""
    full_name: str = ""  # up to 1,000 characters of it
    bad: bool = False  # value or adjoint is nan or infinite
    dim: bool = False  # not on a highlighted path
    loop: int | None = None  # the loop it is one iteration of
    iterations: list[Any] = field(
        default_factory=list
    )  # in a loop: its node in each iteration; a number where it starts with one
    headers: list[str] = field(default_factory=list)  # and its header
    kink: str = ""  # "kink: −1 | 1, taken 0"
    may_kink: bool = False  # whether it may be at one for other numbers
    room: int = 0  # characters that a number may come to have
    width: float = 0.0
    height: float = 0.0
    x: float = 0.0  # left
    y: float = 0.0  # top

    def port(self, row: int | None) -> float:
        """How far below the top an edge into that row ends."""
        return self.height / 2 if row is None else self.height - 4.0 - ROW * (len(self.rows) - row - 0.5)


@dataclass(slots=True)
class Edge:
    """One use of an operand: from its card to the card of the result."""

    index: int
    source: int  # card of the operand
    target: int  # card of the result
    row: int | None = None  # the term it ends at
    owner: Any = None  # the node it is an operand of: that of the card, or one folded into it
    argument: int = 0  # which operand of that node it is
    owners: list[Any] = field(default_factory=list)  # in a loop: that node in each iteration
    labels: list[str] = field(default_factory=list)  # and the label, empty where there is no such edge
    silent: bool = False  # hands a value on into a loop or out of it, and has no factor
    symbol: str = ""  # "x"
    partial: float = 0.0
    contribution: float | None = None  # what it adds to the operand's adjoint; None: nothing flows
    label: str = ""  # as drawn, empty for none
    tooltip: str = ""
    sign: str = "zero"
    weight: float = 1.0  # of the line, in pixels
    dim: bool = False
    emphasis: bool = False  # on a highlighted path
    label_width: float = 0.0
    label_at: Point | None = None  # the middle of the label
    route: list[Point] = field(default_factory=list)  # start, then two control points and an end for each cubic

    @property
    def key(self) -> tuple[Any, int]:
        """The use of an operand that it is."""
        return (None, self.index) if self.owner is None else (self.owner, self.argument)


@dataclass(slots=True)
class Frame:
    """Cards inside a box with a title: a layer of a module, or one iteration of a loop."""

    title: str
    cards: list[int]
    loop: int | None = None
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0


@dataclass(frozen=True, slots=True)
class Move:
    """One use of the chain rule, as the stepper and the animation show it."""

    edge: int | None
    card: int  # the card that receives
    row: int | None  # the row of it, where the receiver is a leaf folded into that row
    source: int  # the card whose adjoint is handed on
    line: str  # "df/dx: 0.3624 (through sin) + 0.7 (first factor) = 1.062"
    rule: str  # "0.7 (first factor) = df/dv1 × y = 1 × 0.7"
    before: str  # the receiver's total as text; empty for none yet
    after: str
    sign: str  # of what it is then
    strength: float
    total: Number | None = None  # what the receiver's total is then
    texts: tuple[Text, Text] = ((), ())  # line and rule with their numbers apart
    loop: tuple[int, int] | None = None  # the loop it is in, and the iteration of it
    back: bool = False  # hands back what comes from the iterations after it

    @property
    def place(self) -> tuple[int | None, int, int]:
        """Where in the picture it happens."""
        return self.edge, self.card, self.source


# -- sizes: estimated, since whoever opens the picture has a font of their own -----------------------------------------
# The widest of the usual monospace fonts, DejaVu Sans Mono, advances 0.602 em; a little is added for the others.

FONT, SMALL = 12, 11  # pixels
EM = 0.612  # advance of a character
PAD = 9.0  # between the border of a card and its text
LINE = 20.0
STUB = 26.0
LABEL = 16.0  # height of a label
BETWEEN = 14.0  # columns of rows


def width(text: str, size: float = FONT) -> float:
    """The width of a text in pixels."""
    return columns(text) * EM * size


def label_width(text: str) -> float:
    """The width of the pill behind the label of an edge."""
    return width(text, SMALL) + 8.0


def column_widths(card: Card) -> list[float]:
    """The widths of the columns of the rows of a card."""
    room = "0" * card.room
    lines = [card.columns, *([row.text, row.value, row.grad][: len(card.columns)] for row in card.rows)]
    if room and card.rows:
        lines.append(
            ["", *(room if any([row.value, row.grad][i] for row in card.rows) else "" for i in range(len(card.columns) - 1))]
        )
    return [max(width(line[i], SMALL) for line in lines) for i in range(len(card.columns))]


def measure(card: Card) -> None:
    """Set width and height of a card."""
    if card.kind == "stub":
        card.width, card.height = width(card.header) + 2 * PAD, STUB
        return
    room = "0" * card.room
    lines = [*map(width, [card.header, *card.headers]), width("value  " + max(card.value, room, key=len))]
    card.height = 6.0 + 2 * LINE
    if card.label:
        lines.append(width(f"{card.label}  {max(card.adjoint, room, key=len)}"))
        card.height += LINE + 1.0
    if card.rows:
        widths = column_widths(card)
        lines.append(sum(widths) + BETWEEN * (len(widths) - 1))
        card.height += HEAD + ROW * len(card.rows) + 4.0
    card.width = max(max(lines) + 2 * PAD, 68.0)


def sign(x: float | None) -> str:
    """The class of a number in a picture: pos, neg, zero, or bad for nan and infinities."""
    if x is None or x == 0.0:
        return "zero"
    return "bad" if not math.isfinite(x) else "pos" if x > 0 else "neg"


def strength(x: float | None, strongest: float) -> float:
    """How strong the band of a number is beside that of the strongest, over three decades: 0.1 to 0.5, and 0 for 0."""
    if x is None or x == 0.0:
        return 0.0
    if not math.isfinite(x) or strongest == 0.0:
        return 0.5
    return round(0.1 + 0.4 * min(max(1.0 + (math.log10(abs(x)) - math.log10(strongest)) / 3.0, 0.0), 1.0), 3)
