"""Peers for the compile time of `jit.py`: a straight line of so many instructions, compiled for rows and run once on eight.

Eight numbers are updated in turn, ``a <- 0.5 a - p b c + q`` with b and c drawn from the eight and constants drawn anew, so
that nothing repeats and every update is needed.  Each call makes its function anew; what is compared is the result over
Python's own.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

WIDTH, ROWS, AN_UPDATE = 8, 8, 5

Call = Callable[[], Any]
Read = Callable[[Any], tuple[Any, ...]]


class Program:
    def __init__(self, instructions: int) -> None:
        draw = random.Random(5)
        self.updates = [
            (i % WIDTH, draw.randrange(WIDTH), draw.randrange(WIDTH), draw.uniform(-0.3, 0.3), draw.uniform(-0.2, 0.2))
            for i in range(instructions // AN_UPDATE)
        ]
        self.x = np.random.default_rng(5).uniform(-1.0, 1.0, (ROWS, WIDTH))

    def __call__(self, x: Any) -> Any:
        w = [x[i] for i in range(WIDTH)]
        for a, b, c, p, q in self.updates:
            w[a] = 0.5 * w[a] - p * w[b] * w[c] + q
        return sum(w)

    def read(self, result: Any) -> tuple[Any, ...]:
        return (np.asarray(result).ravel() / [self(row) for row in self.x.tolist()],)


def ours(program: Program) -> tuple[Call, Read]:
    from autograd_lite import jit

    return lambda: jit(program.__call__, batch=(0,), threads=1)(program.x), program.read


def casadi_sx(program: Program) -> tuple[Call, Read]:
    """Which interprets its instructions, and compiles nothing."""
    import casadi

    def step() -> Any:
        x = casadi.SX.sym("x", WIDTH)
        return casadi.Function("program", [x], [program(x)])(program.x.T)

    return step, program.read


def peers(instructions: int) -> dict[str, Callable[[], tuple[Call, Read]]]:
    whole, half = Program(instructions), Program(instructions // 2)
    return {
        "ours": partial(ours, whole),
        "ours, half the length": partial(ours, half),
        "CasADi SX": partial(casadi_sx, whole),
        "CasADi SX, half the length": partial(casadi_sx, half),
    }
