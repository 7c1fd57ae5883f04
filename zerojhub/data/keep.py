"""Having the volumes of a hub outlive their claims and their cluster."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import anyio

from zerojhub.data.kept import mark, now
from zerojhub.data.owner import Owner
from zerojhub.errors import CloudError, UserError
from zerojhub.kube import volumes
from zerojhub.kube.kinds import PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM
from zerojhub.kube.labels import SERVERNAME, USERNAME
from zerojhub.tasks import gather
from zerojhub.text import Say, plural

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.kube.types import PersistentVolume, PersistentVolumeClaim
    from zerojhub.openstack.session import Cloud

AT_ONCE = 8
"""Volumes that are worked on at the same time."""


async def keep(
    kube: Kube,
    cloud: Cloud,
    *,
    deployment: str,
    namespace: str,
    cluster: str,
    safe: bool | None,
    say: Say,
    except_for: Collection[str] = (),
    leaving: bool = False,
) -> None:
    """Keep every volume of the namespace's claims, and record in Cinder whose it is.

    From now on neither deleting a claim nor deleting the cluster deletes its volume. `cluster`: its UUID. `safe`: as in
    `Owner`. `except_for`: IDs of volumes that are not to be kept. KubeError if one cannot be kept; UserError if one is not in
    Cinder and the cluster is `leaving`.
    """
    listed = {each["metadata"]["name"]: each for each in await kube.list(PERSISTENT_VOLUME)}
    claims = await kube.list(PERSISTENT_VOLUME_CLAIM, namespace)
    bound = [(claim, listed[name]) for claim in claims if (name := claim["spec"].get("volumeName")) in listed]
    wanted = [(claim, volume) for claim, volume in bound if volumes.id_of(volume) not in except_for]
    if not wanted:
        return
    for claim, volume in wanted:
        if leaving and volumes.cinder_id(volume) is None:
            name, of = volume["metadata"]["name"], claim["metadata"]["name"]
            raise UserError(
                f"volume {name} of claim {of} is not in Cinder, and may be lost with the cluster; nothing was deleted",
                hint=f"copy its files if somebody needs them, then: kubectl -n {namespace} delete pvc {of}",
            )
    say(f"keeping {plural(len(wanted), 'volume')}")
    limit, since = anyio.CapacityLimiter(AT_ONCE), now(cloud)

    async def keep_one(claim: PersistentVolumeClaim, volume: PersistentVolume) -> None:
        async with limit:
            owner = owner_of(claim, volume, deployment=deployment, cluster=cluster, safe=safe)
            # Marked first: whoever gives kept volumes back after an interruption also resets their policy.
            if volume_id := volumes.cinder_id(volume):
                try:
                    await mark(cloud, volume_id, owner, since=since)
                except CloudError as error:
                    if error.status != 404:
                        raise
                    say(f"{owner.label}: volume {volume_id} no longer exists")
            if volume["spec"].get("persistentVolumeReclaimPolicy") != "Retain":
                await volumes.set_policy(kube, volume["metadata"]["name"], "Retain")

    await gather(*(keep_one(claim, volume) for claim, volume in wanted))


def owner_of(
    claim: PersistentVolumeClaim, volume: PersistentVolume, *, deployment: str, cluster: str, safe: bool | None
) -> Owner:
    """Whose the volume is, as its claim says."""
    meta = claim["metadata"]
    annotations = meta.get("annotations", {})
    return Owner(
        namespace=meta["namespace"],
        claim=meta["name"],
        deployment=deployment,
        user=annotations.get(USERNAME),
        server=annotations.get(SERVERNAME, ""),
        safe=safe,
        file_system=file_system(volume) or "ext4",
        cluster=cluster,
    )


def file_system(volume: PersistentVolume) -> str | None:
    """What the volume says is on it. `cinder` is how Kubernetes' own driver, before 1.21, describes one."""
    spec = volume["spec"]
    if "csi" in spec:
        return spec["csi"].get("fsType")
    return spec["cinder"].get("fsType") if "cinder" in spec else None
