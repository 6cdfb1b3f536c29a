"""The steps of `tests/elsewhere` on this Python, and in a browser's Python and on Arm where those are at hand."""

import json
import os
import shlex
import shutil
import subprocess
import sys

import pytest

from tests.elsewhere.steps import STEPS, outcome
from tests.process import ROOT

FOLDER = os.path.join(ROOT, "tests", "elsewhere")
STEPS_FILE = os.path.join(FOLDER, "steps.py")


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_every_step_here(step):
    found = outcome(step)
    if found.startswith("lacks"):
        pytest.skip(found)
    assert found == "ok"


def outcomes(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, cwd=ROOT)
    assert done.stdout.startswith("{"), done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(done.stdout)["steps"]


def test_in_a_browsers_python_every_step_that_has_its_packages():
    pyodide = os.environ.get("PYODIDE")
    if not pyodide or not shutil.which("node"):
        pytest.skip("no Pyodide: npm install pyodide, and PYODIDE=.../node_modules/pyodide in the environment; and node")
    found = outcomes(["node", os.path.join(FOLDER, "pyodide.mjs"), pyodide, ROOT, STEPS_FILE])
    lacking = {name for name, said in found.items() if said.startswith("lacks")}
    assert {name for name, said in found.items() if said != "ok"} == lacking
    assert lacking <= {"small_stacks", "side_by_side", "batches", "machine_code", "command"}


def test_on_arm_every_step_that_has_its_packages():
    command = os.environ.get("AARCH64_PYTHON")
    if not command:
        pytest.skip(
            "no Arm: AARCH64_PYTHON in the environment is how to start one, as 'qemu-aarch64 -L root root/usr/bin/python3'"
        )
    found = outcomes([*shlex.split(command), STEPS_FILE])
    assert {name: said for name, said in found.items() if said != "ok" and not said.startswith("lacks")} == {}


def test_the_table_of_pythons_lists_what_could_not_be_had(tmp_path):
    script = os.path.join(ROOT, "tests", "everywhere.py")
    command = [sys.executable, script, "--python", "3.99", "--folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "PATH": ""})
    assert "could not be had: CPython 3.99" in done.stdout, done.stdout + done.stderr
