"""Richardson's extrapolation of difference quotients to step 0, with an error that every finer step agrees to."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import inf, isfinite, nan
from typing import NamedTuple

from .probe import EPS

COLUMNS = 6
SURE = 4.0  # a finer quotient that is off by more than so many times its noise contradicts a coarser one


class Quotient(NamedTuple):
    """One step of a ladder: the difference quotient, the step actually taken, and how far values may be off."""

    slope: float
    step: float
    noise: float
    rounding: float  # the part of the noise that any function has
    shift: float  # half an ulp of x as a part of the step: how far off f may be through rounding x times a constant


class _Answer(NamedTuple):
    """What one step says, with the parts its error is made of."""

    value: float
    truncation: float
    noise: float
    shift: float

    @property
    def error(self) -> float:
        return self.truncation + self.noise


def extrapolate(rows: Sequence[Quotient], base: float) -> tuple[float, float]:
    """The limit of the quotients for step 0 and its error; `base` is 4 for one-sided quotients, 16 for central ones.

    Of each row of Richardson's table the entry of least error; of these the one of least error that no finer one
    contradicts.  An entry cannot be better than the truncation that the next finer step still sees: where it seems to be,
    two wrong numbers happened to agree.
    """
    rows = _with_scatter(rows)
    answers = _answers(rows, base)
    quarrel = max((_contradiction(a, b) for a, b in pairwise(answers[-6:])), default=0.0)
    if len(rows) >= 12 and 1.0 < quarrel < inf:  # the finest steps are all noise, and more of it than was thought
        answers = _answers([r._replace(noise=r.noise * quarrel) for r in rows], base)
    upward = range(len(answers) - 1)  # so that each looks at the next as it was; with few, noise does not blur the finest
    for i in upward if len(rows) >= 12 else reversed(upward):
        a, finer = answers[i], answers[i + 1]
        if isfinite(finer.truncation):
            answers[i] = a._replace(truncation=max(a.truncation, finer.truncation - 2.0 * finer.noise))
    order = sorted(range(len(answers)), key=lambda i: answers[i].error)
    for i in order:
        a = answers[i]
        if all(abs(a.value - b.value) <= 2.0 * (a.error + b.error + b.shift * abs(b.value)) for b in answers[i + 1 :]):
            return a.value, max(a.error, _apart(a, answers[i + 1 :])) + EPS * abs(a.value)
    return nan, inf


def _apart(a: _Answer, finer: Sequence[_Answer]) -> float:
    """How far finer answers lie from one, beyond their noise: where it has converged their truncation is no excuse."""
    return max((abs(a.value - b.value) - SURE * (b.noise + b.shift * abs(b.value)) for b in finer), default=0.0)


def _contradiction(a: _Answer, b: _Answer) -> float:
    """How many times more noise it would take for two answers to agree."""
    apart = abs(a.value - b.value) - 2.0 * (a.truncation + b.truncation)
    noise = 2.0 * (a.noise + b.noise)
    return apart / noise if noise and apart > 0.0 else 0.0


def _answers(rows: Sequence[Quotient], base: float) -> list[_Answer]:
    answers = []
    many = len(rows) >= 12  # few have no noise to be taken for slow convergence
    above: list[float] = []
    steps: list[float] = []  # by how much the plain quotient moved, row by row
    last = 0.0
    for slope, step, noise, _, shift in rows:
        if not 3.0 < abs(last / step) < 5.0:  # a tiny x has two ladders
            above, steps = [], []
        last = step
        table = [slope]
        floor = abs(noise / step) * 2.0
        growth = factor = 1.0
        value, least, grown, total = slope, inf, floor, inf  # the entry of least error so far
        for old in above[:COLUMNS]:
            entry = table[-1]
            truncation = abs(entry - old)
            if len(table) > 1 and (moved := abs(entry - table[-2])) > truncation:
                truncation = moved
            if (error := truncation + floor * growth) < total:
                value, least, grown, total = entry, truncation, floor * growth, error
            factor *= base
            finer = entry + (entry - old) / (factor - 1.0)
            table.append(finer)
            growth *= (factor + 1.0) / (factor - 1.0)
            truncation = abs(finer - entry)
            if (moved := abs(finer - old)) > truncation:
                truncation = moved
            if (error := truncation + floor * growth) < total:
                value, least, grown, total = finer, truncation, floor * growth, error
        if above:
            steps.append(abs(slope - above[0]))
        if (
            len(steps) >= 2 and 4.0 * floor < steps[-1] and 0.6 < steps[-1] / (steps[-2] or inf) < (1.1 if many else inf)
        ):  # a power of h below 1: the rest of the series counts
            ratio = min(steps[-1] / steps[-2], 0.999)
            least *= max(1.0, 2.0 * ratio / (1.0 - ratio))
        answers.append(_Answer(value, least, grown, shift))
        above = table
    return answers


def _with_scatter(rows: Sequence[Quotient]) -> Sequence[Quotient]:
    """The rows with their noise raised to what the finest quotients show, where that is more than was estimated."""
    if len(rows) < 12:
        return rows
    seen = sorted(abs((b.slope - a.slope) * b.step) / (2.0 * b.noise) for a, b in pairwise(rows[-7:]) if b.noise)
    excess = 2.0 * seen[1] if len(seen) > 1 else 0.0  # the smallest but one: where truncation shows too, it falls with the step
    return [r._replace(noise=r.noise * 2.0 * excess) for r in rows] if excess > 1.0 else rows
