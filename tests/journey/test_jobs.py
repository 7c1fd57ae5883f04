"""Jobs and cron jobs on the command line, on a cluster with SSH access and on one with only its API."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import mpmath
import pytest
from kubernetes import client, config
from kubernetes.client import ApiException

from tests.conftest import PROGRAM, Shell
from tests.waiting import until
from zerojhub.errors import UserError
from zerojhub.kube import schedule

HUB = """
name: over-ssh
cloud: practice
cluster: {template: kubernetes-v1.34.4, workers: 1}
hub: {chart: embedded, open_to_anyone: true}
"""
API = "by-api"
HERE = ("--cluster", API)
BAD = """\
apiVersion: batch/v1
kind: Job
metadata: {name: bad}
spec:
  completions: two
  template:
    spec:
      containers:
        - name: bad
          imagee: busybox
"""
GREET = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: words, uid: 3dd, resourceVersion: "7", creationTimestamp: 2026-01-01T00:00:00Z}
data: {greet.sh: "[ $(stat -Lc %a $0) = 744 ] && echo hello"}
---
apiVersion: batch/v1
kind: Job
metadata: {name: greet.2026}
spec:
  ttlSecondsAfterFinished: 0
  template:
    spec:
      restartPolicy: Never
      volumes: [{name: words, configMap: {name: words, defaultMode: 0744}}]
      containers:
        - {name: c, image: busybox, command: [sh, /words/greet.sh], volumeMounts: [{name: words, mountPath: /words}]}
---
"""
QUEUE = """\
apiVersion: batch/v1
kind: Job
metadata: {name: queue}
spec:
  parallelism: 3
  template:
    spec:
      restartPolicy: Never
      volumes: [{name: queue, hostPath: {path: /var/tmp/queue, type: DirectoryOrCreate}}]
      containers:
        - name: worker
          image: busybox
          volumeMounts: [{name: queue, mountPath: /queue}]
          # One of them gets the only piece of work; the others end badly, later.
          command: [sh, -c, "mkdir /queue/taken || { sleep 5; exit 4; }"]
"""


@pytest.fixture(scope="module")
def shell(cloud: Shell):
    """The practice cloud with two clusters: the one in hub.yaml, with SSH access, and `by-api`, without."""
    (cloud.folder / "hub.yaml").write_text(HUB)
    cloud.openstack("keypair", "create", "--private-key", str(cloud.folder / "key"), "mine")
    create = ["cluster", "create", API, "--template", "kubernetes-v1.34.4-capi", "--keypair", "mine", "--no-wait"]
    cloud.zerojhub(*create)
    for stage in ("keypair", "cluster", "floating-ip", "access"):
        cloud.zerojhub("up", "--only", stage)
    until(lambda: cloud.json("cluster", "show", API)["status"] == "CREATE_COMPLETE")
    cloud.zerojhub("cluster", "kubeconfig", API, "--to", "kubeconfig")
    return cloud


@pytest.fixture(scope="module")
def kube(shell: Shell) -> client.ApiClient:
    """The cluster `by-api`, through the official Kubernetes client."""
    return config.new_client_from_config(str(shell.folder / "kubeconfig"))


@pytest.fixture(scope="module")
def every_minute(shell: Shell) -> dict:
    """A cron job that runs every minute, created early so that the tests need not wait for it."""
    words = ["--schedule", "* * * * *", "--image", "busybox", *HERE, "--", "echo", "hello"]
    return json.loads(shell.zerojhub("-o", "json", "cron", "create", "hello", *words).stdout)


def pods(kube: client.ApiClient, job: str) -> list:
    return client.CoreV1Api(kube).list_namespaced_pod("default", label_selector=f"job-name={job}").items


def jobs(kube: client.ApiClient) -> set[str]:
    return {job.metadata.name for job in client.BatchV1Api(kube).list_namespaced_job("default").items}


def events(kube: client.ApiClient, name: str) -> list[str]:
    """What Kubernetes says about an object."""
    listed = client.CoreV1Api(kube).list_namespaced_event("default", field_selector=f"involvedObject.name={name}")
    return [event.message for event in listed.items]


