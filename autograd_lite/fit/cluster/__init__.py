"""The rows of a fit on the workers of a Dask cluster: each holds some of the files, and adds up over them in each pass.

`shares` is what runs there, `tasks` how it is asked.

Dask moves, restarts and frees; nothing here listens, connects or starts a process.  What travels is a `Share`, the recipe of
some rows and never their numbers, and the `Work` to be done on blocks of them.  Rows are read by tasks of Dask's, and in a pass
each worker is asked once for what it holds.  Who adds up what does not matter, since `pairs` fixes the order.  Needs the extra
`cluster`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from hashlib import blake2b
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ...errors import ClusterError, InputTypeError
from ...interrupt import no_pause
from ...tables.parts import Part, Parts, absolute, expand, names_files
from ...tree import Tree, an
from ..rows import BLOCK, AnyRows, Columns, Data, Rows, Work
from ..rows.data import is_collection
from .shares import (
    Elsewhere,
    Kind,
    Span,
    asked,
    counts,
    frame_words,
    heads,
    hold,
    hold_frames,
    kind,
    merged,
    picked,
    probe_of,
    stop,
    total,
    unlike,
    words,
)
from .tasks import WAIT, Tasks, client_of, release

if TYPE_CHECKING:
    from .tasks import Client

SHARES = 2  # for each thread of the cluster, so that what a lost worker held is taken over by several
TRIES, ROUNDS = 3, 20  # of reading the rows, and of a pass, before workers that die over them are an error
HUNGRY = "most likely they want memory; give them more, or start more of them"
ROOM = 0.6  # of a worker's memory: what may be taken until Dask begins to give up what workers hold
FIXED, LEAST = 2**28, 1 / 16  # bytes of it that are not for numbers; the part that is.  Others are in temporary files
HEADS = 64  # files that are looked at in one task
HEAD = 64  # rows that work is tried with where the fit runs


class ClusterRows(AnyRows):
    """The rows on the workers of a client: what `Rows` is for rows in this process.

    Args:
        data: `tables.Parts`, or a Dask DataFrame or bag of dicts.
        client: a `distributed.Client`; None is the one of the surroundings.
        mixed: whether workers whose sums differ in their last bits may share the work.
        wait: seconds without any worker until that is an error.
        text: the columns of a collection that hold words.
        said: called with how many of the shares are read, while they are.
        note: called with what there is to know, which is else kept in `notes`.

    Several fits may go over the same rows; `close` frees the workers' memory.  `threads` is 1, as of a share: a worker has as
    many at work as it has threads.
    """

    names: list[str]

    def __init__(
        self, data: Data, client: Client = None, *, mixed: bool = False, wait: float = WAIT,
        text: Sequence[str] = (), pause: Callable[[], None] = no_pause, said: Callable[[int, int], None] | None = None,
        note: Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        self.notes: list[str] = []
        self.tasks = Tasks(client_of(client), wait, note or self.notes.append)
        self.kind = self._same_kind(mixed, self.tasks.ask_workers(probe_of(), pause))
        workers = self.tasks.workers(pause)
        threads = sum(worker["nthreads"] for worker in workers)
        limits = [(worker["memory_limit"] or 2**33, max(1, worker["nthreads"])) for worker in workers]
        room = min(max(ROOM * limit - FIXED, LEAST * limit) / count for limit, count in limits)
        self._memory, self._most = int(room / SHARES), threads * SHARES
        self._generation, self._shares = 0, list[Any]()
        self._sent: tuple[Any, str, bytes] = (None, "", b"")
        self.names = []
        self._head: Columns = []
        self.levels: dict[str, list[str]] = {}  # of columns of words, the word behind each number
        self._read: Callable[[], list[Any]]
        self._read = self._files(data, pause) if isinstance(data, Parts) else self._collection(data, text, pause)
        with self._interrupted():
            self._held(pause, said)
            places = sorted(span for some in self._asked(counts, ()) for span in some)
        self._places = places
        self.count, self.dropped, self.left = (sum(span[i] for span in places) for i in (2, 3, 4))
        self.refuse_none()

    def __enter__(self) -> ClusterRows:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[object, ...]:
        """In work that travels, what it needs to know of the rows."""
        return Elsewhere, (self.names, self.count)

    def close(self) -> None:
        """Free the workers' memory, at once."""
        release(self._shares)
        self._shares, self._generation = [], self._generation + 1

    # -- what a fit asks of rows ------------------------------------------------------------------------------------------

    def total(self, work: Work[Any], leaves: Sequence[float], pause: Callable[[], None] = no_pause) -> Any:
        new = self._sent[0] is not work
        if new:
            if len(leaves):
                work.leaf(leaves, self._first())  # here, where an error names the line of the loss
            code = packed(work)
            self._sent = work, blake2b(code, digest_size=16).hexdigest(), code
        _, name, code = self._sent
        at = list(map(float, leaves))
        return merged(self._asked(total, (name, code if new else None, at), pause, (name, code, at)), work.both)

    def take(self, ranges: Sequence[tuple[int, int]]) -> Columns:
        """In one task a share."""
        import numpy as np

        wanted: dict[tuple[int, int], list[tuple[int, int]]] = {}
        at = 0
        for number, first, count, *_ in self._places:
            pieces = [(max(a, at) - at, min(b, at + count) - at) for a, b in ranges if max(a, at) < min(b, at + count)]
            if pieces:
                wanted[number, first] = pieces
            at += count
        found = [item for items in self._asked(picked, (wanted,)) for item in items]
        blocks = [columns for _, _, columns in sorted(found, key=lambda item: item[:2])]
        return [np.concatenate([np.asarray(block[i]) for block in blocks]) for i in range(len(self.names))]

    def _first(self) -> Columns:
        """Some rows, taken once."""
        if not self._head:
            self._head = self.read(0, min(self.count, HEAD))
        return self._head

    # -- who holds what ---------------------------------------------------------------------------------------------------

    def _same_kind(self, mixed: bool, found: dict[str, Any]) -> Kind | None:
        """The kind of all workers, out of what each says; None where they may differ."""
        for address, got in found.items():
            if isinstance(got, str):
                raise ClusterError(
                    f"worker {address} cannot import autograd_lite ({got}): install it on every worker, autograd-lite[cluster]"
                )
            if got[0] != (own := kind().autograd_lite):
                what = f"worker {address} has autograd_lite {got[0]}"
                raise ClusterError(f"{what}, and this process {own}: install the same on all")
        by_kind: dict[Kind, list[str]] = {}
        for address, got in sorted(found.items()):
            by_kind.setdefault(Kind(*got), []).append(address)
        usual = max(by_kind, key=lambda k: (len(by_kind[k]), k.llvm != "none", k))
        for got, addresses in by_kind.items():
            if got == usual:
                continue
            what = f"worker {addresses[0]} {unlike(got, usual)}"
            if not mixed:
                raise ClusterError(
                    f"{what}: sums would differ in their last bits by who makes them; install the same on all, or accept that "
                    "with mixed=True (--mixed)"
                )
            self.tasks.note(f"{what}: the last bits depend on who adds up what")
        return None if mixed else usual

    def _files(self, data: Parts, pause: Callable[[], None]) -> Callable[[], list[Any]]:
        (paths,) = self.tasks.gathered(self.tasks.mapped(expand, "names", [absolute(data.paths)]), pause)
        groups = [paths[i : i + HEADS] for i in range(0, len(paths), HEADS)]
        seen = self.tasks.gathered(self.tasks.mapped(heads, "looks", groups, data.options), pause)
        parts = data.looked_at([part for some in seen for part in some])
        self.names = list(parts[0].names)
        if parts[0].levels:  # the words of all files, in their order, before anybody takes them for numbers
            groups = [parts[i : i + HEADS] for i in range(0, len(parts), HEADS)]
            told = self.tasks.gathered(self.tasks.mapped(words, "words", groups, self._memory), pause)
            for name in parts[0].levels:
                self.levels[name] = list(dict.fromkeys(w for some in told for one in some for w in one[name]))
            parts = [replace(part, levels=self.levels) for part in parts]
        shares = list(_even_groups([span for i, part in enumerate(parts) for span in _blocks(i, part)], self._most))

        def read() -> list[Any]:
            generation, recipes = f"share{self._generation}", [(self.kind, _sewn(spans), self._memory) for spans in shares]
            return self.tasks.mapped(hold, generation, recipes)

        return read

    def _collection(self, data: Data, text: Sequence[str], pause: Callable[[], None]) -> Callable[[], list[Any]]:
        delayed = import_module("dask").delayed

        partitions = data.to_delayed()
        if hasattr(data, "columns"):
            self.names = list(data.columns)
        else:
            first = data.take(1, npartitions=-1, warn=False)
            if not first or not isinstance(first[0], dict):
                raise InputTypeError(
                    "a bag must hold dicts of numbers, one for each row: give it as a DataFrame, bag.to_dataframe()"
                )
            self.names = list(first[0])
        if text:
            asked = [delayed(frame_words, pure=False)(list(text), number, part) for number, part in enumerate(partitions)]
            told = self.tasks.gathered(self.tasks.client.compute(asked), pause)
            self.levels = {name: list(dict.fromkeys(w for one in told for w in one[name])) for name in text}
        size = -(-len(partitions) // self._most)
        starts = range(0, len(partitions), size)

        def read() -> list[Any]:
            held = [
                delayed(hold_frames, pure=False)(
                    self.kind, self._memory, self.names, self.levels, start, *partitions[start : start + size],
                    dask_key_name=f"autograd_lite-{self.tasks.id}-share{self._generation}-{start}",
                )
                for start in starts
            ]  # fmt: skip
            return list(self.tasks.client.compute(held))

        return read

    # -- what is asked of the workers -------------------------------------------------------------------------------------

    def _held(self, pause: Callable[[], None], said: Callable[[int, int], None] | None = None) -> list[Any]:
        """The shares, each in the memory of a worker.  Dask gives one up once some workers died with it: all are made anew."""
        from distributed import KilledWorker

        for _ in range(TRIES):
            try:
                self._shares = self._shares or self._read()
                self.tasks.waited(self._shares, pause, said)
                return self._shares
            except BaseException as error:
                self.close()
                if not isinstance(error, KilledWorker):
                    raise
                last = error
        raise ClusterError(
            f"workers died {TRIES} times over the same rows, the last was {last.last_worker.address}: {HUNGRY}"
        ) from last

    def _asked(
        self,
        function: Callable[..., Tree],
        args: tuple[object, ...],
        pause: Callable[[], None] = no_pause,
        later: tuple[object, ...] | None = None,
    ) -> list[Any]:
        """What a function of a share, and more, finds in all of them.

        Each worker is asked once, for those it holds.  What went with a worker is read by others, who are asked then, with what
        is for those that come `later`.
        """
        turn, found = f"{self.tasks.id}-{next(self.tasks.turn)}", dict[int, Any]()
        for _ in range(ROUNDS):
            shares = self._held(pause)
            wanted = {share.key: i for i, share in enumerate(shares) if i not in found}
            for got in self.tasks.ask_workers(asked, pause, turn, wanted, function, args, stop=stop).values():
                found |= got
            if len(found) == len(shares):
                return list(found.values())
            args = args if later is None else later
            self.tasks.rest(pause)
        raise ClusterError(f"workers were lost {ROUNDS} times in one pass: {HUNGRY}")

    @contextmanager
    def _interrupted(self) -> Iterator[None]:
        """Whatever ends the reading of the rows frees what was read."""
        try:
            yield
        except BaseException:
            self.close()
            raise


def _blocks(number: int, part: Part) -> Iterator[tuple[Span, int]]:
    """The spans that a part may be cut into, with about how many rows: blocks of a long Parquet file, else all of it."""
    if part.rows is None or part.rows <= BLOCK or part.keep is not None or part.options.get("drop_missing"):
        yield Span(number, 0, True, part), part.size // (8 * len(part.names)) if part.rows is None else part.rows
        return
    for start in range(0, part.rows, BLOCK):
        stop = min(start + BLOCK, part.rows)
        yield Span(number, start // BLOCK, False, replace(part, start=start, stop=stop)), stop - start


def _even_groups(units: Sequence[tuple[Span, int]], most: int) -> Iterator[list[Span]]:
    """Neighbours together, at most so many groups, each with about as many rows."""
    total, before = sum(weight for _, weight in units) or 1, 0
    groups: dict[int, list[Span]] = {}
    for span, weight in units:
        groups.setdefault(min(most - 1, most * (2 * before + weight) // (2 * total)), []).append(span)
        before += weight
    yield from groups.values()


def _sewn(spans: Sequence[Span]) -> list[Span]:
    """Blocks of one file that follow one another, as one span."""
    found: list[Span] = []
    for span in spans:
        last = found[-1] if found else None
        if last is not None and last.number == span.number and last.part is not None and span.part is not None:
            part = replace(last.part, stop=span.part.stop)
            found[-1] = last._replace(part=part, whole=part.whole)
        else:
            found.append(span)
    return found


@contextmanager
def rows_of(data: Data, client: Client = None, pause: Callable[[], None] = no_pause, **options: Any) -> Iterator[Any]:
    """The rows of some data: on a cluster where a client is given or the data is a Dask collection, else in this process.

    Args:
        data: what `Rows` and `ClusterRows` take, and names of files: a folder, a pattern, or a list of paths.
        options: of `ClusterRows`.
    """
    data = Parts(data) if names_files(data) else data
    if isinstance(data, (Rows, ClusterRows)):
        yield data
    elif client is None and not is_collection(data):
        yield Rows.of(data)
    elif isinstance(data, Parts) or is_collection(data):
        with ClusterRows(data, client, pause=pause, **options) as rows:
            yield rows
    else:
        raise InputTypeError(
            f"data is {an(data)}, which is in this process, and client= is a cluster: give names of files that its workers "
            "see, Parts('data/*.parquet'), or a Dask DataFrame"
        )


def packed(work: Work[Any]) -> bytes:
    """What travels to the workers; a loss typed in a notebook travels as a whole."""
    cloudpickle = import_module("cloudpickle")
    try:
        return bytes(cloudpickle.dumps(work))
    except Exception as error:
        raise InputTypeError(
            f"the loss cannot be sent to workers ({error}): define it in a module that they have, or without what it holds"
        ) from error
