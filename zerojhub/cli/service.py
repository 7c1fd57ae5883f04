"""zerojhub service: the processes of Magnum."""

from __future__ import annotations

from zerojhub.cli.help import App
from zerojhub.cli.options import CloudOption, ColumnOption, ListOutputOption
from zerojhub.report.results import Listing, ListOutput

app = App()


@app.callback()
def group() -> None:
    """List the processes of Magnum."""


@app.command("list")
def list_services(
    column: ColumnOption = None, cloud: CloudOption = None, output: ListOutputOption = ListOutput.table
) -> None:
    """List Magnum's conductors, and whether they are up (administrators only).

    Examples:
        zerojhub service list
        zerojhub service list -c host -c state -o csv
    """
    from zerojhub.cli.run import request
    from zerojhub.openstack import magnum_quotas
    from zerojhub.report.quotas import show_services

    show_services(request(cloud, magnum_quotas.services), Listing(output, column or ()))
