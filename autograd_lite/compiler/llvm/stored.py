"""Machine code kept on disk: what was compiled once is loaded by the next process.

An entry is a file named by what it is and a digest of all that its code follows from: the programs, the options, the
processor, the versions of LLVM and of this package.  Code that is loaded is run, so it is loaded only from a folder of the
user's own that nobody else may enter.  An entry that is damaged is compiled anew; one that is being written is not there yet.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import stat
import warnings
import zlib
from collections.abc import Callable, Sequence
from hashlib import blake2b

from ... import files, frames
from ...errors import InputValueError, JitWarning
from ...ops import TABLE
from ...program import Program
from . import native
from .emit import Callback
from .native import Code

SIZE = 32  # of a digest, in bytes


class Store:
    """The entries in one folder, which is made where it is not there."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def get(self, name: str) -> tuple[Code, bytes] | None:
        """An entry; None where there is none that can be trusted and is whole."""
        found = self._read(name)
        if found is None or blake2b(found[SIZE:], digest_size=SIZE).digest() != found[:SIZE]:
            return None
        length = int.from_bytes(found[SIZE : SIZE + 8], "little")
        head = json.loads(zlib.decompress(found[SIZE + 8 : SIZE + 8 + length]))
        text, library, vectors, callbacks, sizes, initial = head
        called = {label: Callback(TABLE[op], arity, width) for label, op, arity, width in callbacks}
        code = Code(text, tuple(library), tuple(vectors), called, tuple(sizes), tuple(map(float.fromhex, initial)))
        return code, found[SIZE + 8 + length :]

    def put(self, name: str, code: Code, compiled: bytes) -> None:
        """Write an entry; where that cannot be done, it is said and left."""
        callbacks = [(label, op.name, arity, width) for label, (op, arity, width) in code.callbacks.items()]
        head = code.text, code.library, code.vectors, callbacks, code.sizes, [x.hex() for x in code.initial]
        packed = zlib.compress(json.dumps(head).encode())
        content = len(packed).to_bytes(8, "little") + packed + compiled
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            if self._is_private():
                files.write_atomically(os.path.join(self.folder, name), blake2b(content, digest_size=SIZE).digest() + content)
        except OSError as error:
            self._said(f"cannot be written to: {error.strerror}; compiled code is not kept")

    def _read(self, name: str) -> bytes | None:
        path = os.path.join(self.folder, name)
        if not os.path.lexists(path) or not self._is_private():
            return None
        try:
            handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        except OSError:
            return None
        with os.fdopen(handle, "rb") as file:
            state = os.fstat(handle)
            mine = not hasattr(os, "geteuid") or state.st_uid == os.geteuid()
            return file.read() if mine and stat.S_ISREG(state.st_mode) else None

    def _is_private(self) -> bool:
        """Whether the folder is the user's own and nobody else's; systems without owners leave it to the user."""
        if not hasattr(os, "geteuid"):
            return True
        state = os.stat(self.folder)
        if state.st_uid != os.geteuid():
            self._said("belongs to another user, so that no code is loaded from it: give a folder of your own")
        elif state.st_mode & 0o077:
            self._said(f"is open to others, so that no code is loaded from it: chmod 700 {self.folder}")
        else:
            return True
        return False

    def _said(self, what: str) -> None:
        warnings.warn(f"cache={self.folder!r} {what}", JitWarning, stacklevel=frames.stacklevel())


def made(
    store: Store | None, kind: str, programs: Sequence[Program], options: tuple[object, ...], machine: native.Machine,
    write: Callable[[], Code], calls: native.NativeModule | None = None,
) -> tuple[Code, native.NativeModule]:  # fmt: skip
    """Code and its module: from the store if it is there, else written, compiled, and put there; `calls` as in `Code`."""
    name = _name(kind, programs, options, machine) if store is not None else None
    found = store.get(name) if store is not None and name is not None else None
    code, known = found or (write(), None)
    module, compiled = native.compiled(code._replace(calls=calls), machine, known)
    if store is not None and name is not None and found is None:
        store.put(name, code, compiled)
    return code, module


def _name(kind: str, programs: Sequence[Program], options: tuple[object, ...], machine: native.Machine) -> str | None:
    """The digest that an entry is found by; None for programs with a user's own ops, which have no name."""
    try:
        parts = [(p.to_list()[2:5], [(g.ref, g.expected) for g in p.guards]) for p in programs]
    except InputValueError:
        return None
    host = machine.width, sorted(machine.vector), machine.cpu, machine.features, platform.system(), platform.machine()
    content = repr((kind, parts, options, host, _version())).encode()
    return f"{kind}-{blake2b(content, digest_size=20).hexdigest()}.code"


@functools.cache
def _version() -> tuple[object, ...]:
    """The versions of LLVM, its binding and this package: every file of it, by its size and the time it was written."""
    binding = native.llvmlite()
    from llvmlite import __version__  # type: ignore[import-untyped,import-not-found,unused-ignore]

    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    states = []
    for folder in ("", "ops", "compiler", os.path.join("compiler", "llvm")):
        with os.scandir(os.path.join(package, folder)) as entries:
            for entry in entries:
                if entry.name.endswith(".py"):
                    state = entry.stat()
                    states.append((folder, entry.name, state.st_size, state.st_mtime_ns))
    return __version__, binding.llvm_version_info, sorted(states)
