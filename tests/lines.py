"""Straight lines written down: what several tests build programs and expressions from."""

from autograd_lite.program import Instruction, Program
from autograd_lite.strategies import Expression


def line(inputs, *instructions):
    """The program of these (op, operands), whose last is the result."""
    made = tuple(Instruction(op, tuple(operands)) for op, operands in instructions)
    return Program(inputs, made, (inputs + len(made) - 1,))


def formula(instructions, **point):
    """The same as an expression of named variables with a point."""
    return Expression(tuple(point), line(len(point), *instructions), point)
