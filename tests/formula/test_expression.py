"""Text -> function: what it is worth, what is refused and with which words, and that nothing else can happen."""

import math
import pickle
import random
from collections import Counter
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_lite import Value, grad, hessian, ops
from autograd_lite.errors import ExpressionError, InputTypeError, InputValueError
from autograd_lite.formula import parsing
from autograd_lite.formula.expression import Function, parse
from autograd_lite.formula.tokens import UNKNOWN
from autograd_lite.formula.vocabulary import VOCABULARY
from tests.benchmarks import parser as benchmark

AT = {"x": 3.0, "y": 2.0, "z": -0.5}


def worth(text, **values):
    return parse(text, VOCABULARY)({**AT, **values})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0), ("1.5", 1.5), (".5", 0.5), ("5.", 5.0), ("1e-3", 1e-3), ("1.E+2", 100.0), ("1_000.2_5", 1000.25),
        ("007", 7.0), ("1e999", inf), ("x", 3.0), (" x\t\n+\r1 ", 4.0), ("x_1", 7.0), ("E", 8.0), ("e", 9.0), ("pi", math.pi),
        ("1 + 2*3", 7.0), ("(1 + 2)*3", 9.0), ("2 - 3 - 4", -5.0), ("2 / 4 / 2", 0.25), ("2 / 4 * 2", 1.0), ("7 // 2", 3.0),
        ("-7 // 2", -4.0), ("-7 % 3", 2.0), ("7 % 4 * 2", 6.0), ("2 * 7 % 4", 2.0), ("2**3**2", 512.0), ("-2**2", -4.0),
        ("(-2)**2", 4.0), ("2**-1", 0.5), ("2**-1*3", 1.5), ("2**-2**2", 0.0625), ("2**+-1", 0.5), ("--x", 3.0), ("-+-x", 3.0),
        ("x--y", 5.0), ("x*-y", -6.0), ("x*-y**2", -12.0), ("-x*y", -6.0), ("+x", 3.0), ("1 < 2", 1.0), ("2 < 1", 0.0),
        ("2 <= 2", 1.0), ("2 > 1 + 1", 0.0), ("2 >= 1 + 1", 1.0), ("x == y + 1", 1.0), ("x != 3", 0.0), ("(1 < 2) < 3", 1.0),
        ("1 + (1 < 2)", 2.0), ("-1 < -2", 0.0), ("sin(0)", 0.0), ("max(x, y)", 3.0), ("max(y, 1, x, 2)", 3.0),
        ("min(x, y, z)", -0.5), ("abs(z)", 0.5), ("pow(x, y)", 9.0), ("round(2.5)", 2.0), ("round(2.675, 1)", 2.7),
        ("sum(x, y, z)", 4.5), ("sum(x)", 3.0), ("mean(x, y)", 2.5), ("prod(x, y, z)", -3.0),
        ("logsumexp(0, 0)", math.log(2.0)),
        ("hypot(3, 4)", 5.0), ("hypot(1, 2, 2)", 3.0), ("clamp(x, 0, 1)", 1.0), ("where(x > y, x, y)", 3.0),
        ("ln(x)", math.log(3.0)),
        ("elu(-1)", math.expm1(-1.0)), ("elu(-1, 2)", 2 * math.expm1(-1.0)), ("degrees(pi)", 180.0), ("reciprocal(4)", 0.25),
        ("((((x))))", 3.0), ("sin ( 0 )", 0.0), ("sin(cos(0) - 1)", 0.0), ("max((x), -(y))", 3.0), ("exp(1)", math.e),
        ("9**9**9**9", inf), ("1/0", inf), ("-1/0", -inf), ("0/0", nan), ("(-8)**(1/3)", nan), ("log(-1)", nan),
        ("exp(1e9)", inf),
        ("1 % 0", nan), ("1 // 0", inf), ("gamma(-1)", nan), ("0**-1", inf), ("sin(1/0)", nan),
    ],
)  # fmt: skip
def test_values(text, value):
    found = worth(text, x_1=7, E=8, e=9)
    assert found.__class__ is float
    assert found == value or (math.isnan(found) and math.isnan(value))


