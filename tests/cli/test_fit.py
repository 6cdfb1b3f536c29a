"""`autograd-lite fit`: the notes' table digit for digit, what it ends with, and each way in which it cannot be done."""

import importlib.util
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from autograd_lite.cli import descent, output
from autograd_lite.cli import fit as command
from autograd_lite.fit.steps import bar
from tests.cli.command import full, invoke, printed
from tests.nesting import places

run = partial(invoke, "fit")


ROOT = Path(__file__).resolve().parents[2]
CARS = "pounds,mpg\n3.50,18\n3.69,15\n3.44,18\n3.43,16\n4.34,15\n4.42,14\n2.37,24\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cars.csv").write_text(CARS)
    return tmp_path


def lines(*arguments, **options):
    done = run(*arguments, **options)
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout.splitlines()


def by_hand(steps, rate=0.01):
    """Weight and bias after some steps of gradient descent from zero, and their loss, in plain Python."""
    rows = [tuple(map(float, line.split(","))) for line in CARS.split()[1:]]
    w = b = 0.0
    for _ in range(steps):
        errors = [w * x + b - y for x, y in rows]
        w -= rate * sum(2 * e * x for e, (x, _) in zip(errors, rows, strict=True)) / len(rows)
        b -= rate * sum(2 * e for e in errors) / len(rows)
    return w, b, sum((w * x + b - y) ** 2 for x, y in rows) / len(rows)


LINE = ("cars.csv", "weight*pounds + bias", "--target", "mpg")


