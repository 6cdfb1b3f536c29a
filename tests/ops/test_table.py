"""The op table itself: what every row must hold, whatever it computes."""

from __future__ import annotations

import copy
import dis
import doctest
import itertools
import math
import pickle
from functools import partial
from math import inf, nan
from typing import Any

import pytest

import autograd_lite
from autograd_lite import Op, Value, check_grads, errors
from autograd_lite.formula.expression import parse
from autograd_lite.formula.vocabulary import ROWS, VOCABULARY
from autograd_lite.functional import grad
from autograd_lite.ops import TABLE
from autograd_lite.ops.columns import ANY_NUMBER, BINARY, GENERAL, PRODUCT, SUM, TIMES, UNARY
from tests import same as numbers

same = partial(numbers.same, rel=4e-16)

IN_EDGES = {"out", "pi"} | {"item", "n", "others", "other", "norm", "weight"}

ASKED = [
    "add",
    "sub",
    "mul",
    "div",
    "neg",
    "pow",
    "floordiv",
    "mod",
    "abs",
    "exp",
    "expm1",
    "exp2",
    "log",
    "log1p",
    "log2",
    "log10",
    "sqrt",
    "cbrt",
    "square",
    "reciprocal",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "atan2",
    "sinc",
    "degrees",
    "radians",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "acosh",
    "atanh",
    "hypot",
    "erf",
    "erfc",
    "gamma",
    "lgamma",
    "digamma",
    "polygamma",
    "sigmoid",
    "log_sigmoid",
    "softplus",
    "relu",
    "leaky_relu",
    "elu",
    "gelu",
    "silu",
    "sign",
    "floor",
    "ceil",
    "trunc",
    "fmod",
    "copysign",
    "maximum",
    "minimum",
    "clamp",
    "where",
    "logaddexp",
    "logsumexp",
    "softmax",
    "log_softmax",
    "sum",
    "prod",
    "mean",
    "dot",
    "lt",
    "le",
    "gt",
    "ge",
    "eq",
    "ne",
]
FUNCTIONS = [name for name in autograd_lite.ops.__all__ if name.islower()]
EXTREME = (nan, inf, -inf, 0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 1e308, -1e308, 5e-324, 1e-200, 1e200, -3.0, 710.0)


def sizes(op: Op) -> int:
    return op.arity if op.arity is not None else 2


@pytest.mark.parametrize("name", ASKED)
def test_public_by_name(name: str) -> None:
    assert name in FUNCTIONS
    assert callable(getattr(autograd_lite, name))


def test_a_star_import_leaves_builtins_alone() -> None:
    assert not {"abs", "pow", "sum", "round"} & set(autograd_lite.__all__)


# of math: what gives whole numbers or truths, and frexp and nextafter, whose results are bits; the names of Python 3.11 to 3.14
NO_SLOPE = {
    "ceil", "comb", "factorial", "floor", "frexp", "gcd", "isclose", "isfinite", "isinf", "isnan", "isqrt", "lcm", "nextafter",
    "perm", "trunc", "ulp", "fmax", "fmin", "isnormal", "issubnormal", "signbit",
}  # fmt: skip
SINCE = {"fma": (1.5, 0.5, 2.0), "sumprod": ([1.5, 0.5], [2.0, 3.0])}  # missing from the oldest Python
OF_MATH = {
    "acosh": (1.5,), "atan2": (0.5, 1.5), "copysign": (0.5, -1.5), "dist": ([0.5, 1.5], [2.0, 3.0]), "fmod": (5.5, 2.0),
    "fsum": ([0.1, 0.2, 0.3],), "hypot": (0.5, 1.5, 2.0), "ldexp": (0.75, 4), "log": (0.5, 3.0), "pow": (0.5, 1.5),
    "prod": ([0.5, 1.5, 2.5],), "remainder": (5.5, 2.0), **SINCE,
}  # fmt: skip


