"""`autograd-lite grad`: numbers, tables, JSON, LaTeX, pictures, and what it says to wrong input."""

import json
import math
import operator
import random
import re
from functools import partial

import pytest

pytest.importorskip("click", reason="the command line needs click: pip install 'autograd-lite[cli]'")


from autograd_lite.cli.grad import _latex_formula as latex_of
from autograd_lite.formula.expression import parse
from autograd_lite.formula.vocabulary import VOCABULARY
from tests.benchmarks import parser as benchmark
from tests.cli import command

run = partial(command.printed, "grad")


def test_value_and_gradient():
    assert run("(w*x + b - y)**2", "w=0", "x=3.5", "b=0", "y=18") == (
        "(w*x + b - y)**2 = 324\n\n"
        "name  value  derivative\n"
        "w         0        -126\n"
        "x       3.5           0\n"
        "b         0         -36\n"
        "y        18          36\n"
    )


@pytest.mark.parametrize(
    ("formula", "values", "value", "slope"),
    [
        ("-x**2", ["x=3"], -9.0, -6.0), ("--x", ["x=3"], 3.0, 1.0), ("x", ["x=2"], 2.0, 1.0), ("-x", ["x=2"], -2.0, -1.0),
        ("where(1, 2, x)", ["x=5"], 2.0, 0.0), ("sqrt(x)", ["x=0"], 0.0, "inf"), ("f + 0*f", ["f=1"], 1.0, 1.0),
        ("sin(x)", ["x=pi/2"], 1.0, pytest.approx(0.0, abs=1e-15)), ("abs(x)", ["x=0"], 0.0, 0.0),
    ],
)  # fmt: skip
def test_formulas(formula, values, value, slope):
    data = json.loads(run(formula, *values, "--json"))
    assert data["value"] == value
    assert list(data["gradient"].values()) == [slope]


def test_a_formula_without_names():
    assert run("2**10") == "2**10 = 1024\n"
    assert json.loads(run("2**10", "--json", "--hessian", "--order", "2"))["hessian"] == {}
    assert "f &= 1024 = 1024" in run("2**10", "--latex")


def test_hessian_and_higher_orders():
    shown = run("x**2*y", "x=2", "y=3", "--hessian", "--order", "3")
    assert "second  x  y\nx       6  4\ny       4  0\n" in shown
    assert re.findall(r"^(d\S+/\S+(?: d\S+)*) +(\S+)$", shown, re.MULTILINE) == [
        ("d³/dx³", "0"), ("d³/dx² dy", "2"), ("d³/dx dy²", "0"), ("d³/dy³", "0"),
    ]  # fmt: skip
    alone = run("x**2*y", "x=2", "y=3", "--order", "2")
    assert re.findall(r"^(d\S+/\S+(?: d\S+)*) +(\S+)$", alone, re.MULTILINE) == [
        ("d²/dx²", "6"), ("d²/dx dy", "4"), ("d²/dy²", "0"),
    ]  # fmt: skip
    data = json.loads(run("sin(x)", "x=0.5", "--order", "8", "--json"))
    exact = [math.cos(0.5), -math.sin(0.5), -math.cos(0.5), math.sin(0.5)] * 2
    assert [d["value"] for d in data["derivatives"]] == pytest.approx(exact, rel=1e-14)
    assert [d["by"] for d in data["derivatives"]] == [["x"] * n for n in range(1, 9)]


def test_a_hessian_too_wide_for_the_terminal_is_a_list():
    names = [f"a{i}" for i in range(12)]
    shown = run("*".join(f"exp({n})" for n in names), *[f"{n}=0.1" for n in names], "--hessian")
    assert max(map(len, shown.split("\n")[1:])) <= 80
    assert len(re.findall(r"^d²/d\S+", shown, re.MULTILINE)) == 12 * 13 // 2
    wide = run("*".join(f"exp({n})" for n in names), *[f"{n}=0.1" for n in names], "--hessian", columns=300)
    assert "second" in wide


def test_derivatives_of_what_does_not_depend_are_0():
    data = json.loads(run("where(1, 2, x)", "x=1", "--hessian", "--order", "2", "--json"))
    assert data["hessian"] == {"x": {"x": 0.0}}
    assert [d["value"] for d in data["derivatives"]] == [0.0, 0.0]


def test_json_has_every_digit_and_no_bare_nan():
    data = json.loads(run("x/3 + log(y)", "x=1", "y=0", "--ieee", "--json"), parse_constant=pytest.fail)
    assert data == {
        "formula": "x/3 + log(y)", "value": "-inf", "at": {"x": 1.0, "y": 0.0},
        "gradient": {"x": 1 / 3, "y": "inf"},
    }  # fmt: skip


