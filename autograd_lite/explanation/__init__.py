"""The backward pass as readable steps, as text and as LaTeX.

What is printed is data first: `Explanation` has the steps, the paths to one leaf and the kinks on the way.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import graph
from ..errors import InputTypeError, InputValueError
from ..formula import notation
from ..formula.steps import Step, steps_of
from ..graph import Node
from ..notebook import preformatted
from ..value import Value
from . import tex, text
from .parts import KinkAt, Path, Slopes, kinks, paths

__all__ = ["Explanation", "KinkAt", "Path", "Slopes", "explain"]


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
        return "\n".join(tex.lines(self) if self.format == "latex" else text.lines(self))

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
    count, ways = (0, []) if target is None else paths(root, target, steps, max_paths)
    return Explanation(
        root=root,
        names=names,
        nodes=graph.order([root])[::-1],
        leaves=[node for node in names if node.op is None],
        steps=steps,
        gradients=gradients,
        kinks=kinks(root, gradients),
        of=target,
        paths=ways,
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
