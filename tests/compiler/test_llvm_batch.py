"""Batches in machine code: rows left over, strides, the order of sums, threads, and the ways in."""

from __future__ import annotations

import ctypes
import math
import random
import re
import threading
from collections.abc import Sequence
from math import inf, nan
from typing import Any

import pytest

pytest.importorskip("llvmlite", reason="machine code needs llvmlite: install the extra 'jit'")
pytest.importorskip("numpy", reason="columns are NumPy arrays: install the extra 'jit'")

import numpy as np

from autograd_lite import ops
from autograd_lite.compiler.llvm import kernel as kernels
from autograd_lite.compiler.llvm import native
from autograd_lite.compiler.llvm.calls import HEADER
from autograd_lite.compiler.llvm.driver import driver
from autograd_lite.compiler.llvm.kernel import Finish, batch
from autograd_lite.compiler.llvm.native import Machine, host
from autograd_lite.compiler.llvm.scalar import address, scalar
from autograd_lite.compiler.llvm.sums import SumLayout
from tests.compiler import cases

made, ROW = cases.made, cases.ROW

MACHINES = {
    "host": host(),
    "without AVX-512": host("avx512"),
    "no vector library": Machine(4, {}, host().cpu, host().features),
}


NOTHING = made(0, outputs=())

# from w, its square and 3.0, and columns x, y: of whole numbers whole ones, so that sums are exact in any order
UNIFORM = made(1, (ops.mul, (0, 0)), outputs=[1, 3.0])


def by_hand(w: float, x: Sequence[float], y: Sequence[float]) -> list[list[float]]:
    return [ROW([w, w * w, 3.0, a, b]) for a, b in zip(x, y, strict=True)]


def strided(numbers: list[float], step: int) -> Any:
    """The numbers as an array with `step` elements from one to the next; backwards where it is negative."""
    memory = np.full(max(1, len(numbers)) * abs(step), nan)
    view = memory[:: abs(step)][: len(numbers)]
    view = view[::-1] if step < 0 else view
    view[:] = numbers
    return view


@pytest.mark.parametrize("machine", MACHINES)
def test_any_number_of_rows_and_any_stride(machine: str) -> None:
    kernels = [batch(UNIFORM, ROW, 2, reduce=reduce, machine=MACHINES[machine]) for reduce in (True, False)]
    rng = random.Random(5)
    for n in range(41):
        x, y = ([float(rng.randint(-9, 9)) for _ in range(n)] for _ in range(2))
        wanted = by_hand(2.0, x, y)
        columns = [strided(x, rng.choice([1, 2, 3, -1, -2])), strided(y, rng.choice([1, 5, -3]))]
        for kernel in kernels:
            extra, out = kernel(np.array([2.0]), columns, n)
            assert extra.tolist() == [4.0, 3.0]
            if kernel.reduce:
                assert out.tolist() == [math.fsum(column) for column in zip(*wanted, strict=True)] or (n == 0 and not out.any())
            else:
                assert out.T.tolist() == wanted


def test_numbers_that_are_not_aligned() -> None:
    records = np.zeros(21, dtype=[("kind", "i1"), ("x", "f8")])
    records["x"] = np.arange(21.0)
    _, out = batch(NOTHING, made(1, (ops.mul, (0, 2.0)), outputs=[1]), 1, reduce=False)(np.empty(0), [records["x"]], 21)
    assert out[0].tolist() == (2.0 * np.arange(21.0)).tolist()


def test_rows_of_nan_and_inf_stay_in_their_rows() -> None:
    program = made(1, (ops.mul, (0, 0)), (ops.relu, (0,)), outputs=[1, 2])
    x = np.array([1.0, nan, 3.0, inf, -inf, 2.0, 0.0, 1.0, nan, 4.0])
    _, kept = batch(NOTHING, program, 1, reduce=False)(np.empty(0), [x], 10)
    assert np.array_equal(kept, np.array([x * x, np.where(x <= 0.0, 0.0, x)]), equal_nan=True)
    for n, first in ((9, 9), (10, 0)):  # a nan in a whole block, a nan among the rows left over, and none
        _, sums = batch(NOTHING, program, 1, reduce=True)(np.empty(0), [x[first:n]], n - first)
        assert np.isnan(sums).tolist() == [n == 10] * 2
    _, sums = batch(NOTHING, program, 1, reduce=True)(np.empty(0), [x[[0, 2, 5]]], 3)
    assert sums.tolist() == [14.0, 6.0]


