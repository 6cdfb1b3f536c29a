r"""The printer: whatever is made of rows, as people write it, in LaTeX and in Python, from one table of precedences.

`Printer.apply` is what `Program.run` asks for: an operator of its operands, each a number or a `Piece`.

>>> from autograd_lite.formula.expression import parse
>>> f = parse("(w*x + b)**2 / hypot(x, -3)")
>>> for printer in (UNICODE, LATEX, PYTHON):
...     print(printer.program(f.program, f.names))
(w × x + b)² / hypot(x, −3)
\frac{\left(w \cdot x + b\right)^{2}}{\sqrt{x^{2} + \left(-3\right)^{2}}}
(w * x + b) ** 2.0 / hypot(x, -3.0)
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from string import Formatter
from typing import Any, NamedTuple

from .. import ops
from ..errors import AutogradError, ExpressionError
from ..ops import Op
from ..program import Program
from . import notation, texmath
from .expression import Expression, parse
from .vocabulary import ROWS

__all__ = ["LATEX", "PYTHON", "UNICODE", "Piece", "Printer", "grouped", "name_of"]

RELATION, LOOSE, SUM, PRODUCT, POWER, ATOM = range(6)  # how tightly a formula holds together

Operand = Any  # a node, a number, or a piece that was written before


class Sign(NamedTuple):
    """How an op is written with a sign: how tightly it holds, what its operands must, and the sign in each notation."""

    level: int
    needs: tuple[int, ...]
    unicode: str
    short: str
    latex: str
    python: str


def _relation(short: str, latex: str, python: str) -> Sign:
    return Sign(RELATION, (SUM, SUM), *(f"{{0}} {sign} {{1}}" for sign in (python, short, latex, python)))


# the one table of precedences; in the place of an operand that a template encloses, anything may stand
SIGNS: dict[Op, Sign] = {
    ops.add: Sign(SUM, (SUM, PRODUCT), "{0} + {1}", "{0} + {1}", "{0} + {1}", "{0} + {1}"),
    ops.sub: Sign(SUM, (SUM, PRODUCT), "{0} − {1}", "{0} − {1}", "{0} - {1}", "{0} - {1}"),
    ops.mul: Sign(PRODUCT, (PRODUCT, POWER), "{0} × {1}", "{0}·{1}", r"{0} \cdot {1}", "{0} * {1}"),
    ops.div: Sign(PRODUCT, (PRODUCT, POWER), "{0} / {1}", "{0}/{1}", r"\frac{{{0}}}{{{1}}}", "{0} / {1}"),
    ops.neg: Sign(PRODUCT, (PRODUCT,), "−{0}", "−{0}", "-{0}", "-{0}"),
    ops.mod: Sign(LOOSE, (POWER, POWER), "{0} % {1}", "{0} % {1}", r"{0} \bmod {1}", "{0} % {1}"),
    ops.floordiv: Sign(LOOSE, (POWER, POWER), "{0} // {1}", "⌊{0}/{1}⌋", r"\left\lfloor {0} / {1} \right\rfloor", "{0} // {1}"),
    ops.pow: Sign(POWER, (ATOM, POWER), "{0} ** {1}", "{0}^{1}", "{0}^{{{1}}}", "{0} ** {1}"),
    ops.lt: _relation("<", "<", "<"),
    ops.le: _relation("≤", r"\le", "<="),
    ops.gt: _relation(">", ">", ">"),
    ops.ge: _relation("≥", r"\ge", ">="),
    ops.eq: _relation("=", "=", "=="),
    ops.ne: _relation("≠", r"\ne", "!="),
}

LETTERS = "xyzu"  # the operands in a row's own formulas
SOFTMAX_WEIGHT = ops.TABLE["softmax_weight"]
_EXACT = (ops.add, ops.sub, ops.mul, ops.neg)  # of numbers written out, these are written as their result

OPENING = ("(", "[", "{", "|", ",", "⌊", r"\lfloor", r"\lceil", "cases}", r"\\", r"\langle", r"\lVert")
CLOSING = (")", "]", "}", "|", ",", "⌋", r"\rfloor", r"\rceil", r"\right", r"\\", "&", r"\rangle", r"\rVert")
_OPERATOR = re.compile(r"[-+−·×*/%<>=≤≥≠]|\\(?:cdot|times|bmod|le|ge|ne)\b")


class Piece:
    """A part of a formula: text and other pieces, how tightly it holds together, and whether it begins with a minus."""

    __slots__ = ("level", "parts", "signed")

    def __init__(self, parts: Sequence[str | Piece], level: int = ATOM, signed: bool = False) -> None:
        self.parts = parts
        self.level = level
        self.signed = signed

    def __str__(self) -> str:
        out: list[str] = []
        todo: list[str | Piece] = [self]
        while todo:
            part = todo.pop()
            if isinstance(part, str):
                out.append(part)
            else:
                todo += reversed(part.parts)
        return "".join(out)


class _Slot(NamedTuple):
    before: str
    place: str  # of an operand, or a word; empty after the last
    enclosed: bool
    first: bool


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Expression | None:
    """A row's own formula; None for a text that is none."""
    try:
        return parse(text, ROWS)
    except ExpressionError:
        return None


