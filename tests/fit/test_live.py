"""The page of a fit: its text, and in Chromium that its numbers are those of the run wherever the slider stands."""

import json
import math
import re
from functools import partial

import pytest

from autograd_lite.errors import InputTypeError, InputValueError
from autograd_lite.fit import fit, minimize, page
from autograd_lite.fit.pictures.live import SHOWN, html
from autograd_lite.fit.steps.trail import Trail
from autograd_lite.optim import SGD

CARS = {"pounds": [3.50, 3.69, 3.44, 3.43, 4.34, 4.42, 2.37], "mpg": [18.0, 15.0, 18.0, 16.0, 15.0, 14.0, 24.0]}
DECAY = {
    "t": [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0],
    "u": [1.0, -1.0, 0.5, -0.5, 0.25, 2.0, 0.0],
    "y": [5.1, 2.0, 3.3, 1.6, 1.9, 4.3, 0.9],
}


def two_features():
    return fit("A*exp(-k*t) + c*u", DECAY, target="y", init={"A": 1.0, "k": 0.1, "c": 0.0})


def data_of(text):
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return json.loads(found[1])


def loss_at(w, b):
    return sum((w * x + b - y) ** 2 for x, y in zip(CARS["pounds"], CARS["mpg"], strict=True)) / 7


