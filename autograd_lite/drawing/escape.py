"""Names are hostile until escaped: one function for each language they are written into.

`clean` makes a text that every format can carry; `dot`, `xml` and `script` then write it as a part of that language.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ..formula.notation import clean, columns

__all__ = ["NAME", "TOOLTIP", "clean", "columns", "dot", "script", "xml"]

NAME = 40  # characters of a name on a card or an edge
TOOLTIP = 1000  # and in a tooltip

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
