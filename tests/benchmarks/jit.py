"""How fast the jit is, beside its peers in the same process: `python tests/benchmarks/jit.py`.

All peers of a job get the same numbers and must give the same results to 1e-9 before any is timed; float64
but where a job says single precision.  Rounds
are interleaved, because the machine is shared: in each round every peer runs for about the same time, and the tables give
medians over rounds and ratios of medians.  A ratio is how many times ours the peer's time is; "ours at most" is what the peer's
time and the goal ask of ours.  One thread on one core, but for the job `threads`.

`--job NAME` runs one job (may be repeated), `--without TEXT` leaves out the peers whose name begins so, `--rounds N` sets the
rounds, `--quick` makes them few and short, `--markdown` adds a table for the README.  Peers that are not installed, and C where
there is no compiler or no AVX-512, are left out with the reason: `pip install .[bench]` brings the peers.  The exit status is
1 where a peer failed or results differ.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import math
import os
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import repeat
from time import perf_counter, process_time
from typing import Any

ONE_THREAD = {
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
BASE = "ours"
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Job:
    """What is timed, and the goals: by the beginning of a peer's name, how many times ours its time shall be at least."""

    name: str
    title: str
    peers: tuple[Any, ...]  # a module, its function, the arguments; gives, by name, functions that prepare a peer's call
    goals: dict[str, float]
    rows: int = 1
    limit: float = math.inf  # of ours, in seconds
    most: dict[str, int] = field(default_factory=dict)  # rounds of slow peers
    cores: int = 1
    tolerance: float = TOLERANCE


MOONS_GOALS = {"JAX jit": 3.0, "torch": 4.0, "AVX-512 C": 1 / 1.5}
JOBS = (
    Job(
        "moons-100",
        "two moons, 337 gradients, relu, 100 rows",
        ("jit_moons", "peers", "relu", 100),
        {"JAX jit": 8.0, "torch": 40.0, "micrograd": 50_000.0},
        rows=100,
        limit=6.0e-6,
        most={"micrograd": 2},
    ),
    Job("moons-10k", "two moons, relu, 10,000 rows", ("jit_moons", "peers", "relu", 10_000), MOONS_GOALS, rows=10_000),
    Job("moons-800k", "two moons, relu, 800,000 rows", ("jit_moons", "peers", "relu", 800_000), MOONS_GOALS, rows=800_000),
    Job("tanh", "two moons, tanh, 10,000 rows", ("jit_moons", "peers", "tanh", 10_000), {"JAX jit": 1.5}, rows=10_000),
    Job(
        "options",
        "Black-Scholes, price and five Greeks, 1,000,000 rows",
        ("jit_options", "peers", 1_000_000),
        {"JAX jit": 1.0, "torch.compile": 1.0, "Numba": 1.0},
        rows=1_000_000,
    ),
    Job(
        "logistic",
        "logistic regression, ten numbers a row, 1,000,000 rows",
        ("jit_logistic", "peers", 1_000_000),
        {"JAX jit": 1.0, "torch.compile": 1.0, "C with libmvec": 1.0},
        rows=1_000_000,
    ),
    Job(
        "float32",
        "two moons, tanh, 10,000 rows, in single precision",
        ("jit_moons", "single", "tanh", 10_000),
        {"JAX jit": 1.0, "ours, double": 1.0},
        rows=10_000,
        tolerance=1e-4,
    ),
    Job(
        "float32-relu",
        "two moons, relu, 10,000 rows, in single precision",
        ("jit_moons", "single", "relu", 10_000),
        {"JAX jit": 1.0, "ours, double": 1.0},
        rows=10_000,
        tolerance=1e-4,
    ),
    Job(
        "rosenbrock",
        "Rosenbrock of 2, value and gradient, one call",
        ("jit_rosenbrock", "peers"),
        {"JAX jit": 15.0, "CasADi, list": 25.0, "CasADi, DM": 25.0, "SymPy with Numba": 1.0, "heyoka": 1.0, "XAD": 1.0},
        limit=0.25e-6,
    ),
    Job(
        "hessian",
        "Rosenbrock of 100, gradient and sparse Hessian, one call",
        ("jit_rosenbrock", "hessian_peers", 100),
        {"JAX jit": 1.0, "CasADi compiled, DM": 1.0},
    ),
    Job(
        "dense-hessian-first",
        "the dense Hessian of Rosenbrock of 100: tracing, compiling and one call",
        ("jit_sparse", "dense_first", 100),
        {},
        limit=0.2,
        most={"JAX jit": 3},
    ),
    Job(
        "dense-hessian",
        "the dense Hessian of Rosenbrock of 100, one call",
        ("jit_sparse", "dense_later", 100),
        {"JAX jit": 1.0},
        limit=2.5e-6,
    ),
    Job(
        "sparse-first",
        "Rosenbrock of 10,000, gradient and sparse Hessian: the first call",
        ("jit_sparse", "first", 10_000),
        {},
        most={"ours": 2, "JAX jit, three products": 3, "CasADi, DM": 3},
    ),
    Job(
        "sparse",
        "Rosenbrock of 10,000, gradient and sparse Hessian, one call",
        ("jit_sparse", "later", 10_000),
        {"CasADi, DM": 1.0},
    ),
    Job(
        "kept",
        "two moons, relu, 100 rows: the first call with machine code from disk",
        ("jit_moons", "kept", "relu"),
        {"ours, compiled": 3.0},
        limit=0.12,
    ),
    Job(
        "compile",
        "two moons, relu: compiling the row's loss, and one call",
        ("jit_moons", "compile_times", "relu"),
        {},
        limit=1.0,
    ),
    Job(
        "compile-100k",
        "a program of 100,000 instructions: compiling it, and one call",
        ("jit_program", "peers", 100_000),
        {"ours, half the length": 0.4},  # half as long, give or take the noise of the machine: not quadratic
        limit=2.0,
        most={"ours": 3, "ours, half the length": 3, "CasADi SX": 3, "CasADi SX, half the length": 3},
    ),
    Job(
        "threads",
        "two moons, relu, 800,000 rows, two threads",
        ("jit_moons", "threads", 800_000),
        {"ours, one thread": 1.7},
        rows=800_000,
        cores=2,
    ),
)


