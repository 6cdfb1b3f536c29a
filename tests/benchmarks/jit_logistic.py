"""Peers for the logistic job of `jit.py`: the mean of ``log(1 + exp(z)) - y z``, z = w x + b of ten numbers, and its gradient.

Each function returns a call without arguments that gives (loss, gradient).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

COLUMNS = 10


class Data:
    def __init__(self, rows: int) -> None:
        draw = np.random.default_rng(11)
        self.x, self.y = draw.normal(size=(rows, COLUMNS)), (draw.random(rows) < 0.5).astype(float)
        self.w = 0.3 * draw.normal(size=COLUMNS + 1)


def ours(data: Data, **options: Any) -> Callable[[], Any]:
    from autograd_lite import jit, softplus, value_and_grad

    def loss(w: Any, x: Any, y: Any) -> Any:
        z = sum((w[i] * x[i] for i in range(COLUMNS)), w[COLUMNS])
        return softplus(z) - y * z

    return partial(jit(value_and_grad(loss), batch=(1, 2), reduce="mean", **options), data.w, data.x, data.y)


def jax(data: Data) -> Callable[[], Any]:
    import jax
    import jax.numpy as jnp

    def loss(w: Any, x: Any, y: Any) -> Any:
        z = x @ w[:COLUMNS] + w[COLUMNS]
        return jnp.mean(jax.nn.softplus(z) - y * z)

    step, arrays = jax.jit(jax.value_and_grad(loss)), [jnp.asarray(a) for a in (data.w, data.x, data.y)]
    return lambda: jax.block_until_ready(step(*arrays))


def torch_compiled(data: Data) -> Callable[[], Any]:
    import torch

    torch.set_num_threads(1)
    w, x, y = torch.tensor(data.w, requires_grad=True), torch.tensor(data.x), torch.tensor(data.y)

    torch.ones(100, dtype=torch.double).exp()  # as in `jit_options`

    @torch.compile
    def loss(w: Any, x: Any, y: Any) -> Any:
        z = x @ w[:COLUMNS] + w[COLUMNS]
        return (torch.nn.functional.softplus(z) - y * z).mean()

    def step() -> Any:
        value = loss(w, x, y)
        return value.detach(), *torch.autograd.grad(value, w)

    return step


def c(data: Data) -> Callable[[], Any]:
    """`jit_logistic.c`, which calls glibc's vector library."""
    from jit_cc import VECTORS, shared_library

    run = ctypes.CDLL(str(shared_library(Path(__file__).with_suffix(".c"), VECTORS))).logistic
    pointer = ctypes.c_void_p
    run.restype, run.argtypes = ctypes.c_double, [pointer, pointer, pointer, ctypes.c_ssize_t, pointer]
    gradient = np.empty(COLUMNS + 1)
    bare = partial(run, *[a.ctypes.data for a in (data.w, data.x, data.y)], len(data.y), gradient.ctypes.data)
    return lambda: (bare(), gradient)


def peers(rows: int) -> dict[str, Callable[[], Any]]:
    data = Data(rows)
    return {
        "ours": partial(ours, data),
        "JAX jit": partial(jax, data),
        "torch.compile": partial(torch_compiled, data),
        "C with libmvec": partial(c, data),
    }
