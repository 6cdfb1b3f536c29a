"""The live page in headless Chromium: every number it shows is the engine's, whatever the leaves are pulled to."""

import math
import random
import warnings

import pytest

from autograd_lite import Op, Value, cos, dot, draw, exp, gamma, gt, log, maximum, ops, optim, relu, sigmoid, sin, tanh, where
from autograd_lite.errors import GradientWarning
from autograd_lite.formula.printer import grouped
from autograd_lite.nn import MLP
from tests.drawing import chromium
from tests.drawing.chromium import number
from tests.drawing.hostile import HOSTILE


def network(*numbers):
    """A small network whose weights are the leaves."""
    model = MLP(2, [3, 1], seed=3)
    leaves = [p for _, p in model.named_parameters()]
    for leaf, x in zip(leaves, numbers, strict=False):
        leaf.data = x
    return (model([0.5, -1.2]) - 1.0) ** 2, leaves


def loop(a, z):
    for _ in range(5):
        z = 0.5 * (z + a / z)
    return z


FORMULAS = {
    "squared_error": (lambda w, x, b, y: (w * x + b - y) ** 2, (2.0, 3.0, 1.0, 10.0)),
    "reuse": (lambda x: x * x + x, (3.0,)),
    "two_paths": (lambda x, y: x * y + sin(x), (1.2, 0.7)),
    "kink": (lambda x, y: abs(x - 2.0) + relu(y) * maximum(x, y), (2.0, -1.0)),
    "where": (lambda x, y: where(x - y, x * y, exp(x)), (1.0, 2.0)),
    "dot": (lambda a, b, c: dot([a, b, c], [b, c, 0.5]) / (1.0 + a * a), (1.0, 2.0, -3.0)),
    "logistic": (lambda w, x, b: log(sigmoid(w * x + b)), (0.5, 2.0, -1.0)),
    "power": (lambda x, y: x**y + tanh(x / y), (2.0, 3.0)),
    "loop": (loop, (2.0, 1.0)),
}


def built(name, numbers):
    """The formula at these numbers, drawn, and its leaves."""
    if name == "network":
        root, leaves = network(*numbers)
        return draw(root, params=dict(zip([f"p{i}" for i in range(len(leaves))], leaves, strict=True)), fold=True), leaves
    f, start = FORMULAS[name]
    leaves = [Value(x, "abcdefgh"[i]) for i, x in enumerate(numbers or start)]
    return draw(f(*leaves), engine="builtin"), leaves


@pytest.fixture
def page(browser):
    yield from chromium.quiet(browser)


def opened(page, tmp_path, drawing):
    path = tmp_path / "page.html"
    drawing.save(path)
    page.go(path.as_uri())
    return page


SLIDE = "(s => {{ s.value = {}; s.dispatchEvent(new Event('input')); }})(document.querySelectorAll('{}')[{}])"
NUMBERS = """(() => {
  const svg = document.querySelector('#stage > div:not([hidden]) svg'), of = (g, kind) =>
    [...(g?.children ?? [])].find(e => e.classList.contains('g-' + kind))?.textContent ?? null;
  const all = [...svg.querySelectorAll('g[id]')].map(g => [g.id.slice(svg.id.length + 1), g]);
  const what = (id, g) => id[0] === 'l' ? g.querySelector('text').textContent
    : id[0] === 'e' ? Number(g.querySelector('.g-line').getAttribute('stroke-width')) : [of(g, 'value'), of(g, 'grad')];
  return Object.fromEntries(all.map(([id, g]) => [id, what(id, g)]));
})()"""


def shown(page):
    return page.js(NUMBERS)


