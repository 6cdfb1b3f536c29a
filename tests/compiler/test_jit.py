"""Scalar calls of `jit`: every kind of argument and result, options, nesting, threads, watches, masks, users' ops."""

from __future__ import annotations

import collections
import functools
import gc
import math
import re
import threading
from fractions import Fraction
from math import inf, nan
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_lite as al
from autograd_lite import (
    Op,
    Value,
    detect_anomaly,
    errstate,
    grad,
    gt,
    hessian,
    hvp,
    jacobian,
    jit,
    jvp,
    lt,
    nn,
    ops,
    value_and_grad,
    where,
)
from autograd_lite.errors import AnomalyError, InputOverflowError, InputTypeError, InputValueError
from autograd_lite.ops import TABLE
from autograd_lite.tree import flatten
from tests.compiler import cases
from tests.compiler import programs as p
from tests.functions import along, applied, back
from tests.same import same_bits

Pair = collections.namedtuple("Pair", "a b")


class Line(nn.Module):
    """A module that also holds what is no parameter."""

    def __init__(self, power=1.0):
        self.w, self.inner, self.power = Value(2.0), [Value(1.0), {"b": Value(-0.5)}], power

    def __call__(self, x):
        return (self.w * x + self.inner[0]) ** self.power * self.inner[1]["b"]


BACKENDS = [
    "python",
    pytest.param(
        "llvm", marks=pytest.mark.skipif(not p.has("llvmlite"), reason="llvmlite is not installed: install the extra 'jit'")
    ),
]

# -- arguments and results --------------------------------------------------------------------------------------------

CALLS = {
    "a number": (lambda x: x * x, (3.0,)),
    "several": (lambda x, y, z: x * y - z, (3.0, 2.0, 1.0)),
    "none": (lambda: [1.0, 2], ()),
    "a list": (lambda v: [v[1], v[0] * 2.0], ([1.0, 2.0],)),
    "a list of one": (lambda v: [v[0]], ([1.0],)),
    "an empty list": (lambda v, x: v, ([], 1.0)),
    "a tuple": (lambda v: (v[1], v[0] * 2.0), ((1.0, 2.0),)),
    "a tuple of one": (lambda v: (v[0],), ((1.0,),)),
    "a tuple of none": (lambda v: v, ((),)),
    "a dict": (lambda d: {"s": d["a"] + d["b"], "d": d["a"] - d["b"]}, ({"a": 1.0, "b": 2.0},)),
    "a dict in a dict": (lambda d: {"x": {"y": d["a"]["b"]}, "z": {}, 1: d["c"]}, ({"a": {"b": 1.0}, "c": 2.0},)),
    "keys of many kinds": (
        lambda d: {k: v * 2.0 for k, v in d.items()},
        ({"a b": 1.0, 3: 2.0, (1, "x"): 3.0, None: 4.0, "": 5.0},),
    ),
    "a named tuple": (lambda p: Pair(p.b, p.a * p.b), (Pair(1.0, 2.0),)),
    "named tuples within": (lambda p: [Pair(p[0].b, [p[0].a]), Pair(p[1], p[1])], ([Pair(1.0, 2.0), 3.0],)),
    "None": (lambda x, n: [x, n, None], (1.0, None)),
    "deep": (lambda t: ((t[0][0][0], [[{"k": (t[1],)}]]),), ([[[1.0]], 2.0],)),
    "an OrderedDict": (lambda d: [d["a"], d["b"]], (collections.OrderedDict(a=1.0, b=2.0),)),
    "many": (lambda v: [al.sum(v), v[-1]], ([float(i) for i in range(200)],)),
    "a value twice": (lambda x: [x, x, x * x, x * x], (3.0,)),
    "the argument itself": (lambda x: x, (3.0,)),
    "special values": (lambda v: [-x for x in v], ([inf, -inf, nan, 0.0, -0.0],)),
    "a module": (lambda m, x: m(x), (Line(2.0), 3.0)),
    "a module among others": (lambda d, x: d["m"][0](x) * d["k"], ({"m": [Line()], "k": 2.0}, 3.0)),
    "a module that comes back": (lambda m: m, (Line(),)),
    "its gradient": (value_and_grad(lambda m, x: m(x)), (Line(3.0), 1.5)),
    "a network": (value_and_grad(lambda m, x: m(x) ** 2), (nn.MLP(2, [3, 1], activation="tanh", seed=1), [0.5, -1.0])),
    "a Jacobian of containers": (
        jacobian(lambda d: {"u": d["a"] * d["b"][0], "v": [d["b"][1]]}),
        ({"a": 2.0, "b": (3.0, 4.0)},),
    ),
    "two gradients": (grad(lambda x, d: x * d["k"], (0, 1)), (2.0, {"k": 3.0})),
    "a tangent": (lambda x, t: jvp(lambda v: [v[0] * v[1], v[0]], (x,), (t,)), ([2.0, 3.0], [1.0, 0.5])),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", CALLS)
def test_containers(name, backend):
    f, args = CALLS[name]
    fast, wanted = jit(f, backend=backend), p.reference(f)(*args)
    for _ in range(3):
        assert p.same(fast(*args), wanted)
    assert describe(fast(*args)) == describe(wanted)


def describe(tree):
    """The kinds of all containers in a result."""
    if isinstance(tree, dict):
        return (type(tree), {k: describe(v) for k, v in tree.items()})
    if isinstance(tree, (list, tuple)):
        return (type(tree), [describe(v) for v in tree])
    return type(tree)


TREES = st.recursive(
    st.floats(), lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=2), inner, max_size=3),
                                         st.tuples(inner, inner), st.builds(Pair, inner, inner)), max_leaves=8,
)  # fmt: skip


