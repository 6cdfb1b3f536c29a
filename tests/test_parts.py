"""Many files that are one table."""

import os

import pytest

from autograd_lite.errors import InputTypeError, InputValueError
from autograd_lite.tables import Joined, Parts, Table, read_part, read_table
from autograd_lite.tables.parts import expand, is_many


@pytest.fixture
def folder(tmp_path):
    for i, name in enumerate(["b.csv", "a.csv", "c.csv.gz", "notes.md", ".hidden.csv", "_part.csv"]):
        text = f"x,y,kind\n{i},{10 * i},k{i}\n".encode()
        if name.endswith(".gz"):
            import gzip

            text = gzip.compress(text)
        (tmp_path / name).write_bytes(text)
    return tmp_path


def test_a_folder_is_its_tables_in_the_order_of_their_names(folder):
    assert [os.path.basename(part.path) for part in Parts(folder)] == ["a.csv", "b.csv", "c.csv.gz"]
    assert [part.table().read(0, 1)["x"].tolist() for part in Parts(str(folder), ["x"])] == [[1.0], [0.0], [2.0]]


def test_a_pattern_and_a_list(folder):
    assert [os.path.basename(part.path) for part in Parts(f"{folder}/[ab].csv")] == ["a.csv", "b.csv"]
    assert [part.path for part in Parts([folder / "b.csv", folder / "a.csv"])] == [f"{folder}/b.csv", f"{folder}/a.csv"]


def test_what_is_many(folder):
    assert [is_many(f"{folder}{end}") for end in ("", "/*.csv", "/a.csv")] == [True, True, False]
    (folder / "odd[1].csv").write_text("x\n1\n")
    assert not is_many(f"{folder}/odd[1].csv")


@pytest.mark.parametrize(
    ("paths", "said"), [([], "the list of files has no file"), ("nothing/*.csv", r"the pattern 'nothing/\*.csv' has no file")]
)
def test_no_file_is_meant(paths, said):
    with pytest.raises(InputValueError, match=said):
        expand(paths)


def test_an_empty_folder(tmp_path):
    with pytest.raises(InputValueError, match=r"the folder .* has no file in it: give a folder of tables"):
        list(Parts(tmp_path))


def test_files_of_two_tables(folder):
    (folder / "b.csv").write_text("x,z\n1,2\n")
    with pytest.raises(InputValueError, match=r"b\.csv has no column 'y', which .*a\.csv has; its columns are 'x', 'z': give"):
        list(Parts(folder, ["x", "y"]))


def test_columns_in_another_order_are_the_same_columns(folder):
    (folder / "b.csv").write_text("y,kind,x\n5,k,4\n")
    assert [part.table().read(0, 1)["x"].tolist() for part in Parts(folder, ["x", "y"])] == [[1.0], [4.0], [2.0]]


def test_standard_input_is_not_many():
    with pytest.raises(InputTypeError, match="standard input cannot be read twice"):
        list(Parts(["-"]))


def test_a_file_without_rows_has_none(folder):
    (folder / "b.csv").write_text("x,y,kind\n")
    assert [part.table().rows for part in Parts(folder, ["x"])] == [1, 0, 1]
    with pytest.raises(InputValueError, match="has no row below its header"):
        read_table(folder / "b.csv")


def test_a_bad_cell_is_named_with_its_file_line_and_column(folder):
    (folder / "b.csv").write_text("x,y,kind\n1,2,k\n1,oops,k\n")
    with pytest.raises(InputValueError, match=r"b\.csv line 3, column 'y'"):
        [part.table() for part in Parts(folder, ["x", "y"])]


def test_a_file_that_changed_is_refused(folder):
    parts = list(Parts(folder, ["x"]))
    (folder / "b.csv").write_text("x,y,kind\n7,8,k\n9,9,k\n")
    assert parts[0].table().rows == 1
    with pytest.raises(InputValueError, match=r"b\.csv has changed since the run began"):
        parts[1].table()


def test_rows_left_out_are_counted(folder):
    (folder / "b.csv").write_text("x,y,kind\n,2,k\n1,2,k\n3,4,k\n")

    def keep(table, memory):
        block = [x for x in table.read(0, table.rows)["x"].tolist() if x < 3]
        return Table(["x"], [[block]], memory=memory), table.rows - len(block)

    table = list(Parts(folder, ["x"], keep=keep, drop_missing=True))[1].table()
    assert (table.rows, table.dropped, table.left) == (1, 1, 1)


def test_words_have_the_numbers_given(folder):
    table = read_part(str(folder / "a.csv"), ["kind", "x"], levels={"kind": ["k7", "k1"]})
    assert table.read(0, 1)["kind"].tolist() == [1.0]


