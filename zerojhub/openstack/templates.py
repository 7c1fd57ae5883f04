"""Cluster templates: from options to Magnum's request, and what is wrong with one before Magnum finds out, or does not.

Magnum accepts a template with a keypair that does not exist, a volume too small for its storage driver, or a network driver
of another engine, and the cluster created from it fails a quarter of an hour later: all of that is checked first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from zerojhub.deployment import TemplateSpec
from zerojhub.errors import CloudError, Problems, UserError, ZeroJHubError
from zerojhub.openstack import magnum, names, neutron, nova
from zerojhub.openstack.magnum import ClusterTemplate, PatchOperation, TemplateFields, TemplateRequest
from zerojhub.openstack.roads import is_cluster_api
from zerojhub.openstack.session import Cloud
from zerojhub.tasks import gather

BY_ID = ("image", "keypair", "external_network", "flavor", "master_flavor")
"""Attributes that Magnum's API calls `…_id`, though it accepts names too."""

NETWORK_DRIVERS = {
    "kubernetes": ("flannel", "calico", "cilium"),
    "swarm": ("docker", "flannel"),
    "swarm-mode": ("docker",),
    "mesos": ("docker",),
}
SMALLEST_VOLUME = {"devicemapper": 3, "overlay": 1, "overlay2": 1}
"""Minimum of docker_volume_size in GB, by docker_storage_driver (Magnum user guide)."""


FREE = {"name", "tags", "public", "hidden"}
"""What Magnum changes of a template that clusters use."""
NO_FLAVOR = "flavor None"
"""In Magnum 23's refusal of any change to a template without a flavor."""


@dataclass(frozen=True)
class Change:
    """What to change in a template: attributes by the names of their options, and labels to set and to remove."""

    fields: Mapping[str, int | str]
    labels: dict[str, str]
    no_labels: Collection[str]


def request(spec: TemplateSpec, name: str, labels: dict[str, str] | None = None) -> TemplateRequest:
    """The body that creates the template, with these labels added to its own."""
    body = spec.model_dump(exclude_none=True)
    for short in BY_ID:
        if short in body:
            body[f"{short}_id"] = body.pop(short)
    body |= {"name": name, "labels": {key: str(value) for key, value in spec.labels.items()} | (labels or {})}
    return cast(TemplateRequest, body)  # TemplateSpec has the API's own names and types


async def create(cloud: Cloud, spec: TemplateSpec, name: str, *, duplicate: bool = False) -> ClusterTemplate:
    """Create the template. Problems with all that would stop a cluster of it, first; UserError when the name is taken.

    `duplicate`: create it although the name is taken.
    """
    if not duplicate and await magnum.templates_named(cloud, name):
        raise UserError(f"cluster template {name!r} already exists", hint="--duplicate creates another one")
    body = request(spec, name)
    if found := await problems(cloud, body):
        raise Problems(found)
    with magnum.understood(cloud):
        return await magnum.create_template(cloud, body)


async def get_unused(cloud: Cloud, wanted: str) -> ClusterTemplate:
    """The template of this name or UUID. UserError that names its clusters while there are any."""
    template = await magnum.get_template(cloud, wanted)
    await _refuse_in_use(cloud, template, "delete the cluster first")
    return template


async def update(cloud: Cloud, wanted: str, change: Change) -> ClusterTemplate:
    """Change the template of this name or UUID, and return it. Problems with what would stop its clusters, first.

    UserError when there is nothing to change, or when a cluster uses the template and more than its name, tags or
    visibility would change.
    """
    template = await magnum.get_template(cloud, wanted)
    labels = {key: value for key, value in (template["labels"] | change.labels).items() if key not in change.no_labels}
    if missing := [key for key in change.no_labels if key not in template["labels"]]:
        raise UserError(f"template {template['name']} has no label {missing[0]!r}", hint="zerojhub template show")
    fields: dict[str, object] = {f"{key}_id" if key in BY_ID else key: value for key, value in change.fields.items()}
    if labels != template["labels"]:
        fields["labels"] = labels
    fields = {key: value for key, value in fields.items() if template.get(key) != value}
    if not fields:
        raise UserError(f"template {template['name']} has these values already: nothing to change")
    if not fields.keys() <= FREE or len(fields) > 1:
        await _refuse_in_use(cloud, template, "Magnum changes only its name, its tags or its visibility, one at a time")
    if found := await problems(cloud, cast(TemplateFields, {**template, **fields})):
        raise Problems(found)
    try:
        with magnum.understood(cloud):
            return await magnum.update_template(cloud, template["uuid"], [_operation(*each) for each in fields.items()])
    except CloudError as error:
        if NO_FLAVOR in error.message:
            error.hint = "Magnum changes only templates with both flavors: give --flavor and --master-flavor, too"
        raise


