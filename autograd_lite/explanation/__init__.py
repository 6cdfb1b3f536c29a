"""The backward pass as readable steps, as text and as LaTeX: `explain`.  What it needs is imported when it is called.

`parts` finds the paths and the kinks, `found` keeps them, `text` and `tex` write them.

What is printed is data first: an `Explanation` (in `found`) has the steps, the paths to one leaf and the kinks on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InputTypeError, InputValueError
from ..value import Value

if TYPE_CHECKING:
    from .found import Explanation

__all__ = ["explain"]


def explain(
    root: Value,
    *,
    format: str = "text",
    of: Value | str | None = None,
    digits: int = 4,
    max_steps: int = 200,
    max_paths: int = 20,
) -> Explanation:
    """The backward pass of a Value, one use of the chain rule at a time; it changes no gradient.

    ``dL/da += dL/dz * ∂z/∂a`` for every operand a of every result z; for one leaf, the sum over all paths to it.  A d is the
    whole derivative of the root, a ∂ a factor: that of one op by one of its operands, in one place.

    >>> x, y = Value(3.0, "x"), Value(5.0, "y")
    >>> product = x * y
    >>> product.name = "L"
    >>> explain(product)
    L = 15: 1 operation, 2 leaves
    <BLANKLINE>
    forward
      L = x × y = 15
    <BLANKLINE>
    backward
      dL/dx += dL/dL·∂L/∂x = 1 × 5 → 5   ∂L/∂x = y
      dL/dy += dL/dL·∂L/∂y = 1 × 3 → 3   ∂L/∂y = x
    <BLANKLINE>
    gradients
      x = 3   dL/dx = 5
      y = 5   dL/dy = 3
    >>> explain(product, of="x").paths[0].value
    5.0

    Args:
        root: the Value to differentiate; without a name it has that of the variable of the caller that holds it, as in `draw`.
        format: "text" for a terminal, or "latex" for an ``align*`` environment (package amsmath).
        of: a Value the root depends on, or its name: shows the paths to it in place of the steps.
        digits: significant digits of the printed numbers.
        max_steps, max_paths: how many lines of a kind are printed, and how many paths are followed, before "... k more".

    Kinks are listed with their one-sided derivatives, and with source lines if the graph was built under
    `detect_anomaly`.  Raises InputTypeError where `root` is no Value, InputValueError for an unknown format or leaf.
    """
    if not isinstance(root, Value):
        raise InputTypeError(f"root={root!r} must be a Value: explain(loss) after loss = ... computed from Values")
    if format not in ("text", "latex"):
        raise InputValueError(f'format={format!r} must be "text" or "latex"')
    for option, given in (("digits", digits), ("max_steps", max_steps), ("max_paths", max_paths)):
        if given.__class__ is not int or given < 1:
            raise InputValueError(f"{option}={given!r} must be a whole number, at least 1")
    from .found import found

    return found(root, of, format, digits, max_steps, max_paths)