@pytest.mark.parametrize(("start", "stop"), [(0, 1000), (0, 1), (999, 1000), (250, 650), (300, 600), (299, 301)])
def test_rows_of_a_parquet_file(tmp_path, start, stop):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    numbers = [float(i) for i in range(1000)]
    pq.write_table(pa.table({"x": numbers, "y": numbers[::-1]}), tmp_path / "t.parquet", row_group_size=300)
    table = read_part(str(tmp_path / "t.parquet"), ["y", "x"], rows=(start, stop))
    assert table.read(0, table.rows)["x"].tolist() == numbers[start:stop]


def test_a_bad_cell_among_rows_of_a_parquet_file(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"x": [1.0] * 900 + [None] + [1.0] * 99}), tmp_path / "t.parquet", row_group_size=300)
    assert read_part(str(tmp_path / "t.parquet"), ["x"], rows=(0, 900)).rows == 900
    with pytest.raises(InputValueError, match="row 901, column 'x'"):
        read_part(str(tmp_path / "t.parquet"), ["x"], rows=(700, 1000))


def test_many_files_are_one_table(folder):
    table = Joined(Parts(folder, ["x", "kind"], text=["kind"]))
    assert (table.rows, table.ends, table.levels) == (3, [1, 2, 3], {"kind": ["k1", "k0", "k2"]})
    assert {n: c.tolist() for n, c in table.read(1, 3).items()} == {"x": [0.0, 2.0], "kind": [1.0, 2.0]}
    assert [t.rows for t in table.split(0.34)] == [2, 1]


def test_many_files_beyond_memory(folder):
    table = Joined(Parts(folder, ["x", "y"], memory=0))
    assert table.read(0, 3)["y"].tolist() == [10.0, 0.0, 20.0]


def test_many_files_without_rows(folder):
    for name in ("a.csv", "b.csv", "c.csv"):
        (folder / name).write_text("x,y,kind\n")
    os.unlink(folder / "c.csv.gz")
    with pytest.raises(InputValueError, match="the 3 files have no row that counts"):
        Joined(Parts(folder, ["x"]))


def test_sums_go_file_by_file(tmp_path):
    from autograd_lite.fit.rows import Rows

    class Trace:
        def leaf(self, leaves, columns):
            return f"{len(columns[0])}"

        def both(self, a, b):
            return f"({a} {b})"

    for i, rows in enumerate([3, 0, 2]):
        (tmp_path / f"{i}.csv").write_text("x\n" + "1\n" * rows)
    assert Rows(Parts(tmp_path)).total(Trace(), ()) == "(3 2)"
    rows = Rows({"x": [0.0] * (3 * 2**16 + 5)})
    assert rows.total(Trace(), ()) == "((65536 65536) (65536 5))"


def test_a_condition_keeps_rows_file_by_file(tmp_path):
    import pickle

    from autograd_lite.fit.rows.where import Where, without_lost_words

    for i, rows in enumerate(["1,a\n2,b\n3,a\n", "4,c\n", "5,b\n1,c\n"]):
        (tmp_path / f"{i}.csv").write_text("x,kind\n" + rows)
    table = Joined(Parts(tmp_path, text=["kind"]))
    kept, left = pickle.loads(pickle.dumps(Where("(x > 1) * (1 - is(kind, 'a'))")))(table)
    assert (kept.read(0, 3)["x"].tolist(), kept.ends, left, kept.left) == ([2.0, 4.0, 5.0], [1, 2, 3], 3, 3)
    assert kept.levels == {"kind": ["a", "b", "c"]}
    less = without_lost_words(kept)
    assert (less.levels, less.read(0, 3)["kind"].tolist(), less.ends) == ({"kind": ["b", "c"]}, [0.0, 1.0, 0.0], [1, 2, 3])


def test_the_command_fits_many_files_as_one(tmp_path):
    from tests.cli.command import printed

    rows = [f"{x / 7},{2 * x / 7 + 1 + (-1) ** x / 10}" for x in range(30)]
    (tmp_path / "all.csv").write_text("\n".join(["x,y", *rows]) + "\n")
    many = tmp_path / "many"
    many.mkdir()
    for i in range(3):
        (many / f"{i}.csv").write_text("\n".join(["x,y", *rows[10 * i : 10 * i + 10]]) + "\n")
    alone = printed("fit", tmp_path / "all.csv", "w*x + b", "--target", "y")
    for what in (many, f"{many}/*.csv"):
        assert printed("fit", what, "w*x + b", "--target", "y") == alone
    said = printed("fit", f"{many}/*.parquet", "w*x + b", "--target", "y", status=2)
    assert "has no file in it: give a folder of tables" in said
