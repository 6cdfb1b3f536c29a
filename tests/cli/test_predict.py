"""`autograd-lite predict`: predictions digit for digit, scores, and files that are not weights."""

import json
import re
from functools import partial

import numpy as np
import pytest

from autograd_lite.errors import InputValueError
from autograd_lite.fit.model import Model
from autograd_lite.tables import Table
from tests.cli import command

run = partial(command.invoke, "predict")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Model("w*pounds + b", "mpg", ["pounds", "mpg"], "mse", {"w": -4.0, "b": 32.5}).save("weights.json")
    return tmp_path


def test_predictions(folder):
    (folder / "more.csv").write_text("model,pounds\nA,3.5\nB,4\nC,2.1\n")
    done = run("weights.json", "more.csv")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == "pounds,prediction\n3.5,18.5\n4,16.5\n2.1,24.1\n"


def test_predictions_with_the_target_have_a_score(folder):
    (folder / "more.csv").write_text("mpg,pounds\n18,3.5\n16,4\n25,2.1\n")
    done = run("weights.json", "more.csv")
    assert done.stdout == "pounds,mpg,prediction\n3.5,18,18.5\n4,16,16.5\n2.1,25,24.1\n"
    y, p = np.array([18, 16, 25]), np.array([18.5, 16.5, 24.1])
    assert done.stderr == f"R² on 3 rows = {1 - np.sum((y - p) ** 2) / np.sum((y - y.mean()) ** 2):.12g}\n"


@pytest.mark.parametrize("options", [(), ("--drop-missing",)])
def test_rows_without_the_target_are_predicted_and_not_scored(folder, options):
    (folder / "more.csv").write_text("mpg,pounds\n18,3.5\n,4\n25,2.1\nNA,3\n16,4\n")
    done = run("weights.json", "more.csv", *options)
    assert done.exit_code == 0
    assert done.stdout == "pounds,mpg,prediction\n3.5,18,18.5\n4,,16.5\n2.1,25,24.1\n3,,20.5\n4,16,16.5\n"
    y, p = np.array([18, 25, 16]), np.array([18.5, 24.1, 16.5])
    assert done.stderr == f"R² on 3 rows = {1 - np.sum((y - p) ** 2) / np.sum((y - y.mean()) ** 2):.12g}\n"


def test_without_any_target_there_is_no_score(folder):
    (folder / "more.csv").write_text("mpg,pounds\n,3.5\n?,4\n")
    done = run("weights.json", "more.csv")
    assert (done.exit_code, done.stdout) == (0, "pounds,mpg,prediction\n3.5,,18.5\n4,,16.5\n")
    assert done.stderr == "no score: mpg is missing in every row\n"


def test_a_missing_column_of_the_formula_is_an_error_as_ever(folder):
    (folder / "more.csv").write_text("mpg,pounds\n,3.5\n18,\n")
    done = run("weights.json", "more.csv")
    rule = "more.csv line 3, column 'pounds': '' is a missing cell"
    assert done.stderr == f"error: {rule}; fill it in, or leave such rows out with drop_missing (--drop-missing)\n"
    done = run("weights.json", "more.csv", "--drop-missing")
    assert done.stdout == "pounds,mpg,prediction\n3.5,,18.5\n"
    (folder / "more.csv").write_text("mpg,pounds\nmany,3.5\n")
    assert "more.csv line 2, column 'mpg': 'many' is not a number" in run("weights.json", "more.csv").stderr


def test_logistic_scores_leave_missing_targets_out(folder):
    Model("w*x", "y", ["x", "y"], "logistic", {"w": 1.0}).save("weights.json")
    (folder / "more.csv").write_text("x,y\n1,1\n-2,\n3,0\n")
    done = run("weights.json", "more.csv")
    assert (done.exit_code, done.stderr) == (0, "accuracy on 2 rows = 0.5\n")


def test_standard_input_and_missing_cells():
    done = run("weights.json", "-", "--drop-missing", given="pounds\n3.5\n?\n4\n")
    assert done.stdout == "pounds,prediction\n3.5,18.5\n4,16.5\n"
    assert done.stderr == "1 row with a missing cell is left out\n"


def test_logistic_predictions_are_probabilities(folder):
    Model("w*x", "y", ["x", "y"], "logistic", {"w": 1.0}).save("weights.json")
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
    model.save("m.json")
    again = Model.load("m.json")
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
    ({k: v for k, v in SOUND.items() if k != "weights"}, "weights.json is damaged ('weights')"),
    ({**SOUND, "weights": []}, "weights.json is damaged"),
    ({**SOUND, "weights": {}}, "weights.json is damaged (its weights are not those of its formula)"),
    ({**SOUND, "weights": {"w": "1"}}, "weights.json is damaged (w='1' is a str, not a real number"),
    ({**SOUND, "weights": {"w": None}}, "weights.json is damaged (w=None"),
    ({**SOUND, "weights": {"w": 1.0, "v": 2.0}}, "weights.json is damaged (v=2.0 starts a weight that w*x has not"),
    ({**SOUND, "formula": "w*"}, "weights.json is damaged ("),
    ({**SOUND, "formula": 3}, "weights.json is damaged (text=3 must be a string"),
    ({**SOUND, "loss": "l2"}, "weights.json is damaged (loss='l2' must be one of mse, mae, huber, logistic)"),
]


@pytest.mark.parametrize(("content", "message"), FILES, ids=[message[:50] for _, message in FILES])
def test_files_that_are_not_weights(content, message, folder):
    (folder / "weights.json").write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(InputValueError, match=re.escape(message)):
        Model.load("weights.json")
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
