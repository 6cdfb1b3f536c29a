"""Proof of derivatives: numerical ones with error estimates, and checks of exact ones against them.

subject     the function under check, as one of flat floats
verdict     judges one exact derivative beside a numerical one (of `autograd_lite.numerical`)
rounding    what rounding may do to it; `places` where values cannot tell; `limits` at points without neighbours
replay      a graph repeated in mpmath; `certify` what that says
localise    the first op that is wrong
report      rows and text; `check` puts them together
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
