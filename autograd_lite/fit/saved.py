"""The weights of a fit in a JSON file: all that `predict` and a reader need to know of it."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping
from typing import Any

from ..errors import InputValueError
from ..files import json_number, read_json, write_atomically
from ..formula.expression import parse
from ..formula.vocabulary import VOCABULARY
from ..tree import as_float
from .ending import Fit, finite
from .model import Model
from .statistics.band import Band

FORMAT, VERSION = "autograd_lite.fit", 1
WHAT = "a file that fit --save wrote"
KINDS = {"formula": str, "target": str, "loss": str, "columns": list, "weights": dict}
OPTIONAL = {"levels": dict, "group": str, "sigma": str, "weighting": str, "dialect": dict, "fit": dict}
LARGEST = sys.float_info.max


def save(
    path: str | os.PathLike[str],
    model: Model,
    ending: Mapping[str, Any] | None = None,
    dialect: Mapping[str, Any] | None = None,
) -> None:
    """Write formula, target, loss and weights as JSON, how the fit ended, and how its table was written.

    The file is complete or not there at all.
    """
    more = {
        "levels": model.levels, "group": model.group, "sigma": model.sigma, "weighting": model.weighting, "scale": model.scale,
        "dialect": dict(dialect or {}), "fit": dict(ending or {}),
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
    if not all(isinstance(name, str) for name in columns):
        raise damaged("its columns are no texts")
    if not all(isinstance(words, list) and words and all(isinstance(w, str) for w in words) for words in levels.values()):
        raise damaged("its levels are no lists of texts")
    sigma, weighting, group = content["sigma"], content["weighting"], content["group"]
    try:
        weights = {n: as_float(float(x) if x in ("nan", "inf", "-inf") else x, n) for n, x in content["weights"].items()}
        scale = None if content.get("scale") is None else as_float(content["scale"], "scale")
        names = [*columns, *_columns_of(target, columns), *(n for n in (sigma, weighting, group) if n)]
        more: dict[str, Any] = {"levels": levels, "group": group, "scale": scale}
        model = Model(content["formula"], target, names, content["loss"], weights, sigma, weighting, **more)
    except KeyError as error:
        raise damaged(f"its levels have no {error}") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise damaged(error) from None
    if set(weights) != set(model.weights):
        raise damaged("its weights are not those of its formula")
    return model, content["fit"], content["dialect"]


def kept_of(found: Fit) -> dict[str, Any]:
    """What is kept of how a fit ended: all that is printed of it, and what its bands are made of."""
    more = {"deviation": json_number(found.deviation), "freedom": json_number(found.freedom)}
    return {**found.as_dict(), "covariance": finite(found.covariance), **more}


def band(model: Model, ending: Mapping[str, Any], level: float, rows: int) -> Band:
    """The bands of a saved fit, by how it ended.

    Raises InputValueError as `Band`, and where the covariance is not one of these weights.
    """
    table = ending.get("covariance")
    names = list(model.weights)
    if table is not None:
        square = isinstance(table, list) and len(table) == len(names)
        if not square or not all(isinstance(row, list) and len(row) == len(names) and _all_numbers(row) for row in table):
            raise InputValueError(f"the covariance of the weights is damaged: give {WHAT}")
        if any((table[i][i] or 0.0) < 0 for i in range(len(names))):
            raise InputValueError(f"the covariance of the weights has a negative variance: give {WHAT}")
    sd, dof = (_number(ending.get(name)) for name in ("deviation", "freedom"))
    return Band(model, names, table, sd, dof, level, rows)


def _all_numbers(row: list[Any]) -> bool:
    return all(x is None or (isinstance(x, (int, float)) and not isinstance(x, bool) and abs(x) < LARGEST) for x in row)


def _number(x: Any) -> float:
    return float(x) if isinstance(x, float) or (isinstance(x, int) and abs(x) < LARGEST) or x in ("inf", "nan") else math.nan


_JSON: dict[type, str] = {str: "text", list: "list", dict: "object"}


def _columns_of(target: str, columns: list[str]) -> list[str]:
    """The columns that a target names: one, or those of a formula."""
    if target.isidentifier() or target in columns:
        return [target]
    try:
        return list(parse(target, VOCABULARY).names)
    except ValueError:
        return [target]
