"""Losses over scalars or lists of them, averaged; right where a prediction is saturated."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from .. import ops
from ..errors import InputTypeError, InputValueError, StructureError
from ..ops.arithmetic import share
from ..ops.piecewise import difference
from ..ops.row import composed, numbers
from ..tree import Number, Tree, is_node, is_scalar
from ..value import Value


def _paired(name: str, predictions: Tree, targets: Tree, words: str = "predictions targets") -> list[tuple[Number, Number]]:
    """Predictions and targets in pairs, as floats and Values; one scalar each is a list of one."""
    both = ([x] if is_scalar(x) or not hasattr(x, "__iter__") else list(x) for x in (predictions, targets))
    a, b = (numbers(x, f"{word} of {name}()") if word else x for x, word in zip(both, words.split(" "), strict=True))
    if len(a) != len(b):
        raise StructureError(f"{name} of {len(a)} predictions and {len(b)} targets: give one target for each prediction")
    if not a:
        raise InputValueError(f"{name} of no predictions has no mean: give at least one")
    return list(zip(a, b, strict=True))


@composed
def mse(predictions: Tree, targets: Tree) -> Number:
    """The mean squared error: ``mean((p - y)^2)``.

    >>> mse([1.0, 2.0], [1.0, 4.0])
    2.0
    """
    return ops.mean([ops.square(difference(p, y)) for p, y in _paired("mse", predictions, targets)])


@composed
def mae(predictions: Tree, targets: Tree) -> Number:
    """The mean absolute error: ``mean(|p - y|)``.

    >>> mae([1.0, 2.0], [1.0, 4.0])
    1.0
    """
    return ops.mean([ops.abs(difference(p, y)) for p, y in _paired("mae", predictions, targets)])


@composed
def huber(predictions: Tree, targets: Tree, delta: float = 1.0) -> Number:
    """Squared near the target, absolute beyond `delta`: ``mean(r^2/2 if |r| <= delta else delta (|r| - delta/2))``.

    >>> huber([0.5, 3.0], [0.0, 0.0])
    1.3125

    Args: `delta` in the units of the targets, above 0.  Source: Huber 1964; torch.nn.HuberLoss.
    """
    if not delta > 0:
        raise InputValueError(f"delta={delta} must be above 0: it is where the loss turns from squared to straight")
    terms = []
    for p, y in _paired("huber", predictions, targets):
        error = difference(p, y)
        size = ops.abs(error)
        terms.append(ops.where(ops.le(size, delta), 0.5 * ops.square(error), delta * (size - 0.5 * delta)))
    return ops.mean(terms)


@composed
def hinge(scores: Tree, labels: Tree) -> Number:
    """The margin loss for labels -1 and 1: ``mean(relu(1 - y s))``.

    >>> hinge([2.0, 0.5], [1, 1])
    0.25
    """
    pairs = _paired("hinge", scores, labels, "scores labels")
    for i, (_, y) in enumerate(pairs):
        if not isinstance(y, Value) and y not in (-1, 1):
            raise InputValueError(f"labels[{i}]={y:g} must be -1 or 1: turn 0 and 1 into them with 2 * y - 1")
    return ops.mean([ops.relu(1.0 - y * s) for s, y in pairs])


@composed
def binary_cross_entropy_with_logits(logits: Tree, targets: Tree) -> Number:
    """Minus the log likelihood of targets in [0, 1]: ``-mean(y log s(z) + (1 - y) log s(-z))``, s the sigmoid.

    >>> binary_cross_entropy_with_logits([0.0], [1])
    0.6931471805599453
    """
    pairs = _paired("binary_cross_entropy_with_logits", logits, targets, "logits targets")
    return -ops.mean([_share(y, ops.log_sigmoid(z)) + _share(1.0 - y, ops.log_sigmoid(-z)) for z, y in pairs])


def _share(weight: Number, score: Number) -> Number:
    """``weight * score``, and 0 where the weight is 0 though the score is -inf."""
    if not is_node(weight):
        return weight * score if weight else 0.0
    return share(weight, score)


@composed
def cross_entropy(logits: Tree, targets: Tree) -> Number:
    """Minus the log likelihood of classes: ``-log_softmax(logits)[target]``, averaged over rows.

    >>> round(cross_entropy([0.0, 0.0], 1), 12)
    0.69314718056

    Args:
        logits: one row of scores, one for each class; or a list of rows.
        targets: for each row the index of its class, or a list of probabilities.

    An index that is no class is an InputValueError, and nan where it is a Value, as under jit.
    """
    if not hasattr(logits, "__iter__"):
        raise InputTypeError(f"logits={logits!r} must be a row of scores, one for each class, or a list of rows")
    rows = list(logits)
    if rows and not hasattr(rows[0], "__iter__"):
        rows, targets = [rows], [targets]
    return ops.mean([_row_entropy(row, t) for row, t in _paired("cross_entropy", rows, targets, " ")])


def _row_entropy(scores: Iterable[Number], target: Number) -> Number:
    row = numbers(scores, "logits of cross_entropy()")
    if hasattr(target, "__iter__") and not is_scalar(target):
        shares = numbers(target, "targets of cross_entropy()")
        if len(shares) != len(row):
            raise StructureError(f"cross_entropy of {len(row)} scores and {len(shares)} probabilities: give one for each class")
        return -ops.sum([_share(y, score) for y, score in zip(shares, ops.log_softmax(row), strict=True)])
    if not row:
        raise InputValueError("cross_entropy of a row of no scores: give one for each class")
    if is_node(target):  # under jit: of each row another class, so that nothing may branch on it
        picked: Any = math.nan
        for k, score in enumerate(ops.log_softmax(row)):
            picked = ops.where(ops.eq(target, k), score, picked)
        return -picked
    if target not in range(len(row)):
        raise InputValueError(f"target={target!r} must be the index of one of {len(row)} classes, 0 to {len(row) - 1}")
    return -ops.log_softmax(row, int(target))
