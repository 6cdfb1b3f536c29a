"""What each row should be, by its definition in mpmath, and its derivatives by differences of that: no rule takes part."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from mpmath import mp, mpf

from autograd_lite.gradcheck.replay import high_precision_form
from autograd_lite.ops import TABLE, Op
from autograd_lite.ops.columns import Interval

STEP = 50  # differences are taken over 1e-50 of the argument
DIGITS = 350  # and worked out with so many digits that slopes of 1e-200 come out right


# Arguments that select a function rather than being one of its variables: the values they are drawn from.
SELECTORS = {op.name: {i: setting.examples[:3] for i, setting in op.settings.items()} for op in TABLE.values()}
SELECTORS["where"] = {0: (0.0, 1.0)}
# Functions of the differences of their arguments: what counts is an ulp of 1 in an argument, not of its own size.
OF_DIFFERENCES = {"softmax_weight", "softmax_rest", "log_softmax_weight"}


def size(op: Op) -> int:
    """How many arguments the tests give to a row."""
    return len(op.example)


def intervals(op: Op) -> tuple[Interval, ...]:
    """The domain of each argument."""
    return op.domain if op.arity is not None else op.domain[:1] * size(op)


def variables(op: Op) -> list[int]:
    """The arguments that can be differentiated."""
    return [i for i in range(size(op)) if i not in SELECTORS.get(op.name, {})]


def usable(op: Op, at: Sequence[float]) -> bool:
    """Whether a point lies in the row's domain and away from its kinks."""
    inside = all(x in d for x, d in zip(at, intervals(op), strict=True))
    return inside and not op.kinked(*at)


def exactly(op: Op, at: Sequence[float]) -> Callable[..., Any]:
    """The row in mpmath, in the piece that holds at a point."""
    form = high_precision_form(op, mp)
    assert form is not None, op.name
    return lambda *args: form(at, None, *args)


def derivative(f: Callable[..., Any], at: Sequence[Any], orders: Sequence[int]) -> Any:
    """A partial derivative in high precision, by central differences with a tiny step."""
    with mp.workdps(DIGITS):
        h = mpf(10) ** -STEP
        total = mpf(0)
        for steps in itertools.product(*(range(n + 1) for n in orders)):
            weight = mpf(1)
            for n, s in zip(orders, steps, strict=True):
                weight *= (-1) ** (n - s) * math.comb(n, s)
            scale = [(abs(x) or mpf(1)) * h for x in at]
            total += weight * f(*[x + (mpf(s) - mpf(n) / 2) * d for x, s, n, d in zip(at, steps, orders, scale, strict=True)])
        for n, d in zip(orders, scale, strict=True):
            total /= d**n
        return total


def oracle(op: Op, at: Sequence[float], orders: Sequence[int]) -> tuple[Any, float]:
    """The true derivative of a row at a point, and its condition number with respect to the point's coordinates."""
    f = exactly(op, at)
    with mp.workdps(DIGITS):
        point = [mpf(x) for x in at]
        truth = derivative(f, point, orders)
        if not truth:
            return truth, 1.0
        condition = mpf(1)
        for i in variables(op):
            raised = [n + (j == i) for j, n in enumerate(orders)]
            size_of = max(abs(point[i]), 1) if op.name in OF_DIFFERENCES else abs(point[i])
            condition += abs(size_of * derivative(f, point, raised) / truth)
        return truth, float(min(condition, mpf(10) ** 300))


def error_in_ulp(got: float, truth: Any) -> float:
    """How far a float is from the truth, in units of its last place; 0 for overflow to inf where the truth overflows."""
    with mp.workdps(DIGITS):
        if abs(truth) > mpf(1.7e308):
            return 0.0 if abs(got) > 1e308 and (got > 0) == (truth > 0) else math.inf
        if math.isnan(got) or math.isinf(got):
            return math.inf
        if abs(truth) < mpf(10) ** -200:  # about to underflow
            return 0.0 if abs(got) < 1e-199 else math.inf
        return float(abs(mpf(got) - truth) / math.ulp(float(truth)))
