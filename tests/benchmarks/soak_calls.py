"""The calls that `soak.py` makes again and again: each with what tells whether all is well after it, interrupted or not."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import autograd_lite as al
from autograd_lite import (
    Value,
    check_derivative,
    check_grads,
    detect_anomaly,
    draw,
    errstate,
    explain,
    jit,
    nn,
    optim,
    propagate,
    value_and_grad,
)  # fmt: skip
from autograd_lite.cli import main
from autograd_lite.fit import fit, minimize, page, scipy_objective
from autograd_lite.numerical import numerical_derivative
from autograd_lite.plot import plot_history
from autograd_lite.tables import read_table

Call = Callable[[], Any]
Made = tuple[Call, Callable[[bool, Any], bool]]  # a call; whether all is well, given whether it was cut short, and its outcome
ROWS, LONG = np.linspace(0.5, 1.5, 40), np.linspace(0.5, 1.5, 20_000)
TABLE = {"x": [0.5 * i for i in range(20)], "y": [3.0 * i + 1.0 for i in range(20)]}
WAVE = {"x": [0.1 * i for i in range(40)], "y": [2.0 * np.exp(-0.4 * i * 0.1) + 0.01 * (-1) ** i for i in range(40)]}
BENT = {"x": TABLE["x"], "y": [y + 9.0 * (i % 7 == 3) + 0.1 * (i % 3) for i, y in enumerate(TABLE["y"])]}
SITES = {**TABLE, "site": ["a", "b"] * 10}
COINS = {"x": [0.5 * i for i in range(20)], "y": [0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1]}
INTERRUPTED = "interrupted"  # the outcome of what says itself that Ctrl-C has ended it


def weights() -> list[Value]:
    """Twenty parameters with gradients."""
    found = [Value(0.1 * i + 0.1, f"w{i}") for i in range(20)]
    al.sum([w * w * 0.5 for w in found]).backward()
    return found


def stateful(make: Callable[[], tuple[Call, Call]]) -> Made:
    """A call that changes something: before each there is a fresh one, whose outcome is known."""
    call, state = make()
    old = state()
    call()
    new = state()
    now: list[Any] = [*make()]

    def again() -> None:
        now[0]()

    def sound(interrupted: bool, result: Any) -> bool:
        fine = now[1]() in (old, new) if interrupted else now[1]() == new
        now[:] = make()
        return fine

    return again, sound


def pure(call: Call, after: Call | None = None) -> Made:
    """A call that gives the same at each time; `after` is another that must be right after it, too."""
    wanted = str(call())

    def sound(interrupted: bool, result: Any) -> bool:
        return str((after or call)() if interrupted else result) == wanted

    return call, sound


def first(make: Callable[[], Call]) -> Made:
    """The first call of something that is compiled at it; after an interruption the next call of the same one is right."""
    wanted = str(make()())
    now: list[Any] = [None]

    def call() -> Any:
        now[0] = make()
        return now[0]()

    def sound(interrupted: bool, result: Any) -> bool:
        return str(result) == wanted if not interrupted else now[0] is None or str(now[0]()) == wanted

    return call, sound


def of(make: Callable[[Any], Made], thing: Any) -> Callable[[Path], Made]:
    """A job that needs no folder."""
    return lambda folder: make(thing)


# -- the engine, optimizers and networks ------------------------------------------------------------------------------


def backward() -> tuple[Call, Call]:
    leaves = [Value(0.1 * i + 0.1) for i in range(30)]
    loss = al.sum([al.tanh(a * b) for a, b in pairwise(leaves)])
    return loss.backward, lambda: [v.grad for v in leaves]


def called_back() -> tuple[Call, Call]:
    leaves = [Value(0.1 * i + 0.1) for i in range(9)]
    loss = al.sum([OWN(a) * al.lgamma(b) for a, b in pairwise(leaves)])
    return lambda: loss.backward(create_graph=True), lambda: [float(getattr(v.grad, "data", v.grad)) for v in leaves]


def network() -> tuple[Call, Call]:
    model = nn.MLP(2, [4, 1], "tanh", seed=0)
    loss = nn.mse([model([x, 1.0]) for x in (0.0, 1.0)], [1.0, 0.0])
    return loss.backward, lambda: [p.grad for p in model.parameters()]


def optimizer(name: str) -> Callable[[], tuple[Call, Call]]:
    def make() -> tuple[Call, Call]:
        params = weights()
        found = getattr(optim, name)(params, lr=0.1)
        return found.step, lambda: ([p.data for p in params], found.state_dict())

    return make


def schedule() -> tuple[Call, Call]:
    found = optim.SGD(weights(), lr=0.1)
    one, other = optim.CosineAnnealingLR(found, 9), optim.LinearLR(found)
    return one.step, lambda: (found.state_dict(), one.state_dict(), other.state_dict())


def clipped() -> tuple[Call, Call]:
    params = weights()
    return lambda: optim.clip_grad_norm(params, 0.5), lambda: [p.grad for p in params]


def watched() -> Any:
    with errstate(invalid="raise"), detect_anomaly():
        x = Value(2.0)
        (al.log(x) * x).backward()
        return x.grad


def transforms() -> Any:
    return al.grad(lambda x: al.exp(x) * x)(2.0), al.hessian(lambda v: v[0] * v[1])([2.0, 3.0])


def sparse() -> Any:
    return al.hessian(rosenbrock, sparse=True)([1.0, 2.0, 3.0, 4.0]).data.tolist()


# -- files ------------------------------------------------------------------------------------------------------------


def loaded(folder: Path) -> Callable[[], tuple[Call, Call]]:
    path = folder / "weights.json"
    nn.MLP(2, [4, 1], seed=1).save(path)

    def make() -> tuple[Call, Call]:
        model = nn.MLP(2, [4, 1], seed=0)
        return lambda: model.load(path), lambda: [p.data for p in model.parameters()]

    return make


def saved(both: Callable[[], list[Callable[[Path], Any]]], name: str) -> Callable[[Path], Made]:
    """Saving one of two things over the other: the file is one or the other, whole, and nothing lies about."""

    def job(folder: Path) -> Made:
        path, texts, turn, writes = folder / name, [], [0], both()
        for write in writes:
            write(path)
            texts.append(path.read_bytes())

        def call() -> None:
            turn[0] = 1 - turn[0]
            writes[turn[0]](path)

        def sound(interrupted: bool, result: Any) -> bool:
            text = path.read_bytes()
            whole = text in texts if interrupted else text == texts[turn[0]]
            return whole and not list(folder.glob(".*.tmp"))

        return call, sound

    return job


def checkpointed(folder: Path, **options: Any) -> Made:
    """A run that goes on from where it was ended, to the same end; nothing lies about."""
    path = folder / "run.json"

    def call() -> str:
        found = minimize(**options, checkpoint=path)
        return INTERRUPTED if found.reason == INTERRUPTED else f"{found.reason} {found.params} {found.history}"

    wanted = call()
    path.unlink()

    def sound(interrupted: bool, result: Any) -> bool:
        fine = (call() if interrupted else result) == wanted and [p.name for p in folder.iterdir()] == ["run.json"]
        path.unlink(missing_ok=True)
        return fine

    return call, sound


def table(folder: Path, **options: Any) -> Made:
    path = folder / "t.csv"
    path.write_text("x,site,y\n" + "".join(f"{i},{'ab'[i % 2]},{i * i}\n" for i in range(300)), encoding="utf-8")

    def call() -> Any:
        found = read_table(path, text=["site"], **options)
        try:
            return {name: list(map(float, column)) for name, column in found.read(0, found.rows).items()}
        finally:
            found.close()

    return pure(call)


def drawings(engine: str) -> list[Callable[[Path], Any]]:
    return [draw(Value(x, "x") * 3.0, engine=engine).save for x in (2.0, 3.0)]


def fits() -> list[Any]:
    return [fit("w*x + b", data, target="y") for data in (TABLE, BENT)]


# -- compiled code ----------------------------------------------------------------------------------------------------

OWN = al.Op("own", lambda x: 2.0 * x, 2.0)


def branchy(x: Any, y: Any) -> Any:
    return al.sin(x) * y if x > 0.0 else y / x


def rosenbrock(v: Any) -> Any:
    return al.sum([(1 - a) ** 2 + 100 * (b - a * a) ** 2 for a, b in pairwise(v)])


def batch(f: Any, x: Any, **options: Any) -> Callable[[Path], Made]:
    def job(folder: Path) -> Made:
        fast = jit(f, batch=0, **{"backend": "llvm", **options})
        return pure(lambda: float(np.sum(fast(x))))

    return job


def later(f: Any, arguments: list[Any], backend: str, **options: Any) -> Callable[[Path], Made]:
    """Calls of what is compiled already."""

    def job(folder: Path) -> Made:
        fast = jit(f, backend=backend, **options)
        return pure(lambda: [fast(*some) for some in arguments])

    return job


def both_ways() -> Call:
    fast = jit(branchy, backend="python")
    return lambda: (fast(1.0, 2.0), fast(-1.0, 2.0))


def machine_code() -> Call:
    fast = jit(branchy, backend="llvm")
    return lambda: fast(1.0, 2.0)


def fresh_batch() -> Call:
    fast = jit(value_and_grad(lambda w, x: w * al.sin(x)), batch=1, reduce="sum", threads=2)
    return lambda: fast(1.0, LONG)


def kept(folder: Path) -> Made:
    """Machine code that is kept in a folder, and read from there."""
    own = folder / "code"
    own.mkdir(mode=0o700)

    def call() -> Any:
        return jit(branchy, backend="llvm", cache=own)(1.0, 2.0)

    return pure(call)


# -- fits -------------------------------------------------------------------------------------------------------------


def bowl(p: Any, *row: Any) -> Any:
    return (p[0] - 1.0) ** 2 + (p[1] - 2.0) ** 2 + al.exp(p[0])


def valley(p: Any) -> Any:
    return [p[0] - 1.0, 9.0 * (p[1] - p[0] ** 2)]


def decay(p: Any, x: Any) -> Any:
    return (p[0] * al.exp(-x) + p[1] - x) ** 2


def remainder(p: Any, x: Any) -> Any:
    return p[0] * al.exp(p[1] * x) - x * x


def reason(**options: Any) -> Callable[[Path], Made]:
    """How `minimize` ends, and where."""

    def call() -> str:
        found = minimize(**{"params": [0.0, 0.0], **options})
        return INTERRUPTED if found.reason == INTERRUPTED else f"{found.reason} {found.params}"

    return of(pure, call)


def fitted(*given: Any, **options: Any) -> Callable[[Path], Made]:
    """The weights of a formula."""
    return of(pure, lambda: str(fit(*given, target="y", **options).params))


def objective() -> Any:
    found = scipy_objective(decay, [0.5, 0.5], (ROWS,))
    return [x.tolist() for x in (found.fun(found.x0)[1], found.hess(found.x0))]


def command(*arguments: str) -> Callable[[Path], Made]:
    """The command, in this process."""

    def call() -> str:
        sys.argv = ["autograd-lite", *arguments]
        before, out = (sys.stdout, sys.stderr), io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
                main()
        except SystemExit as end:
            out.flush()
            return INTERRUPTED if end.code == 130 else f"{end.code} {out.buffer.getvalue()!r}"
        finally:
            sys.stdout, sys.stderr = before
        return "no status"

    return of(pure, call)


def with_files(*arguments: str) -> Callable[[Path], Made]:
    """The command in a folder that has a table, and the weights of its fit."""

    def job(folder: Path) -> Made:
        os.chdir(folder)
        rows = zip(TABLE["x"], BENT["y"], strict=True)
        Path("t.csv").write_text("x,y\n" + "".join(f"{x},{y}\n" for x, y in rows), encoding="utf-8")
        command("fit", "t.csv", "w*x + b", "--target", "y", "--save", "w.json")(folder)
        return command(*arguments)(folder)

    return job


PLAIN = ", in Python"  # of the name of what runs without the core in C
JOBS: dict[str, Callable[[Path], Made]] = {
    "backward": of(stateful, backward),
    "backward, create_graph, a user's op": of(stateful, called_back),
    "nn, backward": of(stateful, network),
    "backward" + PLAIN: of(stateful, backward),
    "nn, backward" + PLAIN: of(stateful, network),
    "grad, hessian": of(pure, transforms),
    "grad, hessian" + PLAIN: of(pure, transforms),
    "hessian, sparse": of(pure, sparse),
    "errstate, detect_anomaly": of(pure, watched),
    "jit, first call": of(first, both_ways),
    "jit, first call of machine code": of(first, machine_code),
    "jit, code kept in a folder": kept,
    "jit, later calls": later(branchy, [(0.1 * i, 2.0) for i in range(40)], "python"),
    "jit, later calls of machine code": later(branchy, [(0.1 * i, 2.0) for i in range(40)], "llvm"),
    "jit, later calls, containers": later(
        value_and_grad(lambda d: d["a"] * al.sin(d["b"][0])), [({"a": 0.1 * i, "b": [2.0, 3.0]},) for i in range(40)], "llvm"
    ),
    "jit, later calls, arrays": later(value_and_grad(rosenbrock), [(ROWS[i : i + 5],) for i in range(20)], "llvm"),
    "jit, sparse Hessian": later(al.hessian(rosenbrock), [([0.1 * i] * 6,) for i in range(9)], "llvm", sparse=True),
    "batch, first call": of(first, fresh_batch),
    "batch, NumPy": batch(lambda x: al.sin(x) * x, ROWS, backend="numpy"),
    "batch, 1 thread": batch(lambda x: al.sin(x) * x, LONG),
    "batch, float32": batch(lambda x: al.sin(x) * x, LONG.astype(np.float32), float32=True),
    "batch, 2 threads": batch(lambda x: al.sin(x) * x, LONG, threads=2),
    "batch, 2 threads, sums": batch(lambda x: al.sin(x) * x, LONG, threads=2, reduce="sum"),
    "batch, calls back": batch(al.lgamma, ROWS),
    "batch, calls back, 2 threads": batch(al.lgamma, LONG[:1100], threads=2),
    "batch, a user's op": batch(OWN, LONG[:1100], threads=2, reduce="sum"),
    **{f"{name}.step": of(stateful, optimizer(name)) for name in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad")},
    "schedule.step": of(stateful, schedule),
    "clip_grad_norm": of(stateful, clipped),
    "Module.load": lambda folder: stateful(loaded(folder)),
    "Module.save": saved(lambda: [nn.MLP(2, [4, 1], seed=seed).save for seed in (0, 1)], "weights.json"),
    "Program.save": saved(lambda: [jit(f).program(1.0, 2.0).save for f in (branchy, lambda x, y: x * y)], "program.json"),
    "draw.save": saved(lambda: drawings("builtin"), "graph.svg"),
    "draw.save, by dot": saved(lambda: drawings("dot"), "graph.svg"),
    "draw.save, PNG": saved(lambda: drawings("builtin"), "graph.png"),
    "draw, a function's page": of(pure, lambda: len(draw(branchy, x=2.0, y=3.0, engine="builtin").html())),
    "page of a fit": saved(lambda: [partial(page, found) for found in fits()], "fit.html"),
    "Fit.plot": saved(lambda: [found.plot for found in fits()], "fit.png"),
    "plot_history": saved(lambda: [lambda path, x=x: plot_history([9.0, x], path=path) for x in (1.0, 2.0)], "plot.png"),
    "Fit.predict": lambda folder: pure(partial(fits()[0].predict, TABLE, interval=0.9)),
    "numerical_derivative": of(pure, lambda: numerical_derivative(lambda x: al.sin(x) * x, 2.0)),
    "draw.html": of(pure, lambda: len(draw(Value(2.0, "x") * 3.0, engine="builtin").html())),
    "explain": of(pure, lambda: explain(Value(2.0, "x") * 3.0)),
    "check_grads": of(pure, lambda: check_grads(lambda x, y: x**y, (2.0, 3.0)).ok),
    "check_derivative": of(pure, lambda: check_derivative(lambda x: x**3, lambda x: 3 * x**2, 2.0).ok),
    "propagate": of(pure, lambda: propagate(lambda v: v[0] * v[1], [2.0, 3.0], [0.1, 0.2]).stderr),
    "read_table": table,
    "read_table, on the disk": partial(table, memory=1, raw=True),
    "scipy_objective": of(pure, objective),
    "minimize": reason(loss=bowl, steps=20),
    "minimize, descent": reason(loss=bowl, optimizer=partial(optim.SGD, lr=0.1), steps=9),
    "minimize, descent over data": reason(loss=decay, data=(ROWS,), method="adam", steps=9),
    "minimize, lm over data": reason(residual=remainder, data=(ROWS,), method="lm"),
    "minimize, newton over data": reason(loss=decay, data=(ROWS,), method="newton"),
    "minimize, lbfgs over data": reason(loss=decay, data=(ROWS,), method="lbfgs"),
    "minimize, lm, checkpoint": partial(checkpointed, residual=valley, params=[0.0, 0.0]),
    "minimize, lbfgs, checkpoint": partial(checkpointed, loss=bowl, params=[0.0, 0.0], method="lbfgs"),
    "minimize, descent, checkpoint": partial(checkpointed, loss=bowl, params=[0.0, 0.0], method="adam", steps=9, every=2),
    "fit": fitted("w*x + b", TABLE),
    "fit, not linear": fitted("a*exp(-k*x)", WAVE),
    "fit, groups": fitted("w[site]*x + b", SITES),
    "fit, logistic": fitted("w*x + b", COINS, loss="logistic"),
    "fit, mae": fitted("w*x + b", BENT, loss="mae"),
    "fit, huber": fitted("w*x + b", BENT, loss="huber"),
    "command, grad": command("grad", "x**2*y", "x=2", "y=3"),
    "command, fit": with_files("fit", "t.csv", "w*x + b", "--target", "y", "--save", "v.json"),
    "command, predict": with_files("predict", "w.json", "t.csv", "--interval", "0.9"),
    "command, check": command("check", "x**2*y", "x=2", "y=3"),
}  # fmt: skip
