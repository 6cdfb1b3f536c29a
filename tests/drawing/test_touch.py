"""The page under fingers, in a window as narrow as a telephone."""

import pytest

from autograd_lite import draw
from autograd_lite.nn import MLP
from tests.drawing.test_live import agree, built, opened, page  # noqa: F401


@pytest.fixture
def phone(page):  # noqa: F811
    page.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)
    page.call("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=5)
    page.media(prefers_reduced_motion="reduce")
    yield page
    assert page.js("[document.documentElement.scrollWidth, visualViewport.scale]") == [390, 1]


FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"  # what was scrolled is shown


def touch(page, *ways):  # noqa: F811
    """Fingers come down at the first of their places, go through the others and lift; one place is a tap, and short."""
    for k, points in enumerate(zip(*ways, strict=True)):
        fingers = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        page.call("Input.dispatchTouchEvent", type="touchMove" if k else "touchStart", touchPoints=fingers)
        if k:
            page.js(FRAMES)
    page.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])


def middle(page, element):  # noqa: F811
    page.js(f"{element}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
    page.js(FRAMES)
    return page.js(f"(b => [b.x + b.width / 2, b.y + b.height / 2])({element}.getBoundingClientRect())")


def by_id(name):
    return f"document.getElementById('{name}')"


PLACE = (
    "(s => [s.scrollLeft, s.scrollTop, s.querySelector('svg').getBoundingClientRect().width])(document.getElementById('stage'))"
)


def test_a_finger_pulls_a_slider_and_taps_steps_and_cards(phone, tmp_path):
    opened(phone, tmp_path, built("squared_error", None)[0])
    x, y = middle(phone, "document.querySelector('.leaf input[type=range]')")
    touch(phone, [(x + 5 * k, y) for k in range(10)])
    phone.wait("Number(document.querySelector('.leaf input[type=number]').value) > 2.5")
    a = phone.js("Number(document.querySelector('.leaf input[type=number]').value)")
    agree(phone, built("squared_error", [a, 3.0, 1.0, 10.0])[0])
    touch(phone, [middle(phone, by_id("back"))])
    phone.wait("document.getElementById('where').textContent !== 'done'")
    touch(phone, [middle(phone, by_id("next"))])
    phone.wait("document.getElementById('where').textContent === 'done'")
    root = phone.js("[...document.querySelectorAll('#stage g[tabindex]')].at(-1).id")
    touch(phone, [middle(phone, by_id(root))])
    phone.wait("!document.getElementById('paths').hidden")
    phone.screenshot(tmp_path / "touch.png")


def test_two_fingers_move_and_enlarge_the_picture_and_not_the_page(phone, tmp_path):
    model = MLP(3, [4, 4, 1], seed=1)
    opened(phone, tmp_path, draw(model([0.5, -1.0, 0.3]), params=model, engine="builtin"))
    x, y = middle(phone, by_id("stage"))
    left, top, wide = phone.js(PLACE)
    touch(phone, [(x - 30 - 4 * k, y) for k in range(8)], [(x + 30 + 4 * k, y) for k in range(8)])
    phone.wait(f"{PLACE}[2] > {1.5 * wide}")
    left, top, wide = phone.js(PLACE)
    touch(phone, [(x - 30 + 5 * k, y + 4 * k) for k in range(8)], [(x + 30 + 5 * k, y + 4 * k) for k in range(8)])
    phone.wait(f"{PLACE}[1] < {top - 20}")
    assert phone.js(PLACE) == pytest.approx([left - 35, top - 28, wide], abs=2)
