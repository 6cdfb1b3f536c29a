"""The LLVM backend by itself: time a row of a small net's loss and gradient, threads, where columns begin, compile time.

    python tests/benchmarks/kernels.py

Addresses are handed over directly, so that what Python adds to a call is not in the figures.  Needs the extra `jit`.
"""

from __future__ import annotations

import ctypes
import random
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from autograd_lite import jit, ops, value_and_grad
from autograd_lite.compiler.llvm import native
from autograd_lite.compiler.llvm.kernel import batch
from autograd_lite.compiler.llvm.scalar import scalar
from autograd_lite.fit.rows import Rows
from autograd_lite.fit.rows.objective import Objective
from autograd_lite.program import Instruction, Program
from autograd_lite.tables import Table
from autograd_lite.tree import flatten

SIZES = (2, 16, 16, 1)
WEIGHTS = sum((a + 1) * b for a, b in pairwise(SIZES))
NOTHING = Program(WEIGHTS, (), ())
WIDTHS = (14, 12, 16, 10, 13, 13)


def loss_with(bend: Callable[[Any], Any]) -> Callable[..., Any]:
    """micrograd's loss of one row: max(0, 1 - y score)."""

    def loss(w: Any, x: Any, y: Any) -> Any:
        weights, layer = iter(w), list(x)
        for a, b in pairwise(SIZES):
            sums = [ops.dot([next(weights) for _ in range(a)], layer) + next(weights) for _ in range(b)]
            layer = [bend(s) for s in sums] if b > 1 else sums
        return ops.relu(1.0 - y * layer[0])

    return loss


def fastest(call: Callable[[], Any], rounds: int) -> float:
    """Seconds of the quickest of some calls."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


class Runner:
    """A kernel on random rows, called by address."""

    def __init__(self, kernel: Any, rows: int) -> None:
        rng = np.random.default_rng(0)
        self.kernel, self.rows = kernel, rows
        self.weights, self.x = rng.normal(size=WEIGHTS) * 0.4, rng.normal(size=(rows, 2))
        self.y = np.sign(rng.normal(size=rows))
        columns = [self.x[:, 0], self.x[:, 1], self.y]
        self.table = np.array([(c.ctypes.data, c.strides[0]) for c in columns], dtype=np.int64)
        self.out, self.extra = np.empty(kernel.outputs), np.empty(1)
        self.at = [a.ctypes.data for a in (self.weights, self.table, self.out, self.extra)]

    def run(self, threads: int = 1) -> None:
        shared, table, out, extra = self.at
        self.kernel.run(shared, table, self.rows, out, extra, threads)

    def quick(self) -> Callable[[], Any]:
        shared, table, out, extra = self.at
        arguments = self.kernel.arguments(shared, table, out, extra)
        arguments.rows = self.rows
        at = ctypes.addressof(arguments)
        return lambda arguments=arguments: self.kernel.call(at)


def nets() -> None:
    x, y, w = np.zeros((2, 2)), np.zeros(2), [0.1] * WEIGHTS
    heads = ("100 rows, µs", "by run, µs", "10,000, ns/row", "800,000", "1/2 threads", "compiled, s")
    print(f"{'net':<16}" + "".join(f"{head:>{w}}" for head, w in zip(heads, WIDTHS, strict=True)))
    for bend in (ops.relu, ops.tanh):
        program = jit(value_and_grad(loss_with(bend)), batch=(1, 2)).program(w, x, y)
        for fastmath in (False, True):
            start = time.perf_counter()
            kernel = batch(NOTHING, program, 3, reduce=True, fastmath=fastmath)
            compiled = time.perf_counter() - start
            few, some, many = (Runner(kernel, rows) for rows in (100, 10_000, 800_000))
            one, two = fastest(many.run, 5), fastest(partial(many.run, 2), 5)
            figures = (fastest(few.quick(), 5000) * 1e6, fastest(few.run, 5000) * 1e6, fastest(some.run, 100) / 1e4 * 1e9)
            print(
                f"{bend.name + ' fastmath' * fastmath:<16}"
                + "".join(f"{x:>{w}.2f}" for x, w in zip((*figures, one / 8e5 * 1e9, one / two, compiled), WIDTHS, strict=True))
            )


def long_program(length: int) -> Program:
    """Additions, products and some tanh of values not far back."""
    rng, inputs = random.Random(0), 20
    kinds: Sequence[Any] = [ops.add] * 8 + [ops.mul] * 8 + [ops.sub] * 3 + [ops.tanh]
    rows = []
    for number in range(inputs, inputs + length):
        op = rng.choice(kinds)
        rows.append(Instruction(op, tuple(rng.randrange(max(0, number - 200), number) for _ in range(op.arity or 0))))
    return Program(inputs, tuple(rows), tuple(range(inputs + length - 50, inputs + length)))


def compile_times() -> None:
    print(f"\n{'instructions':>12}{'scalar, s':>11}{'batch, s':>10}")
    for length in (25_000, 50_000, 100_000):
        program = long_program(length)
        one = fastest(partial(scalar, program), 1)
        rows = fastest(partial(batch, Program(0, (), ()), program, 20, reduce=True), 1)
        print(f"{length:>12,}{one:>11.2f}{rows:>10.2f}")


def columns() -> None:
    """A pass of a fit of ten weights over a table's columns, and over arrays that all begin at one place of a page."""
    names = [f"x{i}" for i in range(10)]
    leaves, spec = flatten(dict.fromkeys(names, 0.0), "start")

    def loss(p: Any, row: Any) -> Any:
        return (sum(p[name] * row[name] for name in names) - row["y"]) ** 2

    print(f"\n{'rows':>12}{'a table, ns/row':>17}{'at 16 mod 4,096':>17}")
    for rows in (65_536, 4_000_000):
        block = [np.ones(65_536)] * 11
        table = Table(
            [*names, "y"], [[b[: min(65_536, rows - i)] for b in block] for i in range(0, rows, 65_536)], memory=2**40
        )
        memory = {name: np.ones(rows + 512) for name in table.names}
        apart = {n: a[(s := (16 - a.ctypes.data) % 4096 // 8) : s + rows] for n, a in memory.items()}
        figures = []
        for data in (Rows(table), Rows(apart)):
            data.threads = 1
            work = Objective(loss, spec, data)
            figures.append(fastest(partial(data.total, work, leaves), 10 if rows > 10**6 else 100) / rows * 1e9)
        print(f"{rows:>12,}" + "".join(f"{x:>17.2f}" for x in figures))


if __name__ == "__main__":
    print(f"vectors of {native.host().width} doubles, {native.host().cpu}")
    nets()
    columns()
    compile_times()
