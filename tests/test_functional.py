"""The transforms: structures, nesting in any order, agreement of all routes, and messages."""

import math
import re
import warnings
from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_lite as al
from autograd_lite import Value, errors, grad, hessian, hvp, jacobian, jvp, nn, value_and_grad, vjp
from autograd_lite.errors import GradientWarning, InputTypeError, InputValueError, StructureError
from tests.functions import along, back

Point = namedtuple("Point", "x y")


def close(a, b, rel=1e-9):
    """Equal in structure, and in numbers up to rounding."""
    if isinstance(a, dict):
        return type(a) is type(b) and list(a) == list(b) and all(close(a[k], b[k], rel) for k in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(close(x, y, rel) for x, y in zip(a, b, strict=True))
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.shape == b.shape and close(a.tolist(), b.tolist(), rel)
    if isinstance(a, Value):
        return isinstance(b, Value) and close(a.data, b.data, rel)
    return a is b or math.isclose(a, b, rel_tol=rel, abs_tol=rel)


# -- structures -------------------------------------------------------------------------------------------------------

STRUCTURES = [
    (3.0, lambda x: x**2, 6.0),
    (3, lambda x: x**2, 6.0),
    ([1.0, 2.0], lambda x: x[0] * x[1], [2.0, 1.0]),
    ((1.0, [2.0, 3.0]), lambda x: x[0] * x[1][0] * x[1][1], (6.0, [3.0, 2.0])),
    (Point(1.0, 2.0), lambda p: p.x * p.y, Point(2.0, 1.0)),
    ({"w": [1.0, 2.0], "b": 3.0}, lambda p: p["w"][0] * p["b"], {"w": [3.0, 0.0], "b": 1.0}),
    ([None, 2.0, []], lambda x: x[1] ** 2, [None, 4.0, []]),
    (np.array([1.0, 2.0]), lambda x: x @ x, np.array([2.0, 4.0])),
    (np.array([[1, 2], [3, 4]]), lambda x: np.sum(x * x), np.array([[2.0, 4.0], [6.0, 8.0]])),
    (np.float64(3.0), lambda x: np.exp(x) * 0 + x, 1.0),
    ({"a": np.array([2.0])}, lambda d: d["a"][0] ** 3, {"a": np.array([12.0])}),
]


@pytest.mark.parametrize(("x", "f", "expected"), STRUCTURES)
def test_gradients_mirror_the_argument(x, f, expected):
    g = grad(f)(x)
    assert close(g, expected)
    assert type(g) is type(expected)
    value, again = value_and_grad(f)(x)
    assert type(value) is float
    assert close(again, expected)
    assert close(jacobian(f)(x), expected)
    out, pullback = vjp(f, x)
    assert out == value
    assert close(pullback(1.0), (expected,))
    assert close(hvp(f, (x,), (expected,)), jvp(grad(f), (x,), (expected,))[1])


def test_the_gradient_of_a_float_array_is_a_float_array():
    assert grad(lambda x: x @ x)(np.array([1, 2])).dtype == float


def test_argnums():
    def f(a, b, c):
        return a * b[0] ** 2 + c["k"]

    args = (2.0, [3.0], {"k": 1.0})
    assert grad(f)(*args) == 9.0
    assert grad(f, 1)(*args) == [12.0]
    assert grad(f, -1)(*args) == {"k": 1.0}
    assert grad(f, (0,))(*args) == (9.0,)
    assert grad(f, (2, 0))(*args) == ({"k": 1.0}, 9.0)
    assert hessian(f, (0, 1))(*args) == ((0.0, [6.0]), [(6.0, [4.0])])
    assert jacobian(f, (0, 2))(*args) == (9.0, {"k": 1.0})


@pytest.mark.parametrize("argnums", [(0, 0), (0, -1)])
def test_naming_one_argument_twice_is_an_error(argnums):
    with pytest.raises(InputValueError, match="argnums"):
        grad(lambda x: x * x, argnums)(3.0)


def test_other_arguments_are_passed_on_untouched():
    seen = object()

    def f(x, other, *, scale):
        assert other is seen
        return scale * x

    assert grad(f)(1.0, seen, scale=3.0) == 3.0
    assert value_and_grad(f)(1.0, seen, scale=3.0) == (3.0, 3.0)
    assert jacobian(f)(1.0, seen, scale=3.0) == 3.0


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (lambda x: [x, x**2, x**3], 2.0, [1.0, 4.0, 12.0]),
        (lambda x: x[0] * x[1] * x[2], [1.0, 2.0, 3.0], [6.0, 3.0, 2.0]),
        (lambda x: {"s": x[0] + x[1], "p": (x[0] * x[1],)}, [2.0, 3.0], {"s": [1.0, 1.0], "p": ([3.0, 2.0],)}),
        (lambda x: [x["a"], x["a"] * x["b"], 5.0], {"a": 2.0, "b": 3.0},
         [{"a": 1.0, "b": 0.0}, {"a": 3.0, "b": 2.0}, {"a": 0.0, "b": 0.0}]),
        (lambda x: x, [1.0, 2.0], [[1.0, 0.0], [0.0, 1.0]]),
        (lambda x: [x[0], x[0]], [1.0], [[1.0], [1.0]]),
    ],
)  # fmt: skip
def test_jacobians_put_the_arguments_structure_into_the_results(f, x, expected):
    assert close(jacobian(f)(x), expected)


