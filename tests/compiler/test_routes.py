"""All routes of one batch agree in numbers, structure, shapes and dtypes; what a program is compiled for."""

from __future__ import annotations

import copy
import pickle
import warnings
from functools import partial
from typing import Any

import pytest

pytest.importorskip("numpy", reason="batches are made of NumPy arrays: install the extra 'jit'")

import numpy as np

from autograd_lite import Op, Value, errstate, grad, jit, nn, where
from autograd_lite.errors import GradientWarning, JitWarning
from tests.compiler import programs as p
from tests.nesting import innermost, nested

BACKENDS = ["python", "numpy", *["llvm"] * p.has("llvmlite")]
X = np.array([[0.5, 2.0], [-1.0, 3.0], [4.0, 5.0]])

# what f gives for one row r and a shared w, and what all rows are due
FUNCTIONS: dict[str, Any] = {
    "a number": lambda r, w=2.0: r[0] * w + r[1],
    "an array": lambda r, w=2.0: np.array([r[0] * w, r[1], 7.0]),
    "a matrix": lambda r, w=2.0: np.array([[r[0] * w, r[1], 1.0], [r[0] - r[1], 2.0, r[1]]]),
    "an array of no numbers": lambda r, w=2.0: np.array([[]]),
    "whole numbers": lambda r, w=2.0: np.array([1, 2, 3]),
    "containers": lambda r, w=2.0: {"a": [r[0] * w, (r[1],)], "b": np.array([r[0], r[1]])},
    "a plain number": lambda r, w=2.0: 3,
    "nothing of the row": lambda r, w=2.0: [w * w, 1.5],
}


def numbers(tree: Any) -> Any:
    """Nested lists of numbers, with the class and shape of each container, but not whether arrays hold Values."""
    if isinstance(tree, np.ndarray):
        return tree.shape, [float(getattr(x, "data", x)) for x in tree.ravel().tolist()]
    if isinstance(tree, dict):
        return {key: numbers(x) for key, x in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree), [numbers(x) for x in tree]
    return float(getattr(tree, "data", tree))


def by_hand(name: str, rows: Any, reduce: str | None) -> Any:
    """The results of the rows one by one, put together with the rows first."""
    results = [FUNCTIONS[name](row) for row in rows]

    def joined(parts: list[Any], like: Any) -> Any:
        if isinstance(like, dict):
            return {key: joined([x[key] for x in parts], like[key]) for key in like}
        if isinstance(like, (list, tuple)):
            return type(like)(joined([x[i] for x in parts], like[i]) for i in range(len(like)))
        stacked = np.array(parts, dtype=float).reshape(len(parts), *np.shape(like))
        total = stacked if reduce is None else stacked.sum(0) / (len(parts) if reduce == "mean" else 1)
        return total if np.ndim(total) else float(total)

    return joined(results, FUNCTIONS[name](X[0]))


def again(fast: Any, x: Any) -> Any:
    fast(x)
    return fast(x)


def watched(f: Any, x: Any, options: Any) -> Any:
    with errstate(invalid="raise"):
        return jit(f, batch=0, **options)(x, w=2.0)


def joined(f: Any, x: Any, options: Any) -> Any:
    outside = Value(1.0) * 2.0
    return jit(lambda r: f(r, outside), batch=0, **options)(x)


ROUTES: dict[str, Any] = {
    **{backend: lambda f, x, o, b=backend: jit(f, batch=0, backend=b, **o)(x) for backend in BACKENDS},
    "again": lambda f, x, o: again(jit(f, batch=0, **o), x),
    "errstate": watched,
    "a Value": lambda f, x, o: jit(f, batch=0, **o)(x, Value(2.0)),
    "a Value by keyword": lambda f, x, o: jit(f, batch=0, **o)(x, w=Value(2.0)),
    "in jit": lambda f, x, o: jit(lambda w: jit(f, batch=0, **o)(x, w))(2.0),
    "a keyword": lambda f, x, o: jit(f, batch=0, **o)(x, w=2.0),
    "joined": joined,
}


@pytest.mark.parametrize("reduce", [None, "sum", "mean"])
@pytest.mark.parametrize("rows", [3, 1, 0])
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("route", ROUTES)
def test_all_routes_of_a_batch_agree(route: str, name: str, rows: int, reduce: str | None) -> None:
    if reduce == "mean" and not rows:
        return
    found = ROUTES[route](FUNCTIONS[name], X[:rows], {"reduce": reduce})
    wanted = by_hand(name, X[:rows], reduce)
    assert numbers(found) == numbers(wanted)
    if isinstance(found, np.ndarray) and "Value" not in route and route != "joined":
        assert found.dtype == np.float64


