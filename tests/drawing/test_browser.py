"""The page in a real browser: Chromium, driven headless.  Skipped where there is none."""

import json
import re
import zlib
from functools import partial

import pytest

from autograd_lite import Value, sin
from autograd_lite.drawing import draw as draw_with
from autograd_lite.drawing import page as page_module

draw = partial(draw_with, engine="builtin")  # the same picture with and without Graphviz

F, N = 3, 9  # values computed in two_paths, and all its steps
LINE = "df/dx: 0.3624 (through sin) + 0.7 (first factor) = 1.062"
PWNED = "</script><img src=x onerror=window.pwned=1><svg onload=window.pwned=1>\"'><script>window.pwned=1</script>"


def two_paths():
    x, y = Value(1.2, "x"), Value(0.7, "y")
    f = x * y + sin(x)
    f.name = "f"
    return f


def network():
    """Two inputs, two layers of six: 100 nodes and more."""
    values = [Value(0.5, "x0"), Value(-1.5, "x1")]
    for layer in range(2):
        values = [
            sum(
                (Value(0.1 * (i + j + 1) - 0.3, f"w{layer}.{j}.{i}") * v for i, v in enumerate(values)),
                Value(0.1, f"b{layer}.{j}"),
            ).tanh()
            for j in range(6)
        ]
    loss = sum(values, 0.0) ** 2
    loss.name = "loss"
    return loss