REFUSED = [
    ("", 1, "the text is empty: give a formula such as (w*x + b - y)**2"),
    (" \t\n", 1, "the text is empty: give a formula such as (w*x + b - y)**2"),
    ("2x", 2, "missing '*' between number and name"),
    ("2 sin(x)", 3, "missing '*' between number and name"),
    ("1e", 2, "digits are missing after 1e: write 1e3 for 1000, or 1*e for a product"),
    ("0x1F", 2, "numbers are decimal: write 31 for 0x1F"),
    ("0b11 + x", 2, "numbers are decimal: write 3 for 0b11"),
    ("0xyz", 2, "missing '*' between number and name"),
    ("1j", 2, "1j is no real number, and formulas have no others: for a product write 1*j"),
    ("2 e", 3, "missing '*' between number and name"),
    ("|x|", 1, "unexpected '|': use abs(x) for |x|, and maximum(a < b, c < d) for 'or'"),
    ("2`a b`", 2, "missing '*' between number and name"),
    ("`a b` x", 7, "missing '*' between name and name"),
    ("`a b`(x)", 6, "missing '*' between name and '('"),
    ("`a b", 1, "unexpected '`': a name in backquotes ends with one: `any name`, and one inside is written twice"),
    ("``", 1, "unexpected '`': a name in backquotes ends with one: `any name`, and one inside is written twice"),
    ("x[0] + 1", 2, "unexpected '[': a[column] is one of many weights, with the name of a column inside, no number"),
    ("sin[x]", 1, "sin is no variable, of which sin[...] could be one of many: give it another name"),
    ("pi[x]", 1, "pi is no variable, of which pi[...] could be one of many: give it another name"),
    ("is(x, y)", 1, "'is' is a keyword of Python and no name: write is(column, \"text\"), which is 1 in the rows where the "
                    "column has that text, else 0"),
    ("is(x, \"a) + 1", 1, "'is' is a keyword of Python and no name: write is(column, \"text\"), which is 1 in the rows where "
                         "the column has that text, else 0"),
    ("x y", 3, "missing '*' between name and name"),
    ("x 2", 3, "missing '*' between name and number"),
    ("1 2", 3, "missing a sign between number and number"),
    ("1.2.3", 4, "missing a sign between number and number"),
    ("1__0", 2, "missing '*' between number and name"),
    ("2(x)", 2, "missing '*' between number and '('"),
    ("(x)(y)", 4, "missing '*' between ')' and '('"),
    ("(x)2", 4, "missing '*' between ')' and number"),
    ("(x)y", 4, "missing '*' between ')' and name"),
    ("sin(x, y)", 1, "sin() takes 1 argument, got 2"),
    ("1 + sin()", 5, "sin() takes 1 argument, got 0"),
    ("elu(x, 1, 2)", 1, "elu() takes 1 to 2 arguments, got 3"),
    ("max(x)", 1, "max() takes at least 2 arguments, got 1"),
    ("sum()", 1, "sum() takes at least 1 argument, got 0"),
    ("where(x, y)", 1, "where() takes 3 arguments, got 2"),
    ("sni(x)", 1, "unknown function 'sni': did you mean sin(...)?"),
    ("SIN(x)", 1, "unknown function 'SIN': did you mean sin(...)?"),
    ("arctan(x)", 1, "unknown function 'arctan': did you mean atan(...)?"),
    ("f(x)", 1, "unknown function 'f': for a product write f * (...)"),
    ("x + x(2)", 5, "'x' is no function: for a product write x * (...)"),
    ("pi(2)", 1, "'pi' is no function: for a product write pi * (...)"),
    ("sin", 1, "sin is a function: write sin(...), and give a variable another name"),
    ("sin x", 1, "sin is a function: write sin(...), and give a variable another name"),
    ("2*gamma + 1", 3, "gamma is a function: write gamma(...), and give a variable another name"),
    ("x)", 2, "this ')' closes no '('"),
    (")", 1, "this ')' closes no '('"),
    ("x + )", 5, "this ')' closes no '('"),
    ("1 + (x", 5, "this '(' is never closed: add a ')'"),
    ("((x)", 1, "this '(' is never closed: add a ')'"),
    ("1 + max(x, ", 8, "this '(' is never closed: add a ')'"),
    ("x + (", 5, "this '(' is never closed: add a ')'"),
    ("()", 1, "nothing stands between '(' and ')'"),
    ("x + ()", 5, "nothing stands between '(' and ')'"),
    ("max(x,)", 7, "an argument is missing before ')'"),
    ("max(,x)", 5, "an argument is missing before ','"),
    ("max(x,,y)", 7, "an argument is missing before ','"),
    ("x,", 2, "a ',' only stands between the arguments of a function: write 1.5 for one and a half"),
    ("(1,5)", 3, "a ',' only stands between the arguments of a function: write 1.5 for one and a half"),
    (",", 1, "an operand is missing before ','"),
    ("x +", 3, "an operand is missing after '+'"),
    ("x + * y", 3, "an operand is missing after '+'"),
    ("(x +)", 4, "an operand is missing after '+'"),
    ("max(x +, y)", 7, "an operand is missing after '+'"),
    ("-", 1, "an operand is missing after '-'"),
    ("* x", 1, "an operand is missing before '*'"),
    ("(/ x)", 2, "an operand is missing before '/'"),
    ("a < b < c", 7, "comparisons do not chain: write a < b < c as (a < b) * (b < c)"),
    ("a < b + 1 == c", 11, "comparisons do not chain: write a < b < c as (a < b) * (b < c)"),
    ("x^2", 2, "unexpected '^': use ** for powers"),
    ("y = x", 3, "unexpected '=': use == to compare, and of y = f(x) give f(x) only"),
    ("a.b", 2, "unexpected '.': there are no attributes here"),
    ("[x]", 1, "unexpected '[': use ( and ) to group; there are no lists here"),
    ("'x'", 1, """unexpected "'": text stands in is(column, "text") only"""),
    ("x!", 2, "unexpected '!': use gamma(n + 1) for n!, and != to compare"),
    ("x − y", 3, "unexpected '−': use - for minus"),
    ("x × y", 3, "unexpected '×': use * for products"),
    ("x ÷ y", 3, "unexpected '÷': use / for quotients"),
    ("x²", 2, "unexpected '²': use ** for powers"),
    ("２", 1, "unexpected '２': use '2'"),
    ("（x）", 1, "unexpected '（': use '('"),
    ("ｘ", 1, "unexpected 'ｘ': use 'x'"),
    ("x＾2", 2, "unexpected '＾': use ** for powers"),
    ("…", 1, "unexpected '…': it has no meaning in a formula"),
    ("α + 1", 1, "unexpected 'α': names are made of the letters a-z and A-Z, digits and _; any other stands in backquotes"),
    ("x\xa0+ 1", 2, r"unexpected '\xa0': use a plain space"),
    ("x\x0b", 2, r"unexpected '\x0b': use a plain space"),
    ("x\x1b[2J", 2, r"unexpected '\x1b': it has no meaning in a formula"),
    ("\u202ex", 1, r"unexpected '\u202e': it has no meaning in a formula"),
    ("\ud800", 1, r"unexpected '\ud800': it has no meaning in a formula"),
    ("x @ y", 3, "unexpected '@': it has no meaning in a formula"),
    ("_x", 1, "the name '_x' must begin with a letter"),
    ("__import__('os')", 1, "the name '__import__' must begin with a letter"),
    ("lambda", 1, "'lambda' is a keyword of Python and no name: give the variable another name"),
    ("x and y", 3, "'and' is a keyword of Python and no name: use (a < b) * (c < d)"),
    ("x if y else z", 3, "'if' is a keyword of Python and no name: use where(c, a, b)"),
    ("not x", 1, "'not' is a keyword of Python and no name: use 1 - (a < b)"),
    ("True", 1, "'True' is a keyword of Python and no name: use 1"),
    ("3e5e", 4, "missing '*' between number and name"),
    ("0x1p3", 2, "numbers are decimal: write 8 for 0x1p3"),
    ("0x1.8p-1*x", 2, "numbers are decimal: write 0.75 for 0x1.8p-1"),
    ("sin^2(x)", 4, "unexpected '^': a power comes after the call: sin(...)**2; for its inverse use asin(...)"),
    ("exp²(x)", 4, "unexpected '²': a power comes after the call: exp(...)**2"),
    ("tan⁻¹(x)", 4, "unexpected '⁻': a power comes after the call: tan(...)**2; for its inverse use atan(...)"),
    ("x^2(y)", 2, "unexpected '^': use ** for powers"),
    ("math.sin(x)", 5, "unexpected '.': functions stand without a module: sin(...)"),
    ("np.where", 3, "unexpected '.': there are no attributes here"),
    ("log(x, base=10)", 12, "unexpected '=': arguments have no names here: log(x, 2)"),
    ("∞", 1, "unexpected '∞': use 1e999"),
    ("½*x", 1, "unexpected '½': use (1/2)"),
    (r"\frac{x}{y}", 1, r"unexpected '\\': LaTeX is not read: write sqrt(x) and x/y"),
    ("gcd(x, y)", 1, "unknown function 'gcd': Python's math has it, but no formula, as it has no derivative"),
    ("Cot(x)", 1, "unknown function 'Cot': write 1/tan(x)"),
]  # fmt: skip


