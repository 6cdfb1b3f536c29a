"""Long chains are freed link by link, however little stack there is, and Ctrl-C that comes meanwhile is not lost."""

import signal
import sys
import time

import pytest

from autograd_lite import ends


class Node:
    """One that is freed as a Value is where the interpreter cannot; it notes how deep in each other frees are."""

    __slots__ = ("_a", "_b", "told")

    def __init__(self, a, b, told):
        self._a, self._b, self.told = a, b, told

    def __del__(self):
        depth, frame = 0, sys._getframe()
        while frame is not None:
            depth += frame.f_code is Node.__del__.__code__
            frame = frame.f_back
        self.told.append(depth)
        ends.freed(self)


def test_a_chain_is_freed_link_by_link():
    told = []
    node = Node(0.0, 0.0, told)
    for i in range(5_000):
        node = Node(node, 2.0, told) if i % 3 else Node((node, 1.0, node), 0.0, told)
    assert told == []
    del node
    assert len(told) == 5_001
    assert max(told) == 2


def test_what_somebody_holds_stays_as_it_is():
    told = []
    inner = Node(Node(0.0, 0.0, told), 1.0, told)
    outer = Node(inner, inner, told)
    del outer
    assert len(told) == 1
    assert inner._a is not None
    del inner
    assert len(told) == 3


def test_one_that_was_never_finished_is_freed():
    told = []
    node = Node(0.0, 0.0, told)
    del node._a, node
    assert told == [1]


@pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) is not signal.default_int_handler, reason="Ctrl-C was ignored from the start"
)
def test_an_interruption_again_reaches_the_main_thread():
    def work():
        ends.interrupt_again()
        deadline = time.monotonic() + 20.0
        while time.monotonic() < deadline:
            time.sleep(0.001)

    with pytest.raises(KeyboardInterrupt):
        work()
