"""Machine code kept on disk: found again, by whom, and what is never loaded."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

pytest.importorskip("llvmlite", reason="machine code needs llvmlite: install the extra 'jit'")
pytest.importorskip("numpy", reason="columns are NumPy arrays: install the extra 'jit'")

import numpy as np

from autograd_lite import Op, errors, gamma, hessian, jit, tanh, value_and_grad
from autograd_lite.compiler.llvm import native, stored
from tests.process import run

X = np.linspace(-1.0, 1.0, 21)


def loss(w: Any, x: Any) -> Any:
    return tanh(w[0] * x + w[1]) ** 2 * gamma(x + 3.0)


def step(folder: Any, **options: Any) -> Any:
    return jit(value_and_grad(loss), batch=1, reduce="sum", cache=folder, **options)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each program's module made, whether its machine code was known; what calls those of any batch is not counted."""
    made: list[bool] = []
    compile_one = native.compiled

    def counted(code: Any, machine: Any, known: Any = None) -> Any:
        if "%header" not in code.text:
            made.append(known is not None)
        return compile_one(code, machine, known)

    monkeypatch.setattr(native, "compiled", counted)
    return made


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.code") if not path.name.startswith("driver-"))


def test_what_was_compiled_is_found_again(tmp_path: Path, compiled: list[bool]) -> None:
    folder = tmp_path / "made" / "when needed"
    wanted = step(folder)([0.3, 0.4], X)
    assert (folder.stat().st_mode & 0o777) == 0o700
    assert len(files(folder)) == 1
    again = step(folder)
    assert again([0.3, 0.4], X) == wanted
    assert compiled == [False, True]
    assert again.source([0.3, 0.4], X) == step(None).source([0.3, 0.4], X)
    assert not list(folder.glob("*.tmp"))


def test_what_differs_is_compiled(tmp_path: Path, compiled: list[bool]) -> None:
    os.chmod(tmp_path, 0o700)
    for options in ({}, {"fastmath": True}):
        step(tmp_path, **options)([0.3, 0.4], X)
    jit(value_and_grad(loss), batch=1, reduce="mean", cache=tmp_path)([0.3, 0.4], X)
    jit(value_and_grad(loss), batch=1, cache=tmp_path)([0.3, 0.4], X)
    jit(value_and_grad(lambda w, x: loss(w, x) * 0.5), batch=1, reduce="sum", cache=tmp_path)([0.3, 0.4], X)
    assert compiled == [False] * 5
    assert len(files(tmp_path)) == 5


def test_another_process_finds_it(tmp_path: Path) -> None:
    program = dedent(f"""
        import autograd_lite as al, numpy as np
        from autograd_lite.compiler.llvm import native
        one, known = native.compiled, []
        native.compiled = lambda code, machine, file=None: known.append(file is not None) or one(code, machine, file)
        loss = lambda w, x: al.exp(-w * x) * al.digamma(x)
        f = al.jit(al.value_and_grad(loss), batch=1, reduce="sum", cache={str(tmp_path / "c")!r})
        print(f(0.5, np.linspace(1.0, 2.0, 1000)), known)
    """)
    first, second = (run(program).strip() for _ in range(2))
    assert first.endswith("[False, False]")
    assert second == first.replace("False", "True")


def test_scalar_code_with_guards_and_constants(tmp_path: Path, compiled: list[bool]) -> None:
    os.chmod(tmp_path, 0o700)

    def f(x: Any) -> Any:
        return x[0] * x[1] ** 2 if x[0] > x[1] else x[0] + x[1]

    for _ in range(2):
        fast = jit(hessian(f), backend="llvm", cache=tmp_path)
        assert fast([3.0, 2.0]) == hessian(f)([3.0, 2.0])
        assert fast([1.0, 2.0]) == [[0.0, 0.0], [0.0, 0.0]]
    assert compiled == [False, False, True, True]


