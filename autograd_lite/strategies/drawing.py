"""`expressions`: whole expressions, drawn.

A list of instructions is drawn, each an op and where its operands come from, then a point for the names, from the domains of
the ops that take them directly.  The instructions run on intervals, a small box around the point: an op joins only where
it is defined, finite and monotone in every operand over the whole of their intervals, so that its values at the corners
are its own interval.  An operand outside the domain is shifted or scaled into it.  At last the noisy replay rejects
what is ill conditioned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from math import inf
from typing import NamedTuple

from hypothesis import reject
from hypothesis import strategies as st

from .. import ops as rows
from ..errors import InputValueError
from ..ops import Interval, Op
from ..program import Builder, Program, placed
from ..tree import Number
from .arguments import NOT_DRAWN, PUBLIC, domain_of, row_of
from .conditioning import judge
from .formula import Expression
from .points import chosen, ends, simple

WIDTH = 2.0**-10  # half the width of an expression's box, relative to its point
VARIES = 0.5  # by how much, relatively, an op's value and slopes may vary over its operands' intervals
SMALLEST, LARGEST = 1e-6, 1e6  # of any intermediate result and slope that is not 0
ROUNDING = 1e-11  # changes of a value that are smaller, relatively, say nothing of its slope
PLAN = 2  # how many instructions are drawn for one op of the result: some do not fit, some are not needed
CONSTANTS = (1.0, 2.0, 0.5, 3.0, -1.0, 0.25, 10.0, -0.1, 0.7)

Span = tuple[float, float, float]  # a subexpression's lowest value over the box, its value at the point, the highest


def _tame(values: Sequence[float]) -> bool:
    largest = max(map(abs, values))
    return math.isfinite(largest) and (
        largest == 0.0 or (SMALLEST < largest < LARGEST and max(values) - min(values) <= VARIES * largest)
    )


def _crosses_kink(op: Op, spans: Sequence[Span]) -> bool:
    """Whether a kink lies among operands within these intervals, as far as the likely places tell."""
    if not op.kinks:
        return False
    places = []
    for i, (low, _, high) in enumerate(spans):
        others = [x for j, span in enumerate(spans) if j != i for x in span] if op.arity is not None else []
        places.append({low, high, *(x for x in (0.0, 1.0, -1.0, *others) if low <= x <= high)})
    return any(op.kinked(*at) for at in product(*places))


def _applied(op: Op, spans: Sequence[Span]) -> Span | None:
    """The interval of an op over its operands' intervals; None where it is not defined, smooth and tame all over them.

    Judged by values alone: whether the op's derivative is right is not for a strategy to assume.
    """
    n = len(spans)
    if not all(low in d and high in d for (low, _, high), d in zip(spans, domain_of(op, n), strict=True)):
        return None
    try:
        if _crosses_kink(op, spans):
            return None
        grid = {at: op.forward(*at) for at in product(*(sorted(set(span)) for span in spans))}
    except (ArithmeticError, ValueError):
        return None
    if not _tame(list(grid.values())):
        return None
    for i, (low, middle, high) in enumerate(spans):
        if low < middle < high:  # along each axis the slopes of both halves must be alike: a kink or a jump gives itself away
            slopes = []
            for at, right in grid.items():
                if at[i] != low:
                    before = middle if at[i] == high else low
                    left = grid[*at[:i], before, *at[i + 1 :]]
                    rise = right - left
                    slopes.append(rise / (at[i] - before) if abs(rise) > ROUNDING * (abs(left) + abs(right)) else 0.0)
            if not _tame(slopes):
                return None
    return min(grid.values()), grid[tuple(middle for _, middle, _ in spans)], max(grid.values())


def _into(domain: Interval, span: Span) -> list[tuple[Op, float]]:
    """What multiplication and addition bring an interval into a domain."""
    low, _, high = span
    if -inf < domain.low and domain.high < inf:
        largest, room, middle = max(abs(low), abs(high)), (domain.high - domain.low) / 4.0, (domain.low + domain.high) / 2.0
        scale = 2.0 ** math.floor(math.log2(room / largest)) if largest > room else 1.0
        return [(rows.mul, scale)] * (scale != 1.0) + [(rows.add, middle)] * (middle != 0.0)
    if -inf < domain.low:
        return [(rows.add, math.ceil(domain.low - low) + 1.0)]
    return [(rows.add, math.floor(domain.high - high) - 1.0)]


class _Instruction(NamedTuple):
    op: Op
    operands: tuple[int | float, ...]  # an int counts back from the latest result, -1, -2, ... are the names


def lively(op: Op) -> bool:
    """Whether a row's value changes with its variables at some ordinary place."""
    near, far = ([x if i in op.settings else x * s for i, x in enumerate(op.example)] for s in (1.0, 1.05))
    try:
        return op.forward(*near) != op.forward(*far)  # nan too: there it is not defined, but it may be elsewhere
    except (ArithmeticError, ValueError):
        return True


