"""Ctrl-C wherever a signal can come in: what a call changes is as before or as after, and the next call is right."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from autograd_lite import Value, context, draw, jit, nn, optim
from autograd_lite.fit import minimize
from autograd_lite.interrupt import deferred_interrupt
from tests.interrupt import interrupt_at

Made = tuple[Callable[[], Any], Callable[[], Any]]


def weights() -> list[Value]:
    """Three parameters, two of which a gradient has reached."""
    params = [Value(float(i), f"w{i}") for i in range(1, 4)]
    (params[0] * params[0] * params[1] + params[2]).backward()
    return params


def everything(params: list[Value], *owners: Any) -> Callable[[], Any]:
    """A function that tells all numbers of parameters, and of optimizers and schedules."""
    return lambda: ([(p.data, p.grad) for p in params], [owner.state_dict() for owner in owners])


def stepped(make: Callable[..., Any], warm: bool) -> Made:
    params = weights()
    optimizer = make(params, lr=0.1)
    if warm:
        optimizer.step()
    return optimizer.step, everything(params, optimizer)


def given() -> Made:
    params = weights()
    optimizer = optim.Adam(params, lr=0.1)
    return lambda: optimizer.step([1.0, 2.0, 3.0]), everything(params, optimizer)


def zeroed() -> Made:
    params = weights()
    return optim.SGD(params, lr=0.1).zero_grad, everything(params)


def clipped() -> Made:
    params = weights()
    return lambda: optim.clip_grad_norm(params, 0.5), everything(params)


def loaded() -> Made:
    params = weights()
    optimizer, other = optim.Adam(params, lr=0.1), optim.Adam(weights(), lr=0.3, betas=(0.5, 0.6))
    other.step()
    saved = other.state_dict()
    return lambda: optimizer.load_state_dict(saved), everything(params, optimizer)


def rated() -> Made:
    params = weights()
    optimizer = optim.SGD(params, lr=0.1)
    optim.StepLR(optimizer, 1, 0.5).step()  # and it is gone: its factor goes over to the base rate

    def set_lr() -> None:
        optimizer.lr = 3.0

    return set_lr, everything(params, optimizer)


def scheduled(make: Callable[..., Any]) -> Made:
    params = weights()
    optimizer = optim.SGD(params, lr=0.1)
    optim.StepLR(optimizer, 1, 0.5).step()
    schedule = make(optimizer)
    return schedule.step, everything(params, optimizer, schedule)


def schedule_loaded() -> Made:
    params = weights()
    optimizer = optim.SGD(params, lr=0.1)
    schedule, other = optim.StepLR(optimizer, 3, 0.5), optim.StepLR(optim.SGD(weights(), lr=0.1), 1, 0.9)
    other.step()
    saved = other.state_dict()
    return lambda: schedule.load_state_dict(saved), everything(params, optimizer, schedule)


def settled() -> Made:
    params = weights()
    optimizer = optim.SGD(params, lr=0.1)
    for _ in range(2):
        optim.StepLR(optimizer, 1, 0.5).step()
    return optimizer.state_dict, lambda: optimizer.lr


def backward(create_graph: bool) -> Made:
    params = weights()
    loss = params[0] * params[1] + params[1] * params[2]
    return lambda: loss.backward(create_graph=create_graph), lambda: [float(getattr(p.grad, "data", p.grad)) for p in params]


def set_data() -> Made:
    (v,) = weights()[:1]

    def assign() -> None:
        v.data = 7.0

    return assign, lambda: v.data


def cleared() -> Made:
    (v,) = weights()[:1]
    return v.zero_grad, lambda: v.grad


STATES: dict[str, Callable[[], Made]] = {
    **{
        f"{name}.step, {'second' if warm else 'first'}": lambda name=name, warm=warm: stepped(getattr(optim, name), warm)
        for name in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad")
        for warm in (False, True)
    },
    "step(grads)": given,
    "zero_grad": zeroed,
    "clip_grad_norm": clipped,
    "optimizer.load_state_dict": loaded,
    "optimizer.lr = ...": rated,
    "StepLR.step": lambda: scheduled(lambda o: optim.StepLR(o, 1, 0.5)),
    "ExponentialLR.step": lambda: scheduled(lambda o: optim.ExponentialLR(o, 0.5)),
    "CosineAnnealingLR.step": lambda: scheduled(lambda o: optim.CosineAnnealingLR(o, 5)),
    "LinearLR.step": lambda: scheduled(optim.LinearLR),
    "schedule.load_state_dict": schedule_loaded,
    "state_dict after a schedule has gone": settled,
    "backward": lambda: backward(False),
    "backward(create_graph=True)": lambda: backward(True),
    "data = ...": set_data,
    "Value.zero_grad": cleared,
}


@pytest.fixture
def calm() -> Iterator[None]:
    """Without the collector, whose callbacks cannot raise."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("name", STATES)
