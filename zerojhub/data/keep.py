"""Having the volumes of a hub outlive their claims and their cluster."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import anyio

from zerojhub.data.kept import mark, now
from zerojhub.data.owner import Owner
from zerojhub.errors import CloudError
from zerojhub.kube import volumes
from zerojhub.kube.kinds import PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM
from zerojhub.kube.pods import SERVERNAME, USERNAME
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
) -> None:
    """Keep every volume of the namespace's claims, and record in Cinder whose it is.

    From now on neither deleting a claim nor deleting the cluster deletes its volume. `cluster`: its UUID. `safe`: as in
    `Owner`. `except_for`: IDs of volumes that are not to be kept. KubeError if one cannot be kept.
    """
    listed = {each["metadata"]["name"]: each for each in await kube.list(PERSISTENT_VOLUME)}
    claims = await kube.list(PERSISTENT_VOLUME_CLAIM, namespace)
    bound = [(claim, listed[name]) for claim in claims if (name := claim["spec"].get("volumeName")) in listed]
    wanted = [(claim, volume) for claim, volume in bound if volumes.cinder_id(volume) not in except_for]
    if not wanted:
        return
    say(f"keeping {plural(len(wanted), 'volume')}")
    limit, since = anyio.CapacityLimiter(AT_ONCE), now()

    async def keep_one(claim: PersistentVolumeClaim, volume: PersistentVolume) -> None:
        async with limit:
            owner = owner_of(claim, volume, deployment=deployment, cluster=cluster, safe=safe)
            if volume["spec"].get("persistentVolumeReclaimPolicy") != "Retain":
                await volumes.set_policy(kube, volume["metadata"]["name"], "Retain")
            if volume_id := volumes.cinder_id(volume):
                try:
                    await mark(cloud, volume_id, owner, since=since)
                except CloudError as error:
                    if error.status != 404:
                        raise
                    say(f"{owner.label}: volume {volume_id} no longer exists")

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
        file_system=volume["spec"].get("csi", {}).get("fsType") or "ext4",
        cluster=cluster,
    )
