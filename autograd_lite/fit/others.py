"""A fit by a loss that is no sum of squares: robust losses with their scale, least absolute deviations, likelihoods."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .. import ops
from ..arrays import Array, np
from ..errors import InputValueError, listed
from ..tree import Number
from .ending import Fit
from .losses import LOSSES, MAD
from .methods.absolute import least_absolute
from .methods.bands import deviations
from .methods.lbfgs import lbfgs
from .methods.newton import Bottom, newton
from .methods.trust import EPS, Shape, State, norm, norms, power_of_two
from .rows import Columns
from .rows.curvature import Sums
from .rows.order import Greatest, quantiles
from .rows.residuals import OverRows
from .rows.spread import Targets, TargetSpread
from .squares import by_squares, curvature_of, described
from .statistics import LEVEL, Summary, likelihood_summary, robust, shares, students_t
from .statistics.scoring import first_bad_row
from .verdict import judge

if TYPE_CHECKING:
    from .solve import Solver

NORMAL = 1.959963984540054  # the normal distribution's 0.975 quantile
LARGE, FEW = 1000, 100  # weights up to which a Hessian is put together, and exactly
SCALES = 200  # times that a scale is estimated anew
SETTLED = 1e-11  # of a scale: a change that is none
EXACT = 64 * EPS  # of the targets: residuals that are rounding
SINGULAR = 1e-10  # of a formula's columns: rows that do not determine the weights
CERTAIN = 1e-7  # of what rows determine: a curvature that only rows of certain probability have
SURE = 1e-2  # how far from 0 or 1 a probability is in rows that are separated


def by_newton(solver: Solver) -> Fit:
    """By Newton's method or L-BFGS; the scale of a robust loss is estimated again wherever it ends, until it stays.

    The weights are moved in units in which each of them changes residuals by about one scale, and losses are counted in
    scales, so that nothing depends on what columns and targets are measured in.
    """
    model, given = solver.model, solver.model.scale
    scaled = LOSSES[model.kind].corner is not None
    many = solver.method == "lbfgs"
    targets = TargetSpread(model, solver.rows).run()
    state = solver.state or State(solver.rough())
    misses = solver.residuals(solver.near if solver.kind == "likelihood" else _miss(solver))
    if scaled and given is None and not state.losses and _exact(misses, state.x, targets):
        return by_squares(solver)
    sums = curvature_of(solver, _in_units(solver), 1 if many else 2)
    begun = state.more or _units(solver, misses, state.x)
    units, scale = np.array(begun["units"]), begun["scale"]
    box = None if solver.box is None else tuple(ends / units for ends in solver.box)
    limit = solver.limit if many else min(solver.limit, 500)
    solver.begun(state)
    inner = replace(state, x=(np.array(state.x) / units).tolist(), more={**begun, **state.more})

    def watch(now: State) -> bool:
        return solver.watch(replace(now, x=(np.array(now.x) * units).tolist()))

    for turn in range(inner.more.get("turn", 0), SCALES):
        inner.more |= {"scale": scale, "turn": turn}

        def at(u: Array, pause: Callable[[], None], scale: float = scale) -> Sums:
            return sums.at(u.tolist(), units.tolist(), [scale], pause)

        try:
            end = (lbfgs if many else newton)(solver.interruptible(at), inner, box, limit, watch)
        except FloatingPointError:
            raise _no_start(solver) from None
        why = end.why
        if why == "stopped" or not scaled or scale == given or not (end.converged or given is not None):
            break
        after = _next(solver, misses, (end.x * units).tolist(), scale)
        if abs(after - scale) <= SETTLED * scale:
            break
        inner.losses[:] = [x * (scale / after) ** 2 for x in inner.losses]  # in the new unit, of which all are told
        scale, why = after, "scale"
        inner.stalls, inner.radius = 0, None
        inner.more.pop("pairs", None)
    if scaled:
        model.scale = scale
    notes: list[str] = []
    if many:
        root = misses.triangle((end.x * units).tolist())
        lost = end.lost if root is None else Shape(root, end.x * units, solver.box, None).lost()
        hessian, notes = _curved(solver, end.x * units, units) if solver.kind == "likelihood" else (None, [])
        end = end._replace(lost=lost, hessian=hessian)
    found = _with_statistics(solver, end, units, misses, targets, "lbfgs" if many else "newton")
    square = scale * scale if solver.kind != "likelihood" else 1.0
    found.notes += notes
    found.loss, found.steps = end.value * square / solver.rows.count, end.steps
    found.summary = found.summary._replace(loss=found.loss) if found.summary else None
    found.history = list(enumerate(x * square / solver.rows.count for x in inner.losses))
    found.scale, found.scale_given = (scale if scaled else None), given is not None
    judge(found, why, end.converged and why != "scale", solver.names, end.lost, end.free, solver.rows.count)
    if solver.kind == "likelihood":
        _look_for_separation(solver, found, end, units, misses, targets)
    return found


def _next(solver: Solver, misses: OverRows, x: list[float], scale: float) -> float:
    """The scale to go on with: as estimated, or nearer to the given one, from above."""
    given = solver.model.scale
    if given is None:
        return estimated(solver, misses, x)
    return max(given, min(scale / 4, _size(misses, x)))


def _size(misses: OverRows, x: list[float]) -> float:
    """The middle of the absolute residuals."""
    return quantiles(misses.rows, lambda leaves, columns: abs(misses.residuals(leaves, columns)), x, misses.size, [0.5])[0]


def _curved(solver: Solver, x: Array, units: Array) -> tuple[Array | None, list[str]]:
    """The Hessian of a likelihood where L-BFGS ended, and what to say of it.

    Of a row with few weights of its own it is the exact one; of others the expected one, out of the triangle of the rows by
    their curvatures, which for a formula that is linear in the weights is the same.
    """
    if len(solver.names) > LARGE:
        return None, [f"no standard errors: the Hessian of more than {LARGE:,} weights is not put together"]
    if not solver.straight and len(solver.places.shared) + len(solver.places.spelled) <= FEW:
        sums = curvature_of(solver, _in_units(solver)).at((x / units).tolist(), units.tolist(), [1.0])
        return (sums.hessian if sums.finite() else None), []
    model, at = solver.model, solver.all(dict(zip(solver.names, x.tolist(), strict=True)))

    def bent(weights: Mapping[str, Number], row: Mapping[str, Number]) -> Number:
        there = model.mean(model.value(at, row))
        curvature = there * (1.0 - there) if model.kind == "logistic" else there
        curvature = curvature * row[model.weighting] if model.weighting else curvature
        return model.value(weights, row) * ops.sqrt(curvature)

    root = solver.residuals(bent).triangle(x.tolist())
    part = np.zeros((1, len(x))) if root is None else root[:, :-1] * units
    notes = [] if solver.straight else ["the standard errors are those of the expected information"]
    return part.T @ part, notes


def _exact(misses: OverRows, x: list[float], targets: Targets) -> bool:
    """Whether all residuals are zero to rounding, so that no loss is better than squares."""
    largest = float(misses.rows.total(Greatest(lambda leaves, columns: abs(misses.residuals(leaves, columns)).max()), x))
    return bool(largest <= EXACT * max(abs(targets.low), abs(targets.high)))


def _units(solver: Solver, misses: OverRows, x: list[float]) -> dict[str, float]:
    """The scale to begin with, and for each weight the power of two next to what changes a residual by it."""
    root = misses.triangle(x)
    if root is None:
        raise solver.no_start(misses, x)
    count = math.sqrt(solver.rows.count)
    scale = 1.0
    if LOSSES[solver.model.kind].corner is not None:
        given = solver.model.scale  # where most residuals are beyond it the loss is straight: it is come down to
        scale = estimated(solver, misses, x) if given is None else max(given, 2 * _size(misses, x))
    elif solver.kind == "squares":
        scale = power_of_two(norm(root[:, -1]) / count)
    sizes = (norms(root[:, :-1]) / count).tolist()
    units = [power_of_two(scale / size) if size else 1.0 for size in sizes]
    return {"scale": scale, "units": solver.places.alike(np.array(units)).tolist()}


def by_corners(solver: Solver) -> Fit:
    """The least absolute deviations."""
    targets = TargetSpread(solver.model, solver.rows).run()
    misses = solver.residuals(_weighed(solver))
    state = solver.begun(solver.state or State(solver.rough()))
    try:
        rows = deviations(misses, len(solver.names), solver.interruptible)
        end = least_absolute(rows, state, solver.box, min(solver.limit, 200), solver.watch)
    except FloatingPointError:
        raise solver.no_start(misses, state.x) from None
    x, plain = end.x.tolist(), solver.residuals(_miss(solver))
    freedom = solver.rows.count - int(end.usable.sum())
    errors = robust.absolute(solver, x, end, plain, targets)
    found = _with_errors(solver, end.x, end, errors, students_t((1 + LEVEL) / 2, freedom), "corners")
    found.summary = _robust_summary(solver, norm(plain.root(x)[:, -1]), math.nan, end, targets)
    found.loss, found.steps = end.value / solver.rows.count, end.steps
    found.history = list(enumerate(x / solver.rows.count for x in state.losses))
    judge(found, end.why, end.converged, solver.names, end.lost, end.free, solver.rows.count)
    return found


def _in_units(solver: Solver) -> Any:
    """The loss of a row in units of the scale, a number that may change."""
    model = solver.model
    if solver.kind == "likelihood":
        return lambda weights, row, scale: model.loss(weights, row)

    def loss(weights: Mapping[str, Number], row: Mapping[str, Number], scale: Number) -> Number:
        size = scale * row[model.sigma] if model.sigma else scale
        found = LOSSES[model.kind].of(model.value(weights, row) / size, model.truth(row) / size, 1.0)
        return found * row[model.weighting] if model.weighting else found

    return loss


def _miss(solver: Solver) -> Any:
    """What a row is off by, in standard deviations where there are any."""
    model = solver.model

    def miss(weights: Mapping[str, Number], row: Mapping[str, Number]) -> Number:
        found = model.value(weights, row) - model.truth(row)
        return found / row[model.sigma] if model.sigma else found

    return miss


def _weighed(solver: Solver) -> Any:
    """The same times the row's weight."""
    model, miss = solver.model, _miss(solver)
    return (lambda w, row: miss(w, row) * row[model.weighting]) if model.weighting else miss


