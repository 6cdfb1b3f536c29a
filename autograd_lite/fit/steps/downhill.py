"""A Python loss, or residuals, made small by least squares, Newton's method or L-BFGS: what `minimize` does but for descent."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ...arrays import Array, np
from ...errors import InputValueError
from ...files import FilePath, JsonData
from ...interrupt import is_interrupted
from ...tree import Number, Spec, Tree, called, flatten, unflatten
from ..methods.lbfgs import lbfgs
from ..methods.newton import newton
from ..methods.saddle import SECOND, leave_saddles
from ..methods.trust import State, Watch, least_squares, norm
from ..rows import AnyRows, Rows
from ..rows.curvature import Curvature, Sums
from ..rows.objective import entries, flattened
from ..rows.residuals import Residuals
from . import checkpoint as checkpoints
from .bar import Bar
from .trail import Trail

if TYPE_CHECKING:
    from ..descent import Callback

MANY = 100  # weights from which on L-BFGS needs less than Newton's Hessians
REASONS = {"exact": "converged", "orthogonal": "converged", "settled": "converged", "scale": "stuck"}


def mean_squares(residual: Callable[..., Tree] | None) -> Callable[..., Number]:
    """The loss of a row whose residuals are given: the sum of their squares."""

    def loss(params: Tree, *row: Tree) -> Number:
        assert residual is not None
        return sum(r * r for r in flatten(residual(params, *row), f"result of {called(residual)}")[0])

    return loss


class Downhill:
    """One run: where it is, and after `go` how it ended.

    Attributes:
        x: the flat weights.
        loss: the mean loss there.
        reason: as of `Result`.
        steps: how many were made.
        method: "lm", "newton" or "lbfgs".
    """

    def __init__(
        self, loss: Callable[..., Number] | None, residual: Callable[..., Tree] | None, x: list[float], spec: Spec,
        rows: AnyRows | None, method: str, about: dict[str, JsonData],
    ) -> None:  # fmt: skip
        few = len(x) <= MANY
        self.method = ("lm" if loss is None else "newton" if few else "lbfgs") if method == "auto" else method
        self.spec, self.about, self.start, self.x = spec, about, x, x
        self._loss = mean_squares(residual) if loss is None else loss
        self._residual = residual
        self._alone = rows is None
        if self._alone and residual is not None:
            self._residual = lambda params, _: residual(params)
        self.rows: AnyRows = Rows((array("d", [0.0]),)) if rows is None else rows  # alone, a row that nobody looks at
        self.loss, self.reason, self.steps = math.nan, "", 0
        self.state = State(list(x))
        self.trail = Trail()
        self._first: float | None = None

    def go(
        self, limit: int, callback: Callback[Tree] | None, bar: Bar | None, checkpoint: FilePath | None, every: int,
        pause: Callable[[], None],
    ) -> None:  # fmt: skip
        """Run to the end, or on from the checkpoint."""
        count = 1 if self._alone else self.rows.count
        if checkpoint is not None:
            self.state = checkpoints.load_steps(checkpoint, self.settings) or self.state
        self.trail.add(len(self.state.losses), self.state.x)
        self._first = self.state.more.get("first")
        interrupted = False

        def watch(now: State) -> bool:
            step = len(now.losses)
            self.trail.add(step, now.x)
            now.more["first"] = self._first
            if checkpoint is not None and step % every == 0:
                checkpoints.save_steps(checkpoint, self.settings, now)
            value = self._mean(now.losses[-1], count)
            if bar:
                bar.update(step, value)
            if is_interrupted(pause):
                return True
            return bool(callback is not None and callback(step - 1, value, unflatten(self.spec, now.x)))

        try:
            why, lost = self._run(limit, watch, pause)
            interrupted = is_interrupted(pause)  # the methods end where one came within a pass
        except FloatingPointError:
            raise self._no_start() from None
        except KeyboardInterrupt:  # between two blocks of a pass
            why, lost, interrupted = "interrupted", False, True
        finally:
            if bar:
                bar.clear()
        self.x, self.steps = list(self.state.x), len(self.state.losses)
        if checkpoint is not None:
            self.state.more["first"] = self._first
            checkpoints.save_steps(checkpoint, self.settings, self.state)
        last = self.state.losses[-1] if self.state.losses else self._first
        self.loss = math.nan if last is None else self._mean(last, count)
        reason = "undetermined" if lost and why in REASONS else REASONS.get(why, why)
        self.reason = "interrupted" if interrupted else reason
        self._count = count

    def losses(self) -> list[float]:
        """The mean loss before the first step and after each."""
        first = [] if self._first is None else [self._first]
        return [self._mean(x, self._count) for x in [*first, *self.state.losses]]

    def path(self) -> list[tuple[int, list[float]]]:
        """Where it came along."""
        return self.trail.ended(self.steps, self.x)

    def _mean(self, x: float, count: int) -> float:
        return x * x / count if self.method == "lm" else x / count

    def _run(self, limit: int, watch: Watch, pause: Callable[[], None]) -> tuple[str, bool]:
        """Why it ended, and whether the rows leave weights open."""
        if self.method == "lm":
            return self._squares(limit, watch, pause)
        sums = self._sums(2 if self.method == "newton" else 1)

        def at(x: Array) -> Sums:
            found: Sums = sums.at(x.tolist(), pause=pause)
            if self._first is None and found.finite():
                self._first = found.value
            return found

        end = (newton if self.method == "newton" else lbfgs)(at, self.state, None, limit, watch)
        return end.why, bool(end.lost.any())

    def _sums(self, order: int) -> Curvature:
        return Curvature(
            flattened(self._loss, self.spec), None if self._alone else self.rows, len(self.start), order
        )  # fmt: skip

    def _squares(self, limit: int, watch: Watch, pause: Callable[[], None]) -> tuple[str, bool]:
        assert self._residual is not None
        residuals = Residuals(self._residual, self.spec, len(self.start), self.rows)

        def triangle(x: Array) -> Array | None:
            root = residuals.triangle(x.tolist(), pause)
            if self._first is None and root is not None:
                self._first = norm(root[:, -1])
            return root

        end = least_squares(triangle, self.state, residuals.size, None, limit, watch)
        if self.rows.count * len(self.start) ** 2 > SECOND or len(self.start) > MANY:
            return "settled" if end.converged and end.why == "stuck" else end.why, bool(end.lost.any())
        given, spec, m = self._residual, self.spec, len(self.start)

        def half(leaves: Sequence[Number], *row: Tree) -> Number:
            found = flatten(given(unflatten(spec, list(leaves[:m])), *row), f"result of {called(given)}")[0]
            return sum((r / leaves[m]) * (r / leaves[m]) for r in found) * 0.5

        end, at_saddle = leave_saddles(
            triangle, self.state, end, Curvature(half, self.rows, m), residuals.size, None, limit, watch
        )
        why = "saddle" if at_saddle else "settled" if end.converged and end.why == "stuck" else end.why
        return why, bool(end.lost.any())

    def _no_start(self) -> InputValueError:
        """The error for a start without a finite loss, with the first row that has none."""
        repair = "start elsewhere, or mend the data"
        if self._alone or not hasattr(self.rows, "blocks"):
            return InputValueError(f"the loss or a derivative of it is not finite at the start: {repair}")
        sums, number = self._sums(1), 0
        for columns in self.rows.blocks():
            for row in zip(*map(entries, columns), strict=True):
                found = sums.leaf([*self.start, *([1.0] * len(self.start))], [np.array([x]) for x in row])
                if not found.finite():
                    names = self.rows.names or [f"data[{i}]" for i in range(len(row))]
                    what = (
                        f"the loss is {found.value}" if not math.isfinite(found.value) else "a slope of the loss is not finite"
                    )
                    numbers = ", ".join(f"{n}={x!r}" for n, x in zip(names, row, strict=True))
                    return InputValueError(f"{what} in row {number + 1}, {numbers}: {repair}")
                number += 1
        return InputValueError(
            f"the sum of the loss over all rows, or of its derivatives, is not finite at the start: {repair}"
        )

    @property
    def settings(self) -> dict[str, JsonData]:
        """What must be the same for a checkpoint to be gone on from."""
        rows = None if self._alone else self.rows
        return checkpoints.settings(self.about, self.spec, self.start, rows, method=self.method)
