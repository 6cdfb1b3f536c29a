"""How far a run is: one line on a terminal, rewritten in place, and nothing anywhere else."""

from __future__ import annotations

import sys
from time import monotonic
from typing import TextIO

WIDTH = 30
PAUSE = 0.1  # seconds between two drawings


class Bar:
    """The line ``[#####-----] 500/1000  loss 12.34``, drawn ten times a second at most, if the stream is a terminal."""

    def __init__(self, steps: int, stream: TextIO | None = None, what: str = "") -> None:
        self.what = what
        self.steps, self.stream = steps, sys.stderr if stream is None else stream
        self.alive = bool(getattr(self.stream, "isatty", bool)())
        self.drawn, self.last = False, -PAUSE

    def update(self, step: int, loss: float) -> None:
        """Draw the line anew, if it is time."""
        if self.alive and (now := monotonic()) - self.last >= PAUSE:
            done = WIDTH * step // max(1, self.steps)
            line = f"\r\x1b[K[{'#' * done}{'-' * (WIDTH - done)}] {step}/{self.steps}  loss {loss:.6g}"
            self.stream.write(line)
            self.stream.flush()
            self.drawn, self.last = True, now

    def count(self, done: int, of: int) -> None:
        """Draw how many are done, if it is time."""
        if self.alive and (now := monotonic()) - self.last >= PAUSE:
            self.stream.write(f"\r\x1b[K{done}/{of} {self.what}")
            self.stream.flush()
            self.drawn, self.last = True, now

    def clear(self) -> None:
        """Take the line away, before something else is written or at the end."""
        if self.drawn:
            self.stream.write("\r\x1b[K")
            self.stream.flush()
            self.drawn, self.last = False, -PAUSE
