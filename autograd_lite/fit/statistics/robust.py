"""The errors of robust fits: by Huber's first formula, by the sandwich where rows have weights, by the residuals' density.

Of ``sum w rho(r/s)`` the sandwich is ``A⁻¹ B A⁻¹ n/(n-p)``, A the sum of ``w rho'' J Jᵀ`` and B that of ``w² rho'² J Jᵀ``.
Least absolute deviations have no second derivative; ``2 f(0)``, f the density of the residuals, stands for it.  Needs NumPy.

Source: Huber 1981, section 7.6, his first formula, the default of statsmodels' RLM; White 1982 for the sandwich; Koenker 2005,
section 3.4, with the bandwidth of Hall and Sheather and Epanechnikov's kernel, the default of statsmodels' QuantReg.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING

from ... import ops
from ...arrays import Array, Mask, np
from ...compiler import jit
from ...functional import grad, value_and_grad
from ...tree import Number
from ..losses import LOSSES
from ..methods.trust import EPS, RANK
from ..rows import Columns
from ..rows.order import Summed, quantiles
from ..rows.residuals import OverRows
from ..rows.spread import Targets
from . import inverse_factor

if TYPE_CHECKING:
    from ..methods.newton import Bottom
    from ..solve import Solver

TOO_FEW = "no standard errors: there are no more rows than weights"
IQR = 1.34  # interquartile ranges of the normal distribution in a standard deviation, as QuantReg rounds it


def factor(solver: Solver, x: Sequence[float], end: Bottom, misses: OverRows) -> tuple[Array | None, str]:
    """F with F Fᵀ the covariance of the weights of a robust fit; where there is none, why."""
    model, m, scale = solver.model, len(solver.names), solver.model.scale or 1.0
    n, usable = solver.rows.count, end.usable
    if n <= usable.sum():
        return None, TOO_FEW
    if model.weighting:
        return _sandwich(solver, x, usable, scale)
    both = jit(value_and_grad(_pull(solver)), batch=0, backend="numpy")

    def sums(leaves: Sequence[float], columns: Columns) -> Array:
        """Of the pulls' squares, of the bends and of their squares."""
        pull, bend = both(misses.residuals(leaves, columns) / scale)
        pull, bend = (np.broadcast_to(part, len(columns[0])) for part in (pull, bend))
        return np.array([(pull * pull).sum(), bend.sum(), (bend * bend).sum()])

    pulls, bends, squares = solver.rows.total(Summed(sums), x).tolist()
    mean = bends / n
    if not mean > 0:
        return None, "no standard errors: the loss curves down on average, as most rows are outliers"
    root, rank = inverse_factor(misses.root(x)[:, :m], end.free, RANK * m)
    if n <= rank:
        return None, TOO_FEW
    k = 1 + rank / n * max(0.0, squares / n - mean * mean) / mean**2
    return root * (k * scale * math.sqrt(pulls) / math.sqrt(n - rank) / mean), ""


def _pull(solver: Solver) -> Callable[[Array], Array]:
    """The derivative of the loss by a residual, in scales."""
    loss = LOSSES[solver.model.kind].of
    return grad(lambda z: loss(z, 0.0, 1.0))


def _sandwich(solver: Solver, x: Sequence[float], usable: Mask, scale: float) -> tuple[Array | None, str]:
    """Where rows have weights."""
    model, m = solver.model, len(solver.names)
    at, pull = solver.all(dict(zip(solver.names, x, strict=True))), _pull(solver)

    def z(row: Mapping[str, Number]) -> Number:
        return (model.value(at, row) - model.truth(row)) / scale

    def triangle(factor_of: Callable[[Mapping[str, Number]], Number]) -> Array:
        return solver.residuals(lambda weights, row: model.value(weights, row) * factor_of(row)).root(x)[:, :m]

    def bent(row: Mapping[str, Number], sign: float) -> Number:
        bend = sign * grad(pull)(z(row)) * row[model.weighting]
        return ops.sqrt(ops.where(ops.gt(bend, 0.0), bend, 0.0))

    up, down = triangle(lambda row: bent(row, 1.0)), triangle(lambda row: bent(row, -1.0))
    pulled = triangle(lambda row: row[model.weighting] * scale * pull(z(row)))
    places = np.flatnonzero(usable)
    bread = (up.T @ up - down.T @ down)[np.ix_(places, places)]
    if not np.isfinite(bread).all() or not np.isfinite(pulled).all():
        return None, "no standard errors: a derivative is not finite at the end"
    unit = np.sqrt(abs(np.diag(bread)))
    unit = np.where(unit > 0, unit, 1.0)
    values, vectors = np.linalg.eigh(bread / unit[:, None] / unit)
    if not values[0] > len(places) * EPS * values[-1]:
        return None, "no standard errors: the loss does not curve up in every direction at the end"
    found = np.zeros((m, m + 1))
    inverse = (vectors / values) @ vectors.T / unit[:, None] / unit
    found[places] = inverse @ pulled[:, places].T * math.sqrt(solver.rows.count / (solver.rows.count - len(places)))
    return found, ""


def absolute(solver: Solver, x: Sequence[float], end: Bottom, misses: OverRows, targets: Targets) -> tuple[Array | None, str]:
    """F with F Fᵀ the covariance of the weights of least absolute deviations; where there is none, why.

    `misses` are the residuals, in standard deviations where there are any.
    """
    model, m, n = solver.model, len(solver.names), solver.rows.count
    if n <= end.usable.sum():
        return None, TOO_FEW
    low, high = quantiles(solver.rows, misses.residuals, x, n, (0.25, 0.75))
    normal = NormalDist()
    beside = n ** (-1 / 3) * normal.inv_cdf(0.975) ** (2 / 3) * (1.5 * normal.pdf(0.0) ** 2) ** (1 / 3)
    spread = (high - low) / IQR
    if not model.weighting:
        spread = min(spread, targets.spread / math.sqrt(n))
    rounding = 64 * EPS * max(abs(targets.low), abs(targets.high)) * (targets.unit if model.sigma else 1.0)
    if beside >= 0.5 or not spread > rounding:
        few = "there are too few rows" if beside >= 0.5 else "half of the residuals are equal, which is too many"
        return None, f"no standard errors: {few} to estimate the density of residuals at zero"
    width = spread * (normal.inv_cdf(0.5 + beside) - normal.inv_cdf(0.5 - beside))

    def near(leaves: Sequence[float], columns: Columns) -> Array:
        u = misses.residuals(leaves, columns) / width
        found: Array = np.where(abs(u) <= 1, 0.75 * (1 - u * u), 0.0).sum()
        return found

    density = float(solver.rows.total(Summed(near), x)) / (n * width)
    if not model.weighting:
        root, _ = inverse_factor(misses.root(x)[:, :m], end.free, RANK * m)
        return root / (2 * density), ""

    def weighed(power: float) -> Array:
        def of(weights: Mapping[str, Number], row: Mapping[str, Number]) -> Number:
            value = model.value(weights, row) * row[model.weighting] ** power
            return value / row[model.sigma] if model.sigma else value

        return solver.residuals(of).root(x)[:, :m]

    root, _ = inverse_factor(weighed(0.5), end.free, RANK * m)
    return root @ (weighed(1.0) @ root).T / (2 * density), ""
