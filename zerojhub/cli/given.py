"""Options that were given, and options that keep their defaults.

Only values that were given need to be converted, and of them only those that are not text: defaults have their types already,
and what Typer converts with (pydantic) takes longer to load than most commands run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any


def is_given(context: Any, name: str) -> bool:
    """Whether the option was given, on the command line or in the environment."""
    source = context.get_parameter_source(name)
    return source is not None and source.name in ("COMMANDLINE", "ENVIRONMENT")


def convert_if_given(parameters: Iterable[Any]) -> None:
    """Have options and arguments that are not given keep their defaults as they are."""
    for parameter in parameters:
        if "process_value" not in vars(parameter):  # the command was not run before
            parameter.process_value = partial(_process, parameter, parameter.process_value)


def _process(parameter: Any, convert: Callable[[Any, Any], Any], context: Any, value: Any) -> Any:
    """In place of the parameter's own `process_value`, which is `convert`."""
    given = is_given(context, parameter.name)
    if (given and not _is_text(parameter)) or (parameter.required and not given):
        return convert(context, value)
    if value is None and (parameter.multiple or parameter.nargs == -1):
        value = ()  # as for Click
    return parameter.callback(context, parameter, value) if parameter.callback else value


def _is_text(parameter: Any) -> bool:
    """Whether its value is as it was typed. Versions of Typer that do not say so convert it."""
    return getattr(getattr(parameter, "type_descriptor", None), "annotation", None) is str
