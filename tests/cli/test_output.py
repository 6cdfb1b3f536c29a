"""What reaches a terminal: nothing that moves its cursor, whoever wrote it; one object of JSON; pipes that close."""

import ast
import json
import os
import subprocess
import sys

import pytest

from autograd_lite.cli import COMMANDS, application
from autograd_lite.cli.output import as_json, print_table
from tests.cli.command import full, invoke
from tests.cli.test_app import ROOT, piped

EVIL = "m\x1b]0;t\x07p\r\x85g\u202e"
CARS = "pounds,mpg\n3.50,18\n3.69,15\n3.44,18\n3.43,16\n4.34,15\n4.42,14\n2.37,24\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cars.csv").write_text(CARS)
    header = f'"{EVIL}x","{EVIL}y","{EVIL}words"'
    rows = [line.split(",") for line in CARS.splitlines()[1:]]
    (tmp_path / "evil.csv").write_text("\n".join([header, *(f'{a},{b},"{EVIL}{a[0]}"' for a, b in rows)]), newline="")
    return tmp_path


FITS = [
    ("fit", "evil.csv", f"w*`{EVIL}x`", "--target", f"{EVIL}y"),
    ("fit", "evil.csv", "w*pounds", "--target", f"{EVIL}y"),
    ("fit", "evil.csv", "w + 1", "--target", f"{EVIL}y"),
    ("fit", "evil.csv", "w", "--target", f"{EVIL}y", "--loss", "logistic"),
    ("fit", "evil.csv", "w", "--target", f"{EVIL}y", "--lr", "0.1", "--steps", "3"),
    ("fit", "evil.csv", "w", "--target", f"{EVIL}y", "--lr", "9", "--loss", "mae", "--steps", "11"),
    ("fit", "evil.csv", "w", "--target", f"{EVIL}words"),
    ("fit", "evil.csv", "w", "--target", EVIL),
    ("fit", "evil.csv", "w", "--target", f"{EVIL}y", "--where", "1\r\x1b[2J +"),
    ("fit", "evil.csv", "w", "--target", f"{EVIL}y", "--where", "1\r +0"),
    ("fit", "evil.csv", "w", "--target", f"{EVIL}y", "--json"),
    ("fit", "evil.csv", "w", "--target", f"{EVIL}y", "--loss", EVIL),
    ("fit", "evil.csv", "w", "--target", f"{EVIL}y", "--steps", EVIL),
    ("fit", "evil.csv", "w", "--target", f"{EVIL}y", "--init", f"w={EVIL}"),
    ("fit", "evil.csv", "w", "--target", f"{EVIL}y", "--sep", EVIL),
    ("fit", EVIL, "w", "--target", "y"),
    ("fit", "cars.csv", "w", "--target", "mpg", "--save", f"{EVIL}/x"),
    ("grad", "x +\r 1\x0b", "x=1"),
    ("grad", "x +\r 1", "x=1"),
    ("grad", "x +\r 1", "x=1", "--explain"),
    ("grad", "x", f"x={EVIL}"),
    ("grad", EVIL, "x=1"),
    ("grad", f"`{EVIL}`", "x=1"),
    ("grad", "x", "x=1", f"--{EVIL}"),
    ("check", "x +\r 1", "x=1"),
    ("check", "x", "x=1", "--seed", EVIL),
    ("ops", EVIL),
    ("predict", EVIL, EVIL),
    (EVIL,),
]


@pytest.mark.parametrize("arguments", FITS, ids=range(len(FITS)))
def test_no_control_character_reaches_the_terminal(arguments):
    done = invoke(*(text.replace("`", "'") if "\x07" in text and arguments[0] == "grad" else text for text in arguments))
    shown = done.stdout_bytes.decode() + done.stderr_bytes.decode()
    assert shown
    assert all(c.isprintable() or c == "\n" for c in shown), ascii(shown)


ENOUGH = {  # for a command to run
    "grad": ("x", "x=1"), "check": ("x", "x=1"),
    "fit": ("cars.csv", "w*pounds", "--target", "mpg"), "predict": ("w.json", "cars.csv"),
}  # fmt: skip
OPTIONS = [
    (name, option, parameter.is_flag)
    for name in COMMANDS
    for parameter in application(name).commands[name].params
    for option in parameter.opts
    if option.startswith("--") and option != "--cluster"  # asked for in a process of its own
]


