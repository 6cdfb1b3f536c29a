"""The NumPy backend: every row on columns, which values are computed where, sums, blocks, and what it refuses."""

from __future__ import annotations

import math
import re
import sys
from math import inf, nan
from typing import Any

import pytest

pytest.importorskip("numpy", reason="columns are NumPy arrays: install the extra 'jit'")

import numpy as np

from autograd_lite import Op, errors, ops
from autograd_lite.compiler import to_numpy
from autograd_lite.compiler.lowering import COMPARISONS, CONTROL, FUNCTIONS, PAIRS
from autograd_lite.compiler.to_numpy import BLOCK, CHUNK, NumpyWords, chunk_sums, source
from autograd_lite.ops import exp, expm1, gt, log, where
from tests.compiler import cases

made = cases.made

ULP = 8.0  # a row has up to two functions of NumPy's vector library, each within 4 ulp
CASES = cases.cases()
IDS = [f"{op.name}-{arity}" for op, arity in CASES]


def test_the_kernel_has_every_word() -> None:
    k = NumpyWords()
    for word in (*FUNCTIONS, *PAIRS, *COMPARISONS, *CONTROL):
        assert callable(getattr(k, word)), word
    assert k.exact is False
    assert all(hasattr(np, function.removeprefix("np.")) for function in to_numpy.WORDS.values())
    with pytest.raises(AttributeError):
        k.sinpi  # noqa: B018


def differences(op: Op, arity: int, shared: bool) -> list[Any]:
    """Where columns and the row's own function differ; what does not vary is a constant, or an input that is no column."""
    found = []
    for varies, points in cases.columns(op, arity):
        places = [i for i in range(arity) if varies[i] or shared]
        args = tuple(places.index(i) if i in places else x for i, x in enumerate(points[0]))
        run = to_numpy.compile(made(len(places), (op, args), outputs=(len(places),)), [varies[i] for i in places])
        inputs = [np.array([at[i] for at in points]) if varies[i] else points[0][i] for i in places]
        for at, got in zip(points, run(inputs)[0].tolist(), strict=True):
            if not cases.within(op, at, got, op.forward(*at), ULP):
                found.append((at, varies, got, op.forward(*at)))
    return found


@pytest.mark.parametrize(("op", "arity"), CASES, ids=IDS)
def test_every_row_on_columns(op: Op, arity: int) -> None:
    assert differences(op, arity, shared=False)[:5] == []


