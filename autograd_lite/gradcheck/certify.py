"""What a replay in high precision says of a derivative that the values of f leave open."""

from __future__ import annotations

from collections.abc import Callable

from ..value import Value
from .replay import ALLOWANCE, Forms, NoReplayError, Replay
from .report import Row
from .rounding import Rounding
from .subject import CheckedFunction
from .verdict import FAIL, PASS, WEAK, ratio_hint

CERTAIN = 1e-13  # relative agreement with a replay in high precision

Certify = Callable[[Row], Row]


def replay_of(subject: CheckedFunction, k: int, forms: Forms | None) -> tuple[Replay | None, str]:
    """The replay of output k, or why there is none."""
    if forms is None:
        return None, ""
    inputs = [Value(x) for x in subject.point]
    out = subject.out(k, inputs)
    if not isinstance(out, Value):
        return None, "not certified: the result is a plain number and has no graph"
    try:
        return Replay(out, inputs, forms), ""
    except NoReplayError as error:
        return None, f"not certified: {error}"


def certifier(replay: Replay | None, reason: str, rtol: float, rounding: Rounding) -> Certify:
    """What gives a row its verdict from a replay, where there is one and it has a say."""

    def certify(row: Row) -> Row:
        if row.kind in ("kink", "jump", "cusp") or (replay is None and not reason):
            return row
        why = reason
        if replay is not None:
            try:
                exact, moved = replay.derivative(*rounding.directions)
            except NoReplayError as error:
                why = f"not certified: {error}"
            else:
                return _certified(row, exact, moved, rtol, rounding)
        return row._replace(hint=f"{row.hint}; {why}" if row.hint else why)

    return certify


def _certified(row: Row, exact: float, moved: float, rtol: float, rounding: Rounding) -> Row:
    difference = abs(row.engine - exact)
    largest = max(abs(row.engine), abs(exact))
    row = row._replace(numeric=exact, error=moved, relative=difference / largest if largest else 0.0)
    if row.engine == exact or difference <= max(CERTAIN * abs(exact), 5e-324):
        return row._replace(verdict=PASS, hint="certified")
    if largest <= rounding.slack:
        return row._replace(verdict=PASS, hint=f"certified up to the rounding of terms of size {rounding.size:.2g}")
    if difference <= max(ALLOWANCE * moved, rounding.slack):  # the graph is right, but how f is written spoils the number
        if difference <= rtol * largest:
            return row._replace(verdict=PASS, hint=f"certified up to f's own rounding, {difference / largest:.0e}")
        return row._replace(
            verdict=WEAK, hint=f"every op is right, but rounding in f spoils the result by {difference / largest:.0e}"
        )
    return row._replace(verdict=FAIL, hint=ratio_hint(row.engine, exact, moved))
