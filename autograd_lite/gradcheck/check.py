"""`check_grads` and `check_derivative`: exact derivatives against numerical ones, and the first wrong op where they differ."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

from ..errors import InputTypeError, InputValueError
from ..functional import jvp, vjp
from ..numerical.derivative import Derivative, numerical_derivative
from ..tree import Number, Tree, as_float, flatten, is_scalar
from .certify import Certify, certifier, replay_of
from .localise import localise, swapped
from .replay import Replay, forms_given, load_mpmath
from .report import Report, Row
from .rounding import Rounding
from .subject import FEW, CheckedFunction, Vector, name_of, parameters, pick, plain
from .verdict import FAIL, INCONCLUSIVE, PASS, UNDERFLOW, WEAK, Verdict, judge

NAMED = 200  # inputs looked at one by one to name a wrong one
SAME = 1e-12  # two sweeps that differ by less differ by rounding


def check_grads(
    f: Callable[..., Tree],
    args: tuple[Tree, ...],
    *,
    order: int = 2,
    modes: Sequence[str] = ("rev", "fwd"),
    rtol: float = 1e-8,
    fast: bool = False,
    reference: Mapping[str, Callable[..., Number]] | Callable[..., Number] | None = None,
) -> Report:
    """Check the library's derivatives of a function against its values, and say which op is wrong if one is.

    ``df/dx`` against ``(f(x + h) - f(x - h)) / 2h`` extrapolated to ``h = 0``; order 2 differences the gradient

    >>> from autograd_lite import sin
    >>> report = check_grads(lambda x, y: sin(x) * y, (0.5, 2.0))
    >>> report.ok, len(report.rows)
    (True, 6)
    >>> print(check_grads(abs, (0.0,), order=1))
    abs: 1 pass
    derivative  mode      engine  numeric  kind  left  right  rel. error  verdict  hint
    d abs/x     rev, fwd  0       none     kink  -1    1      0.0e+00     pass

    Args:
        f: any function the library can differentiate, of numbers or nested containers, that returns a scalar or a
            container of scalars; each of them is checked.
        args: the tuple of its arguments, all of whose numbers are differentiated, each in its own units.
        order: 1, or 2 to check second derivatives too: against differences of the gradient, and for symmetry.
        modes: "rev", "fwd" or both: the sweeps whose results are checked, and against each other.
        rtol: relative error that is still right.
        fast: at most 10 evaluations a derivative; then kinks are told from noise less well.
        reference: "mpmath" to replay the recorded graph with 50 digits, its branches frozen: that settles what the
            values of f leave open and certifies to 1e-13.  A dict gives forms of your own ops: ``{"softsign": function}``.

    Returns a `Report`, true where everything agrees, up to the rounding of the terms that are added up to a derivative: a fault
    below 1e-15 of their size goes unseen.  A verdict of "weak" agrees to few digits only, and "inconclusive"
    does not count as agreement.  More than 20 inputs are checked along random directions.  Raises InputTypeError and
    InputValueError for arguments that break these rules.  Sources: Ridders (1982), Moré and Wild (2011), and the checkers
    of JAX and autograd for order and modes.
    """
    _rules(f, args, order, modes, rtol)
    forms = forms_given(reference)
    if forms is not None:
        load_mpmath()
    subject = CheckedFunction(f, args)
    rows = []
    for k in range(len(subject.outputs)):
        replay, reason = replay_of(subject, k, forms)
        for turn in range(1, order + 1):
            rows += _check_order(subject, k, turn, tuple(modes), rtol, fast, replay, reason)
    wrong = [row.order for row in rows if row.verdict == FAIL]
    return Report(rows, subject.name, localise(subject, min(wrong), rtol) if wrong else "")


def check_derivative(
    f: Callable[..., Number],
    df: Callable[..., Number],
    x: Tree,
    *,
    rtol: float = 1e-8,
    fast: bool = False,
) -> Report:
    """Check a derivative written by hand, of code that need not know this library.

    ``df(x)`` against ``(f(x + h) - f(x - h)) / 2h`` extrapolated to ``h = 0``

    >>> import math
    >>> check_derivative(math.tanh, lambda x: 1 - math.tanh(x) ** 2, [0.0, 0.5, -2.0]).ok
    True
    >>> check_derivative(math.sin, lambda x: -math.cos(x), 1.0).rows[0].hint
    'ratio -1: the sign is wrong'
    >>> check_derivative(math.hypot, lambda x, y: (x / math.hypot(x, y), y / math.hypot(x, y)), (3.0, 4.0)).ok
    True

    Args:
        f: any callable from floats to a real number; nan where it raises an ArithmeticError or a ValueError.
        df: the callable that claims to be its derivative, or for several arguments its gradient, as a list or tuple.
        x: a number, or a tuple of f's arguments, or a list of such points, in the units of f's arguments.
        rtol, fast: as in `check_grads`.

    Check a second derivative as ``check_derivative(df, ddf, x)``.  Returns a `Report` with one row for each point.  Raises
    InputTypeError where f or df cannot be called or x holds no numbers.
    """
    for name, function in (("f", f), ("df", df)):
        if not callable(function):
            raise InputTypeError(f"{name}={function!r} is not callable: give a function of one float")
    _rtol(rtol)
    points = _points_to_check(x)
    name = name_of(f)
    rows = []
    for point in points:
        names = parameters(f, len(point))
        given = df(*point)
        slopes = [given] if is_scalar(given) or len(point) == 1 else list(given)
        if len(slopes) != len(point):
            raise InputTypeError(
                f"result of df={given!r} holds {len(slopes)} numbers for {len(point)} arguments: give one for each"
            )
        found_rows = []
        for i, (p, slope) in enumerate(zip(point, slopes, strict=True)):
            found = numerical_derivative(lambda t, i=i, point=point: f(*point[:i], t, *point[i + 1 :]), p, fast=fast)  # type: ignore[misc]
            number = as_float(slope, "result of df")
            place = f"x at {p:g}" if len(point) == 1 else f"{names[i]} at ({', '.join(f'{q:g}' for q in point)})"
            found_rows.append(_report_row(1, name, place, "given", number, judge(number, found, rtol), found))
        rows += swapped(found_rows, [row.input for row in found_rows])
    return Report(rows, name)


def _points_to_check(x: Tree) -> list[tuple[float, ...]]:
    """The points to check at, each a tuple of all arguments."""
    if isinstance(x, tuple):
        return [tuple(as_float(p, "x") for p in x)] if x else _points_to_check([])
    points = [x] if is_scalar(x) else [p if isinstance(p, tuple) else (p,) for p in x] if isinstance(x, list) else None
    if points is None:
        points = flatten(x, "x")[0]
    if not points:
        raise InputValueError(f"x={x!r} holds no numbers: give at least one point to check at")
    return [tuple(as_float(q, "x") for q in (p if isinstance(p, tuple) else (p,))) for p in points]


def _rules(f: Any, args: Any, order: Any, modes: Any, rtol: Any) -> None:
    if not callable(f):
        raise InputTypeError(f"f={f!r} is not callable: give the function to check")
    if not isinstance(args, tuple):
        raise InputTypeError(f"args={args!r} must be the tuple of f's arguments: check_grads(f, (x,)) for one argument x")
    if order not in (1, 2):
        raise InputValueError(f"order={order!r} must be 1 or 2: check the gradient of f itself for a higher one")
    if isinstance(modes, str) or not modes or not set(modes) <= {"rev", "fwd"}:
        raise InputValueError(f'modes={modes!r} must hold "rev", "fwd" or both: modes=("rev",)')
    _rtol(rtol)


def _rtol(rtol: Any) -> None:
    if not 0.0 < rtol < 0.1:
        raise InputValueError(f"rtol={rtol!r} must lie between 0 and 0.1: 1e-8 asks for 8 digits")


# -- one order of one output ------------------------------------------------------------------------------------------


def _check_order(
    subject: CheckedFunction, k: int, order: int, modes: tuple[str, ...], rtol: float, fast: bool, replay: Replay | None,
    reason: str,
) -> list[Row]:  # fmt: skip
    directions = subject.directions()
    rows = []
    if order == 1:
        engine = _gradients(subject, k, modes, directions)
        for i, (name, d) in enumerate(directions):
            rounding = Rounding(subject, k, lambda p: subject.value(k, p), fast, d)
            found = numerical_derivative(*rounding.differenced, fast=fast)
            certify = certifier(replay, reason, rtol, rounding)
            rows += _tested(1, subject.outputs[k], name, {m: engine[m][i] for m in modes}, found, rtol, rounding, certify)
        rows = swapped(rows, subject.inputs)
        if len(subject.point) > FEW and any(row.verdict == FAIL for row in rows):
            rows += _wrong_inputs(subject, k, modes, rtol)
        return rows
    try:
        seconds = _hessians(subject, k, modes, directions)
    except InputTypeError as error:
        if "would lose its gradient" not in str(error):
            raise
        raise InputTypeError(
            f"a rule that {subject.name} uses takes floats only, and second derivatives run it on Values: "
            f"write autograd_lite.exp for math.exp and so on in it, or check order=1 alone ({error})"
        ) from error
    errors, roundings = {}, {}
    for j, (second, e) in enumerate(directions):
        for i, (first, d) in enumerate(directions):
            if len(subject.point) > FEW and abs(i - j) > 1:
                continue  # of random directions a few pairs will do
            rounding = Rounding(subject, k, lambda p, d=d: subject.slope(k, p, d), fast, d, e)  # type: ignore[misc]
            found = numerical_derivative(*rounding.differenced, fast=fast)
            errors[i, j], roundings[i, j] = found.error, rounding
            certify = certifier(replay, reason, rtol, rounding)
            engines = {m: seconds[m][i][j] for m in modes}
            rows += _tested(2, subject.outputs[k], f"({first}, {second})", engines, found, rtol, rounding, certify)
    return rows + _symmetry(subject, k, modes, directions, seconds, errors, roundings, rtol)


def _gradients(
    subject: CheckedFunction, k: int, modes: Sequence[str], directions: Sequence[tuple[str, Vector]]
) -> dict[str, list[float]]:
    """The engine's derivative along each direction, by each mode."""
    found = {}
    args = subject.tree(subject.point)
    if "rev" in modes:
        gradient = [plain(g) for g in subject.gradient_of(k)(*args)]
        found["rev"] = [pick(gradient, d) for _, d in directions]
    if "fwd" in modes:
        pushed = [jvp(subject.f, args, subject.tree(d))[1] for _, d in directions]
        found["fwd"] = [plain(flatten(p)[0][k]) for p in pushed]
    return found


