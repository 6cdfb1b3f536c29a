"""Hypothesis profiles: `ci` is fixed and short, `long` is for `HYPOTHESIS_PROFILE=long python -m pytest`."""

import gc
import importlib.util
import os
import signal

from tests import warm

warm.share_bytecode()  # before what follows is imported

import pytest  # noqa: E402
from hypothesis import HealthCheck, Phase, settings  # noqa: E402

from autograd_lite.errors import MissingPackageError  # noqa: E402
from tests.drawing import chromium  # noqa: E402

_CALM = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.filter_too_much]}
_BRIEF = [phase for phase in Phase if phase is not Phase.explain]  # it traces every line, of failures that tests plant too
settings.register_profile("ci", max_examples=25, derandomize=True, database=None, phases=_BRIEF, **_CALM)
settings.register_profile("long", max_examples=1000, **_CALM)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


SLOW = tuple(
    f"tests/{name}.py"
    for name in (
        "test_cluster", "test_soak", "test_mutation_script", "drawing/test_live", "drawing/test_browser", "test_core",
        "test_strategies", "compiler/test_llvm_rows", "compiler/test_jit", "cli/test_fit", "test_fit", "ops/test_accuracy",
        "test_demos", "test_gradcheck", "test_tables", "test_expressions_agree", "test_promises",
    )
)  # fmt: skip

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in what a shell starts in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def browser():
    """One for all pages: each test opens its own."""
    yield from chromium.started()


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """One more than there are processors: tests of pages and of clusters wait for other processes."""
    workers = yield
    return workers + ("PYTEST_XDIST_AUTO_NUM_WORKERS" not in os.environ)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """What a test needs and is not installed is a reason to skip it."""
    try:
        return (yield)
    except MissingPackageError as error:
        if all(map(importlib.util.find_spec, ("numpy", "llvmlite", "click", "matplotlib", "pyarrow", "distributed"))):
            raise
        pytest.skip(str(error))


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session):
    """Of several workers each begins with other files: what one has compiled, the others only load."""
    given = getattr(session.config, "workerinput", None)
    if given and session.config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        warm.import_from(given["workerid"], given["workercount"])


def pytest_configure(config):
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False  # which begins with the files of many tests, not with those that take long


def pytest_collection_modifyitems(items):
    """Files that take long come first, so that no worker is left with one at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(SLOW))


def pytest_collection_finish():
    warm.share_machine_code()
    gc.collect()
    gc.freeze()  # what was collected stays to the end: no search for garbage goes through it
    gc.set_threshold(2_000, 10, 50)  # nor does what tests leave behind in caches and reports pay for a search


def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        warm.tidy()