@pytest.mark.parametrize("outs", [(2,), (3, 2), (5,), (1,), (2, 1, 2)])
@pytest.mark.parametrize("ins", [(2,), (3,), (2, 3), (1,)])
def test_jacobians_between_arrays_are_shaped_as_in_jax(outs, ins):
    weights = np.arange(1.0, 1.0 + math.prod(outs) * math.prod(ins)).reshape(math.prod(outs), math.prod(ins))

    def f(x):
        return (weights @ (x * x).ravel()).reshape(outs)

    x = np.linspace(1.0, 2.0, math.prod(ins)).reshape(ins)
    j = jacobian(f)(x)
    assert (j.shape, j.dtype) == (outs + ins, float)
    assert np.allclose(j, (weights * 2.0 * x.ravel()).reshape(outs + ins), rtol=1e-14)


def test_jacobians_between_an_array_and_a_scalar():
    assert close(jacobian(lambda x: np.array([[x, x * x]]))(3.0), np.array([[1.0, 6.0]]))
    h = hessian(lambda x: np.sum(x**3))(np.array([[1.0, 2.0]]))
    assert close(h, np.array([[6.0, 0.0], [0.0, 12.0]]).reshape(1, 2, 1, 2))


def test_modules_are_arguments_and_gradients():
    model = nn.Neuron(2, "tanh", seed=1)
    g = grad(lambda m, x: m(x))(model, [0.5, -1.0])
    model([0.5, -1.0]).backward()
    assert type(g) is nn.Neuron
    assert [p.data for p in g.parameters()] == [p.grad for p in model.parameters()]


# -- nesting ----------------------------------------------------------------------------------------------------------


def test_gradients_of_gradients():
    f = g = lambda x: x**5 - 2.0 * x
    for expected in (78.0, 160.0, 240.0, 240.0, 120.0, 0.0):
        g = grad(g)
        assert g(2.0) == expected
    assert grad(grad(grad(al.exp)))(0.5) == pytest.approx(math.exp(0.5))
    assert grad(grad(grad(al.sin)))(0.5) == pytest.approx(-math.cos(0.5))
    assert f(2.0) == 28.0


def d_value_and_grad(f):
    return lambda x: value_and_grad(f)(x)[1]


ROUTES = [grad, jacobian, along, back, d_value_and_grad, lambda f: lambda x: jacobian(lambda y: [f(y)])(x)[0]]