@given(TREES, st.booleans())
def test_any_container_comes_back_as_it_went_in(tree, doubled):
    def f(t):
        leaves, _ = flatten(t)
        return [t, [2.0 * x for x in leaves]] if doubled else t

    fast = jit(f)
    for _ in range(2):
        assert p.same(fast(tree), p.reference(f)(tree))
        assert describe(fast(tree)) == describe(p.reference(f)(tree))


@pytest.mark.parametrize("backend", BACKENDS)
def test_results_are_fresh_at_every_call(backend):
    fast = jit(lambda x: {"v": [x, 1.0], "e": []}, backend=backend)
    first = fast(1.0)
    first["v"].append(7.0)
    first["e"].append(7.0)
    assert fast(1.0) == {"v": [1.0, 1.0], "e": []}


@pytest.mark.parametrize("number", [2, True, Fraction(1, 4), 2**60])
def test_numbers_of_other_kinds_count_as_doubles(number):
    fast = jit(lambda x: [x * 0.5])
    assert fast(number) == [float(number) * 0.5]
    assert fast(1.0) == [0.5]
    assert fast(number) == [float(number) * 0.5]


def test_a_float_of_a_subclass():
    class Metres(float):
        pass

    assert jit(lambda x: x * 2.0)(Metres(1.5)) == 3.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_arrays(backend):
    np = pytest.importorskip("numpy", reason="needs NumPy")
    m = np.array([[1, 2], [3, 4]])
    for f in (lambda a: a @ a + 1.0, lambda a: a[0, 1] * a.sum(), lambda a: {"t": a.T, "r": [a[0]]}, lambda a: np.exp(a) * 2.0):
        for array in (m, m.astype(np.float32), np.asfortranarray(m), m[::-1], m.T):
            got, wanted = jit(f, backend=backend)(array), p.reference(f)(array)
            assert p.same(got, wanted)
            assert describe(got) == describe(wanted)
    fast = jit(value_and_grad(lambda a: (a * a).sum()), backend=backend)
    value, slope = fast(m)
    assert value == 30.0
    assert slope.dtype == float
    assert slope.tolist() == [[2.0, 4.0], [6.0, 8.0]]
    assert fast(np.ones((3, 1)))[1].shape == (3, 1)
    assert jit(lambda a: a.sum() + 1.0)(np.zeros((0, 2))) == 1.0
    fast(np.ones(2))[1][:] = 7.0
    assert fast(np.ones(2))[1].tolist() == [2.0, 2.0]


@pytest.mark.parametrize("kind", ["float32", "float64", "int64", "uint8", "bool_"])
def test_numpy_numbers(kind):
    np = pytest.importorskip("numpy", reason="needs NumPy")
    fast = jit(lambda x, y: x * 3.0 + y)
    for x in (getattr(np, kind)(1), np.array(1, dtype=kind)):
        assert fast(x, 1.0) == 4.0
        assert type(fast(x, 1.0)) is float


