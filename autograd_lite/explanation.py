"""The backward pass as readable steps, as text and as LaTeX.

What is printed is data first: `Explanation` has the steps, the paths to one leaf and the kinks on the way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from . import context, graph
from .errors import InputTypeError, InputValueError
from .formula import notation, printer, texmath
from .formula.notation import number
from .formula.steps import Step, steps_of
from .graph import Node
from .notebook import preformatted
from .value import Value

__all__ = ["Explanation", "KinkAt", "Path", "Slopes", "explain"]

FACTORS = 12  # of a path that are written out
PLACES = 6  # operands of one kink whose slopes are worked out
HUGE = 10**15  # numbers of paths from here on are written as a power of ten


class Path(NamedTuple):
    """One way from the root down to a leaf, and the product of the partials on it."""

    steps: tuple[Step, ...]
    value: float


class Slopes(NamedTuple):
    """The one-sided derivatives of an op with respect to one operand; nan where the function does not reach that side."""

    operand: Node
    left: float
    right: float
    used: float  # the partial that the backward pass works with
    below: float  # the limit of the op's value from the left, and from the right
    above: float


class KinkAt(NamedTuple):
    """A node whose operands are where its op has no derivative."""

    node: Node
    text: str  # as the op's row puts it: "x = 0"
    operands: tuple[float, ...]
    slopes: tuple[Slopes, ...]
    where: str | None  # "file.py:12", known for nodes that were made under detect_anomaly()
    reached: bool  # whether the gradient passes here at all


class Explanation(NamedTuple):
    """What `explain` found; it prints itself.

    Its data is never cut: `steps` in the order of the backward pass, `kinks`, and for one leaf `of` its `paths`, of which
    there may be more than were followed: `path_count` of them, together `total`.
    """

    root: Node
    names: dict[Node, str]
    nodes: list[Node]  # computed Values, operands before results
    leaves: list[Node]
    steps: list[Step]
    gradients: dict[Node, float]  # d root / d node, of every node that the backward pass reaches
    kinks: list[KinkAt]
    of: Node | None
    paths: list[Path]
    path_count: int
    total: float | None
    format: str
    digits: int
    max_steps: int

    def __str__(self) -> str:
        return "\n".join(_latex_lines(self) if self.format == "latex" else _text_lines(self))

    def __repr__(self) -> str:
        return str(self)

    def _repr_latex_(self) -> str | None:
        return str(self) if self.format == "latex" else None

    def _repr_html_(self) -> str | None:
        return None if self.format == "latex" else preformatted(str(self))


def explain(
    root: Any,
    *,
    format: str = "text",
    of: Any = None,
    digits: int = 4,
    max_steps: int = 200,
    max_paths: int = 20,
) -> Explanation:
    """The backward pass of a Value, one use of the chain rule at a time; it changes no gradient.

    ``dL/da += dL/dz * ∂z/∂a`` for every operand a of every result z; for one leaf, the sum over all paths to it.  A d is the
    whole derivative of the root, a ∂ a factor: that of one op by one of its operands, in one place.

    >>> x, y = Value(3.0, "x"), Value(5.0, "y")
    >>> product = x * y
    >>> product.name = "L"
    >>> explain(product)
    L = 15: 1 operation, 2 leaves
    <BLANKLINE>
    forward
      L = x × y = 15
    <BLANKLINE>
    backward
      dL/dx += dL/dL·∂L/∂x = 1 × 5 → 5   ∂L/∂x = y
      dL/dy += dL/dL·∂L/∂y = 1 × 3 → 3   ∂L/∂y = x
    <BLANKLINE>
    gradients
      x = 3   dL/dx = 5
      y = 5   dL/dy = 3
    >>> explain(product, of="x").paths[0].value
    5.0

    Args:
        root: the Value to differentiate.
        format: "text" for a terminal, or "latex" for an ``align*`` environment (package amsmath).
        of: a Value the root depends on, or its name: shows the paths to it in place of the steps.
        digits: significant digits of the printed numbers.
        max_steps, max_paths: how many lines of a kind are printed, and how many paths are followed, before "... k more".

    Kinks are listed with their one-sided derivatives, and with source lines if the graph was built under
    `detect_anomaly`.  Raises InputTypeError where `root` is no Value, InputValueError for an unknown format or leaf.
    """
    if not isinstance(root, Value):
        raise InputTypeError(f"root={root!r} must be a Value: explain(loss) after loss = ... computed from Values")
    if format not in ("text", "latex"):
        raise InputValueError(f'format={format!r} must be "text" or "latex"')
    for option, given in (("digits", digits), ("max_steps", max_steps), ("max_paths", max_paths)):
        if given.__class__ is not int or given < 1:
            raise InputValueError(f"{option}={given!r} must be a whole number, at least 1")
    names = {node: notation.clean(name) for node, name in notation.names_of([root]).items()}
    target = None if of is None else _target(of, names)
    steps = steps_of(root, names, digits)
    gradients = {root: 1.0} | {step.operand: step.after for step in steps}
    count, paths = (0, []) if target is None else _paths(root, target, steps, max_paths)
    return Explanation(
        root=root,
        names=names,
        nodes=graph.order([root])[::-1],
        leaves=[node for node in names if node.op is None],
        steps=steps,
        gradients=gradients,
        kinks=_kinks(root, gradients),
        of=target,
        paths=paths,
        path_count=count,
        total=None if target is None else gradients.get(target),
        format=format,
        digits=digits,
        max_steps=max_steps,
    )


def _target(of: Any, names: dict[Node, str]) -> Node:
    if isinstance(of, Value):
        if of not in names:
            raise InputValueError(f"of={of!r} is not among what the root depends on")
        return of
    found = [node for node, name in names.items() if of in (node.name, name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputValueError(f"of={of!r} is the name of {len(found)} Values: give the Value itself")
    known = ", ".join([*names.values()][:20]) + (", ..." if len(names) > 20 else "")
    raise InputValueError(f"of={of!r} is not among what the root depends on: {known}")


# -- paths ------------------------------------------------------------------------------------------------------------


def _paths(root: Node, target: Node, steps: Sequence[Step], most: int) -> tuple[int, list[Path]]:
    """How many paths lead from the root to a node, and the first of them."""
    count = {target: 1}
    down: dict[Node, list[Step]] = {}
    for s in reversed(steps):  # operands before results: counted without walking any path
        ways = count.get(s.operand)
        if ways is not None and s.node is not target:
            count[s.node] = count.get(s.node, 0) + ways
            down.setdefault(s.node, []).append(s)
    for choices in down.values():
        choices.reverse()
    paths: list[Path] = []
    walked: list[Step] = []
    left = [iter(down.get(root, ()))]
    if root is target:
        return 1, [Path((), 1.0)]
    while left and len(paths) < most:
        step: Step | None = next(left[-1], None)
        if step is None:
            left.pop()
            if walked:
                walked.pop()
        elif step.operand is target:
            taken = (*walked, step)
            paths.append(Path(taken, math.prod(s.partial for s in taken)))
        else:
            walked.append(step)
            left.append(iter(down[step.operand]))
    return count.get(root, 0), paths


# -- kinks ------------------------------------------------------------------------------------------------------------


def _kinks(root: Node, gradients: dict[Node, float]) -> list[KinkAt]:
    return [
        KinkAt(
            node=node,
            text=kink.text,
            operands=graph.values(node),
            slopes=tuple(_slopes(node)),
            where=getattr(node, "where", None),
            reached=node in gradients,
        )
        for node in reversed(graph.order([root]))
        for kink in node.op.kinks
        if _holds(kink, graph.values(node))
    ]


def _holds(kink: Any, values: Sequence[float]) -> bool:
    try:
        return bool(kink.holds(*values))
    except (ArithmeticError, ValueError):  # floor(inf), fmod(inf, 1)
        return False


def _slopes(node: Node) -> Iterable[Slopes]:
    op, values = node.op, graph.values(node)
    moving = [i for i, a in enumerate(graph.operands(node)) if a.__class__ is not float]
    for i in moving[:PLACES]:

        def f(x: float, i: int = i) -> float:
            try:
                return float(op.forward(*values[:i], x, *values[i + 1 :]))
            except (ArithmeticError, ValueError):
                return math.nan

        scale = abs(values[i]) or min([1.0, *(abs(v) for v in values if v)])
        left, below = one_sided(f, values[i], -scale)
        right, above = one_sided(f, values[i], scale)
        with context.unchecked():
            used = op.partial(i, values, node._data)
        yield Slopes(graph.operands(node)[i], left, right, used, below, above)


def one_sided(f: Callable[[float], float], x: float, scale: float) -> tuple[float, float]:
    """The slope of f beside x and its limit there; left of x where `scale` is negative.  The value at x is not used.

    >>> one_sided(abs, 0.0, -1.0), one_sided(math.sqrt, 0.0, 1.0)
    ((-1.0, 0.0), (inf, 0.0))
    """

    def secant(k: int) -> tuple[float, float, float]:
        near, far = x + scale * 2.0**-k, x + scale * 2.0 ** (1 - k)
        at, beyond = f(near), f(far)
        run = far - near  # the step that was really taken
        return (beyond - at) / run if run else math.nan, at, 8.0 * math.ulp(max(abs(at), abs(beyond))) / abs(run or 1.0)

    (coarse, start, _), (middle, _, _), (fine, at, noise) = secant(20), secant(26), secant(32)
    slopes = [abs(s) for s in (coarse, middle, fine)]
    if any(map(math.isnan, slopes)):
        return math.nan, _rounded(at)
    if slopes[2] > 1.2 * slopes[1] > 1.44 * slopes[0] and slopes[2] > 100.0 * noise:  # it grows without end
        here = f(x)
        return math.copysign(math.inf, fine), math.copysign(math.inf, at) if not math.isfinite(here) else here
    if slopes[0] > 1.2 * slopes[1] > 1.44 * slopes[2]:  # it vanishes, as that of x**1.5 at 0
        return 0.0, _rounded(at)
    slope = _rounded(2.0 * secant(21)[0] - coarse)
    return slope, _rounded(start - slope * scale * 2.0**-20)


def _rounded(x: float) -> float:
    """As many digits as differences are good for; what is nearly 0 is 0."""
    return 0.0 if abs(x) < 1e-9 else float(f"{x:.8g}")


# -- as text ----------------------------------------------------------------------------------------------------------


def _text_lines(e: Explanation) -> list[str]:
    names, digits, top = e.names, e.digits, e.names[e.root]
    sizes = f"{_plural(len(e.nodes), 'operation')}, {_plural(len(e.leaves), 'leaf', 'leaves')}"
    lines = [f"{top} = {number(e.root._data, digits)}: {sizes}"]
    forward = [
        [names[n], f" = {printer.formula(n, names, digits)}", f" = {number(n._data, digits)}"] for n in e.nodes[: e.max_steps]
    ]
    lines += _section("forward", _aligned(forward), len(e.nodes), "operation")
    if e.of is None:
        rows = [_step_cells(s, e) for s in e.steps[: e.max_steps]]
        lines += _section("backward", _aligned(rows), len(e.steps), "step")
        rows = [_leaf_cells(leaf, e) for leaf in e.leaves[: e.max_steps]]
        lines += _section("gradients", _aligned(rows), len(e.leaves), "leaf", "leaves")
    else:
        leaf = names[e.of]
        lines += ["", f"paths from {top} to {leaf}: {_count(e.path_count)}"]
        lines += ["  " + line for line in _aligned([_path_cells(p, e) for p in e.paths])]
        if e.path_count > len(e.paths):
            lines.append(f"  … {_count(e.path_count - len(e.paths))} more path{'s' * (e.path_count - len(e.paths) > 1)}")
        lines.append(f"  d{top}/d{leaf} = {'no gradient' if e.total is None else number(e.total, digits)}")
    if e.kinks:
        lines += _section("kinks", [_kink_line(k, e) for k in e.kinks[: e.max_steps]], len(e.kinks), "kink")
        if not any(k.where for k in e.kinks):
            lines.append("  (build the graph under detect_anomaly() to see the source lines)")
    return lines


def _section(title: str, shown: list[str], count: int, thing: str, things: str = "") -> list[str]:
    if not count:
        return []
    left = count - len(shown)
    more = [f"  … {left} more {thing if left == 1 else things or thing + 's'}"] if left else []
    return ["", title, *("  " + line for line in shown), *more]


def _plural(n: int, thing: str, things: str = "") -> str:
    return f"{n} {thing if n == 1 else things or thing + 's'}"


def _count(n: int) -> str:
    return str(n) if n < HUGE else f"about 10^{int(n.bit_length() * math.log10(2.0))}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Cells under each other."""
    widths = [max(map(notation.columns, cells)) for cells in zip(*rows, strict=True)]
    return [
        "".join(cell + " " * (w - notation.columns(cell)) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _factor(x: float, digits: int) -> str:
    """A number after a sign of arithmetic."""
    text = number(x, digits)
    return f"({text})" if text.startswith(notation.MINUS) else text


def _plus(a: float, b: float, digits: int) -> str:
    sign = notation.MINUS if b < 0 else "+"
    return f"{number(a, digits)} {sign} {number(abs(b), digits)}"


def _step_cells(s: Step, e: Explanation) -> list[str]:
    names, digits, top = e.names, e.digits, e.names[e.root]
    local = f"∂{names[s.node]}/∂{names[s.operand]}"
    place = _place(s)
    total = number(s.after, digits)
    written = number(s.partial, digits)
    return [
        f"d{top}/d{names[s.operand]}",
        f" += d{top}/d{names[s.node]}·{local}{place and f' ({place})'}",
        f" = {number(s.adjoint, digits)} × {_factor(s.partial, digits)}",
        f" → {total}" if s.before is None else f" → {_plus(s.before, s.product, digits)} = {total}",
        f"   {local} = {s.symbol}" if s.symbol != written else "",
    ]


def _place(s: Step) -> str:
    """What tells a step from others between the same two nodes: where the operand stands; nothing where there is one."""
    uses = sum(a is s.operand for a in graph.operands(s.node))
    return notation.place(s.node, s.argument) if uses > 1 else ""


def _leaf_cells(leaf: Node, e: Explanation) -> list[str]:
    gradient = e.gradients.get(leaf)
    name, top = e.names[leaf], e.names[e.root]
    slope = "not reached" if gradient is None else number(gradient, e.digits)
    return [name, f" = {number(leaf._data, e.digits)}", f"   d{top}/d{name}", f" = {slope}"]


def _ends(steps: Sequence[Step]) -> list[Step | None]:
    """The steps of a path; of a long one the first and the last, and None for what is between."""
    half = FACTORS // 2
    return [*steps] if len(steps) <= FACTORS else [*steps[:half], None, *steps[-half:]]


def _path_cells(path: Path, e: Explanation) -> list[str]:
    names, digits = e.names, e.digits
    shown = _ends(path.steps)
    partials = [
        "…" if s is None else f"∂{names[s.node]}/∂{names[s.operand]}{(place := _place(s)) and f' ({place})'}" for s in shown
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
    parts = [f"{e.names[node]} = {printer.formula(node, e.names, digits)} = {number(node._data, digits)}"]
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


# -- as LaTeX ---------------------------------------------------------------------------------------------------------


def _latex_lines(e: Explanation) -> list[str]:
    tex = {node: texmath.name(name) for node, name in e.names.items()}
    top = tex[e.root]

    def num(x: float) -> str:
        return texmath.number(number(x, e.digits))

    def d(a: str, b: str) -> str:
        return rf"\frac{{\partial {a}}}{{\partial {b}}}"

    def total(a: str, b: str) -> str:
        return rf"\frac{{d {a}}}{{d {b}}}"

    def local(s: Step) -> str:
        partial, place = d(tex[s.node], tex[s.operand]), _place(s)
        return rf"\left({partial}\right)_{{\text{{{texmath.text(place)}}}}}" if place else partial

    def factor(x: float) -> str:
        return rf"\left({num(x)}\right)" if num(x).startswith("-") else num(x)

    def more(count: int, shown: int, things: str) -> list[str]:
        return [rf"&\ldots\ {count - shown}\text{{ more {things}}}"] if count > shown else []

    def step_row(s: Step) -> str:
        partial = texmath.symbol(lambda names: notation.partial(s.node, s.argument, names, e.digits), s.node, tex)
        g = num(s.adjoint)
        row = rf"{total(top, tex[s.operand])} &\mathrel{{+}}= {total(top, tex[s.node])} \cdot {local(s)}"
        if partial != num(s.partial):
            row += rf" = {g} \cdot {texmath.factor(partial)}"
        row += rf" = {g} \cdot {factor(s.partial)} = {num(s.product)}"
        if s.before is not None:
            sign = "-" if s.product < 0 else "+"
            row += rf",\quad {num(s.before)} {sign} {num(abs(s.product))} = {num(s.after)}"
        return row

    def path_row(p: Path) -> str:
        shown = _ends(p.steps)
        partials = [r"\cdots" if s is None else local(s) for s in shown] or [total(top, top)]
        numbers = [r"\cdots" if s is None else factor(s.partial) for s in shown] or ["1"]
        times = r" \cdot "
        return rf"&{times.join(partials)} = {times.join(numbers)} = {num(p.value)}"

    def kink_rows(k: KinkAt) -> Iterable[str]:
        where = f" ({k.where})" if k.where is not None else ""
        formula = printer.latex(k.node, tex, num)
        yield rf"&\text{{kink{texmath.text(where)}: }} {tex[k.node]} = {formula} = {num(k.node._data)}"
        for s in k.slopes:
            left, right = (r"\text{none}" if x != x else num(x) for x in (s.left, s.right))
            used = rf"{num(s.used)}\text{{ used}}" if k.reached else r"\text{not used}"
            yield (
                rf"&\quad {d(tex[k.node], tex[s.operand])}: \quad {left}\text{{ on the left, }}"
                rf"{right}\text{{ on the right, }}{used}"
            )

    rows = [rf"{tex[n]} &= {printer.latex(n, tex, num)} = {num(n._data)}" for n in e.nodes[: e.max_steps]]
    rows += more(len(e.nodes), e.max_steps, "operations")
    if e.of is None:
        rows += [step_row(s) for s in e.steps[: e.max_steps]] + more(len(e.steps), e.max_steps, "steps")
    else:
        rows += [path_row(p) for p in e.paths]
        if e.path_count > len(e.paths):
            rows.append(rf"&\ldots\text{{ {texmath.text(_count(e.path_count - len(e.paths)))} more paths}}")
        gradient = r"\text{no gradient}" if e.total is None else num(e.total)
        rows.append(rf"{total(top, tex[e.of])} &= {gradient}")
    rows += [row for k in e.kinks[: e.max_steps] for row in kink_rows(k)] + more(len(e.kinks), e.max_steps, "kinks")
    rows = rows or [rf"{top} &= {num(e.root._data)}"]
    return [r"\begin{align*}", *(f"  {row} \\\\" for row in rows[:-1]), f"  {rows[-1]}", r"\end{align*}"]
