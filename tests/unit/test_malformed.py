"""Whatever is in a file or in the answer of a service: it is used, or refused in one line, and is never taken for a bug."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.mutations import OTHERS, mutated
from tests.unit.fakecloud import Answer
from zerojhub import deployment
from zerojhub.cluster import autoscale_status, kubeconfig, machine_ids
from zerojhub.errors import CloudError, UserError, ZeroJHubError
from zerojhub.hub import charts, discovery, pods, values
from zerojhub.hub.client import HubClient
from zerojhub.kube import drain, explain, follow, jobs, kinds, manifests, nodes, volumes
from zerojhub.kube.attachments import why_attached
from zerojhub.kube.client import Kube, KubeError
from zerojhub.kube.crons import Crons
from zerojhub.kube.reach import Reach
from zerojhub.machine.local import LocalMachine
from zerojhub.openstack import hot
from zerojhub.openstack.session import Cloud
from zerojhub.retry import Transient
from zerojhub.shipped import shipped

per_example = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
"""For tests with a fixture that all examples may share."""


# -- files --------------------------------------------------------------------------------------------------------------

DEPLOYMENT: dict[str, Any] = {
    "name": "class",
    "cloud": "mine",
    "cluster": {
        "template": {"image": "fedora-coreos-38", "external_network": "public", "labels": {"kube_tag": "v1.34.4"}},
        "workers": 2,
        "labels": {"boot_volume_size": 20},
    },
    "access": {"road": "ssh", "private_key": "key", "floating_ip": "192.0.2.1"},
    "helm": {"version": "3.19.0", "sha256": "0" * 64},
    "storage": {"class": "cinder"},
    "hub": {"values": "config.yaml", "host": "hub.example.org", "https": True, "contact": "me@example.org"},
    "autoscale": {"min": 1, "max": 3},
}
VALUES: dict[str, Any] = {
    "hub": {"config": {"JupyterHub": {"authenticator_class": "native"}, "NativeAuthenticator": {"open_signup": True}},
            "extraConfig": {"a": "b"}, "extraEnv": {"A": "B"}, "services": {"cull": {"admin": True}}},
    "proxy": {"service": {"type": "NodePort", "annotations": {"a": "b"}}, "https": {"enabled": True, "hosts": ["h"]}},
    "singleuser": {"image": {"name": "n", "tag": "1"}, "extraFiles": {"a": {"mountPath": "/a", "mode": 420}}},
    "ingress": {"enabled": True, "hosts": ["h"]},
    "auth": {"type": "dummy", "dummy": {"password": "x"}},
}  # fmt: skip
JOB: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "pi", "namespace": "default", "labels": {"a": "b"}, "uid": "u", "ownerReferences": [{}]},
    "spec": {
        "template": {"metadata": {"labels": {"job-name": "pi"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    },
    "status": {},
}
CRON: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "pi"},
    "spec": {"schedule": "0 6 * * *", "timeZone": "Europe/Rome", "jobTemplate": {"spec": JOB["spec"]}},
}
LIST: dict[str, Any] = {"apiVersion": "v1", "kind": "List", "items": [JOB, {"kind": "ConfigMap", "apiVersion": "v1"}]}
HOT: dict[str, Any] = {
    "heat_template_version": "2018-08-31",
    "parameters": {"key": {"type": "string", "default": "x"}},
    "resources": {"a": {"type": "OS::Nova::Server", "properties": {"image": {"get_param": "key"}}}},
}


def read_deployment(path: Path) -> None:
    loaded = deployment.load(path)
    assert loaded.namespace
    assert loaded.cluster_name
    hot.render(loaded, None)


CHART = charts._read(shipped("charts", "jupyterhub"))


def read_values(path: Path) -> None:
    user = values.UserValues(path)
    values.problems(user, CHART)
    values.lets_anyone_in(user, CHART)
    values.is_public(user.values, "LoadBalancer")
    values.shared_password(user.values)


FILES: dict[str, tuple[Any, Callable[[Path], object]]] = {
    "hub.yaml": (DEPLOYMENT, read_deployment),
    "template.yaml": (DEPLOYMENT["cluster"]["template"], lambda path: deployment.template_spec(path, {"name": "t"})),
    "config.yaml": (VALUES, read_values),
    "job.yaml": (JOB, lambda path: manifests.read(path, "Job")),
    "list.yaml": (LIST, lambda path: manifests.read(path, "Job")),
    "cron.yaml": (CRON, lambda path: manifests.schedule_of(manifests.read(path, "CronJob"))),
    "cluster.yaml": (HOT, hot.read),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_without_mistakes_is_accepted(tmp_path, name):
    content, read = FILES[name]
    (tmp_path / name).write_text(yaml.safe_dump(content))
    if name in ("list.yaml", "config.yaml"):  # the ConfigMap has no name; a chart of its own checks the values
        return
    read(tmp_path / name)


@pytest.mark.parametrize("name", FILES)
@per_example
@given(data=st.data())
def test_a_file_with_mistakes_is_accepted_or_refused(tmp_path, name, data):
    content, read = FILES[name]
    text = yaml.safe_dump(data.draw(mutated(content)), allow_unicode=True)
    # Without quotes, much is read as something else.
    (tmp_path / name).write_text(text.replace("'", "") if data.draw(st.booleans()) else text)
    with contextlib.suppress(UserError):
        read(tmp_path / name)


@pytest.mark.parametrize("text", ["clusters: 3", "users: [a, {name: b}]", "contexts: [{context: {}}]", "[]\na", "text"])
def test_what_is_no_kubeconfig_is_refused_before_a_certificate_is_signed(tmp_path, text):
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(UserError) as refused:
        kubeconfig.existing(path, kubeconfig.Wanted(merge=True))
    assert str(refused.value).startswith(str(path))
    with pytest.raises(UserError, match="is a directory"):
        kubeconfig.existing(tmp_path, kubeconfig.Wanted(force=True))


@pytest.mark.parametrize(
    ("name", "place", "value", "said"),
    [
        ("list.yaml", ("items",), 5, ":2: items must be a list of objects"),
        ("cron.yaml", ("spec", "schedule"), 5, ": the schedule is a number, 5 (such as '0 6 * * *', in quotes)"),
        ("cron.yaml", ("spec", "timeZone"), [], ": timeZone must be a string, not []"),
    ],
)
def test_mistakes_that_were_found_are_refused_with_their_line(tmp_path, name, place, value, said):
    content, read = FILES[name]
    content = copy.deepcopy(content)
    node = content
    for step in place[:-1]:
        node = node[step]
    node[place[-1]] = value
    (tmp_path / name).write_text(yaml.safe_dump(content))
    with pytest.raises(UserError) as refused:
        read(tmp_path / name)
    assert said in str(refused.value)


@pytest.mark.parametrize("name", FILES)
@per_example
@given(content=st.text().map(lambda text: text.encode(errors="surrogatepass")) | st.binary())
@example(b"[" * 2000)
@example(b"&a [*a]")
@example(b"? {a: b}\n: c")
@example(b"\xef\xbb\xbfname: a")
def test_a_file_of_anything_is_accepted_or_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with contextlib.suppress(UserError):
        FILES[name][1](tmp_path / name)


# -- OpenStack ----------------------------------------------------------------------------------------------------------

PROJECT = {"id": "p1", "name": "mine", "domain": {"id": "default", "name": "Default"}}
TOKEN = {
    "token": {
        "methods": ["password"],
        "user": {"id": "u1", "name": "me", "domain": {"id": "default", "name": "Default"}},
        "project": PROJECT,
        "expires_at": "2099-01-01T00:00:00.000000Z",
        "catalog": [
            {"type": "compute", "endpoints": [{"interface": "public", "region_id": "R1", "region": "R1", "url": "x"}]}
        ],
    }
}
VERSION = {"version": {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": "http://127.0.0.1:9/v3/"}]}}
REFUSALS = [
    {"errors": [{"status": 409, "title": "Conflict", "detail": "x"}]},
    {"faultstring": "x"},
    {"error": {"message": "x", "code": 4, "title": "t"}},
    {"message": "x"},
]


@per_example
@given(mutated(TOKEN))
def test_any_token_is_used_or_refused(fake_cloud, token):
    fake_cloud.keystone = {"/identity/v3/auth/tokens": json.dumps(token)}
    with contextlib.suppress(ZeroJHubError):
        anyio.run(Cloud("fake").compute.get, "/servers", object)


@per_example
@given(mutated(VERSION))
def test_any_version_of_keystone_is_used_or_refused(fake_cloud, version):
    fake_cloud.keystone = {"/identity": json.dumps(version), "/identity/": json.dumps(version)}
    cloud = Cloud("fake")
    with contextlib.suppress(ZeroJHubError, Transient):
        cloud.log_in()


@per_example
@given(st.sampled_from(REFUSALS).flatmap(mutated) | OTHERS, st.sampled_from([400, 401, 403, 409, 413, 422]))
def test_refusals_of_openstack_are_one_error_whatever_they_say(fake_cloud, body, status):
    fake_cloud.answer(
        "GET /compute/v2.1/servers", Answer(status, json.dumps(body), {"Content-Type": "application/json"})
    )
    with pytest.raises(CloudError):
        anyio.run(Cloud("fake").compute.get, "/servers", object)


# -- Kubernetes ---------------------------------------------------------------------------------------------------------


def meta(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "namespace": "hub", "uid": f"u-{name}", "creationTimestamp": "2026-01-31T10:00:00Z", **more}


POD_SPEC = {
    "containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}],
    "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "claim-ada"}}],
    "nodeName": "n1",
}
FAILED = {"exitCode": 1, "reason": "Error", "finishedAt": "2026-01-31T10:01:00Z"}
CONTAINER = {"name": "c", "image": "i", "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
             "lastState": {"terminated": FAILED}}  # fmt: skip
PENDING = {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": "no room"}]}
JOB_OBJECT = {
    "metadata": meta("pi", ownerReferences=[{"apiVersion": "batch/v1", "kind": "CronJob", "name": "c", "uid": "u-c"}]),
    "spec": JOB["spec"] | {"completions": 2, "parallelism": 2},
    "status": {
        "active": 1,
        "startTime": "2026-01-31T10:00:00Z",
        "conditions": [{"type": "Suspended", "status": "False"}],
    },
}
CLUSTER: dict[str, Any] = {
    "nodes": [
        {
            "metadata": meta("n1", labels={"magnum.openstack.org/nodegroup": "default-worker"}),
            "spec": {"providerID": "openstack:///abc", "taints": [{"key": "a", "effect": "NoSchedule"}]},
            "status": {
                "addresses": [{"type": "InternalIP", "address": "10.0.0.5"}],
                "allocatable": {"cpu": "2", "memory": "4Gi"},
                "conditions": [{"type": "Ready", "status": "True"}],
                "nodeInfo": dict.fromkeys(("machineID", "systemUUID", "kubeletVersion", "containerRuntimeVersion"), "x"),
            },
        }
    ],
    "pods": [
        {"metadata": meta("pi-1", labels={"job-name": "pi"}), "spec": POD_SPEC,
         "status": {"phase": "Running", "containerStatuses": [CONTAINER]}},
        {"metadata": meta("pi-2", labels={"job-name": "pi"}), "spec": POD_SPEC, "status": PENDING},
        {"metadata": meta("jupyter-ada", labels={"component": "singleuser-server"},
                          annotations={"hub.jupyter.org/username": "ada"}), "spec": POD_SPEC,
         "status": {"phase": "Failed", "reason": "Evicted", "containerStatuses": [CONTAINER]}},
    ],
    "jobs": [JOB_OBJECT],
    "cronjobs": [{"metadata": meta("c"), "spec": CRON["spec"], "status": {"lastScheduleTime": "2026-01-31T06:00:00Z"}}],
    "events": [{"metadata": meta("e"), "involvedObject": {"kind": "Pod", "name": "pi-2"}, "type": "Warning",
                "reason": "FailedMount", "message": "m", "lastTimestamp": "2026-01-31T10:00:00Z",
                "series": {"count": 2, "lastObservedTime": "2026-01-31T10:00:00Z"}}],
    "persistentvolumeclaims": [{"metadata": meta("claim-ada"), "spec": {"volumeName": "pv", "storageClassName": "s"},
                                "status": {"phase": "Pending"}}],
    "persistentvolumes": [{"metadata": meta("pv"), "spec": {
        "capacity": {"storage": "10Gi"}, "claimRef": {"namespace": "hub", "name": "claim-bob"},
        "persistentVolumeReclaimPolicy": "Delete", "csi": {"driver": "cinder.csi.openstack.org", "volumeHandle": "v1"}}}],
    "volumeattachments": [{"metadata": meta("a"), "spec": {"nodeName": "n1", "source": {"persistentVolumeName": "pv"}}}],
    "deployments": [{"metadata": meta("hub", generation=2), "spec": {"replicas": 1, "template": {"spec": POD_SPEC}},
                     "status": {"observedGeneration": 2, "replicas": 1}}],
    "services": [{"metadata": meta("proxy-public"), "spec": {"type": "LoadBalancer", "ports": [{"port": 80, "nodePort": 30080}]},
                  "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}],
    "secrets": [{"metadata": meta("hub"), "data": {"hub.services.zerojhub.apiToken": "dG9rZW4="}}],
    "configmaps": [{"metadata": meta("cluster-autoscaler-status"),
                    "data": {"status": "nodeGroups: [{name: default-worker, health: {status: Healthy}}]"}}],
}  # fmt: skip


async def look_at_everything(kube: Kube) -> None:
    """Call what reads the cluster's objects; each may refuse them."""
    reach = Reach(LocalMachine(), "kubeconfig", kube, "10.0.0.1", "v1.34.4")

    async def hub() -> None:
        for service in await discovery.services(reach):
            discovery.url_of(reach, service)
        await discovery.token_of(reach, "hub")

    calls: list[Callable[[], Awaitable[object]]] = [
        partial(jobs.listed, kube, "hub"),
        partial(follow.logs, kube, "hub", "pi", lambda source, line: None),
        Crons(kube, "hub", (1, 34)).listed,
        partial(Crons(kube, "hub", (1, 34)).run_of, "c", None),
        partial(explain.why_not_ready, kube, "hub"),
        partial(volumes.claimed, kube, "hub"),
        partial(volumes.wait_for_deletion, kube, "hub", lambda line: None, timeout=-1),
        partial(drain.users_on, kube, "n1"),
        partial(nodes.find, kube, "n1"),
        partial(why_attached, kube, 'Multi-Attach error for volume "pv"'),
        partial(pods.deployment, kube, "hub", "hub"),
        partial(pods.logs, kube, "hub", user="ada", lines=5),
        partial(autoscale_status.report, kube),
        partial(machine_ids.list_nodes, reach),
        hub,
    ]
    for call in calls:
        with contextlib.suppress(ZeroJHubError):
            await call()


