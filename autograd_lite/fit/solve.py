"""A typed formula fitted to a table by the method that suits its loss: what `fit` of the command line and of Python do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ..compiler import jit
from ..errors import InputValueError, TraceError, listed
from ..functional import grad, value_and_grad
from ..tables.table import numpy
from ..tree import flatten
from .data import as_rows, columns_of
from .ending import Fit, related
from .model import Model
from .newton import newton
from .residuals import Residuals
from .rows import Rows, entries
from .starts import ROWS, Search, linear_weights, plan
from .statistics import Summary, correlations, inverse_factor, students_t, summary
from .trail import Trail
from .trust import RANK, Ending, State, least_squares, norm
from .words import coded

LEVEL = 0.95
Watch = Callable[[State], bool]


class Solver:
    """One fit: the weights that are free, the rows, and the options.

    Args:
        model: formula, target and loss; its weights are the start for those in `given`.
        table: the rows.
        given: names of weights that have a start.
        bounds: for names of weights the least and the greatest value.
        fixed: weights that are held, and where.
        seed, starts: of the search for a start, and how many of its trials are gone on with.
        limit: at most so many steps.
        known: whether `sigma` is in the units of the target, rather than relative.
        watch: called after each step.
    """

    def __init__(
        self, model: Model, table: Any, *, given: Mapping[str, float] | None = None,
        bounds: Mapping[str, tuple[float, float]] | None = None, fixed: Mapping[str, float] | None = None, seed: int = 0,
        starts: int | None = None, limit: int = 1000, known: bool = False, watch: Watch | None = None,
        threads: int | None = None, block: int | None = None, state: State | None = None,
    ) -> None:  # fmt: skip
        np = numpy()
        self.model, self.table, self.rows = model, table, Rows(table)
        self.given, self.fixed, self.limits = dict(given or {}), dict(fixed or {}), dict(bounds or {})
        for what, names in (("--init", self.given), ("--fix", self.fixed), ("--bounds", self.limits)):
            for name in names:
                if name not in model.weights:
                    raise InputValueError(f"{what} {name}: the weights are {', '.join(model.weights)}")
        self.seed, self.starts, self.limit, self.known, self.watched = seed, starts, limit, known, watch
        self.trail = Trail()
        self.threads, self.block, self.state = threads, block, state
        self.names = [name for name in model.weights if name not in self.fixed]
        if not self.names:
            raise InputValueError("every weight is held by --fix: leave one free")
        for name, (low, high) in self.limits.items():
            if not low <= high:
                raise InputValueError(f"--bounds {name}={low:g}:{high:g} leaves nothing between: give the lower one first")
        free = [self.limits.get(name, (-math.inf, math.inf)) for name in self.names]
        self.box = None if not self.limits else (np.array([b[0] for b in free]), np.array([b[1] for b in free]))
        self.notes: list[str] = []

    def all(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The free weights with those that are held."""
        return {**self.fixed, **params}

    def residual(self, params: Mapping[str, Any], row: Mapping[str, Any]) -> Any:
        """The residual of one row at the free weights."""
        return self.model.residual(self.all(params), row)

    def loss(self, params: Mapping[str, Any], row: Mapping[str, Any]) -> Any:
        """The loss of one row at the free weights."""
        return self.model.loss(self.all(params), row)

    def run(self) -> Fit:
        """The fit."""
        found = self.squares() if self.model.kind == "mse" else self.others()
        free = [dict(zip(self.names, x, strict=True)) for _, x in self.trail.points]
        ended = [(step, self.all(x)) for (step, _), x in zip(self.trail.points, free, strict=True) if step < found.steps]
        found.path = [(step, {n: x[n] for n in found.params}) for step, x in ended] + [(found.steps, dict(found.params))]
        found.data = self.table
        return found

    def begun(self, state: State) -> State:
        """A state to begin with, as the first of the trail."""
        self.trail.add(len(state.losses), state.x)
        return state

    def watch(self, now: State) -> bool:
        """Called after each step; true stops the run."""
        self.trail.add(len(now.losses), now.x)
        return self.watched is not None and self.watched(now)

    # -- least squares ------------------------------------------------------------------------------------------------

    def squares(self) -> Fit:
        """By least squares in a trust region."""
        np = numpy()
        _, spec = flatten(dict.fromkeys(self.names, 0.0), "weights")
        residuals = Residuals(self.residual, spec, len(self.names), self.rows, self.threads, self.block)
        state = self.begun(self.state or State(self.begin(residuals, spec)))
        try:
            end = least_squares(residuals.triangle, state, residuals.size, self.box, self.limit, self.watch)
        except FloatingPointError:
            raise self.no_start(residuals, state.x) from None
        triangle, m = end.triangle, len(self.names)
        usable = end.free & ~end.lost
        spread, logs = self.spread()
        with np.errstate(all="ignore"):
            factor, rank = inverse_factor(triangle[:, :m], end.free, RANK * m)
            total = summary(norm(triangle[:, m]), residuals.size, rank, spread, logs, self.known)
            factor = factor * (1.0 if self.known else total.sd)
            half = [norm(row) for row in factor]
            covariance = factor @ factor.T
            correlation = correlations(factor, self.names)
        errors = {n: float(half[i]) if usable[i] else math.nan for i, n in enumerate(self.names)}
        found = self.fit(end.x.tolist(), errors, students_t((1 + LEVEL) / 2, total.dof), covariance.tolist())
        found.correlation, found.summary, found.loss, found.steps = correlation, total, total.loss, end.steps
        found.absolute, found.level = self.known, LEVEL
        found.method, found.history = "lm", list(enumerate(x * x / residuals.size for x in end.losses))
        self.judge(found, end, total)
        return found

    def begin(self, residuals: Residuals, spec: Any) -> list[float]:
        """Where to start: as given, or as a search finds."""
        np = numpy()
        start: list[float | None] = [self.given.get(name) for name in self.names]
        if all(x is not None for x in start):
            return [float(x) for x in start if x is not None]
        places = np.unique(np.linspace(0, self.rows.count - 1, min(self.rows.count, ROWS)).astype(int)).tolist()
        picked = [self.rows.read(i, i + 1) for i in places]
        columns = [np.concatenate([np.asarray(block[j]) for block in picked]) for j in range(len(picked[0]))]
        sample_rows = Rows(dict(zip(self.rows.names or (), columns, strict=True)))
        one = value_and_grad(lambda leaves, row: self.residual(dict(zip(self.names, leaves, strict=True)), row))
        first = dict(zip(self.rows.names or (), [float(entries(c)[0]) for c in columns], strict=True))
        try:
            program = jit(one).program([0.5] * len(self.names), first)
        except TraceError:
            return [0.0 if x is None else x for x in start]
        linear = linear_weights(program, len(self.names))
        if linear:
            self.notes.append(f"linear: {', '.join(self.names[i] for i in linear)}")
        if len(linear) == len(self.names):
            return [0.0 if x is None else x for x in start]
        table = [list(row) for row in zip(*(c.tolist() for c in columns), strict=True)]
        sample = Residuals(self.residual, spec, len(self.names), sample_rows)
        search = Search(sample, plan(program, len(self.names), table, start), self.box, self.seed, self.starts)
        best = search.best()
        return best or [0.5 if x is None else x for x in start]

    def spread(self) -> tuple[float, float]:
        """The target's sum of squares about its mean, by the residuals' weights; and the factors' logarithms added up."""
        np = numpy()
        weights, sums, logs, low, high = 0.0, 0.0, 0.0, math.inf, -math.inf
        parts = list[tuple[float, float, float]]()
        for block in self.rows.blocks():
            row = dict(zip(self.rows.names or (), map(np.asarray, block), strict=True))
            y = self._each(self.model.truth, row)
            f = self._each(self.model.factor, row) if self.model.sigma or self.model.weighting else np.ones(len(y))
            if not np.isfinite(f).all() or (f < 0).any() or not f.any():
                name = self.model.sigma or self.model.weighting
                raise InputValueError(
                    f"{name} must be above 0 in every row, as a standard deviation or a weight is: mend the column"
                )
            w = f * f
            mean = float((w * y).sum() / w.sum())
            parts.append((float(w.sum()), mean, float((w * (y - mean) ** 2).sum())))
            with np.errstate(all="ignore"):
                logs += float(np.log(f[f > 0]).sum())
            low, high = min(low, float(y.min())), max(high, float(y.max()))
        weights = math.fsum(p[0] for p in parts)
        sums = math.fsum(p[0] * p[1] for p in parts) / weights
        total = math.fsum(p[2] + p[0] * (p[1] - sums) ** 2 for p in parts)
        return (0.0 if low == high else total), logs

    def _each(self, f: Callable[..., Any], row: Mapping[str, Any]) -> Any:
        np = numpy()
        count = len(next(iter(row.values())))
        found = jit(f, batch=0, backend="numpy")(row)
        return found if np.ndim(found) else np.full(count, float(found))

    def no_start(self, residuals: Residuals, x: list[float]) -> InputValueError:
        """The error for a start at which a residual is not finite, with the row."""
        bad = residuals.first_bad(x)
        at = ", ".join(f"{n}={v:g}" for n, v in zip(self.names, x, strict=True))
        if bad is None:
            return InputValueError(
                f"the sum of squares at {at} is not finite: choose other starts with --init, or scale the columns"
            )
        number, what = bad
        row = self.rows.read(number, number + 1)
        numbers = ", ".join(f"{n}={float(c[0])!r}" for n, c in zip(self.rows.names or (), row, strict=True))
        return InputValueError(
            f"{what} in row {number + 1}, {numbers}, at {at}: choose other starts with --init, or mend the row"
        )

    # -- other losses -------------------------------------------------------------------------------------------------

    def others(self) -> Fit:
        """By Newton's method."""
        np = numpy()
        names, rows = self.names, self.rows

        def one(leaves: Any, row: Any) -> Any:
            return self.loss(dict(zip(names, leaves, strict=True)), row)

        first = value_and_grad(one)

        def second(leaves: Any, row: Any) -> Any:
            from ..functional import jacobian

            return (*first(leaves, row), jacobian(lambda p: grad(one)(p, row))(leaves))

        fast = jit(second, batch=1, reduce="sum", backend="numpy" if rows.count < 20_000 else "auto")

        def summed(x: Any) -> tuple[float, Any, Any]:
            value, g, h = 0.0, np.zeros(len(names)), np.zeros((len(names), len(names)))
            with np.errstate(all="ignore"):
                for block in rows.blocks():
                    row = dict(zip(rows.names or (), map(np.asarray, block), strict=True))
                    v, dg, dh = fast(x.tolist(), row)
                    value, g, h = value + float(v), g + np.array(dg, dtype=float), h + np.array(dh, dtype=float)
            return value, g, (h + h.T) / 2

        state = self.begun(self.state or State(self.rough()))
        try:
            end = newton(summed, state, self.box, min(self.limit, 500), self.watch)
        except FloatingPointError:
            where = self.model.first_bad_row(self.table)
            raise InputValueError(f"the start has no finite loss: {where}; choose others with --init") from None
        likelihood = self.model.kind in ("logistic", "poisson")
        covariance = None
        errors = dict.fromkeys(names, math.nan)
        if likelihood and not end.lost.any():
            scale = np.sqrt(abs(np.diag(end.hessian)))
            covariance = np.linalg.pinv(end.hessian / scale[:, None] / scale[None, :]) / scale[:, None] / scale[None, :]
            errors = dict(zip(names, np.sqrt(np.diag(covariance)).tolist(), strict=True))
        found = self.fit(end.x.tolist(), errors, 1.959963984540054, None if covariance is None else covariance.tolist())
        found.loss, found.steps, found.method = end.value / rows.count, end.steps, "newton"
        found.history = list(enumerate(x / rows.count for x in state.losses))
        if covariance is not None:
            found.correlation = correlations(np.linalg.cholesky(covariance), names)
        found.converged, found.reason = end.converged, {
            "orthogonal": "the gradient is zero to rounding", "settled": "the gradient is zero to rounding",
            "steps": "the limit of steps; give more with --steps, or a start with --init", "stopped": "stopped",
            "saddle": "the gradient vanishes at a saddle: start elsewhere with --init",
            "stuck": "no step lowers the loss, though its gradient is not zero: a kink, or numbers beyond the range of doubles",
        }[end.why]  # fmt: skip
        if self.model.kind == "logistic" and self.separated(found.params):
            found.converged = False
            found.reason = (
                "the formula separates the 0s from the 1s perfectly, so that ever larger weights fit ever better: "
                "there is no best one"
            )
        elif end.lost.any():
            found.converged = False
            found.reason = f"the rows do not determine {listed([n for n, x in zip(names, end.lost, strict=True) if x], 9)}"
        return found

    def rough(self) -> list[float]:
        """Where to start: what least squares finds, but for logistic fits, whose target is no value of the formula."""
        if self.model.kind == "logistic" or all(n in self.given for n in self.names):
            return [self.given.get(n, 0.0) for n in self.names]
        _, spec = flatten(dict.fromkeys(self.names, 0.0), "weights")
        residuals = Residuals(self.residual, spec, len(self.names), self.rows, self.threads, self.block)
        start = State(self.begin(residuals, spec))
        try:
            return list(least_squares(residuals.triangle, start, residuals.size, self.box).x.tolist())
        except FloatingPointError:
            raise self.no_start(residuals, start.x) from None

    def separated(self, params: Mapping[str, float]) -> bool:
        """Whether every row is on its side of 1/2 with certainty."""
        score = self.model.score(self.table)
        total = 0.0
        for columns, predicted in self.model.predictions(self.table):
            truth = columns[self.model.target].tolist()
            total = max(total, *(abs(p - y) for p, y in zip(predicted, truth, strict=True)))
        return score.value == 1.0 and total < 1e-2

    # -- what it comes to ---------------------------------------------------------------------------------------------

    def fit(self, x: list[float], errors: dict[str, float], quantile: float, covariance: Any) -> Fit:
        """The weights with their errors, in the order of the formula."""
        free = dict(zip(self.names, x, strict=True))
        params = {n: self.fixed.get(n, free.get(n, math.nan)) for n in self.model.weights}
        self.model.weights = dict(params)
        stderr = {n: errors.get(n, math.nan) for n in params}
        low = {n: params[n] - quantile * stderr[n] for n in params}
        high = {n: params[n] + quantile * stderr[n] for n in params}
        at = {n: i for i, n in enumerate(self.names)}
        if covariance is not None:
            covariance = [[covariance[at[a]][at[b]] if a in at and b in at else 0.0 for b in params] for a in params]
        return Fit(params, stderr, low, high, covariance, False, "", "", math.nan, None, 0, {}, list(self.notes), self.model)

    def judge(self, found: Fit, end: Ending, total: Summary) -> None:
        """What is to be said of the ending, and whether it counts as converged."""
        problems = []
        lost = [n for n, x in zip(self.names, end.lost, strict=True) if x]
        held = [n for n, x in zip(self.names, end.free, strict=True) if not x]
        ended = {
            "exact": "the residuals are zero to rounding", "orthogonal": "the gradient is zero to rounding",
            "steps": "the limit of steps is reached; give more with --steps, or a start with --init",
            "stopped": "it was stopped", "stuck": "no further step makes the residuals smaller",
        }  # fmt: skip
        found.reason = (
            "the step left is below the digits that mean something" if end.converged and end.why == "stuck" else ended[end.why]
        )
        if not end.converged:
            problems.append(found.reason + ("" if end.why != "stuck" else ": start elsewhere with --init"))
        if total.n < len(self.names):
            problems.append(
                f"{total.n} rows are fewer than {len(self.names)} weights: give more rows, or hold weights with --fix"
            )
        if lost:
            problems.append(
                f"the rows do not determine {listed(lost, 9)}: other values fit as well; "
                "take one of them out, or hold it with --fix"
            )
        if not all(map(math.isfinite, found.params.values())):
            problems.append("a weight is not finite")
        found.converged = not problems
        if problems:
            found.reason = "; ".join(problems)
        if held:
            found.notes.append(f"at a bound, so without standard error: {listed(held, 9)}")
        if total.dof == 0:
            found.notes.append(
                "as many weights as rows: the formula passes through each of them, and there are no errors to tell"
            )
        if end.why == "exact" and total.dof > 0:
            found.notes.append("the residuals are zero to rounding, so that the standard errors are rounding too")
        if not math.isfinite(total.r2):
            found.notes.append("the target is the same in every row")
        elif total.r2 <= 1e-12:
            found.notes.append(f"R² is {total.r2:.3g}: the mean of the target does as well as the formula")
        pairs = related(self.names, found.correlation)
        if pairs:
            shown = [f"{a} and {b} {c:.4f}" for a, b, c in pairs[:6]]
            found.notes.append("correlated: " + ", ".join(shown) + (f" and {len(pairs) - 6} more" if len(pairs) > 6 else ""))


