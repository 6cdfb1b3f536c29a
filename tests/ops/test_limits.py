"""What rows say at the ends of their domains and at their kinks, as the rules themselves give it: no route in between.

The mutation script (tests/benchmarks/mutation.py) found that no other test held these.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial
from math import inf, nan
from typing import Any

import pytest

import autograd_lite
from autograd_lite import Value, grad, hessian, jacobian, jit, jvp, stop_gradient, vjp
from autograd_lite.ops import TABLE, Op
from tests import same as numbers

same = partial(numbers.same, rel=4e-16)

PINS = [(op, pin) for op in TABLE.values() for pin in op.pins]


@pytest.mark.parametrize(("op", "pin"), PINS, ids=[f"{op.name}{pin.at}" for op, pin in PINS])
def test_pins_hold_for_the_rules_alone(op: Op, pin: Any) -> None:
    """Also for an operand that is not taken, whose partial no sweep asks for."""
    found = [op.partial(i, pin.at, pin.value) for i in range(len(pin.at))]
    assert all(map(same, found, pin.partials)), found


LIMITS: list[tuple[str, tuple[float, ...], float, tuple[float, ...]]] = [
    ("muldiv", (1.0, 2.0, 0.0), inf, (inf, inf, -inf)),
    ("muldiv", (1e-200, 1e-200, 1e-200), 1e-200, (1.0, 1.0, -1.0)),
    ("muldiv", (1e200, 1e200, 1e200), 1e200, (1.0, 1.0, -1.0)),
    ("muldiv", (1e-160, 1e160, 1e160), 1e-160, (1.0, 1e-320, -1e-320)),
    ("pow", (5e-324, 5e-324), 1.0, (1.0, math.log(5e-324))),
    ("pow", (-0.0, inf), 0.0, (0.0, 0.0)),
    ("unit", (-5e-324, 0.0), -1.0, (0.0, 0.0)),
    ("gaussian", (1e308, 1e308), 0.0, (0.0, 0.0)),
    ("floordiv", (0.0, 0.0), nan, (nan, nan)),
    ("floordiv", (nan, 2.0), nan, (nan, nan)),
    ("floordiv", (2.0, nan), nan, (nan, nan)),
    ("tan", (math.pi / 2,), math.tan(math.pi / 2), (math.tan(math.pi / 2) ** 2,)),  # the double beside the pole
    ("clamp", (2e-7, 0.0, 0.0), 0.0, (0.0, 0.0, 1.0)),  # just above bounds that are equal
    ("elu", (0.0, 2.0), 0.0, (2.0, 0.0)),  # the slope of the left side, as leaky_relu has it
    ("elu", (0.0, 0.5), 0.0, (0.5, 0.0)),
    ("leaky_relu", (0.0, 3.0), 0.0, (3.0, 0.0)),
    ("pow_derivative", (0.0, 1.0, 0.0, 0.0), 0.0, (1.0, 0.0, nan, nan)),
    ("pow_derivative", (0.0, 0.5, 0.0, 0.0), 0.0, (inf, 0.0, nan, nan)),
    ("pow_derivative", (0.0, 2.0, 2.0, 0.0), 2.0, (0.0, -inf, nan, nan)),
    ("pow_derivative", (-1.0, 3.0, 1.0, 0.0), 3.0, (-6.0, nan, nan, nan)),
    ("polygamma", (1.0, 0.0), inf, (nan, -inf)),
    ("polygamma", (1.0, -1.0), inf, (nan, nan)),  # its slope is inf on the left and -inf on the right
    ("polygamma", (2.0, 0.0), -inf, (nan, inf)),
    ("round", (1.7e308, -308.0), inf, (0.0, 0.0)),  # to 2e308, where Python's round raises
    ("round", (-1.7e308, -308.0), -inf, (0.0, 0.0)),
    ("round", (1.4e308, -308.0), 1e308, (0.0, 0.0)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "at", "value", "partials"), LIMITS, ids=[f"{r[0]}{r[1]}" for r in LIMITS])
def test_limits(name: str, at: tuple[float, ...], value: float, partials: tuple[float, ...]) -> None:
    op = TABLE[name]
    out = op.forward(*at)
    assert same(out, value)
    assert all(same(op.partial(i, at, out), wanted) for i, wanted in enumerate(partials))
    for i, wanted in enumerate(partials):
        product = op.product(i, 2.0, at, out)
        assert same(0.0 if product is None else product, 2.0 * wanted), i  # None: nothing flows


@pytest.mark.parametrize("name", [op.name for op in TABLE.values() if op.settings and op.name != "round"])
def test_what_selects_a_function_has_no_derivative_rather_than_0(name: str) -> None:
    op = TABLE[name]
    at = op.example
    for i in range(len(at)):
        assert math.isnan(op.partial(i, at, op.forward(*at))) == (i in op.settings)


@pytest.mark.parametrize("x", [0.3, -7.0, 1e300, 5e-324, inf])
def test_stop_gradient_keeps_the_value(x: float) -> None:
    assert stop_gradient(x) == stop_gradient(Value(x)).data == x


def test_derivatives_over_the_whole_range() -> None:
    """Right values by mpmath with 60 digits."""
    assert grad(autograd_lite.atan)(1e155) == pytest.approx(1e-310, rel=1e-12)
    assert grad(autograd_lite.atan)(1e300) == 0.0
    (xx, xy), (yx, yy) = hessian(autograd_lite.hypot, (0, 1))(-1.58e-110, 3.9e-280)
    assert xx == pytest.approx(3.8561858189717246e-230, rel=1e-14)
    assert (xy, yy) == (pytest.approx(1.5622496394808526e-60, rel=1e-14), pytest.approx(6.329113924050633e109, rel=1e-14))
    assert yx == xy
    assert hessian(autograd_lite.atan2, (0, 1))(0.0, 1e-160) == ((0.0, -inf), (-inf, 0.0))
    assert hessian(autograd_lite.atan2, (0, 1))(3e-100, 4e-100)[0][0] == pytest.approx(-3.84e198, rel=1e-14)
    assert grad(grad(lambda x: x**1e200))(0.5) == 0.0
    assert grad(grad(lambda x: x**1e200))(1.0) == inf
    assert jit(grad(grad(lambda x: x**1e200)))(0.5) == 0.0
    assert jit(grad(grad(lambda x, y: x**y)))(0.5, 1e200) == 0.0
    assert grad(grad(autograd_lite.acosh))(1.0) == -inf
    assert grad(grad(autograd_lite.logit))(1e-200) == -inf
    third = grad(grad(grad(autograd_lite.atan2, 0), 1), 1)
    assert third(1e20, -1e-155) == pytest.approx(6e-235, rel=1e-14)  # 2x (x² - 3y²) / h⁶ of x = -1e-155


OVER = {
    "x log y": (autograd_lite.xlogy, lambda x, y: x / y, [(3.3e-100, 1.7e-310), (6.1e-310, 3.5e-323)]),
    "x log 1+y": (autograd_lite.xlog1py, lambda x, y: x / (1 + y), [(1e300, 1e-200), (1e-310, -0.5)]),
    "c x log y": (lambda x, y: 1e-300 * autograd_lite.xlogy(x, y), lambda x, y: Fraction(1e-300) * x / y, [(1.0, 1e-310)]),
    "C x log y": (lambda x, y: 1e250 * autograd_lite.xlogy(x, y), lambda x, y: Fraction(1e250) * x / y, [(1e-200, 1e100)]),
    "c log y": (lambda x, y: 1e-300 * autograd_lite.log(y) * x, lambda x, y: Fraction(1e-300) * x / y, [(1.0, 1e-310)]),
    "c x / y": (lambda x, y: 1e-200 * (x / y), lambda x, y: -Fraction(1e-200) * x / y**2, [(1e-120, 1e-110), (1e-310, 3e-209)]),
}


@pytest.mark.parametrize("name", OVER)
def test_slopes_whose_quotients_leave_the_range(name: str) -> None:
    f, slope, points = OVER[name]
    for x, y in points:
        right = pytest.approx(float(slope(Fraction(x), Fraction(y))), rel=1e-13)
        assert grad(f, 1)(x, y) == right
        assert jacobian(f, 1)(x, y) == right
        assert jvp(f, (x, y), (0.0, 1.0))[1] == right
        assert vjp(f, x, y)[1](1.0)[1] == right
        assert jit(grad(f, 1))(x, y) == right


ON_THE_WAY = {  # tangents that leave the range and come back
    "log 1/x": (lambda x: autograd_lite.log(1.0 / x), 1e200, -1e-200),
    "some digits lost": (lambda x: autograd_lite.log(1.0 / x), 1e160, -1e-160),
    "1/(1/x)": (lambda x: 1.0 / (1.0 / x), 1e-300, 1.0),
    "and above": (lambda x: 1.0 / (1.0 / x), 1e300, 1.0),
    "1/Cx": (lambda x: 1.0 / (1e200 * x), 2.5, -1.6e-201),
    "root of 1/x": (lambda x: autograd_lite.sqrt(1.0 / x), 1e200, -0.5e-300),
    "three factors": (lambda x: x * 1e-200 * 1e-200 * 1e300, 1e200, 1e-100),
    "a sum of small and large": (lambda x: autograd_lite.log(1.0 / x) + 1e300 * x, 1e200, 1e300),
}


@pytest.mark.parametrize("name", ON_THE_WAY)
def test_tangents_beyond_the_range_on_the_way(name: str) -> None:
    f, x, slope = ON_THE_WAY[name]
    right = pytest.approx(slope, rel=1e-14)
    assert jvp(f, (x,), (1.0,))[1] == right
    assert jacobian(lambda x: [f(x), f(x)])(x) == [right, right]  # by a forward sweep


def test_a_tangent_past_the_range_hides_none_below_it() -> None:
    """2 log x + 3, though 1/x² is past the doubles and the tangents of x*x are small."""
    f = lambda x: x * x * autograd_lite.log(x)  # noqa: E731
    second = jvp(lambda x: jvp(f, (x,), (1.0,))[1], (1e-155,), (1.0,))[1]
    assert second == pytest.approx(2.0 * math.log(1e-155) + 3.0, rel=1e-13)


# slopes that are doubles where the value is none; right values by mpmath with 60 digits
LATER: dict[str, tuple[Any, float, float, float]] = {
    "exp2": (autograd_lite.exp2, 1024.0, 1.2460659279417838e308, 8.6370708474465935e307),
    "exp2 once more": (autograd_lite.exp2, 1025.04, inf, 1.7759783920135297e308),
    "a power of 2": (lambda x: 2**x, 1024.0, 1.2460659279417838e308, 8.6370708474465935e307),
    "a power of 1.01": (lambda x: 1.01**x, 71400.0, 3.4988522398196758e306, 3.4814737392554013e304),
    "log10": (autograd_lite.log10, 4e-309, 1.0857362047581296e308, -inf),
    "log by a base": (lambda x: autograd_lite.log(x, 10), 4e-309, 1.0857362047581296e308, -inf),
}


@pytest.mark.parametrize("name", LATER)
def test_slopes_reach_as_far_as_doubles(name: str) -> None:
    f, x, *right = LATER[name]
    first, second = (pytest.approx(d, rel=2e-14) for d in right)
    assert (grad(f)(x), jvp(f, (x,), (1.0,))[1], jit(grad(f))(x)) == (first, first, first)
    assert (hessian(f)(x), grad(grad(f))(x), jit(hessian(f))(x)) == (second, second, second)


@pytest.mark.parametrize("n", [2, 3, 12])
def test_a_length_has_slopes_of_0_at_the_origin_which_have_none(n: int) -> None:
    """Theirs have no limit there; a number would be silently wrong for the square of a length, whose Hessian is 2."""
    zeros = [0.0] * n
    for power in (1, 2):
        f = lambda v, power=power: autograd_lite.hypot(*v) ** power  # noqa: E731
        assert grad(f)(zeros) == jit(grad(f))(zeros) == [g.data for g in grad(f)(list(map(Value, zeros)))] == zeros
        for seconds in (hessian(f)(zeros), jit(hessian(f))(zeros)):
            assert all(math.isnan(d) for row in seconds for d in row)


@pytest.mark.parametrize("at", [(1e-160, 1e308), (0.5, 1e308), (1e-5, 1e307), (2.0, -1e308)])
def test_a_power_that_vanishes_outweighs_its_logarithms(at: tuple[float, float]) -> None:
    for second in (hessian(autograd_lite.pow, (0, 1)), jit(hessian(autograd_lite.pow, (0, 1)))):
        assert second(*at) == ((0.0, 0.0), (0.0, 0.0))


@pytest.mark.parametrize(
    ("at", "mixed", "second"),
    [
        ((1.7539858455863452e-15, -0.0015809508344500902), 633907472318773.42, 5.431011479627759625e26),
        ((1.0477478736518279e21, -0.0010221588860382935), 8.634186513250473954e-22, 8.870793737478278945e-46),
    ],
)  # by mpmath with 60 digits
def test_small_exponents_keep_their_digits(at: tuple[float, float], mixed: float, second: float) -> None:
    """The exponent less 1 would be rounded, and log x many times that."""
    for h in (hessian(autograd_lite.pow, (0, 1)), jit(hessian(autograd_lite.pow, (0, 1)))):
        assert h(*at)[0][1] == pytest.approx(mixed, rel=5e-16)
        assert h(*at)[0][0] == pytest.approx(second, rel=5e-16)


@pytest.mark.parametrize("x", [-27.0, -37.0, -12.1, -5.3, -0.7, 3.0])
def test_gelu_in_its_tail(x: float) -> None:
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(60):
        exact = mpmath.mpf(x) * mpmath.ncdf(x), mpmath.ncdf(x) + x * mpmath.npdf(x)
        for got, wanted in zip((autograd_lite.gelu(x), grad(autograd_lite.gelu)(x)), exact, strict=True):
            assert abs(got - wanted) <= 4.0 * math.ulp(float(wanted))