DAMAGE = {
    "short": lambda b: b[:-1],
    "only its head": lambda b: b[:40],
    "empty": lambda b: b"",
    "a bit": lambda b: b[:100] + bytes([b[100] ^ 1]) + b[101:],
    "long": lambda b: b + b"x",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_entry_is_compiled_anew(tmp_path: Path, compiled: list[bool], damage: Any) -> None:
    os.chmod(tmp_path, 0o700)
    wanted = step(tmp_path)([0.3, 0.4], X)
    (entry,) = files(tmp_path)
    whole = entry.read_bytes()
    entry.write_bytes(damage(whole))
    assert step(tmp_path)([0.3, 0.4], X) == wanted
    assert compiled == [False, False]
    assert step(tmp_path)([0.3, 0.4], X) == wanted
    assert compiled == [False, False, True]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no owners of files")
def test_a_folder_that_others_may_enter_is_not_used(tmp_path: Path, compiled: list[bool]) -> None:
    os.chmod(tmp_path, 0o700)
    wanted = step(tmp_path)([0.3, 0.4], X)
    os.chmod(tmp_path, 0o755)
    with pytest.warns(errors.JitWarning, match=r"is open to others, so that no code is loaded from it: chmod 700 /") as said:
        assert step(tmp_path)([0.3, 0.4], X) == wanted
    assert said[0].filename == __file__
    assert compiled == [False, False]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no owners of files")
def test_another_users_folder_and_files_are_not_used(
    tmp_path: Path, compiled: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chmod(tmp_path, 0o700)
    wanted = step(tmp_path)([0.3, 0.4], X)
    me = os.geteuid()
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: me + 1)
        with pytest.warns(errors.JitWarning, match="belongs to another user"):
            assert step(tmp_path)([0.3, 0.4], X) == wanted
    (entry,) = files(tmp_path)
    entry.rename(tmp_path / "elsewhere")
    entry.symlink_to(tmp_path / "elsewhere")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the link is not replaced may be said
        assert step(tmp_path)([0.3, 0.4], X) == wanted
    assert compiled == [False, False, False]


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.warns(errors.JitWarning, match=r"cannot be written to: .*; compiled code is not kept"):
        assert step(tmp_path / "file" / "folder")([0.3, 0.4], X) == step(None)([0.3, 0.4], X)


def test_a_users_own_op_is_not_kept(tmp_path: Path, compiled: list[bool]) -> None:
    own = Op("own", lambda x: x + 1.0, 1.0)
    for _ in range(2):
        assert jit(own, batch=0, reduce="sum", backend="llvm", cache=tmp_path)(X) == pytest.approx(21.0)
    assert compiled == [False, False]
    assert files(tmp_path) == []


def test_the_environment_names_the_folder(tmp_path: Path, compiled: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGRAD_LITE_CACHE", str(tmp_path / "named"))
    for _ in range(2):
        step(None)([0.3, 0.4], X)
    step(tmp_path / "given")([0.3, 0.4], X)
    assert compiled == [False, True, False]
    assert [len(files(tmp_path / name)) for name in ("named", "given")] == [1, 1]
    monkeypatch.setenv("AUTOGRAD_LITE_CACHE", "")
    step(None)([0.3, 0.4], X)
    assert compiled[-1] is False


@pytest.mark.parametrize("given", [3, True, b"folder", ["a"]])
def test_what_is_no_folder(given: Any) -> None:
    with pytest.raises(errors.InputTypeError, match=r"^cache=.* must be the path of a folder, as text$"):
        jit(loss, cache=given)


def test_the_name_follows_from_all_that_the_code_does() -> None:
    program = jit(lambda x: x * 2.0).program(1.0)
    other = jit(lambda x: x * 3.0).program(1.0)
    host = native.host()
    names = {
        stored._name("scalar", [program], (False, 400), host), stored._name("scalar", [other], (False, 400), host),
        stored._name("batch", [program], (False, 400), host), stored._name("scalar", [program], (True, 400), host),
        stored._name("scalar", [program], (False, 400), native.host(without="avx512")),
        stored._name("scalar", [program, program], (False, 400), host),
    }  # fmt: skip
    assert len(names) == 6
    assert stored._name("scalar", [program], (False, 400), host) in names
