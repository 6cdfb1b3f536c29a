"""Tracing: what a function may not do with a traced Value, and the Values it reads from its surroundings."""

from __future__ import annotations

import copy
import math
import pickle
import re

import pytest

import autograd_lite as al
from autograd_lite import Value, errstate, grad, gt, hessian, jit, jvp, nn, optim, value_and_grad, vjp, where
from autograd_lite.errors import BranchError, GradientWarning, InputTypeError, TraceError
from tests.compiler import programs as p

W = Value(2.0, "w")
ON_CALL = "in a function under jit, would"
KEEP = (
    f"{ON_CALL} keep the number of this one call for ever: compute with the Value itself, and use autograd_lite.sin(v) in "
    f"place of math.sin(v)"
)
SET = f"{ON_CALL} happen once and not at every call: return the new number, and set it outside"
BACKWARD = (
    f"{ON_CALL} leave its gradients in .grad once and not at every call: return value_and_grad(f)(...) or grad(f)(...) instead"
)


def set_data(v):
    v.data = 3.0


def step(v):
    v.grad = 1.0
    optim.SGD([v], lr=0.1).step()


LEAKS = {
    ".data": (lambda x: x * x.data, ".data of a traced Value", KEEP),
    ".data of a result": (lambda x: (x * 2.0).data * x, ".data of a traced Value", KEEP),
    "float()": (lambda x: x * float(x), "float() of a traced Value", KEEP),
    "int()": (lambda x: x * int(x), "int() of a traced Value", KEEP),
    "complex()": (lambda x: complex(x) * x, "complex() of a traced Value", KEEP),
    "math.sin": (lambda x: x * math.sin(x), "float() of a traced Value", KEEP),
    "math.isnan": (lambda x: x if math.isnan(x) else -x, "float() of a traced Value", KEEP),
    "format()": (lambda x: x * float(f"{x:.2f}"), "format() of a traced Value", KEEP),
    "%": (lambda x: x * float("%.2f" % x), "format() of a traced Value", KEEP),  # noqa: UP031
    "math.fsum": (lambda x: math.fsum([x, x]), "float() of a traced Value", KEEP),
    "backward": (lambda x: (x * x).backward(), ".backward() of a traced Value", BACKWARD),
    ".data of a leaf outside": (lambda x: x * W.data, ".data of Value 'w'", KEEP),
    "float() of a leaf outside": (lambda x: x * float(W), "float() of Value 'w'", KEEP),
    "backward of a leaf outside": (lambda x: (W * x, W.backward()), ".backward() of Value 'w'", BACKWARD),
    "setting a leaf outside": (lambda x: (set_data(W), x), ".data = ... of Value 'w'", SET),
    "setting the argument": (lambda x: (set_data(x), x), ".data = ... of a traced Value", SET),
    "copy of a leaf outside": (lambda x: copy.copy(W) * x, "copy() of Value 'w'", KEEP),
    "deepcopy of a leaf outside": (lambda x: copy.deepcopy([W])[0] * x, "copy() of Value 'w'", KEEP),
    "pickle of a leaf outside": (lambda x: pickle.loads(pickle.dumps(W)) * x, "copy() of Value 'w'", KEEP),
}


@pytest.mark.parametrize("way", LEAKS)
def test_a_number_may_not_leak(way):
    f, what, why = LEAKS[way]
    fast = jit(f)
    for _ in range(2):
        with pytest.raises(TraceError, match=rf"^{re.escape(what)} at test_trace\.py:\d+, {re.escape(why)}$"):
            fast(1.5)
    assert (W.data, W.grad) == (2.0, 0.0)


@pytest.mark.parametrize("way", LEAKS)
def test_a_number_may_not_leak_inside_a_transform(way):
    f, what, why = LEAKS[way]
    how = what.partition(" of ")[0]
    with pytest.raises(
        TraceError, match=rf"^{re.escape(how)} of Value '(w|argument 0 of .*)' at .*, {re.escape(why)}$|of a traced"
    ):
        jit(value_and_grad(f))(1.5)


def test_the_line_of_a_leak_is_the_users():
    def f(x):
        y = x * x
        return x * y.data

    with pytest.raises(TraceError, match=rf"^\.data of a traced Value at test_trace\.py:{f.__code__.co_firstlineno + 2}, "):
        jit(grad(f))(1.0)


@pytest.mark.parametrize(
    "transform", [grad, hessian, lambda f: lambda x: jvp(f, (x,), (1.0,))[1], lambda f: lambda x: vjp(f, x)[0]]
)
def test_leaks_are_caught_under_every_transform(transform):
    with pytest.raises(TraceError, match=r"float\(\) of .* at test_trace.py:\d+, in a function under jit, would keep"):
        jit(transform(lambda x: x * math.exp(x)))(1.0)


