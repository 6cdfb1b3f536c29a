"""A fit that died at any step and goes on from its checkpoint ends at the same bits, by every method."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from autograd_lite.fit.methods.trust import State
from autograd_lite.fit.model import Model
from autograd_lite.fit.rows.data import as_rows
from autograd_lite.fit.rows.words import coded
from autograd_lite.fit.solve import Solver

DRAW = np.random.default_rng(11)
X = DRAW.uniform(0, 5, 90)
SITE = np.array(["A", "B"])[DRAW.integers(0, 2, 90)].tolist()
CURVE = 3 * np.exp(-0.7 * X) + 0.05 * DRAW.standard_t(2, size=90)
FAR = {"a": 40.0, "k": 3.0}
COUNTS = DRAW.poisson(np.exp(0.2 + 0.3 * X)).astype(float)

FITS = {
    "lm": ("a*exp(-k*x)", CURVE, {"given": FAR}),
    "lm, groups": ("a[site]*exp(-k*x)", CURVE, {"given": {"a[A]": 40.0, "a[B]": 30.0, "k": 3.0}}),
    "lm, groups on a line, no start": ("a[site] + b*x", CURVE, {}),
    "mae, no start": ("a[site] + b*x", CURVE, {"loss": "mae"}),
    "poisson, no start": ("a + b*x", COUNTS, {"loss": "poisson"}),
    "lm, a saddle": ("a*sin(w*x)", np.sin(X), {"given": {"a": 0.0, "w": 0.0}}),
    "huber": ("a*exp(-k*x)", CURVE, {"given": FAR, "loss": "huber"}),
    "cauchy, a given scale": ("a*exp(-k*x)", CURVE, {"given": FAR, "loss": "cauchy", "scale": 0.05}),
    "soft_l1 by lbfgs": ("a*exp(-k*x)", CURVE, {"given": {"a": 4.0, "k": 1.0}, "loss": "soft_l1", "method": "lbfgs"}),
    "mae": ("a*exp(-k*x)", CURVE, {"given": {"a": 4.0, "k": 1.0}, "loss": "mae"}),
    "poisson, groups": ("a[site] + b*x", COUNTS, {"given": {"a[A]": 3.0, "a[B]": -3.0, "b": 1.0}, "loss": "poisson"}),
}


def solved(formula, y, state=None, watch=None, loss="mse", scale=None, **options):
    table = {"x": X, "site": SITE, "y": y}
    first = Model(formula, "y", list(table), loss, scale=scale)
    levels = coded(table, first.text)[1]
    model = Model(formula, "y", list(table), loss, scale=scale, levels=levels)
    return Solver(model, as_rows(table, model), state=state, watch=watch, **options).run()


def bits(found):
    numbers = [*found.params.values(), found.loss, *(x for row in found.covariance or () for x in row)]
    said = found.reason, found.history, found.notes, found.linear
    return [float(x).hex() for x in numbers], found.before, found.steps, *said


@pytest.mark.parametrize("name", FITS)
def test_from_any_step_to_the_same_bits(name):
    formula, y, options = FITS[name]
    states = []

    def keep(state):
        states.append(json.dumps(asdict(state), allow_nan=False))
        return False

    whole = solved(formula, y, watch=keep, **options)
    assert len(states) == whole.steps > 0
    for text in states[:: max(1, len(states) // 8)]:
        assert bits(solved(formula, y, state=State(**json.loads(text)), **options)) == bits(whole)
