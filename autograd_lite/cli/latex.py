r"""A formula as typed, in LaTeX: an `Expression` called on `Tex` in place of numbers.  Imports `notation`, `texmath`, `ops`.

The templates are those of the op table; here is only where they need parentheses.
"""

from __future__ import annotations

from typing import Any

from .. import ops
from ..formula import notation, texmath
from ..formula.expression import Expression
from ..ops import Op

DIGITS = 12
COMPARISON, SUM, PRODUCT, POWER, ATOM = range(5)  # how tightly a formula holds together
RELATIONS = (ops.lt, ops.le, ops.gt, ops.ge, ops.eq, ops.ne)

# what a formula must be at least to stand bare in each place of an op's template; elsewhere the template encloses it
NEEDED: dict[Op, tuple[int, ...]] = {
    ops.add: (SUM, SUM), ops.sub: (SUM, PRODUCT), ops.neg: (PRODUCT,), ops.mul: (PRODUCT, PRODUCT),
    ops.mod: (POWER, POWER), ops.floordiv: (POWER, POWER), ops.pow: (ATOM, COMPARISON), ops.square: (ATOM,),
    ops.log1p: (SUM,), ops.hypot: (ATOM,), **dict.fromkeys(RELATIONS, (SUM, SUM)),
}  # fmt: skip
# what an op's own formula is, where that is no power or call
LEVELS: dict[Op, int] = {
    ops.add: SUM, ops.sub: SUM, ops.expm1: SUM, ops.neg: PRODUCT, ops.mul: PRODUCT, ops.mod: COMPARISON, ops.where: COMPARISON,
    **dict.fromkeys(RELATIONS, COMPARISON),
}  # fmt: skip
CLOSED = (r"\left|", r"\left\lfloor", r"\lfloor", r"\lceil", r"\sqrt")  # what begins like this may be raised to a power


class Tex:
    """A piece of a formula in LaTeX, which a row of the op table takes in place of a number."""

    def __init__(self, latex: str, level: int = ATOM) -> None:
        self.latex = latex
        self.level = level

    def at(self, needed: int) -> str:
        r"""The piece where it must hold together so tightly.

        >>> Tex("a + b", SUM).at(PRODUCT), Tex("a + b", SUM).at(SUM)
        ('\\left(a + b\\right)', 'a + b')
        """
        return self.latex if self.level >= needed else rf"\left({self.latex}\right)"

    @staticmethod
    def _record(op: Op, args: tuple[Any, ...]) -> Tex:
        """What a row calls on: its template with the arguments in place."""
        pieces = [arg if isinstance(arg, Tex) else number(op.number(arg, i)) for i, arg in enumerate(args)]
        needed = NEEDED.get(op, ()) if op.arity is not None else NEEDED.get(op, ()) * len(args)
        texts = [piece.at(level) for piece, level in zip(pieces, needed or (COMPARISON,) * len(pieces), strict=True)]
        words = {"all": ", ".join(texts), "squares": " + ".join(f"{text}^{{2}}" for text in texts)}
        template = op.latex
        if template.endswith(" {0}"):  # \sin {0}: how far a function reaches is left to no one's judgement
            template = template.removesuffix(" {0}") + r"\left({0}\right)"
        level = LEVELS.get(op, ATOM if template.startswith(CLOSED) else POWER)
        return Tex(notation.fill(template, texts, words), level)


def number(x: float) -> Tex:
    r"""A number as a piece of a formula.

    >>> number(-2.5).level == PRODUCT, number(1e-9).latex
    (True, '1 \\times 10^{-9}')
    """
    latex = texmath.number(notation.number(x, DIGITS))
    return Tex(latex, PRODUCT if latex.startswith("-") or "times" in latex else ATOM)


def formula(expression: Expression) -> str:
    r"""A typed formula in LaTeX's math mode; what has numbers only is worked out.

    >>> from autograd_lite.formula.expression import parse
    >>> from autograd_lite.formula.vocabulary import VOCABULARY
    >>> print(formula(parse("(w*x + b)**2/sqrt(3*4)", VOCABULARY)))
    \frac{\left(w \cdot x + b\right)^{2}}{3.46410161514}
    """
    result = expression({name: Tex(texmath.name(name)) for name in expression.names})
    return result.latex if isinstance(result, Tex) else number(result).latex
