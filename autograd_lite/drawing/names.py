"""Names that were given to Values from outside, and what several names have in common.  Imports `errors`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ..errors import InputTypeError

Node = Any


def given_names(params: Any) -> dict[Node, str] | None:
    """The names in `params`, by Value; None where none were given."""
    if params is None:
        return None
    pairs: Iterable[tuple[Any, Any]]
    if hasattr(params, "named_parameters"):
        pairs = params.named_parameters()
    elif isinstance(params, Mapping):
        pairs = params.items()
    else:
        raise InputTypeError(f"params={params!r} must be a dict of names to Values or have named_parameters(), as a Module has")
    given: dict[Node, str] = {}
    for name, value in pairs:
        if not hasattr(value, "_data"):
            raise InputTypeError(f"params[{name!r}]={value!r} must be a Value")
        given.setdefault(value, str(name))
    return given


def common_prefix(names: Collection[str]) -> str:
    """The dotted path that all of several names begin with: ``layers.0.`` of ``layers.0.w`` and ``layers.0.b``."""
    if len(names) < 2:
        return ""
    low, high = min(names), max(names)
    same = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return low[: low.rfind(".", 0, same) + 1]
