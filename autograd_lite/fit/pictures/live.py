"""The live page of a fit: data and fitted curve, the loss by step, the way over the contours, and a slider over the steps.

The page of a graph and this one share their look, their charts and their safety (`autograd_lite.drawing.page`); how a row
is predicted is emitted as JavaScript, so that weights can be pulled by hand.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...compiler import jit, to_js
from ...drawing.model import TOOLTIP
from ...drawing.page.document import STEPS, document, legend
from ...drawing.svg import xml
from ...errors import InputTypeError, InputValueError, LoweringError, TraceError
from ...files import write_atomically
from ...formula.notation import clean
from ...interrupt import no_pause
from ...program import Program
from ...tables import Parts
from ...tree import Number, Tree, flatten, unflatten
from ..cluster import rows_of
from ..losses import LOSSES
from ..model import Model
from ..rows import SHOWN, AnyRows, Data, Sample
from ..rows.data import as_rows, is_collection, narrowed
from ..rows.objective import Objective

if TYPE_CHECKING:
    from ..cluster.tasks import Client
    from ..descent import Result
    from ..ending import Fit

POINTS = 1000  # of the loss line
LISTED = 60  # weights with a slider
WAY = 20_000  # numbers of the weights at all steps
PIECES = ("core", "chart", "player", "fit")
LEGEND = (
    "Dots are rows; the line is what the formula predicts with the weights as they are. Thin lines: what it misses by.",
    "The slider goes through the steps of the run; a weight can be pulled by hand, and everything follows.",
    "Contours are lines of equal loss, closer together towards the bottom; the way is that of the run.",
)

_BODY = """<div id="top">
<div class="bar">
<h1>{heading}</h1>
<div class="group wide-group scripted-only" hidden>
{steps}</div>
{legend}
</div>
<p class="said"><span id="line" role="status" aria-live="polite"></span></p>
<p id="note" class="note"{hidden}>{note}</p>
</div>
<div id="main" class="panels">
<section aria-label="Weights"><h2>Weights</h2><div id="leaves"></div><pre id="report">{report}</pre></section>
<section id="databox" aria-label="Data" hidden><h2 id="datahead"></h2>
<svg id="rows" role="img" aria-labelledby="datahead"></svg></section>
<section id="missbox" aria-label="Residuals" hidden><h2 id="misshead"></h2>
<svg id="misses" role="img" aria-labelledby="misshead"></svg></section>
<section id="lossbox" aria-label="Loss" hidden><h2 id="losshead">Loss at each step</h2>
<svg id="losses" role="img" aria-labelledby="losshead"></svg></section>
<section id="contourbox" aria-label="Contours" hidden><h2 id="contourhead"></h2>
<svg id="contours" role="img" aria-labelledby="contourhead"></svg></section>
</div>
"""


def page(
    result: Result[Tree] | Fit, path: str | os.PathLike[str], *, model: Model | None = None, data: Data = None,
    client: Client = None,
) -> None:  # fmt: skip
    """Write the live page of a fit: one HTML file that needs nothing else, complete or not at all.

        found = fit("w*pounds + b", cars, target="mpg")
        page(found, "fit.html")

    Args:
        result: what `fit` or `minimize` gave.
        path: a file that ends in .html.
        model, data: what predicts, and the rows; a `Fit` has its own.  Without them the page has the loss and the weights by
            step, and for two weights of a `minimize` over data the contours of its loss.  Files and Dask collections too.
        client: a `distributed.Client`, whose workers then add up the losses; 2,000 rows are shown.

    Raises InputTypeError for another result, InputValueError for another ending.
    """
    if os.path.splitext(os.fspath(path))[1].lower() != ".html":
        raise InputValueError(f"path={os.fspath(path)!r} must end in .html")
    if not (hasattr(result, "path") and hasattr(result, "history")):
        raise InputTypeError(f"result={result!r} must be what fit or minimize gave")
    write_atomically(path, html(result, model or getattr(result, "model", None), getattr(result, "data", None), data, client))


def html(result: Result[Tree] | Fit, model: Model | None, own: Data, data: Data = None, client: Client = None) -> str:
    """The page as text."""
    given = own if data is None else data
    if given is None or (data is None and client is None and is_collection(given)):  # the rows are elsewhere
        return _html(result, model, None)
    text = model.text if model is not None and is_collection(given) else []
    if model is not None:
        given = narrowed(given, lambda names: model)
        given = given if is_collection(given) or isinstance(given, Parts) else as_rows(given, model)
    with rows_of(given, client, text=text) as rows:
        return _html(result, model, rows)


def _html(result: Result[Tree] | Fit, model: Model | None, rows: AnyRows | None) -> str:
    names = _weight_names(result.params)
    loss = _loss(result, model)
    way = _thinned([(step, flatten(params)[0]) for step, params in result.path], max(2, WAY // max(1, len(names))))
    found, functions, reason = _rows_shown(model, loss, rows, names, result.params)
    losses = _losses_by_step(result, loss, rows, model is not None and LOSSES[model.kind].corner is not None)
    errors = [getattr(result, "stderr", {}).get(name, math.nan) for name in names]
    note = f"The curve and the contours are left out: {reason}." if reason else ""
    if rows is not None and found and (whole := getattr(rows, "whole", rows.count)) > SHOWN:
        of = "all" if whole == rows.count else "these"
        note = f"{SHOWN:,} of the {whole:,} rows are shown, evenly spread; the losses are those of {of}."
    heading = "Fit" if model is None else f"{model.target} ≈ {model.formula.text}"
    report = result.table() if hasattr(result, "table") else _report(names, flatten(result.params)[0], result)
    data_of_page = {
        "digits": 5,
        "names": [clean(name, TOOLTIP) for name in names[:LISTED]],
        "more": max(0, len(names) - LISTED),
        "errors": [_number(x) for x in errors[:LISTED]],
        "way": [[step, [_number(x) for x in weights]] for step, weights in way],
        "losses": [[step, _number(x)] for step, x in _thinned(losses, POINTS)],
        "target": "" if model is None else clean(model.target, TOOLTIP),
        "kind": "" if model is None else model.kind,
        **found,
    }
    steps = STEPS.format(end=len(way) - 1, what="Step of the run", first="The start", last="The end")
    body = _BODY.format(
        heading=xml(clean(heading, 200)), steps=steps, legend=legend(LEGEND), report=xml(report), note=xml(note),
        hidden="" if note else " hidden",
    )  # fmt: skip
    return document(heading, "auto", body, data_of_page, ("base", "fit"), PIECES, functions)


def _weight_names(params: Tree) -> list[str]:
    """What the weights are called, in the order of `flatten`."""
    leaves, _ = flatten(params)
    if isinstance(params, dict) and len(params) == len(leaves):
        return [str(name) for name in params]
    return [f"w[{i}]" for i in range(len(leaves))]


def _loss(result: Result[Tree] | Fit, model: Model | None) -> Callable[[Tree, Tree], Number] | None:
    """The loss of one row, called with the weights as they are in the result and what `Rows.arguments` gives for a row."""
    if model is not None:
        return model.loss
    found: Callable[[Tree, Tree], Number] | None = getattr(result, "objective", None)
    return found


def _losses_by_step(
    result: Result[Tree] | Fit, loss: Callable[..., Number] | None, rows: AnyRows | None, scaled: bool
) -> list[tuple[int, float]]:
    """The loss by step: descent saw it before each step, the other methods after it.

    A run by a `scaled` loss comes down to its scale, and saw other losses on the way: they are worked out anew.
    """
    history = [(int(step), float(x)) for step, x in result.history]
    if not hasattr(result, "stderr"):
        return history
    after = [(step + 1, x) for step, x in history]
    first = result.path[0] if result.path else None
    if first is None or first[0] != 0 or rows is None or loss is None:
        return after
    _, spec = flatten(first[1])
    objective = Objective(loss, spec, rows)
    seen = [(step, objective.whole(flatten(at)[0], no_pause)[0]) for step, at in (result.path if scaled else [first])]
    return seen if scaled else [*seen, *after]


def _rows_shown(
    model: Model | None, loss: Callable[..., Number] | None, rows: AnyRows | None, names: Sequence[str], params: Tree
) -> tuple[dict[str, Any], str, str]:
    """The rows that the page shows and how one is worked out, in JavaScript; else why not."""
    if rows is None or loss is None:
        return {}, "", ""
    picked = Sample(rows)
    blocks = [picked.read(i, i + 1) for i in range(picked.count)]
    table = [flatten([column[0] for column in block])[0] for block in blocks]
    if any(hasattr(column[0], "__len__") for column in blocks[0]):
        return {}, "", "a row holds more than numbers"
    leaves, spec = flatten(params)

    def row_of(weights: list[Number], numbers: list[Number]) -> tuple[Tree, ...]:
        at = unflatten(spec, weights)
        row = rows.arguments(numbers)
        if model is None:
            return (loss(at, *row),)
        return loss(at, row[0]), model.prediction(at, row[0]), model.truth(row[0])

    try:
        program: Program = jit(row_of).program([float(x) for x in leaves], [float(x) for x in table[0]])
        if program.guards:
            return {}, "", f"the loss branches on numbers at {program.guards[0].line}: where() makes one formula of both ways"
        text = to_js.source(program, "rowOf")
    except (TraceError, LoweringError, TypeError, ValueError) as error:
        return {}, "", clean(str(error).splitlines()[0], 300)
    columns = [] if model is None else [list(rows.names or ()).index(name) for name in model.columns]
    found = {
        "rows": [[_number(float(x)) for x in row] for row in table],
        "columns": columns,
        "features": [clean(str((rows.names or ())[i]), TOOLTIP) for i in columns],
    }
    return found, "\n".join(filter(None, [to_js.runtime(text), text])), ""


def _thinned(points: list[Any], most: int) -> list[Any]:
    """No more than so many of the points, the first and the last among them."""
    if len(points) <= most:
        return points
    return [points[round(k * (len(points) - 1) / (most - 1))] for k in range(most)]


def _number(x: float) -> Any:
    return x if math.isfinite(x) else repr(x)


def _report(names: Sequence[str], weights: Sequence[float], result: Result[Tree] | Fit) -> str:
    """What a descent came to, as text."""
    lines = [f"{clean(name)} = {x:.6g}" for name, x in zip(names, weights, strict=True)][:LISTED]
    why = "" if result.reason == "steps" else f"{result.reason} "
    return "\n".join([*lines, f"loss = {result.loss:.8g}", f"{why}after {result.steps} steps"])
