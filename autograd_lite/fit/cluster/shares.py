"""What runs on the workers of a cluster: shares of the rows, and the work on them.

What travels is the recipe of a share, never its numbers.  Needs `distributed`.
"""

from __future__ import annotations

import asyncio
import ctypes
import platform
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any, NamedTuple

from ...arrays import np
from ...errors import AutogradError, ClusterError, InputValueError, MissingPackageError
from ...files import JsonData
from ...tables.parts import Part, look
from ..rows import BLOCK, Column, Columns, Data, Rows, Work
from ..rows.pairs import Pairs, Subtotal
from ..rows.words import coded

Read = tuple[Rows | None, int, int]
Found = tuple[list[Subtotal[Any]], list[tuple[int, list[Subtotal[Any]]]]]  # of whole files; of blocks of a file, by its number


class Kind(NamedTuple):
    """What decides the last bits of a sum."""

    autograd_lite: str
    llvm: str
    vector: str
    libc: str


def kind() -> Kind:
    """Of this process."""
    try:
        binding = import_module("llvmlite.binding")

        from ...compiler.llvm.native import host

        llvm, machine = ".".join(map(str, binding.llvm_version_info)), host()
        vector = f"{machine.width} doubles, {'libmvec' if machine.vector else 'no libmvec'}"
    except (ImportError, AutogradError):
        llvm, vector = "none", "none"
    version = import_module(__name__.partition(".")[0]).__version__
    return Kind(version, llvm, vector, " ".join(platform.libc_ver()))


def unlike(found: Kind, wanted: Kind) -> str:
    """How one kind differs from another, in words."""
    pairs = zip(Kind._fields, found, wanted, strict=True)
    return "; ".join(f"has {name} {a}, and the others {b}" for name, a, b in pairs if a != b)


class Span(NamedTuple):
    """Blocks of one part: how to read them, or for a partition of a collection their columns."""

    number: int  # of the part
    first: int  # the number of the first block
    whole: bool
    part: Part | None
    columns: dict[Any, Any] | None = None

    def read(self, memory: int) -> Read:
        """The rows, None where there are none, and how many were left out."""
        if self.part is None:
            return (Rows(self.columns) if self.columns and len(next(iter(self.columns.values()))) else None), 0, 0
        with _reading(self.part.path):
            table = self.part.table(memory)
        return (Rows(table) if table.rows else None), table.dropped, table.left


@contextmanager
def _reading(path: str) -> Iterator[None]:
    """Say which worker cannot read a file."""
    try:
        yield
    except OSError as error:
        why = error.strerror or error
        raise ClusterError(f"worker {_worker()} cannot read {path} ({why}): give paths that every worker sees") from None
    except MissingPackageError as error:
        raise ClusterError(f"worker {_worker()}: {error}, on every worker") from None


class Elsewhere(Rows):
    """Stands for all the rows where work is unpacked: how one of them reaches the loss, and how many they are."""

    threads = 1  # as of `ClusterRows`

    def __init__(self, names: list[str], count: int) -> None:
        self.names, self.count = names, count