@dataclass
class Measured:
    """A job's medians in seconds by peer, and why others have none."""

    job: Job
    seconds: dict[str, float]
    absent: dict[str, str]
    failed: bool

    def goal(self, peer: str) -> float | None:
        return next((g for start, g in self.job.goals.items() if peer.startswith(start)), None)

    def ratio(self, peer: str) -> float:
        return self.seconds[peer] / self.seconds[BASE] if BASE in self.seconds else math.nan

    def met(self, peer: str) -> bool | None:
        """Whether the goal is met; None where there is none, or nothing of ours to compare."""
        if BASE not in self.seconds:
            return None
        if peer == BASE:
            return None if self.job.limit == math.inf else self.seconds[BASE] <= self.job.limit
        goal = self.goal(peer)
        return None if goal is None else self.ratio(peer) >= goal


# -- measuring --------------------------------------------------------------------------------------------------------


def flat(x: Any) -> Any:
    import numpy as np

    return np.asarray(x, dtype=float).ravel()


def difference(a: list[Any], b: list[Any]) -> float:
    """The largest difference of two results, array by array over the largest number in it; inf where their shapes differ."""
    if [x.shape for x in a] != [y.shape for y in b]:
        return math.inf
    gaps = [abs(x - y).max() / (abs(x).max() or 1.0) for x, y in zip(a, b, strict=True)]
    return max(gaps) if all(map(math.isfinite, gaps)) else math.inf


def sample(call: Callable[[], Any], loops: int, clock: Callable[[], float] = process_time) -> float:
    """Seconds of one call: of the processor on one core, as others may use it too; of the wall on several."""
    gc.collect()  # nobody pays for the garbage of the one before
    start = clock()
    for _ in repeat(None, loops):
        call()
    return (clock() - start) / loops


def enough(call: Callable[[], Any], budget: float) -> int:
    """How many calls take about `budget` seconds."""
    loops = 1
    while (each := sample(call, loops)) * loops < budget / 2:
        loops = max(2 * loops, math.ceil(budget / each))
    return loops


