"""How a fit ended, in numbers and in words: `Fit`, its table and its JSON."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, overload

from ..errors import counted
from ..files import JsonData, for_json
from ..notebook import preformatted
from .losses import LOSSES
from .rows import Data, Rows
from .rows.data import as_rows
from .statistics import RELATED, Summary
from .statistics.band import Band, Bands

if TYPE_CHECKING:
    from matplotlib.figure import Figure  # type: ignore[import-not-found,unused-ignore]

    from .model import Model

Interval = tuple[float, float]
NAMED = 8  # weights in one line


@dataclass(repr=False)
class Fit:
    """The weights of a formula with their errors, and whether they can be trusted.

    Attributes:
        params: the weights by name.
        stderr: their standard errors; nan for a weight that is held, at a bound, or not determined.
        low, high: the ends of the 95 % intervals.
        covariance: of the weights, in the order of `params`, zeros for one that is held; None where the loss has none.
        converged: whether no step is left to go that a digit would show.
        reason: what ended it, and what to do where that is not convergence.
        method: "lm", "newton", "lbfgs".
        loss: the mean loss over the rows.
        summary: sums over the rows, of a least-squares fit.
        steps: how many were made.
        before: steps of the search that came to the start.
        correlation: of each two weights.
        notes: what else there is to say, in sentences.
        model: what predicts; its `levels` are the groups, its `sigma` and `weighting` the columns of those settings.
        history: pairs (step, loss).
        path: pairs (step, weights), of a long run some hundred.
        data: the rows, as they were given.
        level: the probability of the intervals.
        absolute: whether sigma was in the units of the target, rather than relative.
        scale: of a robust loss, how large a residual counts nearly in full.
        scale_given: whether that was given, rather than estimated from the residuals.
        linear: the weights that a search found to enter linearly, and solved for.
    """

    params: dict[str, float]
    stderr: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]
    covariance: list[list[float]] | None
    converged: bool
    reason: str
    method: str
    loss: float
    summary: Summary | None
    steps: int
    correlation: dict[str, dict[str, float]]
    notes: list[str] = field(default_factory=list)
    model: Model = None  # type: ignore[assignment]
    history: list[tuple[int, float]] = field(default_factory=list, repr=False)
    path: list[tuple[int, dict[str, float]]] = field(default_factory=list, repr=False)
    data: Data = field(default=None, repr=False)
    level: float = 0.95
    absolute: bool = False
    scale: float | None = None
    scale_given: bool = False
    linear: list[str] = field(default_factory=list)
    before: int = 0

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        shown = [f"{n}={_with_error(x, self.stderr[n])}" for n, x in list(self.params.items())[:NAMED]]
        more = [f"and {len(self.params) - NAMED} more"] if len(self.params) > NAMED else []
        rows = [] if self.summary is None else [counted(self.summary.n, "row")]
        return f"Fit({', '.join([*shown, *more])}; {', '.join(['converged' if self.converged else 'not converged', *rows])})"

    def table(self) -> str:
        """The report as text: weights with their errors, and how good the fit is."""
        rows = [("weight", "value", "std. error", "95 % interval")]
        for name, value in self.params.items():
            error = self.stderr[name]
            if math.isfinite(error):
                low, high = self.low[name], self.high[name]
                place, powers = decimals(error), by_powers(max(abs(low), abs(high)))
                shown, low_end, high_end = (rounded(x, place, powers) for x in (value, low, high))
                rows.append((name, shown, f"{error:.3g}", f"{low_end} to {high_end}"))
            else:
                rows.append((name, f"{value:.10g}", "", ""))
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        lines = ["  ".join([f"{a:<{widths[0]}}", f"{b:>{widths[1]}}", f"{c:>{widths[2]}}", d]).rstrip() for a, b, c, d in rows]
        return "\n".join([*lines, "", *self.measures(), *(f"note: {note}" for note in self.notes), "", self.ended()])

    def measures(self) -> list[str]:
        """How good the fit is, line by line."""
        s = self.summary
        if s is None:
            return [f"loss {self.loss:.8g}"]
        likely = LOSSES[self.model.kind].kind == "likelihood"
        r2 = "R² is not defined, as the target is the same in every row"
        if math.isfinite(s.r2):
            r2 = f"R² {_r_squared(s.r2)} (adjusted {_r_squared(s.adjusted)})" if s.dof > 0 else f"R² {_r_squared(s.r2)}"
            r2 = f"McFadden's {r2}" if likely else r2
        first = [f"{counted(s.n, 'row')}, {counted(s.dof, 'degree')} of freedom"]
        if math.isfinite(s.sd):
            first.append(f"residual standard deviation {s.sd:.6g}")
        if self.scale is not None:
            first.append(f"scale {self.scale:.6g} {'given' if self.scale_given else 'estimated from the residuals'}")
        criteria = f", AIC {s.aic:.6g}, BIC {s.bic:.6g}" if math.isfinite(s.aic) else ""
        return [", ".join(first), f"{r2}{criteria}, loss {s.loss if likely or self.scale is None else self.loss:.8g}"]

    def ended(self) -> str:
        """Whether it converged, in how many steps, or why not and what to do."""
        steps = self.before + self.steps
        count = counted(steps, "step")
        if self.converged:
            return f"converged after {count} ({self.method}): {self.reason}"
        return f"not converged after {count} ({self.method}): {self.reason}"

    def as_dict(self) -> dict[str, JsonData]:
        """What `--json` prints: nan and inf are None."""
        params = {
            n: {"value": x, "stderr": self.stderr[n], "low": self.low[n], "high": self.high[n]} for n, x in self.params.items()
        }
        s = self.summary
        more: dict[str, JsonData] = {}
        if s is not None:
            more = {
                "rss": s.rss, "n": s.n, "dof": s.dof, "sd": s.sd, "r2": s.r2, "r2_adjusted": s.adjusted, "aic": s.aic,
                "bic": s.bic,
            }  # fmt: skip
        if self.scale is not None:
            more |= {"scale": self.scale, "scale_given": self.scale_given}
        found: dict[str, JsonData] = finite({
            "converged": self.converged, "reason": self.reason, "method": self.method, "params": params, "loss": self.loss,
            **more, "correlation": self.correlation, "steps": self.before + self.steps, "level": self.level,
            "linear": self.linear, "notes": self.notes,
        })  # fmt: skip
        return found

    def json(self) -> str:
        """`as_dict` as text."""
        return json.dumps(self.as_dict(), ensure_ascii=False, allow_nan=False)

    @overload
    def predict(self, data: Data, interval: None = None) -> list[float]: ...
    @overload
    def predict(self, data: Data, interval: float) -> Bands: ...
    def predict(self, data: Data, interval: float | None = None) -> list[float] | Bands:
        """The prediction for each row of a table, a DataFrame or a dict of columns.

        Args:
            data: its columns are those of the formula; of words as they were fitted.
            interval: the probability of the bands, 0.95; with it `Bands` of the mean and of a new observation are given.
        """
        rows = as_rows(data, self.model, needed=self.model.columns)
        if interval is None:
            return [x for _, found in self.model.predictions(rows) for x in found]
        band = self.band(interval, Rows.of(rows).count)
        parts = [band.block(dict(zip(Rows.of(rows).names or (), block, strict=True))) for block in Rows.of(rows).blocks()]
        return Bands(*([x for part in parts for x in part[i]] for i in range(len(Bands._fields))))

    def band(self, level: float | None = None, rows: int = 0) -> Band:
        """What gives the bands of blocks of rows, at the level of the fit's own intervals unless another is given."""
        return Band(
            self.model, list(self.params), self.covariance, self.deviation, self.freedom, level or self.level, rows
        )  # fmt: skip

    @property
    def deviation(self) -> float:
        """The standard deviation of an observation, in units of sigma where that is a column; nan where there is none."""
        return 1.0 if self.absolute else math.nan if self.summary is None else self.summary.sd

    @property
    def freedom(self) -> float:
        """Degrees of freedom of Student's t, for squares and absolute deviations; inf stands for the normal distribution."""
        student = self.model.kind in ("mse", "mae")
        return self.summary.dof if student and self.summary is not None else math.inf

    def page(self, path: str | os.PathLike[str]) -> None:
        """Write the live page: data and curve, loss, contours, and a slider over the steps; see `autograd_lite.fit.page`."""
        from .pictures.live import page

        page(self, path)

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """The picture: data with curve and bands, residuals, and loss; a matplotlib `Figure`, saved at `path`."""
        from .pictures.picture import plot_fit

        return plot_fit(self.model, self.data, self.history, None if self.covariance is None else self.band(), path=path)

    def _repr_html_(self) -> str:
        """The report in a notebook."""
        return preformatted(self.table())


