"""What a command takes, stated in the signature of its function, and its help; click reads the command line by it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

import click
from click.shell_completion import CompletionItem

TYPES: dict[Any, Any] = {str: click.STRING, int: click.INT, float: click.FLOAT}


@dataclass(frozen=True)
class Option:
    """An option in an ``Annotated[int | None, Option(...)]``; the name of the parameter is its name unless `name` is given.

    Args:
        name: ``--one`` or, of a switch, ``--one/--other``.
        help: a sentence.
        metavar: what stands for its value in the help.
        min, max: the least and the greatest number.
        words: what the shell completes it with.
        panel: the heading it stands under in the help.
    """

    name: str = ""
    help: str = ""
    metavar: str | None = None
    min: int | None = None
    max: int | None = None
    words: Callable[[], Iterable[str]] | None = None
    panel: str | None = None


@dataclass(frozen=True)
class Argument:
    """A word of the command line that is no option, in an ``Annotated[str, Argument(...)]``; as of `Option`."""

    metavar: str | None = None
    help: str = ""
    words: Callable[[], Iterable[str]] | None = None
    hidden: bool = False


class Command(click.Command):
    """A command whose help has arguments, options by their headings, and examples as they stand."""

    about: dict[str, Option | Argument]

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help."""
        self.format_usage(ctx, formatter)
        text, _, examples = inspect.cleandoc(self.callback.__doc__ or "").partition("\n\nExamples\n")
        for paragraph in text.split("\n\n"):
            formatter.write_paragraph()
            formatter.write_text(" ".join(paragraph.split()))
        panels: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for parameter in self.get_params(ctx):
            about = self.about.get(parameter.name or "")
            if isinstance(about, Argument):
                if not about.hidden:
                    panels["Arguments"].append((parameter.make_metavar(ctx), about.help))
            elif record := parameter.get_help_record(ctx):
                panels.setdefault((about and about.panel) or "Options", []).append(record)
        for title, rows in panels.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows, col_max=24)
        if examples:
            with formatter.section("Examples"):
                for line in filter(None, map(str.strip, examples.split("\n"))):
                    formatter.write(f"  {line}\n")


def command(function: Callable[..., Any], name: str | None = None, **settings: Any) -> Command:
    """The command that calls a function, whose parameters say by their annotations how they are typed.

    >>> def double(x: float, again: Annotated[bool, Option("--again", "Twice.")] = False) -> None:
    ...     "Twice a number."
    >>> [parameter.name for parameter in command(double).params]
    ['x', 'again']

    Args:
        function: what is called with the parameters by name; its docstring is the help, and what follows ``Examples`` in it
            stands in the help line by line.
        name: of the command, that of the function unless given.
        settings: of `click.Command`.
    """
    about: dict[str, Option | Argument] = {}
    params = [_parameter(p, about) for p in inspect.signature(function, eval_str=True).parameters.values()]
    made = Command(name or function.__name__, callback=function, params=params, **settings)
    made.help, made.about = inspect.cleandoc(function.__doc__ or "").partition("\n\n")[0], about
    return made


def _parameter(given: inspect.Parameter, about: dict[str, Option | Argument]) -> click.Parameter:
    """One parameter of a function as click has it."""
    name, kind, empty = given.name, given.annotation, given.default is inspect.Parameter.empty
    said: Option | Argument = Argument() if empty else Option()
    if get_origin(kind) is Annotated:
        kind, said = get_args(kind)
    about[name] = said
    kind = next((k for k in get_args(kind) if k is not NoneType), kind) if get_origin(kind) is not list else kind
    several = get_origin(kind) is list
    kind = get_args(kind)[0] if several else kind
    completed: dict[str, Any] = {"shell_complete": _completed(said.words)} if said.words else {}
    if isinstance(said, Argument):
        metavar = said.metavar or name.upper()
        metavar = metavar if empty or said.hidden else f"[{metavar}]" + "..." * several
        return click.Argument(
            [name], type=TYPES[kind], required=empty, nargs=-1 if several else 1, metavar=metavar,
            **({} if empty or several else {"default": given.default}), **completed,
        )  # fmt: skip
    typed: Any = TYPES.get(kind)
    if (said.min, said.max) != (None, None):
        typed = (click.IntRange if kind is int else click.FloatRange)(said.min, said.max)
    shown = given.default not in (None, "", False) and kind is not bool
    return click.Option(
        [name, said.name or f"--{name.replace('_', '-')}"], type=typed, is_flag=kind is bool, default=given.default,
        multiple=several, metavar=said.metavar, help=said.help, show_default=shown, **completed,
    )  # fmt: skip


def _completed(words: Callable[[], Iterable[str]]) -> Any:
    """What the shell completes the beginning of a word with."""
    return lambda ctx, param, begun: [CompletionItem(word) for word in words() if word.startswith(begun)]
