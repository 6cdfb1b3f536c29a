"""How the functions of a program are called: a scalar call's parts one after the other; those of a batch by the driver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .cutting import CutProgram
from .native import OTHERS
from .sums import FIELDS, SumLayout

ROW = "ptr noalias %shared, ptr noalias %extra, ptr noalias %columns, ptr noalias %out, i64 %step"
SCALAR = "ptr %in, ptr %out, ptr %frame"

INTS = frozenset({"count", "first", "end", "n", "size", "low", "high", "step", "chunks"})
CALL = ("shared", "extra", "table", "n", "size", "out", "block")
HEADER = (*FIELDS, "mean", "added", "uniform", "block", "sums")  # the last three are functions
DRIVER = {  # the functions that call those of a batch, and what they take after the header
    "run": CALL,
    "call": ("arguments",),
    "some": (*CALL, "counter"),
    "total": ("sums", "chunks", "out"),
    "finish": ("out", "extra", "n"),
}

# "stackrealign": otherwise vectors that leave their registers straddle two lines of the cache
ATTRIBUTES = 'attributes #0 = {{ nounwind "stackrealign" "prefer-vector-width"="{0}" "min-legal-vector-width"="{0}" }}'


def module(declared: Mapping[str, str], functions: Sequence[str], width: int) -> str:
    """The text of a module."""
    return "\n\n".join([*functions, *declared.values(), ATTRIBUTES.format(64 * width)]) + "\n"


class Finish(NamedTuple):
    """What becomes of the sums: whether they are divided by the rows, and where `extra` holds what each row has besides."""

    mean: bool = False
    addends: int | None = None


def scalar(parts: CutProgram) -> str:
    """``run(in, out, frame)``: the parts one after the other, until a guard does not hold."""
    if not parts.guarded:
        return _in_turn("i64 @run", SCALAR, parts.names, "-1")
    lines = []
    for i, name in enumerate(parts.names):
        lines += [
            f"  %guard{i} = call i64 @{name}({SCALAR})",
            f"  %fails{i} = icmp sge i64 %guard{i}, 0",
            f"  br i1 %fails{i}, label %end{i}, label %next{i}",
            f"end{i}:",
            f"  ret i64 %guard{i}",
            f"next{i}:",
        ]
    return "\n".join([f"define i64 @run({SCALAR}) #0 {{", *lines, "  ret i64 -1", "}"])


def batch(layout: SumLayout, uniform: CutProgram, row: CutProgram, sums: Sequence[str], finish: Finish) -> str:
    """A batch's own functions; its header, sizes and functions; and those of the driver, called with this header."""
    functions = {
        "uniform": _in_turn("i64 @uniform", "ptr %shared, ptr %extra, ptr %frame", uniform.names, "0"),
        "block": _in_turn("void @block", f"{ROW}, ptr %frame".replace(" noalias", ""), row.names),
        "sums": _in_turn("void @sums", "ptr %factors, ptr %sums, i64 %count, i1 %begun", sums),
    }
    numbers = {**layout.fields(), "mean": int(finish.mean), "added": -1 if finish.addends is None else finish.addends}
    assert (*numbers, *functions) == HEADER
    header = [*(f"i64 {x}" for x in numbers.values()), *(f"i64 ptrtoint (ptr @{name} to i64)" for name in functions)]
    texts = [*functions.values(), f"@header = internal constant [{len(header)} x i64] [{', '.join(header)}]"]
    for name, names in DRIVER.items():
        given = [f"{'i64' if n in INTS else 'ptr'} %{n}" for n in names]
        call = f"  %done = tail call i64 @{OTHERS}{name}({', '.join(['ptr @header', *given])})"
        texts.append(f"define i64 @{name}({', '.join(given)}) nounwind {{\n{call}\n  ret i64 %done\n}}")
        texts.append(f"declare i64 @{OTHERS}{name}({', '.join(['ptr', *(x.split()[0] for x in given)])})")
    return "\n\n".join(texts)


def _in_turn(head: str, given: str, names: Sequence[str], result: str = "") -> str:
    """A function that calls others with what it is given, one after the other."""
    lines = [f"  call void @{name}({given})" for name in names]
    return "\n".join([f"define {head}({given}) #0 {{", *lines, f"  ret i64 {result}" if result else "  ret void", "}"])
