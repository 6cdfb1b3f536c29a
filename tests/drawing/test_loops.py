"""Loops drawn once: which bodies repeat, what the picture shows of one iteration, the page in every one and opened."""

import math
import random

import pytest

from autograd_lite import Value, draw, exp, graph, relu, sin
from autograd_lite import sum as total
from autograd_lite.compiler import to_js
from autograd_lite.drawing import dot
from autograd_lite.drawing.loops import Carried, loops_of
from autograd_lite.drawing.page.live import live
from autograd_lite.errors import GraphTooLargeWarning
from autograd_lite.nn import MLP
from tests.drawing import chromium
from tests.drawing.chromium import number


def heron(a, z):
    for _ in range(30):
        z = 0.5 * (z + a / z)
    return z


def series(x):
    term = all_terms = 1.0
    for n in range(1, 13):
        term = term * x / n
        all_terms = all_terms + term
    return all_terms


def midpoint(x):
    for _ in range(10):
        x = x + 0.1 * -((x - 0.05 * x * x) ** 2)
    return x


def two_loops(x):
    for _ in range(6):
        x = sin(x) + x
    y = x * 2.0
    for _ in range(7):
        y = exp(y * 0.1) - 1.0
    return y


def rows(w, b):
    loss = 0.0
    for x, y in [(1.0, 2.0), (2.0, 3.0), (3.0, 5.0), (4.0, 4.0), (5.0, 6.0)]:
        loss = loss + (w * x + b - y) ** 2
    return loss / 5.0


def layered(x, **weights):
    for k in range(6):
        x = sin(x * weights[f"w{k}"] + weights[f"b{k}"]) * weights[f"w{k}"]
    return x


def momentum(x):
    v = 0.0
    for _ in range(8):
        v = 0.9 * v - 0.1 * (2.0 * x + sin(x))
        x = x + v
    return x


def fibonacci(x):
    a, b = x, x * 0.5
    for _ in range(9):
        a, b = b, sin(a) + b * 0.3
    return b


def taylor(x):
    term = total_of_terms = x
    for k in range(1, 7):
        term = term * x * -1.0 / (2.0 * k)
        total_of_terms = total_of_terms + term
    return total_of_terms


def shared(x):
    u = 1.0
    for _ in range(6):
        x = x * 0.9 + u * 0.1
        u = sin(x)
    return x + u


def delayed(x, y):
    for _ in range(6):
        x, y = sin(x) * 0.9 + sin(y) * 0.3 + x * 0.1, x
    return x


def begun(x, a):
    x = x * a + 0.5 * a
    for _ in range(6):
        x = sin(x + 0.5)
    return x


def tent(x):
    for _ in range(6):
        x = 1.0 - 2.0 * abs(x - 0.5)
    return x


LOOPS = {
    "heron": (heron, {"a": 2.0, "z": 1.0}, [(30, 3)]),
    "series": (series, {"x": 1.5}, [(12, 3)]),
    "midpoint": (midpoint, {"x": 0.7}, [(10, 7)]),
    "two_loops": (two_loops, {"x": 0.3}, [(6, 2), (7, 3)]),
    "rows": (rows, {"w": 0.5, "b": 1.0}, [(5, 5)]),
    "layered": (layered, {"x": 0.5} | {f"{c}{k}": 0.3 + 0.1 * k for k in range(6) for c in "wb"}, [(6, 4)]),
    "taylor": (taylor, {"x": 0.5}, [(6, 4)]),  # begins with a leaf where later iterations have a quotient
    "tent": (tent, {"x": 0.5}, [(6, 4)]),  # begins at a kink
    "delayed": (delayed, {"x": 0.5, "y": 1.0}, [(6, 7)]),  # takes from two iterations before
    "begun": (begun, {"x": 0.5, "a": 2.0}, [(6, 2)]),  # begins with what could fold into the first iteration
    "shared": (shared, {"x": 0.5}, [(5, 4)]),  # hands on what is used in its own iteration, too
    "momentum": (momentum, {"x": 1.5}, [(7, 7)]),
    "fibonacci": (fibonacci, {"x": 1.5}, [(8, 3)]),
}


