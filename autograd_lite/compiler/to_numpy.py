"""The NumPy backend: a program as NumPy source that works out whole columns, a block of rows at a time.

What depends on no column is computed once, by the rows' own functions on floats; all else by `lowering` in the words of
`WORDS`, each value freed after its last use.  The emitted source is what runs.
"""

from __future__ import annotations

import builtins
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

from ..arrays import Array
from ..errors import InputTypeError, InputValueError, MissingPackageError
from ..ops import TABLE, Op
from ..program import Program, Ref
from ..tree import Number
from .lowering import NUMPY, Named, Notes, lower

__all__ = ["BLOCK", "CHUNK", "WORDS", "NumpyWords", "compile", "source"]

CHUNK = 512  # rows that are added up together
BLOCK = 8192  # rows worked out at a time, a multiple of CHUNK: some hundred values of a block fit into the second cache

_MISSING = ("erf", "erfc")  # NumPy has no such function: the row's own is called item by item
WORDS = {word: f"np.{NUMPY[word]}" for word in NUMPY if word not in _MISSING}


class NumpyWords(Notes):
    """The vocabulary of `lowering`: each word notes one NumPy call, and a call already noted is not made again."""

    def __init__(self) -> None:
        super().__init__()
        self.functions: dict[str, Op] = {}
        self._own: dict[Op, str] = {}  # how users' ops are called: several may have one name

    def __getattr__(self, word: str) -> Callable[..., Any]:
        if word in _MISSING:
            return lambda x: self.call(TABLE[word], x)
        if word not in WORDS:
            raise AttributeError(word)
        return lambda *args: self.note(WORDS[word], *args)

    def pow(self, x: Number, y: Number) -> Named:
        return self.note("np.power" if y.__class__ is float else "power", x, y)

    def truth(self, a: Number) -> Named:
        return self.note("np.not_equal", a, 0.0)

    def number(self, c: Number) -> Named:
        return self.note("np.add", c, 0.0)

    def call(self, op: Op, *args: Number) -> Named:
        name = f"each_{op.name}" if op.entered else self._own.setdefault(op, f"each_own{len(self._own)}")
        self.functions[name] = op
        return self.note(name, *args)


def source(program: Program, is_column: Sequence[bool]) -> str:
    """The NumPy source of a program: ``shared`` for what is the same in all rows, ``block`` for some rows of the columns.

    >>> from autograd_lite import ops
    >>> from autograd_lite.program import Instruction, Program
    >>> made = Instruction(ops.exp, (0,)), Instruction(ops.mul, (2, 1)), Instruction(ops.add, (3, 1.0))
    >>> print(source(Program(2, made, (4,)), [False, True]))
    def shared(v0, v1):
        v2 = of_exp(v0)
        return (v2,), ()
    <BLANKLINE>
    def block(v1, v2):
        v3 = np.multiply(v2, v1)
        v4 = np.add(v3, 1.0)
        del v3
        return (v4,)

    Args and errors: as in `compile`.
    """
    return _Emitted(program, is_column).text


