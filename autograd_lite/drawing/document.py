"""Texts in files: a name as part of another language, and one HTML file that needs nothing else.

`clean` makes a text that every format can carry; `dot`, `xml` and `script` write it as a part of that language.
What the policy of a page allows is its own script and styles, made small.

The policy is ``default-src 'none'`` with the hashes of these texts, so that nothing else can run and nothing is fetched.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import json
import re
import string
from collections.abc import Iterator, Sequence
from importlib import resources
from typing import Any

from ..formula.notation import clean

__all__ = ["TOOLTIP", "clean", "document", "dot", "legend", "script", "xml"]

# -- names are hostile until escaped: one function for each language they are written into -------------------------------

TOOLTIP = 1000  # characters of a name in a tooltip

_BAD = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufeff\ufffe\uffff\ud800-\udfff]"
)
_BAD_BUT_BREAKS = re.compile(_BAD.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))
_TOUCHED = re.compile(_BAD_BUT_BREAKS.pattern.replace("[", "[&<>\"'", 1))  # what text may not hold as it is
_XML = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord('"'): "&quot;", ord("'"): "&#39;"}
_DOT = _XML | {ord("\\"): "\\\\"}
_SCRIPT = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def xml(text: str) -> str:
    """Text as content or as a quoted attribute of SVG and HTML; line feeds are kept.

    >>> xml("<a href='x'>&")
    '&lt;a href=&#39;x&#39;&gt;&amp;'
    """
    if _TOUCHED.search(text) is None:
        return text
    return _BAD_BUT_BREAKS.sub("\ufffd", text).translate(_XML)


def dot(text: str) -> str:
    r"""Text as a quoted string of DOT, the quotes included; line feeds become Graphviz's own.

    >>> dot('say "\\N"')
    '"say &quot;\\\\N&quot;"'
    """
    return '"' + r"\n".join(_BAD.sub("\ufffd", line).translate(_DOT) for line in text.split("\n")) + '"'


def script(data: Any) -> str:
    r"""Data as JSON that may stand inside a script element.

    >>> script(["</script>"])
    '["\\u003c/script\\u003e"]'
    """
    return json.dumps(data, ensure_ascii=True, separators=(",", ":")).translate(_SCRIPT)


# -- the page ------------------------------------------------------------------------------------------------------------

_PAGE = """<!doctype html>
<html lang="en" data-theme="{theme}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""
STEPS = """<div class="group" role="group" aria-label="Steps">
<button id="first" title="{first} (Home)">First</button>
<button id="back" title="One step back (←)">Back</button>
<button id="play" title="Play or pause (Space)">Play</button>
<button id="next" title="One step on (→)">Next</button>
<button id="last" title="{last} (End)">Last</button>
</div>
<div class="group slide">
<input type="range" id="slider" aria-label="{what}" min="0" max="{end}" value="{end}" step="1">
<span id="where"></span>
</div>
"""
LEGEND = '<details id="legend"><summary id="about">Legend</summary><ul>{}</ul></details>'


def document(
    title: str, theme: str, body: str, data: Any, styles: Sequence[str], pieces: Sequence[str], functions: str = ""
) -> str:
    """The page.

    Args:
        title: of the window.
        theme: auto, light or dark.
        body: the elements, in which every text is escaped; style elements in it are allowed, too.
        data: what the script reads as JSON.
        styles, pieces: files of ``page/``, in order.
        functions: script that was generated.
    """
    css = "".join(style(source(f"{name}.css")) for name in styles)
    text = shrunk("\n".join(small(source(f"{name}.js")) for name in pieces))
    code = "\n".join(['"use strict";(()=>{', functions, text, "})();"])
    inner = [html.unescape(s) for s in re.findall(r"<style[^>]*>(.*?)</style>", body, re.DOTALL)]
    policy = f"default-src 'none'; style-src {_hashes([css, *inner])}; script-src {_hashes([code])}"
    return _PAGE.format(
        theme=xml(theme), policy=policy, title=xml(clean(title, 200) or "Chain rule"), style=css,
        body=body, data=script(data), script=code,
    )  # fmt: skip


def legend(lines: Sequence[str]) -> str:
    """Lines that one click opens."""
    return LEGEND.format("".join(f"<li>{xml(line)}</li>" for line in lines))


@functools.cache
def source(name: str) -> str:
    """A file of ``page/``."""
    return resources.files(__package__).joinpath("page", name).read_text("utf-8")


def _hashes(texts: Sequence[str]) -> str:
    """The sources a content security policy allows: exactly these texts."""
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts)
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"


# -- what only readers of the sources need is left out: a page is to be small -------------------------------------------

# strings and regular expressions, and the blanks around signs; no line of the sources has "+ +" or "- -"
_TOKENS = re.compile(r"""("(?:[^"\\\n]|\\.)*"|/(?:[^/\\\s*]|\\.)+/(?=[.)]))| ?([-=+*/<>!&|?:,;{}()\[\]]+) ?""")


@functools.cache
def shrunk(text: str) -> str:
    """The script without what only readers of its source need."""
    parts = re.split(_TOKENS, text)  # text, string, signs, text, ...
    strings = " ".join(filter(None, parts[1::3]))
    code = "".join(sign or " \0 " if quoted or sign else text for text, quoted, sign in _threes(parts))
    made = re.findall(r"\b(?:const|let|function) (\w{4,})|\((\w{4,})\)=>", code)
    given = re.findall(r"\bfunction \w+\(([\w,]*)|\(([\w,]*)\)=>|\b(?:const|let) ?\[([\w,]+)\]|\(\[([\w,]+)\]", code)
    found = [*map("".join, made), *(name for pair in given for name in "".join(pair).split(",") if len(name) > 3)]
    short: dict[str, str] = {}
    for name in sorted(dict.fromkeys(found), key=lambda name: -len(re.findall(rf"\b{name}\b", code))):
        # but not what an object's key may be called
        if not re.search(rf"\b{name}:|[{{,]{name}[,}}]|\{{{name}=", code) and not re.search(rf"\b{name}\b", strings):
            short[name] = "$" + (string.ascii_letters[len(short)] if len(short) < 52 else str(len(short)))
    names = re.compile(r"(?<![\w$])(?<!(?<!\.\.)\.)(" + "|".join(short) + r")\b")  # no property; three dots spread
    written = "".join(quoted or sign or names.sub(lambda m: short[m[1]], text) for text, quoted, sign in _threes(parts))
    return re.sub(r"(?<=[;{,(\[])\n", "", re.sub(r"\bconst\b ?(?=[\w$\[{])", "let ", written))


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
