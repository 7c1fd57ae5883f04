"""Job manifests, and descriptions of a job's state. The objects are abridged API responses."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.unit.kubernetes import Cluster
from zerojhub.errors import UserError
from zerojhub.kube import creation, jobs, manifests
from zerojhub.kube.client import KubeError
from zerojhub.kube.jobs import Surroundings
from zerojhub.kube.kinds import JOB as JOB_KIND
from zerojhub.kube.rejections import explained

JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: crunch}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: crunch, image: busybox}]
"""
EXPORTED = """\
apiVersion: v1
kind: List
metadata: {resourceVersion: ""}
items:
- apiVersion: batch/v1
  kind: Job
  metadata:
    name: crunch
    namespace: default
    uid: 3dd
    resourceVersion: "12"
    generation: 1
    creationTimestamp: 2026-01-01T10:00:00Z
    managedFields: [{manager: kubectl}]
    annotations: {batch.kubernetes.io/job-tracking: "", kubectl.kubernetes.io/last-applied-configuration: "{}"}
    labels: {batch.kubernetes.io/controller-uid: 3dd, controller-uid: 3dd, job-name: crunch, course: physics}
    ownerReferences: [{apiVersion: batch/v1, kind: CronJob, name: nightly, uid: 4dd, controller: true}]
  spec:
    backoffLimit: 6
    selector: {matchLabels: {batch.kubernetes.io/controller-uid: 3dd}}
    template:
      metadata: {creationTimestamp: null, labels: {controller-uid: 3dd, job-name: crunch, course: physics}}
      spec: {}
  status: {startTime: 2026-01-01T10:00:00Z}
- apiVersion: v1
  kind: Pod
  metadata: {name: crunch-1, uid: 5dd, ownerReferences: [{kind: Job, name: crunch, uid: 3dd, controller: true}]}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: kube-root-ca.crt, uid: 6dd}}
- {apiVersion: v1, kind: ServiceAccount, metadata: {name: default, uid: 7dd}}
- {apiVersion: v1, kind: Secret, metadata: {name: t, uid: 8dd}, type: kubernetes.io/service-account-token}
- apiVersion: v1
  kind: PersistentVolumeClaim
  metadata:
    name: data
    uid: 9dd
    annotations: {pv.kubernetes.io/bind-completed: "yes"}
    finalizers: [kubernetes.io/pvc-protection]
  spec: {storageClassName: fast, volumeName: pvc-9dd}
  status: {phase: Bound}
- apiVersion: v1
  kind: Service
  metadata: {name: queue, uid: 10dd}
  spec: {clusterIP: 10.0.0.7, clusterIPs: [10.0.0.7], ports: [{port: 80}]}
- {apiVersion: v1, kind: Service, metadata: {name: headless, uid: 11dd}, spec: {clusterIP: None, clusterIPs: [None]}}
"""
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
        ("kind: Job\napiVersion: batch/v1\n---\nkind: Job\napiVersion: batch/v1\n", 4, "2 Jobs in one file"),
        ("- kind: Job\n", 1, "an object is a mapping"),
        ("", 1, "no Job in the file"),
        ("---\n# nothing\n---\n", 1, "no Job in the file"),
        ("kind: List\napiVersion: v1\nitems: []\n", 1, "no Job in the file"),
        ("kind: List\napiVersion: v1\nitems: true\n", 3, "items must be a list"),
        ("kind: Job\n", 1, "apiVersion is missing"),
        ("kind: [Job]\napiVersion: batch/v1\n", 1, "kind is missing or not a string"),
        ("kind: Job\napiVersion: batch/v1\nmetadata: {name: 2026.11}\nspec: {}\n", 3, "put it in quotes"),
        ("kind: Job\napiVersion: batch/v1\nmetadata: {name: a, labels: x}\nspec: {}\n", 3, "labels must be a mapping"),
        ("kind: Job\napiVersion: batch/v1\nmetadata: []\nspec: {}\n", 3, "metadata has no name"),
        ("kind: Job\napiVersion: batch/v1\nmetadata:\n  name: a..b\nspec: {}\n", 4, "'a..b' is not a valid name"),
        ("---\nkind: Secret\napiVersion: v1\nmetadata: {}\n---\n" + JOB, 4, "metadata has no name"),
        (JOB + "---\nkind: CronJob\napiVersion: batch/v1\n", 10, "a CronJob and a Job in one file"),
        ("kind: List\napiVersion: v1\nitems:\n- kind: Job\n  apiVersion: batch/v1\n- 7\n", 6, "an object is a mapping"),
        ("kind: Job\n  apiVersion: batch/v1\n", 2, "not valid YAML"),
    ],
)
def test_a_file_that_is_no_job_is_refused_with_its_line(tmp_path, text, line, said):
    (path := tmp_path / "job.yaml").write_text(text)
    with pytest.raises(UserError) as refused:
        manifests.read(path, "Job")
    assert str(refused.value).startswith(f"{path}:{line}: ")
    assert said in str(refused.value)


def read(tmp_path: Path, text: str, kind: str = "Job") -> manifests.Source:
    (path := tmp_path / "job.yaml").write_text(text)
    return manifests.read(path, kind)


def test_what_the_api_server_had_set_in_an_export_is_left_out(tmp_path):
    source = read(tmp_path, EXPORTED)
    assert source.manifest == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "crunch", "namespace": "default", "labels": {"course": "physics"}},
        "spec": {"backoffLimit": 6, "template": {"metadata": {"labels": {"course": "physics"}}, "spec": {}}},
    }
    claim, service, headless = (each.manifest for each in source.needs)
    assert claim["spec"] == {"storageClassName": "fast"}
    assert claim["metadata"] == {"name": "data"}
    assert service["spec"] == {"ports": [{"port": 80}]}
    assert headless["spec"] == {"clusterIP": "None"}


