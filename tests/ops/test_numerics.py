"""The floats of `autograd_lite.ops.numerics` against mpmath at 50 digits, and every convention they keep."""

import math
from collections.abc import Callable, Iterator

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mpf

from autograd_lite.ops.numerics import digamma, gamma, lgamma, polygamma, sinc, sinc_derivative

INF, NAN = math.inf, math.nan
ROOT = 1.4616321449683622  # digamma's, rounded
LIMIT = 8.0  # ulp, times the condition number
HUGE = 1.7976931348623157e308


@pytest.fixture(autouse=True)
def _digits() -> Iterator[None]:
    with mpmath.workdps(50):
        yield


def scaled_ulp(got: float, want: mpf, slope: mpf, x: float) -> float:
    """The error in units of the last place of `want`, over the condition number max(1, |x slope / want|)."""
    if abs(want) > HUGE:
        return 0.0 if got == math.copysign(INF, want) else INF
    if want == 0:
        return 0.0 if got == 0 else INF
    condition = max(mpf(1), abs(x * slope / want))
    return float(abs(mpf(got) - want) / math.ulp(float(want)) / condition)


def psi(n: int, x: float | mpf) -> mpf:
    """mpmath.psi, by reflection (DLMF 5.15.6) at a large negative x, where mpmath would take a step per unit."""
    x = mpf(x)
    if x > -30:
        return mpmath.psi(n, x)
    with mpmath.workdps(120):
        cot, row = mpmath.cot(mpmath.pi * x), [0, 1]
        for _ in range(n):  # d/dx P(cot x) = -(1 + cot^2) P'(cot x)
            derivative = [k * c for k, c in enumerate(row)][1:]
            row = [a + b for a, b in zip([*derivative, 0, 0], [0, 0, *derivative], strict=True)]
        wave = mpmath.pi ** (n + 1) * mpmath.fsum(c * cot**k for k, c in enumerate(row))
        return (-1) ** n * (mpmath.psi(n, 1 - x) - wave)


def sinc_series(n: int, x: float) -> mpf:
    """The n-th derivative of sin(pi x)/(pi x) from the finite formula, with digits enough to cancel near 0.

    Leibniz: the sum over k of C(n, k) (sin u)^(n-k) (-1)^k k! / u^(k+1), times pi^n.
    """
    if x == 0:
        return mpf(0) if n % 2 else mpmath.pi**n * (-1) ** (n // 2) / (n + 1)
    magnitude = abs(math.log10(abs(x)))
    with mpmath.workdps(int(60 + (n + 2) * (magnitude + 2))):
        u = mpmath.pi * mpf(x)
        wave = (mpmath.sin(u), mpmath.cos(u))
        wave += (-wave[0], -wave[1])
        terms = ((-1) ** k * math.comb(n, k) * math.factorial(k) * wave[(n - k) % 4] / u ** (k + 1) for k in range(n + 1))
        return mpmath.pi**n * mpmath.fsum(terms)


def error_digamma(x: float) -> float:
    return scaled_ulp(digamma(x), psi(0, x), psi(1, x), x)


def error_polygamma(n: int, x: float) -> float:
    return scaled_ulp(polygamma(float(n), x), psi(n, x), psi(n + 1, x), x)


def error_sinc(n: int, x: float) -> float:
    return scaled_ulp(sinc_derivative(float(n), x), sinc_series(n, x), sinc_series(n + 1, x), x)


def error_gamma(x: float) -> float:
    want = mpmath.gamma(mpf(x))
    return scaled_ulp(gamma(x), want, want * psi(0, x), x)


def error_lgamma(x: float) -> float:
    want = mpmath.loggamma(mpf(x)).real
    return scaled_ulp(lgamma(x), want, psi(0, x), x)


def off_poles(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high).filter(lambda x: x > 0 or x != math.floor(x))


LOG_RANGE = st.floats(-300, 300).map(lambda e: 10.0**e)
POINTS = st.one_of(off_poles(-10, 10), off_poles(-1e6, 1e6), LOG_RANGE)
fewer = settings(max_examples=60, deadline=None)

FIXED = [
    *(5e-324, 1e-310, 1e-300, 1e-20, 1e-8, 0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.4, ROOT, 1.5, 1.75, 2.0, 2.25, 2.5),
    *(2.75, 3.0, 3.3, 5.0, 7.5, 10.0, 11.0, 11.5, 12.0, 13.3, 25.0, 40.25, 100.0, 170.5, 1e3, 1e6, 1e15, 1e100, 1e300),
    *(-1e-310, -1e-20, -1e-8, -0.1, -0.25, -0.49999999999999994, -0.5, -0.5040830082644554, -0.75, -0.9, -1.5, -1.573),
    *(-2.457, -2.61, -2.6107208684441447, -2.7, -2.747, -3.638, -3.9999, -7.3, -20.5, -100.25, -1000.5, -1e15 - 0.5),
]


@pytest.mark.parametrize("x", FIXED)
def test_digamma_at_fixed_points(x: float) -> None:
    assert error_digamma(x) <= LIMIT


@given(POINTS)
@fewer
def test_digamma(x: float) -> None:
    assert error_digamma(x) <= LIMIT


@given(st.floats(-16, -0.4), st.sampled_from([-1, 1]))
@fewer
def test_digamma_keeps_relative_accuracy_about_its_root(exponent: float, side: int) -> None:
    x = ROOT + side * 10.0**exponent
    want = psi(0, x)
    assert abs(mpf(digamma(x)) - want) <= LIMIT * math.ulp(float(want))


@pytest.mark.parametrize(
    ("x", "want"),
    [(0.0, -INF), (-0.0, -INF), (-1.0, NAN), (-2.0, NAN), (-1e300, NAN), (INF, INF), (-INF, NAN), (NAN, NAN)],
)
def test_digamma_where_it_has_no_number(x: float, want: float) -> None:
    assert digamma(x) == pytest.approx(want, nan_ok=True)
    assert polygamma(0.0, x) == pytest.approx(want, nan_ok=True)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 12, 13, 29, 30])
