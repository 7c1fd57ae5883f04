"""The volumes of a namespace: those that stay when the hub goes, and those that go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio

from zerojhub.kube.client import Kube

USERNAME = "hub.jupyter.org/username"
"""The annotation of KubeSpawner on the claims that it makes."""
GIGABYTES = {"Gi": 1, "Ti": 1024}


async def keep(kube: Kube, namespace: str) -> list[dict[str, Any]]:
    """The volumes behind the claims there are, as rows: id (Cinder's, where the volume tells it), name, size_gb, owner."""
    volumes = {each["metadata"]["name"]: each for each in await kube.list("v1/PersistentVolume")}
    claims = await _claims(kube, namespace)
    return [_row(claim, volumes[name]) for claim in claims if (name := claim["spec"].get("volumeName")) in volumes]


async def delete_all(kube: Kube, namespace: str) -> None:
    """Delete every claim, and with it the volume and what people kept there."""
    for claim in await _claims(kube, namespace):
        await kube.delete("v1/PersistentVolumeClaim", claim["metadata"]["name"], namespace)


async def wait_for_deletion(kube: Kube, namespace: str, say: Callable[[str], None], *, timeout: float = 180) -> None:
    """Until no volume is left whose claim is gone: one that is deleted while its cluster goes stays in Cinder for good."""
    with anyio.move_on_after(timeout):
        while going := await _going(kube, namespace):
            say(f"waiting for {len(going)} volume{'s' if len(going) > 1 else ''} to be deleted")
            await anyio.sleep(1)


async def _going(kube: Kube, namespace: str) -> list[str]:
    claims = {each["metadata"]["name"] for each in await _claims(kube, namespace)}
    return [
        volume["metadata"]["name"]
        for volume in await kube.list("v1/PersistentVolume")
        if (claim := volume["spec"].get("claimRef") or {}).get("namespace") == namespace
        and claim["name"] not in claims
        and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete"
    ]


async def _claims(kube: Kube, namespace: str) -> list[dict]:
    """The claims that stay: one that is being deleted waits only for its pod to end."""
    listed = await kube.list("v1/PersistentVolumeClaim", namespace)
    return [each for each in listed if "deletionTimestamp" not in each["metadata"]]


def _row(claim: dict, volume: dict) -> dict[str, Any]:
    spec, annotations = volume["spec"], claim["metadata"].get("annotations") or {}
    size = spec["capacity"]["storage"]
    return {
        "id": (spec.get("csi") or {}).get("volumeHandle") or (spec.get("cinder") or {}).get("volumeID"),
        "name": volume["metadata"]["name"],
        "size_gb": int(size[:-2]) * GIGABYTES[size[-2:]] if size[-2:] in GIGABYTES else None,
        "owner": annotations.get(USERNAME) or claim["metadata"]["name"],
    }
