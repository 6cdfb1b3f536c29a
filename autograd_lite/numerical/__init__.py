"""Numerical derivatives of any function of floats, with error estimates.

`probe` takes values and tells their noise, `extrapolate` goes to step 0, `derivative` puts them together.
"""

from .derivative import Derivative, numerical_derivative

__all__ = ["Derivative", "numerical_derivative"]
