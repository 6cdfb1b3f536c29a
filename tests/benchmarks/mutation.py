"""Mutation testing: break one rule of the op table, or one line of the engine, at a time; does the suite notice?

    python tests/benchmarks/mutation.py [--sample N] [--seed S] [--only TEXT] [--list] [--quiet]

Rows of the table are broken in memory: pytest collects the suite once, and every mutation is tried in a fork of that process,
the tests that know the row first, stopping at the first that fails.  Lines of the engine are broken in a copy of the
repository.  Exit status 1 if a mutation survives.  A mutation that changes no partial at any point tried is no mutation and is
left out.  The library knows nothing of this.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import math
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from math import inf, nan
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import pytest  # noqa: E402

from autograd_lite.ops import TABLE, Op  # noqa: E402

# Where the tests of the table are, and which of them see every row (the others are asked about their own row only).
FILES = [
    "tests/test_conventions.py", "tests/formula/test_notation.py", "tests/formula/test_steps.py", "tests/test_explanation.py",
    "tests/ops/test_limits.py", "tests/ops/test_table.py", "tests/ops/test_accuracy.py",
]  # fmt: skip
OWN_ROW_ONLY = ("tests/ops/test_accuracy.py", "tests/ops/test_table.py")
LAST = ("test_gradients_against_finite_differences",)
NEVER = ("test_planted_faults_are_caught", "test_faults_are_planted", "test_docstrings_run", "5_000", "pickle")


class Mutation(NamedTuple):
    """A change of one row, or of one line of a file."""

    name: str
    row: str = ""
    apply: Callable[[], None] = lambda: None
    file: str = ""
    old: str = ""
    new: str = ""
    tests: tuple[str, ...] = ()


# -- breaking rows ----------------------------------------------------------------------------------------------------

FACTOR = 1.0 + 1e-6
WRONG: dict[str, Callable[[Any], Any]] = {"sign flipped": lambda d: -d, "factor 1 + 1e-6": lambda d: d * FACTOR}
SPECIAL = (nan, inf, -inf, 0.0, -0.0, 1.0, -1.0, 2.0, 3.0, 0.5, 0.4, 0.7, -2.5, 7.5, 1e200, 1e-200, 1e3, -1e3, math.pi / 2)


def rule_of(op: Op, i: int) -> Callable[..., Any]:
    rule = op.partials[i]
    return rule if callable(rule) else lambda *args: rule


def set_partials(op: Op, partials: Sequence[Any], products: Sequence[Any] | None) -> None:
    """What the constructor would have made of these rules."""
    again = Op(op.name, op.forward, tuple(partials), products=products)
    op.partials, op.products, op.kind = again.partials, again.products, again.kind
    op.first, op.second = again.first, again.second


def _where_kinked(op: Op, args: Sequence[float]) -> bool:
    try:
        return op.kinked(*args)
    except (ArithmeticError, ValueError, TypeError, AttributeError):  # nodes, and floor(inf)
        return False


def break_partial(op: Op, i: int, change: Callable[..., Any], which: str = "both") -> None:
    """Argument `i` gets ``change(partial, arguments)``; its product rule follows suit, unless only one of them is meant."""
    if op.rule is not None:
        rule = op.rule
        op.rule = lambda args, out: [change(d, args) if j == i else d for j, d in enumerate(rule(args, out))]
        return
    partials, products = list(op.partials), list(op.products or [None] * len(op.partials))
    old, old_product = rule_of(op, i), products[i]
    if which != "product":
        partials[i] = lambda *a: change(old(*a), a[:-1])
    if which != "partial" and old_product is not None:

        def product(g: Any, *a: Any) -> Any:
            d = old_product(g, *a)
            return None if d is None else change(d, a[:-1])

        products[i] = product
    set_partials(op, partials, products if op.products else None)


def drop_edge(op: Op, i: int) -> None:
    """The gradient does not reach argument `i`."""
    if op.rule is not None:
        break_partial(op, i, lambda d, args: 0.0)
        return
    partials, products = list(op.partials), list(op.products or [None] * len(op.partials))
    partials[i], products[i] = 0.0, None
    set_partials(op, partials, products if any(products) else None)


def swap(op: Op, i: int, j: int) -> None:
    """The rules of two arguments change places."""
    if op.rule is not None:
        rule = op.rule

        def swapped(args: Any, out: Any) -> list[Any]:
            all_of_them = list(rule(args, out))
            if max(i, j) < len(all_of_them):
                all_of_them[i], all_of_them[j] = all_of_them[j], all_of_them[i]
            return all_of_them

        op.rule = swapped
        return
    partials, products = list(op.partials), list(op.products or ()) or None
    partials[i], partials[j] = partials[j], partials[i]
    if products:
        products[i], products[j] = products[j], products[i]
    set_partials(op, partials, products)


def break_forward(op: Op, change: Callable[[float, Sequence[float]], float]) -> None:
    forward = op.forward
    op.forward = lambda *args: change(forward(*args), args)


def nudged(value: float, args: Sequence[float]) -> float:
    return value + 100.0 * math.ulp(value) if math.isfinite(value) else value


def same_point(args: Sequence[Any], at: Sequence[float]) -> bool:
    return len(args) == len(at) and all(
        x.__class__ is float and (x == y or (x != x and y != y)) for x, y in zip(args, at, strict=True)
    )


def another(d: Any) -> Any:
    """A different number, as far from a right one as conventions are from each other."""
    if d.__class__ is not float:
        return d
    return 0.0 if d != d else d + 1.0 + 0.5 * abs(d) if math.isfinite(d) else nan


def size(op: Op) -> int:
    return op.arity if op.arity is not None else 4 if op.settings or op.name == "dot" else 3


def selectors_of(op: Op) -> dict[int, tuple[float, ...]]:
    """The arguments that select a function, and what they are tried with."""
    return {0: (0.0, 1.0)} if op.name == "where" else {i: s.examples[:3] for i, s in op.settings.items()}


def probes(op: Op) -> list[tuple[float, ...]]:
    """Points at which a mutation may show: special ones in every argument, and the row's own pins."""
    draw = random.Random(0)
    selectors = selectors_of(op)

    def point(usual: Callable[[], float]) -> tuple[float, ...]:
        return tuple(draw.choice(selectors[i]) if i in selectors else usual() for i in range(size(op)))

    points = [point(lambda: draw.choice(SPECIAL)) for _ in range(400)]
    points += [point(lambda: round(draw.uniform(0.1, 3.0), 2)) for _ in range(20)]
    return [*points, point(lambda: 0.0), *(pin.at for pin in op.pins)]


