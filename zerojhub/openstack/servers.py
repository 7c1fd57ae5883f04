"""The servers of a cluster, whichever driver made them: as Heat's stacks have them, or by their names and addresses."""

from __future__ import annotations

from zerojhub.openstack import heat, masters
from zerojhub.openstack.session import Cloud
from zerojhub.text import one_line


async def of(cloud: Cloud, cluster: dict) -> list[dict]:
    """Nova's servers of the cluster that the project may see, by name; also while it is being made."""
    nested = {each["physical_resource_id"] for each in await heat.resources(cloud, cluster, type="OS::Nova::Server")}
    prefix = f"{cluster.get('cluster_id') or cluster.get('stack_id')}-"
    told = {*(cluster["master_addresses"] or []), *(cluster["node_addresses"] or [])}

    def is_its(server: dict) -> bool:
        if nested:
            return server["id"] in nested
        # No Heat, or none for this project: Cluster API names servers after the cluster.
        return server["name"].startswith(prefix) or not told.isdisjoint(masters.addresses(server))

    listed = await cloud.compute.all("/servers/detail", "servers")
    return sorted(filter(is_its, listed), key=lambda server: server["name"])


def under_way(servers: list[dict]) -> str:
    """What of them is being made, in a few words: "1 of 2 servers, now kube-x1f4s-node-0"."""
    up = [server for server in servers if server["status"] == "ACTIVE"]
    making = [server["name"] for server in servers if server["status"] == "BUILD"]
    counted = f"{len(up)} of {len(servers)} servers" if servers else ""
    return f"{counted}, now {', '.join(making[:3])}" if making else counted


def fault(servers: list[dict]) -> str | None:
    """Nova's own reason why one of them failed."""
    for server in servers:
        if why := fault_of(server):
            return f"server {server['name']}: {one_line(why)}"
    return None


def fault_of(server: dict) -> str | None:
    return (server.get("fault") or {}).get("message")


def row(server: dict) -> dict:
    """For people: name, status, flavor, addresses, fault, id."""
    return {
        "name": server["name"],
        "status": server["status"],
        "flavor": server["flavor"].get("original_name") or server["flavor"].get("id"),
        "addresses": ", ".join(masters.addresses(server)),
        "fault": fault_of(server),
        "id": server["id"],
    }
