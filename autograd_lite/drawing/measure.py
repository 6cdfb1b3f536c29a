"""How large the text on a card is: estimated, since whoever opens the picture has a font of their own.

The widest of the usual monospace fonts, DejaVu Sans Mono, advances 0.602 em; a little is added for the others.  Imports
`escape` and `model`.
"""

from __future__ import annotations

from .escape import columns
from .model import HEAD, ROW, Card

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
    lines = [width(card.header), width("value  " + max(card.value, room, key=len))]
    card.height = 6.0 + 2 * LINE
    if card.label:
        lines.append(width(f"{card.label}  {max(card.adjoint, room, key=len)}"))
        card.height += LINE + 1.0
    if card.rows:
        widths = column_widths(card)
        lines.append(sum(widths) + BETWEEN * (len(widths) - 1))
        card.height += HEAD + ROW * len(card.rows) + 4.0
    card.width = max(max(lines) + 2 * PAD, 68.0)
