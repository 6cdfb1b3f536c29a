"""HIPS autograd's own tests of scalars, of the core and of graphs, from its source distribution, run on our engine.

Their modules run unchanged; `autograd` is `autograd_shim`, whose `check_grads` compares forward and reverse mode with central
differences, by every argument, to second order.  What is left out is listed with its reason.
"""

import importlib.util
import subprocess
import sys
import tarfile
import types
from pathlib import Path

import pytest

from tests.process import loaded

VERSION = "1.8.0"

SCALAR_OPS = """
    abs arccos arccosh arcsin arcsinh arctan arctanh cos cosh deg2rad degrees divide_arg0 divide_arg1 exp exp2 expm1 log log10
    log1p log2 mod_arg0 mod_arg1 multiply_arg0 multiply_arg1 neg negative power_arg0 power_arg1 power_arg1_zero rad2deg radians
    reciprocal sign sin sinc sinh sqrt tan tanh true_divide_arg0 true_divide_arg1
"""
CORE = "add div eq geq gt leq lt mod mul neq pow sub"
GRAPHS = """
    assignment_raises_error complex_mutating_outgrad_from_indexing complex_separate_real_and_imaginary enclosing_scope_ref
    enclosing_scope_ref_2 grad_const grad_fanout grad_identity hess_vector_prod mutating_outgrad mutating_outgrad_from_indexing
    singleton_array_output singleton_array_output_axis0 singleton_array_output_axis0_keepdims singleton_array_output_axis1
    singleton_array_output_axis1_keepdims third_derivative third_derivative_other_args third_derivative_other_args2
"""
FILES = {"test_scalar_ops": SCALAR_OPS.split(), "test_core": CORE.split(), "test_graphs": GRAPHS.split()}

LEFT_OUT = {
    ("test_graphs", "complex_mutating_outgrad_from_indexing"): "complex numbers",
    ("test_graphs", "complex_separate_real_and_imaginary"): "complex numbers",
    ("test_graphs", "assignment_raises_error"): "how their traced arrays refuse assignment; ours are NumPy's object arrays",
}


shim = None if importlib.util.find_spec("numpy") is None else loaded(Path(__file__).with_name("autograd_shim.py"))


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    """The text of autograd's test files by name, fetched from the package index."""
    if shim is None:
        pytest.skip("autograd's tests are written with NumPy, which is not installed")
    folder = tmp_path_factory.mktemp("autograd")
    if importlib.util.find_spec("pip") is None:
        pytest.skip("pip is not installed, so autograd's tests cannot be fetched")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(folder)]
    isolation = [["--no-build-isolation"]] if importlib.util.find_spec("hatchling") else []  # pip asks its build for the name
    for options in [*isolation, []]:
        done = subprocess.run([*pip, *options, f"autograd=={VERSION}"], capture_output=True, text=True, check=False)
        if not done.returncode:
            break
    else:
        pytest.skip(f"autograd's source distribution could not be fetched: {done.stderr.strip().splitlines()[-1]}")
    with tarfile.open(folder / f"autograd-{VERSION}.tar.gz") as archive:
        return {name: archive.extractfile(f"autograd-{VERSION}/tests/{name}.py").read().decode() for name in FILES}


@pytest.fixture
def theirs(sources, monkeypatch):
    """Run one of their modules with `autograd` replaced by ours."""
    shim.install(monkeypatch.setitem)

    def run(name):
        module = types.ModuleType(name)
        exec(compile(sources[name], f"autograd/tests/{name}.py", "exec"), vars(module))
        return module

    return run


@pytest.mark.parametrize(("file", "name"), [(f, n) for f, names in FILES.items() for n in names if (f, n) not in LEFT_OUT])
def test_autograds_own_test_passes(theirs, file, name):
    getattr(theirs(file), f"test_{name}")()


@pytest.mark.parametrize("file", FILES)
def test_no_other_test_is_left_out(theirs, file):
    assert sorted(n.removeprefix("test_") for n in vars(theirs(file)) if n.startswith("test_")) == sorted(FILES[file])


def test_autograd_is_not_what_is_tested(theirs):
    import autograd_lite

    module = theirs("test_scalar_ops")
    assert module.grad is shim.grad
    assert module.check_grads is shim.check_grads
    assert module.np.sin(autograd_lite.Value(0.5)).op is autograd_lite.sin


SECOND = ["abs", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cos", "cosh", "exp", "exp2", "expm1", "log",
          "log10", "log1p", "log2", "negative", "reciprocal", "sign", "sin", "sinc", "sinh", "sqrt", "tan", "tanh"]  # fmt: skip
TWO = ["add", "subtract", "multiply", "divide", "power", "mod"]


@pytest.mark.skipif(shim is None, reason="the shim is written with NumPy, which is not installed")
@pytest.mark.parametrize("name", SECOND + TWO)
def test_a_plain_float_of_every_second_derivative(name):
    """`float()` as users write it around each: what comes of plain numbers is plain."""
    import numpy as np

    from autograd_lite import grad, hessian, hvp, jacobian, jvp

    f = shim.OURS.get(name) or getattr(np, name)
    if name in SECOND:
        x = 1.4 if name == "arccosh" else 0.4
        found = [grad(grad(f))(x), hessian(f)(x), hvp(f, (x,), (1.0,)), jacobian(grad(f))(x), jvp(grad(f), (x,), (1.0,))[1]]
        assert [float(d) for d in found] == pytest.approx([float(found[0])] * 5, rel=1e-14)
        middle = (float(grad(f)(x + 1e-5)) - float(grad(f)(x - 1e-5))) / 2e-5
        assert float(found[0]) == pytest.approx(middle, rel=1e-6, abs=1e-6)
        return
    table = hessian(f, (0, 1))(1.3, 0.6)
    for i in (0, 1):
        for j in (0, 1):
            second = float(grad(grad(f, i), j)(1.3, 0.6))
            assert second == pytest.approx(float(table[i][j]), rel=1e-14)
            near = [float(grad(f, i)(1.3 + h * (j == 0), 0.6 + h * (j == 1))) for h in (1e-5, -1e-5)]
            assert second == pytest.approx((near[0] - near[1]) / 2e-5, rel=1e-6, abs=1e-6)


# -- the checker checked ----------------------------------------------------------------------------------------------


def primitive(first, second):
    """x**3 with rules that may be wrong: its slope times one number, its curvature times another."""
    from autograd_lite import Op

    slope = Op("slope", lambda x: first * 3 * x * x, lambda x, out: second * first * 6 * x)
    return Op("cube", lambda x: x * x * x, lambda x, out: slope(x))


@pytest.mark.skipif(shim is None, reason="the shim is written with NumPy, which is not installed")
@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_the_shims_check_notices_planted_faults(mode):
    shim.check_grads(primitive(1, 1), modes=[mode])(1.3)
    with pytest.raises(AssertionError, match=f"{'forward' if mode == 'fwd' else 'reverse'} mode: .* by the rules"):
        shim.check_grads(primitive(1.0001, 1), modes=[mode], order=1)(1.3)
    shim.check_grads(primitive(1, -1), modes=[mode], order=1)(1.3)
    with pytest.raises(AssertionError, match="by the rules"):
        shim.check_grads(primitive(1, -1), modes=[mode])(1.3)
    with pytest.raises(AssertionError, match="by the rules"):
        shim.check_grads(lambda x, y: x * primitive(-1, 1)(y), modes=[mode], order=1)(1.3, 0.7)
