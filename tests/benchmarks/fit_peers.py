"""`python tests/benchmarks/fit.py peers`: weights, errors, intervals, criteria and bands beside statsmodels, SciPy and lmfit.

Ten tables that ship with scikit-learn and statsmodels.  What agrees to 6 digits is counted, and what does not is printed.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from autograd_lite.fit import fit  # noqa: E402

DIGITS = 6


def tables() -> Iterator[tuple[str, dict[str, Any], str]]:
    """Ten tables: their names, columns and the column to predict."""
    import statsmodels.api as sm
    from sklearn import datasets

    for name, load in (("diabetes", datasets.load_diabetes), ("iris", datasets.load_iris), ("wine", datasets.load_wine)):
        found = load()
        columns = {f"x{i}": found.data[:, i].astype(float) for i in range(3 if name == "iris" else 6)}
        yield name, {**columns, "y": (found.data[:, 3] if name == "iris" else found.target).astype(float)}, "y"
    wanted = {
        "longley": "TOTEMP", "stackloss": "STACKLOSS", "star98": "NABOVE", "ccard": "AVGEXP", "engel": "foodexp",
        "scotland": "YES", "fair": "affairs",
    }  # fmt: skip
    for name, target in wanted.items():
        frame = getattr(sm.datasets, name).load_pandas().data
        numbers = [c for c in frame.columns if c != target and frame[c].dtype.kind in "fiu"][:5]
        yield (
            name,
            {**{f"x{i}": frame[c].to_numpy(float) for i, c in enumerate(numbers)}, "y": frame[target].to_numpy(float)},
            "y",
        )


def agreeing(ours: Any, theirs: Any) -> float:
    """How many digits of the worst number agree."""
    a, b = np.asarray(ours, dtype=float).ravel(), np.asarray(theirs, dtype=float).ravel()
    off = np.max(abs(a - b) / np.maximum(abs(b), 1e-300))
    return 16.0 if off == 0 else min(16.0, -math.log10(off)) if math.isfinite(off) else 0.0


def comparisons(columns: dict[str, Any], target: str) -> Iterator[tuple[str, Any, Any]]:
    """What we and the peers say of the same table, by name."""
    import statsmodels.api as sm
    from scipy import optimize

    names = [n for n in columns if n != target]
    y = columns[target]
    design = np.column_stack([np.ones(len(y)), *(columns[n] for n in names)])
    weights = ["b", *(f"w_{n}" for n in names)]
    formula = " + ".join(["b", *(f"w_{n}*{n}" for n in names)])

    def ours(found: Any) -> tuple[list[float], list[float]]:
        return [found.params[w] for w in weights], [found.stderr[w] for w in weights]

    found, model = fit(formula, columns, target=target), sm.OLS(y, design).fit()
    params, errors = ours(found)
    yield "weights", params, model.params
    yield "errors", errors, model.bse
    yield "intervals", [[found.low[w], found.high[w]] for w in weights], model.conf_int()
    total = found.summary
    yield "AIC, BIC", [total.aic, total.bic], [model.aic, model.bic]
    yield "R², adjusted", [total.r2, total.adjusted], [model.rsquared, model.rsquared_adj]
    bands = found.predict({n: columns[n][:20] for n in names}, interval=0.9)
    frame = model.get_prediction(design[:20]).summary_frame(alpha=0.1)
    yield "band, mean", [bands.low, bands.high], [frame.mean_ci_lower, frame.mean_ci_upper]
    yield "band, new", [bands.obs_low, bands.obs_high], [frame.obs_ci_lower, frame.obs_ci_upper]
    w = 1 + np.arange(len(y)) % 3
    found, model = fit(formula, {**columns, "w": w * 1.0}, target=target, weights="w"), sm.WLS(y, design, weights=w).fit()
    yield "weighted: weights, errors", ours(found), [model.params, model.bse]
    found = fit(formula, columns, target=target, loss="huber")
    model = sm.RLM(y, design, M=sm.robust.norms.HuberT()).fit(maxiter=2000, tol=1e-13)
    yield "huber, estimated: weights", ours(found)[0], model.params
    yield "huber, estimated: errors", ours(found)[1], model.bse
    yield "huber, estimated: intervals", [[found.low[w], found.high[w]] for w in weights], model.conf_int()
    bands = found.predict({n: columns[n][:20] for n in names}, interval=0.9)
    yield "huber, estimated: band, mean", np.transpose([bands.low, bands.high]), model.t_test(design[:20]).conf_int(alpha=0.1)
    found = fit(formula, columns, target=target, loss="mae")
    model = sm.QuantReg(y, design).fit(q=0.5, max_iter=20_000, p_tol=1e-13)
    yield "mae: cost, not above QuantReg's", max(0.0, found.loss * len(y) / abs(model.resid).sum() - 1), 0.0
    # QuantReg stops short of the corner on most: its errors at ours, where its start, ones, is the end
    q, r = np.linalg.qr(design)
    along = r @ ours(found)[0]
    back = np.linalg.inv(r) * along
    model = sm.QuantReg(y, q * along).fit(q=0.5, max_iter=0)
    yield "mae: errors, QuantReg's at our weights", ours(found)[1], np.sqrt(np.diag(back @ model.cov_params() @ back.T))
    size = np.linalg.norm(design, axis=0)
    for loss in ("huber", "soft_l1", "cauchy"):
        scale = float(np.median(abs(y - np.median(y)))) or 1.0
        found = fit(formula, columns, target=target, loss=loss, scale=scale)
        start = sm.OLS(y, design).fit().params * size
        close = {"xtol": 3e-16, "ftol": 3e-16, "gtol": 3e-16, "max_nfev": 5000}
        peer = optimize.least_squares(lambda p: design / size @ p - y, start, loss=loss, f_scale=scale, **close)
        yield f"{loss}, given: cost", found.loss * len(y), peer.cost
    above = (y > np.median(y)) * 1.0
    found = fit(formula, {**columns, target: above}, target=target, loss="logistic")
    try:
        model = sm.Logit(above, design).fit(disp=0, maxiter=500, tol=1e-14)
    except Exception as error:  # a perfect separation
        yield f"logistic: {type(error).__name__}", 0.0, 0.0 if not found.converged else 1.0
        return
    if not found.converged:
        yield "logistic: not converged, nor Logit", 0.0, float(model.mle_retvals["converged"])
        return
    yield "logistic: weights, errors", ours(found), [model.params, model.bse]
    total = found.summary
    yield "logistic: AIC, BIC, McFadden", [total.aic, total.bic, total.r2], [model.aic, model.bic, model.prsquared]


def lmfit_errors(columns: dict[str, Any], target: str) -> tuple[Any, Any] | None:
    """Standard errors of a curve beside lmfit's, which come from differences."""
    try:
        import lmfit
    except ImportError:
        return None
    x, y = columns["x0"], columns[target]
    width, middle = float(np.ptp(x)), float(np.mean(x))
    found = fit("a + b*x0 + c*x0**2", {"x0": (x - middle) / width, target: y}, target=target)
    model = lmfit.models.QuadraticModel()
    done = model.fit(y, model.make_params(a=0.1, b=0.1, c=0.1), x=(x - middle) / width)
    return [found.stderr[n] for n in "abc"], [done.params[n].stderr for n in "cba"]


def peers() -> None:
    """Print the table."""
    import statsmodels.api  # noqa: F401  which asks for warnings

    warnings.simplefilter("ignore")
    agreed: dict[str, list[float]] = {}
    said: list[str] = []
    for name, columns, target in tables():
        found: list[tuple[str, Any, Any]] = list(comparisons(columns, target))
        curve = lmfit_errors(columns, target)
        if curve:
            found.append(("lmfit: errors of a parabola", *curve))
        for what, ours, theirs in found:
            got = agreeing(ours, theirs)
            agreed.setdefault(what, []).append(got)
            if got < DIGITS:
                said.append(f"{name}: {what} agree to {got:.1f} digits")
    print(f"ten tables of scikit-learn and statsmodels; agreeing to {DIGITS} digits\n")
    for what, got in agreed.items():
        print(f"{what:60}{sum(x >= DIGITS for x in got):>4} of {len(got):<4}fewest digits {min(got):.1f}")
    print("\n".join(["", *said]))
