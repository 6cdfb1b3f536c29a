"""`autograd-lite predict`: predictions digit for digit, scores, and files that are not weights."""

import csv
import gzip
import io
import itertools
import json
import re
from functools import partial

import numpy as np
import pytest

from autograd_lite import fit as api
from autograd_lite.errors import InputValueError
from autograd_lite.fit.model import Model
from autograd_lite.fit.saved import load, save
from autograd_lite.tables import Table
from tests.cli import command

run = partial(command.invoke, "predict")
fit = partial(command.invoke, "fit")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save("weights.json", Model("w*pounds + b", "mpg", ["pounds", "mpg"], "mse", {"w": -4.0, "b": 32.5}))
    return tmp_path


def test_predictions(folder):
    (folder / "more.csv").write_text("model,pounds\nA,3.5\nB,4\nC,2.1\n")
    done = run("weights.json", "more.csv")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == "model,pounds,prediction\nA,3.5,18.5\nB,4,16.5\nC,2.1,24.1\n"


def test_predictions_with_the_target_have_a_score(folder):
    (folder / "more.csv").write_text("mpg,pounds\n18,3.5\n16,4\n25,2.1\n")
    done = run("weights.json", "more.csv")
    assert done.stdout == "mpg,pounds,prediction\n18,3.5,18.5\n16,4,16.5\n25,2.1,24.1\n"
    y, p = np.array([18, 16, 25]), np.array([18.5, 16.5, 24.1])
    assert done.stderr == f"R² on 3 rows = {1 - np.sum((y - p) ** 2) / np.sum((y - y.mean()) ** 2):.12g}\n"


@pytest.mark.parametrize("options", [(), ("--drop-missing",)])
def test_rows_without_the_target_are_predicted_and_not_scored(folder, options):
    (folder / "more.csv").write_text("mpg,pounds\n18,3.5\n,4\n25,2.1\nNA,3\n16,4\n")
    done = run("weights.json", "more.csv", *options)
    assert done.exit_code == 0
    assert done.stdout == "mpg,pounds,prediction\n18,3.5,18.5\n,4,16.5\n25,2.1,24.1\nNA,3,20.5\n16,4,16.5\n"
    y, p = np.array([18, 25, 16]), np.array([18.5, 24.1, 16.5])
    assert done.stderr == f"R² on 3 rows = {1 - np.sum((y - p) ** 2) / np.sum((y - y.mean()) ** 2):.12g}\n"


def test_without_any_target_there_is_no_score(folder):
    (folder / "more.csv").write_text("mpg,pounds\n,3.5\n?,4\n")
    done = run("weights.json", "more.csv")
    assert (done.exit_code, done.stdout) == (0, "mpg,pounds,prediction\n,3.5,18.5\n?,4,16.5\n")
    assert done.stderr == "no score: mpg is missing in every row\n"


def test_a_missing_column_of_the_formula_is_an_error_as_ever(folder):
    (folder / "more.csv").write_text("mpg,pounds\n,3.5\n18,\n")
    done = run("weights.json", "more.csv")
    rule = "more.csv line 3, column 'pounds': '' is a missing cell"
    assert done.stderr == f"error: {rule}; fill it in, or leave such rows out with drop_missing (--drop-missing)\n"
    done = run("weights.json", "more.csv", "--drop-missing")
    assert done.stdout == "mpg,pounds,prediction\n,3.5,18.5\n"
    (folder / "more.csv").write_text("mpg,pounds\nmany,3.5\n")
    assert "more.csv line 2, column 'mpg': 'many' is not a number" in run("weights.json", "more.csv").stderr


def test_logistic_scores_leave_missing_targets_out(folder):
    save("weights.json", Model("w*x", "y", ["x", "y"], "logistic", {"w": 1.0}))
    (folder / "more.csv").write_text("x,y\n1,1\n-2,\n3,0\n")
    done = run("weights.json", "more.csv")
    assert (done.exit_code, done.stderr) == (0, "accuracy on 2 rows = 0.5\n")


def test_standard_input_and_missing_cells():
    done = run("weights.json", "-", "--drop-missing", given="pounds\n3.5\n?\n4\n")
    assert done.stdout == "pounds,prediction\n3.5,18.5\n4,16.5\n"
    assert done.stderr == "1 row with a missing cell is left out\n"


