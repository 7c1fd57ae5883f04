"""Magnum's cluster drivers, selected by the image's os_distro."""

from __future__ import annotations

import secrets
import string

from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, Store
from zerojhub.practice.ground import GroundError
from zerojhub.practice.profile import DriverSpec


def driver_for(store: Store, distro: str | None) -> DriverSpec:
    """The driver for clusters with images of this os_distro. Raises Refusal (400) if there is none."""
    for driver in store.profile.drivers:
        if distro in driver.os_distros:
            return driver
    kind = f"(vm, {distro}, kubernetes)"
    raise Refusal(400, f"Cluster type {kind} not supported.")


def driver_of(store: Store, cluster: Record) -> DriverSpec:
    """The driver of the cluster's template. Raises GroundError if there is no such driver: Magnum lets templates name any."""
    name = store.templates[cluster["cluster_template_id"]]["driver"]
    for driver in store.profile.drivers:
        if driver.name == name:
            return driver
    raise GroundError(f"Cluster driver ({name}) not supported.")


def is_cluster_api(store: Store, cluster: Record) -> bool:
    name = store.templates[cluster["cluster_template_id"]]["driver"]
    return any(driver.name == name and driver.kind == "cluster-api" for driver in store.profile.drivers)


def cluster_api_name() -> str:
    """A Cluster API name for a cluster, shown as its stack ID: kube- and five random characters."""
    return "kube-" + "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(5))
