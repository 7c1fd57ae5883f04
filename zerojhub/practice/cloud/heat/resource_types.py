"""The supported resource types: their properties and attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zerojhub.practice.cloud.store import Record, words


@dataclass(frozen=True)
class Property:
    """A property of a resource; `constraints` are written as in a template.

    On a stack update a `mutable` property changes in place; a change of any other replaces the resource.
    """

    kind: str = "string"
    required: bool = False
    default: Any = None
    mutable: bool = False
    constraints: tuple[Record, ...] = ()


def prop(
    kind: str = "string",
    custom: str = "",
    *,
    required: bool = False,
    default: Any = None,
    mutable: bool = False,
    **constraint: Any,
) -> Property:
    constraints = [{name: value} for name, value in constraint.items()]
    constraints += [{"custom_constraint": custom}] if custom else []
    return Property(kind, required, default, mutable, tuple(constraints))


CLUSTER_TEMPLATE = {
    **dict.fromkeys(words("name network_driver http_proxy https_proxy no_proxy"), prop()),
    **dict.fromkeys(words("tls_disabled registry_enabled"), prop("boolean")),
    "public": prop("boolean", mutable=True),
    # Heat's defaults, which differ from Magnum's.
    **dict.fromkeys(words("master_lb_enabled floating_ip_enabled"), prop("boolean", default=True)),
    "image": prop(custom="glance.image", required=True),
    "flavor": prop(custom="nova.flavor"),
    "master_flavor": prop(custom="nova.flavor"),
    "keypair": prop(custom="nova.keypair"),
    "external_network": prop(custom="neutron.network", required=True),
    "fixed_network": prop(custom="neutron.network"),
    "fixed_subnet": prop(custom="neutron.subnet"),
    "dns_nameserver": prop(custom="ip_addr"),
    "docker_volume_size": prop("number", range={"min": 1}),
    "docker_storage_driver": prop(default="devicemapper", allowed_values=["devicemapper", "overlay"]),
    "coe": prop(required=True, allowed_values=["kubernetes", "swarm", "mesos"]),
    "volume_driver": prop(allowed_values=["cinder", "rexray"]),
    "labels": prop("json"),
    "server_type": prop(allowed_values=["vm", "bm"]),
}
CLUSTER = {
    "name": prop(),
    "cluster_template": prop(custom="magnum.cluster_template", required=True),
    "keypair": prop(custom="nova.keypair"),
    **dict.fromkeys(words("node_count master_count"), prop("number", mutable=True, default=1, range={"min": 1})),
    "discovery_url": prop(mutable=True),
    "create_timeout": prop("number", mutable=True, default=60, range={"min": 0}),
}
VOLUME_DRIVERS = {"kubernetes": "cinder", "swarm": "rexray", "mesos": "rexray"}
"""Container orchestration engine -> the volume driver that Heat allows for it."""
TYPES: dict[str, dict[str, Property]] = {
    "OS::Magnum::ClusterTemplate": CLUSTER_TEMPLATE,
    "OS::Magnum::Cluster": CLUSTER,
}
ATTRIBUTES = {
    "OS::Magnum::ClusterTemplate": words("show"),
    "OS::Magnum::Cluster": words(
        "api_address stack_id coe_version master_addresses status master_count node_addresses status_reason node_count "
        "name container_version discovery_url cluster_template_id keypair create_timeout show"
    ),
}
