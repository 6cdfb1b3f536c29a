"""The core in C and the Python do the same, to the bit: one program run on both, and every line that it prints compared."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from itertools import zip_longest
from pathlib import Path

import pytest

import autograd_lite
from tests.process import loaded

ROOT = Path(autograd_lite.__file__).parents[1]


def hook():
    """The module that compiles the core."""
    file = ROOT / ".ci" / "build_core.py"
    if not file.exists():
        pytest.skip("the core is not compiled, and the hook that compiles it is not here")
    pytest.importorskip("hatchling", reason="the hook that compiles the core is one of hatchling")
    return loaded(file)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the package and its core: the one that is tested, or a copy with the core compiled for it."""
    if autograd_lite.core() == "C":
        return ROOT
    folder = tmp_path_factory.mktemp("core")
    shutil.copytree(ROOT / "autograd_lite", folder / "autograd_lite", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    build = hook()
    package = folder / "autograd_lite"
    environment = os.environ.pop("AUTOGRAD_LITE_PURE", None)
    try:
        refused = build.compile_core(package / "_core.c", package / build.NAME, build.FLAGS)
    finally:
        if environment is not None:
            os.environ["AUTOGRAD_LITE_PURE"] = environment
    if refused is not None:
        pytest.skip(f"the core cannot be compiled: {refused}")
    return folder


def said(place, program, pure):
    env = {k: v for k, v in os.environ.items() if k != "AUTOGRAD_LITE_PURE"} | {"PYTHONPATH": str(place), "PYTHONHASHSEED": "0"}
    if pure:
        env["AUTOGRAD_LITE_PURE"] = "1"
    done = subprocess.run(
        [sys.executable, "-c", COMMON + program], capture_output=True, text=True, env=env, cwd=place, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    core, *lines = done.stdout.splitlines()
    assert core == ("Python" if pure else "C")
    return lines


def agree(place, program, least):
    """Both say the same, and at least so many lines."""
    in_c, in_python = said(place, program, False), said(place, program, True)
    for number, (c, python) in enumerate(zip_longest(in_c, in_python)):
        assert c == python, f"line {number}"
    assert len(in_c) >= least


COMMON = '''
import gc, math, operator, random, sys, threading
import autograd_lite as al
from autograd_lite import Op, Value, graph, ops, sweeps
from autograd_lite.ops import TABLE

print(al.core())

def bits(x):
    """A number, or whatever there is in its place, with its type."""
    if isinstance(x, Value):
        return f"{type(x).__name__}<{bits(x.data)}>"
    return x.hex() if type(x) is float else f"{type(x).__name__} {x!r}"

def error(e):
    return f"{type(e).__name__}: {e} {getattr(e, '__notes__', [])}"

def attempt(label, call):
    try:
        print(label, call())
    except Exception as e:
        print(label, error(e))

def grads(nodes):
    return " ".join(bits(n.grad) for n in nodes)
'''

EACH_OP = """
POINTS = [-2.5, -1.0, -0.0, 0.0, 0.3, 1.0, 2.0, 7.0, 1e300, math.inf, -math.inf, math.nan]
draw = random.Random(0)

def arguments(op):
    if op.settings:
        n = 4 if op.variadic else op.arity
        for setting in (next(iter(op.settings.values())).examples):
            for _ in range(8):
                yield tuple(setting if i in op.settings else draw.choice(POINTS) for i in range(n))
    elif op.variadic:
        for n in (0, 1, 2, 4, 6):
            for _ in range(12):
                yield tuple(draw.choice(POINTS) for _ in range(n))
    elif op.arity == 1:
        for x in POINTS:
            yield (x,)
    else:
        for _ in range(60):
            yield tuple(draw.choice(POINTS) for _ in range(op.arity))

def whole(op, args, constant):
    leaves = [Value(a) for a in args]
    given = [a.data if i == constant or i in op.settings else a for i, a in enumerate(leaves)]
    node = op.apply(*given)
    if not isinstance(node, Value):
        return bits(node)
    outer = node * 3.0 + node
    outer.backward()
    once = grads([outer, node, *leaves])
    node.backward(-2.0)
    found = sweeps.reverse({node: 1.0}, graph=False)
    return " ".join([bits(node.data), once, grads([node, *leaves]), *[bits(d) for d in found.inputs.values()],
                     str([leaves.index(u) for u in found.unreached]), bits(found.grads[0]), str(graph.values(node))])

for op in TABLE.values():
    for args in arguments(op):
        for constant in (None, 0, len(args) - 1):
            attempt(f"{op.name} {args} {constant}", lambda: whole(op, args, constant))
"""

PROGRAMS = """
rows = [op for op in TABLE.values() if not op.settings]
SIGNS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.floordiv, operator.mod]
METHODS = [operator.neg, operator.abs, Value.tanh, Value.relu, Value.exp, Value.sin, Value.sqrt, Value.log]

def program(seed):
    draw = random.Random(seed)
    numbers = [draw.choice([draw.gauss(0, 1), draw.uniform(0.1, 2), 1.0, 0.0, -0.0]) for _ in range(draw.randint(1, 4))]
    leaves = [Value(number, f"x{i}") for i, number in enumerate(numbers)]
    nodes = list(leaves)

    def any_node():
        return draw.choice(nodes[-6:] if draw.random() < 0.7 else nodes)

    def operand():
        return any_node() if draw.random() < 0.8 else draw.choice([2.0, -1.5, 0.0, 3, True])

    for _ in range(draw.randint(3, 40)):
        kind = draw.random()
        a, b = any_node(), operand()
        if kind < 0.5:
            a, b = (b, a) if draw.random() < 0.5 else (a, b)
            made = draw.choice(SIGNS)(a, b)
        elif kind < 0.6:
            made = draw.choice(METHODS)(a)
        elif kind < 0.75:
            items = [operand() for _ in range(draw.randint(1, 5))]
            made = draw.choice([al.sum, al.mean, al.prod, al.logsumexp, al.fsum])(items)
            if draw.random() < 0.4:
                made = al.dot(items, [operand() for _ in items])
        else:
            op = draw.choice(rows)
            made = op.apply(*[operand() for _ in range(op.arity if op.arity is not None else draw.randint(1, 4))])
        if isinstance(made, Value):
            nodes.append(made)
    if draw.random() < 0.3:
        leaves[0].grad = draw.choice([None, 2, 0.5, Value(1.0)])
    root = nodes[-1]
    root.backward(draw.choice([1.0, -0.5, 2]))
    print(seed, len(nodes), " ".join(bits(n.data) for n in nodes))
    print(grads(nodes))
    any_node().backward()
    leaves[-1].data = 0.75
    root.backward()
    print(grads(nodes))
    number = {n: i for i, n in enumerate(nodes)}
    stop = dict.fromkeys(draw.sample(nodes, min(len(nodes), 2)))  # in an order of their own
    seeds = {n: draw.gauss(0, 1) for n in draw.sample(nodes, min(len(nodes), 3))}
    found = sweeps.reverse(seeds, stop=stop)
    print({number[n]: bits(d) for n, d in found.inputs.items() if n in number}, [number.get(n) for n in found.nodes],
          [bits(g) for g in found.grads], [number.get(n) for n in found.unreached])
    print([number.get(n) for n in graph.order(seeds)], [number.get(n) for n in graph.order([root], stop)])
    if seed % 10 == 0:
        root.backward(create_graph=True)
        print(grads(leaves))
        second = [x.grad for x in leaves if isinstance(x.grad, Value)]
        if second:
            al.sum(second).backward()
            print(grads(leaves))

for seed in range(2000):
    program(seed)
"""

MESSAGES = """
class Weight(Value):
    def __init__(self, data, unit="kg"):
        super().__init__(data)
        self.unit = unit
    def __radd__(self, other):
        return "mine"

class Plain:
    pass

v, w = Value(2.0, "v"), Weight(3.0)
numbers = [1, 2.5, True, 10**400, -7, None, "a", b"a", 1j, [1.0], Plain(), math.nan, w, v]
signs = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.floordiv, operator.mod, divmod, pow]
for i, sign in enumerate(signs):
    for j, other in enumerate(numbers):
        for k, (a, b) in enumerate(((v, other), (other, v), (w, other), (other, w))):
            attempt(f"{i} {j} {k}", lambda: (lambda r: bits(r) if not isinstance(r, tuple) else r)(sign(a, b)))
attempt("modulus", lambda: pow(v, 2, 5))
attempt("modulus", lambda: pow(2, v, 5))
attempt("method", lambda: v.exp(1))
attempt("method", lambda: Value.exp(3.0))
attempt("method", lambda: Value.exp(w))
attempt("method", lambda: bits(v.exp.__call__()))
attempt("method", lambda: [bits(f(v)) for f in (Value.relu, Value.__neg__, Value.__abs__, math.floor)])
attempt("names", lambda: [(f.__name__, f.__qualname__, f.__doc__) for f in (Value.exp, Value.tanh, v.relu)])
for args in ((), (1.0, 2.0), ("a",), (v, 1.0), (None,), (1j,), (10**400,)):
    for f in (al.sin, al.atan2, al.sum, al.dot, al.mean, al.prod, al.hypot, al.pow, al.maximum):
        attempt(f"{f.name} {len(args)}", lambda: f(*args))
attempt("sum", lambda: bits(al.sum([v, 1, True])))
attempt("sum", lambda: al.sum(v))
attempt("sum", lambda: bits(al.sum(x for x in (v, 1.0))))
attempt("dot", lambda: al.dot([v], [1.0, 2.0]))
attempt("dot", lambda: bits(al.dot((v, w), [1.0, 2.0])))
attempt("dot", lambda: al.dot([1.0, "a"], [v, 2.0]))
attempt("key", lambda: al.sin(x=v))
for args, kwargs in (
    ((), {}), (("a",), {}), ((1, "n"), {}), ((1,), {"name": 3}), ((1, "n"), {"label": "m"}), ((True,), {}), ((v,), {}),
):
    attempt(f"Value{len(args)}{kwargs}", lambda: repr(Value(*args, **kwargs)))
attempt("again", lambda: (v.__init__(5.0), repr(v)))
for name in ("op", "grad", "name", "_data", "_a"):
    attempt(f"del {name}", lambda: type(v).__name__)
attempt("new attribute", lambda: setattr(v, "extra", 1))
attempt("weak", lambda: __import__("weakref").ref(v))
attempt("data", lambda: setattr(v, "data", "a"))
attempt("data", lambda: setattr(v * 2, "data", 1.0))
attempt("copies", lambda: [repr(c) for c in (__import__("copy").copy(v), __import__("copy").deepcopy([v, v])[1],
                                             __import__("pickle").loads(__import__("pickle").dumps(v)))])
attempt("copies", lambda: __import__("copy").copy(v * 2))
copied = __import__("copy").copy(w)
print(repr(copied), copied.unit, type(copied).__name__)

def failing(x, out):
    raise ZeroDivisionError("no slope")
for label, rule in (
    ("fails", failing), ("int", lambda x, out: 3), ("true", lambda x, out: True), ("huge", lambda x, out: 10**400),
    ("none", lambda x, out: None), ("text", lambda x, out: "a"), ("value", lambda x, out: v), ("complex", lambda x, out: 1j),
):
    op = Op(label, lambda x: x, rule)
    x = Value(2.0)
    attempt(label, lambda: ((op(x) * 2.0 + x).backward(), bits(x.grad)))
for label, rule in (
    ("short", lambda args, out: args[1:]), ("ints", lambda args, out: [1] * len(args)),
    ("nones", lambda args, out: [None] * len(args)), ("fails", lambda args, out: 1 // 0),
):
    op = Op(label, lambda *items: math.fsum(items), rule, variadic=True)
    x = Value(2.0)
    attempt(label, lambda: ((op(x, 1.0, x) * 2.0 + x).backward(), bits(x.grad)))
half = Op("half", lambda x: x / 2, lambda x, out: 0.5, products=[lambda g, x, out: g / 2 if x > 0 else None])
attempt("product", lambda: [(y := Value(s), half(y * 1.0).backward(), bits(y.grad))[2] for s in (3.0, -3.0)])
counted = Op("counted", lambda x: 7, 2.0)
attempt("result", lambda: bits(counted(v)))
attempt("result", lambda: bits(Op("bad", lambda x: "a", 2.0)(v)))
mul = TABLE["mul"]
with al.errstate(invalid="raise", divide="raise", overflow="raise"):
    attempt("watched", lambda: v / 0.0)
    attempt("watched", lambda: al.log(Value(-1.0, "z")))
    attempt("watched", lambda: Value(1e308) * 10.0)
with al.detect_anomaly():
    attempt("anomaly", lambda: (al.sqrt(Value(0.0, "z")) ** 2).backward())
    attempt("anomaly", lambda: type(v * 2.0).__name__)
attempt("after", lambda: bits(v / 0.0))
"""

INTERRUPTED = """
class Stop(KeyboardInterrupt):
    pass

calls = 0
limit = None

def rule(x, out):
    global calls
    calls += 1
    if calls == limit:
        raise Stop
    return 2.0 * x

bend = Op("bend", lambda x: x * x, rule)
x, y = Value(1.25), Value(-0.5)
nodes = [x, y]
for i in range(12):
    nodes.append(bend(nodes[-1]) * x + bend(nodes[-2] - y))
root = nodes[-1]
root.backward()
print(grads(nodes), calls)
limit = 0
while True:
    calls, limit = 0, limit + 1
    before = grads(nodes)
    try:
        root.backward(3.0)
    except Stop:
        assert grads(nodes) == before
        print(limit, "old", getattr(sys.exc_info()[1], "__notes__", None))
    else:
        break
print(limit, grads(nodes))
limit = None
root.backward()
print(grads(nodes))

# a rule that sweeps itself, over the nodes that are being swept
inner = Op("inner", lambda x: x * x, lambda x, out: al.grad(lambda t: bend(t) * t)(x) + (root.backward() or 0.0))
z = inner(x) + root * inner(y)
z.backward()
print(grads([*nodes, z]))
"""


def test_a_free_threaded_python_does_not_load_it(place):
    program = "import sys; sys.abiflags = 't'; import autograd_lite; print(autograd_lite.core())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=place, timeout=60, check=False)
    assert done.stdout == "Python\n", done.stderr


def test_every_op_gives_the_same_bits(place):
    agree(place, EACH_OP, 3000)


def test_two_thousand_programs_give_the_same_bits_in_the_same_order(place):
    agree(place, PROGRAMS, 10000)


def test_every_message_is_the_same(place):
    agree(place, MESSAGES, 500)


def test_an_interruption_comes_in_at_the_same_points_and_leaves_the_same(place):
    agree(place, INTERRUPTED, 20)


TRACES = """
import hashlib, threading
from autograd_lite import context
from autograd_lite.compiler.trace import Trace, trace

def listed(f, args, batch=False):
    found = trace(f, lambda record: (tuple(map(record.input, args)), {}), batch)
    program = found.program
    rows = [(op.name, *[a if a.__class__ is int else bits(a) for a in args]) for op, args in zip(program.ops, program.args)]
    text = str((program.inputs, rows, program.outputs, program.guards, [x.name for x in found.captured], found.joined))
    return len(rows), hashlib.sha256(text.encode()).hexdigest()

def known(f, args):
    record, said = Trace(False), []
    with context.tracing(record):
        out = f(*map(record.input, args))
        for x in [*record.values, Value(2.0), Value(math.inf), 3.0, outside, outside * 2.0]:
            said.append((record.is_plain(x) if isinstance(x, Value) else None, record.is_tame(x)))
    return str(said)

outside = Value(0.7, "outside")
transforms = [
    lambda f: f, al.grad, lambda f: al.value_and_grad(f, (0, 1)), al.hessian, lambda f: al.hessian(f, (0, 1)),
    lambda f: al.grad(al.grad(f)),
    lambda f: al.jacobian(lambda x, y: [f(x, y), x * y, f(y, 2.0)], (0, 1), sparse=True),
    lambda f: lambda x, y: al.jacobian(lambda x: [f(x, y), x, f(x, x), y, 1.0])(x),
    lambda f: lambda x, y: al.hvp(f, (x, y), (1.0, 0.0)), lambda f: lambda x, y: al.vjp(f, x, y)[1](x)[0],
    lambda f: lambda x, y: al.hvp(f, (x, y), (y, 1.0)),
]
for op in TABLE.values():
    at = (0.3, 0.6) if op.name not in ("acosh", "digamma") else (1.3, 2.6)
    def f(x, y):
        given = [x, y, x * y, 0.25, x][: op.arity or 4]
        for i in op.settings:
            given[i] = 1.0
        return op.apply(*given) * y + x
    for i, transform in enumerate(transforms):
        attempt(f"{op.name} {i}", lambda: listed(transform(f), at))
    attempt(op.name, lambda: known(f, at))
    attempt(op.name, lambda: listed(al.grad(f), at, batch=True))

rows = [op for op in TABLE.values() if not op.settings]
frequent = [TABLE[name] for name in ("add", "sub", "mul", "div", "pow", "neg", "where", "maximum")]
def drawn(seed):
    def f(x, y):
        draw = random.Random(seed)
        nodes = [x, y, x * outside if draw.random() < 0.3 else x, Value(1.5), y]
        for _ in range(draw.randint(2, 12)):
            op = draw.choice(rows if draw.random() < 0.5 else frequent)
            given = [draw.choice(nodes if draw.random() < 0.8 else [1.0, -1.0, 2.0, 0.5]) for _ in range(op.arity or 3)]
            made = op.apply(*given)
            nodes.append(made)
            if draw.random() < 0.1:
                nodes.append(made if made > 0.0 else -made)
        return nodes[-1] + nodes[-2] * x
    return f

for seed in range(150):
    draw = random.Random(seed)
    at = draw.uniform(0.1, 0.9), draw.uniform(0.1, 0.9)
    for i in draw.sample(range(len(transforms)), 4):
        attempt(f"{seed} {i}", lambda: listed(transforms[i](drawn(seed)), at))

# the nodes of two threads, each to its own trace
at_work, both = threading.Barrier(2), {}
def work(name):
    f = drawn(3)
    def slow(x, y):
        at_work.wait()
        z = f(x, y)
        at_work.wait()
        return f(x, z)
    both[name] = listed(al.grad(slow), (0.3, 0.4))
threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
for t in threads: t.start()
for t in threads: t.join()
print(both[0] == both[1], both[0])
def unwatched(x, y):
    with context.unwatched():
        hidden = x * 3.0
    return hidden * y + x
attempt("unwatched", lambda: listed(unwatched, (0.5, 0.25)))
attempt("error", lambda: listed(lambda x, y: al.grad(Op("fails", lambda v: v, lambda v, out: 1 // 0))(x), (0.5, 0.25)))
print(listed(lambda x, y: x * y, (1.0, 2.0)), bits(outside * 2.0))
x = Value(1.25)
y = x * x * 3.0
x.data = 7.0  # the gradient is that of what it was
y.backward(create_graph=True)
print(bits(x.grad), bits(x.grad * 1.0))
x.zero_grad()
"""


def test_traces_are_the_same_programs(place):
    agree(place, TRACES, 1900)


LISTS = """
class Weight(Value):
    pass

# lists of operands of all lengths live beside nodes, and go in any order; nodes in their stead are seen by the collector
draw = random.Random(5)
leaves = [Value(draw.uniform(-1, 1)) for _ in range(40)]
held = []
for number in range(6000):
    size = draw.choice([0, 1, 3, 6, 7, 8, 14, 31, 63, 64, 126, 127, 128, 129, 300]) if number % 3 else draw.randint(0, 40)
    items = [draw.choice(leaves if draw.random() < 0.9 else [0.5, -2.0]) for _ in range(size)]
    made = draw.choice([al.sum, al.mean, lambda items: al.dot(items, items[::-1]), lambda items: leaves[0] * 2.0])(items)
    if draw.random() < 0.1:
        leaf = Value(1.0)
        made = leaf * made
        leaf.grad = made  # a ring
    if draw.random() < 0.05:
        made = Weight(2.0) * made
    held.append(made)
    while len(held) > 400:
        held.pop(draw.randrange(len(held)))
    if number % 500 == 0:
        al.sum([h for h in held[-60:] if isinstance(h, Value)]).backward()
        print(number, grads(leaves), gc.collect() >= 0)
held.clear()
gc.collect()
print(bits(al.sum(leaves).data), grads(leaves))
"""


def test_lists_of_operands_of_any_length_come_and_go(place):
    agree(place, LISTS, 13)


THREADS = """
sys.setswitchinterval(1e-6)
bend = Op("bend", lambda x: x * x, lambda x, out: 2.0 * x)
x = Value(1.0)

def work():
    for _ in range(300):
        (bend(x * 1.0) + bend(x)).backward()

threads = [threading.Thread(target=work) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
print(bits(x.grad))
"""


def test_threads_that_share_leaves_lose_nothing(place):
    agree(place, THREADS, 1)
    assert said(place, THREADS, False) == [(4 * 300 * 4.0).hex()]


ELSEWHERE = """
draw = random.Random(7)

def program():
    nodes = [Value(draw.uniform(-1, 1)) for _ in range(3)]
    for _ in range(12):
        a, b = draw.choice(nodes), draw.choice(nodes)
        both = [a, b, a]
        made = [lambda: a * b, lambda: a - b, lambda: al.tanh(a), lambda: al.sum(both), lambda: al.dot(both, [b, 1.5, a])]
        nodes.append(draw.choice(made)())
    return nodes

def at(nodes, n):
    return next(i for i, each in enumerate(nodes) if each is n)

kept = []
for number in range(300):
    nodes = program()
    kept.append(nodes[-1] * nodes[-2])  # what is an operand of these leads to no root below
    root = draw.choice(nodes[3:])
    root.backward()
    print(number, grads(nodes))
    if number % 3 == 0:
        kept.clear()
    found = sweeps.reverse({root: 1.0, nodes[-1]: 2.0, nodes[0]: 0.5}, stop=set(draw.sample(nodes, 2)), graph=False)
    print(*sorted((at(nodes, n), bits(d)) for n, d in found.inputs.items()), *sorted(at(nodes, n) for n in found.unreached))
    if number % 20 == 0:
        for _ in range(20):  # enough for the core to trust that all leads to the root
            (Value(2.0) * 3.0).backward()

def failing(x, out):
    raise ValueError(f"no slope at {x}")

fails = Op("fails", lambda x: x, failing)
for wanted in (False, True):  # the error is that of the order which counts edges
    for _ in range(20):
        (Value(2.0) * 3.0).backward()
    x = Value(0.5)
    p, q = x * 2.0, x * 3.0
    other = p * 4.0 if wanted else None
    attempt(wanted, lambda: (fails(p) * p + fails(q) * q).backward())
    print(grads([x, p, q]))
"""


def test_nodes_that_are_wanted_elsewhere_too_pass_on_all_that_comes(place):
    agree(place, ELSEWHERE, 600)


def test_an_operand_is_a_value_or_a_float(place):
    said(place, """
v = Value(1.0) * 2.0
for name, what in (("_a", 1), ("_b", "x"), ("_a", (v, None))):
    try:
        setattr(v, name, what)
    except TypeError as e:
        assert str(e) == "an operand is a Value or a float", e
    else:
        raise AssertionError(name)
assert v.data == 2.0 and v.args == (v.args[0], 2.0)
""", False)  # fmt: skip


MEMORY = """
from pathlib import Path
import resource

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20

def graph_of(n):
    s = x = Value(0.999)
    for _ in range(n):
        s = s * x
    return s

graph_of(1000).backward()
before = resident()
held = [graph_of(10) for _ in range(100)]
s = graph_of(320_000)
s.backward()
assert 38 < resident() - before < 46, resident() - before  # 41 MB of nodes
between = [graph_of(10) for _ in range(100)]
del s
assert resident() - before < 24, resident() - before  # some is kept for the next graph
for _ in range(3):
    s = graph_of(320_000)
    del s
assert resident() - before < 24, resident() - before
assert [h.data for h in held] == [b.data for b in between]

gc.collect()
alive = lambda: sum(isinstance(o, Value) for o in gc.get_objects())
most = 0
for _ in range(50):  # rings, and the collector hears of little else
    x = Value(1.5)
    y = x
    for _ in range(1000):
        y = y * x
    y.backward(create_graph=True)
    del x, y
    most = max(most, alive())
assert most < 60_000, most
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="what a process takes is read from /proc")
def test_memory_of_nodes_goes_back(place):
    said(place, MEMORY, False)


RINGS = """
gc.collect()
gc.disable()

def counted(make):
    gc.collect()
    before = sum(isinstance(o, Value) for o in gc.get_objects())
    make()
    gc.collect()
    return sum(isinstance(o, Value) for o in gc.get_objects()) - before

class Dead(Value):
    alive = 0
    def __init__(self, data):
        super().__init__(data)
        Dead.alive += 1
        self.more = []
    def __del__(self):
        Dead.alive -= 1

def by_gradient():
    x = Dead(2.0)
    y = x * 1.0
    for _ in range(3):
        y = y * y + x
    y.backward(create_graph=True)
    assert isinstance(x.grad, Value)

def by_an_op_of_the_users():
    x = Dead(2.0)
    held = []
    op = Op("holding", lambda x: x, lambda x, out: 1.0 + len(held))
    held.append(al.sum([op(x) + 1.0, x]))
    held[0].backward()

def by_an_attribute():
    x = Dead(2.0)
    x.more.append(al.dot([x, 2.0], [3.0, x]) + 1.0)

def by_a_gradient_put_there():
    x = Dead(2.0)
    y = x * 3.0 + 1.0
    x.grad = y

def by_a_node_between():
    x = Dead(1.0)
    t = x * 1.0
    t.backward(create_graph=True)
    b = Value(2.0) * 3.0
    n = b + t.grad
    b.args[0].grad = n

def by_lines_that_made_the_nodes():
    x = Dead(2.0)
    with al.detect_anomaly():
        y = x * 3.0
        for _ in range(20):
            y = y + al.sum([x, y, 1.0])
        y.backward(create_graph=True)
        z = y * x.grad
    x.grad = z
    y.args[0].grad = z + 1.0

def by_an_older_node_of_a_subclass():
    x, plain = Dead(2.0), Value(1.0)
    with al.detect_anomaly():
        y = x * plain
        z = y + 1.0
    w = z * plain + y
    plain.grad = w
    y.grad = w * 2.0

for make in (by_gradient, by_an_op_of_the_users, by_an_attribute, by_a_gradient_put_there, by_a_node_between,
             by_lines_that_made_the_nodes, by_an_older_node_of_a_subclass):
    print(make.__name__, counted(make), Dead.alive)

x = Value(3.0)
for _ in range(10):
    (x * x + al.sin(x)).backward()
print(gc.collect())
"""


LOCATED = """
with al.detect_anomaly():
    s = Value(1.0)
    for _ in range(100_000):
        s = s + 1.0
s.backward()
print(s.data)
"""


def test_a_long_chain_of_nodes_that_know_their_lines_is_walked_once(place):
    """Walked again for each node it would take minutes."""
    assert said(place, LOCATED, False) == ["100001.0"]


def test_rings_are_collected_and_training_makes_none(place):
    agree(place, RINGS, 8)
    assert all(line.endswith(" 0") or line == "0" for line in said(place, RINGS, False))


CHAIN = """
import threading
threading.stack_size(256 * 1024)
def work():
    x = Value(0.999)
    s = Value(1.0)
    for _ in range(1_000_000):
        s = s * x + 0.001
    s.backward()
    print(bits(x.grad), bits(s.data))
    del s
t = threading.Thread(target=work); t.start(); t.join()
"""


def test_a_long_chain_is_swept_and_freed_in_a_small_stack(place):
    agree(place, CHAIN, 1)


CHANGED = """
mul = TABLE["mul"]
x = Value(3.0)
(x * 2.0).backward()
print(bits(x.grad))
mul.first = lambda x, y, out: 100.0  # whoever changes a row is asked
(x * 2.0).backward()
print(bits(x.grad))
relu = TABLE["relu"]
relu.products = [lambda g, x, out: 100.0 * g]
x.relu().backward()
print(bits(x.grad))
"""

LAYERS = """
from autograd_lite import nn

class Doubled(nn.Neuron):
    def __call__(self, x):
        return super().__call__(x) * 2.0

def tried(label, layer, x):
    def run():
        out = layer(x)
        nodes = [n for n in (out if isinstance(out, list) else [out]) if isinstance(n, Value)]
        if nodes:
            al.sum(nodes).backward()
        told = " ".join(f"{bits(n)}{n.op and n.op.name}{[a.op and a.op.name for a in n.args]}" for n in nodes)
        return f"{out if not nodes else told} {grads(layer.parameters())} {grads([i for i in x if isinstance(i, Value)])}"
    attempt(label, run)

POINTS = [0.5, -0.0, 0.0, 3.0, math.inf, -math.inf, math.nan, -1e300]
own = Op("own", lambda x: 7 if x > 0 else x, lambda x, out: 2.0)
for activation in ("relu", "tanh", "sigmoid", "leaky_relu", "softplus", None, own, abs, lambda z: z * z, lambda z: 1 // 0):
    draw = random.Random(3)
    layer = nn.Layer(3, 4, activation, seed=1)
    for i in range(30):
        tried(f"{activation if isinstance(activation, str) else ''} {i}", layer, [draw.choice(POINTS) for _ in range(3)])
    tried("tuple of Values", layer, (Value(1.0), Value(-2.0) * 1.0, 0.25))
    for x in ([1, 2, 3], [True, 1.0, 2.0], [1.0, 2.0], [], "abc", [1.0, 2.0, "a"], [1.0, 2.0, 10**400], [1j, 0.0, 0.0]):
        attempt(repr(x)[:20], lambda: [bits(n) for n in layer(x)])
    layer.neurons[1] = Doubled(3, "relu", seed=2)
    tried("a subclass", layer, [1.0, 2.0, -3.0])
    layer.neurons[1].w[0] = 0.5
    layer.neurons[2].b = 1.0
    layer.neurons[3].w = tuple(layer.neurons[3].w)
    tried("other weights", layer, [1.0, Value(2.0), -3.0])
    layer.neurons[0].w.append(Value(1.0))
    tried("one too many", layer, [1.0, 2.0, -3.0])
    del layer.neurons[0].b
    tried("no bias", layer, [1.0, 2.0, -3.0, 4.0])
layer = nn.Layer(2, 2, seed=1)
with al.errstate(invalid="raise", overflow="raise"):
    tried("watched", layer, [math.inf, -math.inf])
with al.detect_anomaly():
    print([type(n).__name__ for n in layer([1.0, 2.0])])
print([[bits(d) for d in row] for row in al.jacobian(lambda x: layer(x))([1.0, 2.0])])
print(al.jit(lambda x: layer(x))([0.5, 2.0]) == [n.data for n in layer([0.5, 2.0])])
layer([1.0, 2.0])[1].backward(create_graph=True)
print(grads(layer.parameters()))
model = nn.MLP(2, [4, 4, 1], "tanh", seed=5)
(model([1.0, Value(2.0)]) ** 2).backward()
print(grads(model.parameters()))
nn.Neuron.__call__ = lambda self, x: Value(42.0)
print(bits(layer([1.0, 2.0])[0]))
"""


ENTRIES = """
import weakref
from autograd_lite import jit, value_and_grad, grad

def shown(x):
    if isinstance(x, (list, tuple)):
        return f"{type(x).__name__}[{' '.join(map(shown, x))}]"
    return bits(x)

captured = Value(1.5, "c")

def rosenbrock(v):
    return sum((1 - v[i]) ** 2 + 100 * (v[i + 1] - v[i] ** 2) ** 2 for i in range(len(v) - 1))

FUNCTIONS = [
    value_and_grad(rosenbrock), grad(lambda v: v[0] * v[1] / (v[0] - v[1])), lambda v: [v, (v[0] + v[1], [v[1]]), ()],
    lambda v: al.where(al.lt(v[0], v[1]), v[0], al.where(al.ge(v[0], 1.0), -v[1], 2.0)),
    lambda v: (al.maximum(v[0], v[1]), al.minimum(v[0], 0.25), abs(v[0]), al.relu(v[1]), al.eq(v[0], v[1]), al.ne(v[0], v[1])),
    lambda v: [al.mean([*v, 3.0]), al.dot(v, v), al.sum(v), al.sum([]), al.gt(v[0], 0.0), al.le(v[0], 0.0)],
    lambda v: captured * v[0] + captured / v[1], lambda v: v[0] // 2.0 + al.sin(v[1]), lambda v: [1, 2.5, v[0]],
    lambda v: {"a": v[0] * 2},
    lambda v: v[0] if v[0] > v[1] else v[1], lambda v: v[0] + 0.1 * v[1] - 1e300 * v[0] * v[1],
    lambda v: -v[0] / v[1] + v[0] / -0.0,
    value_and_grad(lambda v: al.mean([al.relu(v[0] * k + v[1] * v[1]) for k in range(20)])), lambda v: 7.0 * v[0] - v[0] * 1.0,
]
NUMBERS = [0.5, -0.0, 0.0, 3.0, math.inf, -math.inf, math.nan, -1e300, 1e-310, 1.0]
draw = random.Random(8)
for k, f in enumerate(FUNCTIONS):
    fast = jit(f)
    for i in range(40):
        v = [draw.choice(NUMBERS), draw.choice(NUMBERS)]
        captured.data = draw.gauss(0, 1)
        attempt(f"{k} {v}", lambda: shown(fast(v)))
    for other in ((1.0, 2.0), [1, 2.0], [True, 2.0], [1.0], [1.0, 2.0, 3.0], [1.0, "a"], 5.0, None, [[1.0], 2.0],
                  [Value(1.0), 2.0], [0.25, 2.0]):
        attempt(f"{k} {other!r}", lambda: shown(fast(other)))
    attempt("none", lambda: fast())
    attempt("two", lambda: fast([1.0, 2.0], 3.0))
    attempt("by name", lambda: shown(fast(v=[1.0, 2.0])))
    with al.errstate(invalid="raise", divide="raise", overflow="raise"):
        attempt("watched", lambda: shown(fast([0.0, 0.0])))
        attempt("watched", lambda: shown(fast([1e300, 1e300])))
    attempt("traced", lambda: [bits(d) for d in jit(grad(lambda w: al.sum(fast([w[0], w[1] * 2.0])[:1])))([0.5, 2.0])])
several = jit(lambda x, v, t, y: (t[0] * x - v[1], [y / v[0], x]))
for i in range(30):
    a, b, c, d, e = (draw.choice(NUMBERS) for _ in range(5))
    print(shown(several(a, [b, c], (d,), e)))
    if i % 7 == 0:
        attempt("others", lambda: shown(several(a, (b, c), [d], e)))
        attempt("others", lambda: shown(several(1, [b, c], (d,), e)))
nothing = jit(lambda: 2.0)
print(nothing(), nothing(), jit(lambda: [])(), jit(lambda x: x)(3.0), jit(lambda x: [])([1.0]))
made = jit(lambda x: x * x)
made(2.0)
held = weakref.ref(made)
print(made.__name__, repr(made), callable(made), made.__doc__)
gc.collect()
del made
print(gc.collect(), held())
class Model(al.nn.Module):
    @jit
    def twice(self, x):
        return x * 2.0
attempt("method", lambda: Model().twice(2.0))
"""


def test_the_entry_of_jitted_calls_gives_what_python_gives(place):
    agree(place, ENTRIES, 800)


def test_a_layer_gives_the_nodes_of_its_neurons(place):
    agree(place, LAYERS, 400)


def test_a_row_that_is_changed_is_asked(place):
    agree(place, CHANGED, 3)


def test_a_node_that_became_a_subclass_leaves_nothing_with_the_collector(place):
    said(place, """
class Other(Value):
    __slots__ = ()

for turn in range(4):
    nodes = [Value(1.0) * 2.0 for _ in range(500)]
    for node in nodes:
        node.__class__ = Other
    del node, nodes
    gc.collect()
    after = [Value(float(i)) + 1.0 for i in range(500)]
    gc.collect()
    assert [n.data for n in after] == [i + 1.0 for i in range(500)]
    assert type(after[0]) is Value and not any(type(o) is Other for o in gc.get_objects())
""", False)  # fmt: skip
