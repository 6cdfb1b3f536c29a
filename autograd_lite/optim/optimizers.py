"""The optimizers: a base that moves all parameters or none, and one pure update rule each."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import ref

from .. import frames
from ..errors import GradientWarning, InputValueError, NotALeafError, listed
from ..files import JsonData
from ..tree import Number, Tree
from .parameters import assign, items, nonzero, numeric, parameters, require_finite
from .settings import Configured, same_names, valid

if TYPE_CHECKING:
    from .schedules import Schedule

# An object no arithmetic returns: while a parameter's grad *is* this zero, no gradient came since zero_grad().
_CLEARED = float("0")

Moments = tuple[Number, ...]


class RateFactor:
    """What one schedule multiplies the base rate by, and the schedule, as long as there is one."""

    def __init__(self, schedule: Schedule | None) -> None:
        self.value = 1.0
        self.schedule: Callable[[], Any] = ref(schedule)

    def __getstate__(self) -> float:
        return self.value

    def __setstate__(self, value: float) -> None:
        self.value, self.schedule = value, lambda: None  # until the schedule comes, if it was saved with it


def _moving_mean(old: Number, new: Number, memory: float) -> Number:
    """``memory * old + (1 - memory) * new`` with torch's rounding, which is exact at both ends."""
    return old + (1 - memory) * (new - old) if 1 - memory < 0.5 else new - memory * (new - old)


