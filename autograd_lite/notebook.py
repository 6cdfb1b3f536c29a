"""What a notebook shows of results: texts and tables as HTML without styles or scripts, so that it shows untrusted, too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def preformatted(text: str) -> str:
    """A text as it stands.

    >>> preformatted("a < b")
    '<pre>a &lt; b</pre>'
    """
    return f"<pre>{_escaped(text)}</pre>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], before: Sequence[str] = (), after: Sequence[str] = ()) -> str:
    """A table with lines before it, the first in bold, and after it.

    >>> table(["weight", "value"], [["w", "2"]], ["one"])
    '<div><p><b>one</b></p><table><tr><th>weight</th><th>value</th></tr><tr><td>w</td><td>2</td></tr></table></div>'
    """
    lines = [_escaped(line) for line in before]
    said = "".join(f"<p><b>{line}</b></p>" if k == 0 else f"<p>{line}</p>" for k, line in enumerate(lines))
    cells = "".join(_table_row("td", row) for row in rows)
    more = "".join(f"<p>{_escaped(line)}</p>" for line in after)
    return f"<div>{said}<table>{_table_row('th', head)}{cells}</table>{more}</div>"


def _table_row(tag: str, row: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{_escaped(cell)}</{tag}>" for cell in row) + "</tr>"


def _escaped(text: str) -> str:
    from html import escape  # takes longer to import than to use

    return escape(text)
