"""The chart stage while Helm is at work: hooks are waited for, an API that does not answer Helm is not."""

from __future__ import annotations

import contextlib
import itertools
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from tests.unit.kubernetes import Cluster
from zerojhub.deployment import Deployment
from zerojhub.report import Progress
from zerojhub.retry import OutcomeUnknown
from zerojhub.run import Run
from zerojhub.stages import chart
from zerojhub.stages.access import Access


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