class _Emitted:
    """The source of a program, the names it needs from outside, and which outputs vary from row to row."""

    def __init__(self, program: Program, is_column: Sequence[bool]) -> None:
        if len(is_column) != program.inputs:
            raise InputValueError(
                f"is_column has {len(is_column)} items, the program {program.inputs} inputs: give one for each"
            )
        self.program = program
        self.names: dict[str, Any] = {"inf": math.inf, "nan": math.nan, "power": _c_pow}
        self.varies = program.varying(is_column)
        self.columns = [i for i, column in enumerate(is_column) if column]
        self.rows = [isinstance(ref, int) and self.varies[ref] for ref in program.outputs]
        # what the rows read of what they share, in order
        read = {a for n, (_, args) in self._numbered() if self.varies[n] for a in args if isinstance(a, int)}
        self.read = sorted(a for a in read if not self.varies[a])
        self.text = "\n".join((*self._shared(), "", *self._block()))

    def _numbered(self) -> Iterator[tuple[int, tuple[Op, tuple[Ref, ...]]]]:
        return enumerate(zip(self.program.ops, self.program.args, strict=True), self.program.inputs)

    def _shared(self) -> Iterator[str]:
        yield f"def shared({', '.join(f'v{i}' for i in range(self.program.inputs))}):"
        own: dict[int, str] = {}
        for number, (op, args) in self._numbered():
            if not self.varies[number]:
                name = f"of_{op.name}" if op.entered else own.setdefault(id(op), f"own{len(own)}")
                self.names[name] = op.forward
                yield f"    v{number} = {name}({', '.join(map(_operand, args))})"
        results = [_operand(ref) for ref, rows in zip(self.program.outputs, self.rows, strict=True) if not rows]
        yield f"    return {_tuple([f'v{a}' for a in self.read])}, {_tuple(results)}"

    def _block(self) -> Iterator[str]:
        k = NumpyWords()
        inputs = [*self.columns, *self.read]
        handles: dict[int, Any] = {i: Named(f"v{i}") for i in inputs}
        for number, (op, args) in self._numbered():
            if self.varies[number]:
                result = lower(op)(k, *[handles[a] if isinstance(a, int) else a for a in args])
                if isinstance(result, Named) and not result.name:
                    result.name = f"v{number}"
                handles[number] = result
        for name, op in k.functions.items():
            self.names[name] = _item_by_item(op.forward)
        results = [handles[ref] for ref in self.program.outputs if isinstance(ref, int) and self.varies[ref]]
        yield f"def block({', '.join(f'v{i}' for i in inputs)}):"
        unnamed = itertools.count()
        for line, dead in _freed(k.noted, results, {handles[i] for i in inputs}):
            handle, function, args = line
            handle.name = handle.name or f"t{next(unnamed)}"
            yield f"    {handle.name} = {function}({', '.join(map(_operand, args))})"
            if dead:
                yield f"    del {', '.join(h.name for h in dead)}"
        yield f"    return {_tuple(list(map(_operand, results)))}"


def _freed(
    calls: list[tuple[Named, str, tuple[Any, ...]]], results: list[Any], inputs: set[Named]
) -> list[tuple[Any, list[Named]]]:
    """The calls that something needs, each with the handles that no later one does."""
    needed = {h for h in results if isinstance(h, Named)} | inputs
    lines = []
    for call in reversed(calls):
        if call[0] in needed:
            dead = list(dict.fromkeys(a for a in call[2] if isinstance(a, Named) and a not in needed))
            needed.update(dead)
            lines.append((call, dead))
    return lines[::-1]


def _operand(ref: Ref) -> str:
    if isinstance(ref, Named):
        return ref.name
    return repr(ref) if ref.__class__ is float else f"v{ref}"  # repr is exact; inf and nan are names


def _tuple(items: list[str]) -> str:
    return f"({', '.join(items)}{',' * (len(items) == 1)})"


def _numpy() -> Any:
    try:
        import numpy
    except ImportError as error:
        raise MissingPackageError("batches need NumPy, which is not installed: pip install 'autograd-lite[jit]'") from error
    return numpy


def _c_pow(x: Number, y: Number) -> Number:
    """C's pow; for a single exponent of 1/2 NumPy takes the square root, which is another function at -inf and -0."""
    np = _numpy()
    result = np.power(x, y)
    return result if np.ndim(y) or y != 0.5 else np.where(np.equal(x, -math.inf), math.inf, np.abs(result))


def _item_by_item(forward: Callable[..., float]) -> Callable[..., Number]:
    """A function of floats as one of arrays and floats, item by item."""
    np = _numpy()

    def each(*args: Number) -> Number:
        rows = [len(a) for a in args if np.ndim(a)]
        if not rows:
            return forward(*map(float, args))
        items = [a.tolist() if np.ndim(a) else itertools.repeat(float(a)) for a in args]
        return np.fromiter(map(forward, *items), float, rows[0])

    return each