def test_explanation_names_the_values():
    shown = run("w*x + 3", "w=2", "x=5", "--explain")
    assert "f = 13: 2 operations, 2 leaves" in shown
    assert "df/dw" in shown
    assert "v1 = w × x  = 10" in shown
    data = json.loads(run("w*x + 3", "w=2", "x=5", "--explain", "--json"))
    assert data["explanation"].startswith("f = 13: 2 operations")


@pytest.mark.parametrize(
    ("suffix", "start"), [("svg", "<svg "), ("html", "<!doctype html>"), ("dot", "digraph"), ("gv", "digraph")]
)
def test_pictures(tmp_path, suffix, start):
    path = tmp_path / f"chain.{suffix}"
    shown = run("w*x + 3", "w=2", "x=5", "--draw", str(path))
    assert shown.endswith(f"saved {path}\n")
    text = path.read_text(encoding="utf-8")
    assert text.lower().startswith(start)
    assert "w*x + 3" in text
    assert json.loads(run("w*x", "w=2", "x=5", "--draw", str(path), "--json"))["picture"] == str(path)


def test_several_pictures_of_one_formula(tmp_path):
    paths = [str(tmp_path / name) for name in ("a.svg", "b.dot")]
    given = ("w*x", "w=2", "x=5", "--draw", paths[0], "--draw", paths[1])
    assert run(*given).endswith("\nsaved {}\nsaved {}\n".format(*paths))
    assert sorted(map(str, tmp_path.iterdir())) == paths
    assert json.loads(run(*given, "--json"))["picture"] == paths


def test_pictures_that_cannot_be(tmp_path):
    for name in ("chain.gif", "chain"):
        refused = run("x", "x=1", "--draw", str(tmp_path / name), status=2)
        assert "must end in .svg, .html, .dot, .gv, .png or .pdf" in refused
    path = tmp_path / "nowhere" / "chain.svg"
    assert run("x", "x=1", "--draw", str(path), status=2) == f"error: {path}: No such file or directory\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["x^2", "x=3"], "error: unexpected '^': use ** for powers, at column 2:\n  x^2\n   ^\n"),
        (["x*y", "x=3"], "error: no value for y: give it one\n  autograd-lite grad 'x*y' x=3 y=1\n"),
        (["x*y"], "error: no value for x, y: give each one\n  autograd-lite grad 'x*y' x=1 y=1\n"),
        (["x", "x=3", "y=1"], "error: y is no name of the formula x: its names are x\n"),
        (["2", "y=1"], "error: y is no name of the formula 2: it has none\n"),
        (["2*pi", "pi=3"], "error: pi is a constant and takes no value: give the variable another name\n"),
        (["x", "x=3", "--hesian"], "error: --hesian is no option of this command: --help lists them\n"),
        (["x", "x=3", "--order", "9"], "error: --order=9 must be from 1 to 8\n"),
        (["x", "x=3", "--order", "0"], "error: --order=0 must be from 1 to 8\n"),
        (
            ["+".join("abcdefgh"), *[f"{n}=1" for n in "abcdefgh"], "--order", "6"],
            "error: --order 6 of 8 names is 3002 derivatives, more than 500: "
            "lower the order, or put numbers in place of names\n",
        ),
        (["log(x)", "x=-1"], "error: log(x) is nan at x=-1.0: outside the domain (0, inf); --ieee lets it pass\n"),
        (["1/x", "x=0"], "error: div(1.0, x) is inf at x=0.0: a pole; --ieee lets it pass\n"),
        (
            ["exp(x)", "x=1e4"],
            "error: exp(x) is inf at x=10000.0: beyond 1.8e308; scale the operands, or --ieee lets it pass\n",
        ),
        (["gamma(x)", "x=-1"], "error: gamma(x) is nan at x=-1.0: it has no value there; --ieee lets it pass\n"),
        (["x", "x=1e-400"], "error: x=1e-400 is below the smallest number there is, 4.9e-324: write x=0 if it is meant\n"),
        (["x", "x==3"], "error: x==3 has two signs =: write x=3\n"),
        (["\x1b[31mx"], "error: unexpected '\\x1b': it has no meaning in a formula, at column 1:\n  \\x1b[31mx\n  ^\n"),
    ],
)
def test_wrong_input_is_a_message_and_status_2(args, said):
    assert run(*args, status=2) == said


def test_the_command_line_that_an_error_offers_works():
    offered = run("(w*x + b)**2", "x=2", status=2).split("\n")[1]
    assert offered == "  autograd-lite grad '(w*x + b)**2' x=2 w=1 b=1"
    assert run("(w*x + b)**2", "x=2", "w=1", "b=1").startswith("(w*x + b)**2 = 9")


