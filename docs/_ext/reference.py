"""Reference pages generated from the code, so that documentation and program cannot diverge.

```{zerojhub} hub-yaml | commands | stage-graph | stages | exit-codes | profiles
```
"""

from __future__ import annotations

import base64
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import graph
import typer
from docutils.nodes import Node
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from zerojhub import cli, deployment, stages
from zerojhub.cli import help as command_help
from zerojhub.practice import profile

SHARED = ("file", "cloud", "output", "quiet", "verbose", "yes")
"""Options that many commands share (zerojhub/cli/options.py): described once, and listed by name in each command."""
NOT_OURS = ("help", "install_completion", "show_completion")
TYPES = {str: "string", int: "integer", bool: "`true` or `false`", float: "number", Path: "path"}


class Reference(SphinxDirective):
    """Replaces the directive with one part of the reference, generated as MyST markdown."""

    required_arguments = 1

    def run(self) -> list[Node]:
        text = "\n".join(PARTS[self.arguments[0]]())
        self.env.note_dependency(__file__)
        for name, module in sys.modules.items():
            if name.startswith("zerojhub.") and module.__file__:
                self.env.note_dependency(module.__file__)
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def hub_yaml() -> Iterator[str]:
    """A table for each section of the deployment file."""
    yield from section("Top level", deployment.Deployment)
    for name, field in deployment.Deployment.model_fields.items():
        if model := model_of(field):
            yield from section(name, model)
            for inner_name, inner in model.model_fields.items():
                if inner_model := model_of(inner):
                    yield from section(f"{name}.{inner.alias or inner_name}", inner_model)
    yield from section("cluster.template as a mapping", deployment.TemplateSpec)


def section(title: str, model: type[BaseModel]) -> Iterator[str]:
    yield from (f"## {title}", "", inspect.getdoc(model) or "", "")
    fields = model.model_fields.items()
    yield from table(
        ("Key", "Type", "Default", "Description"),
        (
            (f"`{field.alias or name}`", takes(field.annotation), default(field), field.description or "")
            for name, field in fields
            if not model_of(field)
        ),
    )


def default(field: FieldInfo) -> str:
    if field.is_required():
        return "(required)"
    if field.default in (None, {}, [], ""):
        return ""
    text = f"[{', '.join(field.default)}]" if isinstance(field.default, list) else str(field.default)
    return f"`{text.replace('False', 'false')}`"


def model_of(field: FieldInfo) -> type[BaseModel] | None:
    """The section model of a required or optional field; None if the field is not a section."""
    kinds = [kind for kind in get_args(field.annotation) or (field.annotation,) if kind is not NoneType]
    only = kinds[0] if len(kinds) == 1 else None
    return only if isinstance(only, type) and issubclass(only, BaseModel) else None


def takes(kind: Any) -> str:
    """The name of a type for readers."""
    if get_origin(kind) is Literal:
        return ", ".join(f"`{each}`" for each in get_args(kind))
    if get_origin(kind) is list:
        return "list: " + takes(get_args(kind)[0])
    if get_origin(kind) is dict or (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return "mapping"
    if kind in TYPES:
        return TYPES[kind]
    # Describe an annotated type (a name with a pattern, a strict flag) as its base type, and a union as its members.
    inner = get_args(kind)[:1] if hasattr(kind, "__metadata__") else get_args(kind)
    return " or ".join(takes(each) for each in inner if each is not NoneType)


def commands() -> Iterator[str]:
    """Every command with its arguments, options and examples, as in its `--help`."""
    root: Any = typer.main.get_command(cli.app)
    context = typer.Context(root, info_name="zerojhub")
    yield from (
        "## Common options",
        "",
        "Many commands share these options. They are also accepted before the command.",
        "",
    )
    yield from table(("Option", "Description"), described(options(root, context, SHARED)))
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        yield from described_command(command, typer.Context(command, info_name=name, parent=context), level=2)


def described_command(command: Any, context: typer.Context, level: int) -> Iterator[str]:
    yield from (f"{'#' * level} {context.command_path.removeprefix('zerojhub ')}", "")
    yield from text_and_examples(command.help)
    if hasattr(command, "commands"):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            yield from described_command(inner, typer.Context(inner, info_name=name, parent=context), level + 1)
        return
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield from ("```text", usage, "```", "")
    yield from table(("Option", "Description"), described(options(command, context, SHARED, but=True)))
    if shared := [each.opts[0] for each in options(command, context, SHARED)]:
        yield from ("[Common options](#common-options): " + ", ".join(f"`{option}`" for option in shared) + ".", "")


def options(command: Any, context: typer.Context, names: tuple[str, ...], *, but: bool = False) -> list[Any]:
    """The command's parameters with these names, or with `but` all others."""
    own = [each for each in command.get_params(context) if each.name not in NOT_OURS and not getattr(each, "hidden", 0)]
    return [each for each in own if (each.name in names) != but]


def described(parameters: list[Any]) -> Iterator[tuple[str, str]]:
    for words, text in map(command_help.record, parameters):
        yield f"`{words}`", text


def text_and_examples(text: str | None) -> Iterator[str]:
    """A docstring as paragraphs, with its examples as a code block."""
    paragraphs, examples = command_help.split(text)
    for paragraph in paragraphs:
        yield from (paragraph, "")
    if examples:
        yield from ("```console", *(f"$ {line}" for line in examples), "```", "")


def stage_graph() -> Iterator[str]:
    """The dependency graph of the stages, as an image."""
    picture = base64.b64encode(graph.drawn().encode()).decode()
    yield f'<img alt="The stages and their dependencies" src="data:image/svg+xml;base64,{picture}">'


def all_stages() -> Iterator[str]:
    """Each stage with its docstring and its dependencies."""
    for stage in stages.STAGES:
        needs = ", ".join(f"[{need.name}](#{need.name})" for need in stage.needs)
        yield from (f"## {stage.name}", "", inspect.getdoc(stage) or "", "", f"Needs: {needs or 'nothing'}.", "")


def exit_codes() -> Iterator[str]:
    """The list in the docstring of zerojhub.cli."""
    codes = (inspect.getdoc(cli) or "").rpartition("\n\n")[2].rstrip(".")
    yield from table(("Code", "Meaning"), (each.split(" ", 1) for each in codes.split(", ")))


def profiles() -> Iterator[str]:
    """A table for each section of a profile."""
    yield from section("Top level", profile.Profile)
    for name, field in profile.Profile.model_fields.items():
        if model := profile.section_of(field.annotation):
            yield from section(name, model)
            for inner, each in model.model_fields.items():
                if below := profile.section_of(each.annotation):
                    yield from section(f"{name}.{each.alias or inner}", below)


def table(columns: tuple[str, ...], rows: Any) -> Iterator[str]:
    rows = list(rows)
    if rows:
        for cells in (columns, ("---",) * len(columns), *rows):
            yield from row(*cells)
        yield ""


def row(*cells: str | None) -> Iterator[str]:
    yield "| " + " | ".join(" ".join((cell or "").replace("|", "\\|").split()) for cell in cells) + " |"


PARTS = {
    "hub-yaml": hub_yaml,
    "commands": commands,
    "stage-graph": stage_graph,
    "stages": all_stages,
    "exit-codes": exit_codes,
    "profiles": profiles,
}


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("zerojhub", Reference)
    return {"parallel_read_safe": True}
