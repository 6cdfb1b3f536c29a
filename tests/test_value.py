"""`Value` as micrograd's users know it, `backward` in full, user-made rows, and every message of value.py and ops/row.py."""

import copy
import math
import pickle
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_lite as al
from autograd_lite import Op, Value, errors, grad, hessian, jvp
from autograd_lite.errors import InputTypeError, InputValueError, NotALeafError
from autograd_lite.ops.columns import REAL, Interval

# -- micrograd's code with another import -----------------------------------------------------------------------------


def test_micrograds_readme():
    a, b = Value(-4.0), Value(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    g.backward()
    assert f"{g.data:.4f} {a.grad:.4f} {b.grad:.4f}" == "24.7041 138.8338 645.5773"


def test_micrograds_training_loop():
    rows = np.array([[0.5, 1.0], [-1.0, 2.0], [1.5, -0.5]])
    labels = np.array([1, -1, 1])
    random.seed(1337)
    weights = [Value(random.uniform(-1, 1)) for _ in range(2)]
    bias = Value(0)
    losses = []
    for k in range(20):
        inputs = [list(map(Value, row)) for row in rows]
        scores = [sum((wi * xi for wi, xi in zip(weights, x, strict=True)), bias) for x in inputs]
        data_loss = sum((1 + -yi * si).relu() for yi, si in zip(labels, scores, strict=True)) * (1.0 / len(labels))
        total = data_loss + 1e-4 * sum(p * p for p in weights)
        for p in [*weights, bias]:
            p.grad = 0
        total.backward()
        for p in [*weights, bias]:
            p.data -= (1.0 - 0.9 * k / 20) * p.grad
        losses.append(total.data)
    assert losses[-1] < 0.01 < losses[0]
    assert [(yi > 0) == (si.data > 0) for yi, si in zip(labels, scores, strict=True)] == [True] * 3


def test_micrograds_walk_over_prev_for_pictures():
    a, b = Value(2.0), Value(3.0)
    root = (a * b + 1).relu()
    nodes, edges, stack = set(), set(), [root]
    while stack:
        v = stack.pop()
        if v not in nodes:
            nodes.add(v)
            for child in v._prev:
                edges.add((child, v))
                stack.append(child)
    assert (len(nodes), len(edges)) == (5, 4)
    assert (a * a)._prev == {a}
    assert a._prev == set()


@pytest.mark.parametrize(
    ("f", "sign"),
    [
        (lambda v: v, ""), (lambda v: v + 1, "+"), (lambda v: 1 + v, "+"), (lambda v: v * v, "*"), (lambda v: 2 * v, "*"),
        (lambda v: v**2, "**2"), (lambda v: v**-1, "**-1"), (lambda v: v**0.5, "**0.5"), (lambda v: v**v, "**"),
        (lambda v: 2**v, "**"), (lambda v: v.relu(), "ReLU"), (lambda v: v.tanh(), "tanh"), (lambda v: v.exp(), "exp"),
        (lambda v: v - 1, "-"), (lambda v: v / 2, "/"),
    ],
)  # fmt: skip
def test_op_strings(f, sign):
    assert f(Value(1.0))._op == sign


def test_how_values_print():
    v = Value(2)
    assert repr(v) == str(v) == "Value(data=2.0, grad=0.0)"
    (v * 3).backward()
    assert repr(v) == "Value(data=2.0, grad=3.0)"
    assert f"{v.grad:.1f}" == "3.0"
    assert repr(Value(math.nan, "w")) == "Value(data=nan, grad=0.0, name='w')"
    (v * v).backward(create_graph=True)
    assert repr(v) == "Value(data=2.0, grad=7.0)"
    v.zero_grad()


def test_sums_from_zero_and_numpy_integers():
    values = [Value(1.0), Value(2.0)]
    assert sum(values).data == 3.0
    out = sum(np.int64(i) * v for i, v in enumerate(values, 1))
    out.backward()
    assert [v.grad for v in values] == [1.0, 2.0]


# -- backward in full -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gradient", [0.5, 2, True, np.float32(0.25), math.inf, -1e-300])
def test_backward_from_a_gradient(gradient):
    x = Value(3.0)
    out = 2.0 * x
    out.backward(gradient)
    assert (out.grad, x.grad) == (float(gradient), 2.0 * float(gradient))
    assert type(out.grad) is type(x.grad) is float


def test_backward_from_a_value_builds_a_graph():
    x, g = Value(3.0), Value(5.0)
    (x * x).backward(gradient=g)
    assert x.grad.data == 30.0
    x.grad.backward()
    assert g.grad == 6.0
    x.zero_grad()


def test_backward_of_a_leaf():
    x = Value(3.0)
    x.backward()
    x.backward(2.0)
    assert x.grad == 3.0


def test_create_graph_to_any_order():
    x = Value(2.0)
    y = x**5
    for expected in (80.0, 160.0, 240.0, 240.0, 120.0):
        x.zero_grad()
        y.backward(create_graph=True)
        y = x.grad
        assert isinstance(y, Value)
        assert y.data == expected
    x.zero_grad()


def test_create_graph_makes_every_gradient_a_value_and_leaves_accumulate():
    x = Value(2.0)
    y = 3.0 * x
    out = y * y
    out.backward()
    out.backward(create_graph=True)
    assert [n.grad.data for n in (x, y, out)] == [72.0, 12.0, 1.0]
    assert {type(n.grad) for n in (x, y, out)} == {Value}
    out.backward()
    assert (x.grad.data, y.grad) == (108.0, 12.0)
    for node in (x, y, out):
        node.zero_grad()
    assert (x.grad, y.grad, out.grad) == (0.0, 0.0, 0.0)


def test_detach_is_a_leaf_no_gradient_passes():
    x = Value(3.0, "x")
    held = (x * x).detach()
    (held * x).backward()
    assert (held.op, held.data, x.grad, held.grad) == (None, 9.0, 9.0, 3.0)
    assert x.detach().name == "x"
    assert x.detach() is not x


def test_operands_that_are_not_taken_get_nothing():
    x, y = Value(2.0), Value(0.0)
    al.where(x > y, x * x, al.log(y)).backward()
    assert (x.grad, y.grad) == (4.0, 0.0)
    al.where(al.gt(x, y), x, al.sqrt(y)).backward()
    assert (x.grad, y.grad) == (5.0, 0.0)


# -- a user's own primitive -------------------------------------------------------------------------------------------

softsign = Op("softsign", lambda x: x / (1 + abs(x)), lambda x, out: 1 / (1 + abs(x)) ** 2)
softsign_twin = Op("twin", lambda x: x / (1 + abs(x)), lambda x, out: al.div(1.0, al.square(1.0 + al.abs(x))))
power_sum = Op("power_sum", lambda *xs: math.fsum(x**3 for x in xs), lambda xs, out: [3.0 * x * x for x in xs], variadic=True)
affine = Op("affine", lambda x, a, b: a * x + b, (lambda x, a, b, out: a, lambda x, a, b, out: x, 1.0), defaults=(2.0, 0.0))


@pytest.mark.parametrize("op", [softsign, softsign_twin])
@pytest.mark.parametrize("x", [3.0, -0.5, 0.25])
def test_a_users_row_in_every_route(op, x):
    slope, curvature = (1 + abs(x)) ** -2, -2.0 * math.copysign(1.0, x) * (1 + abs(x)) ** -3
    assert op(x) == x / (1 + abs(x))
    v = Value(x)
    op(v).backward()
    assert v.grad == pytest.approx(slope)
    assert grad(op)(x) == jvp(op, (x,), (1.0,))[1] == pytest.approx(slope)
    assert grad(grad(op))(x) == pytest.approx(curvature)
    assert hessian(op)(x) == pytest.approx(curvature)
    assert jvp(grad(op), (x,), (1.0,))[1] == pytest.approx(curvature)
    assert op(v)._op == op.name == op.__name__


def test_a_users_row_of_many_arguments():
    x, y = Value(2.0), Value(3.0)
    power_sum(x, 1, y, x).backward()
    assert (x.grad, y.grad) == (24.0, 27.0)
    assert hessian(lambda v: power_sum(*v))([1.0, 2.0]) == [[6.0, 0.0], [0.0, 12.0]]
    assert affine(3.0) == 6.0
    assert grad(affine, (0, 1, 2))(3.0, 4.0, 5.0) == (4.0, 3.0, 1.0)
    out = affine(x, y)
    assert out.args == (x, y, 0.0)


def test_a_users_row_may_compute_any_real_number():
    count = Op("count", int, 0.0)
    assert type(count(Value(2.5)).data) is float
    with pytest.raises(InputTypeError, match=r"result of broken\(\)='x' is a str, not a real number"):
        Op("broken", lambda x: "x", 0.0)(Value(1.0))


def test_a_product_rule_may_pass_nothing_at_all():
    gate = Op("gate", lambda x: x, 1.0, products=[lambda g, x, out: None if x < 0 else g])
    x, y = Value(-1.0), Value(0.0)
    (gate(x - al.sqrt(y)) + x).backward()
    assert (x.grad, y.grad) == (1.0, 0.0)


def test_what_a_row_knows_of_itself():
    assert repr(al.sin) == "<op sin>"
    assert (softsign.text, softsign.symbol, softsign.arity) == ("softsign({0})", "softsign", 1)
    assert softsign.domain == (REAL,)
    assert power_sum.arity is None
    assert softsign.__doc__ == "softsign, a primitive."
    assert softsign.name not in al.ops.TABLE
    documented = Op("half", lambda x: x / 2, 0.5, edges="1/2", domain=[Interval(0.0)], doc="Half.")
    assert documented.__doc__ == "Half.\n\nd/dx half(x) = 1/2\n\nDomain: x in [0, inf)."
    assert "No derivative where x = 0." in al.abs.__doc__
    assert pickle.loads(pickle.dumps(al.exp)) is al.exp
    assert copy.copy(al.exp) is al.exp


@pytest.mark.parametrize(
    ("interval", "text", "inside", "outside"),
    [
        (Interval(), "(-inf, inf)", [0.0, math.inf], [math.nan]),
        (Interval(0.0), "[0, inf)", [0.0], [-1.0]),
        (Interval(-1.0, 1.0), "[-1, 1]", [-1.0, 1.0], [1.5]),
        (Interval(-1.0, 1.0, open=True), "(-1, 1)", [0.0], [-1.0, 1.0]),
    ],
)
def test_intervals(interval, text, inside, outside):
    assert str(interval) == text
    assert [x in interval for x in inside + outside] == [True] * len(inside) + [False] * len(outside)


# -- messages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Value(1.0, 2), InputTypeError, r"name=2 must be a string: Value\(1\.0, name='w'\)"),
        (lambda: Value("x"), InputTypeError, r"data='x' is a str, not a real number: convert it with float"),
        (lambda: setattr(+Value(1.0), "data", 2.0), NotALeafError, r"data of a Value of 1\.0 cannot be set: .* identity; set"),
        (lambda: float(Value(1.0)), InputTypeError, r"float\(\) of a Value of 1\.0 would lose its gradient: use the lib"),
        (lambda: int(Value(1.0, "v")), InputTypeError, r"int\(\) of Value 'v' would lose its gradient: .*v\.data where only"),
        (lambda: complex(Value(1.0)), InputTypeError, r"complex\(\) of a Value of 1\.0 would lose"),
        (lambda: copy.copy(+Value(1.0)), NotALeafError, r"a Value of 1\.0 is computed by identity and cannot.*detach"),
        (lambda: Value(1.0).backward("x"), InputTypeError, r"gradient='x' is a str"),
        (lambda: Value(1.0).backward(None), InputTypeError, r"gradient=None is None, not a real number: give an int"),
        (lambda: Value(1.0) * "x", InputTypeError, r"operand of mul\(\).*'x' is a str"),
        (lambda: Value(1.0) < None, InputTypeError, r"operand of lt\(\).*None is None"),
        (lambda: Value(1.0).maximum("x"), InputTypeError, r"operand of max.*'x' is a str"),
        (lambda: Value(1.0).clip(0, "x"), InputTypeError, r"argument 3 of clamp\(\).*'x' is a str"),
        (lambda: round(Value(1.0), "x"), InputTypeError, r"argument 2 of round\(\).*'x' is a str"),
        (lambda: Value(1.0).hypot([]), InputTypeError, r"argument 2 of hypot\(\).*\[\] is a list.*one number at a time"),
        (al.sin, InputTypeError, r"sin\(\) takes 1 argument, got 0: [^{]*$"),
        (lambda: al.sin(1.0, Value(2.0)), InputTypeError, r"sin\(\) takes 1 argument, got 2"),
        (lambda: al.atan2(1.0), InputTypeError, r"atan2\(\) takes 2 arguments, got 1"),
        (lambda: al.leaky_relu(1, 2, 3), InputTypeError, r"leaky_relu\(\) takes 1 to 2 arguments, got 3"),
        (lambda: al.where(True, 1.0), InputTypeError, r"where\(\) takes 3 arguments, got 2"),
        (affine, InputTypeError, r"affine\(\) takes 1 to 3 arguments, got 0"),
        (lambda: softsign("x"), InputTypeError, r"argument 1 of softsign\(\).*'x' is a str"),
        (lambda: affine(Value(1.0), None), InputTypeError, r"argument 2 of affine\(\).*None is None"),
        (lambda: power_sum(Value(1.0), 1j), InputTypeError, r"argument 2 of power_sum\(\).*1j is a complex"),
        (lambda: al.sum([Value(1.0), "x"]), InputTypeError, r"argument 2 of sum\(\).*'x' is a str"),
        (lambda: al.sum(1.0, 2.0), InputTypeError, r"sum\(\) takes one list of items: sum\(\[x, y, z\]\)"),
        (lambda: al.dot([1.0]), InputTypeError, r"dot\(\) takes two lists of items of one length"),
        (lambda: al.dot([1.0], [1.0, 2.0]), InputValueError, r"dot\(\) of 1 and 2 items: give both the same number"),
        (lambda: al.exp(np.ones(2)), InputTypeError, r"exp\(\) takes numbers or Values, not an array of shape \(2,\): map it"),
        (lambda: al.add(Value(1.0), np.ones(2)), InputTypeError, r"add\(\) takes numbers or Values, not an array"),
        (lambda: Op("a b", abs, 1.0), InputTypeError, r"name='a b' is not an identifier: give the op a name like 'softsign'"),
        (lambda: Op("f", lambda: 1.0, ()), InputTypeError, "op f"),
        (lambda: Op("f", None, 1.0), InputTypeError, r"forward=None of op f is not callable: give a function of floats"),
        (lambda: Op("f", abs, 1), InputTypeError, r"partials\[0\]=1 of op f must be a rule or a float"),
        (lambda: Op("f", abs, [1.0, None]), InputTypeError, r"partials\[1\]=None of op f must be a rule or a float"),
        (lambda: Op("f", max, 1.0, variadic=True), InputTypeError, r"partials of variadic op f must be one rule \(args, out\)"),
    ],
)
def test_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()


