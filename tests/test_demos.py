"""The demos: each runs as a reader would run it, prints what it claims, and stops where a fault is planted in it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from autograd_lite import Value, draw
from tests.process import loaded

ROOT = Path(__file__).resolve().parents[1]
DEMOS = sorted(path.stem for path in (ROOT / "demos").glob("*.py"))

# demo -> lines that must stand in its output, to the digit
LINES = {
    "compiled": [
        "2000 rows, 10 steps: weights 0.9962 1.0357 0.0129, loss 0.106299",
        "Checked: the loss, and that both ways end at the same weights.",
    ],
    "derivative": [
        "The slope of x**2 at 5 is 10.",
        " 1e-02     3.0000000000   6.4e-14    10.0100000000   1.0e-02     0.5360859810   4.2e-03",
        " 1e-16     0.0000000000   3.0e+00     0.0000000000   1.0e+01     0.0000000000   5.4e-01",
        "engine     3.0000000000   0.0e+00    10.0000000000   0.0e+00     0.5403023059   0.0e+00",
        "  0.0    9.0   3.0000   1.8e-09            0   9.0e+00",
        " -1.0   16.0   2.9999   3.3e-09   -9.129e+06   8.3e+13",
        "Checked: the slopes, where rounding takes over, and where both updates lead.",
    ],
    "gallery": [
        "Checked: what flows along the edges of each picture is the gradient on the card it flows to.",
    ],
    "linear_regression": [
        "  5  10.1   5.5   -4.6000  -4.6000  -23.0000 -23.0000   -4.6000  -4.6000",
        "It writes the chain of theta_0 as dL/dtheta_0 * dL/dtheta_1, which is 105.8000.",
        " 2000   0.05000   1.99000   0.01070",
        "closed  0.05000   1.99000",
        "5 minima.  The deepest is at x = -0.51221, and only the starts -1 and 0 come to it.",
        "Checked: the gradients, the note's two slips, the fitted line, and that every end is a minimum.",
    ],
    "miles_per_gallon": [
        "First slopes: weight -119.7, bias -34.3.  Learning rate 0.01.",
        "iteration  weight  bias  loss",
        "        1    0.00  0.00  303.71",
        "        2    1.20  0.34  170.84",
        "        3    2.05  0.59  103.17",
        "        4    2.66  0.78   68.70",
        "        5    3.09  0.91   51.13",
        "        6    3.40  1.01   42.17",
        "        2     1.20  0.34      1.20  0.34           170.67               170.67",
        "        3     2.75  0.59      2.05  0.59  <-        67.3                 67.25",
        "        6     3.68  0.90      3.68  0.90            37.74                37.74",
        "Row 2 has 170.67 because they are rounded: (1.1972, 0.3429) gives 170.84.",
        "  6000  -4.56911   33.58512    1.4697",
        "closed  -4.56911   33.58512    1.4697",
        "Checked: slopes, path, the note's losses and its one slip, and the least-squares line.",
    ],
    "two_moons": [
        "100 points, 337 parameters.",
        "step      loss  accuracy",
        "Checked: every point is on its own side.",
    ],
}

# demo, name in it, what takes its place (given what was there), and what the demo must complain of
FAULTS = [
    ("compiled", "STEPS", lambda _: 9, "the loss after the last step"),
    ("compiled", "jit", lambda jit: lambda f, **how: jit(f, **{**how, "reduce": "sum"}), "the loss of compiled steps"),
    ("derivative", "RATE", lambda _: -0.1, "w - a*grad lowers the loss from 4.0"),
    ("derivative", "STEPS", lambda _: 5, "where w - a*grad leads from 4.0"),
    ("derivative", "grad", lambda grad: lambda f: lambda x: 1.000001 * grad(f)(x), "slope of x**2 at 5"),
    ("derivative", "times_w", lambda _: lambda w: w + 0.1 * (w - 3.0) * w, "the loss by w - a*grad*w from 4.0"),
    ("derivative", "CURVES", lambda curves: [*curves[:2], ("sin(x)", *curves[2][1:3], 0.54)], "the engine's slope of sin(x)"),
    ("gallery", "squared_error", lambda _: lambda: draw(Value(2.0, "w") * Value(1.0, "b")), "gradients of the squared error"),
    ("gallery", "flows", lambda flows: lambda drawing: flows(drawing) + 1e-9, "what flows in the picture squared_error"),
    ("linear_regression", "by_hand", lambda _: lambda x, y, yhat: (yhat - y, y - yhat, yhat - y), "dL/dtheta_1 at x = 1.0"),
    ("linear_regression", "half_square", lambda half: lambda y, yhat: 1.001 * half(y, yhat), "dL/dyhat at x = 1.0"),
    ("linear_regression", "RATE", lambda _: 0.001, "where the descent ends"),
    ("linear_regression", "closed_form", lambda form: lambda: (form()[0] + 1e-6, form()[1]), "where the descent ends"),
    ("linear_regression", "curve", lambda _: lambda x: 0.1 * x**2 + x, "slope where the descent from -4 ends"),
    ("linear_regression", "curve", lambda curve: lambda x: curve(x) + 0.4 * x, "the number of minima"),
    ("miles_per_gallon", "RATE", lambda _: 0.011, "the first six iterations"),
    ("miles_per_gallon", "MILES", lambda miles: [*miles[:-1], 25], "first slope of the weight"),
    ("miles_per_gallon", "POUNDS", lambda pounds: [3.51, *pounds[1:]], "first slope of the weight"),
    ("miles_per_gallon", "PATH", lambda path: [*path[:5], (3.4, 1.01, 42.18)], "the first six iterations"),
    ("miles_per_gallon", "NOTE", lambda note: [*note[:5], (3.68, 0.9, "37.75")], "loss at the note's weights of row 6"),
    ("miles_per_gallon", "NOTE", lambda note: [*note[:2], (2.05, 0.59, "103.22"), *note[3:]], "rows of the note that do"),
    ("miles_per_gallon", "closed_form", lambda form: lambda: (form()[0] + 1e-5, form()[1]), "weight where the descent ends"),
    ("two_moons", "STEPS", lambda _: 2, "the loss after the last step"),
    ("two_moons", "judge", lambda _: lambda *_: (Value(0.001), 0.99), "the share of points on the right side"),
]  # fmt: skip


def load(demo):
    """The demo as a fresh module, with main() not yet run."""
    return loaded(ROOT / "demos" / f"{demo}.py")


def run(demo, *options):
    """The demo in a process of its own, warnings being errors."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    command = [sys.executable, *options, f"demos/{demo}.py"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def output():
    """What a demo prints; each demo runs once."""
    seen = {}

    def printed(demo):
        if demo not in seen:
            done = run(demo)
            assert (done.returncode, done.stderr) == (0, "")
            seen[demo] = done.stdout
        return seen[demo]

    return printed


