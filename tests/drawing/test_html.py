"""The page as text: it parses, its policy names its script, and no name gets out of its place.  No browser needed."""

import base64
import hashlib
import html.parser
import json
import re
import subprocess
import sys
from functools import partial

import pytest

from autograd_lite import Value, sin
from autograd_lite.drawing import draw as draw_with
from autograd_lite.drawing import page as page_module
from autograd_lite.drawing.page.document import source, style
from tests.drawing.hostile import HOSTILE

draw = partial(draw_with, engine="builtin")  # the same picture with and without Graphviz

BAD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
VOID = {"meta", "input", "link", "br"}


class Outline(html.parser.HTMLParser):
    """The elements of a page, its texts by element, and whether every tag is closed in turn."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.texts, self.comments = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append((self.open[-1] if self.open else None, data))

    def handle_comment(self, data):
        self.comments.append(data)

    def of(self, tag, **attributes):
        return [a for t, a in self.elements if t == tag and all(a.get(k) == v for k, v in attributes.items())]

    def text(self, tag):
        return [data for t, data in self.texts if t == tag]


def two_paths(x="x", y="y", f="f"):
    a, b = Value(1.2, x), Value(0.7, y)
    out = a * b + sin(a)
    out.name = f
    return out


def many(n=70):
    total = Value(0.0, "start")
    for i in range(n):
        total = total * Value(0.9, f"w{i}")
    return total


def data_of(outline):
    (text,) = [t for t in outline.text("script") if t.startswith("{")]
    assert not set("<>&") & set(text)
    return json.loads(text)


def policy_of(outline):
    (meta,) = outline.of("meta", **{"http-equiv": "Content-Security-Policy"})
    return dict(part.split(" ", 1) for part in meta["content"].split("; "))


def sha256(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@pytest.mark.parametrize("step", [True, False])
@pytest.mark.parametrize("make", [two_paths, many])
def test_page_is_one_closed_document_that_asks_for_nothing(make, step):
    text = page_module.page(draw(make(), fold=False), step)
    outline = Outline(text)
    assert text.startswith("<!doctype html>\n")
    assert [len(outline.of(tag)) for tag in ("html", "head", "body", "svg", "title")] >= [1, 1, 1, 1, 1]
    assert not outline.of("link") + outline.of("img") + outline.of("a") + outline.of("iframe")
    names = {name for _, attributes in outline.elements for name in attributes}
    assert not names & {"href", "xlink:href", "src", "srcset", "action", "style"}
    assert not [name for name in names if name.startswith("on")]
    assert "url(" not in text
    assert "@import" not in text
    ids = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_policy_names_the_script_and_the_styles_and_nothing_else():
    outline = Outline(page_module.page(draw(two_paths())))
    policy = policy_of(outline)
    (script,) = [t for t in outline.text("script") if not t.startswith("{")]
    assert policy == {
        "default-src": "'none'",
        "style-src": " ".join(sha256(style) for style in outline.text("style")),
        "script-src": sha256(script),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert "unsafe" not in str(policy)
    # The policy stands before anything that it governs.
    tags = [tag for tag, _ in outline.elements]
    assert tags.index("meta") < tags.index("style") < tags.index("script")


def test_script_and_style_are_files_of_the_package():
    outline = Outline(page_module.page(draw(two_paths())))
    assert style(source("base.css")) + style(source("graph.css")) in outline.text("style")
    pieces = [source(f"{name}.js") for name in page_module.PIECES]
    for text in pieces:
        assert "</" not in text
        assert len(text.splitlines()) <= 400
        assert not re.findall(
            r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function|fetch\(|XMLHttp|import\(|`", text
        )
    script = "".join(outline.text("script"))
    for words in ("Number.isFinite", "textContent", "createElementNS"):
        assert words in script
    assert "//" not in re.sub(r'"[^"\n]*"', "", script.partition("use strict")[2])


def test_steps_are_the_values_then_the_moves():
    drawing = draw(two_paths())
    (data,) = data_of(Outline(page_module.page(drawing)))["views"]
    forward, back = data["steps"][:3], data["steps"][3:]
    assert [step["card"] for step in forward] == [2, 3, 4]
    assert len(back) == len(drawing.steps) == 6
    for given, move in zip(back, drawing.steps, strict=True):
        assert (given.get("edge"), given["card"], given.get("row"), given["source"]) == (
            move.edge,
            move.card,
            move.row,
            move.source,
        )
    texts = [[part for part in step["line"] if isinstance(part, str)] for step in back]
    assert ["df/dx: ", " (through sin)", " (first factor)", " = "] in texts
    assert data["end"][0] == "Done: "


def test_every_element_a_step_names_is_in_the_picture():
    for options in ({"fold": False}, {"fold": True}):
        outline = Outline(page_module.page(draw(many(20) + two_paths(), **options)))
        data = data_of(outline)["views"][0]
        ids = {attributes.get("id") for _, attributes in outline.elements}
        for step in data["steps"]:
            row = "" if step.get("row") is None else f"-r{step['row']}"
            assert f"{data['prefix']}-n{step['card']}{row}" in ids
            assert f"{data['prefix']}-n{step.get('source', step['card'])}" in ids
            assert step.get("edge") is None or f"{data['prefix']}-e{step['edge']}" in ids


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("where", ["leaf", "result", "root", "title", "params"])
def test_hostile_names_stay_text(name, where):
    heading = None if (where, name) == ("title", "") else "t"
    plain = [tag for tag, _ in Outline(page_module.page(draw(two_paths(), title=heading))).elements]
    x, y, title, params = Value(1.2, "x"), Value(0.7, "y"), "t", None
    product = x * y
    root = product + sin(x)
    root.name = "f"
    if where == "title":
        title = name
    elif where == "params":
        params = {name: x}
    else:
        {"leaf": x, "result": product, "root": root}[where].name = name
    drawing = draw(root, title=title, params=params)
    text = page_module.page(drawing)
    text.encode()  # no lone surrogates
    assert not BAD.search(text)
    outline = Outline(text)
    assert [tag for tag, _ in outline.elements] == plain  # not one element more or fewer
    assert not outline.comments
    names = {name for _, attributes in outline.elements for name in attributes}
    assert not [name for name in names if name.startswith("on") or name in ("href", "src", "style")]
    strings = json.dumps(data_of(outline), ensure_ascii=False)
    assert not BAD.search(strings)
    # The same once more inside the frame of a notebook.
    (frame,) = Outline(page_module.iframe(drawing)).of("iframe")
    assert frame["srcdoc"] == text


def test_hostile_names_reach_the_search_as_text():
    total = many(70)
    for name in HOSTILE.values():
        total = total + Value(1.0, name)
    data = data_of(Outline(page_module.page(draw(total, fold=False))))
    assert not BAD.search(json.dumps(data, ensure_ascii=False))
    assert any("</script>" in name for names in data["names"] for name in names)


def test_frame_is_sandboxed():
    drawing = draw(two_paths())
    outline = Outline(page_module.iframe(drawing))
    ((tag, attributes),) = outline.elements
    assert tag == "iframe"
    assert attributes["sandbox"] == "allow-scripts"
    assert attributes["srcdoc"] == page_module.page(drawing)
    assert attributes["title"]
    assert 200 <= int(attributes["height"]) <= 760


def test_without_steps_there_are_pan_and_zoom_only():
    outline = Outline(page_module.page(draw(two_paths()), step=False))
    ids = {attributes.get("id") for _, attributes in outline.elements}
    assert {"in", "out", "whole", "stage"} <= ids
    assert not {"first", "play", "slider", "line", "query"} & ids
    assert data_of(outline)["views"][0]["steps"] == []


def test_pictures_without_gradients_have_no_steps_that_would_show_nothing():
    for drawing in (draw(Value(3.0, "x")), draw(two_paths(), grad=None)):
        Outline(page_module.page(drawing))


@pytest.mark.parametrize(("cards", "searched"), [(60, False), (61, True)])
def test_search_comes_with_more_than_sixty_cards(cards, searched):
    total = Value(0.0, "start")
    while len(draw(total, fold=False).nodes) < cards:
        total = sin(total)
    drawing = draw(total, fold=False)
    assert len(drawing.nodes) == cards
    outline = Outline(page_module.page(drawing))
    assert bool(outline.of("input", id="query")) is searched
    assert len(data_of(outline).get("names", [])) == cards * searched


@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_theme_is_on_the_page(theme):
    (root,) = Outline(page_module.page(draw(two_paths(), theme=theme))).of("html")
    assert root["data-theme"] == theme


def test_two_runs_give_the_same_bytes():
    code = (
        "import sys; from autograd_lite import Value, sin; from autograd_lite.drawing import draw\n"
        "x, y = Value(1.2, 'x'), Value(0.7, 'y'); f = x * y + sin(x); f.name = 'f'\n"
        "sys.stdout.reconfigure(encoding='utf-8', newline=''); sys.stdout.write(draw(f, engine='builtin').html())"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)]
    assert runs[0] == runs[1]
    assert page_module.page(draw(two_paths())) == page_module.page(draw(two_paths()))
