"""`minimize`: gradient descent on a loss over data, with stopping, divergence, interruption and going on from a checkpoint."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from itertools import pairwise
from numbers import Integral, Real
from typing import Any

from ..errors import ClusterError, InputTypeError, InputValueError, NonFiniteGradientError
from ..notebook import table
from ..optim import Adam
from ..tables.table import numpy
from ..tree import an, as_float, describe, flatten, is_node, unflatten
from . import checkpoint as checkpoints
from .bar import Bar
from .cluster import rows_of
from .interrupt import deferred_interrupt, is_interrupted, no_pause
from .rows import Objective
from .trail import Trail

ARRAY_FROM = 10  # weights from which an optimizer moves them as one array, rather than one by one
RISES, RISEN = 20, 1e3  # a loss that rose at so many steps in a row, to so many times the first, runs away
LISTED = 20  # weights that a notebook shows
ABOVE, TINY = 1e-9, 1e-18  # what a loss ends above the first, relative and absolute, that may be rounding

Callback = Callable[[int, float, Any], Any]


@dataclass(frozen=True)
class Result:
    """Where a fit ended.

    Attributes:
        params: the weights, in the structure given.
        loss: the loss at `params`, over all the data.
        history: pairs (step, loss): what each step saw before it moved, and at the end (steps, loss).
            ``plot.plot_history`` draws it.
        steps: how many steps were made, earlier runs of a checkpoint included.
        reason: why it ended: "steps", "converged", "stopped" (by the callback), "interrupted" (Ctrl-C) or "diverged".
        path: pairs (step, params), of a long run some hundred.
        objective, data: the loss and the rows, as they were given.
    """

    params: Any
    loss: float
    history: list[tuple[int, float]] = field(repr=False)
    steps: int
    reason: str
    path: list[tuple[int, Any]] = field(default_factory=list, repr=False, compare=False)
    objective: Any = field(default=None, repr=False, compare=False)
    data: Any = field(default=None, repr=False, compare=False)

    def _repr_html_(self) -> str:
        """The weights in a notebook."""
        leaves, _ = flatten(self.params)
        named = isinstance(self.params, dict) and len(self.params) == len(leaves)
        rows = [(str(name), f"{x:.10g}") for name, x in zip(self.params if named else range(len(leaves)), leaves, strict=True)]
        more = [f"… and {len(rows) - LISTED} more"] if len(rows) > LISTED else []
        ended = f"{self.reason} after {self.steps} steps, loss = {self.loss:.8g}"
        return table(("weight", "value"), rows[:LISTED], [ended], more)


def minimize(
    loss: Callable[..., Any],
    params: Any,
    data: Any = None,
    *,
    optimizer: Callable[[list[Any]], Any] = Adam,
    steps: int,
    batch_size: int | None = None,
    tol: float | None = None,
    callback: Callback | None = None,
    progress: bool = False,
    seed: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    every: int | None = None,
    about: Mapping[str, Any] | None = None,
    client: Any = None,
) -> Result:
    """Go downhill on the mean of a loss over the rows of some data, by the gradient at each step.

    ``params <- rule(params, d/dparams mean over rows of loss(params, *row))``

    >>> from functools import partial
    >>> from autograd_lite.optim import SGD
    >>> loss = lambda p, x, y: (p["w"] * x + p["b"] - y) ** 2
    >>> xs, ys = [0.0, 1.0, 2.0], [1.0, 3.0, 5.0]
    >>> found = minimize(loss, {"w": 0.0, "b": 0.0}, (xs, ys), optimizer=partial(SGD, lr=0.3), steps=1000, tol=1e-12)
    >>> found.reason, {name: round(weight, 4) for name, weight in found.params.items()}
    ('converged', {'w': 2.0, 'b': 1.0})

    Args:
        loss: the loss of one row, ``loss(params, *row)``, a scalar.  Without data, the loss itself, ``loss(params)``.
        params: where to start: numbers in any structure that `grad` takes, a module too.
        data: a tuple of columns, each as long as there are rows; a row is one entry of each, a number, or for a column of
            shape (rows, k) a sequence of k.  A dict of columns, a `tables.Table`, `tables.Parts` (many files), or a Dask
            DataFrame, whose row reaches the loss as one dict.
        optimizer: makes the optimizer out of a list of parameters: a class of `optim`, or ``partial(SGD, lr=0.1)``.
        steps: at most so many steps; on a checkpoint, those made before count.
        batch_size: how many rows a step looks at; None is all of them.  A pass over the data takes each row once.
        tol: stop where the loss and the gradient have settled; looked at on all rows, before the first step of each pass.
            With L the loss, M the one looked at before, w_i and g_i a weight and its slope: ``|L - M| <= tol max(|L|, 1)``
            and each ``|g_i| max(|w_i|, 1) <= sqrt(tol) max(|L|, 1)``.  None never stops.
        callback: called at each step with its number from 0, the loss it sees, and the params; true stops the run.
        progress: draw a line that says how far it is, on standard error if that is a terminal.
        seed: decides the order of the rows in mini-batches.
        checkpoint: a file for the state of the run.  If it is there the run goes on from it, to the same bits as if it had
            never ended; other weights, data, settings of the optimizer, batches or another loss are an error, another `tol`
            is not.
        every: steps between two writings of the checkpoint; by default a hundredth of `steps`.
        about: what else must be the same for the checkpoint to be gone on from, under names: text and numbers that tell one
            loss from another, ``{"formula": "w*x + b"}``.
        client: a `distributed.Client`, whose workers read the files of `data` and add up over their rows; for a Dask
            DataFrame by default the one of the surroundings.  The bits are those of one machine.

    Compiled where NumPy and llvmlite are installed and no branch of the loss depends on numbers; else each row is a run of
    `value_and_grad`.  Ctrl-C ends the run after the step at work; a second one at once.  A run is "diverged" at the first
    loss or slope that is not finite, where the loss rose at each of 20 steps to over 1,000 times the first, or where it
    came to that at any step and is after the last one still above the first.
    Raises InputValueError, InputTypeError and StructureError for arguments out of their rules.
    """
    if not callable(loss):
        raise InputTypeError(f"loss={loss!r} is not callable: give a function of the params, and of a row where there is data")
    leaves, spec = flatten(params, "params")
    if any(map(is_node, leaves)):
        raise InputTypeError("params holds Values, which would stay as they are: give their numbers, [v.data for v in params]")
    leaves = [as_float(leaf, "params") for leaf in leaves]
    if not leaves:
        raise InputValueError(f"params={params!r} holds no number: give at least one weight to move")
    steps, seed = _whole("steps", steps, 0), _whole("seed", seed, 0)
    batch_size = None if batch_size is None else _whole("batch_size", batch_size, 1)
    every = max(1, -(-steps // 100)) if every is None else _whole("every", every, 1)
    if tol is not None and not (isinstance(tol, Real) and 0 <= tol < math.inf):
        raise InputValueError(f"tol={tol!r} must be a number from 0 up: 1e-9 is usual, None never stops")
    if data is None and batch_size is not None:
        raise InputValueError(f"batch_size={batch_size} without data: give the rows as data")
    bar = Bar(steps) if progress else None
    with ExitStack() as stack:
        pause = stack.enter_context(deferred_interrupt())
        rows = None if data is None else stack.enter_context(rows_of(data, client, pause))
        if batch_size is not None and not hasattr(rows, "batches"):
            raise InputValueError(f"batch_size={batch_size} on a cluster, where each step takes all rows: leave it out")
        run = _Run(Objective(loss, spec, rows, batch_size), leaves, spec, optimizer, batch_size, seed, dict(about or {}))
        if checkpoint is not None:
            run.resume(checkpoint, steps, pause)
        try:
            reason = run.descend(steps, tol, callback, bar, (checkpoint, every), pause)
        except ClusterError as error:
            if checkpoint is not None and not run.moving:
                checkpoints.save(checkpoint, run.settings, run.state())
                error.add_note(f"{len(run.losses)} steps are in {os.fspath(checkpoint)}: a run with that checkpoint goes on.")
            raise
        if checkpoint is not None:
            checkpoints.save(checkpoint, run.settings, run.state())
        history = list(enumerate(run.losses))
        value = run.seen[0] if run.seen else run.objective.whole(run.leaves(), no_pause)[0]
        if reason in ("steps", "converged") and (not math.isfinite(value) or run.rose(value)):
            reason = "diverged"
        if is_interrupted(pause):  # after the last step
            reason = "interrupted"
    path = [(step, unflatten(spec, x)) for step, x in run.trail.ended(len(history), run.leaves())]
    return Result(run.tree(), value, [*history, (len(history), value)], len(history), reason, path, loss, data)


class _Weight:
    """A parameter as optimizers know it: one weight, or an array of all."""

    def __init__(self, data: Any) -> None:
        self.data, self.grad = data, None


class _Run:
    """The state of a fit, and how it moves; between two steps it is always whole."""

    def __init__(
        self, objective: Objective, leaves: list[float], spec: Any, optimizer: Any, batch_size: int | None, seed: int,
        about: dict[str, Any],
    ) -> None:  # fmt: skip
        self.objective, self.spec, self.batch_size, self.seed, self.about = objective, spec, batch_size, seed, about
        self.losses: list[float] = []
        self.previous: float | None = None
        self.seen: tuple[float, list[float]] | None = None  # loss over all data and slopes at the weights as they are
        self.moving = False
        self.start = leaves
        self.trail = Trail()
        np = numpy()
        self._np = np if np is not None and len(leaves) >= ARRAY_FROM else None
        self.weights = [_Weight(leaf) for leaf in leaves] if self._np is None else [_Weight(self._np.array(leaves))]
        try:
            self.optimizer = optimizer(self.weights)
        except InputTypeError:
            raise
        except TypeError as error:
            raise InputTypeError(
                f"optimizer={optimizer!r} must be a function of the weights alone ({error}): give partial(SGD, lr=0.1)"
            ) from error
        if not (hasattr(self.optimizer, "step") and hasattr(self.optimizer, "state_dict")):
            raise InputTypeError(
                f"optimizer={optimizer!r} made {an(self.optimizer)}: give a class of optim, or partial(SGD, lr=0.1)"
            )
        self._made = {k: v for k, v in self.optimizer.state_dict().items() if k not in ("step", "state")}
        self.rows = objective.rows

    @property
    def turn(self) -> int:
        """Steps in one pass over the data."""
        return 1 if self.rows is None or self.batch_size is None else -(-self.rows.count // self.batch_size)

    def leaves(self) -> list[float]:
        return [w.data for w in self.weights] if self._np is None else self.weights[0].data.tolist()

    def tree(self) -> Any:
        return unflatten(self.spec, self.leaves())

    # -- going down ---------------------------------------------------------------------------------------------------

    def descend(self, steps: int, tol: float | None, callback: Any, bar: Any, files: Any, pause: Callable[[], None]) -> str:
        """Up to `steps` steps; says why it ended."""
        checkpoint, every = files
        batches = None
        if self.rows is not None and self.batch_size is not None:
            batches = self.rows.batches(self.batch_size, self.seed, len(self.losses))
        try:
            while len(self.losses) < steps:
                pause()
                reason = self._one_step(tol, callback, bar, batches, pause)
                if reason:
                    return reason
                if checkpoint is not None and len(self.losses) % every == 0:
                    checkpoints.save(checkpoint, self.settings, self.state())
        except KeyboardInterrupt:
            if self.moving:  # by a second Ctrl-C, which does not wait: what is in memory is between two steps
                raise
            return "interrupted"
        finally:
            if bar:
                bar.clear()
        return "steps"

    def _one_step(self, tol: float | None, callback: Any, bar: Any, batches: Any, pause: Callable[[], None]) -> str:
        leaves, step, previous = self.leaves(), len(self.losses), self.previous
        self.trail.add(step, leaves)
        settled, look = False, tol is not None and step % self.turn == 0
        if batches is None or look:
            self.seen = value, slopes = self.objective.whole(leaves, pause)
            if tol is not None and look:
                settled, previous = self._settled(value, slopes, tol), value
        if batches is not None:
            value, slopes = self.objective.batch(leaves, next(batches))
        if not math.isfinite(value) or self._runs_away(value):
            return "diverged"
        if bar:
            bar.update(step, value)
        if callback is not None and callback(step, value, self.tree()):
            return "stopped"
        if settled:
            return "converged"
        self.moving = True
        try:
            self.optimizer.step(slopes if self._np is None else [self._np.array(slopes)])
        except NonFiniteGradientError:  # a slope is not finite, or the update overflows; nothing was changed
            self.moving = False
            return "diverged"
        self.losses.append(value)
        self.previous, self.seen, self.moving = previous, None, False
        return ""

    def _settled(self, value: float, slopes: list[float], tol: float) -> bool:
        scale = max(abs(value), 1.0)
        return (
            self.previous is not None
            and abs(value - self.previous) <= tol * scale
            and all(abs(g) * max(abs(w), 1.0) <= tol**0.5 * scale for g, w in zip(slopes, self.leaves(), strict=True))
        )

    def _runs_away(self, value: float) -> bool:
        if len(self.losses) < RISES or value <= RISEN * abs(self.losses[0]):
            return False
        return all(a < b for a, b in pairwise([*self.losses[-RISES:], value]))

    def rose(self, value: float) -> bool:
        """Whether the loss ran away on the way, and ends above that at the start, over all the data, by more than rounding."""
        if not self.losses:
            return False
        # what the first step saw was one mini-batch, which may have been an easy one
        first = self.losses[0] if self.batch_size is None else self.objective.whole(self.start, no_pause)[0]
        ran_away = max(*self.losses, value) > RISEN * (abs(first) + TINY)
        return ran_away and value - first > ABOVE * abs(first) + TINY

    # -- leaving and coming back --------------------------------------------------------------------------------------

    @property
    def settings(self) -> dict[str, Any]:
        """What must be the same for a checkpoint to be gone on from."""
        digest = blake2b(repr([x.hex() for x in self.start]).encode(), digest_size=16).hexdigest()
        return {
            **self.about, "params": describe(self.spec), "start": digest, "optimizer": self._made,
            "batch_size": self.batch_size, "seed": self.seed, "data": self.digest,
        }  # fmt: skip

    @cached_property
    def digest(self) -> str | None:
        return None if self.rows is None else self.rows.fingerprint()

    def state(self) -> checkpoints.State:
        return checkpoints.State(self.losses, self.leaves(), _listed(self.optimizer.state_dict()), self.previous)

    def resume(self, path: Any, steps: int, pause: Callable[[], None]) -> None:
        """Take on the state in the file, if there is one, after seeing that the loss is the one it was made with."""
        state = checkpoints.load(path, self.settings)
        if state is None:
            return
        done = len(state.losses)
        if done > steps:
            raise InputValueError(
                f"steps={steps}, but checkpoint={os.fspath(path)!r} has made {done}: ask for as many, or remove it"
            )
        if done:
            self._same_loss(path, state.losses[0], pause)
        self.losses, self.previous = state.losses, state.previous
        try:
            self._take(state)
        except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise checkpoints.damaged(path, error) from error

    def _take(self, state: checkpoints.State) -> None:
        saved = state.optimizer
        if self._np is not None:
            listed = {
                k: {n: self._np.array(x) if isinstance(x, list) else x for n, x in v.items()} for k, v in saved["state"].items()
            }
            saved = {**saved, "state": listed}
        self.optimizer.load_state_dict(saved)
        if len(state.leaves) != (count := len(self.leaves())):
            raise InputValueError(f"{len(state.leaves)} weights for {count}")
        leaves = state.leaves if self._np is None else [self._np.array(state.leaves)]
        for weight, data in zip(self.weights, leaves, strict=True):
            weight.data = data

    def _same_loss(self, path: Any, first: float, pause: Callable[[], None]) -> None:
        """The first step is looked at again: its loss must be the one on file."""
        if self.rows is None or self.batch_size is None:
            value, _ = self.objective.whole(self.leaves(), pause)
        else:
            value, _ = self.objective.batch(self.leaves(), next(self.rows.batches(self.batch_size, self.seed, 0)))
        if not math.isclose(value, first, rel_tol=1e-9, abs_tol=1e-300):
            raise InputValueError(
                f"checkpoint={os.fspath(path)!r} belongs to a run whose first loss was {first!r}, and here it is {value!r}: "
                "go on with the loss as it was, or remove the file to begin again"
            )


def _listed(state: Any) -> Any:
    """A state_dict with lists for arrays, as JSON takes it."""
    if isinstance(state, dict):
        return {key: _listed(item) for key, item in state.items()}
    return state.tolist() if hasattr(state, "tolist") else state


def _whole(name: str, number: Any, least: int) -> int:
    if not isinstance(number, Integral) or isinstance(number, bool) or number < least:
        raise InputValueError(f"{name}={number!r} must be a whole number from {least} up")
    return int(number)