def agree(page, drawing):
    """Every number on the page is the one of a fresh picture."""
    numbers = shown(page)
    for card in drawing.nodes:
        assert numbers[f"n{card.index}"] == [card.value, card.adjoint], card.header
        for k, row in enumerate(card.rows):
            if row.leaf is not None:
                assert numbers[f"n{card.index}-r{k}"] == [row.value, row.grad]
            elif row.value:
                assert numbers[f"n{card.index}-r{k}"][0] == row.value
    for edge in drawing.edges:
        folded = any(
            card.rows or card.iterations for card in drawing.nodes
        )  # what flows to a row or in other iterations has no line
        if edge.contribution is not None and not folded:
            assert numbers[f"e{edge.index}"] == pytest.approx(max(edge.weight, 0.6), abs=0.051)
        if "nan" in edge.label or "no flow" in edge.label:
            assert numbers[f"l{edge.index}"] == edge.label
        elif edge.label and edge.contribution is not None and f"l{edge.index}" in numbers:
            assert numbers[f"l{edge.index}"].rpartition(" ")[2].strip("()") == edge.label.rpartition(" ")[2].strip("()")


@pytest.mark.parametrize("name", [*FORMULAS, "network"])
def test_every_number_is_the_engines_wherever_the_leaves_are_pulled(page, tmp_path, name):
    start = FORMULAS[name][1] if name in FORMULAS else ()
    drawing, leaves = built(name, start)
    opened(page, tmp_path, drawing)
    agree(page, drawing)
    rng = random.Random(name)
    for i in range(len(leaves)):
        slider = f"document.querySelectorAll('.leaf input[type=range]')[{i}]"
        page.js(f"(s => {{ s.value = {rng.uniform(-3.0, 5.0)}; s.dispatchEvent(new Event('input')); }})({slider})")
        numbers = page.js("[...document.querySelectorAll('.leaf input[type=number]')].map(e => Number(e.value))")
        if name == "network":  # fields show six digits, the weights have more until they are pulled
            numbers = [n if k <= i else leaf.data for k, (n, leaf) in enumerate(zip(numbers, leaves, strict=True))]
        agree(page, built(name, numbers)[0])


def engine(name, numbers):
    """The result at these numbers and its leaves, by the engine alone."""
    if name == "network":
        return network(*numbers)
    leaves = [Value(x) for x in numbers]
    return FORMULAS[name][0](*leaves), leaves


@pytest.mark.parametrize("name", [*FORMULAS, "network"])
def test_ten_steps_down_are_ten_steps_of_sgd(page, tmp_path, name):
    drawing, leaves = built(name, () if name == "network" else None)
    opened(page, tmp_path, drawing)
    numbers = [leaf.data for leaf in leaves]
    for _ in range(10):
        page.click("#descend")
        root, leaves = engine(name, numbers)
        root.backward()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GradientWarning)  # of a leaf that no gradient reaches
            optim.SGD(leaves, lr=0.01).step()
        numbers = [leaf.data for leaf in leaves]
    agree(page, built(name, numbers)[0])
    assert page.js("document.getElementById('steps').textContent") == "step 10"


@pytest.mark.parametrize("name", [*FORMULAS, "network"])
def test_secants_and_tangents_are_the_engines(page, tmp_path, name):
    drawing, leaves = built(name, () if name == "network" else FORMULAS[name][1])
    opened(page, tmp_path, drawing)
    numbers = [leaf.data for leaf in leaves]
    for i, exponent in enumerate([-1, -3, -2, -4, 0.3, -1, -2, -3, -4, 0.3, -1, -2, -3][: len(leaves)]):
        page.js(SLIDE.format(exponent, "#h", 0))
        page.js(f"document.querySelectorAll('.leaf input[type=range]')[{i}].focus()")
        h = float(page.js("Number((10 ** Number(document.getElementById('h').value)).toPrecision(2))"))
        root, leaves = engine(name, numbers)
        root.backward()
        ahead = engine(name, [x + h * (k == i) for k, x in enumerate(numbers)])[0].data
        secant, slope = (ahead - root.data) / h, leaves[i].grad
        said = page.js("document.getElementById('secant').textContent").rpartition("/ h = ")[2]
        rise, _, taken = said.partition(" → ")
        card = page.js(f"document.querySelectorAll('.leaf output')[{i}].textContent")
        assert taken == card  # "none" included
        shown = [number(rise), 0.0 if taken == "none" else number(taken)]
        assert shown == pytest.approx([secant, slope], rel=6e-4, abs=1e-9)
        lines = page.js("['tangent', 'secant'].map(c => document.querySelector('#curve .' + c).getAttribute('d'))")
        (flat, rise), (_, other) = ([float(b) - float(a) for a, b in zip(*ends, strict=True)] for ends in map(ends_of, lines))
        if max(abs(rise), abs(other)) < 9e4:  # what leaves the picture is cut off there
            assert (
                rise == pytest.approx(0.0, abs=0.21)
                if slope == 0.0
                else rise * secant == pytest.approx(other * slope, rel=5e-2, abs=0.5 * abs(slope) + 0.5 * abs(secant))
            )
        assert flat > 100


