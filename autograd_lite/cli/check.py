"""`autograd-lite check`: a formula's derivatives against finite differences."""

from __future__ import annotations

import inspect
import random
import re
from collections.abc import Mapping, Sequence
from itertools import count
from keyword import iskeyword
from typing import Annotated, Any, NamedTuple

from click.exceptions import Exit

from .. import graph
from ..errors import InputValueError
from ..formula.expression import Expression
from ..gradcheck import Report, Row, check_grads
from ..gradcheck.verdict import FAIL, INCONCLUSIVE
from ..tree import Number
from ..value import Value
from .common import Formula, Ieee, Json, Pairs, evaluated, read_formula, read_pairs, refuse_unknown, values_for
from .options import Option
from .output import print_table, say, say_json, shown
from .patience import Patience

TRIES = 200  # draws for one random point
AGAIN = 5  # times as many points as asked for may be drawn again
WIDE = 4.0  # random numbers lie within this of 0
NEAR = 2.0**-4  # how far around a random point, relatively, the formula must be defined and smooth
LARGEST = 1e6  # of any intermediate result at a random point
BENT = 0.25  # by how much, relatively, a step with a kink somewhere may bend over half that distance
DETAILED = 3  # points whose wrong derivatives are printed


def check(
    formula: Formula,
    values: Pairs = None,
    random_points: Annotated[int | None, Option("--random", metavar="N", help="Check at N random points instead.")] = None,
    seed: Annotated[int, Option(help="Of the random points.")] = 0,
    json: Json = False,
    ieee: Ieee = False,
) -> None:
    """First and second derivatives of a formula against finite differences.

    Exit status 1 if a derivative is wrong, else 0; what cannot be told is printed as inconclusive.

    Examples

    autograd-lite check "x**y * sin(x)" x=2 y=3

    autograd-lite check "log(x) / (1 + y**2)" --random 10 --seed 1
    """
    expression = read_formula(formula)
    if not expression.names:
        raise InputValueError(f"{expression} has no names: there is nothing to differentiate by")
    if random_points is not None and random_points < 1:
        raise InputValueError(f"random={random_points} must be at least 1")
    if random_points is not None:
        checked, again = _at_random(expression, read_pairs(values), random_points, seed)
    else:
        point = values_for(expression, values, "check")
        evaluated(expression, point, ieee)  # whose errors say more than a check of nan could
        checked, again = [_checked(expression, point)], 0
    if json:
        say_json(_data(expression, checked, again))
    elif random_points is not None:
        _print_points(expression, checked, again)
    else:
        _print_report(expression, checked[0])
    if any(c.report.counts()[FAIL] for c in checked):
        raise Exit(1)


class Checked(NamedTuple):
    """A point and what was found there."""

    point: dict[str, float]
    report: Report


def _checked(expression: Expression, point: dict[str, float]) -> Checked:
    report = check_grads(_by_position(expression), tuple(point.values()))
    own = {stand: name for name, stand in _spelled(expression).items() if stand != name}
    if own:
        words = re.compile(r"\b(?:" + "|".join(own) + r")\b")

        def renamed(text: str) -> str:
            return words.sub(lambda found: own[found[0]], text)

        report.rows = [
            row._replace(output=renamed(row.output), input=renamed(row.input), hint=renamed(row.hint)) for row in report.rows
        ]
        report.blame = renamed(report.blame)
    return Checked(point, report)


def _spelled(expression: Expression) -> dict[str, str]:
    """The names of a formula as Python can have them: itself, or one that stands for `a b` or a[site]."""
    found: dict[str, str] = {}
    for name in expression.names:
        stand = next(s for i in count() if (s := f"name{i}") not in (*expression.names, *found.values()))
        found[name] = name if name.isidentifier() and not iskeyword(name) else stand
    return found


def _by_position(expression: Expression) -> Any:
    """The formula as a function of its names in order, which a report can name."""

    def f(*values: Number) -> Any:
        result = expression(dict(zip(expression.names, values, strict=True)))
        return result if isinstance(result, Value) else Value(result)  # where(1, 2, x) does not depend on x

    kind = inspect.Parameter.POSITIONAL_ONLY
    names = [inspect.Parameter(name, kind) for name in _spelled(expression).values()]
    f.__signature__ = inspect.Signature(names)  # type: ignore[attr-defined]
    return f


# -- random points ----------------------------------------------------------------------------------------------------


def _at_random(expression: Expression, fixed: Mapping[str, float], wanted: int, seed: int) -> tuple[list[Checked], int]:
    """What was found at random points, and how many were drawn again because the formula's values tell nothing there."""
    refuse_unknown(expression, fixed)
    if len(fixed) == len(expression.names):
        raise InputValueError("every name has a number, which leaves none to draw: leave --random out, or a name")
    draw = random.Random(seed)
    found: list[Checked] = []
    again = 0
    patience = Patience()
    while len(found) < wanted:
        checked = _checked(expression, _smooth_point(expression, fixed, draw))
        patience.equal(wanted - len(found) - 1, f"{wanted} points of this formula", "give a smaller number of them")
        verdicts = checked.report.counts()
        if verdicts[INCONCLUSIVE] and not verdicts[FAIL] and again < AGAIN * wanted:
            again += 1
        else:
            found.append(checked)
    return found, again


