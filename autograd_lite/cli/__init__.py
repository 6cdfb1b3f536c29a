"""The command line, `autograd-lite` or `python -m autograd_lite`: a file for each command, and what they share.

grad, check, ops, fit, predict   the commands, each a function; another one is a file more, and its name in the table below
descent, methods, cluster   what `fit` does by descent, by its other methods, and on a cluster
score       how good predictions are, in words; `patience` ends searches that take too long
options     what a command takes, by the signature of its function
common      formulas, numbers and pairs as they are typed
reading     the options of a table
output      the one writer, tables, JSON
messages    errors

Needs the extra `cli` (click), imported when a command runs.  A command is a function; whatever error of the
library it raises becomes a message on stderr and exit status 2.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from ..errors import MissingPackageError

if TYPE_CHECKING:
    import click

__all__ = ["application", "main"]

WIDEST = 100  # columns of a help
ABOUT = """Exact derivatives of formulas, as typed.

autograd-lite COMMAND --help shows examples of a command."""
# each command with the first sentence of its help, so that the list of them imports none; in the order of the list
COMMANDS = {
    "grad": "The value of a formula and its derivative by each name.",
    "check": "First and second derivatives of a formula against finite differences.",
    "fit": "The weights of a formula that come closest to a column of a table, with their errors.",
    "predict": "What a fitted formula says of other rows: the table as it stands, with a column `prediction` more.",
    "ops": "The functions of formulas: derivatives, domains, conventions at kinks.",
}


def application(wanted: str | None = None) -> click.Group:
    """The commands as a `click.Group`, which a test can run.

    >>> list(application().commands)
    ['grad', 'check', 'fit', 'predict', 'ops']

    Args:
        wanted: the one command that will be called, where that is known; "" where none will, and they are only listed.

    Raises MissingPackageError without click.
    """
    try:
        import click
    except ImportError as error:
        raise MissingPackageError(
            "the command line needs click, which is not installed: pip install 'autograd-lite[cli]'"
        ) from error
    from .common import COMPLETION, VERSION
    from .messages import Commands
    from .options import command
    from .output import width

    plain = {"help_option_names": ["--help", "-h"], "terminal_width": min(width(), WIDEST)}
    app = Commands("autograd-lite", help=ABOUT, params=[VERSION, COMPLETION], no_args_is_help=True, context_settings=plain)
    for name, sentence in COMMANDS.items():
        # a formula may begin with a minus sign, which is no option
        settings = {**plain, "ignore_unknown_options": name in ("grad", "check", "fit")}
        if wanted is None or wanted == name:
            app.add_command(command(getattr(import_module(f".{name}", __name__), name), context_settings=settings))
        elif not wanted:
            app.add_command(click.Command(name, help=sentence))
    return app


def _wanted(arguments: Sequence[str]) -> str | None:
    """The command that a command line calls; "" where it only asks for the list of them; None where that is not plain."""
    first = arguments[0] if arguments else "--help"
    return first if first in COMMANDS else "" if first in ("--help", "--version") else None


def main() -> None:
    """Run the command that `sys.argv` asks for, and exit with its status."""
    try:
        for stream in (sys.stdout, sys.stderr):  # a terminal that knows no ∂ shows an escape rather than an exception
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        completing = any(name.endswith("_LITE_COMPLETE") for name in os.environ)  # the shell asks
        application(None if completing else _wanted(sys.argv[1:]))(prog_name="autograd-lite")
    except MissingPackageError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:  # while the packages are imported
        sys.exit(130)
