"""NumPy, imported when something of it is first used, and what annotations call its arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import MissingPackageError

__all__ = ["NAMES", "Array", "Box", "Indices", "Mask", "np", "numpy"]

# rows by names that NumPy, and what follows it, has others for
NAMES = {
    "neg": "negative", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh",
    "atanh": "arctanh", "atan2": "arctan2", "sub": "subtract", "mul": "multiply", "div": "divide", "pow": "power",
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal", "ne": "not_equal",
}  # fmt: skip

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Indices = NDArray[np.intp]
    Box = tuple[Array, Array]  # the least and the greatest weights
else:
    Array = Mask = Indices = Box = Any

    class _Later:
        def __getattr__(self, name: str) -> Any:
            if (module := numpy()) is None:
                raise MissingPackageError("this needs NumPy, which is not installed: pip install 'autograd-lite[jit]'")
            self.__dict__[name] = found = getattr(module, name)
            return found

    np = _Later()


def numpy() -> Any:
    """The module NumPy, or None where it is not installed."""
    try:
        import numpy
    except ImportError:
        return None
    return numpy
