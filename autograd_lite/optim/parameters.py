"""Parameters and gradients as optimizers take them: a Module, a dict or a list, by name; and clipping."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from itertools import repeat
from numbers import Real
from typing import Any

from ..errors import InputTypeError, InputValueError, NonFiniteGradientError, StructureError
from ..tree import Number, Tree, an
from .settings import short, valid


def items(what: str, tree: Tree) -> list[tuple[str | None, Tree]]:
    """The (name, item) pairs of a Module, a dict or an iterable, in order; items of an iterable have no name."""
    if hasattr(tree, "named_parameters"):
        return [(str(name), item) for name, item in tree.named_parameters()]
    if isinstance(tree, Mapping):
        return [(str(name), item) for name, item in tree.items()]
    if hasattr(tree, "grad") or not isinstance(tree, Iterable):
        raise InputTypeError(f"{what}={short(tree)} is a single {type(tree).__name__}; put it in a list: [{what}]")
    return [(None, item) for item in tree]


def parameters(params: Tree) -> dict[str, Any]:
    """The parameters by name; each is there once and has .data and .grad."""
    found: dict[str, Any] = {}
    places: dict[int, str] = {}
    for i, (key, item) in enumerate(items("params", params)):
        place = f"params[{i}]" if key is None else key
        if not (hasattr(item, "data") and hasattr(item, "grad")):
            repair = f"wrap it: Value({short(item)})" if isinstance(item, Real) else "it needs .data and .grad"
            raise InputTypeError(f"{place}={short(item)} is {an(item)}, not a parameter; {repair}")
        if id(item) in places:
            raise InputValueError(f"{places[id(item)]} and {place} are the same parameter; give it once")
        places[id(item)] = place
        own = getattr(item, "name", None) if key is None else None
        name = place if own is None or str(own) in found else str(own)
        if name in found:
            raise InputValueError(f"two parameters are called {name!r}; give each a name of its own")
        found[name] = item
    if not found:
        raise InputValueError("params holds no parameter; give at least one (a generator can be used up only once)")
    return found


def numeric(place: str, item: Number, like: Number) -> Number:
    """A float, or an array of the shape of ``like``; a Value, or a parameter that holds a gradient, gives its data."""
    if item.__class__ is float and like.__class__ is float:
        return item
    item = item.data if hasattr(item, "grad") else item
    shape, wanted = getattr(item, "shape", ()), getattr(like, "shape", ())
    if shape != wanted:
        raise StructureError(f"{place} has shape {shape} and its parameter {wanted}; give one number for each")
    if shape:
        return item
    if not (isinstance(item, Real) or hasattr(item, "shape")):
        raise InputTypeError(f"{place}={short(item)} is {an(item)}, not a number; give a float or a Value")
    return float(item)


def nonzero(x: Number) -> bool:
    """Whether a number, or any item of an array, is not 0."""
    return bool(x.any() if hasattr(x, "any") else x)


def require_finite(place: str, value: Number, repair: str) -> None:
    """Raise NonFiniteGradientError naming the place, unless a number or all of an array is finite."""
    finite = abs(value) < math.inf
    if finite is not True and not (finite.all() if hasattr(finite, "all") else finite):
        flat = value.ravel().tolist() if hasattr(value, "ravel") else [value]
        i, bad = next((i, x) for i, x in enumerate(flat) if not math.isfinite(x))
        index = f".flat[{i}]" if getattr(value, "shape", ()) else ""
        raise NonFiniteGradientError(f"{place}{index}={bad} must be finite, so nothing was changed; {repair}")


def clip_grad_norm(params: Tree, max_norm: float) -> float:
    """Scale all ``.grad`` by ``min(1, max_norm / (norm + 1e-6))``, norm being their Euclidean length, and return norm.

    >>> from autograd_lite import Value
    >>> a, b = Value(0.0), Value(0.0)
    >>> (3 * a + 4 * b).backward()
    >>> clip_grad_norm([a, b], max_norm=1.0)
    5.0
    >>> round(a.grad, 6), round(b.grad, 6)
    (0.6, 0.8)

    ``params``: as for an optimizer; ``max_norm``: gradient units, above 0, ``math.inf`` to measure only.
    Raises NonFiniteGradientError, and then nothing has changed.  Source: torch.nn.utils.clip_grad_norm_.
    """
    max_norm, found = valid("max_norm", max_norm), parameters(params)
    moving = {name: p for name, p in found.items() if p.grad is not None and nonzero(p.grad)}
    flat = {}
    for name, p in moving.items():
        grad = numeric(f"gradient of {name}", p.grad, p.data)
        require_finite(f"gradient of {name}", grad, "lower lr or look with detect_anomaly()")
        flat[name] = grad.ravel().tolist() if hasattr(grad, "ravel") else [grad]
    norm = math.hypot(*(x for xs in flat.values() for x in xs))
    require_finite(f"norm with the gradient of {max(flat, key=lambda n: max(map(abs, flat[n])), default='')}", norm,
                    "lower lr or look with detect_anomaly()")  # fmt: skip
    if (scale := max_norm / (norm + 1e-6)) < 1:
        # a zero stays the object it is: an optimizer knows by it that no gradient came
        assign(moving.values(), repeat("grad"), [p.grad * scale for p in moving.values()])
    return norm


def assign(things: Iterable[object], names: Iterable[str], values: Iterable[Number]) -> None:
    """Set an attribute of each: by one call that runs no Python code of ours, so that Ctrl-C comes before or after."""
    deque(map(setattr, things, names, values), maxlen=0)