def test_what_is_written_for_functions_of_other_names():
    assert not set(UNKNOWN) & set(VOCABULARY.functions)
    known = {"factorial": 120.0, "comb": 10.0, "perm": 20.0, "beta": 1 / 30, "cot": 1 / math.tan(5.0), "isnan": 0.0,
             "modf": 0.0, "isinf": 0.0, "isfinite": 1.0, "acot": math.atan(0.2), "dist": 3.0,
             "normcdf": 0.5 * math.erfc(-5.0 / math.sqrt(2.0)), "norm": math.hypot(5, 2),
             "erfcx": 0.1107046377339686, "logaddexp2": math.log2(36.0), "sech": 1 / math.cosh(5.0)}  # fmt: skip
    point = {"x": 5.0, "y": 2.0, "n": 5.0, "k": 2.0, "u": 2.0, "v": 2.0, "c": 1.0, "a": 1.0, "b": 2.0}
    for name, formula in UNKNOWN.items():
        made = parse(formula, VOCABULARY)
        value = made(**{x: point[x] for x in made.names})
        if name in known:
            assert value == pytest.approx(known[name], rel=1e-13), name


@pytest.mark.parametrize(("text", "column", "message"), REFUSED)
def test_refused_with_the_place_and_the_repair(text, column, message):
    with pytest.raises(ExpressionError) as caught:
        parse(text, VOCABULARY)
    assert caught.value.column == column
    first, *pointed = str(caught.value).split("\n")
    if not text.strip():
        assert (first, pointed) == (message, [])
        return
    assert first == f"{message}, at column {column}:"
    line, caret = pointed
    assert caret == " " * (column + 1) + "^"
    assert line[: column + 1] == "  " + text[: column - 1]
    assert line.isprintable()


