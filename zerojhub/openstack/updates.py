"""What can change in a cluster, and what cannot, with the reason, before Magnum is asked.

The table of the user guide: node_count alone is replaced or removed (back to 1); master_count, name and discovery_url never.
"""

from __future__ import annotations

from zerojhub.errors import UserError

NEVER = {
    "master_count": "the number of masters is fixed when the cluster is made",
    "name": "a cluster keeps the name it was made with",
    "discovery_url": "etcd's members found each other through it once",
    "labels": "labels are read when the cluster is made; a new template with `zerojhub cluster upgrade` changes kube_tag",
    "flavor_id": "servers keep their flavor: add a node group of another",
    "keypair": "servers keep the keypair they were made with",
}
OPERATIONS = ("replace", "add", "remove")


def patch(operation: str, attributes: list[str]) -> list[dict]:
    """The JSON patch for `update OPERATION ATTRIBUTE[=VALUE] …`. UserError with the reason for what cannot change."""
    if operation not in OPERATIONS:
        raise UserError(f"unknown operation {operation!r}", hint=f"one of {', '.join(OPERATIONS)}")
    return [_change(operation, *word.partition("=")) for word in attributes]


def _change(operation: str, name: str, equals: str, value: str) -> dict:
    if name in NEVER:
        raise UserError(f"{name} cannot change: {NEVER[name]}")
    if name != "node_count":
        raise UserError(f"{name!r} is nothing that changes in a cluster", hint="node_count does")
    if operation == "add":
        raise UserError("node_count cannot be added: the cluster has one", hint="replace node_count=N")
    if operation == "remove":
        return {"op": "remove", "path": "/node_count"}
    if not equals or not value.isdigit():
        raise UserError(f"node_count={value!r} is not a number of workers", hint="replace node_count=N")
    return {"op": "replace", "path": "/node_count", "value": int(value)}
