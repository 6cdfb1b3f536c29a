"""The rows of a report and its text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..errors import GradientCheckError
from ..notebook import table
from .verdict import FAIL, INCONCLUSIVE, PASS, WEAK

SHOWN = 40  # rows of a report that are printed


class Row(NamedTuple):
    """One derivative: what the engine says, what the values of f say, and the verdict."""

    order: int
    output: str
    input: str
    mode: str  # by which sweeps the engine got it: "rev", "fwd", "rev, fwd"; "symmetry"; "given"
    engine: float
    numeric: float
    error: float
    kind: str
    left: float
    right: float
    relative: float  # |engine - numeric| / max of the two
    verdict: str  # pass, weak (agrees, to few digits), inconclusive, fail
    hint: str
    evaluations: int


class Report:
    """What a check found: a row for each derivative, and the first op whose own partial is wrong.

    Args:
        rows: the derivatives, orders, outputs and inputs in turn.
        title: what was checked.
        blame: the first wrong op with the source line that made it, or why none can be named; empty where nothing failed.
    """

    def __init__(self, rows: list[Row], title: str, blame: str = "") -> None:
        self.rows = rows
        self.title = title
        self.blame = blame

    @property
    def ok(self) -> bool:
        """Whether every derivative agrees; what could not be checked does not count as agreeing."""
        return all(row.verdict in (PASS, WEAK) for row in self.rows)

    def __bool__(self) -> bool:
        return self.ok

    @property
    def failed(self) -> bool:
        """Whether some derivative is wrong; what could not be checked does not count as wrong."""
        return any(row.verdict == FAIL for row in self.rows)

    def raise_if_failed(self, *, strict: bool = False) -> Report:
        """This report, or GradientCheckError with its text where a derivative is wrong.

        Args:
            strict: raise also where one is "inconclusive", as at points where the function's values cannot show a slope: then
                nothing passes unchecked, and a test over drawn points meets such points sooner or later.
        """
        if self.failed or (strict and not self.ok):
            raise GradientCheckError(str(self))
        return self

    def counts(self) -> dict[str, int]:
        """How many rows got each verdict."""
        count = dict.fromkeys((PASS, WEAK, INCONCLUSIVE, FAIL), 0)
        for row in self.rows:
            count[row.verdict] += 1
        return count

    def __repr__(self) -> str:
        return f"<Report {self._summary()}>"

    def _summary(self) -> str:
        return f"{self.title}: " + (", ".join(f"{n} {v}" for v, n in self.counts().items() if n) or "nothing to check")

    def __str__(self) -> str:
        """The table, worst first where there are too many rows."""
        cells, more = self._cells()
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells]
        return "\n".join([self._summary(), *lines, *more])

    def _repr_html_(self) -> str:
        """The table in a notebook."""
        (head, *rows), more = self._cells()
        return table(head, rows, [self._summary()], more)

    def _cells(self) -> tuple[Sequence[tuple[str, ...]], list[str]]:
        """The table with its head, and what is to be said below it."""
        rows = self.rows
        if len(rows) > SHOWN:
            severity = (FAIL, INCONCLUSIVE, WEAK, PASS)
            rows = sorted(rows, key=lambda row: severity.index(row.verdict))[:SHOWN]
        head = ("derivative", "mode", "engine", "numeric", "kind", "left", "right", "rel. error", "verdict", "hint")
        cells = [head] + [
            (
                f"d{_order_sign(row.order)} {row.output}/{row.input}", row.mode, f"{row.engine + 0.0:.10g}",
                _estimate(row), row.kind, f"{row.left + 0.0:.6g}",
                f"{row.right + 0.0:.6g}", f"{row.relative:.1e}" if row.relative == row.relative else "-", row.verdict, row.hint,
            )
            for row in rows
        ]  # fmt: skip
        more = [f"... and {len(self.rows) - len(rows)} more, none of them worse"] if len(rows) < len(self.rows) else []
        return cells, more + ([self.blame] if self.blame else [])


def _order_sign(order: int) -> str:
    return "" if order == 1 else "²"


def _estimate(row: Row) -> str:
    return f"{row.numeric + 0.0:.10g} ± {row.error:.1g}" if row.numeric == row.numeric else "none"