class Optimizer(Configured):
    """Base of the optimizers: collects parameters and gradients, checks them, and moves all parameters or none.

    A new optimizer is a subclass with a ``rule``, the ``state_names`` of what the rule remembers, and settings: the
    attributes that its ``__init__`` sets before it calls ours.

    >>> class SignSGD(Optimizer):
    ...     def rule(self, data, grad, state):
    ...         return data - self.lr * (grad > 0) + self.lr * (grad < 0), state
    >>> from autograd_lite import Value
    >>> w = Value(1.0)
    >>> SignSGD([w], lr=0.25).step([-7.0])
    >>> w.data
    1.25

    ``params``: a list, a dict name -> parameter or a Module.  ``lr``: parameter units per gradient unit.
    Raises InputTypeError, InputValueError, NotALeafError when made.
    """

    state_names: ClassVar[tuple[str, ...]] = ()
    weight_decay = 0.0

    def __init__(self, params: Tree, lr: float) -> None:
        self._configure()
        self._lr: float = valid("lr", lr)
        self.base_lr = self._lr
        self._params = parameters(params)
        for name, p in self._params.items():
            if (op := getattr(p, "op", None)) is not None:
                repair = "make it a leaf with .detach() or optimise the leaves it was computed from"
                raise NotALeafError(f"{name} was computed (op={getattr(op, 'name', op)}), it is not a leaf; {repair}")
        # Zeros that say by identity that no gradient came: the one each parameter had when we met it, or ours.
        self._zeros = {name: _CLEARED if nonzero(p.grad) else p.grad for name, p in self._params.items()}
        self._warned: set[str] = set()
        self._factors: list[RateFactor] = []  # one per schedule; lr is base_lr times all of them
        self._steps = 0
        self._state = {name: (0, *self._start()) for name in self._params}

    @property
    def lr(self) -> float:
        """The learning rate of the next step; setting it rescales what the schedules start from."""
        return self._lr

    @lr.setter
    def lr(self, lr: float) -> None:
        lr = valid("lr", lr)
        self._settle()
        base = lr / (math.prod(factor.value for factor in self._factors) or 1.0)
        self._lr, self.base_lr = lr, base

    def _settle(self) -> None:
        """The factor of a schedule that is gone belongs to the base rate: what replaces it goes on from there."""
        left = [factor for factor in self._factors if factor.schedule() is not None]
        base = math.prod([factor.value for factor in self._factors if factor not in left], start=self.base_lr)
        self.base_lr, self._factors = base, left

    def rule(self, data: Number, grad: Number, state: Moments) -> tuple[Number, Moments]:
        """The new data and state, as a pure function; floats and NumPy arrays alike.

        ``state`` holds the number of this very update (1, 2, ...), then one item per name in ``state_names``.
        """
        raise NotImplementedError(f"{type(self).__name__} must define rule(data, grad, state)")

    def _start(self) -> Moments:
        return (0.0,) * len(self.state_names)

    def _decayed(self, data: Number, grad: Number) -> Number:
        return grad + self.weight_decay * data if self.weight_decay else grad

    def _untouched(self, name: str) -> bool:
        grad = self._params[name].grad
        return grad is None or ((grad is _CLEARED or grad is self._zeros[name]) and not nonzero(grad))

    def _named(self, grads: Tree) -> dict[str, Any]:
        names, named = list(self._params), {}
        for i, (key, item) in enumerate(items("grads", grads)):
            named[key if key is not None else names[i] if i < len(names) else f"grads[{i}]"] = item
        same_names("grads", named, names, "give the gradients in the shape of params")
        return named

    def _warn(self, names: list[str], repair: str) -> None:
        if fresh := [name for name in names if name not in self._warned]:
            message = f"{listed(fresh, 10)}: no gradient has arrived, so step() leaves the value as it is; {repair}"
            warnings.warn(message, GradientWarning, stacklevel=frames.stacklevel())
            self._warned.update(fresh)

    def step(self, grads: Tree = None) -> None:
        """Move every parameter once, by the gradients in ``.grad`` or by those given in the shape of ``params``.

        A parameter that no gradient has reached stays as it is, with a GradientWarning.
        Raises NonFiniteGradientError and StructureError, and then nothing has changed.
        """
        absent = [name for name in self._params if grads is None and self._untouched(name)]
        named = {n: p.grad for n, p in self._params.items()} if grads is None else self._named(grads)
        for name in absent:
            del named[name]
        found = {n: numeric(f"gradient of {n}", named[n], p.data) for n, p in self._params.items() if n in named}
        repair = f"lower lr (now {self.lr:g}), use clip_grad_norm() at every step, or look with detect_anomaly()"
        for name, grad in found.items():
            require_finite(f"gradient of {name}", grad, repair)
        self._warn(absent, "does the loss depend on it?" if found else "call loss.backward() before step()")
        moved, states = {}, dict(self._state)
        for name, grad in found.items():
            count, *rest = self._state[name]
            moved[name], states[name] = self.rule(self._params[name].data, grad, (count + 1, *rest))
            for what, value in zip(("data", *self.state_names), (moved[name], *states[name][1:]), strict=True):
                require_finite(f"{name}: {what}", value, f"the update overflows, {repair}")
        before = {name: self._params[name].data for name in moved}
        try:
            for name, value in moved.items():
                self._params[name].data = value
        except BaseException:  # a read-only parameter, or Ctrl-C
            for name, value in before.items():
                if self._params[name].data is not value:
                    self._params[name].data = value
            raise
        self._state, self._steps = states, self._steps + 1

    def __getstate__(self) -> dict[str, Any]:
        grads = {n: getattr(p.grad, "_data", p.grad) for n, p in self._params.items() if not self._untouched(n)}
        return {**vars(self), "_zeros": None, "_grads": grads}

    def __setstate__(self, state: dict[str, JsonData]) -> None:
        """Gradients that came, which a parameter alone does not keep, and which of them did not."""
        grads = state.pop("_grads")
        vars(self).update(state)
        self._zeros = dict.fromkeys(self._params, _CLEARED)
        self.zero_grad()
        for name, grad in grads.items():
            self._params[name].grad = grad

    def zero_grad(self) -> None:
        """Set every gradient to zero, with a zero that step() can tell from a gradient that came out as 0."""
        zeros: dict[str, Any] = dict.fromkeys(self._params, _CLEARED)
        for name, p in self._params.items():
            if getattr(p.data, "shape", ()):
                zeros[name] = 0.0 * p.data
                zeros[name][...] = 0.0
        assign([*self._params.values(), self], [*["grad"] * len(zeros), "_zeros"], [*zeros.values(), zeros])

    def state_dict(self) -> dict[str, JsonData]:
        """All that a later run needs, besides the parameters, to go on to the same bits; JSON if they are scalars."""
        self._settle()
        state = {name: dict(zip(("step", *self.state_names), s, strict=True)) for name, s in self._state.items()}
        head = {"optimizer": type(self).__name__, "lr": self.lr, "base_lr": self.base_lr}
        return {**head, **self._saved(), "step": self._steps, "state": state}

    def load_state_dict(self, state: Mapping[str, JsonData]) -> None:
        """Continue where ``state_dict()`` was taken; on an error (StructureError, InputValueError) nothing changes."""
        settings = self._check_saved("optimizer", state, self.state_dict())
        rates = valid("lr", state["lr"]), valid("base_lr", state["base_lr"])
        steps, repair = valid("step", state["step"]), "use a state_dict() as it was saved"
        same_names("state['state']", state["state"], self._params, "make the optimizer with the same parameters")
        states = {}
        for name, p in self._params.items():
            saved = state["state"][name]
            same_names(f"state of {name}", saved, ("step", *self.state_names), repair)
            rest = []
            for key in self.state_names:
                like = p.data if getattr(saved[key], "shape", ()) else 0.0
                rest.append(numeric(f"{name}: {key}", saved[key], like))
                require_finite(f"{name}: {key}", rest[-1], repair)
            states[name] = (valid("step", saved["step"]), *rest)
        vars(self).update(**settings, _lr=rates[0], base_lr=rates[1], _steps=steps, _state=states)


