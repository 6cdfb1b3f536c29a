"""The LLVM backend: every row in scalar code and over rows, cutting, guards, rows left over, sums, threads, what it refuses."""

from __future__ import annotations

import math
import random
import struct
import sys
from math import nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("llvmlite", reason="machine code needs llvmlite: install the extra 'jit'")
pytest.importorskip("numpy", reason="columns are NumPy arrays: install the extra 'jit'")

import numpy as np

from autograd_lite import Op, hessian, jit, ops
from autograd_lite.compiler.llvm import native
from autograd_lite.compiler.llvm.emit import Emitter
from autograd_lite.compiler.llvm.kernel import batch
from autograd_lite.compiler.llvm.native import host
from autograd_lite.compiler.llvm.prepare import LONGEST
from autograd_lite.compiler.llvm.scalar import scalar
from autograd_lite.compiler.lowering import COMPARISONS, CONTROL, FUNCTIONS, PAIRS
from autograd_lite.errors import CompilationError, InputValueError, MissingPackageError
from autograd_lite.program import Guard, Program
from tests.compiler import cases
from tests.functions import rosenbrock
from tests.same import same_bits

made = cases.made


NOTHING = made(0, outputs=())


def test_the_kernel_has_every_word() -> None:
    k = Emitter(8, exact=False)
    for word in (*FUNCTIONS, *PAIRS, *COMPARISONS, *CONTROL):
        assert callable(getattr(k, word)), word
    with pytest.raises(AttributeError):
        k.sinpi  # noqa: B018


# -- scalar code ------------------------------------------------------------------------------------------------------


def random_program(seed: int, length: int, inputs: int = 4) -> Program:
    """Any rows on near and far values, whose outputs are the last ones, an input and a constant."""
    rng = random.Random(seed)
    rows: list[tuple[Op, Any]] = []
    for number in range(inputs, inputs + length):
        op = rng.choice([ops.add, ops.sub, ops.mul, ops.div, ops.tanh, ops.maximum, ops.where, ops.lt, ops.dot, ops.hypot])

        def operand(number: int = number) -> Any:
            kind = rng.random()
            if kind < 0.2:
                return rng.uniform(-2.0, 2.0)
            return rng.randrange(max(0, number - 6), number) if kind < 0.8 else rng.randrange(number)

        rows.append((op, tuple(operand() for _ in range(op.arity or 4))))
    last = inputs + length
    return made(inputs, *rows, outputs=[*range(max(inputs, last - 5), last), 0, 2.5])


@given(st.integers(0, 10**6), st.integers(0, 60), st.integers(1, 40), st.lists(st.floats(), min_size=4, max_size=4))
def test_programs_and_their_cuts_have_the_interpreters_bits(seed: int, length: int, part: int, at: list[float]) -> None:
    program = random_program(seed, length)
    code = scalar(program, part=part)
    got, wanted = code(at), program(at)
    assert got.__class__ is tuple
    assert len(got) == len(wanted)
    assert all(map(same_bits, got, wanted)), (got, wanted)
    assert code.source.count("@part0(") == 2
    if length > 4 * part:
        assert "@part1(" in code.source


def test_values_that_live_across_cuts_share_the_frame() -> None:
    program = made(2, *[(ops.add, (i, i + 1)) for i in range(1000)], outputs=[1001])
    assert scalar(program, part=20).frame == 4  # two for what a function reads, two for what it leaves to the next


GUARDED = made(
    2,
    (ops.lt, (0, 1)),  # v2
    (ops.mul, (0, 1)),  # v3
    (ops.gt, (3, 4.0)),  # v4
    (ops.sqrt, (3,)),  # v5
    outputs=[5],
    guards=[Guard(2, True, "a.py:1"), Guard(4, False, "a.py:2"), Guard(0, True, "a.py:3"), Guard(5, True, "a.py:4")],
)


@pytest.mark.parametrize("part", [1, 100])
@pytest.mark.parametrize(
    ("at", "wanted"),
    [
        ((1.0, 2.0), (math.sqrt(2.0),)),
        ((2.0, 1.0), 0),
        ((2.0, 3.0), 1),
        ((0.0, 3.0), 2),
        ((-1.0, -0.0), 3),
        ((nan, 1.0), 0),
        ((-1.0, 2.0), (nan,)),  # nan is true, as in Python
    ],
)
def test_the_first_guard_that_does_not_hold(at: tuple[float, float], wanted: Any, part: int) -> None:
    got = scalar(GUARDED, part=part)(at)
    assert got == wanted or (math.isnan(got[0]) and math.isnan(wanted[0]))  # type: ignore[index]


def test_guards_are_reported_in_their_order_even_where_decided_in_another() -> None:
    program = made(
        1, (ops.gt, (0, 0.0)), (ops.gt, (0, 1.0)), outputs=[1], guards=[Guard(2, True, "late"), Guard(1, True, "early")]
    )
    assert scalar(program)([-1.0]) == 0


def test_long_sums_are_cut_and_keep_their_bits() -> None:
    n = 3 * LONGEST + 7
    every = tuple(range(n))
    rng = random.Random(3)
    at = [rng.uniform(-1.0, 1.0) * 10.0 ** rng.randrange(-8, 8) for _ in every]
    program = made(n, (ops.sum, every), (ops.dot, every + every), outputs=(n, n + 1))
    assert list(scalar(program)(at)) == program(at)


