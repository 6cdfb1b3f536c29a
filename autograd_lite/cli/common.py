"""What the commands share of what is typed: formulas, numbers, pairs of a name and a number, names of files."""

from __future__ import annotations

import math
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from importlib import import_module
from itertools import combinations
from typing import Annotated

import click
from click.shell_completion import get_completion_class

from .. import context
from ..errors import InputValueError
from ..formula.expression import Expression, parse
from ..formula.vocabulary import VOCABULARY
from ..tables.choice import asked_name
from ..value import Value
from .options import Argument, Option
from .output import say

PLUS_MINUS = re.compile(r"\+/-|\+-|±")  # between a number and its standard error
# a name as formulas have it, one in backquotes, of a group or of a word, and what it is given
PAIR = re.compile(r"(?:`(?P<quoted>(?:[^`]|``)+)`|(?P<plain>is *\(.*\)|[^\W\d]\w*(?:\[.*\])?))=(?P<text>.*)", re.DOTALL)
RAISING = {"invalid": "raise", "divide": "raise", "overflow": "raise"}


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        package = import_module(__name__.partition(".")[0])
        say(f"autograd-lite {package.__version__} (core in {package.core()})")
        ctx.exit()


def _show_completion(ctx: click.Context, _: click.Parameter, shell: str | None) -> None:
    if shell is not None:
        made = get_completion_class(shell)
        assert made is not None
        say(made(ctx.command, {}, "autograd-lite", "_AUTOGRAD_LITE_COMPLETE").source())
        ctx.exit()


VERSION = click.Option(
    ["--version"], is_flag=True, callback=_show_version, is_eager=True, expose_value=False, help="Print the version and exit."
)
COMPLETION = click.Option(
    ["--show-completion"], type=click.Choice(["bash", "zsh", "fish"]), callback=_show_completion, is_eager=True,
    expose_value=False, help="Print what makes a shell complete words, and exit.",
)  # fmt: skip


# -- what is typed ----------------------------------------------------------------------------------------------------

Formula = Annotated[
    str,
    Argument(
        metavar="FORMULA",
        help="Python's arithmetic on names: (w*x + b - y)**2, sin(x)/x, where(x > 0, x, 0).",
    ),
]
Pairs = Annotated[list[str] | None, Argument(metavar="NAME=VALUE", help="A number for each name: x=3.5 y=pi/2.")]
Ieee = Annotated[bool, Option("--ieee", help="Let 1/0 be inf and log(-1) nan, where otherwise they are errors.")]
Json = Annotated[bool, Option("--json", help='Print JSON with every digit; nan and inf are the strings "nan", "inf", "-inf".')]


def read_formula(text: str) -> Expression:
    """A formula as typed, with the library's functions.

    >>> read_formula("2*x").names
    ('x',)
    """
    return parse(text, VOCABULARY)


def read_number(text: str, name: str) -> float:
    """A number as typed: whatever `float` reads, or a formula without names.

    >>> read_number("-inf", "x"), read_number("pi/2", "x")
    (-inf, 1.5707963267948966)

    Raises InputValueError for a formula with names, ExpressionError for what is no formula.
    """
    try:
        number = float(text)
    except ValueError:
        pass
    else:
        if number - number != 0.0 and any(c.isdigit() for c in text):
            raise InputValueError(
                f"{name}={text} is beyond the largest number there is, 1.8e308: write {name}=inf if it is meant"
            )
        if number == 0.0 and any(c.isdigit() and c != "0" for c in text.lower().partition("e")[0]):
            raise InputValueError(
                f"{name}={text} is below the smallest number there is, 4.9e-324: write {name}=0 if it is meant"
            )
        return number
    if text.startswith("="):
        raise InputValueError(f"{name}={text} has two signs =: write {name}{text}")
    if not text.strip():
        raise InputValueError(f"{name}= has no value: write {name}=1.5")
    formula = read_formula(text)
    if formula.names:
        raise InputValueError(f"{name}={text} is no number, as it names {formula.names[0]}: write {name}=1.5")
    with context.errstate(**RAISING):
        return float(formula())


def read_pairs(pairs: Sequence[str] | None, errors: dict[str, float] | None = None) -> dict[str, float]:
    """Names and numbers from what was typed as ``name=value``.

    >>> read_pairs(["x=3.5", "y=1/4"])
    {'x': 3.5, 'y': 0.25}
    >>> errors = {}
    >>> read_pairs(["x=3.5+-0.1"], errors), errors
    ({'x': 3.5}, {'x': 0.1})

    Raises InputValueError for anything else, for a name given twice, and for a standard error where no `errors` take it.
    """
    found: dict[str, float] = {}
    for pair in pairs or ():
        name, text = parted(pair)
        if pair.startswith("--"):
            raise InputValueError(f"{pair.partition('=')[0]} is no option of this command: --help lists them")
        if not name:
            raise InputValueError(f"{pair!r} is no pair NAME=VALUE: write x=1.5, and put quotes around a formula")
        if name in found:
            raise InputValueError(f"{name} is given twice, as {found[name]!r} and {text}: give it once")
        number, sign, error = _parted(text)
        if sign and errors is None:
            raise InputValueError(
                f"{pair} has a standard error after {sign}, which only grad takes: write {name}={number}, "
                f"or put a blank into {number}+ -{error} if a difference is meant"
            )
        found[name] = read_number(number, name)
        if sign and errors is not None:
            errors[name] = _read_error(error, name, sign)
    return found