def estimated(solver: Solver, misses: OverRows, x: list[float]) -> float:
    """The scale of a robust loss: its corner times the standard deviation that half of the residuals speak for."""
    middle = _size(misses, x)
    if not middle > 0 or not math.isfinite(middle):
        what = "zero" if middle == 0 else "not finite"
        raise InputValueError(
            f"half of the residuals are {what}, so that no scale of --loss {solver.model.kind} can be estimated from them: "
            "give one with --scale"
        )
    return LOSSES[solver.model.kind].corner * middle / MAD  # type: ignore[operator]


def _no_start(solver: Solver) -> InputValueError:
    where = first_bad_row(solver.model, solver.rows)
    what = f"{where}; choose" if where else "its derivatives leave the range of doubles; scale the columns, or choose"
    return InputValueError(f"the start has no finite loss: {what} others with --init")


def _with_statistics(solver: Solver, end: Bottom, units: Array, misses: OverRows, targets: Targets, method: str) -> Fit:
    """Standard errors and statistics by the kind of the loss."""
    x = end.x * units
    if solver.kind == "squares":
        root = solver.residuals(solver.model.residual).root(x.tolist())
        return described(solver, x, root, end, targets, method)
    if solver.kind == "robust":
        return _robust(solver, x, end, misses, targets, method)
    return _likely(solver, x, units, end, targets, method)


