"""How fits end: each planted fault by its name, never converged over a wrong answer, and as exact as linear algebra."""

import itertools
import math
import re

import numpy as np
import pytest

from autograd_lite.errors import InputValueError
from autograd_lite.fit import fit, minimize
from autograd_lite.fit.methods.absolute import corner
from autograd_lite.fit.methods.lbfgs import lbfgs
from autograd_lite.fit.methods.newton import newton
from autograd_lite.fit.methods.trust import State, least_squares
from autograd_lite.fit.model import Model
from autograd_lite.fit.rows import Rows
from autograd_lite.fit.rows.residuals import Residuals
from autograd_lite.fit.rows.spread import TargetSpread
from autograd_lite.formula import parse
from autograd_lite.tree import flatten

X = np.linspace(1, 10, 30)
DRAW = np.random.default_rng(0)
Y = 2 * X + 1 + 0.1 * DRAW.normal(size=30)
COIN = (DRAW.random(30) < 0.5) * 1.0

OPEN = [
    ("a*x + b*x", Y, {}, "the rows do not determine a, b"),
    ("a*b*x", Y, {}, "the rows do not determine a, b"),
    ("a*x + b*x", Y, {"loss": "huber"}, "the rows do not determine a, b"),
    ("a*x + b*x", Y, {"loss": "mae"}, "the rows do not determine a, b"),
    ("a*x + b*x", COIN, {"loss": "logistic"}, "the rows do not determine a, b"),
    ("a*exp(k*x)", Y, {"init": {"a": 1.0, "k": -1000.0}}, "the rows do not determine"),
    ("k*x", -Y, {"bounds": {"k": (0.0, 9.0)}}, "at a bound: k = 0, beyond which the loss would fall"),
    ("a*x + b", Y, {"bounds": {"a": (-1.0, 0.5)}, "loss": "huber", "scale": 1.0}, "at a bound: a = 0.5"),
    ("a*x + b", Y, {"bounds": {"a": (-1.0, 0.0)}, "loss": "mae"}, "at a bound: a = 0"),
    ("a*x", 100 + DRAW.normal(size=30), {}, "the mean of the target does as well as the formula"),
    ("a*x + b", np.full(30, 3.0), {}, "the target is the same in every row"),
    ("a*x + b", np.full(30, 3.0), {"loss": "huber"}, "the target is the same in every row"),
    ("a*x + b", (X > 5) * 1.0, {"loss": "logistic"}, "separates the 0s from the 1s perfectly"),
    ("a*x + b", np.ones(30), {"loss": "logistic"}, "the target is the same in every row"),
    ("a*exp(-k*x)", Y, {"steps": 1, "init": {"a": 1.0, "k": 9.0}}, "the limit of steps is reached"),
]


@pytest.mark.parametrize(("formula", "y", "options", "said"), OPEN, ids=[f"{o[0]} {o[2].get('loss', '')}" for o in OPEN])
def test_what_is_no_answer_is_not_converged(formula, y, options, said):
    some = slice(None, None, 5 if "separates" in said or not np.ptp(y) else 1)  # a run without an end takes all its steps
    found = fit(formula, {"x": X[some], "y": y[some]}, target="y", **options)
    assert not found.converged
    if "logistic" in found.model.kind and not np.ptp(y):
        assert "separates" in found.reason
    else:
        assert said in found.reason
    assert "not converged" in found.table()
    assert found.as_dict()["converged"] is False


@pytest.mark.parametrize("method", ["newton", "lbfgs"])
def test_a_part_of_the_rows_that_is_separated(method):
    right = (X > 7) * 1.0
    y = np.where(X > 7, 1.0, COIN)
    found = fit("a*x + b + c*g", {"x": X, "g": right, "y": y}, target="y", loss="logistic", method=method)
    assert not found.converged
    assert "separates some of the 0s from the 1s perfectly" in found.reason
    assert "c run away" in found.reason


@pytest.mark.parametrize(("count", "formula", "said"), [
    (1, "a*x + b", "1 row is fewer than 2 weights"), (2, "a*x + b + c*x**2", "2 rows are fewer than 3 weights"),
    (1, "a*x", "one row says nothing"),
])  # fmt: skip
def test_too_few_rows(count, formula, said):
    found = fit(formula, {"x": [1.0, 2.0][:count], "y": [2.0, 5.0][:count]}, target="y")
    assert not found.converged
    assert said in found.reason


