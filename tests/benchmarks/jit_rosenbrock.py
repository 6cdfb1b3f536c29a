"""Peers for the Rosenbrock jobs of `jit.py`: ``sum (1 - x_i)^2 + 100 (x_i+1 - x_i^2)^2``.

Of 2 inputs the value and the gradient, called with two numbers; of 100 inputs the gradient and the sparse Hessian.  A
tridiagonal Hessian is known from its products with three vectors, of which each has every third number 1: that is how ours and
JAX compute it here, while CasADi finds its pattern by itself.  Each function returns a call without arguments, those of the
Hessian with a second function, which takes the call's result to (gradient, diagonal, the diagonal beside it).

CasADi is called as a function, and through its `buffer()`, which reads and writes memory that it was shown beforehand: no
argument is passed and no result is made, so it stands beside the others without a goal.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

Call = Callable[[], Any]
Read = Callable[[Any], tuple[Any, ...]]
POINT = [1.2, 1.0]


def rosenbrock(x: Any) -> Any:
    return sum((1 - x[i]) ** 2 + 100 * (x[i + 1] - x[i] ** 2) ** 2 for i in range(len(x) - 1))


# -- value and gradient of two inputs ---------------------------------------------------------------------------------


def ours() -> Call:
    from autograd_lite import jit, value_and_grad

    return partial(jit(value_and_grad(rosenbrock)), POINT)


def jax() -> Call:
    import jax
    import jax.numpy as jnp

    step, x = jax.jit(jax.value_and_grad(rosenbrock)), jnp.array(POINT)
    return lambda: jax.block_until_ready(step(x))


def casadi_function() -> Any:
    import casadi

    x = casadi.SX.sym("x", 2)
    f = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
    return casadi.Function("rosenbrock", [x], [f, casadi.gradient(f, x)])


def shown(function: Any, x: Any, *results: Any) -> Call:
    """A call of `function` on memory: the argument and the results."""
    buffer, run = function.buffer()
    buffer.set_arg(0, memoryview(x))
    for i, result in enumerate(results):
        buffer.set_res(i, memoryview(result))
    run.keep = function, buffer, x, results  # of which it knows no more than the addresses
    return run


def casadi_list() -> Call:
    return partial(casadi_function(), POINT)


def casadi_dm() -> Call:
    """Called with CasADi's own matrix, made beforehand."""
    import casadi

    return partial(casadi_function(), casadi.DM(POINT))


def casadi_buffer() -> Call:
    """The two numbers are written into its memory, and the three read from there."""
    x, value, gradient = np.zeros(2), np.zeros(1), np.zeros(2)
    run = shown(casadi_function(), x, value, gradient)

    def step() -> tuple[float, list[float]]:
        x[0], x[1] = POINT
        run()
        return value[0], [gradient[0], gradient[1]]

    return step


def sympy_numba() -> Call:
    """Derived by SymPy, common parts once, and compiled by Numba."""
    import sympy
    from numba import njit

    x = sympy.symbols("x0 x1")
    f = rosenbrock(x)
    step = njit(sympy.lambdify(x, (f, f.diff(x[0]), f.diff(x[1])), "math", cse=True))
    step(*POINT)

    def call() -> tuple[float, Any]:
        value, *slopes = step(*POINT)
        return value, slopes

    return call


def heyoka() -> Call:
    import heyoka

    x = heyoka.make_vars("x0", "x1")
    f = rosenbrock(x)
    step, at, out = heyoka.cfunc([f, *heyoka.diff_tensors([f], x, diff_order=1).gradient], x), np.array(POINT), np.empty(3)
    step(at, outputs=out)

    def call() -> tuple[float, Any]:
        step(at, outputs=out)
        return out[0], out[1:]

    return call


def xad() -> Call:
    """Its tape, op by op."""
    from xad.adj_1st import Real, Tape

    def step() -> tuple[float, list[float]]:
        with Tape() as tape:
            x = [Real(v) for v in POINT]
            for v in x:
                tape.registerInput(v)
            tape.newRecording()
            y = rosenbrock(x)
            tape.registerOutput(y)
            y.setDerivative(1.0)
            tape.computeAdjoints()
            return y.getValue(), [v.getDerivative() for v in x]

    return step


def enzyme() -> Call:
    import jax
    import jax.numpy as jnp
    from enzyme_ad.jax import enzyme_jax_ir

    step, x = jax.jit(jax.value_and_grad(enzyme_jax_ir()(rosenbrock))), jnp.array(POINT)
    return lambda: jax.block_until_ready(step(x))


