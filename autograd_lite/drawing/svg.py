"""The SVG writer.

Coordinates are rounded to a tenth of a pixel.  While it is written, ids and classes start with a character that no text can
hold; the prefix that takes its place is a hash of the rest, so pictures on one page cannot get into each other's way.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from . import model as measure
from .model import HEAD, ROW, Card, Edge, Frame, Line, Move, Point

MARK = "\x00"
KINK = "kink: −1.234 | −1.234, taken 0"  # as wide as that
TITLE = 30.0  # height of the line above the picture where it has a title of its own


def prefix_of(body: str) -> str:
    """What the ids and classes of a picture start with."""
    return "ag" + hashlib.sha256(body.encode("utf-8", "replace")).hexdigest()[:8]


def number(x: float) -> str:
    """A coordinate.

    >>> number(2.0), number(0.26), number(-0.01)
    ('2', '0.3', '0')
    """
    text = f"{x:.1f}"
    return "0" if text == "-0.0" else text.removesuffix(".0")


def body(cards: Sequence[Card], edges: Sequence[Edge], frames: Sequence[Frame] = ()) -> str:
    """Boxes, edges, their labels and cards, with `MARK` for the prefix."""
    parts = [_frame(k, f) for k, f in enumerate(frames)]
    parts += [_edge(e) for e in edges]
    parts += [_label(e) for e in edges if e.label_at]
    parts += [_card(c) for c in cards]
    parts += [_title(k, f) for k, f in enumerate(frames)]
    return "\n".join(parts)


def _frame(k: int, f: Frame) -> str:
    place = f'x="{number(f.x)}" y="{number(f.y)}" width="{number(f.width)}" height="{number(f.height)}"'
    return f'<rect id="{MARK}-f{k}" class="{MARK}-frame" {place} rx="12"/>'


def _title(k: int, f: Frame) -> str:
    """The title of a box, on its upper border."""
    w = measure.label_width(f.title)
    return (
        f'<g id="{MARK}-b{k}" class="{MARK}-l"><rect class="{MARK}-pill" x="{number(f.x + 14)}" y="{number(f.y - 8)}" '
        f'width="{number(w + 4)}" height="16" rx="4"/>{_text(f"{MARK}-title", f.x + 20, f.y + 4, f.title)}</g>'
    )


def document(
    content: str, prefix: str, title: str, heading: str, desc: str, size: Point, theme: str, animation: str = ""
) -> str:
    """The whole SVG text around the content."""
    top, w, h = _extent(size, heading)
    said = f'<text class="{MARK}-heading" x="16" y="{number(top + 22)}">{xml(heading)}</text>\n' if heading else ""
    text = (
        f'<svg xmlns="http://www.w3.org/2000/svg" id="{MARK}" class="{MARK}" role="img" aria-labelledby="{MARK}-t {MARK}-d" '
        f'viewBox="0 {number(top)} {number(w)} {number(h)}" width="{number(w)}" height="{number(h)}">\n'
        f'<title id="{MARK}-t">{xml(title)}</title>\n<desc id="{MARK}-d">{xml(desc)}</desc>\n'
        f"<style>{rules(MARK, theme, boxes=f'{MARK}-frame' in content)}{animation}</style>\n"
        f'<rect class="{MARK}-bg" y="{number(top)}" width="{number(w)}" height="{number(h)}"/>\n{said}{content}\n</svg>\n'
    )
    return text.replace(MARK, prefix)


def _extent(size: Point, heading: str) -> tuple[float, float, float]:
    """Top, width and height, with the line of the heading."""
    return (-TITLE, size[0], size[1] + TITLE) if heading else (0.0, *size)


def places(
    cards: Sequence[Card], edges: Sequence[Edge], frames: Sequence[Frame], size: Point, heading: str
) -> dict[str, list[str]]:  # fmt: skip
    """Where everything is, by the end of its id: the attributes that say so.

    Of the picture the view box; of cards and labels a shift from where they are drawn around a point of their own; of edges
    line and tip; of boxes the corner and the size.
    """
    top, w, h = _extent(size, heading)
    found = {"": [f"0 {number(top)} {number(w)} {number(h)}"]}
    found |= {f"n{c.index}": [_shift(c.x, c.y)] for c in cards}
    found |= {f"l{e.index}": [_shift(*e.label_at)] for e in edges if e.label_at}
    found |= {f"e{e.index}": [_path([(round(x), round(y)) for x, y in e.route]), _tip(e.route)] for e in edges}
    for k, f in enumerate(frames):
        found |= {f"f{k}": [number(x) for x in (f.x, f.y, f.width, f.height)], f"b{k}": [_shift(f.x, f.y)]}
    return found


def _shift(x: float, y: float) -> str:
    return f"translate({number(x)} {number(y)})"


def _state(dim: bool, emphasis: bool = False) -> str:
    return f" {MARK}-dim" if dim else f" {MARK}-lit" if emphasis else ""


def _path(route: Sequence[Point]) -> str:
    places = ("%.1f %.1f " * len(route)) % tuple([x for point in route for x in point])
    start, _, rest = places.replace(".0 ", " ").replace("-0 ", "0 ").partition(" ")
    y, _, rest = rest.partition(" ")
    return f"M{start} {y}C{rest[:-1]}" if rest else f"M{start} {y}"


def _tip(route: Sequence[Point]) -> str:
    """The point of the arrow, in the direction in which the edge arrives."""
    x, y = route[-1]
    u, v = route[-2]
    if abs(x - u) >= abs(y - v):
        back = -8 if x >= u else 8
        return f"M{number(x)} {number(y)}l{back} -4v8z"
    back = -8 if y >= v else 8
    return f"M{number(x)} {number(y)}l-4 {back}h8z"


def _edge(e: Edge) -> str:
    kind = "silent" if e.silent else e.sign
    tip = f'<path class="{MARK}-tip" d="{_tip(e.route)}"/>'
    return (
        f'<g id="{MARK}-e{e.index}" class="{MARK}-e {MARK}-{kind}{_state(e.dim, e.emphasis)}"><title>{xml(e.tooltip)}</title>'
        f'<path class="{MARK}-line" d="{_path(e.route)}" stroke-width="{number(e.weight)}"/>{tip}</g>'
    )


def _label(e: Edge) -> str:
    assert e.label_at is not None
    x, y = e.label_at
    w, h = e.label_width, measure.LABEL
    return (
        f'<g id="{MARK}-l{e.index}" class="{MARK}-l{_state(e.dim)}"><title>{xml(e.tooltip)}</title>'
        f'<rect class="{MARK}-pill" x="{number(x - w / 2)}" y="{number(y - h / 2)}" width="{number(w)}" height="{number(h)}"'
        f' rx="4"/><text x="{number(x)}" y="{number(y + 4)}" text-anchor="middle">{xml(e.label)}</text></g>'
    )


def _text(css: str, x: float, y: float, text: str, anchor: str = "") -> str:
    end = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text class="{css}" x="{number(x)}" y="{number(y)}"{end}>{xml(text)}</text>'


def _card(c: Card) -> str:
    middle, left, right = c.x + c.width / 2, c.x + measure.PAD, c.x + c.width - measure.PAD
    bad = f" {MARK}-bad" if c.bad else ""
    parts = [
        f'<g id="{MARK}-n{c.index}" class="{MARK}-n {MARK}-{c.kind}{bad}{_state(c.dim)}"><title>{xml(c.tooltip)}</title>'
        f'<rect class="{MARK}-box" x="{number(c.x)}" y="{number(c.y)}" width="{number(c.width)}" height="{number(c.height)}" '
        f'rx="7"/>'
    ]
    if c.kind == "stub":
        return "".join([*parts, _text(f"{MARK}-head", middle, c.y + 17, c.header, "middle"), "</g>"])
    parts.append(_text(f"{MARK}-head", middle, c.y + 17, c.header, "middle"))
    parts.append(_text(f"{MARK}-mute", left, c.y + 36, "value"))
    parts.append(_text(f"{MARK}-value", right, c.y + 36, c.value, "end"))
    if c.label:
        radius = 0.0 if c.rows else 5.5
        parts.append(_band(c.sign, c.strength, c.x + 1.5, c.y + 43.5, c.width - 3, 22.0, radius))
        parts.append(_text(f"{MARK}-of", left, c.y + 59, c.label))
        parts.append(_text(f"{MARK}-grad {MARK}-{c.sign}", right, c.y + 59, c.adjoint, "end"))
    if c.rows:
        parts.append(_rows(c))
    if c.kink or (c.room and c.may_kink):
        parts.append(_kink_pill(c))
    return "\n".join([*parts, "</g>"])


def _kink_pill(c: Card) -> str:
    """A pill over the lower border."""
    text = c.kink or "kink"
    w = measure.label_width(text if c.kink else KINK)
    middle, y = c.x + c.width / 2, c.y + c.height
    return (
        f'<g class="{MARK}-kink{"" if c.kink else " off"}"><rect x="{number(middle - w / 2)}" y="{number(y - 2)}" '
        f'width="{number(w)}" height="15" rx="7"/>{_text(f"{MARK}-cell", middle, y + 9.5, text, "middle")}</g>'
    )


def _band(sign: str, strength: float, x: float, y: float, width: float, height: float, radius: float) -> str:
    place = f'x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}"'
    return f'<rect class="{MARK}-band {MARK}-{sign}" {place} rx="{number(radius)}" fill-opacity="{number2(strength)}"/>'


def number2(x: float) -> str:
    """A number between 0 and 1.

    >>> number2(0.5), number2(0.0)
    ('0.5', '0')
    """
    return f"{x:.2f}".rstrip("0").rstrip(".")


def _rows(c: Card) -> str:
    """The rows of a sum or dot card, in columns: the first to the left, the others to the right."""
    widths = measure.column_widths(c)
    ends = []
    at = c.x + c.width - measure.PAD
    for w in reversed(widths[1:]):
        ends.append(at)
        at -= w + measure.BETWEEN
    ends.reverse()
    left = c.x + measure.PAD
    top = c.y + c.height - 4.0 - ROW * len(c.rows)
    rule = f'<path class="{MARK}-rule" d="M{number(c.x)} {number(top - HEAD)}h{number(c.width)}"/>'
    parts = [rule, _text(f"{MARK}-cell {MARK}-mute", left, top - 4.5, c.columns[0])]
    parts += [
        _text(f"{MARK}-cell {MARK}-mute", end, top - 4.5, text, "end") for end, text in zip(ends, c.columns[1:], strict=True)
    ]
    parts += [_row(c, k, row, left, ends, top + ROW * k) for k, row in enumerate(c.rows)]
    return "\n".join(parts)


def _row(c: Card, k: int, row: Line, left: float, ends: list[float], y: float) -> str:
    parts = [f'<g id="{MARK}-n{c.index}-r{k}" class="{MARK}-row">']
    if row.tooltip:
        parts.append(f"<title>{xml(row.tooltip)}</title>")
    if row.grad:
        start = (ends[-2] if len(ends) > 1 else left) + measure.BETWEEN / 2
        parts.append(_band(row.sign, row.strength, start, y + 1, c.x + c.width - 1.5 - start, ROW - 2, 2.0))
    kind = f"{MARK}-own" if row.parameter else ""
    parts.append(_text(f"{MARK}-cell {kind}".strip(), left, y + 11.5, row.text))
    if row.value and ends:
        parts.append(_text(f"{MARK}-cell {MARK}-value", ends[0], y + 11.5, row.value, "end"))
    if row.grad:
        parts.append(_text(f"{MARK}-cell {MARK}-grad {MARK}-{row.sign}", ends[-1], y + 11.5, row.grad, "end"))
    return "".join([*parts, "</g>"])


# -- names are hostile until escaped ----------------------------------------------------------------------------------

BAD = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufeff\ufffe\uffff\ud800-\udfff]"
)
_BAD_BUT_BREAKS = re.compile(BAD.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))
_TOUCHED = re.compile(_BAD_BUT_BREAKS.pattern.replace("[", "[&<>\"'", 1))  # what text may not hold as it is
XML = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord('"'): "&quot;", ord("'"): "&#39;"}


def xml(text: str) -> str:
    """Text as content or as a quoted attribute of SVG and HTML; line feeds are kept.

    >>> xml("<a href='x'>&")
    '&lt;a href=&#39;x&#39;&gt;&amp;'
    """
    if _TOUCHED.search(text) is None:
        return text
    return _BAD_BUT_BREAKS.sub("\ufffd", text).translate(XML)


# -- colours: literal ones, since some viewers do not know CSS variables ----------------------------------------------

FONTS = 'ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace'

# background, text, muted text, card, border, parameter, root, positive, negative, bad, positive text, negative text
LIGHT = ("#ffffff", "#1b1f24", "#57606a", "#f6f8fa", "#8c959f", "#1a7f37", "#1b1f24", "#e07b1a", "#2f81d6", "#cf222e")
DARK = ("#0d1117", "#e6edf3", "#9198a1", "#161b22", "#6e7681", "#3fb950", "#e6edf3", "#d98324", "#388bfd", "#ff7b72")


def rules(p: str, theme: str, boxes: bool = False) -> str:
    """The style rules of a picture whose classes start with `p`; theme is auto, light or dark."""
    first = _colours(p, DARK if theme == "dark" else LIGHT)
    other = f"@media (prefers-color-scheme:dark){{{_colours(p, DARK)}}}\n" if theme == "auto" else ""
    return f"\n{_shapes(p)}{_boxes(p) if boxes else ''}{first}{other}"


def _boxes(p: str) -> str:
    return (
        f".{p}-silent .{p}-line{{stroke-dasharray:3 4}}.{p}-frame{{fill:none;stroke:#8c959f;stroke-width:1.2}}"
        f".{p}-title{{font-weight:700}}\n"
    )


def _shapes(p: str) -> str:
    return (
        f".{p}{{font-family:{FONTS};font-size:12px}}\n"
        f".{p}-heading{{font-size:14px;font-weight:700}}.{p}-head,.{p}-grad{{font-weight:700}}"
        f".{p}-cell,.{p}-l text{{font-size:11px}}\n"
        f".{p}-box{{stroke-width:1}}.{p}-parameter .{p}-box,.{p}-root .{p}-box{{stroke-width:2}}"
        f".{p}-input .{p}-box,.{p}-stub .{p}-box{{stroke-dasharray:4 3}}"
        f".{p}-bad .{p}-box{{stroke-width:2.5;stroke-dasharray:2 2}}\n"
        f".{p}-line{{fill:none}}.{p}-rule{{stroke-width:1;fill:none}}.{p}-dim{{opacity:.25}}\n"
    )


def _colours(p: str, colours: tuple[str, ...]) -> str:
    back, text, mute, card, border, parameter, root, pos, neg, bad = colours
    return (
        f".{p}-bg,.{p}-pill{{fill:{back}}}.{p} text{{fill:{text}}}.{p} .{p}-mute{{fill:{mute}}}"
        f".{p}-box{{fill:{card};stroke:{border}}}.{p}-rule{{stroke:{border}}}\n"
        f".{p}-parameter .{p}-box{{stroke:{parameter}}}.{p}-root .{p}-box{{stroke:{root}}}.{p} .{p}-own{{fill:{parameter}}}\n"
        f".{p}-line{{stroke:{border}}}.{p}-tip,.{p}-band{{fill:{border}}}\n"
        f".{p}-pos .{p}-line{{stroke:{pos}}}.{p}-pos .{p}-tip,.{p}-band.{p}-pos{{fill:{pos}}}\n"
        f".{p}-neg .{p}-line{{stroke:{neg}}}.{p}-neg .{p}-tip,.{p}-band.{p}-neg{{fill:{neg}}}\n"
        f".{p}-bad .{p}-line,.{p}-bad .{p}-box{{stroke:{bad}}}.{p}-bad .{p}-tip,.{p}-band.{p}-bad{{fill:{bad}}}\n"
        f".{p} .{p}-grad.{p}-bad{{fill:{bad}}}.{p}-kink rect{{fill:{back};stroke:{bad}}}\n"
    )


# -- the backward pass as CSS animation: the same moves as the stepper shows, over and over, without a script; the finished
# picture shows without animation, and where the reader asked for less motion ---------------------------------------------

OPEN = f'<g id="{MARK}-'
FAINT = 0.2  # edges not yet used
STEP, START, HOLD = 0.9, 1.0, 3.5  # seconds for each move, before the first and after the last


def animation(content: str, edges: Sequence[Edge], moves: Sequence[Move]) -> tuple[str, str]:
    """The content with what the adjoints are on the way added to it, and the rules that show each at its time."""
    total = START + STEP * len(moves) + HOLD
    css: list[str] = []
    frames: dict[tuple[float, float, float], str] = {}

    def show(selector: str, since: float, until: float, least: float = 0.0) -> None:
        """Visible from `since` to `until`, in seconds, and otherwise as faint as `least`."""
        name = frames.setdefault((since, until, least), f"{MARK}-k{len(frames)}")
        css.append(f"{selector}{{animation:{name} {total:g}s step-end infinite}}")

    def time(k: int) -> float:
        return START + STEP * k

    first: dict[int, float] = {}
    gathered: dict[str, list[tuple[float, str]]] = {}  # by card or row
    for k, move in enumerate(moves):
        if move.edge is not None:
            first.setdefault(move.edge, time(k))
        group = f"n{move.card}" if move.row is None else f"n{move.card}-r{move.row}"
        gathered.setdefault(group, [(0.0, "·")]).append((time(k), move.after))
    for edge in edges:
        if edge.index in first:
            show(f"#{MARK}-e{edge.index},#{MARK}-l{edge.index}", first[edge.index], total, FAINT)
    parts = content.split(OPEN)
    for i, part in enumerate(parts):
        group = part.partition('"')[0]  # "n3" or "n3-r0"
        texts = gathered.get(group)
        if texts is None or f"{MARK}-grad " not in part:
            continue
        parts[i] = _with_texts(part, f"{MARK}-{group}", [text for _, text in texts[:-1]])
        for j, (since, _) in enumerate(texts[:-1]):
            show(f"#{MARK}-{group}-w{j}", since, texts[j + 1][0])
        show(f"#{MARK}-{group}>.{MARK}-grad,#{MARK}-{group}>.{MARK}-band", texts[-1][0], total)
    for (since, until, least), name in frames.items():
        a, b = 100 * since / total, 100 * until / total
        before, after = (least if a > 0 else 1), (least if b < 100 else 1)
        back = f"{b:.3f}%{{opacity:{least:g}}}" if b < 100 else ""
        css.append(f"@keyframes {name}{{0%{{opacity:{before:g}}}{a:.3f}%{{opacity:1}}{back}100%{{opacity:{after:g}}}}}")
    body = "\n".join(css)
    return OPEN.join(parts), f"@media (prefers-reduced-motion:no-preference){{\n{body}\n}}\n.{MARK}-was{{opacity:0}}\n"


def _with_texts(part: str, group: str, texts: list[str]) -> str:
    """Copies of the adjoint in the text of a card or row, hidden, with other texts."""
    end = part.index("</text>", part.index(f"{MARK}-grad "))
    opening = part[part.rindex("<text", 0, end) : part.rindex(">", 0, end)]
    hidden = opening.replace(f"{MARK}-grad ", f"{MARK}-was ", 1)
    copies = [f'{hidden} id="{group}-w{j}" font-weight="700">{xml(text)}</text>' for j, text in enumerate(texts)]
    return part[: end + 7] + "".join(copies) + part[end + 7 :]
