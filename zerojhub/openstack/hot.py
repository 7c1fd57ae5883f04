"""A Heat template (HOT) with the cluster template and the cluster of a deployment, for people who keep their cloud in Heat.

The properties and what Heat allows in them are from its resources OS::Magnum::ClusterTemplate and OS::Magnum::Cluster.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from pathlib import Path

from zerojhub import files
from zerojhub.deployment import Deployment, TemplateSpec
from zerojhub.errors import Problems, UserError
from zerojhub.openstack.heat import Template, TemplateSource
from zerojhub.yamlfile import PYYAML, KeyPath, items, line_of, plain, read_yaml

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
"""The properties of Heat's OS::Magnum::ClusterTemplate."""
TEMPLATE_ONLY = (
    "flavor",
    "master_flavor",
    "docker_volume_size",
    "fixed_network",
    "fixed_subnet",
    "floating_ip_enabled",
    "labels",
)
"""Options of a deployment's cluster that Heat has for a cluster template only."""
ATTRIBUTES = (
    *("api_address", "cluster_template_id", "coe_version", "container_version", "create_timeout", "discovery_url"),
    *("keypair", "master_addresses", "master_count", "name", "node_addresses", "node_count", "stack_id", "status"),
    "status_reason",
)
"""What Heat's OS::Magnum::Cluster tells of the cluster."""
ALLOWED = {
    "coe": ("kubernetes", "swarm", "mesos"),
    "docker_storage_driver": ("devicemapper", "overlay"),
    "volume_driver": ("cinder", "rexray"),
}
"""The words that Heat takes, which are fewer than Magnum's."""
VOLUME_DRIVERS = {"kubernetes": "cinder", "swarm": "rexray", "mesos": "rexray"}


def read(path: Path) -> TemplateSource:
    """A Heat template, with the files that it names, relative to it. UserError with `file:line` for a file that is none."""
    files: dict[str, str] = {}
    return TemplateSource(_read_template(path, files, (path.resolve(),)), files)


def _read_template(path: Path, files: dict[str, str], within: tuple[Path, ...]) -> str:
    """`within`: the templates that lead here, this one included."""
    document = read_yaml(path, rules=PYYAML)
    if not document:
        raise UserError("the Heat template is empty", where=f"{path}:1", hint="zerojhub heat render prints one")
    if not isinstance(document, dict):
        raise UserError("a Heat template must be a mapping with heat_template_version and resources", where=f"{path}:1")
    for place, name in _named_files(document):
        named, where = path.parent / name, f"{path}:{line_of(document, place)}"
        if "://" in name:
            raise UserError(
                f"{place[-1]}: URLs are not supported: {name}", where=where, hint="download it beside this file"
            )
        if not named.is_file():
            raise UserError(f"{place[-1]}: no such file: {named}", where=where)
        if place[-1] != "type":
            text = read_text(named)
        elif (template := named.resolve()) in within:
            raise UserError(f"the template {name} contains itself", where=where)
        else:
            text = _read_template(named, files, (*within, template))
        if files.setdefault(name, text) != text:
            raise UserError(f"two files are named {name!r}", where=where)
    return read_text(path)


def _named_files(node: object, place: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """The files that a template names, each with its place."""
    for key, value in items(node):
        here = (*place, key)
        if isinstance(value, str) and (key == "get_file" or (key == "type" and value.endswith((".yaml", ".template")))):
            yield here, value
        yield from _named_files(value, here)


def read_environment(paths: Sequence[Path]) -> dict[str, object]:
    """The environment in these files, of which later ones take precedence. UserError for a file that has none."""
    merged: dict[str, object] = {}
    for path in paths:
        document = plain(read_yaml(path, rules=PYYAML)) or {}
        if not isinstance(document, dict):
            raise UserError("an environment must be a mapping, such as `parameters:`", where=f"{path}:1")
        _merge(merged, document)
    return merged


def _merge(into: dict[str, object], other: dict[str, object]) -> None:
    for key, value in other.items():
        mine = into.get(key)
        if isinstance(mine, dict) and isinstance(value, dict):
            _merge(mine, value)
        elif value is not None or not isinstance(mine, dict):
            into[key] = value


def read_text(path: Path) -> str:
    """The text of a file. UserError if it cannot be read."""
    try:
        return files.read(path).decode()
    except FileNotFoundError:
        raise UserError("no such file", where=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read: {getattr(error, 'strerror', error)}", where=str(path)) from None


def render(deployment: Deployment, keypair: str | None) -> Template:
    """The template; `keypair` is the default of its parameter of that name.

    Raises Problems for options that Heat does not have, and for values that it would refuse.
    """
    spec = deployment.cluster
    if mistakes := _mistakes(deployment):
        raise Problems(
            [UserError(message, where=deployment.where(*place), hint=hint) for place, message, hint in mistakes]
        )
    parameter: dict[str, object] = {
        "type": "string",
        "description": "The keypair of the servers",
        "constraints": [{"custom_constraint": "nova.keypair"}],
    }
    resources: dict[str, object] = {}
    if isinstance(spec.template, TemplateSpec):
        resources["cluster_template"] = {
            "type": "OS::Magnum::ClusterTemplate",
            "properties": _template_properties(deployment, spec.template),
        }
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
            **({"discovery_url": spec.discovery_url} if spec.discovery_url else {}),
        },
    }
    return {
        "heat_template_version": VERSION,
        "description": f"Kubernetes for the hub {deployment.name}",
        "parameters": {
            "keypair": {**parameter, **({"default": keypair} if keypair else {})},
            "workers": {"type": "number", "default": spec.workers, "constraints": [{"range": {"min": 1}}]},
        },
        "resources": resources,
        "outputs": {name: {"value": {"get_attr": ["cluster", name]}} for name in ATTRIBUTES},
    }


