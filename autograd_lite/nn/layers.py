"""Neurons, layers and multi-layer perceptrons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from operator import index
from typing import TYPE_CHECKING, Any

from .. import ops
from ..accelerated import layer as in_c
from ..errors import InputTypeError, InputValueError
from ..tree import Number, Tree, an
from ..value import Value
from .module import Module

if TYPE_CHECKING:
    import random

Activation = Callable[[Any], Any]


def _activation(activation: str | Activation | bool | None) -> Activation | None:
    if isinstance(activation, bool):  # micrograd's second argument, nonlin
        return ops.relu if activation else None
    if activation is None or callable(activation):
        return activation
    if activation in ("linear", "identity"):
        return None
    op = ops.TABLE.get(activation)
    if op is None or op.variadic or (op.arity or 0) - len(op.defaults) != 1:
        raise InputValueError(
            f"activation={activation!r} is not a function of one number: "
            f"give 'relu', 'tanh', 'sigmoid', 'gelu', 'silu', 'linear' or a function"
        )
    return op


def _source(seed: int | random.Random | None) -> Any:
    """Where weights are drawn from: a generator of their own, or without a seed the `random` module's."""
    import random

    if seed is None:
        return random
    if hasattr(seed, "uniform"):
        return seed
    try:
        return random.Random(index(seed))
    except TypeError:
        raise InputTypeError(f"seed={seed!r} is {an(seed)}: give a whole number, a random.Random or None") from None


def _count(name: str, n: object) -> int:
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise InputValueError(f"{name}={n!r} must be a whole number of at least 1")
    return n


class Neuron(Module):
    """``activation(w · x + b)``: one `dot`, one add, one bend.

    >>> neuron = Neuron(2, seed=0)
    >>> neuron.w[0].data, neuron.w[1].data = 1.0, -2.0
    >>> neuron([3.0, 1.0]).data
    1.0

    Args:
        nin: number of inputs.
        activation: a name from the op table, a function, or None for a linear neuron.
        seed: of the weights, drawn evenly from [-1, 1]; or a random.Random to draw from.  The bias starts at 0.
        nonlin: micrograd's word: False is a linear neuron.
    """

    def __init__(
        self,
        nin: int,
        activation: str | Activation | None = "relu",
        seed: int | random.Random | None = None,
        nonlin: bool = True,
    ) -> None:
        draw = _source(seed)
        self.w = [Value(draw.uniform(-1.0, 1.0)) for _ in range(_count("nin", nin))]
        self.b = Value(0.0)
        self.activation = _activation(activation) if nonlin else None

    def __call__(self, x: Sequence[Number]) -> Value:
        if len(x) != len(self.w):
            raise InputValueError(f"len(x)={len(x)}, but the neuron has {len(self.w)} inputs: give one number for each")
        z = ops.dot(self.w, x) + self.b
        bent: Value = z if self.activation is None else self.activation(z)
        return bent

    @property
    def nonlin(self) -> bool:
        """Whether there is an activation, as micrograd has it; setting it to False makes the neuron linear, to True a ReLU."""
        return self.activation is not None

    @nonlin.setter
    def nonlin(self, bends: bool) -> None:
        if bool(bends) is not self.nonlin:
            self.activation = _activation(bool(bends))

    def __repr__(self) -> str:
        kind = "Linear" if self.activation is None else getattr(self.activation, "symbol", None)
        return f"{kind or getattr(self.activation, '__name__', 'Custom')}Neuron({len(self.w)})"


_neuron = Neuron.__call__  # what the core in C does for a whole layer


class Layer(Module):
    """Neurons side by side over the same inputs; the outputs are a list, or the one Value where there is one neuron.

    >>> len(Layer(3, 4, seed=0).parameters())
    16

    Args: `nin` inputs, `nout` neurons, and what `Neuron` takes.
    """

    def __init__(
        self,
        nin: int,
        nout: int,
        activation: str | Activation | None = "relu",
        seed: int | random.Random | None = None,
        nonlin: bool = True,
    ) -> None:
        draw = _source(seed)
        self.neurons = [Neuron(nin, activation, draw, nonlin) for _ in range(_count("nout", nout))]

    def __call__(self, x: Sequence[Number]) -> Value | Any:
        out = in_c(self.neurons, x, Neuron) if in_c is not None and Neuron.__call__ is _neuron else None
        if out is None:
            out = [neuron(x) for neuron in self.neurons]
        return out[0] if len(out) == 1 else out

    def __repr__(self) -> str:
        return f"Layer of [{', '.join(map(str, self.neurons))}]"


class MLP(Module):
    """Layers one after the other, the last one linear.

    >>> model = MLP(2, [16, 16, 1], seed=0)
    >>> len(model.parameters())
    337

    Args:
        nin: number of inputs.
        nouts: number of neurons of each layer.
        activation: of all layers but the last.
        seed: of all weights; without one they come from the `random` module's own state, as in micrograd.
    """

    def __init__(
        self,
        nin: int,
        nouts: Sequence[int],
        activation: str | Activation | None = "relu",
        seed: int | random.Random | None = None,
    ) -> None:
        if not hasattr(nouts, "__len__"):
            raise InputTypeError(f"nouts={nouts!r} is {an(nouts)}: give a list with the neurons of each layer, [16, 16, 1]")
        if not nouts:
            raise InputValueError(f"nouts={nouts!r} must name at least one layer: MLP(2, [16, 16, 1])")
        draw = _source(seed)
        sizes = [nin, *nouts]
        self.layers = [Layer(n, m, activation, draw, nonlin=i < len(nouts) - 1) for i, (n, m) in enumerate(pairwise(sizes))]

    def __call__(self, x: Sequence[Number]) -> Value | Any:
        out: Tree = x
        for layer in self.layers:
            out = layer([out] if isinstance(out, Value) else out)
        return out

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(map(str, self.layers))}]"
