"""The servers of a cluster, whichever driver created them: found in its stacks, or by their names and addresses."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from typing_extensions import TypedDict

from zerojhub.openstack import magnum, nova, reasons, stacks
from zerojhub.openstack.session import Cloud, if_allowed
from zerojhub.text import one_line


class ServerRow(TypedDict):
    """A server as tables show it; `fault` is Nova's reason when it is in ERROR."""

    name: str
    status: str
    flavor: str | None
    addresses: str
    fault: str | None
    id: str


async def of(cloud: Cloud, cluster: magnum.Cluster) -> list[nova.Server]:
    """The cluster's servers that the project sees, by name; also while it is being created."""
    in_stacks = await stacks.resources(cloud, cluster, resource_type="OS::Nova::Server")
    return await among(cloud, cluster, {resource["physical_resource_id"] for resource in in_stacks})


async def among(cloud: Cloud, cluster: magnum.Cluster, ids: Collection[str] = ()) -> list[nova.Server]:
    """The servers with these IDs; without any, those with a name or an address of the cluster's. By name."""
    prefix = f"{cluster.get('cluster_id') or cluster.get('stack_id')}-"
    known = {*(cluster.get("master_addresses") or []), *(cluster.get("node_addresses") or [])}

    def belongs(server: nova.Server) -> bool:
        if ids:
            return server["id"] in ids
        # No Heat, or none for this project: Cluster API names servers after the cluster.
        return server["name"].startswith(prefix) or not known.isdisjoint(nova.addresses(server))

    return sorted(filter(belongs, await nova.servers(cloud)), key=lambda server: server["name"])


def progress(servers: Sequence[nova.Server]) -> str:
    """What is being built, in a few words: "1 of 2 servers, now kube-x1f4s-node-0"; empty for no servers."""
    active = [server for server in servers if server["status"] == "ACTIVE"]
    building = [server["name"] for server in servers if server["status"] == "BUILD"]
    counted = f"{len(active)} of {len(servers)} servers" if servers else ""
    return f"{counted}, now {', '.join(building[:3])}" if building else counted


def failure(servers: Sequence[nova.Server]) -> str | None:
    """Nova's own reason why one of them failed."""
    for server in servers:
        if reason := _fault(server):
            return f"server {server['name']}: {one_line(reason)}"
    return None


async def boot_failure(cloud: Cloud, servers: Sequence[nova.Server]) -> str | None:
    """How the boot of one of them ended, as its console log says; None when all booted, or nobody may read it."""
    for server in servers:
        if server["status"] == "ACTIVE":
            log = ""
            with if_allowed():
                log = await nova.console_log(cloud, server)
            if line := reasons.boot_failure(log):
                return f"server {server['name']} does not boot: {one_line(line)}"
    return None


def row(server: nova.Server) -> ServerRow:
    return {
        "name": server["name"],
        "status": server["status"],
        "flavor": server["flavor"].get("original_name") or server["flavor"].get("id"),
        "addresses": ", ".join(nova.addresses(server)),
        "fault": _fault(server),
        "id": server["id"],
    }


def _fault(server: nova.Server) -> str | None:
    return server["fault"]["message"] if server.get("fault") else None