@pytest.mark.parametrize("backend", BACKENDS)
def test_plain_numbers_keep_their_type(backend):
    def f(x):
        return [3, True, x > 0.0, 2.5, x, 10**30, Fraction(1, 3)]

    fast = jit(f, backend=backend)
    for _ in range(2):
        got = fast(1.0)
        assert got == f(1.0)
        assert list(map(type, got)) == [int, bool, bool, float, float, int, Fraction]
        assert fast(-1.0)[2] is False
    assert jit(lambda x: 7, backend=backend)(1.0) == 7


def test_numpy_numbers_in_results_keep_their_type():
    np = pytest.importorskip("numpy", reason="needs NumPy")
    got = jit(lambda x: (np.float32(0.1), np.int8(3), x))(1.0)
    assert got == (np.float32(0.1), 3, 1.0)
    assert list(map(type, got)) == [np.float32, np.int8, float]


def test_keywords_and_defaults():
    def f(x, y=2.0, *rest, k=3.0, **more):
        return [x * y + k, *rest, *[more[name] for name in sorted(more)]]

    fast = jit(f)
    calls = [((1.0,), {}), ((1.0, 5.0), {}), ((1.0,), {"k": 7.0}), ((1.0,), {"y": 5}), ((1.0, 2.0, 3.0, 4.0), {"k": 0.5}),
             ((1.0,), {"b": 1.0, "a": 2.0}), ((1.0,), {"a": 2.0, "b": 1.0}), ((), {"x": 4.0})]  # fmt: skip
    for args, kwargs in calls * 2:
        assert fast(*args, **kwargs) == p.reference(f)(*args, **kwargs)


@pytest.mark.parametrize("backend", BACKENDS)
def test_arguments_of_one_structure_after_another(backend):
    runs = []

    def f(v):
        runs.append(1)
        return sum(v.values()) if isinstance(v, dict) else sum(v) if isinstance(v, (list, tuple)) else v

    fast = jit(f, backend=backend)
    trees = [1.0, [1.0], [1.0, 2.0], (1.0, 2.0), {"a": 1.0}, {"b": 1.0}, {"a": 1.0, "b": 2.0}, {"b": 1.0, "a": 2.0}]
    for tree in trees * 3:
        assert fast(tree) == p.reference(f)(tree)
    assert len(runs) == len(trees) * (1 + 3)


def test_a_dicts_order_does_not_mix_up_its_numbers():
    fast = jit(lambda d: d["a"] - d["b"])
    assert [fast({"a": 1.0, "b": 2.0}), fast({"b": 2.0, "a": 1.0}), fast({"b": 5.0, "a": 1.0})] == [-1.0, -1.0, -4.0]


def test_what_a_module_holds_besides_parameters_counts():
    fast = jit(lambda m, x: m(x))
    for power in (1.0, 2.0, 1.0, 3.0):
        m = Line(power)
        assert fast(m, 1.5) == m(1.5).data
    m.power = 2.0
    m.w.data = 7.0
    assert fast(m, 1.5) == m(1.5).data


def test_what_a_module_holds_may_change_in_place():
    class Summed(nn.Module):
        def __init__(self):
            self.w, self.factors, self.table = Value(2.0), {2.0}, {"k": [1.0]}

        def __call__(self, x):
            return self.w * x * sum(self.factors) * self.table["k"][0]

    m, fast = Summed(), jit(lambda m, x: m(x))
    assert fast(m, 1.0) == 4.0
    m.factors.add(5.0)
    assert fast(m, 1.0) == 14.0
    m.table["k"][0] = 3.0
    assert fast(m, 1.0) == 42.0


def test_a_module_that_holds_a_nan_is_traced_once():
    runs = []
    m = Line()
    m.unknown, m.many = nan, [nan, 1.0]

    def f(m, x):
        runs.append(1)
        return m(x)

    fast = jit(f)
    for x in (1.0, 2.0, 3.0):
        m.unknown = float("nan")
        fast(m, x)
    assert len(runs) == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_wrong_number_of_arguments_is_pythons_error(backend):
    fast = jit(lambda x, y: x * y, backend=backend)
    fast(1.0, 2.0)
    for args in [(), (1.0,), (1.0, 2.0, 3.0)]:
        with pytest.raises(TypeError, match=r"<lambda>\(\)|positional argument"):
            fast(*args)
    assert fast(1.0, 2.0) == 2.0


