"""The library's exceptions and warnings; each also subclasses the builtin a Python user would catch.

A message says what was given (``name=value``), the rule it broke, and the repair.
"""

from __future__ import annotations

from collections.abc import Sequence


def printable(text: str) -> str:
    """A text that a terminal may be given: what cannot be seen is written as an escape.

    >>> printable("no\\x1b[1m.csv")
    'no\\\\x1b[1m.csv'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def listed(words: Sequence[str], most: int) -> str:
    """The first of some words, and how many more there are.

    >>> listed(["w", "b", "c"], 2)
    'w, b and 1 more'
    """
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def counted(n: int, thing: str, things: str = "") -> str:
    """How many there are of a thing.

    >>> counted(1, "row"), counted(2, "row"), counted(0, "leaf", "leaves")
    ('1 row', '2 rows', '0 leaves')
    """
    return f"{n} {thing if n == 1 else things or thing + 's'}"


TOO_DEEP = "holds itself, or containers nested too deep for Python's stack: give it flatter"


class _Printable:
    """Messages quote names that users gave, and reach terminals."""

    def __str__(self) -> str:
        return printable(super().__str__())


class AutogradError(_Printable, Exception):
    """Base of every exception the library raises on purpose."""


class InputTypeError(AutogradError, TypeError):
    """A value of a kind that has no place here: text where a number is needed, None, complex."""


class InputComplexError(InputTypeError, ValueError):
    """A complex number, which also is how Python's ``**`` says that it is asked outside the domain of real numbers."""


class InputValueError(AutogradError, ValueError):
    """A value of the right kind outside the rule: lengths that differ, a negative learning rate."""


class InputOverflowError(AutogradError, OverflowError):
    """A number too large for a double, such as 10**400."""


class NotALeafError(AutogradError, TypeError):
    """Something only a leaf can do was asked of a computed Value."""


class ExpressionError(AutogradError, ValueError):
    """A text that is no formula, or beyond a limit; the message points at the place, `column` counts it from 1."""

    column = 0


class StructureError(InputTypeError, ValueError):
    """Two nested containers that should mirror each other do not."""


class NonFiniteGradientError(AutogradError, FloatingPointError):
    """An optimizer was handed a gradient that is nan or infinite; no parameter was changed."""


class InvalidValueError(AutogradError, ValueError):
    """A result that is not a number, under ``errstate(invalid="raise")``."""


class PoleError(AutogradError, ZeroDivisionError):
    """An exact infinity from finite operands, under ``errstate(divide="raise")``."""


class RangeError(AutogradError, OverflowError):
    """A result beyond the largest double, under ``errstate(overflow="raise")``."""


class AnomalyError(AutogradError, ArithmeticError):
    """The first nan in a value or in a gradient, under ``detect_anomaly()``."""


class MissingPackageError(AutogradError, ImportError):
    """A package of an extra that is not installed; the message says which to install."""


class TraceError(AutogradError, TypeError):
    """A function under ``jit`` looked at the number of a traced Value, which differs from call to call."""


class BranchError(TraceError):
    """A function under ``jit`` over a batch branched on a traced Value, which differs from row to row."""


class CompilationError(AutogradError, RuntimeError):
    """A backend of ``jit`` could not make code of a program; another backend can."""


class ClusterError(AutogradError, RuntimeError):
    """A cluster is gone, or one of its workers cannot do what the others do; a run with a checkpoint goes on from it."""


class GradientCheckError(AutogradError, AssertionError):
    """A derivative is wrong, or could not be checked."""


class LoweringError(AutogradError, NotImplementedError):
    """An op without a formula, in a backend that cannot call Python back."""


class GradientWarning(_Printable, UserWarning):
    """Something legal that is rarely meant, such as a parameter that the loss never reached."""


class JitWarning(_Printable, UserWarning):
    """Compiled code gave way to something slower: too many paths, a backend that failed or knows no such op."""


class GraphTooLargeWarning(_Printable, UserWarning):
    """A picture that shows a part of its graph only, because the whole is beyond ``max_nodes`` or ``max_depth``."""
