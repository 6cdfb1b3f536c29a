"""The picture of a fit: its data with the curve and the bands, its residuals, and the loss on the way.

Needs the extra `plot` (matplotlib), which is imported when a picture is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

from ...formula.notation import clean
from ...interrupt import deferred_interrupt
from ...plot import BLUE, LOG_FROM, MARKED, ORANGE, canvas, finished
from ..model import Model
from ..rows import Data, Rows, Sample
from ..statistics.band import Band

if TYPE_CHECKING:
    from matplotlib.axes import Axes  # type: ignore[import-not-found,unused-ignore]
    from matplotlib.figure import Figure  # type: ignore[import-not-found,unused-ignore]

CURVE = 201  # places along the curve
CURVES = 8  # of groups; of more there is the scatter of what is predicted and what was measured
COLORS = (BLUE, ORANGE, "#1a7f37", "#8250df", "#bf3989", "#0e7c86", "#9a6700", "#57606a")
LABEL = 60  # characters of a name on an axis


class Points(NamedTuple):
    """Rows of a fit: the columns of the formula, the target, and what is predicted."""

    columns: dict[str, list[float]]
    truth: list[float]
    predicted: list[float]


@deferred_interrupt()
def plot_fit(
    model: Model,
    data: Data,
    history: Sequence[tuple[int, float]] = (),
    band: Band | None = None,
    *,
    path: str | PathLike[str] | None = None,
) -> Figure:
    """What a fit came to: data with curve and bands, residuals against the prediction, loss against the step.

        figure = plot_fit(found.model, table, found.history, found.band(), path="fit.svg")

    Args:
        model: with the weights that were found.
        data: the rows, as `fit` takes them.
        history: pairs (step, loss).
        band: what gives the bands; without it there are none.
        path: where to save the picture; the suffix says how: .png .svg .pdf.

    Of a formula of one column of numbers the curve is drawn, one for each group; of others what was measured against what is
    predicted.  Of more than 2,000 rows some are drawn, evenly over the table.  Raises as `plot.plot_history`.
    """
    losses = [(step, loss) for step, loss in history if math.isfinite(loss)]
    moved = len({loss for _, loss in losses}) > 1
    figure, axes = canvas([["data", "residuals"], ["data", "loss" if moved else "residuals"]], (10.5, 5.2), path)
    points = sampled(model, data)
    groups = list(groups_of(model))
    if len(model.plain) == 1 and len(groups) <= CURVES and points.truth:
        _curves(axes["data"], model, points, groups, band)
    else:
        _scatter(axes["data"], model, points)
    _residuals(axes["residuals"], model, points)
    if moved:
        _losses(axes["loss"], losses)
    axes["data"].set_title(label(f"{model.target} ≈ {model.formula.text}"), fontsize=11)
    return finished(figure, path)


def sampled(model: Model, data: Data) -> Points:
    """At most 2,000 rows, evenly over the table; those whose target is missing are left out."""
    rows = Sample(Rows.of(data))
    columns: dict[str, list[float]] = {name: [] for name in model.columns}
    truth, predicted = list[float](), list[float]()
    for block, found in model.predictions(rows):
        for name in model.columns:
            columns[name] += block[name].tolist()
        truth += model.truths(block)
        predicted += found
    known = [i for i, (y, p) in enumerate(zip(truth, predicted, strict=True)) if math.isfinite(y) and math.isfinite(p)]
    return Points(
        {n: [c[i] for i in known] for n, c in columns.items()}, [truth[i] for i in known], [predicted[i] for i in known]
    )


def groups_of(model: Model) -> Iterator[tuple[dict[str, float], str]]:
    """Each combination of words that the formula tells apart, as places in their lists, and what it is called."""
    words = [(name, (model.levels or {}).get(name, [])) for name in model.text]
    for places in islice(product(*(range(len(found)) for _, found in words)), CURVES + 1):
        name = ", ".join(found[i] for (_, found), i in zip(words, places, strict=True))
        yield {column: float(i) for (column, _), i in zip(words, places, strict=True)}, name


def label(text: str) -> str:
    r"""A name as matplotlib shows it: one line, no control characters, and a dollar sign is one.

    >>> label("price\n($)")
    'price (\\$)'
    """
    return clean(text, LABEL).replace("$", r"\$")


def _curves(
    axes: Axes, model: Model, points: Points, groups: Sequence[tuple[Mapping[str, float], str]], band: Band | None
) -> None:
    """The data and the curve through it, of each group in a colour of its own."""
    (name,) = model.plain
    low, high = min(points.columns[name]), max(points.columns[name])
    margin = 0.02 * (high - low) or 0.5
    xs = [low - margin + (high - low + 2 * margin) * i / (CURVE - 1) for i in range(CURVE)]
    for (places, group), color in zip(groups, COLORS, strict=False):
        mine = [i for i in range(len(points.truth)) if all(points.columns[c][i] == p for c, p in places.items())]
        curve = [_finite(model.prediction(model.weights, {name: x, **places})) for x in xs]
        axes.plot(
            [points.columns[name][i] for i in mine], [points.truth[i] for i in mine], "o", color=color, alpha=0.55,
            markersize=4 if len(points.truth) < 300 else 2.5, markeredgewidth=0, label=f"_{group}",
        )  # fmt: skip
        axes.plot(xs, curve, color=color, linewidth=1.8, label=f" {label(group)}" if group else "_curve")
        if band is not None:
            found = band.block({name: xs, **{column: [place] * CURVE for column, place in places.items()}})
            axes.fill_between(xs, _gapped(found.low), _gapped(found.high), color=color, alpha=0.25, linewidth=0)
            if len(groups) == 1:
                axes.fill_between(xs, _gapped(found.obs_low), _gapped(found.obs_high), color=color, alpha=0.10, linewidth=0)
    axes.set_xlabel(label(name))
    axes.set_ylabel(label(model.target))
    if len(groups) > 1:
        axes.legend(loc="best", framealpha=0.9, fontsize=9)


def _scatter(axes: Axes, model: Model, points: Points) -> None:
    """What was measured against what is predicted, and the line on which they are equal."""
    both = [*points.truth, *points.predicted]
    axes.plot(points.predicted, points.truth, "o", color=BLUE, alpha=0.55, markersize=4, markeredgewidth=0)
    if both:
        axes.plot([min(both), max(both)], [min(both), max(both)], color=ORANGE, linewidth=1.5, label="measured = predicted")
        axes.legend(loc="best", framealpha=0.9, fontsize=9)
    axes.set_xlabel(f"predicted {label(model.target)}")
    axes.set_ylabel(f"measured {label(model.target)}")


def _residuals(axes: Axes, model: Model, points: Points) -> None:
    """What the formula leaves, against what it predicts."""
    left = [y - p for y, p in zip(points.truth, points.predicted, strict=True)]
    axes.axhline(0.0, color=ORANGE, linewidth=1.2)
    axes.plot(points.predicted, left, "o", color=BLUE, alpha=0.55, markersize=3, markeredgewidth=0)
    axes.set_xlabel(f"predicted {label(model.target)}")
    axes.set_ylabel("residual")


def _losses(axes: Axes, history: Sequence[tuple[int, float]]) -> None:
    """The loss on the way, on a logarithmic scale where it falls far."""
    from matplotlib.ticker import MaxNLocator

    steps, losses = zip(*history, strict=True)
    axes.plot(steps, losses, color=BLUE, marker="o" if len(steps) <= MARKED else "", markersize=3)
    if min(losses) > 0 and max(losses) > LOG_FROM * min(losses):
        axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("step")
    axes.set_ylabel("loss")


def _finite(x: Any) -> float:
    return float(x) if math.isfinite(x) else math.nan


def _gapped(numbers: Sequence[float]) -> list[float]:
    return [_finite(x) for x in numbers]
