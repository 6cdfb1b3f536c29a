"""The same ten lines, as plain Python and compiled: a line between two clouds of points, by gradient descent.

The loss is written for one row.  Eagerly it is differentiated row after row; `jit` compiles it once for all of them.
Needs NumPy and llvmlite: pip install 'autograd-lite[jit]'.
"""

import sys
from time import perf_counter

import numpy as np

from autograd_lite import jit, log_sigmoid, mean, value_and_grad

ROWS, STEPS = 2000, 10
random = np.random.default_rng(0)
y = np.where(np.arange(ROWS) % 2, 1.0, -1.0)
X = random.normal(size=(ROWS, 2)) + 1.5 * y[:, None]


def loss(w, x, y):
    """Minus the log likelihood of one row, labelled 1 or -1."""
    return -log_sigmoid(y * (w[0] * x[0] + w[1] * x[1] + w[2]))


def descend(step):
    w = np.zeros(3)
    for _ in range(STEPS):
        value, slopes = step(w, X, y)
        w = w - 0.5 * slopes
    return w, value


def check(claim, got, wanted, within=0.0):
    """Stop with a message unless `got` is `wanted`, numbers give or take `within`."""
    if not (got == wanted or (within and abs(got - wanted) <= within)):
        raise SystemExit(f"{claim}: expected {wanted}, got {got}")


def main():
    eager = value_and_grad(lambda w, rows, y: mean([loss(w, x, t) for x, t in zip(rows, y, strict=True)]))
    compiled = jit(value_and_grad(loss), batch=(1, 2), reduce="mean")

    seconds, results = [], []
    compiled(np.zeros(3), X, y)  # compiles
    for step in eager, compiled:
        begin = perf_counter()
        results.append(descend(step))
        seconds.append((perf_counter() - begin) / STEPS)
    (w, value), (w_compiled, value_compiled) = results
    print(f"{ROWS} rows, {STEPS} steps: weights {w[0]:.4f} {w[1]:.4f} {w[2]:.4f}, loss {value:.6f}")
    if "--time" in sys.argv:
        ratio = seconds[0] / seconds[1]
        print(f"a step: eager {seconds[0] * 1e3:.1f} ms, compiled {seconds[1] * 1e6:.1f} us, {ratio:,.0f} times as fast")
    check("the loss after the last step", value, 0.106299, within=5e-7)
    check("the loss of compiled steps", value_compiled, value, within=1e-14)
    for k in range(3):
        check(f"weight {k} of compiled steps", w_compiled[k], w[k], within=1e-13)
    print("Checked: the loss, and that both ways end at the same weights.")


if __name__ == "__main__":
    main()
