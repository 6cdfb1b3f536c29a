"""The core in C under the sanitizers: `python tests/benchmarks/sanitize.py [TEST ...]`.

It compiles the core with AddressSanitizer and UndefinedBehaviorSanitizer into a copy of the package and runs the tests that
touch the engine there (or those named); then a program that does everything the core does, over and over, in a debug build
of Python where there is one (`python3.11-dbg`, or PYTHON_DEBUG), which must end with as many references as it began with.
Exit status 0: clean.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.process import loaded  # noqa: E402

LEFT_OUT = "not long_chain and not million and not memory_of_nodes"  # too long, or about memory, of which these take more
NAMES = ("core", "value", "graph", "functional", "nn", "contract", "promises", "context", "optim", "sparse")
TESTS = [
    *(f"tests/test_{name}.py" for name in NAMES),
    "tests/conformance",
    "tests/ops",
    "tests/compiler/test_llvm_batch.py",
    "tests/compiler/test_short.py",
    "tests/compiler/test_simplify.py",
    "tests/compiler/test_trace.py",
]

REFERENCES = """
import gc, sys
import autograd_lite as al
from autograd_lite import Op, Value, graph, nn, ops, program, sweeps
from autograd_lite.compiler.simplify import rewritten, simplify
from autograd_lite.compiler.trace import trace
assert al.core() == "C"

class Weight(Value):
    pass

def failing(x, out):
    raise ValueError("no slope")

def traced():
    def f(x, y):
        z = x * y + al.sin(x) ** 2 / y - al.logsumexp([x, y, 1.0]) + al.where(x > 0.0, x, y) + al.pow(x, y) + al.maximum(x, y)
        return -z * 3.0
    for g in (f, al.grad(f), al.hessian(f), al.hessian(f, sparse=True), lambda x, y: al.hvp(f, (x, y), (1.0, 0.0))):
        simplify(trace(g, lambda r: ((r.input(0.3), r.input(0.6)), {}), False).program)
    try:
        trace(lambda x: al.grad(Op("bad", lambda v: v, failing))(x), lambda r: ((r.input(0.3),), {}), False)
    except ValueError:
        pass
    try:
        rewritten(program.Program(1, (program.Instruction(ops.neg, (0,)),), (1,)), failing)
    except Exception:
        pass

def once():
    traced()
    x, y, w = Value(1.5, "x"), Value(0.5), Weight(2.0)
    z = (x + y) * (x - 2.0) / (y * w) - x**2 + 3 - abs(-x) + 2.0**y + x // y + x % y + w
    z = z + al.sum([x, y, 1.0]) + al.mean([x, z]) + al.dot([x, y], [z, 2.0]) + al.logsumexp([x, y])
    z = z + al.hypot(x, y) + al.prod([x, z])
    for op in ops.TABLE.values():
        if not op.settings:
            z = z + op.apply(*[x, y, z][: op.arity or 3])
    z.backward()
    z.backward(0.5)
    y.grad = None
    (x * y).backward()
    (x * x).backward(create_graph=True)
    al.sin(x.grad).backward()
    x.grad = 0.0
    al.hessian(lambda v: al.sum([a**3 * b for a, b in zip(v, v[1:])]))([1.0, 2.0, 3.0])
    sweeps.reverse({z: 1.0, x: 2.0}, stop={y})
    graph.order([z], {y})
    for bad in (
        lambda: x + "a", lambda: al.sin("a"), lambda: pow(x, 2, 3), lambda: Value("a"), lambda: al.atan2(x),
        lambda: (Op("f", abs, failing)(x) + y).backward(), lambda: Op("g", lambda v: "a", 1.0)(x),
        lambda: al.dot([x], [1.0, 2.0]), lambda: x.exp(1),
    ):
        try:
            bad()
        except Exception:
            pass
    Op("value", lambda v: v, lambda v, out: y)(x).backward()
    held = []
    op = Op("held", lambda v: v, lambda v, out: 1.0 + len(held))
    held.append(op(x) + w)
    model = nn.MLP(2, [3, 1], seed=0)
    nn.mse([model([1.0, 2.0])], [1.0]).backward()
    with al.detect_anomaly():
        (x * 2.0).backward()

for _ in range(5):
    once()
gc.collect()
before = sys.gettotalrefcount()
for _ in range(50):
    once()
gc.collect()
grown = sys.gettotalrefcount() - before
print(f"references more after 50 rounds: {grown}")
sys.exit(grown > 25)  # the interpreter's own caches
"""


def main() -> int:
    build = loaded(ROOT / ".ci" / "build_core.py")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in ("autograd_lite", "tests"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis", "*.so"))
        for file in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / file, copy)
        package = copy / "autograd_lite"
        for kind, flags in (
            ("counted", ["-DPy_REF_DEBUG"]),
            ("sanitized", ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]),
        ):
            refused = build.compile_core(package / "_core.c", copy / f"{kind}.so", [*build.FLAGS, *flags])  # type: ignore[attr-defined]
            if refused is not None:
                print(f"cannot be compiled: {refused}")
                return 2
        shutil.copy(copy / "sanitized.so", package / build.NAME)  # type: ignore[attr-defined]
        library = subprocess.run(
            ["cc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
        ).stdout.strip()
        env = {
            **os.environ,
            "LD_PRELOAD": library,
            "ASAN_OPTIONS": "detect_leaks=0",
            "PYTHONMALLOC": "malloc",
            "PYTHONPATH": folder,
        }
        env.pop("AUTOGRAD_LITE_PURE", None)
        print("with the address and undefined behaviour sanitizers:", flush=True)
        tests = sys.argv[1:] or TESTS
        failed |= subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", LEFT_OUT, *tests],
            cwd=copy, env=env, check=False,
        ).returncode  # fmt: skip
        shutil.copy(copy / "counted.so", package / build.NAME)  # type: ignore[attr-defined]
        debug = os.environ.get("PYTHON_DEBUG") or shutil.which("python3.11-dbg")
        if debug is None:
            print("no debug build of Python (python3.11-dbg): references are not counted")
        else:
            failed |= subprocess.run([debug, "-S", "-c", REFERENCES], cwd=copy, check=False).returncode
    print("clean" if not failed else "NOT CLEAN")
    return failed


if __name__ == "__main__":
    sys.exit(main())