def pin(cores: int) -> None:
    """Stay on the last `cores` cores that this process may use, where the system can say so."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, CORES[-cores:])


CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def measure(job: Job, without: list[str], rounds: int, budget: float) -> Measured:
    """Prepare the peers, compare what they give, then time them in turn, about `budget` seconds each a round."""
    pin(job.cores)
    module, function, *arguments = job.peers
    result = Measured(job, {}, {}, False)
    calls: dict[str, Callable[[], Any]] = {}
    reference: Any = None
    for name, prepare in getattr(importlib.import_module(module), function)(*arguments).items():
        if any(name.startswith(text) for text in without):
            continue
        try:
            made = prepare()
            call, read = made if isinstance(made, tuple) else (made, tuple)
            given = [flat(x).copy() for x in read(call())]
        except (ImportError, NotImplementedError) as error:
            result.absent[name] = str(error)
            continue
        except Exception as error:  # one peer's failure is not the end of the others, but of the success
            result.absent[name], result.failed = f"{type(error).__name__}: {error}", True
            continue
        reference = given if reference is None else reference
        gap = difference(reference, given)
        if not gap <= job.tolerance:
            result.absent[name], result.failed = f"differs from {next(iter(calls))} by {gap:.1e}", True
            continue
        calls[name] = call
    loops = {name: enough(call, budget) for name, call in calls.items() if name not in job.most}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for i in range(rounds):
        for name, call in calls.items():
            if i < job.most.get(name, rounds):
                clock = process_time if job.cores == 1 else perf_counter
                times[name].append(sample(call, loops.get(name, 1), clock))
    result.seconds = {name: statistics.median(t) for name, t in times.items()}
    return result


def processor() -> str:
    """Its name, as the system or LLVM has it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            name = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "")
    except OSError:
        name = ""
    try:
        from autograd_lite.compiler.llvm.native import host

        return (
            f"{name or 'processor unknown'} ({host().cpu} to LLVM), vectors of {host().width} doubles, {os.cpu_count()} cores"
        )
    except ImportError as error:
        return f"{name or 'processor unknown'}; {error}"


# -- printing ---------------------------------------------------------------------------------------------------------


def seconds(t: float) -> str:
    unit, scale = next((u, s) for u, s in (("s ", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9)) if t >= s or s == 1e-9)
    return f"{t / scale:.3g} {unit}" if t < 1e3 * scale else f"{t / scale:.0f} {unit}"


def times(ratio: float) -> str:
    return "" if math.isnan(ratio) else f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"


def table(found: Measured) -> str:
    """The peers of one job, aligned."""
    lines = [f"{found.job.name}: {found.job.title}"]
    many = found.job.rows > 1
    lines.append(f"{'':28}{'time':>10}{'a row' if many else '':>12}{'x ours':>10}{'goal':>12}{'ours at most':>15}{'met':>6}")
    for peer, t in found.seconds.items():
        goal, limit = found.goal(peer), found.job.limit
        if peer == BASE:
            wanted, most = ("", "") if limit == math.inf else (f"<= {seconds(limit).strip()}", seconds(limit))
        else:
            wanted, most = ("", "") if goal is None else (f">= {times(goal)}", seconds(t / goal))
        a_row = seconds(t / found.job.rows) if many else ""
        ratio = "" if peer == BASE else times(found.ratio(peer))
        met = {True: "yes", False: "no", None: ""}[found.met(peer)]
        lines.append(f"{peer:28}{seconds(t):>10}{a_row:>12}{ratio:>10}{wanted:>12}{most:>15}{met:>6}".rstrip())
    lines += [f"{peer}: {why}" for peer, why in found.absent.items()]
    return "\n".join(lines)


def markdown(results: list[Measured]) -> str:
    """One row for each job: what ours took, and how many times that each peer took, with the goal in parentheses."""
    lines = ["| job | ours | times ours (goal) | met |", "|---|---|---|---|"]
    for found in results:
        parts = []
        for peer in found.seconds:
            if peer != BASE:
                goal = found.goal(peer)
                taken = times(found.ratio(peer)) or seconds(found.seconds[peer]).strip()
                parts.append(f"{peer}: {taken}" + (f" ({times(goal)})" if goal is not None else ""))
        verdicts = [v for v in map(found.met, found.seconds) if v is not None]
        own = seconds(found.seconds[BASE]).strip() if BASE in found.seconds else "–"
        met = "–" if not verdicts else "yes" if all(verdicts) else "no"
        lines.append(f"| {found.job.title} | {own} | {'; '.join(parts)} | {met} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--job", action="append", choices=[job.name for job in JOBS])
    parser.add_argument("--without", action="append", default=[], metavar="TEXT")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    rounds = options.rounds if options.rounds is not None else 3 if options.quick else 9
    if rounds < 1:
        parser.error(f"--rounds {rounds}: at least 1")
    os.environ.update(ONE_THREAD)
    os.environ["JAX_ENABLE_X64"] = "1"
    print(processor(), end="\n\n")
    results = []
    for job in JOBS:
        if not options.job or job.name in options.job:
            results.append(measure(job, options.without, rounds, 0.005 if options.quick else 0.05))
            print(table(results[-1]), end="\n\n", flush=True)
    if options.markdown:
        print(markdown(results))
    return int(any(found.failed for found in results))


if __name__ == "__main__":
    sys.exit(main())