def test_a_batch_within_grad() -> None:
    for rows in (3, 1):
        for name in ("an array", "a matrix"):

            def loss(w: Any, name: str = name, rows: int = rows) -> Any:
                out = jit(FUNCTIONS[name], batch=0)(X[:rows], w)
                assert out.shape == by_hand(name, X[:rows], None).shape
                return sum(out.ravel().tolist())

            assert grad(loss)(2.0) == X[:rows, 0].sum()
    with pytest.warns(GradientWarning):  # nothing depends on w
        assert grad(lambda w: jit(FUNCTIONS["a number"], batch=0, reduce="sum")(X[:0], w=w))(2.0) == 0.0


def test_keywords_are_lifted_under_errstate() -> None:
    fast = jit(lambda x, w: x / w, batch=0)
    with errstate(invalid="raise"):
        assert fast(np.array([1.0, -1.0]), w=0.0).tolist() == [np.inf, -np.inf]


# -- constants --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["python", *["llvm"] * p.has("llvmlite")])
@pytest.mark.parametrize("dtype", ["int64", "int8", "float32", "bool", "float64"])
def test_arrays_of_plain_numbers_keep_their_type_and_are_new_at_each_call(backend: str, dtype: str) -> None:
    for wanted in (np.array([1, 0, 3], dtype), np.array(3, dtype), np.array([[1], [0]], dtype)):
        fast = jit(lambda x, wanted=wanted: {"x": 2.0 * x, "c": wanted}, backend=backend)
        for _ in range(3):
            found = fast(1.0)["c"]
            assert (type(found), found.dtype, found.shape) == (np.ndarray, wanted.dtype, wanted.shape)
            assert found.tolist() == wanted.tolist()
            assert found is not wanted
            found[...] = 9  # what a caller does with it is the caller's own


# -- what a program is for --------------------------------------------------------------------------------------------


class Three(nn.Module):
    """Three parameters, of which some are one."""

    def __init__(self, tied: str) -> None:
        self.a, self.b = Value(1.0), Value(10.0)
        self.c = {"a": self.a, "b": self.b, "": Value(100.0)}[tied]


def test_modules_with_other_ties_are_other_structures() -> None:
    fast = jit(lambda m: 1.0 * m.a + 2.0 * m.b + 100.0 * m.c)
    for _ in range(2):
        assert [fast(Three(tied)) for tied in ("a", "b", "")] == [121.0, 1021.0, 10021.0]


class Settings:
    """What a module holds that is no container."""

    def __init__(self, k: Any) -> None:
        self.k = k
        self.itself = self


class Scaled(nn.Module):
    def __init__(self, settings: Any) -> None:
        self.w, self.settings = Value(2.0), settings


def test_what_a_modules_own_object_holds_may_change() -> None:
    model = Scaled(Settings(3.0))
    fast = jit(lambda m: m.w * m.settings.k)
    assert fast(model) == 6.0
    model.settings.k = 5.0
    assert fast(model) == 10.0
    model.settings.k = Settings(7.0).k
    assert fast(model) == 14.0
    model.settings.k = Value(8.0)  # no parameter: read at each call
    assert fast(model) == 16.0
    model.settings.k.data = 9.0
    assert fast(model) == 18.0
    model.settings.k = Value(8.0)
    assert fast(model) == 16.0
    assert fast(Scaled(Settings(1.0))) == 2.0


@pytest.mark.parametrize("batch", [None, 1])
def test_a_module_that_changes_at_each_call_is_given_up_with_a_warning(batch: int | None) -> None:
    model, traces = Scaled(0), []

    def f(m: Any, x: Any) -> Any:
        traces.append(m.settings)
        return m.w * x + m.settings

    fast = jit(f, batch=batch, backend="python")
    x = 3.0 if batch is None else np.array([3.0, 4.0])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for i in range(100):
            model.settings = i
            assert np.array_equal(fast(model, x), 2.0 * x + i)
    (message,) = [str(w.message) for w in caught if w.category is JitWarning]
    assert message.startswith("jit of f has compiled 64 programs, each for arguments of another structure")
    assert caught[0].filename == __file__
    model.settings = 1
    before = len(traces)
    fast(model, x)
    assert len(traces) == before  # what was compiled is kept


