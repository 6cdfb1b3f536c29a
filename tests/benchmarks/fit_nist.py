"""`python tests/benchmarks/fit.py nist`: NIST's 27 nonlinear problems through the command line, and through the peers' fits.

Each data set from both published starts, and without any start by two seeds; how many weights and standard errors have 6 and
8 of the certified digits, and whether a run that says "converged" was ever wrong.  Without a start a formula in which
exponentials may change places is right in any order of them.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.fit.nist import FORMULAS, Problem, digits, problem  # noqa: E402

# weights that may change places without changing the formula
ALIKE = {
    **{f"Lanczos{i}": [("b1", "b2"), ("b3", "b4"), ("b5", "b6")] for i in (1, 2, 3)},
    "MGH17": [("b2", "b4"), ("b3", "b5")],
    **{f"Gauss{i}": [("b3", "b4", "b5"), ("b6", "b7", "b8")] for i in (1, 2, 3)},
    "ENSO": [("b4", "b5", "b6"), ("b7", "b8", "b9")],
}
Found = tuple[dict[str, float], dict[str, float], bool]


def command(p: Problem, folder: Path, *options: str) -> Found:
    """Weights, standard errors and whether it converged, as `autograd-lite fit --json` prints them."""
    path = folder / f"{p.name}.csv"
    path.write_text(p.csv(), encoding="utf-8")
    run = [sys.executable, "-m", "autograd_lite", "fit", str(path), p.formula, "--target", p.target, "--json", *options]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    if not done.stdout:
        return {}, {}, False
    said = json.loads(done.stdout)
    nan = float("nan")
    weights, errors = ({n: nan if w[key] is None else w[key] for n, w in said["params"].items()} for key in ("value", "stderr"))
    return weights, errors, said["converged"]


def orders(name: str) -> list[dict[str, str]]:
    """The ways to rename the weights that leave the formula as it is."""
    groups = ALIKE.get(name, [])
    return [
        {old: new for a, b in zip(groups, other, strict=True) for old, new in zip(a, b, strict=True)}
        for other in itertools.permutations(groups)
    ]


def agreement(p: Problem, found: Found) -> tuple[float, float]:
    """Digits of the weight, and of the standard error, with the fewest; in the order of the terms that has most."""
    weights, errors, _ = found
    if not weights:
        return 0.0, 0.0

    def fewest(got: dict[str, float], wanted: dict[str, float], names: dict[str, str], sign: bool) -> float:
        pairs = [(got.get(n, float("nan")), wanted[names.get(n, n)]) for n in wanted]
        # the width of a bell, and the sign of what is squared, may be either
        return min(max(digits(x, y), digits(-x, y) if sign else 0.0) for x, y in pairs)

    bells = p.name.startswith(("Gauss", "Eckerle"))
    return max((fewest(weights, p.weights, n, bells), fewest(errors, p.errors, n, False)) for n in orders(p.name))


def peers() -> dict[str, Callable[[Problem, dict[str, float]], Found]]:
    """The fits of SciPy and lmfit as their users call them, where they are installed."""
    found: dict[str, Callable[[Problem, dict[str, float]], Found]] = {}
    if importlib.util.find_spec("scipy"):
        found["curve_fit"] = _curve_fit
    if importlib.util.find_spec("lmfit"):
        found["lmfit"] = _lmfit
    return found


def _model(p: Problem) -> tuple[Callable[..., Any], Any]:
    import numpy as np

    names = {"exp": np.exp, "cos": np.cos, "sin": np.sin, "atan": np.arctan, "pi": np.pi, "log": np.log}
    code, target = (compile(text, p.name, "eval") for text in (p.formula, p.target))
    columns = {name: np.array(column) for name, column in p.columns.items()}

    def f(_: Any, *weights: float) -> Any:
        return eval(code, {**names, **columns, **dict(zip(p.weights, weights, strict=True))})

    return f, eval(target, {**names, **columns})


def _curve_fit(p: Problem, start: dict[str, float]) -> Found:
    import numpy as np
    from scipy.optimize import curve_fit

    f, y = _model(p)
    try:
        best, covariance = curve_fit(f, None, y, p0=list(start.values()), maxfev=100_000)
    except (RuntimeError, ValueError, TypeError):
        return {}, {}, False
    errors = np.sqrt(np.diag(covariance)).tolist()
    return dict(zip(p.weights, best.tolist(), strict=True)), dict(zip(p.weights, errors, strict=True)), True


def _lmfit(p: Problem, start: dict[str, float]) -> Found:
    import lmfit

    f, y = _model(p)
    given = lmfit.Parameters()
    for name, x in start.items():
        given.add(name, x)
    try:
        done = lmfit.minimize(lambda w: f(None, *w.valuesdict().values()) - y, given)
    except (ValueError, TypeError):
        return {}, {}, False
    errors = {n: w.stderr if w.stderr is not None else float("nan") for n, w in done.params.items()}
    return dict(done.params.valuesdict()), errors, bool(done.success)


def nist() -> None:
    """Print the table."""
    rows: dict[str, list[tuple[float, float, bool]]] = {}

    def note(who: str, p: Problem, found: Found) -> None:
        rows.setdefault(who, []).append((*agreement(p, found), found[2]))

    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(name)
        for p in map(problem, FORMULAS):
            for start in p.starts:
                given = [option for n, x in start.items() for option in ("--init", f"{n}={x!r}")]
                note("autograd-lite fit", p, command(p, folder, *given))
                for who, run in peers().items():
                    note(who, p, run(p, start))
            for seed in ("0", "1"):
                note("autograd-lite fit, no start", p, command(p, folder, "--seed", seed))
    print("27 data sets of NIST's Statistical Reference Datasets, twice each\n")
    print(f"{'':28}{'6 digits':>10}{'8 digits':>10}{'6 of errors':>13}{'converged':>11}{'and wrong':>11}")
    for who, found in rows.items():
        counts = [
            sum(w >= 6 for w, _, _ in found), sum(w >= 8 for w, _, _ in found), sum(w >= 6 and e >= 6 for w, e, _ in found),
            sum(c for *_, c in found), sum(c and w < 4 for w, _, c in found),
        ]  # fmt: skip
        print(f"{who:28}{counts[0]:>10}{counts[1]:>10}{counts[2]:>13}{counts[3]:>11}{counts[4]:>11}")
