"""A fit by least squares: the trust region's run, a second look at where it ended, standard errors, and how good it is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..tables.table import numpy
from .curvature import Curvature, GroupedCurvature
from .ending import Fit
from .spread import Targets, TargetSpread
from .statistics import correlations, inverse_factor, students_t, summary
from .trust import RANK, Ending, State, least_squares, norm
from .verdict import judge

if TYPE_CHECKING:
    from .solve import Solver

SECOND = 2**27  # rows times squared weights up to which the exact Hessian is looked at too
DOWN = 1e-7  # a curvature, of the largest, that is certainly one downwards
SADDLES = 3  # that are left before it is said instead


def by_squares(solver: Solver) -> Fit:
    """The weights at which the sum of squares is smallest, and what their errors are."""
    targets = TargetSpread(solver.model, solver.rows).run()
    residuals = solver.residuals(solver.model.residual)
    state = solver.begun(solver.state or State(solver.start()))
    try:
        end = least_squares(residuals.triangle, state, residuals.size, solver.box, solver.limit, solver.watch)
        end, saddle = _left(solver, residuals, state, end)
    except FloatingPointError:
        raise solver.no_start(residuals, state.x) from None
    found = described(solver, end.x, end.triangle, end.free, end.lost, targets, "lm")
    found.steps = end.steps
    found.history = list(enumerate(x * x / residuals.size for x in end.losses))
    why = "saddle" if saddle else "settled" if end.converged and end.why == "stuck" else end.why
    if why == "stuck" and len(set(end.losses)) == 1:
        why = "unmoved"
    judge(found, why, end.converged and not saddle, solver.names, end.lost, end.free, residuals.size)
    return found


def described(
    solver: Solver, x: Any, triangle: Any, free: Any, lost: Any, targets: Targets, method: str
) -> Fit:  # fmt: skip
    """Standard errors and statistics out of the triangle of [J r]."""
    np = numpy()
    m = len(solver.names)
    usable = free & ~lost
    with np.errstate(all="ignore"):
        factor, rank = inverse_factor(triangle[:, :m], free, RANK * m)
        spread = 0.0 if targets.same else targets.spread
        total = summary(norm(triangle[:, m]), solver.rows.count, rank, spread, targets.logs, solver.known)
        factor = factor * (1.0 if solver.known else total.sd)
        half = [norm(row) for row in factor]
        covariance = factor @ factor.T
        correlation = correlations(factor, solver.names)
    covariance[lost, :] = covariance[:, lost] = math.nan
    errors = {n: float(half[i]) if usable[i] else math.nan for i, n in enumerate(solver.names)}
    found = solver.fit(x.tolist(), errors, students_t((1 + 0.95) / 2, total.dof), covariance.tolist(), method)
    found.correlation, found.summary, found.loss = correlation, total, total.loss
    return found


def _left(solver: Solver, residuals: Any, state: State, end: Ending) -> tuple[Ending, bool]:
    """Where it ends after every saddle was left; and whether it is at one that no step leaves.

    Least squares sees the curvature of a model in which residuals are linear, and that is never downwards.
    """
    m = len(solver.names)
    if not end.converged or end.why == "exact" or len(solver.linear) == m or solver.rows.count * m * m > SECOND:
        return end, False
    squares = second_of(solver)
    for _ in range(SADDLES):
        unit = state.unit or 1.0
        down = _way_down(squares.at(end.x.tolist()).hessian / unit / unit, end)
        if down is None:
            return end, False
        x = _stepped(residuals, end, down, unit, solver.box)
        if x is None:
            return end, True
        state.x, state.radius, state.scale, state.stalls, state.coarse = x, None, None, 0, False
        end = least_squares(residuals.triangle, state, residuals.size, solver.box, solver.limit, solver.watch)
        if not end.converged:
            return end, False
    return end, True


def second_of(solver: Solver) -> Any:
    """Half the sum of squares with its exact Hessian."""
    model = solver.model

    def half(weights: Any, row: Any) -> Any:
        r = model.residual(weights, row)
        return 0.5 * r * r

    return curvature_of(solver, half)


def curvature_of(solver: Solver, loss: Any, order: int = 2) -> Any:
    """``loss(weights, row, *more)`` over the rows, as a function of the free weights, which more may follow."""
    if solver.model.grouped:
        return GroupedCurvature(loss, solver.places, solver.rows, order, solver.threads)
    names, held, m = solver.names, solver.fixed, len(solver.names)

    def flat(leaves: Any, row: Any) -> Any:
        return loss({**held, **dict(zip(names, leaves[:m], strict=True))}, row, *leaves[m:])

    return Curvature(flat, solver.rows, m, order, solver.threads)


def _way_down(hessian: Any, end: Ending) -> Any:
    """A direction in which the sum of squares certainly curves down, or None.

    It is so long that residuals of length 1 would be gone after it, were the sum of squares a parabola.
    """
    np = numpy()
    if not np.isfinite(hessian).all() or not end.free.any():
        return None
    at = np.flatnonzero(end.free)
    part = hessian[np.ix_(at, at)]
    size = np.sqrt(abs(part).max(axis=1))
    size = np.where(size > 0, size, 1.0)
    values, vectors = np.linalg.eigh(part / size[:, None] / size[None, :])
    if values[0] >= -DOWN * abs(values).max() or not values[0] < 0:
        return None
    found = np.zeros(len(end.free))
    found[at] = vectors[:, 0] / size / math.sqrt(-values[0] / 2)
    return found


def _stepped(residuals: Any, end: Ending, down: Any, unit: float, box: Any) -> list[float] | None:
    """Weights along a way down at which the residuals are shorter; None where there are none."""
    np = numpy()
    before = norm(end.triangle[:, -1])
    for halvings in range(30):
        for sign in (1.0, -1.0):
            x = end.x + sign * before / unit * 0.5**halvings * down
            x = x if box is None else np.clip(x, *box)
            root = residuals.triangle(x)
            if root is not None and norm(root[:, -1]) < before * (1 - 1e-12):
                return list(x.tolist())
    return None
