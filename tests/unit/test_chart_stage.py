"""The chart stage while Helm is at work: hooks are waited for, an API that does not answer Helm is not."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from tests.unit.kubernetes import Cluster
from zerojhub.deployment import Deployment
from zerojhub.errors import ZeroJHubError
from zerojhub.hub.release import InstalledRelease
from zerojhub.report import Progress
from zerojhub.retry import OutcomeUnknown
from zerojhub.run import Run
from zerojhub.stage import Found, Missing, Wrong
from zerojhub.stages import chart
from zerojhub.stages.access import Access
from zerojhub.stages.cluster import Cluster as MagnumCluster
from zerojhub.stages.values import Values
from zerojhub.stages.volumes import Volumes


def pod(phase: str, owner: str) -> dict[str, Any]:
    meta = {"name": "p", "namespace": "toy", "labels": {}, "ownerReferences": [{"kind": owner}]}
    return {"metadata": meta, "status": {"phase": phase}, "spec": {}}


def watch(monkeypatch: pytest.MonkeyPatch, *pods: dict[str, Any], seconds: float = 30) -> None:
    """Watch the hooks of a Helm that does not end."""
    monkeypatch.setattr(chart, "WATCH_INTERVAL", 0.01)
    clock = itertools.count(0, chart.STUCK * 2 / 3)  # at every look at it
    monkeypatch.setattr(chart, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    run = Run(
        Deployment.model_validate({"name": "toy", "cloud": "c", "cluster": {"template": "t"}}), Progress(quiet=True)
    )
    reach: Any = SimpleNamespace(kube=Cluster(Pod=list(pods), Deployment=[], Event=[], PersistentVolumeClaim=[]))
    run[Access] = reach

    async def main() -> None:
        with anyio.move_on_after(seconds), contextlib.suppress(anyio.get_cancelled_exc_class()), run.step("chart"):
            await chart._watch_hooks(run, anyio.CancelScope())

    anyio.run(main)


def test_helm_is_not_waited_for_without_a_running_hook(monkeypatch):
    for pods in ([], [pod("Running", "ReplicaSet")], [pod("Succeeded", "Job")]):
        with pytest.raises(OutcomeUnknown, match="Kubernetes does not respond to Helm"):
            watch(monkeypatch, *pods)


def test_helm_is_waited_for_while_a_hook_runs(monkeypatch):
    watch(monkeypatch, pod("Running", "Job"), seconds=0.2)


def look_at(monkeypatch: pytest.MonkeyPatch, cluster: Cluster) -> tuple[Any, Run]:
    """What the stage finds of a hub that is as the deployment asks for it."""
    installed = InstalledRelease(3, "deployed", "jupyterhub-4.4.0", "", {})

    async def release(run: Run) -> InstalledRelease:
        return installed

    monkeypatch.setattr(chart, "hub_release", release)
    monkeypatch.setattr("zerojhub.hub.release.difference", lambda *_: None)
    deployment = {"name": "toy", "cloud": "c", "cluster": {"template": "t"}}
    run = Run(Deployment.model_validate(deployment), Progress(quiet=True))
    reach: Any = SimpleNamespace(kube=cluster)
    rendered: Any = SimpleNamespace(chart=None, values=lambda *_: {}, remember=lambda *_: None)
    run[Access], run[Values] = reach, rendered
    return anyio.run(chart.Chart().look, run), run


def hub(replicas: int, component: str = "hub") -> dict[str, Any]:
    meta = {"name": "hub", "namespace": "toy", "labels": {"release": "toy", "component": component}, "generation": 1}
    status = {"observedGeneration": 1, "availableReplicas": replicas, "updatedReplicas": replicas, "replicas": replicas}
    return {"metadata": meta, "spec": {"replicas": replicas}, "status": status}


PUBLIC = {
    "metadata": {"name": "proxy-public", "namespace": "toy", "labels": {"release": "toy", "component": "proxy-public"}}
}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_a_hub_that_was_stopped_is_not_as_it_should_be(monkeypatch, state):
    def of(*deployments: dict[str, Any], **more: Any) -> Any:
        objects = {"Deployment": list(deployments), "Namespace": [], "Service": [PUBLIC], **more}
        return look_at(monkeypatch, Cluster(**objects))[0]

    assert isinstance(of(hub(1)), Found)
    assert isinstance(of(hub(0, "user-scheduler")), Found)
    found = of(hub(0))
    assert (type(found), found.detail) == (Wrong, "not available: hub")
    lost = of(hub(1), Service=[])
    assert (type(lost), lost.detail) == (Wrong, "its service proxy-public is missing")


def test_a_hub_that_has_moved_is_not_started(monkeypatch, state):
    moved = {"metadata": {"name": "toy", "annotations": {"zerojhub.io/moved-to": "new"}}}
    found, run = look_at(monkeypatch, Cluster(Deployment=[hub(0)], Namespace=[moved], Service=[PUBLIC]))
    assert isinstance(found, Wrong)
    assert found.detail == "the hub moves to deployment new, or has moved there"
    with pytest.raises(ZeroJHubError, match=r"moves to deployment new.*zerojhub move, with --back or without"):
        anyio.run(chart.Chart().do, run, found)
    with pytest.raises(ZeroJHubError, match="moves to deployment new"):
        anyio.run(chart.announce, run, "Back at 5")


@pytest.mark.parametrize(
    ("services", "before", "done"),
    [
        ([PUBLIC], {}, []),
        ([], {}, ["install"]),  # Helm creates again what is missing of the release
        ([PUBLIC], {"hub": {"image": {"tag": "5.0.0"}}}, ["save", "install"]),
    ],
)
def test_helm_upgrades_what_has_lost_its_service_and_an_image_is_changed_after_saving_the_database(
    monkeypatch, state, services, before, done
):
    seen: list[str] = []

    def noted(what: str) -> Any:
        async def act(*_: Any, **__: Any) -> None:
            seen.append(what)

        return act

    async def release(run: Run) -> InstalledRelease:
        return InstalledRelease(3, "deployed", "jupyterhub-4.4.0", "", before)

    monkeypatch.setattr(chart, "hub_release", release)
    monkeypatch.setattr(chart, "_install", noted("install"))
    monkeypatch.setattr(chart, "_save_database", noted("save"))
    deployment = {"name": "toy", "cloud": "c", "cluster": {"template": "t"}}
    run = Run(Deployment.model_validate(deployment), Progress(quiet=True))
    reach: Any = SimpleNamespace(kube=Cluster(Deployment=[hub(1)], Namespace=[], Service=services))
    wanted: Any = SimpleNamespace(name="jupyterhub", version="4.4.0")
    rendered: Any = SimpleNamespace(chart=wanted, values=lambda *_: {})
    run[Access], run[Values] = reach, rendered
    anyio.run(chart.Chart().do, run, Wrong("something"))
    assert seen == done


def test_an_interrupted_release_is_recovered_only_after_its_volumes_are_kept_and_they_are_given_back(
    monkeypatch, state
):
    """Helm deletes the hub's claim with a release that was never deployed, and with the claim goes a volume of policy Delete."""
    done: list[str] = []

    def noted(what: str, result: Any = None) -> Any:
        async def act(*_: Any, **__: Any) -> Any:
            done.append(what)
            return result

        return act

    pending = InstalledRelease(1, "pending-install", "jupyterhub-4.4.0", "", {})
    monkeypatch.setattr(chart, "hub_release", noted("look", pending))
    monkeypatch.setattr("zerojhub.hub.release.difference", lambda *_: None)
    monkeypatch.setattr("zerojhub.hub.release.recover", noted("recover"))
    monkeypatch.setattr(chart, "keep", noted("keep"))
    monkeypatch.setattr(chart, "_helm", lambda run: None)
    monkeypatch.setattr(Volumes, "look", noted("find", Missing("to be given back")))
    monkeypatch.setattr(Volumes, "do", noted("give back"))
    monkeypatch.setattr(chart, "_install", noted("install"))
    monkeypatch.setattr(chart, "_wait", noted("wait"))
    run = Run(
        Deployment.model_validate({"name": "toy", "cloud": "c", "cluster": {"template": "t"}}), Progress(quiet=True)
    )
    reach: Any = SimpleNamespace(kube=Cluster(Deployment=[], Namespace=[], Service=[]))
    rendered: Any = SimpleNamespace(chart=SimpleNamespace(name="jupyterhub", version="4.4.0"), values=lambda *_: {})
    cluster: Any = {"uuid": "c1"}
    run[Access], run[Values], run[MagnumCluster] = reach, rendered, cluster
    anyio.run(chart.Chart().do, run, Missing("the release is pending-install"))
    assert done == ["look", "keep", "recover", "find", "give back", "install", "wait"]
