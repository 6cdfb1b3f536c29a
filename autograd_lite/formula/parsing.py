r"""The language of typed formulas, and its parser: text -> postfix steps.  Imports `errors`.

The language is Python's arithmetic and nothing else:

    comparison  <  <=  >  >=  ==  !=      1 or 0; they do not chain: (a < b) * (b < c)
    sum         +  -
    product     *  /  //  %
    sign        -x  +x
    power       **                        to the right: 2**3**2 is 2**9; -2**2 is -4; 2**-1 is 0.5
    operand     1  1.5  .5  1e-3  1_000   name   function(x, y)   (...)

A name is ASCII letters, digits and ``_``, and begins with a letter.  Python's keywords are no names.  What functions and
constants there are, and what each sign does, is handed in as a `Vocabulary`; such a name never is a variable.

Nothing here recurses: neither nesting nor length can exhaust Python's stack.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from keyword import iskeyword
from typing import Any, NamedTuple, NoReturn

from ..errors import ExpressionError

__all__ = ["BINDING", "Call", "Function", "Parser", "Step", "Vocabulary", "short"]

SHOWN = 64  # characters of a text that a message shows around the place
LONGEST = 40  # characters of a name that a message quotes

# how tightly a sign binds, as in Python; the right operand of ** may begin with a sign of its own
COMPARISON, SIGN, POWER = 1, 4, 5
BINDING = dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), COMPARISON) | {
    "+": 2, "-": 2, "*": 3, "/": 3, "//": 3, "%": 3, "**": POWER,
}  # fmt: skip

_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_TOKEN = re.compile(
    rf"(?P<number>(?:{_DIGITS}\.?(?:{_DIGITS})?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>\*\*|//|[<>=!]=|[-+*/%<>])|(?P<mark>[(),])|(?P<space>[ \t\r\n]+)"
)
_REPAIRS = {
    "^": "use ** for powers", "=": "use == to compare, and of y = f(x) give f(x) only", ".": "there are no attributes here",
    "!": "use gamma(n + 1) for n!, and != to compare", ";": "give one formula at a time", "√": "use sqrt(x)", "π": "use pi",
    **dict.fromkeys("−‐‑–—", "use - for minus"), **dict.fromkeys("×·∙⋅∗✕", "use * for products"),
    **dict.fromkeys("÷∕⁄", "use / for quotients"), **dict.fromkeys("[]{}", "use ( and ) to group; there are no lists here"),
    **dict.fromkeys("\"'`", "there is no text in a formula"), "≤": "use <=", "≥": "use >=", "≠": "use !=",
    **dict.fromkeys("²³¹⁰⁴⁵⁶⁷⁸⁹⁻", "use ** for powers"), "&": "use (a < b) * (c < d) for 'and'",
    "|": "use maximum(a < b, c < d) for 'or'",
}  # fmt: skip
_KEYWORDS = {
    "and": "use (a < b) * (c < d)", "or": "use maximum(a < b, c < d)", "not": "use 1 - (a < b)", "if": "use where(c, a, b)",
    "else": "use where(c, a, b)", "True": "use 1", "False": "use 0", "None": "leave it out",
}  # fmt: skip


class Function(NamedTuple):
    """A function of a vocabulary, and how many arguments it takes: at least `least`, at most `most` (None: any number)."""

    call: Callable[..., Any]
    least: int
    most: int | None


class Vocabulary(NamedTuple):
    """What a text may mention: functions and constants by name, and the functions behind the signs."""

    functions: Mapping[str, Function]
    constants: Mapping[str, float]
    signs: Mapping[str, Callable[[Any, Any], Any]]  # between two operands
    negative: Callable[[Any], Any]
    number: Callable[[Any, str], float]  # (value, what it is called) -> float, or an error


class Call(NamedTuple):
    """A step of an expression: a function applied to the `arity` latest results."""

    function: Callable[..., Any]
    arity: int


Step = float | str | Call  # a number, a variable's name, or a function of what came before


class _Token(NamedTuple):
    kind: str  # number, name, sign, mark; "start" before the first
    text: str
    at: int


class _Waiting(NamedTuple):
    """A sign whose right operand is still being read."""

    binds: int
    call: Callable[..., Any] | None  # None for a leading +, which does nothing
    arity: int


class _Open:
    """A parenthesis that is open: of a call, or of a group."""

    __slots__ = ("arguments", "at", "call", "name")

    def __init__(self, at: int, call: _Token | None) -> None:
        self.at = at
        self.call = call
        self.name = "" if call is None else call.text
        self.arguments = 0  # that have ended with a comma


class Parser:
    """One left-to-right pass: operands go straight to the steps, signs and parentheses wait on a stack.

    Args: the text, its vocabulary, and the limits by the names of the arguments of `expression.parse`.
    """

    def __init__(self, text: str, vocabulary: Vocabulary, limits: Mapping[str, int]) -> None:
        self.text = text
        self.vocabulary = vocabulary
        self.limits = limits
        self.steps: list[Step] = []
        self.names: dict[str, None] = {}
        self.constants: set[str] = set()
        self.waiting: list[_Waiting | _Open] = []
        self.depth = 0
        self.last = _Token("start", "", 0)
        self.called: _Token | None = None  # the name of a function, whose parenthesis must follow

    def run(self) -> None:
        """Read the whole text; afterwards `steps`, `names` and `constants` are set."""
        most = self.limits["max_length"]
        if len(self.text) > most:
            self.fail(most, f"the text has {len(self.text)} characters, more than max_length={most}: shorten it or raise that")
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

    def tokens(self) -> Iterator[_Token]:
        """The tokens of the text in order, within the limits on their number."""
        at, count, text, most = 0, 0, self.text, self.limits["max_tokens"]
        match = _TOKEN.match
        while at < len(text):
            found = match(text, at)
            if found is None:
                self.fail_character(at)
            if (kind := found.lastgroup) != "space":
                count += 1
                if count > most:
                    self.fail(at, f"more than max_tokens={most} numbers, names and signs: shorten the text or raise that")
                yield _Token(str(kind), found[0], at)
            at = found.end()

    # -- where an operand must come -----------------------------------------------------------------------------------

    def take_operand(self, token: _Token) -> bool:
        """Take a token; whether an operand must come next, still."""
        kind, text, at = token
        if kind == "number":
            self.steps.append(float(text))
            return False
        if kind == "name":
            self.take_name(token)
            return False
        if text == "(":
            self.open(at, None)
            return True
        if text in ("-", "+"):
            self.waiting.append(_Waiting(SIGN, self.vocabulary.negative if text == "-" else None, 1))
            return True
        top = self.waiting[-1] if self.waiting else None
        if text == ")" and isinstance(top, _Open) and top.call is not None and self.last.text == "(":
            self.close(at, arguments=0)
            return False
        if text == ")" and isinstance(top, _Open) and top.call is None:
            self.fail(top.at, "nothing stands between '(' and ')'")
        if text == ")" and not any(isinstance(w, _Open) for w in self.waiting):
            self.fail(at, "this ')' closes no '('")
        if text in (")", ",") and self.last.text in ("(", ","):
            self.fail(at, f"an argument is missing before {text!r}")
        if self.last.kind == "sign":
            self.fail(self.last.at, f"an operand is missing after {self.last.text!r}")
        self.fail(at, f"an operand is missing before {text!r}")

    def take_name(self, token: _Token) -> None:
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
            self.steps.append(float(vocabulary.constants[name]))
        else:
            self.names[name] = None
            if len(self.names) > (most := self.limits["max_names"]):
                self.fail(token.at, f"more than max_names={most} different names: use fewer or raise that")
            self.steps.append(name)

    def open(self, at: int, call: _Token | None) -> None:
        """An opening parenthesis, of a call or of a group."""
        self.depth += 1
        if self.depth > (most := self.limits["max_depth"]):
            self.fail(at, f"more than max_depth={most} parentheses in each other: simplify the text or raise that")
        self.waiting.append(_Open(at, call))

    # -- where a sign must come ---------------------------------------------------------------------------------------

    def take_sign(self, token: _Token) -> bool:
        """Take a token; whether an operand must come next."""
        kind, text, at = token
        if kind == "sign":
            self.reduce(BINDING[text] + (text == "**"), token)
            self.waiting.append(_Waiting(BINDING[text], self.vocabulary.signs[text], 2))
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
        what = {"(": "'('"}.get(text, kind)
        before = {")": "')'"}.get(self.last.text, self.last.kind)
        sign = "a sign" if what == before == "number" else "'*'"
        self.fail(at, f"missing {sign} between {before} and {what}")

    def reduce(self, binds: int, sign: _Token | None = None) -> _Open | None:
        """Apply the waiting signs that bind as tightly or more; the open parenthesis that ended it, if one did."""
        waiting = self.waiting
        while waiting:
            top = waiting[-1]
            if isinstance(top, _Open):
                return top
            if top.binds < binds:
                return None
            if top.binds == COMPARISON and sign is not None:
                self.fail(sign.at, "comparisons do not chain: write a < b < c as (a < b) * (b < c)")
            waiting.pop()
            if top.call is not None:
                self.steps.append(Call(top.call, top.arity))
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
            self.steps.append(Call(function.call, count))

    def comma(self, at: int) -> None:
        """A comma between the arguments of a call."""
        opened = self.reduce(0)
        if opened is None or opened.call is None:
            self.fail(at, "a ',' only stands between the arguments of a function: write 1.5 for one and a half")
        opened.arguments += 1
        if opened.arguments >= (most := self.limits["max_arguments"]):
            self.fail(at, f"{opened.name}() with more than max_arguments={most} arguments: give fewer or raise that")

    # -- what is wrong ------------------------------------------------------------------------------------------------

    def fail(self, at: int, what: str) -> NoReturn:
        """Raise the error that says what is wrong, and points at the place."""
        error = ExpressionError(f"{what}, at column {at + 1}:\n{_pointed(self.text, at)}" if self.text.strip() else what)
        error.column = at + 1
        raise error from None

    def fail_ended(self) -> NoReturn:
        """The text ended where an operand should be."""
        if self.last.kind == "start":
            self.fail(0, "the text is empty: give a formula such as (w*x + b - y)**2")
        if self.last.kind == "sign":
            self.fail(self.last.at, f"an operand is missing after {self.last.text!r}")
        opened = next(w for w in reversed(self.waiting) if isinstance(w, _Open))
        self.fail(opened.at, "this '(' is never closed: add a ')'")

    def fail_uncalled(self, token: _Token) -> NoReturn:
        """A function's name stands alone."""
        self.fail(token.at, f"{token.text} is a function: write {token.text}(...), and give a variable another name")

    def fail_keyword(self, token: _Token) -> NoReturn:
        """A word that Python keeps for itself."""
        repair = _KEYWORDS.get(token.text, "give the variable another name")
        self.fail(token.at, f"{token.text!r} is a keyword of Python and no name: {repair}")

    def fail_unknown_function(self, token: _Token) -> NoReturn:
        """A call of what is no function; with the nearest name there is."""
        from difflib import get_close_matches  # slow to import, and wanted only here

        name, shown = token.text, short(token.text)
        product = f"for a product write {shown} * (...)"
        if self.steps.count(name) > 1 or name in self.vocabulary.constants:  # used as a number before, or known as one
            self.fail(token.at, f"{shown!r} is no function: {product}")
        near = get_close_matches(name.lower(), self.vocabulary.functions, 1) if len(name) <= LONGEST else []
        self.fail(token.at, f"unknown function {shown!r}: " + (f"did you mean {near[0]}(...)?" if near else product))

    def fail_character(self, at: int) -> NoReturn:
        """A character that has no place in a formula."""
        import unicodedata  # slow to import, and wanted only here

        c = self.text[at]
        plain = unicodedata.normalize("NFKC", c)
        if c in _REPAIRS or plain in _REPAIRS:
            repair = _REPAIRS.get(c) or _REPAIRS[plain]
        elif c != plain and _TOKEN.fullmatch(plain) is not None and not plain.isspace():
            repair = f"use {plain!r}"  # full-width digits, letters and signs
        elif c.isspace():
            repair = "use a plain space"
        elif c.isalpha():
            repair = "names are made of the letters a-z and A-Z, digits and _"
        else:
            repair = "it has no meaning in a formula"
        self.fail(at, f"unexpected {c!r}: {repair}")


def _takes(function: Function) -> str:
    least, most = function.least, function.most
    count = f"at least {least}" if most is None else f"{least}" if least == most else f"{least} to {most}"
    return f"{count} argument{'s' * (count.removeprefix('at least ') != '1')}"


def short(text: str) -> str:
    """A text as a message quotes it.

    >>> short("x" * 100) == "x" * 39 + "…"
    True
    """
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _pointed(text: str, at: int) -> str:
    """The part of a text around a place, and a caret below it.  All that stands before the place is ASCII."""
    start = max(0, min(at - SHOWN // 2, len(text) - SHOWN))
    shown = re.sub(r"\s", " ", text[start : start + SHOWN])
    before, after = "…" if start else "", "…" if start + SHOWN < len(text) else ""
    return f"  {before}{shown}{after}\n  {' ' * (len(before) + at - start)}^"
