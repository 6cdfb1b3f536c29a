"""The picture as a page that works offline: pull a leaf and everything follows, descend, step through forward and backward.

The page holds the finished picture as SVG, wide and tall, what is known of it as JSON and the graph as a JavaScript function.
Without scripts the finished picture is what is seen.  What the script writes, it writes as text.
"""

from __future__ import annotations

import copy
import html
import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import LoweringError
from ..formula import nodes
from ..formula.steps import Step
from . import escape, live, svg
from .document import document, legend
from .model import Edge, Move, Number, Text, label_width, measure

if TYPE_CHECKING:
    from .build import Builder
    from .drawing import Drawing

__all__ = ["iframe", "page"]

SEARCH_FROM = 60  # cards; with more than these there is a search box
SHOWN = 6  # gradients in the closing sentence
ROOM = 5  # characters that a number may take beside its digits
FACTOR = 7  # characters that the number on an edge may come to have
PIECES = ("core", "state", "view", "search", "steps", "chart", "explore", "descend")  # of the script, in order
PREFIX = "g"  # of ids and classes of the picture: a page of its own has no other
LEGEND = (
    "A card is a value, above the total derivative: how much the result changes for each unit of it, along all paths.",
    "An arrow carries a factor, the slope of its one step: × x = 3 multiplies what comes back along it by x, which is 3. "
    "Products along a path are added up over the paths.",
    "Orange is positive, blue negative, grey 0, red nan or infinite; the stronger or wider, the larger the number.",
    "Green border: a parameter. Dashed: another input. Dark: the result. “kink: a | b”: the slopes on either side.",
)

_BODY = """<div id="top">
<div class="bar scripted-only" hidden>
<h1>{heading} <output id="result">{value}</output></h1>
{controls}{legend}
</div>
{said}<p id="note" class="note" role="status" hidden></p>
</div>
<div id="main">
<div id="stage" tabindex="0" role="region" aria-label="{stage}">
<div class="wide">{wide}</div>
<div class="tall">{tall}</div>
</div>
<div id="side" hidden>
{panels}</div>
</div>
"""
_STEPS = """<div class="group" role="group" aria-label="Steps">
<button id="first" title="Before the first step (Home)">First</button>
<button id="back" title="One step back (←)">Back</button>
<button id="play" title="Play or pause (Space)">Play</button>
<button id="next" title="One step on (→)">Next</button>
<button id="last" title="The finished picture (End)">Last</button>
</div>
<div class="group slide">
<input type="range" id="slider" aria-label="Step" min="0" max="{end}" value="{end}" step="1">
<span id="where"></span>
</div>
"""
_ZOOM = """<div class="group" role="group" aria-label="Zoom">
<button id="out" title="Smaller (−)" aria-label="Smaller">−</button>
<button id="in" title="Larger (+)" aria-label="Larger">+</button>
<button id="whole" title="The whole picture (0)">Fit</button>
</div>
"""
_SEARCH = """<div class="group" role="search">
<input type="search" id="query" placeholder="Find a node" aria-label="Find a node by name" title="Enter: the next one"
 autocomplete="off" spellcheck="false">
<span id="count" role="status"></span>
</div>
"""
_SAID = """<p class="said scripted-only" hidden>
<span id="line" role="status" aria-live="polite"></span>
<span id="rule" aria-live="polite"></span>
</p>
"""
_PANELS = """<section id="paths" hidden aria-label="Paths"><h2>Paths from here: <span id="chosen"></span></h2>
<ul id="products"></ul><p><b id="sum"></b></p></section>
<section aria-label="Leaves"><h2>Pull a number, everything follows</h2><div id="leaves"></div></section>
<section aria-label="Curve"><h2>{name} over <span id="over"></span>, the rest held</h2>
<svg id="curve" role="img" aria-labelledby="really"></svg>
<label class="line">h <input type="range" id="h" min="-17" max="0.6" step="any" value="0" aria-label="h, how far ahead the
 second point is"> <output id="hv"></output></label>
<p id="secant" class="mono"></p><p id="really" aria-live="polite"></p></section>
<section aria-label="Descend"><h2>Descend: <span class="mono">p ← p − rate · slope</span></h2>
<div class="group"><button id="descend" class="main">Step down</button>
<button id="run">Run</button><button id="reset">Reset</button>
<label class="line">speed <input type="range" id="speed" min="1" max="30" value="8" aria-label="Steps a second"></label>
<span id="steps" class="soft"></span></div>
<label class="line">rate <input type="range" id="rate" min="-5" max="1" step="0.02" value="-2" aria-label="Learning rate">
<input type="number" id="ratefield" step="any" min="0" aria-label="Learning rate as a number"></label>
<ul id="updates" class="mono"></ul><p id="verdict" role="status"></p>
<svg id="losses" role="img" aria-label="The result at each step"></svg>
<div id="contourbox" hidden><svg id="contours" role="img" aria-label="Lines of equal result, and the way down"></svg></div>
</section>
"""


