"""LLVM IR text made into machine code: what this machine has, the functions modules may call, and the compiler.

Needs llvmlite, of the extra `jit`, which is imported when code is compiled.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import sys
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ...ends import interrupt_again
from ...errors import CompilationError, MissingPackageError
from ..lowering import PAIRS
from .emit import LIBRARY, Callback

__all__ = ["DONE", "LOST", "Code", "Machine", "Module", "collecting", "compiled", "host"]

LONG = 300_000, 100_000  # lines of scalar code, of vectors: beyond them LLVM is asked for less

OLDEST = 20  # LLVM; before, pointers had types

# LLVM's objects are not for several threads at once.  Whoever forks waits until no thread of ours is within LLVM, which has
# locks of its own, as llvmlite has: every call of llvmlite, the freeing of code too, is made with this one held.
_lock = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


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
    """The package's binding, ready for this machine."""
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
    return _initialized(binding)


@functools.cache
def _initialized(binding: Any) -> Any:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding


@functools.cache
def host(without: str = "") -> Machine:
    """This machine, as if it had no instructions whose names begin with `without`: "avx512"."""
    with _lock:
        binding = llvmlite()
        try:
            found = dict(binding.get_host_cpu_features())
        except RuntimeError:
            found = {}
        cpu = binding.get_host_cpu_name() if not without else ""
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
            addresses[name] = _address(library, symbol)
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


def _address(library: ctypes.CDLL, symbol: str) -> int:
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


def collecting(run: Callable[..., Any]) -> Callable[..., Any]:
    """A function of machine code that raises what the rows it calls back have raised, an interruption by the keyboard too."""

    def collected(*args: Any) -> Any:
        _raised.error = None
        result = run(*args)
        error, _raised.error = _raised.error, None
        if error is not None:
            raise error
        return result

    return collected


# -- compilation ------------------------------------------------------------------------------------------------------


class Module:
    """Machine code; it lives as long as this object."""

    def __init__(self, engine: Any, kept: list[Any]) -> None:
        self._engine, self._kept = engine, kept

    def function(self, name: str, *arguments: Any) -> Callable[..., Any]:
        """A function of the module for ctypes, which releases the interpreter lock; the result is an int64."""
        with _lock:
            address = self._engine.get_function_address(name)
        assert address, name
        function = ctypes.CFUNCTYPE(ctypes.c_int64, *arguments)(address)
        function.module = self  # type: ignore[attr-defined]
        return function

    def __del__(self) -> None:
        if sys is None or sys.is_finalizing():
            return
        try:
            with _lock:
                self._engine.close()
        except KeyboardInterrupt:  # which is lost in here: so it comes again, a moment later
            interrupt_again()


class Code(NamedTuple):
    """What is compiled, and what must be known of it to run it.

    Args:
        text: the IR.
        library, vectors: the functions declared as ``c_name`` and ``v_name``.
        callbacks: the rows called back, by the names they are declared under.
        sizes: of the memory that the code works in.
        initial: what outputs are before it has run.
    """

    text: str
    library: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()
    callbacks: Mapping[str, Callback] = MappingProxyType({})
    sizes: tuple[int, ...] = ()
    initial: tuple[float, ...] = ()


def compiled(code: Code, machine: Machine, known: bytes | None = None) -> tuple[Module, bytes]:
    """The module of some code, and its machine code as an object file; with `known`, the file, nothing is compiled.

    Raises CompilationError where LLVM refuses, MissingPackageError where llvmlite is not installed.
    """
    addresses = {f"c_{name}": _address(_c_library(), name) for name in code.library}
    addresses |= {f"v_{name}": machine.vector[name] for name in code.vectors}
    kept = [_entry(callback) for callback in code.callbacks.values()]
    for name, entry in zip(code.callbacks, kept, strict=True):
        # a cast would make the function hold itself
        address = ctypes.c_void_p.from_address(ctypes.addressof(entry)).value
        assert address is not None
        addresses[name] = address
    # a module that only declares what the object file calls: LLVM asks for its machine code, and is given the file
    text = code.text if known is None else "\n".join(f"declare void @{name}()" for name in addresses)
    files = [] if known is None else [known]
    with _lock:
        binding = llvmlite()
        try:
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
        except (RuntimeError, OSError) as error:
            what = " ".join(str(error).split("\n")[:2])
            raise CompilationError(f"LLVM cannot compile this program: {what}") from error
        return Module(engine, kept), files[0]
