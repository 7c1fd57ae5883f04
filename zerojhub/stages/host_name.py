"""The hub's full host name, and the project's zone that it is in. Not a stage: several of them ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zerojhub.deployment import is_address
from zerojhub.errors import UserError
from zerojhub.openstack import designate
from zerojhub.openstack.session import if_allowed

if TYPE_CHECKING:
    from zerojhub.openstack.designate import Zone
    from zerojhub.run import Run


async def host_of(run: Run) -> str | None:
    """`hub.host`; without a dot it is in `dns.zone`, or else in the only zone of the project. UserError if there are several.

    Asks Designate only if that decides. A name without a dot stays as it is in a project without zones.
    """
    host = run.deployment.hub.host
    if host is None or host == "localhost" or "." in host or is_address(host):
        return host
    if wanted := run.deployment.dns and run.deployment.dns.zone:
        return f"{host}.{wanted.rstrip('.')}"
    zones = sorted(each["name"].rstrip(".") for each in await run.once(zones_of, run))
    if len(zones) > 1:
        raise UserError(
            f"hub.host: {host} could be in {' or '.join(zones)}",
            where=run.deployment.where("hub", "host"),
            hint=f"write the whole name, such as {host}.{zones[0]}",
        )
    return f"{host}.{zones[0]}" if zones else host


async def zone_of(run: Run) -> Zone | None:
    """The zone for the record of the hub's host name: `dns.zone`, or the nearest one above it. UserError if there is no `dns.zone`."""
    host = await host_of(run)
    if host is None or is_address(host):
        return None
    listed = await run.once(zones_of, run)
    if wanted := run.deployment.dns and run.deployment.dns.zone:
        if found := next((each for each in listed if each["name"] == wanted), None):
            return found
        known = ", ".join(sorted(each["name"] for each in listed)) or "none"
        where = run.deployment.where("dns", "zone")
        raise UserError(f"the project has no DNS zone {wanted}", where=where, hint=f"zones: {known}")
    return designate.zone_of(absolute(host), listed)


async def zones_of(run: Run) -> list[Zone]:
    """The zones that the project sees; none where the cloud has no Designate. Use it with `run.once`."""
    with if_allowed():
        return await designate.zones(run.cloud)
    return []


def absolute(host: str) -> str:
    """The name as DNS has it: with a dot at its end."""
    return host.rstrip(".") + "."