BAD = [
    ("text", "argument 0 of f='text' is a str: expected numbers or Values", InputTypeError),
    ([1.0, {"k": b"x"}], "argument 0 of f[1]['k']=b'x' is a bytes: expected numbers", InputTypeError),
    (1j, "argument 0 of f=1j is a complex: expected numbers", InputTypeError),
    ({1.0}, "argument 0 of f={1.0} is a set: expected numbers", InputTypeError),
    (10**400, "an argument of f is an int too large for a double", InputOverflowError),
    (object, "argument 0 of f=<class 'object'>", InputTypeError),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("argument", "message", "error"), BAD, ids=lambda x: str(x)[:30])
def test_arguments_that_are_no_numbers(argument, message, error, backend):
    def f(x):
        return 1.0 * x[0] if isinstance(x, list) else x

    fast = jit(f, backend=backend)
    for _ in range(2):
        with pytest.raises(error, match="^" + re.escape(message)):
            fast(argument)
        assert fast(2.0) == 2.0


def test_a_trace_leaves_no_graph_behind():
    def alive():
        gc.collect()
        return sum(issubclass(type(x), Value) for x in gc.get_objects())

    w = Value(2.0)
    before = alive()
    fast = jit(value_and_grad(lambda v: al.sin(v[0]) * w if v[0] > v[1] else v[1] ** 3))
    results = [fast([1.0, 0.5]), fast([0.5, 1.0]), fast.program([1.0, 0.5]), fast.source([1.0, 0.5])]
    assert alive() == before
    assert results[0][0] == math.sin(1.0) * 2.0


def test_calls_make_no_garbage():
    fast = jit(value_and_grad(lambda v: v[0] * v[1] if v[0] > 0.0 else v[1]))
    fast([1.0, 2.0]), fast([-1.0, 2.0])
    gc.collect()
    gc.disable()
    try:
        for k in range(100):
            fast([k - 50.0, 2.0])
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("backend", BACKENDS)
def test_long_programs(backend):
    def f(x):
        y = x
        for k in range(1_200):
            y = y * 0.999 + al.sin(x) * k
        return y

    n, fast = 0.3, jit(value_and_grad(f), backend=backend)
    assert p.same(fast(n), p.reference(value_and_grad(f))(n))
    assert p.same(
        jit(lambda v: al.sum(v) + al.dot(v, v), backend=backend)([0.1] * 2_000),
        p.reference(lambda v: al.sum(v) + al.dot(v, v))([0.1] * 2_000),
    )


# -- options ----------------------------------------------------------------------------------------------------------

OPTIONS = [
    ({"backend": "cuda"}, "backend='cuda' must be one of 'auto', 'python', 'numpy', 'llvm'"),
    ({"backend": None}, "backend=None must be one of"),
    ({"backend": "numpy"}, 'backend="numpy" is for batches: name the arguments that hold rows, or use "python"'),
    ({"reduce": "max"}, 'reduce=\'max\' must be "sum", "mean" or None'),
    ({"reduce": "sum"}, "reduce='sum' is for batches: name the arguments that hold rows, batch=0"),
    ({"threads": 2}, "threads=2 is for batches: name the arguments that hold rows, batch=0"),
    ({"threads": 0, "batch": 0}, "threads=0 must be a whole number of at least 1"),
    ({"threads": -1, "batch": 0}, "threads=-1 must be a whole number of at least 1"),
    ({"threads": 1.5, "batch": 0}, "threads=1.5 must be a whole number of at least 1"),
    ({"threads": True, "batch": 0}, "threads=True must be a whole number of at least 1"),
]


@pytest.mark.parametrize(("options", "message"), OPTIONS, ids=str)
def test_wrong_options(options, message):
    with pytest.raises(InputValueError, match="^" + re.escape(message)):
        jit(lambda x: x, **options)