def test_logistic_predictions_are_probabilities(folder):
    save("weights.json", Model("w*x", "y", ["x", "y"], "logistic", {"w": 1.0}))
    (folder / "more.csv").write_text("x,y\n0,1\n1,1\n-2,0\n3,0\n")
    done = run("weights.json", "more.csv")
    assert done.stdout.splitlines()[1] == "0,1,0.5"
    assert float(done.stdout.splitlines()[2].split(",")[2]) == pytest.approx(1 / (1 + np.exp(-1)))
    assert done.stderr == "accuracy on 4 rows = 0.5\n"
    (folder / "more.csv").write_text("x,y\n0,2\n")
    done = run("weights.json", "more.csv")
    assert done.exit_code == 2
    assert "row 1: y=2.0 must be 0 or 1 for the loss logistic: recode the column" in done.stderr


def test_many_rows_are_predicted_as_few_are(folder):
    x = np.random.default_rng(0).normal(size=1000)
    model = Model("w*sin(x) + b", "y", ["x"], "mse", {"w": 2.0, "b": 0.1})
    with Table(["x"], [[x.tolist()]]) as many, Table(["x"], [[x[:10].tolist()]]) as few:
        (_, found), (_, wanted) = next(model.predictions(many)), next(model.predictions(few))
    assert found[:10] == pytest.approx(wanted, rel=1e-14)
    assert len(found) == 1000


def test_what_was_saved_is_loaded(folder):
    model = Model("w*x + v*cos(y)", "z", ["x", "y"], "huber", {"w": 0.1 + 0.2, "v": float("nan")})
    save("m.json", model, {"loss": 2.0}, {"decimal": ","})
    again, ending, dialect = load("m.json")
    assert (ending, dialect) == ({"loss": 2.0}, {"decimal": ","})
    assert again.weights["w"] == 0.1 + 0.2
    assert again.weights["v"] != again.weights["v"]
    assert (again.formula, again.target, again.kind, again.columns) == (model.formula, "z", "huber", ["x", "y"])


SOUND = {
    "format": "autograd_lite.fit", "version": 1, "formula": "w*x", "target": "y", "loss": "mse", "columns": ["x"],
    "weights": {"w": 1.0},
}  # fmt: skip
FILES = [
    ("{", "weights.json is not JSON"),
    ("[]", "weights.json does not hold autograd_lite.fit: give a file that fit --save wrote"),
    ({**SOUND, "format": "autograd_lite.parameters"}, "weights.json does not hold autograd_lite.fit"),
    ({**SOUND, "version": 7}, "weights.json has version 7, this library reads 1: write it again"),
    ({k: v for k, v in SOUND.items() if k != "weights"}, "weights.json is damaged (it has no weights)"),
    ({**SOUND, "weights": []}, "weights.json is damaged (its weights is no object)"),
    ({**SOUND, "weights": {"w": 10**400}}, "weights.json is damaged (w is an int too large"),
    ({**SOUND, "columns": "x"}, "weights.json is damaged (its columns is no list)"),
    ({**SOUND, "columns": [3]}, "weights.json is damaged (its columns are no texts)"),
    ({**SOUND, "target": {}}, "weights.json is damaged (its target is no text)"),
    ({**SOUND, "fit": []}, "weights.json is damaged (its fit is no object)"),
    ({**SOUND, "dialect": 3}, "weights.json is damaged (its dialect is no object)"),
    ("[" * 100_000, "weights.json is not JSON"),
    ({**SOUND, "weights": {}}, "weights.json is damaged (its weights are not those of its formula)"),
    ({**SOUND, "weights": {"w": "1"}}, "weights.json is damaged (w='1' is a str, not a real number"),
    ({**SOUND, "weights": {"w": None}}, "weights.json is damaged (w=None"),
    ({**SOUND, "weights": {"w": 1.0, "v": 2.0}}, "weights.json is damaged (v=2.0 starts a weight that w*x has not"),
    ({**SOUND, "formula": "w*"}, "weights.json is damaged ("),
    ({**SOUND, "target": "3"}, "weights.json is damaged (the target 3 has no column in it"),
    *(
        (
            {**SOUND, "formula": "w*x + b", "weights": {"w": 1.0, "b": 0.0}, "fit": fit},
            f"weights.json is damaged (its {message})",
        )
        for fit, message in [
            ({"covariance": 3}, "covariance is no list of 2 lists"),
            ({"covariance": [[1.0]]}, "covariance is no list of 2 lists"),
            ({"covariance": [[1.0, 0.0], [0.0]]}, "covariance is not made of 2 numbers for each weight"),
            ({"covariance": [[1.0, 0.0], [0.0, "1"]]}, "covariance is not made of 2 numbers for each weight"),
            ({"covariance": [[1.0, 0.0], [0.0, 10**400]]}, "covariance is not made of 2 numbers for each weight"),
            ({"covariance": [[1.0, 0.0], [0.0, -1.0]]}, "covariance has a negative variance"),
            ({"covariance": [[1.0, 0.5], [0.0, 1.0]]}, "covariance is not symmetric"),
            ({"covariance": [[1.0, None], [0.5, 1.0]]}, "covariance is not symmetric"),
            ({"covariance": [[1.0, 2.0], [2.0, 1.0]]}, "covariance has a correlation beyond 1"),
            ({"deviation": -1}, "deviation is no size"),
            ({"deviation": None}, "deviation is no size"),
            ({"deviation": "1"}, "deviation is no size"),
            ({"deviation": 10**400}, "deviation is no size"),
            ({"freedom": [3]}, "freedom is no size"),
            ({"freedom": True}, "freedom is no size"),
        ]
    ),
    ({**SOUND, "formula": 3}, "weights.json is damaged (its formula is no text)"),
    (
        {**SOUND, "loss": "l2"},
        "weights.json is damaged (loss='l2' must be one of mse, mae, huber, soft_l1, cauchy, logistic, poisson)",
    ),
]