def _hessians(
    subject: CheckedFunction, k: int, modes: Sequence[str], directions: Sequence[tuple[str, Vector]]
) -> dict[str, list[list[float]]]:
    """The engine's second derivatives by pairs of directions: reverse over reverse, and forward over reverse."""
    found = {}
    gradient, args = subject.gradient_of(k), subject.tree(subject.point)
    if "rev" in modes:
        pullback = vjp(gradient, *args)[1]
        pulled = [[plain(h) for h in flatten(pullback(list(d)))[0]] for _, d in directions]
        found["rev"] = [[pick(row, e) for _, e in directions] for row in pulled]
    if "fwd" in modes:
        columns = [[plain(h) for h in jvp(gradient, args, subject.tree(e))[1]] for _, e in directions]
        found["fwd"] = [[pick(column, d) for column in columns] for _, d in directions]
    return found


def _symmetry(
    subject: CheckedFunction, k: int, modes: Sequence[str], directions: Sequence[tuple[str, Vector]],
    seconds: Mapping[str, list[list[float]]], errors: Mapping[tuple[int, int], float],
    roundings: Mapping[tuple[int, int], Rounding], rtol: float,
) -> list[Row]:  # fmt: skip
    """A failing row for each pair of mixed derivatives that differ, which no smooth function has."""
    rows: dict[tuple[int, int], Row] = {}
    for mode in modes:
        for i, j in combinations(range(len(directions)), 2):
            a, b = seconds[mode][i][j], seconds[mode][j][i]
            largest = max(abs(a), abs(b))
            slack = 2.0 * (errors.get((i, j), math.inf) + errors.get((j, i), math.inf)) + UNDERFLOW
            excess = abs(a - b) - rtol * largest - slack
            if math.isfinite(largest) and excess > 0.0 and excess > roundings[i, j].slack + roundings[j, i].slack:
                pair = f"({directions[i][0]}, {directions[j][0]})"
                hint = "the Hessian is not symmetric: in place of the numerical value stands the engine's of the other order"
                rows.setdefault(
                    (i, j),
                    Row(2, subject.outputs[k], pair, "symmetry", a, b, 0.0, "smooth", math.nan, math.nan,
                        abs(a - b) / largest, FAIL, hint, 0),
                )  # fmt: skip
    return list(rows.values())


