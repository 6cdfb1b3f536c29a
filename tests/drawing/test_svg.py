"""The SVG: well formed, self-contained, the same bytes every time, and told apart from others on one page."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from autograd_lite import Value, draw, log, nn, sin
from autograd_lite.drawing import svg

PROGRAM = """
from autograd_lite import Value, draw, nn
m = nn.MLP(2, [5, 4, 1], seed=0)
L = (m([Value(1.0, "x0"), Value(2.0, "x1")]) - 1.0) ** 2
for options in ({}, {"fold": True}, {"fold": True, "rankdir": "TB", "theme": "dark"}):
    d = draw(L, params=m, engine="builtin", **options)
    print(d.svg(), d.svg(animate=True), d.html(), d.dot())
"""


def squared_error(**options):
    w, x, b, y = Value(1.5, "w"), Value(2.0, "x"), Value(0.5, "b"), Value(5.0, "y")
    loss = (w * x + b - y) ** 2
    loss.name = "L"
    return draw(loss, engine="builtin", params={"w": w, "b": b}, **options)


def pictures():
    model = nn.MLP(2, [4, 3, 1], seed=0)
    out = model([Value(1.0, "x0"), Value(2.0, "x1")])
    x = Value(-1.0, "x")
    yield squared_error()
    yield squared_error(title="A title", theme="dark")
    yield draw(out, engine="builtin", params=model, fold=True)
    yield draw(out, engine="builtin", params=model, fold=False, rankdir="TB")
    yield draw(log(x) * x, engine="builtin", theme="light")
    yield draw(x, engine="builtin", grad=None)


@pytest.mark.parametrize("drawing", list(pictures()), ids=repr)
@pytest.mark.parametrize("animate", [False, True])
def test_every_picture_is_good_svg(drawing, animate):
    text = drawing.svg(animate=animate)
    root = ET.fromstring(text)
    assert "var(" not in text
    assert "href" not in text
    assert "url(" not in text
    assert "@import" not in text
    assert 'style="' not in text
    assert root.get("role") == "img"
    assert [child.tag.partition("}")[2] for child in root][:4] == ["title", "desc", "style", "rect"]
    assert ("prefers-color-scheme" in text) == (drawing.theme == "auto")
    prefix = drawing.prefix + ("a" if animate and drawing.steps else "")
    for element in root.iter():
        assert element.get("id", prefix).startswith(prefix)
        assert all(name.startswith(prefix) for name in element.get("class", "").split())
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for selectors in re.findall(r"([^{}]+)\{", root[2].text):
        for one in selectors.split(","):
            known = one.strip().startswith((f".{prefix}", f"#{prefix}", f"@keyframes {prefix}-", "@media (prefers-"))
            assert known or re.fullmatch(r"[\d.]+%", one), one


def test_ids_as_agreed():
    drawing = squared_error()
    p, text = drawing.prefix, drawing.svg()
    for card in drawing.nodes:
        assert f'<g id="{p}-n{card.index}" class="{p}-n {p}-{card.kind}">' in text
    for edge in drawing.edges:
        assert f'<g id="{p}-e{edge.index}" class="{p}-e {p}-{edge.sign}">' in text
        assert f'<g id="{p}-l{edge.index}" class="{p}-l">' in text
    assert text.count(f'class="{p}-grad ') == len(drawing.nodes)


def test_the_description_has_the_gradients():
    root = ET.fromstring(squared_error().svg())
    assert root[0].text == "Chain-rule graph of L"
    gradients, _, legend = root[1].text.partition(" Cards are ")
    assert gradients == "8 nodes, 7 edges; L = 2.25. dL/dw = −6; dL/dx = −4.5; dL/db = −3; dL/dy = 3."
    words = ["arrows carry factors", "Orange", "blue", "red", "stronger", "wider", "green border", "dashed", "dark"]
    assert [word for word in words if word not in legend] == []


def test_numbers_have_four_digits_and_a_real_minus_and_tooltips_all_of_them():
    text = draw(sin(Value(-1 / 3, "x")), engine="builtin").svg()
    shown = re.findall(r"<text[^>]*>([^<]*)</text>", text)
    assert "−0.3333" in shown
    assert not [t for t in shown if "-" in t]
    assert "value = -0.3333333333333333" in text


def test_pictures_have_prefixes_of_their_own():
    assert len({drawing.prefix for drawing in pictures()}) == 6
    assert squared_error().prefix == squared_error().prefix


def test_the_same_bytes_in_every_process():
    seen = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, check=True)
        seen.add(done.stdout)
    assert len(seen) == 1
    assert len(seen.pop()) > 10_000


def test_text_fits_its_card():
    """By the widest of the usual monospace fonts, DejaVu Sans Mono: 0.602 em a character."""
    for drawing in pictures():
        prefix = drawing.prefix
        root = ET.fromstring(drawing.svg())
        for card in drawing.nodes:
            group = next(g for g in root.iter() if g.get("id") == f"{prefix}-n{card.index}")
            for text in group.iter("{http://www.w3.org/2000/svg}text"):
                size = 11 if f"{prefix}-cell" in text.get("class") else 12
                long, x = len(text.text) * 0.602 * size, float(text.get("x"))
                start = {"middle": x - long / 2, "end": x - long}.get(text.get("text-anchor"), x)
                assert card.x < start
                assert start + long < card.x + card.width


def test_coordinates():
    assert [svg.number(x) for x in (1.04, 1.06, -0.04, 10.0, -3.25)] == ["1", "1.1", "0", "10", "-3.2"]


def test_animation_rests_where_motion_is_unwanted():
    drawing = squared_error()
    text = drawing.svg(animate=True)
    assert text.count("@keyframes") >= len(drawing.steps) - 1
    assert "@media (prefers-reduced-motion:no-preference){" in text
    outside = text.partition("@media (prefers-reduced-motion")[0]
    assert "animation" not in outside
    assert text.count("-was ") >= len(drawing.nodes)
    assert drawing.svg() == squared_error().svg()  # asking for one leaves the other as it was