@pytest.mark.parametrize(
    "name", sorted({n for n in dir(math) if callable(getattr(math, n)) and n[0] != "_"} - NO_SLOPE | {*SINCE})
)
def test_every_function_of_math_that_has_a_slope_is_here(name: str) -> None:
    args = OF_MATH.get(name, (0.5,))
    function = getattr(autograd_lite, name)
    assert function(*args) == pytest.approx(getattr(math, name, function)(*args), rel=1e-15)
    assert check_grads(lambda x: function(x, *args[1:]), args[:1]).ok
    if name not in ("dist", "sumprod", "modf"):  # of two lists; two results
        flat = args[0] if isinstance(args[0], list) else args
        assert parse(f"{name}({', '.join(map(repr, flat))})", VOCABULARY)() == function(*args)


def test_ldexp_is_exact_at_both_ends() -> None:
    for x, y in [(0.75, 4), (1e-320, 1100), (1e300, -2000), (0.0, 5000), (3.0, -1074), (1e-300, 2000), (-inf, -5000)]:
        assert autograd_lite.ldexp(x, y) == math.ldexp(x, y)
    assert autograd_lite.ldexp(1.0, 10**6) == inf
    assert grad(lambda x: autograd_lite.ldexp(x, -3))(5.0) == 0.125
    assert grad(autograd_lite.ldexp, (0, 1))(3.0, 4.0) == (16.0, pytest.approx(48.0 * math.log(2.0), rel=1e-15))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstrings_run(name: str) -> None:
    function = getattr(autograd_lite.ops, name)
    examples = doctest.DocTestParser().get_doctest(function.__doc__, vars(autograd_lite.ops) | {"math": math}, name, None, None)
    assert examples.examples, f"{name} has no doctest"
    assert doctest.DocTestRunner(verbose=False).run(examples).failed == 0


@pytest.mark.parametrize("op", TABLE.values(), ids=TABLE)
def test_rows_are_whole(op: Op) -> None:
    assert op.__doc__
    assert op.edges, "no text for the partials on an edge"
    assert op.arity is None or len(op.edges) == op.arity == len(op.domain)
    names = ["a", "b", "c", "d"][: sizes(op)]
    words = {"all": "a, b", "rest": "b", "squares": "a^2"}
    for template in (op.text, op.latex):
        assert "{" not in template.format(*names, **words).replace("{a", "").replace("{b", "") or template is op.latex
    for i, edge in enumerate(op.edges):
        assert (edge is None) == (i in op.settings)
        assert edge is None or set(parse(edge, ROWS).names) <= {*"xyzu"[: sizes(op)], *IN_EDGES}, edge
    assert op.kind in (PRODUCT, ANY_NUMBER, GENERAL, UNARY, BINARY, TIMES, SUM)
    for pin in op.pins:
        assert len(pin.at) == len(pin.partials)


PINS = [(op, pin) for op in TABLE.values() for pin in op.pins]


@pytest.mark.parametrize(("op", "pin"), PINS, ids=[f"{op.name}{pin.at}" for op, pin in PINS])
@pytest.mark.parametrize("route", ["backward", "create_graph", "grad"])
def test_pins_hold(op: Op, pin: Any, route: str) -> None:
    if route == "grad":
        value = op.forward(*pin.at)
        found = grad(lambda *xs: Value._record(op, xs), tuple(range(len(pin.at))))(*pin.at)
    else:
        leaves = [Value(x) for x in pin.at]
        out = Value._record(op, tuple(leaves))
        value = out.data
        out.backward(create_graph=route == "create_graph")
        found = [leaf.grad.data if isinstance(leaf.grad, Value) else leaf.grad for leaf in leaves]
    assert same(value, pin.value)
    assert all(map(same, found, pin.partials)), (found, pin.partials)


def rules(op: Op) -> list[Any]:
    every = [*op.partials, *(op.products or ()), op.rule]
    return [r for r in every if callable(r)]


