"""Passes over a `Program`: each takes one and gives one that computes the same, in time linear in its length.

`simplify` runs them all.  Without fastmath every output keeps its bits: a rule is here only where IEEE arithmetic makes
both sides the same double.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import reduce
from itertools import compress, count
from typing import Any

from .. import ops
from ..accelerated import loaded
from ..ops import Op
from ..ops.operators import Operators
from ..ops.powers import _is_small
from ..ops.trigonometry import _direction_of, _length_parts
from ..program import Builder, Instruction, Program, Ref, instruction, is_constant, placed, renumbered, same

# What a rule gives: a value or constant that is already there, a new instruction whose operands may be new instructions too,
# or None where it has nothing to say.  `of` gives the operands of a value that some op made, else None.
New = Any
Of = Callable[[Op, Ref], "tuple[Ref, ...] | None"]
Rule = Callable[[Op, tuple[Ref, ...], Of], New]


def simplify(program: Program, fastmath: bool = False) -> Program:
    """All passes: constants folded, strength reduced, equal instructions made one, dead ones dropped.

    >>> from autograd_lite import Value, grad, jit
    >>> print(jit(grad(lambda x: x**2)).program(3.0))     # 2.0 * x ** 1.0, and less
    v1 = mul(2.0, v0)
    return v1
    """
    rules = fold, reduce_strength, *((relax,) if fastmath else ())
    simple = rewritten(program, *rules)
    work = shared(simple)
    return simple if work is simple else rewritten(work, *rules)


def dead_code(program: Program) -> Program:
    """Instructions that no output and no guard needs are dropped."""
    first = program.inputs
    needed = bytearray(first + len(program))
    for ref in (*program.outputs, *(guard.ref for guard in program.guards)):
        if ref.__class__ is int:
            needed[ref] = 1
    for number, args in zip(range(len(needed) - 1, first - 1, -1), reversed(program.args), strict=True):
        if needed[number]:
            for a in args:
                if a.__class__ is int:
                    needed[a] = 1
    if 0 not in needed[first:]:
        return program
    new, places = Builder(first), count(first)
    place = [*range(first), *[next(places) if keep else -1 for keep in needed[first:]]]
    new.ops = list(compress(program.ops, needed[first:]))
    new.args = renumbered(compress(program.args, needed[first:]), place)
    return new.program(program, place)


class _Step(Operators):
    """A value of a program while more of it is made: rows applied to it become its instructions."""

    __slots__ = ("new", "ref")

    def __init__(self, new: Builder, ref: Ref) -> None:
        self.new, self.ref = new, ref

    @staticmethod
    def _record(op: Op, args: tuple[Any, ...]) -> _Step:
        new = next(a.new for a in args if isinstance(a, _Step))
        return _Step(new, new.add(op, *[a.ref if isinstance(a, _Step) else op.number(a, i) for i, a in enumerate(args)]))


def _exponentials(items: Sequence[Any]) -> tuple[list[Any], Any]:
    """The exponentials of items less the largest, and their sum."""
    top = reduce(ops.maximum, items)
    each = [ops.exp(ops.TABLE["difference"](item, top)) for item in items]
    return each, ops.sum(each)


def _lengths(items: Sequence[Any]) -> tuple[Sequence[Any], tuple[Any, ...]]:
    return items, _length_parts(items)


# what rows of one group of items share, and how each is made of that
GROUPS: dict[Callable[..., Any], dict[str, Callable[..., Any]]] = {
    _exponentials: {
        "softmax_weight": lambda i, each, total: ops.div(each[i], total),
        "softmax_rest": lambda i, each, total: ops.div(ops.sum([*each[:i], *each[i + 1 :]]), total),
    },
    _lengths: {"direction": lambda i, items, parts: _direction_of(items[i], *parts)},
}


def shared(program: Program) -> Program:
    """Several rows of one group of items by the steps that they share: n weights of n items in n steps, not n².

    >>> from autograd_lite import grad, jit, logsumexp
    >>> gradient = jit(grad(lambda v: logsumexp(v)))
    >>> [len(gradient.program([0.5] * n)) for n in (4, 6, 8)]
    [16, 24, 32]
    """
    group = {ops.TABLE[name]: (pieces, one) for pieces, rows in GROUPS.items() for name, one in rows.items()}
    if sum(map(group.__contains__, program.ops)) < 2:
        return program
    keys = [
        (group[op][0], *_key(op, args)[1:]) if op in group and is_constant(args[0]) else ()
        for op, args in zip(program.ops, program.args, strict=True)
    ]
    several = {key for key, times in Counter(keys).items() if key and times > 1}
    if not several:
        return program
    new, known, now = Builder(program.inputs), dict[Any, Any](), iter(keys)

    def emit(op: Op, *args: Ref) -> Ref:
        if (key := next(now)) not in several:
            return new.add(op, *args)
        pieces, one = group[op]
        if key not in known:
            known[key] = pieces([a if is_constant(a) else _Step(new, a) for a in args[1:]])
        result = one(int(args[0]), *known[key])
        return result.ref if isinstance(result, _Step) else result

    return new.program(program, program.values(range(program.inputs), emit))


def rewritten(program: Program, *rules: Rule) -> Program:
    """What is left alive of the program as rules rewrite it.

    In the core in C, if it is there, which asks the rules once for each kind of instruction: what they say depends on the op,
    the constants, which operands are the same value, and the operands of those made by an op of `LOOKED_INTO`.  Of what is not
    all constants they speak where the op is one of `_STRENGTH`.
    """
    if loaded is None:
        return dead_code(rewrite(program, *rules))

    def decide(op: Op, args: tuple[Ref, ...], makers: dict[Ref, Any]) -> New:
        def of(made_by: Op, ref: Ref) -> tuple[Ref, ...] | None:
            if ref.__class__ is float:  # as a key 0.0 is 0
                return None
            assert made_by in LOOKED_INTO, f"{op} looks into {made_by}"
            assert ref in args, f"{op} looks into what is no operand"
            maker, inner = makers.get(ref, (None, None))
            return inner if maker is made_by else None

        return next((found for rule in rules if (found := rule(op, args, of)) is not None), None)

    roots = tuple([ref for ref in (*program.outputs, *[g.ref for g in program.guards]) if ref.__class__ is int])
    new = Builder(program.inputs)
    new.ops, new.args, place = loaded.rewrite(program.inputs, program.ops, program.args, roots, decide)
    return new.program(program, place)


def rewrite(program: Program, *rules: Rule) -> Program:
    """The program with each instruction replaced by what the first rule that applies makes of it, until none does; equal ones
    are made one.
    """
    new = _Rewritten(program.inputs, rules)
    place: list[Ref] = [*range(program.inputs)]
    found, emit = place.append, new.emit
    for op, args in zip(program.ops, program.args, strict=True):
        found(emit(op, placed(args, place)))
    return new.program(program, place)


class _Rewritten(Builder):
    """The instructions that rules have made of others."""

    def __init__(self, inputs: int, rules: Sequence[Rule]) -> None:
        super().__init__(inputs)
        self._rules = rules
        self._seen: dict[Op, dict[tuple[Any, ...], Ref]] = {}  # what has become of each op and operands

    def emit(self, op: Op, args: tuple[Any, ...]) -> Ref:
        """The value of an instruction, or what has become of it."""
        seen = self._seen.get(op)
        if seen is None:
            seen = self._seen[op] = {}
        key = _key(op, args)
        result = seen.get(key)
        if result is None:
            result = seen[key] = self._emitted(op, args)
        return result

    def _emitted(self, op: Op, args: tuple[Any, ...]) -> Ref:
        """The same of one that is met for the first time."""
        for rule in self._rules:
            found = rule(op, args, self.of)
            if found is None:
                continue
            if not isinstance(found, Instruction):
                return found  # type: ignore[no-any-return]
            return self.emit(found.op, tuple([self.emit(*a) if isinstance(a, Instruction) else a for a in found.args]))
        self.ops.append(op)
        self.args.append(args)
        return self.inputs + len(self.ops) - 1


def _key(op: Op, args: tuple[Ref, ...]) -> tuple[Any, ...]:
    """What tells the operands of an op from others: as keys, value 0 and the constant 0.0 would be the same."""
    if op in COMMUTATIVE:
        a, b = args
        if a > b if a.__class__ is b.__class__ else a.__class__ is float:
            args = b, a
    for a in args:
        if a.__class__ is float:
            return tuple([a if a.__class__ is int else _TEXTS.get(a) or a.hex() for a in args])  # type: ignore[union-attr]
    return args


_TEXTS = {a: a.hex() for a in (-1.0, 0.5, 1.0, 2.0, 3.0, 4.0)}  # for less: the constants of most rules


# -- rules ------------------------------------------------------------------------------------------------------------


def fold(op: Op, args: tuple[Ref, ...], of: Of) -> New:
    """An op of the table on constants alone."""
    for a in args:
        if a.__class__ is not float:
            return None
    return op.forward(*args) if op.entered else None


def _new(op: Op, *args: Any) -> Instruction:
    return instruction((op, args))


def _one_value(a: Ref, b: Ref) -> bool:
    return a.__class__ is int and b.__class__ is int and a == b


def _add(args: tuple[Ref, ...], of: Of) -> New:
    x, y = args
    if y == 0.0 and is_constant(y) and same(y, -0.0):
        return x
    if (inner := of(ops.neg, y)) is not None:
        return _new(ops.sub, x, *inner)
    if x == 0.0 and is_constant(x) and same(x, -0.0):
        return y
    return _new(ops.sub, y, *inner) if (inner := of(ops.neg, x)) is not None else None


def _sub(args: tuple[Ref, ...], of: Of) -> New:
    x, y = args
    if is_constant(y) and same(y, 0.0):
        return x
    inner = of(ops.neg, y)
    return _new(ops.add, x, *inner) if inner is not None else None


def _mul(args: tuple[Ref, ...], of: Of) -> New:
    x, y = args
    if is_constant(x):
        x, y = y, x
    if is_constant(y):
        if y == 1.0:
            return x
        if y == -1.0:
            return _new(ops.neg, x)
        return _new(ops.mul, *inner, -y) if (inner := of(ops.neg, x)) is not None else None
    first = of(ops.neg, x)
    second = of(ops.neg, y) if first is not None else None
    return _new(ops.mul, *first, *second) if first is not None and second is not None else None


def _simpler_div(args: tuple[Ref, ...], of: Of) -> New:
    x, y = args
    if is_constant(y) and y and math.isfinite(y) and math.frexp(y)[0] in (0.5, -0.5) and 1e-300 < abs(y) < 1e300:
        return _new(ops.mul, x, 1.0 / y)  # a power of two: its reciprocal is exact
    return None


def _neg(args: tuple[Ref, ...], of: Of) -> New:
    inner = of(ops.neg, args[0])
    return inner[0] if inner is not None else None


def _simpler_pow(args: tuple[Ref, ...], of: Of) -> New:
    x, y = args
    if is_constant(y):
        if y == 0.0:
            return 1.0
        if y == 1.0:
            return x
        if y == 2.0:
            return _new(ops.mul, x, x)
    return None


def _simpler_pow_derivative(args: tuple[Ref, ...], of: Of) -> New:
    """For a constant y, in the row's own words: ``c * x ** (y - n)`` with c the product of y, y - 1, ..."""
    x, y, n, k = args
    if not (is_constant(y) and is_constant(n) and is_constant(k)) or k != 0.0 or n < 1.0:
        return None
    if n == 1.0:
        c = y
    else:
        c = 1.0
        for i in range(int(n)):
            c = (y - i) * c + 0.0
    if not math.isfinite(c) or _is_small(y):
        return None
    return _new(ops.mul, c, _new(ops.pow, x, y - n)) if c else 0.0


