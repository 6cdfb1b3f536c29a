"""Transforms of functions: `grad`, `value_and_grad`, `vjp`, `jvp`, `jacobian`, `hessian`, `hvp`.

They take numbers or nested containers and give back the same structure.  Plain numbers in, plain numbers out, at any nesting
and depth; given Values, or a function that reads Values which lived before the call, they build graph.  They touch no ``.grad``
and no global state.

How: each number of a differentiated argument becomes an input node of its own, the function runs once on those, and a
sweep from the result stops at them.  A second derivative needs no more than the same sweep with the rules run on nodes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from operator import index
from typing import Any, ParamSpec, TypeVar

from . import context, frames, graph, ops, sweeps
from . import sparse as sparsity
from .errors import TOO_DEEP, GradientWarning, InputTypeError, InputValueError, StructureError
from .ops.choice import Masked
from .protocols import clock
from .tree import Number, Spec, Tree, array_of, as_float, called, flatten, flatten_like, is_scalar, rebuild, size, unflatten
from .value import Value

__all__ = ["grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"]

Function = Callable[..., Any]
P = ParamSpec("P")  # the parameters of a function, which its transforms keep
R = TypeVar("R")  # what it returns


class _Inputs:
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

    def call(self, f: Function, kwargs: Mapping[str, Any] = {}) -> Tree:
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
        return (_nodes(result) if in_graph else result), in_graph

    def linear_form(self, outs: list[Number]) -> tuple[sweeps.LinearForm, bool]:
        """The graph between the inputs and the results as a linear map, and whether its entries are nodes."""
        roots = [out for out in outs if isinstance(out, Value)]
        stop = frozenset(self.nodes)
        in_graph = self.in_graph or graph.has_leaves(roots, stop, self.since)
        return sweeps.linear_form(roots, in_graph, stop), in_graph


def _node(x: Number) -> Value:
    """A result as a node; a plain number becomes a constant one, which depends on nothing."""
    x = Masked.settled(x)
    if isinstance(x, Value) and x.op is not None:
        return x
    return Value._record(ops.identity, (x if isinstance(x, Value) else as_float(x),))  # never a leaf of the user's itself


def _nodes(results: Iterable[Number]) -> list[Value]:
    """Results as nodes, each of its own: a place tells them apart, and to a module one node is one parameter."""
    nodes: dict[Value, None] = {}
    for x in results:
        node = _node(x)
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


def _jacobian_tree(spec: Spec, rows: Iterator[list[Number]], inputs: _Inputs) -> Tree:
    """The structure of the results with each scalar replaced by the structure of the inputs; arrays join their shapes."""
    if spec.kind is None:
        return inputs.restore(next(rows))
    if hasattr(spec.kind, "ravel"):
        return inputs.restore_block([next(rows) for _ in spec.children], spec.detail)
    return rebuild(spec, [_jacobian_tree(child, rows, inputs) for child in spec.children])


def _plain(x: Number) -> Tree:
    return x._data if isinstance(x, Value) else x


def _result(spec: Spec, outs: Sequence[Number], in_graph: bool) -> Tree:
    return unflatten(spec, _nodes(outs) if in_graph else [as_float(_plain(out)) for out in outs])


def value_and_grad(f: Callable[P, R], argnums: int | Sequence[int] = 0) -> Callable[P, tuple[R, Any]]:
    """The function that gives ``(f(...), gradient)``, the gradient in the structure of the argument.

    ``(f(x), df/dx)``

    >>> value_and_grad(lambda w, x: (w["a"] * x + w["b"]) ** 2)({"a": 2.0, "b": 1.0}, 3.0)
    (49.0, {'a': 42.0, 'b': 14.0})

    Args:
        f: a function that returns one scalar.
        argnums: which positional argument to differentiate, or several as a tuple; then the gradient is a tuple too.

    Raises InputTypeError where f does not return one scalar, naming the transform to use instead.  Source: JAX's names.
    What is multiplied on the way are doubles: 1/(1e200*x) has slope 0 here at 1, as 1e-400 is none; `jvp` scales its sweep.
    """

    def transformed(*args: P.args, **kwargs: P.kwargs) -> tuple[R, Any]:
        return _value_and_grad("value_and_grad", f, argnums, args, kwargs)

    transformed.__name__ = f"value_and_grad_{getattr(f, '__name__', 'f')}"
    return transformed


def _value_and_grad(transform: str, f: Function, argnums: Any, args: tuple[Tree, ...], kwargs: Any) -> tuple[Tree, Tree]:
    inputs = _Inputs(transform, f, args, argnums)
    out = inputs.scalar(inputs.call(f, kwargs))
    adjoints, in_graph = inputs.adjoints({out: 1.0} if isinstance(out, Value) else {})
    return (_node(out) if in_graph else _plain(out)), inputs.restore(adjoints)


def grad(f: Callable[P, Any], argnums: int | Sequence[int] = 0) -> Callable[P, Any]:
    """The function that gives the gradient of f, in the structure of the argument.

    ``df/dx``

    >>> grad(lambda x: x**3)(2.0)
    12.0
    >>> grad(grad(lambda x: x**3))(2.0)
    12.0

    Args and errors: as `value_and_grad`.
    """
    return _grad("grad", f, argnums)


def _grad(transform: str, f: Callable[P, Any], argnums: int | Sequence[int]) -> Callable[P, Any]:
    """`grad`, naming another transform in its errors."""

    def transformed(*args: P.args, **kwargs: P.kwargs) -> Any:
        return _value_and_grad(transform, f, argnums, args, kwargs)[1]

    transformed.__name__ = f"{transform}_{getattr(f, '__name__', 'f')}"
    return transformed


def vjp(f: Callable[..., R], *primals: Tree) -> tuple[R, Callable[[Tree], Tree]]:
    """``f(*primals)`` and the function that pulls a gradient of the result back to the arguments.

    ``pullback(v) = v^T J``, a tuple with one entry for each argument

    >>> out, pullback = vjp(lambda x, y: [x * y, x + y], 2.0, 3.0)
    >>> out, pullback([1.0, 10.0])
    ([6.0, 5.0], (13.0, 12.0))

    Args:
        f: a function that returns scalars, alone or in nested containers.
        primals: its arguments.

    Raises StructureError where the pullback's argument does not mirror the result.
    """
    inputs = _Inputs("vjp", f, primals, tuple(range(len(primals))))
    outs, spec = inputs.results(inputs.call(f))
    roots = [out for out in outs if isinstance(out, Value)]
    inputs.in_graph = in_graph = inputs.in_graph or graph.has_leaves(roots, frozenset(inputs.nodes), inputs.since)

    def pullback(cotangents: Tree) -> Tree:
        seeds: dict[Value, Any] = {}
        given = flatten_like(spec, cotangents, "cotangents", f"the result of {inputs.f_name}")
        for out, g in zip(outs, given, strict=True):
            g = _weight(g, "cotangent")
            if isinstance(out, Value) and g is not None:
                seeds[out] = seeds[out] + g if out in seeds else g
        return inputs.restore(inputs.adjoints(seeds)[0])

    return _result(spec, outs, in_graph), pullback


def _weight(given: Number, what: str) -> Tree:
    """A tangent or cotangent; None of a plain 0, which has no influence, also where only a call of the program tells."""
    if not isinstance(given, Value):
        return as_float(given, what) or None
    if (trace := context.trace()) is not None:
        return Masked(given, True, given, loose=True, varies=not trace.is_plain(given))
    return given if given._data else Masked(given, True, given, varies=True)


def jvp(f: Callable[..., R], primals: Sequence[Tree], tangents: Sequence[Tree]) -> tuple[R, R]:
    """``f(*primals)`` and its derivative in the direction `tangents`, by one forward sweep.

    ``(f(x), J t)``

    >>> jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.0))
    (6.0, 3.0)

    Args:
        f: a function that returns scalars, alone or in nested containers.
        primals, tangents: tuples of its arguments and of their rates of change, in the same structures.

    Raises StructureError where primals and tangents differ in structure.
    """
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise InputTypeError("primals and tangents of jvp must be tuples of arguments: jvp(f, (x,), (1.0,))")
    spec = flatten(tuple(primals))[1]
    given = flatten_like(spec, tuple(tangents), "tangents", "primals")
    inputs = _Inputs("jvp", f, tuple(primals), tuple(range(len(primals))))
    outs, out_spec = inputs.results(inputs.call(f))
    inputs.in_graph |= any(isinstance(t, Value) for t in given)
    form, in_graph = inputs.linear_form(outs)
    rates = {x: _weight(t, "tangent") for x, t in zip(inputs.nodes, given, strict=True)}
    moved = sweeps.push(form, {x: t for x, t in rates.items() if t is not None})
    tangent_outs = [moved.get(out, 0.0) if isinstance(out, Value) else 0.0 for out in outs]
    return _result(out_spec, outs, in_graph), _result(out_spec, tangent_outs, in_graph)


def jacobian(f: Callable[P, Any], argnums: int | Sequence[int] = 0, *, sparse: bool = False) -> Callable[P, Any]:
    """The function that gives all first derivatives of all results.

    ``J[i][j] = d f_i / d x_j``: the structure of the result, each scalar in it replaced by the structure of the argument

    >>> jacobian(lambda x: [x[0] * x[1], x[0] + x[1]])([2.0, 3.0])
    [[3.0, 2.0], [1.0, 1.0]]
    >>> jacobian(lambda x: [x[0] ** 2, x[2] ** 2], sparse=True)([1.0, 2.0, 3.0]).shape
    (2, 3)

    Args:
        f: a function that returns scalars, alone or in nested containers.
        argnums: as in `grad`.
        sparse: give a matrix that holds only the entries to which something flows, also where that is 0: a row for each number
            of the result, a column for each of the argument, in their order.  It is SciPy's ``csr_array``; where SciPy is not
            installed, and where entries are Values, an object with ``shape``, ``rows``, ``columns`` and ``values``.

    One sweep for each result over what it depends on; where there are fewer inputs, one for each group of inputs that share
    no result.
    """

    def transformed(*args: P.args, **kwargs: P.kwargs) -> Any:
        inputs = _Inputs("jacobian", f, args, argnums)
        outs, spec = inputs.results(inputs.call(f, kwargs))
        form, in_graph = inputs.linear_form(outs)
        entries, width = sparsity.entries(form, inputs.nodes, outs), len(inputs.nodes)
        if sparse:
            pattern = sparsity.Pattern.of(entries, width)
            values = [entries[i][j] for i, j in zip(pattern.rows(), pattern.columns, strict=True)]
            return sparsity.Coordinates.tree_unflatten(pattern, _nodes(values) if in_graph else list(map(_plain, values)))
        rows = [[row.get(j, 0.0) for j in range(width)] for row in entries]
        if in_graph:
            flat = iter(_nodes(chain.from_iterable(rows)))
            rows = [[next(flat) for _ in row] for row in rows]
        try:
            return _jacobian_tree(spec, iter(rows), inputs)
        except RecursionError:
            raise StructureError(f"the Jacobian of {inputs.f_name} {TOO_DEEP}") from None

    transformed.__name__ = f"jacobian_{getattr(f, '__name__', 'f')}"
    made: Any = transformed
    made.sparse = partial(jacobian, f, argnums, sparse=True)  # what jit(..., sparse=True) compiles in its place
    return transformed


def hessian(f: Callable[P, Any], argnums: int | Sequence[int] = 0, *, sparse: bool = False) -> Callable[P, Any]:
    """The function that gives all second derivatives of a scalar function.

    ``H[i][j] = d^2 f / dx_i dx_j``

    >>> hessian(lambda x: x[0] ** 2 * x[1])([2.0, 3.0])
    [[6.0, 4.0], [4.0, 0.0]]

    Args and errors: as `grad`, and `sparse` as in `jacobian`; the structure is that of ``jacobian(grad(f))``.
    """
    return jacobian(_grad("hessian", f, argnums), argnums, sparse=sparse)


def hvp(f: Function, primals: Sequence[Tree], tangents: Sequence[Tree]) -> Tree:
    """The Hessian times a vector, without the Hessian: a forward sweep over the gradient's graph.

    ``H t``

    >>> hvp(lambda x: x[0] ** 2 * x[1], ([2.0, 3.0],), ([1.0, 0.0],))
    [6.0, 4.0]

    Args:
        f: a function that returns one scalar.
        primals, tangents: as in `jvp`.

    Returns the structure of the argument, a tuple where there are several.
    """
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise InputTypeError("primals and tangents of hvp must be tuples of arguments: hvp(f, (x,), (1.0,))")
    argnums = 0 if len(primals) == 1 else tuple(range(len(primals)))
    return jvp(_grad("hvp", f, argnums), primals, tangents)[1]