@pytest.mark.parametrize(("content", "message"), FILES, ids=[f"{k}: {message[:50]}" for k, (_, message) in enumerate(FILES)])
def test_files_that_are_not_weights(content, message, folder):
    (folder / "weights.json").write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(InputValueError, match=re.escape(message)):
        load("weights.json")
    done = run("weights.json", "more.csv")
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr


def test_a_table_without_the_columns(folder):
    (folder / "more.csv").write_text("weight,mpg\n3.5,18\n")
    done = run("weights.json", "more.csv")
    assert done.exit_code == 2
    assert "more.csv has no column 'pounds'; its columns are 'weight', 'mpg': choose one of them" in done.stderr


def test_files_that_are_not_there():
    assert run("none.json", "more.csv").stderr == "error: none.json: No such file or directory\n"
    assert run("weights.json", "more.csv").stderr == "error: more.csv: No such file or directory\n"


def test_the_table_comes_out_as_it_stands(folder):
    text = 'id;pounds;note\r\n007;3,5;" a;b "\r\n# passed over\r\n"008";4;"two\r\nlines"\r\n'
    (folder / "more.csv").write_bytes(text.encode())
    done = run("weights.json", "more.csv", "--decimal", ",")
    wanted = 'id;pounds;note;prediction\r\n007;3,5;" a;b ";18,5\r\n"008";4;"two\r\nlines";16,5\r\n'
    assert done.stdout_bytes == wanted.encode()
    (folder / "more.csv").write_bytes(b"name,pounds\n\xe9,3.5\n")
    assert run("weights.json", "more.csv").stdout_bytes == b"name,pounds,prediction\n\xe9,3.5,18.5\n"
    (folder / "more.csv").write_text("pounds\tname\n3.5\t=1+1\n")
    assert run("weights.json", "more.csv").stdout == "pounds\tname\tprediction\n3.5\t=1+1\t18.5\n"
    (folder / "more.csv").write_text("  pounds  name\n  3.5     a\n")
    assert run("weights.json", "more.csv").stdout == "  pounds  name prediction\n  3.5     a 18.5\n"


