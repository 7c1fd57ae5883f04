"""Clusters as text: lists, one in full, what an upgrade did, and what a deletion left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zerojhub.report.plain import print
from zerojhub.report.results import (
    Listing,
    Output,
    one_or_all,
    print_fields,
    show,
    show_done,
    show_line,
    show_rows,
    table,
)

if TYPE_CHECKING:
    from zerojhub.cluster.expose import Exposure
    from zerojhub.cluster.kubeconfig import Saved
    from zerojhub.cluster.lifecycle import Description
    from zerojhub.cluster.upgrade import Upgraded
    from zerojhub.openstack.leftovers import KeptVolume
    from zerojhub.openstack.magnum import Cluster, ClusterName

COLUMNS = ("uuid", "name", "keypair", "node_count", "master_count", "status", "health_status")


def show_clusters(clusters: Sequence[Cluster], listing: Listing) -> None:
    """A line per cluster."""
    show_rows(clusters, COLUMNS, listing)


def show_created(created: ClusterName, exposure: Exposure | None, output: Output, *, complete: bool) -> None:
    """The new cluster, with its master's floating IP if it was asked for."""
    what = "created cluster" if complete else "creating cluster"
    if exposure is None:
        show_done(created, output, what)
        return

    def people() -> None:
        show_done(created, output, what)
        show_exposed(exposure, output)

    show({**created, "floating_ip_address": exposure.floating_ip_address}, output, people)


def show_exposed(exposure: Exposure, output: Output) -> None:
    """The master's floating IP, or that the cluster needs none."""
    if exposure.needed:
        line = f"{exposure.cluster}: floating IP {exposure.floating_ip_address} (next: zerojhub cluster ssh {exposure.cluster})"
    else:
        line = f"{exposure.cluster}: not needed, the Kubernetes API has an address of its own"
    show_line(exposure, output, line)


def show_unexposed(exposure: Exposure, output: Output) -> None:
    """The floating IP that the master had."""
    was = exposure.floating_ip_address
    show_line(
        exposure,
        output,
        f"{exposure.cluster}: {f'detached floating IP {was}' if was else 'has no floating IP'}",
    )


def show_description(found: Description, output: Output) -> None:
    """The cluster with its servers and, if it failed, why."""
    data = {**found.cluster, **({"failure": found.failure} if found.failure else {})}

    def people() -> None:
        print_fields(data)
        print()
        table(found.servers, ("name", "status", "flavor", "addresses", "fault"), empty="no servers")

    show({**data, "servers": found.servers}, output, people)


def show_upgraded(cluster: str, done: Upgraded, output: Output) -> None:
    """Every node's versions, for how long the hub did not answer, and which node groups are still to be upgraded."""

    def people() -> None:
        table(done.nodes, ("name", "kubelet", "runtime"))
        if done.silent is not None:
            print(f"the hub was unavailable for {done.silent} s")
        for group in done.behind:
            print(
                f"node group {group} has another version (next: zerojhub cluster upgrade {cluster} --nodegroup {group})"
            )

    show(done, output, people)


def show_deleted(deleted: Sequence[tuple[Cluster, Sequence[KeptVolume]]], output: Output, *, complete: bool) -> None:
    """That the clusters were deleted, and which volumes were not. As data a list, or one object for one cluster.

    `complete`: the deletion has been waited for.
    """

    def people() -> None:
        for cluster, kept in deleted:
            print(f"{'deleted' if complete else 'deleting'} cluster {cluster['name']} ({cluster['uuid']})")
            if kept:
                print("kept the volumes of its claims (delete one with openstack volume delete ID):")
                table(kept, ("id", "name", "size_gb", "owner"))

    show(one_or_all([{"deleted": cluster["uuid"], "kept": kept} for cluster, kept in deleted]), output, people)


def show_kubeconfig(saved: Saved, output: Output) -> None:
    """Where the kubeconfig and the certificates were written, and the context for the cluster."""
    certificates = "".join(f" and {path}" for path in saved.certificates)
    show_line(saved, output, f"wrote {saved.path}, context {saved.context}{certificates}")
