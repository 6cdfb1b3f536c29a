"""JavaScript functions run under node, doubles passed to the bit."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from autograd_lite.compiler import to_js
from autograd_lite.program import Program

HARNESS = """
const view = new DataView(new ArrayBuffer(8));
const read = (hex) => (view.setBigUint64(0, BigInt("0x" + hex)), view.getFloat64(0));
const hex = (x) => (view.setFloat64(0, x), view.getBigUint64(0).toString(16).padStart(16, "0"));
const jobs = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(jobs.map((points, i) => points.map((at) => functions[i](at.map(read)).map((y) => hex(Number(y)))))));
"""


def find() -> str | None:
    """Where node is, if it is."""
    return shutil.which("node")


def run(programs: Sequence[tuple[Program, Sequence[Sequence[float]]]]) -> list[list[list[float]]]:
    """The outputs of each program at each of its points."""
    sources = [to_js.source(program, f"f{i}") for i, (program, _) in enumerate(programs)]
    text = "\n".join(sources)
    names = ",".join(f"f{i}" for i in range(len(programs)))
    script = f'"use strict";\n{to_js.runtime(text)}\n{text}\nconst functions = [{names}];\n{HARNESS}'
    jobs = json.dumps([[[struct.pack(">d", x).hex() for x in at] for at in points] for _, points in programs])
    node = find()
    assert node is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.js")
        path.write_text(script, "utf-8")
        done = subprocess.run([node, str(path)], input=jobs, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [[[struct.unpack(">d", bytes.fromhex(y))[0] for y in at] for at in job] for job in json.loads(done.stdout)]
