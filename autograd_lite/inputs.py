"""The arguments that a transform differentiates by, as input nodes of the graph that the function makes of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import index

from . import context, frames, graph, ops, sweeps
from .errors import TOO_DEEP, GradientWarning, InputTypeError, InputValueError, StructureError
from .ops.choice import Masked
from .protocols import clock
from .tree import Number, Spec, Tree, array_of, as_float, called, flatten, is_scalar, rebuild, size, unflatten
from .value import Value

Function = Callable[..., Tree]


class Inputs:
    """The differentiated arguments as fresh input nodes, and the way back to their structure."""

    def __init__(self, transform: str, f: Function, args: tuple[Tree, ...], argnums: int | Sequence[int]) -> None:
        if not callable(f):
            raise InputTypeError(f"f={f!r:.60} is not callable: {transform} takes the function, f, not what it gives, f(x)")
        self.single = hasattr(argnums, "__index__")
        self.f_name = called(f)
        self.transform = transform
        self.nodes: list[Value] = []
        self.specs: list[Spec] = []
        self.in_graph = False  # whether some argument is a Value, whose graph the result must join
        self.since = clock()  # leaves made from here on are the function's own
        self.args = list(args)
        try:
            numbers = (index(argnums),) if self.single else tuple(map(index, argnums))  # type: ignore[arg-type]
        except TypeError:
            raise InputTypeError(f"argnums={argnums!r} of {transform} must be a whole number or a tuple of them") from None
        for number in numbers:
            if not -len(args) <= number < len(args):
                raise InputValueError(
                    f"argnums={argnums} of {transform}, but {self.f_name} was called with {len(args)} positional "
                    f"argument{'s' * (len(args) != 1)}: count from 0, and pass the differentiated arguments by position"
                )
        numbers = tuple(number % len(args) for number in numbers)
        if len(set(numbers)) < len(numbers):
            raise InputValueError(f"argnums={argnums} of {transform} names an argument twice: name each once")
        for number in numbers:
            leaves, spec = flatten(args[number], f"argument {number} of {self.f_name}")
            nodes = [self._lift(leaf, number) for leaf in leaves]
            self.nodes += nodes
            self.specs.append(spec)
            self.args[number] = unflatten(spec, nodes)

    def _lift(self, leaf: Number, number: int) -> Value:
        """An input node of its own over one leaf of an argument."""
        if isinstance(leaf, Value):
            self.in_graph, source = True, leaf
        else:
            source = Value(as_float(leaf, f"argument {number} of {self.f_name}"))
        node = ops.identity(source)
        if (trace := context.trace()) is not None:
            trace.lifted(node)
        node.name = source.name or f"argument {number} of {self.f_name}"
        return node

    def restore(self, leaves: Sequence[Number]) -> Tree:
        """`leaves`, one for each input, in the structure of the differentiated arguments."""
        supply = iter(leaves)
        trees = [unflatten(spec, [next(supply) for _ in range(size(spec))]) for spec in self.specs]
        return trees[0] if self.single else tuple(trees)

    def restore_block(self, rows: list[list[Number]], shape: tuple[int, ...]) -> Tree:
        """The rows of a Jacobian that belong to an array of results: the inputs' structure with arrays at its leaves."""
        places = iter(range(len(self.nodes)))
        trees = [_block(spec, rows, shape, places) for spec in self.specs]
        return trees[0] if self.single else tuple(trees)

    def call(self, f: Function, kwargs: Mapping[str, Tree] = {}) -> Tree:
        """What f gives at the nodes; an error of NumPy's over an array of them gets a note that says what such an array is."""
        try:
            return f(*self.args, **kwargs)
        except (TypeError, AttributeError) as error:
            frames.note_numpys(error)
            raise

    def results(self, out: Tree) -> tuple[list[Number], Spec]:
        """The scalars that f returned, and their structure."""
        if out is None:
            raise InputTypeError(f"{self.transform} of {self.f_name}, which returned None: does it end in a return statement?")
        return flatten(out, f"result of {self.f_name}")

    def scalar(self, out: Number) -> Number:
        """The one scalar that f returned, or an error that names what to use instead."""
        if getattr(out, "shape", None) == () and hasattr(out, "item"):
            out = out.item()
        if isinstance(out, Value):
            return out
        given = f"{self.transform} needs {self.f_name} to return one scalar"
        if out is None:
            raise InputTypeError(f"{given}, and it returned None: does it end in a return statement?")
        if is_scalar(out):
            warnings.warn(
                f"{self.f_name} returned the plain number {out!r}, which does not depend on its arguments: the gradient is "
                f"0. Was a result computed through .data or builtins that drop the graph?",
                GradientWarning,
                stacklevel=frames.stacklevel(),
            )
            return as_float(out)
        try:
            count = len(flatten(out)[0])
        except StructureError:  # of which there may be no repr either
            raise InputTypeError(f"{given}, and what it returned {TOO_DEEP}") from None
        except InputTypeError:
            raise InputTypeError(f"{given}, and it returned {type(out).__name__} {out!r:.60}: return a Value") from None
        raise InputTypeError(
            f"{given}, and it returned a {type(out).__name__} of {count}: use jacobian({self.f_name}) for the derivative "
            f"of each, vjp for a weighted sum of them, or return their sum"
        )

    def adjoints(self, seeds: dict[Value, Number]) -> tuple[list[Number], bool]:
        """Each input's adjoint, and whether they are nodes of a graph."""
        stop = frozenset(self.nodes)
        in_graph = self.in_graph or any(isinstance(g, (Value, Masked)) for g in seeds.values())
        if not in_graph and context.trace() is not None:  # a branch not taken now may be taken by what is traced
            in_graph = graph.has_leaves(seeds, stop, self.since)
        found, _, _, unreached = sweeps.reverse(seeds, in_graph, stop, computed=False)
        if not in_graph and any(x._y < self.since for x in chain(found, unreached) if x not in stop):
            in_graph = True  # f read Values from its surroundings: the answer depends on them
            found = sweeps.reverse(seeds, True, stop).inputs
        result = [found.get(node, 0.0) for node in self.nodes]
        return (nodes_of(result) if in_graph else result), in_graph

    def linear_form(self, outs: list[Number]) -> tuple[sweeps.LinearForm, bool]:
        """The graph between the inputs and the results as a linear map, and whether its entries are nodes."""
        roots = [out for out in outs if isinstance(out, Value)]
        stop = frozenset(self.nodes)
        in_graph = self.in_graph or graph.has_leaves(roots, stop, self.since)
        return sweeps.linear_form(roots, in_graph, stop), in_graph


