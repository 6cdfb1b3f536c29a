"""Verdicts: an engine's derivative beside a numerical one, the rows of a report and its text.  Imports `errors`."""

from __future__ import annotations

import math
from math import inf, isfinite, nan
from typing import NamedTuple

from ..errors import GradientCheckError
from ..numerical.derivative import Derivative

__all__ = ["Report", "Row"]

PASS, WEAK, INCONCLUSIVE, FAIL = "pass", "weak", "inconclusive", "fail"
SAFETY = 2.0  # a difference is real beyond so many times the numerical error
STRONG = 100.0  # a numerical derivative that knows its value to so many times rtol can pass another
DIGITS = 0.01  # and one that does not know two digits of it can say nothing
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


class Verdict(NamedTuple):
    """What to think of an engine's derivative, and why."""

    verdict: str
    relative: float
    hint: str


def judge(engine: float, found: Derivative, rtol: float) -> Verdict:
    """Whether a derivative agrees with a numerical one, at whatever kind of place it is."""
    if found.kind == "not finite":
        return _judge_not_finite(engine, found)
    if engine != engine and found.kind != "jump":
        return Verdict(FAIL, nan, f"nan, though f is finite and its slope is {_either(found)}")
    if found.kind == "jump":
        return _judge_jump(engine, found, rtol)
    if found.kind in ("kink", "cusp"):
        return _judge_kink(engine, found, rtol)
    if math.isinf(found.value):
        if engine == found.value:
            return Verdict(PASS, 0.0, "")
        return Verdict(FAIL, inf, f"f rises vertically here: its slope grows to {found.value:g}")
    if found.kind == "plateau":
        return _judge_plateau(engine, found, rtol)
    return _judge_number(engine, found.value, found.error, found.size, rtol)


def _judge_number(engine: float, value: float, error: float, size: float, rtol: float) -> Verdict:
    if engine != engine:
        return Verdict(FAIL, nan, f"nan, though the slope of f is {value:g}")
    if not isfinite(error):
        return Verdict(INCONCLUSIVE, nan, "the values of f settle on no slope")
    if math.isinf(engine):
        return Verdict(FAIL, inf, f"infinite, though the slope of f is {value:g}")
    largest = max(abs(engine), abs(value))
    difference = abs(engine - value)
    relative = difference / largest if largest else 0.0
    if difference > SAFETY * error + rtol * largest:
        return Verdict(FAIL, relative, ratio_hint(engine, value, error))
    if error <= STRONG * rtol * largest:
        return Verdict(PASS, relative, "")
    if 0.0 in (engine, value) and largest <= error <= STRONG * rtol * size:
        if engine == 0.0:
            return Verdict(PASS, relative, "")
        return Verdict(WEAK, relative, "too small for the values of f to tell from 0")
    if error <= DIGITS * largest:
        return Verdict(WEAK, relative, f"agrees, but f's values give only {-math.log10(error / largest):.1f} digits")
    if error <= STRONG * rtol * size:
        return Verdict(WEAK, relative, "too small for the values of f to tell from 0")
    return Verdict(INCONCLUSIVE, relative, "f is too noisy here: its values do not give two digits of the slope")


def _judge_kink(engine: float, found: Derivative, rtol: float) -> Verdict:
    low, high = sorted((found.left, found.right))
    if not (isfinite(found.left_error) and isfinite(found.right_error)) or low != low or high != high:
        return Verdict(INCONCLUSIVE, nan, "f bends here, and the slopes of its two sides cannot be told")
    slack = SAFETY * (found.left_error + found.right_error) + rtol * max(
        (abs(s) for s in (low, high) if isfinite(s)), default=0.0
    )
    if low - slack <= engine <= high + slack:
        return Verdict(PASS, 0.0, "")
    nearest = low if engine < low else high
    beyond = abs(engine - nearest) / max(abs(engine), abs(nearest)) if isfinite(engine) else inf
    return Verdict(FAIL, beyond, f"at a kink the derivative must lie between the slopes {low:g} and {high:g}")


