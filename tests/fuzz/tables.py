"""The reader of tables: any bytes are a table of numbers and words, or an error of ours that names the file."""

import bz2
import gzip
import io
import os
import tempfile
import warnings
import zipfile

from autograd_lite.errors import AutogradError
from autograd_lite.tables import read_table
from tests.fuzz import loop


def zipped(data: bytes) -> bytes:
    """A zip file with one file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("t.csv", data)
    return out.getvalue()


PLAIN = [
    b"x,y\n1,2\n3,4\n", b"x;y\n1,5;2\n", b"x\ty\n1\tnan\n", b'"a b","c"\n"1","2"\n', b"# comment\nx,y\n1e5,-inf\n",
    b"\xef\xbb\xbfx,y\r\n1,2\r\n",
    b"x,site\n1,A\n2,B\n", b"x y\n1 2\n", "x,\u00e4\n1,2\n".encode("utf-16"),
]  # fmt: skip
SEEDS = [*PLAIN, gzip.compress(PLAIN[0]), bz2.compress(PLAIN[0]), zipped(PLAIN[0]), b"PAR1" + b"\0" * 30 + b"PAR1"]


def TestOneInput(data: bytes) -> None:  # noqa: N802 (Atheris's name)
    """One file."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = os.path.join(folder, "table.csv")
        with open(path, "wb") as file:
            file.write(data)
        try:
            table = read_table(path)
            assert [*table.read(0, table.rows)] == [*table.names]
            table.close()
        except AutogradError as error:
            loop.refused(error, "table.csv")


if __name__ == "__main__":
    loop.main(TestOneInput, SEEDS)
