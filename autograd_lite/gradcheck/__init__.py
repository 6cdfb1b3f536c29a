"""Proof of derivatives: numerical ones with error estimates, and checks of exact ones against them.

`numerical` differentiates any callable, `report` judges, `rounding` tells faults from rounding, `replay` repeats a graph in
mpmath, `check` puts them together.
"""

from ..errors import GradientCheckError
from ..numerical.derivative import Derivative, numerical_derivative
from .check import check_derivative, check_grads
from .report import Report, Row

__all__ = [
    "Derivative",
    "GradientCheckError",
    "Report",
    "Row",
    "check_derivative",
    "check_grads",
    "numerical_derivative",
]
