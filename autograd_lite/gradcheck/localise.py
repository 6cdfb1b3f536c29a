"""Which op is to blame for a wrong derivative: the first whose own partial disagrees with its own values."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .. import adjoints, context, graph, ops, sweeps
from ..errors import AnomalyError
from ..graph import Node
from ..numerical.derivative import numerical_derivative
from ..ops import Op
from ..tree import flatten
from ..value import Value
from .report import Row
from .subject import CheckedFunction
from .verdict import FAIL, PASS, judge


def swapped(rows: list[Row], inputs: Sequence[str]) -> list[Row]:
    """The rows of one output, where each of two wrong derivatives is right for the other input: they look swapped."""
    wrong = [i for i, row in enumerate(rows) if row.verdict == FAIL and row.input in inputs]
    for i in wrong:
        for k in wrong:
            one, other = rows[i], rows[k]
            if one.input != other.input and one.mode == other.mode and _near(one.engine, other) and _near(other.engine, one):
                numbers = sorted((inputs.index(one.input) + 1, inputs.index(other.input) + 1))
                rows[i] = one._replace(hint=f"partials of arguments {numbers[0]} and {numbers[1]} look swapped")
    return rows


def _near(engine: float, row: Row) -> bool:
    return abs(engine - row.numeric) <= 2.0 * row.error + 1e-6 * abs(engine)


def _swapped_with(op: Op, floats: Sequence[float], i: int, partial: float, truth: float, flows: Sequence[float | None]) -> int:
    """The number, from 1, of the argument whose partial this one is, while its own stands there; 0 for none."""
    for k, flow in enumerate(flows):
        if k == i or flow is None or abs(flow - truth) > 1e-6 * abs(truth):
            continue
        found = numerical_derivative(lambda t, k=k: float(op.forward(*floats[:k], t, *floats[k + 1 :])), floats[k])  # type: ignore[misc]
        if abs(found.value - partial) <= 2.0 * found.error + 1e-6 * abs(partial):
            return k + 1
    return 0


def localise(subject: CheckedFunction, order: int, rtol: float) -> str:
    """The first op, operands before results, whose own partial disagrees with its own values; with its source line."""
    leaves = [Value(x, name) for x, name in zip(subject.point, subject.inputs, strict=True)]
    try:
        with context.detect_anomaly():
            if order == 1:
                roots = flatten(subject.f(*subject.tree(leaves)))[0]
            else:
                roots = []
                for k in range(len(subject.outputs)):
                    out = subject.out(k, leaves)
                    if isinstance(out, Value):
                        roots += sweeps.reverse({out: 1.0}, graph=True).inputs.values()
    except AnomalyError as error:
        return f"first nan: {error}"
    seen: set[object] = set()
    for node in reversed(graph.order([root for root in roots if isinstance(root, Value)])):
        floats = graph.values(node)
        if (node.op, floats) in seen:
            continue
        seen.add((node.op, floats))
        if found := _wrong_partial(node, floats, rtol):
            return found
    of = "its" if order == 1 else "its gradient's"
    return (
        f"no wrong op: the partials of all {of} ops agree with their values, so what is wrong is how they are put together: "
        f"a part of {subject.name} outside the graph (.data, detach, a global), a result that depends on earlier calls, or "
        f'rounding, which reference="mpmath" tells from a fault'
    )


def _wrong_partial(node: Node, floats: tuple[float, ...], rtol: float) -> str:
    op = node.op
    where = getattr(node, "where", "unknown line")
    if op is ops.stop_gradient:
        return f"first op that passes no gradient: stop_gradient at {where}, by definition"
    if op is ops.identity or not all(map(math.isfinite, floats)):
        return ""
    flows = adjoints.contributions(node, 1.0)
    for i, (a, flow) in enumerate(zip(graph.operands(node), flows, strict=True)):
        if a.__class__ is float:
            continue
        partial = 0.0 if flow is None else flow

        def forward(t: float, i: int = i) -> float:
            return float(op.forward(*floats[:i], t, *floats[i + 1 :]))

        if judge(partial, numerical_derivative(forward, floats[i], fast=True), rtol).verdict == PASS:
            continue
        found = numerical_derivative(forward, floats[i])
        verdict = judge(partial, found, rtol)
        if verdict.verdict == FAIL:
            call = f"{op.name}({', '.join(f'{x:g}' for x in floats)})"
            if k := _swapped_with(op, floats, i, partial, found.value, flows):
                return f"first wrong op: {call} at {where}: the partials of arguments {i + 1} and {k} look swapped"
            truth = f"{found.value:.10g}" if found.value == found.value else f"between {found.left:g} and {found.right:g}"
            return (
                f"first wrong op: {call} at {where}: its partial {i} is {partial:.10g}, its values say {truth} ({verdict.hint})"
            )
    return ""