def test_every_demo_is_tested_here():
    assert sorted(LINES) == DEMOS
    assert {demo for demo, *_ in FAULTS} == set(DEMOS)


@pytest.mark.parametrize("demo", DEMOS)
def test_prints_what_it_claims(demo, output):
    lines = output(demo).splitlines()
    assert [line for line in LINES[demo] if line not in lines] == []
    assert max(map(len, lines)) <= 120
    assert lines[-1].startswith("Checked: ")


def test_the_seven_cars_stand_in_one_table(output):
    assert "\n".join(LINES["miles_per_gallon"][1:8]) + "\n\n" in output("miles_per_gallon")


def test_two_moons_ends_with_every_point_right(output):
    rows = re.findall(r"^ *(\d+)  +(\d\.\d{5})  +(\d+)%$", output("two_moons"), re.MULTILINE)
    assert [int(step) for step, *_ in rows] == list(range(0, 101, 10))
    assert float(rows[-1][1]) < 0.02 < 0.5 < float(rows[0][1])
    assert rows[-1][2] == "100"


def test_two_moons_ends_with_a_picture_of_both_sides(output):
    picture = [line[1:-1] for line in output("two_moons").splitlines() if line.startswith("|")]
    assert [len(line) for line in picture] == [40] * 20
    for sign in ".ox ":
        assert sum(line.count(sign) for line in picture) > 20


@pytest.mark.parametrize("demo", sorted(set(DEMOS) - {"two_moons"}))
def test_prints_the_same_every_time(demo, output):
    assert run(demo).stdout == output(demo)


@pytest.mark.parametrize("demo", DEMOS)
def test_check_stops_at_a_wrong_number(demo):
    check = load(demo).check
    check("right", 1.0, 1.0)
    check("right", 1.0, 1.05, within=0.1)
    check("right", [3], [3])
    nan = float("nan")
    for got, wanted, within in [(1.0, 1.0 + 1e-15, 0.0), (1.0, 1.2, 0.1), (nan, 1.0, 0.1), ([3], [4], 0.0), (False, True, 0.0)]:
        with pytest.raises(SystemExit, match=re.escape(f"the claim: expected {wanted}, got {got}")):
            check("the claim", got, wanted, within=within)


@pytest.mark.parametrize(("demo", "name", "replace", "complaint"), FAULTS)
def test_stops_at_a_planted_fault(demo, name, replace, complaint, monkeypatch):
    module = load(demo)
    monkeypatch.setattr(module, name, replace(getattr(module, name)))
    with pytest.raises(SystemExit, match=re.escape(complaint)) as stopped:
        module.main()
    assert isinstance(stopped.value.code, str)  # a message, which makes the exit status 1