@pytest.mark.parametrize("f", [None, 3.0, "f", [1.0]])
def test_what_is_no_function(f):
    with pytest.raises(InputTypeError, match=r"^f=.* is not callable: give a function, jit\(lambda x: x \* x\)$"):
        jit(f)


def test_fastmath_is_close_but_need_not_be_the_same():
    def f(x):
        return (x + 0.0) ** 3 / 3.0 + x * 0.0

    for x in (0.3, -7.5, 1e10):
        assert jit(f, fastmath=True)(x) == pytest.approx(f(x), rel=1e-15)
    assert len(jit(f, fastmath=True).program(1.0)) < len(jit(f).program(1.0))


def test_the_source_shows_the_code_and_no_text_of_the_users():
    w = Value(2.0, "w'''\nimport os")

    def f(x):
        return {"injected'\nimport os": w * al.tanh(x["key'"]) if x["key'"] > 0.1 else nan}

    fast = jit(f)
    source = fast.source({"key'": 1.0})
    assert "def " in source
    assert "tanh(" in source
    for text in ("injected", "import os", "key"):
        assert text not in source
    assert fast({"key'": 1.0}) == {"injected'\nimport os": 2.0 * math.tanh(1.0)}


# -- what is jitted ---------------------------------------------------------------------------------------------------


def test_it_looks_like_the_function():
    def cube(x):
        """Three times itself."""
        return x**3

    fast = jit(cube)
    assert (fast.__name__, fast.__doc__, fast.__wrapped__, repr(fast)) == ("cube", "Three times itself.", cube, "jit(cube)")
    assert fast.program(2.0).inputs == 1


def test_callables_of_every_kind():
    class Scaled:
        def __init__(self):
            self.k, self.program, self._compiled = 3.0, "mine", "mine"

        def __call__(self, x):
            return self.k * x

        def method(self, x):
            return self.k * x

    fast = jit(Scaled())
    assert fast(2.0) == 6.0
    assert len(fast.program(2.0)) == 1
    assert jit(Scaled().method)(2.0) == 6.0
    assert jit(functools.partial(lambda x, y: x - y, 1.0))(3.0) == -2.0
    assert jit(ops.sin)(1.0) == math.sin(1.0)
    assert jit(jit(lambda x: x * x))(3.0) == 9.0
    assert jit(Line())(2.0) == Line()(2.0).data


def test_as_a_decorator_of_a_method():
    class Scaled(nn.Module):
        def __init__(self, k, power):
            self.k, self.power = Value(k), power

        @jit
        def scaled(self, x):
            return self.k * x**self.power

    one, other = Scaled(3.0, 1.0), Scaled(0.5, 2.0)
    assert [one.scaled(4.0), other.scaled(4.0), one.scaled(2.0)] == [12.0, 8.0, 6.0]
    one.k.data = 5.0
    assert one.scaled(2.0) == 10.0
    assert isinstance(Scaled.scaled, type(jit(abs)))

    class Plain:
        @jit
        def scaled(self, x):
            return x

    with pytest.raises(InputTypeError, match=r"^argument 0 of scaled=.* is a Plain: expected numbers or Values"):
        Plain().scaled(2.0)


# -- nesting ----------------------------------------------------------------------------------------------------------


def curved(x):
    return al.exp(al.sin(x)) * x + 1.0 / x if x > 0.3 else x * x * x


TRANSFORMS = {"grad": grad, "jacobian": jacobian, "jvp": along, "vjp": back}


@pytest.mark.parametrize("outer", TRANSFORMS)
@pytest.mark.parametrize("inner", TRANSFORMS)
def test_jit_at_every_place_of_a_nest(outer, inner):
    second, first = TRANSFORMS[outer], TRANSFORMS[inner]
    plain = second(first(curved))
    for x in (0.8, 0.2, 1.7):
        wanted = p.reference(plain)(x)
        for nest in (
            jit(plain), second(jit(first(curved))), second(first(jit(curved))), jit(second(jit(first(jit(curved))))),
            jit(second(first(jit(jit(curved))))),
        ):  # fmt: skip
            assert p.same(p.lowered(nest(x)), wanted)