def _likely(solver: Solver, x: Array, units: Array, end: Bottom, targets: Targets, method: str) -> Fit:
    """The errors of a likelihood: the inverse of its Hessian."""
    n, factor, why = solver.rows.count, None, ""
    if end.hessian is not None and end.usable.any():
        at = np.flatnonzero(end.usable)
        part = end.hessian[np.ix_(at, at)]
        scale = np.sqrt(abs(np.diag(part)))
        scale = np.where(scale > 0, scale, 1.0)
        values, vectors = np.linalg.eigh(part / scale[:, None] / scale[None, :])
        if values[0] > 0:
            factor = np.zeros((len(x), len(at)))
            factor[at] = vectors / np.sqrt(values) / scale[:, None] * units[at, None]
    if factor is None and end.hessian is not None:
        why = "no standard errors: the Hessian at the end is not known to be positive"
    found = _with_errors(solver, x, end, (factor, why), NORMAL, method)
    weight, mean = targets.weight * targets.unit**2, targets.mean
    if solver.model.kind == "logistic":
        null = weight * sum(x * math.log(x) for x in (mean, 1 - mean) if x > 0)
        likelihood = -end.value
    else:
        null = weight * (mean * math.log(mean) - mean if mean > 0 else 0.0) - targets.constant
        likelihood = -end.value - targets.constant
    null = 0.0 if targets.same else null
    found.summary = likelihood_summary(n, int(end.usable.sum()), end.value / n, likelihood, null)
    return found