def behaviour(op: Op) -> list[Any]:
    """What a row does at all probes."""
    seen: list[Any] = []
    for at in probes(op):
        out = op.forward(*at)
        seen.append(out)
        for i in range(len(at)):
            for ask in (lambda: op.partial(i, at, out), lambda: op.product(i, 2.0, at, out)):  # noqa: B023
                d = ask()
                seen.append(float(d) if d is not None else None)
        seen.append([_where_kinked(op, at)])
    return [x + 0.0 if isinstance(x, float) else x for x in seen]


STATE = ("forward", "rule", "partials", "products", "kind", "first", "second", "kinks", "edges")


def changes_something(mutation: Mutation) -> bool:
    op = TABLE[mutation.row]
    before, state = repr(behaviour(op)), {slot: getattr(op, slot) for slot in STATE}
    try:
        mutation.apply()
        return repr(behaviour(op)) != before or op.edges != state["edges"]
    finally:
        for slot, value in state.items():
            setattr(op, slot, value)


def beside(op: Op, i: int) -> Callable[..., Any]:
    """The partial for argument `i` a little to the right of where it was asked for."""
    rule, forward = rule_of(op, i), op.forward

    def shifted(*a: Any) -> Any:
        args = list(a[:-1])
        args[i] = args[i] + 1e-6 * max(1.0, abs(args[i]))
        return rule(*args, forward(*args))

    return shifted


def move_kink(op: Op, i: int) -> None:
    """Where there is a kink, argument `i` gets the slope of the right-hand side instead of the convention."""
    right = beside(op, i)
    old, old_product = rule_of(op, i), (op.products or {i: None})[i]
    partials, products = list(op.partials), list(op.products or [None] * len(op.partials))
    kinks = op.kinks

    def kinked(args: Sequence[Any]) -> bool:
        if any(x.__class__ is not float for x in args):
            return False
        try:
            return any(kink.holds(*args) for kink in kinks)
        except (ArithmeticError, ValueError):
            return False

    partials[i] = lambda *a: right(*a) if kinked(a[:-1]) else old(*a)
    if old_product is not None:
        products[i] = lambda g, *a: g * right(*a) if kinked(a[:-1]) else old_product(g, *a)
    set_partials(op, partials, products if op.products else None)


def of_row(op: Op) -> Iterator[Mutation]:
    """All mutations of one row."""

    def mutation(what: str, apply: Callable[[], None]) -> Mutation:
        return Mutation(f"{op.name}: {what}", op.name, apply)

    for i in range(size(op)):
        for what, wrong in WRONG.items():
            change = lambda d, args, wrong=wrong: wrong(d)  # noqa: E731
            yield mutation(f"partial {i}, {what}", lambda i=i, change=change: break_partial(op, i, change))
            if op.products is not None and op.products[i] is not None:
                for which in ("partial", "product"):
                    yield mutation(
                        f"partial {i}, {what}, in the {which} rule only",
                        lambda i=i, change=change, which=which: break_partial(op, i, change, which),
                    )
        yield mutation(f"partial {i}, edge dropped", lambda i=i: drop_edge(op, i))
        if op.kinks and op.rule is None:
            yield mutation(f"partial {i}, other slope at the kink", lambda i=i: move_kink(op, i))
    for i, j in itertools.combinations(range(size(op)), 2):
        yield mutation(f"partials {i} and {j} swapped", lambda i=i, j=j: swap(op, i, j))
    yield mutation("forward off by 100 ulp", lambda: break_forward(op, nudged))
    for pin in op.pins:
        at = "(" + ", ".join(f"{x:g}" for x in pin.at) + ")"
        pinned = lambda d, args, pin=pin: another(d) if same_point(args, pin.at) else d  # noqa: E731
        yield mutation(f"value at {at} changed", lambda pinned=pinned: break_forward(op, pinned))
        for i in range(len(pin.at)):
            yield mutation(f"partial {i} at {at} changed", lambda i=i, pinned=pinned: break_partial(op, i, pinned))
    for k, kink in enumerate(op.kinks):

        def forget(k: int = k) -> None:
            op.kinks = op.kinks[:k] + op.kinks[k + 1 :]

        yield mutation(f"kink {kink.text} forgotten", forget)
    for i, edge in enumerate(op.edges):
        if edge not in ("0", "none"):

            def misprint(i: int = i, edge: str = edge) -> None:
                op.edges = (*op.edges[:i], f"-({edge})", *op.edges[i + 1 :])

            yield mutation(f"edge text {i}, sign flipped", misprint)


