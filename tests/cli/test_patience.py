"""Work that would take too long is refused in a sentence, by what its parts took; the clock is one of ours."""

import re

import pytest

from autograd_lite.cli import patience
from autograd_lite.errors import InputValueError
from tests.cli.command import invoke


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves on."""

    class Clock:
        now = 0.0

    monkeypatch.setattr(patience, "monotonic", lambda: Clock.now)
    return Clock


def test_parts_that_take_ever_longer(clock):
    work = patience.Patience()
    for took in (0.1, 0.4, 1.6, 6.4):
        clock.now += took
        work.growing("the next", "stop")
    clock.now += 25.6
    with pytest.raises(InputValueError, match="the next would take about 102 s, more than 30: stop"):
        work.growing("the next", "stop")


def test_a_single_slow_part_foretells_the_rest(clock):
    work = patience.Patience()
    clock.now += 0.4
    work.equal(1000, "all", "stop")  # too short to tell
    clock.now += 2.0
    work.equal(15, "all", "stop")
    clock.now += 2.0
    with pytest.raises(InputValueError, match="all would take about 32 s, more than 30: stop"):
        work.equal(16, "all", "stop")


def ticking(monkeypatch, step):
    times = iter(range(10**6))
    monkeypatch.setattr(patience, "monotonic", lambda: step * next(times))


def test_the_commands_ask_for_patience(monkeypatch):
    assert invoke("grad", "sin(x)/x", "x=1", "--order", 8).exit_code == 0
    ticking(monkeypatch, 10.0)
    done = invoke("grad", "sin(x)/x", "x=1", "--order", 8)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        "error: order 2 of this formula would take about 40 s, more than 30: give --order 1, or a shorter formula\n"
    )
    done = invoke("check", "sin(x)/x", "--random", 9)
    wanted = r"error: 9 points of this formula would take about \d+ s, more than 30: give a smaller number of them\n"
    assert re.fullmatch(wanted, done.stderr)
    done = invoke("check", "log(x - 9)", "--random", 1)
    assert done.stderr.startswith("error: 200 draws of a point for this formula would take about 1990 s, more than 30: give a ")


def test_a_matrix_of_very_many_names_is_refused():
    names = [f"x{i}" for i in range(100)]
    done = invoke("grad", "*".join(names), *(f"{n}=1" for n in names), "--hessian")
    assert done.stderr == "error: --hessian of 100 names is 5,050 derivatives, more than 5,000: put numbers in place of names\n"
