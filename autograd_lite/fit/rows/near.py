"""Of many rows those whose residuals are near zero, brought together, and sums over all others.  Needs NumPy.

``|r|`` bends at zero only: as long as a residual keeps its sign it is a straight line, and straight lines add up to one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ...arrays import Array, np
from ...interrupt import no_pause
from ..rows import Columns
from .residuals import OverRows

if TYPE_CHECKING:
    pass

PIECE = 2**21  # numbers of a matrix that is made at once
NOTHING = 1e-13  # of the size of what a residual is the difference of: what counts as zero


class Near(NamedTuple):
    """What rows come to: all of them together, the zero ones among them, and those that are near.

    Attributes:
        value: the sum of absolute residuals; nan where a residual or a derivative is not finite.
        turned: how many rows that were far have changed their sign.
        slopes: for each weight the sum of absolute derivatives.
        pull: for each weight the slope of the far rows.
        push: that of those that are zero, with the multipliers that were asked for.
        bend: for each two weights the sum of products of derivatives of those that are zero and not at a multiplier's end.
        zeros: how many are zero.
        rows: [J r] of the rows that are near, or of some of them.
    """

    value: float
    turned: int
    slopes: Array
    pull: Array
    push: Array
    bend: Array
    zeros: int
    rows: Array


class Ask(NamedTuple):
    """What is asked of the rows: near is what is no more than `width` times the length of its derivatives in `scale`.

    Attributes:
        x: the weights at which residuals are made linear.
        step: from there to where the linear residuals are looked at.
        before, around: another step, and what was near around it, whose signs are compared.
        scale: for each weight its unit.
        width: of what is near; negative for nothing.
        share: the part of the near rows that is brought together.
        draw: which of them.
        floor: the size of a residual that is zero, at least.
        zero: the multipliers of rows that are zero are their derivatives times this, between -1 and 1; nan to have these rows
            near or far as others are.
    """

    x: Array
    step: Array
    before: Array
    scale: Array
    zero: Array
    around: float
    width: float
    share: float
    draw: int
    floor: float


class NearRows:
    """The work that finds `Near`."""

    def __init__(self, misses: OverRows, weights: int) -> None:
        self.misses, self.weights = misses, weights

    def ask(self, ask: Ask, pause: Callable[[], None] = no_pause) -> Near:
        """Of all rows."""
        leaves = [*ask.x.tolist(), *ask.step.tolist(), *ask.before.tolist(), *ask.scale.tolist(), *ask.zero.tolist()]
        with np.errstate(all="ignore"):
            found: Near = self.misses.rows.total(self, [*leaves, *map(float, ask[5:])], pause)
        return found

    def leaf(self, leaves: Sequence[float], columns: Columns) -> Near:
        """Of a block, in pieces of a size that follows from the number of weights alone."""
        m, given = self.weights, np.array(leaves)
        x, step, before, scale, zero = given[: 5 * m].reshape(5, m)
        around, width, share, draw, floor = leaves[5 * m :]
        ask = Ask(x, step, before, scale, zero, around, width, share, int(draw), floor)
        found: Near | None = None
        size = max(1, PIECE // (m + 1))
        for start in range(0, len(columns[0]), size):
            one = self._piece(ask, [column[start : start + size] for column in columns], start)
            found = one if found is None else self.both(found, one)
        assert found is not None
        return found

    def _piece(self, ask: Ask, columns: Columns, start: int) -> Near:
        matrix = self.misses.matrix(ask.x.tolist(), columns)
        jacobian, r = matrix[:, :-1], matrix[:, -1]
        # by einsum and by sums over an axis, whose bits do not depend on how many threads a library of matrices has
        res = r + np.einsum("ij,j->i", jacobian, ask.step)
        sizes = abs(jacobian)
        slopes = sizes.sum(axis=0)
        m = len(slopes)
        if not np.isfinite(slopes).all() or not np.isfinite(res).all():
            none = np.zeros(m)
            return Near(float("nan"), 0, slopes, none, none, np.zeros((m, m)), 0, matrix[:0])
        length = np.sqrt(np.einsum("ij,ij->i", jacobian / ask.scale, jacobian / ask.scale))
        nothing = NOTHING * (abs(r) + np.einsum("ij,j->i", sizes, abs(ask.x) + abs(ask.step)))
        zero = abs(res) <= np.maximum(nothing, ask.floor)
        near = abs(res) <= ask.width * length
        was = r + np.einsum("ij,j->i", jacobian, ask.before)
        turned = int(((abs(was) > ask.around * length) & (np.sign(res) != np.sign(was)) & ~zero).sum())
        push, bend = np.zeros(m), np.zeros((m, m))
        if not np.isnan(ask.zero).any():
            near &= ~zero
            multipliers = np.einsum("ij,j->i", jacobian[zero], ask.zero)
            push = (np.clip(multipliers, -1.0, 1.0)[:, None] * jacobian[zero]).sum(axis=0)
            free = jacobian[zero][abs(multipliers) < 1.0]
            bend = np.einsum("ij,ik->jk", free, free)
        far = ~near if np.isnan(ask.zero).any() else ~near & ~zero
        pull = (np.sign(np.where(far, res, 0.0))[:, None] * jacobian).sum(axis=0)
        kept = near
        if ask.share < 1.0:
            lots = np.frombuffer(random.Random(f"{ask.draw}/{start}").randbytes(4 * len(r)), dtype="<u4")
            kept = near & (lots < ask.share * 2**32)
        rows = np.column_stack([jacobian[kept], res[kept]])
        return Near(float(abs(res).sum()), turned, slopes, pull, push, bend, int(zero.sum()), rows)

    @staticmethod
    def both(a: Near, b: Near) -> Near:
        """Of two blocks."""
        return Near(
            a.value + b.value, a.turned + b.turned, a.slopes + b.slopes, a.pull + b.pull, a.push + b.push, a.bend + b.bend,
            a.zeros + b.zeros, np.concatenate([a.rows, b.rows]),
        )  # fmt: skip


class Unlike(NamedTuple):
    """Rows that are unlike, how many there are of each, and whether they are too many to be kept."""

    rows: Array
    counts: Array
    many: bool


class Alike:
    """The work that counts rows that are alike.

    Args:
        most: how many that are unlike may be brought together.
    """

    def __init__(self, misses: OverRows, most: int) -> None:
        self.misses, self.most = misses, most

    def found(self, x: Array) -> tuple[Array, Array] | None:
        """[J r] of all rows, each of those that are unlike once, and their numbers; None where these are too many."""
        with np.errstate(all="ignore"):
            found: Unlike = self.misses.rows.total(self, x.tolist())
        return None if found.many else (found.rows, found.counts)

    def leaf(self, leaves: Sequence[float], columns: Columns) -> Unlike:
        """Those of a block."""
        matrix = self.misses.matrix(leaves, columns)
        return self._counted(Unlike(matrix, np.ones(len(matrix)), False))

    def both(self, a: Unlike, b: Unlike) -> Unlike:
        """Those of two blocks."""
        many = a.many or b.many
        return self._counted(Unlike(np.concatenate([a.rows, b.rows]), np.concatenate([a.counts, b.counts]), many))

    def _counted(self, found: Unlike) -> Unlike:
        if not found.many:
            rows, place = np.unique(found.rows, axis=0, return_inverse=True)
            if len(rows) <= self.most:
                return Unlike(rows, np.bincount(place.ravel(), found.counts, len(rows)).astype(float), False)
        return Unlike(found.rows[:0], found.counts[:0], True)
