"""Nodes: whether one is ready, which server it is, its role and address, its machine-id, and its protection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zerojhub.errors import UserError
from zerojhub.kube.kinds import NODE
from zerojhub.kube.marker import group_of

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.kube.types import Node

MASTER_LABELS = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
PROTECTED = "cluster-autoscaler.kubernetes.io/scale-down-disabled"
"""The annotation that keeps the autoscaler from removing a node (cluster-autoscaler FAQ)."""


@dataclass(frozen=True)
class NodeRow:
    """A node, as `zerojhub node list` shows it."""

    name: str
    role: str
    """master or worker."""
    ready: bool
    nodegroup: str | None
    address: str | None
    """On the cluster's network."""
    server: str
    """Nova's UUID."""
    machine_id: str
    """As Kubernetes read it from the node's /etc/machine-id."""
    matches: bool
    """Whether the machine-id is the server's UUID."""
    protected: bool
    """Whether the autoscaler may not remove it."""


def row(node: Node) -> NodeRow:
    return NodeRow(
        name=node["metadata"]["name"],
        role="master" if is_master(node) else "worker",
        ready=is_ready(node),
        nodegroup=group_of(node),
        address=address_of(node),
        server=server_id(node),
        machine_id=node["status"]["nodeInfo"]["machineID"],
        matches=matches(node),
        protected=is_protected(node),
    )


def is_ready(node: Node) -> bool:
    conditions = node["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def is_master(node: Node) -> bool:
    return any(label in node["metadata"].get("labels", {}) for label in MASTER_LABELS)


def server_id(node: Node) -> str:
    """Nova's UUID of the node's server, from its provider ID (openstack:///UUID or openstack://REGION/UUID).

    A node that has not got a provider ID yet is identified by its firmware's UUID, which is the same.
    """
    provider = node["spec"].get("providerID", "")
    return provider.rpartition("/")[2] or node["status"]["nodeInfo"]["systemUUID"].lower()


def address_of(node: Node, kind: str = "InternalIP") -> str | None:
    """The node's address on the cluster's network, or of another kind, such as ExternalIP."""
    return next((each["address"] for each in node["status"].get("addresses", []) if each["type"] == kind), None)


def machine_id_of(server: str) -> str:
    """The /etc/machine-id for the server with this UUID: 32 hexadecimal digits (machine-id(5))."""
    return server.replace("-", "").lower()


def matches(node: Node) -> bool:
    """Whether the machine-id that Kubernetes read is the UUID of the node's server."""
    return node["status"]["nodeInfo"]["machineID"].lower() == machine_id_of(server_id(node))


def is_protected(node: Node) -> bool:
    """Whether the autoscaler may not remove the node."""
    return node["metadata"].get("annotations", {}).get(PROTECTED) == "true"


async def find(kube: Kube, name: str) -> Node:
    """The node. UserError if there is none with that name."""
    nodes = {node["metadata"]["name"]: node for node in await kube.list(NODE)}
    if name not in nodes:
        raise UserError(f"no node named {name!r}", hint=f"nodes: {', '.join(nodes)}")
    return nodes[name]


async def protect(kube: Kube, name: str, *, on: bool) -> None:
    """Keep the autoscaler from removing the node, or allow it again. UserError for an unknown node."""
    await find(kube, name)
    await kube.merge(NODE, name, None, {"metadata": {"annotations": {PROTECTED: "true" if on else None}}})
