"""What a row says of itself in a column, held against what it does."""

from __future__ import annotations

import itertools
import math
from functools import partial
from math import inf, isfinite, nan, pi

import pytest

from autograd_lite import Op, Value, errors, ops
from autograd_lite.formula.notation import place
from autograd_lite.ops import TABLE, Kink
from autograd_lite.ops.columns import SETS
from autograd_lite.ops.row import HELPERS

# -- kinks: one statement is shown and tested --------------------------------------------------------------------------

# (text, arguments, where it holds, where it does not)
PLACES = [
    ("x = 0", "x", [(0.0,), (-0.0,)], [(1e-300,), (nan,), (inf,)]),
    ("x = -1", "x", [(-1.0,)], [(1.0,), (0.0,)]),
    ("x = y", "xy", [(2.0, 2.0), (inf, inf)], [(2.0, 3.0), (nan, nan)]),
    ("b <= 0", ("a", "b"), [(5.0, 0.0), (5.0, -3.0), (nan, -inf)], [(-5.0, 1.0), (0.0, nan)]),
    ("low = high", ("x", "low", "high"), [(0.0, 1.0, 1.0)], [(1.0, 1.0, 2.0)]),
    ("y = 0 and x <= 0", ("y", "x"), [(0.0, -1.0), (-0.0, 0.0)], [(0.0, 1.0), (1.0, -1.0)]),
    ("x is whole", "x", [(3.0,), (-2.0,), (0.0,), (1e300,)], [(0.5,), (inf,), (nan,)]),
    ("x/y is whole", "xy", [(6.0, 2.0), (0.0, 3.0), (1.0, 0.0), (-9.0, 3.0)], [(7.0, 2.0), (inf, 2.0), (1.0, inf), (nan, 1.0)]),
    ("x/y is half way", "xy", [(5.0, 2.0), (1.5, 1.0), (-3.0, 2.0), (1.0, 0.0)], [(4.0, 2.0), (inf, 1.0), (inf, inf)]),
    ("x = 0 and y is not finite", "xy", [(0.0, inf), (0.0, nan)], [(0.0, 1.0), (1.0, inf)]),
    ("x = 0, -1, -2, ...", ("n", "x"), [(1.0, 0.0), (1.0, -7.0)], [(1.0, 1.0), (0.0, -0.5), (0.0, -inf), (0.0, nan)]),
    ("x = 0 and y is not 0, 1, 2, ...", "xy", [(0.0, -1.0), (0.0, 0.5), (0.0, nan)], [(0.0, 2.0), (0.0, 0.0), (1.0, 0.5)]),
    ("x = π/2 + kπ", "x", [(pi / 2,), (-pi / 2,), (1.5 * pi,)], [(1.57,), (pi,), (inf,)]),
    ("all are 0", "xyz", [(0.0, 0.0), (0.0, -0.0, 0.0)], [(0.0, 1.0), (nan, 0.0)]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "letters", "here", "elsewhere"), PLACES, ids=[p[0] for p in PLACES])
def test_a_place_is_where_it_says(
    text: str, letters: str, here: list[tuple[float, ...]], elsewhere: list[tuple[float, ...]]
) -> None:
    kink = Kink(text, tuple(letters))
    assert [at for at in here if not kink.holds(*at)] == []
    assert [at for at in elsewhere if kink.holds(*at)] == []


def test_every_place_of_the_table_is_read_from_its_text() -> None:
    said = [(op.name, kink) for op in TABLE.values() for kink in op.kinks]
    by_hand = [name for name, kink in said if kink.condition.__module__ != Kink.__module__]
    assert by_hand == ["round"]  # its tie is among numbers of so many decimals, which no float is
    used = " | ".join(kink.text for _, kink in said)
    assert [name for name in SETS if name not in used] == []


def test_a_place_of_a_users_op_is_read_too() -> None:
    hinge = Op("hinge", lambda t: max(t - 2.0, 0.0), lambda t, out: ops.gt(t, 2.0), kinks="t = 2")
    assert [k.text for k in hinge.kinks] == ["t = 2"]
    assert hinge.kinks[0].holds(2.0)
    assert not hinge.kinks[0].holds(0.0)
    own = Kink("t is a prime", lambda t: t in (2.0, 3.0, 5.0))
    assert Op("primes", lambda t: t, lambda t, out: 1.0, kinks=[own]).kinks == (own,)