def found_in(root, keep=()):
    nodes = [node for node in reversed(graph.order([root])) if node.op is not None]
    return loops_of(nodes, {root}, set(keep))


def called(name):
    f, start, _ = LOOPS[name]
    return f(**{key: Value(x, key) for key, x in start.items()})


@pytest.mark.parametrize("name", LOOPS)
def test_repeated_bodies_are_found(name):
    loops = found_in(called(name))
    assert [(len(loop.iterations), len(loop.iterations[0])) for loop in loops] == LOOPS[name][2]
    for loop in loops:
        assert len({tuple(node.op.name for node in iteration) for iteration in loop.iterations}) == 1
        for carried, line in loop.carried.items():
            for iteration in range(carried.ago, len(loop.iterations)):
                assert line[iteration] is loop.iterations[iteration - carried.ago][carried.place]


def test_what_is_no_loop():
    x, y = Value(0.5, "x"), Value(0.7, "y")
    assert found_in(sin(sin(sin(x)))) == []  # too short
    kept = [x * y]
    for _ in range(8):
        kept.append(sin(kept[-1]) * y)
    assert found_in(total(kept)) == []  # every iteration is used behind the loop
    assert len(found_in(kept[-1])) == 1
    assert found_in(kept[-1], keep=[kept[4]]) == []  # one of them must be drawn
    weights = [Value(1.0 + k, f"w{k}") for k in range(12)]
    other = x
    for k in range(12):
        other = sin(other) * weights[k] + weights[k - 1]
    assert found_in(other) == []  # each leaf is used in two iterations
    products = x
    for k in range(12):
        products = products + weights[k] * y
    assert found_in(products) == []  # a sum of terms is told term by term, too
    chain = x
    for _ in range(12):
        chain = chain + x
    assert found_in(chain) == []  # a sum is told term by term
    assert loops_of([], {x}, set()) == []


def test_the_start_may_be_a_number_a_leaf_or_a_result():
    (loop,) = found_in(called("series"))
    assert set(loop.carried) == {Carried(1, 1), Carried(2, 1)}
    assert [line[0] for line in loop.carried.values()] == [1.0, 1.0]
    z = Value(1.0, "z")
    (loop,) = found_in(heron(Value(2.0, "a"), z))
    assert loop.carried[Carried(2, 1)][0] is z


@pytest.mark.parametrize("engine", ["builtin", "auto"])
def test_one_turn_is_drawn_in_a_box(engine):
    drawing = draw(heron, a=2.0, z=1.0, engine=engine)
    headers = [card.header for card in drawing.nodes]
    body = ["v48 from iteration 16", "v49 = a / v48", "v50 = v48 + v49", "v51 = 0.5 × v50"]
    assert sorted(headers) == sorted(["a", "z", *body, "heron after 30 iterations"])
    assert drawing.width < 1700
    (frame,) = drawing.frames
    assert frame.title == "iteration 17 of 30"
    assert sorted(drawing.nodes[i].header for i in frame.cards) == sorted(body)
    for card in drawing.nodes:
        inside = frame.x < card.x < frame.x + frame.width and frame.y < card.y < frame.y + frame.height
        assert inside == (card.index in frame.cards)
    svg = drawing.svg()
    assert svg.count("-frame") >= 2
    assert ">iteration 17 of 30</text>" in svg
    assert len(draw(heron, a=2.0, z=1.0, fold=False).nodes) == 92


@pytest.mark.parametrize("fold", ["auto", True])
@pytest.mark.parametrize("name", LOOPS)
def test_each_card_ends_its_steps_with_its_total(name, fold):
    f, start, _ = LOOPS[name]
    drawing = draw(f, engine="builtin", fold=fold, **start)
    last = {}
    for move in drawing.steps:
        last[move.card, move.row] = move.after
    wanted = {(card.index, None): card.adjoint for card in drawing.nodes}
    wanted |= {(c.index, k): row.grad for c in drawing.nodes for k, row in enumerate(c.rows) if row.leaf is not None}
    assert last == wanted


