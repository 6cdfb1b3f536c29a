"""The walks: order, the reverse sweep on floats and on nodes, the linear form and its two sweeps."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_lite as al
from autograd_lite import Value, graph, sweeps

UNARY = [
    al.tanh,
    al.sin,
    al.exp,
    al.sigmoid,
    al.softplus,
    al.atan,
    al.square,
    al.erf,
    al.gelu,
    abs,
    lambda v: -v,
    lambda v: v**3,
]
BINARY = [
    lambda a, b: a + b,
    lambda a, b: a * b,
    lambda a, b: a - b,
    lambda a, b: a / (b * b + 1.5),
    al.maximum,
    al.hypot,
    al.atan2,
]
MANY = [
    al.sum,
    al.mean,
    al.prod,
    al.logsumexp,
    lambda v: al.dot(v, v[::-1]),
    lambda v: al.softmax(v)[0],
    lambda v: al.hypot(*v),
]


def random_graph(seed: int, leaves: int = 4, nodes: int = 40) -> tuple[Value, list[Value]]:
    """A graph with many shared nodes, repeated operands and constants."""
    draw = random.Random(seed)
    inputs = [Value(draw.uniform(-1.2, 1.2), f"x{i}") for i in range(leaves)]
    pool: list[Any] = list(inputs)
    for _ in range(nodes):
        kind = draw.random()
        if kind < 0.4:
            node = draw.choice(UNARY)(al.tanh(draw.choice(pool)))
        elif kind < 0.8:
            other = draw.choice([draw.choice(pool), draw.uniform(-2, 2)])
            node = draw.choice(BINARY)(*draw.sample([draw.choice(pool), other], 2))
        else:
            node = draw.choice(MANY)([draw.choice(pool), draw.choice(pool), draw.uniform(-1, 1), draw.choice(pool)])
        if isinstance(node, Value):
            pool.append(node)
    return al.sum(pool[-8:]), inputs


SEEDS = st.integers(0, 10**6)


@given(SEEDS)
def test_order_has_results_before_operands_and_each_node_once(seed: int) -> None:
    root, _ = random_graph(seed)
    order = graph.order([root])
    place = {node: i for i, node in enumerate(order)}
    assert len(place) == len(order)
    assert order[0] is root
    for node in order:
        for a in graph.operands(node):
            if isinstance(a, Value) and a.op is not None:
                assert place[a] > place[node]


@given(SEEDS)
def test_the_sweep_on_nodes_gives_the_same_bits_as_the_sweep_on_floats(seed: int) -> None:
    root, inputs = random_graph(seed)
    floats = sweeps.reverse({root: 1.0}).inputs
    nodes = sweeps.reverse({root: 1.0}, graph=True).inputs
    assert set(floats) == set(nodes) <= set(inputs)
    for leaf, g in floats.items():
        h = nodes[leaf]
        assert g == (h.data if isinstance(h, Value) else h)


@given(SEEDS)
def test_linear_form_agrees_with_the_reverse_sweep_both_ways(seed: int) -> None:
    root, inputs = random_graph(seed)
    exact = sweeps.reverse({root: 1.0}).inputs
    form = sweeps.linear_form([root])
    pulled = sweeps.pull(form, root)
    for x in inputs:
        wanted = exact.get(x, 0.0)
        size = 1e-13 * (1 + abs(wanted)) * 100
        assert math.isclose(pulled.get(x, 0.0), wanted, rel_tol=1e-11, abs_tol=size)
        assert math.isclose(sweeps.push(form, {x: 1.0}).get(root, 0.0), wanted, rel_tol=1e-11, abs_tol=size)


def test_several_seeds_are_one_weighted_sum() -> None:
    x = Value(3.0)
    a, b = x * 2, x * x
    c = a * b
    assert sweeps.reverse({a: 10.0, b: 100.0, c: 1.0}).inputs == {x: 20.0 + 600.0 + 6 * 9.0}


def test_the_sweep_stops_where_told() -> None:
    x = Value(2.0)
    middle = x * x
    root = middle * middle
    found = sweeps.reverse({root: 1.0}, stop={middle})
    assert found.inputs == {middle: 8.0}
    assert found.nodes == [root]


def test_a_root_that_is_an_input() -> None:
    x = Value(2.0)
    assert sweeps.reverse({x: 5.0}).inputs == {x: 5.0}
    assert graph.order([x]) == []
    assert graph.has_leaves([x], frozenset())


def test_no_gradient_is_not_gradient_zero() -> None:
    a, b = Value(0.0, "a"), Value(2.0, "b")
    deep = al.sqrt(a) * 3.0  # an infinite slope that nothing must multiply
    found = sweeps.reverse({al.where(b > 1, b, deep) + al.where(b < 1, al.log(a), b): 1.0}).inputs
    assert found == {b: 2.0}
    assert sweeps.reverse({al.floor(b): 1.0}).inputs == {}


def test_old_leaf_values_come_back_as_nodes() -> None:
    w = Value(3.0)
    out = w * w
    w.data = 100.0
    then = graph.as_they_were(out)
    assert [v.data for v in then] == [3.0, 3.0]
    assert all(v.args == (w,) for v in then)


@pytest.mark.parametrize("shared", [2, 3, 17])
def test_a_node_waits_for_all_that_use_it(shared: int) -> None:
    x = Value(0.5)
    hub = al.sin(x)
    total = al.sum([hub * float(i) for i in range(1, shared + 1)])
    total.backward()
    assert hub.grad == shared * (shared + 1) / 2
    assert x.grad == hub.grad * math.cos(0.5)