def test_a_step_of_an_optimizer_is_no_part_of_a_program():
    w = Value(1.0, "w")
    with pytest.raises(TraceError, match=r"\.data"):
        jit(lambda x: (step(w), w * x)[1])(2.0)
    assert w.data == 1.0


def test_after_a_leak_nothing_is_traced_any_more():
    with pytest.raises(TraceError):
        jit(lambda x: x * float(x))(1.0)
    assert (Value(3.0) * 2.0).data == 6.0
    assert Value(3.0) > 2.0


def test_a_leak_that_the_function_itself_handles_is_none():
    def sine(x):
        try:
            return math.sin(x)
        except TypeError:
            return al.sin(x)

    fast = jit(sine)
    assert [fast(1.0), fast(2.0)] == [math.sin(1.0), math.sin(2.0)]


def test_numpy_says_what_it_does_not_know():
    np = pytest.importorskip("numpy", reason="needs NumPy")
    with pytest.raises(TraceError, match=r"float\(\) of a traced Value"):
        jit(lambda x: np.array([x], dtype=float)[0])(1.0)
    assert jit(lambda x: np.exp(x) * np.dot([x, 1.0], np.array([2.0, x])))(0.0) == 0.0


def test_what_is_known_when_tracing_may_be_looked_at():
    def f(x):
        k = Value(3.0) * 2.0
        limit = k.data if k > 5.0 else 0.0
        return x * float(limit) * int(limit) + round(k.data)

    assert jit(f)(2.0) == f(2.0) == 78.0
    assert jit(grad(f))(2.0) == 36.0


def test_texts_of_traced_values_may_be_made():
    seen = []

    def f(x):
        seen.append(f"{x!r} {x}")
        return x * x

    assert jit(f)(1.5) == 2.25
    assert seen[0].startswith("Value(data=1.5")


def test_constants_made_inside_are_constants():
    program = jit(lambda x: Value(2.0) * x + Value(3.0) ** 2).program(1.0)
    assert str(program) == "v1 = mul(2.0, v0)\nv2 = add(v1, 9.0)\nreturn v2"


def test_detach_and_stop_gradient_keep_following_the_input():
    for held in (lambda x: x.detach(), al.stop_gradient):
        fast = jit(value_and_grad(lambda x, held=held: x * held(x)))
        assert [fast(2.0), fast(3.0)] == [(4.0, 2.0), (9.0, 3.0)]
        fast = jit(lambda x, held=held: held(x) if held(x) > 1.0 else x * x)
        assert [fast(3.0), fast(0.5)] == [3.0, 0.25]


BACKENDS = [
    "python",
    pytest.param(
        "llvm", marks=pytest.mark.skipif(not p.has("llvmlite"), reason="llvmlite is not installed: install the extra 'jit'")
    ),
]

