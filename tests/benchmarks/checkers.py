"""How many wrong derivatives checkers catch, and how many right ones they reject: `python tests/benchmarks/checkers.py`.

Each case is a float -> float function, a point and its true derivative, worked out by mpmath: every op of the table at orders 1
and 2 (of order 2 the function is the op's own partial), and functions that are hard to difference.  Each checker gets the right
derivative and six wrong ones: off by a factor of 1 + 1e-3, 1 + 1e-5, 1 + 1e-7, with the sign flipped, 0 (a dropped edge), and
doubled (accumulated twice).  A wrong one counts as caught where the checker says it is wrong; a verdict of "inconclusive" or
"weak" is no catch and no rejection, and is counted in columns of its own (verdicts on the right derivative).  A checker that
rejects the right derivative of a function rejects the wrong ones too, so read what it caught beside what it rejected.

All checkers see the same points in one run, each through its own code:
- torch: `torch.autograd.gradcheck` on an `autograd.Function` of f with the derivative as backward (eps=1e-6, atol=1e-5,
  rtol=1e-3);
- JAX: `jax.test_util.check_vjp`, which `check_grads` calls for "rev", in float64 with its defaults (eps=1e-4, atol=rtol=1e-5);
- autograd: `autograd.test_util.check_grads` on a `primitive` of f with `defvjp` (eps=1e-6, tolerance 1e-6).
Peers that are not installed are left out: `pip install .[bench]` brings them.  `--own` leaves them all out, `-v` lists the
right derivatives that were rejected.  At the end `checker_draws` checks drawn calls of every op, `--draws 3000` of them for
`--seconds 120` at most; `--draws 0` leaves that out.
"""

from __future__ import annotations

import importlib.util
import math
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import Any, NamedTuple

from mpmath import mp, mpf

from autograd_lite.gradcheck.verdict import judge
from autograd_lite.numerical.derivative import numerical_derivative
from autograd_lite.ops import TABLE, Op

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks import checker_draws
from tests.ops import reference

RTOL = 1e-8
FAULTS: dict[str, Callable[[float], float]] = {
    "1 + 1e-3": lambda d: d * (1 + 1e-3),
    "1 + 1e-5": lambda d: d * (1 + 1e-5),
    "1 + 1e-7": lambda d: d * (1 + 1e-7),
    "sign": lambda d: -d,
    "dropped": lambda d: 0.0,
    "doubled": lambda d: 2.0 * d,
}


class Case(NamedTuple):
    """A function of one float, where, and its true derivative there."""

    family: str
    name: str
    f: Callable[[float], float]
    x: float
    truth: float


# -- the ops of the table ---------------------------------------------------------------------------------------------

PER_OP = 4
NO_DERIVATIVE = {"stop_gradient"}  # whose gradient is 0 by definition


def points_of(op: Op, draw: random.Random) -> Iterator[tuple[float, ...]]:
    """Points in the domain of an op: moderate ones, and every other time one coordinate tiny, large or near an end."""
    selectors = reference.SELECTORS.get(op.name, {})
    intervals = reference.intervals(op)
    made = tries = 0
    while made < PER_OP and tries < 200:
        tries += 1
        at = []
        for i, interval in enumerate(intervals):
            low, high = max(interval.low, -3.0), min(interval.high, 3.0) if interval.low <= 1.0 else 6.0
            x = draw.uniform(low, high)
            if made % 2 and draw.random() < 0.5:
                d = 10.0 ** draw.uniform(-6.0, -2.0)
                x = draw.choice([low + d if low == interval.low else d, high - d if high == interval.high else 10.0 * x])
            at.append(draw.choice(selectors[i]) if i in selectors else x)
        if reference.usable(op, at):
            made += 1
            yield tuple(at)


