"""A recorded graph once more in mpmath, its branches frozen: derivatives to as many digits as one likes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from types import ModuleType
from typing import Any

from ..compiler.recorded import program_of
from ..errors import InputTypeError, InputValueError, MissingPackageError
from ..graph import Node
from ..ops import TABLE, Op
from ..tree import Number

DIGITS = 50
ROUNDING_TRIALS = 4
ALLOWANCE = 16.0  # a right derivative may be off by so many times what rounding each node moves it

Forms = Mapping[str, Callable[..., Any]]


class NoReplayError(Exception):
    """Why a graph has no high-precision replay."""


def load_mpmath() -> Number:
    """mpmath, or an error that says how to get it."""
    try:
        import mpmath  # type: ignore[import-untyped]
    except ImportError:
        raise MissingPackageError(
            'reference="mpmath" needs mpmath, which is not installed: pip install "autograd-lite[test]"'
        ) from None
    return mpmath


def high_precision_forms(mp: ModuleType) -> dict[str, Callable[..., Number]]:
    """Each op of the table by name as a function ``(floats, out, *arguments)`` in mpmath; floats and out are what was recorded.

    They decide every branch, so that the function is smooth: at a kink it is the piece whose slope is the convention's.
    """
    return {name: form for name, op in TABLE.items() if (form := high_precision_form(op, mp)) is not None}


def high_precision_form(op: Op, mp: ModuleType) -> Callable[..., Number] | None:
    """That function of one row; None for one that does not say what it is exactly."""
    exact = op.exact
    if exact is None:
        return None
    if isinstance(exact, str):
        named = getattr(mp, exact)
        return lambda floats, out, *args: named(*args)
    return lambda floats, out, *args: exact(mp, floats, *args)


class Replay:
    """The graph between input nodes and one result, as a function in high precision.

    Args:
        root: the result's node; inputs: the input nodes.
        extra: high-precision forms of a user's own ops by name, functions of the arguments alone.

    Raises NoReplayError naming the op that has no form, or a value that is not finite.
    """

    def __init__(self, root: Node, inputs: Sequence[Node], extra: Forms) -> None:
        self.mp = load_mpmath().mp
        self.inputs = list(inputs)
        self.program = program_of(self.inputs, [root])
        self.forms: list[tuple[Callable[..., Any], tuple[float, ...], float]] = []  # of each instruction, and what was recorded

        def recorded(op: Op, *at: float) -> float:
            given = extra.get(op.name)
            form = high_precision_form(op, self.mp) if given is None else lambda at, out, *args, given=given: given(*args)
            if form is None:
                raise NoReplayError(
                    f"op {op.name} has no high-precision form: "
                    f'give one with reference={{"{op.name}": function of mpmath numbers}}'
                )
            out = op.forward(*at)
            self.forms.append((form, at, out))
            return out

        self.program.run([node._data for node in self.inputs], recorded)

    def __call__(self, shifts: Sequence[Number], wobble: Sequence[Number] | None = None) -> Number:
        """The result with each input moved by a shift, and each instruction's result scaled by ``1 + wobble``."""
        mp = self.mp
        recorded = zip(self.forms, wobble or repeat(0), strict=False)

        def repeated(op: Op, *numbers: Number) -> Number:
            (form, floats, out), error = next(recorded)
            try:
                value = form(floats, out, *numbers)
            except (ValueError, ArithmeticError, TypeError) as wrong:
                raise NoReplayError(f"op {op.name} cannot be replayed at {floats}: {wrong}") from None
            if isinstance(value, mp.mpc) or not mp.isfinite(value):
                raise NoReplayError(f"op {op.name} is not finite at {floats}")
            return value * (1 + error) if error else value

        moved = [mp.mpf(node._data) + d for node, d in zip(self.inputs, shifts, strict=True)]
        return self.program.run(moved, repeated, mp.mpf)[0]

    def derivative(self, *directions: Sequence[float]) -> tuple[float, float]:
        """The first or second derivative along one or two directions, and how far rounding each instruction would move it."""
        import random  # slow to import, and wanted only here

        mp = self.mp
        with mp.workdps(3 * DIGITS):
            exact = self._difference(directions, None)
            draw = random.Random(0)
            moved = mp.mpf(0)
            for _ in range(ROUNDING_TRIALS):
                wobble = [mp.mpf(draw.choice((-1, 1))) * mp.mpf(2) ** -53 for _ in self.forms]
                moved = max(moved, abs(self._difference(directions, wobble) - exact))
            return float(exact), float(moved)

    def _difference(self, directions: Sequence[Sequence[float]], wobble: Sequence[Number] | None) -> Number:
        mp = self.mp
        h = mp.mpf(10) ** -(DIGITS // 2 + 5)
        scale = [abs(mp.mpf(node._data)) or mp.mpf(1) for node in self.inputs]
        h *= min((s for s, *d in zip(scale, *directions, strict=True) if any(d)), default=mp.mpf(1))
        floor = abs(self([0] * len(scale), wobble)) * mp.eps * 10**6  # less than that is the rounding of the replay itself
        if len(directions) == 1:
            (d,) = directions
            rise = self([h * t for t in d], wobble) - self([-h * t for t in d], wobble)
            return rise / (2 * h) if abs(rise) > floor else mp.mpf(0)
        d, e = directions
        total = mp.mpf(0)
        for s, t in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            total += s * t * self([h * (s * a + t * b) for a, b in zip(d, e, strict=True)], wobble)
        return total / (4 * h * h) if abs(total) > floor else mp.mpf(0)


def forms_given(reference: object) -> Forms | None:
    """The argument `reference` as extra forms; None where no replay is asked for."""
    if reference is None:
        return None
    if isinstance(reference, str):
        if reference != "mpmath":
            raise InputValueError(
                f'reference={reference!r} is not known: give "mpmath", or a dict of mpmath functions by op name'
            )
        return {}
    if isinstance(reference, Mapping) and all(isinstance(k, str) and callable(v) for k, v in reference.items()):
        return reference
    raise InputTypeError(f'reference={reference!r} must be None, "mpmath", or a dict of mpmath functions by op name')