def related(names: Sequence[str], correlation: dict[str, dict[str, float]]) -> list[tuple[str, str, float]]:
    """The pairs of weights whose correlation is above 0.9, the closest first."""
    pairs = [(a, b, correlation[a][b]) for i, a in enumerate(names) for b in names[i + 1 :] if b in correlation.get(a, {})]
    return sorted((pair for pair in pairs if abs(pair[2]) > RELATED), key=lambda pair: -abs(pair[2]))


def decimals(error: float) -> int:
    """Decimals of a number that mean something beside its standard error: down to its third digit.

    >>> decimals(0.0123), decimals(271.0)
    (4, 0)
    """
    return 2 - math.floor(math.log10(error)) if error > 0 else 15


def _with_error(x: float, error: float) -> str:
    """A number with its standard error, in few signs."""
    if not math.isfinite(error):
        return f"{x:.6g}"
    return f"{rounded(x, decimals(error))}±{error:.3g}"


def by_powers(x: float) -> bool:
    """Whether a number is so small or large that it is written by powers of ten."""
    return x != 0 and not 1e-4 <= abs(x) < 1e9


def rounded(x: float, place: int, powers: bool | None = None) -> str:
    """A number to so many decimals; by powers of ten where it, or another that it stands beside, is very small or large.

    >>> rounded(238.94213, 2), rounded(5.5015643e-4, 8), rounded(1.5e-12, 16)
    ('238.94', '0.00055016', '1.5000e-12')
    >>> rounded(2.0000000000000004, 18)
    '2.00000000000000'
    """
    if not math.isfinite(x):
        return str(x)
    digits = 1 if x == 0 else max(1, min(15, place + math.floor(math.log10(abs(x))) + 1))
    if not (by_powers(x) if powers is None else powers):
        most = 15 if x == 0 else 14 - math.floor(math.log10(abs(x)))  # a double has no more digits
        return f"{x:.{max(0, min(place, digits + 5, most))}f}"
    return f"{x:.{digits - 1}e}"


def _r_squared(r2: float) -> str:
    """R² with digits enough to tell it from 1.

    >>> _r_squared(0.98123456), _r_squared(0.99999987654)
    ('0.981235', '0.999999877')
    """
    left = abs(1 - r2)
    return f"{r2:.{6 if left > 1e-4 or not left else min(15, 2 - math.floor(math.log10(left)))}f}"


def finite(data: JsonData) -> JsonData:
    """Data in which numbers that JSON has not are None."""
    return for_json(data, lambda x: x if math.isfinite(x) else None)
