"""The DNS record of a hub that keeps its host name when it moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zerojhub.openstack import designate
from zerojhub.stages import Dns
from zerojhub.stages.floating_ip import mark
from zerojhub.stages.host_name import host_of, zone_of

if TYPE_CHECKING:
    from zerojhub.moving.sides import Side


async def hand_over(source: Side, target: Side) -> None:
    """Have the record of the name that both have be the target's to change, and no longer the source's to delete. Repeatable.

    A zone that the target's project does not have stays as it is.
    """
    if not Dns.applies(target.run.deployment) or await host_of(source.run) != await host_of(target.run):
        return
    if source.run.cloud.project_id != target.run.cloud.project_id:
        return
    if zone := await zone_of(target.run):
        for each in await designate.recordsets(source.run.cloud, zone["id"], description=mark(source.run)):
            await designate.describe_recordset(source.run.cloud, each, mark(target.run))