@pytest.mark.parametrize(("command", "option", "flag"), OPTIONS, ids=[f"{c} {o}" for c, o, _ in OPTIONS])
def test_no_option_brings_a_control_character_to_the_terminal(command, option, flag):
    assert invoke("fit", "cars.csv", "w*pounds + b", "--target", "mpg", "--save", "w.json").exit_code == 0
    for value in (EVIL, f"w={EVIL}", f"{EVIL}=1"):
        given = [f"{option}={value}"] if flag else [option, value]
        done = invoke(command, *ENOUGH.get(command, ()), *given)
        shown = done.stdout_bytes.decode() + done.stderr_bytes.decode()
        assert all(c.isprintable() or c == "\n" for c in shown), ascii(shown)
        assert done.exit_code in (0, 2, 3)


def test_predictions_on_a_terminal_are_escaped_and_in_a_pipe_are_not(folder):
    fitted = invoke("fit", "cars.csv", "w*pounds + b", "--target", "mpg", "--save", "w.json")
    assert fitted.exit_code == 0
    text = f'pounds,name\n3,"{EVIL}"\n'
    (folder / "more.csv").write_text(text, newline="")
    done = invoke("predict", "w.json", "more.csv")
    assert EVIL.encode() in done.stdout_bytes
    program = "from autograd_lite.cli import predict\n" + (
        "predict.sys = type('sys', (), {'stdout': type('Terminal', (), {'isatty': lambda self: True})()})\n"
        "from autograd_lite.cli import main; main()"
    )
    shown = piped("predict", "w.json", "more.csv", program=("-c", program))
    assert shown.returncode == 0, shown.stderr
    assert all(c.isprintable() or c == "\n" for c in shown.stdout)
    assert "\\x1b]0;t\\x07" in shown.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("cars.csv", "w*pounds + b", "--target", "mpg"),
        ("cars.csv", "w*pounds + b", "--target", "mpg", "--holdout", "0.3"),
        ("cars.csv", "w*pounds + b", "--target", "mpg", "--save", "w.json", "--plot", "p.svg"),
        ("cars.csv", "w*pounds + b", "--target", "mpg", "--lr", "0.01", "--steps", "5"),
        ("cars.csv", "w*pounds + b", "--target", "mpg", "--lr", "10"),
        ("cars.csv", "w*pounds + v*pounds", "--target", "mpg"),
        ("cars.csv", "w*pounds + b", "--target", "mpg", "--every", "1"),
        ("cars.csv", "w*pounds + ", "--target", "mpg"),
        ("cars.csv", "w*pounds + b", "--target", "mpg", "--loss", "none"),
        ("cars.csv", "w*pounds + b", "--target", "mpg", "--steps", "x"),
        ("none.csv", "w*pounds + b", "--target", "mpg"),
        ("cars.csv", "w*pounds + b", "--target", "mpg", "--plot", "p.foo"),
        ("cars.csv",),
        (),
    ],
)
def test_json_is_one_object_whatever_happens(arguments):
    done = invoke("fit", *arguments, "--json")
    found = json.loads(done.stdout, parse_constant=pytest.fail)
    assert found["converged"] is (done.exit_code == 0 and "--lr" not in arguments)
    assert found["reason"]
    if done.exit_code == 2:
        assert done.stderr == f"error: {found['error']}\n"
    for command in ("grad", "check", "ops"):
        done = invoke(command, "x+", "--json")
        assert (done.exit_code, done.stderr) == (2, f"error: {json.loads(done.stdout)['error']}\n")


def test_an_error_after_the_answer_is_no_second_object(monkeypatch):
    from autograd_lite.cli import fit as command

    pytest.importorskip("matplotlib", reason="matplotlib is only in the extra that plots")
    monkeypatch.setattr(command, "plot_fit", full("l.svg"))
    done = invoke("fit", "cars.csv", "w*pounds + b", "--target", "mpg", "--plot", "l.svg", "--json")
    assert (done.exit_code, done.stderr) == (2, "error: l.svg: No space left on device\n")
    assert json.loads(done.stdout)["converged"] is True