def node_of(x: Number) -> Value:
    """A result as a node; a plain number becomes a constant one, which depends on nothing."""
    x = Masked.settled(x)
    if isinstance(x, Value) and x.op is not None:
        return x
    return Value._record(ops.identity, (x if isinstance(x, Value) else as_float(x),))  # never a leaf of the user's itself


def nodes_of(results: Iterable[Number]) -> list[Value]:
    """Results as nodes, each of its own: a place tells them apart, and to a module one node is one parameter."""
    nodes: dict[Value, None] = {}
    for x in results:
        node = node_of(x)
        nodes[Value._record(ops.identity, (node,)) if node in nodes else node] = None
    return list(nodes)


def _block(spec: Spec, rows: list[list[Number]], shape: tuple[int, ...], places: Iterator[int]) -> Tree:
    """One argument's part of `restore_block`; `places` are the columns still to be used."""
    if spec.kind is None:
        column = next(places)
        return array_of([row[column] for row in rows], shape)
    if spec.detail is not None and hasattr(spec.kind, "ravel"):
        columns = [next(places) for _ in spec.children]
        return array_of([row[column] for row in rows for column in columns], shape + spec.detail)
    return rebuild(spec, [_block(child, rows, shape, places) for child in spec.children])


def jacobian_tree(spec: Spec, rows: Iterator[list[Number]], inputs: Inputs) -> Tree:
    """The structure of the results with each scalar replaced by the structure of the inputs; arrays join their shapes."""
    if spec.kind is None:
        return inputs.restore(next(rows))
    if hasattr(spec.kind, "ravel"):
        return inputs.restore_block([next(rows) for _ in spec.children], spec.detail)
    return rebuild(spec, [jacobian_tree(child, rows, inputs) for child in spec.children])


def plain(x: Number) -> Number:
    """The number that a node is worth."""
    return x._data if isinstance(x, Value) else x
