"""zerojhub heat: clusters created from Heat templates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerojhub.cli.help import App
from zerojhub.cli.options import (
    DEFAULT_FILE,
    CloudOption,
    FileOption,
    OutputOption,
    QuietOption,
    WaitOption,
    YesOption,
    confirm,
)
from zerojhub.cli.run import in_cloud, request
from zerojhub.report import stacks as report
from zerojhub.report.results import Output

if TYPE_CHECKING:
    from zerojhub.openstack.heat import Parameters, Stack
    from zerojhub.openstack.session import Cloud
    from zerojhub.text import Say

app = App("Create clusters from Heat templates.")

StackArgument = Annotated[str, typer.Argument(metavar="STACK", help="Stack, by name or ID.")]
ParametersOption = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter",
        metavar="KEY=VALUE",
        help="Parameter of the template (repeatable; if given once, several are separated by semicolons).",
    ),
]
ParameterFilesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter-file",
        metavar="KEY=FILE",
        help="Parameter whose value is the text of a file, relative to the template (repeatable).",
    ),
]
EnvironmentsOption = Annotated[
    list[Path] | None,
    typer.Option("--environment", "-e", metavar="FILE", help="Environment with parameters (repeatable)."),
]


@app.command()
def render(file: FileOption = DEFAULT_FILE) -> None:
    """Print a Heat template with the deployment's cluster template and cluster.

    Examples:
        zerojhub heat render -f hub.yaml > cluster.yaml
    """
    from zerojhub import deployment
    from zerojhub.openstack import hot

    wanted = deployment.load(file)
    report.show_template(hot.render(wanted, wanted.cluster.keypair))


@app.command("create")
def create_stack(
    name: Annotated[str, typer.Argument(metavar="STACK", help="Name of the new stack.")],
    template: Annotated[Path, typer.Option("--template", "-t", metavar="FILE", help="Heat template.")],
    parameters: ParametersOption = None,
    parameter_files: ParameterFilesOption = None,
    environments: EnvironmentsOption = None,
    timeout: Annotated[int, typer.Option(metavar="MINUTES", min=1, help="Timeout of the creation.")] = 60,
    wait: WaitOption = True,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Create a stack from a Heat template.

    Examples:
        zerojhub heat create k8s -t cluster.yaml --parameter keypair=mykey
    """
    from zerojhub.openstack import heat, hot

    source, given = hot.read(template), _parameters(parameters, parameter_files, template.parent)
    environment = hot.read_environment(environments or [])

    async def create(here: Cloud, say: Say) -> Stack:
        stack = await heat.create_stack(here, name, source, given, environment, timeout)
        return await (heat.wait_until_complete(here, stack, say) if wait else heat.show_stack(here, stack))

    report.show_stack(in_cloud(name, create, cloud, quiet), output)


@app.command("update")
def update_stack(
    name: StackArgument,
    template: Annotated[
        Path | None,
        typer.Option("--template", "-t", metavar="FILE", help="Heat template.", show_default="the present one"),
    ] = None,
    parameters: ParametersOption = None,
    parameter_files: ParameterFilesOption = None,
    environments: EnvironmentsOption = None,
    rollback: Annotated[bool, typer.Option("--rollback", help="Take the change back if it fails.")] = False,
    timeout: Annotated[
        int | None,
        typer.Option(metavar="MINUTES", min=1, help="Timeout of the change.", show_default="the present one"),
    ] = None,
    wait: WaitOption = True,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Change a stack: its template, or parameters alone. Parameters that are not given keep their values.

    Examples:
        zerojhub heat update k8s --parameter workers=3
        zerojhub heat update k8s -t cluster.yaml --rollback
    """
    from zerojhub.errors import UserError
    from zerojhub.openstack import heat, hot

    if not (template or parameters or parameter_files or environments):
        raise UserError("nothing to change was given", hint="-t FILE, --parameter, --parameter-file or -e FILE")
    source = hot.read(template) if template else None
    given = _parameters(parameters, parameter_files, template.parent if template else Path())
    environment = hot.read_environment(environments or [])

    async def update(here: Cloud, say: Say) -> Stack:
        before = await heat.get_stack(here, name)
        await heat.update_stack(here, before, source, given, environment, timeout, rollback=rollback)
        if not wait:
            return await heat.show_stack(here, before)
        return await heat.wait_until_complete(here, before, say, before=before)

    report.show_stack(in_cloud(name, update, cloud, quiet), output)


def _parameters(parameters: list[str] | None, files: list[str] | None, folder: Path) -> Parameters:
    """The values of both options; the files are relative to the folder."""
    from zerojhub.cli.arguments import parse_pairs, parse_parameters
    from zerojhub.openstack import hot

    given = parse_parameters(parameters or [])
    for key, path in parse_pairs(files or [], "--parameter-file").items():
        given[key] = hot.read_text(folder / path)
    return given


@app.command("list")
def list_stacks(cloud: CloudOption = None, output: OutputOption = Output.table) -> None:
    """List the stacks of the project.

    Examples:
        zerojhub heat list
    """
    from zerojhub.openstack import heat

    report.show_stacks(request(cloud, heat.stacks), output)


@app.command("show")
def show_stack(name: StackArgument, cloud: CloudOption = None, output: OutputOption = Output.table) -> None:
    """Show a stack and its outputs.

    Examples:
        zerojhub heat show k8s
    """
    from zerojhub.openstack import heat

    report.show_stack(request(cloud, lambda here: heat.get_stack(here, name)), output)


@app.command("delete")
def delete_stack(
    name: StackArgument,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """Delete a stack and its resources.

    Examples:
        zerojhub heat delete k8s
    """
    from zerojhub.cluster import delete
    from zerojhub.openstack import heat

    stack = request(cloud, lambda here: heat.get_stack(here, name))
    confirm(f"Delete stack {stack['stack_name']} ({stack['id']}) and its resources?", yes=yes)
    in_cloud(stack["stack_name"], lambda here, say: delete.delete_stack(here, stack, say), cloud, quiet)
    report.show_deleted(stack, output)
