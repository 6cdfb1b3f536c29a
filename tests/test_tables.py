"""Tables: what a cell may be and what is said of any other, by both readers of CSV, from Parquet, in memory and in files."""

import bz2
import ctypes
import decimal
import gzip
import importlib
import io
import itertools
import lzma
import math
import random
import re
import struct
import sys
import zipfile
from array import array
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_lite import tables
from autograd_lite.errors import InputTypeError, InputValueError, MissingPackageError
from autograd_lite.fit.rows import Rows
from autograd_lite.tables import Table, read_table
from autograd_lite.tables import table as module
from autograd_lite.tables.choice import Wanted

READERS = {"pyarrow": (), "numpy": ("pyarrow.csv",), "neither": ("pyarrow.csv", "numpy")}  # each by the packages missing then


@pytest.fixture(params=READERS)
def reader(request, monkeypatch):
    """The readers of CSV in turn: those of pyarrow and of NumPy, and the standard library's."""
    for package in READERS[request.param]:
        monkeypatch.setitem(sys.modules, package, None)
    return request.param


def saved(folder, text, name="cars.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def content(table):
    return {name: column.tolist() for name, column in table.read(0, table.rows).items()}


def zipped(*contents, name="{}.csv"):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for i, content in enumerate(contents):
            archive.writestr(name.format(i), content)
    return file.getvalue()


GOOD = [
    ("plain", "x,y\n1,2\n3,4\n", None, {"x": [1, 3], "y": [2, 4]}),
    ("no newline at the end", "x,y\n1,2", None, {"x": [1], "y": [2]}),
    ("CRLF", "x,y\r\n1,2\r\n3,4\r\n", None, {"x": [1, 3], "y": [2, 4]}),
    ("byte order mark", b"\xef\xbb\xbfx,y\n1,2\n", None, {"x": [1], "y": [2]}),
    ("quotes", 'name,x\n"Dodge, ""Aspen""",1.5\n', ["x"], {"x": [1.5]}),
    ("quoted numbers and names", '"x","y"\n"1","2e-3"\n', None, {"x": [1], "y": [2e-3]}),
    ("line break in a cell", 'name,x\n"two\nlines",1\n"one",2\n', ["x"], {"x": [1, 2]}),
    ("blanks around", " x , y \n 1 , -2.5 \n", None, {"x": [1], "y": [-2.5]}),
    ("blank lines", "\nx,y\n1,2\n\n3,4\n\n", None, {"x": [1, 3], "y": [2, 4]}),
    ("signs and exponents", "x\n+1\n-.5\n2.\n1e3\n1E-3\n-0\n", None, {"x": [1, -0.5, 2, 1e3, 1e-3, 0]}),
    ("columns in the order asked", "x,y,z\n1,2,3\n", ["z", "x"], {"z": [3], "x": [1]}),
    ("a column asked twice", "x,y\n1,2\n", ["y", "y"], {"y": [2]}),
    ("what is not asked is not looked at", "x,when,x2,x2\n1,1_000,,?\n", ["x"], {"x": [1]}),
    ("Latin-1 in a column not asked", b"name,x\nCitro\xebn,1\n", ["x"], {"x": [1]}),
    ("semicolons", "x;y\n1;2\n3;4\n", None, {"x": [1, 3], "y": [2, 4]}),
    ("tabs", "x\ty z\n1\t2\n", None, {"x": [1], "y z": [2]}),
    ("bars", "x|y\n1|2\n", None, {"x": [1], "y": [2]}),
    ("blanks", "  x    y\n  1.5  2\n 10  -3 \n", None, {"x": [1.5, 10], "y": [2, -3]}),
    ("blanks and quotes", 'x "y ""z"""\n1 "2"\n', None, {"x": [1], 'y "z"': [2]}),
    ("a semicolon in one cell", "x,name\n1,a;b\n2,c\n", ["x"], {"x": [1, 2]}),
    ("semicolons in each cell", "x,name,y\n1,a;b,3\n2,c;d,4\n", ["x", "y"], {"x": [1, 2], "y": [3, 4]}),
    ("one column", "x\n1\n2\n", None, {"x": [1, 2]}),
    ("comments", "# of 2026\nx,y\n# first\n1,2\n#,\n", None, {"x": [1], "y": [2]}),
    ("a header that is a comment", "# made by hand\n# x y\n1 2\n3 4\n", None, {"x": [1, 3], "y": [2, 4]}),
    ("a header with a number sign", "#,x\n1,2\n", ["x"], {"x": [2]}),
    ("true and false", "x,y\nTRUE,1\nfalse,2\n", None, {"x": [1, 0], "y": [1, 2]}),
    ("no-break blanks", "x,y\n\u00a01\u00a0,2\n3,4\n", None, {"x": [1, 3], "y": [2, 4]}),
    ("no-break blanks in quotes", 'x,y\n"\u00a01\u00a0","2"\n3,4\n', None, {"x": [1, 3], "y": [2, 4]}),
    ("a cell of any length", f'x,note\n1,"{"z" * 200_000}"\n2,b\n', ["x"], {"x": [1, 2]}),
    ("UTF-16", "x,y\n1,2\n".encode("utf-16"), None, {"x": [1], "y": [2]}),
    ("gzip", gzip.compress(b"x,y\n1,2\n"), None, {"x": [1], "y": [2]}),
    ("bzip2", bz2.compress(b"x,y\n1,2\n"), None, {"x": [1], "y": [2]}),
    ("xz", lzma.compress(b"x,y\n1,2\n"), None, {"x": [1], "y": [2]}),
    ("gzip twice", gzip.compress(gzip.compress(b"x,y\n1,2\n")), None, {"x": [1], "y": [2]}),
    ("zip", zipped(b"x,y\n1,2\n"), None, {"x": [1], "y": [2]}),
    ("a first line that names the separator", "sep=;\nx;y\n1;2\n", None, {"x": [1], "y": [2]}),
    ("a line of blanks", "x,y\n1,2\n \t \n3,4\n", None, {"x": [1, 3], "y": [2, 4]}),
    ("a line of blanks in one column", "x\n1\n  \n3\n", None, {"x": [1, 3]}),
    ("every digit", "x\n0.1000000000000000055511151231257827\n5e-324\n1.7976931348623157e308\n", None,
     {"x": [0.1, 5e-324, 1.7976931348623157e308]}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "columns", "wanted"), [case[1:] for case in GOOD], ids=[case[0] for case in GOOD])
def test_reads(text, columns, wanted, reader, tmp_path):
    with read_table(saved(tmp_path, text), columns) as table:
        assert content(table) == wanted
        assert table.names == tuple(wanted)


BAD = [
    ("a word", "x,y\n1,2\n3,four\n", "cars.csv line 3, column 'y': 'four' is not a number; a formula has words as is("),
    ("empty", "x,y\n1,2\n3,\n", "cars.csv line 3, column 'y': '' is a missing cell; fill it in, or leave such rows out with "
     "drop_missing (--drop-missing)"),
    *[(word, f"x,y\n1,2\n{word},4\n", f"line 3, column 'x': {word!r} is a missing cell")
      for word in ("NA", "n/a", "NaN", "null", "None", "?", " ? ", "NULL", "nAn")],
    ("thousands", 'x,y\n"1,234,567.5",2\n', "column 'x': '1,234,567.5' has commas between its digits: thousands=','"),
    ("thousands by blanks", "x,y\n3 504,2\n", "line 2, column 'x': '3 504' has separators between its digits: say"),
    ("thousands by underscores", "x,y\n3_504,2\n", "line 2, column 'x': '3_504' has separators between its digits: say"),
    ("underscore", "x,y\n3_5,2\n", "line 2, column 'x': '3_5' is not a number"),
    ("decimal comma", 'x,y\n1,"3,5"\n', "line 2, column 'y': '3,5' has a decimal comma: decimal=',' (--decimal ,) reads it"),
    ("infinite", "x,y\n1,inf\n", "line 2, column 'y': 'inf' is not finite; give numbers up to 1.8e308"),
    ("too large", "x,y\n1,-1e999\n", "line 2, column 'y': '-1e999' is not finite"),
    ("digits of another script", "x,y\n1,٣\n", "line 2, column 'y': '٣' is not a number"),
    ("hexadecimal", "x,y\n1,0x10\n", "line 2, column 'y': '0x10' is not a number"),
    ("long", f"x,y\n1,{'z' * 500}\n", "line 2, column 'y': 'zzzzzzzzzzzz...zzzzzzzzzzzzz' is not a number"),
    ("short row", "x,y\n1,2\n3\n", "cars.csv line 3 has 1 cell and the header 2: separate cells by single commas"),
    ("long row", "x,y\n1,2\n3,4,5\n", "cars.csv line 3 has 3 cells and the header 2"),
    ("commas for decimals", "x,y\n3,5,1\n", "cars.csv line 2 has 3 cells and the header 2"),
    ("after blank lines", "x,y\n\n1,2\n3,z\n", "cars.csv line 4, column 'y': 'z' is not a number"),
    ("after a line break in a cell", 'q,y,z\n"a\nb",2,3\nc,4,z\n', "cars.csv line 4, column 'z': 'z' is not a number"),
    ("open quote", 'x,y\n1,"2\n', "cars.csv line 2: unexpected end of data; close every quote"),
    ("no rows", "x,y\n", "cars.csv has no row below its header: give at least one"),
    ("nothing", "", "cars.csv is empty: give a header and rows"),
    ("blank lines only", "\n\n", "cars.csv is empty: give a header and rows"),
    ("no such column", "x,z\n1,2\n", "cars.csv has no column 'y'; its columns are 'x', 'z': choose one of them"),
    ("Latin-1 in a cell", b"x,y\n1,2\n2,\xe9\n", "cars.csv line 3, column 'y' is not UTF-8: save the table as UTF-8"),
    ("Latin-1 in a name", b"x,\xe9\n1,2\n", "the header of cars.csv is not UTF-8: save the table as UTF-8"),
    ("UTF-16 without a mark", "x,y\n1,2\n".encode("utf-16-le"), "the header of cars.csv is not UTF-8: save the table as UTF-8"),
    ("half a character of UTF-16", "x,y\n1,2\n3,4".encode("utf-16") + b"\0", "cars.csv line 3, column 'y': '4\ufffd'"),
    ("damaged bits", gzip.compress(b"x,y\n1,2\n")[:10] + b"\xff" * 40, "cars.csv is packed, and damaged (Error -3 while"),
    ("damaged gzip", gzip.compress(b"x,y\n1,2\n")[:-6], "cars.csv is packed, and damaged (Compressed file ended before"),
    ("damaged zip", b"PK\x03\x04\x14\0\x06\0\x08\0", "cars.csv is a zip file, and damaged (File is not a zip file)"),
    ("two tables in a zip file", zipped(b"x\n1\n", b"x\n1\n"), "cars.csv is a zip file of 2 files: unpack it"),
    ("a comma of two meanings", 'x,y\n1,"7,661"\n', "column 'y': '7,661' has a comma that may be a decimal sign or separate "
     "thousands: say which, decimal=',' (--decimal ,) or thousands=',' (--thousands ,)"),
    ("points between digits", "x;y\n1;7.661,5\n", "has points between its digits: decimal=',' and thousands='.'"),
    ("a name with a unit", "x,y (cm)\n1,2\n", "has no column 'y'; its columns are 'x', 'y (cm)': did you mean 'y (cm)'?"),
    ("a date", "x,y\n1,2024-01-31\n", "column 'y': '2024-01-31' is a date: write days or seconds since a first one, which are"),
    ("a date of another country", "x,y\n1,31.01.2024 12:00\n", "'31.01.2024 12:00' is a date"),
    ("per cent", "x,y\n1,12.5 %\n", "'12.5 %' ends with a per cent sign: write the number alone, 12.5 or 0.125"),
    ("money", "x,y\n1,$2.50\n", "'$2.50' has a sign of money: write the number alone"),
    ("money after", "x,y\n1,2.50 €\n", "'2.50 €' has a sign of money"),
    ("units", "x,y\n(s),[m]\n1,2\n", "line 2, column 'x': '(s)' is in brackets, as units below a header are: take such a line"),
    ("a title above", "of 2020\nx,y\n1,2\n", "its columns are 'of 2020': choose it, or take the line out"),
    ("no header", "1.5,2\n3,4\n", "its columns are '1.5', '2': if that is its first row, say that it has no header"),
    ("a picture", b"\x89PNG\r\n\x1a\n\0\0", "cars.csv is a picture: give the table as CSV"),
    ("a column twice", "y,x,y\n1,2,3\n", "cars.csv has 2 columns called 'y'; its columns are 'y', 'x', 'y': rename them"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_says_what_is_wrong_and_where(text, message, reader, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved(tmp_path, text)
    with pytest.raises(InputValueError, match=re.escape(message)):
        read_table("cars.csv", lambda names: [*(n for n in names if n == "x"), "y", *(n for n in names if n == "z")])


def test_line_numbers_go_on_beyond_a_block(reader, tmp_path):
    lines = ["x,y", *(f"{i},1" for i in range(300_000)), "1,oops"]
    with pytest.raises(InputValueError, match=r"line 300002, column 'y': 'oops'"):
        read_table(saved(tmp_path, "\n".join(lines)))


def test_missing_cells_are_dropped_where_asked(reader, tmp_path):
    text = "x,y,name\n1,2,\n,3,a\n4,?,b\nNA,nan,c\n 5 ,6,d\n"
    with read_table(saved(tmp_path, text), ["x", "y"], drop_missing=True) as table:
        assert (content(table), table.dropped) == ({"x": [1, 5], "y": [2, 6]}, 3)
    with pytest.raises(InputValueError, match=r"line 3, column 'y': 'b' is not a number"):
        read_table(saved(tmp_path, "x,y\n1,NA\n2,b\n"), drop_missing=True)
    with pytest.raises(InputValueError, match=r"no row without a missing cell \(2 dropped\): give at least one"):
        read_table(saved(tmp_path, "x,y\n,1\n1,\n"), drop_missing=True)


def test_missing_cells_may_stay_where_told(reader, tmp_path):
    path = saved(tmp_path, "x,y\n1,2\n3,\n5,NA\n,7\n")
    with read_table(path, blank=["y"], drop_missing=True) as table:
        found = content(table)
        assert (found["x"], table.dropped) == ([1, 3, 5], 1)
        assert [found["y"][0], *map(math.isnan, found["y"][1:])] == [2, True, True]
    with pytest.raises(InputValueError, match=r"line 5, column 'x': '' is a missing cell"):
        read_table(path, blank=["y"])
    with pytest.raises(InputValueError, match=r"line 2, column 'y': 'inf' is not finite"):
        read_table(saved(tmp_path, "x,y\n1,inf\n"), blank=["y"])


NUMBERS = st.floats(allow_nan=False, allow_infinity=False).map(repr)
ODD = [
    "", " ", "NA", "Null", "#N/A", "<NA>", "-nan", "?", "1", " 3 ", "\t4", "+1", "1.", ".5", "1_0", "nan", "NaN", "nan(1)",
    "inf", "1e999", "1.7976931348623159e308", "2.4703282292062327e-324", "0x1", "true", "6,7", "6.5", "7.661,5", "\xa07",
    "8\x0b", "9\x00", "1 2", " x", "é", "\udce9", "\u2028", "#", "# c", '"4"', '" 4"', '"4,5"', '"a b"', '""', '" "', '"NA"',
    "x", '"x""y"', 'a"b', '"a"b', '"5', '"a\nb"', "\n", "\r\n",
]  # fmt: skip
ROWS = st.lists(st.lists(st.one_of(NUMBERS, NUMBERS, st.sampled_from(ODD)), min_size=2, max_size=2), min_size=1, max_size=5)
LOOSE = st.lists(st.sampled_from(['"', '""', ",", "\n", "\r", "1", "a", " ", "#"]), max_size=20).map("".join)
OPTIONS = st.fixed_dictionaries(
    {
        "drop_missing": st.booleans(), "raw": st.booleans(), "blank": st.sampled_from([(), ("y",)]),
        "text": st.sampled_from([(), (), ("x",)]), "sep": st.sampled_from([",", ";", "\t"]), "decimal": st.sampled_from(".,"),
        "comment": st.sampled_from(["#", "a", None]),
    }
)  # fmt: skip


def answers(path, options):
    """What each reader makes of a file, in values or in words."""
    for missing in READERS.values():
        with pytest.MonkeyPatch.context() as patch:
            for package in missing:
                patch.setitem(sys.modules, package, None)
            try:
                with read_table(path, **options) as table:
                    raw = table.raw and list(itertools.chain(*table.raw.blocks()))
                    yield repr(content(table)), table.levels, table.dropped, table.notes, raw
            except InputValueError as error:
                yield str(error)


@given(st.one_of(ROWS, ROWS, ROWS, LOOSE), OPTIONS, st.sampled_from(["\n", "\r\n", "\r"]))
def test_the_readers_of_csv_agree(tmp_path_factory, rows, options, end):
    lines = rows.replace(",", options["sep"]) if isinstance(rows, str) else end.join(map(options["sep"].join, rows)) + end
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_bytes(f"x{options['sep']}y{end}{lines}".encode(errors="surrogateescape"))
    first, *others = answers(path, options)
    assert others == [first, first]


@pytest.mark.parametrize("text", [(), ("y",)])
def test_the_readers_of_csv_agree_on_each_odd_cell(text, tmp_path):
    path = tmp_path / "t.csv"
    for cell in [*ODD, '"2\n3,4"\n5', 'a","b\n6', "1,2", "7\n8,9"]:
        path.write_bytes(f"x,y\n1,2\n3,{cell}\n4,5\n".encode(errors="surrogateescape"))
        first, *others = answers(path, {"drop_missing": True, "raw": True, "text": text})
        assert others == [first, first], cell


def test_decimals_are_rounded_right_by_every_reader(reader, tmp_path):
    draw = random.Random(0)
    bits = [struct.unpack("<d", draw.randbytes(8))[0] for _ in range(300)]
    between = [(Fraction(x) + Fraction(math.nextafter(x, 0))) / 2 for x in bits if math.isfinite(x)]
    with decimal.localcontext(decimal.Context(prec=1100)):  # as many digits as a number between two doubles has
        cells = [str(decimal.Decimal(x.numerator) / x.denominator) for x in between]
    cells += [f"{cell[: draw.randint(2, 30)]}1e{draw.randint(-300, 250)}" for cell in cells if "." in cell[:3]]
    with read_table(saved(tmp_path, "x,y\n" + "".join(f"{cell},1\n" for cell in cells)), ["x"]) as table:
        assert content(table)["x"] == [float(cell) for cell in cells]


@pytest.mark.parametrize("reader", ["pyarrow", "numpy"], indirect=True)
def test_plain_lines_are_read_many_at_once(reader, tmp_path, monkeypatch):
    monkeypatch.setattr(tables.texts.TextRows, "_one_by_one", None)
    assert content(read_table(saved(tmp_path, "x,name,y\n1,a,2\n 3 ,b,4e5\n"), ["x", "y"])) == {"x": [1, 3], "y": [2, 4e5]}


def test_words_in_quotes_and_rows_with_gaps_are_plain_to_pyarrow(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(tables.texts.TextRows, "_one_by_one", None)
    path = saved(tmp_path, 'site;y\n"a; b";1,5\nc;NA\n"a; b";2\n')
    with read_table(path, text=["site"], decimal=",", drop_missing=True) as table:
        assert (content(table), table.levels, table.dropped) == ({"site": [0, 0], "y": [1.5, 2]}, {"site": ["a; b"]}, 1)


def test_words_of_rows_that_are_left_out_are_not_there(reader, tmp_path):
    path = saved(tmp_path, "site,y\nA,1\nB,\nA,2\nC,3\n")
    with read_table(path, text=["site"], drop_missing=True) as table:
        assert (content(table)["site"], table.levels) == ([0, 0, 1], {"site": ["A", "C"]})
    with read_table(saved(tmp_path, "site\nA\n\u2028\n"), text=["site"], drop_missing=True) as table:
        assert (table.levels, table.dropped) == ({"site": ["A"]}, 0)  # a blank line is no row


def test_where_pyarrow_has_no_room_the_next_reader_goes_on(tmp_path, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow")

    def read_csv(*_):
        raise pyarrow.ArrowException("Failed to launch worker thread")

    monkeypatch.setattr("pyarrow.csv.read_csv", read_csv)
    assert content(read_table(saved(tmp_path, "x,y\n1,2\n3,4\n"))) == {"x": [1, 3], "y": [2, 4]}


def test_pyarrow_reads_no_text_for_those_who_have_little_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(tables.plain.Plain, "_by_arrow", None)
    assert content(read_table(saved(tmp_path, "x,y\n1,2\n"), memory=2**20)) == {"x": [1], "y": [2]}


def test_a_record_that_goes_on_beyond_a_block_of_lines(reader, tmp_path, monkeypatch):
    monkeypatch.setattr(tables.texts, "CELLS", 0)  # 64 lines at a time
    note = "\n".join(map(str, range(100)))
    lines = [f'{i},"{note if i % 50 == 40 else i}"' for i in range(200)]
    path = saved(tmp_path, "x,note\n" + "\n".join(lines))
    assert content(read_table(path, ["x"])) == {"x": [*range(200)]}
    with pytest.raises(InputValueError, match="line 598, column 'x': 'z' is not a number"):
        read_table(saved(tmp_path, "x,note\n" + "\n".join([*lines, "z,1"])), ["x"])


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputValueError, match="standard input is closed: give a file, or write to it through a pipe"):
        read_table("-")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x,y\n1,2\n")))
    assert content(read_table("-")) == {"x": [1], "y": [2]}
    assert not sys.stdin.closed
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x,y\n1,z\n")))
    with pytest.raises(InputValueError, match="standard input line 2, column 'y': 'z' is not a number"):
        read_table("-")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "none.csv")


def test_columns_as_one_string(tmp_path):
    with pytest.raises(InputTypeError, match=re.escape("columns='x' is a str: put it in a list, ['x']")):
        read_table(saved(tmp_path, "x,y\n1,2\n"), "x")


# -- Parquet ----------------------------------------------------------------------------------------------------------


def parquet(folder, **columns):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is only in the extra that reads Parquet")
    import pyarrow.parquet as pq

    path = folder / "cars.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=2)
    return path


def test_words_in_parquet(tmp_path):
    path = parquet(tmp_path, site=["A", "B", "A", "C"], y=[1.0, None, 2.0, 3.0], some=[[1], [2], [1], [3]])
    with read_table(path, text=["site", "some"], drop_missing=True) as table:
        assert content(table) == {"site": [0, 0, 1], "y": [1, 2, 3], "some": [0, 0, 1]}
        assert (table.levels, table.dropped) == ({"site": ["A", "C"], "some": ["[1]", "[3]"]}, 1)


def test_parquet(tmp_path):
    path = parquet(tmp_path, x=[1, 2, 3], y=[0.1, -2.5, 1e300], z=[True, False, True], name=["a", "b", "c"])
    with read_table(path, ["y", "x", "z"]) as table:
        assert content(table) == {"y": [0.1, -2.5, 1e300], "x": [1, 2, 3], "z": [1, 0, 1]}


def test_parquet_with_missing_cells_that_may_stay(tmp_path):
    path = parquet(tmp_path, x=[1, None, 3, 4], y=[1.0, 2.0, None, math.nan], z=[None] * 4)
    with read_table(path, blank=["y", "z"], drop_missing=True) as table:
        found = content(table)
        assert (found["x"], table.dropped) == ([1, 3, 4], 1)
        assert [found["y"][0], *map(math.isnan, [*found["y"][1:], *found["z"]])] == [1, *[True] * 5]
    with pytest.raises(InputValueError, match=r"cars.parquet row 2, column 'x': None is not a finite number; fill it in"):
        read_table(path, blank=["y", "z"])
    with pytest.raises(InputValueError, match=r"column 'z' holds null, not numbers"):
        read_table(path)
    with pytest.raises(InputValueError, match=r"cars.parquet row 1, column 'y': inf is not a finite number"):
        read_table(parquet(tmp_path, y=[math.inf]), blank=["y"])


def test_parquet_with_missing_cells(tmp_path):
    path = parquet(tmp_path, x=[1, None, 3, 4], y=[1.0, 2.0, 3.0, math.nan])
    with pytest.raises(InputValueError, match=r"cars.parquet row 2, column 'x': None is not a finite number; fill it in"):
        read_table(path)
    with pytest.raises(InputValueError, match=r"cars.parquet row 4, column 'y': nan is not a finite number"):
        read_table(path, ["y"])
    with read_table(path, drop_missing=True) as table:
        assert (content(table), table.dropped) == ({"x": [1, 3], "y": [1, 3]}, 2)
    path = parquet(tmp_path, x=[1.0, 2.0, None, None, 5.0])  # a group of which no row is left
    with read_table(path, drop_missing=True) as table:
        assert (content(table), table.dropped) == ({"x": [1, 2, 5]}, 2)


def test_parquet_in_many_batches(tmp_path, monkeypatch):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is only in the extra that reads Parquet")
    import pyarrow.parquet as pq

    x = [0.5 * i for i in range(100)]
    pq.write_table(pa.table({"x": x, "y": list(range(100))}), tmp_path / "t.parquet")
    monkeypatch.setattr(tables.arrow, "CELLS", 10)
    with read_table(tmp_path / "t.parquet") as table:
        assert content(table) == {"x": x, "y": [*range(100)]}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"x": ["a", "b"]}, "cars.parquet, column 'x' holds string, not numbers: convert it, or choose another"),
        ({"y": [1, 2]}, "cars.parquet has no column 'x'; its columns are 'y': choose one of them"),
        ({"x": [1.0, math.inf]}, "cars.parquet row 2, column 'x': inf is not a finite number"),
    ],
    ids=["text", "no such column", "infinite"],
)
def test_parquet_says_what_is_wrong(columns, message, tmp_path):
    with pytest.raises(InputValueError, match=re.escape(message)):
        read_table(parquet(tmp_path, **columns), ["x"])


