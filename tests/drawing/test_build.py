"""What is on the picture: cards, edges, moves; the numbers are those of backward."""

import math
import random

import pytest

from autograd_lite import Op, Value, dot, draw, grad, log, nn, prod, sin, stop_gradient, sum, tanh
from autograd_lite.drawing.model import sign, strength
from autograd_lite.drawing.subject import common_prefix
from autograd_lite.errors import GraphTooLargeWarning, InputTypeError, InputValueError
from autograd_lite.formula.notation import names_of


def squared_error():
    w, x, b, y = Value(1.5, "w"), Value(2.0, "x"), Value(0.5, "b"), Value(5.0, "y")
    loss = (w * x + b - y) ** 2
    loss.name = "L"
    return loss, {"w": w, "b": b}


def built(root, **options):
    return draw(root, engine="builtin", **options)


def test_the_squared_error():
    loss, params = squared_error()
    drawing = built(loss, params=params)
    cards = [(c.kind, c.header, c.value, c.label, c.adjoint, c.sign) for c in drawing.nodes]
    assert cards == [
        ("parameter", "w", "1.5", "dL/dw", "−6", "neg"),
        ("input", "x", "2", "dL/dx", "−4.5", "neg"),
        ("interior", "v1 = w × x", "3", "dL/dv1", "−3", "neg"),
        ("parameter", "b", "0.5", "dL/db", "−3", "neg"),
        ("interior", "v2 = v1 + b", "3.5", "dL/dv2", "−3", "neg"),
        ("input", "y", "5", "dL/dy", "3", "pos"),
        ("interior", "v3 = v2 − y", "−1.5", "dL/dv3", "−3", "neg"),
        ("root", "L = v3²", "2.25", "dL/dL", "1", "pos"),
    ]
    assert [e.label for e in drawing.edges] == ["× x = 2", "× w = 1.5", "× 1", "× 1", "× 1", "× (−1)", "× 2·v3 = −3"]
    assert drawing.edges[0].tooltip == "first factor in v1: × x = 2\nadds to dL/dw: −3 × 2 = −6"
    assert [(m.edge, m.card, m.source, m.line) for m in drawing.steps][:2] == [
        (None, 7, 7, "dL/dL = 1"),
        (6, 6, 7, "dL/dv3 = dL/dL × 2·v3 = 1 × (−3) = −3"),
    ]


def test_two_paths_add_up():
    x, y = Value(1.2, "x"), Value(0.7, "y")
    f = x * y + sin(x)
    f.name = "f"
    drawing = built(f)
    moves = [m for m in drawing.steps if m.card == 0]
    assert [(m.before, m.after) for m in moves] == [("", moves[0].after), (moves[0].after, "1.062")]
    assert moves[1].line in (
        "df/dx: 0.3624 (through sin) + 0.7 (first factor) = 1.062",
        "df/dx: 0.7 (first factor) + 0.3624 (through sin) = 1.062",
    )


def test_an_operand_used_twice_has_two_edges():
    x = Value(3.0, "x")
    drawing = built(x * x)
    assert [(e.source, e.target, e.contribution) for e in drawing.edges] == [(0, 1, 3.0), (0, 1, 3.0)]
    assert drawing.edges[0].route != drawing.edges[1].route
    assert drawing.nodes[0].adjoint == "6"


def graph(seed):
    draws = random.Random(seed)
    values = [Value(draws.uniform(-1, 1), f"x{i}") for i in range(4)]
    for _ in range(40):
        a, b = draws.choice(values), draws.choice(values)
        values.append(draws.choice([a + b, a * b, tanh(a), a - b, sum([a, b, a]), dot([a, b], [b, 0.5])]))
    return sum(values[4:]), values[:4]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("fold", [False, True])
def test_contributions_into_a_node_sum_to_its_gradient(seed, fold):
    root, leaves = graph(seed)
    drawing = built(root, fold=fold, digits=17)
    gathered = {c.index: 0.0 for c in drawing.nodes if c.kind != "root"}
    for e in drawing.edges:
        if e.contribution is not None:
            gathered[e.source] += e.contribution
    shown = {c.index: float(c.adjoint.replace("\u2212", "-")) for c in drawing.nodes if c.adjoint != "none"}
    assert {i: shown[i] for i in gathered if i in shown} == pytest.approx({i: g for i, g in gathered.items() if i in shown})
    root.backward()
    drawn = names_of([root])
    for leaf in leaves:
        found = [c.adjoint for c in drawing.nodes if c.node is leaf]
        found += [r.grad for c in drawing.nodes for r in c.rows if r.leaf is leaf]
        assert len(found) == (leaf in drawn)
        assert [float(g.replace("\u2212", "-")) for g in found] == pytest.approx([leaf.grad] * len(found), rel=1e-12)