class Doubling:
    """An attribute that is called, and has a state of its own and of its class."""

    factor, offset = 2.0, [0.0]

    def __call__(self, x: Any = 1.0) -> Any:
        return self.factor * x + self.offset[0]

    def method(self) -> Any:
        return self()


SHARED = [2.0]


@pytest.mark.parametrize(
    ("held", "read", "change"),
    [
        (Doubling(), lambda held: held(), lambda held: setattr(held, "factor", 5.0)),
        (Doubling().method, lambda held: held(), lambda held: setattr(held.__self__, "factor", 5.0)),
        (partial(max, SHARED), lambda held: held(), lambda held: SHARED.append(5.0)),
        (partial(sum, [1.0, 1.0]), lambda held: held(), lambda held: held.args[0].append(3.0)),
        (partial(dict, k=[2.0]), lambda held: held()["k"][0], lambda held: held.keywords["k"].__setitem__(0, 5.0)),
        (type("Settings", (), {"k": 2.0}), lambda held: held.k, lambda held: setattr(held, "k", 5.0)),
        (type("Settings", (), {"k": 2.0})(), lambda held: held.k, lambda held: setattr(type(held), "k", 5.0)),
        (type("Settings", (nn.Module,), {"k": 2.0})(), lambda held: held.k, lambda held: setattr(type(held), "k", 5.0)),
    ],
)
def test_what_an_attribute_holds_is_what_it_holds_now(held: Any, read: Any, change: Any) -> None:
    """Objects that are called, methods, partial calls and classes too."""
    model = Scaled(held)
    fast = jit(lambda m: m.w * read(m.settings))
    assert fast(model) == 4.0
    change(held)
    assert fast(model) == 10.0
    model.w.data = 3.0
    assert fast(model) == 15.0


def test_deep_containers() -> None:
    for backend in BACKENDS:
        if backend != "numpy":
            assert innermost(jit(nested, backend=backend)(3.0)) == 3.0
            assert jit(lambda t: 2.0 * innermost(t), backend=backend)(nested(3.0)) == 6.0
        assert innermost(jit(nested, batch=0, backend=backend)(np.array([1.0, 2.0]))).tolist() == [1.0, 2.0]
        assert innermost(jit(nested, batch=0, reduce="sum", backend=backend)(np.array([1.0, 2.0]))) == 3.0
        made = jit(lambda x: nested(np.array([x, 1.0])), batch=0, backend=backend)(np.array([1.0, 2.0]))
        assert innermost(made).tolist() == [[1.0, 1.0], [2.0, 1.0]]


# -- copies -----------------------------------------------------------------------------------------------------------


@jit
def squared(x: Any) -> Any:
    return x * x


def plain(x: Any) -> Any:
    return x * x * x


def test_jitted_functions_are_copied_and_pickled() -> None:
    for made in (copy.copy(jit(plain)), copy.deepcopy(jit(plain)), pickle.loads(pickle.dumps(jit(plain)))):
        assert made(2.0) == 8.0
        assert repr(made) == "jit(plain)"
    assert pickle.loads(pickle.dumps(squared)) is squared
    assert copy.deepcopy({"f": squared})["f"](3.0) == 9.0
    summed = pickle.loads(pickle.dumps(jit(plain, batch=0, reduce="sum", backend="python")))
    assert summed(np.array([1.0, 2.0])) == 9.0
    model = nn.MLP(1, [2, 1])
    assert copy.deepcopy(jit(model))([1.0]) == jit(model)([1.0])


# -- product rules behind a where -------------------------------------------------------------------------------------


PRODUCTS = {
    "minus": lambda g, x, out: g - g * 0.5,
    "from a number": lambda g, x, out: 1.0 - (1.0 - g * 0.5),
    "over": lambda g, x, out: g / 2.0,
    "under": lambda g, x, out: 1.0 / (2.0 / g),
    "power": lambda g, x, out: 0.5 * g**1.0,
    "plus": lambda g, x, out: 0.25 * g + g * 0.25,
    "negative": lambda g, x, out: -(g * -0.5),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_product_rules_may_use_every_operator_behind_a_where_under_jit(name: str) -> None:
    half = Op("half", lambda x: 0.5 * x, lambda x, out: 0.5, products=[PRODUCTS[name]])

    def f(x: Any) -> Any:
        return where(x > 0.0, half(x), 3.0 * x)

    for x in (2.0, -2.0):
        assert jit(grad(f))(x) == grad(f)(x) == (0.5 if x > 0.0 else 3.0)
    found = jit(grad(f), batch=0)(np.array([2.0, -2.0]))
    assert found.tolist() == [0.5, 3.0]
