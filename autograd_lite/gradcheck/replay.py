"""A recorded graph once more in mpmath, its branches frozen: derivatives to as many digits as one likes.

Imports `graph`, `ops` and `errors`; mpmath only when a replay is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import graph
from ..errors import InputTypeError, InputValueError, MissingPackageError
from ..ops import TABLE

DIGITS = 50
ROUNDING_TRIALS = 4
ALLOWANCE = 16.0  # a right derivative may be off by so many times what rounding each node moves it

Forms = Mapping[str, Callable[..., Any]]


class NoReplayError(Exception):
    """Why a graph has no high-precision replay."""


def load_mpmath() -> Any:
    """mpmath, or an error that says how to get it."""
    try:
        import mpmath  # type: ignore[import-untyped]
    except ImportError:
        raise MissingPackageError(
            'reference="mpmath" needs mpmath, which is not installed: pip install "autograd-lite[test]"'
        ) from None
    return mpmath


def smooth_forms(mp: Any) -> dict[str, Callable[..., Any]]:
    """The ops that have no branches, in mpmath, written from their definitions and sharing nothing with the op table."""

    def logistic(x: Any) -> Any:
        return 1 / (1 + mp.exp(-x))

    def weight(i: Any, *items: Any) -> Any:
        return mp.exp(items[int(i)]) / mp.fsum(map(mp.exp, items))

    def sinc(x: Any) -> Any:
        return mp.sinc(mp.pi * x)

    return {
        "identity": lambda x: x, "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y,
        "neg": lambda x: -x, "muldiv": lambda x, y, z: x * y / z, "div": lambda x, y: x / y, "difference": lambda x, y: x - y,
        "square": lambda x: x * x, "sqrt": mp.sqrt, "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)), "exp": mp.exp,
        "exp2": lambda x: mp.mpf(2) ** x, "expm1": mp.expm1, "inverse": lambda x: 1 / x, "log": mp.log,
        "log2": lambda x: mp.log(x, 2), "log10": mp.log10, "log1p": mp.log1p, "sin": mp.sin, "cos": mp.cos, "tan": mp.tan,
        "co_square": lambda x: 1 - x * x, "asin": mp.asin, "acos": mp.acos, "atan": mp.atan,
        "atan_derivative": lambda x: 1 / (1 + x * x), "atan2": mp.atan2, "sinh": mp.sinh, "cosh": mp.cosh, "tanh": mp.tanh,
        "sech2": lambda x: mp.sech(x) ** 2, "asinh": mp.asinh, "acosh": mp.acosh, "atanh": mp.atanh,
        "unit": lambda x, *rest: x / mp.sqrt(mp.fsum(v * v for v in (x, *rest))),
        "hypot": lambda *v: mp.sqrt(mp.fsum(t * t for t in v)),
        "gaussian": lambda x, c: mp.exp(-c * x * x), "erf": mp.erf, "erfc": mp.erfc, "gamma": mp.gamma,
        "lgamma": lambda x: mp.log(abs(mp.gamma(x))), "digamma": mp.digamma, "polygamma": lambda n, x: mp.psi(int(n), x),
        "sinc": sinc, "sinc_derivative": lambda n, x: mp.diff(sinc, x, int(n)), "sigmoid": logistic,
        "sigmoid_derivative": lambda x: logistic(x) * logistic(-x), "log_sigmoid": lambda x: -mp.log1p(mp.exp(-x)),
        "softplus": lambda x: mp.log1p(mp.exp(x)), "gelu": lambda x: x * mp.ncdf(x),
        "gelu_derivative": lambda x: mp.ncdf(x) + x * mp.npdf(x), "silu": lambda x: x * logistic(x),
        "sum": lambda *v: mp.fsum(v), "prod": lambda *v: mp.fprod(v), "mean": lambda *v: mp.fsum(v) / len(v),
        "dot": lambda *v: mp.fdot(v[: len(v) // 2], v[len(v) // 2 :]), "softmax_weight": weight,
        "softmax_rest": lambda i, *v: 1 - weight(i, *v), "log_softmax_weight": lambda i, *v: mp.log(weight(i, *v)),
        "logaddexp": lambda x, y: mp.log(mp.exp(x) + mp.exp(y)), "logsumexp": lambda *v: mp.log(mp.fsum(map(mp.exp, v))),
    }  # fmt: skip


def high_precision_forms(mp: Any) -> dict[str, Callable[..., Any]]:
    """Each op by name as a function ``(floats, out, *arguments)`` in mpmath; floats and out are what the graph recorded.

    They decide every branch, so that the function is smooth: at a kink it is the piece whose slope is the convention's.
    """
    zero, one, half = mp.mpf(0), mp.mpf(1), mp.mpf(1) / 2

    def plain(f: Callable[..., Any]) -> Callable[..., Any]:
        return lambda floats, out, *args: f(*args)

    def constant(floats: Sequence[float], out: float, *args: Any) -> Any:
        return mp.mpf(out)

    def chosen(first: bool, tie: bool, a: Any, b: Any) -> Any:
        return (a + b) * half if tie else a if first else b

    def clamped(floats: Sequence[float], out: float, x: Any, low: Any, high: Any) -> Any:
        at, bottom, top = floats
        if bottom > top:
            return high
        return low if at < bottom else high if at > top else x

    def power(floats: Sequence[float], out: float, x: Any, y: Any) -> Any:
        if x == 0 and y == 0:
            return one
        return x ** int(y) if y == mp.floor(y) and abs(y) < 1e6 else x**y

    def power_derivative(floats: Sequence[float], out: float, x: Any, y: Any, n: Any, k: Any) -> Any:
        return (
            mp.diff(lambda t: mp.ff(t, int(n)) * mp.power(x, t - int(n)), y, int(k)) if k else mp.ff(y, int(n)) * x ** (y - n)
        )

    forms: dict[str, Callable[..., Any]] = {
        "where": lambda f, out, c, a, b: a if f[0] else b,
        "heaviside": lambda f, out, x, h: h if f[0] == 0 else mp.mpf(out),
        "abs": lambda f, out, x: x * mp.sign(f[0]),
        "copysign": lambda f, out, x, y: x * mp.sign(f[0]) * (1 if out >= 0 else -1),
        "maximum": lambda f, out, x, y: chosen(f[0] > f[1], f[0] == f[1], x, y),
        "minimum": lambda f, out, x, y: chosen(f[0] < f[1], f[0] == f[1], x, y),
        "clamp": clamped,
        "mod": lambda f, out, x, y: x - y * mp.mpf(f[0] // f[1]),
        "fmod": lambda f, out, x, y: x - y * mp.nint((mp.mpf(f[0]) - mp.mpf(out)) / mp.mpf(f[1])),
        "relu": lambda f, out, x: x if f[0] > 0 else 0 * x,
        "leaky_relu": lambda f, out, x, slope: x if f[0] > 0 else slope * x,
        "elu": lambda f, out, x, alpha: x if f[0] > 0 else alpha * mp.expm1(x),
        "pow": power,
        "pow_derivative": power_derivative,
    }
    forms |= dict.fromkeys(
        ("zero", "lt", "le", "gt", "ge", "eq", "ne", "sign", "floor", "ceil", "trunc", "round", "floordiv"), constant
    )
    forms |= {name: plain(f) for name, f in smooth_forms(mp).items()}
    forms["stop_gradient"] = lambda f, out, x: zero + f[0]  # a constant, by definition
    return forms


class Replay:
    """The graph between input nodes and one result, as a function in high precision.

    Args:
        root: the result's node; inputs: the input nodes.
        extra: high-precision forms of a user's own ops by name, functions of the arguments alone.

    Raises NoReplayError naming the op that has no form, or a value that is not finite.
    """

    def __init__(self, root: Any, inputs: Sequence[Any], extra: Forms) -> None:
        self.mp = load_mpmath().mp
        forms = high_precision_forms(self.mp)
        for name, form in extra.items():
            forms[name] = lambda floats, out, *args, form=form: form(*args)
        self.root, self.inputs = root, list(inputs)
        self.steps = []
        for node in reversed(graph.order([root], frozenset(self.inputs))):
            op = node.op
            if op.name not in forms or not (op.name in extra or _built_in(op)):
                raise NoReplayError(
                    f"op {op.name} has no high-precision form: "
                    f'give one with reference={{"{op.name}": function of mpmath numbers}}'
                )
            self.steps.append((node, forms[op.name], graph.operands(node), graph.values(node), node._data))

    def __call__(self, shifts: Sequence[Any], wobble: Sequence[Any] | None = None) -> Any:
        """The result with each input moved by a shift, and each step's result scaled by ``1 + wobble``."""
        mp = self.mp
        known = {node: mp.mpf(node._data) + d for node, d in zip(self.inputs, shifts, strict=True)}
        for i, (node, form, args, floats, out) in enumerate(self.steps):
            numbers = [mp.mpf(a) if a.__class__ is float else known[a] if a in known else mp.mpf(a._data) for a in args]
            try:
                value = form(floats, out, *numbers)
            except (ValueError, ArithmeticError, TypeError) as error:
                raise NoReplayError(f"op {node.op.name} cannot be replayed at {floats}: {error}") from None
            if isinstance(value, mp.mpc) or not mp.isfinite(value):
                raise NoReplayError(f"op {node.op.name} is not finite at {floats}")
            known[node] = value * (1 + wobble[i]) if wobble else value
        return known[self.root] if self.root in known else mp.mpf(self.root._data)

    def derivative(self, *directions: Sequence[float]) -> tuple[float, float]:
        """The first or second derivative along one or two directions, and how far rounding each step would move it."""
        import random  # slow to import, and wanted only here

        mp = self.mp
        with mp.workdps(3 * DIGITS):
            exact = self._difference(directions, None)
            draw = random.Random(0)
            moved = mp.mpf(0)
            for _ in range(ROUNDING_TRIALS):
                wobble = [mp.mpf(draw.choice((-1, 1))) * mp.mpf(2) ** -53 for _ in self.steps]
                moved = max(moved, abs(self._difference(directions, wobble) - exact))
            return float(exact), float(moved)

    def _difference(self, directions: Sequence[Sequence[float]], wobble: Sequence[Any] | None) -> Any:
        mp = self.mp
        h = mp.mpf(10) ** -(DIGITS // 2 + 5)
        scale = [abs(mp.mpf(node._data)) or mp.mpf(1) for node in self.inputs]
        h *= min((s for s, *d in zip(scale, *directions, strict=True) if any(d)), default=mp.mpf(1))
        floor = abs(self([0] * len(scale), wobble)) * mp.eps * 10**6  # less than that is the rounding of the replay itself
        if len(directions) == 1:
            (d,) = directions
            rise = self([h * t for t in d], wobble) - self([-h * t for t in d], wobble)
            return rise / (2 * h) if abs(rise) > floor else mp.mpf(0)
        d, e = directions
        total = mp.mpf(0)
        for s, t in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            total += s * t * self([h * (s * a + t * b) for a, b in zip(d, e, strict=True)], wobble)
        return total / (4 * h * h) if abs(total) > floor else mp.mpf(0)


def _built_in(op: Any) -> bool:
    return TABLE.get(op.name) is op


def forms_given(reference: Any) -> Forms | None:
    """The argument `reference` as extra forms; None where no replay is asked for."""
    if reference is None:
        return None
    if isinstance(reference, str):
        if reference != "mpmath":
            raise InputValueError(
                f'reference={reference!r} is not known: give "mpmath", or a dict of mpmath functions by op name'
            )
        return {}
    if isinstance(reference, Mapping) and all(isinstance(k, str) and callable(v) for k, v in reference.items()):
        return reference
    raise InputTypeError(f'reference={reference!r} must be None, "mpmath", or a dict of mpmath functions by op name')
