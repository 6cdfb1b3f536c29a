"""What a run needs to go on to the same bits, in a JSON file that is complete or not there at all.

JSON's numbers are the shortest that read back as the same double, so nothing is lost.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import blake2b
from typing import NamedTuple

from ...errors import InputValueError
from ...files import JsonData, read_json, write_atomically
from ...tree import Spec, describe
from ..methods import trust
from ..rows import AnyRows

FORMAT, VERSION = "autograd_lite.checkpoint", 1
STEPS = "autograd_lite.steps"  # the format of methods other than descent


class DescentState(NamedTuple):
    """A run between two steps."""

    losses: list[float]  # what each step made so far saw; their number is the number of steps
    leaves: list[float]
    optimizer: dict[str, JsonData]  # its state_dict(), arrays as lists
    previous: float | None  # the loss that `tol` compares the next one with


def settings(
    about: dict[str, JsonData], spec: Spec, start: Sequence[float], rows: AnyRows | None, **more: JsonData
) -> dict[str, JsonData]:  # fmt: skip
    """What must be the same for a checkpoint to be gone on from; the weights to start at, and the rows, as digests."""
    digest = blake2b(repr([x.hex() for x in start]).encode(), digest_size=16).hexdigest()
    data = None if rows is None else rows.fingerprint()
    return {**about, "params": describe(spec), "start": digest, **more, "data": data}


def save(path: str | os.PathLike[str], settings: dict[str, JsonData], state: DescentState) -> None:
    """Write the state of a run with these settings."""
    content = {"format": FORMAT, "version": VERSION, "settings": settings, "state": state._asdict()}
    write_atomically(path, json.dumps(content, allow_nan=False) + "\n")


def load(path: str | os.PathLike[str], settings: dict[str, JsonData]) -> DescentState | None:
    """The state a run with these settings was left in; None where there is no file.

    Raises InputValueError where the file is no checkpoint, or one of a run with other settings.
    """
    content = _read_state(path, settings, FORMAT)
    if content is None:
        return None
    try:
        state = DescentState(**content["state"])
        numbers = [*state.losses, *state.leaves, *([] if state.previous is None else [state.previous])]
    except (KeyError, TypeError):
        raise damaged(path, "a part is missing") from None
    if not all(isinstance(x, float) and math.isfinite(x) for x in numbers):
        raise damaged(path, "a loss or a weight is no number")
    if not (isinstance(state.losses, list) and isinstance(state.leaves, list)):
        raise damaged(path, "its losses or its weights are no list")
    return state


def save_steps(path: str | os.PathLike[str], settings: dict[str, JsonData], state: trust.State) -> None:
    """Write the state of a run of another method, with a digest of it."""
    fields = asdict(state)
    content = {"format": STEPS, "version": VERSION, "settings": settings, "state": fields, "digest": _fingerprint(fields)}
    write_atomically(path, json.dumps(content, allow_nan=False) + "\n")


def load_steps(path: str | os.PathLike[str], settings: dict[str, JsonData]) -> trust.State | None:
    """The state of such a run; None where there is no file.

    Raises InputValueError as `load`.
    """
    content = _read_state(path, settings, STEPS)
    if content is None:
        return None
    fields = content.get("state")
    if not isinstance(fields, dict) or content.get("digest") != _fingerprint(fields):
        raise damaged(path, "its digest is not that of its state")
    try:
        return trust.State(**fields)
    except TypeError as error:
        raise damaged(path, error) from None


def _fingerprint(state: dict[str, JsonData]) -> str:
    """What shows that somebody or something has changed a state."""
    return blake2b(json.dumps(state).encode(), digest_size=16).hexdigest()


def _read_state(path: str | os.PathLike[str], settings: dict[str, JsonData], form: str) -> dict[str, JsonData] | None:
    """What is in a checkpoint of a run with these settings."""
    if not os.path.exists(path):
        return None
    content: dict[str, JsonData] = read_json(path, form, VERSION, "a checkpoint")
    saved = content.get("settings")
    saved = saved if isinstance(saved, dict) else {}
    ours = json.loads(json.dumps(settings))
    for name in ours:
        if name not in saved or saved[name] != ours[name]:
            raise InputValueError(
                f"checkpoint={os.fspath(path)!r} belongs to a run with {name}={saved.get(name)!r}, and this one has "
                f"{name}={ours[name]!r}: go on as it was begun, or remove the file to begin again"
            )
    return content


def damaged(path: str | os.PathLike[str], why: object) -> InputValueError:
    """The error for a file that somebody or something has changed."""
    return InputValueError(f"checkpoint={os.fspath(path)!r} is damaged ({why}): remove the file to begin again")
