"""What goes wrong, as messages that look alike in every command: a line on stderr, exit status 2, JSON if asked for."""

from __future__ import annotations

import inspect
import re
import sys
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, get_args

import click
from click.exceptions import Abort, ClickException, Exit, UsageError

from ..errors import AutogradError
from .output import answered, say, say_json, say_note

TYPED = "autograd_lite.typed"  # under which the words of the command line are kept
LONGEST = 2000  # characters of a message


class Commands(click.Group):
    """The group of all commands, in which an error of the library is a message and exit status 2."""

    def main(self, *args: Any, **settings: Any) -> Any:
        """Read a command line, run it, and exit with its status: 130 after Ctrl-C, at whatever instant it comes."""
        try:
            ended = super().main(*args, **{**settings, "standalone_mode": False})
        except ClickException as error:  # no arguments: the help
            error.show()
            ended = error.exit_code
        except (Abort, KeyboardInterrupt):
            say(aside=True)  # after the ^C that the terminal shows
            ended = 130
        sys.exit(ended)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read what was typed."""
        ctx.meta[TYPED] = list(args)
        with errors_as_messages(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with errors_as_messages(ctx):
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: Any) -> None:
        """Write the commands, each with its first sentence, into the help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, found.help) for name, found in self.commands.items()])


@contextmanager
def errors_as_messages(ctx: click.Context | None = None) -> Iterator[None]:
    """What the library or the system refuses is said on stderr, without a traceback, and ends with status 2.

    Where `--json` was typed it is also an object on stdout, unless one is there already.
    """
    answered.set(False)
    typed = [] if ctx is None else ctx.meta[TYPED]
    with warnings.catch_warnings():
        for category in (UserWarning, RuntimeWarning):
            warnings.simplefilter("always", category)
        warnings.showwarning = lambda message, *_, **__: say_note(str(message), "warning")
        try:
            yield
        except BrokenPipeError:  # whoever reads has enough, and click ends quietly
            raise
        except (AutogradError, OSError, UsageError) as error:
            if type(error).__name__ == "NoArgsIsHelpError":  # the help
                raise
            command = getattr(ctx, "invoked_subcommand", None)
            message = shortened(
                _misused(error, typed) if isinstance(error, UsageError) else _said(error, _options(ctx, command))
            )
            say(f"error: {message}", aside=True)
            if "--json" in typed and not answered.get():
                ending = {"converged": False, "reason": message} if command == "fit" else {}
                say_json({**ending, "error": message}, None)
            raise Exit(2) from None


def _said(error: Exception, options: Collection[str]) -> str:
    """An error of the library or of the system in the words of the command line."""
    if isinstance(error, OSError) and not isinstance(error, AutogradError):
        name = "" if error.filename is None else f"{error.filename or repr('')}: "
        return f"{name}{error.strerror or error}"
    text = re.sub(r'errstate\(\w+="ignore"\)', "--ieee", str(error))  # what is Python's to write
    name, equals, rest = text.partition("=")
    typed = f"--{name.replace('_', '-')}"
    return f"{typed}={rest}" if equals and typed in options else text


def _options(ctx: Any, command: str | None) -> list[str]:
    """The options of the command that runs."""
    found = ctx.command.get_command(ctx, command) if command else None
    return [name for parameter in getattr(found, "params", ()) for name in parameter.opts]


def _misused(error: Any, typed: Sequence[str]) -> str:
    """An error of the parser of options, whose words differ from release to release, in ours."""
    kind: str = type(error).__name__
    parameter: Any = getattr(error, "param", None)
    if kind == "NoSuchOption":
        return f"{error.option_name} is no option of this command: --help lists them"
    if kind == "BadOptionUsage":
        return f"{error.option_name} has no value: --help says what it takes"
    if kind == "MissingParameter":
        name = str(parameter.name)
        return f"no {name.upper()}: autograd-lite {error.ctx.info_name} --help shows examples"
    if kind == "BadParameter" and parameter is not None:
        name = parameter.opts[-1]
        given = [after if word == name else word.partition("=")[2]
                 for word, after in pairwise([*typed, ""]) if word == name or word.startswith(f"{name}=")]  # fmt: skip
        return f"{name}={(given or [''])[-1]!r} must be {_rule(error.ctx.command.callback, parameter.name)}"
    text: str = error.format_message()
    return text.rstrip(".")


def _rule(command: Any, name: str) -> str:
    """What an option must be, by the signature of its command."""
    kind, option = get_args(inspect.signature(command, eval_str=True).parameters[name].annotation)
    rule = "a whole number" if int in (kind, *get_args(kind)) else "a number"
    if option.min is None and option.max is None:
        return rule
    return f"{rule} from {option.min} up" if option.max is None else f"{rule} from {option.min} to {option.max}"


def shortened(text: str) -> str:
    """A message of no more than 2,000 characters: its beginning and its end.

    >>> len(shortened("x" * 100_000)), shortened("short")
    (2000, 'short')
    """
    if len(text) <= LONGEST:
        return text
    left = f" ... ({len(text) - LONGEST:,} characters more) ... "
    kept = LONGEST - len(left)
    return text[: kept // 2] + left + text[len(text) - (kept - kept // 2) :]