def op_cases() -> Iterator[Case]:
    """Every partial of every op, and every derivative of every partial."""
    draw = random.Random(1)
    for op in TABLE.values():
        if op.name in NO_DERIVATIVE:
            continue
        for at in points_of(op, draw):
            n, variables = len(at), reference.variables(op)
            for i in variables:
                unit = [int(j == i) for j in range(n)]
                yield Case("ops, order 1", op.name, along(op.forward, at, i), at[i], true(op, at, unit))
                for k in variables:

                    def partial(*args: float, op: Op = op, i: int = i) -> float:
                        return float(op.partial(i, args, op.forward(*args)))

                    both = [u + int(j == k) for j, u in enumerate(unit)]
                    yield Case("ops, order 2", f"{op.name}'", along(partial, at, k), at[k], true(op, at, both))


def along(f: Callable[..., float], at: tuple[float, ...], i: int) -> Callable[[float], float]:
    return lambda x: f(*at[:i], x, *at[i + 1 :])


def true(op: Op, at: tuple[float, ...], orders: list[int]) -> float:
    with mp.workdps(reference.DIGITS):
        truth = reference.derivative(reference.exactly(op, at), [mpf(x) for x in at], orders)
        return float(truth) if abs(truth) > 1e-245 else 0.0  # less is what rounding leaves of 0


# -- hard functions ---------------------------------------------------------------------------------------------------

FLOATS = SimpleNamespace(
    **{name: getattr(math, name) for name in ("sin", "cos", "tan", "exp", "log", "sqrt", "atan", "erf", "tanh", "asin", "gamma",
                                             "expm1", "log1p", "sinh", "cosh", "acos", "atanh")},
    abs=abs, max=max, pi=math.pi,
)  # fmt: skip
EXACT = SimpleNamespace(
    **{name: getattr(mp, name) for name in ("sin", "cos", "tan", "exp", "log", "sqrt", "atan", "erf", "tanh", "asin", "gamma",
                                           "expm1", "log1p", "sinh", "cosh", "acos", "atanh")},
    abs=abs, max=max, pi=math.pi,
)  # fmt: skip


def hash_noise(x: float) -> float:
    """A value in [-1, 1] that looks random and is the same at the same x."""
    return random.Random(x.hex()).uniform(-1.0, 1.0)


