"""`autograd-lite grad`: a formula's value and derivatives at a point."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations_with_replacement
from typing import Annotated, Any, NamedTuple

from .. import context, functional
from ..errors import GradientWarning, InputValueError
from ..formula import notation, printer, texmath
from ..formula.expression import Expression
from ..tree import Number
from ..uncertainty import Propagated, percent, propagate
from ..value import Value
from .common import RAISING, Formula, Ieee, Json, evaluated, read_formula, values_for
from .options import Argument, Option
from .output import DIGITS, print_table, say, say_json, say_saved, shown, width
from .patience import Patience

HIGHEST = 8  # order of derivatives; each makes the graph some times larger
MOST, MOST_SECOND = 500, 5000  # derivatives that are worked out, and second ones


def grad(
    formula: Formula,
    values: Annotated[
        list[str] | None,
        Argument(
            metavar="NAME=VALUE",
            help="A number for each name: x=3.5 y=pi/2; with its standard error: v=3+-0.1, or v=3±0.1.",
        ),
    ] = None,
    hessian: Annotated[bool, Option("--hessian", help="All second derivatives too.")] = False,
    order: Annotated[
        int | None,
        Option(
            help=f"All derivatives up to this order, at most {HIGHEST}; from 2 on, standard errors by second derivatives too.",
        ),
    ] = None,
    explain: Annotated[bool, Option("--explain", help="The chain rule step by step.")] = False,
    draw: Annotated[
        list[str] | None,
        Option(
            metavar="FILE",
            help="Save a picture of the chain rule: .html is live; .svg .dot, with CairoSVG .png .pdf; may be given again.",
        ),
    ] = None,
    latex: Annotated[bool, Option("--latex", help="Print LaTeX, for amsmath; also of --explain.")] = False,
    json: Json = False,
    ieee: Ieee = False,
) -> None:
    """The value of a formula and its derivative by each name.

    Examples

    autograd-lite grad "(w*x + b - y)**2" w=0 x=3.5 b=0 y=18

    autograd-lite grad "sin(x)/x" x=pi/4 --order 3

    autograd-lite grad "x**2*y" x=2 y=3 --hessian --json

    autograd-lite grad "v*t" v=3+-0.1 t=2+-0.05

    autograd-lite grad "sigmoid(w*x + b)" w=2 x=1 b=-1 --explain --draw chain.html
    """
    expression = read_formula(formula)
    errors: dict[str, float] = {}
    point = values_for(expression, values, "grad", errors)
    _refuse_order(order, len(point))
    pairs = math.comb(len(point) + 1, 2)
    if hessian and pairs > MOST_SECOND:
        rule = f"--hessian of {len(point)} names is {pairs:,} derivatives, more than {MOST_SECOND:,}"
        raise InputValueError(f"{rule}: put numbers in place of names")
    root, leaves = evaluated(expression, point, ieee)
    root.backward()
    found = Found(
        expression, point, root, {name: leaf.grad for name, leaf in leaves.items()},
        _hessian(expression, point) if hessian else None,
        None if order is None else list(_derivatives(expression, point, order)),
        _propagated(expression, point, errors, 1 if order is None else min(order, 2), ieee) if errors else None,
    )  # fmt: skip
    if draw:
        picture = root.draw(title=expression.text)
        for path in draw:
            picture.save(path)
    if json:
        _print_json(found, root if explain else None, latex, draw or [])
        return
    if latex:
        say("\n".join(_latex(found, explain)))
    else:
        _print_tables(found)
        if found.spread is not None:
            _print_spread(expression, found.spread)
    if explain:
        say(f"\n{root.explain(format='latex' if latex else 'text')}")
    if draw:
        say()
        for path in draw:
            say_saved(path)


class Found(NamedTuple):
    """A formula at a point: its value as a node and its gradient, and where asked second and higher derivatives and errors."""

    expression: Expression
    point: dict[str, float]
    root: Value
    gradient: dict[str, float]
    seconds: dict[str, dict[str, float]] | None
    higher: list[NamedDerivative] | None
    spread: Propagated | None


class NamedDerivative(NamedTuple):
    """One derivative by names, each as often as it is differentiated by."""

    by: tuple[str, ...]
    value: float


# -- higher derivatives -----------------------------------------------------------------------------------------------


def _refuse_order(order: int | None, names: int) -> None:
    if order is None:
        return
    if not 1 <= order <= HIGHEST:
        raise InputValueError(f"order={order} must be from 1 to {HIGHEST}")
    count = math.comb(names + order, order) - 1
    if count > MOST:
        raise InputValueError(
            f"--order {order} of {names} names is {count} derivatives, more than {MOST}: lower the order, "
            f"or put numbers in place of names"
        )


def _hessian(expression: Expression, point: Mapping[str, float]) -> dict[str, dict[str, float]]:
    if not point:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GradientWarning)  # where(1, 2, x) does not depend on x, and its derivatives are 0
        found: dict[str, dict[str, float]] = functional.hessian(expression)(dict(point))
    return found


def _derivatives(expression: Expression, point: Mapping[str, float], order: int) -> Iterator[NamedDerivative]:
    """All derivatives up to an order, by order, each once."""
    names = list(point)
    patience = Patience()
    for n in range(order if names else 0):
        for by in combinations_with_replacement(names, n):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", GradientWarning)
                gradient = functional.grad(_differentiated(expression, by))(dict(point))
            for name in names[names.index(by[-1]) if by else 0 :]:
                yield NamedDerivative((*by, name), gradient[name])
        if n + 2 <= order:
            patience.growing(f"order {n + 2} of this formula", f"give --order {n + 1}, or a shorter formula")


def _differentiated(f: Callable[..., Number], by: Sequence[str]) -> Any:
    """The derivative of a function of a dict of names, as another one."""
    for name in by:
        f = _by(f, name)
    return f


def _by(f: Callable[..., Number], name: str) -> Any:
    def derivative(values: Mapping[str, Number]) -> Any:
        return functional.grad(f)(values)[name]

    return derivative


def _propagated(
    expression: Expression, point: Mapping[str, float], errors: Mapping[str, float], order: int, ieee: bool
) -> Propagated:
    """The errors carried through; what has none is exact."""
    with warnings.catch_warnings(), context.errstate(**({} if ieee else RAISING)):
        warnings.simplefilter("ignore", GradientWarning)
        return propagate(expression, dict(point), {name: errors.get(name, 0.0) for name in point}, order)


# -- as text ----------------------------------------------------------------------------------------------------------


def _print_tables(found: Found) -> None:
    say(f"{found.expression} = {shown(found.root.data)}")
    if not found.point:
        return
    rows = [(name, shown(x), shown(found.gradient[name])) for name, x in found.point.items()]
    say()
    print_table(("name", "value", "derivative"), rows, numbers=(1, 2))
    if found.seconds is not None:
        say()
        _print_matrix(found.seconds)
    above = [d for d in found.higher or () if len(d.by) > (1 if found.seconds is None else 2)]
    if above:
        say()
        print_table(("derivative", "value"), [(_derivative_sign(d.by), shown(d.value)) for d in above], numbers=(1,))


def _print_matrix(seconds: Mapping[str, Mapping[str, float]]) -> None:
    """The second derivatives as a matrix where it fits, else one a line."""
    cells = [[name, *(shown(x) for x in row.values())] for name, row in seconds.items()]
    head = ["second", *seconds]
    widths = [max(map(len, column)) + 2 for column in zip(head, *cells, strict=True)]
    if sum(widths) <= width():
        print_table(head, cells, numbers=range(1, len(head)))
        return
    pairs = combinations_with_replacement(seconds, 2)
    print_table(("derivative", "value"), [(_derivative_sign(by), shown(seconds[by[0]][by[1]])) for by in pairs], numbers=(1,))


def _derivative_sign(by: Sequence[str]) -> str:
    """How a derivative is written: ``d³/dx² dy``."""
    return f"d{_small(len(by))}/" + " ".join(f"d{name}{_small(by.count(name))}" for name in dict.fromkeys(by))


def _small(n: int) -> str:
    return "" if n == 1 else str(n).translate(notation.SUPERSCRIPT)


def _print_spread(expression: Expression, spread: Propagated) -> None:
    """The value with its standard error, and each input's share."""
    first, *rest = spread.summary()
    say("\n".join(["", f"{expression} = {first}", *rest, ""]))
    rows = [(row.name, shown(row.value), shown(row.stderr), percent(row.share)) for row in spread.inputs]
    print_table(("name", "value", "error", "share"), rows, numbers=(1, 2, 3))


