"""Saddles of least squares: found by the exact Hessian, and left.

The trust region sees the curvature of a model in which residuals are linear, and that is never downwards: where the gradient
vanishes it stays.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ...arrays import Array, Box, np
from ..rows.curvature import Curvature, GroupedCurvature
from .trust import Ending, State, Watch, least_squares, norm, norms, power_of_two

DOWN = 1e-7  # a curvature, of the largest, that is certainly one downwards
SADDLES = 3  # that are left before it is said instead
HALVINGS = 30
SECOND = 2**27  # rows times squared weights up to which the exact Hessian is looked at


def leave_saddles(
    triangle: Callable[[Array], Array | None], state: State, end: Ending, halves: Curvature | GroupedCurvature,
    size: int, box: Box | None, limit: int, watch: Watch | None,
) -> tuple[Ending, bool]:  # fmt: skip
    """Where least squares ends after every saddle was left; and whether it is at one that no step leaves.

    Args:
        halves: half the sum of squares of residuals in a unit that follows the weights, as `Curvature` has it.
        triangle, state, size, box, limit, watch: as of `least_squares`.
    """
    if not end.converged or end.why == "exact":
        return end, False
    for _ in range(SADDLES):
        down = _way_down(halves, end, state.unit or 1.0)
        if down is None:
            return end, False
        x = _stepped(triangle, end, down, box)
        if x is None:
            return end, True
        state.x, state.radius, state.scale, state.stalls, state.coarse = x, None, None, 0, False
        end = least_squares(triangle, state, size, box, limit, watch)
        if not end.converged:
            return end, False
    return end, True


def _way_down(halves: Curvature | GroupedCurvature, end: Ending, unit: float) -> Array | None:
    """A direction in which the sum of squares certainly curves down, or None.

    It is so long that all residuals would be gone after it, were the sum of squares a parabola.
    """
    sizes = norms(end.triangle[:, :-1]).tolist()
    units = np.array([power_of_two(unit / size) if 0 < size < math.inf else 1.0 for size in sizes])
    if hasattr(halves, "places"):
        units = halves.places.alike(units)
    hessian = halves.at((end.x / units).tolist(), units.tolist(), [unit]).hessian
    at = np.flatnonzero(end.free)
    if not np.isfinite(hessian).all() or not len(at):
        return None
    part = hessian[np.ix_(at, at)]
    size = np.sqrt(abs(part).max(axis=1))
    size = np.where(size > 0, size, 1.0)
    values, vectors = np.linalg.eigh(part / size[:, None] / size[None, :])
    if values[0] >= -DOWN * abs(values).max() or not values[0] < 0:
        return None
    found: Array = np.zeros(len(end.free))
    found[at] = vectors[:, 0] / size / math.sqrt(-values[0] / 2) * (norm(end.triangle[:, -1]) / unit)
    found *= units
    return found


def _stepped(triangle: Callable[[Array], Array | None], end: Ending, down: Array, box: Box | None) -> list[float] | None:
    """Weights along a way down at which the residuals are shorter; None where there are none."""
    before = norm(end.triangle[:, -1])
    for halvings in range(HALVINGS):
        for sign in (1.0, -1.0):
            x = end.x + sign * 0.5**halvings * down
            x = x if box is None else np.clip(x, *box)
            root = triangle(x)
            if root is not None and norm(root[:, -1]) < before * (1 - 1e-12):
                return list(x.tolist())
    return None
