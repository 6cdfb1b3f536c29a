"""Fitting: solutions against closed forms, the same bits by every route and after every end, and what is said when it fails."""

import itertools
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_lite import Value, dot, log, nn, where
from autograd_lite.errors import InputTypeError, InputValueError, JitWarning, MissingPackageError, StructureError
from autograd_lite.fit import minimize, rows, scipy_objective
from autograd_lite.fit.steps import bar
from autograd_lite.optim import SGD, Adagrad, Adam, AdamW, RMSprop
from autograd_lite.tables import Table
from tests.functions import decayed

POUNDS = [3.50, 3.69, 3.44, 3.43, 4.34, 4.42, 2.37]
MILES = [18.0, 15.0, 18.0, 16.0, 15.0, 14.0, 24.0]
CARS = (POUNDS, MILES)
ZERO = {"w": 0.0, "b": 0.0}
sgd = partial(SGD, lr=0.01)


def line(p, x, y):
    return (p["w"] * x + p["b"] - y) ** 2


def line_of(p, row):
    return line(p, row["x"], row["y"])


def plane(p, x, y):
    return (dot(p["w"], x) + p["b"] - y) ** 2


def sample(count, width=3, seed=0):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(count, width))
    return x, x @ np.arange(1.0, width + 1.0) - 0.5 + 0.1 * draw.normal(size=count)


def bits(result):
    flat = json.dumps([result.params, result.loss, result.history, result.steps, result.reason], default=list)
    return flat.replace("NaN", "nan")


# -- solutions --------------------------------------------------------------------------------------------------------


def test_seven_cars_take_the_path_of_the_note():
    seen = []
    found = minimize(
        line, ZERO, CARS, optimizer=sgd, steps=6, callback=lambda i, loss, p: seen.append((i, loss, p["w"], p["b"]))
    )
    table = [
        (0.0, 0.0, 303.71),
        (1.2, 0.34, 170.84),
        (2.05, 0.59, 103.17),
        (2.66, 0.78, 68.7),
        (3.09, 0.91, 51.13),
        (3.4, 1.01, 42.17),
    ]
    assert [(round(w, 2), round(b, 2), round(loss, 2)) for _, loss, w, b in seen] == table
    assert found.history[:6] == [(i, loss) for i, loss, *_ in seen]
    assert found.history[6] == (6, found.loss)
    assert repr(found) == f"Result(params={found.params}, loss={found.loss}, steps=6, reason='steps')"  # history is long
    many = minimize(lambda p: sum(x * x for x in p), [1.0] * 30, steps=0)
    assert repr(many) == "Result(params=[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, ...] of 30 numbers, loss=30.0, steps=0, reason='steps')"
    assert (found.steps, found.reason) == (6, "steps")
    assert found.loss == pytest.approx(
        np.mean([(found.params["w"] * x + found.params["b"] - y) ** 2 for x, y in zip(*CARS, strict=True)])
    )


def test_a_line_ends_at_the_least_squares_line():
    found = minimize(line, ZERO, CARS, optimizer=partial(SGD, lr=0.06), steps=20_000, tol=1e-15)
    slope, bias = np.polyfit(POUNDS, MILES, 1)
    assert found.reason == "converged"
    assert found.params == pytest.approx({"w": slope, "b": bias}, abs=1e-6)


@pytest.mark.parametrize("count", [40, 400])
@pytest.mark.parametrize("optimizer", [partial(SGD, lr=0.3), partial(SGD, lr=0.05, momentum=0.9)], ids=["plain", "momentum"])
def test_a_plane_ends_at_the_least_squares_plane(count, optimizer):
    x, y = sample(count)
    found = minimize(plane, {"w": np.zeros(3), "b": 0.0}, (x, y), optimizer=optimizer, steps=2000, tol=1e-16)
    exact = np.linalg.lstsq(np.column_stack([x, np.ones(count)]), y, rcond=None)[0]
    assert found.reason == "converged"
    assert isinstance(found.params["w"], np.ndarray)
    assert [*found.params["w"], found.params["b"]] == pytest.approx(exact.tolist(), abs=1e-7)


def test_without_data_the_loss_is_the_whole():
    found = minimize(lambda p: (p[0] - 3) ** 2 + (p[1] + 1) ** 4, [0.0, 0.0], optimizer=partial(Adam, lr=0.1), steps=3000)
    assert found.params == pytest.approx([3.0, -1.0], abs=1e-2)


def test_a_loss_without_data_is_run_at_every_step():
    drawn = iter(range(100))
    found = minimize(lambda w: w * next(drawn), 0.0, optimizer=partial(SGD, lr=1.0), steps=4)
    assert found.params == -6.0


def test_a_module_is_a_structure_of_weights():
    model = nn.MLP(2, [4, 1], activation="tanh", seed=1)
    x, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]] * 20, [0.0, 1.0, 1.0, 0.0] * 20
    found = minimize(lambda m, x, y: (m(x) - y) ** 2, model, (x, y), optimizer=partial(Adam, lr=0.1), steps=300)
    assert found.loss < 1e-3
    assert isinstance(found.params, nn.MLP)
    assert round(found.params([0.0, 1.0]).data) == 1
    assert model([0.0, 1.0]).data != found.params([0.0, 1.0]).data


@pytest.mark.parametrize("batch_size", [1, 7, 64, 200, 500])
def test_mini_batches_come_near_the_solution(batch_size):
    x, y = sample(200)
    found = minimize(
        plane, {"w": [0.0] * 3, "b": 0.0}, (x, y), optimizer=partial(SGD, lr=0.01), steps=3000, batch_size=batch_size
    )
    assert [*found.params["w"], found.params["b"]] == pytest.approx([1.0, 2.0, 3.0, -0.5], abs=0.1)


