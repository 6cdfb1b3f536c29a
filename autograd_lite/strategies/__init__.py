"""Hypothesis strategies: points of an op, calls of an op, and whole expressions that are well conditioned.

For property tests of derivatives, the library's and your own: a failure shrinks toward one op at a simple point.
Needs the extra ``test`` (hypothesis, mpmath) and is imported by name: ``from autograd_lite.strategies import expressions``.

    arguments  <-  points  <-  formula  <-  conditioning  <-  drawing
"""

from ..errors import MissingPackageError

try:
    import hypothesis as _  # noqa: F401
except ImportError as error:
    raise MissingPackageError(
        "autograd_lite.strategies draws with Hypothesis, which is not installed: pip install 'autograd-lite[test]'"
    ) from error

from .drawing import expressions
from .formula import Expression, Truth
from .points import Call, calls, points, special_points

__all__ = ["Call", "Expression", "Truth", "calls", "expressions", "points", "special_points"]
