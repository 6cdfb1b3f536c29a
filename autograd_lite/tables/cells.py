"""What a cell of a table may be: a number, a missing one, true or false; and what is said of any other."""

from __future__ import annotations

import math
import re
import reprlib
from array import array
from collections.abc import Callable, Sequence
from contextlib import suppress

from ..errors import InputValueError
from .choice import FILL, FOREIGN
from .dialect import Dialect

# compared in lower case, without blanks around
MISSING = frozenset((
    "", "na", "n/a", "#n/a", "#na", "#n/a n/a", "<na>", "nan", "-nan", "+nan", "null", "none", "?",
    "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan",
))  # fmt: skip
TRUTH = {"true": 1.0, "false": 0.0}


def is_missing(cell: str) -> bool:
    """Whether a cell says that it has no number."""
    return cell.strip().lower() in MISSING


class Cells:
    """The numbers in cells written in one dialect.

    >>> Cells(Dialect(decimal=",", thousands=".")).number(" 7.661,5 ")
    7661.5
    """

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.as_python = dialect.decimal == "." and dialect.thousands is None
        mark = re.escape(dialect.thousands or "")
        if dialect.thousands == " ":
            mark = "[ \u00a0\u202f]"
        point = re.escape(dialect.decimal)
        self._grouped = re.compile(rf"[+-]?\d{{1,3}}(?:{mark}\d{{3}})+(?:{point}\d*)?(?:[eE][+-]?\d+)?") if mark else None
        self._mark = re.compile(mark) if mark else None
        self._plain = re.compile(rf"[+-]?(?:\d+(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?")

    def number(self, cell: str) -> float | None:
        """A cell's number, infinite ones too, or None where it is none; blanks around do not count."""
        text = cell.strip()
        if not self.as_python:
            if self._grouped is not None and self._mark is not None and self._grouped.fullmatch(text):
                text = self._mark.sub("", text)
            if self._plain.fullmatch(text):
                text = text.replace(self.dialect.decimal, ".")
            elif "." in text or "," in text:
                return None
        if "_" in text or not text.isascii():  # float() also reads 1_000 and the digits of other scripts
            return None
        with suppress(ValueError):
            return float(text)
        return TRUTH.get(text.lower())

    def numbers(self, cells: Sequence[str]) -> array[float]:
        """Many cells at once; ValueError where one of them is missing or wrong."""
        text = "".join(cells)
        if not self.as_python or "_" in text or not text.isascii():
            found: list[float] = []
            for cell in cells:
                number = self.number(cell)
                if number is None:
                    raise ValueError
                found.append(number)
            numbers = array("d", found)
        else:
            numbers = array("d", map(float, cells))
        if not math.isfinite(sum(numbers)):
            raise ValueError
        return numbers

    def checked(self, cell: str, where: str) -> float:
        """One cell, or an error that says what is the matter with it."""
        number = self.number(cell)
        if number is not None and math.isfinite(number):
            return number
        if FOREIGN.search(cell):
            raise InputValueError(f"{where} is not UTF-8: save the table as UTF-8")
        given = f"{where}: {reprlib.repr(cell)}"
        if is_missing(cell):
            raise InputValueError(f"{given} is a missing cell; {FILL}")
        if number is not None:
            raise InputValueError(f"{given} is not finite; give numbers up to 1.8e308")
        raise InputValueError(f"{given} {self._matter(cell.strip())}")

    def _matter(self, text: str) -> str:
        """What is the matter with a cell that is no number; what could be meant in two ways is asked, not guessed."""
        for says, mark in _READINGS:
            if says(text):
                return mark
        if self.dialect.decimal == "," and re.fullmatch(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?", text):
            return "has a decimal point where decimal=',' (--decimal ,) says comma: leave that out, or give thousands='.'"
        if text[:1].isalpha():
            return 'is not a number; a formula has words as is(column, "text") or a[column]'
        return "is not a number; the columns in use hold numbers only, such as 3504 or -1.5e3"


def _like(pattern: str) -> Callable[[str], bool]:
    return lambda text: re.fullmatch(pattern, text) is not None


_OTHER_SIGNS = r"[+-]?\d{1,3}(?:[' _\u00a0\u202f]\d{3})+(?:[.,]\d*)?"
_READINGS: tuple[tuple[Callable[[str], bool], str], ...] = (
    (_like(r"[+-]?\d{1,3},\d{3}"), "has a comma that may be a decimal sign or separate thousands: say which, decimal=',' "
     "(--decimal ,) or thousands=',' (--thousands ,)"),
    (_like(r"[+-]?\d{1,3}(?:,\d{3}){2,}(?:\.\d*)?|[+-]?\d{1,3}(?:,\d{3})+\.\d*"),
     "has commas between its digits: thousands=',' (--thousands ,) reads them"),
    (_like(r"[+-]?\d{1,3}(?:\.\d{3})+,\d*|[+-]?\d{1,3}(?:\.\d{3}){2,}"),
     "has points between its digits: decimal=',' and thousands='.' (--decimal , --thousands .) read them"),
    (_like(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?"), "has a decimal comma: decimal=',' (--decimal ,) reads it"),
    (_like(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}(?:[ T].*)?|\d{1,2}([./-])\d{1,2}\1\d{2,4}(?: .*)?"),
     "is a date: write days or seconds since a first one, which are numbers"),
    (_like(r"[+-]?[\d.,]+\s*%"), "ends with a per cent sign: write the number alone, 12.5 or 0.125"),
    (_like(r"[+-]?[$€£¥]\s*[+-]?[\d.,]+|[+-]?[\d.,]+\s*[$€£¥]"), "has a sign of money: write the number alone"),
    (_like(r"\(.*\)|\[.*\]"), "is in brackets, as units below a header are: take such a line out, or put units into the names"),
    (_like(_OTHER_SIGNS), "has separators between its digits: say which with thousands (--thousands \"'\", _ or a blank)"),
)  # fmt: skip
