"""The parser of typed formulas: the tokens of a text, one after the other, into a `Program`.

`tokens` has the language.  Nothing here recurses: neither nesting nor length can exhaust Python's stack.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from keyword import iskeyword
from typing import Any, NamedTuple, NoReturn

from ..ops import Op
from ..ops.operators import Operators
from ..program import Builder, Program, Ref, placed, renumbered
from ..tree import Number
from .tokens import LONGEST, TOKEN, UNKNOWN, Token, TypedText, short

# how tightly a sign binds, as in Python; the right operand of ** may begin with a sign of its own
COMPARISON, SIGN, POWER = 1, 4, 5
BINDING = dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), COMPARISON) | {
    "+": 2, "-": 2, "*": 3, "/": 3, "//": 3, "%": 3, "**": POWER,
}  # fmt: skip


class Function(NamedTuple):
    """A function of a vocabulary, and how many arguments it takes: at least `least`, at most `most` (None: any number).

    A row, or a function made of rows and arithmetic.
    """

    call: Callable[..., Any]
    least: int
    most: int | None

    def __call__(self, *args: Number) -> Number:
        """The function of its arguments one by one, as a formula calls it."""
        call: Any = self.call
        return call(*args) if getattr(call, "gather", None) is None else call.apply(*args)


class Vocabulary(NamedTuple):
    """What a text may mention: functions and constants by name, and the functions behind the signs."""

    functions: Mapping[str, Function]
    constants: Mapping[str, float]
    signs: Mapping[str, Callable[[Any, Any], Any]]  # between two operands
    negative: Callable[[Any], Any]
    number: Callable[[Any, str], float]  # (value, what it is called) -> float, or an error


class _Operand(Operators):
    """What is worked out so far, as a number that functions made of rows take: rows record their instructions on it."""

    __slots__ = ("parser", "ref")

    def __init__(self, parser: Parser, ref: Ref) -> None:
        self.parser = parser
        self.ref = ref

    @staticmethod
    def _record(op: Op, args: tuple[Number, ...]) -> _Operand:
        parser: Parser = next(a.parser for a in args if isinstance(a, _Operand))
        refs = [a.ref if isinstance(a, _Operand) else op.number(a, i) for i, a in enumerate(args)]
        return _Operand(parser, parser.builder.add(op, *refs))


class _WaitingSign(NamedTuple):
    """A sign whose right operand is still being read."""

    binds: int
    call: Callable[..., Any] | None  # None for a leading +, which does nothing
    arity: int


class _OpenBracket:
    """A parenthesis that is open: of a call, or of a group."""

    __slots__ = ("arguments", "at", "call", "name")

    def __init__(self, at: int, call: Token | None) -> None:
        self.at = at
        self.call = call
        self.name = "" if call is None else call.text
        self.arguments = 0  # that have ended with a comma


class Parser(TypedText):
    """One left-to-right pass: operands go to a stack, signs and parentheses wait on another, what is applied is an instruction.

    Until the whole is read, an operand is -1 - k for the name k, or the number of an instruction.

    Args: the text, its vocabulary, and the limits by the names of the arguments of `expression.parse`.
    """

    def __init__(self, text: str, vocabulary: Vocabulary, limits: Mapping[str, int]) -> None:
        super().__init__(text, limits)
        self.vocabulary = vocabulary
        self.builder = Builder(0)
        self.operands: list[Ref] = []
        self.names: dict[str, int] = {}
        self.used_twice: set[str] = set()
        self.indicators: dict[str, tuple[str, str]] = {}
        self.grouped: dict[str, tuple[str, str]] = {}
        self.constants: set[str] = set()
        self.waiting: list[_WaitingSign | _OpenBracket] = []
        self.depth = 0
        self.called: Token | None = None  # the name of a function, whose parenthesis must follow

    def run(self) -> Program:
        """Read the whole text; afterwards `names`, `constants`, `indicators` and `grouped` are set."""
        most = self.limits["max_length"]
        if len(self.text) > most:
            self.fail(
                most, f"the text has {len(self.text)} characters, more than max_length={most}: shorten it, or give parse() more"
            )
        operand = True  # whether an operand must come next, or a sign
        for token in self.tokens():
            if self.called is not None and token.text != "(":
                self.fail_uncalled(self.called)
            operand = self.take_operand(token) if operand else self.take_sign(token)
            self.last = token
        if self.called is not None:
            self.fail_uncalled(self.called)
        if operand:
            self.fail_ended()
        opened = self.reduce(0)
        if opened is not None:
            self.fail(opened.at, "this '(' is never closed: add a ')'")
        inputs, builder = len(self.names), self.builder
        place = {-1 - k: k for k in range(inputs)} | {k: k + inputs for k in range(len(builder))}
        return Program.of(inputs, builder.ops, renumbered(builder.args, place), placed(self.operands, place))

    def apply(self, function: Callable[..., Number], count: int) -> None:
        """A function in place of its `count` operands, the latest."""
        operands = self.operands[len(self.operands) - count :]
        del self.operands[len(self.operands) - count :]
        if isinstance(function, Op) and count == (function.arity or count):
            self.operands.append(self.builder.add(function, *operands))
            return
        made = function(*[_Operand(self, ref) for ref in operands])
        self.operands.append(made.ref if isinstance(made, _Operand) else float(made))

    # -- where an operand must come -----------------------------------------------------------------------------------

    def take_operand(self, token: Token) -> bool:
        """Take a token; whether an operand must come next, still."""
        kind, text, at = token
        if kind == "number":
            self.operands.append(float(text))
            return False
        if kind in ("name", "quoted", "indicator", "grouped"):
            getattr(self, f"take_{kind}")(token)
            return False
        if text == "(":
            self.open(at, None)
            return True
        if text in ("-", "+"):
            self.waiting.append(_WaitingSign(SIGN, self.vocabulary.negative if text == "-" else None, 1))
            return True
        top = self.waiting[-1] if self.waiting else None
        if text == ")" and isinstance(top, _OpenBracket) and top.call is not None and self.last.text == "(":
            self.close(at, arguments=0)
            return False
        if text == ")" and isinstance(top, _OpenBracket) and top.call is None:
            self.fail(top.at, "nothing stands between '(' and ')'")
        if text == ")" and not any(isinstance(w, _OpenBracket) for w in self.waiting):
            self.fail(at, "this ')' closes no '('")
        if text in (")", ",") and self.last.text in ("(", ","):
            self.fail(at, f"an argument is missing before {text!r}")
        if self.last.kind == "sign":
            self.fail(self.last.at, f"an operand is missing after {self.last.text!r}")
        self.fail(at, f"an operand is missing before {text!r}")

    def take_name(self, token: Token) -> None:
        """A name: a variable, a constant, or the function of a call to come."""
        name, vocabulary = token.text, self.vocabulary
        if name[0] == "_":
            self.fail(token.at, f"the name {short(name)!r} must begin with a letter")
        if iskeyword(name):
            self.fail_keyword(token)
        if name in vocabulary.functions:
            self.called = token
        elif name in vocabulary.constants:
            self.constants.add(name)
            self.operands.append(float(vocabulary.constants[name]))
        else:
            self.take_variable(name, token.at)

    def take_variable(self, name: str, at: int) -> None:
        """A variable, by the name that it is given a value by."""
        if name in self.names:
            self.used_twice.add(name)
        number = self.names.setdefault(name, len(self.names))
        if len(self.names) > (most := self.limits["max_names"]):
            self.fail(at, f"more than max_names={most} different names: use fewer, or give parse() more")
        self.operands.append(-1 - number)

    def take_quoted(self, token: Token) -> None:
        """A variable in backquotes."""
        self.take_variable(_name_in(token.text), token.at)

    def take_indicator(self, token: Token) -> None:
        """``is(column, "text")``: a variable of that name."""
        found = TOKEN.fullmatch(token.text)
        assert found is not None
        column, mark = _name_in(found["column"]), found["string"][0]
        text = found["string"][1:-1].replace(2 * mark, mark)
        mark = "'" if '"' in text else '"'
        spelled = f"is({self.spelled(column)}, {mark}{text.replace(mark, 2 * mark)}{mark})"
        self.indicators[spelled] = column, text
        self.take_variable(spelled, token.at)

    def take_grouped(self, token: Token) -> None:
        """``name[column]``: a variable of that name."""
        found = TOKEN.fullmatch(token.text)
        assert found is not None
        name, column = found["variable"], found["by"]
        if name[0] != "`" and (quoted(name, self.vocabulary) != name):
            self.fail(token.at, f"{name} is no variable, of which {name}[...] could be one of many: give it another name")
        name, column = _name_in(name), _name_in(column)
        spelled = f"{self.spelled(name)}[{self.spelled(column)}]"
        self.grouped[spelled] = name, column
        self.take_variable(spelled, token.at)

    def spelled(self, name: str) -> str:
        """The name of a variable as this vocabulary reads it again."""
        return quoted(name, self.vocabulary)

    def open(self, at: int, call: Token | None) -> None:
        """An opening parenthesis, of a call or of a group."""
        self.depth += 1
        if self.depth > (most := self.limits["max_depth"]):
            self.fail(at, f"more than max_depth={most} parentheses in each other: simplify the text, or give parse() more")
        self.waiting.append(_OpenBracket(at, call))

    # -- where a sign must come ---------------------------------------------------------------------------------------

    def take_sign(self, token: Token) -> bool:
        """Take a token; whether an operand must come next."""
        kind, text, at = token
        if kind == "sign":
            self.reduce(BINDING[text] + (text == "**"), token)
            self.waiting.append(_WaitingSign(BINDING[text], self.vocabulary.signs[text], 2))
            return True
        if text == "(" and self.called is not None:
            self.open(at, self.called)
            self.called = None
            return True
        if text == ")":
            self.close(at, arguments=1)
            return False
        if text == ",":
            self.comma(at)
            return True
        if kind == "name" and iskeyword(text):
            self.fail_keyword(token)
        if text == "(" and self.last.kind == "name":
            self.fail_unknown_function(self.last)
        if self.last.kind == "number" and kind == "name" and at == self.last.at + len(self.last.text):
            self.fail_number(token)
        if text[0] == "`" or kind in ("indicator", "grouped"):
            kind = "name"
        what = {"(": "'('"}.get(text, kind)
        before = {")": "')'"}.get(self.last.text, self.last.kind if self.last.kind in ("number", "name") else "name")
        sign = "a sign" if what == before == "number" else "'*'"
        self.fail(at, f"missing {sign} between {before} and {what}")

    def reduce(self, binds: int, sign: Token | None = None) -> _OpenBracket | None:
        """Apply the waiting signs that bind as tightly or more; the open parenthesis that ended it, if one did."""
        waiting = self.waiting
        while waiting:
            top = waiting[-1]
            if isinstance(top, _OpenBracket):
                return top
            if top.binds < binds:
                return None
            if top.binds == COMPARISON and sign is not None:
                self.fail(sign.at, "comparisons do not chain: write a < b < c as (a < b) * (b < c)")
            waiting.pop()
            if top.call is not None:
                self.apply(top.call, top.arity)
        return None

    def close(self, at: int, arguments: int) -> None:
        """A closing parenthesis, after so many arguments where it is a call's."""
        opened = self.reduce(0)
        if opened is None:
            self.fail(at, "this ')' closes no '('")
        self.waiting.pop()
        self.depth -= 1
        if opened.call is not None:
            function = self.vocabulary.functions[opened.name]
            count = opened.arguments + arguments
            if count < function.least or (function.most is not None and count > function.most):
                takes = _takes(function)
                self.fail(opened.call.at, f"{opened.name}() takes {takes}, got {count}")
            self.apply(function.call, count)

    def comma(self, at: int) -> None:
        """A comma between the arguments of a call."""
        opened = self.reduce(0)
        if opened is None or opened.call is None:
            self.fail(at, "a ',' only stands between the arguments of a function: write 1.5 for one and a half")
        opened.arguments += 1
        if opened.arguments >= (most := self.limits["max_arguments"]):
            self.fail(at, f"{opened.name}() with more than max_arguments={most} arguments: give fewer, or give parse() more")

    # -- what is wrong ------------------------------------------------------------------------------------------------

    def fail_character(self, at: int) -> NoReturn:
        """A character that has no place in a formula, where it is the way that others write calls."""
        last, rest, functions = self.last, self.text[at:], self.vocabulary.functions
        opened = next((w for w in reversed(self.waiting) if isinstance(w, _OpenBracket)), None)
        if rest[0] == "=" and opened is not None and opened.call is not None and last.kind == "name":
            self.fail(at, f"unexpected '=': arguments have no names here: {opened.name}(x, 2)")
        if rest[0] == "." and (called := re.match(r"\.[ ]*([A-Za-z]\w*)[ ]*\(", rest)) and called[1] in functions:
            self.fail(at, f"unexpected '.': functions stand without a module: {called[1]}(...)")
        if last.text in functions and last.kind == "name" and re.match(r"\^[ ]*[-+0-9]|[⁻⁰¹²³⁴-⁹]", rest):
            inverse = f"; for its inverse use a{last.text}(...)" if f"a{last.text}" in functions else ""
            self.fail(at, f"unexpected {rest[0]!r}: a power comes after the call: {last.text}(...)**2{inverse}")
        super().fail_character(at)

    def fail_ended(self) -> NoReturn:
        """The text ended where an operand should be."""
        if self.last.kind == "start":
            self.fail(0, "the text is empty: give a formula such as (w*x + b - y)**2")
        if self.last.kind == "sign":
            self.fail(self.last.at, f"an operand is missing after {self.last.text!r}")
        opened = next(w for w in reversed(self.waiting) if isinstance(w, _OpenBracket))
        self.fail(opened.at, "this '(' is never closed: add a ')'")

    def fail_uncalled(self, token: Token) -> NoReturn:
        """A function's name stands alone."""
        self.fail(token.at, f"{token.text} is a function: write {token.text}(...), and give a variable another name")

    def fail_unknown_function(self, token: Token) -> NoReturn:
        """A call of what is no function; with the nearest name there is."""
        from difflib import get_close_matches  # slow to import, and wanted only here

        name, shown = token.text, short(token.text)
        product = f"for a product write {shown} * (...)"
        if name in self.used_twice or name in self.vocabulary.constants:  # used as a number before, or known as one
            self.fail(token.at, f"{shown!r} is no function: {product}")
        if name.lower() in UNKNOWN:
            self.fail(token.at, f"unknown function {shown!r}: write {UNKNOWN[name.lower()]}")
        if name in vars(math):
            self.fail(token.at, f"unknown function {shown!r}: Python's math has it, but no formula, as it has no derivative")
        near = get_close_matches(name.lower(), self.vocabulary.functions, 1) if len(name) <= LONGEST else []
        self.fail(token.at, f"unknown function {shown!r}: " + (f"did you mean {near[0]}(...)?" if near else product))


def quoted(name: str, vocabulary: Vocabulary | None = None) -> str:
    """A variable's name as formulas spell it: in backquotes unless it is plain.

    >>> quoted("w_1"), quoted("Weight (kg)"), quoted("a`b")
    ('w_1', '`Weight (kg)`', '`a``b`')
    """
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) is not None and not iskeyword(name)
    meant = vocabulary is not None and (name in vocabulary.functions or name in vocabulary.constants)
    return name if plain and not meant else f"`{name.replace('`', '``')}`"


def _name_in(text: str) -> str:
    """The name in a token, in backquotes or without; blanks and accents as tables have them."""
    name = text[1:-1].replace("``", "`") if text[0] == "`" else text
    if name.isascii():
        return name
    from ..tables.choice import column_name  # for names of columns, which few others are

    return column_name(name)


def _takes(function: Function) -> str:
    least, most = function.least, function.most
    count = f"at least {least}" if most is None else f"{least}" if least == most else f"{least} to {most}"
    return f"{count} argument{'s' * (count.removeprefix('at least ') != '1')}"