def served(cluster: dict[str, Any]) -> Kube:
    """A client for an API server with these objects."""

    def answer(request: httpx.Request) -> httpx.Response:
        *_, above, last = request.url.path.split("/")
        if last == "log":
            return httpx.Response(200, text="a line\n")
        objects = cluster[last if last in cluster else above]
        if last in cluster:
            return httpx.Response(200, text=json.dumps(objects))
        items = objects["items"] if isinstance(objects, dict) and isinstance(objects.get("items"), list) else []
        return httpx.Response(200, text=json.dumps(items[0])) if items else httpx.Response(404)

    return Kube(httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://kubernetes"), None)


LISTS = {plural: {"items": objects} for plural, objects in CLUSTER.items()}


def test_kubernetes_answers_without_mistakes_are_used():
    async def run() -> None:
        kube = served(LISTS)
        assert [row.name for row in await jobs.listed(kube, "hub")] == ["pi"]
        assert [row.name for row in await Crons(kube, "hub", (1, 34)).listed()] == ["c"]
        assert await kube.list(kinds.SECRET, "hub")
        assert list(await autoscale_status.report(kube)) == ["default-worker"]

    anyio.run(run)


@given(st.sampled_from(sorted(LISTS)).flatmap(lambda plural: st.tuples(st.just(plural), mutated(LISTS[plural]))))
def test_kubernetes_answers_with_mistakes_are_used_or_refused(mistake):
    plural, answer = mistake
    anyio.run(look_at_everything, served(LISTS | {plural: answer}))


@given(OTHERS | st.dictionaries(st.sampled_from(["message", "details", "code", "reason"]), OTHERS))
def test_refusals_of_kubernetes_are_one_error_whatever_they_say(body):
    answer = httpx.Response(422, text=json.dumps(body))
    kube = Kube(httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answer), base_url="http://kubernetes"), None)
    with pytest.raises(KubeError) as refused:
        anyio.run(kube.list, kinds.POD)
    assert refused.value.status == 422


