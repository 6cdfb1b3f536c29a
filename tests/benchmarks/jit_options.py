"""Peers for the Black-Scholes job of `jit.py`: price, delta, gamma, vega, theta and rho of many European calls.

``C = s N(d1) - k exp(-r t) N(d2)``, ``d1 = (log(s/k) + (r + v^2/2) t) / (v sqrt t)``, ``d2 = d1 - v sqrt t``; theta is -dC/dt.
Each function returns a call without arguments that gives the six arrays in that order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

ROOT_HALF = math.sqrt(0.5)
DENSITY = 1.0 / math.sqrt(2.0 * math.pi)


def market(rows: int) -> tuple[Any, ...]:
    """Spot, strike, years to expiry, rate and volatility."""
    draw = np.random.default_rng(7)
    bounds = (80.0, 120.0), (70.0, 130.0), (0.1, 2.0), (0.0, 0.08), (0.1, 0.6)
    return tuple(draw.uniform(low, high, rows) for low, high in bounds)


def price(m: Any) -> Callable[..., Any]:
    """The price of one call with the functions of `m`."""

    def call(s: Any, k: Any, t: Any, r: Any, v: Any) -> Any:
        spread = v * m.sqrt(t)
        d1 = (m.log(s / k) + (r + 0.5 * v * v) * t) / spread
        n1, n2 = (0.5 + 0.5 * m.erf(d * ROOT_HALF) for d in (d1, d1 - spread))
        return s * n1 - k * m.exp(-r * t) * n2

    return call


def by_hand(m: Any, s: Any, k: Any, t: Any, r: Any, v: Any) -> tuple[Any, ...]:
    """The six, differentiated on paper, with the functions of `m`."""
    root = m.sqrt(t)
    spread = v * root
    d1 = (m.log(s / k) + (r + 0.5 * v * v) * t) / spread
    n1 = 0.5 + 0.5 * m.erf(d1 * ROOT_HALF)
    n2 = 0.5 + 0.5 * m.erf((d1 - spread) * ROOT_HALF)
    density = DENSITY * m.exp(-0.5 * d1 * d1)
    paid = k * m.exp(-r * t) * n2
    theta = -0.5 * s * density * v / root - r * paid
    return s * n1 - paid, n1, density / (s * spread), s * density * root, theta, t * paid


def ours(arguments: tuple[Any, ...]) -> Callable[[], Any]:
    import autograd_lite as al

    call = price(al)
    first, gamma = al.value_and_grad(call, argnums=(0, 2, 3, 4)), al.grad(al.grad(call))

    def greeks(s: Any, k: Any, t: Any, r: Any, v: Any) -> tuple[Any, ...]:
        value, (ds, dt, dr, dv) = first(s, k, t, r, v)
        return value, ds, gamma(s, k, t, r, v), dv, -dt, dr

    from autograd_lite import jit

    return partial(jit(greeks, batch=(0, 1, 2, 3, 4), threads=1), *arguments)


def ours_by_hand(arguments: tuple[Any, ...]) -> Callable[[], Any]:
    """The derivatives on paper."""
    import autograd_lite as al

    step = al.jit(lambda *row: by_hand(al, *row), batch=(0, 1, 2, 3, 4))
    return partial(step, *arguments)


def jax_functions() -> Any:
    import jax
    import jax.numpy as jnp

    return SimpleNamespace(exp=jnp.exp, log=jnp.log, sqrt=jnp.sqrt, erf=jax.lax.erf)


def jax_derived(arguments: tuple[Any, ...]) -> Callable[[], Any]:
    """Derivatives of one row by JAX, mapped over the rows."""
    import jax
    import jax.numpy as jnp

    call = price(jax_functions())
    first, gamma = jax.value_and_grad(call, argnums=(0, 2, 3, 4)), jax.grad(jax.grad(call))

    def greeks(s: Any, k: Any, t: Any, r: Any, v: Any) -> tuple[Any, ...]:
        value, (ds, dt, dr, dv) = first(s, k, t, r, v)
        return value, ds, gamma(s, k, t, r, v), dv, -dt, dr

    step, arrays = jax.jit(jax.vmap(greeks)), [jnp.asarray(a) for a in arguments]
    return lambda: jax.block_until_ready(step(*arrays))


def jax_by_hand(arguments: tuple[Any, ...]) -> Callable[[], Any]:
    """The derivatives on paper, as array operations."""
    import jax
    import jax.numpy as jnp

    step, arrays = jax.jit(partial(by_hand, jax_functions())), [jnp.asarray(a) for a in arguments]
    return lambda: jax.block_until_ready(step(*arrays))


def torch_compiled(arguments: tuple[Any, ...]) -> Callable[[], Any]:
    """The derivatives on paper, as array operations that are fused."""
    import torch

    torch.set_num_threads(1)
    functions = SimpleNamespace(exp=torch.exp, log=torch.log, sqrt=torch.sqrt, erf=torch.erf)
    step, arrays = torch.compile(partial(by_hand, functions)), [torch.tensor(a) for a in arguments]
    by_hand(functions, *arrays)  # its compiled code takes three times as long where none of its own operations ran before
    return lambda: step(*arrays)


def numba(arguments: tuple[Any, ...]) -> Callable[[], Any]:
    """The derivatives on paper in one loop over the rows, into arrays that are there already."""
    from numba import njit

    @njit(error_model="numpy")
    def fill(s, k, t, r, v, out):  # type: ignore[no-untyped-def]
        for i in range(s.size):
            root = math.sqrt(t[i])
            spread = v[i] * root
            d1 = (math.log(s[i] / k[i]) + (r[i] + 0.5 * v[i] * v[i]) * t[i]) / spread
            n1 = 0.5 + 0.5 * math.erf(d1 * ROOT_HALF)
            n2 = 0.5 + 0.5 * math.erf((d1 - spread) * ROOT_HALF)
            density = DENSITY * math.exp(-0.5 * d1 * d1)
            paid = k[i] * math.exp(-r[i] * t[i]) * n2
            out[0, i] = s[i] * n1 - paid
            out[1, i] = n1
            out[2, i] = density / (s[i] * spread)
            out[3, i] = s[i] * density * root
            out[4, i] = -0.5 * s[i] * density * v[i] / root - r[i] * paid
            out[5, i] = t[i] * paid

    out = np.empty((6, len(arguments[0])))

    def step() -> tuple[Any, ...]:
        fill(*arguments, out)
        return tuple(out)

    return step


def peers(rows: int) -> dict[str, Callable[[], Any]]:
    arguments = market(rows)
    return {
        "ours": partial(ours, arguments),
        "ours, by hand": partial(ours_by_hand, arguments),
        "JAX jit, derived": partial(jax_derived, arguments),
        "JAX jit, by hand": partial(jax_by_hand, arguments),
        "torch.compile, by hand": partial(torch_compiled, arguments),
        "Numba, by hand": partial(numba, arguments),
    }
