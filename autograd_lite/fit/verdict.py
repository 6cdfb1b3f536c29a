"""Whether a fit can be trusted: what is to be said of how it ended, and what counts as converged."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..arrays import Mask
from ..errors import listed
from .ending import Fit, related
from .losses import LOSSES

CANCEL = 0.9999  # a correlation from which on two weights are one
LITTLE = 1e-12  # R² that is none
ENDED = {
    "exact": "the residuals are zero to rounding",
    "orthogonal": "the gradient is zero to rounding",
    "settled": "the step left is below the digits that mean something",
    "steps": "the limit of steps is reached; give more with --steps, or a start with --init",
    "stopped": "it was stopped",
    "stuck": "no further step makes the loss smaller, though its gradient is not zero: start elsewhere with --init",
    "saddle": "the gradient vanishes where the loss curves down: start elsewhere with --init",
    "unmoved": "no step from the start makes the loss smaller: start elsewhere with --init",
    "scale": "the scale estimated from the residuals does not settle; give one with --scale",
}
KINKED = {
    "orthogonal": "no direction lowers the loss",
    "stuck": "no further step makes the loss smaller, though it is not known to be the least: start elsewhere with --init",
}


def judge(
    found: Fit, why: str, sure: bool, names: Sequence[str], lost: Mask, free: Mask, rows: int, weighed: bool = False
) -> None:  # fmt: skip
    """Say how it ended, and whether that counts as converged.

    Args:
        found: the fit, with its summary.
        why: a key of `ENDED`.
        sure: whether the method's own test holds.
        names: the weights that were free to move.
        lost, free: for each whether the rows do not determine it, and whether it is at no bound.
        rows: how many there were.
    """
    words = {**ENDED, **(KINKED if found.model.kind == "mae" else {})}
    total = found.summary
    problems = [] if sure else [words[why]]
    if rows < len(names):
        counted = "1 row is" if rows == 1 else f"{rows} rows are"
        problems.append(f"{counted} fewer than {len(names)} weights: give more rows, or hold weights with --fix")
    elif rows == 1:
        problems.append("one row says nothing of how good a formula is: give more rows")
    missing = [n for n, x in zip(names, lost, strict=True) if x]
    if missing:
        what = "take it out, or hold it" if len(missing) == 1 else "take one of them out, or hold it"
        problems.append(f"the rows do not determine {listed(missing, 9)}: other values fit as well; {what} with --fix")
    held = [n for n, x in zip(names, free, strict=True) if not x]
    if held:
        places = listed([f"{n} = {found.params[n]:g}" for n in held], 9)
        problems.append(
            f"at a bound: {places}, beyond which the loss would fall; widen --bounds, or hold it there with --fix"
        )  # fmt: skip
    if not all(map(math.isfinite, found.params.values())):
        problems.append("a weight is not finite")
    if total is not None:
        problems += _useless(found)
    found.converged = not problems
    found.reason = "; ".join(problems) if problems else words[why]
    found.notes += _remarks(found, why, names)


def doubt(found: Fit, names: Sequence[str], alone: int) -> None:
    """Say that only one of so many starts came to this minimum; where two weights all but cancel there, that is no answer."""
    if not alone:
        return
    advice = "there may be a better one: --starts tries more, --init says where to begin"
    said = f"of {alone} starts only one came to this minimum: {advice}"
    pairs = related(names, found.correlation)
    if found.converged and pairs and abs(pairs[0][2]) > CANCEL:
        found.converged, found.reason = False, f"{said}; {pairs[0][0]} and {pairs[0][1]} all but cancel at this one"
    else:
        found.notes.append(said)


def _useless(found: Fit) -> list[str]:
    """Why a fit that ended well is still of no use: the target does not change, or its mean does as well."""
    total, model = found.summary, found.model
    assert total is not None
    if not math.isfinite(total.r2):
        return ["the target is the same in every row, so that there is nothing to explain"] if total.n > 1 else []
    what = "pseudo R²" if LOSSES[model.kind].kind == "likelihood" else "R²"
    if total.r2 <= LITTLE and model.columns and total.dof > 0 and LOSSES[model.kind].kind != "robust":
        return [f"{what} is {total.r2:.3g}: the mean of the target does as well as the formula; change it, or its start"]
    return []


def _remarks(found: Fit, why: str, names: Sequence[str]) -> list[str]:
    notes = []
    total = found.summary
    if total is not None and total.dof == 0 and LOSSES[found.model.kind].kind == "squares":
        notes.append("as many weights as rows: the formula passes through each of them, and there are no errors to tell")
    if why == "exact" and total is not None and total.dof > 0:
        notes.append("the residuals are zero to rounding, so that the standard errors are rounding too")
    if total is not None and total.r2 <= LITTLE and LOSSES[found.model.kind].kind == "robust":
        notes.append(f"R² is {total.r2:.3g}: by squares, the mean of the target does as well as the formula")
    if total is not None and (math.isinf(total.rss) or (total.rss == 0 and total.sd > 0)):
        notes.append(
            f"the sum of squares, {total.rss:g}, is beyond the range of doubles: the residual standard deviation is not"
        )
    pairs = related(names, found.correlation)
    if pairs:
        shown = [f"{a} and {b} {c:.4f}" for a, b, c in pairs[:6]]
        notes.append("correlated: " + ", ".join(shown) + (f" and {len(pairs) - 6} more" if len(pairs) > 6 else ""))
    return notes
