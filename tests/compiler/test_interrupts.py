"""Interruptions, forks and arrays that move: what machine code is handed stays there until it has ended."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
import weakref
from typing import Any

import numpy as np
import pytest

from autograd_lite import Op, digamma, gamma, jit, lgamma, polygamma
from tests.interrupt import interrupt_at
from tests.process import run

pytest.importorskip("llvmlite")

from autograd_lite.compiler.llvm import native, workers

OWN = Op("own", lambda x: 2.0 * x, 2.0)
CALLED_BACK = {
    "lgamma": lgamma, "gamma": gamma, "digamma": digamma, "polygamma": lambda x: polygamma(1, x), "own": OWN,
}  # fmt: skip
X = np.linspace(1.0, 3.0, 21)


# -- calls back into Python -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CALLED_BACK)
@pytest.mark.parametrize("reduce", [None, "sum"])
def test_an_interruption_at_any_point_of_a_call_back_reaches_the_caller(
    name: str, reduce: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: None)  # ctypes says what it has lost
    fast = jit(CALLED_BACK[name], batch=0, reduce=reduce, backend="llvm")
    x = X[:3]
    wanted = fast(x)
    event, found = 0, []
    while interrupt_at(event, lambda: found.append(fast(x)), within="native.py"):
        assert found == []
        event += 1
    assert event > 9
    assert np.array_equal(found.pop(), wanted)


def test_an_exception_of_a_users_op_reaches_the_caller_and_ends_the_call() -> None:
    calls = []

    def forward(x: float) -> float:
        calls.append(x)
        if x > 2.0:
            raise ZeroDivisionError("mine")
        return x

    fast = jit(Op("mine", forward, 1.0), batch=0, backend="llvm")
    for _ in range(2):
        calls.clear()
        with pytest.raises(ZeroDivisionError, match="mine"):
            fast(np.linspace(0.0, 3.0, 3000))
        assert len(calls) < 2200
    assert fast(X[:8]).tolist() == X[:8].tolist()


def test_an_exception_in_another_thread_reaches_the_caller() -> None:
    main = threading.get_ident()
    elsewhere = threading.Event()

    def forward(x: float) -> float:
        if threading.get_ident() != main:
            elsewhere.set()
            raise ZeroDivisionError("mine")
        if x > 1.0:
            elsewhere.wait(20.0)
        return x

    fast = jit(Op("mine", forward, 1.0), batch=0, backend="llvm", threads=2)
    with pytest.raises(ZeroDivisionError, match="mine"):
        fast(np.arange(20_000.0))


# -- threads ----------------------------------------------------------------------------------------------------------

SHARED = """
import sys
import numpy as np
from autograd_lite import jit, lgamma
from tests.interrupt import interrupt_at

sys.unraisablehook = lambda lost: None
for f, reduce in ((lambda x: x * x, "sum"), (lambda x: x * x, None), (lgamma, "sum")):
    fast = jit(f, batch=0, reduce=reduce, backend="llvm", threads=2)
    x = np.arange(1.0, 2200.0)
    wanted = fast(x)
    event = 0
    while interrupt_at(event, lambda: fast(np.arange(1.0, 2200.0))):
        junk = [np.full(2200, np.nan) for _ in range(9)]  # where the arrays were
        if event < 40 or event % 50 == 0:
            assert np.array_equal(fast(x), wanted), event
        event += 1 if event < 300 else 97
    assert event > 5
print("fine")
"""


def test_an_interruption_at_any_point_of_a_call_by_two_threads_neither_crashes_nor_hangs() -> None:
    assert run(SHARED, timeout=120) == "fine\n"


class Kept:
    """Memory that threads work on."""


def test_an_interrupted_call_does_not_wait_and_its_memory_outlives_it() -> None:
    begun, over, stopped = threading.Event(), threading.Event(), []
    kept = Kept()
    gone = weakref.ref(kept)

    def call(kept: Kept) -> None:
        def work(number: int, memory: Any = kept) -> None:
            if number:
                begun.set()
                over.wait()
                return
            begun.wait()
            raise KeyboardInterrupt

        workers.share(work, 2, lambda: stopped.append(True))

    with pytest.raises(KeyboardInterrupt):
        call(kept)
    assert stopped == [True]
    del kept
    assert gone() is not None
    over.set()
    deadline = time.monotonic() + 20.0
    while gone() is not None and time.monotonic() < deadline:
        time.sleep(0.001)
    assert gone() is None


def test_work_within_work_waits_for_nobody() -> None:
    found = []

    def outer(number: int) -> None:
        workers.share(found.append, 3, list)

    for _ in range(20):
        workers.share(outer, 3, list)
    assert found.count(0) >= 20


def none(*args: Any) -> int:
    raise RuntimeError("can't start new thread")


def test_without_threads_the_caller_does_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "start_new_thread", none)
    monkeypatch.setattr(workers, "_threads", workers._Threads())
    fast = jit(lambda x: x * x, batch=0, backend="llvm", threads=2)
    x = np.arange(3000.0)
    assert fast(x).tolist() == (x * x).tolist()


# -- forks ------------------------------------------------------------------------------------------------------------


FORKED = """
import os, signal, threading, warnings
import numpy as np
from autograd_lite import jit
from autograd_lite.compiler.llvm import native

