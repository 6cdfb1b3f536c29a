"""An explanation as an ``align*`` environment of LaTeX."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..formula import nodes, printer, texmath
from ..formula.notation import number
from ..formula.steps import Step
from .parts import KinkAt, Path
from .text import count, ends, place

if TYPE_CHECKING:
    from .found import Explanation


def lines(e: Explanation) -> list[str]:
    """The lines of the whole."""
    tex = {node: texmath.name(name) for node, name in e.names.items()}
    top = tex[e.root]

    def num(x: float) -> str:
        return texmath.number(number(x, e.digits))

    write = nodes.tex(num)

    def d(a: str, b: str) -> str:
        return rf"\frac{{\partial {a}}}{{\partial {b}}}"

    def total(a: str, b: str) -> str:
        return rf"\frac{{d {a}}}{{d {b}}}"

    def local(s: Step) -> str:
        partial, where = d(tex[s.node], tex[s.operand]), place(s)
        return rf"\left({partial}\right)_{{\text{{{texmath.text(where)}}}}}" if where else partial

    def factor(x: float) -> str:
        return rf"\left({num(x)}\right)" if num(x).startswith("-") else num(x)

    def more(of: int, shown: int, things: str) -> list[str]:
        return [rf"&\ldots\ {of - shown}\text{{ more {things}}}"] if of > shown else []

    def step_row(s: Step) -> str:
        piece = nodes.edge(write, s.node, s.argument, tex)
        g = num(s.adjoint)
        row = rf"{total(top, tex[s.operand])} &\mathrel{{+}}= {total(top, tex[s.node])} \cdot {local(s)}"
        if str(piece) != num(s.partial) and not nodes.out_of_domain(s.node):
            row += rf" = {g} \cdot {write.at(piece, printer.PRODUCT, first=False)}"
        row += rf" = {g} \cdot {factor(s.partial)} = {num(s.product)}"
        if nodes.out_of_domain(s.node):
            row += r"\text{ (outside the domain)}"
        if s.before is not None:
            sign = "-" if s.product < 0 else "+"
            row += rf",\quad {num(s.before)} {sign} {num(abs(s.product))} = {num(s.after)}"
        return row

    def path_row(p: Path) -> str:
        shown = ends(p.steps)
        partials = [r"\cdots" if s is None else local(s) for s in shown] or [total(top, top)]
        numbers = [r"\cdots" if s is None else factor(s.partial) for s in shown] or ["1"]
        times = r" \cdot "
        return rf"&{times.join(partials)} = {times.join(numbers)} = {num(p.value)}"

    def kink_rows(k: KinkAt) -> Iterable[str]:
        where = f" ({k.where})" if k.where is not None else ""
        formula = nodes.latex(k.node, tex, num)
        yield rf"&\text{{kink{texmath.text(where)}: }} {tex[k.node]} = {formula} = {num(k.node._data)}"
        for s in k.slopes:
            left, right = (r"\text{none}" if x != x else num(x) for x in (s.left, s.right))
            used = rf"{num(s.used)}\text{{ used}}" if k.reached else r"\text{not used}"
            yield (
                rf"&\quad {d(tex[k.node], tex[s.operand])}: \quad {left}\text{{ on the left, }}"
                rf"{right}\text{{ on the right, }}{used}"
            )

    rows = [rf"{tex[n]} &= {nodes.latex(n, tex, num)} = {num(n._data)}" for n in e.nodes[: e.max_steps]]
    rows += more(len(e.nodes), e.max_steps, "operations")
    if e.of is None:
        rows += [step_row(s) for s in e.steps[: e.max_steps]] + more(len(e.steps), e.max_steps, "steps")
    else:
        rows += [path_row(p) for p in e.paths]
        if e.path_count > len(e.paths):
            rows.append(rf"&\ldots\text{{ {texmath.text(count(e.path_count - len(e.paths)))} more paths}}")
        gradient = r"\text{no gradient}" if e.total is None else num(e.total)
        rows.append(rf"{total(top, tex[e.of])} &= {gradient}")
    rows += [row for k in e.kinks[: e.max_steps] for row in kink_rows(k)] + more(len(e.kinks), e.max_steps, "kinks")
    rows = rows or [rf"{top} &= {num(e.root._data)}"]
    return texmath.aligned(rows)
