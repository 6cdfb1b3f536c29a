"""A loss as SciPy's minimisers want it: flat vectors, with the exact gradient and Hessian."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Sequence

from ..arrays import Array, np, numpy
from ..errors import InputTypeError, InputValueError, MissingPackageError
from ..functional import hessian, hvp, value_and_grad
from ..tree import Number, Tree, as_float, called, flatten, unflatten
from .rows import Data, Rows
from .rows.objective import Objective
from .rows.residuals import ByRows, Residuals

NO_RESIDUALS = "residuals come from residual= and data: scipy_objective(residual=r, x0=x0, data=(x, y))"


class ScipyObjective:
    """What `scipy_objective` gives: ``fun``, ``x0``, ``hess`` and ``hessp`` for SciPy, and ``params`` for the way back."""

    def __init__(self, f: Callable[..., Number] | None, x0: Tree) -> None:
        if numpy() is None:
            raise MissingPackageError("scipy_objective needs NumPy, which comes with SciPy: pip install scipy")
        if not callable(f):
            raise InputTypeError(f"f={f!r} is not callable: give a function of what x0 holds")
        leaves, self._spec = flatten(x0, "x0")
        if not leaves:
            raise InputValueError(f"x0={x0!r} holds no number: give at least one to move")
        self.x0 = np.array([as_float(leaf, "x0") for leaf in leaves])
        self._f: Callable[..., Number] = f

    def __repr__(self) -> str:
        return f"<ScipyObjective of {self._about()}: {self._offers()} from x0={reprlib.repr(self.x0.tolist())}>"

    def _about(self) -> str:
        return called(self._f)

    def _offers(self) -> str:
        return "fun, hess, hessp"

    def params(self, x: Array) -> Tree:
        """A flat vector in the structure of x0."""
        return unflatten(self._spec, [float(entry) for entry in x])

    def _flat(self, vector: Sequence[Number]) -> Number:
        """The function of a flat list of numbers."""
        return self._f(unflatten(self._spec, list(vector)))

    def fun(self, x: Array) -> tuple[float, Array]:
        """The value and the gradient at `x`; with ``jac=True`` SciPy asks for both at once."""
        value, slopes = value_and_grad(self._flat)(x.tolist())
        return value, np.array(slopes)

    def hess(self, x: Array) -> Array:
        """The matrix of second derivatives at `x`."""
        return np.array(hessian(self._flat)(x.tolist()))

    def hessp(self, x: Array, p: Array) -> Array:
        """The matrix of second derivatives at `x` times `p`, without the matrix."""
        return np.array(hvp(self._flat, (x.tolist(),), (p.tolist(),)))

    def residuals(self, x: Array) -> Array:
        """The residuals of all rows at `x`, for ``scipy.optimize.least_squares``."""
        raise InputTypeError(NO_RESIDUALS)

    def jacobian(self, x: Array) -> Array:
        """The matrix of their derivatives at `x`, a row for each residual."""
        raise InputTypeError(NO_RESIDUALS)


class _OverRows(ScipyObjective):
    """The mean over rows, compiled; of residuals also what each of them is."""

    def __init__(self, f: Callable[..., Number] | None, x0: Tree, rows: Rows, squares: bool = False) -> None:
        super().__init__(f, x0)
        given, spec = self._f, self._spec

        def loss(params: Tree, *row: Tree) -> Number:
            found = given(params, *row)
            return sum(r * r for r in flatten(found, f"result of {called(given)}")[0]) if squares else found

        def flat(leaves: Sequence[Number], *row: Tree) -> Number:
            return loss(unflatten(spec, list(leaves)), *row)

        def second(leaves: Sequence[Number], *row: Tree) -> Tree:
            return hessian(flat)(list(leaves), *row)

        def product(both: Sequence[Number], *row: Tree) -> Tree:
            at, along = list(both[:n]), list(both[n:])
            return hvp(lambda p: flat(p, *row), (at,), (along,))

        n = len(self.x0)
        loss.__name__ = called(given)
        self._rows = rows
        self._mean = Objective(loss, spec, rows)
        self._second, self._product = (ByRows(f, rows.arguments, rows.count) for f in (second, product))
        self._each = Residuals(given, spec, n, rows) if squares else None

    def _about(self) -> str:
        return f"{super()._about()} over {self._rows.count} rows"

    def _offers(self) -> str:
        return super()._offers() + ", residuals, jacobian" * (self._each is not None)

    def fun(self, x: Array) -> tuple[float, Array]:
        """The mean loss and its gradient at `x`."""
        value, slopes = self._mean.whole(x.tolist(), lambda: None)
        return value, np.array(slopes)

    def hess(self, x: Array) -> Array:
        """The matrix of second derivatives of the mean at `x`."""
        return self._averaged(self._second, x.tolist()).reshape(len(x), len(x))

    def hessp(self, x: Array, p: Array) -> Array:
        """The matrix of second derivatives of the mean at `x` times `p`, without the matrix."""
        return self._averaged(self._product, [*x.tolist(), *p.tolist()])

    def _averaged(self, by_rows: ByRows, leaves: list[float]) -> Array:
        blocks = (by_rows(leaves, columns) for columns in self._rows.blocks())
        return np.asarray(sum(np.array([np.sum(column) for column in block]) for block in blocks)) / self._rows.count

    def residuals(self, x: Array) -> Array:
        """The residuals of all rows at `x`, those of a row beside each other."""
        if self._each is None:
            return super().residuals(x)
        return self._each.values(x.tolist())

    def jacobian(self, x: Array) -> Array:
        """The matrix of their derivatives at `x`, a row for each residual."""
        if self._each is None:
            return super().jacobian(x)
        return self._each.matrices(x.tolist())[:, :-1]


def scipy_objective(
    f: Callable[..., Number] | None = None, x0: Tree = None, data: Data = None, residual: Callable[..., Tree] | None = None
) -> ScipyObjective:
    """A function of any structure of numbers, for ``scipy.optimize``, with exact gradient and Hessian.

        o = scipy_objective(lambda p: (p["a"] - 1) ** 4 + (p["b"] - p["a"]) ** 2, {"a": 3.0, "b": 0.0})
        found = scipy.optimize.minimize(o.fun, o.x0, jac=True, hess=o.hess, method="trust-exact")
        o.params(found.x)

        o = scipy_objective(residual=lambda p, x, y: y - exp(p["k"] * x), x0={"k": 1.0}, data=(xs, ys))
        found = scipy.optimize.least_squares(o.residuals, o.x0, jac=o.jacobian)

    Args:
        f: a function that returns one scalar; with data the loss of one row, ``f(params, *row)``, whose mean is minimised.
        x0: where to start, in the structure that f takes.
        data: a tuple of columns, a dict of them or a Table, as `minimize` takes; what is done for each row is compiled.
        residual: in place of f, a number or several for each row; the loss of a row is the sum of their squares.

    Methods such as Newton-CG and trust-ncg take ``hessp=o.hessp`` instead.  Raises MissingPackageError without NumPy, and
    as `grad`.
    """
    if residual is None:
        if data is None:
            return ScipyObjective(f, x0)
        return _OverRows(f, x0, Rows(data))
    if f is not None or data is None:
        raise InputTypeError("residual= takes the place of f and needs data: scipy_objective(residual=r, x0=x0, data=(x, y))")
    return _OverRows(residual, x0, Rows(data), squares=True)
