"""A typed formula fitted to a table by the method that suits its loss: what `fit` of the command line and of Python do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from copy import copy
from functools import cached_property, partial
from itertools import count
from typing import TYPE_CHECKING, Any

from ..arrays import Array, np
from ..compiler import jit
from ..errors import InputValueError, TraceError, listed
from ..functional import value_and_grad
from ..interrupt import is_interrupted, no_pause
from ..program import Program
from ..tables import Parts
from ..tree import Number, Tree, flatten
from .cluster import ClusterRows, rows_of
from .ending import Fit
from .losses import LOSSES
from .methods.newton import Bottom
from .methods.starts import ROWS, Search, linear_weights, plan
from .methods.trust import Ending, State, Watch, least_squares, norm
from .model import Model
from .others import by_corners, by_newton
from .rows import Data, Rows, Sample, T
from .rows.data import as_rows, columns_of, is_collection, narrowed
from .rows.groups import GroupedResiduals, Places, first_row, sampled
from .rows.residuals import OverRows, Residuals
from .rows.words import coded
from .squares import by_squares
from .statistics import LEVEL, correlations
from .statistics.scoring import check
from .steps.trail import Trail
from .verdict import doubt

if TYPE_CHECKING:
    from .cluster.tasks import Client

MANY, LARGE = 100, 1000  # weights of a row, and of all groups, from which on L-BFGS needs less than Newton's Hessians
METHODS = ("auto", "lm", "newton", "lbfgs")


class Solver:
    """One fit: the weights that are free, the rows, and the options.

    Args:
        model: formula, target and loss; its weights are the start for those in `given`.
        table: the rows, words as numbers.
        given: where weights start; a search finds the others.
        bounds: for names of weights the least and the greatest value.
        fixed: weights that are held, and where.
        seed, starts: of the search for a start, and how many of its trials are gone on with.
        limit: at most so many steps.
        known: whether `sigma` is in the units of the target, rather than relative.
        watch: called after each step.
        method: "lm" for squares, "newton", "lbfgs"; "auto" chooses.
        threads, block: how many cores share the rows, and how many rows are worked on together; the bits are the same for any.
        state: of a run to go on with.
        pause: called in passes over the rows; they may be left where it raises `Interrupted`, and the run ends.
    """

    def __init__(
        self, model: Model, table: Data, *, given: Mapping[str, float] | None = None,
        bounds: Mapping[str, tuple[float, float]] | None = None, fixed: Mapping[str, float] | None = None, seed: int = 0,
        starts: int | None = None, limit: int = 1000, known: bool = False, watch: Watch | None = None, method: str = "auto",
        threads: int | None = None, block: int | None = None, state: State | None = None,
        pause: Callable[[], None] = no_pause,
    ) -> None:  # fmt: skip
        self.model, self.table, self.rows = model, table, Rows.of(table)
        self.kind = LOSSES[model.kind].kind
        self.given = self._settings("--init", given)
        self.fixed, self.limits = self._settings("--fix", fixed), self._settings("--bounds", bounds)
        self.seed, self.starts, self.limit, self.known, self.watched = seed, starts, limit, known, watch
        self.trail = Trail()
        self.block, self.state, self.pause = block, state, pause
        if threads is not None:
            self.rows.threads = threads
        self.names = [name for name in model.weights if name not in self.fixed]
        if not self.names:
            raise InputValueError("every weight is held by --fix: leave one free")
        for name, (low, high) in self.limits.items():
            if not low <= high:
                raise InputValueError(f"--bounds {name}={low:g}:{high:g} leaves nothing between: give the lower one first")
        free = [self.limits.get(name, (-math.inf, math.inf)) for name in self.names]
        self.box = None if not self.limits else (np.array([b[0] for b in free]), np.array([b[1] for b in free]))
        self.places = Places(model, self.names, self.fixed)
        self.method = self._method(method)
        self.linear: list[str] = []  # weights that a search solved for
        self.before = 0  # steps of the search that came to the start
        self.alone = 0  # of so many starts one only came to the best minimum

    def _settings(self, what: str, given: Mapping[str, T] | None) -> dict[str, T]:
        """Settings by weight, one for ``a`` for each ``a[site]``."""
        try:
            return self.model.spread(given or {}, f"of {what} is for")
        except InputValueError:
            name = next(n for n in given or {} if n not in self.model.weights)
            raise InputValueError(f"{what} {name}: the weights are {', '.join(self.model.weights)}") from None

    def _method(self, method: str) -> str:
        if method not in METHODS:
            raise InputValueError(f"method={method!r} must be one of {', '.join(METHODS)}")
        if method == "lm" and self.kind != "squares":
            rule = "--method lm is for sums of squares, --loss mse, and not for"
            raise InputValueError(f"{rule} {self.model.kind}: try --method newton")
        if method != "auto" and self.model.kind == "mae":
            raise InputValueError(f"--method {method} needs derivatives that --loss mae has not at its corners: leave it out")
        if method == "auto":
            if self.kind == "squares":
                return "lm"
            if self.model.kind == "mae":
                return "corners"
            own = len(self.places.shared) + len(self.places.spelled)
            return "lbfgs" if own > MANY or len(self.names) > LARGE else "newton"
        return method

    def all(self, params: Mapping[str, Number]) -> dict[str, Number]:
        """The free weights with those that are held."""
        return {**self.fixed, **params}

    def residuals(
        self, residual: Callable[[Mapping[str, Number], Mapping[str, Number]], Tree], rows: Rows | None = None
    ) -> Residuals | GroupedResiduals:  # fmt: skip
        """The residuals ``residual(weights, row)`` over the rows, as functions of the free weights."""
        rows = self.rows if rows is None else rows
        if self.model.grouped:
            return GroupedResiduals(residual, self.places, rows, self.block)
        _, spec = flatten(dict.fromkeys(self.names, 0.0), "weights")
        held = self.fixed

        def flat(params: Mapping[str, Number], row: Mapping[str, Number]) -> Number:
            return residual({**held, **params}, row)

        return Residuals(flat, spec, len(self.names), rows, self.block)

    def run(self) -> Fit:
        """The fit."""
        if self.method == "lm":
            found = by_squares(self)
        else:
            found = by_corners(self) if self.method == "corners" else by_newton(self)
        doubt(found, self.names, self.alone)
        found.before = self.before
        free = [dict(zip(self.names, x, strict=True)) for _, x in self.trail.points]
        ended = [(step, self.all(x)) for (step, _), x in zip(self.trail.points, free, strict=True) if step < found.steps]
        found.path = [(step, {n: x[n] for n in found.params}) for step, x in ended] + [(found.steps, dict(found.params))]
        found.data = self.table
        return found

    def begun(self, state: State) -> State:
        """A state to begin with, as the first of the trail."""
        self.trail.add(len(state.losses), state.x)
        for name in ("before", "linear", "alone"):  # what the search found, of which a run that goes on has none
            setattr(state, name, getattr(state, name) or getattr(self, name))
            setattr(self, name, getattr(state, name))
        return state

    def watch(self, now: State) -> bool:
        """Called after each step; true stops the run."""
        self.trail.add(len(now.losses), now.x)
        return self.watched is not None and self.watched(now)

    def interruptible(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """`f`, a pass, which Ctrl-C leaves; but not the first, without which there would be nothing to tell of."""
        turn = count()
        return lambda *args: f(*args, pause=self.pause if next(turn) else no_pause)

    # -- where to start -----------------------------------------------------------------------------------------------

    def start(self) -> list[float]:
        """As given, or as a search finds by least squares: of a likelihood on targets that the formula could have."""
        known: list[float | None] = [self.given.get(name) for name in self.names]
        if all(x is not None for x in known):
            return [float(x) for x in known if x is not None]
        if self.model.grouped:
            return self._pooled(known)
        return self._searched(known)

    def rough(self) -> list[float]:
        """Where other losses start: at what least squares finds, but for likelihoods that are linear."""
        if all(n in self.given for n in self.names):
            return [float(self.given[n]) for n in self.names]
        x = self.start()
        if self.kind == "likelihood" and len(self.linear) == len(self.names):
            return x
        residuals = self.residuals(self.near)
        try:
            triangle = self.interruptible(residuals.triangle)
            near = least_squares(triangle, State(x), residuals.size, self.box, watch=lambda _: is_interrupted(self.pause))
            x = list(near.x.tolist())
        except FloatingPointError:
            raise self.no_start(residuals, x) from None
        return self._by_huber(x) if self.model.kind == "cauchy" else x

    def _by_huber(self, x: list[float]) -> list[float]:
        """Where a loss with several minima starts: at what a robust loss with one finds."""
        model = copy(self.model)
        model.kind = "huber"
        found = Solver(
            model, self.table, given=dict(zip(self.names, x, strict=True)), bounds=self.limits, fixed=self.fixed,
            block=self.block, pause=self.pause, watch=lambda _: is_interrupted(self.pause),
        ).run()  # fmt: skip
        return [found.params[name] for name in self.names]

    def near(self, weights: Mapping[str, Number], row: Mapping[str, Number]) -> Number:
        """A residual whose least squares are near the fit: of a likelihood, to a target the formula's own scale could have."""
        if self.kind != "likelihood":
            return self.model.residual(weights, row)
        value, y = self.model.value(weights, row), self.model.truth(row)
        if self.model.kind == "logistic":
            return value - (4.0 * y - 2.0)
        from ..ops import log

        return value - log(y + 0.5)

    def _program(self) -> Program | None:
        """What the residual of a row is made of, with its derivatives by the free weights; None where it cannot be traced."""
        one = value_and_grad(lambda leaves, row: self.near(self.all(dict(zip(self.names, leaves, strict=True))), row))
        try:
            found: Program = jit(one).program([0.5] * len(self.names), first_row(self.rows))
            return found
        except TraceError:
            return None

    @cached_property
    def straight(self) -> bool:
        """Whether residuals are linear in all the free weights together."""
        if len(self.linear) == len(self.names) or self.model.grouped:
            return len(self.linear) == len(self.names)
        program = self._program()
        return program is not None and len(linear_weights(program, len(self.names))) == len(self.names)

    def _searched(self, known: list[float | None]) -> list[float]:
        program = self._program()
        if program is None:
            return [0.0 if x is None else x for x in known]
        linear = linear_weights(program, len(self.names))
        self.linear = [self.names[i] for i in linear if known[i] is None]
        if len(linear) == len(self.names):
            return [0.0 if x is None else x for x in known]
        places = np.unique(np.linspace(0, self.rows.count - 1, min(self.rows.count, ROWS)).astype(int)).tolist()
        rows = sampled(self.rows, places)
        columns = rows.read(0, rows.count)
        table = [list(row) for row in zip(*(c.tolist() for c in columns), strict=True)]
        sample = self.residuals(self.near, rows)
        search = Search(sample, plan(program, len(self.names), table, known), self.box, self.seed, self.starts)
        best = search.best()
        self.alone, self.before = search.alone, search.steps
        return best or [0.5 if x is None else x for x in known]

    def _pooled(self, known: list[float | None]) -> list[float]:
        """Each group starts where all of them together would end."""
        model = self.model.pooled()
        families = {name: self.model.members(name) for name in self.model.formula.names if name not in self.model.columns}
        one = {name: family[0] for name, family in families.items() if name in model.weights}
        pool = Solver(
            model, self.table, given={n: self.given[a] for n, a in one.items() if a in self.given},
            fixed={n: self.fixed[a] for n, a in one.items() if all(m in self.fixed for m in families[n])},
            bounds={n: self.limits[a] for n, a in one.items() if a in self.limits}, seed=self.seed, starts=self.starts,
        )  # fmt: skip
        found = dict(pool.fixed)
        try:
            x = pool.rough() if self.kind != "squares" or len(pool.linear) < len(pool.names) else pool.start()
            found |= dict(zip(pool.names, x, strict=True))
        except FloatingPointError:
            found |= dict.fromkeys(pool.names, 0.0)
        self.alone, self.before = pool.alone, pool.before
        self.linear = [m for n in pool.linear for m in families[n] if m in self.names]
        own = {member: found[name] for name, family in families.items() if name in found for member in family}
        return [own.get(n, 0.0) if x is None else x for n, x in zip(self.names, known, strict=True)]

    def no_start(self, residuals: OverRows, x: list[float]) -> InputValueError:
        """The error for a start at which a residual is not finite, with the row."""
        bad = residuals.first_bad(x)
        at = ", ".join(f"{n}={v:g}" for n, v in list(zip(self.names, x, strict=True))[:9])
        if bad is None:
            return InputValueError(
                f"the sum of squares at {at} is not finite: choose other starts with --init, or scale the columns"
            )
        number, what = bad
        numbers = ", ".join(f"{n}={v!r}" for n, v in zip(self.rows.names or (), self._row(number - 1), strict=True))
        return InputValueError(f"{what} in row {number}, {numbers}, at {at}: choose other starts with --init, or mend the row")

    def _row(self, number: int) -> list[float]:
        return [float(c[0]) for c in self.rows.read(number, number + 1)]

    # -- what it comes to ---------------------------------------------------------------------------------------------

    def fit(self, x: Array, factor: Array | None, end: Ending | Bottom, quantile: float, method: str) -> Fit:
        """The weights in the order of the formula, with the errors that F says, F Fᵀ being their covariance, if it is known."""
        at = {n: i for i, n in enumerate(self.names)}
        params = {n: float(x[at[n]]) if n in at else self.fixed.get(n, math.nan) for n in self.model.weights}
        self.model.weights = dict(params)
        stderr, covariance, correlation = dict.fromkeys(params, math.nan), None, {}
        if factor is not None:
            with np.errstate(all="ignore"):
                products = factor @ factor.T
                correlation = correlations(factor, self.names)
                stderr |= {n: norm(row) for n, row, usable in zip(self.names, factor, end.usable, strict=True) if usable}
            products[end.lost, :] = products[:, end.lost] = math.nan
            covariance = [[float(products[at[a], at[b]]) if a in at and b in at else 0.0 for b in params] for a in params]
        low = {n: params[n] - quantile * stderr[n] for n in params}
        high = {n: params[n] + quantile * stderr[n] for n in params}
        verb = "enters" if len(self.linear) == 1 else "enter"
        notes = [f"{listed(self.linear, 9)} {verb} linearly: no start needed"] if self.linear else []
        return Fit(
            params, stderr, low, high, covariance, False, "", method, math.nan, None, 0, correlation, notes, self.model,
            level=LEVEL, absolute=self.known, linear=list(self.linear),
        )  # fmt: skip