@pytest.mark.parametrize("fold", [False, True])
def test_moves_end_at_the_adjoints_on_the_cards(fold):
    model = nn.MLP(2, [4, 4, 1], seed=0)
    loss = (model([Value(1.0, "x0"), Value(2.0, "x1")]) - 1.0) ** 2
    drawing = built(loss, params=model, fold=fold)
    last = {}
    for m in drawing.steps:
        assert m.before == last.get((m.card, m.row), "")
        last[m.card, m.row] = m.after
        if m.edge is not None:
            assert drawing.edges[m.edge].target == m.source
            assert m.row is not None or drawing.edges[m.edge].source == m.card
    for card in drawing.nodes:
        assert last.get((card.index, None), "none") == card.adjoint
        for k, row in enumerate(card.rows):
            assert last.get((card.index, k), "none" if row.leaf is not None else "") == row.grad
    flowing = [e for e in drawing.edges if e.contribution is not None]
    rows = [r for c in drawing.nodes for r in c.rows if r.leaf is not None and r.grad != "none"]
    assert len(drawing.steps) == 1 + len(flowing) + len(rows)


def test_drawing_changes_nothing():
    loss, params = squared_error()
    nodes = [loss]
    for node in nodes:
        nodes += [a for a in node.args if isinstance(a, Value)]
    before = [(n.data, n.grad, n.name) for n in nodes]
    loss.draw(params=params).html()
    assert [(n.data, n.grad, n.name) for n in nodes] == before


def test_grad_attr_shows_what_is_stored_and_none_shows_nothing():
    loss, _ = squared_error()
    loss.backward()
    loss.backward()
    card = built(loss, grad="attr").nodes[0]
    assert (card.label, card.adjoint) == ("w.grad", "−12")
    assert built(loss).nodes[0].adjoint == "−6"
    bare = built(loss, grad=None)
    assert bare.nodes[0].label == ""
    assert "-band" not in bare.svg().partition("</style>")[2]


def test_grads_that_are_values():
    x = Value(2.0, "x")
    y = x**3
    y.backward(create_graph=True)
    assert built(y, grad="attr").nodes[0].adjoint == "12"


def test_nan_and_infinity_are_flagged():
    x = Value(-1.0, "x")
    drawing = built(log(x) * 2.0)  # so is the adjoint of x
    assert [(c.value, c.bad) for c in drawing.nodes] == [("−1", True), ("nan", True), ("nan", True)]
    assert built(x * math.inf).nodes[0].adjoint == "∞"
    assert built(x * math.inf).nodes[0].sign == "bad"
    assert "-bad" in drawing.svg().partition("</style>")[2]


def test_where_nothing_flows():
    wall = Op("wall", lambda x: x, lambda x, out: 1.0, products=[lambda g, x, out: None])
    x, y = Value(1.0, "x"), Value(2.0, "y")
    drawing = built(wall(sin(x)) * y)
    assert [(c.name, c.adjoint) for c in drawing.nodes if c.adjoint == "none"] == [("x", "none"), ("v1", "none")]
    assert [e.label for e in drawing.edges if e.contribution is None] == ["no flow", "no flow"]
    assert "no gradient reaches it" in drawing.nodes[0].tooltip
    zero = built(stop_gradient(x) * y)
    assert (zero.nodes[0].adjoint, zero.edges[0].contribution) == ("none", None)


def test_warnings_point_at_the_caller():
    with pytest.warns(GraphTooLargeWarning) as seen:
        draw(sin(sin(Value(1.0))), max_nodes=1)
    assert seen[0].filename == __file__


def test_a_leaf_alone():
    drawing = built(Value(2.0, "x"))
    assert [(c.kind, c.header, c.adjoint) for c in drawing.nodes] == [("root", "x", "1")]
    assert drawing.edges == []
    assert drawing.html()


def test_label_levels():
    loss, _ = squared_error()
    assert built(loss, labels="short").edges[0].label == "× 2"
    assert built(loss, labels="none").edges[0].label == ""
    v = Value(0.5, "x")
    for _ in range(60):
        v = sin(v)
    assert built(v, fold=False).edges[0].label == "× 0.8776"
    for _ in range(100):
        v = sin(v)
    assert built(v, fold=False).edges[0].label == ""


def test_names():
    x = Value(2.0)
    model = nn.Neuron(1, None, seed=0)
    assert [c.name for c in built(model([x]), params=model, fold=False).nodes] == ["w[0]", "v1", "v2", "b", "root"]
    assert [c.name for c in built(model([x]), params=model).nodes] == ["v1", "root"]  # a module is folded from the start
    assert [c.name for c in built(x * 2.0, params={"weight": x}).nodes] == ["weight", "root"]


def test_digits():
    assert built(Value(1 / 3, "x") * 2.0, digits=6).nodes[0].value == "0.333333"
    assert "value = 0.3333333333333333" in built(Value(1 / 3, "x") * 2.0).nodes[0].tooltip


