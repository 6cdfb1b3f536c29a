"""What flows along a graph of Values: the reverse sweep, the forward sweep, and the graph as a linear form.

All sweeps multiply by the same edges (`ops.row.times`), in both directions: where nothing flows nothing is added, which is
not the same as adding 0.  Nothing here writes to a node, and nothing recurses.  A forward sweep on floats is done
again, scaled, where a tangent leaves the range of doubles on the way.  A reverse sweep is not, nor is compiled code: there the
slope of 1/(1e200*x) at 1, which needs 1e-400 on the way, is 0.

``graph=True`` runs the same rules on nodes instead of floats, so that the result can be differentiated again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import Any, NamedTuple

from . import context
from .accelerated import loaded
from .errors import AnomalyError
from .graph import NOTHING, Identities, Node, as_they_were, operands, order, sharing, values
from .ops.choice import Masked
from .ops.row import ANY_NUMBER, BINARY, GENERAL, PRODUCT, first, second, times
from .tree import Number

Cells = dict[Node, list[Number]]
_SMALLER, _LARGER = (2.0**-64, 2.0**-300, 2.0**-1000), (2.0**600, 2.0**1000)  # factors of tangents: a sweep is linear
_LEAST = sys.float_info.min
UNREACHED = -float("0")  # told from any sum by identity; -0.0 + d is d to the bit

LinearForm = list[tuple[Node, list[tuple[Node, Number]]]]


class Adjoints(NamedTuple):
    """What a reverse sweep found: the inputs' adjoints, and in step with each other the computed nodes and theirs."""

    inputs: dict[Node, Any]
    nodes: list[Node]
    grads: list[Any]
    unreached: list[Node]  # leaves that the seeded nodes depend on, to which nothing flows


def reverse(seeds: Mapping[Node, Number], graph: bool = False, stop: Identities = NOTHING, computed: bool = True) -> Adjoints:
    """Adjoints of everything the seeded nodes depend on: ``bar(a) = sum of bar(node) * d node / d a``, results first.

    The inputs are the leaves and the nodes in `stop`, beyond which the sweep does not look.  A node is missing from the
    answer where no gradient reaches it at all, which is not the same as gradient 0.  Without `computed` the lists of
    computed nodes may be left empty.
    """
    if not context.active:
        if loaded is not None and not graph and (found := loaded.reverse(dict(seeds), stop, computed)) is not None:
            return Adjoints(*found)
        return _reverse(seeds, graph, stop)
    with context.unchecked():  # an infinite partial is no error of the user's
        found = _reverse(seeds, graph, stop)
    if context.current().anomaly:
        _name_nan(seeds, stop)
    return found


def _reverse(seeds: Mapping[Node, Number], graph: bool, stop: Identities) -> Adjoints:
    # Nodes that gather from several places have a cell [how many are still to come, their sum so far]; inputs too, with
    # a count that never comes to 0.  All other nodes pass on what they get at once.
    cells: Cells = {node: [-1, UNREACHED] for node in stop}
    cells.update((node, [count, UNREACHED]) for node, count in sharing(seeds, stop).items() if node not in stop)
    ready: list[tuple[Node, Any]] = []  # a node with its whole adjoint; None where nothing flows
    for root, seed in seeds.items():
        _give(cells, ready, root, seed)
    nodes, grads = _pass_nodes(cells, ready) if graph else _pass_floats(cells, ready)
    inputs = {node: cell[1] for node, cell in cells.items() if cell[0] < 0}
    if graph and context.trace() is None:
        inputs, grads = {node: Masked.settled(g) for node, g in inputs.items()}, list(map(Masked.settled, grads))
    unreached = [node for node, g in inputs.items() if g is UNREACHED]
    for node in unreached:
        del inputs[node]
    return Adjoints(inputs, nodes, grads, unreached)


def _give(cells: Cells, ready: list[tuple[Node, Number]], a: Node, d: Number) -> None:
    """Add `d` to what `a` has gathered, nothing where d is None, and make `a` ready if that was the last."""
    cell = cells.get(a)
    if cell is not None:
        if d is not None:
            cell[1] = d if cell[1] is UNREACHED else cell[1] + d
        cell[0] -= 1
        if not cell[0]:
            ready.append((a, None if cell[1] is UNREACHED else cell[1]))
    elif a.op is not None:
        ready.append((a, d))
    else:
        cells[a] = [-1, UNREACHED if d is None else d]


