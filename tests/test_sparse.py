"""Sparse Jacobians and Hessians: the same numbers as dense ones on random programs, by every route; with and without SciPy."""

import random
import sys
from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_lite import Op, Value, errors, exp, grad, hessian, jacobian, jit, maximum, nn, ops, relu, sin, sparse, tanh, where
from autograd_lite.ops.row import times
from tests.functions import rosenbrock
from tests.same import same_bits

np = pytest.importorskip("numpy", reason="sparse matrices are compared as arrays")
scipy_sparse = pytest.importorskip("scipy.sparse", reason="the matrices are SciPy's")


def random_function(seed, inputs, outputs):
    """A function of some inputs, each of whose results depends on few of them."""
    rng = random.Random(seed)
    steps = []
    for number in range(inputs, inputs + 3 * outputs):
        operands = [rng.randrange(number) if rng.random() < 0.5 else rng.randrange(inputs) for _ in range(2)]
        steps.append((rng.choice(["add", "mul", "sin", "tanh", "max", "relu", "const"]), operands, rng.uniform(-2.0, 2.0)))
    chosen = [rng.randrange(inputs + len(steps)) for _ in range(outputs)]

    def f(x):
        values = list(x)
        for kind, (a, b), c in steps:
            u, v = values[a], values[b]
            made = {
                "add": lambda u, v, c: u + c * v, "mul": lambda u, v, c: u * v, "sin": lambda u, v, c: sin(u),
                "tanh": lambda u, v, c: tanh(u) * c, "max": lambda u, v, c: maximum(u, v), "relu": lambda u, v, c: relu(v),
                "const": lambda u, v, c: c,
            }[kind](u, v, c)  # fmt: skip
            values.append(made)
        return [values[i] for i in chosen]

    return f


def dense(matrix):
    return matrix.toarray().tolist()


def same_matrix(a, b):
    return len(a) == len(b) and all(
        same_bits(x + 0.0, y + 0.0) for r, s in zip(a, b, strict=True) for x, y in zip(r, s, strict=True)
    )


@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(1, 9))
def test_sparse_is_dense(seed, inputs, outputs):
    f = random_function(seed, inputs, outputs)
    x = np.random.default_rng(seed).normal(size=inputs).tolist()
    j = jacobian(f)(x)
    got = jacobian(f, sparse=True)(x)
    assert got.shape == (outputs, inputs)
    assert same_matrix(dense(got), j)
    assert got.has_canonical_format
    # row by row, each as if it were alone: by a sweep in the other direction the last bits differ
    alone = [jacobian(lambda x, i=i: [f(x)[i]])(x)[0] for i in range(outputs)]
    assert np.allclose(j, alone, rtol=1e-11, atol=1e-14)

    def loss(x):
        return sum((y * y for y in f(x)), 0.0 * x[0])

    assert same_matrix(dense(hessian(loss, sparse=True)(x)), hessian(loss)(x))


@pytest.mark.parametrize("backend", ["python", "llvm"])
@pytest.mark.parametrize("f", [lambda v: 2.0 * v[0] - v[1], lambda v: 3.0, lambda v: v[0]], ids=["linear", "constant", "input"])
@pytest.mark.filterwarnings("ignore:.*does not depend on its arguments")
def test_a_compiled_matrix_without_entries_is_one(f, backend):
    if backend == "llvm":
        pytest.importorskip("llvmlite")
    fast = jit(hessian(f), sparse=True, backend=backend)
    within = jit(lambda x: [x * x, jacobian(lambda v: [f(v), 1.0], sparse=True)([5.0, 7.0])], backend=backend)
    for at in ([1.0, 2.0], [3.0, 4.0]):
        assert fast(at).shape == (2, 2)
        assert fast(at).nnz == 0
        assert dense(within(at[0])[1]) == jacobian(lambda v: [f(v), 1.0])([5.0, 7.0])


