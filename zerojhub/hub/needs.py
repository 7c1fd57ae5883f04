"""What a hub and its users take of the project's quotas."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from zerojhub.hub.charts import ChartValues, at
from zerojhub.kube.quantity import number
from zerojhub.openstack.needs import of_volumes
from zerojhub.openstack.quota import Needs

INTERNAL = "service.beta.kubernetes.io/openstack-internal-load-balancer"
"""The annotation of a Service whose load balancer has no floating IP."""
SHARED = "loadbalancer.openstack.org/load-balancer-id"
"""The annotation of a Service that uses a load balancer that is there."""


def of_hub(values: ChartValues, service_type: str, volume_type: str | None, *, has_volume: bool) -> Needs:
    """The hub itself: its load balancer and the volume of its database. `values`: merged."""
    needs: Needs = Counter()
    service = at(values, "proxy", "service") or {}
    annotations = service.get("annotations") or {}
    if service_type == "LoadBalancer" and SHARED not in annotations:
        needs += Counter(load_balancers=1, ports=1)
        if str(annotations.get(INTERNAL)).lower() != "true" and not service.get("loadBalancerIP"):
            needs["floating_ips"] += 1
    if (at(values, "hub", "db", "type") or "sqlite-pvc") == "sqlite-pvc" and not has_volume:
        needs += of_volumes(1, _gigabytes(at(values, "hub", "db", "pvc", "storage"), 1), volume_type)
    return needs


def of_users(values: ChartValues, count: int, volume_type: str | None) -> Needs:
    """The volumes of so many users, if each gets one."""
    if at(values, "singleuser", "storage", "type") not in (None, "dynamic"):
        return Counter()
    return of_volumes(count, _gigabytes(at(values, "singleuser", "storage", "capacity"), 10), volume_type)


def named_users(values: ChartValues) -> set[str]:
    """The users whom the values name, in whatever section of an authenticator. Others may be allowed besides."""
    sections = (at(values, "hub", "config") or {}).values()
    lists: list[Any] = [at(each, key) for each in sections for key in ("allowed_users", "admin_users")]
    return {str(name) for names in lists if isinstance(names, list) for name in names}


def _gigabytes(quantity: object, default: int) -> int:
    """The size of the volume that Cinder creates for a claim, in GB."""
    try:
        return math.ceil(number(str(quantity)) / 2**30) if quantity else default
    except ValueError:  # which Kubernetes will refuse
        return default