@pytest.mark.parametrize("op", TABLE.values(), ids=TABLE)
def test_rules_neither_branch_nor_raise_on_zero(op: Op) -> None:
    for rule in rules(op):
        if op.rule is rule:
            continue  # these walk over their arguments; where they divide is held by the next test
        for step in dis.get_instructions(rule):
            branches = "JUMP" in step.opname and "_IF_" in step.opname  # as each version of Python calls them
            asks_for_constants = "__class__" in rule.__code__.co_names
            assert not branches or asks_for_constants, f"{op.name}: a rule must not branch, use where()"
            assert step.argrepr not in ("/", "**", "//", "%"), f"{op.name}: write div or pow in place of {step.argrepr}"


@pytest.mark.parametrize("op", TABLE.values(), ids=TABLE)
def test_no_input_raises_and_nothing_turns_complex(op: Op) -> None:
    count = sizes(op) + (op.arity is None and bool(op.settings))
    variables = [i for i in range(count) if i not in op.settings]
    for at in itertools.product(EXTREME, repeat=min(len(variables), 2)):
        given = iter((*at, *(1.0,) * count))
        args = tuple(op.settings[i].examples[1] if i in op.settings else next(given) for i in range(count))
        value = op.forward(*args)
        assert value.__class__ is float, (args, value)
        for gradient in grad(lambda *xs, args=args: Value._record(op, xs), tuple(variables))(*args):
            assert gradient.__class__ is float


PROPAGATE = [op for op in TABLE.values() if op.name not in ("where", "lt", "le", "gt", "ge", "eq", "ne", "hypot", "pow")]


@pytest.mark.parametrize("op", PROPAGATE, ids=lambda op: op.name)
def test_nan_in_gives_nan_out(op: Op) -> None:
    count = op.arity or 3
    args = [1.0] * count
    args[next(i for i in range(count) if i not in op.settings)] = nan
    assert math.isnan(op.forward(*args))


LINEAR = {"identity", "stop_gradient", "add", "sub", "neg", "difference", "sum", "mean", "dot", "mul", "square", "zero", "prod",
          "muldiv", "div", "co_square"}  # fmt: skip


BENT = [op for op in TABLE.values() if op.kind == UNARY and op.name not in LINEAR]


@pytest.mark.parametrize("op", BENT, ids=lambda op: op.name)
def test_nan_in_gives_nan_gradient(op: Op) -> None:
    assert math.isnan(grad(op)(nan))


@pytest.mark.parametrize("op", TABLE.values(), ids=TABLE)
def test_rows_pickle_and_copy_as_themselves(op: Op) -> None:
    assert pickle.loads(pickle.dumps(op)) is op
    assert copy.deepcopy(op) is op


WRONG_CALLS = [
    (autograd_lite.sin, r"sin\(\) takes 1 argument, got 0"),
    (lambda: autograd_lite.atan2(1.0), r"atan2\(\) takes 2 arguments, got 1"),
    (autograd_lite.elu, r"elu\(\) takes 1 to 2 arguments, got 0"),
    (lambda: autograd_lite.sin("1"), r"argument 1 of sin\(\)='1' is a str, not a real number: convert it with float"),
    (lambda: autograd_lite.sum(1.0, 2.0), r"sum\(\) takes one list of items: sum\(\[x, y, z\]\)"),
    (lambda: autograd_lite.dot([1.0], [1.0, 2.0]), r"dot\(\) of 1 and 2 items: give both the same number"),
    (lambda: autograd_lite.dot(1.0, 2.0), r"dot\(\) takes two lists of items of one length"),
    (lambda: autograd_lite.softmax(3.0), r"items of softmax\(\)=3\.0 must be a list of numbers or Values"),
    (lambda: autograd_lite.softmax([1.0, "a"]), r"items\[1\] of softmax\(\)='a' is a str, not a real number"),
    (lambda: autograd_lite.log_softmax([None]), r"items\[0\] of log_softmax\(\)=None is None, not a real number"),
    (lambda: autograd_lite.log_softmax([1.0, 2.0], 5), r"index=5 of log_softmax\(\) with 2 items: give 0 to 1, or -2 to -1"),
    (lambda: autograd_lite.log_softmax([1.0, 2.0], 1.7), r"index=1\.7 of log_softmax\(\) must be a whole number"),
    (lambda: autograd_lite.log_softmax([1.0], "0"), r"index of log_softmax\(\)='0' is a str"),
    (lambda: Op("no name", abs, abs), r"name='no name' is not an identifier"),
    (lambda: Op("f", 3.0, abs), r"forward=3.0 of op f is not callable"),
    (lambda: Op("f", abs, (abs, None)), r"partials\[1\]=None of op f must be a rule or a float"),
    (lambda: Op("f", abs, (abs,), variadic=True), r"partials of variadic op f must be one rule"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), WRONG_CALLS)
