"""What is drawn is what was promised: inside the domain, finite, well conditioned, printable; and failures shrink."""

import math
import random
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

import autograd_lite as al
from autograd_lite import Op, Value, grad, hessian, ops
from autograd_lite.errors import InputTypeError, InputValueError
from autograd_lite.ops import TABLE, Interval
from autograd_lite.ops.columns import Kink
from autograd_lite.strategies import Call, calls, conditioning, expressions, points, special_points
from tests.lines import formula

SHRINKING = settings(max_examples=2000, database=None, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
SOME = settings(max_examples=max(10, settings.default.max_examples), phases=[Phase.generate])
PUBLIC = {name: getattr(ops, name) for name in ops.__all__}


def softsign(rule=lambda x, out: 1 / (1 + abs(x)) ** 2, name="softsign", **columns):
    """A primitive as a user would write it, right unless it is given another rule."""
    return Op(name, lambda x: x / (1 + abs(x)), rule, **columns)


# -- points and calls -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLE)
def test_points_lie_in_the_domain_and_on_no_kink(name):
    op = TABLE[name]

    @SOME
    @given(points(op))
    def check(at):
        domain = op.domain if op.arity is not None else op.domain[:1] * len(at)
        assert all(x in d for x, d in zip(at, domain, strict=True))
        assert not op.kinked(*at)
        assert not math.isnan(op.forward(*at))

    check()


@pytest.mark.parametrize("name", TABLE)
def test_calls_run_on_floats_and_on_values(name):
    op = TABLE[name]

    @SOME
    @given(calls(name))
    def check(call):
        assert call.op is op
        assert call(*call.at) == op.forward(*call.args)
        out = call(*map(Value, call.at))
        assert isinstance(out, Value)
        assert out.data == op.forward(*call.args)
        assert len(grad(call, tuple(range(len(call.at))))(*call.at)) == len(call.at)
        if op in PUBLIC.values():
            assert eval(repr(call), dict(PUBLIC)) == call(*call.at)

    check()


def test_calls_of_any_row():
    seen = set()

    @settings(max_examples=200)
    @given(calls())
    def check(call):
        seen.add(call.op.name)

    check()
    assert len(seen) > 30
    assert not seen & {"stop_gradient", "identity"}


def test_settings_are_not_variables():
    assert Call(ops.polygamma, (2.0, 3.5)).at == (3.5,)
    assert Call(ops.round_, (2.0, 1.0)).at == (2.0,)
    assert Call(ops.where, (1.0, 2.0, 3.0)).at == (1.0, 2.0, 3.0)
    assert Call(TABLE["softmax_weight"], (1.0, 2.0, 3.0)).at == (2.0, 3.0)
    assert repr(Call(ops.dot, (1.0, 2.0, 3.0, 4.0))) == "dot([1.0, 2.0], [3.0, 4.0])"
    assert repr(Call(ops.sum, (1.0, 2.0))) == "sum([1.0, 2.0])"
    assert Call(ops.dot, (1.0, 2.0, 3.0, 4.0)).__name__ == "dot"
    with pytest.raises(InputTypeError, match=r"round_\(2.0, 1.0\) is a function of 1 variables, got 2"):
        Call(ops.round_, (2.0, 1.0))(1.0, 2.0)


def drawn(strategy, count=1000):
    found = []

    @settings(max_examples=count, phases=[Phase.generate])
    @given(strategy)
    def collect(x):
        found.append(x)

    collect()
    return found


def test_special_points_have_what_is_special():
    roots = [at[0] for at in drawn(special_points("asin"))]
    assert {1.0, -1.0, 0.0, math.inf, -math.inf, 2.0, 5e-324, math.nextafter(1.0, 2.0)} <= set(roots)
    assert any(x != x for x in roots)
    assert {math.copysign(1.0, x) for x in roots if x == 0.0} == {1.0, -1.0}
    ties = drawn(special_points(ops.maximum))
    assert any(x == y for x, y in ties)
    assert any(at == (2.0, 2.0) for at in ties)  # a pin
    assert any(math.isnan(x) and math.isfinite(y) for x, y in ties)
    assert any(ops.clamp.kinks[2].holds(*at) for at in drawn(special_points("clamp")))
    assert any(ops.tan.kinks[0].holds(*at) for at in drawn(special_points("tan")))
    assert {n for n, _ in drawn(special_points("polygamma"))} == set(ops.polygamma.settings[0].examples)


@pytest.mark.parametrize("name", TABLE)
def test_no_rule_raises_at_a_special_point(name):
    op = TABLE[name]

    @SOME
    @given(special_points(op))
    def check(at):
        out = op.forward(*at)
        assert isinstance(out, float)
        for i in range(len(at)):
            op.partial(i, at, out)

    check()


def test_an_op_of_your_own():
    own = Op("steep", lambda x: 1 / (x - 100), lambda x, out: -out * out, domain=(Interval(100.0, 300.0, open=True),),
             kinks=(Kink("x = 150", lambda x: x == 150.0),), pins=[((150.0,), 0.02, (-4e-4,))])  # fmt: skip
    assert all(100 < x < 300 and x != 150 for (x,) in drawn(points(own), 100))
    special = {x for (x,) in drawn(special_points(own), 300)}
    assert {100.0, 150.0, 300.0} <= special
    assert find(calls(own), lambda call: True, settings=SHRINKING).at == (101.0,)


# -- expressions ------------------------------------------------------------------------------------------------------


def within(box, names, fraction):
    return [low + f * (high - low) for f, (low, high) in zip(fraction, (box[n] for n in names), strict=True)]


@SOME
@given(expressions(), st.integers(0, 1000))
def test_all_over_the_box_every_op_is_in_its_domain_and_finite(e, number):
    fractions = random.Random(number)
    for at in [e.at, *(within(e.box, e.names, (fractions.random(), fractions.random())) for _ in range(20))]:
        known = list(at)
        for op, operands in e.program.instructions:
            args = [known[a] if isinstance(a, int) else a for a in operands]
            domain = op.domain if op.arity is not None else op.domain[:1] * len(args)
            assert all(x in d for x, d in zip(args, domain, strict=True)), (e, op, args)
            assert not op.kinked(*args), (e, op, args)
            known.append(op.forward(*args))
        assert math.isfinite(known[-1])
        assert known[-1] == e(*at)


@SOME
@given(expressions())
def test_value_and_derivatives_are_finite_at_the_point(e):
    assert len(e.ops) == len(e.program) <= 10
    assert set(e.point) == set(e.names) == {"x", "y"}
    assert all(low <= x <= high for (low, high), x in zip(e.box.values(), e.at, strict=True))
    assert math.isfinite(e(e.point))
    rows = hessian(e, (0, 1))(*e.at)
    assert all(math.isfinite(d) for row in rows for d in row)


@SOME
@given(expressions(max_ops=14, names=("a", "v1", "c")))
def test_the_printed_form_is_python_that_gives_the_same_bits(e):
    assert eval(repr(e), dict(PUBLIC)) == e(*e.at) == e(e.point)
    assert eval(f"lambda a, v1, c: {e}", dict(PUBLIC))(*e.at) == e(*e.at)
    xs, ys = [list(map(Value, e.at)) for _ in range(2)]
    e(*xs).backward()
    eval(f"lambda a, v1, c: {e}", dict(PUBLIC))(*ys).backward()
    assert [x.grad for x in xs] == [y.grad for y in ys]


def test_printing():
    x, y, first, second = 0, 1, 2, 3

    def text(*instructions):
        return str(formula(instructions, x=0.5, y=-2.0))

    assert text((ops.add, (x, y)), (ops.mul, (first, 2.0)), (ops.sub, (x, second))) == "x - (x + y) * 2.0"
    assert text((ops.neg, (x,)), (ops.pow, (first, -1.0)), (ops.sin, (second,))) == "sin((-x) ** (-1.0))"
    assert text((ops.sin, (x,)), (ops.mul, (first, first))) == "(v1 := sin(x)) * v1"
    assert text((ops.dot, (x, y, 1.0, -1.0)), (ops.sum, (first, x, -3.0))) == "sum([dot([x, y], [1.0, -1.0]), x, -3.0])"
    assert repr(formula([(ops.abs, (0,))], x=-1.0)) == "(lambda x: abs(x))(x=-1.0)"
    deep = formula([(ops.sin, (i,)) for i in range(5000)], x=1.0)
    assert len(str(deep)) == 5 * 5000 + 1
    assert deep.__name__ == str(deep)


def test_expressions_are_varied():
    found = drawn(expressions(), 60)
    assert len({op.name for e in found for op in e.ops}) > 30
    assert sum(len(e.ops) >= 3 for e in found) > 30
    assert sum({0, 1} <= {a for instruction in e.program.instructions for a in instruction.args} for e in found) > 10


def test_ops_names_and_size_are_kept():
    only = ["exp", ops.mul, "sub"]

    @SOME
    @given(expressions(max_ops=4, names=("t",), ops=only))
    def check(e):
        assert {op.name for op in e.ops} <= {"exp", "mul", "sub"}
        assert len(e.ops) <= 4
        assert e.names == ("t",)

    check()


@SOME
@given(expressions())
def test_truth_is_near_what_floats_give(e):
    assert abs(e(*e.at) - e.truth.value) <= 8 * e.allowance.value
    assert set(e.truth.hessian) == set(e.allowance.hessian) == {"x", "y"}
    assert e.truth.hessian["x"]["y"] is e.truth.hessian["y"]["x"]


def judged(instructions, **point):
    return conditioning.judge(formula(instructions, **point), {})


def test_the_noisy_replay_rejects_what_is_ill_conditioned():
    assert judged([(ops.sin, (0,))], x=1.0)
    assert not judged([(ops.sin, (0,))], x=3.141592653589793)  # the value
    assert not judged([(ops.cos, (0,))], x=3.14159265)  # the slope
    assert not judged([(ops.sin, (0,)), (ops.add, (1, 0))], x=3.14159265)  # the curvature
    assert judged([(ops.sub, (0, 1))], x=1.0, y=1.001)
    assert not judged([(ops.sub, (0, 1))], x=1.0, y=1.000001)
    assert not judged([(ops.mul, (0, 1)), (ops.div, (2, 1))], x=1.5, y=0.7)  # its slope by y is 0 by cancellation
    assert not judged([(ops.exp, (0,)), (ops.log, (1,))], x=1.0)  # its curvature is
    assert not judged([(ops.atan2, (0, 0))], x=0.7)


def test_slopes_too_small_for_the_replay_count_as_0():
    e = formula([(ops.mul, (0, 20.0)), (ops.sub, (1, 90.0)), (ops.logaddexp, (2, 200.0))], x=1.1)
    assert conditioning.judge(e, {})
    assert e.truth.gradient["x"] == 0.0 < grad(e)(1.1) < e.allowance.gradient["x"] < 1e-44


def test_an_op_without_reference_is_replayed_by_its_own_rules():
    assert judged([(softsign(), (0,))], x=0.7)
    assert not judged([(ops.sub, (0, 1)), (softsign(), (2,))], x=1.0, y=1.0000001)
    first_order_only = Op("own", math.exp, lambda x, out: math.exp(x))
    assert judged([(first_order_only, (0,))], x=0.7)


def test_a_reference_of_your_own():
    from mpmath import mpf, workdps

    asked = []
    f = lambda x: asked.append(x) or x / (1 + abs(x))  # noqa: E731
    e = find(
        expressions(max_ops=1, names=("x",), ops=[softsign()], reference={"softsign": f}), lambda e: True, settings=SHRINKING
    )
    assert all(isinstance(x, mpf) for x in asked)
    assert asked
    with workdps(60):
        assert abs(e.truth.gradient["x"] - 1 / (1 + mpf(e.point["x"])) ** 2) < 1e-40


# -- shrinking --------------------------------------------------------------------------------------------------------

WRONG = {
    "factor": softsign(lambda x, out: (1 + 1e-6) / (1 + abs(x)) ** 2, name="wrong"),
    "sign": softsign(lambda x, out: -1 / (1 + abs(x)) ** 2, name="wrong"),
    "on one side": softsign(lambda x, out: 1 / (1 + x) ** 2, name="wrong", domain=(Interval(-1.0, math.inf, open=True),)),
}


def slope_is_wrong(e):
    h = 1e-5
    for i, slope in enumerate(grad(e, tuple(range(len(e.names))))(*e.at)):
        near = [list(e.at) for _ in range(2)]
        near[0][i] -= h
        near[1][i] += h
        if not math.isclose(slope, (e(*near[1]) - e(*near[0])) / (2 * h), rel_tol=1e-7, abs_tol=1e-9):
            return True
    return False


def failing(wrong):
    """What a failing property test would show of an op."""
    drawing = expressions(max_ops=4, names=("x",), ops=["add", "mul", "sin", "log", "hypot", wrong])
    return find(drawing, lambda e: wrong in e.ops and slope_is_wrong(e), settings=SHRINKING)


@pytest.mark.parametrize("fault", ["factor", "sign"])
def test_a_planted_wrong_op_is_found_and_shrinks_to_itself_at_a_simple_point(fault):
    assert repr(failing(WRONG[fault])) == "(lambda x: wrong(x))(x=2.0)"


def test_a_fault_on_one_side_of_the_domain_shrinks_to_few_ops():
    e = failing(WRONG["on one side"])
    assert len(e.ops) <= 2
    assert e.ops[-1] is WRONG["on one side"]


def test_failures_in_an_op_with_a_domain_shrink_into_it():
    e = find(expressions(max_ops=4, names=("x",)), lambda e: ops.acosh in e.ops, settings=SHRINKING)
    assert repr(e) == "(lambda x: acosh(x))(x=2.0)"


# -- messages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: points("sine"), InputTypeError, "op='sine' is not an op"),
        (lambda: special_points(3), InputTypeError, "op=3 is not an op"),
        (lambda: calls(math.sin), InputTypeError, "such as autograd_lite.sin"),
        (lambda: expressions(max_ops=0), InputValueError, "max_ops=0 must be a whole number from 1 on"),
        (lambda: expressions(names=()), InputValueError, "different identifiers"),
        (lambda: expressions(names=("x", "x")), InputValueError, "different identifiers"),
        (lambda: expressions(ops=[]), InputValueError, "leaves nothing"),
        (lambda: expressions(ops=["sine"]), InputTypeError, "op='sine' is not an op"),
        (lambda: formula([(ops.sin, (0,))], x=1.0)(1.0, 2.0), InputTypeError, "2 arguments given to sin"),
        (lambda: formula([(ops.sin, (0,))], x=1.0)({"y": 1.0}), InputValueError, r"it has \['x'\]"),
    ],
)
def test_messages(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_without_hypothesis_the_import_says_what_to_install():
    program = "import sys; sys.modules['hypothesis'] = None; import autograd_lite; import autograd_lite.strategies"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=sys.path[0] or ".")
    assert done.returncode == 1
    assert "MissingPackageError: autograd_lite.strategies draws with Hypothesis" in done.stderr
    assert "pip install 'autograd-lite[test]'" in done.stderr


def test_the_library_itself_does_not_import_it():
    assert not hasattr(al, "strategies") or "strategies" not in al.__all__
