"""Losses other than squares, beside linear programs, Newton's method by hand, SciPy and statsmodels."""

import math

import numpy as np
import pytest

from autograd_lite.errors import InputValueError
from autograd_lite.fit import fit
from autograd_lite.fit.losses import LOSSES

DRAW = np.random.default_rng(3)
N = 90
X, Z = DRAW.normal(size=N), DRAW.normal(size=N)
Y = 1 + 2 * X - Z + 0.5 * DRAW.standard_t(2, size=N)
ONES = np.column_stack([np.ones(N), X, Z])
TABLE = {"x": X, "z": Z, "y": Y}
FORMULA = "a + b*x + c*z"


def weights(found):
    return [found.params[n] for n in "abc"]


def errors(found):
    return [found.stderr[n] for n in "abc"]


def test_a_scale_far_below_the_residuals_is_come_down_to():
    optimize = pytest.importorskip("scipy.optimize", reason="SciPy is only in the extra that compares with it")
    x = np.linspace(0, 5, 60)
    y = 2 * x + 1 + 0.1 * DRAW.normal(size=60)
    y[::10] += 9.0  # so that at the least-squares line no residual is below the scale, and the loss is straight
    found = fit("w*x + b", {"x": x, "y": y}, target="y", loss="huber", scale=0.134)
    wanted = optimize.least_squares(
        lambda p: p[0] * x + p[1] - y, [2, 1], loss="huber", f_scale=0.134, xtol=1e-15, ftol=1e-15, gtol=1e-15
    )
    assert found.converged
    assert list(found.params.values()) == pytest.approx(wanted.x, rel=1e-6)


@pytest.mark.parametrize("loss", ["huber", "soft_l1", "cauchy"])
def test_robust_fits_of_a_given_scale_are_scipys(loss):
    optimize = pytest.importorskip("scipy.optimize", reason="SciPy is only in the extra that compares with it")
    wanted = optimize.least_squares(
        lambda p: ONES @ p - Y, [1, 2, -1], loss=loss, f_scale=0.7, xtol=1e-15, ftol=1e-15, gtol=1e-15
    )
    found = fit(FORMULA, TABLE, target="y", loss=loss, scale=0.7)
    assert found.converged
    assert found.scale_given
    assert weights(found) == pytest.approx(wanted.x, rel=1e-6)
    assert found.loss == pytest.approx(wanted.cost / N, rel=1e-12)


def test_an_estimated_scale_is_that_of_the_middle_residuals():
    found = fit(FORMULA, TABLE, target="y", loss="huber")
    middle = np.median(abs(Y - ONES @ weights(found)))
    assert found.converged
    assert found.scale == pytest.approx(1.345 * middle / 0.6744897501960817, rel=1e-9)
    assert "estimated from the residuals" in found.table()
    # the weights solve the equation of Huber's estimator: pulls that are cut off balance
    pulls = np.clip(Y - ONES @ weights(found), -found.scale, found.scale)
    assert abs(ONES.T @ pulls).max() < 1e-9 * abs(pulls).sum()


def test_huber_and_its_errors_are_statsmodels():
    api = pytest.importorskip("statsmodels.api", reason="statsmodels is only in the extra that compares with it")
    wanted = api.RLM(Y, ONES, M=api.robust.norms.HuberT()).fit(maxiter=500, tol=1e-13)
    found = fit(FORMULA, TABLE, target="y", loss="huber")
    assert weights(found) == pytest.approx(wanted.params, rel=1e-9)
    assert errors(found) == pytest.approx(wanted.bse, rel=1e-9)


@pytest.mark.parametrize("whole", [False, True])
def test_least_absolute_deviations_are_the_linear_programs(whole):
    optimize = pytest.importorskip("scipy.optimize", reason="SciPy is only in the extra that compares with it")
    rows, y = (np.round(ONES), np.round(Y)) if whole else (ONES, Y)  # whole numbers: many residuals are zero at once
    program = optimize.linprog(
        np.r_[np.zeros(3), np.ones(2 * N)], A_eq=np.hstack([rows, np.eye(N), -np.eye(N)]), b_eq=y,
        bounds=[(None, None)] * 3 + [(0, None)] * (2 * N),
    )  # fmt: skip
    found = fit(FORMULA, {"x": rows[:, 1], "z": rows[:, 2], "y": y}, target="y", loss="mae")
    assert found.converged
    assert found.method == "corners"
    assert found.loss * N == pytest.approx(program.fun, rel=1e-12)
    if not whole:
        assert weights(found) == pytest.approx(program.x[:3], rel=1e-9)


def test_the_median_is_the_constant_of_least_absolute_deviations():
    found = fit("m + 0*x", {"x": [1.0] * 5, "y": [3.0, 1.0, 100.0, 2.0, 50.0]}, target="y", loss="mae")
    assert found.params["m"] == pytest.approx(3.0, abs=1e-12)


