"""How fast and how large the eager engine is, beside its peers in the same process: `python tests/benchmarks/engine.py`.

The job is one training step of micrograd's demo: an MLP 2-16-16-1 on 100 rows, hinge loss and L2, value and all 337
gradients, every number a scalar.  All engines start from the same weights and must agree on the loss.  Rounds are
interleaved, because the machine is shared; the table gives the fastest and the median round of each, and ratios of medians.
Peers that are not installed are left out: `pip install .[bench]` brings them.
"""

from __future__ import annotations

import gc
import importlib.util
import math
import random
import statistics
import sys
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from time import perf_counter
from typing import Any

import autograd_lite as al
from autograd_lite import Value, nn

ROWS, SIZES = 100, (2, 16, 16, 1)
STEPS = 3
ALPHA = 1e-4


def two_moons(n: int, seed: int = 0) -> tuple[list[list[float]], list[float]]:
    """Two interleaved half circles with a little noise, labelled -1 and 1."""
    draw = random.Random(seed)
    points, labels = [], []
    for i in range(n):
        angle = math.pi * draw.random()
        x, y = (math.cos(angle), math.sin(angle)) if i % 2 else (1 - math.cos(angle), 0.5 - math.sin(angle))
        points.append([x + draw.gauss(0, 0.1), y + draw.gauss(0, 0.1)])
        labels.append(1.0 if i % 2 else -1.0)
    return points, labels


X, Y = two_moons(ROWS)


def initial_weights() -> list[list[tuple[list[float], float]]]:
    draw = random.Random(1337)
    return [[([draw.uniform(-1, 1) for _ in range(n)], 0.0) for _ in range(m)] for n, m in pairwise(SIZES)]


def op_by_op(scalar: Callable[[float], Any], relu: Callable[[Any], Any]) -> tuple[Any, list[Any]]:
    """micrograd's own way of writing it: inputs wrapped, each product and sum a node of its own."""
    layers = [[([scalar(w) for w in ws], scalar(b)) for ws, b in layer] for layer in initial_weights()]
    parameters = [p for layer in layers for ws, b in layer for p in (*ws, b)]

    def model(x: list[Any]) -> Any:
        for i, layer in enumerate(layers):
            acts = [sum((wi * xi for wi, xi in zip(ws, x, strict=True)), b) for ws, b in layer]
            x = [relu(a) for a in acts] if i < len(layers) - 1 else acts
        return x[0]

    scores = [model([scalar(v) for v in row]) for row in X]
    losses = [relu(1 + -y * s) for y, s in zip(Y, scores, strict=True)]
    data_loss = sum(losses) * (1.0 / len(losses))
    return data_loss + ALPHA * sum(p * p for p in parameters), parameters


def run_micrograd() -> Callable[[], float]:
    from micrograd.engine import Value as Theirs

    sys.setrecursionlimit(100_000)  # micrograd's backward recurses

    def step() -> float:
        loss, _ = op_by_op(Theirs, Theirs.relu)
        loss.backward()
        return float(loss.data)

    return step


def run_ours_op_by_op() -> Callable[[], float]:
    def step() -> float:
        loss, _ = op_by_op(Value, Value.relu)
        loss.backward()
        return float(loss.data)

    return step


def run_ours_mlp() -> Callable[[], float]:
    model = nn.MLP(2, SIZES[1:], seed=1337)

    def step() -> float:
        model.zero_grad()
        loss = nn.hinge([model(x) for x in X], Y) + ALPHA * al.sum([p * p for p in model.parameters()])
        loss.backward()
        return float(loss.data)

    return step


def run_xad() -> Callable[[], float]:
    import xad.adj_1st as adj
    from xad import math as xmath

    def step() -> float:
        with adj.Tape() as tape:
            made: list[Any] = []

            def scalar(v: float) -> Any:
                made.append(adj.Real(v))
                tape.registerInput(made[-1])
                return made[-1]

            tape.newRecording()
            loss, _ = op_by_op(scalar, lambda a: xmath.max(a, 0.0))
            tape.registerOutput(loss)
            loss.setDerivative(1.0)
            tape.computeAdjoints()
            return float(loss.getValue())

    return step