@pytest.mark.parametrize(("op", "arity"), [(op, n) for op, n in CASES if n == 2], ids=lambda x: getattr(x, "name", ""))
def test_rows_of_a_column_and_a_number_shared_by_all(op: Op, arity: int) -> None:
    assert differences(op, arity, shared=True)[:5] == []


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("relu", lambda x: where(gt(x, 0.0), x, 0.0)),
        ("exp", lambda x: (expm1(x) + 1.0) * (1.0 + 4e-15)),
        ("sub", lambda x, y: y + -x),
        ("logsumexp", lambda *items: log(exp(items[0]) + 0.0)),
    ],
)
def test_a_wrong_lowering_is_noticed(name: str, fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cases.plant(monkeypatch, name, fault)
    arity = cases.arities(ops.TABLE[name])[-1]
    assert differences(ops.TABLE[name], arity, shared=False)


def test_a_wrong_function_of_the_library_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(to_numpy.WORDS, "asinh", "np.arcsin")
    assert differences(ops.asinh, 1, shared=False)


SAMPLE = made(
    4,
    (ops.exp, (0,)),  # v4, shared
    (ops.mul, (4, 2)),  # v5
    (ops.add, (5, 3)),  # v6
    (ops.tanh, (6,)),  # v7
    (ops.sub, (4, 1)),  # v8, shared
    (ops.square, (6,)),  # v9, never used
    outputs=(7, 8, 2, 2.5, 7),
)


def test_source() -> None:
    assert (
        source(SAMPLE, [False, False, True, True])
        == """\
def shared(v0, v1, v2, v3):
    v4 = of_exp(v0)
    v8 = of_sub(v4, v1)
    return (v4,), (v8, 2.5)

def block(v2, v3, v4):
    v5 = np.multiply(v4, v2)
    v6 = np.add(v5, v3)
    del v5
    v7 = np.tanh(v6)
    del v6
    return (v7, v2, v7)"""
    )


def test_outputs_are_arrays_where_they_vary() -> None:
    x, y = np.linspace(-1.0, 1.0, 9), np.ones(9)
    first, second, third, fourth, last = to_numpy.compile(SAMPLE, [False, False, True, True])([0.5, 2.0, x, y])
    assert (second, fourth) == (math.exp(0.5) - 2.0, 2.5)
    assert third.tolist() == x.tolist()
    assert third is not x
    assert first.tolist() == last.tolist()
    for got, row in zip(first.tolist(), x.tolist(), strict=True):
        assert got == pytest.approx(math.tanh(math.exp(0.5) * row + 1.0), rel=1e-15)


def test_what_is_shared_is_the_rows_own_function() -> None:
    """Also where NumPy's would round otherwise, and for a user's own op."""
    seen = []
    own = Op("own", lambda x: seen.append(x) or x + 1.0, 1.0)  # type: ignore[func-returns-value]
    program = made(2, (own, (0,)), (ops.exp, (2,)), (ops.mul, (3, 1)), outputs=(3, 4))
    run = to_numpy.compile(program, [False, True])
    value, rows = run([0.3, np.ones(3 * BLOCK)])
    assert value == math.exp(1.3)
    assert set(rows.tolist()) == {math.exp(1.3)}
    assert seen == [0.3]
    assert "own0(v0)" in source(program, [False, True])


def test_a_result_that_is_the_same_in_all_rows_fills_its_column() -> None:
    (ones,) = to_numpy.compile(made(1, (ops.pow, (0, 0.0)), outputs=(1,)), [True])([np.array([1.0, nan])])
    assert ones.tolist() == [1.0, 1.0]
    assert to_numpy.compile(made(1, (ops.pow, (0, 0.0)), outputs=(1,)), [True], reduce=True)([np.ones(3)]) == [3.0]


def test_a_call_made_once_is_not_made_again() -> None:
    weights = [(ops.TABLE["softmax_weight"], (float(i), 0, 1, 2)) for i in range(3)]
    text = source(made(3, *weights, outputs=(3, 4, 5)), [True] * 3)
    assert text.count("np.exp(") == 3
    assert text.count("np.divide(") == 3


def test_zeros_of_two_signs_are_not_the_same_constant() -> None:
    program = made(1, (ops.copysign, (0, 0.0)), (ops.copysign, (0, -0.0)), outputs=(1, 2))
    assert [a.tolist() for a in to_numpy.compile(program, [True])([np.ones(1)])] == [[1.0], [-1.0]]


def test_constants_that_are_no_numbers() -> None:
    program = made(1, (ops.maximum, (0, nan)), (ops.minimum, (0, inf)), (ops.maximum, (0, -inf)), outputs=(1, 2, 3))
    found = [a.tolist() for a in to_numpy.compile(program, [True])([np.array([2.0])])]
    assert math.isnan(found[0][0])
    assert found[1:] == [[2.0], [2.0]]


def test_every_value_is_freed_after_its_last_use() -> None:
    """Nothing is alive at the end but the results: a long program needs no more memory than a short one."""

    def most_alive(length: int) -> int:
        rows = [(ops.sin, (0,))] + [(ops.gelu, (i,)) for i in range(1, length)]
        text = source(made(1, *rows, outputs=(length,)), [True]).split("def block", 1)[1]
        alive, most = set(), 0
        for line in text.splitlines()[1:]:
            if made_here := re.match(r"    (\w+) = ", line):
                alive.add(made_here[1])
            elif line.startswith("    del "):
                alive -= set(line.removeprefix("    del ").split(", "))
            most = max(most, len(alive))
        assert alive == {f"v{length}"}
        return most

    assert most_alive(30) == most_alive(3)


def test_no_text_of_the_user_reaches_the_source() -> None:
    own = Op("evil", lambda x: x, 1.0)
    program = made(2, (own, (0,)), (ops.mul, (1, 2)), outputs=(3,))
    assert "evil" not in source(program, [False, True])


# -- rows -------------------------------------------------------------------------------------------------------------

ROWS = 3 * BLOCK + CHUNK + 77


def test_results_are_the_same_bits_for_any_block() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, ROWS)) * 1e3
    for reduce in (False, True):
        found = [
            to_numpy.compile(SAMPLE, [False, False, True, True], reduce=reduce, block=block)([0.5, 2.0, x, y])
            for block in (CHUNK, 3 * CHUNK, BLOCK, 100 * CHUNK)
        ]
        for other in found[1:]:
            assert [np.asarray(a).tobytes() for a in other] == [np.asarray(a).tobytes() for a in found[0]]


def test_sums_are_right_to_the_last_digits() -> None:
    x = np.random.default_rng(2).normal(size=ROWS)
    (total,) = to_numpy.compile(made(1, (ops.square, (0,)), outputs=(1,)), [True], reduce=True)([x])
    assert total == pytest.approx(math.fsum((x * x).tolist()), rel=1e-15)
    assert total.__class__ is float


@pytest.mark.parametrize("n", [1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK])
def test_sums_of_chunks(n: int) -> None:
    rows = np.arange(n) * 1.0
    assert chunk_sums(rows).tolist() == [math.fsum(rows[i : i + CHUNK].tolist()) for i in range(0, n, CHUNK)]


def test_an_empty_batch() -> None:
    empty = np.empty(0)
    first, second, *_ = to_numpy.compile(SAMPLE, [False, False, True, True])([0.5, 2.0, empty, empty])
    assert first.shape == (0,)
    assert second == math.exp(0.5) - 2.0
    assert to_numpy.compile(SAMPLE, [False, False, True, True], reduce=True)([inf, 2.0, empty, empty]) == [0.0] * 5


