"""Who may import whom, what importing costs, and that whatever is public says what it is."""

import ast
import collections
import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import autograd_lite
from autograd_lite.compiler import lowering

ROOT = Path(autograd_lite.__file__).parent

# from low to high; a module imports only from rows above its own in this table
ROWS = [
    "errors frames accelerated ends interrupt",
    "tree context files arrays notebook",
    "tables",
    "optim",
    "ops.columns",
    "ops.row",
    "ops.words",
    "ops.numerics ops.choice",
    "ops.piecewise",
    "ops.arithmetic",
    "ops.powers",
    "ops.operators",
    "ops.trigonometry",
    "ops.special",
    "ops.activations",
    "ops.reductions",
    "ops",
    "graph program",
    "adjoints",
    "sweeps",
    "sparse",
    "formula.tokens",
    "formula.parsing",
    "formula.vocabulary",
    "formula.expression",
    "formula truth",
    "protocols",
    "value",
    "inputs",
    "functional nn formula.notation",
    "formula.texmath",
    "formula.printer",
    "formula.nodes",
    "formula.steps",
    "numerical compiler uncertainty",
    "explanation drawing",
    "gradcheck",
    "strategies plot",
    "fit",
    "cli",
    "__main__",
]
# what hands its work, or asks, a module above it, imported when it is called
UPWARD = {("protocols", "explanation"), ("protocols", "drawing")}
RANK = {name: rank for rank, row in enumerate(ROWS) for name in row.split()}

MODULES = sorted(
    m.name.removeprefix("autograd_lite.")
    for m in pkgutil.walk_packages([str(ROOT)], "autograd_lite.")
    if m.name != "autograd_lite._core"
)


def rank(module):
    """The row of a module; what is inside a package that is one row stands in that row."""
    return RANK[module] if module in RANK else RANK[module.split(".")[0]]


def path(module):
    file = ROOT / (module.replace(".", "/") + ".py")
    return file if file.exists() else ROOT / module.replace(".", "/") / "__init__.py"


def run(node):
    """The nodes of a text but what is for type checkers alone."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield from run(child)
        else:
            for other in child.orelse:
                yield from run(other)


def imports(module):
    """The modules of this package that a module imports, anywhere in its text."""
    is_package = path(module).name == "__init__.py"
    here = ["autograd_lite", *module.split(".")][: None if is_package else -1]
    yield from imported(run(ast.parse(path(module).read_text(encoding="utf-8"))), here)


def imported(nodes, here):
    """The modules of this package that some nodes of a text import, whose package is `here`."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] == "autograd_lite")
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(here[: len(here) + 1 - node.level]) if node.level else ""
            source = ".".join(filter(None, (base, node.module)))
            if source.split(".")[0] == "autograd_lite":
                for alias in node.names:
                    if alias.name == "_core":  # C, which imports nothing
                        continue
                    inner = f"{source}.{alias.name}".removeprefix("autograd_lite.")
                    yield inner if inner in MODULES else source.removeprefix("autograd_lite.")


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_lower_rows(module):
    for other in set(imports(module)):
        assert other != "autograd_lite", f"{module} imports the top package"
        package = module.split(".")[0]
        inside = package == other.split(".")[0] and package in RANK and package not in ("ops", "formula")
        below = rank(other) < rank(module) or inside or (module, other) in UPWARD
        assert below, f"{module} imports {other}, which is not below it"


def test_the_table_names_modules_that_exist_or_will():
    assert set(RANK) <= set(MODULES)
    assert {m for m in MODULES if m.startswith(("ops.", "formula."))} <= set(RANK)
    assert {"errors", "graph"} <= set(imports("value"))
    assert {"arithmetic", "row"} <= {m.removeprefix("ops.") for m in imports("ops.powers")}


def at_once(module):
    """The modules that importing a module imports, not those that its functions import when they are called."""
    is_package = path(module).name == "__init__.py"
    tree = ast.parse(path(module).read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if not isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    return set(imported(run(tree), ["autograd_lite", *module.split(".")][: None if is_package else -1]))


def test_the_map_of_the_package_has_every_room():
    plan = autograd_lite.__doc__.partition("test_layers.py")[2].splitlines()
    rooms = [room for line in plan if line.startswith("    ") for room in line[4:54].split()]
    assert sorted(rooms) == sorted({m.split(".")[0] for m in MODULES} - {"__main__"})


@pytest.mark.parametrize("room", sorted({m.rpartition(".")[0] for m in MODULES if "." in m}))
def test_the_docstring_of_a_room_names_every_file_in_it(room):
    """Where a stranger looks first."""
    said = importlib.import_module(f"autograd_lite.{room}").__doc__ or ""
    files = [m.rpartition(".")[2] for m in MODULES if m.rpartition(".")[0] == room]
    assert [name for name in files if not re.search(rf"\b{name}\b", said)] == []


def test_there_is_no_circle_of_imports():
    waiting = {module: at_once(module) & set(MODULES) - {module} for module in MODULES}
    while free := [module for module, needed in waiting.items() if not needed & waiting.keys()]:
        for module in free:
            del waiting[module]
    assert waiting == {}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_read_at_one_sitting_and_does_not_restate_its_imports(module):
    text = path(module).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400, "ask what it is two of"
    assert "Imports " not in (ast.get_docstring(ast.parse(text)) or "")


def test_importing_takes_the_standard_library_only():
    program = "import sys; import autograd_lite; print(*{m.partition('.')[0] for m in sys.modules})"
    run = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT.parent)!r}); {program}"]
    done = subprocess.run(run, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) - set(sys.stdlib_module_names) <= {"autograd_lite", "__main__"}


