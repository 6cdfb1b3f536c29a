"""The quickest way into machine code: for arguments of one structure, source that checks them and hands over addresses.

Numbers go into buffers that are kept from call to call, each buffer used by one call at a time.
"""

from __future__ import annotations

import ctypes
import math
import re
import weakref
from array import array
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..arrays import np
from ..graph import Node
from ..tree import Spec
from . import short, to_python
from .arguments import batch_assembly, part
from .llvm.scalar import address
from .paths import call_assembly
from .shapes import Parameters, RefusedError, Unpacking, array_names, array_or

if TYPE_CHECKING:
    from .specialize import Specialization, Specializer

# where the address of an array's numbers stands in the array itself, as NumPy's interface for C has it
POINTER = object.__basicsize__
MANY, FEW = 512, 16  # results of which all but few are 0
ERRORS = (TypeError, ValueError, BufferError)  # an array that is read-only, empty, or not in one piece


class Buffers:
    """Buffers of one call, with their addresses: inputs, outputs, and what else the code asks for."""

    frame: Any
    frame_at: int
    table: Any
    table_at: int
    extra: Any
    extra_at: int
    prepared: Any
    prepared_at: int
    n = -1  # how many rows `prepared` says there are

    def __init__(self, inputs: int, out: int, views: Sequence[tuple[int, int, tuple[int, ...]]], plain: bool = False) -> None:
        self.inputs, self.out = _zeros(inputs, plain), _zeros(out, plain)
        self.at, self.out_at = address(self.inputs), address(self.out)
        self.views = [self.inputs[first:last].reshape(shape) for first, last, shape in views]


def _zeros(count: int, plain: bool) -> Any:
    """Memory for so many doubles: NumPy's, which takes longer to import than all else, unless it is `plain`."""
    if plain:
        return array("d", bytes(8 * max(count, 1)))
    return np.zeros(max(count, 1))


# buffers that no other call uses; `give` is for the next call
TAKEN = ["try: held = take()", "except IndexError: held = make()"]


def _pool(make: Callable[[], Buffers]) -> dict[str, object]:
    """The names that `TAKEN` needs, and `give`."""
    kept: deque[Buffers] = deque()
    return {"take": kept.pop, "give": kept.append, "make": make, "IndexError": IndexError}


class _Inputs:
    """The lines that check the arguments and write their numbers into ``held.inputs``."""

    def __init__(self, specs: Mapping[int, Spec], captured: Sequence[Node], leave: str) -> None:
        self.views: list[tuple[int, int, tuple[int, ...]]] = []
        self.stores: list[str] = []
        unpacking = Unpacking(specs, leave, self._array)
        self.count = unpacking.leaves
        self.lines = unpacking.lines
        self.names = unpacking.names | {f"captured{i}": leaf for i, leaf in enumerate(captured)}
        self.stores += [f"inputs[{i}] = v{i}" for i in unpacking.scalars]
        self.stores += [f"inputs[{self.count + i}] = captured{i}._data" for i in range(len(captured))]

    def _array(self, name: str, spec: Spec, first: int) -> list[str]:
        self.stores.append(f"held.views[{len(self.views)}][...] = {name}")
        self.views.append((first, first + len(spec.children), spec.detail))
        return []


def scalar(owner: Specializer, known: Specialization) -> Callable[..., Any]:
    """The way into one path's machine code.  Raises RefusedError where the structure has none of its own."""
    path = known.root
    call = Parameters(known.layout.positional)
    inputs = _Inputs(dict(enumerate(known.layout.specs)), path.captured, call.leave)
    program, kernel = path.program, path.machine
    lines = [call.first, *inputs.lines, *TAKEN, "inputs = held.inputs", *inputs.stores]
    count = len(program.outputs)
    numbers = [f"numbers[{i}]" for i in range(count)]
    expression, names = call_assembly(
        path.traced,
        numbers,
        lambda first, spec: part(first, spec, count),
        lambda first, last, as_list: f"{'numbers' if as_list else 'out'}[{first}:{last}]",
    )
    taken: dict[str, str] = {}
    needed = [name for name in ("out", "numbers") if re.search(rf"\b{name}\b", expression)]
    plain = not inputs.views and "out" not in needed
    others = [i for i, c in enumerate(kernel.initial) if c or math.copysign(1.0, c) < 0.0]
    if count >= MANY and needed == ["out"] and len(others) <= FEW:  # which is quicker than a copy of so many numbers
        names |= {f"c{i}": kernel.initial[i] for i in others}
        lines += [f"out = zeros({count})", *(f"out[{i}] = c{i}" for i in others)]
        lines += [f"guard = run(held.at, pointer(id(out) + {POINTER}).value, held.frame_at)"]
        names |= {"zeros": np.zeros, "pointer": ctypes.c_ssize_t.from_address}
    else:
        lines.append("guard = run(held.at, held.out_at, held.frame_at)")
        taken = {"out": "out = held.out.copy()", "numbers": "numbers = held.out.tolist()"}
    names |= call.names | inputs.names
    if program.guards:
        lines.append(f"if guard >= 0: floats = inputs[:{inputs.count}].tolist(); give(held); return left(guard, floats)")
        names["left"] = owner.left(known)
    lines += [taken[name] for name in needed if name in taken]
    lines.append("give(held)")

    def make() -> Buffers:
        held = Buffers(program.inputs, count, inputs.views, plain)
        held.out[: len(kernel.initial)] = array("d", kernel.initial)
        held.frame = bytearray(8 * kernel.frame + 8)
        held.frame_at = address(held.frame)
        return held

    names |= _pool(make)
    names |= {"run": kernel.run, "other": owner.other}
    text = "\n    ".join([f"def entry({call.signature}):", *lines, f"return {expression}"]) + "\n"
    return to_python.define(text, "entry", names)  # type: ignore[no-any-return]


