r"""The language of typed formulas, and its tokens.

The language is Python's arithmetic and nothing else:

    comparison  <  <=  >  >=  ==  !=      1 or 0; they do not chain: (a < b) * (b < c)
    sum         +  -
    product     *  /  //  %
    sign        -x  +x
    power       **                        to the right: 2**3**2 is 2**9; -2**2 is -4; 2**-1 is 0.5
    operand     1  1.5  .5  1e-3  1_000   name   `any name`   function(x, y)   (...)   is(name, "text")   name[name]

A name is ASCII letters, digits and ``_``, and begins with a letter.  Python's keywords are no names.  What functions and
constants there are, and what each sign does, is handed in as a `Vocabulary`; such a name never is a variable.  In backquotes
any line of text is the name of a variable.  ``is(species, "Adelie")`` and ``a[site]`` are variables too, named as they are
written: what stands in a column of text, and one of many weights, is for the caller to say (`parsing.Parser`).

Nothing here recurses: neither nesting nor length can exhaust Python's stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple, NoReturn

from ..errors import ExpressionError

SHOWN = 64  # characters of a text that a message shows around the place
LONGEST = 40  # characters of a name that a message quotes

_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_NAME, _QUOTED, _BLANK = r"[A-Za-z_][A-Za-z0-9_]*", r"`(?:[^`\x00-\x1f\x7f]|``)+`", r"[ \t\r\n]*"
_COLUMN = rf"(?:{_NAME}|{_QUOTED})"
TOKEN = re.compile(
    rf"(?P<indicator>is{_BLANK}\({_BLANK}(?P<column>{_COLUMN}){_BLANK},{_BLANK}"
    rf"(?P<string>\"(?:[^\"\x00-\x1f\x7f]|\"\")*\"|'(?:[^'\x00-\x1f\x7f]|'')*'){_BLANK}\))"
    rf"|(?P<grouped>(?P<variable>{_COLUMN}){_BLANK}\[{_BLANK}(?P<by>{_COLUMN}){_BLANK}\])|(?P<quoted>{_QUOTED})"
    rf"|(?P<number>(?:{_DIGITS}\.?(?:{_DIGITS})?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>\*\*|//|[<>=!]=|[-+*/%<>])|(?P<mark>[(),])|(?P<space>[ \t\r\n]+)"
)
_REPAIRS = {
    "^": "use ** for powers", "=": "use == to compare, and of y = f(x) give f(x) only", ".": "there are no attributes here",
    "!": "use gamma(n + 1) for n!, and != to compare", ";": "give one formula at a time", "√": "use sqrt(x)", "π": "use pi",
    **dict.fromkeys("−‐‑–—", "use - for minus"), **dict.fromkeys("×·∙⋅∗✕", "use * for products"),
    **dict.fromkeys("÷∕⁄", "use / for quotients"), **dict.fromkeys("[]{}", "use ( and ) to group; there are no lists here"),
    **dict.fromkeys("\"'", 'text stands in is(column, "text") only'),
    "`": "a name in backquotes ends with one: `any name`, and one inside is written twice",
    "≤": "use <=", "≥": "use >=", "≠": "use !=",
    **dict.fromkeys("²³¹⁰⁴⁵⁶⁷⁸⁹⁻", "use ** for powers"), "&": "use (a < b) * (c < d) for 'and'",
    "|": "use abs(x) for |x|, and maximum(a < b, c < d) for 'or'", "∞": "use 1e999", "‖": "use hypot(x, y) for a length",
    "\\": "LaTeX is not read: write sqrt(x) and x/y", "∑": "write the sum out, or sum(x, y, z)",
    "∏": "write the product out, or prod(x, y, z)",
}  # fmt: skip
_KEYWORDS = {
    "and": "use (a < b) * (c < d)", "or": "use maximum(a < b, c < d)", "not": "use 1 - (a < b)", "if": "use where(c, a, b)",
    "else": "use where(c, a, b)", "True": "use 1", "False": "use 0", "None": "leave it out",
    "is": 'write is(column, "text"), which is 1 in the rows where the column has that text, else 0',
}  # fmt: skip
UNKNOWN = {  # functions that go by another name here, or that a formula of others gives
    "cot": "1/tan(x)", "sec": "1/cos(x)", "csc": "1/sin(x)", "cosec": "1/sin(x)", "coth": "1/tanh(x)", "sech": "1/cosh(x)",
    "csch": "1/sinh(x)", "acot": "atan(1/x)", "arccot": "atan(1/x)", "asec": "acos(1/x)", "acsc": "asin(1/x)",
    "factorial": "gamma(x + 1)", "perm": "gamma(n + 1)/gamma(n - k + 1)", "int": "trunc(x)", "fix": "trunc(x)",
    "comb": "gamma(n + 1)/gamma(k + 1)/gamma(n - k + 1)", "beta": "exp(lgamma(x) + lgamma(y) - lgamma(x + y))",
    "isnan": "x != x", "isinf": "abs(x) == 1e999", "isfinite": "abs(x) < 1e999", "exp10": "10**x", "sqr": "x**2",
    "dist": "hypot(x - u, y - v)", "sumprod": "x*u + y*v", "modf": "x - trunc(x)", "frac": "x - floor(x)", "inv": "1/x",
    "norm": "hypot(x, y)", "erfcx": "exp(x**2)*erfc(x)", "normcdf": "erfc(-x/sqrt(2))/2", "logaddexp2": "log2(2**x + 2**y)",
    "iff": "where(c, a, b)", "ifelse": "where(c, a, b)", "avg": "mean(x, y)", "average": "mean(x, y)",
    "expit": "sigmoid(x)", "logistic": "sigmoid(x)", "step": "heaviside(x, 1)", "angle": "atan2(y, x)",
}  # fmt: skip
_HEX = re.compile(r"0[xX][0-9a-fA-F]*(?:\.[0-9a-fA-F]*)?(?:[pP][+-]?[0-9]+)?")


class Token(NamedTuple):
    kind: str  # number, name, sign, mark; "start" before the first
    text: str
    at: int


class TypedText:
    """A text as tokens, and the errors that point into it.

    Args: the text, and the limits by the names of the arguments of `expression.parse`.
    """

    def __init__(self, text: str, limits: Mapping[str, int]) -> None:
        self.text = text
        self.limits = limits
        self.last = Token("start", "", 0)

    def tokens(self) -> Iterator[Token]:
        """The tokens of the text in order, within the limits on their number."""
        at, count, text, most = 0, 0, self.text, self.limits["max_tokens"]
        match = TOKEN.match
        while at < len(text):
            found = match(text, at)
            if found is None:
                self.fail_character(at)
            if (kind := found.lastgroup) != "space":
                count += 1
                if count > most:
                    self.fail(
                        at, f"more than max_tokens={most} numbers, names and signs: shorten the text, or give parse() more"
                    )
                yield Token(str(kind), found[0], at)
            at = found.end()

    def fail(self, at: int, what: str) -> NoReturn:
        """Raise the error that says what is wrong, and points at the place."""
        error = ExpressionError(f"{what}, at column {at + 1}:\n{_pointed(self.text, at)}" if self.text.strip() else what)
        error.column = at + 1
        raise error from None

    def fail_number(self, token: Token) -> None:
        """Letters that directly follow a number, where they are the way that other languages write numbers."""
        number, letters = short(self.last.text), token.text
        if letters in ("j", "J", "i"):
            self.fail(token.at, f"{number}{letters} is no real number, and formulas have no others: for a product write "
                                f"{number}*{letters}")  # fmt: skip
        if letters in ("e", "E") and "e" not in number.lower():
            self.fail(token.at, f"digits are missing after {number}{letters}: write {number}e3 for {number}000, or "
                                f"{number}*{letters} for a product")  # fmt: skip
        if number == "0" and letters[0] in "xXbBoO" and len(letters) > 1:
            written = number + letters
            try:
                if letters[0] in "xX" and (found := _HEX.match(self.text, self.last.at)) and not found[0][2:].isalnum():
                    written = found[0]  # with a fraction, or a power of two that has a sign
                power = letters[0] in "xX" and not set(written[2:].lower()) <= set("0123456789abcdef_")
                meant = f"{float.fromhex(written):.17g}" if power else str(int(written, 0))
            except (ValueError, OverflowError):
                return
            self.fail(token.at, f"numbers are decimal: write {short(meant)} for {short(written)}")

    def fail_keyword(self, token: Token) -> NoReturn:
        """A word that Python keeps for itself."""
        repair = _KEYWORDS.get(token.text, "give the variable another name")
        self.fail(token.at, f"{token.text!r} is a keyword of Python and no name: {repair}")

    def fail_character(self, at: int) -> NoReturn:
        """A character that has no place in a formula."""
        import unicodedata  # slow to import, and wanted only here

        c = self.text[at]
        if c == "[" and self.last.kind in ("name", "quoted"):
            self.fail(at, "unexpected '[': a[column] is one of many weights, with the name of a column inside, no number")
        plain = unicodedata.normalize("NFKC", c)
        if c in _REPAIRS or plain in _REPAIRS:
            repair = _REPAIRS.get(c) or _REPAIRS[plain]
        elif c != plain and TOKEN.fullmatch(plain) is not None and not plain.isspace():
            repair = f"use {plain!r}"  # full-width digits, letters and signs
        elif "⁄" in plain:
            repair = f"use ({plain.replace('⁄', '/')})"  # one half
        elif c.isspace():
            repair = "use a plain space"
        elif c.isalpha():
            repair = "names are made of the letters a-z and A-Z, digits and _; any other stands in backquotes"
        else:
            repair = "it has no meaning in a formula"
        self.fail(at, f"unexpected {c!r}: {repair}")


def short(text: str) -> str:
    """A text as a message quotes it.

    >>> short("x" * 100) == "x" * 39 + "…"
    True
    """
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _pointed(text: str, at: int) -> str:
    """The part of a text around a place, and a caret below it."""
    start = max(0, min(at - SHOWN // 2, len(text) - SHOWN))
    shown = re.sub(r"\s", " ", text[start : start + SHOWN])
    shown = "".join(c if c.isprintable() or i + start >= at else "\ufffd" for i, c in enumerate(shown))
    before, after = "…" if start else "", "…" if start + SHOWN < len(text) else ""
    return f"  {before}{shown}{after}\n  {' ' * (len(before) + at - start)}^"
