"""The last digits of planes, beside 60 digits of mpmath."""

import mpmath
import numpy as np
import pytest

from autograd_lite.fit import fit
from autograd_lite.fit.methods.refine import refined


def plane(seed, condition):
    draw = np.random.default_rng(seed)
    u, _ = np.linalg.qr(draw.normal(size=(40, 4)))
    v, _ = np.linalg.qr(draw.normal(size=(4, 4)))
    design = u * np.geomspace(1, 1 / condition, 4) @ v.T
    return design, design @ draw.normal(size=4) + 1e-3 * draw.normal(size=40)


def exactly(design, y):
    with mpmath.workdps(60):
        a, b = mpmath.matrix(design.tolist()), mpmath.matrix(y.tolist())
        return np.array([float(x) for x in mpmath.lu_solve(a.T * a, a.T * b)])


@pytest.mark.parametrize("condition", [1.0, 1e6, 1e12])
@pytest.mark.parametrize("size", [1.0, 2.0**-500, 2.0**500])
def test_weights_of_a_plane_are_right_to_rounding(condition, size):
    design, y = plane(int(np.log10(condition)), condition)
    exact = exactly(design, y)
    found = fit("a*x0 + b*x1 + c*x2 + d*x3", {f"x{i}": size * design[:, i] for i in range(4)} | {"y": y}, target="y")
    assert found.converged
    assert np.max(abs(np.array(list(found.params.values())) * size / exact - 1)) < 1e-14


def test_given_starts_and_weights_of_rows_end_at_the_same_digits():
    design, y = plane(3, 1e10)
    w = np.where(np.arange(40) % 2, 4.0, 1.0)
    exact = exactly(design * np.sqrt(w)[:, None], y * np.sqrt(w))
    columns = {f"x{i}": design[:, i] for i in range(4)} | {"y": y, "w": w}
    for init in (None, dict.fromkeys("abcd", 1.0)):
        found = fit("a*x0 + b*x1 + c*x2 + d*x3", columns, target="y", weights="w", init=init)
        assert np.max(abs(np.array(list(found.params.values())) / exact - 1)) < 1e-14


def test_columns_that_go_together_are_not_refined():
    column = np.arange(1.0, 9.0)
    assert (
        refined(np.column_stack([column, 2 * column]), column) is None
        or not fit("a*x + b*z", {"x": column, "z": 2 * column, "y": column}, target="y").converged
    )


def test_a_plane_beyond_a_bound_stays_at_it():
    x = np.arange(1.0, 9.0)
    found = fit("a*x + b", {"x": x, "y": 3 * x + 1}, target="y", bounds={"a": (0.0, 2.0)})
    assert found.params["a"] == 2.0
    assert not found.converged
