"""The noisy replay: an expression in high precision, and how far rounding may move its value and derivatives.

Every place where rounding enters is disturbed in turn, by 1e-30 of its size, in the replay at 120 digits: operands, slopes
and second derivatives.  What that moves, added up, is the condition number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

from ..gradcheck.replay import high_precision_forms, load_mpmath
from ..ops import Op
from ..program import Program
from ..tree import Number
from .formula import Expression, Truth

DIGITS = 120  # of the replay
STEP, NOISE = 25, 30  # its differences are taken over 1e-25, its disturbances are 1e-30
ILL = 1e5  # a relative condition number from which an expression is ill conditioned
COARSE = 2.0**-12  # the step, relative, for an op that is replayed by its values
FLAT = 1e-12  # a second derivative below this is none


def _second_order(op: Op, at: tuple[float, ...]) -> Callable[..., Number]:
    """A row near a point as its values there have it: a polynomial of second order in the variables' relative changes."""
    variables = [i for i in range(len(at)) if i not in op.settings]
    scale = [abs(at[i]) or 1.0 for i in variables]

    def moved(directions: tuple[int, ...]) -> float:
        args = list(at)
        for i, s, size in zip(variables, directions, scale, strict=True):
            args[i] += s * size * COARSE
        return op.forward(*args)

    n = len(variables)
    value, *found = _differences(moved, n, COARSE)
    pairs = list(zip(combinations_with_replacement(range(n), 2), found[n:], strict=True))

    def polynomial(*args: Number) -> Number:
        u = [(args[i] - at[i]) / size for i, size in zip(variables, scale, strict=True)]
        linear = sum(d * step for d, step in zip(found, u, strict=False))
        return value + linear + sum(c * u[i] * u[j] / (2 if i == j else 1) for (i, j), c in pairs)

    return polynomial


class _Disturbance(NamedTuple):
    """A relative error at one instruction: in an operand, in the slope by an operand, or in a second derivative."""

    instruction: int
    kind: int  # 0, 1, 2: how often what is disturbed is differentiated
    i: int
    j: int
    at: tuple[Any, ...]  # the operands at the expression's point
    curve: Any  # d^2 f / dx_i dx_j there

    def into(self, args: list[Number], noise: Number) -> Number:
        """Disturb the operands of the instruction in place, or return what is to be added to its result."""
        i, j = self.i, self.j
        if self.kind == 2:
            half = 2 if i == j else 1
            return noise * self.curve * (args[i] - self.at[i]) * (args[j] - self.at[j]) / half
        args[i] += noise * (args[i] if self.kind == 0 else args[i] - self.at[i])
        return 0


def _disturbances(
    point: Sequence[float], program: Program, forms: Sequence[Callable[..., Number]], h: Number
) -> Iterable[_Disturbance]:
    """Every place of a replay where rounding enters."""
    mpf = load_mpmath().mpf
    known = [mpf(x) for x in point]
    for s, (f, (op, operands)) in enumerate(zip(forms, program.instructions, strict=True)):
        at = tuple(known[a] if isinstance(a, int) else mpf(a) for a in operands)
        known.append(f(*at))
        moving = [j for j in range(len(at)) if j not in op.settings]
        for j in moving:
            if at[j]:
                yield _Disturbance(s, 0, j, j, at, 0)
        moving = [j for j in moving if isinstance(operands[j], int)]  # constants have no slope
        for j in moving:
            yield _Disturbance(s, 1, j, j, at, 0)

        def of_moving(
            directions: tuple[int, ...], f: Callable[..., Number] = f, at: Number = at, moving: Number = moving
        ) -> Number:
            args = list(at)
            for j, s in zip(moving, directions, strict=True):
                args[j] += s * h
            return f(*args)

        n = len(moving)
        curves = _differences(of_moving, n, h)[1 + n :]
        for (i, j), curve in zip(combinations_with_replacement(moving, 2), curves, strict=True):
            if abs(curve) > FLAT:
                yield _Disturbance(s, 2, i, j, at, curve)


