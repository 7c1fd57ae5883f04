"""A Heat template (HOT) with the cluster template and the cluster of a deployment, for those whose clouds are kept in Heat.

Resource properties as Heat's reference has them: OS::Magnum::ClusterTemplate and OS::Magnum::Cluster.
"""

from __future__ import annotations

from typing import Any

from zerojhub.deployment import Deployment, TemplateSpec

VERSION = "2018-08-31"
"""Heat's template version of Rocky: old enough for every cloud with Magnum's Heat drivers."""

TEMPLATE_PROPERTIES = [
    "name",
    "image",
    "flavor",
    "master_flavor",
    "coe",
    "external_network",
    "keypair",
    "fixed_network",
    "fixed_subnet",
    "network_driver",
    "volume_driver",
    "dns_nameserver",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "docker_volume_size",
    "docker_storage_driver",
    "server_type",
    "labels",
    "tls_disabled",
    "registry_enabled",
    "master_lb_enabled",
    "floating_ip_enabled",
    "public",
    "hidden",
    "insecure_registry",
    "tags",
]


def render(deployment: Deployment, keypair: str | None) -> dict[str, Any]:
    """The template, as a dict. `keypair` is taken as the parameter's default."""
    spec = deployment.cluster
    parameter = {
        "type": "string",
        "description": "The keypair of the servers",
        "constraints": [{"custom_constraint": "nova.keypair"}],
    }
    resources: dict[str, Any] = {}
    if isinstance(spec.template, TemplateSpec):
        given = spec.template.model_dump(exclude_unset=True, exclude_none=True)
        properties = {"name": spec.template.name or f"zerojhub-{deployment.name}", "coe": spec.template.coe, **given}
        properties = {key: properties[key] for key in TEMPLATE_PROPERTIES if key in properties}
        resources["cluster_template"] = {"type": "OS::Magnum::ClusterTemplate", "properties": properties}
        template: Any = {"get_resource": "cluster_template"}
    else:
        template = spec.template
    resources["cluster"] = {
        "type": "OS::Magnum::Cluster",
        "properties": {
            "name": spec.name,
            "cluster_template": template,
            "keypair": {"get_param": "keypair"},
            "node_count": {"get_param": "workers"},
            "master_count": spec.masters,
            "create_timeout": spec.timeout,
        },
    }
    return {
        "heat_template_version": VERSION,
        "description": f"Kubernetes for the hub {deployment.name}",
        "parameters": {
            "keypair": parameter | ({"default": keypair} if keypair else {}),
            "workers": {"type": "number", "default": spec.workers, "constraints": [{"range": {"min": 0}}]},
        },
        "resources": resources,
        "outputs": {
            "api_address": {"value": {"get_attr": ["cluster", "api_address"]}},
            "node_addresses": {"value": {"get_attr": ["cluster", "node_addresses"]}},
        },
    }
