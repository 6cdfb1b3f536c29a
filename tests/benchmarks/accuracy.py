"""Every row over the whole range of doubles against mpmath: `python tests/benchmarks/accuracy.py --points 100`.

Points are drawn with sizes from 1e-308 to 1e308, even in the exponent, and from each row's own domain; at each the value, the
first and the second derivatives are compared with those of mpmath at 2,200 digits (fewer with fewer `--decades`, and
many times as quick where a function takes a series).  An error counts in units in the last place
over the condition number of what is computed, as the README promises it: the digits that rounding the arguments costs are
nobody's.  Derivatives whose truth is below 1e-290 or above 1e300, where products on the way leave the range, are left out.
Printed are the worst of each row and order, and every point beyond the promise of 8.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mpmath import mp, mpf

from autograd_lite.ops import TABLE, Op
from tests.ops import reference
from tests.ops.test_accuracy import NOT_A_DERIVATIVE, engine

PROMISE = 8.0
LARGEST, LEAST = 1e300, 1e-290
DECADES = 307
DIGITS, MORE, STEP = 700, 5.0, 1.5  # of differences of functions that oscillate or are almost constant; more for each decade


def points(op: Op, count: int, draw: random.Random, decades: float) -> Iterator[tuple[float, ...]]:
    """Points of the domain, away from kinks: half of the coordinates of any size, half of them moderate."""
    selectors, tries = reference.SELECTORS.get(op.name, {}), 0
    while count and tries < 100_000:
        tries += 1
        at = []
        for i, interval in enumerate(reference.intervals(op)):
            size = 10.0 ** (draw.uniform(-decades, decades) if draw.random() < 0.5 else draw.uniform(-3.0, 3.0))
            x = draw.choice((-1.0, 1.0)) * size
            if interval.high < math.inf or interval.low > -math.inf:
                end = draw.choice([e for e in (interval.low, interval.high) if math.isfinite(e)])
                x = draw.choice((x, end + x))
            at.append(draw.choice(selectors[i]) if i in selectors else x)
        if reference.usable(op, at):
            count -= 1
            yield tuple(at)


def scan(op: Op, count: int, seed: int, seconds: float, decades: float) -> tuple[dict[int, float], list[str], int]:
    """The worst error of a row by order, in ulp over its condition; the points beyond the promise; how many were looked at."""
    worst, beyond, began, looked = dict.fromkeys((0, 1, 2), 0.0), [], perf_counter(), 0
    for at in points(op, count, random.Random(seed), decades):
        if perf_counter() - began > seconds:
            break
        looked += 1
        for order in (0, 1, 2):
            for orders, got in engine(op, at, order).items():
                try:
                    truth, condition = reference.oracle(op, at, orders)
                    if isinstance(truth, mp.mpc) or not LEAST < abs(truth) < LARGEST:
                        continue
                    with mp.workdps(30):
                        error = float(abs(mpf(got) - truth) / math.ulp(float(truth))) if math.isfinite(got) else math.inf
                except (ArithmeticError, ValueError, TypeError, mp.NoConvergence, MemoryError):
                    continue
                error /= condition
                worst[order] = max(worst[order], error)
                if error > PROMISE:
                    beyond.append(f"{op.name}{at} d{orders}: {got!r} for {mp.nstr(truth, 17)}, {error:.3g} ulp")
    return worst, beyond, looked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--decades", type=int, default=DECADES, help="sizes go so far to either side of 1")
    parser.add_argument("--seconds", type=float, default=40.0, help="of one row")
    parser.add_argument("--only", nargs="*", default=())
    asked = parser.parse_args()
    reference.DIGITS, reference.STEP = DIGITS + round(MORE * asked.decades), round(STEP * asked.decades)
    every: list[str] = []
    print(f"{'row':22}{'points':>8}{'value':>10}{'first':>10}{'second':>10}")
    for op in TABLE.values():
        if op.name in NOT_A_DERIVATIVE or (asked.only and op.name not in asked.only):
            continue
        worst, beyond, looked = scan(op, asked.points, asked.seed, asked.seconds, asked.decades)
        print(f"{op.name:22}{looked:8}" + "".join(f"{worst[order]:10.3g}" for order in (0, 1, 2)), flush=True)
        every += beyond
    print(f"\n{len(every)} beyond {PROMISE:g} ulp")
    print("\n".join(every))


if __name__ == "__main__":
    main()