WORDS = {*autograd_lite.ops.TABLE, *lowering.FUNCTIONS, *lowering.PAIRS, *lowering.COMPARISONS, *lowering.CONTROL}


def public():
    """Every public function and class, and the public methods of the classes, each once by name."""
    for name in MODULES:
        module = importlib.import_module(f"autograd_lite.{name}")
        yield name, module
        for key, thing in vars(module).items():
            if key.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
                continue
            if name == "compiler.lowering" and key in WORDS:
                continue
            if inspect.isclass(thing) or inspect.isfunction(thing):
                yield f"{name}.{key}", thing
            if inspect.isclass(thing):
                for method, member in vars(thing).items():
                    if (
                        name.startswith("compiler.") and method in WORDS
                    ):  # the words of a kernel, which `compiler.lowering` explains
                        continue
                    if not method.startswith("_") and (callable(member) or isinstance(member, (property, classmethod))):
                        yield f"{name}.{key}.{method}", getattr(thing, method)
    yield from ((f"ops.{op.name}", op) for op in autograd_lite.ops.TABLE.values())


def test_whatever_is_public_has_a_docstring():
    assert [name for name, thing in public() if not inspect.getdoc(thing)] == []


@pytest.fixture(scope="module")
def texts():
    """The text of each module."""
    return {module: path(module).read_text(encoding="utf-8") for module in MODULES}


def test_a_class_name_stands_in_one_room(texts):
    rooms = collections.defaultdict(set)
    for module, text in texts.items():
        for name in re.findall(r"^\s*class (\w+)", text, re.MULTILINE):
            rooms[name].add(module)
    # of strategies and formulas both are public: what is drawn is an expression, and what it is worth
    assert {n: found for n, found in rooms.items() if len(found) > 1 and n not in ("Expression", "Truth")} == {}


def test_a_helpers_name_says_which_of_two_it_is(texts):
    rooms = collections.defaultdict(set)
    for module, text in texts.items():
        for name in re.findall(r"^def (_[a-z]\w*)", text, re.MULTILINE):
            rooms[name].add(module)
    assert {name: found for name, found in rooms.items() if len(found) > 2} == {}
    assert sum(len(found) > 1 for found in rooms.values()) <= 20, "give a helper the word for what it does, or make one of both"


def test_parameters_are_any_only_where_that_is_meant(texts):
    loose = [x for text in texts.values() for x in re.findall(r"[(,]\s*\*{0,2}(\w+): Any(?: = \w+)?(?=[,)])", text)]
    assert len(loose) <= 100, "name what it is: Number, Tree, Node, Array, Column, JsonData, ..."


def test_no_block_of_six_lines_stands_twice(texts):
    places = collections.defaultdict(list)
    for module, text in texts.items():
        lines = [line.strip() for line in text.splitlines()]
        lines = [x for x in lines if x and not x.startswith(("#", "import ", "from "))]
        for i in range(len(lines) - 5):
            block = "\n".join(lines[i : i + 6])
            if len(block) > 100:
                places[block].append(module)
    assert {block: found for block, found in places.items() if len(found) > 1} == {}


# what may name many rows: the words of backends, and other people's names for ours
NAMING = {"arrays", "compiler.lowering", "compiler.llvm.functions", "compiler.to_js", "compiler.to_numpy",
          "compiler.to_python", "compiler.llvm.emit", "accelerated", "protocols", "formula.texmath"}  # fmt: skip


@pytest.mark.parametrize("module", sorted({m for m in MODULES if not m.startswith("ops")} - NAMING))
def test_no_list_of_rows_stands_outside_the_table(module, texts):
    """What is said of a row is a column of it, or is read off its formula: an op is added in one place."""
    for node in ast.walk(ast.parse(texts[module])):
        parts = node.keys if isinstance(node, ast.Dict) else getattr(node, "elts", ())
        names = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
        assert len(set(names) & autograd_lite.ops.TABLE.keys()) < 4, f"line {node.lineno}: {names}"


def test_rows_are_told_by_what_they_are_and_not_by_name(texts):
    """A user's own op may have any name."""
    asked = re.compile(r"\bop\.name (?:==|!=|in|not in) [(\[{\"']")
    assert [(module, line) for module, text in texts.items() for line in text.splitlines() if asked.search(line)] == []


def test_a_module_does_not_list_again_what_it_defines(texts):
    """A list of names is for what a room hands on, or for what it keeps to itself."""
    for module, text in texts.items():
        tree = ast.parse(text)
        own = {n.name for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef)) and n.name[0] != "_"}
        lists = [n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__"]
        named = {ast.literal_eval(e) for listed in lists for e in getattr(listed, "elts", ())}
        assert not lists or named != own or path(module).name == "__init__.py", f"{module} needs no __all__"