def ends_of(path):
    """The two ends of a line."""
    return [point.split(" ") for point in path.removeprefix("M").split("L")]


def test_the_update_is_written_out(page, tmp_path):
    opened(page, tmp_path, built("squared_error", None)[0])
    assert page.js("document.querySelector('#updates li').textContent") == "a: 2 − 0.01·(−18) = 2.18"


def test_secant_and_tangent(page, tmp_path):
    x = Value(5.0, "x")
    f = x * x
    f.name = "f"
    opened(page, tmp_path, draw(f))
    said = "document.getElementById('secant').textContent"
    page.js("(s => { s.value = -2; s.dispatchEvent(new Event('input')); })(document.getElementById('h'))")
    assert page.js(said) == "(f(x + h) − f(x)) / h = 10.01 → 10"
    page.js("(s => { s.value = -14; s.dispatchEvent(new Event('input')); })(document.getElementById('h'))")
    h = 1e-14
    assert page.js(said).split("= ")[1].split(" ")[0] == f"{((5.0 + h) * (5.0 + h) - 25.0) / h:.4g}"
    assert "rounding" in page.js("document.getElementById('really').textContent")
    page.js("(s => { s.value = -17; s.dispatchEvent(new Event('input')); })(document.getElementById('h'))")
    assert "h is lost" in page.js("document.getElementById('really').textContent")


def test_every_row_of_a_long_list_is_written_in_view_or_not(page, tmp_path):
    numbers = [0.25 * i for i in range(60)]
    opened(page, tmp_path, draw(dot([Value(x, f"p{i}") for i, x in enumerate(numbers)], numbers) ** 2.0, engine="builtin"))
    page.js(SLIDE.format(-4.0, ".leaf input[type=number]", 0))
    total = sum(x * x for x in numbers[1:]) - 0.0 * 4.0
    slopes = page.js("[...document.querySelectorAll('.leaf output')].map(e => e.textContent)")
    assert [number(slope) for slope in slopes] == pytest.approx([2.0 * total * x for x in numbers], rel=1e-3)
    fields = page.js("[...document.querySelectorAll('.leaf input[type=number]')].map(e => Number(e.value))")
    assert fields == [-4.0, *numbers[1:]]


def test_a_guard_is_named_though_the_result_is_the_leaf_itself(page, tmp_path):
    opened(page, tmp_path, draw(lambda x, y: x if x > y else y, x=2.0, y=1.0))
    note = "(e => e.hidden ? '' : e.textContent)(document.getElementById('note'))"
    assert page.js(note) == ""
    page.js(SLIDE.format(3.0, ".leaf input[type=number]", 1))
    assert "the code would now go another way (x > y was true)" in page.js(note)


def test_what_raising_a_leaf_does(page, tmp_path):
    opened(page, tmp_path, built("squared_error", None)[0])
    said = page.js("document.getElementById('really').textContent")
    assert said.endswith("by about −1.8; really by −1.71.")
    assert said.startswith("Raising a by 0.1 changes ")


