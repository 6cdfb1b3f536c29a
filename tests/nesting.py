"""Containers in containers: deeper than anybody writes them, and all that is in one."""

from collections.abc import Iterator
from typing import Any


def nested(x: Any, depth: int = 300) -> Any:
    """x in so many lists."""
    for _ in range(depth):
        x = [x]
    return x


def innermost(x: Any) -> Any:
    """What is in all of them."""
    while isinstance(x, list):
        x = x[0]
    return x


def places(content: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where anything is in what was read of JSON, the whole too."""
    yield at
    if isinstance(content, (dict, list)):
        for key in content if isinstance(content, dict) else range(len(content)):
            yield from places(content[key], (*at, key))