def _instructions(ops: Sequence[Op], names: int) -> st.SearchStrategy[_Instruction]:
    earlier = [st.integers(0, 2), st.integers(-names, -1)]
    # in what is flat the slopes of all below it are lost; with unary ops alone an expression has one variable
    ops = [op for op in ops for _ in range((5 if len(op.example) == 1 else 9) if lively(op) else 1)]

    def of(op: Op) -> st.SearchStrategy[_Instruction]:
        n, settings = len(op.example), op.settings
        each: list[st.SearchStrategy[int | float]] = []
        for i, d in enumerate(domain_of(op, n)):
            inside = [c for c in CONSTANTS if c in d] or [ends(d)[0] / 2 + ends(d)[1] / 2]
            latest = [st.just(0)] * 2 if i == 0 else []
            each.append(chosen(settings[i]) if i in settings else st.one_of(*latest, *earlier, st.sampled_from(inside)))
        return st.tuples(*each).map(lambda operands: _Instruction(op, operands))

    each = {op: of(op) for op in dict.fromkeys(ops)}
    return st.sampled_from(ops).flatmap(each.__getitem__)


class _Builder:
    """Runs what was drawn on intervals and keeps the instructions that fit."""

    def __init__(self, names: Sequence[str], max_ops: int, ops: Iterable[Op]) -> None:
        self.names = names
        self.max_ops = max_ops
        self.may_fit = {rows.add, rows.mul} <= set(ops)
        self.spans: list[Span] = []
        self.made = Builder(len(names))

    def resolve(self, instruction: _Instruction, pool: Sequence[int]) -> tuple[int | float, ...]:
        """The operands as a program has them; at least one is no constant."""
        op, operands = instruction
        found = [
            a if isinstance(a, float) else pool[-1 - a % len(pool)] if a >= 0 else -1 - a  # the names are numbered first
            for a in operands
        ]
        variables = [i for i in range(len(found)) if i not in op.settings]
        if all(found[i].__class__ is float for i in variables):
            found[variables[0]] = pool[-1]
        return tuple(found)

    def wanted(self, instructions: Sequence[_Instruction]) -> list[Interval]:
        """For each name, the part of the line where the ops that take it directly are defined."""
        n = len(self.names)
        pool, wanted = list(range(n))[::-1], [rows.REAL] * n
        for instruction in instructions:
            op = instruction.op
            for a, d in zip(self.resolve(instruction, pool), domain_of(op, len(instruction.operands)), strict=True):
                if a.__class__ is int and a < n:
                    old = wanted[int(a)]
                    both = Interval(max(old.low, d.low), min(old.high, d.high), old.open or d.open)
                    wanted[int(a)] = both if both.low < both.high else old
            pool.append(n + len(pool))
        return wanted

    def span(self, a: int | float) -> Span:
        return self.spans[a] if isinstance(a, int) else (a, a, a)

    def append(self, op: Op, operands: tuple[int | float, ...]) -> int | None:
        """The number of a new value, or None where the op does not fit there."""
        room = len(self.made) < PLAN * self.max_ops
        span = _applied(op, [self.span(a) for a in operands]) if room else None
        if span is None:
            return None
        self.spans.append(span)
        return self.made.add(op, *operands)

    def fitted(self, a: int | float, domain: Interval) -> int | float:
        """The operand, brought into a domain by instructions of their own where it lies outside."""
        low, _, high = span = self.span(a)
        is_result = isinstance(a, int) and a >= len(self.names)  # a name is drawn inside, so that failures shrink to it alone
        if not is_result or not self.may_fit or (low in domain and high in domain):
            return a
        for op, constant in _into(domain, span):
            a = self.append(op, (a, constant)) or a
        return a

    def run(self, instructions: Sequence[_Instruction], point: Sequence[float]) -> Program:
        """The program that is left; sets spans.  An instruction that does not fit passes its first operand on."""
        self.spans = [tuple(sorted((x * (1.0 - WIDTH), x, x * (1.0 + WIDTH)))) for x in point]  # type: ignore[misc]
        pool = list(range(len(point)))[::-1]
        for instruction in instructions:
            op, n = instruction.op, len(instruction.operands)
            operands = self.resolve(instruction, pool)
            fitted = tuple(self.fitted(a, d) for a, d in zip(operands, domain_of(op, n), strict=True))
            made = self.append(op, fitted)
            pool.append(made if made is not None else next(a for a in operands if isinstance(a, int)))
        return self._pruned()

    def _needed(self, root: int) -> set[int]:
        """The names and values that a value comes from, itself included."""
        needed = {root}
        for ref in range(root, len(self.names) - 1, -1):
            if ref in needed:
                needed.update(a for a in self.made.args[ref - len(self.names)] if isinstance(a, int))
        return needed

    def _pruned(self) -> Program:
        """The largest expression that is small enough, the latest of several; empty where there is none."""
        n = len(self.names)
        each = [self._needed(n + i) for i in range(len(self.made))]
        needed: set[int] = max((s for s in reversed(each) if sum(a >= n for a in s) <= self.max_ops), key=len, default=set())
        kept = Builder(n)
        place = {a: a for a in range(n)}
        for ref, (op, args) in enumerate(zip(self.made.ops, self.made.args, strict=True), n):
            if ref in needed:
                place[ref] = kept.add(op, *placed(args, place))
        return Program.of(n, kept.ops, kept.args, (n + len(kept) - 1,) if kept.ops else ())


