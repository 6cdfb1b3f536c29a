"""What `fit` does where it does not go down by descent: bounds and rows as typed, and the method's run with its checkpoint."""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from itertools import compress
from typing import Any

from .. import ops
from ..compiler import jit
from ..errors import InputValueError, listed
from ..files import read_json, write_atomically
from ..fit.ending import Fit
from ..fit.interrupt import deferred_interrupt, is_interrupted
from ..fit.model import Model
from ..fit.rows import Rows
from ..fit.solve import Solver
from ..fit.trust import State
from ..formula.expression import Expression
from ..tables import Table
from ..tables.choice import SHOWN
from ..tables.table import CELLS, numpy
from .common import parted, read_number
from .descent import OPTIMIZERS
from .output import say

METHODS = ("auto", "lm", "newton", *OPTIMIZERS)
FORMAT, VERSION = "autograd_lite.steps", 1


@dataclass
class Options:
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


def kept_rows(table: Table, condition: Expression, memory: int) -> tuple[Table, int]:
    """The rows in which a formula of columns is neither 0 nor nan, and how many others there were.

    Words that no row is left of are taken from the levels of their column.
    """
    for name in condition.names:
        column, word = condition.indicators.get(name, (name, None))
        if column not in table.names:
            raise InputValueError(f"--where names {column!r}, which is no column: name columns only")
        if word is not None and word not in table.levels[column]:
            raise InputValueError(f"--where {condition}: no row of {column} is {word!r}; {had(word, table.levels[column])}")
    places: dict[str, dict[float, float]] = {name: {} for name in table.levels}

    def value_of(row: Mapping[str, Any]) -> Any:
        given = {n: row[n] for n in condition.names if n not in condition.indicators}
        for spelled, (column, word) in condition.indicators.items():
            given[spelled] = ops.eq(row[column], float(table.levels[column].index(word)))
        return condition(given)

    fast = None if numpy() is None else jit(value_of, batch=0, backend="numpy")

    def kept(block: Mapping[str, Any]) -> list[bool]:
        count = len(next(iter(block.values())))
        if fast is None:
            rows = zip(*(column.tolist() for column in block.values()), strict=True)
            found = [float(value_of(dict(zip(block, row, strict=True)))) for row in rows]
        else:
            np = numpy()
            found = np.broadcast_to(np.asarray(fast({n: np.asarray(c) for n, c in block.items()}), dtype=float), count).tolist()
        return [x == x and x != 0.0 for x in found]

    def blocks() -> Iterator[list[Any]]:
        for start in range(0, table.rows, CELLS):
            block = table.read(start, min(start + CELLS, table.rows))
            marks = kept(block)
            columns = []
            for name, column in block.items():
                chosen = array("d", compress(column, marks))
                if (own := places.get(name)) is not None:
                    chosen = array("d", [own.setdefault(place, float(len(own))) for place in chosen])
                columns.append(chosen)
            yield columns

    found = Table(table.names, blocks(), memory=memory)
    if not found.rows:
        raise InputValueError(f"--where {condition} keeps no row of {table.rows}: give a condition that some fulfil")
    found.header, found.notes = table.header, table.notes
    found.levels = {name: [table.levels[name][int(place)] for place in own] for name, own in places.items()}
    return found, table.rows - found.rows


def had(word: str, words: Sequence[str]) -> str:
    """The words that there are, and the one that may be meant."""
    near = get_close_matches(word, words, 1)
    repair = f": did you mean {near[0]!r}?" if near else ""
    return f"they are {listed([repr(w) for w in words], SHOWN)}{repair}"


def by_method(model: Model, table: Table, options: Options) -> Fit:
    """The fit by least squares or Newton's method, going on from its checkpoint if there is one."""
    if options.method == "lm" and model.kind != "mse":
        raise InputValueError(f"--method lm is for sums of squares, --loss mse, and not for {model.kind}: try --method newton")
    settings = {
        "formula": model.formula.text, "target": model.target, "loss": model.kind,
        "start": options.start, "fixed": options.fixed,
        "levels": model.levels, "group": model.group, "scale": model.scale, "sigma": model.sigma, "weights": model.weighting,
        "bounds": {n: [repr(x) for x in b] for n, b in options.bounds.items()}, "seed": options.seed,
        "data": Rows(table).fingerprint() if options.checkpoint else "",
    }  # fmt: skip
    state = None
    if options.checkpoint and os.path.exists(options.checkpoint):
        content = read_json(options.checkpoint, FORMAT, VERSION, "a checkpoint of such a fit")
        if content.get("settings") != settings:
            raise InputValueError(
                f"checkpoint={options.checkpoint!r} belongs to another fit: go on as it was begun, or remove the file"
            )
        state = State(**content["state"])

    interrupted = False

    def watch(now: State) -> bool:
        if options.every and len(now.losses) % options.every == 0:
            say(f"step {len(now.losses)}: {', '.join(f'{x:.6g}' for x in now.x)}", aside=True)
        if options.checkpoint:
            content = {"format": FORMAT, "version": VERSION, "settings": settings, "state": asdict(now)}
            write_atomically(options.checkpoint, json.dumps(content, allow_nan=False) + "\n")
        return False

    def step(now: State) -> bool:
        nonlocal interrupted
        interrupted = interrupted or is_interrupted(pause)
        return watch(now) or interrupted

    solver = Solver(
        model, table, given=options.start, bounds=options.bounds, fixed=options.fixed, seed=options.seed, starts=options.starts,
        limit=1000 if options.steps is None else options.steps, known=options.absolute, watch=step, state=state,
    )  # fmt: skip
    with deferred_interrupt() as pause:
        found = solver.run()
        interrupted = interrupted or is_interrupted(pause)
    if interrupted:
        found.converged, found.reason = False, "interrupted"
    return found
