"""What reaches a terminal or a pipe: one writer, which lets no control character through, and what is made with it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from itertools import zip_longest
from shutil import get_terminal_size

import click

from ..errors import printable
from ..files import JsonData, for_json
from ..formula.notation import clean, columns

DIGITS = 12  # of a number in a table; JSON has them all
NOTE = 600  # characters of a note, which quotes names
answered: ContextVar[bool] = ContextVar("answered", default=False)  # whether JSON has been printed, of which there is one


def say(text: str = "", *, aside: bool = False) -> None:
    r"""A line on stdout, or on stderr if it stands aside; what cannot be seen is written as an escape.

    >>> say("a\x1b[2J\rb")
    a\x1b[2J\rb
    """
    click.echo(printable(text), err=aside)


def say_on(text: str) -> None:
    """A line on stdout that may be lost: where whoever reads it has gone, what was begun is brought to its end."""
    try:
        say(text)
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def say_note(text: str, kind: str = "note") -> None:
    """Something to know, on stderr, in one line."""
    say(f"{kind}: {clean(text, NOTE)}", aside=True)


def say_saved(path: str, aside: bool = False) -> None:
    """Tell where something was written; on stderr if stdout is for data."""
    say(f"saved {path}", aside=aside)


def shown(x: float) -> str:
    """A number as tables show it; there is no negative zero.

    >>> shown(0.1 + 0.2), shown(-0.0)
    ('0.3', '0')
    """
    return f"{x + 0.0:.{DIGITS}g}"


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> None:
    """A table on stdout, as wide as the terminal or 80 columns at most; the columns in `numbers` stand to the right.

    >>> print_table(("name", "value"), [("x", "2"), ("y", "10")], numbers=(1,))
    name  value
    x         2
    y        10
    """
    written = [[printable(cell).split("\n") for cell in cells] for cells in ([head] if head else []) + list(rows)]
    widths = [max(columns(line) for cell in column for line in cell) for column in zip(*written, strict=True)]
    room = width() - 2 * (len(widths) - 1)
    titles = [max(1, columns(printable(title))) for title in head] or [1] * len(widths)
    while sum(widths) > room and max(widths) > 1:  # the widest give way, those last that are as narrow as their titles
        widths[max(range(len(widths)), key=lambda i: (widths[i] > titles[i], widths[i]))] -= 1
    lines = []
    for cells in written:
        parts = [[part for line in cell for part in _folded(line, w)] for cell, w in zip(cells, widths, strict=True)]
        for line in zip_longest(*parts, fillvalue=""):
            padded = [
                " " * (w - columns(part)) + part if i in numbers else part + " " * (w - columns(part))
                for i, (part, w) in enumerate(zip(line, widths, strict=True))
            ]
            lines.append("  ".join(padded).rstrip())
    say("\n".join(lines))


def _folded(text: str, room: int) -> list[str]:
    """A text in lines that are no wider, broken at blanks where there are any."""
    lines = []
    while columns(text) > room:
        most = next((k for k in range(1, len(text)) if columns(text[: k + 1]) > room), 1)
        blank = text.rfind(" ", 0, most + 1)
        lines.append(text[: blank if blank > 0 else most].rstrip())
        text = text[blank if blank > 0 else most :].lstrip()
    return [*lines, text]


def say_json(data: JsonData, indent: int | None = 2) -> None:
    """Data as JSON on stdout."""
    answered.set(True)
    say(as_json(data, indent))


def as_json(data: JsonData, indent: int | None = 2) -> str:
    """Data as JSON, in which numbers that JSON has not are strings, and what cannot be seen is an escape.

    >>> as_json({"x": [1.5, float("nan"), float("-inf")], "name": "a\\u202eb"}, None)
    '{"x": [1.5, "nan", "-inf"], "name": "a\\\\u202eb"}'
    """
    text = json.dumps(for_json(data), indent=indent, ensure_ascii=False, allow_nan=False)
    return text if text.isprintable() else "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def width() -> int:
    """How many columns stdout has; 80 where it is no terminal."""
    return get_terminal_size((80, 24)).columns
