"""The README, the manual and the benchmarks' page are true: sessions run, commands are CI's, what is quoted is printed."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MANUAL = (ROOT / "demos" / "README.md").read_text(encoding="utf-8")
PAGES = {"README": README, "manual": MANUAL}


def block(marker: str) -> str:
    """The fenced block that follows a marker comment."""
    found = re.search(rf"<!-- {re.escape(marker)} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found, f"README has no block marked {marker!r}"
    return found.group(1)


def python_blocks(text: str, sessions: bool) -> list[str]:
    """The Python blocks: those that are sessions with a prompt, or those that are modules."""
    return [b for b in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if b.startswith(">>>") == sessions]


def commands(text: str) -> list[tuple[str, str]]:
    """The commands of the console blocks, each with what the README says it prints."""
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    return [(c, out) for b in blocks for c, out in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", b, re.MULTILINE)]


def run_sessions(text: str) -> doctest.TestResults:
    sessions = "\n".join(python_blocks(text, sessions=True))
    test = doctest.DocTestParser().get_doctest(sessions, {}, "README", "README.md", 0)
    assert len(test.examples) > 15
    return doctest.DocTestRunner(verbose=False).run(test)


@pytest.mark.parametrize("page", PAGES)
def test_sessions_run(page: str) -> None:
    assert run_sessions(PAGES[page]).failed == 0


def test_a_wrong_number_in_a_session_is_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_sessions(README.replace("(9.0, -18.0, -6.0)", "(9.0, -18.0, 6.0)")).failed == 1


@pytest.mark.parametrize("rule", ["1 / (1 + abs(x)) ** 2", "1 / (2 + abs(x)) ** 2"])
def test_the_property_tests_run_and_notice_a_wrong_rule(rule: str) -> None:
    (module,) = [block for block in python_blocks(MANUAL, sessions=False) if "hypothesis" in block]
    assert "1 / (1 + abs(x)) ** 2" in module
    names: dict[str, Any] = {"__name__": "readme"}
    before = settings.get_current_profile_name()
    settings.register_profile("to find, not to shrink", settings(), phases=[Phase.generate])
    settings.load_profile("to find, not to shrink")
    try:
        exec(compile(module.replace("1 / (1 + abs(x)) ** 2", rule), "<the manual>", "exec"), names)
    finally:
        settings.load_profile(before)
    tests = [names[name] for name in names if name.startswith("test_")]
    assert len(tests) == 2
    for test in tests:
        if rule == "1 / (1 + abs(x)) ** 2":
            test()
        else:
            with pytest.raises(AssertionError):
                test()


def test_quoted_output_of_the_main_job() -> None:
    quoted = block("printed by demos/miles_per_gallon.py")
    script = block("main job").split()[-1]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert quoted in done.stdout


def run_commands(text: str, folder: Path) -> list[str]:
    """Run the console blocks in a folder where the tables they print exist; the commands that print something else."""
    pytest.importorskip("click", reason="the command line needs click")
    script = folder / "autograd-lite"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m autograd_lite "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    different = []
    for command, printed in commands(text):
        if command.startswith("cat "):
            (folder / command.split()[1]).write_text(printed, encoding="utf-8")
        done = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if done.stdout != printed:
            different.append(f"{command}\n{done.stdout}{done.stderr}")
    return different


@pytest.mark.parametrize("page", PAGES)
def test_commands_print_what_is_quoted(page: str, tmp_path: Path) -> None:
    assert len(commands(PAGES[page])) >= 2
    assert run_commands(PAGES[page], tmp_path) == []


def test_a_wrong_number_in_a_command_is_noticed(tmp_path: Path) -> None:
    session = "```console\n$ autograd-lite grad x**2 x=3\nx**2 = 9\n\nname  value  derivative\nx         3           {}\n```\n"
    assert run_commands(session.format(6), tmp_path) == []
    assert len(run_commands(session.format(7), tmp_path)) == 1


def test_ci_runs_the_readme_test_command() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "<!-- test command -->" in ci, "the CI script reads the command from the README"
    assert block("test command").strip().endswith("-m pytest -n auto --dist loadfile")


@pytest.mark.parametrize("name", sorted(p.name for p in (ROOT / "demos").glob("*.py")))
def test_every_demo_is_named(name: str) -> None:
    assert f"demos/{name}" in MANUAL


@pytest.mark.parametrize("name", sorted(p.name for p in (ROOT / "tests" / "benchmarks").glob("*.py")))
def test_every_benchmark_is_named(name: str) -> None:
    page = (ROOT / "tests" / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert f"`{name}`" in page or name.startswith(("jit_", "fit_")), (
        "jit.py and fit.py run the files that begin with their names"
    )


def test_the_readme_is_short_and_shows_before_it_lists() -> None:
    assert len(README.split()) <= 1100
    assert "![" in README.partition("\n|")[0]
