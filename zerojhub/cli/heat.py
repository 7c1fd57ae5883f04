"""zerojhub heat: clusters by way of Heat templates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerojhub.cli.arguments import parse_labels
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
from zerojhub.cli.run import in_cloud
from zerojhub.report import stacks as report
from zerojhub.report.results import Output

if TYPE_CHECKING:
    from zerojhub.openstack.heat import Stack
    from zerojhub.openstack.session import Cloud
    from zerojhub.text import Say

app = typer.Typer(help="Clusters by way of Heat templates.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name or ID of the stack.")]


@app.command()
def render(file: FileOption = DEFAULT_FILE) -> None:
    """Print a Heat template with the deployment's cluster template and cluster.

    zerojhub heat render -f hub.yaml > cluster.yaml
    """
    from zerojhub import deployment
    from zerojhub.openstack import hot

    wanted = deployment.load(file)
    report.show_template(hot.render(wanted, wanted.cluster.keypair))


@app.command("create")
def create_stack(
    name: Annotated[str, typer.Argument(help="Name of the stack.")],
    template: Annotated[Path, typer.Option("--template", "-t", help="A Heat template.")],
    parameters: Annotated[
        list[str] | None, typer.Option("--parameter", metavar="KEY=VALUE", help="Again for more.")
    ] = None,
    timeout: Annotated[int, typer.Option(min=1, help="Minutes until Heat gives up.")] = 60,
    wait: WaitOption = True,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
) -> None:
    """Make a stack from a template.

    zerojhub heat create k8s -t cluster.yaml --parameter keypair=mykey
    """
    from zerojhub.openstack import heat
    from zerojhub.yamlfile import plain, read_yaml

    body, given = plain(read_yaml(template)), parse_labels(parameters or [])
    # YAML reads an unquoted version as a date, and Heat wants the words.
    body["heat_template_version"] = str(body.get("heat_template_version", ""))

    async def create(here: Cloud, say: Say) -> Stack:
        stack = await heat.create_stack(here, name, body, given, timeout)
        return await (heat.wait_until_complete(here, stack, say) if wait else heat.show_stack(here, stack))

    report.show_stack(in_cloud(name, create, cloud, quiet), output)


@app.command("list")
def list_stacks(cloud: CloudOption = None, output: OutputOption = Output.table) -> None:
    """The stacks in the project.

    zerojhub heat list
    """
    import anyio

    from zerojhub.openstack import heat
    from zerojhub.openstack.session import Cloud

    report.show_stacks(anyio.run(heat.stacks, Cloud(cloud)), output)


@app.command("show")
def show_stack(name: Name, cloud: CloudOption = None, output: OutputOption = Output.table) -> None:
    """One stack, with its outputs.

    zerojhub heat show k8s
    """
    import anyio

    from zerojhub.openstack import heat
    from zerojhub.openstack.session import Cloud

    report.show_stack(anyio.run(heat.get_stack, Cloud(cloud), name), output)


@app.command("delete")
def delete_stack(
    name: Name,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    quiet: QuietOption = False,
    yes: YesOption = False,
) -> None:
    """Delete a stack and what it made.

    zerojhub heat delete k8s
    """
    import anyio

    from zerojhub.openstack import heat
    from zerojhub.openstack.session import Cloud

    stack = anyio.run(heat.get_stack, Cloud(cloud), name)
    confirm(f"Delete the stack {stack['stack_name']} ({stack['id']}) and what it made?", yes=yes)
    in_cloud(stack["stack_name"], lambda here, say: heat.delete_stack(here, stack, say), cloud, quiet)
    report.show_deleted(stack, output)
