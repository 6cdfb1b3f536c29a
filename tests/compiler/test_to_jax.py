"""The JAX backend: every row under jax.jit, broadcasting, maps, derivatives, and what it refuses."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("jax", reason="jax is not installed, which no extra but 'bench' brings")

import jax
import numpy as np

from autograd_lite import Op, errors, ops
from autograd_lite.compiler.lowering import COMPARISONS, CONTROL, FUNCTIONS, PAIRS
from autograd_lite.compiler.to_jax import JaxWords, function
from autograd_lite.ops import expm1, gt, where
from autograd_lite.program import Guard, Program
from tests.compiler import cases

made = cases.made

ULP = 8.0
CASES = cases.cases()
IDS = [f"{op.name}-{arity}" for op, arity in CASES]
TINY = 1e-300  # XLA on a CPU takes denormal numbers for 0, those on the way to a result too


@pytest.fixture(autouse=True)
def _doubles() -> Iterator[None]:
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def test_the_kernel_has_every_word() -> None:
    k = JaxWords()
    for word in (*FUNCTIONS, *PAIRS, *COMPARISONS, *CONTROL):
        assert callable(getattr(k, word)), word
    assert k.exact is False
    with pytest.raises(AttributeError):
        k.sinpi  # noqa: B018


def limit(op: Op, at: Any) -> float:
    """XLA's erfc takes exp(-x**2) of a rounded square: x**2 units are lost in its tail."""
    return ULP * (1.0 + at[0] * at[0]) if op.name in ("erfc", "gelu", "gelu_derivative") else ULP


def comparable(op: Op, at: Any) -> bool:
    """Whether XLA says anything of a point: it has no denormal numbers, and a/b/c is a/(b c) to it, so that these must not
    become one either.  exp(-c x**2) is for c > 0.
    """
    divisors = [at[0] ** at[2]] if op.name == "pow_derivative" and abs(at[0]) < 1.0 else []
    numbers = (*at, op.forward(*at), *divisors)
    return all(x == 0.0 or not abs(x) < TINY for x in numbers) and not (op.name == "gaussian" and at[1] < 0.0)


def differences(op: Op, arity: int) -> list[Any]:
    found = []
    for varies, points in columns(op, arity):
        points = [at for at in points if comparable(op, at)]
        places = [i for i in range(arity) if varies[i]]
        args = tuple(places.index(i) if i in places else x for i, x in enumerate(points[0]))
        run = jax.jit(function(made(len(places), (op, args), outputs=(len(places),))))
        got = np.broadcast_to(run(*[np.array([at[i] for at in points]) for i in places])[0], len(points))
        for at, y in zip(points, got.tolist(), strict=True):
            if not cases.within(op, at, y, op.forward(*at), limit(op, at)):
                found.append((at, varies, y, op.forward(*at)))
    return found


def columns(op: Op, arity: int) -> Iterator[Any]:
    """The columns in which all that can vary does, and those with constants that a lowering takes in Python: XLA compiles
    each."""
    first = cases.kinds(op, arity)[0]
    for varies, points in cases.columns(op, arity):
        if varies == first or op.name == "pow":
            yield varies, points


@pytest.mark.parametrize(("op", "arity"), CASES, ids=IDS)
def test_every_row(op: Op, arity: int) -> None:
    assert differences(op, arity)[:5] == []