# -- live Values ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_leaf_from_the_surroundings_counts_at_every_call(backend):
    w, b = Value(2.0), Value(1.0)
    fast = jit(lambda x: w * x + b, backend=backend)
    slope = jit(value_and_grad(lambda x: w * w * x), backend=backend)
    assert fast(3.0) == 7.0
    for number in (5.0, -1.0, math.inf, math.nan):
        w.data, b.data = number, number / 2
        assert p.same(fast(3.0), number * 3.0 + number / 2)
        assert p.same(slope(3.0), (number * number * 3.0, number * number))
    assert (w.grad, b.grad) == (0.0, 0.0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_leaf_that_only_one_branch_reads(backend):
    w = Value(2.0)
    fast = jit(lambda x: w * x if x > 0.0 else x, backend=backend)
    assert [fast(-1.0), fast(3.0)] == [-1.0, 6.0]
    w.data = 10.0
    assert [fast(-1.0), fast(3.0), fast(4)] == [-1.0, 30.0, 40.0]
    other = jit(lambda x: w * x if x > 0.0 else x, backend=backend)  # found the other way round
    assert [other(3.0), other(-1.0), other(5.0)] == [30.0, -1.0, 50.0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_work_that_only_one_branch_needs(backend):
    def f(x):
        y, z = al.exp(x), x * 3.0
        if z > 1.0:
            return y
        return z if z > 0.0 else x

    for order in ([1.0, 0.1, -1.0], [-1.0, 0.1, 1.0], [0.1, -1.0, 1.0]):
        fast = jit(f, backend=backend)
        assert [fast(x) for x in order] == [f(x) for x in order]


@pytest.mark.parametrize("backend", BACKENDS)
def test_leaves_that_branches_read_in_different_orders(backend):
    a, b = Value(2.0), Value(3.0)
    fast = jit(lambda x: a * x + b if x > 0.0 else b * x - a, backend=backend)
    for a.data, b.data in ((2.0, 3.0), (5.0, 7.0)):
        assert [fast(1.0), fast(-1.0)] == [a.data + b.data, -b.data - a.data]


@pytest.mark.parametrize("ask", [
    lambda w: w > 1.0, lambda w: w, lambda w: not w - 2.0, lambda w: w * w > 1.0, lambda w: w == 2.0, lambda w: w in (2.0, 5.0),
])  # fmt: skip
def test_a_leaf_that_only_a_branch_asks_for(ask):
    w = Value(2.0)
    fast = jit(lambda x: x if ask(w) else -x)
    for number in (2.0, 0.0, 2.0, 0.0, 5.0):
        w.data = number
        assert fast(3.0) == (3.0 if ask(w) else -3.0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_leaf_is_returned_as_it_is_now(backend):
    w = Value(2.0)
    fast = jit(lambda x: [w, x, {"w": w}], backend=backend)
    assert fast(1.0) == [2.0, 1.0, {"w": 2.0}]
    w.data = 3.0
    assert fast(1.0) == [3.0, 1.0, {"w": 3.0}]
    assert jit(lambda: w, backend=backend)() == 3.0


def test_a_leaf_read_in_an_outer_transform_is_differentiated_there():
    w = Value(2.0)
    fast = jit(lambda x: grad(lambda v: v * w * w)(x) * x)
    assert fast(3.0) == 12.0
    w.data = 3.0
    assert fast(3.0) == 27.0


def test_a_module_from_the_surroundings_is_live():
    model = nn.MLP(2, [3, 1], activation="tanh", seed=3)
    loss = jit(lambda x: (model(x) - 1.0) ** 2)
    x = [0.3, -0.7]
    optimizer = optim.SGD(model, lr=0.05)
    before = math.inf
    for _ in range(5):
        now = loss(x)
        assert now == p.lowered((model(x) - 1.0) ** 2)
        assert now < before
        before = now
        optimizer.zero_grad()
        ((model(x) - 1.0) ** 2).backward()
        optimizer.step()


def test_a_leaf_of_a_subclass_is_live():
    class Weight(Value):
        pass

    w = Weight(2.0)
    fast = jit(lambda x: w * x if w > 1.0 else x)
    assert fast(3.0) == 6.0
    w.data = 0.5
    assert fast(3.0) == 3.0


def test_a_leaf_and_an_argument_are_kept_apart():
    w = Value(2.0)
    fast = jit(lambda x: w * x)
    assert fast(w.data) == 4.0
    assert fast(2.0) == 4.0
    assert isinstance(fast(w), Value)
    assert fast(w).data == 4.0


def test_plain_numbers_from_the_surroundings_are_kept():
    box = {"k": 2.0}
    fast = jit(lambda x: x * box["k"])
    assert fast(3.0) == 6.0
    box["k"] = 5.0
    assert fast(3.0) == 6.0


# -- graphs from outside ----------------------------------------------------------------------------------------------


def test_a_function_that_closes_over_a_transforms_input_loses_no_gradient():
    def outer(x):
        return x * jit(lambda y: x * y)(2.0)

    assert grad(outer)(3.0) == 12.0
    assert hessian(outer)(3.0) == 4.0
    assert jvp(outer, (3.0,), (1.0,)) == (18.0, 12.0)
    assert jit(grad(outer))(3.0) == 12.0
    assert grad(lambda x: x * jit(grad(lambda y: x * y * y))(2.0))(3.0) == 24.0


def test_a_node_from_outside_keeps_its_graph():
    x = Value(3.0)
    square = x * x
    out = jit(lambda y: square * y)(2.0)
    out.backward()
    assert (out.data, x.grad) == (18.0, 12.0)


@pytest.mark.parametrize("ask", [lambda v: v, lambda v: v > 1.0, lambda v: not v])
def test_branches_on_nodes_from_outside(ask):
    inner = Value(3.0) * 2.0
    out = jit(lambda x: x if ask(inner) else -x)(2.0)
    assert p.lowered(out) == (2.0 if ask(inner) else -2.0)


def test_errstate_inside_the_function_is_not_forgotten():
    def f(x):
        with errstate(invalid="raise"):
            return al.log(x)

    with pytest.raises((ValueError, TraceError)):
        jit(f)(-1.0)


# -- batches ----------------------------------------------------------------------------------------------------------


def with_rows(f):
    np = pytest.importorskip("numpy", reason="batches are made of NumPy arrays: install the extra 'jit'")
    return jit(f, batch=0, backend="python"), np.array([-1.0, 0.5, 2.0])


BRANCHES = {
    "if": lambda x: x if x > 0.0 else -x,
    "truth": lambda x: x or 1.0,
    "not": lambda x: x * (not x),
    "max": lambda x: max(x, 0.0),
    "min": lambda x: min(x, 0.0),
    "sorted": lambda x: sorted([x, 0.0])[0],
    "and": lambda x: where(x > 0.0 and x < 1.0, 1.0, x),
    "chained": lambda x: where(0.0 < x < 1.0, 1.0, x),
    "in": lambda x: 1.0 if x in (0.0, 2.0) else x,
    "any": lambda x: x if any([x > 0.0]) else -x,
    "filter": lambda x: next(x for _ in range(2) if x == x),
}


@pytest.mark.parametrize("way", BRANCHES)
@pytest.mark.parametrize("transform", [lambda f: f, grad], ids=["alone", "grad"])
def test_a_branch_over_a_batch(way, transform):
    f = BRANCHES[way]
    fast, rows = with_rows(transform(f))
    line = f.__code__.co_firstlineno
    message = (
        f"a branch on a traced value at test_trace.py:{line}: over a batch each row may go another way; write "
        f"where(condition, a, b), maximum, minimum or clamp, or call the function row by row without batch"
    )
    with pytest.raises(BranchError, match=f"^{re.escape(message)}$"):
        fast(rows)


@pytest.mark.parametrize("way", [".data", "float()", "math.sin", "backward", "setting the argument"])
def test_a_leak_over_a_batch(way):
    f, what, why = LEAKS[way]
    fast, rows = with_rows(f)
    with pytest.raises(TraceError, match=rf"^{re.escape(what)} at test_trace\.py:\d+, {re.escape(why)}$"):
        fast(rows)


def test_branches_on_what_is_the_same_for_all_rows_are_taken():
    def f(x, flag=True):
        k = Value(3.0)
        return (x if k > 2.0 else -x) * (1.0 if flag else 2.0)

    fast, rows = with_rows(f)
    assert fast(rows).tolist() == rows.tolist()


def test_a_branch_on_a_shared_number_is_an_error_too():
    np = pytest.importorskip("numpy", reason="needs NumPy")
    fast = jit(lambda w, x: x if w > 0.0 else -x, batch=1)
    with pytest.raises(BranchError):
        fast(1.0, np.ones(2))


CONDITIONS = {
    "<": lambda x: x < 0.5, "<=": lambda x: x <= 0.5, ">": lambda x: x > 0.5, ">=": lambda x: x >= 0.5,
    "==": lambda x: x == 0.5, "!=": lambda x: x != 0.5, "reflected": lambda x: gt(0.5, x), "&": lambda x: (x > 0.0) & (x < 1.0),
    "|": lambda x: (x < 0.0) | (x > 1.0), "& with a bool": lambda x: True & (x > 0.0),
    "| with a bool": lambda x: False | (x > 0.0),
    "three": lambda x: ((x > 0.0) & (x < 1.0)) | (x == 2.0), "between Values": lambda x: x * x < x, "a number": lambda x: x,
    "a sum": lambda x: (x > 0.0) + (x > 1.0), "a product": lambda x: (x > 0.0) * (x < 1.0), "gt": lambda x: gt(x, 0.0),
}  # fmt: skip


@pytest.mark.parametrize("name", CONDITIONS)
def test_conditions_for_where(name):
    condition = CONDITIONS[name]

    def f(x):
        return where(condition(x), x * x, 3.0 * x)

    fast, rows = with_rows(value_and_grad(f))
    value, slope = fast(rows)
    wanted = [p.reference(value_and_grad(f))(float(x)) for x in rows]
    assert [*zip(value.tolist(), slope.tolist(), strict=True)] == wanted


def test_a_condition_turned():
    fast, rows = with_rows(lambda x: where(~(x > 0.0), 1.0, 2.0))
    assert fast(rows).tolist() == [1.0, 2.0, 2.0]


def test_a_condition_is_a_number_like_any_other():
    fast, rows = with_rows(lambda x: (x > 0.0) * x + (x == 2.0))
    assert fast(rows).tolist() == [0.0, 0.5, 3.0]


# -- results ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "jit of f, which returned None: does it end in a return statement?"),
        ("text", "result of f='text' is a str: expected numbers or Values, alone or nested in lists, tuples, dicts"),
        ([1.0, {"a": 1j}], "result of f[1]['a']=1j is a complex: expected numbers or Values"),
        ((x for x in "a"), "result of f=<generator object"),
    ],
)
def test_results_that_are_no_numbers(result, message):
    def f(x):
        return result

    with pytest.raises(InputTypeError, match="^" + re.escape(message)):
        jit(f)(1.0)


def test_a_gradient_of_a_plain_number_warns_once():
    fast = jit(grad(lambda x: 3.0))
    with pytest.warns(GradientWarning, match="returned the plain number 3.0, which does not depend on its arguments"):
        assert fast(1.0) == 0.0
    assert fast(2.0) == 0.0
