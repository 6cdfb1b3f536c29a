"""What the script of a page needs to know of a picture: where its numbers stand among the outputs, and its texts.

Texts are cleaned here, since they reach the page as they are.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

from ... import graph
from ...files import JsonData
from ...formula import nodes
from ...formula.notation import clean
from ...formula.steps import Step
from ...graph import Node
from ...ops.columns import REAL
from ..model import TOOLTIP, Card, Edge, Move, Number, Text
from . import live

if TYPE_CHECKING:
    from ..drawing import Drawing
    from ..moves import Telling

SHOWN, SAID = 6, 100  # gradients in the closing sentence, and its characters
ROOM = 5  # characters that a number may take beside its digits
PREFIXES = "gABCDEFGHIJKLMNOPQRSTUVWXYZ"  # of ids and classes of the pictures of a page; nothing else on it begins so


def before(label: str) -> str:
    """What stands before the number on an edge."""
    return label.rpartition("= ")[0] + "= " if "= " in label else "× "


def facts(
    drawing: Drawing, pictures: list[Drawing], found: live.Live, stepping: bool, searching: bool
) -> dict[str, JsonData]:  # fmt: skip
    """Everything the script knows: the leaves, and of each of the pictures cards, edges and steps."""
    builder: Telling = drawing.builder
    given = builder.given
    leaves = [
        {
            "x": leaf._data if math.isfinite(leaf._data) else repr(leaf._data),
            "name": builder.said[leaf],
            "parameter": given is None or leaf in given,
        }
        | ({} if builder.full.get(leaf) in (None, builder.said[leaf]) else {"full": clean(builder.full[leaf], TOOLTIP)})
        for leaf in found.leaves
    ]
    return {
        "digits": builder.digits,
        "room": builder.digits + ROOM,
        "leaves": leaves,
        "views": [_view_facts(k, picture, found, stepping) for k, picture in enumerate(pictures)],
        "guards": [
            {"o": found.at("guard", node, k), "wanted": wanted, "line": clean(line, 200),
             "text": clean(nodes.formula(node, builder.said, builder.digits), 200)}
            for k, (node, wanted, line) in enumerate(builder.guards)
        ],
        **({"names": [
            [clean(name, TOOLTIP) for name in (card.name, card.full_name, *(r.name for r in card.rows)) if name]
            for card in drawing.nodes
        ]} if searching else {}),
    }  # fmt: skip


def _view_facts(k: int, drawing: Drawing, found: live.Live, stepping: bool) -> dict[str, JsonData]:
    """One of the pictures: whose gradients, and its cards, edges and steps."""
    builder: Telling = drawing.builder
    root = next(card for card in drawing.nodes if card.node is builder.root)
    if builder.root in found.sweeps:
        found.root = builder.root
    slots = _slots(drawing, found)
    boxes = {f.loop: i for i, f in enumerate(drawing.frames) if f.loop is not None}  # of the loops that are drawn
    return {
        **({} if builder.options.loops else {"opened": True}),
        "prefix": PREFIXES[k],
        "name": root.name,
        "over": f"d{root.name}/d",
        "root": root.index,
        "result": found.at("value", builder.root),
        "which": next(i for i, each in enumerate(found.roots) if each is builder.root),
        "thin": 1 if len(drawing.edges) <= 150 else 0.5,
        "g": [found.at("total", leaf) for leaf in found.leaves],
        "n": {i: flag for i, leaf in enumerate(found.leaves) if (flag := found.flag("total", leaf))},
        "slots": slots,
        "edges": [_edge_facts(drawing, found, edge) for edge in drawing.edges],
        "steps": _steps(drawing, found) if stepping else [],
        "end": _end(found, builder),
        "loops": [
            {"at": loop.shown} | ({} if k not in boxes else
            {"frame": boxes[k], "titles": [loop.title(iteration) for iteration in range(len(loop.iterations))]})
            for k, loop in enumerate(builder.loops)
        ],
    }  # fmt: skip


def _slots(drawing: Drawing, found: live.Live) -> list[dict[str, JsonData]]:
    """Cards and rows whose numbers change."""
    slots = []
    for card in drawing.nodes:
        if card.node is None:
            continue
        slot = {
            "card": card.index, "name": card.header, "label": card.label,
            **_places(card, card.node, found),
        } | ({"leaf": True} if card.node.op is None else {})  # fmt: skip
        if card.iterations:
            slot = {key: slot[key] for key in slot if key not in ("n", "kinks")} | {
                "loop": card.loop
            }  # these an iteration has or not
            slot["iterations"] = [
                {"name": header, "label": drawing.builder.derivative(node) if node.__class__ is not float else card.label,
                 **_places(card, node, found)}
                for node, header in zip(card.iterations, card.headers, strict=True)
            ]  # fmt: skip
        slots.append(slot)
        for k, row in enumerate(card.rows):
            at = {"card": card.index, "row": k}
            if row.leaf is not None:
                slots.append({
                    **at, "name": row.name, "label": f"d{drawing.name}/d{row.name}", "leaf": True,
                    "f": found.at("factor", row.owner, row.argument), **_places(None, row.leaf, found),
                })  # fmt: skip
            elif row.factors and card.loop is None:
                slots.append(
                    {**at, "name": row.text, "label": "", "v": found.product(row.factors), "g": None, "of": card.index}
                )
    return slots


def _places(card: Card | None, node: Node, found: live.Live) -> dict[str, JsonData]:
    """Where the numbers of a card stand for one of its nodes."""
    if node.__class__ is float:
        return {"v": found.constant(node), "g": None}
    numbers: dict[str, Any] = {"v": found.at("value", node), "g": found.at("total", node)}
    if flag := found.flag("total", node):
        numbers["n"] = flag
    if card is not None and card.may_kink and nodes.may_kink(node):  # what a loop begins with may be a leaf
        sides = [[found.at(kind, node, i) for kind in ("left", "right", "factor")] for i in range(node.op.arity)]
        numbers["kinks"] = [side for side in sides if None not in side]
    return numbers


def _edge_facts(drawing: Drawing, found: live.Live, edge: Edge) -> dict[str, JsonData]:
    data: dict[str, Any] = {"s": edge.source, "t": edge.target}
    if edge.silent:
        data["silent"] = True
    if not edge.owners:
        data |= _flow(found, edge.owner, edge.argument, edge.label)
    else:
        data["loop"] = drawing.nodes[edge.target].loop
        data["iterations"] = [
            _flow(found, owner, edge.argument, label if edge.label else "")
            for owner, label in zip(edge.owners, edge.labels, strict=True)
        ]
    return data


def _flow(found: live.Live, owner: Node, argument: int, label: str) -> dict[str, JsonData]:
    """Where the numbers of an edge stand: its factor, what flows along it, and whether anything does."""
    f = None if owner is None else found.at("factor", owner, argument)
    data: dict[str, Any] = {"f": f, "c": None if f is None else found.at("part", owner, argument)}
    if f is not None and (flag := found.flag("part", owner, argument)):
        data["n"] = flag
    if "= " in label:
        data["symbol"] = before(label)
    if f is not None and not nodes.is_whole_power(owner) and any(domain != REAL for domain in owner.op.domain):
        data["value"] = found.at("value", owner)
        data["domain"] = [
            [found.at("value", a), *(x if math.isfinite(x) else repr(x) for x in domain[:2]), domain.open]
            for a, domain in zip(graph.operands(owner), owner.op.domain, strict=False)
            if a.__class__ is not float and domain != REAL
        ]
    return data


def _steps(drawing: Drawing, found: live.Live) -> list[dict[str, JsonData]]:
    """The values in the order they are computed, then the moves; in loops, of each iteration."""
    builder: Telling = drawing.builder
    steps: list[dict[str, Any]] = []
    for card in drawing.nodes:
        if card.node is None or card.node.op is None:
            continue
        step: dict[str, Any] = {
            "forward": True,
            "card": card.index,
            "line": _said(builder, found, builder.computed(card)),
        }
        if card.iterations:
            texts = [_said(builder, found, builder.computed(card, iteration)) for iteration in range(len(card.iterations))]
            step |= {"loop": card.loop, "iterations": [{"line": text} for text in texts]}
        steps.append(step)
    told: list[dict[str, Any]] = []
    at: dict[tuple[Any, ...], dict[str, Any]] = {}  # a move of an iteration by its place
    for move in _telling(drawing, found):
        if move.loop is not None:
            at.setdefault((move.loop, move.place), _told(builder, found, move))
        k, iteration = move.loop or (None, 0)
        if k is None or iteration == builder.loops[k].shown:
            told.append(_told(builder, found, move) | ({} if k is None else {"loop": k, "iterations": move.place}))
    for step in told:
        if "iterations" in step:
            keys = [
                ((step["loop"], iteration), step["iterations"])
                for iteration in range(len(builder.loops[step["loop"]].iterations))
            ]
            step["iterations"] = [at.get(key) or _told(builder, found, None) for key in keys]
            for key in {"n", "rule", "line", "after"} & step.keys():  # of each iteration its own, or none
                del step[key]
    return steps + told


def _told(builder: Telling, found: live.Live, move: Move | None) -> dict[str, JsonData]:
    """A step; where an iteration has none, as at the start, that is what is said."""
    if move is None:
        return {
            "after": found.constant(0.0),
            "line": ["This iteration has no such step: what it begins with is a number, or gets nothing more."],
            "rule": [],
            "back": False,
        }
    line, rule = move.texts
    total = flag = None
    if move.total is not None:
        total = found.number(move.total)
        flag = found.flag(move.total.kind, move.total.node, move.total.argument)
    if total is None:
        total = found.constant(1.0 if move.card == move.source and move.loop is None else 0.0)
    return {
        "card": move.card, "source": move.source, "after": total, "line": _said(builder, found, line),
        **({} if move.row is None else {"row": move.row}), **({} if move.edge is None else {"edge": move.edge}),
        **({"rule": _said(builder, found, rule)} if rule else {}), **({"back": True} if move.back else {}),
        **({"n": flag} if flag else {}),
    }  # fmt: skip


def _telling(drawing: Drawing, found: live.Live) -> list[Move]:
    """The moves along everything that may flow for some leaves, not only for those drawn; of every iteration of loops."""
    builder: Telling = copy.copy(drawing.builder)
    known = builder.step_at
    builder.steps = [
        known.get((node, i)) or Step(node, a, i, 0.0, "", 0.0, 0.0, 0.0, 0.0) for node, i, a in found.here.uses
    ]  # fmt: skip
    builder.step_at = {(step.node, step.argument): step for step in builder.steps}
    builder.uses_of, builder.places = {}, {}
    for step in builder.steps:
        builder.uses_of.setdefault(step.operand, []).append(step)
    builder.adjoints = {node: builder.adjoints.get(node, 0.0) for node in builder.names}
    return builder.moves(drawing.nodes, drawing.edges, every=True)


def _said(builder: Telling, found: live.Live, text: Text) -> list[JsonData]:
    """A text as the script has it: numbers as places among the outputs."""
    parts: list[Any] = []
    for part in text:
        place = found.number(part) if isinstance(part, Number) else None
        if isinstance(part, str) or place is None:
            parts.append(clean(part if isinstance(part, str) else builder.written_number(part), TOOLTIP))
        elif flag := found.flag(part.kind, part.node, part.argument):
            parts.append([place, part.style[:1], flag])
        else:
            style = part.style if part.style.startswith(" ") else part.style[:1]
            parts.append([place, style] if style else [place])
    return parts


def _end(found: live.Live, builder: Telling) -> list[JsonData]:
    """The closing sentence."""
    parts: list[str | Number] = ["Done: "]
    room = SAID
    for k, leaf in enumerate(found.leaves[:SHOWN]):
        label = f"d{builder.names[builder.root]}/d{builder.said[leaf]}"
        room -= len(label) + ROOM + builder.digits
        if k and room < 0:
            break
        reached = found.at("total", leaf) is not None
        parts += [f"{', ' if k else ''}{label} = ", Number("total", leaf) if reached else "none"]
    left = len(found.leaves) - (len(parts) - 1) // 2
    parts.append(f", and {left} more." if left else ".")
    return _said(builder, found, tuple(parts)) if found.leaves else ["Done."]