def relu_one() -> None:
    op = TABLE["relu"]
    break_partial(op, 0, lambda d, args: 1.0 if same_point(args, (0.0,)) else d)
    assert op.products is not None
    (sound,) = op.products
    op.products = (lambda g, x, z: g if x == 0.0 else sound(g, x, z),)  # type: ignore[misc]


# -- breaking the engine ----------------------------------------------------------------------------------------------

VALUE, PROTOCOLS, GRAPH, ADJOINTS, SWEEPS, STEPS, EXPLAIN = (
    f"autograd_lite/{name}.py"
    for name in ("value", "protocols", "graph", "adjoints", "sweeps", "formula/steps", "explanation/parts")
)
ENGINE_TESTS = ("tests/test_value.py", "tests/test_functional.py", "tests/test_promises.py")
CHECK, NUMERICAL = "autograd_lite/gradcheck", "autograd_lite/numerical"
CHECK_TESTS = ("tests/test_gradcheck.py",)
CONTRACT_TESTS = ("tests/test_contract.py", "tests/test_no_influence.py")
TEXT_TESTS = ("tests/formula/test_steps.py", "tests/test_explanation.py", "tests/formula/test_notation.py")


def checks(*names: str) -> tuple[str, ...]:
    """Some tests of the checker, all of which take minutes."""
    return tuple(f"{CHECK_TESTS[0]}::{name}" for name in names)


def line(name: str, file: str, old: str, new: str, *tests: str) -> Mutation:
    return Mutation(f"{Path(file).name}: {name}", file=file, old=old, new=new, tests=tests or ENGINE_TESTS)


