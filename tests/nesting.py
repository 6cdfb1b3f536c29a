"""Lists in lists, deeper than anybody writes them."""

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
