"""A fit over many files on a Dask cluster on this machine: `python tests/benchmarks/cluster.py passes|kills|nist|thousand`.

passes     a pass over the rows and a fit, by 1 and 2 workers of one thread, by one process, and in others' ways [--rows N]
kills      20 kill -9 of workers and 5 of the scheduler at random moments [--workers N --schedulers N]
nist       NIST's 27 data sets, each cut into five files, by 1 and 2 workers and by one process: digits, and whether bits agree
thousand   the bytes and seconds of a pass on 1,000 workers, simulated from what is measured here
"""

import argparse
import heapq
import itertools
import logging
import math
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from distributed import Client

from autograd_lite.fit import minimize
from autograd_lite.fit.cluster import ClusterRows
from autograd_lite.fit.rows import BLOCK, Rows
from autograd_lite.fit.rows.objective import Objective
from autograd_lite.optim import SGD
from autograd_lite.tables import Parts
from autograd_lite.tree import flatten
from tests.cluster import Cluster

for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
    logging.getLogger(name).setLevel(logging.CRITICAL)  # it tells at length of every connection that is lost
WEIGHTS, FILES, PASSES = 10, 40, 21
NAMES = [f"x{i}" for i in range(WEIGHTS)]
START = dict.fromkeys((f"w{i}" for i in range(WEIGHTS)), 0.0)


def loss(p, row):
    """A plane through ten columns."""
    return (sum(p[f"w{i}"] * row[f"x{i}"] for i in range(WEIGHTS)) - row["y"]) ** 2


loss.__module__ = "__main__"


