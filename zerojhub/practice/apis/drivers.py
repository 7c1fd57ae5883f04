"""Magnum's cluster drivers: an image's os_distro chooses one. They differ in what is seen of a cluster from outside."""

from __future__ import annotations

import secrets
import string

from zerojhub.practice.apis.cloud import Cloud, Record
from zerojhub.practice.apis.wire import Refusal
from zerojhub.practice.profile import DriverSpec


def driver_for(cloud: Cloud, image: Record) -> DriverSpec:
    """The driver for clusters of the image. Raises Refusal (400) when no driver is for it."""
    for driver in cloud.profile.drivers:
        if image.get("os_distro") in driver.os_distros:
            return driver
    kind = f"(vm, {image.get('os_distro')}, kubernetes)"
    raise Refusal(400, f"Cluster type {kind} not supported.")


def driver_of(cloud: Cloud, cluster: Record) -> DriverSpec:
    name = cloud.templates[cluster["cluster_template_id"]]["driver"]
    return next(driver for driver in cloud.profile.drivers if driver.name == name)


def is_cluster_api(cloud: Cloud, cluster: Record) -> bool:
    return driver_of(cloud, cluster).kind == "cluster-api"


def cluster_api_name() -> str:
    """What such a driver calls a cluster, and Magnum shows as its stack: kube- and five characters of chance."""
    return "kube-" + "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(5))
