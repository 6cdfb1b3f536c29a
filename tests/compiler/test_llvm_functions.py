"""The functions over rows that are written out: against mpmath, at special values in every lane, alike for all widths."""

from __future__ import annotations

import functools
import math
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("llvmlite", reason="machine code needs llvmlite: install the extra 'jit'")
pytest.importorskip("numpy", reason="columns are NumPy arrays: install the extra 'jit'")

import mpmath
import numpy as np

from autograd_lite import grad, jit, ops, value_and_grad
from autograd_lite.compiler.llvm.emit import Emitter
from autograd_lite.compiler.llvm.functions import ALIKE, QUICKER, ROWS
from autograd_lite.compiler.llvm.kernel import batch
from autograd_lite.compiler.llvm.native import Machine, host
from autograd_lite.compiler.llvm.prepare import alike_together
from tests.compiler import cases
from tests.ops import reference

NOTHING = cases.made(0, outputs=())
# without the vector library, so that erf and erfc are written out too
BARE = [m._replace(vector={}) for m in (host(), host(without="avx512"))]
needs_fma = pytest.mark.skipif(not host().fused, reason="a processor without a fused multiply-add calls the vector library")
# how far from the truth, in units in the last place; at a root of gelu' of the larger of its two terms
ULP = {"exp": 1.2, "log": 1.0, "log1p": 1.6, "tanh": 3.0, "sech2": 3.3, "sigmoid": 2.2, "sigmoid_derivative": 3.2,
       "softplus": 2.2, "gaussian": 1.7, "erf": 2.6, "erfc": 4.0, "gelu": 5.0, "gelu_derivative": 5.5}  # fmt: skip
SPECIAL = [0.0, -0.0, 5e-324, -5e-324, 2.2250738585072014e-308, -2.2e-308, 1e-300, 1e-17, -1e-17, 0.5, -0.5, 1.0, -1.0, 20.0,
           -20.0, 372.0, -372.5, 708.4, 709.78, 709.79, 710.0, -708.4, -744.4, -745.1, -745.2, -746.0, 1e5, -1e5, 1e300, -1e300,
           1.7976931348623157e308, -1.7976931348623157e308, -0.9999999999999999, 27.2, 38.4, -38.4, 41.0, -41.0, inf, -inf,
           nan]  # fmt: skip


def arguments(name: str, x: Any) -> tuple[Any, ...]:
    return (x, 1.0) if name == "gaussian" else (x,)


@functools.cache
def kernel(name: str, width: int, part: int) -> Any:
    program = cases.made(1, (ops.TABLE[name], arguments(name, 0)), outputs=[1])
    machine = next(m for m in BARE if m.width == width)
    return batch(NOTHING, program, 1, reduce=False, machine=machine, part=part)


def run(name: str, x: Any, machine: Machine, part: int = 2000) -> Any:
    return kernel(name, machine.width, part)(np.empty(0), [x], len(x))[1][0]


@functools.cache
def truth(name: str, x: float) -> float:
    op, at = ops.TABLE[name], arguments(name, x)
    with mpmath.workdps(60):
        return float(reference.exactly(op, at)(*map(mpmath.mpf, at)))


def same_numbers(a: Any, b: Any) -> bool:
    return bool((a.view(np.int64) == b.view(np.int64)).all())


def test_each_is_a_row_of_the_table() -> None:
    assert ROWS.keys() <= ops.TABLE.keys()
    assert ALIKE.keys() <= ROWS.keys()
    assert ROWS.keys() >= QUICKER
    assert ULP.keys() == ROWS.keys()


def test_who_has_them() -> None:
    assert Emitter(1, exact=True, fused=True).rows == {}
    assert Emitter(8, exact=False).rows == {}
    assert Emitter(4, exact=False, fused=True).rows.keys() == ROWS.keys()
    assert Emitter(4, exact=False, fused=True, vector=("erf", "exp")).rows.keys() == ROWS.keys() - {"erf"}
    assert not Machine(4, {}, "", "-fma,+avx").fused


@needs_fma
@pytest.mark.parametrize("name", ROWS)
def test_special_values_in_every_lane(name: str) -> None:
    """Those of the row's own function, up to the sign of zero; whatever stands in the other lanes."""
    op = ops.TABLE[name]
    for machine in BARE:
        for shift in range(machine.width):
            x = np.array([1.0] * shift + SPECIAL)
            for value, got in zip(x.tolist(), run(name, x, machine).tolist(), strict=True):
                wanted = op.forward(*arguments(name, value))
                if math.isfinite(wanted) and value and abs(value) < 800.0:
                    wanted = truth(name, value)
                close = math.isfinite(wanted) and abs(got - wanted) <= 5.0 * math.ulp(wanted)
                assert got == wanted or close or (got != got and wanted != wanted), (machine.width, value, got, wanted)


