"""Cluster templates: from options to Magnum's request, and what is wrong with one before Magnum finds out, or does not.

Magnum takes a template with a keypair that does not exist, a volume too small for its storage driver, or a network driver of
another engine, and the cluster made from it fails a quarter of an hour later: all of that is said first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from zerojhub.deployment import TemplateSpec
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.openstack import names
from zerojhub.openstack.session import Cloud
from zerojhub.tasks import gather

BY_ID = ("image", "keypair", "external_network", "flavor", "master_flavor")
"""Attributes that Magnum's API names with `_id`, though it takes names too."""

NETWORK_DRIVERS = {
    "kubernetes": ("flannel", "calico", "cilium"),
    "swarm": ("docker", "flannel"),
    "swarm-mode": ("docker",),
    "mesos": ("docker",),
}
SMALLEST_VOLUME = {"devicemapper": 3, "overlay": 1, "overlay2": 1}
"""GB that docker_volume_size must have at least, by docker_storage_driver (Magnum user guide)."""


def request(spec: TemplateSpec, name: str, labels: dict[str, str] | None = None) -> dict:
    """The body that makes the template (Magnum API reference, cluster templates)."""
    body = spec.model_dump(exclude_none=True)
    for short in BY_ID:
        if short in body:
            body[f"{short}_id"] = body.pop(short)
    return body | {"name": name, "labels": {key: str(value) for key, value in spec.labels.items()} | (labels or {})}


async def problems(cloud: Cloud, template: dict) -> list[ZeroJHubError]:
    """All that would stop a cluster of this template (a request, or one that is there)."""
    found: list[ZeroJHubError] = [*driver_problems(template)]

    async def resolve(find: Callable[[Cloud, str], Awaitable[dict]], wanted: str) -> None:
        try:
            await find(cloud, wanted)
        except UserError as error:
            found.append(error)

    parts = {
        (names.image, template.get("image_id")),
        (names.keypair, template.get("keypair_id")),
        (names.flavor, template.get("flavor_id")),
        (names.flavor, template.get("master_flavor_id")),
        (partial(names.network, external=True), template.get("external_network_id")),
        (names.network, template.get("fixed_network")),
        (names.subnet, template.get("fixed_subnet")),
    }
    await gather(*(resolve(find, wanted) for find, wanted in parts if wanted))
    return found


def driver_problems(template: dict) -> list[UserError]:
    """Drivers and sizes that do not go together."""
    found = []
    engine, network = template.get("coe", "kubernetes"), template.get("network_driver")
    if network and network not in NETWORK_DRIVERS.get(engine, (network,)):
        found.append(
            UserError(
                f"network driver {network!r} does not go with {engine}",
                hint=f"{engine} takes {' or '.join(NETWORK_DRIVERS[engine])}",
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
