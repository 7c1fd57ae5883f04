"""A floating IP for the master, taken while the cluster builds. Clusters whose template gives the master one need none."""

from __future__ import annotations

from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.openstack import names
from zerojhub.openstack.roads import road_of
from zerojhub.stages.base import Found, Missing, Stage, Wrong
from zerojhub.stages.template import Template


class FloatingIP(Stage):
    """A floating IP for the master, marked as this hub's."""

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
        wanted = hub.deployment.access.floating_ip
        if not wanted and given_by_magnum(hub):
            return Found("not needed: Magnum gives the master one")
        found = await (listed(hub, floating_ip_address=wanted) if wanted else own(hub))
        if not found:
            return Missing("the master needs an address that is reachable from here")
        return Found(found[0]["floating_ip_address"], found[0])

    async def do(self, hub, state: Missing | Wrong) -> None:
        external = await names.network(hub.cloud, hub[Template]["external_network_id"], external=True)
        body = {"floating_network_id": external["id"], "description": mark(hub)}
        await hub.cloud.network.post("/floatingips", {"floatingip": body})

    async def undo(self, hub) -> None:
        for floating_ip in await own(hub):
            await hub.cloud.network.delete(f"/floatingips/{floating_ip['id']}")


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
