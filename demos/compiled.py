"""The same ten lines, as plain Python and compiled: a line between two clouds of points, by gradient descent.

The loss is written for one row.  Eagerly it is differentiated row after row; `jit` compiles it once for all of them.
Needs NumPy and llvmlite: pip install 'autograd-lite[jit]'.
"""

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


def main():
    eager = value_and_grad(lambda w, X, y: mean([loss(w, x, t) for x, t in zip(X, y, strict=True)]))
    compiled = jit(value_and_grad(loss), batch=(1, 2), reduce="mean")

    seconds, results = [], []
    compiled(np.zeros(3), X, y)  # compiles
    for step in eager, compiled:
        begin = perf_counter()
        results.append(descend(step))
        seconds.append(perf_counter() - begin)
    (w, value), (w_compiled, value_compiled) = results
    print(f"{ROWS} rows, {STEPS} steps of gradient descent: weights {w[0]:.4f} {w[1]:.4f} {w[2]:.4f}, loss {value:.6f}")
    print(f"eager {seconds[0] / STEPS * 1e3:.1f} ms a step, compiled {seconds[1] / STEPS * 1e3:.4f} ms: "
          f"{seconds[0] / seconds[1]:,.0f} times as fast")  # fmt: skip
    if not (np.allclose(w, w_compiled, rtol=1e-12, atol=1e-14) and abs(value - value_compiled) <= 1e-14):
        raise SystemExit(f"the two differ: {results}")
    print("Checked: both end at the same weights and loss.")


if __name__ == "__main__":
    main()
