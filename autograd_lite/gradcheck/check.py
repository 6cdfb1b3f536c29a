"""`check_grads` and `check_derivative`: exact derivatives against numerical ones, and the first wrong op where they differ."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

from .. import context, graph
from ..errors import AnomalyError, InputTypeError, InputValueError
from ..functional import jvp, vjp
from ..numerical.derivative import Derivative, numerical_derivative
from ..tree import as_float, flatten, is_scalar
from ..value import Value
from .replay import ALLOWANCE, Forms, NoReplayError, Replay, forms_given, load_mpmath
from .report import Report, Row
from .rounding import Rounding
from .subject import FEW, Subject, Vector, name_of, pick, plain
from .verdict import FAIL, INCONCLUSIVE, PASS, UNDERFLOW, WEAK, Verdict, judge, ratio_hint

__all__ = ["check_derivative", "check_grads"]

NAMED = 200  # inputs looked at one by one to name a wrong one
CERTAIN = 1e-13  # relative agreement with a replay in high precision
SAME = 1e-12  # two sweeps that differ by less differ by rounding


def check_grads(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    *,
    order: int = 2,
    modes: Sequence[str] = ("rev", "fwd"),
    rtol: float = 1e-8,
    fast: bool = False,
    reference: Any = None,
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
    subject = Subject(f, args)
    rows = []
    for k in range(len(subject.outputs)):
        replay, reason = _replay(subject, k, forms)
        for turn in range(1, order + 1):
            rows += _check_order(subject, k, turn, tuple(modes), rtol, fast, replay, reason)
    wrong = [row.order for row in rows if row.verdict == FAIL]
    return Report(rows, subject.name, _blame(subject, min(wrong), rtol) if wrong else "")


def check_derivative(
    f: Callable[[float], Any],
    df: Callable[[float], Any],
    x: Any,
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

    Args:
        f: any callable from a float to a real number; nan where it raises an ArithmeticError or a ValueError.
        df: the callable that claims to be its derivative.
        x: a number, or a list of numbers, in the units of f's argument.
        rtol, fast: as in `check_grads`.

    Check a second derivative as ``check_derivative(df, ddf, x)``.  Returns a `Report` with one row for each point.  Raises
    InputTypeError where f or df cannot be called or x holds no numbers.
    """
    for name, function in (("f", f), ("df", df)):
        if not callable(function):
            raise InputTypeError(f"{name}={function!r} is not callable: give a function of one float")
    _rtol(rtol)
    points = [as_float(p, "x") for p in ([x] if is_scalar(x) else flatten(x, "x")[0])]
    if not points:
        raise InputValueError(f"x={x!r} holds no numbers: give at least one point to check at")
    name = name_of(f)
    rows = []
    for p in points:
        found = numerical_derivative(f, p, fast=fast)
        given = as_float(df(p), "result of df")
        rows.append(_row(1, name, f"x at {p:g}", "given", given, judge(given, found, rtol), found))
    return Report(rows, name)


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
    subject: Subject, k: int, order: int, modes: tuple[str, ...], rtol: float, fast: bool, replay: Replay | None, reason: str
) -> list[Row]:
    directions = subject.directions()
    rows = []
    if order == 1:
        engine = _gradients(subject, k, modes, directions)
        for i, (name, d) in enumerate(directions):
            differenced = subject.along(lambda p: subject.value(k, p), d)
            found = numerical_derivative(*differenced, fast=fast)
            doubt = Rounding(subject, k, differenced, fast, d)
            settle = _settler(replay, reason, rtol, doubt)
            rows += _rows(1, subject.outputs[k], name, {m: engine[m][i] for m in modes}, found, rtol, doubt, settle)
        if len(subject.point) > FEW and any(row.verdict == FAIL for row in rows):
            rows += _wrong_inputs(subject, k, modes, rtol)
        return rows
    seconds = _hessians(subject, k, modes, directions)
    errors, doubts = {}, {}
    for j, (second, e) in enumerate(directions):
        for i, (first, d) in enumerate(directions):
            if len(subject.point) > FEW and abs(i - j) > 1:
                continue  # of random directions a few pairs will do
            differenced = subject.along(lambda p, d=d: subject.slope(k, p, d), e)  # type: ignore[misc]
            found = numerical_derivative(*differenced, fast=fast)
            errors[i, j] = found.error
            doubts[i, j] = doubt = Rounding(subject, k, differenced, fast, d, e)
            settle = _settler(replay, reason, rtol, doubt)
            engines = {m: seconds[m][i][j] for m in modes}
            rows += _rows(2, subject.outputs[k], f"({first}, {second})", engines, found, rtol, doubt, settle)
    return rows + _symmetry(subject, k, modes, directions, seconds, errors, doubts, rtol)


