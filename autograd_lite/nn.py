"""Neurons, layers, multi-layer perceptrons and losses.  Imports `ops`, `value`, `tree` and `errors`.

A Module is a container like a list: its parameters are the Values found in its attributes, and the transforms give
gradients in the same shape.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from numbers import Real
from operator import index
from typing import TYPE_CHECKING, Any

from . import ops
from .errors import InputTypeError, InputValueError, NotALeafError, StructureError
from .files import write_atomically
from .tree import an, as_float
from .value import Value

if TYPE_CHECKING:
    import random

__all__ = [
    "MLP", "Layer", "Module", "Neuron", "binary_cross_entropy_with_logits", "cross_entropy", "hinge", "huber", "mae", "mse",
]  # fmt: skip

Activation = Callable[[Any], Any]


class Module:
    """Anything that holds parameters: the Values in its attributes, and in lists, dicts and modules within them.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.w, self.b = Value(2.0), Value(1.0)
    ...     def __call__(self, x):
    ...         return self.w * x + self.b
    >>> [name for name, p in Line().named_parameters()]
    ['w', 'b']
    """

    def named_parameters(self) -> Iterator[tuple[str, Value]]:
        """Each parameter once, with its path: ``layers.0.neurons.2.b``."""
        seen: set[Value] = set()
        for name, value in _walk(self, ""):
            if value not in seen:
                seen.add(value)
                yield name, value

    def parameters(self) -> list[Value]:
        """The parameters in a fixed order."""
        return [p for _, p in self.named_parameters()]

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0."""
        for p in self.parameters():
            p.zero_grad()

    def tree_flatten(self) -> tuple[list[Any], _Shape]:
        """Parameters that are leaves count as plain numbers; those that a transform has put in are passed on as they are."""
        names, values = [], []
        for name, p in self.named_parameters():
            names.append(name)
            values.append(p if p.op is not None else p.data)
        return values, _Shape(self, names)

    @classmethod
    def tree_unflatten(cls, shape: _Shape, children: Sequence[Any]) -> Module:
        """A module like the one flattened, holding `children` as its parameters."""
        own = shape.module.parameters()
        # a number becomes a parameter of its own; a row of a Hessian may put whole modules in the parameters' places
        replaced = {p: Value(c) if isinstance(c, Real) else c for p, c in zip(own, children, strict=True)}
        copy: Module = _rebuilt(shape.module, replaced, {})
        return copy

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the parameters as JSON; the file is complete or not there at all.

        The format is ``{"format": "autograd_lite.parameters", "version": 1, "parameters": {name: number}}``, with "nan",
        "inf" and "-inf" as strings.
        """
        parameters = {n: p.data if math.isfinite(p.data) else str(p.data) for n, p in self.named_parameters()}
        text = json.dumps({"format": FORMAT, "version": VERSION, "parameters": parameters}, indent=1, allow_nan=False)
        write_atomically(path, text + "\n")

    def load(self, path: str | os.PathLike[str]) -> None:
        """Set the parameters from a file that `save` wrote.

        Raises InputValueError, with nothing changed, where the file is not one or names other parameters.
        """
        try:
            with open(path, encoding="utf-8") as file:
                content = json.loads(file.read())
        except (ValueError, RecursionError) as error:
            raise InputValueError(f"{path} is not JSON ({error}): give a file written by save()") from None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise InputValueError(f"{path} does not hold {FORMAT}: give a file written by save()")
        if content.get("version") != VERSION:
            raise InputValueError(f"{path} has version {content.get('version')!r}, this library reads {VERSION}: save it again")
        saved, own = content.get("parameters"), dict(self.named_parameters())
        if not isinstance(saved, dict):
            raise InputValueError(f"{path} has no table of parameters: give a file written by save()")
        if missing := [n for n in own if n not in saved]:
            raise InputValueError(f"{path} lacks {_some(missing)}: it was saved from a module of another shape")
        if extra := [n for n in saved if n not in own]:
            raise InputValueError(f"{path} also holds {_some(extra)}: it was saved from a module of another shape")
        numbers = {n: _saved_number(saved[n], n, path) for n in own}
        if computed := [n for n, p in own.items() if p.op is not None]:
            raise NotALeafError(f"{_some(computed)} cannot be set: computed from other Values; keep only leaves in a module")
        for name, p in own.items():
            p.data = numbers[name]


FORMAT, VERSION = "autograd_lite.parameters", 1


class _Shape:
    """A module's structure: two are equal where the parameters have the same names."""

    def __init__(self, module: Module, names: list[str]) -> None:
        self.module, self.names = module, names

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Shape) and self.names == other.names

    __hash__ = None  # type: ignore[assignment]


