"""`minimize` by least squares, Newton's method and L-BFGS: known minima at any scale, and the same bits after a death."""

import json
import math
from functools import partial

import numpy as np
import pytest

from autograd_lite import exp, log, sin, where
from autograd_lite.errors import InputTypeError, InputValueError, MissingPackageError
from autograd_lite.fit import minimize
from autograd_lite.optim import SGD
from tests.fit.nist import digits, problem
from tests.functions import decayed, rosenbrock

DRAW = np.random.default_rng(5)
X = DRAW.uniform(0, 4, 80)
Y = 3.0 * np.exp(-0.7 * X) + 0.02 * DRAW.normal(size=80)


def square(p, x, y):
    return decayed(p, x, y) ** 2


def bits_of(found):
    return [x.hex() for x in (*found.params.values(), found.loss)], found.steps, found.reason


def test_certified_weights_by_residuals():
    p = problem("Misra1a")
    residual = lambda w, x, y: w["b1"] * (1 - exp(-w["b2"] * x)) - y  # noqa: E731
    for start in p.starts:
        found = minimize(residual=residual, params=start, data=(p.columns["x"], p.columns["y"]))
        assert (found.reason, found.method) == ("converged", "lm")
        assert min(digits(found.params[n], p.weights[n]) for n in p.weights) > 9
        assert found.loss * len(p.columns["x"]) == pytest.approx(p.rss, rel=1e-9)


@pytest.mark.parametrize("method", ["newton", "lbfgs"])
def test_other_methods_come_to_the_same_weights(method):
    wanted = minimize(residual=decayed, params={"a": 1.0, "k": 0.1}, data=(X, Y))
    found = minimize(square, {"a": 1.0, "k": 0.1}, (X, Y), method=method)
    assert (found.reason, found.method) == ("converged", method)
    assert found.params == pytest.approx(wanted.params, rel=1e-7)
    assert found.loss == pytest.approx(wanted.loss, rel=1e-12)


def test_several_residuals_of_a_row_are_added_up():
    found = minimize(
        residual=lambda p, x, y: [p[0] * x - y, 2.0 * (p[1] - y)], params=[0.0, 0.0], data=([1.0, 3.0], [5.0, 7.0])
    )
    assert found.params == pytest.approx([26 / 10, 6.0], rel=1e-14)


def test_residuals_without_data():
    found = minimize(residual=lambda p: [10 * (p[1] - p[0] ** 2), 1 - p[0]], params=[-1.2, 1.0])
    assert found.reason == "converged"
    assert found.params == pytest.approx([1.0, 1.0], rel=1e-12)


