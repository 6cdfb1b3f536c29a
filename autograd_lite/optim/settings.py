"""Settings of optimizers and schedules: one rule and one repair for each, checked when made and when loaded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from reprlib import Repr
from typing import Any

from ..errors import InputTypeError, InputValueError, StructureError
from ..files import JsonData
from ..tree import an

_REPR = Repr()
_REPR.maxother = 80
short = _REPR.repr

# fmt: off
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


def valid(name: str, value: object) -> Any:
    """The setting as a plain float, int, bool or tuple; one without a rule (of a user's own optimizer) as it is."""
    if name not in _RULES:
        return value
    (kind, allowed, rule), repair = _RULES[name]
    convert, noun = _SHAPES.get(kind, (tuple, "pair"))
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise InputTypeError(f"{name}={short(value)} is {an(value)}, not a {noun}; {repair}")
    if not allowed(value):
        raise InputValueError(f"{name}={value!r} must {rule}; {repair}")
    return convert(value)


def same_names(what: str, given: Any, wanted: Iterable[str], repair: str) -> None:
    """Raise StructureError unless `given` is a dict with just the keys `wanted`."""
    if not isinstance(given, Mapping):
        raise InputTypeError(f"{what}={short(given)} is {an(given)}, not a dict; {repair}")
    known = set(wanted)
    missing, unknown = [n for n in wanted if n not in given], [n for n in given if n not in known]
    parts = [f"has nothing for {', '.join(map(repr, missing))}"] if missing else []
    parts += [f"has {', '.join(map(repr, unknown))}, which the optimizer does not know"] if unknown else []
    if parts:
        raise StructureError(f"{what} {' and '.join(parts)}; {repair}")


class Configured:
    """Settings are the attributes set when ``_configure`` is called; validated together and saved by name."""

    _settings: tuple[str, ...]

    def _configure(self) -> None:
        self._settings = tuple(vars(self))
        vars(self).update(self._checked(vars(self)))

    def _checked(self, given: Mapping[str, JsonData]) -> dict[str, Any]:
        return {name: valid(name, given[name]) for name in self._settings}

    def _saved(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in self._settings}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def _check_saved(self, kind: str, state: JsonData, wanted: Mapping[str, JsonData]) -> dict[str, Any]:
        same_names("state", state, wanted, f"use the state_dict() of {an(self)}")
        if state[kind] != type(self).__name__:
            raise InputValueError(f"{kind}={state[kind]!r} must be {type(self).__name__!r}; load it into its own class")
        return self._checked(state)
