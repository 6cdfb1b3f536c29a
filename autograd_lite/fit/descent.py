"""`minimize`: a loss over data made small, by gradient descent or by the method that suits it."""

from __future__ import annotations

import math
import os
import reprlib
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from .. import optim
from ..arrays import numpy
from ..errors import ClusterError, InputTypeError, InputValueError, MissingPackageError
from ..files import JsonData
from ..interrupt import deferred_interrupt, is_interrupted, no_pause
from ..notebook import table
from ..optim import Optimizer
from ..tree import Number, Tree, as_float, flatten, is_node, unflatten
from .cluster import rows_of
from .rows import Data
from .rows.objective import Objective
from .statistics.scoring import first_without
from .steps import checkpoint as checkpoints
from .steps.bar import Bar
from .steps.downhill import Downhill, mean_squares
from .steps.run import Run

if TYPE_CHECKING:
    from .cluster.tasks import Client

LISTED = 20  # weights that a notebook shows
LIMIT = 1000  # steps of a method that is no descent, unless given
OPTIMIZERS: dict[str, Callable[[list[Any]], Optimizer]] = {
    "sgd": partial(optim.SGD, lr=0.01), "adam": optim.Adam, "adamw": optim.AdamW, "rmsprop": optim.RMSprop,
    "adagrad": optim.Adagrad,
}  # fmt: skip
METHODS = ("auto", "descent", "lm", "newton", "lbfgs", *OPTIMIZERS)

P = TypeVar("P")  # the structure of the weights
Callback = Callable[[int, float, P], object]


@dataclass(frozen=True, repr=False)
class Result(Generic[P]):
    """Where a fit ended.

    Attributes:
        params: the weights, in the structure given.
        loss: the loss at `params`, over all the data.
        history: pairs (step, loss): what each step saw before it moved, and at the end (steps, loss).
            ``plot.plot_history`` draws it.
        steps: how many steps were made, earlier runs of a checkpoint included.
        reason: why it ended: "steps", "converged", "stopped" (by the callback), "interrupted" (Ctrl-C), "diverged"; of methods
            other than descent also "stuck" (no step lowers the loss), "saddle" (a flat place that is no minimum), or
            "undetermined" (the rows leave some weights open).
        path: pairs (step, params), of a long run some hundred.
        objective, data: the loss and the rows, as they were given.
        method: "descent", "lm", "newton" or "lbfgs".
    """

    params: P
    loss: float
    history: list[tuple[int, float]]
    steps: int
    reason: str
    path: list[tuple[int, P]] = field(default_factory=list, compare=False)
    objective: Callable[..., Number] | None = field(default=None, compare=False)
    data: Data = field(default=None, compare=False)
    method: str = field(default="descent", compare=False)

    def __repr__(self) -> str:
        count = len(flatten(self.params)[0])
        params = repr(self.params) if count <= LISTED else f"{reprlib.repr(self.params)} of {count} numbers"
        return f"Result(params={params}, loss={self.loss!r}, steps={self.steps}, reason={self.reason!r})"

    def _repr_html_(self) -> str:
        """The weights in a notebook."""
        leaves, _ = flatten(self.params)
        named = isinstance(self.params, dict) and len(self.params) == len(leaves)
        names = list(cast(Tree, self.params)) if named else range(len(leaves))
        rows = [(str(name), f"{x:.10g}") for name, x in zip(names, leaves, strict=True)]
        more = [f"… and {len(rows) - LISTED} more"] if len(rows) > LISTED else []
        ended = f"{self.reason} after {self.steps} steps, loss = {self.loss:.8g}"
        return table(("weight", "value"), rows[:LISTED], [ended], more)


