"""The contents of a new practice cloud: a project, flavors, images, networks and cluster templates."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any, TypeVar

from zerojhub.practice.cloud.cinder import records as cinder_records
from zerojhub.practice.cloud.glance import records as glance_records
from zerojhub.practice.cloud.magnum import records as magnum_records
from zerojhub.practice.cloud.neutron import records as neutron_records
from zerojhub.practice.cloud.nova import records as nova_records
from zerojhub.practice.cloud.settings import Settings
from zerojhub.practice.cloud.store import Store, hex_id
from zerojhub.practice.ground import Ground
from zerojhub.practice.profile import KUBERNETES, ImageSpec, TemplateSpec, load

NAME = "practice"
"""Name of the project, the user and the region."""
Named = TypeVar("Named", ImageSpec, TemplateSpec)
OWN = {"immutable": True}
"""Options of Keystone's default roles."""


def new_store(ground: Ground, settings: Settings) -> Store:
    """The records of a new practice cloud, without keypairs and clusters."""
    profile = settings.profile or load()
    store = Store(NAME, profile, ground.network, ground.gateway, ground.public_network)
    for name, options in (("member", OWN), ("reader", OWN), ("load-balancer_member", {})):
        store.roles.add({"id": hex_id(), "name": name, "domain_id": None, "description": None, "options": options})
    for name in (NAME, "service"):
        store.projects.add(
            {
                "id": hex_id(),
                "name": name,
                "domain_id": "default",
                "parent_id": "default",
                "description": "",
                "enabled": True,
                "is_domain": False,
                "options": {},
                "tags": [],
            }
        )
    project = store.projects.named(NAME)[0]["id"]
    service = store.projects.named("service")[0]["id"]
    store.new_user(NAME, settings.password, project)
    store.new_user("swift", secrets.token_urlsafe(16), service)
    administrator = store.new_user("admin", settings.password, service)["id"]
    store.administrators.add(administrator)

    for number, flavor in enumerate(profile.flavors, 1):
        nova_records.new_flavor(store, str(number), flavor.name, vcpus=flavor.vcpus, ram=flavor.ram, disk=flavor.disk)
    for version, image in for_each_version(ground, profile.images):
        glance_records.new_image(store, service, **with_version(image.properties(), version))
    for kind in profile.volume_types:
        cinder_records.new_type(store, kind.name, kind.description)

    public = neutron_records.new_network(store, service, "public", external=True)
    neutron_records.new_subnet(store, service, public, "public-subnet", ground.public_network, dhcp=False)
    private = neutron_records.new_network(store, project, "private")
    subnet = neutron_records.new_subnet(
        store, project, private, "private-subnet", ground.network, nameservers=[neutron_records.DNS]
    )
    neutron_records.new_router(store, project, "router", public, [subnet])
    neutron_records.default_security_group(store, project)

    for version, template in for_each_version(ground, profile.templates):
        attributes = with_version(template.attributes(), version)
        magnum_records.new_template(store, service, administrator, **attributes)
    return store


def for_each_version(ground: Ground, given: list[Named]) -> Iterator[tuple[str, Named]]:
    """Pair each item with every Kubernetes version that runs here, or with the newest if its name has none."""
    for version in ground.versions:
        for each in given:
            if KUBERNETES in each.name or version == ground.versions[-1]:
                yield version, each


def with_version(value: Any, version: str) -> Any:
    """The value with the Kubernetes version filled in."""
    if isinstance(value, dict):
        return {key: with_version(item, version) for key, item in value.items()}
    return value.replace(KUBERNETES, version) if isinstance(value, str) else value
