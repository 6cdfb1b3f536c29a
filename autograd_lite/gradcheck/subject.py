"""The function under check as one of flat floats: its inputs and outputs by name, its values and gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .. import sweeps
from ..errors import AutogradError, InputTypeError, InputValueError
from ..functional import vjp
from ..ops import Op
from ..tree import Number, Spec, Tree, as_float, flatten, unflatten
from ..value import Value

FEW = 20  # inputs that are checked one by one; more are checked along random directions
DIRECTIONS = 8

Vector = Sequence[float]


class CheckedFunction:
    """The function under check: flat inputs and outputs with names, and every value and gradient computed once."""

    def __init__(self, f: Callable[..., Tree], args: tuple[Tree, ...]) -> None:
        self.f = f
        self.name = name_of(f)
        leaves, self.spec = flatten(args, "args")
        self.point = tuple(leaf.data if isinstance(leaf, Value) else as_float(leaf, "args") for leaf in leaves)
        if not self.point:
            raise InputValueError(f"args={args!r} hold no numbers: give the point at which to check {self.name}")
        names = parameters(f, len(args))
        self.inputs = [p for name, spec in zip(names, self.spec.children, strict=True) for p in _paths(spec, name)]
        self.known: dict[tuple[float, ...], list[float]] = {}
        self.gradients: dict[tuple[int, tuple[float, ...]], list[float]] = {}
        outs, self.out_spec = self._run()
        self.outputs = _paths(self.out_spec, self.name)
        if not outs:
            raise InputTypeError(f"{self.name} returned no scalar: does it end in a return statement?")
        for name, first, second in zip(self.outputs, outs, self._run()[0], strict=False):
            a, b = plain(first), plain(second)
            if a != b and (a == a or b == b):
                raise InputValueError(
                    f"{name} is no function: two calls at {self._at()} gave {a!r} and {b!r}: "
                    f"hold random numbers and state fixed"
                )

    def _run(self) -> tuple[list[Number], Spec]:
        """What f gives at the point, flat."""
        try:
            return flatten(self.f(*self.tree([Value(x) for x in self.point])), f"result of {self.name}")
        except AutogradError:
            raise
        except (ArithmeticError, ValueError) as error:
            raise InputValueError(
                f"{self.name} cannot be computed at {self._at()} ({error}): give a point of its domain; "
                "an op of yours says where it is defined with Op(..., domain=[Interval(0.0, inf)]), and strategies draw there"
            ) from error

    def _at(self) -> str:
        return ", ".join(f"{name}={x:g}" for name, x in zip(self.inputs, self.point, strict=True))

    def tree(self, leaves: Sequence[Number]) -> tuple[Number, ...]:
        """The arguments of f from flat ones."""
        return tuple(unflatten(self.spec, leaves))

    def out(self, k: int, leaves: Sequence[Number]) -> Number:
        """Output k of f at flat arguments, as f gives it."""
        return flatten(self.f(*self.tree(leaves)))[0][k]

    def value(self, k: int, point: tuple[float, ...]) -> float:
        """Output k; f always runs on Values, as it may use their methods."""
        if point not in self.known:
            outs = flatten(self.f(*self.tree([Value(x) for x in point])))[0]
            self.known[point] = [plain(out) for out in outs]
        return self.known[point][k]

    def gradient_of(self, k: int) -> Callable[..., list[Number]]:
        """The gradient of output k as a function of the arguments, flat."""

        def gradient(*args: Tree) -> list[Number]:
            pullback = vjp(lambda *a: flatten(self.f(*a))[0][k], *args)[1]
            return flatten(pullback(1.0))[0]

        return gradient

    def slope(self, k: int, point: tuple[float, ...], weights: Vector) -> float:
        """The gradient of output k at a point, times a vector."""
        if (k, point) not in self.gradients:
            leaves = [Value(x) for x in point]
            out = self.out(k, leaves)
            found = sweeps.reverse({out: 1.0}).inputs if isinstance(out, Value) else {}
            self.gradients[k, point] = [plain(found.get(leaf, 0.0)) for leaf in leaves]
        return pick(self.gradients[k, point], weights)

    def directions(self) -> list[tuple[str, Vector]]:
        """Each input alone where they are few; else random signs times the size of each input, rounded to powers of two."""
        n = len(self.point)
        if n <= FEW:
            return [(name, [float(i == j) for j in range(n)]) for i, name in enumerate(self.inputs)]
        import random  # slow to import, and wanted only here

        draw = random.Random(0)
        sizes = [math.ldexp(1.0, math.frexp(x)[1] - 1) if x and math.isfinite(x) else 1.0 for x in self.point]
        return [(f"direction {i + 1} of {DIRECTIONS}", [draw.choice((-s, s)) for s in sizes]) for i in range(DIRECTIONS)]

    def along(
        self, g: Callable[[tuple[float, ...]], float], direction: Vector, at: tuple[float, ...] | None = None
    ) -> tuple[Callable[[float], float], float]:
        """`g` on the line through the point, or another, in a direction, as a function of a float, and where on it that is."""
        point = self.point if at is None else at
        moving = [i for i, d in enumerate(direction) if d]
        if len(moving) == 1:
            (i,) = moving
            return lambda t: g((*point[:i], t, *point[i + 1 :])), point[i]
        # from 1, so that steps stay above the rounding of each input
        return lambda t: g(tuple(x + (t - 1.0) * d for x, d in zip(point, direction, strict=True))), 1.0


def plain(x: Tree) -> float:
    """A number or a Value as a float."""
    return x.data if isinstance(x, Value) else as_float(x)


def pick(gradient: Sequence[float], weights: Vector) -> float:
    """The sum over the terms that take part, so that an infinite one elsewhere does no harm."""
    return sum(g * w for g, w in zip(gradient, weights, strict=True) if w)


def parameters(f: Callable[..., Tree], count: int) -> list[str]:
    """The names of a function's arguments from its signature, an op's from that of its rule."""
    import inspect  # slow to import, and wanted only here

    if isinstance(f, Op):
        f = next((rule for rule in f.partials if callable(rule)), f.forward)
        names = parameters(f, count + 1)[:count]  # a rule takes the result too
        return names if names and not names[0].startswith("args[") else [f"args[{i}]" for i in range(count)]
    try:
        names = [
            p.name for p in inspect.signature(f).parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
    except (TypeError, ValueError):
        names = []
    return names if len(names) == count else ["x"] if count == 1 else [f"args[{i}]" for i in range(count)]


def _paths(spec: Spec, name: str) -> list[str]:
    """How each leaf of a structure is reached: ``w['a'][0]``."""
    if spec.kind is None:
        return [name]
    keys: Iterable[Any] = range(len(spec.children))
    if isinstance(spec.kind, type) and issubclass(spec.kind, dict):
        keys = map(repr, spec.detail)
    return [path for key, child in zip(keys, spec.children, strict=True) for path in _paths(child, f"{name}[{key}]")]


def name_of(f: Callable[..., Tree]) -> str:
    """What a function is called in a report; ``f`` where it has no name that can be written."""
    name = getattr(f, "__name__", "f")
    return name if name.isidentifier() else "f"
