"""The command line as a test calls it, in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from click.testing import CliRunner

from autograd_lite.cli import application

ENVIRONMENT = {"COLUMNS": "80", "TERM": "dumb"}


def invoke(*arguments: Any, given: str | bytes | None = None, columns: int = 80) -> Any:
    """What a command line came to: its exit code and outputs.  Errors that no user should see are raised here."""
    environment = ENVIRONMENT | {"COLUMNS": str(columns)}
    done = CliRunner().invoke(application(), [*map(str, arguments)], input=given, prog_name="autograd-lite", env=environment)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def printed(command: str, *arguments: Any, status: int = 0, **options: Any) -> str:
    """What a command prints, given that it ends with this status."""
    done = invoke(command, *arguments, **options)
    assert done.exit_code == status, done.output
    return str(done.output)


def full(file: str) -> Callable[..., NoReturn]:
    """What writes that file, where there is no room for it."""

    def write(*_: Any, **__: Any) -> NoReturn:
        raise OSError(28, "No space left on device", file)

    return write
