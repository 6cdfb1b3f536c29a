"""What flows along a graph of Values: the reverse sweep, the forward sweep, and the graph as a linear form.

All sweeps multiply by the same edges (`ops.row.times`), in both directions: where nothing flows nothing is added, which is
not the same as adding 0.  Nothing here writes to a node, and nothing recurses.

``graph=True`` runs the same rules on nodes instead of floats, so that the result can be differentiated again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import repeat
from typing import Any, NamedTuple

from . import context
from .errors import AnomalyError
from .graph import NOTHING, Node, as_they_were, operands, order, sharing, values
from .ops.piecewise import Masked
from .ops.row import ANY_NUMBER, BINARY, GENERAL, PRODUCT, times

UNREACHED = -float("0")  # told from any sum by identity; -0.0 + d is d to the bit

LinearForm = list[tuple[Node, list[tuple[Node, Any]]]]


class Adjoints(NamedTuple):
    """What a reverse sweep found: the inputs' adjoints, and in step with each other the computed nodes and theirs."""

    inputs: dict[Node, Any]
    nodes: list[Node]
    grads: list[Any]
    unreached: list[Node]  # leaves that the seeded nodes depend on, to which nothing flows


def reverse(seeds: Mapping[Node, Any], graph: bool = False, stop: Collection[Node] = NOTHING) -> Adjoints:
    """Adjoints of everything the seeded nodes depend on: ``bar(a) = sum of bar(node) * d node / d a``, results first.

    The inputs are the leaves and the nodes in `stop`, beyond which the sweep does not look.  A node is missing from the
    answer where no gradient reaches it at all, which is not the same as gradient 0.
    """
    if not context.active:
        return _reverse(seeds, graph, stop)
    with context.unchecked():  # an infinite partial is no error of the user's
        found = _reverse(seeds, graph, stop)
    if context.current().anomaly:
        _name_nan(seeds, stop)
    return found