def test_wrong_calls_say_what_is_right(call: Any, message: str) -> None:
    with pytest.raises(errors.AutogradError, match=message):
        call()


def test_arrays_are_told_where_to_go() -> None:
    np = pytest.importorskip("numpy")
    with pytest.raises(TypeError, match=r"sin\(\) takes numbers or Values, not an array of shape \(2,\)"):
        autograd_lite.sin(np.ones(2))


@pytest.mark.parametrize("op", [op for op in TABLE.values() if op.kinks], ids=lambda op: op.name)
def test_asking_for_kinks_never_raises(op: Op) -> None:
    for x in EXTREME:
        for y in (x, 1.0, 0.0):
            args = (x, y, *(1.0,) * max(0, sizes(op) - 2))[: sizes(op)]
            for kink in op.kinks:
                assert kink.holds(*args) in (True, False)


SETTINGS = [(op, i, setting) for op in TABLE.values() for i, setting in op.settings.items()]


def settled(op: Op, i: int, number: float, wrap: Any = float) -> Any:
    """The row of numbers of which one is a setting."""
    at = [1.0 if j in op.settings else wrap(x) for j, x in enumerate((0.3, 0.7, 0.2, 0.5)[: op.arity or 4])]
    return op(*at[:i], number, *at[i + 1 :])


@pytest.mark.parametrize(("op", "i", "setting"), SETTINGS, ids=[f"{op.name}-{i}" for op, i, _ in SETTINGS])
@pytest.mark.parametrize("wrap", [float, Value])
def test_settings_are_whole_numbers_in_every_route(op: Op, i: int, setting: Any, wrap: Any) -> None:
    for number in (1.7, nan, inf):
        with pytest.raises(errors.InputValueError, match=rf"{setting.what}={number!r} of {op.name}\(\) must be a whole number"):
            settled(op, i, number, wrap)
    if setting.what == "order":
        with pytest.raises(errors.InputValueError, match=r"order=-1 of \w+\(\) must be 0 or more: it counts derivatives"):
            settled(op, i, -1, wrap)
    if setting.what == "index":
        for number in (5, 3, -4):
            with pytest.raises(
                errors.InputValueError, match=rf"index={number} of \w+\(\) with 3 items: give 0 to 2, or -3 to -1"
            ):
                settled(op, i, number, wrap)
    if wrap is float:
        assert settled(op, i, True) == settled(op, i, 1.0)


@pytest.mark.parametrize("backend", [None, "python", "llvm"])
def test_a_negative_index_counts_from_the_end_in_value_and_slopes(backend: str | None) -> None:
    def f(i: int) -> Any:
        return autograd_lite.value_and_grad(lambda v: autograd_lite.log_softmax(v, i))

    at = [0.3, 0.7, 0.2]
    if backend == "llvm":
        pytest.importorskip("llvmlite")
    for i in (-1, -2, -3):
        g = f(i) if backend is None else autograd_lite.jit(f(i), backend=backend)
        assert g(at) == f(i + 3)(at)
    for i in (5, 1.7):
        g = f(i) if backend is None else autograd_lite.jit(f(i), backend=backend)
        with pytest.raises(errors.InputValueError, match=f"index={i}"):
            g(at)
