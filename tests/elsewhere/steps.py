"""What the package does on any Python, in a browser's too: steps, each with its outcome, printed as JSON."""

import json
import math
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path
from typing import Any

import autograd_lite as al
from autograd_lite import Value, check_grads, draw, errstate, explain, grad, hessian, jit, nn, optim, propagate, value_and_grad
from autograd_lite.errors import InvalidValueError


def gradients() -> None:
    w, b = Value(2.0, "w"), Value(1.0, "b")
    ((w * 3.0 + b - 10.0) ** 2).backward()
    assert (w.grad, b.grad) == (-18.0, -6.0)


def transforms() -> None:
    assert grad(grad(grad(lambda x: x**4)))(2.0) == 48.0
    assert hessian(lambda x: x[0] ** 2 * x[1])([2.0, 3.0]) == [[6.0, 4.0], [4.0, 0.0]]


def every_row() -> None:
    for op in al.ops.TABLE.values():
        if op.arity == 1:
            op(Value(0.7))


def long_chains() -> None:
    for n in (1_000, 5_000, 200_000):
        x = y = Value(1.0)
        for _ in range(n):
            y = y + 1.0
        y.backward()
        assert x.grad == 1.0
        del y


def wide_graphs() -> None:
    leaves = [Value(1.0) for _ in range(20_000)]
    al.sum([v * v for v in leaves]).backward()
    assert leaves[-1].grad == 2.0


def small_stacks() -> None:
    before = threading.stack_size(262_144)
    thread = threading.Thread(target=long_chains)
    thread.start()
    thread.join()
    threading.stack_size(before)


def side_by_side() -> None:
    """Eight threads share leaves and a compiled function, and every other one watches for what is invalid."""
    shared, wrong, begin = [Value(0.1 * i) for i in range(5)], [], threading.Barrier(8)
    both = jit(grad(lambda x: al.sin(x) if x > 0 else x * x))

    def work(i: int) -> None:
        begin.wait()
        for k in range(-20, 20):
            sum((w * float(i) for w in shared), Value(0.0)).backward()
            if both(0.1 * k) != (math.cos(0.1 * k) if k > 0 else 0.2 * k):
                wrong.append(f"the slope at {0.1 * k}")
            with errstate(invalid="raise" if i % 2 else "ignore"):
                try:
                    raised = math.isfinite(al.log(Value(-1.0)).data)
                except InvalidValueError:
                    raised = True
            if raised != bool(i % 2):
                wrong.append("a watch of another thread")

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[0]
    assert [w.grad for w in shared] == [40.0 * sum(range(8))] * 5


def optimizers() -> None:
    w = Value(1.0)
    for make in (optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad):
        make([w], lr=0.1).step([1.0])
    assert w.data < 1.0


def networks() -> None:
    model = nn.MLP(2, [4, 1], "tanh", seed=0)
    value, slopes = value_and_grad(lambda m: nn.mse([m([1.0, 2.0])], [0.5]))(model)
    assert value > 0.0
    assert len(slopes.parameters()) == len(model.parameters())


def files() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.json"
        model = nn.MLP(2, [2, 1], seed=0)
        model.save(path)
        nn.MLP(2, [2, 1], seed=1).load(path)
        assert [p.name for p in Path(folder).iterdir()] == ["weights.json"]


def pictures() -> None:
    assert draw(Value(2.0, "x") * 3.0, engine="builtin").svg().startswith("<svg ")


def pages() -> None:
    assert "<script" in draw(Value(2.0, "x") * 3.0, engine="builtin").html()


def explanations() -> None:
    assert "x" in str(explain(Value(2.0, "x") * 3.0))


def formulas() -> None:
    from autograd_lite.formula.expression import parse

    assert parse("a*sin(b) + 2").names == ("a", "b")


def compiled() -> None:
    fast = jit(lambda x: al.sin(x) if x > 0 else -x, backend="python")
    assert fast(-2.0) == 2.0
    assert fast(1.0) == al.sin(1.0)


def checks() -> None:
    assert check_grads(lambda x, y: x**y, (2.0, 3.0)).ok


def watches() -> None:
    try:
        with errstate(invalid="raise"):
            al.log(Value(-1.0))
    except ValueError:
        return
    raise AssertionError


def uncertainties() -> None:
    assert abs(propagate(lambda v: v[0] * v[1], [2.0, 3.0], [0.1, 0.2]).stderr - 0.5) < 1e-9


def descents() -> None:
    from autograd_lite.fit import minimize

    found = minimize(lambda p: (p[0] - 1.0) ** 2, [0.0], steps=90, optimizer=partial(optim.SGD, lr=0.25))
    assert abs(found.params[0] - 1.0) < 1e-9


def batches() -> None:
    import numpy as np

    assert jit(lambda x: x * x, batch=0, backend="numpy")(np.arange(3.0)).tolist() == [0.0, 1.0, 4.0]


def machine_code() -> None:
    import llvmlite  # noqa: F401
    import numpy as np

    fast = jit(value_and_grad(lambda w, x: w * al.sin(x)), batch=1, reduce="sum", backend="llvm", threads=2)
    value, slope = fast(2.0, np.linspace(0.0, 1.0, 5000))
    assert abs(value - 2.0 * slope) < 1e-9 * abs(value)


def command() -> None:
    import click  # noqa: F401

    from autograd_lite.cli import main

    assert callable(main)


STEPS = [
    gradients, transforms, every_row, long_chains, wide_graphs, small_stacks, side_by_side, optimizers, networks, files,
    pictures, pages, explanations, formulas, compiled, checks, watches, uncertainties, descents, batches, machine_code, command,
]  # fmt: skip


def outcome(step: Any) -> str:
    """ "ok", what it lacks, or what went wrong."""
    try:
        step()
    except ImportError as error:
        return f"lacks {error.name}"
    except RuntimeError as error:
        if "thread" in str(error):
            return "lacks threads"
        return f"{type(error).__name__}: {error}"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return "ok"


def main() -> None:
    """Print all outcomes."""
    print(json.dumps({"python": sys.version.split()[0], "steps": {step.__name__: outcome(step) for step in STEPS}}))


if __name__ == "__main__":
    main()
