"""The caller's line: what messages name as the place in a user's code, and how far up a warning points."""

from __future__ import annotations

import os.path
import sys
from types import FrameType
from typing import Any

# libraries that call functions of the user's, or of ours: not where a user looks for a mistake
LIBRARIES = frozenset((__package__, "contextlib", "copy", "functools", "numpy", "pandas", "scipy"))

GENERATOR = 0x20 | 0x200  # inspect.CO_GENERATOR and CO_ASYNC_GENERATOR; that module is slow to import


OBJECT_ARRAYS = (
    "In a derivative and under jit an array of numbers is an array of Values, of dtype object.  NumPy has operators, sums, "
    "products and matmul for it, and np.exp and its like where every item is a Value; a plain number among them, as np.where "
    "and np.maximum leave, becomes one by adding 0.0 * x.  For the rest map functions of autograd_lite over the items: "
    "[al.exp(v) for v in a]; np.cov(a) is (d @ d.T) / (n - 1) for d = a - a.mean()."
)


def note_numpys(error: BaseException) -> None:
    """Add a note to an error that is NumPy's own: raised in its files, by one of its ufuncs, or for want of one's method."""
    numpy = sys.modules.get("numpy")
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    within = place is not None and str(place.tb_frame.f_globals.get("__name__")).startswith("numpy")
    wanted = getattr(error, "name", None)  # of an attribute that is not there
    of_ufunc = "ufunc" in str(error) or (wanted and isinstance(getattr(numpy, wanted, None), getattr(numpy, "ufunc", ())))
    if (within or of_ufunc) and OBJECT_ARRAYS not in getattr(error, "__notes__", ()):
        error.add_note(OBJECT_ARRAYS)


def source_line() -> str:
    """The file and line outside the library that is running now."""
    frame, _ = _caller()
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}" if frame is not None else "unknown line"


def variable(value: object) -> str:
    """The one variable of the caller that holds a value, by its name; empty where none or several do."""
    frame, _ = _caller()
    held = frame.f_locals.items() if frame is not None else ()
    found = [key for key, each in held if each is value and key.isidentifier() and key[0] != "_"]
    return found[0] if len(found) == 1 else ""


def stacklevel() -> int:
    """How far up the line outside the library is from the function that asks: the stacklevel of its warning."""
    return _caller()[1]


def is_ours(frame: FrameType) -> bool:
    """Whether it runs code of this library."""
    module: str = frame.f_globals.get("__name__", "")
    return module.partition(".")[0] == __package__


def generator() -> Any:
    """The frame of the generator in which a ``with`` of ours stands; None where it stands in none.

    Nor where that is such a block itself (`contextlib.contextmanager`, a fixture of pytest): the caller goes on inside.
    """
    frame, _ = _caller()
    if frame is None or not frame.f_code.co_flags & GENERATOR:
        return None
    driver = frame.f_back.f_globals.get("__name__", "") if frame.f_back is not None else ""
    return None if driver.partition(".")[0] in ("contextlib", "_pytest") else frame


def operation() -> tuple[str, str]:
    """What the caller's line is at: ("call", "exp") in a call of ``math.exp(x)``, ("operator", "%"); ("", "") where unknown."""
    import dis  # slow to import, and wanted only where something is wrong

    frame, _ = _caller()
    if frame is None:
        return "", ""
    before: list[dis.Instruction] = []
    for instruction in dis.get_instructions(frame.f_code):
        if instruction.offset == frame.f_lasti:
            break
        before.append(instruction)
    else:
        return "", ""
    if instruction.opname.startswith("BINARY"):
        return "operator", "%" if "MODULO" in instruction.opname else instruction.argrepr.rstrip("=")
    at = instruction.positions
    if not instruction.opname.startswith("CALL") or at is None or at.lineno is None:
        return "", ""
    for earlier in reversed(before):  # the function called is what begins where the call does, last before its arguments
        place = earlier.positions
        same = place is not None and (place.lineno, place.col_offset) == (at.lineno, at.col_offset)
        if same and earlier.opname.startswith("LOAD") and isinstance(earlier.argval, str):
            return "call", earlier.argval
    return "", ""


def _caller() -> tuple[Any, int]:
    """The innermost frame outside the library, and how far it is above the function that asks for it through another."""
    frame: Any = sys._getframe(2)
    level = 1
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in LIBRARIES:
        frame, level = frame.f_back, level + 1
    return frame, level
