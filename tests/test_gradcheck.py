"""The gradient checker, itself checked with planted faults at orders 1 and 2, and with places where no derivative exists."""

from __future__ import annotations

import builtins
import importlib.util
import math
import random
import re
from collections.abc import Callable
from itertools import pairwise
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_lite as al
from autograd_lite import Op, Value
from autograd_lite.errors import InputTypeError, InputValueError, MissingPackageError
from autograd_lite.gradcheck import GradientCheckError, check_derivative, check_grads, numerical_derivative
from autograd_lite.gradcheck.rounding import STEP, size_of_terms
from autograd_lite.gradcheck.verdict import judge
from autograd_lite.numerical.derivative import Derivative
from autograd_lite.ops import TABLE


def verdicts(report: Any) -> list[str]:
    return [row.verdict for row in report.rows]


# -- numerical derivatives --------------------------------------------------------------------------------------------


def noise(x: float) -> float:
    return random.Random(x.hex()).uniform(-1.0, 1.0)


SMOOTH: list[tuple[Callable[[float], float], float, float, float]] = [  # f, x, truth, relative error that is allowed
    (math.sin, 1.0, math.cos(1.0), 1e-11),
    (math.sin, 1e10, math.cos(1e10), 1e-7),
    (math.sin, 1e6 + 0.3, math.cos(1e6 + 0.3), 1e-8),
    (lambda x: math.sin(1e10 * x), 1.0, 1e10 * math.cos(1e10), 1e-3),
    (lambda x: math.sin(1e4 * x), 0.3, 1e4 * math.cos(3e3), 1e-8),
    (math.exp, 700.0, math.exp(700.0), 1e-10),
    (math.exp, -1e-9, math.exp(-1e-9), 1e-11),
    (math.log, 1e-8, 1e8, 1e-10),
    (math.log, 1e-200, 1e200, 1e-7),
    (math.sqrt, 1e-12, 5e5, 1e-10),
    (lambda x: 1.0 / x, -1e-5, -1e10, 1e-10),
    (math.tan, math.pi / 2 - 1e-6, 1.0 + math.tan(math.pi / 2 - 1e-6) ** 2, 1e-10),
    (lambda x: x * x, 1e150, 2e150, 1e-12),
    (lambda x: abs(x - 1.000000001), 1.0, -1.0, 1e-12),
    (lambda x: 5.0 + abs(x - 1.00001), 1.0, -1.0, 1e-8),
    (lambda x: math.exp(x) + (x > 0.7001), 0.7, math.exp(0.7), 1e-9),
    (lambda x: math.sin(x) + 1e-9 * noise(x), 1.0, math.cos(1.0), 1e-4),
    (lambda x: (1.0 - math.cos(x)) / x**2, 0.01, -1e-2 / 12 * (1 - 1e-4 / 15), 1e-2),
    (lambda x: abs(x) ** 1.5, 0.0, 0.0, 1.0),
]


@pytest.mark.parametrize(("f", "x", "truth", "allowed"), SMOOTH)
def test_the_error_is_honest_and_small(f: Callable[[float], float], x: float, truth: float, allowed: float) -> None:
    found = numerical_derivative(f, x)
    assert found.kind == "smooth"
    assert abs(found.value - truth) <= 2.0 * found.error + 1e-14 * abs(truth)
    assert found.error <= allowed * (abs(truth) or 1.0)


def step(x: float) -> float:
    return 1.0 if x > 0.0 else 0.0


KINDS: list[tuple[str, Callable[[float], float], float, str, float, float]] = [  # name, f, x, kind, left, right
    ("abs", abs, 0.0, "kink", -1.0, 1.0),
    ("relu", lambda x: max(x, 0.0), 0.0, "kink", 0.0, 1.0),
    ("kink off 0", lambda x: abs(x - 1.5) + x * x, 1.5, "kink", 2.0, 4.0),
    ("root beside flat", lambda x: math.sqrt(max(x, 0.0)), 0.0, "kink", 0.0, inf),
    ("step", step, 0.0, "jump", 0.0, 0.0),
    ("floor", math.floor, 1.0, "jump", 0.0, 0.0),
    ("jump with slopes", lambda x: 3.0 * x + step(x), 0.0, "jump", 3.0, 3.0),
    ("isolated", lambda x: float(x != 0.0), 0.0, "jump", 0.0, 0.0),
    ("cbrt", math.cbrt, 0.0, "vertical tangent", inf, inf),
    ("cusp", lambda x: math.sqrt(abs(x)), 0.0, "cusp", -inf, inf),
    ("sqrt", math.sqrt, 0.0, "domain boundary", nan, inf),
    ("acos", math.acos, 1.0, "domain boundary", -inf, nan),
    ("x log x", lambda x: x * math.log(x) if x else 0.0, 0.0, "domain boundary", nan, -inf),
    ("power of a root", lambda x: math.sqrt(x) ** 3 + 2.0 * x, 0.0, "domain boundary", nan, 2.0),
    ("complex beyond", lambda x: (x - 2.0) ** 2.5 + x, 2.0, "domain boundary", nan, 1.0),
    ("nan", lambda x: nan, 1.0, "not finite", nan, nan),
    ("log at 0", al.log, 0.0, "not finite", nan, nan),
    ("raises", math.log, -1.0, "not finite", nan, nan),
    ("constant", lambda x: 3.0, 2.0, "smooth", 0.0, 0.0),
    ("at infinity", lambda x: x, inf, "not finite", nan, nan),
]


@pytest.mark.parametrize(("name", "f", "x", "kind", "left", "right"), KINDS, ids=[k[0] for k in KINDS])
def test_kinds(name: str, f: Callable[[float], float], x: float, kind: str, left: float, right: float) -> None:
    found = numerical_derivative(f, x)
    assert found.kind == kind
    for got, wanted in ((found.left, left), (found.right, right)):
        assert got == wanted or (got != got and wanted != wanted) or abs(got - wanted) < 1e-6