def hostile():
    x, y = Value(1.2, PWNED), Value(0.7, "javascript:window.pwned=1\u202e\x00\ud800]]>")
    f = x * y + sin(x)
    f.name = "</style></svg><script>window.pwned=1</script>"
    return f


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with the pages, by name."""
    folder = tmp_path_factory.mktemp("site")
    picture = draw(two_paths())
    pages = {
        "step": page_module.page(picture),
        "still": page_module.page(picture, step=False),
        "dark": page_module.page(draw(two_paths(), theme="dark")),
        "large": page_module.page(draw(network(), fold=False, max_nodes=None)),
        "folded": page_module.page(draw(network(), fold=True, max_nodes=None)),
        "hostile": page_module.page(draw(hostile(), title=PWNED)),
        "notebook": f"<!doctype html><meta charset=utf-8><title>n</title><h1>n</h1>{page_module.iframe(picture)}",
    }
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text, "utf-8")
    return {name: (folder / f"{name}.html").as_uri() for name in pages}


@pytest.fixture
def page(browser):
    it = browser.page()
    yield it
    it.close()


@pytest.fixture
def stepper(page, site):
    """The small page, open, and at the end of the test looked at for anything it complained of or asked for."""
    page.go(site["step"])
    yield page
    calm(page)


def calm(page, pages=1):
    assert page.events("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded") == []
    asked = {event["request"]["url"].split("#")[0] for event in page.events("Network.requestWillBeSent")}
    assert all(url.startswith(("file:", "about:")) and url.endswith((".html", "blank")) for url in asked)
    assert len(asked) <= pages


def at(page):
    return page.js("Number(document.getElementById('slider').value)")


def line(page):
    return page.js("document.getElementById('line').textContent")


def marked(page):
    return page.js("document.querySelectorAll('#stage .now, #stage .source, #stage .along, #stage .todo').length")


def picture(page):
    return page.js("document.querySelector('#stage > div:not([hidden]) svg').outerHTML")


def width(page):
    return page.js("document.querySelector('#stage > div:not([hidden]) svg').getBoundingClientRect().width")


def press(page, *keys):
    for key in keys:
        page.key(key)


def pixels(png):
    """How many different bytes the picture is made of: two or three for an empty page."""
    chunks, i = b"", 8
    while i < len(png):
        size = int.from_bytes(png[i : i + 4], "big")
        chunks += png[i + 8 : i + 8 + size] if png[i + 4 : i + 8] == b"IDAT" else b""
        i += size + 12
    return len(set(zlib.decompress(chunks)))


# -- steps ------------------------------------------------------------------------------------------------------------


def test_opens_at_the_end_with_nothing_highlighted(stepper):
    assert at(stepper) == N + 1
    assert marked(stepper) == 0
    assert line(stepper) == "Done: df/dx = 1.062, df/dy = 1.2."
    assert stepper.js("document.getElementById('where').textContent") == "done"
    assert stepper.js("location.hash") == ""


def test_buttons(stepper):
    seen = []
    for button in ("first", "next", "next", "back", "last", "back", "back"):
        stepper.click(f"#{button}")
        seen.append(at(stepper))
    assert seen == [0, 1, 2, 1, N + 1, N, N - 1]
    assert line(stepper) == LINE
    assert stepper.js("document.getElementById('where').textContent") == f"{N - 1} / {N}"
    assert stepper.js("document.getElementById('rule').textContent") == "first factor: df/dv1 × y = 1 × 0.7 = 0.7"


def test_buttons_at_the_ends_do_nothing_and_say_so(stepper):
    off = "[...document.querySelectorAll('[aria-disabled=true]')].map(b => b.id)"
    assert stepper.js(off) == ["next", "last"]
    stepper.click("#next")
    assert at(stepper) == N + 1
    press(stepper, "Home", "ArrowLeft")
    assert (at(stepper), stepper.js(off)) == (0, ["first", "back"])


def test_keys(stepper):
    seen = []
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowLeft", "End", "ArrowRight", "ArrowLeft"):
        press(stepper, key)
        seen.append(at(stepper))
    assert seen == [0, 1, 2, 1, N + 1, N + 1, N]


def test_slider(stepper):
    stepper.js("document.getElementById('slider').focus()")
    press(stepper, "ArrowLeft", "ArrowLeft")
    assert (at(stepper), line(stepper)) == (N - 1, LINE)
    press(stepper, "Home")
    assert at(stepper) == 0
    x, y, w, h = stepper.js("(b => [b.x, b.y, b.width, b.height])(document.getElementById('slider').getBoundingClientRect())")
    stepper.mouse("mousePressed", x + w - 3, y + h / 2)
    stepper.mouse("mouseReleased", x + w - 3, y + h / 2)
    assert at(stepper) == N + 1
    assert stepper.js("document.getElementById('slider').getAttribute('aria-valuetext')") == "done"


def test_address_is_read_at_load_and_when_it_changes(page, site):
    page.go(f"{site['step']}#step={N - 1}")
    assert (at(page), line(page)) == (N - 1, LINE)
    for hash_, there in (
        ("#step=2", 2),
        ("#step=0", 0),
        ("#step=999", N + 1),
        ("#step=3", 3),
        ("#else", N + 1),
        ("#step=-1", N + 1),
    ):
        page.js(f"location.hash = {json.dumps(hash_)}")
        page.wait(f"Number(document.getElementById('slider').value) === {there}")
    calm(page)


def test_address_follows_without_filling_the_history(stepper):
    before = stepper.js("history.length")
    press(stepper, "Home", *["ArrowRight"] * 4)
    stepper.wait("location.hash === '#step=4'")
    assert stepper.js("history.length") == before


def test_an_address_given_while_the_last_step_is_still_to_be_written_wins(stepper):
    press(stepper, "Home")
    stepper.wait("location.hash === '#step=0'")  # as it is when that step was written between the change and its event
    stepper.js("dispatchEvent(new HashChangeEvent('hashchange', {newURL: location.href.replace('step=0', 'step=3')}))")
    stepper.wait("Number(document.getElementById('slider').value) === 3")
    stepper.wait("location.hash === '#step=3'")
    assert line(stepper) == "f = v1 + v2 = 0.84 + 0.932 = 1.772"


def test_every_step_is_exact_however_it_is_reached(stepper):
    press(stepper, "End")
    end = picture(stepper)
    forward = []
    press(stepper, "Home")
    for _ in range(N + 2):
        forward.append(picture(stepper))
        press(stepper, "ArrowRight")
    assert forward[-1] == end
    assert len(set(forward)) == N + 2
    for k in (3, 0, N, 5, 1, N + 1, 4, 2):
        stepper.js(f"(s => {{ s.value = {k}; s.dispatchEvent(new Event('input')); }})(document.getElementById('slider'))")
        assert picture(stepper) == forward[k]


def shown_prefix(page):
    """What the ids of the picture that shows start with."""
    return page.js("document.querySelector('#stage > div:not([hidden]) svg').id")


def test_a_step_shows_the_adjoints_of_that_moment(stepper):
    drawing = draw(two_paths())
    known = {}
    p = shown_prefix(stepper)
    press(stepper, "Home", *["ArrowRight"] * F)
    for k in range(N + 1 - F):
        if k:
            press(stepper, "ArrowRight")
            move = drawing.steps[k - 1]
            known[move.card] = move.after
            assert line(stepper) == move.line
            assert stepper.js("document.querySelector('#stage .now').id") == f"{p}-n{move.card}"
            assert stepper.js("document.querySelectorAll('#stage .along').length") == (0 if move.edge is None else 2)
        for card in drawing.nodes:
            text, band = (f"document.querySelector('#{p}-n{card.index} .g-{x}')" for x in ("grad", "band"))
            assert stepper.js(f"{text}.textContent") == known.get(card.index, "·")
            assert (float(stepper.js(f"{band}.getAttribute('fill-opacity')")) > 0) == (card.index in known)
        done = {move.edge for move in drawing.steps[:k]} - {None}
        edges = stepper.js(f"[...document.querySelectorAll('#stage .todo')].map(e => e.id).filter(i => i.startsWith('{p}-e'))")
        assert len(edges) == len(drawing.edges) - len(done)


def test_the_forward_pass_shows_the_values_in_order(stepper):
    p = shown_prefix(stepper)
    values = f"[...document.querySelectorAll('#{p} .g-value')].map(e => e.textContent)"
    press(stepper, "Home")
    assert stepper.js(values) == ["1.2", "0.7", "·", "·", "·"]
    seen = []
    for _ in range(F):
        press(stepper, "ArrowRight")
        seen.append(line(stepper))
    assert seen == ["v1 = x × y = 1.2 × 0.7 = 0.84", "v2 = sin(x) = sin(1.2) = 0.932", "f = v1 + v2 = 0.84 + 0.932 = 1.772"]
    assert stepper.js(values) == ["1.2", "0.7", "0.84", "0.932", "1.772"]


def test_rows_of_folded_cards_are_filled_step_by_step(page, site):
    drawing = draw(network(), fold=True, max_nodes=None)
    rows = [k for k, move in enumerate(drawing.steps, 1) if move.row is not None]
    computed = sum(card.node.op is not None for card in drawing.nodes)
    assert rows
    for k in (rows[0], rows[-1]):
        page.go("about:blank")
        page.go(f"{site['folded']}#step={k + computed}")
        p = shown_prefix(page)
        move = drawing.steps[k - 1]
        row = f"document.querySelector('#{p}-n{move.card}-r{move.row} > .g-grad').textContent"
        assert page.js(row) == move.after
        assert page.js("document.querySelector('#stage .now').id") == f"{p}-n{move.card}-r{move.row}"
        press(page, "ArrowLeft")
        assert page.js(row) == (move.before or "·")
    page.go("about:blank")
    page.go(site["folded"])
    end = picture(page)
    press(page, "Home", "End")
    assert re.sub(r' class=""| style="[^"]*"', "", picture(page)) == re.sub(r' class=""| style="[^"]*"', "", end)


def test_play_and_pause(page, site):
    page.go(site["large"])
    press(page, "Home")
    page.click("#play")
    assert page.js("document.getElementById('play').textContent") == "Pause"
    page.wait("Number(document.getElementById('slider').value) >= 2")
    page.js("document.getElementById('play').blur()")
    press(page, " ")
    there = at(page)
    assert page.js("document.getElementById('play').textContent") == "Play"
    assert page.js("new Promise(done => setTimeout(() => done(Number(document.getElementById('slider').value)), 500))") == there
    press(page, "End", "ArrowLeft", " ")
    page.wait("document.getElementById('play').textContent === 'Play'")
    assert page.js("document.getElementById('where').textContent") == "done"
    calm(page)


def test_reduced_motion_has_no_play_and_space_goes_one_on(page, site):
    page.media(prefers_reduced_motion="reduce")
    page.go(site["step"])
    assert page.js("getComputedStyle(document.getElementById('play')).display") == "none"
    press(page, "Home", " ", " ")
    assert at(page) == 2
    assert page.js("new Promise(done => setTimeout(() => done(Number(document.getElementById('slider').value)), 300))") == 2
    page.media(prefers_reduced_motion="no-preference")
    page.wait("getComputedStyle(document.getElementById('play')).display !== 'none'")
    calm(page)


def test_the_step_is_brought_into_view(page, site):
    page.media(prefers_reduced_motion="reduce")
    page.go(site["large"])
    press(page, "Home")
    for k in range(3):
        page.js(f"location.hash = '#step={15 + 30 * k}'")
        page.wait(f"Number(document.getElementById('slider').value) === {15 + 30 * k}")
        assert page.js(
            "((b, s) => b.left >= s.left - 1 && b.right <= s.right + 1 && b.top >= s.top - 1 && b.bottom <= s.bottom + 1)"
            "(...['#stage .now', '#stage'].map(e => document.querySelector(e).getBoundingClientRect()))"
        )


# -- pan, zoom, search ------------------------------------------------------------------------------------------------


def test_zoom_by_keys_and_buttons(stepper):
    whole = width(stepper)
    press(stepper, "+", "=")
    assert width(stepper) == pytest.approx(whole * 1.25**2, rel=1e-3)
    press(stepper, "-", "-", "-")
    assert width(stepper) == pytest.approx(whole / 1.25, rel=1e-3)
    stepper.click("#in")
    stepper.click("#in")
    stepper.click("#out")
    assert width(stepper) == pytest.approx(whole, rel=1e-3)
    press(stepper, "+", "+", "0")
    assert width(stepper) == pytest.approx(whole, rel=1e-3)
    assert at(stepper) == N + 1  # zooming is no step


def middle(page):
    box = "document.getElementById('stage').getBoundingClientRect()"
    return page.js(f"(b => [Math.round(b.x + b.width / 2), Math.round(b.y + b.height / 2)])({box})")


def test_zoom_by_wheel_keeps_the_point_under_the_cursor(stepper):
    press(stepper, *"++++")
    u, v = middle(stepper)
    box = "(b => [b.left, b.top, b.width])(document.querySelector('#stage > div:not([hidden]) svg').getBoundingClientRect())"
    left, _, before = stepper.js(box)
    stepper.mouse("mouseWheel", u, v, deltaX=0, deltaY=-120)
    stepper.wait(f"document.querySelector('#stage > div:not([hidden]) svg').getBoundingClientRect().width > {before + 10}")
    left_after, _, after = stepper.js(box)
    assert (u - left) / before == pytest.approx((u - left_after) / after, abs=0.004)
    for _ in range(15):
        stepper.mouse("mouseWheel", u, v, deltaX=0, deltaY=300)
    stepper.wait("document.querySelector('#stage > div:not([hidden]) svg').getBoundingClientRect().width < 400")
    assert width(stepper) > 20


def test_pan_by_dragging_and_by_keys(page, site):
    page.go(site["large"])
    scroll = "[document.getElementById('stage').scrollLeft, document.getElementById('stage').scrollTop]"
    page.js("document.getElementById('stage').scrollTo(300, 200)")
    left, top = page.js(scroll)
    u, v = middle(page)
    page.mouse("mousePressed", u, v)
    page.mouse("mouseMoved", u - 40, v - 30, button="left", buttons=1)
    page.mouse("mouseMoved", u - 60, v - 40, button="left", buttons=1)
    page.mouse("mouseReleased", u - 60, v - 40)
    assert page.js(scroll) == [left + 60, top + 40]
    page.mouse("mouseMoved", u - 90, v - 90)
    assert page.js(scroll) == [left + 60, top + 40]
    for key in ("ArrowRight", "ArrowDown", "ArrowDown"):
        page.key(key, shift=True)
    assert page.js(scroll) == [left + 120, top + 160]
    assert page.js("document.getElementById('where').textContent") == "done"


def test_pinch(page, site):
    page.resize(400, 700, touch=True)
    page.go(site["step"])
    before = width(page)

    def fingers(*xs):
        return [{"x": x, "y": 400, "id": i} for i, x in enumerate(xs)]

    page.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=fingers(150, 250))
    page.call("Input.dispatchTouchEvent", type="touchMove", touchPoints=fingers(125, 275))
    page.call("Input.dispatchTouchEvent", type="touchMove", touchPoints=fingers(100, 300))
    page.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    assert width(page) == pytest.approx(2 * before, rel=0.02)


def test_search(page, site):
    page.media(prefers_reduced_motion="reduce")
    page.go(site["large"])
    page.js("document.getElementById('query').focus()")
    page.type("W1.3.4")
    count = "document.getElementById('count').textContent"
    assert page.js(count) == "1 of 1"
    assert page.js("document.querySelectorAll('#stage .found').length") == 1
    assert page.js("document.querySelector('#stage .here').textContent.includes('w1.3.4')")
    visible = (
        "((b, s) => b.left >= s.left && b.right <= s.right && b.top >= s.top && b.bottom <= s.bottom)"
        "(...['#stage .here', '#stage'].map(e => document.querySelector(e).getBoundingClientRect()))"
    )
    assert page.js(visible)
    press(page, "Escape")
    assert page.js(count) == ""
    assert page.js("document.querySelectorAll('#stage .found, #stage .here').length") == 0
    page.type("w1.2.")
    assert page.js(count) == "1 of 6"
    seen = []
    for _ in range(7):
        seen.append(page.js("document.querySelector('#stage .here').id"))
        assert page.js(visible)
        press(page, "Enter")
    assert len(set(seen)) == 6
    assert seen[6] == seen[0]
    page.key("Enter", shift=True)
    assert page.js("document.querySelector('#stage .here').id") == seen[0]
    press(page, "Escape")
    page.type("no such")
    assert page.js(count) == "none"
    press(page, "Enter", "ArrowLeft", "Home")
    assert page.js("document.getElementById('where').textContent") == "done"  # keys in the box are the box's
    calm(page)


# -- who looks at it, and how -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["step", "large"])
def test_everything_is_reached_by_keyboard_with_a_visible_focus(page, site, name):
    page.go(site[name])
    seen = []
    for _ in range(13):
        press(page, "Tab")
        here, style, thick = page.js(
            "(e => [e.id, getComputedStyle(e).outlineStyle, getComputedStyle(e).outlineWidth])(document.activeElement)"
        )
        if not here or here.startswith("g"):  # a card of the picture, or the first of the panels
            break
        assert (style, thick) == ("solid", "3px")
        seen.append(here)
    search = ["query"] if name == "large" else []
    assert (
        seen
        == ["first", "back", "play", "next", "last", "slider", "out", "in", "whole", *search, "about", "stage"][
            : 12 + len(search)
        ]
    )


def test_a_button_keeps_the_focus_at_the_end(stepper):
    stepper.js("document.getElementById('next').focus()")
    press(stepper, "Home", *["Enter"] * (N + 3))
    assert at(stepper) == N + 1
    assert stepper.js("document.activeElement.id") == "next"


def test_line_is_announced(stepper):
    assert stepper.js("document.getElementById('line').getAttribute('aria-live')") == "polite"
    assert stepper.js("document.getElementById('line').getAttribute('role')") == "status"


def test_scripts_off_shows_the_finished_picture(page, site):
    page.scripts(False)
    for name in ("step", "large"):
        page.go(site[name])
        page.scripts(True)  # for the questions; the page's own script has not run
        assert page.js("document.documentElement.className") == ""
        assert page.js("getComputedStyle(document.querySelector('.bar')).display") == "none"
        assert page.js("getComputedStyle(document.querySelector('.said')).display") == "none"
        assert page.js("getComputedStyle(document.getElementById('stage')).overflowX") == "auto"
        assert width(page) > 300
        assert marked(page) == 0
        page.scripts(False)


@pytest.mark.parametrize(
    ("name", "scheme", "dark"), [("step", "light", False), ("step", "dark", True), ("dark", "light", True)]
)
def test_themes(page, site, tmp_path, name, scheme, dark):
    page.media(prefers_color_scheme=scheme)
    page.go(f"{site[name]}#step=5")
    background, ink, text = (
        max(map(int, re.findall(r"\d+", page.js(f"getComputedStyle(document.querySelector('{where}')).{what}"))[:3]))
        for where, what in (("body", "backgroundColor"), ("#line", "color"), ("svg text", "fill"))
    )
    assert (background < 60, ink > 150, text > 120) == (dark, dark, dark)
    assert pixels(page.screenshot(tmp_path / "theme.png")) > 40
    calm(page)


@pytest.mark.parametrize("size", [(360, 640), (768, 600), (1600, 900)])
def test_sizes(page, site, tmp_path, size):
    page.resize(*size)
    for name in ("step", "large"):
        page.go(site[name])
        assert pixels(page.screenshot(tmp_path / f"{name}.png")) > 40
        assert page.js("document.documentElement.scrollWidth") <= size[0]
        if size[0] > 760:  # else the panels are below the picture
            assert page.js("document.documentElement.scrollHeight") <= size[1]
        outside = (
            "[...document.querySelectorAll('button, #top input, .said')].map(e => e.getBoundingClientRect())"
            ".filter(b => b.left < 0 || b.right > innerWidth || b.height < 18).length"
        )
        assert page.js(outside) == 0
    calm(page, pages=2)


def test_still_page(page, site):
    page.go(site["still"])
    before = width(page)
    press(page, "ArrowLeft", "Home", " ", "+")
    assert width(page) == pytest.approx(before * 1.25, rel=1e-3)
    assert marked(page) == 0
    calm(page)


def test_hostile_names_run_nothing(page, site):
    page.go(site["hostile"])
    for _ in range(N + 2):
        press(page, "ArrowLeft")
    press(page, "End")
    assert page.js("window.pwned") is None
    assert page.js("document.scripts.length") == 2
    assert page.js("document.images.length") == 0
    assert page.js("document.title").startswith("</script><img src=x onerror=")
    calm(page)


def test_policy_stops_what_should_ever_get_in(page, site):
    page.go(site["step"])
    page.js(
        "for (const [tag, key, value] of [['script', 'textContent', 'window.pwned = 1'], ['img', 'src', 'https://example.com/x.png'],"
        "['style', 'textContent', 'body { background: red }']])"
        "{ const e = document.createElement(tag); e[key] = value; document.body.append(e); }"
    )
    assert page.js("window.pwned") is None
    assert page.js("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    blocked = "".join(event["entry"]["text"] for event in page.events("Log.entryAdded"))
    assert blocked.count("Content Security Policy") == 3


def test_frame_of_a_notebook(page, site, tmp_path):
    page.go(site["notebook"])
    inside = page.frame()
    assert inside("document.getElementById('where').textContent") == "done"
    inside("document.getElementById('back').click()")
    assert inside("document.getElementById('where').textContent") == f"{N} / {N}"
    assert (
        inside("new Promise(done => setTimeout(() => done(document.getElementById('where').textContent), 400))") == f"{N} / {N}"
    )
    assert inside("window.origin") == "null"
    assert pixels(page.screenshot(tmp_path / "notebook.png")) > 40
    assert page.events("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded") == []


def test_of_a_large_picture_only_what_is_in_view_is_drawn(page, site):
    page.media(prefers_reduced_motion="reduce")
    page.go(site["large"])
    away = "[...document.querySelectorAll('#stage svg > .away')].map(e => e.id)"
    seen = """[...document.querySelectorAll('#stage svg > g[id*="-n"]')].filter(e => (
      (b, s) => b.width && b.right > s.left && b.left < s.right && b.bottom > s.top && b.top < s.bottom
    )(...[e, document.getElementById('stage')].map(e => e.getBoundingClientRect()))).map(e => e.id)"""
    assert page.js(
        "[...document.querySelectorAll('.away text')].every(e => getComputedStyle(e).display === 'none')"
    )  # nor laid out
    before = set(page.js(away))
    assert len(before) > 50
    assert page.js(seen)
    x, y = page.js("document.getElementById('g-n0').getAttribute('transform').match(/[0-9.]+/g).map(Number)")
    assert "g-n0" in before
    page.js(f"document.getElementById('stage').scrollTo({x - 50}, {y - 50})")
    page.wait(f"!{away}.includes('g-n0')")  # the first of the leaves
    assert set(page.js(away)) != before
    assert page.js(seen)
    few = len(page.js(seen))
    page.resize(1800, 1400)
    page.wait(f"{seen}.length > {few}")
    page.key("0")
    page.wait(f"!{away}.length")
    page.js("document.getElementById('query').focus()")
    page.type("w1.3.4")
    assert page.js("document.querySelector('#stage .here').getBoundingClientRect().width") > 50
    calm(page)


def test_on_paper_the_whole_picture_is_as_wide_as_the_sheet_and_light(page, site):
    page.media(prefers_color_scheme="dark")
    page.go(site["large"])
    page.call("Emulation.setEmulatedMedia", media="print")
    page.resize(700, 1000)
    svg = "document.querySelector('#stage svg')"
    shown = f"(b => [b.left, b.width / b.height])({svg}.getBoundingClientRect())"
    left, ratio = page.js(shown)
    wide, high = page.js(f"{svg}.getAttribute('viewBox').split(' ').map(Number).slice(2)")
    assert left >= 0
    assert ratio == pytest.approx(wide / high, rel=0.02)
    assert page.js("document.documentElement.scrollWidth") <= 700
    assert page.js("[...document.querySelectorAll('.away')].every(e => e.getBoundingClientRect().width > 0)")
    assert page.js(f"getComputedStyle({svg}.querySelector('.g-bg')).fill") == "rgb(255, 255, 255)"
    assert page.js("getComputedStyle(document.querySelector('.bar')).display") == "none"
    page.call("Emulation.setEmulatedMedia", media="")
    page.resize(1400, 700)
    page.go(site["step"])
    assert page.js("document.body.className") == "above"  # its panels stand in a grid
    page.call("Emulation.setEmulatedMedia", media="print")
    assert page.js("getComputedStyle(document.getElementById('side')).display") == "none"


def test_a_step_stays_in_view_when_the_legend_opens_or_the_window_changes(page, site):
    page.media(prefers_reduced_motion="reduce")
    page.go(site["step"])
    press(page, "Home", *["ArrowRight"] * (F + 2))
    ends = """((s, ...boxes) => boxes.every(b => b.width && b.left >= s.left - 1 && b.right <= s.right + 1
      && b.top >= s.top - 1 && b.bottom <= s.bottom + 1))(...['#stage', '#stage .now', '#stage .source']
      .map(e => document.querySelector(e).getBoundingClientRect()))"""
    assert page.js(ends)
    page.click("#legend summary")
    page.wait(ends)
    page.resize(500, 420)
    page.wait(ends)
