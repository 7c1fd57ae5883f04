"""One look for every help text: plain, with option names in full and examples that can be copied.

Only public attributes of Typer's commands and parameters are used, because their classes are Click's in some versions of
Typer and Typer's own in others.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from typing import Any, Protocol, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.models import Default

from zerojhub.cli.given import convert_if_given
from zerojhub.cli.usage import unknown_command

Function = TypeVar("Function", bound=Callable[..., Any])


class Formatter(Protocol):
    """What is used of Click's HelpFormatter."""

    def write(self, string: str) -> None: ...
    def write_usage(self, prog: str, args: str = ...) -> None: ...
    def write_paragraph(self) -> None: ...
    def write_text(self, text: str) -> None: ...
    def write_dl(self, rows: Sequence[tuple[str, str]]) -> None: ...
    def section(self, name: str) -> AbstractContextManager[None]: ...
    def indentation(self) -> AbstractContextManager[None]: ...


class Command(TyperCommand):
    """A command with this help."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        convert_if_given(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return usage(self, ctx)

    def format_help(self, ctx: Any, formatter: Formatter) -> None:
        write_help(self, ctx, formatter)


class Group(TyperGroup):
    """A group of commands with this help."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        convert_if_given(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [*usage(self, ctx), "COMMAND [ARGS]..."]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """UserError with the nearest command when there is none of that name."""
        if not ctx.resilient_parsing and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise unknown_command(args[0], self.list_commands(ctx), ctx.command_path)
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Formatter) -> None:
        write_help(self, ctx, formatter)
        with formatter.section("Commands"):
            formatter.write_dl(list(self.summaries(ctx)))

    def summaries(self, ctx: Any) -> Iterator[tuple[str, str]]:
        """Each command's name and the first sentence of its help."""
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            paragraphs, _ = split(command.help)
            yield name, paragraphs[0].partition(". ")[0].rstrip(".") + "."


class App(typer.Typer):
    """A Typer app whose groups and commands have this help. Completion options exist only where `completion` is given.

    `alone`: the group does something without a command, too, instead of printing its help.
    """

    def __init__(
        self, text: str | None = None, *, cls: type[Group] = Group, completion: bool = False, alone: bool = False
    ) -> None:
        super().__init__(
            cls=cls,
            help=text or Default(None),  # the callback's docstring
            no_args_is_help=not alone,
            invoke_without_command=alone,
            add_completion=completion,
            context_settings={"help_option_names": ["-h", "--help"]},
            rich_markup_mode=None,
            pretty_exceptions_enable=False,
        )

    def command(
        self, name: str | None = None, *, cls: type[TyperCommand] | None = Command, **settings: Any
    ) -> Callable[[Function], Function]:
        return super().command(name, cls=cls, **settings)


def split(text: str | None) -> tuple[list[str], list[str]]:
    """The paragraphs of a docstring, and the lines of its section "Examples:"."""
    prose, _, examples = inspect.cleandoc(text or "").partition("Examples:\n")
    paragraphs = [" ".join(paragraph.split()) for paragraph in prose.strip().split("\n\n")]
    return paragraphs, [line.strip() for line in examples.splitlines() if line.strip()]


def usage(command: Any, context: Any) -> list[str]:
    """`[OPTIONS]`, and the arguments."""
    return ["[OPTIONS]", *(_name(each) for each in command.get_params(context) if _is_argument(each))]


def write_help(command: Any, context: Any, formatter: Formatter) -> None:
    """Usage, description, examples, arguments and options."""
    formatter.write_usage(context.command_path, " ".join(command.collect_usage_pieces(context)))
    paragraphs, examples = split(command.help)
    for paragraph in paragraphs:
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(paragraph)
    if examples:
        with formatter.section("Examples"):
            for line in examples:  # not wrapped: a line is copied whole
                formatter.write(f"  {line}\n")
    shown = [each for each in command.get_params(context) if not getattr(each, "hidden", False)]
    for title, wanted in (("Arguments", True), ("Options", False)):
        if rows := [record(each) for each in shown if _is_argument(each) == wanted]:
            with formatter.section(title):
                formatter.write_dl(rows)


def record(parameter: Any) -> tuple[str, str]:
    """How a parameter is given, such as `-f, --file FILE`, and what its help says of it."""
    notes = []
    if parameter.envvar:
        notes.append(f"[env: {parameter.envvar}]")
    if default := _default(parameter):
        notes.append(f"[default: {default}]")
    if parameter.required:
        notes.append("[required]")
    return _name(parameter), " ".join([parameter.help or "", *notes]).strip()


def _name(parameter: Any) -> str:
    metavar: str = parameter.metavar or parameter.name.upper()
    if _is_argument(parameter):
        word = metavar if parameter.required else f"[{metavar}]"
        return word if parameter.nargs == 1 else f"{word}..."
    names = ", ".join(sorted(parameter.opts, key=len))
    if parameter.secondary_opts:
        return f"{names} / {', '.join(parameter.secondary_opts)}"
    return names if parameter.is_flag else f"{names} {metavar}"


def _default(parameter: Any) -> str:
    """The default as it would be given; nothing for a flag that is off."""
    default = parameter.default
    if isinstance(parameter.show_default, str):
        return parameter.show_default
    if not _is_argument(parameter) and parameter.is_flag:
        if not parameter.secondary_opts or default is None:
            return ""
        return str((parameter.opts if default else parameter.secondary_opts)[0])
    if default is None or callable(default) or not parameter.show_default:
        return ""
    return str(default.value if isinstance(default, Enum) else default)


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")
