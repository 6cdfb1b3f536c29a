"""`errstate` and `detect_anomaly`: what they raise, what they leave alone, and that they end with their block and thread."""

from __future__ import annotations

import contextlib
import gc
import inspect
import os
import re
import threading
from math import inf, isinf, isnan, log, nan
from typing import Any

import pytest

import autograd_lite as al
from autograd_lite import Value, context, detect_anomaly, errors, errstate, grad, value_and_grad
from tests.interrupt import interrupt_at
from tests.process import run

RAISES = [
    ("invalid", al.log, -1.0, ValueError, r"log(x) is nan at x=-1.0: outside the domain (0, inf);"),
    ("invalid", al.sqrt, -1.0, ValueError, r"sqrt(x) is nan at x=-1.0: outside the domain [0, inf);"),
    ("invalid", lambda x: x**0.5, -4.0, ValueError, "pow(x, 0.5) is nan at x=-4.0"),
    ("invalid", lambda x: x / 0, 0.0, ValueError, "div(x, 0.0) is nan at x=0.0"),
    ("invalid", lambda x: x - inf, inf, ValueError, "sub(x, inf) is nan at x=inf"),
    ("divide", lambda x: 1 / x, 0.0, ZeroDivisionError, "div(1.0, x) is inf at x=0.0: a pole;"),
    ("divide", al.log, 0.0, ZeroDivisionError, "log(x) is -inf at x=0.0: a pole;"),
    ("divide", lambda x: x**-1, 0.0, ZeroDivisionError, "pow(x, -1.0) is inf at x=0.0: a pole;"),
    ("divide", al.atanh, 1.0, ZeroDivisionError, "atanh(x) is inf at x=1.0: a pole;"),
    ("overflow", al.exp, 1e3, OverflowError, "exp(x) is inf at x=1000.0: beyond 1.8e308;"),
    ("overflow", lambda x: x * 1e200, 1e200, OverflowError, "mul(x, 1e+200) is inf at x=1e+200: beyond 1.8e308;"),
    ("overflow", lambda x: x**401, -10.0, OverflowError, "pow(x, 401.0) is -inf at x=-10.0: beyond 1.8e308;"),
    ("overflow", lambda x: al.sum([x, x]), 1e308, OverflowError, "sum(x, x) is inf at x=1e+308, x=1e+308"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "f", "x", "error", "message"), RAISES, ids=[r[4] for r in RAISES])
def test_errstate_raises_what_python_would_and_names_it(kind: str, f: Any, x: float, error: type, message: str) -> None:
    f(Value(x, "x"))  # without it, IEEE
    with errstate(**{kind: "raise"}), pytest.raises(error, match=re.escape(message)) as caught:
        f(Value(x, "x"))
    assert f'errstate({kind}="ignore") lets it pass' in str(caught.value)
    assert isinstance(caught.value, errors.AutogradError)
    others = {k: "raise" for k in ("invalid", "divide", "overflow") if k != kind}
    with errstate(**others):
        f(Value(x, "x"))
    f(Value(x, "x"))  # and it is over


def test_plain_numbers_are_watched_too() -> None:
    with errstate(invalid="raise"), pytest.raises(ValueError, match=re.escape("log(-1.0) is nan")):
        al.log(-1.0)


def test_nan_in_is_no_error_nor_is_inf_in() -> None:
    with errstate(invalid="raise", divide="raise", overflow="raise"):
        assert isnan(al.sin(Value(nan)).data)
        assert isinf(al.exp(Value(inf)).data)


def test_infinite_gradients_are_no_error() -> None:
    x = Value(0.0)
    with errstate(invalid="raise", divide="raise", overflow="raise"):
        al.sqrt(x).backward()
        assert grad(al.cbrt)(0.0) == inf
    assert x.grad == inf


def test_blocks_nest_and_ignore_undoes_raise() -> None:
    with errstate(divide="raise"):
        with errstate(divide="ignore"):
            assert (1 / Value(0.0)).data == inf
        with errstate(invalid="raise"), pytest.raises(ZeroDivisionError):
            1 / Value(0.0)
    assert context.active == 0


def test_a_word_that_is_neither_is_refused() -> None:
    with pytest.raises(errors.InputValueError, match='divide=\'warn\' must be "ignore" or "raise"'), errstate(divide="warn"):
        pass


