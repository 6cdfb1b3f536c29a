"""Columns of words as numbers: each word's place in the list of those of its column, and nothing else is ever seen of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...errors import InputValueError, listed
from ..rows import Column


def coded(
    data: Mapping[str, Column], columns: Sequence[str], levels: Mapping[str, Sequence[str]] | None = None
) -> tuple[dict[str, list[float]], dict[str, list[str]]]:
    """The columns of words as places in their lists, and the lists: the given ones, or the words in the order they come.

    >>> coded({"site": ["B", "A", "B"]}, ["site"])
    ({'site': [0.0, 1.0, 0.0]}, {'site': ['B', 'A']})

    Raises InputValueError for an entry that is missing, and for a word that is not in a given list.
    """
    numbers: dict[str, list[float]] = {}
    words: dict[str, list[str]] = {}
    for name in columns:
        known = None if levels is None else {word: float(i) for i, word in enumerate(levels[name])}
        places: dict[str, float] = {} if known is None else known
        found = []
        for row, entry in enumerate(data[name], 1):
            if _missing(entry):
                raise InputValueError(f"row {row} of {name} is {entry}: give it a word, or leave the row out")
            word = _entry_text(entry)
            if word not in places:
                if known is not None:
                    have = listed([repr(w) for w in known], 9)
                    raise InputValueError(f"row {row}: {name}={word!r} is none of the words of the fit, {have}: leave it out")
                places[word] = float(len(places))
            found.append(places[word])
        numbers[name], words[name] = found, list(places)
    return numbers, words


def _missing(entry: object) -> bool:
    """Whether an entry is no word: None, nan, or what pandas has for them."""
    try:
        return entry is None or bool(entry != entry)
    except TypeError:  # pandas.NA
        return True


def _entry_text(entry: object) -> str:
    """An entry as text: a whole number without a point, as a table would have it."""
    if hasattr(entry, "item"):
        entry = entry.item()
    if isinstance(entry, float) and entry == int(entry):
        entry = int(entry)
    return str(entry)
