"""Formulas as text: what people type is parsed, what was computed is written down.

tokens  parsing  expression   text to a function; `vocabulary` has the functions it may name, which are the rows
notation  texmath             how numbers and names are written for people, and in LaTeX
printer                       whatever is made of rows, by one table of precedences; `nodes`: of a graph
steps                         the backward pass, one product at a time
"""

from .expression import Expression, Function, Vocabulary, parse

__all__ = ["Expression", "Function", "Vocabulary", "parse"]
