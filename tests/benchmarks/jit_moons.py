"""Peers for the two-moons jobs of `jit.py`: micrograd's net 2-16-16-1, its loss over some rows and all 337 gradients.

The loss is ``mean(relu(1 - y score)) + 1e-4 sum(w w)``.  The 337 weights lie neuron by neuron, each neuron's bias after its
weights, as micrograd's `parameters()` has them.  Each function returns a call without arguments that gives (loss, gradient).
"""

from __future__ import annotations

import ctypes
import math
import random
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

SIZES = (2, 16, 16, 1)
ALPHA = 1e-4
WEIGHTS = sum((n + 1) * m for n, m in pairwise(SIZES))
C_SOURCE = Path(__file__).with_suffix(".c")


class Data:
    """Weights, and rows of two interleaved half circles with a little noise, labelled -1 and 1."""

    def __init__(self, rows: int) -> None:
        draw = np.random.default_rng(1337)
        self.w = draw.uniform(-1.0, 1.0, WEIGHTS)  # the biases too, so that a wrong one shows
        angle, side = draw.uniform(0.0, math.pi, rows), draw.random(rows) < 0.5
        x0 = np.where(side, np.cos(angle), 1.0 - np.cos(angle))
        x1 = np.where(side, np.sin(angle), 0.5 - np.sin(angle))
        self.x = np.stack([x0, x1], axis=1) + draw.normal(0.0, 0.1, (rows, 2))
        self.y = np.where(side, 1.0, -1.0)


def layers(w: Any) -> Iterator[tuple[Any, Any]]:
    """The matrix (neurons, inputs) and the biases of each layer, as views of the flat weights."""
    at = 0
    for n, m in pairwise(SIZES):
        neurons = w[at : at + m * (n + 1)].reshape(m, n + 1)
        yield neurons[:, :n], neurons[:, n]
        at += m * (n + 1)


# -- ours -------------------------------------------------------------------------------------------------------------


def row_loss(activation: str) -> Callable[..., Any]:
    """The loss of one row, on scalars."""
    import autograd_lite as al

    act = getattr(al, activation)

    def loss(w: Any, x: Any, y: Any) -> Any:
        hidden = x
        for i, (matrix, bias) in enumerate(layers(w)):
            hidden = matrix @ hidden + bias
            if i < len(SIZES) - 2:
                hidden = np.array([act(z) for z in hidden], dtype=object)
        return al.relu(1 - y * hidden[0]) + ALPHA * (w @ w)

    return loss


def ours(data: Data, activation: str, threads: int = 1) -> Callable[[], Any]:
    from autograd_lite import jit, value_and_grad

    step = jit(value_and_grad(row_loss(activation)), batch=(1, 2), reduce="mean", threads=threads)
    return partial(step, data.w, data.x, data.y)


def ours_op_by_op(data: Data, activation: str) -> Callable[[], Any]:
    """The eager engine, row by row."""
    from autograd_lite import value_and_grad

    row = value_and_grad(row_loss(activation))

    def step() -> tuple[float, Any]:
        values, gradients = zip(*(row(data.w, x, y) for x, y in zip(data.x, data.y, strict=True)), strict=True)
        return sum(values) / len(values), sum(gradients) / len(values)

    return step


# -- peers ------------------------------------------------------------------------------------------------------------


def jax_rows(data: Data, activation: str) -> Callable[[], Any]:
    """Matrix products over all rows; a batch is a matrix of rows."""
    import jax
    import jax.numpy as jnp

    act = getattr(jnp, activation, None) or getattr(jax.nn, activation)

    def loss(w: Any, x: Any, y: Any) -> Any:
        (w1, b1), (w2, b2), (w3, b3) = layers(w)
        scores = (act(act(x @ w1.T + b1) @ w2.T + b2) @ w3.T + b3)[:, 0]
        return jnp.mean(jax.nn.relu(1 - y * scores)) + ALPHA * jnp.sum(w * w)

    step = jax.jit(jax.value_and_grad(loss))
    w, x, y = jnp.asarray(data.w), jnp.asarray(data.x), jnp.asarray(data.y)
    return lambda: jax.block_until_ready(step(w, x, y))


