"""Colours and style rules of the pictures: literal colours, since some viewers do not know CSS variables.  Imports nothing."""

from __future__ import annotations

FONTS = 'ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace'

# background, text, muted text, card, border, parameter, root, positive, negative, bad, positive text, negative text
LIGHT = ("#ffffff", "#1b1f24", "#57606a", "#f6f8fa", "#8c959f", "#1a7f37", "#1b1f24", "#e07b1a", "#2f81d6", "#cf222e")
DARK = ("#0d1117", "#e6edf3", "#9198a1", "#161b22", "#6e7681", "#3fb950", "#e6edf3", "#d98324", "#388bfd", "#ff7b72")


def rules(p: str, theme: str) -> str:
    """The style rules of a picture whose classes start with `p`; theme is auto, light or dark."""
    first = _colours(p, DARK if theme == "dark" else LIGHT)
    other = f"@media (prefers-color-scheme:dark){{{_colours(p, DARK)}}}\n" if theme == "auto" else ""
    return f"\n{_shapes(p)}{first}{other}"


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
