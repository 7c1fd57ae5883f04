"""What a cluster's own Cinder CSI driver does: volumes for claims.

Here it is a task of the daemon that does the same with the same means: the cluster's Kubernetes API, and the OpenStack APIs
with its credential. Nodes and load balancers are up to the real openstack-cloud-controller-manager, in the cluster.
"""

from __future__ import annotations

import asyncio
import contextlib

from zerojhub.practice.controllers.openstack import Cloud
from zerojhub.practice.controllers.volumes import Volumes
from zerojhub.practice.machines.kubeapi import KubeAPI


class Controllers:
    """The controllers of one cluster. `cloud_config` is what they log in with."""

    def __init__(self, api: KubeAPI, cluster_id: str, cloud_config: str):
        volumes = Volumes(api, Cloud(cloud_config), cluster_id)
        self._tasks = [asyncio.create_task(work()) for work in (volumes.claims, volumes.released)]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
