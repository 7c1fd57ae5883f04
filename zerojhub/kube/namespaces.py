"""Namespaces that zerojhub creates, and later deletes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zerojhub.kube.client import OURS
from zerojhub.kube.kinds import NAMESPACE

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube


async def ensure(kube: Kube, name: str) -> None:
    """Create the namespace, if it does not exist."""
    if await kube.get(NAMESPACE, name) is None:
        await kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": OURS}})


async def is_ours(kube: Kube, name: str) -> bool:
    """Whether zerojhub created it; False if it does not exist."""
    there = await kube.get(NAMESPACE, name)
    return there is not None and OURS.items() <= there["metadata"].get("labels", {}).items()
