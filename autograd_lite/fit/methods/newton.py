"""Newton's method in a trust region, for any loss: the exact Hessian, summed over rows.  Needs NumPy.

A step minimises ``g·p + p·H p / 2`` with ``|D p| <= radius``, D the roots of H's diagonal, by the eigenvalues of D⁻¹ H D⁻¹.  A
direction in which the loss curves down is one to go in, so that a saddle is left and not taken for a minimum.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from ...arrays import Array, Box, Mask, np
from ...interrupt import Interrupted
from ..rows.curvature import Sums
from .trust import EPS, UNLIMITED, State, Watch, norm, unpressed, within

ROUNDING = 64 * EPS  # of the sum of absolute losses: what the sum over rows may be off by
FLAT = 1e-13  # a curvature, of the largest, that is none


class Bottom(NamedTuple):
    """Where it ended: the weights, the loss, its Hessian, and whether that is a minimum.

    For each weight `lost` says whether the rows do not determine it, and `free` whether it is at no bound.
    """

    x: Array
    value: float
    hessian: Array | None
    steps: int
    converged: bool
    why: str
    lost: Mask
    free: Mask

    @property
    def usable(self) -> Mask:
        """For each weight whether its error can be told."""
        return self.free & ~self.lost

    @classmethod
    def of(
        cls, state: State, why: str, x: Array, value: float, lost: Mask, free: Mask, hessian: Array | None = None
    ) -> Bottom:  # fmt: skip
        """The end of a run that ended by `why`; by nothing where it was stopped."""
        return cls(x, value, hessian, len(state.losses), why in ("orthogonal", "settled"), why or "stopped", lost, free)


def newton(
    second: Callable[[Array], Sums],
    state: State,
    bounds: Box | None = None,
    limit: int = 500,
    watch: Watch | None = None,
) -> Bottom:
    """The weights at which a function is smallest, downhill from those in `state`.

    Args:
        second: value, gradient and Hessian at weights.  Where that is interrupted the run ends at the weights before.
        state: where to start, or to go on.
        bounds: arrays of the least and greatest weights.
        limit: at most so many steps.
        watch: called after each step; true stops the run.

    Raises FloatingPointError where the start has no finite value or derivative.
    """
    x, lower, upper = within(state.x, bounds)
    here = second(x)
    if not here.finite():
        raise FloatingPointError
    radius, why, small = UNLIMITED if state.radius is None else state.radius, "", state.stalls
    with suppress(Interrupted):
        while not why:
            look = View(here, x, lower, upper)
            if not look.free.any() or (look.gain <= ROUNDING * here.size and not look.down):
                small += 1
                if small > 2 or look.gain <= EPS**2 * here.size or not look.gain:
                    why = "orthogonal"
                    break
            if len(state.losses) >= limit:
                why = "steps"
                break
            if look.down and norm(look.slope) <= 1e-8 * (here.size + norm(look.slope)):  # a saddle: off along the way down
                look.slope[0] = look.slope[0] or 1e-3
                radius = radius if radius < UNLIMITED else max(1.0, norm(look.scale * x))
            step, held = _step(look.curvature, look.slope, look.flat, radius)
            new = np.clip(x + look.back(step), lower, upper)
            p = new - x
            length = norm(look.scale * p)
            expected = -float(here.gradient @ p + 0.5 * p @ here.hessian @ p)
            there = second(new)
            fell = here.value - there.value if there.finite() else -math.inf
            noise = abs(expected) <= 8 * ROUNDING * here.size and abs(fell) <= 64 * ROUNDING * here.size
            calmer = noise and norm(there.gradient / look.scale) < norm(here.gradient / look.scale)
            taken = (fell > 1e-4 * expected and expected > 0 and fell > 0) or calmer
            if not noise and (expected <= 0 or fell < 0.25 * expected):
                radius = 0.25 * length
            elif fell > 0.75 * expected and held:
                radius = min(2 * radius, UNLIMITED)
            if noise and not taken:
                why = "settled"
            if taken:
                x, here = new, there
            elif radius <= EPS * norm(look.scale * x) or not p.any():
                why = why or "stuck"
            state.radius, state.stalls = radius, small
            if state.step(x, here.value, watch):
                break
    look = View(here, x, lower, upper)
    if why == "stuck" and not look.down and len(look.curvature):
        step, held = _step(look.curvature, look.slope, look.flat, UNLIMITED)
        if not held and bool((abs(look.back(step)) <= 64 * EPS * abs(x)).all()):
            why = "settled"
    if look.down and why in ("orthogonal", "settled"):
        why = "saddle"
    return Bottom.of(state, why, x, here.value, look.lost(), look.free, here.hessian)


class View:
    """A quadratic model in the directions that are free: curvatures, slopes, and what a step to its bottom would gain."""

    def __init__(self, here: Sums, x: Array, lower: Array, upper: Array) -> None:
        g, h = here.gradient, here.hessian
        self.free = unpressed(x, g, lower, upper)
        scale = np.sqrt(abs(np.diag(h)))
        self.scale = np.where(scale > 0, scale, 1.0)
        s = self.scale[self.free]
        self.curvature, self.directions = np.linalg.eigh(h[np.ix_(self.free, self.free)] / s[:, None] / s[None, :])
        self.slope = self.directions.T @ (g[self.free] / s)
        sizes = abs(self.curvature)
        top = float(sizes.max()) if len(sizes) else 0.0
        self.down = bool(len(sizes) and self.curvature[0] < -1e-9 * max(1.0, top))
        self.flat = sizes <= FLAT * top
        steep = np.where(self.flat, abs(self.slope), self.slope**2 / np.where(self.flat, 1.0, sizes))
        self.gain = 0.5 * float(np.sum(steep)) if self.free.any() else 0.0

    def back(self, step: Array) -> Array:
        """A step along the directions as one of the weights."""
        found = np.zeros(len(self.free))
        found[self.free] = (self.directions @ step) / self.scale[self.free]
        return found

    def lost(self) -> Mask:
        """For each weight whether it has a part in a direction without curvature or slope."""
        found = np.zeros(len(self.free), dtype=bool)
        if self.flat.any():
            found[self.free] = (abs(self.directions[:, self.flat]) > 0.05).any(axis=1)
        return found


def _step(curvature: Array, slope: Array, flat: Mask, radius: float) -> tuple[Array, bool]:
    """The best step within the radius in the eigenvectors' directions, and whether the radius holds it back."""
    if not len(curvature):
        return slope, False
    lowest = float(curvature[0])
    if lowest > 0 or flat.any():
        safe = np.where(flat | (curvature <= 0), 1.0, curvature)
        full = np.where(flat | (curvature <= 0), 0.0, -slope / safe)
        if lowest > -1e-12 and norm(full) <= radius:
            return full, False
    if radius >= UNLIMITED:
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