# -- any expression ---------------------------------------------------------------------------------------------------

LEAVES = st.sampled_from(["x", "y", "0.5", "2", "-1.5"])
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda e: st.one_of(
        st.tuples(e, st.sampled_from("+-*"), e).map("({0[0]} {0[1]} {0[2]})".format),
        st.tuples(st.sampled_from(["sin", "tanh", "softplus"]), e).map("{0[0]}({0[1]})".format),
    ),
    max_leaves=12,
)


@given(EXPRESSIONS, st.floats(-2, 2), st.floats(-2, 2))
def test_values_compute_what_floats_compute_and_twice_backward_is_twice(text, x, y):
    names = {"sin": al.sin, "tanh": al.tanh, "softplus": al.softplus}
    a, b = Value(x), Value(y)
    out = eval(text, names | {"x": a, "y": b})
    expected = eval(text, names | {"x": x, "y": y})
    assert (out.data if isinstance(out, Value) else out) == expected
    if isinstance(out, Value):
        out.backward()
        once = (a.grad, b.grad)
        out.backward()
        assert (a.grad, b.grad) == (2 * once[0], 2 * once[1]) or out in (a, b)


def test_a_users_rule_that_goes_wrong_is_named():
    short = Op("short", lambda *v: sum(v), lambda args, out: [1.0], variadic=True)
    with pytest.raises(errors.InputTypeError, match=r"the rule of op short gave 1 partials for 2 arguments: give one for each"):
        short(Value(1.0), 2.0).backward()
    empty = Op("empty", lambda x: x, lambda x, out: None)
    with pytest.raises(TypeError) as caught:
        empty(Value(1.0)).backward()
    assert caught.value.__notes__ == ["in the derivative rules of op empty"]
    with pytest.raises(errors.InputTypeError, match="partials of op none are empty: give one rule for each argument"):
        Op("none", lambda: 1.0, ())


