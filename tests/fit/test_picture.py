"""The picture of a fit: what is drawn of which rows, in which colours, and that no name is taken for mathematics."""

import math

import pytest

pytest.importorskip("matplotlib", reason="matplotlib is only in the extra that plots")

import numpy as np

from autograd_lite.errors import InputValueError
from autograd_lite.fit import fit
from autograd_lite.fit.model import Model
from autograd_lite.fit.pictures.picture import groups_of, plot_fit, sampled
from autograd_lite.fit.rows import SHOWN

RNG = np.random.default_rng(0)
X = np.linspace(0.0, 4.0, 40)
Y = 3 * np.exp(-0.7 * X) + RNG.normal(0, 0.05, 40)


def drawn(axes):
    """The lines of some axes as arrays, by what is drawn: points, and curves."""
    points = [line for line in axes.lines if line.get_linestyle() == "None"]
    curves = [line for line in axes.lines if line.get_linestyle() == "-"]
    return [np.transpose(line.get_data()) for line in points], [np.transpose(line.get_data()) for line in curves]


def test_data_curve_bands_residuals_and_loss(tmp_path):
    found = fit("a*exp(k*x)", {"x": X, "y": Y}, target="y", init={"a": 1.0, "k": 0.0})
    figure = found.plot(tmp_path / "fit.png")
    assert (tmp_path / "fit.png").read_bytes().startswith(b"\x89PNG")
    data, residuals, loss = figure.axes
    (points,), (curve,) = drawn(data)
    assert points == pytest.approx(np.column_stack([X, Y]))
    a, k = found.params["a"], found.params["k"]
    assert curve[:, 1] == pytest.approx(a * np.exp(k * curve[:, 0]))
    (left,), (zero,) = drawn(residuals)
    assert left == pytest.approx(np.column_stack([a * np.exp(k * X), Y - a * np.exp(k * X)]))
    assert set(zero[:, 1]) == {0.0}
    assert len(drawn(loss)[1][0]) == len(found.history)
    mean, observed = (band.get_paths()[0].vertices for band in data.collections)
    width = [np.ptp(v[np.isclose(v[:, 0], curve[100, 0]), 1]) for v in (mean, observed)]
    bands = found.predict({"x": [curve[100, 0]]}, interval=0.95)
    assert width == pytest.approx([bands.high[0] - bands.low[0], bands.obs_high[0] - bands.obs_low[0]])
    assert (data.get_xlabel(), data.get_ylabel()) == ("x", "y")


def test_a_curve_for_each_group_in_a_colour_of_its_own():
    words = ["A", "B"] * 20
    found = fit("a[site] + b*x", {"x": X, "y": Y, "site": words}, target="y")
    data = found.plot().axes[0]
    assert [text.get_text().strip() for text in data.get_legend().get_texts()] == ["A", "B"]
    points, curves = drawn(data)
    assert [len(group) for group in points] == [20, 20]
    for word, curve in zip("AB", curves, strict=True):
        assert curve[:, 1] == pytest.approx(found.params[f"a[{word}]"] + found.params["b"] * curve[:, 0])
    assert len({line.get_color() for line in data.lines}) == 2


def test_of_two_columns_what_was_measured_is_set_against_what_is_predicted():
    found = fit("a*x + b*z", {"x": X, "z": X**2, "y": Y}, target="y")
    data = found.plot().axes[0]
    (points,), _ = drawn(data)
    assert points == pytest.approx(np.column_stack([found.predict({"x": X, "z": X**2}), Y]))
    assert data.get_xlabel() == "predicted y"


def test_of_many_rows_some_are_drawn_over_the_whole_table():
    x = np.arange(70_001.0)
    points = sampled(Model("w*x", "y", ["x", "y"], "mse", {"w": 2.0}), {"x": x, "y": x})
    assert SHOWN * 0.9 < len(points.truth) <= SHOWN
    assert np.unique(np.diff(points.columns["x"])).tolist() == [35.0, 36.0]
    assert points.predicted == [2 * v for v in points.columns["x"]]


def test_rows_without_a_number_are_left_out():
    model = Model("w*log(x)", "y", ["x", "y"], "mse", {"w": 2.0})
    assert sampled(model, {"x": [1.0, -1.0, math.e, 2.0], "y": [1.0, 1.0, 2.0, math.nan]}).truth == [1.0, 2.0]
    plot_fit(model, {"x": [-1.0, -2.0], "y": [1.0, 2.0]})


@pytest.mark.parametrize("name", ["$^$", r"\frac{", "a\nb\x1b[1m", "x" * 500, "{}", "$x$_", "_hidden", "%d", "学"])
def test_no_name_is_mathematics(name, tmp_path):
    found = fit("b*x + a", {"x": X, name: Y}, target=name)
    found.plot(tmp_path / "fit.png")
    fit("a[w] + b*x", {"x": X, "y": Y, "w": [name, f"{name}_"] * 20}, target="y").plot(tmp_path / "fit.svg")


def test_combinations_of_words():
    levels = {"s": ["A", "B"], "t": ["u", "v", "w"]}
    model = Model("a[s]*x + b[t]", "y", ["s", "t", "x", "y"], levels=levels)
    assert [name for _, name in groups_of(model)] == ["A, u", "A, v", "A, w", "B, u", "B, v", "B, w"]


def test_another_suffix_is_refused_before_anything_is_drawn():
    with pytest.raises(InputValueError, match=r"path='fit.foo' must end in .svg, .png or .pdf"):
        plot_fit(Model("w*x", "y", ["x", "y"]), {}, path="fit.foo")
