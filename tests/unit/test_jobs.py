"""Job manifests, and descriptions of a job's state. The objects are abridged API responses."""

from __future__ import annotations

from typing import Any

import pytest

from zerojhub.errors import UserError
from zerojhub.kube import jobs, manifests
from zerojhub.kube.jobs import Surroundings

START = "2026-01-01T10:00:00Z"


def job(spec=None, conditions=(), **status):
    listed = [{"type": kind, "status": "True", **more} for kind, more in conditions]
    return {
        "metadata": {"name": "crunch"}, "spec": {"completions": 1, "parallelism": 1, **(spec or {})},
        "status": {"startTime": START, "conditions": listed, **status},
    }  # fmt: skip


def pod(name="crunch-1", phase="Pending", ended=None, code=0, requests=None, **status):
    state = {"terminated": {"exitCode": code, "finishedAt": ended}} if ended else {}
    return {
        "metadata": {"name": name}, "spec": {"containers": [{"resources": {"requests": requests or {}}}]},
        "status": {"phase": phase, "containerStatuses": [{"name": "c", "image": "i", "state": state}], **status},
    }  # fmt: skip


def node(cpu, taints=()):
    return {"spec": {"taints": list(taints)}, "status": {"allocatable": {"cpu": cpu, "memory": "4Gi"}}}


def test_a_job_in_words():
    made = manifests.job(
        "pi", "perl:5.34", ["perl", "-e", "1"], env={"A": "b=c"}, cpu="500m", memory="1Gi", completions=8, parallelism=2
    )
    pod = made["spec"]["template"]["spec"]
    assert (made["spec"]["completions"], made["spec"]["parallelism"]) == (8, 2)
    assert pod["restartPolicy"] == "Never"
    container = pod["containers"][0]
    assert container["command"] == ["perl", "-e", "1"]
    assert container["env"] == [{"name": "A", "value": "b=c"}]
    assert container["resources"]["limits"] == container["resources"]["requests"] == {"cpu": "500m", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"name": "Pi"}, "'Pi' is not a valid name for a Job"),
        ({"name": "a" * 64}, "at most 63"),
        ({"name": None}, "a Job needs a name"),
        ({"image": None}, "--image: a job needs an image"),
        ({"cpu": "two"}, "--cpu: 'two' is not a valid quantity"),
        ({"memory": "1 GB"}, "--memory: '1 GB' is not a valid quantity"),
    ],
)
def test_words_that_make_no_job(words, said):
    given = {"name": "pi", "image": "perl", "command": [], "env": {}} | words
    with pytest.raises(UserError) as refused:
        manifests.job(given.pop("name"), given.pop("image"), given.pop("command"), **given)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("kind: CronJob\napiVersion: batch/v1\n", 1, "zerojhub cron create --from"),
        ("kind: Job\napiVersion: v1\n", 2, "that of a Job is batch/v1"),
        ("kind: Job\napiVersion: batch/v1\nspec: {}\n", 1, "metadata has no name"),
        ("kind: Job\napiVersion: batch/v1\nmetadata:\n  name: A_b\nspec: {}\n", 4, "'A_b' is not a valid name"),
        ("kind: Job\napiVersion: batch/v1\n---\nkind: Job\n", 3, "a single document"),
        ("- kind: Job\n", 1, "a Job is a mapping"),
        ("kind: Job\n  apiVersion: batch/v1\n", 2, "not valid YAML"),
    ],
)
def test_a_file_that_is_no_job_is_refused_with_its_line(tmp_path, text, line, said):
    (path := tmp_path / "job.yaml").write_text(text)
    with pytest.raises(UserError) as refused:
        manifests.read(path, "Job")
    assert str(refused.value).startswith(f"{path}:{line}: ")
    assert said in str(refused.value)


def test_pods_that_share_a_work_queue():
    template: Any = {}
    assert jobs.is_work_queue({"template": template, "parallelism": 3})
    assert not jobs.is_work_queue({"template": template, "parallelism": 3, "completions": 6})
    assert not jobs.is_work_queue({"template": template})


