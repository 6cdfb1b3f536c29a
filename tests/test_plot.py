"""The plots: what is drawn where, judged by artists and their data; no pixels."""

import math
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

from autograd_lite import Value
from autograd_lite.errors import InputTypeError, InputValueError
from autograd_lite.plot import check_picture, plot_descent, plot_history


def bowl(w, b):
    return w * w + 4.0 * b * b


PATH = [(4.0, 1.0), (2.0, 0.5), (1.0, 0.25)]


def lines(figure):
    return figure.axes[0].get_lines()


def labels(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


class TestWithMatplotlib:
    @pytest.fixture(autouse=True)
    def _matplotlib(self):
        pytest.importorskip("matplotlib", reason="plots need matplotlib: pip install 'autograd-lite[plot]'")

    @pytest.mark.parametrize(
        ("result", "steps", "losses"),
        [
            ([9.0, 4.0, 1.0], [0, 1, 2], [9.0, 4.0, 1.0]),
            ([Value(9.0), 4], [0, 1], [9.0, 4.0]),
            ([(0, 9.0), (10, 4.0)], [0, 10], [9.0, 4.0]),
            (SimpleNamespace(history=[9.0, 4.0]), [0, 1], [9.0, 4.0]),
            (SimpleNamespace(history=[(5, 9.0), (10, Value(4.0))]), [5, 10], [9.0, 4.0]),
            ((x for x in [2.0, 1.0]), [0, 1], [2.0, 1.0]),
        ],
    )
    def test_history_data(self, result, steps, losses):
        (line,) = lines(plot_history(result))
        assert list(line.get_xdata()) == steps
        assert list(line.get_ydata()) == losses

    @pytest.mark.parametrize(
        ("losses", "scale"),
        [([9.0, 1.0], "linear"), ([300.0, 0.5], "log"), ([300.0, 0.0], "linear"), ([300.0, -1.0], "linear"), ([5.0], "linear")],
    )
    def test_history_scale(self, losses, scale):
        assert plot_history(losses).axes[0].get_yscale() == scale

    def test_history_that_diverges_is_marked_where_it_does(self):
        figure = plot_history([(0, 9.0), (1, 4.0), (2, math.inf), (3, math.nan)])
        curve, mark = lines(figure)
        assert [math.isnan(y) for y in curve.get_ydata()] == [False, False, True, True]
        assert list(mark.get_xdata()) == [2, 2]
        assert labels(figure) == ["the loss is inf at step 2"]

    def test_descent_of_two_weights(self):
        figure = plot_descent(bowl, PATH, names=("w", "b"), title="bowl")
        axes = figure.axes[0]
        path, start, end = lines(figure)
        assert [list(path.get_xdata()), list(path.get_ydata())] == [[4.0, 2.0, 1.0], [1.0, 0.5, 0.25]]
        assert [list(start.get_xydata()[0]), list(end.get_xydata()[0])] == [[4.0, 1.0], [1.0, 0.25]]
        assert labels(figure) == ["2 steps", "start: f = 20", "end: f = 1.25"]
        assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("w", "b", "bowl")
        assert all(axes.get_xlim()[0] < w < axes.get_xlim()[1] and axes.get_ylim()[0] < b < axes.get_ylim()[1] for w, b in PATH)

    def test_contours_are_lines_of_equal_height(self):
        figure = plot_descent(bowl, PATH, limits=[(-5.0, 5.0), (-2.0, 2.0)], grid=201)
        (contours,) = (artist for artist in figure.axes[0].collections if hasattr(artist, "levels"))
        seen = 0
        for level, path in zip(contours.levels, contours.get_paths(), strict=True):
            for w, b in path.vertices[path.codes != path.CLOSEPOLY] if path.codes is not None else path.vertices:
                assert bowl(w, b) == pytest.approx(level, rel=0.02, abs=0.02)
                seen += 1
        assert seen > 1000

    def test_descent_of_one_weight(self):
        figure = plot_descent(lambda w: (w - 1.0) ** 2, [4.0, Value(2.0), (1.5,)])
        curve, path, *_ = lines(figure)
        assert all(y == (x - 1.0) ** 2 for x, y in curve.get_xydata())
        assert [tuple(p) for p in path.get_xydata()] == [(4.0, 9.0), (2.0, 1.0), (1.5, 0.25)]
        assert {4.0, 2.0, 1.5} <= set(curve.get_xdata())

    def test_a_function_that_returns_a_value_and_values_on_the_path(self):
        figure = plot_descent(lambda w, b: (Value(w) * b).exp(), [(Value(1.0), 2.0), (0.5, 1.0)])
        assert labels(figure)[1] == "start: f = 7.389"

    @pytest.mark.parametrize(
        "path", [[(1.0, 1.0)], [(1.0, 1.0), (2.0, 1.0)], [(0.0, 0.0)], [(1e100, 1e100), (1.0, math.inf)], [3.0]]
    )
    def test_paths_without_extent(self, path):
        f = bowl if isinstance(path[0], tuple) else abs
        low, high = plot_descent(f, path).axes[0].get_xlim()
        assert math.isfinite(low)
        assert low < high < math.inf

    def test_outside_its_domain_the_picture_stays_empty(self):
        figure = plot_descent(lambda w, b: math.log(w) + 1.0 / b, PATH, limits=[(-5.0, 5.0), (-2.0, 2.0)])
        assert len(lines(figure)) == 3
        with pytest.raises(
            InputValueError, match=r"f has no finite value anywhere within limits=.*: choose limits inside its domain"
        ):
            plot_descent(lambda w, b: math.nan, PATH)

    @pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
    def test_saved_by_suffix(self, tmp_path, suffix):
        first, second = tmp_path / f"a.{suffix}", str(tmp_path / f"b.{suffix}")
        plot_history([3.0, 2.0], path=first)
        plot_descent(bowl, PATH, save=second)
        start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix]
        assert first.read_bytes().startswith(start)
        assert (tmp_path / f"b.{suffix}").read_bytes().startswith(start)

    @pytest.mark.parametrize(
        ("call", "error", "message"),
        [
            (lambda: plot_history([]), InputValueError, r"the history is empty.*record loss\.data"),
            (lambda: plot_history(3.0), InputTypeError, r"result=3\.0 must be a list of losses"),
            (lambda: plot_history([(1, 2, 3)]), InputValueError, r"history\[0\]=\(1, 2, 3\) must be a loss or a pair"),
            (lambda: plot_history(["x"]), InputTypeError, r"loss of history\[0\]"),
            (lambda: plot_descent(bowl, []), InputValueError, r"path has 0 points, none of them finite"),
            (lambda: plot_descent(bowl, [(1, 2, 3)]), InputValueError, r"path\[0\]=\(1, 2, 3\) must be one number or two"),
            (lambda: plot_descent(bowl, [(1, 2), 3]), InputValueError, r"path\[1\]=3 must be one number or two"),
            (lambda: plot_descent(bowl, PATH, names="w"), InputValueError, r"names='w' has 1 entries for 2 weights: one each"),
            (lambda: plot_descent(bowl, PATH, grid=1), InputValueError, r"grid=1 and levels=14: both must be at least 2"),
            (lambda: plot_descent(lambda w, b: "x", PATH), InputTypeError, r"result of <lambda>"),
        ],
    )
    def test_errors(self, call, error, message):
        with pytest.raises(error, match=message):
            call()

    @pytest.mark.parametrize("name", ["l.foo", "l.jpg", "l"])
    def test_other_suffixes_are_refused_before_the_picture_is_made(self, tmp_path, name):
        message = re.escape(f"path={str(tmp_path / name)!r} must end in .svg, .png or .pdf")
        for call in (
            lambda: plot_history([], path=tmp_path / name),
            lambda: plot_descent(bowl, [], save=tmp_path / name),
            lambda: check_picture(tmp_path / name),
        ):
            with pytest.raises(InputValueError, match=f"^{message}$"):
                call()
        assert list(tmp_path.iterdir()) == []

    def test_what_cannot_be_saved_is_known_before(self, tmp_path):
        (tmp_path / "l.svg").mkdir()
        with pytest.raises(IsADirectoryError):
            check_picture(tmp_path / "l.svg")
        for call in (check_picture, lambda path: plot_history([1.0], path=path)):
            with pytest.raises(FileNotFoundError) as caught:
                call(tmp_path / "none" / "l.svg")
            assert str(caught.value) == f"[Errno 2] No such file or directory: {str(tmp_path / 'none' / 'l.svg')!r}"
        (tmp_path / "old.SVG").write_text("old")
        check_picture(tmp_path / "old.SVG")
        assert (tmp_path / "old.SVG").read_text() == "old"
        assert len(list(tmp_path.iterdir())) == 2

    def test_a_disk_that_is_full_is_said_of_the_file_asked_for(self, tmp_path, monkeypatch):
        def full(*_):
            raise OSError(28, "No space left on device", "temporary")

        (tmp_path / "l.svg").write_text("old")
        monkeypatch.setattr("os.replace", full)
        with pytest.raises(OSError, match="No space left on device") as caught:
            plot_history([1.0], path=tmp_path / "l.svg")
        assert caught.value.filename == str(tmp_path / "l.svg")
        assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]

    def test_no_global_state(self):
        code = "import sys, autograd_lite.plot as p; p.plot_history([1.0]); assert 'matplotlib.pyplot' not in sys.modules"
        subprocess.run([sys.executable, "-c", code], check=True)


def test_without_matplotlib_the_error_says_how_to_get_it(monkeypatch):
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    for call in (lambda: plot_history([1.0]), lambda: plot_descent(bowl, PATH)):
        with pytest.raises(ImportError, match=r"plots need matplotlib.*pip install 'autograd-lite\[plot\]'"):
            call()


def test_importing_the_module_imports_neither_matplotlib_nor_numpy():
    code = "import sys, autograd_lite.plot; assert not {'matplotlib', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
