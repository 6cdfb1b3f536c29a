"""A typed formula fitted to a table: its loss of one row, and its predictions.

What the commands `fit` and `predict` have in common.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy

from .. import ops
from ..arrays import np, numpy
from ..compiler import jit
from ..errors import InputValueError, listed
from ..formula.expression import Expression, parse
from ..formula.vocabulary import VOCABULARY
from ..tables.choice import asked_name
from ..tree import Number
from .losses import LOSSES
from .rows import FEW, Column, Data, Rows, T

LIMITS = {"max_length": 100_000, "max_tokens": 50_000, "max_names": 4096}  # of a formula
GROUP = "group"  # in a[group] it stands for the column named by --group


def read(text: str) -> Expression:
    """A formula of a fit, which may have a weight for each of many columns.

    >>> len(read("+".join(f"w{i}*x{i}" for i in range(1000))).names)
    2000

    Raises ExpressionError for what is none.
    """
    return parse(text, VOCABULARY, **LIMITS)


class Model:
    """A formula of columns and weights that predicts a target column.

    >>> model = Model("w*pounds + b", "mpg", ["pounds", "mpg"], "mse", {"w": -4.5, "b": 33.5})
    >>> model.columns, model.weights
    (['pounds'], {'w': -4.5, 'b': 33.5})
    >>> model.loss(model.weights, {"pounds": 3.0, "mpg": 18.0})
    4.0

    One weight for each word of a column is written ``a[site]``; the rows then hold the place of their word in `levels`.

    >>> model = Model("a[site]*x", "y", ["site", "x", "y"], levels={"site": ["A", "B"]})
    >>> model.weights, model.value({"a[A]": 2.0, "a[B]": 3.0}, {"site": 1.0, "x": 10.0})
    ({'a[A]': 0.0, 'a[B]': 0.0}, 30.0)

    Args:
        formula: as `expression.parse` takes it.
        target: the column to predict; with the loss "logistic" it is 0 or 1, and the formula its log odds; with "poisson" it
            is a count, and the formula the logarithm of its rate.
        names: the columns of the table; what else the formula names is a weight.
        kind: the loss, one of `LOSSES`.
        weights: numbers for them, 0 where there is none.
        sigma: the column of the target's standard deviations.
        weighting: the column of the rows' weights.
        levels: for each column of words, which `text` lists, its words; None while they are not known, and ``a[site]`` is then
            one weight.
        group: the column for which ``a[group]`` is written.
        scale: of a robust loss, how large a residual counts nearly in full; 1 unless given, or found by a fit.

    Raises InputValueError where a name is both weight and column, or constant and column, or the target in the formula, and
    for a formula without weights.
    """

    def __init__(
        self, formula: str, target: str, names: Sequence[str], kind: str = "mse", weights: Mapping[str, float] | None = None,
        sigma: str = "", weighting: str = "", *, levels: Mapping[str, Sequence[str]] | None = None, group: str = "",
        scale: float | None = None,
    ) -> None:  # fmt: skip
        self.formula = read(formula)
        target, sigma, weighting, group = map(asked_name, (target, sigma, weighting, group))
        self.target, self.kind, given = target, kind, dict(weights or {})
        self.sigma, self.weighting, self.group, self.scale = sigma, weighting, group, scale
        self.wanted: Expression | None = None  # the target, where that is a formula of columns
        if target and target not in names and not target.isidentifier():
            self.wanted = read(target)
            for name in self.wanted.names:
                if name not in names:
                    raise InputValueError(f"the target {target} has {name!r} in it, which is no column: name columns only")
            if not self.wanted.names:
                raise InputValueError(f"the target {target} has no column in it: name one, or a formula of columns")
        if kind not in LOSSES:
            raise InputValueError(f"loss={kind!r} must be one of {', '.join(LOSSES)}")
        self._check_settings(names)
        for name in sorted(self.formula.constants.intersection(names)):
            raise InputValueError(f"the formula {formula} has the constant {name} in it, and a column is called {name!r}: "
                                  "rename the column, or write the number")  # fmt: skip
        self._sort(names, group, levels)
        self.measured = [target] if self.wanted is None else list(self.wanted.names)
        for name in self.measured:
            if self.wanted is not None and name in self.columns:
                raise InputValueError(
                    f"the formula {formula} has {name!r} in it, which the target {target} is made of: take it out"
                )
        if target in self.formula.names or target in self.columns:
            what = "which it is to predict" if target in names else "as a weight, since no column is called so"
            raise InputValueError(f"the formula {formula} has the target {target!r} in it, {what}: take it out, or rename it")
        for name, start in given.items():
            if name in self.columns:
                raise InputValueError(f"{name}={start!r} starts a weight, but {name!r} is a column: rename one of them")
        self.weights.update(self.spread(given, "starts"))
        if not self.weights:
            raise InputValueError(f"the formula {formula} has columns only: write a weight into it, w*{self.columns[0]} + b"
                                  if self.columns else f"the formula {formula} names no weight: write w*x + b")  # fmt: skip

    def __repr__(self) -> str:
        return f"<Model {self.target} = {self.formula.text} by {self.kind}: weights {listed(list(self.weights), 9)}>"

    def _check_settings(self, names: Sequence[str]) -> None:
        """Raise for what does not go with the loss, and for columns that are not there."""
        kind, corner = LOSSES[self.kind].kind, LOSSES[self.kind].corner
        if self.scale is not None and corner is None:
            scaled = listed([name for name, loss in LOSSES.items() if loss.corner is not None], 9)
            raise InputValueError(f"scale={self.scale:g} goes with the losses {scaled}, and not with {self.kind}: leave it out")
        if self.scale is not None and not 0 < self.scale < math.inf:
            raise InputValueError(f"scale={self.scale!r} must be above 0: the size of a residual that is no outlier")
        if self.sigma and kind == "likelihood":
            raise InputValueError(f"the loss {self.kind} has no standard deviations: leave sigma out, or give weights")
        for what, name in (("sigma", self.sigma), ("weights", self.weighting)):
            if name and name not in names:
                raise InputValueError(f"{what}={name!r} is no column: the columns are {listed(list(names), 9)}")

    def _sort(self, names: Sequence[str], group: str, levels: Mapping[str, Sequence[str]] | None) -> None:
        """Tell columns of numbers, columns of words and weights of the formula apart."""
        text = self.formula.text
        if group and group not in names:
            raise InputValueError(f"group={group!r} is no column: the columns are {listed(list(names), 9)}")
        self.grouped: dict[str, tuple[str, str]] = {}  # a[site] -> (a, site)
        self.indicators = dict(self.formula.indicators)  # is(site, "A") -> (site, A)
        for spelled, (base, column) in self.formula.grouped.items():
            own = group if column == GROUP and GROUP not in names else column
            if own not in names:
                rule = "name the column with --group" if column == GROUP else f"the columns are {listed(list(names), 9)}"
                raise InputValueError(f"{spelled} is one {base} for each word of {column}, which is no column: {rule}")
            self.grouped[spelled] = (base, own)
        if group and group not in (column for _, column in self.grouped.values()):
            raise InputValueError(f"no weight of {text} is one for each {group}: write a[group] for one that is")
        for spelled, (column, _) in self.indicators.items():
            if column not in names:
                raise InputValueError(f"{spelled} asks for {column}, which is no column: they are {listed(list(names), 9)}")
        by, asked = [column for _, column in self.grouped.values()], [column for column, _ in self.indicators.values()]
        self.text = list(dict.fromkeys([*by, *asked]))
        self.plain = [n for n in self.formula.names if n in names and n not in self.grouped and n not in self.indicators]
        for name in self.text:
            if name in self.plain:
                raise InputValueError(f"the formula {text} has {name} as a number and as words: give it a column for each")
        self.columns = [*self.plain, *self.text]
        self.levels = None if levels is None else {name: list(levels[name]) for name in self.text}
        self.weights: dict[str, float] = {}
        for name in self.formula.names:
            if name in self.plain or name in self.indicators:
                continue
            for own in self.members(name):
                if own in self.weights:
                    raise InputValueError(f"two weights of {text} are called {own}: name those of one column differently")
                self.weights[own] = 0.0
        for spelled, (column, word) in self.indicators.items():
            if self.levels is not None and word not in self.levels[column]:
                have = listed([repr(w) for w in self.levels[column]], 9)
                raise InputValueError(f"{spelled}: no row of {column} is {word!r}; they are {have}")

    def members(self, name: str) -> list[str]:
        """The weights that a name of the formula stands for: one for each word of its column, or itself."""
        if name not in self.grouped or self.levels is None:
            return [name]
        base, column = self.grouped[name]
        return [f"{base}[{word}]" for word in self.levels[column]]

    def pooled(self) -> Model:
        """The same formula with one weight for all groups."""
        found = copy(self)
        found.grouped = {}
        found.text = [name for name in self.text if name in {column for column, _ in self.indicators.values()}]
        names = [n for n in self.formula.names if n not in self.plain and n not in self.indicators]
        found.weights = dict.fromkeys(names, 0.0)
        return found

    def spread(self, given: Mapping[str, T], what: str) -> dict[str, T]:
        """Settings of weights by name, with one for ``a`` given to each of its groups.

        Raises InputValueError for a name that is no weight.
        """
        families = {}
        for spelled, (base, _) in self.grouped.items():
            families[spelled] = self.members(spelled)
            families.setdefault(base, families[spelled])
        known = {own for name in self.formula.names for own in self.members(name)} & self.weights.keys()
        found = {}
        for name, value in given.items():
            if name in known:
                found[name] = value
            elif name in families:
                found.update({own: value for own in families[name] if own not in given})
            elif self.levels is None and any(name.startswith(f"{base}[") for base, _ in self.grouped.values()):
                continue  # of a group whose words are not known yet
            else:
                its = listed(list(self.weights), 9) or "none"
                raise InputValueError(
                    f"{name}={value!r} {what} a weight that {self.formula.text} has not: its weights are {its}"
                )
        return found

    def value(self, weights: Mapping[str, Number], row: Mapping[str, Number]) -> Number:
        """The formula at one row; the weights may hold that of the row's own group, as ``a[site]``."""
        given = {n: row[n] for n in self.plain}
        for spelled, (_, column) in self.grouped.items():
            if spelled not in weights:
                given[spelled] = self._own(weights, self.members(spelled), row[column])
        for spelled, (column, word) in self.indicators.items():
            given[spelled] = _is_word(row[column], float((self.levels or {column: [word]})[column].index(word)))
        return self.formula({**weights, **given})

    def _own(self, weights: Mapping[str, Number], members: Sequence[str], place: Number) -> Number:
        """The weight of the row's group."""
        if isinstance(place, (int, float)):
            return weights[members[int(place)]]
        found = weights[members[-1]]
        for i in range(len(members) - 2, -1, -1):
            found = ops.where(ops.eq(place, float(i)), weights[members[i]], found)
        return found

    @property
    def needed(self) -> list[str]:
        """The columns that a fit reads."""
        others = [name for name in (self.sigma, self.weighting) if name]
        return list(dict.fromkeys([*self.columns, *self.measured, *others]))

    def truth(self, row: Mapping[str, Number]) -> Number:
        """What is to be predicted of one row."""
        return row[self.target] if self.wanted is None else self.wanted({n: row[n] for n in self.measured})

    def truths(self, columns: Mapping[str, Column]) -> list[float]:
        """What is to be predicted of each row of a block."""
        if self.wanted is None:
            return list(columns[self.target].tolist())
        rows = zip(*(columns[n].tolist() for n in self.measured), strict=True)
        return [float(self.wanted(dict(zip(self.measured, row, strict=True)))) for row in rows]

    def factor(self, row: Mapping[str, Number]) -> Number:
        """What the residual of one row is multiplied by in least squares."""
        found = 1.0 / row[self.sigma] if self.sigma else 1.0
        return found * ops.sqrt(row[self.weighting]) if self.weighting else found

    def residual(self, weights: Mapping[str, Number], row: Mapping[str, Number]) -> Number:
        """The residual of one row, whose square least squares adds up."""
        found = self.value(weights, row) - self.truth(row)
        return found * self.factor(row) if self.sigma or self.weighting else found

    def loss(self, weights: Mapping[str, Number], row: Mapping[str, Number]) -> Number:
        """The loss of one row: of prediction and target in standard deviations, where there are any, times the row's weight."""
        return self.loss_of(self.value(weights, row), row)

    def loss_of(self, value: Number, row: Mapping[str, Number], scale: Number = None) -> Number:
        """The loss of one row whose formula has this value, at the model's scale or another."""
        truth = self.truth(row)
        if self.sigma:
            value, truth = value / row[self.sigma], truth / row[self.sigma]
        scale = self.scale if scale is None else scale
        found = LOSSES[self.kind].of(value, truth, 1.0 if scale is None else scale)
        return found * row[self.weighting] if self.weighting else found

    def prediction(self, weights: Mapping[str, Number], row: Mapping[str, Number]) -> Number:
        """What is predicted of one row: the formula; for "logistic" the probability of a 1, for "poisson" the rate."""
        return self.mean(self.value(weights, row))

    def mean(self, value: Number) -> Number:
        """What a value of the formula says the target is on average."""
        if self.kind == "logistic":
            return ops.sigmoid(value)
        return ops.exp(value) if self.kind == "poisson" else value

    def predicting(self, count: int) -> Callable[[Mapping[str, Column]], list[float]]:
        """What gives the predictions for a block of columns, of so many rows in all."""
        fast = jit(self.prediction, batch=1) if numpy() is not None and count >= FEW else None

        def of(columns: Mapping[str, Column]) -> list[float]:
            if fast is not None:
                found = fast(self.weights, {n: np.asarray(columns[n]) for n in columns})
                return list(found.tolist())
            rows = zip(*(columns[n].tolist() for n in columns), strict=True)
            return [self.prediction(self.weights, dict(zip(columns, row, strict=True))) for row in rows]

        return of

    def predictions(self, table: Data) -> Iterator[tuple[dict[str, Column], list[float]]]:
        """For each block of a table its columns, and a prediction for each of its rows."""
        rows = Rows.of(table)
        predict = self.predicting(rows.count)
        for block in rows.blocks():
            columns = dict(zip(rows.names or (), block, strict=True))
            yield columns, predict(columns)


def _is_word(place: Number, number: float) -> Number:
    """1 where a place in a list of words is this one, else 0."""
    return float(place == number) if isinstance(place, (int, float)) else ops.where(ops.eq(place, number), 1.0, 0.0)
