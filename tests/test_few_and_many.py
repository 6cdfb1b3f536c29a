"""`minimize` gives the same weights for few rows, each called alone, for many, compiled together, and those of eager code."""

import math
from functools import partial

import numpy as np
import pytest

import autograd_lite as al
from autograd_lite import Value, optim
from autograd_lite.fit import minimize

# losses that ask Python about the numbers of a row; below 50 rows each is called alone, above all are compiled together
PECULIAR = {
    "not": lambda p, x, y: (al.where(~(x > 0), p["b"], p["b"] + p["a"] * x) - y) ** 2,
    "and": lambda p, x, y: (al.where((x > 0) & (x < 9), p["b"] + p["a"] * x, p["b"]) - y) ** 2,
    "xor": lambda p, x, y: (al.where((x > 0) ^ (y > 2), p["b"] + p["a"] * x, p["b"]) - y) ** 2,
    "times": lambda p, x, y: (p["b"] + p["a"] * x * (x > 0) - y) ** 2,
    "if": lambda p, x, y: (p["b"] + (p["a"] * x if x > 0 else 0) - y) ** 2,
    "index": lambda p, x, y: (p["b"] + [0.0, p["a"] * x][x > 0] - y) ** 2,
    "key": lambda p, x, y: (p["b"] + {True: p["a"] * x, False: 0.0}[x > 0] - y) ** 2,
    "text": lambda p, x, y: (p["b"] + p["a"] * (str(x > 0) == "True") * x - y) ** 2,
    "digits": lambda p, x, y: (p["b"] + p["a"] * float(f"{x:.1f}") - y) ** 2,
    "int": lambda p, x, y: (p["b"] + p["a"] * int(x) - y) ** 2,
    "math": lambda p, x, y: (p["b"] + p["a"] * math.exp(x) * 0.1 - y) ** 2,
    "round": lambda p, x, y: (p["b"] + p["a"] * round(x, 1) - y) ** 2,
    "divmod": lambda p, x, y: (p["b"] + p["a"] * divmod(x, 0.7)[1] - y) ** 2,
    "sorted": lambda p, x, y: (p["b"] + p["a"] * sorted([x, 0])[1] - y) ** 2,
    "in": lambda p, x, y: (p["b"] + p["a"] * (x in [x, 1.0]) * x - y) ** 2,
    "sign": lambda p, x, y: (p["b"] + p["a"] * np.sign(x) - y) ** 2,
    "maximum": lambda p, x, y: (p["b"] + p["a"] * np.maximum(x, 0.0) - y) ** 2,
}

LOGICAL = {"not", "and", "xor"}  # what & | ^ ~ of plain numbers' comparisons are, Python has settled


@pytest.mark.parametrize("loss", PECULIAR.values(), ids=PECULIAR)
@pytest.mark.filterwarnings("ignore::autograd_lite.errors.JitWarning")
def test_few_rows_and_many_give_the_same_weights(loss):
    x = np.linspace(-2.0, 2.0, 17)
    y = 3.0 * np.maximum(x, 0.0) + 1.0
    found = []
    for times in (1, 4):  # 17 rows, and 68
        data = (np.tile(x, times), np.tile(y, times))
        found.append(minimize(loss, {"a": 0.3, "b": 0.1}, data, optimizer=partial(optim.SGD, lr=0.05), steps=20).params)

    number = Value if loss in [PECULIAR[name] for name in LOGICAL] else float

    def mean(p):
        return al.mean([loss(p, number(u), number(v)) for u, v in zip(x, y, strict=True)])

    p = {"a": 0.3, "b": 0.1}
    for _ in range(20):
        slopes = al.grad(mean)(p)
        p = {k: p[k] - 0.05 * slopes[k] for k in p}
    assert found[0] == pytest.approx(p, rel=1e-12)
    assert found[1] == pytest.approx(p, rel=1e-12)
