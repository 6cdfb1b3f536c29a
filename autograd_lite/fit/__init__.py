"""Minimise a loss, over data or by itself: `minimize`; and `scipy_objective`, which hands one to SciPy's own minimisers.

rows        the data as blocks and mini-batches of rows, and the sum of a loss over them, compiled where possible
checkpoint  what a run needs to go on to the same bits, in a file
bar         how far a run is, on a terminal
descent     `minimize`
bridge      `scipy_objective`
solve       `fit`: a formula and a table in, weights with their errors out
ending      `Fit`, its report and its JSON
residuals   residuals over rows with exact derivatives, reduced to a triangle
triangle    the QR of many rows, block by block in a fixed tree
band        how well a fit knows what it predicts
data, words what is handed in as rows, and words as numbers
groups      weights that are one for each group, and their residuals
losses      the losses by name
model       a formula fitted to a table
trust       least squares in a trust region
curvature   a loss summed over rows with its gradient and Hessian
newton, lbfgs, absolute   other losses: by exact Hessians, by gradients for many weights, and least absolute deviations
squares, others   the fits by these, with what they say of the weights
verdict     whether a fit can be trusted, in words
spread      the targets over the rows
starts      where to start
trail       where a run came along
live        the page of a fit
statistics  standard errors, intervals, and how good a fit is
"""

from .bridge import ScipyObjective, scipy_objective
from .descent import Result, minimize
from .ending import Fit
from .live import page
from .solve import fit

__all__ = ["Fit", "Result", "ScipyObjective", "fit", "minimize", "page", "scipy_objective"]
