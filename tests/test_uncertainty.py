"""`propagate`: closed forms, values of the package `uncertainties`, covariances, order 2, and what it says to wrong input."""

import math

import pytest

import autograd_lite as al
from autograd_lite import propagate
from autograd_lite.errors import InputTypeError, InputValueError, StructureError
from autograd_lite.uncertainty import percent, plus_minus


def product(p):
    return p["v"] * p["t"]


def test_a_product():
    found = propagate(product, {"v": 3.0, "t": 2.0}, {"t": 0.05, "v": 0.1})
    assert (found.value, found.mean, found.notes) == (6.0, None, ())
    assert found.stderr == pytest.approx(0.25, rel=1e-15)  # sqrt((2 * 0.1)**2 + (3 * 0.05)**2)
    assert found.shares == pytest.approx({"v": 0.64, "t": 0.36}, rel=1e-14)
    assert found.gradient == {"v": 2.0, "t": 3.0}


@pytest.mark.parametrize(
    ("f", "x", "sigma", "stderr"),
    [
        (lambda p: p[0] / p[1], [6.0, 3.0], (0.3, 0.06), 2.0 * math.hypot(0.05, 0.02)),
        (al.exp, 1.0, 0.1, math.e * 0.1),
        (lambda p: p[0] - p[1], (1.0, 1.0), [3.0, 4.0], 5.0),
        (lambda p: p["a"][0] * 2 + p["b"], {"a": [1.0], "b": 5}, {"a": [1.5], "b": 4}, 5.0),
        (lambda p: p[0] + al.sqrt(p[1]), [1.0, 0.0], [0.5, 0.0], 0.5),  # an exact input adds nothing, though its slope is inf
        (lambda x: 3 * x, 1.0, [[4.0]], 6.0),
        (lambda p: p[0] + p[1], [1.0, 1.0], [1e200, 1e200], math.sqrt(2) * 1e200),
    ],
)
def test_closed_forms(f, x, sigma, stderr):
    found = propagate(f, x, sigma)
    assert found.stderr == pytest.approx(stderr, rel=1e-15)
    assert math.fsum(row.share for row in found.inputs) == pytest.approx(1.0, rel=1e-14)


def test_values_of_the_package_uncertainties():
    found = propagate(
        lambda p: p["a"] * al.sin(p["b"]) / al.log(p["c"]) + al.sqrt(p["a"] * p["c"]),
        {"a": 2.3, "b": 0.7, "c": 4.1}, {"a": 0.12, "b": 0.05, "c": 0.31},
    )  # fmt: skip
    assert found.value == pytest.approx(UNCERTAINTIES[0], rel=1e-14)
    assert found.stderr == pytest.approx(UNCERTAINTIES[1], rel=1e-14)


def test_with_a_covariance():
    covariance = [[0.04, 0.01], [0.01, 0.09]]
    found = propagate(lambda p: p[0] * p[1], [2.0, 5.0], covariance)
    assert found.stderr == pytest.approx(math.sqrt(25 * 0.04 + 2 * 10 * 0.01 + 4 * 0.09), rel=1e-14)  # sqrt(1.56)
    assert found.shares == pytest.approx([5 * (5 * 0.04 + 2 * 0.01) / 1.56, 2 * (5 * 0.01 + 2 * 0.09) / 1.56], rel=1e-14)
    assert propagate(product, {"v": 2.0, "t": 5.0}, covariance).stderr == found.stderr
    same = propagate(lambda p: p[0] - p[1], [2.0, 2.0], [[0.04, 0.04], [0.04, 0.04]])
    assert (same.stderr, same.shares) == (0.0, [0.0, 0.0])  # one error in both cancels
    assert "cancel to the digits of the covariance" in str(same)
    near = propagate(lambda p: p[0] - p[1], [2.0, 2.0], [[1.0, 1 - 2.0**-40], [1 - 2.0**-40, 1.0]])
    assert near.stderr == pytest.approx(2.0**-19.5, rel=1e-3)  # of a correlation close to 1 nothing is dropped
    half = propagate(lambda p: p[0] - p[1] / 2, [2.0, 2.0], [[0.04, 0.04], [0.04, 0.04]])
    assert half.stderr == pytest.approx(0.1, rel=1e-14)
    assert half.shares == pytest.approx([2.0, -1.0], rel=1e-14)


