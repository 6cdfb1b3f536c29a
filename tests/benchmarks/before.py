"""Two states of this repository beside each other: `python tests/benchmarks/before.py COMMIT [--job TEXT] [--rounds N]`.

COMMIT and what is checked out are installed by pip, each in a folder of its own. A job is a few lines that both understand,
run in processes of its own, in turns, as the machine is shared, and measured in seconds of the processor: `best` is the least
of many repetitions in one process, `first` the only one of a fresh process, `process` the whole process with Python's start.
The table gives the least over the rounds on each side, and their ratio. A job is slower where that ratio is over 1.03 and the
ratio of medians too. The exit status is 1 where a job is slower, or fails on what is checked out.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = Path(__file__).resolve().parent
MOST = 1.03
PATIENCE = 600  # seconds, for one process

MEASURE = """
from time import process_time
def first(call):
    begin = process_time()
    call()
    return process_time() - begin
def best(call):
    call()
    times = max(1, int(0.01 / max(first(call), 1e-9)))
    least, end = float("inf"), process_time() + 1.0
    while process_time() < end:
        least = min(least, first(lambda: [call() for _ in range(times)]) / times)
    return least
"""
TANH = """
from autograd_lite import grad, tanh
third = grad(grad(grad(tanh)))
call = lambda: third(0.3)
"""
NET = """
import random
from autograd_lite import Value, nn, relu
draws = random.Random(1)
rows = [([draws.random(), draws.random()], draws.choice([-1, 1])) for _ in range(20)]
weights = [Value(draws.uniform(-1, 1)) for _ in range(337)]
def model(x):
    at = 0
    for n, m in ((2, 16), (16, 16), (16, 1)):
        ends = [at + j * (n + 1) for j in range(m)]
        x = [sum((weights[e + i] * x[i] for i in range(n)), weights[e + n]) for e in ends]
        at += m * (n + 1)
        if m > 1:
            x = [relu(z) for z in x]
    return x[0]
def call():
    for w in weights:
        w.grad = 0.0
    sum((relu(1 - y * model(x)) for x, y in rows), Value(0.0)).backward()
"""
ROSENBROCK = """
from autograd_lite import grad, hessian, hvp, jit, jvp, value_and_grad
def rosenbrock(x):
    return sum(100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2 for i in range(len(x) - 1))
x, ones = [1.5] * 10, [1.0] * 10
"""
PICTURE = """
import random
from autograd_lite import Value, draw, sin
from autograd_lite import explain as explained
draws = random.Random(3)
values = [Value(draws.random(), f"x{i}") for i in range(5)]
while len(values) < 100:
    a, b = draws.choice(values[-20:]), draws.choice(values[-20:])
    values.append(draws.choice([a * b, a + b, sin(a)]))
root = sum(values[-20:], Value(0.0))
"""
ROWS = """
import numpy as np
from functools import partial
from autograd_lite import exp
from autograd_lite.fit import minimize
from autograd_lite.optim import SGD
draws = np.random.default_rng(0)
x = draws.uniform(0.0, 3.0, 100_000)
y = 2.0 * np.exp(-0.7 * x) + 0.01 * draws.normal(size=len(x))
def loss(p, row):
    return (p["a"] * exp(-p["k"] * row["x"]) - row["y"]) ** 2
def call(steps=50):
    minimize(loss, {"a": 1.0, "k": 1.0}, {"x": x, "y": y}, optimizer=partial(SGD, lr=0.1), steps=steps)
"""
FORMULA = "((a + b*x)**2 + sin(b*x)*exp(-x/2) - log(1 + x**2)) / (1 + hypot(a, b))"


@dataclass(frozen=True)
class Job:
    """What is measured: `kind`, and a program that defines `call`, or is all of it where `kind` is process."""

    title: str
    kind: str
    program: str


def module(name: str, data: str, *more: str) -> str:
    """The part of a peer's benchmark that is ours."""
    return f"from {name} import *\ncall = ours({', '.join([data, *more])})"


def command(*arguments: str) -> str:
    return f"import sys\nfrom autograd_lite.cli import main\nsys.argv = ['autograd-lite', *{arguments!r}]\nmain()"


