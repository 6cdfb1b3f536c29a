"""Tracing: a function is run once on Values while everything it computes, and every branch it takes, is written down.

`value` tells the `Trace` of its thread of every leaf and node made, every comparison and every look at a number.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, NamedTuple

from .. import context, frames, graph, ops
from ..accelerated import loaded
from ..errors import BranchError, InputTypeError, TraceError
from ..graph import Node, operands
from ..ops import Op
from ..program import Builder, Guard, Program, Ref, placed, renumbered
from ..tree import Number, Spec, Tree, as_float, called, flatten, is_scalar, size, unflatten
from ..truth import FALSE, TRUE, Truth, side
from ..value import Value

# what would come of a look at a Value's number, and the repair; FROZEN of any other way to look
REASONS = {
    ".backward()": "leave its gradients in .grad once and not at every call: "
    "return value_and_grad(f)(...) or grad(f)(...) instead",
    ".data = ...": "happen once and not at every call: return the new number, and set it outside",
}
FROZEN = (
    "keep the number of this one call for ever: "
    "compute with the Value itself, and use autograd_lite.sin(v) in place of math.sin(v)"
)
STEERING = (
    "Under jit each number of each argument is a Value.  A count, an index or another number that steers Python "
    "is given beforehand: jit(functools.partial(f, n=3))."
)


class Locked:
    """What one thread at a time traces and compiles; a forked process finds it held by nobody."""

    def __init__(self) -> None:
        self._lock, self._forks = threading.RLock(), _forks

    @property
    def lock(self) -> Any:
        """The lock, a new one where this process was forked since: the old may be held by a thread that is not here."""
        if self._forks != _forks:
            with _renewing:
                if self._forks != _forks:
                    self._lock, self._forks = threading.RLock(), _forks
        return self._lock


_forks, _renewing = 0, threading.Lock()  # how many there have been from the first process to this one


def _renew() -> None:
    global _forks, _renewing
    _forks, _renewing = _forks + 1, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


if loaded is not None:
    loaded.role((ops.identity,), 8)  # which transforms make inputs with


# what is known of a value: that it depends on an input; that it may be infinite or nan for finite inputs; that it would be no
# plain number without jit, as it depends on more than arguments
VARIES, WILD, LIFTED = 1, 2, 4


class Traced(NamedTuple):
    """What a trace found: the program, the captured Values it reads after the arguments, how the results are put together."""

    program: Program
    captured: tuple[Value, ...]
    spec: Spec
    literals: dict[int, Number]  # results that are plain numbers: which output, and the number as f gave it
    arrays: dict[int, Number]  # results that are arrays of plain numbers: by the first of their outputs, the array
    joined: bool  # whether it reads a node of a graph outside, as in a transform of something larger: not to be compiled


class Trace(context.Recorder):
    """The record of one run of a function on Values.

    In a batch (`batch`) comparisons give nodes, as each row may come out differently, and a branch on one is an error;
    otherwise they give the bool of this run, and the program is guarded by it.
    """

    def __init__(self, batch: bool) -> None:
        self.batch = batch
        self.inputs: list[Value] = []
        self.guards: list[tuple[Value, bool, str]] = []
        self.leaves: dict[int, Value] = {}  # made inside, by id; kept, so that no id is used twice
        self.values: list[Value] = []  # inputs and all nodes, in order; what is known is found when it is asked for
        self.recorded = self.values.append  # type: ignore[method-assign, assignment]  # every node of every trace passes here
        self._lifted: set[int] = set()
        self._made: Builder | None = None
        self._place: dict[int, int] = {}  # by id: of a captured leaf -1, -2, ...; without the core in C of a value its number
        self._flags = bytearray()  # of each value: VARIES, WILD, LIFTED
        self._captured: list[Value] = []
        self._joined = False

    def input(self, number: float) -> Value:
        """An input: a node over a leaf of its own, as the transforms make them.  No other node is made before the last one."""
        node: Value = ops.identity(Value(number))
        self._place[id(node)] = len(self.inputs)
        self._flags.append(VARIES if isfinite(number) else VARIES | WILD)
        self.inputs.append(node)
        return node

    # -- what `value` tells -------------------------------------------------------------------------------------------

    def made(self, leaf: Value) -> None:
        """A leaf was made by the function itself: a constant of the program."""
        self.leaves[id(leaf)] = leaf

    def _known(self) -> Builder:
        """The instructions of all nodes made so far."""
        made = self._made
        if made is None:
            made = self._made = Builder(len(self.inputs))
        if loaded is not None:
            loaded.instructions(self.values, self._flags, self._lifted, self._outside, made.ops, made.args)
            return made
        place, flags = self._place, self._flags
        for node in self.values[len(flags) :]:
            op = node.op
            flag = 0 if op.tame else WILD  # type: ignore[union-attr]
            args: list[Ref] = []
            for i, a in enumerate(operands(node)):
                if a.__class__ is float:
                    known, ref = 0 if isfinite(a) else WILD, a
                elif (ref := place.get(id(a), -1)) >= 0:
                    known = flags[ref]
                else:
                    known, ref = self._outside(node, a, i)
                flag |= known
                args.append(ref)
            key = id(node)
            place[key] = len(flags)
            flags.append(flag | LIFTED if key in self._lifted else flag)
            without = op.plain  # type: ignore[union-attr]  # the slopes have been taken, and are in the program
            if without is not None:
                op, args = without, args[: without.arity]
            made.add(op, *args)  # type: ignore[arg-type]
        return made

    def _outside(self, node: Value, a: Value, i: int) -> tuple[int, Ref]:
        """Operand i of a node, which is no value of this trace: what is known of it, and how it stands in the program."""
        inside = id(a) in self.leaves
        if a.op is None and not inside:
            return VARIES | LIFTED, self._read(a)
        self._joined = self._joined or not inside
        x = graph.values(node)[i]  # a leaf made inside is what it was when it was used
        return LIFTED | (WILD if inside and not isfinite(a._data) else 0) | (0 if inside else VARIES), x

    def _number(self, x: Number) -> int:
        """The number of an input or a node that is known; below 0 of others."""
        found = loaded.number(x, self.values) if loaded is not None else None
        return self._place.get(id(x), -1) if found is None else found

    def _flag(self, x: Number) -> int:
        """What is known of a Value."""
        self._known()
        number = self._number(x)
        if number >= 0:
            return self._flags[number]
        leaf = self.leaves.get(id(x))
        return LIFTED | (VARIES if leaf is None else 0 if isfinite(leaf._data) else WILD)

    def _read(self, leaf: Value) -> int:
        """The place of a leaf from the surroundings."""
        place = self._place.get(id(leaf))
        if place is None:
            self._captured.append(leaf)
            place = self._place[id(leaf)] = -len(self._captured)
        return place

    def lifted(self, node: Value) -> None:
        """A transform made a node its input."""
        self._lifted.add(id(node))

    def is_plain(self, x: Number) -> bool:
        """Whether it would be a plain number if the function were called without jit, so that a 0 has no influence."""
        return not self._flag(x) & LIFTED

    def is_tame(self, x: Number) -> bool:
        """Whether a number is finite where the inputs are and no sum or product on the way overflows."""
        if x.__class__ is float:
            return isfinite(x)
        return isinstance(x, Value) and not self._flag(x) & WILD

    def compared(self, relation: Op, a: Value, b: Number, outcome: bool) -> Any:
        """Two were compared: the program is guarded by the outcome, or in a batch the comparison is a node."""
        if not self._flag(a) & VARIES and not (isinstance(b, Value) and self._flag(b) & VARIES):
            return TRUE if outcome else FALSE
        if not isinstance(b, Value) and float(b) != b and b == b:
            raise TraceError(
                f"{b!r} in a comparison at {frames.source_line()} is no double and lies between two of them: "
                f"write float({b!r}) in the function"
            )
        node = relation(a, b)
        if self.batch:
            node.__class__ = TracedCondition
            return node
        self.guards.append((node, outcome, frames.source_line()))
        return TRUE if outcome else FALSE

    def decided(self, node: Value, outcome: bool) -> None:
        """The truth of a Value was asked for."""
        if not self._flag(node) & VARIES:
            return
        line = frames.source_line()
        if self.batch:
            raise BranchError(
                f"a branch on a traced value at {line}: over a batch each row may go another way; write "
                f"where(condition, a, b), maximum, minimum or clamp, or call the function row by row without batch"
            )
        self.guards.append((ops.ne(node, 0.0), outcome, line))

    def looked_at(self, value: Value, how: str) -> None:
        """The number of a Value was asked for: an error, save where it is a constant of the program."""
        if not self._flag(value) & VARIES:
            return
        title = value._title() if value.name else "a traced Value"
        raise TraceError(
            f"{how} of {title} at {frames.source_line()}, in a function under jit, would {REASONS.get(how, FROZEN)}"
        )

    # -- the program --------------------------------------------------------------------------------------------------

    def program(self, outputs: Sequence[Number]) -> tuple[Program, tuple[Value, ...], bool]:
        """The instructions in the order they were made, the captured Values that are inputs after those of the arguments, and
        whether a graph outside is joined.
        """

        def result(out: Tree) -> Ref:
            if not isinstance(out, Value):
                return as_float(out)
            if (number := self._number(out)) >= 0:
                return number
            if id(out) not in self.leaves:
                if out.op is None:
                    return self._read(out)
                self._joined = True
            return out._data

        made, inputs = self._known(), len(self.inputs)
        results = tuple(map(result, outputs))
        captured = tuple(self._captured)
        first = inputs + len(captured)
        if captured:  # their values come before those of the nodes
            places = {i: i for i in range(inputs)} | {-1 - j: inputs + j for j in range(len(captured))}
            places |= {inputs + k: first + k for k in range(len(made))}
            made.args = renumbered(made.args, places)
            results = placed(results, places)
        marks = [self._number(node) - inputs for node, _, _ in self.guards]
        ways = zip(marks, self.guards, strict=True)
        guards = tuple([Guard(first + mark, yes, line, mark) for mark, (_, yes, line) in ways])
        return Program.of(first, made.ops, made.args, results, guards), captured, self._joined


class TracedCondition(Value):
    """A comparison over a batch: 1 or 0 for each row, for `where`; joined by ``&``, ``|`` and ``^``, turned by ``~``."""

    __slots__ = ()
    _joins = True  # which `truth.Truth` leaves the joining to

    def __and__(self, other: Number) -> Any:
        if isinstance(other, TracedCondition):
            return _condition(ops.mul(self, other))
        return self if side(other, "&") else FALSE

    def __or__(self, other: Number) -> Any:
        if isinstance(other, TracedCondition):
            return _condition(ops.maximum(self, other))
        return TRUE if side(other, "|") else self

    def __xor__(self, other: Number) -> Any:
        if isinstance(other, TracedCondition):
            return _condition(ops.ne(self, other))
        return ~self if side(other, "^") else self

    def __invert__(self) -> Any:
        return _condition(ops.eq(self, 0.0))

    def __index__(self) -> int:
        bool(self)  # an error that names the line
        return 0

    def __str__(self) -> str:
        bool(self)
        return repr(self)

    def __format__(self, spec: str) -> str:
        bool(self)
        return repr(self)

    def __hash__(self) -> int:
        if not frames.is_ours(sys._getframe(1)):
            bool(self)  # a key of the user's, True or False
        return object.__hash__(self)

    __rand__ = __and__
    __ror__ = __or__
    __rxor__ = __xor__


def _condition(node: Node) -> Any:
    node.__class__ = TracedCondition
    return node


def trace(f: Callable[..., Tree], build: Callable[[Trace], tuple[tuple[Tree, ...], dict[str, Tree]]], batch: bool) -> Traced:
    """Run `f` on the arguments that `build` makes of a new trace's inputs, and give what was recorded."""
    record = Trace(batch)
    with context.tracing(record):
        args, kwargs = build(record)
        try:
            out = f(*args, **kwargs)
        except (TypeError, AttributeError) as error:
            frames.note_numpys(error)
            if "Value" in str(error) and ("as an integer" in str(error) or "indices must be" in str(error)):
                error.add_note(STEERING)
            raise
        if out is None:
            raise InputTypeError(f"jit of {called(f)}, which returned None: does it end in a return statement?")
        outs, spec = flatten(out, f"result of {getattr(f, '__name__', 'f')}")
        program, captured, joined = record.program(outs)
        spec = flatten(unflatten(spec, [0] * size(spec)))[1]  # with modules that hold numbers: those here hold the graph
    literals = {
        i: bool(o) if isinstance(o, Truth) else o
        for i, o in enumerate(outs)
        if not isinstance(o, Value) and o.__class__ is not float
    }
    arrays: dict[int, Number] = {}
    _arrays(out, 0, arrays)
    return Traced(program, captured, spec, literals, arrays, joined)


def _arrays(tree: Tree, first: int, found: dict[int, Number]) -> int:
    """Enter the arrays of plain numbers in a tree by the number of their first leaf; how many leaves there are then."""
    if is_scalar(tree):
        return first + 1
    if tree is None:
        return first
    if hasattr(type(tree), "tree_flatten"):
        tree = tree.tree_flatten()[0]
    elif isinstance(tree, dict):
        tree = [tree[key] for key in tree]
    elif hasattr(type(tree), "__dataclass_fields__"):
        from dataclasses import fields  # slow to import; who has a dataclass has it

        tree = [getattr(tree, field.name) for field in fields(tree)]
    elif not isinstance(tree, (list, tuple)):
        if not tree.dtype.hasobject and tree.size:
            found[first] = tree
        return first + int(tree.size)
    for child in tree:
        first = first + 1 if child.__class__ is float or child.__class__ is Value else _arrays(child, first, found)
    return first