def page(drawing: Drawing, step: bool = True) -> str:
    """One self-contained HTML file: the picture, alive, and with `step` the forward and backward pass step by step.

    Keys: left and right, Home and End, space to play; + - 0 zoom, shift and the arrows pan.  ``#step=3`` in the address
    opens the page at that step.
    """
    found, functions, reason = _functions(drawing)
    stepping = step and len(drawing.steps) > 0
    searching = len(drawing.nodes) > SEARCH_FROM
    data = _data(drawing, found, stepping, searching)
    if functions:  # what was asked for is known only now
        functions = live.scripts(found)
    else:
        data["numbers"] = [x if math.isfinite(x) else repr(x) for x in found.numbers()]
        data["note"] = f"The numbers of this page stay as they are: {reason}."
    wide, tall = _views(drawing, live=bool(functions))
    root = next(card for card in drawing.nodes if card.node is drawing.builder.root)
    body = _BODY.format(
        heading=escape.xml(f"{root.name} ="),
        value=escape.xml(root.value),
        controls=(_STEPS.format(end=len(data["steps"]) + 1) if stepping else "") + _ZOOM + (_SEARCH if searching else ""),
        legend=legend(LEGEND),
        said=_SAID if stepping else "",
        stage="The picture: drag or shift and arrow keys pan, plus and minus zoom, 0 shows all; Enter on a card: its paths",
        wide=wide.strip(),
        tall=tall.strip(),
        panels=_PANELS.format(name=escape.xml(root.name)),
    )
    pieces = [piece for piece in PIECES if searching or piece != "search"]
    return document(drawing.title, drawing.theme, body, data, ("base", "graph"), pieces, functions)


def iframe(drawing: Drawing, step: bool = True) -> str:
    """The page inside a sandboxed frame, for a notebook: its script can reach nothing around it."""
    height = round(min(max(drawing.height + 420.0, 560.0), 760.0))
    title = escape.xml(escape.clean(drawing.title, 200) or "Chain rule")
    return (
        f'<iframe sandbox="allow-scripts" title="{title}" width="100%" height="{height}" frameborder="0" '
        f'srcdoc="{html.escape(page(drawing, step))}"></iframe>'
    )


def _functions(drawing: Drawing) -> tuple[live.Live, str, str]:
    """The graph as a program, in JavaScript where that can be, and else why not."""
    builder: Builder = drawing.builder
    found = live.live(builder.root, builder.names, builder.guards, builder.options.others)
    if builder.options.grad != "adjoint":
        return found, "", f"they were drawn with grad={builder.options.grad!r}"
    try:
        return found, live.scripts(found), ""
    except LoweringError as error:
        return found, "", str(error)


