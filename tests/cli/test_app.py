"""The command line as a whole: help, version, exit statuses, pipes, completion, and life without click."""

import os
import re
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

pytest.importorskip("click", reason="the command line needs click: pip install 'autograd-lite[cli]'")

import click
from click.testing import CliRunner

import autograd_lite
from autograd_lite import cli
from autograd_lite.cli import application
from autograd_lite.cli.common import read_number, read_pairs
from autograd_lite.cli.messages import errors_as_messages
from autograd_lite.cli.options import command
from autograd_lite.errors import ExpressionError, GraphTooLargeWarning, InputValueError, MissingPackageError
from tests.cli.command import invoke as run

ROOT = Path(autograd_lite.__file__).parents[1]
COMMANDS = list(application().commands)
WHOLE = "import sys; from autograd_lite.cli import main; sys.argv[0] = 'autograd-lite'; main()"


def piped(*args, program=("-m", "autograd_lite"), **environment):
    """The command line in a process of its own, its output piped."""
    plain = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS")}
    return subprocess.run(
        [sys.executable, *program, *args], env={**plain, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **environment},
        capture_output=True, encoding="utf-8", errors="replace", check=False, timeout=120,
    )  # fmt: skip


def examples(command):
    return re.findall(r"^ *(autograd-lite .*)$", application().commands[command].callback.__doc__, re.MULTILINE)


def test_the_list_has_the_first_sentence_of_every_command_and_imports_none():
    sentences = {c.callback.__name__: c.callback.__doc__.split("\n\n")[0].strip() for c in application().commands.values()}
    assert sentences == cli.COMMANDS
    shown = piped("--help").stdout
    assert all(f" {name} " in shown for name in cli.COMMANDS)
    assert piped("--help").stdout == run("--help").output
    program = WHOLE.replace("main()", "print(*application('grad').commands)")
    program = program.replace("import main", "import application") + "; print('autograd_lite.cli.fit' in sys.modules)"
    assert piped("grad", program=("-c", program)).stdout.split() == ["grad", "False"]


def test_help_lists_every_command_and_version_is_the_packages():
    shown = run("--help")
    assert shown.exit_code == 0
    assert all(command in shown.output for command in COMMANDS)
    version = run("--version")
    assert (version.exit_code, version.output) == (
        0,
        f"autograd-lite {autograd_lite.__version__} (core in {autograd_lite.core()})\n",
    )


@pytest.mark.parametrize("command", ["grad", "check", "ops"])
def test_help_of_a_command_has_examples_and_they_run(command, tmp_path, monkeypatch):
    shown = run(command, "--help")
    assert shown.exit_code == 0
    lines = examples(command)
    assert len(lines) >= 2
    monkeypatch.chdir(tmp_path)
    for line in lines:
        assert line in shown.output
        done = run(*shlex.split(line)[1:])
        assert done.exit_code == 0, done.output
        assert done.output


def test_no_command_and_an_unknown_one():
    assert "Usage: autograd-lite" in run().output
    unknown = run("gard")
    assert unknown.exit_code == 2
    assert "No such command 'gard'" in unknown.output


@pytest.mark.parametrize("program", [("-m", "autograd_lite"), ("-c", WHOLE)], ids=["module", "script"])
def test_as_a_process_output_is_plain_and_80_columns_wide(program):
    done = piped("ops", program=program)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.split("\n"))) <= 80
    assert all(line == line.rstrip() for line in done.stdout.split("\n"))
    shown = piped("grad", "--help", program=program)
    assert shown.returncode == 0
    assert "\x1b" not in shown.stdout
    assert "Usage: autograd-lite grad" in shown.stdout


