"""An op is added in one place: ``python tests/add_an_op.py``.

In a copy of the package one file of the op table gets two rows, a family's end as anybody would write them, and nothing else
is touched.  Then everything the library does with an op is asked for: floats, all orders, every backend there is, the parser,
the command, the picture, the explanation, LaTeX, the strategies, the checker, and the public name with its docstring.
"""

from __future__ import annotations

import doctest
import importlib.util
import math
import os
import pkgutil
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FAMILY = "activations.py"
ROWS = """
surprise = row(
    "surprise", lambda x, y: -xlogy.forward(x, y), (lambda x, y, z: -log(y), lambda x, y, z: -xdivy(x, y)),
    core=lambda x, y: -xlogy(x, y), exact=lambda mp, at, x, y: -x * mp.log(y),
    domain=(Interval(), Interval(0.0, inf, open=True)), kinks="y = 0",
    edges=("-log(y)", "-x/y"), pins=[((0.0, 0.0), 0.0, (inf, 0.0))],
    doc="-x log(y), and 0 where x is 0.\\n\\n>>> surprise(2.0, 1.0)\\n-0.0",
)  # fmt: skip
log_odds = row(
    "log_odds", lambda p: log.forward(p) - log1p.forward(-p), lambda p, z: inverse(p * (1.0 - p)),
    core=lambda p: log(p) - log1p(-p), exact=lambda mp, at, p: mp.log(p) - mp.log1p(-p),
    domain=(Interval(0.0, 1.0, open=True),), kinks=("p = 0", "p = 1"),
    edges="1/(x*(1 - x))", pins=[((0.0,), -inf, (inf,)), ((1.0,), inf, (inf,)), ((2.0,), nan, (nan,))],
    doc="log(p / (1 - p)).\\n\\n>>> log_odds(0.5)\\n0.0",
)  # fmt: skip
"""
IMPORTED = "from .powers import log\nfrom .special import xdivy, xlogy\n"
POINTS = {"surprise": (0.7, 0.4), "log_odds": (0.2,)}


