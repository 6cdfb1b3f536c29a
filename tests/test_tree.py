"""Containers to flat lists and back, numbers of any kind, and the messages of tree.py."""

import math
import re
import time
from collections import OrderedDict, defaultdict, namedtuple
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_lite import Value, grad, hessian, jacobian, jit, nn, value_and_grad
from autograd_lite.errors import InputOverflowError, InputTypeError, StructureError
from autograd_lite.tree import as_float, describe, flatten, flatten_like, is_scalar, map_leaves, unflatten
from tests.nesting import innermost, nested

Point = namedtuple("Point", "x y")

TREES = st.recursive(
    st.floats(allow_nan=False) | st.integers(-9, 9) | st.none() | st.builds(lambda x: np.array([x, 1.0]), st.floats(-1, 1)),
    lambda t: st.one_of(
        st.lists(t, max_size=3),
        st.lists(t, max_size=3).map(tuple),
        st.tuples(t, t).map(lambda p: Point(*p)),
        st.dictionaries(st.sampled_from("abc"), t, max_size=3),
    ),
    max_leaves=10,
)


def same(a, b):
    """Equal, and of the same types all the way down."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(np.array_equal(a, b))


@given(TREES)
def test_unflatten_is_the_inverse_of_flatten(tree):
    leaves, spec = flatten(tree)
    assert all(map(is_scalar, leaves))
    assert same(unflatten(spec, leaves), tree)
    assert flatten(unflatten(spec, leaves)) == (leaves, spec)
    assert same(map_leaves(lambda x: x, tree), tree)


@pytest.mark.parametrize(
    ("tree", "leaves"),
    [
        (1.0, [1.0]), (True, [True]), (None, []), ([], []), ({}, []), ([1, (2, {"a": 3})], [1, 2, 3]),
        ({"b": 1, "a": 2}, [1, 2]),
        (Point(1, [2]), [1, 2]), (np.array([[1, 2], [3, 4]]), [1, 2, 3, 4]), (np.array(5.0), [5.0]), (np.float32(2), [2]),
        (np.zeros((0, 3)), []), (Fraction(1, 2), [Fraction(1, 2)]), (OrderedDict(a=1), [1]),
    ],
)  # fmt: skip
def test_leaves_in_order(tree, leaves):
    assert flatten(tree)[0] == leaves


def test_values_are_leaves_and_keep_their_identity():
    v = Value(1.0)
    leaves, spec = flatten({"w": [v, v]})
    assert leaves[0] is v is leaves[1]
    assert unflatten(spec, leaves)["w"][0] is v


def test_modules_are_containers():
    neuron = nn.Neuron(2, seed=0)
    leaves, spec = flatten({"n": neuron})
    assert leaves == [p.data for p in neuron.parameters()]
    again = unflatten(spec, [1.0, 2.0, 3.0])["n"]
    assert type(again) is nn.Neuron
    assert [p.data for p in again.parameters()] == [1.0, 2.0, 3.0]
    assert again.activation is neuron.activation


def test_anything_with_the_two_methods_joins():
    class Pair:
        def __init__(self, a, b):
            self.a, self.b = a, b

        def tree_flatten(self):
            return [self.a, self.b], "spec"

        @classmethod
        def tree_unflatten(cls, spec, children):
            assert spec == "spec"
            return cls(*children)

    doubled = map_leaves(lambda x: 2 * x, [Pair(1, [2, 3])])[0]
    assert (doubled.a, doubled.b) == (2, [4, 6])


@pytest.mark.parametrize(
    ("shape", "leaves", "expected"),
    [
        ((2,), [1.0, 2.0], np.array([1.0, 2.0])),
        ((2,), [[1.0], [2.0]], [[1.0], [2.0]]),
        ((1,), [{"a": 1.0}], [{"a": 1.0}]),
    ],
)
def test_arrays_are_filled_with_whatever_comes(shape, leaves, expected):
    array = unflatten(flatten(np.zeros(shape))[1], leaves)
    assert array.shape[: len(shape)] == shape
    assert array.tolist() == (expected.tolist() if isinstance(expected, np.ndarray) else expected)


def test_an_array_of_values_is_an_object_array():
    array = unflatten(flatten(np.zeros((1, 2)))[1], [Value(1.0), 2.0])
    assert (array.dtype, array.shape) == (object, (1, 2))
    assert isinstance(array[0, 0], Value)


def test_a_list_may_stand_for_a_tuple():
    assert flatten_like(flatten(([1, 2], 3))[1], [(4, 5), 6]) == [4, 5, 6]


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        (1.0, "*"),
        ([1, (2,)], "list(*, tuple(*))"), ({"w": [1, 2], "b": 3}, "dict(w: list(*, *), b: *)"),
        (None, "NoneType()"),
        ([0] * 9, "list(9 scalars)"), (Point(1, 2), "Point(*, *)"),
    ],
)  # fmt: skip
def test_descriptions(tree, text):
    assert describe(flatten(tree)[1]) == text


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([1], [1, 2]), ([1], 1), ({"a": 1}, {"b": 1}), (np.zeros(4), np.zeros((2, 2))), ([1], {"a": 1}), (Point(1, 2), [1, 2]),
        (None, 1),
    ],
)  # fmt: skip
def test_trees_that_differ(a, b):
    with pytest.raises(StructureError, match=r"argument has the structure .*, but the other has .*: give both the same"):
        map_leaves(lambda x, y: x, a, b)
    with pytest.raises(ValueError, match="structure"):
        flatten_like(flatten(b)[1], a)


@pytest.mark.parametrize(
    ("tree", "place", "repair"),
    [
        ("x", "argument='x' is a str", "convert it with float"),
        ({"a": ["b"]}, r"argument\['a'\]\[0\]='b' is a str", "convert it"),
        ([1, (2, {3})], r"argument\[1\]\[1\]=\{3\} is a set", "give one number at a time"),
        ([1j], r"argument\[0\]=1j is a complex", r"\.real or \.imag"),
        (np.array([1.0, "b"], dtype=object), r"argument\.flat\[1\]='b' is a str", "convert it"),
        (["x" * 100], r"argument\[0\]='x+\.\.\. is a str", "convert it"),
    ],
)
def test_what_is_neither_scalar_nor_container_is_named_with_its_place(tree, place, repair):
    with pytest.raises(InputTypeError, match=f"{place}: expected numbers or Values, alone or nested.*{repair}"):
        flatten(tree)


def test_too_few_or_too_many_leaves():
    spec = flatten([1, 2])[1]
    with pytest.raises(StructureError, match="too few leaves for the structure: give as many as flatten returned"):
        unflatten(spec, [1])
    with pytest.raises(StructureError, match="3 leaves are more than the structure holds: give as many as flatten returned"):
        unflatten(spec, [1, 2, 3])


@given(st.one_of(st.floats(), st.integers(-(2**53), 2**53), st.booleans(), st.fractions(max_denominator=2**20)))
def test_as_float_is_float(number):
    got = as_float(number)
    assert type(got) is float
    assert got == float(number) or math.isnan(got)


def test_messages_name_the_thing():
    with pytest.raises(InputOverflowError, match=r"weight is an? int too large for a double \(limit 1\.8e308\): scale it"):
        as_float(10**400, "weight")
    with pytest.raises(InputTypeError, match="weight=None is None, not a real number: give an int or a float"):
        as_float(None, "weight")
    with pytest.raises(InputTypeError, match=r"data=\[0, 0.*\.\.\. is a list, not a real number: give one number at a time"):
        as_float([0] * 100)


# -- containers of classes of their own -------------------------------------------------------------------------------


class Attributes(dict):
    """Items as attributes; one that is missing is a KeyError, which `hasattr` does not expect."""

    __getattr__ = dict.__getitem__


class OwnDict(dict):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.__dict__ = self


class Vague(dict):
    """It has whatever it is asked for."""

    def __getattr__(self, name):
        return Vague()


class Noted(list):
    def __init__(self, items, note):
        super().__init__(items)
        self.note = note


class Pair(tuple):
    __slots__ = ()


class Doubled(namedtuple("Doubled", "x y")):  # made of other arguments than its items
    def __new__(cls, x):
        return super().__new__(cls, x, 2 * x)


def counted(**items):
    found = defaultdict(list)
    found.update(items)
    return found


CONTAINERS = [
    Attributes(a=3.0, b=2.0), OwnDict(a=3.0, b=2.0), Vague(a=3.0, b=2.0), OrderedDict(b=2.0, a=3.0), counted(a=3.0, b=2.0),
    Noted([3.0, 2.0], "n"), Pair([3.0, 2.0]), Doubled(3.0),
]  # fmt: skip


def product(c):
    a, b = (c["a"], c["b"]) if isinstance(c, dict) else c
    return a * a * b


@pytest.mark.parametrize("transform", [grad, lambda f: jit(grad(f)), lambda f: lambda c: value_and_grad(f)(c)[1]])
@pytest.mark.parametrize("given", CONTAINERS, ids=lambda c: type(c).__name__)
def test_a_gradient_comes_in_a_container_like_the_one_given(given, transform):
    function = transform(product)
    for found in (function(given), function(given)):
        assert type(found) is type(given)
        items = dict(found) if isinstance(found, dict) else list(found)
        b = 2.0 if not isinstance(given, Doubled) else 6.0
        assert items == ({"a": 6.0 * b, "b": 9.0} if isinstance(given, dict) else [6.0 * b, 9.0])
        assert list(found) == list(given) or not isinstance(given, dict)


def test_what_a_container_holds_besides_its_items_comes_back():
    assert grad(product)(counted(a=3.0, b=2.0)).default_factory is list
    own = grad(product)(OwnDict(a=3.0, b=2.0))
    assert (own.a, own.b) == (12.0, 9.0)
    own.a = 5.0
    assert own["a"] == 5.0
    assert grad(product)(Noted([3.0, 2.0], "n")).note == "n"
    ordered = grad(product)(OrderedDict(b=2.0, a=3.0))
    ordered.move_to_end("b")
    assert list(ordered) == ["a", "b"]
    noted = jit(grad(product))
    assert [noted(Noted([3.0, 2.0], note)).note for note in "xyx"] == ["x", "y", "x"]
    assert grad(lambda t: t[0] * 2.0)(time.gmtime(0)).tm_year == 2.0


def test_modules_keep_the_containers_they_hold():
    class Net(nn.Module):
        def __init__(self):
            self.w = Attributes(a=Value(3.0), b=Value(2.0))
            self.rest = Noted([Value(1.0)], "n")

    slopes = grad(lambda net: net.w.a * net.w.b * net.rest[0])(Net())
    assert (slopes.w.a.data, slopes.w.b.data, slopes.rest[0].data, slopes.rest.note) == (2.0, 3.0, 6.0, "n")


def test_a_batch_hands_the_row_in_a_container_like_the_one_given():
    doubled = jit(lambda d: d.x * d.y, batch=0)
    assert doubled(Attributes(x=np.array([1.0, 2.0]), y=np.array([3.0, 4.0]))).tolist() == [3.0, 8.0]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones((1, 2)).view(np.matrix), "is an np.matrix: give an array, np.asarray(matrix)"),
        (np.ma.masked_array([1.0, 2.0], [0, 1]), "is a masked array: give a plain one, array.filled(nan)"),
        (np.array([(1.0, 2)], dtype=[("a", float), ("b", int)]), "is an array of records: give a dict of its columns"),
    ],
)
@pytest.mark.parametrize("transform", [grad, lambda f: jit(grad(f))])
def test_arrays_that_would_not_come_back_as_they_are_are_named(array, message, transform):
    with pytest.raises(InputTypeError, match=re.escape(message)):
        transform(lambda x: 1.0 * x.ravel()[0])(array)


@pytest.mark.parametrize("transform", [grad, jacobian, hessian, jit, lambda f: jit(grad(f)), lambda f: jit(f, batch=0)])
def test_containers_too_deep_for_the_stack_are_an_error_that_says_so(transform: Any) -> None:
    itself: list[Any] = []
    itself.append(itself)
    for tree in (nested(1.0, 2000), itself):
        with pytest.raises(StructureError, match=r"holds itself, or containers nested too deep for Python's stack"):
            transform(lambda x: innermost(x) ** 2)(tree)


def test_containers_of_some_hundred_levels_work() -> None:
    square = lambda x: innermost(x) ** 2  # noqa: E731
    assert innermost(grad(square)(nested(1.0, 300))) == innermost(jit(grad(square))(nested(1.0, 300))) == 2.0
    try:  # its own containers are twice as deep, which not every Python has a stack for
        assert innermost(hessian(square)(nested(1.0, 300))) == 2.0
    except StructureError as error:
        assert "the Jacobian of hessian_<lambda> holds itself, or containers nested too deep" in str(error)  # noqa: PT017
    for deep in (nested(1.0, 2000), nested(1.0, 20_000)):
        with pytest.raises(
            InputTypeError, match=r"to return one scalar, and what it returned holds itself, or containers nested"
        ):
            grad(lambda x, deep=deep: deep)(1.0)
