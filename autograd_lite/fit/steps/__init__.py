"""Runs between two steps: their checkpoints, Ctrl-C, and how far they are.

`run` is gradient descent, `downhill` the other methods on a Python loss; `checkpoint` the file to go on from, `trail` the
weights on the way, `bar` the line on a terminal.
"""
