"""Files that are complete or not there at all, and JSON that says what it holds.  Imports `errors`."""

from __future__ import annotations

import os
from typing import Any

from .errors import InputValueError

__all__ = ["read_json", "write_atomically"]


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write to a temporary file beside `path`, flush it to the disk and rename it into place.

    Whatever interrupts it, `path` holds its old content or all of the new one.  Raises OSError as `open` does.
    """
    import tempfile

    path = os.fspath(path)
    folder, name = os.path.split(path)
    handle, temporary = tempfile.mkstemp(dir=folder or ".", prefix=f".{name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    """The permissions that new files go without; reading them means setting them for a moment."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def read_json(path: str | os.PathLike[str], kind: str, version: int, what: str) -> dict[str, Any]:
    """The content of a file of this format and version, or an error that says what it is instead."""
    import json

    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except (ValueError, RecursionError) as error:
        raise InputValueError(f"{os.fspath(path)} is not JSON ({error}): give {what}") from None
    if not isinstance(content, dict) or content.get("format") != kind:
        raise InputValueError(f"{os.fspath(path)} does not hold {kind}: give {what}")
    if content.get("version") != version:
        found = content.get("version")
        raise InputValueError(f"{os.fspath(path)} has version {found!r}, this library reads {version}: write it again")
    return content