def jax_columns(data: Data, activation: str) -> Callable[[], Any]:
    """The same with a batch as a matrix of columns, transposed beforehand."""
    import jax
    import jax.numpy as jnp

    act = getattr(jnp, activation, None) or getattr(jax.nn, activation)

    def loss(w: Any, x: Any, y: Any) -> Any:
        (w1, b1), (w2, b2), (w3, b3) = layers(w)
        scores = (w3 @ act(w2 @ act(w1 @ x + b1[:, None]) + b2[:, None]) + b3[:, None])[0]
        return jnp.mean(jax.nn.relu(1 - y * scores)) + ALPHA * jnp.sum(w * w)

    step = jax.jit(jax.value_and_grad(loss))
    w, x, y = jnp.asarray(data.w), jnp.asarray(data.x.T), jnp.asarray(data.y)
    return lambda: jax.block_until_ready(step(w, x, y))


def jax_scan(data: Data, activation: str, block: int = 1_000) -> Callable[[], Any]:
    """Matrix products over a thousand rows at a time, which keeps temporaries in the cache."""
    import jax
    import jax.numpy as jnp

    act = getattr(jnp, activation, None) or getattr(jax.nn, activation)
    rows = len(data.y)

    def loss(w: Any, x: Any, y: Any) -> Any:
        (w1, b1), (w2, b2), (w3, b3) = layers(w)
        scores = (act(act(x @ w1.T + b1) @ w2.T + b2) @ w3.T + b3)[:, 0]
        return jnp.sum(jax.nn.relu(1 - y * scores))

    def step(w: Any, x: Any, y: Any) -> Any:
        def add(total: Any, part: Any) -> Any:
            return jax.tree.map(jnp.add, total, jax.value_and_grad(loss)(w, *part)), None

        (value, gradient), _ = jax.lax.scan(add, (0.0, jnp.zeros(WEIGHTS)), (x, y))
        return value / rows + ALPHA * jnp.sum(w * w), gradient / rows + 2 * ALPHA * w

    compiled = jax.jit(step)
    w, x, y = jnp.asarray(data.w), jnp.asarray(data.x.reshape(-1, block, 2)), jnp.asarray(data.y.reshape(-1, block))
    return lambda: jax.block_until_ready(compiled(w, x, y))


def torch_rows(data: Data, activation: str) -> Callable[[], Any]:
    """Linear layers over all rows, and autograd."""
    import torch
    from torch.nn.functional import linear

    torch.set_num_threads(1)
    act = getattr(torch, activation)
    w, x, y = torch.tensor(data.w, requires_grad=True), torch.tensor(data.x), torch.tensor(data.y)

    def step() -> Any:
        (w1, b1), (w2, b2), (w3, b3) = layers(w)
        scores = linear(act(linear(act(linear(x, w1, b1)), w2, b2)), w3, b3)[:, 0]
        loss = torch.relu(1 - y * scores).mean() + ALPHA * (w * w).sum()
        return loss.detach(), *torch.autograd.grad(loss, w)

    return step


def micrograd(data: Data, activation: str) -> Callable[[], Any]:
    """Its own network and its demo's loss."""
    from micrograd.engine import Value
    from micrograd.nn import MLP

    assert activation == "relu", "the only one it has"
    sys.setrecursionlimit(max(100_000, sys.getrecursionlimit()))  # its backward recurses
    random.seed(1337)
    model = MLP(SIZES[0], list(SIZES[1:]))
    for p, start in zip(model.parameters(), data.w, strict=True):
        p.data = float(start)
    xs, ys = data.x.tolist(), data.y.tolist()

    def step() -> tuple[float, list[float]]:
        scores = [model(list(map(Value, x))) for x in xs]
        losses = [(1 + -y * score).relu() for y, score in zip(ys, scores, strict=True)]
        total = sum(losses) * (1.0 / len(losses)) + ALPHA * sum(p * p for p in model.parameters())
        model.zero_grad()
        total.backward()
        return total.data, [p.grad for p in model.parameters()]

    return step


class C:
    """`jit_moons.c`, compiled here and called through ctypes."""

    def __init__(self) -> None:
        from jit_cc import shared_library

        library = ctypes.CDLL(str(shared_library(C_SOURCE)))
        if not library.supported():
            raise NotImplementedError("this processor has no AVX-512")
        pointer = ctypes.c_void_p
        self.moons = library.moons
        self.moons.restype = ctypes.c_double
        self.moons.argtypes = [pointer, pointer, pointer, ctypes.c_ssize_t, ctypes.c_double, pointer]

    def call(self, data: Data, rows: slice = slice(None)) -> Callable[[], Any]:
        x, y, gradient = data.x[rows], data.y[rows], np.empty(WEIGHTS)
        assert x.flags.c_contiguous
        bare = partial(self.moons, data.w.ctypes.data, x.ctypes.data, y.ctypes.data, len(y), ALPHA, gradient.ctypes.data)
        return lambda: (bare(), gradient)


