"""Nodes of a graph in the printer's notations: how one is computed from its operands, and what its partials are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from .. import context, graph, ops
from ..graph import Node
from ..tree import Number
from . import notation
from .printer import LOOSE, Piece, Printer


def formula(node: Node, names: Mapping[Node, str], digits: int = 4) -> str:
    """How a node is computed from its operands, by name: ``w × x``; empty for a leaf.

    >>> from autograd_lite import Value
    >>> w = Value(3.0, "w")
    >>> formula(w**2, notation.names_of([w]))
    'w²'
    """
    return _computed(_text_printer("unicode", digits), node, names)


def latex(node: Node, names: Mapping[Node, str], number: Callable[[float], str]) -> str:
    r"""The same as `formula` in LaTeX, given names and a way to write numbers that are LaTeX already; empty for a leaf.

    >>> from autograd_lite import Value
    >>> w = Value(3.0, "w")
    >>> latex(w * 2, {w: "w"}, str)
    'w \\cdot 2.0'
    """
    return _computed(tex(number), node, names)


def tex(number: Callable[[float], str]) -> Printer:
    """The printer of nodes in LaTeX, given a way to write numbers that is LaTeX already."""
    return Printer("latex", number, (r"\left(", r"\right)"), notation.ROUND, (r"\left[", r"\right]"))


def partial(
    node: Node, index: int, names: Mapping[Node, str], digits: int = 4, operands: Sequence[Number] | None = None
) -> str:
    """The symbol of a node's partial with respect to one operand, short: ``x`` for ``w × x`` by w.

    ``[x > 0]`` is 1 where that holds, else 0.

    >>> from autograd_lite import Value
    >>> w = Value(3.0, "w")
    >>> partial(w**2, 0, notation.names_of([w**2]))
    '2·w'

    Who asks for many of one node gives its operands, which take as long as there are of them.
    """
    return str(edge(_text_printer("short", digits), node, index, names, operands))


@lru_cache(maxsize=64)
def _text_printer(column: str, digits: int) -> Printer:
    relations = ("[", "]") if column == "short" else None
    return Printer(column, lambda x: notation.number(x, digits), most=notation.ROUND, relations=relations)


def out_of_domain(node: Node) -> bool:
    """Whether a node is nan since an operand is outside the domain of its op: no formula of a slope holds there.

    >>> from autograd_lite import Value, log
    >>> out_of_domain(log(Value(-1.0))), out_of_domain(log(Value(2.0)))
    (True, False)
    """
    pairs = zip(node.op.domain, graph.values(node), strict=False)
    return node._data != node._data and any(x == x and x not in domain for domain, x in pairs)


def edge(
    printer: Printer, node: Node, index: int, names: Mapping[Node, str], operands: Sequence[Number] | None = None
) -> Piece:
    """A node's partial with respect to one operand, as the row's formula has it, by the names of the node and its operands."""
    operands = graph.operands(node) if operands is None else operands
    text = _edge_formula(node, index, operands)
    if text is None:
        return Piece(("none",))
    out = Piece((names.get(node, "out"),))
    return printer.at(printer.formula(text, _NamedOperands(operands, names), out, index), LOOSE)


def _edge_formula(node: Node, index: int, operands: Sequence[Number]) -> str | None:
    """The row's formula of one partial; see `Op` for the rows of any number of arguments."""
    edges: tuple[str | None, ...] = node.op.edges
    if node.op.arity is None and len(edges) == 3 and index:
        return edges[1 if operands[0] == index - 1 else 2]
    place = index if node.op.arity is not None else min(index, len(edges) - 1)
    return edges[place] if place < len(edges) and edges else "partial"


def _computed(printer: Printer, node: Node, names: Mapping[Node, str]) -> str:
    return "" if node.op is None else str(printer.apply(node.op, *_NamedOperands(graph.operands(node), names)))


class _NamedOperands(Sequence[Any]):
    """Operands as pieces, each made when it is asked for: a partial of one of 10,000 needs few of them."""

    def __init__(self, operands: Sequence[Number], names: Mapping[Node, str]) -> None:
        self.operands, self.names = operands, names

    def __len__(self) -> int:
        return len(self.operands)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        a = self.operands[index]
        return a if a.__class__ is float else Piece((self.names[a],))


# -- kinks ------------------------------------------------------------------------------------------------------------

NEAR = 2.0**-40  # how far from a kink its two sides are looked at, relative to the number there
TINY = 2.0**-80  # and where that number is 0


def may_kink(node: Node) -> bool:
    """Whether a node has two slopes for some numbers: a whole power has not."""
    op = node.op
    return op is not None and bool(op.kinks) and op.arity is not None and not is_whole_power(node)


def is_whole_power(node: Node) -> bool:
    """Whether a node is a power without kinks or forbidden numbers, as x**2 is."""
    op = node.op
    return op is ops.pow and node._b.__class__ is float and node._b >= 0.0 and node._b % 1.0 == 0.0


def slopes(node: Node, taken: Mapping[tuple[Node, int], Any]) -> tuple[float, float, float] | None:
    """The slopes a hair to either side of a node at a kink, and the one that a step has `taken`; None where it is at none."""
    values, op = list(graph.values(node)), node.op
    for i in range(op.arity):
        if (step := taken.get((node, i))) is None:
            continue
        size = max(abs(values[i]) * NEAR, TINY)
        with context.unchecked():
            moved = [[*values[:i], values[i] + way * size, *values[i + 1 :]] for way in (-1.0, 1.0)]
            left, right = (float(op.partial(i, at, op.forward(*at))) for at in moved)
        if math.isfinite(left) and math.isfinite(right) and abs(left - right) > 1e-6 * max(abs(left), abs(right), 1e-3):
            return left, right, step.partial
    return None