def processor():
    """The name of the processor."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown processor"


def write(folder, rows, files):
    """The table, in files of equal length."""
    draw = np.random.default_rng(0)
    for i in range(files):
        x = draw.normal(size=(WEIGHTS, rows // files))
        y = np.arange(1.0, WEIGHTS + 1) @ x + 0.1 * draw.normal(size=rows // files)
        pq.write_table(pa.table({**dict(zip(NAMES, x, strict=True)), "y": y}), f"{folder}/{i:02}.parquet")


def timed(f, times=7):
    """The median of the seconds that it takes, after a first time."""
    f()
    found = []
    for _ in range(times):
        began = time.perf_counter()
        f()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def connected(cluster, workers):
    client = Client(scheduler_file=cluster.file, timeout=60, set_as_default=False)
    client.wait_for_workers(workers, timeout=120)
    return client


def memory(process):
    """Megabytes that a process has in memory: a page of several, as those of libraries are, in equal shares."""
    for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def busy(cluster):
    """Seconds of the processor that this process, the scheduler and the workers have taken."""
    found = [time.process_time()]
    for process in (cluster.scheduler, *cluster.workers):
        user, system = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        found.append((int(user) + int(system)) / os.sysconf("SC_CLK_TCK"))
    return found


def passes(rows):
    """A pass of value and gradient, and twenty steps of descent."""
    leaves, spec = flatten(START, "START")
    columns_of = rows * (WEIGHTS + 1) * 8 / 2**20
    print(f"{rows:,} rows x {WEIGHTS} weights in {FILES} Parquet files, {columns_of:.0f} MB of numbers; {processor()}")
    print(f"{'':<44}{'read':>9}{'a pass':>11}{'20 steps':>11}{'a worker':>12}")

    def row(name, read, one, fit="", room=""):
        cells = [f"{read:.2f} s" if read else "", f"{1e3 * one:.1f} ms" if one else "", fit and f"{fit:.2f} s", room]
        print(f"{name:<44}{cells[0]:>9}{cells[1]:>11}{cells[2]:>11}{cells[3]:>12}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        write(folder, rows, FILES)

        def steps(rows):
            began = time.perf_counter()
            minimize(loss, START, rows, optimizer=partial(SGD, lr=0.1), steps=20)
            return time.perf_counter() - began

        kernel = one_process(folder, leaves, spec, steps, row)
        seconds = {}
        for workers in (1, 2):
            cluster = Cluster(workers, memory="8GB")
            try:
                with connected(cluster, workers) as client:
                    before = max(map(memory, cluster.workers))
                    began = time.perf_counter()
                    spread = ClusterRows(Parts(folder), client)
                    read = time.perf_counter() - began
                    work = Objective(loss, spec, spread)
                    spread.total(work, leaves)  # compiled
                    spent = busy(cluster)
                    seconds[workers] = timed(lambda spread=spread, work=work: spread.total(work, leaves), PASSES)
                    spent = [1e3 * (b - a) / (PASSES + 1) for a, b in zip(spent, busy(cluster), strict=True)]
                    room, part = max(map(memory, cluster.workers)) - before, columns_of / workers
                    row(f"{workers} worker{'s' * (workers > 1)}", read, seconds[workers], steps(spread), f"{room / part:.2f} x")
                    spread.close()
                    over = [1e3 * (seconds[workers] - own) for own in (kernel[workers], kernel[1] / workers)]
                    share = "" if workers == 1 else f"; {over[1]:.1f} over half of one thread's"
                    print(f"    over the kernel on as many threads: {over[0]:.1f} ms a pass (goal 12){share}")
                    print(
                        "    of the processor, ms a pass: client {:.1f}, scheduler {:.1f}, workers".format(*spent),
                        *map("{:.1f}".format, spent[2:]),
                    )
                    if workers == 2:
                        by_hand(folder, client, row)
                        dask_ml(folder, client, row)
            finally:
                cluster.close()
        print(
            f"two workers are {seconds[1] / seconds[2]:.2f} times one (goal 1.8; two threads {kernel[1] / kernel[2]:.2f}); "
            "memory is in times the columns (goal 1.2)"
        )


def one_process(folder, leaves, spec, steps, row):
    """The same in this process, by one thread and by two, and with NumPy; the seconds of a pass by each number of threads."""
    began = time.perf_counter()
    here = Rows(Parts(folder, memory=2**34), threads=1)
    read = time.perf_counter() - began
    work = Objective(loss, spec, here)
    kernel = timed(lambda: here.total(work, leaves), PASSES)
    row("one process, one thread", read, kernel, steps(here))
    blocks = [(i, min(i + BLOCK, end)) for start, end in pairwise([0, *here._ends]) for i in range(start, end, BLOCK)]

    def half(which):
        for start, stop in blocks[which::2]:
            work.leaf(leaves, here.read(start, stop))

    with ThreadPoolExecutor(2) as threads:
        two = timed(lambda: list(threads.map(half, range(2))), PASSES)
    row("one process, two threads", 0, two)
    print(f"    two threads are {kernel / two:.2f} times one: what this machine lets two of them do")
    *x, y = map(np.asarray, here.read(0, here.count))
    x, w = np.array(x), np.zeros(WEIGHTS)

    def by_numpy():
        for start, stop in blocks:
            some = x[:, start:stop]
            miss = w @ some - y[start:stop]
            miss @ miss, 2 * (some @ miss)

    row("NumPy by hand, block by block", 0, timed(by_numpy))
    return {1: kernel, 2: two}


def by_hand(folder, client, row):
    """`map_partitions` with NumPy."""
    try:
        import dask.dataframe as frames
    except ImportError as error:
        print(f"    dd.map_partitions: {error}")
        return
    began = time.perf_counter()
    frame = frames.read_parquet(f"{folder}/*.parquet").persist(scheduler=client)
    client.gather([]), frame.map_partitions(len).compute(scheduler=client)
    read = time.perf_counter() - began

    def sums(part, w):
        x, y = part[NAMES].to_numpy(), part["y"].to_numpy()
        miss = x @ w - y
        return np.array([miss @ miss, *(2 * (x.T @ miss))])

    turn = itertools.count()

    def one():
        w = np.full(WEIGHTS, 0.001 * next(turn))  # of weights that it has seen Dask may still hold the sums
        return sum(client.gather(client.compute(list(frame.map_partitions(sums, w, meta=object).to_delayed()))))

    row("2 workers, map_partitions with NumPy", read, timed(one, 5))


def dask_ml(folder, client, row):
    """dask-ml's linear regression, by gradient descent."""
    try:
        import dask.dataframe as frames
        from dask_ml.linear_model import LinearRegression

        with client.as_current():
            frame = frames.read_parquet(f"{folder}/*.parquet").persist()
            x, y = frame[NAMES].to_dask_array(lengths=True), frame["y"].to_dask_array(lengths=True)
            began = time.perf_counter()
            LinearRegression(solver="gradient_descent", max_iter=20, fit_intercept=False).fit(x, y)
            row("2 workers, dask-ml, gradient descent", 0, 0, time.perf_counter() - began)
    except Exception as error:  # whatever an unkept package does
        print(f"    dask-ml: {type(error).__name__}: {str(error)[:80]}")


