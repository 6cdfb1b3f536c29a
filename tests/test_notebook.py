"""What notebooks show: rich texts of results, and pictures in nbconvert's pages and in JupyterLab, trusted or not."""

import importlib.util
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autograd_lite import Value, check_derivative, draw, explain, jit
from autograd_lite.fit import minimize
from autograd_lite.notebook import preformatted, table

ROOT = Path(__file__).resolve().parents[1]
CELLS = [
    "from autograd_lite import *; from autograd_lite.fit import minimize\n"
    "w, b, x, y = Value(2.0, 'w'), Value(1.0, 'b'), Value(3.0, 'x'), Value(10.0, 'y')\n"
    "loss = (w * x + b - y) ** 2\ndraw(loss)",
    "draw(loss).stepper()",
    "explain(loss)",
    "check_derivative(lambda x: x**3, lambda x: 3 * x**2, 2.0)",
    "jit(lambda x: x * x + 1).program(2.0)",
    "minimize(lambda p: (p['a'] - 3) ** 2, {'a': 0.0}, steps=5)",
    "loss",
]
TOKEN = "a-token-of-the-tests"


# -- what each gives, without a notebook -------------------------------------------------------------------------------


def test_results_have_tables_and_texts_of_their_own():
    report = check_derivative(lambda x: x**3, lambda x: 3 * x**2, 2.0)
    assert report._repr_html_().startswith("<div><p><b>f: 1 pass</b></p><table><tr><th>derivative</th>")
    assert "<td>pass</td>" in report._repr_html_()
    program = jit(lambda x: x * x + 1).program(2.0)
    assert program._repr_html_() == f"<pre>{program}</pre>"
    found = minimize(lambda p: (p["<a>"] - 3) ** 2, {"<a>": 0.0}, steps=0)
    assert found._repr_html_() == (
        "<div><p><b>steps after 0 steps, loss = 9</b></p><table><tr><th>weight</th><th>value</th></tr>"
        "<tr><td>&lt;a&gt;</td><td>0</td></tr></table></div>"
    )
    many = minimize(lambda p: sum(x * x for x in p), [1.0] * 30, steps=0)._repr_html_()
    assert many.count("<tr>") == 21
    assert "… and 10 more" in many
    x = Value(3.0, "<x>")
    assert "&lt;x&gt;" in explain(x * x)._repr_html_()
    assert explain(x * x, format="latex")._repr_html_() is None
    assert explain(x * x, format="latex")._repr_latex_()
    assert not any(name.startswith("_repr_") for name in dir(x))  # a Value's repr stays text


def test_nothing_that_a_sanitiser_takes_out():
    for text in (preformatted("<script>"), table(["<b>"], [["<i>"]], ["<u>"], ["&"])):
        assert not re.findall(r"<(?!/?(?:div|p|b|table|tr|th|td|pre)>)", text)


def test_a_picture_is_one_image_and_a_stepper_that_with_one_frame_over_it():
    x = Value(3.0, "x")
    picture = draw(x * x, name="f", engine="builtin")
    bundle = picture._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert bundle["text/html"].count("<img ") == bundle["text/html"].count("data:image/svg+xml;base64,") == 1
    assert "<svg" not in bundle["text/html"]
    frame = picture.stepper()._repr_html_()
    assert [frame.count(tag) for tag in ("<img ", "<iframe ", "<svg ")] == [1, 1, 0]


# -- in notebooks ----------------------------------------------------------------------------------------------------


