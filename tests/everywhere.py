"""The tests on every Python that can be had, with the oldest packages that are allowed and with the newest:
`python tests/everywhere.py [--python 3.11 ...] [--packages oldest newest none] [--suites NAME ...] [--folder DIR]`.

Prints a table of Pythons, packages and suites, and what could not be had.  Interpreters are looked for by their names
(python3.13, python3.14t), among those of pyenv, in npm's package `pyodide` (a browser's Python, under node), and on Debian as a
Python for Arm under qemu.  What is installed is kept in the folder, so that a second run is quicker.  The core
is the one that was compiled in the checkout, or Python.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STEPS = ROOT / "tests" / "elsewhere" / "steps.py"
PYTHONS = ("3.11", "3.12", "3.13", "3.13t", "3.14", "3.14t")
PYODIDE = {"3.13": "0.29.5", "3.14": "314.0.7"}  # versions on npm, by the Python in them
SUITES = {
    "engine": ["tests/test_*.py", "tests/ops", "tests/formula", "tests/conformance"],
    "compiler": ["tests/compiler"],
    "pictures": ["tests/drawing"],
    "command": ["tests/cli"],
    "fit": ["tests/fit"],
    "promises": [
        "tests/test_promises.py", "tests/test_interruptions.py", "tests/test_ends.py", "tests/test_cycles.py",
        "tests/test_context.py", "tests/test_files.py", "tests/compiler/test_interrupts.py", "tests/cli/test_app.py",
    ],
}  # fmt: skip
Row = tuple[str, str, str, str]  # Python, packages, suite, outcome


def run(*command: str, timeout: float = 3600.0, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command and what it said; one that cannot be started or does not end has failed."""
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, check=False, cwd=ROOT, env={**os.environ, **environment}
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))


def interpreters(version: str) -> Iterator[str]:
    """Where a Python of that version is."""
    found = shutil.which(f"python{version}")
    places = [Path(found)] if found else []
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    places += sorted(pyenv.glob(f"{version.removesuffix('t')}.*{'t' if version.endswith('t') else '[0-9]'}/bin/python"))
    for place in places:
        asked = run(
            str(place),
            "-c",
            "import sys, sysconfig; print(sys.version_info[:2], sysconfig.get_config_var('Py_GIL_DISABLED') or 0)",
        )
        wanted = f"{(3, int(version.split('.')[1].removesuffix('t')))} {int(version.endswith('t'))}"
        if asked.stdout.strip() == wanted:
            yield str(place)
            return


def requirements(packages: str) -> list[str]:
    """What the tests need: as it is declared, at the lowest versions allowed, or nothing but pytest."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    if packages == "none":
        return [one for one in declared if one.startswith(("pytest>", "hypothesis>"))]
    return [one.replace(">=", "==") if packages == "oldest" else one for one in declared]


def environment(python: str, packages: str, folder: Path) -> tuple[str, str]:
    """A Python with those packages, and those that there are none of for it, or why there is no such Python."""
    place = folder / f"{Path(python).parents[1].name}-{Path(python).name}-{packages}"
    own = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not own.exists():
        made = run(python, "-m", "venv", str(place))
        if made.returncode:
            return "", made.stderr.strip().splitlines()[-1]
    wanted, without = requirements(packages), []
    while True:  # no sources: what has no wheel for this Python would take a compiler, and an hour
        got = run(str(own), "-m", "pip", "install", "--quiet", "--only-binary=:all:", *wanted)
        if not got.returncode:
            return str(own), ", ".join(without)
        lacking = re.findall(r"(?:No matching distribution found for|Cannot install) ([\w-]+)", got.stderr)
        rest = [one for one in wanted if re.split("[<>=]", one)[0] not in lacking]
        if rest == wanted:
            return "", next(iter(re.findall("ERROR: (.*)", got.stderr)), "pip failed")[:120]
        wanted, without = rest, without + lacking


def tested(python: str, suite: str) -> str:
    """How many tests passed, failed and were skipped."""
    paths = [str(p) for pattern in SUITES[suite] for p in sorted(ROOT.glob(pattern))]
    done = run(python, "-m", "pytest", "-q", "--tb=line", "-p", "no:cacheprovider", "-n", "auto", "--dist", "loadfile", *paths)
    last = re.findall(r"^.*(?:passed|failed|error).* in .*$", done.stdout, re.MULTILINE)
    for line in re.findall(r"^(?:FAILED|ERROR) .*$", done.stdout, re.MULTILINE)[:20]:
        print(f"    {line[:200]}", file=sys.stderr)
    return last[-1].strip("= ") if last else f"ended with status {done.returncode}"


def stepped(done: subprocess.CompletedProcess[str]) -> tuple[str, str]:
    """The version, and the outcomes of the steps of `tests/elsewhere`."""
    line = next((line for line in done.stdout.splitlines() if line.startswith("{")), "")
    if not line:
        return "", (done.stderr.strip().splitlines() or ["nothing was printed"])[-1][:120]
    said = json.loads(line)
    steps = said["steps"]
    wrong = [f"{name}: {how}" for name, how in steps.items() if how != "ok" and not how.startswith("lacks")]
    lacking = sorted({how.removeprefix("lacks ") for how in steps.values() if how.startswith("lacks")})
    fine = sum(how == "ok" for how in steps.values())
    rest = [*wrong, *[f"the rest lack {', '.join(lacking)}"] * bool(lacking)]
    return said["python"], "; ".join([f"{fine} of {len(steps)} steps", *rest])


def pyodide(version: str, folder: Path) -> tuple[str, str]:
    """A browser's Python, under node."""
    place = folder / f"pyodide-{version}"
    package = place / "node_modules" / "pyodide"
    if not package.exists():
        got = run("npm", "install", "--silent", "--prefix", str(place), f"pyodide@{PYODIDE[version]}", timeout=300.0)
        if not package.exists():
            return "", (got.stderr.strip().splitlines() or ["npm failed"])[-1][:120]
    return stepped(run("node", str(STEPS.with_name("pyodide.mjs")), str(package), str(ROOT), str(STEPS), timeout=600.0))


