"""Ctrl-C in a fit: it waits for the end of a step, so that there is something to print."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def no_pause() -> None:
    """What to call where nothing interrupts."""


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], None]]:
    """While inside, Ctrl-C waits for the function given out, which raises KeyboardInterrupt; a second one does not wait."""
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) != signal.default_int_handler
    ):
        yield no_pause
        return
    asked = False

    def remember(number: int, frame: Any) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    def pause() -> None:
        if asked:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, remember)
    try:
        yield pause
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
