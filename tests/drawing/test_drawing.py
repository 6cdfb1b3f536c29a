"""What a Drawing can do: show itself in a notebook, be saved, say what it is."""

import shutil
from pathlib import Path

import pytest

from autograd_lite import Value, draw, sin
from autograd_lite.errors import AutogradError, InputValueError, MissingProgramError


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


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_pictures_that_take_dot(tmp_path):
    drawing().save(tmp_path / "a.png")
    drawing().save(tmp_path / "a.pdf")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_without_dot_a_png_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        MissingProgramError, match=r"a \.png file takes Graphviz's program 'dot': apt-get install graphviz"
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
    assert list(bundle) == ["text/html", "image/svg+xml", "text/plain"]
    assert bundle["text/html"] == bundle["image/svg+xml"] == picture.svg()
    assert bundle["text/plain"] == "<Drawing of result: 3 nodes, 2 edges>"


def test_a_value_draws_itself():
    v = sin(Value(0.5, "x"))
    assert v.draw(engine="builtin", theme="dark").svg() == draw(v, engine="builtin", theme="dark").svg()


def test_the_stepper_shows_itself_in_a_notebook_inside_a_sandbox() -> None:
    w = Value(2.0, "w")
    frame = draw(w * w).stepper()._repr_html_()
    assert frame.startswith('<iframe sandbox="allow-scripts"')
    assert "&lt;svg" in frame
    assert "<svg" not in frame
