"""`autograd-lite predict`: predictions digit for digit, scores, and files that are not weights."""

import json
import re
from functools import partial

import numpy as np
import pytest

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
    ({**SOUND, "formula": 3}, "weights.json is damaged (its formula is no text)"),
    (
        {**SOUND, "loss": "l2"},
        "weights.json is damaged (loss='l2' must be one of mse, mae, huber, soft_l1, cauchy, logistic, poisson)",
    ),
]


@pytest.mark.parametrize(("content", "message"), FILES, ids=[message[:50] for _, message in FILES])
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
    (folder / "more.csv").write_text("pounds,prediction\n3.5,1\n")
    done = run("weights.json", "more.csv")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "error: more.csv has a column 'prediction', as what is added is called: rename it\n"


def test_scores_of_numbers_that_have_none(folder):
    save("weights.json", Model("w*pounds", "mpg", ["pounds", "mpg"], "mse", {"w": 1e200}))
    (folder / "more.csv").write_text("pounds,mpg\n1,1\n2,3\n")
    done = run("weights.json", "more.csv")
    assert (done.exit_code, done.stderr) == (0, "R² on 2 rows = -inf\n")
    save("weights.json", Model("w*log(pounds)", "mpg", ["pounds", "mpg"], "mse", {"w": 1.0}))
    (folder / "more.csv").write_text("pounds,mpg\n1,1\n-2,3\n")
    done = run("weights.json", "more.csv")
    assert done.stdout == "pounds,mpg,prediction\n1,1,0\n-2,3,\n"
    assert done.stderr == "R² on 2 rows is not defined: 1 of the predictions is nan\n"


def test_a_table_larger_than_the_memory(folder):
    x = np.random.default_rng(0).normal(size=200_000)
    (folder / "more.csv").write_text("name,pounds\n" + "".join(f"row {i},{v!r}\n" for i, v in enumerate(x.tolist())))
    done = run("weights.json", "more.csv", "--memory", 1)
    rows = done.stdout.splitlines()
    assert (rows[0], len(rows)) == ("name,pounds,prediction", 200_001)
    assert rows[-1].split(",")[:2] == ["row 199999", repr(x[-1].item())]
    assert float(rows[-1].split(",")[2]) == pytest.approx(-4 * x[-1] + 32.5)