def _differences(moved: Callable[[tuple[int, ...]], Number], n: int, h: Number) -> list[Number]:
    """Value, gradient and the upper triangle of the Hessian row by row, by central differences.

    ``moved(directions)`` is the function, each of its n variables moved by -1, 0 or 1 times h.
    """
    units = [tuple(int(i == j) for j in range(n)) for i in range(n)]
    middle = moved((0,) * n)
    right = [moved(u) for u in units]
    left = [moved(tuple(-s for s in u)) for u in units]
    found = [middle, *[(far - near) / (2 * h) for far, near in zip(right, left, strict=True)]]
    for i in range(n):
        found.append((right[i] - 2 * middle + left[i]) / h**2)
        for j in range(i + 1, n):
            both = tuple(s + t for s, t in zip(units[i], units[j], strict=True))
            total = moved(both) + moved(tuple(-s for s in both)) + 2 * middle
            found.append((total - right[i] - left[i] - right[j] - left[j]) / (2 * h**2))
    return found


def judge(expression: Expression, reference: Mapping[str, Callable[..., Number]]) -> bool:
    """Work out truth and allowance of an expression; False where it is ill conditioned.

    `reference` has high-precision functions of ops that are not in the table.
    """
    mp = load_mpmath().mp
    mpf, forms = mp.mpf, high_precision_forms(mp)

    def replayed(op: Op, at: tuple[float, ...], out: float) -> Callable[..., Number]:
        if op.name in reference:
            return reference[op.name]
        return partial(forms[op.name], at, out) if op.entered else _second_order(op, at)

    program = expression.program
    functions: list[Callable[..., Any]] = []  # of the instructions, one each

    def recorded(op: Op, *at: float) -> float:
        out = op.forward(*at)
        functions.append(replayed(op, at, out))
        return out

    program.run(expression.at, recorded)

    with mp.workdps(DIGITS):
        h, noise = mpf(10) ** -STEP, mpf(10) ** -NOISE
        smallest = mpf(10) ** (5 - 2 * STEP)  # what the differences leave of a derivative that is 0

        undisturbed: dict[tuple[int, ...], list[Any]] = {}  # by direction, all intermediate results

        def replay(directions: tuple[int, ...], disturbance: _Disturbance | None) -> Number:
            values = [mpf(x) + s * h for x, s in zip(expression.at, directions, strict=True)]
            known = undisturbed.get(directions) if disturbance is not None else None
            changed: set[int] = set()
            for i, (f, (_, operands)) in enumerate(zip(functions, program.instructions, strict=True)):
                disturbed = disturbance is not None and disturbance.instruction == i
                if known is not None and not disturbed and changed.isdisjoint(operands):
                    values.append(known[len(values)])
                    continue
                changed.add(len(values))
                args = [values[a] if isinstance(a, int) else mpf(a) for a in operands]
                extra = disturbance.into(args, noise) if disturbed and disturbance is not None else 0
                values.append(f(*args) + extra)
            if disturbance is None:
                undisturbed[directions] = values
            return values[-1]

        def quantities(disturbance: _Disturbance | None) -> list[Number]:
            """Value, gradient and the upper triangle of the Hessian; exactly 0 where they are 0 up to the differences."""
            found = _differences(lambda directions: replay(directions, disturbance), len(expression.names), h)
            return [q if abs(q) > smallest else mpf(0) for q in found]

        truth = quantities(None)
        moves = [mpf(0)] * len(truth)
        for disturbance in _disturbances(expression.at, program, functions, h):
            for k, (q, exact) in enumerate(zip(quantities(disturbance), truth, strict=True)):
                moves[k] += abs(q - exact) / noise
            if any(not mp.isfinite(m) or m > ILL * abs(q) for m, q in zip(moves, truth, strict=True)):
                return False
        half_ulp = mpf(2) ** -53
        allowances = [float(half_ulp * (m + len(program) * abs(q)) + smallest) for m, q in zip(moves, truth, strict=True)]
    expression.truth = _structured(expression.names, truth)
    expression.allowance = _structured(expression.names, allowances)
    return True


def _structured(names: Sequence[str], numbers: Sequence[Number]) -> Truth:
    """Value, gradient and the upper triangle of the Hessian, one after another, by name."""
    supply = iter(numbers)
    value = next(supply)
    gradient = {name: next(supply) for name in names}
    second: dict[str, dict[str, Any]] = {name: {} for name in names}
    for i, a in enumerate(names):
        for b in names[i:]:
            second[a][b] = second[b][a] = next(supply)
    return Truth(value, gradient, second)