def test_what_a_file_is_its_first_bytes_say(tmp_path):
    assert content(read_table(saved(tmp_path, "x,y\n1,2\n", "cars.parquet"))) == {"x": [1], "y": [2]}
    plain = parquet(tmp_path, x=[1.0, 2.0]).rename(tmp_path / "cars")
    assert content(read_table(plain)) == {"x": [1, 2]}
    packed = saved(tmp_path, gzip.compress(plain.read_bytes()), "cars.gz")
    assert content(read_table(packed)) == {"x": [1, 2]}


def whole(kind, folder):
    """A sound table of some kind, as bytes."""
    text = ("x,name\n" + "".join(f"{i}.5,a{i}\n" for i in range(300))).encode()
    packed = {"csv": bytes, "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
    if kind in packed:
        return packed[kind](text)
    if kind == "zip":
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("t.csv", text)
        return file.getvalue()
    if kind == "xlsx":
        return workbook(folder, ["x", "name"], *([i + 0.5, f"a{i}"] for i in range(40))).read_bytes()
    if kind == "parquet":
        return parquet(folder, x=[i + 0.5 for i in range(100)], name=["a"] * 100).read_bytes()
    pa = pytest.importorskip("pyarrow", reason="pyarrow is only in the extra that reads Parquet and Feather")
    from pyarrow import feather

    columns = {"x": [i + 0.5 for i in range(100)], "name": ["a", "b"] * 50}
    feather.write_feather(pa.table(columns), folder / "t", compression=kind.partition(" ")[2])
    return (folder / "t").read_bytes()


@pytest.mark.parametrize("kind", ["csv", "gz", "bz2", "xz", "zip", "xlsx", "parquet", "feather lz4", "feather uncompressed"])
def test_damaged_files_are_named(kind, tmp_path):
    data = whole(kind, tmp_path)
    rng = random.Random(0)
    named = refused = 0
    for i in range(150):
        broken = bytearray(data)
        if i % 3 == 0:
            broken = broken[: rng.randrange(4, len(broken))]
        for _ in range(8 if i % 3 == 1 else 1):
            at = rng.randrange(4, max(5, len(broken) - 8))
            broken[at : at + (8 if i % 3 == 2 else 1)] = rng.randbytes(8 if i % 3 == 2 else 1)
        try:
            with read_table(saved(tmp_path, bytes(broken), "broken"), ["x"], text=["name"], raw=True) as table:
                assert table.rows
        except InputValueError as error:
            named += "broken" in str(error)
            refused += 1
    assert named == refused > 40


def test_feather(tmp_path):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is only in the extra that reads Parquet and Feather")
    from pyarrow import feather

    feather.write_feather(pa.table({"x": [1.0, 2.5], "n": [3, None], "w": ["b", "a"]}), tmp_path / "t")
    with read_table(tmp_path / "t", ["x", "n", "w"], text=["w"], blank=["n"]) as table:
        assert [content(table)[name] for name in "xw"] == [[1, 2.5], [0, 1]]
        assert table.levels == {"w": ["b", "a"]}
        assert table.header == ["x", "n", "w"]
    with pytest.raises(InputValueError, match=r"cars.csv is Feather of version 1: write it again"):
        read_table(saved(tmp_path, b"FEA1" + bytes(20)))


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match="needs pyarrow, which is not installed: pip install 'autograd-lite"):
        read_table(saved(tmp_path, b"PAR1", "cars.PARQUET"))