JOBS = (
    Job("import autograd_lite", "process", "import autograd_lite"),
    Job("the command: --help", "process", command("--help")),
    Job("the command: grad of a formula", "process", command("grad", FORMULA, "a=1", "b=2", "x=3")),
    Job("two moons, 20 rows, op by op", "best", NET),
    Job("two moons, 20 rows, op by op, first step", "first", NET),
    Job("two moons, 20 rows, nn.MLP", "best", NET.replace("def model", "def other") + "model = nn.MLP(2, [16, 16, 1])"),
    Job("gradient of Rosenbrock of 10", "best", ROSENBROCK + "call = lambda: grad(rosenbrock)(x)"),
    Job("Hessian of Rosenbrock of 10", "best", ROSENBROCK + "call = lambda: hessian(rosenbrock)(x)"),
    Job("jvp of Rosenbrock of 10", "best", ROSENBROCK + "call = lambda: jvp(rosenbrock, (x,), (ones,))"),
    Job("hvp of Rosenbrock of 10", "best", ROSENBROCK + "call = lambda: hvp(rosenbrock, (x,), (ones,))"),
    Job(
        "third derivative of tanh",
        "best",
        "from autograd_lite import grad, tanh\nd = grad(grad(grad(tanh)))\ncall = lambda: d(0.3)",
    ),
    Job("check_grads of sin", "best", "from autograd_lite import check_grads, sin\ncall = lambda: check_grads(sin, (0.3,))"),
    Job("picture of 100 nodes, SVG", "best", PICTURE + "call = lambda: draw(root).svg()"),
    Job("the same, explained", "best", PICTURE + "call = lambda: str(explained(root))"),
    Job("jit: Rosenbrock of 2, value and gradient, a call", "best", module("jit_rosenbrock", "")),
    Job("jit: the same of 10, first call", "first", ROSENBROCK + "call = lambda: jit(value_and_grad(rosenbrock))(x)"),
    Job("jit: Hessian of 30, first call", "first", ROSENBROCK + "call = lambda: jit(hessian(rosenbrock))(x * 3)"),
    Job("jit: relu net, 100 rows, a call", "best", module("jit_moons", "Data(100)", "'relu'")),
    Job("jit: relu net, 100 rows, first call", "first", module("jit_moons", "Data(100)", "'relu'")),
    Job("jit: relu net, 10,000 rows", "best", module("jit_moons", "Data(10_000)", "'relu'")),
    Job("jit: tanh net, 10,000 rows", "best", module("jit_moons", "Data(10_000)", "'tanh'")),
    Job("jit: Black-Scholes, 1,000,000 rows", "best", module("jit_options", "market(1_000_000)")),
    Job("minimize, 100,000 rows, 50 steps", "best", ROWS),
    Job("minimize, 100,000 rows, the first step", "first", ROWS.replace("steps=50", "steps=1")),
)


def seconds(job: Job, installed: Path) -> float | None:
    """What one process of it takes with the package that is installed there; None where it fails."""
    measured = f"{MEASURE}{job.program}\nprint({job.kind}(call))" if job.kind != "process" else job.program
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (installed, BENCHMARKS)))}
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run(
        [sys.executable, "-P", "-W", "ignore", "-c", measured],
        env=environment,
        cwd=installed,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if done.returncode:
        return None
    if job.kind == "process":
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    return float(done.stdout.split()[-1])


def install(source: Path, folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, source], check=True)
    return folder


def written(x: float) -> str:
    unit, size = next((u, s) for u, s in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 0.0)) if x >= s)
    return f"{x / (size or 1e-9):.3g} {unit}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("commit")
    parser.add_argument("--job", default="", help="only jobs whose title has this text")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as place:
        source = Path(place, "source")
        source.mkdir()
        packed = subprocess.run(["git", "archive", asked.commit], cwd=ROOT, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x", "-C", source], input=packed, check=True)
        sides = install(source, Path(place, "before")), install(ROOT, Path(place, "now"))
        print(f"{'':50}{asked.commit[:10]:>12}{'now':>12}{'now / before':>16}")
        for job in JOBS:
            if asked.job not in job.title:
                continue
            taken: tuple[list[float], list[float]] = [], []
            for _ in range(asked.rounds):
                for side, times in zip(sides, taken, strict=True):
                    if (time := seconds(job, side)) is not None:
                        times.append(time)
            then, now = (f"{written(min(times)):>12}" if times else f"{'fails':>12}" for times in taken)
            ratio, slower = "", False
            if all(taken):
                least, median = (f(taken[1]) / f(taken[0]) for f in (min, statistics.median))
                ratio, slower = f"{least:16.2f}", min(least, median) > MOST
            failed |= slower or not taken[1]
            print(f"{job.title:50}{then}{now}{ratio}{'   slower' if slower else ''}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
