"""What an explanation is made of: the paths from a result to one leaf, and the kinks on the way with the slopes beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from .. import context, graph
from ..formula.steps import Step
from ..graph import Node

__all__ = ["KinkAt", "Path", "Slopes", "kinks", "paths"]

PLACES = 6  # operands of one kink whose slopes are worked out


class Path(NamedTuple):
    """One way from the root down to a leaf, and the product of the partials on it."""

    steps: tuple[Step, ...]
    value: float


class Slopes(NamedTuple):
    """The one-sided derivatives of an op with respect to one operand; nan where the function does not reach that side."""

    operand: Node
    left: float
    right: float
    used: float  # the partial that the backward pass works with
    below: float  # the limit of the op's value from the left, and from the right
    above: float


class KinkAt(NamedTuple):
    """A node whose operands are where its op has no derivative."""

    node: Node
    text: str  # as the op's row puts it: "x = 0"
    operands: tuple[float, ...]
    slopes: tuple[Slopes, ...]
    where: str | None  # "file.py:12", known for nodes that were made under detect_anomaly()
    reached: bool  # whether the gradient passes here at all


def paths(root: Node, target: Node, steps: Sequence[Step], most: int) -> tuple[int, list[Path]]:
    """How many paths lead from the root to a node, and the first of them."""
    count = {target: 1}
    down: dict[Node, list[Step]] = {}
    for s in reversed(steps):  # operands before results: counted without walking any path
        ways = count.get(s.operand)
        if ways is not None and s.node is not target:
            count[s.node] = count.get(s.node, 0) + ways
            down.setdefault(s.node, []).append(s)
    for choices in down.values():
        choices.reverse()
    found: list[Path] = []
    walked: list[Step] = []
    left = [iter(down.get(root, ()))]
    if root is target:
        return 1, [Path((), 1.0)]
    while left and len(found) < most:
        step: Step | None = next(left[-1], None)
        if step is None:
            left.pop()
            if walked:
                walked.pop()
        elif step.operand is target:
            taken = (*walked, step)
            found.append(Path(taken, math.prod(s.partial for s in taken)))
        else:
            walked.append(step)
            left.append(iter(down[step.operand]))
    return count.get(root, 0), found


def kinks(root: Node, gradients: dict[Node, float]) -> list[KinkAt]:
    """The nodes that a root depends on whose operands are where their ops have no derivative, operands before results."""
    return [
        KinkAt(
            node=node,
            text=kink.text,
            operands=graph.values(node),
            slopes=tuple(_sides(node)),
            where=getattr(node, "where", None),
            reached=node in gradients,
        )
        for node in reversed(graph.order([root]))
        for kink in node.op.kinks
        if kink.holds(*graph.values(node))
    ]


def _sides(node: Node) -> Iterable[Slopes]:
    op, values = node.op, graph.values(node)
    moving = [i for i, a in enumerate(graph.operands(node)) if a.__class__ is not float]
    for i in moving[:PLACES]:

        def f(x: float, i: int = i) -> float:
            try:
                return float(op.forward(*values[:i], x, *values[i + 1 :]))
            except (ArithmeticError, ValueError):
                return math.nan

        scale = abs(values[i]) or min([1.0, *(abs(v) for v in values if v)])
        left, below = one_sided(f, values[i], -scale)
        right, above = one_sided(f, values[i], scale)
        with context.unchecked():
            used = op.partial(i, values, node._data)
        yield Slopes(graph.operands(node)[i], left, right, used, below, above)


# `numerical_derivative` has these slopes too, from ten times as many values, but not the limits of f that tell a jump
def one_sided(f: Callable[[float], float], x: float, scale: float) -> tuple[float, float]:
    """The slope of f beside x and its limit there; left of x where `scale` is negative.  The value at x is not used.

    >>> one_sided(abs, 0.0, -1.0), one_sided(math.sqrt, 0.0, 1.0)
    ((-1.0, 0.0), (inf, 0.0))
    """

    def secant(k: int) -> tuple[float, float, float]:
        near, far = x + scale * 2.0**-k, x + scale * 2.0 ** (1 - k)
        at, beyond = f(near), f(far)
        run = far - near  # the step that was really taken
        return (beyond - at) / run if run else math.nan, at, 8.0 * math.ulp(max(abs(at), abs(beyond))) / abs(run or 1.0)

    (coarse, start, _), (middle, _, _), (fine, at, noise) = secant(20), secant(26), secant(32)
    slopes = [abs(s) for s in (coarse, middle, fine)]
    if any(map(math.isnan, slopes)):
        return math.nan, _rounded(at)
    if slopes[2] > 1.2 * slopes[1] > 1.44 * slopes[0] and slopes[2] > 100.0 * noise:  # it grows without end
        here = f(x)
        return math.copysign(math.inf, fine), math.copysign(math.inf, at) if not math.isfinite(here) else here
    if slopes[0] > 1.2 * slopes[1] > 1.44 * slopes[2]:  # it vanishes, as that of x**1.5 at 0
        return 0.0, _rounded(at)
    slope = _rounded(2.0 * secant(21)[0] - coarse)
    return slope, _rounded(start - slope * scale * 2.0**-20)


def _rounded(x: float) -> float:
    """As many digits as differences are good for; what is nearly 0 is 0."""
    return 0.0 if abs(x) < 1e-9 else float(f"{x:.8g}")
