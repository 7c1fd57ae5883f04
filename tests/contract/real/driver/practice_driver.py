"""Cluster drivers for a real Magnum without a cloud: they create nothing, and report success.

Magnum's processes load them through entry points. As on the practice cloud, the label `practice_fail` makes a cluster
fail; and nothing progresses while the file HELD exists.
"""

import functools
import os
import threading
from pathlib import Path

import sqlalchemy
from magnum.common.exception import ClusterNotFound
from magnum.conductor.handlers import cluster_conductor, nodegroup_conductor
from magnum.drivers.common import driver
from magnum.objects.fields import ClusterStatus
from magnum.service.periodic import MagnumPeriodicTasks

HELD = Path(os.environ["PRACTICE_DRIVER_HELD"])

AT_WORK = threading.Lock()
"""Magnum writes a request's changes one by one (first that the cluster changes, then its new node group). Holding this
lock shows either all of them or none."""

# Magnum's conductor looks at its clusters every ten seconds, and has no option for it; tests have not that time.
MagnumPeriodicTasks._periodic_spacing["sync_cluster_status"] = 0.3


@sqlalchemy.event.listens_for(sqlalchemy.Engine, "begin")
def begin_nothing(connection):
    """Run each statement in its own transaction: SQLite rejects one that read before another process wrote."""
    # What oslo.db would otherwise say once it has begun one.
    connection.info["in_transaction"] = True


def undisturbed(work):
    @functools.wraps(work)
    def whole(*args, **kwargs):
        with AT_WORK:
            return work(*args, **kwargs)

    return whole


for handler in (cluster_conductor.Handler, nodegroup_conductor.Handler):
    for name in [name for name in vars(handler) if name.startswith(("cluster_", "nodegroup_"))]:
        setattr(handler, name, undisturbed(getattr(handler, name)))


class FedoraCoreOS(driver.Driver):
    provides = [{"server_type": "vm", "os": os, "coe": "kubernetes"} for os in ("fedora-coreos", "fedora-atomic")]

    def _begin(self, cluster, status, *nodegroups):
        for each in (*nodegroups, cluster):
            each.status = status
            each.save()

    def create_cluster(self, context, cluster, cluster_create_timeout):
        cluster.stack_id = cluster.uuid
        self._begin(cluster, ClusterStatus.CREATE_IN_PROGRESS, *cluster.nodegroups)

    def update_cluster(self, context, cluster, scale_manager=None, rollback=False):
        self._begin(cluster, ClusterStatus.UPDATE_IN_PROGRESS, cluster.default_ng_worker)

    def upgrade_cluster(
        self, context, cluster, cluster_template, max_batch_size, nodegroup, scale_manager=None, rollback=False
    ):
        self._begin(cluster, ClusterStatus.UPDATE_IN_PROGRESS, nodegroup)

    def resize_cluster(self, context, cluster, resize_manager, node_count, nodes_to_remove, nodegroup=None):
        self._begin(cluster, ClusterStatus.UPDATE_IN_PROGRESS, nodegroup)

    def delete_cluster(self, context, cluster):
        self._begin(cluster, ClusterStatus.DELETE_IN_PROGRESS, *cluster.nodegroups)

    def create_nodegroup(self, context, cluster, nodegroup):
        nodegroup.stack_id = cluster.stack_id

    def update_nodegroup(self, context, cluster, nodegroup):
        pass

    def delete_nodegroup(self, context, cluster, nodegroup):
        nodegroup.status = ClusterStatus.DELETE_IN_PROGRESS
        nodegroup.save()

    def create_federation(self, context, federation):
        raise NotImplementedError

    update_federation = delete_federation = create_federation

    def rotate_ca_certificate(self, context, cluster):
        pass

    def get_monitor(self, context, cluster):
        return None

    def update_cluster_status(self, context, cluster, use_admin_ctx=False):
        # Magnum asks again soon; looks that wait would only become more.
        if AT_WORK.acquire(blocking=False):
            try:
                self._get_on(cluster)
            finally:
                AT_WORK.release()

    def _get_on(self, cluster):
        try:
            cluster.refresh()
        except ClusterNotFound:
            return
        # Before it has its stack_id, `create_cluster` is yet to come.
        if HELD.exists() or not cluster.stack_id or not cluster.status.endswith("_IN_PROGRESS"):
            return
        if cluster.status == ClusterStatus.DELETE_IN_PROGRESS:
            cluster.status = ClusterStatus.DELETE_COMPLETE
            return
        failed = "practice_fail" in (cluster.labels or {})
        for nodegroup in cluster.nodegroups:
            if nodegroup.status == ClusterStatus.DELETE_IN_PROGRESS:
                nodegroup.destroy()
                continue
            nodegroup.status = self._ended(nodegroup.status, failed)
            nodegroup.node_addresses = [f"10.0.0.{number + 10}" for number in range(nodegroup.node_count)]
            nodegroup.save()
        cluster.api_address = "https://10.0.0.10:6443"
        cluster.health_status = "HEALTHY"
        cluster.status = self._ended(cluster.status, failed)
        cluster.save()

    @staticmethod
    def _ended(status, failed):
        return status.replace("IN_PROGRESS", "FAILED" if failed else "COMPLETE")


class Ubuntu(FedoraCoreOS):
    provides = [{"server_type": "vm", "os": "ubuntu", "coe": "kubernetes"}]