@pytest.mark.parametrize(("formula", "value"), [("log(x)", "nan"), ("1/(x + 1)", "inf"), ("exp(-1000*x)", "inf")])
def test_ieee_lets_pass(formula, value):
    assert json.loads(run(formula, "x=-1", "--ieee", "--json"))["value"] == value


# -- standard errors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", ["+-", "±", "+/-", " +- "])
def test_standard_errors_are_carried_through(sign):
    assert run("v*t", f"v=3{sign}0.1", f"t=2{sign}0.05") == (
        "v*t = 6\n\n"
        "name  value  derivative\n"
        "v         3           2\n"
        "t         2           3\n\n"
        "v*t = 6.00 ± 0.25\n\n"
        "name  value  error   share\n"
        "v         3    0.1  64.0 %\n"
        "t         2   0.05  36.0 %\n"
    )


def test_order_2_adds_the_curvature_to_standard_errors():
    shown = run("x**2 + y", "x=0+-0.1", "y=1", "--order", "2")
    assert "d²/dx²" in shown
    assert "x**2 + y = 1.000 ± 0.014\nmean 1.01: the curvature adds 0.01" in shown
    assert "share\nx         0    0.1  100.0 %\ny         1      0    0.0 %\n" in shown
    first = run("x**2", "x=0+-0.1")
    assert "x**2 = 0 ± 0\nnote: the derivatives are 0 here, which does not make it exact: order 2 adds the curvature" in first
    data = json.loads(run("x**2", "x=0+-0.1", "--order", "3", "--json"))
    assert len(data["derivatives"]) == 3
    assert data["propagated"]["order"] == 2
    assert data["propagated"]["stderr"] == pytest.approx(math.sqrt(2) * 0.01, rel=1e-14)
    assert data["propagated"]["mean"] == pytest.approx(0.01, rel=1e-14)


def test_standard_errors_in_json_and_latex():
    data = json.loads(run("v*t + a", "v=3±0.1", "t=2±0.05", "a=0", "--json"))
    assert data["at"] == {"v": 3.0, "t": 2.0, "a": 0.0}
    found = data["propagated"]
    assert (found["order"], found["mean"], found["notes"]) == (1, None, [])
    assert found["errors"] == {"v": 0.1, "t": 0.05, "a": 0.0}
    assert found["stderr"] == pytest.approx(0.25, rel=1e-14)
    assert found["shares"] == pytest.approx({"v": 0.64, "t": 0.36, "a": 0.0}, rel=1e-14)
    assert "propagated" not in json.loads(run("v*t", "v=3", "t=2", "--order", "2", "--json"))
    assert r"\sigma_{f} &= 0.25" in run("v*t", "v=3±0.1", "t=2±0.05", "--latex")


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("x=3+--0.1", "error: x has -0.1 after +-: a standard error is finite and not negative\n"),
        ("x=3±inf", "error: x has inf after ±: a standard error is finite and not negative\n"),
        ("x=3±nan", "error: x has nan after ±: a standard error is finite and not negative\n"),
        ("x=3±", "error: x has nothing after ±: a standard error is finite and not negative\n"),
        ("x=3±y", "error: the error of x=y is no number, as it names y: write the error of x=1.5\n"),
        ("x=3±0.1±0.2", "error: unexpected '±': it has no meaning in a formula, at column 4:\n  0.1±0.2\n     ^\n"),
        ("x=3+-0.1+-0.2", "error: x has 0.1+-0.2 after +-: a standard error is finite and not negative\n"),
    ],
)
def test_wrong_standard_errors(pair, said):
    assert run("x", pair, status=2) == said


def test_a_command_without_standard_errors_refuses_them():
    said = command.printed("check", "x**2", "x=3+-0.1", status=2)
    assert said.startswith("error: x=3+-0.1 has a standard error after +-, which only grad takes: write x=3, or put a blank")
    assert command.printed("check", "x**2", "x=3+ -0.1").startswith("x**2 at x=2.9: 2 pass")
    assert run("x", "x=+-3").startswith("x = -3\n")


# -- LaTeX ------------------------------------------------------------------------------------------------------------


