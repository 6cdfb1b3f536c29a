"""Files that are complete or not there at all, and JSON that says what it holds.  Imports `errors`."""

from __future__ import annotations

import errno
import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .errors import InputValueError

__all__ = ["check_writable", "json_number", "read_json", "write_atomically"]


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write to a temporary file beside `path`, flush it to the disk and rename it into place.

    Whatever interrupts it, `path` holds its old content or all of the new one.  A file that was there keeps its permissions,
    a link goes on pointing to it; a device or pipe is written to as it is.  Raises OSError as `open` does, with the name that
    was given.
    """
    path = os.fspath(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    if _is_special(path):
        with open(path, "wb") as file:
            file.write(data)
        return
    with _temporary(path) as (handle, temporary, real):
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, stat.S_IMODE(os.stat(real).st_mode) if os.path.exists(real) else 0o666 & ~_umask())
        os.replace(temporary, real)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise the OSError that `write_atomically` would, while there is nothing to write yet; `path` stays as it is."""
    if _is_special(os.fspath(path)):
        return
    with _temporary(os.fspath(path)) as (handle, temporary, _):
        os.close(handle)
        os.unlink(temporary)


def _is_special(path: str) -> bool:
    """Whether something stands at `path` that a file must not take the place of: a device or a pipe."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


@contextmanager
def _temporary(path: str) -> Iterator[tuple[int, str, str]]:
    """A temporary file beside what `path` stands for, which an error takes away, and what that is.

    An OSError gets the name that was given.
    """
    import tempfile

    real = os.path.realpath(path)
    folder, name = os.path.split(real)
    temporary = None
    try:
        wrong = errno.EISDIR if os.path.isdir(path) else 0 if path else errno.ENOENT
        if wrong:
            raise OSError(wrong, os.strerror(wrong))
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
        yield handle, temporary, real
    except BaseException as error:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(error.errno, error.strerror, path) from error
        raise


def _umask() -> int:
    """The permissions that new files go without; reading them means setting them for a moment."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def json_number(x: float) -> float | str:
    """A number as JSON files hold it: "nan", "inf" and "-inf", which JSON has not, as strings that float() reads.

    >>> json_number(1.5), json_number(-math.inf)
    (1.5, '-inf')
    """
    return x if math.isfinite(x) else str(x)


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