@lru_cache(maxsize=1024)
def _pieces(template: str) -> tuple[tuple[_Slot, ...], int]:
    """The pieces of a template, and how tightly its whole holds where its own look tells."""
    pieces, literal = [], ""
    for text, place, _, _ in Formatter().parse(template):
        literal += text  # a brace that is written twice ends a literal too
        if place is not None:
            pieces.append((literal, place))
            literal = ""
    pieces.append((literal, ""))
    slots = [
        _Slot(
            before,
            place,
            before.rstrip().endswith((*OPENING, "if }")) and pieces[i + 1][0].lstrip().startswith(CLOSING),
            i == 0 and not before,
        )
        for i, (before, place) in enumerate(pieces[:-1])
    ]
    flat, depth, outside = template.replace("{{", "\1").replace("}}", "\2"), 0, []
    for i, c in enumerate(flat):
        depth += c in "([\1⌊"
        depth -= c in ")]\2⌋"
        if not depth and c not in ")]\2⌋":
            outside.append(c if not (c in "-+" and i == 0) else "-")
    level = POWER
    if re.match(r"\|.*\|$|\\left\||\\left\\lfloor|\\lfloor|\\lceil|\\sqrt|⌊", template):
        level = ATOM
    elif _OPERATOR.search("".join(outside)) or template.startswith(r"\begin"):
        level = LOOSE
    return (*slots, _Slot(pieces[-1][0], "", False, False)), level