def test_what_an_interrupted_call_changes_is_old_or_new(name: str, calm: None) -> None:
    call, state = STATES[name]()
    old = state()
    call()
    new = state()
    event, run = 0, True
    while run:
        call, state = STATES[name]()
        run = interrupt_at(event, call)
        assert state() in (old, new), event  # in the bits of the rate too
        assert context.active == 0
        event += 1
    assert state() == new
    assert event > 1


def test_a_module_interrupted_while_it_loads_is_old_or_new(tmp_path: Any, calm: None) -> None:
    path = tmp_path / "weights.json"
    nn.MLP(2, [2, 1], seed=1).save(path)

    def numbers(model: Any) -> list[float]:
        return [p.data for p in model.parameters()]

    old = numbers(nn.MLP(2, [2, 1], seed=0))
    event, run = 0, True
    while run:
        model = nn.MLP(2, [2, 1], seed=0)
        run = interrupt_at(event, partial(model.load, path), within="module.py")
        assert numbers(model) == old or numbers(model) == numbers(nn.MLP(2, [2, 1], seed=1)), event
        event += 1
    assert numbers(model) != old


@pytest.mark.parametrize("within", ["specialize.py", "paths.py", "trace.py", "value.py", "simplify.py", "to_python.py"])
def test_after_an_interrupted_first_call_of_jit_the_next_is_right(within: str, calm: None) -> None:
    event, run = 0, True
    while run:
        fast = jit(lambda x, y: x * y + 1.0 if x > y else x / y, backend="python")
        run = interrupt_at(event, partial(fast, 3.0, 2.0), within=within)
        assert (fast(3.0, 2.0), fast(1.0, 2.0)) == (7.0, 0.5), event
        assert context.active == 0
        event += 1
    assert event > 1


def test_after_an_interrupted_turn_to_another_path_the_next_call_is_right(calm: None) -> None:
    event, run = 0, True
    while run:
        fast = jit(lambda x: x * x if x > 0.0 else -x, backend="python")
        fast(1.0)
        run = interrupt_at(event, partial(fast, -3.0), within="specialize.py")
        assert (fast(-3.0), fast(3.0)) == (3.0, 9.0), event
        event += 1
    assert event > 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of a file closed by its end, not by `with`
def test_a_picture_interrupted_while_it_is_saved_is_old_or_new(tmp_path: Any, calm: None) -> None:
    path = tmp_path / "a.svg"
    new = draw(Value(2.0, "x") * 3.0)
    event, run = 0, True
    while run:
        path.write_text("old", encoding="utf-8")
        run = interrupt_at(event, lambda: new.save(path), within="files.py")
        assert path.read_text(encoding="utf-8") in ("old", new.svg()), event
        assert [p.name for p in tmp_path.iterdir()] == ["a.svg"], event
        event += 1
    assert path.read_text(encoding="utf-8") == new.svg()


needs_ctrl_c = pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) is not signal.default_int_handler, reason="the suite was started with Ctrl-C ignored"
)


@needs_ctrl_c
def test_ctrl_c_in_the_last_step_of_minimize_is_told() -> None:
    def last(step: int, loss: float, params: Any) -> None:
        if step == 4:
            signal.raise_signal(signal.SIGINT)

    found = minimize(lambda p: p[0] * p[0], [1.0], steps=5, callback=last, optimizer=partial(optim.SGD, lr=0.1))
    assert (found.reason, found.steps) == ("interrupted", 5)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@needs_ctrl_c
def test_a_deferred_ctrl_c_that_nobody_asked_for_comes_at_the_end() -> None:
    done = []

    def work() -> None:
        with deferred_interrupt():
            signal.raise_signal(signal.SIGINT)
            done.append("the work")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["the work"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_compiled_function_ends_without_python_code_in_which_ctrl_c_would_be_lost() -> None:
    fast = jit(lambda x: x * x, backend="python")
    assert fast(3.0) == 9.0
    ran = []
    sys.setprofile(lambda frame, kind, arg: ran.append(kind))
    del fast
    sys.setprofile(None)
    assert "call" not in ran
