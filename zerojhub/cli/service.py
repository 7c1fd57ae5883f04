"""zerojhub service: the processes of Magnum."""

from __future__ import annotations

from zerojhub.cli.help import App
from zerojhub.cli.options import CloudOption, OutputOption
from zerojhub.report.results import Output

app = App()


@app.callback()
def group() -> None:
    """List the processes of Magnum."""


@app.command("list")
def list_services(cloud: CloudOption = None, output: OutputOption = Output.table) -> None:
    """List Magnum's conductors, and whether they are up (administrators only).

    Examples:
        zerojhub service list
    """
    from zerojhub.cli.run import request
    from zerojhub.openstack import magnum_quotas
    from zerojhub.report.quotas import show_services

    show_services(request(cloud, magnum_quotas.services), output)
