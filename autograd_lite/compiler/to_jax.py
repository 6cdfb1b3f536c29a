"""The JAX backend: a program as a function of jax.numpy, to be jitted, mapped and run on what JAX runs on.

Rows that JAX has no accurate function for are called back on the host.  JAX, which
no extra installs, is imported when a function is asked for.  XLA, which compiles it, takes denormal numbers for 0, and
a/b/c for a/(b c), which may overflow or vanish where the former does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any

from ..errors import BranchError, InputValueError, MissingPackageError
from ..ops import TABLE, Op
from ..program import Program
from ..tree import Number
from .lowering import NUMPY, lower


class JaxWords:
    """The vocabulary of `lowering` in jax.numpy; a handle is an array or what JAX traces in its place."""

    exact = False
    inline = False

    def __init__(self) -> None:
        self.jax = _jax()
        self.np, self.special = self.jax.numpy, self.jax.scipy.special

    def __getattr__(self, word: str) -> Any:
        if word not in NUMPY:
            raise AttributeError(word)
        return getattr(self.special if word in ("erf", "erfc") else self.np, NUMPY[word])

    # -- functions of which XLA loses more than a few digits' worth: 1e2 units in the last place and more

    def exp2(self, x: Number) -> Number:
        return self.np.power(2.0, x)

    def log1p(self, x: Number) -> Number:
        def value(x: Number) -> Number:
            u = self.jax.lax.optimization_barrier(1.0 + x)  # XLA takes (1 + x) - 1 for x
            d = u - 1.0  # what of x reached u
            return self.np.where(self.np.logical_or(d == 0.0, u == inf), x, self.np.log(u) * (x / d))

        return self._sloped(value, lambda x: 1.0 / (1.0 + x), x)

    def atanh(self, x: Number) -> Number:
        def value(x: Number) -> Number:
            size = self.np.abs(x)
            return self.np.copysign(0.5 * self.log1p(2.0 * size / (1.0 - size)), x)

        return self._sloped(value, lambda x: 1.0 / ((1.0 - x) * (1.0 + x)), x)

    def sinh(self, x: Number) -> Number:
        def value(x: Number) -> Number:
            size = self.np.abs(x)
            e, half = self.np.expm1(size), self.np.exp(0.5 * size)
            return self.np.copysign(self.np.where(size < 20.0, 0.5 * (e + e / (e + 1.0)), 0.5 * half * half), x)

        return self._sloped(value, self.cosh, x)

    def cosh(self, x: Number) -> Number:
        def value(x: Number) -> Number:
            size = self.np.abs(x)
            e, half = self.np.exp(size), self.np.exp(0.5 * size)
            return self.np.where(size < 20.0, 0.5 * (e + 1.0 / e), 0.5 * half * half)

        return self._sloped(value, self.sinh, x)

    def tanh(self, x: Number) -> Number:
        def value(x: Number) -> Number:
            e = self.np.expm1(-2.0 * self.np.abs(x))
            return self.np.copysign(e / (e + 2.0), x)

        return self._sloped(value, lambda x: lower(TABLE["sech2"])(self, x), x)

    def _sloped(self, value: Callable[[Number], Number], slope: Callable[[Number], Number], x: Number) -> Number:
        """``value(x)``, which JAX differentiates by `slope`."""
        sloped = self.jax.custom_jvp(value)
        sloped.defjvps(lambda t, out, x: t * slope(x))
        return sloped(self.np.asarray(x, float))

    def truth(self, a: Number) -> Number:
        return self.np.not_equal(a, 0.0)

    def number(self, c: Number) -> Number:
        return self.np.where(c, 1.0, 0.0)

    def call(self, op: Op, *args: Number) -> Number:
        """The row's function on the host, with its partials there as JAX's derivative of it."""
        varying = [i for i, a in enumerate(args) if a.__class__ is not float]
        if not varying:
            return op.forward(*args)

        def filled(xs: Sequence[float]) -> list[float]:
            given = iter(xs)
            return [next(given) if i in varying else a for i, a in enumerate(args)]

        def slope(i: int) -> Callable[..., float]:
            def partial(*xs: float) -> float:
                at = filled(xs)
                return float(op.partial(i, at, op.forward(*at)))

            return partial

        called = self.jax.custom_jvp(self._host(lambda *xs: op.forward(*filled(xs))))

        @called.defjvp  # type: ignore[untyped-decorator, unused-ignore]
        def derivative(at: Number, tangents: Number) -> Number:
            slopes = [self._host(slope(i))(*at) for i in varying]
            return called(*at), sum(d * t for d, t in zip(slopes, tangents, strict=True))

        return called(*[args[i] for i in varying])

    def _host(self, f: Callable[..., float]) -> Callable[..., Number]:
        """A function of floats as one of arrays, worked out item by item in Python."""
        import numpy

        def items(*arrays: Number) -> Number:
            results = map(f, *[numpy.ravel(a).tolist() for a in arrays])
            return numpy.fromiter(results, float, numpy.size(arrays[0])).reshape(numpy.shape(arrays[0]))

        def call(*arrays: Number) -> Number:
            arrays = self.np.broadcast_arrays(*arrays)
            shape = self.jax.ShapeDtypeStruct(arrays[0].shape, arrays[0].dtype)
            return self.jax.pure_callback(items, shape, *arrays, vmap_method="broadcast_all")

        return call


def function(program: Program) -> Callable[..., list[Number]]:
    """The program as a function of its inputs, scalars or arrays that broadcast, in jax.numpy.

        run = jax.jit(function(program))
        run(weights[0], weights[1], X[:, 0])

    It gives one array for each output and may be wrapped by `jax.jit`, `jax.vmap` and `jax.grad`.  Derivatives that JAX takes
    follow its conventions, at kinks and where a branch not taken is nan; a compiled `grad` of this library keeps ours.
    Rows that are called back (the gamma family, sinc', round to digits, users' own) can be differentiated once.  JAX on a CPU
    takes numbers below 2.2e-308 for 0.

    Args:
        program: what to compute, of a function that does not branch on its numbers.

    Raises MissingPackageError without jax, BranchError for a program that goes one way of several, InputValueError when called
    with another number of inputs, or while JAX computes in float32, as it does unless told otherwise.
    """
    if program.guards:
        raise BranchError(
            f"the program holds for numbers that go one way at {program.guards[0].line}: write where(condition, a, b), "
            f"maximum, minimum or clamp there, or take the program of a batch"
        )
    k = JaxWords()
    for op, _ in program.instructions:
        lower(op)  # or it is refused

    def run(*inputs: Number) -> list[Number]:
        if len(inputs) != program.inputs:
            raise InputValueError(f"{len(inputs)} inputs given, the program has {program.inputs}: give one for each")
        if k.np.result_type(float) != "float64":
            raise InputValueError(
                "jax_enable_x64=False makes JAX compute in float32: call jax.config.update('jax_enable_x64', True) first"
            )
        found = program.run([k.np.asarray(x, float) for x in inputs], lambda op, *args: lower(op)(k, *args))
        return [k.np.asarray(x, float) for x in found]

    return run


def _jax() -> Any:
    try:
        import jax
        import jax.scipy.special
    except ImportError as error:
        raise MissingPackageError("this backend needs JAX, which is not installed: pip install jax") from error
    return jax