def noted(error: Exception, node: Node) -> None:
    """Say in a rule's own error which op it is of."""
    error.add_note(f"in the derivative rules of op {node.op.name}")


def _pass_nodes(cells: Cells, ready: list[tuple[Node, Number]]) -> tuple[list[Node], list[Number]]:
    """Pass on what is ready by rules run on nodes: the computed nodes that are reached, and their adjoints."""
    nodes: list[Node] = []
    grads: list[Any] = []
    while ready:
        node, g = ready.pop()
        args = operands(node)
        flows: Iterable[Any] = repeat(None, len(args))
        if g is not None:
            nodes.append(node)
            grads.append(g)
            try:
                flows = contributions(node, g, graph=True)
            except Exception as error:
                noted(error, node)
                raise
        for a, d in zip(args, flows, strict=True):
            if a.__class__ is not float:
                _give(cells, ready, a, d)
    return nodes, grads


def _pass_floats(cells: Cells, ready: list[tuple[Node, Number]]) -> tuple[list[Node], list[Number]]:
    """The same on floats, with `_give` written out, as nearly all time is spent here.

    ``while True`` rather than ``while ready``: it ends in a jump that CPython counts, and is specialised at once.  What would
    be pushed and popped again is gone on with instead, and no tuple is kept: the collector would look at them all.
    """
    nodes: list[Node] = []
    grads: list[Any] = []
    done, done_grad, cell_of, push, pop = nodes.append, grads.append, cells.get, ready.append, ready.pop
    try:
        while True:
            if not ready:
                return nodes, grads
            node, g = pop()
            while True:
                op = node.op
                a = node._a
                if g is None:
                    for b in a if type(a) is tuple else (a, node._b):
                        if type(b) is not float:
                            cell = cell_of(b)
                            if cell is None:
                                if b.op is None:
                                    cells[b] = [-1, UNREACHED]
                                else:
                                    push((b, None))
                            else:
                                n = cell[0] = cell[0] - 1
                                if not n:
                                    push((b, None if cell[1] is UNREACHED else cell[1]))
                    break
                done(node)
                done_grad(g)
                kind = op.kind
                if kind > GENERAL:  # one or two operands, by partials alone: nearly every node of nearly every graph
                    if type(a) is not float:
                        d = op.first
                        if type(d) is float:
                            d = g * d
                        elif d is second:
                            d = g * node._y
                        elif kind == BINARY:
                            d = g * d(node._x, node._y, node._data)
                        else:
                            d = g * d(node._x, node._data)
                        cell = cell_of(a)
                        if cell is None:
                            if a.op is None:
                                cells[a] = [-1, d]
                            else:
                                push((a, d))
                        else:
                            cell[1] += d
                            n = cell[0] = cell[0] - 1
                            if not n:
                                push((a, cell[1]))
                    a = node._b  # of a unary op the float 0.0
                    if type(a) is float:
                        break
                    d = op.second
                    if type(d) is float:
                        d = g * d
                    elif d is first:
                        d = g * node._x
                    else:
                        d = g * d(node._x, node._y, node._data)
                    cell = cell_of(a)
                    if cell is None:
                        if a.op is None:
                            cells[a] = [-1, d]
                            break
                        node = a
                        g = d
                    else:
                        cell[1] += d
                        n = cell[0] = cell[0] - 1
                        if n:
                            break
                        node = a
                        g = cell[1]
                    continue
                if kind == ANY_NUMBER:
                    for b, cell, d in zip(a, map(cell_of, a), op.rule(node._x, node._data), strict=True):
                        if type(b) is not float:
                            if cell is not None:
                                cell[1] += g * d
                                n = cell[0] = cell[0] - 1
                                if not n:
                                    push((b, cell[1]))
                            elif b.op is None:
                                cells[b] = [-1, g * d]
                            else:
                                push((b, g * d))
                elif kind == PRODUCT:
                    if op.arity == 1:
                        if type(a) is not float:
                            _give(cells, ready, a, op.products[0](g, node._x, node._data))
                    else:
                        for b, product in zip((a, node._b), op.products, strict=True):
                            if type(b) is not float:
                                _give(cells, ready, b, product(g, node._x, node._y, node._data))
                else:
                    for b, d in zip(operands(node), contributions(node, g), strict=True):
                        if type(b) is not float:
                            _give(cells, ready, b, d)
                break
    except Exception as error:
        noted(error, node)
        raise


