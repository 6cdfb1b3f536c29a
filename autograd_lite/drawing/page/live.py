"""What a page needs to work the picture out anew: the graph as a program, and where each of its numbers stands.

The program gives every value, total derivative, factor and contribution of the graph, with the rules and in the order of the
engine's own reverse sweep.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from ... import adjoints, context, graph
from ...compiler import to_js
from ...compiler.recorded import program_of
from ...errors import LoweringError
from ...formula.nodes import NEAR, TINY, may_kink
from ...graph import Node
from ...ops import piecewise
from ...ops.choice import Masked
from ...program import Program
from ...value import Value
from ..model import Number

MOST = 4000  # nodes of a graph that a page works out anew


class _Numbers(context.Recorder):
    """The program is for numbers: what a Value is when it is worked out counts, not that it varies."""

    def is_plain(self, x: object) -> bool:
        """Whether a mask may hang on it, as that of x**y does on y."""
        return isinstance(x, Value)


@dataclass
class Sweep:
    """What one result's reverse sweep gave: where its numbers stand among the outputs."""

    places: dict[tuple[Any, ...], int] = field(default_factory=dict)
    flags: dict[tuple[Any, ...], tuple[int, bool]] = field(
        default_factory=dict
    )  # for what may not be there: a truth, and the wanted
    parts: dict[Node, list[Any]] = field(default_factory=dict)  # what was added to each node's total, in order
    uses: list[tuple[Node, int, Node]] = field(default_factory=list)  # along which something may flow: node, argument, operand


@dataclass
class Live:
    """A graph as a program of its leaves."""

    leaves: list[Node]
    places: dict[tuple[Any, ...], int] = field(default_factory=dict)  # of values among the outputs
    outputs: list[Any] = field(default_factory=list)
    known: dict[int, int] = field(default_factory=dict)  # where a Value stands among them, by its id
    copies: dict[Node, Any] = field(default_factory=dict)
    used: dict[int, int] = field(default_factory=dict)  # outputs that were asked for, in order
    sweeps: dict[Node, Sweep] = field(default_factory=dict)  # by result
    roots: list[Node] = field(default_factory=list)
    root: Node = None  # whose derivatives are asked for

    @property
    def here(self) -> Sweep:
        """The sweep of `root`."""
        return self.sweeps[self.root]

    def at(self, kind: str, node: Node, argument: int = 0) -> int | None:
        """Which output of `program` a number is; None for one that does not exist, as a total that no gradient reaches."""
        key = (kind, node, argument)
        place = self.places.get(key)
        return self.asked(self.here.places.get(key) if place is None else place)

    def asked(self, place: int | None) -> int | None:
        """The number of an output among those that were asked for."""
        return None if place is None else self.used.setdefault(place, len(self.used))

    def flag(self, kind: str, node: Node, argument: int = 0) -> list[Any] | None:
        """For a number that is there only where a condition comes out one way: which output, and whether it is to be true."""
        found = self.here.flags.get((kind, node, argument))
        return None if found is None else [self.asked(found[0]), found[1]]

    def constant(self, x: float) -> int:
        """A number that stays as it is, as an output."""
        place = self.places.setdefault(("constant", repr(x)), len(self.outputs))
        if place == len(self.outputs):
            self.outputs.append(x)
        found = self.asked(place)
        assert found is not None
        return found

    def product(self, factors: list[tuple[Any, float]]) -> int | None:
        """The product of nodes and numbers, as an output."""
        key = ("product", *((a if a.__class__ is not float else repr(a)) for a, _ in factors))
        if key not in self.places:
            with context.tracing(context.Recorder()):
                self.add(*key, math.prod(self.copies.get(a, x) for a, x in factors))
        return self.asked(self.places[key])

    def number(self, n: Number) -> int | None:
        """Which output a number in a text is."""
        return self.at(n.kind, n.node, n.argument)

    def program(self) -> Program:
        """The program of what was asked for."""
        return program_of(self.inputs(), [self.outputs[place] for place in self.used])

    def result(self) -> Program:
        """The program of the results alone."""
        return program_of(self.inputs(), [self.copies[root] for root in self.roots])

    def inputs(self) -> list[Any]:
        """The leaves of the copy."""
        return [self.copies[leaf] for leaf in self.leaves]

    def add(self, *key: Any) -> None:
        """One more output, the last argument, under the others; of a derivative also the condition under which it is there."""
        *name, x = key
        own = name[0] in ("value", "guard", "product")
        if isinstance(x, Masked) and not own:
            self.here.flags[tuple(name)] = (len(self.outputs), x.wanted)
            self.outputs.append(x.c if isinstance(x.c, Value) else float(x.c))
        x = x if isinstance(x := Masked.settled(x), Value) else float(x)
        place = self.known.setdefault(id(x), len(self.outputs)) if isinstance(x, Value) else len(self.outputs)
        (self.places if own else self.here.places)[tuple(name)] = place
        if place == len(self.outputs):
            self.outputs.append(x)

    def numbers(self) -> list[float]:
        """The outputs at the leaves as they are."""
        return self.program()([leaf._data for leaf in self.leaves])


