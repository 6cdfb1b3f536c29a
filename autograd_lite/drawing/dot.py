"""Graphviz: asked for coordinates (`place`), and DOT text to keep or to hand to it (`source`, `digraph`).

For coordinates Graphviz sees sizes only: boxes called n0, n1, ... and, for the labels of edges, l0, l1, ...; boxes never
overlap, so no label lies on a card.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from operator import mul
from typing import TYPE_CHECKING, Any

from . import layout, svg
from . import model as measure
from .model import Card, Edge, Frame, Point

if TYPE_CHECKING:
    import graphviz  # type: ignore[import-untyped,unused-ignore]

FILL = {"pos": "#f6d9bd", "neg": "#c7dcf5", "zero": "#f6f8fa", "bad": "#ffd8d3"}
LINE = {"pos": "#c4560c", "neg": "#1f6fc4", "zero": "#8c959f", "bad": "#cf222e"}
BORDER = {"parameter": "#1a7f37", "root": "#1b1f24"}
SIDES = {"LR": ("e", "w"), "RL": ("w", "e"), "TB": ("s", "n"), "BT": ("n", "s")}  # where edges leave and arrive
DASHED = ("input", "stub")
BENT = [  # places on a bend, as shares of its four points
    ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3) for t in (k / 16 for k in range(1, 16))
]


class LayoutError(Exception):
    """Graphviz gave no coordinates; the text says why."""


def place(
    cards: Sequence[Card], edges: Sequence[Edge], rankdir: str, timeout: float, frames: Sequence[Frame] = ()
) -> tuple[float, float]:  # fmt: skip
    """Like `layout.place`, by the program `dot`; raises LayoutError where that fails, before anything is changed."""
    if shutil.which("dot") is None:
        raise LayoutError("the program 'dot' was not found")
    answer = _ask_dot(_sizes(cards, edges, rankdir, frames), timeout)
    try:
        left, low, right, high = map(float, answer["bb"].split(","))
        boxes = {box["name"]: _point(box["pos"], high) for box in answer["objects"] if "pos" in box}
        names = [box["name"] for box in answer["objects"]]
        lines = {
            (names[line["tail"]], names[line["head"]], line["id"]): _spline(line["pos"], high)
            for line in answer.get("edges", ())
        }
        routes = [
            [lines[f"n{e.source}", f"l{e.index}", str(e.index)], lines[f"l{e.index}", f"n{e.target}", str(e.index)]]
            if e.label
            else [lines[f"n{e.source}", f"n{e.target}", str(e.index)]]
            for e in edges
        ]
        places = [boxes[f"n{card.index}"] for card in cards]
        labels = [boxes[f"l{e.index}"] if e.label else None for e in edges]
    except (KeyError, ValueError, IndexError, TypeError, AttributeError) as error:
        raise LayoutError(f"what 'dot' answered was not understood ({error!r})") from None
    for card, (x, y) in zip(cards, places, strict=True):
        card.x, card.y = x - card.width / 2, y - card.height / 2
    taken = [(c.x, c.y, c.x + c.width, c.y + c.height) for c in cards]
    for e, at in zip(edges, labels, strict=True):
        if at:
            u, v = e.label_width / 2, measure.LABEL / 2
            taken.append((at[0] - u, at[1] - v, at[0] + u, at[1] + v))
    for edge, parts, at in zip(edges, routes, labels, strict=True):
        eased = [_eased(part, taken, rankdir) for part in parts]
        edge.route, edge.label_at = (_spliced(*eased) if at else eased[0]), at
    _to_ports(cards, edges, rankdir)
    for frame in frames:
        layout.surround(frame, cards, edges)
    return right - left + 2 * layout.MARGIN, high - low + 2 * layout.MARGIN


def _sizes(cards: Sequence[Card], edges: Sequence[Edge], rankdir: str, frames: Sequence[Frame]) -> str:
    """The DOT text that asks for a layout of boxes."""
    tail, head = SIDES[rankdir]
    lines = [
        f"digraph {{ graph [rankdir={rankdir} nodesep=0.22 ranksep=0.3 pad=0 margin=0 splines=true]",
        f'node [shape=box fixedsize=true label=""] edge [dir=none tailport={tail} headport={head}]',
    ]
    lines += [f"n{c.index} [width={c.width / 72:.4f} height={c.height / 72:.4f}]" for c in cards]
    for e in edges:
        a, b, i = f"n{e.source}", f"n{e.target}", e.index
        if e.label:
            lines.append(f"l{i} [width={e.label_width / 72:.4f} height={measure.LABEL / 72:.4f}]")
            lines.append(f"{a} -> l{i} [id={i}] l{i} -> {b} [id={i} weight=4]")
        else:
            lines.append(f"{a} -> {b} [id={i}]")
    for k, frame in enumerate(frames):
        own = set(frame.cards)
        inside = [f"n{i}" for i in frame.cards] + [f"l{e.index}" for e in edges if e.label and {e.source, e.target} <= own]
        lines.append(f"subgraph cluster_{k} {{ margin={layout.AROUND + 4:g} {' '.join(inside)} }}")
    return "\n".join([*lines, "}"])


def _ask_dot(text: str, timeout: float) -> Any:
    try:
        done = subprocess.run(
            ["dot", "-Tjson"], input=text.encode(), capture_output=True, timeout=timeout, check=False
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise LayoutError(f"'dot' took longer than timeout={timeout:g} s") from None
    except OSError as error:
        raise LayoutError(f"'dot' could not be run ({error})") from None
    if done.returncode:
        raise LayoutError(f"'dot' failed with status {done.returncode}")
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise LayoutError("what 'dot' answered was not JSON") from None


def _point(text: str, high: float) -> Point:
    x, y = text.split(",")
    return float(x) + layout.MARGIN, high - float(y) + layout.MARGIN


def _spline(text: str, high: float) -> list[Point]:
    numbers = ",".join(p for p in text.split() if p[0] not in "es").split(",")
    if len(numbers) % 6 != 2:
        raise ValueError("not a spline")
    down, margin = high + layout.MARGIN, layout.MARGIN
    return [(x + margin, down - y) for x, y in zip(map(float, numbers[::2]), map(float, numbers[1::2]), strict=True)]


def _eased(route: list[Point], taken: Sequence[tuple[float, float, float, float]], rankdir: str) -> list[Point]:
    """A spline that turns back on its way, as one bend where that meets none of the boxes."""
    along = 0 if rankdir in ("LR", "RL") else 1
    (x, y), (u, v) = start, end = route[0], route[-1]
    low, high = sorted((start[along], end[along]))
    on_its_way = [point[along] for point in route]
    if low - 1.0 <= min(on_its_way) and max(on_its_way) <= high + 1.0:
        return route
    way = (u - x, 0.0) if along == 0 else (0.0, v - y)
    bend = [start, (x + way[0] / 2, y + way[1] / 2), (u - way[0], v - way[1]), end]  # it arrives upright: the tip is seen
    (left, *_, right), (top, *_, bottom) = map(sorted, zip(*bend, strict=True))
    near = [(a, b, c, d) for a, b, c, d in taken if a < right and left < c and b < bottom and top < d]
    for share in BENT if near else ():
        p, q = (sum(map(mul, share, side)) for side in zip(*bend, strict=True))
        if any(a < p < c and b < q < d for a, b, c, d in near):
            return route
    return bend


def _spliced(first: list[Point], second: list[Point]) -> list[Point]:
    """Two splines and the straight line between them."""
    route = first[:]
    (x, y), (u, v) = first[-1], second[0]
    third = ((u - x) / 3, (v - y) / 3)
    return [*route, (x + third[0], y + third[1]), (u - third[0], v - third[1]), *second]


def _to_ports(cards: Sequence[Card], edges: Sequence[Edge], rankdir: str) -> None:
    """Graphviz ends every edge at the middle of a side; move the ends to the rows, and apart from each other."""
    flat = rankdir in ("LR", "RL")
    across = 1 if flat else 0
    ports = [layout.port_of(cards[e.target], e, flat) for e in edges]
    come_from = [e.label_at[across] if e.label_at else e.route[-4][across] for e in edges]
    layout.fan_out(cards, edges, ports, come_from, flat)
    for e, shift in zip(edges, ports, strict=True):
        for i in (-2, -1):
            x, y = e.route[i]
            e.route[i] = (x, y + shift) if flat else (x + shift, y)
        start, end = _middle_of_side(cards[e.source], SIDES[rankdir][0]), _middle_of_side(cards[e.target], SIDES[rankdir][1])
        e.route[0] = start  # Graphviz rounds
        e.route[-1] = (end[0], end[1] + shift) if flat else (end[0] + shift, end[1])


def _middle_of_side(card: Card, side: str) -> Point:
    """The middle of one side of a card."""
    return card.x + card.width * {"w": 0.0, "e": 1.0}.get(side, 0.5), card.y + card.height * {"n": 0.0, "s": 1.0}.get(side, 0.5)


def text_of(card: Card) -> str:
    """The lines of a card."""
    lines = [card.header]
    if card.value:
        lines.append(f"value {card.value}")
    if card.label:
        lines.append(f"{card.label} = {card.adjoint}")
    lines += ["  ".join(filter(None, (row.text, row.value, row.grad and f"(∂ {row.grad})"))) for row in card.rows]
    return "\n".join(lines)


def _node_attributes(card: Card) -> dict[str, str]:
    style = "rounded,filled,dashed" if card.kind in DASHED else "rounded,filled"
    return {
        "label": text_of(card),
        "tooltip": card.tooltip,
        "style": style,
        "fillcolor": FILL[card.sign],
        "color": BORDER.get(card.kind, "#8c959f"),
        "penwidth": "2" if card.kind in BORDER else "1",
    }


def _edge_attributes(edge: Edge) -> dict[str, str]:
    found = {"tooltip": edge.tooltip, "color": LINE[edge.sign], "penwidth": f"{edge.weight:g}"}
    return {"label": edge.label, **found} if edge.label else found


_DOT = svg.XML | {ord("\\"): "\\\\"}


def quoted(text: str) -> str:
    r"""Text as a quoted string of DOT, the quotes included; line feeds become Graphviz's own.

    >>> quoted('say "\\N"')
    '"say &quot;\\\\N&quot;"'
    """
    return '"' + r"\n".join(svg.BAD.sub("\ufffd", line).translate(_DOT) for line in text.split("\n")) + '"'


FONT = {"fontname": "DejaVu Sans Mono, Menlo, Consolas, monospace", "fontsize": "11"}
NODE = {**FONT, "shape": "box", "fontcolor": "#1b1f24"}
EDGE = {**FONT, "fontsize": "10", "fontcolor": "#1b1f24"}


def source(cards: Sequence[Card], edges: Sequence[Edge], rankdir: str, title: str) -> str:
    """The picture as DOT text: quoted strings only, synthetic ids, no HTML labels, records, URLs or images."""
    lines = ["digraph {", f"  graph [rankdir={rankdir} tooltip={quoted(title)}]"]
    lines += [f"  node [{_attribute_list(NODE)}]", f"  edge [{_attribute_list(EDGE)}]"]
    lines += [f"  n{card.index} [{_attribute_list(_node_attributes(card))}]" for card in cards]
    lines += [f"  n{e.source} -> n{e.target} [{_attribute_list(_edge_attributes(e))}]" for e in edges]
    return "\n".join([*lines, "}", ""])


def _attribute_list(attributes: dict[str, str]) -> str:
    return " ".join(f"{key}={quoted(value)}" for key, value in attributes.items())


def digraph(cards: Sequence[Card], edges: Sequence[Edge], rankdir: str, title: str, format: str) -> graphviz.Digraph:
    """The same as a `graphviz.Digraph`; needs the package `graphviz`, and the program `dot` only when it is rendered."""
    import graphviz

    def inner(attributes: dict[str, str]) -> dict[str, str]:
        return {key: quoted(value)[1:-1] for key, value in attributes.items()}  # the package writes the quotes

    graph = graphviz.Digraph(format=format, graph_attr={"rankdir": rankdir, **inner({"tooltip": title})})
    graph.attr("node", **inner(NODE))
    graph.attr("edge", **inner(EDGE))
    for card in cards:
        graph.node(f"n{card.index}", **inner(_node_attributes(card)))
    for edge in edges:
        graph.edge(f"n{edge.source}", f"n{edge.target}", **inner(_edge_attributes(edge)))
    return graph
