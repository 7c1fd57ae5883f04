"""A floating IP for the master, taken while the cluster builds. A master that has one already keeps it, whoever put it there."""

from __future__ import annotations

from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.openstack import magnum, masters, names
from zerojhub.openstack.roads import road_of
from zerojhub.stages.base import Found, Missing, Stage, Wrong
from zerojhub.stages.template import Template


class FloatingIP(Stage):
    """A floating IP for the master: the one that it has, or one marked as this hub's.

    Takes one from the template's external network while the cluster builds, described as `zerojhub:NAME`; `down` gives it
    back. A cluster that is reached by its API needs none.
    """

    name = "floating-ip"
    needs = (Template,)

    async def check(self, hub) -> list[ZeroJHubError]:
        wanted = hub.deployment.access.floating_ip
        if wanted and not await listed(hub, floating_ip_address=wanted):
            return [UserError(f"the project has no floating IP {wanted}", hint="see: openstack floating ip list")]
        return []

    async def look(self, hub) -> Found | Missing:
        if road_of(hub.deployment, hub[Template]) == "api":
            return Found("not needed: the API server has an address of its own")
        if wanted := hub.deployment.access.floating_ip:
            [floating_ip] = await listed(hub, floating_ip_address=wanted)
            return Found(wanted, floating_ip)
        ours = await own(hub)
        if ours and ours[0]["port_id"]:
            return Found(ours[0]["floating_ip_address"], ours[0])
        if there := await on_master(hub):
            return Found(f"{there['floating_ip_address']}, which the master has already", there)
        if ours:
            return Found(ours[0]["floating_ip_address"], ours[0])
        if given_by_magnum(hub):
            return Found("not needed: Magnum gives the master one")
        return Missing("the master needs an address that is reachable from here")

    async def do(self, hub, state: Missing | Wrong) -> None:
        external = await names.network(hub.cloud, hub[Template]["external_network_id"], external=True)
        body = {"floating_network_id": external["id"], "description": mark(hub)}
        await hub.cloud.network.post("/floatingips", {"floatingip": body})

    async def undo(self, hub) -> None:
        for floating_ip in await own(hub):
            await hub.cloud.network.delete(f"/floatingips/{floating_ip['id']}")


async def on_master(hub) -> dict | None:
    """The floating IP that the first master of a cluster that is there has, whoever put it there."""
    cluster = await magnum.find_one(hub.cloud, "clusters", hub.deployment.cluster.name)
    if cluster is None or not cluster["master_addresses"]:
        return None
    try:
        server = await masters.first_master(hub.cloud, cluster)
    except ZeroJHubError:  # a cluster that is going, or never came; its own stage tells of it
        return None
    addresses = masters.addresses(server)
    # Two networks may have the same addresses: the floating IP's own address is the server's as well.
    found = [each for each in await listed(hub) if each["floating_ip_address"] in addresses]
    return found[0] if found else None


def given_by_magnum(hub) -> bool:
    wanted = hub.deployment.cluster.floating_ip_enabled
    return hub[Template]["floating_ip_enabled"] if wanted is None else wanted


def mark(hub) -> str:
    """The description by which Neutron's resources are known as this hub's."""
    return f"zerojhub:{hub.deployment.name}"


async def own(hub) -> list[dict]:
    return [each for each in await listed(hub) if each.get("description") == mark(hub)]


async def listed(hub, **query: str) -> list[dict]:
    return await hub.cloud.network.all("/floatingips", "floatingips", **query)
