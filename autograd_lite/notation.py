"""How nodes, numbers and partials are written for people: what pictures and explanations share.  Imports `graph`.

Symbols come from the op table; nothing here knows an op but the power, whose whole exponents are written small.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from . import graph
from .graph import Node

SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
ROUND = 6  # operands that a call of any number of arguments is written with, before it says "..."


def number(x: float, digits: int = 4) -> str:
    """A number with few digits, as people write it: U+2212 for minus, no padding.

    >>> number(0.1 + 0.2), number(-1234567.0), number(math.inf)
    ('0.3', '−1.235e+06', '∞')
    """
    if math.isinf(x):
        return "∞" if x > 0 else "\u2212∞"
    return f"{x:.{digits}g}".replace("-", "\u2212") if x == x else "nan"


def names_of(roots: Iterable[Node], given: Mapping[Node, str] | None = None) -> dict[Node, str]:
    """A name for every node the roots depend on, operands before results: its own, a given one, or v1, v2, ...

    >>> from autograd_lite import Value
    >>> w = Value(2.0, "w")
    >>> list(names_of([w * w + 1.0]).values())
    ['w', 'v1', 'v2']
    """
    roots = list(roots)
    nodes: dict[Node, None] = {}
    for node in reversed(graph.order(roots)):
        for a in (*graph.operands(node), node):
            if a.__class__ is not float:
                nodes.setdefault(a)
    for root in roots:
        nodes.setdefault(root)
    names = {node: (given or {}).get(node) or node.name for node in nodes}
    taken = {name for name in names.values() if name}
    fresh = (v for v in (f"v{i}" for i in range(1, len(nodes) + len(taken) + 2)) if v not in taken)
    return {node: name or next(fresh) for node, name in names.items()}


def _operand_names(node: Node, names: Mapping[Node, str], digits: int) -> list[str]:
    return [number(a, digits) if a.__class__ is float else names[a] for a in graph.operands(node)]


def _words(node: Node, operands: list[str], out: str) -> dict[str, str]:
    """What a template of a row with any number of arguments may mention besides {0}, {1}, ..."""
    short = [*operands[:ROUND], "..."] if len(operands) > ROUND else operands
    rest = [*operands[1 : ROUND + 1], "..."] if len(operands) > ROUND + 1 else operands[1:]
    return {
        "out": out,
        "all": ", ".join(short),
        "rest": ", ".join(rest),
        "squares": " + ".join(f"{name}^2" for name in short),
        "n": str(len(operands)),
    }


def _whole_exponent(node: Node) -> int | None:
    exponent = graph.operands(node)[1] if node.op.name == "pow" else None
    return int(exponent) if exponent.__class__ is float and abs(exponent) < 100 and exponent == int(exponent) else None


def formula(node: Node, names: Mapping[Node, str], digits: int = 4) -> str:
    """How a node is computed from its operands, by name: ``w × x``; empty for a leaf.

    >>> from autograd_lite import Value
    >>> w = Value(3.0, "w")
    >>> formula(w**2, names_of([w]))
    'w²'
    """
    if node.op is None:
        return ""
    operands = _operand_names(node, names, digits)
    n = _whole_exponent(node)
    if n is not None:
        return operands[0] + str(n).translate(SUPERSCRIPT)
    if node.op.name == "dot":
        half = len(operands) // 2
        terms = [f"{a} × {b}" for a, b in zip(operands[:half], operands[half:], strict=True)]
        return " + ".join([*terms[:3], "..."] if half > 4 else terms)
    return str(node.op.text.format(*operands, **_words(node, operands, "")).replace("-", "\u2212"))


def partial(node: Node, index: int, names: Mapping[Node, str], digits: int = 4) -> str:
    """The symbol of a node's partial with respect to one operand: ``x`` for ``w × x`` by w.

    >>> from autograd_lite import Value
    >>> w = Value(3.0, "w")
    >>> partial(w**2, 0, names_of([w**2]))
    '2·w'
    """
    op, operands = node.op, _operand_names(node, names, digits)
    n = _whole_exponent(node)
    if n is not None and index == 0:
        power = "" if n == 2 else str(n - 1).translate(SUPERSCRIPT)
        return {0: "0", 1: "1"}.get(n, f"{n}·{operands[0]}{power}".replace("-", "\u2212"))
    out = names.get(node, "out")
    words = _words(node, operands, out)
    if op.arity is None:
        half = len(operands) // 2
        words |= {"i": operands[index], "w": f"softmax[{index}]", "other": operands[(index + half) % len(operands)]}
        template = op.edges[0] if op.edges else "partial"
    else:
        template = op.edges[index] if index < len(op.edges) else "partial"
    return str(template.format(*operands, **words).replace("-", "\u2212"))
