"""Numerical derivatives of any function of floats, with error estimates."""

from .derivative import Derivative, numerical_derivative

__all__ = ["Derivative", "numerical_derivative"]
