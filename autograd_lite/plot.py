"""Pictures of training: a loss curve, and the path of gradient descent over a function of one or two weights.

Needs the extra `plot` (matplotlib), which is imported when a picture is asked for.  Each function gives back a matplotlib
`Figure` of its own: pyplot and its global state are not touched, and a notebook shows the figure by itself.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from os import PathLike, fspath
from os.path import splitext
from typing import TYPE_CHECKING, Any

from .errors import InputTypeError, InputValueError, MissingPackageError, counted
from .files import check_writable, write_atomically
from .interrupt import deferred_interrupt
from .tree import Number, as_float
from .value import Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes  # type: ignore[import-not-found,unused-ignore]
    from matplotlib.figure import Figure  # type: ignore[import-not-found,unused-ignore]


__all__ = ["check_picture", "plot_descent", "plot_history"]

LOG_FROM = 50.0  # how many times the largest loss exceeds the smallest before the scale turns logarithmic
MARKED = 80  # points of a path that are marked one by one
SUFFIXES = (".svg", ".png", ".pdf")
History = Any  # what has a `history`, as the results of fits have
BLUE, ORANGE = "#1f6fc4", "#c4560c"  # told apart by colour-blind readers too


@deferred_interrupt()  # matplotlib would lose it in its weak references
def plot_history(result: History | Iterable[float | tuple[int, float]], *, path: str | PathLike[str] | None = None) -> Figure:
    """The loss against the step, on a logarithmic scale where it falls over more than a factor of 50.

        figure = plot_history([9.0, 4.0, 1.0])
        plot_history(result, path="loss.svg")

    Args:
        result: the losses in order, or an object whose ``.history`` is a list of losses or of (step, loss) pairs.
        path: where to save the picture; the suffix says how: .png .svg .pdf.

    Losses that are nan or infinite leave a gap, and the first is marked.  Raises ImportError without matplotlib,
    InputValueError for an empty history or another suffix, InputTypeError for what is neither, OSError as `open` does.
    """
    _suffix(path)
    steps, losses = _history(result)
    figure, axes = _figure()
    finite = [loss for loss in losses if math.isfinite(loss)]
    marker = "o" if len(losses) <= MARKED else ""
    axes.plot(steps, [y if math.isfinite(y) else math.nan for y in losses], color=BLUE, marker=marker, markersize=3.5)
    if finite and min(finite) > 0.0 and max(finite) > LOG_FROM * min(finite):
        axes.set_yscale("log")
    if len(finite) < len(losses):
        first, bad = next((s, y) for s, y in zip(steps, losses, strict=True) if not math.isfinite(y))
        axes.axvline(first, color=ORANGE, linestyle="--", label=f"the loss is {bad} at step {first:g}")
        axes.legend()
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    if all(step % 1.0 == 0.0 for step in steps):
        from matplotlib.ticker import MaxNLocator

        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return finished(figure, path)


@deferred_interrupt()
def plot_descent(
    f: Callable[..., Number],
    path: Iterable[Number | Sequence[Number]],
    *,
    names: Sequence[str] | None = None,
    limits: Sequence[tuple[float, float]] | None = None,
    levels: int = 14,
    grid: int = 61,
    title: str | None = None,
    save: str | PathLike[str] | None = None,
) -> Figure:
    """The path of gradient descent over the contours of a function of two weights; over its curve, for one weight.

        path = [(4.0, 1.0), (2.0, 0.8), (1.0, 0.7)]
        figure = plot_descent(lambda w, b: w * w + b * b, path, names=("w", "b"))

    Args:
        f: the function that was descended, called with one number for each weight: ``f(w, b)``.
        path: the points in order: pairs, or single numbers.  Values may stand for numbers.
        names: what the weights are called on the axes.
        limits: (low, high) for each weight; by default the path and a margin around it.
        levels: how many contours, closer together towards the bottom.
        grid: at how many numbers along each axis f is asked.
        title: a line above the picture.
        save: where to save the picture; the suffix says how: .png .svg .pdf.

    Where f is nan, infinite, or raises an ArithmeticError or ValueError, the picture stays empty.
    Raises ImportError without matplotlib, InputValueError for a path without points, of three weights and more, or another
    suffix; OSError as `open` does.
    """
    _suffix(save)
    points, weights = _path_points(path)
    if grid < 2 or levels < 2:
        raise InputValueError(f"grid={grid} and levels={levels}: both must be at least 2")
    for what, given in (("names", names), ("limits", limits)):
        if given is not None and len(given) != weights:
            raise InputValueError(f"{what}={given!r} has {len(given)} entries for {counted(weights, 'weight')}: one each")
    names = names or (("w",) if weights == 1 else ("w0", "w1"))
    limits = limits or _around([p for p in points if all(map(math.isfinite, p))])
    figure, axes = _figure()
    if weights == 1:
        _curve(axes, f, points, limits[0], grid)
    else:
        _contours(axes, f, points, limits, grid, levels)
    axes.set_xlabel(names[0])
    axes.set_ylabel("f" if weights == 1 else names[1])
    axes.set_xlim(*limits[0])
    if weights == 2:
        axes.set_ylim(*limits[1])
    if title is not None:
        axes.set_title(title)
    axes.legend(loc="best", framealpha=0.9)
    return finished(figure, save)


def check_picture(path: str | PathLike[str]) -> None:
    """Raise what saving a picture at `path` would, before there is one: another suffix, no such folder, no matplotlib.

    >>> check_picture("loss.foo")
    Traceback (most recent call last):
    autograd_lite.errors.InputValueError: path='loss.foo' must end in .svg, .png or .pdf
    """
    _suffix(path)
    check_writable(path)
    _figure()


# -- the two pictures of a descent ------------------------------------------------------------------------------------


def _curve(
    axes: Axes,
    f: Callable[..., Number],
    points: list[tuple[float, ...]],
    limits: tuple[float, float],
    grid: int,
) -> None:
    """f against its one weight, and the points of the path on it."""
    low, high = limits
    xs = sorted({*_ticks_between(limits, 4 * grid), *(p[0] for p in points if low <= p[0] <= high)})
    ys = [_height_at(f, x) for x in xs]
    _some(ys, [limits])
    axes.plot(xs, ys, color="#8c959f", zorder=1, label="_f")
    _draw_path(axes, [p[0] for p in points], [_height_at(f, *p) for p in points], [_height_at(f, *p) for p in points])


def _contours(
    axes: Axes,
    f: Callable[..., Number],
    points: list[tuple[float, ...]],
    limits: Sequence[tuple[float, float]],
    grid: int,
    levels: int,
) -> None:
    """Lines of equal f over its two weights, and the path across them."""
    import numpy as np  # comes with matplotlib

    xs, ys = _ticks_between(limits[0], grid), _ticks_between(limits[1], grid)
    heights = np.ma.masked_invalid([[_height_at(f, x, y) for x in xs] for y in ys])
    _some(heights.compressed().tolist(), limits)
    low, high = float(heights.min()), float(heights.max())
    if high > low:
        # Equal steps in the root of the height: evenly spaced rings on a quadratic bowl, whatever its scale.
        rings = [low + (high - low) * (k / levels) ** 2 for k in range(1, levels)]
        lines = axes.contour(xs, ys, heights, levels=sorted(set(rings)), cmap="viridis", linewidths=1.0, zorder=1)
        axes.clabel(lines, list(lines.levels)[1::3], fmt=lambda height: f"{height:.3g}", fontsize=8)
    _draw_path(axes, [p[0] for p in points], [p[1] for p in points], [_height_at(f, *p) for p in points])


def _draw_path(axes: Axes, xs: list[float], ys: list[float], heights: list[float]) -> None:
    """The path, its first and its last point."""
    marker = "o" if len(xs) <= MARKED else ""
    label = f"{counted(len(xs) - 1, 'step')}"
    axes.plot(xs, ys, color=ORANGE, marker=marker, markersize=3.5, linewidth=1.3, zorder=3, label=label)
    ends = [(0, "start", "white"), (len(xs) - 1, "end", ORANGE)]
    for i, name, fill in ends if len(xs) > 1 else ends[:1]:
        style: dict[str, Any] = {"color": fill, "markeredgecolor": ORANGE, "markeredgewidth": 1.5}
        axes.plot([xs[i]], [ys[i]], "o", markersize=8, zorder=4, linestyle="", label=f"{name}: f = {heights[i]:.4g}", **style)


# -- data in, figure out ----------------------------------------------------------------------------------------------


def _as_height(x: object, what: str) -> float:
    return x.data if isinstance(x, Value) else as_float(x, what)


def _is_sequence(x: object) -> bool:
    return hasattr(x, "__iter__") and not isinstance(x, (str, bytes, Value)) and getattr(x, "shape", None) != ()


def _history(result: History | Iterable[float | tuple[int, float]]) -> tuple[list[float], list[float]]:
    """Steps and losses, from whatever holds them."""
    entries = getattr(result, "history", result)
    if not _is_sequence(entries):
        raise InputTypeError(f"result={result!r} must be a list of losses, or have one as .history: plot_history([9.0, 4.0])")
    steps, losses = [], []
    for i, entry in enumerate(entries):
        pair = tuple(entry) if _is_sequence(entry) else (i, entry)
        if len(pair) != 2:
            raise InputValueError(f"history[{i}]={entry!r} must be a loss or a pair (step, loss)")
        steps.append(_as_height(pair[0], f"step of history[{i}]"))
        losses.append(_as_height(pair[1], f"loss of history[{i}]"))
    if not losses:
        raise InputValueError("the history is empty, and a curve needs a loss: record loss.data at every step")
    return steps, losses


def _path_points(path: Iterable[Number | Sequence[Number]]) -> tuple[list[tuple[float, ...]], int]:
    """The points of a path as tuples, and how many weights each has."""
    points: list[tuple[float, ...]] = []
    for i, point in enumerate(path):
        entries = tuple(point) if _is_sequence(point) else (point,)
        points.append(tuple(_as_height(x, f"path[{i}]") for x in entries))
        if not 1 <= len(entries) <= 2 or len(entries) != len(points[0]):
            raise InputValueError(
                f"path[{i}]={point!r} must be one number or two, as many in every point: choose two weights to show"
            )
    if not any(all(map(math.isfinite, point)) for point in points):
        raise InputValueError(f"path has {len(points)} points, none of them finite: give at least one point to draw")
    return points, len(points[0])


def _around(points: list[tuple[float, ...]]) -> list[tuple[float, float]]:
    """The box of the points with a margin; an axis along which they hardly move gets part of the other's length."""
    columns = list(zip(*points, strict=True))
    lengths = [max(column) - min(column) for column in columns]
    longest = max(lengths) or max(1.0, *(abs(x) for x in points[0]))
    limits = []
    for column, length in zip(columns, lengths, strict=True):
        centre = min(column) + length / 2
        half = 0.65 * max(length, 0.02 * longest) if length > 0.0 else 0.4 * longest
        limits.append((centre - half, centre + half))
    return limits


