"""Errors of measured inputs carried through a function by its exact derivatives."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from .errors import GradientWarning, InputTypeError, InputValueError, StructureError
from .functional import _value_and_grad, hessian
from .notebook import table
from .tree import Number, Spec, Tree, as_float, describe, flatten, flatten_like, unflatten

__all__ = ["Propagated", "propagate"]

EPSILON = 2.0**-52
HEAD = ("name", "value", "error", "derivative", "share")
ROUNDING = 1e-9  # of a correlation: how far a covariance that was computed may be from symmetric and semidefinite
Matrix = list[list[float]]


class Input(NamedTuple):
    """One number of the inputs, and what it does to the result."""

    name: str
    value: float
    stderr: float
    derivative: float
    share: float


class Propagated(NamedTuple):
    """What `propagate` found; it prints itself.

    `shares` and `gradient` have the structure of x.  `mean` is None at order 1; `notes` say where the answer cannot be trusted.
    """

    value: float
    stderr: float
    shares: Tree
    gradient: Tree
    mean: float | None
    order: int
    inputs: tuple[Input, ...]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        rows = [HEAD, *map(_input_cells, self.inputs)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
            for row in rows
        ]
        return "\n".join([*self.summary(), "", *lines])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return table(HEAD, map(_input_cells, self.inputs), self.summary())

    def summary(self) -> list[str]:
        """The result with its error, what the curvature adds, and the notes, as lines."""
        lines = [plus_minus(self.value, self.stderr)]
        if self.mean is not None:
            added = self.mean - self.value
            lines.append(f"mean {self.mean:.6g}: the curvature adds {added:.3g} (second order, for normal errors)")
        return lines + [f"note: {note}" for note in self.notes]


def _input_cells(row: Input) -> tuple[str, ...]:
    return row.name, f"{row.value:.6g}", f"{row.stderr:.6g}", f"{row.derivative:.6g}", percent(row.share)


def percent(share: float) -> str:
    """A share as it is printed.

    >>> percent(0.64), percent(0.0004)
    ('64.0 %', '0.0 %')
    """
    return f"{100 * share + 0.0:.1f} %"


def plus_minus(value: float, error: float) -> str:
    """A number with its error, both to two digits of the error.

    >>> plus_minus(6.0, 0.25), plus_minus(1234567.0, 4321.0), plus_minus(2.0, 0.0)
    ('6.00 ± 0.25', '(1.2346 ± 0.0043)e+06', '2 ± 0')
    """
    if not (math.isfinite(value) and math.isfinite(error) and error > 0.0):
        return f"{value + 0.0:.12g} ± {error:.12g}"
    last = int(f"{error:.1e}".partition("e")[2]) - 1  # the power of ten of the error's second digit
    first = max(last + 1, int(f"{value:.9e}".partition("e")[2]))
    if first - last > 16:
        return f"{value:.17g} ± {error:.2g}"
    if -8 <= last <= 0:
        return f"{value:.{-last}f} ± {error:.{-last}f}"
    digits = first - last
    from decimal import Decimal  # slow to import, and wanted only here

    scaled = [Decimal(x).scaleb(-first) for x in (value, error)]
    return f"({scaled[0]:.{digits}f} ± {scaled[1]:.{digits}f})e{first:+03d}"


def propagate(f: Callable[..., Tree], x: Tree, sigma: Tree, order: int = 1) -> Propagated:
    """The error of a function's result from the errors of its inputs, and the share of each.

    ``stderr**2 = g^T C g``, and at order 2 ``+ tr((H C)**2) / 2``, ``mean = f + tr(H C) / 2``

    >>> propagate(lambda p: p["v"] * p["t"], {"v": 3.0, "t": 2.0}, {"v": 0.1, "t": 0.05})
    6.00 ± 0.25
    <BLANKLINE>
    name  value  error  derivative   share
    v         3    0.1           2  64.0 %
    t         2   0.05           3  36.0 %
    >>> propagate(lambda x: x**2, 0.0, 0.1, order=2).mean
    0.010000000000000002

    Args:
        f: a function of x that returns one scalar.
        x: the inputs, a number or any structure of numbers.
        sigma: their standard errors in the structure of x, 0 for what is exact; the inputs are independent then.  Or their
            covariance matrix, a row for each number of x in order.
        order: 1 for the gradient only; 2 for the Hessian too, which is exact for quadratic functions of normal inputs.

    The share of input i is ``g[i] * (C g)[i]``, at order 2 ``+ (H C H C)[i][i] / 2``, divided by the variance: what belongs to
    two inputs is halved between them.  Shares sum to 1; with a covariance one may be negative or above 1.  Where the variance
    is 0 they are 0, and a note says why.

    Raises InputValueError for an error that is negative or not finite and for what is no covariance, StructureError where
    sigma does not fit x, and as `grad`.
    """
    if not callable(f):
        raise InputTypeError(f"f={f!r} is not callable: give a function of what x holds")
    if isinstance(order, bool) or order not in (1, 2):
        raise InputValueError(f"order={order!r} must be 1 or 2: 1 for the gradient only, 2 for the curvature too")
    leaves, spec = flatten(x, "x")
    if not leaves:
        raise InputValueError(f"x={x!r} holds no number: give at least one")
    names = list(_leaf_names(spec, ""))
    point = [as_float(leaf, "x") for leaf in leaves]
    for name, number in zip(names, point, strict=True):
        if not math.isfinite(number):
            raise InputValueError(f"{name}={number} is not finite: give a finite number")
    errors, factor = _errors(spec, sigma, names)

    def flat(numbers: Sequence[Number]) -> Tree:
        return f(unflatten(spec, numbers))

    flat.__name__ = getattr(f, "__name__", "f")
    found, slopes = _value_and_grad("propagate", flat, 0, (point,), {})
    value, gradient = _bare_number(found), [_bare_number(slope) for slope in slopes]
    curvature = None
    if order == 2:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GradientWarning)  # it has been said
            curvature = [[_bare_number(entry) for entry in row] for row in hessian(flat)(point)]
    stderr, shares, shift = _spread(gradient, curvature, errors, factor)
    inputs = tuple(map(Input, names, point, errors, gradient, shares))
    return Propagated(
        value, stderr, unflatten(spec, shares), unflatten(spec, gradient), None if order == 1 else value + shift, order,
        inputs, tuple(_doubts(value, stderr, order, inputs)),
    )  # fmt: skip


def _bare_number(x: Number) -> float:
    return as_float(getattr(x, "data", x) if hasattr(type(x), "_record") else x)


def _leaf_names(spec: Spec, so_far: str) -> Iterator[str]:
    """What each leaf is called: its keys and places."""
    if spec.kind is None:
        yield so_far or "x"
        return
    keys = list(spec.detail) if spec.kind is not type(None) and issubclass(spec.kind, dict) else None
    for i, child in enumerate(spec.children):
        if keys is None:
            yield from _leaf_names(child, f"{so_far or 'x'}[{i}]")
        else:
            yield from _leaf_names(child, f"{so_far}[{keys[i]!r}]" if so_far else str(keys[i]))


# -- the errors of the inputs -----------------------------------------------------------------------------------------


def _errors(spec: Spec, sigma: Tree, names: list[str]) -> tuple[list[float], Matrix | None]:
    """The standard errors, and the factor L of the correlations L L^T; None where the inputs are independent."""
    leaves, given = flatten(sigma, "sigma")
    n = len(names)
    row = given.kind is not None and _is_row(given) and (spec.kind is None or _is_row(spec))
    same = len(leaves) == n if row and spec.kind is not None else False
    if not same:
        try:
            leaves = flatten_like(spec, sigma, "sigma", "x")
        except StructureError:
            if not _is_row(given, depth=2):
                raise StructureError(
                    f"sigma has the structure {describe(given)}, but x has {describe(spec)}: give a standard error for each "
                    f"number of x in its structure, 0 for what is exact, or a covariance matrix"
                ) from None
            return _covariance(sigma, names)
    errors = [as_float(leaf, "sigma") for leaf in leaves]
    for name, error in zip(names, errors, strict=True):
        if not 0.0 <= error < math.inf:
            raise InputValueError(f"sigma of {name} is {error}: a standard error must be finite and not negative")
    return errors, None


def _is_row(spec: Spec, depth: int = 1) -> bool:
    """Whether it is a list, tuple or array of numbers; at depth 2 a list of such or an array of two axes."""
    if spec.kind is None or spec.kind is type(None):
        return False
    if hasattr(spec.kind, "ravel"):
        return len(spec.detail) == depth
    if not issubclass(spec.kind, (list, tuple)):
        return False
    return all(child.kind is None if depth == 1 else _is_row(child) for child in spec.children)


def _covariance(sigma: Tree, names: list[str]) -> tuple[list[float], Matrix]:
    rows = [[as_float(entry, "sigma") for entry in row] for row in sigma]
    n = len(names)
    if len(rows) != n or any(len(row) != n for row in rows):
        lengths = sorted({len(row) for row in rows})
        raise StructureError(
            f"sigma has {len(rows)} rows of {' or '.join(map(str, lengths)) or 0} numbers, and x holds {n}: a covariance "
            f"matrix has {n} rows of {n}"
        )
    for i, row in enumerate(rows):
        for j, entry in enumerate(row):
            if not math.isfinite(entry):
                raise InputValueError(f"sigma[{i}][{j}]={entry} is not finite: give a covariance of finite numbers")
        if row[i] < 0.0:
            raise InputValueError(f"sigma[{i}][{i}]={row[i]} is the variance of {names[i]} and must not be negative")
    errors = [math.sqrt(rows[i][i]) for i in range(n)]
    correlation = [[float(i == j) for j in range(n)] for i in range(n)]
    for i in range(n):
        for j in range(i):
            below, above = (_divided(c, errors[i], errors[j]) for c in (rows[i][j], rows[j][i]))
            if not abs(below - above) <= ROUNDING and below != above:
                raise InputValueError(
                    f"sigma[{i}][{j}]={rows[i][j]} but sigma[{j}][{i}]={rows[j][i]}: a covariance matrix is symmetric"
                )
            correlation[i][j] = correlation[j][i] = (below + above) / 2
            if not abs(correlation[i][j]) <= 1 + ROUNDING:
                raise InputValueError(
                    f"sigma[{i}][{j}]={rows[i][j]} is more than the errors of {names[j]} and {names[i]} allow, "
                    f"{errors[j]:.6g} * {errors[i]:.6g}: it is no covariance matrix"
                )
    return errors, _cholesky(correlation)


def _divided(covariance: float, a: float, b: float) -> float:
    if covariance == 0.0:
        return 0.0
    return covariance / a / b if a and b else math.copysign(math.inf, covariance)


def _cholesky(correlation: Matrix) -> Matrix:
    """L with L L^T the matrix, by Cholesky's method with pivots; the matrix may be singular."""
    n = len(correlation)
    rest = [row[:] for row in correlation]
    factor = [[0.0] * n for _ in range(n)]
    left = list(range(n))
    tolerance = n * ROUNDING
    for k in range(n):
        pivot = max(left, key=lambda i: rest[i][i])
        if rest[pivot][pivot] <= 8 * n * EPSILON:
            break
        root = math.sqrt(rest[pivot][pivot])
        left.remove(pivot)
        factor[pivot][k] = root
        for i in left:
            factor[i][k] = rest[i][pivot] / root
        for i in left:
            for j in left:
                rest[i][j] -= factor[i][k] * factor[j][k]
    if any(rest[i][i] < -tolerance or abs(rest[i][j]) > 2 * tolerance for i in left for j in left):
        raise InputValueError(
            "sigma is not positive semidefinite: some combination of the inputs would have a negative variance, so it is no "
            "covariance matrix"
        )
    return factor