# -- the hub ------------------------------------------------------------------------------------------------------------

USER = {"name": "ada", "admin": True, "last_activity": "2026-01-31T10:00:00Z", "pending": None,
        "servers": {"": {"url": "/user/ada/", "pending": None, "started": "2026-01-31T10:00:00Z"}}}  # fmt: skip


@given(mutated([USER]), mutated(USER), mutated({"token": "x"}), mutated({"message": "m", "ready": True}))
def test_answers_of_the_hub_are_used_or_refused(users, user, token, event):
    bodies = {"/hub/api/users": users, "/hub/api/users/ada": user, "/hub/api/users/ada/tokens": token}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("progress"):
            return httpx.Response(200, text=f"data: {json.dumps(event)}\n\n")
        return httpx.Response(200, text=json.dumps(bodies[request.url.path]))

    async def run() -> None:
        async with HubClient("http://hub", attempts=1) as hub:
            hub._client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
            with contextlib.suppress(ZeroJHubError):
                await hub.users()
            with contextlib.suppress(ZeroJHubError):
                await hub.user("ada")
            with contextlib.suppress(ZeroJHubError):
                await hub.create_token("ada", seconds=5)
            with contextlib.suppress(ZeroJHubError):
                async for _ in hub.progress("ada", timeout=5):
                    pass

    anyio.run(run)
