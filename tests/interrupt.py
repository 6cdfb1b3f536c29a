"""An interruption from the keyboard at each point where one can come in."""

from __future__ import annotations

import dis
import functools
import gc
import itertools
import sys


@functools.cache
def signal_points(code):
    """The offsets in a function's bytecode just after those instructions at whose end CPython looks for signals."""
    listing = list(dis.get_instructions(code))
    looks = ("CALL", "CALL_FUNCTION_EX", "CALL_KW", "JUMP_BACKWARD", "RESUME")
    return {after.offset for before, after in itertools.pairwise(listing) if before.opname in looks}


def interrupt_at(event, call, within=""):
    """Run `call`, raising KeyboardInterrupt at the `event`-th point where a signal can come in; whether it ran so far.

    Only points in files whose path ends in `within` count.
    """
    left = event

    def trace(frame, kind, arg):
        nonlocal left
        frame.f_trace_opcodes = True
        if kind == "opcode" and frame.f_code.co_filename.endswith(within) and frame.f_lasti in signal_points(frame.f_code):
            left -= 1
            if left < 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    before, collecting = sys.gettrace(), gc.isenabled()
    gc.disable()  # the garbage of other tests may run Python code, whose interruptions Python only reports
    try:
        sys.settrace(trace)
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
        if collecting:
            gc.enable()
    return False
