"""Writing files so that they are complete or not there at all.  Imports the standard library, and that only when called."""

from __future__ import annotations

import os

__all__ = ["write_atomically"]


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