fast = jit(lambda x: x * x, batch=0, backend="llvm", threads=2, reduce="sum")
x = np.arange(3000.0)
wanted = fast(x)
held, in_trace, let_go = threading.Event(), threading.Event(), threading.Event()

def compiling():
    with native._lock:
        held.set()
        let_go.wait(0.2)

def traced(v):
    in_trace.set()
    let_go.wait(0.5)
    return v * v

slow = jit(traced)
threads = [threading.Thread(target=compiling), threading.Thread(target=slow, args=(1.0,))]
for thread in threads:
    thread.start()
held.wait()
in_trace.wait()
warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads, from Python 3.12 on
child = os.fork()
if not child:
    signal.alarm(30)
    let_go = threading.Event()
    let_go.set()
    right = fast(x) == wanted and slow(3.0) == 9.0 and jit(lambda x: x + 1.0, batch=0)(x)[1] == 2.0
    os._exit(0 if right else 1)
let_go.set()
for thread in threads:
    thread.join()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_child_compiles_and_has_threads_of_its_own_whatever_the_others_did() -> None:
    assert run(FORKED) == "0\n"


class Engine:
    """What `native.NativeModule` holds, which is told to close."""

    def __init__(self, close: Any) -> None:
        self.close = close


def test_machine_code_is_freed_while_nobody_forks() -> None:
    held = []

    def close() -> None:
        held.append((native._lock._is_owned(), threading.current_thread() is threading.main_thread()))  # type: ignore[attr-defined]

    native.NativeModule({}, Engine(close), [])
    deadline = time.monotonic() + 20.0
    while not held and time.monotonic() < deadline:
        time.sleep(0.001)
    assert held == [(True, False)]


def test_machine_code_ends_without_python_code_in_which_ctrl_c_would_be_lost() -> None:
    fast = jit(lambda x: x * x + 3.0, backend="llvm")
    assert fast(3.0) == 12.0
    before, ran = len(native._engines), []
    sys.setprofile(lambda frame, kind, arg: ran.append(kind))
    del fast
    sys.setprofile(None)
    assert "call" not in ran
    deadline = time.monotonic() + 20.0
    while len(native._engines) >= before and time.monotonic() < deadline:
        time.sleep(0.001)
    assert len(native._engines) < before


def test_what_no_signal_disturbs_gives_and_raises_as_it_would_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError("mine")

    for _ in range(2):
        elsewhere = workers.undisturbed(lambda: threading.current_thread() is not threading.main_thread())
        with pytest.raises(ZeroDivisionError, match="mine"):
            workers.undisturbed(fail)
        assert _thread.stack_size() == 0
        assert elsewhere is (workers.start_new_thread is _thread.start_new_thread)
        monkeypatch.setattr(workers, "start_new_thread", none)  # in the second round there are no more threads


@pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) is not signal.default_int_handler, reason="Ctrl-C was ignored from the start"
)
def test_ctrl_c_while_llvm_is_at_work_does_not_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, over, ended = threading.Event(), threading.Event(), threading.Event()
    loaded = native._loaded

    def slow(*args: Any) -> Any:
        begun.set()
        over.wait(60.0)
        try:
            return loaded(*args)
        finally:
            ended.set()

    def interrupt() -> None:
        begun.wait(60.0)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    fast = jit(lambda x: x * x + 2.0, backend="llvm")
    with monkeypatch.context() as patched:
        patched.setattr(native, "_loaded", slow)
        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            fast(3.0)
    assert not ended.is_set()
    over.set()
    assert ended.wait(60.0)
    assert fast(3.0) == 11.0


# -- arrays that move -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reduce", [None, "sum"])
@pytest.mark.parametrize("threads", [1, 2])
def test_an_array_whose_numbers_have_moved_is_read_where_they_are(reduce: Any, threads: int) -> None:
    fast = jit(lambda x, y: x * y, batch=(0, 1), reduce=reduce, backend="llvm", threads=threads)
    x, y = np.arange(4000.0), np.ones(4000)
    fast(x, y), fast(x, y)
    for k in range(3):
        new = np.arange(4000.0) + k
        (y if k % 2 else x).__setstate__((1, new.shape, new.dtype, False, new.tobytes()))
        want = x * y
        found = fast(x, y)
        assert np.array_equal(found, want) if reduce is None else found == pytest.approx(want.sum(), rel=1e-12)
