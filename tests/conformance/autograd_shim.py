"""HIPS autograd's module tree over this library, as far as its tests of scalars, graphs and the core ask for it.

`install(setitem)` puts the modules into `sys.modules`: `autograd`, `autograd.core`, `autograd.wrap_util`, `autograd.test_util`,
`autograd.numpy` and `autograd.numpy.random`.  Written for this repository; none of it is autograd's text.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from types import ModuleType
from typing import Any

import numpy

import autograd_lite as al
from autograd_lite import Value
from autograd_lite.tree import flatten, flatten_like, unflatten

STEP = 1e-6
TOLERANCE = 1e-6

OURS = {
    "abs": al.abs, "sin": al.sin, "cos": al.cos, "tan": al.tan, "sinh": al.sinh, "cosh": al.cosh, "tanh": al.tanh,
    "arcsin": al.asin, "arccos": al.acos, "arctan": al.atan, "arcsinh": al.asinh, "arccosh": al.acosh, "arctanh": al.atanh,
    "exp": al.exp, "exp2": al.exp2, "expm1": al.expm1, "log": al.log, "log2": al.log2, "log10": al.log10, "log1p": al.log1p,
    "sqrt": al.sqrt, "power": al.pow, "sign": al.sign, "mod": al.mod, "divide": al.div, "true_divide": al.div,
    "multiply": al.mul, "negative": al.neg, "reciprocal": al.reciprocal, "rad2deg": al.degrees, "degrees": al.degrees,
    "deg2rad": al.radians, "radians": al.radians, "sinc": al.sinc,
}  # fmt: skip


def _function(name: str) -> Callable[..., Any]:
    """Our function where an argument is a Value, NumPy's of that name for numbers and arrays."""

    def function(*args: Any, **kwargs: Any) -> Any:
        ours = any(isinstance(a, Value) for a in args)
        return (OURS[name] if ours else getattr(numpy, name))(*args, **kwargs)

    return function


def grad(fun: Callable[..., Any], argnum: int = 0) -> Callable[..., Any]:
    """Ours, for functions whose result may also be an array of one item."""

    @wraps(fun)
    def scalar(*args: Any) -> Any:
        out = fun(*args)
        return out.item() if getattr(out, "size", None) == 1 else out

    return al.grad(scalar, argnum)


def make_vjp(fun: Callable[..., Any], x: Any) -> tuple[Callable[[Any], Any], Any]:
    out, pullback = al.vjp(fun, x)
    return (lambda g: pullback(g)[0]), out


def unary_to_nary(unary: Callable[..., Any]) -> Callable[..., Any]:
    """An operator on functions of one argument as one that takes the number of the argument meant."""

    def nary(fun: Callable[..., Any], argnum: int = 0, *options: Any) -> Callable[..., Any]:
        @wraps(fun)
        def applied(*args: Any) -> Any:
            return unary(lambda x: fun(*args[:argnum], x, *args[argnum + 1 :]), args[argnum], *options)

        return applied

    return nary


# -- check_grads ------------------------------------------------------------------------------------------------------

draw = numpy.random.RandomState(2)


def _like(tree: Any) -> Any:
    """Random numbers, none of them small, in the structure of another container."""
    leaves, spec = flatten(tree)
    return unflatten(spec, [draw.choice((-1.0, 1.0)) * draw.uniform(0.5, 1.5) for _ in leaves])


def _inner(a: Any, b: Any) -> Any:
    left, spec = flatten(a)
    return sum((x * y for x, y in zip(left, flatten_like(spec, b), strict=True)), 0.0)


def _plus(args: Sequence[Any], directions: Sequence[Any], h: float) -> tuple[Any, ...]:
    leaves, spec = flatten(tuple(args))
    return unflatten(spec, [float(x + h * v) for x, v in zip(leaves, flatten_like(spec, tuple(directions)), strict=True)])


def _agree(what: str, exact: Any, numeric: Any) -> None:
    assert isinstance(exact, float), f"{what}: plain numbers in, and {exact!r} out"
    numeric = float(numeric)
    close = abs(exact - numeric) <= TOLERANCE or abs(exact - numeric) <= TOLERANCE * abs(exact + numeric)
    assert close, f"{what}: {exact} by the rules, {numeric} by differences"


def check_grads(f: Callable[..., Any], modes: Sequence[str] = ("fwd", "rev"), order: int = 2) -> Callable[..., None]:
    """Compare forward and reverse derivatives by every argument with central differences, and theirs in turn."""
    assert set(modes) <= {"fwd", "rev"}

    def check(*args: Any) -> None:
        directions = tuple(map(_like, args))
        weights = _like(f(*args))
        right, left = (_inner(weights, f(*_plus(args, directions, h))) for h in (STEP / 2, -STEP / 2))
        numeric = (right - left) / STEP
        n = len(args)

        def forward(*both: Any) -> Any:
            return al.jvp(f, both[:n], both[n:])[1]

        def reverse(*both: Any) -> Any:
            return al.vjp(f, *both[:n])[1](both[n])

        if "fwd" in modes:
            _agree("forward mode", _inner(weights, forward(*args, *directions)), numeric)
            if order > 1:
                check_grads(forward, modes, order - 1)(*args, *directions)
        if "rev" in modes:
            _agree("reverse mode", _inner(reverse(*args, weights), directions), numeric)
            if order > 1:
                check_grads(reverse, modes, order - 1)(*args, weights)

    return check


# -- the module tree --------------------------------------------------------------------------------------------------


def _module(name: str, **contents: Any) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(contents)
    return module


def install(setitem: Callable[[Any, str, Any], None]) -> None:
    """Enter the modules, each by ``setitem(sys.modules, name, module)``, which may be a monkeypatch's."""
    random = _module("autograd.numpy.random")
    state = numpy.random.RandomState()
    vars(random).update(seed=state.seed, rand=state.rand, randn=state.randn)
    arrays = _module("autograd.numpy", random=random, __getattr__=lambda name: getattr(numpy, name))
    vars(arrays).update({name: _function(name) for name in OURS})
    modules = {
        "core": _module("autograd.core", make_vjp=make_vjp),
        "wrap_util": _module("autograd.wrap_util", unary_to_nary=unary_to_nary),
        "test_util": _module("autograd.test_util", check_grads=check_grads),
        "numpy": arrays,
    }
    setitem(sys.modules, "autograd", _module("autograd", grad=grad, **modules))
    for name, module in modules.items():
        setitem(sys.modules, f"autograd.{name}", module)
    setitem(sys.modules, "autograd.numpy.random", random)
