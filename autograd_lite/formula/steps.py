"""The backward pass one product at a time: the list that explanations print and pictures step through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .. import adjoints, context, graph
from ..graph import Node
from . import nodes, notation


class Step(NamedTuple):
    """One use of the chain rule: ``bar(operand) += bar(node) * d node / d operand``."""

    node: Node  # the result whose adjoint is handed on
    operand: Node  # who receives
    argument: int  # which argument of the node that is
    adjoint: float  # bar(node)
    symbol: str  # the partial as written, by names: "2·v3"
    partial: float
    product: float  # what is added
    before: float | None  # what the operand had gathered so far; None for the first
    after: float


def steps_of(root: Node, names: Mapping[Node, str] | None = None, digits: int = 4, worded: bool = True) -> list[Step]:
    """The steps of ``root.backward()`` in an order that works, results before operands; it changes nothing.

    >>> from autograd_lite import Value
    >>> x = Value(3.0, "x")
    >>> [(s.symbol, s.product, s.after) for s in steps_of(x * x)]
    [('x', 3.0, 3.0), ('x', 3.0, 6.0)]

    Not `worded`, they leave out the symbols, which take longest: a picture needs few of them.
    """
    names = names or notation.names_of([root])
    adjoint: dict[Node, float] = {root: 1.0}
    steps = []
    with context.unchecked():  # an infinite partial is no error of the user's
        for node in graph.order([root]):
            g = adjoint.get(node)
            if g is None:
                continue
            values, operands = graph.values(node), graph.operands(node)
            partials = node.op.rule(values, node._data) if node.op.rule is not None else None
            for i, (a, product) in enumerate(zip(operands, adjoints.contributions(node, g), strict=True)):
                if product is None:
                    continue
                before = adjoint.get(a)
                after = product if before is None else before + product
                adjoint[a] = after
                symbol = nodes.partial(node, i, names, digits, operands) if worded else ""
                partial = node.op.partial(i, values, node._data) if partials is None else partials[i]
                steps.append(Step(node, a, i, g, symbol, partial, product, before, after))
    return steps


def adjoints_of(root: Node, steps: Iterable[Step]) -> dict[Node, float]:
    """The derivative of the root with respect to each node the steps reach."""
    return {root: 1.0} | {step.operand: step.after for step in steps}