@pytest.mark.parametrize(("count", "method"), [(2, "newton"), (10, "newton"), (2, "lbfgs"), (150, "lbfgs")])
def test_rosenbrock(count, method):
    found = minimize(rosenbrock, [0.4, 0.6] * (count // 2), method=method, steps=2000)
    assert found.reason == "converged"
    assert found.params == pytest.approx([1.0] * count, rel=1e-6)


def test_auto_takes_what_suits_the_loss():
    assert minimize(lambda p: (p[0] - 3) ** 2, [0.0]).method == "newton"
    assert minimize(lambda p: sum((x - 3) ** 2 for x in p), [0.0] * 101).method == "lbfgs"
    assert minimize(lambda p: (p[0] - 3) ** 2, [0.0], optimizer=partial(SGD, lr=0.1), steps=3).method == "descent"
    assert minimize(lambda p: (p[0] - 3) ** 2, [0.0], method="adam", steps=3).method == "descent"


@pytest.mark.parametrize("size", [1e-300, 1e-20, 1.0, 1e20, 1e300])
def test_residuals_of_any_size(size):
    found = minimize(residual=decayed, params={"a": size, "k": 0.5}, data=(X, Y * size))
    wanted = minimize(residual=decayed, params={"a": 1.0, "k": 0.5}, data=(X, Y))
    assert found.reason == wanted.reason == "converged"
    assert found.params["a"] / size == pytest.approx(wanted.params["a"], rel=1e-9)
    assert found.params["k"] == pytest.approx(wanted.params["k"], rel=1e-9)


@pytest.mark.parametrize("size", [1e-20, 1e20])
def test_a_loss_of_any_size(size):
    found = minimize(lambda p, x, y: size * square(p, x, y), {"a": 1.0, "k": 0.1}, (X, Y), method="newton")
    wanted = minimize(residual=decayed, params={"a": 1.0, "k": 0.1}, data=(X, Y))
    assert found.reason == "converged"
    assert found.params == pytest.approx(wanted.params, rel=1e-7)


def test_a_saddle_is_left():
    found = minimize(residual=lambda p, x, y: p[0] * sin(p[1] * x) - y, params=[0.0, 0.0], data=(X, 2 * np.sin(0.9 * X)))
    assert found.reason == "converged"
    assert [abs(x) for x in found.params] == pytest.approx([2.0, 0.9], rel=1e-9)
    found = minimize(lambda p: p[0] ** 4 - p[0] ** 2, [0.0])
    assert found.reason == "converged"
    assert abs(found.params[0]) == pytest.approx(0.5**0.5, rel=1e-9)


def test_weights_that_rows_leave_open_are_no_answer():
    found = minimize(residual=lambda p, x, y: p[0] * x + p[1] * x - y, params=[0.0, 0.0], data=(X, Y))
    assert found.reason == "undetermined"


def test_a_limit_of_steps_is_said():
    assert minimize(rosenbrock, [-1.2, 1.0], steps=3).reason == "steps"
    assert minimize(residual=decayed, params={"a": 100.0, "k": 5.0}, data=(X, Y), steps=2).reason == "steps"


def test_a_loss_without_a_bottom_is_not_converged():
    assert minimize(lambda p, x: exp(-p * x), 0.0, ([1.0, 2.0],), steps=40).reason == "steps"


@pytest.mark.parametrize("options", [{"residual": decayed}, {"loss": square}, {"loss": square, "method": "lbfgs"}])
@pytest.mark.parametrize(("column", "place"), [(0, 3), (1, 60)])
def test_the_row_without_a_finite_loss_is_named(options, column, place):
    data = (X.copy(), Y.copy())
    data[column][place] = math.nan
    with pytest.raises(InputValueError, match=rf"the loss is nan in row {place + 1}, data\[0\]=.*data\[1\]="):
        minimize(params={"a": 1.0, "k": 0.1}, data=data, **options)


def test_descent_names_the_row_that_is_no_number():
    y = Y.copy()
    y[40] = math.nan
    with pytest.raises(InputValueError, match=r"the loss at the start is nan, and row 41 has data\[0\]=.*, data\[1\]=nan"):
        minimize(square, {"a": 1.0, "k": 0.1}, (X, y), optimizer=partial(SGD, lr=0.1), steps=5)


@pytest.mark.parametrize("method", ["lm", "newton", "lbfgs"])
def test_after_any_death_it_goes_on_to_the_same_bits(method, tmp_path):
    loss = {"residual": decayed} if method == "lm" else {"loss": square}
    run = {**loss, "params": {"a": 90.0, "k": 3.0}, "data": (X, Y), "method": method}
    whole = minimize(**run)
    assert whole.steps > 5

    class DeadError(Exception):
        pass

    path = tmp_path / "run.json"
    for death in range(whole.steps):

        def dying(step, loss, params, death=death):
            if step == death:
                raise DeadError

        with pytest.raises(DeadError):
            minimize(**run, checkpoint=path, callback=dying)
    again = minimize(**run, checkpoint=path)
    assert bits_of(again) == bits_of(whole)
    assert again.history == whole.history
    assert bits_of(minimize(**run, checkpoint=path)) == bits_of(whole)


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    path = tmp_path / "run.json"
    run = {"residual": decayed, "params": {"a": 1.0, "k": 0.1}, "checkpoint": path}
    minimize(**run, data=(X, Y))
    with pytest.raises(InputValueError, match="belongs to a run with data="):
        minimize(**run, data=(X, Y + 1))
    content = json.loads(path.read_text())
    content["state"]["x"] = ["one"]
    path.write_text(json.dumps(content))
    with pytest.raises(InputValueError, match="its digest is not that of its state"):
        minimize(**run, data=(X, Y))
    path.write_text(json.dumps({name: part for name, part in content.items() if name != "state"}))
    with pytest.raises(InputValueError, match="its digest is not that of its state"):
        minimize(**run, data=(X, Y))


def test_the_callback_ends_it():
    found = minimize(rosenbrock, [-1.2, 1.0], callback=lambda step, loss, p: step == 4)
    assert (found.reason, found.steps) == ("stopped", 5)
    assert found.history[0] == (0, pytest.approx(24.2))
    assert found.history[-1] == (5, found.loss)


WRONG = [
    ({"loss": square, "residual": decayed}, InputTypeError, "residual= takes the place of the loss"),
    ({"loss": square, "method": "lm"}, InputValueError, "method='lm' is for sums of squares: give residual="),
    ({"loss": square, "method": "newton", "tol": 1e-9}, InputValueError, "takes no optimizer, batch_size or tol"),
    ({"loss": square, "method": "bfgs"}, InputValueError, "method='bfgs' must be one of auto, descent, lm, newton"),
    ({"loss": square, "optimizer": SGD}, InputValueError, "descent must be told how many steps to make: steps=1000"),
    ({"loss": None}, InputTypeError, "loss=None is not callable"),
]


@pytest.mark.parametrize(("change", "kind", "said"), WRONG, ids=[w[2][:40] for w in WRONG])
def test_wrong_settings_are_named(change, kind, said):
    with pytest.raises(kind) as caught:
        minimize(params={"a": 1.0, "k": 0.1}, data=(X, Y), **change)
    assert said in str(caught.value)


def test_without_numpy_there_is_descent(monkeypatch):
    monkeypatch.setattr("autograd_lite.fit.descent.numpy", lambda: None)
    assert minimize(lambda p: (p[0] - 3) ** 2, [0.0], steps=3).method == "descent"
    with pytest.raises(MissingPackageError, match="method='newton' needs NumPy"):
        minimize(lambda p: (p[0] - 3) ** 2, [0.0], method="newton")


def test_a_loss_that_branches_is_run_row_by_row():
    def branching(p, x, y):
        r = p["a"] * x - y
        return r * r if x > 1 else 2 * r * r

    with pytest.warns(match="row by row"):
        found = minimize(branching, {"a": 0.0}, (X, Y))
    w = np.where(X > 1, 1.0, 2.0)
    assert found.params["a"] == pytest.approx((w * X * Y).sum() / (w * X * X).sum(), rel=1e-12)
    same = minimize(lambda p, x, y: where(x > 1, 1.0, 2.0) * (p["a"] * x - y) ** 2, {"a": 0.0}, (X, Y))
    assert same.params["a"] == pytest.approx(found.params["a"], rel=1e-12)


def test_a_likelihood_of_ones_own():  # the exponential distribution: the rate is one over the mean
    found = minimize(lambda p, x: exp(p["r"]) * x - p["r"], {"r": 0.0}, (X,))
    assert found.params["r"] == pytest.approx(-log(X.mean()), rel=1e-10)
