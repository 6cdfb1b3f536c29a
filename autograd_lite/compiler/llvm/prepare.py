"""Programs made ready for machine code: long sums in steps, relu's slope from its result, products of a batch kept apart.

The outputs of a batch that is added up are not added one by one, but their factors are kept.  A gradient of many weights is
made of products: d * h for each neuron's d and each of its inputs h.  A row's program keeps the distinct factors of a few
blocks of rows; `llvm.sums` multiplies them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from ... import ops
from ...program import Builder, Program, Ref, is_constant, placed, renumbered
from ..simplify import dead_code
from .asked import asked

LONGEST = 256  # arguments of one instruction
CALLS = 64  # of the vector library, among which instructions are moved


def shortened(program: Program) -> Program:
    """The program with long sums, products and dot products in steps, each as long as a function may hold; same bits.

    >>> from autograd_lite.program import Instruction
    >>> long = Program(300, (Instruction(ops.sum, tuple(range(300))),), (300,))
    >>> [len(args) for args in shortened(long).args], shortened(long)([0.5] * 300)
    ([256, 45], [150.0])
    """
    if max(map(len, program.args), default=0) <= LONGEST:
        return program
    new = Builder(program.inputs)
    add = new.add

    def written(op: ops.Op, *args: Ref) -> Ref:
        if len(args) <= LONGEST or op not in _LONG:
            return add(op, *args)
        half = len(args) // 2
        items: list[Ref] = (
            [add(ops.mul, *pair) for pair in zip(args[:half], args[half:], strict=True)] if op is ops.dot else [*args]
        )
        total = add(_LONG[op], *items[:LONGEST])
        for i in range(LONGEST, len(items), LONGEST - 1):
            total = add(_LONG[op], total, *items[i : i + LONGEST - 1])
        return add(ops.div, total, float(len(items))) if op is ops.mean else total

    return new.program(program, program.values(range(program.inputs), written))


_LONG = {ops.sum: ops.sum, ops.mean: ops.sum, ops.dot: ops.sum, ops.prod: ops.prod}  # what the steps of each are


def prepared(program: Program) -> Program:
    """The program with relu as one instruction of the machine, and its slope from its result, which is kept anyway.

    ``where(x < 0, 0, x)`` is a maximum of x86, nan and all.  The result h is 0, nan or positive: ``where(h > 0, 1, h)`` is the
    slope, in half the steps of one that looks for nan.  The sign of zero is x's.

    >>> from autograd_lite.program import Instruction
    >>> print(prepared(Program(1, (Instruction(ops.relu, (0,)), Instruction(ops.heaviside, (0, 0.0))), (1, 2))))
    v1 = lt(v0, 0.0)
    v2 = where(v1, 0.0, v0)
    v3 = gt(v2, 0.0)
    v4 = where(v3, 1.0, v2)
    return v2, v4
    """
    if ops.relu not in program.ops:
        return program
    new = Builder(program.inputs)
    add = new.add
    relus: dict[Ref, Ref] = {}

    def made(op: ops.Op, *args: Ref) -> Ref:
        x = args[0] if args else 0.0
        if op is ops.relu:
            result = add(ops.where, add(ops.lt, x, 0.0), 0.0, x)
            if x.__class__ is int:
                relus[x] = result
            return result
        if op is ops.heaviside and x.__class__ is int and x in relus and is_constant(args[1]) and args[1] == 0.0:
            return add(ops.where, add(ops.gt, relus[x], 0.0), 1.0, relus[x])
        return add(op, *args)

    return new.program(program, program.values(range(program.inputs), made))


def on_demand(program: Program) -> Program:
    """The program with each value made just before the first that needs it: fewer are kept at a time.

    A reverse sweep makes all products that flow into the sums of a layer before it adds up the first.

    >>> from autograd_lite.program import Instruction
    >>> far = Program(2, (Instruction(ops.exp, (0,)), Instruction(ops.exp, (1,)), Instruction(ops.sin, (2,))), (4, 3))
    >>> print(on_demand(far))
    v2 = exp(v0)
    v3 = sin(v2)
    v4 = exp(v1)
    return v3, v4
    """
    first, args = program.inputs, program.args
    place = [*range(first), *[-1] * len(args)]
    order: list[int] = []
    for output in program.outputs:
        stack = [output] if output.__class__ is int else []
        while stack:
            ref = stack.pop()
            if ref < 0:  # what it needs is there now
                ref = ~ref
                if place[ref] < 0:
                    place[ref] = first + len(order)
                    order.append(ref)
            elif place[ref] < 0:
                stack.append(~ref)
                stack += [a for a in args[ref - first][::-1] if a.__class__ is int and place[a] < 0]
    return _in_order(program, order)


def alike_together(program: Program, alike: Mapping[str, tuple[str, ...]]) -> Program:
    """The program with rows that have most in common next to each other, where they are of the same number.

    A reverse sweep asks for tanh's slope long after tanh: what they share would wait in memory, and longer than the slope.

    >>> from autograd_lite.program import Instruction
    >>> x = Instruction(ops.TABLE["tanh"], (0,)), Instruction(ops.neg, (1,)), Instruction(ops.TABLE["sech2"], (0,))
    >>> print(alike_together(Program(1, x, (2, 3)), {"tanh": ("tanh", "sech2"), "sech2": ("tanh", "sech2")}))
    v1 = tanh(v0)
    v2 = sech2(v0)
    v3 = neg(v1)
    return v3, v2
    """
    first = program.inputs
    groups: dict[tuple[Any, Ref], list[int]] = {}
    keys: dict[int, tuple[Any, Ref]] = {}
    for number, (op, args) in enumerate(zip(program.ops, program.args, strict=True), first):
        if op.name in alike and args[0].__class__ is int and all(is_constant(a) for a in args[1:]):
            keys[number] = alike[op.name], args[0]
            groups.setdefault(keys[number], []).append(number)
    if len(groups) == len(keys):  # each stands alone
        return program
    order: dict[int, None] = {}
    for number in range(first, first + len(program)):
        order.update(dict.fromkeys(groups[keys[number]] if number in keys else [number]))
    return _in_order(program, list(order))


def _in_order(program: Program, order: Sequence[int]) -> Program:
    """The program with its instructions, by number, in another order."""
    first = program.inputs
    place = [-1] * (first + len(program))
    for new, old in enumerate([*range(first), *order]):
        place[old] = new
    moved = renumbered([program.args[old - first] for old in order], place)
    return Program.of(first, [program.ops[old - first] for old in order], moved, placed(program.outputs, place))


def calls_together(program: Program, written: Collection[str] = ()) -> Program:
    """The program with calls of the vector library next to each other where they do not wait for each other.

    A call keeps no register, so that sums between two calls would find what they add up in memory only.  An instruction moves
    past others by no more than `CALLS` calls, or too many values would wait.  The rows that are `written` out call nothing.

    >>> from autograd_lite.program import Instruction
    >>> print(calls_together(Program(2, tuple([Instruction(op, (i,)) for i in (0, 1) for op in (ops.neg, ops.exp)]), (3, 5))))
    v2 = neg(v0)
    v3 = neg(v1)
    v4 = exp(v0)
    v5 = exp(v1)
    return v4, v5
    """
    own = {ops.TABLE[name] for name in written}
    calling = {op for op in set(program.ops) if op not in own and asked(op).calls}
    if not calling:
        return program
    first = program.inputs
    order: list[int] = []
    some: list[int] = []
    calls: dict[int, int] = {}  # how many of `some` an instruction waits for, one after the other
    met = 0
    for number, (op, args) in enumerate(zip(program.ops, program.args, strict=True), first):
        call = op in calling
        calls[number] = max([calls.get(a, 0) for a in args if a.__class__ is int], default=0) + call
        some.append(number)
        met += call
        if met == CALLS or number == first + len(program) - 1:
            order += sorted(some, key=lambda v: (calls[v], program.ops[v - first] not in calling))
            some, calls, met = [], {}, 0
    return _in_order(program, order)


class SumTerm(NamedTuple):
    """What a row adds to a sum: the product of two factors, or one factor where the other is None."""

    factor: int
    partner: int | None


class Plan(NamedTuple):
    """A program whose outputs are the factors, and what each sum takes of them."""

    program: Program
    terms: tuple[SumTerm, ...]


def plan(program: Program) -> Plan:
    """Take the last multiplication of each output apart, where nothing else needs its result.

    >>> from autograd_lite.program import Instruction
    >>> taken = plan(Program(2, (Instruction(ops.mul, (0, 1)),), (2, 0)))
    >>> taken.program.outputs, taken.terms
    ((0, 1), (SumTerm(factor=0, partner=1), SumTerm(factor=0, partner=None)))
    """
    used = {a for args in program.args for a in args if a.__class__ is int}
    places: dict[int | str, int] = {}
    factors: list[Ref] = []

    def place_of(ref: Ref) -> int:
        place = places.setdefault(_key(ref), len(factors))
        if place == len(factors):
            factors.append(ref)
        return place

    terms = []
    for ref in program.outputs:
        if ref.__class__ is int and ref >= program.inputs and ref not in used:
            args = program.args[ref - program.inputs]
            if program.ops[ref - program.inputs] is ops.mul:
                terms.append(SumTerm(place_of(args[0]), place_of(args[1])))
                continue
        terms.append(SumTerm(place_of(ref), None))
    return Plan(dead_code(Program.of(program.inputs, program.ops, program.args, tuple(factors))), tuple(terms))


def _key(ref: Ref) -> int | str:
    """What tells operands from each other in a dict: as keys, value 0 and the constant 0.0 are the same."""
    return ref if isinstance(ref, int) else ref.hex()
