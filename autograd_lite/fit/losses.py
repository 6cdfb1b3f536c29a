"""The losses of a fit by name: what one row costs, and how far from the target a residual still counts in full."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .. import nn, ops
from ..tree import Number

MAD = 0.6744897501960817  # the median of |z| of normal z: the median of |residuals|, over this, is their standard deviation


class Loss(NamedTuple):
    """One way to count how far a prediction is from its target.

    Attributes:
        of: the loss of a prediction and a target, the third argument being the scale.
        kind: "squares"; "robust", which grows more slowly than squares do; "likelihood", of a distribution's mean.
        corner: the scale at which 95 % of the efficiency of least squares is kept for normal errors, in standard deviations;
            None for a loss without scale.
    """

    of: Callable[[Number, Number, float], Number]
    kind: str
    corner: float | None = None


def soft_l1(prediction: Number, target: Number, scale: float = 1.0) -> Number:
    """Squared near the target and straight far from it: ``s² (sqrt(1 + (r/s)²) - 1)``.

    >>> round(soft_l1(3.0, 0.0), 9), round(soft_l1(0.0, 4.0, 3.0), 9)
    (2.16227766, 6.0)

    Source: scipy.optimize.least_squares, half of its "soft_l1".
    """
    z = (prediction - target) / scale
    square = z * z
    return scale * scale * square / (ops.sqrt(1.0 + square) + 1.0)


def cauchy(prediction: Number, target: Number, scale: float = 1.0) -> Number:
    """Squared near the target and a logarithm far from it: ``s²/2 log(1 + (r/s)²)``.

    >>> cauchy(1.0, 0.0)
    0.34657359027997264

    Source: scipy.optimize.least_squares, half of its "cauchy".
    """
    z = (prediction - target) / scale
    return 0.5 * scale * scale * ops.log1p(z * z)


def poisson(prediction: Number, target: Number) -> Number:
    """Minus the log likelihood of a count whose rate is ``exp(prediction)``, but for its constant: ``exp(p) - y p``.

    >>> poisson(0.0, 3.0)
    1.0
    """
    return ops.exp(prediction) - target * prediction


LOSSES: dict[str, Loss] = {
    "mse": Loss(lambda p, y, s: nn.mse(p, y), "squares"),
    "mae": Loss(lambda p, y, s: nn.mae(p, y), "robust"),
    "huber": Loss(nn.huber, "robust", 1.345),
    "soft_l1": Loss(soft_l1, "robust", 1.2870992242661994),
    "cauchy": Loss(cauchy, "robust", 2.3849471193621734),
    "logistic": Loss(lambda p, y, s: nn.binary_cross_entropy_with_logits(p, y), "likelihood"),
    "poisson": Loss(lambda p, y, s: poisson(p, y), "likelihood"),
}
