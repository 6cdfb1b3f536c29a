"""Rows over many items: their derivatives grow with how many there are, not with the square, and keep digits and limits."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from math import inf, nan
from typing import Any

import mpmath as mp
import pytest

from autograd_lite import (
    Value,
    dot,
    draw,
    fsum,
    grad,
    graph,
    hessian,
    hvp,
    hypot,
    jit,
    log_softmax,
    logsumexp,
    maximum,
    mean,
    nn,
    prod,
    softmax,
)  # fmt: skip
from autograd_lite.ops import TABLE, reductions, trigonometry
from autograd_lite.ops.columns import MANY
from tests.same import same

OF_ITEMS: dict[str, Callable[[list[Any]], Any]] = {
    "hypot": lambda x: hypot(*x),
    "logsumexp": logsumexp,
    "softmax": lambda x: dot(softmax(x), x),
    "softmax of one": lambda x: softmax(x)[1],
    "log_softmax": lambda x: dot(log_softmax(x), x),
    "log_softmax of one": lambda x: log_softmax(x, 1),
    "cross_entropy": lambda x: nn.cross_entropy([x, x[::-1]], [0, 2]),
    "prod": prod,
    "sum": lambda x: sum(v**3 for v in x),
    "fsum": lambda x: fsum([v**3 for v in x]),
    "mean": lambda x: mean([v**3 for v in x]),
    "dot": lambda x: dot(x, x) ** 2,
    "maximum": lambda x: reduce(maximum, x) ** 2,
}


def test_every_row_of_any_number_of_items_is_asked() -> None:
    parts = {"softmax_weight": "softmax", "softmax_rest": "softmax", "log_softmax_weight": "log_softmax", "direction": "hypot"}
    assert {parts.get(op.name, op.name) for op in TABLE.values() if op.variadic} <= set(OF_ITEMS)


def second_order(f: Callable[[list[Any]], Any], n: int) -> int:
    """How many operands the graph of a second derivative along one direction has."""
    x = [Value(0.1 + 0.01 * i) for i in range(n)]
    found = grad(lambda v: dot(grad(f)(v), [1.0 - 0.01 * i for i in range(n)]))(x)
    return sum(len(graph.operands(node)) for node in graph.order(found))


@pytest.mark.parametrize("name", OF_ITEMS)
def test_second_derivatives_grow_with_the_items(name: str) -> None:
    f = OF_ITEMS[name]
    assert second_order(f, 2 * MANY + 2) < 2.3 * second_order(f, MANY + 1)


@pytest.mark.parametrize("name", ["hypot", "softmax", "log_softmax of one", "cross_entropy"])
def test_and_so_do_their_programs(name: str) -> None:
    def length(n: int) -> int:
        compiled = jit(lambda v: hvp(OF_ITEMS[name], (v,), (v,)))
        return len(compiled.program([0.1 + 0.01 * i for i in range(n)]))

    assert length(2 * MANY + 2) < 2.3 * length(MANY + 1)


POINTS = {  # differences of the first three are exact: exp of a rounded one is off by as much as it is large
    "ordinary": [0.25, -1.25, 2.0, 0.75, -0.5, 1.5, 0.0, -2.5, 0.125, 1.125],
    "one far ahead": [0.25, -1.25, 2.0, 0.75, 44.0, 1.5, 0.0, -2.5, 0.125, 1.125],
    "two at the head": [3.0, -1.25, 3.0, 0.75, -0.5, 1.5, 0.0, -2.5, 0.125, 1.125],
    "all alike": [0.5] * 10,
    "tiny": [1e-170 * (i - 3.5) for i in range(10)],
    "huge": [1e170 * (i - 3.5) for i in range(10)],
    "one of many sizes": [1e-110, 3e-200, 2e-170, 1e-230, 4e-160, 1e-300, 1e-180, 1e-190, 2e-165, 3e-175],
}


def alike(found: Any, right: Any, rel: float) -> bool:
    if isinstance(found, list):
        return all(alike(a, b, rel) for a, b in zip(found, right, strict=True))
    return same(found, right, rel)


def of_ten_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """As more than MANY items do."""
    for module in (reductions, trigonometry):
        monkeypatch.setattr(module, "MANY", 8)


@pytest.mark.parametrize("place", POINTS)
def test_second_derivatives_of_many_items_keep_their_digits(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    of_ten_share(monkeypatch)
    at = POINTS[place]
    n = range(len(at))
    with mp.workdps(60 + 2 * 230):
        x = list(map(mp.mpf, at))
        if place not in ("tiny", "huge", "one of many sizes"):
            e = list(map(mp.exp, x))
            w = [v / mp.fsum(e) for v in e]
            rest = [mp.fsum(w[:i] + w[i + 1 :]) for i in n]
            slopes = [[w[i] * (rest[i] if i == j else -w[j]) for j in n] for i in n]
            assert alike(hessian(logsumexp)(at), [[float(d) for d in row] for row in slopes], 3e-15)
            assert alike(hessian(lambda v: log_softmax(v, 4))(at), [[-float(d) for d in row] for row in slopes], 3e-15)
            assert alike([v.data for v in softmax(list(map(Value, at)))], list(map(float, w)), 3e-15)
            assert alike([v.data for v in log_softmax(list(map(Value, at)))], [float(mp.log(v)) for v in w], 3e-15)
            for f, of in ((softmax, w), (log_softmax, [1] * len(at))):
                found = [grad(lambda v, f=f, i=i: f(v)[i])(at) for i in n]
                assert alike(found, [[float(of[i] * (rest[i] if i == j else -w[j])) for j in n] for i in n], 3e-15)
        h = mp.sqrt(mp.fsum(v * v for v in x))
        own = [mp.fsum(v * v for j, v in enumerate(x) if j != i) for i in n]
        lengths = [[float((own[i] if i == j else -x[i] * x[j]) / h**3) for j in n] for i in n]
        assert alike(hessian(lambda v: hypot(*v))(at), lengths, 3e-15)


@pytest.mark.parametrize(
    "at",
    [
        [inf] + [1.0] * 9, [1.0] * 9 + [-inf], [inf, -inf] + [1.0] * 9, [0.0] * 10, [nan] + [1.0] * 9, [1.0] * 9 + [nan],
        [nan, inf] + [1.0] * 9, [5e-324] * 10, [1.7e308] * 10, [1e-320] * 9 + [1e308], [-inf] * 10, [-inf] * 9 + [0.0],
        [-1e308] * 9 + [1e308],
    ],
)  # fmt: skip
def test_nodes_say_of_many_items_what_floats_say(at: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    of_ten_share(monkeypatch)
    lifted = list(map(Value, at))
    assert alike([g.data for g in grad(lambda v: hypot(*v))(lifted)], grad(lambda v: hypot(*v))(at), 1e-15)
    for f in (softmax, log_softmax, grad(logsumexp)):
        assert alike([w.data for w in f(lifted)], f(at), 1e-15)


def test_many_weights_are_drawn() -> None:
    """One node an item, and where there are too many for that, still a picture."""
    few, many = ([Value(0.1 * i, f"x{i}") for i in range(n)] for n in (10, MANY + 1))
    assert len(graph.order([softmax(few)[2]])) == len(graph.order([log_softmax(few)[2]])) == 1
    for root in (softmax(many)[2], log_softmax(many)[2], grad(lambda v: hypot(*v))(few)[3]):
        assert draw(root).svg().startswith("<svg ")
