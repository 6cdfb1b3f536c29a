"""The readers of JSON: any file is weights, a model, a checkpoint or a program, or an error of ours that names the file."""

import json
import os
import tempfile

from autograd_lite import nn
from autograd_lite.errors import AutogradError
from autograd_lite.fit import saved
from autograd_lite.fit.steps import checkpoint
from autograd_lite.program import Program
from tests.fuzz import loop

PARAMETERS = {"format": "autograd_lite.parameters", "version": 1, "parameters": {"w.0": 1.0, "w.1": "nan", "b": 2}}
CHECKPOINT = {
    "format": checkpoint.FORMAT, "version": checkpoint.VERSION, "settings": {"seed": 0},
    "state": {"losses": [1.0], "leaves": [2.0], "optimizer": {}, "previous": None},
}  # fmt: skip
MODEL = {
    "format": saved.FORMAT, "version": saved.VERSION, "formula": "w*x + b", "target": "y", "loss": "mse", "columns": ["x", "y"],
    "weights": {"w": 1.0, "b": 2.0},
}  # fmt: skip
PROGRAM = {
    "format": "autograd_lite.program",
    "version": 1,
    "inputs": 2,
    "instructions": [["mul", 0, 1]],
    "outputs": [2],
    "guards": [],
}
SEEDS = [json.dumps(x).encode() for x in (PARAMETERS, CHECKPOINT, MODEL, PROGRAM, [], {}, {"format": None}, [[[[1]]]])]


def read_all(path: str) -> None:
    """Read a file as each of the kinds there are."""
    for read in (
        lambda: nn.Neuron(2, seed=0).load(path),
        lambda: saved.load(path),
        lambda: checkpoint.load(path, {"seed": 0}),
        lambda: Program.load(path),
    ):
        try:
            read()
        except AutogradError as error:
            loop.refused(error, os.path.basename(path))


def TestOneInput(data: bytes) -> None:  # noqa: N802 (Atheris's name)
    """One file."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "file.json")
        with open(path, "wb") as file:
            file.write(data)
        read_all(path)


if __name__ == "__main__":
    loop.main(TestOneInput, SEEDS)