# -- kills --------------------------------------------------------------------------------------------------------------


def kills(workers, schedulers):
    """Runs during which somebody dies at a random moment, and whether they end in the bits of one machine."""
    draw = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        write(folder, 400_000, 8)
        run = partial(minimize, loss, START, optimizer=partial(SGD, lr=0.1), steps=60)
        right = [x.hex() for x in run(Parts(folder)).params.values()]
        same = 0
        cluster = Cluster(2)
        try:
            with connected(cluster, 2) as client:
                for _ in range(workers):
                    victim = cluster.workers.pop(0)
                    timer = threading.Timer(draw.uniform(0.0, 1.5), lambda v=victim: (cluster.kill(v), cluster.start_worker()))
                    timer.start()
                    found = run(Parts(folder), client=client)
                    timer.join()
                    same += [x.hex() for x in found.params.values()] == right
                    client.wait_for_workers(2, timeout=60)
        finally:
            cluster.close()
        print(f"workers killed: {workers}; runs that ended in the same bits: {same}")
        same = 0
        for i in range(schedulers):
            path = f"{folder}/{i}.json"
            cluster = Cluster(2)
            timer = threading.Timer(draw.uniform(0.5, 3.0), lambda c=cluster: c.kill(c.scheduler))
            try:
                with Client(scheduler_file=cluster.file, timeout=5, set_as_default=False) as client:
                    client.wait_for_workers(2, timeout=60)
                    timer.start()
                    with_error = ""
                    try:
                        for _ in range(20):  # until the scheduler dies in one of them
                            if os.path.exists(path):
                                os.unlink(path)
                            run(Parts(folder), client=client, checkpoint=path, every=1)
                    except Exception as error:
                        with_error = type(error).__name__
            finally:
                timer.join()
                cluster.close()
            found = run(Parts(folder), checkpoint=path)
            same += [x.hex() for x in found.params.values()] == right and with_error == "ClusterError"
        print(f"schedulers killed: {schedulers}; runs named it and went on from the checkpoint to the same bits: {same}")


# -- NIST ---------------------------------------------------------------------------------------------------------------


def digits(found, certified):
    """How many the worst weight has right."""
    return min(16.0 if found[n] == x else -math.log10(abs(found[n] - x) / abs(x)) for n, x in certified.items())


