"""The tests of autograd_lite, by the module they are of."""
