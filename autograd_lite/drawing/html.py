"""The picture as a page that works offline: steps through the backward pass, pan, zoom, search.  Imports `escape`.

The page holds the finished picture as SVG, the moves as JSON, and one script and two styles whose hashes its content security
policy names: nothing else can run or be fetched, and without scripts the finished picture is what is seen.  What the script
writes, it writes as text.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from importlib import resources
from typing import TYPE_CHECKING, Any

from . import escape

if TYPE_CHECKING:
    from .drawing import Drawing

__all__ = ["iframe", "page"]

SEARCH_FROM = 60  # cards; with more than these there is a search box
SHOWN = 6  # gradients in the closing sentence

_PAGE = """<!doctype html>
<html lang="en" data-theme="{theme}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<div class="bar" hidden>
{controls}</div>
{said}<div id="stage" tabindex="0" role="region" aria-label="{stage}">
{svg}
</div>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""
_STEPS = """<div class="group" role="group" aria-label="Steps">
<button type="button" id="first" title="Before the backward pass (Home)">First</button>
<button type="button" id="back" title="One step back (←)">Back</button>
<button type="button" id="play" title="Play or pause (Space)">Play</button>
<button type="button" id="next" title="One step on (→)">Next</button>
<button type="button" id="last" title="The finished picture (End)">Last</button>
</div>
<div class="group slide">
<input type="range" id="slider" aria-label="Step" min="0" max="{end}" value="{end}" step="1">
<span id="where"></span>
</div>
"""
_ZOOM = """<div class="group" role="group" aria-label="Zoom">
<button type="button" id="out" title="Smaller (−)" aria-label="Smaller">−</button>
<button type="button" id="in" title="Larger (+)" aria-label="Larger">+</button>
<button type="button" id="whole" title="The whole picture (0)">Fit</button>
</div>
"""
_SEARCH = """<div class="group" role="search">
<input type="search" id="query" placeholder="Find a node" aria-label="Find a node by name" title="Enter: the next one"
 autocomplete="off" spellcheck="false">
<span id="count" role="status"></span>
</div>
"""
_SAID = """<p class="said" hidden>
<span id="line" role="status" aria-live="polite"></span>
<span id="rule" aria-live="polite"></span>
</p>
"""


def page(drawing: Drawing, step: bool = True) -> str:
    """One self-contained HTML file: the picture, and with `step` the backward pass one product at a time.

    Keys: left and right, Home and End, space to play; + - 0 zoom, shift and the arrows pan.  ``#step=3`` in the address
    opens the page at that step.
    """
    svg = drawing.svg()
    stepping = step and len(drawing.steps) > 0
    css, script = _file("stepper.css"), _file("stepper.js")
    styles = [css, *(html.unescape(style) for style in re.findall(r"<style[^>]*>(.*?)</style>", svg, re.DOTALL))]
    policy = (
        f"default-src 'none'; style-src {_hashes(styles)}; script-src {_hashes([script])}; base-uri 'none'; form-action 'none'"
    )
    searching = len(drawing.nodes) > SEARCH_FROM
    controls = _STEPS.format(end=len(drawing.steps) + 1) if stepping else ""
    return _PAGE.format(
        theme=escape.xml(drawing.theme),
        policy=policy,
        title=escape.xml(escape.clean(drawing.title, 200) or "Backward pass"),
        style=css,
        controls=controls + _ZOOM + (_SEARCH if searching else ""),
        said=_SAID if stepping else "",
        stage="The picture: drag or shift and arrow keys pan, plus and minus zoom, 0 shows all of it",
        svg=svg.strip(),
        data=escape.script(_data(drawing, stepping, searching)),
        script=script,
    )


def iframe(drawing: Drawing, step: bool = True) -> str:
    """The page inside a sandboxed frame, for a notebook: its script can reach nothing around it."""
    height = round(min(max(drawing.height + 130.0, 220.0), 640.0))
    title = escape.xml(escape.clean(drawing.title, 200) or "Backward pass")
    return (
        f'<iframe sandbox="allow-scripts" title="{title}" width="100%" height="{height}" frameborder="0" '
        f'srcdoc="{html.escape(page(drawing, step))}"></iframe>'
    )


def _data(drawing: Drawing, stepping: bool, searching: bool) -> dict[str, Any]:
    """What the script needs to know; texts are cleaned here, since they reach the page as they are."""
    moves = drawing.steps if stepping else []
    cards = drawing.nodes
    root = next((card for card in cards if card.kind == "root"), cards[-1] if cards else None)
    name = root.name if root is not None else ""
    leaves = [f"{card.label} = {card.adjoint}" for card in cards if card.kind in ("parameter", "input") and card.label]
    leaves += [f"∂{name}/∂{row.name} = {row.grad}" for card in cards for row in card.rows if row.grad]
    sums = ", ".join(leaves[:SHOWN]) + ", …" * (len(leaves) > SHOWN)
    value = f"{name} = {root.value}" if root is not None else "every value is known"
    texts = {
        "start": f"Forward pass done: {value}. Next sends the gradient back.",
        "end": f"Backward pass done in {len(moves)} steps" + (f": {sums}" if sums else "") + "." * (len(leaves) <= SHOWN),
    }
    return {
        "prefix": drawing.prefix,
        "root": root.index if root is not None else 0,
        "edges": len(drawing.edges),
        "steps": [
            {
                "edge": move.edge,
                "card": move.card,
                "row": move.row,
                "source": move.source,
                "line": escape.clean(move.line, escape.TOOLTIP),
                "rule": escape.clean(move.rule, escape.TOOLTIP),
                "after": escape.clean(move.after),
                "sign": move.sign,
                "strength": round(move.strength, 3),
            }
            for move in moves
        ],
        **{key: escape.clean(text, escape.TOOLTIP) for key, text in texts.items()},
        "names": [
            [escape.clean(name, escape.TOOLTIP) for name in (card.name, card.full_name, *(r.name for r in card.rows)) if name]
            for card in (cards if searching else [])
        ],
    }


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _hashes(texts: list[str]) -> str:
    """The sources a content security policy allows: exactly these texts."""
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts)
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
