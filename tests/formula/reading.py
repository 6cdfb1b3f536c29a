"""A formula in each of the printer's notations, read back as Python by its signs alone."""

import math
import operator
import re

from autograd_lite import ops
from autograd_lite.ops import TABLE

SMALL = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
NAMES = {
    **TABLE, **ops.PUBLIC, "hypot": math.hypot, "abs": abs, "e": math.e, "quotient": operator.truediv, "arctan": math.atan,
    "ln": math.log, "max": max, "min": min, "sum": lambda *x: math.fsum(x), "prod": lambda *x: math.prod(x),
    "where": lambda c, a, b: a if c else b, "pi": math.pi, "round": round,
    "softmax": lambda *x: ops.softmax(list(map(float, x))),
}  # fmt: skip
SHORT = [
    ("sech²(", "sech2("), ("'(", "_derivative("), ("·", "*"), ("^", "**"), ("≤", "<="), ("≥", ">="), ("≠", "!="),
    (" = ", " == "), ("⌊", "(floor("), ("⌋", "))"), ("π", "pi"),
]  # fmt: skip
TEX = [
    (r"\left\lfloor", "floor("), (r"\right\rfloor", ")"), (r"\left|", "abs("), (r"\right|", ")"), (r"\left(", "("),
    (r"\right)", ")"), (r"\cdot", "*"), (r"\bmod", "%"), (r"\frac", "quotient"), (r"\le", "<="), ("^", "**"), ("}{", ", "),
    ("{", "("), ("}", ")"), ("\\", ""),
]  # fmt: skip


def as_python(notation, text):
    """A formula in one of the notations as Python writes it."""
    if notation in ("unicode", "short"):
        for sign, python in SHORT if notation == "short" else ():
            text = text.replace(sign, python)
        if notation == "short":
            while (plain := re.sub(r"(?<!\))\[([^\[\]]*)\]", r"(\1)", text)) != text:  # [x > 0], and no softmax(x, y)[0]
                text = plain
        text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda found: f"**({found[0].translate(SMALL)})", text)
        for sign, name in (("√", "sqrt"), ("∛", "cbrt")):
            text = re.sub(rf"{sign}(\w+(?:\.\w+)?)", rf"{name}(\1)", text).replace(sign, name)
        return re.sub(r"\|(.*?)\|", r"abs(\1)", text.replace("×", "*").replace("−", "-"))
    if notation == "latex":
        for sign, python in TEX:
            text = text.replace(sign, python)
    return text


def worth(notation, text, values):
    """What a formula in one of the notations is worth where its names have these values."""
    return float(eval(as_python(notation, text), {"__builtins__": {}}, NAMES | values))