def _views(drawing: Drawing, live: bool) -> tuple[str, str]:
    """The picture wide and tall, with room for the numbers that may come."""
    from .drawing import placed

    texts = []
    room = drawing.builder.digits + ROOM if live else 0
    tall = {"LR": "TB", "RL": "BT", "TB": "LR", "BT": "RL"}[drawing.rankdir]
    for rankdir, end in ((drawing.rankdir, ""), (tall, "t")):
        cards = [replace(card, room=room) for card in drawing.nodes]
        edges = [replace(edge, route=[], label_at=None) for edge in drawing.edges]
        for card in cards:
            measure(card)
        for edge in edges if live else ():
            if edge.label and edge.contribution is not None:
                edge.label_width = label_width(_before(edge) + "0" * FACTOR)
        size = placed(cards, edges, drawing.engine, rankdir, 5.0)
        text = svg.document(
            svg.body(cards, edges), PREFIX, drawing.title, drawing.heading, drawing.desc, size[1], drawing.theme
        )
        if live:  # they would not stay true: the script writes them
            text = re.sub(r"(?<=>)<title>[^<]*</title>", "", text)
        text = re.sub(r'(<text x="[^"]*" y="[^"]*") text-anchor="middle"', r"\1", text)
        text = re.sub(r'(class="g-(?:head|value|grad)[^>]*) text-anchor="(?:middle|end)"', r"\1", text)  # page.css has it
        if end:  # one style serves both
            text = re.sub(r"<title id.*?</style>\n", "", text, flags=re.DOTALL)
            text = re.sub(rf'id="{PREFIX}\b', rf'id="{PREFIX}{end}', text)
        texts.append(text)
    if tall in ("LR", "RL"):
        texts.reverse()
    return texts[0], texts[1]


def _before(edge: Edge) -> str:
    """What stands before the number on an edge."""
    return edge.label.rpartition("= ")[0] + "= " if "= " in edge.label else "× "


# -- what the script needs to know ------------------------------------------------------------------------------------
# texts are cleaned here, since they reach the page as they are


def _data(drawing: Drawing, found: live.Live, stepping: bool, searching: bool) -> dict[str, Any]:
    builder: Builder = drawing.builder
    root = next(card for card in drawing.nodes if card.node is drawing.builder.root)
    slots = _slots(drawing, found)
    over = f"d{root.name}/d"
    given = builder.given
    leaves = [
        {
            "x": leaf._data if math.isfinite(leaf._data) else repr(leaf._data),
            "name": builder.names[leaf],
            "full": escape.clean(builder.full[leaf], escape.TOOLTIP),
            "g": found.at("total", leaf),
            "parameter": given is None or leaf in given,
        }
        for leaf in found.leaves
    ]
    return {
        "prefix": PREFIX,
        "digits": builder.digits,
        "name": root.name,
        "over": over,
        "root": root.index,
        "result": found.at("value", builder.root),
        "room": builder.digits + ROOM,
        "thin": 1 if len(drawing.edges) <= 150 else 0.5,
        "leaves": leaves,
        "slots": slots,
        "totals": sorted({slot["g"] for slot in slots if slot["g"] is not None}),
        "edges": [_edge(drawing, found, edge) for edge in drawing.edges],
        "steps": _steps(drawing, found) if stepping else [],
        "start": "The leaves are given. Next computes the first value.",
        "end": _end(found, builder),
        "guards": [
            {"o": found.at("guard", node, k), "wanted": wanted, "line": escape.clean(line, 200),
             "text": escape.clean(nodes.formula(node, builder.names, builder.digits), 200)}
            for k, (node, wanted, line) in enumerate(builder.guards)
        ],
        "names": [
            [escape.clean(name, escape.TOOLTIP) for name in (card.name, card.full_name, *(r.name for r in card.rows)) if name]
            for card in (drawing.nodes if searching else [])
        ],
    }  # fmt: skip