def test_arrays():
    np = pytest.importorskip("numpy")
    found = propagate(lambda p: p[0] * p[1], np.array([3.0, 2.0]), [0.1, 0.05])
    assert found.stderr == pytest.approx(0.25, rel=1e-15)
    assert found.shares.tolist() == pytest.approx([0.64, 0.36], rel=1e-14)
    assert propagate(lambda p: p[0] * p[1], [3.0, 2.0], np.diag([0.01, 0.0025])).stderr == pytest.approx(0.25, rel=1e-14)
    assert propagate(lambda p: p[0] * p[1], [3.0, 2.0], np.array([0.1, 0.05])).stderr == pytest.approx(0.25, rel=1e-14)


def test_a_square_at_0_says_that_the_first_order_sees_nothing():
    first = propagate(lambda x: x**2, 0.0, 0.1)
    assert (first.stderr, first.shares) == (0.0, 0.0)
    assert "order 2 adds the curvature" in str(first)
    second = propagate(lambda x: x**2, 0.0, 0.1, order=2)
    assert (second.value, second.notes) == (0.0, ())
    assert second.mean == pytest.approx(0.01, rel=1e-14)  # of sigma**2 times chi-squared of one degree of freedom
    assert second.stderr == pytest.approx(math.sqrt(2) * 0.01, rel=1e-14)
    assert second.shares == pytest.approx(1.0, rel=1e-14)
    assert "does not make it exact" in str(propagate(abs, 0.0, 0.1, order=2))


def test_order_2_is_exact_for_products_of_normal_inputs():
    found = propagate(product, {"v": 3.0, "t": 2.0}, {"v": 0.1, "t": 0.05}, order=2)
    both = (0.1 * 0.05) ** 2  # Var(XY) = mx² sy² + my² sx² + sx² sy²
    assert found.mean == 6.0
    assert found.stderr == pytest.approx(math.sqrt(0.0625 + both), rel=1e-14)
    assert found.shares["v"] == pytest.approx((0.04 + both / 2) / (0.0625 + both), rel=1e-14)
    r = 0.3 * 0.1 * 0.05  # E(XY) = mx my + cov, Var(XY) = ... + 2 mx my cov + cov²
    found = propagate(product, {"v": 3.0, "t": 2.0}, [[0.01, r], [r, 0.0025]], order=2)
    assert found.mean == pytest.approx(6 + r, rel=1e-14)
    variance = 0.0625 + both + 12 * r + r**2
    assert found.stderr == pytest.approx(math.sqrt(variance), rel=1e-14)
    assert math.fsum(found.shares.values()) == pytest.approx(1.0, rel=1e-14)
    assert found.shares["v"] == pytest.approx((0.04 + 6 * r + (both + r**2) / 2) / variance, rel=1e-13)


def test_values_in_the_surroundings_are_constants():
    scale = al.Value(2.0)
    found = propagate(lambda x: scale * x**2, 3.0, 0.5, order=2)
    assert found.stderr == pytest.approx(math.sqrt(36 + 0.5 * (4 * 0.25) ** 2), rel=1e-14)
    assert isinstance(found.value, float)
    assert scale.grad == 0.0


def test_a_slope_without_end_is_noted():
    found = propagate(al.sqrt, 0.0, 0.1)
    assert found.stderr == math.inf
    assert "the derivative by x is inf here" in str(found)


def test_it_prints_itself_and_does_not_change():
    found = propagate(product, {"v": 3.0, "<t>": 2.0, "t": 2.0}, {"v": 0.1, "<t>": 0.0, "t": 0.05}, order=2)
    assert str(found) == (
        "6.00 ± 0.25\n"
        "mean 6: the curvature adds 0 (second order, for normal errors)\n"
        "\n"
        "name  value  error  derivative   share\n"
        "v         3    0.1           2  64.0 %\n"
        "<t>       2      0           0   0.0 %\n"
        "t         2   0.05           3  36.0 %"
    )
    assert "<td>&lt;t&gt;</td>" in found._repr_html_()
    assert "<b>6.00 ± 0.25</b>" in found._repr_html_()
    with pytest.raises(AttributeError):
        found.value = 1.0