# -- Excel ------------------------------------------------------------------------------------------------------------


def workbook(folder, *rows, sheets=1):
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl is only in the extra that reads Excel")
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for _ in range(sheets - 1):
        book.create_sheet()
    book.save(folder / "cars.xlsx")
    return folder / "cars.xlsx"


def test_excel(tmp_path):
    rows = [], ["Weight (kg)", "ok", "name"], [1.5, True, "a"], [None, None, None], ["2", False, "b"]
    path = workbook(tmp_path, *rows, sheets=2)
    with read_table(path, text=["name"]) as table:
        assert content(table) == {"Weight (kg)": [1.5, 2], "ok": [1, 0], "name": [0, 1]}
        assert table.notes == [f"{path} is read from its first sheet, 'Sheet', of 2"]


def test_excel_says_what_is_wrong(tmp_path):
    path = workbook(tmp_path, ["x", "y"], [1, None], [3, "z"])
    with pytest.raises(InputValueError, match=r"cars.xlsx row 2, column 'y': None is a missing cell; fill it in"):
        read_table(path)
    with pytest.raises(InputValueError, match=r"cars.xlsx row 3, column 'y': 'z' is not a number"):
        read_table(path, drop_missing=True)
    with read_table(path, ["x"]) as table:
        assert content(table) == {"x": [1, 3]}
    with pytest.raises(InputValueError, match=r"cars.csv is a workbook that cannot be read .*: save it again, or as CSV"):
        read_table(saved(tmp_path, zipped(b"<", name="xl/workbook.xml")))