def hard_functions() -> Iterator[tuple[str, Callable[[Any, Any], Any], list[float]]]:
    """Functions of (library, x), and where to differentiate them."""
    near = [10.0**-k for k in (2, 4, 6, 8, 10, 12)]
    for w in (1e1, 1e2, 1e3, 1e4, 1e6, 1e8):  # oscillating
        yield f"sin({w:g}x)", lambda m, x, w=w: m.sin(w * x), [0.3, 1.0, 2.7, 1e-3, 13.7]
        yield f"x²cos({w:g}x)", lambda m, x, w=w: x * x * m.cos(w * x), [0.3, 1.0, 2.7]
        yield f"exp(sin({w:g}x))", lambda m, x, w=w: m.exp(m.sin(w * x)), [0.7, 1.9]
        yield f"sin({w:g}x)/{w:g} + x", lambda m, x, w=w: m.sin(w * x) / w + x, [0.3, 1.1]
    yield "sin(1/x)", lambda m, x: m.sin(1 / x), [0.5, 0.1, 0.01, 1e-3, 1e-4]
    yield "sin x", lambda m, x: m.sin(x), [10.0**k + 0.3 for k in range(2, 13)]
    yield "cos(x²)", lambda m, x: m.cos(x * x), [3.0, 30.0, 300.0, 3e3]
    yield "tan x", lambda m, x: m.tan(x), [math.pi / 2 - d for d in near]  # near singularities
    yield "1/x", lambda m, x: 1 / x, [*near, *(-d for d in near)]
    yield "1/x²", lambda m, x: 1 / x**2, near
    yield "log x", lambda m, x: m.log(x), [*near, 1e-30, 1e-100]
    yield "sqrt x", lambda m, x: m.sqrt(x), [*near, 1e-30]
    yield "x log x", lambda m, x: x * m.log(x), near
    yield "sqrt(1 - x)", lambda m, x: m.sqrt(1 - x), [1 - d for d in near]
    yield "asin", lambda m, x: m.asin(x), [1 - d for d in near]
    yield "acos", lambda m, x: m.acos(x), [d - 1 for d in near]
    yield "atanh", lambda m, x: m.atanh(x), [1 - d for d in near]
    yield "log(1 - x)", lambda m, x: m.log(1 - x), [1 - d for d in near]
    yield "1/(1 - x)", lambda m, x: 1 / (1 - x), [1 - d for d in near]
    yield "gamma", lambda m, x: m.gamma(x), [d - 1 for d in near[:5]] + near[:5] + [50.0, 150.0]
    yield "exp(-1/x)", lambda m, x: m.exp(-1 / x), [0.5, 0.1, 0.03, 0.01, 0.003]
    for e in (1e-1, 1e-2, 1e-3, 1e-4, 1e-6):  # steps and peaks of width e
        yield f"atan(x/{e:g})", lambda m, x, e=e: m.atan((x - 1) / e), [1.0 + e / 3, 1.0 + 3 * e, 1.2]
        yield f"tanh(x/{e:g})", lambda m, x, e=e: m.tanh((x - 1) / e), [1.0 + e / 3, 1.0 + 3 * e]
        yield f"1/(x² + {e:g}²)", lambda m, x, e=e: 1 / ((x - 1) ** 2 + e * e), [1.0 + e / 3, 1.0 + 3 * e, 1.3]
        yield f"exp(-(x/{e:g})²)", lambda m, x, e=e: m.exp(-(((x - 1) / e) ** 2)), [1.0 + e / 3, 1.0 + 2 * e]
        yield f"sqrt(x² + {e:g}²)", lambda m, x, e=e: m.sqrt((x - 1) ** 2 + e * e), [1.0 + e / 3, 1.0 + 3 * e, 1.3]
    for s in (1e-100, 1e-20, 1e-12, 1e-6, 1e6, 1e12, 1e20, 1e100):  # scales of the value
        yield f"{s:g} sin x", lambda m, x, s=s: s * m.sin(x), [0.3, 2.0]
        yield f"{s:g} exp(-x²)", lambda m, x, s=s: s * m.exp(-x * x), [0.5, 3.0]
    for s in (1e-100, 1e-20, 1e-8, 1e8, 1e20, 1e100):  # scales of the argument
        yield f"sin(x / {s:g})", lambda m, x, s=s: m.sin(x / s), [0.3 * s, 2.0 * s]
        yield f"x³ near {s:g}", lambda m, x: x * x * x, [0.7 * s, -3.0 * s]
        yield f"exp(x / {s:g})", lambda m, x, s=s: m.exp(x / s), [0.3 * s, -5.0 * s]
        yield f"log near {s:g}", lambda m, x: m.log(x), [s, 5 * s]
    yield "exp", lambda m, x: m.exp(x), [-700.0, -300.0, -30.0, -1e-9, 1e-9, 30.0, 300.0, 700.0]
    yield "erf", lambda m, x: m.erf(x), [0.1, 2.0, 4.0, 5.0]
    yield "tanh", lambda m, x: m.tanh(x), [1e-9, 5.0, 10.0, 15.0]
    yield "x^20", lambda m, x: x**20, [0.1, 1.0, 10.0, 1000.0]
    yield "expm1", lambda m, x: m.expm1(x), [1e-12, 1e-6, 0.1]
    yield "log1p", lambda m, x: m.log1p(x), [1e-12, 1e-6, 0.1]
    yield "1e8 + x", lambda m, x: 1e8 + m.sin(x), [0.3, 1.0, 2.0]  # little on top of much
    yield "1e4 + x", lambda m, x: 1e4 + m.sin(x), [0.3, 1.0, 2.0]
    yield "(1 - cos x)/x²", lambda m, x: (1 - m.cos(x)) / x**2, [1.0, 0.1, 0.01, 1e-3, 1e-4]  # noisy by cancellation
    yield "(exp x - 1)/x", lambda m, x: (m.exp(x) - 1) / x, [1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-6]
    yield (
        "(x - 1)^7",
        lambda m, x: x**7 - 7 * x**6 + 21 * x**5 - 35 * x**4 + 35 * x**3 - 21 * x**2 + 7 * x - 1,
        [1.2, 1.5, 2.0, 0.5],
    )
    yield "log(cosh)", lambda m, x: m.log(m.cosh(x)), [0.01, 1.0, 20.0, 300.0]
    yield "sqrt(1 + x²) - 1", lambda m, x: m.sqrt(1 + x * x) - 1, [1e-4, 1e-2, 1.0, 1e4]
    for d in (1e-1, 1e-2, 1e-3, 1e-5, 1e-7, 1e-9):  # kinks nearby
        yield f"|x - a|, {d:g} off", lambda m, x, d=d: m.abs(x - (1 + d)) + m.sin(x), [1.0, 1.0 + 2 * d]
        yield f"max(x, a)², {d:g} off", lambda m, x, d=d: m.max(x, 0.5 + d) * x, [0.5, 0.5 + 3 * d]
        yield f"x|x - a|, {d:g} off", lambda m, x, d=d: x * m.abs(x - (2 - d)), [2.0]
        yield f"|x - a|^1.5, {d:g} off", lambda m, x, d=d: m.sqrt(m.abs(x - (1 + d))) ** 3 + x, [1.0]
        yield f"exp + step, {d:g} off", lambda m, x, d=d: m.exp(x) + (1 if x > 0.7 + d else 0), [0.7]


