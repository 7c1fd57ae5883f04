"""What a cluster's own OpenStack parts do: volumes for claims, load balancers for Services.

On a real cluster these are the Cinder CSI driver and the OpenStack cloud controller manager. Here they are tasks of the
daemon that do the same with the same means: the cluster's Kubernetes API, and the OpenStack APIs with its credential.
"""

from __future__ import annotations

import asyncio
import contextlib

from zerojhub.practice.controllers.load_balancers import LoadBalancers
from zerojhub.practice.controllers.openstack import Cloud
from zerojhub.practice.controllers.volumes import Volumes
from zerojhub.practice.machines.kubeapi import KubeAPI


class Controllers:
    """The controllers of one cluster. `cloud_config` is what they log in with."""

    def __init__(self, api: KubeAPI, cluster_id: str, cloud_config: str):
        cloud = Cloud(cloud_config)
        volumes, balancers = Volumes(api, cloud, cluster_id), LoadBalancers(api, cloud, cluster_id)
        self._tasks = [
            asyncio.create_task(work())
            for work in (volumes.claims, volumes.released, balancers.services, balancers.nodes)
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