def parted(pair: str) -> tuple[str, str]:
    """The name and the value of a pair; both are empty where it is none.

    >>> parted("x=1.5"), parted("a[New York]=3"), parted("`Weight (kg)`=70"), parted("3=x")
    (('x', '1.5'), ('a[New York]', '3'), ('Weight (kg)', '70'), ('', ''))
    >>> parted('is(site, "A")=1'), parted("`a``b`=2")
    (('is(site, "A")', '1'), ('a`b', '2'))
    """
    found = PAIR.fullmatch(pair)
    if found is None:
        return "", ""
    name = found["plain"] if found["quoted"] is None else found["quoted"].replace("``", "`")
    return asked_name(name), found["text"]


def _parted(text: str) -> tuple[str, str, str]:
    """A number as typed, the sign ± where there is one, and the standard error after it."""
    sign = PLUS_MINUS.search(text)
    return (text, "", "") if sign is None or not text[: sign.start()].strip() else (
        text[: sign.start()], sign[0], text[sign.end() :]
    )  # fmt: skip


def _read_error(text: str, name: str, sign: str) -> float:
    error = read_number(text, f"the error of {name}") if text.strip() else math.nan
    if not 0.0 <= error < math.inf:
        raise InputValueError(f"{name} has {text or 'nothing'} after {sign}: a standard error is finite and not negative")
    return error


def values_for(
    formula: Expression, pairs: Sequence[str] | None, command: str, errors: dict[str, float] | None = None
) -> dict[str, float]:
    """A number for each name of a formula, in its order.

    Raises InputValueError naming what is missing, with the command line that has it, or what the formula does not name.
    """
    given = read_pairs(pairs, errors)
    missing = [name for name in formula.names if name not in given]
    if missing:
        line = shlex.join(["autograd-lite", command, formula.text, *(pairs or ()), *(f"{name}=1" for name in missing)])
        raise InputValueError(f"no value for {', '.join(missing)}: give {'each' if missing[1:] else 'it'} one\n  {line}")
    refuse_unknown(formula, given)
    return {name: given[name] for name in formula.names}


def refuse_unknown(formula: Expression, given: Mapping[str, float]) -> None:
    """InputValueError for a number whose name the formula has not."""
    for name in given:
        if name in formula.constants:
            raise InputValueError(f"{name} is a constant and takes no value: give the variable another name")
        if name not in formula.names:
            its = f"its names are {', '.join(formula.names)}" if formula.names else "it has none"
            raise InputValueError(f"{name} is no name of the formula {formula}: {its}")


def evaluated(formula: Expression, values: Mapping[str, float], ieee: bool) -> tuple[Value, dict[str, Value]]:
    """The result as a node, and the leaves it comes from under their names; errors where it is no number unless `ieee`.

    >>> root, leaves = evaluated(read_formula("x**2"), {"x": 3.0}, ieee=False)
    >>> root.data, leaves["x"].name
    (9.0, 'x')
    """
    leaves = {name: Value(x, name) for name, x in values.items()}
    with context.errstate(**({} if ieee else RAISING)):
        root = formula(leaves)
    root = root if isinstance(root, Value) else Value(root)
    if root.name is None and "f" not in leaves:
        root.name = "f"
    return root, leaves


def refuse_one_file(files: Mapping[str, str | None]) -> None:
    """InputValueError where two of the files that a command reads and writes are one, by whatever names.

    >>> refuse_one_file({"the table": "t.csv", "--save": "w.json", "--plot": None})
    >>> refuse_one_file({"the table": "t.csv", "--save": "./t.csv"})
    Traceback (most recent call last):
    autograd_lite.errors.InputValueError: ./t.csv is --save and also the table, which would be lost: give another file
    """
    given = [(what, path) for what, path in files.items() if path is not None and path != "-"]
    for (one, first), (other, second) in combinations(given, 2):
        if _is_one(first, second):
            raise InputValueError(f"{second} is {other} and also {one}, which would be lost: give another file")


def _is_one(first: str, second: str) -> bool:
    if os.path.exists(first) and os.path.exists(second):
        return os.path.samefile(first, second) and os.path.isfile(first)
    return os.path.realpath(first) == os.path.realpath(second)