def test_comparison_with_any_int_is_exact():
    v = Value(2.0)
    assert (v == 10**400, v < 10**400, v > -(10**400)) == (False, True, True)
    assert Value(2.0**53) != 2**53 + 1


def test_a_gradient_cleared_with_none_counts_as_zero():
    v = Value(2.0)
    v.grad = None
    (v * v).backward()
    assert v.grad == 4.0


# -- functions of other libraries, and text ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "advised"),
    [
        (lambda v: math.exp(v * 1.0), r"use autograd_lite\.exp\(v\) or v\.exp\(\) in place of exp\(v\) of another library"),
        (lambda v: 1.0 + math.sin(v) * 2.0, r"use autograd_lite\.sin\(v\) or v\.sin\(\) in place of sin\(v\)"),
        (lambda v: math.lgamma(v * 1.0), r"use autograd_lite\.lgamma\(v\)"),
        (lambda v: math.fabs(v * 1.0), r"use autograd_lite\.(fabs|abs)\(v\)"),
        (lambda v: math.exp(math.cos(v)), r"use autograd_lite\.cos\(v\)"),
        (lambda v: math.isnan(v * 1.0), "use the library's own functions in place of those of math"),
        (lambda v: float(v * 1.0), "use the library's own functions in place of those of math"),
    ],
)
def test_a_function_of_math_advises_ours_of_that_name_and_no_other(call, advised):
    with pytest.raises(InputTypeError, match=advised):
        call(Value(0.5))


def test_text_is_the_same_by_percent_and_by_format():
    v = Value(1.0) / 3.0
    short, long, text = "%.4f", "%s %.2e", "%g"
    assert short % v == f"{v:.4f}" == "0.3333"
    assert long % ("at", v) == f"at {v:.2e}"
    text %= v
    assert text == f"{v:g}"


def test_powers_modulo_say_what_to_write():
    with pytest.raises(InputTypeError, match=r"pow\(v, 2, 3\) is not there: write v \*\* 2 % 3"):
        pow(Value(2.0), 2, 3)
    with pytest.raises(InputTypeError, match=r"maximum\(v, 2, 3\) is not there: maximum takes one other operand"):
        Value(2.0).maximum(2, 3)
    assert (Value(2.5) ** 2 % 3).data == 0.25