# -- one result by every route ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [None, 10, 16, 50])
def test_data_in_memory_and_streamed_give_the_same_bits(batch_size, monkeypatch):
    monkeypatch.setattr(rows, "BLOCK", 32)
    x, y = sample(100, 1)
    x = x[:, 0]
    run = {"optimizer": partial(Adam, lr=0.1), "steps": 30, "batch_size": batch_size, "tol": 1e-30}
    wanted = bits(minimize(line, ZERO, (x, y), **run))
    assert bits(minimize(line, ZERO, (x.tolist(), y.tolist()), **run)) == wanted
    assert bits(minimize(line_of, ZERO, {"x": x, "y": y}, **run)) == wanted
    for memory in (0, 2**20):
        with Table(["x", "y"], [(x.tolist(), y.tolist())], memory=memory) as table:
            assert bits(minimize(line_of, ZERO, table, **run)) == wanted


@pytest.mark.parametrize("batch_size", [None, 3])
def test_without_numpy_it_is_the_same_for_few_rows(batch_size, monkeypatch):
    run = {"optimizer": sgd, "steps": 20, "batch_size": batch_size}
    wanted = bits(minimize(line, ZERO, CARS, **run))
    with_rows = bits(minimize(plane, {"w": [0.0], "b": 0.0}, ([[x] for x in POUNDS], MILES), **run))
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert bits(minimize(line, ZERO, CARS, **run)) == wanted
    assert bits(minimize(plane, {"w": [0.0], "b": 0.0}, ([[x] for x in POUNDS], MILES), **run)) == with_rows


def test_without_numpy_many_rows_go_one_by_one(monkeypatch):
    x, y = sample(80)
    wanted = minimize(plane, {"w": [0.0] * 3, "b": 0.0}, (x, y), optimizer=sgd, steps=10)
    monkeypatch.setitem(sys.modules, "numpy", None)
    found = minimize(plane, {"w": [0.0] * 3, "b": 0.0}, (x.tolist(), y.tolist()), optimizer=sgd, steps=10)
    assert found.params["w"] == pytest.approx(wanted.params["w"], rel=1e-12)


def branching(p, x, y):
    error = p["w"] * x + p["b"] - y
    return error**2 if error > 0 else -error


def choosing(p, x, y):
    error = p["w"] * x + p["b"] - y
    return where(error > 0, error**2, -error)


def peeking(p, x, y):
    error = p["w"] * x + p["b"] - y
    return error**2 if error.data > 0 else -error


@pytest.mark.parametrize(
    ("loss", "why"),
    [(branching, r"a branch on a traced value at .*test_fit.py:\d+"), (peeking, r"\.data of a traced Value at")],
)
def test_a_loss_that_cannot_be_compiled_over_rows_is_run_row_by_row(loss, why):
    x, y = sample(90, 1)
    run = {"optimizer": partial(SGD, lr=0.05), "steps": 15}
    wanted = minimize(choosing, ZERO, (x[:, 0], y), **run)
    with pytest.warns(JitWarning, match=f"runs the loss row by row, which takes many times as long: {why}") as caught:
        found = minimize(loss, ZERO, (x[:, 0], y), **run)
    assert [one.filename for one in caught] == [__file__]
    assert [found.params[n] for n in "wb"] == pytest.approx([wanted.params[n] for n in "wb"], rel=1e-12)


# -- mini-batches -----------------------------------------------------------------------------------------------------