@given(st.integers(0, 10**6), st.sampled_from(["python", "llvm"]))
def test_compiled_sparse_is_compiled_dense(seed, backend):
    if backend == "llvm":
        pytest.importorskip("llvmlite")
    f = random_function(seed, 6, 5)
    x = np.random.default_rng(seed).normal(size=6).tolist()
    fast = jit(jacobian(f), sparse=True, backend=backend)
    for at in (x, np.array(x), [2.0 * v for v in x]):
        wanted = np.asarray(jacobian(f)(at), float).tolist()
        assert same_matrix(dense(fast(at)), wanted)


def tridiagonal(x):
    """By hand."""
    n = len(x)
    h = np.zeros((n, n))
    for i in range(n - 1):
        h[i, i] += 1200 * x[i] ** 2 - 400 * x[i + 1] + 2
        h[i + 1, i + 1] += 200
        h[i, i + 1] = h[i + 1, i] = -400 * x[i]
    return h


def test_a_tridiagonal_hessian():
    x = np.linspace(-1.0, 1.0, 40)
    for made in (
        hessian(rosenbrock, sparse=True),
        jit(hessian(rosenbrock), sparse=True),
        jit(hessian(rosenbrock, sparse=True)),
    ):
        for at in (x, 0.5 * x, list(x)):
            h = made(at)
            assert isinstance(h, scipy_sparse.csr_array)
            assert h.nnz == 3 * 40 - 2
            assert np.allclose(h.toarray(), tridiagonal(at), rtol=1e-13, atol=1e-12)
    h.data[:] = 0.0  # the caller's own
    h.indices[:] = 0
    assert np.allclose(made(x).toarray(), tridiagonal(x), rtol=1e-13, atol=1e-12)


def test_gradient_and_sparse_hessian_in_one():
    both = jit(lambda x: (grad(rosenbrock)(x), hessian(rosenbrock, sparse=True)(x)))
    x = np.linspace(-1.0, 1.0, 30)
    g, h = both(x)
    assert np.allclose(g, grad(rosenbrock)(x))
    assert np.allclose(h.toarray(), tridiagonal(x), rtol=1e-13, atol=1e-12)
    assert [part.__class__ for part in both(list(x))] == [list, scipy_sparse.csr_array]


def test_rows_and_columns_follow_the_leaves():
    def f(p, y):
        return {"a": p["w"] * y, "b": [p["b"] * p["b"], 3.0]}

    j = jacobian(f, (0, 1), sparse=True)({"w": 2.0, "b": 5.0}, 7.0)
    assert dense(j) == [[7.0, 0.0, 2.0], [0.0, 10.0, 0.0], [0.0, 0.0, 0.0]]
    assert dense(jacobian(lambda x: x * x, sparse=True)(3.0)) == [[6.0]]
    assert jacobian(lambda x: [], sparse=True)([1.0, 2.0]).shape == (0, 2)
    assert jacobian(lambda x: [1.0, 2.0], sparse=True)([]).shape == (2, 0)


def test_a_zero_that_something_flows_to_is_an_entry():
    j = jacobian(lambda x: [x[0] * x[1], ops.stop_gradient(x[0])], sparse=True)([0.0, 3.0])
    assert (j.nnz, j.indices.tolist(), j.data.tolist()) == (2, [0, 1], [3.0, 0.0])


def test_a_tall_jacobian_takes_columns_together(monkeypatch):
    n = 30
    sweeps = []
    push = sparse.sweeps.push
    monkeypatch.setattr(sparse.sweeps, "push", lambda form, seeds: sweeps.append(len(seeds)) or push(form, seeds))
    f = lambda x: [x[0]] + [x[i] * x[i + 1] for i in range(n - 1)] + [exp(x[-1]), x[-1]]  # noqa: E731
    x = [0.1 * i for i in range(n)]
    j = jacobian(f, sparse=True)(x)
    assert sweeps == [15, 15]
    assert j.nnz == 2 * (n - 1) + 3
    assert dense(j)[1][:3] == [x[1], x[0], 0.0]


