"""A Heat template (HOT) with the cluster template and the cluster of a deployment, for those whose clouds are kept in Heat.

Resource properties as Heat's reference has them: OS::Magnum::ClusterTemplate and OS::Magnum::Cluster.
"""

from __future__ import annotations

from typing import Any

from zerojhub.deployment import Deployment, TemplateSpec
from zerojhub.errors import UserError

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
]
"""What Heat's resource takes of a cluster template."""


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
        if strange := spec.template.model_fields_set - set(TEMPLATE_PROPERTIES):
            raise UserError(
                f"cluster.template: Heat's OS::Magnum::ClusterTemplate knows no {', '.join(sorted(strange))}",
                hint="leave it out, or make the template with `zerojhub template create` and name it here",
            )
        given = spec.template.model_dump(exclude_none=True)
        given.setdefault("name", f"zerojhub-{deployment.name}")
        # Heat's own default is devicemapper, which Magnum refuses without a docker_volume_size.
        given.setdefault("docker_storage_driver", "overlay")
        properties = {key: given[key] for key in TEMPLATE_PROPERTIES if key in given and given[key] != {}}
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