def test_a_long_text_is_shown_in_part_with_the_caret_under_the_place():
    text = "a + " * 500 + "$" + " + b" * 500
    with pytest.raises(ExpressionError) as caught:
        parse(text, VOCABULARY)
    _, line, caret = str(caught.value).split("\n")
    assert line[caret.index("^")] == "$"
    assert (line[:3], line[-1]) == ("  …", "…")
    assert len(line) < 80
    with pytest.raises(ExpressionError, match=r"unknown function 'x{39}…': for a product"):
        parse("x" * 50 + "(1)", VOCABULARY)


@pytest.mark.parametrize(
    ("limit", "text", "more", "message"),
    [
        ("max_length", "x + 1", "x + 12", "the text has 6 characters, more than max_length=5: shorten it, or give parse() more"),  # noqa: E501
        (
            "max_tokens", "x+1-2", "x+1-2+",
            "more than max_tokens=5 numbers, names and signs: shorten the text, or give parse() more",
        ),
        (
            "max_depth", "(((((x))))) + ((x))", "(((((sin(x))))))",
            "more than max_depth=5 parentheses in each other: simplify the text, or give parse() more",
        ),
        ("max_names", "a+b+c+d+e+a", "a+b+c+d+e+f", "more than max_names=5 different names: use fewer, or give parse() more"),
        (
            "max_arguments", "max(1,2,3,4,5)", "max(1,2,3,4,5,6)",
            "max() with more than max_arguments=5 arguments: give fewer, or give parse() more",
        ),
    ],
)  # fmt: skip
def test_limits(limit, text, more, message):
    assert parse(text, VOCABULARY, **{limit: 5})(dict.fromkeys("abcdex", 1.0)) is not None
    with pytest.raises(ExpressionError) as caught:
        parse(more, VOCABULARY, **{limit: 5})
    assert str(caught.value).startswith(f"{message}, at column ")
    for wrong in (0, -1, 1.5, True, None):
        with pytest.raises(InputValueError, match=f"{limit}={wrong!r} must be a whole number, at least 1"):
            parse(text, VOCABULARY, **{limit: wrong})


