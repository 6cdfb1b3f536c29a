"""Explanations: the text by hand, the paths, the kinks and their slopes, LaTeX that compiles, names that can do no harm."""

from __future__ import annotations

import itertools
import math
import re
from functools import partial
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_lite as al
from autograd_lite import Op, Value, detect_anomaly, explain
from autograd_lite.errors import InputTypeError, InputValueError
from autograd_lite.formula import texmath
from autograd_lite.ops import TABLE
from tests import same as numbers

same = partial(numbers.same, rel=1e-6)


def test_the_result_has_the_name_that_draw_gives_it() -> None:
    w = Value(2.0, "w")
    loss = (w * 3.0 - 7.0) ** 2
    assert str(explain(loss)).startswith("loss = 1: ")
    assert list(explain(loss).names.values())[-1] == list(al.draw(loss).builder.names.values())[-1] == "loss"
    again = loss  # two variables hold it: neither is its name
    assert str(explain(again)).startswith("result = 1: ")
    assert str((w * Value(5.0, "result")).explain()).startswith("v1 = 10: ")


# -- text -------------------------------------------------------------------------------------------------------------


def line_squared() -> Value:
    w, x, b, y = Value(2.0, "w"), Value(3.0, "x"), Value(1.0, "b"), Value(10.0, "y")
    loss: Value = (w * x + b - y) ** 2
    loss.name = "L"
    return loss


SQUARE_OF_A_LINE = """\
L = 9: 4 operations, 4 leaves

forward
  v1 = w × x  = 6
  v2 = v1 + b = 7
  v3 = v2 − y = −3
  L  = v3²    = 9

backward
  dL/dv3 += dL/dL·∂L/∂v3   = 1 × (−6)  → −6    ∂L/∂v3 = 2·v3
  dL/dv2 += dL/dv3·∂v3/∂v2 = −6 × 1    → −6
  dL/dy  += dL/dv3·∂v3/∂y  = −6 × (−1) → 6
  dL/dv1 += dL/dv2·∂v2/∂v1 = −6 × 1    → −6
  dL/db  += dL/dv2·∂v2/∂b  = −6 × 1    → −6
  dL/dw  += dL/dv1·∂v1/∂w  = −6 × 3    → −18   ∂v1/∂w = x
  dL/dx  += dL/dv1·∂v1/∂x  = −6 × 2    → −12   ∂v1/∂x = w

gradients
  w = 2    dL/dw = −18
  x = 3    dL/dx = −12
  b = 1    dL/db = −6
  y = 10   dL/dy = 6"""


def test_the_square_of_a_line() -> None:
    loss = line_squared()
    assert str(loss.explain()) == SQUARE_OF_A_LINE
    assert loss.grad == 0.0
    assert repr(loss.explain()) == str(explain(loss))


SQUARE = """\
result = 9: 1 operation, 1 leaf

forward
  result = x × x = 9

backward
  dresult/dx += dresult/dresult·∂result/∂x (first factor)  = 1 × 3 → 3           ∂result/∂x = x
  dresult/dx += dresult/dresult·∂result/∂x (second factor) = 1 × 3 → 3 + 3 = 6   ∂result/∂x = x

gradients
  x = 3   dresult/dx = 6"""


def test_an_operand_used_twice_takes_two_steps_and_a_running_sum() -> None:
    x = Value(3.0, "x")
    assert str(explain(x * x)) == SQUARE


def two_paths() -> tuple[Value, Value]:
    x = Value(2.0, "x")
    a, b = x * x, 5.0 * x
    a.name, b.name = "a", "b"
    f: Value = a * b
    f.name = "f"
    return f, x


TWO_PATHS = """\
f = 40: 3 operations, 1 leaf

forward
  a = x × x = 4
  b = 5 × x = 10
  f = a × b = 40

paths from f to x: 3
  ∂f/∂a·∂a/∂x (first factor)  = 10 × 2 = 20
  ∂f/∂a·∂a/∂x (second factor) = 10 × 2 = 20
  ∂f/∂b·∂b/∂x                 = 4 × 5  = 20
  df/dx = 60"""