def _reverse(seeds: Mapping[Node, Any], graph: bool, stop: Collection[Node]) -> Adjoints:
    # Nodes that gather from several places have a cell [how many are still to come, their sum so far]; inputs too, with
    # a count that never comes to 0.  All other nodes pass on what they get at once.
    cells: dict[Node, list[Any]] = {node: [count, UNREACHED] for node, count in sharing(seeds, stop).items()}
    for node in stop:
        cells[node] = [-1, UNREACHED]
    cell_of = cells.get
    nodes: list[Node] = []
    grads: list[Any] = []
    done, done_grad = nodes.append, grads.append
    ready: list[tuple[Node, Any]] = []  # a node with its whole adjoint; None where nothing flows
    push = ready.append

    def give(a: Node, d: Any) -> None:
        """Add `d` to what `a` has gathered, nothing where d is None, and make `a` ready if that was the last."""
        cell = cell_of(a)
        if cell is not None:
            if d is not None:
                cell[1] = d if cell[1] is UNREACHED else cell[1] + d
            cell[0] -= 1
            if not cell[0]:
                push((a, None if cell[1] is UNREACHED else cell[1]))
        elif a.op is not None:
            push((a, d))
        else:
            cells[a] = [-1, UNREACHED if d is None else d]

    for root, seed in seeds.items():
        give(root, seed)
    op: Any = None
    try:
        while ready:
            node, g = ready.pop()
            op = node.op
            kind = op.kind
            if kind <= GENERAL or graph or g is None:
                args = operands(node)
                if g is None:
                    flows: Iterable[Any] = repeat(None, len(args))
                else:
                    done(node)
                    done_grad(g)
                    if kind == ANY_NUMBER and not graph:
                        # give(operand, g * partial), written out: this loop sees every weight of every neuron
                        for a, cell, d in zip(args, map(cell_of, args), op.rule(node._x, node._data), strict=True):
                            if a.__class__ is not float:
                                if cell is not None:
                                    cell[1] += g * d
                                    n = cell[0] = cell[0] - 1
                                    if not n:
                                        push((a, cell[1]))
                                elif a.op is None:
                                    cells[a] = [-1, g * d]
                                else:
                                    push((a, g * d))
                        continue
                    if kind == PRODUCT and not graph:
                        if op.arity == 1:
                            if args[0].__class__ is not float:
                                give(args[0], op.products[0](g, node._x, node._data))
                            continue
                        for a, product in zip(args, op.products, strict=True):
                            if a.__class__ is not float:
                                give(a, product(g, node._x, node._y, node._data))
                        continue
                    flows = contributions(node, g, graph)
                for a, d in zip(args, flows, strict=True):
                    if a.__class__ is not float:
                        give(a, d)
                continue
            # One or two operands on floats, by partials alone: nearly every node of nearly every graph.  What follows is
            # give(operand, g * partial) for each, written out.
            done(node)
            done_grad(g)
            a = node._a
            x = node._x
            y = node._y
            if a.__class__ is not float:
                d = op.first
                if d.__class__ is not float:
                    d = g * (d(x, y, node._data) if kind == BINARY else d(x, node._data))
                else:
                    d = g * d
                cell = cell_of(a)
                if cell is not None:
                    cell[1] += d
                    n = cell[0] = cell[0] - 1
                    if not n:
                        push((a, cell[1]))
                elif a.op is None:
                    cells[a] = [-1, d]
                else:
                    push((a, d))
            a = node._b  # the second operand; of a unary op it is the float 0.0
            if a.__class__ is not float:
                d = op.second
                if d.__class__ is not float:
                    d = g * d(x, y, node._data)
                else:
                    d = g * d
                cell = cell_of(a)
                if cell is not None:
                    cell[1] += d
                    n = cell[0] = cell[0] - 1
                    if not n:
                        push((a, cell[1]))
                elif a.op is None:
                    cells[a] = [-1, d]
                else:
                    push((a, d))
    except Exception as error:
        error.add_note(f"in the derivative rules of op {op.name}")
        raise
    inputs = {node: cell[1] for node, cell in cells.items() if cell[0] < 0}
    unreached = [node for node, g in inputs.items() if g is UNREACHED]
    for node in unreached:
        del inputs[node]
    return Adjoints(inputs, nodes, grads, unreached)


def contributions(node: Node, g: Any, graph: bool = False) -> list[Any]:
    """What `node`, with adjoint `g`, adds to each operand's adjoint; None where nothing flows."""
    return [None if edge is None else _flow(g, edge) for edge in _edges(node, graph)]


def _edges(node: Node, graph: bool) -> list[Any]:
    """What `node` multiplies by at each operand; None at one that is a constant, or to which nothing flows."""
    op = node.op
    args = operands(node)
    inputs, out = (as_they_were(node), node) if graph else (values(node), node._data)
    if op.rule is not None:
        return [None if a.__class__ is float else d for a, d in zip(args, op.rule(inputs, out), strict=True)]
    return [None if a.__class__ is float else op.edge(i, inputs, out) for i, a in enumerate(args)]


def _flow(g: Any, edge: Any) -> Any:
    """`times`, also for an adjoint or tangent that is masked: the rules see the number, and what they give is masked."""
    if g.__class__ is Masked:
        d = times(g.g, edge)
        return None if d is None else g.over(d)
    return times(g, edge)


def _name_nan(seeds: Mapping[Node, Any], stop: Collection[Node]) -> None:
    """Raise AnomalyError for the first product or sum of the reverse sweep that is nan though its parts are not."""
    adjoint = {node: getattr(g, "_data", g) for node, g in seeds.items()}
    origin: dict[Node, str] = {}
    with context.unchecked():
        for node in order(seeds, stop):
            g = adjoint.get(node)
            if g is None or g != g:
                continue
            name, where = node.op.name, getattr(node, "where", "unknown line")
            for i, (a, d) in enumerate(zip(operands(node), contributions(node, g), strict=True)):
                if d is None:
                    continue
                title = a.name or (f"the result of {a.op.name}" if a.op is not None else f"a Value of {a._data!r}")
                if d != d and a._data == a._data:
                    raise _made_nan("gradient", title, g, origin.get(node, "the seed"), node, i)
                total = adjoint[a] + d if a in adjoint else d
                if total != total and d == d and adjoint[a] == adjoint[a]:
                    raise AnomalyError(
                        f"the gradient of {title} is nan: {adjoint[a]:g} (from {origin[a]}) + {d:g} (from {name} at {where})"
                    )
                adjoint[a] = total
                origin[a] = f"{name} at {where}"