def test_third_orders_hessians_and_products():
    def f(v):
        return al.sin(v[0]) * v[1] ** 3 + v[0] * v[0] * v[1]

    at = [0.7, -1.3]
    for g in (
        hessian(f), lambda v: hvp(f, (v,), ([1.0, 2.0],)), jacobian(hessian(f)),
        value_and_grad(lambda u: hessian(f)(u)[0][1]),
        lambda v: jvp(lambda u: hvp(f, (u,), ([1.0, 0.0],)), (v,), ([0.5, 2.0],)),
    ):  # fmt: skip
        assert p.same(jit(g)(at), p.reference(g)(at))


def test_called_with_values_it_joins_their_graph():
    fast = jit(lambda v, k: [v["a"] * k, v["a"] ** 2])
    assert fast({"a": 3.0}, 2.0) == [6.0, 9.0]
    x = Value(3.0)
    first, second = fast({"a": x}, 2.0)
    (first + second).backward()
    assert (first.data, second.data, x.grad) == (6.0, 9.0, 8.0)
    assert fast({"a": 3.0}, 2.0) == [6.0, 9.0]


def test_the_program_of_values_is_that_of_their_numbers():
    fast = jit(lambda x: x * x)
    assert str(fast.program(Value(3.0))) == str(fast.program(3.0))


def test_gradients_are_touched_by_no_call():
    w = Value(2.0)
    w.grad = 5.0
    fast = jit(value_and_grad(lambda x: w * x * x))
    fast(2.0), fast(3.0)
    assert w.grad == 5.0


# -- watches and threads ----------------------------------------------------------------------------------------------


def test_errstate_around_a_call_raises_as_without_jit():
    fast, slow = jit(lambda x: al.log(x) / (x - 1.0)), lambda x: al.log(x) / (x - 1.0)
    assert math.isnan(fast(-1.0))
    for x, what, error in ((-1.0, "invalid", ValueError), (0.0, "divide", ZeroDivisionError)):
        for f in (fast, slow, jit(slow)):
            with errstate(**{what: "raise"}), pytest.raises(error, match="log"):
                f(x)
    with errstate(overflow="raise"), pytest.raises(OverflowError, match="exp"):
        jit(al.exp)(1000.0)
    with errstate(invalid="ignore"):
        assert math.isnan(fast(-1.0))
    assert math.isnan(fast(-1.0))


def test_detect_anomaly_around_a_call():
    fast = jit(grad(lambda x: al.sqrt(x) ** 2))
    assert math.isnan(fast(0.0))
    with detect_anomaly(), pytest.raises(AnomalyError, match=r"the gradient of .* is nan: 0 "):
        fast(0.0)
    with detect_anomaly():
        assert fast(4.0) == 1.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_threads_may_call_one_function_at_once(backend):
    runs = []

    def f(v, k):
        runs.append(threading.get_ident())
        return al.sin(v["x"]) * k + (v["x"] if v["x"] > k else 2.0 * k)

    fast = jit(value_and_grad(f), backend=backend)
    points = [({"x": 0.1 * i}, 0.07 * j) for i in range(12) for j in range(12)]
    wanted = [p.reference(value_and_grad(f))(*at) for at in points]
    runs.clear()
    found, start = {}, threading.Barrier(8)

    def work(name):
        start.wait()
        found[name] = [fast(*at) for _ in range(5) for at in points]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(p.same(got, wanted * 5) for got in found.values())
    assert len(runs) <= 2 * 8


def test_a_thread_that_traces_disturbs_no_other():
    inside, leave = threading.Event(), threading.Event()

    def slow(x):
        inside.set()
        assert leave.wait(10.0)
        return x * 2.0

    results = []
    thread = threading.Thread(target=lambda: results.append(jit(slow)(3.0)))
    thread.start()
    assert inside.wait(10.0)
    known, x = jit(lambda x: x if x > 1.0 else x * x), Value(2.0)
    assert [known(3.0), known(0.5), float((x * x).data), x > 1.0] == [3.0, 0.25, 4.0, True]
    leave.set()
    thread.join()
    assert results == [6.0]


# -- the branch not taken ---------------------------------------------------------------------------------------------

