"""The last digits of a plane: least squares whose residuals are linear, refined until the weights are right to rounding.

Any solution in doubles, by QR or by singular values, is off by the square of the condition number times the rounding of the
residuals.  Residuals and weights together solve ``[I A; Aᵀ 0] [r; x] = [b; 0]``; what a solution leaves of that, summed in
twice the precision, is solved for with the same Q and R and put right: every turn gains as many digits as the first had.
Needs NumPy.

Source: Björck 1967, Iterative refinement of linear least squares solutions; Dekker 1971 and Knuth for the exact sums.
"""

from __future__ import annotations

import math

from ...arrays import Array, np
from ...ops.arithmetic import _two_product, _two_sum
from .trust import EPS, norm, norms, power_of_two

TURNS = 8
NUMBERS = 2**17  # of a table: above it refining costs more than the fit


def refined(a: Array, b: Array) -> Array | None:
    """The x at which ``|b + a x|`` is smallest, right to rounding; None where it does not settle.

    >>> import numpy as np
    >>> hilbert = 1 / (np.arange(8)[:, None] + np.arange(6) + 1.0)
    >>> whole = 2**40 * hilbert // 1                        # numbers of which every sum is exact
    >>> refined(whole, whole @ -np.arange(1.0, 7.0)).tolist()
    [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    """
    units = np.array([power_of_two(size) for size in norms(a).tolist()])
    unit = power_of_two(norm(b))
    a, b = a / units, b / unit
    q, r = np.linalg.qr(a)
    if not np.diag(r).all():
        return None
    x = -np.linalg.solve(r, q.T @ b)
    left = b + a @ x
    last = math.inf
    for _ in range(TURNS):
        wrong = _less(a, x, b, left)  # b + a x less the residuals
        pull = np.linalg.solve(r.T, _dots(a, left))
        along = q.T @ wrong
        step = -np.linalg.solve(r, along + pull)
        x = x + step
        left = left + wrong - q @ (along + pull)
        size = norm(step)
        if size <= EPS**2 * norm(x) or not size < last:
            return x * (unit / units) if min(size, last) <= 4 * EPS * norm(x) else None
        last = size
    return None


def _less(a: Array, x: Array, b: Array, left: Array) -> Array:
    """``b + a x - left`` for each row, in twice the precision."""
    high, low = _two_sum(b, -left)
    for column, factor in zip(a.T, x.tolist(), strict=True):
        product, error = _two_product(column, factor)
        high, lost = _two_sum(high, product)
        low = low + (error + lost)
    found: Array = high + low
    return found


def _dots(a: Array, r: Array) -> Array:
    """``aᵀ r``, each sum rounded once."""
    pairs = [_two_product(column, r) for column in a.T]
    return np.array([math.fsum([*product.tolist(), *error.tolist()]) for product, error in pairs])
