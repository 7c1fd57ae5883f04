"""Following jobs to the end, their logs, and the jobs of cron jobs, in an in-memory cluster."""

from __future__ import annotations

from datetime import UTC, datetime

import anyio
import pytest

from tests.unit.kubernetes import Cluster
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.kube import follow, jobs
from zerojhub.kube.crons import Crons
from zerojhub.kube.follow import JobFailed
from zerojhub.kube.manifests import Source, cron_job
from zerojhub.kube.manifests import job as job_manifest

START = "2026-01-01T10:00:00Z"


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch):
    monkeypatch.setattr(follow, "PAUSE", 0.01)


def silent(text):
    pass


def job(name="crunch", owner=None, created=START, conditions=(), **status):
    meta = {"name": name, "namespace": "default", "uid": f"uid-{name}", "creationTimestamp": created}
    owners = [{"kind": "CronJob", "uid": owner}] if owner else []
    listed = [{"type": kind, "status": "True", **more} for kind, more in conditions]
    return {
        "metadata": meta | {"ownerReferences": owners},
        "spec": {"completions": 1},
        "status": {"startTime": START, "conditions": listed, **status},
    }


def pod(phase="Running", state=None, restarts=0, name="crunch-1", of="crunch"):
    container = {"name": "c", "image": "i", "restartCount": restarts, "state": state or {}}
    return {
        "metadata": {
            "name": name, "namespace": "default", "labels": {"job-name": of}, "uid": name, "creationTimestamp": START,
        },
        "spec": {"containers": [{"name": "c", "image": "i"}]},
        "status": {"phase": phase, "containerStatuses": [container] if state is not None else []},
    }  # fmt: skip


COMPLETE: tuple[str, dict[str, str]] = ("Complete", {})
FAILED = ("Failed", {"reason": "BackoffLimitExceeded", "message": "too often", "lastTransitionTime": START})
CRASHED = {"terminated": {"exitCode": 3, "finishedAt": START}}


def wait(cluster, say=silent, log=None):
    return anyio.run(lambda: follow.wait(cluster, job(), say, log))


def then(cluster, looks, **objects):
    """Replace the cluster's objects after that many list requests."""
    seen = []

    def look():
        seen.append(1)
        if len(seen) == looks:
            cluster.objects.update(objects)

    cluster.before_list = look


def test_a_job_is_waited_for_until_it_is_complete():
    said: list[str] = []
    cluster = Cluster(Job=[job(active=1)], Pod=[pod()])
    then(cluster, 3, Job=[job(conditions=[COMPLETE], succeeded=1)], Pod=[pod("Succeeded")])
    end = wait(cluster, said.append)
    assert (end.state, end.succeeded) == ("complete", 1)
    assert said == ["1 active, 0 of 1 succeeded, 0 failed"]


def test_a_failed_job_comes_with_the_reason_of_its_pod_and_its_log():
    cluster = Cluster(Job=[job(conditions=[FAILED], failed=1)], Pod=[pod("Failed", CRASHED)])
    with pytest.raises(JobFailed) as failure:
        wait(cluster)
    assert str(failure.value).splitlines() == [
        "job crunch in namespace default failed: BackoffLimitExceeded: too often: pod crunch-1 (c) exited with code 3",
        "    crunch-1/c",
    ]
    assert failure.value.job.state == "failed"


def test_the_reason_of_a_pod_that_is_gone_when_its_job_fails_is_kept():
    cluster = Cluster(Job=[job(active=1)], Pod=[pod("Running", CRASHED, restarts=2)])
    then(cluster, 5, Job=[job(conditions=[FAILED], failed=1)], Pod=[])
    with pytest.raises(JobFailed, match=r"too often: pod crunch-1 \(c\) exited with code 3, 3 times so far"):
        wait(cluster)


def test_a_job_that_cannot_start_is_waited_for_as_long_as_that_may_pass(monkeypatch):
    monkeypatch.setattr(follow, "PATIENCE", 0)
    pull = {"waiting": {"reason": "ErrImagePull", "message": "not found"}}
    said: list[str] = []
    with pytest.raises(
        JobFailed, match="crunch in namespace default cannot start: pod crunch-1 cannot pull image i: not found"
    ):
        wait(Cluster(Job=[job(active=1)], Pod=[pod("Pending", pull)]), said.append)
    assert said == ["1 active, 0 of 1 succeeded, 0 failed: pod crunch-1 cannot pull image i: not found"]


def test_a_job_that_is_suspended_or_deleted_is_not_waited_for():
    suspended = job()
    suspended["spec"]["suspend"] = True
    with pytest.raises(JobFailed, match="job crunch in namespace default is suspended: its spec has suspend: true"):
        wait(Cluster(Job=[suspended]))


