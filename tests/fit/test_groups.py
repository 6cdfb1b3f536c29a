"""Weights that are one for each group, beside a design of as many columns; words that are asked for."""

import numpy as np
import pytest

from autograd_lite.errors import InputValueError
from autograd_lite.fit import fit
from autograd_lite.fit.rows.residuals import Residuals
from autograd_lite.fit.solve import Solver
from autograd_lite.tables import read_table

DRAW = np.random.default_rng(8)
N = 200
SITES = np.array(["north", "south", "east"])[DRAW.integers(0, 3, N)]
KINDS = np.array(["old", "new"])[DRAW.integers(0, 2, N)]
X, Z = DRAW.normal(size=N), DRAW.normal(size=N)
LEVEL = {"north": 1.0, "south": 2.5, "east": -1.0}
Y = np.array([LEVEL[s] for s in SITES]) + 0.7 * X * (KINDS == "new") - 0.3 * Z + 0.1 * DRAW.normal(size=N)
TABLE = {"site": SITES.tolist(), "kind": KINDS.tolist(), "x": X, "z": Z, "y": Y}


def design():
    """The columns, by what their weights are called."""
    sites, kinds = dict.fromkeys(SITES.tolist()), dict.fromkeys(KINDS.tolist())
    return {
        **{f"a[{s}]": (s == SITES) * 1.0 for s in sites}, **{f"b[{k}]": (k == KINDS) * X for k in kinds}, "c": Z,
    }  # fmt: skip


def by_hand(columns, y):
    rows = np.column_stack(list(columns.values()))
    w, rss = np.linalg.lstsq(rows, y, rcond=None)[:2]
    sd = np.sqrt(np.diag(np.linalg.inv(rows.T @ rows)) * rss[0] / (len(y) - rows.shape[1]))
    return dict(zip(columns, w, strict=True)), dict(zip(columns, sd, strict=True))


def test_two_columns_of_groups_and_a_weight_that_all_share():
    found = fit("a[site] + b[kind]*x + c*z", TABLE, target="y")
    w, sd = by_hand(design(), Y)
    assert found.converged
    assert found.params == pytest.approx(w, rel=1e-11)
    assert found.stderr == pytest.approx(sd, rel=1e-10)
    assert found.summary.dof == N - 6


def test_group_names_the_column():
    found = fit("a[group] + b*x", TABLE, target="y", group="site")
    assert list(found.params) == [*dict.fromkeys(f"a[{s}]" for s in SITES), "b"]
    assert found.params == pytest.approx(fit("a[site] + b*x", TABLE, target="y").params, rel=1e-14)


def test_an_indicator_is_one_in_the_rows_of_its_word():
    found = fit('a + b*is(kind, "new")*x + c*z + d*is(site, "south")', TABLE, target="y")
    columns = {"a": np.ones(N), "b": (KINDS == "new") * X, "c": Z, "d": (SITES == "south") * 1.0}
    w, sd = by_hand(columns, Y)
    assert found.params == pytest.approx(w, rel=1e-11)
    assert found.stderr == pytest.approx(sd, rel=1e-10)


@pytest.mark.parametrize("loss", ["huber", "soft_l1", "cauchy", "mae", "logistic", "poisson"])
def test_groups_by_other_losses_are_those_of_indicators(loss):
    y = {"logistic": (Y + DRAW.normal(size=N) > 1) * 1.0, "poisson": np.round(abs(Y))}.get(loss, Y)
    table = {**TABLE, "y": y}
    found = fit("a[site] + b*x + c*z", table, target="y", loss=loss)
    spelled = " + ".join(f'{n}*is(site, "{s}")' for n, s in zip("pqr", LEVEL, strict=True))
    wanted = fit(f"{spelled} + b*x + c*z", table, target="y", loss=loss)
    assert found.converged
    assert [found.params[f"a[{s}]"] for s in LEVEL] == pytest.approx([wanted.params[n] for n in "pqr"], rel=1e-6)
    assert [found.stderr[f"a[{s}]"] for s in LEVEL] == pytest.approx([wanted.stderr[n] for n in "pqr"], rel=1e-5, nan_ok=True)


def test_a_curve_for_each_group_from_no_start():
    rate = np.array([{"north": 0.3, "south": 0.6, "east": 1.1}[s] for s in SITES])
    x = DRAW.uniform(0, 4, N)
    found = fit("a*exp(-k[site]*x)", {"x": x, "y": 3 * np.exp(-rate * x), "site": SITES}, target="y")
    assert found.converged
    assert found.params == pytest.approx({"a": 3.0, "k[north]": 0.3, "k[south]": 0.6, "k[east]": 1.1}, rel=1e-9)


