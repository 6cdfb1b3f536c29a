"""Gradient descent between two steps: its state, how it moves, and how it comes back from a checkpoint."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ...arrays import np, numpy
from ...errors import InputTypeError, InputValueError, NonFiniteGradientError
from ...files import FilePath, JsonData
from ...interrupt import no_pause
from ...optim import Optimizer
from ...tree import Spec, Tree, an, unflatten
from ..rows import Columns, Data, Rows
from ..rows.objective import Objective
from . import checkpoint as checkpoints
from .bar import Bar
from .trail import Trail

if TYPE_CHECKING:
    from ..descent import Callback

ARRAY_FROM = 10  # weights from which an optimizer moves them as one array, rather than one by one
RISES, RISEN = 20, 1e3  # a loss that rose at so many steps in a row, to so many times the first, runs away
ABOVE, TINY = 1e-9, 1e-18  # what a loss ends above the first, relative and absolute, that may be rounding


class _Weight:
    """A parameter as optimizers know it: one weight, or an array of all."""

    def __init__(self, data: Data) -> None:
        self.data, self.grad = data, None


class Run:
    """The state of a fit, and how it moves; between two steps it is always whole."""

    def __init__(
        self, objective: Objective, leaves: list[float], spec: Spec, optimizer: Callable[[list[Any]], Optimizer],
        batch_size: int | None, seed: int, about: dict[str, JsonData],
    ) -> None:  # fmt: skip
        self.objective, self.spec, self.batch_size, self.seed, self.about = objective, spec, batch_size, seed, about
        self.losses: list[float] = []
        self.previous: float | None = None
        self.seen: tuple[float, list[float]] | None = None  # loss over all data and slopes at the weights as they are
        self.moving = False
        self.start = leaves
        self.trail = Trail()
        self.as_array = len(leaves) >= ARRAY_FROM and numpy() is not None
        self.weights = [_Weight(leaf) for leaf in leaves] if not self.as_array else [_Weight(np.array(leaves))]
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
        """The flat weights."""
        return [w.data for w in self.weights] if not self.as_array else self.weights[0].data.tolist()

    def tree(self) -> Tree:
        """The weights in their structure."""
        return unflatten(self.spec, self.leaves())

    # -- going down ---------------------------------------------------------------------------------------------------

    def descend(
        self, steps: int, tol: float | None, callback: Callback[Tree] | None, bar: Bar | None,
        files: tuple[FilePath | None, int], pause: Callable[[], None],
    ) -> str:  # fmt: skip
        """Up to `steps` steps; says why it ended."""
        checkpoint, every = files
        batches = None
        if self.batch_size is not None:
            batches = Rows.of(self.rows).batches(self.batch_size, self.seed, len(self.losses))
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

    def _one_step(
        self, tol: float | None, callback: Callback[Tree] | None, bar: Bar | None, batches: Iterator[Columns] | None,
        pause: Callable[[], None],
    ) -> str:  # fmt: skip
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
            self.optimizer.step(slopes if not self.as_array else [np.array(slopes)])
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

    @cached_property
    def settings(self) -> dict[str, JsonData]:
        """What must be the same for a checkpoint to be gone on from."""
        made, size = self._made, self.batch_size
        return checkpoints.settings(
            self.about, self.spec, self.start, self.rows, optimizer=made, batch_size=size, seed=self.seed
        )

    def state(self) -> checkpoints.DescentState:
        """What a checkpoint holds."""
        return checkpoints.DescentState(self.losses, self.leaves(), _as_lists(self.optimizer.state_dict()), self.previous)

    def resume(self, path: FilePath, steps: int, pause: Callable[[], None]) -> None:
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

    def _take(self, state: checkpoints.DescentState) -> None:
        saved = state.optimizer
        if self.as_array:
            listed = {
                k: {n: np.array(x) if isinstance(x, list) else x for n, x in v.items()} for k, v in saved["state"].items()
            }
            saved = {**saved, "state": listed}
        self.optimizer.load_state_dict(saved)
        if len(state.leaves) != (count := len(self.leaves())):
            raise InputValueError(f"{len(state.leaves)} weights for {count}")
        leaves = state.leaves if not self.as_array else [np.array(state.leaves)]
        for weight, data in zip(self.weights, leaves, strict=True):
            weight.data = data

    def _same_loss(self, path: FilePath, first: float, pause: Callable[[], None]) -> None:
        """The first step is looked at again: its loss must be the one on file."""
        if self.rows is None or self.batch_size is None:
            value, _ = self.objective.whole(self.leaves(), pause)
        else:
            value, _ = self.objective.batch(self.leaves(), next(Rows.of(self.rows).batches(self.batch_size, self.seed, 0)))
        if not math.isclose(value, first, rel_tol=1e-9, abs_tol=1e-300):
            raise InputValueError(
                f"checkpoint={os.fspath(path)!r} belongs to a run whose first loss was {first!r}, and here it is {value!r}: "
                "go on with the loss as it was, or remove the file to begin again"
            )


def _as_lists(state: JsonData) -> JsonData:
    """A state_dict with lists for arrays, as JSON takes it."""
    if isinstance(state, dict):
        return {key: _as_lists(item) for key, item in state.items()}
    return state.tolist() if hasattr(state, "tolist") else state
