"""How exact and how quick the functions over rows are: `python tests/benchmarks/functions.py [--points N] [NAME ...]`.

The compiled batch itself computes, for vectors of 8 and of 4 doubles, at random points: over all doubles where the function is
neither constant nor the identity, and near 0.  It is held against the same function in `numpy.longdouble`, x87's 64 bits, where
that is at hand (its own error is below 0.002 ulp of a double); the worst points found are checked with mpmath.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import mpmath
import numpy as np

import autograd_lite as al
from autograd_lite import ops
from autograd_lite.compiler.llvm.kernel import batch
from autograd_lite.compiler.llvm.native import host
from autograd_lite.program import Instruction, Program

L = np.longdouble
BLOCK = 1 << 18


def decay(x: Any) -> Any:
    return np.exp(-abs(x))


TRUE: dict[str, tuple[Callable[[Any], Any], tuple[float, float]]] = {
    "exp": (np.exp, (-746.0, 710.0)),
    "log": (np.log, (5e-324, 1.7e308)),
    "log1p": (np.log1p, (-1.0, 1.7e308)),
    "tanh": (lambda x: np.copysign(np.expm1(-2 * abs(x)) / (1 + np.exp(-2 * abs(x))), x), (-20.0, 20.0)),
    "sech2": (lambda x: 4 * np.exp(-2 * abs(x)) / (1 + np.exp(-2 * abs(x))) ** 2, (-373.0, 373.0)),
    "sigmoid": (lambda x: np.where(x >= 0, 1, decay(x)) / (1 + decay(x)), (-746.0, 40.0)),
    "sigmoid_derivative": (lambda x: decay(x) / (1 + decay(x)) ** 2, (-746.0, 746.0)),
    "softplus": (lambda x: np.maximum(x, 0) + np.log1p(decay(x)), (-746.0, 746.0)),
}
HIGH = ("gaussian", "erf", "erfc", "gelu", "gelu_derivative")  # which longdouble lacks: by mpmath, at fewer points
PAIRS = (
    ("erf", "gaussian"),
    ("gelu", "gelu_derivative"),
    ("tanh", "sech2"),
    ("sigmoid", "sigmoid_derivative"),
    ("softplus", "sigmoid"),
)


def points(name: str, count: int, draw: Any) -> Any:
    """Half spread evenly over the range, a quarter near 0 or 1, a quarter over all magnitudes."""
    low, high = TRUE[name][1]
    even = draw.uniform(max(low, -1e3), min(high, 1e3), count // 2)
    near = draw.normal(float(name == "log"), 1.0, count // 4)
    wide = draw.choice([-1.0, 1.0], count // 4) * 2.0 ** draw.uniform(-1074.0, 1023.9, count // 4)
    x = np.concatenate([even, near, wide])
    return x[(x >= low) & (x <= high)]


def arguments(name: str, x: int) -> tuple[Any, ...]:
    return (x, 1.0) if name == "gaussian" else (x,)


def kernel(name: str, machine: Any) -> Any:
    program = Program(1, (Instruction(ops.TABLE[name], arguments(name, 0)),), (1,))
    return batch(Program(0, (), ()), program, 1, reduce=False, machine=machine)


def ulps(got: Any, true: Any) -> Any:
    """The error in units in the last place of the true value, rounded to a double."""
    nearest = true.astype(float)
    error = abs((got.astype(L) - true) / np.spacing(abs(nearest)).astype(L)).astype(float)
    return np.where(np.isinf(nearest), np.where(got == nearest, 0.0, np.inf), error)


def worst(name: str, count: int, machine: Any, rng: Any) -> tuple[float, float, int]:
    """The largest error found, where, and at how many points."""
    run, largest, where, done = kernel(name, machine), 0.0, 0.0, 0
    while done < count:
        x = points(name, BLOCK, rng)
        got = run(np.empty(0), [x], len(x))[1][0]
        with np.errstate(all="ignore"):
            error = ulps(got, TRUE[name][0](x.astype(L)))
        if not np.isfinite(error).all():
            raise SystemExit(f"{name}: not finite at {x[~np.isfinite(error)][0]!r}")
        i = int(error.argmax())
        if error[i] > largest:
            largest, where = float(error[i]), float(x[i])
        done += len(x)
    return largest, where, done


def high(name: str, count: int, machine: Any, rng: Any) -> tuple[float, float, int]:
    """The same of a function that longdouble lacks: half of the points where one of its formulas ends and another begins."""
    x = np.concatenate([rng.uniform(-6.0, 6.0, count // 2), rng.normal(0.65, 0.1, count // 2)])
    x = x[abs(x + 0.75) > 0.1]  # a root of gelu's slope, where only its terms have their digits
    got = kernel(name, machine)(np.empty(0), [x], len(x))[1][0]
    return (*max(zip(map(partial(by_mpmath, name), x.tolist(), got.tolist()), x.tolist(), strict=True)), len(x))


def at_a_point(name: str, x: float, machine: Any) -> float:
    """The error at one point, held against 200 bits."""
    return by_mpmath(name, x, float(kernel(name, machine)(np.empty(0), [np.array([x])], 1)[1][0][0]))


def by_mpmath(name: str, x: float, got: float) -> float:
    """The error of a result."""
    with mpmath.workprec(2400 if name == "log1p" else 400):
        op = ops.TABLE[name]
        at = arguments(name, 0)[1:]
        true = getattr(mpmath, op.exact)(x) if isinstance(op.exact, str) else op.exact(mpmath, (x, *at), mpmath.mpf(x), *at)
        return float(abs(mpmath.mpf(got) - true) / mpmath.mpf(float(np.spacing(abs(float(true))))))


def nanoseconds(names: tuple[str, ...], machine: Any) -> float:
    """Of the functions of one number, out of sixteen numbers of a row that are added up."""
    x = np.random.default_rng(0).normal(0.0, 2.0, 1024)
    x = abs(x) if names[0] in ("log", "log1p") else x
    made: list[Instruction] = []
    terms = []
    for i in range(16):
        made.append(Instruction(ops.add, (0, 0.01 * i)))
        number = len(made)
        for name in names:
            made.append(Instruction(ops.TABLE[name], arguments(name, number)))
            terms.append(len(made))
    made.append(Instruction(ops.sum, tuple(terms)))
    run = batch(Program(0, (), ()), Program(1, tuple(made), (len(made),)), 1, reduce=True, machine=machine)
    table, out = np.array([[x.ctypes.data, 8]]), np.empty(1)
    best = 1.0
    for _ in range(300):
        start = time.perf_counter()
        run.run(0, table.ctypes.data, 1024, out.ctypes.data, 0)
        best = min(best, time.perf_counter() - start)
    return best / 16 / 1024 * 1e9


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--points", type=float, default=1e6)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if np.finfo(L).nmant < 63:
        raise SystemExit("numpy.longdouble has no more bits than a double here")
    machines = [m for m in (host(), host(without="avx512")) if m.fused]
    if not machines:
        raise SystemExit("this processor has no fused multiply-add: the functions call the vector library")
    if machines[0].width == machines[-1].width:
        machines = machines[:1]
    print(f"autograd_lite {al.__version__} on {host().cpu}")
    print(f"{'':28}{'lanes':>6}{'ulp at most':>13}{'mpmath':>8}{'at':>27}{'points':>16}")
    for name in options.names or (*TRUE, *HIGH):
        for machine in machines:
            rng = np.random.default_rng(options.seed)
            if name in HIGH:
                error, where, count = high(name, min(int(options.points), 25_000), machine._replace(vector={}), rng)
                checked = error
            else:
                error, where, count = worst(name, int(options.points), machine, rng)
                checked = at_a_point(name, where, machine)
            print(f"{name:28}{machine.width:>6}{error:>13.3f}{checked:>8.3f}{where!r:>27}{count:>16,}", flush=True)
    print(f"\n{'':28}{'lanes':>6}{'ns':>8}{'by the library':>16}")
    for names in [(name,) for name in options.names or TRUE] + [*PAIRS] * (not options.names):
        for machine in machines:
            library = nanoseconds(names, machine._replace(features=machine.features.replace("+fma", "-fma")))
            print(f"{' and '.join(names):28}{machine.width:>6}{nanoseconds(names, machine):>8.2f}{library:>16.2f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