def test_other_threads_are_not_watched() -> None:
    found: list[float] = []
    with errstate(divide="raise"):
        thread = threading.Thread(target=lambda: found.append((1 / Value(0.0)).data))
        thread.start()
        thread.join()
    assert found == [inf]


HERE = r"at test_context\.py:\d+"
PRODUCTS = [
    (lambda x: al.sqrt(x) ** 2, rf"nan: 0 \(from pow {HERE}\) x inf \(sqrt' {HERE}\)"),
    (lambda x: abs(-al.cbrt(x)), rf"nan: -0 \(from neg {HERE}\) x inf \(cbrt' {HERE}\)"),
    (lambda x: al.sqrt(x) - al.sqrt(x), rf"nan: -?inf \(from sqrt {HERE}\) \+ -?inf \(from sqrt {HERE}\)"),
]


@pytest.mark.parametrize(("f", "message"), PRODUCTS, ids=["product", "through abs", "sum"])
def test_the_first_nan_in_a_gradient_is_named_with_both_factors(f: Any, message: str) -> None:
    x = Value(0.0, "x")
    with detect_anomaly(), pytest.raises(ArithmeticError, match="the gradient of x is " + message):
        f(x).backward()
    assert x.grad == 0.0  # nothing was committed
    f(x).backward()  # outside it is only nan
    assert isnan(x.grad)


def test_the_first_nan_in_a_value_is_named() -> None:
    with (
        detect_anomaly(),
        pytest.raises(errors.AnomalyError, match=r"log\(w\) is nan at w=-1.0 \(test_context.py:\d+\): the first nan"),
    ):
        al.exp(al.log(Value(-1.0, "w")) * 2)


def test_transforms_are_watched() -> None:
    with detect_anomaly(), pytest.raises(errors.AnomalyError, match=r"the gradient of argument 0 of \S+ is nan: 0 \(from pow"):
        value_and_grad(lambda x: al.sqrt(x) ** 2)(0.0)


def test_nodes_made_inside_know_their_line_and_behave_like_others() -> None:
    x = Value(2.0, "x")
    with detect_anomaly():
        y = x * x
    assert re.fullmatch(r"test_context\.py:\d+", y.where)
    z = y + y
    z.backward()
    assert x.grad == 8.0
    assert not hasattr(z, "where")


def test_nothing_wrong_nothing_said() -> None:
    x = Value(2.0)
    with detect_anomaly():
        (al.log(x) * al.sqrt(x)).backward()
    assert x.grad == pytest.approx(0.5**0.5 + log(2.0) * 0.5**1.5, rel=1e-15)


def test_nodes_of_a_gradient_know_the_line_that_asked_for_it() -> None:
    x = Value(2.0)
    with detect_anomaly():
        y = x * x
        y.backward(create_graph=True)
    assert re.fullmatch(r"test_context\.py:\d+", x.grad.where)
    assert x.grad.where != y.where


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a at b", "log(a at b) is nan at a at b=-1.0"), ("\x1b[2J", r"log(\x1b[2J) is nan"), ("\u202e", r"log(\u202e) is nan")],
)
def test_names_reach_messages_only_escaped(name: str, shown: str) -> None:
    with errstate(invalid="raise"), pytest.raises(ValueError, match=re.escape(shown)):
        al.log(Value(-1.0, name))


def test_warnings_escape_names_too() -> None:
    w = Value(1.0, "\x1b[31m")
    with pytest.warns(errors.GradientWarning) as caught:
        al.optim.SGD([w], lr=0.1).step()
    assert r"\x1b[31m: no gradient" in str(caught[0].message)


# -- generators -------------------------------------------------------------------------------------------------------


def strict(values: Any) -> Any:
    """Logarithms that must exist, one at a time."""
    with errstate(invalid="raise"):
        for x in values:
            yield al.log(Value(x, "x")).data


def test_a_generator_is_watched_and_what_it_yields_to_is_not() -> None:
    found = strict([1.0, -1.0])
    assert next(found) == 0.0
    assert isnan(al.log(Value(-1.0)).data)  # of the consumer, while the generator waits
    with pytest.raises(ValueError, match="log"):
        next(found)
    assert context.active == 0

    def through() -> Any:
        yield from strict([1.0, 2.0])

    for _ in through():
        assert isnan(al.sqrt(-1.0))


def test_generators_that_end_in_any_order_leave_nothing_behind() -> None:
    first, second = strict([1.0, 2.0]), strict([1.0, 2.0])
    next(first), next(second)
    first.close()
    with pytest.raises(ValueError, match="log"):
        second.throw(_failing())
    second.close()
    del first, second
    assert context.active == 0
    assert context.current() is context.QUIET
    assert isnan(al.log(Value(-1.0)).data)
    third = strict([1.0, 2.0])
    next(third)
    del third  # not run to its end
    assert context.active == 0


def _failing() -> Exception:
    return ValueError("log")


@pytest.fixture
def watched() -> Any:
    with errstate(invalid="raise"):
        yield


def test_a_block_made_of_a_generator_holds_for_its_body(watched: None) -> None:
    with pytest.raises(ValueError, match="log"):  # that of the fixture
        al.log(Value(-1.0, "x"))

    @contextlib.contextmanager
    def ours() -> Any:
        with errstate(invalid="ignore", divide="raise"), detect_anomaly():
            yield

    with ours():
        with pytest.raises(errors.AnomalyError, match="log"):
            al.log(Value(-1.0, "x"))
        with pytest.raises(ZeroDivisionError, match="log"):
            al.log(Value(0.0, "x"))
    al.log(Value(0.0, "x"))
    with contextlib.ExitStack() as stack:
        stack.enter_context(errstate(divide="raise"))
        with pytest.raises(ZeroDivisionError, match="log"):
            al.log(Value(0.0, "x"))


def test_they_decorate_functions() -> None:
    @errstate(divide="raise")
    def inverse(x: Any) -> Any:
        return 1 / x

    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match="div"):
            inverse(Value(0.0))
    assert context.active == 0


