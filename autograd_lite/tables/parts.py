"""`Parts`: many files that are one table, each read by whoever adds up its rows."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import InputTypeError, InputValueError, listed
from .choice import SHOWN, Pick, picking
from .table import MEMORY, Table

SUFFIXES = (".parquet", ".pq", ".feather", ".csv", ".tsv", ".txt", ".xlsx")
PACKED = (".gz", ".bz2", ".xz", ".zip")


@dataclass(frozen=True)
class Part:
    """How to read one file, or some rows of a Parquet file: a recipe, which travels in place of the numbers.

    Attributes:
        path: the file.
        size, changed: its bytes and the time of its last change; a file that is no longer so is refused.
        names: the columns.
        rows: how many there are, where the file says so before it is read, else None.
        start, stop: the rows meant, of a Parquet file; 0 and None for all.
        options: what `read_table` is told of it.
        keep: the function of a table that leaves out rows, and tells how many.
    """

    path: str
    size: int
    changed: int
    names: tuple[str, ...]
    rows: int | None = None
    start: int = 0
    stop: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    keep: Callable[[Table, int], tuple[Table, int]] | None = None

    @property
    def whole(self) -> bool:
        """Whether all the file's rows are meant."""
        return self.start == 0 and self.stop in (None, self.rows)

    def table(self, memory: int = MEMORY) -> Table:
        """The numbers, which may be none."""
        from . import read_part

        self.same()
        rows = None if self.stop is None or self.whole else (self.start, self.stop)
        table = read_part(self.path, list(self.names), rows=rows, memory=memory, **self.options)
        if self.keep is not None and table.rows:
            with table:
                kept, left = self.keep(table, memory)
            kept.levels, kept.dropped, kept.left = table.levels, table.dropped, left
            return kept
        return table

    def same(self) -> None:
        """Raise InputValueError where the file is not the one that was looked at."""
        now = os.stat(self.path)
        if (now.st_size, now.st_mtime_ns) != (self.size, self.changed):
            raise InputValueError(f"{self.path} has changed since the run began: let nobody write to the table, and run again")


class Parts:
    """Files of one table in the order of their names: those of a folder, those that match a pattern, or a list of paths.

    >>> import tempfile, os
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for i in range(3):
    ...         with open(os.path.join(folder, f"{i}.csv"), "w") as file:
    ...             _ = file.write(f"x,y\\n{i},{2 * i}\\n")
    ...     parts = Parts(os.path.join(folder, "*.csv"), ["x", "y"])
    ...     [part.table().read(0, 1)["y"].tolist() for part in parts]
    [[0.0], [2.0], [4.0]]

    Nothing is read before a fit needs it.  Sums over the rows depend on the files and on nothing else.

    Args:
        paths: a folder, of which the files with a known suffix are meant; a pattern as of `glob`; or a list of paths.
        columns: the names wanted, or a function that picks them from those in the first file; by default all.
        keep: the function of a table and of bytes of memory that leaves out rows and tells how many.
        memory: as for `Table`, for each file.
        options: drop_missing, sep, decimal, thousands, header, comment, blank and text as of `read_table`.

    Raises InputValueError where no file is meant, and as `read_table`.
    """

    def __init__(
        self, paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], columns: Iterable[str] | Pick | None = None, *,
        keep: Callable[[Table, int], tuple[Table, int]] | None = None, memory: int = MEMORY, **options: Any,
    ) -> None:  # fmt: skip
        self.paths = os.fspath(paths) if isinstance(paths, (str, os.PathLike)) else [os.fspath(p) for p in paths]
        self.pick = columns if callable(columns) else picking(columns)
        self.keep, self.memory, self.options = keep, memory, options

    def __iter__(self) -> Iterator[Part]:
        """How to read each file."""
        return iter(self.looked_at([look(path, self.options) for path in expand(self.paths)]))

    def looked_at(self, found: list[Part]) -> list[Part]:
        """The parts out of what `look` says of each file; their columns are those of the first."""
        names = tuple(dict.fromkeys(self.pick(list(found[0].names))))
        for part in found:
            if missing := [name for name in names if name not in part.names]:
                raise InputValueError(
                    f"{part.path} has no column {missing[0]!r}, which {found[0].path} has; its columns are "
                    f"{listed([*map(repr, part.names)], SHOWN)}: give files of one table"
                )
        return [replace(part, names=names, options=self.options, keep=self.keep) for part in found]


def is_many(path: str) -> bool:
    """Whether a path typed by somebody means many files: a folder, or a pattern that is not itself the name of a file."""
    return os.path.isdir(path) or (any(mark in path for mark in "*?[") and not os.path.exists(path))


def expand(paths: str | list[str]) -> list[str]:
    """The files meant, in order."""
    if isinstance(paths, list):
        found, what = paths, "the list of files"
    elif os.path.isdir(paths):
        found, what = sorted(os.path.join(paths, name) for name in os.listdir(paths) if _known(name)), f"the folder {paths}"
    else:
        found, what = sorted(p for p in glob.glob(paths, recursive=True) if os.path.isfile(p)), f"the pattern {paths!r}"
    if not found:
        raise InputValueError(f"{what} has no file in it: give a folder of tables, or a pattern such as 'data/*.parquet'")
    return found


def _known(name: str) -> bool:
    stem, suffix = os.path.splitext(name.lower())
    return not name.startswith((".", "_")) and (stem if suffix in PACKED else name.lower()).endswith(SUFFIXES)


def look(path: str, options: Mapping[str, Any]) -> Part:
    """What a file says before its rows are read: its columns, and how many rows a Parquet file has."""
    from . import read_head

    if path == "-":
        raise InputTypeError("standard input cannot be read twice, as many files are: give the names of files")
    state = os.stat(path)
    names, rows = read_head(path, **options)
    return Part(path, state.st_size, state.st_mtime_ns, tuple(names), rows)
