"""Names that were given to Values from outside, and what several names have in common.  Imports `errors`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ..errors import InputTypeError

Node = Any


def given_names(params: Any) -> dict[Node, str] | None:
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
    given: dict[Node, str] = {}
    for name, value in pairs:
        if not hasattr(value, "_data"):
            raise InputTypeError(f"params[{name!r}]={value!r} must be a Value")
        given.setdefault(value, _short(str(name)) if module else str(name))
    return given


def _short(path: str) -> str:
    """A module's path as it is written in Python, the neuron an index of its weights.

    >>> _short("layers.0.neurons.3.w.1"), _short("neurons.2.b"), _short("w.0")
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
