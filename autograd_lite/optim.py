"""Optimizers, learning-rate schedules and gradient clipping; names and formulas are PyTorch's.

Knows nothing of autodiff.  A parameter is any object with a settable ``.data`` and ``.grad``: a Value, or a holder of
NumPy arrays.  Parameters come as a list, as a dict name -> parameter, or as an object with ``named_parameters()``.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from reprlib import Repr
from typing import Any, ClassVar

from autograd_lite.errors import (
    GradientWarning,
    InputTypeError,
    InputValueError,
    NonFiniteGradientError,
    NotALeafError,
    StructureError,
)

# fmt: off
__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "CosineAnnealingLR", "ExponentialLR", "LinearLR", "Optimizer", "RMSprop",
           "Schedule", "StepLR", "clip_grad_norm"]

# An object no arithmetic returns: while a parameter's grad *is* this zero, no gradient came since zero_grad().
_CLEARED = float("0")

_REPR = Repr()
_REPR.maxother = 80
short = _REPR.repr

State = tuple[Any, ...]
_Rule = tuple[Any, Callable[[Any], bool], str]
_NOT_NEGATIVE: _Rule = (Real, lambda x: 0 <= x < math.inf, "not be negative, infinite or nan")
_POSITIVE: _Rule = (Real, lambda x: 0 < x < math.inf, "be positive and finite")
_COUNT: _Rule = (Integral, lambda n: n >= 1, "be at least 1")
_SWITCH: _Rule = (bool, lambda _: True, "be True or False")
_PAIR: _Rule = ((tuple, list), lambda b: len(b) == 2 and all(isinstance(x, (int, float)) and 0 <= x < 1 for x in b),
                "be two numbers in [0, 1)")

# name -> (rule, repair), for every setting of every optimizer and schedule
_RULES: dict[str, tuple[_Rule, str]] = {
    "lr": (_NOT_NEGATIVE, "a step goes downhill by itself, start with lr=0.01"),
    "base_lr": (_NOT_NEGATIVE, "use a state_dict() as it was saved"),
    "momentum": (_NOT_NEGATIVE, "momentum=0.9 is usual, 0 turns it off"),
    "dampening": ((Real, math.isfinite, "be finite"), "0 turns it off"),
    "nesterov": (_SWITCH, "give it by name: nesterov=True"),
    "weight_decay": (_NOT_NEGATIVE, "0 turns it off"),
    "betas": (_PAIR, "betas=(0.9, 0.999) is usual"),
    "eps": (_POSITIVE, "it keeps a zero gradient from dividing by zero, eps=1e-8 is usual"),
    "alpha": ((Real, lambda x: 0 <= x < 1, "be in [0, 1)"), "alpha=0.99 is usual"),
    "centered": (_SWITCH, "give it by name: centered=True"),
    "lr_decay": (_NOT_NEGATIVE, "0 turns it off"),
    "initial_accumulator_value": (_NOT_NEGATIVE, "0 is usual"),
    "step_size": (_COUNT, "give the number of steps between two drops"),
    "gamma": (_POSITIVE, "give the factor of one drop, such as 0.1"),
    "T_max": (_COUNT, "give the number of steps from lr down to eta_min"),
    "eta_min": (_NOT_NEGATIVE, "0 anneals all the way"),
    "start_factor": ((Real, lambda x: 0 < x <= 1, "be in (0, 1]"), "the warm-up begins at lr * start_factor"),
    "end_factor": ((Real, lambda x: 0 <= x <= 1, "be in [0, 1]"), "the warm-up ends at lr * end_factor"),
    "total_iters": (_COUNT, "give the number of warm-up steps"),
    "max_norm": ((Real, lambda x: x > 0, "be positive"), "max_norm=math.inf only measures"),
    "step": ((Integral, lambda n: n >= 0, "not be negative"), "use a state_dict() as it was saved"),
}
_SHAPES = {Real: (float, "number"), Integral: (int, "whole number"), bool: (bool, "bool")}
# fmt: on


def _kind(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _valid(name: str, value: Any) -> Any:
    """The setting as a plain float, int, bool or tuple; one without a rule (of a user's own optimizer) as it is."""
    if name not in _RULES:
        return value
    (kind, allowed, rule), repair = _RULES[name]
    convert, noun = _SHAPES.get(kind, (tuple, "pair"))
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise InputTypeError(f"{name}={short(value)} is {_kind(value)}, not a {noun}; {repair}")
    if not allowed(value):
        raise InputValueError(f"{name}={value!r} must {rule}; {repair}")
    return convert(value)


def _same_names(what: str, given: Any, wanted: Iterable[str], repair: str) -> None:
    if not isinstance(given, Mapping):
        raise InputTypeError(f"{what}={short(given)} is {_kind(given)}, not a dict; {repair}")
    known = set(wanted)
    missing, unknown = [n for n in wanted if n not in given], [n for n in given if n not in known]
    parts = [f"has nothing for {', '.join(map(repr, missing))}"] if missing else []
    parts += [f"has {', '.join(map(repr, unknown))}, which the optimizer does not know"] if unknown else []
    if parts:
        raise StructureError(f"{what} {' and '.join(parts)}; {repair}")


def _items(what: str, tree: Any) -> list[tuple[str | None, Any]]:
    """The (name, item) pairs of a Module, a dict or an iterable, in order; items of an iterable have no name."""
    if hasattr(tree, "named_parameters"):
        return [(str(name), item) for name, item in tree.named_parameters()]
    if isinstance(tree, Mapping):
        return [(str(name), item) for name, item in tree.items()]
    if hasattr(tree, "grad") or not isinstance(tree, Iterable):
        raise InputTypeError(f"{what}={short(tree)} is a single {type(tree).__name__}; put it in a list: [{what}]")
    return [(None, item) for item in tree]


def _parameters(params: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    places: dict[int, str] = {}
    for i, (key, item) in enumerate(_items("params", params)):
        place = f"params[{i}]" if key is None else key
        if not (hasattr(item, "data") and hasattr(item, "grad")):
            repair = f"wrap it: Value({short(item)})" if isinstance(item, Real) else "it needs .data and .grad"
            raise InputTypeError(f"{place}={short(item)} is {_kind(item)}, not a parameter; {repair}")
        if id(item) in places:
            raise InputValueError(f"{places[id(item)]} and {place} are the same parameter; give it once")
        places[id(item)] = place
        own = getattr(item, "name", None) if key is None else None
        name = place if own is None or str(own) in found else str(own)
        if name in found:
            raise InputValueError(f"two parameters are called {name!r}; give each a name of its own")
        found[name] = item
    if not found:
        raise InputValueError("params holds no parameter; give at least one (a generator can be used up only once)")
    return found


def _numeric(place: str, item: Any, like: Any) -> Any:
    """A float, or an array of the shape of ``like``; a Value, or a parameter that holds a gradient, gives its data."""
    if item.__class__ is float and like.__class__ is float:
        return item
    item = item.data if hasattr(item, "grad") else item
    shape, wanted = getattr(item, "shape", ()), getattr(like, "shape", ())
    if shape != wanted:
        raise StructureError(f"{place} has shape {shape} and its parameter {wanted}; give one number for each")
    if shape:
        return item
    if not (isinstance(item, Real) or hasattr(item, "shape")):
        raise InputTypeError(f"{place}={short(item)} is {_kind(item)}, not a number; give a float or a Value")
    return float(item)


def _nonzero(x: Any) -> bool:
    return bool(x.any() if hasattr(x, "any") else x)


def _require_finite(place: str, value: Any, repair: str) -> None:
    finite = abs(value) < math.inf
    if finite is not True and not (finite.all() if hasattr(finite, "all") else finite):
        flat = value.ravel().tolist() if hasattr(value, "ravel") else [value]
        i, bad = next((i, x) for i, x in enumerate(flat) if not math.isfinite(x))
        index = f".flat[{i}]" if getattr(value, "shape", ()) else ""
        raise NonFiniteGradientError(f"{place}{index}={bad} must be finite, so nothing was changed; {repair}")


def _mean(old: Any, new: Any, memory: float) -> Any:
    """``memory * old + (1 - memory) * new`` with torch's rounding, which is exact at both ends."""
    return old + (1 - memory) * (new - old) if 1 - memory < 0.5 else new - memory * (new - old)


class _Configured:
    """Settings are the attributes set when ``_configure`` is called; validated together and saved by name."""

    _settings: tuple[str, ...]

    def _configure(self) -> None:
        self._settings = tuple(vars(self))
        vars(self).update(self._checked(vars(self)))

    def _checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return {name: _valid(name, given[name]) for name in self._settings}

    def _saved(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in self._settings}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def _check_saved(self, kind: str, state: Any, wanted: Mapping[str, Any]) -> dict[str, Any]:
        _same_names("state", state, wanted, f"use the state_dict() of {_kind(self)}")
        if state[kind] != type(self).__name__:
            raise InputValueError(f"{kind}={state[kind]!r} must be {type(self).__name__!r}; load it into its own class")
        return self._checked(state)


class Optimizer(_Configured):
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

    def __init__(self, params: Any, lr: float) -> None:
        self._configure()
        self._lr: float = _valid("lr", lr)
        self.base_lr = self._lr
        self._params = _parameters(params)
        for name, p in self._params.items():
            if (op := getattr(p, "op", None)) is not None:
                repair = "make it a leaf with .detach() or optimise the leaves it was computed from"
                raise NotALeafError(f"{name} was computed (op={getattr(op, 'name', op)}), it is not a leaf; {repair}")
        # Zeros that say by identity that no gradient came: the one each parameter had when we met it, or ours.
        self._zeros = {name: _CLEARED if _nonzero(p.grad) else p.grad for name, p in self._params.items()}
        self._warned: set[str] = set()
        self._factors: list[float] = []  # one per schedule; lr is base_lr times all of them
        self._steps = 0
        self._state = {name: (0, *self._start()) for name in self._params}

    @property
    def lr(self) -> float:
        """The learning rate of the next step; setting it rescales what the schedules start from."""
        return self._lr

    @lr.setter
    def lr(self, lr: float) -> None:
        lr = _valid("lr", lr)
        self._lr, self.base_lr = lr, lr / (math.prod(self._factors) or 1.0)

    def rule(self, data: Any, grad: Any, state: State) -> tuple[Any, State]:
        """The new data and state, as a pure function; floats and NumPy arrays alike.

        ``state`` holds the number of this very update (1, 2, ...), then one item per name in ``state_names``.
        """
        raise NotImplementedError(f"{type(self).__name__} must define rule(data, grad, state)")

    def _start(self) -> State:
        return (0.0,) * len(self.state_names)

    def _decayed(self, data: Any, grad: Any) -> Any:
        return grad + self.weight_decay * data if self.weight_decay else grad

    def _untouched(self, name: str) -> bool:
        grad = self._params[name].grad
        return grad is None or ((grad is _CLEARED or grad is self._zeros[name]) and not _nonzero(grad))

    def _named(self, grads: Any) -> dict[str, Any]:
        names, named = list(self._params), {}
        for i, (key, item) in enumerate(_items("grads", grads)):
            named[key if key is not None else names[i] if i < len(names) else f"grads[{i}]"] = item
        _same_names("grads", named, names, "give the gradients in the shape of params")
        return named

    def _warn(self, names: list[str], repair: str) -> None:
        if fresh := [name for name in names if name not in self._warned]:
            listed = ", ".join(fresh[:10]) + (f" and {len(fresh) - 10} more" if len(fresh) > 10 else "")
            message = f"{listed}: no gradient has arrived, so step() leaves the value as it is; {repair}"
            warnings.warn(message, GradientWarning, stacklevel=3)
            self._warned.update(fresh)

    def step(self, grads: Any = None) -> None:
        """Move every parameter once, by the gradients in ``.grad`` or by those given in the shape of ``params``.

        A parameter that no gradient has reached stays as it is, with a GradientWarning.
        Raises NonFiniteGradientError and StructureError, and then nothing has changed.
        """
        absent = [name for name in self._params if grads is None and self._untouched(name)]
        named = {n: p.grad for n, p in self._params.items()} if grads is None else self._named(grads)
        for name in absent:
            del named[name]
        found = {n: _numeric(f"gradient of {n}", named[n], p.data) for n, p in self._params.items() if n in named}
        repair = f"lower lr (now {self.lr:g}), use clip_grad_norm() at every step, or look with detect_anomaly()"
        for name, grad in found.items():
            _require_finite(f"gradient of {name}", grad, repair)
        self._warn(absent, "does the loss depend on it?" if found else "call loss.backward() before step()")
        moved, states = {}, dict(self._state)
        for name, grad in found.items():
            count, *rest = self._state[name]
            moved[name], states[name] = self.rule(self._params[name].data, grad, (count + 1, *rest))
            for what, value in zip(("data", *self.state_names), (moved[name], *states[name][1:]), strict=True):
                _require_finite(f"{name}: {what}", value, f"the update overflows, {repair}")
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

    def zero_grad(self) -> None:
        """Set every gradient to zero, with a zero that step() can tell from a gradient that came out as 0."""
        for name, p in self._params.items():
            zero = _CLEARED
            if getattr(p.data, "shape", ()):
                zero = self._zeros[name] = p.data + 0.0
                zero[...] = 0.0
            p.grad = zero

    def state_dict(self) -> dict[str, Any]:
        """All that a later run needs, besides the parameters, to go on to the same bits; JSON if they are scalars."""
        state = {name: dict(zip(("step", *self.state_names), s, strict=True)) for name, s in self._state.items()}
        head = {"optimizer": type(self).__name__, "lr": self.lr, "base_lr": self.base_lr}
        return {**head, **self._saved(), "step": self._steps, "state": state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where ``state_dict()`` was taken; on an error (StructureError, InputValueError) nothing changes."""
        settings = self._check_saved("optimizer", state, self.state_dict())
        rates = _valid("lr", state["lr"]), _valid("base_lr", state["base_lr"])
        steps, repair = _valid("step", state["step"]), "use a state_dict() as it was saved"
        _same_names("state['state']", state["state"], self._params, "make the optimizer with the same parameters")
        states = {}
        for name, p in self._params.items():
            saved = state["state"][name]
            _same_names(f"state of {name}", saved, ("step", *self.state_names), repair)
            rest = []
            for key in self.state_names:
                like = p.data if getattr(saved[key], "shape", ()) else 0.0
                rest.append(_numeric(f"{name}: {key}", saved[key], like))
                _require_finite(f"{name}: {key}", rest[-1], repair)
            states[name] = (_valid("step", saved["step"]), *rest)
        vars(self).update(settings)
        (self._lr, self.base_lr), self._steps, self._state = rates, steps, states


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
        self, params: Any, lr: float, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0,
        dampening: float = 0.0
    ) -> None:  # fmt: skip
        self.momentum, self.nesterov, self.weight_decay, self.dampening = momentum, nesterov, weight_decay, dampening
        super().__init__(params, lr)

    def _checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        checked = super()._checked(given)
        if checked["nesterov"] and (checked["momentum"] == 0 or checked["dampening"] != 0):
            values = f"momentum={checked['momentum']!r}, dampening={checked['dampening']!r}"
            raise InputValueError(f"nesterov=True needs momentum > 0 and dampening 0, not {values}; try momentum=0.9")
        return checked

    def rule(self, data: Any, grad: Any, state: State) -> tuple[Any, State]:
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
        self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0.0
    ) -> None:  # fmt: skip
        self.betas, self.eps, self.weight_decay = betas, eps, weight_decay
        super().__init__(params, lr)

    def rule(self, data: Any, grad: Any, state: State) -> tuple[Any, State]:
        return self._move(data, self._decayed(data, grad), state)

    def _move(self, data: Any, grad: Any, state: State) -> tuple[Any, State]:
        (step, m, v), (beta1, beta2) = state, self.betas
        m = _mean(m, grad, beta1)
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
        self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)

    def rule(self, data: Any, grad: Any, state: State) -> tuple[Any, State]:
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
        self, params: Any, lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0.0,
        momentum: float = 0.0, centered: bool = False
    ) -> None:  # fmt: skip
        self.alpha, self.eps, self.weight_decay = alpha, eps, weight_decay
        self.momentum, self.centered = momentum, centered
        super().__init__(params, lr)

    def rule(self, data: Any, grad: Any, state: State) -> tuple[Any, State]:
        step, square, mean, buffer = state
        grad = self._decayed(data, grad)
        square = self.alpha * square + (1 - self.alpha) * grad * grad
        v = square
        if self.centered:
            mean = _mean(mean, grad, self.alpha)
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
        self, params: Any, lr: float = 1e-2, lr_decay: float = 0.0, weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0, eps: float = 1e-10
    ) -> None:  # fmt: skip
        self.lr_decay, self.weight_decay, self.eps = lr_decay, weight_decay, eps
        self.initial_accumulator_value = initial_accumulator_value
        super().__init__(params, lr)

    def _start(self) -> State:
        return (self.initial_accumulator_value,)

    def rule(self, data: Any, grad: Any, state: State) -> tuple[Any, State]:
        step, total = state
        grad = self._decayed(data, grad)
        total = total + grad * grad
        return data - self.lr / (1 + (step - 1) * self.lr_decay) * grad / (total**0.5 + self.eps), (step, total)


class Schedule(_Configured):
    """Base of the schedules: the optimizer's lr is its base lr times ``factor(step)`` of every schedule made for it.

    Several schedules on one optimizer multiply, as warm-up times cosine here; each is stepped on its own.

    >>> from autograd_lite import Value
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

    def __init__(self, optimizer: Optimizer) -> None:
        self._configure()
        if not isinstance(optimizer, Optimizer):
            raise InputTypeError(f"optimizer={short(optimizer)} is {_kind(optimizer)}, not an optimizer; try an SGD")
        self.optimizer = optimizer
        self._slot = len(optimizer._factors)
        optimizer._factors.append(1.0)
        self._go_to(0)

    def factor(self, step: int) -> float:
        """What the base lr is multiplied by after ``step`` steps; a pure function."""
        raise NotImplementedError(f"{type(self).__name__} must define factor(step)")

    def _go_to(self, step: int) -> None:
        optimizer = self.optimizer
        optimizer._factors[self._slot] = self.factor(step)
        optimizer._lr, self._step = optimizer.base_lr * math.prod(optimizer._factors), step

    def step(self) -> None:
        """Go one step on and set the optimizer's lr."""
        self._go_to(self._step + 1)

    def state_dict(self) -> dict[str, Any]:
        """The settings and the step as plain data."""
        return {"schedule": type(self).__name__, **self._saved(), "step": self._step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where ``state_dict()`` was taken, once the optimizer's is loaded; on an error nothing changes."""
        settings = self._check_saved("schedule", state, self.state_dict())
        step = _valid("step", state["step"])
        vars(self).update(settings)
        self._go_to(step)


class StepLR(Schedule):
    """A drop every ``step_size`` steps: ``gamma ** (step // step_size)``.

    >>> from autograd_lite import Value
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
    >>> [round(CosineAnnealingLR(SGD([Value(1.0)], lr=1.0), T_max=4).factor(step), 3) for step in range(5)]
    [1.0, 0.854, 0.5, 0.146, 0.0]

    ``T_max``: steps, after which the lr rises again as in torch; ``eta_min``: in units of lr.
    Source: Loshchilov and Hutter 2017, arXiv 1608.03983.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:  # noqa: N803 (torch's name)
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        low = self.eta_min / (self.optimizer.base_lr or 1.0)
        return low + (1 - low) * (1 + math.cos(math.pi * step / self.T_max)) / 2


class LinearLR(Schedule):
    """A warm-up: from ``start_factor`` to ``end_factor`` on a straight line over ``total_iters`` steps, constant after.

    >>> from autograd_lite import Value
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


def clip_grad_norm(params: Any, max_norm: float) -> float:
    """Scale all ``.grad`` by ``min(1, max_norm / (norm + 1e-6))``, norm being their Euclidean length, and return norm.

    >>> from autograd_lite import Value
    >>> a, b = Value(0.0), Value(0.0)
    >>> (3 * a + 4 * b).backward()
    >>> clip_grad_norm([a, b], max_norm=1.0)
    5.0
    >>> round(a.grad, 6), round(b.grad, 6)
    (0.6, 0.8)

    ``params``: as for an optimizer; ``max_norm``: gradient units, above 0, ``math.inf`` to measure only.
    Raises NonFiniteGradientError, and then nothing has changed.  Source: torch.nn.utils.clip_grad_norm_.
    """
    max_norm, found = _valid("max_norm", max_norm), _parameters(params)
    moving = {name: p for name, p in found.items() if p.grad is not None and _nonzero(p.grad)}
    flat = {}
    for name, p in moving.items():
        grad = _numeric(f"gradient of {name}", p.grad, p.data)
        _require_finite(f"gradient of {name}", grad, "lower lr or look with detect_anomaly()")
        flat[name] = grad.ravel().tolist() if hasattr(grad, "ravel") else [grad]
    norm = math.hypot(*(x for xs in flat.values() for x in xs))
    _require_finite(f"norm with the gradient of {max(flat, key=lambda n: max(map(abs, flat[n])), default='')}", norm,
                    "lower lr or look with detect_anomaly()")  # fmt: skip
    if (scale := max_norm / (norm + 1e-6)) < 1:
        for p in moving.values():  # a zero stays the object it is: an optimizer knows by it that no gradient came
            p.grad = p.grad * scale
    return norm