def test_an_exact_fit_is_named():
    for loss in ("mse", "huber", "mae"):
        found = fit("a*x + b", {"x": X, "y": 2 * X + 1}, target="y", loss=loss)
        assert found.converged
        assert found.params == pytest.approx({"a": 2.0, "b": 1.0}, rel=1e-12)
    assert (
        "zero to rounding, so that the standard errors are rounding too"
        in fit("a*x + b", {"x": X, "y": 2 * X + 1}, target="y").table()
    )


def test_as_many_weights_as_rows():
    found = fit("a*x + b", {"x": [1.0, 2.0], "y": [2.0, 5.0]}, target="y")
    assert found.params == pytest.approx({"a": 3.0, "b": -1.0}, rel=1e-12)
    assert all(math.isnan(x) for x in found.stderr.values())
    assert "as many weights as rows" in found.table()


@pytest.mark.parametrize("formula", ["a*sin(w*x)", "a*exp(k*x)", "b1*(1-exp(-b2*x))"])
def test_a_start_at_a_saddle_is_left(formula):
    wanted = {
        "a*sin(w*x)": 3 * np.sin(0.4 * X),
        "a*exp(k*x)": 3 * np.exp(-0.4 * X),
        "b1*(1-exp(-b2*x))": 3 - 3 * np.exp(-0.4 * X),
    }
    names = parse(formula).names
    start = {name: 0.0 for name in names if name != "x"}
    found = fit(formula, {"x": X, "y": wanted[formula]}, target="y", init=start)
    assert found.converged
    assert sorted(abs(v) for v in found.params.values()) == pytest.approx([0.4, 3.0], rel=1e-8)


def test_the_target_is_no_weight():
    with pytest.raises(InputValueError, match="has the target 'y' in it"):
        fit("a*y + b", {"x": X, "y": Y}, target="y")


@pytest.mark.parametrize(("sigma", "weights"), [(0.0, None), (-1.0, None), (None, -1.0)])
def test_deviations_and_weights_are_above_zero(sigma, weights):
    table = {"x": X, "y": Y, "s": np.full(30, sigma or 1.0), "w": np.full(30, weights or 1.0)}
    if sigma == 0.0:
        table["s"][:] = 0.0
    name = {"sigma": "s"} if sigma is not None else {"weights": "w"}
    with pytest.raises(InputValueError, match=r"row 1: [sw]=.* must be (above 0|0 or more)"):
        fit("a*x + b", table, target="y", **name)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("sigma", 1e-320, "s=1e-320 makes a row count more than a double can hold: scale the column"),
        ("weights", 0.0, "s is 0 in every row: give the rows that count a weight above 0"),
    ],
)
def test_deviations_and_weights_out_of_range_are_named(name, value, said):
    with pytest.raises(InputValueError, match=re.escape(said)):
        fit("a*x + b", {"x": X, "y": Y, "s": np.full(30, value)}, target="y", **{name: "s"})


def test_a_block_of_rows_may_weigh_nothing():
    model = Model("a*x + b", "y", ["x", "y", "w"], weighting="w")
    spread = TargetSpread(model, Rows.of({"x": X, "y": Y, "w": np.ones(30)}))
    none, all_ = (spread.leaf((), [X, Y, np.full(30, w)]) for w in (0.0, 1.0))
    for a, b in itertools.permutations([none, all_]):
        both = spread.both(a, b)
        assert (both.weight, both.mean) == (30, pytest.approx(np.mean(Y)))
        assert both.spread == pytest.approx(np.linalg.norm(Y - np.mean(Y)))
    assert spread.both(none, none).weight == 0


def conditioned(draw, rows, columns, condition):
    """A design of a condition number, not by the lengths of its columns alone, and targets near a plane over it."""
    u, _ = np.linalg.qr(draw.normal(size=(rows, columns)))
    v, _ = np.linalg.qr(draw.normal(size=(columns, columns)))
    design = u * np.geomspace(1, 1 / condition, columns) @ v.T
    return design, design @ draw.normal(size=columns) + 1e-3 * draw.normal(size=rows)


