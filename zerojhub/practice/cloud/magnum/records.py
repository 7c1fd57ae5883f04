"""Magnum's records: cluster templates and node groups."""

from __future__ import annotations

import random
from typing import Any

from zerojhub.practice.cloud.magnum.drivers import driver_for
from zerojhub.practice.cloud.magnum.schema import TEMPLATE, parse_body
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, Store, Table, new_id, now, words
from zerojhub.practice.cloud.wire import Call

OFFSET = "%Y-%m-%dT%H:%M:%S+00:00"
GREEK = words(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi "
    "chi psi omega"
)


def random_name(suffix: str) -> str:
    return f"{random.choice(GREEK)}-{random.randint(1, 24)}-{suffix}"


def find_one(table: Table, ident: str, lost: str, several: str) -> Record:
    """The record with this UUID or name. Raises Refusal: 404 if there is none, 409 if there are several."""
    found = table.find(ident)
    if not found:
        raise Refusal(404, f"{lost} {ident} could not be found.")
    if len(found) > 1:
        raise Refusal(409, f"Multiple {several} exist with same name. Please use the {lost.lower()} uuid instead.")
    return found[0]


def enforce(call: Call, policy: str) -> None:
    """Refuse (403) what only administrators may do."""
    if not call.is_admin:
        raise Refusal(403, f"Policy doesn't allow {policy} to be performed.")


def new_template(store: Store, project: str, user: str, **fields: Any) -> Record:
    body = parse_body("cluster_template", TEMPLATE, {"coe": "kubernetes", **fields})
    image = store.images.find(body["image_id"])[0]
    template = {
        **body,
        "uuid": new_id(),
        "cluster_distro": image.get("os_distro"),
        "labels": body["labels"] or {},
        "network_driver": body["network_driver"] or "flannel",
        "driver": body["driver"] or driver_for(store, image.get("os_distro")).name,
        "project_id": project,
        "user_id": user,
        "created_at": now(OFFSET),
        "updated_at": None,
    }
    return store.templates.add(template, "uuid")


def compare_labels(parent: Record, own: Record) -> Record:
    """Compare labels with the parent's: overridden, added and skipped ones."""
    return {
        "labels_overridden": {key: parent[key] for key in own if key in parent and parent[key] != own[key]},
        "labels_added": {key: value for key, value in own.items() if key not in parent},
        "labels_skipped": {key: value for key, value in parent.items() if key not in own},
    }


def of_role(cluster: Record, role: str) -> list[Record]:
    """The cluster's node groups of masters, or of workers."""
    return [group for group in cluster["nodegroups"] if (group["role"] == "master") == (role == "master")]


def default_worker(cluster: Record) -> Record:
    return next(group for group in of_role(cluster, "worker") if group["is_default"])


def find_nodegroup(cluster: Record, ident: str) -> Record:
    """The node group with this UUID or name. Raises Refusal (404)."""
    found = [group for group in cluster["nodegroups"] if ident in (group["uuid"], group["name"])]
    if not found:
        raise Refusal(404, f"Nodegroup {ident} could not be found.")
    return found[0]


def new_nodegroup(store: Store, cluster: Record, **fields: object) -> Record:
    """A new node group of the cluster, without machines. `servers` are the UUIDs of its machines."""
    number = 1 + sum(len(other["nodegroups"]) for other in store.clusters.values())
    group = {
        "id": number,
        "uuid": new_id(),
        "cluster_id": cluster["uuid"],
        "project_id": cluster["project_id"],
        "docker_volume_size": cluster["docker_volume_size"],
        "labels": dict(cluster["labels"]),
        "min_node_count": 0,
        "max_node_count": None,
        "is_default": False,
        "stack_id": None,
        "status": "CREATE_IN_PROGRESS",
        "status_reason": None,
        "version": None,
        "node_addresses": [],
        "node_labels": {},
        "node_taints": [],
        "created_at": now(OFFSET),
        "updated_at": None,
        "servers": [],
        **fields,
    }
    cluster["nodegroups"].append(group)
    return group