class Printer:
    """One notation.

    Args:
        number: how a number is written.
        brackets: that enclose what does not hold together tightly enough.
        column: the column of the table: "unicode", "short" (as little room as an edge has), "latex" or "python".
        most: how many operands are written of a row that takes any number, None for all.
        relations: that enclose a comparison among other things; brackets unless given.
    """

    def __init__(
        self,
        column: str,
        number: Callable[[float], str],
        brackets: tuple[str, str] = ("(", ")"),
        most: int | None = None,
        relations: tuple[str, str] | None = None,
    ) -> None:
        self.column, self.number, self.brackets, self.most = column, number, brackets, most
        self.relations = relations or brackets

    def piece(self, x: Operand) -> Piece:
        """A number as a piece; pieces as they are."""
        if isinstance(x, Piece):
            return x
        text = self.number(x)
        negative = text.startswith(("-", notation.MINUS))
        return Piece((text,), PRODUCT if negative or "times" in text else ATOM, negative)

    def at(self, x: Operand, needed: int, first: bool = True) -> Piece:
        """A piece where it must hold so tightly; what begins with a minus stands bare only at the beginning."""
        piece = self.piece(x)
        if piece.level >= needed and (first or not piece.signed):
            return piece
        left, right = self.relations if piece.level == RELATION else self.brackets
        return Piece((left, piece, right))

    def apply(self, op: Op, *operands: Operand) -> Piece:
        """An op of its operands."""
        sign = SIGNS.get(op)
        if op is ops.pow and self.column in ("unicode", "short") and (n := _whole(operands[1])) is not None:
            return Piece((self.at(operands[0], ATOM), str(n).translate(notation.SUPERSCRIPT)), POWER)
        if sign is not None:
            return self._filled(getattr(sign, self.column), operands, sign)
        if self.column == "python":
            return self._called(op, operands)
        if op is ops.dot and self.most is not None:
            return self._terms(operands)
        template = op.latex if self.column == "latex" else op.text.replace("-", notation.MINUS)
        if "{" not in template:
            return self.piece(self.formula(op.text, operands))
        if self.column == "latex" and template.endswith(" {0}"):  # \sin {0}: no one is left to guess how far it reaches
            template = template.removesuffix(" {0}") + r"\left({0}\right)"
        return self._filled(template, operands, None)

    def _filled(self, template: str, operands: Sequence[Operand], sign: Sign | None) -> Piece:
        slots, looks = _pieces(template)
        parts: list[str | Piece] = []
        signed = template.startswith(("-", notation.MINUS))
        for before, place, enclosed, first in slots[:-1]:
            parts.append(before)
            if not place.isdigit():
                parts += self._word(place, operands)
                continue
            i = int(place)
            needed = RELATION if enclosed else sign.needs[i] if sign is not None else ATOM
            piece = self.at(operands[i], needed, first or enclosed)
            signed |= first and piece.signed
            parts.append(piece)
        parts.append(slots[-1].before)
        enclosing = all(slot.enclosed for slot in slots[:-1])
        level = sign.level if sign is not None and not enclosing and looks != ATOM else looks
        return Piece(parts, level, signed)

    def formula(self, text: str, operands: Sequence[Operand], out: Operand = None, index: int = 0) -> Operand:
        """A row's own formula with its operands in place: a piece, or the number that is left.

        Beside x, y, z, u, the first operands, it may name ``out``, the result, and of a row with any number of operands the
        one at `index`: ``item``; ``n``, their number; ``others``, the product of the others; ``other``, the one that stands
        where it does in the other half; ``norm``, the length of all after the first; ``weight``, that of the item in the
        softmax of these.  A text that is no such formula is shown as it stands.
        """
        found = _parsed(text)
        try:
            if found is not None:
                return found.program.run([self._meaning(name, operands, out, index) for name in found.names], self._tidy)[0]
        except KeyError:
            pass
        return Piece((rf"\text{{{texmath.text(text)}}}" if self.column == "latex" else text.replace("-", notation.MINUS),))

    def _meaning(self, name: str, operands: Sequence[Operand], out: Operand, index: int) -> Operand:
        """What a name stands for in a row's own formula; KeyError where it means nothing."""
        if name in LETTERS[: len(operands)]:
            return operands[LETTERS.index(name)]
        n, shown = len(operands), None if self.most is None else self.most + 2
        if name == "others":
            return self.apply(ops.prod, *[a for i, a in enumerate(operands[:shown]) if i != index])
        if name == "norm":
            return self.apply(ops.hypot, *operands[1:shown])
        if name == "weight":
            return self.apply(SOFTMAX_WEIGHT, float(index - 1) if index else operands[0], *operands[1:shown])
        return {
            "out": out, "item": operands[index], "n": float(n), "other": operands[(index + n // 2) % n],
            "pi": Piece((r"\pi " if self.column == "latex" else "π",)),
        }[name]  # fmt: skip

    def _tidy(self, op: Op, *operands: Operand) -> Operand:
        """An op of its operands; numbers are added and multiplied, and times 0, times 1 or to the power 1 is shorter."""
        if op in _EXACT and all(x.__class__ is float for x in operands):
            return op.forward(*operands)
        numbers = [x if x.__class__ is float else None for x in operands]
        if op is ops.mul and 0.0 in numbers:
            return 0.0
        if op is ops.mul and 1.0 in numbers:
            return operands[1 - numbers.index(1.0)]
        if op in (ops.pow, ops.div) and numbers[1] == 1.0:
            return operands[0]
        return 1.0 if op is ops.pow and numbers[1] == 0.0 else self.apply(op, *operands)

    def _word(self, word: str, operands: Sequence[Operand]) -> list[str | Piece]:
        """What stands for several operands."""
        operands = operands[1:] if word == "rest" else operands
        shown = operands if self.most is None else operands[: self.most]
        pieces = [self.piece(x) for x in shown]
        if word == "squares":
            pieces = [self.apply(ops.pow, x, 2.0) for x in shown]
        between = " + " if word == "squares" else ", "
        dots = [between, r"\ldots" if self.column == "latex" else "..."] if len(shown) < len(operands) else []
        return [part for i, piece in enumerate(pieces) for part in ((between, piece) if i else (piece,))] + dots

    def _terms(self, operands: Sequence[Operand]) -> Piece:
        """A product of two lists as a sum, of which three terms are written where it is long."""
        half = len(operands) // 2
        shown = 3 if half > 4 else half
        terms = [self.apply(ops.mul, a, b) for a, b in zip(operands[:shown], operands[half:], strict=False)]
        parts = [part for i, term in enumerate(terms) for part in ((" + ", term) if i else (term,))]
        dots = [" + ", r"\ldots" if self.column == "latex" else "..."] if half > shown else []
        return Piece([*parts, *dots], SUM, bool(terms) and terms[0].signed)

    def _called(self, op: Op, operands: Sequence[Operand]) -> Piece:
        parts: list[str | Piece] = [f"{name_of(op)}("]
        for i, group in enumerate(grouped(op, operands)):
            parts.append(", " if i else "")
            if isinstance(group, list):
                parts.append("[")
                for j, a in enumerate(group):
                    parts += [", " if j else "", self.piece(a)]
                parts.append("]")
            else:
                parts.append(self.piece(group))
        return Piece([*parts, ")"])

    def program(self, program: Program, names: Sequence[str]) -> str:
        """The first output of a program, its inputs by names that are of this notation already.

        In Python a result used again is named where it first stands, ``(v1 := sin(x)) * v1``; elsewhere it is written again.
        """
        if self.column != "python":
            apply = self._folding
            values = program.run([Piece((name,)) for name in names], apply)
            return str(self.piece(values[0]))
        uses = [0] * (program.inputs + len(program))
        for _, args in program.instructions:
            for a in args:
                if isinstance(a, int):
                    uses[a] += 1
        fresh = (v for v in (f"v{i}" for i in range(1, len(uses) + len(names) + 2)) if v not in names)
        known: list[Operand] = [Piece((name,)) for name in names]
        for number, (op, args) in enumerate(program.instructions, program.inputs):
            piece = self.apply(op, *[known[a] if isinstance(a, int) else a for a in args])
            known.append(_SharedPiece(piece.parts, piece.level, piece.signed) if uses[number] > 1 else piece)
        (out, *_) = program.outputs
        return _named_where_first(known[out] if isinstance(out, int) else self.piece(out), fresh)

    def _folding(self, op: Op, *operands: Operand) -> Operand:
        """An op of its operands; of numbers only, their number."""
        if any(isinstance(x, Piece) for x in operands):
            return self.apply(op, *operands)
        return op.apply(*operands)


class _SharedPiece(Piece):
    """A piece that is used more than once."""

    __slots__ = ()


def _named_where_first(root: Piece, fresh: Operand) -> str:
    out: list[str] = []
    names: dict[int, str] = {}
    todo: list[str | Piece] = [root]
    while todo:
        part = todo.pop()
        if isinstance(part, str):
            out.append(part)
        elif isinstance(part, _SharedPiece) and id(part) in names:
            out.append(names[id(part)])
        elif isinstance(part, _SharedPiece):
            names[id(part)] = next(fresh)
            out.append(f"({names[id(part)]} := ")
            todo.append(")")
            todo += reversed(part.parts)
        else:
            todo += reversed(part.parts)
    return "".join(out)


def _whole(exponent: Operand) -> int | None:
    return int(exponent) if exponent.__class__ is float and abs(exponent) < 100 and exponent == int(exponent) else None


def _python(x: float) -> str:
    return repr(x) if math.isfinite(x) else f"float({str(x)!r})"


def grouped(op: Op, args: Sequence[Operand]) -> Operand:
    """Flat arguments as the public call takes them: lists where the row gathers lists."""
    if op.gather is None:
        return tuple(args)
    try:
        op.gather(list(args))
    except AutogradError:
        half = len(args) // 2
        return list(args[:half]), list(args[half:])
    return (list(args),)


def name_of(op: Op) -> str:
    """What a row is called in Python."""
    return "round_" if op is ops.round_ else op.name


DIGITS = 12
UNICODE = Printer("unicode", lambda x: notation.number(x, DIGITS))
LATEX = Printer("latex", lambda x: texmath.number(notation.number(x, DIGITS)), (r"\left(", r"\right)"))
PYTHON = Printer("python", _python)
