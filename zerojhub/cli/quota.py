"""zerojhub quota: how many clusters projects may have."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from zerojhub.cli.help import App
from zerojhub.cli.options import (
    CloudOption,
    ColumnOption,
    LimitOption,
    ListOutputOption,
    OutputOption,
    ProjectOption,
    SortDirOption,
    SortKeyOption,
    YesOption,
    confirm,
)
from zerojhub.cli.run import request
from zerojhub.report import quotas as report
from zerojhub.report.results import Listing, ListOutput, Output

if TYPE_CHECKING:
    from zerojhub.openstack.magnum_quotas import Quota, Stats
    from zerojhub.openstack.session import Cloud

app = App("Show and set how many clusters projects may have.")


class Resource(StrEnum):
    """What Magnum has quotas of."""

    cluster = "Cluster"


ResourceOption = Annotated[
    Resource, typer.Option(metavar="RESOURCE", help="What the quota is of. Magnum knows clusters only.")
]


@app.command("show")
def show_quota(
    project: ProjectOption = None,
    resource: ResourceOption = Resource.cluster,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Show how many clusters a project may have, and has.

    Examples:
        zerojhub quota show
    """
    from zerojhub.openstack import magnum_quotas

    async def work(here: Cloud) -> tuple[Quota, Stats]:
        which = project or await magnum_quotas.own_project(here)
        return await magnum_quotas.quota(here, which, resource), await magnum_quotas.stats(here, which)

    report.show_quota(*request(cloud, work), output)


@app.command("list")
def list_quotas(
    all_projects: Annotated[bool, typer.Option("--all-projects", help="Those of every project.")] = False,
    limit: LimitOption = None,
    sort_key: SortKeyOption = None,
    sort_dir: SortDirOption = None,
    column: ColumnOption = None,
    cloud: CloudOption = None,
    output: ListOutputOption = ListOutput.table,
) -> None:
    """List the quotas that administrators have set. Magnum's default applies to other projects.

    Examples:
        zerojhub quota list --all-projects
    """
    from zerojhub.openstack import magnum_quotas
    from zerojhub.openstack.magnum import Order

    order = Order(sort_key, sort_dir, limit)
    found = request(cloud, lambda here: magnum_quotas.quotas(here, everyone=all_projects, order=order))
    report.show_quotas(found, Listing(output, column or ()))


@app.command("set")
def set_quota(
    limit: Annotated[int, typer.Argument(metavar="N", min=0, help="Maximum number of clusters.")],
    project: ProjectOption = None,
    resource: ResourceOption = Resource.cluster,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Set how many clusters a project may have (administrators only).

    Examples:
        zerojhub quota set 30 --project 0a1b2c3d4e5f60718293a4b5c6d7e8f9
    """
    from zerojhub.openstack import magnum_quotas

    async def work(here: Cloud) -> Quota:
        which = project or await magnum_quotas.own_project(here)
        return await magnum_quotas.set_quota(here, which, resource, limit)

    report.show_set(request(cloud, work), output)


@app.command("delete")
def delete_quota(
    project: ProjectOption = None,
    resource: ResourceOption = Resource.cluster,
    cloud: CloudOption = None,
    output: OutputOption = Output.table,
    yes: YesOption = False,
) -> None:
    """Give a project Magnum's default again (administrators only).

    Examples:
        zerojhub quota delete --project 0a1b2c3d4e5f60718293a4b5c6d7e8f9
    """
    from zerojhub.openstack import magnum_quotas

    which = project or request(cloud, magnum_quotas.own_project)
    confirm(f"Delete the quota of project {which}? Magnum's default will apply.", yes=yes)
    report.show_set(request(cloud, lambda here: magnum_quotas.delete_quota(here, which, resource)), output)
