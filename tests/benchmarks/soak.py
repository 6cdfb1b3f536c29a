"""How long the promises hold: `python tests/benchmarks/soak.py [signals|forks|kills|memory] [--count N] [--seconds S]`.

signals  Ctrl-C at random instants of every public call: it arrives, what it interrupts is old or new, the next call is right
forks    children of a process whose other threads are in backward, in a compilation and in batches: they do the same
kills    a fit killed with kill -9 at random instants and started again: the bits it ends with, and what lies about
memory   what a call leaves behind when it is made again and again with the collector off, in bytes

Every job runs in a process of its own, so that a crash or a standstill counts as one.  `--count` is how many signals, forks
and kills there are in all; `--seconds` ends each part early and says how far it came; `--calls fit` takes the calls so named.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from soak_calls import INTERRUPTED, JOBS, LONG, PLAIN, branchy  # beside this file

import autograd_lite as al
from autograd_lite import Value, context, jit

ROOT = Path(__file__).resolve().parents[2]
STANDSTILL = 60.0  # seconds without a sign of life
SLOW = {  # of the calls that take long: how many signals, for one of the others
    "jit, first call of machine code": 0.8, "batch, first call": 0.5, "batch, calls back, 2 threads": 0.5, "check_grads": 0.4,
    "minimize, lm over data": 0.4, "minimize, newton over data": 0.3, "minimize, lbfgs over data": 0.4,
    "minimize, lm, checkpoint": 0.5, "fit, not linear": 0.2, "fit, groups": 0.7, "fit, logistic": 0.3, "fit, mae": 0.7,
    "fit, huber": 0.03, "command, check": 0.3,
    "draw.save, by dot": 0.2, "draw.save, PNG": 0.2, "page of a fit": 0.1, "Fit.plot": 0.03, "plot_history": 0.1,
    "command, fit": 0.1, "command, predict": 0.3,
}  # fmt: skip


# -- signals ----------------------------------------------------------------------------------------------------------


def interrupt(name: str, count: int, seed: int, seconds: float) -> None:
    """Send signals into one job, and print what became of them as JSON at the end, and a line of life now and then."""
    told: dict[str, Any] = {"sent": 0, "in time": 0, "lost": 0, "wrong": 0, "left on": 0, "notes": []}
    came, random_ = [False], random.Random(seed)

    def ring(number: int, frame: Any) -> None:
        came[0] = True
        signal.raise_signal(signal.SIGINT)

    sys.unraisablehook = lambda lost: told["notes"].append(f"{lost.exc_type.__name__} lost in {lost.object!r}"[:160])
    signal.signal(signal.SIGALRM, ring)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a process started in the background ignores it
    with tempfile.TemporaryDirectory() as folder:
        call, sound = JOBS[name](Path(folder))
        times = []
        for _ in range(9):
            start = time.perf_counter()
            result = call()
            times.append(time.perf_counter() - start)
            assert sound(False, result)
        usual = statistics.median(times)
        gc.disable()  # an exception in one of its callbacks could not reach anybody
        gc.collect()
        gc.freeze()
        begun, end, sign = time.process_time(), time.monotonic() + seconds, time.monotonic()
        while told["sent"] < count and time.monotonic() < end:
            interrupted, result = False, None
            came[0] = False
            try:
                signal.setitimer(signal.ITIMER_REAL, max(1e-6, 1.2 * usual * random_.random()))
                result = call()
                signal.setitimer(signal.ITIMER_REAL, 0.0)
            except KeyboardInterrupt:
                interrupted = True
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            interrupted = interrupted or result == INTERRUPTED
            if came[0] and not interrupted:
                interrupted = late()
            told["sent"] += 1
            told["in time"] += came[0]
            told["lost"] += came[0] and not interrupted
            told["left on"] += context.active != 0 or context.current() is not context.QUIET
            if not sound(interrupted, result):
                told["wrong"] += 1
            if told["sent"] % 50 == 0:
                gc.collect()
            if time.monotonic() > sign + 1.0:
                sign = time.monotonic()
                print(".", flush=True)
        told["seconds"] = time.process_time() - begun
    print(json.dumps(told), flush=True)


def late() -> bool:
    """Whether Ctrl-C comes a moment later, as it does where it came while something was freed."""
    try:
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            time.sleep(0.001)
    except KeyboardInterrupt:
        return True
    return False


def watch(*arguments: str) -> tuple[str, str]:
    """The last line of a job in a process of its own, and what went wrong with it: nothing, "crash" or "standstill"."""
    command = [sys.executable, "-X", "faulthandler", __file__, *arguments]
    pure = {"AUTOGRAD_LITE_PURE": "1"} if any(PLAIN in one for one in arguments) else {}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **pure}
    last = ""
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment) as process,
    ):
        assert process.stdout is not None
        timer = threading.Timer(STANDSTILL, process.kill)
        timer.start()
        for line in process.stdout:
            last = line
            timer.cancel()
            timer = threading.Timer(STANDSTILL, process.kill)
            timer.start()
        code = process.wait()
        timer.cancel()
        errors.seek(0)
        if code:
            print(errors.read()[-2000:], file=sys.stderr)
    return last, "" if not code else "standstill" if code == -signal.SIGKILL else f"crash ({code})"


def signals(count: int, seconds: float, names: list[str]) -> str:
    """Every job with its share of the signals: fewer where a call takes long."""
    share = count / sum(SLOW.get(name, 1.0) for name in names)
    print("| call | signals | in time | lost | neither old nor new, or wrong after | watches left on | crashes | a second |")
    print("|---" * 8 + "|")
    sums = [0, 0, 0, 0, 0, 0]
    for k, name in enumerate(names):
        own = max(1, round(share * SLOW.get(name, 1.0)))
        last, ended = watch("--job", name, "--count", str(own), "--seed", str(k), "--seconds", str(seconds / len(names)))
        told = json.loads(last) if last.startswith("{") else {}
        row = [told.get(what, 0) for what in ("sent", "in time", "lost", "wrong", "left on")] + [int(bool(ended))]
        sums = [a + b for a, b in zip(sums, row, strict=True)]
        quick = row[0] / max(told.get("seconds", 1.0), 1e-9)
        print(f"| {name} | {' | '.join(map(str, row))} | {quick:.0f} |{' ' + ended if ended else ''}", flush=True)
        for note in sorted(set(told.get("notes", ())))[:3]:
            print(f"    {note}")
    return f"{sum(sums[2:])} of {sums[0]:,} signals lost, wrong or fatal ({sums[1]:,} came before the end of a call)"


# -- forks ------------------------------------------------------------------------------------------------------------


def fork(count: int, seed: int, seconds: float) -> None:
    """Children at random instants of a process whose threads are at work; prints how many of them did not end well."""
    random_, over = random.Random(seed), threading.Event()
    shared = [Value(1.0) for _ in range(9)]
    fast = jit(lambda x: al.sin(x) * x, batch=0, backend="llvm", threads=2, reduce="sum")
    wanted = fast(LONG)

    def sweeps() -> None:
        while not over.is_set():
            al.sum([v * v for v in shared]).backward()

    def compilations() -> None:
        while not over.is_set():
            jit(lambda x: x * over.is_set() + random_.random(), backend="llvm")(1.0)

    def batches() -> None:
        while not over.is_set():
            fast(LONG)

    def child() -> None:
        signal.alarm(30)
        x = Value(3.0)
        (x * x + shared[0]).backward()
        right = x.grad == 6.0 and fast(LONG) == wanted and jit(lambda x: x * 2.0, backend="llvm")(3.0) == 6.0
        right = right and jit(branchy)(1.0, 2.0) == branchy(1.0, 2.0)
        os._exit(0 if right else 1)

    warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads, from Python 3.12 on
    for work in (sweeps, compilations, batches):
        threading.Thread(target=work, daemon=True).start()
    bad = made = 0
    end = time.monotonic() + seconds
    while made < count and time.monotonic() < end:
        time.sleep(0.02 * random_.random())
        number = os.fork()
        if not number:
            try:
                child()
            finally:
                os._exit(2)
        bad += os.waitpid(number, 0)[1] != 0
        made += 1
        print(".", flush=True)
    over.set()
    print(json.dumps({"made": made, "bad": bad}), flush=True)
    os._exit(0)


def forks(count: int, seconds: float, names: list[str]) -> str:
    last, ended = watch("--job", "fork", "--count", str(count), "--seconds", str(seconds))
    told = json.loads(last) if last.startswith("{") else {"made": 0, "bad": 0}
    return f"{told['bad']} of {told['made']} forks hung or wrong{', ' + ended if ended else ''}"


# -- kills ------------------------------------------------------------------------------------------------------------

KILLED = """
import json, sys
from functools import partial
from autograd_lite.fit import minimize
from autograd_lite.optim import Adam
xs = [0.001 * i for i in range(2000)]
ys = [x * x - x + 0.1 * (-1) ** i for i, x in enumerate(xs)]
loss = lambda p, x, y: (p["a"] * x * x + p["b"] * x + p["c"] - y) ** 2
found = minimize(loss, {"a": 0.0, "b": 0.0, "c": 0.0}, (xs, ys), optimizer=partial(Adam, lr=0.01), steps=1500, batch_size=100,
                 checkpoint=sys.argv[1], every=5)