def _wrong_inputs(subject: CheckedFunction, k: int, modes: Sequence[str], rtol: float) -> list[Row]:
    """The failing rows of the first inputs one by one, to name what a direction only hints at."""
    n = len(subject.point)
    gradient = [plain(g) for g in subject.gradient_of(k)(*subject.tree(subject.point))]
    rows: list[Row] = []
    for i in range(min(n, NAMED)):
        unit = [float(i == j) for j in range(n)]
        found = numerical_derivative(*subject.along(lambda p: subject.value(k, p), unit), fast=True)
        row = _report_row(1, subject.outputs[k], subject.inputs[i], "rev", gradient[i], judge(gradient[i], found, rtol), found)
        rows += [row] if row.verdict == FAIL else []
    return rows[:10]


def _tested(
    order: int,
    output: str,
    name: str,
    engines: dict[str, float],
    found: Derivative,
    rtol: float,
    rounding: Rounding,
    certify: Certify,
) -> list[Row]:
    """A row for each value that the modes give: one where they agree."""
    groups: list[tuple[list[str], float]] = []
    for mode, value in engines.items():
        for names, other in groups:
            if value == other or (value != value and other != other) or _near(value, other, SAME, rounding):
                names.append(mode)
                break
        else:
            groups.append(([mode], value))
    rows = [
        certify(_report_row(order, output, name, ", ".join(names), value, *rounding.judge(value, found, rtol)))
        for names, value in groups
    ]
    agreed = len(groups) < 2 or _near(groups[0][1], groups[1][1], rtol, rounding)
    if not agreed and all(row.verdict in (PASS, WEAK) for row in rows) and not math.isinf(found.value):
        hint = "rev and fwd differ by more than rtol, though f's values allow both"
        rows = [row._replace(verdict=INCONCLUSIVE, hint=hint) for row in rows]
    return rows


def _near(a: float, b: float, rtol: float, rounding: Rounding) -> bool:
    if not math.isfinite(a - b):
        return a == b
    return abs(a - b) <= max(rtol * max(abs(a), abs(b)), UNDERFLOW) or abs(a - b) <= rounding.slack


def _report_row(order: int, output: str, name: str, mode: str, engine: float, verdict: Verdict, found: Derivative) -> Row:
    hint = verdict.hint if order == 1 else re.sub(r"\bf\b", "the gradient", verdict.hint)
    return Row(
        order, output, name, mode, engine, found.value, found.error, found.kind, found.left, found.right,
        verdict.relative, verdict.verdict, hint, found.evaluations,
    )  # fmt: skip