HARMFUL = {"log(-1)": (al.log, -1.0), "1/0": (ops.reciprocal, 0.0), "sqrt(0)": (al.sqrt, 0.0), "log(0)": (al.log, 0.0)}
ORDERS = {
    "value": lambda f: f, "grad": grad, "jvp": along, "grad of grad": lambda f: grad(grad(f)),
    "jvp of grad": lambda f: along(grad(f)),
    "grad of jvp": lambda f: grad(along(f)),
    "third": lambda f: grad(grad(grad(f))),
}  # fmt: skip


def operands(op, count, place, x):
    """Arguments of a row, all harmless but one."""
    chosen = cases.SELECTORS.get(op.name, {})
    return [x if i == place else chosen[i][1] if i in chosen else 0.3 + 0.2 * i for i in range(count)]


PLACES = [
    (op, count, place)
    for op, count in cases.cases()
    for place in range(count)
    if place not in cases.SELECTORS.get(op.name, {}) and place < 3
]


@pytest.mark.parametrize(("op", "count", "place"), PLACES, ids=str)
def test_where_takes_nothing_from_the_branch_not_taken(op, count, place):
    for bad, at in HARMFUL.values():

        def through(x, bad=bad):
            return where(gt(x, 0.25), applied(op, operands(op, count, place, bad(x))), x * x)

        def into(x, bad=bad):
            return where(gt(x, 0.25), bad(applied(op, operands(op, count, place, bad(x)))), al.exp(x))

        def every(x, through=through, into=into):
            return [[order(f)(x) for order in ORDERS.values()] for f in (through, into)]

        for got, wanted in zip(jit(every, backend="python")(at), p.reference(every)(at), strict=True):
            assert [name for name, x, y in zip(ORDERS, got, wanted, strict=True) if not p.same(x, y)] == [], at