@needs_fma
@pytest.mark.parametrize("name", ROWS)
def test_against_mpmath(name: str) -> None:
    rng = np.random.default_rng(7)
    low, high = {"log": (0.0, 50.0), "log1p": (-1.0, 50.0), "exp": (-745.0, 709.0)}.get(name, (-30.0, 30.0))
    x = np.concatenate([rng.uniform(low, high, 700), rng.normal(0.0, 1.0, 700), rng.normal(0.0, 1e-4, 50)])
    x = x[(x > low) & (x < high)]
    for value, got in zip(x.tolist(), run(name, x, BARE[0]).tolist(), strict=True):
        wanted = truth(name, value)
        unit = math.ulp(max(abs(wanted), cases.TERMS[name](value) if name in cases.TERMS else 0.0))
        assert abs(got - wanted) <= ULP[name] * unit, (value, got, wanted)


@needs_fma
@given(st.sampled_from(sorted(ROWS)), st.lists(st.floats(), min_size=1, max_size=40), st.sampled_from([1, 7, 20]))
def test_all_widths_rows_left_over_and_cuts_have_the_same_bits(name: str, numbers: list[float], part: int) -> None:
    x = np.array(numbers)
    wanted = run(name, x, BARE[0])
    assert same_numbers(np.where(x == x, run(name, x, BARE[1]), 0.0), np.where(x == x, wanted, 0.0))
    assert same_numbers(run(name, x, BARE[0], part=part), wanted)
    one_by_one = np.concatenate([run(name, x[i : i + 1], BARE[0]) for i in range(min(len(x), 9))])
    assert same_numbers(one_by_one, wanted[: len(one_by_one)])
    assert same_numbers(run(name, x[::-1], BARE[0])[::-1], wanted)


@needs_fma
def test_a_function_and_its_slope_share_one_division() -> None:
    for name, slope in (("tanh", "sech2"), ("sigmoid", "sigmoid_derivative")):
        program = cases.made(1, (ops.TABLE[name], (0,)), (ops.neg, (1,)), (ops.TABLE[slope], (0,)), outputs=[2, 3])
        code = batch(NOTHING, program, 1, reduce=False).source
        assert code.count("fdiv") == 1
        assert " call <8 x double> @v_" not in code


@needs_fma
@pytest.mark.skipif(host().width != 8 or "erf" not in host().vector, reason="a processor without AVX-512, or no vector library")
def test_erf_is_written_out_where_its_slope_is_asked_for_too() -> None:
    erf, slope = (ops.TABLE["erf"], (0,)), (ops.TABLE["gaussian"], (0, 1.0))
    for rows, calls in (((erf,), 1), ((erf, slope), 0), ((slope, erf), 0)):
        code = batch(NOTHING, cases.made(1, *rows, outputs=[*range(1, 1 + len(rows))]), 1, reduce=False).source
        assert code.count("@v_erf(<8 x double> %") == calls


def test_rows_alike_stand_together_once() -> None:
    tanh, sech2, neg = ops.tanh, ops.TABLE["sech2"], ops.neg
    program = cases.made(2, (tanh, (0,)), (neg, (2,)), (tanh, (3,)), (sech2, (3,)), (sech2, (0,)), outputs=[4, 5, 6])
    moved = alike_together(program, ALIKE)
    assert [op.name for op, _ in moved.instructions] == ["tanh", "sech2", "neg", "tanh", "sech2"]
    assert moved([0.3, 0.0]) == program([0.3, 0.0])


@needs_fma
def test_bells_of_another_steepness_go_by_their_formula() -> None:
    x = np.linspace(-3.0, 3.0, 13)
    program = cases.made(1, *[(ops.TABLE["gaussian"], (0, c)) for c in (1.0, 0.5, 2.0, -0.5)], outputs=[1, 2, 3, 4])
    out = batch(NOTHING, program, 1, reduce=False)(np.empty(0), [x], 13)[1]
    for c, got in zip((1.0, 0.5, 2.0, -0.5), out, strict=True):
        assert np.allclose(got, np.exp(-c * x * x), rtol=1e-15, atol=0.0)


def test_nets_of_each_activation_agree_with_the_engine() -> None:
    x = np.random.default_rng(3).normal(size=(37, 2))
    w = np.random.default_rng(4).normal(size=9).tolist()
    for bend in (ops.tanh, ops.sigmoid, ops.softplus, ops.gelu, ops.silu, ops.erf, ops.log_sigmoid):

        def loss(w: Any, x: Any, bend: Any = bend) -> Any:
            hidden = [bend(w[2 * i] * x[0] + w[2 * i + 1] * x[1]) for i in range(3)]
            return bend(w[6] * hidden[0] + w[7] * hidden[1] + w[8] * hidden[2])

        value, slopes = jit(value_and_grad(loss), batch=1, reduce="sum")(w, x)
        rows = [value_and_grad(loss)(w, row) for row in x]
        assert math.isclose(value, math.fsum(v for v, _ in rows), rel_tol=1e-13)
        assert np.allclose(slopes, np.sum([g for _, g in rows], axis=0), rtol=1e-12)
        second = jit(grad(lambda a, x, loss=loss: grad(loss)(w, x)[0] * a), batch=1)(1.0, x)
        assert np.allclose(second, [grad(loss)(w, row)[0] for row in x], rtol=1e-13)
