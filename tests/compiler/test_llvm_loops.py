"""Programs that repeat themselves, as loops: the bits of straight code, of random patterns and of sparse Hessians."""

from __future__ import annotations

import random
from typing import Any

import pytest

pytest.importorskip("llvmlite", reason="machine code needs llvmlite: install the extra 'jit'")
pytest.importorskip("numpy", reason="loops are found with NumPy: install the extra 'jit'")

from autograd_lite import Op, grad, hessian, jit, ops
from autograd_lite.compiler.llvm import loops
from autograd_lite.compiler.llvm.loops import Stretch, stretches
from autograd_lite.compiler.llvm.scalar import scalar
from autograd_lite.program import Program
from tests.compiler.cases import made
from tests.same import same_bits

INPUTS = 12
OWN = Op("halved", lambda x: 0.5 * x, (0.5,))
BODY = [ops.add, ops.sub, ops.mul, ops.tanh, ops.where, ops.neg, ops.lgamma, ops.atan2, ops.sum, OWN]


def repeating(seed: int) -> Program:
    """Stretches of random bodies, whose operands move by random steps; in between some instructions that repeat nothing."""
    draw = random.Random(seed)
    instructions: list[tuple[Op, tuple[Any, ...]]] = []

    def operand(start: int, k: int, count: int, period: int) -> list[int | float]:
        """One operand in each round."""
        step, place = draw.choice([0, 1, -1, 2, -2, 3, period, period, -period]), start + k
        if draw.random() < 0.2:
            return [draw.choice([0.0, -0.0, 2.0, -0.75])] * count
        if draw.random() < 0.4:  # made in this round or in one before
            base = place - draw.randrange(1, min(place, 9) + 1)
            return [base + r * period for r in range(count)]
        low, high = max(0, -step * (count - 1)), place - 1 - max(0, step * (count - 1))
        base, step = (draw.randint(low, high), step) if low <= high else (draw.randrange(place), 0)
        return [base + r * step for r in range(count)]

    for _ in range(4):
        period, count = draw.randint(1, 5), draw.randint(20, 34)
        start = INPUTS + len(instructions)
        rows = []
        for k in range(period):
            op = draw.choice(BODY)
            arity = op.arity or 3
            rows.append((op, [operand(start, k, count, period) for _ in range(arity)]))
        for r in range(count):
            instructions += [(op, tuple(column[r] for column in columns)) for op, columns in rows]
        for _ in range(draw.randrange(3)):
            instructions.append((ops.add, (draw.randrange(INPUTS), draw.randrange(INPUTS + len(instructions)))))
    last = INPUTS + len(instructions)
    outputs = [*range(last - 1, INPUTS - 1, -2), 3.0, -0.0, *range(0, last, 3), *[2.0, last - 1] * 9, draw.randrange(last)]
    return made(INPUTS, *instructions, outputs=outputs)


@pytest.mark.parametrize("seed", range(30))
def test_loops_have_the_bits_of_the_program(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    program = repeating(seed)
    monkeypatch.setattr(loops, "LONG", 0)
    code = scalar(program, part=23)
    assert "%round = phi" in code.source
    draw = random.Random(seed)
    for _ in range(3):
        inputs = [draw.uniform(-2.0, 2.0) for _ in range(INPUTS)]
        found = code(inputs)
        assert not isinstance(found, int)
        assert all(map(same_bits, found, program(inputs)))


def terms(x: Any) -> Any:
    return sum((1 - x[i]) ** 2 + ops.exp(0.1 * x[i + 1] - x[i] ** 2) for i in range(len(x) - 1))


def test_the_code_of_a_sum_is_as_long_as_that_of_a_term(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "LONG", 100)
    second = hessian(terms, sparse=True)
    lengths = []
    for n in (20, 80):
        x = [0.1 * i % 1.7 - 0.8 for i in range(n)]
        step = jit(lambda x: (grad(terms)(x), second(x).values), backend="llvm")
        lengths.append(len(step.source(x).splitlines()))
        straight = jit(lambda x: (grad(terms)(x), second(x).values), backend="python")
        assert step(x) == straight(x)
    assert lengths[0] == lengths[1]


def test_what_repeats_nothing_stays_straight_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "LONG", 0)
    draw = random.Random(1)
    instructions = [(draw.choice(BODY[:3]), (draw.randrange(2 + k), draw.uniform(1.0, 2.0))) for k in range(60)]
    code = scalar(made(2, *instructions, outputs=[61]))
    assert "phi" not in code.source


def test_a_stretch_ends_where_a_step_changes() -> None:
    assert stretches([1] * 20, [[*range(10), *range(10)]]) == [Stretch(0, 1, 10), Stretch(10, 1, 10)]
    assert stretches([1] * 20, [[*range(10), 3, 1, 4, 1, 5, 9, 2, 6, 5, 3]]) is None