@pytest.mark.parametrize("text", [None, 3.0, b"x", ["x"]])
def test_what_is_no_text_is_refused(text):
    with pytest.raises(InputTypeError, match=r"text=.* must be a string"):
        parse(text, VOCABULARY)
    with pytest.raises(InputTypeError, match="vocabulary must be a Vocabulary: from autograd_lite"):
        parse("x", {"sin": math.sin})


class TestCalls:
    f = parse("(w*x + b - y)**2", VOCABULARY)

    def test_names_in_order(self):
        assert self.f.names == ("w", "x", "b", "y")
        assert parse("1 + pi*sin(2)", VOCABULARY).names == ()

    def test_mapping_keywords_or_both(self):
        row = {"x": 3.5, "y": 18, "horsepower": 130, "name": "chevrolet"}
        assert self.f(row, w=0, b=0) == self.f({**row, "w": 0, "b": 0}) == self.f(w=0, x=3.5, b=0, y=18) == 324.0
        assert self.f({**row, "w": 5, "b": 0}, w=0) == 324.0

    def test_a_variable_may_be_called_like_the_parameters(self):
        assert parse("self + values", VOCABULARY)(self=1, values=2) == 3.0

    @pytest.mark.parametrize(
        ("values", "named", "error", "message"),
        [
            (None, {}, InputValueError, r"no value for w, x, b, y of '\(w\*x \+ b - y\)\*\*2': give each one, w=1\.0"),
            ({"w": 1, "x": 2, "y": 3}, {}, InputValueError, r"no value for b of .*: give it one, b=1\.0"),
            ({}, {"w": 1, "x": 2, "b": 0, "y": 3, "z": 4}, InputValueError, r"z=4 is no name of .*: its names are w, x, b, y"),
            ({"w": "1", "x": 2, "b": 0, "y": 3}, {}, InputTypeError, r"w='1' is a str, not a real number"),
            ({"w": 1j, "x": 2, "b": 0, "y": 3}, {}, InputTypeError, r"w=1j is a complex, not a real number"),
        ],
    )
    def test_wrong_values(self, values, named, error, message):
        with pytest.raises(error, match=message):
            self.f(values, **named)
        with pytest.raises(InputValueError, match=r"x=1 is no name of '1': it has no names"):
            parse("1", VOCABULARY)(x=1)

    def test_a_constant_takes_no_value(self):
        circle = parse("2*pi*r", VOCABULARY)
        for values, named in [({"r": 1, "pi": 3}, {}), ({}, {"r": 1, "pi": 3})]:
            with pytest.raises(InputValueError, match=r"pi=3 is a constant and takes no value: rename the variable"):
                circle(values, **named)
        assert parse("r", VOCABULARY)({"r": 1, "pi": 3}) == 1.0

    def test_numbers_of_any_kind(self):
        np = pytest.importorskip("numpy")
        for three in (3, True + 2, np.float64(3.0), np.int8(3)):
            assert [f(x=three) for f in (parse("x", VOCABULARY), parse("x + 1", VOCABULARY))] == [3.0, 4.0]
            assert parse("x", VOCABULARY)(x=three).__class__ is float

    def test_values_record_the_graph(self):
        w = Value(0.0, "w")
        loss = self.f(w=w, x=3.5, b=0.0, y=18.0)
        loss.backward()
        assert (loss.data, w.grad, loss.op) == (324.0, -126.0, ops.pow)
        assert parse("x", VOCABULARY)(x=w) is w

    def test_comparisons_are_nodes_and_only_the_branch_taken_gets_a_gradient(self):
        f = parse("where(x > 0, x**2, log(x))", VOCABULARY)
        x = Value(-1.0, "x")
        assert parse("x > 0", VOCABULARY)(x=x).op is ops.gt
        assert grad(f)({"x": 3.0}) == {"x": 6.0}

    def test_transforms_take_it(self):
        assert grad(self.f)({"w": 0, "x": 3.5, "b": 0, "y": 18})["w"] == -126.0
        assert hessian(self.f)({"w": 0, "x": 3.5, "b": 0, "y": 18})["w"]["b"] == 7.0

    def test_a_tie_shares_and_other_signs_are_rows(self):
        assert grad(parse("max(x, y)", VOCABULARY))({"x": 1.0, "y": 1.0}) == {"x": 0.5, "y": 0.5}
        assert grad(parse("x % y", VOCABULARY))({"x": 7.5, "y": 2.0}) == {"x": 1.0, "y": -3.0}