@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 9), st.integers(0, 40))
def test_a_pass_takes_each_row_once_and_can_be_joined_anywhere(count, size, seed, first):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "BLOCK", 16)
        data = rows.Rows(([float(i) for i in range(count)],))
        turn = -(-count // size)
        batches = list(itertools.islice(data.batches(size, seed, 0), 2 * turn + 5))
        for k in (0, 1):
            part = [batch[0].tolist() for batch in batches[k * turn : (k + 1) * turn]]
            assert sorted(itertools.chain(*part)) == [float(i) for i in range(count)]
            assert sorted(map(len, part))[1:] == [size] * (turn - 1)
        first %= 2 * turn
        for ours, theirs in zip(data.batches(size, seed, first), batches[first:], strict=False):
            assert ours[0].tolist() == theirs[0].tolist()


def test_the_order_of_rows_follows_from_the_seed_and_the_pass(monkeypatch):
    data = rows.Rows((list(range(100)),))
    first, second = ([b[0].tolist() for b in itertools.islice(data.batches(100, seed, 0), 3)] for seed in (0, 1))
    assert len({tuple(order) for order in first + second}) == 6
    assert [b[0].tolist() for b in itertools.islice(data.batches(100, 0, 0), 3)] == first
    monkeypatch.setitem(sys.modules, "numpy", None)
    plain = rows.Rows((list(range(100)),))
    assert [b[0] for b in itertools.islice(plain.batches(100, 0, 0), 3)] == first


def test_shuffling_is_fair():
    count, n = [[0] * 5 for _ in range(5)], 4000
    for k in range(n):
        for place, i in enumerate(rows.shuffled(5, f"key {k}")):
            count[place][i] += 1
    assert all(abs(c - n / 5) < 5 * (n / 5) ** 0.5 for row in count for c in row)


# -- how it ends ------------------------------------------------------------------------------------------------------


def settled(history, slope, weight, tol):
    (_, before), (_, last) = history[-3:-1] if history[-1] == history[-2] else history[-2:]
    scale = max(abs(last), 1.0)
    return abs(last - before) <= tol * scale and abs(slope) * max(abs(weight), 1.0) <= tol**0.5 * scale


@pytest.mark.parametrize("tol", [1e-3, 1e-6, 1e-12])
def test_tol_is_what_it_says_it_is(tol):
    seen = []
    found = minimize(
        lambda w: 7.0 + (w - 3) ** 2, 0.0, optimizer=partial(SGD, lr=0.1), steps=1000, tol=tol,
        callback=lambda step, loss, w: seen.append((loss, w)),
    )  # fmt: skip
    assert found.reason == "converged"
    holds = []
    for (before, _), (last, w) in itertools.pairwise(seen):
        scale = max(abs(last), 1.0)
        holds.append(abs(last - before) <= tol * scale and abs(2 * (w - 3)) * max(abs(w), 1.0) <= tol**0.5 * scale)
    assert holds == [False] * (len(holds) - 1) + [True]
    assert found.steps == len(holds)
    assert found.params == seen[-1][1]


def test_with_mini_batches_tol_is_looked_at_on_all_rows_once_a_pass():
    x = [float(i % 7) for i in range(60)]
    y = [2.0 * v + 1.0 for v in x]  # an exact fit, so that batches settle as well
    found = minimize(line, ZERO, (x, y), optimizer=partial(SGD, lr=0.02), steps=100_000, batch_size=7, tol=1e-12)
    assert found.reason == "converged"
    assert found.steps % 9 == 0
    assert found.params == pytest.approx({"w": 2.0, "b": 1.0}, abs=1e-5)


def test_the_callback_ends_the_run():
    found = minimize(line, ZERO, CARS, optimizer=sgd, steps=100, callback=lambda step, loss, p: loss < 100)
    assert (found.reason, found.steps) == ("stopped", 3)
    assert found.loss < 100 < found.history[2][1]


DIVERGING = [
    ("at once", line, ZERO, {"lr": 1e200}, range(1, 3)),
    ("soon", line, ZERO, {"lr": 1.0}, range(15, 40)),
    ("slowly", line, ZERO, {"lr": 0.0725}, range(20, 2000)),
    ("log of a negative number", lambda p, x, y: log(p["w"] - 1) + x - y, ZERO, {"lr": 0.1}, range(1)),
    ("log of zero", lambda p, x, y: log(p["w"]) + p["b"] + x - y, ZERO, {"lr": 0.1}, range(1)),
    ("an update that overflows", lambda p, x, y: p["w"] * x * 1e300 + p["b"] - y, ZERO, {"lr": 1e300}, range(1)),
    ("a slope that is infinite", lambda p, x, y: (p["w"] * x) ** 0.5 + p["b"] - y, ZERO, {"lr": 0.1}, range(1)),
]


@pytest.mark.parametrize(("loss", "start", "settings", "steps"), [d[1:] for d in DIVERGING], ids=[d[0] for d in DIVERGING])
def test_a_diverging_run_stops_and_says_so(loss, start, settings, steps):
    found = minimize(loss, start, CARS, optimizer=partial(SGD, **settings), steps=5000)
    assert found.reason == "diverged"
    assert found.steps in steps
    assert all(math.isfinite(loss) for _, loss in found.history[:-1])
    assert all(map(math.isfinite, found.params.values()))


def test_a_last_step_into_nowhere_is_divergence_too():
    found = minimize(log, 1.0, optimizer=partial(SGD, lr=2.0), steps=1)
    assert (found.reason, found.steps, found.params) == ("diverged", 1, -1.0)
    assert math.isnan(found.loss)


def jumping(p, x, y):
    return where(p > -100, (p - 1) ** 2 * 0.5, 6000.0) + 0 * (x + y)


@pytest.mark.parametrize("batch_size", [None, 3])
@pytest.mark.parametrize("tol", [None, 1e-9])
def test_a_run_that_ends_above_its_start_is_divergence(batch_size, tol):
    run = {"steps": 10, "batch_size": batch_size, "tol": tol}
    found = minimize(jumping, -99.0, CARS, optimizer=partial(SGD, lr=60.0), **run)  # to 5901, and from there on below -100
    assert (found.reason, found.loss, found.history[0][1]) == ("diverged", 6000.0, 5000.0)
    for harmless in (0.5, 3.0):  # down; and to 201, where the loss is four times the first, and on to the same end
        assert minimize(jumping, -99.0, CARS, optimizer=partial(SGD, lr=harmless), **run).reason in ("steps", "converged")


def test_ending_where_it_began_or_above_an_easy_batch_is_no_divergence():
    exact = minimize(line, ZERO, CARS, optimizer=partial(SGD, lr=0.06), steps=20_000, tol=1e-15)
    assert minimize(line, exact.params, CARS, optimizer=sgd, steps=50).reason == "steps"
    x = [0.1 * i for i in range(7)]
    assert minimize(line, {"w": 3.0, "b": 0.1}, (x, [3.0 * v + 0.1 for v in x]), optimizer=sgd, steps=50).reason == "steps"
    easy = minimize(lambda w, y: (w - y) ** 2, 0.0, ([0.0, 2.0, 2.0],), optimizer=sgd, steps=30, batch_size=1, seed=EASY)
    assert easy.history[0][1] == 0.0
    assert (easy.reason, easy.loss > 0.0) == ("steps", True)


@pytest.mark.parametrize(
    ("losses", "reason"),
    [
        ((1.0, 999.0), "steps"),
        ((1.0, 1001.0), "diverged"),
        ((1e-30, 9e-20), "steps"),
        ((-1.0, -0.5), "steps"),
        ((-1.0, 1e4), "diverged"),
    ],
)
def test_a_thousand_times_the_first_is_divergence(losses, reason):
    drawn = iter(losses)
    assert minimize(lambda w: 0 * w + next(drawn), 0.0, optimizer=sgd, steps=1).reason == reason


# the first mini-batch of which is the first row
EASY = next(seed for seed in range(99) if next(rows.Rows(([0.0, 2.0, 2.0],)).batches(1, seed, 0))[0][0] == 0.0)


def test_a_loss_that_rises_for_a_while_is_no_divergence():
    found = minimize(lambda w: (w - 1) ** 2, 1.0 + 1e-3, optimizer=partial(Adam, lr=0.2), steps=300)
    assert found.reason == "steps"
    found = minimize(lambda w: -w, 0.0, optimizer=partial(SGD, lr=1.0), steps=300)
    assert found.reason == "steps"


# -- Ctrl-C -----------------------------------------------------------------------------------------------------------


def interrupting(at, times=1):
    def callback(step, loss, params):
        if step == at:
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)

    return callback