def test_a_line_in_a_library_is_not_the_users() -> None:
    import functools

    import numpy as np

    here = inspect.currentframe()
    assert here is not None
    with detect_anomaly(), pytest.raises(errors.AnomalyError, match=f"test_context.py:{here.f_lineno + 1}"):
        np.log(np.array([Value(-1.0)]))
    pattern = f"test_context.py:{here.f_lineno + 1}"
    larger = al.jit(lambda x: np.max(x) + 1.0, batch=0)  # the line of the branch
    with pytest.raises(errors.BranchError, match=pattern):
        larger(np.ones((3, 2)))
    pattern = f"test_context.py:{here.f_lineno + 1}"
    larger = al.jit(lambda x: functools.reduce(max, x), batch=0)
    with pytest.raises(errors.BranchError, match=pattern):
        larger(np.ones((3, 2)))


WATCHES = {
    "errstate": lambda: errstate(invalid="raise"),
    "detect_anomaly": detect_anomaly,
    "tracing": lambda: context.tracing(Listing()),
    "unchecked": context.unchecked,
    "unwatched": context.unwatched,
}


class Listing(context.Recorder):
    """A trace that the core in C may add nodes to by itself."""

    values: list[Any] = []  # noqa: RUF012  # of all that there are
    recorded = values.append


@pytest.mark.parametrize("outer", [None, errstate])
@pytest.mark.parametrize("name", WATCHES)
def test_no_watch_stays_on_after_an_interruption_at_any_point(name: str, outer: Any) -> None:
    before = context.active, context.current()

    def inside() -> None:
        with WATCHES[name]():
            len("inside")

    def work() -> None:
        if outer is None:
            return inside()
        with errstate(overflow="raise"):
            inside()
        return None

    event = 0
    gc.collect()
    gc.disable()  # or what others do when the collector runs is interrupted, and ignores it
    try:
        while interrupt_at(event, work):
            assert (context.active, context.current()) == before, event
            count = len(Listing.values)
            assert (Value(2.0) * 2.0).op is not None
            assert len(Listing.values) == count
            event += 1
    finally:
        gc.enable()
    assert event > 8


FORKED = """
import os, signal, threading, warnings
from autograd_lite import Value, value

held, done = threading.Event(), threading.Event()

def hold():
    with value._commit:
        held.set()
        done.wait(0.2)  # the fork waits for it: a child that inherits a lock held by another thread would hang

thread = threading.Thread(target=hold)
thread.start()
held.wait()
warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads, from Python 3.12 on
child = os.fork()
if not child:
    signal.alarm(20)
    x = Value(3.0)
    (x * x).backward()
    os._exit(int(x.grad))
thread.join()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_child_of_a_process_that_hands_gradients_over_can_do_so_too() -> None:
    assert run(FORKED) == "6\n"  # in a process where no other library has threads