def minimize(
    loss: Callable[..., Number] | None = None,
    params: P = None,  # type: ignore[assignment]
    data: Data = None,
    *,
    method: str = "auto",
    residual: Callable[..., Tree] | None = None,
    optimizer: Callable[[list[Any]], Optimizer] | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    tol: float | None = None,
    callback: Callback[P] | None = None,
    progress: bool = False,
    seed: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    every: int | None = None,
    about: Mapping[str, JsonData] | None = None,
    client: Client = None,
) -> Result[P]:
    """Go downhill on the mean of a loss over the rows of some data.

    ``params <- params + step, where mean over rows of loss(params, *row) is smaller``

    >>> xs, ys = [0.0, 1.0, 2.0], [1.0, 3.0, 5.0]
    >>> found = minimize(residual=lambda p, x, y: p["w"] * x + p["b"] - y, params={"w": 0.0, "b": 0.0}, data=(xs, ys))
    >>> found.reason, {name: round(weight, 4) for name, weight in found.params.items()}
    ('converged', {'w': 2.0, 'b': 1.0})

    With an optimizer it is gradient descent, ``params <- rule(params, d/dparams mean of the loss)``.

    >>> from functools import partial
    >>> loss = lambda p, x, y: (p["w"] * x + p["b"] - y) ** 2
    >>> sgd = partial(optim.SGD, lr=0.3)
    >>> found = minimize(loss, {"w": 0.0, "b": 0.0}, (xs, ys), optimizer=sgd, steps=1000, tol=1e-12)
    >>> found.reason, {name: round(weight, 4) for name, weight in found.params.items()}
    ('converged', {'w': 2.0, 'b': 1.0})

    Args:
        loss: the loss of one row, ``loss(params, *row)``, a scalar.  Without data, the loss itself, ``loss(params)``.
        params: where to start: numbers in any structure that `grad` takes, a module too.
        data: a tuple of columns, each as long as there are rows; a row is one entry of each, a number, or for a column of
            shape (rows, k) a sequence of k.  A dict of columns, a `tables.Table`, `tables.Parts` (many files), or a Dask
            DataFrame, whose row reaches the loss as one dict.
        method: "lm" for residuals, least squares in a trust region; "newton", by exact Hessians in one; "lbfgs", by gradients,
            for many weights; "descent", or the name of its optimizer ("sgd", "adam", ...).  "auto" is descent where
            optimizer, batch_size or tol is given, else what suits the loss.  All but descent need NumPy.
        residual: in place of loss, a number or a container of several for each row; the loss is the sum of their squares.
        optimizer: makes the optimizer out of a list of parameters: a class of `optim`, or ``partial(SGD, lr=0.1)``; for
            descent Adam unless given.
        steps: at most so many steps; on a checkpoint, those made before count.  Descent must be given a number.
        batch_size: how many rows a step looks at; None is all of them.  A pass over the data takes each row once.
        tol: stop descent where the loss and the gradient have settled; looked at on all rows, before the first step of each
            pass.  With L the loss, M the one looked at before, w_i and g_i a weight and its slope:
            ``|L - M| <= tol max(|L|, 1)`` and each ``|g_i| max(|w_i|, 1) <= sqrt(tol) max(|L|, 1)``.  None never stops.
        callback: called at each step with its number from 0, the loss it sees, and the params; true stops the run.
        progress: draw a line that says how far it is, on standard error if that is a terminal.
        seed: decides the order of the rows in mini-batches.
        checkpoint: a file for the state of the run.  If it is there the run goes on from it, to the same bits as if it had
            never ended; other weights, data, settings of the optimizer, batches or another loss are an error, another `tol`
            is not.
        every: steps between two writings of the checkpoint; by default a hundredth of `steps`, and each step of other methods.
        about: what else must be the same for the checkpoint to be gone on from, under names: text and numbers that tell one
            loss from another, ``{"formula": "w*x + b"}``.
        client: a `distributed.Client`, whose workers read the files of `data` and add up over their rows; for a Dask
            DataFrame by default the one of the surroundings.  The bits are those of one machine.

    Compiled where NumPy and llvmlite are installed and no branch of the loss depends on numbers; else each row is a run of
    `value_and_grad`.  Ctrl-C ends the run after the step at work; a second one at once.  Descent is "diverged" at the first
    loss or slope that is not finite, where the loss rose at each of 20 steps to over 1,000 times the first, or where it
    came to that at any step and is after the last one still above the first.  The other methods are "converged" where the
    gradient is zero to rounding or no digit that means something is left to go, whatever the size of loss and weights.
    Raises InputValueError, InputTypeError and StructureError for arguments out of their rules, and for a row at which the
    start has no finite loss.
    """
    if residual is not None and loss is not None:
        raise InputTypeError("residual= takes the place of the loss: minimize(residual=r, params=p, data=(x, y))")
    given = residual if loss is None else loss
    if not callable(given):
        what = f"loss={given!r} is not callable"
        raise InputTypeError(f"{what}: give a function of the params, and of a row where there is data")
    leaves, spec = flatten(params, "params")
    if any(map(is_node, leaves)):
        raise InputTypeError("params holds Values, which would stay as they are: give their numbers, [v.data for v in params]")
    leaves = [as_float(leaf, "params") for leaf in leaves]
    if not leaves:
        raise InputValueError(f"params={params!r} holds no number: give at least one weight to move")
    seed = _count("seed", seed, 0)
    batch_size = None if batch_size is None else _count("batch_size", batch_size, 1)
    if tol is not None and not (isinstance(tol, Real) and 0 <= tol < math.inf):
        raise InputValueError(f"tol={tol!r} must be a number from 0 up: 1e-9 is usual, None never stops")
    if data is None and batch_size is not None:
        raise InputValueError(f"batch_size={batch_size} without data: give the rows as data")
    by_descent = _by_descent(method, (optimizer, batch_size, tol), steps, residual is not None)
    steps = _count("steps", LIMIT if steps is None and not by_descent else steps, 0)
    every = (max(1, -(-steps // 100)) if by_descent else 1) if every is None else _count("every", every, 1)
    bar = Bar(steps) if progress else None
    with ExitStack() as stack:
        pause = stack.enter_context(deferred_interrupt())
        rows = None if data is None else stack.enter_context(rows_of(data, client, pause))
        if not by_descent:
            run = Downhill(loss, residual, leaves, spec, rows, method, dict(about or {}))
            run.go(steps, callback, bar, checkpoint, every, pause)
            history, path = list(enumerate(run.losses())), [(step, unflatten(spec, x)) for step, x in run.path()]
            return Result(
                unflatten(spec, run.x), run.loss, history, run.steps, run.reason, path,
                mean_squares(residual) if loss is None else loss, data, run.method,
            )  # fmt: skip
        if batch_size is not None and not hasattr(rows, "batches"):
            raise InputValueError(f"batch_size={batch_size} on a cluster, where each step takes all rows: leave it out")
        rule = OPTIMIZERS.get(method, optim.Adam) if optimizer is None else optimizer
        loss = mean_squares(given) if loss is None else loss
        descent = Run(Objective(loss, spec, rows, batch_size), leaves, spec, rule, batch_size, seed, dict(about or {}))
        if checkpoint is not None:
            descent.resume(checkpoint, steps, pause)
        try:
            reason = descent.descend(steps, tol, callback, bar, (checkpoint, every), pause)
        except ClusterError as error:
            if checkpoint is not None and not descent.moving:
                checkpoints.save(checkpoint, descent.settings, descent.state())
                error.add_note(
                    f"{len(descent.losses)} steps are in {os.fspath(checkpoint)}: a run with that checkpoint goes on."
                )
            raise
        if checkpoint is not None:
            checkpoints.save(checkpoint, descent.settings, descent.state())
        history = list(enumerate(descent.losses))
        value = descent.seen[0] if descent.seen else descent.objective.whole(descent.leaves(), no_pause)[0]
        if reason in ("steps", "converged") and (not math.isfinite(value) or descent.rose(value)):
            reason = "diverged"
        if reason == "diverged" and not descent.losses and rows is not None and (bad := first_without(rows)):
            raise InputValueError(f"the loss at the start is {value}, and {bad}: mend the row, or leave it out")
        if is_interrupted(pause):  # after the last step
            reason = "interrupted"
    path = [(step, unflatten(spec, x)) for step, x in descent.trail.ended(len(history), descent.leaves())]
    return Result(descent.tree(), value, [*history, (len(history), value)], len(history), reason, path, loss, data)


def _by_descent(method: str, settings: tuple[object, ...], steps: int | None, squares: bool) -> bool:
    """Whether it is gradient descent.

    Raises for settings that do not go with the method.
    """
    if method not in METHODS:
        raise InputValueError(f"method={method!r} must be one of {', '.join(METHODS)}")
    wanted = any(setting is not None for setting in settings)
    if method in ("lm", "newton", "lbfgs"):
        if wanted:
            raise InputValueError(
                f"method={method!r} takes no optimizer, batch_size or tol, which are descent's: leave them out"
            )
        if method == "lm" and not squares:
            raise InputValueError("method='lm' is for sums of squares: give residual= in place of the loss")
    by_descent = wanted or method == "descent" or method in OPTIMIZERS
    if not by_descent and numpy() is None:
        if method != "auto":
            raise MissingPackageError(f"method={method!r} needs NumPy: pip install numpy, or choose method='descent'")
        by_descent = True
    if by_descent and steps is None:
        raise InputValueError("descent must be told how many steps to make: steps=1000")
    return by_descent


def _count(name: str, number: Any, least: int) -> int:
    if not isinstance(number, Integral) or isinstance(number, bool) or number < least:
        raise InputValueError(f"{name}={number!r} must be a whole number from {least} up")
    return int(number)