def test_ctrl_c_ends_the_run_after_the_step_at_work(tmp_path):
    path = tmp_path / "run.json"
    before = signal.getsignal(signal.SIGINT)
    found = minimize(line, ZERO, CARS, optimizer=sgd, steps=50, callback=interrupting(7), checkpoint=path, every=1000)
    assert (found.reason, found.steps) == ("interrupted", 8)
    assert signal.getsignal(signal.SIGINT) is before
    again = minimize(line, ZERO, CARS, optimizer=sgd, steps=50, checkpoint=path)
    assert bits(again) == bits(minimize(line, ZERO, CARS, optimizer=sgd, steps=50))


def test_a_second_ctrl_c_does_not_wait():
    found = minimize(line, ZERO, CARS, optimizer=sgd, steps=50, callback=interrupting(7, times=2))
    assert (found.reason, found.steps) == ("interrupted", 7)


def test_ctrl_c_between_blocks_leaves_the_step_undone(monkeypatch):
    monkeypatch.setattr(rows, "BLOCK", 2)
    asked = []

    def loss(p, x, y):
        if p["w"].data != 0.0 and not asked:
            asked.append(True)
            os.kill(os.getpid(), signal.SIGINT)
        return line(p, x, y)

    found = minimize(loss, ZERO, CARS, optimizer=sgd, steps=50)
    assert (found.reason, found.steps) == ("interrupted", 1)


def test_an_interrupt_while_weights_move_is_passed_on_and_saves_nothing(tmp_path):
    class Slow(SGD):
        def rule(self, data, grad, state):
            if self._steps == 3:
                raise KeyboardInterrupt
            return super().rule(data, grad, state)

    with pytest.raises(KeyboardInterrupt):
        minimize(line, ZERO, CARS, optimizer=partial(Slow, lr=0.01), steps=50, checkpoint=tmp_path / "run.json", every=1000)
    assert not (tmp_path / "run.json").exists()


def test_in_another_thread_ctrl_c_is_left_alone():
    found = []
    thread = threading.Thread(target=lambda: found.append(minimize(line, ZERO, CARS, optimizer=sgd, steps=5)))
    thread.start()
    thread.join()
    assert found[0].reason == "steps"


# -- checkpoints ------------------------------------------------------------------------------------------------------

OPTIMIZERS = [
    sgd, partial(SGD, lr=0.01, momentum=0.9, nesterov=True), partial(Adam, lr=0.1), partial(AdamW, lr=0.1),
    partial(RMSprop, lr=0.01, centered=True, momentum=0.5), partial(Adagrad, lr=0.5),
]  # fmt: skip


class Death(BaseException):
    """An end that no handler expects."""


def dying(at):
    def callback(step, loss, params):
        if step == at:
            raise Death

    return callback


DEATHS = st.lists(st.integers(1, 39), max_size=4)


@given(st.sampled_from(OPTIMIZERS), st.sampled_from([None, 7, 30]), st.sampled_from([2, 12]), DEATHS, st.integers(1, 9))
def test_a_run_that_ended_anywhere_goes_on_to_the_same_bits(optimizer, batch_size, width, deaths, every):
    x, y = sample(100, width)
    start = {"w": [0.0] * width, "b": 0.1}
    run = {"optimizer": optimizer, "batch_size": batch_size, "seed": 5, "steps": 40, "tol": 1e-30}
    wanted = bits(minimize(plane, start, (x, y), **run))
    with pytest.MonkeyPatch.context() as patch:
        files = {}
        patch.setattr("autograd_lite.fit.steps.checkpoint.write_atomically", lambda path, text: files.update({path: text}))
        patch.setattr("os.path.exists", lambda path: path in files)
        patch.setattr("builtins.open", lambda path, **_: __import__("io").StringIO(files[path]))
        for death in deaths:
            with suppress(Death):  # not where an earlier run went beyond that step
                minimize(plane, start, (x, y), **run, checkpoint="run.json", every=every, callback=dying(death))
        assert bits(minimize(plane, start, (x, y), **run, checkpoint="run.json", every=every)) == wanted
        assert bits(minimize(plane, start, (x, y), **run, checkpoint="run.json", every=every)) == wanted


