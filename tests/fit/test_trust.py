"""Least squares on triangles: the certified values of NIST, and the same bits however the rows are cut up."""

import numpy as np
import pytest

from autograd_lite.fit.methods.triangle import Reduction, leaf_rows, reduced
from autograd_lite.fit.methods.trust import State, least_squares
from autograd_lite.fit.rows import Rows
from autograd_lite.fit.rows.residuals import Residuals
from autograd_lite.formula import parse
from autograd_lite.tree import flatten
from tests.fit.nist import FORMULAS, digits, problem


def residuals(p, threads=None, **options):
    model, target = parse(p.formula), parse(p.target)
    leaves, spec = flatten(p.starts[0], "p")
    columns = {name: np.array(column) for name, column in p.columns.items()}
    return Residuals(lambda w, row: model({**w, **row}) - target(row), spec, len(leaves), Rows(columns, threads), **options)


@pytest.mark.parametrize("name", FORMULAS)
def test_certified_values_from_both_starts(name):
    p = problem(name)
    r = residuals(p)
    for start in p.starts:
        found = least_squares(r.triangle, State(list(start.values())), r.size)
        assert found.converged
        assert min(map(digits, found.x.tolist(), p.weights.values())) > 9
        assert not found.lost.any()
        assert digits(float(found.triangle[:, -1] @ found.triangle[:, -1]), p.rss) > (2 if name == "Lanczos1" else 8)


@pytest.mark.parametrize("name", ["Gauss1", "Nelson", "MGH17", "Lanczos1"])
def test_the_same_bits_for_any_block_and_any_number_of_threads(name):
    p = problem(name)
    whole = residuals(p)
    wanted = least_squares(whole.triangle, State(list(p.starts[1].values())), whole.size)
    for options in ({"block": 50}, {"block": 100}, {"threads": 2}, {"block": 50, "threads": 2}):
        r = residuals(p, **options)
        found = least_squares(r.triangle, State(list(p.starts[1].values())), r.size)
        assert found.x.tolist() == wanted.x.tolist()
        assert found.triangle.tolist() == wanted.triangle.tolist()


@pytest.mark.parametrize(("rows", "columns"), [(1, 3), (49, 3), (50, 3), (130, 3), (1000, 30), (25_003, 4)])
def test_a_triangle_has_the_products_of_its_rows(rows, columns):
    matrix = np.random.default_rng(rows).normal(size=(rows, columns)) * np.geomspace(1, 1e6, columns)
    leaf = leaf_rows(rows, columns)
    wanted = reduced([matrix], columns, leaf)
    scale = np.linalg.norm(matrix, axis=0)
    assert (wanted / scale).T @ (wanted / scale) == pytest.approx((matrix / scale).T @ (matrix / scale), abs=1e-13)
    for size in (leaf, 3 * leaf, 7):
        tree = Reduction(columns, leaf)
        for start in range(0, rows, size):
            tree.add(matrix[start : start + size])
        assert tree.root().tolist() == wanted.tolist()