def test_paths_to_one_leaf() -> None:
    f, x = two_paths()
    assert str(f.explain(of="x")) == TWO_PATHS
    explained = explain(f, of=x)
    assert [p.value for p in explained.paths] == [20.0, 20.0, 20.0]
    assert (explained.path_count, explained.total) == (3, 60.0)


def test_running_sums_that_go_down() -> None:
    x = Value(0.5, "x")
    text = str(explain(x - 3.0 * x))
    assert "→ 1 − 3 = −2" in text or "→ −3 + 1 = −2" in text


def test_where_takes_one_operand_only() -> None:
    c, a, b = Value(1.0, "c"), Value(2.0, "a"), Value(3.0, "b")
    text = str(explain(al.where(c, a, b)))
    assert "dresult/da += dresult/dresult·∂result/∂a = 1 × 1 → 1   ∂result/∂a = [c ≠ 0]" in text
    assert "dresult/db +=" not in text
    assert re.search(r"b = 3 +dresult/db = not reached", text)


def test_a_leaf_explains_itself() -> None:
    x = Value(3.0, "x")
    assert str(explain(x)) == "x = 3: 0 operations, 1 leaf\n\ngradients\n  x = 3   dx/dx = 1"
    assert [p.value for p in explain(x, of=x).paths] == [1.0]
    assert "= 1 = 1" in str(explain(x, of=x))
    check_latex(str(explain(x, format="latex")))
    check_latex(str(explain(x, format="latex", of=x)))


def test_digits() -> None:
    x = Value(1 / 3, "x")
    assert "x = 0.33 " in str(explain(x * x, digits=2))
    assert "x = 0.33333333 " in str(explain(x * x, digits=8))


def test_special_numbers() -> None:
    text = str(explain(al.log(Value(0.0, "x")) * 0.0))
    assert "v1 = log(x) " in text
    assert "= −∞" in text
    assert "= nan" in text


# -- sizes ------------------------------------------------------------------------------------------------------------


def test_a_long_chain_is_explained_without_recursion_and_cut() -> None:
    x = y = Value(1.0, "x")
    for _ in range(5000):
        y = al.sin(y)
    explained = y.explain(of=x)
    assert (len(explained.steps), explained.path_count, len(explained.paths[0].steps)) == (5000, 1, 5000)
    assert explained.paths[0].value == pytest.approx(explained.total, rel=1e-12)
    assert str(explained).count("\n") < 250
    assert re.search(r"∂y/∂v4999·.*·∂v4995/∂v4994·…·∂v6/∂v5·.*·∂v1/∂x = [0-9. ×]+ × … × [0-9. ×]+ = ", str(explained))
    text = str(y.explain())
    assert "… 4800 more operations" in text
    assert "… 4800 more steps" in text
    assert "… 4997 more steps" in str(y.explain(max_steps=3))
    check_latex(str(y.explain(format="latex", max_steps=3)))
    check_latex(str(y.explain(format="latex", of=x, max_steps=3)))


def test_paths_are_counted_without_walking_them() -> None:
    x = y = Value(1.0, "x")
    for _ in range(60):
        y = y + y
    explained = y.explain(of=x)
    assert (explained.path_count, explained.total, len(explained.paths)) == (2**60, 2.0**60, 20)
    assert "paths from y to x: about 10^18" in str(explained)
    assert "more paths" in str(explained)
    for _ in range(20_000):
        y = y + y
    assert "about 10^6038" in str(y.explain(of=x, max_steps=1))
    check_latex(str(y.explain(of=x, max_steps=1, format="latex")))


def test_few_paths_more_are_counted() -> None:
    f, _ = two_paths()
    assert "… 1 more path\n" in str(f.explain(of="x", max_paths=2))
    assert "… 2 more paths\n" in str(f.explain(of="x", max_paths=1))


def test_paths_to_an_inner_node_and_to_one_no_gradient_reaches() -> None:
    f, x = two_paths()
    inner = f.args[0]
    assert [p.value for p in f.explain(of=inner).paths] == [10.0]
    chosen = al.where(Value(1.0, "c"), x, Value(5.0, "other"))
    explained = chosen.explain(of="other")
    assert (explained.path_count, explained.paths, explained.total) == (0, [], None)
    assert "dchosen/dother = no gradient" in str(explained)
    check_latex(str(chosen.explain(of="other", format="latex")))


