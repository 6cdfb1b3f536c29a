"""How nodes, names and partials are written: every row renders, and what an edge says is what the edge is worth."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_lite as al
from autograd_lite import Op, Value
from autograd_lite.formula import nodes, notation
from autograd_lite.ops import TABLE
from tests.formula import reading

POINTS: dict[str, list[tuple[float, ...]]] = {
    "direction": [(0.0, 0.3, 0.7, -0.2), (2.0, 0.3, 0.7, -0.2)],
    "acosh": [(2.5,)], "cbrt": [(0.4,), (0.9,)], "softmax_rest": [(0.0, 0.3, 0.7, -0.2), (2.0, 0.3, 0.7, -0.2)],
    "softmax_weight": [(0.0, 0.3, 0.7, -0.2), (1.0, 0.3, 0.7, -0.2)],
    "log_softmax_weight": [(0.0, 0.3, 0.7, -0.2), (2.0, 0.3, 0.7, -0.2)], "polygamma": [(1.0, 2.5), (2.0, 0.7)],
    "sinc_derivative": [(1.0, 0.3), (2.0, 0.7)], "pow_derivative": [(2.0, 1.5, 1.0, 1.0), (0.5, 2.5, 0.0, 2.0)],
    "where": [(1.0, 2.0, 3.0), (0.0, 2.0, 3.0), (-2.0, 4.0, 5.0)], "clamp": [
        (0.5, 0.0, 1.0), (0.0, 0.0, 1.0), (1.0, 0.0, 1.0), (-1.0, 0.0, 1.0), (2.0, 0.0, 1.0), (0.5, 3.0, 1.0)],
    "heaviside": [(0.0, 0.5), (1.0, 0.5), (-1.0, 0.5)], "round": [(1.2, 0.0), (1.23, 1.0)], "dot": [(0.4, 0.7, -0.3, 0.6)],
    "copysign": [(2.0, -3.0), (-2.0, 3.0), (2.0, -0.0), (0.0, 1.0)],
}  # fmt: skip
UNARY = [(0.4,), (-0.7,), (0.9,)]
BINARY = [(0.4, 0.7), (2.5, 0.6), (0.5, 0.5), (-1.4, 0.7), (1.7, -0.3)]


def points(op: Op) -> list[tuple[float, ...]]:
    if op.name in POINTS:
        return POINTS[op.name]
    if op.arity is None:
        return [(0.4, 0.7, -0.3), (-1.5, 2.0, 0.25)]
    at = [(0.4, 0.7, 0.3), (-1.5, 2.0, 0.25)] if op.arity == 3 else UNARY if op.arity == 1 else BINARY
    return [p for p in at if all(x in d for x, d in zip(p, op.domain, strict=True))]


def recorded(op: Op, at: tuple[float, ...], constant: tuple[int, ...] = ()) -> tuple[Any, dict[Any, str]]:
    """A node of this op with operands named a, b, c, d, and names for all."""
    args = [x if i in constant else Value(x, "abcd"[i]) for i, x in enumerate(at)]
    if op.name in ("softmax_weight", "softmax_rest", "log_softmax_weight", "direction"):
        args[0] = at[0]
    node = Value._record(op, tuple(args))
    return node, notation.names_of([node])


# -- every row --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", TABLE.values(), ids=TABLE)
def test_every_row_renders_without_leftovers(op: Op) -> None:
    for at in points(op):
        node, names = recorded(op, at)
        written = [nodes.formula(node, names), *(nodes.partial(node, i, names) for i in range(len(at)))]
        for text in written:
            assert text.strip() == text != ""
            assert not set("{}") & set(text), text
            assert "-" not in text, "a minus is U+2212"


@pytest.mark.parametrize("op", TABLE.values(), ids=TABLE)
def test_an_edge_says_what_its_partial_is(op: Op) -> None:
    for at in points(op):
        node, names = recorded(op, at)
        values = {"abcd"[i]: x for i, x in enumerate(at)} | {names[node]: node.data}
        for i in range(len(at)):
            symbol = nodes.partial(node, i, names, digits=17)
            if i in op.settings:
                assert symbol == "none"
                continue
            said = reading.worth("short", symbol, values)
            assert said == pytest.approx(op.partial(i, at, node.data), rel=1e-12, abs=1e-15), (at, i, symbol)


@pytest.mark.parametrize("op", [op for op in TABLE.values() if op.arity == 2], ids=lambda op: op.name)
@pytest.mark.parametrize("constant", [0, 1])
def test_edges_with_negative_constants(op: Op, constant: int) -> None:
    moving = 1 - constant
    if moving in op.settings:
        pytest.skip("no variable")
    constants = op.settings[constant].examples if constant in op.settings else (-2.0, -0.5, 3.0)
    for x, c in itertools.product((0.7, 1.5), constants):
        at = (c, x) if constant == 0 else (x, c)
        node, names = recorded(op, at, (constant,))
        truth = op.partial(moving, at, node.data)
        if math.isfinite(truth):
            symbol = nodes.partial(node, moving, names, 17)
            said = reading.worth("short", symbol, {"abcd"[moving]: x, names[node]: node.data})
            assert said == pytest.approx(truth, rel=1e-12), symbol


@pytest.mark.parametrize("n", [-3, -1, 0, 1, 2, 3, 12])
def test_edges_of_whole_powers(n: int) -> None:
    x = Value(1.5, "x")
    node = x**n
    said = reading.worth("short", nodes.partial(node, 0, notation.names_of([node])), {"x": 1.5})
    assert said == pytest.approx(n * 1.5 ** (n - 1), rel=1e-14)


# -- by hand ----------------------------------------------------------------------------------------------------------


def written(node: Value) -> list[str]:
    names = notation.names_of([node])
    return [nodes.formula(node, names), *(nodes.partial(node, i, names) for i in range(len(node.args)))]


X, W = Value(3.0, "x"), Value(2.0, "w")


@pytest.mark.parametrize(
    ("node", "wanted"),
    [
        (X * W, ["x × w", "w", "x"]),
        (X * -2.0, ["x × (−2)", "−2", "x"]),
        (-2.0 * X, ["−2 × x", "x", "−2"]),
        (X - -2.0, ["x − (−2)", "1", "−1"]),
        (X**2, ["x²", "2·x", "v1·log(x)"]),
        (X**-1, ["x⁻¹", "−1·x⁻²", "v1·log(x)"]),
        (X**0.5, ["x ** 0.5", "0.5·x^(−0.5)", "v1·log(x)"]),
        (X / W, ["x / w", "1/w", "−v1/w"]),
        (al.relu(X), ["relu(x)", "[x > 0]"]),
        (al.leaky_relu(X), ["leaky_relu(x, 0.01)", "where(x > 0, 1, 0.01)", "where(x > 0, 0, x)"]),
        (al.atan2(X, -2.0), ["atan2(x, −2)", "−2/(x² + (−2)²)", "−x/(x² + (−2)²)"]),
        (al.dot([X, 2.0], [W, X]), ["x × w + 2 × x", "w", "x", "x", "2"]),
        (al.sum([X] * 8), ["sum(x, x, x, x, x, x, ...)", *["1"] * 8]),
        (al.hypot(X, W), ["hypot(x, w)", "x/v1", "w/v1"]),
        (al.mod(X, W), ["x % w", "1", "−⌊x/w⌋"]),
        (al.prod([X, W]), ["prod(x, w)", "prod(w)", "prod(x)"]),
        (al.softmax([X, W])[0], ["softmax(x, w)[0]", "none", "v1·(1 − v1)", "−v1·softmax(x, w)[1]"]),
    ],
)
def test_how_nodes_and_partials_are_written(node: Value, wanted: list[str]) -> None:
    assert written(node) == wanted


def test_a_users_row_without_columns_still_renders() -> None:
    cube = Op("my_cube", lambda x: x**3, lambda x, out: 3 * x * x)
    norm = Op("norm", lambda *x: max(x), lambda args, out: [1.0] * len(args), variadic=True)
    assert written(cube(X)) == ["my_cube(x)", "partial"]
    assert written(norm(X, W)) == ["norm(x, w)", "partial", "partial"]


def test_a_users_row_writes_its_partials_as_formulas() -> None:
    cube = Op("my_cube", lambda x: x**3, lambda x, out: 3 * x * x, edges="3*x**2")
    said = Op("said", lambda x: 2 * x, 2.0, edges="twice as {0}")
    meant = Op("meant", lambda x, y: x, (1.0, 0.0), text="x", edges=("1", "-y/w"))
    assert written(cube(X)) == ["my_cube(x)", "3·x²"]
    assert written(said(X)) == ["said(x)", "twice as {0}"], "a text that is no formula stands as it is"
    assert written(meant(X, W)) == ["x", "1", "\u2212y/w"], "one of a name that means nothing there too"


def test_hyphens_of_names_stay() -> None:
    x = Value(1.0, "a-b")
    assert written(2.0 - x) == ["2 − a-b", "1", "−1"]


def test_a_dot_of_many_terms_is_cut() -> None:
    node = al.dot([X] * 5000, [W] * 5000)
    assert written_quickly(node) == ("x × w + x × w + x × w + ...", "w", "x")


def written_quickly(node: Value) -> tuple[str, str, str]:
    names = notation.names_of([node])
    return nodes.formula(node, names), nodes.partial(node, 0, names), nodes.partial(node, 9999, names)


@pytest.mark.parametrize(
    ("x", "text"),
    [(0.0, "0"), (-0.0, "−0"), (1 / 3, "0.3333"), (-1e-20, "−1e-20".replace("-", "−")), (math.inf, "∞"), (-math.inf, "−∞"),
     (math.nan, "nan")],
)  # fmt: skip
def test_numbers(x: float, text: str) -> None:
    assert notation.number(x) == text


def test_fresh_names_avoid_given_ones() -> None:
    x = Value(1.0, "v1")
    a = x + 1.0
    b = a * 2.0
    assert list(notation.names_of([b], {b: "L"}).values()) == ["v1", "v2", "L"]


# -- names are hostile ------------------------------------------------------------------------------------------------

BAD = [*map(chr, range(32)), *map(chr, range(127, 160)), *map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A)),
       "\u2028", "\u2029", "\u200e", "\u200f", "\u061c", "\ufeff", "\ud800", "\udfff", "\uffff"]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=lambda c: f"{ord(c):04x}")
def test_what_moves_the_cursor_or_the_text_is_replaced(bad: str) -> None:
    assert notation.clean(f"a{bad}b") in ("a b", "a\ufffdb")


@given(st.text(st.characters(), max_size=200))
def test_cleaned_names_are_one_short_printable_line(name: str) -> None:
    cleaned = notation.clean(name)
    assert len(cleaned) <= 40
    assert not set(BAD) & set(cleaned)
    assert len(cleaned.splitlines()) <= 1
    cleaned.encode()


def test_ordinary_names_are_left_alone() -> None:
    for name in ("w", "layer_0.weight[3]", "größe", "学习率", "a-b", "∂"):
        assert notation.clean(name) == name
    assert notation.clean("x" * 41) == "x" * 39 + "…"
