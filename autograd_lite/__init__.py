"""autograd_lite: exact gradients of ordinary Python arithmetic, one scalar at a time.

                your function, plain Python on numbers
                          |  run on Values
                          v
          a graph of Values, each made by one row of the op table
            |             |              |                 |
        backward       forward      draw, explain        jit: a straight-line program
        (reverse)     (tangents)    (SVG, page, text)     Python, NumPy, machine code, JAX, JavaScript

There is one table of rows (`ops`) and nothing restates it: a row is the public function, and holds its derivatives, how it is
computed in other rows, its domain and kinks, and how it is written.  There is one graph: the engine's tape, the picture's
content, the compiler's input.  There is one straight-line program (`program`): what jit compiles, what a typed formula is, what
strategies draw and the checker repeats in high precision.

The rooms, from low to high; a module imports from lower rows only, which `tests/test_layers.py` holds:

    accelerated  ends                                 the core in C, where it has been compiled; where objects end
    errors  frames  tree  context  files  notebook    what everybody may use: messages, containers, watches,
    interrupt  arrays                                 and Ctrl-C that waits; NumPy, where it is
    tables                                            files of numbers, of every kind
    optim                                             optimizers and schedules, which know nothing of derivatives
    ops                                               the op table, by family; `ops/row.py` says what a row holds
    graph  program                                    walks over a graph; straight lines
    adjoints  sweeps  sparse                          what flows along a graph, in reverse and forward; sparse Jacobians
    formula                                           text to program and program to text, the steps of a backward pass
    truth  protocols  value                           `Value`, what its comparisons give, what NumPy asks of it
    inputs                                            what a transform differentiates by
    functional  nn                                    grad, jacobian, ...; networks and losses
    numerical  uncertainty                            derivatives by differences; errors that propagate
    compiler                                          jit, with `compiler/llvm` for machine code
    explanation  drawing  gradcheck                   passes in words, pictures and pages, proofs
    strategies  plot  fit                             random formulas, curves, weights from tables
    cli                                               the command
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import errors as errors
from . import nn as nn
from . import ops as ops
from . import optim as optim
from .accelerated import core as core
from .context import detect_anomaly as detect_anomaly
from .context import errstate as errstate
from .drawing import draw as draw
from .drawing import draw_dot as draw_dot
from .explanation import explain as explain
from .functional import grad as grad
from .functional import hessian as hessian
from .functional import hvp as hvp
from .functional import jacobian as jacobian
from .functional import jvp as jvp
from .functional import value_and_grad as value_and_grad
from .functional import vjp as vjp
from .ops import *
from .value import Value as Value

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .compiler import jit as jit
    from .drawing.drawing import Drawing as Drawing
    from .gradcheck import check_derivative as check_derivative
    from .gradcheck import check_grads as check_grads
    from .uncertainty import propagate as propagate
else:  # a type checker would take every name for one that this function gives
    # what is imported when it is first asked for; None is a module itself
    _LATER = {
        "Drawing": "drawing.drawing", "check_derivative": "gradcheck", "check_grads": "gradcheck", "jit": "compiler",
        "propagate": "uncertainty",
    } | dict.fromkeys(("compiler", "gradcheck", "numerical", "uncertainty"))  # fmt: skip

    def __getattr__(name: str) -> Any:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = import_module(f"{__name__}.{_LATER[name] or name}")
        globals()[name] = found = getattr(module, name) if _LATER[name] else module
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *_LATER})


# abs, pow and sum are here as autograd_lite.sum; a star import leaves the builtins of those names alone
globals()["__all__"] = sorted({
    *ops.PUBLIC, "Op", "Value", "check_derivative", "check_grads", "detect_anomaly", "draw", "draw_dot", "errors",
    "errstate", "explain", "grad", "hessian", "hvp", "jacobian", "jit", "jvp", "nn", "ops", "optim", "propagate",
    "value_and_grad", "vjp",
} - {"abs", "pow", "sum"})  # fmt: skip
