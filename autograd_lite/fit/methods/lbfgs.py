"""L-BFGS: downhill by gradients alone, with what the last steps said of the curvature; for many weights.

Source: Nocedal and Wright, Numerical Optimization, algorithms 7.4 and 3.5; the looser test of a step among numbers that are
all rounding is that of Hager and Zhang 2005.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress

from ...arrays import Array, Box, np
from ...interrupt import Interrupted
from ..rows.curvature import Sums
from .newton import ROUNDING, Bottom
from .trust import EPS, State, Watch, norm, unpressed, within

KEPT = 20  # steps whose change of the gradient is remembered
ENOUGH, FLATTER = 1e-4, 0.9  # Wolfe's conditions: how far a step must fall, and how much flatter it must be at its end
TRIALS = 40  # of a step's length
BELOW = 1e-10  # of a weight: a step left to go that no printed digit shows


def lbfgs(
    first: Callable[[Array], Sums],
    state: State,
    bounds: Box | None = None,
    limit: int = 5000,
    watch: Watch | None = None,
) -> Bottom:
    """The weights at which a function is smallest, downhill from those in `state`.

    Args:
        first: value and gradient at weights.  Where that is interrupted the run ends at the weights before.
        state, bounds, limit, watch: as of `newton`; at a bound, weights that the gradient presses against it stay there.

    Raises FloatingPointError where the start has no finite value or derivative.
    """
    x, lower, upper = within(state.x, bounds)
    here = first(x)
    if not here.finite():
        raise FloatingPointError
    pairs = [(np.array(s), np.array(y)) for s, y in state.more.get("pairs", ())]
    why = ""
    with suppress(Interrupted):
        while not why:
            free = unpressed(x, here.gradient, lower, upper)
            g = np.where(free, here.gradient, 0.0)
            p = np.where(free, -_times_inverse(pairs, g), 0.0)
            gain = -float(g @ p)
            if not gain > 0:  # no way down by what is remembered: straight down
                pairs, p = [], -g
                gain = float(g @ g)
            if not g.any() or (pairs and _settled(x, p, gain, here.size)):
                why = "orthogonal"
            elif len(state.losses) >= limit:
                why = "steps"
            if why:
                break
            if not pairs:
                p = p * (min(1.0, 1.0 / norm(g)) if not state.losses else abs(here.size) / gain if gain else 1.0)
            found = _searched(first, x, p, here, lower, upper)
            if found is None:
                if pairs:  # once more, straight down
                    pairs = []
                    continue
                why = "stuck"
                break
            new, there = found
            s, y = new - x, there.gradient - here.gradient
            if float(s @ y) > 1e-16 * norm(s) * norm(y) and float(y @ y) > 0:  # which may be below the range of doubles
                pairs = [*pairs, (s, y)][-KEPT:]
            x, here = new, there
            state.more["pairs"] = [(a.tolist(), b.tolist()) for a, b in pairs]
            if state.step(x, here.value, watch):
                break
    free = unpressed(x, here.gradient, lower, upper)
    if why == "stuck" and pairs and _settled(x, _times_inverse(pairs, np.where(free, here.gradient, 0.0)), 0.0, 1.0):
        why = "settled"
    lost = np.zeros(len(x), dtype=bool)
    return Bottom.of(state, why, x, here.value, lost, free)


def _settled(x: Array, p: Array, gain: float, size: float) -> bool:
    """Whether a step would gain less than the rounding of the loss and move no weight by a digit that is printed, or would
    move none by more than its own rounding.
    """
    sizes = np.maximum(abs(x), norm(x) / len(x) ** 0.5)
    return bool((abs(p) <= (BELOW if gain <= ROUNDING * size else 16 * EPS) * sizes).all())


def _times_inverse(pairs: list[tuple[Array, Array]], g: Array) -> Array:
    """The gradient times the inverse Hessian that the last steps make up."""
    q, kept = g.copy(), []
    for s, y in reversed(pairs):
        rho = 1.0 / float(s @ y)
        a = rho * float(s @ q)
        q = q - a * y
        kept.append((a, rho))
    if pairs:
        s, y = pairs[-1]
        q = q * (float(s @ y) / float(y @ y))
    for (s, y), (a, rho) in zip(pairs, reversed(kept), strict=True):
        q = q + s * (a - rho * float(y @ q))
    return q


def _searched(
    first: Callable[[Array], Sums], x: Array, p: Array, here: Sums, lower: Array, upper: Array
) -> tuple[Array, Sums] | None:  # fmt: skip
    """A step along p that falls far enough and ends flat enough; None where none was found."""
    slope = float(here.gradient @ p)
    low, high, t = 0.0, math.inf, 1.0
    noise = ROUNDING * here.size
    best = None
    for _ in range(TRIALS):
        new = np.clip(x + t * p, lower, upper)
        there = first(new)
        if not there.finite():
            high = t
            t = low + 0.1 * (high - low)
            continue
        fell = here.value - there.value
        end = float(there.gradient @ p)
        enough = fell >= -ENOUGH * t * slope or (abs(fell) <= noise and (2 * ENOUGH - 1) * slope >= end)
        if not enough:
            high = t
            t = _between(t, low, here.value, slope, there.value)
        else:
            best = (new, there)
            if end < FLATTER * slope and (new == x + t * p).all():
                low = t
                t = 2 * t if math.isinf(high) else (low + high) / 2
            elif end > -FLATTER * slope and not abs(fell) <= noise:
                high, t = t, (low + t) / 2
            else:
                return best
        if high - low <= 1e-14 * t:
            break
    return best if best is not None and (best[0] != x).any() else None


def _between(t: float, low: float, value: float, slope: float, there: float) -> float:
    """A shorter step: the bottom of the parabola through what is known, kept away from the ends."""
    bend = 2 * (there - value - slope * t)
    guess = -slope * t * t / bend if bend > 0 else 0.5 * t
    return min(max(guess, low + 0.1 * (t - low)), low + 0.5 * (t - low)) if low else min(max(guess, 0.1 * t), 0.5 * t)
