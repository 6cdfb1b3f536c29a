"""LLVM IR text made into machine code: what this machine has, the functions modules may call, and the compiler.

Needs llvmlite, of the extra `jit`, which is imported when code is compiled.
"""

from __future__ import annotations

import _thread
import ctypes
import functools
import os
import platform
import re
import sys
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from queue import SimpleQueue
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from ...accelerated import loaded
from ...errors import CompilationError, MissingPackageError
from ..lowering import PAIRS
from .emit import LIBRARY, Callback
from .workers import undisturbed

__all__ = ["DONE", "LOST", "Code", "Machine", "NativeModule", "collecting", "compiled", "host"]

LONG = 1_000_000, 100_000  # lines of scalar code, of vectors: beyond them LLVM is asked for less

OTHERS = "o_"  # before the names of functions of another module
OLDEST = 20  # LLVM; before, pointers had types

# LLVM's objects are not for several threads at once.  Whoever forks waits until no thread of ours is within LLVM, which has
# locks of its own, as llvmlite has: every call of llvmlite, the freeing of code too, is made with this one held.  And it is
# made `undisturbed`: Ctrl-C within llvmlite's Python would leave its lock held, or code that is freed twice.
_lock = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)

T = TypeVar("T")


class Machine(NamedTuple):
    """What code is made for.

    Args:
        width: how many doubles a vector holds.
        vector: the functions of the C library's vector library for that width, by name, with their addresses.
        cpu, features: as LLVM calls them.
    """

    width: int
    vector: Mapping[str, int]
    cpu: str
    features: str

    def has(self, feature: str) -> bool:
        """Whether it has an instruction set."""
        return f"+{feature}" in self.features.split(",")

    @property
    def fused(self) -> bool:
        """Whether it multiplies and adds vectors in one instruction."""
        return self.has("fma") or (self.has("neon") and platform.machine().lower() in ("aarch64", "arm64"))


def llvmlite() -> Any:
    """The package's binding."""
    try:
        import llvmlite.binding as binding  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError:
        raise MissingPackageError(
            "machine code needs llvmlite, which is not installed: pip install 'autograd-lite[jit]'"
        ) from None
    if binding.llvm_version_info[0] < OLDEST:
        raise CompilationError(
            f"llvmlite brings LLVM {binding.llvm_version_info[0]}, machine code needs {OLDEST}: pip install 'llvmlite>=0.45'"
        )
    return binding


@functools.cache
def _initialize() -> None:
    binding = llvmlite()
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()


@functools.cache
def host(without: str = "") -> Machine:
    """This machine, as if it had no instructions whose names begin with `without`: "avx512"."""
    binding = llvmlite()

    def asked() -> tuple[dict[str, bool], str]:
        with _lock:
            _initialize()
            try:
                found = dict(binding.get_host_cpu_features())
            except RuntimeError:
                found = {}
            return found, binding.get_host_cpu_name()

    found, cpu = undisturbed(asked)
    cpu = cpu if not without else ""
    found |= {name: False for name in found if without and name.startswith(without)}
    features = ",".join(f"{'+' if there else '-'}{name}" for name, there in sorted(found.items()))
    width = 8 if found.get("avx512f") and found.get("avx512dq") else 4
    return Machine(width, _vector_library(width, found), cpu, features)


def _vector_library(width: int, found: Mapping[str, bool]) -> dict[str, int]:
    """The functions of glibc's libmvec for vectors of that width, by the names of the scalar ones."""
    prefix = {8: "_ZGVeN8", 4: "_ZGVdN4"}[width]
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64" or not (width == 8 or found.get("avx2")):
        return {}
    try:
        library = ctypes.CDLL("libmvec.so.1")
    except OSError:
        return {}
    addresses = {}
    for name in LIBRARY:
        symbol = f"{prefix}{'vv' if name in PAIRS else 'v'}_{name}"
        if hasattr(library, symbol):
            addresses[name] = _symbol_address(library, symbol)
    return addresses


@functools.cache
def _c_library() -> ctypes.CDLL:
    """The library whose functions Python's math module calls."""
    for name in {"linux": ("libm.so.6",), "win32": ("ucrtbase",)}.get(sys.platform, ()):
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return ctypes.CDLL(None)


def _symbol_address(library: ctypes.CDLL, symbol: str) -> int:
    try:
        address = ctypes.cast(getattr(library, symbol), ctypes.c_void_p).value
    except AttributeError:
        address = None
    if address is None:
        raise CompilationError(f"the C library has no function {symbol}")
    return address


# -- calls back into Python -------------------------------------------------------------------------------------------

_Pointer = ctypes.POINTER(ctypes.c_double)
DONE, LOST = 1.0, 2.0  # what stands behind the results of a call back: that it has ended, or that its exception was lost


class _Raised(threading.local):
    """What a function called back in this thread has raised."""

    error: BaseException | None = None


_raised = _Raised()


def _entry(callback: Callback) -> Any:
    """A C function that calls a row's own: from count * width doubles to width of them, and `DONE` after them.

    An interruption may come before the first line here can catch it, and ctypes loses it.  Then `DONE` is not there, and the
    machine code calls again with `LOST` in its place, as often as it takes.
    """
    op, count, width = callback

    def enter(args: Any, out: Any) -> None:
        try:
            if out[width] == LOST:
                raise KeyboardInterrupt
            if _raised.error is None:  # else the call is to end soon
                for row in range(width):
                    out[row] = op.forward(*[args[row + i * width] for i in range(count)])
            out[width] = DONE
        except BaseException as error:
            if _raised.error is None:
                _raised.error = error
            out[width] = DONE

    return ctypes.CFUNCTYPE(None, _Pointer, _Pointer)(enter)


