"""The picture as a page that works offline: pull a leaf and everything follows, descend, step through forward and backward.

The page holds the finished picture as SVG, wide and tall, what is known of it as JSON and the graph as a JavaScript function.
Without scripts the finished picture is what is seen.  What the script writes, it writes as text.  `live` is the graph as a
program, `facts` what the script is told, `document` the file around it, of a fit too.
"""

from __future__ import annotations

import html
import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ...errors import LoweringError
from ...formula.notation import clean
from .. import svg
from ..model import label_width, measure
from ..moves import build
from ..svg import xml
from . import live
from .document import STEPS, document, legend, source
from .facts import PREFIXES, ROOM, before, facts

if TYPE_CHECKING:
    from ..drawing import Drawing
    from ..moves import Telling

__all__ = ["iframe", "page"]

SEARCH_FROM = 60  # cards; with more than these there is a search box
FACTOR = 7  # characters that the number on an edge may come to have
PIECES = (
    "core",
    "state",
    "view",
    "search",
    "player",
    "steps",
    "chart",
    "explore",
    "choice",
    "descend",
)  # of the script, in order
LEGEND = (
    "A card is a value, above the total derivative: how much the result changes for each unit of it, along all paths.",
    "An arrow carries a factor, the slope of its one step: × x = 3 multiplies what comes back along it by x, which is 3. "
    "Products along a path are added up over the paths.",
    "Orange is positive, blue negative, grey 0, red nan or infinite; the stronger or wider, the larger the number.",
    "Green border: a parameter. Dashed: another input. Dark: the result. “kink: a | b”: the slopes on either side.",
)

_BODY = """<div id="top">
<div class="bar scripted-only" hidden>
<h1><span id="name">{name}</span> = <output id="result">{value}</output></h1>
{controls}{legend}
</div>
{said}<p id="note" class="note" role="status" hidden></p>
</div>
<div id="main">
<div id="stage" tabindex="0" role="region" aria-label="{stage}">
{views}
</div>
<div id="side" hidden>
{panels}</div>
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
_CHOICE = """<div class="group" id="choice" role="group" aria-label="What is drawn"></div>
"""
_SAID = """<p class="said scripted-only" hidden>
<span id="line" role="status" aria-live="polite"></span>
<span id="rule" aria-live="polite"></span>
</p>
"""
_PANELS = """<section id="paths" hidden aria-label="Paths"><h2>Paths from here: <span id="chosen"></span></h2>
<ul id="products"></ul><p><b id="sum"></b></p></section>
<section aria-label="Leaves"><h2>Pull a number, everything follows</h2><div id="leaves"></div></section>
<section aria-label="Curve"><h2><span class="result">{name}</span> over <span id="over"></span>, the rest held</h2>
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

    Of several results a list chooses whose gradients show, and whether loops are drawn once or opened.
    Keys: left and right, Home and End, space to play; + - 0 zoom, shift and the arrows pan.  ``#step=3`` in the address
    opens the page at that step.
    """
    pictures = pictures_of(drawing)
    builder: Telling = drawing.builder
    found = live.live(builder.root, builder.said, builder.guards, builder.options.others)
    stepping = step and len(drawing.steps) > 0
    searching = len(drawing.nodes) > SEARCH_FROM
    data = facts(drawing, pictures, found, stepping, searching)
    functions, reason = _functions_or_reason(builder, found)  # of what the facts asked for
    if not functions:
        data["numbers"] = [x if math.isfinite(x) else repr(x) for x in found.numbers()]
        data["note"] = f"The numbers of this page stay as they are: {reason}."
    drawn: list[str] = []
    for picture, view in zip(pictures, data["views"], strict=True):
        text, view["other"] = _view_text(picture, bool(functions), view["prefix"])
        drawn.append(f"<div{' hidden' if drawn else ''}>{text}</div>")
    root = next(card for card in drawing.nodes if card.node is builder.root)
    choosing = len(pictures) > 1 or any("titles" in loop for loop in data["views"][0]["loops"])
    end = len(data["views"][0]["steps"]) + 1
    ends = {"what": "Step", "first": "Before the first step", "last": "The finished picture"}
    controls = (STEPS.format(end=end, **ends) if stepping else "") + _ZOOM + (_SEARCH if searching else "")
    body = _BODY.format(
        name=xml(root.name),
        value=xml(root.value),
        controls=controls + (_CHOICE if choosing else ""),
        legend=legend(LEGEND),
        said=_SAID if stepping else "",
        stage="The picture: drag or shift and arrow keys pan, plus and minus zoom, 0 shows all; Enter on a card: its paths",
        views="\n".join(drawn),
        panels=_PANELS.format(name=xml(root.name)),
    )
    left_out = {"search": not searching, "choice": not choosing}
    pieces = [piece for piece in PIECES if not left_out.get(piece)]
    return document(drawing.title, drawing.theme, body, data, ("base", "graph"), pieces, functions)


def iframe(drawing: Drawing, step: bool = True) -> str:
    """The page inside a sandboxed frame, for a notebook: its script can reach nothing around it."""
    height = round(min(max(drawing.height + 420.0, 560.0), 760.0))
    title = xml(clean(drawing.title, 200) or "Chain rule")
    return (
        f'<iframe sandbox="allow-scripts" title="{title}" width="100%" height="{height}" frameborder="0" '
        f'srcdoc="{html.escape(page(drawing, step))}"></iframe>'
    )


def _functions_or_reason(builder: Telling, found: live.Live) -> tuple[str, str]:
    """The program in JavaScript, or else why there is none."""
    if builder.options.grad != "adjoint":
        return "", f"they were drawn with grad={builder.options.grad!r}"
    try:
        return live.scripts(found), ""
    except LoweringError as error:
        return "", str(error)


def pictures_of(drawing: Drawing) -> list[Drawing]:
    """The picture, and where there are several results or loops, those with the others' gradients and with the loops opened."""
    builder: Telling = drawing.builder
    options = builder.options
    pictures = []
    for root in builder.roots if options.grad == "adjoint" else builder.roots[:1]:
        for loops in (True, False) if builder.loops else (options.loops,):
            if root is builder.root and loops is options.loops:
                pictures.append(drawing)
            elif loops or options.max_nodes is None or len(builder.names) <= options.max_nodes:
                others = tuple(each for each in builder.roots if each is not root)
                picture = build(root, replace(options, names=builder.full, others=others, loops=loops))
                pictures.append(drawing.showing(picture))
    return pictures[: len(PREFIXES)]