class Share:
    """Some neighbouring blocks of rows, read when they are first needed, on whichever worker that is."""

    def __init__(self, wanted: Kind | None, spans: Sequence[Span], memory: int) -> None:
        self._rows: list[Read] | None = None
        self.wanted, self.spans, self.memory = wanted, list(spans), memory
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[object, ...]:
        return Share, (self.wanted, self.spans, self.memory)

    def __del__(self) -> None:
        if self._rows is not None:
            self._rows = None
            returned()

    def __sizeof__(self) -> int:
        """Bytes of numbers in memory, by which Dask decides what to move and what to give up."""
        read = [rows for rows, _, _ in self._rows or () if rows is not None]
        return 1000 + sum([int(getattr(rows.source, "held", 8 * rows.count * len(rows.names or ()))) for rows in read])

    def rows(self) -> list[Read]:
        """The rows of each span, and how many were left out."""
        with self._lock:
            if self._rows is None:
                if self.wanted is not None and (found := kind()) != self.wanted:
                    raise ClusterError(f"worker {_worker()} {unlike(found, self.wanted)}: install the same on all")
                self._rows = [span.read(self.memory // len(self.spans)) for span in self.spans]
                returned()
            return self._rows

    def total(self, work: Work[Any], leaves: Sequence[float]) -> Found | None:
        """What the work finds in each block, added up as far as the blocks here allow; None where it was stopped."""
        files: Pairs[Any] | None = None
        loose: list[tuple[int, list[Subtotal[Any]]]] = []
        for span, (rows, _, _) in zip(self.spans, self.rows(), strict=True):
            blocks: Pairs[Any] = Pairs(work.both, span.first)
            for block in rows.blocks() if rows is not None else ():
                if _at.stopped():
                    return None
                blocks.leaf(work.leaf(leaves, block))
            if span.whole:
                files = Pairs(work.both, span.number) if files is None else files
                files.leaf(blocks.root())
            else:
                loose.append((span.number, blocks.nodes))
        return (files.nodes if files is not None else []), loose


def returned() -> None:
    """Give the system back what reading and compiling have used and left, which allocators keep for the next time."""
    with suppress(ImportError):
        import_module("pyarrow").default_memory_pool().release_unused()
    with suppress(OSError, AttributeError, TypeError):  # of glibc alone
        ctypes.CDLL(None).malloc_trim(0)


def merged(found: Iterable[Found], both: Callable[[Any, Any], Any]) -> Any:
    """All that the shares found, added up in the order of the rows."""
    wholes: list[Subtotal[Any]] = []
    loose: dict[int, list[Subtotal[Any]]] = {}
    for files, blocks in found:
        wholes += files
        for number, nodes in blocks:
            loose.setdefault(number, []).extend(nodes)
    wholes += [(0, number, Pairs(both).take(nodes).root()) for number, nodes in loose.items()]
    return Pairs(both).take(wholes).root()


KEPT = 16  # works that a process remembers


class _At(threading.local):
    """The worker that a thread works for, and whether what it does is not waited for any more."""

    address = "?"

    @staticmethod
    def stopped() -> bool:
        return False


_at = _At()
_one_at_a_time = threading.Lock()
_works: dict[str, tuple[Work[Any], list[bool]]] = {}  # by the digest of what travelled; and whether each is compiled
_stopped: set[str] = set()  # passes that nobody waits for


async def asked(
    turn: str, wanted: dict[str, int], function: Callable[..., object], args: tuple[object, ...], dask_worker: Any = None
) -> dict[int, object]:  # fmt: skip
    """What a function finds in those of the shares wanted that are here, by their numbers.

    It runs in the worker's threads, beside its tasks: the scheduler has nothing to keep account of.

    Args:
        turn: what `stop` knows it by.
        wanted: the numbers of shares by their keys.
        function, args: it is called with a share and these; None is what it could not find.
        dask_worker: filled in by Dask.
    """
    data, threads = dask_worker.data, dask_worker.executors["default"]

    def one(key: str, share: Share) -> object:
        _at.address, _at.stopped = dask_worker.address, lambda: turn in _stopped or key not in data  # type: ignore[method-assign]
        try:
            return function(share, *args)
        except OSError as error:  # which would say that the worker is gone
            raise ClusterError(f"worker {_at.address}: {type(error).__name__}: {error}") from None

    begun: dict[int, Any] = {}
    with suppress(RuntimeError):  # of a worker that is leaving, whose threads take nothing any more
        for key in filter(data.__contains__, wanted):
            begun[wanted[key]] = asyncio.get_running_loop().run_in_executor(threads, one, key, data[key])
    try:
        found = await asyncio.gather(*begun.values())
    finally:
        _stopped.discard(turn)
    return {number: got for number, got in zip(begun, found, strict=True) if got is not None}


def stop(turn: str) -> None:
    """Leave a pass that nobody waits for any more."""
    _stopped.add(turn)


def hold(recipe: tuple[Kind | None, Sequence[Span], int]) -> Share:
    """A share with its rows read."""
    share = Share(*recipe)
    share.rows()
    return share


def hold_frames(
    wanted: Kind | None, memory: int, names: list[str], levels: dict[str, list[str]], first: int, *frames: Data
) -> Share:  # fmt: skip
    """A share of neighbouring partitions of a collection, from number `first` on."""
    spans = [Span(first + i, 0, True, None, _part(frame, names, levels, first + i)) for i, frame in enumerate(frames)]
    return hold((wanted, spans, memory))


def total(share: Share, name: str, code: bytes | None, leaves: list[float]) -> Found | None:
    """What some work finds in a share.

    Args:
        name, code: of the work, the digest of what travels and that itself; None where it has come here before.
    """
    import pickle

    first = next((rows for rows, _, _ in share.rows() if rows is not None), None)
    with _one_at_a_time:  # unpacked and compiled once in a process
        known = _works.pop(name, None)
        if known is None:
            if code is None:
                return None
            try:
                known = pickle.loads(code), []  # by the same pickle that brought the question itself
            except ImportError as error:
                raise ClusterError(
                    f"worker {_worker()} cannot unpack the loss ({error}): send the file that it is defined in, "
                    "client.upload_file('loss.py'), or define it where you call minimize"
                ) from None
        _works[name] = known
        while len(_works) > KEPT:
            del _works[next(iter(_works))]
        work, compiled = known
        if first is not None and not compiled:
            work.leaf(leaves, first.read(0, min(first.count, BLOCK)))
            compiled.append(True)
            returned()
    return share.total(work, leaves)


def counts(share: Share) -> list[tuple[int, int, int, int, int]]:
    """Of each span: the numbers of its part and first block, its rows, and how many were left out."""
    pairs = zip(share.spans, share.rows(), strict=True)
    return [(s.number, s.first, 0 if rows is None else rows.count, dropped, left) for s, (rows, dropped, left) in pairs]


def picked(share: Share, wanted: dict[tuple[int, int], list[tuple[int, int]]]) -> list[tuple[int, int, Columns]]:
    """Rows from one number up to another, of spans named by the numbers of their part and first block."""
    found = []
    for span, (rows, _, _) in zip(share.spans, share.rows(), strict=True):
        ranges = wanted.get((span.number, span.first))
        if ranges and rows is not None:
            found.append((span.number, span.first, rows.take(ranges)))
    return found


def frame_words(names: list[str], number: int, frame: Data) -> dict[str, list[str]]:
    """The words in some columns of a partition, in the order they come."""
    try:
        return coded(frame, names)[1]
    except InputValueError as error:
        raise InputValueError(f"partition {number} {error}") from None


def _part(frame: Data, names: list[str], levels: dict[str, list[str]], number: int) -> dict[str, Column]:
    """A partition as columns of doubles, words as their places: a DataFrame, or the records of a bag."""
    found = {}
    for name in names:
        if name in levels:
            found[name] = np.array(coded(frame, [name], levels)[0][name])
            continue
        cells = frame[name] if hasattr(frame, "columns") else [record[name] for record in frame]
        try:
            numbers = np.asarray(
                cells.to_numpy(dtype=float, na_value=np.nan) if hasattr(cells, "to_numpy") else cells, dtype=float
            )
        except (TypeError, ValueError):
            row, cell = next((i, x) for i, x in enumerate(cells) if not _is_number(x))
            cell = f"partition {number} row {row + 1}, column {name!r}: {cell!r}"
            raise InputValueError(f'{cell} is not a number; a formula has words as is(column, "text") or a[column]') from None
        if not np.isfinite(numbers).all():
            row = int(np.argmin(np.isfinite(numbers)))
            cell = f"partition {number} row {row + 1}, column {name!r}: {numbers[row]}"
            raise InputValueError(f"{cell} is not a finite number; leave such rows out, frame.dropna(), or fill them in")
        found[name] = np.ascontiguousarray(numbers)
    return found


def _is_number(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True


def heads(paths: list[str], options: dict[str, JsonData]) -> list[Part]:
    """What some files say before their rows are read."""
    found = []
    for path in paths:
        with _reading(path):
            found.append(look(path, options))
    return found


def words(parts: Sequence[Part], memory: int) -> list[dict[str, list[str]]]:
    """The words of each of some files, in the order they come."""
    return [dict(part.table(memory).levels) for part in parts]


def probe_of() -> Callable[[], Any]:
    """A function that tells the kind of a worker; it travels as a whole, for workers on which this package is missing."""

    def probe() -> Any:
        try:
            import numpy  # noqa: F401

            from autograd_lite.fit.cluster.shares import kind

            return tuple(kind())
        except ImportError as error:
            return f"{type(error).__name__}: {error}"

    return probe


def _worker() -> str:
    """Of the worker that this thread works for."""
    from distributed import get_worker

    try:
        return str(get_worker().address)
    except ValueError:
        return _at.address
