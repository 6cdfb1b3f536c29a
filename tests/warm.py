"""What a run of the tests does once for all its processes, and the next run not again: compiling Python, and LLVM's part.

Both lie in pytest's own cache, found by what they were made of, and are as they would be made anew.
"""

import importlib
import os
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".pytest_cache"
BYTECODE, MACHINE_CODE = CACHE / "bytecode", CACHE / "machine code"
WEEK = 7 * 24 * 3600.0


def share_bytecode() -> None:
    """Where Python is to write nothing beside the sources, it writes to pytest's cache, in this process and those it starts."""
    if sys.dont_write_bytecode:
        sys.dont_write_bytecode = False
        sys.pycache_prefix = str(BYTECODE)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix


def import_from(worker: str, workers: int) -> None:
    """Import the test files in their order, from its part of them on and round; what fails, fails again in its turn."""
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sorted(ROOT.glob("tests/**/test_*.py"))]
    first = len(names) * int(worker.removeprefix("gw")) // workers
    for name in names[first:] + names[:first]:
        with suppress(Exception, pytest.skip.Exception):
            importlib.import_module(name)


def share_machine_code() -> None:
    """The text of a module that LLVM has compiled for this processor is not compiled again, but loaded."""
    from autograd_lite.compiler.llvm import native

    compile_now, how = native.compiled, Path(native.__file__).read_bytes()

    def compiled(code, machine, known=None):
        if known is not None:
            return compile_now(code, machine, known)
        made_of = repr((code.text, machine.cpu, machine.features, native.llvmlite().llvm_version_info, how))
        path = MACHINE_CODE / blake2b(made_of.encode(), digest_size=20).hexdigest()
        try:
            known = path.read_bytes()
        except OSError:
            pass
        else:
            os.utime(path)
            return compile_now(code, machine, known)
        module, file = compile_now(code, machine)
        MACHINE_CODE.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=MACHINE_CODE, delete=False) as unfinished:
            unfinished.write(file)
        os.replace(unfinished.name, path)
        return module, file

    native.compiled = compiled


def tidy() -> None:
    """What was compiled from copies of the sources in temporary folders, or has not been asked for within a week, goes."""
    shutil.rmtree(BYTECODE / Path(*Path(tempfile.gettempdir()).parts[1:]), ignore_errors=True)
    for path in MACHINE_CODE.glob("*"):
        if time.time() - path.stat().st_mtime > WEEK:
            path.unlink(missing_ok=True)