def _with_errors(
    solver: Solver, x: Array, end: Bottom, given: tuple[Array | None, str], quantile: float, method: str
) -> Fit:  # fmt: skip
    """The weights with the errors that a factor of their covariance says; or why there are none."""
    factor, why = given
    found = solver.fit(x, factor, end, quantile, method)
    found.notes += [why] if why and factor is None else []
    return found


def _robust(solver: Solver, at: Array, end: Bottom, misses: OverRows, targets: Targets, method: str) -> Fit:
    """The weights of a robust fit with their errors."""
    x = at.tolist()
    found = _with_errors(solver, at, end, robust.factor(solver, x, end, misses), NORMAL, method)
    deviation = (solver.model.scale or 1.0) / LOSSES[solver.model.kind].corner  # type: ignore[operator]
    found.summary = _robust_summary(solver, norm(misses.root(x)[:, -1]), deviation, end, targets)
    return found


def _robust_summary(solver: Solver, length: float, sd: float, end: Bottom, targets: Targets) -> Summary:
    n, free = solver.rows.count, int(end.usable.sum())
    r2, adjusted = shares(length, 0.0 if targets.same else targets.spread, n, n - free)
    return Summary(n, n - free, length * length, end.value / n, sd, r2, adjusted, math.nan, math.nan)


def _look_for_separation(solver: Solver, found: Fit, end: Bottom, units: Array, misses: OverRows, targets: Targets) -> None:
    """Say so where the formula tells some of the 0s from the 1s, or from larger counts, perfectly, so that weights run away."""
    model, names = solver.model, list(solver.rows.names or ())
    predict = model.predicting(solver.rows.count)

    def off(leaves: Sequence[float], columns: Columns) -> Array:
        block = dict(zip(names, columns, strict=True))
        return np.array(max(abs(p - y) for p, y in zip(predict(block), model.truths(block), strict=True)))

    counts = model.kind == "poisson"
    total = math.inf if counts else float(solver.rows.total(Greatest(off), ()))
    away: list[str] = []
    if end.hessian is not None and solver.straight and not targets.same:
        # what rows of certain probability alone determine: flat in the Hessian, and not in the rows
        root = misses.root((end.x * units).tolist())[:, :-1] * units / math.sqrt(solver.rows.count)
        values, vectors = np.linalg.eigh(end.hessian / solver.rows.count)
        spread = np.linalg.svd(root, compute_uv=False)
        certain = CERTAIN * (targets.mean if counts else 1.0) * spread[-1] ** 2
        if spread[-1] > SINGULAR * spread[0] and values[0] <= certain:
            away = [n for n, part in zip(solver.names, vectors[:, 0], strict=True) if abs(part) > 0.05]
    if counts and away:
        found.converged, found.reason = False, (
            f"the formula tells some of the zeros from all other counts, so that ever smaller rates fit ever better: there is "
            f"no best one; {listed(away, 9)} run away"
        )  # fmt: skip
    elif total < SURE or away:
        who = "" if total < SURE else f"; {listed(away, 9)} run away"
        found.converged, found.reason = False, (
            f"the formula separates {'the' if total < SURE else 'some of the'} 0s from the 1s perfectly, so that ever larger "
            f"weights fit ever better: there is no best one{who}"
        )  # fmt: skip
