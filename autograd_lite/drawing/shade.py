"""How a number looks: the hue of its sign, and how strong it is beside the others.  Imports nothing."""

from __future__ import annotations

import math


def sign(x: float | None) -> str:
    """The class of a number in a picture: pos, neg, zero, or bad for nan and infinities."""
    if x is None or x == 0.0:
        return "zero"
    return "bad" if not math.isfinite(x) else "pos" if x > 0 else "neg"


def strength(x: float | None, strongest: float) -> float:
    """How strong the band of a number is beside that of the strongest, over three decades: 0.1 to 0.5, and 0 for 0."""
    if x is None or x == 0.0:
        return 0.0
    if not math.isfinite(x) or strongest == 0.0:
        return 0.5
    return round(0.1 + 0.4 * min(max(1.0 + (math.log10(abs(x)) - math.log10(strongest)) / 3.0, 0.0), 1.0), 3)
