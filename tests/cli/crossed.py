"""Options of `fit` in pairs: what each asks for, and whether a fit with two of them is the one that they ask for.

`python -m tests.cli.crossed` tries all pairs, `test_crossed.py` some.  What a pair asks for is worked out here in NumPy and
minimised by SciPy; the library's own answer may not be worse, and its loss and standard errors have to belong to it.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.cli.command import invoke

ROWS = 60
SITES = ("A", "B", "C")
LOSSES = ("mae", "huber", "soft_l1", "cauchy", "logistic", "poisson")
# each with the words of the command line, and what it changes of the job
OPTIONS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "": ((), {}),
    **{f"loss {loss}": (("--loss", loss), {"loss": loss}) for loss in LOSSES},
    "scale": (("--scale", "0.7"), {"scale": 0.7}),
    **{f"method {method}": (("--method", method), {"method": method}) for method in ("lm", "newton", "lbfgs", "adam")},
    "descent": (("--lr", "0.01", "--steps", "50"), {"method": "adam"}),
    "bounds active": (("--bounds", "a=:0.9"), {"bounds": {"a": (-math.inf, 0.9)}}),
    "bounds wide": (("--bounds", "b=-50:50"), {}),
    "fix": (("--fix", "b=0.5"), {"fixed": {"b": 0.5}}),
    "sigma": (("--sigma", "s"), {"sigma": True}),
    "absolute": (("--sigma", "s", "--absolute"), {"sigma": True, "absolute": True}),
    "weights": (("--weights", "w"), {"weights": True}),
    "where": (("--where", "x > 1"), {"where": lambda t: t["x"] > 1}),
    "where words": (("--where", 'is(site, "B") == 0'), {"where": lambda t: t["site"] != "B"}),
    "groups": ((), {"groups": True}),
    "group": (("--group", "site"), {"groups": True, "named": True}),
    "is": ((), {"is": True}),
    "target formula": ((), {"log": True}),
    "drop-missing": (("--drop-missing",), {"missing": True}),
    "json": ((), {}),
    "save": (("--save", "w.json"), {"saved": True}),
    "every": (("--every", "1"), {}),
    "checkpoint": (("--checkpoint", "c.json"), {}),
    "starts": (("--starts", "3", "--seed", "1"), {}),
    "init": (("--init", "a=2"), {}),
    "holdout": (("--holdout", "0.2"), {"holdout": True}),
    "memory": (("--memory", "1"), {}),
    "plot": (("--plot", "p.svg"), {"written": "p.svg"}),
    "page": (("--page", "p.html"), {"written": "p.html"}),
}


def table(missing: bool) -> dict[str, Any]:
    """The columns: a line with noise, that line above zero, as zeros and ones, and as counts."""
    draw = np.random.default_rng(5)
    x, place = draw.uniform(0, 3, ROWS), draw.integers(0, 3, ROWS)
    line = 1.2 * x + np.array([0.3, 0.8, 1.4])[place]
    columns = {
        "x": x, "site": np.array(SITES)[place], "s": draw.uniform(0.5, 2, ROWS), "w": draw.uniform(0.5, 3, ROWS),
        "y": line + 0.4 * draw.standard_t(3, ROWS), "up": np.exp(line / 2 + 0.2 * draw.normal(size=ROWS)),
        "yes": (draw.uniform(size=ROWS) < 1 / (1 + np.exp(2.5 - line))).astype(float),
        "count": draw.poisson(np.exp(line / 2)).astype(float),
    }  # fmt: skip
    if missing:
        columns["x"][7] = columns["y"][11] = columns["up"][11] = columns["yes"][11] = columns["count"][11] = math.nan
    return columns


def written(columns: dict[str, Any], path: Path) -> None:
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    cells = (["" if cell != cell else str(cell) for cell in row] for row in rows)
    path.write_text("\n".join([",".join(columns), *map(",".join, cells)]) + "\n")


class Job:
    """What two options ask for together."""

    def __init__(self, first: str, second: str) -> None:
        self.names, self.arguments, self.asked = (first, second), [], {"loss": "mse"}
        for name in dict.fromkeys(self.names):
            words, change = OPTIONS[name]
            self.arguments += words
            self.asked |= change
        get = self.asked.get
        own = "[group]" if get("named") else "[site]" if get("groups") else ""
        self.formula = f"a*x + b{own}" + ' + d*is(site, "C")' * bool(get("is"))
        self.target = {"logistic": "yes", "poisson": "count"}.get(get("loss"), "log(up)" if get("log") else "y")
        if get("log") and get("loss") in ("logistic", "poisson"):
            self.target = f"{self.target} + 0"
        self.columns = table(bool(get("missing")))

    def run(self, again: bool = False) -> Any:
        """The command, in the current directory, once more or for the first time."""
        for name in ("w.json", "c.json", "p.svg", "p.html") * (not again):
            Path(name).unlink(missing_ok=True)
        written(self.columns, Path("t.csv"))
        return invoke("fit", "t.csv", self.formula, "--target", self.target, *self.arguments, "--json")

    def check(self) -> str:
        """How it ended, in a word; AssertionError where that is not what the options ask for."""
        done = self.run()
        assert done.exit_code in (0, 2, 3), (done.exit_code, done.output)
        assert "Traceback" not in done.output
        found = json.loads(done.stdout, parse_constant=lambda word: 1 / 0)  # which says NaN and Infinity
        if done.exit_code == 2:
            assert found["converged"] is False
            assert f"error: {found['error']}\n" in done.stderr
            return f"refused: {found['error']}"
        if self.asked.get("method") == "adam":
            if not self.asked.get("holdout"):
                self.is_loss(found)
            return "descent"
        assert found["converged"] is (done.exit_code == 0), found["reason"]
        if (file := self.asked.get("written")) is not None:
            assert os.path.getsize(file) > 1000
        if self.asked.get("saved"):
            self.predicts(found)
        if os.path.exists("c.json"):  # from where it goes on to the same end
            assert self.run(again=True).stdout == done.stdout
        if not self.asked.get("holdout"):  # whose rows are not known here
            self.is_best(found)
        return "converged" if found["converged"] else f"not converged: {found['reason']}"

    def predicts(self, found: dict[str, Any]) -> None:
        """Predictions of the saved fit are its formula's, and bands are around them."""
        errors = all(p["stderr"] is not None for n, p in found["params"].items() if n not in self.asked.get("fixed", {}))
        drop = ["--drop-missing"] * bool(self.asked.get("missing"))
        done = invoke("predict", "w.json", "t.csv", *drop, *(["--interval", "0.9"] if errors else []))
        assert done.exit_code == 0, done.output
        header, *rows = (line.split(",") for line in done.stdout.splitlines())
        at = {name: i for i, name in enumerate(header)}
        for row in rows:
            mean = float(row[at["prediction"]])
            columns = {"x": np.array([float(row[at["x"]])]), "site": np.array([row[at["site"]]])}
            (wanted,) = self.values({n: p["value"] for n, p in found["params"].items()}, columns)
            means = {"logistic": 1 / (1 + math.exp(-wanted)), "poisson": math.exp(wanted)}
            wanted = means.get(self.asked["loss"], wanted)
            assert math.isclose(mean, wanted, rel_tol=1e-9, abs_tol=1e-12)
            if errors and self.asked["loss"] not in ("logistic", "poisson"):
                assert float(row[at["mean_low"]]) <= mean <= float(row[at["mean_high"]])

    # -- the same in NumPy --------------------------------------------------------------------------------------------

    def values(self, weights: dict[str, float], columns: dict[str, Any]) -> Any:
        """The formula."""
        found = weights["a"] * columns["x"]
        if self.asked.get("groups"):
            found = found + np.array([weights[f"b[{site}]"] for site in columns["site"]])
        else:
            found = found + weights["b"]
        return found + weights["d"] * (columns["site"] == "C") if self.asked.get("is") else found

    def kept(self) -> dict[str, Any]:
        """The rows."""
        there = ~np.isnan(self.columns["x"] + self.columns["y"])
        there &= self.asked.get("where", lambda t: True)(self.columns)
        return {name: column[there] for name, column in self.columns.items()}

    def losses(self, values: Any, rows: dict[str, Any], scale: float) -> Any:
        """The loss of each row."""
        asked = self.asked
        y = np.log(rows["up"]) if asked.get("log") else rows["y"]
        y = {"logistic": rows["yes"], "poisson": rows["count"]}.get(asked["loss"], y)
        r = (values - y) / (rows["s"] if asked.get("sigma") else 1.0)
        z = r / scale
        of: dict[str, Callable[[], Any]] = {
            "mse": lambda: r * r, "mae": lambda: abs(r),
            "huber": lambda: scale**2 * np.where(abs(z) < 1, z * z / 2, abs(z) - 0.5),
            "soft_l1": lambda: scale**2 * (np.sqrt(1 + z * z) - 1), "cauchy": lambda: scale**2 / 2 * np.log1p(z * z),
            "logistic": lambda: np.logaddexp(0, values) - y * values, "poisson": lambda: np.exp(values) - y * values,
        }  # fmt: skip
        return of[asked["loss"]]() * (rows["w"] if asked.get("weights") else 1.0)

    def is_loss(self, found: dict[str, Any]) -> None:
        """The loss is the one of these rows at these weights."""
        rows, scale = self.kept(), found.get("scale") or self.asked.get("scale", 1.0)
        weights = {n: p["value"] for n, p in found["params"].items()}
        own = float(np.mean(self.losses(self.values(weights, rows), rows, scale)))
        assert math.isclose(own, found["loss"], rel_tol=1e-9), (own, found["loss"])
        assert found["n"] == len(rows["x"])
        assert scale == self.asked.get("scale", scale)

    def is_best(self, found: dict[str, Any]) -> None:
        """SciPy finds no smaller loss; errors are those of the textbook."""
        from scipy import optimize

        self.is_loss(found)
        weights = {n: p["value"] for n, p in found["params"].items()}
        fixed = self.asked.get("fixed", {})
        fixed = {n: fixed[n.split("[")[0]] for n in weights if n.split("[")[0] in fixed}
        assert all(weights[n] == x for n, x in fixed.items())
        free, rows = [n for n in weights if n not in fixed], self.kept()
        bounds = [self.asked.get("bounds", {}).get(n, (-math.inf, math.inf)) for n in free]
        assert all(low <= weights[n] <= high for n, (low, high) in zip(free, bounds, strict=True))
        scale = found.get("scale") or 1.0

        def mean(p: Any) -> float:
            return float(np.mean(self.losses(self.values({**fixed, **dict(zip(free, p, strict=True))}, rows), rows, scale)))

        own = mean([weights[n] for n in free])
        for start in (np.array([weights[n] for n in free]), np.zeros(len(free))):
            start = np.clip(start, *zip(*bounds, strict=True))
            for method in ("L-BFGS-B", "Nelder-Mead"):
                options = {"maxiter": 4000, **({"xatol": 1e-9, "fatol": 1e-13} if method == "Nelder-Mead" else {})}
                with np.errstate(all="ignore"):
                    other = optimize.minimize(mean, start, method=method, bounds=bounds, options=options)
                assert own <= other.fun + 1e-8 * abs(other.fun), (own, other.fun, method, weights, other.x)
        errors = [found["params"][n]["stderr"] for n in free]
        if self.asked["loss"] in ("mse", "logistic", "poisson") and None not in errors:
            assert np.allclose(errors, self.errors(weights, free, rows), rtol=1e-6), (errors, self.errors(weights, free, rows))

    def errors(self, weights: dict[str, float], free: list[str], rows: dict[str, Any]) -> Any:
        """Standard errors of weights that enter linearly."""
        columns = [self.values({**dict.fromkeys(weights, 0.0), n: 1.0}, rows) for n in free]
        design, values = np.column_stack(columns), self.values(weights, rows)
        heavy = rows["w"] if self.asked.get("weights") else np.ones(len(values))
        if self.asked["loss"] == "mse":
            heavy = heavy / rows["s"] ** 2 if self.asked.get("sigma") else heavy
            free_rows = len(values) - len(free)
            spread = 1.0 if self.asked.get("absolute") else float(self.losses(values, rows, 1.0).sum()) / free_rows
        else:
            p = 1 / (1 + np.exp(-values)) if self.asked["loss"] == "logistic" else np.exp(values)
            heavy, spread = heavy * (p * (1 - p) if self.asked["loss"] == "logistic" else p), 1.0
        return np.sqrt(spread * np.diag(np.linalg.inv((design * heavy[:, None]).T @ design)))


def pairs() -> Iterator[tuple[str, str]]:
    """Each option with each."""
    same = ({"groups", "group"}, {"sigma", "absolute"}, {"bounds active", "bounds wide"})
    for first, second in itertools.combinations(OPTIONS, 2):
        words = [OPTIONS[name][0][:1] for name in (first, second)]
        if words[0] != words[1] or (not words[0] and {first, second} not in same):
            yield first, second


if __name__ == "__main__":
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for pair in pairs():
            if sys.argv[1:] and not set(sys.argv[1:]) & set(pair):
                continue
            try:
                ended = Job(*pair).check()
            except Exception as error:
                wrong += 1
                ended = f"WRONG: {type(error).__name__}: {error}"
            if ended != "converged":
                print(f"{' + '.join(filter(None, pair)):36} {ended[:600]}")
    print(f"{wrong} wrong of {sum(1 for _ in pairs())} pairs")
