"""What NumPy does not know of arrays of Values is its own error, with a note that says what to write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd_lite as al
from autograd_lite.frames import OBJECT_ARRAYS

UNKNOWN: dict[str, Callable[[Any], Any]] = {
    "exp of Values and numbers": lambda a: np.exp(np.where(np.array([True, False]), a, 0.5)).sum(),
    "isnan of Values and numbers": lambda a: np.isnan(np.where(np.array([True, False]), a, 0.5)).sum() + a[0],
    "logaddexp of arrays": lambda a: np.logaddexp(a, 1.0).sum(),
    "arctan2 of arrays": lambda a: np.arctan2(np.maximum(a, 1.5), a).sum(),
    "cov": np.cov,
    "corrcoef": lambda a: np.corrcoef(a, a)[0, 1],
    "solve": lambda a: np.linalg.solve(np.outer(a, a), a).sum(),
    "isfinite": lambda a: np.sum(a * np.isfinite(a)),
}


@pytest.mark.parametrize("name", UNKNOWN)
@pytest.mark.parametrize(
    "transform", [al.grad, al.jacobian, lambda f: al.jit(al.grad(f)), al.jit], ids=["grad", "jacobian", "jit", "f"]
)
def test_an_error_of_numpys_has_a_note(name: str, transform: Callable[[Any], Any]) -> None:
    with pytest.raises((TypeError, AttributeError)) as caught:
        transform(UNKNOWN[name])(np.array([1.0, 2.0]))
    assert getattr(caught.value, "__notes__", []) == [OBJECT_ARRAYS]


def test_what_the_note_says_works() -> None:
    def cov(a: Any) -> Any:
        d = a - a.mean()
        return (d @ d.T) / (len(a) - 1)

    x = np.array([1.0, 2.0, 4.0])
    assert al.grad(cov)(x) == pytest.approx(x - x.mean())
    assert cov(x) == pytest.approx(np.cov(x))
    mixed = lambda a: np.exp(np.where(np.array([True, False, True]), a, 0.5) + 0.0 * a).sum()  # noqa: E731
    assert al.grad(mixed)(x) == pytest.approx([np.exp(1.0), 0.0, np.exp(4.0)])
    assert al.grad(lambda a: al.ops.sum([al.exp(v) for v in a]))(x) == pytest.approx(np.exp(x))


def test_errors_of_the_users_own_have_none() -> None:
    with pytest.raises(TypeError) as caught:
        al.grad(lambda a: len(a[0]))(np.array([1.0]))
    assert not getattr(caught.value, "__notes__", [])


WORKS: dict[str, Callable[[Any], Any]] = {
    "var": np.var, "std": np.std, "mean": np.mean, "median": np.median, "norm": np.linalg.norm, "prod": np.prod,
    "average": np.average, "trapezoid": lambda a: np.sum((a[1:] + a[:-1]) / 2.0), "dot": lambda a: np.dot(a, a),
    "vdot": lambda a: np.vdot(a, a), "einsum": lambda a: np.einsum("i,i->", a, a), "max": np.max,
    "clip": lambda a: np.clip(a, 1.5, 3.0).sum(), "cumsum": lambda a: np.cumsum(a)[-1], "diff": lambda a: np.diff(a).sum(),
    "abs": lambda a: np.abs(a).sum(), "sort": lambda a: np.sort(a)[1],
    "tanh": lambda a: np.tanh(a).sum(), "power": lambda a: np.power(a, 3).sum(), "outer": lambda a: np.outer(a, a).sum(),
}  # fmt: skip


@pytest.mark.parametrize("name", WORKS)
def test_what_numpy_knows_of_arrays_of_values(name: str) -> None:
    """Slopes by differences, whose step leaves eight digits."""
    f, x, h = WORKS[name], np.array([1.0, 2.0, 4.0]), 1e-6
    due = [(f(x + h * e) - f(x - h * e)) / (2.0 * h) for e in np.eye(3)]
    for g in (al.grad(f), al.jit(al.grad(f))):
        assert g(x) == pytest.approx(due, rel=1e-8, abs=1e-8)
