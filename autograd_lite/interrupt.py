"""Ctrl-C in long work: it waits for the end of a step, or of a picture, so that nothing is half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(KeyboardInterrupt):
    """A first Ctrl-C, which has waited for a place where work may be left."""


def no_pause() -> None:
    """What to call where nothing interrupts."""


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], None]]:
    """While inside, Ctrl-C waits for the function given out, which raises `Interrupted`; a second one does not wait.

    One that has come after the last call of that function is raised at the end.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) != signal.default_int_handler
    ):
        yield no_pause
        return
    asked = told = False

    def remember(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    def pause() -> None:
        nonlocal told
        if asked:
            told = True
            raise Interrupted

    try:
        signal.signal(signal.SIGINT, remember)
        yield pause
    except BaseException:
        told = True  # whatever is on its way ends the work
        raise
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if asked and not told:
            raise KeyboardInterrupt


def is_interrupted(pause: Callable[[], None]) -> bool:
    """Whether Ctrl-C has come."""
    try:
        pause()
    except KeyboardInterrupt:
        return True
    return False
