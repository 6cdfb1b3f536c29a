"""`autograd-lite predict`: what fitted weights say of the rows of a table."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import chain, islice
from typing import Annotated

import typer

from ..errors import InputValueError, listed
from ..fit.losses import LOSSES
from ..fit.model import Model
from ..fit.saved import band, load
from ..tables import Table
from ..tables.choice import SHOWN
from ..tables.raw import Raw
from .output import say, say_note
from .reading import File, Reading, reads_tables
from .score import scored

PREDICTION, MEAN, OBSERVATION = "prediction", ["mean_low", "mean_high"], ["obs_low", "obs_high"]


@reads_tables
def predict(
    weights: Annotated[str, typer.Argument(help="A file that fit --save wrote.", show_default=False)],
    file: File,
    reading: Reading,
    interval: Annotated[
        float | None,
        typer.Option(metavar="LEVEL", help="Bands of this probability, of mean and observation.", show_default=False),
    ] = None,
) -> None:
    """What a fitted formula says of other rows: the table as it stands, with a column `prediction` more.

    With --interval 0.95 four columns follow: mean_low and mean_high, between which the mean lies, and obs_low and obs_high for
    a new observation; each with that probability, row by row.

    Where the table has the target, a score follows on standard error, over the rows in which the target is not missing.  Of a
    logistic fit the prediction is the probability of a 1, of a Poisson fit the rate.

    [bold]Examples[/bold]

    autograd-lite predict weights.json more.csv > predicted.csv

    autograd-lite predict weights.json more.csv --interval 0.95

    tail -100 cars.csv | autograd-lite predict weights.json -
    """
    model, ending, dialect = load(weights)
    likelihood = LOSSES[model.kind].kind == "likelihood"
    added = [PREDICTION, *([] if interval is None else MEAN if likelihood else MEAN + OBSERVATION)]
    if interval is not None:
        band(model, ending, interval, 0)  # whose errors come before those of the table

    def needed(names: list[str]) -> list[str]:
        for name in added:
            if name in names:
                raise InputValueError(f"{file} has a column {name!r}, as what is added is called: rename it")
        measured = model.measured if all(n in names for n in model.measured) else []
        spread = [n for n in (model.sigma, model.weighting) if n in names and interval is not None]
        return [*model.columns, *measured, *spread]

    blank = [*model.measured, model.sigma, model.weighting]
    with reading.read(file, needed, blank=blank, text=model.levels or {}, raw=True, saved=dialect) as table:
        _check_words(file, model, table)
        known = all(n in table.names for n in model.measured)
        if known:
            model.check(table)
        if model.sigma and interval is not None and model.sigma not in table.names:
            say_note(f"{file} has no column {model.sigma!r}, so that there is no band of a new observation")
        bands = None if interval is None else band(model, ending, interval, table.rows)
        assert table.raw is not None
        rows = chain.from_iterable(table.raw.blocks())
        write = _Writer(table.raw, dialect.get("decimal", ".") if not reading.dialect() else reading.decimal or ".")
        write.rows([table.raw.header], [added])
        for columns, found in model.predictions(table):
            ends = () if bands is None else bands.block(columns)[1 : len(added)]
            cells = zip(found, *ends, strict=True)
            write.rows(islice(rows, len(found)), ([write.number(x) for x in row] for row in cells))
        if known:
            say(scored(model, table, " on {}"), aside=True)


def _check_words(file: str, model: Model, table: Table) -> None:
    """Raise InputValueError for a word that has no weight; one that no formula asks for is noted."""
    grouped = {column for _, column in model.grouped.values()}
    for column, known in (model.levels or {}).items():
        if not (new := table.levels[column][len(known) :]):
            continue
        what = f"{file}, column {column!r}: {listed([repr(w) for w in new], 5)}"
        have = f"the fit has {listed([repr(word) for word in known], SHOWN)}"
        if column not in grouped:
            say_note(f"{what} is new, {have}: is({column}, ...) is 0 there")
            continue
        near = get_close_matches(new[0], known, 1)
        repair = f"did you mean {near[0]!r}?" if near else "leave such rows out"
        raise InputValueError(f"{what} has no weight, {have}: {repair}")


class _Writer:
    """Rows as they stand with cells more, on stdout: byte for byte, but escaped where that is a terminal."""

    def __init__(self, raw: Raw, decimal: str) -> None:
        self.raw, self.decimal = raw, decimal
        self.seen = sys.stdout.isatty()

    def number(self, x: float) -> str:
        """A number with every digit that it needs, whole ones without a point; what is missing stays empty."""
        return "" if x != x else repr(x).removesuffix(".0").replace(".", self.decimal)

    def rows(self, texts: Iterable[str], more: Iterable[Sequence[str]]) -> None:
        """Write some, each with the cells that it gets."""
        sep, end = self.raw.sep, self.raw.end
        text = "".join(f"{row}{sep}{self.raw.written(cells)}{end}" for row, cells in zip(texts, more, strict=True))
        if self.seen:
            say(text.removesuffix(end))
        else:
            sys.stdout.flush()
            sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
            sys.stdout.buffer.flush()
