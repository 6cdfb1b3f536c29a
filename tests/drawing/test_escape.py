"""Hostile names in every format: what comes out is well formed and holds nothing but text."""

import html
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest

from autograd_lite import Value, draw, draw_dot
from autograd_lite.drawing.dot import quoted
from autograd_lite.drawing.page.document import script
from autograd_lite.drawing.svg import xml
from autograd_lite.formula.notation import clean

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</title></svg><img src=x onerror=alert(1)>",
    "<!--",
    "]]>",
    "]]><!ENTITY x SYSTEM 'file:///etc/passwd'>",
    "&lt;b&gt; &amp; &#x3c;",
    '" onload="alert(1)',
    "' onload='alert(1)",
    "javascript:alert(1)",
    '"; URL="javascript:alert(1)',
    '"] n9 [label="planted',
    "<<b>bold</b>>",
    "<b>bold</b>",
    "{a|b|{c|d}}",
    "port:ne",
    "n0:w:c",
    "\\N \\G \\E \\l \\r \\",
    "ends in \\",
    'ends in \\"',
    "{0} {out} {x!r} %s",
    "a\nb\r\nc\td",
    "\x00null",
    "\x1b[31mred",
    "\ud800 lone \udfff",
    "\u202eright to left\u2066\u2069",
    "\ufffe\uffff\x85\u2028\u2029",
    "e" + "\u0301" * 60,
    "学习率",
    "😀",
    " ",
    "x" * 5000,
    "${7*7} {{7*7}}",
    "--></style><style>*{display:none}",
    "__proto__",
]


def picture(name, **options):
    v = Value(1.5, name)
    return draw((v * 2.0 + v).sin(), engine="builtin", **options)


@pytest.mark.parametrize("name", HOSTILE)
def test_svg_is_xml_and_the_name_is_text(name):
    for text in (picture(name).svg(), picture(name, params={name: Value(0.0)}).svg(animate=True)):
        root = ET.fromstring(text)
        tags = {element.tag.partition("}")[2] for element in root.iter()}
        assert tags <= {"svg", "title", "desc", "style", "rect", "g", "path", "text"}
        attributes = {key for element in root.iter() for key in element.attrib}
        assert not [key for key in attributes if key.startswith("on") or "href" in key]
        text.encode("utf-8")
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]", text)
    heads = [e.text for e in ET.fromstring(picture(name).svg()).iter() if e.get("class", "").endswith("-head")]
    assert heads[0] == clean(name)


@pytest.mark.parametrize("name", HOSTILE)
def test_dot_text_has_quoted_strings_only(name):
    text = picture(name).dot()
    left = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)  # what stands outside of quoted strings
    assert re.fullmatch(r'digraph \{(?:\s|[A-Za-z0-9_=\[\]]|""|->)*\}\n', left), left
    text.encode("utf-8")
    if shutil.which("dot"):
        for source in (text, draw_dot((Value(1.5, name) * 2.0).sin()).source):
            done = subprocess.run(["dot", "-Tjson"], input=source.encode(), capture_output=True, check=False)
            assert (done.returncode, done.stderr) == (0, b"")
            nodes = json.loads(done.stdout)["objects"]
            assert [node["name"] for node in nodes] == [f"n{i}" for i in range(len(nodes))]
            assert not [key for node in nodes for key in node if key.lower() in ("url", "href", "image")]
            assert html.unescape(nodes[0]["label"].replace("\\\\", "\\")).partition("\\n")[0] == clean(name)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_in_a_script_element_stay_data(name):
    text = script([name])
    assert json.loads(text) == [name]
    assert not set("<>&\u2028\u2029") & set(text)
    assert text.isascii()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_title_is_text_too(name):
    root = ET.fromstring(picture("x", title=name).svg())
    assert root[0].text == clean(name, 200)


def test_names_are_cut_to_40_characters_and_1000_in_tooltips():
    drawing = picture("x" * 5000)
    assert drawing.nodes[0].name == "x" * 39 + "…"
    assert drawing.nodes[0].full_name == "x" * 999 + "…"
    assert len(drawing.nodes[0].tooltip) < 1200


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("a&b", '"a&amp;b"'),
        ("&amp;", '"&amp;amp;"'),
        ("<b>", '"&lt;b&gt;"'),
        ('"', '"&quot;"'),
        ("\\", '"\\\\"'),
        ("\\N", '"\\\\N"'),
        ("a\nb", '"a\\nb"'),
        ("\x00\x1b\ud800\u202e", '"\ufffd\ufffd\ufffd\ufffd"'),
    ],
)
def test_dot_strings(given, wanted):
    assert quoted(given) == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("a&b", "a&amp;b"),
        ("&amp;", "&amp;amp;"),
        ("<>\"'", "&lt;&gt;&quot;&#39;"),
        ("a\nb", "a\nb"),
        ("\x00\x0b\ud800\u202e\u2069\uffff", "\ufffd" * 6),
    ],
)
def test_xml_text(given, wanted):
    assert xml(given) == wanted