def test_a_curve_by_least_absolute_deviations_passes_outliers_by():
    x = np.linspace(0, 5, 40)
    y = 3 * np.exp(-0.6 * x)
    y[::7] += 5.0
    found = fit("a*exp(-k*x)", {"x": x, "y": y}, target="y", loss="mae")
    assert found.converged
    assert found.params == pytest.approx({"a": 3.0, "k": 0.6}, rel=1e-9)


def newton_by_hand(rows, value, slope, curvature):
    w = np.zeros(3)
    for _ in range(60):
        eta = rows @ w
        w = w - np.linalg.solve(rows.T @ (curvature(eta)[:, None] * rows), rows.T @ slope(eta))
    h = rows.T @ (curvature(rows @ w)[:, None] * rows)
    return w, np.sqrt(np.diag(np.linalg.inv(h))), value(rows @ w).sum()


@pytest.mark.parametrize("method", ["newton", "lbfgs"])
def test_a_logistic_fit(method):
    y = (DRAW.random(N) < 1 / (1 + np.exp(-(0.3 + X - 0.5 * Z)))) * 1.0
    p = lambda eta: 1 / (1 + np.exp(-eta))  # noqa: E731
    w, sd, loss = newton_by_hand(
        ONES, lambda eta: np.logaddexp(0, eta) - y * eta, lambda eta: p(eta) - y, lambda eta: p(eta) * (1 - p(eta))
    )
    found = fit(FORMULA, {**TABLE, "y": y}, target="y", loss="logistic", method=method)
    assert found.converged
    assert weights(found) == pytest.approx(w, rel=1e-7)
    share = y.mean()
    null = N * (share * math.log(share) + (1 - share) * math.log(1 - share))
    assert found.summary.r2 == pytest.approx(1 + loss / null, rel=1e-9)
    assert found.summary.aic == pytest.approx(6 + 2 * loss, rel=1e-9)
    assert errors(found) == pytest.approx(sd, rel=1e-9 if method == "newton" else 1e-6)


def test_a_poisson_fit():
    y = DRAW.poisson(np.exp(0.3 + 0.5 * X - 0.2 * Z)).astype(float)
    w, sd, loss = newton_by_hand(ONES, lambda eta: np.exp(eta) - y * eta, lambda eta: np.exp(eta) - y, np.exp)
    found = fit(FORMULA, {**TABLE, "y": y}, target="y", loss="poisson")
    assert found.converged
    assert weights(found) == pytest.approx(w, rel=1e-9)
    assert errors(found) == pytest.approx(sd, rel=1e-9)
    constant = sum(math.lgamma(v + 1) for v in y)
    assert found.summary.aic == pytest.approx(6 + 2 * (loss + constant), rel=1e-9)
    assert found.predict({"x": [0.5], "z": [1.0]}) == pytest.approx([math.exp(w @ [1, 0.5, 1.0])], rel=1e-9)


def test_a_logistic_target_may_be_a_formula():
    y = (DRAW.random(N) < 0.5) * 4.0
    found = fit(FORMULA, {**TABLE, "y": y}, target="y/4", loss="logistic")
    same = fit(FORMULA, {**TABLE, "y": y / 4}, target="y", loss="logistic")
    assert found.converged
    assert weights(found) == pytest.approx(weights(same), rel=1e-12)


@pytest.mark.parametrize("loss", ["huber", "mae", "logistic", "poisson", "mse"])
def test_a_weight_of_two_is_the_row_twice(loss):
    y = np.round(abs(Y)) if loss == "poisson" else (Y > 1) * 1.0 * (DRAW.random(N) < 0.8) if loss == "logistic" else Y
    twice = DRAW.random(N) < 0.3
    table = {"x": X, "z": Z, "y": y, "w": np.where(twice, 2.0, 1.0)}
    double = {name: np.concatenate([column, column[twice]]) for name, column in table.items()}
    scale = {"scale": 0.8} if LOSSES[loss].corner else {}
    found = fit(FORMULA, table, target="y", loss=loss, weights="w", **scale)
    wanted = fit(FORMULA, double, target="y", loss=loss, **scale)
    assert found.converged
    assert weights(found) == pytest.approx(weights(wanted), rel=1e-7)


def test_sigma_counts_residuals_in_standard_deviations():
    s = DRAW.uniform(0.5, 2.0, N)
    found = fit(FORMULA, {**TABLE, "s": s}, target="y", loss="huber", sigma="s", scale=0.7)
    optimize = pytest.importorskip("scipy.optimize", reason="SciPy is only in the extra that compares with it")
    wanted = optimize.least_squares(
        lambda p: (ONES @ p - Y) / s, [1, 2, -1], loss="huber", f_scale=0.7, xtol=1e-15, ftol=1e-15, gtol=1e-15
    )
    assert weights(found) == pytest.approx(wanted.x, rel=1e-6)


