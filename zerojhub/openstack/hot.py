"""A Heat template (HOT) with the cluster template and the cluster of a deployment, for people who keep their cloud in Heat.

Resource properties are from Heat's reference: OS::Magnum::ClusterTemplate and OS::Magnum::Cluster.
"""

from __future__ import annotations

from pathlib import Path

from zerojhub.deployment import Deployment, TemplateSpec
from zerojhub.errors import UserError
from zerojhub.openstack.heat import Template
from zerojhub.yamlfile import plain, read_yaml

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
"""The properties that Heat's resource has."""


def read(path: Path) -> Template:
    """A Heat template from a YAML file. UserError with `file:line` for a file that is none."""
    document = plain(read_yaml(path))
    if not isinstance(document, dict):
        raise UserError("a Heat template must be a mapping", where=f"{path}:1")
    # YAML reads an unquoted version as a date, and Heat expects a string.
    return {**document, "heat_template_version": str(document.get("heat_template_version", ""))}


def render(deployment: Deployment, keypair: str | None) -> Template:
    """The template; `keypair` is the default of its parameter of that name. UserError for options that Heat does not have."""
    spec = deployment.cluster
    parameter: dict[str, object] = {
        "type": "string",
        "description": "The keypair of the servers",
        "constraints": [{"custom_constraint": "nova.keypair"}],
    }
    resources: dict[str, object] = {}
    if isinstance(spec.template, TemplateSpec):
        if unknown := spec.template.model_fields_set - set(TEMPLATE_PROPERTIES):
            raise UserError(
                f"cluster.template: Heat's OS::Magnum::ClusterTemplate does not have {', '.join(sorted(unknown))}",
                hint="leave it out, or create the template with `zerojhub template create` and name it here",
            )
        given = spec.template.model_dump(exclude_none=True)
        given.setdefault("name", f"zerojhub-{deployment.name}")
        # Heat's own default is devicemapper, which Magnum refuses without a docker_volume_size.
        given.setdefault("docker_storage_driver", "overlay")
        properties = {key: given[key] for key in TEMPLATE_PROPERTIES if key in given and given[key] != {}}
        resources["cluster_template"] = {"type": "OS::Magnum::ClusterTemplate", "properties": properties}
        template: object = {"get_resource": "cluster_template"}
    else:
        template = spec.template
    resources["cluster"] = {
        "type": "OS::Magnum::Cluster",
        "properties": {
            "name": deployment.cluster_name,
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
            "keypair": {**parameter, **({"default": keypair} if keypair else {})},
            "workers": {"type": "number", "default": spec.workers, "constraints": [{"range": {"min": 0}}]},
        },
        "resources": resources,
        "outputs": {
            "api_address": {"value": {"get_attr": ["cluster", "api_address"]}},
            "node_addresses": {"value": {"get_attr": ["cluster", "node_addresses"]}},
        },
    }
