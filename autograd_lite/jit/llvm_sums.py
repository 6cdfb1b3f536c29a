"""How the rows of a batch are added up: the outputs of a row are not added one by one, but their factors are kept.

A gradient of many weights is made of products: d * h for each neuron's d and each of its inputs h.  A row's program keeps
the distinct factors of a few blocks of rows; then each factor is multiplied with all its partners, block after block, while
the sums stay in registers.  Every sum takes the same terms in the same order as if it had been added to row by row.
Imports `llvm_emit`, `program`, `simplify`, `ops`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from .. import ops
from .llvm_emit import FASTMATH
from .program import Program, Ref
from .simplify import dead_code

__all__ = ["Group", "Plan", "plan", "sums"]

TOGETHER = 16  # sums that stay in registers at once


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
            op, args = program.instructions[ref - program.inputs]  # type: ignore[operator]
            if op is ops.mul:
                product = (args[0], args[1])
        products.append(product)
    count = Counter(ref for product in products for ref in product if ref is not None)
    places: dict[Ref, int] = {}
    shared: dict[int, list[tuple[int, int | None]]] = {}
    for k, (a, b) in enumerate(products):
        if b is not None and count[b] > count[a]:
            a, b = b, a
        place, partner = (None if ref is None else places.setdefault(ref, len(places)) for ref in (a, b))
        assert place is not None
        shared.setdefault(place, []).append((k, partner))
    groups = [
        Group(place, tuple(items[i : i + TOGETHER])) for place, items in shared.items() for i in range(0, len(items), TOGETHER)
    ]
    return Plan(dead_code(Program(program.inputs, program.instructions, tuple(places))), tuple(groups))


def sums(groups: Sequence[Group], factors: int, width: int, fastmath: bool, limit: int) -> tuple[str, tuple[str, ...]]:
    """Functions ``sums0(factors, sums, count)``, ...: add up `count` blocks of `factors` vectors each."""
    functions: list[str] = []
    lines: list[str] = []
    vector, size, flags = f"<{width} x double>", 8 * width, FASTMATH if fastmath else ""

    def close() -> None:
        head = f"define internal void @sums{len(functions)}(ptr noalias %factors, ptr noalias %sums, i64 %count) #0 {{"
        functions.append("\n".join([head, "  br label %before0", *lines, "  ret void", "}"]))
        lines.clear()

    number = 0
    for group in groups:
        lines.append(f"before{number}:")
        for k, _ in group.items:
            lines.append(f"  %at{k} = getelementptr i8, ptr %sums, i64 {size * k}")
            lines.append(f"  %from{k} = load {vector}, ptr %at{k}, align {size}")
        lines += [
            f"  br label %go{number}",
            f"go{number}:",
            f"  %i{number} = phi i64 [ 0, %before{number} ], [ %next{number}, %go{number} ]",
            f"  %block{number} = phi ptr [ %factors, %before{number} ], [ %more{number}, %go{number} ]",
        ]
        for k, _ in group.items:
            lines.append(f"  %sum{k} = phi {vector} [ %from{k}, %before{number} ], [ %new{k}, %go{number} ]")
        lines.append(f"  %f{number} = getelementptr i8, ptr %block{number}, i64 {size * group.factor}")
        lines.append(f"  %a{number} = load {vector}, ptr %f{number}, align {size}")
        for k, partner in group.items:
            term = f"%a{number}"
            if partner is not None:
                lines.append(f"  %p{k} = getelementptr i8, ptr %block{number}, i64 {size * partner}")
                lines.append(f"  %b{k} = load {vector}, ptr %p{k}, align {size}")
                lines.append(f"  %t{k} = fmul {flags}{vector} {term}, %b{k}")
                term = f"%t{k}"
            lines.append(f"  %new{k} = fadd {flags}{vector} %sum{k}, {term}")
        lines += [
            f"  %next{number} = add i64 %i{number}, 1",
            f"  %more{number} = getelementptr i8, ptr %block{number}, i64 {size * factors}",
            f"  %again{number} = icmp slt i64 %next{number}, %count",
            f"  br i1 %again{number}, label %go{number}, label %after{number}",
            f"after{number}:",
        ]
        for k, _ in group.items:
            lines.append(f"  store {vector} %new{k}, ptr %at{k}, align {size}")
        number += 1
        if len(lines) >= limit:
            close()
            number = 0
        else:
            lines.append(f"  br label %before{number}")
    if lines or not functions:
        lines.append(f"before{number}:") if number or not lines else None
        close()
    return "\n\n".join(functions), tuple(f"sums{i}" for i in range(len(functions)))
