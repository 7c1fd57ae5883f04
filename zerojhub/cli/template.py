"""zerojhub template: cluster templates."""

from __future__ import annotations

from typing import Annotated

import typer

from zerojhub.cli.options import CloudOption, OutputOption
from zerojhub.report.results import Output, show, table

app = typer.Typer(help="Cluster templates of the project, and public ones.", no_args_is_help=True)
COLUMNS = ("uuid", "name", "coe", "image_id", "flavor_id", "public")


@app.command("list")
def list_templates(cloud: CloudOption = None, output: OutputOption = Output.table) -> None:
    """The cluster templates in the project."""
    import anyio

    from zerojhub.openstack.session import Cloud

    templates = anyio.run(Cloud(cloud).container_infra.all, "/clustertemplates", "clustertemplates")
    show(templates, output, lambda: table(templates, COLUMNS))


@app.command("show")
def show_template(
    name: Annotated[str, typer.Argument(help="Name or UUID.")],
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
) -> None:
    """One cluster template, whole."""
    import anyio

    from zerojhub.errors import UserError
    from zerojhub.openstack import magnum
    from zerojhub.openstack.session import Cloud

    template = anyio.run(magnum.find_one, Cloud(cloud), "clustertemplates", name)
    if template is None:
        raise UserError(f"no cluster template named {name!r}", hint="see: zerojhub template list")
    rows = [{"field": key, "value": value} for key, value in template.items() if key != "links"]
    show(template, output, lambda: table(rows, ("field", "value")))