def test_it_shows_compares_hashes_and_pickles_by_its_text():
    f = parse("sum(x, max(1, 2, y)) - pi", VOCABULARY)
    again = pickle.loads(pickle.dumps(f))
    assert (str(f), repr(f)) == ("sum(x, max(1, 2, y)) - pi", "Expression('sum(x, max(1, 2, y)) - pi')")
    assert again == f
    assert hash(again) == hash(f)
    assert again(x=1, y=3) == f(x=1, y=3) == 4.0 - math.pi
    assert f != parse("sum(x, max(1, 2, y)) -pi", VOCABULARY)
    assert f != "sum(x, max(1, 2, y)) - pi"


def test_an_error_pickles_with_its_place():
    with pytest.raises(ExpressionError) as caught:
        parse("2x", VOCABULARY)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.column) == (str(caught.value), 2)


HELPERS = {"gaussian", "zero", "pow_derivative", "softmax_weight", "unit", "muldiv", "inverse", "co_square", "difference"}


class TestVocabulary:
    def test_every_public_function_of_scalars_is_there_and_no_helper(self):
        public = {"round" if name == "round_" else name for name in ops.__all__ if name.islower()}
        lists = {"dot", "softmax", "log_softmax", "sumprod", "dist"}
        assert set(VOCABULARY.functions) == public - lists - {"identity", "stop_gradient", "modf"} | {"max", "min", "ln"}
        assert not HELPERS & set(VOCABULARY.functions)
        assert VOCABULARY.constants == {"pi": math.pi}

    @pytest.mark.parametrize("name", VOCABULARY.functions)
    def test_each_takes_as_many_arguments_as_it_says(self, name):
        function = VOCABULARY.functions[name]
        most = function.most or function.least + 3
        for count in (function.least, most):
            assert worth(f"{name}({', '.join(['2'] * count)})").__class__ is float
        for count in (function.least - 1, most + 1) if function.most else (function.least - 1,):
            with pytest.raises(ExpressionError, match=rf"{name}\(\) takes .*, got {count}"):
                worth(f"{name}({', '.join(['2'] * count)})")

    def test_the_signs_are_the_rows_of_pythons_operators(self):
        assert VOCABULARY.signs.keys() == parsing.BINDING.keys()
        assert all(row.symbol == sign for sign, row in VOCABULARY.signs.items())

    def test_functions_of_ones_own(self):
        own = VOCABULARY._replace(
            functions={**VOCABULARY.functions, "twice": Function(lambda x: 2 * x, 1, 1)}, constants={"g": 9.81}
        )
        assert parse("twice(g) + pi", own)(pi=1.0) == 20.62