@pytest.mark.parametrize("seed", range(12))
def test_badly_conditioned_planes_have_the_digits_of_lstsq(seed):
    mpmath = pytest.importorskip("mpmath", reason="mpmath is only in the extra that compares with it")
    draw = np.random.default_rng(seed)
    condition = 10.0 ** draw.uniform(0, 12)
    design, y = conditioned(draw, 40, 4, condition)
    with mpmath.workdps(60):
        a, b = mpmath.matrix(design.tolist()), mpmath.matrix(y.tolist())
        exact = np.array([float(x) for x in mpmath.lu_solve(a.T * a, a.T * b)])
    columns = {f"x{i}": design[:, i].copy() for i in range(4)}
    found = fit(" + ".join(f"w{i}*x{i}" for i in range(4)), {**columns, "y": y}, target="y")
    ours = max(abs(found.params[f"w{i}"] - exact[i]) for i in range(4)) / abs(exact).max()
    theirs = abs(np.linalg.lstsq(design, y, rcond=None)[0] - exact).max() / abs(exact).max()
    assert ours <= max(10 * theirs, 2e-16 * condition)  # of a lucky one the rounding that is to be expected
    assert found.converged


@pytest.mark.parametrize("backend", ["numpy", "machine"])
def test_the_bits_do_not_depend_on_threads_and_pieces(backend, monkeypatch):
    if backend == "machine":
        pytest.importorskip("llvmlite", reason="llvmlite is only in the extra that compiles")
        monkeypatch.setattr("autograd_lite.fit.rows.residuals.MACHINE", 0)
    draw = np.random.default_rng(4)
    x = draw.uniform(0, 5, 1013)
    columns = {"x": x, "y": 3 * np.exp(-0.7 * x) + draw.normal(size=1013) * 0.01}
    formula = parse("a*exp(-k*x) + b*sin(x)")
    start = {"a": 1.0, "k": 0.5, "b": 0.1}
    _, spec = flatten(start, "p")

    def end(threads=None, **options):
        made = Residuals(lambda w, row: formula({**w, **row}) - row["y"], spec, 3, Rows(columns, threads), **options)
        found = least_squares(made.triangle, State(list(start.values())), made.size)
        return found.x.tolist(), found.triangle.tolist(), found.steps

    wanted = end()
    for block in (50, 100, 150, 500):
        for threads in (1, 2, 3):
            assert end(block=block, threads=threads) == wanted


def test_blocks_of_a_large_table_add_up_to_the_same_bits(monkeypatch):
    draw = np.random.default_rng(6)
    n = 2 * 65536 + 777
    x = draw.normal(size=(n, 2))
    table = {"u": x[:, 0].copy(), "v": x[:, 1].copy(), "y": x @ [2.0, -1.0] + 0.5 + draw.normal(size=n)}
    wanted = fit("a*u + b*v + c", table, target="y")
    for options in ({"threads": 1}, {"threads": 2, "block": 512}, {"block": 65536}):
        found = fit("a*u + b*v + c", table, target="y", **options)
        assert found.params == wanted.params
        assert found.covariance == wanted.covariance
    exact = np.linalg.lstsq(np.column_stack([x, np.ones(n)]), table["y"], rcond=None)[0]
    assert list(wanted.params.values()) == pytest.approx(exact, rel=1e-12)


def test_functions_without_a_start():
    from autograd_lite.fit.rows.curvature import Sums

    def nowhere(x):
        return Sums(math.nan, math.nan, np.zeros(1), np.ones((1, 1)))

    for method in (newton, lbfgs):
        with pytest.raises(FloatingPointError):
            method(nowhere, State([1.0]))


def test_a_corner_among_ties():
    q, _ = np.linalg.qr(np.column_stack([np.ones(30), np.round(X)]))
    r = np.round(Y)
    u, sure = corner(q, -r, q.T @ r)
    assert sure
    trials = [abs(q @ (u + 1e-3 * np.array([np.cos(t), np.sin(t)])) - r).sum() for t in np.linspace(0, 6.3, 40)]
    assert min(trials) >= abs(q @ u - r).sum() - 1e-12


def wave(size=60):
    x = np.linspace(0, 10, size)
    return {"x": x, "y": 3 * np.sin(2.3 * x + 0.4) + 1 + 0.05 * np.random.default_rng(0).normal(size=size)}


def test_of_waves_that_are_one_the_phase_next_to_zero_is_given():
    found = fit("a*sin(w*x + p) + c", wave(), target="y")
    assert found.converged
    assert abs(found.params["p"] - 0.4) < 0.05


