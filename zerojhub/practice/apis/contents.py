"""What a new practice cloud holds: a project to work in, flavors, images, networks and cluster templates."""

from __future__ import annotations

from zerojhub.practice.apis import Settings, glance, magnum, neutron_records, nova
from zerojhub.practice.apis.cloud import Cloud, hex_id, new_id
from zerojhub.practice.ground import Ground

NAME = "practice"
"""Of the person's project and user, and of the region."""
OWN = {"immutable": True}
"""Options of the roles that Keystone itself begins with."""


def new_cloud(ground: Ground, settings: Settings) -> Cloud:
    """Records as they are when the practice cloud starts: no keypair, no cluster."""
    cloud = Cloud(NAME, ground.network, ground.gateway, ground.public_network)
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
    user = cloud.new_user(NAME, settings.password, project)["id"]

    nova.new_flavor(cloud, "1", "m1.small", vcpus=1, ram=2048, disk=20)
    nova.new_flavor(cloud, "2", "m1.medium", vcpus=2, ram=4096, disk=40)
    nova.new_flavor(cloud, "3", "m1.large", vcpus=4, ram=8192, disk=80)
    glance.new_image(cloud, service, "fedora-coreos-38", os_distro="fedora-coreos", login="core")
    glance.new_image(cloud, service, "fedora-atomic-29", os_distro="fedora-atomic", login="fedora")
    cloud.volume_types.add(
        {
            "id": new_id(),
            "name": "standard",
            "description": "Folders on the practice machine",
            "is_public": True,
            "os-volume-type-access:is_public": True,
            "qos_specs_id": None,
            "extra_specs": {},
        }
    )

    public = neutron_records.new_network(cloud, service, "public", external=True)
    neutron_records.new_subnet(cloud, service, public, "public-subnet", ground.public_network, dhcp=False)
    private = neutron_records.new_network(cloud, project, "private")
    subnet = neutron_records.new_subnet(
        cloud, project, private, "private-subnet", ground.network, nameservers=[neutron_records.DNS]
    )
    neutron_records.new_router(cloud, project, "router", public, [subnet])
    neutron_records.default_security_group(cloud, project)

    common = {
        "master_flavor_id": "m1.medium",
        "flavor_id": "m1.small",
        "external_network_id": "public",
        "dns_nameserver": neutron_records.DNS,
        "volume_driver": "cinder",
        "public": True,
    }
    for version in ground.versions:
        # An image for Cluster API has its Kubernetes in it; Fedora CoreOS fetches any.
        ubuntu = f"ubuntu-2204-kube-{version}"
        glance.new_image(cloud, service, ubuntu, os_distro="ubuntu", login="ubuntu", kube_version=version)
        for suffix, image, distro, network, behind in (
            ("", "fedora-coreos-38", "fedora-coreos", "flannel", False),
            ("-capi", ubuntu, "ubuntu", "calico", True),
        ):
            magnum.new_template(
                cloud,
                service,
                user,
                name=f"kubernetes-{version}{suffix}",
                image_id=image,
                cluster_distro=distro,
                network_driver=network,
                labels={"kube_tag": version},
                master_lb_enabled=behind,
                floating_ip_enabled=behind,
                **common,
            )
    return cloud
