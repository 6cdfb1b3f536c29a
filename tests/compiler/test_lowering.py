"""The decompositions of rows, on a kernel of plain floats: the bits of the rows' own functions, before any backend."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_lite import Op
from autograd_lite.compiler.lowering import COMPARISONS, CONTROL, FUNCTIONS, PAIRS, lower
from autograd_lite.ops import TABLE, div, exp, floor, fmod, gt, le, log, log1p, lt, powers, sigmoid, where
from autograd_lite.ops import sum as sum_
from autograd_lite.ops.powers import c_pow
from autograd_lite.ops.words import WORDS as OWN_WORDS
from autograd_lite.ops.words import both, c_ceil, c_sqrt, constant, rint
from tests.compiler import cases
from tests.same import same_bits

ULP = 4.0  # the decompositions alone, each function of the C library rounded well


class Handle:
    """The numbers of an argument at many points: nothing that a lowering could take for a constant, or branch on."""

    def __init__(self, numbers: Sequence[Any]) -> None:
        self.numbers = numbers


def each(function: Callable[..., Any], *args: Any) -> Handle:
    """A function at every point; a constant is the same at each."""
    count = max([len(a.numbers) for a in args if isinstance(a, Handle)], default=1)
    columns = [a.numbers if isinstance(a, Handle) else [a] * count for a in args]
    return Handle(list(map(function, *columns)))


class Floats:
    """The vocabulary of a kernel, on floats: what C computes.  `calls` counts the rows called back."""

    def __init__(self, exact: bool) -> None:
        self.exact = exact
        self.rows: dict[str, Any] = {}
        self.inline = True
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        word = WORDS[name]
        written = (lambda *args: bool(word(*args))) if name in COMPARISONS else word
        return lambda *args: each(written, *args)

    def call(self, op: Op, *args: Any) -> Handle:
        self.calls.append(op.name)
        return each(op.forward, *args)

    def truth(self, a: Handle) -> Handle:
        return each(lambda x: x != 0.0, a)

    def number(self, c: Handle) -> Handle:
        return each(float, c)

    def both(self, c: Handle, d: Handle) -> Handle:
        return each(operator.and_, c, d)

    def either(self, c: Handle, d: Handle) -> Handle:
        return each(operator.or_, c, d)

    def negate(self, c: Handle) -> Handle:
        return each(operator.not_, c)

    def select(self, c: Handle, a: Any, b: Any) -> Handle:
        assert all(x.__class__ is bool for x in c.numbers)
        return each(lambda c, a, b: a if c else b, c, a, b)


def rounding(function: Callable[[float], int]) -> Callable[[float], float]:
    return lambda x: math.copysign(float(function(x)), x) if math.isfinite(x) else x


def power(x: float, y: float) -> float:
    """C's pow, which the row follows but for squares."""
    if y != 2.0:
        return TABLE["pow"].forward(x, y)
    try:
        return math.pow(x, y)
    except OverflowError:
        return inf


WORDS: dict[str, Callable[..., Any]] = {
    **{name: TABLE[name].forward for name in (*FUNCTIONS, *PAIRS, *COMPARISONS) if name in TABLE},
    **{name: rounding(f) for name, f in
       (("floor", math.floor), ("ceil", math.ceil), ("trunc", math.trunc), ("rint", round))},
    "sqrt": lambda x: math.sqrt(x) if x >= 0.0 else nan,
    "pow": power,
}  # fmt: skip


def lowered(name: str, k: Any, points: Sequence[cases.Point], varies: tuple[bool, ...]) -> list[float]:
    """What a lowering gives at points that differ in what varies alone."""
    args = [Handle(xs) if v else xs[0] for xs, v in zip(zip(*points, strict=True), varies, strict=True)]
    return floats(lower(TABLE[name])(k, *args), len(points))


def floats(result: Any, count: int = 1) -> list[float]:
    """The numbers of a Handle; a constant is the same everywhere."""
    return [float(x) for x in result.numbers] if isinstance(result, Handle) else [result] * count


def differences(op: Op, arity: int, exact: bool) -> list[Any]:
    """The points where a row and its lowering differ, and how: in any bit, or by more than `ULP`."""
    found = []
    for varies, points in cases.columns(op, arity):
        for at, got in zip(points, lowered(op.name, Floats(exact), points, varies), strict=True):
            wanted = op.forward(*at)
            if not (same_bits(got, wanted) if exact else cases.within(op, at, got, wanted, ULP)):
                found.append((at, varies, got, wanted))
    return found


def test_the_words_are_all_there_is() -> None:
    """A lowering uses no word that is not in the vocabulary."""
    assert WORDS.keys() == {*FUNCTIONS, *PAIRS, *COMPARISONS}
    assert all(hasattr(Floats, word) for word in CONTROL)


CASES = cases.cases()
IDS = [f"{op.name}-{arity}" for op, arity in CASES]


@pytest.mark.parametrize(("op", "arity"), CASES, ids=IDS)
def test_exact_lowerings_have_the_bits_of_the_row(op: Op, arity: int) -> None:
    assert differences(op, arity, exact=True)[:5] == []


@pytest.mark.parametrize(("op", "arity"), CASES, ids=IDS)
def test_lowerings_for_batches_are_within_some_ulp(op: Op, arity: int) -> None:
    assert differences(op, arity, exact=False)[:5] == []