def test_the_page_of_a_fit_has_its_steps_its_rows_and_its_report(tmp_path):
    found = fit("w*pounds + b", CARS, target="mpg", init={"w": 0.0, "b": 0.0})
    found.page(tmp_path / "fit.html")
    text = (tmp_path / "fit.html").read_text("utf-8")
    data = data_of(text)
    assert data["names"] == ["w", "b"]
    assert data["way"][0] == [0, [0.0, 0.0]]
    assert data["way"][-1] == [found.steps, list(found.params.values())]
    assert data["losses"][0] == [0, pytest.approx(loss_at(0.0, 0.0), rel=1e-14)]
    assert data["losses"][-1] == [found.steps, pytest.approx(found.loss, rel=1e-12)]
    assert data["rows"] == [list(row) for row in zip(*CARS.values(), strict=True)]
    assert found.table() in text
    assert "default-src 'none'" in text
    page(found, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text("utf-8") == text


def test_the_losses_of_a_robust_fit_are_all_of_its_last_scale():
    """On the way the scale was another: Huber's loss by hand, at the weights of each step."""
    x = [float(k) for k in range(20)]
    y = [2.0 * k + 1.0 + (40.0 if k % 7 == 3 else 0.0) for k in range(20)]
    found = fit("w*x + b", {"x": x, "y": y}, target="y", loss="huber", scale=1.0)

    def loss(w, b):
        off = [abs(w * u + b - v) for u, v in zip(x, y, strict=True)]
        return sum(r * r if r <= 1.0 else 2.0 * r - 1.0 for r in off) / 2.0 / len(x)

    data = data_of(html(found, found.model, found.data))
    assert [step for step, _ in data["losses"]] == [step for step, _ in data["way"]]
    assert [at for _, at in data["losses"]] == pytest.approx([loss(*weights) for _, weights in data["way"]], rel=1e-9)
    assert len(data["losses"]) > 5


def test_the_page_of_a_descent_has_what_each_step_saw():
    loss = lambda p, x, y: (p["w"] * x + p["b"] - y) ** 2  # noqa: E731
    found = minimize(loss, {"w": 0.0, "b": 0.0}, tuple(CARS.values()), optimizer=partial(SGD, lr=0.02), steps=20)
    data = data_of(html(found, None, found.data))
    assert [step for step, _ in data["way"]] == list(range(21))
    assert data["way"][-1][1] == [found.params["w"], found.params["b"]]
    assert data["losses"] == [list(pair) for pair in found.history]
    for (step, (w, b)), (other, value) in zip(data["way"], data["losses"], strict=True):
        assert step == other
        assert value == pytest.approx(loss_at(w, b), rel=1e-12)


def test_a_long_way_is_thinned_and_many_rows_are_sampled():
    trail = Trail()
    for step in range(10_000):
        trail.add(step, [float(step)])
    ended = trail.ended(10_000, [1e4])
    assert len(ended) <= 302
    assert (ended[0], ended[-1]) == ((0, [0.0]), (10_000, [1e4]))
    assert all(x == [float(step)] for step, x in ended)
    xs = [k / 1000 for k in range(5000)]
    found = fit("w*x + b", {"x": xs, "y": [2 * x + 1 for x in xs]}, target="y")
    text = html(found, found.model, found.data)
    assert len(data_of(text)["rows"]) == SHOWN
    assert "2,000 of the 5,000 rows are shown" in text


@pytest.mark.parametrize(
    ("result", "path", "error", "said"),
    [
        (None, "fit.html", InputTypeError, "result=None must be what fit or minimize gave"),
        (None, "fit.svg", InputValueError, "path='fit.svg' must end in .html"),
    ],
)
def test_what_is_no_fit_is_refused(result, path, error, said):
    with pytest.raises(error, match=re.escape(said)):
        page(result, path)


def test_a_loss_that_branches_leaves_the_contours_out_and_says_why():
    def loss(p, x, y):
        r = p["w"] * x + p["b"] - y
        return r if r > 0 else -r

    with pytest.warns(Warning, match="branch"):
        found = minimize(
            loss, {"w": 0.0, "b": 0.0}, tuple(10 * c for c in CARS.values()), optimizer=partial(SGD, lr=0.01), steps=3
        )
    text = html(found, None, found.data)
    assert "The curve and the contours are left out: " in text
    assert "rows" not in data_of(text)


def test_a_run_without_rows_has_the_loss_alone():
    found = minimize(lambda p: (p[0] - 3.0) ** 2, [0.0], optimizer=partial(SGD, lr=0.1), steps=5)
    data = data_of(html(found, None, None))
    assert data["names"] == ["w[0]"]
    assert len(data["losses"]) == 6


# -- in a browser ----------------------------------------------------------------------------------------------------


def opened(browser, path, width=1400, height=900):
    tab = browser.page(width, height)
    tab.go(path.as_uri())
    return tab


def numbers(tab):
    """The weights and the loss in the line."""
    line = tab.js("document.getElementById('line').textContent")
    return [float(x.replace("−", "-")) for x in re.findall(r"= (−?[\d.]+(?:e[+−]\d+)?)", line)]


def calm(tab):
    assert tab.events("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded") == []
    assert len(tab.events("Network.requestWillBeSent")) <= 2
    assert tab.js("window.pwned") is None
    tab.close()


def test_the_slider_goes_through_the_steps_and_weights_can_be_pulled(browser, tmp_path):
    found = two_features()
    found.page(tmp_path / "fit.html")
    tab = opened(browser, tmp_path / "fit.html")
    model, rows = found.model, [dict(zip(DECAY, row, strict=True)) for row in zip(*DECAY.values(), strict=True)]

    def check(weights):
        shown = numbers(tab)
        wanted = [*weights.values(), sum(model.loss(weights, row) for row in rows) / len(rows)]
        assert shown == [pytest.approx(x, rel=1e-4) for x in wanted]

    check(found.params)
    tab.js("document.getElementById('slider').focus()")
    tab.key("Home")
    for step, weights in found.path:
        assert tab.js("document.getElementById('where').textContent") == f"{step} / {found.steps}"
        check(weights)
        tab.key("ArrowRight")
    field = "document.querySelectorAll('.leaf input[type=number]')[1]"
    tab.js(f"(s => {{ s.value = 0.5; s.dispatchEvent(new Event('input')); }})({field})")
    check({**found.params, "k": 0.5})
    assert tab.js("document.getElementById('where').textContent") == "by hand"
    boxes = "['databox', 'missbox', 'lossbox', 'contourbox'].map(id => document.getElementById(id).hidden)"
    assert tab.js(boxes) == [False, False, False, True]
    assert tab.js("document.querySelectorAll('#rows .row').length") == 7
    tab.screenshot(tmp_path / "fit.png")
    calm(tab)


@pytest.mark.parametrize("width", [390, 1400])
def test_curve_contours_and_way_of_the_seven_cars(browser, tmp_path, width):
    fit("w*pounds + b", CARS, target="mpg", init={"w": 0.0, "b": 0.0}).page(tmp_path / "fit.html")
    tab = opened(browser, tmp_path / "fit.html", width)
    assert tab.js("document.documentElement.scrollWidth") <= width
    assert tab.js("document.getElementById('datahead').textContent") == "mpg over pounds"
    assert tab.js("document.querySelectorAll('#rows .row').length") == 7
    assert tab.js("document.querySelectorAll('#contours .contour').length") == 9
    assert tab.js("document.getElementById('missbox').hidden")
    d = tab.js("document.querySelector('#rows .fitted').getAttribute('d')")
    points = [[float(x) for x in pair.split()] for pair in re.findall(r"[ML]([-\d.]+ [-\d.]+)", d)]
    assert len(points) == 201
    slopes = {round((q - b) / (p - a), 3) for (a, b), (p, q) in zip(points[::50], points[50::50], strict=False)}
    assert max(slopes) - min(slopes) < 0.01  # a straight line
    calm(tab)


HOSTILE = "</script><img src=x onerror=window.pwned=1>"


def test_hostile_names_stay_text(browser, tmp_path):
    rows = (CARS["pounds"], CARS["mpg"])
    loss = lambda p, x, y: (p[HOSTILE] * x + p["__proto__"] - y) ** 2  # noqa: E731
    found = minimize(loss, {HOSTILE: 0.0, "__proto__": 0.0}, rows, optimizer=partial(SGD, lr=0.01), steps=3)
    page(found, tmp_path / "fit.html")
    tab = opened(browser, tmp_path / "fit.html")
    assert tab.js("document.querySelectorAll('img').length") == 0
    assert HOSTILE in tab.js("document.querySelector('.leaf .name').textContent")
    calm(tab)


def test_numbers_that_are_not_finite_do_not_stop_the_page(browser, tmp_path):
    found = two_features()
    found.path[0] = (0, {"A": math.nan, "k": math.inf, "c": 0.0})
    found.history.insert(0, (0, math.nan))
    found.page(tmp_path / "fit.html")
    tab = opened(browser, tmp_path / "fit.html")
    tab.key("Home")
    assert "nan" in tab.js("document.getElementById('line').textContent")
    calm(tab)
