"""Verdicts on one derivative beside a numerical one."""

from __future__ import annotations

import math
import sys
from math import inf, isfinite, nan
from typing import NamedTuple

from ..numerical.derivative import UNUSUAL, Derivative
from ..numerical.probe import EPS, SMALLEST

PASS, WEAK, INCONCLUSIVE, FAIL = "pass", "weak", "inconclusive", "fail"
SAFETY = 2.0  # a difference is real beyond so many times the numerical error
STRONG = 100.0  # a numerical derivative that knows its value to so many times rtol can pass another
DIGITS = 0.01  # and one that does not know two digits of it can say nothing
STRAIGHT = 16.0  # and not straight where it bends by more than this part of its rise
STEEP = 8.0  # a slope is steep that within the finest step rises by more than this part of what f does
UNDERFLOW = 64.0 * SMALLEST  # what is left of a slope below 1e-308
FEW_STEPS = 2.0**12 * SMALLEST  # values below this take too few steps for their slopes to be told
NEARBY = 2.0**44  # of the finest step: a part of the point
AMONG_THE_SMALLEST = "the values of f are among the smallest floats, of which they take a few only"
BEYOND = "the slope is at the end of what a float can hold"
LARGEST = sys.float_info.max


class Verdict(NamedTuple):
    """What to think of an engine's derivative, and why."""

    verdict: str
    relative: float
    hint: str


def judge(engine: float, found: Derivative, rtol: float) -> Verdict:
    """Whether a derivative agrees with a numerical one, at whatever kind of place it is."""
    verdict = _judge_by_kind(engine, found, rtol)
    within = max(abs(engine), 1.0) * found.finest  # what f should move by in the finest step
    if verdict.verdict == FAIL and found.kind in ("kink", "cusp") and max(within, found.rise) < UNDERFLOW:
        return Verdict(
            INCONCLUSIVE, verdict.relative, "the values of f beside this point differ by what underflow leaves of them"
        )
    if verdict.verdict == FAIL and max(abs(found.at), found.rise, abs(engine) * found.finest * NEARBY) < FEW_STEPS:
        return Verdict(INCONCLUSIVE, verdict.relative, AMONG_THE_SMALLEST)
    if verdict.verdict == FAIL and math.isinf(engine) and found.rise / max(found.finest, SMALLEST) > LARGEST / 4.0:
        return Verdict(INCONCLUSIVE, verdict.relative, BEYOND)
    if verdict.verdict == FAIL and _unresolved(engine, found):
        hint = "f changes more within the finest step than values can show: they allow this slope and others"
        return Verdict(INCONCLUSIVE, verdict.relative, hint)
    return verdict


def _unresolved(engine: float, found: Derivative) -> bool:
    """Whether a slope so steep would show within the finest step only, and f does move there as no smooth function does."""
    if engine != engine or found.kind in ("kink", "cusp", "not finite"):
        return False
    if math.isinf(engine):
        return found.kind == "jump"
    if math.isinf(found.value) and engine * math.copysign(1.0, found.value) < 0.0:
        return False
    rounding = max(EPS * abs(found.at), EPS * found.size, SMALLEST)
    return found.bend > max(found.rise / STRAIGHT, UNUSUAL * rounding) and abs(engine) * found.finest > found.rise / STEEP


def _judge_by_kind(engine: float, found: Derivative, rtol: float) -> Verdict:
    if found.kind == "not finite":
        return _judge_not_finite(engine, found)
    if engine != engine and found.kind != "jump":
        return Verdict(FAIL, nan, f"nan, though f is finite and its slope is {_either(found)}")
    if found.kind == "jump":
        return _judge_jump(engine, found, rtol)
    if found.kind in ("kink", "cusp"):
        return _judge_kink(engine, found, rtol)
    if math.isinf(found.value):
        if engine == found.value:
            return Verdict(PASS, 0.0, "")
        if isfinite(engine) and engine * math.copysign(1.0, found.value) * found.finest > found.rise / STEEP:
            return Verdict(
                INCONCLUSIVE, nan, "f rises ever more steeply down to the finest step: it may be this steep or steeper"
            )
        return Verdict(FAIL, inf, f"f rises vertically here: its slope grows to {found.value:g}")
    if found.kind == "plateau":
        return _judge_plateau(engine, found, rtol)
    return _judge_number(engine, found.value, found.error, found.size, rtol)


