"""The built-in layered layout: gives cards, labels and edges their places.

Cards stand in layers by their longest path to the root; between two layers of cards there is one for labels where there are
any, so that a label is a vertex with a size like a card and neither can lie on the other.  An edge over several layers runs
through narrow vertices of its own, straight through the layers it passes; many from the same card share them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from . import model as measure
from . import order
from .model import Card, Edge, Frame, Point

MARGIN = 16.0
APART, LABEL_APART, LINE_APART = 24.0, 5.0, 9.0  # between neighbours in a layer: cards, labels, lines passing
LONG, BUDGET = 60, 20_000  # layers an edge may pass; vertices that all of them may take, besides 8 an edge
SHARED = 6  # long edges from one card, above which they run as one as far as they can
LANES, LANE = 8, 6.0  # where longer ones run: above the picture, this far apart
FAN = 10.0  # between the ends of two edges at one card
NARROW, WIDE = 21.0, 240.0  # room for the bends between two layers
AROUND, BOXED = 12.0, 36.0  # between a box and the cards in it; the room between two layers where there are boxes


@dataclass
class _Graph:
    """The layered graph; vertices are numbered, cards first, and the layers from the root (0) to the leaves."""

    layer: list[int]
    breadth: list[float]  # across the layers
    length: list[float]  # along the edges
    gap: list[float]
    paths: list[list[int]] = field(default_factory=list)  # the vertices of each edge, from operand to result
    free: set[int] = field(default_factory=set)  # edges too long to take part
    boxes: list[set[int]] = field(default_factory=list)  # the vertices inside each box

    def vertex(self, layer: int, breadth: float = 0.0, length: float = 0.0, gap: float = LINE_APART) -> int:
        self.layer.append(layer)
        self.breadth.append(breadth)
        self.length.append(length)
        self.gap.append(gap)
        return len(self.layer) - 1


def place(
    cards: Sequence[Card], edges: Sequence[Edge], rankdir: str = "LR", frames: Sequence[Frame] = ()
) -> tuple[float, float]:  # fmt: skip
    """Set the places of cards and labels and the routes of edges; gives the width and height of the whole.

    Args:
        cards: measured, operands before results but for stubs, which are last.
        edges: their labels are set, empty where none is to be drawn.
        rankdir: the way from operands to results: LR, RL, TB or BT.
        frames: boxes around some of the cards; what is not in one is placed beside it.
    """
    flat = rankdir in ("LR", "RL")
    graph = _layered(cards, edges, flat)
    graph.boxes = [_inside(graph, edges, set(frame.cards)) for frame in frames]
    layers = _depth_first(graph, len(cards))
    ports = [port_of(cards[e.target], e, flat) for e in edges]
    before, after = _links(graph, ports)
    order.arrange(
        layers,
        [[(u, p / (graph.breadth[u] + 1.0)) for u, p, _, _ in near] for near in before],
        [[(u, q / (graph.breadth[u] + 1.0)) for u, _, q, _ in near] for near in after],
    )
    for box in graph.boxes:
        _together(layers, box)
    middle = order.align(
        layers,
        graph.breadth,
        graph.gap,
        [[(u, p - q, weight) for u, p, q, weight in near] for near in before],
        [[(u, q - p, weight) for u, p, q, weight in near] for near in after],
    )
    for box in graph.boxes:
        _clear(graph, layers, middle, box)
    low = min(m - b / 2 for m, b in zip(middle, graph.breadth, strict=True)) - (2 * AROUND if frames else 0.0)
    shift = MARGIN - low + (LANES * LANE + 10.0 if graph.free else 0.0)
    middle = [m + shift for m in middle]
    left, right, total = _columns(graph, layers, middle, before)
    breadth = max(m + b / 2 for m, b in zip(middle, graph.breadth, strict=True)) + MARGIN + (2 * AROUND if frames else 0.0)
    fan_out(cards, edges, ports, [middle[path[-2]] for path in graph.paths], flat)
    for card in cards:
        layer = graph.layer[card.index]
        start = (left[layer] + right[layer] - graph.length[card.index]) / 2
        card.x, card.y = (start, middle[card.index]) if flat else (middle[card.index], start)
        if flat:
            card.y -= card.height / 2
        else:
            card.x -= card.width / 2
    for edge, path, port in zip(edges, graph.paths, ports, strict=True):
        edge.route = _route(graph, edge, path, port, left, right, middle)
        edge.label_at = None
        if edge.label:
            v = path[-2]
            edge.label_at = ((left[graph.layer[v]] + right[graph.layer[v]]) / 2, middle[v])
    size = (total, breadth) if flat else (breadth, total)
    turn(cards, edges, rankdir, size)
    for frame in frames:
        surround(frame, cards, edges)
    return size


def surround(frame: Frame, cards: Sequence[Card], edges: Sequence[Edge]) -> None:
    """The place of a box around its cards, and the labels between them."""
    inside = set(frame.cards)
    boxes = [(c.x, c.y, c.width, c.height) for c in cards if c.index in inside]
    for e in edges:
        if e.label_at and e.source in inside and e.target in inside:
            (x, y), wide = e.label_at, e.label_width
            boxes.append((x - wide / 2, y - measure.LABEL / 2, wide, measure.LABEL))
    frame.x, frame.y = min(x for x, *_ in boxes) - AROUND, min(y for _, y, *_ in boxes) - AROUND
    frame.width = max(x + w for x, _, w, _ in boxes) + AROUND - frame.x
    frame.height = max(y + h for _, y, _, h in boxes) + AROUND - frame.y


def _inside(graph: _Graph, edges: Sequence[Edge], cards: set[int]) -> set[int]:
    """The vertices in a box: its cards, what lies between two of them, and the labels at those that edges come to."""
    found = set(cards)
    for e, path in zip(edges, graph.paths, strict=True):
        if e.target in cards:
            found.update(path[1:] if e.source in cards else path[-2:-1] if e.label else ())
    return found


def _together(layers: list[list[int]], box: set[int]) -> None:
    """In each layer the vertices of a box stand side by side."""
    for layer in layers:
        places = [i for i, v in enumerate(layer) if v in box]
        if places:
            mean = sum(places) / len(places)
            before = [v for i, v in enumerate(layer) if v not in box and i < mean]
            after = [v for i, v in enumerate(layer) if v not in box and i >= mean]
            layer[:] = [*before, *(layer[i] for i in places), *after]


def _clear(graph: _Graph, layers: list[list[int]], middle: list[float], box: set[int]) -> None:
    """Move what is not in a box out of it, across the layers."""
    low = min(middle[v] - graph.breadth[v] / 2 for v in box) - AROUND
    high = max(middle[v] + graph.breadth[v] / 2 for v in box) + AROUND
    ranks = [graph.layer[v] for v in box if graph.length[v] > 0.0]
    for layer in layers[min(ranks) : max(ranks) + 1]:
        inside = [i for i, v in enumerate(layer) if v in box]
        cut = inside[0] if inside else sum(middle[v] < (low + high) / 2 for v in layer)
        end = inside[-1] + 1 if inside else cut
        limit = low
        for v in reversed(layer[:cut]):
            middle[v] = min(middle[v], limit - graph.gap[v] - graph.breadth[v] / 2)
            limit = middle[v] - graph.breadth[v] / 2
        limit = high
        for v in layer[end:]:
            middle[v] = max(middle[v], limit + graph.gap[v] + graph.breadth[v] / 2)
            limit = middle[v] + graph.breadth[v] / 2


def ranks(cards: Sequence[Card], edges: Sequence[Edge]) -> list[int]:
    """The longest path from each card to the root, in edges."""
    rank = [0] * len(cards)
    into: list[list[Edge]] = [[] for _ in cards]
    for e in edges:
        into[e.target].append(e)
    for card in reversed(cards):
        for e in into[card.index]:
            rank[e.source] = max(rank[e.source], rank[card.index] + 1)
    return rank


def _layered(cards: Sequence[Card], edges: Sequence[Edge], flat: bool) -> _Graph:
    rank = ranks(cards, edges)
    named = {rank[e.target] for e in edges if e.label}  # before these layers of cards there is a layer of labels
    height = [0]
    for r in range(max(rank)):
        height.append(height[-1] + (2 if r in named else 1))
    layer = [height[r] for r in rank]
    sizes = [(c.height, c.width) if flat else (c.width, c.height) for c in cards]
    graph = _Graph(layer, [b for b, _ in sizes], [n for _, n in sizes], [APART] * len(cards))
    graph.free = _too_long(rank, edges)
    lines: dict[tuple[int, int], int] = {}
    long = Counter(e.source for e in edges if rank[e.source] - rank[e.target] > 1)
    for e in edges:
        line = e.source if long[e.source] > SHARED else len(cards) + e.index
        top, end = layer[e.source], layer[e.target]
        path = [e.source]
        if e.index in graph.free:
            top = height[rank[e.target] + 1]
        for k in range(top - 1, end, -1):
            if k == end + 1 and e.label:
                wide, high = e.label_width, measure.LABEL
                v = graph.vertex(k, high if flat else wide, wide if flat else high, LABEL_APART)
            elif (line, k) in lines:
                v = lines[line, k]
            else:
                v = lines[line, k] = graph.vertex(k)
            path.append(v)
        path.append(e.target)
        graph.paths.append(path)
    return graph


def _too_long(rank: Sequence[int], edges: Sequence[Edge]) -> set[int]:
    """The edges that run above the picture: those over many layers, and the longest where they are too many."""
    budget = BUDGET + 8 * len(edges)
    free = set()
    for span, i in sorted((rank[e.source] - rank[e.target], e.index) for e in edges):
        budget -= span
        if span > 1 and (span > LONG or budget < 0):
            free.add(i)
    return free


def _depth_first(graph: _Graph, cards: int) -> list[list[int]]:
    """The layers in the order in which a walk from the root meets their vertices: without crossings where it is a tree."""
    below: list[list[int]] = [[] for _ in graph.layer]
    for i, path in enumerate(graph.paths):
        for a, b in pairwise(path):
            if not (i in graph.free and a == path[0]):
                below[b].append(a)
    layers: list[list[int]] = [[] for _ in range(max(graph.layer) + 1)]
    seen = [False] * len(graph.layer)
    roots = [v for v in range(cards) if graph.layer[v] == 0]
    stack = [*reversed(range(cards)), *roots]
    while stack:
        v = stack.pop()
        if not seen[v]:
            seen[v] = True
            layers[graph.layer[v]].append(v)
            stack.extend(reversed(below[v]))
    for v in range(cards, len(seen)):
        if not seen[v]:
            layers[graph.layer[v]].append(v)
    return layers


Links = list[list[tuple[int, float, float, float]]]  # the neighbour, its port, this one's port, how straight it should be


def _links(graph: _Graph, ports: list[float]) -> tuple[Links, Links]:
    """The links of each vertex to the layers before and after, each pair of vertices and ports once."""
    before: Links = [[] for _ in graph.layer]
    after: Links = [[] for _ in graph.layer]
    cards = {v for path in graph.paths for v in (path[0], path[-1])}
    done: set[tuple[int, int, float]] = set()
    for i, path in enumerate(graph.paths):
        for a, b in pairwise(path):
            port = ports[i] if b == path[-1] else 0.0
            if (i in graph.free and a == path[0]) or (a, b, port) in done:
                continue
            done.add((a, b, port))
            weight = 1.0 if a in cards and b in cards else 2.0 if a in cards or b in cards else 8.0
            before[b].append((a, 0.0, port, weight))
            after[a].append((b, 0.0, port, weight))
    for v, near in enumerate(before):  # where a result has one operand and that one result, the edge had best be straight
        if len(near) == 1 and len(after[near[0][0]]) == 1:
            u, p, q, weight = near[0]
            before[v], after[u] = [(u, p, q, 4 * weight)], [(v, p, q, 4 * weight)]
    return before, after


def port_of(card: Card, edge: Edge, flat: bool) -> float:
    """Where an edge ends at its card, from the middle."""
    if edge.row is None:
        return 0.0
    if flat:
        return card.port(edge.row) - card.height / 2
    count = len(card.rows)
    return (edge.row - (count - 1) / 2) * min(14.0, 0.8 * card.width / count)


def fan_out(cards: Sequence[Card], edges: Sequence[Edge], ports: list[float], come_from: Sequence[float], flat: bool) -> None:
    """Ends of edges at the same place of a card are moved apart, in the order in which they arrive."""
    ends: dict[tuple[int, int | None], list[int]] = {}
    for e in edges:
        ends.setdefault((e.target, e.row), []).append(e.index)
    for (target, row), group in ends.items():
        if len(group) < 2:
            continue
        card = cards[target]
        room = 8.0 if row is not None else 0.7 * (card.height if flat else card.width)
        apart = min(FAN if row is None else 6.0, room / (len(group) - 1))
        group.sort(key=lambda i: (come_from[i], i))
        for k, i in enumerate(group):
            ports[i] += (k - (len(group) - 1) / 2) * apart


def _columns(
    graph: _Graph, layers: list[list[int]], middle: list[float], before: Links
) -> tuple[list[float], list[float], float]:
    """Where each layer begins and ends along the edges, the leaves first, and the length of the whole."""
    count = len(layers)
    left, right = [0.0] * count, [0.0] * count
    at = MARGIN
    for k in reversed(range(count)):
        left[k] = at
        right[k] = at = at + max(graph.length[v] for v in layers[k])
        if k:
            steep = max(
                (abs(middle[v] + q - middle[u]) for v in layers[k - 1] for u, _, q, _ in before[v]),
                default=0.0,
            )
            at += min((BOXED if graph.boxes else NARROW) + 0.14 * steep, WIDE)
    return left, right, at + MARGIN


def _route(
    graph: _Graph, edge: Edge, path: list[int], port: float, left: list[float], right: list[float], middle: list[float]
) -> list[Point]:
    """The route as cubics: straight through the layers, bending between them."""
    source, target = path[0], path[-1]
    at = graph.layer[source]
    route: list[Point] = [((left[at] + right[at] + graph.length[source]) / 2, middle[source])]
    _line(route, (right[at], middle[source]))
    if edge.index in graph.free:
        following, top = graph.layer[path[1]] + 1, MARGIN + LANE * (source % LANES)
        _bend(route, (left[at - 1], top))
        if right[following] > left[at - 1]:
            _line(route, (right[following], top))
    slope = 0.0
    for i, v in enumerate(path[1:], 1):
        y, k = middle[v] + (port if v == target else 0.0), graph.layer[v]
        if v == target:
            _bend(route, (left[k], y), slope)
            _line(route, ((left[k] + right[k] - graph.length[v]) / 2, y))
        elif edge.label and i == len(path) - 2:  # through its label aslant, as far as the label hides it
            wide = right[k] - left[k]
            slope = (middle[target] + port - route[-1][1]) / (left[graph.layer[target]] - route[-1][0])
            most = min(0.45 * graph.breadth[v] / graph.length[v], 1.0)
            slope = min(max(slope, -most), most)
            half = slope * graph.length[v] / 2
            start, end = (wide - graph.length[v]) / 2 + left[k], (wide + graph.length[v]) / 2 + left[k]
            _bend(route, (start, y - half), 0.0, slope)
            _line(route, (end, y + half))
        else:
            _bend(route, (left[k], y))
            _line(route, (right[k], y))
    return route


def _line(route: list[Point], end: Point) -> None:
    (x, y), (u, v) = route[-1], end
    if abs(u - x) < 0.01 and abs(v - y) < 0.01:
        return
    if len(route) > 3 and abs(v - y) < 0.05 and all(abs(q - v) < 0.05 for _, q in route[-4:-1]):
        del route[-3:]  # straight on
        x, y = route[-1]
    third = (u - x) / 3
    route += [(x + third, y + (v - y) / 3), (u - third, v - (v - y) / 3), end]


def _bend(route: list[Point], end: Point, leave: float = 0.0, arrive: float = 0.0) -> None:
    """A cubic that leaves and arrives with these slopes."""
    (x, y), (u, v) = route[-1], end
    if abs(v - y) < 0.05 and leave == arrive == 0.0:
        _line(route, end)
        return
    half = (u - x) / 2
    route += [(x + half, y + leave * half), (u - half, v - arrive * half), end]


def turn(cards: Sequence[Card], edges: Sequence[Edge], rankdir: str, size: tuple[float, float]) -> None:
    """From along and across the layers to x and y; `size` is that of the turned picture."""

    def turned(point: Point) -> Point:
        x, y = point if rankdir in ("LR", "RL") else point[::-1]
        return (size[0] - x if rankdir == "RL" else x, size[1] - y if rankdir == "BT" else y)

    if rankdir == "LR":
        return
    for edge in edges:
        edge.route = [turned(p) for p in edge.route]
        edge.label_at = edge.label_at and turned(edge.label_at)
    for card in cards:
        if rankdir == "RL":
            card.x = size[0] - card.x - card.width
        elif rankdir == "BT":
            card.y = size[1] - card.y - card.height