def test_settings_of_one_group_and_of_all():
    found = fit("a[site] + b*x", TABLE, target="y", fixed={"a[north]": 1.0}, bounds={"a": (-5.0, 5.0)})
    assert found.params["a[north]"] == 1.0
    at = SITES != "north"
    columns = {"a[south]": (SITES == "south") * 1.0, "a[east]": (SITES == "east") * 1.0, "b": X}
    w, _ = by_hand(columns, Y - ~at * 1.0)
    assert {n: found.params[n] for n in columns} == pytest.approx(w, rel=1e-11)
    held = fit("a[site] + b*x", TABLE, target="y", fixed={"a": 2.0})
    assert [held.params[f"a[{s}]"] for s in LEVEL] == [2.0] * 3


def test_predictions_take_words():
    found = fit("a[site] + b[kind]*x", TABLE, target="y")
    rows = {"site": ["east", "north"], "kind": ["old", "new"], "x": [1.0, 2.0]}
    wanted = [found.params["a[east]"] + found.params["b[old]"], found.params["a[north]"] + 2 * found.params["b[new]"]]
    assert found.predict(rows) == pytest.approx(wanted, rel=1e-14)
    band = found.predict(rows, interval=0.95)
    assert band.mean == pytest.approx(wanted, rel=1e-14)
    g = np.array([n in ("a[east]", "b[old]") for n in found.params]) * 1.0
    error = np.sqrt(g @ np.array(found.covariance) @ g)
    assert band.high[0] - band.mean[0] == pytest.approx(1.97 * error, rel=3e-3)
    with pytest.raises(InputValueError, match="row 1: site='west' is none of the words of the fit"):
        found.predict({"site": ["west"], "kind": ["old"], "x": [1.0]})


def test_from_a_table_of_words(tmp_path):
    path = tmp_path / "t.csv"
    rows = zip(SITES, KINDS, X.tolist(), Z.tolist(), Y.tolist(), strict=True)
    path.write_text("site,kind,x,z,y\n" + "".join(f"{s},{k},{x!r},{z!r},{y!r}\n" for s, k, x, z, y in rows))
    with read_table(path, lambda names: names, text=["site", "kind"]) as table:
        found = fit("a[site] + b[kind]*x + c*z", table, target="y")
    assert found.params == pytest.approx(by_hand(design(), Y)[0], rel=1e-11)


def test_the_triangle_of_cells_is_that_of_all_rows():
    from autograd_lite.fit.model import Model
    from autograd_lite.fit.rows.data import as_rows
    from autograd_lite.fit.rows.words import coded

    levels = coded(TABLE, ["site", "kind"])[1]
    model = Model("a[site] + b[kind]*x + c*z", "y", list(TABLE), levels=levels)
    solver = Solver(model, as_rows(TABLE, model), given=dict.fromkeys(model.weights, 0.5))
    leaves = [0.5] * len(solver.names)
    roots = [Solver(model, solver.table, block=b, threads=t).residuals(model.residual).triangle(leaves) for b, t in
             ((None, None), (50, None), (50, 2), (100, 2))]  # fmt: skip
    rows = np.column_stack([*(design()[n] for n in solver.names), sum(design().values()) * 0.5 - Y])
    assert roots[0].T @ roots[0] == pytest.approx(rows.T @ rows, abs=1e-10)
    assert all(root.tolist() == roots[0].tolist() for root in roots)
    assert not isinstance(solver.residuals(model.residual), Residuals)


WRONG = [
    ("a[region] + b*x", {}, "a[region] is one a for each word of region, which is no column"),
    ("a[group] + b*x", {}, "name the column with --group"),
    ("a + b*x", {"group": "site"}, "no weight of a + b*x is one for each site: write a[group]"),
    ("a[site] + b*x", {"group": "region"}, "group='region' is no column"),
    ('a + b*is(site, "west")', {}, "no row of site is 'west'; they are"),
    ("a[x] + b*x", {}, "has x as a number and as words"),
    ("a[site] + b*x", {"init": {"a[west]": 1.0}}, "a[west]=1.0 starts a weight that a[site] + b*x has not"),
]


@pytest.mark.parametrize(("formula", "options", "said"), WRONG, ids=[w[2][:40] for w in WRONG])
def test_what_is_no_group(formula, options, said):
    with pytest.raises(InputValueError) as caught:
        fit(formula, TABLE, target="y", **options)
    assert said in str(caught.value)


def test_a_missing_word_is_named():
    table = {**TABLE, "site": [None, *TABLE["site"][1:]]}
    with pytest.raises(InputValueError, match="row 1 of site is None: give it a word, or leave the row out"):
        fit("a[site] + b*x", table, target="y")