@pytest.mark.parametrize(
    "text",
    ["x", "x = ", "x == 0", "y = 0", "x = zero", "x is round", "x/x = 1", "x <= 0, 1, 2, ...", "x = 0 and", ""],
)
def test_a_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(errors.InputValueError, match=r"is no place among arguments x: write one as 'x = 0'"):
        Op("f", lambda x: x, lambda x, out: 1.0, kinks=[text])


def test_a_place_that_is_no_text_is_refused() -> None:
    with pytest.raises(errors.InputTypeError, match=r"kink 0.0 must be a text that says where it is, such as 'x = 0'"):
        Op("f", lambda x: x, lambda x, out: 1.0, kinks=[0.0])  # type: ignore[list-item]


class Rules:
    def slope(self, t: float, out: float) -> float:
        return math.cos(t)


def test_arguments_are_called_what_the_rules_call_them() -> None:
    assert [*ops.atan2.letters] == ["y", "x"]
    assert [*ops.clamp.letters] == ["x", "low", "high"]
    assert [*ops.polygamma.letters] == ["n", "x"]
    assert [*ops.add.letters] == ["x", "y"]  # its partials are numbers
    assert [*Op("own", math.sin, Rules().slope, kinks="t = 0").letters] == ["t"]
    assert [*Op("own", math.sin, partial(Rules.slope, Rules())).letters] == ["x"]  # nobody knows
    assert "d/dy atan2(y, x) = x/(y**2 + x**2)" in str(ops.atan2.__doc__)
    assert "d/dhigh clamp(x, low, high) = maximum(x, low) > high" in str(ops.clamp.__doc__)


# -- tame, waves, roles ------------------------------------------------------------------------------------------------

FINITE = (0.0, 1.0, -1.0, 0.5, -2.0, 5e-324, 800.0, -800.0, -0.0, -0.5, 2.0, 1e-300, -5e-324, 1e4, 7.25)


def worst(op: Op) -> tuple[float, ...] | None:
    """Finite arguments, large enough for exp and too small for a product to overflow, that give no finite value."""
    count = op.arity or 4
    pools = [op.settings[i].examples[:3] if i in op.settings else FINITE[: 15 if count < 4 else 8] for i in range(count)]
    if op in HELPERS:  # only the library's own rules call it
        pools = [[x for x in pool if x in op.domain[i % len(op.domain)]] for i, pool in enumerate(pools)]
    return next((at for at in itertools.product(*pools) if not isfinite(op.forward(*at))), None)


@pytest.mark.parametrize("op", TABLE.values(), ids=lambda op: op.name)
def test_a_row_is_tame_where_all_its_values_are_finite(op: Op) -> None:
    assert op.tame is (worst(op) is None), worst(op)


@pytest.mark.parametrize("op", [op for op in TABLE.values() if op.arity == 1], ids=lambda op: op.name)
def test_a_row_that_turns_again_and_again_waves_or_has_endless_kinks(op: Op) -> None:
    ys = [op.forward(sign * (100.25 + 0.37 * i)) for sign in (-1.0, 1.0) for i in range(300)]
    rises = [b > a for a, b in itertools.pairwise(ys) if isfinite(a) and isfinite(b) and a != b]
    turns = sum(a is not b for a, b in itertools.pairwise(rises))
    assert (turns > 20) is (op.waves or (any(k.endless for k in op.kinks) and set(op.edges) != {"0"})), turns


def test_every_operand_has_a_role_where_one_has() -> None:
    for op in TABLE.values():
        if op.roles:
            assert len(op.roles) == (op.arity or len(op.roles)), op
    x, y = Value(1.0), Value(2.0)
    node = ops.dot([x, x], [x, y])
    assert [place(node, i) for i in range(4)] == [
        "first factor of term 1", "first factor of term 2", "second factor of term 1", "second factor of term 2",
    ]  # fmt: skip
    assert [place(ops.prod([x, x, y]), i) for i in range(3)] == ["factor 1", "factor 2", "factor 3"]
    assert [place(x - x, i) for i in range(2)] == ["first term", "second term"]
    assert place(x - y, 1) == "through −"
    assert place(ops.maximum(x, y), 1) == "argument 2 of maximum"
    assert math.isfinite(node.data)