def hard_cases() -> Iterator[Case]:
    """The hard functions as they compute, and some of them with noise added."""
    for name, f, xs in hard_functions():
        for x in xs:
            with mp.workdps(80):
                try:
                    h = mpf(2) ** -120 * (abs(mpf(x)) or 1)
                    truth = (
                        float((f(EXACT, mpf(x) + h) - f(EXACT, mpf(x) - h)) / (2 * h))
                        if math.isfinite(f(FLOATS, x))
                        else math.nan
                    )
                except (OverflowError, ZeroDivisionError, ValueError):
                    continue
            if math.isfinite(truth):
                yield Case("hard functions", name, lambda x, f=f: f(FLOATS, x), x, truth)
    for level in (1e-13, 1e-11, 1e-9):
        for name, f, truth in (
            ("sin", math.sin, math.cos),
            ("exp", math.exp, math.exp),
            ("atan", math.atan, lambda x: 1 / (1 + x * x)),
            ("x³", lambda x: x**3, lambda x: 3 * x * x),
        ):
            for x in (0.7, 1.3, 2.9):
                noisy = lambda t, f=f, level=level: f(t) + level * hash_noise(t)  # noqa: E731
                yield Case("noisy functions", f"{name} ± {level:g}", noisy, x, truth(x))


# -- the checkers -----------------------------------------------------------------------------------------------------

Verdicts = Callable[[Case, list[float]], list[str]]


def ours(fast: bool) -> Verdicts:
    def verdicts(case: Case, derivatives: list[float]) -> list[str]:
        found = numerical_derivative(case.f, case.x, fast=fast)
        return [judge(d, found, RTOL).verdict for d in derivatives]

    return verdicts


def quiet(f: Callable[[float], float]) -> Callable[[float], float]:
    """f with what it cannot compute as nan, as array libraries have it."""

    def safe(x: float) -> float:
        try:
            return float(f(x))
        except (ArithmeticError, ValueError):
            return math.nan

    return safe


def each(check: Callable[[Callable[[float], float], float, float], bool]) -> Verdicts:
    """A checker that answers yes or no, asked about each derivative in turn."""

    def verdicts(case: Case, derivatives: list[float]) -> list[str]:
        return ["pass" if check(quiet(case.f), case.x, d) else "fail" for d in derivatives]

    return verdicts


