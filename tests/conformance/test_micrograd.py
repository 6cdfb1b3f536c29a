"""micrograd's own test file, from its source distribution, run on our Value; it compares with torch."""

import importlib.util
import subprocess
import sys
import tarfile
import types

import pytest

import autograd_lite

TESTS = ("test_sanity_check", "test_more_ops")


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """The text of micrograd's test/test_engine.py, fetched from the package index."""
    folder = tmp_path_factory.mktemp("micrograd")
    if importlib.util.find_spec("pip") is None:
        pytest.skip("pip is not installed, so micrograd's tests cannot be fetched")
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:"]
    done = subprocess.run([*pip, "--dest", str(folder), "micrograd==0.1.0"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"micrograd's source distribution could not be fetched: {done.stderr.strip().splitlines()[-1]}")
    with tarfile.open(folder / "micrograd-0.1.0.tar.gz") as archive:
        return archive.extractfile("micrograd-0.1.0/test/test_engine.py").read().decode()


@pytest.fixture
def theirs(source, monkeypatch):
    """Their test module, with `micrograd.engine.Value` replaced."""
    pytest.importorskip("torch", reason="micrograd's tests compare with torch")
    engine = types.ModuleType("micrograd.engine")
    engine.Value = autograd_lite.Value
    package = types.ModuleType("micrograd")
    package.engine = engine
    monkeypatch.setitem(sys.modules, "micrograd", package)
    monkeypatch.setitem(sys.modules, "micrograd.engine", engine)
    module = types.ModuleType("test_engine")
    exec(compile(source, "micrograd/test/test_engine.py", "exec"), vars(module))
    assert module.Value is autograd_lite.Value
    return module


@pytest.mark.parametrize("name", TESTS)
def test_micrograds_own_test_passes(theirs, name):
    getattr(theirs, name)()


def test_none_of_its_tests_is_left_out(theirs):
    assert [n for n in vars(theirs) if n.startswith("test")] == list(TESTS)