def test_two_thousand_digits_of_pi(every_minute, shell: Shell):
    words = ["--image", "perl:5.34", "--logs", "--", "perl", "-Mbignum=bpi", "-wle", "print bpi(2000)"]
    digits = shell.zerojhub("job", "run", "pi", *words).stdout.strip()
    with mpmath.workdps(2020):
        assert digits == mpmath.nstr(mpmath.pi, 2000)
    assert shell.zerojhub("job", "logs", "pi").stdout.strip() == digits
    (row,) = shell.json("job", "list")
    assert (row["name"], row["state"], row["completions"]) == ("pi", "complete", "1/1")
    assert "no job named 'pie' in default (did you mean 'pi'?)" in shell.zerojhub("job", "logs", "pie", code=2).stderr
    again = shell.zerojhub("job", "run", "pi", *words, code=2).stderr
    assert "already exists (delete it with zerojhub job delete" in again
    assert "confirm with --yes" in shell.zerojhub("job", "delete", "pi", code=2).stderr
    shell.zerojhub("job", "delete", "pi", "--yes")
    assert shell.json("job", "list") == []


def test_several_at_once_are_counted_and_told_apart(shell: Shell, kube):
    words = ["--image", "busybox", "--completions", "3", "--parallelism", "3", "--env", "WHO=a=b", "--memory", "32Mi"]
    done = shell.zerojhub("job", "run", "three", *words, "--logs", *HERE, "--", "sh", "-c", "echo I am $WHO")
    names = {pod.metadata.name for pod in pods(kube, "three")}
    assert len(names) == 3
    assert set(done.stdout.splitlines()) == {f"{name} | I am a=b" for name in names}
    limits = pods(kube, "three")[0].spec.containers[0].resources.limits
    assert limits == {"memory": "32Mi"}
    lines = shell.json("job", "logs", "three", *HERE)
    assert {line["source"] for line in lines} == names
    shell.zerojhub("job", "delete", "three", "--yes", *HERE)
    assert pods(kube, "three") == []


def test_a_work_queue_is_explained_and_what_it_may_have_left_is_said(shell: Shell):
    (shell.folder / "queue.yaml").write_text(QUEUE)
    done = shell.zerojhub("job", "run", "--from", "queue.yaml", "--wait", *HERE)
    assert done.stderr.startswith("queue is a work queue: 3 pods without a number of completions.")
    assert "job queue is complete: 1 succeeded" in done.stdout
    assert re.search(r"warning: queue-\w+, queue-\w+: failed after another pod had succeeded", done.stderr)


@pytest.mark.parametrize("place", [(), HERE], ids=["over-ssh", "by-api"])
def test_a_job_comes_and_goes_with_what_is_in_its_file(shell: Shell, place: tuple[str, ...]):
    (shell.folder / "greet.yaml").write_text(GREET)
    create = ["job", "run", "--from", "greet.yaml", *place]
    # It is deleted as soon as it has ended, and its settings with it, so that the next one finds nothing.
    for wait in ("--wait", "--logs"):
        done = shell.zerojhub(*create, wait)
        if wait == "--wait":
            assert "job greet.2026 is complete: 1/1 succeeded" in done.stdout
        else:
            assert done.stdout.splitlines()[:1] == ["hello"]
        until(lambda: "no job named" in shell.zerojhub("job", "logs", "greet.2026", *place, code=2).stderr)
    (shell.folder / "greet.yaml").write_text(GREET.replace("ttlSecondsAfterFinished: 0", "backoffLimit: 1"))
    for _ in range(2):
        shell.zerojhub(*create)
        shell.zerojhub("job", "delete", "greet.2026", "--yes", *place)