def _where(args: tuple[Ref, ...], of: Of) -> New:
    c, a, b = args
    if is_constant(c):
        return a if c else b
    if _one_value(a, b):
        return a
    inner = of(ops.where, a)
    if inner is not None and _one_value(inner[0], c):
        return _new(ops.where, c, inner[1], b)
    inner = of(ops.where, b)
    if inner is not None and _one_value(inner[0], c):
        return _new(ops.where, c, a, inner[2])
    if (negated := _equal_to_zero(c, of)) is not None:  # the complement of a condition
        return _new(ops.where, negated, b, a)
    return None


def _equal_to_zero(c: Ref, of: Of) -> Ref | None:
    inner = of(ops.eq, c)
    if inner is not None and is_constant(inner[1]) and inner[1] == 0.0:
        return inner[0]
    return None


def _passed_on(args: tuple[Ref, ...], of: Of) -> New:
    return args[0]


def _square(args: tuple[Ref, ...], of: Of) -> New:
    return _new(ops.mul, args[0], args[0])


_STRENGTH: dict[Op, Callable[[tuple[Ref, ...], Of], New]] = {
    ops.identity: _passed_on,
    ops.stop_gradient: _passed_on,
    ops.add: _add,
    ops.sub: _sub,
    ops.mul: _mul,
    ops.div: _simpler_div,
    ops.neg: _neg,
    ops.pow: _simpler_pow,
    ops.square: _square,
    ops.TABLE["pow_derivative"]: _simpler_pow_derivative,
    ops.where: _where,
}