def _operation(key: str, value: object) -> PatchOperation:
    """The operation that sets an attribute, to the same value again if it is repeated.

    Labels are set all at once, as Magnum reads them: in a text. Single ones could not have dots in their names.
    """
    return {"op": "replace", "path": f"/{key}", "value": value if isinstance(value, int | str) else repr(value)}


async def _refuse_in_use(cloud: Cloud, template: ClusterTemplate, hint: str) -> None:
    """UserError that names the template's clusters while there are any."""
    users = [each["name"] for each in await magnum.clusters(cloud) if each["cluster_template_id"] == template["uuid"]]
    if users:
        raise UserError(f"template {template['name']} is used by {', '.join(users)}", hint=hint)


async def problems(
    cloud: Cloud, template: TemplateFields, flavors: Sequence[nova.Flavor] | None = None
) -> list[ZeroJHubError]:
    """All that would stop a cluster of this template (a request, or one that exists). `flavors`: if they are known."""
    found: list[ZeroJHubError] = [*driver_problems(template)]
    if flavors is None:
        flavors = await nova.flavors(cloud)

    async def resolve(find: Awaitable[object]) -> None:
        try:
            await find
        except UserError as error:
            found.append(error)

    async def flavor(wanted: str) -> None:
        names.one("flavor", wanted, flavors)

    parts: list[tuple[Callable[[str], Awaitable[object]], str | None]] = [
        (partial(names.image, cloud), template.get("image_id")),
        (partial(names.keypair, cloud), template.get("keypair_id")),
        (partial(names.network, cloud), template.get("fixed_network")),
        (partial(names.subnet, cloud), template.get("fixed_subnet")),
        *((flavor, wanted) for wanted in {template.get("flavor_id"), template.get("master_flavor_id")}),
    ]
    await gather(
        resolve(_external_network(cloud, template)), *(resolve(find(wanted)) for find, wanted in parts if wanted)
    )
    return found


async def _external_network(cloud: Cloud, template: TemplateFields) -> None:
    """UserError for an external network that is not there or not the only one of its name.

    Cluster API takes the only one there is when the template names none, and fails when there are several.
    """
    if wanted := template.get("external_network_id"):
        await names.network(cloud, wanted, external=True)
    elif is_cluster_api(template) and len(listed := await neutron.networks(cloud, external=True)) > 1:
        ids = ", ".join(f"{each['name']} ({each['id']})" for each in listed)
        raise UserError(
            f"the template names no external network, and there are {len(listed)}: {ids}",
            hint="choose one with external_network in the template",
        )


def driver_problems(template: TemplateFields) -> list[UserError]:
    """Drivers and sizes that do not work together."""
    found = []
    engine, network = template.get("coe", "kubernetes"), template.get("network_driver")
    if network and network not in NETWORK_DRIVERS.get(engine, (network,)):
        found.append(
            UserError(
                f"network driver {network!r} does not work with {engine}",
                hint=f"{engine} supports {' or '.join(NETWORK_DRIVERS[engine])}",
            )
        )
    storage, size = template.get("docker_storage_driver"), template.get("docker_volume_size")
    smallest = SMALLEST_VOLUME.get(storage or "")
    if storage == "devicemapper" and not size:
        found.append(
            UserError("storage driver devicemapper needs a docker volume", hint="docker_volume_size: 3 or more")
        )
    elif smallest and size and size < smallest:
        found.append(UserError(f"storage driver {storage} needs a docker volume of {smallest} GB or more, not {size}"))
    return found