def live(root: Node, names: Any, guards: Any = (), others: Any = ()) -> Live:
    """The program of everything that a picture of `root` may show; it changes nothing.

    >>> x = Value(3.0)
    >>> found = live(x * x, [x])
    >>> found.at("total", x), found.at("value", x)
    (0, 1)
    >>> found.numbers()
    [6.0, 3.0]
    """
    found = Live([node for node in names if node.op is None], roots=[root, *others], root=root)
    with context.tracing(_Numbers()):
        _replay(found, [*found.roots, *(node for node, _, _ in guards)])
        for each in reversed(found.roots):
            found.root = each
            found.sweeps[each] = Sweep()
            _add_sweep(found, each)
    for k, (node, _, _) in enumerate(guards):
        found.add("guard", node, k, found.copies[node])
    return found


def _replay(found: Live, roots: list[Node]) -> None:
    """The graph over again, on leaves of its own."""
    copies = found.copies
    for leaf in found.leaves:
        copies[leaf] = Value(leaf._data)
        found.add("value", leaf, 0, copies[leaf])
    for node in reversed(graph.order(roots)):
        args = [a if a.__class__ is float else copies.get(a, a._data) for a in graph.operands(node)]
        copies[node] = Value._record(node.op, tuple(args)) if any(isinstance(a, Value) for a in args) else Value(node._data)
        found.add("value", node, 0, copies[node])


def _add_sweep(found: Live, root: Node) -> None:
    """The reverse sweep, everything on the way an output."""
    adjoint: dict[Node, Any] = {root: 1.0}
    found.add("total", root, 0, 1.0)
    for node in graph.order([root]):
        g, copy = adjoint.get(node), found.copies[node]
        if node is not root and node in adjoint:
            found.add("total", node, 0, g)
        if g is None or copy.op is None:
            continue
        args = graph.operands(copy)
        partials = copy.op.rule(args, copy) if copy.op.rule is not None else None
        for i, (a, part) in enumerate(zip(graph.operands(node), adjoints.contributions(copy, g, graph=True), strict=True)):
            if part is None or a.__class__ is float:
                continue
            found.add("factor", node, i, copy.op.partial(i, args, copy) if partials is None else partials[i])
            found.add("part", node, i, part)
            found.here.uses.append((node, i, a))
            _both_sides(found, node, i)
            before = adjoint.get(a)
            adjoint[a] = part if before is None else before + part
            found.here.parts.setdefault(a, []).append(part)
            found.add("sum", a, len(found.here.parts[a]), adjoint[a])
    for leaf in found.leaves:
        if leaf in adjoint and leaf is not root:
            found.add("total", leaf, 0, adjoint[leaf])


def _both_sides(found: Live, node: Node, i: int) -> None:
    """The factor a hair to either side, where the op has kinks."""
    copy = found.copies[node]
    if not may_kink(node):
        return
    args = list(graph.operands(copy))
    for kind, way in (("left", -1.0), ("right", 1.0)):
        size = piecewise.maximum(piecewise.abs(args[i]) * NEAR, TINY)
        moved = [*args[:i], args[i] + way * size, *args[i + 1 :]]
        found.add(kind, node, i, copy.op.partial(i, moved, copy.op(*moved)))


def scripts(found: Live) -> str:
    """The functions ``run`` and ``value`` of the leaves in JavaScript, with what they need.

    Raises LoweringError where a page cannot work it out, with the reason.
    """
    if len(found.copies) > MOST:
        raise LoweringError(f"{len(found.copies)} nodes are more than the {MOST} that a page works out")
    text = "\n".join([to_js.source(found.program(), "run"), to_js.source(found.result(), "value")])
    return "\n".join(filter(None, [to_js.runtime(text), text]))