@pytest.mark.parametrize("name", LOOPS)
def test_the_program_has_the_numbers_of_every_turn(name):
    f, start, _ = LOOPS[name]
    drawing = draw(f, engine="builtin", **start)
    builder = drawing.builder
    found = live(builder.root, builder.names)
    asked = [found.at(kind, node) for loop in builder.loops for node in loop.place for kind in ("value", "total")]
    numbers = found.numbers()
    wanted = [x for loop in builder.loops for node in loop.place for x in (node.data, builder.adjoints[node])]
    assert [numbers[i] for i in asked] == wanted


def test_layers_of_a_module_have_boxes_with_short_names_inside():
    model = MLP(2, [3, 2, 1], seed=1)
    root = (model([Value(0.5, "x0"), Value(-1.2, "x1")]) - Value(1.0, "y")) ** 2
    for engine in ("builtin", "auto"):
        drawing = draw(root, params=model, name="L", engine=engine)
        assert [frame.title for frame in drawing.frames] == ["layers[0]", "layers[1]", "layers[2]"]
        assert [len(frame.cards) for frame in drawing.frames] == [6, 4, 1]
        rows_of_first = [row.text for row in drawing.nodes[drawing.frames[0].cards[0]].rows]
        assert rows_of_first == ["w[0][0] × x0", "w[0][1] × x1", "b[0]"]
        assert not [e.label for e in drawing.edges if "layers" in e.label]
        boxes = [(f.x, f.y, f.x + f.width, f.y + f.height) for f in drawing.frames]
        for i, (a, b, c, d) in enumerate(boxes):
            assert all(not (a < r and p < c and b < s and q < d) for p, q, r, s in boxes[:i])
        for card in drawing.nodes:
            for frame, (a, b, c, d) in zip(drawing.frames, boxes, strict=True):
                apart = card.x + card.width <= a or card.x >= c or card.y + card.height <= b or card.y >= d
                assert apart == (card.index not in frame.cards), (card.header, frame.title)


def test_terms_without_a_weight_show_their_value():
    x, y, w = Value(2.0, "x"), Value(3.0, "y"), Value(4.0, "w")
    card = draw(sin(x) * y + w * x + exp(x) + w * y, fold=True, engine="builtin").nodes[-1]
    assert all(row.value for row in card.rows)


# -- in a browser ----------------------------------------------------------------------------------------------------

SHOWN = """(() => {
  const svg = document.querySelector('#stage > div:not([hidden]) svg');
  const ends = (e, kind) => [...e.classList].some(c => c.endsWith('-' + kind));
  const of = g => ['head', 'value', 'grad'].map(kind => [...g.children].find(e => ends(e, kind))?.textContent);
  return [...svg.querySelectorAll('g[id]')].filter(g => /-n\\d+$/.test(g.id)).map(of);
})()"""
SLIDE = "(s => {{ s.value = {}; s.dispatchEvent(new Event('input')); }})(document.querySelectorAll('{}')[{}])"


@pytest.fixture
def tab(browser):
    yield from chromium.quiet(browser)


def agree(tab, drawing, iterations):
    """Every card of the page shows what a fresh picture has for it in these iterations."""
    builder = drawing.builder
    wanted = []
    for card in drawing.nodes:
        node, header = card.node, card.header
        if card.loop is not None:
            node, header = card.iterations[iterations[card.loop]], card.headers[iterations[card.loop]]
        if node.__class__ is float:
            wanted.append([header, builder.number(node), "none"])
        else:
            total = builder.adjoints.get(node)
            wanted.append([header, builder.number(node.data), "none" if total is None else builder.number(total)])
    assert sorted(tab.js(SHOWN)) == sorted(wanted)


