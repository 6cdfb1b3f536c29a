"""Python control flow under `jit`: the eager answer on every path, in whatever order calls find them; bounded, and honest."""

from __future__ import annotations

import functools
import itertools
import math
import random
import threading
import warnings
from fractions import Fraction
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_lite as al
from autograd_lite import Value, grad, gt, jit, jvp, value_and_grad
from autograd_lite.errors import JitWarning, TraceError
from tests.compiler import programs as p

BACKENDS = [
    "python",
    pytest.param(
        "llvm", marks=pytest.mark.skipif(not p.has("llvmlite"), reason="llvmlite is not installed: install the extra 'jit'")
    ),
]

# -- functions with branches ------------------------------------------------------------------------------------------


def newton(a):
    """The square root of a, until a step changes nothing."""
    x = a
    for _ in range(60):
        step = 0.5 * (x - a / x)
        x = x - step
        if abs(step) < 1e-12:
            break
    return x


def bisection(target):
    low, high = 0.0 * target, 0.0 * target + 4.0
    while high - low > 0.01:
        middle = 0.5 * (low + high)
        if middle**3 > target:
            high = middle
        else:
            low = middle
    return low + (target - low**3) / (3.0 * low * low + 1.0)


def collatz(x):
    """How far, counted in a number that is not the loop's."""
    steps, total = 0, x * 0.0
    while x > 1.0 and steps < 40:
        x = x / 2.0 if x % 2.0 < 1.0 else 3.0 * x + 1.0
        total += x
        steps += 1
    return [total, steps]


def clipped(x):
    step = x**3
    if step > 1.0:
        step = 1.0 + 0.1 * step
    elif step < -1.0:
        step = -1.0 - 0.1 * step * step
    return x - step


def largest(x, y, z):
    return max(x, y, z) * x + min(x * y, z)


def in_order(x, y, z):
    a, b, c = sorted([x, y, z])
    return a + 2.0 * b + 3.0 * c


def by_key(x, y, z):
    return sorted([x, y, z], key=lambda v: -(v * v), reverse=True)


def early(x):
    if x < -1.0:
        return x * x
    y = al.exp(x)
    if y > 2.0:
        return y
    return x + y


def factorial(x):
    return x * factorial(x - 1.0) if x > 1.0 else 1.0


def endless(x):
    while True:
        x = x / 2.0
        if abs(x) < 1.0:
            break
    return x


def guarded(x):
    log = []
    try:
        if x < 0.0:
            raise ValueError(x)
        y = al.sqrt(x)
    except ValueError:
        y = -x * x
    else:
        y = y + 1.0
    finally:
        log.append(x)
    return y * len(log)


def without_break(x):
    for i in range(5):
        if x * i > 3.0:
            break
    else:
        return x
    return x * i


def chained(x, y):
    if -1.0 < x < y <= 2.0:
        return x * y
    if x == y or not x:
        return x + y
    return (x and y) * (y or x)


def filtered(x, y, z):
    kept = [v * v for v in (x, y, z) if v > 0.0]
    if any(v > 4.0 for v in kept):
        return sum(kept)
    return al.prod(kept) if all(v < 1.0 for v in kept) else -sum(kept)


def found(x, y):
    return 7.0 * x if x in (1.0, 2.0, y) else y


def absolute(x, y):
    return abs(x) * abs(x - y) ** 3 + round(x) * (x // 0.7)


def table(x):
    match x > 0.0, x > 2.0:
        case True, True:
            return x**3
        case True, False:
            return x**2
        case _:
            return x


def truth(x, y):
    return x if x * y else y


def with_nan(x):
    if x < 0.0:
        return -x
    if x >= 0.0:
        return x * x
    return 17.0


FUNCTIONS = [
    newton, bisection, collatz, clipped, largest, in_order, by_key, early, factorial, endless, guarded, without_break, chained,
    filtered, found, absolute, table, truth, with_nan,
]  # fmt: skip
POINTS = [-7.5, -1.0, -0.3, 0.0, 0.2, 1.0, 1.5, 2.0, 3.0, 6.0, 17.0]


def arity(f):
    return f.__code__.co_argcount


def points(f):
    if arity(f) == 1:
        chosen = [(x,) for x in [*POINTS, *([nan, inf, -0.0] if f in (clipped, early, with_nan) else [])]]
    else:
        chosen = random.Random(f.__name__).sample(list(itertools.product(POINTS, repeat=arity(f))), 40)
    return [at for at in chosen if at[0] > 0.0 or f not in (newton, bisection)]


def gradient_of_first(f):
    """Value and slope of the first result, all arguments."""

    def first(*args):
        out = f(*args)
        return out[0] if isinstance(out, list) else out

    return value_and_grad(first, tuple(range(arity(f))))


@pytest.mark.filterwarnings("ignore::autograd_lite.errors.GradientWarning", "ignore::autograd_lite.errors.JitWarning")
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_every_path_gives_the_eager_answer(f, order, backend):
    g = gradient_of_first(f) if order else f
    fast = jit(g, backend=backend)
    for at in points(f) * 2:
        assert p.same(fast(*at), p.reference(g)(*at)), at


@given(st.data())
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("f", [clipped, early, chained, in_order, filtered, table, with_nan], ids=lambda f: f.__name__)
def test_paths_may_be_found_in_any_order(f, backend, data):
    fast = jit(f, backend=backend)
    numbers = st.one_of(st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0, nan, inf, -inf]), st.floats(-5.0, 5.0))
    for at in data.draw(st.lists(st.tuples(*[numbers] * arity(f)), min_size=1, max_size=12)):
        assert p.same(fast(*at), p.reference(f)(*at)), at


