"""Optimizers, learning-rate schedules and gradient clipping; names and formulas are PyTorch's.

Knows nothing of autodiff.  A parameter is any object with a settable ``.data`` and ``.grad``: a Value, or a holder of
NumPy arrays.  Parameters come as a list, as a dict name -> parameter, or as an object with ``named_parameters()``.

`optimizers` and `schedules` are one pure rule each; `parameters` finds what they move, `settings` checks what they are told.
"""

from .optimizers import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop
from .parameters import clip_grad_norm
from .schedules import CosineAnnealingLR, ExponentialLR, LinearLR, Schedule, StepLR

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "CosineAnnealingLR",
    "ExponentialLR",
    "LinearLR",
    "Optimizer",
    "RMSprop",
    "Schedule",
    "StepLR",
    "clip_grad_norm",
]