def test_a_rounded_function_is_a_plateau() -> None:
    found = numerical_derivative(lambda x: round(math.sin(x), 6), 1.0)
    assert found.kind == "plateau"
    assert abs(found.value - math.cos(1.0)) <= found.error < 1e-2
    assert [judge(d, found, 1e-8).verdict for d in (0.0, math.cos(1.0), -math.cos(1.0))] == ["weak", "weak", "fail"]
    assert numerical_derivative(math.floor, 1.3).kind == "smooth"


def test_fast_is_ten_evaluations_at_most() -> None:
    for f, x in [(s[0], s[1]) for s in SMOOTH] + [(k[1], k[2]) for k in KINDS]:
        calls = []

        def counted(t: float, f: Any = f, calls: list[float] = calls) -> float:
            calls.append(t)
            return f(t)  # type: ignore[no-any-return]

        assert numerical_derivative(counted, x, fast=True).evaluations <= 10
        assert len(calls) <= 10


@given(st.floats(-3.0, 3.0), st.floats(-3.0, 3.0), st.floats(0.1, 20.0))
def test_right_derivatives_pass_and_wrong_ones_fail(x: float, a: float, w: float) -> None:
    found = numerical_derivative(lambda t: math.sin(w * t + a) + math.exp(0.3 * t), x)
    right = w * math.cos(w * x + a) + 0.3 * math.exp(0.3 * x)
    assert judge(right, found, 1e-8).verdict != "fail"
    assert judge(right + 1e-6 * (1.0 + abs(right)), found, 1e-8).verdict == "fail"


# -- verdicts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "x", "engine", "verdict", "hint"),
    [
        (abs, 0.0, 0.5, "pass", ""),
        (abs, 0.0, 1.1, "fail", "between the slopes -1 and 1"),
        (abs, 0.0, nan, "fail", "nan, though f is finite and its slope is -1 on the left, 1 on the right"),
        (math.sqrt, 0.0, inf, "pass", ""),
        (math.sqrt, 0.0, -inf, "fail", "rises vertically"),
        (math.cbrt, 0.0, 0.0, "fail", "rises vertically here: its slope grows to inf"),
        (math.floor, 1.0, 0.0, "weak", "f jumps here and has no derivative"),
        (math.floor, 1.0, 1.0, "fail", "beside the jump its slopes are"),
        (step, 0.0, nan, "weak", "nan says so"),
        (lambda x: nan, 1.0, nan, "pass", "as the value is"),
        (lambda x: nan, 1.0, 0.0, "inconclusive", "outside its domain: an op says so with domain="),
        (al.log, 0.0, inf, "inconclusive", "infinite here"),
        (lambda x: step(x) if x == 0.0 else nan, 0.0, 0.0, "inconclusive", "finite here, but nowhere beside"),
        (math.sin, 1.0, inf, "fail", "infinite, though the slope"),
        (math.sin, 1.0, nan, "fail", "nan, though f is finite"),
        (lambda x: 3.0, 1.0, 0.0, "pass", ""),
        (lambda x: 3.0, 1.0, 1e-3, "fail", "the slope is 0"),
        (math.tanh, 30.0, 4 * math.exp(-60.0), "weak", "too small for the values of f to tell from 0"),
        (lambda x: math.sin(x) + 1e-6 * noise(x), 1.0, math.cos(1.0), "weak", "digits"),
        (lambda x: 0.01 * math.sin(x) + noise(x), 1.0, 0.01 * math.cos(1.0), "inconclusive", "settle on no slope"),
        (math.sin, 1.0, -math.cos(1.0), "fail", "ratio -1: the sign is wrong"),
        (math.sin, 1.0, 2 * math.cos(1.0), "fail", "ratio 2: twice too large: counted twice"),
        (math.sin, 1.0, math.cos(1.0) / 2, "fail", "ratio 0.5: halved"),
        (math.sin, 1.0, 0.0, "fail", "an edge is missing"),
        (math.sin, 1.0, math.cos(1.0) * (1 + 1e-5), "fail", "off by a factor of 1.00001"),
    ],
)
def test_verdicts_and_hints(f: Callable[[float], float], x: float, engine: float, verdict: str, hint: str) -> None:
    got = judge(engine, numerical_derivative(f, x), 1e-8)
    assert got.verdict == verdict
    assert hint in got.hint


def test_a_side_without_a_slope_is_inconclusive() -> None:
    found = Derivative(nan, inf, "kink", nan, 1.0, inf, 0.0, 1, 0.0, 0.0, 1.0)
    assert judge(0.0, found, 1e-8).verdict == "inconclusive"
    jump = found._replace(kind="jump", right_error=inf)
    assert judge(0.0, jump, 1e-8).verdict == "inconclusive"
    assert judge(0.0, found._replace(kind="smooth"), 1e-8).hint == "the values of f settle on no slope"


# -- planted faults ---------------------------------------------------------------------------------------------------


def cube(fault: Callable[[Any], Any]) -> Op:
    return Op("cube", lambda x: x**3, lambda x, out: fault(3.0 * (x * x)))


