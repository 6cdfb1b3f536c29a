"""`autograd-lite fit`: the weights of a formula from the rows of a table.

Imports `common`, `fit`, `optim`, `tables`, `files` and `plot`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from typing import Annotated, Any

import typer

from .. import optim
from ..errors import InputValueError, listed
from ..files import check_writable
from ..fit import Result, minimize
from ..fit.bar import Bar
from ..fit.ending import finite
from ..fit.live import page as write_page
from ..fit.losses import LOSSES
from ..fit.model import Model
from ..formula.notation import clean
from ..plot import check_picture, plot_history
from ..tables import MEMORY, Table, read_table
from ..tables.choice import SHOWN, resembling
from ..tables.table import numpy
from .common import read_formula, read_pairs, say_dropped, say_saved, shown
from .methods import METHODS, Options, by_method, kept_rows, read_ranges

OPTIMIZERS = {"sgd": optim.SGD, "adam": optim.Adam, "adamw": optim.AdamW, "rmsprop": optim.RMSprop, "adagrad": optim.Adagrad}
TRIAL = 50  # steps that show whether a learning rate goes downhill
HALVINGS = 60
MEGABYTE = 2**20
LARGE = 1e9  # from here on the table writes powers of ten

File = Annotated[str, typer.Argument(help="CSV with a header, or .parquet; - is CSV from standard input.", show_default=False)]
Dropping = Annotated[bool, typer.Option("--drop-missing", help="Leave out rows with an empty cell, NA, null or ?.")]
Sep = Annotated[str | None, typer.Option(help="Between cells: , ; | tab or blanks; guessed unless given.", show_default=False)]
Decimal = Annotated[str, typer.Option(help="The sign before decimals.")]
Thousands = Annotated[str | None, typer.Option(help="The sign between thousands.", show_default=False)]
NoHeader = Annotated[bool, typer.Option("--no-header", help="The first row is data; columns are c1, c2, ...")]
Comment = Annotated[str, typer.Option(help="What begins a line that is no row.")]
Megabytes = Annotated[int, typer.Option(metavar="MB", help="Numbers beyond this go to a temporary file.", min=1)]


def fit(
    file: File,
    formula: Annotated[
        str, typer.Argument(help="Columns are data, other names are weights: w*pounds + b.", show_default=False)
    ],
    pairs: Annotated[list[str] | None, typer.Argument(metavar="NAME=VALUE...", hidden=True)] = None,
    target: Annotated[str, typer.Option(help="The column to predict.", show_default=False)] = "",
    loss: Annotated[
        str,
        typer.Option(
            metavar="|".join(LOSSES), autocompletion=lambda: list(LOSSES), help="Averaged over rows; logistic is for 0 and 1."
        ),
    ] = "mse",
    method: Annotated[
        str,
        typer.Option(
            metavar="|".join(METHODS),
            autocompletion=lambda: list(METHODS),
            help="auto: lm for mse, newton for others; --optimizer, --lr or --steps alone choose descent.",
        ),
    ] = "auto",
    optimizer: Annotated[
        str | None,
        typer.Option(metavar="|".join(OPTIMIZERS), autocompletion=lambda: list(OPTIMIZERS), help="Descent: slopes to steps."),
    ] = None,
    lr: Annotated[float | None, typer.Option(help="Descent: the learning rate, 0.01 unless given.")] = None,
    steps: Annotated[int | None, typer.Option(help="At most so many; 1000 unless given.")] = None,
    batch_size: Annotated[int | None, typer.Option(metavar="N", help="Rows a step looks at; by default all.")] = None,
    init: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE...", help="Where weights start.")] = None,
    bounds: Annotated[list[str] | None, typer.Option(metavar="NAME=LOW:HIGH", help="A range: k=0: or p=0:1.")] = None,
    fixed: Annotated[list[str] | None, typer.Option("--fix", metavar="NAME=VALUE", help="Hold a weight.")] = None,
    sigma: Annotated[str, typer.Option(metavar="COLUMN", help="Standard deviations of the target.", show_default=False)] = "",
    absolute: Annotated[bool, typer.Option("--absolute/--relative", help="Whether sigma is in the target's units.")] = False,
    weights: Annotated[str, typer.Option(metavar="COLUMN", help="Weights of the rows.", show_default=False)] = "",
    where: Annotated[str, typer.Option(metavar="FORMULA", help="Keep rows where it is not 0.", show_default=False)] = "",
    starts: Annotated[int | None, typer.Option(metavar="N", help="Starts to go on with, of those tried.", min=1)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object; nan and inf are null.")] = False,
    seed: Annotated[int, typer.Option(help="Decides the order of rows in batches, and which are held out.")] = 0,
    tol: Annotated[float | None, typer.Option(help="Stop where the loss changes less, relative to itself.")] = None,
    every: Annotated[int | None, typer.Option(metavar="N", help="Print each N-th iteration.", min=1)] = None,
    digits: Annotated[int, typer.Option(help="Decimals in the table.", min=0, max=17)] = 2,
    holdout: Annotated[float | None, typer.Option(metavar="PART", help="Keep this part of the rows for a score.")] = None,
    plot: Annotated[str | None, typer.Option(metavar="FILE", help="Draw the loss curve: .svg .png .pdf.")] = None,
    page: Annotated[str | None, typer.Option(metavar="FILE", help="Write the fit as a live page: .html.")] = None,
    save: Annotated[str | None, typer.Option(metavar="FILE", help="Write the weights as JSON, for predict.")] = None,
    checkpoint: Annotated[
        str | None, typer.Option(metavar="FILE", help="Keep the state of the run here, and go on from it.")
    ] = None,
    drop_missing: Dropping = False,
    sep: Sep = None,
    decimal: Decimal = ".",
    thousands: Thousands = None,
    no_header: NoHeader = False,
    comment: Comment = "#",
    memory: Megabytes = MEMORY // MEGABYTE,
) -> None:
    """The weights of a formula that come closest to a column of a table.

    [bold]Examples[/bold]

    autograd-lite fit cars.csv "w*pounds + b" --target mpg --lr 0.05 --every 100

    autograd-lite fit cars.csv "w*pounds + b" --target mpg --init w=0 b=20 --save weights.json --plot loss.svg

    autograd-lite fit passed.csv "w*hours + b" --target passed --loss logistic --optimizer adam --lr 0.1
    """
    _among("method", method, METHODS)
    _among("loss", loss, LOSSES)
    if optimizer is not None:
        _among("optimizer", optimizer, OPTIMIZERS)
    by_descent = (
        (optimizer, lr, batch_size, tol) != (None,) * 4 or (steps is not None and method == "auto") or method in OPTIMIZERS
    )
    by_descent = by_descent or numpy() is None
    if by_descent and method not in ("auto", *OPTIMIZERS):
        raise InputValueError(f"--method {method} takes no --optimizer, --lr, --batch-size or --tol: leave them out")
    if by_descent and (bounds or fixed or sigma or weights or where or json or starts):
        raise InputValueError(
            "descent takes no --bounds, --fix, --sigma, --weights, --where, --starts or --json: choose another --method"
        )
    start = read_pairs([*(init or ()), *(pairs or ())])
    read_formula(formula)
    condition = read_formula(where) if where else None
    held_at, ranges = read_pairs(fixed), read_ranges(bounds)
    if not target:
        raise InputValueError("no --target: name the column to predict, --target mpg")
    if plot is not None:  # what cannot be written is to be known before the work, not after
        check_picture(plot)
    if page is not None and not page.lower().endswith(".html"):
        raise InputValueError(f"--page {page} must end in .html")
    for path in (save, checkpoint, page):
        if path is not None:
            if os.path.exists(path) and os.path.exists(file) and os.path.samefile(path, file):
                raise InputValueError(f"{path} is the table itself, which would be lost: give another file to write to")
            check_writable(path)
    header: list[str] = []

    def needed(found: list[str]) -> list[str]:
        header[:] = found
        model = Model(formula, target, found, loss, start, sigma, weights)  # its errors before those of the cells
        others = [] if condition is None else list(condition.names)
        return list(dict.fromkeys([*model.needed, *others]))

    with ExitStack() as stack:
        table = stack.enter_context(
            read_table(
                file, needed, drop_missing=drop_missing, memory=memory * MEGABYTE, sep=sep, decimal=decimal,
                thousands=thousands, header=not no_header, comment=comment,
            )
        )  # fmt: skip
        say_notes(table.notes)
        say_dropped(table.dropped)
        model = Model(formula, target, header, loss, start, sigma, weights)
        model.check(table)
        for note in _doubts(model, header, {*start, *ranges, *held_at}):
            typer.echo(f"note: {note}", err=True)
        if condition is not None:
            table, left = kept_rows(table, condition, memory * MEGABYTE)
            stack.enter_context(table)
            typer.echo(f"{left} row{'s' * (left != 1)} left out by --where {where}", err=True)
        held = None
        if holdout is not None:
            table, held = map(stack.enter_context, table.split(holdout, seed=seed, memory=memory * MEGABYTE))
        found: Any
        if by_descent:
            rule = OPTIMIZERS[optimizer or (method if method in OPTIMIZERS else "sgd")]
            rate, most = 0.01 if lr is None else lr, 1000 if steps is None else steps
            found = _descend(model, table, held, rule, rate, most, batch_size, seed, tol, checkpoint, every or 1, digits, plot,
                             {"formula": formula, "target": target, "loss": loss})  # fmt: skip
            ending = None
        else:
            found = by_method(
                model, table, start, Options(method, ranges, held_at, seed, starts, steps, absolute, checkpoint, every)
            )
            model.weights = found.params
            ending = {**found.as_dict(), "covariance": finite(found.covariance)}
            if json:
                typer.echo(found.json())
            else:
                typer.echo(found.table())
                if held is not None:
                    typer.echo(scored(model, held, " on {} not seen"))
        if page is not None:
            write_page(found, page, model=model, data=table)
            say_saved(page, json)
    if save is not None:
        model.save(save, ending)
        say_saved(save, json)
    if plot is not None:
        plot_history(found, path=plot)
        say_saved(plot, json)
    if found.reason == "interrupted":
        raise typer.Exit(130)
    if not by_descent and not found.converged:
        raise typer.Exit(3)


def _descend(
    model: Model, table: Table, held: Table | None, rule: Any, lr: float, steps: int, batch_size: int | None, seed: int,
    tol: float | None, checkpoint: str | None, every: int, digits: int, plot: str | None, about: dict[str, str],
) -> Result:  # fmt: skip
    """Gradient descent, with the table of the course notes."""
    run = partial(minimize, model.loss, data=table, batch_size=batch_size, seed=seed)
    bar = Bar(steps)
    found: Result = run(
        model.weights, optimizer=partial(rule, lr=lr), steps=steps, tol=tol, checkpoint=checkpoint, about=about,
        callback=_printer(list(model.weights), every, digits, bar),
    )  # fmt: skip
    bar.clear()
    start_at = model.weights
    trial = lambda rate, steps=TRIAL: run(start_at, optimizer=partial(rule, lr=rate), steps=steps)  # noqa: E731
    if found.reason == "diverged":
        if plot is not None:
            plot_history(found, path=plot)
        raise _diverged(model, table, found, lr, batch_size is not None, trial)
    model.weights = found.params
    _report(model, found, table, held)
    if note := _climbed(found, lr, batch_size is not None, trial):
        typer.echo(f"note: {note}", err=True)
    return found


def say_notes(notes: Sequence[str]) -> None:
    """Tell on stderr what was guessed about a file."""
    for note in notes:
        typer.echo(f"note: {clean(note, 400)}", err=True)


def _among(name: str, word: str, words: Any) -> None:
    if word not in words:
        raise InputValueError(f"--{name} {word} must be one of {', '.join(words)}")


def _printer(names: list[str], every: int, digits: int, bar: Bar) -> Callable[[int, float, Any], None]:
    """The callback that prints the table of the course notes, and below it how far the run is."""
    widths = [len(name) if len(name) >= digits + 2 else digits + 3 for name in names]  # the longer leave room for a sign
    head = ["iteration", *(f"{name:<{w}}" for name, w in zip(names, widths, strict=True)), "loss"]

    def row(step: int, loss: float, weights: dict[str, float]) -> None:
        if head:  # not before what is wrong has been said
            typer.echo("  ".join(head))
            head.clear()
        if step % every == 0:
            bar.clear()
            numbers = zip((*weights.values(), loss), (*widths, digits + 4), strict=True)
            cells = (f"{x:>z{w}.{digits}{'f' if abs(x) < LARGE else 'e'}}" for x, w in numbers)
            typer.echo("  ".join([f"{step + 1:>9}", *cells]))
        bar.update(step, loss)

    return row


def _report(model: Model, found: Result, table: Table, held: Table | None) -> None:
    """The weights and how good they are."""
    ended = {"converged": "converged after", "interrupted": "interrupted after"}.get(found.reason, "after")
    typer.echo(f"\n{ended} {found.steps} step{'s' * (found.steps != 1)}")
    for name, weight in model.weights.items():
        typer.echo(f"{name} = {shown(weight)}")
    typer.echo(f"loss = {shown(found.loss)}")
    typer.echo(scored(model, table))
    if held is not None:
        typer.echo(scored(model, held, " on {} not seen"))


def scored(model: Model, table: Table, where: str = "") -> str:
    """The score of a model in words: ``R² on 3 rows not seen = 0.8``."""
    name, score, rows = model.score(table)
    if not rows:
        return f"no score: {model.target} is missing in every row"
    what = name + where.format(f"{rows} row{'s' * (rows != 1)}")
    return f"{what} = {shown(score)}" if score == score else f"{what} is not defined: all {model.target} are equal"


def _doubts(model: Model, header: Sequence[str], known: Collection[str]) -> Iterator[str]:
    """What about the formula may not be meant: no column at all.

    Raises InputValueError for a weight that is called nearly like a column, unless it is known to be a weight, as one that is
    given a start, a range or a value is.
    """
    columns = [n for n in header if n not in model.measured]
    for name in model.weights:
        near = resembling(name, columns) if name not in known else None
        if near is not None:
            written = near if near.isidentifier() else f"`{near}`"
            raise InputValueError(
                f"no column is called {name}; did you mean {written}?  A weight of that name is given a start, --init {name}=1"
            )
    if not model.columns:
        named = listed([repr(n) for n in columns], SHOWN) or "none but the target"
        yield (
            f"{model.formula.text} names no column, so that it is the same in every row; the columns are {named}; one whose "
            "name is not letters, digits and _ is written in backquotes"
        )


def _diverged(
    model: Model, table: Table, found: Result, lr: float, noisy: bool, trial: Callable[..., Result]
) -> InputValueError:
    """The error that says where a run left the numbers, and a learning rate with which it does not."""
    first, last = _first_loss(found, lr, noisy, trial), found.loss
    what = f"--lr {lr:g} is too large: the loss is {last:.4g} at iteration {found.steps + 1}, and was {first:.4g} at the first"
    rate, falls = _downhill(lr, noisy, trial) if found.steps else (lr, False)
    where = "" if falls else model.first_bad_row(table) or ("" if found.steps else "the sum over all rows is not finite")
    if where:
        return InputValueError(
            f"the weights at the start have no finite loss to go down from: {where}; choose others with --init"
        )
    return InputValueError(f"{what}; {_advice(rate, falls)}")


def _climbed(found: Result, lr: float, noisy: bool, trial: Callable[..., Result]) -> str:
    """What to say of a run that ends above where it began; empty for others."""
    first = _first_loss(found, lr, noisy, trial)
    if found.reason not in ("steps", "converged") or not found.loss > first:
        return ""
    advice = _advice(*_downhill(lr, noisy, trial))
    return f"the loss ends at {found.loss:.4g} and was {first:.4g} at the first iteration: {advice}"


def _first_loss(found: Result, lr: float, noisy: bool, trial: Callable[..., Result]) -> float:
    return trial(lr, 0).loss if noisy else found.history[0][1]


def _downhill(lr: float, noisy: bool, trial: Callable[..., Result]) -> tuple[float, bool]:
    """A smaller learning rate with which the loss falls, and whether there is one."""
    rate = lr
    for _ in range(HALVINGS):
        rate /= 2
        tried = trial(rate)
        losses = [loss for _, loss in tried.history[:-1]]
        falls = tried.reason == "steps" and sum(losses[-10:]) < sum(losses[:10])
        if falls and (noisy or all(b <= a for a, b in pairwise(losses))):
            return rate, True
    return rate, False


def _advice(rate: float, falls: bool) -> str:
    if falls:
        return f"--lr {rate:g} goes downhill"
    return f"no rate down to {rate:g} goes downhill: bring the columns to a size near 1"
