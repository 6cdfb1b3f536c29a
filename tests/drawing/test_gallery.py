"""The pictures of the gallery: their geometry, and those that are kept in the repository, byte for byte."""

import importlib
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from autograd_lite.drawing.model import LABEL

DEMOS = Path(__file__).resolve().parents[2] / "demos"


def gallery():
    return importlib.import_module("demos.gallery")


def test_the_picture_in_the_readme_is_the_one_the_gallery_draws():
    kept = (DEMOS / "squared_error.svg").read_text("utf-8")
    assert gallery().squared_error().svg() == kept, "run: python demos/gallery.py FOLDER && cp FOLDER/squared_error.svg demos/"


KEPT = Path(__file__).resolve().parents[1] / "data" / "gallery"


@pytest.mark.parametrize("name", ["slope", "weights", "valley"])
def test_the_pictures_of_the_notes_are_those_that_are_kept(name):
    assert gallery().LIVE[f"{name}.html"]().svg() == (KEPT / f"{name}.svg").read_text("utf-8")


def test_the_numbers_of_the_seven_cars_are_those_that_are_kept(tmp_path):
    gallery().cars(tmp_path / "cars.html")
    text = (tmp_path / "cars.html").read_text("utf-8")
    data = json.loads(re.search(r'id="data">(.*?)</script>', text)[1])
    kept = json.loads((KEPT / "cars.json").read_text("utf-8"))
    assert {key: data[key] for key in ("names", "target", "features", "columns", "rows")} == kept["page"]
    assert [step for step, _ in data["way"]] == list(range(301))
    for step, weights, loss in kept["steps"]:  # those of descent by hand, in NumPy
        assert data["way"][step][1] == pytest.approx(weights, rel=1e-9, abs=1e-12)
        assert data["losses"][step] == [step, pytest.approx(loss, rel=1e-9)]


def test_it_writes_its_files(tmp_path, capsys):
    gallery().main(tmp_path / "new")
    names = ["network.svg", "neuron.svg", "slope.html", "squared_error.svg", "stepper.html", "two_paths.svg"]
    names = sorted([*names, "cars.html", "valley.html", "weights.html"])
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == names
    for name, live in gallery().LIVE.items():
        assert (tmp_path / "new" / name).read_text("utf-8") == live().html()
    gallery().cars(tmp_path / "again.html")
    assert (tmp_path / "new" / "cars.html").read_text("utf-8") == (tmp_path / "again.html").read_text("utf-8")
    printed = capsys.readouterr().out
    assert [name for name in names if str(tmp_path / "new" / name) not in printed] == []
    for name in names:
        if name.endswith(".svg"):
            ET.parse(tmp_path / "new" / name)


@pytest.mark.parametrize("name", ["squared_error", "neuron", "two_paths", "network"])
def test_nothing_overlaps(name):
    drawing = getattr(gallery(), name)()
    boxes = [(c.x, c.y, c.x + c.width, c.y + c.height) for c in drawing.nodes]
    for e in drawing.edges:
        if e.label_at:
            (x, y), w = e.label_at, e.label_width
            boxes.append((x - w / 2, y - LABEL / 2, x + w / 2, y + LABEL / 2))
    for i, (a, b, c, d) in enumerate(boxes):
        for p, q, r, s in boxes[:i]:
            assert not (a < r and p < c and b < s and q < d)
