r"""Names, numbers and the symbols of partials in LaTeX's math mode.  Imports nothing of the library.

A name can do nothing in LaTeX but be shown: every character that LaTeX gives a meaning is written by a command, and what
is not ASCII is replaced, so that any engine compiles it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any

_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta", "θ": "theta", "ι": "iota",
    "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau",
    "υ": "upsilon", "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda",
    "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Υ": "Upsilon", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip
_ESCAPES = {c: rf"\{c}" for c in "{}$&#%_"} | {
    "\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''", "`": r"\textasciigrave{}", "…": r"\ldots{}",
}  # fmt: skip
_STEM = re.compile(r"([A-Za-z]+|[Α-Ωα-ω])(?:_?([0-9]+)|_([A-Za-z0-9]+))?")
_OPERATORS = {"exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "max", "min"}
_SIGNS = {
    "·": r"\cdot ", "×": r"\times ", "−": "-", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "π": r"\pi ", "φ": r"\varphi ",
    "σ": r"\sigma ", "∞": r"\infty ", "⌊": r"\left\lfloor ", "⌋": r"\right\rfloor ", "[": r"\left[", "]": r"\right]",
    **{c: c for c in "+-/<>=,' "},
}  # fmt: skip
_SMALL = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-", strict=True))
_TOKEN = re.compile(
    r"(?P<place>[\U000F0000-\U0010FFFD])|(?P<number>[0-9]+(?:\.[0-9]+)?(?:e[+−][0-9]+)?)|(?P<word>[A-Za-z_]+)"
    r"|(?P<small>[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)|(?P<dots>\.\.\.)|(?P<root>√\(|√)|(?P<power>\^\()|(?P<sign>.)"
)


def text(words: str) -> str:
    r"""Any text as the inside of ``\text{...}``.

    >>> text("50 % of $x_1"), text("naïve 学")
    ('50 \\% of \\$x\\_1', 'naive ?')
    """
    out = []
    for c in words:
        plain = c if c in _ESCAPES else unicodedata.normalize("NFKD", c).encode("ascii", "ignore").decode()
        out.append("".join(_ESCAPES.get(p, p if p.isprintable() else "?") for p in plain) or "?")
    return "".join(out)


def name(given: str) -> str:
    r"""The name of a Value: letters are italic, digits or what follows one ``_`` are a subscript, anything else is text.

    >>> name("w"), name("w1"), name("loss"), name("w_in"), name("lambda"), name("a b")
    ('w', 'w_{1}', '\\mathit{loss}', 'w_{\\mathit{in}}', '\\lambda', '\\text{a b}')
    """
    found = _STEM.fullmatch(given)
    if found is None:
        return rf"\text{{{text(given)}}}"
    stem, index = found[1], found[2] or found[3]
    return _word(stem) + (f"_{{{index if index.isdigit() else _word(index)}}}" if index else "")


def _word(letters: str) -> str:
    if letters in _GREEK or letters in _GREEK.values():
        return "\\" + _GREEK.get(letters, letters)
    if not letters.isascii():
        return rf"\text{{{text(letters)}}}"
    return letters if len(letters) == 1 else rf"\mathit{{{letters}}}"


def number(written: str) -> str:
    r"""A number as `notation.number` writes it.

    >>> number("−1.5e+06"), number("∞")
    ('-1.5 \\times 10^{6}', '\\infty')
    """
    written = written.replace("−", "-").replace("∞", r"\infty")
    if "nan" in written:
        return r"\text{nan}"
    digits, e, power = written.partition("e")
    return rf"{digits} \times 10^{{{int(power)}}}" if e else digits


def factor(formula: str) -> str:
    """A formula in parentheses if it is a sum or negative."""
    depth = 0
    for found in re.finditer(r"\\left|\\right|[{}]|(?<=.) [+-] |^-|\\text\{ if \}", formula):
        if found[0] in ("\\left", "{"):
            depth += 1
        elif found[0] in ("\\right", "}"):
            depth -= 1
        elif not depth:
            return rf"\left({formula}\right)"
    return formula


def symbol(write: Callable[[dict[Any, str]], str], node: Any, tex: dict[Any, str]) -> str:
    """A partial's symbol in LaTeX: `write` puts it as text, given names; the names of the node and its operands are `tex`."""
    places = _Places()
    places[node]  # whose name is only asked for where it is known
    return translate(write(places), {place: tex[a] for a, place in places.items()})


class _Places(dict[Any, str]):
    """A character of its own for every node that is asked for, from a plane that no name has a glyph in."""

    def __missing__(self, node: Any) -> str:
        place = self[node] = chr(0xF0000 + len(self))
        return place


def translate(formula: str, names: dict[str, str]) -> str:
    r"""A partial as text, such as ``2·x²``, in LaTeX; `names` are the LaTeX of its one-character names.

    >>> translate("1/√(1 − \U000F0000²)", {"\U000F0000": "x"})
    '1/\\sqrt{1 - x^{2}}'
    """
    out: list[str] = []
    closing: list[str] = []
    rooted = norm = False
    for found in _TOKEN.finditer(formula):
        kind, token = found.lastgroup, found[0]
        if token in ("(", "√(", "^("):
            out.append({"(": r"\left(", "√(": r"\sqrt{", "^(": "^{"}[token])
            closing.append(r"\right)" if token == "(" else "}")
            continue
        if token == ")":
            if not closing:
                return _as_words(formula, names)
            out.append(closing.pop())
            continue
        if token == "√":
            rooted = True
            continue
        if token == "|":
            out.append(r"\right\rVert " if norm else r"\left\lVert ")
            norm = not norm
            continue
        if kind == "place":
            piece = names[token]
        elif kind == "number":
            piece = number(token)
        elif kind == "small":
            piece = f"^{{{''.join(_SMALL[c] for c in token)}}}"
        elif kind == "dots":
            piece = r"\ldots "
        elif kind == "word":
            called = formula[found.end() :].startswith(("(", "'("))
            piece = _call(token) if called else rf"\text{{{text(token)}}}"
            piece = {"if": r"\text{ if }", "else": r"\text{ else }"}.get(token, piece)
        else:
            piece = _SIGNS.get(token) or rf"\text{{{text(token)}}}"
        out.append(rf"\sqrt{{{piece.strip()}}}" if rooted else piece)
        rooted = False
    written = re.sub(r"(?<!\\) +", " ", "".join(out)).strip()
    balanced = not closing and not norm and not rooted and written.count(r"\left") == written.count(r"\right")
    return written if balanced else _as_words(formula, names)


def _call(function: str) -> str:
    if function in _OPERATORS:
        return "\\" + function
    return r"\ln" if function == "log" else rf"\operatorname{{{text(function)}}}"


def _as_words(formula: str, names: dict[str, str]) -> str:
    return "".join(names[c] if c in names else rf"\text{{{text(c)}}}" for c in formula)
