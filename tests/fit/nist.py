"""The nonlinear regression data sets of NIST's Statistical Reference Datasets: formulas, tables, starts and certified values.

The files in tests/data/nist are as NIST published them, in the public domain: https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml
"""

import re
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parents[1] / "data" / "nist"

PULSES = "b1*exp(-b2*x) + b3*exp(-(x-b4)**2/b5**2) + b6*exp(-(x-b7)**2/b8**2)"
DECAYS = "b1*exp(-b2*x) + b3*exp(-b4*x) + b5*exp(-b6*x)"
CUBICS = "(b1+b2*x+b3*x**2+b4*x**3) / (1+b5*x+b6*x**2+b7*x**3)"
CYCLES = "b1" + "".join(
    f" + {a}*cos(2*pi*x/{p}) + {b}*sin(2*pi*x/{p})" for a, b, p in [("b2", "b3", 12), ("b5", "b6", "b4"), ("b8", "b9", "b7")]
)
FORMULAS = {
    "Bennett5": "b1*(b2+x)**(-1/b3)", "BoxBOD": "b1*(1-exp(-b2*x))", "Chwirut1": "exp(-b1*x)/(b2+b3*x)",
    "Chwirut2": "exp(-b1*x)/(b2+b3*x)", "DanWood": "b1*x**b2",
    "ENSO": CYCLES,
    "Eckerle4": "(b1/b2)*exp(-0.5*((x-b3)/b2)**2)", "Gauss1": PULSES, "Gauss2": PULSES, "Gauss3": PULSES, "Hahn1": CUBICS,
    "Kirby2": "(b1+b2*x+b3*x**2) / (1+b4*x+b5*x**2)", "Lanczos1": DECAYS, "Lanczos2": DECAYS, "Lanczos3": DECAYS,
    "MGH09": "b1*(x**2+x*b2) / (x**2+x*b3+b4)", "MGH10": "b1*exp(b2/(x+b3))", "MGH17": "b1 + b2*exp(-x*b4) + b3*exp(-x*b5)",
    "Misra1a": "b1*(1-exp(-b2*x))", "Misra1b": "b1*(1-(1+b2*x/2)**(-2))", "Misra1c": "b1*(1-(1+2*b2*x)**(-.5))",
    "Misra1d": "b1*b2*x*((1+b2*x)**(-1))", "Nelson": "b1 - b2*x1*exp(-b3*x2)", "Rat42": "b1/(1+exp(b2-b3*x))",
    "Rat43": "b1/((1+exp(b2-b3*x))**(1/b4))", "Roszman1": "b1 - b2*x - atan(b3/(x-b4))/pi", "Thurber": CUBICS,
}  # fmt: skip
TARGETS = {name: "log(y)" if name == "Nelson" else "y" for name in FORMULAS}


class Problem(NamedTuple):
    """One data set: starts, certified weights and standard errors by name of the weight, and the columns."""

    name: str
    formula: str
    target: str
    starts: tuple[dict[str, float], dict[str, float]]
    weights: dict[str, float]
    errors: dict[str, float]
    rss: float
    columns: dict[str, list[float]]

    def csv(self) -> str:
        """The table as CSV."""
        rows = zip(*self.columns.values(), strict=True)
        return "\n".join([",".join(self.columns), *(",".join(map(repr, row)) for row in rows)]) + "\n"


def problem(name: str) -> Problem:
    """A data set out of its file."""
    lines = (FOLDER / f"{name}.dat").read_text(encoding="ascii").splitlines()
    rows = [re.fullmatch(r"\s+(b\d)\s*=\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s*", line) for line in lines]
    table = {row[1]: [float(row[i]) for i in (2, 3, 4, 5)] for row in rows if row}
    first, second, weights, errors = ({name: numbers[i] for name, numbers in table.items()} for i in range(4))
    rss = next(float(line.split()[-1]) for line in lines if line.startswith("Residual Sum of Squares:"))
    data = max(i for i, line in enumerate(lines) if line.startswith("Data:"))
    columns = zip(*[map(float, line.split()) for line in lines[data + 1 :] if line.strip()], strict=True)
    named = dict(zip(lines[data].split()[1:], map(list, columns), strict=True))
    return Problem(name, FORMULAS[name], TARGETS[name], (first, second), weights, errors, rss, named)


def digits(found: float, certified: float) -> float:
    """How many digits of a number agree with the certified one, of eleven."""
    import math

    if not math.isfinite(found):
        return 0.0
    off = abs(found - certified) / abs(certified)
    return 11.0 if off == 0 else min(11.0, max(0.0, -math.log10(off)))