def test_a_nan_row_stays_a_row_of_its_own() -> None:
    x = np.array([1.0, nan, 3.0])
    program = made(1, (ops.relu, (0,)), outputs=(1,))
    assert np.isnan(to_numpy.compile(program, [True])([x])[0]).tolist() == [False, True, False]
    assert math.isnan(to_numpy.compile(program, [True], reduce=True)([x])[0])


@pytest.mark.parametrize(
    "column",
    [
        np.arange(6.0)[::2],
        np.arange(6.0)[4::-2][::-1],
        np.arange(6.0).reshape(3, 2)[:, 0],
        np.array([0, 2, 4]),
        np.array([0, 2, 4], dtype=np.float32),
        np.array([0, 2, 4], dtype=">f8"),
        [0.0, 2.0, 4.0],
    ],
    ids=["strided", "backwards", "of a matrix", "integers", "float32", "big-endian", "list"],
)
def test_columns_of_any_layout_and_type(column: Any) -> None:
    assert to_numpy.compile(made(1, (ops.sqrt, (0,)), outputs=(1,)), [True])([column])[0].tolist() == [0.0, math.sqrt(2.0), 2.0]


def test_inputs_are_not_written_to() -> None:
    x = np.arange(4.0)
    x.flags.writeable = False
    to_numpy.compile(made(1, (ops.neg, (0,)), (ops.exp, (1,)), outputs=(2, 0)), [True])([x])
    assert x.tolist() == [0.0, 1.0, 2.0, 3.0]


def test_no_warning_of_numpy_reaches_the_user() -> None:
    run = to_numpy.compile(made(1, (ops.log, (0,)), (ops.div, (1.0, 0)), (ops.exp, (0,)), outputs=(1, 2, 3)), [True])
    with np.errstate(all="raise"):
        run([np.array([-1.0, 0.0, 1e3])])


def test_a_long_program() -> None:
    """Linear in its length, and no recursion."""
    count = 20_000
    rows = [(ops.add, (i, 1.0)) for i in range(count)]
    (found,) = to_numpy.compile(made(1, *rows, outputs=(count,)), [True])([np.zeros(2)])
    assert found.tolist() == [count, count]


# -- what it refuses --------------------------------------------------------------------------------------------------

ONE = made(2, (ops.mul, (0, 1)), outputs=(2,))


@pytest.mark.parametrize(
    ("attempt", "error", "message"),
    [
        (lambda: to_numpy.compile(ONE, [True]), errors.InputValueError,
         "is_column has 1 items, the program 2 inputs: give one for each"),
        (lambda: source(ONE, [True]), errors.InputValueError,
         "is_column has 1 items, the program 2 inputs: give one for each"),
        (lambda: to_numpy.compile(ONE, [True, True], block=100), errors.InputValueError,
         "block=100 is not a multiple of 512 rows: give 512, 1024, ..."),
        (lambda: to_numpy.compile(ONE, [True, True], block=0), errors.InputValueError,
         "block=0 is not a multiple of 512 rows: give 512, 1024, ..."),
        (lambda: to_numpy.compile(ONE, [True, True])([np.ones(2)]), errors.InputValueError,
         "1 inputs given, the program has 2: give one for each"),
        (lambda: to_numpy.compile(ONE, [True, True])([np.ones(2), np.ones(3)]), errors.InputValueError,
         "input 0 has 2 rows and input 1 has 3: give columns of one length"),
        (lambda: to_numpy.compile(ONE, [True, True])([np.ones(2), np.ones((2, 3))]), errors.InputTypeError,
         "input 1 is an array of shape (2, 3) and should be a column: give an array of n numbers, shape (n,)"),
        (lambda: to_numpy.compile(ONE, [True, True])([np.ones(2), 2.0]), errors.InputTypeError,
         "input 1 is an array of shape () and should be a column: give an array of n numbers, shape (n,)"),
        (lambda: to_numpy.compile(ONE, [True, True])([np.ones(2), "ab"]), errors.InputTypeError,
         "input 1 is str and should be a column: give an array of n numbers, shape (n,)"),
    ],
)  # fmt: skip
def test_errors(attempt: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        attempt()
    assert str(caught.value) == message


def test_users_ops_on_columns_are_called_back_also_two_of_one_name() -> None:
    one, two = Op("own", lambda x: x + 1.0, 1.0), Op("own", lambda x: 2.0 * x, 2.0)
    run = to_numpy.compile(made(1, (one, (0,)), (two, (0,)), outputs=(1, 2)), [True])
    assert [r.tolist() for r in run([np.array([1.0, 5.0])])] == [[2.0, 6.0], [2.0, 10.0]]


def test_without_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(errors.MissingPackageError, match=r"pip install 'autograd-lite\[jit\]'"):
        to_numpy.compile(ONE, [True, True])
