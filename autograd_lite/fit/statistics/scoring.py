"""What rows say of a model: whether its loss can take them, which is the first that has no finite one, and how good it is.

On a cluster the workers look through the rows that they hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ...errors import InputValueError
from ...functional import value_and_grad
from ..model import Model
from ..rows import AnyRows, Columns, Data, Rows, first
from ..rows.objective import entries


def total_of(numbers: Iterable[float]) -> float:
    """Their sum without rounding on the way; inf beyond the range of doubles, nan where one is nan.

    >>> total_of([1e308, 1e308]), total_of([0.1] * 10)
    (inf, 1.0)
    """
    try:
        return math.fsum(numbers)
    except (OverflowError, ValueError):  # beyond the range, or inf - inf
        return sum(numbers)


def first_without(rows: AnyRows) -> str:
    """The first row with a cell that is nan, in words; empty where there is none."""
    given = rows.names

    def look(columns: Columns) -> tuple[int, str] | None:
        for place, row in enumerate(zip(*map(entries, columns), strict=True)):
            if any(x != x for cell in row for x in (cell if hasattr(cell, "__iter__") else [cell])):
                names = given or [f"data[{i}]" for i in range(len(row))]
                return place, ", ".join(f"{n}={x}" for n, x in zip(names, row, strict=True))
        return None

    found = first(rows, look)
    return "" if found is None else f"row {found[0]} has {found[1]}"


def check(model: Model, table: Data) -> None:
    """Raise InputValueError for the first row whose target, standard deviation or weight the loss cannot take.

    A target that is nan is none at all.
    """
    rows = Rows.of(table)
    names = list(rows.names or ())
    spread = {model.sigma: "above 0, as a standard deviation is", model.weighting: "0 or more, as a weight is"}
    if model.sigma or model.weighting:

        def apart(columns: Columns) -> tuple[int, str] | None:
            bad = [
                (place, f"{name}={x!r} must be {spread[name]}: mend the column")
                for name, column in zip(names, columns, strict=True) if name in spread
                for place, x in enumerate(column.tolist())
                if not (x > 0 or (x == 0 and name != model.sigma) or math.isnan(x))
            ]  # fmt: skip
            return min(bad, default=None)

        _refuse(first(rows, apart))
    rules = {"logistic": "0 or 1", "poisson": "a count, 0 or more"}
    if model.kind not in rules:
        return

    def outside(columns: Columns) -> tuple[int, str] | None:
        for place, y in enumerate(model.truths(dict(zip(names, columns, strict=True)))):
            good = y in (0.0, 1.0) if model.kind == "logistic" else 0 <= y < math.inf and y == int(y)
            if not good and not math.isnan(y):
                rule = f"must be {rules[model.kind]} for the loss {model.kind}: recode the column"
                return place, f"{model.target}={y!r} {rule}"
        return None

    _refuse(first(rows, outside))


def _refuse(found: tuple[int, str] | None) -> None:
    if found is not None:
        raise InputValueError(f"row {found[0]}: {found[1]}")


def first_bad_row(model: Model, table: Data) -> str:
    """The first row whose loss or slope is not finite at the weights as they are, in words; empty where there is none."""
    rows = Rows.of(table)
    names = list(rows.names or ())

    def look(columns: Columns) -> tuple[int, str] | None:
        step = value_and_grad(model.loss)
        for place, numbers in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
            row = dict(zip(names, numbers, strict=True))
            value, slopes = step(model.weights, row)
            for what, x in [("the loss", value), *((f"the slope by {n}", g) for n, g in slopes.items())]:
                if not math.isfinite(x):
                    there = ", ".join(f"{n}={row[n]!r}" for n in (*model.columns, *model.measured))
                    return place, f"{what} is {x} in row {{}}, {there}"
        return None

    found = first(rows, look)
    return "" if found is None else found[1].format(found[0])


class Score(NamedTuple):
    """How good predictions are, by R² or by accuracy, on so many rows, 1 where all are right; `bad` are predicted as nan.

    R² is -inf where a square, or the sum of them, is beyond the range of doubles.
    """

    name: str
    value: float
    rows: int
    bad: int = 0


class Scored(NamedTuple):
    """What some rows say of predictions: how many are known, and are right, and are nan; squares of misses; the mean of the
    targets, and their squares about it.
    """

    known: int = 0
    right: int = 0
    bad: int = 0
    missed: float = 0.0
    mean: float = 0.0
    spread: float = 0.0


class Scoring:
    """The work that finds `Scored`."""

    def __init__(self, model: Model, rows: AnyRows) -> None:
        self.model, self.names = model, list(rows.names or ())
        self.predict = model.predicting(rows.count)

    def leaf(self, leaves: Sequence[float], columns: Columns) -> Scored:
        """Over a block; rows whose target is nan do not count."""
        block = dict(zip(self.names, columns, strict=True))
        known = [(y, p) for y, p in zip(self.model.truths(block), self.predict(block), strict=True) if not math.isnan(y)]
        if not known:
            return Scored()
        right = sum((p > 0.5) == (y > 0.5) for y, p in known)
        shift = known[0][0]  # near the mean, so that its square takes nothing away
        moved = total_of(y - shift for y, _ in known)
        mean = moved / len(known)
        return Scored(
            len(known), right, sum(p != p for _, p in known), total_of((y - p) * (y - p) for y, p in known), shift + mean,
            total_of((y - shift - mean) * (y - shift - mean) for y, _ in known),
        )  # fmt: skip

    @staticmethod
    def both(a: Scored, b: Scored) -> Scored:
        """Over two blocks together."""
        if not (a.known and b.known):
            return a if a.known else b
        count, apart = a.known + b.known, b.mean - a.mean
        between = apart * apart * (a.known / count) * b.known
        return Scored(
            count, a.right + b.right, a.bad + b.bad, a.missed + b.missed, a.mean + apart * (b.known / count),
            a.spread + b.spread + between,
        )  # fmt: skip


def score(model: Model, table: Data) -> Score:
    """R² of the predictions for a table, or for "logistic" their accuracy.

    ``R² = 1 - sum (y - p)^2 / sum (y - mean y)^2``, nan where all targets are equal; the accuracy is the part of the
    rows whose probability is on the side of 1/2 that the target is on.  Rows whose target is nan do not count.
    """
    rows = Rows.of(table)
    found: Scored = rows.total(Scoring(model, rows), ())
    if model.kind == "logistic":
        share = found.right / found.known if found.known and not found.bad else math.nan
        return Score("accuracy", share, found.known, found.bad)
    return Score("R²", 1 - found.missed / found.spread if found.spread > 0 else math.nan, found.known, found.bad)
