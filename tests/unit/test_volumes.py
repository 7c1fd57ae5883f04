"""A namespace's volumes: listing them, deleting them, and waiting for them."""

from __future__ import annotations

import time

import anyio
import pytest

from tests.unit.kubernetes import Cluster
from zerojhub.kube import kinds, volumes
from zerojhub.kube.client import KubeError
from zerojhub.kube.volumes import Volume


def claim(name, volume=None, namespace="hub", user=None, **meta):
    annotations = {"hub.jupyter.org/username": user} if user else {}
    return {
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations, **meta},
        "spec": {"volumeName": volume} if volume else {},
    }


def volume(name, claim=None, size="10Gi", policy="Delete", **source):
    reference = {"claimRef": {"namespace": "hub", "name": claim}} if claim else {}
    spec = {"capacity": {"storage": size}, "persistentVolumeReclaimPolicy": policy, **reference, **source}
    return {"metadata": {"name": name}, "spec": spec}


def csi(id, driver="cinder.csi.openstack.org"):
    return {"csi": {"driver": driver, "volumeHandle": id}}


def claimed(*objects):
    claims, there = objects
    return anyio.run(volumes.claimed, Cluster(PersistentVolumeClaim=claims, PersistentVolume=there), "hub")


def test_a_volume_is_listed_with_its_cinder_id_its_size_and_its_owner():
    claims = [claim("claim-ada", "pvc-1", user="ada"), claim("hub-db-dir", "pvc-2")]
    there = [volume("pvc-1", **csi("c-1")), volume("pvc-2", size="1Ti", cinder={"volumeID": "c-2"}), volume("pvc-9")]
    assert claimed(claims, there) == [
        Volume("c-1", "pvc-1", 10, "ada", "claim-ada"),
        Volume("c-2", "pvc-2", 1024, "hub-db-dir", "hub-db-dir"),
    ]


def test_a_volume_of_another_driver_has_no_cinder_id_and_its_size_is_rounded_up():
    there = [volume("pvc-1", size="1500Mi", **csi("share", driver="manila.csi.openstack.org"))]
    assert claimed([claim("shared", "pvc-1")], there) == [Volume(None, "pvc-1", 2, "shared", "shared")]


def test_claims_without_a_volume_of_other_namespaces_and_being_deleted_are_not_listed():
    claims = [
        claim("unbound"),
        claim("elsewhere", "pvc-1", namespace="other"),
        claim("leaving", "pvc-1", deletionTimestamp="2026-01-01T10:00:00Z"),
    ]
    assert claimed(claims, [volume("pvc-1")]) == []


def test_deleting_all_deletes_the_claims_of_the_namespace_alone():
    cluster = Cluster(PersistentVolumeClaim=[claim("a"), claim("b"), claim("c", namespace="other")])
    anyio.run(volumes.delete_all, cluster, "hub")
    assert cluster.deleted == ["a", "b"]


def test_deleting_all_deletes_what_was_kept_of_users_but_not_what_somebody_else_retains():
    claims = [claim("ada", "pvc-1", user="ada"), claim("shared", "pvc-2"), claim("ben", "pvc-3", user="ben")]
    there = [
        volume("pvc-1", "ada", policy="Retain"),
        volume("pvc-2", "shared", policy="Retain"),
        volume("pvc-3", "ben"),
    ]
    cluster = Cluster(PersistentVolumeClaim=claims, PersistentVolume=there)
    anyio.run(volumes.delete_all, cluster, "hub")
    change = {"spec": {"persistentVolumeReclaimPolicy": "Delete"}}
    assert cluster.applied == [{"kind": kinds.PERSISTENT_VOLUME, "name": "pvc-1", "namespace": None, **change}]
    assert cluster.deleted == ["ada", "shared", "ben"]


def test_deleting_a_volume_that_goes_meanwhile_is_no_error():
    class Slow(Cluster):
        async def merge(self, kind, name, namespace, change):
            raise KubeError(f'persistentvolumes "{name}" not found', status=404)

    there = [volume("pvc-1", "ada", **csi("c-1")), volume("pvc-2", "ben", **csi("c-2"))]
    cluster = Slow(PersistentVolumeClaim=[claim("ben", "pvc-2", user="ben")], PersistentVolume=there)
    anyio.run(volumes.delete, cluster, "hub", ["c-1", "c-2"])
    assert cluster.deleted == ["pvc-1", "ben"]
    retained = volume("pvc-2", "ben", **csi("c-2"))
    retained["spec"]["persistentVolumeReclaimPolicy"] = "Retain"
    cluster = Slow(PersistentVolumeClaim=[claim("ben", "pvc-2", user="ben")], PersistentVolume=[retained])
    anyio.run(volumes.delete_all, cluster, "hub")
    assert cluster.deleted == ["ben"]


@pytest.mark.usefixtures("short_pauses")
def test_volumes_of_deleted_claims_are_waited_for():
    said: list[str] = []
    cluster = Cluster(PersistentVolume=[volume("pvc-1", "a"), volume("pvc-2", "b")])
    looks = []

    def later():
        looks.append(1)
        if len(looks) > 2:
            cluster.objects["PersistentVolume"].clear()

    cluster.before_list = later
    anyio.run(volumes.wait_for_deletion, cluster, "hub", said.append)
    assert said == ["waiting for 2 volumes to be deleted"]


@pytest.mark.parametrize(
    "stays",
    [
        volume("pvc-1", "kept"),
        volume("pvc-1", "a", policy="Retain"),
        volume("pvc-1"),
    ],
)
def test_volumes_that_stay_are_not_waited_for(stays):
    said: list[str] = []
    cluster = Cluster(PersistentVolume=[stays], PersistentVolumeClaim=[claim("kept", "pvc-1")])
    anyio.run(volumes.wait_for_deletion, cluster, "hub", said.append)
    assert said == []


@pytest.mark.usefixtures("short_pauses")
def test_waiting_for_volumes_ends_in_any_case():
    cluster, started = Cluster(PersistentVolume=[volume("pvc-1", "a")]), time.monotonic()
    anyio.run(lambda: volumes.wait_for_deletion(cluster, "hub", lambda text: None, timeout=0.1))
    assert time.monotonic() - started < 5
