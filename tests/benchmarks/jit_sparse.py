"""Peers for the sparse jobs of `jit.py`: Rosenbrock's gradient and its tridiagonal Hessian, the first call and later ones.

Ours and CasADi find the pattern; JAX is told it, as three products with vectors (`jit_rosenbrock.jax_products`).  What a call
gives is read as (gradient, diagonal, the diagonal beside it).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from jit_rosenbrock import casadi_both, jax_products, rosenbrock, start

Call = Callable[[], Any]
Read = Callable[[Any], tuple[Any, ...]]


def read(result: Any) -> tuple[Any, ...]:
    gradient, matrix = result
    return np.asarray(gradient), matrix.diagonal(), matrix.diagonal(1)


def ours(n: int) -> tuple[Call, Read]:
    from autograd_lite import grad, hessian, jit

    second = hessian(rosenbrock, sparse=True)
    return partial(jit(lambda x: (grad(rosenbrock)(x), second(x))), start(n)), read


def casadi(n: int) -> tuple[Call, Read]:
    import casadi

    both, x = casadi_both(n), casadi.DM(start(n))
    return lambda: both(x), lambda result: read((np.asarray(result[0]).ravel(), result[1].sparse()))


def anew(make: Callable[[int], tuple[Call, Read]], n: int) -> tuple[Call, Read]:
    """Every call traces and compiles anew, and runs once."""

    def call() -> Any:
        step, _ = make(n)
        return step()

    return call, make(4)[1]


def dense(n: int) -> tuple[Call, Read]:
    from autograd_lite import hessian, jit

    return partial(jit(hessian(rosenbrock)), start(n)), lambda h: (h.diagonal(), h.diagonal(1))


def jax_dense(n: int) -> tuple[Call, Read]:
    import jax
    import jax.numpy as jnp
    from jit_rosenbrock import jax_rosenbrock

    step, x = jax.jit(jax.hessian(jax_rosenbrock)), jnp.asarray(start(n))
    return lambda: jax.block_until_ready(step(x)), lambda h: (np.diagonal(h), np.diagonal(h, 1))


def later(n: int) -> dict[str, Callable[[], tuple[Call, Read]]]:
    return {
        "ours": partial(ours, n),
        "JAX jit, three products": partial(jax_products, n),
        "CasADi, DM": partial(casadi, n),
    }


def first(n: int) -> dict[str, Callable[[], tuple[Call, Read]]]:
    return {name: partial(anew, made.func, n) for name, made in later(n).items()}  # type: ignore[attr-defined]


def dense_later(n: int) -> dict[str, Callable[[], tuple[Call, Read]]]:
    return {"ours": partial(dense, n), "JAX jit": partial(jax_dense, n)}


def dense_first(n: int) -> dict[str, Callable[[], tuple[Call, Read]]]:
    return {"ours": partial(anew, dense, n), "JAX jit": partial(anew, jax_dense, n)}
