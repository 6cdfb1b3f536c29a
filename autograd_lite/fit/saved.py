"""The weights of a fit in a JSON file: all that `predict` and a reader need to know of it."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping
from itertools import combinations
from typing import Any

from ..errors import InputValueError
from ..files import JsonData, json_number, read_json, write_atomically
from ..formula.expression import parse
from ..formula.vocabulary import VOCABULARY
from ..tree import as_float
from .ending import Fit, finite
from .model import Model
from .statistics.band import Band

FORMAT, VERSION = "autograd_lite.fit", 1
WHAT = "a file that fit --save wrote"
KINDS = {"formula": str, "target": str, "loss": str, "columns": list, "weights": dict}
OPTIONAL = {"measured": list, "levels": dict, "group": str, "sigma": str, "weighting": str, "dialect": dict, "fit": dict}
SIZES = ("deviation", "freedom")  # of an observation; of Student's t
LARGEST = sys.float_info.max


def save(
    path: str | os.PathLike[str],
    model: Model,
    ending: Mapping[str, JsonData] | None = None,
    dialect: Mapping[str, JsonData] | None = None,
) -> None:
    """Write formula, target, loss and weights as JSON, how the fit ended, and how its table was written.

    The file is complete or not there at all.
    """
    more = {
        "measured": model.measured, "levels": model.levels, "group": model.group, "sigma": model.sigma,
        "weighting": model.weighting, "scale": model.scale, "dialect": dict(dialect or {}), "fit": dict(ending or {}),
    }  # fmt: skip
    content = {
        "format": FORMAT, "version": VERSION, "formula": model.formula.text, "target": model.target, "loss": model.kind,
        "columns": model.columns, "weights": {n: json_number(x) for n, x in model.weights.items()},
        **{name: found for name, found in more.items() if found},
    }  # fmt: skip
    write_atomically(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def load(path: str | os.PathLike[str]) -> tuple[Model, dict[str, Any], dict[str, Any]]:
    """The model in a file that `save` wrote, how its fit ended, and the dialect of its table.

    Raises InputValueError where the file is not one.
    """
    content = read_json(path, FORMAT, VERSION, WHAT)

    def damaged(why: object) -> InputValueError:
        return InputValueError(f"{os.fspath(path)} is damaged ({why}): give {WHAT}")

    for name, kind in KINDS.items():
        if name not in content:
            raise damaged(f"it has no {name}")
        if not isinstance(content[name], kind):
            raise damaged(f"its {name} is no {_JSON[kind]}")
    for name, kind in OPTIONAL.items():
        if not isinstance(content.setdefault(name, kind()), kind):
            raise damaged(f"its {name} is no {_JSON[kind]}")
    target, columns, levels = content["target"], content["columns"], content["levels"]
    measured = content["measured"] or _columns_of(target, columns)
    if not all(isinstance(name, str) for name in (*columns, *measured)):
        raise damaged("its columns are no texts")
    if not all(isinstance(words, list) and words and all(isinstance(w, str) for w in words) for words in levels.values()):
        raise damaged("its levels are no lists of texts")
    sigma, weighting, group = content["sigma"], content["weighting"], content["group"]
    try:
        weights = {n: as_float(float(x) if x in ("nan", "inf", "-inf") else x, n) for n, x in content["weights"].items()}
        scale = None if content.get("scale") is None else as_float(content["scale"], "scale")
        names = [*columns, *measured, *(n for n in (sigma, weighting, group) if n)]
        more: dict[str, Any] = {"levels": levels, "group": group, "scale": scale}
        model = Model(content["formula"], target, names, content["loss"], weights, sigma, weighting, **more)
    except KeyError as error:
        raise damaged(f"its levels have no {error}") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise damaged(error) from None
    if set(weights) != set(model.weights):
        raise damaged("its weights are not those of its formula")
    if why := _amiss(content["fit"], len(weights)):
        raise damaged(why)
    return model, content["fit"], content["dialect"]


def kept_of(found: Fit) -> dict[str, Any]:
    """What is kept of how a fit ended: all that is printed of it, and what its bands are made of."""
    more = {"deviation": json_number(found.deviation), "freedom": json_number(found.freedom)}
    return {**found.as_dict(), "covariance": finite(found.covariance), **more}


def band(model: Model, ending: Mapping[str, JsonData], level: float, rows: int) -> Band:
    """The bands of a saved fit, by how it ended.

    Raises InputValueError as `Band`.
    """
    sd, dof = (float(ending.get(name, "nan")) for name in SIZES)
    return Band(model, list(model.weights), ending.get("covariance"), sd, dof, level, rows)


def _amiss(ending: Mapping[str, JsonData], count: int) -> str:
    """What is wrong with the numbers that the bands of so many weights are made of; nothing where they may be right."""
    table = ending.get("covariance")
    if table is not None:
        if not isinstance(table, list) or len(table) != count:
            return f"its covariance is no list of {count} lists"
        if not all(
            isinstance(row, list) and len(row) == count and all(x is None or _is_finite_number(x) for x in row) for row in table
        ):
            return f"its covariance is not made of {count} numbers for each weight"
        if any((row[i] or 0.0) < 0 for i, row in enumerate(table)):
            return "its covariance has a negative variance"
        for i, j in combinations(range(count), 2):
            one, other, x, y = table[i][j], table[j][i], table[i][i], table[j][j]
            if None in (one, other, x, y):
                if one is not other:
                    return "its covariance is not symmetric"
            elif abs(one - other) > 1e-9 * abs(one):
                return "its covariance is not symmetric"
            elif abs(one) > 1.000001 * math.sqrt(x) * math.sqrt(y):
                return "its covariance has a correlation beyond 1"
    for name in SIZES:
        x = ending.get(name, "nan")
        if x not in ("nan", "inf") and not (_is_finite_number(x) and x >= 0):
            return f"its {name} is no size"
    return ""


def _is_finite_number(x: object) -> bool:
    return isinstance(x, (int, float)) and not isinstance(x, bool) and abs(x) <= LARGEST


_JSON: dict[type, str] = {str: "text", list: "list", dict: "object"}


def _columns_of(target: str, columns: list[str]) -> list[str]:
    """The columns that a target names, where a file does not say so: one, or those of a formula."""
    if target.isidentifier() or target in columns:
        return [target]
    try:
        return list(parse(target, VOCABULARY).names)
    except ValueError:
        return [target]