def _judge_jump(engine: float, found: Derivative, rtol: float) -> Verdict:
    if engine != engine:
        return Verdict(WEAK, nan, "f jumps here and has no derivative; nan says so")
    for slope, error in ((found.left, found.left_error), (found.right, found.right_error)):
        if isfinite(error) and _judge_number(engine, slope, error, found.size, rtol).verdict in (PASS, WEAK):
            return Verdict(WEAK, nan, "f jumps here and has no derivative; this is its slope beside the jump")
    if not any(map(isfinite, (found.left_error, found.right_error))):
        return Verdict(INCONCLUSIVE, nan, "f jumps here and has no derivative")
    return Verdict(FAIL, nan, f"f jumps here, and beside the jump its slopes are {found.left:g} and {found.right:g}")


def _judge_plateau(engine: float, found: Derivative, rtol: float) -> Verdict:
    if engine == 0.0:
        return Verdict(
            WEAK, nan, f"f is flat in steps, like a rounded function, and rises by {found.value:g} over many of them"
        )
    verdict = _judge_number(engine, found.value, found.error, found.size, rtol)
    if verdict.verdict == FAIL:
        return verdict
    return verdict._replace(
        verdict=WEAK, hint="f is flat in steps, like a rounded function: this is its slope over many of them"
    )


def _judge_not_finite(engine: float, found: Derivative) -> Verdict:
    if found.at != found.at:
        if engine != engine:
            return Verdict(PASS, 0.0, "nan, as the value is")
        return Verdict(FAIL, nan, "what is differenced is nan here, so the derivative must be nan")
    what = "infinite here" if math.isinf(found.at) else "finite here, but nowhere beside"
    return Verdict(INCONCLUSIVE, nan, f"what is differenced is {what}: its values say nothing about a derivative")


def _either(found: Derivative) -> str:
    if found.value == found.value:
        return f"{found.value:g}"
    return f"{found.left:g} on the left, {found.right:g} on the right"


def ratio_hint(engine: float, value: float, error: float) -> str:
    """What usually makes a derivative wrong by this factor."""
    if value == 0.0 or abs(value) <= SAFETY * error:
        return "the slope is 0 within the numerical error" if engine else ""
    ratio = engine / value
    near = 1e-3 + 2.0 * error / abs(value)
    if abs(ratio) <= near:
        return "0 in place of it: an edge is missing"
    for factor, text in (
        (-1.0, "the sign is wrong"),
        (2.0, "twice too large: counted twice"),
        (0.5, "halved: a term is missing"),
    ):
        if abs(ratio - factor) <= near * abs(factor):
            return f"ratio {factor:g}: {text}"
    return f"off by a factor of {ratio:.9g}"


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

    def raise_if_failed(self) -> Report:
        """This report, or GradientCheckError with its text where a derivative is wrong or could not be checked."""
        if not self.ok:
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
        rows = self.rows
        if len(rows) > SHOWN:
            severity = (FAIL, INCONCLUSIVE, WEAK, PASS)
            rows = sorted(rows, key=lambda row: severity.index(row.verdict))[:SHOWN]
        head = ("derivative", "mode", "engine", "numeric", "kind", "left", "right", "rel. error", "verdict", "hint")
        cells = [head] + [
            (
                f"d{_power(row.order)} {row.output}/{row.input}", row.mode, f"{row.engine + 0.0:.10g}",
                _estimate(row), row.kind, f"{row.left + 0.0:.6g}",
                f"{row.right + 0.0:.6g}", f"{row.relative:.1e}" if row.relative == row.relative else "-", row.verdict, row.hint,
            )
            for row in rows
        ]  # fmt: skip
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells]
        lines.insert(0, self._summary())
        if len(rows) < len(self.rows):
            lines.append(f"... and {len(self.rows) - len(rows)} more, none of them worse")
        return "\n".join(lines + ([self.blame] if self.blame else []))


def _power(order: int) -> str:
    return "" if order == 1 else "²"


def _estimate(row: Row) -> str:
    return f"{row.numeric + 0.0:.10g} ± {row.error:.1g}" if row.numeric == row.numeric else "none"
