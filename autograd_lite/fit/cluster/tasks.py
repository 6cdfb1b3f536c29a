"""Tasks on a Dask cluster, and questions to its workers: waited for so that Ctrl-C is heard, Dask's errors as ours."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from ...errors import AutogradError, ClusterError, InputTypeError, InputValueError, MissingPackageError
from ...interrupt import no_pause
from ...tree import an

POLL, LOOK = 0.2, 2.0  # seconds between two looks at the keyboard, and at the workers
Client = Any  # of `distributed`, which has no types
WAIT = 300.0  # seconds without any worker until that is an error


class Tasks:
    """What runs on the workers of a client; their keys are nobody else's.

    Args:
        client: a `distributed.Client`.
        wait: seconds without any worker until that is an error.
        note: called with what there is to know while it waits.
    """

    def __init__(self, client: Client, wait: float, note: Callable[[str], None]) -> None:
        self.client, self.wait, self.note = client, wait, note
        self.id, self.turn = uuid.uuid4().hex[:12], itertools.count()
        self.address = client.scheduler.address if client.scheduler else "?"

    def workers(self, pause: Callable[[], None]) -> list[dict[str, Any]]:
        """What is known of each worker, as soon as there is one."""
        for turn in itertools.count():
            with self.translated():
                if found := self.client.scheduler_info(n_workers=-1)["workers"]:
                    return list(found.values())
            if not turn:
                began = self._waits()
            if time.monotonic() - began >= self.wait:
                raise self.alone(self.wait)
            self.rest(pause)
        raise AssertionError

    def ask_workers(
        self, function: Callable[..., Any], pause: Callable[[], None], *args: object, stop: Callable[..., Any] | None = None
    ) -> dict[str, Any]:  # fmt: skip
        """What a function gives on each worker, beside the scheduler's tasks; one that dies over it says nothing.

        Args:
            stop: what to run on the workers when it is not waited for any more, with the first argument.
        """
        while True:
            found: list[Any] = []
            ended = threading.Event()

            def ask(found: list[Any] = found, ended: threading.Event = ended) -> None:
                try:
                    found.append(self.client.run(function, *args, on_error="return"))
                except BaseException as raised:
                    found.append(raised)
                ended.set()

            threading.Thread(target=ask, daemon=True).start()
            try:
                self._until(ended, pause)
            except BaseException:
                if stop is not None:
                    with suppress(Exception):
                        self.client.run(stop, args[0], on_error="ignore")
                raise
            with self.translated():
                if isinstance(found[0], BaseException):
                    raise found[0]
                for error in found[0].values():
                    if isinstance(error, BaseException) and not isinstance(error, OSError):
                        raise error
            answers = {address: got for address, got in found[0].items() if not isinstance(got, OSError)}
            if answers:
                return answers
            self.rest(pause)
            self.workers(pause)

    def rest(self, pause: Callable[[], None]) -> None:
        """A moment, in which the scheduler may notice who has gone."""
        pause()
        time.sleep(POLL)

    def alone(self, seconds: float) -> ClusterError:
        """The error for a scheduler without workers."""
        return ClusterError(
            f"the scheduler at {self.address} has had no worker for {seconds:.0f} seconds: start one, dask worker "
            f"{self.address}, and run again; the log of the last one says why it left"
        )

    def mapped(self, function: Callable[..., object], what: str, items: Sequence[object], *args: object) -> list[Any]:
        """A task for each item, all in one message."""
        keys = [f"autograd_lite-{self.id}-{function.__name__}-{what}-{i}" for i in range(len(items))]
        with self.translated():
            return list(self.client.map(function, items, *([arg] * len(items) for arg in args), key=keys, pure=False))

    def gathered(self, futures: Sequence[Any], pause: Callable[[], None]) -> list[Any]:
        """What the tasks give, which are then let go of."""
        try:
            self.waited(futures, pause)
            with self.translated():
                return list(self.client.gather(futures))
        finally:
            release(futures)

    def waited(self, futures: Sequence[Any], pause: Callable[[], None], said: Callable[[int, int], None] | None = None) -> None:
        """Until all have ended; distributed.wait would ask the default client, and keep the futures alive in its errors."""
        ended, finished = threading.Event(), itertools.count(1)
        pending = [future for future in futures if not future.done()]

        def one(_: object) -> None:
            if next(finished) == len(pending):
                ended.set()

        for future in pending:
            future.add_done_callback(one)
        try:
            if pending:
                self._until(ended, pause, lambda: said and said(sum(f.done() for f in futures), len(futures)))
        except BaseException:
            with suppress(Exception):
                self.client.cancel(futures)
            raise
        for future in futures:
            if future.status == "error":
                with self.translated():
                    error, trace = future.exception(), future.traceback()
                    raise error.with_traceback(trace)
            if future.status == "cancelled":  # "lost" with the worker that had it, it is computed again
                raise self.gone(future.status)

    def _until(self, ended: threading.Event, pause: Callable[[], None], look: Callable[[], object] = no_pause) -> None:
        """Wait for it, with an eye on the keyboard, the scheduler, and whether there are workers."""
        without, looked = 0.0, time.monotonic()
        while not ended.wait(POLL):
            look()
            if self.client.status not in ("running", "connecting"):
                raise self.gone(self.client.status)
            if (now := time.monotonic()) - looked >= LOOK:
                with self.translated():
                    there, before = self.client.nthreads(), without
                without = 0.0 if there else without + now - looked
                if without and not before:
                    self._waits()
                looked = now
            if without >= self.wait:
                raise self.alone(without)
            pause()

    def _waits(self) -> float:
        """Say so; since when."""
        self.note(f"the scheduler at {self.address} has no worker: waiting for one, {self.wait:.0f} seconds at most")
        return time.monotonic()

    def gone(self, why: object) -> ClusterError:
        """The error for a scheduler that does not answer."""
        return ClusterError(f"the scheduler at {self.address} is gone ({why}): start one, and the workers, and run again")

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Dask's errors as ours; what the loss or a cell raised on a worker is raised as it is."""
        from concurrent.futures import CancelledError

        from distributed.comm.core import CommClosedError

        try:
            yield
        except (AutogradError, TimeoutError):
            raise
        except (CommClosedError, CancelledError, OSError) as error:
            raise self.gone(type(error).__name__) from error
        except RuntimeError as error:
            if "deserialization of the task graph" not in str(error):
                raise
            raise ClusterError(
                f"the scheduler at {self.address} cannot unpack what it is sent ({error.__cause__ or error}): it needs "
                "autograd_lite too, of the same version"
            ) from error


def release(futures: Sequence[Any]) -> None:
    """Let go of what futures hold."""
    for future in futures:
        with suppress(Exception):
            future.release()


def client_of(client: Client) -> Client:
    """The client given, or that of the surroundings.

    Raises MissingPackageError without Dask, InputValueError where there is none, InputTypeError for anything else.
    """
    try:
        import distributed
    except ImportError as error:
        raise MissingPackageError("a cluster needs Dask: pip install 'autograd-lite[cluster]'") from error
    if client is None:
        try:
            return distributed.get_client()
        except ValueError:
            raise InputValueError("there is no Dask client: connect one, client=Client('tcp://scheduler:8786')") from None
    if not isinstance(client, distributed.Client):
        raise InputTypeError(f"client={client!r} is {an(client)}: give a distributed.Client")
    if client.status in ("closing", "closed"):
        raise InputValueError("client= is closed: connect one anew, Client('tcp://scheduler:8786')")
    return client