def _gradients(
    subject: Subject, k: int, modes: Sequence[str], directions: Sequence[tuple[str, Vector]]
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
    subject: Subject, k: int, modes: Sequence[str], directions: Sequence[tuple[str, Vector]]
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
    subject: Subject, k: int, modes: Sequence[str], directions: Any, seconds: Any, errors: Any, doubts: Any, rtol: float
) -> list[Row]:
    """A failing row for each pair of mixed derivatives that differ, which no smooth function has."""
    rows = []
    for mode in modes:
        for i, j in combinations(range(len(directions)), 2):
            a, b = seconds[mode][i][j], seconds[mode][j][i]
            largest = max(abs(a), abs(b))
            slack = 2.0 * (errors.get((i, j), math.inf) + errors.get((j, i), math.inf))
            excess = abs(a - b) - rtol * largest - slack
            if math.isfinite(largest) and excess > 0.0 and excess > doubts[i, j].slack + doubts[j, i].slack:
                pair = f"({directions[i][0]}, {directions[j][0]})"
                hint = "the Hessian is not symmetric: in place of the numerical value stands the engine's of the other order"
                rows.append(
                    Row(2, subject.outputs[k], pair, "symmetry", a, b, 0.0, "smooth", math.nan, math.nan,
                        abs(a - b) / largest, FAIL, hint, 0)
                )  # fmt: skip
    return rows


def _wrong_inputs(subject: Subject, k: int, modes: Sequence[str], rtol: float) -> list[Row]:
    """The failing rows of the first inputs one by one, to name what a direction only hints at."""
    n = len(subject.point)
    gradient = [plain(g) for g in subject.gradient_of(k)(*subject.tree(subject.point))]
    rows: list[Row] = []
    for i in range(min(n, NAMED)):
        unit = [float(i == j) for j in range(n)]
        found = numerical_derivative(*subject.along(lambda p: subject.value(k, p), unit), fast=True)
        row = _row(1, subject.outputs[k], subject.inputs[i], "rev", gradient[i], judge(gradient[i], found, rtol), found)
        rows += [row] if row.verdict == FAIL else []
    return rows[:10]


Settle = Callable[[Row], Row]


def _rows(
    order: int,
    output: str,
    name: str,
    engines: dict[str, float],
    found: Derivative,
    rtol: float,
    doubt: Rounding,
    settle: Settle,
) -> list[Row]:
    """A row for each value that the modes give: one where they agree."""
    groups: list[tuple[list[str], float]] = []
    for mode, value in engines.items():
        for names, other in groups:
            if value == other or (value != value and other != other) or _near(value, other, SAME, doubt):
                names.append(mode)
                break
        else:
            groups.append(([mode], value))
    rows = [
        settle(_row(order, output, name, ", ".join(names), value, *doubt.judge(value, found, rtol))) for names, value in groups
    ]
    agreed = len(groups) < 2 or _near(groups[0][1], groups[1][1], rtol, doubt)
    if not agreed and all(row.verdict in (PASS, WEAK) for row in rows) and not math.isinf(found.value):
        hint = "rev and fwd differ by more than rtol, though f's values allow both"
        rows = [row._replace(verdict=INCONCLUSIVE, hint=hint) for row in rows]
    return rows


def _near(a: float, b: float, rtol: float, doubt: Rounding) -> bool:
    if not math.isfinite(a - b):
        return a == b
    return abs(a - b) <= max(rtol * max(abs(a), abs(b)), UNDERFLOW) or abs(a - b) <= doubt.slack


def _row(order: int, output: str, name: str, mode: str, engine: float, verdict: Verdict, found: Derivative) -> Row:
    hint = verdict.hint if order == 1 else re.sub(r"\bf\b", "the gradient", verdict.hint)
    return Row(
        order, output, name, mode, engine, found.value, found.error, found.kind, found.left, found.right,
        verdict.relative, verdict.verdict, hint, found.evaluations,
    )  # fmt: skip


# -- high precision ---------------------------------------------------------------------------------------------------


def _replay(subject: Subject, k: int, forms: Forms | None) -> tuple[Replay | None, str]:
    """The replay of output k, or why there is none."""
    if forms is None:
        return None, ""
    inputs = [Value(x) for x in subject.point]
    out = subject.out(k, inputs)
    if not isinstance(out, Value):
        return None, "not certified: the result is a plain number and has no graph"
    try:
        return Replay(out, inputs, forms), ""
    except NoReplayError as error:
        return None, f"not certified: {error}"


