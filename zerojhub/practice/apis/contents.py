"""What a new practice cloud holds: a project to work in, flavors, images, networks and cluster templates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from zerojhub.openstack import templates
from zerojhub.practice.apis import Settings, cinder_types, glance, magnum, neutron_records, nova
from zerojhub.practice.apis.cloud import Cloud, hex_id
from zerojhub.practice.ground import Ground
from zerojhub.practice.profile import KUBERNETES, ImageSpec, TemplateSpec, load

NAME = "practice"
"""Of the person's project and user, and of the region."""
Named = TypeVar("Named", ImageSpec, TemplateSpec)
OWN = {"immutable": True}
"""Options of the roles that Keystone itself begins with."""


def new_cloud(ground: Ground, settings: Settings) -> Cloud:
    """Records as they are when the practice cloud starts: no keypair, no cluster."""
    profile = settings.profile or load()
    cloud = Cloud(NAME, profile, ground.network, ground.gateway, ground.public_network)
    for name, options in (("member", OWN), ("reader", OWN), ("load-balancer_member", {})):
        cloud.roles.add({"id": hex_id(), "name": name, "domain_id": None, "description": None, "options": options})
    for name in (NAME, "service"):
        cloud.projects.add(
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
    project = cloud.projects.named(NAME)[0]["id"]
    service = cloud.projects.named("service")[0]["id"]
    cloud.new_user(NAME, settings.password, project)
    administrator = hex_id()

    for number, flavor in enumerate(profile.flavors, 1):
        nova.new_flavor(cloud, str(number), flavor.name, vcpus=flavor.vcpus, ram=flavor.ram, disk=flavor.disk)
    for version, image in for_each_version(ground, profile.images):
        glance.new_image(cloud, service, **filled(image.properties(), version))
    for kind in profile.volume_types:
        cinder_types.new_type(cloud, kind.name, kind.description)

    public = neutron_records.new_network(cloud, service, "public", external=True)
    neutron_records.new_subnet(cloud, service, public, "public-subnet", ground.public_network, dhcp=False)
    private = neutron_records.new_network(cloud, project, "private")
    subnet = neutron_records.new_subnet(
        cloud, project, private, "private-subnet", ground.network, nameservers=[neutron_records.DNS]
    )
    neutron_records.new_router(cloud, project, "router", public, [subnet])
    neutron_records.default_security_group(cloud, project)

    for version, template in for_each_version(ground, profile.templates):
        body = templates.request(template, template.name) | {"public": True}
        magnum.new_template(cloud, service, administrator, **filled(body, version))
    return cloud


def for_each_version(ground: Ground, given: list[Named]) -> Iterator[tuple[str, Named]]:
    """Each with a Kubernetes version that runs here: with all of them in turn, or the newest for a name without one."""
    for version in ground.versions:
        for each in given:
            if KUBERNETES in each.name or version == ground.versions[-1]:
                yield version, each


def filled(value: Any, version: str) -> Any:
    """The value with the Kubernetes version in its place."""
    if isinstance(value, dict):
        return {key: filled(item, version) for key, item in value.items()}
    return value.replace(KUBERNETES, version) if isinstance(value, str) else value