SIZES = [1e-300, 1e-150, 1e-20, 1e20, 1e150, 1e300]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "soft_l1", "cauchy"])
def test_a_target_of_any_size(loss, size):
    found = fit(FORMULA, {**TABLE, "y": Y * size}, target="y", loss=loss)
    wanted = fit(FORMULA, TABLE, target="y", loss=loss)
    assert found.converged
    assert [w / size for w in weights(found)] == pytest.approx(weights(wanted), rel=1e-9)
    assert [e / size for e in errors(found)] == pytest.approx(errors(wanted), rel=1e-7, nan_ok=True)
    assert found.summary.r2 == pytest.approx(wanted.summary.r2, rel=1e-9)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "logistic", "poisson"])
def test_a_column_of_any_size(loss, size):
    y = {"logistic": (Y > 1) * (np.arange(N) % 5 > 0) * 1.0, "poisson": np.round(abs(Y))}.get(loss, Y)
    found = fit(FORMULA, {**TABLE, "x": X * size, "y": y}, target="y", loss=loss)
    wanted = fit(FORMULA, {**TABLE, "y": y}, target="y", loss=loss)
    assert found.converged
    a, b, c = weights(found)
    assert [a, b * size, c] == pytest.approx(weights(wanted), rel=1e-8)


@pytest.mark.parametrize("column", ["x", "z", "y"])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_row_that_is_no_number_is_named(loss, column):
    y = (Y > 1) * 1.0
    table = {"x": X.copy(), "z": Z.copy(), "y": y.copy()}
    table[column][17] = math.nan
    with pytest.raises(InputValueError, match="row 18, x="):
        fit(FORMULA, table, target="y", loss=loss)


WRONG = [
    ({"loss": "huber", "scale": 0.0}, "scale=0.0 must be above 0"),
    ({"loss": "mae", "scale": 1.0}, "scale=1 goes with the losses huber, soft_l1, cauchy, and not with mae"),
    ({"loss": "logistic", "sigma": "z"}, "the loss logistic has no standard deviations"),
    ({"loss": "poisson"}, "must be a count, 0 or more for the loss poisson"),
    ({"loss": "logistic"}, "must be 0 or 1 for the loss logistic"),
    ({"loss": "huber", "method": "lm"}, "--method lm is for sums of squares, --loss mse, and not for huber"),
    ({"loss": "mae", "method": "newton"}, "needs derivatives that --loss mae has not at its corners"),
    ({"method": "bfgs"}, "method='bfgs' must be one of auto, lm, newton, lbfgs"),
    ({"sigma": "sd"}, "sigma='sd' is no column"),
]


@pytest.mark.parametrize(("options", "said"), WRONG, ids=[said[:40] for _, said in WRONG])
def test_settings_that_do_not_go_with_the_loss(options, said):
    with pytest.raises(InputValueError) as caught:
        fit(FORMULA, TABLE, target="y", **options)
    assert said in str(caught.value)


def test_half_of_the_residuals_at_zero_leave_no_scale():
    y = np.where(np.arange(N) < 60, 1 + 2 * X - Z, Y)
    with pytest.raises(InputValueError, match="half of the residuals are zero"):
        fit(FORMULA, {**TABLE, "y": y}, target="y", loss="huber", init={"a": 1.0, "b": 2.0, "c": -1.0})


@pytest.mark.parametrize("method", ["newton", "lbfgs"])
def test_a_group_of_zeros_has_no_best_rate(method):
    table = {"s": ["A", "B"] * 30, "y": [3.0, 0.0] * 30}
    found = fit("a[s]", table, target="y", loss="poisson", method=method)
    assert not found.converged
    assert "ever smaller rates fit ever better: there is no best one; a[B] run away" in found.reason
    whole = fit("a[s]", {**table, "y": [3.0, 0.0] * 29 + [3.0, 1.0]}, target="y", loss="poisson", method=method)
    assert whole.converged
    assert whole.params == pytest.approx({"a[A]": math.log(3), "a[B]": math.log(1 / 30)}, rel=1e-7)


@pytest.mark.parametrize("loss", ["logistic", "poisson"])
def test_what_runs_away_is_no_answer_by_lbfgs_either(loss):
    x = np.linspace(0, 5, 6)
    found = fit("a*x + b", {"x": x, "y": (x > 2.5) * 1.0}, target="y", loss="logistic", method="lbfgs")
    assert not found.converged
    assert not fit(
        "a*x + b", {"x": x, "y": np.full(6, 1.0 * (loss == "logistic"))}, target="y", loss=loss, method="lbfgs"
    ).converged


def test_the_history_of_a_robust_fit_is_in_the_units_of_its_loss():
    xs = [i / 4 for i in range(40)]
    ys = [1000.0 * (2.0 * x + 1.0 + 0.1 * (i % 3) + 20.0 * (i % 9 == 3)) for i, x in enumerate(xs)]
    found = fit("a*x + b", {"x": xs, "y": ys}, target="y", loss="huber")
    assert found.history[-1][1] == pytest.approx(found.loss, rel=1e-6)
    half_square = sum((y - 2000.0 * x - 1000.0) ** 2 for x, y in zip(xs, ys, strict=True)) / len(xs) / 2
    assert all(found.loss / 2 < loss <= half_square for _, loss in found.history)
