"""What flows along a graph of Values: the reverse sweep, the forward sweep, and the graph as a linear form.

All sweeps multiply by the same edges (`ops.row.times`), in both directions: where nothing flows nothing is added, which is
not the same as adding 0.  Nothing here writes to a node, and nothing recurses.  A forward sweep on floats is done
again, scaled, where a tangent leaves the range of doubles on the way.  A reverse sweep is not, nor is compiled code: there the
slope of 1/(1e200*x) at 1, which needs 1e-400 on the way, is 0.

``graph=True`` runs the same rules on nodes instead of floats, so that the result can be differentiated again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from . import context
from .accelerated import loaded
from .adjoints import UNREACHED, contributions, edges_of, flow, passed
from .errors import AnomalyError
from .graph import NOTHING, Identities, Node, operands, order, values
from .ops.choice import Masked
from .tree import Number

_SMALLER, _LARGER = (2.0**-64, 2.0**-300, 2.0**-1000), (2.0**600, 2.0**1000)  # factors of tangents: a sweep is linear
_LEAST = sys.float_info.min

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
    if loaded is not None and graph and (found := loaded.reverse_nodes(dict(seeds), stop)) is not None:
        inputs, nodes, grads, unreached = found
    else:
        cells, nodes, grads = passed(seeds, graph, stop)
        inputs = {node: cell[1] for node, cell in cells.items() if cell[0] < 0}
        unreached = [node for node, g in inputs.items() if g is UNREACHED]
        for node in unreached:
            del inputs[node]
    if graph and context.trace() is None:
        inputs, grads = {node: Masked.settled(g) for node, g in inputs.items()}, list(map(Masked.settled, grads))
    return Adjoints(inputs, nodes, grads, unreached)


def _title(node: Node) -> str:
    """What messages call it."""
    return node.name or (f"the result of {node.op.name}" if node.op is not None else f"a Value of {node._data!r}")


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
                title = _title(a)
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
        nodes = order(roots, stop)
        if loaded is not None and graph:
            form: LinearForm = loaded.linear_form(nodes)
            return form
        return [
            (node, [(a, e) for a, e in zip(operands(node), edges_of(node, graph), strict=True) if e is not None])
            for node in nodes
        ]


def pulls(form: LinearForm, numbers: Mapping[Node, int], roots: Sequence[Node]) -> list[dict[int, Number]]:
    """Adjoints of the numbered inputs for each of some roots, None where a root is no node: a Jacobian, row by row."""
    places = {node: i for i, (node, _) in enumerate(form)}
    if loaded is not None and not context.current().anomaly:
        with context.unchecked():
            rows: list[dict[int, Number]] = loaded.pulls(form, places, numbers, roots)
            return rows
    found = [pull(form, root, places=places) if root is not None else {} for root in roots]
    return [{numbers[x]: g for x, g in adjoint.items() if x in numbers} for adjoint in found]


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
                d = flow(g, edge)
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
                t = flow(t, edge)
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
        title = _title(node)
        parts = []
        with context.unchecked():
            for i, a in enumerate(operands(node)):
                t = getattr(tangents.get(a), "_data", tangents.get(a))
                if t is None or not any(a is b for b, _ in edges):
                    continue
                if t != t:
                    return
                d = contributions(node, t)[i]
                if d is not None and d != d:
                    raise _made_nan("tangent", title, t, _title(a), node, i)
                parts.append(d)
        name, where = node.op.name, getattr(node, "where", "unknown line")
        terms = " + ".join(f"{d:g}" for d in parts if d is not None)
        raise AnomalyError(f"the tangent of {title} is nan: {terms} ({name} at {where})")
