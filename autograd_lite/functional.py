"""Transforms of functions: `grad`, `value_and_grad`, `vjp`, `jvp`, `jacobian`, `hessian`, `hvp`.

They take numbers or nested containers and give back the same structure.  Plain numbers in, plain numbers out, at any nesting
and depth; given Values, or a function that reads Values which lived before the call, they build graph.  They touch no ``.grad``
and no global state.

How: each number of a differentiated argument becomes an input node of its own, the function runs once on those, and a
sweep from the result stops at them.  A second derivative needs no more than the same sweep with the rules run on nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, overload

from . import context, graph, sweeps
from . import sparse as sparsity
from .errors import TOO_DEEP, InputTypeError, StructureError
from .inputs import Function, Inputs, jacobian_tree, node_of, nodes_of, plain
from .ops.choice import Masked
from .tree import Number, Spec, Tree, as_float, flatten, flatten_like, unflatten
from .value import Value

P = ParamSpec("P")  # the parameters of a function, which its transforms keep
R = TypeVar("R")  # what it returns
T = TypeVar("T", bound=Any)  # what it is differentiated by


def _result(spec: Spec, outs: Sequence[Number], in_graph: bool) -> Tree:
    return unflatten(spec, nodes_of(outs) if in_graph else [as_float(plain(out)) for out in outs])


@overload
def value_and_grad(  # type: ignore[overload-overlap]
    f: Callable[Concatenate[T, P], R], argnums: Literal[0] = 0
) -> Callable[Concatenate[T, P], tuple[R, T]]: ...
@overload
def value_and_grad(f: Callable[P, R], argnums: int | Sequence[int]) -> Callable[P, tuple[R, Any]]: ...
def value_and_grad(f: Callable[P, R], argnums: int | Sequence[int] = 0) -> Callable[P, tuple[R, Tree]]:
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

    def transformed(*args: P.args, **kwargs: P.kwargs) -> tuple[R, Tree]:
        return _value_and_grad("value_and_grad", f, argnums, args, kwargs)

    transformed.__name__ = f"value_and_grad_{getattr(f, '__name__', 'f')}"
    return transformed


def _value_and_grad(
    transform: str, f: Function, argnums: int | Sequence[int], args: tuple[Tree, ...], kwargs: Mapping[str, Tree]
) -> tuple[Tree, Tree]:  # fmt: skip
    inputs = Inputs(transform, f, args, argnums)
    out = inputs.scalar(inputs.call(f, kwargs))
    adjoints, in_graph = inputs.adjoints({out: 1.0} if isinstance(out, Value) else {})
    return (node_of(out) if in_graph else plain(out)), inputs.restore(adjoints)


@overload
def grad(f: Callable[Concatenate[T, P], Any], argnums: Literal[0] = 0) -> Callable[Concatenate[T, P], T]: ...
@overload
def grad(f: Callable[P, Any], argnums: int | Sequence[int]) -> Callable[P, Any]: ...
def grad(f: Callable[P, Number], argnums: int | Sequence[int] = 0) -> Callable[P, Tree]:
    """The function that gives the gradient of f, in the structure of the argument.

    ``df/dx``

    >>> grad(lambda x: x**3)(2.0)
    12.0
    >>> grad(grad(lambda x: x**3))(2.0)
    12.0

    Args and errors: as `value_and_grad`.
    """
    return _grad("grad", f, argnums)


def _grad(transform: str, f: Callable[P, Number], argnums: int | Sequence[int]) -> Callable[P, Tree]:
    """`grad`, naming another transform in its errors."""

    def transformed(*args: P.args, **kwargs: P.kwargs) -> Tree:
        return _value_and_grad(transform, f, argnums, args, kwargs)[1]

    transformed.__name__ = f"{transform}_{getattr(f, '__name__', 'f')}"
    return transformed


def vjp(f: Callable[..., R], *primals: Tree) -> tuple[R, Callable[[Tree], tuple[Any, ...]]]:
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
    inputs = Inputs("vjp", f, primals, tuple(range(len(primals))))
    outs, spec = inputs.results(inputs.call(f))
    roots = [out for out in outs if isinstance(out, Value)]
    inputs.in_graph = in_graph = inputs.in_graph or graph.has_leaves(roots, frozenset(inputs.nodes), inputs.since)

    def pullback(cotangents: Tree) -> tuple[Tree, ...]:
        seeds: dict[Value, Number] = {}
        given = flatten_like(spec, cotangents, "cotangents", f"the result of {inputs.f_name}")
        for out, g in zip(outs, given, strict=True):
            g = _weight(g, "cotangent")
            if isinstance(out, Value) and g is not None:
                seeds[out] = seeds[out] + g if out in seeds else g
        gradients: tuple[Tree, ...] = inputs.restore(inputs.adjoints(seeds)[0])
        return gradients

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
    inputs = Inputs("jvp", f, tuple(primals), tuple(range(len(primals))))
    outs, out_spec = inputs.results(inputs.call(f))
    inputs.in_graph |= any(isinstance(t, Value) for t in given)
    form, in_graph = inputs.linear_form(outs)
    rates = {x: _weight(t, "tangent") for x, t in zip(inputs.nodes, given, strict=True)}
    moved = sweeps.push(form, {x: t for x, t in rates.items() if t is not None})
    tangent_outs = [moved.get(out, 0.0) if isinstance(out, Value) else 0.0 for out in outs]
    return _result(out_spec, outs, in_graph), _result(out_spec, tangent_outs, in_graph)


def jacobian(f: Callable[P, Tree], argnums: int | Sequence[int] = 0, *, sparse: bool = False) -> Callable[P, Tree]:
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

    def transformed(*args: P.args, **kwargs: P.kwargs) -> Tree:
        inputs = Inputs("jacobian", f, args, argnums)
        outs, spec = inputs.results(inputs.call(f, kwargs))
        form, in_graph = inputs.linear_form(outs)
        entries, width = sparsity.entries(form, inputs.nodes, outs), len(inputs.nodes)
        if sparse:
            pattern = sparsity.Pattern.of(entries, width)
            values = [entries[i][j] for i, j in zip(pattern.rows(), pattern.columns, strict=True)]
            return sparsity.Coordinates.tree_unflatten(pattern, nodes_of(values) if in_graph else list(map(plain, values)))
        rows = [[row.get(j, 0.0) for j in range(width)] for row in entries]
        if in_graph:
            flat = iter(nodes_of(chain.from_iterable(rows)))
            rows = [[next(flat) for _ in row] for row in rows]
        try:
            return jacobian_tree(spec, iter(rows), inputs)
        except RecursionError:
            raise StructureError(f"the Jacobian of {inputs.f_name} {TOO_DEEP}") from None

    transformed.__name__ = f"jacobian_{getattr(f, '__name__', 'f')}"
    made: Any = transformed
    made.sparse = partial(jacobian, f, argnums, sparse=True)  # what jit(..., sparse=True) compiles in its place
    return transformed


def hessian(f: Callable[P, Number], argnums: int | Sequence[int] = 0, *, sparse: bool = False) -> Callable[P, Tree]:
    """The function that gives all second derivatives of a scalar function.

    ``H[i][j] = d^2 f / dx_i dx_j``

    >>> hessian(lambda x: x[0] ** 2 * x[1])([2.0, 3.0])
    [[6.0, 4.0], [4.0, 0.0]]

    Args and errors: as `grad`, and `sparse` as in `jacobian`; the structure is that of ``jacobian(grad(f))``.
    """
    return jacobian(_grad("hessian", f, argnums), argnums, sparse=sparse)


@overload
def hvp(f: Function, primals: tuple[T], tangents: tuple[T]) -> T: ...
@overload
def hvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> Any: ...
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
