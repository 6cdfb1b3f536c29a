"""Runs between two steps: descent and the other methods, their checkpoints, Ctrl-C, and how far they are."""
