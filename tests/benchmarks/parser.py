"""The parser against Python's own, and against garbage: `python tests/benchmarks/parser.py --formulas 20000 --garbage 200000`.

Random formulas must be worth what Python's `eval` says, to the bit; where Python raises or turns complex, and where its own
functions differ from the library's, Python still decides what the text means, on numbers that follow IEEE.  Garbage may be
refused by ExpressionError and nothing else.  Then come the longest and the deepest texts.
"""

from __future__ import annotations

import argparse
import math
import random
import re
from collections import Counter
from time import perf_counter
from typing import Any

from autograd_lite import Value, ops
from autograd_lite.errors import ExpressionError
from autograd_lite.formula.expression import parse
from autograd_lite.formula.vocabulary import VOCABULARY

VALUES = {"x": 0.7, "y": -2.5, "z": 3.0}
BINARY = ["+", "-", "*", "/", "//", "%", "**"]
COMPARISONS = ["<", "<=", ">", ">=", "==", "!="]
NUMBERS = ["1.0", "2.", ".5", "1e-3", "3.25", "1_0.5", "2e+2", "0.0", "1E2"]
# by name: how many arguments, and Python's own function
FUNCTIONS: dict[str, tuple[int, Any]] = {
    "sin": (1, math.sin), "cos": (1, math.cos), "exp": (1, math.exp), "log": (1, math.log), "sqrt": (1, math.sqrt),
    "tanh": (1, math.tanh), "abs": (1, abs), "floor": (1, lambda x: float(math.floor(x))),
    "round": (1, lambda x: float(round(x))), "atan2": (2, math.atan2), "hypot": (2, math.hypot), "pow": (2, math.pow),
    "max": (3, max), "min": (2, min), "copysign": (2, math.copysign),
}  # fmt: skip
LITERAL = re.compile(r"(?<![\w.])(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
BROKEN = "()+-*/%<>=!,.^ 0123456789eExyz_[]{}'\"\\#@&|~$?;:\t\n\x00\x1b\u2212\u00d7\uff11\u202e\ud800π²"
WORDS = [
    *BINARY, *COMPARISONS, "(", ")", "(", ")", ",", "1", "2.5", "x", "y", "z", "sin", "max", "pi", "e", "sin(", "max(",
    "where(", "round(", "lambda", "and", "if", "=", "^", ".", "__class__", "import", " ", "1e", "0x1F", "1j",
]  # fmt: skip


class Number:
    """A float with Python's operators and the library's arithmetic, which never raises."""

    def __init__(self, worth: Any) -> None:
        self.worth = worth.worth if isinstance(worth, Number) else float(worth)

    def __neg__(self) -> Number:
        return Number(ops.neg(self.worth))

    def __pos__(self) -> Number:
        return self


def _operator(row: Any) -> Any:
    return lambda a, b: Number(row(a.worth, b.worth))


for _method, _row in {
    "add": ops.add, "sub": ops.sub, "mul": ops.mul, "truediv": ops.div, "floordiv": ops.floordiv, "mod": ops.mod,
    "pow": ops.pow, "lt": ops.lt, "le": ops.le, "gt": ops.gt, "ge": ops.ge, "eq": ops.eq, "ne": ops.ne,
}.items():  # fmt: skip
    setattr(Number, f"__{_method}__", _operator(_row))


def _on_numbers(name: str) -> Any:
    return lambda *args: Number(VOCABULARY.functions[name](*[a.worth for a in args]))


PYTHON = {"__builtins__": {}, "pi": math.pi, **{name: f for name, (_, f) in FUNCTIONS.items()}}
IEEE = {"__builtins__": {}, "N": Number, "pi": Number(math.pi), **{name: _on_numbers(name) for name in FUNCTIONS}}
IEEE_VALUES = {name: Number(x) for name, x in VALUES.items()}


def formula(draw: random.Random, depth: int = 5) -> str:
    """A random valid text; parentheses stand where they are drawn, so that precedence decides the rest."""
    space = " " * (draw.random() < 0.2)
    kind = draw.random() if depth else 0.0
    if kind < 0.15:
        return draw.choice([*VALUES, "pi", *NUMBERS])
    if kind < 0.25:
        return f"{draw.choice('+-')}{space}{formula(draw, depth - 1)}"
    if kind < 0.35:
        return f"({formula(draw, depth - 1)}{space})"
    if kind < 0.4:
        return f"({formula(draw, depth - 1)}{draw.choice(COMPARISONS)}{formula(draw, depth - 1)})"
    if kind < 0.5:
        name = draw.choice(list(FUNCTIONS))
        return f"{name}{space}({', '.join(formula(draw, depth - 1) for _ in range(FUNCTIONS[name][0]))})"
    return f"{formula(draw, depth - 1)}{space}{draw.choice(BINARY)}{space}{formula(draw, depth - 1)}"


def garbage(draw: random.Random) -> str:
    """A random text that is most likely of no language: characters, words, or a formula with a few places changed."""
    kind = draw.random()
    if kind < 0.25:
        return "".join(draw.choices(BROKEN, k=draw.randrange(30)))
    if kind < 0.3:
        return "".join(chr(draw.randrange(0x3000)) for _ in range(draw.randrange(20)))
    if kind < 0.65:
        return " ".join(draw.choices(WORDS, k=draw.randrange(20)))
    text = list(formula(draw, 3))
    for _ in range(draw.randrange(1, 4)):
        at = draw.randrange(len(text) + 1)
        text[at : at + draw.randrange(2)] = draw.choice(BROKEN) * draw.randrange(2)
    return "".join(text)


def same(a: float, b: float) -> bool:
    """Whether two floats are the same number, or neither is one."""
    return a == b or (a != a and b != b)


def judged(text: str) -> str:
    """Which of Python's values a text has: "Python", "Python on IEEE numbers", or "neither"."""
    found = parse(text, VOCABULARY)(VALUES)
    try:
        expected = eval(text, PYTHON, VALUES)
        if not isinstance(expected, complex) and same(float(expected), found):
            return "Python"
    except (ArithmeticError, ValueError, TypeError):  # TypeError: a complex intermediate result
        pass
    expected = eval(LITERAL.sub(lambda m: f"N({m[0]})", text), IEEE, IEEE_VALUES)
    return "Python on IEEE numbers" if same(expected.worth, found) else "neither"


def outcome(text: str) -> str:
    """What becomes of a text: "refused", "a number"; or the name of what it raised that it must not raise."""
    try:
        f = parse(text, VOCABULARY)
    except ExpressionError as error:
        str(error)
        return "refused"
    except Exception as error:
        return type(error).__name__
    number = f(dict.fromkeys(f.names, 0.5))
    return "a number" if number.__class__ is float else repr(number)


def timed(text: str) -> tuple[float, float, float, float]:
    """Seconds to parse a text, to evaluate it on floats and on Values, and its value at x = 0.5."""
    wide = dict.fromkeys(("max_length", "max_tokens", "max_depth"), 10**7)
    start = perf_counter()
    f = parse(text, VOCABULARY, **wide)
    parsed = perf_counter()
    value = f(x=0.5)
    evaluated = perf_counter()
    node = f(x=Value(0.5))
    end = perf_counter()
    assert node.data == value or math.isnan(value)
    return parsed - start, evaluated - parsed, end - evaluated, value


def long_texts(n: int) -> dict[str, str]:
    """Texts of n terms, or nested n deep."""
    return {
        f"a sum of {n:,} terms": "x" + "+x" * (n - 1), f"{n:,} nested parentheses": "(" * n + "x" + ")" * n,
        f"{n:,} minus signs": "-" * n + "x", f"a tower of {n:,} powers": "x**" * n + "x",
        f"{n:,} nested calls": "sin(" * n + "x" + ")" * n,
    }  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description="Try the parser on random formulas, garbage and long texts.")
    options.add_argument("--formulas", type=int, default=20_000, help="how many random formulas")
    options.add_argument("--garbage", type=int, default=200_000, help="how many random texts")
    options.add_argument("--seed", type=int, default=0, help="of the random numbers")
    given = options.parse_args()
    draw = random.Random(given.seed)
    for title, texts, look in (
        ("random formulas, worth what ... says", (formula(draw) for _ in range(given.formulas)), judged),
        ("random texts", (garbage(draw) for _ in range(given.garbage)), outcome),
    ):
        start = perf_counter()
        counts = Counter(map(look, texts))
        print(f"{title}: {perf_counter() - start:.1f} s")
        for name, count in counts.most_common():
            print(f"{count:10,}  {name}")
    print("\n" + f"{'long texts':<32}{'parse':>10}{'floats':>10}{'Values':>10}{'value':>22}")
    for title, text in long_texts(100_000).items():
        parsed, floats, values, worth = timed(text)
        print(f"{title:<32}{parsed:>8.3f} s{floats:>8.3f} s{values:>8.3f} s{worth:>22.12g}")
    many = "(" * 100_000 + "x" + ")" * 100_000
    start = perf_counter()
    try:
        parse(many, VOCABULARY)
    except ExpressionError as error:
        print(f"\nwithin the usual limits, refused after {perf_counter() - start:.4f} s: {str(error).splitlines()[0]}")


if __name__ == "__main__":
    main()
