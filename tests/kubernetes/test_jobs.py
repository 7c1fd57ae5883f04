"""Jobs and cron jobs from files, with what the API server and its controllers make of them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kubernetes.conftest import Kubernetes
from tests.waiting import until
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.kube import creation, follow, jobs, manifests
from zerojhub.kube.crons import Crons
from zerojhub.kube.follow import JobFailed
from zerojhub.kube.kinds import JOB

JOB_FILE = """\
apiVersion: batch/v1
kind: Job
metadata: {name: crunch, labels: {course: physics}}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      serviceAccountName: worker
      volumes: [{name: settings, configMap: {name: settings, defaultMode: 0744}}]
      containers: [{name: c, image: busybox}]
"""
NEEDS = """\
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {a: "1"}}
- apiVersion: v1
  kind: PersistentVolumeClaim
  metadata: {name: data}
  spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: worker}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: worker}
subjects: [{kind: ServiceAccount, name: worker}]
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: worker}, rules: []}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: worker}}
---
{apiVersion: v1, kind: Secret, metadata: {name: word}, stringData: {a: b}}
---
"""
CRON = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly"}}
KINDS = ("job", "cronjob", "pod", "cm", "pvc", "secret", "sa", "role", "rolebinding")
NEEDED = {
    "ConfigMap/settings",
    "PersistentVolumeClaim/data",
    "Role/worker",
    "RoleBinding/worker",
    "Secret/word",
    "ServiceAccount/worker",
}
ALWAYS = {"ConfigMap/kube-root-ca.crt", "ServiceAccount/default"}


def silent(text: str) -> None:
    pass


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (path := tmp_path / "job.yaml").write_text(JOB_FILE + NEEDS)
    return path


def create(kubernetes: Kubernetes, path: Path, namespace: str) -> Any:
    source = manifests.read(path, "Job")
    return kubernetes.use(lambda kube: creation.create(kube, JOB, source, namespace))


def left(kubernetes: Kubernetes, namespace: str) -> set[str]:
    return kubernetes.names(*KINDS, namespace=namespace) - ALWAYS


def test_a_job_is_deleted_with_what_its_file_created(kubernetes: Kubernetes, namespace: str, path: Path) -> None:
    for _ in range(2):
        job = create(kubernetes, path, namespace)
        assert job["spec"]["template"]["spec"]["volumes"][0]["configMap"]["defaultMode"] == 0o744
        assert {each for each in left(kubernetes, namespace) if "crunch" not in each} == NEEDED
        kubernetes.use(lambda kube: jobs.delete(kube, namespace, "crunch", silent))
        # All of it is gone, so that the file can be used again at once.
        assert left(kubernetes, namespace) == set()


def test_others_that_delete_a_job_delete_what_its_file_created(
    kubernetes: Kubernetes, namespace: str, path: Path
) -> None:
    create(kubernetes, path, namespace)
    kubernetes.kubectl("delete", "job", "crunch", "-n", namespace)
    until(lambda: not left(kubernetes, namespace), pause=0.2)


def test_what_kubectl_exports_can_be_created_again(kubernetes: Kubernetes, namespace: str, path: Path) -> None:
    create(kubernetes, path, namespace)
    kubernetes.end_pods("crunch", namespace)
    until(lambda: kubernetes.get("job", "crunch", namespace)["status"].get("succeeded"), pause=0.2)
    for form in ("yaml", "json"):
        for kinds in (("job",), KINDS):
            exported = kubernetes.kubectl("get", ",".join(kinds), "-n", namespace, "-o", form)
            kubernetes.use(lambda kube: jobs.delete(kube, namespace, "crunch", silent))
            path.write_text(exported)
            job = create(kubernetes, path, namespace)
            assert job["metadata"]["labels"] == {"course": "physics"}
            assert "succeeded" not in job["status"]
            expected = NEEDED if kinds == KINDS else set()
            assert {each for each in left(kubernetes, namespace) if "crunch" not in each} == expected
            if kinds != KINDS:
                kubernetes.kubectl("delete", "job", "crunch", "-n", namespace)
                path.write_text(JOB_FILE + NEEDS)
                create(kubernetes, path, namespace)


def test_nothing_is_left_if_one_object_is_refused(kubernetes: Kubernetes, namespace: str, path: Path) -> None:
    wrong = path.read_text().replace("image:", "imagee:").replace("accessModes", "accessModez")
    path.write_text(wrong)
    with pytest.raises(UserError) as refused:
        create(kubernetes, path, namespace)
    lines = wrong.splitlines()
    at = [next(number for number, line in enumerate(lines, 1) if word in line) for word in ("imagee", "accessModez")]
    assert str(refused.value).splitlines() == [
        f"{path}:{at[0]}: unknown field 'spec.template.spec.containers[0].imagee'",
        f"{path}:{at[1]}: unknown field 'spec.accessModez'",
    ]
    assert left(kubernetes, namespace) == set()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "env: [{name: a, value: x}, {name: b, value: 5}]",
            ".env[1].value must be of type string, not number (put it in",
        ),
        ("env: [{name: a, value: yes}]", ".env[0].value must be of type string, not bool (put it in quotes)"),
        ("command: sleep 5", ".command must be of type []string, not string"),
        ('ports: [{containerPort: "80"}]', ".ports[0].containerPort must be of type int32, not string"),
        ("resources: {limits: {cpu: two}}", ".resources.limits.cpu: 'two' is not a quantity (such as 500m or 1Gi)"),
        ("colour: red", "unknown field 'spec.template.spec.containers[1].colour'"),
    ],
)
def test_a_value_that_is_refused_comes_with_its_line(
    kubernetes: Kubernetes, namespace: str, path: Path, line: str, said: str
) -> None:
    path.write_text(
        JOB_FILE.replace("[{name: c, image: busybox}]", f"\n      - name: b\n      - name: c\n        {line}\n")
    )
    with pytest.raises(UserError) as refused:
        create(kubernetes, path, namespace)
    assert str(refused.value).startswith(f"{path}:{len(JOB_FILE.splitlines()) + 3}: ")
    assert said in str(refused.value)


def test_nothing_is_taken_over(kubernetes: Kubernetes, namespace: str, path: Path) -> None:
    kubernetes.kubectl("create", "configmap", "settings", "-n", namespace)
    with pytest.raises(UserError, match=r'configmaps "settings" already exists \(leave it out of the file to use it'):
        create(kubernetes, path, namespace)
    assert left(kubernetes, namespace) == {"ConfigMap/settings"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("{apiVersion: v1, kind: Namespace, metadata: {name: other}}", "a Namespace is in no namespace"),
        (
            "{apiVersion: example.org/v1, kind: Potato, metadata: {name: p}}",
            "the cluster has no Potato in example.org/v1",
        ),
        ("{apiVersion: v1, kind: Potato, metadata: {name: p}}", "the cluster has no Potato in v1"),
        ("{apiVersion: v1, kind: Secret, metadata: {name: p, namespace: other}}", "its namespace is other, not t"),
    ],
)
def test_what_cannot_belong_to_a_job_is_refused(
    kubernetes: Kubernetes, namespace: str, path: Path, more: str, said: str
) -> None:
    path.write_text(f"{JOB_FILE}---\n{more}\n")
    with pytest.raises(UserError, match=said) as refused:
        create(kubernetes, path, namespace)
    assert refused.value.where == f"{path}:{len(JOB_FILE.splitlines()) + 2}"
    assert left(kubernetes, namespace) == set()


@pytest.mark.parametrize("code", [0, 3])
def test_a_job_that_is_deleted_as_soon_as_it_has_ended(
    kubernetes: Kubernetes, namespace: str, path: Path, code: int
) -> None:
    path.write_text(path.read_text().replace("backoffLimit: 0", "backoffLimit: 0\n  ttlSecondsAfterFinished: 0"))
    job = create(kubernetes, path, namespace)
    kubelet = threading.Thread(target=kubernetes.end_pods, args=("crunch", namespace), kwargs={"code": code})
    kubelet.start()
    if code:
        with pytest.raises(JobFailed, match=r"failed: BackoffLimitExceeded: .* exited with code 3"):
            kubernetes.use(lambda kube: follow.wait(kube, job, silent))
    else:
        assert kubernetes.use(lambda kube: follow.wait(kube, job, silent)).state == "complete"
    kubelet.join()
    until(lambda: not left(kubernetes, namespace), pause=0.2)


def test_a_job_that_is_deleted_while_it_runs_has_not_succeeded(
    kubernetes: Kubernetes, namespace: str, path: Path
) -> None:
    job = create(kubernetes, path, namespace)
    # Keeps the job while its pods end.
    kubernetes.kubectl("patch", "cm", "settings", "-n", namespace, "-p", '{"metadata": {"finalizers": ["a.io/b"]}}')
    kubernetes.kubectl("delete", "job", "crunch", "-n", namespace, "--cascade=foreground", "--wait=false")
    with pytest.raises(ZeroJHubError, match=r"job crunch in namespace t[0-9]+ was deleted before it ended"):
        kubernetes.use(lambda kube: follow.wait(kube, job, silent))
    kubernetes.kubectl("patch", "cm", "settings", "-n", namespace, "-p", '{"metadata": {"finalizers": null}}')


@pytest.mark.parametrize(
    "name",
    [
        "backup-2026.11",
        "a",
        "1",
        "a.b.c",
        "x" * 63,
        "x" * 64,
        "a..b",
        ".a",
        "a.",
        "a-.b",
        "a.-b",
        "A",
        "a_b",
        "-a",
        "a-",
        "ä",
    ],
)
@pytest.mark.parametrize("kind", ["Job", "CronJob"])
def test_names_are_legal_here_if_they_are_there(kubernetes: Kubernetes, tmp_path: Path, kind: str, name: str) -> None:
    spec: dict[str, Any] = {
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
    }
    if kind == "CronJob":
        spec, name = {"schedule": "0 0 * * *", "jobTemplate": {"spec": spec}}, name[:-11] if len(name) > 60 else name
    manifest = {"apiVersion": "batch/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    (path := tmp_path / "job.yaml").write_text(yaml.safe_dump(manifest))
    says = kubernetes.kubectl("create", "--dry-run=server", "-f", str(path), code=None)
    try:
        manifests.read(path, kind)
    except UserError:
        assert not says
    else:
        assert says


def test_a_name_that_the_api_server_generates(kubernetes: Kubernetes, namespace: str, path: Path) -> None:
    path.write_text(path.read_text().replace("{name: crunch", "{generateName: crunch-"))
    name = create(kubernetes, path, namespace)["metadata"]["name"]
    assert name.startswith("crunch-")
    kubernetes.use(lambda kube: jobs.delete(kube, namespace, name, silent))
    assert left(kubernetes, namespace) == set()


def test_a_cron_job_is_deleted_with_what_its_file_created(kubernetes: Kubernetes, namespace: str, path: Path) -> None:
    template = yaml.safe_load(JOB_FILE)["spec"]
    cron = CRON | {"spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": template}}}
    path.write_text(yaml.safe_dump(cron) + NEEDS)
    source = manifests.read(path, "CronJob")
    kubernetes.use(lambda kube: Crons(kube, namespace, (1, 34)).create(source))
    kubernetes.use(lambda kube: Crons(kube, namespace, (1, 34)).run("nightly"))
    exported = kubernetes.kubectl("get", ",".join(KINDS), "-n", namespace, "-o", "yaml")
    assert {each for each in left(kubernetes, namespace) if "nightly" not in each} == NEEDED
    kubernetes.use(lambda kube: Crons(kube, namespace, (1, 34)).delete("nightly", silent))
    assert left(kubernetes, namespace) == set()
    # The export has the jobs and pods that the cron job's controller had created, and will create again.
    path.write_text(exported)
    source = manifests.read(path, "CronJob")
    kubernetes.use(lambda kube: Crons(kube, namespace, (1, 34)).create(source))
    assert left(kubernetes, namespace) == {"CronJob/nightly", *NEEDED}
