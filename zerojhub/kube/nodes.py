"""Nodes as people and autoscalers tell them apart: names, servers, machine ids, marks."""

from __future__ import annotations

from zerojhub.kube.client import Kube
from zerojhub.kube.drain import is_ready, server_id

MASTER_LABELS = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
PROTECTED = "cluster-autoscaler.kubernetes.io/scale-down-disabled"
"""The annotation of a node that the autoscaler does not remove (cluster-autoscaler FAQ)."""


def machine_id_of(server: str) -> str:
    """What /etc/machine-id is to hold for the server of this UUID: 32 hexadecimal digits (machine-id(5))."""
    return server.replace("-", "").lower()


def is_master(node: dict) -> bool:
    return any(label in node["metadata"].get("labels", {}) for label in MASTER_LABELS)


def fits(node: dict) -> bool:
    """Is the machine-id that Kubernetes read the UUID of the node's server?"""
    return node["status"]["nodeInfo"]["machineID"].lower() == machine_id_of(server_id(node))


def is_protected(node: dict) -> bool:
    return node["metadata"].get("annotations", {}).get(PROTECTED) == "true"


def row(node: dict) -> dict:
    """name, role, ready, nodegroup, address, server (UUID), machine_id, fits, protected."""
    labels = node["metadata"].get("labels", {})
    return {
        "name": node["metadata"]["name"],
        "role": "master" if is_master(node) else "worker",
        "ready": is_ready(node),
        "nodegroup": labels.get("magnum.openstack.org/nodegroup"),
        "address": address_of(node),
        "server": server_id(node),
        "machine_id": node["status"]["nodeInfo"]["machineID"],
        "fits": fits(node),
        "protected": is_protected(node),
    }


def address_of(node: dict) -> str | None:
    """The node's address on the cluster's network."""
    return next((each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP"), None)


async def protect(kube: Kube, name: str, *, on: bool) -> None:
    """Keep the autoscaler from removing the node, or let it."""
    await kube.merge("v1/Node", name, None, {"metadata": {"annotations": {PROTECTED: "true" if on else None}}})