def test_a_finished_run_can_be_made_longer(tmp_path):
    path = tmp_path / "run.json"
    minimize(line, ZERO, CARS, optimizer=sgd, steps=10, checkpoint=path)
    longer = minimize(line, ZERO, CARS, optimizer=sgd, steps=25, checkpoint=path)
    assert bits(longer) == bits(minimize(line, ZERO, CARS, optimizer=sgd, steps=25))


def test_a_run_that_converged_stays_so(tmp_path):
    run = {"optimizer": partial(SGD, lr=0.06), "steps": 20_000, "tol": 1e-9, "checkpoint": tmp_path / "run.json"}
    first = minimize(line, ZERO, CARS, **run)
    assert first.reason == "converged"
    assert bits(minimize(line, ZERO, CARS, **run)) == bits(first)


def test_checkpoints_are_written_as_often_as_asked(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(
        "autograd_lite.fit.steps.checkpoint.write_atomically", lambda path, text: written.append(json.loads(text))
    )
    minimize(line, ZERO, CARS, optimizer=sgd, steps=10, checkpoint=tmp_path / "run.json", every=4)
    assert [len(content["state"]["losses"]) for content in written] == [4, 8, 10]
    written.clear()
    minimize(line, ZERO, CARS, optimizer=sgd, steps=1000, checkpoint=tmp_path / "run.json")
    assert len(written) == 101


OTHERS = [
    ({"params": [0.0, 0.0], "loss": lambda p, x, y: p[0] - y}, "params='dict(w: *, b: *)', and this one has params='list"),
    ({"params": {"w": 0.0, "b": 1.0}}, "start="),
    ({"optimizer": partial(SGD, lr=0.02)}, "optimizer={'optimizer': 'SGD', 'lr': 0.01,"),
    ({"optimizer": partial(Adam, lr=0.01)}, "optimizer={'optimizer': 'SGD',"),
    ({"batch_size": 3}, "batch_size=None, and this one has batch_size=3"),
    ({"seed": 1}, "seed=0, and this one has seed=1"),
    ({"data": (POUNDS, [*MILES[:-1], 25.0])}, "data="),
    ({"data": (POUNDS[:-1], MILES[:-1])}, "data="),
    ({"loss": lambda p, x, y: abs(p["w"] * x + p["b"] - y)}, "whose first loss was 303.714"),
    ({"steps": 5}, "steps=5, but checkpoint="),
    ({"about": {"formula": "w*x - b"}}, "formula=None, and this one has formula='w*x - b': go on as it was begun"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), OTHERS, ids=lambda x: x[:20] if isinstance(x, str) else "")
def test_a_checkpoint_of_another_run_is_refused(change, message, tmp_path):
    given = {"loss": line, "params": ZERO, "data": CARS, "optimizer": sgd, "steps": 10, "checkpoint": tmp_path / "run.json"}
    minimize(**given)
    before = (tmp_path / "run.json").read_bytes()
    with pytest.raises(InputValueError, match=re.escape(message)):
        minimize(**{**given, **change})
    assert (tmp_path / "run.json").read_bytes() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "run.json is not JSON"),
        ("[]", "run.json does not hold autograd_lite.checkpoint: give a checkpoint"),
        ('{"format": "autograd_lite.parameters"}', "run.json does not hold autograd_lite.checkpoint"),
        ('{"format": "autograd_lite.checkpoint", "version": 2}', "has version 2, this library reads 1: write it again"),
        ('{"format": "autograd_lite.checkpoint", "version": 1}', "belongs to a run with params=None"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused(text, message, tmp_path):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(InputValueError, match=re.escape(message)):
        minimize(line, ZERO, CARS, optimizer=sgd, steps=10, checkpoint=tmp_path / "run.json")


def test_a_checkpoint_cut_short_is_refused(tmp_path):
    path = tmp_path / "run.json"
    minimize(line, ZERO, CARS, optimizer=sgd, steps=10, checkpoint=path)
    content = json.loads(path.read_text())
    del content["state"]["leaves"]
    path.write_text(json.dumps(content))
    with pytest.raises(InputValueError, match=re.escape("is damaged (a part is missing): remove the file to begin again")):
        minimize(line, ZERO, CARS, optimizer=sgd, steps=10, checkpoint=path)


@pytest.mark.parametrize(
    ("part", "content", "why"),
    [
        ("leaves", [1.0], "1 weights for 2"),
        ("leaves", None, "a part is missing"),
        ("leaves", [[1.0], [2.0]], "a loss or a weight is no number"),
        ("leaves", [math.inf, 1.0], "a loss or a weight is no number"),
        ("leaves", ["a", "b"], "a loss or a weight is no number"),
        ("losses", 3, "a part is missing"),
        ("losses", "abc", "a loss or a weight is no number"),
        ("previous", "q", "a loss or a weight is no number"),
        ("optimizer", 3, ""),
        ("optimizer", {}, ""),
        ("optimizer", {"state": 3}, ""),
        ("optimizer", {"state": {"w": 3}}, ""),
    ],
)
def test_a_damaged_checkpoint_is_refused(part, content, why, tmp_path):
    path = tmp_path / "run.json"
    minimize(line, ZERO, CARS, optimizer=Adam, steps=3, checkpoint=path)
    saved = json.loads(path.read_text())
    saved["state"][part] = content
    path.write_text(json.dumps(saved))
    with pytest.raises(InputValueError, match=re.escape(f"is damaged ({why}") + ".*: remove the file to begin again"):
        minimize(line, ZERO, CARS, optimizer=Adam, steps=10, checkpoint=path)


KILLED = """
import json, os, signal, sys
from functools import partial
from autograd_lite.fit import minimize
from autograd_lite.optim import Adam

path, at, where = sys.argv[1], int(sys.argv[2]), sys.argv[3]
kill = lambda: os.kill(os.getpid(), signal.SIGKILL)
writings = 0
replace = os.replace

def replaced(*names):
    global writings
    writings += 1
    if where == "before" and writings == at:
        kill()
    replace(*names)
    if where == "after" and writings == at:
        kill()

os.replace = replaced
xs = [0.1 * i for i in range(30)]
ys = [x * x for x in xs]
loss = lambda p, x, y: (p["a"] * x * x + p["b"] * x + p["c"] - y) ** 2
found = minimize(loss, {"a": 0.0, "b": 0.0, "c": 0.0}, (xs, ys), optimizer=partial(Adam, lr=0.05), steps=400, batch_size=4,
                 checkpoint=path, every=7, callback=lambda step, *_: kill() if where == "step" and step == at else None)
print(json.dumps([found.params, found.loss, found.history]))
"""


def start(path, at, where):
    command = [sys.executable, "-W", "error", "-c", KILLED, str(path), str(at), where]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.getcwd()})