def test_a_job_that_is_gone_has_ended_as_the_watch_saw_it():
    with pytest.raises(ZeroJHubError, match="job crunch in namespace default was deleted before it ended"):
        wait(Cluster(Job=[]))
    cluster = Cluster(Job=[], Pod=[])
    cluster.changes["Job"] = [job(active=1), job(conditions=[COMPLETE], succeeded=1)]
    assert wait(cluster).succeeded == 1
    cluster.changes = {"Job": [job(conditions=[FAILED], failed=1)], "Pod": [pod("Failed", CRASHED)]}
    lines = []
    with pytest.raises(JobFailed, match=r"too often: pod crunch-1 \(c\) exited with code 3"):
        wait(cluster, log=lambda source, line: lines.append(line))
    assert lines == ["crunch-1/c"]


def test_the_logs_of_a_job_are_those_of_its_containers_that_have_started():
    lines = []
    running, waiting = pod(state={"running": {}}), pod("Pending", {"waiting": {}}, name="crunch-2")
    cluster = Cluster(Job=[job()], Pod=[running, waiting])
    anyio.run(follow.logs, cluster, "default", "crunch", lambda source, line: lines.append((source, line)))
    assert lines == [("crunch-1", "crunch-1/c")]
    cluster.objects["Pod"] = [waiting]
    with pytest.raises(ZeroJHubError, match="no pod of job crunch has a log: pod crunch-2 is starting"):
        anyio.run(follow.logs, cluster, "default", "crunch", lambda source, line: None)


def test_the_pods_of_deleted_jobs_are_waited_for_and_named_when_they_stay(monkeypatch):
    said: list[str] = []
    cluster = Cluster(Pod=[pod(), pod(name="other-1", of="other")])
    then(cluster, 2, Pod=[pod(name="other-1", of="other")])
    anyio.run(jobs.wait_for_pods, cluster, "default", {"crunch"}, said.append)
    assert said == ["waiting for 1 pod to end"]
    monkeypatch.setattr(jobs, "GRACE", 0)
    with pytest.raises(ZeroJHubError, match="other-1 did not end within 0 s"):
        anyio.run(jobs.wait_for_pods, cluster, "default", {"other"}, silent)


# -- cron jobs ----------------------------------------------------------------------------------------------------------


def cron(name="nightly", suspend=False, **status):
    return {
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", "creationTimestamp": START},
        "spec": {
            "schedule": "30 2 * * *",
            "suspend": suspend,
            "jobTemplate": {"spec": job_manifest("x", "i", [], env={})},
        },
        "status": status,
    }


def crons(version=(1, 34), **objects):
    return Crons(Cluster(**objects), "default", version)


RUNS = [
    job("nightly-2", owner="uid-nightly", created="2026-01-03T02:30:00Z", conditions=[FAILED]),
    job("nightly-1", owner="uid-nightly", created="2026-01-02T02:30:00Z", conditions=[COMPLETE]),
    job("other-1", owner="uid-other", created="2026-01-04T02:30:00Z"),
]


def test_a_cron_job_is_listed_with_its_last_and_next_run():
    (row,) = anyio.run(crons(CronJob=[cron(active=[{}])], Job=list(RUNS)).listed)
    assert (row.name, row.words, row.suspended, row.active) == ("nightly", "at 02:30 every day", False, 1)
    assert (row.last_run, row.last_state) == ("2026-01-03T02:30:00Z", "failed")
    assert datetime.fromisoformat(row.next_run) > datetime.now(UTC)
    (row,) = anyio.run(crons(CronJob=[cron(suspend=True, lastScheduleTime=START)]).listed)
    assert (row.suspended, row.last_run, row.last_state, row.next_run) == (True, START, None, None)


def test_the_run_of_a_cron_job_is_its_last_one_or_the_named_one():
    own = crons(CronJob=[cron(), cron("new")], Job=list(RUNS))
    assert anyio.run(own.run_of, "nightly", None)["metadata"]["name"] == "nightly-2"
    assert anyio.run(own.run_of, "nightly", "nightly-1")["metadata"]["name"] == "nightly-1"
    with pytest.raises(UserError, match="nightly has no job named 'other-1'"):
        anyio.run(own.run_of, "nightly", "other-1")
    with pytest.raises(UserError, match="new has not run yet"):
        anyio.run(own.run_of, "new", None)
    with pytest.raises(UserError, match="no cron job named 'nigtly' in default"):
        anyio.run(own.find, "nigtly")


def test_a_cron_job_is_deleted_with_its_own_jobs_alone():
    own = crons(CronJob=[cron()], Job=list(RUNS))
    assert anyio.run(own.delete, "nightly", silent) == ["nightly-1", "nightly-2"]
    assert [each["metadata"]["name"] for each in own.kube.objects["Job"]] == ["other-1"]


def test_the_api_of_cron_jobs_and_their_time_zones_depend_on_the_version_of_kubernetes():
    assert crons((1, 20)).kind == "batch/v1beta1/CronJob"
    assert crons((1, 21)).kind == "batch/v1/CronJob"
    manifest = cron_job("nightly", "30 2 * * *", "Europe/London", job_manifest("x", "i", [], env={}))
    with pytest.raises(UserError, match=r"Kubernetes 1\.24 does not support time zones for cron jobs"):
        anyio.run(crons((1, 24)).create, Source(manifest))