def _template_properties(deployment: Deployment, template: TemplateSpec) -> dict[str, object]:
    """The cluster template's properties. The cluster's own options are among them: no other cluster uses the template."""
    given = template.model_dump(exclude_none=True)
    given.setdefault("name", f"zerojhub-{deployment.name}")
    # Heat's own default is devicemapper, which Magnum refuses without a docker_volume_size.
    given.setdefault("docker_storage_driver", "overlay")
    if "volume_driver" not in template.model_fields_set:
        given["volume_driver"] = VOLUME_DRIVERS[template.coe]
    own = deployment.cluster.model_dump(include=set(TEMPLATE_ONLY), exclude_none=True)
    labels = {key: str(value) for key, value in (template.labels | own.pop("labels")).items()}
    if bounds := deployment.autoscale:
        labels |= {"auto_scaling_enabled": "true", "min_node_count": str(bounds.min), "max_node_count": str(bounds.max)}
    given |= own | {"labels": labels}
    return {key: given[key] for key in TEMPLATE_PROPERTIES if key in given and given[key] != {}}


def _mistakes(deployment: Deployment) -> list[tuple[KeyPath, str, str | None]]:
    """What Heat does not have, or would refuse: the key, what is wrong, what to do."""
    spec, found = deployment.cluster, list[tuple[KeyPath, str, str | None]]()
    if spec.workers < 1:
        found.append((("cluster", "workers"), "cluster.workers: Heat's OS::Magnum::Cluster needs at least 1", None))
    if not isinstance(spec.template, TemplateSpec):
        lacking: list[KeyPath] = [("cluster", key) for key in TEMPLATE_ONLY if getattr(spec, key) not in (None, {})]
        lacking += [("autoscale",)] if deployment.autoscale else []
        why = "Heat's OS::Magnum::Cluster has no such property; only OS::Magnum::ClusterTemplate does"
        hint = f"make cluster.template a mapping, or set it in the template {spec.template} and leave it out here"
        return found + [(place, f"{'.'.join(map(str, place))}: {why}", hint) for place in lacking]
    template, where = spec.template, ("cluster", "template")
    for key, field in TemplateSpec.model_fields.items():
        value, name = getattr(template, key), f"cluster.template.{key}"
        if key not in TEMPLATE_PROPERTIES and value != field.default:
            hint = "leave it out, or create the template with `zerojhub template create` and name it here"
            found.append(((*where, key), f"{name}: Heat's OS::Magnum::ClusterTemplate has no such property", hint))
        if value is not None and value not in ALLOWED.get(key, (value,)):
            found.append(((*where, key), f"{name}: Heat takes {', '.join(ALLOWED[key])}, not {value!r}", None))
    if "volume_driver" in template.model_fields_set and template.volume_driver in ALLOWED["volume_driver"]:
        fitting = VOLUME_DRIVERS.get(template.coe)
        if fitting and template.volume_driver != fitting:
            message = f"cluster.template.volume_driver: Heat takes {fitting} for {template.coe}, not {template.volume_driver!r}"
            found.append(((*where, "volume_driver"), message, None))
    if template.dns_nameserver and not _is_address(template.dns_nameserver):
        message = f"cluster.template.dns_nameserver: Heat takes one IP address, not {template.dns_nameserver!r}"
        found.append(((*where, "dns_nameserver"), message, None))
    return found


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
