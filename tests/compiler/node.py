"""JavaScript functions run under node, doubles passed to the bit."""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import struct
import subprocess
from collections.abc import Sequence

from autograd_lite.compiler import to_js
from autograd_lite.program import Program

# A line is a script and its jobs; each script has a scope of its own
SERVER = """
const view = new DataView(new ArrayBuffer(8));
const read = (hex) => (view.setBigUint64(0, BigInt("0x" + hex)), view.getFloat64(0));
const hex = (x) => (view.setFloat64(0, x), view.getBigUint64(0).toString(16).padStart(16, "0"));
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
    const [script, jobs] = JSON.parse(line);
    let answer;
    try {
        const functions = new Function(script)();
        answer = jobs.map((points, i) => points.map((at) => functions[i](at.map(read)).map((y) => hex(Number(y)))));
    } catch (error) {
        answer = String(error.stack);
    }
    console.log(JSON.stringify(answer));
});
"""


def find() -> str | None:
    """Where node is, if it is."""
    return shutil.which("node")


@functools.cache
def _server() -> subprocess.Popen[str]:
    """A node that answers until this process ends."""
    node = find()
    assert node is not None
    server = subprocess.Popen([node, "-e", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    atexit.register(_end, server)
    return server


def _end(server: subprocess.Popen[str]) -> None:
    with server:
        assert server.stdin is not None
        server.stdin.close()


def run(programs: Sequence[tuple[Program, Sequence[Sequence[float]]]]) -> list[list[list[float]]]:
    """The outputs of each program at each of its points."""
    sources = [to_js.source(program, f"f{i}") for i, (program, _) in enumerate(programs)]
    text = "\n".join(sources)
    names = ",".join(f"f{i}" for i in range(len(programs)))
    script = f'"use strict";\n{to_js.runtime(text)}\n{text}\nreturn [{names}];'
    jobs = [[[struct.pack(">d", x).hex() for x in at] for at in points] for _, points in programs]
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps([script, jobs]) + "\n")
    server.stdin.flush()
    answer = json.loads(server.stdout.readline())
    assert isinstance(answer, list), answer[-2000:]
    return [[[struct.unpack(">d", bytes.fromhex(y))[0] for y in at] for at in job] for job in answer]
