"""How a text table is written: what separates its cells, its decimal sign, header and comments; and how that is guessed."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from ..errors import InputValueError

BLANKS = " "  # as a separator: any run of blanks and tabs
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "'|'", BLANKS: "blanks"}
WORDS = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "bar": "|", "blanks": BLANKS, "space": BLANKS}
COMMENT = "#"  # begins a line that is no row
_BLANK_CELL = re.compile(r'"((?:[^"]|"")*)"|(\S+)')


class Dialect(NamedTuple):
    """How the cells of a text table are written; a separator of None is guessed."""

    sep: str | None = None
    decimal: str = "."
    thousands: str | None = None
    header: bool = True
    comment: str | None = COMMENT

    def checked(self) -> Dialect:
        """The dialect with its words replaced by signs.

        >>> Dialect(sep="tab").checked().sep
        '\\t'

        Raises InputValueError for signs that are none, or that one sign would have two meanings.
        """
        sep = None if self.sep in (None, "auto") else WORDS.get(str(self.sep), str(self.sep))
        if sep is not None and (len(sep) != 1 or sep.isalnum() or sep in '"\n\r.+-'):
            raise InputValueError(f"sep={self.sep!r} must be one sign between cells: , ; | tab or blanks")
        if self.decimal not in (".", ","):
            raise InputValueError(f"decimal={self.decimal!r} must be . or ,")
        if self.thousands is not None and self.thousands not in (",", ".", "'", "_", " "):
            raise InputValueError(f"thousands={self.thousands!r} must be one of , . ' _ or a blank")
        if self.thousands == self.decimal:
            raise InputValueError(f"thousands={self.thousands!r} and decimal={self.decimal!r} must be two signs")
        return self._replace(sep=sep)


def records(lines: Iterable[str], sep: str) -> Iterator[list[str]]:
    """The cells of lines, of which one quoted may go on below; a blank line has none."""
    if sep != BLANKS:
        yield from csv.reader(lines, delimiter=sep, strict=True)
        return
    for line in lines:
        yield [quoted.replace('""', '"') if quoted or line[found.start()] == '"' else plain
               for found in _BLANK_CELL.finditer(line) for quoted, plain in [found.groups("")]]  # fmt: skip


def guessed(sample: list[str], is_number: Callable[[str], bool]) -> str:
    """What separates the cells of these first lines: the sign that gives all rows as many cells, at least two.

    Of several the one with the most cells that are numbers, then the first of , ; tab |; blanks only where no other does.

    >>> guessed(["a;b", "1,5;2", "3,5;4"], lambda cell: cell.replace(",", ".").replace(".", "").isdigit())
    ';'
    """
    best, most = ",", -1
    for sep in SEPARATORS:
        if sep == BLANKS and most >= 0:
            break
        with suppress(csv.Error):
            rows = [row for row in records(sample, sep) if row]
            widths = {len(row) for row in rows}
            if len(widths) == 1 and widths.pop() > 1:
                numbers = sum(is_number(cell) for row in rows[1:] for cell in row)
                if numbers > most:
                    best, most = sep, numbers
    return best