def test_what_a_manifest_sets_itself_is_kept(tmp_path):
    text = JOB + "---\nkind: PersistentVolumeClaim\napiVersion: v1\nmetadata: {name: data}\nspec: {volumeName: pv1}\n"
    assert read(tmp_path, text).needs[0].manifest["spec"] == {"volumeName": "pv1"}
    labels = "{controller-uid: abc}"
    text = JOB.replace("  template:\n", f"  manualSelector: true\n  selector: {{matchLabels: {labels}}}\n  template:\n")
    text = text.replace("    spec:\n", f"    metadata: {{labels: {labels}}}\n    spec:\n")
    spec = read(tmp_path, text).manifest["spec"]
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"] == {"controller-uid": "abc"}


@pytest.mark.parametrize("size", ["two", "1.2.3", "."])
def test_what_is_no_quantity_is_reported_with_its_line(tmp_path, size):
    source = read(tmp_path, JOB.replace("busybox", f"busybox,\n        resources: {{limits: {{cpu: {size}}}}}"))
    refused = explained(KubeError("quantities must match the regular expression", status=400), source)
    place = "spec.template.spec.containers[0].resources.limits.cpu"
    assert str(refused) == f"{tmp_path}/job.yaml:9: {place}: '{size}' is not a quantity (such as 500m or 1Gi)"


def test_the_objects_of_a_file_are_in_documents_and_lists(tmp_path):
    text = "---\n# none\n---\n" + JOB + "---\nkind: SecretList\napiVersion: v1\nitems: [{metadata: {name: s}}]\n---\n"
    source = read(tmp_path, text)
    assert [str(each) for each in (source, *source.needs)] == ["Job crunch", "Secret s"]
    assert source.where("spec") == f"{tmp_path / 'job.yaml'}:7"
    assert source.needs[0].where("metadata", "name") == f"{tmp_path / 'job.yaml'}:15"


def test_modes_are_octal_and_dates_text_as_kubectl_reads_them(tmp_path):
    text = JOB.replace("name: crunch}", "name: crunch, annotations: {since: 2026-01-01}}", 1)
    source = read(
        tmp_path, text.replace("restartPolicy", "volumes: [{secret: {defaultMode: 0744}}]\n      restartPolicy")
    )
    assert source.manifest["spec"]["template"]["spec"]["volumes"][0]["secret"]["defaultMode"] == 0o744
    assert source.manifest["metadata"]["annotations"] == {"since": "2026-01-01"}


def test_a_manifest_in_json_and_one_on_standard_input(tmp_path, monkeypatch):
    data = json.dumps({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {}}, indent="\t")
    assert read(tmp_path, data).name == "j"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(JOB.replace("Job", "CronJob").encode())))
    with pytest.raises(UserError, match="stdin:2: kind is 'CronJob', expected 'Job'"):
        manifests.read(Path("-"), "Job")


def test_a_long_name_is_cut_in_the_names_of_pods(tmp_path):
    def is_cut(name: str, kind: str = "Job") -> bool:
        text = JOB.replace("Job", kind).replace("name: crunch}", f"name: {name}}}", 1)
        return read(tmp_path, text, kind).has_long_name()

    assert [is_cut("x" * length) for length in (57, 58)] == [False, True]
    assert [is_cut("x" * length, "CronJob") for length in (48, 49)] == [False, True]


def test_the_container_of_a_job_with_dots_in_its_name_has_a_legal_name():
    made = manifests.job("backup-2026.11", "busybox", [], env={})
    assert made["metadata"]["name"] == "backup-2026.11"
    assert made["spec"]["template"]["spec"]["containers"][0]["name"] == "backup-2026-11"


class Refusing(Cluster):
    """Accepts everything in a dry run, and rejects the kind `no` after it."""

    def __init__(self, no: str) -> None:
        super().__init__()
        self.no, self.made = no, list[str]()

    async def resource(self, version, kind):
        return {"name": kind.lower() + "s", "kind": kind, "namespaced": True}

    async def create(self, kind, manifest, *, dry_run=False):
        if not dry_run:
            self.made.append(manifest["kind"])
            if manifest["kind"] == self.no:
                raise KubeError("exceeded quota", status=403)
        return manifest | {"metadata": manifest["metadata"] | {"uid": "u"}}

    async def merge(self, kind, name, namespace, change):
        if self.no == "ownerReferences":
            raise KubeError("no", status=500)


@pytest.mark.parametrize(
    ("no", "made"),
    [
        ("Secret", []),
        ("Job", ["pod", "config", "secret"]),
        ("ownerReferences", ["crunch", "pod", "config", "secret"]),
    ],
)
def test_nothing_is_left_of_a_file_of_which_something_is_refused(tmp_path, no, made):
    needs = "".join(
        f"---\n{{apiVersion: v1, kind: {kind}, metadata: {{name: {name}}}}}\n"
        for kind, name in (("Pod", "pod"), ("ConfigMap", "config"), ("Secret", "secret"))
    )
    cluster, source = Refusing(no), read(tmp_path, JOB + needs)
    with pytest.raises(KubeError):
        anyio.run(creation.create, cluster, JOB_KIND, source, "default")
    assert cluster.deleted == made
    assert cluster.made[:1] == ["Secret"]


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
