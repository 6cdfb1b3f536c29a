"""The steps of the backward pass: what flows into a node adds up to its gradient, and nothing else is touched."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_lite as al
from autograd_lite import Value, graph
from autograd_lite.formula.steps import adjoints_of, steps_of
from autograd_lite.ops import TABLE, Op
from tests.same import same


def told(root: Value) -> list[tuple[str, int, float, str, float, float, float | None, float]]:
    return [(s.operand.name, s.argument, s.adjoint, s.symbol, s.partial, s.product, s.before, s.after) for s in steps_of(root)]


def test_the_square_of_a_line_by_hand() -> None:
    w, x, b, y = Value(2.0, "w"), Value(3.0, "x"), Value(1.0, "b"), Value(10.0, "y")
    product, total, residue = None, None, None
    product = w * x
    total = product + b
    residue = total - y
    loss = residue**2
    product.name, total.name, residue.name, loss.name = "p", "t", "r", "L"
    assert told(loss) == [
        ("r", 0, 1.0, "2·r", -6.0, -6.0, None, -6.0),
        ("t", 0, -6.0, "1", 1.0, -6.0, None, -6.0),
        ("y", 1, -6.0, "−1", -1.0, 6.0, None, 6.0),
        ("p", 0, -6.0, "1", 1.0, -6.0, None, -6.0),
        ("b", 1, -6.0, "1", 1.0, -6.0, None, -6.0),
        ("w", 0, -6.0, "x", 3.0, -18.0, None, -18.0),
        ("x", 1, -6.0, "w", 2.0, -12.0, None, -12.0),
    ]
    assert (loss.grad, w.grad) == (0.0, 0.0)


def test_an_operand_used_twice_has_two_steps() -> None:
    x = Value(3.0, "x")
    assert told(x * x) == [("x", 0, 1.0, "x", 3.0, 3.0, None, 3.0), ("x", 1, 1.0, "x", 3.0, 3.0, 3.0, 6.0)]


def test_an_operand_that_is_not_taken_has_no_step() -> None:
    c, a, b = Value(1.0, "c"), Value(2.0, "a"), Value(3.0, "b")
    assert [(s.operand.name, s.partial, s.symbol) for s in steps_of(al.where(c, a, b))] == [("a", 1.0, "[c ≠ 0]")]
    assert b not in adjoints_of(c, steps_of(al.where(c, a, b)))


def test_a_leaf_has_no_steps() -> None:
    assert steps_of(Value(1.0)) == []


def test_steps_belong_to_the_values_of_the_forward_pass() -> None:
    x, y = Value(3.0, "x"), Value(5.0, "y")
    product = x * y
    x.data = y.data = 100.0
    assert [(s.partial, s.after) for s in steps_of(product)] == [(5.0, 5.0), (3.0, 3.0)]


def test_steps_do_not_disturb_a_watch() -> None:
    x = Value(0.0, "x")
    root = al.sqrt(x)
    with al.errstate(divide="raise", invalid="raise", overflow="raise"):
        (step,) = steps_of(root)
    assert step.partial == math.inf


def test_many_arguments_take_linear_time() -> None:
    xs = [Value(float(i)) for i in range(20_000)]
    steps = steps_of(al.dot(xs, xs))
    assert len(steps) == 40_000
    assert all(s.partial == s.operand.data for s in steps)


def test_the_operands_of_a_node_are_asked_for_once_and_not_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, operands = [0], graph.operands

    def counted(node: Value) -> Any:
        asked[0] += 1
        return operands(node)

    monkeypatch.setattr(graph, "operands", counted)
    counts = []
    for n in (10, 100):
        xs = [Value(float(i)) for i in range(n)]
        asked[0] = 0
        steps_of(al.logsumexp(xs))
        counts.append(asked[0])
    assert counts[0] == counts[1]


UNARY = [al.sin, al.exp, al.tanh, al.relu, al.abs, al.sigmoid, al.square, al.atan, al.floor]
BINARY = [al.add, al.sub, al.mul, al.maximum, al.minimum, al.hypot, al.atan2, al.logaddexp, al.div]


@st.composite
def graphs(draw: Any) -> tuple[list[Value], Value]:
    """A random graph with shared nodes, ties, and ops of any number of arguments."""
    leaves = [Value(draw(st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0]))) for _ in range(draw(st.integers(1, 4)))]
    nodes = list(leaves)
    pick = st.integers(0, 10**6).map(lambda i: nodes[i % len(nodes)])
    for _ in range(draw(st.integers(1, 15))):
        kind = draw(st.integers(0, 4))
        if kind == 0:
            new = draw(st.sampled_from(UNARY))(draw(pick))
        elif kind in (1, 2):
            new = draw(st.sampled_from(BINARY))(draw(pick), draw(st.one_of(pick, st.just(2.0))))
        elif kind == 3:
            new = draw(st.sampled_from([al.sum, al.prod, al.mean, al.logsumexp]))([draw(pick) for _ in range(3)])
        else:
            new = al.where(draw(pick), draw(pick), draw(pick))
        nodes.append(new)
    return leaves, nodes[-1]


@given(graphs())
def test_contributions_add_up_and_agree_with_backward(made: tuple[list[Value], Value]) -> None:
    _, root = made
    steps = steps_of(root)
    root.backward()
    gathered: dict[Any, float] = {}
    for s in steps:
        assert s.before is None if s.operand not in gathered else same(gathered[s.operand], s.before)
        gathered[s.operand] = s.product if s.before is None else s.before + s.product
        assert same(gathered[s.operand], s.after)
        assert graph.operands(s.node)[s.argument] is s.operand
    adjoints = adjoints_of(root, steps)
    for s in steps:
        assert same(s.adjoint, adjoints[s.node])
        assert same(s.operand.grad, adjoints[s.operand]) or math.isclose(s.operand.grad, adjoints[s.operand], rel_tol=1e-13)
    assert set(adjoints) == {root, *(s.operand for s in steps)}


@given(graphs())
def test_steps_come_results_first(made: tuple[list[Value], Value]) -> None:
    _, root = made
    passed_on: set[Any] = set()
    for s in steps_of(root):
        assert s.operand not in passed_on, "a node handed its gradient on before it had all of it"
        passed_on.add(s.node)


# -- a rule stated twice must say the same ----------------------------------------------------------------------------

PRODUCTS = [(op, i) for op in TABLE.values() if op.products for i, rule in enumerate(op.products) if rule is not None]
AT = {1: [(0.4,), (-1.5,), (math.nan,)], 2: [(0.4, 0.7), (-1.5, 2.0), (3.0, 3.0), (7.5, -2.0), (math.nan, 1.0)],
      3: [(0.4, 0.7, 0.3), (0.0, 2.0, 3.0), (1.0, 2.0, 3.0), (-1.5, 2.0, 0.25)]}  # fmt: skip


@pytest.mark.parametrize(("op", "index"), PRODUCTS, ids=[f"{op.name}-{i}" for op, i in PRODUCTS])
def test_a_product_rule_is_the_factor_times_the_partial(op: Op, index: int) -> None:
    assert op.arity is not None
    for at in AT[op.arity]:
        out = op.forward(*at) if op.name != "round" else op.forward(at[0], 1.0)
        for g in (1.0, -3.0, 0.25):
            product, partial = op.product(index, g, at, out), op.partial(index, at, out)
            if product is None:
                assert partial == 0.0
            else:
                assert same(product, g * partial) or product == pytest.approx(g * partial, rel=1e-15), (at, g)
