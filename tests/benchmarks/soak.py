"""How long the promises hold: `python tests/benchmarks/soak.py [signals|forks|kills|memory] [--count N] [--seconds S]`.

signals  Ctrl-C at random instants of every public call: it arrives, what it interrupts is old or new, the next call is right
forks    children of a process whose other threads are in backward, in a compilation and in batches: they do the same
kills    a fit killed with kill -9 at random instants and started again: the bits it ends with, and what lies about
memory   what a call leaves behind when it is made again and again with the collector off, in bytes

Every job runs in a process of its own, so that a crash or a standstill counts as one.  `--count` is how many signals, forks
and kills there are in all; `--seconds` ends each part early and says how far it came.
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
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import autograd_lite as al
from autograd_lite import Value, check_grads, context, detect_anomaly, draw, errstate, explain, jit, nn, optim, value_and_grad
from autograd_lite.fit import fit, minimize

Made = tuple[Callable[[], Any], Callable[[bool], bool]]  # a call; whether all is well after it, interrupted or not
ROOT = Path(__file__).resolve().parents[2]
ROWS, LONG = np.linspace(0.5, 1.5, 40), np.linspace(0.5, 1.5, 20_000)
STANDSTILL = 60.0  # seconds without a sign of life
TABLE = {"x": [0.5 * i for i in range(20)], "y": [3.0 * i + 1.0 for i in range(20)]}


# -- the calls --------------------------------------------------------------------------------------------------------


def weights() -> list[Value]:
    """Twenty parameters with gradients."""
    found = [Value(0.1 * i + 0.1, f"w{i}") for i in range(20)]
    al.sum([w * w * 0.5 for w in found]).backward()
    return found


def stateful(make: Callable[[], tuple[Callable[[], Any], Callable[[], Any]]]) -> Made:
    """A call that changes something: before each there is a fresh one, whose outcome is known."""
    call, state = make()
    old = state()
    call()
    new = state()
    now: list[Any] = [*make()]

    def again() -> None:
        now[0]()

    def sound(interrupted: bool) -> bool:
        fine = now[1]() in (old, new) if interrupted else now[1]() == new
        now[:] = make()
        return fine

    return again, sound


def pure(call: Callable[[], Any], after: Callable[[], Any] | None = None) -> Made:
    """A call that gives the same at each time; `after` is another that must be right after it, too."""
    wanted = str(call())

    def sound(interrupted: bool) -> bool:
        return not interrupted or str((after or call)()) == wanted

    return call, sound


def first(make: Callable[[], Callable[[], Any]]) -> Made:
    """The first call of something that is compiled at it; after an interruption the next call of the same one is right."""
    wanted = str(make()())
    now: list[Any] = [None]

    def call() -> None:
        now[0] = make()
        now[0]()

    def sound(interrupted: bool) -> bool:
        return not interrupted or now[0] is None or str(now[0]()) == wanted

    return call, sound


def backward() -> tuple[Callable[[], Any], Callable[[], Any]]:
    leaves = [Value(0.1 * i + 0.1) for i in range(30)]
    loss = al.sum([al.tanh(a * b) for a, b in pairwise(leaves)])
    return loss.backward, lambda: [v.grad for v in leaves]


def optimizer(name: str) -> Callable[[], tuple[Callable[[], Any], Callable[[], Any]]]:
    def make() -> tuple[Callable[[], Any], Callable[[], Any]]:
        params = weights()
        found = getattr(optim, name)(params, lr=0.1)
        return found.step, lambda: ([p.data for p in params], found.state_dict())

    return make


def schedule() -> tuple[Callable[[], Any], Callable[[], Any]]:
    found = optim.SGD(weights(), lr=0.1)
    one, other = optim.CosineAnnealingLR(found, 9), optim.LinearLR(found)
    return one.step, lambda: (found.state_dict(), one.state_dict(), other.state_dict())


def clipped() -> tuple[Callable[[], Any], Callable[[], Any]]:
    params = weights()
    return lambda: optim.clip_grad_norm(params, 0.5), lambda: [p.grad for p in params]


def loaded(folder: Path) -> Callable[[], tuple[Callable[[], Any], Callable[[], Any]]]:
    path = folder / "weights.json"
    nn.MLP(2, [4, 1], seed=1).save(path)

    def make() -> tuple[Callable[[], Any], Callable[[], Any]]:
        model = nn.MLP(2, [4, 1], seed=0)
        return lambda: model.load(path), lambda: [p.data for p in model.parameters()]

    return make


def saved(folder: Path) -> Made:
    path, texts = folder / "picture.svg", []
    for x in (2.0, 3.0):
        texts.append(draw(Value(x, "x") * 3.0).svg())
    pictures = [draw(Value(x, "x") * 3.0) for x in (2.0, 3.0)]
    turn = [0]

    def call() -> None:
        turn[0] = 1 - turn[0]
        pictures[turn[0]].save(path)

    def sound(interrupted: bool) -> bool:
        text = path.read_text(encoding="utf-8")
        whole = text in texts if interrupted else text == texts[turn[0]]
        return whole and not list(folder.glob(".*.tmp"))

    call()
    return call, sound


def branchy(x: Any, y: Any) -> Any:
    return al.sin(x) * y if x > 0.0 else y / x


def watched() -> Any:
    with errstate(invalid="raise"), detect_anomaly():
        x = Value(2.0)
        (al.log(x) * x).backward()
        return x.grad


def batch(f: Any, x: Any, **options: Any) -> Callable[[Path], Made]:
    def job(folder: Path) -> Made:
        fast = jit(f, batch=0, backend="llvm", **options)
        return pure(lambda: float(np.sum(fast(x))))

    return job


def later(backend: str) -> Callable[[Path], Made]:
    """Calls of what is compiled already."""

    def job(folder: Path) -> Made:
        fast = jit(branchy, backend=backend)
        return pure(lambda: [fast(0.1 * i, 2.0) for i in range(40)])

    return job


def both_ways() -> Callable[[], Any]:
    fast = jit(branchy, backend="python")
    return lambda: (fast(1.0, 2.0), fast(-1.0, 2.0))


def machine_code() -> Callable[[], Any]:
    fast = jit(branchy, backend="llvm")
    return lambda: fast(1.0, 2.0)


def fresh_batch() -> Callable[[], Any]:
    fast = jit(value_and_grad(lambda w, x: w * al.sin(x)), batch=1, reduce="sum", threads=2)
    return lambda: fast(1.0, LONG)


def transforms() -> Any:
    return al.grad(lambda x: al.exp(x) * x)(2.0), al.hessian(lambda v: v[0] * v[1])([2.0, 3.0])


def descent() -> str:
    return minimize(lambda p: (p[0] - 1.0) ** 2 + (p[1] - 2.0) ** 2, [0.0, 0.0], steps=20).reason


def descent_over_data() -> str:
    return minimize(lambda p, x: (p[0] * x - 1.0) ** 2, [0.0], data=(ROWS,), steps=20).reason


def of(make: Callable[[Any], Made], thing: Any) -> Callable[[Path], Made]:
    return lambda folder: make(thing)


JOBS: dict[str, Callable[[Path], Made]] = {
    "backward": of(stateful, backward),
    "grad, hessian": of(pure, transforms),
    "errstate, detect_anomaly": of(pure, watched),
    "jit, first call": of(first, both_ways),
    "jit, first call of machine code": of(first, machine_code),
    "jit, later calls": later("python"),
    "jit, later calls of machine code": later("llvm"),
    "batch, first call": of(first, fresh_batch),
    "batch, 1 thread": batch(lambda x: al.sin(x) * x, LONG),
    "batch, 2 threads": batch(lambda x: al.sin(x) * x, LONG, threads=2),
    "batch, 2 threads, sums": batch(lambda x: al.sin(x) * x, LONG, threads=2, reduce="sum"),
    "batch, calls back": batch(al.lgamma, ROWS),
    "batch, calls back, 2 threads": batch(al.lgamma, LONG[:3000], threads=2),
    "batch, a user's op": batch(al.Op("own", lambda x: 2.0 * x, 2.0), LONG[:3000], threads=2, reduce="sum"),
    **{f"{name}.step": of(stateful, optimizer(name)) for name in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad")},
    "schedule.step": of(stateful, schedule),
    "clip_grad_norm": of(stateful, clipped),
    "Module.load": lambda folder: stateful(loaded(folder)),
    "draw.save": saved,
    "draw.html": of(pure, lambda: len(draw(Value(2.0, "x") * 3.0).html())),
    "explain": of(pure, lambda: explain(Value(2.0, "x") * 3.0)),
    "check_grads": of(pure, lambda: check_grads(lambda x, y: x**y, (2.0, 3.0)).ok),
    "minimize": of(pure, descent),
    "minimize over data": of(pure, descent_over_data),
    "fit": of(pure, lambda: sorted(fit("w*x + b", TABLE, target="y").params)),
}
SLOW = {"batch, first call": 0.15, "jit, first call of machine code": 0.3, "check_grads": 0.3, "fit": 0.1, "draw.html": 0.3}


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
            call()
            times.append(time.perf_counter() - start)
            sound(False)
        usual = statistics.median(times)
        gc.collect()
        gc.disable()  # an exception in one of its callbacks could not reach anybody
        end = time.monotonic() + seconds
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
            if came[0] and not interrupted and result != "interrupted":
                interrupted = late()
            told["sent"] += 1
            told["in time"] += came[0]
            told["lost"] += came[0] and not interrupted and result != "interrupted"
            told["left on"] += context.active != 0 or context.current() is not context.QUIET
            if not sound(interrupted):
                told["wrong"] += 1
            if told["sent"] % 50 == 0:
                gc.collect()
                print(".", flush=True)
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
    last = ""
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
        ) as process,
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


def signals(count: int, seconds: float) -> str:
    """Every job with its share of the signals."""
    share = count / sum(SLOW.get(name, 1.0) for name in JOBS)
    print(
        "| call | signals | before its end | lost | neither old nor new, or wrong after | watches left on | crashes |\n|---"
        + "|---" * 6
        + "|"
    )
    sums = [0, 0, 0, 0, 0, 0]
    for k, name in enumerate(JOBS):
        own = max(1, round(share * SLOW.get(name, 1.0)))
        last, ended = watch("--job", name, "--count", str(own), "--seed", str(k), "--seconds", str(seconds / len(JOBS)))
        told = json.loads(last) if last.startswith("{") else {}
        row = [told.get(what, 0) for what in ("sent", "in time", "lost", "wrong", "left on")] + [int(bool(ended))]
        sums = [a + b for a, b in zip(sums, row, strict=True)]
        print(f"| {name} | {' | '.join(map(str, row))} |{' ' + ended if ended else ''}", flush=True)
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


def forks(count: int, seconds: float) -> str:
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


def kills(count: int, seconds: float) -> str:
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
                call()
                sound(False)
                done += part > 0
            sizes.append(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE"))
            print(".", flush=True)
    print(json.dumps({"calls": done, "slope": (sizes[-1] - sizes[0]) / max(done, 1)}), flush=True)


def memory(count: int, seconds: float) -> str:
    print("| call, collector off | calls | bytes a call |\n|---|---|---|")
    worst, where = 0.0, ""
    for name in JOBS:
        own = max(5, round(count * SLOW.get(name, 1.0)))
        last, ended = watch("--job", name, "--grow", "--count", str(own), "--seconds", str(seconds / len(JOBS)))
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


PARTS = {"signals": (signals, 100_000), "forks": (forks, 200), "kills": (kills, 62), "memory": (memory, 400)}


def main() -> None:
    parser = argparse.ArgumentParser(description="Signals, forks, kills and memory, again and again.")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []])
    parser.add_argument("--count", type=int)
    parser.add_argument("--seconds", type=float, default=1e9)
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
        found = [PARTS[part][0](given.count or PARTS[part][1], given.seconds) for part in given.parts or PARTS]
        print(f"\nPython {platform.python_version()}, {processor()}:\n" + "\n".join(found))


if __name__ == "__main__":
    main()