def test_the_dialect_of_the_fit_is_that_of_the_prediction(folder):
    (folder / "cars.csv").write_text("pounds;mpg\n3,5;18\n4;16,0\n2,1;24,1\n")
    fitted = fit("cars.csv", "w*pounds + b", "--target", "mpg", "--decimal", ",", "--save", "w.json")
    assert fitted.exit_code == 0
    done = run("w.json", "cars.csv")
    assert done.stderr.startswith("note: cars.csv is read as the table of the fit was: --decimal ','\n")
    assert [row.split(";")[:2] for row in done.stdout.splitlines()] == [
        ["pounds", "mpg"], ["3,5", "18"], ["4", "16,0"], ["2,1", "24,1"]
    ]  # fmt: skip
    assert "column 'pounds': '3,5' has a decimal comma" in run("w.json", "cars.csv", "--sep", ";").stderr


def test_a_column_called_prediction_is_not_doubled(folder):
    (folder / "more.csv").write_text("pounds,prediction,prediction_2\n3.5,1,2\n")
    done = run("weights.json", "more.csv")
    assert done.stdout == "pounds,prediction,prediction_2,prediction_3\n3.5,1,2,18.5\n"
    assert done.stderr == "note: more.csv has a column 'prediction': the one that is added is called prediction_3\n"


def test_scores_of_numbers_that_have_none(folder):
    save("weights.json", Model("w*pounds", "mpg", ["pounds", "mpg"], "mse", {"w": 1e200}))
    (folder / "more.csv").write_text("pounds,mpg\n1,1\n2,3\n")
    done = run("weights.json", "more.csv")
    assert (done.exit_code, done.stderr) == (0, "R² on 2 rows = -inf\n")
    save("weights.json", Model("w*log(pounds)", "mpg", ["pounds", "mpg"], "mse", {"w": 1.0}))
    (folder / "more.csv").write_text("pounds,mpg\n1,1\n-2,3\n")
    done = run("weights.json", "more.csv")
    assert done.stdout == "pounds,mpg,prediction\n1,1,0\n-2,3,\n"
    assert done.stderr == (
        "note: 1 of 2 predictions is nan, and empty in the output\nR² on 2 rows is not defined: 1 of the predictions is nan\n"
    )


def test_a_table_larger_than_the_memory(folder):
    x = np.random.default_rng(0).normal(size=200_000)
    (folder / "more.csv").write_text("name,pounds\n" + "".join(f"row {i},{v!r}\n" for i, v in enumerate(x.tolist())))
    done = run("weights.json", "more.csv", "--memory", 1)
    rows = done.stdout.splitlines()
    assert (rows[0], len(rows)) == ("name,pounds,prediction", 200_001)
    assert rows[-1].split(",")[:2] == ["row 199999", repr(x[-1].item())]
    assert float(rows[-1].split(",")[2]) == pytest.approx(-4 * x[-1] + 32.5)


# -- bands ------------------------------------------------------------------------------------------------------------


