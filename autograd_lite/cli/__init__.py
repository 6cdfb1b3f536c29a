"""The command line, `autograd-lite` or `python -m autograd_lite`: a file for each command, and what they share.

common      formulas, numbers and pairs as they are typed
reading     the options of a table
output      the one writer, tables, JSON
messages    errors

Needs the extra `cli` (typer, which brings rich), imported when a command runs.  A command is a function; whatever error of the
library it raises becomes a message on stderr and exit status 2.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ..errors import MissingPackageError

if TYPE_CHECKING:
    import typer

__all__ = ["application", "main"]


def application() -> typer.Typer:
    """The commands as a `typer.Typer`, which a test can run.

    >>> [command.callback.__name__ for command in application().registered_commands]
    ['grad', 'check', 'fit', 'predict', 'ops']

    Raises MissingPackageError without typer.
    """
    try:
        import typer
    except ImportError as error:
        raise MissingPackageError(
            "the command line needs typer, which is not installed: pip install 'autograd-lite[cli]'"
        ) from error
    from .check import check
    from .common import about
    from .fit import fit
    from .grad import grad
    from .messages import Commands
    from .ops import ops
    from .predict import predict

    app = typer.Typer(cls=Commands, no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False)
    app.callback()(about)
    # a formula may begin with a minus sign, which is no option
    formula = {"ignore_unknown_options": True}
    app.command(context_settings=formula)(grad)
    app.command(context_settings=formula)(check)
    app.command(context_settings=formula)(fit)
    app.command()(predict)
    app.command()(ops)
    return app


def main() -> None:
    """Run the command that `sys.argv` asks for, and exit with its status."""
    for stream in (sys.stdout, sys.stderr):  # a terminal that knows no ∂ shows an escape rather than an exception
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        app = application()
    except MissingPackageError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:  # while the packages are imported
        sys.exit(130)
    app(prog_name="autograd-lite")