def _saved_number(text: Any, name: str, path: Any) -> float:
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        return as_float(text)
    if text in ("nan", "inf", "-inf"):
        return float(text)
    raise InputValueError(f"{path} gives {name}={text!r}, which is not a number: give a file written by save()")


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _walk(thing: Any, path: str, inside: tuple[Any, ...] = ()) -> Iterator[tuple[str, Value]]:
    """The Values in a module or container with their paths; a module within itself is walked once."""
    if isinstance(thing, Value):
        yield path, thing
        return
    items: Any
    if isinstance(thing, Module):
        if any(thing is outer for outer in inside):
            return
        inside = (*inside, thing)
        items = vars(thing).items()
    elif isinstance(thing, dict):
        items = thing.items()
    elif isinstance(thing, (list, tuple)):
        items = enumerate(thing)
    elif _holds_objects(thing):
        items = enumerate(thing.ravel().tolist())
    else:
        return
    for key, inner in items:
        yield from _walk(inner, f"{path}.{key}" if path else str(key), inside)


def _holds_objects(thing: Any) -> bool:
    """Whether it is a NumPy array of objects, in which Values can be."""
    return bool(getattr(getattr(thing, "dtype", None), "hasobject", False))


def _rebuilt(thing: Any, replaced: dict[Value, Any], copies: dict[int, Any]) -> Any:
    """A copy that holds other parameters; what is not a container is shared, what is shared stays so."""
    if isinstance(thing, Value):
        return replaced[thing]
    if isinstance(thing, Module):
        if id(thing) not in copies:
            copies[id(thing)] = copy = object.__new__(type(thing))
            vars(copy).update({k: _rebuilt(v, replaced, copies) for k, v in vars(thing).items()})
        return copies[id(thing)]
    if isinstance(thing, dict):
        return {k: _rebuilt(v, replaced, copies) for k, v in thing.items()}
    if isinstance(thing, tuple) and hasattr(thing, "_fields"):
        return type(thing)(*(_rebuilt(v, replaced, copies) for v in thing))
    if isinstance(thing, (list, tuple)):
        return type(thing)(_rebuilt(v, replaced, copies) for v in thing)
    if _holds_objects(thing):
        copy = thing.copy()
        copy.ravel()[:] = [_rebuilt(v, replaced, copies) for v in thing.ravel().tolist()]
        return copy
    return thing


def _activation(activation: str | Activation | None) -> Activation | None:
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


def _count(name: str, n: Any) -> int:
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

    def __call__(self, x: Sequence[Any]) -> Any:
        if len(x) != len(self.w):
            raise InputValueError(f"len(x)={len(x)}, but the neuron has {len(self.w)} inputs: give one number for each")
        z = ops.dot(self.w, x) + self.b
        return z if self.activation is None else self.activation(z)

    def __repr__(self) -> str:
        kind = "Linear" if self.activation is None else getattr(self.activation, "symbol", None)
        return f"{kind or getattr(self.activation, '__name__', 'Custom')}Neuron({len(self.w)})"


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

    def __call__(self, x: Sequence[Any]) -> Any:
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

    def __call__(self, x: Sequence[Any]) -> Any:
        for i, layer in enumerate(self.layers):
            out = layer(x)
            x = out if i == len(self.layers) - 1 or isinstance(out, list) else [out]
        return x

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(map(str, self.layers))}]"


# -- losses -----------------------------------------------------------------------------------------------------------


