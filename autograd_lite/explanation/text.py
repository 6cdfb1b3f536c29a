"""An explanation as text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import graph
from ..errors import counted
from ..formula import nodes, notation
from ..formula.notation import number
from ..formula.steps import Step
from ..graph import Node
from .parts import KinkAt, Path, Slopes

if TYPE_CHECKING:
    from .found import Explanation

FACTORS = 12  # of a path that are written out
HUGE = 10**15  # numbers of paths from here on are written as a power of ten


def lines(e: Explanation) -> list[str]:
    """The lines of the whole."""
    names, digits, top = e.names, e.digits, e.names[e.root]
    sizes = f"{counted(len(e.nodes), 'operation')}, {counted(len(e.leaves), 'leaf', 'leaves')}"
    found = [f"{top} = {number(e.root._data, digits)}: {sizes}"]
    forward = [
        [names[n], f" = {nodes.formula(n, names, digits)}", f" = {number(n._data, digits)}"] for n in e.nodes[: e.max_steps]
    ]
    found += _section("forward", _aligned(forward), len(e.nodes), "operation")
    if e.of is None:
        rows = [_step_cells(s, e) for s in e.steps[: e.max_steps]]
        found += _section("backward", _aligned(rows), len(e.steps), "step")
        rows = [_leaf_cells(leaf, e) for leaf in e.leaves[: e.max_steps]]
        found += _section("gradients", _aligned(rows), len(e.leaves), "leaf", "leaves")
    else:
        leaf = names[e.of]
        found += ["", f"paths from {top} to {leaf}: {count(e.path_count)}"]
        found += ["  " + line for line in _aligned([_path_cells(p, e) for p in e.paths])]
        if e.path_count > len(e.paths):
            found.append(f"  … {count(e.path_count - len(e.paths))} more path{'s' * (e.path_count - len(e.paths) > 1)}")
        found.append(f"  d{top}/d{leaf} = {'no gradient' if e.total is None else number(e.total, digits)}")
    if e.kinks:
        found += _section("kinks", [_kink_line(k, e) for k in e.kinks[: e.max_steps]], len(e.kinks), "kink")
        if not any(k.where for k in e.kinks):
            found.append("  (build the graph under detect_anomaly() to see the source lines)")
    return found


def _section(title: str, shown: list[str], count: int, thing: str, things: str = "") -> list[str]:
    if not count:
        return []
    left = count - len(shown)
    more = [f"  … {left} more {thing if left == 1 else things or thing + 's'}"] if left else []
    return ["", title, *("  " + line for line in shown), *more]


def count(n: int) -> str:
    """A number of paths, which may be huge."""
    return str(n) if n < HUGE else f"about 10^{int(n.bit_length() * math.log10(2.0))}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Cells under each other."""
    taken = [[notation.columns(cell) for cell in row] for row in rows]
    widths = [max(column) for column in zip(*taken, strict=True)]
    return [
        "".join(cell + " " * (w - n) for cell, n, w in zip(row, columns, widths, strict=True)).rstrip()
        for row, columns in zip(rows, taken, strict=True)
    ]


def _factor(x: float, digits: int) -> str:
    """A number after a sign of arithmetic."""
    text = number(x, digits)
    return f"({text})" if text.startswith(notation.MINUS) else text


def _sum_of_two(a: float, b: float, digits: int) -> str:
    sign = notation.MINUS if b < 0 else "+"
    return f"{number(a, digits)} {sign} {number(abs(b), digits)}"


def _step_cells(s: Step, e: Explanation) -> list[str]:
    names, digits, top = e.names, e.digits, e.names[e.root]
    local = f"∂{names[s.node]}/∂{names[s.operand]}"
    where = place(s)
    total = number(s.after, digits)
    written = number(s.partial, digits)
    return [
        f"d{top}/d{names[s.operand]}",
        f" += d{top}/d{names[s.node]}·{local}{where and f' ({where})'}",
        f" = {number(s.adjoint, digits)} × {_factor(s.partial, digits)}",
        f" → {total}" if s.before is None else f" → {_sum_of_two(s.before, s.product, digits)} = {total}",
        "   outside the domain" if nodes.out_of_domain(s.node) else f"   {local} = {s.symbol}" if s.symbol != written else "",
    ]


def place(s: Step) -> str:
    """What tells a step from others between the same two nodes: where the operand stands; nothing where there is one."""
    uses = sum(a is s.operand for a in graph.operands(s.node))
    return notation.place(s.node, s.argument) if uses > 1 else ""


def _leaf_cells(leaf: Node, e: Explanation) -> list[str]:
    gradient = e.gradients.get(leaf)
    name, top = e.names[leaf], e.names[e.root]
    slope = "not reached" if gradient is None else number(gradient, e.digits)
    return [name, f" = {number(leaf._data, e.digits)}", f"   d{top}/d{name}", f" = {slope}"]


def ends(steps: Sequence[Step]) -> list[Step | None]:
    """The steps of a path; of a long one the first and the last, and None for what is between."""
    half = FACTORS // 2
    return [*steps] if len(steps) <= FACTORS else [*steps[:half], None, *steps[-half:]]


def _path_cells(path: Path, e: Explanation) -> list[str]:
    names, digits = e.names, e.digits
    shown = ends(path.steps)
    partials = [
        "…" if s is None else f"∂{names[s.node]}/∂{names[s.operand]}{(where := place(s)) and f' ({where})'}" for s in shown
    ]
    numbers = [
        "…" if s is None else _factor(s.partial, digits) if i else number(s.partial, digits) for i, s in enumerate(shown)
    ]
    top = names[e.root]
    return [
        "·".join(partials) or f"d{top}/d{top}",
        f" = {' × '.join(numbers) or '1'}",
        f" = {number(path.value, digits)}",
    ]


def _kink_line(k: KinkAt, e: Explanation) -> str:
    digits, node = e.digits, k.node
    parts = [f"{e.names[node]} = {nodes.formula(node, e.names, digits)} = {number(node._data, digits)}"]
    parts.append(f"{node.op.name} has no derivative where {k.text}")
    for s in k.slopes:
        operand = f"∂{e.names[node]}/∂{e.names[s.operand]}"
        used = f"{number(s.used, digits)} used" if k.reached else "not used: no gradient passes here"
        jump = f", jumps from {number(s.below, digits)} to {number(s.above, digits)}" if _jumps(s) else ""
        parts.append(f"{operand}: {_slope(s.left, digits)} on the left, {_slope(s.right, digits)} on the right, {used}{jump}")
    if k.where is not None:
        parts[0] += f"   ({notation.clean(k.where)})"
    return "\n      ".join(parts)


def _slope(x: float, digits: int) -> str:
    return "none" if x != x else number(x, digits)


def _jumps(s: Slopes) -> bool:
    below, above = s.below, s.above
    return below != above and not math.isclose(below, above, rel_tol=1e-6) and not (below != below or above != above)