@pytest.mark.filterwarnings("ignore::autograd_lite.errors.GradientWarning")
def test_branches_inside_higher_orders_and_forward_mode():
    for f in (clipped, early, table):
        for g in (grad(grad(f)), lambda x, f=f: jvp(grad(f), (x,), (2.0,)), grad(grad(grad(f)))):
            fast = jit(g)
            for (x,) in points(f):
                assert p.same(fast(x), p.reference(g)(x)), (f, x)


def test_a_path_is_traced_once():
    runs = []

    def f(x):
        runs.append(1)
        return x if x > 1.0 else -x if x > 0.0 else x * x

    fast = jit(f)
    for x in (3.0, 5.0, -2.0, -3.0, 0.5, 0.25, 7.0, -1.0, 1, 0):
        assert fast(x) == f(x)
    assert len(runs) == 3 + 10


def test_a_branch_that_is_known_when_tracing_is_none():
    def f(x, n):
        total = x
        for i in range(5):
            if i % 2 and Value(3.0) > 2.0:  # of nothing but constants
                total = total * x
        return total + n

    assert jit(f).program(2.0, 1.0).guards == ()


def test_a_branch_on_a_sum_that_is_already_decided_is_asked_once():
    program = jit(lambda x: (x if x > 0.0 else 1.0) * (x if x > 0.0 else 2.0)).program(3.0)
    assert len(program.guards) == 1


@pytest.mark.parametrize("f", [max, min], ids=lambda f: f.__name__)
def test_builtins_themselves(f):
    fast = jit(f)
    for at in itertools.permutations([1.0, 2.0, -3.0]):
        assert fast(*at) == f(at)
    assert jit(functools.partial(f, 0.5))(1.0) == f(0.5, 1.0)
    slope = jit(value_and_grad(lambda x, y: f(x, y) * x, (0, 1)))
    for at in [(1.0, 2.0), (2.0, 1.0), (1.0, 1.0)]:
        assert p.same(slope(*at), p.reference(value_and_grad(lambda x, y: f(x, y) * x, (0, 1)))(*at))


def test_a_jitted_function_that_calls_itself():
    @jit
    def power(x, n):
        return x * power(x, n - 1.0) if n > 0.5 else 1.0

    assert [power(2.0, float(n)) for n in (3, 0, 5, 1)] == [8.0, 1.0, 32.0, 2.0]


def test_long_loops():
    def f(x):
        n = 0
        while x < 1000.0:
            x = x + 1.0
            n += 1
        return x * n

    assert jit(f)(0.5) == f(0.5)
    assert jit(grad(f))(0.5) == 1000.0


# -- guards are exact -------------------------------------------------------------------------------------------------

