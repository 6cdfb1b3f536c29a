"""Learning-rate schedules: one pure factor of the base lr each; several on one optimizer multiply."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from weakref import ref

from ..errors import InputTypeError, InputValueError
from ..files import JsonData
from ..tree import an
from .optimizers import Optimizer, RateFactor
from .parameters import assign
from .settings import Configured, short, valid


class Schedule(Configured):
    """Base of the schedules: the optimizer's lr is its base lr times ``factor(step)`` of every schedule made for it.

    Several schedules on one optimizer multiply, as warm-up times cosine here; each is stepped on its own.  One that replaces
    another, ``schedule = StepLR(optimizer, 10)``, goes on from the rate that the other has left.

    >>> from autograd_lite import Value
    >>> from autograd_lite.optim import SGD
    >>> optimizer = SGD([Value(1.0)], lr=8.0)
    >>> warmup = LinearLR(optimizer, start_factor=0.5, total_iters=1)
    >>> cosine = CosineAnnealingLR(optimizer, T_max=2)
    >>> optimizer.lr
    4.0
    >>> warmup.step(); cosine.step(); round(optimizer.lr, 12)
    4.0

    A new schedule is a subclass with a ``factor``, and settings as an optimizer has.  Raises InputTypeError and
    InputValueError when made.  Source of all: torch.optim.lr_scheduler.
    """

    _step: int

    def __init__(self, optimizer: Optimizer) -> None:
        self._configure()
        if not isinstance(optimizer, Optimizer):
            raise InputTypeError(f"optimizer={short(optimizer)} is {an(optimizer)}, not an optimizer; try an SGD")
        self.optimizer = optimizer
        self._factor = RateFactor(self)
        self._go_to(0)

    def factor(self, step: int) -> float:
        """What the base lr is multiplied by after ``step`` steps; a pure function."""
        raise NotImplementedError(f"{type(self).__name__} must define factor(step)")

    def _go_to(self, step: int, settings: Mapping[str, JsonData] = MappingProxyType({})) -> None:
        """Set the rate of a step, and other settings with it: all or nothing."""
        optimizer = self.optimizer
        new: Schedule = object.__new__(type(self))
        vars(new).update({**vars(self), **settings})
        optimizer._settle()
        others = math.prod(f.value for f in optimizer._factors if f is not self._factor)
        try:
            factor = new.factor(step)
        except OverflowError:
            factor = math.inf
        lr = optimizer.base_lr * others * factor if optimizer.base_lr else 0.0
        if not math.isfinite(lr):
            raise InputValueError(
                f"{type(self).__name__} makes lr={lr} of {optimizer.base_lr:g} at step {step}: it grows beyond all numbers; "
                f"stop calling step(), or let it fall or end, as LinearLR does"
            )
        if self._factor not in optimizer._factors:
            optimizer._factors.append(self._factor)
        owners = [self._factor, optimizer, *[self] * (1 + len(settings))]
        assign(owners, ["value", "_lr", "_step", *settings], [factor, lr, step, *settings.values()])

    def __setstate__(self, state: dict[str, JsonData]) -> None:
        vars(self).update(state)
        self._factor.schedule = ref(self)

    def step(self) -> None:
        """Go one step on and set the optimizer's lr."""
        self._go_to(self._step + 1)

    def state_dict(self) -> dict[str, JsonData]:
        """The settings and the step as plain data."""
        return {"schedule": type(self).__name__, **self._saved(), "step": self._step}

    def load_state_dict(self, state: Mapping[str, JsonData]) -> None:
        """Continue where ``state_dict()`` was taken, once the optimizer's is loaded; on an error nothing changes."""
        settings = self._check_saved("schedule", state, self.state_dict())
        step = valid("step", state["step"])
        self._go_to(step, settings)


class StepLR(Schedule):
    """A drop every ``step_size`` steps: ``gamma ** (step // step_size)``.

    >>> from autograd_lite import Value
    >>> from autograd_lite.optim import SGD
    >>> [StepLR(SGD([Value(1.0)], lr=1.0), step_size=2, gamma=0.5).factor(step) for step in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        return self.gamma ** (step // self.step_size)


class ExponentialLR(Schedule):
    """A drop at every step: ``gamma ** step``.

    >>> from autograd_lite import Value
    >>> from autograd_lite.optim import SGD
    >>> [ExponentialLR(SGD([Value(1.0)], lr=1.0), gamma=0.5).factor(step) for step in range(4)]
    [1.0, 0.5, 0.25, 0.125]
    """

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = gamma
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        return self.gamma**step


class CosineAnnealingLR(Schedule):
    """Half a cosine from lr to ``eta_min``: ``r + (1-r) * (1 + cos(pi * step / T_max)) / 2`` with ``r = eta_min / lr``.

    >>> from autograd_lite import Value
    >>> from autograd_lite.optim import SGD
    >>> [round(CosineAnnealingLR(SGD([Value(1.0)], lr=1.0), T_max=4).factor(step), 3) for step in range(5)]
    [1.0, 0.854, 0.5, 0.146, 0.0]

    ``T_max``: steps, after which the lr rises again as in torch; ``eta_min``: in units of lr.
    Source: Loshchilov and Hutter 2017, arXiv 1608.03983.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:  # noqa: N803 (torch's name)
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        if not self.optimizer.base_lr and self.eta_min:
            raise InputValueError(
                f"eta_min={self.eta_min} with lr=0: schedules multiply the rate, and 0 times anything stays 0; start from "
                f"a rate above 0, for a warm-up with LinearLR(optimizer, start_factor=0.01)"
            )
        low = self.eta_min / (self.optimizer.base_lr or 1.0)
        return low + (1 - low) * (1 + math.cos(math.pi * step / self.T_max)) / 2


class LinearLR(Schedule):
    """A warm-up: from ``start_factor`` to ``end_factor`` on a straight line over ``total_iters`` steps, constant after.

    >>> from autograd_lite import Value
    >>> from autograd_lite.optim import SGD
    >>> [LinearLR(SGD([Value(1.0)], lr=1.0), start_factor=0.25, total_iters=3).factor(step) for step in range(5)]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """

    def __init__(
        self, optimizer: Optimizer, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5
    ) -> None:
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        done = min(step / self.total_iters, 1.0)
        return self.start_factor + (self.end_factor - self.start_factor) * done
