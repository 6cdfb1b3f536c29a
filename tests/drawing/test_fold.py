"""Folding: what shares a card, and that nothing is lost by it."""

import pytest

from autograd_lite import Op, Value, dot, draw, nn, sin, sum, tanh
from autograd_lite.drawing.build import ROWS


def cards(root, **options):
    return [
        (c.header, [(r.text, r.value, r.grad) for r in c.rows])
        for c in draw(root, engine="builtin", fold=True, **options).nodes
    ]


def test_w_x_plus_b_is_one_dot_card():
    w, x, b = Value(3.0, "w"), Value(2.0, "x"), Value(0.5, "b")
    y = sin(w * x + b) * x
    y.backward()
    assert cards(y, digits=3) == [
        ("x", []),
        ("v2 = w × x + b", [("w × x", "3", f"{w.grad:.3g}"), ("b", "0.5", f"{b.grad:.3g}")]),
        ("v3 = sin(v2)", []),
        ("root = v3 × x", []),
    ]


def test_a_chain_of_additions_is_one_sum_card():
    xs = [Value(float(i), f"x{i}") for i in range(1, 6)]
    total = xs[0]
    for x in xs[1:]:
        total = total + sin(x)
    found = cards(total)
    assert found[-1][0] == "root = Σ 5 terms"
    assert [row[0] for row in found[-1][1]] == ["x1", "v1", "v3", "v5", "v7"]


def test_only_nodes_with_one_consumer_and_no_name_fold():
    a, b = Value(1.0, "a"), Value(2.0, "b")
    shared = sin(a) * sin(b)
    root = shared + sin(shared) + 1.0
    assert "v3 = v1 × v2" in [header for header, _ in cards(root)]
    named = sin(a) * sin(b)
    named.name = "product"
    assert "product = v1 × v2" in [header for header, _ in cards(named + sin(b) + sin(a))]


def test_neurons_sum_and_bias_are_one_card_of_weights():
    model = nn.Neuron(3, "tanh", seed=3)
    x = [Value(1.0, "x0"), Value(-2.0, "x1"), Value(0.5, "x2")]
    drawing = draw(model(x), engine="builtin", fold=True, params=model)
    assert [c.header for c in drawing.nodes] == [
        "x0",
        "x1",
        "x2",
        "v2 = w[0] × x0 + w[1] × x1 + w[2] × x2 + b",
        "result = tanh(v2)",
    ]
    rows = drawing.nodes[3].rows
    assert [r.name for r in rows] == ["w[0]", "w[1]", "w[2]", "b"]
    assert [e.row for e in drawing.edges] == [0, 1, 2, None]
    model(x).backward()
    assert [float(r.tooltip.rpartition("= ")[2]) for r in rows] == [p.grad for p in model.parameters()]


def test_what_is_asked_for_by_name_keeps_its_card():
    w, x, b = Value(3.0, "w"), Value(2.0, "x"), Value(0.5, "b")
    root = sin(w * x + b)
    assert "w" in [header for header, _ in cards(root, highlight=w)]
    assert "w" in [header for header, _ in cards(root, only_paths_to=w)]
    assert "w" not in [header for header, _ in cards(root)]


def test_long_sums_list_their_first_terms():
    xs = [Value(1.0, f"x{i}") for i in range(100)]
    drawing = draw(sin(sum([sin(x) for x in xs])), engine="builtin", fold=True, max_nodes=None)
    card = next(c for c in drawing.nodes if c.rows)
    assert len(card.rows) == ROWS
    assert card.rows[-1].text == f"… {100 - ROWS + 1} more terms"
    assert sum([e.row == ROWS - 1 for e in drawing.edges]) == 100 - ROWS + 1


def test_a_chain_of_5000_additions():
    x = Value(1.0, "x")
    total = x
    for _ in range(5000):
        total = total + x
    drawing = draw(total, engine="builtin")
    assert len(drawing.nodes) == 2
    assert drawing.nodes[0].adjoint == "5001"
    assert len(drawing.steps) == 5002


@pytest.mark.parametrize("n", [60, 61])
def test_auto_folds_above_60_nodes(n):
    x = Value(0.1, "x")
    v = x
    for k in range((n - 1) // 3):
        v = (sin, tanh)[k.bit_count() % 2](v * x + 1.0)  # an order without four iterations of a loop
    for _ in range((n - 1) % 3):
        v = sin(v)
    folded = draw(v, engine="builtin")
    assert any(c.rows for c in folded.nodes) == (n > 60)


def test_constants_are_written_in_their_terms():
    x = Value(2.0, "x")
    assert cards(sin(3.0 * x + x * x - 0.0 + 4.0))[1][0].startswith("v")
    assert cards(sin(dot([x, x], [0.5, -1.0]) + 4.0))[1][1] == [("x × 0.5", "1", ""), ("x × −1", "−2", ""), ("4", "4", "")]


@pytest.mark.parametrize("name", ["mul", "add", "dot", "pow"])
def test_a_users_own_op_is_not_taken_for_the_row_of_its_name(name):
    own = Op(name, lambda x, y: x - 3.0 * y, (1.0, -3.0))
    a, b, c = Value(3.0, "a"), Value(2.0, "b"), Value(1.0, "c")
    assert cards(own(a, b) + c)[2:] == [
        (f"v1 = {name}(a, b)", []),
        ("root = v1 + c", [("v1", "\N{MINUS SIGN}3", ""), ("c", "1", "1")]),
    ]