def contributions(node: Node, g: Number, graph: bool = False) -> list[Number]:
    """What `node`, with adjoint `g`, adds to each operand's adjoint; None where nothing flows."""
    return [None if edge is None else _flow(g, edge) for edge in _edges(node, graph)]


def _edges(node: Node, graph: bool) -> list[Number]:
    """What `node` multiplies by at each operand; None at one that is a constant, or to which nothing flows."""
    op = node.op
    args = operands(node)
    inputs, out = (as_they_were(node), node) if graph else (values(node), node._data)
    if op.rule is not None:
        return [None if a.__class__ is float else d for a, d in zip(args, op.rule(inputs, out), strict=True)]
    return [None if a.__class__ is float else op.edge(i, inputs, out) for i, a in enumerate(args)]


def _flow(g: Number, edge: Number) -> Number:
    """`times`, also for an adjoint or tangent that is masked: the rules see the number, and what they give is masked."""
    if g.__class__ is Masked:
        d = _flow(g.g, edge)
        return None if d is None else g.over(d, edge)
    return times(g, edge)


def _name_nan(seeds: Mapping[Node, Number], stop: Identities) -> None:
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


def linear_form(roots: Iterable[Node], graph: bool = False, stop: Identities = NOTHING) -> LinearForm:
    """The graph as a linear map: each computed node, results first, with its (operand, edge) pairs.

    For many sweeps over one graph: the partials are worked out once, and product rules kept as rules.  Edges along which
    nothing flows are left out.
    """
    with context.unchecked():
        return [
            (node, [(a, e) for a, e in zip(operands(node), _edges(node, graph), strict=True) if e is not None])
            for node in order(roots, stop)
        ]


def pull(form: LinearForm, root: Node, seed: Number = 1.0, places: Mapping[Node, int] | None = None) -> dict[Node, Number]:
    """Adjoints of one root through a linear form: one row of a Jacobian.

    With the place of each node in the form, only those are visited that the root leads to.
    """
    adjoint = {root: seed}
    with context.unchecked():
        for node, edges in form if places is None else _reached(form, root, places):
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


def _reached(form: LinearForm, root: Node, places: Mapping[Node, int]) -> LinearForm:
    """The part of a linear form that a root leads to."""
    if root not in places:
        return []
    found = {places[root]}
    waiting = list(found)
    while waiting:
        for a, _ in form[waiting.pop()][1]:
            place = places.get(a)
            if place is not None and place not in found:
                found.add(place)
                waiting.append(place)
    return [form[place] for place in sorted(found)]


def push(form: LinearForm, tangent: Mapping[Node, Number]) -> dict[Node, Number]:
    """Tangents of all nodes from those of the inputs: one column of a Jacobian.  Missing means none."""
    with context.unchecked():
        tangents = _push(form, tangent)
        if all(t.__class__ is float and t - t == 0.0 for t in tangent.values()):
            for scale in _SMALLER:  # too large, maybe on the way only
                if not (lost := [a for a, t in tangents.items() if t.__class__ is float and t - t != 0.0]):
                    break
                found = _push(form, {a: t * scale for a, t in tangent.items()})
                if not _underflows(form, found):
                    tangents.update((a, found[a] / scale) for a in lost)
            for scale in _LARGER if _underflows(form, tangents) else ():  # without the loss, wherever all is in range so
                found = _push(form, {a: t * scale for a, t in tangent.items()})
                tangents.update((a, t / scale) for a, t in found.items() if t - t == 0.0)
    if context.current().anomaly:
        _name_nan_forward(form, tangents)
    return tangents


def _underflows(form: LinearForm, tangents: Mapping[Node, Number]) -> bool:
    """Whether some product of a forward sweep on floats was too small for a double with all its digits."""
    tiny = (edges for node, edges in form if (t := tangents.get(node)).__class__ is float and -_LEAST < t < _LEAST)
    return any(
        (d := tangents.get(a)) and (edge.__class__ is not float or (edge and -_LEAST < d * edge < _LEAST))
        for edges in tiny for a, edge in edges
    )  # fmt: skip


def _push(form: LinearForm, tangent: Mapping[Node, Number]) -> dict[Node, Number]:
    tangents = dict(tangent)
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
    return tangents


def _name_nan_forward(form: LinearForm, tangents: Mapping[Node, Number]) -> None:
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
