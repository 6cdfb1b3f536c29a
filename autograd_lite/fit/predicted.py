"""What a saved fit says of other rows: a table as it stands, with columns more."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import chain, count, islice
from typing import Any, NamedTuple

from ..errors import InputValueError, listed
from ..files import write_atomically
from ..tables import Table, read_table
from ..tables.choice import SHOWN
from .losses import LOSSES
from .model import Model
from .saved import band
from .statistics.scoring import Score, check, score

PREDICTION, MEAN, OBSERVATION = "prediction", ["mean_low", "mean_high"], ["obs_low", "obs_high"]


class Predicting:
    """The columns that a model adds to the rows of tables.

    Args:
        model: with its weights.
        ending: how its fit ended, as `saved.load` has it.
        interval: the probability of bands, of the mean and of a new observation; None for none.
        decimal: the sign before decimals.

    Raises InputValueError for a fit that has no bands.
    """

    def __init__(self, model: Model, ending: Mapping[str, Any], interval: float | None = None, decimal: str = ".") -> None:
        self.model, self.ending, self.interval, self.decimal = model, ending, interval, decimal
        self.missing = 0  # predictions that are nan, of the table that was last written
        mean = LOSSES[model.kind].kind == "likelihood" or model.kind == "mae"  # of these nothing says how single rows lie
        self.added = [PREDICTION, *([] if interval is None else MEAN if mean else MEAN + OBSERVATION)]
        if interval is not None:
            band(model, ending, interval, 0)  # whose errors come before those of a table

    @property
    def blank(self) -> list[str]:
        """Columns whose cells may be missing."""
        return [*self.model.measured, self.model.sigma, self.model.weighting]

    def needed(self, names: Sequence[str]) -> list[str]:
        """The columns of a table that are read as numbers or words."""
        model = self.model
        measured = model.measured if all(n in names for n in model.measured) else []
        spread = [n for n in (model.sigma, model.weighting) if n in names and self.interval is not None]
        return [*model.columns, *measured, *spread]

    def called(self, header: Sequence[str]) -> list[str]:
        """What the columns are called that are added to a table with this header, in which no two names are one."""
        return [
            name if name not in header else next(other for k in count(2) if (other := f"{name}_{k}") not in header)
            for name in self.added
        ]

    def notes(self, file: str, table: Table) -> Iterator[str]:
        """What is to be said before a table's rows are.

        Raises InputValueError for a word that has no weight.
        """
        model = self.model
        for name, own in zip(self.added, self.called(table.header), strict=True):
            if own != name:
                yield f"{file} has a column {name!r}: the one that is added is called {own}"
        grouped = {column for _, column in model.grouped.values()}
        for column, known in (model.levels or {}).items():
            if not (new := table.levels[column][len(known) :]):
                continue
            what = f"{file}, column {column!r}: {listed([repr(w) for w in new], 5)}"
            have = f"the fit has {listed([repr(word) for word in known], SHOWN)}"
            if column not in grouped:
                yield f"{what} is new, {have}: is({column}, ...) is 0 there"
                continue
            near = get_close_matches(new[0], known, 1)
            repair = f"did you mean {near[0]!r}?" if near else "leave such rows out"
            raise InputValueError(f"{what} has no weight, {have}: {repair}")
        if model.sigma and self.interval is not None and model.sigma not in table.names:
            yield f"{file} has no column {model.sigma!r}, so that there is no band of a new observation"

    def texts(self, table: Table) -> Iterator[str]:
        """The rows of a table, the header first, some at a time, byte for byte with the cells added."""
        raw = table.raw
        assert raw is not None
        rows = chain.from_iterable(raw.blocks())
        bands = None if self.interval is None else band(self.model, self.ending, self.interval, table.rows)
        self.missing = 0
        yield f"{raw.header}{raw.sep}{raw.written(self.called(table.header))}{raw.end}"
        for columns, found in self.model.predictions(table):
            ends = () if bands is None else bands.block(columns)[1 : len(self.added)]
            self.missing += sum(x != x for x in found)
            cells = ([self._number(x) for x in row] for row in zip(found, *ends, strict=True))
            pairs = zip(islice(rows, len(found)), cells, strict=True)
            yield "".join(f"{row}{raw.sep}{raw.written(more)}{raw.end}" for row, more in pairs)

    def doubts(self, table: Table) -> Iterator[str]:
        """What is to be said after a table's rows were given."""
        if self.missing:
            verb = "is" if self.missing == 1 else "are"
            yield f"{self.missing} of {table.rows} predictions {verb} nan, and empty in the output"

    def knows(self, table: Table) -> bool:
        """Whether the table has the target, so that predictions can be scored."""
        return all(n in table.names for n in self.model.measured)

    def _number(self, x: float) -> str:
        """A number with every digit that it needs, whole ones without a point; what is missing stays empty."""
        return "" if x != x else repr(x).removesuffix(".0").replace(".", self.decimal)


class Written(NamedTuple):
    """A file of predictions, what there is to say of it, and how good they are."""

    path: str
    notes: list[str]
    dropped: int
    score: Score | None


def to_file(file: str, predicting: Predicting, folder: str, options: Mapping[str, Any]) -> Written:
    """Write one table with its predictions into a folder, as text under the same name; complete or not there at all."""
    stem = os.path.basename(file)
    path = os.path.join(folder, stem if stem.endswith((".csv", ".tsv", ".txt")) else os.path.splitext(stem)[0] + ".csv")
    if os.path.exists(path) and os.path.samefile(path, file):
        raise InputValueError(f"{path} is the table itself, which would be lost: give another folder")
    words = predicting.model.levels or {}
    with read_table(file, predicting.needed, blank=predicting.blank, text=words, raw=True, **options) as table:
        notes = [*table.notes, *predicting.notes(file, table)]
        if known := predicting.knows(table):
            check(predicting.model, table)
        write_atomically(path, (text.encode("utf-8", "surrogateescape") for text in predicting.texts(table)))
        notes += predicting.doubts(table)
        return Written(path, notes, table.dropped, score(predicting.model, table) if known else None)