def finished(path, *how):
    process = start(path, *how)
    output = process.communicate(timeout=60)[0]
    return process.returncode, output


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
def test_killed_at_any_moment_it_goes_on_to_the_same_bits(tmp_path):
    code, wanted = finished(tmp_path / "whole.json", 0, "never")
    assert code == 0
    for how in [(3, "step"), (100, "step"), (1, "before"), (9, "before"), (4, "after")]:
        assert finished(tmp_path / "run.json", *how)[0] == -signal.SIGKILL
    draw = random.Random(0)
    for _ in range(3):
        process = start(tmp_path / "run.json", 0, "never")
        with process:
            try:
                process.wait(timeout=draw.uniform(0.0, 0.4))
            except subprocess.TimeoutExpired:
                process.kill()
    assert finished(tmp_path / "run.json", 0, "never") == (0, wanted)


# -- more data than memory --------------------------------------------------------------------------------------------

LIMIT = 100 * 2**20
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[2]),) * 2)
from functools import partial
from autograd_lite.fit import minimize
from autograd_lite.optim import SGD
from autograd_lite.tables import read_table

names = "abcdefghi"
loss = lambda p, row: (sum((p[n] * row[n] for n in names), p["z"]) - row["y"]) ** 2
with read_table(sys.argv[1], memory=int(sys.argv[3])) as table:
    found = minimize(loss, dict.fromkeys("abcdefghiz", 0.0), table, optimizer=partial(SGD, lr=0.3), steps=30)
    print(table.rows, max(abs(w - 1) for w in found.params.values()) < 1e-6)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the data of a process")
def test_a_table_larger_than_memory_is_fitted_within_it(tmp_path):
    pytest.importorskip("llvmlite", reason="llvmlite is only in the extra that compiles")
    x = np.round(np.random.default_rng(0).normal(size=(10_000, 9)), 2)
    rows = "".join(",".join(f"{v:.2f}" for v in (*row, sum(row) + 1)) + "\n" for row in x.tolist())
    count = LIMIT // (8 * 10 * 10_000) + 1
    with (tmp_path / "large.csv").open("w") as file:
        file.write("a,b,c,d,e,f,g,h,i,y\n")
        file.writelines(rows for _ in range(count))
    assert 8 * 10 * 10_000 * count > LIMIT

    def fitted(memory):
        command = [sys.executable, "-c", LIMITED, str(tmp_path / "large.csv"), str(LIMIT), str(memory)]
        few = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # each thread would ask for its own stack
        environment = {**os.environ, "PYTHONPATH": os.getcwd(), **few}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    streamed = fitted(2**20)
    assert streamed.stdout == f"{10_000 * count} True\n", streamed.stderr
    held = fitted(2**40)  # the limit is one, for Python or for a thread of pyarrow's that is started near it
    assert held.returncode != 0
    assert "MemoryError" in held.stderr or "Resource temporarily unavailable" in held.stderr


# -- progress ---------------------------------------------------------------------------------------------------------


class Screen:
    def __init__(self, terminal):
        self.text, self.terminal = "", terminal

    def isatty(self):
        return self.terminal

    def write(self, text):
        self.text += text

    def flush(self):
        pass


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_drawn_on_terminals_only(terminal, monkeypatch):
    screen = Screen(terminal)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(bar, "PAUSE", 0.0)
    minimize(line, ZERO, CARS, optimizer=sgd, steps=6, progress=True)
    if terminal:
        assert "\r\x1b[K[###############---------------] 3/6  loss 68.7" in screen.text
        assert screen.text.endswith("\r\x1b[K")
    else:
        assert screen.text == ""


def test_a_bar_is_not_drawn_too_often():
    screen = Screen(True)
    line = bar.Bar(1000, screen)
    for i in range(1000):
        line.update(i, 1.0)
    assert screen.text.count("\r") < 100
    line.clear()
    line.clear()
    assert screen.text.count("\r") == screen.text.count("loss") + 1


# -- SciPy ------------------------------------------------------------------------------------------------------------


def rosenbrock(p):
    return (1 - p["a"]) ** 2 + 100 * (p["rest"][0] - p["a"] ** 2) ** 2


