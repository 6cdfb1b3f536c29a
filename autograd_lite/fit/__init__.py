"""Minimise a loss, over data or by itself: `minimize`; and `scipy_objective`, which hands one to SciPy's own minimisers.

rows        the data as blocks and mini-batches of rows, and the sum of a loss over them, compiled where possible
checkpoint  what a run needs to go on to the same bits, in a file
bar         how far a run is, on a terminal
descent     `minimize`
bridge      `scipy_objective`
"""

from .bridge import ScipyObjective, scipy_objective
from .descent import Result, minimize

__all__ = ["Result", "ScipyObjective", "minimize", "scipy_objective"]
