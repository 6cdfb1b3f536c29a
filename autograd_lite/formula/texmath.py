r"""Names and numbers in LaTeX's math mode.

A name can do nothing in LaTeX but be shown: every character that LaTeX gives a meaning is written by a command, and what
is not ASCII is replaced, so that any engine compiles it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

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
    return _tex_word(stem) + (f"_{{{index if index.isdigit() else _tex_word(index)}}}" if index else "")


def _tex_word(letters: str) -> str:
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


def aligned(rows: Sequence[str]) -> list[str]:
    r"""Lines of LaTeX, one under the other at their signs &.

    >>> aligned(["x &= 1", "y &= 2"])
    ['\\begin{align*}', '  x &= 1 \\\\', '  y &= 2', '\\end{align*}']
    """
    return [r"\begin{align*}", *(f"  {row} \\\\" for row in rows[:-1]), f"  {rows[-1]}", r"\end{align*}"]
