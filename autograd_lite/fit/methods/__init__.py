"""How weights come to where a loss is smallest: squares, Newton, L-BFGS, absolute deviations; and where to start.

trust       least squares in a trust region, on `triangle`, the rows reduced; `refine` puts the last digits of a plane right
saddle      saddles of least squares are found and left
newton      any loss, by its Hessian; lbfgs  any loss, by gradients, for many weights
absolute    least absolute deviations; `bands` of many rows
starts      where to start, if nobody says

A method is a function of what is asked of the rows and of a `trust.State`, which a checkpoint holds; it ends in a `Bottom` or
an `Ending`, and `solve` and `steps.downhill` call it.
"""
