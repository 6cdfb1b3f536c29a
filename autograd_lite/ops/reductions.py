"""Rows over any number of items, one node each: sum, prod, mean, dot, and the family of logsumexp.

A sum is added up from left to right, one rounding a term, so that compiled code gives the same bits.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from itertools import accumulate
from math import inf, nan
from types import ModuleType

from ..errors import InputTypeError, InputValueError
from ..tree import as_float, is_node
from .activations import sigmoid
from .arithmetic import _two_sum, div, sub
from .choice import eq, gt, lt, where, zero
from .columns import INDEX, MANY, Number, of_lists
from .piecewise import abs, difference
from .powers import exp, inverse, log1p
from .row import Op, composed, helper, numbers, publish, row
from .words import both, either, negate

# -- sums and products ------------------------------------------------------------------------------------------------


def _items(name: str) -> Number:
    def gather(*args: Number) -> tuple[Number, ...]:
        if len(args) != 1 or not hasattr(args[0], "__iter__"):
            raise InputTypeError(f"{name}() takes one list of items: {name}([x, y, z])")
        return tuple(args[0])

    return gather


def _pairs(*args: Number) -> tuple[Number, ...]:
    try:
        first, second = args
        a, b = (*first,), (*second,)
    except (TypeError, ValueError):
        raise InputTypeError("dot() takes two lists of items of one length: dot([u, v], [x, y])") from None
    if len(a) != len(b):
        raise InputValueError(f"dot() of {len(a)} and {len(b)} items: give both the same number")
    return a + b


def _prod_partials(args: Sequence[Number], out: Number) -> list[Number]:
    """Each the product of the others, from the products before and after it: no division, so zeros do no harm."""
    before = [1.0, *accumulate(args[:-1], operator.mul)]
    after = [1.0, *accumulate(args[:0:-1], operator.mul)][::-1]
    return list(map(operator.mul, before, after))


def _plus(items: Iterable[Number]) -> Number:
    return reduce(operator.add, items, 0.0)


def _mean(*items: Number) -> Number:
    return _plus(items) / len(items) if items else nan


def _dot(*args: float) -> float:
    return reduce(operator.add, map(operator.mul, args, args[len(args) // 2 :]), 0.0)


def _weight_exact(mp: ModuleType, at: Number, index: Number, *items: Number) -> Number:
    return mp.exp(items[int(index)]) / mp.fsum(map(mp.exp, items))


# -- what compiled code does: floats of ours in rows' words -----------------------------------------------------------


def _dot_core(*args: Number) -> Number:
    return _plus(map(operator.mul, args, args[len(args) // 2 :]))


def _top(items: Sequence[Number]) -> Number:
    """The largest; where some item is nan its difference, and with it every sum below, is nan whatever this gives."""
    return reduce(lambda top, x: where(gt(x, top), x, top), items)


def _shares(items: Sequence[Number]) -> list[Number]:
    """exp of the items less the largest."""
    top = _top(items)
    return [exp(difference(x, top)) for x in items]


def _top_and_others(items: Sequence[Number], own: int | None = None) -> tuple[Number, Number]:
    """The largest item, and log1p of the shares of all the others.

    Of several largest the one at `own` is left out, or the first; a share of 0 in its place does not change a bit.
    """
    top = _top(items)
    largest = [eq(x, top) for x in items]
    found = None if own is None else largest[own]
    shares: list[Number] = []
    for i, (x, is_top) in enumerate(zip(items, largest, strict=True)):
        left_out = is_top if i == own or found is None else both(is_top, negate(found))
        if i != own:
            found = is_top if found is None else either(found, is_top)
        shares.append(where(left_out, 0.0, exp(difference(x, top))))
    return top, log1p(_plus(shares))


def _logsumexp_core(*items: Number) -> Number:
    top, others = _top_and_others(items)
    return top + others


def _logaddexp_core(x: Number, y: Number) -> Number:
    return where(eq(x, y), x + math.log(2.0), where(gt(y, x), y, x) + log1p(exp(-abs(x - y))))


def _weight_core(index: float, *items: Number) -> Number:
    shares = _shares(items)
    return shares[int(index)] / _plus(shares)


def _rest_core(index: float, *items: Number) -> Number:
    i, shares = int(index), _shares(items)
    return div(_plus(shares[:i] + shares[i + 1 :]), _plus(shares))


def _log_weight_core(index: float, *items: Number) -> Number:
    top, others = _top_and_others(items, int(index))
    return difference(items[int(index)], top) - others


sum = row(
    "sum", lambda *items: _plus(items), core=lambda *items: _plus(items), partials=lambda args, out: (1.0,) * len(args),
    variadic=True, gather=_items("sum"), symbol="Σ", roles=("term {}",), latex=r"\sum\left({all}\right)", edges="1",
    exact=lambda mp, at, *items: mp.fsum(items), tame=True,
    doc="The sum of any number of items, one node.\n\n>>> sum([1.0, 2.0, 3.0])\n6.0",
)  # fmt: skip
prod = row(
    "prod", lambda *items: math.prod(items, start=1.0), _prod_partials, variadic=True,
    core=lambda *items: reduce(operator.mul, items), gather=_items("prod"), symbol="Π", roles=("factor {}",),
    latex=r"\prod\left({all}\right)", edges="others",
    pins=[((0.0, 3.0, 4.0), 0.0, (12.0, 0.0, 0.0)), ((0.0, 0.0, 4.0), 0.0, (0.0, 0.0, 0.0))],
    exact=lambda mp, at, *items: mp.fprod(items), tame=True,
    doc="The product of any number of items, one node.\n\n>>> prod([2.0, 3.0, 4.0])\n24.0",
)  # fmt: skip
mean = row(
    "mean", _mean, core=_mean, partials=lambda args, out: (1.0 / len(args),) * len(args), variadic=True, gather=_items("mean"),
    latex=r"\operatorname{{mean}}\left({all}\right)", edges="1/n", roles=("term {}",),
    exact=lambda mp, at, *items: mp.fsum(items) / len(items), tame=True,
    doc="The average of any number of items, one node.\n\n>>> mean([1.0, 2.0, 6.0])\n3.0",
)  # fmt: skip
dot = row(
    "dot", _dot, core=_dot_core, partials=lambda args, out: args[len(args) // 2 :] + args[: len(args) // 2], variadic=True,
    gather=_pairs, roles=("first factor of term {}", "second factor of term {}"),
    symbol="·", latex=r"\langle {all} \rangle", edges="other", example=(0.4, 0.7, 0.3, 0.6),
    exact=lambda mp, at, *args: mp.fdot(args[: len(args) // 2], args[len(args) // 2 :]), tame=True,
    doc="The sum of products of two lists, one node: a neuron is one dot and one add.\n\n"
    ">>> dot([1.0, 2.0], [3.0, 4.0])\n11.0",
)  # fmt: skip


def _fsum(*items: float) -> float:
    try:
        return math.fsum(items)
    except (OverflowError, ValueError):  # an intermediate sum beyond the largest double; inf - inf
        return float(_plus(items))


def _fsum_fast(*items: Number) -> Number:
    """What each rounding lost is added up beside (Neumaier), where nothing on the way overflows."""
    total, lost = items[0], 0.0
    for x in items[1:]:
        total, more = _two_sum(total, x)
        lost = lost + more
    return where(lt(abs(lost), inf), total + lost, total)


fsum = row(
    "fsum", _fsum, fast=_fsum_fast, partials=lambda args, out: (1.0,) * len(args), variadic=True, gather=_items("fsum"),
    latex=r"\sum\left({all}\right)", edges="1", exact=lambda mp, at, *items: mp.fsum(items), tame=True,
    doc="The sum of any number of items, rounded once, as math.fsum.\n\n>>> fsum([0.1] * 10)\n1.0",
)  # fmt: skip

# -- the logarithm of a sum of exponentials ---------------------------------------------------------------------------


def _logaddexp(x: float, y: float) -> float:
    if x == y:
        return x + math.log(2.0)
    return max(x, y) + math.log1p(math.exp(-math.fabs(x - y)))


def _shifted(items: Sequence[float]) -> tuple[int, list[float]]:
    """Where the largest is, and the items less it, in which equal infinities differ by 0."""
    top = max(range(len(items)), key=items.__getitem__)
    return top, [difference.forward(x, items[top]) for x in items]


def _logsumexp(*items: float) -> float:
    if not items:
        return -inf
    if any(x != x for x in items):
        return nan
    top, below = _shifted(items)
    del below[top]
    return items[top] + math.log1p(_plus(map(math.exp, below)))


def _place(index: float, items: Sequence[float]) -> int:
    """An index where compiled code calls back with one that varies, which no call has looked at."""
    return int(INDEX.checked(index, "a softmax", len(items)))


def _weights(items: Sequence[float]) -> list[float]:
    if any(x != x for x in items):
        return [nan] * len(items)
    e = [math.exp(d) for d in _shifted(items)[1]] if items else []
    total = _plus(e)
    return [x / total for x in e]


def _log_weight(index: float, *items: float) -> float:
    if any(x != x for x in items):
        return nan
    i = _place(index, items)
    own = items[i]
    top, below = _shifted(items)
    if own == items[top]:
        top = i
    del below[top]
    return difference.forward(own, items[top]) - math.log1p(_plus(map(math.exp, below)))


def _rest(index: float, *items: float) -> Number:
    if any(x != x for x in items):
        return nan
    e = [math.exp(d) for d in _shifted(items)[1]]
    i = _place(index, items)
    return _plus(e[:i] + e[i + 1 :]) / _plus(e)


def _weight_slopes(args: Sequence[Number], own: Number, others: Callable[[Number], Number]) -> list[Number]:
    """A slope for each item: `own` at the index, `others` of the weight elsewhere; none for the index itself."""
    i = int(args[0])
    return [nan, *[own if j == i else others(w) for j, w in enumerate(_softmax(args[1:]))]]


def _rest_slopes(args: Sequence[Number], own: Number, rest: Number) -> list[Number]:
    return _weight_slopes(args, -own * rest, lambda w: own * w)


# 1 - w of one item, added up from the other weights: nothing cancels where w is nearly 1, at any order
softmax_rest = helper(
    "softmax_rest", _rest, core=_rest_core, settings={0: INDEX},
    partials=lambda args, out: _rest_slopes(args, softmax_weight(*args), out), variadic=True,
    text="1 - weight",
    edges=(None, "-out*(1 - out)", "(1 - out)*weight"),
    exact=lambda mp, at, i, *items: 1 - _weight_exact(mp, at, i, *items), tame=True,
    doc="The weight of all items but the one at the index given first.\n\n>>> softmax_rest(0, 1.0, 1.0)\n0.5",
)  # fmt: skip
softmax_weight: Op = helper(
    "softmax_weight", lambda index, *items: _weights(items)[_place(index, items)], core=_weight_core, settings={0: INDEX},
    partials=lambda args, out: _weight_slopes(args, out * softmax_rest(*args), lambda w: -out * w), variadic=True,
    text="softmax({rest})[{0}]",
    latex=r"\operatorname{{softmax}}_{{{0}}}\left({rest}\right)", edges=(None, "out*(1 - out)", "-out*weight"),
    exact=_weight_exact, tame=True,
    doc="The weight of the item at the index given first, in a softmax of the items after it.\n\n"
    ">>> softmax_weight(0, 1.0, 1.0)\n0.5",
)  # fmt: skip
log_softmax_weight = helper(
    "log_softmax_weight", _log_weight, core=_log_weight_core, settings={0: INDEX},
    partials=lambda args, out: _weight_slopes(args, softmax_rest(*args), lambda w: -w), variadic=True,
    text="log_softmax({rest})[{0}]",
    latex=r"\ln \operatorname{{softmax}}_{{{0}}}\left({rest}\right)", edges=(None, "1 - exp(out)", "-weight"),
    exact=lambda mp, at, i, *items: mp.log(_weight_exact(mp, at, i, *items)), tame=True,
    doc="The logarithm of softmax_weight, right also where the weight is nearly 1 or underflows.\n\n"
    ">>> log_softmax_weight(1, 0.0, -1000.0)\n-1000.0",
)  # fmt: skip
logaddexp = row(
    "logaddexp", _logaddexp, core=_logaddexp_core, partials=
    (lambda x, y, z: sigmoid(difference(x, y)), lambda x, y, z: sigmoid(difference(y, x))),
    latex=r"\ln\left(e^{{{0}}} + e^{{{1}}}\right)", edges=("sigmoid(x - y)", "sigmoid(y - x)"),
    pins=[((-inf, -inf), -inf, (0.5, 0.5)), ((inf, 1.0), inf, (1.0, 0.0)), ((nan, 1.0), nan, (nan, nan)),
          ((1.0, nan), nan, (nan, nan))],
    exact=lambda mp, at, x, y: mp.log(mp.exp(x) + mp.exp(y)), tame=True,
    doc="log(exp(x) + exp(y)), without overflow.\n\n>>> logaddexp(1000.0, -1000.0)\n1000.0",
)  # fmt: skip
logsumexp = row(
    "logsumexp", _logsumexp, core=_logsumexp_core, partials=lambda args, out: _softmax(args), variadic=True,
    gather=_items("logsumexp"),
    latex=r"\ln\sum\exp\left({all}\right)", edges="exp(item - out)",
    pins=[((-inf, -inf), -inf, (0.5, 0.5)), ((inf, 1.0), inf, (1.0, 0.0))],
    exact=lambda mp, at, *items: mp.log(mp.fsum(map(mp.exp, items))), tame=True,
    doc="The logarithm of the sum of exponentials of any number of items.\n\n>>> logsumexp([1000.0, -1000.0])\n1000.0",
)  # fmt: skip


# -- of many items, what they share is there once ---------------------------------------------------------------------

# values of a quotient and of a difference, with the slopes of a weight and of its logarithm by the item and by logsumexp
_weight_by_norm = Op(
    "softmax_share", lambda e, total, x, norm: div.forward(e, total),
    (0.0, 0.0, lambda e, total, x, norm, z: z, lambda e, total, x, norm, z: -z),
    symbol="/", text=div.text, latex=div.latex, edges=("0", "0", "out", "-out"),
)  # fmt: skip
_log_weight_by_norm = Op(
    "log_softmax_share", lambda gap, others, x, norm: gap - others, (0.0, 0.0, 1.0, -1.0),
    symbol="-", text=sub.text, latex=sub.latex, edges=("0", "0", "1", "-1"),
)  # fmt: skip
_weight_by_norm.plain, _log_weight_by_norm.plain = div, sub


class _Many:
    """What the weights of many items share: n of them in n nodes, where one by one they are n nodes of n operands.

    ``w = exp(x - logsumexp)`` for all but the largest item, and ``w = 1/(1 + the others)`` for that one, whose ``1 - w``
    would cancel otherwise: so slopes keep their digits at every order.
    """

    def __init__(self, items: Sequence[Number]) -> None:
        top, lead = items[0], 0.0
        for i, x in enumerate(items[1:], 1):
            higher = gt(x, top)
            top, lead = where(higher, x, top), where(higher, float(i), lead)
        self.items, self.norm = items, logsumexp.apply(*items)
        self.is_lead = [eq(lead, float(i)) for i in range(len(items))]
        self.gaps = [where(lead, zero(x), difference(x, top)) for lead, x in zip(self.is_lead, items, strict=True)]
        self.each = list(map(exp, self.gaps))

    def weights(self) -> list[Number]:
        total = sum.apply(*self.each)
        of_lead = inverse(total)
        return [
            where(lead, of_lead, _weight_by_norm(e, total, x, self.norm))
            for lead, e, x in zip(self.is_lead, self.each, self.items, strict=True)
        ]

    def logarithms(self) -> list[Number]:
        others = log1p(sum.apply(*[where(lead, zero(e), e) for lead, e in zip(self.is_lead, self.each, strict=True)]))
        return [
            where(lead, -others, _log_weight_by_norm(gap, others, x, self.norm))
            for lead, gap, x in zip(self.is_lead, self.gaps, self.items, strict=True)
        ]


@of_lists
def softmax(items: Iterable[Number]) -> list[Number]:
    """Positive weights that add up to 1: ``exp(x_i) / sum_j exp(x_j)``; one node an item, up to 12 of them.  Their condition
    number is the gap to the largest item: 300 below it, a weight is right to 300 times a few units in the last place.

    >>> softmax([0.0, 0.0])
    [0.5, 0.5]
    """
    return _softmax(numbers(items, "items of softmax()"))


def _softmax(items: Sequence[Number]) -> list[Number]:
    if all(x.__class__ is float for x in items):
        return _weights(items)
    if len(items) > MANY:
        return _Many(items).weights()
    return [softmax_weight(float(i), *items) for i in range(len(items))]


def log_softmax(items: Iterable[Number], index: int | None = None) -> Number:
    """The logarithms of the softmax weights, right also where a weight is nearly 1 or underflows; or just one of them.

    >>> log_softmax([0.0, -1000.0])
    [0.0, -1000.0]
    >>> log_softmax([0.0, -1000.0], 1)
    -1000.0
    """
    items = numbers(items, "items of log_softmax()")
    if index is not None:
        if is_node(index):
            raise InputTypeError(
                f"index={index!r} of log_softmax() must be a whole number, not a Value: it selects, and has no slope"
            )
        return log_softmax_weight(INDEX.checked(as_float(index, "index of log_softmax()"), "log_softmax()", len(items)), *items)
    if len(items) > MANY and any(x.__class__ is not float for x in items):
        return _Many(items).logarithms()
    return [log_softmax_weight(float(i), *items) for i in range(len(items))]


@composed
def sumprod(p: Iterable[Number], q: Iterable[Number]) -> Number:
    """The sum of products of two lists, by the name it has in math: ``dot(p, q)``.

    >>> sumprod([1.0, 2.0], [3.0, 4.0])
    11.0
    """
    return dot(p, q)


publish(globals())