MASKS = {
    "both ways": lambda x: where(gt(x, 0.0), al.log(x), al.log(-x)),
    "one in the other": lambda x: where(gt(x, 0.0), where(gt(x, 1.0), al.sqrt(x - 1.0), al.sqrt(1.0 - x)), ops.reciprocal(x)),
    "a choice of choices": lambda x: where(where(gt(x, 0.0), gt(x, 1.0), lt(x, -1.0)), al.log(abs(x) - 1.0), x * x),
    "shared": lambda x: al.sum([y * where(gt(x, 0.0), y, x) + where(gt(x, 0.0), x, y * 0.0) for y in [where(x, al.log(x), x)]]),
    "in a sum": lambda x: al.sum([where(gt(x, 0.0), al.log(x), 0.0), where(gt(x, 0.5), al.sqrt(x - 0.5), x), x]),
    "in a product": lambda x: where(gt(x, 0.0), al.log(x), 1.0) * where(lt(x, 1.0), al.sqrt(1.0 - x), 2.0) * x,
    "a condition that varies": lambda x: where(x, ops.reciprocal(x), 1.0 + x),
    "eq": lambda x: where(al.eq(x, 0.0), 1.0 + x, al.sin(x) / x),
    "not eq": lambda x: where(al.ne(x, 0.0), al.sin(x) / x, 1.0 + x),
    "the same branch twice": lambda x: where(gt(x, 0.0), al.log(x), where(gt(x, 0.0), al.log(-x), -x)),
    "a nan condition": lambda x: where(al.log(x), x * x, ops.reciprocal(x)),
    "a power": lambda x: where(gt(x, 0.0), x**0.5, (-x) ** 1.5) ** 2,
    "where of hypot": lambda x: where(gt(x, 0.0), al.hypot(x, 0.0), al.hypot(al.log(-x), x)),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_masks(mask, order, backend):
    f = ORDERS[order](MASKS[mask])
    fast = jit(f, backend=backend)
    for x in (-2.5, -1.0, -0.3, 0.0, 0.3, 0.5, 1.0, 2.0, inf, -inf, nan):
        got, wanted = fast(x), p.reference(f)(x)
        # the compiled sweep adds up both branches' terms, in an order of its own
        assert p.same(got, wanted) or got == pytest.approx(wanted, rel=1e-13, abs=1e-300), x


def test_a_mask_is_no_multiplication_by_zero():
    source = jit(grad(lambda x: where(gt(x, 0.0), al.sqrt(x), 0.0))).source(1.0)
    assert " if " in source
    assert jit(grad(lambda x: where(gt(x, 0.0), al.sqrt(x), 0.0)))(0.0) == 0.0


def test_a_bool_condition_is_a_path_and_a_value_is_not():
    assert len(jit(lambda x: where(x > 0.0, x, -x)).program(1.0).guards) == 1
    assert len(jit(lambda x: where(gt(x, 0.0), x, -x)).program(1.0).guards) == 0


# -- users' ops -------------------------------------------------------------------------------------------------------


def test_a_users_op_is_called_back():
    calls = []

    def forward(x):
        calls.append(x)
        return x / (1.0 + abs(x))

    softsign = Op("softsign", forward, lambda x, out: ops.div(1.0, (1.0 + ops.abs(x)) ** 2))
    for order in (lambda f: f, grad, lambda f: grad(grad(f))):
        f = order(lambda x: softsign(x) * x)
        fast = jit(f)
        for x in (0.5, -2.0, 3.0):
            assert p.same(fast(x), p.reference(f)(x))
    calls.clear()
    jit(softsign)(7.0)
    assert calls[-1] == 7.0


@pytest.mark.parametrize("name", ["gt", "where", "add", "sum", "exp", "identity", "lt"])
def test_a_users_op_may_have_the_name_of_a_row(name):
    rule = (1.0, 0.0)
    mine = Op(name, lambda x, y: 1.0 if x > y + 1.0 else 0.0, rule)
    f = lambda x: [where(mine(x, 0.0), 1.0, 2.0), mine(x, 0.25), 3.0 if mine(x, 0.0) else 4.0]  # noqa: E731
    fast = jit(f)
    for x in (0.5, 2.0, 1.1):
        assert fast(x) == p.reference(f)(x)


def test_a_users_op_that_takes_any_number():
    longest = Op("longest", lambda *xs: max(xs), lambda args, out: [ops.eq(a, out) for a in args], variadic=True)
    f = value_and_grad(lambda v: longest(*v) * v[0])
    assert p.same(jit(f)([1.0, 3.0, 2.0]), p.reference(f)([1.0, 3.0, 2.0]))


def test_a_users_op_that_raises_raises_its_error():
    def forward(x):
        if x < 0.0:
            raise ArithmeticError("negative")
        return x

    picky = Op("picky", forward, 1.0)
    fast = jit(lambda x: picky(x) if x > -1.0 else x)
    assert fast(2.0) == 2.0
    with pytest.raises(ArithmeticError, match="negative"):
        fast(-0.5)
    assert fast(-3.0) == -3.0


# -- rows -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLE)
def test_every_row_compiled_to_python_keeps_its_bits(name):
    op = TABLE[name]
    for count in cases.arities(op):
        points = cases.grid(op, count)
        kernel = jit(lambda *xs: applied(op, xs), backend="python")
        some = points if len(points) <= 400 else points[:: len(points) // 400]
        for at in some:
            assert same_bits(kernel(*at), op.forward(*at)), at
        for at in some[::40]:  # operands that are constants
            for i in range(count):
                one = jit(lambda x, at=at, i=i: applied(op, [x if j == i else c for j, c in enumerate(at)]), backend="python")
                assert same_bits(one(at[i]), op.forward(*at)), (at, i)


def test_namespaces_are_no_container():
    with pytest.raises(
        InputTypeError, match=r"^argument 0 of <lambda>=namespace\(k=1.0\) is a SimpleNamespace: expected numbers"
    ):
        jit(lambda s: s.k)(SimpleNamespace(k=1.0))


@pytest.mark.parametrize("f", [lambda x, n: sum(x for _ in range(n)), lambda x, n: [x, 2 * x][n]])
def test_a_number_that_steers_python_is_told_how_it_is_given(f):
    with pytest.raises(TypeError) as caught:
        jit(grad(f))(2.0, 1)
    assert caught.value.__notes__ == [
        "Under jit each number of each argument is a Value.  A count, an index or another number that steers Python is given "
        "beforehand: jit(functools.partial(f, n=3))."
    ]
    assert jit(grad(functools.partial(f, n=1)))(2.0) == grad(f)(2.0, 1)
    with pytest.raises(TypeError) as caught:
        jit(lambda x: x + "a" + len(3))(1.0)
    assert not hasattr(caught.value, "__notes__")