def test_scipy_objective():
    o = scipy_objective(rosenbrock, {"a": -1.2, "rest": [1.0]})
    assert o.x0.tolist() == [-1.2, 1.0]
    value, slopes = o.fun(o.x0)
    assert value == pytest.approx(24.2)
    assert slopes == pytest.approx([-215.6, -88.0])
    assert o.hess(o.x0) == pytest.approx(np.array([[1330.0, 480.0], [480.0, 200.0]]))
    assert o.hessp(o.x0, np.array([1.0, -2.0])) == pytest.approx(o.hess(o.x0) @ [1.0, -2.0])
    assert o.params(np.array([3.0, 4.0])) == {"a": 3.0, "rest": [4.0]}


@pytest.mark.parametrize("method", ["BFGS", "Newton-CG", "trust-exact", "trust-ncg"])
def test_scipy_minimises_it(method):
    optimize = pytest.importorskip("scipy.optimize", reason="SciPy is only in the extra that compares with it")
    o = scipy_objective(rosenbrock, {"a": -1.2, "rest": [1.0]})
    second = {"hess": o.hess} if method == "trust-exact" else {"hessp": o.hessp} if method != "BFGS" else {}
    found = optimize.minimize(o.fun, o.x0, jac=True, method=method, tol=1e-9, **second)
    params = o.params(found.x)
    assert [params["a"], *params["rest"]] == pytest.approx([1.0, 1.0], abs=1e-5)


DECAY = ([0.0, 1.0, 2.0, 3.0], [5.1, 2.9, 1.9, 1.0])


@pytest.mark.parametrize("times", [1, 100])  # few rows, and as many as are compiled
def test_scipy_objective_over_rows(times):
    x, y = (np.array(column * times) for column in DECAY)
    o = scipy_objective(residual=decayed, x0={"a": 4.0, "k": 0.3}, data=(x, y))
    e = np.exp(-0.3 * x)
    r, jacobian = 4 * e - y, np.stack([e, -4 * x * e], axis=1)
    assert o.residuals(o.x0) == pytest.approx(r, rel=1e-13)
    assert o.jacobian(o.x0) == pytest.approx(jacobian, rel=1e-13)
    value, slopes = o.fun(o.x0)
    assert value == pytest.approx(np.mean(r**2), rel=1e-13)
    assert slopes == pytest.approx(2 * jacobian.T @ r / len(x), rel=1e-12)
    across, twice = np.mean(r * -x * e), np.mean(r * 4 * x * x * e)
    second = 2 * (jacobian.T @ jacobian / len(x) + np.array([[0.0, across], [across, twice]]))
    assert o.hess(o.x0) == pytest.approx(second, rel=1e-12)
    assert o.hessp(o.x0, np.array([1.0, -2.0])) == pytest.approx(second @ [1.0, -2.0], rel=1e-12)
    loss = scipy_objective(lambda p, row: decayed(p, row["x"], row["y"]) ** 2, {"a": 4.0, "k": 0.3}, {"x": x, "y": y})
    assert loss.fun(o.x0)[0] == pytest.approx(value, rel=1e-13)
    assert loss.hess(o.x0) == pytest.approx(second, rel=1e-12)
    with pytest.raises(InputTypeError, match=re.escape("residuals come from residual= and data: scipy_objective(residual=r")):
        loss.residuals(o.x0)


def test_scipy_fits_by_residuals():
    optimize = pytest.importorskip("scipy.optimize", reason="SciPy is only in the extra that compares with it")
    o = scipy_objective(residual=decayed, x0={"a": 4.0, "k": 0.3}, data=DECAY)
    found = optimize.least_squares(o.residuals, o.x0, jac=o.jacobian, xtol=1e-14, ftol=1e-14, gtol=1e-14)
    x, y = map(np.array, DECAY)
    expected, _ = optimize.curve_fit(lambda x, a, k: a * np.exp(-k * x), x, y, p0=[4.0, 0.3], xtol=1e-14, ftol=1e-14)
    assert found.x == pytest.approx(expected, rel=1e-7)
    two = scipy_objective(residual=lambda p, x, y: [p[0] * x - y, p[1] - y], x0=[1.0, 2.0], data=([1.0, 3.0], [5.0, 7.0]))
    assert two.residuals(two.x0).tolist() == [-4.0, -3.0, -4.0, -5.0]
    assert two.jacobian(two.x0).tolist() == [[1.0, 0.0], [0.0, 1.0], [3.0, 0.0], [0.0, 1.0]]
    assert two.fun(two.x0)[0] == 33.0


def test_scipy_objectives_say_what_they_offer():
    def loss(p):
        return p["a"] ** 2

    assert repr(scipy_objective(loss, {"a": 3.0})) == "<ScipyObjective of loss: fun, hess, hessp from x0=[3.0]>"
    over = scipy_objective(residual=lambda p, x: p * x - 1, x0=2.0, data=([1.0, 2.0],))
    assert repr(over).endswith("over 2 rows: fun, hess, hessp, residuals, jacobian from x0=[2.0]>")


def test_scipy_objective_takes_a_loss_or_residuals_with_data():
    said = re.escape("residual= takes the place of f and needs data: scipy_objective(residual=r, x0=x0, data=(x, y))")
    with pytest.raises(InputTypeError, match=said):
        scipy_objective(rosenbrock, [1.0], ([1.0],), residual=decayed)
    with pytest.raises(InputTypeError, match=said):
        scipy_objective(residual=decayed, x0=[1.0])
    with pytest.raises(InputTypeError, match="residuals come from residual= and data"):
        scipy_objective(rosenbrock, [1.0]).jacobian(np.array([1.0]))


