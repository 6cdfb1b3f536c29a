"""`autograd-lite fit`: the weights of a formula from the rows of a table."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Annotated, Any

from click.exceptions import Exit

from ..arrays import numpy
from ..errors import InputValueError, counted, listed
from ..files import check_writable
from ..fit.cluster.tasks import WAIT
from ..fit.ending import Fit, finite
from ..fit.losses import LOSSES
from ..fit.model import GROUP, Model
from ..fit.model import read as read_model
from ..fit.pictures.live import page as write_page
from ..fit.pictures.picture import plot_fit
from ..fit.rows.where import Where, without_lost_words
from ..fit.saved import kept_of
from ..fit.saved import save as save_model
from ..fit.statistics.scoring import check
from ..formula.expression import Expression
from ..formula.parsing import quoted
from ..formula.vocabulary import VOCABULARY
from ..plot import check_picture, plot_history
from ..tables.choice import SHOWN, resembling
from .cluster import spread
from .common import read_formula, read_pairs, refuse_one_file
from .descent import OPTIMIZERS, Descended, Descent
from .methods import METHODS, MethodOptions, by_method, read_ranges
from .options import Argument, Option
from .output import say, say_json, say_note, say_on, say_saved
from .reading import File, Reading, reads_tables, say_left_out
from .score import scored

DESCENT = "Of gradient descent"


def _one_of(words: Collection[str], text: str, panel: str | None = None) -> Any:
    return Option(metavar="|".join(words), words=lambda: list(words), help=text, panel=panel)


@reads_tables
def fit(
    file: File,
    formula: Annotated[
        str,
        Argument(metavar="FORMULA", help="Columns are data, other names are weights: w*pounds + b."),
    ],
    reading: Reading,
    pairs: Annotated[list[str] | None, Argument(metavar="NAME=VALUE...", hidden=True)] = None,
    target: Annotated[str, Option(help="The column to predict, or a formula of columns.")] = "",
    loss: Annotated[str, _one_of(LOSSES, "Averaged over rows; logistic is for 0 and 1, poisson for counts.")] = "mse",
    method: Annotated[
        str,
        _one_of(METHODS, "auto: lm for mse, newton for others; --optimizer, --lr or --steps alone choose descent."),
    ] = "auto",
    optimizer: Annotated[str | None, _one_of(OPTIMIZERS, "Slopes to steps.", DESCENT)] = None,
    lr: Annotated[float | None, Option(panel=DESCENT, help="The learning rate, 0.01 unless given.")] = None,
    steps: Annotated[int | None, Option(help="At most so many; 1000 unless given.")] = None,
    batch_size: Annotated[int | None, Option(panel=DESCENT, metavar="N", help="Rows a step looks at; by default all.")] = None,
    init: Annotated[list[str] | None, Option(metavar="NAME=VALUE...", help="Where weights start.")] = None,
    bounds: Annotated[list[str] | None, Option(metavar="NAME=LOW:HIGH", help="A range: k=0: or p=0:1.")] = None,
    fixed: Annotated[list[str] | None, Option("--fix", metavar="NAME=VALUE", help="Hold a weight.")] = None,
    sigma: Annotated[str, Option(metavar="COLUMN", help="Standard deviations of the target.")] = "",
    absolute: Annotated[bool, Option("--absolute/--relative", help="Whether sigma is in the target's units.")] = False,
    weights: Annotated[str, Option(metavar="COLUMN", help="Weights of the rows.")] = "",
    where: Annotated[str, Option(metavar="FORMULA", help="Keep rows where it is not 0.")] = "",
    group: Annotated[str, Option(metavar="COLUMN", help="Weights written a[group] are one for each word of it.")] = "",
    scale: Annotated[
        float | None,
        Option(help="Of huber, soft_l1, cauchy: the size of a residual that is no outlier; estimated unless given."),
    ] = None,
    starts: Annotated[int | None, Option(metavar="N", help="Starts to go on with, of those tried.", min=1)] = None,
    json: Annotated[bool, Option("--json", help="Print one JSON object; nan and inf are null.")] = False,
    seed: Annotated[int, Option(help="Decides the order of rows in batches, and which are held out.")] = 0,
    tol: Annotated[float | None, Option(panel=DESCENT, help="Stop where the loss changes less, relative to itself.")] = None,
    every: Annotated[int | None, Option(metavar="N", help="Print each N-th iteration.", min=1)] = None,
    digits: Annotated[int, Option(panel=DESCENT, help="Decimals in its table.", min=0, max=17)] = 2,
    holdout: Annotated[float | None, Option(metavar="PART", help="Keep this part of the rows for a score.")] = None,
    plot: Annotated[str | None, Option(metavar="FILE", help="Draw data, curve, bands, residuals: .svg .png .pdf.")] = None,
    page: Annotated[str | None, Option(metavar="FILE", help="Write the fit as a live page: .html.")] = None,
    save: Annotated[str | None, Option(metavar="FILE", help="Write the weights as JSON, for predict.")] = None,
    checkpoint: Annotated[str | None, Option(metavar="FILE", help="Keep the state of the run here, and go on from it.")] = None,
    cluster: Annotated[
        str | None, Option(metavar="ADDRESS", help="Of a Dask scheduler, tcp://host:8786, or its scheduler file.")
    ] = None,
    mixed: Annotated[bool, Option("--mixed", help="Accept workers whose sums differ in their last bits.")] = False,
    wait: Annotated[float, Option(metavar="SECONDS", help="For scheduler and worker, before giving up.", min=0)] = WAIT,
) -> None:
    """The weights of a formula that come closest to a column of a table, with their errors.

    Exit status 3 if they cannot be trusted, which is said with the reason.

    Examples

    autograd-lite fit cars.csv "w*pounds + b" --target mpg

    autograd-lite fit cars.csv "a*exp(k*pounds)" --target mpg --init a=60 k=-0.4 --save weights.json --plot fit.svg

    autograd-lite fit passed.csv "w*hours + b" --target passed --loss logistic

    autograd-lite fit cars.csv "w*pounds + b" --target mpg --lr 0.05 --every 100
    """
    for name, word, words in (("method", method, METHODS), ("loss", loss, LOSSES), ("optimizer", optimizer, OPTIMIZERS)):
        if word is not None and word not in words:
            raise InputValueError(f"{name}={word!r} must be one of {', '.join(words)}")
    by_descent = (
        (optimizer, lr, batch_size, tol) != (None,) * 4 or (steps is not None and method == "auto") or method in OPTIMIZERS
    )
    if by_descent and method not in ("auto", *OPTIMIZERS):
        raise InputValueError(f"--method {method} takes no --optimizer, --lr, --batch-size or --tol: leave them out")
    if not by_descent and numpy() is None:
        say_note("without NumPy there is only gradient descent: pip install 'autograd-lite[fit]'")
        by_descent = True
    if by_descent and (bounds or fixed or absolute or starts):
        raise InputValueError("descent takes no --bounds, --fix, --absolute or --starts: choose another --method")
    start, held_at, ranges = read_pairs([*(init or ()), *(pairs or ())]), read_pairs(fixed), read_ranges(bounds)
    read_model(formula)
    condition = read_formula(where) if where else None
    if cluster is not None:
        for name, given in (("--batch-size", batch_size), ("--holdout", holdout)):
            if given is not None:
                raise InputValueError(f"{name} {given} is for one machine: leave it out with --cluster")
    if not target:
        raise InputValueError("no --target: name the column to predict, --target mpg")
    refuse_one_file({"the table": file, "--save": save, "--checkpoint": checkpoint, "--plot": plot, "--page": page})
    if plot is not None:  # what cannot be written is to be known before the work, not after
        check_picture(plot)
    if page is not None and not page.lower().endswith(".html"):
        raise InputValueError(f"page={page!r} must end in .html")
    for path in (save, checkpoint, page):
        if path is not None:
            check_writable(path)
    spoken = Spoken(formula, condition, group)
    header: list[str] = []

    def modelled(levels: Mapping[str, Sequence[str]] | None = None) -> Model:
        return Model(formula, target, header, loss, start, sigma, weights, levels=levels, group=group, scale=scale)

    def needed(found: list[str]) -> list[str]:
        header[:] = found
        model = modelled()  # its errors before those of the cells
        return spoken.columns(model)

    with ExitStack() as stack:
        table: Any
        if cluster is not None:
            keep = None if condition is None else Where(where)
            parts = reading.parts(file, needed, spoken.words, keep)
            table = stack.enter_context(spread(cluster, parts, mixed=mixed, wait=wait))
            say_left_out(table)
            if keep is not None:
                say(f"{counted(table.left, 'row')} left out by --where {where}", aside=True)
        else:
            table = stack.enter_context(reading.read(file, needed, text=spoken.words))
        if condition is not None and cluster is None:
            kept, left = Where(where)(table, reading.room)
            stack.enter_context(kept)
            if not kept.rows:
                raise InputValueError(f"--where {condition} keeps no row of {left}: give a condition that some fulfil")
            table = stack.enter_context(without_lost_words(kept, reading.room))
            say(f"{counted(left, 'row')} left out by --where {where}", aside=True)
        model = modelled(table.levels)
        check(model, table)
        for note in _doubts(model, header, {*start, *ranges, *held_at}):
            say_note(note)
        held = None
        if holdout is not None:
            table, held = map(stack.enter_context, table.split(holdout, seed=seed, memory=reading.room))
        found: Fit | Descended
        if by_descent:
            rule = optimizer or (method if method in OPTIMIZERS else "sgd")
            about = {"formula": formula, "target": target, "loss": loss}
            found = Descent(
                rule, 0.01 if lr is None else lr, 1000 if steps is None else steps, batch_size, tol, seed, checkpoint,
                every or 1, digits, json, about,
            ).run(model, table)  # fmt: skip
            if found.reason == "diverged":
                if plot is not None:
                    plot_history(found, path=plot)
                raise found.diverged()
        else:
            begun, within, fixed_at = (
                model.spread(*pair) for pair in ((start, "starts"), (ranges, "bounds"), (held_at, "holds"))
            )
            options = MethodOptions(method, begun, within, fixed_at, seed, starts, steps, absolute, checkpoint, every)
            found = by_method(model, table, options)
        model.weights = found.params
        lost = None
        if save is not None:  # before anything that may fail
            try:
                save_model(save, model, kept_of(found) if isinstance(found, Fit) else found.as_dict(), reading.dialect())
            except OSError as error:  # what was found is told all the same
                lost = error
        if json:
            say_json(finite(found.as_dict()), None)
        else:
            say_on(found.table())
        if held is not None:
            say(scored(model, held, " on {} not seen"), aside=json)
        if isinstance(found, Descended) and (note := found.climbed()):
            say_note(note)
        if lost is not None:
            raise lost
        if save is not None:
            say_saved(save, json)
        if page is not None:
            write_page(found if isinstance(found, Fit) else found.found, page, model=model, data=table)
            say_saved(page, json)
        if plot is not None:
            band = found.band() if isinstance(found, Fit) and found.covariance is not None else None
            plot_fit(model, table, found.history, band, path=plot)
            say_saved(plot, json)
    if found.reason == "interrupted":
        raise Exit(130)
    if isinstance(found, Fit) and not found.converged:
        raise Exit(3)


class Spoken:
    """The columns that a command line speaks of: those of words, known before the table is, and those of numbers."""

    def __init__(self, formula: str, condition: Expression | None, group: str) -> None:
        parsed = read_model(formula)
        self.condition = condition
        indicators = {**parsed.indicators, **({} if condition is None else condition.indicators)}
        by = [group if column == GROUP and group else column for _, column in parsed.grouped.values()]
        self.words = list(dict.fromkeys([*by, *(column for column, _ in indicators.values())]))
        if condition is not None and condition.grouped:
            raise InputValueError(f"--where {condition} has one weight for each group, and takes columns only: leave that out")

    def columns(self, model: Model) -> list[str]:
        """All of them; InputValueError for one that is meant as words in one place and as numbers in another."""
        numbers = [*model.plain, *model.measured, *(n for n in (model.sigma, model.weighting) if n)]
        if self.condition is not None:
            numbers += [name for name in self.condition.names if name not in self.condition.indicators]
        for name in self.words:
            if name in numbers:
                raise InputValueError(f"{name} is asked for as words and as numbers: compare numbers, {name} == 1")
        return list(dict.fromkeys([*numbers, *self.words]))


def _doubts(model: Model, header: Sequence[str], known: Collection[str]) -> Iterator[str]:
    """What about the formula may not be meant: no column at all.

    Raises InputValueError for a weight that is called nearly like a column, unless it is known to be a weight, as one that is
    given a start, a range or a value is.
    """
    columns = [n for n in header if n not in model.measured]
    for name in (n for n in model.formula.names if n in model.weights):
        near = resembling(name, columns) if name not in known else None
        if near is not None:
            raise InputValueError(
                f"no column is called {name}; did you mean {quoted(near, VOCABULARY)}?  A weight of that name is given a "
                f"start, --init {quoted(name)}=1"
            )
    if not model.columns:
        named = listed([repr(n) for n in columns], SHOWN) or "none but the target"
        yield (
            f"{model.formula.text} names no column, so that it is the same in every row; the columns are {named}; one whose "
            "name is not letters, digits and _ is written in backquotes"
        )
