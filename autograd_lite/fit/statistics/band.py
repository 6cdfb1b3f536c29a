"""How well a fit knows what it predicts: the bands of the mean and of a new observation, by the delta method.

``var(f(w, x)) = g C gᵀ`` with g the exact gradient of the formula by the weights at the row, C their covariance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import NamedTuple

from ...arrays import Array, np
from ...errors import InputValueError
from ...functional import value_and_grad
from ..model import Model
from ..rows import Column
from ..rows.groups import Places, length
from . import students_t


class Bands(NamedTuple):
    """For each row the prediction, the interval of the mean, and that of a new observation; nan where there is none."""

    mean: list[float]
    low: list[float]
    high: list[float]
    obs_low: list[float]
    obs_high: list[float]


class Band:
    """The bands of a fitted model over blocks of rows.

    >>> model = Model("w*x", "y", ["x", "y"], "mse", {"w": 2.0})
    >>> band = Band(model, ["w"], [[0.01]], sd=0.0, dof=math.inf, level=0.95)
    >>> [round(x, 12) for x in band.block({"x": [1.0]}).high]
    [2.195996398454]

    Args:
        model: what predicts, with its weights.
        names: of the weights, in the order of the covariance.
        covariance: of the weights; a held one has rows of zeros.
        sd: standard deviation of an observation whose weight is 1, or in units of sigma; nan where it is not known.
        dof: degrees of freedom of Student's t; inf takes the normal quantile.
        level: the probability of the bands.
        rows: how many rows there will be, about: for many machine code is compiled.

    The mean's band of a logistic or Poisson fit is that of the formula, carried to probabilities and rates.
    Raises InputValueError for a level that is none and where there is no covariance.
    """

    def __init__(
        self,
        model: Model,
        names: Sequence[str],
        covariance: Sequence[Sequence[float | None]] | None,
        sd: float,
        dof: float,
        level: float = 0.95,
        rows: int = 0,
    ) -> None:
        if not 0 < level < 1:
            raise InputValueError(f"interval={level!r} must be between 0 and 1: 0.95 is usual")
        if covariance is None:
            raise InputValueError(f"a fit by {model.kind} has no covariance of its weights, so no band: leave interval out")
        self.model, self.sd, self.names = model, sd, list(names)
        p = (1 + level) / 2
        self.quantile = NormalDist().inv_cdf(p) if math.isinf(dof) else students_t(p, dof)
        # a factor F with F Fᵀ = C, out of the correlations, so that no square leaves the range of doubles
        table = np.array([[math.nan if x is None else x for x in row] for row in covariance], dtype=float)
        size = np.sqrt(np.diag(table))
        unit = np.where(size > 0, size, 1.0)
        correlation = table / unit[:, None] / unit[None, :]
        if np.isfinite(correlation).all():
            values, vectors = np.linalg.eigh((correlation + correlation.T) / 2)
            self.factor = unit[:, None] * vectors * np.sqrt(np.maximum(values, 0.0))
        else:
            self.factor = np.full_like(table, math.nan)
        self.places = Places(model, self.names, {n: x for n, x in model.weights.items() if n not in self.names})
        self.columns = list(model.columns)
        self._both = self.places.by_rows(value_and_grad(self.places.taking(model.value)), self.columns, rows)

    def block(self, columns: Mapping[str, Column]) -> Bands:
        """The bands for one block of rows: its columns are those of the formula, and of sigma and weights if any."""
        given = {n: np.asarray(columns[n], dtype=float) for n in self.columns} or {"": np.zeros(length(columns))}
        leaves = [self.model.weights[n] for n in self.names]
        with np.errstate(all="ignore"):
            value, *slopes = self.places.called(self._both, leaves, given)
            error = self._errors(slopes, given, len(value))
            spread = self._observed(columns, len(value))
            half, wide = self.quantile * error, self.quantile * np.hypot(error, spread)
            ends = [value, value - half, value + half]
            if self.model.kind == "logistic":
                ends = [1 / (1 + np.exp(-x)) for x in ends]
            elif self.model.kind == "poisson":
                ends = [np.exp(x) for x in ends]
            return Bands(*(x.tolist() for x in (*ends, value - wide, value + wide)))

    def _errors(self, slopes: Sequence[Array], columns: Mapping[str, Column], count: int) -> Array:
        """The standard errors of the formula's values: the lengths of g F."""
        shared = len(self.places.shared)
        along = np.zeros((count, self.factor.shape[1]))
        for slope, at in zip(slopes[:shared], self.places.shared_at, strict=True):
            along += slope[:, None] * self.factor[at]
        families = zip(slopes[shared:], self.places.at, self.places.words(columns), strict=True)
        for slope, places, words in families:
            at = places[words]
            along += np.where(at >= 0, slope, 0.0)[:, None] * self.factor[at]
        top = abs(along).max(axis=1, initial=0.0)
        unit = np.where(top > 0, top, 1.0)
        found: Array = unit * np.sqrt(((along / unit[:, None]) ** 2).sum(axis=1))
        return found

    def _observed(self, columns: Mapping[str, Column], count: int) -> Array:
        """The standard deviation of an observation in each row."""
        if self.model.kind in ("logistic", "poisson"):
            return np.full(count, math.nan)
        found = np.full(count, self.sd)
        if self.model.sigma:
            found = found * np.asarray(columns.get(self.model.sigma, np.full(count, math.nan)), dtype=float)
        if self.model.weighting and self.model.weighting in columns:
            found = found / np.sqrt(np.asarray(columns[self.model.weighting], dtype=float))
        return found