@pytest.mark.parametrize("inner", ROUTES)
@pytest.mark.parametrize("outer", ROUTES)
def test_any_transform_of_any_transform(outer, inner):
    def f(x):
        return al.exp(al.sin(x)) * x + 1.0 / x

    def textbook(x):
        """The first three derivatives, by hand."""
        s, c = math.sin(x), math.cos(x)
        e = [math.exp(s) * k for k in (1.0, c, c * c - s, c**3 - 3.0 * s * c - c)]
        return e[0] + x * e[1] - x**-2, 2.0 * e[1] + x * e[2] + 2.0 * x**-3, 3.0 * e[2] + x * e[3] - 6.0 * x**-4

    x, second = 0.8, outer(inner(f))
    leaf = Value(x)
    inner(f)(leaf).backward()
    assert (inner(f)(x), second(x), grad(second)(x)) == pytest.approx(textbook(x), rel=1e-12)
    assert leaf.grad == pytest.approx(second(x), rel=1e-12)


def test_the_hessian_of_a_jvp():
    def f(x):
        return x[0] ** 3 * x[1] ** 2

    def along(x):
        return jvp(f, (x,), ([1.0, 2.0],))[1]  # 3 a^2 b^2 + 4 a^3 b

    a, b = 2.0, 3.0
    assert close(
        hessian(along)([a, b]), [[6 * b * b + 24 * a * b, 12 * a * b + 12 * a * a], [12 * a * b + 12 * a * a, 6 * a * a]]
    )


def test_a_pullback_is_differentiated_in_point_and_cotangent():
    def f(x):
        return [x * x, al.sin(x)]

    def pulled(x, c):
        return vjp(f, x)[1]([c, 3.0])[0]  # 2 x c + 3 cos x

    assert close(grad(pulled, (0, 1))(0.5, 2.0), (4.0 - 3.0 * math.sin(0.5), 1.0))


def test_a_tangent_is_differentiated():
    assert grad(lambda t: jvp(lambda x: x**3, (2.0,), (t,))[1] ** 2)(0.5) == 144.0
    assert jvp(lambda x: jvp(lambda y: x * y * y, (x,), (1.0,))[1], (3.0,), (1.0,)) == (18.0, 12.0)


def test_a_closure_over_an_outer_argument():
    assert grad(lambda x: x * grad(lambda y: x * y)(2.0))(3.0) == 6.0
    assert grad(lambda x: grad(lambda y: x**2 * y**3)(x))(2.0) == 12 * 2.0**3
    assert grad(lambda x: grad(lambda y: grad(lambda z: x * y * z)(1.0) * y)(x))(5.0) == 20.0
    assert hessian(lambda x: jvp(lambda y: [x[0] * y * y], (x[1],), (x[2],))[1][0])([1.0, 2.0, 3.0]) == [
        [0.0, 6.0, 4.0], [6.0, 0.0, 2.0], [4.0, 2.0, 0.0],
    ]  # fmt: skip


def test_functions_that_read_values_from_their_surroundings():
    w = Value(3.0, "w")
    slope = grad(lambda x: w * x * x)(2.0)
    assert isinstance(slope, Value)
    slope.backward()
    assert (slope.data, w.grad) == (12.0, 4.0)
    w.zero_grad()
    for out in (jacobian(lambda x: [w * w * x])(2.0)[0], along(lambda x: w * w * x)(2.0), back(lambda x: w * w * x)(2.0)):
        w.zero_grad()
        out.backward()
        assert (out.data, w.grad) == (9.0, 6.0)
    assert hessian(lambda x: w * x * x)(2.0).data == 6.0
    assert grad(lambda x: w)(2.0).data == 0.0


def test_given_values_they_build_graph():
    x = Value(2.0)
    value, slope = value_and_grad(lambda x: x**3)(x)
    assert (value.data, slope.data, x.grad) == (8.0, 12.0, 0.0)
    (slope + value).backward()
    assert x.grad == 24.0


@pytest.mark.parametrize("transform", [grad, jacobian, hessian, along, back])
def test_transforms_touch_no_grad(transform):
    x, w = Value(2.0), Value(5.0)
    x.grad, w.grad = 7.0, -1.0
    inner = x * 3.0
    transform(lambda x: x**3 * w + inner)(x)
    transform(lambda v: v * w)(2.0)
    assert (x.grad, w.grad, inner.grad) == (7.0, -1.0, 0.0)


