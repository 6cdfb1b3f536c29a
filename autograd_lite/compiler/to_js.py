"""The JavaScript backend: a program as the text of a function, for pages that work without Python.

A browser cannot call Python back, so that a user's own op has no place in it.  What `Math` lacks is in ``runtime.js``; only
what a program uses goes with it.  The text holds no user text: values are v0, v1, ..., constants are numbers.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from importlib import resources
from math import inf
from typing import Any

from ..errors import LoweringError
from ..ops import Op
from ..program import Program, Ref
from ..tree import Number
from .lowering import Named, Notes, lower

_MATH = ("abs", "sqrt", "floor", "ceil", "trunc", "exp", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin",
         "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "cbrt", "atan2")  # fmt: skip
_SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "fmod": "%", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
          "eq": "===", "ne": "!==", "both": "&&", "either": "||"}  # fmt: skip
# how each word is written; {0}, {1}, {2} are names or numbers
WORDS: dict[str, str] = {
    **{word: f"Math.{word}({{0}})" for word in _MATH},
    "atan2": "Math.atan2({0},{1})",
    **{word: f"{{0}}{sign}{{1}}" for word, sign in _SIGNS.items()},
    "neg": "-{0}",
    "rint": "rint({0})", "exp2": "exp2({0})", "erf": "erf({0})", "erfc": "erfc({0})",
    "pow": "pow({0},{1})", "copysign": "copysign({0},{1})",
    "negate": "!{0}", "select": "{0}?{1}:{2}", "truth": "{0}!==0", "number": "{0}?1:0",
}  # fmt: skip
# the functions of runtime.js for rows without a formula in these words
CALLED = {
    "gamma": "gamma", "lgamma": "lgamma", "digamma": "digamma", "polygamma": "polygamma", "sinc_derivative": "sincDerivative",
    "round": "roundTo",
}  # fmt: skip


class JsWords(Notes):
    """The vocabulary of `lowering`: each word notes one expression, and one already noted is not written again."""

    def __getattr__(self, word: str) -> Callable[..., Any]:
        if word not in WORDS:
            raise AttributeError(word)
        return lambda *args: self.note(WORDS[word], *args)

    def call(self, op: Op, *args: Number) -> Named:
        if not op.entered or op.name not in CALLED:
            raise LoweringError(f"op {op.name} has no formula in JavaScript: build it from functions of the library")
        places = ",".join(f"{{{i}}}" for i in range(len(args)))
        return self.note(f"{CALLED[op.name]}({places})", *args)


def source(program: Program, name: str = "run") -> str:
    """The program as a JavaScript function of an array of inputs that returns an array of outputs.

    >>> from autograd_lite import ops
    >>> from autograd_lite.program import Instruction, Program
    >>> print(source(Program(2, (Instruction(ops.mul, (0, 1)), Instruction(ops.exp, (2,))), (3,))))
    function run(x){const v0=x[0],v1=x[1];
    const v2=v0*v1;
    const v3=Math.exp(v2);
    return [v3]}

    Guards are not looked at: what they ask for can be an output.  Raises LoweringError for an op without a formula.
    """
    k = JsWords()
    values: list[Any] = [Named(f"v{i}") for i in range(program.inputs)]
    for op, args in program.instructions:
        values.append(lower(op)(k, *[values[a] if a.__class__ is int else a for a in args]))
    results = [values[a] if a.__class__ is int else a for a in program.outputs]
    needed = {r for r in results if isinstance(r, Named)}
    for handle, _, args in reversed(k.noted):
        if handle in needed:
            needed.update(a for a in args if isinstance(a, Named))
    read = [f"v{i}=x[{i}]" for i in range(program.inputs) if values[i] in needed]
    lines = [f"function {name}(x){{" + (f"const {','.join(read)};" if read else "")]
    for number, (handle, template, args) in enumerate([line for line in k.noted if line[0] in needed], program.inputs):
        handle.name = f"v{number}"
        lines.append(f"const v{number}={template.format(*map(_operand, args))};")
    return "\n".join([*lines, f"return [{','.join(map(_operand, results))}]}}"])


def _operand(ref: Ref) -> str:
    """An operand; a negative number in parentheses, as ``--`` and ``-2**`` mean something else."""
    if isinstance(ref, Named):
        return ref.name
    if ref.__class__ is bool:
        return "true" if ref else "false"
    if ref != ref:
        return "NaN"
    text = "Infinity" if abs(ref) == inf else repr(abs(ref)).removesuffix(".0")
    return f"(-{text})" if repr(ref).startswith("-") else text


@functools.cache
def _definitions() -> dict[str, tuple[str, frozenset[str]]]:
    """The definitions of runtime.js by name, without comments, and the names that each mentions; in order."""
    text = resources.files(__package__).joinpath("runtime.js").read_text("utf-8")
    found = {}
    for block in text.split("\n\n"):
        lines = [line for line in block.strip().split("\n") if not line.lstrip().startswith("//")]
        if lines:
            body = "\n".join(lines)
            match = re.match(r"(?:function|const) (\w+)", body)
            assert match is not None, body
            found[match[1]] = (body, frozenset(re.findall(r"\w+", body)))
    return found


def runtime(text: str) -> str:
    """The definitions of ``runtime.js`` that a text needs, in order: none for plain arithmetic.

    >>> runtime("v0*v1"), runtime("rint(v0)").startswith("function rint")
    ('', True)
    """
    known = _definitions()
    needed: set[str] = set()
    waiting = set(re.findall(r"\w+", text)) & known.keys()
    while waiting:
        name = waiting.pop()
        needed.add(name)
        waiting |= (known[name][1] & known.keys()) - needed
    return "\n".join(body for name, (body, _) in known.items() if name in needed)
