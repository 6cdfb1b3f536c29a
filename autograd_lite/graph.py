"""The order of a graph of Values: what its nodes are made of, and walks over them.  Always with an explicit stack.

A node is anything with ``op``, the operands ``_a`` and ``_b`` (one tuple in ``_a`` where there are more than two), what
they were worth when the node was made, ``_x`` and ``_y``, and the result ``_data``.  An operand that is not a node is
exactly a float, so ``.__class__ is not float`` finds the nodes.  Nothing here writes to a node.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from .accelerated import loaded
from .tree import Number

Node = Any
Identities = AbstractSet[Node] | Mapping[Node, Any]  # whose `in` goes by identity; that of a list goes by value
NOTHING: frozenset[Node] = frozenset()


def operands(node: Node) -> tuple[Number, ...]:
    """The operands of a node in order, repeats kept; none of a leaf."""
    if node.op is None:
        return ()
    a = node._a
    if a.__class__ is tuple:
        return a
    return (a,) if node.op.arity == 1 else (a, node._b)


def values(node: Node) -> tuple[float, ...]:
    """What the operands were worth when the node was made."""
    x = node._x
    if x.__class__ is tuple:
        return x
    return (x,) if node.op.arity == 1 else (x, node._y)


if loaded is not None:
    operands, values = loaded.operands, loaded.values


def as_they_were(node: Node) -> tuple[Number, ...]:
    """The operands as nodes worth what they were then: a leaf changed since is replaced by a copy of its old self."""
    args = operands(node)
    for a in args:
        if a.__class__ is not float and a.op is None:
            break
    else:
        return args
    return tuple(
        a if a.__class__ is float or _same(a._data, x) else a._snapshot(x) for a, x in zip(args, values(node), strict=True)
    )


def _same(x: float, y: float) -> bool:
    """Whether two are the same number, the sign of zero included."""
    return x is y or (x == y and (x != 0.0 or math.copysign(1.0, x) == math.copysign(1.0, y))) or (x != x and y != y)


def sharing(roots: Iterable[Node], stop: Identities = NOTHING) -> dict[Node, int]:
    """The computed nodes that more than one edge or root leads to, and how many do.

    Found from the roots down; the walk does not look beyond the nodes in `stop`.
    """
    seen: set[Node] = set()
    shared: dict[Node, int] = {}
    stack: list[Node] = []
    add, push, pop = seen.add, stack.append, stack.pop

    for root in roots:
        if root.op is not None:
            add(root)
            if root not in stop:
                push(root)
    while True:  # as in `sweeps._pass_floats`: `while stack` would not be specialised
        if not stack:
            return shared
        node = pop()
        while True:
            a = node._a
            if type(a) is tuple:
                for b in a:
                    if type(b) is not float and b.op is not None:
                        if b in seen:
                            shared[b] = shared.get(b, 1) + 1
                        else:
                            add(b)
                            if b not in stop:
                                push(b)
                break
            # the same again for each of two operands, written out: this loop sees every edge of the graph
            if type(a) is not float and a.op is not None:
                if a in seen:
                    shared[a] = shared.get(a, 1) + 1
                else:
                    add(a)
                    if a not in stop:
                        push(a)
            node = node._b
            if type(node) is float or node.op is None:
                break
            if node in seen:
                shared[node] = shared.get(node, 1) + 1
                break
            add(node)
            if node in stop:
                break


def order(roots: Iterable[Node], stop: Identities = NOTHING) -> list[Node]:
    """The computed nodes that the roots need, results before operands, in an order that depends on the graph's shape only."""
    roots = list(dict.fromkeys(roots))
    if loaded is not None and (found := loaded.order(roots, stop)) is not None:
        in_order: list[Node] = found
        return in_order
    waiting = sharing(roots, stop)
    ready = [node for node in roots if node.op is not None]
    result: list[Node] = []
    while ready:
        node = ready.pop()
        if node in waiting:
            waiting[node] -= 1
            if waiting[node]:
                continue
        if node in stop:
            continue
        result.append(node)
        ready.extend(a for a in operands(node) if a.__class__ is not float and a.op is not None)
    return result


def has_leaves(roots: Iterable[Node], stop: Identities, since: float = math.inf) -> bool:
    """Whether the roots depend on any leaf that is not behind `stop` and was made before the clock said `since`."""
    roots = list(roots)
    return any(r.op is None and r._y < since for r in roots) or any(
        a.__class__ is not float and a.op is None and a._y < since for node in order(roots, stop) for a in operands(node)
    )
