"""`autograd-lite check`: what passes, what fails and with which status, and where it draws its points."""

import json
import math
from functools import partial

import pytest

pytest.importorskip("click", reason="the command line needs click: pip install 'autograd-lite[cli]'")


from autograd_lite import Op
from autograd_lite.cli import check
from autograd_lite.formula.expression import Function
from autograd_lite.formula.vocabulary import VOCABULARY
from autograd_lite.gradcheck import Report
from tests.cli import command

run = partial(command.printed, "check")


def plant(monkeypatch, name, forward, rule):
    """A function with a derivative of one's own, right or wrong, in place of the library's."""
    monkeypatch.setitem(VOCABULARY.functions, name, Function(Op(name, forward, rule), 1, 1))


def test_right_derivatives_pass():
    shown = run("x**y * sin(x)", "x=2", "y=3")
    assert shown.startswith("x**y * sin(x) at x=2, y=3: 6 pass\n")
    for derivative in ("df/x", "df/y", "d²f/(x, x)", "d²f/(y, x)", "d²f/(x, y)", "d²f/(y, y)"):
        assert f"\n{derivative} " in shown
    assert max(map(len, shown.split("\n"))) <= 80


@pytest.mark.parametrize(
    ("rule", "hint"),
    [
        (lambda x, out: -math.cos(x.data if hasattr(x, "data") else x), "ratio -1: the sign is wrong"),
        (lambda x, out: 0.0 * x, "0 in place of it: an edge is missing"),
        (lambda x, out: 2.0 * x, "off by a factor of"),
    ],
    ids=["sign", "zero", "factor"],
)
def test_a_wrong_rule_fails_with_status_1_and_is_named(monkeypatch, rule, hint):
    plant(monkeypatch, "sin", math.sin, rule)
    shown = run("x**2 + sin(x)*0 + sin(y)", "x=2", "y=0.5", status=1)
    assert "fail" in shown
    assert f"df/y: {hint}" in shown
    assert "sin" in shown.split("\n")[-2]


def test_a_wrong_second_derivative_fails(monkeypatch):
    cosine = Op("cosine", math.cos, lambda x, out: 1.0 * x)  # right to first order, where sin uses it
    plant(monkeypatch, "sin", math.sin, lambda x, out: cosine(x))
    data = json.loads(run("sin(x)", "x=0.5", "--json", status=1))
    verdicts = {row["order"]: row["verdict"] for row in data["points"][0]["derivatives"]}
    assert verdicts == {1: "pass", 2: "fail"}
    assert data["ok"] is False
    assert "cosine" in data["points"][0]["blame"]
    assert ".py:" not in data["points"][0]["blame"]  # a source line of typer's says nothing of a formula


def test_a_right_rule_of_ones_own_passes(monkeypatch):
    plant(monkeypatch, "sin", math.tanh, lambda x, out: 1.0 - out * out)
    assert "fail" not in run("sin(x)", "--random", "5")


def test_random_points_are_seeded_and_found_wrong_where_a_rule_is(monkeypatch):
    args = ("log(x) / (1 + y**2)", "--random", "5", "--json")
    assert run(*args) == run(*args, "--seed", "0") != run(*args, "--seed", "1")
    points = json.loads(run(*args))["points"]
    assert len(points) == 5
    assert all(point["at"]["x"] > 0.0 and point["ok"] for point in points)
    plant(monkeypatch, "log", VOCABULARY.functions["log"].call.forward, lambda x, out: 1.0 + 0.0 * x)
    shown = run(*args[:-1], status=1)
    assert shown.count(" fail") > 5
    assert "and 2 more points" in shown


def test_a_name_that_has_a_number_keeps_it():
    points = json.loads(run("x*y", "y=2", "--random", "3", "--json"))["points"]
    assert {point["at"]["y"] for point in points} == {2.0}
    assert len({point["at"]["x"] for point in points}) == 3


@pytest.mark.parametrize(
    "formula",
    [
        "abs(x)*y", "max(x, y, 1)", "relu(x - y)**2", "tan(x)", "sqrt(1 - x**2)", "log(x*y)", "gamma(x)", "asin(x)/y", "x % y",
        "clamp(x, -1, 1)*y", "where(x > y, x**2, y**3)", "floor(x)*y", "round(x) + y**2", "acosh(x)", "1/(x - y)", "x**y",
        "x**-3",
        "hypot(x, y)", "atan2(y, x)", "exp(x*y)", "softplus(5*x)", "polygamma(1, x)", "sigmoid(w*x + b)", "cbrt(x)",
    ],
)  # fmt: skip
def test_random_points_are_where_a_formula_is_smooth(formula):
    for point in json.loads(run(formula, "--random", "12", "--json"))["points"]:
        assert point["ok"]
        assert {row["kind"] for row in point["derivatives"]} <= {"smooth"}