def c(data: Data) -> Callable[[], Any]:
    return C().call(data)


def c_two_threads(data: Data) -> Callable[[], Any]:
    """Half of the rows in each of two threads: ctypes calls without the interpreter's lock."""
    code, half = C(), len(data.y) // 2
    parts = [code.call(data, slice(half)), code.call(data, slice(half, None))]
    pool = ThreadPoolExecutor(2)

    def step() -> tuple[float, Any]:
        (v, g), (u, h) = pool.map(lambda part: part(), parts)
        return (v + u) / 2, (g + h) / 2

    return step


def peers(activation: str, rows: int) -> dict[str, Callable[[], Any]]:
    """For one thread."""
    data = Data(rows)
    found: dict[str, Callable[[], Any]] = {
        "ours": partial(ours, data, activation),
        "JAX jit, rows": partial(jax_rows, data, activation),
        "JAX jit, columns": partial(jax_columns, data, activation),
    }
    if rows > 1_000:
        found["JAX scan, 1,000 rows each"] = partial(jax_scan, data, activation)
    found["torch"] = partial(torch_rows, data, activation)
    if activation == "relu":
        found["AVX-512 C"] = partial(c, data)
        if rows == 100:
            found["autograd_lite, op by op"] = partial(ours_op_by_op, data, activation)
            found["micrograd"] = partial(micrograd, data, activation)
    return found


def threads(rows: int) -> dict[str, Callable[[], Any]]:
    """Two threads beside one; what C gains shows how free the second core was."""
    data = Data(rows)
    return {
        "ours": partial(ours, data, "relu", 2),
        "ours, one thread": partial(ours, data, "relu", 1),
        "AVX-512 C": partial(c_two_threads, data),
        "AVX-512 C, one thread": partial(c, data),
    }


def single(activation: str, rows: int) -> dict[str, Callable[[], Any]]:
    """In single precision, all but sums of ours, with arrays of float32 given; held against each other to 1e-4."""
    import jax

    data = Data(rows)
    data.x, data.y = data.x.astype(np.float32), data.y.astype(np.float32)

    def narrow(prepare: Callable[[Data, str], Callable[[], Any]]) -> Callable[[], Any]:
        small = Data(rows)
        small.w, small.x, small.y = small.w.astype(np.float32), data.x, data.y
        call = prepare(small, activation)
        assert jax.numpy.asarray(small.x).dtype == "float32"
        return call

    def ours_single() -> Callable[[], Any]:
        from autograd_lite import jit, value_and_grad

        step = jit(value_and_grad(row_loss(activation)), batch=(1, 2), reduce="mean", float32=True)
        return partial(step, data.w, data.x, data.y)

    return {
        "ours": ours_single,
        "ours, double": partial(ours, Data(rows), activation),
        "JAX jit, rows": partial(narrow, jax_rows),
        "JAX jit, columns": partial(narrow, jax_columns),
    }


def kept(activation: str) -> dict[str, Callable[[], Any]]:
    """The first call on 100 rows where machine code is found on disk, beside one that compiles."""
    from tempfile import TemporaryDirectory

    from autograd_lite import jit, value_and_grad

    data, folder = Data(100), TemporaryDirectory()

    def first(cache: str | None) -> Any:
        loss = value_and_grad(row_loss(activation))
        result = jit(loss, batch=(1, 2), reduce="mean", cache=cache)(data.w, data.x, data.y)
        assert folder
        return result

    return {"ours": lambda: partial(first, folder.name), "ours, compiled": lambda: partial(first, None)}


def compile_times(activation: str) -> dict[str, Callable[[], Any]]:
    """Every call makes its function anew and runs it once on 100 rows."""
    data = Data(100)

    def anew(prepare: Callable[[], Callable[[], Any]]) -> Callable[[], Any]:
        def call() -> Any:
            step = prepare()
            return step()

        return call

    return {
        "ours": partial(anew, partial(ours, data, activation)),
        "JAX jit, rows": partial(anew, partial(jax_rows, data, activation)),
        "AVX-512 C, cc -O3": partial(anew, partial(c, data)),
    }
