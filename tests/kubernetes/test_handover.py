"""Volumes that are handed over, with what Kubernetes' own controllers make of their claims."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.kubernetes.conftest import Kubernetes
from tests.waiting import until
from zerojhub.clocks import Clock
from zerojhub.data import handover, reattach
from zerojhub.data.handover import Party
from zerojhub.data.reattach import Hub
from zerojhub.hub.names import Scheme
from zerojhub.kube.client import Kube
from zerojhub.kube.kinds import PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM
from zerojhub.openstack import cinder


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch, namespace: str) -> dict[str, dict[str, str]]:
    """The metadata of the project's volumes in Cinder: ada's, and the hub's."""
    metadata: dict[str, dict[str, str]] = {f"ada-{namespace}": {}, f"hub-{namespace}": {}}

    async def volumes(cloud: Any) -> list[dict[str, Any]]:
        about = {"name": "pvc", "size": 1, "status": "available", "availability_zone": "nova", "attachments": []}
        about["created_at"] = "2026-01-01T00:00:00.000000"
        return [about | {"id": id, "metadata": items} for id, items in metadata.items()]

    async def set_metadata(cloud: Any, volume: str, items: dict[str, str]) -> None:
        metadata[volume] |= items

    async def delete_metadata(cloud: Any, volume: str, key: str) -> None:
        metadata[volume].pop(key, None)

    async def zones(cloud: Any) -> list[str]:
        return []

    monkeypatch.setattr(cinder, "volumes", volumes)
    monkeypatch.setattr(cinder, "zones", zones)
    monkeypatch.setattr(cinder, "set_metadata", set_metadata)
    monkeypatch.setattr(cinder, "delete_metadata", delete_metadata)
    return metadata


def bound(namespace: str, claim: str, id: str, **annotations: str) -> tuple[Any, Any]:
    """A volume and a claim that are bound to one another, as a driver with an older provisioner would leave them."""
    finalizers = ["external-provisioner.volume.kubernetes.io/finalizer"]
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "cinder",
        "persistentVolumeReclaimPolicy": "Delete",
        "claimRef": {"namespace": namespace, "name": claim},
        "csi": {"driver": "cinder.csi.openstack.org", "volumeHandle": id, "fsType": "ext4"},
    }
    meta = {"name": f"pvc-{id}", "finalizers": finalizers}
    volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": meta, "spec": spec}
    wanted = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "cinder",
        "volumeName": f"pvc-{id}",
        "resources": {"requests": {"storage": "1Gi"}},
    }
    about = {"name": claim, "namespace": namespace, "annotations": annotations}
    return volume, {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": about, "spec": wanted}


def test_volumes_leave_a_namespace_and_are_given_back_in_another(
    kubernetes: Kubernetes, namespace: str, project: dict[str, dict[str, str]]
):
    cloud: Any = SimpleNamespace(volume=SimpleNamespace(clock=Clock()))
    other = f"{namespace}-2"
    kubernetes.kubectl("create", "namespace", other)
    source, target = Party("old", namespace, "c1"), Party("new", other, "c2")
    hub = Hub(other, "new", "c2", Scheme(True, "claim-{user_server}"), "cinder", "cinder", 1, {"cinder": "Delete"})

    async def create(kube: Kube) -> None:
        for made in (
            bound(namespace, "claim-ada-2db", f"ada-{namespace}", **{"hub.jupyter.org/username": "ada-b"}),
            bound(namespace, "hub-db-dir", f"hub-{namespace}"),
        ):
            await kube.create(PERSISTENT_VOLUME, made[0])
            await kube.create(PERSISTENT_VOLUME_CLAIM, made[1])

    async def leave(kube: Kube) -> None:
        going = await handover.leaving(kube, cloud, source, target, safe=False)
        assert [(each.volume.owner.label, each.claim) for each in going] == [
            ("ada-b", "claim-ada-2db"),
            ("hub-db-dir", "hub-db-dir"),
        ]
        await handover.wait_until_detached(kube, cloud, going, lambda text: None)
        await handover.hand_over(kube, cloud, going, source, target, lambda text: None)
        assert await handover.leaving(kube, cloud, source, target, safe=False) == []

    async def arrive(kube: Kube) -> None:
        from zerojhub.data.kept import as_kept
        from zerojhub.data.owner import recorded

        kept = [as_kept(each, owner) for each in await cinder.volumes(cloud) if (owner := recorded(each["metadata"]))]
        decision = await reattach.look(kube, cloud, kept, hub)
        assert decision.problems == []
        await reattach.give_back(kube, cloud, decision.returns, hub, lambda text: None)
        await reattach.claim_for_hub(kube, "hub-db-dir", "new", hub)

    kubernetes.use(create)
    until(lambda: kubernetes.get("pvc", "hub-db-dir", namespace)["status"].get("phase") == "Bound", pause=0.1)
    until(lambda: kubernetes.get("pvc", "claim-ada-2db", namespace)["status"].get("phase") == "Bound", pause=0.1)
    kubernetes.use(leave)
    assert "PersistentVolumeClaim/claim-ada-2db" not in kubernetes.names("pvc", namespace=namespace)
    assert f"pvc-ada-{namespace}" not in kubernetes.kubectl("get", "pv", "-o", "name")
    kubernetes.use(arrive)
    assert {"PersistentVolumeClaim/claim-ada-b", "PersistentVolumeClaim/hub-db-dir"} <= kubernetes.names(
        "pvc", namespace=other
    )
    assert project[f"ada-{namespace}"]["zerojhub:deployment"] == "new"
    assert project[f"ada-{namespace}"]["cinder.csi.openstack.org/cluster"] == "c2"
    kubernetes.kubectl("delete", "namespace", other, "--wait=false")