@pytest.mark.parametrize("core", ["loaded", None])
def test_a_backward_sweep_visits_what_it_reaches(monkeypatch, core):
    """Counted, not timed: each row of a banded Hessian passes some ten edges, not those of the whole graph."""
    passed = []
    square = Op(
        "square", lambda x: x * x, lambda x, out: 2.0 * x, products=[lambda g, x, out: passed.append(x) or times(g, 2.0 * x)]
    )
    if core is None:
        monkeypatch.setattr(sparse.sweeps, "loaded", None)
    found = jacobian(lambda x: [square(square(a)) * square(b) for a, b in pairwise(x)])([0.1] * 100)
    assert len(passed) == 99 * 3
    assert found[7][6:10] == pytest.approx([0.0, 4 * 0.1**5, 2 * 0.1**5, 0.0])


def test_in_a_graph_the_entries_are_values():
    w = Value(2.0)
    j = jacobian(lambda x: [w * x[0] * x[0], x[1]], sparse=True)([3.0, 1.0])
    assert (j.shape, j.rows, j.columns) == ((2, 2), [0, 1], [0, 1])
    j.values[0].backward()
    assert w.grad == 6.0
    assert "Coordinates(shape=(2, 2), rows=[0, 1], columns=[0, 1], values=[Value(" in repr(j)
    assert grad(lambda x: sum(hessian(rosenbrock, sparse=True)(x).values))([1.0, 2.0]) == [2400.0 - 800.0, -400.0]


def test_modules():
    model = nn.MLP(2, [3, 1], seed=1)
    f = lambda m: m([0.5, -1.0]) ** 2  # noqa: E731
    h = hessian(f, sparse=True)(model)
    count = len(model.parameters())
    assert h.shape == (count, count)
    assert dense(jit(hessian(f), sparse=True)(model)) == dense(h)


def test_without_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    sparse._scipy.cache_clear()
    try:
        for made in (
            jacobian(lambda x: [x[0] ** 2, x[2]], sparse=True),
            jit(jacobian(lambda x: [x[0] ** 2, x[2]]), sparse=True),
        ):
            j = made([3.0, 4.0, 5.0])
            assert (j.shape, j.rows, j.columns, j.values) == ((2, 3), [0, 1], [0, 2], [6.0, 1.0])
    finally:
        sparse._scipy.cache_clear()


def test_a_batch_of_sparse_matrices():
    rows = np.arange(12.0).reshape(4, 3)
    got = jit(hessian(rosenbrock, sparse=True), batch=0)(rows)
    for k, row in enumerate(rows):
        h = scipy_sparse.csr_array(([v[k] for v in got.values], (got.rows, got.columns)), shape=got.shape)
        assert np.allclose(h.toarray(), tridiagonal(row))
    total = jit(hessian(rosenbrock, sparse=True), batch=0, reduce="sum")(rows)
    assert np.allclose(total.toarray(), sum(map(tridiagonal, rows)))


def test_where_leaves_out_the_branch_not_taken():
    f = lambda x: [where(x[0] > 0, x[1], x[2])]  # noqa: E731
    assert jacobian(f, sparse=True)([1.0, 2.0, 3.0]).indices.tolist() == [1]
    fast = jit(jacobian(f), sparse=True)
    assert dense(fast([1.0, 2.0, 3.0])) == [[0.0, 1.0, 0.0]]
    assert dense(fast([-1.0, 2.0, 3.0])) == [[0.0, 0.0, 1.0]]


def test_what_has_no_sparse_form():
    with pytest.raises(errors.InputValueError, match=r"^sparse=True is for the matrix of a transform, and rosenbrock is none"):
        jit(rosenbrock, sparse=True)
    with pytest.raises(errors.InputValueError, match="sparse=True is for"):
        jit(sparse=True)(SimpleNamespace.__init__)
