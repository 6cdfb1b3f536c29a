"""How nodes, numbers and partials are written for people: what pictures and explanations share.

Symbols come from the op table; nothing here knows an op but the power, whose whole exponents are written small.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from string import Formatter

from .. import graph
from ..graph import Node

MINUS = "\u2212"
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
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


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


def _operand(a: Node | float, names: Mapping[Node, str], digits: int) -> str:
    return number(a, digits) if a.__class__ is float else names[a]


def _operand_names(node: Node, names: Mapping[Node, str], digits: int, most: int | None = None) -> list[str]:
    return [_operand(a, names, digits) for a in graph.operands(node)[:most]]


def _words(operands: Sequence[str], count: int, out: str) -> dict[str, str]:
    """What a template of a row with any number of arguments may mention besides {0}, {1}, ..."""
    short = [*operands[:ROUND], "..."] if count > ROUND else operands
    rest = [*operands[1 : ROUND + 1], "..."] if count > ROUND + 1 else operands[1:]
    return {
        "out": out,
        "all": ", ".join(short),
        "rest": ", ".join(rest),
        "n": str(count),
    }


_parse = Formatter().parse


def fill(template: str, operands: Sequence[str], words: Mapping[str, str]) -> str:
    """A row's template with operands and words in place; a negative operand gets parentheses where it needs them.

    >>> fill("{1}·{0}^({1} - 1)", ["x", "-2"], {})
    '-2·x^(-2 - 1)'
    >>> fill("{0}² + {0}", ["-2"], {})
    '(-2)² + (-2)'
    """
    pieces = [*_parse(template), ("", None, None, None)]
    out = ""
    for (literal, place, _, _), (following, _, _, _) in pairwise(pieces):
        out += literal
        if place is None:
            continue
        operand = operands[int(place)] if place.isdigit() else words[place]
        before, after = out.rstrip()[-1:], following[:1]
        negative = operand.startswith(("-", MINUS)) and place.isdigit()
        bare = before in "({[|,<>=≤≥≠&⌊" and after not in ("²", "³", "^", "!")  # "" is in every string
        out += f"({operand})" if negative and not bare else operand
    return out


def _whole_exponent(node: Node) -> int | None:
    exponent = graph.operands(node)[1] if node.op.name == "pow" else None
    return int(exponent) if exponent.__class__ is float and abs(exponent) < 100 and exponent == int(exponent) else None


def _small(n: int) -> str:
    """A whole number as a superscript; nothing for 1."""
    return "" if n == 1 else str(n).translate(SUPERSCRIPT)


def _edge(node: Node, index: int) -> str:
    """The template of one partial.  A row with any number of arguments has one for all; or the first's and the others';
    or, where the first argument selects one of the others: its own, the selected one's and the others'."""
    edges: tuple[str, ...] = node.op.edges
    if node.op.arity is None and len(edges) == 3 and index:
        return edges[1 if graph.values(node)[0] == index - 1 else 2]
    place = index if node.op.arity is not None else min(index, len(edges) - 1)
    return edges[place] if place < len(edges) and edges else "partial"


def partial(node: Node, index: int, names: Mapping[Node, str], digits: int = 4) -> str:
    """The symbol of a node's partial with respect to one operand: ``x`` for ``w × x`` by w.

    ``[x > 0]`` is 1 where that holds, else 0.

    >>> from autograd_lite import Value
    >>> w = Value(3.0, "w")
    >>> partial(w**2, 0, names_of([w**2]))
    '2·w'
    """
    op, args = node.op, graph.operands(node)
    n = _whole_exponent(node)
    if n is not None and index == 0:
        return {0: "0", 1: "1"}.get(n, f"{number(n)}·{names[args[0]]}{_small(n - 1)}")
    operands = _operand_names(node, names, digits, None if op.arity is not None else ROUND + 2)
    words = _words(operands, len(args), names.get(node, "out"))
    if op.arity is None:
        words |= {"i": _operand(args[index], names, digits), "w": f"softmax({words['rest']})[{index - 1}]"}
        words["other"] = _operand(args[(index + len(args) // 2) % len(args)], names, digits)
    return fill(_edge(node, index).replace("-", MINUS), operands, words)


# the places of operands that have a name of their own
_PLACES = {"mul": ("first factor", "second factor"), "div": ("numerator", "denominator"), "pow": ("base", "exponent"),
           "where": ("condition", "if true", "if false")}  # fmt: skip


def place(node: Node, index: int) -> str:
    """Where an operand stands in a node: what tells two uses of one Value apart.

    >>> from autograd_lite import Value, sin
    >>> x = Value(3.0, "x")
    >>> place(x * x, 1), place(x + 1.0, 0), place(sin(x), 0)
    ('second factor', 'through +', 'through sin')
    """
    op, args = node.op, graph.operands(node)
    if op.name in _PLACES:
        return _PLACES[op.name][index]
    sign = op.symbol.replace("-", MINUS)
    if len(args) == 1 or (op.name in ("add", "sub") and args[0] is not args[1]):
        return f"through {sign}"
    if op.name in ("sum", "mean", "prod"):
        return f"{'factor' if op.name == 'prod' else 'term'} {index + 1}"
    if op.name in ("add", "sub"):
        return ("first term", "second term")[index]
    if op.name == "dot":
        half = len(args) // 2
        return f"{'first' if index < half else 'second'} factor of term {index % half + 1}"
    return f"argument {index + 1} of {op.name}"
