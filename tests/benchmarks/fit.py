"""How fast, how exact, how large and how robust a fit is: `python tests/benchmarks/fit.py [nist|times|...]`.

nist    the 27 nonlinear problems of NIST, certified, through the command line and through SciPy's and lmfit's fits
times   1,000,000 rows, ten weights, 100 passes of gradient descent, beside torch; SciPy's curve_fit on the same table
sizes   the weights beside those of scikit-learn and SciPy, from 398 rows to 1,000,000
reading 100,000 rows of text by each of our readers, beside pyarrow alone
memory  a table fitted by a process that may not have as much memory as the table has numbers
kills   fits by descent and by other methods killed with kill -9 at 50 random instants, started again each time: their bits
peers   what fits say of ten tables, beside statsmodels, SciPy and lmfit
planes  the digits of 200 planes of bad condition beside numpy.linalg.lstsq
curve, plane_times  a curve over 200 rows and a plane over a million beside curve_fit

Peers that are not installed are left out.  Rounds are interleaved, because machines are shared; the fastest counts.
"""

from __future__ import annotations

import importlib.util
import io
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from autograd_lite import nn
from autograd_lite.fit import minimize
from autograd_lite.optim import SGD
from autograd_lite.tables import Table

WIDTH, PASSES, RATE, ROUNDS = 9, 100, 0.3, 3
NAMES = [f"x{i}" for i in range(WIDTH)]
WEIGHTS = [f"w{i}" for i in range(WIDTH)]
START = {**dict.fromkeys(WEIGHTS, 0.0), "b": 0.0}
ROOT = Path(__file__).resolve().parents[2]