def _judge_number(engine: float, value: float, error: float, size: float, rtol: float) -> Verdict:
    if engine != engine:
        return Verdict(FAIL, nan, f"nan, though the slope of f is {value:g}")
    if not isfinite(error):
        return Verdict(INCONCLUSIVE, nan, "the values of f settle on no slope")
    if math.isinf(engine) and abs(value) * 4.0 > LARGEST:
        return Verdict(INCONCLUSIVE, inf, BEYOND)
    if math.isinf(engine):
        return Verdict(FAIL, inf, f"infinite, though the slope of f is {value:g}")
    largest = max(abs(engine), abs(value))
    difference = abs(engine - value)
    relative = difference / largest if largest else 0.0
    if engine == value == 0.0:
        return Verdict(PASS, relative, "")
    if difference > SAFETY * error + rtol * largest + UNDERFLOW:
        return Verdict(FAIL, relative, ratio_hint(engine, value, error))
    if error <= STRONG * rtol * largest:
        return Verdict(PASS, relative, "")
    if 0.0 in (engine, value) and largest <= error <= STRONG * rtol * size:
        if engine == 0.0:
            return Verdict(PASS, relative, "")
        return Verdict(WEAK, relative, "too small for the values of f to tell from 0")
    if error <= DIGITS * largest:
        return Verdict(WEAK, relative, f"agrees, but f's values give only {-math.log10(error / largest):.1f} digits")
    if error <= STRONG * rtol * size:
        return Verdict(WEAK, relative, "too small for the values of f to tell from 0")
    return Verdict(INCONCLUSIVE, relative, "f is too noisy here: its values do not give two digits of the slope")


def _judge_kink(engine: float, found: Derivative, rtol: float) -> Verdict:
    low, high = sorted((found.left, found.right))
    if not (isfinite(found.left_error) and isfinite(found.right_error)) or low != low or high != high:
        return Verdict(INCONCLUSIVE, nan, "f bends here, and the slopes of its two sides cannot be told")
    slack = SAFETY * (found.left_error + found.right_error) + rtol * max(
        (abs(s) for s in (low, high) if isfinite(s)), default=0.0
    )
    if low - slack <= engine <= high + slack:
        return Verdict(PASS, 0.0, "")
    nearest = low if engine < low else high
    beyond = abs(engine - nearest) / max(abs(engine), abs(nearest)) if isfinite(engine) else inf
    return Verdict(FAIL, beyond, f"at a kink the derivative must lie between the slopes {low:g} and {high:g}")


def _judge_jump(engine: float, found: Derivative, rtol: float) -> Verdict:
    if engine != engine:
        return Verdict(WEAK, nan, "f jumps here and has no derivative; nan says so")
    sides = ((found.left, found.left_error), (found.right, found.right_error))
    beside = {_judge_number(engine, slope, error, found.size, rtol).verdict for slope, error in sides if slope == slope}
    if beside & {PASS, WEAK}:
        return Verdict(WEAK, nan, "f jumps here and has no derivative; this is its slope beside the jump")
    if beside != {FAIL} or not all(isfinite(error) for slope, error in sides if slope == slope):
        return Verdict(INCONCLUSIVE, nan, "f jumps here and has no derivative, and its slopes beside the jump cannot be told")
    return Verdict(FAIL, nan, f"f jumps here, and beside the jump its slopes are {found.left:g} and {found.right:g}")


def _judge_plateau(engine: float, found: Derivative, rtol: float) -> Verdict:
    if engine == 0.0:
        return Verdict(
            WEAK, nan, f"f is flat in steps, like a rounded function, and rises by {found.value:g} over many of them"
        )
    verdict = _judge_number(engine, found.value, found.error, found.size, rtol)
    if verdict.verdict == FAIL:
        return verdict
    return verdict._replace(
        verdict=WEAK, hint="f is flat in steps, like a rounded function: this is its slope over many of them"
    )


def _judge_not_finite(engine: float, found: Derivative) -> Verdict:
    if found.at != found.at:
        if engine != engine:
            return Verdict(PASS, 0.0, "nan, as the value is")
        return Verdict(INCONCLUSIVE, nan, "what is differenced is nan here, outside its domain: an op says so with domain=")
    what = "infinite here, or the point is" if math.isinf(found.at) else "finite here, but nowhere beside"
    return Verdict(INCONCLUSIVE, nan, f"what is differenced is {what}: its values say nothing about a derivative")


def _either(found: Derivative) -> str:
    if found.value == found.value:
        return f"{found.value:g}"
    return f"{found.left:g} on the left, {found.right:g} on the right"


def ratio_hint(engine: float, value: float, error: float) -> str:
    """What usually makes a derivative wrong by this factor."""
    if value == 0.0 or abs(value) <= SAFETY * error:
        return "the slope is 0 within the numerical error" if engine else ""
    ratio = engine / value
    near = 1e-3 + 2.0 * error / abs(value)
    if abs(ratio) <= near:
        return "0 in place of it: an edge is missing"
    for factor, text in (
        (-1.0, "the sign is wrong"),
        (2.0, "twice too large: counted twice"),
        (0.5, "halved: a term is missing"),
    ):
        if abs(ratio - factor) <= near * abs(factor):
            return f"ratio {factor:g}: {text}"
    return f"off by a factor of {ratio:.9g}"
