"""`autograd-lite ops`: every function once, and what is said of it is what the table says and what is true."""

import json
import re
from functools import partial

import pytest

pytest.importorskip("click", reason="the command line needs click: pip install 'autograd-lite[cli]'")


from autograd_lite import grad, ops
from autograd_lite.formula.expression import parse
from autograd_lite.formula.vocabulary import VOCABULARY
from tests.cli import command

run = partial(command.printed, "ops")


DATA = {row["name"]: row for row in json.loads(run("--json"))}


def test_every_function_of_formulas_has_a_line():
    *lines, empty, constant = run().rstrip("\n").split("\n")
    assert (empty, constant) == ("", "pi = 3.141592653589793")
    assert re.split(r"  +", lines[0]) == ["name", "formula", "derivative", "domain", "kinks: used there"]
    assert [line.split()[0] for line in lines[1:] if line[:1].strip()] == sorted(VOCABULARY.functions) == list(DATA)


def test_one_function_in_full():
    assert run("tanh") == (
        "tanh: The hyperbolic tangent.\n\n"
        "arguments  1\n"
        "formula    tanh(x)\n"
        "d/dx       1 − tanh(x)²\n\n"
        "at (x)  value  derivatives\n"
        "inf     1      0\n"
        "-inf    -1     0\n"
    )
    assert "arguments      1 to 2; slope is 0.01 unless given\n" in run("leaky_relu")
    assert "no derivative  where low = high\n" in run("clamp")
    assert "domain         x in (0, inf)\n" in run("log")
    assert "arguments      2 or more\n" in run("max")


@pytest.mark.parametrize(
    ("name", "formula", "derivatives"),
    [
        ("div", "x / y", {"x": "1/y", "y": "−(x / y)/y"}),
        ("pow", "x ** y", {"x": "y·x^(y − 1)", "y": "(x ** y)·log(x)"}),
        ("atan2", "atan2(y, x)", {"y": "x/(y² + x²)", "x": "−y/(y² + x²)"}),
        ("where", "where(c, a, b)", {"c": "0", "a": "[c ≠ 0]", "b": "[c = 0]"}),
        ("sqrt", "√x", {"x": "1/(2·√x)"}),
        ("hypot", "hypot(x, y)", {"x": "x/hypot(x, y)", "y": "y/hypot(x, y)"}),
        ("sum", "sum(x, y)", {"x": "1", "y": "1"}),
        ("reciprocal", "1 / x", {"x": "−(1 / x)/x"}),
        ("max", "max(x, y)", {"x": "[x > y] + [x = y]/2", "y": "[x < y] + [x = y]/2"}),
        ("polygamma", "polygamma(n, x)", {"n": "none", "x": "polygamma(n + 1, x)"}),
    ],
)
def test_formulas_are_written_with_the_letters_of_the_row(name, formula, derivatives):
    assert (DATA[name]["formula"], DATA[name]["derivatives"]) == (formula, derivatives)


@pytest.mark.parametrize(("letters", "name"), [(row["letters"], name) for name, row in DATA.items()], ids=list(DATA))
def test_conventions_are_what_the_library_does(letters, name):
    row = DATA[name]
    least, most = row["arguments"]
    assert least <= len(letters) <= (most or len(letters))
    assert set(row["derivatives"]) == set(letters)
    function = VOCABULARY.functions[name]
    for pin in row["conventions"]:
        at = [float(x) for x in pin["at"]]
        slopes = grad(function, tuple(range(len(at))))(*at)
        assert [str(s + 0.0) for s in slopes] == [str(float(d) + 0.0) for d in pin["derivatives"]] or slopes == pytest.approx(
            tuple(map(float, pin["derivatives"])), nan_ok=True
        )
    for kink in row["kinks"]:
        assert kink["where"]
        assert kink["taken"] is None or len(kink["taken"]) == len(row["derivatives"])


def test_kinks_show_the_derivative_used_there():
    assert DATA["abs"]["kinks"] == [{"where": "x = 0", "taken": [0.0]}]
    assert DATA["maximum"]["kinks"] == [{"where": "x = y", "taken": [0.5, 0.5]}]
    assert re.search(r"^relu +relu\(x\) +\[x > 0\] +x = 0: 0$", run(), re.MULTILINE)
    assert re.search(r"^sqrt .*x in \[0, inf\) +x = 0: inf$", run(), re.MULTILINE)


def test_what_a_function_says_is_its_rows_docstring():
    assert DATA["relu"]["says"] == ops.relu.__doc__.split("\n\n")[0]
    assert all(row["says"].endswith(".") or ":" in row["says"] for row in DATA.values())


def test_json_of_one_is_its_entry():
    assert json.loads(run("log", "--json"), parse_constant=pytest.fail) == DATA["log"]
    assert DATA["log"]["conventions"][0] == {"at": [0.0], "value": "-inf", "derivatives": ["inf"]}


@pytest.mark.parametrize("name", ["tanh", "max", "degrees", "hypot", "leaky_relu"])
def test_the_formula_of_a_function_can_be_typed(name):
    formula = parse(f"{name}({', '.join(DATA[name]['letters'])})", VOCABULARY)
    assert formula(dict.fromkeys(formula.names, 0.5)).__class__ is float


def test_an_unknown_function():
    assert run("sni", status=2) == "error: 'sni' is no function of formulas: did you mean sin?\n"
    assert run("qqqqq", status=2) == "error: 'qqqqq' is no function of formulas: autograd-lite ops lists them\n"
