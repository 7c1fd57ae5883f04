"""What clusters and nodes take of the project's quotas.

As the templates of Magnum's Heat driver create it, and Cluster API for OpenStack: at least so much, and not what drivers or
their versions do differently.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from zerojhub.openstack.magnum import TemplateFields
from zerojhub.openstack.nova import Flavor
from zerojhub.openstack.quota import Needs
from zerojhub.openstack.roads import is_cluster_api

SECURITY_GROUPS = 2
"""One of the masters, one of the workers."""


def of_cluster(template: TemplateFields, masters: int, workers: int, flavors: Sequence[Flavor]) -> Needs:
    """A new cluster of the template, with what else its driver creates."""
    labels, cluster_api = template.get("labels") or {}, is_cluster_api(template)
    needs: Needs = Counter(clusters=1, security_groups=SECURITY_GROUPS)
    needs += of_nodes(template, template.get("master_flavor_id"), masters, flavors)
    needs += of_nodes(template, template.get("flavor_id"), workers, flavors)
    needs += of_volumes(masters, _size(labels.get("etcd_volume_size")), labels.get("etcd_volume_type"))
    if not template.get("fixed_network"):
        needs += Counter(networks=1, subnets=1, routers=1, ports=1)  # the port of the router
    addressed = template.get("floating_ip_enabled", False)
    if template.get("master_lb_enabled"):
        balancers = 1 if cluster_api else 2  # Heat's second one is for etcd
        needs += Counter(load_balancers=balancers, ports=balancers)
        if addressed or cluster_api or _is_true(labels.get("master_lb_floating_ip_enabled")):
            needs["floating_ips"] += 1
    if addressed and not cluster_api:
        needs["floating_ips"] += masters + workers
    return needs


def of_nodes(template: TemplateFields, flavor: str | None, count: int, flavors: Sequence[Flavor]) -> Needs:
    """So many servers of the flavor (by name or ID), with their ports and the volumes that the template gives them.

    An unknown flavor takes nothing: it is a problem of the template.
    """
    needs: Needs = Counter(instances=count, ports=count)
    if found := next((each for each in flavors if flavor in (each["id"], each["name"])), None):
        needs += Counter(cores=count * found["vcpus"], ram=count * found["ram"])
    labels = template.get("labels") or {}
    needs += of_volumes(count, _size(labels.get("boot_volume_size")), labels.get("boot_volume_type"))
    if not is_cluster_api(template):
        needs += of_volumes(count, template.get("docker_volume_size") or 0, labels.get("docker_volume_type"))
    return needs


def of_volumes(count: int, size: int, volume_type: str | None = None) -> Needs:
    """So many volumes of `size` GB, none if that is 0."""
    if not size:
        return Counter()
    needs: Needs = Counter(volumes=count, gigabytes=count * size)
    if volume_type:
        needs += Counter({f"volumes/{volume_type}": count, f"gigabytes/{volume_type}": count * size})
    return needs


def _size(label: str | None) -> int:
    """The GB of a label; 0 for none, and for one that Magnum will refuse."""
    return int(label) if label and label.isdecimal() else 0


def _is_true(label: str | None) -> bool:
    return (label or "").lower() in ("true", "1", "yes", "on")
