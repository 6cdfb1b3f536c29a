"""Every row of the op table with arguments to hold a backend against: pins, special values, points in and out of domain.

Used by the tests of lowerings and of the array backends; and programs made by hand.
"""

from __future__ import annotations

import itertools
import math
import operator
import random
from collections.abc import Callable, Iterator, Sequence
from math import inf, nan
from typing import Any

from autograd_lite import ops
from autograd_lite.ops import TABLE, Op
from autograd_lite.ops.powers import _log_terms
from autograd_lite.program import Guard, Instruction, Program

Point = tuple[float, ...]

SPECIAL = (0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0, 2.5, 3.0, -3.0, 20.0, -20.0, 750.0, -750.0, 1e300, -1e300, 1e-300,
           -1e-300, 5e-324, inf, -inf, nan)  # fmt: skip
FEW = (0.0, -0.0, 1.0, -1.0, 2.0, -2.5, 1e155, 1e-160, inf, -inf, nan)
FEWER = (0.0, 1.0, -2.5, inf, -inf, nan)

# The rows of any number of items, by how many arguments they are tried with
COUNTS = {"hypot": (1, 2, 3), "dot": (2, 4, 6)}
# Arguments that select a function: the constants they are tried with
SELECTORS = {op.name: {i: setting.examples for i, setting in op.settings.items()} for op in TABLE.values() if op.settings}
SELECTORS["pow_derivative"][3] = (0.0, 1.0, 2.0)  # each power of the logarithm costs a unit
# The exponents and the like that a lowering takes in Python, where they are constants
CONSTANTS: dict[str, tuple[int, tuple[float, ...]]] = {
    "pow": (1, (0.0, 1.0, 2.0, 3.0, 4.0, -1.0, -2.0, -3.0, -4.0, 0.5, -0.5, 1.5, 5.0, -0.0, 1 / 3, inf, nan)),
    "pow_derivative": (1, (0.0, 1.0, 2.0, 3.0, 5.0, -1.0, 0.5, 1.5, 2.5)),
    "gaussian": (1, (0.5, 1.0, -1.0, nan)),
    "muldiv": (1, (0.5, 1.0, -3.0, 0.0, nan)),
    "heaviside": (1, (0.0, -0.0, 0.5, 1.0, nan)),
}


def arities(op: Op) -> tuple[int, ...]:
    """How many arguments a row is tried with."""
    if op.arity is not None:
        return (op.arity,)
    if op.name in SELECTORS:
        return (4, 5)
    return COUNTS.get(op.name, (1, 2, 4))


def grid(op: Op, arity: int) -> list[Point]:
    """Special values in every combination, and points over many magnitudes."""
    chosen = SELECTORS.get(op.name, {})
    free = arity - len(chosen)
    values = SPECIAL if free == 1 else FEW if free == 2 else FEWER
    if free > 3:
        values = (0.0, 1.0, inf, -inf, nan) if free == 4 else (-1.0, inf, nan)
    special = itertools.product(*[chosen.get(i, values) for i in range(arity)])
    pins = [pin.at for pin in op.pins if len(pin.at) == arity]
    return [*pins, *special, *scattered(op, arity)]


def scattered(op: Op, arity: int, count: int = 300) -> Iterator[Point]:
    """Random points: half of moderate size, some in [0, 1], some whole, some of any magnitude."""
    rng = random.Random(f"{op.name} {arity}")
    chosen = SELECTORS.get(op.name, {})

    def number() -> float:
        kind = rng.random()
        if kind < 0.5:
            return rng.uniform(-40.0, 40.0)
        if kind < 0.7:
            return rng.uniform(-1.0, 1.0)
        if kind < 0.8:
            return float(rng.randint(-30, 30))
        return rng.choice((-1.0, 1.0)) * 10.0 ** rng.uniform(-30.0, 30.0)

    for _ in range(count):
        yield tuple(rng.choice(chosen[i]) if i in chosen else number() for i in range(arity))


