"""One HTML file that needs nothing else, of a picture or of a fit.

Its policy is default-src 'none' with the hashes of its own texts, so that nothing else can run and nothing is fetched.  What
only readers of the script and the style need is left out: a page is to be small.
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

from ...files import JsonData
from ...formula.notation import clean
from ..svg import xml

__all__ = ["STEPS", "document", "legend", "script", "source"]

_SCRIPT = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
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
_LEGEND = '<details id="legend"><summary id="about">Legend</summary><ul>{}</ul></details>'


def script(data: JsonData) -> str:
    r"""Data as JSON that may stand inside a script element.

    >>> script(["</script>"])
    '["\\u003c/script\\u003e"]'
    """
    return json.dumps(data, ensure_ascii=True, separators=(",", ":")).translate(_SCRIPT)


def document(
    title: str, theme: str, body: str, data: JsonData, styles: Sequence[str], pieces: Sequence[str], functions: str = ""
) -> str:
    """The page.

    Args:
        title: of the window.
        theme: auto, light or dark.
        body: the elements, in which every text is escaped; style elements in it are allowed, too.
        data: what the script reads as JSON.
        styles, pieces: files of this folder, in order.
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
    return _LEGEND.format("".join(f"<li>{xml(line)}</li>" for line in lines))


@functools.cache
def source(name: str) -> str:
    """A file of this folder."""
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _hashes(texts: Sequence[str]) -> str:
    """The sources a content security policy allows: exactly these texts."""
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts)
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"


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