print(json.dumps([found.params, found.loss, found.history]))
"""


def runs(path: Path, seconds: float | None) -> Iterator[str]:
    """The output of the fit, if it comes to its end before it is killed."""
    command = [sys.executable, "-c", KILLED, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:
        try:
            yield process.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            process.kill()


def kills(count: int, seconds: float, names: list[str]) -> str:
    draw_, killed, same, ended, left = random.Random(0), 0, 0, 0, 0
    stop = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        (wanted,) = runs(Path(folder) / "whole.json", None)
        whole = time.perf_counter() - start
        path = Path(folder) / "run.json"
        while killed < count and time.monotonic() < stop:
            before, output = killed, []
            while not output:
                output = list(runs(path, draw_.uniform(0.2, 0.8) * whole))
                killed += not output
            ended += 1
            same += output == [wanted]
            left += len([p for p in os.listdir(folder) if p.endswith(".tmp")])
            path.unlink(missing_ok=True)
            print(f"killed {killed - before} times, then the same bits: {output == [wanted]}", flush=True)
    return f"{killed} kills in {ended} runs, {same} of {ended} to the same bytes, {left} temporary files left"


# -- memory -----------------------------------------------------------------------------------------------------------


def grow(name: str, count: int, seconds: float) -> None:
    """How many bytes of memory each repetition takes for good."""
    gc.disable()
    with tempfile.TemporaryDirectory() as folder:
        call, sound = JOBS[name](Path(folder))
        end = time.monotonic() + seconds
        sizes, done = [], 0
        for part in range(3):
            for _ in range(count):
                if time.monotonic() > end and part:
                    break
                sound(False, call())
                done += part > 0
            sizes.append(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE"))
            print(".", flush=True)
    print(json.dumps({"calls": done, "slope": (sizes[-1] - sizes[0]) / max(done, 1)}), flush=True)


def memory(count: int, seconds: float, names: list[str]) -> str:
    print("| call, collector off | calls | bytes a call |\n|---|---|---|")
    worst, where = 0.0, ""
    for name in names:
        own = max(5, round(count * SLOW.get(name, 1.0)))
        last, ended = watch("--job", name, "--grow", "--count", str(own), "--seconds", str(seconds / len(names)))
        told = json.loads(last) if last.startswith("{") else {"calls": 0, "slope": 0.0}
        if told["slope"] > worst:
            worst, where = told["slope"], name
        print(f"| {name} | {told['calls']} | {told['slope']:.0f} |{ended}", flush=True)
    return f"at most {worst:.0f} bytes a call left behind ({where})"


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


PARTS = {"signals": (signals, 100_000), "forks": (forks, 200), "kills": (kills, 62), "memory": (memory, 1000)}


def main() -> None:
    parser = argparse.ArgumentParser(description="Signals, forks, kills and memory, again and again.")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []])
    parser.add_argument("--count", type=int)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--calls", default="", help="signals and memory: the calls whose names have this in them")
    parser.add_argument("--job")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--grow", action="store_true")
    given = parser.parse_args()
    if given.job == "fork":
        fork(given.count, given.seed, given.seconds)
    elif given.job and given.grow:
        grow(given.job, given.count, given.seconds)
    elif given.job:
        interrupt(given.job, given.count, given.seed, given.seconds)
    else:
        names = [name for name in JOBS if given.calls in name]
        found = [PARTS[part][0](given.count or PARTS[part][1], given.seconds, names) for part in given.parts or PARTS]
        print(f"\nPython {platform.python_version()}, {processor()}:\n" + "\n".join(found))


if __name__ == "__main__":
    main()
