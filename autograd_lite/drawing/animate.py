"""The backward pass as CSS animation: the same moves as the stepper shows, over and over, without a script.

Without animation, and where the reader asked for less motion, the finished picture shows.
"""

from __future__ import annotations

from collections.abc import Sequence

from .escape import xml
from .model import Edge, Move
from .svg import MARK

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
