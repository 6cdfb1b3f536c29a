"""autograd_lite: exact gradients of ordinary Python arithmetic, one scalar at a time."""

from . import errors, nn, ops, optim
from .ops import *  # noqa: F403
from .functional import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from .ops import FUNCTIONS, Op
from .value import Value

TRANSFORMS = ("grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp")
SHADOWING = {"abs", "pow", "sum"}  # reached as autograd_lite.sum, but a star import leaves the builtins alone

__all__ = ["Op", "Value", "errors", "nn", "ops", "optim", *TRANSFORMS, *(f for f in FUNCTIONS if f not in SHADOWING)]  # noqa: PLE0604
