"""Requests for clusters: checked for everything that would stop them, before Magnum is asked."""

from __future__ import annotations

import re
from typing import cast

from zerojhub.errors import Problems, UserError, ZeroJHubError
from zerojhub.openstack import magnum, needs, nova, quota, reasons, templates, zones
from zerojhub.openstack.magnum import Cluster, ClusterOptions, ClusterRequest, ClusterTemplate, TemplateFields
from zerojhub.openstack.roads import is_cluster_api
from zerojhub.openstack.session import Cloud

NAME = r"[a-zA-Z][a-zA-Z0-9_.-]*"
"""Names that Magnum accepts for a cluster or template."""
OWNER_LABEL = "zerojhub_cluster"
"""The label with the deployment that a cluster was created for: `down` deletes no other."""


def owner_of(cluster: Cluster) -> str:
    """The name of the deployment that the cluster was created for, or else of one that adopts it: the cluster's own."""
    return cluster["labels"].get(OWNER_LABEL) or cluster["name"]


def autoscaled(cluster: Cluster) -> bool:
    """Was the cluster created with autoscaling?"""
    return cluster["labels"].get("auto_scaling_enabled", "").lower() == "true"


def recovery_hint(cluster: Cluster, reason: str = "") -> str | None:
    """What to do about a cluster that failed, if there is anything: about the reason first, then about the cluster."""
    name, ours = cluster["name"], OWNER_LABEL in cluster["labels"]
    match cluster["status"]:
        case "CREATE_FAILED" if ours:
            remedy = "delete it with `zerojhub down`, then run `zerojhub up` again"
        case "CREATE_FAILED":
            remedy = f"delete it: zerojhub cluster delete {name}"
        case "DELETE_FAILED":
            remedy = f"delete it again: {'zerojhub down' if ours else f'zerojhub cluster delete {name}'}"
        case "UPDATE_FAILED" | "ROLLBACK_FAILED":
            remedy = f"have Magnum try again: zerojhub cluster resize {name} {cluster['node_count']}"
        case _:
            return None
    known = reasons.meaning(reason)
    return f"{known.do}; then {remedy}" if known else remedy


def options(
    name: str,
    *,
    workers: int,
    masters: int,
    minutes: int,
    keypair: str | None = None,
    flavor: str | None = None,
    master_flavor: str | None = None,
    docker_volume_size: int | None = None,
    fixed_network: str | None = None,
    fixed_subnet: str | None = None,
    floating_ip: bool | None = None,
    master_lb: bool | None = None,
    labels: dict[str, str] | None = None,
    merge_labels: bool = True,
    discovery_url: str | None = None,
) -> ClusterOptions:
    """All but the template of a new cluster; the template's values apply to what is None.

    `minutes`: the timeout of the creation. `merge_labels`: add the labels to the template's instead of replacing them.
    """
    optional = {
        "keypair": keypair,
        "flavor_id": flavor,
        "master_flavor_id": master_flavor,
        "docker_volume_size": docker_volume_size,
        "fixed_network": fixed_network,
        "fixed_subnet": fixed_subnet,
        "floating_ip_enabled": floating_ip,
        "master_lb_enabled": master_lb,
        "labels": labels,
        "merge_labels": merge_labels if labels else None,
        "discovery_url": discovery_url,
    }
    given = {key: value for key, value in optional.items() if value is not None}
    required = {"name": name, "node_count": workers, "master_count": masters, "create_timeout": minutes}
    return cast(ClusterOptions, required | given)  # keys and types are those of the parameters


async def create(
    cloud: Cloud, template: str, options: ClusterOptions, *, duplicate: bool = False, floating_ips: int = 0
) -> str:
    """Request a cluster of the template and return its UUID. Problems with everything that would stop it, first.

    `floating_ips`: how many to have room for beside those that Magnum assigns.
    `merge_labels` in the options is done here: a Magnum before OpenStack Victoria does not know it.
    """
    found: list[ZeroJHubError] = []
    if not re.fullmatch(NAME, options["name"]):
        hint = "a letter, followed by letters, digits, '-', '_' and '.'"
        found.append(UserError(f"{options['name']!r} is not a name for a cluster", hint=hint))
    chosen = await magnum.get_template(cloud, template)
    if options["node_count"] == 0:
        magnum.require(cloud, 10, "clusters without workers")
    if not found and not duplicate and await magnum.clusters_named(cloud, options["name"]):
        hint = f"see it: zerojhub cluster show {options['name']}; --duplicate creates another one"
        found.append(UserError(f"cluster {options['name']!r} already exists", hint=hint))
    if not options.get("keypair") and not chosen.get("keypair_id") and not is_cluster_api(chosen):
        found.append(UserError("neither the cluster nor its template names a keypair", hint="--keypair"))
    combined = _overridden(chosen, options)
    masters, workers = options["master_count"], options["node_count"]
    flavors = await nova.flavors(cloud)
    found += await templates.problems(cloud, combined, flavors)
    found += problems_of_masters(combined, masters)
    wanted = needs.of_cluster(combined, masters, workers, flavors)
    if not is_cluster_api(chosen):
        wanted["floating_ips"] += floating_ips
    found += await quota.lacking(cloud, wanted)
    zone = combined["labels"].get(zones.LABEL)
    found += (await zones.zones(cloud)).problems(zone) if zone else []
    if found:
        raise Problems(found)
    request: ClusterRequest = {**options, "cluster_template_id": chosen["uuid"]}
    if request.pop("merge_labels", False):
        request["labels"] = combined["labels"]
    with magnum.understood(cloud):
        return await magnum.create_cluster(cloud, request)


def _overridden(template: ClusterTemplate, options: ClusterOptions) -> TemplateFields:
    """The template's fields, as the options for a cluster override them."""
    keypair = options.get("keypair") or template.get("keypair_id")
    own = {key: value for key, value in options.items() if key in TemplateFields.__annotations__}
    if options.get("merge_labels"):
        own["labels"] = template["labels"] | options["labels"]
    return cast(TemplateFields, {**template, **own, "keypair_id": keypair})  # keys of the same name have the same type


def problems_of_masters(template: TemplateFields, masters: int) -> list[UserError]:
    """Why a cluster of the template cannot have so many masters."""
    if is_cluster_api(template) and masters % 2 == 0:
        return [UserError(f"the number of masters must be odd, not {masters}", hint="etcd needs a majority")]
    if masters > 1 and not template.get("master_lb_enabled"):
        return [UserError(f"{masters} masters need a template with master_lb_enabled", hint="or one master")]
    return []


async def lacking_for_nodes(cloud: Cloud, template: TemplateFields, flavor: str | None, count: int) -> list[UserError]:
    """Where the quotas are too small for so many more nodes of the flavor. `template`: what else the nodes have."""
    return await quota.lacking(cloud, needs.of_nodes(template, flavor, count, await nova.flavors(cloud)))


async def get_idle(cloud: Cloud, name: str) -> Cluster:
    """The cluster of this name or UUID. ZeroJHubError while Magnum is changing it.

    Magnum would accept another change, and both would interfere.
    """
    cluster = await magnum.get_cluster(cloud, name)
    if cluster["status"].endswith("IN_PROGRESS"):
        raise ZeroJHubError(
            f"cluster {cluster['name']} is {cluster['status']}", hint="try again when Magnum has finished"
        )
    return cluster