def test_the_table_of_the_notes():
    done = subprocess.run(
        [sys.executable, "demos/miles_per_gallon.py"], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    table = done.stdout.split("\n\n")[1].splitlines()
    assert len(table) == 7
    assert lines(*LINE, "--steps", 6)[:7] == table


def test_what_a_fit_ends_with():
    found = lines(*LINE, "--steps", 6)
    w, b, loss = by_hand(6)
    assert found[7:9] == ["", "after 6 steps"]
    spread = np.var([18, 15, 18, 16, 15, 14, 24])
    wanted = {"weight": w, "bias": b, "loss": loss, "R²": 1 - loss / spread}
    assert {name: float(number) for name, number in (row.split(" = ") for row in found[9:])} == pytest.approx(wanted, rel=1e-11)
    assert lines(*LINE, "--steps", 1)[3] == "after 1 step"
    assert lines(*LINE, "--lr", 0.06, "--steps", 9999, "--every", 999, "--tol", 1e-9)[-5].startswith("converged after ")


def test_it_ends_at_the_least_squares_line(folder):
    lines(*LINE, "--lr", 0.06, "--steps", 10_000, "--every", 10_000, "--save", "weights.json")
    weights = json.loads((folder / "weights.json").read_text())["weights"]
    pounds, mpg = np.loadtxt("cars.csv", delimiter=",", skiprows=1).T
    assert [weights["weight"], weights["bias"]] == pytest.approx(np.polyfit(pounds, mpg, 1).tolist(), abs=1e-6)


@pytest.mark.parametrize("arguments", [("--init", "w=1", "b=2"), ("--init", "w=1", "--init", "b=2"), ("w=1", "b=4/2")])
def test_where_weights_start(arguments):
    assert lines("cars.csv", "w*pounds + b", "--target", "mpg", "--steps", 1, *arguments)[1].split()[:3] == [
        "1",
        "1.00",
        "2.00",
    ]


def test_every_and_digits():
    found = lines(*LINE, "--steps", 10, "--every", 4, "--digits", 4)
    assert found[1] == "        1  0.0000   0.0000  303.7143"
    assert [row.split()[0] for row in found[1:4]] == ["1", "5", "9"]
    assert found[4] == ""


def test_large_numbers_are_written_with_powers_of_ten():
    done = run("cars.csv", "w*pounds + b", "--target", "mpg", "--lr", 1, "--every", 10)
    assert re.fullmatch(r"       11  -1\.09e\+15  -2\.96e\+14  1\.84e\+31", done.stdout.splitlines()[2])


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop", "adagrad"])
@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
def test_every_optimizer_lowers_every_loss(optimizer, loss):
    found = lines(*LINE, "--optimizer", optimizer, "--loss", loss, "--every", 500)
    assert float(found[-2].removeprefix("loss = ")) < float(found[1].split()[-1]) - 1


def test_logistic(folder):
    rows = [(0.1 * i, int(i > 20) if i % 7 else int(i <= 20)) for i in range(40)]
    (folder / "passed.csv").write_text("hours,passed\n" + "\n".join(f"{x},{y}" for x, y in rows))
    arguments = ("passed.csv", "w*hours + b", "--target", "passed", "--loss", "logistic", "--save", "weights.json")
    found = lines(*arguments, "--lr", 0.5, "--steps", 5000, "--every", 9999, "--tol", "1e-14")
    weights = json.loads((folder / "weights.json").read_text())["weights"]
    x, y = np.array(rows).T
    p = 1 / (1 + np.exp(-weights["w"] * x - weights["b"]))
    assert [np.sum(p - y), np.sum((p - y) * x)] == pytest.approx([0, 0], abs=1e-4)  # the likelihood is stationary
    assert found[-2] == f"accuracy = {np.mean((p > 0.5) == (y > 0.5)):.12g}"


def test_holdout():
    found = lines(*LINE, "--steps", 3, "--holdout", 0.3, "--seed", 1)
    assert re.fullmatch(r"R² on 2 rows not seen = -?\d+\.\d+", found[-1])
    found = lines(*LINE, "--steps", 3, "--holdout", 0.1)
    assert found[-1] == "R² on 1 row not seen is not defined: all mpg are equal"


def test_holdout_scores_rows_that_were_not_fitted(folder):
    x = np.arange(100.0)
    (folder / "t.csv").write_text("x,y\n" + "\n".join(f"{a / 100},{2 * a / 100}" for a in x))
    found = lines("t.csv", "w*x", "--target", "y", "--lr", 0.5, "--every", 9999, "--steps", 200, "--holdout", 0.2)
    assert found[-2:] == ["R² = 1", "R² on 20 rows not seen = 1"]


def test_plot_and_save(folder):
    pytest.importorskip("matplotlib", reason="matplotlib is only in the extra that plots")
    found = lines(*LINE, "--steps", 6, "--plot", "loss.svg", "--save", "weights.json")
    assert found[-2:] == ["saved weights.json", "saved loss.svg"]
    assert (folder / "loss.svg").read_text().startswith("<?xml")
    saved = json.loads((folder / "weights.json").read_text())
    w, b, _ = by_hand(6)
    assert saved.pop("weights") == pytest.approx({"weight": w, "bias": b}, rel=1e-14)
    ending = saved.pop("fit")
    assert (ending["method"], ending["steps"], ending["converged"], ending["n"]) == ("sgd", 6, False, 7)
    assert saved == {
        "format": "autograd_lite.fit", "version": 1, "formula": "weight*pounds + bias", "target": "mpg", "loss": "mse",
        "columns": ["pounds"], "measured": ["mpg"],
    }  # fmt: skip


def test_standard_input():
    assert lines("-", *LINE[1:], "--steps", 6, given=CARS) == lines(*LINE, "--steps", 6)


def test_parquet(folder):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is only in the extra that reads Parquet")
    import pyarrow.parquet as pq

    rows = [list(map(float, line.split(","))) for line in CARS.split()[1:]]
    pq.write_table(pa.table(dict(zip(["pounds", "mpg"], map(list, zip(*rows, strict=True)), strict=True))), "cars.parquet")
    assert lines("cars.parquet", *LINE[1:], "--steps", 6) == lines(*LINE, "--steps", 6)


def test_missing_cells_are_left_out_where_asked(folder):
    (folder / "gaps.csv").write_text(CARS.replace("pounds,mpg\n", "pounds,mpg\n3.1,NA\n") + ",20\n")
    done = run("gaps.csv", *LINE[1:], "--steps", 6, "--drop-missing")
    assert done.stderr == "2 rows with a missing cell are left out\n"
    assert done.stdout.splitlines() == lines(*LINE, "--steps", 6)


def test_a_small_memory_changes_nothing(folder):
    x = np.random.default_rng(0).normal(size=(90_000, 2))
    y = x @ [1.0, -2.0]
    np.savetxt("t.csv", np.column_stack([x, y]), delimiter=",", header="a,c,y", comments="")
    arguments = ("t.csv", "w*a + v*c", "--target", "y", "--lr", 0.1, "--steps", 20, "--batch-size", 1000, "--digits", 12)
    assert lines(*arguments, "--memory", 1) == lines(*arguments)


def test_a_checkpoint_is_gone_on_from(folder):
    whole = lines(*LINE, "--steps", 9)
    lines(*LINE, "--steps", 4, "--checkpoint", "run.json")
    rest = lines(*LINE, "--steps", 9, "--checkpoint", "run.json")
    assert rest == [whole[0], *whole[5:]]
    done = run(*LINE, "--steps", 9, "--checkpoint", "run.json", "--lr", 0.02)
    assert done.exit_code == 2
    assert "belongs to a run with optimizer={'optimizer': 'SGD', 'lr': 0.01," in done.stderr


def test_ctrl_c_prints_what_there_is(monkeypatch):
    printer = descent.printer

    def interrupted(*arguments):
        row = printer(*arguments)

        def callback(step, *rest):
            row(step, *rest)
            if step == 3:
                os.kill(os.getpid(), signal.SIGINT)

        return callback

    monkeypatch.setattr(descent, "printer", interrupted)
    done = run(*LINE, "--lr", 0.01)
    assert done.exit_code == 130
    assert done.stdout.splitlines()[6:8] == ["interrupted after 4 steps", f"weight = {by_hand(4)[0]:.12g}"]


def test_the_bar_is_on_terminals_only_and_off_the_rows(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr(bar, "PAUSE", 0.0)
    monkeypatch.setattr(descent, "Bar", lambda steps: bar.Bar(steps, screen))
    monkeypatch.setattr(output.click, "echo", lambda text, **_: screen.write(f"{text}\n"))
    run(*LINE, "--steps", 6)
    text = screen.getvalue()
    assert text.count("\r\x1b[K[") == 6
    assert "0/6  loss 303.714\r\x1b[K        2    1.20  0.34  170.84\n\r\x1b[K[##" in text
    assert "5/6  loss 42.1721\r\x1b[K\nafter 6 steps\n" in text


# -- errors -----------------------------------------------------------------------------------------------------------

W = ("cars.csv", "w*pounds + b", "--target", "mpg")
ERRORS = [
    (("cars.csv", "w*pounds + b"), "no --target: name the column to predict, --target mpg"),
    ((*W[:3], "miles"), "cars.csv has no column 'miles'; its columns are 'pounds', 'mpg': choose one of them"),
    ((*W[:3], "w"), "the formula w*pounds + b has the target 'w' in it, as a weight, since no column is called so"),
    ((*W[:3], "pounds"), "the formula w*pounds + b has the target 'pounds' in it, which it is to predict: take"),
    (("none.csv", *W[1:]), "none.csv: No such file or directory"),
    (("cars.csv", "w*pounds +", *W[2:]), "an operand is missing after '+', at column 10"),
    (("cars.csv", "2*pounds", *W[2:]), "the formula 2*pounds has columns only: write a weight into it, w*pounds + b"),
    (("cars.csv", "2", *W[2:]), "the formula 2 names no weight: write w*x + b"),
    ((*W, "--init", "c=1"), "c=1.0 starts a weight that w*pounds + b has not: its weights are w, b"),
    ((*W, "--init", "pounds=1"), "pounds=1.0 starts a weight, but 'pounds' is a column: rename one of them"),
    ((*W, "--init", "w"), "'w' is no pair NAME=VALUE: write x=1.5"),
    ((*W, "--loss", "l2"), "--loss='l2' must be one of mse, mae, huber, soft_l1, cauchy, logistic, poisson"),
    ((*W, "--optimizer", "newton"), "--optimizer='newton' must be one of sgd, adam, adamw, rmsprop, adagrad"),
    ((*W, "--loss", "logistic"), "row 1: mpg=18.0 must be 0 or 1 for the loss logistic: recode the column"),
    ((*W, "--lr", -1), "--lr=-1.0 must not be negative, infinite or nan; a step goes downhill by itself, start with lr=0.01"),
    ((*W, "--steps", -1), "--steps=-1 must be a whole number from 0 up"),
    ((*W, "--batch-size", 0), "--batch-size=0 must be a whole number from 1 up"),
    ((*W, "--tol", -1), "--tol=-1.0 must be a number from 0 up"),
    ((*W, "--holdout", 0.01), "--holdout=0.01 of 7 rows must leave at least one row on each side: give a part such as 0.2"),
    ((*W, "--lr", 1), "--lr 1 is too large: the loss is 1.25e+60 at iteration 21, and was 303.7 at the first; --lr 0.0625"),
    ((*W, "--lr", 1, "--batch-size", 3), "goes downhill"),
    ((*W, "--optimizer", "rmsprop", "--lr", 1e300), "--lr 1e+300 is too large"),
    (("cars.csv", "w*log(pounds - 3) + b", *W[2:]), "the residual is nan in row 7, pounds=2.37, mpg=24.0, at w=0, b=0: choose"),
    (("cars.csv", "w*log(pounds - 3) + b", *W[2:], "--lr", 0.01),
     "the weights at the start have no finite loss to go down from: the loss is nan in row 7, pounds=2.37, mpg=24.0;"),
    (("cars.csv", "w*log(pounds - 3) + b", *W[2:], "--batch-size", 1, "--seed", 3), "the loss is nan in row 7, pounds=2.37"),
    (("cars.csv", "sqrt(w)*pounds + b", *W[2:], "--lr", 0.01), "the slope by w is -inf in row 1, pounds=3.5"),
    (("cars.csv", "1e200*w*pounds + b*1e200", *W[2:], "--lr", 0.01),
     "no rate down to 8.67362e-21 goes downhill: bring the columns to a size near 1"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), ERRORS, ids=[message[:40] for _, message in ERRORS])
def test_errors_are_messages_and_status_2(arguments, message):
    done = run(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stderr.startswith("error: ")


CELLS = [
    ("3.1,NA", "cars.csv line 9, column 'mpg': 'NA' is a missing cell; fill it in, or leave such rows out with drop_missing"),
    ("3.1,x", "cars.csv line 9, column 'mpg': 'x' is not a number"),
    ('"3,504",20', "cars.csv line 9, column 'pounds': '3,504' has a comma that may be a decimal sign or separate thousands"),
    ("3.1", "cars.csv line 9 has 1 cell and the header 2"),
]


@pytest.mark.parametrize(("row", "message"), CELLS)
def test_bad_cells_are_named(row, message, folder):
    (folder / "cars.csv").write_text(CARS + row + "\n")
    done = run(*W)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_an_unknown_option_is_named():
    done = run(*W, "--speed=3")
    assert done.exit_code == 2
    assert "--speed is no option of this command: --help lists them" in done.stderr


def test_the_rate_that_is_proposed_does_go_downhill():
    for batch in ((), ("--batch-size", 3)):
        message = run(*W, "--lr", 3, *batch).stderr
        rate = re.search(r"--lr (\S+) goes downhill", message).group(1)
        assert run(*W, "--lr", rate, *batch).exit_code == 0


def test_columns_called_like_constants_or_unlike_names(folder):
    (folder / "t.csv").write_text("x y,x,model year\n1,2,3\n2,3,5\n")
    assert lines("t.csv", "w*x", "--target", "model year", "--steps", 2)[-1].startswith("R² = ")
    (folder / "t.csv").write_text("x,pi\n1,2\n2,3\n")
    assert lines("t.csv", "w*x", "--target", "pi", "--steps", 2)[-1].startswith("R² = ")
    for target, formula in (("x", "w*pi + b"), ("pi", "w*x + pi")):
        done = run("t.csv", formula, "--target", target)
        rule = f"the formula {formula} has the constant pi in it, and a column is called 'pi'"
        assert (done.exit_code, done.stdout) == (2, "")
        assert done.stderr == f"error: {rule}: rename the column, or write the number\n"


FILES = [
    (("--plot", "nowhere/l.png"), "nowhere/l.png: No such file or directory"),
    (("--plot", "folder.png"), "folder.png: Is a directory"),
    (("--plot", "l.foo"), "path='l.foo' must end in .svg, .png or .pdf"),
    (("--plot", "l"), "path='l' must end in .svg, .png or .pdf"),
    (("--plot", "l.jpg"), "path='l.jpg' must end in .svg, .png or .pdf"),
    (("--save", "nowhere/w.json"), "nowhere/w.json: No such file or directory"),
    (("--save", "."), ".: Is a directory"),
    (("--save", ""), "'': No such file or directory"),
    (("--checkpoint", "nowhere/run.json"), "nowhere/run.json: No such file or directory"),
]


@pytest.mark.parametrize(("option", "message"), FILES, ids=[" ".join(option) for option, _ in FILES])
def test_what_cannot_be_written_is_said_before_the_first_step(option, message, folder):
    pytest.importorskip("matplotlib", reason="matplotlib is only in the extra that plots")
    (folder / "folder.png").mkdir()
    done = run(*LINE, "--steps", 5, *option)
    assert (done.exit_code, done.stdout, done.stderr) == (2, "", f"error: {message}\n")
    assert sorted(p.name for p in folder.iterdir()) == ["cars.csv", "folder.png"]


def test_without_matplotlib_a_plot_is_refused_before_the_first_step(monkeypatch):
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    done = run(*LINE, "--plot", "l.svg")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: plots need matplotlib, which is not installed: ")


def test_weights_are_printed_and_saved_before_the_plot_is_drawn(folder, monkeypatch):
    pytest.importorskip("matplotlib", reason="matplotlib is only in the extra that plots")
    monkeypatch.setattr(command, "plot_fit", full("l.svg"))
    done = run(*LINE, "--steps", 6, "--plot", "l.svg", "--save", "w.json")
    assert (done.exit_code, done.stderr) == (2, "error: l.svg: No space left on device\n")
    assert done.stdout.splitlines()[9].startswith("weight = 3.61")
    assert done.stdout.splitlines()[-1] == "saved w.json"
    assert (folder / "w.json").exists()


@pytest.mark.parametrize("formula", ["bias", "Mpg"])  # the target is no repair
def test_a_formula_without_a_column_is_noted(formula):
    done = run("cars.csv", formula, *W[2:], "--steps", 1)
    note = f"{formula} names no column, so that it is the same in every row; the columns are 'pounds'; one whose name is not"
    assert done.exit_code == 0
    assert done.stderr.startswith(f"note: {note} letters")


@pytest.mark.parametrize(
    ("header", "formula", "message"),
    [
        ("pounds,mpg", "w*Pounds + b", "no column is called Pounds; did you mean pounds?"),
        ("pounds,mpg", "w*pound + b*pounds", "no column is called pound; did you mean pounds?"),
        ("Height (cm),mpg", "w*Height + b", "no column is called Height; did you mean `Height (cm)`?"),
        ("sepal.length,mpg", "w*sepal_length + b", "no column is called sepal_length; did you mean `sepal.length`?"),
    ],
)
def test_a_weight_that_resembles_a_column_is_refused(header, formula, message, folder):
    (folder / "t.csv").write_text(CARS.replace("pounds,mpg", header))
    done = run("t.csv", formula, *W[2:])
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error: {message}  A weight of that name is given a start, --init ")
    assert done.stdout == ""


def test_a_weight_that_is_started_is_meant_as_one():
    assert lines("cars.csv", "Pounds*pounds", *W[2:], "--steps", 1, "--init", "Pounds=1")


def test_a_run_that_ends_above_its_start_is_too_fast():
    for batch in ((), ("--batch-size", 3)):
        arguments = ("cars.csv", "exp(w*pounds)", "--target", "mpg", "--steps", 30, *batch)
        done = run(*arguments, "--lr", 0.1)
        assert done.exit_code == 2
        wanted = (
            r"error: --lr 0\.1 is too large: the loss is 303\.7 at iteration 31, and was 270\.4 at the first; --lr (\S+) goes "
        )
        rate = re.fullmatch(wanted + "downhill\n", done.stderr).group(1)
        assert run(*arguments, "--lr", rate).exit_code == 0


BEFORE = [("--lr", -1), ("--steps", -5), ("--batch-size", 0), ("--tol", -1)]


@pytest.mark.parametrize("option", BEFORE, ids=[option for option, _ in BEFORE])
def test_nothing_is_printed_before_an_error_of_an_option(option):
    done = run(*LINE, *option)
    assert (done.exit_code, done.stdout) == (2, "")
    assert run("cars.csv", "w*log(pounds - 3) + b", *W[2:]).stdout == ""


def test_a_checkpoint_of_another_formula_is_refused():
    lines(*LINE, "--steps", 4, "--checkpoint", "run.json")
    done = run("cars.csv", "weight*pounds - bias", "--target", "mpg", "--steps", 4, "--checkpoint", "run.json")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        "error: --checkpoint='run.json' belongs to a run with formula='weight*pounds + bias', and this one has "
        "formula='weight*pounds - bias': go on as it was begun, or remove the file to begin again\n"
    )


def test_click_and_numpy_are_not_needed_together(monkeypatch):
    wanted = lines(*LINE, "--steps", 6)
    monkeypatch.setitem(sys.modules, "numpy", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert lines(*LINE, "--steps", 6) == wanted
    assert importlib.util.find_spec("click")


@pytest.mark.parametrize("option", ["--save", "--checkpoint", "--plot"])
def test_the_table_is_not_written_over(option):
    before = Path("cars.csv").read_bytes()
    os.symlink("cars.csv", "soft.svg")
    os.link("cars.csv", "hard.svg")
    for path in ("./cars.csv", "soft.svg", "hard.svg"):
        done = run("cars.csv", "w*pounds + b", "--target", "mpg", "--steps", 1, option, path)
        assert (done.exit_code, done.stderr) == (
            2, f"error: {path} is {option} and also the table, which would be lost: give another file\n",
        )  # fmt: skip
        assert Path("cars.csv").read_bytes() == before


def test_no_two_outputs_are_one_file(folder):
    (folder / "sub").mkdir()
    os.symlink("w.svg", "link.svg")
    for first, second in (("--save", "--checkpoint"), ("--save", "--plot"), ("--checkpoint", "--plot")):
        for one, other in (("w.svg", "sub/../w.svg"), ("w.svg", "link.svg"), ("link.svg", "./w.svg")):
            done = run(*LINE, "--steps", 1, first, one, second, other)
            rule = f"error: {other} is {second} and also {first}, which would be lost: give another file\n"
            assert (done.exit_code, done.stdout, done.stderr) == (2, "", rule)
    assert not (folder / "w.svg").exists()


def test_a_run_that_ends_above_where_it_began_is_told_a_rate(folder):
    (folder / "line.csv").write_text("x,y\n1,2\n2,4\n3,6\n")
    given = ("line.csv", "w*x", "--target", "y", "--loss", "mae")
    for loss, more in ((8, ("--steps", 11)), (10, ("--steps", 10, "--batch-size", 2))):
        done = run(*given, *more, "--lr", 3)
        assert done.exit_code == 0
        told = f"note: the loss ends at {loss} and was 4 at the first iteration: --lr (\\S+) goes downhill\n"
        rate = re.fullmatch(told, done.stderr)[1]
        assert run(*given, *more, "--lr", rate).stderr == ""


def test_ctrl_c_in_least_squares_prints_what_there_is(monkeypatch):
    from autograd_lite.fit.methods import trust

    step = trust.Shape.step

    def interrupted(*arguments):
        os.kill(os.getpid(), signal.SIGINT)
        return step(*arguments)

    monkeypatch.setattr(trust.Shape, "step", interrupted)
    done = run("cars.csv", "a*exp(k*pounds)", "--target", "mpg", "--init", "a=30", "--init", "k=-0.1")
    assert done.exit_code == 130
    assert done.stdout.rstrip().endswith("not converged after 0 steps (lm): interrupted")


def test_weights_of_any_size_have_errors():
    plain = json.loads(run(*W, "--json").stdout)["params"]
    for scale, text in ((1e-200, "1e200"), (1e200, "1e-200")):
        scaled = json.loads(run("cars.csv", f"{text}*w*pounds + b*{text}", *W[2:], "--json").stdout)["params"]
        for name in "wb":
            for key in ("value", "stderr", "low", "high"):
                assert scaled[name][key] == pytest.approx(plain[name][key] * scale, rel=1e-9)


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("pounds;mpg\n", ("--decimal", ","), "note: t.csv has cells separated by semicolons; --sep says otherwise\n"),
        ("pounds;mpg\n", ("--decimal", ",", "--sep", ";"), ""),
    ],
)
def test_tables_of_other_countries(text, options, said, folder):
    rows = [line.split(",") for line in CARS.splitlines()[1:]]
    (folder / "t.csv").write_text(text + "".join(";".join(cell.replace(".", ",") for cell in row) + "\n" for row in rows))
    wanted = json.loads(run(*W, "--json").stdout)["params"]
    done = run("t.csv", *W[1:], "--json", *options)
    assert json.loads(done.stdout)["params"] == wanted
    assert done.stderr == said


def test_a_table_without_a_header(folder):
    (folder / "t.csv").write_text("".join(line + "\n" for line in CARS.splitlines()[1:]))
    done = run("t.csv", "w*c1 + b", "--target", "c2", "--no-header", "--json")
    assert json.loads(done.stdout)["params"] == json.loads(run(*W, "--json").stdout)["params"]
    assert done.stderr == "note: t.csv is read without a header: its columns are c1, c2\n"


@pytest.mark.parametrize("how", [(), ("--lr", "0.02", "--steps", "5", "--every", "100")])
def test_a_page_of_the_fit(tmp_path, how):
    table = tmp_path / "cars.csv"
    table.write_text("pounds,mpg\n3.5,18\n3.69,15\n3.44,18\n3.43,16\n4.34,15\n4.42,14\n2.37,24\n")
    page = tmp_path / "fit.html"
    done = printed("fit", table, "w*pounds + b", "--target", "mpg", "--page", page, *how)
    assert "fit.html" in done.replace("\n", "")
    assert "mpg ≈ w*pounds + b" in page.read_text("utf-8")


def test_a_page_that_is_no_page(tmp_path):
    table = tmp_path / "cars.csv"
    table.write_text("pounds,mpg\n3.5,18\n")
    done = invoke("fit", table, "w*pounds + b", "--target", "mpg", "--page", tmp_path / "fit.svg")
    assert done.exit_code == 2
    assert "must end in .html" in done.output


# -- groups and words -------------------------------------------------------------------------------------------------


@pytest.fixture
def birds(folder):
    rng = np.random.default_rng(5)
    words = rng.choice(["Adelie", "Gentoo", "Chin strap"], 90)
    x = rng.uniform(1, 5, 90)
    y = 3 * x + np.array([{"Adelie": 1.0, "Gentoo": 5.0, "Chin strap": -2.0}[w] for w in words]) + rng.normal(0, 0.2, 90)
    cells = zip(words, x.tolist(), y.tolist(), [70, 71] * 45, strict=True)
    rows = "".join(f"{word},{a!r},{b!r},{year}\n" for word, a, b, year in cells)
    (folder / "birds.csv").write_text("species,x,y,year\n" + rows)
    return words, x, y


def params(*arguments):
    return {name: entry["value"] for name, entry in json.loads(run(*arguments, "--json").stdout)["params"].items()}


def test_weights_of_groups(birds):
    words, x, y = birds
    levels = list(dict.fromkeys(words))
    design = np.column_stack([*[(words == word).astype(float) for word in levels], x])
    wanted = dict(
        zip([*[f"a[{word}]" for word in levels], "b"], np.linalg.lstsq(design, y, rcond=None)[0].tolist(), strict=True)
    )
    for formula, options in (("a[species] + b*x", ()), ("a[group] + b*x", ("--group", "species"))):
        found = params("birds.csv", formula, "--target", "y", *options)
        assert found == pytest.approx(wanted, rel=1e-9)
    report = run("birds.csv", "a[species] + b*x", "--target", "y").stdout
    assert [line.split("  ")[0] for line in report.splitlines()[1:5]] == list(wanted)


def test_categories(birds):
    words, x, y = birds
    design = np.column_stack([np.ones(90), words == "Gentoo", x])
    found = params("birds.csv", 'a + c*is(species, "Gentoo") + b*x', "--target", "y")
    assert list(found.values()) == pytest.approx(np.linalg.lstsq(design, y, rcond=None)[0].tolist(), rel=1e-9)
    mine = words == "Chin strap"
    slope, start = np.polyfit(x[mine], y[mine], 1)
    found = params("birds.csv", "a + b*x", "--target", "y", "--where", "is(species, 'Chin strap') * (x > 0)")
    assert found == pytest.approx({"a": start, "b": slope}, rel=1e-9)
    kept = params("birds.csv", "a[species] + b*x", "--target", "y", "--where", "1 - is(species, 'Adelie')")
    assert set(kept) == {"a[Gentoo]", "a[Chin strap]", "b"}


def test_groups_by_descent(birds):
    found = params("birds.csv", "a[species] + b*x", "--target", "y", "--lr", 0.05, "--steps", 4000)
    assert found == pytest.approx(params("birds.csv", "a[species] + b*x", "--target", "y"), abs=1e-3)


B = ("--target", "y")
GROUPS = [
    (("a[group] + b*x", *B), "a[group] is one a for each word of group, which is no column: name the column with --group"),
    (("a[site] + b*x", *B), "a[site] is one a for each word of site, which is no column: the columns are species, x, y, year"),
    (("a[group] + b*x", *B, "--group", "site"), "--group='site' is no column: the columns are species, x, y, year"),
    (("a + b*x", *B, "--group", "species"), "no weight of a + b*x is one for each species: write a[group] for one that is"),
    (('a + b*is(species, "Adelle")', *B), "is(species, \"Adelle\"): no row of species is 'Adelle'; they are "),
    (('a + b*is(site, "Adelle")', *B), 'is(site, "Adelle") asks for site, which is no column'),
    (("a + b*species", *B), "birds.csv line 2, column 'species': "),
    (("a[year] + b*year", *B), "the formula a[year] + b*year has year as a number and as words: give it a column for each"),
    (("a*year + b*x", *B, "--where", "is(year, '70')"), "year is asked for as words and as numbers: compare"),
    (("a + b*x", *B, "--where", "is(species, 'Adelle')"), "no row of species is 'Adelle'; they are "),
    (("a + b*x", *B, "--where", "c[species]"), "--where c[species] has one weight for each group, and takes columns only"),
    (("a + b*x", *B, "--where", "z > 1"), "birds.csv has no column 'z'; its columns are 'species', 'x', 'y', 'year'"),
    (("a[x] + b", "--target", "x"), "the formula a[x] + b has the target 'x' in it"),
    (("a[species] + b*x", *B, "--init", "a[Adelle]=1"), "a[Adelle]=1.0 starts a weight that a[species] + b*x has not"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), GROUPS, ids=[message[:50] for _, message in GROUPS])
def test_groups_and_words_that_are_none(arguments, message, birds):
    done = run("birds.csv", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr


def test_a_group_that_only_other_rows_have_is_not_determined(birds, folder):
    text = (folder / "birds.csv").read_text() + "Emperor,1,,70\n"
    (folder / "birds.csv").write_text(text)
    assert "line 92, column 'y': '' is a missing cell" in run("birds.csv", "a[species] + b*x", *B).stderr
    assert "a[Emperor]" not in params("birds.csv", "a[species] + b*x", *B, "--drop-missing")


# -- checkpoints that somebody has changed ----------------------------------------------------------------------------

RUNS = {
    "adam": ("--lr", "0.01", "--steps", "8", "--optimizer", "adam"), "sgd": ("--steps", "8", "--batch-size", "3"),
    "lm": ("--init", "w=1", "--init", "b=2"), "huber": ("--loss", "huber"), "lbfgs": ("--loss", "cauchy", "--method", "lbfgs"),
    "mae": ("--loss", "mae"),
}  # fmt: skip
JUNK = [None, True, 0, -1, 1.5, 10**400, "", "x", "nan", [], [[]], [1], {}, {"x": 1}, 1e308, [10**400], "\x1b[2J"]


@pytest.mark.parametrize("name", RUNS)
def test_a_changed_checkpoint_is_named(name, folder):
    arguments = (*W, *RUNS[name], "--checkpoint", "run.json")
    first = run(*arguments)
    assert first.exit_code == 0
    good = json.loads((folder / "run.json").read_text())
    assert run(*arguments).exit_code == 0
    every = [(place, junk) for place in places(good) if place for junk in JUNK]
    refused = 0
    for place, junk in random.Random(0).sample(every, 40):
        content = json.loads(json.dumps(good))
        inner = content
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = junk
        (folder / "run.json").write_text(json.dumps(content))
        done = run(*arguments)
        assert done.exit_code in (0, 2), done.output
        assert (done.exit_code == 0) or "run.json" in done.stderr
        refused += done.exit_code == 2
        (folder / "run.json").write_text(json.dumps(good))
    assert refused > 25
    for text in ("[" * 100_000, "{", "", "1" * 5000, "\0", '{"a":' * 50_000):
        (folder / "run.json").write_text(text)
        done = run(*arguments)
        assert (done.exit_code, done.stdout) == (2, "")
        assert "run.json" in done.stderr


def test_scales_of_robust_losses(folder):
    rng = np.random.default_rng(7)
    x = np.linspace(0, 5, 60)
    y = 2 * x + 1 + rng.normal(0, 0.1, 60)
    y[::10] += 9
    (folder / "t.csv").write_text("x,y\n" + "".join(f"{a!r},{b!r}\n" for a, b in zip(x.tolist(), y.tolist(), strict=True)))
    for loss in ("huber", "soft_l1", "cauchy"):
        done = json.loads(run("t.csv", "w*x + b", *B, "--loss", loss, "--json").stdout)
        assert (done["converged"], done["scale_given"]) == (True, False)
        assert done["params"]["w"]["value"] == pytest.approx(2, abs=0.1)
        given = json.loads(run("t.csv", "w*x + b", *B, "--loss", loss, "--scale", done["scale"], "--json").stdout)
        assert given["scale_given"] is True
        assert given["params"]["w"]["value"] == pytest.approx(done["params"]["w"]["value"], rel=1e-6)
    assert "--scale=2 goes with the losses huber, soft_l1, cauchy" in run("t.csv", "w*x + b", *B, "--scale", 2).stderr
    assert "--scale=-2.0 must be above 0" in run("t.csv", "w*x + b", *B, "--loss", "huber", "--scale", -2).stderr


@pytest.mark.parametrize(("loss", "method"), [("mse", "lm"), ("cauchy", "newton"), ("poisson", "lbfgs")])
def test_a_run_that_is_killed_goes_on_to_the_same_bits(loss, method, folder):
    rng = np.random.default_rng(8)
    x = rng.uniform(0, 3, 300)
    rate = np.exp(0.5 * x - 0.3)
    y = rng.poisson(rate) if loss == "poisson" else 3 * rate + rng.normal(0, 0.1, 300)
    (folder / "t.csv").write_text("x,y\n" + "".join(f"{a!r},{float(b)!r}\n" for a, b in zip(x.tolist(), y, strict=True)))
    formula = "a*x + b" if loss in ("logistic", "poisson") else "a*exp(k*x)"
    line = ["fit", "t.csv", formula, *B, "--loss", loss, "--method", method, "--json", "--init"]
    line += ["a=0.1", "b=0.1"] if formula.startswith("a*x") else ["a=1", "k=0.1"]
    whole = json.loads(invoke(*line).stdout)
    program = (
        "import os, signal, sys\n"
        "from autograd_lite.cli import main\n"
        "from autograd_lite.fit.steps import checkpoint\n"
        "write, left = checkpoint.write_atomically, [int(sys.argv.pop(1))]\n"
        "def writing(*given):\n"
        "    write(*given); left[0] -= 1\n"
        "    if not left[0]: os.kill(os.getpid(), signal.SIGKILL)\n"
        "checkpoint.write_atomically = writing\n"
        "main()\n"
    )
    killed = 0
    while True:
        again = [sys.executable, "-c", program, "3", *line, "--checkpoint", "run.json"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(again, capture_output=True, text=True, check=False, env=environment)
        if done.returncode != -signal.SIGKILL:
            break
        killed += 1
        assert killed < 60
    assert killed >= 1
    found = json.loads(done.stdout)
    assert found["params"] == whole["params"]
    assert (found["loss"], found["converged"]) == (whole["loss"], True)


def test_standard_deviations_and_weights_that_are_none(folder):
    (folder / "t.csv").write_text("x,y,s,v\n1,2,1,0\n2,4.1,0,1\n3,6,1,-1\n")
    for how in ((), ("--lr", "0.01")):
        done = run("t.csv", "w*x", *B, "--sigma", "s", *how)
        rule = "error: row 2: s=0.0 must be above 0, as a standard deviation is: mend the column\n"
        assert (done.exit_code, done.stdout, done.stderr) == (2, "", rule)
        done = run("t.csv", "w*x", *B, "--weights", "v", *how)
        assert (done.exit_code, done.stderr) == (2, "error: row 3: v=-1.0 must be 0 or more, as a weight is: mend the column\n")