ARM_PACKAGES = (
    "python3.11", "python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib", "libc6", "libexpat1", "zlib1g",
    "libssl3", "libcrypt1", "libffi8", "libbz2-1.0", "liblzma5", "libuuid1", "libstdc++6", "libgcc-s1", "libncursesw6",
    "libtinfo6", "libreadline8", "libsqlite3-0",
)  # fmt: skip


def arm(folder: Path) -> tuple[str, str]:
    """Debian's Python for Arm under qemu, with the newest wheels of NumPy and llvmlite, unpacked into a folder of our own."""
    place = folder / "arm"
    root, site, emulator = place / "root", place / "site", place / "qemu" / "usr" / "bin" / "qemu-aarch64-static"
    if not (site / "llvmlite").exists():
        for name in ("state/lists/partial", "cache/archives/partial", "debs", "wheels", "site"):
            (place / name).mkdir(parents=True, exist_ok=True)
        (place / "status").touch()
        options = [
            "-oAPT::Architecture=arm64", "-oAPT::Architectures=arm64", f"-oDir::State={place}/state",
            f"-oDir::State::status={place}/status", f"-oDir::Cache={place}/cache",
        ]  # fmt: skip
        apt = f"apt-get -q {' '.join(options)}"
        script = f"""cd {place}/debs &&
            {apt} update && {apt} download {" ".join(ARM_PACKAGES)} &&
            for f in *_arm64.deb; do dpkg -x "$f" ../root; done &&
            apt-get -q download qemu-user-static && dpkg -x qemu-user-static*.deb ../qemu"""
        got = run("sh", "-c", script, timeout=900.0)
        if not emulator.exists():
            return "", (got.stderr.strip().splitlines() or ["apt-get failed"])[-1][:120]
        wheels = ["--platform=manylinux_2_28_aarch64", "--platform=manylinux_2_27_aarch64", "--platform=manylinux2014_aarch64"]
        run(
            sys.executable, "-m", "pip", "download", "-q", "--no-deps", f"--dest={place}/wheels", *wheels,
            "--python-version=3.11", "--only-binary=:all:", "numpy", "llvmlite", timeout=900.0,
        )  # fmt: skip
        for wheel in (place / "wheels").glob("*.whl"):
            run(sys.executable, "-m", "zipfile", "-e", str(wheel), str(site))
    command = [str(emulator), "-L", str(root), "-E", f"PYTHONPATH={site}:{ROOT}", str(root / "usr/bin/python3.11"), str(STEPS)]
    return stepped(run(*command, timeout=1800.0))


def rows(given: argparse.Namespace, folder: Path, missing: list[str]) -> Iterator[Row]:
    """One row after the other, as they come out."""
    for version in given.python:
        python = next(interpreters(version), "")
        if not python:
            missing.append(f"CPython {version} (no interpreter here)")
        for packages in given.packages if python else ():
            own, without = environment(python, packages, folder)
            if not own:
                missing.append(f"the {packages} packages on CPython {version} ({without})")
                continue
            named = f"{packages}, no {without}" if without else packages
            number = run(own, "-c", "import platform, sys; print(platform.python_version() + sys.abiflags)").stdout.strip()
            yield f"CPython {number}", named, "steps", stepped(run(own, str(STEPS), PYTHONPATH=str(ROOT)))[1]
            if packages != "none":
                for suite in given.suites:
                    yield f"CPython {number}", named, suite, tested(own, suite)
        if version in PYODIDE:
            found, said = pyodide(version, folder)
            if found:
                yield f"Pyodide {PYODIDE[version]} (Python {found})", "none", "steps", said
            else:
                missing.append(f"Pyodide {PYODIDE[version]} ({said})")
    if "3.11" in given.python:
        found, said = arm(folder)
        if found:
            yield f"CPython {found}, aarch64 under qemu", "NumPy, llvmlite", "steps", said
        else:
            missing.append(f"Python for Arm ({said})")


def main() -> None:
    parser = argparse.ArgumentParser(description="The tests on every Python that can be had.")
    parser.add_argument("--python", nargs="*", default=PYTHONS)
    parser.add_argument("--packages", nargs="*", default=("oldest", "newest", "none"), choices=("oldest", "newest", "none"))
    parser.add_argument("--suites", nargs="*", default=("engine", "compiler", "pictures", "command", "fit"), choices=SUITES)
    parser.add_argument("--folder", type=Path, help="what is installed is kept there")
    given = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what is started in the background ignores it
    missing: list[str] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        print("| Python | packages | suite | outcome |\n|---|---|---|---|", flush=True)
        for row in rows(given, folder, missing):
            print(f"| {' | '.join(row)} |", flush=True)
    if missing:
        print(f"\ncould not be had: {'; '.join(missing)}")


if __name__ == "__main__":
    main()
