"""`Parts`: many files that are one table, each read by whoever adds up its rows."""

from __future__ import annotations

import glob
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import InputTypeError, InputValueError, listed
from ..files import JsonData
from .choice import SHOWN, Pick, selector
from .table import CELLS, MEMORY, Table

SUFFIXES = (".parquet", ".pq", ".feather", ".csv", ".tsv", ".txt", ".xlsx")
PACKED = (".gz", ".bz2", ".xz", ".zip")


@dataclass(frozen=True)
class Part:
    """How to read one file, or some rows of a Parquet file: a recipe, which travels in place of the numbers.

    Attributes:
        path: the file.
        size, changed: its bytes and the time of its last change; a file that is no longer so is refused.
        names: the columns, of which those in `levels` hold words, with the words known.
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
    levels: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether all the file's rows are meant."""
        return self.start == 0 and self.stop in (None, self.rows)

    def table(self, memory: int = MEMORY) -> Table:
        """The numbers, which may be none."""
        from . import read_part

        self.same()
        rows = None if self.stop is None or self.whole else (self.start, self.stop)
        table = read_part(self.path, list(self.names), rows=rows, levels=self.levels, memory=memory, **self.options)
        if self.keep is not None and table.rows:
            with table:
                kept, left = self.keep(table, memory)
            kept.levels, kept.header, kept.notes, kept.dropped, kept.left = (
                table.levels, table.header, table.notes, table.dropped, left,
            )  # fmt: skip
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
        text: names of columns that hold words, over all files one list of them.
        keep: the function of a table and of bytes of memory that leaves out rows and tells how many.
        memory: as for `Table`, over all files.
        options: drop_missing, sep, decimal, thousands, header, comment and blank as of `read_table`.

    Raises InputValueError where no file is meant, and as `read_table`.
    """

    def __init__(
        self, paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], columns: Iterable[str] | Pick | None = None, *,
        text: Iterable[str] = (), keep: Callable[[Table, int], tuple[Table, int]] | None = None, memory: int = MEMORY,
        **options: JsonData,
    ) -> None:  # fmt: skip
        self.paths = os.fspath(paths) if isinstance(paths, (str, os.PathLike)) else [os.fspath(p) for p in paths]
        self.pick = columns if callable(columns) else selector(columns)
        self.text, self.keep, self.memory, self.options = tuple(text), keep, memory, options

    def __iter__(self) -> Iterator[Part]:
        """How to read each file."""
        return iter(self.looked_at([look(path, self.options) for path in expand(self.paths)]))

    def looked_at(self, found: list[Part]) -> list[Part]:
        """The parts out of what `look` says of each file; their columns are those of the first."""
        names = tuple(dict.fromkeys(self.pick(list(found[0].names))))
        for i, part in enumerate(found):
            if missing := [name for name in names if name not in part.names]:
                what, its = f"{part.path} has no column {missing[0]!r}", listed([*map(repr, part.names)], SHOWN)
                if not i:
                    raise InputValueError(f"{what}; its columns are {its}: choose one of them")
                raise InputValueError(f"{what}, which {found[0].path} has; its columns are {its}: give files of one table")
        levels: dict[str, list[str]] = {name: [] for name in self.text if name in names}
        return [replace(part, names=names, options=self.options, keep=self.keep, levels=levels) for part in found]


class Joined(Table):
    """The rows of many files, one after the other, as one table; `ends` has the number of rows up to the end of each file.

    >>> import tempfile, os
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for i, word in enumerate("aba"):
    ...         with open(os.path.join(folder, f"{i}.csv"), "w") as file:
    ...             _ = file.write(f"x,site\\n{i},{word}\\n")
    ...     table = Joined(Parts(folder, text=["site"]))
    >>> {name: column.tolist() for name, column in table.read(0, 3).items()}, table.levels, table.ends
    ({'x': [0.0, 1.0, 2.0], 'site': [0.0, 1.0, 0.0]}, {'site': ['a', 'b']}, [1, 2, 3])
    """

    def __init__(self, parts: Parts) -> None:
        ends: list[int] = []
        found = list(parts)
        dropped, left, notes, header = 0, 0, dict[str, None](), list[str]()
        levels = found[0].levels

        def blocks() -> Iterator[list[Any]]:
            nonlocal dropped, left, header, levels
            for part in found:
                with replace(part, levels=levels).table(parts.memory // 2) as table:
                    dropped, left, levels = dropped + table.dropped, left + table.left, table.levels
                    header = header or table.header
                    notes.update(dict.fromkeys(table.notes))
                    ends.append(table.rows + (ends[-1] if ends else 0))
                    for start in range(0, table.rows, CELLS):
                        block = table.read(start, min(start + CELLS, table.rows))
                        yield [array("d", block[name].tobytes()) for name in found[0].names]

        super().__init__(found[0].names, blocks(), memory=parts.memory)
        self.dropped, self.left, self.notes, self.header, self.ends = dropped, left, list(notes), header, ends
        self.levels = {name: list(words) for name, words in levels.items()}
        if not self.rows:
            self.close()
            raise InputValueError(f"the {len(found)} files have no row that counts: give at least one")


def names_files(data: object) -> bool:
    """Whether it is a path, a pattern, or a list of paths."""
    paths = data if isinstance(data, list) and data else [data]
    return all(isinstance(path, (str, os.PathLike)) for path in paths)


def is_many(path: str) -> bool:
    """Whether a path typed by somebody means many files: a folder, or a pattern that is not itself the name of a file."""
    return os.path.isdir(path) or (any(mark in path for mark in "*?[") and not os.path.exists(path))


def absolute(paths: str | list[str]) -> str | list[str]:
    """A folder, a pattern or a list of files by names that hold in every folder.

    >>> absolute(["-", "/data/a.csv"])
    ['-', '/data/a.csv']
    """
    if isinstance(paths, str):
        return os.path.abspath(paths)
    return [path if path == "-" else os.path.abspath(path) for path in paths]


def expand(paths: str | list[str]) -> list[str]:
    """The files meant, in order."""
    if isinstance(paths, list):
        found, what = paths, "the list of files"
        if "-" in paths:
            raise InputTypeError("standard input cannot be read twice, or by workers, as files are: give the names of files")
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


def look(path: str, options: Mapping[str, JsonData]) -> Part:
    """What a file says before its rows are read: its columns, and how many rows a Parquet file has."""
    from . import read_head

    state = os.stat(path)
    names, rows = read_head(path, **options)
    return Part(path, state.st_size, state.st_mtime_ns, tuple(names), rows)
