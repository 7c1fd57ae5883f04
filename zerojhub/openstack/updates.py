"""What can be changed in a cluster, and what cannot and why, checked before Magnum is asked.

As in Magnum's user guide: only node_count can be replaced or removed (back to 1). Single labels are left to Magnum: that of
OpenStack refuses them, some operators' own do not.
"""

from __future__ import annotations

from zerojhub.errors import UserError
from zerojhub.openstack.magnum import PatchOperation

FIXED = {
    "master_count": "the number of masters changes with `zerojhub cluster resize --nodegroup default-master`, where the driver can",
    "name": "a cluster keeps the name it was created with",
    "discovery_url": "etcd's members used it once, to find each other",
    "labels": "labels are read when the cluster is created; `zerojhub cluster upgrade` changes kube_tag",
    "flavor_id": "servers keep their flavor: add a node group with another one",
    "keypair": "servers keep the keypair they were created with",
}
"""Attributes that cannot change, and why."""
OPERATIONS = ("replace", "add", "remove")
LABEL = "labels/"
"""The beginning of a label as an attribute."""


def patch(operation: str, attributes: list[str]) -> list[PatchOperation]:
    """The JSON patch for `update OPERATION ATTRIBUTE[=VALUE] …`. UserError with the reason for what cannot change."""
    if operation not in OPERATIONS:
        raise UserError(f"unknown operation {operation!r}", hint=f"one of {', '.join(OPERATIONS)}")
    if len({attribute.startswith(LABEL) for attribute in attributes}) > 1:
        raise UserError("node_count and labels cannot change at the same time", hint="one command for each")
    names = [attribute.partition("=")[0] for attribute in attributes]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f"{repeated} is given more than once")
    return [_change(operation, *attribute.partition("=")) for attribute in attributes]


def of_labels(patch: list[PatchOperation]) -> bool:
    """Does the patch change labels?"""
    return patch[0]["path"].startswith(f"/{LABEL}")


def _label(operation: str, name: str, equals: str, value: str) -> PatchOperation:
    if operation == "remove":
        return {"op": "remove", "path": f"/{name}"}
    if not equals:
        raise UserError(f"{name!r} is not {LABEL}KEY=VALUE")
    return {"op": "add" if operation == "add" else "replace", "path": f"/{name}", "value": value}


def _change(operation: str, name: str, equals: str, value: str) -> PatchOperation:
    if name.startswith(LABEL) and name != LABEL:
        return _label(operation, name, equals, value)
    if name in FIXED:
        raise UserError(f"{name} cannot change: {FIXED[name]}")
    if name != "node_count":
        raise UserError(f"{name!r} cannot be changed", hint="only node_count can")
    if operation == "add":
        raise UserError("node_count cannot be added: the cluster has one", hint="replace node_count=N")
    if operation == "remove":
        return {"op": "remove", "path": "/node_count"}
    if not equals or not value.isdigit():
        raise UserError(f"node_count={value!r} is not a number of workers", hint="replace node_count=N")
    return {"op": "replace", "path": "/node_count", "value": int(value)}