class SGD(Optimizer):
    """Gradient descent: ``data - lr * grad`` exactly; with momentum ``data - lr * b`` and ``b = momentum * b + grad``.

    >>> from autograd_lite import Value
    >>> w = Value(1.0)
    >>> SGD([w], lr=0.25).step([2.0])
    >>> w.data
    0.5

    ``momentum`` and ``dampening`` weigh the old direction and the new gradient; ``nesterov`` looks one step ahead;
    ``weight_decay`` adds ``weight_decay * data`` to the gradient.
    Source: torch.optim.SGD; Sutskever et al. 2013, On the importance of initialization and momentum.
    """

    state_names = ("momentum_buffer",)

    def __init__(
        self, params: Tree, lr: float, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0,
        dampening: float = 0.0
    ) -> None:  # fmt: skip
        self.momentum, self.nesterov, self.weight_decay, self.dampening = momentum, nesterov, weight_decay, dampening
        super().__init__(params, lr)

    def _checked(self, given: Mapping[str, JsonData]) -> dict[str, Any]:
        checked = super()._checked(given)
        if checked["nesterov"] and (checked["momentum"] == 0 or checked["dampening"] != 0):
            values = f"momentum={checked['momentum']!r}, dampening={checked['dampening']!r}"
            raise InputValueError(f"nesterov=True needs momentum > 0 and dampening 0, not {values}; try momentum=0.9")
        return checked

    def rule(self, data: Number, grad: Number, state: Moments) -> tuple[Number, Moments]:
        step, buffer = state
        grad = self._decayed(data, grad)
        if self.momentum:
            # 1.0 * grad: an array of our own, since the caller may reuse its gradient's memory
            buffer = 1.0 * grad if step == 1 else self.momentum * buffer + (1 - self.dampening) * grad
            grad = grad + self.momentum * buffer if self.nesterov else buffer
        return data - self.lr * grad, (step, buffer)


class Adam(Optimizer):
    """Adam: a step of about lr, ``lr * m / (sqrt(v) + eps)``, from running means m of the gradient and v of its square.

    Both means are divided by ``1 - beta**step``, because they start from zero.

    >>> from autograd_lite import Value
    >>> w = Value(1.0)
    >>> Adam([w], lr=0.25).step([2.0])
    >>> round(w.data, 6)
    0.75

    ``betas``: memory of m and v, in [0, 1); ``eps``: gradient units; ``weight_decay`` adds to the gradient.
    Source: torch.optim.Adam; Kingma and Ba 2015, arXiv 1412.6980.
    """

    state_names = ("exp_avg", "exp_avg_sq")

    def __init__(
        self, params: Tree, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0.0
    ) -> None:  # fmt: skip
        self.betas, self.eps, self.weight_decay = betas, eps, weight_decay
        super().__init__(params, lr)

    def rule(self, data: Number, grad: Number, state: Moments) -> tuple[Number, Moments]:
        return self._move(data, self._decayed(data, grad), state)

    def _move(self, data: Number, grad: Number, state: Moments) -> tuple[Number, Moments]:
        (step, m, v), (beta1, beta2) = state, self.betas
        m = _moving_mean(m, grad, beta1)
        v = beta2 * v + (1 - beta2) * grad * grad
        scale = v**0.5 / (1 - beta2**step) ** 0.5 + self.eps
        return data - self.lr / (1 - beta1**step) * m / scale, (step, m, v)


