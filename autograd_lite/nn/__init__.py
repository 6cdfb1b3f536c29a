"""Neurons, layers, multi-layer perceptrons and losses; a `module` is anything that holds parameters.

A Module is a container like a list: its parameters are the Values found in its attributes, and the transforms give
gradients in the same shape.
"""

from .layers import MLP, Layer, Neuron
from .losses import binary_cross_entropy_with_logits, cross_entropy, hinge, huber, mae, mse
from .module import Module

__all__ = [
    "MLP",
    "Layer",
    "Module",
    "Neuron",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "hinge",
    "huber",
    "mae",
    "mse",
]
