"""How a table is read: the options that every command with a table has, stated once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any

from ..errors import counted
from ..files import JsonData
from ..tables import MEMORY, Joined, Parts, Table, read_table
from ..tables.choice import Pick
from ..tables.dialect import COMMENT
from ..tables.parts import is_many
from .options import Argument, Option
from .output import say, say_note

MEGABYTE = 2**20
TABLE = "Of the table"
File = Annotated[
    str,
    Argument(
        metavar="FILE",
        help="Text with a header, Parquet, Feather or .xlsx, also packed; - is standard input.",
    ),
]


@dataclass(frozen=True)
class Reading:
    """What the command line says of a table; None where it says nothing."""

    drop_missing: Annotated[
        bool, Option("--drop-missing", panel=TABLE, help="Leave out rows with an empty cell, NA, null or ?.")
    ] = False
    sep: Annotated[
        str | None,
        Option(panel=TABLE, help="Between cells: , ; | tab or blanks; guessed unless given."),
    ] = None
    decimal: Annotated[str | None, Option(panel=TABLE, help="The sign before decimals, . unless given.")] = None
    thousands: Annotated[
        str | None,
        Option(panel=TABLE, help="The sign between thousands: , . ' _ or a blank."),
    ] = None
    no_header: Annotated[bool, Option("--no-header", panel=TABLE, help="The first row is data; columns are c1, c2, ...")] = (
        False
    )
    comment: Annotated[
        str | None,
        Option(panel=TABLE, help="What begins a line that is no row, # unless given."),
    ] = None
    memory: Annotated[int, Option(panel=TABLE, metavar="MB", help="Numbers beyond this go to a temporary file.", min=1)] = (
        MEMORY // MEGABYTE
    )

    @property
    def room(self) -> int:
        """Bytes of numbers that stay in memory."""
        return self.memory * MEGABYTE

    def dialect(self) -> dict[str, Any]:
        """How the table is written, as far as the options say: what `fit --save` keeps.

        >>> Reading(decimal=",", no_header=True).dialect()
        {'decimal': ',', 'header': False}
        """
        given = {"sep": self.sep, "decimal": self.decimal, "thousands": self.thousands, "comment": self.comment}
        return {
            **{name: sign for name, sign in given.items() if sign is not None},
            **({"header": False} if self.no_header else {}),
        }

    def options(self, file: str, saved: Mapping[str, JsonData] | None = None) -> dict[str, Any]:
        """What `read_table` is told of how the table is written."""
        dialect = self.dialect()
        if saved and not dialect:
            dialect = dict(saved)
            say_note(
                f"{file} is read as the table of the fit was: "
                + " ".join("--no-header" if n == "header" else f"--{n} {sign!r}" for n, sign in dialect.items())
            )
        return {"drop_missing": self.drop_missing, "comment": COMMENT, **dialect}

    def parts(self, file: str, columns: Pick, text: Iterable[str], keep: Any) -> Parts:
        """The files that a folder, a pattern or a name means, for others to read."""
        given = file if is_many(file) else [file]
        return Parts(given, columns, text=text, keep=keep, memory=self.room, **self.options(file))

    def read(
        self, file: str, columns: Pick, *, blank: Iterable[str] = (), text: Iterable[str] | Mapping[str, Iterable[str]] = (),
        raw: bool = False, saved: Mapping[str, JsonData] | None = None,
    ) -> Table:  # fmt: skip
        """The table, and on stderr what was guessed about it; `saved` is a dialect that holds where the options say nothing."""
        options = {"blank": blank, **self.options(file, saved)}
        if is_many(file) and not raw:
            table: Table = Joined(Parts(file, columns, text=text, memory=self.room, **options))
        else:
            table = read_table(file, columns, text=text, raw=raw, memory=self.room, **options)
        say_left_out(table)
        return table


def say_left_out(table: Table) -> None:
    """Tell on stderr what was guessed about a table, and how many rows were left out."""
    for note in table.notes:
        say_note(note)
    if rows := table.dropped:
        say(f"{counted(rows, 'row')} with a missing cell {'is' if rows == 1 else 'are'} left out", aside=True)


def reads_tables(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose last argument is a `Reading`, with the options that a Reading has in its place."""
    own = inspect.signature(command, eval_str=True)
    options = inspect.signature(Reading, eval_str=True).parameters

    @wraps(command)
    def run(**given: Any) -> None:
        command(reading=Reading(**{name: given.pop(name) for name in options}), **given)

    parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in (*own.parameters.values(), *options.values()) if p.name != "reading"]
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run
