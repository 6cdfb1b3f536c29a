"""What `draw` gives back, and how it is put together."""

from __future__ import annotations

import base64
import math
import os
import shutil
import tempfile
import warnings
import webbrowser
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .. import frames
from ..errors import InputTypeError, InputValueError, MissingPackageError, counted
from ..files import write_atomically
from ..formula.notation import clean
from ..tree import Number
from . import dot, layout, svg
from .build import Options, Picture
from .model import Card, Edge, Frame, Move
from .moves import build

if TYPE_CHECKING:
    from ..value import Value

RANKDIRS = ("LR", "RL", "TB", "BT")
ENGINES = ("auto", "dot", "builtin")
THEMES = ("auto", "light", "dark")
MOST = 300  # cards up to which `dot` is asked
PASSED = 100  # layers that all edges may pass, besides 4 an edge
SCALE, SMALLEST = 2.0, 0.25  # pixels of a PNG for each of the picture, and the fewest in which texts can be read
LARGEST_SIDE, LARGEST_AREA = 30_000.0, 1e8  # in pixels: Cairo's own limit is 32,767 along a side
SAID = 12  # gradients in the description
LEGEND = (
    "Cards are values with the total derivative of the result below; arrows carry factors, which multiply along a path. "
    "Orange is positive, blue negative, red nan or infinite; stronger and wider is larger. "
    "A green border is a parameter, a dashed one another input, a dark one the result."
)


