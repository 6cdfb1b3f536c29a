"""Text that people type -> a function of its names: Python's arithmetic, without Python's `eval` or `ast`.

`tokens` has the language.  What functions and constants a text may mention is handed in as a `Vocabulary`; the library's
own is `autograd_lite.formula.vocabulary.VOCABULARY`, imported where no other is given.  Nothing recurses: neither nesting nor
length exhausts Python's stack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn, overload

from ..errors import InputTypeError, InputValueError
from ..ops import Op
from ..program import Program
from ..tree import Number
from .parsing import Function, Parser, Vocabulary
from .tokens import short

__all__ = ["Expression", "Function", "Vocabulary", "parse"]


class Expression:
    """A parsed text: a function of its names, of floats, Values, or whatever else the functions of its vocabulary take.

    >>> from autograd_lite import grad
    >>> loss = parse("(w*x + b - y)**2")
    >>> loss, loss.names
    (Expression('(w*x + b - y)**2'), ('w', 'x', 'b', 'y'))
    >>> loss(w=0, x=3.5, b=0, y=18), grad(loss)({"w": 0, "x": 3.5, "b": 0, "y": 18})
    (324.0, {'w': -126.0, 'x': -0.0, 'b': -36.0, 'y': 36.0})

    `text` is what was parsed, `names` its variables in the order they first appear, `program` the same as a straight line
    whose inputs they are.  Two expressions are equal if their texts are.  It pickles where the rows of its program do.

    A name in backquotes is any text: `names` has it bare.  A formula of a table may also say ``is(COLUMN, "text")``, 1 in the
    rows where a column of text has that text, and ``a[COLUMN]``, one weight for each text of a column.  Both are variables
    whose names are so spelled; what they mean is in `indicators` and `grouped`, for the caller to give them numbers.

    >>> f = parse('a[site]*`Weight (kg)` + b*is(species, "Adelie")')
    >>> f.names
    ('a[site]', 'Weight (kg)', 'b', 'is(species, "Adelie")')
    >>> f.grouped, f.indicators
    ({'a[site]': ('a', 'site')}, {'is(species, "Adelie")': ('species', 'Adelie')})
    >>> f({"a[site]": 2, "Weight (kg)": 70, "b": 5, 'is(species, "Adelie")': 1})
    145.0
    """

    __slots__ = ("constants", "grouped", "indicators", "names", "number", "program", "text")

    def __init__(
        self,
        text: str,
        names: tuple[str, ...],
        constants: frozenset[str],
        program: Program,
        number: Callable[[str, str], float],
        indicators: Mapping[str, tuple[str, str]],
        grouped: Mapping[str, tuple[str, str]],
    ) -> None:
        self.text = text
        self.names = names
        self.constants = constants
        self.program = program
        self.number = number
        self.indicators = indicators
        self.grouped = grouped

    @overload
    def __call__(self, values: Mapping[str, float] | None = None, /, **named: float) -> float: ...
    @overload
    def __call__(self, values: Mapping[str, Number] | None = None, /, *others: Number, **named: Number) -> Number: ...
    def __call__(self, values: Mapping[str, Number] | None = None, /, *others: Number, **named: Number) -> Number:
        """The value, given one for every name.

        Args:
            values: names to numbers or Values, such as a row of a table; names that the text has not are passed over.
            named: the same as keywords, which go before `values`; each must be a name of the text.

        Raises InputValueError where a name has no value, a keyword is no name of the text, or a constant of the text is
        given one; and what the functions raise for what is no number.
        """
        if others or not (values is None or isinstance(values, Mapping)):
            example = self._example(self.names[:3])
            raise InputTypeError(
                f"{short(self.text)!r} takes its numbers by name: give {example}, or a mapping of names to numbers"
            )
        given = named if values is None else {**values, **named}
        known = {}
        try:
            for name in self.names:
                value = given[name]
                ready = value.__class__ is float or hasattr(value.__class__, "_record")
                known[name] = value if ready else self.number(value, name)
        except KeyError:
            self._refuse_missing(given)
        if self.constants and (taken := sorted((self.constants & given.keys()).difference(self.names))):
            raise InputValueError(f"{taken[0]}={given[taken[0]]!r} is a constant and takes no value: rename the variable")
        if named and not named.keys() <= known.keys():
            self._refuse_unknown(named)
        (result,) = self.program.run(known.values(), called)
        return result

    def _refuse_missing(self, given: Mapping[str, Number]) -> NoReturn:
        missing = [name for name in self.names if name not in given]
        raise InputValueError(
            f"no value for {', '.join(missing)} of {short(self.text)!r}: give {'it' if len(missing) == 1 else 'each'} one, "
            f"{self._example(missing[:1])}"
        )

    def _example(self, names: Sequence[str]) -> str:
        """How names are given values: by keywords where Python can spell them."""
        if all(name.isidentifier() for name in names):
            return ", ".join(f"{name}=1.0" for name in names)
        return "{" + ", ".join(f"{name!r}: 1.0" for name in names) + "}"

    def _refuse_unknown(self, named: Mapping[str, Number]) -> NoReturn:
        unknown = next(name for name in named if name not in self.names)
        has = f"its names are {', '.join(self.names)}" if self.names else "it has no names"
        raise InputValueError(f"{unknown}={named[unknown]!r} is no name of {short(self.text)!r}: {has}")

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, Expression) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.text)


def called(op: Op, *args: Number) -> Number:
    """A row of its operands one by one, as a call of it: how a formula's program is run.

    >>> from autograd_lite import logsumexp
    >>> called(logsumexp, 0.0, 0.0) == logsumexp([0.0, 0.0])
    True
    """
    return op(*args) if op.gather is None else op.apply(*args)


def parse(
    text: str,
    vocabulary: Vocabulary | None = None,
    *,
    max_length: int = 10_000,
    max_tokens: int = 5_000,
    max_depth: int = 200,
    max_names: int = 256,
    max_arguments: int = 64,
) -> Expression:
    """The function that a text describes.

    >>> parse("-2**2 + 2**-1")(), parse("9**9**9**9")()
    (-3.5, inf)
    >>> parse("2x + 1")
    Traceback (most recent call last):
    autograd_lite.errors.ExpressionError: missing '*' between number and name, at column 2:
      2x + 1
       ^

    Args:
        text: in the language that `tokens` describes.
        vocabulary: its functions, constants and signs; the library's own unless given.
        max_length: of the text, in characters.
        max_tokens: how many numbers, names, signs, parentheses and commas it may have.
        max_depth: how deep parentheses may stand in each other.
        max_names: how many different variables it may have.
        max_arguments: how many arguments a call may have.

    Raises ExpressionError with the place and the repair for a text that is not of the language or beyond a limit;
    InputTypeError, InputValueError for arguments of another kind.
    """
    if not isinstance(text, str):
        raise InputTypeError(f"text={text!r} must be a string: parse('x**2')")
    if vocabulary is None:
        from .vocabulary import VOCABULARY

        vocabulary = VOCABULARY
    if not isinstance(vocabulary, Vocabulary):
        raise InputTypeError("vocabulary must be a Vocabulary: from autograd_lite.formula.vocabulary import VOCABULARY")
    limits = {
        "max_length": max_length, "max_tokens": max_tokens, "max_depth": max_depth, "max_names": max_names,
        "max_arguments": max_arguments,
    }  # fmt: skip
    for limit, given in limits.items():
        if given.__class__ is not int or given < 1:
            raise InputValueError(f"{limit}={given!r} must be a whole number, at least 1")
    parser = Parser(text, vocabulary, limits)
    program = parser.run()
    return Expression(
        text, tuple(parser.names), frozenset(parser.constants), program, vocabulary.number, parser.indicators, parser.grouped
    )
