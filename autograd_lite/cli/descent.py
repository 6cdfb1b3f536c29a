"""What `fit` does by gradient descent: the table of the course notes, the ending, and a rate that works where one does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

from .. import optim
from ..errors import InputValueError, counted
from ..fit import Result, minimize
from ..fit.model import Model
from ..fit.statistics.scoring import first_bad_row
from ..fit.steps.bar import Bar
from ..tables import Table
from .output import say_on, shown
from .score import scored

OPTIMIZERS = {"sgd": optim.SGD, "adam": optim.Adam, "adamw": optim.AdamW, "rmsprop": optim.RMSprop, "adagrad": optim.Adagrad}
TRIAL = 50  # steps that show whether a learning rate goes downhill
HALVINGS = 60
LARGE = 1e9  # from here on the table writes powers of ten


@dataclass
class Descent:
    """A run of gradient descent, as the command line asks for it; a `rule` is the name of an optimizer."""

    rule: str = "sgd"
    lr: float = 0.01
    steps: int = 1000
    batch_size: int | None = None
    tol: float | None = None
    seed: int = 0
    checkpoint: str | None = None
    every: int = 1
    digits: int = 2
    quiet: bool = False  # without the table
    about: dict[str, Any] = field(default_factory=dict)

    def run(self, model: Model, table: Table) -> Descended:
        """Go down."""
        bar = Bar(self.steps)
        table_of = printer(list(model.weights), self.every, self.digits, bar)
        found: Result[dict[str, float]] = minimize(
            model.loss, model.weights, table, optimizer=partial(OPTIMIZERS[self.rule], lr=self.lr), steps=self.steps,
            batch_size=self.batch_size, seed=self.seed, tol=self.tol, checkpoint=self.checkpoint, about=self.about,
            callback=(lambda step, loss, _: bar.update(step, loss)) if self.quiet else table_of,
        )  # fmt: skip
        bar.clear()
        return Descended(self, model, table, dict(model.weights), found)


@dataclass
class Descended:
    """Where a run ended, and whether it went downhill."""

    asked: Descent
    model: Model
    rows: Table
    start: dict[str, float]
    found: Result[dict[str, float]]

    @property
    def noisy(self) -> bool:
        """Whether what a step sees is the loss of some rows only."""
        return self.asked.batch_size is not None

    def trial(self, rate: float, steps: int = TRIAL) -> Result[dict[str, float]]:
        """Some steps with another rate."""
        rule = partial(OPTIMIZERS[self.asked.rule], lr=rate)
        size, seed = self.asked.batch_size, self.asked.seed
        return minimize(self.model.loss, self.start, self.rows, optimizer=rule, steps=steps, batch_size=size, seed=seed)

    @cached_property
    def first(self) -> float:
        """The loss at the start, over all rows."""
        return self.trial(self.asked.lr, 0).loss if self.noisy else self.found.history[0][1]

    @property
    def params(self) -> Any:
        """The weights."""
        return self.found.params

    @property
    def history(self) -> list[tuple[int, float]]:
        """Pairs (step, loss)."""
        return self.found.history

    @property
    def reason(self) -> str:
        """Why it ended, in one word."""
        return self.found.reason

    def ended(self) -> str:
        """How it ended, in words."""
        steps = self.found.steps
        what = {"converged": "converged after", "interrupted": "interrupted after"}.get(self.reason, "after")
        return f"{what} {counted(steps, 'step')}"

    def table(self) -> str:
        """The report as text: the weights, the loss and the score."""
        weights = [f"{name} = {shown(weight)}" for name, weight in self.params.items()]
        return "\n".join(["", self.ended(), *weights, f"loss = {shown(self.found.loss)}", scored(self.model, self.rows)])

    def as_dict(self) -> dict[str, Any]:
        """What `--json` prints, beside the score."""
        params = {n: {"value": x, "stderr": None, "low": None, "high": None} for n, x in self.params.items()}
        return {
            "converged": self.reason == "converged", "reason": self.ended(), "method": self.asked.rule, "params": params,
            "loss": self.found.loss, "n": self.rows.rows, "steps": self.found.steps,
        }  # fmt: skip

    def diverged(self) -> InputValueError:
        """The error that says where the run left the numbers, and a learning rate with which it does not."""
        lr, last, steps = self.asked.lr, self.found.loss, self.found.steps
        what = (
            f"--lr {lr:g} is too large: the loss is {last:.4g} at iteration {steps + 1}, and was {self.first:.4g} at the first"
        )
        rate, falls = self.downhill() if steps else (lr, False)
        where = "" if falls else first_bad_row(self.model, self.rows)
        if where or not (falls or steps):
            why = where or "the sum over all rows is not finite"
            return InputValueError(
                f"the weights at the start have no finite loss to go down from: {why}; choose others with --init"
            )
        return InputValueError(f"{what}; {_advice(rate, falls)}")

    def climbed(self) -> str:
        """What to say of a run that ends above where it began; empty for others."""
        if self.reason not in ("steps", "converged") or not self.found.loss > self.first:
            return ""
        advice = _advice(*self.downhill())
        return f"the loss ends at {self.found.loss:.4g} and was {self.first:.4g} at the first iteration: {advice}"

    def downhill(self) -> tuple[float, bool]:
        """A smaller learning rate with which the loss falls, and whether there is one."""
        rate = self.asked.lr
        for _ in range(HALVINGS):
            rate /= 2
            tried = self.trial(rate)
            losses = [loss for _, loss in tried.history[:-1]]
            falls = tried.reason == "steps" and sum(losses[-10:]) < sum(losses[:10])
            if falls and (self.noisy or all(b <= a for a, b in pairwise(losses))):
                return rate, True
        return rate, False


def _advice(rate: float, falls: bool) -> str:
    if falls:
        return f"--lr {rate:g} goes downhill"
    return f"no rate down to {rate:g} goes downhill: bring the columns to a size near 1"


def printer(names: list[str], every: int, digits: int, bar: Bar) -> Callable[[int, float, Any], None]:
    """The callback that prints the table of the course notes, and below it how far the run is."""
    widths = [len(name) if len(name) >= digits + 2 else digits + 3 for name in names]  # the longer leave room for a sign
    head = ["iteration", *(f"{name:<{w}}" for name, w in zip(names, widths, strict=True)), "loss"]

    def row(step: int, loss: float, weights: dict[str, float]) -> None:
        if head:  # not before what is wrong has been said
            say_on("  ".join(head))
            head.clear()
        if step % every == 0:
            bar.clear()
            numbers = zip((*weights.values(), loss), (*widths, digits + 4), strict=True)
            cells = (f"{x:>z{w}.{digits}{'f' if abs(x) < LARGE else 'e'}}" for x, w in numbers)
            say_on("  ".join([f"{step + 1:>9}", *cells]))
        bar.update(step, loss)

    return row
