"""Numbers, and nested containers of them: what counts as a scalar, and containers <-> flat lists.

A *tree* is a list, tuple, dict (or what was made of them: a named tuple, an OrderedDict, a class of the user's), dataclass,
NumPy array or module of trees, down to scalars; ``None`` is an empty tree.  Anything else can join, as ``nn.Module`` does, by
having ``tree_flatten() -> (children, spec)`` and a class method ``tree_unflatten(spec, children)``.
"""

from __future__ import annotations

import math
import numbers
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from .errors import TOO_DEEP, InputComplexError, InputOverflowError, InputTypeError, StructureError

__all__ = ["as_float", "flatten", "map_leaves", "unflatten"]


Number = Any  # a float, or what computes like one: a Value, a number of a backend, an array of them
Tree = Any  # nested containers of scalars, or a scalar


def as_float(number: Number, what: str = "data") -> float:
    """The exact Python float of a number of any kind: bool, int, Fraction, float subclass, NumPy scalar.

    >>> as_float(True), as_float(3)
    (1.0, 3.0)

    Raises InputTypeError for anything that is not one real number, InputOverflowError for an int beyond 1.8e308.
    """
    if number.__class__ is float:
        return number
    if number.__class__ is int or isinstance(number, numbers.Real):
        try:
            result = float(number)
        except OverflowError:
            result = math.inf
        except TypeError:  # np.timedelta64 calls itself an integer
            raise InputTypeError(_not_a_number(number, what)) from None
        if math.isinf(result) and number != result:
            raise InputOverflowError(f"{what} is {an(number)} too large for a double (limit 1.8e308): scale it down first")
        return result
    if _has_no_axis(number):
        item = number.item()
        if item is not number:
            return as_float(item, what)
    raise (InputComplexError if isinstance(number, complex) else InputTypeError)(_not_a_number(number, what))


def is_node(x: object) -> bool:
    """Whether `x` is a node of a graph, or stands for one: ops on it are recorded."""
    return hasattr(type(x), "_record")


def held(x: Number) -> Number:
    """The node that an array of no axes holds, as NumPy makes one; anything else as it is."""
    if _has_no_axis(x) and is_node(item := x.item()):
        return item
    return x


def is_scalar(x: object) -> bool:
    """Whether `x` is one number or one graph node, rather than a container or something foreign."""
    return x.__class__ is float or is_node(x) or isinstance(x, numbers.Real) or _has_no_axis(x)


def _has_no_axis(x: object) -> bool:
    """Whether it is an np.bool_, a 0-d array or tensor; a dict whose attributes are its items is not asked."""
    return not isinstance(x, (list, tuple, dict)) and getattr(x, "shape", None) == () and hasattr(x, "item")


def _abridged(x: object) -> str:
    return text if len(text := repr(x)) <= 60 else text[:57] + "..."


def an(x: object) -> str:
    """What kind of thing `x` is, with its article: "an int", "a str", "None"."""
    name = type(x).__name__
    return "None" if x is None else f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def called(f: object) -> str:
    """What a function is called in messages: its name, or how it prints."""
    return getattr(f, "__name__", None) or repr(f)


def _not_a_number(x: object, what: str) -> str:
    return f"{what}={_abridged(x)} is {an(x)}, not a real number: {_repair(x)}"


def _repair(x: object) -> str:
    if isinstance(x, (str, bytes)):
        return "convert it with float(...)"
    if isinstance(x, complex):
        return "give its .real or .imag"
    if isinstance(x, numbers.Number) or type(x).__name__ == "Decimal":
        return "convert it with float(...), which rounds"
    if is_node(x):
        return "use it as it is, or take .detach() or .data"
    if hasattr(x, "__iter__"):
        return "give one number at a time"
    return "give an int or a float"


class Spec(NamedTuple):
    """The structure of a tree without its leaves; compare two with ==."""

    kind: Any  # None for a leaf, else the container's class
    detail: Any  # dict keys, an array's shape, a module's own spec; of a user's list or tuple what it holds besides its items
    children: tuple[Spec, ...]


LEAF = Spec(None, None, ())


class Keys(tuple[Any, ...]):
    """The keys of a dict of a class of its own, and what it holds besides its items."""

    extra: Extra

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Keys) and tuple(self) == tuple(other) and self.extra == other.extra

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = tuple.__hash__


class Extra:
    """What an instance of a subclass of list, tuple or dict holds besides its items; two are equal where all of it is."""

    def __init__(self, container: Tree) -> None:
        held = getattr(container, "__dict__", {})
        self.itself = held is container  # a dict that is its own attributes
        self.attributes = {} if self.itself else dict(held)
        for cls in type(container).__mro__:
            names = vars(cls).get("__slots__", ())
            for name in (names,) if isinstance(names, str) else names:
                if hasattr(cls, name) and hasattr(container, name):
                    self.attributes[name] = getattr(container, name)
        if isinstance(container, defaultdict):
            self.attributes["default_factory"] = container.default_factory

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Extra) or self.attributes.keys() != other.attributes.keys():
            return False
        pairs = ((a, other.attributes[name]) for name, a in self.attributes.items())
        return all(a is b or _equal_keys(a, b) for a, b in pairs)

    __hash__ = None  # type: ignore[assignment]

    def give(self, container: Tree) -> Any:
        """The container, with all of it."""
        if self.itself:
            container.__dict__ = container
        for name, thing in self.attributes.items():
            object.__setattr__(container, name, thing)
        return container