ENGINE = [
    line("an infinite derivative is near a finite one", f"{CHECK}/check.py",
         "    if not math.isfinite(a - b):\n        return a == b\n", "",
         *checks("test_infinite_is_not_near_finite_in_any_order_of_modes")),
    line("a steep slope within the finest step is a fault", f"{CHECK}/verdict.py",
         "if verdict.verdict == FAIL and _unresolved(engine, found):", "if False:", *CHECK_TESTS),
    line("no kink of the table is looked at", f"{CHECK}/places.py",
         "if op.kinked(*floats):", "if False:", *CHECK_TESTS),
    line("every slope is too steep to be told", f"{CHECK}/verdict.py", "STEEP = 8.0", "STEEP = 1e300", *CHECK_TESTS),
    line("finer steps may contradict", f"{NUMERICAL}/extrapolate.py",
         "max(a.error, _apart(a, answers[i + 1 :]))", "a.error", *CHECK_TESTS),
    line("central quotients hide what is even", f"{NUMERICAL}/derivative.py",
         'if kind == "smooth" and _lopsided(right, left):', "if False:", *CHECK_TESTS),
    line("flat parts between jumps are flat for sure", f"{NUMERICAL}/derivative.py",
         "error = max(error, _quantum_over_width(probe, x, steps, fast))", "pass", *CHECK_TESTS),
    line("a fail is not heard again", f"{CHECK}/rounding.py",
         "for level, stretch in ((0.0, UNEVEN), (noise, 1.0), (noise, UNEVEN)):", "for level, stretch in ():",
         *checks("test_a_fail_is_heard_again_at_other_steps")),
    line("everything is excused at the second hearing", f"{CHECK}/rounding.py", 'if second.verdict != FAIL:', "if True:",
         *checks("test_a_fail_is_heard_again_at_other_steps")),
    line("a slope that all steps show is excused", f"{CHECK}/rounding.py", "if not seen and 0.0 <", "if 0.0 <",
         *checks("test_wrong_rules_fail_where_values_show_the_derivative")),
    line("a broad flat part may be rounding", f"{NUMERICAL}/derivative.py", "if flat >= BROAD * max(abs(x), 1.0):", "if False:",
         *checks("test_error_bars_cover_what_finer_steps_say", "test_and_wrong_ones_beside_them_do")),
    *(line(name, f"{CHECK}/{file}", old, new, *checks("test_no_right_rule_fails")) for name, file, old, new in (
        ("steps are one float wide", "places.py", "UNSEEN = 2.0**30", "UNSEEN = 1.0"),
        ("a jump of f is no excuse", "rounding.py", 'return jump if found.kind == "jump" else ""', 'return ""'),
        ("rounding swallows nothing", "rounding.py", "<= 2.0 * EPS * abs(found.at):", "< 0.0:"),
        ("the smallest floats keep all digits", "rounding.py", "if whole and 0.0 < abs(x) < sys.float_info.min:", "if False:"),
        ("no reciprocal overflows", "places.py", "if 0.0 < abs(x) < sys.float_info.min:", "if False:"),
    )),
    line("inconclusive is a failure", f"{CHECK}/report.py",
         "if self.failed or (strict and not self.ok):", "if not self.ok:",
         *checks("test_what_cannot_be_told_is_a_failure_only_where_strict")),
    line("strict is not asked", f"{CHECK}/report.py",
         "if self.failed or (strict and not self.ok):", "if self.failed:",
         *checks("test_what_cannot_be_told_is_a_failure_only_where_strict")),
    line("any slope is the limit", f"{CHECK}/limits.py",
         "    return all(abs(slope - engine) <= 2.0 * trust for slope in slopes[1:])", "    return True",
         *checks("test_points_without_neighbours_are_judged_by_what_slopes_tend_to",
                 "test_a_wrong_derivative_does_not_pass_in_the_limit")),
    line("one finite slope is an infinite one", f"{CHECK}/limits.py", "sizes[-1] <= LARGE * sizes[0]", "False",
         *checks("test_slopes_that_stand_are_no_limit_of_0_or_infinity")),
    line("nan is right at every pole", f"{CHECK}/limits.py",
         "if {-inf, inf} == set(map(_infinite, paths)) else", "if True else",
         *checks("test_a_wrong_derivative_does_not_pass_at_a_pole")),
    line("a slope of 0 need not be reached", f"{CHECK}/limits.py", "LARGE * sizes[-1] <= sizes[0]", "True",
         *checks("test_slopes_that_stand_are_no_limit_of_0_or_infinity")),
    line("values of 0 prove nothing", f"{CHECK}/verdict.py", "abs(engine) * found.finest * NEARBY)", "0.0)",
         *checks("test_what_floats_beside_the_point_cannot_show_fails_nobody")),
    line("remainders do not jump", f"{CHECK}/places.py",
         "quotient and math.ulp(floats[0])", "False and math.ulp(floats[0])",
         *checks("test_what_floats_beside_the_point_cannot_show_fails_nobody")),
    line("a place of the table is next to where it says", "autograd_lite/ops/columns.py",
         "return lambda *at: compare(at[i], bound)", "return lambda *at: compare(at[i], bound + 1.0)",
         "tests/ops/test_columns.py"),
    line("a quotient is no whole one", "autograd_lite/ops/columns.py", "1.0 if unit is None else at[unit]", "1.0",
         "tests/ops/test_columns.py"),
    line("memory that somebody has is written to", "autograd_lite/compiler/llvm/results.py",
         " and getrefcount(raw) == getrefcount(mine)", "", "tests/compiler/test_llvm_results.py"),
    line("no machine calls anything", "autograd_lite/compiler/llvm/asked.py", "bool(k.vectors or k.library or k.callbacks)",
         "False", "tests/compiler/test_llvm_asked.py", "tests/compiler/test_llvm_prepare.py"),
    line("rules for floats are not told so", f"{CHECK}/check.py",
         '"would lose its gradient" not in str(error)', "True",
         *checks("test_messages", "test_other_exceptions_pass_through", "test_rules_that_take_floats_only_get_no_allowance")),
    line("two calls need not agree", f"{CHECK}/subject.py", "if a != b and (a == a or b == b):", "if False:",
         *checks("test_messages")),
    line("swapped partials are not recognized", f"{CHECK}/check.py",
         "        rows = swapped(rows, subject.inputs)\n", "", *CHECK_TESTS),
    line("a shared node keeps only the last contribution (first operand)", ADJOINTS,
         "                                if d is not None:\n                                    cell[1] += d\n",
         "                                if d is not None:\n                                    cell[1] = d\n"),
    line("a shared node keeps only the last contribution (general ops)", ADJOINTS,
         "cell[1] = d if cell[1] is UNREACHED else cell[1] + d", "cell[1] = d"),
    line("a shared node keeps only the last contribution (many arguments)", ADJOINTS,
         "                        if d is not None:\n                            cell[1] += d\n",
         "                        if d is not None:\n                            cell[1] = d\n"),
    line("the second operand is forgotten", ADJOINTS, "                a = node._b\n", "                a = 0.0\n"),
    line("the second operand gets the first one's partial", ADJOINTS, "e = op.second\n", "e = op.first\n"),
    line("the current data of a leaf in place of the saved", ADJOINTS,
         "d = g * node._y", "d = g * getattr(node._b, '_data', node._b)"),
    line("a reference is taken for no edge", ADJOINTS, "_ALONE = 3", "_ALONE = 4", "tests/test_adjoints.py"),
    line("nodes that wait in the end are left", ADJOINTS, "if not any(cell[0] > 0 for cell in cells.values())", "if True",
         "tests/test_adjoints.py"),
    line("a rule of the user's is called twice", ADJOINTS, "elif alone and not op.entered:", "elif False:",
         "tests/test_adjoints.py"),
    line("columns begin anywhere", "autograd_lite/tables/column.py", "(_APART * place - at)", "(8 * place)",
         "tests/test_tables.py"),
    line("columns begin at one place of a page", "autograd_lite/tables/column.py", "(_APART * place - at)", "(-at)",
         "tests/test_tables.py"),
    line("settled columns leave their end", "autograd_lite/tables/column.py", "= first, first + count", "= first, count",
         "tests/test_tables.py"),
    line("a changed row has the old slope", "autograd_lite/accelerated.py", 'if name in ("first", "second"):', "if False:",
         "tests/test_adjoints.py"),
    line("the current data of a leaf under create_graph", GRAPH,
         "a if a.__class__ is float or _same(a._data, x) else a._snapshot(x)", "a"),
    line("shared nodes are not counted (first operand)", GRAPH,
         "                        if b in seen:\n                            shared[b] = shared.get(b, 1) + 1\n",
         "                        if b in seen:\n                            pass\n"),
    line("the gradient of the whole is not multiplied by the incoming one", ADJOINTS,
         "contributions(node, g, graph=True)", "contributions(node, 1.0, graph=True)"),
    line("what is not taken gets a zero", ADJOINTS, "op.products[0](g, node._x, node._data)",
         "op.products[0](g, node._x, node._data) or 0.0 * g", *CONTRACT_TESTS),
    line("order: operands may come before all their results", GRAPH,
         "            if waiting[node]:\n                continue\n", "            if False:\n                continue\n"),
    line("the sweep looks beyond the inputs", ADJOINTS,
         "sharing(seeds, stop).items() if node not in stop)", "sharing(seeds, stop).items())"),
    line("forward sweep: only the last term", SWEEPS, "total = t if total is None else total + t", "total = t"),
    line("pull: only the last term", SWEEPS, "adjoint[a] = adjoint[a] + d if a in adjoint else d", "adjoint[a] = d"),
    line("leaves are set in place of added to", VALUE, "    return Value(old + new) if create_graph and not isinstance"
         "(old, Value) else old + new", "    return Value(new) if create_graph and not isinstance(new, Value) else new"),
    line("computed nodes accumulate", VALUE, "chain(totals, grads)), maxlen=0)",
         "chain(totals, [n.grad + g for n, g in zip(nodes, grads)])), maxlen=0)"),
    line("the incoming gradient is ignored", VALUE, "sweeps.reverse({self: gradient}", "sweeps.reverse({self: 1.0}"),
    line("a number on the left is taken for the right operand", VALUE, "        out._data = forward(other, y)\n",
         "        out._data = forward(y, other)\n"),
    line("a sum for a product", VALUE, "op is ops.add, op is ops.mul", "op is ops.mul, op is ops.add"),
    line("a reflected operand is saved on the wrong side", VALUE, "        out._x = other\n        out._y = y = self._data\n",
         "        out._y = other\n        out._x = y = self._data\n"),
    line("the operands of a general op are not saved", VALUE, "                a, x = args, tuple(floats)\n",
         "                a, x = args, args\n"),
    line("data of computed nodes can be set", VALUE, "        if self.op is not None:\n            raise NotALeafError(\n"
         '                f"data of', "        if False:\n            raise NotALeafError(\n"
         '                f"data of'),
    line("detach keeps the graph", VALUE, "        return Value(self._data, self.name)\n", "        return self\n"),
    line("comparison by identity", PROTOCOLS, "outcome = forward(self._data, y)", "outcome = self is other"),
    line("gradients are handed over one by one", VALUE,
         "            deque(map(_set_grad, chain(inputs, nodes), chain(totals, grads)), maxlen=0)",
         "            for n, g in zip(chain(inputs, nodes), chain(totals, grads)):\n                n.grad = g"),
    line("sums start over at every contribution", STEPS, "product if before is None else before + product", "product",
         *TEXT_TESTS[:1]),
    line("a step reports its product as the partial", STEPS, "symbol, partial, product, before",
         "symbol, product, product, before", *TEXT_TESTS),
    line("what is not taken is a step", STEPS, "                if product is None:\n                    continue\n",
         "                if product is None:\n                    product = 0.0\n", *TEXT_TESTS),
    line("paths are counted through the leaf only", EXPLAIN, "count[s.node] = count.get(s.node, 0) + ways",
         "count[s.node] = ways", *TEXT_TESTS),
    line("a path forgets its first partial", EXPLAIN, "math.prod(s.partial for s in taken)",
         "math.prod(s.partial for s in taken[1:])", *TEXT_TESTS),
    line("left and right are swapped", EXPLAIN, "yield Slopes(graph.operands(node)[i], left, right",
         "yield Slopes(graph.operands(node)[i], right, left", *TEXT_TESTS),
    line("lifted numbers are the user's leaves", "autograd_lite/inputs.py",
         "            source = Value(as_float(leaf,",
         "            self.in_graph = True\n            source = Value(as_float(leaf,", *CONTRACT_TESTS),
    line("a flat function hands down a 0", "autograd_lite/ops/choice.py",
         "return g * share if share and share != 1.0 else g if share else None", "return g * share", *CONTRACT_TESTS),
    line("a flat node hands down a 0", "autograd_lite/ops/choice.py",
         "return g * share if share._data and share._data != 1.0 else g if share._data else None" , "return g * share",
         *CONTRACT_TESTS),
    line("compiled code multiplies by the mask", "autograd_lite/ops/choice.py",
         "return Masked(share, True, g * share, loose=trace.is_tame(g))", "return g * share", *CONTRACT_TESTS),
    line("where hands a 0 to what is not taken", "autograd_lite/ops/choice.py", "return g if bool(c) is wanted else None",
         "return g if bool(c) is wanted else g * 0.0", *CONTRACT_TESTS),
    line("ties share by operand", "autograd_lite/ops/piecewise.py", "if op is not self.tied:\n            return 1.0",
         "if True:\n            return 1.0", *CONTRACT_TESTS),
    line("the product of x*y/z may underflow", "autograd_lite/ops/arithmetic.py",
         "(size >= _LEAST or math.fabs(x) >= 1.0 or y == 0.0)", "True", "tests/ops/test_limits.py"),
    line("impossible classes have a cost", "autograd_lite/ops/arithmetic.py",
         "lambda w, s: w * s if w else 0.0 if s == s else nan", "lambda w, s: w * s", "tests/test_nn.py"),
    line("a slope that nothing needs reaches a score", "autograd_lite/ops/arithmetic.py",
         "_taken(g * w, ne(w, 0.0) + lt(abs(s), inf), True)", "g * w", "tests/test_contract.py"),
    line("errors of NumPy's have no note", "autograd_lite/frames.py", "error.add_note(OBJECT_ARRAYS)", "pass",
         "tests/test_object_arrays.py"),
    line("directions of hypot are counted from 1", "autograd_lite/ops/trigonometry.py",
         "return [direction(float(i), *items) for i in range(len(items))]",
         "return [direction(float((i + 1) % len(items)), *items) for i in range(len(items))]", "tests/test_contract.py",
         "tests/ops/test_limits.py", "tests/test_functional.py", "tests/ops/test_accuracy.py"),
    line("an array of no axes is no operand", "autograd_lite/tree.py", "if _has_no_axis(x) and is_node(item := x.item()):",
         "if False and is_node(item := x.item()):", "tests/test_object_arrays.py"),
    line("an array of no axes is no result", "autograd_lite/tree.py",
         'if getattr(getattr(tree, "dtype", None), "hasobject", False):', "if False:", "tests/test_contract.py"),
    line("small exponents lose their digits", "autograd_lite/ops/powers.py",
         "if n and 0.0 < math.fabs(y) < 0.125 and 0.0 < math.fabs(x) < inf:", "if False:", "tests/ops/test_accuracy.py",
         "tests/ops/test_limits.py", "tests/test_conventions.py"),
    line("small exponents lose the digits of mixed slopes", "autograd_lite/ops/powers.py",
         "if n and 0.0 < math.fabs(y) < 0.125:", "if False:", "tests/ops/test_limits.py"),
    line("x**0 has a slope by x", "autograd_lite/ops/powers.py",
         "if y.__class__ is float and y == 0.0:", "if False:", *CONTRACT_TESTS),
    line("a node of 0 as an exponent lets a 0 through", "autograd_lite/ops/powers.py",
         "return Masked(y, True, d, varies=True) if y._data == 0.0 else d", "return d", *CONTRACT_TESTS),
    line("compiled code does not mask an exponent that varies", "autograd_lite/ops/powers.py",
         "varies=not trace.is_plain(y))", "varies=False) if trace.is_plain(y) else d", *CONTRACT_TESTS),
    line("what hangs on an exponent of 0 has no slopes", "autograd_lite/ops/choice.py",
         "        if self.varies:\n            return influence(self.number, self.c)\n", "", *CONTRACT_TESTS),
    line("what a class of the user's holds is for good", "autograd_lite/nn/module.py",
         "if _has_attributes(thing) and (settings := _of_class(type(thing))):", "if False:", "tests/compiler/test_routes.py"),
    line("what an attribute is called with is for good", "autograd_lite/nn/module.py",
         "if isinstance(thing, (partial, MethodType)):", "if False:", "tests/compiler/test_routes.py"),
    line("items are named by the row that they come to", "autograd_lite/ops/reductions.py",
         'numbers(items, "items of softmax()")', "tuple(items)", "tests/ops/test_table.py"),
    line("a convention of 0**y holds at order 0 only", "autograd_lite/ops/powers.py", "return 0.0 if y >= 0.0 else nan",
         "return -inf if y >= 0.0 else nan", "tests/test_conventions.py", "tests/ops/test_limits.py", *CONTRACT_TESTS),
    line("x/y of a logarithm overflows before its factor", "autograd_lite/ops/special.py",
         "where(ge(size, _LEAST) * le(size, _LARGEST), xdivy(g * x, y), g * xdivy(x, y))", "g * xdivy(x, y)",
         "tests/ops/test_limits.py"),
    line("a power of 0 times an infinite logarithm is nan", "autograd_lite/ops/powers.py",
         "return total * powered if powered or -inf < total < inf else 0.0", "return total * powered",
         "tests/ops/test_limits.py"),
    line("a slope of 0 is no influence", "autograd_lite/ops/activations.py", "_taken(g * expm1(x), gt(x, 0.0), False)",
         "_chosen(g, where(gt(x, 0.0), 0.0, expm1(x)))", *CONTRACT_TESTS),
    line("slopes of a length are flat at the origin", "autograd_lite/ops/trigonometry.py",
         "inside, nothing, opposite = lt(h, inf),", "inside, nothing, opposite = gt(h, 0.0) * lt(h, inf),",
         "tests/ops/test_limits.py"),
    line("the slope of exp2 ends where its value does", "autograd_lite/ops/powers.py",
         "where(lt(z, inf), z * LN_2, (2.0 * LN_2) * exp2(x - 1.0))", "z * LN_2", "tests/ops/test_limits.py"),
    line("the slope of a power ends where its value does", "autograd_lite/ops/powers.py",
         "if powered == inf and math.fabs(total) < 1.0:", "if False:", "tests/ops/test_limits.py"),
    line("a tangent past the doubles on the way is lost", SWEEPS, "for scale in _SMALLER:", "for scale in ():",
         "tests/ops/test_limits.py"),
    line("a tangent past the doubles hides one below them", SWEEPS, "if not _underflows(form, found):", "if True:",
         "tests/ops/test_limits.py"),
    line("a tangent below the doubles on the way is lost", SWEEPS,
         "for scale in _LARGER if _underflows(form, tangents) else ():", "for scale in ():", "tests/ops/test_limits.py"),
    line("n weights of n items are n nodes of n operands", "autograd_lite/ops/columns.py", "MANY = 12 ", "MANY = 800 ",
         "tests/ops/test_many.py"),
    line("1 - w of the largest of many cancels", "autograd_lite/ops/reductions.py",
         "where(lead, of_lead, _weight_by_norm(e, total, x, self.norm))", "_weight_by_norm(e, total, x, self.norm)",
         "tests/ops/test_many.py"),
    line("1 - u*u of the largest of many cancels", "autograd_lite/ops/trigonometry.py",
         "of_top = _with_slopes(div(top, h), slopes)", "of_top = div(top, h)", "tests/ops/test_many.py"),
    line("rows that are alike are one", "autograd_lite/fit/rows/near.py",
         "np.bincount(place.ravel(), found.counts, len(rows))", "np.ones(len(rows))", "tests/fit/test_bands.py"),
    line("a bound is no wall", "autograd_lite/fit/methods/absolute.py", "            pull[j] += sign * steep\n", "",
         "tests/fit/test_bands.py"),
    line("a pass that nobody waits for goes on", "autograd_lite/fit/cluster/shares.py", "if _at.stopped():", "if False:",
         "tests/test_cluster.py::test_a_pass_that_is_not_waited_for_is_left"),
    line("a worker keeps the memory of rows", "autograd_lite/fit/cluster/shares.py",
         "            self._rows = None\n            returned()", "            self._rows = None",
         "tests/test_cluster.py::test_a_share_travels_as_its_recipe_and_gives_its_memory_back"),
    line("a file is in memory before it is looked at", "autograd_lite/tables/arrow.py", "pre_buffer=False", "pre_buffer=True",
         "tests/test_tables.py::test_of_a_parquet_file_no_more_is_in_memory_than_is_looked_at"),
    line("Ctrl-C waits for the end of a step", "autograd_lite/fit/solve.py", "self.pause if next(turn) else no_pause",
         "no_pause", "tests/fit/test_solve.py"),
    *[line(what, "autograd_lite/compiler/llvm/loops.py", old, new, "tests/compiler/test_llvm_loops.py") for what, old, new in (
        ("a step leads from inputs to values", "2 * (program.inputs + len(program)) + 1", "0"),
        ("a value of the first round is that of every round", "and (rounds == 1 or step == period)", "and True"),
        ("a value for a later round is not kept", "any(kept[value : value + period * rounds : period])", "kept[value]"),
        ("a loop goes on where a step changes", "three - two == two - one", "three == three"),
    )],
    line("the group is not shared", "autograd_lite/compiler/simplify.py",
         "if sum(map(group.__contains__, program.ops)) < 2:", "if True:", "autograd_lite/compiler/simplify.py"),
]  # fmt: skip


