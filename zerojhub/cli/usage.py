"""Mistakes on the command line, which Typer finds, as errors of this program: one line, with what to do.

Typer's exceptions are Click's in some versions of it and its own in others, so they are known by their attributes.
"""

from __future__ import annotations

import re
from typing import Any

from zerojhub.errors import UserError
from zerojhub.text import nearest

OF_PYDANTIC = re.compile(r"(Value error, |Input should be (a )?(valid )?)")


def is_usage_error(error: BaseException) -> bool:
    return hasattr(error, "format_message")


def is_help(error: BaseException) -> bool:
    """Is it what Typer raises to print the help of a group without a command?"""
    return type(error).__name__ == "NoArgsIsHelpError"


def explain(error: Any) -> UserError:
    """The error for an exception of Typer's that `is_usage_error`."""
    context, parameter = getattr(error, "ctx", None), getattr(error, "param", None)
    command = context.command_path if context else "zerojhub"
    hint = f"see {command} --help"
    if (option := getattr(error, "option_name", None)) and hasattr(error, "possibilities"):
        meant = nearest(option, _options(context), likeness=0.75)
        if re.fullmatch(r"-\d+", option):
            return UserError(f"{option}: a number here cannot be negative", hint=hint)
        return UserError(f"no such option: {option}", hint=f"did you mean {meant}?" if meant else hint)
    if parameter is not None:
        name = _name(parameter)
        if "Missing" in type(error).__name__:
            return UserError(f"missing {parameter.param_type_name} {name}", hint=hint)
        return UserError(_requirement(str(error.message)), where=name, hint=hint)
    text = str(error.format_message()).rstrip(".")
    if extra := re.search(r"extra arguments?(?:\(s\))? \((.*)\)", text):
        return UserError(f"unexpected argument: {extra[1]}", hint=hint)
    return UserError(text[:1].lower() + text[1:], hint=hint)


def unknown_command(name: str, known: list[str], path: str) -> UserError:
    """The error for a command that a group does not have."""
    meant = nearest(name, known)
    hint = f"did you mean {path} {meant}?" if meant else f"see {path} --help"
    return UserError(f"unknown command {name!r}", hint=hint)


def _options(context: Any) -> list[str]:
    parameters = context.command.get_params(context) if context else []
    return [name for each in parameters if each.param_type_name != "argument" for name in each.opts]


def _name(parameter: Any) -> str:
    """As the help shows it: `--output`, NAME."""
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name.upper())
    return str(max(parameter.opts, key=len))


def _requirement(message: str) -> str:
    """`must be …`, from pydantic's words or Click's."""
    text = message.rstrip(".").partition(", unable to parse")[0]
    if not (found := OF_PYDANTIC.match(text)):
        return text
    rest = text[found.end() :]
    return (
        rest if found[1].startswith("Value") else f"must be {found[2] or ''}{rest}".replace("integer", "whole number")
    )
