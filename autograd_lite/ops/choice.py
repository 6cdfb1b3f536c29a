"""Comparisons, `where`, and the rows that only pass on: how a value is chosen, and what a gradient does there.

A choice (`_choice`) gives the operand that it does not take no gradient at all, and so does a flat
function, save that the gradient of nan is nan (the row `zero`).
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from typing import Any

from .. import context
from ..errors import InputTypeError
from ..tree import held, is_node
from .columns import Number, Rule
from .row import Op, enter, helper, publish, row

# -- passing on -------------------------------------------------------------------------------------------------------

identity = row(
    "identity", lambda x: x, 1.0, core=lambda x: x, text="x", edges="1",
    exact=lambda mp, at, x: x, tame=True,
    doc="The argument itself, as a node of its own.\n\n>>> identity(2.0)\n2.0",
)  # fmt: skip
stop_gradient = row(
    "stop_gradient", lambda x: x, 0.0, core=lambda x: x, edges="0",
    exact=lambda mp, at, x: mp.mpf(at[0]), tame=True,
    doc="The argument as a constant: no gradient passes (as in JAX).\n\n>>> stop_gradient(2.0)\n2.0",
)  # fmt: skip
zero: Op = helper(
    "zero", lambda x: 0.0 if x == x else nan, 0.0, core=lambda x: where(eq(x, x), 0.0, nan), text="0", edges="0",
    exact=lambda mp, at, x: mp.mpf(0), tame=True,
    doc="0 for every number, nan for nan: the derivative of a flat function.\n\n>>> zero(7.0)\n0.0",
)  # fmt: skip
influence: Op = helper(
    "influence", lambda x, y: x if y else 0.0, (1.0, 0.0), core=lambda x, y: where(y, x, 0.0), edges=("1", "0"),
    kinks="y = 0", exact=lambda mp, at, x, y: x if at[1] else mp.mpf(0), tame=True,
    doc="x, which is 0 or not there where y is 0: 0 there, and with the slopes that x has.\n\n>>> influence(nan, 0.0)\n0.0",
)  # fmt: skip


def _chosen(g: Number, share: Number) -> Number:
    """`g` times the share of a choice that an operand has; where that is 0 nothing flows, whatever `g` is.

    >>> _chosen(5.0, 1.0), _chosen(5.0, 0.5), _chosen(inf, 0.0)
    (5.0, 2.5, None)
    """
    if share.__class__ is float:
        return g * share if share and share != 1.0 else g if share else None
    if context.active and (trace := context.trace()) is not None:  # it may come out either way
        return Masked(share, True, g * share, loose=trace.is_tame(g))
    return g * share if share._data and share._data != 1.0 else g if share._data else None


def _choice(
    name: str, forward: Callable[..., float], *, partials: tuple[Rule | float, ...], made: Callable[..., Op] = row,
    **columns: Any,
) -> Op:  # fmt: skip
    """A row whose partials are an operand's share of a choice: 0 where it is not taken, or has no influence."""
    products = [(lambda g, *args, rule=rule: _chosen(g, rule(*args))) if callable(rule) else None for rule in partials]
    return made(name, forward, partials, products=products, **columns)


def _flat(name: str, forward: Callable[..., float], **columns: Any) -> Op:
    """A row of one argument whose slope is 0 wherever its value is a number."""
    return _choice(name, forward, partials=(lambda x, z: zero(z),), edges="0", tame=True, **columns)


# -- comparisons: 1.0 or 0.0 ------------------------------------------------------------------------------------------


def _comparison(name: str, sign: str, forward: Callable[[float, float], bool], doc: str) -> Op:
    return row(
        name, lambda x, y: 1.0 if forward(x, y) else 0.0, (0.0, 0.0), symbol=sign, kinks="x = y", edges=("0", "0"),
        doc=doc, tame=True, exact=lambda mp, at, x, y: mp.mpf(forward(*at)),
    )  # fmt: skip


lt = _comparison("lt", "<", lambda x, y: x < y, "1 where x < y, else 0.\n\n>>> lt(1.0, 2.0)\n1.0")
le = _comparison("le", "<=", lambda x, y: x <= y, "1 where x <= y, else 0.\n\n>>> le(2.0, 2.0)\n1.0")
gt = _comparison("gt", ">", lambda x, y: x > y, "1 where x > y, else 0.\n\n>>> gt(1.0, 2.0)\n0.0")
ge = _comparison("ge", ">=", lambda x, y: x >= y, "1 where x >= y, else 0.\n\n>>> ge(2.0, 2.0)\n1.0")
eq: Op = _comparison("eq", "==", lambda x, y: x == y, "1 where x equals y, else 0.\n\n>>> eq(1.0, 2.0)\n0.0")
ne = _comparison("ne", "!=", lambda x, y: x != y, "1 where x and y differ, else 0.\n\n>>> ne(1.0, 2.0)\n1.0")

# -- choice -----------------------------------------------------------------------------------------------------------