def reduce_strength(op: Op, args: tuple[Ref, ...], of: Of) -> New:
    """What gives the same bits for less."""
    rule = _STRENGTH.get(op)
    return rule(args, of) if rule is not None else None


def relax(op: Op, args: tuple[Ref, ...], of: Of) -> New:
    """For fastmath: algebra that holds for numbers but not for every rounding, nan and infinity."""
    if op is ops.mul and 0.0 in [a for a in args if is_constant(a)]:
        return 0.0
    if op is ops.add:
        for x, y in (args, args[::-1]):
            if is_constant(y) and y == 0.0:
                return x
    if op is ops.sub and _one_value(*args):
        return 0.0
    if op is ops.div and is_constant(args[1]) and args[1] and math.isfinite(1.0 / args[1]):
        return _new(ops.mul, args[0], 1.0 / args[1])
    if op is ops.pow and is_constant(args[1]):
        x, y = args
        if y == 0.5:
            return _new(ops.sqrt, x)
        if y == -1.0:
            return _new(ops.div, 1.0, x)
        if y in (3.0, 4.0):
            square = _new(ops.mul, x, x)
            return _new(ops.mul, square, x if y == 3.0 else square)
    return None


COMMUTATIVE = frozenset({ops.add, ops.mul, ops.eq, ops.ne})
LOOKED_INTO = frozenset({ops.neg, ops.where, ops.eq})  # what rules may ask for with `of`
if loaded is not None:
    # beside a value that is not looked into, rules ask of the constants of the last whether they are 0, 1 or -1
    for role, rows in ((1, _STRENGTH), (2, COMMUTATIVE), (4, LOOKED_INTO), (16, (ops.add, ops.sub, ops.mul))):
        loaded.role(tuple(rows), role)
