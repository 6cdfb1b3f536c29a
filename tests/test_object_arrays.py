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


# np.asarray(v) of a Value, as NumPy's functions make them; what each gives at v = 2.5, and its derivative, by hand
NO_AXES: dict[str, tuple[Callable[[Any], Any], float, float]] = {
    "a*v": (lambda v: np.asarray(v) * v, 6.25, 5.0),
    "v*a": (lambda v: v * np.asarray(v), 6.25, 5.0),
    "v-a": (lambda v: 3.0 * v - np.asarray(v), 5.0, 2.0),
    "a/v": (lambda v: np.asarray(v) / v, 1.0, 0.0),
    "v**a of a number": (lambda v: v ** np.array(2), 6.25, 5.0),
    "a row": (lambda v: al.square(np.asarray(v)), 6.25, 5.0),
    "a row of two": (lambda v: al.hypot(np.asarray(v), 6.0), 6.5, 2.5 / 6.5),
    "a row of items": (lambda v: al.prod([np.asarray(v), v, 2.0]), 12.5, 10.0),
    "maximum": (lambda v: np.maximum(np.asarray(v), v) + al.maximum(np.asarray(v), 1.0), 5.0, 2.0),
    "where": (lambda v: al.where(np.asarray(v) > 1.0, np.asarray(v), v), 2.5, 1.0),
    "comparison": (lambda v: v * v if v <= np.asarray(v) and np.asarray(v) == v else v, 6.25, 5.0),
    "polyval": (lambda v: np.polyval([1.0, 2.0, 3.0], v), 14.25, 7.0),
    "real": (lambda v: np.real(v) * v, 6.25, 5.0),
    "array of them": (lambda v: (v * np.array([np.asarray(v), 1.0], object))[0], 6.25, 5.0),
    "isclose": (lambda v: v if np.isclose(v, 2.5) and not np.allclose(v, 2.4) else v * v, 2.5, 1.0),
}


@pytest.mark.parametrize("name", NO_AXES)
def test_an_array_of_no_axes_is_the_value_in_it(name: str) -> None:
    if name == "isclose" and np.__version__.startswith("1."):
        pytest.skip("NumPy 1 has no isclose of objects")
    f, value, slope = NO_AXES[name]
    near = pytest.approx(slope, rel=1e-15)
    assert f(al.Value(2.5)).data == value
    assert (al.grad(f)(2.5), al.jvp(f, (2.5,), (1.0,))[1], al.jit(al.grad(f))(2.5)) == (near, near, near)


def test_a_condition_has_no_items() -> None:
    with pytest.raises(al.errors.InputTypeError, match=r"True\[0\]: a condition has no items"):
        (al.Value(1.0) > 0.0)[0]  # type: ignore[index]