def fit(
    formula: str, data: Data, *, target: str, loss: str = "mse", init: Mapping[str, float] | None = None, sigma: str = "",
    weights: str = "", group: str = "", scale: float | None = None, absolute: bool = False, steps: int = 1000,
    client: Client = None, **options: Any,
) -> Fit:  # fmt: skip
    """The weights of a formula that come closest to a column of a table, with their errors.

    >>> cars = {"pounds": [3.50, 3.69, 3.44, 3.43, 4.34, 4.42, 2.37], "mpg": [18, 15, 18, 16, 15, 14, 24]}
    >>> found = fit("w*pounds + b", cars, target="mpg")
    >>> found.converged, round(found.params["w"], 4), round(found.stderr["w"], 4)
    (True, -4.5691, 0.8564)

    Args:
        formula: columns are data, other names are weights; ``a[site]`` is one weight for each word of a column, and
            ``is(site, "A")`` 1 in the rows of a word.
        data: a dict of columns, a DataFrame, a `tables.Table`, or many files: a folder, a pattern, a list of paths or
            `tables.Parts`; a Dask DataFrame.
        target: the column to predict, or a formula of columns.
        loss: one of `losses.LOSSES`.
        init: where weights start; a search finds the others.  A name without its group stands for all of them.
        sigma, weights: columns of standard deviations, or of weights, of the rows.
        group: the column for which ``a[group]`` is written.
        scale: of a robust loss, how large a residual counts nearly in full; estimated from the residuals unless given.
        absolute: whether sigma is in the units of the target; else only how its rows compare counts.
        steps: at most so many.
        client: a `distributed.Client`, whose workers read the files and add up over their rows, to the bits of one machine.
        options: bounds, fixed, seed, starts, method, threads as of `Solver`.

    Raises InputValueError as `Model`, and for rows and settings that allow no fit.
    """
    with ExitStack() as stack:
        described: Callable[..., Model] = partial(
            Model, formula, target, kind=loss, sigma=sigma, weighting=weights, group=group, scale=scale
        )
        data = narrowed(data, described)
        if client is not None or isinstance(data, Parts) or is_collection(data):
            text = described([str(name) for name in data.columns]).text if hasattr(data, "columns") else ()
            data = stack.enter_context(rows_of(data, client, text=text))
        data, names = columns_of(data)
        model = described(names)
        words: Mapping[str, Any] = {}
        if model.text:
            words = coded(data, model.text)[1] if isinstance(data, Mapping) else data.levels
        model = described(names, weights=init, levels=words)
        rows = as_rows(data, model)
        check(model, rows)
        found = Solver(model, rows, given=init, known=absolute, limit=steps, **options).run()
        if isinstance(rows, ClusterRows):
            found.data = Sample(rows)  # the others are where the workers are
        return found
