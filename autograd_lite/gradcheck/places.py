"""Where the table of ops knows more of a function than its values can show."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

from .. import graph, sweeps
from ..ops import TABLE, Op
from ..tree import Number
from ..value import Value
from .subject import CheckedFunction, Vector

NEAR_A_JUMP = 2.0**-52
WHOLE = 2.0**46  # from here on the finest steps are a good part of a period of those
UNSEEN = 2.0**30  # steps of a staircase that are fewer floats wide than this may look straight, where the finest are all noise


def moving_steps(subject: CheckedFunction, k: int, directions: Sequence[Vector]) -> list[Number]:
    """The steps to output k of a function, or to its gradient for two directions, that move with its inputs along them."""
    leaves = [Value(x) for x in subject.point]
    roots: list[Any] = [subject.out(k, leaves)]
    if len(directions) == 2 and isinstance(roots[0], Value):
        roots += sweeps.reverse({roots[0]: 1.0}, graph=True).inputs.values()
    moving: set[Any] = {leaf for leaf, *weights in zip(leaves, *directions, strict=True) if any(weights)}
    steps = []
    for node in reversed(graph.order([root for root in roots if isinstance(root, Value)])):
        if any(a in moving for a in graph.operands(node) if a.__class__ is not float):
            moving.add(node)
            steps.append(node)
    return steps


def hidden_place(subject: CheckedFunction, k: int, directions: Sequence[Vector]) -> str:
    """Why values beside the point cannot tell a derivative there, by the built-in ops on the way; empty where they can."""
    for node in moving_steps(subject, k, directions):
        op, floats = node.op, graph.values(node)
        assert op is not None
        if not op.entered:
            continue
        call = f"{op.name}({', '.join(f'{x:g}' for x in floats)})"
        if op.kinked(*floats):
            return f"{call} on the way has no derivative there, and its values do not show it"
        endless = [kink for kink in op.kinks if kink.endless]
        quotient = any(kink.of_quotient for kink in endless)
        steps = endless and {*op.edges} <= {"0", None}  # flat between jumps
        if (steps and _steps_beside(op, floats, node._data)) or (quotient and math.ulp(floats[0]) * UNSEEN > abs(floats[1])):
            return f"{call} on the way jumps within fine steps"
        if quotient and abs(floats[0]) < NEAR_A_JUMP * abs(floats[1]):
            return f"{call} on the way is next to a jump"
        if (op.waves or (endless and not quotient and not steps)) and max(map(abs, floats)) >= WHOLE:
            return f"{call} on the way oscillates within the finest steps"
    return ""


def whole_exponents_only(subject: CheckedFunction, k: int, directions: Sequence[Vector]) -> str:
    """Why a derivative is nan though values are numbers: by an exponent of a negative base whose neighbours are all whole."""
    for node in moving_steps(subject, k, directions):
        if node.op in (TABLE["pow"], TABLE["pow_derivative"]):
            x, y, *orders = graph.values(node)
            if x == -math.inf or (x < 0.0 and (orders or math.ulp(y) >= 1.0)):
                return f"{node.op.name}({x:g}, {y:g}) on the way is defined at whole exponents only"
    return ""


def overflows_below(subject: CheckedFunction, k: int, directions: Sequence[Vector]) -> str:
    """Why a derivative may be nan by overflow alone: an operand on the way whose reciprocal no float can hold."""
    for node in moving_steps(subject, k, directions):
        for x in graph.values(node):
            if 0.0 < abs(x) < sys.float_info.min:
                return f"{x:g} on the way is so small that its reciprocal overflows"
    return ""


def _steps_beside(op: Op, floats: Sequence[float], out: float) -> bool:
    """Whether a staircase has a step close to the point."""
    for i, x in enumerate(floats):
        for beside in (x - UNSEEN * math.ulp(x), x + UNSEEN * math.ulp(x)):
            if op.forward(*floats[:i], beside, *floats[i + 1 :]) != out:
                return True
    return False
