"""`Explanation`: what `explain` found, which prints itself."""

from __future__ import annotations

from typing import NamedTuple

from .. import frames, graph
from ..errors import InputValueError
from ..formula import notation
from ..formula.steps import Step, steps_of
from ..graph import Node
from ..notebook import preformatted
from ..value import Value
from . import tex, text
from .parts import KinkAt, Path, kinks, paths


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


def found(root: Value, of: Value | str | None, format: str, digits: int, max_steps: int, max_paths: int) -> Explanation:
    """The explanation of a Value; see `autograd_lite.explain`."""
    given = {} if root.name else {root: frames.variable(root)}
    names = {node: notation.clean(name) for node, name in notation.names_of([root], given, root).items()}
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


def _target(of: Value | str | None, names: dict[Node, str]) -> Node:
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
