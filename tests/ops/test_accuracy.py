"""Every row against mpmath: value, first and second derivatives within 8 ulp times the condition number.

The points are drawn in each row's own domain, saturated regions included.  Faults planted in the rules must be noticed.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

pytest.importorskip("mpmath", reason="the oracle is mpmath: install the extra 'test'")

from autograd_lite.functional import grad, hessian
from autograd_lite.ops import TABLE, Op
from tests.functions import applied
from tests.ops import reference

ULP = 8.0
DRAWN = settings(max_examples=max(10, settings.default.max_examples // 2))
NOT_A_DERIVATIVE = {"stop_gradient"}  # whose gradient is 0 by definition
SHARP = [name for name in TABLE if name not in NOT_A_DERIVATIVE]


def coordinates(interval: Any) -> st.SearchStrategy[float]:
    """Points of an interval: moderate ones, simple ones, tiny ones, and some close to its ends."""
    low, high = max(interval.low, -40.0), min(interval.high, 40.0)
    kinds = [st.floats(low, high), st.floats(max(low, -3.0), min(high, 3.0))]
    kinds.append(st.floats(1e-8, 1.0).map(lambda d: low + d if low == interval.low else d))
    kinds.append(st.floats(1e-8, 1.0).map(lambda d: high - d if high == interval.high else -d))
    return st.one_of(kinds).filter(lambda x: x in interval and (x == 0.0 or abs(x) > 1e-30))


def points(op: Op) -> st.SearchStrategy[tuple[float, ...]]:
    """Points of a row's domain away from its kinks."""
    selectors = reference.SELECTORS.get(op.name, {})
    each = [
        st.sampled_from(selectors[i]) if i in selectors else coordinates(interval)
        for i, interval in enumerate(reference.intervals(op))
    ]
    return st.tuples(*each).filter(lambda at: reference.usable(op, at))


def engine(op: Op, at: tuple[float, ...], order: int) -> dict[tuple[int, ...], float]:
    """What the library says: the value or all derivatives of one order, by how often each argument is differentiated."""
    variables, n = reference.variables(op), len(at)

    def f(*xs: Any) -> Any:
        args = list(at)
        for i, x in zip(variables, xs, strict=True):
            args[i] = x
        return applied(op, args)

    xs, argnums = [at[i] for i in variables], tuple(range(len(variables)))
    if order == 0:
        return {(0,) * n: f(*xs)}
    units = {i: tuple(int(i == j) for j in range(n)) for i in variables}
    if order == 1:
        return {units[i]: g for i, g in zip(variables, grad(f, argnums)(*xs), strict=True)}
    rows = hessian(f, argnums)(*xs)
    return {
        tuple(map(sum, zip(units[i], units[j], strict=True))): rows[a][b]
        for (a, i), (b, j) in itertools.product(enumerate(variables), repeat=2)
    }


def worst_error(op: Op, at: tuple[float, ...], order: int) -> float:
    """The largest error at a point in ulp, divided by the condition number."""
    errors = [0.0]
    for orders, got in engine(op, at, order).items():
        truth, condition = reference.oracle(TABLE[op.name], at, orders)
        errors.append(reference.error_in_ulp(got, truth) / condition)
    return max(errors)


def test_every_row_says_what_it_is_exactly() -> None:
    assert [name for name, op in TABLE.items() if op.exact is None] == []


@pytest.mark.parametrize("name", SHARP)
def test_value_and_derivatives_against_high_precision(name: str) -> None:
    op = TABLE[name]

    @DRAWN
    @given(points(op))
    def check(at: tuple[float, ...]) -> None:
        for order in (0, 1, 2):
            assert worst_error(op, at, order) <= ULP, (name, at, order)

    check()


SATURATED = [
    ("tanh", (20.0,)), ("tanh", (-20.0,)), ("sech2", (18.0,)), ("sigmoid", (-40.0,)), ("sigmoid", (40.0,)),
    ("erf", (6.0,)), ("erfc", (10.0,)), ("gelu", (-8.0,)), ("silu", (-30.0,)), ("softplus", (-30.0,)), ("softplus", (20.5,)),
    ("elu", (-30.0, 1.0)), ("asin", (1 - 1e-12,)), ("acos", (1e-10 - 1.0,)), ("atanh", (1 - 1e-12,)), ("acosh", (1 + 1e-12,)),
    ("hypot", (3e200, 4e200, 0.0)), ("hypot", (2e-160, 2e-160, 1e-160)), ("hypot", (7.0, 7.0, 0.0)), ("atan", (1e8,)),
    ("logsumexp", (30.0, -5.0, 0.0)), ("logaddexp", (35.0, -2.0)), ("log_softmax_weight", (0.0, 38.0, 1.0, 0.0)),
    ("softmax_weight", (0.0, 38.0, 1.0, 0.0)), ("expm1", (1e-10,)), ("log1p", (1e-10,)), ("digamma", (-10.3,)),
    ("polygamma", (1.0, -15.25)), ("div", (1e-200, 1e-180)), ("pow", (1e-150, 2.0)), ("sinc", (1e-4,)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "at"), SATURATED)
