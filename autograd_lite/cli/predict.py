"""`autograd-lite predict`: what fitted weights say of the rows of a table."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from functools import partial
from typing import Annotated

from ..errors import InputValueError, counted
from ..files import JsonData
from ..fit.predicted import Predicting, Written, to_file
from ..fit.saved import load
from ..fit.statistics.scoring import check
from ..tables.parts import absolute, expand, is_many
from .cluster import each_of
from .options import Argument, Option
from .output import say, say_note
from .reading import File, Reading, reads_tables
from .score import in_words, scored


@reads_tables
def predict(
    weights: Annotated[str, Argument(metavar="WEIGHTS", help="A file that fit --save wrote.")],
    file: File,
    reading: Reading,
    interval: Annotated[
        float | None,
        Option(metavar="LEVEL", help="Bands of this probability, of mean and observation."),
    ] = None,
    to: Annotated[str | None, Option(metavar="FOLDER", help="Write a file for each of the table's files here.")] = None,
    cluster: Annotated[str | None, Option(metavar="ADDRESS", help="Of a Dask scheduler, whose workers do so.")] = None,
) -> None:
    """What a fitted formula says of other rows: the table as it stands, with a column `prediction` more.

    With --interval 0.95 four columns follow: mean_low and mean_high, between which the mean lies, and obs_low and obs_high for
    a new observation; each with that probability, row by row.

    A folder or a pattern means many files: --to says where a file goes for each, under its name.

    Where the table has the target, a score follows on standard error, over the rows in which the target is not missing.  Of a
    logistic fit the prediction is the probability of a 1, of a Poisson fit the rate.

    Examples

    autograd-lite predict weights.json more.csv > predicted.csv

    autograd-lite predict weights.json more.csv --interval 0.95

    autograd-lite predict weights.json "data/*.parquet" --to predicted

    tail -100 cars.csv | autograd-lite predict weights.json -
    """
    model, ending, dialect = load(weights)
    decimal = dialect.get("decimal", ".") if not reading.dialect() else reading.decimal or "."
    predicting = Predicting(model, ending, interval, decimal)
    if to is not None:
        _many(file, predicting, to, reading.options(file, dialect), cluster)
        return
    if is_many(file) or cluster is not None:
        raise InputValueError(f"{file} is many files, whose predictions go to one for each: say where, --to FOLDER")
    table = reading.read(file, predicting.needed, blank=predicting.blank, text=model.levels or {}, raw=True, saved=dialect)
    with table:
        for note in predicting.notes(file, table):
            say_note(note)
        if predicting.knows(table):
            check(model, table)
        for text in predicting.texts(table):
            _write(text)
        for note in predicting.doubts(table):
            say_note(note)
        if predicting.knows(table):
            say(scored(model, table, " on {}"), aside=True)


def _many(file: str, predicting: Predicting, to: str, options: dict[str, JsonData], cluster: str | None) -> None:
    """Write a file for each, here or on the workers of a cluster."""
    one = partial(to_file, predicting=predicting, folder=os.path.abspath(to), options=options)
    paths = expand(absolute(file if is_many(file) else [file]))
    os.makedirs(to, exist_ok=True)
    with each_of(cluster) if cluster is not None else nullcontext(map) as each:
        done: list[Written] = list(each(one, paths))
    for written in done:
        for note in written.notes:
            say_note(note)
        score = "" if written.score is None else f": {in_words(predicting.model, written.score, ' on {}')}"
        left = f", {counted(written.dropped, 'row')} left out" if written.dropped else ""
        say(f"saved {written.path}{left}{score}", aside=True)


def _write(text: str) -> None:
    """Rows on stdout: byte for byte, but escaped where that is a terminal."""
    if sys.stdout.isatty():
        say(text.rstrip("\r\n"))
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
        sys.stdout.buffer.flush()
