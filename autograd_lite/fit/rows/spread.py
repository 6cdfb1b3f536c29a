"""The targets of a fit over its rows: their mean, how far they lie about it, and the factors of their residuals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ...arrays import Array, np
from ...compiler import jit
from ...errors import InputValueError
from ...interrupt import no_pause
from ...tree import Number
from ..methods.trust import norm
from ..model import Model
from ..rows import AnyRows, Column, Columns


class Targets(NamedTuple):
    """What rows say of the target.

    `unit` is the largest factor of a residual, `weight` the sum of the factors' squares in units of its square; `spread` the
    length of the factors times the targets less their mean; `logs` the sum of the factors' logarithms, `constant` that of
    ``lgamma(y + 1)`` by weight, which a Poisson likelihood has.
    """

    unit: float
    weight: float
    mean: float
    spread: float
    logs: float
    low: float
    high: float
    constant: float

    @property
    def same(self) -> bool:
        """Whether all targets are equal."""
        return self.low == self.high


class TargetSpread:
    """The work that finds `Targets`."""

    def __init__(self, model: Model, rows: AnyRows) -> None:
        self.model, self.rows = model, rows

    def run(self, pause: Callable[[], None] = no_pause) -> Targets:
        """Over all rows.

        Raises InputValueError for standard deviations or weights beyond the range of doubles, and for weights that are all 0.
        """
        found: Targets = self.rows.total(self, (), pause)
        if not found.weight:
            raise InputValueError(f"{self.model.weighting} is 0 in every row: give the rows that count a weight above 0")
        return found

    def leaf(self, leaves: Sequence[float], columns: Columns) -> Targets:
        """Over a block."""
        model = self.model
        row = dict(zip(self.rows.names or (), map(np.asarray, columns), strict=True))
        y = _each(model.truth, row)
        f = _each(model.factor, row) if model.sigma or model.weighting else np.ones(len(y))
        if not np.isfinite(f).all():
            name = model.sigma or model.weighting
            worst = float(row[name][int(np.isfinite(f).argmin())])
            raise InputValueError(f"{name}={worst!r} makes a row count more than a double can hold: scale the column")
        unit = float(f.max())
        w = (f / (unit or 1.0)) ** 2
        size = float(abs(y).max()) or 1.0
        with np.errstate(all="ignore"):
            mean = size * float((w * (y / size)).sum() / (w.sum() or 1.0))
            logs = float(np.log(f[f > 0]).sum())
        constant = 0.0
        if model.kind == "poisson":
            constant = math.fsum(a * math.lgamma(b + 1) for a, b in zip((f * f).tolist(), y.tolist(), strict=True))
        return Targets(
            unit, float(w.sum()), mean, unit * norm(np.sqrt(w) * (y - mean)), logs, float(y.min()), float(y.max()), constant
        )  # fmt: skip

    @staticmethod
    def both(a: Targets, b: Targets) -> Targets:
        """Over two blocks together."""
        unit = max(a.unit, b.unit) or 1.0
        left, right = a.weight * (a.unit / unit) ** 2, b.weight * (b.unit / unit) ** 2
        weight = left + right
        apart = b.mean - a.mean
        mean = a.mean + apart * (right / (weight or 1.0))
        between = unit * abs(apart) * math.sqrt(left * right / (weight or 1.0))
        return Targets(
            unit, weight, mean, math.hypot(a.spread, b.spread, between), a.logs + b.logs, min(a.low, b.low),
            max(a.high, b.high), a.constant + b.constant,
        )  # fmt: skip


def _each(f: Callable[..., Number], row: dict[str, Column]) -> Array:
    count = len(next(iter(row.values())))
    found = jit(f, batch=0, backend="numpy")(row)
    return found if np.ndim(found) else np.full(count, float(found))
