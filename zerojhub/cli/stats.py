"""zerojhub stats: how many clusters and nodes a project has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zerojhub.cli.help import App
from zerojhub.cli.options import CloudOption, OutputOption, ProjectOption
from zerojhub.report.results import Output

if TYPE_CHECKING:
    from zerojhub.openstack.magnum_quotas import Stats
    from zerojhub.openstack.session import Cloud

app = App()


@app.command()
def stats(project: ProjectOption = None, cloud: CloudOption = None, output: OutputOption = Output.table) -> None:
    """Show how many clusters a project has, and how many nodes.

    Examples:
        zerojhub stats
    """
    from zerojhub.cli.run import request
    from zerojhub.openstack import magnum_quotas
    from zerojhub.report.quotas import show_stats

    async def work(here: Cloud) -> Stats:
        return await magnum_quotas.stats(here, project or await magnum_quotas.own_project(here))

    show_stats(request(cloud, work), output)
