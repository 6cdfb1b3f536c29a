"""Scripts and styles without what only readers of their sources need: a page is to be small.  Imports nothing."""

from __future__ import annotations

import functools
import re
import string
from collections.abc import Iterator

# strings and regular expressions, and the blanks around signs; no line of the sources has "+ +" or "- -"
_TOKENS = re.compile(r"""("(?:[^"\\\n]|\\.)*"|/(?:[^/\\\s*]|\\.)+/(?=[.)]))| ?([-=+*/<>!&|?:,;{}()\[\]]+) ?""")


@functools.cache
def script(text: str) -> str:
    """The script without what only readers of its source need."""
    parts = re.split(_TOKENS, text)  # text, string, signs, text, ...
    strings = " ".join(filter(None, parts[1::3]))
    code = "".join(sign or " \0 " if quoted or sign else text for text, quoted, sign in _threes(parts))
    made = re.findall(r"\b(?:const|let|function) (\w{4,})|\((\w{4,})\)=>", code)
    given = re.findall(r"\bfunction \w+\(([\w,]*)|\(([\w,]*)\)=>", code)
    found = [*map("".join, made), *(name for pair in given for name in "".join(pair).split(",") if len(name) > 3)]
    short: dict[str, str] = {}
    for name in sorted(dict.fromkeys(found), key=lambda name: -len(re.findall(rf"\b{name}\b", code))):
        # but not what may be a property as well
        if not re.search(rf"[.?]{name}\b|\b{name}:|[{{,]{name}[,}}]|\{{{name}=", code) and not re.search(
            rf"\b{name}\b", strings
        ):
            short[name] = "$" + (string.ascii_letters[len(short)] if len(short) < 52 else str(len(short)))
    names = re.compile(r"(?<![\w.$])(" + "|".join(short) + r")\b")
    written = "".join(quoted or sign or names.sub(lambda m: short[m[1]], text) for text, quoted, sign in _threes(parts))
    return re.sub(r"\bconst\b ?(?=[\w$\[{])", "let ", written)


def _threes(parts: list[str]) -> Iterator[tuple[str, str, str]]:
    """The pieces of a split by `_TOKENS`, each alone in its place."""
    for i, part in enumerate(parts):
        if part:
            yield (part, "", "") if i % 3 == 0 else ("", part, "") if i % 3 == 1 else ("", "", part)


@functools.cache
def style(text: str) -> str:
    """The style likewise."""
    text = re.sub(r"\s*([{};,>])\s*|(?<=:)\s+", r"\1", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL))
    return text.replace(";}", "}").strip()


def small(text: str) -> str:
    """Without indentation and comments."""
    lines = (line.strip() for line in text.split("\n"))
    return "\n".join(re.sub(r" // .*", "", line) for line in lines if line and not line.startswith("//"))