def in_order(values: list[float], width: int, size: int) -> float:
    """The sum of a column as the backend promises it: by chunks, in lanes, rows left over first, then halves upon halves."""
    total = 0.0
    for low in range(0, len(values), size):
        chunk = values[low : low + size]
        whole = len(chunk) - len(chunk) % width
        lanes = [0.0] * width
        for block in ([chunk[whole:]] if whole < len(chunk) else []) + [chunk[i : i + width] for i in range(0, whole, width)]:
            for lane, x in enumerate(block):
                lanes[lane] += x
        while len(lanes) > 1:
            lanes = [a + b for a, b in zip(lanes[: len(lanes) // 2], lanes[len(lanes) // 2 :], strict=True)]
        total = total + lanes[0] if low else lanes[0]
    return total


@pytest.mark.parametrize("rows", [1, 8, 100, 1023, 1024, 1025, 5003])
def test_sums_have_one_order_for_any_number_of_threads(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(7)
    columns = [rng.normal(size=rows) * 10.0 ** rng.integers(-3, 4, size=rows) for _ in range(3)]
    program = made(3, (ops.mul, (0, 1)), (ops.mul, (0, 2)), (ops.sub, (1, 2)), (ops.mul, (5, 5)), outputs=[3, 4, 5, 6, 0])
    kernel = batch(NOTHING, program, 3, reduce=True)
    values = [program(list(row)) for row in np.array(columns).T.tolist()]
    wanted = [in_order(list(column), kernel.width, kernels.CHUNK) for column in zip(*values, strict=True)]
    for threads in (1, 2, 3, 7):
        assert kernel(np.empty(0), columns, rows, threads)[1].tolist() == wanted
    monkeypatch.setattr(kernels, "CHUNK", 64)
    monkeypatch.setattr(kernels, "CHUNKS", 4)  # fewer chunks than rows / 64, as for very many rows
    size = max(64, -(-rows // 32) * 8)
    wanted = [in_order(list(column), kernel.width, size) for column in zip(*values, strict=True)]
    for threads in (1, 2, 7):
        assert kernel(np.empty(0), columns, rows, threads)[1].tolist() == wanted


def test_the_quick_way_in() -> None:
    kernel = batch(UNIFORM, ROW, 2, reduce=True)
    shared, x, y = np.array([2.0]), np.arange(30.0), -np.arange(30.0)
    table = np.array([(a.ctypes.data, 8) for a in (x, y)], dtype=np.int64)
    out, extra = np.empty(kernel.outputs), np.array(kernel.initial)
    arguments = kernel.arguments(shared.ctypes.data, table.ctypes.data, out.ctypes.data, extra.ctypes.data)
    for rows in (0, 1, 8, 30):
        arguments.rows = rows
        kernel.call(ctypes.addressof(arguments))
        assert out.tolist() == kernel(shared, [x, y], rows)[1].tolist()
        assert extra.tolist() == [4.0, 3.0]


def test_rows_are_kept_by_several_threads() -> None:
    x = np.linspace(-3.0, 3.0, 4001)
    program = made(1, (ops.mul, (0, 3.0)), (ops.abs, (1,)), outputs=[1, 2])
    kernel = batch(NOTHING, program, 1, reduce=False)
    for threads in (1, 2, 5):
        assert np.array_equal(kernel(np.empty(0), [x], 4001, threads)[1], [3.0 * x, np.abs(3.0 * x)])


def test_one_kernel_in_several_threads_at_once() -> None:
    program = made(2, (ops.mul, (0, 1)), outputs=[2])
    kernel = batch(made(1, outputs=()), program, 1, reduce=True)
    code = scalar(made(1, (ops.mul, (0, 2.0)), outputs=[1]))
    x = np.arange(3000.0)
    wrong: list[Any] = []

    def work(w: float) -> None:
        for _ in range(50):
            _, out = kernel(np.array([w]), [x], 3000, 2)
            if out[0] != w * x.sum() or code([w]) != (2.0 * w,):
                wrong.append((w, out[0]))

    threads = [threading.Thread(target=work, args=(float(w),)) for w in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_batch_source_holds_the_program_and_no_number_in_decimal() -> None:
    source = batch(UNIFORM, ROW, 2, reduce=True).source
    assert "; v7 = mul(v6, v4)" in source or "; v6 = add(v5, v2)" in source
    assert f"<{host().width} x double>" in source


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("part", [9, 2_000])
@pytest.mark.parametrize(
    "names", [("add", "sub", "mul", "where", "maximum"), ("exp", "tanh", "log1p", "erf", "atan2", "gamma")]
)
def test_a_program_with_its_constants_in_a_table_has_the_same_bits(
    names: Sequence[str], part: int, single: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(3)
    instructions: list[tuple[Any, tuple[Any, ...]]] = []
    for k in range(36):
        op = ops.TABLE[names[k % len(names)]]
        operands = [draw.randrange(2 + k) if draw.random() < 0.5 else draw.choice([0.0, -0.0, 0.5, 3.0, inf]) for _ in range(3)]
        instructions.append((op, (*operands[: (op.arity or 2) - 1], 1 + k)))
    program = made(2, *instructions, outputs=range(20, 38))
    x, y = np.linspace(-1.0, 2.0, 19), np.linspace(3.0, 0.1, 19)
    columns = [x.astype(np.float32), y.astype(np.float32)] if single else [x, y]
    found = []
    for most in (10**9, 0):
        monkeypatch.setattr(kernels, "LONG", most)
        kernel = batch(NOTHING, program, 2, reduce=False, part=part, single=single)
        found.append(kernel(np.empty(0), columns, 19)[1])
    assert "@constants" in kernel.source
    assert found[0].tobytes() == found[1].tobytes()


def test_no_columns_and_no_outputs() -> None:
    _, out = batch(NOTHING, made(0, outputs=[2.0]), 0, reduce=True)(np.empty(0), [], 11)
    assert out.tolist() == [22.0]
    for reduce in (True, False):
        _, out = batch(NOTHING, made(1, outputs=()), 1, reduce)(np.empty(0), [np.ones(11)], 11)
        assert out.size == 0


@pytest.mark.parametrize("reduce", [True, False])
@pytest.mark.parametrize("rows", [1, 7, 8, 9, 41])
def test_no_number_is_read_but_those_of_the_rows(rows: int, reduce: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Idle lanes repeat the last row: what is beyond may not be there, and costs a call if it is nan."""
    met: list[float] = []

    def recording(callback: Any) -> Any:
        def enter(args: Any, out: Any) -> None:
            met.extend(args[i] for i in range(callback.width))
            for i in range(callback.width):
                out[i] = args[i]
            out[callback.width] = native.DONE

        return ctypes.CFUNCTYPE(None, native._Pointer, native._Pointer)(enter)

    monkeypatch.setattr(native, "_entry", recording)
    kernel = batch(NOTHING, made(1, (ops.gamma, (0,)), outputs=[1]), 1, reduce=reduce)
    memory = np.full(rows + 40, -1.0)
    x = memory[20 : 20 + rows]
    x[:] = range(1, rows + 1)
    for column in (x, x[::-1]):
        met.clear()
        kernel(np.empty(0), [column], rows)
        assert set(met) == {*range(1, rows + 1)}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("part", [1, 2_000])
def test_no_result_depends_on_what_memory_held_and_none_lies_outside(machine: str, part: int) -> None:
    rng = random.Random(1)
    inputs, shared = 3, 2
    uniform = made(shared, *[(ops.add, (i, i + 1)) for i in range(40)], *[(ops.add, (i, 41 - i)) for i in range(40)],
                   outputs=[81, 60])  # fmt: skip
    body = [(rng.choice([ops.add, ops.sub, ops.maximum]), (rng.randrange(7 + i), rng.randrange(7 + i))) for i in range(60)]
    row = made(shared + 2 + inputs, *body, *[(ops.mul, (rng.randrange(67), rng.randrange(67))) for _ in range(50)],
               outputs=[*range(67, 117), *range(40, 67), 2.5])  # fmt: skip
    for reduce in (True, False):
        kernel = batch(uniform, row, inputs, reduce=reduce, part=part, machine=MACHINES[machine])
        for n in (1, 8, 9, 129, 300):
            columns = [np.array([float(rng.randint(-3, 3)) for _ in range(n)]) for _ in range(inputs)]
            found = []
            for fill in (0.0, np.nan):
                memory = np.full(kernel.scratch + 80, fill)
                start = -memory.ctypes.data // 8 % 8
                memory[:start] = memory[start + kernel.scratch :] = 7.0
                kernel._pool.clear()
                kernel._pool.append((memory, memory.ctypes.data + 8 * start))
                found.append(kernel(np.array([1.0, 2.0]), columns, n)[1])
                assert (memory[:start] == 7.0).all()
                assert (memory[start + kernel.scratch :] == 7.0).all()
            assert np.array_equal(*found, equal_nan=True)


def test_memory_to_work_in_is_aligned_and_long_enough() -> None:
    kernel = batch(NOTHING, made(1, (ops.mul, (0, 0)), outputs=[1]), 1, reduce=True)
    for _ in range(20):
        memory, start = kernel._taken()
        assert start % 64 == 0
        begin = address(memory)
        assert begin <= start
        assert start + 8 * kernel.scratch <= begin + len(memory)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("outputs", [1, 7, 8, 19])
@pytest.mark.parametrize("mean", [True, False])
def test_sums_are_finished_by_any_number_of_threads(threads: int, outputs: int, mean: bool) -> None:
    uniform = made(1, (ops.mul, (0, 0)), outputs=[1, *[float(i) for i in range(outputs)]])
    row = made(2 + outputs + 1, (ops.mul, (2 + outputs, 0)), outputs=[3 + outputs] * outputs)
    kernel = batch(uniform, row, 1, reduce=True, finish=Finish(mean, 1))
    for n in (1, 8, 2048, 4096):
        x = np.ones(n)
        _, out = kernel(np.array([2.0]), [x], n, threads)
        assert out.tolist() == [(2.0 + i) * (1 if mean else n) for i in range(outputs)]


def test_the_quick_way_in_adds_up_a_whole_chunk_at_once() -> None:
    rng = np.random.default_rng(2)
    x, n = rng.normal(size=1024) * 10.0 ** rng.integers(-6, 6, size=1024), 1024
    kernel = batch(NOTHING, made(1, (ops.mul, (0, 0)), outputs=[1]), 1, reduce=True)
    table, out, extra = np.array([(x.ctypes.data, 8)], dtype=np.int64), np.empty(1), np.empty(1)
    arguments = kernel.arguments(out.ctypes.data, table.ctypes.data, out.ctypes.data, extra.ctypes.data)
    for n in (17, 100, 999, 1024):
        arguments.rows = n
        kernel.call(ctypes.addressof(arguments))
        assert out.tolist() == kernel(np.empty(0), [x], n)[1].tolist()


@pytest.mark.parametrize("machine", MACHINES)
def test_fastmath_loses_no_addend(machine: str) -> None:
    """LLVM 22 gives 52 for the second where it may reassociate and contract at once."""
    add = ops.add
    chains = [(add, (8, 9)), (add, (10, 4)), (add, (11, 4)), (add, (12, 5)), (add, (13, 6)), (add, (14, 7)),
              (add, (11, 5)), (add, (16, 6)), (add, (17, 7)), (add, (18, 7))]  # fmt: skip
    program = made(8, (ops.mul, (2, 1)), (ops.mul, (3, 0)), *chains, outputs=[19, 15])
    kernel = batch(NOTHING, program, 8, reduce=False, fastmath=True, machine=MACHINES[machine])
    _, out = kernel(np.empty(0), [np.array([float(i)]) for i in range(2, 10)], 1)
    assert out[:, 0].tolist() == [61.0, 58.0]


def field_times_4(name: str) -> str:
    """The field of the header of which the driver's number of that name is four times."""
    text = driver(4, False, True).text
    source = re.search(rf"%{name} = mul i64 %(\S+), 4\n", text)
    assert source is not None
    place = re.search(rf"= getelementptr i64, ptr %header, i64 (\d+)\n\s+%{source[1]} = load i64", text)
    assert place is not None
    return HEADER[int(place[1])]


def test_chunks_with_few_rows_are_added_up_at_once_and_longer_ones_as_the_first_cache_holds() -> None:
    kernel = batch(NOTHING, made(40, outputs=range(40)), 40, reduce=True, machine=host("avx512"))
    at = SumLayout(4, 40, 40, 40, 0, 0, 0)
    assert at.together < at.most
    numbers = re.search(r"@header = .*? \[(i64 .*)\]\n", kernel.source)
    assert numbers is not None
    read = dict(zip(HEADER, numbers[1].split(", "), strict=True))
    assert (read["most"], read["together"]) == (f"i64 {at.most}", f"i64 {at.together}")
    ways = re.search(
        r"icmp sle i64 %\S+, %(\S+)\n\s+%\S+ = select\s+i1 %\S+, i64 %(\S+), i64 %(\S+)\n", driver(4, False, True).text
    )
    assert ways is not None
    assert [field_times_4(name) for name in ways.groups()] == ["most", "most", "together"]
    rows = 4 * at.most  # up to which all blocks are added up at once
    x = np.random.default_rng(1).normal(size=(40, rows + 1))
    for count in (rows - 1, rows, rows + 1):
        _, out = kernel(np.empty(0), [*x[:, :count]], count)
        assert out == pytest.approx(x[:, :count].sum(axis=1), rel=1e-13)
