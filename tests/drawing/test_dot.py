"""Graphviz only helps: present, absent, slow, broken, the picture is there."""

import os
import shutil
import stat
import time
import warnings
import xml.etree.ElementTree as ET

import pytest

from autograd_lite import Value, draw, draw_dot, logsumexp, sin
from autograd_lite.drawing import drawing as module

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")


def root():
    w, x = Value(1.5, "w"), Value(2.0, "x")
    return sin(w * x + 1.0) * w


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Puts a shell script on PATH as `dot`."""

    def put(script):
        path = tmp_path / "dot"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")

    return put


@needs_dot
def test_dot_places_small_pictures():
    drawing = draw(root())
    assert drawing.engine == "dot"
    assert all(card.x >= 0 and card.y >= 0 for card in drawing.nodes)
    ET.fromstring(drawing.svg())


def test_an_empty_path_is_no_reason_to_complain(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawing = draw(root())
    assert drawing.engine == "builtin"
    assert drawing.svg() == draw(root(), engine="builtin").svg()
    assert drawing.html()
    assert drawing.dot().startswith("digraph {")


def test_dot_asked_for_but_absent(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.warns(RuntimeWarning, match="the program 'dot' was not found: the built-in layout was used"):
        drawing = draw(root(), engine="dot")
    assert drawing.engine == "builtin"


def test_a_slow_dot_is_left_behind(fake):
    fake("exec sleep 30")
    expected = draw(root(), engine="builtin").svg()
    start = time.monotonic()
    with pytest.warns(RuntimeWarning, match=r"'dot' took longer than timeout=0.5 s") as seen:
        drawing = draw(root(), timeout=0.5)
    assert time.monotonic() - start < 0.5 + 1
    assert len(seen) == 1
    assert (drawing.engine, drawing.svg()) == ("builtin", expected)


@pytest.mark.parametrize(
    "script",
    [
        "exit 3",
        "cat >/dev/null; echo hello",
        "cat >/dev/null; echo '[]'",
        "cat >/dev/null; echo '{}'",
        "cat >/dev/null; echo 'null'",
        """cat >/dev/null; echo '{"bb": "0,0,1,1", "objects": [{"name": "n0", "pos": "a,b"}]}'""",
        """cat >/dev/null; echo '{"bb": "0,0,1,1", "objects": [], "edges": []}'""",
        "kill -9 $$",
    ],
)
def test_a_broken_dot_is_left_behind(fake, script):
    fake(script)
    with pytest.warns(RuntimeWarning, match="the built-in layout was used"):
        drawing = draw(root())
    assert drawing.svg() == draw(root(), engine="builtin").svg()


def test_large_pictures_do_not_ask_dot(fake):
    fake("exit 3")
    v = Value(0.5, "x")
    for _ in range(module.MOST):
        v = sin(v)
    assert draw(v, fold=False, max_nodes=None).engine == "builtin"


def test_unrolled_loops_do_not_ask_dot(fake):
    """It would take them a minute."""
    fake("exit 3")
    x = Value(0.5, "x")
    v = x
    for _ in range(40):
        v = sin(v) * x
    assert draw(v, fold=False).engine == "builtin"


def test_draw_dot_has_micrograds_signature():
    import graphviz

    graph = draw_dot(root(), format="png", rankdir="TB")
    assert isinstance(graph, graphviz.Digraph)
    assert graph.format == "png"
    assert "rankdir=TB" in graph.source
    assert "n0 -> n2" in graph.source


@needs_dot
def test_draw_dot_renders():
    assert b"<svg" in draw_dot(root()).pipe()


def test_it_takes_no_dot_to_build_a_digraph(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert "v1 = w × x" in draw_dot(root()).source


def likelihood():
    w = [Value(0.1 * i, f"w{i}") for i in range(6)]
    return logsumexp([v * 2.0 for v in w]) - w[2]


def heron():
    a, z = Value(2.0, "a"), Value(1.0, "z")
    for _ in range(4):
        z = z - (z * z - a) / (2.0 * z)
    return z


def points_of(route):
    """Points along cubics."""
    for i in range(0, len(route) - 1, 3):
        for t in (k / 12 for k in range(12)):
            share = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            yield tuple(sum(w * p[k] for w, p in zip(share, route[i : i + 4], strict=True)) for k in (0, 1))


@needs_dot
@pytest.mark.parametrize("make", [likelihood, heron, root])
@pytest.mark.parametrize("rankdir", ["LR", "TB", "BT"])
def test_no_edge_to_the_next_card_turns_back_on_its_way(make, rankdir):
    drawing = draw(make(), name="nll", engine="dot", rankdir=rankdir)
    along = 1 if rankdir in ("TB", "BT") else 0
    way = -1.0 if rankdir == "BT" else 1.0
    for edge in drawing.edges:
        at = [way * point[along] for point in points_of(edge.route)]
        back = max(a - b for i, a in enumerate(at) for b in at[i + 1 :])
        assert back < 12.0, (edge.label, back)
        for x, y in points_of(edge.route):
            for card in drawing.nodes:
                assert not (2.0 < x - card.x < card.width - 2.0 and 2.0 < y - card.y < card.height - 2.0), edge.label
