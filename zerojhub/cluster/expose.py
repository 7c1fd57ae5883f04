"""A floating IP for a cluster's first master, so that commands can log in to it. `up` does this by itself for its own clusters."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from zerojhub.cluster import Ask
from zerojhub.errors import CloudError, UserError, ZeroJHubError
from zerojhub.openstack import magnum, masters, names, neutron, nova
from zerojhub.openstack.magnum import Cluster
from zerojhub.openstack.neutron import FloatingIP
from zerojhub.openstack.roads import is_cluster_api
from zerojhub.openstack.session import Cloud
from zerojhub.text import Say


@dataclass(frozen=True)
class Exposure:
    """Whether a cluster's first master has a floating IP, with Neutron's names for what it is."""

    cluster: str
    """The cluster's name."""
    id: str | None = None
    floating_ip_address: str | None = None
    fixed_ip_address: str | None = None
    port_id: str | None = None
    needed: bool = True
    """False for clusters that are reached by their API alone."""


async def expose(cloud: Cloud, cluster: Cluster, wanted: str | None, say: Say) -> Exposure:
    """Give the first master a floating IP, unless it has one: the project's own one `wanted`, or a new one.

    UserError when `wanted`, an address or ID, is not the project's or is in use, or the master has another one.
    """
    if await _by_api(cloud, cluster):
        return Exposure(cluster["name"], needed=False)
    if cluster["status"] in ("CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS"):
        raise ZeroJHubError(f"cluster {cluster['name']} is {cluster['status']}", hint="try again when it is complete")
    given = await _project_owned(cloud, wanted) if wanted else None
    server = await masters.first_master(cloud, cluster)
    if there := await _attached(cloud, server):
        if given and given["id"] != there["id"]:
            address = there["floating_ip_address"]
            hint = f"zerojhub cluster unexpose {cluster['name']}"
            raise UserError(f"{server['name']} has floating IP {address} already", hint=hint)
        return _exposure(cluster, there)
    if given and given["port_id"]:
        address, port = given["floating_ip_address"], f"{given['fixed_ip_address']}, port {given['port_id']}"
        raise UserError(f"floating IP {address} is in use by {port}", hint="see: openstack floating ip list")
    port = await masters.port_of(cloud, server)
    chosen = given or await _own_or_new(cloud, cluster)
    say(f"attaching {chosen['floating_ip_address']} to {server['name']}")
    try:
        await neutron.attach_floating_ip(cloud, chosen["id"], port)
    except CloudError:
        if given is None:
            with contextlib.suppress(CloudError):  # what is left then is used by the next attempt
                await neutron.delete_floating_ip(cloud, chosen["id"])
        raise
    return _exposure(cluster, await neutron.get_floating_ip(cloud, chosen["id"]))


async def unexpose(cloud: Cloud, cluster: Cluster, ask: Ask) -> Exposure:
    """Detach the first master's floating IP, and release it if `expose` allocated it. Returns what it was.

    UserError when Magnum assigned it: the cluster has it as long as it exists.
    """
    if await _by_api(cloud, cluster):
        return Exposure(cluster["name"], needed=False)
    there = await _attached(cloud, await masters.first_master(cloud, cluster))
    if there and there["floating_ip_address"] in (cluster.get("master_addresses") or []):
        raise UserError(f"Magnum assigned {there['floating_ip_address']} together with cluster {cluster['name']}")
    allocated = await _allocated(cloud, cluster["uuid"])
    if there:
        verb = "Release" if there in allocated else "Detach"
        ask(f"{verb} floating IP {there['floating_ip_address']} of cluster {cluster['name']}?")
        if there not in allocated:
            await neutron.detach_floating_ip(cloud, there["id"])
    await release(cloud, cluster["uuid"])
    return _exposure(cluster, there)


async def release(cloud: Cloud, uuid: str) -> None:
    """Release what `expose` allocated for the cluster; floating IPs that the project had before stay."""
    for floating_ip in await _allocated(cloud, uuid):
        await neutron.delete_floating_ip(cloud, floating_ip["id"])


async def _by_api(cloud: Cloud, cluster: Cluster) -> bool:
    return is_cluster_api(await magnum.get_template(cloud, cluster["cluster_template_id"]))


def _mark(uuid: str) -> str:
    """The description that identifies floating IPs as allocated for the cluster."""
    return f"zerojhub cluster {uuid}"


def _exposure(cluster: Cluster, there: FloatingIP | None) -> Exposure:
    if there is None:
        return Exposure(cluster["name"])
    address, fixed = there["floating_ip_address"], there["fixed_ip_address"]
    return Exposure(cluster["name"], there["id"], address, fixed, there["port_id"])


async def _allocated(cloud: Cloud, uuid: str) -> list[FloatingIP]:
    listed = await neutron.floating_ips(cloud)
    return [each for each in listed if each.get("description") == _mark(uuid)]


async def _attached(cloud: Cloud, server: nova.Server) -> FloatingIP | None:
    """The server's floating IP, whoever attached it."""
    ports = await nova.port_ids(cloud, server)
    return next((each for each in await neutron.floating_ips(cloud) if each["port_id"] in ports), None)


async def _project_owned(cloud: Cloud, wanted: str) -> FloatingIP:
    """The floating IP with this address or ID. An administrator sees those of other projects, too."""
    for each in await neutron.floating_ips(cloud):
        if wanted in (each["id"], each["floating_ip_address"]) and each["project_id"] == cloud.project_id:
            return each
    raise UserError(f"the project has no floating IP {wanted}", hint="see: openstack floating ip list")


async def _own_or_new(cloud: Cloud, cluster: Cluster) -> FloatingIP:
    """The one that an interrupted `expose` allocated, or a new one from the cluster's external network."""
    if allocated := await _allocated(cloud, cluster["uuid"]):
        return allocated[0]
    template = await magnum.get_template(cloud, cluster["cluster_template_id"])
    external = await names.network(cloud, template["external_network_id"] or "", external=True)
    return await neutron.create_floating_ip(cloud, external["id"], _mark(cluster["uuid"]))