def written(folder, name, **columns):
    rows = zip(*columns.values(), strict=True)
    (folder / name).write_text(",".join(columns) + "\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))


def columns_of(done):
    head, *rows = csv.reader(io.StringIO(done.stdout))
    return dict(zip(head, np.array(rows)[:, :].T, strict=True))


BANDS = ("prediction", "mean_low", "mean_high", "obs_low", "obs_high")


@pytest.mark.parametrize("level", [0.95, 0.5])
@pytest.mark.parametrize("weights", [False, True])
def test_bands_are_those_of_statsmodels(folder, level, weights):
    sm = pytest.importorskip("statsmodels.api", reason="statsmodels is only among the peers")
    rng = np.random.default_rng(3)
    x, z, v = rng.uniform(0, 5, 60), rng.normal(size=60), rng.uniform(0.5, 4, 60)
    y = 2 * x - z + 1 + rng.normal(0, 0.3, 60)
    written(folder, "cars.csv", x=x, z=z, y=y, v=v)
    more = ("--weights", "v") if weights else ()
    assert fit("cars.csv", "a*x + b*z + c", "--target", "y", "--save", "w.json", *more).exit_code == 0
    found = columns_of(run("w.json", "cars.csv", "--interval", level))
    design = np.column_stack([x, z, np.ones(60)])
    wanted = (sm.WLS(y, design, weights=v) if weights else sm.OLS(y, design)).fit().get_prediction(design)
    if weights:  # the standard deviation of an observation of that weight
        wanted = sm.WLS(y, design, weights=v).fit().get_prediction(design, weights=v)
    wanted = wanted.summary_frame(alpha=1 - level)
    for ours, theirs in zip(BANDS, ("mean", "mean_ci_lower", "mean_ci_upper", "obs_ci_lower", "obs_ci_upper"), strict=True):
        assert found[ours].astype(float) == pytest.approx(wanted[theirs].to_numpy(), rel=1e-7)


def test_bands_of_a_logistic_fit_are_those_of_statsmodels(folder):
    sm = pytest.importorskip("statsmodels.api", reason="statsmodels is only among the peers")
    rng = np.random.default_rng(4)
    x = rng.normal(size=200)
    y = (rng.random(200) < 1 / (1 + np.exp(-2 * x - 0.5))).astype(int)
    written(folder, "cars.csv", x=x, y=y)
    assert fit("cars.csv", "a*x + b", "--target", "y", "--loss", "logistic", "--save", "w.json").exit_code == 0
    done = run("w.json", "cars.csv", "--interval", 0.9)
    assert done.stdout.partition("\n")[0] == "x,y,prediction,mean_low,mean_high"
    found = columns_of(done)
    model = sm.GLM(y, sm.add_constant(x), family=sm.families.Binomial()).fit()
    wanted = model.get_prediction(sm.add_constant(x)).summary_frame(alpha=0.1)
    for ours, theirs in zip(BANDS[:3], ("mean", "mean_ci_lower", "mean_ci_upper"), strict=True):
        assert found[ours].astype(float) == pytest.approx(wanted[theirs].to_numpy(), rel=1e-5)


@pytest.mark.parametrize("level", ["0", "1", "1.5", "nan", "-0.5"])
def test_a_level_that_is_none(folder, level):
    assert fit("cars.csv", "w*pounds + b", "--target", "mpg", "--save", "w.json").exit_code == 2  # no such table
    written(folder, "cars.csv", pounds=[3.5, 3.69, 3.44, 4.1], mpg=[18, 15, 18, 14])
    assert fit("cars.csv", "w*pounds + b", "--target", "mpg", "--save", "w.json").exit_code == 0
    done = run("w.json", "cars.csv", "--interval", level)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"error: --interval={float(level)!r} must be between 0 and 1: 0.95 is usual\n"


def test_a_fit_without_errors_has_no_bands(folder):
    written(folder, "cars.csv", pounds=[3.5, 3.69, 3.44, 4.1], mpg=[18, 15, 18, 14])
    done = run("weights.json", "cars.csv", "--interval", 0.95)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: a fit by mse has no covariance of its weights")
    assert fit("cars.csv", "w*pounds + b", "--target", "mpg", "--lr", 0.01, "--steps", 9, "--save", "d.json").exit_code == 0
    assert run("d.json", "cars.csv", "--interval", 0.95).exit_code == 2


def test_a_table_without_sigma_has_no_band_of_an_observation(folder):
    x = np.arange(10.0)
    written(folder, "cars.csv", x=x, y=2 * x + np.cos(9 * x), s=1 + x)
    assert fit("cars.csv", "a*x + b", "--target", "y", "--sigma", "s", "--save", "w.json").exit_code == 0
    written(folder, "more.csv", x=[1.5])
    done = run("w.json", "more.csv", "--interval", 0.95)
    assert done.stderr == "note: more.csv has no column 's', so that there is no band of a new observation\n"
    head, row = (line.split(",") for line in done.stdout.splitlines())
    assert dict(zip(head, row, strict=True))["obs_low"] == ""
    assert float(dict(zip(head, row, strict=True))["mean_low"]) < float(dict(zip(head, row, strict=True))["prediction"])


# -- groups and words -------------------------------------------------------------------------------------------------


@pytest.fixture
def species(folder):
    rng = np.random.default_rng(5)
    words = rng.choice(["Adelie", "Gentoo", "Chin strap"], 90)
    x = rng.uniform(1, 5, 90)
    y = 3 * x + np.array([{"Adelie": 1.0, "Gentoo": 5.0, "Chin strap": -2.0}[w] for w in words]) + rng.normal(0, 0.2, 90)
    written(folder, "birds.csv", species=words, x=x, y=y)
    return words, x, y


@pytest.mark.usefixtures("species")
def test_predictions_of_groups(folder):
    done = fit("birds.csv", "a[species] + b*x", "--target", "y", "--save", "w.json", "--json")
    params = {name: entry["value"] for name, entry in json.loads(done.stdout)["params"].items()}
    written(folder, "more.csv", who=["i", "j"], species=["Gentoo", " Adelie "], x=[1, 2])
    found = run("w.json", "more.csv", "--interval", 0.95)
    assert found.stderr == ""
    assert [row.split(",")[:3] for row in found.stdout.splitlines()[1:]] == [["i", "Gentoo", "1"], ["j", " Adelie ", "2"]]
    wanted = [params["a[Gentoo]"] + params["b"], params["a[Adelie]"] + 2 * params["b"]]
    assert columns_of(found)["prediction"].astype(float) == pytest.approx(wanted)
    written(folder, "more.csv", species=["Gentoo", "Adelle"], x=[1, 2])
    done = run("w.json", "more.csv")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "more.csv, column 'species': 'Adelle' has no weight, the fit has " in done.stderr
    assert done.stderr.endswith(": did you mean 'Adelie'?\n")
    written(folder, "more.csv", species=["Gentoo"], z=[1])
    assert "more.csv has no column 'x'" in run("w.json", "more.csv").stderr
    written(folder, "more.csv", z=["Gentoo"], x=[1])
    assert "more.csv has no column 'species'" in run("w.json", "more.csv").stderr


@pytest.mark.usefixtures("species")
def test_predictions_of_categories(folder):
    done = fit("birds.csv", 'a + c*is(species, "Gentoo") + b*x', "--target", "y", "--save", "w.json", "--json")
    params = {name: entry["value"] for name, entry in json.loads(done.stdout)["params"].items()}
    written(folder, "more.csv", species=["Gentoo", "Emperor"], x=[1, 2])
    found = run("w.json", "more.csv")
    assert found.stderr.startswith("note: more.csv, column 'species': 'Emperor' is new, the fit has ")
    wanted = [params["a"] + params["c"] + params["b"], params["a"] + 2 * params["b"]]
    assert columns_of(found)["prediction"].astype(float) == pytest.approx(wanted)


def test_many_files_have_one_of_predictions_each(folder):
    (folder / "data").mkdir()
    for i in range(2):
        (folder / "data" / f"{i}.csv").write_text(f"pounds\n{i}\n4\n")
    done = run("weights.json", "data", "--to", "out")
    assert (done.exit_code, done.stdout) == (0, "")
    assert [(folder / "out" / f"{i}.csv").read_text() for i in range(2)] == [
        "pounds,prediction\n0,32.5\n4,16.5\n",
        "pounds,prediction\n1,28.5\n4,16.5\n",
    ]
    assert done.stderr.count("saved ") == 2
    assert (run("weights.json", "data").exit_code, run("weights.json", "data/*.csv", "--to", "data").exit_code) == (2, 2)
    assert "say where, --to FOLDER" in run("weights.json", "data").stderr
    assert "is the table itself, which would be lost" in run("weights.json", "data", "--to", "data").stderr
    assert "standard input cannot be read twice" in run("weights.json", "-", "--to", "none").stderr
    assert not (folder / "none").exists()
    assert (folder / "data" / "0.csv").read_text() == "pounds\n0\n4\n"


HEADERS = [
    "Weight (kg)", "sepal.length", "2019", "x-y", "Größe", "学", "lambda", "pi", "sin", "x[0]", "a[b]", "$", "#id", "100%",
    "x'", 'say "x"', "x,y", "C:\\x", "is", "if", "group", "prediction", "x\ny", "_x", "1e5", "-1", 'is(a, "b")', "x=1", "π",
    "nan", "NA", "a`b", "`", "``x``", "", "x\ty", "x\xa0y", "gro\u0308\xdfe", "2.5",
]  # fmt: skip


@pytest.mark.parametrize("name", HEADERS)
def test_a_column_of_any_name_is_fitted_and_predicted(name, folder):
    quoted = '"' + name.replace('"', '""') + '"'
    rows = "".join(f"{i % 4},{2 * (i % 4) + 1 + (i % 3) * 0.1}\n" for i in range(12))
    (folder / "t.csv").write_text(f"{quoted},y\n{rows}")
    spelled = re.sub(r"\s", " ", name) or "c1"
    doubled = spelled.replace("`", "``")
    assert fit("t.csv", f"w*`{doubled}` + b", "--target", "y", "--save", "w.json").exit_code == 0
    done = run("w.json", "t.csv")
    assert (done.exit_code, done.stdout.count("\n")) == (0, 13 + name.count("\n"))
    assert fit("t.csv", "w*y + b", "--target", spelled, "--save", "w.json").exit_code == 0
    assert "R² on 12 rows = " in run("w.json", "t.csv").stderr
    assert fit("t.csv", f"w*`{doubled}`", "--target", "y", "--where", f"`{doubled}` > 0", "--init", "w=1").exit_code == 0


def test_accents_count_however_they_are_written(folder):
    (folder / "t.csv").write_text("gro\u0308\xdfe,y\n" + "".join(f"{i % 4},{2 * (i % 4) + i % 3}\n" for i in range(12)))
    for name in ("gr\xf6\xdfe", "gro\u0308\xdfe"):
        assert fit("t.csv", f"w*`{name}` + b", "--target", "y").exit_code == 0
        assert fit("t.csv", "w*y + b", "--target", name).exit_code == 0
        table = {name: [1.0, 2.0, 3.0, 4.0], "y": [2.0, 4.1, 5.9, 8.0]}
        assert api.fit("w*`gr\xf6\xdfe` + b", table, target="y").predict({"gro\u0308\xdfe": [10.0]}) == pytest.approx([19.85])


def test_a_target_that_is_called_like_a_formula(folder):
    (folder / "t.csv").write_text("x,log(y),y\n" + "".join(f"{i},{2 * i + 1 + i % 3},{9 * i}\n" for i in range(9)))
    assert fit("t.csv", "w*x + b", "--target", "log(y)", "--save", "w.json").exit_code == 0
    assert "R² on 9 rows = 0.9" in run("w.json", "t.csv").stderr


def test_words_with_quotes_of_either_kind(folder):
    (folder / "t.csv").write_text("".join(["site,y\n", *(f'"it\'s 12"" {"AB"[i % 2]}",{i % 2 + i / 10}\n' for i in range(8))]))
    for spelled in ("'it''s 12\" B'", '"it\'s 12"" B"'):
        done = fit("t.csv", f"a + d*is(site, {spelled})", "--target", "y", "--save", "w.json")
        assert (done.exit_code, run("w.json", "t.csv").exit_code) == (0, 0)


CELLS = [
    "plain", " blanks ", 'quo"te', "com,ma", "semi;colon", "tab\tb", "bar|r", "=1+1", "007", "", "NA", "ünï", "two\nlines",
    "1e5", "it's", "-5", "+1", "@x",
]  # fmt: skip


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("sep", [",", ";", "\t", "|"])
def test_another_reader_finds_the_same_table_and_a_column_more(sep, end, folder):
    pandas = pytest.importorskip("pandas", reason="pandas is only among the peers")
    for decimal, quoting, header in itertools.product(".,", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL], [True, False]):
        names = ["id", "pounds", "note"] if header else ["c1", "c2", "c3"]
        save("w.json", Model(f"w*{names[1]} + b", "mpg", [names[1], "mpg"], "mse", {"w": 2.0, "b": 0.5}))
        file = io.StringIO()
        rows = [[f"{i:03d}", f"{i + 0.5}".replace(".", decimal), cell] for i, cell in enumerate(CELLS)]
        csv.writer(file, delimiter=sep, quoting=quoting, lineterminator=end).writerows([names, *rows] if header else rows)
        (folder / "t.csv").write_bytes(gzip.compress(file.getvalue().encode()))
        done = run("w.json", "t.csv", "--decimal", decimal, *(() if header else ("--no-header",)))
        found = pandas.read_csv(io.BytesIO(done.stdout_bytes), sep=sep, dtype=str, keep_default_na=False)
        assert found.to_numpy()[:, :3].tolist() == rows
        assert list(found.columns) == [*names, "prediction"]
        wanted = [f"{2 * (i + 0.5) + 0.5}".removesuffix(".0").replace(".", decimal) for i in range(len(CELLS))]
        assert found["prediction"].tolist() == wanted