def test_excel_without_openpyxl(tmp_path, monkeypatch):
    path = workbook(tmp_path, ["x"], [1])
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(
        MissingPackageError, match=r"needs openpyxl, which is not installed: pip install 'autograd-lite\[excel\]'"
    ):
        read_table(path)


# -- dialects ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "options", "wanted"),
    [
        ("x;y\n1,5;-2,5e-1\n", {"decimal": ","}, {"x": [1.5], "y": [-0.25]}),
        ("x;y\n7.661,5;1.000\n", {"decimal": ",", "thousands": "."}, {"x": [7661.5], "y": [1000]}),
        ('x;y\n"7,661";1\n', {"thousands": ","}, {"x": [7661], "y": [1]}),
        ("x;y\n7'661.5;1 \n", {"thousands": "'"}, {"x": [7661.5], "y": [1]}),
        ("x;y\n7\u202f661;8 000\n", {"thousands": " "}, {"x": [7661], "y": [8000]}),
        ("x,y\n1,2\n", {"sep": "comma"}, {"x": [1], "y": [2]}),
        ("x:y\n1:2\n", {"sep": ":"}, {"x": [1], "y": [2]}),
        ("x y\n1\t 2\n", {"sep": " "}, {"x": [1], "y": [2]}),
        ("1,2\n3,4\n", {"header": False}, {"c1": [1, 3], "c2": [2, 4]}),
        ("%x,y\nx,y\n1,2\n", {"comment": "%"}, {"x": [1], "y": [2]}),
        ("#x,y\n1,2\n", {"comment": None}, {"#x": [1], "y": [2]}),
    ],
)
def test_dialects(text, options, wanted, reader, tmp_path):
    assert content(read_table(saved(tmp_path, text), **options)) == wanted


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("x;y\n1;1.234\n", {"decimal": ","}, "'1.234' has a decimal point where decimal=',' (--decimal ,) says comma"),
        ("x;y\n1;12,34\n", {"thousands": ","}, "'12,34' has a decimal comma: decimal=','"),
        ("x,y\n1,2\n", {"sep": "ab"}, "sep='ab' must be one sign between cells"),
        ("x,y\n1,2\n", {"decimal": ";"}, "decimal=';' must be . or ,"),
        ("x,y\n1,2\n", {"thousands": "x"}, "thousands='x' must be one of , . ' _ or a blank"),
        ("x,y\n1,2\n", {"thousands": "."}, "thousands='.' and decimal='.' must be two signs"),
    ],
)
def test_dialects_say_what_is_wrong(text, options, message, reader, tmp_path):
    with pytest.raises(InputValueError, match=re.escape(message)):
        read_table(saved(tmp_path, text), **options)


