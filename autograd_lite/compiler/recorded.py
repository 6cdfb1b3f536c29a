"""The program of a graph of Values that is there already, as pictures need it."""

from __future__ import annotations

from collections.abc import Sequence

from .. import graph
from ..graph import Node
from ..program import Builder, Program, Ref
from ..tree import Number


def program_of(inputs: Sequence[Node], outputs: Sequence[Number]) -> Program:
    """The program that computes `outputs`, nodes or floats, from the leaves `inputs`; other leaves are constants.

    >>> from autograd_lite import Value
    >>> x = Value(3.0)
    >>> print(program_of([x], [x * x + Value(1.0)]))
    v1 = mul(v0, v0)
    v2 = add(v1, 1.0)
    return v2
    """
    place: dict[Node, Ref] = {leaf: i for i, leaf in enumerate(inputs)}
    made = Builder(len(inputs))

    def ref(a: Number) -> Ref:
        found: Ref = a if a.__class__ is float else place.get(a, a._data)
        return found

    for node in reversed(graph.order([out for out in outputs if out.__class__ is not float], place)):
        place[node] = made.add(node.op, *map(ref, graph.operands(node)))
    return Program.of(len(inputs), made.ops, made.args, tuple(map(ref, outputs)))
