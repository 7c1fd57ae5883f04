"""The backups' objects on a real API server, and a run of the cron job with the rights that they give."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.kubernetes.conftest import Kubernetes
from tests.unit.test_backup import GOOD, SETTINGS
from tests.waiting import until
from zerojhub.backup import night, objects, pod, store
from zerojhub.backup.night import Api, ApiError, Night
from zerojhub.backup.pod import Settings, Volume
from zerojhub.kube.client import Kube
from zerojhub.kube.crons import Crons
from zerojhub.kube.kinds import POD, Kind
from zerojhub.kube.labels import USERNAME


@pytest.fixture
def settings(namespace: str) -> Settings:
    return replace(SETTINGS, namespace=namespace)


@pytest.fixture
def installed(kubernetes: Kubernetes, settings: Settings) -> Settings:
    """As the stage does it."""

    async def install(kube: Kube) -> None:
        secrets = objects.secrets(settings, store.Login("a password", {"AWS_ACCESS_KEY_ID": "k"}), {})
        meta = {"name": pod.STATE, "namespace": settings.namespace}
        state = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}
        rest = objects.rest(settings, "0 3 * * *", "batch/v1")
        for each in (*secrets, *rest, state):
            await kube.apply(each)
        assert await objects.missing(kube, rest) == []
        assert len(await objects.differing(kube, secrets, settings.to)) == 1  # it has not been tried

    kubernetes.use(install)
    return settings


@pytest.fixture
def api(kubernetes: Kubernetes, installed: Settings, tmp_path: Path, monkeypatch) -> Api:
    """As the cron job's pod has it: with the token of its account."""
    token = kubernetes.kubectl("create", "token", pod.NAME, "-n", installed.namespace)
    (tmp_path / "token").write_text(token.strip())
    authority = kubernetes.kubeconfig.parent / "apiserver.crt"
    server = json.loads(kubernetes.kubectl("config", "view", "-o", "json"))["clusters"][0]["cluster"]["server"]
    monkeypatch.setattr(night, "PAUSE", 0.1)
    monkeypatch.setattr(night, "LATER", 0.1)
    made = Api(installed.namespace, server, tmp_path / "token", authority)
    made._tls = ssl._create_unverified_context()
    return made


def test_the_api_server_accepts_all_objects_strictly(kubernetes: Kubernetes, settings: Settings) -> None:
    async def create(kube: Kube) -> None:
        task = {"action": "back up", "name": "user--ada", "host": "ada"}
        worker = pod.worker(
            settings, task, volume=Volume("claim-ada", pod.HOME), node="n", owner={"name": "a", "uid": "b"}
        )
        secrets = objects.secrets(settings, store.Login("p", {"A": "b"}), {})
        for each in [*secrets, *objects.rest(settings, "@daily", "batch/v1")]:
            await kube.create(Kind(f"{each['apiVersion']}/{each['kind']}"), each, dry_run=True)
        await kube.apply(
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": "default", "namespace": settings.namespace},
            }
        )
        await kube.create(POD, worker, dry_run=True)

    kubernetes.use(create)


def claim(kubernetes: Kubernetes, namespace: str, name: str, user: str) -> None:
    """A claim that is bound, as its volume's driver would say."""
    meta = {"name": name, "namespace": namespace, "annotations": {USERNAME: user}}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "x"}
    manifest = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}

    async def create(kube: Kube) -> None:
        await kube.apply(manifest)

    kubernetes.use(create)
    status = json.dumps({"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}})
    words = ("patch", "pvc", name, "-n", namespace, "--subresource=status", "--type=merge", "-p", status)
    kubernetes.kubectl(*words)


@pytest.fixture
def kubelet(kubernetes: Kubernetes, namespace: str) -> Iterator[list[str]]:
    """Ends every pod of a backup with a good result. Gives the repositories that they were for."""
    done, over = list[str](), threading.Event()

    def work() -> None:
        while not over.wait(0.1):
            selected = ("-n", namespace, "-l", f"{pod.ROLE}=worker", "-o", "json")
            for each in json.loads(kubernetes.kubectl("get", "pod", *selected))["items"]:
                if each["status"].get("phase") == "Pending" and "deletionTimestamp" not in each["metadata"]:
                    state = {"terminated": {"exitCode": 0, "message": json.dumps(GOOD)}}
                    container = {"name": "data", "image": "i", "imageID": "", "ready": False, "restartCount": 0}
                    status = {"phase": "Succeeded", "containerStatuses": [container | {"state": state}]}
                    words = ("patch", "pod", each["metadata"]["name"], "-n", namespace, "--subresource=status")
                    kubernetes.kubectl(*words, "--type=merge", "-p", json.dumps({"status": status}), code=None)
                    done.append(each["metadata"]["annotations"][pod.REPOSITORY])

    thread = threading.Thread(target=work)
    thread.start()
    yield done
    over.set()
    thread.join()


def test_a_run_has_the_rights_that_it_needs_and_no_others(
    kubernetes: Kubernetes, api: Api, installed: Settings, kubelet: list[str]
) -> None:
    claim(kubernetes, installed.namespace, "claim-ada", "ada")
    claim(kubernetes, installed.namespace, "claim-ben", "ben")
    until(lambda: kubernetes.kubectl("run", "me", "--image=i", "-n", installed.namespace, code=None))
    uid = kubernetes.get("pod", "me", installed.namespace)["metadata"]["uid"]
    assert Night(api, installed, {"name": "me", "uid": uid}).run() == 0
    assert sorted(set(kubelet)) == ["hub", "user--ada", "user--ben"]
    assert {name: each["snapshot"] for name, each in api.state()["owners"].items()} == {
        "hub": "abcdefgh",
        "user--ada": "abcdefgh",
        "user--ben": "abcdefgh",
    }
    selected = ("-n", installed.namespace, "-l", f"{pod.ROLE}=worker", "-o", "json")
    until(lambda: json.loads(kubernetes.kubectl("get", "pod", *selected))["items"] == [])
    for path in ("secrets", "configmaps", f"secrets/{pod.PASSWORD}"):
        with pytest.raises(ApiError) as refused:
            api._request("GET", path)
        assert refused.value.status == 403


def test_a_job_of_one_user_is_told_whose_it_is(kubernetes: Kubernetes, installed: Settings) -> None:
    async def run(kube: Kube) -> Any:
        return await Crons(kube, installed.namespace, (1, 34)).run(pod.NAME, {night.ONLY: "user--ada"})

    job = kubernetes.use(run)
    container = kubernetes.get("job", job["metadata"]["name"], installed.namespace)["spec"]["template"]["spec"][
        "containers"
    ][0]
    assert {"name": night.ONLY, "value": "user--ada"} in container["env"]


def test_everything_is_removed_but_the_namespace(kubernetes: Kubernetes, installed: Settings) -> None:
    async def delete(kube: Kube) -> None:
        crons = Crons(kube, installed.namespace, (1, 34))
        await objects.delete(kube, installed.namespace, crons.kind)

    kinds = ("cronjob", "secret", "cm", "sa", "role", "rolebinding")
    before = kubernetes.names(*kinds, namespace=installed.namespace)
    kubernetes.use(delete)
    after = kubernetes.names(*kinds, namespace=installed.namespace)
    assert {each.partition("/")[2] for each in before - after} == {pod.NAME, pod.STATE, pod.CREDENTIALS, pod.PASSWORD}
    assert not any(pod.NAME in each for each in after)
