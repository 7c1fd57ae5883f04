"""Upgrade Kubernetes on a node as Magnum does: drain, switch the programs, uncordon."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from typing import TYPE_CHECKING

from zerojhub.practice.ground import GroundError
from zerojhub.practice.machines import components, drain

if TYPE_CHECKING:
    from zerojhub.practice.machines.cluster import Cluster
    from zerojhub.practice.machines.kubeapi import KubeAPI
    from zerojhub.practice.machines.machine import Machine

TIMEOUT = 180


async def upgrade(cluster: Cluster, machine: Machine, version: str) -> None:
    """Return once the node is Ready with that version. Raises GroundError."""
    spec = machine.spec
    if spec not in cluster.spec.masters and version != cluster.spec.version:
        raise GroundError(
            f"cannot upgrade {spec.name} to {version}: upgrade the masters first (they run {cluster.spec.version})"
        )
    if version not in machine.site.programs:
        known = ", ".join(machine.site.programs)
        raise GroundError(f"Kubernetes {version} is not available on {spec.name} (available: {known})")
    await drain.cordon(cluster.api, spec.name)
    if not _is_alone(cluster, machine):
        await drain.drain(cluster.api, spec.name)
    if spec in cluster.spec.masters:
        await _upgrade_control_plane(cluster, machine, version)
    cluster.link(machine, components.NODE_PROGRAMS, version)
    await machine.serve(components.node_services(cluster.spec, spec))
    await cluster.wait_for_node(spec, version=version)
    await drain.cordon(cluster.api, spec.name, off=True)


def _is_alone(cluster: Cluster, machine: Machine) -> bool:
    """Whether it is the only master or the only worker. Magnum does not drain those: pods would have nowhere to go."""
    masters = {master.id for master in cluster.spec.masters}
    like = [ident for ident in cluster.nodes if (ident in masters) == (machine.spec.id in masters)]
    return len(like) == 1


async def _upgrade_control_plane(cluster: Cluster, machine: Machine, version: str) -> None:
    """Switch all of it but etcd, which is not part of Kubernetes."""
    services = components.master_services(cluster.spec, machine.spec)
    del services["etcd"]
    api = {"kube-apiserver": services.pop("kube-apiserver")}
    cluster.link(machine, components.CONTROL_PLANE, version)
    # Running it once loads the program into the page cache, which shortens the API's downtime.
    await machine.run("/usr/local/bin/kube-apiserver", "--version")
    async with machine.network.resting(machine.spec.address, components.API_PORT):
        await machine.serve(api)
        await _wait_for_api(cluster, machine, version)
    await machine.serve(services)
    cluster.spec = dataclasses.replace(cluster.spec, version=version)


async def _wait_for_api(cluster: Cluster, machine: Machine, version: str) -> None:
    """Wait until the machine's own API server is ready and runs that version."""
    api = cluster.client(machine.spec.address)
    deadline = time.monotonic() + TIMEOUT
    try:
        while not (await api.answers() and await _version(api) == version):
            if time.monotonic() > deadline:
                raise GroundError(
                    f"the API server of {machine.spec.name} did not become ready as {version} within {TIMEOUT} s"
                )
            await asyncio.sleep(0.2)
    finally:
        await api.close()


async def _version(api: KubeAPI) -> str | None:
    with contextlib.suppress(GroundError):
        return (await api.get("/version") or {}).get("gitVersion")
    return None