CURVES = {  # weights, and the power of the column's size that each has
    "a*sin(w*x + p)": ({"a": 2.0, "w": 6.98, "p": 1.0}, {"w": -1}),
    "a*exp(-k*x)*cos(w*x + p)": ({"a": 1.3, "k": 0.31, "w": 3.86, "p": -0.06}, {"k": -1, "w": -1}),
    "v*x**h/(k**h + x**h)": ({"v": 4.4, "k": 2.7, "h": 2.0}, {"k": 1}),
    "a*exp(-((x - m)/s)**2)": ({"a": 2.5, "m": 3.1, "s": 0.4}, {"m": 1, "s": 1}),
    "a*tanh(k*x)": ({"a": 2.0, "k": 1.3}, {"k": -1}),
}


@pytest.mark.parametrize("size", [1e-12, 1e12])
@pytest.mark.parametrize("formula", CURVES)
def test_curves_over_columns_of_any_size_need_no_start(formula, size):
    weights, powers = CURVES[formula]
    x, noise = np.linspace(0.1, 5, 40), np.random.default_rng(3).normal(size=40)
    names = {name: getattr(np, name) for name in ("sin", "cos", "exp", "tanh")}
    y = eval(formula, {**names, **weights, "x": x}) + 1e-3 * noise  # by NumPy
    found = fit(formula, {"x": size * x, "y": 1e6 * y}, target="y")
    assert found.converged, found.reason
    assert found.summary.r2 > 0.9999
    scaled = {n: found.params[n] / size ** powers.get(n, 0) / (1e6 if n in "av" or formula[0] == n else 1) for n in weights}
    if "sin" in formula or "cos" in formula:  # the same wave with other signs, or a turn on
        scaled = {n: abs(scaled[n]) for n in weights if n != "p"}
    assert scaled == pytest.approx({n: weights[n] for n in scaled}, rel=2e-2)


def test_steps_of_the_search_count():
    table = {"x": wave()["x"], "y": 3 * np.exp(-0.7 * wave()["x"]) + 1}
    found = fit("a*exp(-k*x) + c", table, target="y")
    assert found.before > 0
    assert f"converged after {found.before + found.steps} steps" in found.ended()
    assert found.as_dict()["steps"] == found.before + found.steps


def test_both_ends_of_an_interval_are_written_alike():
    x = np.arange(40.0)
    found = fit("a*x + b", {"x": x, "y": 2 * x + 1e9 + np.sin(x) * 10}, target="y")
    (row,) = [line for line in found.table().splitlines() if line.startswith("b ")]
    assert row.count("e+0") == 3


@pytest.mark.parametrize(("size", "said"), [(1e-300, "the sum of squares, 0, is"), (1e298, "the sum of squares, inf, is")])
def test_squares_beyond_the_doubles_are_named(size, said):
    x = np.arange(20.0)
    found = fit("a*x + b", {"x": x, "y": size * (2 * x + np.sin(3 * x))}, target="y")
    assert found.converged
    assert any(said in note for note in found.notes)
    assert found.params["a"] / size == pytest.approx(np.polyfit(x, 2 * x + np.sin(3 * x), 1)[0], rel=1e-12)


def test_a_weight_that_a_column_is_compared_with_is_looked_for_among_its_values():
    x = wave()["x"]
    found = fit("where(x > c, a, b)", {"x": x, "y": np.where(x > 4.3, 2.0, 1.0) + 0.01 * np.sin(9 * x)}, target="y")
    assert abs(found.params["c"] - 4.3) < 0.2
    assert found.params["a"] == pytest.approx(2.0, abs=0.01)
    assert not found.converged
    assert "do not determine c" in found.reason


def test_a_fit_prints_its_table_and_shows_itself_in_one_line():
    found = fit("w*x + b", {"x": [1.0, 2.0, 3.0, 4.0], "y": [1.0, 3.1, 4.9, 7.0]}, target="y")
    assert str(found) == found.table()
    assert repr(found) == "Fit(w=1.9800±0.0424, b=-0.950±0.116; converged, 4 rows)"


def test_descent_by_the_name_of_its_optimizer():
    found = minimize(lambda p, x, y: (p * x - y) ** 2, 0.0, ([0.5, 1.0], [1.0, 2.0]), method="sgd", steps=2000)
    assert found.params == pytest.approx(2.0, rel=1e-6)