def test_a_kink_shows_both_sides(page, tmp_path):
    x = Value(0.0, "x")
    f = abs(x)
    f.name = "f"
    drawing = draw(f)
    assert drawing.nodes[-1].kink == "kink: −1 | 1, taken 0"
    opened(page, tmp_path, drawing)
    said = "document.getElementById('really').textContent"
    assert page.js(said) == "Kink: the slope is −1 from the left and 1 from the right; 0 is taken."
    assert page.js("document.querySelectorAll('#curve .side').length") == 2
    pill = "getComputedStyle(document.querySelector('#stage > div:not([hidden]) .g-kink')).display"
    assert page.js(pill) != "none"
    page.js("(s => { s.value = 1; s.dispatchEvent(new Event('input')); })(document.querySelector('.leaf input[type=number]'))")
    assert page.js(pill) == "none"
    assert page.js("document.querySelectorAll('#curve .side').length") == 0


def test_a_rate_that_diverges_ends_in_a_sentence(page, tmp_path):
    opened(page, tmp_path, built("squared_error", None)[0])
    page.js("(s => { s.value = 5; s.dispatchEvent(new Event('input')); })(document.getElementById('ratefield'))")
    page.js("document.getElementById('speed').max = 1000; document.getElementById('speed').value = 1000")
    page.click("#run")
    page.wait("document.getElementById('verdict').textContent.includes('overshoot')")
    assert page.js("document.getElementById('run').textContent") == "Run"
    assert not any("nan" in str(numbers) for numbers in shown(page).values())
    page.click("#reset")
    agree(page, built("squared_error", None)[0])


def test_paths_of_a_card(page, tmp_path):
    drawing, _ = built("reuse", (3.0,))
    opened(page, tmp_path, drawing)
    p = page.js("document.querySelector('#stage > div:not([hidden]) svg').id")
    page.js(f"document.getElementById('{p}-n0').focus()")
    page.key("Enter")
    lines = page.js("[...document.querySelectorAll('#products li')].map(e => e.textContent.split(' ').slice(-5).join(' '))")
    assert sorted(line.rpartition("= ")[2].split()[-1] for line in lines) == ["1", "3", "3"]
    assert page.js("document.getElementById('sum').textContent").endswith("= 7")
    assert page.js("document.querySelectorAll('#stage .on').length") > 0
    page.key("Escape")
    assert page.js("document.getElementById('paths').hidden")


def test_the_page_of_the_squared_error_is_small():
    w, x, b, y = Value(2.0, "w"), Value(3.0, "x"), Value(1.0, "b"), Value(10.0, "y")
    loss = (w * x + b - y) ** 2
    loss.name = "L"
    assert len(draw(loss, params={"w": w, "b": b}, engine="builtin").html().encode()) <= 60_000


def test_hostile_names_stay_text(page, tmp_path):
    leaves = [Value(0.5 + i / 8, name) for i, name in enumerate(HOSTILE.values())]
    root = where(leaves[0] - leaves[1], leaves[0], leaves[1]) * sum((sin(leaf) * leaf for leaf in leaves), 0.0)
    root.name = "</style><script>window.pwned=1</script>"
    opened(page, tmp_path, draw(root, fold=False, engine="builtin"))
    for i in range(len(leaves)):
        page.js(SLIDE.format(0.25 * i, ".leaf input[type=number]", i))
        page.js(f"document.querySelectorAll('.leaf input[type=number]')[{i}].focus()")
        name = page.js(f"document.querySelectorAll('.name')[{i}].textContent")
        assert page.js("document.getElementById('over').textContent") == name
    page.click("#descend")
    page.js("document.getElementById('stage').focus()")
    for key in ("Home", "ArrowRight", "End", "ArrowLeft"):
        page.key(key)
    card = "document.querySelector('#stage > div:not([hidden]) g[id$=-n0]')"
    page.js(f"{card}.dispatchEvent(new MouseEvent('click', {{bubbles: true}}))")
    assert page.js("document.getElementById('products').children.length") > 0
    assert page.js("window.pwned") is None
    assert page.js("document.querySelectorAll('img, iframe, #side script, a').length") == 0
    assert page.events("Page.javascriptDialogOpening") == []
    assert len(page.events("Network.requestWillBeSent")) <= 2


