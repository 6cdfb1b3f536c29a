"""Which columns of a file are read, and what becomes of its cells and rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from ..errors import InputTypeError, InputValueError, listed
from .raw import Raw
from .table import MEMORY, Table

FOREIGN = re.compile("[\0\udc80-\udcff]")  # what was not UTF-8, or is UTF-16 read as UTF-8
FILL = "fill it in, or leave such rows out with drop_missing (--drop-missing)"
SHOWN = 20  # columns that a message names
ALIKE = 0.8  # of two names, from which on one may be meant for the other
Pick = Callable[[list[str]], Iterable[str]]


@dataclass
class Wanted:
    """What is asked of a file.

    Attributes:
        pick: the columns, of those that there are.
        blank: columns in which a missing cell is nan.
        drop: whether rows with a missing cell are left out.
        levels: for each column of words its words, those known before first, then in the order they came, to their numbers.
        raw: where given, takes in each row that is kept, all its columns, as it stands.
        rows: of a Parquet file the rows from one number up to another; None for all.
        memory: bytes of numbers that may stay in memory.
    """

    pick: Pick
    blank: frozenset[str] = frozenset()
    drop: bool = False
    levels: dict[str, dict[str, float]] = field(default_factory=dict)
    raw: Raw | None = None
    rows: tuple[int, int] | None = None
    memory: int = MEMORY

    def code(self, name: str, word: object) -> float:
        """The number of a word in its column; a whole number is the same word with a point and without."""
        words = self.levels[name]
        text = str(int(word)) if isinstance(word, float) and word.is_integer() else str(word).strip()
        return words.setdefault(text, float(len(words)))


def coded(levels: Mapping[str, Iterable[str]]) -> dict[str, dict[str, float]]:
    """The words of columns with their numbers, which are their places."""
    return {name: {word: float(i) for i, word in enumerate(words)} for name, words in levels.items()}


def selector(columns: Iterable[str] | None) -> Pick:
    """The function that picks these columns, or all."""
    if isinstance(columns, str):
        raise InputTypeError(f"columns={columns!r} is a str: put it in a list, [{columns!r}]")
    wanted = None if columns is None else list(columns)
    return lambda names: names if wanted is None else wanted


def column_name(cell: str) -> str:
    r"""The name in a cell of a header: without blanks around, in one line of plain blanks, accents on their letters.

    >>> column_name(" Weight\n(kg) "), column_name("gro\u0308\xdfe\xa0(cm)")
    ('Weight (kg)', 'größe (cm)')
    """
    text = re.sub(r"\s*[\x01-\x1f\x7f]+\s*", " ", cell.strip())
    if text.isascii():
        return text
    from unicodedata import normalize  # slow to import, and wanted only here

    return re.sub(r"\s", " ", normalize("NFC", text))


def asked_name(name: str) -> str:
    """The name of a column that is asked for: one of ASCII is as the data call it, another as a header's cell is read."""
    return name if name.isascii() else column_name(name)


def header_of(cells: Iterable[str]) -> list[str]:
    """The names of columns out of a header; one without a name is c1, c2, ... by its place.

    >>> header_of(["", " x "])
    ['c1', 'x']
    """
    names = list(map(column_name, cells))
    return [name or (f"c{i}" if f"c{i}" not in names else "") for i, name in enumerate(names, 1)]


def resembling(name: str, columns: Iterable[str]) -> str | None:
    """The column that a name may be meant for: the same letters and digits, alone or before a unit, or nearly the same.

    >>> resembling("Height", ["Height (cm)", "Weight (kg)"]), resembling("sepal_length", ["sepal.length"])
    ('Height (cm)', 'sepal.length')
    """
    own = _letters(name)
    by_letters: dict[str, str] = {}
    for column in columns:
        by_letters.setdefault(_letters(column), column)
        by_letters.setdefault(_letters(re.split(r"[(\\[{/,]", column)[0]), column)
    if own in by_letters:
        return by_letters[own]
    near = get_close_matches(own, [c for c in by_letters if c], 1, ALIKE) if len(own) > 2 else []
    return by_letters[near[0]] if near else None


def _letters(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())


def places(path: str, names: list[str], pick: Pick) -> tuple[list[str], list[int]]:
    """The wanted columns and where they stand in a row."""
    if not names:
        raise InputValueError(f"{path} is empty: give a header and rows")
    wanted = list(dict.fromkeys(pick(list(names))))
    count, first = Counter(names), dict(zip(reversed(names), range(len(names) - 1, -1, -1), strict=True))
    for name in wanted:
        if name not in count and any(map(FOREIGN.search, names)):
            raise InputValueError(f"the header of {path} is not UTF-8: save the table as UTF-8")
        if count[name] != 1:
            rule = "no column" if name not in count else f"{count[name]} columns called"
            repair = "choose one of them" if name not in count else "rename them"
            if name not in count and (near := resembling(name, names)):
                repair = f"did you mean {near!r}?"
            if name not in count and len(names) == 1 and not names[0].isidentifier():
                repair = "choose it, or take the line out if it is a title above the table"
            if name not in count and all(re.fullmatch(r"[-+.,\d eE]+", n) for n in names):
                repair = "if that is its first row, say that it has no header (header=False, --no-header)"
            raise InputValueError(f"{path} has {rule} {name!r}; its columns are {listed([*map(repr, names)], SHOWN)}: {repair}")
    return wanted, [first[name] for name in wanted]


def filled(path: str, table: Table) -> Table:
    """The table, if it has a row."""
    dropped = table.dropped
    if not table.rows:
        table.close()
        rest = f" without a missing cell ({dropped} dropped)" if dropped else " below its header"
        raise InputValueError(f"{path} has no row{rest}: give at least one")
    return table
