"""How good predictions are, in words."""

from __future__ import annotations

from ..errors import counted
from ..fit.model import Model
from ..fit.statistics.scoring import Score, score
from ..tables import Table
from .output import shown


def scored(model: Model, table: Table, where: str = "") -> str:
    """The score of a model in words: ``R² on 3 rows not seen = 0.8``."""
    return in_words(model, score(model, table), where)


def in_words(model: Model, found: Score, where: str = "") -> str:
    """A score in words."""
    name, value, rows, bad = found
    if not rows:
        return f"no score: {model.target} is missing in every row"
    what = name + where.format(counted(rows, "row"))
    if value == value:
        return f"{what} = {shown(value)}"
    why = f"{bad} of the predictions {'is' if bad == 1 else 'are'} nan" if bad else f"all {model.target} are equal"
    return f"{what} is not defined: {why}"