def _made_nan(what: str, title: str, g: float, origin: str, node: Node, i: int) -> AnomalyError:
    """The error for a product with the partial of operand `i` that is nan."""
    partial = node.op.partial(i, values(node), node._data)
    where = getattr(node, "where", "unknown line")
    return AnomalyError(f"the {what} of {title} is nan: {g:g} (from {origin}) x {partial:g} ({node.op.name}' at {where})")


def linear_form(roots: Iterable[Node], graph: bool = False, stop: Collection[Node] = NOTHING) -> LinearForm:
    """The graph as a linear map: each computed node, results first, with its (operand, edge) pairs.

    For many sweeps over one graph: the partials are worked out once, and product rules kept as rules.  Edges along which
    nothing flows are left out.
    """
    with context.unchecked():
        return [
            (node, [(a, e) for a, e in zip(operands(node), _edges(node, graph), strict=True) if e is not None])
            for node in order(roots, stop)
        ]


def pull(form: LinearForm, root: Node, seed: Any = 1.0) -> dict[Node, Any]:
    """Adjoints of one root through a linear form: one row of a Jacobian."""
    adjoint = {root: seed}
    with context.unchecked():
        for node, edges in form:
            g = adjoint.get(node)
            if g is None:
                continue
            for a, edge in edges:
                d = _flow(g, edge)
                if d is not None:
                    adjoint[a] = adjoint[a] + d if a in adjoint else d
    if context.current().anomaly:
        _name_nan({root: seed}, frozenset(a for _, edges in form for a, _ in edges).difference(node for node, _ in form))
    return adjoint


def push(form: LinearForm, tangent: Mapping[Node, Any]) -> dict[Node, Any]:
    """Tangents of all nodes from those of the inputs: one column of a Jacobian.  Missing means none."""
    tangents = dict(tangent)
    with context.unchecked():
        for node, edges in reversed(form):
            total = None
            for a, edge in edges:
                t = tangents.get(a)
                if t is not None:
                    t = _flow(t, edge)
                    if t is not None:
                        total = t if total is None else total + t
            if total is not None:
                tangents[node] = total
    if context.current().anomaly:
        _name_nan_forward(form, tangents)
    return tangents


def _name_nan_forward(form: LinearForm, tangents: Mapping[Node, Any]) -> None:
    """Raise AnomalyError for the first product or sum of a forward sweep that is nan though its parts are not."""
    for node, edges in reversed(form):
        total = getattr(tangents.get(node), "_data", tangents.get(node))
        if total is None or total == total or node._data != node._data:
            continue
        title = node.name or f"the result of {node.op.name}"
        parts = []
        with context.unchecked():
            for i, a in enumerate(operands(node)):
                t = getattr(tangents.get(a), "_data", tangents.get(a))
                if t is None or not any(a is b for b, _ in edges):
                    continue
                if t != t:
                    return
                origin = a.name or (f"the result of {a.op.name}" if a.op is not None else f"a Value of {a._data!r}")
                d = contributions(node, t)[i]
                if d is not None and d != d:
                    raise _made_nan("tangent", title, t, origin, node, i)
                parts.append(d)
        name, where = node.op.name, getattr(node, "where", "unknown line")
        terms = " + ".join(f"{d:g}" for d in parts if d is not None)
        raise AnomalyError(f"the tangent of {title} is nan: {terms} ({name} at {where})")