def table(rows: int, seed: int = 0) -> tuple[Any, Any]:
    """Nine columns, and a tenth that is a plane over them with a little noise."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(rows, WIDTH))
    return x, x @ draw.normal(size=WIDTH) + 0.5 + 0.1 * draw.normal(size=rows)


def plane(p: Any, row: Any) -> Any:
    total = p["b"]
    for w, x in zip(WEIGHTS, NAMES, strict=True):
        total = total + p[w] * row[x]
    return (total - row["y"]) ** 2


def least_squares(x: Any, y: Any) -> Any:
    return np.linalg.lstsq(np.column_stack([x, np.ones(len(y))]), y, rcond=None)[0]


# -- times ------------------------------------------------------------------------------------------------------------


def ours(x: Any, y: Any) -> Any:
    columns = {**{n: np.ascontiguousarray(x[:, i]) for i, n in enumerate(NAMES)}, "y": y}
    return lambda: list(minimize(plane, START, columns, optimizer=partial(SGD, lr=RATE), steps=PASSES).params.values())


def ours_streamed(x: Any, y: Any) -> Any:
    blocks = ([*x[i : i + 10_000].T, y[i : i + 10_000]] for i in range(0, len(y), 10_000))
    source = Table([*NAMES, "y"], blocks, memory=0)
    return lambda: list(minimize(plane, START, source, optimizer=partial(SGD, lr=RATE), steps=PASSES).params.values())


def torch_descent(x: Any, y: Any) -> Any:
    import torch

    inputs, targets = torch.tensor(x), torch.tensor(y)

    def run() -> Any:
        w = torch.zeros(WIDTH, dtype=torch.float64, requires_grad=True)
        b = torch.zeros((), dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.SGD([w, b], lr=RATE)
        for _ in range(PASSES):
            optimizer.zero_grad()
            ((inputs @ w + b - targets) ** 2).mean().backward()
            optimizer.step()
        return [*w.tolist(), b.item()]

    return run


def curve_fit(x: Any, y: Any) -> Any:
    from scipy import optimize

    columns = x.T.copy()

    def model(x: Any, *p: Any) -> Any:
        total = p[-1]
        for w, column in zip(p[:-1], x, strict=True):
            total = total + w * column
        return total

    return lambda: optimize.curve_fit(model, columns, y, np.zeros(WIDTH + 1))[0]


TIMED: dict[str, tuple[str | None, Callable[[Any, Any], Any], str]] = {
    "autograd_lite, in memory": (None, ours, f"{PASSES} passes"),
    "autograd_lite, from a file": (None, ours_streamed, f"{PASSES} passes"),
    "torch": ("torch", torch_descent, f"{PASSES} passes"),
    "scipy curve_fit": ("scipy", curve_fit, "to its end"),
}


def times() -> None:
    """Each way to the same ten weights, in one process."""
    rows = 1_000_000
    x, y = table(rows)
    exact = least_squares(x, y)
    found = {}
    for name, (module, make, _) in TIMED.items():
        if module is None or importlib.util.find_spec(module):
            found[name] = make(x, y)
    fastest, off = dict.fromkeys(found, float("inf")), {}
    for _ in range(ROUNDS):
        for name, run in found.items():
            start = perf_counter()
            weights = run()
            fastest[name] = min(fastest[name], perf_counter() - start)
            off[name] = np.max(np.abs(np.array(weights) - exact))
    print(f"{rows:,} rows, ten weights, double precision, {os.cpu_count()} cores\n")
    print(f"{'':28}{'':>12}{'seconds':>9}   {'farthest weight':<15}")
    for name, seconds in fastest.items():
        print(f"{name:28}{TIMED[name][2]:>12}{seconds:9.2f}   {off[name]:.1e} off the least-squares solution")
        assert off[name] < 1e-6


# -- sizes ------------------------------------------------------------------------------------------------------------


def mpg_like(rows: int = 398) -> tuple[Any, Any]:
    """A table like Auto-MPG: seven columns of very different sizes that go together, and miles per gallon."""
    draw = np.random.default_rng(1)
    size = draw.normal(size=rows)
    tied = 0.9 * size[:, None] + 0.4 * draw.normal(size=(rows, 5))
    year = draw.integers(70, 83, rows)
    x = np.column_stack([5.5 + 1.7 * tied[:, 0], 193 + 104 * tied[:, 1], 104 + 38 * tied[:, 2], 2970 + 847 * tied[:, 3],
                         15.6 - 2.7 * tied[:, 4], year, draw.integers(1, 4, rows)])  # fmt: skip
    return x, 23.5 - 6.5 * size + 0.75 * (year - 76) + 3 * draw.normal(size=rows)


def linear(p: Any, x: Any, y: Any) -> Any:
    return nn.mse(p["b"] + sum(w * v for w, v in zip(p["w"], x, strict=True)), y)


def logistic(p: Any, x: Any, y: Any) -> Any:
    return nn.binary_cross_entropy_with_logits(p["b"] + sum(w * v for w, v in zip(p["w"], x, strict=True)), y)


def sizes() -> None:
    """Our weights beside those that scikit-learn and SciPy find on the same tables."""
    from scipy import optimize
    from sklearn.linear_model import LinearRegression

    def by_scikit(x: Any, y: Any) -> Any:
        model = LinearRegression().fit(x, y)
        return [*model.coef_, model.intercept_]

    def by_scipy(x: Any, y: Any) -> Any:
        one = np.column_stack([x, np.ones(len(y))])

        def f(w: Any) -> Any:
            z = one @ w
            return np.mean(np.logaddexp(0, z) - y * z), one.T @ (1 / (1 + np.exp(-z)) - y) / len(y)

        def hess(w: Any) -> Any:
            s = 1 / (1 + np.exp(-(one @ w)))
            return one.T @ (one * (s * (1 - s))[:, None]) / len(y)

        return optimize.minimize(
            f, np.zeros(one.shape[1]), jac=True, hess=hess, method="trust-exact", options={"gtol": 1e-12}
        ).x

    x, y = mpg_like()
    z = (x - x.mean(0)) / x.std(0)
    big, plane_of = table(1_000_000)
    momentum = partial(SGD, lr=0.1, momentum=0.9)
    jobs = [
        ("398 rows like Auto-MPG, mse", linear, z, y, by_scikit, momentum, 20_000),
        (
            "398 rows like Auto-MPG, logistic",
            logistic,
            z,
            (y > 23.0) * 1.0,
            by_scipy,
            partial(SGD, lr=0.5, momentum=0.9),
            200_000,
        ),
        ("1,000,000 rows, mse", linear, big, plane_of, by_scikit, partial(SGD, lr=RATE), 1000),
    ]
    print(f"{'table and loss':36}{'steps':>7}{'seconds':>9}   largest difference of a weight")
    for name, loss, columns, targets, peer, optimizer, steps in jobs:
        start = perf_counter()
        found = minimize(
            loss, {"w": [0.0] * columns.shape[1], "b": 0.0}, (columns, targets), optimizer=optimizer, steps=steps, tol=1e-15
        )
        seconds = perf_counter() - start
        theirs = np.array(peer(columns, targets))
        off = np.max(np.abs(np.array([*found.params["w"], found.params["b"]]) - theirs))
        print(f"{name:36}{found.steps:7}{seconds:9.2f}   {off:.1e}, to {peer.__name__.removeprefix('by_')}")
        assert off < 1e-6, found.reason


# -- memory -----------------------------------------------------------------------------------------------------------

LIMITED = """
import resource, sys
from functools import partial
path, limit, fit = sys.argv[1], int(sys.argv[2]), sys.argv[3]
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
from autograd_lite.fit import minimize
from autograd_lite.optim import SGD
from autograd_lite.tables import read_table
names = [f"x{i}" for i in range(9)]
def plane(p, row):
    return (sum((p["w" + n[1:]] * row[n] for n in names), p["b"]) - row["y"]) ** 2
