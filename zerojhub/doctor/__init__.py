"""What is wrong with a hub or a cluster, and what to do about it: all that is known to fail, looked for at once.

Each check reads only, and ends on its own: one that cannot look keeps no other from looking.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from zerojhub.doctor import clusters, expiry, hubs, networks, nodes, servers, volumes
from zerojhub.doctor.finding import Finding
from zerojhub.doctor.subject import Subject


@dataclass(frozen=True)
class Check:
    """`name`: as in "could not check NAME"."""

    name: str
    look: Callable[[Subject], Awaitable[list[Finding]]]
    needs_cluster: bool = True


CHECKS = (
    # the project
    Check("the application credential", expiry.application_credential, needs_cluster=False),
    Check("the hub's certificate", expiry.hub, needs_cluster=False),
    Check("the names in the cluster template", networks.ambiguous, needs_cluster=False),
    Check("the pools of floating IPs", networks.exhausted, needs_cluster=False),
    # the cluster in OpenStack
    Check("the cluster's status", clusters.failed),
    Check("how long the cluster takes", clusters.late),
    Check("failed servers", servers.failed),
    Check("servers that are off", servers.off),
    Check("the boot of servers", servers.not_booting),
    Check("stuck volumes", volumes.stuck),
    Check("load balancers", networks.load_balancers),
    Check("the way of floating IPs", networks.unreachable),
    Check("quotas", hubs.without_room),
    Check("certificate authorities", expiry.authorities),
    Check("the cluster's certificates", expiry.servers),
    Check("the cluster's credential", expiry.own_credential),
    Check("kubeconfigs", expiry.kubeconfigs),
    # inside the cluster
    Check("nodes", nodes.not_ready),
    Check("cordoned nodes", nodes.cordoned),
    Check("servers that are no nodes", nodes.missing),
    Check("machine IDs", nodes.unmapped),
    Check("pods of dead nodes", nodes.dead_pods),
    Check("volumes of dead servers", volumes.on_dead_servers),
    Check("attachments of volumes", volumes.stale_attachments),
    Check("the addresses of services", networks.without_address),
    Check("the cluster's own pods", hubs.cluster_not_ready),
    Check("the hub's pods", hubs.not_ready),
)
"""Everything that is looked for."""