def test_paths_end_at_the_node_asked_for() -> None:
    x = Value(2.0, "x")
    a = x * 3.0
    root = a * a
    assert (root.explain(of=a).path_count, root.explain(of=x).path_count) == (2, 2)


OPERATIONS = st.tuples(st.integers(0, 50), st.integers(0, 50), st.sampled_from([al.add, al.mul, al.sub]))


@given(st.lists(OPERATIONS, min_size=1, max_size=9))
def test_paths_add_up_to_the_gradient(program: list[tuple[int, int, Any]]) -> None:
    nodes = [Value(2.0, "x"), Value(-3.0, "y")]
    for i, j, op in program:
        nodes.append(op(nodes[i % len(nodes)], nodes[j % len(nodes)]))
    root = nodes[-1]
    for leaf in nodes[:2]:
        if leaf in {a for n in nodes for a in n.args if a is leaf} and leaf in explain(root).names:
            explained = root.explain(of=leaf, max_paths=10_000)
            if explained.path_count <= 10_000:
                assert len(explained.paths) == explained.path_count
                if explained.total is not None:
                    assert math.fsum(p.value for p in explained.paths) == pytest.approx(explained.total, rel=1e-12)


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: explain(3.0), InputTypeError, r"root=3\.0 must be a Value"),
        (lambda: explain(Value(1.0), format="html"), InputValueError, r"format='html' must be \"text\" or \"latex\""),
        (lambda: explain(Value(1.0), digits=0), InputValueError, r"digits=0 must be a whole number, at least 1"),
        (lambda: explain(Value(1.0), max_steps=None), InputValueError, r"max_steps=None must be a whole number"),
        (lambda: explain(two_paths()[0], of="y"), InputValueError, r"of='y' is not among .*: x, a, b, f"),
        (lambda: explain(two_paths()[0], of=Value(2.0)), InputValueError, r"of=Value\(.*\) is not among"),
        (lambda: explain(Value(1.0, "x") * Value(2.0, "x"), of="x"), InputValueError, r"name of 2 Values: give the Value"),
    ],
)
def test_messages(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


# -- kinks ------------------------------------------------------------------------------------------------------------

KINKS: list[tuple[str, tuple[float, ...], str, list[tuple[float, float]]]] = [
    # op, where, the row's words, and (left, right) slope of each operand; nan where there is nothing on that side
    ("relu", (0.0,), "x = 0", [(0.0, 1.0)]),
    ("abs", (0.0,), "x = 0", [(-1.0, 1.0)]),
    ("abs", (-0.0,), "x = 0", [(-1.0, 1.0)]),
    ("leaky_relu", (0.0, 0.1), "x = 0", [(0.1, 1.0), (0.0, 0.0)]),
    ("elu", (0.0, 2.0), "x = 0", [(2.0, 1.0), (0.0, 0.0)]),
    ("maximum", (3.0, 3.0), "x = y", [(0.0, 1.0), (0.0, 1.0)]),
    ("minimum", (0.1, 0.1), "x = y", [(1.0, 0.0), (1.0, 0.0)]),
    ("maximum", (1e200, 1e200), "x = y", [(0.0, 1.0), (0.0, 1.0)]),
    ("clamp", (0.0, 0.0, 1.0), "x = low", [(0.0, 1.0), (0.0, 1.0), (0.0, 0.0)]),
    ("clamp", (1.0, 0.0, 1.0), "x = high", [(1.0, 0.0), (0.0, 0.0), (1.0, 0.0)]),
    ("clamp", (2.0, 1.0, 1.0), "low = high", [(0.0, 0.0), (0.0, 0.0), (1.0, 1.0)]),
    ("sqrt", (0.0,), "x = 0", [(nan, inf)]),
    ("cbrt", (0.0,), "x = 0", [(inf, inf)]),
    ("pow", (0.0, 1.5), "x = 0 and y is not 0, 1, 2, ...", [(nan, 0.0), (0.0, 0.0)]),
    ("pow", (0.0, 0.5), "x = 0 and y is not 0, 1, 2, ...", [(nan, inf), (0.0, 0.0)]),
    ("log", (0.0,), "x = 0", [(nan, inf)]),
    ("log2", (0.0,), "x = 0", [(nan, inf)]),
    ("log10", (0.0,), "x = 0", [(nan, inf)]),
    ("log1p", (-1.0,), "x = -1", [(nan, inf)]),
    ("inverse", (0.0,), "x = 0", [(nan, -inf)]),
    ("pow_derivative", (0.0, 2.0, 1.0, 0.0), "x <= 0", [(2.0, 2.0), (0.0, 0.0)]),
    ("share", (0.0, inf), "x = 0 and y is not finite", [(nan, nan), (nan, nan)]),  # infinite beside it: no slope
    ("asin", (1.0,), "x = 1", [(inf, nan)]),
    ("asin", (-1.0,), "x = -1", [(nan, inf)]),
    ("acos", (1.0,), "x = 1", [(-inf, nan)]),
    ("acos", (-1.0,), "x = -1", [(nan, -inf)]),
    ("acosh", (1.0,), "x = 1", [(nan, inf)]),
    ("atanh", (1.0,), "x = 1", [(inf, nan)]),
    ("atanh", (-1.0,), "x = -1", [(nan, inf)]),
    ("div", (1.0, 0.0), "y = 0", [(nan, nan), (-inf, -inf)]),
    ("muldiv", (1.0, 2.0, 0.0), "z = 0", [(nan, nan), (nan, nan), (-inf, -inf)]),
    ("tan", (math.pi / 2,), "x = π/2 + kπ", [(inf, inf)]),
    ("floor", (2.0,), "x is whole", [(0.0, 0.0)]),
    ("ceil", (2.0,), "x is whole", [(0.0, 0.0)]),
    ("trunc", (2.0,), "x is whole", [(0.0, 0.0)]),
    ("round", (2.5, 0.0), "x is half way", [(0.0, 0.0)]),
    ("sign", (0.0,), "x = 0", [(0.0, 0.0)]),
    ("heaviside", (0.0, 0.5), "x = 0", [(0.0, 0.0), (1.0, 1.0)]),
    ("copysign", (0.0, 1.0), "x = 0", [(-1.0, 1.0), (0.0, 0.0)]),
    ("copysign", (2.0, 0.0), "y = 0", [(1.0, 1.0), (0.0, 0.0)]),
    ("floordiv", (6.0, 2.0), "x/y is whole", [(0.0, 0.0), (0.0, 0.0)]),
    ("mod", (6.0, 2.0), "x/y is whole", [(1.0, 1.0), (-3.0, -2.0)]),
    ("fmod", (6.0, 2.0), "x/y is whole", [(1.0, 1.0), (-3.0, -2.0)]),
    ("hypot", (0.0, 0.0, 0.0), "all are 0", [(-1.0, 1.0)] * 3),
    ("unit", (0.0, 0.0), "all are 0", [(0.0, 0.0)] * 2),
    ("direction", (0.0, 0.0, 0.0), "all are 0", [(0.0, 0.0)] * 2),
    ("over_square", (0.0, 0.0), "all are 0", [(-inf, -inf), (0.0, 0.0)]),
    ("atan2", (0.0, -1.0), "y = 0 and x <= 0", [(-1.0, -1.0), (0.0, 0.0)]),
    ("gamma", (-2.0,), "x = 0, -1, -2, ...", [(-inf, -inf)]),
    ("lgamma", (-2.0,), "x = 0, -1, -2, ...", [(inf, -inf)]),
    ("digamma", (-2.0,), "x = 0, -1, -2, ...", [(inf, inf)]),
    ("polygamma", (1.0, -2.0), "x = 0, -1, -2, ...", [(inf, -inf)]),
    ("remainder", (3.0, 2.0), "x/y is half way", [(1.0, 1.0), (-2.0, -1.0)]),
    ("influence", (1.0, 0.0), "y = 0", [(0.0, 0.0), (0.0, 0.0)]),
    ("xdivy", (1.0, 0.0), "y = 0", [(nan, nan), (nan, -inf)]),
    ("xlogy", (1.0, 0.0), "y = 0", [(nan, nan), (nan, inf)]),
    ("xlog1py", (1.0, -1.0), "y = -1", [(nan, nan), (nan, inf)]),
    ("logit", (0.0,), "x = 0", [(nan, inf)]),
    ("logit", (1.0,), "x = 1", [(inf, nan)]),
    *[(name, (1.0, 1.0), "x = y", [(0.0, 0.0), (0.0, 0.0)]) for name in ("lt", "le", "gt", "ge", "eq", "ne")],
]  # fmt: skip


@pytest.mark.parametrize(("name", "at", "text", "slopes"), KINKS, ids=[f"{k[0]}{k[1]}" for k in KINKS])
def test_kinks_and_their_one_sided_slopes(name: str, at: tuple[float, ...], text: str, slopes: Any) -> None:
    op = TABLE[name]
    args = tuple(x if i in TABLE[name].settings else Value(x, "abc"[i]) for i, x in enumerate(at))
    node = Value._record(op, args)
    (kink,) = (k for k in explain(node).kinks if k.text == text)
    assert kink.node is node
    assert kink.operands == at
    assert kink.reached
    found = [(s.left, s.right) for s in kink.slopes]
    assert all(same(a, b) for pair, wanted in zip(found, slopes, strict=True) for a, b in zip(pair, wanted, strict=True)), found
    assert [s.operand for s in kink.slopes] == [a for a in args if isinstance(a, Value)]
    assert f"{name} has no derivative where {text}" in str(explain(node))
    check_latex(str(explain(node, format="latex")))


def test_every_kink_of_the_table_has_an_example() -> None:
    assert {(name, text) for name, _, text, _ in KINKS} == {(op.name, k.text) for op in TABLE.values() for k in op.kinks}


SMOOTH = {"relu": (1.0,), "pow": (0.0, 2.0), "atan2": (0.0, 1.0), "mod": (6.5, 2.0), "round": (2.4, 0.0), "gamma": (-2.5,),
          "tan": (1.5,), "clamp": (0.5, 0.0, 1.0), "copysign": (1.0, 1.0), "hypot": (0.0, 1.0, 0.0)}  # fmt: skip


@pytest.mark.parametrize("name", SMOOTH)
def test_no_kinks_elsewhere(name: str) -> None:
    args = tuple(x if i in TABLE[name].settings else Value(x) for i, x in enumerate(SMOOTH[name]))
    assert explain(Value._record(TABLE[name], args)).kinks == []


@pytest.mark.parametrize("op", [op for op in TABLE.values() if op.kinks], ids=lambda op: op.name)
@pytest.mark.parametrize("x", [inf, -inf, nan])
def test_infinities_and_nan_do_not_disturb(op: Op, x: float) -> None:
    at = (x,) * (op.arity or 3)
    if op.name == "direction":
        at = (1.0, *at[1:])
    elif op.settings:
        at = (2.0, *at[1:]) if op.name == "polygamma" else (x, *(1.0,) * (len(at) - 1))
    args = tuple(v if i in op.settings else Value(v) for i, v in enumerate(at))
    assert str(explain(Value._record(op, args)))


def test_jumps_are_told() -> None:
    text = str(explain(al.floor(Value(2.0, "x"))))
    assert "∂result/∂x: 0 on the left, 0 on the right, 0 used, jumps from 1 to 2" in text
    assert "jumps" not in str(explain(al.relu(Value(0.0))))
    assert "∂result/∂x: −∞ on the left, −∞ on the right, −∞ used, jumps from −∞ to ∞" in str(explain(1.0 / Value(0.0, "x")))


def test_lines_are_known_under_detect_anomaly_and_asked_for_without() -> None:
    x = Value(0.0, "x")
    with detect_anomaly():
        root = al.relu(x) * 2.0
    (kink,) = explain(root).kinks
    line = test_lines_are_known_under_detect_anomaly_and_asked_for_without.__code__.co_firstlineno + 3
    assert kink.where == f"test_explanation.py:{line}"
    assert str(explain(root)).endswith(f"""
kinks
  v1 = relu(x) = 0   (test_explanation.py:{line})
      relu has no derivative where x = 0
      ∂v1/∂x: 0 on the left, 1 on the right, 0 used""")
    assert rf"\text{{kink (test\_explanation.py:{line}): }}" in str(explain(root, format="latex"))
    (kink,) = explain(al.relu(x)).kinks
    assert kink.where is None
    assert "build the graph under detect_anomaly()" in str(explain(al.relu(x)))


def test_kinks_that_no_gradient_passes_are_marked() -> None:
    x = Value(0.0, "x")
    root = al.where(x > 0, al.sqrt(x), x) + al.where(x, al.sqrt(x), 2.0 * x)
    (kink,) = explain(root).kinks
    assert (kink.node.op.name, kink.reached) == ("sqrt", False)
    assert "not used: no gradient passes here" in str(explain(root))


def test_a_users_op_that_raises_beside_its_kink() -> None:
    at_zero = al.ops.Kink("x = 0", lambda x: x == 0.0)
    rough = Op("rough", lambda x: math.log(x) if x else 0.0, 0.0, kinks=[at_zero])
    ((slopes,),) = (k.slopes for k in explain(rough(Value(0.0))).kinks)
    assert math.isnan(slopes.left)


# -- LaTeX ------------------------------------------------------------------------------------------------------------

COMMANDS = set(
    re.findall(
        "[A-Za-z]+",
        """frac partial cdot times sqrt left right text operatorname mathit mathrel begin end ln sin cos tan sinh cosh
        tanh exp max min arcsin arccos arctan log infty ldots cdots quad le ge ne pi varphi sigma lfloor rfloor lceil rceil
        lVert rVert langle rangle sum prod bmod textbackslash textasciicircum textasciitilde textless textgreater
        textbar textasciigrave Gamma psi alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho
        tau upsilon phi chi omega Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega""",
    )
)
SYMBOLS = set("\\{}$&#%_ ")  # what may follow a backslash by itself


def check_latex(text: str) -> None:
    """Balanced braces, environments and \\left ... \\right, known commands only, nothing special in \\text, plain ASCII."""
    assert text.isascii()
    assert text.startswith("\\begin{align*}\n")
    assert text.endswith("\n\\end{align*}")
    environments, groups, fences = [], [], 0
    in_text = 0
    i = 0
    last = ""  # the piece before, to see double scripts
    while i < len(text):
        c = text[i]
        if c == "\\":
            word = re.compile(r"[A-Za-z]+").match(text, i + 1)
            if word is None:
                assert text[i + 1] in SYMBOLS, text[i : i + 10]
                i += 2
                continue
            name = word[0]
            assert name in COMMANDS, name
            i = word.end()
            if name in ("begin", "end"):
                which = re.compile(r"\{(align\*|cases)\}").match(text, i)
                assert which is not None
                i = which.end()
                if name == "begin":
                    environments.append(which[1])
                else:
                    assert environments.pop() == which[1]
            elif name in ("left", "right"):
                assert re.compile(r"[()\[\]|]|\\[lr](?:floor|Vert)\b").match(text, i), text[i : i + 10]
                fences += 1 if name == "left" else -1
                assert fences >= 0
            elif name == "text" and text[i] == "{":
                groups.append(in_text)
                in_text = 1
                i += 1
            continue
        if c == "{":
            groups.append(in_text)
        elif c == "}":
            in_text = groups.pop()
        elif in_text:
            assert c not in "$&#%_^~", text[max(0, i - 20) : i + 20]
        else:
            assert c not in "$#%~", text[max(0, i - 20) : i + 20]
            assert not (c in "_^" and last == c)
        last = c
        i += 1
    assert (environments, groups, fences) == ([], [], 0)
    for row in text.splitlines()[1:-1]:
        plain = re.sub(r"\\begin\{cases\}.*?\\end\{cases\}", "", row.replace(r"\&", ""))
        assert plain.count("&") == 1, row
        assert not re.search(r"\\\\\s*\[", row)
        scripts = re.sub(r"\\text\{(?:[^{}\\]|\\[{}\\$&#%_ ]|\\text[a-z]+\{\})*\}", "T", row)
        assert not re.search(r"[_^](?:\w|\{[^{}]*\})[_](?:\w|\{)|\^(?:\w|\{[^{}]*\})\^", scripts), row


@pytest.mark.parametrize("bad", [
    r"\begin{align*} \end{align*}", "\\begin{align*}\nx &= {1\n\\end{align*}",
    "\\begin{align*}\nx &= \\input{a}\n\\end{align*}",
    "\\begin{align*}\nx &= \\left(1\n\\end{align*}", "\\begin{align*}\nx &= \\text{a_b}\n\\end{align*}",
    "\\begin{align*}\nx &= 1 % no\n\\end{align*}", "\\begin{align*}\nx^{2}^{3} &= 1\n\\end{align*}",
    "\\begin{align*}\nx &= 1 & 2\n\\end{align*}", "\\begin{align*}\nx &= é\n\\end{align*}",
])  # fmt: skip
def test_the_checker_of_latex_notices(bad: str) -> None:
    with pytest.raises(AssertionError):
        check_latex(bad)


IN_LATEX = r"""\begin{align*}
  v_{1} &= x \cdot w_{1} = -6 \\
  L &= v_{1} + x = -3 \\
  T{L}{v_{1}} += T{L}{L} \cdot D{L}{v_{1}} = 1 \cdot 1 = 1 \\
  T{L}{x} += T{L}{L} \cdot D{L}{x} = 1 \cdot 1 = 1 \\
  T{L}{x} += T{L}{v_{1}} \cdot D{v_{1}}{x} = 1 \cdot w_{1} = 1 \cdot \left(-2\right) = -2,\quad 1 - 2 = -1 \\
  T{L}{w_{1}} += T{L}{v_{1}} \cdot D{v_{1}}{w_{1}} = 1 \cdot x = 1 \cdot 3 = 3
\end{align*}"""


def test_latex_by_hand() -> None:
    x, w1 = Value(3.0, "x"), Value(-2.0, "w1")
    loss = x * w1 + x
    loss.name = "L"
    latex = str(explain(loss, format="latex")).replace(r"&\mathrel{+}=", "+=")
    latex = re.sub(r"\\frac\{d ([^ ]+)\}\{d ([^ ]+)\}(?= |$)", r"T{\1}{\2}", latex)
    assert re.sub(r"\\frac\{\\partial ([^ ]+)\}\{\\partial ([^ ]+)\}(?= |$)", r"D{\1}{\2}", latex) == IN_LATEX


def test_factors_of_one_operand_in_two_places_are_told_apart() -> None:
    a = Value(3.0, "a")
    b = a * a
    c = b * b
    for form in ("text", "latex"):
        lines = [line for line in str(explain(c, of=a, format=form)).splitlines() if "27" in line]
        assert len(lines) == len(set(lines)) == 4


@pytest.mark.parametrize("op", TABLE.values(), ids=TABLE)
def test_every_row_in_latex(op: Op) -> None:
    at = op.example
    for names in (["a", "b", "c", "d"], ["w_1", "layer.0", "x^2", "\\q"]):
        args = tuple(x if i in op.settings else Value(x, names[i]) for i, x in enumerate(at))
        check_latex(str(explain(Value._record(op, args), format="latex")))
    for constant in range(len(at)) if len(at) > 1 else ():
        kept = op.settings
        args = tuple(x if i in kept else -x if i == constant else Value(x) for i, x in enumerate(at))
        if any(isinstance(a, Value) for a in args):
            check_latex(str(explain(Value._record(op, args), format="latex")))


def test_many_arguments_in_latex() -> None:
    xs = [Value(float(i), f"x_{i}") for i in range(20)]
    for root in (al.sum(xs), al.hypot(*xs), al.softmax(xs)[11], al.dot(xs, xs), al.logsumexp(xs)):
        check_latex(str(explain(root, format="latex")))


def test_a_users_rows_in_latex() -> None:
    odd = [
        Op("a_b_c", lambda x: x, 1.0), Op("f", lambda x: x, lambda x, out: 2.0, edges="(]{{ {0} # $"),
        Op("g", lambda x: x, lambda x, out: 2.0, edges="100 % of {0} & more_ \\end"),
    ]  # fmt: skip
    for op in odd:
        check_latex(str(explain(op(Value(1.0, "x")), format="latex")))


HOSTILE = [
    "}", "{", "\\", "$", "&", "#", "%", "_", "^", "~", "a_b_c", "x^2^3", "\\input{/etc/passwd}", "\\end{align*}", "$x$", "a&b",
    "a\\\\b", "%comment", "\\\n[1]", "^^5c", "\u202eevil\u202c", "\u2066x\u2069", "\x1b[2J\x1b]0;owned\x07", "a\nb", "a\r\nb",
    "\x00", "é", "学习", "\ud800", "<script>", "`id`", "\"quoted\"", "'", "|x|", "{0}", "{out}", "%s",
    "\U000f0000", "\U0010fffd",
    "x" * 500, "w_{1}", "alpha", "θ_1", "Ω", " ", "-1", "1e5", "∂", "\u200b", "\u0301",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_hostile_names_do_nothing(name: str) -> None:
    x, y = Value(0.5, name), Value(2.0, name + "2")
    root = al.relu(x * y - 1.0) + x**3 + al.sigmoid(y)
    root.name = name
    latex = str(explain(root, format="latex"))
    check_latex(latex)
    check_latex(str(explain(root, format="latex", of=x)))
    assert "passwd" not in latex or r"\input" not in latex
    for text in (str(explain(root)), str(explain(root, of=x)), str(explain(root, of=y))):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff]", text)
        assert len(text.splitlines()) == text.count("\n") + 1 < 60
        assert max(map(len, text.splitlines())) < 400


@given(st.text(max_size=60), st.sampled_from([al.mul, al.div, al.atan2, al.maximum, al.pow, al.hypot]))
def test_any_name_compiles(name: str, op: Any) -> None:
    check_latex(str(explain(op(Value(0.5, name), Value(0.5, name[::-1])), format="latex")))


@pytest.mark.parametrize(
    ("name", "tex"),
    [
        ("w", "w"), ("w1", "w_{1}"), ("w_12", "w_{12}"), ("loss", r"\mathit{loss}"), ("x_in", r"x_{\mathit{in}}"),
        ("x_i", "x_{i}"),
        ("theta", r"\theta"), ("θ", r"\theta"), ("theta_0", r"\theta_{0}"), ("a.b", r"\text{a.b}"),
        ("a_b_c", r"\text{a\_b\_c}"),
        ("50%", r"\text{50\%}"), ("", r"\text{}"), ("Ο", r"\text{?}"),
    ],
)  # fmt: skip
def test_names_in_latex(name: str, tex: str) -> None:
    assert texmath.name(name) == tex


def test_notebooks_get_latex_where_it_was_asked_for() -> None:
    f, _ = two_paths()
    assert explain(f)._repr_latex_() is None
    assert explain(f, format="latex")._repr_latex_() == str(explain(f, format="latex"))


def test_wide_names_stay_aligned() -> None:
    x, y = Value(1.0, "学习率"), Value(2.0, "b")
    lines = str(explain(x * y)).splitlines()
    leaves = lines[lines.index("gradients") + 1 :]
    widths = [sum(2 if ord(c) > 0x2E80 else 1 for c in line.split("=")[0]) for line in leaves]
    assert len(set(widths)) == 1


def test_all_pairs_of_formats_and_targets_work_on_networks() -> None:
    model = al.nn.MLP(2, [3, 1], seed=1)
    loss = (model([0.5, -0.25]) - 1.0) ** 2
    for form, of in itertools.product(("text", "latex"), (None, model.parameters()[0])):
        text = str(explain(loss, format=form, of=of))
        if form == "latex":
            check_latex(text)


@pytest.mark.parametrize(("f", "x", "formula"), [(al.log, -1.0, "1/x"), (al.sqrt, -2.0, "2"), (al.atanh, 3.0, "x²")])
def test_no_formula_is_claimed_where_an_operand_is_outside_the_domain(f: Any, x: float, formula: str) -> None:
    result = f(Value(x, "x"))
    (step,) = [line for line in str(explain(result)).splitlines() if "+=" in line]
    assert step.endswith("= 1 × nan → nan   outside the domain")
    assert formula not in step
    latex = str(explain(result, format="latex"))
    check_latex(latex)
    assert r"= 1 \cdot \text{nan} = \text{nan}\text{ (outside the domain)}" in latex
    inside = str(explain(f(Value(0.5, "x"))))
    assert "outside" not in inside
    assert formula in inside
