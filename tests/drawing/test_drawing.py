"""What a Drawing can do: show itself in a notebook, be saved, say what it is."""

import base64
import struct
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from autograd_lite import Value, draw, sin
from autograd_lite.errors import AutogradError, InputValueError, MissingPackageError


def drawing():
    return draw(sin(Value(0.5, "x")) * 2.0, engine="builtin")


def test_saved_by_suffix(tmp_path):
    picture = drawing()
    for suffix, text in ((".svg", picture.svg()), (".html", picture.html()), (".dot", picture.dot()), (".gv", picture.dot())):
        for path in (tmp_path / f"a{suffix}", str(tmp_path / f"b{suffix.upper()}")):
            picture.save(path)
            assert Path(path).read_text("utf-8") == text
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "a.dot",
        "a.gv",
        "a.html",
        "a.svg",
        "b.DOT",
        "b.GV",
        "b.HTML",
        "b.SVG",
    ]


def test_pictures_of_other_kinds(tmp_path):
    pytest.importorskip("cairosvg", reason="CairoSVG is not installed, which the extra 'draw' brings")
    for suffix, start in ((".png", b"\x89PNG"), (".pdf", b"%PDF")):
        drawing().save(tmp_path / f"a{suffix}")
        assert (tmp_path / f"a{suffix}").read_bytes().startswith(start)
    width, height = struct.unpack(">II", (tmp_path / "a.png").read_bytes()[16:24])
    assert (width, height) == pytest.approx((2 * drawing().width, 2 * drawing().height), abs=1)


def test_without_cairosvg_a_png_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cairosvg", None)
    with pytest.raises(
        MissingPackageError, match=r"a \.png file takes CairoSVG, which is not installed: pip install 'autograd-lite\[draw\]'"
    ) as caught:
        drawing().save(tmp_path / "a.png")
    assert isinstance(caught.value, AutogradError)
    assert list(tmp_path.iterdir()) == []


def test_other_suffixes(tmp_path):
    for name in ("a.jpeg", "a", ".svg.bak"):
        with pytest.raises(InputValueError, match=r"must end in \.svg"):
            drawing().save(tmp_path / name)


def test_a_save_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.svg"
    path.write_text("old")
    picture = drawing()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        picture.save(path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.svg"]


def test_in_a_notebook():
    picture = drawing()
    bundle = picture._repr_mimebundle_()
    assert list(bundle) == ["text/html", "text/plain"]  # one copy
    start, data = bundle["text/html"].split("data:image/svg+xml;base64,")
    assert start == '<img alt="Chain-rule graph of result" src="'
    assert base64.b64decode(data.removesuffix('">')).decode() == picture.svg()
    assert bundle["text/plain"] == "<Drawing of result: 3 nodes, 2 edges>"


def test_a_value_draws_itself():
    v = sin(Value(0.5, "x"))
    assert v.draw(engine="builtin", theme="dark").svg() == draw(v, engine="builtin", theme="dark").svg()


def test_the_stepper_shows_itself_in_a_notebook_inside_a_sandbox() -> None:
    w = Value(2.0, "w")
    frame = draw(w * w).stepper()._repr_html_()
    image, _, frame = frame.partition("<iframe ")
    assert "data:image/svg+xml;base64," in image  # what a notebook shows that does not trust the frame
    assert 'sandbox="allow-scripts"' in frame
    assert "&lt;svg" in frame
    assert "<svg" not in frame


def test_a_png_is_never_larger_than_can_be_drawn(tmp_path):
    pytest.importorskip("cairosvg", reason="CairoSVG is not installed, which the extra 'draw' brings")
    picture = draw(Value(1.0, "x") * 2.0)
    large = replace(picture, width=50_000.0, height=40.0)
    large.save(tmp_path / "large.png")
    width, height = (int.from_bytes((tmp_path / "large.png").read_bytes()[at : at + 4], "big") for at in (16, 20))
    assert (width, height) == (30_000, 24)
    with pytest.raises(InputValueError, match=r"the picture is 500000 by 40, too large for a .png: save it as .svg or .html"):
        replace(picture, width=500_000.0, height=40.0).save(tmp_path / "huge.png")