PATIENCE = 300  # seconds; the engine's tests need five, and a lock that is never released is noticed too

# Only made when asked for by name; they must survive.
NOTHING = {m.name: m for m in (
    Mutation("no-op", "neg"),
    Mutation("no-op in the engine", file=STEPS, old="import annotations", new="import annotations  #", tests=TEXT_TESTS[:1]),
)}  # fmt: skip


def patch(source: str, old: str, new: str) -> str | None:
    """The source with `old` replaced, wherever it is indented to; None if it is not there."""
    if old in source or "\n" not in old:
        return source.replace(old, new) if old in source else None
    lines = [text.lstrip(" ") for text in old.rstrip("\n").split("\n")]
    found = re.search(r"^( *)" + r"\n *".join(map(re.escape, lines)) + r"$", source, re.MULTILINE)
    if found is None:
        return None
    shift = len(found[1]) - (len(old) - len(old.lstrip(" ")))
    moved = [" " * shift + text if shift >= 0 else text[-shift:] for text in new.rstrip("\n").split("\n")]
    return source[: found.start()] + "\n".join(moved) + source[found.end() :]


def run_patched(mutation: Mutation) -> str | None:
    """The first test that fails on a copy of the repository with one line changed; None if all pass."""
    broken = patch((ROOT / mutation.file).read_text(encoding="utf-8"), mutation.old, mutation.new)
    if broken is None:
        return "STALE: the text to change is no longer there"
    if (unasked := unpatched(mutation.tests)) is not None:
        return f"STALE: {unasked} fails without any mutation"
    return run_copy(mutation.tests, {mutation.file: broken})


