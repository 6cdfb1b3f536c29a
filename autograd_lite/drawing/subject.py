"""What `draw` is given: a Value, several, or a function with its numbers; and what things are called."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from .. import context, frames
from ..errors import InputTypeError
from ..formula import notation
from ..graph import Node
from ..ops import Op, ne
from ..tree import Number, Tree
from ..value import Value


class Subject(NamedTuple):
    """What is drawn, the names it has beside those of the Values themselves, and the branches that were taken."""

    root: Any
    names: dict[Any, str]
    others: tuple[Any, ...] = ()  # further results, whose gradients are not shown
    guards: tuple[tuple[Any, bool, str], ...] = ()


class _Branches(context.Recorder):
    """Told of the comparisons that a function makes, as a trace is."""

    def __init__(self) -> None:
        self.guards: list[tuple[Any, bool, str]] = []

    def compared(self, relation: Op, a: Value, b: Number, outcome: bool) -> bool:
        """Two were compared."""
        self.note(relation, a, b if isinstance(b, Value) else float(b), outcome)
        return outcome

    def decided(self, node: Value, outcome: bool) -> None:
        """The truth of a Value was asked for."""
        self.note(ne, node, 0.0, outcome)

    def note(self, relation: Op, a: Number, b: Number, outcome: bool) -> None:
        """Keep a branch, with the line it was taken at."""
        with context.unwatched():
            node = relation(a, b)
        self.guards.append((node, outcome, frames.source_line()))


def subject(root: Any, name: str | None, named: Mapping[str, Tree]) -> Subject:
    """What is to be drawn, of the arguments of `draw`.

    Raises InputTypeError for what is no Value, and says how a function is given.
    """
    if name is not None and not isinstance(name, str):
        raise InputTypeError(f"name={name!r} must be a string: draw(loss, name='loss')")
    if root is None and len(named) == 1:
        ((name, root),) = named.items()
        named = {}
    if callable(root) and not hasattr(root, "_data"):
        called = getattr(root, "__name__", type(root).__name__)
        if hasattr(root, "named_parameters"):
            raise InputTypeError(f"root={root!r} is a module: draw what it gives, draw(model(inputs), params=model)")
        if not named:
            raise InputTypeError(
                f"root={called} is a function: give its numbers by name, draw({called}, w=2.0, b=1.0), or draw what it returns"
            )
        return _called(root, name or ("" if called.startswith("<") else called), named)
    if named:
        word = next(iter(named))
        raise InputTypeError(f"draw() has no option {word!r}; a function takes its numbers by name, draw(f, {word}=...)")
    if isinstance(root, (list, tuple)) and root and all(hasattr(each, "_data") for each in root):
        names = {each: found for each in root if each.name is None and (found := frames.variable(each))}
        return _results(root, names, name or notation.RESULT)
    if root is None:
        raise InputTypeError("draw() needs a Value, or a function and its numbers: draw(loss), draw(f, w=2.0, b=1.0)")
    if not hasattr(root, "_data"):
        raise InputTypeError(f"root={root!r} must be a Value: draw what a computation on Values gave")
    if name is None and root.name is None:
        name = frames.variable(root) or None
    return Subject(root, {} if name is None else {root: name})


def _called(f: Callable[..., Number], name: str, numbers: Mapping[str, Tree]) -> Subject:
    """A function called on named Values, its branches kept."""
    leaves = {key: x if isinstance(x, Value) else Value(x, key) for key, x in numbers.items()}
    branches = _Branches()
    args, named = _bound(f, name or "the function", leaves)
    with context.tracing(branches):
        root = f(*args, **named)
    several = list(root) if isinstance(root, (list, tuple)) else [root]
    if not several or not all(hasattr(each, "_data") for each in several):
        raise InputTypeError(
            f"{name or 'the function'} returned {root!r}, which is no Value: it must compute with its arguments"
        )
    return _results(several, {}, name or notation.RESULT)._replace(guards=tuple(branches.guards))


def _results(roots: Iterable[Value], names: dict[Node, str], name: str) -> Subject:
    """One result or several; those without a name are numbered where there is more than one."""
    results = list(dict.fromkeys(roots))
    unnamed = [each for each in results if not (each.name or each in names) and (each.op is not None or len(results) == 1)]
    numbers = range(1, len(unnamed) + 1) if len(unnamed) > 1 else [""]
    names |= {each: f"{name}{k}" for k, each in zip(numbers, unnamed, strict=False)}
    return Subject(results[0], names, tuple(results[1:]))


def _bound(f: Callable[..., Number], name: str, leaves: Mapping[str, Value]) -> tuple[list[Value], dict[str, Value]]:
    """How a function takes these: by name, or in order where it has no names for them, as `sin` has none.

    Raises InputTypeError where it takes others.
    """
    import inspect

    if isinstance(f, Op):
        return list(leaves.values()), {}
    try:
        signature = inspect.signature(f)
    except (TypeError, ValueError):  # one that is written in C and does not say
        return [], dict(leaves)
    kinds = {p.kind for p in signature.parameters.values()}
    unnamed = kinds <= {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL}
    args, named = (list(leaves.values()), {}) if unnamed else ([], dict(leaves))
    try:
        signature.bind(*args, **named)
    except TypeError as error:
        takes = str(signature).partition(" ->")[0]
        raise InputTypeError(f"{name}{takes} cannot be called with {', '.join(leaves)}: {error}") from None
    return args, named


# -- names -----------------------------------------------------------------------------------------------------------


def given_names(params: Tree) -> dict[Node, str] | None:
    """The names in `params`, by Value; None where none were given."""
    if params is None:
        return None
    pairs: Iterable[tuple[Any, Any]]
    module = hasattr(params, "named_parameters")
    if module:
        pairs = params.named_parameters()
    elif isinstance(params, Mapping):
        pairs = params.items()
    else:
        raise InputTypeError(f"params={params!r} must be a dict of names to Values or have named_parameters(), as a Module has")
    given: dict[Any, str] = {}
    for name, value in pairs:
        if not hasattr(value, "_data"):
            raise InputTypeError(f"params[{name!r}]={value!r} must be a Value")
        given.setdefault(value, _as_python(str(name)) if module else str(name))
    return given


def _as_python(path: str) -> str:
    """A module's path as it is written in Python, the neuron an index of its weights.

    >>> _as_python("layers.0.neurons.3.w.1"), _as_python("neurons.2.b"), _as_python("w.0")
    ('layers[0].w[3][1]', 'b[2]', 'w[0]')
    """
    path = re.sub(r"\bneurons\.(\d+)\.(\w+)", r"\2.\1", path)
    return re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", path)


def common_prefix(names: Collection[str]) -> str:
    """The dotted path that all of several names begin with: ``layers.0.`` of ``layers.0.w`` and ``layers.0.b``."""
    if len(names) < 2:
        return ""
    low, high = min(names), max(names)
    same = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return low[: low.rfind(".", 0, same) + 1]
