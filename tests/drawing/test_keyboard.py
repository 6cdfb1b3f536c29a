"""The page by the keyboard alone, in narrow and wide windows, light and dark."""

import pytest

from autograd_lite import draw
from tests.drawing.test_live import agree, built, loop, opened, page, shown  # noqa: F401

SIZES = [(390, 800), (1400, 900)]
SEEN = """(e => { const b = e.getBoundingClientRect();
  return e.contains(document.elementFromPoint(b.x + b.width / 2, b.y + b.height / 2)); })(document.activeElement)"""
HERE = "(e => [e.id || e.getAttribute('aria-label'), getComputedStyle(e).outlineStyle])(document.activeElement)"


@pytest.fixture(params=[(size, scheme) for size in SIZES for scheme in ("light", "dark")], ids=str)
def screen(request, page):  # noqa: F811
    size, scheme = request.param
    page.media(prefers_color_scheme=scheme)
    page.resize(*size)
    yield page
    assert page.js("document.documentElement.scrollWidth") <= size[0]


def tab_to(page, name):  # noqa: F811
    """Go on by the tabulator to an element; where one is, is seen."""
    for _ in range(90):
        page.key("Tab")
        here, outline = page.js(HERE)
        if here == name:
            assert outline == "solid", name
            assert page.js(f"!document.activeElement.closest('#side') || {SEEN}"), f"{name} is behind the picture"
            return
    raise AssertionError(f"the tabulator does not lead to {name}")


def text(page, name):  # noqa: F811
    return page.js(f"document.getElementById('{name}').textContent")


def type_over(page, number):  # noqa: F811
    for _ in range(12):
        page.key("End")
        page.key("Backspace")
    for sign in number:
        page.key(sign)


def test_explore(screen, tmp_path):
    opened(screen, tmp_path, built("squared_error", None)[0])
    tab_to(screen, "Value of a")
    type_over(screen, "3")
    agree(screen, built("squared_error", [3.0, 3.0, 1.0, 10.0])[0])
    assert text(screen, "over") == "a"
    tab_to(screen, "Slide b")
    assert text(screen, "over") == "b"  # the curve is over the leaf in hand
    screen.key("ArrowRight")
    b = screen.js("Number(document.activeElement.value)")
    assert b > 3.0
    agree(
        screen,
        built(
            "squared_error",
            [3.0, screen.js("Number(document.querySelectorAll('.leaf input[type=number]')[1].value)"), 1.0, 10.0],
        )[0],
    )
    tab_to(screen, "h")
    before = text(screen, "secant")
    for _ in range(5):
        screen.key("ArrowLeft")
    assert text(screen, "secant") != before
    assert float(text(screen, "hv").replace("−", "-")) < 1.0
    screen.screenshot(tmp_path / "explore.png")


def test_descend(screen, tmp_path):
    opened(screen, tmp_path, built("squared_error", None)[0])
    tab_to(screen, "b moves in a descent")
    screen.key(" ")
    tab_to(screen, "descend")
    screen.key("Enter")
    assert text(screen, "steps") == "step 1"
    assert "b:" not in text(screen, "updates")
    assert shown(screen)["n1"][0] == "3"  # b stayed
    tab_to(screen, "run")
    screen.key("Enter")
    assert text(screen, "run") == "Pause"
    screen.wait("document.getElementById('steps').textContent !== 'step 1'")
    screen.key("Enter")
    assert text(screen, "run") == "Run"
    tab_to(screen, "reset")
    screen.key("Enter")
    agree(screen, built("squared_error", None)[0])
    assert text(screen, "steps") == "step 0"
    tab_to(screen, "speed")
    screen.key("ArrowRight")
    tab_to(screen, "rate")
    screen.key("Home")
    assert screen.js("document.getElementById('ratefield').value") == "0.00001"
    tab_to(screen, "ratefield")
    type_over(screen, "5")
    tab_to(screen, "a moves in a descent")
    tab_to(screen, "descend")
    for _ in range(12):
        screen.key("Enter")
    assert "overshoot" in text(screen, "verdict")
    assert not any("nan" in str(numbers) for numbers in shown(screen).values())


def test_step_and_look(screen, tmp_path):
    opened(screen, tmp_path, built("squared_error", None)[0])
    tab_to(screen, "about")
    screen.key("Enter")
    assert screen.js("document.getElementById('legend').open")
    screen.key("Enter")
    tab_to(screen, "stage")
    screen.key("Home")
    for _ in range(11):
        screen.key("ArrowRight")
        screen.wait(
            "((b, s) => b.left >= s.left - 1 && b.right <= s.right + 1 && b.top >= s.top - 1 && b.bottom <= s.bottom + 1)"
            "(...['#stage .now', '#stage'].map(e => document.querySelector(e).getBoundingClientRect()))"
        )
    tab_to(screen, screen.js("document.querySelector('#stage > div:not([hidden]) svg').id") + "-n0")
    screen.key("Enter")
    assert "= −18" in text(screen, "products")
    screen.key("Escape")
    assert screen.js("document.getElementById('paths').hidden")
    screen.screenshot(tmp_path / "step.png")


def test_turns_of_a_loop_and_the_loop_opened(screen, tmp_path):
    drawing = draw(loop, name="root", a=2.0, z=1.0, engine="builtin")
    opened(screen, tmp_path, drawing)
    tab_to(screen, "What is drawn")
    cards = "document.querySelectorAll('#stage > div:not([hidden]) g[tabindex]').length"
    few = screen.js(cards)
    screen.key("ArrowDown")
    assert screen.js(cards) > few
    screen.key("ArrowUp")
    assert screen.js(cards) == few
    tab_to(screen, "Iteration of the loop")
    screen.key("Home")
    assert "iteration 1 of 5" in text(screen, "choice")
    screen.key("ArrowRight")
    assert "iteration 2 of 5" in text(screen, "choice")
    tab_to(screen, "Value of a")
    type_over(screen, "7")
    assert text(screen, "result") == "2.646"  # the root of 7
    screen.screenshot(tmp_path / "loop.png")


def test_every_control_has_a_name_and_shows_where_it_is(page, tmp_path):  # noqa: F811
    opened(page, tmp_path, built("squared_error", None)[0])
    for _ in range(60):
        page.key("Tab")
        here, outline = page.js(HERE)
        if page.js("document.activeElement === document.body"):
            break  # round the page
        assert here
        assert outline == "solid", here
    unnamed = (
        "[...document.querySelectorAll('input, select')].filter(e => !e.getAttribute('aria-label') && !e.closest('label'))"
    )
    assert page.js(f"{unnamed}.length") == 0