def certified():
    """All data sets from both starts."""
    from autograd_lite.fit import fit
    from tests.fit import nist

    fits = {"one process": dict[str, Any](), "1 worker": {}, "2 workers": {}}
    problems = [nist.problem(name) for name in nist.FORMULAS]
    with tempfile.TemporaryDirectory() as folder:
        for problem in problems:
            rows = list(zip(*problem.columns.values(), strict=True))
            size = -(-len(rows) // 5)
            for i in range(5):
                lines = [",".join(problem.columns), *(",".join(map(repr, row)) for row in rows[i * size : (i + 1) * size])]
                Path(folder, f"{problem.name}-{i}.csv").write_text("\n".join(lines) + "\n")
        for workers, found in enumerate(fits.values()):
            cluster = Cluster(workers) if workers else None
            client = connected(cluster, workers) if cluster is not None else None
            for problem in problems:
                for start in problem.starts:
                    data = f"{folder}/{problem.name}-*.csv"
                    done = fit(problem.formula, data, target=problem.target, init=start, client=client)
                    found[problem.name, str(start)] = done
            if cluster is not None:
                client.close()
                cluster.close()
    print(
        f"{'':<14}{'6 digits':>10}{'8 digits':>10}{'errors 6':>10}{'converged':>11}{'bits of one process':>21}; {processor()}"
    )
    for name, found in fits.items():
        by = {problem.name: problem for problem in problems}
        right = [digits(done.params, by[key[0]].weights) for key, done in found.items()]
        errors = [digits(done.stderr, by[key[0]].errors) for key, done in found.items()]
        same = [bits_of(done) == bits_of(fits["one process"][key]) for key, done in found.items()]
        counts = [sum(x >= 6 for x in right), sum(x >= 8 for x in right), sum(x >= 6 for x in errors)]
        counts += [sum(done.converged for done in found.values()), sum(same)]
        print(f"{name:<14}" + "".join(f"{n:>{w}}" for n, w in zip(counts, (10, 10, 10, 11, 21), strict=True)))


def bits_of(done):
    return [x.hex() for x in (*done.params.values(), *done.stderr.values())]


# -- on paper -----------------------------------------------------------------------------------------------------------


async def answer(size):
    """What a worker gives in a pass, of so many bytes, with nothing to do."""
    return bytes(size)


answer.__module__ = "__main__"


def latencies(sizes):
    """Of each size of an answer the scheduler's seconds for a worker; and those of a pass of two with nothing to do."""
    spent, times = {}, {}
    for workers in (2, 6):
        cluster = Cluster(workers)
        try:
            with connected(cluster, workers) as client:
                for size in sizes:
                    times[workers, size] = timed(lambda client=client, size=size: client.run(answer, size), 50)
                    before = busy(cluster)[1]
                    for _ in range(100):
                        client.run(answer, size)
                    spent[workers, size] = (busy(cluster)[1] - before) / 100
        finally:
            cluster.close()
    return [(spent[6, size] - spent[2, size]) / 4 for size in sizes], times[2, sizes[0]]


def thousand():
    """A pass over 10^12 rows of 100 weights on 1,000 workers: the kernel, the scheduler, and the bytes that come back."""
    workers, rows, m = 1_000, 10**12, 100
    kernel = 1e-9 * m  # seconds a row: about a nanosecond for each weight, as `passes` has it
    ways = {"descent, L-BFGS": m + 1, "Newton": m + 1 + m * (m + 1) // 2, "least squares": (m + 1) ** 2}
    sizes = [8 * entries * 2 for entries in ways.values()]  # two shares a worker
    each, base = latencies(sizes)
    told = ", ".join(f"{1e3 * x:.2f}" for x in each)
    print(f"measured: {1e3 * base:.1f} ms a pass of two workers, {told} ms of the scheduler for one more; {processor()}")
    heads = [f"{'':<16}", f"{'down, each':>16}", f"{'up, each':>14}", f"{'up, in all':>12}", f"{'scheduler':>12}"]
    print(*heads, f"{'slowest worker':>16}", f"{'a pass':>10}", sep="")
    for (name, entries), up, one in zip(ways.items(), sizes, each, strict=True):
        slow = rows / workers * kernel * max(1.0, entries / (m + 1) / 8)
        seconds = simulated(workers, one, slow, base)
        print(
            f"{name:<16}{8 * m:>14,} B{up / 1e3:>11,.1f} kB{up * workers / 1e6:>9,.1f} MB{workers * one:>10.2f} s"
            f"{slow:>14.1f} s{seconds:>8.1f} s"
        )
    limit = round(math.sqrt(rows * kernel / each[0]), -3)
    print(
        f"the scheduler is the limit from about {limit:,.0f} workers on: take larger workers of more threads, not more of them"
    )


def simulated(workers, one, work, base):
    """Seconds of a pass: the scheduler asks one worker after the other, and takes in what they find as they come to an end."""
    clock, ends = base, []
    for i in range(workers):
        clock += one / 2
        heapq.heappush(ends, clock + work * (1 + 0.05 * random.Random(i).random()))
    done = clock
    while ends:
        done = max(done, heapq.heappop(ends)) + one / 2
    return done


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["passes", "kills", "nist", "thousand"])
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--workers", type=int, default=20)
    parser.add_argument("--schedulers", type=int, default=5)
    given = parser.parse_args()
    if given.what == "passes":
        passes(given.rows)
    elif given.what == "kills":
        kills(given.workers, given.schedulers)
    elif given.what == "nist":
        certified()
    else:
        thousand()
