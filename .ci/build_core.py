"""Compiles `autograd_lite/_core.c` while a wheel is built: a hook of hatch.

One wheel serves all versions of CPython from 3.11 on (the stable ABI).  Where there is no C compiler or no Python.h, where
the compiler fails, or with AUTOGRAD_LITE_PURE=1 in the environment the wheel is pure Python.  The compiled file goes from a
folder of its own into the wheel, so that none that lies about can get in; an editable install has it in the package.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# no products and sums joined into one rounding: the bits are Python's
FLAGS = ["-O2", "-fPIC", "-ffp-contract=off", "-fvisibility=hidden"]
NAME = "_core.abi3.so"


def compile_core(source: Path, out: Path, flags: list[str]) -> str | None:
    """Compile; why not, where it cannot be done."""
    if os.environ.get("AUTOGRAD_LITE_PURE"):
        return "AUTOGRAD_LITE_PURE is set"
    if platform.python_implementation() != "CPython" or sysconfig.get_config_var("Py_GIL_DISABLED") or os.name != "posix":
        return "it is for CPython with its lock, on a system with a C compiler's common options"
    include = sysconfig.get_path("include")
    if not (Path(include) / "Python.h").exists():
        return f"no Python.h in {include}"
    compiler = shlex.split(os.environ.get("CC") or "cc")
    if shutil.which(compiler[0]) is None:
        return f"no C compiler: {compiler[0]} is not there"
    shared = ["-bundle", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-shared"]
    done = subprocess.run(
        [*compiler, *flags, *shared, f"-I{include}", str(source), "-o", str(out), "-lm"],
        capture_output=True,
        text=True,
        check=False,
    )
    return None if done.returncode == 0 else f"the C compiler failed: {done.stderr.strip()[-400:]}"


class BuildCore(BuildHookInterface[Any]):
    """The hook: a wheel with the core, or a pure one and a word about why."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        package = Path(self.root) / "autograd_lite"
        if version == "editable":
            out = package / NAME
            out.unlink(missing_ok=True)
        else:
            self.folder = tempfile.TemporaryDirectory()
            out = Path(self.folder.name) / NAME
        refused = compile_core(package / "_core.c", out, FLAGS)
        if refused is not None:
            self.app.display_warning(f"the package is pure Python, which is slower op by op: {refused}")
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"cp311-abi3-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
        if version != "editable":
            build_data["force_include"][str(out)] = f"autograd_lite/{NAME}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()
