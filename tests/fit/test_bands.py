"""Least absolute deviations of more rows than are brought together, beside linear programs."""

import numpy as np
import pytest

from autograd_lite.fit import fit
from autograd_lite.fit.methods import bands

N, FEW = 900, 120
DRAW = np.random.default_rng(0)
X, Z, T = DRAW.uniform(0, 5, N), DRAW.normal(size=N), DRAW.standard_t(2, size=N)
LINE = 2 * X - Z + 1
SOME = DRAW.random(N) < 0.4
PLANE = "a*x + b*z + c"
BOX = {"a": (0.0, 1.5), "b": (-0.5, 9.0), "c": (-9.0, np.inf)}

TABLES = {  # x, z, y, and bounds
    "heavy tails": (X, Z, LINE + T, {}),
    "no mean": (X, Z, LINE + DRAW.standard_cauchy(size=N), {}),
    "whole numbers": (X.round(), Z.round(), (LINE + T).round(), {}),
    "few kinds of rows": (X // 2, np.sign(Z), (LINE + T > 5) * 2.0 + (Z > 0), {}),
    "whole targets": (X, Z, (LINE + T).round(), {}),
    "sorted": (np.sort(X), np.sort(Z), np.sort(LINE + T), {}),
    "most rows on the plane": (X, Z, LINE + np.where(SOME, 10 * T, 0.0), {}),
    "the others above it": (X, Z, LINE + np.where(SOME, 10 * abs(T), 0.0), {}),
    "all rows on the plane": (X, Z, LINE, {}),
    "zeros": (X, Z, DRAW.poisson(0.3, N) * 1.0, {}),
    "skewed": (X, Z, LINE + (1 + X) * DRAW.exponential(size=N) ** 2, {}),
    "rows that pull hard": (np.exp(2 * Z), Z**3, np.exp(2 * Z) + Z + T * np.exp(Z), {}),
    "blocks": (np.where(np.arange(N) < N / 2, X, 0), np.where(np.arange(N) < N / 2, 0, Z), LINE + T, {}),
    "bounds": (X, Z, LINE + T, BOX),
    "large and small": (1e150 * X, 1e-150 * Z, 1e5 * (LINE + T), {}),
}  # fmt: skip


@pytest.fixture
def few(monkeypatch):
    """No more than so many rows come together."""
    monkeypatch.setattr(bands, "TOGETHER", 0)
    monkeypatch.setattr(bands, "MOST", 4 * FEW)
    monkeypatch.setattr(bands, "LEAST", 1)


@pytest.mark.parametrize("name", TABLES)
def test_what_passes_find_is_the_linear_programs(name, few):
    optimize = pytest.importorskip("scipy.optimize", reason="SciPy is only in the extra that compares with it")
    x, z, y, bounds = TABLES[name]
    sizes = abs(x).max(), abs(z).max(), 1.0
    rows = np.column_stack([x / sizes[0], z / sizes[1], np.ones(N)])
    box = [tuple(end * size for end in bounds.get(n, (-np.inf, np.inf))) for n, size in zip("abc", sizes, strict=True)]
    found = fit(PLANE, {"x": x, "z": z, "y": y}, target="y", loss="mae", bounds=bounds)
    program = optimize.linprog(
        np.r_[np.zeros(3), np.ones(2 * N)], A_eq=np.hstack([rows, np.eye(N), -np.eye(N)]), b_eq=y,
        bounds=box + [(0, None)] * (2 * N),
    )  # fmt: skip
    least = abs(rows @ program.x[:3] - y).sum()
    assert found.loss * N <= least * (1 + 1e-12) + 1e-9
    assert found.loss * N == pytest.approx(program.fun, rel=1e-9, abs=1e-9)
    assert found.converged == (not bounds)
    if name not in ("whole numbers", "few kinds of rows", "zeros", "bounds"):  # which have many minima
        weights = [found.params[n] * size for n, size in zip("abc", sizes, strict=True)]
        assert weights == pytest.approx(program.x[:3].tolist(), rel=1e-7, abs=1e-9)


def test_groups_curves_and_standard_errors_are_those_of_all_rows_together(few, monkeypatch):
    site = np.array(list("ABC"))[DRAW.integers(0, 3, N)].tolist()
    curve = 3 * np.exp(-0.7 * X) + 1 + 0.1 * T
    cases = [("a[site]*x + c", LINE + T, {}), ("a*exp(-k*x) + c", curve, {"init": {"a": 2.0, "k": 1.0, "c": 0.0}})]
    for formula, y, more in cases:
        apart = fit(formula, {"x": X, "site": site, "y": y}, target="y", loss="mae", **more)
        with monkeypatch.context() as patch:
            patch.setattr(bands, "TOGETHER", 10**9)
            whole = fit(formula, {"x": X, "site": site, "y": y}, target="y", loss="mae", **more)
        assert apart.converged
        assert apart.params == pytest.approx(whole.params, rel=1e-12)
        assert apart.stderr == pytest.approx(whole.stderr, rel=1e-9)


def test_no_more_rows_come_together_than_may(few, monkeypatch):
    seen = []
    ask = bands.NearRows.ask
    monkeypatch.setattr(bands.NearRows, "ask", lambda self, *asked, **more: seen.append(ask(self, *asked, **more)) or seen[-1])
    x, z, y, _ = TABLES["heavy tails"]
    assert fit(PLANE, {"x": x, "z": z, "y": y}, target="y", loss="mae").converged
    assert 0 < max(len(near.rows) for near in seen) < 2 * FEW
    assert len(seen) < 20


def test_weights_that_rows_do_not_determine_are_named(few):
    found = fit("a*x + b*x + c", {"x": X, "y": LINE + T}, target="y", loss="mae")
    assert "the rows do not determine a, b" in found.reason


def test_a_start_without_a_number_names_its_row(few):
    with pytest.raises(ValueError, match=r"row 3, x=-1.0"):
        fit("a*log(x)", {"x": [1.0, 2.0, -1.0, 4.0], "y": [1.0] * 4}, target="y", loss="mae", init={"a": 1.0})