RELATIONS = {
    "<": lambda x, y: x < y, "<=": lambda x, y: x <= y, ">": lambda x, y: x > y, ">=": lambda x, y: x >= y,
    "==": lambda x, y: x == y, "!=": lambda x, y: x != y, "of a comparison": lambda x, y: gt(2.0, x) > y,
    "bool": lambda x, y: bool(x), "not": lambda x, y: not (x - y), "and": lambda x, y: (x and y) == 1.0,
}  # fmt: skip
EDGES = [0.0, -0.0, 1.0, math.nextafter(1.0, 2.0), -1.0, 5e-324, -5e-324, 1.7e308, inf, -inf, nan]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("relation", RELATIONS)
def test_relations_at_special_values(relation, backend):
    def f(x, y):
        return 1.0 * x if RELATIONS[relation](x, y) else 2.0

    fast, slope = jit(f, backend=backend), jit(grad(f), backend=backend)
    for x, y in itertools.product(EDGES, EDGES):
        assert p.same(fast(x, y), p.reference(f)(x, y)), (x, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", al.errors.GradientWarning)
        for x, y in itertools.product(EDGES, EDGES):
            assert slope(x, y) == (1.0 if RELATIONS[relation](x, y) else 0.0)


def test_numbers_between_two_doubles_are_refused_at_every_call():
    for between, text in ((2**53 + 1, "9007199254740993"), (Fraction(1, 3), r"Fraction\(1, 3\)")):
        for batch in (None, 0):
            fast = jit(lambda x, b=between: al.where(x < b, 1.0, x), batch=batch) if batch is None or p.has("numpy") else None
            if fast is None:
                continue
            with pytest.raises(
                TraceError, match=rf"^{text} in a comparison at test_paths.py:\d+ is no double and lies between two "
            ):
                fast(2.0**54 if batch is None else [2.0**54])


@pytest.mark.parametrize("exact", [2**60, Fraction(1, 4), True, 0])
def test_exact_numbers_of_other_kinds_are_compared(exact):
    fast = jit(lambda x: x if x > exact else -x)
    for x in (float(exact), math.nextafter(float(exact), inf), 3.0, -1.0, 2.0**61):
        assert fast(x) == (x if x > exact else -x)


# -- bounded ----------------------------------------------------------------------------------------------------------


def counter(x, n):
    count = 0
    while count < n:
        count += 1
    return 1.0 / x + count


def test_more_than_64_paths_warn_once_and_stay_right():
    fast = jit(counter)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for n in [*range(70), *range(70)]:
            assert fast(2.0, float(n)) == 0.5 + n
    (warning,) = caught
    line = counter.__code__.co_firstlineno + 2
    assert str(warning.message) == (
        f"jit of counter has traced 64 paths, the last for the branch at test_paths.py:{line}; calls that take other ways run "
        f"as plain Python from now on: compute with where(gt(a, b), ...), maximum or clamp there"
    )
    assert warning.category is JitWarning
    assert warning.filename == __file__


@pytest.mark.filterwarnings("ignore::autograd_lite.errors.JitWarning")
def test_beyond_the_bound_numbers_are_ieee_still():
    fast = jit(counter)
    for n in range(70):
        fast(2.0, float(n))
    assert fast(0.0, 3.0) == fast(0.0, 500.0) == inf
    root = jit(lambda x, n: (counter(1.0, n), (x - 2.0) ** 0.5)[1])
    for n in range(70):
        root(3.0, float(n))
    assert math.isnan(root(1.0, 3.0))
    assert math.isnan(root(1.0, 500.0))


@pytest.mark.filterwarnings("ignore::autograd_lite.errors.JitWarning")
def test_beyond_the_bound_nothing_more_is_compiled_and_known_paths_stay():
    runs = []

    def f(x, n):
        runs.append(n)
        return counter(x, n)

    fast = jit(f)
    for n in range(70):
        fast(1.0, float(n))
    runs.clear()
    fast(1.0, 3.0)
    assert runs == []
    fast(1.0, 300.0)
    assert len(runs) == 1


def test_64_paths_are_no_reason_to_warn():
    fast = jit(counter)
    for n in range(64):
        assert fast(2.0, float(n)) == 0.5 + n
    for n in range(64):  # for arguments of another structure they are counted anew
        assert jit(lambda x: counter(x[0], x[1]))([2.0, float(n)]) == 0.5 + n


# -- functions that are none ------------------------------------------------------------------------------------------


def test_a_branch_that_depends_on_more_than_the_arguments_is_noticed():
    calls = []

    def moody(x):
        calls.append(x)
        limit = 1.0 if len(calls) % 2 else 0.0
        return x if x > limit else -x

    fast = jit(moody)
    assert fast(2.0) == 2.0
    with pytest.warns(
        JitWarning, match=r"^jit of moody: the branch at test_paths.py:\d+ came out differently when .* plain Python"
    ):
        assert fast(0.5) in (0.5, -0.5)
    calls.clear()
    assert fast(0.7) == -0.7


def test_a_function_that_draws_lots_gives_one_of_its_answers():
    lots = random.Random(3)

    def f(x):
        return x if x > lots.random() else -x

    fast = jit(f)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", JitWarning)
        assert {abs(fast(0.5)) for _ in range(50)} == {0.5}


def test_a_path_that_raises_raises_each_time_and_spoils_nothing():
    runs = []

    def f(x):
        runs.append(x)
        if x < 0.0:
            raise ValueError(f"negative, at call {len(runs)}")
        return x * x

    fast = jit(f)
    with pytest.raises(ValueError, match="at call 1"):
        fast(-1.0)
    assert fast(2.0) == 4.0
    with pytest.raises(ValueError, match="at call 3"):
        fast(-1.0)
    with pytest.raises(ValueError, match="at call 4"):
        fast(-1.0)
    assert fast(3.0) == 9.0
    assert len(runs) == 4
    assert Value(1.0).data == 1.0  # nothing is traced any more


def test_after_an_error_in_one_thread_another_may_trace():
    fast = jit(lambda x: x if x > 0.0 else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fast(-1.0)
    results = []
    thread = threading.Thread(target=lambda: results.append(fast(2.0)))
    thread.start()
    thread.join(10.0)
    assert results == [2.0]


def test_threads_find_the_paths_of_one_function_together():
    fast = jit(value_and_grad(lambda x, n: counter(x, n) * x))
    results = {}
    start = threading.Barrier(6)

    def work(k):
        start.wait()
        order = random.Random(k).sample(range(40), 40)
        results[k] = {n: fast(2.0, float(n)) for n in order * 3}

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = {n: (1.0 + 2.0 * n, float(n)) for n in range(40)}
    assert len(results) == 6
    assert all(p.same(list(r[n]), list(wanted[n])) for r in results.values() for n in range(40))