def test_outputs_that_are_constants_are_not_stored() -> None:
    program = made(1, (ops.exp, (0,)), outputs=[0.0, 1, -0.0, 0.5, 0, nan, 1])
    code = scalar(program)
    assert code.source.count("store double") == 3
    for x in (0.0, 1.0):
        assert repr(code([x])) == repr((0.0, math.exp(x), -0.0, 0.5, x, nan, math.exp(x)))
    shared = made(1, (ops.exp, (0,)), outputs=[1, -0.0, 3.0])
    row = made(5, (ops.mul, (1, 4)), outputs=[5, 3])  # shared, the three of `uniform`, a column
    kernel = batch(shared, row, 1, reduce=False)
    extra, out = kernel(np.ones(1), [np.arange(3.0)], 3)
    assert repr(extra.tolist()) == repr([math.e, -0.0, 3.0])
    assert out.tolist() == [[0.0, math.e, 2 * math.e], [3.0, 3.0, 3.0]]


def test_a_dense_hessian_of_many_zeros() -> None:
    fast, n = jit(hessian(rosenbrock), backend="llvm"), 30
    at = [0.5 + 0.01 * i for i in range(n)]
    wanted = hessian(rosenbrock)(at)
    assert fast(at) == wanted
    got = fast(np.array(at))
    assert got.tolist() == wanted
    got[:] = 7.0  # the caller's own: the next call begins with zeros of its own
    assert fast(np.array(at)).tolist() == wanted
    assert fast(at[:5]) == hessian(rosenbrock)(at[:5])
    assert fast(tuple(at)) == hessian(rosenbrock)(tuple(at))


def test_the_number_of_inputs_is_checked() -> None:
    with pytest.raises(InputValueError, match=r"^3 inputs given, the program has 2: give one float for each$"):
        scalar(GUARDED)([1.0, 2.0, 3.0])


def test_fastmath_stays_close() -> None:
    every = range(64)
    program = made(64, (ops.dot, (*every, *every)), (ops.exp, (64,)), outputs=[65])
    at = [0.1 * (i % 7) for i in every]
    assert scalar(program, fastmath=True)(at)[0] == pytest.approx(program(at)[0], rel=1e-13)  # type: ignore[index]
    assert "contract" in scalar(program, fastmath=True).source
    assert "contract" not in scalar(program).source


def test_source_is_readable_and_exact() -> None:
    code = scalar(made(2, (ops.mul, (0, 0.1)), (ops.lt, (2, 1)), (ops.where, (3, 2, nan)), outputs=[4]))
    tenth = f"0x{struct.unpack('<Q', struct.pack('<d', 0.1))[0]:016X}"
    assert f"fmul double %t2, {tenth}  ; v2 = mul(v0, 0.1)" in code.source
    assert "fcmp olt double" in code.source
    assert code.source.count("fcmp") == 1  # the choice uses the comparison itself, not its 1.0 or 0.0


# -- rows called back -------------------------------------------------------------------------------------------------


def test_what_a_row_called_back_raises_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    program = made(1, (ops.digamma, (0,)), outputs=[1])
    code = scalar(program)
    kernels = [batch(NOTHING, program, 1, reduce=reduce) for reduce in (True, False)]
    column = np.linspace(1.0, 2.0, 5000)

    def interrupted(x: float) -> float:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ops.digamma, "forward", interrupted)
        with pytest.raises(KeyboardInterrupt):
            code([1.0])
        with pytest.raises(KeyboardInterrupt):
            code.run(*code._buffer()[1:])
        for kernel in kernels:
            for threads in (1, 3):
                with pytest.raises(KeyboardInterrupt):
                    kernel(np.empty(0), [column], 5000, threads)
    assert code([1.0]) == (ops.digamma(1.0),)
    assert kernels[1](np.empty(0), [column], 5000, 3)[1][0].tolist() == [ops.digamma(x) for x in column.tolist()]


# -- batches ----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 30), st.booleans())
def test_cuts_of_a_batch_change_no_bit(seed: int, length: int, part: int, reduce: bool) -> None:
    program = random_program(seed, length)
    columns = list(np.random.default_rng(seed).normal(size=(4, 21)))
    outs = [batch(NOTHING, program, 4, reduce, part=p)(np.empty(0), columns, 21)[1] for p in (part, 10**6)]
    assert np.array_equal(*outs, equal_nan=True)


# -- what is refused --------------------------------------------------------------------------------------------------


def test_a_users_own_op_is_called_back_by_a_name_of_ours() -> None:
    own = Op("μ", lambda x: x + 1.0, 1.0)
    program = made(1, (own, (0,)), outputs=[1])
    code = scalar(program)
    assert code([2.0]) == (3.0,)
    kernel = batch(NOTHING, program, 1, reduce=True)
    assert kernel(np.empty(0), [np.arange(11.0)], 11)[1].tolist() == [66.0]
    assert "μ" not in code.source + kernel.source


def test_llvmlite_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    monkeypatch.setitem(sys.modules, "llvmlite.binding", None)
    with pytest.raises(
        MissingPackageError, match=r"needs llvmlite, which is not installed: pip install 'autograd-lite\[jit\]'"
    ):
        scalar(GUARDED)


def test_llvmlite_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native.llvmlite(), "llvm_version_info", (15, 0, 7))
    with pytest.raises(
        CompilationError, match=r"^llvmlite brings LLVM 15, machine code needs 20: pip install 'llvmlite>=0.45'$"
    ):
        scalar(GUARDED)


def test_what_llvm_refuses() -> None:
    with pytest.raises(CompilationError, match=r"LLVM cannot compile this program: LLVM IR parsing error .*expected type"):
        native.compiled(native.Code("define void @f( {"), host())


def test_functions_that_the_c_library_lacks() -> None:
    with pytest.raises(CompilationError, match="the C library has no function sin_of_nothing"):
        native.compiled(native.Code("", ("sin_of_nothing",)), host())