def test_numbers_are_written_as_python_writes_them(page, tmp_path):
    rng = random.Random(1)
    numbers = [0.0, 1000.5, 1001.5, 0.00012345, 0.000012345, 99995.0, 1e300, 5e-324, 12345.0, 2.5, math.pi, 9.9995, 1e16]
    numbers += [rng.choice((-1, 1)) * 10.0 ** rng.uniform(-12.0, 12.0) for _ in range(200)]
    leaves = [Value(x, f"x{i}") for i, x in enumerate(numbers)]
    drawing = draw(sum(leaf * 2.0 for leaf in leaves), fold=False, max_nodes=None, labels="none", engine="builtin")
    opened(page, tmp_path, drawing)
    page.js("(s => { s.value = 1; s.dispatchEvent(new Event('input')); })(document.querySelector('.leaf input[type=number]'))")
    leaves[0].data = 1.0
    texts = shown(page)
    for card in drawing.nodes:
        if card.kind != "interior" and card.node.name != "x0" and card.node.op is None:
            assert texts[f"n{card.index}"][0] == card.value


def branching(w, b):
    if w > b:
        return w * b
    return w - b


def test_a_branch_that_would_go_another_way_is_named(page, tmp_path):
    opened(page, tmp_path, draw(branching, w=2.0, b=1.0))
    note = "document.getElementById('note')"
    assert page.js(f"{note}.hidden")
    pull = "(s => {{ s.value = {}; s.dispatchEvent(new Event('input')); }})(document.querySelector('.leaf input[type=number]'))"
    page.js(pull.format(0.5))
    line = branching.__code__.co_firstlineno + 1
    assert page.js(f"{note}.textContent") == (
        f"At test_live.py:{line} the code would now go another way (w > b was true): the picture still shows the way it took."
    )
    page.js(pull.format(3))
    assert page.js(f"{note}.hidden")


def compared(w, b):
    return w * w if w > b * 2.0 else w * 3.0


def test_a_leaf_that_is_only_compared_can_be_pulled_too(page, tmp_path):
    opened(page, tmp_path, draw(compared, w=2.0, b=0.5))
    assert page.js("[...document.querySelectorAll('.leaf')].map(e => e.children[1].textContent)") == ["w", "b"]
    assert page.js("document.querySelectorAll('.leaf')[1].lastChild.textContent") == "none"
    page.js(SLIDE.format(1.5, ".leaf input[type=number]", 1))
    line = compared.__code__.co_firstlineno + 1
    assert page.js("document.getElementById('note').textContent") == (
        f"At test_live.py:{line} the code would now go another way (w > (b × 2) was true): the picture still shows the way it "
        "took."
    )


@pytest.mark.parametrize(
    ("f", "x", "said"),
    [
        (lambda x: log(x) * x, -1.0, "f is nan here: there is no way down from it."),
        (lambda x: exp(x * 800.0), 1.0, "f is ∞ here: there is no way down from it."),
        (lambda x: x**0.5 - 1.0, 0.0, "A slope is ∞ here: there is no way down from it."),
    ],
)
def test_no_step_where_there_is_no_slope(page, tmp_path, f, x, said):
    opened(page, tmp_path, draw(f, name="f", x=x))
    page.click("#descend")
    assert page.js("document.getElementById('verdict').textContent") == said
    assert page.js("document.getElementById('steps').textContent") == "step 0"
    page.js(SLIDE.format(0.5, ".leaf input[type=number]", 0))
    page.click("#reset")


def test_a_program_that_cannot_be_emitted_says_why(page, tmp_path):
    own = Op("softsign", lambda x: x / (1 + abs(x)), lambda x, out: 1 / (1 + abs(x)) ** 2)
    x = Value(3.0, "x")
    drawing = draw(own(x) * 2.0, name="f", engine="builtin")
    opened(page, tmp_path, drawing)
    assert page.js("document.getElementById('note').textContent") == (
        "The numbers of this page stay as they are: op softsign has no formula in JavaScript: build it from functions of the "
        "library."
    )
    assert page.js("document.getElementById('side').hidden")
    agree(page, drawing)
    page.key("Home")
    page.key("ArrowRight")
    assert page.js("document.getElementById('line').textContent") == "v1 = softsign(x) = softsign(3) = 0.75"


