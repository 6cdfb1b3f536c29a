"""The Python backend: a program as Python source, standard library only, the same bits as the rows' own functions.

The source holds no user text: values are v0, v1, ..., and what has a name from outside is bound to
one of ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from .. import ops
from ..ops import Op
from ..program import Program, Ref

# How a row is written; {0}, {1} are its operands, {f} its own function, for the arguments this line does not cover.  None:
# its function is called.  In the namespace: math's functions under their own names, inf and nan.
INLINE: dict[str, str] = {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "neg": "-{0}",
    "square": "{0} * {0}",
    "identity": "{0}",
    "stop_gradient": "{0}",
    "zero": "0.0 if {0} == {0} else nan",
    "div": "{0} / {1} if {1} else {f}({0}, {1})",
    "lt": "1.0 if {0} < {1} else 0.0",
    "le": "1.0 if {0} <= {1} else 0.0",
    "gt": "1.0 if {0} > {1} else 0.0",
    "ge": "1.0 if {0} >= {1} else 0.0",
    "eq": "1.0 if {0} == {1} else 0.0",
    "ne": "1.0 if {0} != {1} else 0.0",
    "where": "{1} if {0} else {2}",
    "abs": "fabs({0})",
    "maximum": "{0} if {0} > {1} else {1} if {1} >= {0} else nan",
    "minimum": "{0} if {0} < {1} else {1} if {1} <= {0} else nan",
    "difference": "0.0 if {0} == {1} else {0} - {1}",
    "relu": "0.0 if {0} <= 0.0 else {0}",
    "heaviside": "1.0 if {0} > 0.0 else 0.0 if {0} < 0.0 else {1} if {0} == 0.0 else nan",
    "inverse": "1.0 / {0} if {0} > 0.0 else {f}({0})",
    "sqrt": "sqrt({0}) if {0} > 0.0 else {f}({0})",
    "exp": "exp({0}) if {0} < 709.0 else {f}({0})",
    "log": "log({0}) if {0} > 0.0 else {f}({0})",
    "log1p": "log1p({0}) if {0} > -1.0 else {f}({0})",
    "sin": "sin({0}) if -inf < {0} < inf else nan",
    "cos": "cos({0}) if -inf < {0} < inf else nan",
    "tanh": "tanh({0})",
    "atan": "atan({0})",
    "co_square": "(1.0 - {0}) * (1.0 + {0})",
    "atan_derivative": "1.0 / (1.0 + {0} * {0}) if -1e150 < {0} < 1e150 else {f}({0})",
    "leaky_relu": "{0} if {0} > 0.0 else {1} * {0}",
}
MATH = ("fabs", "sqrt", "exp", "log", "log1p", "sin", "cos", "tanh", "atan")
RELATIONS = {ops.lt: "<", ops.le: "<=", ops.gt: ">", ops.ge: ">=", ops.eq: "==", ops.ne: "!="}
TERMS = 40  # of a long sum in one line: the compiler's stack is finite


class Source:
    """Python lines that compute a program's values, and the names they need.

    `lines` computes everything; `leave(k)` of the constructor writes what happens where guard k does not hold.
    """

    def __init__(self, program: Program, leave: Any) -> None:
        self.program = program
        self.names: dict[str, object] = {
            "inf": math.inf, "nan": math.nan,
            **{f: getattr(math, f) for f in MATH},
        }  # fmt: skip
        self.functions: dict[Op, str] = {}
        self.constants: dict[str, str] = {}  # float.hex -> name
        self.uses = self._uses()
        self.lines = list(self._written(leave))

    def operand(self, ref: Ref) -> str:
        """An operand in the source; a constant that no short decimal says exactly has a name, bound by float.hex."""
        if ref.__class__ is int:
            return f"v{ref}"
        if not math.isfinite(ref):
            return "nan" if ref != ref else "inf" if ref > 0 else "(-inf)"
        text = repr(ref)
        if len(text) > 6 or (ref * 1024.0) % 1.0:  # a whole number of 1024ths is its decimal exactly
            return self.constants.setdefault(ref.hex(), f"c{len(self.constants)}")  # type: ignore[union-attr]
        return f"({text})" if text[0] == "-" else text

    def text(self, signature: str, unpack: Iterable[str], result: str) -> str:
        """The whole source: the constants that have names, and the function that gives `result`."""
        named = "".join(f'{name} = float.fromhex("{text}")\n' for text, name in self.constants.items())
        return named + "\n    ".join([f"def {signature}:", *unpack, *self.lines, f"return {result}"]) + "\n"

    def _uses(self) -> list[int]:
        """How often each value is used as a number: by instructions and outputs; guards and conditions write it again."""
        uses = [0] * (self.program.inputs + len(self.program))
        for op, args in self.program.instructions:
            for a in args[op is ops.where :]:
                if a.__class__ is int:
                    uses[a] += 1
        for a in self.program.outputs:
            if a.__class__ is int:
                uses[a] += 1
        return uses

    def _written(self, leave: Any) -> Iterator[str]:
        program = self.program
        waiting = list(enumerate(program.guards))[::-1]
        number = program.inputs
        while True:
            while waiting and waiting[-1][1].ref < number:
                k, guard = waiting.pop()
                truth = self._truth(guard.ref)
                yield f"if {f'not ({truth})' if guard.expected else truth}: {leave(k)}"
            k = number - program.inputs
            if k == len(program):
                return
            # a comparison that only guards ask for is written where they are
            if self.uses[number] or program.ops[k] not in RELATIONS:
                yield from self._instruction(number, program.ops[k], program.args[k])
            number += 1

    def _truth(self, ref: int) -> str:
        if ref >= self.program.inputs:
            k = ref - self.program.inputs
            op, args = self.program.ops[k], self.program.args[k]
            if op in RELATIONS:
                return f"{self.operand(args[0])} {RELATIONS[op]} {self.operand(args[1])}"
        return f"v{ref}"

    def _instruction(self, number: int, op: Op, args: tuple[Ref, ...]) -> Iterator[str]:
        written = list(map(self.operand, args))
        name = op.name if op.entered else None
        if name in ("sum", "mean", "dot"):
            half = len(written) // 2
            terms = [f"{a} * {b}" for a, b in zip(written[:half], written[half:], strict=True)] if name == "dot" else written
            parts = [terms[i : i + TERMS] for i in range(0, len(terms), TERMS)]
            total = "0.0"
            for part in parts:
                yield f"v{number} = {' + '.join((total, *part))}"
                total = f"v{number}"
            if not terms:
                yield f"v{number} = {'nan' if name == 'mean' else '0.0'}"
            elif name == "mean":
                yield f"v{number} = v{number} / {len(written)}"
            return
        if name == "div" and args[1].__class__ is float and args[1]:
            yield f"v{number} = {written[0]} / {written[1]}"
        elif name == "where":
            condition = self._truth(args[0]) if args[0].__class__ is int else written[0]
            yield f"v{number} = {written[1]} if {condition} else {written[2]}"
        elif name in INLINE:
            text = INLINE[name]
            yield f"v{number} = {text.format(*written, f=self._function(op) if '{f}' in text else '')}"
        else:
            yield f"v{number} = {self._function(op)}({', '.join(written)})"

    def _function(self, op: Op) -> str:
        """The name under which a row's own function is called."""
        if op not in self.functions:
            name = f"{op.name}_" if op.entered else f"op{len(self.functions)}"
            self.functions[op] = name
            self.names[name] = op.forward
        return self.functions[op]


def function(program: Program) -> tuple[Any, str]:
    """The program as a function of the list of inputs, and its source.

    It returns the list of outputs, or an int: which guard did not hold.
    """
    source = Source(program, lambda k: f"return {k}")
    outputs = ", ".join(map(source.operand, program.outputs))
    inputs = ", ".join(f"v{i}" for i in range(program.inputs))
    unpack = [f"{inputs}, = inputs"] if program.inputs else []
    text = source.text("run(inputs)", unpack, f"[{outputs}]")
    return define(text, "run", source.names), text


def define(text: str, name: str, names: dict[str, object]) -> Any:
    """The function that a source text of ours defines."""
    scope = {"__name__": __name__, **names}  # a warning from there is not the caller's
    exec(compile(text, "<autograd_lite.jit>", "exec"), scope)
    return scope.pop(name)  # or it and its names would hold each other
