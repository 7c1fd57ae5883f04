"""A floating IP for the master, allocated while the cluster builds. A master that has one keeps it, whoever attached it."""

from __future__ import annotations

from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.openstack import magnum, masters, names, neutron
from zerojhub.openstack.clusters import OWNER_LABEL
from zerojhub.openstack.neutron import FloatingIP as Address
from zerojhub.openstack.roads import road_of
from zerojhub.run import Run
from zerojhub.stage import Found, Missing, Stage, Teardown, Wrong
from zerojhub.stages.template import Template


class FloatingIP(Stage[Address | None]):
    """A floating IP for the master: the one it has, or one marked as this hub's.

    Allocates one from the template's external network while the cluster builds, described as `zerojhub:NAME`; `down`
    releases it. A cluster that is reached by its API needs none.
    """

    name = "floating-ip"
    needs = (Template,)

    async def check(self, run: Run) -> list[ZeroJHubError]:
        wanted = run.deployment.access.floating_ip
        if wanted and not await with_address(run, wanted):
            return [UserError(f"the project has no floating IP {wanted}", hint="see: openstack floating ip list")]
        return []

    async def look(self, run: Run) -> Found[Address | None] | Missing[Address | None]:
        if road_of(run.deployment, run[Template]) == "api":
            return Found("not needed: the API server has an address of its own", None)
        if wanted := run.deployment.access.floating_ip:
            [given] = await with_address(run, wanted)
            return Found(wanted, given)
        ours = await own(run)
        if ours and ours[0]["port_id"]:
            return Found(ours[0]["floating_ip_address"], ours[0])
        if attached := await on_master(run):
            return Found(f"{attached['floating_ip_address']}, already on the master", attached)
        if ours:
            return Found(ours[0]["floating_ip_address"], ours[0])
        if assigned_by_magnum(run):
            return Found("not needed: Magnum assigns the master one", None)
        return Missing("the master needs an address that is reachable from here", hint=await exposing(run))

    async def do(self, run: Run, state: Missing[Address | None] | Wrong[Address | None]) -> None:
        external = await names.network(run.cloud, run[Template]["external_network_id"] or "", external=True)
        await neutron.create_floating_ip(run.cloud, external, mark(run))

    async def undo(self, run: Run, teardown: Teardown) -> None:
        for floating_ip in await own(run):
            await neutron.delete_floating_ip(run.cloud, floating_ip["id"])
        teardown.describe(mark(run))


async def on_master(run: Run) -> Address | None:
    """The floating IP that the first master of an existing cluster has, whoever attached it."""
    cluster = await run.once(magnum.find_cluster, run.cloud, run.deployment.cluster_name)
    if cluster is None or not cluster.get("master_addresses"):
        return None
    try:
        server = await masters.first_master(run.cloud, cluster)
    except ZeroJHubError:  # a cluster that is being deleted, or was never created: the cluster stage reports that
        return None
    addresses = masters.addresses(server)
    # Two networks may have the same addresses: the floating IP's own address is the server's as well.
    return next((each for each in await floating_ips(run) if each["floating_ip_address"] in addresses), None)


async def exposing(run: Run) -> str | None:
    """The command that gives the master of an existing cluster an address; None when `up` created it, and does so."""
    cluster = await run.once(magnum.find_cluster, run.cloud, run.deployment.cluster_name)
    if cluster is None or OWNER_LABEL in cluster["labels"]:
        return None
    cloud = f" --cloud {run.deployment.cloud}" if run.deployment.cloud else ""
    return f"zerojhub cluster expose {cluster['name']}{cloud}"


def assigned_by_magnum(run: Run) -> bool:
    wanted = run.deployment.cluster.floating_ip_enabled
    return run[Template].get("floating_ip_enabled", False) if wanted is None else wanted


def mark(run: Run) -> str:
    """The description that identifies Neutron's resources as this hub's."""
    return f"zerojhub:{run.deployment.name}"


async def floating_ips(run: Run) -> list[Address]:
    return await run.once(neutron.floating_ips, run.cloud)


async def with_address(run: Run, address: str) -> list[Address]:
    return [each for each in await floating_ips(run) if each["floating_ip_address"] == address]


async def own(run: Run) -> list[Address]:
    """The floating IPs that were allocated for this hub."""
    return [each for each in await floating_ips(run) if each.get("description") == mark(run)]