FAULTS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "sign": (lambda d: -d, "the sign is wrong"),
    "factor": (lambda d: d * (1.0 + 1e-5), "off by a factor of 1.00001"),
    "small factor": (lambda d: d * (1.0 + 1e-7), "off by a factor of 1.0000001"),
    "missing edge": (lambda d: 0.0 * d, "an edge is missing"),
    "doubled": (lambda d: d + d, "counted twice"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("fast", [False, True])
def test_planted_faults_are_caught_and_named(fault: str, fast: bool) -> None:
    wrong, hint = FAULTS[fault]
    bad = cube(wrong)

    def f(x: Any, y: Any) -> Any:
        return al.sin(x) * y + bad(y)

    report = check_grads(f, (0.5, 1.5), fast=fast)
    assert not report
    failed = [row for row in report.rows if row.verdict == "fail"]
    assert failed[0].input == "y"
    assert [row.verdict for row in report.rows if row.input == "x"] == ["pass"]
    assert "first wrong op: cube(1.5) at test_gradcheck.py:" in report.blame
    assert hint in report.blame
    assert check_grads(f, (0.5, 1.5), modes=("fwd",), order=1).rows[1].verdict == "fail"


@pytest.mark.parametrize("name", ["identity", "stop_gradient", "pow", "sin"])
def test_a_users_op_is_to_blame_whatever_its_name(name: str) -> None:
    wrong = Op(name, lambda x: 2.0 * x, 1.0)
    report = check_grads(lambda x: wrong(x) * x, (1.5,))
    assert f"first wrong op: {name}(1.5) at test_gradcheck.py:" in report.blame


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_second_derivative_of_a_right_first(fault: str) -> None:
    wrong, hint = FAULTS[fault]
    slope = Op("slope", lambda x: 3.0 * x * x, lambda x, out: wrong(6.0 * x))
    right_first = Op("right_first", lambda x: x**3, lambda x, out: slope(x))
    report = check_grads(lambda x: right_first(x) * 2.0, (0.7,))
    assert [(row.order, row.verdict) for row in report.rows] == [(1, "pass"), (2, "fail")]
    assert hint in report.rows[1].hint
    assert "first wrong op: slope(0.7) at test_gradcheck.py:" in report.blame


def test_forward_and_reverse_are_told_apart() -> None:
    lopsided = Op("lopsided", lambda x: x * x, lambda x, out: 2.0 * x, products=(lambda g, x, out: g * 3.0 * x,))
    report = check_grads(lambda x: 5.0 * lopsided(x), (2.0,), order=1)
    assert not report.ok
    assert check_grads(lambda x: al.sin(x) * x, (2.0,), order=1).rows[0].mode == "rev, fwd"


def test_an_asymmetric_hessian_fails() -> None:
    product = Op("product", lambda x, y: x * y, (lambda x, y, out: y, lambda x, y, out: al.stop_gradient(x)))
    report = check_grads(product, (2.0, 3.0))
    assert any(row.mode == "symmetry" and "not symmetric" in row.hint for row in report.rows)
    assert "stop_gradient" in report.blame


@pytest.mark.parametrize(
    "name", [n for n in TABLE if n in ("tanh", "div", "logsumexp", "atan2", "gamma", "hypot", "gelu", "dot")]
)
def test_rows_of_the_table_pass(name: str) -> None:
    op = TABLE[name]
    n = op.arity or 4
    assert check_grads(lambda *xs: Value._record(op, xs), (0.3, 0.7, 1.1, 0.4)[:n], reference="mpmath").raise_if_failed()


# -- rounding where a derivative is 0 ---------------------------------------------------------------------------------


def points(seed: int, count: int) -> list[tuple[float, float]]:
    draw = random.Random(seed)
    return [(draw.uniform(0.1, 4.0), draw.uniform(0.1, 4.0)) for _ in range(count)]


NO_MIXED: dict[str, Callable[[Any, Any], Any]] = {  # functions a(x) + b(y), written so that terms cancel
    "x + y": lambda x, y: x + y,
    "exp(x) + sin(y)": lambda x, y: al.exp(x) + al.sin(y),
    "log(xy)": lambda x, y: al.log(x * y),
    "log(x/y)": lambda x, y: al.log(x / y),
    "log(x²y³)": lambda x, y: al.log(x**2 * y**3),
    "log(exp(x) exp(y))": lambda x, y: al.log(al.exp(x) * al.exp(y)),
    "1e6 log(sqrt(x) y)": lambda x, y: 1e6 * al.log(al.sqrt(x) * y),
    "1e8 x + log(xy)": lambda x, y: 1e8 * x + al.log(x * y),
    "sin² + cos²": lambda x, y: al.sin(x * y) ** 2 + al.cos(x * y) ** 2,
    "xy/x + y": lambda x, y: x * y / x + y,
    "sqrt(x²) y/x": lambda x, y: al.sqrt(x * x) * y / x,
    "(x + y)² - (x - y)² - 4xy": lambda x, y: (x + y) ** 2 - (x - y) ** 2 - 4 * x * y,
}


def test_the_mixed_derivative_of_a_logarithm_of_a_product() -> None:
    wrong = [
        p for p in points(0, 60 if settings.default.max_examples <= 25 else 300) if not check_grads(NO_MIXED["log(xy)"], p).ok
    ]
    assert not wrong


@pytest.mark.parametrize("name", NO_MIXED)
@pytest.mark.parametrize("reference", [None, "mpmath"])
def test_derivatives_of_0_are_not_rejected_for_their_rounding(name: str, reference: str | None) -> None:
    for p in points(1, 12):
        check_grads(NO_MIXED[name], p, reference=reference).raise_if_failed()


def test_what_is_left_of_terms_that_cancel_is_weak() -> None:
    """The mixed derivative is 1e-12, of terms of about 1: some 4 digits are right."""
    found = [
        row
        for p in points(4, 10)
        for row in check_grads(lambda x, y: al.log(x * y) + 1e-12 * x * y, p, reference="mpmath").rows
        if row.input in ("(x, y)", "(y, x)")
    ]
    assert {row.verdict for row in found} <= {"pass", "weak"}
    assert any("every op is right, but rounding in f spoils the result" in row.hint for row in found)


def test_of_many_inputs_only_the_wrong_one_is_named() -> None:
    draw = random.Random(5)
    xs = [draw.uniform(0.5, 2.0) for _ in range(25)]
    xs[3] = 1e-3  # so that f is small, and what is left of the terms that cancel is not
    bad = cube(lambda d: -d)

    def f(v: Any) -> Any:
        return al.sum([NO_MIXED["(x + y)² - (x - y)² - 4xy"](a, b) for a, b in pairwise(v)]) + bad(v[3])

    report = check_grads(f, (xs,), order=1)
    assert [row.input for row in report.rows if row.verdict == "fail" and row.input.startswith("v")] == ["v[3]"]


@pytest.mark.parametrize("name", NO_MIXED)
def test_rounding_stays_far_below_the_size_of_the_terms(name: str) -> None:
    for p in points(2, 8):
        for row in check_grads(NO_MIXED[name], p, reference="mpmath").rows[2:]:
            directions = [(1.0, 0.0) if i == "x" else (0.0, 1.0) for i in row.input.strip("()").split(", ")]
            x, y = map(Value, p)
            size = size_of_terms(NO_MIXED[name](x, y), [x, y], *directions)
            assert abs(row.engine - row.numeric) <= 0.5 * STEP * size


@pytest.mark.parametrize(("fault", "reference"), [(1e-7, False), (3e-8, False), (1e-13, True), (2e-14, True)])
def test_faults_small_beside_the_terms_that_cancel_are_caught(fault: float, reference: bool) -> None:
    """Wrong in one of the terms of the mixed derivative, 1/xy - xy/(xy)^2: the rest of it is the fault alone."""
    slope = Op("slope", lambda z: 1.0 / z, lambda z, out: -(1.0 + fault) * al.square(out))
    bad = Op("bad", math.log, lambda z, out: slope(z))
    forms = {"bad": importlib.import_module("mpmath").log} if reference else None
    for p in points(3, 10):
        mixed = [row for row in check_grads(lambda x, y: bad(x * y), p, reference=forms).rows if row.input == "(x, y)"]
        assert [row.verdict for row in mixed if row.mode != "symmetry"] == ["fail"], p


@pytest.mark.parametrize(("share", "verdict"), [(0.3, "pass"), (3.0, "fail")])
def test_the_limit_is_a_step_times_the_size_of_the_terms(share: float, verdict: str) -> None:
    """The terms are 3 in all at (1, 1), and the mixed derivative is nothing but the fault in one of them."""
    slope = Op("slope", lambda z: 1.0 / z, lambda z, out: -(1.0 + share * 3.0 * STEP) * al.square(out))
    bad = Op("bad", math.log, lambda z, out: slope(z))
    report = check_grads(lambda x, y: bad(x * y), (1.0, 1.0), reference={"bad": importlib.import_module("mpmath").log})
    assert {row.verdict for row in report.rows if row.input in ("(x, y)", "(y, x)")} == {verdict}


def test_modes_that_differ_by_more_than_rounding_are_inconclusive() -> None:
    """Wrong by 1e-7 in reverse only, which the values of f are too noisy to tell."""
    lopsided = Op("lopsided", lambda z: z, 1.0, products=(lambda g, z, out: g if g == 1.0 else g * (1.0 + 1e-7),))
    noisy = Op("noisy", lambda z: 1e-8 * noise(z), 0.0)
    report = check_grads(lambda x: 2.0 * lopsided(x) + noisy(x), (1.5,), order=1)
    assert [(row.mode, row.verdict) for row in report.rows] == [("rev", "inconclusive"), ("fwd", "inconclusive")]
    assert report.rows[0].hint == "rev and fwd differ by more than rtol, though f's values allow both"


def test_the_size_of_terms_grows_with_what_cancels_and_not_with_what_is_prepared() -> None:
    x = Value(3.0)
    small = size_of_terms(x * 2.0 - x * 2.0, [x], (1.0,))
    assert size_of_terms(x * 2e6 - x * 2e6, [x], (1.0,)) == pytest.approx(1e6 * small)
    t = Value(1e-6)
    assert size_of_terms((1 - al.cos(t)) / t**2, [t], (1.0,)) < 1e7  # not 1e18, by which rounding in cos moves it
    assert size_of_terms(2.0, [x], (1.0,)) == 0.0
    assert size_of_terms(x, [x], (1.0,), (1.0,)) == 0.0
    assert size_of_terms(al.sin(x) + x, [x]) == math.sin(3.0) + (math.sin(3.0) + 3.0)  # sin's step and the sum's


def test_rules_that_take_floats_only_get_no_allowance() -> None:
    plain = Op("plain", math.sin, lambda x, out: math.cos(x))
    x = Value(0.5)
    assert size_of_terms(plain(x) * 2.0, [x], (1.0,)) == 0.0
    assert check_grads(plain, (0.5,), order=1).ok
    wrong = Op("wrong", math.sin, lambda x, out: -math.cos(x))
    assert verdicts(check_grads(wrong, (0.5,), order=1)) == ["fail"]


def test_known_noise_makes_jumps_of_a_unit_in_the_last_place_no_jumps() -> None:
    def ragged(x: float) -> float:
        return 1e-16 if x > 1.0 else 0.0

    assert numerical_derivative(ragged, 1.0).kind == "jump"
    found = numerical_derivative(ragged, 1.0, noise=1e-15)
    assert found.kind == "smooth"
    assert abs(found.value) <= found.error
    assert numerical_derivative(step, 0.0, noise=1e-15).kind == "jump"


# -- functions of structures ------------------------------------------------------------------------------------------


def test_containers_in_and_out() -> None:
    def f(w: Any, x: Any) -> Any:
        return {"sum": w["a"][0] * x + w["b"], "wave": al.sin(x)}

    report = check_grads(f, ({"a": [2.0, 1], "b": 0.5}, Value(0.3)))
    assert report.ok
    assert [row.input for row in report.rows[:4]] == ["w['a'][0]", "w['a'][1]", "w['b']", "x"]
    assert {row.output for row in report.rows} == {"f['sum']", "f['wave']"}
    assert len(report.rows) == 2 * (4 + 16)


def test_methods_constants_and_neural_networks() -> None:
    assert check_grads(lambda x: x.exp().tanh(), (0.3,)).ok
    assert check_grads(lambda x: 3.0, (0.3,)).ok
    assert check_grads(lambda x: al.grad(lambda y: y**3 * x)(x), (0.7,)).ok
    assert check_grads(lambda x: x.sqrt(), (0.0,), order=1).rows[0].engine == inf


def test_second_order_at_a_kink_is_weak() -> None:
    assert verdicts(check_grads(abs, (0.0,))) == ["pass", "weak"]
    assert verdicts(check_grads(al.relu, (0.0,))) == ["pass", "weak"]
    assert verdicts(check_grads(al.sqrt, (0.0,))) == ["pass", "pass"]
    assert verdicts(check_grads(lambda x: x ** al.floor(2.0 * x), (1e17,), order=1)) == ["inconclusive"]


def test_many_inputs_go_along_directions() -> None:
    xs = [0.1 * i - 1.0 for i in range(25)]

    def f(v: Any) -> Any:
        return al.logsumexp([x * x for x in v])

    report = check_grads(f, (xs,))
    assert report.ok
    assert {row.input.split()[0] for row in report.rows} == {"direction", "(direction"}
    bad = cube(lambda d: -d)
    wrong = check_grads(lambda v: f(v) + bad(v[3]), (xs,), order=1)
    assert [row.input for row in wrong.rows if row.verdict == "fail"][-1] == "v[3]"
    assert "first wrong op: cube" in wrong.blame


# -- blame without a wrong op -----------------------------------------------------------------------------------------


def test_a_part_outside_the_graph_is_suspected() -> None:
    assert "outside the graph" in check_grads(lambda x: x * x.data, (0.7,)).blame
    assert "passes no gradient: stop_gradient at test_gradcheck.py:" in check_grads(
        lambda x: x * al.stop_gradient(x), (0.7,), order=1
    ).blame  # fmt: skip


def test_a_nan_gradient_of_a_finite_function_fails() -> None:
    report = check_grads(lambda x: al.sqrt(x) ** 2.0, (0.0,), order=1)
    assert verdicts(report) == ["fail"]
    assert report.rows[0].engine != report.rows[0].engine
    assert "no wrong op" in report.blame
    assert "first nan: log(" in check_grads(lambda x: al.where(x > 0, x, al.log(-x)) - x.data + x * 3.0, (0.5,), order=1).blame


# -- high precision ---------------------------------------------------------------------------------------------------


def test_replay_settles_and_certifies() -> None:
    def tiny(x: Any) -> Any:
        return al.tanh(x)

    assert verdicts(check_grads(tiny, (20.0,), order=1)) == ["weak"]
    report = check_grads(tiny, (20.0,), reference="mpmath")
    assert [(row.verdict, row.hint) for row in report.rows] == [("pass", "certified")] * 2
    bad = cube(lambda d: d * (1.0 + 1e-11))
    assert check_grads(bad, (0.5,), order=1).ok
    assert verdicts(check_grads(bad, (0.5,), order=1, reference={"cube": lambda x: x**3})) == ["fail"]


def test_replay_freezes_branches() -> None:
    def f(x: Any, y: Any) -> Any:
        kinky = al.relu(x - y) + al.clamp(x, 0.0, 1.0) * al.maximum(x, y) + abs(y) + x % 0.3 + al.leaky_relu(-x) + al.elu(-y)
        return kinky + al.where(x > y, x * x, y) + al.floor(y) * x + al.copysign(x, -1.0) + al.minimum(x, 2.0)

    report = check_grads(f, (0.7, 0.2), reference="mpmath")
    assert report.ok
    assert {row.hint for row in report.rows} == {"certified"}


def test_replay_tells_rounding_from_faults() -> None:
    report = check_grads(lambda x: (1 - al.cos(x)) / x**2, (1e-6,), order=1, reference="mpmath")
    assert report.rows[0].verdict == "weak"
    assert "every op is right, but rounding in f spoils the result" in report.rows[0].hint
    assert abs(report.rows[0].numeric + 1e-6 / 12) < 1e-18


def test_replay_says_what_it_cannot_do() -> None:
    report = check_grads(cube(lambda d: d), (0.5,), order=1, reference="mpmath")
    assert report.rows[0].verdict == "pass"
    assert 'op cube has no high-precision form: give one with reference={"cube": ' in report.rows[0].hint
    assert "not certified: op log is not finite" in check_grads(al.log, (-1.0,), order=1, reference="mpmath").rows[0].hint
    assert "plain number" in check_grads(lambda x: 3.0, (1.0,), order=1, reference="mpmath").rows[0].hint


def test_every_row_of_the_table_has_a_high_precision_form() -> None:
    from mpmath import mp

    from autograd_lite.gradcheck.replay import high_precision_forms
    from tests.ops import reference

    forms = high_precision_forms(mp)
    assert set(forms) == set(TABLE)
    draw = random.Random(0)
    for name, op in TABLE.items():
        made = 0
        while made < 3:
            domains = reference.intervals(op)
            at = [draw.uniform(max(d.low, -3.0), min(d.high, 3.0)) if d.low <= 1.0 else 1.0 + draw.random() for d in domains]
            for i, choices in reference.SELECTORS.get(name, {}).items():
                at[i] = draw.choice(choices)
            if reference.usable(op, at):
                made += 1
                out = op.forward(*at)
                with mp.workdps(40):
                    got = float(forms[name](at, out, *map(mp.mpf, at)))
                assert math.isclose(got, out, rel_tol=1e-12, abs_tol=1e-14), (name, at)


# -- reports ----------------------------------------------------------------------------------------------------------


def test_the_text_of_a_report() -> None:
    text = str(check_grads(lambda x, y: abs(x) + cube(lambda d: -d)(y), (0.0, 2.0), order=1))
    assert text.splitlines()[:3] == [
        "f: 1 pass, 1 fail",
        "derivative  mode      engine  numeric     kind    left  right  rel. error  verdict  hint",
        "d f/x       rev, fwd  0       none        kink    -1    1      0.0e+00     pass",
    ]
    assert re.fullmatch(
        r"d f/y +rev, fwd  -12 +12 ± \de-1\d +smooth  12 +12 +2.0e\+00 +fail +ratio -1: the sign is wrong", text.splitlines()[3]
    )
    assert text.splitlines()[4].startswith("first wrong op: cube(2) at test_gradcheck.py:")


def test_long_reports_show_the_worst_first() -> None:
    report = check_grads(lambda v: al.sum([abs(x) * x for x in v]) + v[4].data, ([1.0, 2.0, 3.0, 0.5, 0.7, 1.1],))
    lines = str(report).splitlines()
    assert "fail" in lines[2]
    assert "... and 2 more, none of them worse" in lines
    assert repr(report).startswith("<Report f: ")


def test_raise_if_failed() -> None:
    good = check_grads(al.sin, (0.3,))
    assert good.raise_if_failed() is good
    assert good.counts() == {"pass": 2, "weak": 0, "inconclusive": 0, "fail": 0}
    with pytest.raises(GradientCheckError, match="sign is wrong"):
        check_derivative(math.sin, lambda x: -math.cos(x), 1.0).raise_if_failed()


def test_what_cannot_be_told_is_a_failure_only_where_strict() -> None:
    report = check_grads(al.exp, (1000.0,), order=1)
    assert (report.ok, report.failed, verdicts(report)) == (False, False, ["inconclusive"])
    assert report.raise_if_failed() is report
    with pytest.raises(AssertionError, match="say nothing"):
        report.raise_if_failed(strict=True)
    good = check_grads(al.exp, (1.0,))
    assert good.raise_if_failed(strict=True) is good


IN_THE_LIMIT: dict[str, tuple[Callable[..., Any], tuple[float, ...], tuple[float, ...]]] = {
    # infinite points and poles, and the slopes that other values of the function show
    "atan": (al.atan, (inf,), (0.0, 0.0)),
    "tanh": (al.tanh, (-inf,), (0.0, 0.0)),
    "abs": (abs, (-inf,), (-1.0, 0.0)),
    "square": (al.square, (inf,), (inf, 2.0)),
    "log": (al.log, (0.0,), (inf, -inf)),
    "lgamma": (al.lgamma, (-2.0,), (nan, inf)),
    "hypot": (al.hypot, (inf, 1.0), (1.0, 0.0, 0.0, 0.0, 0.0, 0.0)),
    "add": (al.add, (1.0, -inf), (1.0, 1.0, 0.0, 0.0, 0.0, 0.0)),
    "pow of nan": (lambda x: x**0, (nan,), (0.0, 0.0)),
}


@pytest.mark.parametrize("name", IN_THE_LIMIT)
def test_points_without_neighbours_are_judged_by_what_slopes_tend_to(name: str) -> None:
    f, at, slopes = IN_THE_LIMIT[name]
    report = check_grads(f, at)
    assert [str(row.engine + 0.0) for row in report.rows] == [str(s) for s in slopes]
    assert set(verdicts(report)) == {"pass"}


@pytest.mark.parametrize("wrong", [1.0, -1.0, 0.5, nan, inf])
@pytest.mark.parametrize(("f", "at"), [(math.atan, inf), (math.tanh, inf), (math.exp, -inf)])
def test_a_wrong_derivative_does_not_pass_in_the_limit(f: Callable[[float], float], at: float, wrong: float) -> None:
    bad = Op("bad", f, lambda x, out: al.where(al.eq(x, at), wrong, 1.0))
    assert verdicts(check_grads(bad, (at,), order=1)) == ["inconclusive"]


@pytest.mark.parametrize("wrong", [0.0, 0.5, inf, nan])
def test_slopes_that_stand_are_no_limit_of_0_or_infinity(wrong: float) -> None:
    bad = Op("bad", math.fabs, lambda x, out: al.where(al.eq(x, inf), wrong, 1.0))
    assert verdicts(check_grads(bad, (inf,), order=1)) == ["inconclusive"]


@pytest.mark.parametrize("wrong", [1.0, 0.0, -inf, nan])
def test_a_wrong_derivative_does_not_pass_at_a_pole(wrong: float) -> None:
    bad = Op("bad", al.log.forward, lambda x, out: al.where(al.eq(x, 0.0), wrong, 1.0))
    assert verdicts(check_grads(bad, (0.0,), order=1)) == ["inconclusive"]


def test_what_floats_beside_the_point_cannot_show_fails_nobody() -> None:
    for f, at in (
        (lambda x: al.remainder(x, 0.5), 1e308), (lambda x: al.mod(x, 3.0), 1e300), (lambda y: al.xlogy(5e-324, y), 1e-8),
        (lambda y: (-1e308) ** y, -1e308), (lambda x: x % 0.25, 2.0**60),
    ):  # fmt: skip
        assert not check_grads(f, (at,)).failed
    assert not check_grads(lambda x: TABLE["muldiv"](5e-324, 5e-324, x), (5e-324,)).failed
    stuck = Op("stuck", lambda x: 0.0, 1.0)
    assert check_grads(stuck, (1e-8,), order=1).failed
    assert check_grads(stuck, (0.0,), order=1).failed


def test_check_derivative_of_foreign_code() -> None:
    assert verdicts(check_derivative(math.log, lambda x: 1 / x, [1e-3, 1.0, 50.0])) == ["pass"] * 3
    assert verdicts(check_derivative(math.log, lambda x: 1 / x, 2.0, fast=True)) == ["pass"]
    wrong = check_derivative(math.lgamma, math.log, [0.5, 3.0])
    assert verdicts(wrong) == ["fail", "fail"]
    assert wrong.rows[0].output == "lgamma"


# -- messages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: check_grads(3.0, (1.0,)), InputTypeError, "f=3.0 is not callable"),
        (lambda: check_grads(al.sin, 1.0), InputTypeError, r"args=1.0 must be the tuple .* check_grads\(f, \(x,\)\)"),
        (lambda: check_grads(al.sin, [1.0]), InputTypeError, "must be the tuple"),
        (lambda: check_grads(al.sin, (1.0,), order=3), InputValueError, "order=3 must be 1 or 2"),
        (lambda: check_grads(al.sin, (1.0,), modes="rev"), InputValueError, "modes='rev' must hold"),
        (lambda: check_grads(al.sin, (1.0,), modes=("back",)), InputValueError, "must hold"),
        (lambda: check_grads(al.sin, (1.0,), rtol=0.0), InputValueError, "rtol=0.0 must lie between 0 and 0.1"),
        (lambda: check_grads(al.sin, (1.0,), reference="sympy"), InputValueError, "reference='sympy' is not known"),
        (lambda: check_grads(al.sin, (1.0,), reference=3), InputTypeError, "reference=3 must be None"),
        (lambda: check_grads(al.sin, ([],)), InputValueError, "hold no numbers"),
        (lambda: check_grads(lambda x: None, (1.0,)), InputTypeError, "returned no scalar"),
        (lambda: check_grads(al.sin, ("a",)), InputTypeError, "'a'"),
        (lambda: check_derivative(1.0, math.cos, 1.0), InputTypeError, "f=1.0 is not callable"),
        (lambda: check_derivative(math.sin, 1.0, 1.0), InputTypeError, "df=1.0 is not callable"),
        (lambda: numerical_derivative(math.sin, 1.0, noise=-1.0), InputValueError, "noise=-1.0 must be a finite number >= 0"),
        (lambda: numerical_derivative(math.sin, 1.0, noise=nan), InputValueError, "noise=nan must be a finite number >= 0"),
        (lambda: check_derivative(math.sin, math.cos, []), InputValueError, r"x=\[\] holds no numbers"),
        (lambda: check_derivative(math.sin, lambda x: None, 1.0), InputTypeError, "result of df=None"),
        (
            lambda: check_derivative(math.hypot, lambda x, y: (1.0,), (3.0, 4.0)),
            InputTypeError,
            "holds 1 numbers for 2 arguments",
        ),
        (
            lambda: check_grads(lambda x: x * random.random(), (0.5,)),
            InputValueError,
            r"no function: two calls at x=0.5 gave 0\.\d+ and 0\.\d+: hold random numbers",
        ),
        (
            lambda: check_grads(Op("mylog", math.log, lambda x, out: al.div(1.0, x)), (-0.5,)),
            InputValueError,
            r"mylog cannot be computed at x=-0.5 .* an op of yours says where it is defined with Op\(..., domain=",
        ),
        (
            lambda: check_grads(Op("e", math.exp, lambda x, out: math.exp(x)), (0.5,)),
            InputTypeError,
            "second derivatives run it on Values: write autograd_lite.exp for math.exp",
        ),
    ],
)
def test_messages(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_missing_mpmath_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "mpmath":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingPackageError, match=r'pip install "autograd-lite\[test\]"'):
        check_grads(al.sin, (1.0,), reference="mpmath")