def _view_text(drawing: Drawing, live: bool, prefix: str) -> tuple[str, dict[str, list[str]]]:
    """The picture with room for the numbers that may come, and where everything is when it runs the other way.

    Cards and labels are drawn around points of their own, so that nothing but these need move.
    """
    from ..drawing import placed

    room = drawing.builder.digits + ROOM if live else 0
    cards = [replace(card, room=room) for card in drawing.nodes]
    edges = [replace(edge) for edge in drawing.edges]
    frames = [replace(frame) for frame in drawing.frames]
    for card in cards:
        measure(card)
    for edge in edges if live else ():
        if edge.label:
            edge.label_width = max(label_width(before(label) + "0" * FACTOR) for label in edge.labels or [edge.label])
    ways: list[dict[str, list[str]]] = []
    size = (0.0, 0.0)
    for rankdir in ({"LR": "TB", "RL": "BT", "TB": "LR", "BT": "RL"}[drawing.rankdir], drawing.rankdir):
        for edge in edges:
            edge.route, edge.label_at = [], None
        size = placed(cards, edges, drawing.engine, rankdir, 5.0, frames)[1]
        ways.append(svg.places(cards, edges, frames, size, drawing.heading))
    other, here = ways
    for edge in edges:
        edge.label_at = edge.label_at and (0.0, 0.0)
    for card in cards:
        card.x = card.y = 0.0
    for frame in frames:
        frame.x = frame.y = 0.0
    body = svg.body(cards, edges, frames)
    text = svg.document(body, prefix, drawing.title, drawing.heading, drawing.desc, size, "light")
    colours = {light: name for name, light in reversed(re.findall(r"--(\w+): light-dark\((#\w+)", source("base.css")))}
    style = re.sub(r"#[0-9a-f]{6}", lambda c: f"var(--{colours[c[0]]})", svg.rules(prefix, "light", bool(frames)))
    text = re.sub(r"(?<=<style>).*?(?=</style>)", lambda _: style, text, count=1, flags=re.DOTALL)  # those of the page
    text = re.sub(r'(?<=-bg") y=("[^"]*") width="[^"]*" height="[^"]*"', r' y=\1 width="100%" height="100%"', text)
    text = re.sub(rf'(?<=<g id="{prefix}-)([nlb]\d+)"', lambda m: f'{m[1]}" transform="{here[m[1]][0]}"', text)
    for k in range(len(frames)):
        x, y = here[f"f{k}"][:2]
        text = re.sub(rf'(?<=<rect id="{prefix}-f{k}" class="{prefix}-frame") x="0" y="0"', f' x="{x}" y="{y}"', text)
    if live:  # they would not stay true: the script writes them
        text = re.sub(r"(?<=>)<title>[^<]*</title>", "", text)
    text = re.sub(r'(?<=-line" d=")[^"]*', lambda d: re.sub(r"\d+\.\d", lambda x: f"{float(x[0]):.0f}", d[0]), text)
    text = re.sub(r'(<text x="[^"]*" y="[^"]*") text-anchor="middle"', r"\1", text)
    anchor = r'(class="[A-Za-z]-(?:head|value|grad)[^>]*) text-anchor="(?:middle|end)"'
    text = re.sub(anchor, r"\1", text)
    text = re.sub(r'(<rect class="[A-Za-z]-(?:box|pill|band)[^>]*?) rx="[\d.]+"', r"\1", text)  # graph.css has these
    text = re.sub(r'(<rect class="[A-Za-z]-(?:pill|band)[^>]*?) height="\d+"', r"\1", text)
    text = re.sub(r" [A-Za-z]-interior", "", text)  # it has no rule
    return text.replace(">\n<", "><").strip(), other