def columns(op: Op, arity: int) -> Iterator[tuple[tuple[bool, ...], list[Point]]]:
    """The points in groups that differ in the arguments that vary alone: with every way of choosing these, and `CONSTANTS`."""
    points = grid(op, arity)
    for varies in kinds(op, arity):
        groups: dict[tuple[str, ...], list[Point]] = {}
        for at in points:
            groups.setdefault(tuple(x.hex() for x, v in zip(at, varies, strict=True) if not v), []).append(at)
        for group in groups.values():
            if len(group) > 1:
                yield varies, group
    if op.name in CONSTANTS:
        i, values = CONSTANTS[op.name]
        varies = tuple(j != i and j not in SELECTORS.get(op.name, {}) for j in range(arity))
        for rest in itertools.product(*[SELECTORS[op.name][j] for j in SELECTORS.get(op.name, {})]):
            for value in values:
                group = [(*at[:i], value, *at[i + 1 : arity - len(rest)], *rest) for at in points]
                yield varies, [*dict.fromkeys(group)]


def kinds(op: Op, arity: int) -> list[tuple[bool, ...]]:
    """Which arguments vary: all of them, and each alone, selectors never unless alone."""
    chosen = SELECTORS.get(op.name, {})
    every = [tuple(i not in chosen for i in range(arity))]
    if arity > 1:
        every += [tuple(i == j for i in range(arity)) for j in range(arity)]
        every.append((True,) * arity)
    return list(dict.fromkeys(every))


def plant(monkeypatch: Any, name: str, fault: Callable[..., Any]) -> None:
    """Have a row computed by a wrong formula."""
    monkeypatch.setattr(TABLE[name], "core", fault)
    monkeypatch.setattr(TABLE[name], "fast", None)


def cases() -> list[tuple[Op, int]]:
    return [(op, arity) for op in TABLE.values() for arity in arities(op)]


def within(op: Op, at: Point, got: float, wanted: float, ulp: float) -> bool:
    """Whether a result is that close to the row's own; inf, nan and 0 only to their like.

    Where the last step is a sum, the units are those of its largest term.
    """
    if got == wanted or (got != got and wanted != wanted):
        return True
    if not (math.isfinite(got) and math.isfinite(wanted)):  # one of two that overflow may round to the largest double
        return min(abs(got), abs(wanted)) > 1.79769313486230e308 and got * wanted > 0.0
    term = TERMS[op.name](*at) if op.name in TERMS else 0.0
    return abs(got - wanted) <= ulp * math.ulp(max(abs(wanted), term))


def _pow_terms(x: float, y: float, n: float, k: float) -> float:
    if not 0.0 < x < inf:
        return 0.0
    terms = [abs(c * math.log(x) ** j) for j, c in enumerate(_log_terms(y, int(n), int(k)))]
    return max(terms) * TABLE["pow"].forward(x, y - n)


# The largest term of rows that add up terms of two signs, at finite arguments
TERMS: dict[str, Callable[..., float]] = {
    "logsumexp": lambda *items: max(map(abs, items)),
    "logaddexp": lambda x, y: max(abs(x), abs(y)),
    "gelu_derivative": lambda x: abs(x) * TABLE["gaussian"].forward(x, 0.5),
    "dot": lambda *args: max(map(abs, map(operator.mul, args, args[len(args) // 2 :]))),
    "pow_derivative": _pow_terms,
}


# -- programs by hand -------------------------------------------------------------------------------------------------


def made(inputs: int, *rows: tuple[Op, Any], outputs: Sequence[Any], guards: Sequence[Guard] = ()) -> Program:
    return Program(inputs, tuple(Instruction(op, args) for op, args in rows), tuple(outputs), tuple(guards))


# of w, its square and 3.0, and columns x, y
ROW = made(
    5,
    (ops.mul, (3, 0)),  # v5 = x w
    (ops.add, (5, 2)),  # v6 = x w + 3
    (ops.mul, (6, 4)),  # v7 = (x w + 3) y
    (ops.relu, (4,)),  # v8
    (ops.heaviside, (4, 0.0)),  # v9
    (ops.mul, (8, 3)),  # v10 = relu(y) x
    (ops.mul, (8, 4)),  # v11 = relu(y) y, which v12 uses
    (ops.sub, (11, 1)),  # v12 = relu(y) y - w w
    outputs=[7, 9, 10, 11, 12, 3, 2.5, 1, 10],
)