def test_other_exceptions_pass_through() -> None:
    def broken(x: Any) -> Any:
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        check_grads(broken, (1.0,))
    with pytest.raises(RuntimeError, match="mine"):
        numerical_derivative(broken, 1.0)


# -- what a checker must not say of a right rule ----------------------------------------------------------------------


LAST = 1 - 2.0**-53
RIGHT: dict[str, tuple[Callable[..., Any], tuple[float, ...]]] = {
    "end of the domain within the finest step": (al.asin, (LAST,)),
    "and of acosh": (al.acosh, (1 + 2.0**-52,)),
    "and of log1p": (al.log1p, (-LAST,)),
    "a pole within it": (al.digamma, (-3 + 2.0**-51,)),
    "a pole on which central differences cancel": (al.lgamma, (-3 + 2.0**-51,)),
    "jumps closer than floats": (al.floor, (1e308,)),
    "jumps at steps": (lambda y: 2.0 // y, (1e-8,)),
    "periods shorter than floats": (lambda x: x % 1e-15, (24.821946880864076,)),
    "periods of many floats": (lambda x: al.sin(1e15 * x), (1.0,)),
    "sin between floats": (al.sin, (1e308,)),
    "flat at a distance": (lambda y: al.hypot(1e-15, y, 0.0), (1e-8,)),
    "steps of an inner rounding": (Op("logistic", lambda x: 1 / (1 + math.exp(-x)), lambda x, out: out * (1 - out)), (33.6,)),
    "underflow": (lambda x, y: x * y, (5e-324, 5e-324)),
    "terms that swallow the input": (lambda x: al.sum([x, -1e308, 1e308]), (5e-324,)),
    "steps that are 0": (al.log, (5e-324,)),
    "a kink that values hide": (lambda x: al.clamp(x, 0.0, 0.0), (0.0,)),
    "odd about a feature finer than steps": (lambda x: x / al.hypot(x, 3e-30), (0.0,)),
    "a kink among underflow": (lambda y: 5e-324 % y, (5e-324,)),
    "a partial past the largest float": (lambda y: 2.0 % y, (5e-324,)),
    "a value of nan": (lambda x: x - inf, (inf,)),
    "a bell narrower than steps": (TABLE["gaussian"], (0.0, 1e308)),
    "a place of no influence": (TABLE["share"], (0.0, -inf)),
    "steps of a few floats": (al.floor, (2.0**48 + 0.5,)),
    "and of a quotient": (al.floordiv, (2.0**48 + 0.5, 1.0)),
    "and of a remainder": (al.fmod, (0.6692837264035157, -(2.0**-52))),
    "and of a rounding": (al.round_, (2.0**49 + 0.25,)),
    "periods of a few floats": (al.tan, (3e14,)),
    "a pole next to the smallest float": (TABLE["muldiv"], (-1e308, -5e-324, -5e-324)),
    "whole exponents in a derivative": (lambda y: TABLE["pow_derivative"](-1.0, y, 2.0, 0.0), (-0.0,)),
    "a slope past the largest float": (al.gamma, (1e-160,)),
    "steps of many floats below noise": (lambda x: al.round_(x, 2) * x, (1e8,)),
    "a product among the smallest floats": (al.prod.apply, (1.0, -5e-324, 1e308)),
    "constants among them": (lambda x: x * 5e-324 * 1e308, (1.0,)),
    "underflow before an infinite slope": (lambda x: al.log(x * 5e-324), (1.0,)),
    "a forward that is complex beside it": (Op("powered", lambda x: x**x, lambda x, out: out * (al.log(x) + 1.0)), (0.1,)),
    "a rise that rounding swallows": (al.pow, (2.0**-52, 2.0**-52)),
}


@pytest.mark.parametrize("name", RIGHT)
def test_no_right_rule_fails(name: str) -> None:
    f, at = RIGHT[name]
    report = check_grads(f, at)
    assert report.counts()["fail"] == 0, str(report)


@pytest.mark.parametrize(
    ("f", "x", "wrong"),
    [
        (math.asin, LAST, -1e8), (math.asin, LAST, 10.0), (math.sqrt, 0.0, 1e3), (math.cbrt, 0.0, 0.0),
        (math.sin, 1.0, 1e20), (math.tanh, 0.0, 1e30), (lambda x: math.sin(1e10 * x), 1.0, -1e10 * math.cos(1e10)),
        (lambda x: max(x, 0.0), -1.0, 1.0), (lambda x: max(x, 0.0), -1.0, 1e-3),
        (math.floor, 0.5, 1.0), (math.floor, 3.3, 1.0), (round, -0.2, -1.0), (lambda x: x // 2.0, 1.0, 0.5),
    ],
)  # fmt: skip
def test_and_wrong_ones_beside_them_do(f: Callable[[float], float], x: float, wrong: float) -> None:
    assert judge(wrong, numerical_derivative(f, x), 1e-8).verdict == "fail"


@pytest.mark.parametrize(
    ("op", "at", "off"),
    [
        (al.floor, 0.5, 1.0), (al.tan, 30.0, 1.0), (al.exp, 2.0**-30, 1.0), (al.acos, 5e-324, 1.0), (al.erfc, -5e-324, 1.0),
        (al.sigmoid, 2e-16, -0.5), (al.cosh, 1e-8, 1e-9), (TABLE["co_square"], -1e-8, 1e-9), (TABLE["sech2"], 1e-8, 4e-8),
    ],
)  # fmt: skip
def test_wrong_rules_fail_where_values_show_the_derivative(op: Op, at: float, off: float) -> None:
    """Beside the places of `RIGHT`, where they do not."""
    wrong = Op("wrong", op.forward, lambda x, out: op.partial(0, (x,), out) + off)
    assert check_grads(wrong, (at,)).failed


@pytest.mark.parametrize(("slope", "verdict"), [(0.5, "inconclusive"), (0.125, "inconclusive"), (-0.5, "fail")])
def test_a_fail_is_heard_again_at_other_steps(slope: float, verdict: str) -> None:
    """At 1e308 values are 2e292 apart: these steps show a jump from slope 1 to 0, others a kink, and none a slope below 0."""
    op = Op("tie", lambda x: al.log_softmax([x, 1e308], 0), slope)
    (row,) = check_grads(op, (1e308,), order=1).rows
    assert row.verdict == verdict
    assert row.hint.startswith("agrees at some steps only" if verdict == "inconclusive" else "f jumps here")


def test_error_bars_cover_what_finer_steps_say() -> None:
    found = numerical_derivative(lambda y: y / math.hypot(1e-15, y), 1e-8)
    assert abs(found.value - 1e-6) <= 2.0 * found.error  # (1e-15)² / (1e-8)³
    flat = numerical_derivative(lambda x: round(x * 40.0) / 40.0, 1.0)  # flat for 1/80 to both sides, then 1/40 up
    assert abs(flat.value - 1.0) <= 2.0 * flat.error
    assert numerical_derivative(lambda x: max(x, 0.0), -1.0).error < 1e-12  # a bend ends this flat part, no jump
    assert numerical_derivative(math.floor, 0.5).error < 1e-12  # and a broad one is no rounding
    assert math.isinf(numerical_derivative(al.lgamma, -3 + 2.0**-51).error)


def test_infinite_is_not_near_finite_in_any_order_of_modes() -> None:
    """Infinite in reverse only, which is asked about 2, and forward about 1."""
    op = Op("square", lambda x: x * x, 1.0, products=(lambda g, x, out: inf if g == 2.0 else g * 2.0 * x,))
    for modes in (("rev", "fwd"), ("fwd", "rev")):
        report = check_grads(lambda x: 2.0 * op(x), (1.5,), order=1, modes=modes)
        assert {row.mode: (row.engine, row.verdict) for row in report.rows} == {"rev": (inf, "fail"), "fwd": (6.0, "pass")}


def test_swapped_partials_are_called_so() -> None:
    bad = Op("bad", lambda x, y: x * y * y, (lambda x, y, out: 2.0 * x * y, lambda x, y, out: y * y))
    for f in (bad, lambda x, y: 3.0 * bad(x, y)):
        report = check_grads(f, (0.5, 2.0), order=1)
        assert [row.hint for row in report.rows] == ["partials of arguments 1 and 2 look swapped"] * 2
        assert report.blame.endswith("the partials of arguments 1 and 2 look swapped")
    zero = Op("zero", lambda x, y: x * y, (lambda x, y, out: x, lambda x, y, out: y))
    assert "swapped" in check_grads(zero, (0.0, 2.0), order=1).rows[0].hint


def test_an_asymmetry_is_said_once() -> None:
    product = Op("product", lambda x, y: x * y, (lambda x, y, out: y, lambda x, y, out: al.stop_gradient(x)))
    assert [row.mode for row in check_grads(product, (2.0, 3.0)).rows].count("symmetry") == 1


def test_arguments_have_the_names_of_the_rule() -> None:
    bad = Op("bad", lambda a, b: a * b, (lambda price, amount, out: amount, lambda price, amount, out: price))
    assert [row.input for row in check_grads(bad, (2.0, 3.0), order=1).rows] == ["price", "amount"]


def test_gradients_of_several_arguments_written_by_hand() -> None:
    right = lambda x, y: (y * x ** (y - 1.0), math.log(x) * x**y)  # noqa: E731
    report = check_derivative(pow, right, [(2.0, 3.0), (1.5, -1.0)])
    assert verdicts(report) == ["pass"] * 4
    wrong = check_derivative(lambda x, y: x**y, lambda x, y: right(x, y)[::-1], (2.0, 3.0))
    assert [row.input for row in wrong.rows] == ["x at (2, 3)", "y at (2, 3)"]
    assert wrong.rows[0].hint == "partials of arguments 1 and 2 look swapped"
