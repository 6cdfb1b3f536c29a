"""How weights come to where a loss is smallest: squares, Newton, L-BFGS, absolute deviations; and where to start."""
