"""The geometry: no two cards overlap, no label lies on a card or on another label, edges start and end where they should."""

import random
import shutil

import pytest

from autograd_lite import Value, dot, draw, exp, log, mean, nn, sin, sum, tanh
from autograd_lite.drawing import layout
from autograd_lite.drawing.model import LABEL

RANDOM = 200


def expression(seed):
    """A random graph: shared operands, repeats, constants, sums and dots of many, long edges."""
    draws = random.Random(seed)
    values = [
        Value(draws.uniform(-2, 2), draws.choice([None, f"x{i}", f"a rather long name {i}"]))
        for i in range(draws.randint(1, 6))
    ]
    for _ in range(draws.randint(1, draws.choice([8, 30, 90]))):
        near = values[-draws.randint(1, len(values)) :]
        a, b = draws.choice(near), draws.choice(values)
        match draws.randrange(8):
            case 0 | 1:
                made = a + b
            case 2 | 3:
                made = a * b
            case 4:
                made = draws.choice([sin, tanh, lambda v: exp(v * 0.1), lambda v: log(v * v + 1.0)])(a)
            case 5:
                made = draws.choice([sum, mean])([draws.choice(values) for _ in range(draws.randint(1, 9))])
            case 6:
                n = draws.randint(1, 9)
                made = dot([draws.choice(values) for _ in range(n)], [draws.choice([*values, 0.5]) for _ in range(n)])
            case _:
                made = 2.0 - a / 3.0
        values.append(made)
    unused = set(values) - {a for v in values for a in v.args if isinstance(a, Value)} - {values[-1]}
    return sum([*(v for v in values if v in unused), values[-1]])


def box_of_card(card):
    return card.x, card.y, card.x + card.width, card.y + card.height


def box_of_label(edge):
    (x, y), w = edge.label_at, edge.label_width
    return x - w / 2, y - LABEL / 2, x + w / 2, y + LABEL / 2


def overlaps(boxes):
    """The pairs of boxes that share more than a tenth of a pixel; found by a sweep from left to right."""
    found, active = [], []
    for i in sorted(range(len(boxes)), key=lambda i: boxes[i][0]):
        left, top, _, bottom = boxes[i]
        active = [j for j in active if boxes[j][2] > left + 0.1]
        found += [(j, i) for j in active if boxes[j][1] < bottom - 0.1 and top < boxes[j][3] - 0.1]
        active.append(i)
    return found


def crossed(drawing):
    """The edges whose curve runs over a card it does not belong to; a curve stays within the box of its four points."""
    found, inner = [], [(c.index, c.x + 1, c.y + 1, c.x + c.width - 1, c.y + c.height - 1) for c in drawing.nodes]
    for edge in drawing.edges:
        others = [box for box in inner if box[0] not in (edge.source, edge.target)]
        for k in range(0, len(edge.route) - 1, 3):
            piece = edge.route[k : k + 4]
            (west, east), (north, south) = ((min(along), max(along)) for along in zip(*piece, strict=True))
            near = [b for b in others if b[1] < east and west < b[3] and b[2] < south and north < b[4]]
            for t in (i / 12 for i in range(13)) if near else ():
                u = 1 - t
                x, y = (u**3 * a + 3 * u * u * t * b + 3 * u * t * t * c + t**3 * d for a, b, c, d in zip(*piece, strict=True))
                found += [(edge.index, card) for card, w, n, e, s in near if w < x < e and n < y < s]
    return found


def check(drawing, curves=True):
    boxes = [*map(box_of_card, drawing.nodes), *(box_of_label(e) for e in drawing.edges if e.label_at)]
    assert overlaps(boxes) == []
    assert all(x >= 0 and y >= 0 and u <= drawing.width and v <= drawing.height for x, y, u, v in boxes)
    for edge in drawing.edges:
        assert len(edge.route) % 3 == 1
        assert bool(edge.label) == (edge.label_at is not None)
        for card, (x, y) in ((drawing.nodes[edge.source], edge.route[0]), (drawing.nodes[edge.target], edge.route[-1])):
            left, top, right, bottom = box_of_card(card)
            assert left - 1 <= x <= right + 1
            assert top - 1 <= y <= bottom + 1
            assert min(abs(x - left), abs(x - right), abs(y - top), abs(y - bottom)) < 1
        if edge.row is not None and drawing.rankdir in ("LR", "RL"):
            card = drawing.nodes[edge.target]
            assert abs(edge.route[-1][1] - card.y - card.port(edge.row)) <= 8
    if curves:
        assert crossed(drawing) == []


@pytest.mark.parametrize("seed", range(RANDOM))
def test_random_expressions(seed):
    options = random.Random(seed)
    drawing = draw(
        expression(seed),
        engine="builtin",
        rankdir=options.choice(["LR", "LR", "RL", "TB", "BT"]),
        labels=options.choice(["auto", "full", "short", "none"]),
        fold=options.choice(["auto", True, False]),
    )
    check(drawing)


@pytest.mark.parametrize("rankdir", ["LR", "TB"])
def test_network(rankdir):
    model = nn.MLP(2, [16, 16, 1], seed=0)
    loss = (model([Value(1.0, "x0"), Value(-2.0, "x1")]) - 1.0) ** 2
    check(draw(loss, params=model, engine="builtin", rankdir=rankdir))


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
@pytest.mark.parametrize("seed", range(0, RANDOM, 20))
def test_random_expressions_placed_by_dot(seed):
    drawing = draw(expression(seed), engine="dot", rankdir=random.Random(seed).choice(["LR", "RL", "TB", "BT"]), timeout=60)
    assert drawing.engine == "dot"
    check(drawing, curves=False)


def test_a_chain_of_5000():
    x = Value(0.5, "x")
    v = x
    for _ in range(5000):
        v = sin(v) if v.data > 0.3 else v + x
    drawing = draw(v, engine="builtin", max_nodes=None, fold=False)
    assert len(drawing.nodes) == 5001
    check(drawing, curves=False)
    assert drawing.svg().count("<path") > 5000
    total = sum([x, *(e.contribution for e in drawing.edges if e.source == 0)]).data - x.data
    assert drawing.steps[-1].after == drawing.nodes[0].adjoint
    assert total == pytest.approx(float(drawing.nodes[0].tooltip.rpartition("= ")[2]))


def test_an_edge_over_many_layers_runs_above_the_picture():
    x = Value(0.5, "x")
    v = x
    for _ in range(layout.LONG + 5):
        v = sin(v)
    drawing = draw(v * x, fold=False, engine="builtin")
    check(drawing)
    long = max(drawing.edges, key=lambda e: drawing.nodes[e.target].x - drawing.nodes[e.source].x)
    assert min(y for _, y in long.route) < min(card.y for card in drawing.nodes)


def test_ranks_are_longest_paths():
    x = Value(1.0, "x")
    y = sin(sin(x)) * x
    drawing = draw(y, engine="builtin")
    assert layout.ranks(drawing.nodes, drawing.edges) == [3, 2, 1, 0]


def test_two_paths_are_drawn_without_a_crossing():
    x, y = Value(1.2, "x"), Value(0.7, "y")
    drawing = draw(x * y + sin(x), engine="builtin")
    names = {card.index: card.header for card in drawing.nodes}
    heights = {names[card.index]: card.y for card in drawing.nodes}
    assert (heights["x"] < heights["y"]) == (heights["v2 = sin(x)"] < heights["v1 = x × y"])