class _Where(Op):
    """`where` with a plain condition is decided at once: the chosen operand itself, and no node."""

    def __call__(self, *args: Number) -> Number:
        if len(args) != 3 or is_node(args[0]):
            return super().__call__(*args)
        if args[0].__class__ is int and args[0] in (-1, -2):
            raise InputTypeError(
                f"condition={args[0]} of where() is what ~ makes of Python's {args[0] == -2}: "
                f"write where(not c, a, b), or where(c, b, a)"
            )
        chosen = 1 if self.number(args[0], 0) else 2
        taken = held(args[chosen])
        return taken if is_node(taken) else self.number(taken, chosen)


def _taken(g: Number, c: Number, wanted: bool) -> Number:
    """`g` where the condition is as wanted, else nothing; while a program is traced, what may flow."""
    if context.active and is_node(c) and context.trace() is not None:
        return Masked(c, wanted, g)
    return g if bool(c) is wanted else None


class Masked:
    """An adjoint or tangent that flows only where condition `c` is as `wanted`, and elsewhere is not there at all.

    It stands for a number in sweeps on nodes.  While a program is traced the condition may come out either way: what an edge
    makes of the number keeps the mask (`over`), sums choose.  A mask of 0 times inf would be nan; nothing is multiplied here,
    only chosen.  Where the number is 0 anyway when nothing flows (`loose`), and was multiplied by finite numbers only, the mask
    costs nothing: only a partial that may be infinite needs it.  A condition that itself `varies`, as the exponent of x**y
    does, leaves the number its slopes: beside the point where it is 0 it is not.
    """

    __slots__ = ("c", "g", "loose", "varies", "wanted")

    c: Number
    wanted: bool
    g: Number
    loose: bool
    varies: bool

    def __init__(self, c: Number, wanted: bool, g: Number, loose: bool = False, varies: bool = False) -> None:
        if isinstance(g, Masked):  # both must hold
            loose = loose and g.loose
            if g.varies is varies:
                c, wanted, g = where(_truth(c, wanted), _truth(g.c, g.wanted), 0.0), True, g.g
        self.c, self.wanted, self.g, self.loose, self.varies = c, wanted, g, loose, varies

    def over(self, d: Number, edge: Number) -> Masked:
        """What an edge made of the number, under the same mask."""
        trace = context.trace()
        loose = self.loose and (isinstance(d, Masked) or (trace is not None and (trace.is_tame(d) or trace.is_tame(edge))))
        return Masked(self.c, self.wanted, d, loose, self.varies)

    @property
    def number(self) -> Number:
        """The number where it flows, without this mask."""
        return self.settled(self.g)

    @staticmethod
    def settled(g: Number) -> Number:
        """An adjoint or tangent, masked or not, as the gradient it stands for in the end."""
        return g.resolved() if isinstance(g, Masked) else g

    def resolved(self) -> Number:
        """The gradient it stands for in the end: 0 where nothing flows."""
        if self.loose:
            return self.number
        if self.varies:
            return influence(self.number, self.c)
        return where(self.c, self.number, 0.0) if self.wanted else where(self.c, 0.0, self.number)

    def __add__(self, other: Number) -> Number:
        if not isinstance(other, Masked):
            return self.resolved() + other
        if self.c is other.c and self.varies is other.varies:
            if self.wanted is other.wanted:
                return Masked(self.c, self.wanted, self.g + other.g, self.loose and other.loose, self.varies)
            return where(self.c, self.number, other.number) if self.wanted else where(self.c, other.number, self.number)
        either = where(_truth(self.c, self.wanted), 1.0, _truth(other.c, other.wanted))
        parts = self.resolved() + other.resolved()
        return Masked(either, True, parts, self.loose and other.loose, self.varies or other.varies)

    def __radd__(self, other: Number) -> Number:
        return other + self.resolved()


def _truth(c: Number, wanted: bool) -> Number:
    return c if wanted else eq(c, 0.0)


where: Op = enter(_Where(
    "where", lambda c, a, b: a if c else b,
    (0.0, lambda c, a, b, z: ne(c, 0.0), lambda c, a, b, z: eq(c, 0.0)),
    products=(lambda g, c, a, b, z: None, lambda g, c, a, b, z: _taken(g, c, True), lambda g, c, a, b, z: _taken(g, c, False)),
    latex=r"\begin{{cases}}{1}&\text{{if }}{0}\\{2}&\text{{else}}\end{{cases}}",
    edges=("0", "x != 0", "x == 0"), roles=("condition", "if true", "if false"),
    pins=[((1.0, 2.0, nan), 2.0, (0.0, 1.0, 0.0)), ((0.0, inf, 3.0), 3.0, (0.0, 0.0, 1.0))],
    exact=lambda mp, at, c, a, b: a if at[0] else b, tame=True,
    doc="`a` where the condition is not 0, else `b`; the operand not taken gets no gradient at all, not even 0 times inf.\n"
    "\n>>> where(2 > 1, 10.0, 20.0)\n10.0",
))  # fmt: skip

publish(globals())
