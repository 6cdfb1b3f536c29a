"""`check_grads` on drawn calls of every op: how many right rules it fails, and how many planted faults it catches.

Points are `strategies.points` and `strategies.special_points` of each op; at each, both orders and both modes are checked.
At every 25th point whose derivatives are finite, the row is broken in one way at a time and checked again at order 1.
A fault is planted where it changes a partial: a partial of 0 has no missing edge, and equal partials cannot be swapped.
"""

from __future__ import annotations

import math
import multiprocessing
from collections import Counter
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from autograd_lite.gradcheck import check_grads
from autograd_lite.ops import TABLE, Op
from autograd_lite.strategies import Call, points, special_points
from autograd_lite.strategies.arguments import NOT_DRAWN

EVERY, FIRST = 25, 12  # of how many draws one is used for faults: not the first of a run, which is the simplest
FACTORS = {f"{10.0**-k:.0e}": 1.0 + 10.0**-k for k in range(1, 10)}
FAULTS = [*FACTORS, "sign", "missing edge", "swapped"]


def drawn(op: Op, count: int, start: int) -> list[tuple[float, ...]]:
    """Points of an op, half of them special."""
    found: list[tuple[float, ...]] = []

    @seed(start)
    @settings(
        max_examples=count, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(st.one_of(points(op), special_points(op)))
    def collect(at: tuple[float, ...]) -> None:
        found.append(at)

    collect()
    return found


def broken(op: Op, fault: str, n: int, changed: int, other: int) -> Op:
    """A row with one wrong partial, and for swapped ones two."""

    def wrong(args: Sequence[Any], out: Any) -> list[Any]:
        partials = [op.partial(i, args, out) for i in range(n)]
        if fault == "swapped":
            partials[changed], partials[other] = partials[other], partials[changed]
        else:
            partials[changed] = partials[changed] * {"sign": -1.0, "missing edge": 0.0, **FACTORS}[fault]
        return partials

    return Op(op.name, op.forward, wrong, variadic=True)


def outcomes(job: tuple[str, int, int]) -> tuple[str, Counter[str], list[str]]:
    """Verdicts of one op: rows by verdict, and faults planted and caught; and the calls whose right rule failed."""
    name, count, start = job
    op = TABLE[name]
    counts: Counter[str] = Counter()
    failed = []
    for number, at in enumerate(drawn(op, count, start)):
        call = Call(op, at)
        counts["draws"] += 1
        try:
            report = check_grads(call, call.at)
        except ArithmeticError as error:
            counts["failed"] += 1
            failed.append(f"{call!r}  {error!r}")
            continue
        rows = report.counts()
        counts.update({f"rows {verdict}": k for verdict, k in rows.items()})
        open_ones = [row for row in report.rows if row.verdict == "inconclusive"]
        counts["draws inconclusive"] += not rows["fail"] and bool(open_ones)
        counts["at finite values"] += not rows["fail"] and any(row.kind != "not finite" for row in open_ones)
        wrong = [row for row in report.rows if row.verdict == "fail"]
        counts["failed"] += any(row.engine == row.engine for row in wrong)
        counts["nan"] += bool(wrong) and all(row.engine != row.engine for row in wrong)
        failed += [f"{call!r}  {row}" for row in wrong]
        if number % EVERY == FIRST:
            plant(op, at, number, counts)
    return name, counts, failed


def plant(op: Op, at: tuple[float, ...], number: int, counts: Counter[str]) -> None:
    variables = [i for i in range(len(at)) if i not in op.settings]
    partials = [float(op.partial(i, at, op.forward(*at))) for i in variables]
    if not all(map(math.isfinite, (*partials, *at))) or not variables:
        return
    i = number // EVERY % len(variables)
    k = (i + 1) % len(variables)
    for fault in FAULTS:
        if partials[i] == 0.0 if fault != "swapped" else partials[i] == partials[k]:
            continue
        wrong = broken(op, fault, len(at), variables[i], variables[k])

        def call(*xs: Any, wrong: Op = wrong) -> Any:
            args: list[Any] = list(at)
            for j, x in zip(variables, xs, strict=True):
                args[j] = x
            return wrong(*args)

        report = check_grads(call, tuple(at[j] for j in variables), order=1, modes=("rev",))
        counts[f"planted {fault}"] += 1
        counts[f"caught {fault}"] += report.counts()["fail"] > 0


def run(
    draws: int, seconds: float, jobs: int, only: Sequence[str] = (), start: int = 0, show: Callable[..., None] = print
) -> int:
    """Print the table for so many draws over all ops, ended after so many seconds; how many right rules failed."""
    names = [name for name, op in TABLE.items() if op not in NOT_DRAWN and (not only or name in only)]
    each, batch, began = max(1, draws // len(names)), 50, perf_counter()
    work = [(name, min(batch, each - done), 10**6 * start + 1000 + done) for done in range(0, each, batch) for name in names]
    total: dict[str, Counter[str]] = {name: Counter() for name in names}
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for name, counts, failed in pool.imap_unordered(outcomes, work):
            total[name] += counts
            for line in failed:
                show(line)
            if perf_counter() - began > seconds:
                pool.terminate()
                show(f"... ended after {seconds:g} s")
                break
    everything = sum(total.values(), Counter())
    show(f"\n{everything['draws']} draws over {len(names)} ops in {perf_counter() - began:.0f} s: {everything['failed']} "
         f"had a derivative failed that is a number, "
        f"{everything['nan']} one that is nan where f has a slope, "
         f"{everything['draws inconclusive']} were inconclusive, {everything['at finite values']} of them "
         f"where what is differenced is finite")  # fmt: skip
    show("nan by op: " + (", ".join(f"{n} {c['nan']}" for n, c in total.items() if c["nan"]) or "none"))
    show("failed by op: " + (", ".join(f"{n} {c['failed']}" for n, c in total.items() if c["failed"]) or "none"))
    show(
        "inconclusive by op: "
        + ", ".join(f"{n} {c['draws inconclusive']}" for n, c in total.items() if c["draws inconclusive"])
    )
    show(
        "verdicts on derivatives: " + ", ".join(f"{k[5:]} {v}" for k, v in sorted(everything.items()) if k.startswith("rows "))
    )
    for fault in FAULTS:
        planted, caught = everything[f"planted {fault}"], everything[f"caught {fault}"]
        show(f"{fault:>13}: {caught} of {planted} caught, {100 * caught / max(planted, 1):.1f}%")
    return everything["failed"]


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=())
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    raise SystemExit(bool(run(chosen.draws, chosen.seconds, chosen.jobs, chosen.only, chosen.seed)))
