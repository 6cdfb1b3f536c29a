"""Whole expressions against high precision through every route: `python tests/benchmarks/expressions.py --count 2000`.

Each expression's value, gradient and second derivatives, by every way the library has to them, against mpmath, in units of
what the expression's conditioning allows (half an ulp in every operand on the way).  The table gives, for each route, how
many numbers were compared, the largest error in that unit, and how many were beyond the limit.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
from collections.abc import Callable, Iterator, Mapping
from time import perf_counter
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from autograd_lite import Value, grad, hessian, hvp, jacobian, jit, jvp, value_and_grad, vjp
from autograd_lite.strategies import Expression, expressions

LIMIT = 8.0  # the table's own promise for one op is 8 ulp times the condition number

Found = Mapping[tuple[int, ...], Any]  # () is the value, (i,) a first and (i, j) a second derivative


def _matrix(rows: Any) -> dict[tuple[int, ...], Any]:
    return {(i, j): d for i, row in enumerate(rows) for j, d in enumerate(row)}


def _vector(row: Any) -> dict[tuple[int, ...], Any]:
    return {(i,): d for i, d in enumerate(row)}


def _units(e: Expression) -> list[tuple[float, ...]]:
    n = len(e.names)
    return [tuple(float(i == j) for j in range(n)) for i in range(n)]


def _all(e: Expression) -> tuple[int, ...]:
    return tuple(range(len(e.names)))


def _floats(e: Expression) -> Found:
    return {(): e(*e.at)}


def _backward(e: Expression) -> Found:
    xs = [Value(x) for x in e.at]
    out = e(*xs)
    out.backward()
    return {(): out.data, **_vector([x.grad for x in xs])}


def _create_graph(e: Expression) -> Found:
    xs = [Value(x) for x in e.at]
    e(*xs).backward(create_graph=True)
    slopes = [x.grad for x in xs]
    rows = []
    for slope in slopes:
        for x in xs:
            x.zero_grad()
        if isinstance(slope, Value):
            slope.backward()
        rows.append([x.grad for x in xs])
    return _vector([s.data if isinstance(s, Value) else s for s in slopes]) | _matrix(rows)


def _value_and_grad(e: Expression) -> Found:
    value, slopes = value_and_grad(e, _all(e))(*e.at)
    return {(): value, **_vector(slopes)}


def _vjp(e: Expression) -> Found:
    value, pullback = vjp(e, *e.at)
    return {(): value, **_vector(pullback(1.0))}


def _jvp(e: Expression) -> Found:
    pairs = [jvp(e, e.at, unit) for unit in _units(e)]
    return {(): pairs[0][0], **_vector([slope for _, slope in pairs])}


def _jacobian(e: Expression) -> Found:
    return _vector(jacobian(e, _all(e))(*e.at))


def _hessian(e: Expression) -> Found:
    return _matrix(hessian(e, _all(e))(*e.at))


def _grad_of_grad(e: Expression) -> Found:
    return _matrix([grad(lambda *xs, i=i: grad(e, i)(*xs), _all(e))(*e.at) for i in _all(e)])


def _forward_over_reverse(e: Expression) -> Found:
    return _matrix([jvp(grad(e, _all(e)), e.at, unit)[1] for unit in _units(e)])


def _reverse_over_forward(e: Expression) -> Found:
    return _matrix([grad(lambda *xs, u=u: jvp(e, xs, u)[1], _all(e))(*e.at) for u in _units(e)])


def _forward_over_forward(e: Expression) -> Found:
    return _matrix([[jvp(lambda *xs, u=u: jvp(e, xs, u)[1], e.at, v)[1] for v in _units(e)] for u in _units(e)])


def _hvp(e: Expression) -> Found:
    return _matrix([hvp(e, e.at, unit) if len(e.at) > 1 else (hvp(e, e.at, unit),) for unit in _units(e)])


def _everything(e: Expression) -> Callable[..., Any]:
    """Value, gradient and second derivatives in one function."""
    return lambda *xs: (value_and_grad(e, _all(e))(*xs), hessian(e, _all(e))(*xs))


def _jit(backend: str) -> Callable[[Expression], Found]:
    def route(e: Expression) -> Found:
        (value, slopes), rows = jit(_everything(e), backend=backend)(*e.at)
        return {(): value, **_vector(slopes), **_matrix(rows)}

    return route


def _jit_batch(backend: str) -> Callable[[Expression], Found]:
    def route(e: Expression) -> Found:
        columns = [[x] * ROWS for x in e.at]
        (value, slopes), rows = jit(_everything(e), batch=_all(e), backend=backend)(*columns)
        last = -1  # of the rows that are left over when vectors are full
        return {(): value[last], **_vector(s[last] for s in slopes), **_matrix([d[last] for d in row] for row in rows)}

    return route


def _has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


ROWS = 11  # of a batch: a vector of eight and some left over

# one line for a route; those of the jit are there where their packages are
ROUTES: dict[str, Callable[[Expression], Found]] = {
    "floats": _floats,
    "backward": _backward,
    "backward, create_graph": _create_graph,
    "value_and_grad": _value_and_grad,
    "vjp": _vjp,
    "jvp": _jvp,
    "jacobian": _jacobian,
    "hessian": _hessian,
    "grad of grad": _grad_of_grad,
    "jvp of grad": _forward_over_reverse,
    "grad of jvp": _reverse_over_forward,
    "jvp of jvp": _forward_over_forward,
    "hvp": _hvp,
    "jit, python": _jit("python"),
    **({"jit, llvm": _jit("llvm")} if _has("llvmlite") else {}),
    **({"jit of a batch, python": _jit_batch("python"), "jit of a batch, numpy": _jit_batch("numpy")} if _has("numpy") else {}),
    **({"jit of a batch, llvm": _jit_batch("llvm")} if _has("llvmlite") and _has("numpy") else {}),
}


def errors(e: Expression, found: Found) -> Iterator[tuple[tuple[int, ...], float]]:
    """How far each number is from the truth, in units of what the conditioning allows."""
    for key, got in found.items():
        names = [e.names[i] for i in key]
        truth, allowance = (
            t.value if not names else t.gradient[names[0]] if len(names) == 1 else t.hessian[names[0]][names[1]]
            for t in (e.truth, e.allowance)
        )  # fmt: skip
        off = float(abs(got - truth)) if math.isfinite(got) else math.inf
        yield key, off / allowance if allowance else math.inf if off else 0.0


def worst(e: Expression, route: str) -> float:
    """The largest error of a route at an expression."""
    return max(error for _, error in errors(e, ROUTES[route](e)))


DRAWING = settings(database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))


def draw(count: int, start: int = 0) -> list[Expression]:
    """So many expressions, the same for the same start, no two of one formula and point."""
    drawn: dict[str, Expression] = {}
    while len(drawn) < count:

        @seed(start)
        @settings(DRAWING, max_examples=min(250, 2 * (count - len(drawn))))
        @given(expressions())
        def collect(e: Expression) -> None:
            drawn.setdefault(repr(e), e)

        collect()
        start += 1
    return list(drawn.values())[:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=2000, help="how many expressions (2000)")
    parser.add_argument("--seed", type=int, default=0, help="which (0)")
    chosen = parser.parse_args()
    began = perf_counter()
    drawn = draw(chosen.count, chosen.seed)
    sizes = sorted(len(e.program) for e in drawn)
    both = sum({0, 1} <= {a for _, args in e.program.instructions for a in args if isinstance(a, int)} for e in drawn)
    ops = {op.name for e in drawn for op in e.ops}
    median = sizes[len(sizes) // 2]
    print(
        f"{len(drawn)} expressions of {sizes[0]} to {sizes[-1]} ops (median {median}), {both} in both variables, "
        f"{len(ops)} ops in all, drawn in {perf_counter() - began:.0f} s"
    )
    print(f"{'route':24}{'numbers':>9}{'worst error':>13}{'beyond ' + format(LIMIT, 'g'):>10}")
    failures = []
    for name, route in ROUTES.items():
        found = [(error, key, e) for e in drawn for key, error in errors(e, route(e))]
        beyond = [f for f in found if not f[0] <= LIMIT]
        failures += [(name, *f) for f in beyond]
        print(f"{name:24}{len(found):9}{max(error for error, _, _ in found):13.3f}{len(beyond):10}")
    for name, error, key, e in failures[:20]:
        print(f"{name} {key}: {error:.3g} at {e!r}")
    raise SystemExit(bool(failures))


if __name__ == "__main__":
    main()
