"""Bands of predictions, beside the closed form for a line and beside differences for a curve."""

import math

import numpy as np
import pytest

from autograd_lite.errors import InputValueError
from autograd_lite.fit import fit
from autograd_lite.fit.model import Model
from autograd_lite.fit.statistics.band import Band

X = np.array([0.5, 1.0, 2.0, 3.5, 4.0, 5.5, 7.0, 8.0])
Y = np.array([1.1, 2.3, 3.7, 7.4, 7.9, 11.2, 14.6, 15.4])


def test_the_bands_of_a_line_are_those_of_the_textbook():
    found = fit("w*x + b", {"x": X, "y": Y}, target="y")
    at = np.array([0.0, 4.0, 20.0])
    got = found.predict({"x": at}, interval=0.9)
    n, mean = len(X), X.mean()
    sxx = ((X - mean) ** 2).sum()
    slope = ((X - mean) * Y).sum() / sxx
    line = Y.mean() + slope * (at - mean)
    sd = math.sqrt(((Y - Y.mean() - slope * (X - mean)) ** 2).sum() / (n - 2))
    t = 1.9431802805153022  # of a table, 0.95 and six degrees of freedom
    half = t * sd * np.sqrt(1 / n + (at - mean) ** 2 / sxx)
    wide = t * sd * np.sqrt(1 + 1 / n + (at - mean) ** 2 / sxx)
    assert got.mean == pytest.approx(line, rel=1e-12)
    assert got.low == pytest.approx(line - half, rel=1e-9)
    assert got.high == pytest.approx(line + half, rel=1e-9)
    assert got.obs_low == pytest.approx(line - wide, rel=1e-9)
    assert got.obs_high == pytest.approx(line + wide, rel=1e-9)
    assert found.predict({"x": at}) == pytest.approx(line, rel=1e-12)


def test_the_band_of_a_curve_by_differences():
    found = fit("a*exp(k*x)", {"x": X, "y": Y}, target="y", init={"a": 2.0, "k": 0.2})
    a, k = found.params["a"], found.params["k"]
    g = np.array([math.exp(k * 3.0), a * 3.0 * math.exp(k * 3.0)])
    error = math.sqrt(g @ np.array(found.covariance) @ g)
    got = found.predict({"x": [3.0]}, interval=0.95)
    assert got.high[0] - got.mean[0] == pytest.approx(2.4469118511449692 * error, rel=1e-9)  # t of six degrees of freedom


def test_a_held_weight_brings_no_error():
    model = Model("a*x + b", "y", ["x", "y"], "mse", {"a": 2.0, "b": 1.0})
    band = Band(model, ["a", "b"], [[0.25, 0.0], [0.0, 0.0]], sd=3.0, dof=math.inf, level=0.95)
    got = band.block({"x": np.array([0.0, 2.0])})
    assert got.high[0] == got.low[0] == 1.0
    assert got.high[1] == pytest.approx(5.0 + 1.959963984540054 * 1.0, rel=1e-12)
    assert got.obs_high[0] == pytest.approx(1.0 + 1.959963984540054 * 3.0, rel=1e-12)


@pytest.mark.parametrize(("covariance", "level", "said"), [(None, 0.9, "no covariance"), ([[1.0]], 1.5, "between 0 and 1")])
def test_what_has_no_band(covariance, level, said):
    with pytest.raises(InputValueError, match=said):
        Band(Model("a*x", "y", ["x", "y"]), ["a"], covariance, 1.0, 5.0, level)


def test_a_band_of_groups_uses_the_errors_of_the_rows_own():
    model = Model("a[site]*x", "y", ["site", "x", "y"], levels={"site": ["A", "B"]}, weights={"a[A]": 1.0, "a[B]": 2.0})
    band = Band(model, ["a[A]", "a[B]"], [[0.01, 0.0], [0.0, 0.04]], sd=1.0, dof=math.inf)
    got = band.block({"site": np.array([1.0, 0.0, 1.0]), "x": np.array([1.0, 1.0, 10.0])})
    assert got.mean == [2.0, 1.0, 20.0]
    assert np.subtract(got.high, got.mean) == pytest.approx(1.959963984540054 * np.array([0.2, 0.1, 2.0]), rel=1e-12)
