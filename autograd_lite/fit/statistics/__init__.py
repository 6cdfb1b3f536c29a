"""What a least-squares fit says of its weights: standard errors, intervals, and how good the fit is.

`students_t` and `normal` are quantiles, of which the first needs no SciPy.  The rest needs NumPy.  `robust` has the errors of
robust fits, `band` what a fit knows of its predictions, `scoring` what rows say of a model.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

from ...arrays import Array, Mask, np

LEVEL = 0.95  # the probability of the intervals of weights
RELATED = 0.9  # correlation of two weights from which on they are named


@lru_cache(64)
def students_t(p: float, dof: float) -> float:
    """The value that Student's t with `dof` degrees of freedom stays below with probability p.

    >>> round(students_t(0.975, 12), 12), students_t(0.5, 3), round(students_t(0.975, 1), 10)
    (2.178812829667, 0.0, 12.7062047362)
    """
    if not dof > 0:
        return math.nan
    if p < 0.5:
        return -students_t(1 - p, dof)
    if p == 0.5:
        return 0.0
    if dof > 1e8:
        return NormalDist().inv_cdf(p)
    # the tail 1 - p is half an incomplete beta function of x = dof/(dof + t²); x is found by halving, in logarithms
    low, high = -745.0, 0.0
    while high - low > 4e-16 * -low:
        middle = (low + high) / 2
        if not low < middle < high:
            break
        if 0.5 * incomplete_beta(dof / 2, 0.5, math.exp(middle)) < 1 - p:
            low = middle
        else:
            high = middle
    x = math.exp((low + high) / 2)
    return math.sqrt(dof * -math.expm1((low + high) / 2) / x)


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function, by Lentz's continued fraction.

    >>> incomplete_beta(1.0, 1.0, 0.25), round(incomplete_beta(2.0, 3.0, 0.4), 12)
    (0.25, 0.5248)
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    tiny = 1e-300
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    found = d
    for k in range(1, 10_000):
        for term in (
            k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k)),
            -(a + k) * (a + b + k) * x / ((a + 2 * k) * (a + 2 * k + 1)),
        ):
            d = 1 / ((1 + term * d) or tiny)
            c = (1 + term / c) or tiny
            found *= c * d
        if abs(c * d - 1) < 1e-16:
            break
    return front * found


def inverse_factor(jacobian: Array, use: Mask, zero: float) -> tuple[Array, int]:
    """H with H Hᵀ = (JᵀJ)⁻¹ out of the triangle of J, over the weights marked in `use`, the others' rows 0; and the rank.

    Directions whose singular value is below `zero` times the largest, with columns of length 1, are left out.  The rows of H
    have the standard errors for lengths, also where their squares are beyond the range of doubles.
    """
    places = np.flatnonzero(use)
    if not len(places):
        return np.zeros((jacobian.shape[1], 1)), 0
    part = jacobian[:, places]
    if not np.isfinite(part).all():
        return np.full((jacobian.shape[1], 1), math.nan), 0
    top = abs(part).max(axis=0)
    scale = top * np.sqrt(((part / np.where(top > 0, top, 1)) ** 2).sum(axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    _, s, v = np.linalg.svd(part / scale, full_matrices=False)
    kept = s > zero * s[0]
    found = np.zeros((jacobian.shape[1], int(kept.sum())))
    found[places] = (v[kept].T / s[kept]) / scale[:, None]
    return found, int(kept.sum())


class Summary(NamedTuple):
    """How good a fit is: sums over `n` residuals, `dof` more than there are free weights.

    `sd` is the residual standard deviation, of a robust fit that estimated from the middle residuals; `loss` the mean of the
    loss.  `aic` and `bic` of least squares are those of normal errors with the likelihood's constants in (as statsmodels has
    them; lmfit leaves out n (log 2π + 1)).  Of a logistic or Poisson fit `r2` is McFadden's, one less the part of the
    logarithmic likelihood of a constant that is left; `sd` and `rss` are nan.
    """

    n: int
    dof: int
    rss: float
    loss: float
    sd: float
    r2: float
    adjusted: float
    aic: float
    bic: float


def summary(length: float, n: int, free: int, spread: float, log_factors: float = 0.0, known: bool = False) -> Summary:
    """The summary of a least-squares fit.

    Args:
        length: of the vector of residuals.
        n: how many there are.
        free: how many weights were free.
        spread: the length of the vector of targets about their mean, with the residuals' weights.
        log_factors: the sum of the logarithms of the factors that residuals were multiplied by.
        known: whether these factors are one over known standard deviations.
    """
    dof = n - free
    rss = length * length
    sd = length / math.sqrt(dof) if dof > 0 else math.nan
    r2, adjusted = shares(length, spread, n, dof)
    if known:
        likelihood = -0.5 * rss - n / 2 * math.log(2 * math.pi) + log_factors
    elif length > 0:
        likelihood = -n / 2 * (math.log(2 * math.pi / n) + 2 * math.log(length) + 1) + log_factors
    else:
        likelihood = math.inf
    return Summary(n, dof, rss, rss / n, sd, r2, adjusted, 2 * free - 2 * likelihood, free * math.log(n) - 2 * likelihood)


def shares(length: float, spread: float, n: int, dof: int) -> tuple[float, float]:
    """R² and adjusted R², out of the lengths of residuals and of targets about their mean; nan where these are all equal.

    >>> shares(1e-200, 2e-200, 5, 3)
    (0.75, 0.6666666666666667)
    """
    left = (length / spread) ** 2 if spread > 0 else math.nan
    return 1 - left, 1 - left * (n - 1) / dof if dof > 0 else math.nan


def likelihood_summary(n: int, free: int, loss: float, likelihood: float, null: float) -> Summary:
    """The summary of a logistic or Poisson fit, out of its mean loss, its logarithmic likelihood and that of a constant."""
    r2 = 1 - likelihood / null if null else math.nan
    adjusted = 1 - (likelihood - free) / null if null else math.nan
    return Summary(
        n, n - free, math.nan, loss, math.nan, r2, adjusted, 2 * free - 2 * likelihood, free * math.log(n) - 2 * likelihood
    )  # fmt: skip


def correlations(factor: Array, names: list[str]) -> dict[str, dict[str, float]]:
    """The correlation of each two weights, for those that have a standard error, out of H with H Hᵀ their covariance."""
    top = abs(factor).max(axis=1, initial=0.0)
    rows = factor / np.where(top > 0, top, 1.0)[:, None]
    rows = rows / np.where(top > 0, np.sqrt((rows**2).sum(axis=1)), 1.0)[:, None]
    table = rows @ rows.T
    return {
        a: {b: float(table[i, j]) for j, b in enumerate(names) if i != j and top[j] > 0}
        for i, a in enumerate(names)
        if top[i] > 0
    }