def test_steps_of_what_was_not_taken_when_it_was_drawn(page, tmp_path):
    x = Value(-1.0, "x")
    f = relu(x) + x * 2.0
    f.name = "f"
    opened(page, tmp_path, draw(f, engine="builtin"))
    page.js("(s => { s.value = 3; s.dispatchEvent(new Event('input')); })(document.querySelector('.leaf input[type=number]'))")
    page.js("document.getElementById('stage').focus()")
    page.key("End")
    page.key("ArrowLeft")
    assert page.js("document.getElementById('line').textContent").endswith(" = 3")
    assert page.js("document.getElementById('line').textContent").startswith("df/dx: ")
    assert shown(page)["n0"] == ["3", "3"]


PULL = """(pulls => { const fields = document.querySelectorAll('.leaf input[type=number]');
  for (const [i, x] of pulls) { fields[i].value = x; fields[i].dispatchEvent(new Event('input')); } })"""


def pull(page, *pulls):
    """Leaves to numbers, by their places."""
    page.js(f"{PULL}({[[i, repr(x)] for i, x in pulls]})")


LOWEST = 1.4616321449683622  # of gamma
SPECIAL = [0.0, 1.0, -1.0, 2.0, 0.5, math.pi / 2, 1e-300, 1e308, -1e308]
ROWS = [op for op in ops.TABLE.values() if op.name in ops.PUBLIC]


@pytest.mark.parametrize("group", range(8))
def test_every_op_at_special_points_and_others(page, tmp_path, group):
    """The sum of some ops, each of leaves of its own: each has the slope 1 there, whatever the others are."""
    rng = random.Random(group)

    def drawn(numbers):
        given, terms, leaves = iter(numbers), [], []
        for op in ROWS[group::8]:
            args = [x if i in op.settings else Value(next(given), f"x{len(leaves)}.{i}") for i, x in enumerate(op.example)]
            leaves.extend(a for a in args if isinstance(a, Value))
            result = op(*grouped(op, args))
            terms += [result] if isinstance(result, Value) else []
        return draw(sum(terms), name="r", engine="builtin", fold=False, max_nodes=None, labels="full"), leaves

    numbers = [x for op in ROWS[group::8] for i, x in enumerate(op.example) if i not in op.settings]
    drawing, leaves = drawn(numbers)
    opened(page, tmp_path, drawing)
    order = page.js("[...document.querySelectorAll('.leaf .name')].map(e => e.textContent)")
    for _ in range(4):
        numbers = [rng.choice([rng.choice(SPECIAL), rng.uniform(-4.0, 4.0)]) for _ in numbers]
        places = {leaf.name: x for leaf, x in zip(leaves, numbers, strict=True)}
        pull(page, *((i, places[name]) for i, name in enumerate(order)))
        agree(page, drawn(numbers)[0])


def test_where_nothing_flows_the_same_word_is_everywhere(page, tmp_path):
    def f(x, y, n):
        return relu(x) * y + x**n

    opened(page, tmp_path, draw(f, x=-1.0, y=2.0, n=0.0))
    gradients = "[...document.querySelectorAll('.leaf output')].map(e => e.textContent)"
    assert page.js(gradients) == ["none", "0", "nan"]
    line = "document.getElementById('line').textContent"
    assert page.js(line) == "Done: df/dx = none, df/dy = 0, df/dn = nan."
    assert page.js("[...document.querySelectorAll('#updates li')].map(e => e.textContent)") == [
        "y: 2 − 0.01·0 = 2", "n: 0 − 0.01·nan = nan",
    ]  # fmt: skip
    page.js("document.getElementById('stage').focus()")
    page.key("End")
    seen = []
    for _ in range(6):
        page.key("ArrowLeft")
        seen.append(page.js(line))
        assert shown(page)["n0"][1] in ("none", "·")
    assert "Nothing flows from v1 = relu(x) to x." in seen
    pull(page, (2, 2.0))
    page.key("End")
    assert page.js(line).startswith("Done: df/dx = −2, df/dy = 0")
    page.key("Home")
    for _ in range(40):
        page.key("ArrowRight")
        if page.js(line) == "df/dx: −2 (base) + none (through ReLU) = −2":
            break
    else:
        raise AssertionError("the sum never names what is none")