# -- routes agree on random programs ----------------------------------------------------------------------------------

STEPS = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: al.sin(a * b),
    "div": lambda a, b: a / (1.5 + b * b),
    "tanh": lambda a, b: al.tanh(a) * 0.5 + b,
    "dot": lambda a, b: al.tanh(al.dot([a, b, 0.5], [b, a, a])),
    "lse": lambda a, b: al.logsumexp([a, b, 0.1]),
    "hypot": lambda a, b: al.hypot(a, 1.0 + b * b),
    "atan2": lambda a, b: al.atan2(a, 2.0 + b * b),
    "soft": lambda a, b: al.softmax([a, b, 1.0])[0],
    "pow": lambda a, b: (1.0 + a * a) ** (0.3 * al.tanh(b)),
    "max": lambda a, b: al.maximum(a, b + 0.123),
}
PROGRAMS = st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=7)
POINTS = st.lists(st.floats(-2.0, 2.0).map(lambda x: round(x, 3) + 0.01), min_size=3, max_size=3)


def function(program):
    def f(x):
        stack = list(x)
        for name, i, j in program:
            stack.append(STEPS[name](stack[-1 - i % len(stack)], stack[-1 - j % len(stack)]))
        return stack[-1] + 0.0 * (x[0] + x[1] + x[2])

    return f


def by_backward(f, x):
    leaves = [Value(v) for v in x]
    f(leaves).backward()
    return [v.grad for v in leaves]


def by_create_graph(f, x):
    leaves = [Value(v) for v in x]
    f(leaves).backward(create_graph=True)
    first = [v.grad for v in leaves]
    rows = []
    for g in first:
        for leaf in leaves:
            leaf.zero_grad()
        g.backward()
        rows.append([leaf.grad for leaf in leaves])
    return [g.data for g in first], rows


@settings(max_examples=150, deadline=None)
@given(PROGRAMS, POINTS)
def test_all_routes_agree(program, x):
    f = function(program)
    units = [[float(i == j) for j in range(3)] for i in range(3)]
    value, gradient = value_and_grad(f)(x)
    assert value == f(x) == jvp(f, (x,), (units[0],))[0] == vjp(f, x)[0]
    first, second = by_create_graph(f, x)
    for route in (
        by_backward(f, x), first, grad(f)(x), vjp(f, x)[1](1.0)[0], jacobian(f)(x), [jvp(f, (x,), (u,))[1] for u in units],
        jacobian(lambda x: [f(x)] * 5)(x)[4],
    ):  # fmt: skip
        assert close(route, gradient)
    h = hessian(f)(x)
    for route in (
        second, [hvp(f, (x,), (u,)) for u in units], [jvp(grad(f), (x,), (u,))[1] for u in units],
        [vjp(grad(f), x)[1](u)[0] for u in units], [grad(lambda x, u=u: jvp(f, (x,), (u,))[1])(x) for u in units],
        jacobian(jacobian(f))(x),
        [list(c) for c in zip(*h, strict=True)],
    ):  # fmt: skip
        assert close(route, h, 1e-8)


# -- messages ---------------------------------------------------------------------------------------------------------


def forgets(x):
    x * x


SCALAR_ONLY = {
    "grad": lambda f: grad(f)(1.0),
    "value_and_grad": lambda f: value_and_grad(f)(1.0),
    "hessian": lambda f: hessian(f)(1.0),
    "hvp": lambda f: hvp(f, (1.0,), (1.0,)),
}