def test_an_error_as_a_process_is_a_message_without_traceback():
    done = piped("grad", "2x", "x=1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: missing '*' between number and name, at column 2:\n  2x\n   ^\n"


def test_a_terminal_without_unicode_gets_escapes():
    done = piped("grad", "x*y", "x=1", "y=2", "--explain", PYTHONIOENCODING="iso8859-15")
    assert done.returncode == 0, done.stderr
    assert r"\u2202f/\u2202x" in done.stdout


def test_a_reader_that_stops_early_sees_no_error():
    line = f"{shlex.quote(sys.executable)} -m autograd_lite ops | head -n 1"
    done = subprocess.run(
        ["sh", "-c", line], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.startswith("name")
    assert "error" not in done.stderr


def test_an_interruption_while_packages_are_imported_is_no_traceback(monkeypatch):
    def interrupted(wanted):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "application", interrupted)
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 130


def test_the_shell_completes_commands_functions_and_choices():
    def completed(words, place):
        found = piped(_AUTOGRAD_LITE_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(place))
        return [line.removeprefix("plain,") for line in found.stdout.split()]

    assert set(COMMANDS) <= set(completed("autograd-lite ", 1))
    assert completed("autograd-lite ops ta", 2) == ["tan", "tanh"]
    assert completed("autograd-lite fit cars.csv w*x --loss ", 5) == [
        "mse",
        "mae",
        "huber",
        "soft_l1",
        "cauchy",
        "logistic",
        "poisson",
    ]
    assert completed("autograd-lite fit cars.csv w*x --optimizer ada", 5) == ["adam", "adamw", "adagrad"]
    for shell in ("bash", "zsh", "fish"):
        shown = piped("--show-completion", shell).stdout
        assert "_AUTOGRAD_LITE_COMPLETE" in shown
        if shell != "bash":  # of which click asks the version first
            assert shown.strip() == piped(_AUTOGRAD_LITE_COMPLETE=f"{shell}_source").stdout.strip()


def test_without_click_one_line_says_what_to_install(monkeypatch):
    blocked = "import sys; sys.modules['click'] = None; from autograd_lite.cli import main; main()"
    done = piped("ops", program=("-c", blocked))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: the command line needs click, which is not installed: pip install 'autograd-lite[cli]'\n"
    monkeypatch.setitem(sys.modules, "click", None)
    with pytest.raises(MissingPackageError, match=r"needs click.*pip install 'autograd-lite\[cli\]'"):
        application()


def test_importing_the_package_imports_no_click():
    code = "import sys, autograd_lite.cli, autograd_lite.__main__; assert not {'typer', 'rich', 'click'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)


# -- what commands share ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pair", "number"),
    [("x=3.5", 3.5), ("x=-1e-3", -1e-3), ("x=1/4", 0.25), ("x=pi", 3.141592653589793), ("x=-inf", -float("inf")),
     ("x= 2", 2.0), ("x=2**0.5", 2**0.5), ("x=1_000", 1000.0)],
)  # fmt: skip
def test_numbers_as_typed(pair, number):
    assert read_pairs([pair]) == {"x": number}
    assert read_number("nan", "x") != read_number("nan", "x")


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["x"], "'x' is no pair NAME=VALUE: write x=1.5, and put quotes around a formula"),
        (["3=x"], "'3=x' is no pair NAME=VALUE"),
        (["*", "x=1"], r"'\*' is no pair NAME=VALUE"),
        (["x="], "x= has no value: write x=1.5"),
        (["x=2*y"], r"x=2\*y is no number, as it names y: write x=1.5"),
        (["x=1", "x=2"], "x is given twice, as 1.0 and 2: give it once"),
        (["--hesian"], "--hesian is no option of this command: --help lists them"),
        (["--seeds=1"], "--seeds is no option of this command"),
    ],
)
def test_pairs_that_are_none(pairs, message):
    with pytest.raises(InputValueError, match=message):
        read_pairs(pairs)


def test_a_value_that_is_no_formula_or_no_number():
    with pytest.raises(ExpressionError, match="an operand is missing after"):
        read_pairs(["x=2+"])
    with pytest.raises(ZeroDivisionError, match="a pole"):
        read_pairs(["x=1/0"])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (InputValueError("x=1 is wrong:\n  x\n  ^"), "error: x=1 is wrong:\n  x\n  ^\n"),
        (InputValueError('nan; errstate(invalid="ignore") lets it pass'), "error: nan; --ieee lets it pass\n"),
        (MissingPackageError("needs matplotlib"), "error: needs matplotlib\n"),
        (FileNotFoundError(2, "No such file", "a.csv"), "error: a.csv: No such file\n"),
        (OSError("no name"), "error: no name\n"),
    ],
)
def test_errors_become_messages_and_status_2(error, said, capsys):
    with pytest.raises(click.exceptions.Exit) as caught, errors_as_messages():
        raise error
    assert caught.value.exit_code == 2
    assert capsys.readouterr() == ("", said)


def test_a_mistake_of_ours_stays_a_traceback():
    with pytest.raises(KeyError), errors_as_messages():
        raise KeyError("x")


def test_warnings_become_lines_on_stderr(capsys):
    with errors_as_messages():
        warnings.warn("a part of its graph only", GraphTooLargeWarning, stacklevel=1)
    assert capsys.readouterr() == ("", "warning: a part of its graph only\n")


def test_a_command_of_another_module_joins_with_one_line():
    def double(x: float) -> None:
        """Twice a number."""
        if x < 0:
            raise InputValueError(f"x={x} must not be negative")
        click.echo(2 * x)

    app = application()
    app.add_command(command(double))
    assert CliRunner().invoke(app, ["double", "1.5"]).output == "3.0\n"
    refused = CliRunner().invoke(app, ["double", "--", "-1"])
    assert (refused.exit_code, refused.output) == (2, "error: x=-1.0 must not be negative\n")
    assert cli.__all__ == ["application", "main"]


def test_names_of_files_reach_the_terminal_escaped(tmp_path):
    evil = str(tmp_path / "\x1b]0;title\x07.svg")
    assert piped("fit", f"{evil}.csv", "w*x", "--target", "y").stderr.endswith(
        "\\x1b]0;title\\x07.svg.csv: No such file or directory\n"
    )
    done = piped("grad", "x**2", "x=1", "--draw", evil)
    assert done.stdout.endswith("\\x1b]0;title\\x07.svg\n")
    assert os.path.exists(evil)


@pytest.mark.parametrize(
    "place",
    [("click.core", "Context.__init__"), ("warnings", "catch_warnings.__enter__"), ("autograd_lite.cli.grad", "read_formula")],
)
def test_ctrl_c_ends_a_command_with_130_wherever_it_comes(place, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["autograd-lite", "grad", "x*x", "x=3"])
    monkeypatch.setattr(".".join(place), interrupted)
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 130
    assert "Aborted" not in capsys.readouterr().err
