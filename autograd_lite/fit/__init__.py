"""Minimise a loss, over data or by itself: `minimize`; and `scipy_objective`, which hands one to SciPy's own minimisers.

solve       `fit`: a formula and a table in, weights with their errors out
descent     `minimize`
bridge      `scipy_objective`
model       a formula fitted to a table; `losses` by name
squares, others   the fits by least squares and by other losses, with what they say of the weights
ending      `Fit`, its report and its JSON; `verdict` whether it can be trusted, in words
saved, predicted  a fit in a file, and what it says of other rows
rows        the data as blocks of rows, what is added up over them, residuals and curvatures with exact derivatives, groups
methods     how weights come to where a loss is smallest, and where to start
statistics  standard errors, intervals, bands, scores
steps       runs between two steps: descent, checkpoints, Ctrl-C, the bar
cluster     the rows on the workers of a Dask cluster
pictures    what a fit came to, drawn
"""

from .bridge import ScipyObjective, scipy_objective
from .descent import Result, minimize
from .ending import Fit
from .pictures.live import page
from .solve import fit

__all__ = ["Fit", "Result", "ScipyObjective", "fit", "minimize", "page", "scipy_objective"]