@pytest.mark.parametrize("transform", SCALAR_ONLY)
@pytest.mark.parametrize(
    ("f", "message"),
    [
        (forgets, "needs forgets to return one scalar, and it returned None: does it end in a return statement?"),
        (lambda x: "text", "needs <lambda> to return one scalar, and it returned str 'text': return a Value"),
        (lambda x: (x, x), "and it returned a tuple of 2: use jacobian(<lambda>) for the derivative of each, vjp for"),
        (lambda x: [x], "and it returned a list of 1: use jacobian"),
        (lambda x: {"a": x, "b": [x, x]}, "and it returned a dict of 3: use jacobian"),
        (lambda x: np.array([x, x]), "and it returned a ndarray of 2: use jacobian"),
    ],
)
def test_functions_that_return_no_scalar(transform, f, message):
    with pytest.raises(InputTypeError, match=re.escape(message)):
        SCALAR_ONLY[transform](f)


OF_A_FUNCTION = SCALAR_ONLY | {
    "jacobian": lambda f: jacobian(f)(1.0),
    "vjp": lambda f: vjp(f, 1.0),
    "jvp": lambda f: jvp(f, (1.0,), (1.0,)),
}


@pytest.mark.parametrize("transform", OF_A_FUNCTION)
@pytest.mark.parametrize("given", [4.0, Value(2.0), None])
def test_what_is_no_function_is_named(transform, given):
    """As where f(x) is given in place of f."""
    with pytest.raises(InputTypeError, match=re.escape(f"f={given!r} is not callable: {transform} takes the function, f, not")):
        OF_A_FUNCTION[transform](given)


@pytest.mark.parametrize("number", [3.0, 3, True, np.float64(3.0), np.array(3.0)])
@pytest.mark.parametrize("transform", [grad, lambda f: lambda x: value_and_grad(f)(x)[1]])
def test_a_plain_number_has_gradient_zero_and_a_warning(number, transform):
    with pytest.warns(GradientWarning, match=r"returned the plain number .*does not depend.*0.*\.data") as caught:
        assert transform(lambda x: number)(1.0) == 0.0
    assert caught[0].filename == __file__


def test_a_plain_number_in_a_container_is_a_constant():
    with warnings.catch_warnings(action="error"):
        assert jacobian(lambda x: [x, 3])(1.0) == [1.0, 0.0]
        assert jvp(lambda x: (x, 3), (1.0,), (2.0,)) == ((1.0, 3.0), (2.0, 0.0))
        assert vjp(lambda x: [x, 3], 1.0)[1]([2.0, 7.0]) == (2.0,)


@pytest.mark.parametrize("transform", [grad, value_and_grad, jacobian, hessian])
@pytest.mark.parametrize("argnums", [1, -2, (0, 5)])
def test_argnums_out_of_range(transform, argnums):
    with pytest.raises(InputValueError, match=r"argnums=.* but .* was called with 1 positional argument: count from 0"):
        transform(lambda x: x, argnums)(1.0)


def test_arguments_passed_by_keyword_cannot_be_differentiated():
    with pytest.raises(InputValueError, match=r"called with 0 positional arguments: .* arguments by position"):
        grad(lambda x: x)(x=1.0)


@pytest.mark.parametrize("transform", [grad, jacobian, lambda f: lambda x: vjp(f, x), lambda f: lambda x: jvp(f, (x,), (x,))])
@pytest.mark.parametrize(("x", "place"), [("a", "='a' is a str"), ([1.0, {"j": b"b"}], r"\[1\]\['j'\]=b'b' is a bytes")])
def test_arguments_that_are_no_numbers(transform, x, place):
    with pytest.raises(InputTypeError, match=place):
        transform(lambda x: x)(x)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: jvp(lambda x: x[0], ([1.0, 2.0],), ([1.0],)), r"tangents has the structure tuple\(list\(\*\)\), but primals"),
        (lambda: jvp(lambda x: x, (1.0,), (1.0, 2.0)), "tangents has the structure"),
        (lambda: hvp(lambda x: x["a"] ** 2, ({"a": 1.0},), ({"b": 1.0},)), r"tangents has .*dict\(b: .* primals has .*dict\(a"),
        (lambda: vjp(lambda x: [x, x], 1.0)[1](1.0), r"cotangents has the structure \*, but the result of <lambda> has list"),
        (lambda: vjp(lambda x: x, np.ones(2))[1](np.ones(3)), r"cotangents has the structure ndarray"),
    ],
)
def test_structures_that_do_not_match(call, message):
    with pytest.raises(StructureError, match=f"{message}.*give both the same structure"):
        call()