def collecting(run: Callable[..., T]) -> Callable[..., T]:
    """A function of machine code that raises what the rows it calls back have raised, an interruption by the keyboard too."""

    def collected(*args: Any) -> T:
        _raised.error = None
        result = run(*args)
        error, _raised.error = _raised.error, None
        if error is not None:
            raise error
        return result

    return collected


# -- compilation ------------------------------------------------------------------------------------------------------


class NativeModule:
    """Machine code; it lives as long as this object.

    When that goes, no Python of ours runs in which Ctrl-C would be lost: a weak reference is put into a queue, and a thread
    that waits there frees the code.
    """

    def __init__(self, addresses: Mapping[str, int], engine: Any, kept: list[object]) -> None:
        self.addresses, self._kept = addresses, kept
        _engines[weakref.ref(self, _gone.put)] = engine
        _closing()

    def function(self, name: str, *arguments: type) -> Callable[..., Any]:
        """A function of addresses and whole numbers, which releases the interpreter lock; the result is an int64."""
        if loaded is not None:
            return loaded.machine(self.addresses[name], len(arguments), self)  # type: ignore[no-any-return]
        function = ctypes.CFUNCTYPE(ctypes.c_int64, *arguments)(self.addresses[name])
        function.module = self  # type: ignore[attr-defined]
        return function


_engines: dict[Any, Any] = {}  # what holds the code of the modules there are
_gone: SimpleQueue[Any] = SimpleQueue()


@functools.cache  # once in each process
def _closing() -> None:
    with suppress(RuntimeError):  # there are as many threads as there may be: the code stays
        _thread.start_new_thread(_close, ())


def _close() -> None:
    while True:
        gone = _gone.get()
        with _lock:
            _engines.pop(gone).close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_closing.cache_clear)


class Code(NamedTuple):
    """What is compiled, and what must be known of it to run it.

    Args:
        text: the IR.
        library, vectors: the functions declared as ``c_name`` and ``v_name``.
        callbacks: the rows called back, by the names they are declared under.
        sizes: of the memory that the code works in.
        initial: what outputs are before it has run.
        calls: a module whose functions it declares with `OTHERS` before their names.
    """

    text: str
    library: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()
    callbacks: Mapping[str, Callback] = MappingProxyType({})
    sizes: tuple[int, ...] = ()
    initial: tuple[float, ...] = ()
    calls: NativeModule | None = None


def compiled(code: Code, machine: Machine, known: bytes | None = None) -> tuple[NativeModule, bytes]:
    """The module of some code, and its machine code as an object file; with `known`, the file, nothing is compiled.

    Raises CompilationError where LLVM refuses, MissingPackageError where llvmlite is not installed.
    """
    addresses = {f"c_{name}": _symbol_address(_c_library(), name) for name in code.library}
    addresses |= {f"v_{name}": machine.vector[name] for name in code.vectors}
    entries = [_entry(callback) for callback in code.callbacks.values()]
    kept: list[object] = [*entries, code.calls]
    if code.calls is not None:
        addresses |= {OTHERS + name: address for name, address in code.calls.addresses.items()}
    for name, entry in zip(code.callbacks, entries, strict=True):
        # a cast would make the function hold itself
        address = ctypes.c_void_p.from_address(ctypes.addressof(entry)).value
        assert address is not None
        addresses[name] = address
    # a module that only declares what the object file calls: LLVM asks for its machine code, and is given the file
    text = code.text if known is None else "\n".join(f"declare void @{name}()" for name in addresses)
    files = [] if known is None else [known]
    names = re.findall(r"^define (?!internal).*?@(\w+)\(", code.text, re.MULTILINE)
    llvmlite()
    try:
        module = undisturbed(functools.partial(_loaded, text, machine, addresses, names, kept, known, files))
    except (RuntimeError, OSError) as error:
        what = " ".join(str(error).split("\n")[:2])
        raise CompilationError(f"LLVM cannot compile this program: {what}") from error
    return module, files[0]


def _loaded(
    text: str, machine: Machine, addresses: Mapping[str, int], names: Sequence[str], kept: list[object], known: bytes | None,
    files: list[bytes],
) -> NativeModule:  # fmt: skip
    """The module of a text that calls functions at these addresses, and defines those with these names."""
    with _lock:
        _initialize()
        binding = llvmlite()
        module = binding.parse_assembly(text)
        module.verify()
        target = binding.Target.from_default_triple().create_target_machine(
            cpu=machine.cpu, features=machine.features, opt=int(text.count("\n") < LONG["x double>" in text]), jit=True
        )
        engine = binding.create_mcjit_compiler(module, target)
        engine.set_object_cache(lambda _, file: files.append(bytes(file)), lambda _: known)
        for name, address in addresses.items():
            engine.add_global_mapping(module.get_function(name), address)
        engine.finalize_object()
        return NativeModule({name: engine.get_function_address(name) for name in names}, engine, kept)