@functools.cache
def unpatched(tests: tuple[str, ...]) -> str | None:
    """The first of these tests that fails as things are."""
    return run_copy(tests, {})


def run_copy(tests: Sequence[str], changed: dict[str, str]) -> str | None:
    """The first test that fails on a copy of the repository in which some files have other contents.

    With what has been compiled of them, and without the core in C, beside which the Python of the sweeps would not be run.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in ("autograd_lite", "tests"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns(".hypothesis"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        for file, text in changed.items():
            (copy / file).write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", *tests]
        command += ["-k", "not million and not 5_000"]
        try:
            done = subprocess.run(
                command, cwd=copy, env={**os.environ, "PYTHONPATH": str(copy), "AUTOGRAD_LITE_PURE": "1"},
                capture_output=True, text=True, check=False, timeout=PATIENCE,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"a test that never ends (stopped after {PATIENCE} s)"
    failed = [text.split(" ")[1] for text in done.stdout.splitlines() if text.startswith(("FAILED ", "ERROR "))]
    if done.returncode and not failed:
        return f"STALE: pytest says {done.returncode}: {done.stdout[-200:]}"
    return failed[0] if failed else None


# -- one collection, many forks ---------------------------------------------------------------------------------------


class Forks:
    """A pytest plugin that runs, instead of the collected tests once, each mutation's tests in a fork."""

    def __init__(self, mutations: Sequence[Mutation], report: Callable[[Mutation, str | None, float], None]) -> None:
        self.mutations = mutations
        self.report = report
        self.healthy: dict[str, bool] = {}

    def pytest_configure(self, config: Any) -> None:
        from hypothesis import Phase, settings  # not before pytest has seen its plugin

        # the conftest has set the profile by now: the same examples, but no time spent on making failures small
        settings.register_profile("mutation", settings.default, phases=(Phase.explicit, Phase.generate))
        settings.load_profile("mutation")

    def pytest_runtestloop(self, session: Any) -> bool:
        items = [item for item in session.items if not any(word in item.nodeid for word in NEVER)]
        for mutation in self.mutations:
            start = time.perf_counter()
            chosen = select(items, mutation.row)
            verdict = self.fork(chosen, mutation.apply)
            while verdict is not None and not self.is_healthy(verdict, items):
                chosen = [item for item in chosen if item.nodeid != verdict]  # it fails without any mutation
                verdict = self.fork(chosen, mutation.apply)
            self.report(mutation, verdict, time.perf_counter() - start)
        return True

    def is_healthy(self, nodeid: str, items: Sequence[Any]) -> bool:
        if nodeid not in self.healthy:
            self.healthy[nodeid] = self.fork([item for item in items if item.nodeid == nodeid], lambda: None) is None
        return self.healthy[nodeid]

    def fork(self, items: Sequence[Any], apply: Callable[[], None]) -> str | None:
        """The first of these tests that fails after `apply`, found in a process of its own."""
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            status = 1
            try:
                sink = os.open(os.devnull, os.O_WRONLY)
                os.dup2(sink, 1)
                os.dup2(sink, 2)
                apply()
                os.write(write, json.dumps(first_failure(items)).encode())
                status = 0
            finally:
                os._exit(status)
        os.close(write)
        with os.fdopen(read) as pipe:
            answer = pipe.read()
        os.waitpid(child, 0)
        return json.loads(answer) if answer else "crash"