@pytest.mark.parametrize("order", [0, 1, 2])
def test_where_textbook_formulas_lose_every_digit(name: str, at: tuple[float, ...], order: int) -> None:
    assert worst_error(TABLE[name], at, order) <= ULP


@pytest.mark.parametrize("name", SHARP)
def test_gradients_against_finite_differences(name: str) -> None:
    op = TABLE[name]

    @DRAWN
    @given(points(op))
    def check(at: tuple[float, ...]) -> None:
        for i in reference.variables(op):
            h = 1e-5 * max(abs(at[i]), 1e-2)
            near = [(*at[:i], at[i] + s * h, *at[i + 1 :]) for s in (-2, -1, 1, 2)]
            assume(all(reference.usable(op, p) for p in near))
            if op.name in ("mod", "fmod", "floordiv", "remainder"):
                nearest = 0.5 * (op.name == "remainder")
                assume(len({p[0] / p[1] // 1.0 for p in near}) == 1)  # no jump within the step
                assume(len({(p[0] / p[1] + nearest) // 1.0 for p in near}) == 1)
            far, left, right, out = (applied(op, list(p)) for p in near)
            numeric = (8 * (right - left) - (out - far)) / (12 * h)
            coarse = (right - left) / (2 * h)
            (exact,) = (g for o, g in engine(op, at, 1).items() if o[i])
            noise = (4e-16 * max(map(abs, (far, left, right, out))) + 5e-324) / h  # which the smallest doubles have too
            here = applied(op, list(at))
            assume(abs((right - here) - (here - left)) <= h * (0.1 * abs(numeric) + 10 * noise))  # no kink within the step
            assume(math.isfinite(numeric) and abs(numeric - coarse) <= 1e-4 * abs(numeric) + noise)  # smooth over the step
            assert abs(exact - numeric) <= 1e-5 * abs(numeric) + 10 * noise

    check()


# -- the checker checked ----------------------------------------------------------------------------------------------


def with_fault(op: Op, index: int, fault: str) -> Op:
    """A copy of a row in which the rule for one argument is wrong."""
    wrong = {"sign": lambda d: -d, "factor 1 + 1e-6": lambda d: d * (1 + 1e-6), "missing edge": lambda d: 0.0 * d}[fault]
    if op.rule is not None:
        rule = op.rule

        def all_partials(args: Any, out: Any) -> list[Any]:
            return [wrong(d) if i == index else d for i, d in enumerate(rule(args, out))]

        return Op(op.name, op.forward, all_partials, variadic=True, example=op.example)
    partials = [
        (lambda *a, i=i: wrong(op.partial(i, a[:-1], a[-1]))) if i == index else rule for i, rule in enumerate(op.partials)
    ]
    return Op(op.name, op.forward, partials)


FAULTY = [
    (name, i, fault)
    for name in SHARP
    for i in reference.variables(TABLE[name])
    if max(engine(TABLE[name], TABLE[name].example, 1).values(), key=abs)
    and [g for o, g in engine(TABLE[name], TABLE[name].example, 1).items() if o[i]] != [0.0]
    for fault in ("sign", "factor 1 + 1e-6", "missing edge")
]


@pytest.mark.parametrize(("name", "index", "fault"), FAULTY)
def test_planted_faults_are_caught(name: str, index: int, fault: str) -> None:
    op = TABLE[name]
    at = op.example
    assert worst_error(op, at, 1) <= ULP
    assert worst_error(with_fault(op, index, fault), at, 1) > 1e6


def test_faults_are_planted_in_every_row_that_has_a_slope() -> None:
    flat = {"zero", "lt", "le", "gt", "ge", "eq", "ne", "sign", "heaviside", "floor", "ceil", "trunc", "round", "floordiv"}
    assert {name for name, _, _ in FAULTY} == set(SHARP) - flat