def test_a_bad_file_is_refused_with_its_lines_and_makes_nothing(shell: Shell, kube):
    def refused(text: str, *more: str) -> str:
        (shell.folder / "bad.yaml").write_text(text)
        return shell.zerojhub("job", "run", "--from", "bad.yaml", *HERE, *more, code=2).stderr

    assert "bad.yaml:5: spec.completions must be of type int32, not string" in refused(BAD)
    # What the API server says of a field, and of a value.
    known = BAD.replace("two", "-2")
    assert "bad.yaml:10: unknown field 'spec.template.spec.containers[0].imagee'" in refused(known)
    said = refused(known.replace("imagee", "image"))
    assert "bad.yaml:5: spec.completions: Invalid value: -2" in said
    assert "bad.yaml:7: spec.template.spec.restartPolicy: Required value" in said
    assert 'namespaces "nowhere" not found' in refused(QUEUE, "-n", "nowhere")
    assert "--from cannot be combined" in refused(BAD, "--image", "busybox")
    jobs = client.BatchV1Api(kube).list_job_for_all_namespaces().items
    assert "bad" not in {job.metadata.name for job in jobs}


def test_a_job_that_cannot_start_says_why_and_is_not_waited_for(shell: Shell, kube):
    api = client.CoreV1Api(kube)
    api.create_namespace({"metadata": {"name": "full"}})
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    api.create_namespaced_resource_quota("full", quota)
    runs = {
        "image": (["--image", "no-such-image:1"], r"pod image-\w+ cannot pull image no-such-image:1: .*not found"),
        "large": (["--image", "busybox", "--cpu", "100"], r"pod large-\w+ asks for 100 cpu, but the largest worker has 2"),
        "quota": (["--image", "busybox", "-n", "full"], r"job quota cannot create pods: .*exceeded quota: none"),
    }  # fmt: skip

    def run(name: str) -> str:
        return shell.zerojhub("job", "run", name, *runs[name][0], "--wait", *HERE, "--", "true", code=1).stderr

    with ThreadPoolExecutor() as pool:
        said = dict(zip(runs, pool.map(run, runs), strict=True))
    for name, (_, why) in runs.items():
        assert re.search(rf"error: job {name} in namespace \w+ cannot start: {why}", said[name])
    listed = {row["name"]: row for row in shell.json("job", "list", *HERE)}
    assert listed["large"]["state"] == "cannot start"
    assert "100 cpu" in listed["large"]["detail"]


def test_a_job_that_fails_has_its_pod_s_reason_and_last_words(shell: Shell):
    words = ["--image", "busybox", "--backoff-limit", "0", *HERE]
    failed = shell.zerojhub("job", "run", "bad", *words, "--wait", "--", "sh", "-c", "echo out of luck; exit 3", code=1)
    assert re.search(
        r"job bad in namespace default failed: BackoffLimitExceeded: .*pod bad-\w+ \(bad\) exited with code 3",
        failed.stderr,
    )
    assert "out of luck" in failed.stderr