def test_what_was_guessed_is_said(reader, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved(tmp_path, "# x; y\n1;2\n# 3;4\n5;6\n")
    table = read_table("cars.csv")
    assert table.notes == [
        "cars.csv has cells separated by semicolons; --sep says otherwise",
        "the names of the columns of cars.csv are from the comment above its first row",
        "1 line that begins with # was passed over as a comment; --comment '' reads such lines as rows",
    ]
    assert content(table) == {"x": [1, 5], "y": [2, 6]}
    saved(tmp_path, "1,2\n")
    assert read_table("cars.csv", header=False).notes == ["cars.csv is read without a header: its columns are c1, c2"]


def test_columns_of_words(reader, tmp_path):
    path = saved(tmp_path, "x,who\n1,b\n2, a \n3,b\n4,NA\n")
    with read_table(path, text=["who"], drop_missing=True) as table:
        assert (content(table), table.dropped) == ({"x": [1, 2, 3], "who": [0, 1, 0]}, 1)
        assert table.levels == {"who": ["b", "a"]}
    with pytest.raises(InputValueError, match="line 5, column 'who': 'NA' is a missing cell"):
        read_table(path, text=["who"])
    with read_table(path, text={"who": ["c", "a"]}, drop_missing=True) as table:
        assert (content(table)["who"], table.levels) == ([2, 1, 2], {"who": ["c", "a", "b"]})


def rows_of(table):
    return [table.raw.header, *(row for block in table.raw.blocks() for row in block)]


def test_rows_as_they_stand(reader, tmp_path):
    text = ' x ,who,y\r\n1, b ,2\r\n# no row\r\n,a,3\r\n\r\n"4","c,\r\nd",1e0\r\n'
    with read_table(saved(tmp_path, text), ["x"], drop_missing=True, raw=True) as table:
        assert (content(table), table.header) == ({"x": [1, 4]}, ["x", "who", "y"])
        assert rows_of(table) == [" x ,who,y", "1, b ,2", '"4","c,\r\nd",1e0']
        assert (table.raw.sep, table.raw.end) == (",", "\r\n")
    for text, options, wanted in [
        ("1;2\n3;4\n", {"header": False}, ["c1;c2", "1;2", "3;4"]),
        ("# a name, b\n1,2\n3,4\n", {}, ["a name,b", "1,2", "3,4"]),
        ("x  y\n 1  2\n", {}, ["x  y", " 1  2"]),
        ("x,y\n1,2\n", {"memory": 1}, ["x,y", "1,2"]),
        (b"x,y\n1,\xe9\n", {}, ["x,y", "1,\udce9"]),
        ("x,y\r1,2\r3,4", {}, ["x,y", "1,2", "3,4"]),
    ]:
        with read_table(saved(tmp_path, text), lambda names: names[:1], raw=True, **options) as table:
            assert rows_of(table) == wanted


def test_rows_of_other_files_as_they_stand(tmp_path):
    path = parquet(tmp_path, x=[1.0, None, 2.5], who=["a", 'b "c"', None], n=[[1], [2], None])
    with read_table(path, ["x"], drop_missing=True, raw=True) as table:
        assert rows_of(table) == ["x,who,n", "1,a,[1]", "2.5,,"]
    with read_table(workbook(tmp_path, ["x", "who"], [1, "a,b"], [2.5]), ["x"], raw=True) as table:
        assert rows_of(table) == ["x,who", '1,"a,b"', "2.5,"]


@pytest.mark.parametrize("word", ["#N/A", "#NA", " #n/a "])
def test_a_missing_cell_at_the_beginning_of_a_line_is_no_comment(word, reader, tmp_path):
    with read_table(saved(tmp_path, f"x,y\n{word},1\n2,3\n# 4,5\n"), drop_missing=True) as table:
        assert (content(table), table.dropped) == ({"x": [2], "y": [3]}, 1)
    for error in ("#VALUE!", "#DIV/0!", "#REF!", "#NAME?", "#NUM!", "#NULL!"):
        with pytest.raises(InputValueError, match=re.escape(f"line 3, column 'x': {error!r} is not a number")):
            read_table(saved(tmp_path, f"x,y\n1,2\n{error},1\n"))


def test_lines_above_the_header_are_named(reader, tmp_path):
    with pytest.raises(InputValueError, match="line 2 has 2 cells and the header 1: take out lines above the header, or say"):
        read_table(saved(tmp_path, "of 2020\nx,y\n1,2\n"))


OTHERS = {
    b"\xd0\xcf\x11\xe0\xa1\xb1": "a workbook of an old Excel",
    b"SQLite format 3\0": "an SQLite database",
    b"\x89HDF\r\n": "HDF5",
    b"\x93NUMPY\x01": "an array of NumPy",
    b"\x28\xb5\x2f\xfd": "packed by zstd",
    b"\x04\x22\x4d\x18": "packed by lz4",
    b"%PDF-1.7\n": "a PDF",
    b"<!DOCTYPE html>": "a page of HTML",
    b"\xef\xbb\xbf\n<html>": "a page of HTML",
    b'[{"x": 1}]': "JSON",
    b"\x80\x04\x95\0": "a pickle, which is never opened",
    b"RDX3\nX": "R's own format",
    zipped(b"a", name="mimetype"): "a document of OpenOffice",
    gzip.compress(bytes(257) + b"ustar"): "a tar archive",
    gzip.compress(b"%PDF"): "a PDF",
}


@pytest.mark.parametrize("content", OTHERS, ids=OTHERS.values())
def test_other_kinds_of_files_are_named(content, tmp_path):
    with pytest.raises(InputValueError, match=f"t.csv is {OTHERS[content]}"):
        read_table(saved(tmp_path, content, "t.csv"))


@pytest.mark.parametrize("word", ["#N/A", "<NA>", "-nan", "#NA", " N/A ", "1.#QNAN"])
def test_what_other_programs_write_for_a_missing_cell(word, reader, tmp_path):
    with read_table(saved(tmp_path, f"x,y\n1,{word}\n2,3\n"), drop_missing=True) as table:
        assert (content(table), table.dropped) == ({"x": [2], "y": [3]}, 1)


def test_many_columns_are_not_compared_with_each_other(tmp_path):
    names = [f"c{i}" for i in range(20_000)]
    path = saved(tmp_path, ",".join(names) + "\n" + ",".join(["1"] * len(names)) + "\n")
    counted = Counter()

    class Name(str):
        __slots__ = ()

        def __eq__(self, other):
            counted["comparisons"] += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    with read_table(path, lambda found: [Name(n) for n in found]) as table:
        assert len(table.names) == len(names)
    assert counted["comparisons"] < 20 * len(names)


# -- Table ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 40), max_size=6), st.sampled_from([0, 100, 10_000]), st.data())
def test_a_table_reads_the_same_from_memory_and_from_files(lengths, memory, data):
    rows = sum(lengths)
    x, y = [float(i) for i in range(rows)], [-0.5 * i for i in range(rows)]
    cuts = [sum(lengths[:i]) for i in range(len(lengths) + 1)]
    blocks = [(x[a:b], y[a:b]) for a, b in itertools.pairwise(cuts)]
    start = data.draw(st.integers(0, rows))
    stop = data.draw(st.integers(start, rows))
    with Table(["x", "y"], blocks, memory=memory) as table:
        assert table.rows == rows
        found = {name: column.tolist() for name, column in table.read(start, stop).items()}
        assert found == {"x": x[start:stop], "y": y[start:stop]}


def test_beyond_its_memory_a_table_keeps_its_numbers_in_files():
    with Table(["x"], ([[1.0] * 10] for _ in range(3)), memory=100) as table:
        assert len(table._files) == 1
        assert sum(len(column.view()) for column in table._columns) == 0


@pytest.mark.parametrize("memory", [0, 2**30])
@pytest.mark.parametrize("lengths", [(0,), (7, 600), (511,), (512,), (513, 1, 0, 5000), (65536, 65536, 17), (40_000,) * 4])
def test_columns_begin_at_lines_of_the_cache_each_at_another(lengths, memory):
    rows = sum(lengths)
    numbers = [array("d", range(j, rows + j)) for j in range(12)]
    cuts = [0, *itertools.accumulate(lengths)]
    blocks = [[column[a:b] for column in numbers] for a, b in itertools.pairwise(cuts)]
    with Table([f"x{j}" for j in range(12)], blocks, memory=memory) as table:
        found = [*table.read(0, rows).values()]
        assert [*map(bytes, found)] == [*map(bytes, numbers)]
        if rows >= 512:
            at = [ctypes.addressof(ctypes.c_char.from_buffer(column)) for column in found]
            assert [a % 64 for a in at] == [0] * 12
            assert len({a % 4096 for a in at}) == 12


def test_a_list_given_as_a_column_is_copied_to_a_line_of_the_cache_and_an_array_is_not():
    np = pytest.importorskip("numpy")
    own = np.arange(5001.0)[1:]
    rows = Rows((list(range(5000)), own, tuple(range(5000))))
    a, b, c = rows.read(0, 5000)
    assert [a.ctypes.data % 64, c.ctypes.data % 64] == [0, 0]
    assert a.ctypes.data % 4096 != c.ctypes.data % 4096
    assert b.ctypes.data == own.ctypes.data
    assert a.tolist() == c.tolist() == [*range(5000)]


def test_split():
    x = [float(i) for i in range(1000)]
    with Table(["x", "y"], [(x, x)]) as table:
        kept, held = table.split(0.2, seed=3)
        assert (kept.rows, held.rows) == (800, 200)
        parts = content(kept)["x"], content(held)["x"]
        assert sorted([*parts[0], *parts[1]]) == x
        assert all(part == sorted(part) for part in parts)
        assert content(kept)["x"] == content(kept)["y"]
        assert content(table.split(0.2, seed=3)[1])["x"] == parts[1]
        assert content(table.split(0.2, seed=4)[1])["x"] != parts[1]
        assert 60 < sum(i < 500 for i in parts[1]) < 140


def test_a_split_of_a_large_table_is_streamed(monkeypatch):
    monkeypatch.setattr(tables.table, "CELLS", 7)
    with Table(["x"], [[[float(i) for i in range(100)]]], memory=0) as table:
        kept, held = table.split(0.3, memory=0)
        assert (kept.rows, held.rows) == (70, 30)
        assert kept._files
        assert sorted(content(kept)["x"] + content(held)["x"]) == content(table)["x"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Table(["x", "x"], []), "names=['x', 'x'] must be different: rename a column"),
        (lambda: Table(["x", "y"], [([1.0], [1.0, 2.0])]), "a block of columns of [1, 2] rows for 2 names: fill it up"),
        (lambda: Table(["x", "y"], [([1.0],)]), "a block of columns of [1] rows for 2 names: fill it up"),
        (lambda: Table(["x"], [([1.0],)]).read(0, 2), "start=0, stop=2 must be rows of a table of 1, in order"),
        (lambda: Table(["x"], [([1.0],)]).split(0.5), "holdout=0.5 of 1 rows must leave at least one row on each side"),
        (lambda: Table(["x"], [([1.0] * 9,)]).split(1.5), "holdout=1.5 of 9 rows must leave at least one row on each side"),
    ],
)
def test_tables_say_what_is_wrong(make, message):
    with pytest.raises(InputValueError, match=re.escape(message)):
        make()


