"""Where to start, if nobody says: weights that enter linearly are solved for, the others tried at values that fit the columns.

Which weights are linear, and what the others are multiplied by, added to or raised to, is read off the traced program of one
row.  A weight times a column is tried at numbers of the size of one over the column, one that is subtracted from it among its
values.  Each trial costs one look at the rows, as the linear weights belong to it (variable projection); the best are gone
down from.  Nothing is drawn unless there are too many combinations, and then by a seed.  Needs NumPy.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import combinations, product
from typing import Any, NamedTuple

from ... import ops
from ...arrays import Array, Box, np
from ...compiler.lowering import COMPARISONS
from ...program import Program
from .trust import State, least_squares, norm

SIZES = (0.01, 0.03, 0.1, 0.2, 0.35, 0.6, 1.0, 1.7, 3.0, 6.0, 12.0, 25.0, 50.0)
POWERS = (0.1, 0.3, 0.5, 0.8, 1.0, 1.3, 2.0, 3.0, 4.5)
WIDE = tuple(10.0**k for k in range(-6, 7))
CYCLES = 40  # periods of a wave in the range of its column that are tried
TRIALS, GONE_ON, SHORT = 3000, 16, 80
ROUNDS = 4  # of trials, at most
SAME = 1e-6  # of the length of residuals: ends that differ less are one minimum
ROWS = 400  # looked at in a trial


class SearchPlan(NamedTuple):
    """What a program says of its weights: the set that is linear, and values to try for each of the others."""

    linear: list[int]
    values: dict[int, list[float]]


def dependence(program: Program, count: int) -> list[set[int]]:
    """For each value of a program which of the first `count` inputs it depends on."""
    found: list[set[int]] = [{i} if i < count else set() for i in range(program.inputs)]
    for _, args in program.instructions:
        found.append(set().union(*(found[a] for a in args if isinstance(a, int))))
    return found


def linear_weights(program: Program, count: int) -> list[int]:
    """The largest set of weights in which the function is linear, all others held, out of a program of value and gradient.

    >>> from autograd_lite import jit, value_and_grad
    >>> f = value_and_grad(lambda w, x: w[0] * (1 - x * w[1]) + w[2])
    >>> linear_weights(jit(f).program([1.0, 1.0, 1.0], 2.0), 3)
    [0, 2]
    """
    depends = dependence(program, count)
    slopes = program.outputs[-count:]
    by = [depends[s] if isinstance(s, int) else set() for s in slopes]
    # one without any slope, as in a comparison, cannot be solved for
    able = [i for i in range(count) if i not in by[i] and slopes[i] != 0.0]
    clash = {(i, j) for i in able for j in able if j in by[i] or i in by[j]}
    if len(able) <= 12:
        for size in range(len(able), 0, -1):
            for chosen in combinations(able, size):
                if not any(pair in clash for pair in combinations(chosen, 2)):
                    return list(chosen)
    kept: list[int] = []
    for i in able:
        if not any((i, j) in clash for j in kept):
            kept.append(i)
    return kept


def plan(program: Program, count: int, rows: Sequence[Sequence[float]], start: Sequence[float | None]) -> SearchPlan:
    """What to try for each weight that is not linear; those with a start of their own keep it."""
    linear = [i for i in linear_weights(program, count) if start[i] is None]
    depends = dependence(program, count)
    alias: dict[int, int] = {i: i for i in range(count)}  # values that are a weight but for a constant factor
    met: dict[int, list[tuple[str, int]]] = {i: [] for i in range(count)}
    waves: set[int] = set()
    for number, (op, args) in enumerate(program.instructions, program.inputs):
        if op.waves:
            waves |= set().union(*(depends[a] for a in args if isinstance(a, int)))
        refs = [a for a in args if isinstance(a, int)]
        named = [a for a in refs if a in alias]
        if not named:
            continue
        own = alias[named[0]]
        data = [a for a in refs if not depends[a]]
        if (len(refs) == 1 and op in (ops.neg, ops.mul, ops.div) and args[0] == named[0]) or (len(refs) == 1 and op is ops.mul):
            alias[number] = own
        elif data:
            what = op.name if op.entered else ""
            if op is ops.div:
                what = "size" if args[0] in named else "over"
            met[own].append((what, data[0]))
        elif op is ops.pow and args[-1] == named[-1]:
            met[alias[named[-1]]].append(("pow", -1))
    angles: set[int] = set()  # what is added up to the angle of a wave
    for number, (op, args) in reversed([*enumerate(program.instructions, program.inputs)]):
        if op.waves or (number in angles and op in (ops.add, ops.sub, ops.neg)):
            angles.update(a for a in args if isinstance(a, int))
    phases = {own for ref, own in alias.items() if ref in angles}
    places = sorted({ref for found in met.values() for _, ref in found if ref >= 0})
    table = np.array([Program(program.inputs, program.instructions, tuple(places))([*([0.5] * count), *row]) for row in rows])
    columns = {ref: table[:, i][np.isfinite(table[:, i])] for i, ref in enumerate(places)} if places else {}
    values = {}
    for i in range(count):
        if start[i] is not None:
            values[i] = [float(start[i])]  # type: ignore[arg-type]
        elif i not in linear:
            values[i] = _values(met[i], columns, i in waves, i in phases)
    return SearchPlan(linear, values)


def _values(met: list[tuple[str, int]], columns: dict[int, Array], wave: bool, phase: bool) -> list[float]:
    found: list[float] = []
    for what, ref in met:
        column = columns.get(ref)
        if what == "pow" and ref < 0:
            found += [sign * x for x in POWERS for sign in (1, -1)]
        if column is None or not len(column):
            continue
        size, low, high = float(abs(column).max()), float(column.min()), float(column.max())
        width = high - low
        if what in ("mul", "over", "size") and size > 0:
            for sign in (1, -1):
                found += [sign * (c / size if what == "mul" else c * size) for c in SIZES]
            if wave and width > 0:
                found += [(2 * np.pi * k / width if what == "mul" else width / k) for k in np.arange(0.5, CYCLES, 0.5)]
        elif what in COMPARISONS:
            found += np.quantile(column, np.linspace(0, 1, 2 * CYCLES + 1)[1:-1]).tolist()
        elif what in ("add", "sub"):
            side = -1.0 if what == "add" else 1.0
            inside = np.quantile(column, np.linspace(0, 1, 13)).tolist()
            found += [side * x for x in inside]
            found += [side * (low - c * (width or 1)) for c in (0.1, 0.3, 1.0)]
            found += [side * (high + c * (width or 1)) for c in (0.1, 0.3, 1.0)]
            found += [x * size for x in (0.1, -0.1)]
        elif what == "pow":
            found += [sign * x for x in POWERS for sign in (1, -1)]
    if not found and wave:
        found = [k * np.pi / 4 for k in (0, 1, -1, 2, -2, 3, -3, 4)]
    if not found:
        found = [sign * x for x in WIDE for sign in (1, -1)] + [2.5, -2.5, 5.0, -5.0]
    spans = [float(c.max() - c.min()) for c in columns.values() if len(c)]
    if not met and spans and not phase:  # a width or a rate of something that is computed: sizes of columns, and one over them
        found += [x for span in spans if span > 0 for c in (0.02, 0.05, 0.1, 0.2, 0.5) for x in (c * span, c / span)]
    return list(dict.fromkeys(float(x) for x in found if np.isfinite(x)))


class Search:
    """Trials of starts, and the best of them gone on with, until the best end was reached from two of them.

    Args:
        sample: residuals over some rows.
        plan_: which weights are linear, and values to try for the others.
        bounds: arrays of the least and greatest weights.
        seed: decides what is drawn where there are too many combinations.
        starts: how many trials are gone on with in each round.
    """

    def __init__(self, sample: Any, plan_: SearchPlan, bounds: Box | None, seed: int, starts: int | None) -> None:
        self.sample, self.plan, self.bounds = sample, plan_, bounds
        self.draw = random.Random(seed)
        self.starts = GONE_ON if starts is None else starts
        self.alone = 0  # of so many starts one only came to the best end
        self.steps = 0  # that the best start was gone on with
        self._made: dict[tuple[float, ...], int] = {}

    def trials(self) -> list[list[float]]:
        """Combinations of the values, all of them where they are few."""
        lists = [list(values) for values in self.plan.values.values()]
        total = 1
        for values in lists:
            total *= len(values)
        self.drawn = total > TRIALS
        if not self.drawn:
            return [list(found) for found in product(*lists)]
        return [[self.draw.choice(values) for values in lists] for _ in range(TRIALS)]

    def solved(self, trial: Sequence[float]) -> tuple[float, list[float]] | None:
        """What is left of the residuals with the linear weights solved for, and all the weights."""
        m, linear = self.sample.count, self.plan.linear
        leaves = [0.0] * m
        for i, x in zip(self.plan.values, trial, strict=True):
            leaves[i] = x
        matrix = self.sample.matrices(leaves)
        part = matrix[:, [*linear, m]]
        if not np.isfinite(part).all():
            return None
        scale = np.array([norm(c) for c in part.T[:-1]])
        if linear:
            if not (scale > 0).all():
                return None
            q, r = np.linalg.qr(part[:, :-1] / scale)
            s = np.linalg.svd(r, compute_uv=False)
            if s[-1] < 1e-11 * s[0]:
                return None
            pulled = q.T @ part[:, -1]
            a = -np.linalg.solve(r, pulled) / scale
            for i, x in zip(linear, a.tolist(), strict=True):
                leaves[i] = x
            left = part[:, -1] - q @ pulled
        else:
            left = part[:, -1]
        if self.bounds is not None:
            leaves = np.clip(leaves, *self.bounds).tolist()
        return norm(left), leaves

    def best(self) -> list[float] | None:
        """The start from which most was gained; None where no trial has finite residuals."""
        ends: list[tuple[bool, float, list[float]]] = []
        waiting: list[tuple[float, list[float]]] = []
        rounds = 0
        with np.errstate(all="ignore"):
            while rounds < ROUNDS and not self._agreed(ends):
                waiting = self._ranked() if not rounds or self.drawn else waiting
                ahead, waiting = waiting[: self.starts], waiting[self.starts :]
                if not ahead:
                    break
                for _, leaves in ahead:
                    end = self._gone_on(leaves)
                    if end is not None:
                        ends.append(end)
                if any(not left for _, left, _ in ends):
                    break
                rounds += 1
        if not ends:
            return None
        if len(ends) > 1 and not self._agreed(ends) and min(ends)[1]:
            self.alone = len(ends)
        best = min(ends)
        alike = [x for bad, left, x in ends if bad == best[0] and left <= best[1] * (1 + SAME)]
        # of those that differ in periods of a wave or in signs alone the smallest, each weight by its largest
        largest = [max(map(abs, own)) or 1.0 for own in zip(*alike, strict=True)]
        found = min(
            alike, key=lambda x: (float(f"{sum(abs(w) / m for w, m in zip(x, largest, strict=True)):.6g}"), _minuses(x))
        )
        self.steps = self._made[tuple(found)]
        return found

    def _ranked(self) -> list[tuple[float, list[float]]]:
        """Trials by what is left of the residuals, without those that are as good as another."""
        found = [one for one in map(self.solved, self.trials()) if one is not None and np.isfinite(one[0])]
        ranked = self._different(found)
        if not self.drawn or len(self.plan.values) < 2:
            return ranked
        ahead = [self._along(left, leaves) for left, leaves in ranked[: self.starts]]
        return self._different([*ahead, *ranked[self.starts :]])

    @staticmethod
    def _different(found: list[tuple[float, list[float]]]) -> list[tuple[float, list[float]]]:
        """The best first, without those that are as good as another; of mirror images the one with fewer minus signs."""
        chosen: list[tuple[float, list[float]]] = []
        for one in sorted(found):
            if not chosen or one[0] > chosen[-1][0] * (1 + 1e-3):
                chosen.append(one)
            elif one[0] <= chosen[-1][0] * (1 + 1e-9) and _minuses(one[1]) < _minuses(chosen[-1][1]):
                chosen[-1] = one
        return chosen

    def _along(self, left: float, leaves: list[float]) -> tuple[float, list[float]]:
        """A trial made better one weight after the other: each goes through its values, the others as they are."""
        places = list(self.plan.values)
        at = [leaves[i] for i in places]
        for k, i in enumerate(places):
            for value in self.plan.values[i]:
                one = self.solved([*at[:k], value, *at[k + 1 :]])
                if one is not None and one[0] < left:
                    (left, leaves), at[k] = one, value
        return left, leaves

    def _gone_on(self, leaves: list[float]) -> tuple[bool, float, list[float]] | None:
        """Where some steps lead from a start: whether weights are lost there, what is left, and the weights."""
        try:
            end = least_squares(self.sample.triangle, State(leaves), self.sample.size, self.bounds, SHORT)
        except FloatingPointError:
            return None
        bad = bool(end.lost.any()) or not np.isfinite(end.x).all()
        self._made[tuple(end.x.tolist())] = end.steps
        return bad, 0.0 if end.why == "exact" else norm(end.triangle[:, -1]), end.x.tolist()

    @staticmethod
    def _agreed(ends: list[tuple[bool, float, list[float]]]) -> bool:
        """Whether two starts came to the best end."""
        best = sorted(ends)[:2]
        return len(best) == 2 and best[0][0] == best[1][0] and best[1][1] <= best[0][1] * (1 + SAME)


def _minuses(weights: Sequence[float]) -> int:
    return sum(w < 0 for w in weights)