def test_numbers_at_the_ends_of_the_doubles_leave_the_charts_drawn(page, tmp_path):
    f = draw(lambda x, y: where(x - 1.0, x * 1.0, y) - y, name="f", x=2.0, y=1.0)
    opened(page, tmp_path, f)
    for x in (1e308, -1e308, 5e-324, 1.7e308, 0.0):
        pull(page, (0, x), (1, -x))
        page.click("#descend")
    opened(page, tmp_path, draw(lambda x, y: where(0.0, x, y) * 1.0 + y, name="f", x=math.nan, y=math.inf))
    opened(page, tmp_path, draw(lambda x: x * 0.5, name="f", x=math.inf))


def test_no_kink_is_told_where_a_smooth_curve_is_at_its_lowest(page, tmp_path):
    opened(page, tmp_path, built("squared_error", [3.0, 3.0, 1.0, 10.0])[0])
    said = "document.getElementById('really').textContent"
    for i in range(4):
        page.js(f"document.querySelectorAll('.leaf input[type=range]')[{i}].focus()")
        assert page.js(said).startswith("Raising ")
    for f, at in ((lambda x: x**2.0 + cos(x), {"x": 0.0}), (lambda x, y: x**y, {"x": 0.0, "y": 2.0}), (gamma, {"x": LOWEST})):
        drawing = draw(f, name="f", **at)
        assert not any(card.kink for card in drawing.nodes)
        opened(page, tmp_path, drawing)
        assert page.js(said).startswith("Raising ")
        assert page.js("document.querySelectorAll('.g-kink:not(.off)').length") == 0
    for f in (
        lambda x: 1e-9 * abs(x - 1.0) + x * x - 2.0 * x,
        lambda x: maximum(x, 1.0) * 1e6,
        lambda x: where(gt(x, 1.0), x, 3.0 * x),
    ):
        opened(page, tmp_path, draw(f, name="f", x=1.0))
        assert page.js(said).startswith("Kink: ")


def test_a_step_writes_the_formula_of_a_slope_only_where_it_has_one(page, tmp_path):
    line = "document.getElementById('line').textContent"
    opened(page, tmp_path, draw(log, name="f", x=2.0))
    for x, said in ((2.0, "df/dx = df/df × 1/x = 1 × 0.5 = 0.5"), (-1.0, "df/dx = df/df = 1 × nan = nan")):
        pull(page, (0, x))
        page.js("document.getElementById('stage').focus()")
        page.key("End")
        page.key("ArrowLeft")
        assert page.js(line) == said
    assert draw(log(Value(-1.0, "x")), name="f").steps[-1].line == "df/dx = df/df = 1 × nan = nan"


@pytest.mark.parametrize(
    ("f", "rate", "said"),
    [
        (lambda x: -x * x, 0.5, "falls without end on this way: it has no lowest value there."),
        (lambda x: x * 1e12, 1.0, "falls without end on this way: it has no lowest value there."),
        (
            lambda x: x**4.0 - 3.0 * x * x,
            5.0,
            "with the rate 5 the steps overshoot further each time. Lower the rate and press Reset.",
        ),
        (
            lambda x: exp(x) + x * x,
            3.0,
            "with the rate 3 the steps overshoot further each time. Lower the rate and press Reset.",
        ),
    ],
)
def test_a_descent_that_leaves_the_numbers_says_which_way(page, tmp_path, f, rate, said):
    opened(page, tmp_path, draw(f, name="f", x=1.5))
    page.js(SLIDE.format(rate, "#ratefield", 0))
    for _ in range(60):
        page.js("document.getElementById('descend').click()")
    verdict = page.js("document.getElementById('verdict').textContent")
    assert verdict.startswith("Step ")
    assert verdict.endswith(said)
    assert not any("nan" in str(numbers) for numbers in shown(page).values())