def test_a_python_without_a_packer_reads_what_it_can(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lzma", None)
    (tmp_path / "plain.csv").write_text("x,y\n1,2\n")
    (tmp_path / "packed.csv").write_bytes(b"\xfd7zXZ\x00" + b"0" * 20)
    assert [*read_table(tmp_path / "plain.csv").names] == ["x", "y"]
    with pytest.raises(MissingPackageError, match=r"packed\.csv is packed by lzma, which this Python was built without"):
        read_table(tmp_path / "packed.csv")


def test_a_comment_with_a_quote_above_the_header_is_a_comment(tmp_path):
    (tmp_path / "cars.csv").write_text('# 5" wide\nx,y\n1,2\n')
    assert read_table(tmp_path / "cars.csv").names == ("x", "y")


# -- every dialect, packed and quoted in every way, beside an independent reader ---------------------------------------

NUMBERS = [1234567.25, -0.5, 7661.0, 0.0, 12.0, -1234.5, 3.25e9, 0.001]
PACKED = {"": bytes, "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zip": zipped}


def in_dialect(sep, decimal, thousands, quoting, end):
    """A table of numbers and words in a dialect, or None where quotes would be needed and are not allowed."""
    signs = str.maketrans({",": thousands or "", ".": decimal})
    cells = [(f"{x:,.3f}" if thousands else f"{x:.3f}").translate(signs) for x in NUMBERS]
    rows = [["x", "y", "who"], *([a, b, "w"] for a, b in itertools.pairwise(cells))]
    if quoting == "none" and any(sep in cell for row in rows for cell in row):
        return None
    quoted = (lambda cell: f'"{cell}"') if quoting == "all" else (lambda cell: f'"{cell}"' if sep in cell else cell)
    return "".join(sep.join(map(quoted, row)) + end for row in rows)


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("sep", [",", ";", "\t", "|", " "])
def test_every_dialect(sep, decimal, reader, tmp_path):
    wanted = [list(column) for column in zip(*itertools.pairwise(NUMBERS), strict=True)]
    ways = itertools.product([None, ",", ".", "'", " ", "_"], ["none", "needed", "all"], ["\n", "\r\n", "\r"], PACKED)
    tried = 0
    for thousands, quoting, end, pack in ways:
        if thousands == decimal or (pack and (end != "\n" or thousands)):
            continue
        text = in_dialect(sep, decimal, thousands, quoting, end)
        for told in (sep, None) if text else ():
            path = saved(tmp_path, PACKED[pack](text.encode()), "t")
            with read_table(path, ["x", "y"], sep=told, decimal=decimal, thousands=thousands) as table:
                assert list(content(table).values()) == wanted, (thousands, quoting, end, pack, told)
            tried += 1
    assert tried > 50


@pytest.mark.parametrize("thousands", [None, ",", ".", "'", " ", "_", "\u202f", "\u00a0"])
@pytest.mark.parametrize("decimal", [".", ","])
def test_what_may_be_meant_in_two_ways_is_asked(decimal, thousands, reader, tmp_path):
    """Read without options, a number is what it is or an error; but 7.661 is seven and a bit, as it is everywhere here."""
    for number, places in itertools.product([7661.0, 1234.5, 1234567.0, 0.125, 7.661], [0, 1, 3]):
        plain = f"{number:,.{places}f}" if thousands else f"{number:.{places}f}"
        cell = plain.translate(str.maketrans({",": thousands or "", ".": decimal}))
        for sep in (",", ";", "\t", "|"):
            try:
                found = content(read_table(saved(tmp_path, f'x{sep}y\n"{cell}"{sep}1\n"{cell}"{sep}2\n')))["x"][0]
            except InputValueError:
                continue
            assert found == float(f"{number:.{places}f}") or re.fullmatch(r"\d\.\d{3}", cell)


def test_a_table_whose_files_are_closed_has_nothing_to_do_when_it_goes(tmp_path, monkeypatch):
    """Ctrl-C that comes while an object goes reaches nobody, so that no Python of ours runs there."""
    path = tmp_path / "t.csv"
    path.write_text("x\n1\n2\n", encoding="utf-8")
    ended = []
    monkeypatch.setattr(module, "_closed", ended.append)
    for memory in (2**20, 1):
        table = read_table(path, raw=True, memory=memory)
        table.close()
        del table
    assert ended == []
    table = read_table(path, memory=1)
    del table
    assert len(ended) == 1
    ended[0].close()


def test_ctrl_c_while_a_table_goes_is_raised_a_moment_later(tmp_path, monkeypatch):
    again = []
    monkeypatch.setattr(module, "interrupt_again", lambda: again.append(1))
    table = module.Table(["x"], [([1.0],)], memory=0)

    def interrupted():
        raise KeyboardInterrupt

    table._stack.callback(interrupted)
    del table
    assert again == [1]


def test_of_a_parquet_file_no_more_is_in_memory_than_is_looked_at(tmp_path, monkeypatch):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    arrow = importlib.import_module("autograd_lite.tables.arrow")
    path, taken = tmp_path / "t.parquet", []
    table = pa.table({"x": random.Random(0).choices(range(10**9), k=40_000)})
    pq.write_table(table, path, row_group_size=10_000, use_dictionary=False, data_page_size=5_000)
    monkeypatch.setattr(arrow, "PIECE", 10_000)
    monkeypatch.setattr(arrow, "CELLS", 1_000)

    class Counted(io.FileIO):
        def read(self, size=-1):
            taken.append(size)
            return super().read(size)

    with Counted(path) as file:
        rows = arrow.Arrow(str(path), file, "parquet", Wanted(lambda header: header))
        next(rows.blocks())
    assert sum(taken) < path.stat().st_size / 2
    assert -1 not in taken


def test_a_parquet_page_that_is_not_what_was_written_is_refused(tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "t.parquet"
    numbers = [1.5 + i for i in range(300)]
    options = {"compression": "none", "use_dictionary": False, "write_page_checksum": True}
    pq.write_table(pa.table({"x": numbers}), path, **options)
    raw = path.read_bytes()
    at = raw.index(array("d", numbers[7:9]).tobytes())
    path.write_bytes(raw[:at] + b"\x01" + raw[at + 1 :])
    with pytest.raises(InputValueError, match=r"t\.parquet"), read_table(path) as table:
        table.read(0, table.rows)