def copied(folder: Path) -> None:
    """A copy of the package whose op table has the two rows; only one file of it is another."""
    shutil.copytree(ROOT / "autograd_lite", folder / "autograd_lite", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    family = folder / "autograd_lite" / "ops" / FAMILY
    text = family.read_text(encoding="utf-8")
    head, imports, end = text.partition("from .powers import")
    assert "\npublish(globals())" in end, FAMILY
    text = head + IMPORTED + imports + end.replace("\npublish(globals())", ROWS + "\npublish(globals())")
    family.write_text(text, encoding="utf-8")


# -- what is asked for ------------------------------------------------------------------------------------------------


def public(op: Any) -> None:
    import autograd_lite

    assert getattr(autograd_lite, op.name) is op
    assert op.name in autograd_lite.__all__
    examples = doctest.DocTestParser().get_doctest(op.__doc__, vars(autograd_lite), op.name, None, None)
    assert examples.examples
    assert not doctest.DocTestRunner(verbose=False).run(examples).failed


def all_orders(op: Any) -> None:
    from mpmath import mp, mpf

    from autograd_lite import grad
    from tests.ops import reference

    at = POINTS[op.name]
    for i in range(len(at)):
        f: Callable[..., Any] = op
        for order in range(4):
            orders = [order if j == i else 0 for j in range(len(at))]
            with mp.workdps(reference.DIGITS):
                truth = float(reference.derivative(reference.exactly(op, at), [mpf(x) for x in at], orders))
            assert math.isclose(f(*at), truth, rel_tol=1e-13, abs_tol=1e-100), (i, order, f(*at), truth)
            f = grad(f, i)


def pins(op: Any) -> None:
    from autograd_lite import grad
    from autograd_lite.ops.columns import Pin
    from tests.same import same

    for pin in op.pins:
        assert isinstance(pin, Pin)
        assert same(op(*pin.at), pin.value)
        assert all(map(same, grad(op, tuple(range(len(pin.at))))(*pin.at), pin.partials))


def every_backend(op: Any) -> None:
    """Whatever `autograd_lite.compiler` has a module or a package for; one that is not known here is a failure."""
    import autograd_lite.compiler as compiler

    found = {name.removeprefix("to_") for _, name, package in pkgutil.iter_modules(compiler.__path__)
             if name.startswith("to_") or package}  # fmt: skip
    assert found >= {"python", "numpy", "llvm", "jax", "js"}, found
    assert found <= RUNS.keys(), f"say here how a program is run by {found - RUNS.keys()}"
    assert {*compiler.BACKENDS} - {"auto"} <= found
    for name in sorted(found):
        needed = NEEDED.get(name, ())
        if all(importlib.util.find_spec(package) for package in needed) and (name != "js" or shutil.which("node")):
            RUNS[name](op, name)


def by_jit(op: Any, backend: str) -> None:
    import warnings

    from autograd_lite import hessian, jit, value_and_grad

    at = POINTS[op.name]
    argnums = tuple(range(len(at)))
    for f in (op, value_and_grad(op, argnums), hessian(op, argnums)):
        flat = _flat(f(*at))
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # it does not give way to another backend
            if backend != "numpy":
                assert _flat(jit(f, backend=backend)(*at)) == flat
            if importlib.util.find_spec("numpy"):
                columns = jit(f, batch=argnums, backend=backend)(*[[x] * 19 for x in at])
                assert _close([float(c[-1]) for c in _flat(columns)], flat), (backend, columns, flat)


def by_jax(op: Any, backend: str) -> None:
    import jax

    from autograd_lite.compiler.to_jax import function
    from autograd_lite.program import Instruction, Program

    jax.config.update("jax_enable_x64", True)
    at = POINTS[op.name]
    (found,) = jax.jit(function(Program(len(at), (Instruction(op, tuple(range(len(at)))),), (len(at),))))(*at)
    assert _close([float(found)], [op(*at)])


def by_node(op: Any, backend: str) -> None:
    from autograd_lite.program import Instruction, Program
    from tests.compiler import node

    at = POINTS[op.name]
    [[found]] = node.run([(Program(len(at), (Instruction(op, tuple(range(len(at)))),), (len(at),)), [at])])
    assert _close(found, [op(*at)])


RUNS = {"python": by_jit, "numpy": by_jit, "llvm": by_jit, "jax": by_jax, "js": by_node}
NEEDED = {"numpy": ("numpy",), "llvm": ("llvmlite", "numpy"), "jax": ("jax",)}


def _flat(tree: Any) -> list[Any]:
    return [x for t in tree for x in _flat(t)] if isinstance(tree, (list, tuple)) else [tree]


def _close(got: list[float], wanted: list[float]) -> bool:
    return all(math.isclose(a, b, rel_tol=1e-14) for a, b in zip(got, wanted, strict=True))


def text(op: Any) -> None:
    """The parser, and the command with its explanation and its list of functions."""
    from autograd_lite.formula import parse

    at = POINTS[op.name]
    formula = f"{op.name}({', '.join('xy'[: len(at)])})"
    assert parse(formula)(dict(zip("xy", at, strict=False))) == op(*at)
    values = [f"{name}={x}" for name, x in zip("xy", at, strict=False)]
    if importlib.util.find_spec("click"):
        assert op.name in _command("grad", formula, *values, "--explain")
        assert op.name in _command("ops")
        assert str(op(*at))[:8] in _command("grad", formula, *values)


def _command(*args: str) -> str:
    done = subprocess.run([sys.executable, "-m", "autograd_lite", *args], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pictures(op: Any) -> None:
    from autograd_lite import Value, draw, explain

    node = op(*[Value(x, name) for x, name in zip(POINTS[op.name], "xy", strict=False)])
    assert op.name in str(draw(node).svg())
    assert op.name in str(explain(node))
    assert op.name.replace("_", r"\_") in str(explain(node, format="latex"))


def kinks(op: Any) -> None:
    """The explanation says where there is no derivative; the docstring and the command by the same letters."""
    from autograd_lite import Value, explain

    for pin, kink in zip(op.pins, op.kinks, strict=False):
        assert kink.holds(*pin.at)
        assert not kink.holds(*POINTS[op.name])
        assert f"{op.name} has no derivative where {kink.text}" in str(explain(op(*map(Value, pin.at))))
        assert kink.text in op.__doc__
        if importlib.util.find_spec("click"):
            assert kink.text in " ".join(_command("ops", op.name).split())


def single_precision(op: Any) -> None:
    """Whether its formula is one for floats of 32 bits is read off it."""
    if importlib.util.find_spec("numpy") and importlib.util.find_spec("llvmlite"):
        import numpy as np

        from autograd_lite import jit

        at = POINTS[op.name]
        columns = [np.full(40, x, np.float32) for x in at]
        found = jit(op, batch=tuple(range(len(at))), float32=True)(*columns)
        wanted = op(*[float(c[0]) for c in columns])
        assert found.dtype == np.float32
        assert all(math.isclose(x, wanted, rel_tol=1e-6) for x in found.tolist())


def strategies(op: Any) -> None:
    from hypothesis import given, settings

    from autograd_lite.strategies import calls, expressions

    @settings(max_examples=20, deadline=None, database=None)
    @given(calls(op))
    def alone(call: Any) -> None:
        assert call.op is op

    @settings(max_examples=20, deadline=None, database=None)
    @given(expressions(max_ops=3, ops=["add", "mul", op]))
    def in_company(formula: Any) -> None:
        assert {used.name for used in formula.ops} <= {"add", "mul", op.name}

    alone()
    in_company()


def certified(op: Any) -> None:
    from autograd_lite import check_grads

    report = check_grads(op, POINTS[op.name], reference="mpmath")
    assert report.ok, str(report)


ASKED = (public, all_orders, pins, every_backend, single_precision, text, pictures, kinks, strategies, certified)


def checked() -> None:
    """All that is asked for, of both rows, in this process."""
    from autograd_lite.ops import TABLE

    for name in POINTS:
        for ask in ASKED:
            ask(TABLE[name])
            print(f"{name}: {ask.__name__.replace('_', ' ')}")


def main() -> int:
    if "--inside" in sys.argv:
        checked()
        return 0
    with tempfile.TemporaryDirectory() as folder:
        copied(Path(folder))
        path = os.pathsep.join([folder, *filter(None, [os.environ.get("PYTHONPATH")])])
        script = [sys.executable, str(Path(folder) / "tests" / Path(__file__).name), "--inside"]
        return subprocess.run(script, cwd=folder, env={**os.environ, "PYTHONPATH": path}, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
