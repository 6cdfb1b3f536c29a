"""Hundreds of weights, whose triangles are not taken apart by singular values unless they must be."""

import numpy as np
import pytest

from autograd_lite.fit import fit, minimize
from autograd_lite.fit.methods.trust import NARROW, Shape
from autograd_lite.fit.rows import Rows
from autograd_lite.fit.rows.residuals import Residuals
from autograd_lite.fit.statistics import inverse_factor
from autograd_lite.tree import flatten


@pytest.mark.parametrize("box", [False, True])
def test_wide_triangles_give_the_steps_that_singular_values_do(box):
    draw = np.random.default_rng(0)
    m = NARROW + 8
    rows = draw.normal(size=(400, m + 1))
    x = draw.normal(size=m)
    bounds = (np.where(np.arange(m) % 3, -9.0, x), np.full(m, 9.0)) if box else None
    shape = Shape(np.linalg.qr(rows, mode="r"), x, bounds, None)
    assert shape.solved is not None
    step = np.zeros(m)
    step[shape.free] = -np.linalg.lstsq(rows[:, :m][:, shape.free], rows[:, m], rcond=None)[0]
    assert np.allclose(shape.newton(), step, rtol=1e-11)
    assert shape.offset == pytest.approx(np.linalg.norm(rows[:, :m] @ step), rel=1e-12)
    assert not shape.lost().any()
    p, held = shape.step(1e-3)
    assert held
    assert np.linalg.norm(shape.scaled * p) == pytest.approx(1e-3, rel=0.02)


def test_columns_that_go_together_are_still_named_among_many():
    draw = np.random.default_rng(1)
    m = NARROW + 8
    rows = draw.normal(size=(400, m + 1))
    rows[:, 7] = rows[:, 3]
    shape = Shape(np.linalg.qr(rows, mode="r"), np.zeros(m), None, None)
    assert shape.solved is None
    assert np.flatnonzero(shape.lost()).tolist() == [3, 7]


def test_a_residual_of_more_than_a_hundred_weights():
    draw = np.random.default_rng(2)
    x = draw.normal(size=(300, 110))
    y = x @ draw.normal(size=110) + 0.1 * draw.normal(size=300)
    found = minimize(
        residual=lambda p, x, y: sum(a * b for a, b in zip(p, x, strict=True)) - y, params=[0.0] * 110, data=(x, y)
    )
    assert found.reason == "converged"
    assert np.allclose(found.params, np.linalg.lstsq(x, y, rcond=None)[0], rtol=1e-9)


def test_eighty_groups():
    draw = np.random.default_rng(3)
    words, x = draw.permutation(np.arange(800) % 80), draw.uniform(0, 5, 800)
    table = {"x": x, "y": 2 * x + words * 0.01 + 0.1 * draw.normal(size=800), "site": [f"s{k}" for k in words]}
    found = fit("a*x + b[site]", table, target="y")
    design = np.column_stack([x, words[:, None] == np.arange(80)])
    exact = np.linalg.lstsq(design, table["y"], rcond=None)[0]
    sd = np.linalg.norm(table["y"] - design @ exact) / np.sqrt(800 - 81)
    errors = sd * np.sqrt(np.diag(np.linalg.inv(design.T @ design)))
    assert found.converged
    assert [found.params["a"], found.params["b[s7]"]] == pytest.approx([exact[0], exact[8]], rel=1e-10)
    assert [found.stderr["a"], found.stderr["b[s7]"]] == pytest.approx([errors[0], errors[8]], rel=1e-9)


def test_a_formula_of_more_than_a_hundred_columns():
    draw = np.random.default_rng(4)
    x = draw.normal(size=(300, 140))
    y = x @ draw.normal(size=140) + 0.1 * draw.normal(size=300)
    columns = {f"x{i}": x[:, i].copy() for i in range(140)}
    found = fit(" + ".join(f"w{i}*x{i}" for i in range(140)), {**columns, "y": y}, target="y")
    assert found.converged
    assert np.allclose(list(found.params.values()), np.linalg.lstsq(x, y, rcond=None)[0], rtol=1e-9)


def test_derivatives_that_are_not_finite_leave_errors_open():
    factor, rank = inverse_factor(np.array([[1.0, np.nan], [0.0, 1.0]]), np.array([True, True]), 1e-13)
    assert rank == 0
    assert np.isnan(factor).all()
    made = Residuals(lambda w, x: w[0] / x, flatten([1.0], "w")[1], 1, Rows(([1.0, 0.0],)))
    assert made.triangle([1.0]) is None
    assert np.isnan(made.root([1.0])).all()
    assert made.root([1.0]).shape == (2, 2)