def _equal_keys(a: object, b: object) -> bool:
    try:
        return bool(a == b)
    except ValueError:  # arrays
        return False


def kind_of(container: Tree) -> tuple[Any, Any]:
    """The kind and the detail of a list, tuple or dict, which its `Spec` begins with."""
    cls = type(container)
    if cls is list or cls is tuple:
        return cls, None
    if cls is dict:
        return cls, tuple(container)
    if not isinstance(container, dict):
        return cls, Extra(container)
    keys = Keys(container)
    keys.extra = Extra(container)
    return cls, keys


def flatten(tree: Tree, what: str = "argument") -> tuple[list[Number], Spec]:
    """The scalars of a tree in order, and the structure that puts them back.

    >>> leaves, spec = flatten({"w": [1, 2], "b": 3.0})
    >>> leaves, unflatten(spec, [10, 20, 30])
    ([1, 2, 3.0], {'w': [10, 20], 'b': 30})

    Raises InputTypeError naming the place of anything that is neither a scalar nor a container.
    """
    leaves: list[Number] = []
    try:
        return leaves, _flatten(tree, leaves, what)
    except RecursionError:
        raise StructureError(f"{what} {TOO_DEEP}") from None


def _flatten(tree: Tree, leaves: list[Number], where: str) -> Spec:
    if is_scalar(tree):
        if getattr(getattr(tree, "dtype", None), "hasobject", False):  # np.array(v): an array of no axes around a Value
            return _flatten(tree.item(), leaves, where)
        leaves.append(tree)
        return LEAF
    cls = type(tree)
    children: Sequence[Tree]
    detail: Any
    steps: Iterable[str]
    if tree is None:
        children, detail, steps = (), None, ()
    elif hasattr(cls, "tree_flatten"):
        children, detail = tree.tree_flatten()
        steps = (f".{i}" for i in range(len(children)))
    elif isinstance(tree, (list, tuple)):
        children, detail, steps = tree, kind_of(tree)[1], (f"[{i}]" for i in range(len(tree)))
    elif isinstance(tree, dict):
        children, detail, steps = [tree[k] for k in tree], kind_of(tree)[1], (f"[{k!r}]" for k in tree)
    elif hasattr(cls, "__dataclass_fields__") and not isinstance(tree, type):
        from dataclasses import fields  # slow to import; who has a dataclass has it

        detail = tuple(field.name for field in fields(tree))
        children, steps = [getattr(tree, name) for name in detail], (f".{name}" for name in detail)
    elif hasattr(tree, "shape") and hasattr(tree, "ravel"):
        require_plain(tree, where)
        children, detail = tree.ravel().tolist(), tuple(tree.shape)
        steps = (f".flat[{i}]" for i in range(len(children)))
    else:
        raise InputTypeError(
            f"{where}={_abridged(tree)} is {an(tree)}: expected numbers or Values, alone or nested in "
            f"lists, tuples, dicts, NumPy arrays or modules; {_repair(tree)}"
        )
    inside = list[Spec]()
    for child, step in zip(children, steps, strict=True):
        if leaf := child.__class__ is float or is_node(child):  # without a call
            leaves.append(child)
        inside.append(LEAF if leaf else _flatten(child, leaves, where + step))
    return Spec(cls, detail, tuple(inside))


def require_plain(array: Tree, where: str) -> None:
    """Raise InputTypeError for an array that would not come back as what it is."""
    name = type(array).__name__
    if hasattr(array, "mask"):
        repair = "a masked array: give a plain one, array.filled(nan), or leave the masked items out"
    elif name == "matrix":
        repair = "an np.matrix: give an array, np.asarray(matrix)"
    elif getattr(getattr(array, "dtype", None), "names", None):
        repair = "an array of records: give a dict of its columns, {name: array[name] for name in array.dtype.names}"
    else:
        return
    raise InputTypeError(f"{where} is {repair}")


def unflatten(spec: Spec, leaves: Sequence[Number]) -> Tree:
    """The tree of structure `spec` holding `leaves`; the inverse of `flatten`."""
    supply = iter(leaves)
    tree = take(spec, supply)
    if next(supply, supply) is not supply:
        raise StructureError(f"{len(leaves)} leaves are more than the structure holds: give as many as flatten returned")
    return tree


def take(spec: Spec, supply: Iterator[Number]) -> Tree:
    """The tree of a structure, its leaves taken from `supply`, which may hold more.

    Raises StructureError where it holds too few.
    """
    if spec.kind is None:
        try:
            return next(supply)
        except StopIteration:
            raise StructureError("too few leaves for the structure: give as many as flatten returned") from None
    return rebuild(spec, [take(s, supply) for s in spec.children])