def test_how_far_a_job_is():
    now = jobs.row(job({"completions": 8}, active=2, succeeded=3, failed=1), [pod(phase="Running")])
    assert (now.state, now.counts()) == ("running", "2 active, 3 of 8 succeeded, 1 failed")
    done = jobs.row(job(None, [("Complete", {})], succeeded=1, completionTime="2026-01-01T10:01:05Z"), [])
    assert (done.state, done.seconds, done.detail) == ("complete", 65, "")


def test_a_failed_job_has_its_last_pod_s_reason():
    failure = {"reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}
    pods = [pod("crunch-1", "Failed", "2026-01-01T10:00:09Z", 3), pod("crunch-2", "Failed", "2026-01-01T10:00:05Z", 4)]
    failed = jobs.row(job(None, [("Failed", failure)]), pods)
    assert failed.state == "failed"
    assert failed.detail.endswith("pod crunch-1 (c) exited with code 3")


def test_a_pod_larger_than_any_worker_cannot_start():
    master = node("64", [{"effect": "NoSchedule"}])
    large = [pod(requests={"cpu": "3"})]
    now = jobs.row(job(), large, Surroundings(nodes=[master, node("2"), node("1500m")]))
    assert now.state == "cannot start"
    assert now.detail == "pod crunch-1 asks for 3 cpu, but the largest worker has 2"
    assert jobs.row(job(), large, Surroundings(nodes=[node("4")])).state == "running"


def test_a_pod_for_hardware_or_a_node_that_is_not_there_cannot_start():
    gpu = jobs.row(job(), [pod(requests={"nvidia.com/gpu": "1"})], Surroundings(nodes=[node("2")]))
    assert gpu.detail == "pod crunch-1 asks for 1 nvidia.com/gpu, but the largest worker has 0"

    def unscheduled(message):
        waiting = pod(conditions=[{"type": "PodScheduled", "status": "False", "message": message}])
        return jobs.row(job(), [waiting], Surroundings(nodes=[node("2")]))

    other = "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector."
    assert unscheduled(other).state == "cannot start"
    # Room may yet come, and a node that starts may yet be ready.
    assert unscheduled("0/2 nodes are available: 2 Insufficient cpu.").state == "running"
    assert unscheduled("0/2 nodes are available: 2 node(s) had untolerated taint(s).").state == "running"


def test_a_quota_that_allows_no_pod():
    said: Any = {
        "involvedObject": {"name": "crunch"}, "type": "Warning", "reason": "FailedCreate", "lastTimestamp": START,
        "message": "pods is forbidden: exceeded quota",
    }  # fmt: skip
    now = jobs.row(job(), [], Surroundings(events=[said]))
    assert (now.state, now.detail) == (
        "cannot start",
        "job crunch cannot create pods: pods is forbidden: exceeded quota",
    )
    # Its other pods run: it started.
    assert jobs.row(job(), [pod(phase="Running")], Surroundings(events=[said])).state == "running"


def test_a_claim_that_a_pod_of_the_job_waits_for():
    unbound: Any = {"metadata": {"name": "data"}, "spec": {}, "status": {"phase": "Pending"}}
    waiting = pod()
    waiting["spec"]["volumes"] = [{"persistentVolumeClaim": {"claimName": "data"}}]
    assert "no storage class" in jobs.row(job(), [waiting], Surroundings(claims=[unbound])).detail
    assert "data" not in jobs.row(job(), [pod()], Surroundings(claims=[unbound])).detail


def test_a_work_queue_tells_who_failed_when_no_new_pod_was_started_any_more():
    queue = job({"completions": None, "parallelism": 3}, [("Complete", {})], succeeded=1)
    pods = [
        pod("crunch-1", "Failed", "2026-01-01T10:00:02Z", 1),
        pod("crunch-2", "Succeeded", "2026-01-01T10:00:05Z"),
        pod("crunch-3", "Failed", "2026-01-01T10:00:09Z", 1),
    ]
    assert jobs.row(queue, pods).detail.startswith("crunch-3: failed after another pod had succeeded")
    assert jobs.row(queue, pods[:2]).detail == ""
