"""A formula and a table: certified standard errors, starts nobody gave, and each ending by its name."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from autograd_lite.cli import application
from autograd_lite.fit import fit
from autograd_lite.fit.methods import bands
from autograd_lite.fit.model import Model
from autograd_lite.fit.solve import Solver
from autograd_lite.fit.statistics import students_t
from autograd_lite.interrupt import Interrupted, is_interrupted
from tests.fit.nist import digits, problem

# what leaves terms that may change places aside: from these no start is given
ALONE = [
    "BoxBOD",
    "Chwirut2",
    "DanWood",
    "Eckerle4",
    "Kirby2",
    "MGH09",
    "MGH10",
    "Misra1a",
    "Misra1d",
    "Nelson",
    "Rat42",
    "Rat43",
]


@pytest.mark.parametrize("name", ["Misra1a", "Nelson", "Thurber", "Lanczos2"])
def test_certified_standard_errors_and_sums(name):
    p = problem(name)
    found = fit(p.formula, p.columns, target=p.target, init=p.starts[1])
    assert found.converged
    assert min(digits(found.params[n], p.weights[n]) for n in p.weights) > 9
    assert min(digits(found.stderr[n], p.errors[n]) for n in p.errors) > 7
    assert found.summary.rss == pytest.approx(p.rss, rel=1e-8)


@pytest.mark.parametrize("name", ALONE)
def test_without_a_start(name):
    p = problem(name)
    found = fit(p.formula, p.columns, target=p.target)
    assert found.converged
    assert min(digits(found.params[n], p.weights[n]) for n in p.weights) > 6


def test_a_line_beside_numpy():
    draw = np.random.default_rng(1)
    x = draw.normal(size=(60, 2))
    y = x @ [2.0, -3.0] + 1 + draw.normal(size=60)
    found = fit("a*u + b*v + c", {"u": x[:, 0], "v": x[:, 1], "y": y}, target="y")
    design = np.column_stack([x, np.ones(60)])
    wanted, rss = np.linalg.lstsq(design, y, rcond=None)[:2]
    errors = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * rss[0] / 57)
    assert [found.params[n] for n in "abc"] == pytest.approx(wanted, rel=1e-12)
    assert [found.stderr[n] for n in "abc"] == pytest.approx(errors, rel=1e-10)
    assert found.low["a"] == pytest.approx(wanted[0] - 2.0024654592910 * errors[0], rel=1e-10)


def test_quantiles_of_t():  # from the closed forms for 1 and 2 degrees of freedom
    for p in (0.6, 0.9, 0.975, 0.999):
        assert students_t(p, 1) == pytest.approx(np.tan(np.pi * (p - 0.5)), rel=1e-9)
        assert students_t(p, 2) == pytest.approx((2 * p - 1) / np.sqrt(2 * p * (1 - p)), rel=1e-9)


X = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
ENDINGS = [
    ("w*x + b + c", [1.0, 3.0, 2.0, 5.0, 4.0, 6.0], {}, False, "do not determine b, c"),
    ("a*x + b", [2.0, 2.0, 2.0, 2.0, 2.0, 2.0], {}, False, "the target is the same"),
    ("a*x + b", [3.0, 5.0, 7.0, 9.0, 11.0, 13.0], {}, True, "zero to rounding"),
    ("k*x", [-1.0, -2.0, -3.0, -4.0, -5.0, -7.0], {"bounds": {"k": (0.0, 9.0)}}, False, "at a bound"),
    ("a*x + b", [0.0, 0.0, 0.0, 1.0, 1.0, 1.0], {"loss": "logistic"}, False, "separates"),
]


@pytest.mark.parametrize(("formula", "y", "options", "converged", "said"), ENDINGS, ids=[e[4] for e in ENDINGS])
def test_each_ending_is_named(formula, y, options, converged, said):
    found = fit(formula, {"x": X, "y": y}, target="y", **options)
    assert found.converged is converged
    assert said in found.table()


def test_one_row_is_fewer_than_two_weights():
    found = fit("a*x + b", {"x": [1.0], "y": [2.0]}, target="y")
    assert not found.converged
    assert "1 row is fewer than 2 weights" in found.reason


def test_json_and_the_status_of_what_did_not_converge(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x,y\n1,1\n2,3\n3,2\n4,5\n")
    done = CliRunner().invoke(application(), ["fit", str(path), "w*x + b", "--target", "y", "--json"])
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert found["converged"] is True
    assert found["params"]["w"]["value"] == pytest.approx(1.1, rel=1e-12)
    assert {"reason", "method", "loss", "rss", "n", "dof", "r2", "correlation", "steps"} <= found.keys()
    done = CliRunner().invoke(application(), ["fit", str(path), "w*x + b + c", "--target", "y"])
    assert done.exit_code == 3


@pytest.mark.parametrize(
    ("method", "loss", "scale"),
    [
        ("lm", "mse", None),
        ("newton", "huber", None),
        ("newton", "huber", 0.5),
        ("lbfgs", "huber", None),
        ("newton", "logistic", None),
        ("auto", "mae", None),
    ],
)
def test_ctrl_c_in_a_pass_leaves_it_with_the_weights_of_the_last_step(method, loss, scale, monkeypatch):
    monkeypatch.setattr(bands, "TOGETHER", 0)
    draw = np.random.default_rng(0)
    x = draw.uniform(-2.0, 2.0, 300)
    y = np.exp(0.7 * x) + draw.normal(size=300)
    y = (y > 1.0) * 1.0 if loss == "logistic" else y
    start = {"a": 0.3, "k": 0.1}

    def run(left):
        def pause():
            nonlocal left
            left -= 1
            if left < 0:
                raise Interrupted

        model = Model("exp(k*x)*a", "y", ["x", "y"], loss, start, scale=scale)
        watch = lambda _: is_interrupted(pause)  # noqa: E731
        return Solver(model, {"x": x, "y": y}, given=start, pause=pause, watch=watch, method=method).run()

    path = [tuple(params.values()) for _, params in run(10**9).path]
    assert len(path) > 4
    for left in (0, 1, 5):
        found = run(left)
        assert not found.converged
        assert "it was stopped" in found.reason
        assert tuple(found.params.values()) == path[found.steps]
        assert found.steps <= 1 + left // 2  # it is asked in the pass of a step, and after it