def run_casadi() -> Callable[[], float]:
    import casadi

    def step() -> float:
        numbers: list[float] = []
        symbols: list[Any] = []

        def scalar(v: float) -> Any:
            numbers.append(v)
            symbols.append(casadi.SX.sym("v"))
            return symbols[-1]

        loss, parameters = op_by_op(scalar, lambda a: casadi.fmax(a, 0))
        wanted = casadi.vertcat(*parameters)
        f = casadi.Function("f", [casadi.vertcat(*symbols)], [loss, casadi.gradient(loss, wanted)])
        return float(f(numbers)[0])

    return step


def run_torch() -> Callable[[], float]:
    import torch

    def step() -> float:
        loss, _ = op_by_op(lambda v: torch.tensor(v, dtype=torch.float64, requires_grad=True), torch.relu)
        loss.backward()
        return float(loss.detach())

    return step


PEERS: dict[str, tuple[str | None, Callable[[], Callable[[], float]], int]] = {
    "micrograd": ("micrograd", run_micrograd, 4),
    "autograd_lite, op by op": (None, run_ours_op_by_op, 7),
    "autograd_lite, nn.MLP": (None, run_ours_mlp, 10),
    "XAD (Python)": ("xad", run_xad, 4),
    "CasADi SX, build and run": ("casadi", run_casadi, 1),
    "torch, scalars": ("torch", run_torch, 1),
}


def steps_table() -> None:
    steps, times, losses = {}, {}, {}
    for name, (module, build, _) in PEERS.items():
        if module is not None and importlib.util.find_spec(module) is None:
            print(f"{name}: not installed")
            continue
        steps[name] = build()
        losses[name] = steps[name]()  # warm-up
        times[name] = []
    for i in range(max(rounds for _, _, rounds in PEERS.values())):
        for name, step in steps.items():
            if i < PEERS[name][2]:
                gc.collect()  # nobody pays for the garbage of the one before
                for _ in range(STEPS):  # in a row, as in training
                    start = perf_counter()
                    step()
                    times[name].append(perf_counter() - start)
    reference = losses["autograd_lite, op by op"]
    assert all(math.isclose(v, reference, rel_tol=1e-9) for v in losses.values()), losses
    # the median, because a round that meets a full garbage collection is no exception but the rule
    base = statistics.median(times["micrograd"]) if "micrograd" in times else math.nan
    print(f"micrograd's two-moons step, 337 weights, {ROWS} rows, op by op; loss {reference:.6f} in all\n")
    print(f"{'engine':28}{'fastest':>12}{'median':>12}{'micrograd / it':>17}")
    for name, t in times.items():
        middle = statistics.median(t)
        print(f"{name:28}{min(t) * 1e3:9.1f} ms{middle * 1e3:9.1f} ms{base / middle:17.1f}")


def chain(n: int) -> tuple[Value, Value]:
    """A graph of n nodes, half products and half sums, as a long loop makes it."""
    x, s = Value(0.999), Value(1.0)
    for _ in range(n // 2):
        s = s * x + 0.001
    return x, s


def seconds(n: int) -> tuple[float, float]:
    """The fastest of three times forward and backward over a chain of n nodes."""
    forward = backward = math.inf
    for _ in range(3):
        gc.collect()
        start = perf_counter()
        x, s = chain(n)
        middle = perf_counter()
        s.backward()
        forward, backward = min(forward, middle - start), min(backward, perf_counter() - middle)
        del x, s
    return forward, backward


def sizes_table() -> None:
    print("\n                 collector on           collector off              bytes")
    print(f"{'nodes':>10}{'forward':>11}{'backward':>11}{'forward':>11}{'backward':>11}{'a node':>10}{'with grad':>11}")
    for n in (1_000, 10_000, 100_000, 1_000_000):
        with_collector = seconds(n)
        gc.disable()
        without = seconds(n)
        gc.enable()
        tracemalloc.start()
        x, s = chain(n)
        built = tracemalloc.get_traced_memory()[0]
        s.backward()
        kept = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        del x, s
        each = "".join(f"{t / n * 1e9:8.0f} ns" for t in (*with_collector, *without))
        print(f"{n:10,}{each}{built / n:10.0f}{kept / n:11.0f}")


if __name__ == "__main__":
    steps_table()
    sizes_table()
