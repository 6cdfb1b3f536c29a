"""What `fit` does where it does not go down by descent: bounds and rows as typed, and the method's run with its checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import InputValueError
from ..fit.ending import Fit
from ..fit.methods.trust import State
from ..fit.model import Model
from ..fit.rows import Rows
from ..fit.solve import METHODS as SOLVERS
from ..fit.solve import Solver
from ..fit.steps.checkpoint import load_steps, save_steps
from ..interrupt import deferred_interrupt, is_interrupted
from ..tables import Table
from .common import parted, read_number
from .descent import OPTIMIZERS
from .output import say

METHODS = (*SOLVERS, *OPTIMIZERS)


@dataclass
class MethodOptions:
    """What the command line says of a method."""

    method: str
    start: dict[str, float]
    bounds: dict[str, tuple[float, float]]
    fixed: dict[str, float]
    seed: int
    starts: int | None
    steps: int | None
    absolute: bool
    checkpoint: str | None
    every: int | None


def read_ranges(pairs: Sequence[str] | None) -> dict[str, tuple[float, float]]:
    """Ranges as typed.

    >>> read_ranges(["k=0:", "p=0:1", "q=:2.5"])
    {'k': (0.0, inf), 'p': (0.0, 1.0), 'q': (-inf, 2.5)}

    Raises InputValueError for anything else.
    """
    found = {}
    for pair in pairs or ():
        name, text = parted(pair)
        low, colon, high = text.partition(":")
        if not colon or not name:
            raise InputValueError(f"--bounds {pair!r} is no range: write NAME=LOW:HIGH, k=0: or p=0:1")
        found[name] = (read_number(low or "-inf", name), read_number(high or "inf", name))
    return found


def by_method(model: Model, table: Table, options: MethodOptions) -> Fit:
    """The fit by least squares or Newton's method, going on from its checkpoint if there is one."""
    settings = {
        "formula": model.formula.text, "target": model.target, "loss": model.kind,
        "start": options.start, "fixed": options.fixed,
        "levels": model.levels, "group": model.group, "scale": model.scale, "sigma": model.sigma, "weights": model.weighting,
        "bounds": {n: [repr(x) for x in b] for n, b in options.bounds.items()}, "seed": options.seed, "method": options.method,
        "data": Rows.of(table).fingerprint() if options.checkpoint else "",
    }  # fmt: skip
    state = load_steps(options.checkpoint, settings) if options.checkpoint else None

    def step(now: State) -> bool:
        if options.every and len(now.losses) % options.every == 0:
            say(f"step {len(now.losses)}: {', '.join(f'{x:.6g}' for x in now.x)}", aside=True)
        if options.checkpoint:
            save_steps(options.checkpoint, settings, now)
        return is_interrupted(pause)

    with deferred_interrupt() as pause:
        found = Solver(
            model, table, given=options.start, bounds=options.bounds, fixed=options.fixed, seed=options.seed,
            starts=options.starts, limit=1000 if options.steps is None else options.steps, known=options.absolute, watch=step,
            state=state, method=options.method, pause=pause,
        ).run()  # fmt: skip
        interrupted = is_interrupted(pause)
    if interrupted:
        found.converged, found.reason = False, "interrupted"
    return found
