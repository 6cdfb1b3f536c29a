"""A fit by least squares: the trust region's run, a second look at where it ended, standard errors, and how good it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..arrays import Array, np
from ..tree import Number, Tree
from .ending import Fit
from .methods.newton import Bottom
from .methods.refine import NUMBERS, refined
from .methods.saddle import SECOND, leave_saddles
from .methods.trust import RANK, Ending, State, least_squares, norm
from .rows.curvature import Curvature, GroupedCurvature
from .rows.residuals import OverRows
from .rows.spread import Targets, TargetSpread
from .statistics import LEVEL, inverse_factor, students_t, summary
from .verdict import judge

if TYPE_CHECKING:
    from .solve import Solver


def by_squares(solver: Solver) -> Fit:
    """The weights at which the sum of squares is smallest, and what their errors are."""
    targets = TargetSpread(solver.model, solver.rows).run()
    residuals = solver.residuals(solver.model.residual)
    state = solver.begun(solver.state or State(solver.start()))
    try:
        end = least_squares(
            solver.interruptible(residuals.triangle), state, residuals.size, solver.box, solver.limit, solver.watch
        )
        end, saddle = _without_saddles(solver, residuals, state, end)
        end = _refined(solver, residuals, end)
    except FloatingPointError:
        raise solver.no_start(residuals, state.x) from None
    found = described(solver, end.x, end.triangle, end, targets, "lm")
    found.steps = end.steps
    found.history = list(enumerate(x * x / residuals.size for x in end.losses))
    why = "saddle" if saddle else "settled" if end.converged and end.why == "stuck" else end.why
    if why == "stuck" and len(set(end.losses)) == 1:
        why = "unmoved"
    judge(found, why, end.converged and not saddle, solver.names, end.lost, end.free, residuals.size)
    return found


def described(solver: Solver, x: Array, triangle: Array, end: Ending | Bottom, targets: Targets, method: str) -> Fit:
    """Standard errors and statistics out of the triangle of [J r]."""
    m = len(solver.names)
    with np.errstate(all="ignore"):
        factor, rank = inverse_factor(triangle[:, :m], end.free, RANK * m)
        spread = 0.0 if targets.same else targets.spread
        total = summary(norm(triangle[:, m]), solver.rows.count, rank, spread, targets.logs, solver.known)
        factor = factor * (1.0 if solver.known else total.sd)
    found = solver.fit(x, factor, end, students_t((1 + LEVEL) / 2, total.dof), method)
    found.summary, found.loss = total, total.loss
    return found


def _refined(solver: Solver, residuals: OverRows, end: Ending) -> Ending:
    """Where a plane ends when the last of its digits are put right."""
    m = len(solver.names)
    sure = end.converged and end.free.all() and not end.lost.any()
    if not (sure and solver.straight) or solver.rows.count * m > NUMBERS or solver.rows.count < m:
        return end
    with np.errstate(all="ignore"):
        matrix = residuals.matrices([0.0] * m)
        x = refined(matrix[:, :-1], matrix[:, -1]) if np.isfinite(matrix).all() else None
    if x is None or (solver.box is not None and ((x < solver.box[0]) | (x > solver.box[1])).any()):
        return end
    root = residuals.triangle(x.tolist())
    if root is None or norm(root[:, -1]) > norm(end.triangle[:, -1]) * (1 + 1e-8) + end.floor:
        return end
    return replace(end, x=x, triangle=root)


def _without_saddles(solver: Solver, residuals: OverRows, state: State, end: Ending) -> tuple[Ending, bool]:
    """Where it ends after every saddle was left; and whether it is at one that no step leaves."""
    m = len(solver.names)
    if solver.straight or solver.rows.count * m * m > SECOND:
        return end, False
    halves = curvature_of(solver, _half(solver))
    return leave_saddles(
        lambda x: residuals.triangle(x.tolist()), state, end, halves, residuals.size, solver.box, solver.limit, solver.watch
    )


def _half(solver: Solver) -> Callable[..., Number]:
    """Half the square of a row's residual in a unit."""
    residual = solver.model.residual

    def half(weights: Mapping[str, Number], row: Mapping[str, Number], unit: Number) -> Number:
        r = residual(weights, row) / unit
        return 0.5 * r * r

    return half


def curvature_of(solver: Solver, loss: Callable[..., Number], order: int = 2) -> Curvature | GroupedCurvature:
    """``loss(weights, row, *more)`` over the rows, as a function of the free weights, which more may follow."""
    if solver.model.grouped:
        return GroupedCurvature(loss, solver.places, solver.rows, order)
    names, held, m = solver.names, solver.fixed, len(solver.names)

    def flat(leaves: Sequence[Number], row: Tree) -> Number:
        return loss({**held, **dict(zip(names, leaves[:m], strict=True))}, row, *leaves[m:])

    return Curvature(flat, solver.rows, m, order)