def test_points_that_tell_nothing_are_drawn_again_and_counted(monkeypatch):
    real = check.check_grads
    calls = []

    def first_tells_nothing(f, args):
        calls.append(args)
        report = real(f, args)
        rows = [row._replace(verdict="inconclusive") for row in report.rows]
        return Report(rows, "f") if len(calls) == 1 or len(calls) > 20 else report

    monkeypatch.setattr(check, "check_grads", first_tells_nothing)
    shown = run("x**2", "--random", "3")
    assert shown.endswith("\n1 more were drawn, at which the values of the formula do not tell its derivatives\n")
    assert len(calls) == 4
    calls[:] = [()] * 20
    assert "2 inconclusive" in run("x**2", "--random", "1")
    assert len(calls) == 26


def test_kinks_are_judged_by_the_convention():
    shown = run("abs(x)", "x=0")
    assert "kink   pass" in shown
    assert "the gradient jumps here" in shown or "f jumps here" in shown


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["3"], "error: 3 has no names: there is nothing to differentiate by\n"),
        (["x*y", "x=1"], "error: no value for y: give it one\n  autograd-lite check 'x*y' x=1 y=1\n"),
        (["x", "x=1", "z=1"], "error: z is no name of the formula x: its names are x\n"),
        (["x*y", "z=1", "--random", "2"], "error: z is no name of the formula x*y: its names are x, y\n"),
        (["x", "x=1", "--random", "2"],
         "error: every name has a number, which leaves none to draw: leave --random out, or a name\n"),
        (["x", "--random", "0"], "error: --random=0 must be at least 1\n"),
        (["x", "--random", "-1"], "error: --random=-1 must be at least 1\n"),
        (["sqrt(-1 - x**2)", "--random", "2"],
         "error: found no point within 4 of 0 where sqrt(-1 - x**2) is defined and smooth: give one, x=1.5\n"),
        (["log(x)", "x=-1"], "error: log(x) is nan at x=-1.0: outside the domain (0, inf); --ieee lets it pass\n"),
        (["x +", "x=1"], "error: an operand is missing after '+', at column 3:\n  x +\n    ^\n"),
        (["x", "x=1", "--sed", "1"], "error: --sed is no option of this command: --help lists them\n"),
    ],
)  # fmt: skip
def test_wrong_input_is_a_message_and_status_2(args, said):
    assert run(*args, status=2) == said


def test_what_cannot_be_told_is_no_agreement():
    assert "inconclusive" in run("exp(x)", "x=1000", "--ieee")
    assert '"ok": false' in run("exp(x)", "x=1000", "--json", "--ieee")


@pytest.mark.parametrize("args", [("exp(x)", "x=1000", "--ieee"), ("sin(1e15*x)", "x=1"), ("asin(x)", "x=0.9999999999999999")])
def test_what_values_cannot_tell_is_no_fault(args):
    shown = run(*args)
    assert "inconclusive" in shown
    assert "fail" not in shown


def test_infinite_points_are_judged_by_what_slopes_tend_to():
    assert "2 pass" in run("tanh(x)", "x=inf")
    assert "2 pass" in run("sqrt(x)", "x=0")


def test_a_formula_that_does_not_depend_on_its_names():
    assert "2 pass" in run("where(1, 2, x)", "x=1")


def test_names_that_are_none_of_pythons():
    arguments = ('`Weight (kg)`*a[site]**2 + name0*is(s, "A")', "`Weight (kg)`=3", "a[site]=2", "name0=1", 'is(s, "A")=1')
    done = command.invoke("check", *arguments)
    assert done.exit_code == 0, done.stderr
    assert "name1" not in done.stdout
    assert "Weight (kg)" in done.stdout
    rows = json.loads(command.invoke("check", *arguments, "--json").stdout)["points"][0]["derivatives"]
    assert {row["input"] for row in rows if row["order"] == 1} == {"Weight (kg)", "a[site]", "name0", 'is(s, "A")'}