def test_latex():
    assert run("(w*x + b)**2/2", "w=1", "x=2", "b=-1", "--latex", "--order", "2") == (
        "\\begin{align*}\n"
        "  f &= \\frac{\\left(w \\cdot x + b\\right)^{2}}{2} = 0.5 \\\\\n"
        "  \\frac{\\partial f}{\\partial w} &= 2 \\\\\n"
        "  \\frac{\\partial f}{\\partial x} &= 1 \\\\\n"
        "  \\frac{\\partial f}{\\partial b} &= 1 \\\\\n"
        "  \\frac{\\partial^{2} f}{\\partial w^{2}} &= 4 \\\\\n"
        "  \\frac{\\partial^{2} f}{\\partial w \\partial x} &= 3 \\\\\n"
        "  \\frac{\\partial^{2} f}{\\partial w \\partial b} &= 2 \\\\\n"
        "  \\frac{\\partial^{2} f}{\\partial x^{2}} &= 1 \\\\\n"
        "  \\frac{\\partial^{2} f}{\\partial x \\partial b} &= 1 \\\\\n"
        "  \\frac{\\partial^{2} f}{\\partial b^{2}} &= 1\n"
        "\\end{align*}\n"
    )
    both = run("w*x", "w=1", "x=2", "--latex", "--explain")
    assert r"\frac{d f}{d w} &= 2" in both  # the total, as in the steps below it, where a ∂ is a factor
    assert both.count(r"\frac{\partial f}{\partial w}") == 1
    assert both.count(r"\begin{align*}") == 2
    assert "latex" in json.loads(run("w*x", "w=1", "x=2", "--latex", "--json"))


@pytest.mark.parametrize(
    ("formula", "written"),
    [
        ("x - (y - z)", r"x - \left(y - z\right)"), ("x - y - z", "x - y - z"), ("(-x)**2", r"\left(-x\right)^{2}"),
        ("-x**2", "-x^{2}"), ("x*-y", r"x \cdot \left(-y\right)"), ("2**-x", "2^{-x}"),
        ("sin(x)**2", r"\left(\sin\left(x\right)\right)^{2}"),
        ("(x < y)*z", r"\left(x < y\right) \cdot z"), ("hypot(x + 1, y)", r"\sqrt{\left(x + 1\right)^{2} + y^{2}}"),
        ("sum(x, y, 2)", r"\sum\left(x, y, 2\right)"), ("x*y % z + 1", r"\left(\left(x \cdot y\right) \bmod z\right) + 1"),
        ("x**y**z", "x^{y^{z}}"), ("(x**y)**z", r"\left(x^{y}\right)^{z}"), ("alpha_1*beta", r"\alpha_{1} \cdot \beta"),
        ("log_sigmoid(x)", r"\ln \sigma\left(x\right)"), ("1e-9*x", r"1 \times 10^{-9} \cdot x"), ("2*3", "6"),
        ("1/0", r"\infty"),
        ("where(x > 0, x, -x) + 1",
         r"\left(\begin{cases}x&\text{if }x > 0\\-x&\text{else}\end{cases}\right) + 1"),
    ],
)  # fmt: skip
def test_latex_of_a_formula(formula, written):
    assert latex_of(parse(formula, VOCABULARY)) == written


SIGNS = [
    (r"\left|", "abs("), (r"\right|", ")"), (r"\left(", "("), (r"\right)", ")"), (r"\cdot", "*"), (r"\sin", "sin"),
    (r"\sqrt", "sqrt"), ("^", "**"), (r"\frac", "quotient"), ("}{", ", "), ("{", "("), ("}", ")"),
]  # fmt: skip


def random_formula(draw, depth=5):
    """A valid text of + - * / ** and three functions, in which nothing is worked out beforehand."""
    kind = draw.random() if depth else 0.0
    if kind < 0.2:
        return draw.choice("xyz")
    if kind < 0.3:
        return "-" + random_formula(draw, depth - 1)
    if kind < 0.45:
        return f"({random_formula(draw, depth - 1)})"
    if kind < 0.55:
        return f"{draw.choice(['sin', 'sqrt', 'abs'])}({random_formula(draw, depth - 1)})"
    return random_formula(draw, depth - 1) + draw.choice(["+", "-", "*", "/", "**"]) + random_formula(draw, depth - 1)


def test_latex_read_back_is_worth_the_same():
    draw = random.Random(3)
    names = {"x": 0.7, "y": 2.5, "z": 1.2, "sin": math.sin, "sqrt": math.sqrt, "abs": abs, "quotient": operator.truediv}
    compared = 0
    for _ in range(1500):
        text = random_formula(draw)
        read = latex_of(parse(text, VOCABULARY))
        for sign, python in SIGNS:
            read = read.replace(sign, python)
        try:
            expected, found = (eval(t, {"__builtins__": {}}, names) for t in (text, read))
        except (ArithmeticError, ValueError, TypeError):
            continue
        if not isinstance(expected, complex):
            assert found == pytest.approx(expected, rel=1e-9), (text, read)
            compared += 1
    assert compared > 800


def test_any_formula_has_latex_with_balanced_braces():
    draw = random.Random(4)
    for _ in range(500):
        written = latex_of(parse(benchmark.formula(draw), VOCABULARY))
        assert written.count("{") == written.count("}")
        assert len(re.findall(r"\\left\b", written)) == len(re.findall(r"\\right\b", written))
