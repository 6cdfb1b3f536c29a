"""How long a picture takes, by the number of nodes: ``python tests/benchmarks/draw.py [largest]``.

Three kinds of graph, nothing cut off: a chain that reuses one leaf, a random graph, a 2-16-16-1 network over many rows (the
count of nodes is that of Values; weights fold into rows of cards).  Times are the best of three for `draw` and, apart, for the
SVG text: of this process's own work for the built-in layout, so that a busy machine counts for nothing, and by the clock with
`dot`, up to 1,000 nodes, with 20 s to answer.  The goals are for the built-in layout, SVG included.
"""

import random
import shutil
import sys
import time
import warnings

from autograd_lite import Value, draw, nn, sin
from autograd_lite.formula.notation import names_of

GOALS = {30: 0.05, 100: 0.1, 1000: 0.5, 5000: 2.0, 20000: 8.0}  # nodes: seconds
DOT_MOST, PATIENCE = 1000, 20


def chain(n):
    """An unrolled loop that uses one leaf in every turn."""
    x = Value(0.5, "x")
    v = x
    while n > 1:
        v, n = (sin(v) * x, n - 2) if n > 2 else (sin(v), n - 1)
    return v


def tangle(n):
    """Sums, products and sines of values made shortly before."""
    draws = random.Random(n)
    values = [Value(draws.random(), f"x{i}") for i in range(max(3, n // 20))]
    near = max(6, min(40, n // 4))
    while len(values) < n - near:
        a, b = draws.choice(values[-near:]), draws.choice(values[-near:])
        values.append(draws.choice([a * b, a + b, sin(a)]))
    root = values[-1]
    for v in values[-near:-1]:
        root = root + v
    return root


def network(n):
    """The mean squared error of a 2-16-16-1 network over as many rows as it takes; at least one."""
    draws = random.Random(n)
    size = 16 if n >= 400 else 4 if n >= 100 else 2
    model = nn.MLP(2, [size, size, 1], seed=0)
    errors, count = [], 0
    while not errors or count < n:
        errors.append(model([Value(draws.random(), f"x{len(errors)}"), draws.random()]) - draws.random())
        if len(errors) == 1:
            first = len(names_of(errors))
            per_row = first - len(model.parameters())
            count = first
        else:
            count += per_row
    return nn.mse(errors, [0.0] * len(errors))


def timed(root, engine):
    """Seconds for the drawing and for its SVG, the best of three (of one where it takes long), and the drawing."""
    best = (float("inf"), float("inf"))
    clock = time.process_time if engine == "builtin" else time.perf_counter
    for _ in range(3):
        start = clock()
        drawing = draw(root, max_nodes=None, engine=engine, timeout=PATIENCE)
        middle = clock()
        drawing.svg()
        best = min(best, (middle - start, clock() - middle), key=sum)
        if sum(best) > 2:
            break
    return best[0], best[1], drawing


def main(largest="20000"):
    warnings.simplefilter("ignore", RuntimeWarning)
    print(" nodes  graph     cards   edges  engine      draw      svg     goal")
    missed = []
    for n, goal in GOALS.items():
        if n > int(largest):
            break
        for kind in (chain, tangle, network):
            root = kind(n)
            for engine in ("builtin", "dot"):
                if engine == "dot" and (n > DOT_MOST or shutil.which("dot") is None):
                    continue
                place, write, drawing = timed(root, engine)
                if drawing.engine != engine:
                    print(f"{n:6d}  {kind.__name__:8}{'':16}  dot      gave up after {PATIENCE} s")
                    continue
                late = engine == "builtin" and place + write > goal
                missed += [(n, kind.__name__)] if late else []
                size = f"{len(drawing.nodes):6d}  {len(drawing.edges):6d}"
                end = f"{goal:7.2f}{'  missed' if late else ''}" if engine == "builtin" else ""
                print(f"{n:6d}  {kind.__name__:8}{size}  {engine:7}  {place:7.3f}  {write:7.3f}  {end}".rstrip(), flush=True)
    print("Every goal was met." if not missed else f"Missed: {missed}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
