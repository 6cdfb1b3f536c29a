"""Formulas as text: what people type is parsed, what was computed is written down."""

from .expression import Expression, Function, Vocabulary, parse

__all__ = ["Expression", "Function", "Vocabulary", "parse"]
