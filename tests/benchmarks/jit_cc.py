"""Compiles C at run time for the benchmark of the jit: `shared_library`."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from pathlib import Path

FLAGS = ("-O3", "-march=native", "-shared", "-fPIC")
VECTORS = ("-ffast-math", "-fopenmp-simd", "-mprefer-vector-width=512", "-lmvec", "-lm")  # what calls glibc's vector library


def shared_library(source: Path, more: tuple[str, ...] = ()) -> Path:
    """The library that the system's C compiler makes of `source`, in a directory that is removed at exit.

    Raises NotImplementedError where there is no compiler.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise NotImplementedError("no C compiler: cc is not on the PATH")
    directory = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    library = Path(directory) / f"{source.stem}.so"
    subprocess.run([compiler, *FLAGS, str(source), "-o", str(library), *more], check=True)
    return library