@pytest.mark.parametrize(
    ("name", "fault"),
    [("relu", lambda x: where(gt(x, 0.0), x, 0.0)), ("exp", lambda x: (expm1(x) + 1.0) * (1.0 + 4e-15))],
)
def test_a_wrong_lowering_is_noticed(name: str, fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cases.plant(monkeypatch, name, fault)
    assert differences(ops.TABLE[name], 1)


SAMPLE = made(2, (ops.mul, (0, 1)), (ops.tanh, (2,)), (ops.add, (3, 0.5)), outputs=(4, 0, 2.5))


def expected(x: float, y: float) -> float:
    return math.tanh(x * y) + 0.5


def test_scalars_and_arrays_broadcast() -> None:
    run = function(SAMPLE)
    x = np.linspace(-1.0, 1.0, 6).reshape(2, 3)
    for go in (run, jax.jit(run)):
        first, second, third = go(x, 2.0)
        assert first.shape == (2, 3)
        assert np.asarray(first).ravel().tolist() == pytest.approx([expected(v, 2.0) for v in x.ravel()], rel=1e-15)
        assert (second.shape, float(third)) == ((2, 3), 2.5)
    assert float(run(0.25, 2.0)[0]) == pytest.approx(expected(0.25, 2.0), rel=1e-15)


def test_mapped() -> None:
    x = np.linspace(-1.0, 1.0, 5)
    got = jax.vmap(function(SAMPLE), in_axes=(0, None))(x, 3.0)[0]
    assert np.asarray(got).tolist() == pytest.approx([expected(v, 3.0) for v in x], rel=1e-15)


@pytest.mark.parametrize("name", ["exp2", "log1p", "atanh", "sinh", "cosh", "tanh", "erf", "sqrt", "sigmoid", "softplus"])
@pytest.mark.parametrize("x", [0.3, 0.75])
def test_differentiated_by_jax_twice(name: str, x: float) -> None:
    from autograd_lite import grad

    op = ops.TABLE[name]
    f = lambda x: function(made(1, (op, (0,)), outputs=(1,)))(x)[0]  # noqa: E731
    assert float(jax.grad(f)(x)) == pytest.approx(grad(op)(x), rel=1e-13)
    assert float(jax.jit(jax.grad(jax.grad(f)))(x)) == pytest.approx(grad(grad(op))(x), rel=1e-13)


@pytest.mark.parametrize(
    ("name", "args", "x"),
    [("digamma", (0,), 1.5), ("gamma", (0,), 2.5), ("lgamma", (0,), -1.5), ("polygamma", (1.0, 0), 0.7),
     ("sinc_derivative", (1.0, 0), 0.3)],
)  # fmt: skip
def test_a_row_called_back_is_mapped_and_differentiated_once(name: str, args: Any, x: float) -> None:
    op = ops.TABLE[name]
    f = lambda x: function(made(1, (op, args), outputs=(1,)))(x)[0]  # noqa: E731
    at = [x if a == 0 and a.__class__ is int else a for a in args]
    value = op.forward(*at)
    assert float(jax.jit(f)(x)) == value
    assert np.asarray(jax.jit(jax.vmap(f))(np.full((2, 3), x))).tolist() == [[value] * 3] * 2
    assert float(jax.jit(jax.grad(f))(x)) == op.partial(len(at) - 1, at, value)


def test_a_row_called_back_on_constants_alone() -> None:
    assert float(function(made(0, (ops.digamma, (1.5,)), outputs=(0,)))()[0]) == ops.digamma(1.5)


# -- what it refuses --------------------------------------------------------------------------------------------------


def test_another_number_of_inputs() -> None:
    with pytest.raises(errors.InputValueError, match=r"^1 inputs given, the program has 2: give one for each$"):
        function(SAMPLE)(1.0)


def test_float32() -> None:
    jax.config.update("jax_enable_x64", False)
    with pytest.raises(errors.InputValueError) as caught:
        function(SAMPLE)(1.0, 2.0)
    assert str(caught.value) == (
        "jax_enable_x64=False makes JAX compute in float32: call jax.config.update('jax_enable_x64', True) first"
    )


def test_a_program_that_goes_one_way_of_several_is_refused() -> None:
    program = made(1, (ops.gt, (0, 0.0)), outputs=(0,))
    guarded = Program(1, program.instructions, program.outputs, (Guard(1, True, "net.py:7"),))
    with pytest.raises(errors.BranchError, match=r"numbers that go one way at net.py:7: write where\("):
        function(guarded)


def test_a_users_op_is_called_back_and_differentiated_by_its_rule() -> None:
    run = function(made(1, (Op("own", lambda x: x**3, lambda x, out: 3.0 * x * x), (0,)), outputs=(1,)))
    assert float(jax.jit(run)(2.0)[0]) == 8.0
    assert float(jax.grad(lambda x: run(x)[0])(2.0)) == 12.0


def test_without_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(errors.MissingPackageError) as caught:
        function(SAMPLE)
    assert str(caught.value) == "this backend needs JAX, which is not installed: pip install jax"
