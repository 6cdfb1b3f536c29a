"""With the collector off nothing is left behind: what the library makes goes when the last name for it does."""

import gc
import json
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

import autograd_lite as al
from autograd_lite import Value, check_derivative, check_grads, draw, explain, grad, jit, nn, optim, propagate, value_and_grad
from autograd_lite.accelerated import FREE_THREADED
from autograd_lite.fit import fit, minimize
from autograd_lite.formula.expression import parse

np = pytest.importorskip("numpy")


def micrograd_style():
    weights = [Value(0.1 * i) for i in range(6)]
    for step in range(3):
        rows = [[step + 0.5, 1.0], [0.25, -2.0], [1.0, 3.0]]
        scores = [sum((w * x for w, x in zip(weights, row * 3, strict=True)), Value(0.0)).relu() for row in rows]
        loss = sum((1 + -1.0 * s).relu() for s in scores) * (1.0 / len(scores)) + 1e-4 * sum(w * w for w in weights)
        for w in weights:
            w.grad = 0
        loss.backward()
        for w in weights:
            w.data -= 0.1 * w.grad


def nn_style():
    model = nn.MLP(2, [4, 1], "tanh", seed=0)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        loss = nn.mse([model([x, 1.0]) for x in (0.0, 1.0)], [1.0, 0.0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def transform_style():
    model = nn.MLP(2, [3, 1], "tanh", seed=0)
    value_and_grad(lambda m, x: m(x))(model, [1.0, 2.0])
    al.hessian(lambda x: x[0] ** 2 * x[1])([2.0, 3.0])
    al.jacobian(lambda x: [x[0], x[1], x[0] * x[1]])([2.0, 3.0])
    al.hvp(lambda x: al.exp(x) * x, (1.0,), (1.0,))
    pullback = al.vjp(lambda x: x * x, 3.0)[1]
    pullback(1.0)
    grad(lambda x: x * Value(2.0))(3.0)


def several(x, y):
    """Containers, a constant and a called back row."""
    return {"a": [al.sin(x) * y, al.lgamma(y), 1.0], "b": (al.exp(x), x + y)}


def absolute(x):
    return x * x if x > 0 else -x


def product():
    return Value(2.0, "x") * Value(3.0, "y") + Value(1.0, "z")


ROWS = np.linspace(0.5, 1.5, 9)
LONG = np.linspace(0.5, 1.5, 3000)
LINE = {"x": [1.0, 2.0, 3.0, 5.0], "y": [2.0, 4.0, 6.5, 10.0]}


def compiled(backend, f, *args, **options):
    return lambda: jit(f, backend=backend, **options)(*args)


PROGRAMS = {
    "micrograd": micrograd_style,
    "nn": nn_style,
    "transforms": transform_style,
    "jit python": compiled("python", several, 1.0, 2.0),
    "jit python, containers": compiled("python", value_and_grad(lambda v: v["a"] ** 2 * v["t"][0]), {"a": 1.0, "t": [2.0]}),
    "jit python, both ways": lambda: [jit(absolute, backend="python")(x) for x in (1.0, -1.0)],
    "jit python, batch": compiled("python", several, ROWS, ROWS, batch=(0, 1)),
    "jit numpy": compiled("numpy", several, ROWS, ROWS, batch=(0, 1), reduce="mean"),
    "jit, program and source": lambda: [(f := jit(several)).program(1.0, 2.0), f.source(1.0, 2.0), repr(f)],
    "draw": lambda: [draw(product()).svg(), draw(product()).dot(), draw(product()).steps],
    "draw, page": lambda: draw(product()).html(),
    "draw, animated": lambda: draw(nn.MLP(2, [3, 1], "tanh", seed=0)([1.0, 2.0])).svg(animate=True),
    "draw of a function": lambda: draw(absolute, x=2.0).html(),
    "explain": lambda: [str(explain(product())), str(explain(product(), format="latex"))],
    "check_grads": lambda: str(check_grads(lambda x, y: x**y, (2.0, 3.0))),
    "check_derivative": lambda: str(check_derivative(lambda x: x**3, lambda x: -3 * x**2, 2.0)),
    "propagate": lambda: str(propagate(lambda v: v[0] * v[1], (2.0, 3.0), (0.1, 0.2))),
    "parse": lambda: parse("a*sin(b*x) + exp(-x)"),
    "minimize": lambda: minimize(lambda p: (p[0] - 1) ** 2 + (p[1] - 2.0) ** 2, [0.0, 0.0], steps=5),
    "minimize over data": lambda: minimize(lambda p, x: (p[0] * x - 1.0) ** 2, [0.0], data=(ROWS,), steps=5),
}
MACHINE = {
    "fit": lambda: str(fit("w*x + b", LINE, target="y")),
    "jit llvm": compiled("llvm", several, 1.0, 2.0),
    "jit llvm, both ways": lambda: [jit(absolute, backend="llvm")(x) for x in (1.0, -1.0)],
    "jit llvm, batch": compiled("llvm", several, ROWS, ROWS, batch=(0, 1)),
    "jit llvm, sums": compiled("llvm", value_and_grad(lambda w, x: w * al.sin(x)), 1.0, LONG, batch=1, reduce="sum"),
    "jit llvm, two threads": compiled("llvm", several, LONG, LONG, batch=(0, 1), threads=2),
}


def left_behind(program):
    """What only the collector takes away after a run, by type."""
    program()
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        program()
        gc.collect()
        return Counter(f"{type(x).__module__}.{type(x).__name__}" for x in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.fixture(scope="module")
def left():
    """What each program leaves, in a process where nothing else goes on: a cluster's client leaves things at any time."""
    told = "import json; from tests import test_cycles as t; print(json.dumps(t.all_left_behind()))"
    root = Path(__file__).parents[1]
    return json.loads(subprocess.run([sys.executable, "-c", told], cwd=root, check=True, stdout=subprocess.PIPE).stdout)


def all_left_behind():
    programs = PROGRAMS | MACHINE if find_spec("llvmlite") else PROGRAMS
    return {name: left_behind(program) for name, program in programs.items()}


@pytest.mark.parametrize("name", PROGRAMS)
def test_with_the_collector_off_nothing_is_left_behind(name, left):
    if FREE_THREADED and "builtins.code" in left[name]:
        pytest.skip("a free-threaded Python leaves functions that were compiled to its collector")
    assert not left[name]


@pytest.mark.parametrize("name", MACHINE)
def test_of_machine_code_llvmlites_handle_is_left_and_nothing_else(name, left):
    pytest.importorskip("llvmlite")
    found = dict(left[name])
    # a ctypes pointer of 200 bytes and its dict, a compilation; its module is not the same in all versions of Python
    handles = sum(found.pop(f"{module}.LP_LLVMModule", 0) for module in ("llvmlite.binding.ffi", "ctypes"))
    assert found.pop("builtins.dict", 0) <= handles
    assert not found


class Ring(list):
    """A list that nothing else of this process makes, a cluster's client for one."""


def test_what_is_left_is_counted():
    def ring():
        a = Ring()
        a.append(a)

    assert left_behind(ring)[f"{__name__}.Ring"] == 1