def compile(
    program: Program, is_column: Sequence[bool], *, reduce: bool = False, block: int = BLOCK
) -> Callable[[Sequence[Number]], list[Number]]:
    """The program as a function of floats and columns: for each output an array of n rows, or a float where it is the same
    in all rows.

    >>> from autograd_lite import ops
    >>> from autograd_lite.program import Instruction, Program
    >>> program = Program(2, (Instruction(ops.mul, (0, 1)), Instruction(ops.exp, (0,))), (2, 3))
    >>> import numpy
    >>> compile(program, [False, True])([0.0, numpy.array([1.0, 2.0])])
    [array([0., 0.]), 1.0]
    >>> compile(program, [False, True], reduce=True)([0.0, numpy.array([1.0, 2.0])])
    [0.0, 2.0]

    Args:
        program: what to compute; its guards are not looked at.
        is_column: for each input whether it is a column, an array of shape (n,) that is read as float64.  Others are floats.
        reduce: give floats, the sums over the rows; an output that is the same in all rows counts n times.
        block: how many rows are worked out at a time, a multiple of `CHUNK`.  Results are the same bits for any: each
            `CHUNK` of rows is added up alone, then those sums.

    Raises InputValueError for another number of inputs, for columns of several lengths and for a `block` that is no multiple;
    InputTypeError for a column that is none; MissingPackageError without NumPy.
    """
    np = _numpy()
    if block <= 0 or block % CHUNK:
        raise InputValueError(f"block={block!r} is not a multiple of {CHUNK} rows: give {CHUNK}, {2 * CHUNK}, ...")
    emitted = _Emitted(program, is_column)
    names = emitted.names | {"np": np}
    exec(builtins.compile(emitted.text, "<jit numpy>", "exec"), names)
    # popped, or they and their names would hold each other
    shared, some_rows, varies = names.pop("shared"), names.pop("block"), emitted.rows
    columns = emitted.columns

    def run(inputs: Sequence[Number]) -> list[Number]:
        if len(inputs) != program.inputs:
            raise InputValueError(f"{len(inputs)} inputs given, the program has {program.inputs}: give one for each")
        arrays = [_numbers_of_column(np, inputs[i], i) for i in columns]
        n = _length(arrays, columns)
        floats = [math.nan if column else float(x) for x, column in zip(inputs, is_column, strict=True)]
        with np.errstate(all="ignore"):
            read, constant = shared(*floats)
            results: list[Any] = [np.empty(-(-n // CHUNK) if reduce else n) for each in varies if each]
            for start in range(0, n, block):
                stop = min(start + block, n)
                values = some_rows(*[np.ascontiguousarray(a[start:stop]) for a in arrays], *read)
                for result, value in zip(results, values, strict=True):
                    if reduce:
                        result[start // CHUNK : -(-stop // CHUNK)] = chunk_sums(
                            value if np.ndim(value) else np.full(stop - start, value)
                        )
                    else:
                        result[start:stop] = value
            if reduce:
                results = [float(np.add.reduce(sums)) for sums in results]
                constant = [x * n if n else 0.0 for x in constant]
        mixed = {True: iter(results), False: iter(constant)}
        return [next(mixed[each]) for each in varies]

    return run


def chunk_sums(rows: Array) -> Number:
    """The sums of each `CHUNK` of an array of shape (n,), the last of what is left: the same bits in whatever block.

    >>> import numpy
    >>> chunk_sums(numpy.ones(1000)).tolist()
    [512.0, 488.0]
    """
    return _numpy().add.reduceat(rows, range(0, len(rows), CHUNK))


def _numbers_of_column(np: ModuleType, column: Number, index: int) -> Number:
    try:
        array = np.asarray(column, dtype=float)
    except (TypeError, ValueError):
        array = None
    if array is None or array.ndim != 1:
        given = f"an array of shape {array.shape}" if array is not None else type(column).__name__
        raise InputTypeError(f"input {index} is {given} and should be a column: give an array of n numbers, shape (n,)")
    return array


def _length(arrays: list[Number], columns: list[int]) -> int:
    lengths = {len(a): i for a, i in zip(arrays, columns, strict=True)}
    if len(lengths) > 1:
        (n, i), (m, j) = list(lengths.items())[:2]
        raise InputValueError(f"input {i} has {n} rows and input {j} has {m}: give columns of one length")
    return next(iter(lengths), 0)
