"""Kept volumes and Kubernetes' own volume controller: what is bound to what, on a new cluster and on the same one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.kubernetes.conftest import Kubernetes
from tests.waiting import until
from zerojhub.data import reattach
from zerojhub.data.kept import KeptVolume
from zerojhub.data.owner import Owner
from zerojhub.data.reattach import Hub, Return, There
from zerojhub.hub.names import HUB_CLAIM, Scheme
from zerojhub.kube import volumes
from zerojhub.kube.client import Kube
from zerojhub.kube.kinds import PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM


@pytest.fixture
def hub(namespace: str, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """A hub in the namespace. Cinder is not there."""

    async def unmark(cloud: Any, volume_id: str, cluster: str) -> None:
        pass

    monkeypatch.setattr(reattach, "unmark", unmark)
    scheme = Scheme(True, "claim-{user_server}")
    return Hub(namespace, "class", "c2", scheme, "cinder", "cinder", 1, {"cinder": "Delete"})


def kept(hub: Hub, name: str, user: str | None = None) -> KeptVolume:
    owner = Owner(hub.namespace, name, "class", user, safe=True, cluster="c1")
    return KeptVolume(f"{hub.namespace}-{name}", "pvc", 1, "available", "nova", (), owner, "2026-11-28T10:00:00")


def give_back(kubernetes: Kubernetes, hub: Hub, *items: KeptVolume) -> list[Return]:
    """What `up` does, twice: it may have been interrupted."""

    async def work(kube: Kube) -> list[Return]:
        cloud: Any = None
        for _ in range(2):
            listed = await kube.list(PERSISTENT_VOLUME)
            there = There(
                {each["metadata"]["name"]: each for each in await kube.list(PERSISTENT_VOLUME_CLAIM, hub.namespace)},
                {volume_id: each for each in listed if (volume_id := volumes.cinder_id(each))},
                (), (), (),
            )  # fmt: skip
            returns = reattach.decide(items, hub, there).returns
            await reattach.give_back(kube, cloud, returns, hub, print)
        return returns

    return kubernetes.use(work)


def volume_of(kubernetes: Kubernetes, hub: Hub, claim: str) -> dict[str, Any]:
    until(lambda: kubernetes.get("pvc", claim, hub.namespace)["status"].get("phase") == "Bound", pause=0.1)
    return kubernetes.get("pv", kubernetes.get("pvc", claim, hub.namespace)["spec"]["volumeName"])


def helm_claims(kubernetes: Kubernetes, hub: Hub) -> None:
    """The claim that the hub's release creates, which names no volume."""
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "cinder",
    }
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": HUB_CLAIM}, "spec": spec}
    path = kubernetes.kubeconfig.with_name(f"claim-{hub.namespace}.json")
    path.write_text(json.dumps(claim))
    kubernetes.kubectl("create", "-n", hub.namespace, "-f", str(path))


def test_a_new_cluster_binds_claims_to_the_same_volumes(kubernetes, hub):
    ada, own = kept(hub, "claim-ada", "ada"), kept(hub, HUB_CLAIM)
    older = KeptVolume(f"{hub.namespace}-older", "pvc", 1, "available", "nova", (), own.owner, "2026-11-01T10:00:00")
    assert {each.volume.id for each in give_back(kubernetes, hub, ada, own, older)} == {ada.id, own.id}
    helm_claims(kubernetes, hub)
    for volume in (ada, own):
        found = volume_of(kubernetes, hub, volume.owner.claim)
        assert found["spec"]["csi"]["volumeHandle"] == volume.id
        assert found["spec"]["persistentVolumeReclaimPolicy"] == "Delete"


def test_the_same_cluster_binds_claims_again_to_what_they_left(kubernetes, hub):
    """As after a `down` that could not delete the cluster, or may not: the hub's claim is gone, and its volume retained."""
    ada, own = kept(hub, "claim-ada", "ada"), kept(hub, HUB_CLAIM)
    give_back(kubernetes, hub, ada, own)
    helm_claims(kubernetes, hub)
    before = {claim: volume_of(kubernetes, hub, claim)["metadata"]["uid"] for claim in ("claim-ada", HUB_CLAIM)}

    async def down(kube: Kube) -> None:
        for each in await volumes.claimed(kube, hub.namespace):
            await volumes.set_policy(kube, each.name, "Retain")
        await kube.delete(PERSISTENT_VOLUME_CLAIM, HUB_CLAIM, hub.namespace, wait=30)

    kubernetes.use(down)
    until(lambda: kubernetes.get("pv", f"kept-{own.id}")["status"]["phase"] == "Released", pause=0.1)
    assert {each.volume.id for each in give_back(kubernetes, hub, ada, own)} == {ada.id, own.id}
    helm_claims(kubernetes, hub)
    for claim, uid in before.items():
        found = volume_of(kubernetes, hub, claim)
        assert found["metadata"]["uid"] == uid
        assert found["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