start = {**{"w" + n[1:]: 0.0 for n in names}, "b": 0.0}
with read_table(path, memory=2**20 if fit == "streamed" else 2**40) as table:
    found = minimize(plane, start, table, optimizer=partial(SGD, lr=0.3), steps=20)
    print(table.rows, max(abs(w - 1) for w in found.params.values()))
"""


def written(path: Path, rows: int) -> int:
    """A CSV file of a plane whose weights are all 1; its size in bytes."""
    draw = np.random.default_rng(0)
    x = np.round(draw.normal(size=(10_000, WIDTH)), 3)
    text = io.StringIO()
    np.savetxt(text, np.column_stack([x, x.sum(1) + 1]), "%.3f", ",")
    with path.open("w") as file:
        file.write(",".join([*NAMES, "y"]) + "\n")
        for _ in range(rows // 10_000):  # the same rows again and again: they take as much room as others
            file.write(text.getvalue())
    return path.stat().st_size


def limited(path: Path, limit: int, fit: str) -> subprocess.CompletedProcess[str]:
    """The fit of a file in a process that may have `limit` bytes of data."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", LIMITED, str(path), str(limit), fit]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def memory(rows: int = 5_000_000, limit: int = 100 * 2**20) -> None:
    """A table larger than the limit: streamed it is fitted, held in memory it is not."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.csv"
        size = written(path, rows)
        numbers = 8 * rows * (WIDTH + 1)
        print(
            f"{rows:,} rows, {size / 2**20:.0f} MB of CSV, {numbers / 2**20:.0f} MB as doubles; limit {limit / 2**20:.0f} MB\n"
        )
        for fit in ("streamed", "in memory"):
            start = perf_counter()
            done = limited(path, limit, fit)
            if done.returncode:
                print(f"{fit:12}{done.stderr.strip().splitlines()[-1]}")
            else:
                count, off = done.stdout.split()
                print(
                    f"{fit:12}{int(count):,} rows, 20 passes in {perf_counter() - start:.1f} s; weights off by {float(off):.1e}"
                )


def reading(rows: int = 100_000) -> None:
    """Ten columns of text by each of our readers, and by pyarrow alone: processor seconds, the least of three."""
    from time import process_time

    from autograd_lite.tables import plain, read_table

    arrow, fast = plain._arrow, plain.numpy
    with tempfile.TemporaryDirectory() as folder:
        for digits in (3, 16):
            path = Path(folder) / "table.csv"
            x, y = table(rows)
            np.savetxt(path, np.column_stack([x, y]), f"%.{digits}g", ",", header=",".join([*NAMES, "y"]), comments="")
            exact = np.loadtxt(path, delimiter=",", skiprows=1)
            print(f"{rows:,} rows x 10 numbers of {digits} digits, {path.stat().st_size / 1e6:.1f} MB")
            for name in ("pyarrow", "NumPy", "neither", "pyarrow alone"):
                plain._arrow = arrow if name == "pyarrow" else lambda: None
                plain.numpy = (lambda: None) if name == "neither" else fast
                seconds = []
                for _ in range(ROUNDS):
                    begin = process_time()
                    if name == "pyarrow alone":
                        import pyarrow.csv

                        options = pyarrow.csv.ReadOptions(use_threads=False)
                        found = np.column_stack([c.to_numpy() for c in pyarrow.csv.read_csv(path, options).columns])
                    else:
                        with read_table(path) as read:
                            found = np.column_stack(list(read.read(0, read.rows).values()))
                    seconds.append(process_time() - begin)
                assert (found == exact).all()
                print(f"{'with ' * ('alone' not in name) + name:16}{min(seconds):8.3f}")
    plain._arrow, plain.numpy = arrow, fast


# -- kills ------------------------------------------------------------------------------------------------------------

KILLED = """
import json, sys
from functools import partial
from autograd_lite.fit import minimize
from autograd_lite.optim import Adam
xs = [0.001 * i for i in range(3000)]
ys = [x * x - x + 0.1 * (-1) ** i for i, x in enumerate(xs)]
loss = lambda p, x, y: (p["a"] * x * x + p["b"] * x + p["c"] - y) ** 2
found = minimize(loss, {"a": 0.0, "b": 0.0, "c": 0.0}, (xs, ys), optimizer=partial(Adam, lr=0.01), steps=2000, batch_size=100,
                 checkpoint=sys.argv[1], every=20)