def torch_rule() -> Verdicts:
    import torch

    def check(f: Callable[[float], float], x: float, d: float) -> bool:
        class Given(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, t: Any) -> Any:
                return torch.tensor(f(float(t)), dtype=torch.float64)

            @staticmethod
            def backward(ctx: Any, g: Any) -> Any:
                return g * d

        at = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        return bool(torch.autograd.gradcheck(Given.apply, (at,), raise_exception=False))

    return each(check)


def jax_rule() -> Verdicts:
    import jax
    import numpy as np
    from jax.test_util import check_vjp

    jax.config.update("jax_enable_x64", True)

    def check(f: Callable[[float], float], x: float, d: float) -> bool:
        def on_numpy(t: Any) -> Any:
            return np.float64(f(float(t)))

        try:
            check_vjp(on_numpy, lambda t: (on_numpy(t), lambda g: (np.float64(g * d),)), (np.float64(x),))
        except AssertionError:
            return False
        return True

    return each(check)


def autograd_rule() -> Verdicts:
    import numpy as np
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    def check(f: Callable[[float], float], x: float, d: float) -> bool:
        given = primitive(lambda t: f(float(t)))
        defvjp(given, lambda out, t: lambda g: g * d)
        np.random.seed(0)
        try:
            check_grads(given, modes=["rev"], order=1)(x)
        except AssertionError:
            return False
        return True

    return each(check)


PEERS = {"torch": torch_rule, "jax": jax_rule, "autograd": autograd_rule}


def option(name: str, otherwise: int) -> int:
    return int(sys.argv[sys.argv.index(name) + 1]) if name in sys.argv else otherwise


def main() -> None:
    warnings.simplefilter("ignore")
    started = perf_counter()
    cases = [*op_cases(), *hard_cases()]
    print(f"{len(cases)} partial derivatives, worked out by mpmath in {perf_counter() - started:.0f} s\n")
    checkers = {"autograd_lite": ours(False), "... fast=True": ours(True)}
    checkers |= {
        name: rule()
        for name, rule in ({} if "--own" in sys.argv else PEERS).items()
        if importlib.util.find_spec(name) is not None
    }
    head = (
        f"{'':16}{'right ones':>12}" + "".join(f"{name:>10}" for name in FAULTS) + f"{'weak':>8}{'inconcl.':>10}{'ms each':>9}"
    )
    for family in dict.fromkeys(case.family for case in cases):
        chosen = [case for case in cases if case.family == family]
        faulty = sum(case.truth != 0.0 for case in chosen)
        print(f"{family}: {len(chosen)} right derivatives; {faulty} are not 0 and were made wrong in six ways")
        print(head.replace("right ones", "rejected"))
        for name, verdicts in checkers.items():
            rejected = weak = unsure = 0
            caught = dict.fromkeys(FAULTS, 0)
            began = perf_counter()
            for case in chosen:
                faults = FAULTS if case.truth else {}
                right, *wrong = verdicts(case, [case.truth, *(fault(case.truth) for fault in faults.values())])
                rejected += right == "fail"
                if right == "fail" and name == "autograd_lite" and "-v" in sys.argv:
                    print("   rejected:", case.name, case.x, case.truth, numerical_derivative(case.f, case.x))
                weak += right == "weak"
                unsure += right == "inconclusive"
                for fault, verdict in zip(faults, wrong, strict=True):
                    caught[fault] += verdict == "fail"
            shares = "".join(f"{100 * n / max(faulty, 1):>9.1f}%" for n in caught.values())
            time = 1e3 * (perf_counter() - began) / len(chosen)
            print(f"{name:16}{rejected:>12}{shares}{weak:>8}{unsure:>10}{time:>9.2f}")
        print()
    if draws := option("--draws", 3000):
        checker_draws.run(draws, option("--seconds", 120), 1)


if __name__ == "__main__":
    main()
