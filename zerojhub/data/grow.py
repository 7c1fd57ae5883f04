"""Growing the volume of a claim, while a server uses it or not."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.kube import quantity
from zerojhub.kube.kinds import EVENT, PERSISTENT_VOLUME_CLAIM, POD, STORAGE_CLASS
from zerojhub.kube.labels import ENDED
from zerojhub.kube.pods import claims_of
from zerojhub.text import one_line
from zerojhub.waiting import NotYet, TimedOut, wait_until

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.kube.types import PersistentVolumeClaim
    from zerojhub.text import Say

TRIES_ON = "Kubernetes keeps trying; stop the user's server if the driver cannot grow a volume in use"
TIMEOUT = 180
"""Seconds for the driver to grow the volume, and for the kubelet to grow its file system."""
PATIENCE = 20
"""Seconds that Kubernetes may keep trying after the driver has failed once: some failures end by themselves."""
GIB = 2**30


@dataclass(frozen=True)
class Grown:
    """What became of the volume."""

    claim: str
    size_gb: int
    outcome: str
    """`grown`, `grows when the server starts` or `already that large`."""


def gigabytes(text: str) -> int:
    """`20`, `20G` or `20Gi`: GiB, as Cinder counts them, rounded up. UserError for anything else."""
    try:
        found = quantity.number(f"{text}Gi" if re.fullmatch(r"\d+", text) else text.removesuffix("B"))
    except ValueError:
        raise UserError(f"{text!r} is not a size", hint="as in 20Gi") from None
    if found < GIB // 2:
        raise UserError(f"{text} is less than a gigabyte", hint="as in 20Gi")
    return ceil(found / GIB)


async def grow(kube: Kube, namespace: str, name: str, size_gb: int, say: Say) -> Grown:
    """Have the claim's volume grow to `size_gb` GiB. UserError if it cannot; ZeroJHubError if it does not."""
    claim = await kube.get(PERSISTENT_VOLUME_CLAIM, name, namespace)
    if claim is None or claim["status"].get("phase") != "Bound":
        raise UserError(f"claim {name} has no volume", hint="zerojhub data list")
    current = _capacity(claim)
    if size_gb * GIB < current:
        raise UserError(
            f"volume of claim {name} has {current / GIB:g} GB: volumes cannot shrink", hint="nothing was changed"
        )
    if size_gb * GIB == current:
        return Grown(name, size_gb, "already that large")
    class_name = claim["spec"].get("storageClassName", "")
    storage_class = await kube.get(STORAGE_CLASS, class_name)
    if storage_class is None:
        raise UserError(f"there is no storage class {class_name}, which the claim names", hint="create it again")
    if not storage_class.get("allowVolumeExpansion"):
        patch = f"""kubectl patch storageclass {class_name} -p '{{"allowVolumeExpansion": true}}'"""
        raise UserError(f"storage class {class_name} does not allow volumes to grow", hint=f"allow it with: {patch}")
    earlier = await _failures(kube, namespace, name)
    wanted = {"spec": {"resources": {"requests": {"storage": f"{size_gb}Gi"}}}}
    await kube.merge(PERSISTENT_VOLUME_CLAIM, name, namespace, wanted)
    why, since = "", 0.0

    async def look() -> Grown | NotYet:
        nonlocal why, since
        there = await kube.get(PERSISTENT_VOLUME_CLAIM, name, namespace)
        if there is None:
            raise ZeroJHubError(f"claim {name} was deleted meanwhile")
        if _capacity(there) >= size_gb * GIB:
            return Grown(name, size_gb, "grown")
        conditions = {each["type"] for each in there["status"].get("conditions", []) if each["status"] == "True"}
        if "FileSystemResizePending" in conditions and not await _is_mounted(kube, namespace, name):
            return Grown(name, size_gb, "grows when the server starts")
        failed = await _failures(kube, namespace, name) - earlier
        if failed and not why:
            since = time.monotonic()
        why = max(failed)[1] if failed else ""
        if why and time.monotonic() - since > PATIENCE:
            raise ZeroJHubError(f"claim {name} has not grown yet: {why}", hint=TRIES_ON)
        return NotYet(why or ("growing the file system" if conditions else "growing the volume"))

    try:
        return await wait_until(look, timeout=TIMEOUT, pause=(0.5, 2), say=say)
    except TimedOut as late:
        hint = "the cluster may have no csi-resizer" if late.reason == "growing the volume" else TRIES_ON
        raise ZeroJHubError(f"claim {name} has not grown yet: {late}", hint=hint) from None


def _capacity(claim: PersistentVolumeClaim) -> float:
    """Bytes."""
    return float(quantity.number(claim["status"]["capacity"]["storage"]))


async def _is_mounted(kube: Kube, namespace: str, claim: str) -> bool:
    pods = await kube.list(POD, namespace)
    return any(claim in claims_of(pod) and pod["status"]["phase"] not in ENDED for pod in pods)


async def _failures(kube: Kube, namespace: str, claim: str) -> set[tuple[str, str]]:
    """When growing the claim failed, and why: the volume as its own event says, the file system as that of its pod does."""
    using = {pod["metadata"]["name"] for pod in await kube.list(POD, namespace) if claim in claims_of(pod)}
    return {
        (each.get("lastTimestamp") or each["metadata"]["creationTimestamp"], one_line(each.get("message", "")))
        for each in await kube.list(EVENT, namespace)
        if each["involvedObject"].get("name") in {claim, *using} and each.get("reason") == "VolumeResizeFailed"
    }