def _ticks_between(limits: tuple[float, float], count: int) -> list[float]:
    low, high = limits
    return [low + (high - low) * i / (count - 1) for i in range(count)]


def _height_at(f: Callable[..., Number], *point: float) -> float:
    """f at a point, nan where it has no finite value."""
    try:
        height = _as_height(f(*point), f"result of {getattr(f, '__name__', 'f')}")
    except InputTypeError:
        raise
    except (ArithmeticError, ValueError):
        return math.nan
    return height if math.isfinite(height) else math.nan


def _some(heights: list[float], limits: Sequence[tuple[float, float]]) -> None:
    if not any(map(math.isfinite, heights)):
        raise InputValueError(f"f has no finite value anywhere within limits={list(limits)}: choose limits inside its domain")


def _figure() -> tuple[Figure, Axes]:
    figure, axes = canvas([["all"]], (6.4, 4.4))
    return figure, axes["all"]


def canvas(
    panels: list[list[str]], size: tuple[float, float], path: str | PathLike[str] | None = None
) -> tuple[Figure, dict[str, Axes]]:
    """An empty figure of panels by name, in inches, that can be saved at `path`; see `Figure.subplot_mosaic`."""
    _suffix(path)
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPackageError("plots need matplotlib, which is not installed: pip install 'autograd-lite[plot]'") from error
    figure = Figure(figsize=size, layout="constrained")
    axes: dict[str, Axes] = figure.subplot_mosaic(panels)  # type: ignore[arg-type,unused-ignore]
    for panel in axes.values():
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(True, color="#d8dee4", linewidth=0.6)
        panel.set_axisbelow(True)
    return figure, axes


def _suffix(path: str | PathLike[str] | None) -> str:
    suffix = ".svg" if path is None else splitext(fspath(path))[1].lower()
    if suffix not in SUFFIXES:
        raise InputValueError(f"path={path and fspath(path)!r} must end in .svg, .png or .pdf")
    return suffix


def finished(figure: Figure, path: str | PathLike[str] | None) -> Figure:
    """The figure, saved at `path` if there is one."""
    if path is not None:
        picture = BytesIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"Glyph .* missing from")  # a name in another script is drawn as boxes
            figure.savefig(picture, format=_suffix(path)[1:], dpi=150)
        write_atomically(path, picture.getvalue())
    return figure