@pytest.mark.parametrize(
    ("value", "error", "written"),
    [
        (6.0, 0.25, "6.00 ± 0.25"), (0.0, 0.0123, "0.000 ± 0.012"), (1.0, 0.0996, "1.00 ± 0.10"),
        (123456.0, 12.0, "123456 ± 12"), (-1.6e-19, 2.5e-21, "(-1.600 ± 0.025)e-19"), (5.0, 1234.0, "(0.0 ± 1.2)e+03"),
        (1e-20, 1e-21, "(1.00 ± 0.10)e-20"),
        (1e300, 2e299, "(1.00 ± 0.20)e+300"), (1.0, 1e-20, "1 ± 1e-20"), (2.0, math.inf, "2 ± inf"), (-0.0, 0.0, "0 ± 0"),
    ],
)  # fmt: skip
def test_a_number_with_its_error(value, error, written):
    assert plus_minus(value, error) == written


def test_a_share():
    assert percent(-0.25) == "-25.0 %"


@pytest.mark.parametrize(
    ("x", "sigma", "order", "kind", "said"),
    [
        ([1.0, 2.0], [0.1, -0.1], 1, InputValueError, r"sigma of x\[1\] is -0.1: a standard error must be finite and not neg"),
        ([1.0, 2.0], [math.nan, 0.1], 1, InputValueError, r"sigma of x\[0\] is nan"),
        ([1.0, 2.0], [math.inf, 0.1], 1, InputValueError, r"sigma of x\[0\] is inf"),
        ([1.0, math.nan], [0.1, 0.1], 1, InputValueError, r"x\[1\]=nan is not finite"),
        ([1.0, 2.0], [0.1], 1, StructureError, r"sigma has the structure list\(\*\), but x has list\(\*, \*\): give a st"),
        ([1.0, 2.0], 0.1, 1, StructureError, r"sigma has the structure \*, but x has list"),
        ({"a": 1.0, "b": 2.0}, {"a": 0.1}, 1, StructureError, r"0 for what is exact, or a covariance matrix"),
        ([1.0, 2.0], [[0.1, 0.0]], 1, StructureError, r"sigma has 1 rows of 2 numbers, and x holds 2: a covariance matrix has"),
        ([1.0, 2.0], [[0.1, 0.0], [0.0]], 1, StructureError, r"sigma has 2 rows of 1 or 2 numbers"),
        ([1.0, 2.0], [[0.1, 0.02], [0.01, 0.1]], 1, InputValueError, r"sigma\[1\]\[0\]=0.01 but sigma\[0\]\[1\]=0.02: a cov"),
        ([1.0, 2.0], [[0.1, math.nan], [0.0, 0.1]], 1, InputValueError, r"sigma\[0\]\[1\]=nan is not finite"),
        ([1.0, 2.0], [[0.1, 0.0], [0.0, -1.0]], 1, InputValueError, r"sigma\[1\]\[1\]=-1.0 is the variance of x\[1\] and must"),
        ([1.0, 2.0], [[1.0, 2.0], [2.0, 1.0]], 1, InputValueError, r"sigma\[1\]\[0\]=2.0 is more than the errors of x\[0\]"),
        ([1.0, 2.0], [[0.0, 2.0], [2.0, 1.0]], 1, InputValueError, r"sigma\[1\]\[0\]=2.0 is more than the errors of x\[0\]"),
        ([1.0, 2.0, 3.0], [[1, 0.9, 0.9], [0.9, 1, -0.9], [0.9, -0.9, 1]], 1, InputValueError, "not positive semidefinite"),
        ([1.0, 2.0], ["a", 0.1], 1, InputTypeError, r"sigma\[0\]='a'"),
        ([1.0, 2.0], [0.1, 0.1], 3, InputValueError, "order=3 must be 1 or 2"),
        ([1.0, 2.0], [0.1, 0.1], True, InputValueError, "order=True must be 1 or 2"),
        ([], [], 1, InputValueError, r"x=\[\] holds no number"),
    ],
)  # fmt: skip
def test_wrong_input(x, sigma, order, kind, said):
    with pytest.raises(kind, match=said):
        propagate(lambda p: sum(p.values() if isinstance(p, dict) else p), x, sigma, order)


def test_what_is_no_function_of_one_result():
    with pytest.raises(InputTypeError, match="f=3 is not callable"):
        propagate(3, 1.0, 0.1)
    with pytest.raises(InputTypeError, match="propagate needs pair to return one scalar"):
        propagate(pair, 1.0, 0.1)


def pair(x):
    return [x, x]


# ufloat(2.3, 0.12) * sin(ufloat(0.7, 0.05)) / log(ufloat(4.1, 0.31)) + sqrt(...), by uncertainties 3.2.3
UNCERTAINTIES = (4.12094699115517, 0.16019262399304007)