# -- what they do to the result ---------------------------------------------------------------------------------------


def _spread(
    gradient: list[float], curvature: Matrix | None, errors: list[float], factor: Matrix | None
) -> tuple[float, list[float], float]:
    """The standard error, the shares, and what the curvature adds to the mean."""
    n = len(errors)
    moved = [g * s if s else 0.0 for g, s in zip(gradient, errors, strict=True)]  # by one standard error of each input
    bent: Matrix = [[0.0] * n for _ in range(n)]
    if curvature is not None:
        bent = [
            [h * a * b if a and b else 0.0 for h, b in zip(row, errors, strict=True)]
            for row, a in zip(curvature, errors, strict=True)
        ]
    along, turned = moved, bent  # C g and H C, in units of the errors
    sizes = moved
    if factor is not None:
        sizes = [sum(factor[i][k] * moved[i] for i in range(n)) for k in range(n)]
        along = [sum(map(_scalar_product, row, sizes)) for row in factor]
        half = _product(bent, factor)
        across = [list(column) for column in zip(*factor, strict=True)]
        turned = _product(half, across)
        bends = [x for row in _product(across, half) for x in row]
    else:
        bends = [x for row in bent for x in row]
    stderr = math.hypot(*sizes, *(x * math.sqrt(0.5) for x in bends)) if curvature is not None else math.hypot(*sizes)
    shift = sum(turned[i][i] for i in range(n)) / 2 if all(map(math.isfinite, bends)) else math.nan
    if stderr <= 4 * n * EPSILON * max(map(abs, moved)) < math.inf:  # what is left where errors cancel
        return 0.0, [0.0] * n, shift
    shares = [(m / stderr) * (a / stderr) for m, a in zip(moved, along, strict=True)]
    if curvature is not None:
        shares = [
            share + sum((turned[i][j] / stderr) * (turned[j][i] / stderr) for j in range(n)) / 2
            for i, share in enumerate(shares)
        ]
    return stderr, shares, shift


def _scalar_product(a: float, b: float) -> float:
    return a * b


def _product(a: Matrix, b: Matrix) -> Matrix:
    columns = list(zip(*b, strict=True))
    return [[sum(map(_scalar_product, row, column)) for column in columns] for row in a]


def _doubts(value: float, stderr: float, order: int, inputs: tuple[Input, ...]) -> Iterator[str]:
    for row in inputs:
        if row.stderr and not math.isfinite(row.derivative):
            yield f"the derivative by {row.name} is {row.derivative} here: its error cannot be carried through"
    if not math.isfinite(value):
        yield f"the value is {value}"
    largest = max(abs(row.derivative * row.stderr) if row.stderr else 0.0 for row in inputs)
    if largest and stderr <= 1e-7 * largest < math.inf:
        yield "the errors of the inputs cancel to the digits of the covariance: what is left of them is not known better"
    elif stderr == 0.0 and any(row.stderr for row in inputs):
        if order == 1:
            yield "the derivatives are 0 here, which does not make it exact: order 2 adds the curvature"
        else:
            yield "first and second derivatives are 0 here, which at a kink or a higher power does not make it exact"
