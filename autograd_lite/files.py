"""Files that are complete or not there at all, and JSON that says what it holds."""

from __future__ import annotations

import errno
import math
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from .errors import InputValueError

FilePath = str | os.PathLike[str]
JsonData = Any  # what a JSON file holds: numbers, texts, lists and dicts of them


def write_atomically(path: str | os.PathLike[str], content: str | bytes | Iterable[bytes]) -> None:
    """Write to a temporary file beside `path`, flush it to the disk, rename it into place, and flush the folder.

    Whatever interrupts it, `path` holds its old content or all of the new one; a temporary file that a killed process has left
    goes at the next write.  A file that was there keeps its permissions (its set-user-ID bits not), a link goes on pointing to
    it.  One that is read-only or another user's is not replaced.  A device or pipe, and the file that is this process's own
    output, are written to as they are.  Content in parts is written part by part, as they come.  Raises OSError as `open` does,
    with the name that was given.
    """
    path = os.fspath(path)
    data = [content.encode("utf-8")] if isinstance(content, str) else [content] if isinstance(content, bytes) else content
    if (own := _own_output(path)) is not None:
        own.flush()
        with open(os.dup(own.fileno()), "wb") as file:
            file.writelines(data)
        return
    if _is_special(path):
        try:
            with open(path, "wb") as file:
                file.writelines(data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from error
        return
    with _temporary(path) as (temporary, real):
        with open(temporary, "wb") as file:
            file.writelines(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, real)
        _flush_folder(os.path.dirname(real))


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise the OSError that `write_atomically` would, while there is nothing to write yet; `path` stays as it is."""
    path = os.fspath(path)
    if _is_special(path) or _own_output(path) is not None:
        return
    with _temporary(path) as (temporary, _):
        os.unlink(temporary)


def _is_special(path: str) -> bool:
    """Whether something stands at `path` that a file must not take the place of: a device or a pipe."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def _own_output(path: str) -> Any:
    """The output of this process that `path` is another name of, as /dev/stdout is where it goes to a file; else None."""
    for stream in (sys.__stdout__, sys.__stderr__):
        with suppress(OSError, ValueError, AttributeError):
            if stream is not None and os.path.samestat(os.stat(path), os.fstat(stream.fileno())):
                return stream
    return None


def _flush_folder(folder: str) -> None:
    """Make the rename last; where folders cannot be opened, the system does it in its own time."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _not_ours(real: str) -> int:
    """The error number of a file that must not be replaced; 0 where it may."""
    if os.path.islink(real):  # resolved, and still a link
        return errno.ELOOP
    if os.path.isdir(real):
        return errno.EISDIR
    if not os.path.exists(real):
        return 0
    found = os.stat(real)
    if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
        return errno.EPERM
    return 0 if found.st_mode & stat.S_IWUSR and os.access(real, os.W_OK) else errno.EACCES


_writing: set[str] = set()  # the temporary files of this process, which may have the number of one that was killed


@contextmanager
def _temporary(path: str) -> Iterator[tuple[str, str]]:
    """An empty temporary file beside what `path` stands for, with the permissions that is to have; and what that is.

    It is gone at the end, whatever happens.  An OSError gets the name that was given.
    """
    real = os.path.realpath(path)
    folder, name = os.path.split(real)
    mark = f".{_digest(name)}."
    temporary = os.path.join(folder, f"{mark}{os.getpid()}.{os.urandom(8).hex()}.tmp")
    try:
        wrong = _not_ours(real) if path else errno.ENOENT
        if wrong:
            raise OSError(wrong, os.strerror(wrong))
        _remove_left(folder, mark)
        _writing.add(temporary)
        there = os.path.exists(real)
        mode = os.stat(real).st_mode & 0o777 if there else 0o666
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode & (0o600 if there else mode)))
        if there:
            os.chmod(temporary, mode)
        yield temporary, real
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, path) from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        _writing.discard(temporary)


def _digest(name: str) -> str:
    """A short name that stands for one of any length."""
    from hashlib import blake2b

    return blake2b(os.fsencode(name), digest_size=8).hexdigest()


def _remove_left(folder: str, mark: str) -> None:
    """Take away the temporary files of processes that are no more; another that writes the same file keeps its own."""
    with suppress(OSError):
        for name in os.listdir(folder):
            owner = name.removeprefix(mark).partition(".")[0]
            if name.startswith(mark) and name.endswith(".tmp") and owner.isdigit():
                path = os.path.join(folder, name)
                if not (path in _writing if int(owner) == os.getpid() else _runs(int(owner))):
                    os.unlink(path)


def _runs(process: int) -> bool:
    if os.name == "nt":  # where asking would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def json_number(x: float) -> float | str:
    """A number as JSON files hold it: "nan", "inf" and "-inf", which JSON has not, as strings that float() reads.

    >>> json_number(1.5), json_number(-math.inf)
    (1.5, '-inf')
    """
    return x if math.isfinite(x) else str(x)


def for_json(data: JsonData, number: Callable[[float], JsonData] = json_number) -> JsonData:
    """Data with `number` of each float, which JSON may not have.

    >>> for_json({"x": [1.5, math.nan]}), for_json((math.inf, 1), lambda x: None)
    ({'x': [1.5, 'nan']}, [None, 1])
    """
    if isinstance(data, float):
        return number(data)
    if isinstance(data, Mapping):
        return {key: for_json(item, number) for key, item in data.items()}
    return [for_json(item, number) for item in data] if isinstance(data, (list, tuple)) else data


def read_json(path: str | os.PathLike[str], kind: str, version: int, what: str) -> dict[str, JsonData]:
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