def size(spec: Spec) -> int:
    """How many leaves a structure has.

    >>> size(flatten({"w": [1, 2], "b": 3.0})[1])
    3
    """
    return 1 if spec.kind is None else sum(map(size, spec.children))


def rebuild(spec: Spec, children: list[Tree]) -> Tree:
    """One container of the kind that `spec` says, holding `children`."""
    cls, detail, _ = spec
    if cls is type(None):
        return None
    if hasattr(cls, "tree_unflatten"):
        return cls.tree_unflatten(detail, children)
    if cls is dict:
        return dict(zip(detail, children, strict=True))
    if issubclass(cls, dict):
        new = cls.__new__(cls)
        put = OrderedDict.__setitem__ if issubclass(cls, OrderedDict) else dict.__setitem__
        for key, child in zip(detail, children, strict=True):
            put(new, key, child)
        return detail.extra.give(new)
    if cls is tuple:
        return tuple(children)
    if cls is list:
        return children
    if issubclass(cls, tuple):
        return detail.give(cls(children) if hasattr(cls, "n_sequence_fields") else tuple.__new__(cls, children))
    if issubclass(cls, list):
        new = cls.__new__(cls)
        list.extend(new, children)
        return detail.give(new)
    if hasattr(cls, "__dataclass_fields__"):
        new = object.__new__(cls)
        for name, child in zip(detail, children, strict=True):
            object.__setattr__(new, name, child)  # frozen ones too
        return new
    return array_of(children, detail)


def refilled(container: Tree, children: list[Tree]) -> Tree:
    """A list, tuple or dict like this one, holding `children`."""
    return rebuild(Spec(*kind_of(container), ()), children)


def array_of(children: list[Tree], shape: tuple[int, ...]) -> Number:
    """A NumPy array of floats, or of objects where some child is something else."""
    import numpy as np  # the caller gave an array, so it is there

    if all(c.__class__ is float for c in children):
        return np.array(children, dtype=float).reshape(shape)
    array = np.empty(len(children), dtype=object)
    for i, child in enumerate(children):  # one by one: a child may be an array itself
        array[i] = child
    return array.reshape(shape)


def map_leaves(function: Callable[..., Tree], tree: Tree, *others: Tree) -> Tree:
    """The tree with `function` applied to each leaf, and to the leaves of `others` in the same places.

    >>> map_leaves(lambda w, g: w - 0.1 * g, {"w": 1.0, "b": [2.0]}, {"w": 10.0, "b": [20.0]})
    {'w': 0.0, 'b': [0.0]}

    Raises StructureError where the trees differ.
    """
    leaves, spec = flatten(tree)
    columns = [leaves] + [flatten_like(spec, other) for other in others]
    return unflatten(spec, [function(*row) for row in zip(*columns, strict=True)])


def flatten_like(spec: Spec, tree: Tree, what: str = "argument", like: str = "the other") -> list[Number]:
    """The scalars of `tree` in the order of `spec`, whose structure it must have; a dict's keys may come in any order."""
    leaves, other = flatten(tree, what)
    order = _matched(spec, other, iter(range(len(leaves))))
    if order is None:
        raise StructureError(
            f"{what} has the structure {describe(other)}, but {like} has {describe(spec)}: give both the same structure"
        )
    return [leaves[i] for i in order]


def _matched(spec: Spec, other: Spec, places: Iterator[int]) -> list[int] | None:
    """For each leaf of `spec` the place of the same leaf in `other`; None where the structures differ."""
    if len(spec.children) != len(other.children):
        return None
    if spec.kind is None or other.kind is None:
        return [next(places)] if spec.kind is other.kind else None
    dicts = issubclass(spec.kind, dict) and issubclass(other.kind, dict)
    rows = spec.kind in (list, tuple) and other.kind in (list, tuple)
    if not (dicts or rows or spec.kind is other.kind):
        return None
    children = spec.children
    keys = list(range(len(children)))
    if dicts:
        if set(spec.detail) != set(other.detail):
            return None
        keys = [spec.detail.index(key) for key in other.detail]
    elif not issubclass(spec.kind, (list, tuple)) and spec.detail != other.detail:
        return None
    found: dict[int, list[int]] = {}
    for key, child in zip(keys, other.children, strict=True):
        part = _matched(children[key], child, places)
        if part is None:
            return None
        found[key] = part
    return [place for key in range(len(children)) for place in found[key]]


def describe(spec: Spec) -> str:
    """A structure in words a person can compare: ``dict(w: list(*, *), b: *)``."""
    if spec.kind is None:
        return "*"
    if issubclass(spec.kind, dict):
        inside = ", ".join(f"{k}: {describe(s)}" for k, s in zip(spec.detail, spec.children, strict=True))
    elif isinstance(spec.detail, tuple) and hasattr(spec.kind, "ravel"):
        return f"{spec.kind.__name__} of shape {spec.detail}"
    elif len(spec.children) > 4 and all(s == LEAF for s in spec.children):
        inside = f"{len(spec.children)} scalars"
    else:
        inside = ", ".join(map(describe, spec.children))
    return f"{spec.kind.__name__}({inside})"