# -- as LaTeX and JSON ------------------------------------------------------------------------------------------------


def _latex(found: Found, explained: bool) -> list[str]:
    """An ``align*`` of the formula, its value and its derivatives; total ones have a d where steps with partial ones follow."""

    def number(x: float) -> str:
        return texmath.number(notation.number(x + 0.0, DIGITS))

    top = texmath.name("f")
    derivatives: dict[tuple[str, ...], float] = {(name,): slope for name, slope in found.gradient.items()}
    if found.seconds is not None:
        derivatives |= {(a, b): found.seconds[a][b] for a, b in combinations_with_replacement(found.seconds, 2)}
    derivatives |= {d.by: d.value for d in found.higher or ()}
    rows = [f"{top} &= {_latex_formula(found.expression)} = {number(found.root.data)}"]
    if found.spread is not None:
        rows.append(rf"\sigma_{{{top}}} &= {number(found.spread.stderr)}")
    for by, x in derivatives.items():
        power = f"^{{{len(by)}}}" if len(by) > 1 else ""
        below = " ".join(
            rf"\partial {texmath.name(name)}" + (f"^{{{by.count(name)}}}" if by.count(name) > 1 else "")
            for name in dict.fromkeys(by)
        )
        row = rf"\frac{{\partial{power} {top}}}{{{below}}} &= {number(x)}"
        rows.append(row.replace(r"\partial ", "d ") if explained and len(by) == 1 else row)
    return texmath.aligned(rows)


def _latex_formula(expression: Expression) -> str:
    return printer.LATEX.program(expression.program, [texmath.name(name) for name in expression.names])


def _print_json(found: Found, explained: Value | None, latex: bool, pictures: Sequence[str]) -> None:
    data: dict[str, Any] = {
        "formula": found.expression.text, "value": found.root.data, "at": found.point, "gradient": found.gradient,
    }  # fmt: skip
    if found.seconds is not None:
        data["hessian"] = found.seconds
    if found.higher is not None:
        data["derivatives"] = [{"by": list(d.by), "value": d.value} for d in found.higher]
    if (spread := found.spread) is not None:
        data["propagated"] = {
            "order": spread.order, "stderr": spread.stderr, "mean": spread.mean, "shares": spread.shares,
            "errors": {row.name: row.stderr for row in spread.inputs}, "notes": list(spread.notes),
        }  # fmt: skip
    if explained is not None:
        data["explanation"] = str(explained.explain())
    if latex:
        data["latex"] = _latex_formula(found.expression)
    if pictures:
        data["picture"] = pictures[0] if len(pictures) == 1 else pictures
    say_json(data)