USAGE = [
    (("fit", "cars.csv", "w", "--target", "mpg", "--lr", "x"), "--lr='x' must be a number"),
    (("fit", "cars.csv", "w", "--target", "mpg", "--every", "0"), "--every='0' must be a whole number from 1 up"),
    (("fit", "cars.csv", "w", "--target", "mpg", "--memory", "0"), "--memory='0' must be a whole number from 1 up"),
    (("fit", "cars.csv", "w", "--target", "mpg", "--speed", "3"), "--speed is no option of this command: --help lists them"),
    (("predict", "w.json", "cars.csv", "--speed", "3"), "--speed is no option of this command: --help lists them"),
    (("ops", "--speed"), "--speed is no option of this command: --help lists them"),
    (("grad", "x", "x=1", "--speed"), "--speed is no option of this command: --help lists them"),
    (("grad", "x", "x=1", "--order", "0"), "--order=0 must be from 1 to 8"),
    (("check", "x", "--random", "0"), "--random=0 must be at least 1"),
    (
        ("fit", "cars.csv", "w", "--target", "mpg", "--sep", "ab"),
        "--sep='ab' must be one sign between cells: , ; | tab or blanks",
    ),
    (
        ("fit", "cars.csv", "w*pounds", "--target", "mpg", "--holdout", "2"),
        "--holdout=2.0 of 7 rows must leave at least one row",
    ),
    (("fit",), "no FILE: autograd-lite fit --help shows examples"),
    (("fit", "cars.csv", "w", "--digits=99"), "--digits='99' must be a whole number from 0 to 17"),
    (("grad", "x", "--order"), "--order has no value: --help says what it takes"),
    (("ops", "sin", "cos"), "Got unexpected extra argument"),
    (("gard",), "No such command 'gard'"),
    (("--speed",), "--speed is no option of this command: --help lists them"),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE, ids=[message for _, message in USAGE])
def test_errors_of_options_look_alike_in_every_command(arguments, message):
    done = invoke(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("options", [("--lr", "0.01", "--steps", "3000"), ()], ids=["descent", "least squares"])
def test_a_reader_that_stops_early_does_not_stop_the_fit(options, folder):
    line = ["fit", "cars.csv", "w*pounds + b", "--target", "mpg", *options, "--save", "w.json"]
    run = subprocess.Popen(
        [sys.executable, "-m", "autograd_lite", *line], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert run.stdout is not None
    assert run.stderr is not None
    run.stdout.close()
    assert run.stderr.read() == b""
    run.stderr.close()
    assert run.wait() == 0
    assert json.loads((folder / "w.json").read_text())["weights"]["w"] < 0


def test_what_json_cannot_show_is_an_escape():
    text = as_json({EVIL: ["\U000e0001", "\ud800", "\n"]})
    assert json.loads(text) == {EVIL: ["\U000e0001", "\ud800", "\n"]}
    assert all(c.isprintable() or c == "\n" for c in text)


def test_a_message_has_a_longest_length():
    done = invoke("fit", "cars.csv", "w*pounds + b", "--target", "z" * 100_000)
    assert done.exit_code == 2
    assert len(done.stderr) < 3000


def test_a_fit_that_cannot_be_saved_is_told_all_the_same(monkeypatch, folder):
    from autograd_lite.cli import fit as command

    monkeypatch.setattr(command, "save_model", full("w.json"))
    done = invoke("fit", "cars.csv", "w*pounds + b", "--target", "mpg", "--save", "w.json")
    assert (done.exit_code, done.stderr) == (2, "error: w.json: No space left on device\n")
    assert done.stdout.startswith("weight ")
    done = invoke("fit", "cars.csv", "w*pounds + b", "--target", "mpg", "--save", "w.json", "--json")
    assert (done.exit_code, json.loads(done.stdout)["converged"]) == (2, True)


def test_h_is_help():
    for arguments in (("-h",), *((command, "-h") for command in ("grad", "check", "fit", "predict", "ops"))):
        done = invoke(*arguments)
        assert (done.exit_code, "Usage: autograd-lite" in done.stdout) == (0, True)
    assert "a[group]" in invoke("fit", "--help", columns=200).stdout


def test_there_is_one_writer():
    """Nothing of the command writes but `output.say`, which lets no control character through, and `predict` data to pipes."""
    writers = ("print", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write", "sys.stdout.buffer.write")
    found = {}
    for path in (ROOT / "autograd_lite" / "cli").glob("*.py"):
        calls = [ast.unparse(n.func) for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Call)]
        if written := [call for call in calls if call in writers]:
            found[path.name] = written
    assert found == {"output.py": ["click.echo"], "predict.py": ["sys.stdout.buffer.write"]}


@pytest.mark.parametrize(
    ("columns", "rows", "shown"),
    [
        (20, [("a b", "1")], "name  value\na b       1\n"),
        (20, [("one two three four", "1")], "name           value\none two three      1\nfour\n"),
        (16, [("x" * 20, "1")], "name       value\nxxxxxxxxx      1\nxxxxxxxxx\nxx\n"),
        (16, [("日本語の名前", "1")], "name       value\n日本語の       1\n名前\n"),
        (30, [("e\u0301" * 3, "10")], "name  value\ne\u0301e\u0301e\u0301      10\n"),
        (2, [("ab", "日")], "n  v\na  a\nm  l\ne  u\n   e\na  日\nb\n"),
    ],
)
def test_tables_fit_the_terminal(columns, rows, shown, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(columns))
    print_table(("name", "value"), rows, numbers=(1,))
    assert capsys.readouterr().out == shown
