"""What `down` does about the hub and its data, whatever is left of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from tests.unit.fakecloud import PROJECT, Answer, FakeCloud
from tests.unit.kubernetes import Cluster as FakeKube
from tests.unit.test_data_commands import claim, disk, persistent
from zerojhub import graph, running
from zerojhub.data import kept
from zerojhub.data.owner import KEPT, Owner
from zerojhub.deployment import Deployment
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.helm.program import Program
from zerojhub.openstack.clusters import OWNER_LABEL
from zerojhub.report import Progress
from zerojhub.run import Run
from zerojhub.stage import Teardown
from zerojhub.stages import Access, Chart, Cluster, HelmProgram, Kept, chart

VOLUMES = f"/volume/v3/{PROJECT}/volumes"
CLUSTER: Any = {"uuid": "c1", "name": "class", "stack_id": None, "labels": {OWNER_LABEL: "class"}}
LABELS = {"owner": "helm", "name": "class"}
SECRET: Any = {"metadata": {"name": "sh.helm.release.v1.class.v1", "namespace": "class", "labels": LABELS}}
"""Helm's record of the release."""


@pytest.fixture
def run(fake_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, tmp_path) -> Run:
    """At work on a deployment whose cluster has claims of ada's and the hub's."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    deployment = Deployment.model_validate({"name": "class", "cloud": "fake", "cluster": {"template": "t"}})
    run = Run(deployment, Progress(quiet=True))
    kube = FakeKube(
        PersistentVolumeClaim=[claim("claim-ada", "pv1", username="ada"), claim("hub-db-dir", "pv2")],
        PersistentVolume=[
            persistent("pv1", "v1", "claim-ada"),
            persistent("pv2", "v2", "hub-db-dir"),
            persistent("pv3", "v3", "claim-left", "Retain"),
            persistent("pv4", "v4", "claim-theirs", namespace="other"),
        ],
    )
    access: Any = SimpleNamespace(kube=kube)
    run[Access], run[Cluster] = access, CLUSTER
    for volume in ("v1", "v2"):
        fake_cloud.answer(f"POST {VOLUMES}/{volume}/metadata", Answer(200, {}))
    return run


def kube(run: Run) -> FakeKube:
    found: Any = run[Access].kube
    return found


class Helm:
    def __init__(self) -> None:
        self.uninstalled: list[str] = []

    async def uninstall(self, name: str, *, namespace: str) -> None:
        self.uninstalled.append(name)


def undo(run: Run, monkeypatch: pytest.MonkeyPatch, *, helm: bool) -> Helm:
    """Undo the hub on a machine with or without Helm, which can be downloaded."""
    found = Helm()

    async def ensure(run: Run, stage: Any) -> None:
        run[stage] = Program("/usr/local/bin/helm", "v3.18.4")

    async def no_release(run: Run) -> None:
        assert HelmProgram in run

    monkeypatch.setattr(graph, "ensure", ensure)
    monkeypatch.setattr(chart, "hub_release", no_release)
    monkeypatch.setattr(chart, "_helm", lambda run, timeout=0: found)
    if helm:
        run[HelmProgram] = Program("/usr/local/bin/helm", "v3.18.4")

    async def work() -> None:
        with run.step("chart"):
            await Chart().undo(run, Teardown())

    anyio.run(work)
    return found


@pytest.mark.parametrize("helm", [True, False])
def test_a_hub_is_uninstalled_and_its_volumes_are_kept_from_a_machine_without_helm_too(run, monkeypatch, helm):
    kube(run).objects["Secret"] = [SECRET]
    assert undo(run, monkeypatch, helm=helm).uninstalled == ["class"]
    assert {each["name"] for each in kube(run).applied} == {"pv1", "pv2"}


def test_a_cluster_on_which_helm_could_not_be_installed_can_be_deleted_without_it(run, monkeypatch):
    assert undo(run, monkeypatch, helm=False).uninstalled == []
    assert {each["name"] for each in kube(run).applied} == {"pv1", "pv2"}  # kept all the same


# -- with --delete-data -------------------------------------------------------------------------------------------------

TAG = {"cinder.csi.openstack.org/cluster": "c1", "csi.storage.k8s.io/pvc/name": "claim-old"}
OWN, OTHERS = (TAG | {"csi.storage.k8s.io/pvc/namespace": name} for name in ("class", "other"))
GIVEN_BACK = Owner("class", "claim-ben", "class", "ben", cluster="c1").metadata()


def doomed(run: Run, fake_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, *, responds: bool) -> list[str]:
    """What would be deleted, while nothing of a look at the stages is needed."""
    disks = [
        disk("v1", metadata=OWN),
        disk("v2"),
        disk("v3"),
        disk("v4", metadata=OTHERS),
        disk("v5", metadata=GIVEN_BACK),
    ]
    fake_cloud.answer(f"GET {VOLUMES}/detail", Answer(200, {"volumes": disks}))

    async def look(run: Run, stages: Any, checking: bool) -> None:
        run[Kept] = kept.Found([], [])

    monkeypatch.setattr(graph, "look", look)
    if not responds:
        run._values.pop(Access)
    return sorted(each.id for each in anyio.run(running.volumes_of, run))


def test_all_of_the_deployment_is_listed_and_nothing_of_another_on_the_cluster(run, fake_cloud, monkeypatch):
    fake_cloud.answer(f"GET /volume/v3/{PROJECT}/snapshots/detail", Answer(200, {"snapshots": []}))
    assert doomed(run, fake_cloud, monkeypatch, responds=True) == ["v1", "v2", "v3", "v5"]


def test_a_cluster_that_does_not_respond_has_what_was_given_back_to_it_and_not_what_others_have(
    run, fake_cloud, monkeypatch
):
    fake_cloud.answer(f"GET /volume/v3/{PROJECT}/snapshots/detail", Answer(200, {"snapshots": []}))
    assert doomed(run, fake_cloud, monkeypatch, responds=False) == ["v1", "v5"]


def test_volumes_with_snapshots_are_refused_before_anything_is_deleted(run, fake_cloud, monkeypatch):
    snapshots = [{"id": "s1", "volume_id": "v1"}, {"id": "s2", "volume_id": "v4"}]
    fake_cloud.answer(f"GET /volume/v3/{PROJECT}/snapshots/detail", Answer(200, {"snapshots": snapshots}))
    with pytest.raises(UserError, match="volume v1 of ada has snapshots") as refused:
        doomed(run, fake_cloud, monkeypatch, responds=True)
    assert str(refused.value.hint).endswith("openstack volume snapshot delete s1")


def delete(run: Run, fake_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, *refused: str) -> Teardown:
    """Delete v1 and v5 after the cluster; v5 was kept for the deployment, v6 too."""
    from zerojhub.openstack import leftovers

    monkeypatch.setattr(leftovers, "DETACH_TIMEOUT", 0)
    marked = GIVEN_BACK | {KEPT: "2026-11-28T10:00:00+00:00"}
    disks = [disk("v1"), disk("v2"), disk("v5", metadata=marked), disk("v6", metadata=marked)]
    fake_cloud.answer(f"GET {VOLUMES}/detail", Answer(200, {"volumes": disks}))
    fake_cloud.answer("GET /container-infra/v1/clusters", Answer(200, {"clusters": []}))
    for each in ("v1", "v5"):
        fake_cloud.answer(f"DELETE {VOLUMES}/{each}", Answer(400 if each in refused else 202, {"badRequest": {}}))
    teardown = Teardown(doomed={"v1", "v5"})

    async def work() -> None:
        with run.step("kept"):
            await Kept().undo(run, teardown)

    anyio.run(work)
    return teardown


def test_exactly_the_listed_volumes_are_deleted_whether_they_were_marked_or_not(run, fake_cloud, monkeypatch):
    assert [each.id for each in delete(run, fake_cloud, monkeypatch).kept] == ["v6"]
    gone = [each.path.rpartition("/")[2] for each in fake_cloud.requests if each.method == "DELETE"]
    assert gone == ["v1", "v5"]


def test_what_cinder_does_not_delete_is_an_error(run, fake_cloud, monkeypatch):
    with pytest.raises(ZeroJHubError, match="Cinder did not delete v5"):
        delete(run, fake_cloud, monkeypatch, "v5")
