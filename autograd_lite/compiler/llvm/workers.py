"""Threads that share the rows of a batch, which wait for work until the process ends; and work that no signal disturbs.

An interruption may come in anywhere.  So nobody waits for memory to be free: what a piece of work needs is kept by the work
itself until the last thread has let go of it.  Nor is there a lock that is held for longer than a call of C.
"""

from __future__ import annotations

import os
import threading
from _thread import LockType, allocate_lock, stack_size, start_new_thread
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

STACK = 1 << 24  # bytes: what LLVM may need, and more than new threads have on some systems

T = TypeVar("T")


class _Piece:
    """A call that some thread may take."""

    def __init__(self, work: Callable[[int], None], number: int) -> None:
        self.work, self.number = work, number
        self.taken, self.ended = allocate_lock(), allocate_lock()
        self.ended.acquire()
        self.error: BaseException | None = None

    def run(self) -> None:
        """Do the work, unless somebody has taken it."""
        if self.taken.acquire(blocking=False):
            try:
                self.work(self.number)
            except BaseException as error:
                self.error = error
            finally:
                self.ended.release()


class _Threads:
    """The threads of this process and the queue they take from."""

    def __init__(self) -> None:
        self.queue: SimpleQueue[_Piece] = SimpleQueue()
        self.count = 0

    def at_least(self, count: int) -> None:
        """Start what is missing, or as many as there may be."""
        try:
            while self.count < count:
                start_new_thread(_serve, (self.queue,))
                self.count += 1
        except RuntimeError:
            return


def _serve(queue: SimpleQueue[_Piece]) -> None:
    while True:
        queue.get().run()


_threads = _Threads()


def _forget_threads() -> None:
    """A forked process has none of the threads."""
    global _threads  # noqa: PLW0603
    _threads = _Threads()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


def share(work: Callable[[int], None], count: int, stop: Callable[[], object]) -> None:
    """Call ``work(0)`` here and ``work(1)`` to ``work(count - 1)`` in threads that are free before that ends.

    Where it is interrupted it calls `stop`, by which the others end soon, and does not wait for them.

    Raises what a piece of work has raised.
    """
    pieces = [_Piece(work, number) for number in range(1, count)]
    try:
        _threads.at_least(len(pieces))
        for piece in pieces:
            _threads.queue.put(piece)
        work(0)
        for piece in pieces:
            if not piece.taken.acquire(blocking=False):
                _wait_for(piece.ended)
    except BaseException:
        stop()
        raise
    for piece in pieces:
        if piece.error is not None:
            raise piece.error


def undisturbed(work: Callable[[], T]) -> T:
    """What `work` gives or raises, done by a thread of its own: Python runs signal handlers in the main thread alone.

    So Ctrl-C interrupts the waiting, at once, and never the work, which goes on by itself and is forgotten.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    ended, found = allocate_lock(), _Outcome()
    ended.acquire()

    def run() -> None:
        try:
            found.result = work()
        except BaseException as error:
            found.error = error
        finally:
            ended.release()

    before = stack_size(STACK)
    try:
        start_new_thread(run, ())
    except RuntimeError:  # there are as many as there may be
        return work()
    finally:
        stack_size(before)
    _wait_for(ended)
    try:
        if found.error is not None:
            raise found.error
        result: T = found.result
        return result
    finally:
        found.error = None  # whose traceback holds it


def _wait_for(lock: LockType) -> None:
    """Acquire a lock; a signal that comes just before the waiting begins ends it only when that is looked at again."""
    while not lock.acquire(timeout=0.1):
        pass


class _Outcome:
    """What work has given or raised."""

    result: Any = None
    error: BaseException | None = None
