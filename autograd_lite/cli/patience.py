"""Work that comes in parts, of which the rest is refused where it would take too long."""

from __future__ import annotations

from time import monotonic

from ..errors import InputValueError

LONGEST = 30.0  # seconds that the rest of some work may take
NOTED = 0.5  # seconds from which on a part foretells the next


class Patience:
    """How long parts take, and what that says of those to come."""

    def __init__(self) -> None:
        self.before = 0.0
        self.last = monotonic()

    def growing(self, what: str, repair: str) -> None:
        """After a part, of those that take ever longer: raise InputValueError where the next would take too long."""
        took = self._part()
        foretold = took * min(10.0, took / self.before if self.before else 4.0)
        self.before = took
        self._refuse(foretold if took > NOTED else 0.0, what, repair)

    def equal(self, left: int, what: str, repair: str) -> None:
        """After a part, of those that take equally long: raise where those that are left would take too long."""
        took = self._part()
        self._refuse(took * left if took > NOTED else 0.0, what, repair)

    def _part(self) -> float:
        now, before = monotonic(), self.last
        self.last = now
        return now - before

    def _refuse(self, seconds: float, what: str, repair: str) -> None:
        if seconds > LONGEST:
            raise InputValueError(f"{what} would take about {seconds:.0f} s, more than {LONGEST:.0f}: {repair}")