def first_failure(items: Sequence[Any]) -> str | None:
    from _pytest.runner import runtestprotocol  # the only way to run one collected test

    for item, following in itertools.zip_longest(items, items[1:]):
        if any(report.failed for report in runtestprotocol(item, log=False, nextitem=following)):
            return str(item.nodeid)
    return None


def select(items: Sequence[Any], row: str) -> list[Any]:
    """The tests that may notice a change of this row, those that name it first and slow ones last."""

    def names_row(item: Any) -> bool:
        _, _, label = item.nodeid.partition("[")
        words = label.replace("-", " ").replace("(", " ").replace("]", " ").split()
        return row in words

    chosen = [i for i in items if names_row(i) or not i.nodeid.startswith(OWN_ROW_ONLY) or "[" not in i.nodeid]
    slow = lambda i: (i.nodeid.startswith("tests/ops/test_accuracy.py"), any(word in i.nodeid for word in LAST))  # noqa: E731
    return sorted(chosen, key=lambda i: (not names_row(i), *slow(i)) if not slow(i)[1] else (True, True, True))


# -- the report -------------------------------------------------------------------------------------------------------


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sample", type=int, help="only so many mutations, drawn at random")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument(
        "--only", help="only mutations whose name contains this; 'no-op' and 'no-op in the engine' must survive"
    )
    parser.add_argument("--list", action="store_true", help="name the mutations and stop")
    parser.add_argument("--quiet", action="store_true", help="show survivors and the summary only")
    asked = parser.parse_args()
    os.chdir(ROOT)

    table = [m for op in TABLE.values() for m in of_row(op)]
    table.append(Mutation("relu: slope 1 at 0", "relu", relu_one))
    engine = list(ENGINE)
    if asked.only in NOTHING:
        table = [m for m in NOTHING.values() if m.name == asked.only and m.row]
        engine = [m for m in NOTHING.values() if m.name == asked.only and m.file]
    elif asked.only:
        table, engine = ([m for m in kind if asked.only in m.name] for kind in (table, engine))
    left_out = 0
    if asked.only not in NOTHING:
        real = [m for m in table if changes_something(m)]
        left_out, table = len(table) - len(real), real
    if asked.sample is not None:
        drawn = set(map(id, random.Random(asked.seed).sample(table + engine, min(asked.sample, len(table) + len(engine)))))
        table, engine = ([m for m in kind if id(m) in drawn] for kind in (table, engine))
    if asked.list:
        print("\n".join(m.name for m in table + engine))
        return 0

    start, noticed, survivors = time.perf_counter(), 0, []

    def report(mutation: Mutation, verdict: str | None, seconds: float) -> None:
        nonlocal noticed
        survived = verdict is None or verdict.startswith(("STALE", "crash"))
        noticed += not survived
        if survived:
            survivors.append(mutation)
        if survived or not asked.quiet:
            shown = ("SURVIVED" if verdict is None else verdict).removeprefix("tests/")
            print(f"{mutation.name:<66} {seconds:6.1f} s  {shown}", flush=True)

    if table:
        files = [f for f in FILES if (ROOT / f).exists()]
        arguments = ["-q", "--no-header", "--no-summary", "-p", "no:cacheprovider", "-p", "no:doctest", "-s", *files]
        status = pytest.main([*arguments, "-o", "addopts=--import-mode=importlib"], plugins=[Forks(table, report)])
        if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            print(f"pytest could not collect the suite: {status!r}")
            return 2
    for mutation in engine:
        began = time.perf_counter()
        report(mutation, run_patched(mutation), time.perf_counter() - began)
    print(f"\n{noticed} of {noticed + len(survivors)} mutations noticed in {time.perf_counter() - start:.0f} s"
          f" ({left_out} more change nothing and were left out)")  # fmt: skip
    for mutation in survivors:
        print(f"SURVIVED  {mutation.name}")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
