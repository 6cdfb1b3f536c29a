"""How good predictions are, in words."""

from __future__ import annotations

from ..fit.model import Model, Score
from ..tables import Table
from .output import shown


def scored(model: Model, table: Table, where: str = "") -> str:
    """The score of a model in words: ``R² on 3 rows not seen = 0.8``."""
    return in_words(model, model.score(table), where)


def in_words(model: Model, found: Score, where: str = "") -> str:
    """A score in words."""
    name, score, rows, bad = found
    if not rows:
        return f"no score: {model.target} is missing in every row"
    what = name + where.format(f"{rows} row{'s' * (rows != 1)}")
    if score == score:
        return f"{what} = {shown(score)}"
    why = f"{bad} of the predictions {'is' if bad == 1 else 'are'} nan" if bad else f"all {model.target} are equal"
    return f"{what} is not defined: {why}"