def _paired(name: str, predictions: Any, targets: Any) -> list[tuple[Any, Any]]:
    """Predictions and targets in pairs; one scalar each is a list of one."""
    a = list(predictions) if hasattr(predictions, "__iter__") else [predictions]
    b = list(targets) if hasattr(targets, "__iter__") else [targets]
    if len(a) != len(b):
        raise StructureError(f"{name} of {len(a)} predictions and {len(b)} targets: give one target for each prediction")
    if not a:
        raise InputValueError(f"{name} of no predictions has no mean: give at least one")
    return list(zip(a, b, strict=True))


def mse(predictions: Any, targets: Any) -> Any:
    """The mean squared error: ``mean((p - y)^2)``.

    >>> mse([1.0, 2.0], [1.0, 4.0])
    2.0
    """
    return ops.mean([ops.square(p - y) for p, y in _paired("mse", predictions, targets)])


def mae(predictions: Any, targets: Any) -> Any:
    """The mean absolute error: ``mean(|p - y|)``.

    >>> mae([1.0, 2.0], [1.0, 4.0])
    1.0
    """
    return ops.mean([ops.abs(p - y) for p, y in _paired("mae", predictions, targets)])


def huber(predictions: Any, targets: Any, delta: float = 1.0) -> Any:
    """Squared near the target, absolute beyond `delta`: ``mean(r^2/2 if |r| <= delta else delta (|r| - delta/2))``.

    >>> huber([0.5, 3.0], [0.0, 0.0])
    1.3125

    Args: `delta` in the units of the targets, above 0.  Source: Huber 1964; torch.nn.HuberLoss.
    """
    if not delta > 0:
        raise InputValueError(f"delta={delta} must be above 0: it is where the loss turns from squared to straight")
    terms = []
    for p, y in _paired("huber", predictions, targets):
        size = ops.abs(p - y)
        terms.append(ops.where(ops.le(size, delta), 0.5 * ops.square(p - y), delta * (size - 0.5 * delta)))
    return ops.mean(terms)


def hinge(scores: Any, labels: Any) -> Any:
    """The margin loss for labels -1 and 1: ``mean(relu(1 - y s))``.

    >>> hinge([2.0, 0.5], [1, 1])
    0.25
    """
    pairs = _paired("hinge", scores, labels)
    for i, (_, y) in enumerate(pairs):
        if not isinstance(y, Value) and y not in (-1, 1):
            raise InputValueError(f"labels[{i}]={y!r} must be -1 or 1: turn 0 and 1 into them with 2 * y - 1")
    return ops.mean([ops.relu(1.0 - y * s) for s, y in pairs])


def binary_cross_entropy_with_logits(logits: Any, targets: Any) -> Any:
    """Minus the log likelihood of targets in [0, 1]: ``-mean(y log s(z) + (1 - y) log s(-z))``, s the sigmoid.

    >>> binary_cross_entropy_with_logits([0.0], [1])
    0.6931471805599453
    """
    pairs = _paired("binary_cross_entropy_with_logits", logits, targets)
    return -ops.mean([y * ops.log_sigmoid(z) + (1.0 - y) * ops.log_sigmoid(-z) for z, y in pairs])


def cross_entropy(logits: Any, targets: Any) -> Any:
    """Minus the log likelihood of classes: ``-log_softmax(logits)[target]``, averaged over rows.

    >>> round(cross_entropy([0.0, 0.0], 1), 12)
    0.69314718056

    Args:
        logits: one row of scores, one for each class; or a list of rows.
        targets: for each row the index of its class, or a list of probabilities.
    """
    if not hasattr(logits, "__iter__"):
        raise InputTypeError(f"logits={logits!r} must be a row of scores, one for each class, or a list of rows")
    rows = list(logits)
    if rows and not hasattr(rows[0], "__iter__"):
        rows, targets = [rows], [targets]
    return ops.mean([_row_entropy(list(row), t) for row, t in _paired("cross_entropy", rows, targets)])


def _row_entropy(row: list[Any], target: Any) -> Any:
    if hasattr(target, "__iter__"):
        return -ops.dot(list(target), ops.log_softmax(row))
    if not row:
        raise InputValueError("cross_entropy of a row of no scores: give one for each class")
    if target not in range(len(row)):
        raise InputValueError(f"target={target!r} must be the index of one of {len(row)} classes, 0 to {len(row) - 1}")
    return -ops.log_softmax(row, int(target))
