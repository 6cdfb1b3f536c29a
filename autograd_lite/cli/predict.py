"""`autograd-lite predict`: what fitted weights say of the rows of a table.  Imports `common`, `fit.model` and `tables`."""

from __future__ import annotations

import csv
import sys
from typing import Annotated

import typer

from ..fit.model import Model
from ..tables import MEMORY, read_table
from .common import say_dropped
from .fit import MEGABYTE, Comment, Decimal, Dropping, File, Megabytes, NoHeader, Sep, Thousands, say_notes, scored


def predict(
    weights: Annotated[str, typer.Argument(help="A file that fit --save wrote.", show_default=False)],
    file: File,
    drop_missing: Dropping = False,
    sep: Sep = None,
    decimal: Decimal = ".",
    thousands: Thousands = None,
    no_header: NoHeader = False,
    comment: Comment = "#",
    memory: Megabytes = MEMORY // MEGABYTE,
) -> None:
    """What a fitted formula says of other rows: CSV with a column `prediction`.

    Its columns are those of the formula and, where the table has it, the target; then there is a score on standard error, over
    the rows in which the target is not missing.  Of a logistic fit it is the probability of a 1.

    [bold]Examples[/bold]

    autograd-lite predict weights.json more.csv > predicted.csv

    tail -100 cars.csv | autograd-lite predict weights.json -
    """
    model = Model.load(weights)
    wanted = [*model.columns, model.target]
    with read_table(
        file, lambda names: [n for n in wanted if n in names or n != model.target], blank=[model.target],
        drop_missing=drop_missing, memory=memory * MEGABYTE, sep=sep, decimal=decimal, thousands=thousands,
        header=not no_header, comment=comment,
    ) as table:  # fmt: skip
        say_notes(table.notes)
        say_dropped(table.dropped)
        if model.target in table.names:
            model.check(table)
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow([*table.names, "prediction"])
        for columns, found in model.predictions(table):
            writer.writerows(
                zip(*(map(_written, column.tolist()) for column in columns.values()), map(_written, found), strict=True)
            )
        if model.target in table.names:
            typer.echo(scored(model, table, " on {}"), err=True)


def _written(number: float) -> str:
    """A number with every digit that it needs, whole ones without a point; what is missing stays empty."""
    return "" if number != number else repr(number).removesuffix(".0")
