"""What is built: a wheel with the core in C where there is a compiler, a pure one elsewhere, and a source that makes either."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from autograd_lite.accelerated import FREE_THREADED

ROOT = Path(__file__).resolve().parents[1]
pytest.importorskip("hatchling", reason="hatchling builds the wheels")
pytestmark = pytest.mark.skipif(not (ROOT / ".ci" / "build_core.py").exists(), reason="not in a repository")
COMPILER = shutil.which("cc") is not None and not FREE_THREADED


@pytest.fixture
def source(tmp_path):
    """The repository's files, with a compiled core of old in the package."""
    copy = tmp_path / "source"
    for name in ("autograd_lite", ".ci"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    (copy / "autograd_lite" / "_core.abi3.so").write_bytes(b"stale")
    return copy


def build(source, kind, **environment):
    env = {k: v for k, v in os.environ.items() if k not in ("AUTOGRAD_LITE_PURE", "CC")} | environment
    out = source.parent / f"dist-{kind}-{len(environment)}"
    program = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(out)]
    done = subprocess.run(program, cwd=source, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = out.iterdir()
    return built, done.stdout + done.stderr


def core_of(wheel, folder, **environment):
    """What a program says that has nothing but the wheel."""
    zipfile.ZipFile(wheel).extractall(folder)
    program = (
        f"import sys; sys.path.insert(0, {str(folder)!r}); import autograd_lite as al; x = al.Value(3.0); "
        "(x * x + al.sin(x)).backward(); print(al.__file__, al.core(), x.grad)"
    )
    env = {k: v for k, v in os.environ.items() if k != "AUTOGRAD_LITE_PURE"} | environment
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    file, core, slope = done.stdout.split()
    assert Path(file).is_relative_to(folder)
    assert slope == "5.010007503399555"
    return core


@pytest.mark.skipif(not COMPILER, reason="no C compiler")
def test_a_wheel_has_the_core_that_was_compiled_for_it(source, tmp_path):
    wheel, _ = build(source, "wheel")
    assert "-cp311-abi3-" in wheel.name
    names = zipfile.ZipFile(wheel).namelist()
    assert names.count("autograd_lite/_core.abi3.so") == 1
    assert "autograd_lite/_core.c" not in names
    assert zipfile.ZipFile(wheel).read("autograd_lite/_core.abi3.so") != b"stale"
    assert core_of(wheel, tmp_path / "with") == "C"
    program = f"import sys; sys.path.insert(0, {str(tmp_path / 'with')!r}); import autograd_lite; print(autograd_lite.core())"
    env = {**os.environ, "AUTOGRAD_LITE_PURE": "1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env, cwd=tmp_path, check=True)
    assert done.stdout == "Python\n"  # turned off


@pytest.mark.parametrize(
    ("environment", "why"),
    [({"AUTOGRAD_LITE_PURE": "1"}, "AUTOGRAD_LITE_PURE is set"), ({"CC": "no-such-compiler"}, "no-such-compiler is not there"),
     ({"CC": "false"}, "the C compiler failed")],
)  # fmt: skip
def test_without_a_compiler_the_wheel_is_pure_and_works(source, tmp_path, environment, why):
    if environment.get("CC") == "false" and shutil.which("false") is None:
        pytest.skip("no program that fails")
    wheel, said = build(source, "wheel", **environment)
    assert wheel.name.endswith("-py3-none-any.whl")
    if FREE_THREADED and "CC" in environment:
        why = "it is for CPython with its lock"
    assert why in " ".join(said.split())
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if "_core." in name]
    assert core_of(wheel, tmp_path / "pure") == "Python"


def test_the_source_has_all_that_a_wheel_needs_and_nothing_compiled(source, tmp_path):
    archive, _ = build(source, "sdist")
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
        tar.extractall(tmp_path / "sdist", filter="data")
    assert {"autograd_lite/_core.c", ".ci/build_core.py", "pyproject.toml"} <= names
    assert not [name for name in names if name.endswith(".so")]
    (unpacked,) = (tmp_path / "sdist").iterdir()
    wheel, _ = build(unpacked, "wheel")
    assert core_of(wheel, tmp_path / "from-source") == ("C" if COMPILER else "Python")
