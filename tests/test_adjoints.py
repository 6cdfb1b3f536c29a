"""Adjoints from node to node: with edges counted or not the sweep is the same, and rules of the user's are called once."""

from __future__ import annotations

import gc
import random
import sys

import pytest

import autograd_lite as al
from autograd_lite import Op, Value, adjoints
from autograd_lite.graph import NOTHING
from autograd_lite.ops import TABLE

# nodes of the core in C count the edges themselves
TELLING = sys.implementation.name == "cpython" and sys.version_info < (3, 14) and "t" not in sys.abiflags and al.core() != "C"
UNARY = (al.relu, al.tanh, al.sin, al.exp, al.square, abs, lambda x: -x, lambda x: 3.0 - x)
BINARY = (
    lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y, lambda x, y: x / y, al.maximum, al.hypot, al.atan2, pow,
    lambda x, y: al.sum([x, y, x]), lambda x, y: al.dot([x, 2.0, y], [y, x, y]), lambda x, y: al.where(x > y, x, y),
    lambda x, y: al.stop_gradient(x) * y, lambda x, y: al.clamp(x, 0.1, 1.0) + y,
)  # fmt: skip


@pytest.fixture(autouse=True)
def trusting(monkeypatch):
    monkeypatch.setattr(adjoints, "_doubtful", 0)


def program(draw: random.Random, length: int) -> list[Value]:
    """A few leaves, and nodes that apply an op to any of what is there."""
    nodes = [Value(draw.uniform(-1.5, 1.5)) for _ in range(3)]
    for _ in range(length):
        if draw.random() < 0.4:
            nodes.append(draw.choice(UNARY)(draw.choice(nodes)))
        else:
            nodes.append(draw.choice(BINARY)(draw.choice(nodes[-4:]), draw.choice(nodes)))
    return nodes


def found(sweep, root: Value, stop=NOTHING) -> list[tuple[int, str]] | None:
    """The inputs and the nodes in their order, and what each got to the bit."""
    swept = sweep(root, stop)
    if swept is None:
        return None
    cells, nodes, grads = swept
    inputs = [(id(n), "nothing" if c[1] is adjoints.UNREACHED else c[1].hex()) for n, c in cells.items() if c[0] < 0]
    return inputs + [(id(n), g.hex()) for n, g in zip(nodes, grads, strict=True)]


def uncounted(root, stop):
    return adjoints._uncounted({root: 1.0}, stop)


def counted(root, stop):
    return adjoints._counted({root: 1.0}, False, stop)


def test_edges_counted_or_not_give_the_same_bits_in_the_same_order(monkeypatch):
    draw, at_once = random.Random(15), 0
    for number in range(400):
        nodes = program(draw, draw.randint(1, 40))
        root = draw.choice(nodes[3:])
        stop = set(draw.sample(nodes, 2)) if number % 3 == 0 else NOTHING
        if number % 4:
            nodes = nodes[:3] if number % 2 else draw.sample(nodes, len(nodes) // 2)  # some are held by us, and must not matter
        monkeypatch.setattr(adjoints, "_doubtful", 0)
        first = found(uncounted, root, stop)
        at_once += first is not None
        assert first is None or first == found(counted, root, stop), number
    assert not TELLING or at_once > 100


@pytest.mark.skipif(not TELLING, reason="references are counted in another way")
@pytest.mark.parametrize("held", [False, True])
def test_edges_are_counted_only_where_a_node_is_held_elsewhere(held, monkeypatch):
    walks = []
    sharing = adjoints.sharing
    monkeypatch.setattr(adjoints, "sharing", lambda *args: walks.append(1) or sharing(*args))
    w, x = [Value(0.5), Value(-0.25)], [Value(1.0), Value(2.0)]
    for _ in range(3):
        x = [al.relu(al.sum([w[0] * x[0], x[1] * w[1], 0.5])), al.tanh(x[0] / x[1]) + al.dot(x, w), x[1] * x[1]][-2:]
    root = x[0] * x[1]
    if not held:
        del x
    assert adjoints.passed({root: 1.0}, False, NOTHING)[2]
    assert len(walks) == held
    for number in range(2, adjoints.DOUBTFUL + 2):
        assert adjoints.passed({root: 1.0}, False, NOTHING)[2]
        assert len(walks) == held * number
    x = None
    assert adjoints.passed({root: 1.0}, False, NOTHING)[2]  # it is tried again some time later
    assert len(walks) == held * (adjoints.DOUBTFUL + 1)


def test_a_rule_of_the_users_is_called_once_whoever_holds_the_nodes():
    calls = []
    bend = Op("bend", lambda x: x * x, lambda x, out: calls.append(x) or 2.0 * x)
    x = Value(1.5)
    held = [bend(x)]
    for _ in range(4):
        held.append(bend(held[-1] * x) + held[-1])
    adjoints.passed({held[-1]: 1.0}, False, NOTHING)
    assert len(calls) == 5


def test_the_error_of_a_rule_is_that_of_the_counted_order():
    def fails(x, out):
        raise ValueError(f"no slope at {x}")

    bad = Op("bad", lambda x: x, fails)
    x = Value(0.5)
    p, q = x * 2.0, x * 3.0
    said = []
    for sweep in (adjoints.passed, adjoints._counted):
        with pytest.raises(ValueError, match="no slope") as error:
            sweep({bad(p) * p + bad(q) * q: 1.0}, False, NOTHING)
        said.append((str(error.value), error.value.__notes__))
    assert said[0] == said[1]
    assert said[0][1] == ["in the derivative rules of op bad"]


def test_whoever_changes_a_partial_of_a_frequent_row_is_asked(monkeypatch):
    for name, change in (("mul", "first"), ("add", "first"), ("mul", "second"), ("add", "second")):
        row = TABLE[name]
        kind, old = row.kind, getattr(row, change)
        try:
            setattr(row, change, lambda x, y, out: 100.0)
            x, y = Value(3.0), Value(2.0)
            cells, _, _ = adjoints.passed({row(x, y): 1.0}, False, NOTHING)
            assert cells[x if change == "first" else y][1] == 100.0
        finally:
            setattr(row, change, old)
            row.kind = kind


def test_ints_that_a_rule_gives_become_floats():
    for products in ([lambda g, x, out: 3], [lambda g, x, y, out: True, lambda g, x, y, out: 3]):
        odd = Op("odd", lambda *xs: sum(xs), (1.0,) * len(products), products=products)
        x = [Value(1.0) * 2.0 for _ in products]
        assert [*map(type, adjoints.passed({odd(*x): 1.0}, False, NOTHING)[2])] == [float] * (1 + len(x))


def test_a_sweep_leaves_nothing_with_the_collector():
    gc.collect()
    for _ in range(3):
        nodes = program(random.Random(1), 30)
        nodes[-1].backward()
        del nodes
    assert gc.collect() == 0
