"""Pictures of the chain rule: `draw` and `draw_dot`.  What they need is imported when they are called.

What is drawn, under which names: subject.  From that to cards and edges: model <- fold <- loops <- build <- moves.  To
places: order <- layout <- dot, and svg writes them.  drawing puts it together; page/ makes the live page of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..tree import Number, Tree

if TYPE_CHECKING:
    import graphviz  # type: ignore[import-untyped,unused-ignore]

    from ..value import Value
    from .drawing import Drawing

__all__ = ["draw", "draw_dot"]


def draw(
    root: Value | Callable[..., Number] | str | None = None,
    *,
    name: str | None = None,
    engine: str = "auto",
    rankdir: str = "LR",
    params: Tree = None,
    grad: str | None = "adjoint",
    labels: str = "auto",
    fold: bool | str = "auto",
    only_paths_to: Value | str | None = None,
    highlight: Value | str | None = None,
    max_depth: int | None = None,
    max_nodes: int | None = 250,
    digits: int = 4,
    theme: str = "auto",
    timeout: float = 5.0,
    title: str | None = None,
    **named: Tree,
) -> Drawing:
    """The picture of how `root` was computed and of how the chain rule goes back through it.

    >>> from autograd_lite import Value, draw
    >>> w, x = Value(1.5, "w"), Value(2.0, "x")
    >>> picture = draw(w * x)
    >>> [card.header for card in picture.nodes], [edge.label for edge in picture.edges]
    (['w', 'x', 'result = w × x'], ['× x = 2', '× w = 1.5'])

    Args:
        root: a Value, of which nothing is changed, nor of what it was computed from; a list of Values, of which the first is
            differentiated, and on the page any that is chosen; or a function of one result or several, given its numbers by
            name: ``draw(f, w=2.0)`` calls it on named Values, and the page says at which line the code would go another way.
        name: what the result is called; ``draw(loss=loss)`` says it, too.  Else the variable of the caller that holds it.
        engine: who places the cards: "dot" (Graphviz), "builtin", or "auto": dot where it is installed, the picture has at
            most 300 nodes, and few edges pass many layers.  Where dot fails the built-in layout takes over, with a
            RuntimeWarning.
        rankdir: the way from operands to results: "LR", "RL", "TB" or "BT".
        params: a dict of names to Values, or a module; these Values get the names and a green border, other leaves are dashed.
        grad: "adjoint" shows the derivative of the root, worked out afresh; "attr" shows ``.grad``; None neither.
        labels: "full" (``× x = 2``), "short" (``× 2``) or "none"; "auto" goes by the size of the picture.
        fold: whether chains of + and w·x + b share a card, "auto" above 60 nodes and for modules, whose layers stand in boxes;
            and whether of a loop one iteration is drawn, "iteration 17 of 30": the page shows any of them, and all on demand.
        only_paths_to: Values; what is not on a path from one of them to the root is left out.
        highlight: Values; what is not on such a path is faint.
        max_depth: how many edges away from the root is drawn; None for all.
        max_nodes: how many cards are drawn, the nearest first; None for all.
        digits: significant digits of numbers; tooltips have them all.
        theme: "light", "dark", or "auto", which follows the viewer.
        timeout: seconds that dot may take.
        title: a heading.

    Raises InputTypeError for a root that is no Value or an option that does not exist, InputValueError for an option outside
    its rule.  Warns with GraphTooLargeWarning where `max_depth` or `max_nodes` leave something out.
    """
    from .build import Options
    from .drawing import make
    from .subject import subject

    found = subject(root, name, named)
    options = Options(
        params,
        grad,
        labels,
        fold,
        only_paths_to,
        highlight,
        max_depth,
        max_nodes,
        digits,
        found.guards,
        found.names,
        found.others,
    )
    return make(found.root, options, engine, rankdir, theme, timeout, title)


def draw_dot(root: Value | Callable[..., Number] | str, format: str = "svg", rankdir: str = "LR") -> graphviz.Digraph:
    """The graph as a `graphviz.Digraph`, as micrograd's `draw_dot` gives it; to render it takes Graphviz's program `dot`.

    >>> from autograd_lite import Value, draw_dot
    >>> "result = w × 2" in draw_dot(Value(1.5, "w") * 2).source
    True

    Args:
        root: a Value.
        format: of the file that ``.render()`` writes.
        rankdir: the way from operands to results: "LR", "RL", "TB" or "BT".

    Raises InputTypeError for a root that is no Value, InputValueError for another rankdir.
    """
    from . import dot
    from .drawing import content

    picture, name = content(root, rankdir)
    return dot.digraph(picture.cards, picture.edges, rankdir, name, format)