def expressions(
    max_ops: int = 10,
    names: Sequence[str] = ("x", "y"),
    ops: Iterable[Op | str] | None = None,
    reference: Mapping[str, Callable[..., Number]] | None = None,
) -> st.SearchStrategy[Expression]:
    """Whole expressions, each with a point at which value, gradient and second derivatives are well conditioned.

    ``sum over operands e of |d q / d log e| <= 1e5 |q|`` for the value and every derivative q.

    >>> from hypothesis import find
    >>> from autograd_lite import log
    >>> find(expressions(3, names=("x",), ops=["exp", "add", "log"]), lambda e: log in e.ops)
    (lambda x: log(x))(x=2.0)

    Args:
        max_ops: how many ops an expression has at most.
        names: of its variables; it need not use them all.
        ops: what it is made of, rows or names of built-in ones; all public rows unless given.  Where `add` and `mul` are
            among them, operands outside of a domain are shifted and scaled into it.
        reference: by name, high-precision functions (mpmath) of ops of your own.  An op that has none is replayed as a
            polynomial of second order through its values, which is enough to judge the conditioning.

    Raises InputTypeError or InputValueError for arguments that fit no expression, ImportError where mpmath is missing.
    """
    if max_ops.__class__ is not int or max_ops < 1:
        raise InputValueError(f"max_ops={max_ops!r} must be a whole number from 1 on")
    names = (names,) if isinstance(names, str) else tuple(names)
    if not names or len(set(names)) != len(names) or not all(isinstance(n, str) and n.isidentifier() for n in names):
        raise InputValueError(f"names={names!r} must be different identifiers, at least one: names=('x', 'y')")
    drawn = [op for op in PUBLIC if op not in NOT_DRAWN] if ops is None else list(map(row_of, ops))
    if not drawn:
        raise InputValueError("ops=[] leaves nothing to make expressions of: give at least one op, or leave ops out")
    instruction = _instructions(drawn, len(names))
    short, long = (st.lists(instruction, min_size=n, max_size=PLAN * max_ops) for n in (1, max_ops))
    instructions = st.one_of(short, long, long)  # shrinking goes to the short ones

    @st.composite
    def drawing(draw: st.DrawFn) -> Expression:
        builder = _Builder(names, max_ops, drawn)
        plan = draw(instructions)
        point = [draw(simple(interval)) for interval in builder.wanted(plan)]
        program = builder.run(plan, point)
        if not len(program):
            reject()
        expression = Expression(
            names,
            program,
            dict(zip(names, point, strict=True)),
            {name: (low, high) for name, (low, _, high) in zip(names, builder.spans, strict=False)},
        )
        if not judge(expression, reference or {}):
            reject()
        assert expression.truth is not None
        if not any(expression.truth.gradient.values()) and any(map(lively, expression.ops)):
            reject()  # flat by accident
        return expression

    return drawing()
