"""`autograd-lite predict`: what fitted weights say of the rows of a table."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Annotated

import typer

from ..errors import InputValueError
from ..fit.saved import load
from ..tables.raw import Raw
from .output import say
from .reading import File, Reading, reads_tables
from .score import scored

PREDICTION = "prediction"


@reads_tables
def predict(
    weights: Annotated[str, typer.Argument(help="A file that fit --save wrote.", show_default=False)],
    file: File,
    reading: Reading,
) -> None:
    """What a fitted formula says of other rows: the table as it stands, with a column `prediction` more.

    Where the table has the target, a score follows on standard error, over the rows in which the target is not missing.  Of a
    logistic fit the prediction is the probability of a 1.

    [bold]Examples[/bold]

    autograd-lite predict weights.json more.csv > predicted.csv

    tail -100 cars.csv | autograd-lite predict weights.json -
    """
    model, _, dialect = load(weights)

    def needed(names: list[str]) -> list[str]:
        if PREDICTION in names:
            raise InputValueError(f"{file} has a column {PREDICTION!r}, as what is added is called: rename it")
        measured = model.measured if all(n in names for n in model.measured) else []
        return [*model.columns, *measured]

    with reading.read(file, needed, blank=model.measured, raw=True, saved=dialect) as table:
        known = all(n in table.names for n in model.measured)
        if known:
            model.check(table)
        assert table.raw is not None
        rows = chain.from_iterable(table.raw.blocks())
        write = _Writer(table.raw, dialect.get("decimal", ".") if not reading.dialect() else reading.decimal or ".")
        write.rows([table.raw.header], [[PREDICTION]])
        for _, found in model.predictions(table):
            write.rows(islice(rows, len(found)), ([write.number(x)] for x in found))
        if known:
            say(scored(model, table, " on {}"), aside=True)


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
