"""The caller's line: what messages name as the place in a user's code, and how far up a warning points."""

from __future__ import annotations

import os.path
import sys
from typing import Any


def source_line() -> str:
    """The file and line outside the library that is running now."""
    frame, _ = _caller()
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}" if frame is not None else "unknown line"


def stacklevel() -> int:
    """How far up the line outside the library is from the function that asks: the stacklevel of its warning."""
    return _caller()[1]


def _caller() -> tuple[Any, int]:
    """The innermost frame outside the library, and how far it is above the function that asks for it through another."""
    frame: Any = sys._getframe(2)
    level = 1
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in (__package__, "copy"):
        frame, level = frame.f_back, level + 1
    return frame, level