def peers() -> dict[str, Callable[[], Call]]:
    return {
        "ours": ours,
        "SymPy with Numba": sympy_numba,
        "heyoka": heyoka,
        "XAD (Python)": xad,
        "Enzyme for JAX": enzyme,
        "JAX jit": jax,
        "CasADi, list": casadi_list,
        "CasADi, DM": casadi_dm,
        "CasADi, buffer": casadi_buffer,
    }


# -- gradient and Hessian of a hundred --------------------------------------------------------------------------------


def start(n: int) -> Any:
    return np.linspace(-1.0, 1.0, n)


def colours(n: int) -> Any:
    """Three vectors: every third number 1, from the first, the second and the third on."""
    return (np.arange(n) % 3 == np.arange(3)[:, None]).astype(float)


def read_products(result: Any) -> tuple[Any, ...]:
    """H_ij stands in product j % 3 at i, because no other neighbour of i has the colour of j."""
    gradient, products = np.asarray(result[0]), np.asarray(result[1])
    i = np.arange(len(gradient))
    return gradient, products[i % 3, i], products[(i[:-1] + 1) % 3, i[:-1]]


def read_dense(result: Any) -> tuple[Any, ...]:
    gradient, hessian = np.asarray(result[0]), np.asarray(result[1])
    return gradient.ravel(), np.diag(hessian), np.diag(hessian, 1)


def ours_products(n: int) -> tuple[Call, Read]:
    from autograd_lite import grad, hvp, jit

    def both(x: Any) -> Any:
        return grad(rosenbrock)(x), [hvp(rosenbrock, (x,), (colour,)) for colour in colours(n)]

    return partial(jit(both), start(n)), read_products


def jax_rosenbrock(x: Any) -> Any:
    import jax.numpy as jnp

    return jnp.sum((1 - x[:-1]) ** 2 + 100 * (x[1:] - x[:-1] ** 2) ** 2)


def jax_products(n: int) -> tuple[Call, Read]:
    import jax
    import jax.numpy as jnp

    seeds = jnp.asarray(colours(n))

    @jax.jit
    def both(x: Any) -> Any:
        gradient, push = jax.linearize(jax.grad(jax_rosenbrock), x)
        return gradient, jax.vmap(push)(seeds)

    x = jnp.asarray(start(n))
    return lambda: jax.block_until_ready(both(x)), read_products


def jax_dense(n: int) -> tuple[Call, Read]:
    import jax
    import jax.numpy as jnp

    both, x = jax.jit(lambda x: (jax.grad(jax_rosenbrock)(x), jax.hessian(jax_rosenbrock)(x))), jnp.asarray(start(n))
    return lambda: jax.block_until_ready(both(x)), read_dense


def casadi_both(n: int) -> Any:
    import casadi

    x = casadi.SX.sym("x", n)
    hessian, gradient = casadi.hessian(rosenbrock([x[i] for i in range(n)]), x)
    return casadi.Function("both", [x], [gradient, hessian])


def casadi_compiled(n: int) -> Any:
    """The same from the C code that CasADi writes."""
    import casadi
    from jit_cc import shared_library

    with tempfile.TemporaryDirectory() as directory:
        generator = casadi.CodeGenerator("both")
        generator.add(casadi_both(n))
        generator.generate(directory + "/")
        return casadi.external("both", str(shared_library(Path(directory) / "both.c")))


def casadi_called(make: Callable[[int], Any], n: int) -> tuple[Call, Read]:
    import casadi

    return partial(make(n), casadi.DM(start(n))), read_dense


def casadi_buffered(make: Callable[[int], Any], n: int) -> tuple[Call, Read]:
    """Nothing is copied in or out."""
    both = make(n)
    sparsity = both.sparsity_out(1)
    i, j = map(np.asarray, sparsity.get_triplet())
    gradient, entries = np.zeros(n), np.zeros(sparsity.nnz())
    run = shown(both, start(n), gradient, entries)
    return run, lambda _: (gradient, entries[i == j], entries[i + 1 == j])


def hessian_peers(n: int) -> dict[str, Callable[[], tuple[Call, Read]]]:
    return {
        "ours": partial(ours_products, n),
        "JAX jit, three products": partial(jax_products, n),
        "JAX jit, dense Hessian": partial(jax_dense, n),
        "CasADi, DM": partial(casadi_called, casadi_both, n),
        "CasADi compiled, DM": partial(casadi_called, casadi_compiled, n),
        "CasADi compiled, buffer": partial(casadi_buffered, casadi_compiled, n),
    }