def batch(owner: Specializer, known: Specialization) -> Callable[..., Any]:
    """The way into a batch's machine code.  Raises RefusedError where the structure has none of its own."""
    from .llvm.kernel import CHUNK
    from .llvm.results import matrix

    path = known.root
    kernel, reduce, threads = path.machine, owner.settings.reduce, owner.settings.threads
    count, keywords, specs, containers, rows_of, _ = known.layout
    if (
        keywords
        or not path.cut.row.outputs
        or any(spec.kind is not None for spec in containers)
        or any(len(shape) > 1 or shape == (0,) for shape in rows_of)
    ):
        raise RefusedError
    call = Parameters(count)
    shared = [i for i in range(count) if i not in owner.batch]
    inputs = _Inputs(dict(zip(shared, specs, strict=True)), path.captured, call.leave)
    rows = {i: shape[0] if shape else 0 for i, shape in zip(owner.batch, rows_of, strict=True)}
    kind = np.dtype(np.float32 if owner.settings.float32 else np.float64)
    names = call.names | inputs.names | array_names() | {"ERRORS": ERRORS, "address": address, "other": owner.other}
    names["columns_kind"] = kind
    lines = [call.first]
    for i, width in rows.items():
        if i == owner.batch[0]:
            doubles = f"b{i}.__class__ is ndarray and b{i}.dtype is columns_kind"
            lines.append(f"if not ({doubles} and b{i}.ndim == {1 + bool(width)}): {call.leave}")
            lines += [f"n, width = b{i}.shape", f"if width != {width}: {call.leave}"] if width else [f"n, = b{i}.shape"]
        else:
            lines.append(array_or(f"b{i}", f"(n, {width})" if width else "(n,)", call.leave, "columns_kind"))
    lines += inputs.lines
    # the same array may have moved its numbers, by __setstate__ for one
    same = " and ".join(
        f"held.ref{i}() is b{i} and held.now{i}.value == held.then{i} and b{i}.flags.c_contiguous" for i in rows
    )
    where = ", ".join(f"address(b{i})" for i in rows)
    lines += [*TAKEN, f"if not ({same}):", f"    try: at = ({where},)"]
    lines += [f"    except ERRORS: give(held); {call.leave}", "    point(held, at)"]
    for k, i in enumerate(rows):
        lines.append(f"    held.now{i}, held.then{i}, held.ref{i} = pointer(id(b{i}) + {POINTER}), at[{k}], ref(b{i})")
    lines += ["inputs = held.inputs", *inputs.stores]
    reduced = reduce is not None
    outputs = len(path.cut.row.outputs)
    kept = ["held", *(f"b{i}" for i in rows), *["out"] * (not reduced)]
    shared_out = f", {threads}, ({', '.join(kept)})" if threads > 1 else ""
    run = f"run(held.at, held.table_at, n, {{}}, held.extra_at{shared_out})"
    if reduced:
        lines.append(f"if n > {CHUNK}: {run.format('held.out_at')}")
        lines += ["else:", "    if n != held.n: held.n = held.prepared.rows = n", "    call(held.prepared_at)"]
        lines.append("out = held.out.copy()")
    else:
        names["matrix"] = matrix
        lines += [f"out = matrix({outputs}, n, columns_kind)", run.format("address(out)")]
        if path.cut.added:
            lines.append("out += held.extra[given:, None]")
            names["given"] = path.cut.given
    lines.append("give(held)")
    expression = batch_assembly(path.traced.spec, reduced, names)

    def make() -> Buffers:
        held = Buffers(inputs.count + len(path.captured), outputs, inputs.views)
        held.table = np.zeros((max(len(path.cut.columns), 1), 2), dtype=np.int64)
        held.extra = np.array(kernel.initial or (0.0,))
        for i in rows:
            setattr(held, f"ref{i}", lambda: None)
        held.table_at, held.extra_at = address(held.table), address(held.extra)
        held.prepared = kernel.arguments(held.at, held.table_at, held.out_at, held.extra_at)
        held.prepared_at = ctypes.addressof(held.prepared)
        return held

    def point(held: Buffers, at: tuple[int, ...]) -> None:
        """Where the columns are: for each its first number, and the bytes from one to the next."""
        table = [
            (start + kind.itemsize * j, kind.itemsize * max(width, 1))
            for start, width in zip(at, rows.values(), strict=False)
            for j in range(max(width, 1))
        ]
        held.table[:] = table

    names |= _pool(make)
    names |= {
        "run": kernel.run,
        "call": kernel.call,
        "point": point,
        "ref": weakref.ref,
        "pointer": ctypes.c_ssize_t.from_address,
    }
    text = "\n    ".join([f"def entry({call.signature}):", *lines, f"return {expression}"]) + "\n"
    python = to_python.define(text, "entry", names)
    return short.batch(python, known.layout, owner.batch, path, kind)
