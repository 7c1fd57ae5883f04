"""Magnum's cluster drivers, selected by the image's os_distro."""

from __future__ import annotations

import secrets
import string

from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, Store
from zerojhub.practice.profile import DriverSpec


def driver_for(store: Store, image: Record) -> DriverSpec:
    """The driver for clusters with this image. Raises Refusal (400) if there is none."""
    for driver in store.profile.drivers:
        if image.get("os_distro") in driver.os_distros:
            return driver
    kind = f"(vm, {image.get('os_distro')}, kubernetes)"
    raise Refusal(400, f"Cluster type {kind} not supported.")


def driver_of(store: Store, cluster: Record) -> DriverSpec:
    name = store.templates[cluster["cluster_template_id"]]["driver"]
    return next(driver for driver in store.profile.drivers if driver.name == name)


def is_cluster_api(store: Store, cluster: Record) -> bool:
    return driver_of(store, cluster).kind == "cluster-api"


def cluster_api_name() -> str:
    """A Cluster API name for a cluster, shown as its stack ID: kube- and five random characters."""
    return "kube-" + "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(5))
