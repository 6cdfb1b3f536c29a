"""The file of a fit: all of it comes back, and nothing that somebody has changed in it is an exception of Python's."""

import copy
import json
import random

import numpy as np
import pytest

from autograd_lite.errors import InputValueError
from autograd_lite.fit import fit
from autograd_lite.fit.saved import band, kept_of, load, save
from tests.nesting import places

RNG = np.random.default_rng(1)
X = RNG.uniform(1, 4, 30)
ROWS = {"x": X, "y": 2 * X + RNG.normal(0, 0.1, 30), "s": np.full(30, 0.1), "v": np.full(30, 2.0), "site": ["A", "B", "C"] * 10}
FITS = [
    {"formula": "w*x + b", "target": "y"},
    {"formula": "w*x + b", "target": "log(y)"},
    {"formula": "w*x + b", "target": "y", "sigma": "s"},
    {"formula": "w*x + b", "target": "y", "sigma": "s", "absolute": True},
    {"formula": "w*x + a[group]", "target": "y", "group": "site"},
    {"formula": "w*x + b", "target": "y", "loss": "huber", "scale": 0.5},
    {"formula": "w*x + b", "target": "y", "weights": "v"},
    {"formula": "w*x + a[site]", "target": "y"},
    {"formula": 'w*x + b*is(site, "B")', "target": "y"},
    {"formula": "w*x + b", "target": "y", "loss": "huber"},
    {"formula": "w*x + b", "target": "y", "loss": "mae"},
]


@pytest.mark.parametrize("options", FITS, ids=[" ".join(map(str, options.values())) for options in FITS])
def test_all_of_a_fit_comes_back(options, tmp_path):
    found = fit(data=ROWS, **options)
    save(tmp_path / "w.json", found.model, kept_of(found), {"decimal": ","})
    model, ending, dialect = load(tmp_path / "w.json")
    for name in ("kind", "target", "sigma", "weighting", "group", "weights", "columns", "scale", "measured"):
        assert getattr(model, name) == getattr(found.model, name)
    assert (model.levels or {}) == (found.model.levels or {})
    assert model.formula == found.model.formula
    assert dialect == {"decimal": ","}
    assert ending["converged"] == found.converged
    assert ending["params"] == found.as_dict()["params"]
    if found.covariance is not None:
        row = {name: np.asarray([0.0] if name == "site" else [3.0]) for name in (*model.columns, "s", "v")}
        assert repr(band(model, ending, 0.9, 1).block(row)) == repr(found.band(0.9, 1).block(row))
    else:
        with pytest.raises(InputValueError, match="has no covariance"):
            band(model, ending, 0.9, 1)


JUNK = [None, True, 0, -1, 1.5, 10**400, "", "x", "nan", [], [[]], [1], {}, {"x": 1}, {"": []}, [{}], "\x1b[2J", "w*" * 5000]


def test_whatever_is_changed_in_the_file_is_named(tmp_path):
    found = fit(data=ROWS, **FITS[4])
    save(tmp_path / "good.json", found.model, kept_of(found), {"decimal": ","})
    good = json.loads((tmp_path / "good.json").read_text())
    rng, refused = random.Random(0), 0
    every = [(place, junk) for place in places(good) if place for junk in JUNK]
    for place, junk in rng.sample(every, 250):
        content = copy.deepcopy(good)
        inner = content
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = junk
        (tmp_path / "bad.json").write_text(json.dumps(content))
        try:
            model, ending, _ = load(tmp_path / "bad.json")
        except InputValueError as error:
            refused += "bad.json" in str(error)
            continue
        try:
            band(model, ending, 0.9, 1).block({"x": np.array([1.0]), "site": np.array([0.0])})
        except InputValueError:
            refused += 1
    assert refused > 80


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 100_000, "{" * 10, "1" * 5000, "", "\0", '"\ud800"', "NaN"])
def test_what_is_no_json_is_named(text, tmp_path):
    (tmp_path / "bad.json").write_text(text, errors="surrogatepass")
    with pytest.raises(InputValueError, match=r"bad.json (is not JSON|does not hold)"):
        load(tmp_path / "bad.json")