def test_primals_and_tangents_are_tuples():
    with pytest.raises(InputTypeError, match=r"primals and tangents of jvp must be tuples of arguments: jvp\(f, \(x"):
        jvp(lambda x: x, 1.0, 1.0)


@pytest.mark.parametrize("transform", [jacobian, lambda f: lambda x: vjp(f, x), lambda f: lambda x: jvp(f, (x,), (1.0,))])
def test_results_that_are_neither_numbers_nor_containers(transform):
    with pytest.raises(InputTypeError, match="result of <lambda>='text' is a str: expected numbers or Values"):
        transform(lambda x: "text")(1.0)


@pytest.mark.parametrize(("name", "transform"), [("grad", grad), ("value_and_grad", value_and_grad), ("jacobian", jacobian)])
def test_transformed_functions_are_named(name, transform):
    assert transform(forgets).__name__ == f"{name}_forgets"


def test_jacobians_of_arrays_by_several_arguments_have_jax_shapes():
    a, b = np.ones(2), np.ones(3)
    (ha, hab), (hba, hb) = al.hessian(lambda a, b: (a.sum() * b.sum()) ** 2, (0, 1))(a, b)
    assert [h.shape for h in (ha, hab, hba, hb)] == [(2, 2), (2, 3), (3, 2), (3, 3)]
    assert all(h.dtype == float for h in (ha, hab, hba, hb))
    by_name = al.jacobian(lambda p: p["w"] * p["s"])({"w": np.array([1.0, 2.0]), "s": 3.0})
    assert by_name["w"].tolist() == [[3.0, 0.0], [0.0, 3.0]]
    assert by_name["s"].tolist() == [1.0, 2.0]
    assert al.jacobian(lambda x: x[:0])(np.ones(3)).shape == (0, 3)


def test_a_gradient_is_never_a_leaf_of_the_surroundings_itself():
    c = Value(3.0)
    g = al.grad(lambda x: x * c)(2.0)
    assert g is not c
    assert g.data == 3.0
    g.backward()
    assert c.grad == 1.0


def test_argnums_must_be_distinct_whole_numbers():
    with pytest.raises(errors.InputValueError, match=r"argnums=\(0, -2\) of grad names an argument twice: name each once"):
        al.grad(lambda x, y: x * y, (0, -2))(1.0, 2.0)
    with pytest.raises(errors.InputTypeError, match=r"argnums='a' of grad must be a whole number or a tuple of them"):
        al.grad(lambda x: x, "a")(1.0)


@pytest.mark.parametrize("transform", ["jacobian", "vjp", "jvp"])
def test_forgetting_return_is_noticed(transform):
    call = {
        "jacobian": lambda f: al.jacobian(f)(1.0),
        "vjp": lambda f: al.vjp(f, 1.0),
        "jvp": lambda f: al.jvp(f, (1.0,), (1.0,)),
    }
    with pytest.raises(errors.InputTypeError, match=rf"{transform} of .*, which returned None: does it end in a return"):
        call[transform](lambda x: None)


def test_errors_name_the_transform_that_was_called():
    for transform in (al.hessian, al.grad):
        with pytest.raises(errors.InputTypeError, match=rf"^{transform.__name__} needs"):
            transform(lambda x: [x, x])(1.0)


@pytest.mark.parametrize("arguments", [(2.0, 1.0), ((2.0,), 1.0), (2.0, (1.0,))])
@pytest.mark.parametrize(("name", "transform"), [("hvp", hvp), ("jvp", jvp)])
def test_products_take_tuples_of_arguments(name, transform, arguments):
    with pytest.raises(
        InputTypeError, match=rf"primals and tangents of {name} must be tuples of arguments: {name}\(f, \(x,\), "
    ):
        transform(lambda x: x**3, *arguments)