class AdamW(Adam):
    """Adam with decoupled weight decay: ``data * (1 - lr * weight_decay)``, then Adam's step.

    >>> from autograd_lite import Value
    >>> w = Value(1.0)
    >>> AdamW([w], lr=0.5, weight_decay=0.5).step([0.0])
    >>> w.data
    0.75

    Source: torch.optim.AdamW; Loshchilov and Hutter 2019, arXiv 1711.05101.
    """

    def __init__(
        self, params: Tree, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)

    def rule(self, data: Number, grad: Number, state: Moments) -> tuple[Number, Moments]:
        return self._move(data * (1 - self.lr * self.weight_decay), grad, state)


class RMSprop(Optimizer):
    """RMSprop: ``data - lr * grad / (sqrt(v) + eps)`` with v a running mean of the squared gradient.

    >>> from autograd_lite import Value
    >>> w = Value(1.0)
    >>> RMSprop([w], lr=0.25, alpha=0.0).step([2.0])
    >>> round(w.data, 6)
    0.75

    ``alpha``: memory of v, in [0, 1); ``centered`` takes the variance for v (0 where rounding makes it negative).
    Source: torch.optim.RMSprop; Hinton's lecture 6e, 2012; Graves 2013, arXiv 1308.0850.
    """

    state_names = ("square_avg", "grad_avg", "momentum_buffer")

    def __init__(
        self, params: Tree, lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0.0,
        momentum: float = 0.0, centered: bool = False
    ) -> None:  # fmt: skip
        self.alpha, self.eps, self.weight_decay = alpha, eps, weight_decay
        self.momentum, self.centered = momentum, centered
        super().__init__(params, lr)

    def rule(self, data: Number, grad: Number, state: Moments) -> tuple[Number, Moments]:
        step, square, mean, buffer = state
        grad = self._decayed(data, grad)
        square = self.alpha * square + (1 - self.alpha) * grad * grad
        v = square
        if self.centered:
            mean = _moving_mean(mean, grad, self.alpha)
            v = square - mean * mean
            v = 0.5 * v + 0.5 * abs(v)  # max(v, 0) on floats and arrays alike
        scale = v**0.5 + self.eps
        if not self.momentum:
            return data - self.lr * grad / scale, (step, square, mean, buffer)
        buffer = self.momentum * buffer + grad / scale
        return data - self.lr * buffer, (step, square, mean, buffer)


class Adagrad(Optimizer):
    """Adagrad: ``data - lr / (1 + (step-1) * lr_decay) * grad / (sqrt(v) + eps)`` with v the sum of squared gradients.

    >>> from autograd_lite import Value
    >>> w = Value(1.0)
    >>> Adagrad([w], lr=0.25).step([2.0])
    >>> round(w.data, 6)
    0.75

    ``initial_accumulator_value``: v at the start, squared gradient units.
    Source: torch.optim.Adagrad; Duchi, Hazan and Singer 2011, JMLR 12.
    """

    state_names = ("sum",)

    def __init__(
        self, params: Tree, lr: float = 1e-2, lr_decay: float = 0.0, weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0, eps: float = 1e-10
    ) -> None:  # fmt: skip
        self.lr_decay, self.weight_decay, self.eps = lr_decay, weight_decay, eps
        self.initial_accumulator_value = initial_accumulator_value
        super().__init__(params, lr)

    def _start(self) -> Moments:
        return (self.initial_accumulator_value,)

    def rule(self, data: Number, grad: Number, state: Moments) -> tuple[Number, Moments]:
        step, total = state
        grad = self._decayed(data, grad)
        total = total + grad * grad
        return data - self.lr / (1 + (step - 1) * self.lr_decay) * grad / (total**0.5 + self.eps), (step, total)
