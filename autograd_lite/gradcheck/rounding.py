"""What rounding may do to a derivative: the size of the terms that are added up to it.

A derivative of 0 whose terms cancel is computed as their rounding noise, so it can be judged only in units of their size.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from .. import graph, sweeps
from ..graph import Node
from ..numerical.derivative import Derivative, numerical_derivative
from ..numerical.probe import EPS, UNEVEN
from ..value import Value
from .limits import agrees_in_the_limit
from .places import hidden_place, overflows_below, whole_exponents_only
from .subject import CheckedFunction, Vector
from .verdict import AMONG_THE_SMALLEST, DIGITS, FAIL, FEW_STEPS, INCONCLUSIVE, PASS, Verdict, judge

STEP = 2.0**-50  # of the size of the terms; what rounding was seen to do is 1/6 of it at most


def size_of_terms(out: Node, leaves: Sequence[Value], *directions: Vector, whole: bool = False) -> float:
    """The size of what is added up to a derivative along some directions; along none, to the value itself.

    ``sum over the steps v of the sweeps of |v dD/dv|``, for the derivative D as it is computed from its own graph

    >>> from autograd_lite import log
    >>> x, y = Value(0.5), Value(4.0)
    >>> size_of_terms(log(x * y), [x, y], (1.0, 0.0), (0.0, 1.0))  # of the mixed derivative 1/xy - xy/(xy)^2
    2.5

    A fault below `STEP` times this size cannot be told from rounding.  Steps that only prepare partials do not count: what
    their rounding does is not cancellation in the derivative.  Sums and products of a sweep are linear in what it is seeded
    with, so its steps are those that depend on a seed.

    Args:
        out: the result, a Value; anything else has no terms.
        leaves: the inputs.
        directions: one weight for each input, one direction for each order.
        whole: with the steps that prepare partials, and the rounding of the inputs: then it is the noise of D in units of
            rounding, however D is written.

    Returns the size in the units of D; 0 where it cannot be told: where some rule takes floats only, or nothing is finite.
    Source: running error analysis, as in Higham, Accuracy and Stability of Numerical Algorithms (2002), section 3.3.
    """
    if not isinstance(out, Value):
        return 0.0
    weights: dict[Any, Any] = {out: Value(1.0) if directions else 1.0}
    swept: set[Any] = set(weights.values())
    try:
        for turn, direction in enumerate(directions, 1):
            adjoints = sweeps.reverse(weights, graph=True).inputs
            weights = {}
            for leaf, d in zip(leaves, direction, strict=True):
                if d and isinstance(g := adjoints.get(leaf), Value):
                    weights[g] = weights.get(g, 0.0) + d
            if turn < len(directions):
                weights = {g: Value(d) for g, d in weights.items()}
                swept.update(weights.values())
        found = sweeps.reverse(weights)
    except Exception:  # a rule is anyone's code, and need not take Values or have a derivative of its own
        return 0.0
    size = 0.0
    for node, g in zip(reversed(found.nodes), reversed(found.grads), strict=True):  # operands before results
        if whole or not directions or any(a in swept for a in graph.operands(node) if a.__class__ is not float):
            swept.add(node)
            size += _term(node._data, g, whole)
            size += _within(node, g) if whole else 0.0
    return min(size, sys.float_info.max) if size == size else 0.0


def _term(x: float, weight: float, whole: bool) -> float:
    """The size of a number times its weight; whole, of one among the smallest floats too, which keep few digits."""
    if whole and 0.0 < abs(x) < sys.float_info.min:  # an infinite weight may be a reciprocal that overflowed: nothing is known
        return min(sys.float_info.min * abs(weight), sys.float_info.max)
    term = (abs(x) or whole * sys.float_info.min) * abs(weight)  # a 0 may have underflowed
    return term if math.isfinite(term) else 0.0


def _within(node: Value, weight: float) -> float:
    """The size of the terms inside one step: what rounding its operands, constants too, would move its result by."""
    op, floats = node.op, graph.values(node)
    if op is None:
        return 0.0
    try:
        return sum(_term(x, float(op.partial(i, floats, node._data)) * weight, x != 0.0) for i, x in enumerate(floats))
    except Exception:  # a rule is anyone's code
        return 0.0


class Rounding:
    """Whether what seems wrong with one derivative is rounding, worked out where something seems wrong only.

    Args:
        subject, k: the function and which of its outputs; directions: those of the derivative.
        g: what was differenced for the last of them; fast: how.
    """

    def __init__(
        self, subject: CheckedFunction, k: int, g: Callable[[tuple[float, ...]], float], fast: bool, *directions: Vector
    ) -> None:
        self.subject, self.k, self.g, self.fast, self.directions = subject, k, g, fast, directions
        self.differenced = subject.along(g, directions[-1])

    @cached_property
    def size(self) -> float:
        """The size of the derivative's terms."""
        return self._size(*self.directions)

    @property
    def slack(self) -> float:
        """How far rounding may move the derivative."""
        return STEP * self.size

    def _size(self, *directions: Vector, whole: bool = False) -> float:
        leaves = [Value(x) for x in self.subject.point]
        return size_of_terms(self.subject.out(self.k, leaves), leaves, *directions, whole=whole)

    def judge(self, engine: float, found: Derivative, rtol: float) -> tuple[Verdict, Derivative]:
        """The verdict on an engine's derivative, and the numerical one that it rests on.

        Where it is bad, all that the derivative might be without its rounding gets a chance, and so does what was differenced
        as something that is noisy by its own rounding, not a function with jumps.
        """
        verdict = judge(engine, found, rtol)
        if verdict.verdict not in (FAIL, INCONCLUSIVE):
            return verdict, found
        if found.kind == "not finite":
            why = agrees_in_the_limit(engine, self.subject, self.g, self.directions[-1], rtol)
            return (Verdict(PASS, 0.0, why) if why else verdict), found
        if not math.isfinite(engine):
            place = (self.subject, self.k, self.directions)
            of_second = len(self.directions) == 2
            why = whole_exponents_only(*place) if verdict.verdict == FAIL else ""
            if verdict.verdict == FAIL and not why and (engine == engine or of_second):
                why = hidden_place(*place) or overflows_below(*place) or self._jumps()
            return (Verdict(INCONCLUSIVE, verdict.relative, why) if why else verdict), found
        if found.kind != "smooth" or not math.isfinite(found.error):
            noise = STEP * self._size(*self.directions[:-1])
            found = numerical_derivative(*self.differenced, fast=self.fast, noise=noise)
        within = found._replace(size=max(found.size, self.size))
        for target in (0.0, found.value, found.left, found.right):
            moved = min(max(target, engine - self.slack), engine + self.slack) if target == target else engine
            second = judge(moved, within, rtol)
            if second.verdict not in (FAIL, INCONCLUSIVE):
                hint = second.hint or f"right up to the rounding of terms of size {self.size:.2g}"
                return second._replace(relative=verdict.relative, hint=hint), found
        if verdict.verdict == FAIL:
            return self._appeal(engine, verdict, found, rtol)
        return verdict, found

    def _appeal(self, engine: float, verdict: Verdict, found: Derivative, rtol: float) -> tuple[Verdict, Derivative]:
        """A derivative that fails once more: from other values, with all the noise that f may have, and by its places."""
        if why := self._hidden(engine, found):
            return Verdict(INCONCLUSIVE, verdict.relative, why), found
        noise = STEP * self._size(*self.directions[:-1], whole=True)
        for level, stretch in ((0.0, UNEVEN), (noise, 1.0), (noise, UNEVEN)):
            other = numerical_derivative(*self.differenced, fast=self.fast, noise=level, stretch=stretch)
            second = judge(engine, other, rtol)
            if second.verdict != FAIL:
                hint = second.hint or "agrees at some steps only: f is too noisy, or its values too far apart"
                return second._replace(verdict=INCONCLUSIVE, hint=hint), other
        if abs(engine - found.value) <= STEP * self._size(*self.directions, whole=True):
            return Verdict(INCONCLUSIVE, verdict.relative, "rounding on the way to the derivative may do as much"), found
        return verdict, found

    def _hidden(self, engine: float, found: Derivative) -> str:
        """Why the values beside the point cannot show the derivative; empty where they can."""
        x = abs(self.differenced[1])
        if found.kind not in ("kink", "cusp") or 0.0 < x < sys.float_info.min:
            why = hidden_place(self.subject, self.k, self.directions) or self._jumps()
            if why:
                return why
        seen = found.error <= DIGITS * abs(found.value)  # steps longer than the input show a slope, and all of them the same
        if not seen and 0.0 < abs(engine - found.value) * x <= 2.0 * EPS * abs(found.at):
            return "f moves by less than its rounding in a step as long as the input"
        return AMONG_THE_SMALLEST if 0.0 < x < found.finest and max(abs(found.at), found.rise) < FEW_STEPS else ""

    def _jumps(self) -> str:
        """Why a gradient cannot be differenced: f itself jumps at the point, as far as the finest step can see."""
        if len(self.directions) < 2:
            return ""
        found = numerical_derivative(*self.subject.along(lambda p: self.subject.value(self.k, p), self.directions[-1]))
        jump = "the values jump here within the finest step: a gradient beside the point says nothing"
        return jump if found.kind == "jump" else ""
