"""How a reverse sweep goes from node to node: what each has gathered is passed on to its operands, results first.

Nothing here writes to a node, and nothing recurses.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import repeat
from typing import Any

from .accelerated import FREE_THREADED, loaded
from .graph import Identities, Node, as_they_were, operands, sharing, values
from .ops.choice import Masked
from .ops.columns import ANY_NUMBER, BINARY, GENERAL, PRODUCT, SUM, TIMES
from .ops.row import Product, times
from .tree import Number

Cells = dict[Node, list[Any]]
Passed = tuple[Cells, list[Node], list[Any]]  # the cells, and in step the computed nodes that are reached and their adjoints
UNREACHED = -float("0")  # told from any sum by identity; -0.0 + d is d to the bit
# what the interpreter counts for a node that one edge leads to: the edge, the variable by which it is looked at, and the call
_ALONE = 3
_TELLING = loaded is None and sys.implementation.name == "cpython" and sys.version_info < (3, 14) and not FREE_THREADED
DOUBTFUL = 16  # for how many sweeps edges are counted after one that had to be done anew
_doubtful = 0


def passed(seeds: Mapping[Node, Number], graph: bool, stop: Identities) -> Passed:
    """The whole sweep.  A node that gathers from several places has a cell [how many are still to come, their sum so far];
    inputs too, with a count below 0.  All other nodes pass on what they get at once.
    """
    return (None if graph else _uncounted(seeds, stop)) or _counted(seeds, graph, stop)


def _counted(seeds: Mapping[Node, Number], graph: bool, stop: Identities) -> Passed:
    """The sweep after a walk that counts how many edges lead to each node."""
    cells: Cells = {node: [-1, UNREACHED] for node in stop}
    cells.update((node, [count, UNREACHED]) for node, count in sharing(seeds, stop).items() if node not in stop)
    ready: list[tuple[Node, Any]] = []  # a node with its whole adjoint; None where nothing flows
    for root, seed in seeds.items():
        _give(cells, ready, root, seed)
    return _pass_nodes(cells, ready) if graph else _pass_floats(cells, ready, cells.get, None)


def _uncounted(seeds: Mapping[Node, Number], stop: Identities) -> Passed | None:
    """The sweep from one root without that walk: at most as many edges lead to a node as the interpreter counts references.

    Mostly there are no other references.  None where some nodes still wait in the end, where a rule fails, so that it is the
    error of the right order, and before a rule of the user's, which may notice; then edges are counted for some sweeps.
    """
    global _doubtful  # noqa: PLW0603
    if not _TELLING or _doubtful or len(seeds) != 1:
        _doubtful -= _doubtful > 0
        return None
    cells: Cells = {node: [-1, UNREACHED] for node in stop}
    ((root, seed),) = seeds.items()
    if root.op is None or root in cells:
        return None
    with suppress(Exception):
        found = _pass_floats(cells, [(root, seed)], sys.getrefcount, _ALONE)
        if not any(cell[0] > 0 for cell in cells.values()):
            return found
    _doubtful = DOUBTFUL
    return None


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


def _pass_nodes(cells: Cells, ready: list[tuple[Node, Any]]) -> Passed:
    """Pass on what is ready, by rules run on nodes."""
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
    return cells, nodes, grads


def _pass_floats(cells: Cells, ready: list[tuple[Node, Any]], references: Callable[[Node], Any], alone: Any) -> Passed:
    """The same on floats, with `_give` written out, as nearly all time is spent here.

    One edge leads to a node of which `references` says `alone`; another that has no cell yet waits for as many more as it
    says more.  So nothing here may hold a node that has not been met, beside the variable by which it is looked at.

    ``while True`` rather than ``while ready``: it ends in a jump that CPython counts, and is specialised at once.  What would
    be pushed and popped again is gone on with instead, and no tuple is kept: the collector would look at them all.
    """
    nodes: list[Node] = []
    grads: list[Any] = []
    cell_of = cells.get
    flows: Iterator[Any]
    d: Any
    e: Any
    try:
        while True:
            if not ready:
                return cells, nodes, grads
            node, g = ready.pop()
            while True:
                a = node._a
                if g is None:
                    d = e = None
                else:
                    nodes.append(node)
                    grads.append(g)
                    op = node.op
                    kind = op.kind
                    if kind == SUM:
                        d = e = g
                    elif kind == TIMES:
                        d = g * node._y
                        e = g * node._x
                    elif alone and not op.entered:
                        raise LookupError
                    elif kind > GENERAL:  # one or two operands, by partials alone
                        if type(a) is not float:
                            d = op.first
                            if type(d) is not float:
                                d = d(node._x, node._y, node._data) if kind == BINARY else d(node._x, node._data)
                            d = g * d
                        if type(node._b) is not float:  # of a unary op the float 0.0
                            e = op.second
                            e = g * (e if type(e) is float else e(node._x, node._y, node._data))
                    elif kind == PRODUCT and op.arity == 1:
                        d = op.products[0](g, node._x, node._data)
                        if isinstance(d, int):
                            d = float(d)
                    elif kind == ANY_NUMBER:
                        factor = g
                        flows = iter(op.rule(node._x, node._data))
                    else:
                        factor = None
                        flows = iter([float(d) if isinstance(d, int) else d for d in contributions(node, g)])
                        if type(a) is not tuple:
                            d, e = next(flows), next(flows, None)
                if type(a) is tuple:
                    if g is None:
                        flows, factor = repeat(None), None
                    for b in a:
                        d = next(flows)
                        if type(b) is float:
                            continue
                        if factor is not None:
                            d = factor * d
                        if b.op is None:
                            cell = cell_of(b)
                            if cell is None:
                                cells[b] = [-1, UNREACHED if d is None else d]
                            elif d is not None:
                                cell[1] += d
                            continue
                        n = references(b)
                        if n == alone:
                            ready.append((b, d))
                            continue
                        cell = cell_of(b)
                        if cell is None:
                            cells[b] = [n - alone, UNREACHED if d is None else d]
                            continue
                        if d is not None:
                            cell[1] += d
                        n = cell[0] = cell[0] - 1
                        if not n:
                            ready.append((b, None if cell[1] is UNREACHED else cell[1]))
                    break
                if type(a) is not float:
                    if a.op is None:
                        cell = cell_of(a)
                        if cell is None:
                            cells[a] = [-1, UNREACHED if d is None else d]
                        elif d is not None:
                            cell[1] += d
                    else:
                        n = references(a)
                        if n == alone:
                            ready.append((a, d))
                        else:
                            cell = cell_of(a)
                            if cell is None:
                                cells[a] = [n - alone, UNREACHED if d is None else d]
                            else:
                                if d is not None:
                                    cell[1] += d
                                n = cell[0] = cell[0] - 1
                                if not n:
                                    ready.append((a, None if cell[1] is UNREACHED else cell[1]))
                a = node._b
                if type(a) is float:
                    break
                if a.op is None:
                    cell = cell_of(a)
                    if cell is None:
                        cells[a] = [-1, UNREACHED if e is None else e]
                    elif e is not None:
                        cell[1] += e
                    break
                n = references(a)
                if n == alone:
                    node = a
                    g = e
                    continue
                cell = cell_of(a)
                if cell is None:
                    cells[a] = [n - alone, UNREACHED if e is None else e]
                    break
                if e is not None:
                    cell[1] += e
                n = cell[0] = cell[0] - 1
                if n:
                    break
                node = a
                g = None if cell[1] is UNREACHED else cell[1]
    except Exception as error:
        noted(error, node)
        raise


def contributions(node: Node, g: Number, graph: bool = False) -> list[Number]:
    """What `node`, with adjoint `g`, adds to each operand's adjoint; None where nothing flows."""
    return [None if edge is None else flow(g, edge) for edge in edges_of(node, graph)]


def edges_of(node: Node, graph: bool) -> list[Number]:
    """What `node` multiplies by at each operand; None at one that is a constant, or to which nothing flows."""
    op = node.op
    args = operands(node)
    inputs, out = (as_they_were(node), node) if graph else (values(node), node._data)
    if op.rule is not None:
        return [None if a.__class__ is float else d for a, d in zip(args, op.rule(inputs, out), strict=True)]
    return [None if a.__class__ is float else op.edge(i, inputs, out) for i, a in enumerate(args)]


def flow(g: Number, edge: Number) -> Number:
    """`times`, also for an adjoint or tangent that is masked: the rules see the number, and what they give is masked."""
    if g.__class__ is Masked:
        d = flow(g.g, edge)
        return None if d is None else g.over(d, edge)
    return times(g, edge)


# what the core in C calls where it meets what is not frequent
CALLED: dict[str, object] = {
    "contributions": contributions, "edges": edges_of, "flow": flow, "noted": noted, "product": Product,
}  # fmt: skip
