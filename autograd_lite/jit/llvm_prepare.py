"""Programs made ready for machine code: long sums in steps, relu's slope from its result, products of a batch kept apart.

The outputs of a batch that is added up are not added one by one, but their factors are kept.  A gradient of many weights is
made of products: d * h for each neuron's d and each of its inputs h.  A row's program keeps the distinct factors of a few
blocks of rows; then each factor is multiplied with all its partners, block after block, while the sums stay in registers.
Every sum takes the same terms in the same order as if it had been added to row by row.
Imports `program`, `simplify`, `ops`.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from .. import ops
from .program import Instruction, Program, Ref, is_constant
from .simplify import dead_code

__all__ = ["Group", "Plan", "on_demand", "plan", "prepared", "shortened"]

TOGETHER = 16  # sums that stay in registers at once
LONGEST = 256  # arguments of one instruction


def shortened(program: Program) -> Program:
    """The program with long sums, products and dot products in steps, each as long as a function may hold; same bits.

    >>> long = Program(300, (Instruction(ops.sum, tuple(range(300))),), (300,))
    >>> [len(args) for _, args in shortened(long).instructions], shortened(long)([0.5] * 300)
    ([256, 45], [150.0])
    """
    if all(len(args) <= LONGEST for _, args in program.instructions):
        return program
    place: list[Ref] = [*range(program.inputs)]
    instructions: list[Instruction] = []

    def add(op: ops.Op, *args: Ref) -> Ref:
        instructions.append(Instruction(op, args))
        return program.inputs + len(instructions) - 1

    for op, old in program.instructions:
        args = tuple([place[a] if a.__class__ is int else a for a in old])
        if len(args) <= LONGEST or op not in _LONG:
            place.append(add(op, *args))
            continue
        half = len(args) // 2
        items = [add(ops.mul, *pair) for pair in zip(args[:half], args[half:], strict=True)] if op is ops.dot else [*args]
        total = add(_LONG[op], *items[:LONGEST])
        for i in range(LONGEST, len(items), LONGEST - 1):
            total = add(_LONG[op], total, *items[i : i + LONGEST - 1])
        place.append(add(ops.div, total, float(len(items))) if op is ops.mean else total)
    outputs = tuple([place[a] if a.__class__ is int else a for a in program.outputs])
    guards = []
    for guard in program.guards:
        ref = place[guard.ref]
        assert ref.__class__ is int
        guards.append(guard._replace(ref=ref))
    return Program(program.inputs, tuple(instructions), outputs, tuple(guards))


_LONG = {ops.sum: ops.sum, ops.mean: ops.sum, ops.dot: ops.sum, ops.prod: ops.prod}  # what the steps of each are


def prepared(program: Program) -> Program:
    """The program with the step of relu taken from its result, which is kept anyway: one value less to keep."""
    relus: dict[int, int] = {}
    instructions = []
    for number, (op, args) in enumerate(program.instructions, program.inputs):
        if op is ops.relu and args[0].__class__ is int:
            relus[args[0]] = number
        elif op is ops.heaviside and args[0].__class__ is int and args[0] in relus and is_constant(args[1]) and args[1] == 0.0:
            args = (relus[args[0]], 0.0)
        instructions.append(Instruction(op, args))
    return Program(program.inputs, tuple(instructions), program.outputs, program.guards)


def on_demand(program: Program) -> Program:
    """The program with each value made just before the first that needs it: fewer are kept at a time.

    A reverse sweep makes all products that flow into the sums of a layer before it adds up the first.

    >>> far = Program(2, (Instruction(ops.exp, (0,)), Instruction(ops.exp, (1,)), Instruction(ops.sin, (2,))), (4, 3))
    >>> print(on_demand(far))
    v2 = exp(v0)
    v3 = sin(v2)
    v4 = exp(v1)
    return v3, v4
    """
    first = program.inputs
    place: dict[Ref, Ref] = {i: i for i in range(first)}
    instructions: list[Instruction] = []

    def placed(ref: Ref) -> Ref:
        return place[ref] if ref.__class__ is int else ref

    for output in program.outputs:
        stack = [output]
        while stack:
            ref = stack[-1]
            if ref.__class__ is float or ref in place:
                stack.pop()
                continue
            op, args = program.instructions[int(ref) - first]
            missing = [a for a in args if a.__class__ is int and a not in place]
            if missing:
                stack += missing[::-1]
                continue
            stack.pop()
            place[ref] = first + len(instructions)
            instructions.append(Instruction(op, tuple(map(placed, args))))
    return Program(first, tuple(instructions), tuple(map(placed, program.outputs)))


class Group(NamedTuple):
    """Sums that share a factor: sum `k` takes factor times partner, or the factor itself where the partner is None."""

    factor: int
    items: tuple[tuple[int, int | None], ...]


class Plan(NamedTuple):
    """A program whose outputs are the factors, and what is added up of them."""

    program: Program
    groups: tuple[Group, ...]


def plan(program: Program) -> Plan:
    """Take the last multiplication of each output apart, where nothing else needs its result.

    >>> from autograd_lite.jit.program import Instruction
    >>> taken = plan(Program(2, (Instruction(ops.mul, (0, 1)),), (2, 0)))
    >>> taken.program.outputs, taken.groups
    ((0, 1), (Group(factor=0, items=((0, 1), (1, None))),))
    """
    used = {a for _, args in program.instructions for a in args if a.__class__ is int}
    products: list[tuple[Ref, Ref | None]] = []
    for ref in program.outputs:
        product: tuple[Ref, Ref | None] = (ref, None)
        if ref.__class__ is int and ref >= program.inputs and ref not in used:
            op, args = program.instructions[ref - program.inputs]
            if op is ops.mul:
                product = (args[0], args[1])
        products.append(product)
    count = Counter(_key(ref) for product in products for ref in product if ref is not None)
    places: dict[int | str, int] = {}
    factors: list[Ref] = []

    def place_of(ref: Ref) -> int:
        place = places.setdefault(_key(ref), len(factors))
        if place == len(factors):
            factors.append(ref)
        return place

    shared: dict[int, list[tuple[int, int | None]]] = {}
    for k, (a, b) in enumerate(products):
        if b is not None and count[_key(b)] > count[_key(a)]:
            a, b = b, a
        place = place_of(a)
        shared.setdefault(place, []).append((k, None if b is None else place_of(b)))
    groups = [
        Group(place, tuple(items[i : i + TOGETHER])) for place, items in shared.items() for i in range(0, len(items), TOGETHER)
    ]
    return Plan(dead_code(Program(program.inputs, program.instructions, tuple(factors))), tuple(groups))


def _key(ref: Ref) -> int | str:
    """What tells operands from each other in a dict: as keys, value 0 and the constant 0.0 are the same."""
    return ref if isinstance(ref, int) else ref.hex()
