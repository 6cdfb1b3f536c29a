"""What a file holds, by its first bytes, and the bytes of it unpacked: gzip, bzip2, xz and zip."""

from __future__ import annotations

import io
import sys
import zipfile
import zlib
from contextlib import ExitStack
from importlib import import_module
from typing import IO, Any, BinaryIO

from ..errors import InputValueError, MissingPackageError

# by their first bytes, the modules that unpack; a Python may be built without one
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ\x00": "lzma"}
ZIP = b"PK\x03\x04"
PARQUET, FEATHER, OLD_FEATHER = b"PAR1", b"ARROW1", b"FEA1"
SIGNS = {
    b"\xd0\xcf\x11\xe0": "a workbook of an old Excel: save it as .xlsx or as CSV",
    b"SQLite format 3": "an SQLite database: export a table of it",
    b"\x89HDF": "HDF5: export a table of it",
    b"\x93NUMPY": "an array of NumPy: numpy.savetxt writes it as text",
    b"(\xb5/\xfd": "packed by zstd: unpack it",
    b'\x04"M\x18': "packed by lz4: unpack it",
    b"7z\xbc\xaf": "a 7z archive: unpack it",
    b"Rar!": "a rar archive: unpack it",
    b"%PDF": "a PDF: give the table as CSV",
    b"\x89PNG": "a picture: give the table as CSV",
    b"\xff\xd8\xff": "a picture: give the table as CSV",
    b"Obj\x01": "Avro: write it as Parquet",
    b"RDX": "R's own format: write.csv writes it as text",
    b"<stata_dta": "Stata's own format: export it as CSV",
    b"$FL2": "SPSS's own format: export it as CSV",
    b"\x80\x04\x95": "a pickle, which is never opened, since it may run anything: write the table as CSV",
    b"\x80\x05\x95": "a pickle, which is never opened, since it may run anything: write the table as CSV",
}
MARKUP = {"<!doctype": "a page of HTML", "<html": "a page of HTML", "<?xml": "XML", "[{": "JSON", '{"': "JSON", "[[": "JSON"}
DAMAGED = (EOFError, OSError, ValueError, NotImplementedError, RuntimeError, zlib.error, zipfile.BadZipFile)


def opened(path: str, stack: ExitStack) -> tuple[BinaryIO, str]:
    """The unpacked bytes of a file, of standard input for "-", and what they are: text, parquet, feather or excel.

    Raises InputValueError for what is packed but damaged, and for a zip file of several tables; OSError as `open` does.
    """
    if path == "-" and sys.stdin is None:
        raise InputValueError("standard input is closed: give a file, or write to it through a pipe")
    raw: Any = sys.stdin.buffer if path == "-" else stack.enter_context(open(path, "rb"))  # noqa: SIM115
    if not hasattr(raw, "peek"):
        raw = io.BufferedReader(raw)
        stack.callback(raw.detach)  # it does not close what it was given
    for _ in range(4):  # packed once, or a few times
        first = raw.peek(8)[:8]
        packer = next((name for mark, name in _PACKED.items() if first.startswith(mark)), None)
        if packer is not None:
            raw = io.BufferedReader(_NamedBytes(stack.enter_context(_unpacker(packer, path)(raw, "rb")), path))
        elif first.startswith(ZIP):
            archive = _archive(path, raw, stack)
            if "xl/workbook.xml" in archive.namelist():
                return _seekable(raw, stack), "excel"
            only = _only(path, archive)
            try:
                packed = stack.enter_context(archive.open(only))
            except DAMAGED as error:
                raise InputValueError(f"{path} is a zip file, and damaged ({error}): pack it again") from None
            raw = io.BufferedReader(_NamedBytes(packed, path))
        else:
            break
    _refuse_others(path, raw.peek(512)[:512])
    kind = "parquet" if first.startswith(PARQUET) else "feather" if first.startswith((FEATHER, OLD_FEATHER)) else "text"
    return (_seekable(raw, stack) if kind != "text" else raw), kind


def _refuse_others(path: str, first: bytes) -> None:
    """InputValueError for what is another kind of file, by its first bytes."""
    start = first.removeprefix(b"\xef\xbb\xbf").lstrip().lower().decode("latin-1")
    found = next((what for sign, what in SIGNS.items() if first.startswith(sign)), "")
    found = found or next((f"{what}: give the table as CSV" for sign, what in MARKUP.items() if start.startswith(sign)), "")
    if first[257:262] == b"ustar":
        found = "a tar archive: unpack it, and give one of its files"
    if found:
        raise InputValueError(f"{path} is {found}")


def _unpacker(name: str, path: str) -> Any:
    try:
        return import_module(name).open
    except ImportError:
        raise MissingPackageError(f"{path} is packed by {name}, which this Python was built without: unpack it") from None


def _damaged() -> tuple[type[Exception], ...]:
    """What reading a packed file raises where it is damaged."""
    return (*DAMAGED, sys.modules["lzma"].LZMAError) if sys.modules.get("lzma") else DAMAGED


class _NamedBytes(io.RawIOBase):
    """Unpacked bytes whose damage is an error that names the file."""

    def __init__(self, packed: IO[bytes], path: str) -> None:
        self.packed, self.path = packed, path

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer."""
        try:
            data = self.packed.read(len(buffer))
        except _damaged() as error:
            raise InputValueError(f"{self.path} is packed, and damaged ({error}): pack it again") from None
        buffer[: len(data)] = data
        return len(data)


def package(name: str, path: str, extra: str) -> Any:
    """A package that reads this kind of file, or the error that says which extra brings it."""
    try:
        return import_module(name)
    except ImportError as error:
        repair = f"pip install 'autograd-lite[{extra}]'"
        raise MissingPackageError(f"reading {path} needs {name}, which is not installed: {repair}") from error


def _seekable(raw: Any, stack: ExitStack) -> BinaryIO:
    """Bytes that can be read from any place: what comes through a pipe, or unpacked, is read whole."""
    if raw.seekable():
        raw.seek(0)
        return raw  # type: ignore[no-any-return]
    return stack.enter_context(io.BytesIO(raw.read()))


def _archive(path: str, raw: Any, stack: ExitStack) -> zipfile.ZipFile:
    try:
        return stack.enter_context(zipfile.ZipFile(_seekable(raw, stack)))
    except _damaged() as error:
        raise InputValueError(f"{path} is a zip file, and damaged ({error}): pack it again") from None


def _only(path: str, archive: zipfile.ZipFile) -> str:
    names = [n for n in archive.namelist() if not n.endswith("/") and not n.startswith("__MACOSX/")]
    if "mimetype" in names:
        raise InputValueError(f"{path} is a document of OpenOffice: save it as .xlsx or as CSV")
    if len(names) != 1:
        raise InputValueError(f"{path} is a zip file of {len(names)} files: unpack it, and give one of them")
    if archive.getinfo(names[0]).flag_bits & 1:
        raise InputValueError(f"{path} is a zip file with a password: unpack it")
    return names[0]