def needs(*packages):
    """Skip where one is not installed."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}: pip install {package}")


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory):
    """The environment in which Jupyter finds what came with its packages, this repository, and a home of its own."""
    needs("nbformat", "nbclient", "ipykernel")
    home = tmp_path_factory.mktemp("jupyter")
    prefix = Path(importlib.util.find_spec("ipykernel").origin).parents[4]
    environment = {
        "JUPYTER_PATH": str(prefix / "share" / "jupyter"), "PYTHONPATH": str(ROOT), "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_CONFIG_DIR": str(home / "config"), "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"), "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }  # fmt: skip
    return {**os.environ, **environment}, home, prefix


RUN = """
import sys, nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
path, *cells = sys.argv[1:]
kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
book = new_notebook(cells=[new_code_cell(c) for c in cells], metadata={"kernelspec": kernel})
NotebookClient(book, timeout=120).execute()
nbformat.write(book, path)
"""


@pytest.fixture(scope="module")
def book(jupyter):
    """A notebook that was run."""
    environment, home, _ = jupyter
    path = home / "books" / "book.ipynb"
    path.parent.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", RUN, path, *CELLS], env=environment, capture_output=True, text=True, check=False
    )
    if "NoSuchKernel" in done.stderr:
        pytest.skip("no kernel 'python3' of Jupyter is installed: python -m ipykernel install")
    assert done.returncode == 0, done.stderr
    return path


def test_every_cell_stores_one_copy_of_what_it_shows(book):
    nbformat = pytest.importorskip("nbformat")
    outputs = [cell.outputs[0]["data"] for cell in nbformat.read(book, 4).cells]
    kinds = [set(data) for data in outputs]
    assert kinds == [{"text/html", "text/plain"}] * 6 + [{"text/plain"}]
    assert [data.get("text/html", "").count("<img ") for data in outputs] == [1, 1, 0, 0, 0, 0, 0]
    assert outputs[1]["text/html"].count("<iframe ") == 1


IMAGES = (
    "[...document.querySelectorAll('img[src^=\"data:image/svg\"]')]"
    ".map(e => e.complete && e.naturalWidth > 500 && e.width > 300)"
)


def test_nbconvert_shows_the_picture(jupyter, book, browser, tmp_path):
    needs("nbconvert")
    environment, _, _ = jupyter
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--output-dir", tmp_path, book]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    tab = browser.page(1400, 1000)
    tab.go((tmp_path / "book.html").as_uri())
    tab.wait(f"{IMAGES}.length === 2 && {IMAGES}.every(Boolean)")
    assert tab.js("document.querySelectorAll('iframe[sandbox]').length") == 1
    assert tab.frame()("document.getElementById('line').textContent").startswith("Done: dloss/dw = −18")
    tab.screenshot(tmp_path / "nbconvert.png")
    tab.close()


@pytest.fixture(scope="module")
def lab(jupyter, book):
    """The address of a JupyterLab in the dark, in the folder of the notebook."""
    needs("jupyterlab")
    environment, home, prefix = jupyter
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "themes.jupyterlab-settings").write_text('{"theme": "JupyterLab Dark"}')
    log = home / "log"
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0", f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.root_dir={book.parent}", f"--app-dir={prefix / 'share' / 'jupyter' / 'lab'}",
        f"--LabApp.user_settings_dir={home / 'settings'}",
    ]  # fmt: skip
    with log.open("w") as out, subprocess.Popen(command, env=environment, stdout=out, stderr=out) as server:
        try:
            until = time.monotonic() + 60
            while not (found := re.search(r"(http://(?:localhost|127\.0\.0\.1):\d+)/lab\?token", log.read_text())):
                if time.monotonic() > until or server.poll() is not None:
                    pytest.skip(f"JupyterLab does not start here: {log.read_text()[-300:]}")
                time.sleep(0.2)
            yield found[1]
        finally:
            server.terminate()


SHOWN = f"document.querySelectorAll('.jp-OutputArea-output').length >= 2 && {IMAGES}.length === 2 && {IMAGES}.every(Boolean)"


@pytest.mark.parametrize("trusted", [False, True])
def test_jupyterlab_shows_the_picture(jupyter, book, lab, browser, tmp_path, trusted):
    environment, _, _ = jupyter
    if trusted:
        sign = "import sys, nbformat; from nbformat.sign import NotebookNotary as N; N().sign(nbformat.read(sys.argv[1], 4))"
        subprocess.run([sys.executable, "-c", sign, book], env=environment, check=True, capture_output=True)
    tab = browser.page(1400, 1600)
    tab.go(f"{lab}/lab/tree/{book.name}?token={TOKEN}&reset")
    tab.wait(SHOWN, 60.0)
    tab.screenshot(tmp_path / "lab.png")
    assert tab.js("document.querySelectorAll('iframe[sandbox]').length") == int(trusted)
    if trusted:
        frame = tab.frame()
        assert frame("document.getElementById('line').textContent").startswith("Done: dloss/dw = −18")
        assert frame("getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 23)"  # as dark as the notebook
    tab.close()
