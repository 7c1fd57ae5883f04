"""Claims and volumes, with what the volume controller makes of them."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.kubernetes.conftest import Kubernetes
from tests.waiting import until
from zerojhub.kube import volumes
from zerojhub.kube.client import Kube
from zerojhub.kube.kinds import PERSISTENT_VOLUME_CLAIM
from zerojhub.kube.types import PersistentVolumeClaim


@pytest.fixture
def claim(kubernetes: Kubernetes, namespace: str) -> PersistentVolumeClaim:
    """Bound to a volume of the same name as the namespace, which would be deleted with it."""
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": namespace},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "cinder",
            "persistentVolumeReclaimPolicy": "Delete",
            "csi": {"driver": volumes.CINDER, "volumeHandle": "c-1"},
        },
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": "claim-ada",
            "namespace": namespace,
            "labels": {"component": "singleuser-storage"},
            "annotations": {"hub.jupyter.org/username": "ada"},
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "cinder",
            "volumeName": namespace,
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    command = [str(kubernetes.programs / "kubectl"), f"--kubeconfig={kubernetes.kubeconfig}", "create", "-f", "-"]
    for each in (volume, claim):
        subprocess.run(command, input=json.dumps(each), text=True, check=True, capture_output=True)
    until(lambda: kubernetes.get("pvc", "claim-ada", namespace)["status"]["phase"] == "Bound", pause=0.1)
    return kubernetes.get("pvc", "claim-ada", namespace)  # type: ignore[return-value]  # the API's JSON


def test_a_volume_outlives_its_claim_and_is_bound_to_one_like_it(
    kubernetes: Kubernetes, namespace: str, claim: PersistentVolumeClaim
):
    async def lose_and_claim_again(kube: Kube) -> None:
        await volumes.set_policy(kube, namespace, "Retain")
        await kube.delete(PERSISTENT_VOLUME_CLAIM, "claim-ada", namespace)
        await volumes.claim_again(kube, claim)

    kubernetes.use(lose_and_claim_again)
    again = kubernetes.get("pvc", "claim-ada", namespace)
    assert again["metadata"]["uid"] != claim["metadata"]["uid"]
    assert again["metadata"]["labels"] == claim["metadata"]["labels"]
    assert again["metadata"]["annotations"]["hub.jupyter.org/username"] == "ada"
    assert (again["spec"], again["status"]["phase"]) == (claim["spec"], "Bound")
    volume = kubernetes.get("pv", namespace)
    assert volume["spec"]["claimRef"]["uid"] == again["metadata"]["uid"]
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