def fit(
    formula: str, data: Any, *, target: str, loss: str = "mse", init: Mapping[str, float] | None = None, sigma: str = "",
    weights: str = "", **options: Any,
) -> Fit:  # fmt: skip
    """The weights of a formula that come closest to a column of a table, with their errors.

    >>> cars = {"pounds": [3.50, 3.69, 3.44, 3.43, 4.34, 4.42, 2.37], "mpg": [18, 15, 18, 16, 15, 14, 24]}
    >>> found = fit("w*pounds + b", cars, target="mpg")
    >>> found.converged, round(found.params["w"], 4), round(found.stderr["w"], 4)
    (True, -4.5691, 0.8564)

    Args:
        formula: columns are data, other names are weights.
        data: a dict of columns, a DataFrame or a `tables.Table`.
        target: the column to predict, or a formula of columns.
        loss: mse, mae, huber or logistic.
        init: where weights start; a search finds the others.
        sigma, weights: columns of standard deviations, or of weights, of the rows.
        options: bounds, fixed, seed, starts, limit, known as of `Solver`.

    Raises InputValueError as `Model`.
    """
    data, names = columns_of(data)
    model = Model(formula, target, names, loss, init, sigma, weights)
    if model.text:
        words = coded(data, model.text)[1] if isinstance(data, Mapping) else data.levels
        model = Model(formula, target, names, loss, init, sigma, weights, levels=words)
    data = as_rows(data, model)
    return Solver(model, data, given=init, **options).run()