def test_polygamma_at_fixed_points(n: int) -> None:
    worst = max((error_polygamma(n, x), x) for x in FIXED)
    assert worst[0] <= LIMIT, worst


@given(st.integers(1, 30), POINTS)
@fewer
def test_polygamma(n: int, x: float) -> None:
    assert error_polygamma(n, x) <= LIMIT


@given(st.integers(1, 30), st.integers(-20, -1), st.floats(-16, -1))
@fewer
def test_polygamma_about_the_flat_spots_between_poles(n: int, pole: int, exponent: float) -> None:
    assert error_polygamma(n, pole + 0.5 + 10.0**exponent) <= LIMIT


@pytest.mark.parametrize(
    ("n", "x"),
    [
        *((100, 0.9), (100, 45.0), (100, 1e3), (169, 70.0), (170, 60.5), (170, -5.25), (171, 60.5), (171, -0.6)),
        *((172, 70.0), (200, 20.0), (300, 110.0), (1000, 370.0), (1999, 735.0), (1000, 1e5), (500, 1e-3), (150, -2.5)),
    ],
)
def test_polygamma_of_a_large_order(n: int, x: float) -> None:
    assert error_polygamma(n, x) <= LIMIT


@pytest.mark.parametrize(
    ("n", "x", "want"),
    [
        *((1e6, 1.0, -INF), (1e6 + 1, 1.0, INF), (1e6, 1e6, 0.0), (1e6 + 1, -2.5, INF), (1e6, 1e300, 0.0)),
        *((1e300, 1.0, -INF), (1e300, 1e100, -INF), (1e15 + 1, 1e15, 0.0), (1.0, HUGE, 1 / HUGE)),
        *((2.0, 1e300, 0.0), (1e300, 1e308, 0.0), (1.0, 1e-200, INF)),
        *((2.0, 1e-200, -INF), (2.0, -1e-200, INF), (1e6, -0.5, -INF)),
    ],
)
def test_polygamma_answers_at_the_extremes(n: float, x: float, want: float) -> None:
    assert polygamma(n, x) == want


def test_polygamma_of_a_huge_order_is_right_where_it_is_finite() -> None:
    n, x = 10**6, 367888.0
    log = mpmath.loggamma(n + 1) - (n + 1) * mpmath.log(x)  # and the sum of (1 + k/x)^-(n+1)
    want = -mpmath.exp(log) * mpmath.fsum((1 + mpf(k) / mpf(x)) ** -(n + 1) for k in range(60))
    assert abs(want) < HUGE
    assert scaled_ulp(polygamma(float(n), x), want, want * (n + 1) / x, x) <= LIMIT


@pytest.mark.parametrize(
    ("n", "x", "want"),
    [
        *((1.0, 0.0, INF), (1.0, -0.0, INF), (3.0, -2.0, INF), (1.0, -1e300, INF), (2.0, 0.0, -INF), (2.0, -0.0, -INF)),
        *((4.0, -1.0, NAN), (2.0, -1e300, NAN), (1.0, INF, 0.0), (2.0, INF, 0.0), (1.0, -INF, NAN), (2.0, -INF, NAN)),
        *((1.0, NAN, NAN), (0.5, 1.0, NAN), (-1.0, 1.0, NAN), (NAN, 1.0, NAN), (INF, 1.0, NAN), (-INF, 1.0, NAN)),
    ],
)
def test_polygamma_where_it_has_no_number(n: float, x: float, want: float) -> None:
    assert polygamma(n, x) == pytest.approx(want, nan_ok=True)


@pytest.mark.parametrize("n", [*range(1, 7), 12, 25])
def test_sinc_derivative_at_fixed_points(n: int) -> None:
    points = [1e-300, 1e-20, 1e-8, 0.1, 0.32, 0.5, 1.0, 1.5, 2.0, 2.25, 3.0, 8.0, 9.5, 100.25, 1e6 + 0.3, 1e15]
    worst = max((error_sinc(n, x), x) for x in [*points, *(-x for x in points)])
    assert worst[0] <= LIMIT, worst


