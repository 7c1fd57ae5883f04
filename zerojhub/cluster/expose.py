"""A floating IP for a cluster's first master, so that commands can log in to it. `up` does this by itself for its own clusters."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from zerojhub.cluster import Ask
from zerojhub.errors import CloudError, UserError, ZeroJHubError
from zerojhub.openstack import magnum, masters, names, neutron, nova
from zerojhub.openstack.magnum import Cluster, ClusterTemplate
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
    template = await magnum.get_template(cloud, cluster["cluster_template_id"])
    if is_cluster_api(template):
        return Exposure(cluster["name"], needed=False)
    if cluster["status"] in ("CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS"):
        raise ZeroJHubError(f"cluster {cluster['name']} is {cluster['status']}", hint="try again when it is complete")
    listed = await neutron.floating_ips(cloud)
    given = _project_owned(cloud, listed, wanted) if wanted else None
    server = await masters.first_master(cloud, cluster)
    if there := await _attached(cloud, listed, server):
        if given and given["id"] != there["id"]:
            address = there["floating_ip_address"]
            hint = f"zerojhub cluster unexpose {cluster['name']}"
            raise UserError(f"{server['name']} has floating IP {address} already", hint=hint)
        return _exposure(cluster, there)
    if given and given["port_id"]:
        address, port = given["floating_ip_address"], f"{given['fixed_ip_address']}, port {given['port_id']}"
        raise UserError(f"floating IP {address} is in use by {port}", hint="see: openstack floating ip list")
    port = await masters.port_of(cloud, server)
    ours = _allocated(listed, cluster["uuid"])  # by an interrupted `expose`
    chosen = given or (ours[0] if ours else await _new(cloud, cluster, template))
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
    if is_cluster_api(await magnum.get_template(cloud, cluster["cluster_template_id"])):
        return Exposure(cluster["name"], needed=False)
    listed = await neutron.floating_ips(cloud)
    there = await _attached(cloud, listed, await masters.first_master(cloud, cluster))
    if there and there["floating_ip_address"] in (cluster.get("master_addresses") or []):
        raise UserError(f"Magnum assigned {there['floating_ip_address']} together with cluster {cluster['name']}")
    allocated = _allocated(listed, cluster["uuid"])
    if there:
        verb = "Release" if there in allocated else "Detach"
        ask(f"{verb} floating IP {there['floating_ip_address']} of cluster {cluster['name']}?")
        if there not in allocated:
            await neutron.detach_floating_ip(cloud, there["id"])
    await release(cloud, cluster["uuid"])
    return _exposure(cluster, there)


async def release(cloud: Cloud, uuid: str) -> None:
    """Release what `expose` allocated for the cluster; floating IPs that the project had before stay."""
    for floating_ip in _allocated(await neutron.floating_ips(cloud), uuid):
        await neutron.delete_floating_ip(cloud, floating_ip["id"])


def _mark(uuid: str) -> str:
    """The description that identifies floating IPs as allocated for the cluster."""
    return f"zerojhub cluster {uuid}"


def _exposure(cluster: Cluster, there: FloatingIP | None) -> Exposure:
    if there is None:
        return Exposure(cluster["name"])
    address, fixed = there["floating_ip_address"], there["fixed_ip_address"]
    return Exposure(cluster["name"], there["id"], address, fixed, there["port_id"])


def _allocated(listed: Sequence[FloatingIP], uuid: str) -> list[FloatingIP]:
    """Those that `expose` allocated for the cluster."""
    return [each for each in listed if each.get("description") == _mark(uuid)]


async def _attached(cloud: Cloud, listed: Sequence[FloatingIP], server: nova.Server) -> FloatingIP | None:
    """The server's floating IP, whoever attached it."""
    ports = await nova.port_ids(cloud, server)
    return next((each for each in listed if each["port_id"] in ports), None)


def _project_owned(cloud: Cloud, listed: Sequence[FloatingIP], wanted: str) -> FloatingIP:
    """The floating IP with this address or ID. An administrator sees those of other projects, too."""
    for each in listed:
        if wanted in (each["id"], each["floating_ip_address"]) and each["project_id"] == cloud.project_id:
            return each
    raise UserError(f"the project has no floating IP {wanted}", hint="see: openstack floating ip list")


async def _new(cloud: Cloud, cluster: Cluster, template: ClusterTemplate) -> FloatingIP:
    """A new one from the cluster's external network."""
    external = await names.network(cloud, template["external_network_id"] or "", external=True)
    return await neutron.create_floating_ip(cloud, external, _mark(cluster["uuid"]))