def _smooth_point(expression: Expression, fixed: Mapping[str, float], draw: random.Random) -> dict[str, float]:
    """A point at which a formula is defined and smooth; the names in `fixed` keep their numbers."""
    patience = Patience()
    for left in range(TRIES, 0, -1):
        point = {name: fixed[name] if name in fixed else _any_number(draw) for name in expression.names}
        if _is_smooth(expression, point):
            return point
        patience.equal(left - 1, f"{TRIES} draws of a point for this formula", f"give a point, {expression.names[0]}=1.5")
    line = " ".join(f"{name}=1.5" for name in expression.names)
    raise InputValueError(f"found no point within {WIDE:g} of 0 where {expression} is defined and smooth: give one, {line}")


def _any_number(draw: random.Random) -> float:
    low, high = draw.choice(((-WIDE, WIDE), (0.0, WIDE), (0.0, 1.0)))
    return round(draw.uniform(low, high), 3)


def _is_smooth(expression: Expression, point: Mapping[str, float]) -> bool:
    """Whether every step of a formula is defined, moderate and smooth at a point and on the way to points beside it."""
    f, at = _by_position(expression), list(point.values())
    here = _steps(f(*map(Value, at)))
    if not all(map(_goes_smoothly, here, here)):
        return False
    for i, x in enumerate(at):
        for moved in (x - NEAR * max(abs(x), NEAR), x + NEAR * max(abs(x), NEAR)):
            there = _steps(f(*map(Value, [*at[:i], moved, *at[i + 1 :]])))
            if not all(map(_goes_smoothly, here, there)):
                return False
    return True


def _steps(root: Value) -> list[Value]:
    return graph.order([root])


def _goes_smoothly(here: Value, there: Value) -> bool:
    """Whether one step of a formula is tame at both of two points, and no kink of its op lies between them."""
    if not (abs(here.data) < LARGEST and abs(there.data) < LARGEST):  # nor is nan
        return False
    op = here.op
    assert op is not None
    if not op.kinks:
        return True
    a, b = graph.values(here), graph.values(there)
    if op.kinked(*a) or op.kinked(*b):
        return False
    middle = op.forward(*[x + (y - x) / 2.0 for x, y in zip(a, b, strict=True)])
    rise, more = middle - here.data, there.data - middle
    return bool(abs(more - rise) <= BENT * (abs(more) + abs(rise)))  # nan is refused too


# -- what is printed --------------------------------------------------------------------------------------------------


def _print_points(expression: Expression, checked: Sequence[Checked], again: int) -> None:
    rows = [(*map(shown, c.point.values()), _verdicts(c.report)) for c in checked]
    print_table((*expression.names, "derivatives"), rows, numbers=range(len(expression.names)))
    if again:
        say(f"\n{again} more were drawn, at which the values of the formula do not tell its derivatives")
    wrong = [c for c in checked if not c.report.ok]
    for c in wrong[:DETAILED]:
        say()
        _print_report(expression, c)
    if len(wrong) > DETAILED:
        say(f"\n... and {len(wrong) - DETAILED} more points")


def _print_report(expression: Expression, checked: Checked) -> None:
    """The derivatives at one point, and below them what there is to say of some."""
    at = ", ".join(f"{name}={shown(x)}" for name, x in checked.point.items())
    say(f"{expression} at {at}: {_verdicts(checked.report)}\n")
    rows = [
        (_derivative(row), shown(row.engine), shown(row.numeric), f"{row.error:.0e}", row.kind, row.verdict)
        for row in checked.report.rows
    ]
    print_table(("derivative", "exact", "numeric", "±", "place", "verdict"), rows, numbers=(1, 2, 3))
    hints = [f"{_derivative(row)}: {row.hint}" for row in checked.report.rows if row.hint]
    for line in [*hints, *filter(None, [_in_formula(checked.report.blame)])]:
        say(f"\n{line}")


def _in_formula(blame: str) -> str:
    """What is to blame, without the source line: in a formula it is a line of ours."""
    return re.sub(r" at [\w.<>-]+:\d+", "", blame)


def _derivative(row: Row) -> str:
    mode = "" if row.mode == "rev, fwd" else f" ({row.mode})"
    return f"d{'' if row.order == 1 else '²'}{row.output}/{row.input}{mode}"


def _verdicts(report: Report) -> str:
    return ", ".join(f"{n} {verdict}" for verdict, n in report.counts().items() if n)


def _data(expression: Expression, checked: Sequence[Checked], again: int) -> dict[str, Any]:
    """What was found as data for JSON."""
    return {
        "formula": expression.text,
        "ok": all(c.report.ok for c in checked),
        "drawn_again": again,
        "points": [
            {
                "at": c.point,
                "ok": c.report.ok,
                "derivatives": [row._asdict() for row in c.report.rows],
                "blame": _in_formula(c.report.blame),
            }
            for c in checked
        ],
    }
