"""Whole expressions agree with high precision, as well as their conditioning allows, through every route."""

import pytest
from hypothesis import settings

pytest.importorskip("mpmath", reason="the truth is worked out with mpmath: install the extra 'test'")

from autograd_lite import Op, ops
from autograd_lite.strategies.conditioning import judge
from tests.benchmarks import expressions as benchmark
from tests.lines import formula

COUNT = 60 if settings.default.max_examples <= 25 else 2000  # the long profile draws what the benchmark's table shows


@pytest.fixture(scope="module")
def drawn():
    return benchmark.draw(COUNT)


@pytest.mark.parametrize("route", benchmark.ROUTES)
def test_a_route_agrees_with_high_precision(drawn, route):
    for e in drawn:
        assert benchmark.worst(e, route) <= benchmark.LIMIT, e


def test_no_two_are_the_same(drawn):
    assert len({repr(e) for e in drawn}) == COUNT


def test_the_table_is_printed(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["expressions.py", "--count", "3", "--seed", "1"])
    with pytest.raises(SystemExit) as done:
        benchmark.main()
    assert not done.value.code
    assert all(route in capsys.readouterr().out for route in ["jvp of grad"])


@pytest.mark.parametrize("fault", [1 + 1e-12, -1.0, 0.0])
def test_a_wrong_rule_is_noticed_by_every_route_that_differentiates(fault):
    wrong = Op("exp", ops.exp.forward, lambda x, out: fault * out)

    def written_with(exp):
        return formula([(ops.mul, (0, 1)), (ops.sin, (2,)), (exp, (3,)), (ops.div, (4, 0))], x=0.7, y=1.3)

    right, planted = written_with(ops.exp), written_with(wrong)
    assert judge(right, {})
    planted.truth, planted.allowance = right.truth, right.allowance
    for route in benchmark.ROUTES:
        assert benchmark.worst(right, route) <= benchmark.LIMIT
        assert (benchmark.worst(planted, route) > benchmark.LIMIT) == (route != "floats"), route
