"""How numbers and names are written for people, and where an operand stands: what pictures and explanations share."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping

from .. import graph
from ..graph import Node

MINUS = "\u2212"
RESULT = "result"  # the name of a result that has no other
SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
ROUND = 6  # operands that a call of any number of arguments is written with, before it says "..."

_BREAK = re.compile("[\t\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")
# control characters, lone surrogates, noncharacters, and the controls that reorder what is around them
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]"
)


def number(x: float, digits: int = 4) -> str:
    """A number with few digits, as people write it: U+2212 for minus, no padding.

    >>> number(0.1 + 0.2), number(-1234567.0), number(math.inf)
    ('0.3', '−1.235e+06', '∞')
    """
    if math.isinf(x):
        return "∞" if x > 0 else f"{MINUS}∞"
    return f"{x:.{digits}g}".replace("-", MINUS) if x == x else "nan"


def clean(name: str, limit: int = 40) -> str:
    r"""A name that may be shown in a terminal: one line of at most `limit` characters, no control characters.

    >>> clean("a\nb\x1b[2J"), clean("x" * 50, 5)
    ('a b\ufffd[2J', 'xxxx…')
    """
    name = _UNSEEN.sub("\ufffd", _BREAK.sub(" ", name[: 4 * limit]))
    return name if len(name) <= limit else name[: limit - 1] + "…"


def columns(text: str) -> int:
    """How many cells of a terminal the text takes.

    >>> columns("∂v1/∂w"), columns("学")
    (6, 2)
    """
    if text.isascii():
        return len(text)
    others = [c for c in text if c >= "\u0300"]  # all below take one cell
    return len(text) + sum(-1 if unicodedata.combining(c) else unicodedata.east_asian_width(c) in "WF" for c in others)


def names_of(
    roots: Iterable[Node], given: Mapping[Node, str] | None = None, result: Node | None = None
) -> dict[Node, str]:  # fmt: skip
    """A name for every node the roots depend on, operands before results: its own, a given one, or v1, v2, ...

    A computed one that is the `result` is called that where it has no other name.

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
    if result is not None and result.op is not None and not names[result] and RESULT not in taken:
        names[result] = RESULT
    fresh = (v for v in (f"v{i}" for i in range(1, len(nodes) + len(taken) + 2)) if v not in taken)
    return {node: name or next(fresh) for node, name in names.items()}


def place(node: Node, index: int) -> str:
    """Where an operand stands in a node: what tells two uses of one Value apart.

    >>> from autograd_lite import Value, sin
    >>> x = Value(3.0, "x")
    >>> place(x * x, 1), place(x + 1.0, 0), place(sin(x), 0)
    ('second factor', 'through +', 'through sin')
    """
    op, args = node.op, graph.operands(node)
    part, k = divmod(index, len(args) // len(op.roles) or 1) if op.roles else (0, index)
    role = op.roles[part] if op.roles else f"argument {index + 1} of {op.name}"
    if len(args) == 1 or (role.endswith(" term") and args[0] is not args[1]):
        return f"through {op.symbol.replace('-', MINUS)}"
    return role.format(k + 1)