@pytest.mark.parametrize("name", ["heron", "series", "two_loops", "layered", "momentum", "taylor", "tent"])
def test_every_turn_shows_the_engines_numbers_wherever_the_leaves_are_pulled(tab, tmp_path, name):
    f, start, _ = LOOPS[name]
    drawing = draw(f, engine="builtin", **start)
    drawing.save(tmp_path / "loop.html")
    tab.go((tmp_path / "loop.html").as_uri())
    shown = [loop.shown for loop in drawing.builder.loops]
    agree(tab, drawing, shown)
    rng = random.Random(name)
    leaves = dict(start)
    for i, key in enumerate(start):
        leaves[key] = round(rng.uniform(0.4, 2.0), 2)
        tab.js(SLIDE.format(leaves[key], ".leaf input[type=number]", i))
        drawing = draw(f, engine="builtin", **leaves)
        for iteration in (0, len(drawing.builder.loops[0].iterations) - 1, 2):
            tab.js(SLIDE.format(iteration + 1, "#choice input", 0))
            agree(tab, drawing, [iteration, *shown[1:]])
    assert tab.js("document.querySelector('#choice output').textContent") == drawing.builder.loops[0].title(2)
    tab.key("Home")
    for _ in range(tab.js("Number(document.getElementById('slider').max)") - 1):  # through all steps of this iteration
        tab.key("ArrowRight")
    agree(tab, drawing, [2, *shown[1:]])  # after the last, each card has its total
    tab.key("End")
    tab.screenshot(tmp_path / "loop.png")
    tab.js("(s => { s.value = 1; s.dispatchEvent(new Event('change')); })(document.querySelector('#choice select'))")
    opened = draw(f, engine="builtin", fold=False, **leaves)
    assert len(tab.js(SHOWN)) == len(opened.nodes)
    agree(tab, opened, [])


def forgetful(x):
    """What flows back to an iteration depends on the leaf; to the last one, which is the result, there is always 1."""
    for _ in range(6):
        x = relu(x) - 0.5
    return x


def test_what_one_turn_lacks_is_not_taken_from_the_turn_that_is_drawn(tab, tmp_path):
    drawing = draw(forgetful, x=3.5, engine="builtin")
    drawing.save(tmp_path / "loop.html")
    tab.go((tmp_path / "loop.html").as_uri())
    (loop,) = drawing.builder.loops
    for x in (3.5, 1.25):
        tab.js(SLIDE.format(x, ".leaf input[type=number]", 0))
        drawing = draw(forgetful, x=x, engine="builtin")
        for iteration in range(len(loop.iterations)):
            tab.js(SLIDE.format(iteration + 1, "#choice input", 0))
            agree(tab, drawing, [iteration])
    slots = tab.js("JSON.parse(document.getElementById('data').textContent).views[0].slots")
    assert any(
        "n" in iteration for slot in slots for iteration in slot.get("iterations", ())
    )  # so some iterations have it and others have not
    assert not any("n" in slot for slot in slots if "iterations" in slot)


def test_where_the_first_of_two_loops_is_left_out_the_other_is_still_told(tab, tmp_path):
    with pytest.warns(GraphTooLargeWarning):
        drawing = draw(two_loops, x=0.3, engine="builtin", max_nodes=3)
    assert [frame.loop for frame in drawing.frames] == [1]
    drawing.save(tmp_path / "loop.html")
    tab.go((tmp_path / "loop.html").as_uri())
    assert tab.js("document.querySelectorAll('#choice input').length") == 1
    (loop,) = (drawing.builder.loops[frame.loop] for frame in drawing.frames)
    drawing.nodes.remove(next(card for card in drawing.nodes if card.node is None))  # what was left out
    for iteration in range(len(loop.iterations)):
        tab.js(SLIDE.format(iteration + 1, "#choice input", 0))
        shown = [card for card in tab.js(SHOWN) if "more" not in card[0]]
        wanted = [c.headers[iteration] if c.headers else c.header for c in drawing.nodes]
        assert sorted(card[0] for card in shown) == sorted(wanted)
    for key in ("Home", "ArrowRight", "ArrowRight", "End", "ArrowLeft"):
        tab.key(key)
        assert "undefined" not in tab.js("document.getElementById('line').textContent")


