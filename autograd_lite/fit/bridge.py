"""A loss as SciPy's minimisers want it: flat vectors, with the exact gradient and Hessian.  Imports `functional` and `tree`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import InputTypeError, InputValueError, MissingPackageError
from ..functional import hessian, hvp, value_and_grad
from ..tree import as_float, flatten, unflatten


class ScipyObjective:
    """What `scipy_objective` gives: ``fun``, ``x0``, ``hess`` and ``hessp`` for SciPy, and ``params`` for the way back."""

    def __init__(self, f: Callable[..., Any], x0: Any) -> None:
        try:
            import numpy
        except ImportError as error:
            raise MissingPackageError("scipy_objective needs NumPy, which comes with SciPy: pip install scipy") from error
        if not callable(f):
            raise InputTypeError(f"f={f!r} is not callable: give a function of what x0 holds")
        self._np = numpy
        leaves, self._spec = flatten(x0, "x0")
        if not leaves:
            raise InputValueError(f"x0={x0!r} holds no number: give at least one to move")
        self.x0 = numpy.array([as_float(leaf, "x0") for leaf in leaves])
        self._f = f

    def params(self, x: Any) -> Any:
        """A flat vector in the structure of x0."""
        return unflatten(self._spec, [float(entry) for entry in x])

    def _flat(self, vector: Any) -> Any:
        """The function of a flat list of numbers."""
        return self._f(unflatten(self._spec, list(vector)))

    def fun(self, x: Any) -> tuple[float, Any]:
        """The value and the gradient at `x`; with ``jac=True`` SciPy asks for both at once."""
        value, slopes = value_and_grad(self._flat)(x.tolist())
        return value, self._np.array(slopes)

    def hess(self, x: Any) -> Any:
        """The matrix of second derivatives at `x`."""
        return self._np.array(hessian(self._flat)(x.tolist()))

    def hessp(self, x: Any, p: Any) -> Any:
        """The matrix of second derivatives at `x` times `p`, without the matrix."""
        return self._np.array(hvp(self._flat, (x.tolist(),), (p.tolist(),)))


def scipy_objective(f: Callable[..., Any], x0: Any) -> ScipyObjective:
    """A function of any structure of numbers, for ``scipy.optimize.minimize``, with exact gradient and Hessian.

        o = scipy_objective(lambda p: (p["a"] - 1) ** 4 + (p["b"] - p["a"]) ** 2, {"a": 3.0, "b": 0.0})
        found = scipy.optimize.minimize(o.fun, o.x0, jac=True, hess=o.hess, method="trust-exact")
        o.params(found.x)

    Args:
        f: a function that returns one scalar.
        x0: where to start, in the structure that f takes.

    Methods such as Newton-CG and trust-ncg take ``hessp=o.hessp`` instead.  Raises MissingPackageError without NumPy, and
    as `grad`.
    """
    return ScipyObjective(f, x0)
