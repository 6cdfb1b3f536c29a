"""The arguments of a batch as columns: every kind of array, containers of them, rows of any shape; and results as arrays."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("numpy", reason="batches are made of NumPy arrays: install the extra 'jit'")

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autograd_lite.compiler.arguments import Columns, batch_assembly, doubles, rows_first
from autograd_lite.errors import InputTypeError, StructureError
from autograd_lite.tree import flatten, take

BASE = np.arange(24.0).reshape(4, 6)
ARRAYS = {
    "plain": np.arange(5.0),
    "reversed": np.arange(5.0)[::-1],
    "every other": np.arange(10.0)[::2],
    "a column": BASE[:, 1],
    "transposed": BASE.T,
    "sliced both ways": BASE[::-1, 4:1:-2],
    "Fortran order": np.asfortranarray(BASE),
    "broadcast, all rows one": np.broadcast_to(np.array([1.0, 2.0]), (3, 2)),
    "of one axis more": np.arange(24.0).reshape(2, 3, 4),
    "of one axis more, turned": np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1),
    "float32": np.arange(5, dtype=np.float32) / 3,
    "float16": np.arange(5, dtype=np.float16),
    "int64": np.arange(-2, 3),
    "int8": np.arange(-2, 3, dtype=np.int8),
    "uint8": np.arange(5, dtype=np.uint8),
    "bool": np.array([True, False, True]),
    "big endian": np.arange(5, dtype=">f8"),
    "a field": np.zeros(4, dtype=[("a", "i4"), ("b", "f8")])["b"],
    "unaligned": np.frombuffer(bytes(1) + np.arange(3.0).tobytes(), dtype=np.uint8)[1:].view(np.float64),
    "read-only": np.arange(3.0),
    "no rows": np.zeros(0),
    "no rows of 3": np.zeros((0, 3)),
    "rows of none": np.zeros((4, 0)),
    "one row": np.zeros((1, 2)),
    "nan and inf": np.array([np.nan, np.inf, -np.inf, -0.0]),
}
ARRAYS["read-only"].flags.writeable = False


def of(*args):
    return Columns([(f"argument {i} of f", a) for i, a in enumerate(args)])


@pytest.mark.parametrize("name", ARRAYS)
def test_any_array_of_numbers(name):
    array = ARRAYS[name]
    columns = of(array)
    wanted = np.asarray(array, dtype=float)
    assert columns.rows == len(array)
    assert columns.shapes == [array.shape[1:]]
    assert columns.count == len(columns.arrays) == int(np.prod(array.shape[1:]))
    assert all(c.dtype == np.float64 and c.shape == (len(array),) for c in columns.arrays)
    flat = wanted.reshape(len(array), columns.count)
    assert all(np.array_equal(c, flat[:, j], equal_nan=True) for j, c in enumerate(columns.arrays))
    for row in range(columns.rows):
        (got,) = columns.row(row)
        assert np.array_equal(np.array(got, dtype=float), wanted[row], equal_nan=True)
        assert type(got) is float or got.shape == array.shape[1:]


def test_doubles_of_any_stride_are_not_copied():
    for name in ("plain", "reversed", "every other", "a column"):
        assert of(ARRAYS[name]).arrays[0] is ARRAYS[name]
    for name in ("transposed", "Fortran order", "sliced both ways"):
        assert np.shares_memory(of(ARRAYS[name]).arrays[0], BASE) or name == "Fortran order"


@given(st.lists(st.lists(st.floats(), min_size=2, max_size=2), max_size=5))
def test_lists_of_rows(rows):
    if not rows:
        rows = [[0.5, 1.5]]
    columns = of(rows)
    assert columns.rows == len(rows)
    assert np.array_equal(np.array(columns.arrays).T, np.array(rows), equal_nan=True)


def test_containers_keep_their_structure():
    x, y = np.arange(6.0).reshape(3, 2), np.arange(3)
    columns = of({"X": x, "both": (y, [y, x])}, x)
    (a, b) = columns.row(2)
    assert list(a) == ["X", "both"]
    assert a["X"].tolist() == [4.0, 5.0] == b.tolist()
    assert (a["both"][0], a["both"][1][0]) == (2.0, 2.0)
    assert isinstance(a["both"], tuple)
    assert columns.shapes == [(2,), (), (), (2,), (2,)]
    assert columns.count == 8


@pytest.mark.parametrize("wrap", [
    lambda a: ((a, a), (a, a)), lambda a: [{"a": a}, {"b": a}], lambda a: [[[a]]], lambda a: {"k": [{"b": (a,)}]},
])  # fmt: skip
def test_containers_of_containers(wrap):
    array = np.arange(3.0)
    columns = of(wrap(array))
    assert columns.rows == 3
    leaves, spec = flatten(columns.row(1)[0])
    assert leaves == [1.0] * columns.count
    assert spec == flatten(wrap(1.0))[1]


def test_each_number_of_a_row_is_made_once_and_in_order():
    made = []

    def new(first):
        made.append(first)
        return len(made)

    x, rows = of(np.array([7.0, 8.0]), np.arange(8.0).reshape(2, 2, 2)).traced(new)
    assert x == 1
    assert rows.tolist() == [[2, 3], [4, 5]]
    assert made == [7.0, 0.0, 1.0, 2.0, 3.0]


def test_without_rows_they_are_made_of_0():
    made = []
    of(np.zeros((0, 2))).traced(made.append)
    assert made == [0.0, 0.0]


REFUSED = [
    ("text", "argument 0 of f is a str: give numbers, an array whose first axis is the rows", InputTypeError),
    (np.array(["a", "b"]), "argument 0 of f is an array of <U1: give numbers", InputTypeError),
    (np.array([1.0, None]), "argument 0 of f is an array of object: give numbers", InputTypeError),
    (np.array([1 + 2j]), "argument 0 of f is an array of complex128: give numbers", InputTypeError),
    (np.array(["2020-01-01"], dtype="M8[D]"), "argument 0 of f is an array of datetime64[D]: give numbers", InputTypeError),
    (None, "argument 0 of f is None: give numbers", InputTypeError),
    (3.0, "argument 0 of f=3.0 is one number: give an array of n rows, or leave the argument out of batch", InputTypeError),
    (np.array(3.0), "argument 0 of f=array(3.) is one number", InputTypeError),
    ([[1.0], [2.0, 3.0]], "argument 0 of f is ragged: give rows of one length, or an array for each column", StructureError),
    ([[1.0, 2.0], 3.0], "argument 0 of f is ragged", StructureError),
    ({"a": np.ones(2), "b": {"c": np.ones(3)}},
     "argument 0 of f['b']['c'] has 3 rows, but argument 0 of f['a'] has 2: give all",
     StructureError),
    ([np.ones(2), "x"], "argument 0 of f[1] is a str: give numbers", InputTypeError),
    ({}, "argument 0 of f holds no array: give one of n rows, or leave it out of batch", InputTypeError),
]  # fmt: skip


@pytest.mark.parametrize(("given_", "message", "error"), REFUSED, ids=lambda x: str(x)[:40].replace("\n", " "))
def test_what_is_no_batch(given_, message, error):
    with pytest.raises(error, match="^" + re.escape(message)):
        of(given_)


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize <= 8, reason="long doubles are doubles here")
def test_long_doubles_are_not_rounded_silently():
    with pytest.raises(
        InputTypeError, match=r"is an array of (float128|longdouble|float96): convert it with .astype\(float\), which"
    ):
        of(np.arange(3, dtype=np.longdouble))


def test_all_arguments_have_the_same_rows():
    message = "argument 1 of f has 3 rows, but argument 0 of f has 2: give all"
    with pytest.raises(StructureError, match=re.escape(message)):
        of(np.ones(2), np.ones((3, 2)))
    with pytest.raises(StructureError, match="has 2 rows, but argument 0 of f has 0"):
        of(np.ones((0, 3)), np.ones(2))


def test_doubles_are_a_copy_only_where_they_must_be():
    array = np.arange(3.0)
    assert doubles("x", array) is array
    assert doubles("x", array.astype(np.float32)).dtype == np.float64


# -- results ----------------------------------------------------------------------------------------------------------

RESULTS = [
    (1.0, 1), ((1.0, [2.0, {"a": 3.0}]), 3), (np.zeros(2), 2), (np.zeros((2, 3)), 6), ({"a": np.zeros((1, 2)), "b": (4.0,)}, 3),
    ([], 0), ((None, 1.0), 1), (np.zeros((0, 2)), 0), ([{}, 2.0], 1),
]  # fmt: skip


@pytest.mark.parametrize("reduced", [False, True])
@pytest.mark.parametrize(("result", "count"), RESULTS, ids=lambda x: str(x).replace("\n", " "))
def test_results_have_the_structure_of_one_rows_result(result, count, reduced):
    spec = flatten(result)[1]
    names = {}
    expression = batch_assembly(spec, reduced, names)
    rows = 5
    out = np.arange(float(count)) if reduced else np.arange(float(count * rows)).reshape(count, rows)
    got = eval(expression, names | {"out": out})
    per_row = [got] if reduced else [row_of(got, result, i) for i in range(rows)]
    for i, one in enumerate(per_row):
        leaves, structure = flatten(one)
        assert structure == spec
        assert leaves == (out.tolist() if reduced else out[:, i].tolist())


def row_of(got, like, i):
    """Row i of results: the first axis of every array."""
    if isinstance(like, dict):
        return {k: row_of(got[k], like[k], i) for k in like}
    if isinstance(like, (list, tuple)):
        return type(like)(row_of(g, k, i) for g, k in zip(got, like, strict=True))
    return None if like is None else got[i]


def test_reduced_results_are_plain_floats():
    names = {}
    got = eval(batch_assembly(flatten((1.0, [2.0]))[1], True, names), names | {"out": np.array([1.0, 2.0])})
    assert got == (1.0, [2.0])
    assert type(got[0]) is float
    assert type(got[1][0]) is float


def test_rows_come_first():
    out = np.arange(12.0).reshape(6, 2)  # six numbers for each of two rows
    assert rows_first(out, (2, 3)).tolist() == [[[0, 2, 4], [6, 8, 10]], [[1, 3, 5], [7, 9, 11]]]
    assert rows_first(np.zeros((6, 0)), (2, 3)).shape == (0, 2, 3)


def test_a_tree_takes_its_leaves_and_no_more():
    supply = iter([1.0, 2.0, 3.0])
    assert take(flatten({"a": [0.0, 0.0]})[1], supply) == {"a": [1.0, 2.0]}
    assert list(supply) == [3.0]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ma.array([1.0, 2.0], mask=[True, False]), r"is a masked array: give a plain one, array.filled\(nan\)"),
        (np.ones((1, 2)).view(np.matrix), r"is an np\.matrix: give an array, np\.asarray\(matrix\)"),
        (np.array([(1.0, 2.0)], dtype=[("a", float), ("b", float)]), r"is an array of records: give a dict of its columns"),
    ],
)
def test_arrays_of_other_kinds_are_refused(array, message):
    with pytest.raises(InputTypeError, match="^argument 0 of f " + message):
        of(array)