def _slots(drawing: Drawing, found: live.Live) -> list[dict[str, Any]]:
    """Cards and rows whose numbers change."""
    slots = []
    for card in drawing.nodes:
        if card.node is None:
            continue
        slot = {
            "id": f"n{card.index}", "card": card.index, "name": card.header, "label": card.label,
            "v": found.at("value", card.node), "g": found.at("total", card.node),
        } | ({"leaf": True} if card.node.op is None else {})  # fmt: skip
        if card.may_kink:
            sides = [[found.at(kind, card.node, i) for kind in ("left", "right", "factor")] for i in range(card.node.op.arity)]
            slot["kinks"] = [side for side in sides if None not in side]
        slots.append(slot)
        for k, row in enumerate(card.rows):
            if row.leaf is not None:
                slots.append({
                    "id": f"n{card.index}-r{k}", "card": card.index, "row": k, "name": row.name,
                    "label": f"d{drawing.name}/d{row.name}", "v": found.at("value", row.leaf),
                    "g": found.at("total", row.leaf), "leaf": True, "f": found.at("factor", row.owner, row.argument),
                })  # fmt: skip
    return slots


def _edge(drawing: Drawing, found: live.Live, edge: Edge) -> dict[str, Any]:
    flows = edge.owner is not None
    f, c = ((found.at(kind, edge.owner, edge.argument)) if flows else None for kind in ("factor", "part"))
    symbol = _before(edge) if edge.label and "= " in edge.label else ""
    return {"s": edge.source, "t": edge.target, "f": f, "c": c if f is not None else None} | (
        {"symbol": symbol} if symbol else {}
    )


def _steps(drawing: Drawing, found: live.Live) -> list[dict[str, Any]]:
    """The values in the order they are computed, then the moves."""
    builder: Builder = drawing.builder
    steps: list[dict[str, Any]] = [
        {"forward": True, "card": card.index,
         "line": _text(builder, found, builder.computed(card))}
        for card in drawing.nodes if card.node is not None and card.node.op is not None
    ]  # fmt: skip
    for move in _moves(drawing, found):
        line, rule = move.texts
        steps.append({
            "card": move.card, "row": move.row, "source": move.source, "edge": move.edge,
            "part": None if move.part is None else found.number(move.part),
            "line": _text(builder, found, line), "rule": _text(builder, found, rule),
        })  # fmt: skip
    return steps


def _moves(drawing: Drawing, found: live.Live) -> list[Move]:
    """The moves along everything that may flow for some leaves, not only for those that were drawn."""
    builder: Builder = copy.copy(drawing.builder)
    known = builder.step_at
    builder.steps = [
        known.get((node, i)) or Step(node, a, i, 0.0, "", 0.0, 0.0, 0.0, 0.0) for node, i, a in found.uses
    ]  # fmt: skip
    builder.step_at = {(step.node, step.argument): step for step in builder.steps}
    builder.uses_of, builder.places = {}, {}
    for step in builder.steps:
        builder.uses_of.setdefault(step.operand, []).append(step)
    builder.adjoints = {node: builder.adjoints.get(node, 0.0) for node in builder.names}
    index = {card.node: card.index for card in drawing.nodes if card.node is not None}
    return builder.moves(drawing.nodes, index, {(edge.owner, edge.argument): edge for edge in drawing.edges})


def _text(builder: Builder, found: live.Live, text: Text) -> list[Any]:
    """A text as the script has it: numbers as places among the outputs."""
    parts: list[Any] = []
    for part in text:
        place = found.number(part) if isinstance(part, Number) else None
        if isinstance(part, str) or place is None:
            parts.append(escape.clean(part if isinstance(part, str) else builder.written_number(part), escape.TOOLTIP))
        else:
            parts.append([place, part.style] if part.style else [place])
    return parts


def _end(found: live.Live, builder: Builder) -> list[Any]:
    """The closing sentence."""
    parts: list[str | Number] = ["Done: "]
    totals = [leaf for leaf in found.leaves if found.at("total", leaf) is not None]
    for k, leaf in enumerate(totals[:SHOWN]):
        parts += [f"{', ' if k else ''}{builder.derivative(leaf)} = ", Number("total", leaf)]
    parts.append(", …" if len(totals) > SHOWN else ".")
    return _text(builder, found, tuple(parts)) if totals else ["Done."]
