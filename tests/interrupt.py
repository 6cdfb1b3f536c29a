"""An interruption from the keyboard at each point where one can come in."""

from __future__ import annotations

import dis
import functools
import gc
import sys

# the instructions at whose end CPython looks for signals; after a jump back that is at the head of the loop, not behind it
LOOKS = ("CALL", "CALL_FUNCTION_EX", "CALL_KW", "JUMP_BACKWARD", "RESUME")


@functools.cache
def _names(code):
    """The names of a function's instructions, by their offsets."""
    return {instruction.offset: instruction.opname for instruction in dis.get_instructions(code)}


def interrupt_at(event, call, within="", handler=None):
    """Run `call`, raising KeyboardInterrupt at the `event`-th point where a signal can come in; whether it ran so far.

    Only points in files whose path ends in `within` count.  A `handler` is called there in place of raising.
    """
    left, came = event, []

    def entered(frame, kind, arg):
        """Trace a frame, for which `done` is the instruction that has just been carried out."""
        frame.f_trace_opcodes = True
        if not frame.f_code.co_filename.endswith(within):
            return None
        names, done = _names(frame.f_code), "RESUME"

        def trace(frame, kind, arg):
            nonlocal left, done
            frame.f_trace_opcodes = True
            if kind == "opcode":
                left -= done in LOOKS and frame.f_lineno is not None  # as in the head of some loops on 3.12
                if left < 0:
                    sys.settrace(None)
                    if handler is None:
                        raise KeyboardInterrupt
                    came.append(handler())
                    return None
                done = names.get(frame.f_lasti, "")
            return trace

        return trace

    before, collecting = sys.gettrace(), gc.isenabled()
    gc.disable()  # the garbage of other tests may run Python code, whose interruptions Python only reports
    try:
        sys._getframe().f_trace_opcodes = True  # else 3.12 asks for none in the first frame that is entered
        sys.settrace(entered)
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
        if collecting:
            gc.enable()
    return bool(came)