def test_highlight_and_only_paths_to():
    x, y = Value(1.0, "x"), Value(2.0, "y")
    root = sin(x) * tanh(y)
    drawing = built(root, highlight=x)
    assert {c.header for c in drawing.nodes if c.dim} == {"y", "v2 = tanh(y)"}
    assert [e.emphasis for e in drawing.edges] == [not e.dim for e in drawing.edges]
    part = built(root, only_paths_to=[x])
    assert [c.header for c in part.nodes] == ["x", "v1 = sin(x)", "root = v1 × v2"]
    assert (part.hidden, len(part.edges)) == (2, 2)
    with pytest.raises(InputValueError, match=r"only_paths_to holds .* was not computed from"):
        built(root, only_paths_to=[Value(1.0)])
    with pytest.raises(InputTypeError, match="highlight"):
        built(root, highlight=3)
    with pytest.raises(InputTypeError, match="which is no Value"):
        built(root, highlight=[3])


def test_limits_leave_a_stub_and_warn():
    v = Value(0.5, "x")
    for _ in range(10):
        v = sin(v)
    for options in ({"max_depth": 3}, {"max_nodes": 4}):
        with pytest.warns(GraphTooLargeWarning, match="has 11 nodes to draw and 4 are drawn"):
            drawing = built(v, fold=False, **options)
        assert [c.header for c in drawing.nodes][-2:] == ["root = sin(v9)", "… 7 more"]
        assert (drawing.hidden, drawing.nodes[-1].kind) == (7, "stub")
        assert len(drawing.steps) == 4
    assert built(v, fold=False, max_nodes=None).hidden == 0
    assert built(v, fold=False, max_depth=10).hidden == 0


@pytest.mark.parametrize("seed", range(10))
def test_stubs_count_what_is_hidden(seed):
    root, _ = graph(seed)
    with pytest.warns(GraphTooLargeWarning):
        drawing = built(root, fold=False, max_nodes=12)
    stubs = [c.header.split() for c in drawing.nodes if c.kind == "stub"]
    assert drawing.hidden == math.fsum(int(s[1]) for s in stubs if len(s) == 3) > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "neato"}, "engine='neato' must be one of 'auto', 'dot', 'builtin'"),
        ({"rankdir": "XX"}, "rankdir='XX'"),
        ({"theme": "blue"}, "theme='blue'"),
        ({"labels": "some"}, "labels='some'"),
        ({"grad": "yes"}, "grad='yes'"),
        ({"fold": "maybe"}, "fold='maybe'"),
        ({"digits": 0}, "digits=0"),
        ({"max_nodes": 0}, "max_nodes=0"),
        ({"max_depth": -1}, "max_depth=-1"),
        ({"timeout": 0}, "timeout=0"),
    ],
)
def test_options_outside_their_rule(options, message):
    with pytest.raises(InputValueError, match=message):
        draw(Value(1.0) * 2.0, **options)


def test_things_of_the_wrong_kind():
    with pytest.raises(InputTypeError, match=r"root=3\.0 must be a Value"):
        draw(3.0)
    with pytest.raises(InputTypeError, match="params=3"):
        draw(Value(1.0), params=3)
    with pytest.raises(InputTypeError, match=r"params\['w'\]=3"):
        draw(Value(1.0), params={"w": 3})
    with pytest.raises(InputTypeError, match="title=3"):
        draw(Value(1.0), title=3)


def test_rows_of_ops_of_many_arguments():
    a, b, c = Value(2.0, "a"), Value(3.0, "b"), Value(4.0, "c")
    card = built(prod([a, b, c]), fold=False).nodes[-1]
    assert [(r.text, r.value) for r in card.rows] == [("a", "2"), ("b", "3"), ("c", "4")]
    edges = built(dot([a, b], [c, 0.5]) * c, fold=False).edges
    assert [(e.row, e.argument, e.label) for e in edges[:3]] == [
        (0, 0, "× c = 4"),
        (0, 2, "× a = 2"),
        (1, 1, "× 0.5"),
    ]


def test_signs_and_strengths():
    assert [sign(x) for x in (2.0, -1.0, 0.0, -0.0, None, math.nan, math.inf)] == [
        "pos", "neg", "zero", "zero", "zero", "bad", "bad",
    ]  # fmt: skip
    assert [strength(x, 10.0) for x in (10.0, -10.0, 0.01, 1e-9, 0.0, None, math.nan)] == [0.5, 0.5, 0.1, 0.1, 0.0, 0.0, 0.5]
    assert 0.1 < strength(1.0, 10.0) < 0.5
    assert strength(5e-324, 1e308) == 0.1


@pytest.mark.parametrize(
    ("names", "prefix"),
    [
        (["a.b.w", "a.b.b"], "a.b."),
        (["a.b", "a.b.c"], "a."),
        (["w", "b"], ""),
        (["a.w"], ""),
        ([], ""),
        (["a.w", "a.w"], "a."),
    ],
)
def test_common_prefix(names, prefix):
    assert common_prefix(names) == prefix


def test_draw_is_the_function_even_after_its_package_was_imported():
    import autograd_lite.drawing.model
    from autograd_lite import draw as again

    assert autograd_lite.draw is again is draw
    assert callable(autograd_lite.draw)
    assert isinstance(built(Value(1.0)), autograd_lite.Drawing)
    assert grad(lambda v: v * v)(3.0) == 6.0
    with pytest.raises(AttributeError, match="no attribute 'Drawin'"):
        autograd_lite.Drawin  # noqa: B018
