"""The JavaScript backend under node: every row and its partials against Python, what it covers and what it refuses."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from importlib import resources
from typing import Any

import pytest

from autograd_lite import Op, Value, errors, ops
from autograd_lite.compiler import to_js
from autograd_lite.compiler.lowering import COMPARISONS, CONTROL, FUNCTIONS, PAIRS
from autograd_lite.compiler.recorded import program_of
from autograd_lite.ops import expm1, gt, where
from autograd_lite.program import Instruction, Program
from tests.compiler import cases, node
from tests.same import same_bits

if node.find() is None:
    pytest.skip("no node on PATH: apt-get install nodejs", allow_module_level=True)

ULP = 4.0
# The rows whose last digits are not C's: units in the last place, at most 1e-13 of the result or of its largest term
LOOSE = {"digamma": 64.0}
# Their slopes: 4, and where they are made of what Math has not as in C, or of terms that cancel, 16; 16 is that of gelu
LOOSE_SLOPES = dict.fromkeys(
    ["gelu", "polygamma", "gamma", "lgamma", "unit", "direction", "over_square", "sinc_derivative", "cbrt"], 16.0
)
CASES = cases.cases()
IDS = [f"{op.name}-{arity}" for op, arity in CASES]


def test_the_words_cover_the_vocabulary() -> None:
    k = to_js.JsWords()
    for word in (*FUNCTIONS, *PAIRS, *COMPARISONS, *CONTROL):
        assert callable(getattr(k, word)), word
    assert to_js.WORDS.keys() == {*FUNCTIONS, *PAIRS, *COMPARISONS, *CONTROL} - {"call"}
    with pytest.raises(AttributeError):
        k.sinpi  # noqa: B018


def differences(op: Op, arity: int) -> list[Any]:
    jobs, kinds = [], []
    for varies, points in cases.columns(op, arity):
        places = [i for i in range(arity) if varies[i]]
        if any(i in places for i in cases.SELECTORS.get(op.name, ())) and op.name not in to_js.CALLED:
            continue
        args = tuple(places.index(i) if i in places else x for i, x in enumerate(points[0]))
        program = cases.made(len(places), (op, args), outputs=(len(places),))
        jobs.append((program, [[at[i] for i in places] for at in points]))
        kinds.append((varies, points))
    found = []
    for (varies, points), results in zip(kinds, node.run(jobs), strict=True):
        for at, (got,) in zip(points, results, strict=True):
            wanted = op.forward(*at)
            if not cases.within(op, at, got, wanted, LOOSE.get(op.name, ULP)):
                found.append((at, varies, got, wanted, abs(got - wanted) / math.ulp(wanted)))
    return found


@pytest.mark.parametrize(("op", "arity"), CASES, ids=IDS)
def test_every_row(op: Op, arity: int) -> None:
    found = differences(op, arity)
    assert found[:5] == [], len(found)


def slopes(op: Op, at: Sequence[float]) -> list[Any]:
    """The partials of a row as programs of its arguments, with the arguments that select held."""
    chosen = cases.SELECTORS.get(op.name, {})
    leaves = [x if i in chosen else Value(x) for i, x in enumerate(at)]
    out = (
        op(*leaves)
        if op.gather is None
        else op(leaves)
        if op.name != "dot"
        else op(leaves[: len(at) // 2], leaves[len(at) // 2 :])
    )
    inputs = [leaf for leaf in leaves if isinstance(leaf, Value)]
    partials = [op.partial(i, leaves, out) for i in range(len(at)) if i not in chosen]
    return [program_of(inputs, [d if isinstance(d, Value) else float(d)]) for d in partials]


@pytest.mark.parametrize(("op", "arity"), CASES, ids=IDS)
def test_partials(op: Op, arity: int) -> None:
    """Order 1, at pins, special points and others: as the rows' own functions give it one after the other."""
    chosen = cases.SELECTORS.get(op.name, {})
    groups: dict[Any, list[Any]] = {}
    for at in cases.grid(op, arity):
        groups.setdefault(tuple(x for i, x in enumerate(at) if i in chosen), []).append(at)
    jobs = []
    for points in groups.values():
        inputs = [[x for i, x in enumerate(at) if i not in chosen] for at in points[:400]]
        jobs += [(program, inputs) for program in slopes(op, (*points[0],))]
    found = []
    for (program, points), results in zip(jobs, node.run(jobs), strict=True):
        for at, (got,) in zip(points, results, strict=True):
            (wanted,) = program(at)
            close = (
                got == wanted
                or (got != got and wanted != wanted)
                or abs(got - wanted) <= LOOSE_SLOPES.get(op.name, ULP) * math.ulp(wanted)
            )
            if not close:
                found.append((at, got, wanted, abs(got - wanted) / math.ulp(wanted)))
    assert found[:5] == [], len(found)


def test_the_bounds_hold_for_the_gamma_family_at_many_points() -> None:
    points = [[x] for x in (*(0.37 * i + 0.011 for i in range(400)), *(-0.0137 * i - 0.003 for i in range(1500)))]
    for name in ("gamma", "lgamma", "digamma"):
        op = ops.TABLE[name]
        (results,) = node.run([(cases.made(1, (op, (0,)), outputs=(1,)), points)])
        for (x,), (got,) in zip(points, results, strict=True):
            wanted = op.forward(x)
            assert got == wanted or abs(got - wanted) <= 1e-13 * max(abs(wanted), 1.0 if name != "gamma" else 0.0), (name, x)


@pytest.mark.parametrize(
    ("name", "fault"),
    [("relu", lambda x: where(gt(x, 0.0), x, 0.0)), ("exp", lambda x: (expm1(x) + 1.0) * (1.0 + 4e-15))],
)
def test_a_wrong_lowering_is_noticed(name: str, fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cases.plant(monkeypatch, name, fault)
    assert differences(ops.TABLE[name], 1)


def test_a_users_op_is_refused() -> None:
    softsign = Op("softsign", lambda x: x / (1 + abs(x)), lambda x, out: 1 / (1 + abs(x)) ** 2)
    with pytest.raises(errors.LoweringError, match="op softsign has no formula in JavaScript: build it from functions of"):
        to_js.source(cases.made(1, (softsign, (0,)), outputs=(1,)))


def test_constants_are_written_to_the_bit() -> None:
    constants = (0.1, -0.1, -0.0, 1e300, 5e-324, math.inf, -math.inf, math.nan, -2.0, 3.0)
    program = Program(1, (Instruction(ops.mul, (0, -2.0)),), (1, *constants))
    (((product, *rest),),) = node.run([(program, [[-0.5]])])
    assert product == 1.0
    assert all(map(same_bits, rest, constants))


def test_only_what_is_used_is_written() -> None:
    program = Program(1, (Instruction(ops.sin, (0,)), Instruction(ops.exp, (0,))), (2,))
    assert "sin" not in to_js.source(program)
    assert to_js.runtime(to_js.source(program)) == ""
    assert "LANCZOS" in to_js.runtime("gamma(v0)")
    assert "zeta" not in to_js.runtime("erf(v0)")


def test_the_runtime_has_a_definition_a_paragraph() -> None:
    text = resources.files("autograd_lite.compiler").joinpath("runtime.js").read_text("utf-8")
    assert set(to_js._definitions()) == set(re.findall(r"^(?:function|const) (\w+)", text, re.MULTILINE))
