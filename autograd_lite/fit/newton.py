"""Newton's method in a trust region, for any loss: the exact Hessian, summed over rows.  Needs NumPy.

A step minimises ``g·p + p·H p / 2`` with ``|D p| <= radius``, D the roots of H's diagonal, by the eigenvalues of D⁻¹ H D⁻¹.  A
direction in which the loss curves down is one to go in, so that a saddle is left and not taken for a minimum.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from ..tables.table import numpy
from .trust import EPS, State, norm

ROUNDING = 64 * EPS  # of the loss, which its sum over rows may be off by
FLAT = 1e-13  # a curvature, of the largest, that is none


class Bottom(NamedTuple):
    """Where it ended: the weights, the loss, its Hessian, whether that is a minimum, and the weights without curvature."""

    x: Any
    value: float
    hessian: Any
    steps: int
    converged: bool
    why: str
    lost: Any


def newton(
    second: Callable[[Any], tuple[float, Any, Any]],
    state: State,
    bounds: tuple[Any, Any] | None = None,
    limit: int = 500,
    watch: Callable[[State], bool] | None = None,
) -> Bottom:
    """The weights at which a function is smallest, downhill from those in `state`.

    Args:
        second: value, gradient and Hessian at weights.
        state: where to start, or to go on.
        bounds: arrays of the least and greatest weights.
        limit: at most so many steps.
        watch: called after each step; true stops the run.

    Raises FloatingPointError where the start has no finite value or derivative.
    """
    np = numpy()
    x = np.array(state.x, dtype=float)
    lower, upper = (np.full(len(x), -math.inf), np.full(len(x), math.inf)) if bounds is None else bounds
    x = np.clip(x, lower, upper)
    value, g, h = second(x)
    if not _finite(value, g, h):
        raise FloatingPointError
    radius, why, small = state.radius or math.inf, "", 0
    while True:
        free = ~(((x <= lower) & (g >= 0)) | ((x >= upper) & (g <= 0)))
        scale = np.sqrt(abs(np.diag(h)))
        scale = np.where(scale > 0, scale, 1.0)
        s = scale[free]
        curvature, directions = np.linalg.eigh(h[np.ix_(free, free)] / s[:, None] / s[None, :])
        slope = directions.T @ (g[free] / s)
        down = len(curvature) > 0 and curvature[0] < -1e-9 * max(1.0, abs(curvature).max())
        flat = abs(curvature) <= FLAT * (abs(curvature).max() if len(curvature) else 0.0)
        gain = (
            0.5 * float(np.sum(np.where(flat, abs(slope), slope**2 / np.where(flat, 1.0, abs(curvature)))))
            if free.any()
            else 0.0
        )
        if not free.any() or (gain <= ROUNDING * abs(value) and not down):
            small += 1
            if small > 2 or gain <= EPS**2 * abs(value) or not gain:
                why = "orthogonal"
                break
        if len(state.losses) >= limit:
            why = "steps"
            break
        if down and norm(slope) <= 1e-8 * (abs(value) + norm(slope)):  # a saddle: off along the way down
            slope = slope.copy()
            slope[0] = slope[0] or 1e-3
            radius = radius if math.isfinite(radius) else max(1.0, norm(scale * x))
        p = np.zeros(len(x))
        step, held = _step(curvature, slope, flat, radius)
        p[free] = (directions @ step) / s
        new = np.clip(x + p, lower, upper)
        p = new - x
        length = norm(scale * p)
        expected = -float(g @ p + 0.5 * p @ h @ p)
        there = second(new)
        fell = value - there[0] if _finite(*there) else -math.inf
        noise = abs(expected) <= 8 * ROUNDING * abs(value) and abs(fell) <= 64 * ROUNDING * abs(value)
        taken = (fell > 1e-4 * expected and expected > 0 and fell > 0) or (noise and norm(there[1] / scale) < norm(g / scale))
        if not noise and (expected <= 0 or fell < 0.25 * expected):
            radius = 0.25 * length
        elif fell > 0.75 * expected and held:
            radius = 2 * radius
        if noise and not taken:
            why = "settled"
        if taken:
            x, (value, g, h) = new, there
        elif radius <= EPS * norm(scale * x) or not p.any():
            why = why or "stuck"
        state.x, state.radius = x.tolist(), radius if math.isfinite(radius) else None
        state.losses.append(value)
        if watch is not None and watch(state):
            why = why or "stopped"
        if why:
            break
    lost = np.zeros(len(x), dtype=bool)
    if flat.any():
        lost[free] = (abs(directions[:, flat]) > 0.05).any(axis=1)
    sure = why in ("orthogonal", "settled") and not down
    if down and why in ("orthogonal", "settled"):
        why = "saddle"
    return Bottom(x, value, h, len(state.losses), sure, why, lost)


def _step(curvature: Any, slope: Any, flat: Any, radius: float) -> tuple[Any, bool]:
    """The best step within the radius in the eigenvectors' directions, and whether the radius holds it back."""
    np = numpy()
    if not len(curvature):
        return slope, False
    lowest = float(curvature[0])
    if lowest > 0 or flat.any():
        safe = np.where(flat | (curvature <= 0), 1.0, curvature)
        full = np.where(flat | (curvature <= 0), 0.0, -slope / safe)
        if lowest > -1e-12 and norm(full) <= radius:
            return full, False
    if not math.isfinite(radius):
        radius = max(1.0, norm(slope))
    low = max(0.0, -lowest) * (1 + 1e-10)
    high = low + norm(slope) / radius + 1e-300
    for _ in range(100):
        middle = (low + high) / 2
        length = norm(slope / np.where(curvature + middle > 0, curvature + middle, 1e-300))
        if abs(length - radius) < 0.05 * radius:
            break
        low, high = (middle, high) if length > radius else (low, middle)
    p = -slope / np.where(curvature + middle > 0, curvature + middle, 1e-300)
    if norm(p) < 0.5 * radius and lowest < 0:  # the hard case: the rest of the way along the way down
        p[0] += math.copysign(math.sqrt(radius**2 - norm(p) ** 2), -slope[0])
    return p * min(1.0, radius / (norm(p) or 1.0)), True


def _finite(*parts: Any) -> bool:
    return all(bool(numpy().isfinite(part).all()) for part in parts)