def test_ctrl_c_leaves_the_job_running_and_says_how_to_follow_it(shell: Shell, kube):
    def started(*words: str) -> subprocess.Popen[str]:
        """Start the command, and wait for the job's first line of output."""
        process = subprocess.Popen(
            [str(PROGRAM), *words],
            cwd=shell.folder,
            env=shell.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout and process.stdout.readline() == "begun\n"
        return process

    script = "trap exit TERM; echo begun; sleep 1000 & wait"
    words = ["--image", "busybox", "--logs", *HERE, "--", "sh", "-c", script]
    process = started("job", "run", "long", *words)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.endswith(
        "stopped: job long keeps running (follow it with: zerojhub job logs long --follow --cluster by-api)\n"
    )
    assert pods(kube, "long")[0].status.phase == "Running"
    follower = started(*said.partition("follow it with: zerojhub ")[2].rstrip(")\n").split())
    shell.zerojhub("job", "delete", "long", "--yes", *HERE)
    _, said = follower.communicate(timeout=30)
    assert "job long in namespace default was deleted before it ended" in said
    assert follower.returncode == 1


def test_the_api_server_takes_the_schedules_that_we_take_and_no_others(kube):
    good = [
        "*/5 * * * *",
        "5 4 * * 2",
        "0 0 ? jan mon-fri",
        "@every 1h30m",
        "@weekly",
        "0 0 1-7/2 * *",
        "50/5 1,2 * * *",
    ]
    bad = ["61 * * * *", "0 24 * * *", "0 0 0 * *", "0 0 * * 7", "0 0 * * FRI#1", "0 0 L * *", "0 9-5 * * *", "@reboot",
           "* * * *", "* * * * * *", "*/0 * * * *", "TZ=UTC 0 0 * * *", "@every sometimes"]  # fmt: skip

    def taken_there(text: str) -> bool:
        pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox"}]}
        spec = {"schedule": text, "jobTemplate": {"spec": {"template": {"spec": pod}}}}
        try:
            client.BatchV1Api(kube).create_namespaced_cron_job(
                "default", {"metadata": {"name": "dry"}, "spec": spec}, dry_run="All"
            )
        except ApiException as refused:
            assert refused.status == 422
            return False
        return True

    def taken_here(text: str) -> bool:
        try:
            schedule.read(text)
        except UserError:
            return False
        return True

    there = {text: taken_there(text) for text in good + bad}
    assert there == {text: taken_here(text) for text in good + bad}
    assert there == dict.fromkeys(good, True) | dict.fromkeys(bad, False)


def test_a_cron_job_runs_when_it_was_said_to_and_goes_with_its_jobs(shell: Shell, kube, every_minute):
    assert every_minute["words"] == "every minute"
    due = datetime.fromisoformat(every_minute["next_runs"][0])
    # Kubernetes names a job after the minute that it was due, and keeps the last three that succeeded.
    first = f"hello-{int(due.timestamp()) // 60}"
    until(lambda: f"Created job {first}" in events(kube, "hello"))
    shell.zerojhub("cron", "suspend", "hello", *HERE)
    latest = max(name for name in jobs(kube) if name.startswith("hello-"))
    until(lambda: pods(kube, latest)[0].status.phase == "Succeeded")
    assert shell.zerojhub("cron", "logs", "hello", "--run", latest, *HERE).stdout == "hello\n"

    by_hand = shell.zerojhub("cron", "run", "hello", "--logs", *HERE)
    assert by_hand.stdout == "hello\n"
    (row,) = shell.json("cron", "list", *HERE)
    assert (row["suspended"], row["last_state"], row["next_run"]) == (True, "complete", None)
    assert shell.zerojhub("cron", "logs", "hello", *HERE).stdout == "hello\n"
    assert "its jobs: hello-" in shell.zerojhub("cron", "logs", "hello", "--run", "hallo", *HERE, code=2).stderr

    assert "resumed cron job hello; next: " in shell.zerojhub("cron", "resume", "hello", *HERE).stdout
    gone = shell.json("cron", "delete", "hello", "--yes", *HERE)["jobs"]
    assert latest in gone
    assert len(gone) >= 2
    assert not jobs(kube) & set(gone)
    assert [pod for job in gone for pod in pods(kube, job)] == []


def test_a_cron_job_of_a_file_says_when_and_by_whose_clock(shell: Shell, kube):
    file = """\
apiVersion: batch/v1beta1
kind: CronJob
metadata: {name: early}
spec:
  schedule: "5 24 * * 2"
  timeZone: Europe/London
  jobTemplate:
    spec: {template: {spec: {restartPolicy: OnFailure, containers: [{name: c, image: busybox, command: [date]}]}}}
"""
    path = shell.folder / "cron.yaml"
    path.write_text(file)
    create = ["cron", "create", "--from", "cron.yaml", *HERE]
    assert "cron.yaml:5: hour '24': 24 is out of range" in shell.zerojhub(*create, code=2).stderr
    path.write_text(file.replace("5 24", "5 4").replace("London", "Londn"))
    assert "cron.yaml:6: no time zone named 'Europe/Londn'" in shell.zerojhub(*create, code=2).stderr
    path.write_text(file.replace("5 24", "5 4"))
    said = shell.zerojhub(*create).stdout
    assert "created cron job early: at 04:05 on Tuesday (Europe/London)\nnext runs: " in said
    assert re.search(r"next runs: (\d{4}-\d\d-\d\d 04:05 (GMT|BST)(, )?){3}\n", said)
    assert client.BatchV1Api(kube).read_namespaced_cron_job("early", "default").spec.time_zone == "Europe/London"
    assert "early" in shell.zerojhub("cron", "list", *HERE).stdout