# -- names of columns, indicators, one of many weights ------------------------------------------------------------------


class TestColumns:
    def test_a_name_in_backquotes_is_any_text(self):
        f = parse("`Weight (kg)`*a + `学 (%)` + `sin` + `pi`*pi", VOCABULARY)
        assert f.names == ("Weight (kg)", "a", "学 (%)", "sin", "pi")
        assert f({"Weight (kg)": 2.0, "a": 3.0, "学 (%)": 1.0, "sin": 4.0, "pi": 0.0}) == 11.0
        assert pickle.loads(pickle.dumps(f)).names == f.names
        assert str(f) == f.text

    @pytest.mark.parametrize("name", ["Weight (kg)", "x", "_x", "sin", "pi", "is", "2", "a[b]", " ", "x'\"y", "größe"])
    def test_a_quoted_name_reads_back(self, name):
        assert parse(f"2*{parsing.quoted(name, VOCABULARY)}", VOCABULARY).names == (name,)

    @pytest.mark.parametrize(
        ("text", "name", "meant"),
        [
            ('is(species, "Adelie")', 'is(species, "Adelie")', ("species", "Adelie")),
            ('is ( `the, "kind` ,\'a "b" (c)\' )', 'is(`the, "kind`, \'a "b" (c)\')', ('the, "kind', 'a "b" (c)')),
            ('is(x, "")', 'is(x, "")', ("x", "")),
            ('is(x, "), `q")', 'is(x, "), `q")', ("x", "), `q")),
        ],
    )
    def test_an_indicator_is_a_variable_of_its_spelling(self, text, name, meant):
        f = parse(f"b*{text} + c", VOCABULARY)
        assert f.names == ("b", name, "c")
        assert f.indicators == {name: meant}
        assert f({"b": 2.0, name: 1.0, "c": 3.0}) == 5.0
        assert parse(name, VOCABULARY).indicators == f.indicators

    @pytest.mark.parametrize(
        ("text", "name", "meant"),
        [
            ("a[site]", "a[site]", ("a", "site")), ("a [ `of [x]` ]", "a[`of [x]`]", ("a", "of [x]")),
            ("`a b`[site]", "`a b`[site]", ("a b", "site")), ("`sin`[x]", "`sin`[x]", ("sin", "x")),
        ],
    )  # fmt: skip
    def test_one_of_many_weights_is_a_variable_of_its_spelling(self, text, name, meant):
        f = parse(f"{text}*x + {text}", VOCABULARY)
        assert f.names == (name, "x")
        assert f.grouped == {name: meant}
        assert f({name: 2.0, "x": 3.0}) == 8.0
        assert parse(name, VOCABULARY).grouped == f.grouped

    def test_without_numbers_for_them_the_message_names_them(self):
        with pytest.raises(InputValueError, match=r"no value for a\[site\] of 'a\[site\]': give it one, \{'a\[site\]': 1.0\}"):
            parse("a[site]", VOCABULARY)()

    def test_a_caret_below_what_is_not_ascii(self):
        with pytest.raises(ExpressionError) as caught:
            parse("`a\u202eb` + 1 1", VOCABULARY)
        assert str(caught.value).split("\n")[1:] == ["  `a\ufffdb` + 1 1", "            ^"]
        assert caught.value.column == 11