def test_a_page_that_shows_nothing_of_its_loops_works(tab, tmp_path):
    with pytest.warns(GraphTooLargeWarning):
        drawing = draw(two_loops, x=0.3, engine="builtin", max_nodes=1)  # nor is there room for the loops opened
    assert not drawing.frames
    drawing.save(tmp_path / "loop.html")
    tab.go((tmp_path / "loop.html").as_uri())
    assert tab.js("document.documentElement.classList.contains('scripted')")
    tab.key("ArrowLeft")


def test_the_gradients_of_each_result_can_be_chosen(tab, tmp_path):
    def results(w, b):
        h = Value(w, "w") * 3.0 + Value(b, "b")
        p, q = h * h, sin(h) * h
        return p, q

    p, q = results(2.0, 1.0)
    draw([p, q], engine="builtin").save(tmp_path / "two.html")
    tab.go((tmp_path / "two.html").as_uri())
    assert tab.js("document.getElementById('name').textContent") == "p"
    tab.js("(s => { s.value = 1; s.dispatchEvent(new Event('change')); })(document.querySelector('#choice select'))")
    assert tab.js("document.getElementById('name').textContent") == "q"
    tab.js(SLIDE.format(0.7, ".leaf input[type=number]", 0))
    p, q = results(0.7, 1.0)
    q.backward()
    w = next(row for row in tab.js(SHOWN) if row[0] == "w")
    leaf = next(node for node in graph.order([q]) for node in graph.operands(node) if getattr(node, "name", "") == "w")
    assert w == ["w", "0.7", f"{leaf.grad:.4g}".replace("-", "−")]
    assert tab.js("document.querySelector('.leaf .of').textContent") == "dq/dw ="
    tab.click("#descend")
    assert tab.js("document.getElementById('steps').textContent") == "step 1"


@pytest.mark.parametrize("name", LOOPS)
def test_the_products_of_the_paths_add_up_through_the_turns(tab, tmp_path, name):
    f, start, _ = LOOPS[name]
    drawing = draw(f, engine="builtin", **start)
    drawing.save(tmp_path / "loop.html")
    tab.go((tmp_path / "loop.html").as_uri())
    prefix = tab.js("document.querySelector('#stage > div:not([hidden]) svg').id")
    listed = 0
    for card in drawing.nodes:
        tab.js(f"document.getElementById('{prefix}-n{card.index}').focus()")
        tab.key("Enter")
        lines = tab.js("[...document.querySelectorAll('#products li')].map(e => e.lastChild.textContent.trim())")
        said = tab.js("document.getElementById('sum').textContent")
        tab.key("Escape")
        assert said.partition(", with what")[0].rpartition("= ")[2].rpartition("together ")[2] == card.adjoint
        assert lines
        if "paths" in said or "elsewhere" in said:
            continue
        products = [math.prod(number(part.strip("()")) for part in line.partition(" = ")[0].split(" × ")) for line in lines]
        assert sum(products) == pytest.approx(number(card.adjoint), rel=2e-2, abs=1e-3)  # of factors of four digits
        listed += 1
    assert listed > 2


def test_the_page_of_a_loop_asks_no_layout_that_takes_long_and_writes_its_program_once(monkeypatch, recwarn):
    sources = []
    real = to_js.source
    monkeypatch.setattr(to_js, "source", lambda program, name: sources.append(name) or real(program, name))
    asked = []
    placing = dot.place
    monkeypatch.setattr(dot, "place", lambda cards, *more: asked.append(len(cards)) or placing(cards, *more))
    drawing = draw(heron, a=2.0, z=1.0)
    drawing.html()
    assert sources == ["run", "value"]
    assert max(asked, default=0) == (7 if drawing.engine == "dot" else 0)  # not the loop opened: each iteration uses one leaf
    assert not recwarn.list