@given(st.data())
def test_any_doubles_at_all(data: st.DataObject) -> None:
    op, arity = data.draw(st.sampled_from(CASES))
    chosen = cases.SELECTORS.get(op.name, {})
    at = tuple(data.draw(st.sampled_from(chosen[i]) if i in chosen else st.floats()) for i in range(arity))
    varies = data.draw(st.sampled_from(cases.kinds(op, arity)))
    wanted = op.forward(*at)
    assert same_bits(*lowered(op.name, Floats(True), [at], varies), wanted)
    assert cases.within(op, at, *lowered(op.name, Floats(False), [at], varies), wanted, ULP)


FAULTS: dict[str, Callable[..., Any]] = {
    "maximum": lambda x, y: where(gt(x, y), x, y),  # the nan in x is lost
    "minimum": lambda x, y: where(le(x, y), x, y),
    "clamp": lambda x, low, high: where(lt(x, low), low, where(gt(x, high), high, x)),
    "relu": lambda x: where(gt(x, 0.0), x, 0.0),
    "heaviside": lambda x, h: where(gt(x, 0.0), 1.0, where(lt(x, 0.0), 0.0, h)),
    "sqrt": c_sqrt,
    "ceil": c_ceil,
    "inverse": lambda x: div(1.0, x),
    "mod": fmod,
    "floordiv": lambda x, y: floor(div(x, y)),
    "difference": lambda x, y: x - y,
    "muldiv": lambda x, y, z: div(x * y, TABLE["abs"](z)),
    "pow": lambda x, y: x * x if y.__class__ is float and y == 2.0 else c_sqrt(x) if y.__class__ is float else c_pow(x, y),
    "silu": lambda x: x * sigmoid(x),
    "softplus": lambda x: log1p(exp(x)),
    "sum": lambda *items: items[0] + items[-1] if len(items) > 1 else items[0],
    "logsumexp": lambda *items: log(sum_(map(exp, items))),
    "softmax_rest": lambda i, *items: 1.0 - TABLE["softmax_weight"](i, *items),
    "gaussian": lambda x, c: exp(-(c * (x * x))),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_wrong_lowering_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cases.plant(monkeypatch, name, FAULTS[name])
    arity = cases.arities(TABLE[name])[-1] if name != "sum" else 1
    assert differences(TABLE[name], arity, exact=True)


def test_the_powers_that_batches_take_apart_are_wrong_without_their_special_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    for power, fault in ((0.5, c_sqrt), (-2.0, lambda x: 1.0 / (x * x))):
        with monkeypatch.context() as patch:
            patch.setitem(powers._SHORT, power, fault)
            assert differences(TABLE["pow"], 2, exact=False)


# The rows whose own function batches call back; an exact kernel calls some more
CALLED = {"gamma", "lgamma", "digamma", "polygamma", "sinc_derivative", "round"}


@pytest.mark.parametrize("exact", [True, False])
def test_few_rows_are_called_back(exact: bool) -> None:
    found = set()
    for op, arity in CASES:
        k = Floats(exact)
        lowered(op.name, k, [(1.0,) * arity], tuple(i not in cases.SELECTORS.get(op.name, {}) for i in range(arity)))
        found.update(k.calls)
    assert found == CALLED | ({"hypot", "unit", "direction", "fma", "fsum"} if exact else set())


def test_what_selects_may_vary_by_a_callback() -> None:
    for name, at in (("softmax_weight", (1.0, 2.0, 3.0)), ("pow_derivative", (2.0, 1.5, 1.0, 1.0)), ("round", (2.675, 2.0))):
        k = Floats(False)
        assert lowered(name, k, [at], (True,) * len(at)) == [TABLE[name].forward(*at)]
        assert k.calls == [name]


def test_rounding_to_whole_numbers_is_not_called_back() -> None:
    k = Floats(True)
    assert lowered("round", k, [(2.5, 0.0)], (True, False)) == [2.0]
    assert k.calls == []


def test_a_users_op_is_called_back_even_if_it_borrows_a_name() -> None:
    k = Floats(True)
    assert lower(Op("sin", lambda x: x + 1.0, 1.0))(k, Handle([2.0])).numbers == [3.0]
    assert k.calls == ["sin"]


def test_a_users_op_with_a_core_is_computed_by_it() -> None:
    k = Floats(True)
    mine = Op("mine", lambda x: x * x + 1.0, lambda x, out: 2.0 * x, core=lambda x: x * x + 1.0)
    assert lower(mine)(k, Handle([3.0])).numbers == [10.0]
    assert k.calls == []


def test_a_core_that_branches_is_told_what_to_write() -> None:
    branching = Op("branching", abs, 1.0, core=lambda x: x if x else -x)
    with pytest.raises(TypeError, match=r"write where\(condition, a, b\)"):
        lower(branching)(Floats(True), Handle([3.0]))


def test_the_words_of_cores_are_functions_of_floats_too() -> None:
    for word in OWN_WORDS:
        for at in cases.FEW:
            for more in cases.FEW:
                args = (at, more)[: word.arity]
                plain = word(*args)
                assert plain.__class__ is float
                for operands in ([Handle([x]) for x in args], args):
                    assert same_bits(plain, *floats(lower(word)(Floats(True), *operands))), (word, args)
    assert rint(-0.5).hex() == "-0x0.0p+0"
    assert both(1.0, nan) == 1.0
    assert constant(1.0)