# -- against Python, and against garbage ------------------------------------------------------------------------------


def test_random_formulas_are_worth_what_python_says():
    draw = random.Random(1)
    counts = Counter(benchmark.judged(benchmark.formula(draw)) for _ in range(4000))
    assert counts["neither"] == 0
    assert counts["Python"] > 2000


@pytest.mark.parametrize(("sign", "binds"), [("**", 3), ("*", 2), ("+", 3), ("<", 3), ("-", parsing.SIGN)], ids=str)
def test_a_wrong_precedence_is_noticed(monkeypatch, sign, binds):
    monkeypatch.setitem(parsing.BINDING, sign, binds)
    draw = random.Random(1)
    assert Counter(benchmark.judged(benchmark.formula(draw)) for _ in range(1000))["neither"] > 0


def test_a_wrong_operator_is_noticed(monkeypatch):
    monkeypatch.setitem(VOCABULARY.signs, "%", ops.fmod)
    draw = random.Random(1)
    assert Counter(benchmark.judged(benchmark.formula(draw)) for _ in range(1000))["neither"] > 0


def test_garbage_raises_the_parsers_error_and_nothing_else():
    draw = random.Random(2)
    counts = Counter(benchmark.outcome(benchmark.garbage(draw)) for _ in range(20_000))
    assert set(counts) == {"refused", "a number"}
    assert counts["refused"] > 10_000


@given(st.one_of(st.text(max_size=40), st.text(alphabet=benchmark.BROKEN + "sincmax", max_size=40)))
def test_any_text_is_a_function_or_refused_at_a_place_within_it(text):
    try:
        f, refused = parse(text, VOCABULARY), None
    except ExpressionError as error:
        refused = error
    if refused is None:
        assert f(dict.fromkeys(f.names, 0.5)).__class__ is float
    else:
        assert 1 <= refused.column <= max(1, len(text))
        assert all(line.isprintable() for line in str(refused).split("\n"))


DEPTH = 100_000


@pytest.mark.parametrize("text", benchmark.long_texts(DEPTH).values(), ids=benchmark.long_texts(DEPTH))
def test_long_and_deep_texts_do_not_exhaust_the_stack(text):
    wide = dict.fromkeys(("max_length", "max_tokens", "max_depth"), 10**6)
    f = parse(text, VOCABULARY, **wide)
    assert f(x=Value(0.5)).data == f(x=0.5)
    with pytest.raises(ExpressionError, match="more than max_length=10000"):
        parse(text, VOCABULARY)
    with pytest.raises(ExpressionError, match=r"never closed|missing after|is missing"):
        parse(text[: DEPTH * 3 // 2].rstrip("x)") if text[0] in "(s" else text + "+", VOCABULARY, **wide)


def test_numbers_are_given_by_name():
    f = parse("w*x + b", VOCABULARY)
    wanted = r"^'w\*x \+ b' takes its numbers by name: give w=1.0, x=1.0, b=1.0, or a mapping of names to numbers$"
    for args in ((1.0, 2.0, 3.0), (1.0,), ([1.0, 2.0, 3.0],)):
        with pytest.raises(InputTypeError, match=wanted):
            f(*args)
