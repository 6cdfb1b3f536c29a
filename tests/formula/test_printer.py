"""One printer: what it writes in each notation reads back to the same function."""

from __future__ import annotations

import math
import operator
import random
from typing import Any

import pytest

from autograd_lite import Op, Value, ops
from autograd_lite.formula import nodes, notation, texmath
from autograd_lite.formula.expression import parse
from autograd_lite.formula.printer import LATEX, PYTHON, UNICODE, Printer
from autograd_lite.program import Instruction, Program
from tests.cli import command
from tests.formula import reading

EXACT = {
    "unicode": Printer("unicode", lambda x: notation.number(x, 17)),
    "short": Printer("short", lambda x: notation.number(x, 17), relations=("[", "]")),
    "latex": Printer("latex", lambda x: texmath.number(notation.number(x, 17)), (r"\left(", r"\right)")),
    "python": PYTHON,
}
# how each op is worked out here, by hand
OPS: dict[Op, Any] = {
    ops.add: operator.add, ops.sub: operator.sub, ops.mul: operator.mul, ops.div: operator.truediv, ops.neg: operator.neg,
    ops.mod: operator.mod, ops.floordiv: operator.floordiv, ops.sin: math.sin, ops.atan: math.atan, ops.exp: math.exp,
    ops.hypot: math.hypot, ops.square: lambda x: x * x, ops.log1p: math.log1p, ops.sqrt: math.sqrt, ops.pow: operator.pow,
    ops.maximum: max, ops.lt: lambda x, y: float(x < y), ops.le: lambda x, y: float(x <= y),
}  # fmt: skip
POINT = {"x": 0.7, "y": 2.5, "z": -1.2}


def random_program(draw: random.Random) -> tuple[Program, float]:
    """A tree of these ops in which each result is used once, and what it is worth; nothing of numbers only."""
    while True:
        instructions: list[Instruction] = []
        values: list[Any] = list(POINT.values())

        def grown(depth: int, instructions: Any = instructions, values: Any = values) -> int:
            if not depth or draw.random() < 0.15:
                return draw.randrange(3)
            op = draw.choice([op for op in OPS if op is not ops.pow] + [ops.add, ops.sub, ops.mul, ops.div, ops.neg])
            args: list[Any] = [grown(depth - 1)]
            if op in (ops.mul, ops.hypot) and draw.random() < 0.1:
                op, args = ops.pow, [*args, float(draw.choice((-2, -1, 2, 3)))]
            elif op.arity == 2 or op is ops.hypot:
                args.append(draw.choice((-2.0, 0.25, 3.0, -0.5)) if draw.random() < 0.3 else grown(depth - 1))
                if draw.random() < 0.5 and args[0].__class__ is int:
                    args.reverse()
            values.append(OPS[op](*[values[a] if a.__class__ is int else a for a in args]))
            instructions.append(Instruction(op, tuple(args)))
            return len(values) - 1

        try:
            out = grown(5)
        except (ArithmeticError, ValueError, TypeError):
            continue
        if instructions and 1e-6 < abs(values[out]) < 1e6 and not isinstance(values[out], complex):
            return Program(3, tuple(instructions), (out,)), values[out]


@pytest.mark.parametrize("column", EXACT)
def test_random_programs_read_back(column: str) -> None:
    draw = random.Random(5)
    for _ in range(2000):
        program, worth = random_program(draw)
        text = EXACT[column].program(program, list(POINT))
        assert reading.worth(column, text, POINT) == pytest.approx(worth, rel=1e-6), text


def test_a_negative_number_squared_is_the_same_in_the_formula_and_in_the_explanation() -> None:
    shown = command.printed("grad", "hypot(x,-3)", "x=1", "--latex", "--explain")
    assert r"\left(-3\right)^{2}" in shown
    assert shown.count(r"\sqrt{x^{2} + \left(-3\right)^{2}}") == 2
    assert "-3^" not in shown


@pytest.mark.parametrize(
    ("text", "unicode", "tex", "python"),
    [
        ("x - (y - z)", "x − (y − z)", r"x - \left(y - z\right)", "x - (y - z)"),
        ("x*-y", "x × (−y)", r"x \cdot \left(-y\right)", "x * (-y)"),
        ("(-x)**2", "(−x)²", r"\left(-x\right)^{2}", "(-x) ** 2.0"),
        ("x**y**z", "x ** y ** z", "x^{y^{z}}", "x ** y ** z"),
        ("expm1(x)*2", "expm1(x) × 2", r"\left(e^{x} - 1\right) \cdot 2", "expm1(x) * 2.0"),
        ("sum(x, -2)", "sum(x, −2)", r"\sum\left(x, -2\right)", "sum([x, -2.0])"),
        ("where(x < 1, y, -y)", "where(x < 1, y, −y)",
         r"\begin{cases}y&\text{if }x < 1\\-y&\text{else}\end{cases}", "where(x < 1.0, y, -y)"),
    ],
)  # fmt: skip
def test_by_hand(text: str, unicode: str, tex: str, python: str) -> None:
    f = parse(text)
    assert [p.program(f.program, f.names) for p in (UNICODE, LATEX, PYTHON)] == [unicode, tex, python]


def test_python_names_what_is_used_again() -> None:
    program = Program(1, (Instruction(ops.sin, (0,)), Instruction(ops.mul, (1, 1))), (2,))
    assert PYTHON.program(program, ["x"]) == "(v1 := sin(x)) * v1"


def test_rows_of_ones_own_get_parentheses_where_their_templates_enclose_nothing() -> None:
    plus = Op("oplus", lambda x, y: x + y, (1.0, 1.0), text="{0} ⊕ {1}", latex=r"{0} \oplus {1}")
    node = plus(Value(1.0, "x"), -2.0)
    assert nodes.latex(node, {node.args[0]: "x"}, lambda x: f"{x:g}") == r"x \oplus \left(-2\right)"


def test_deep_programs_are_printed_without_recursion() -> None:
    deep = Program(1, tuple(Instruction(ops.sin, (i,)) for i in range(20_000)), (20_000,))
    assert PYTHON.program(deep, ["x"]) == UNICODE.program(deep, ["x"]) == "sin(" * 20_000 + "x" + ")" * 20_000