print(json.dumps([found.params, found.loss, found.history]))
"""


METHODS = """
import json, sys
from autograd_lite import exp
from autograd_lite.fit import minimize
xs = [0.001 * i for i in range(20000)]
ys = [3 * 2.718281828 ** (-0.7 * x) + 0.1 * (-1) ** i for i, x in enumerate(xs)]
r = lambda p, x, y: p["a"] * exp(-p["k"] * x) + p["c"] - y
found = []
square = lambda *a: r(*a) ** 2
for i, options in enumerate([dict(residual=r), dict(loss=square), dict(loss=square, method="lbfgs")]):
    done = minimize(params={"a": 40.0, "k": 3.0, "c": 5.0}, data=(xs, ys), checkpoint=f"{sys.argv[1]}{i}", **options)
    found.append([done.params, done.loss, done.history])
print(json.dumps(found))
"""


def killed(path: Path, seconds: float | None, program: str) -> Iterator[str]:
    """The output of the fit, if it comes to its end before it is killed."""
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:
        try:
            yield process.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)


def kills(count: int = 50) -> None:
    """The bits that fits end with, killed again and again, beside those of one left alone."""
    for name, program in (("a fit by descent", KILLED), ("three fits by lm, newton and lbfgs", METHODS)):
        draw, ended, instants = random.Random(0), 0, 0
        with tempfile.TemporaryDirectory() as folder:
            start = perf_counter()
            (wanted,) = killed(Path(folder) / "whole.json", None, program)
            whole = perf_counter() - start
            path = Path(folder) / "run.json"
            while instants < count:
                output = list(killed(path, draw.uniform(0.3, 1.0) * whole, program))
                if output:
                    assert output == [wanted]
                    ended += 1
                    for file in path.parent.glob("run.json*"):
                        file.unlink()
                else:
                    instants += 1
            (output,) = killed(path, None, program)
            assert output == wanted
        print(f"{name} of {whole:.1f} s killed at {instants} random instants; came to the end {ended + 1} times, each time at")
        print("the same bits as one that was never killed")


def nist() -> None:
    """The table of `fit_nist`."""
    import fit_nist  # beside this file

    fit_nist.nist()


def peers() -> None:
    """The table of `fit_peers`."""
    import fit_peers  # beside this file

    fit_peers.peers()


def planes(count: int = 200) -> None:
    """Planes of bad condition: our digits beside those of numpy.linalg.lstsq, both against 60 digits of mpmath."""
    import mpmath

    from autograd_lite.fit import fit

    digits, sure = [], 0
    for seed in range(count):
        draw = np.random.default_rng(seed)
        u, _ = np.linalg.qr(draw.normal(size=(40, 4)))
        v, _ = np.linalg.qr(draw.normal(size=(4, 4)))
        design = u * np.geomspace(1, 10.0 ** -draw.uniform(0, 12), 4) @ v.T
        y = design @ draw.normal(size=4) + 1e-3 * draw.normal(size=40)
        with mpmath.workdps(60):
            a, b = mpmath.matrix(design.tolist()), mpmath.matrix(y.tolist())
            exact = np.array([float(x) for x in mpmath.lu_solve(a.T * a, a.T * b)])
        columns = {f"x{i}": design[:, i].copy() for i in range(4)}
        found = fit(" + ".join(f"w{i}*x{i}" for i in range(4)), {**columns, "y": y}, target="y")
        both = list(found.params.values()), np.linalg.lstsq(design, y, rcond=None)[0]
        off = [max(np.max(np.abs(np.array(x) - exact)) / np.max(np.abs(exact)), 1e-16) for x in both]
        digits.append(-np.log10(off))
        sure += found.converged
    print(f"{count} planes, condition numbers up to 1e12, {sure} converged; digits of the worst weight, at most 16\n")
    print(f"{'':24}{'fewest':>8}{'median':>8}")
    for name, found_by in zip(("autograd_lite fit", "numpy.linalg.lstsq"), np.transpose(digits), strict=True):
        print(f"{name:24}{min(found_by):8.1f}{np.median(found_by):8.1f}")
    print(f"fewer than lstsq's in {sum(a < b for a, b in digits)}")


def curve(rounds: int = 30) -> None:
    """A curve of six weights over 200 rows: the time of a fit, compiling included, and beside curve_fit after it."""
    from scipy.optimize import curve_fit as theirs

    from autograd_lite.fit import fit
    from autograd_lite.fit.methods.trust import State
    from autograd_lite.fit.methods.trust import least_squares as trust
    from autograd_lite.fit.rows import Rows
    from autograd_lite.fit.rows.residuals import Residuals
    from autograd_lite.formula import parse
    from autograd_lite.tree import flatten

    x = np.linspace(0.1, 10, 200)
    start = dict(zip("abcdef", (1.5, 0.4, 2.5, 1.2, 0.5, 2.1), strict=True))

    def f(x: Any, a: float, b: float, c: float, d: float, e: float, f: float) -> Any:
        return a * np.exp(-b * x) + c * np.exp(-d * x) + e * np.sin(f * x)

    y = f(x, 2, 0.5, 3, 1.5, 0.3, 2.0) + 0.01 * np.random.default_rng(0).normal(size=200)
    text = "a*exp(-b*x) + c*exp(-d*x) + e*sin(f*x)"
    formula, (_, spec) = parse(text), flatten(start, "start")
    ready = Residuals(lambda w, row: formula({**w, **row}) - row["y"], spec, 6, Rows({"x": x, "y": y}))
    jobs: dict[str, Callable[[], Any]] = {
        "autograd_lite fit, all of it": lambda: fit(text, {"x": x, "y": y}, target="y", init=start),
        "autograd_lite, after compiling": lambda: trust(ready.triangle, State(list(start.values())), ready.size),
        "scipy curve_fit": lambda: theirs(f, x, y, p0=list(start.values())),
    }
    fastest = dict.fromkeys(jobs, float("inf"))
    for _ in range(rounds):
        for name, run in jobs.items():
            begin = perf_counter()
            run()
            fastest[name] = min(fastest[name], perf_counter() - begin)
    print("200 rows, six weights, from the same start\n")
    for name, seconds in fastest.items():
        print(f"{name:32}{1e3 * seconds:8.2f} ms")


def plane_times(rows: int = 1_000_000) -> None:
    """A plane of ten weights over a million rows, columns of sizes 0.1 to 100, nothing tuned: seconds of the processor."""
    from time import process_time

    from scipy.optimize import curve_fit as theirs

    from autograd_lite.fit import fit

    x, y = table(rows)
    x = x * np.geomspace(0.1, 100, WIDTH)
    columns = {**{n: np.ascontiguousarray(x[:, i]) for i, n in enumerate(NAMES)}, "y": y}
    text = " + ".join([*(f"{w}*{n}" for w, n in zip(WEIGHTS, NAMES, strict=True)), "b"])

    def f(x: Any, *p: Any) -> Any:
        return sum((w * column for w, column in zip(p[:-1], x, strict=True)), p[-1])

    columns_of = x.T.copy()
    jobs: dict[str, Callable[[], Any]] = {
        "autograd_lite fit": lambda: list(fit(text, columns, target="y").params.values()),
        "scipy curve_fit": lambda: theirs(f, columns_of, y, np.zeros(WIDTH + 1))[0],
    }
    exact = least_squares(x, y)
    print(f"{rows:,} rows, ten weights, columns of sizes 0.1 to 100: processor seconds, the less of two\n")
    for name, run in jobs.items():
        seconds = []
        for _ in range(2):
            begin = process_time()
            found = run()
            seconds.append(process_time() - begin)
        print(f"{name:28}{min(seconds):8.2f}   {np.max(np.abs(np.array(found) - exact)):.1e} off")


PARTS = {
    "nist": nist, "times": times, "sizes": sizes, "memory": memory, "kills": kills, "peers": peers, "planes": planes,
    "curve": curve, "plane_times": plane_times, "reading": reading,
}  # fmt: skip

if __name__ == "__main__":
    for i, part in enumerate(sys.argv[1:] or PARTS):
        print(end="\n" * (i > 0))
        PARTS[part]()