@given(st.integers(0, 6), st.one_of(st.floats(-8, 8), st.floats(-1e9, 1e9)).filter(lambda x: abs(x) > 1e-30))
@fewer
def test_sinc_and_its_derivatives(n: int, x: float) -> None:
    assert error_sinc(n, x) <= LIMIT


@given(st.integers(7, 80), st.floats(-40, 40).filter(lambda x: abs(x) > 1e-3))
@fewer
def test_sinc_derivatives_of_a_larger_order(n: int, x: float) -> None:
    assert error_sinc(n, x) <= LIMIT


@pytest.mark.parametrize("n", range(8))
def test_sinc_derivative_at_zero_and_at_infinity(n: int) -> None:
    assert sinc_derivative(float(n), 0.0) == pytest.approx(float(sinc_series(n, 0.0)), rel=1e-15)
    assert sinc_derivative(float(n), INF) == sinc_derivative(float(n), -INF) == 0.0
    assert math.isnan(sinc_derivative(float(n), NAN))


@pytest.mark.parametrize("n", [-1.0, 0.5, NAN, INF, -INF])
def test_sinc_derivative_of_an_order_that_is_none(n: float) -> None:
    assert math.isnan(sinc_derivative(n, 1.0))


def test_sinc_derivative_of_a_huge_order_overflows_with_its_sign() -> None:
    assert sinc_derivative(1000.0, 0.25) == INF  # like cos(u + n pi/2)/n
    assert sinc_derivative(1002.0, 0.25) == -INF
    assert sinc_derivative(1e6, 1e6 + 0.5) == INF
    assert sinc_derivative(1e6 + 1, 0.0) == 0.0


def test_sinc_at_integers_and_at_infinity() -> None:
    assert sinc(0.0) == sinc(-0.0) == sinc_derivative(0.0, 0.0) == 1.0
    for x in (1.0, -1.0, 2.0, -7.0, 1e15, 1e300, -HUGE, INF, -INF):
        assert sinc(x) == sinc_derivative(0.0, x) == 0.0
    assert math.isnan(sinc(NAN))
    assert sinc(5e-324) == 1.0
    assert sinc(1e15 + 0.5) == pytest.approx(1 / (math.pi * (1e15 + 0.5)), rel=1e-15)


@pytest.mark.parametrize("x", [x for x in FIXED if x > -170])
def test_gamma_and_lgamma_at_fixed_points(x: float) -> None:
    assert error_gamma(x) <= LIMIT if x < 1e6 else gamma(x) == INF
    assert error_lgamma(x) <= LIMIT


@given(off_poles(-170, 171.6))
@fewer
def test_gamma(x: float) -> None:
    assert error_gamma(x) <= LIMIT


@given(st.one_of(off_poles(-5, 5), off_poles(-1e6, 1e6), LOG_RANGE))
@fewer
def test_lgamma(x: float) -> None:
    assert error_lgamma(x) <= LIMIT


@pytest.mark.parametrize(
    ("x", "gamma_", "lgamma_"),
    [
        *((0.0, NAN, INF), (-0.0, NAN, INF), (-1.0, NAN, INF), (-1e300, NAN, INF), (INF, INF, INF), (-INF, NAN, INF)),
        *((NAN, NAN, NAN), (HUGE, INF, INF), (1e-310, INF, math.lgamma(1e-310)), (-1e-310, -INF, math.lgamma(1e-310))),
        *((1.0, 1.0, 0.0), (2.0, 1.0, 0.0), (172.0, INF, math.lgamma(172.0))),
    ],
)
def test_gamma_and_lgamma_where_they_have_no_number(x: float, gamma_: float, lgamma_: float) -> None:
    assert gamma(x) == pytest.approx(gamma_, nan_ok=True, rel=0)
    assert lgamma(x) == pytest.approx(lgamma_, nan_ok=True, rel=0)


EDGES = [0.0, 5e-324, 1e-310, 1e-160, 0.5 - 2**-54, 0.5, 1.0, 2.5, 171.7, 367879.9, 2.0**51 + 0.5, 2.0**53, HUGE, INF]


@pytest.mark.parametrize("function", [digamma, gamma, lgamma, sinc])
@pytest.mark.parametrize("x", [*EDGES, *(-x for x in EDGES), NAN])
def test_nothing_raises(function: Callable[[float], float], x: float) -> None:
    assert isinstance(function(x), float)


@pytest.mark.parametrize("function", [polygamma, sinc_derivative])
@pytest.mark.parametrize("n", [0.0, 1.0, 2.0, 30.0, 170.0, 171.0, 1241.0, 1e6, 1e6 + 1, 1e15 + 1, 1e300])
def test_nothing_raises_at_any_order(function: Callable[[float, float], float], n: float) -> None:
    for x in [*EDGES, *(-x for x in EDGES), NAN]:
        assert isinstance(function(n, x), float)