def test_scipy_objective_of_what_is_no_function_or_no_number():
    with pytest.raises(InputTypeError, match=re.escape("f=3 is not callable: give a function of what x0 holds")):
        scipy_objective(3, [1.0])
    with pytest.raises(InputValueError, match=re.escape("x0={'a': []} holds no number: give at least one to move")):
        scipy_objective(rosenbrock, {"a": []})


def test_scipy_objective_without_numpy(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(MissingPackageError, match="scipy_objective needs NumPy, which comes with SciPy: pip install scipy"):
        scipy_objective(rosenbrock, {"a": 0.0, "rest": [1.0]})


# -- what is not understood -------------------------------------------------------------------------------------------

WRONG = [
    ({"params": {}}, InputValueError, "params={} holds no number: give at least one weight to move"),
    ({"params": {"w": "a"}}, InputTypeError, "params['w']='a' is a str: expected numbers or Values"),
    ({"params": [Value(1.0)]}, InputTypeError, "params holds Values, which would stay as they are: give their numbers,"),
    ({"steps": -1}, InputValueError, "steps=-1 must be a whole number from 0 up"),
    ({"loss": "mse"}, InputTypeError, "loss='mse' is not callable: give a function of the params, and of a row where there is"),
    ({"steps": 1.5}, InputValueError, "steps=1.5 must be a whole number from 0 up"),
    ({"steps": True}, InputValueError, "steps=True must be a whole number from 0 up"),
    ({"seed": "a"}, InputValueError, "seed='a' must be a whole number from 0 up"),
    ({"batch_size": 0}, InputValueError, "batch_size=0 must be a whole number from 1 up"),
    ({"every": 0}, InputValueError, "every=0 must be a whole number from 1 up"),
    ({"tol": -1}, InputValueError, "tol=-1 must be a number from 0 up: 1e-9 is usual, None never stops"),
    ({"tol": "a"}, InputValueError, "tol='a' must be a number from 0 up"),
    ({"data": None, "batch_size": 3}, InputValueError, "batch_size=3 without data: give the rows as data"),
    ({"data": [POUNDS, MILES]}, InputTypeError, "data is a list: give a tuple of columns (x, y), a dict of them, or a Table"),
    ({"data": (POUNDS, MILES[1:])}, StructureError, "the columns of data have [7, 6] rows: give each column one entry"),
    ({"data": ([], [])}, InputValueError, "data has no rows, and their mean loss no value: give at least one row"),
    ({"data": ()}, InputValueError, "data has no rows"),
    ({"data": (POUNDS, 3.0)}, InputTypeError, "data[1] is a float: a column has one entry for each row, give a list"),
    ({"data": (POUNDS, "abcdefg")}, InputTypeError, "data[1] is a str"),
    ({"data": {"x": POUNDS, "y": ["1"] * 7}}, InputTypeError, "data['y'][0]='1' is a str, not a real number: convert"),
    ({"data": {"x": POUNDS, "y": [*MILES[:6], "7"]}}, InputTypeError, "data['y'][6]='7' is a str, not a real number"),
    ({"data": (POUNDS, [[1.0], [1.0, 2.0]])}, StructureError, "data[1] is ragged: give rows of one length, or a column for"),
    ({"optimizer": lambda weights: 3}, InputTypeError, "made an int: give a class of optim, or partial(SGD, lr=0.1)"),
    ({"optimizer": "adam"}, InputTypeError,
     "optimizer='adam' must be a function of the weights alone ('str' object is not callable): give partial(SGD, lr=0.1)"),
    ({"optimizer": SGD([Value(1.0)], lr=0.1)}, InputTypeError, "alone ('SGD' object is not callable): give partial(SGD,"),
    ({"optimizer": SGD}, InputTypeError, "SGD'> must be a function of the weights alone (SGD.__init__() missing 1 required"),
    ({"optimizer": partial(SGD, lr=-1)}, InputValueError, "lr=-1 must not be negative"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "kind", "message"), WRONG, ids=[w[2][:30] for w in WRONG])
def test_wrong_arguments_are_named(change, kind, message):
    given = {"loss": line, "params": ZERO, "data": CARS, "optimizer": sgd, "steps": 10}
    with pytest.raises(kind, match=re.escape(message)):
        minimize(**{**given, **change})


def test_a_loss_of_columns_is_told_that_it_sees_rows():
    def whole(params, x, y):
        return sum((params[0] * x[i] - y[i]) ** 2 for i in range(7))

    with pytest.raises(TypeError) as caught:
        minimize(whole, [0.0], CARS, steps=1)
    assert caught.value.__notes__ == ["minimize calls loss(params, *row) with the numbers of one row, not with columns."]


def test_a_column_of_arrays_of_one_number_is_named():
    column = np.arange(7.0).reshape(7, 1)
    message = "gives a ndarray of shape (1,) for one row: return one number; of a column of shape (n, 1), in which each entry"
    with pytest.raises(InputTypeError, match=re.escape(message)):
        minimize(lambda p, x, y: (p[0] * x - y) ** 2, [0.0], (column, column), steps=1)


@pytest.mark.parametrize(
    ("column", "message"), [("abcdefg", "data[1] is a str"), (3.0, "data[1] is a float"), ([1, "a"], "data[1][1]='a'")]
)
def test_wrong_columns_are_named_without_numpy_too(column, message, monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(InputTypeError, match=re.escape(message)):
        minimize(line, ZERO, (POUNDS, column), optimizer=sgd, steps=1)
