"""A typed formula fitted to a table: its loss of one row, its predictions and score, and its weights in a file.

What the commands `fit` and `predict` have in common.  Imports `expression`, the vocabulary of `ops`, `nn` and `jit`.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from .. import nn, ops
from ..compiler import jit
from ..errors import InputValueError
from ..files import json_number, read_json, write_atomically
from ..formula.expression import Expression, parse
from ..formula.vocabulary import VOCABULARY
from ..functional import value_and_grad
from ..tables.table import numpy
from ..tree import as_float
from .rows import FEW, Rows

FORMAT, VERSION = "autograd_lite.fit", 1
LOSSES: dict[str, Callable[[Any, Any], Any]] = {
    "mse": nn.mse, "mae": nn.mae, "huber": nn.huber, "logistic": nn.binary_cross_entropy_with_logits,
}  # fmt: skip


class Score(NamedTuple):
    """How good predictions are, by R² or by accuracy, on so many rows; 1 where all are right."""

    name: str
    value: float
    rows: int


class Model:
    """A formula of columns and weights that predicts a target column.

    >>> model = Model("w*pounds + b", "mpg", ["pounds", "mpg"], "mse", {"w": -4.5, "b": 33.5})
    >>> model.columns, model.weights
    (['pounds'], {'w': -4.5, 'b': 33.5})
    >>> model.loss(model.weights, {"pounds": 3.0, "mpg": 18.0})
    4.0

    Args:
        formula: as `expression.parse` takes it.
        target: the column to predict; with the loss "logistic" it is 0 or 1, and the formula its log odds.
        names: the columns of the table; what else the formula names is a weight.
        kind: the loss: mse, mae, huber or logistic.
        weights: numbers for them, 0 where there is none.

    Raises InputValueError where a name is both weight and column, or constant and column, or the target in the formula, and
    for a formula without weights.
    """

    def __init__(
        self, formula: str, target: str, names: Sequence[str], kind: str = "mse", weights: Mapping[str, float] | None = None,
        sigma: str = "", weighting: str = "",
    ) -> None:  # fmt: skip
        self.formula: Expression = parse(formula, VOCABULARY)
        self.target, self.kind, given = target, kind, dict(weights or {})
        self.sigma, self.weighting = sigma, weighting
        self.ending: dict[str, Any] | None = None  # of a saved fit: its covariance and what else it ended with
        self.wanted: Expression | None = None  # the target, where that is a formula of columns
        if target and target not in names and not target.isidentifier():
            self.wanted = parse(target, VOCABULARY)
            for name in self.wanted.names:
                if name not in names:
                    raise InputValueError(f"the target {target} has {name!r} in it, which is no column: name columns only")
        if kind not in LOSSES:
            raise InputValueError(f"loss={kind!r} must be one of {', '.join(LOSSES)}")
        for name in sorted(self.formula.constants.intersection(names)):
            raise InputValueError(f"the formula {formula} has the constant {name} in it, and a column is called {name!r}: "
                                  "rename the column, or write the number")  # fmt: skip
        self.columns = [n for n in self.formula.names if n in names]
        self.weights = {n: given.get(n, 0.0) for n in self.formula.names if n not in names}
        self.measured = [target] if self.wanted is None else list(self.wanted.names)
        for name in self.measured:
            if self.wanted is not None and name in self.formula.names:
                raise InputValueError(
                    f"the formula {formula} has {name!r} in it, which the target {target} is made of: take it out"
                )
        if target in self.formula.names:
            what = "which it is to predict" if target in names else "as a weight, since no column is called so"
            raise InputValueError(f"the formula {formula} has the target {target!r} in it, {what}: take it out, or rename it")
        for name, start in given.items():
            if name in self.columns:
                raise InputValueError(f"{name}={start!r} starts a weight, but {name!r} is a column: rename one of them")
            if name not in self.weights:
                its = ", ".join(self.weights) or "none"
                raise InputValueError(f"{name}={start!r} starts a weight that {formula} has not: its weights are {its}")
        if not self.weights:
            raise InputValueError(f"the formula {formula} has columns only: write a weight into it, w*{self.columns[0]} + b"
                                  if self.columns else f"the formula {formula} names no weight: write w*x + b")  # fmt: skip

    def value(self, weights: Mapping[str, Any], row: Mapping[str, Any]) -> Any:
        """The formula at one row."""
        return self.formula({**weights, **{n: row[n] for n in self.columns}})

    @property
    def needed(self) -> list[str]:
        """The columns that a fit reads."""
        others = [name for name in (self.sigma, self.weighting) if name]
        return list(dict.fromkeys([*self.columns, *self.measured, *others]))

    def truth(self, row: Mapping[str, Any]) -> Any:
        """What is to be predicted of one row."""
        return row[self.target] if self.wanted is None else self.wanted({n: row[n] for n in self.measured})

    def truths(self, columns: Mapping[str, Any]) -> list[float]:
        """What is to be predicted of each row of a block."""
        if self.wanted is None:
            return list(columns[self.target].tolist())
        rows = zip(*(columns[n].tolist() for n in self.measured), strict=True)
        return [float(self.wanted(dict(zip(self.measured, row, strict=True)))) for row in rows]

    def factor(self, row: Mapping[str, Any]) -> Any:
        """What the residual of one row is multiplied by."""
        found = 1.0 / row[self.sigma] if self.sigma else 1.0
        return found * ops.sqrt(row[self.weighting]) if self.weighting else found

    def residual(self, weights: Mapping[str, Any], row: Mapping[str, Any]) -> Any:
        """The residual of one row, whose square least squares adds up."""
        found = self.value(weights, row) - self.truth(row)
        return found * self.factor(row) if self.sigma or self.weighting else found

    def loss(self, weights: Mapping[str, Any], row: Mapping[str, Any]) -> Any:
        """The loss of one row."""
        found = LOSSES[self.kind](self.value(weights, row), self.truth(row))
        return found * self.factor(row) ** 2 if self.sigma or self.weighting else found

    def prediction(self, weights: Mapping[str, Any], row: Mapping[str, Any]) -> Any:
        """What is predicted of one row: the formula, and for "logistic" the probability of a 1."""
        found = self.value(weights, row)
        return ops.sigmoid(found) if self.kind == "logistic" else found

    def predictions(self, table: Any) -> Iterator[tuple[dict[str, Any], list[float]]]:
        """For each block of a table its columns, and a prediction for each of its rows."""
        rows = Rows(table)
        np = numpy() if rows.count >= FEW else None
        fast = None if np is None else jit(self.prediction, batch=1)
        for block in rows.blocks():
            columns = dict(zip(rows.names or (), block, strict=True))
            if np is not None and fast is not None:
                found = fast(self.weights, {n: np.asarray(columns[n]) for n in columns})
                yield columns, found.tolist()
            else:
                entries = zip(*(columns[n].tolist() for n in columns), strict=True)
                yield columns, [self.prediction(self.weights, dict(zip(columns, row, strict=True))) for row in entries]

    def score(self, table: Any) -> Score:
        """R² of the predictions for a table, or for "logistic" their accuracy.

        ``R² = 1 - sum (y - p)^2 / sum (y - mean y)^2``, nan where all targets are equal; the accuracy is the part of the
        rows whose probability is on the side of 1/2 that the target is on.  Rows whose target is nan do not count.
        """
        count, right, shift, sums = 0, 0, None, []
        for columns, predicted in self.predictions(table):
            known = [(y, p) for y, p in zip(self.truths(columns), predicted, strict=True) if not math.isnan(y)]
            if not known:
                continue
            count += len(known)
            if self.kind == "logistic":
                right += sum((p > 0.5) == (y > 0.5) for y, p in known)
                continue
            shift = known[0][0] if shift is None else shift  # near the mean, so that its square takes nothing away
            moved = [y - shift for y, _ in known]
            misses = [(y - p) ** 2 for y, p in known]
            sums.append((math.fsum(misses), math.fsum(moved), math.fsum(y * y for y in moved)))
        if self.kind == "logistic":
            return Score("accuracy", right / count if count else math.nan, count)
        missed, total, squares = map(math.fsum, zip(*sums, strict=True)) if sums else (0.0,) * 3
        spread = squares - total**2 / max(1, count)
        return Score("R²", 1 - missed / spread if spread > 0 else math.nan, count)

    def check(self, table: Any) -> None:
        """Raise InputValueError for the first row whose target a logistic fit cannot take; nan is none at all."""
        for number, row in self._rows(table) if self.kind == "logistic" else ():
            if row[self.target] not in (0.0, 1.0) and not math.isnan(row[self.target]):
                raise InputValueError(
                    f"row {number}: {self.target}={row[self.target]!r} must be 0 or 1 for the loss logistic: recode the column"
                )

    def first_bad_row(self, table: Any) -> str:
        """The first row whose loss or slope is not finite at the weights as they are, in words; empty where there is none."""
        step = value_and_grad(self.loss)
        for number, row in self._rows(table):
            value, slopes = step(self.weights, row)
            for what, x in [("the loss", value), *((f"the slope by {n}", g) for n, g in slopes.items())]:
                if not math.isfinite(x):
                    return f"{what} is {x} in row {number}, " + ", ".join(
                        f"{n}={row[n]!r}" for n in (*self.columns, self.target)
                    )
        return ""

    @staticmethod
    def _rows(table: Any) -> Iterator[tuple[int, dict[str, float]]]:
        """The rows of a table with their numbers, from 1."""
        rows = Rows(table)
        blocks = (zip(*(column.tolist() for column in block), strict=True) for block in rows.blocks())
        for number, entries in enumerate(chain.from_iterable(blocks), 1):
            yield number, dict(zip(rows.names or (), entries, strict=True))

    # -- in a file ----------------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str], ending: Mapping[str, Any] | None = None) -> None:
        """Write formula, target, loss and weights as JSON, and how the fit ended; complete or not there at all."""
        content = {
            "format": FORMAT, "version": VERSION, "formula": self.formula.text, "target": self.target, "loss": self.kind,
            "columns": self.columns, "weights": {n: json_number(x) for n, x in self.weights.items()},
            **({"fit": dict(ending)} if ending else {}),
        }  # fmt: skip
        write_atomically(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Model:
        """The model in a file that `save` wrote.

        Raises InputValueError where the file is not one.
        """
        what = "a file that fit --save wrote"
        content = read_json(path, FORMAT, VERSION, what)
        try:
            weights = {n: as_float(float(x) if x in ("nan", "inf", "-inf") else x, n) for n, x in content["weights"].items()}
            target = str(content["target"])
            more = [target] if target.isidentifier() or target in content["columns"] else []
            if not more:
                try:
                    more = list(parse(target, VOCABULARY).names)
                except InputValueError:
                    more = [target]
            names = [*map(str, content["columns"]), *more]
            model = cls(content["formula"], content["target"], names, content["loss"], weights)
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise InputValueError(f"{os.fspath(path)} is damaged ({error}): give {what}") from None
        if set(weights) != set(model.weights):
            raise InputValueError(f"{os.fspath(path)} is damaged (its weights are not those of its formula): give {what}")
        model.ending = content.get("fit") if isinstance(content.get("fit"), dict) else None
        return model
