"""The weights of a fit in a JSON file: all that `predict` and a reader need to know of it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from ..errors import InputValueError
from ..files import json_number, read_json, write_atomically
from ..formula.expression import parse
from ..formula.vocabulary import VOCABULARY
from ..tree import as_float
from .model import Model

FORMAT, VERSION = "autograd_lite.fit", 1
WHAT = "a file that fit --save wrote"
KINDS = {"formula": str, "target": str, "loss": str, "columns": list, "weights": dict}


def save(
    path: str | os.PathLike[str],
    model: Model,
    ending: Mapping[str, Any] | None = None,
    dialect: Mapping[str, Any] | None = None,
) -> None:
    """Write formula, target, loss and weights as JSON, how the fit ended, and how its table was written.

    The file is complete or not there at all.
    """
    more = {"sigma": model.sigma, "weighting": model.weighting, "dialect": dict(dialect or {}), "fit": dict(ending or {})}
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
    for name in ("dialect", "fit"):
        if not isinstance(content.setdefault(name, {}), dict):
            raise damaged(f"its {name} is no object")
    target, columns = content["target"], content["columns"]
    if not all(isinstance(name, str) for name in columns):
        raise damaged("its columns are no texts")
    try:
        weights = {n: as_float(float(x) if x in ("nan", "inf", "-inf") else x, n) for n, x in content["weights"].items()}
        names = [*columns, *_columns_of(target, columns)]
        model = Model(content["formula"], target, names, content["loss"], weights)
    except (TypeError, ValueError, OverflowError) as error:
        raise damaged(error) from None
    if set(weights) != set(model.weights):
        raise damaged("its weights are not those of its formula")
    return model, content["fit"], content["dialect"]


_JSON: dict[type, str] = {str: "text", list: "list", dict: "object"}


def _columns_of(target: str, columns: list[str]) -> list[str]:
    """The columns that a target names: one, or those of a formula."""
    if target.isidentifier() or target in columns:
        return [target]
    try:
        return list(parse(target, VOCABULARY).names)
    except ValueError:
        return [target]
