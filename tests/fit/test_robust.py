"""The errors of robust fits, beside what statistics writes of them."""

import mpmath
import numpy as np
import pytest

from autograd_lite.fit import fit
from autograd_lite.fit.rows import Rows
from autograd_lite.fit.rows.order import quantiles, ranked

FORMULA = "a*x + b*z + c"
HUBER, CORNER = 1.345, 0.6744897501960817


def rows(n=80, seed=1):
    draw = np.random.default_rng(seed)
    x, z = draw.uniform(0, 5, n), draw.normal(size=n)
    w = draw.integers(1, 4, n) * 1.0
    return {"x": x, "z": z, "y": 2 * x - z + 1 + draw.standard_t(3, size=n), "w": w}


def design(table):
    return np.column_stack([table["x"], table["z"], np.ones(len(table["x"]))])


@pytest.mark.parametrize("given", ["", "sigma", "weights"])
def test_least_absolute_deviations_by_the_density_of_residuals(given):
    table = rows()
    options = {given: "w"} if given else {}
    found = fit(FORMULA, table, target="y", loss="mae", **options)
    x, y, n = design(table), table["y"], len(table["y"])
    w, sigma = (table["w"] if given == kind else np.ones(n) for kind in ("weights", "sigma"))
    r = (y - x @ list(found.params.values())) / sigma
    beside = float(mpmath.cbrt(mpmath.mpf("1.959963984540054") ** 2 * 1.5 / (2 * mpmath.pi) / n))
    normal = float(mpmath.sqrt(2) * mpmath.erfinv(2 * beside))
    spread = (np.quantile(r, 0.75) - np.quantile(r, 0.25)) / 1.34
    h = 2 * normal * spread
    f = np.where(abs(r) <= h, 0.75 * (1 - (r / h) ** 2), 0).sum() / n / h
    part = x / sigma[:, None]
    a, b = part.T @ (w[:, None] * part), part.T @ ((w * w)[:, None] * part)
    covariance = np.linalg.inv(a) @ b @ np.linalg.inv(a) / (4 * f * f)
    assert np.allclose(list(found.stderr.values()), np.sqrt(np.diag(covariance)), rtol=1e-9)
    assert np.allclose(found.covariance, covariance, rtol=1e-8)


def test_weighted_rows_of_a_robust_fit_have_the_errors_of_the_sandwich():
    table = rows()
    found = fit(FORMULA, table, target="y", loss="huber", weights="w", scale=HUBER)
    x, y, w, n = design(table), table["y"], table["w"], len(table["y"])
    r = y - x @ list(found.params.values())
    pull, bend = np.clip(r, -HUBER, HUBER), abs(r) <= HUBER
    a, b = x.T @ ((w * bend)[:, None] * x), x.T @ (((w * pull) ** 2)[:, None] * x)
    covariance = np.linalg.inv(a) @ b @ np.linalg.inv(a) * n / (n - 3)
    assert np.allclose(list(found.stderr.values()), np.sqrt(np.diag(covariance)), rtol=1e-9)
    twice = fit(FORMULA, {**table, "w": 8 * w}, target="y", loss="huber", weights="w", scale=HUBER)
    assert twice.stderr == pytest.approx(found.stderr, rel=1e-9)


@pytest.mark.parametrize(("table", "why"), [
    ({"x": [1.0, 2.0, 3.0], "z": [1.0, 0.0, 5.0], "y": [1.0, 2.0, 5.0]}, "there are no more rows than weights"),
    ({"x": list(range(6)), "z": [0.0, 1, 0, 1, 1, 0], "y": [1.0, 2, 3, 4, 9, 6]}, "too few rows"),
    ({"x": list(range(40)), "z": [k % 2 for k in range(40)], "y": [k + 1.0 + 9 * (k == 7) for k in range(40)]},
     "half of the residuals are equal"),
])  # fmt: skip
def test_where_absolute_deviations_have_no_errors_the_report_says_why(table, why):
    found = fit(FORMULA, table, target="y", loss="mae")
    assert all(np.isnan(list(found.stderr.values())))
    assert any(note.startswith("no standard errors: ") and why in note for note in found.notes)


@pytest.mark.parametrize("loss", ["logistic", "poisson"])
@pytest.mark.parametrize("formula", ["a*tanh(b*x) + c", "a[site]*tanh(b*x)"])
def test_likelihoods_have_the_same_errors_by_lbfgs_and_by_newton(loss, formula):
    draw = np.random.default_rng(5)
    x = draw.uniform(-2, 2, 300)
    value = 1.5 * np.tanh(0.9 * x) + 0.2
    y = (draw.uniform(size=300) < 1 / (1 + np.exp(-value))) * 1.0 if loss == "logistic" else draw.poisson(np.exp(value)) * 1.0
    table = {"x": x, "y": y, "site": ["A", "B", "C"] * 100}
    init = {"a": 1.0, "b": 1.0, **({"c": 0.1} if "c" in formula.split() else {})}
    one, other = (fit(formula, table, target="y", loss=loss, init=init, method=m) for m in ("newton", "lbfgs"))
    assert one.converged
    assert other.converged
    assert other.stderr == pytest.approx(one.stderr, rel=1e-6)


def test_weights_that_rows_do_not_determine_are_named_by_lbfgs_too():
    table = rows()
    for loss in ("mse", "huber"):
        found = fit("a*x + b*x + c", table, target="y", loss=loss, method="lbfgs")
        assert not found.converged
        assert "do not determine a, b" in found.reason


@pytest.mark.parametrize("numbers", [
    np.random.default_rng(0).normal(size=70_001), np.repeat([-0.0, 3.0, -7.5, 1e300, -1e-300], 20_000),
    np.random.default_rng(1).normal(size=65_537) * 10.0 ** np.random.default_rng(2).integers(-200, 200, 65_537),
])  # fmt: skip
def test_the_middle_of_many_numbers_is_found_where_they_are(numbers):
    ordered = np.sort(numbers)
    data = Rows((numbers,))
    places = [0, 1, len(numbers) // 3, len(numbers) // 2, len(numbers) - 1]
    assert ranked(data, lambda leaves, columns: columns[0], (), len(numbers), places) == ordered[places].tolist()
    (middle,) = quantiles(data, lambda leaves, columns: columns[0], (), len(numbers), [0.5])
    assert middle == np.median(numbers)