def _settler(replay: Replay | None, reason: str, rtol: float, doubt: Rounding) -> Settle:
    """What gives a row its verdict from a replay, where there is one and it has a say."""

    def settle(row: Row) -> Row:
        if row.kind in ("kink", "jump", "cusp") or (replay is None and not reason):
            return row
        why = reason
        if replay is not None:
            try:
                exact, moved = replay.derivative(*doubt.directions)
            except NoReplayError as error:
                why = f"not certified: {error}"
            else:
                return _certified(row, exact, moved, rtol, doubt)
        return row._replace(hint=f"{row.hint}; {why}" if row.hint else why)

    return settle


def _certified(row: Row, exact: float, moved: float, rtol: float, doubt: Rounding) -> Row:
    difference = abs(row.engine - exact)
    largest = max(abs(row.engine), abs(exact))
    row = row._replace(numeric=exact, error=moved, relative=difference / largest if largest else 0.0)
    if row.engine == exact or difference <= max(CERTAIN * abs(exact), 5e-324):
        return row._replace(verdict=PASS, hint="certified")
    if largest <= doubt.slack:
        return row._replace(verdict=PASS, hint=f"certified up to the rounding of terms of size {doubt.size:.2g}")
    if difference <= max(ALLOWANCE * moved, doubt.slack):  # the graph is right, but how f is written spoils the number
        if difference <= rtol * largest:
            return row._replace(verdict=PASS, hint=f"certified up to f's own rounding, {difference / largest:.0e}")
        return row._replace(
            verdict=WEAK, hint=f"every op is right, but rounding in f spoils the result by {difference / largest:.0e}"
        )
    return row._replace(verdict=FAIL, hint=ratio_hint(row.engine, exact, moved))


# -- who is wrong -----------------------------------------------------------------------------------------------------


def _blame(subject: Subject, order: int, rtol: float) -> str:
    """The first op, operands before results, whose own partial disagrees with its own values; with its source line."""
    leaves = [Value(x, name) for x, name in zip(subject.point, subject.inputs, strict=True)]
    try:
        with context.detect_anomaly():
            if order == 1:
                roots = flatten(subject.f(*subject.tree(leaves)))[0]
            else:
                roots = []
                for k in range(len(subject.outputs)):
                    out = subject.out(k, leaves)
                    if isinstance(out, Value):
                        roots += graph.reverse({out: 1.0}, graph=True).inputs.values()
    except AnomalyError as error:
        return f"first nan: {error}"
    seen = set()
    for node in reversed(graph.order([root for root in roots if isinstance(root, Value)])):
        floats = graph.values(node)
        if (node.op, floats) in seen:
            continue
        seen.add((node.op, floats))
        if found := _wrong_partial(node, floats, rtol):
            return found
    of = "its" if order == 1 else "its gradient's"
    return (
        f"no wrong op: the partials of all {of} ops agree with their values, so what is wrong is how they are put together: "
        f"a part of {subject.name} outside the graph (.data, detach, a global), a result that depends on earlier calls, or "
        f'rounding, which reference="mpmath" tells from a fault'
    )


def _wrong_partial(node: Any, floats: tuple[float, ...], rtol: float) -> str:
    op = node.op
    where = getattr(node, "where", "unknown line")
    if op.name == "stop_gradient":
        return f"first op that passes no gradient: stop_gradient at {where}, by definition"
    if op.name == "identity" or not all(map(math.isfinite, floats)):
        return ""
    flows = graph.contributions(node, 1.0)
    for i, (a, flow) in enumerate(zip(graph.operands(node), flows, strict=True)):
        if a.__class__ is float:
            continue
        partial = 0.0 if flow is None else flow

        def forward(t: float, i: int = i) -> float:
            return float(op.forward(*floats[:i], t, *floats[i + 1 :]))

        if judge(partial, numerical_derivative(forward, floats[i], fast=True), rtol).verdict == PASS:
            continue
        found = numerical_derivative(forward, floats[i])
        verdict = judge(partial, found, rtol)
        if verdict.verdict == FAIL:
            call = f"{op.name}({', '.join(f'{x:g}' for x in floats)})"
            truth = f"{found.value:.10g}" if found.value == found.value else f"between {found.left:g} and {found.right:g}"
            return (
                f"first wrong op: {call} at {where}: its partial {i} is {partial:.10g}, its values say {truth} ({verdict.hint})"
            )
    return ""