@dataclass
class Drawing:
    """A picture: cards and edges with their places, and ways to show and keep it.

    >>> from autograd_lite import Value, draw
    >>> picture = draw(Value(3.0, "x") ** 2, engine="builtin")
    >>> picture
    <Drawing of result: 2 nodes, 1 edge>
    >>> picture.svg().startswith("<svg ")
    True

    A notebook shows it by itself.  `engine` says who placed the cards, "dot" or "builtin"; `nodes`, `edges` and `steps` are as
    `autograd_lite.drawing.model` describes them; `hidden` counts the nodes left out.
    """

    engine: str
    nodes: list[Card]
    edges: list[Edge]
    hidden: int
    width: float
    height: float
    title: str
    heading: str = ""
    theme: str = "auto"
    rankdir: str = "LR"
    name: str = ""  # of the root
    desc: str = ""
    frames: list[Frame] = field(default_factory=list, repr=False)  # the boxes around layers and iterations of loops
    builder: Any = field(default=None, repr=False)  # of `build`, for pages that work it out anew
    _moves: Callable[[], list[Move]] = field(default=list, repr=False)
    _body: str = field(default="", repr=False)

    @cached_property
    def steps(self) -> list[Move]:
        """The backward pass, one product at a time."""
        return self._moves()

    @cached_property
    def prefix(self) -> str:
        """What every id and class in the SVG starts with; it depends on the content."""
        self._body = svg.body(self.nodes, self.edges, self.frames)
        return svg.prefix_of("\n".join([self._body, self.title, self.heading, self.theme]))

    def svg(self, animate: bool = False) -> str:
        """The picture as SVG text; with `animate` the backward pass runs through it, over and over."""
        prefix, content, css = self.prefix, self._body, ""
        if animate and self.steps:
            content, css = svg.animation(content, self.edges, self.steps)
            prefix += "a"
        size = (self.width, self.height)
        return svg.document(content, prefix, self.title, self.heading, self.desc, size, self.theme, css)

    def html(self, step: bool = True) -> str:
        """The picture as one HTML page that needs nothing else, with `step` to step through the backward pass."""
        from .page import page

        return page(self, step)

    def stepper(self) -> Stepper:
        """The stepper for a notebook cell: the page of `html` in a sandboxed frame, which shows itself."""
        return Stepper(self)

    def showing(self, picture: Picture) -> Drawing:
        """Another picture of the same, without places."""
        return replace(
            self, nodes=picture.cards, edges=picture.edges, frames=picture.frames, hidden=picture.hidden, name=picture.name,
            desc=described(picture), builder=picture.builder, _moves=picture.moves,
            engine="auto" if self.engine == "dot" else self.engine,
        )  # fmt: skip

    def dot(self) -> str:
        """The graph as DOT text, for Graphviz."""
        return dot.source(self.nodes, self.edges, self.rankdir, self.title)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture to a file, complete or not at all.

        Args: `path` ends in .svg, .html, .dot or .gv; or in .png or .pdf, which take CairoSVG.

        Raises InputValueError for another ending, MissingPackageError where that package is needed and missing.
        """
        suffix = os.path.splitext(os.fspath(path))[1].lower()
        if suffix == ".svg":
            write_atomically(path, self.svg())
        elif suffix == ".html":
            write_atomically(path, self.html())
        elif suffix in (".dot", ".gv"):
            write_atomically(path, self.dot())
        elif suffix in (".png", ".pdf"):
            write_atomically(path, _rendered(self, suffix[1:]))
        else:
            raise InputValueError(f"path={os.fspath(path)!r} must end in .svg, .html, .dot, .gv, .png or .pdf")

    def show(self) -> None:
        """Open the page in a browser, and print where it is kept."""
        folder = tempfile.mkdtemp(prefix="autograd_lite-")
        path = os.path.join(folder, "picture.html")
        self.save(path)
        print(path)
        webbrowser.open(f"file://{path}")

    def __str__(self) -> str:
        return f'{self!r}: .save("x.html") writes the page, .show() opens it'

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self._image(), "text/plain": repr(self)}

    def _image(self) -> str:
        """The picture as an image that holds its own data, which a notebook shows whether or not it trusts what it opens."""
        data = base64.b64encode(self.svg().encode()).decode()
        return f'<img alt="{svg.xml(self.title)}" src="data:image/svg+xml;base64,{data}">'

    def __repr__(self) -> str:
        more = f", {self.hidden} more not drawn" if self.hidden else ""
        return f"<Drawing of {self.name}: {counted(len(self.nodes), 'node')}, {counted(len(self.edges), 'edge')}{more}>"


class Stepper:
    """A picture to step through in a notebook; what it shows can reach nothing around its frame."""

    def __init__(self, drawing: Drawing) -> None:
        self.drawing = drawing

    def _repr_html_(self) -> str:
        from .page import iframe

        # the frame covers the image; a notebook that does not trust what it opens leaves the frame out
        image, frame = self.drawing._image(), iframe(self.drawing)
        over = 'style="grid-area:1/1;'
        return (
            f'<div style="display:grid">{image.replace("<img ", f"<img {over}" + chr(34) + " ", 1)}'
            f"{frame.replace('<iframe ', f'<iframe {over}background:Canvas' + chr(34) + ' ', 1)}</div>"
        )


def make(
    root: Value | Callable[..., Number] | str, options: Options, engine: str, rankdir: str, theme: str, timeout: float,
    title: str | None,
) -> Drawing:  # fmt: skip
    """What `draw` does, options checked first."""
    _check(root, rankdir, options.digits)
    for option, given, known in (("engine", engine, ENGINES), ("theme", theme, THEMES)):
        if given not in known:
            raise InputValueError(f"{option}={given!r} must be one of {', '.join(map(repr, known))}")
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout < math.inf:
        raise InputValueError(f"timeout={timeout!r} must be a number of seconds above 0")
    if title is not None and not isinstance(title, str):
        raise InputTypeError(f"title={title!r} must be a string")
    picture = build(root, options)
    used, size = placed(picture.cards, picture.edges, engine, rankdir, timeout, picture.frames)
    name = picture.name
    heading = clean(title, 200) if title else ""
    return Drawing(
        used, picture.cards, picture.edges, picture.hidden, *size, heading or f"Chain-rule graph of {name}",
        heading, theme, rankdir, name, described(picture), picture.frames, picture.builder, picture.moves,
    )  # fmt: skip


def content(root: Value | Callable[..., Number] | str, rankdir: str) -> tuple[Picture, str]:
    """The cards and edges of the default picture, without places, and its title."""
    _check(root, rankdir, 4)
    picture = build(root, Options())
    return picture, f"Chain-rule graph of {picture.name}"


def _check(root: Value | Callable[..., Number] | str, rankdir: str, digits: object) -> None:
    if not hasattr(root, "_data"):
        raise InputTypeError(f"root={root!r} must be a Value: draw what a computation on Values gave")
    if rankdir not in RANKDIRS:
        raise InputValueError(f"rankdir={rankdir!r} must be one of {', '.join(map(repr, RANKDIRS))}")
    if isinstance(digits, bool) or not isinstance(digits, int) or not 1 <= digits <= 17:
        raise InputValueError(f"digits={digits!r} must be a whole number from 1 to 17")


def placed(
    cards: list[Card], edges: list[Edge], engine: str, rankdir: str, timeout: float, boxes: Sequence[Frame] = ()
) -> tuple[str, tuple[float, float]]:  # fmt: skip
    """Give everything its place, and say who did."""
    if engine == "dot" or (engine == "auto" and _suits_dot(cards, edges)):
        try:
            return "dot", dot.place(cards, edges, rankdir, timeout, boxes)
        except dot.LayoutError as error:
            warnings.warn(
                f"{error}: the built-in layout was used; give engine='builtin' for it from the start",
                RuntimeWarning,
                stacklevel=frames.stacklevel(),
            )
    return "builtin", layout.place(cards, edges, rankdir, boxes)


def _suits_dot(cards: list[Card], edges: list[Edge]) -> bool:
    """Whether `dot` is there and quick: it takes minutes for 50 edges from one leaf to every iteration of an unrolled loop."""
    if len(cards) > MOST or shutil.which("dot") is None:
        return False
    rank = layout.ranks(cards, edges)
    return sum(rank[e.source] - rank[e.target] for e in edges) <= PASSED + 4 * len(edges)


def described(picture: Picture) -> str:
    """The picture in words, for those who do not see it."""
    cards = picture.cards
    root = next(card for card in cards if card.kind == "root")
    gradients = [f"{c.label} = {c.adjoint}" for c in cards if c.kind in ("parameter", "input") and c.label]
    gradients += [f"{r.name}: {r.grad}" for c in cards for r in c.rows if r.grad]
    more = f"; {len(gradients) - SAID} more" if len(gradients) > SAID else ""
    said = f" {'; '.join(gradients[:SAID])}{more}." if gradients else ""
    return f"{len(cards)} nodes, {len(picture.edges)} edges; {root.name} = {root.value}.{said} {LEGEND}"


def _rendered(drawing: Drawing, format: str) -> bytes:
    """The picture as PNG, twice as large for sharp text where that is not too large, or as PDF."""
    try:
        import cairosvg
    except (ImportError, OSError) as error:
        raise MissingPackageError(
            f"a .{format} file takes CairoSVG, which is not installed: pip install 'autograd-lite[draw]'; "
            f".svg and .html need nothing"
        ) from error
    picture = replace(drawing, theme="light" if drawing.theme == "auto" else drawing.theme).svg()
    text = picture.replace(svg.FONTS, "monospace").encode()  # CairoSVG takes the first of several as the only one
    scale = 1.0
    if format == "png":
        width, height = drawing.width, drawing.height
        scale = min(SCALE, LARGEST_SIDE / max(width, height), (LARGEST_AREA / (width * height)) ** 0.5)
        if scale < SMALLEST:
            raise InputValueError(f"the picture is {width:.0f} by {height:.0f}, too large for a .png: save it as .svg or .html")
    with tempfile.TemporaryDirectory() as folder:  # a file, since Ctrl-C while cairo calls Python back would be lost
        path = os.path.join(folder, "picture")
        getattr(cairosvg, f"svg2{format}")(text, scale=scale, write_to=path)
        with open(path, "rb") as file:
            return file.read()


__all__ = ["Drawing", "Options", "content", "make"]
