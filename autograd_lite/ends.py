"""Where objects end, in ``__del__``: long chains are freed link by link, and Ctrl-C that comes there is not lost."""

from __future__ import annotations

import _thread
import sys
import threading
from typing import Any

# Python frees an object inside of the freeing of what held it.  CPython stops that before the stack is full, but 3.13 counts on
# a stack of eight megabytes, and in WebAssembly there is much less than it counts on.
DEEP = sys.version_info[:2] == (3, 13) or sys.platform in ("emscripten", "wasi")


class _Waiting(threading.local):
    """The operands that this thread has yet to let go of, and whether it is about that."""

    def __init__(self) -> None:
        self.things: list[Any] = []
        self.busy = False


_waiting = _Waiting()


def freed(node: Any) -> None:
    """Let go of the operands of a node, and of theirs, one after the other: as ``__del__`` of a node's class."""
    try:
        a, b = node._a, node._b
    except AttributeError:  # interrupted while it was made
        return
    if a.__class__ is float and b.__class__ is float:
        return
    things = _waiting.things
    things += (a, b)
    if _waiting.busy:
        return
    del a, b
    node._a = node._b = 0.0
    _waiting.busy = True
    try:
        while things:
            things.pop()
    except KeyboardInterrupt:
        interrupt_again()
    finally:
        _waiting.busy = False


def interrupt_again() -> None:
    """Raise KeyboardInterrupt in the main thread a moment later: an exception in ``__del__`` reaches nobody."""
    _thread.start_new_thread(_thread.interrupt_main, ())
