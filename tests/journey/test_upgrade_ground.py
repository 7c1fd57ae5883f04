"""Upgrading running machines node by node, with real Kubernetes programs of two versions and running pods."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from zerojhub.practice import build, daemon, registry
from zerojhub.practice.ground import GroundError, KubernetesSpec, Listener, MachineSpec
from zerojhub.practice.machines.front import listen
from zerojhub.practice.machines.linux import LinuxGround

PORT = 9581
SERVER = ["python3", "-m", "http.server", "8000"]
# Ends when it is told to, which the first process of a container does only if it says so.
WAIT = ["sh", "-c", "trap exit TERM; sleep 1000 & wait"]


def pod(command: list[str], labels: dict[str, str]) -> dict:
    container = {"name": "main", "image": "python:3.11", "command": command}
    return {"metadata": {"labels": labels}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 5}}


def deployment(name: str, command: list[str], replicas: int) -> dict:
    labels = {"app": name}
    template = pod(command, labels)
    # They find another node when theirs is drained, and share none while there are enough.
    spread = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
    template["spec"]["topologySpreadConstraints"] = [{**spread, "labelSelector": {"matchLabels": labels}}]
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


@contextlib.asynccontextmanager
async def running(built: build.Built, state: Path) -> AsyncIterator[LinuxGround]:
    """A ground, and a registry with its clusters' images."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.routing import Mount

    with daemon.alone():
        ground = LinuxGround(state, built, PORT)
        await ground.up()
        config = uvicorn.Config(
            Starlette(routes=[Mount("/v2", registry.app(built.images, daemon.build_images_on_demand))]),
            log_level="warning",
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listen(ground.gateway, PORT)]))
        try:
            yield ground
        finally:
            server.should_exit = True
            await ground.down()
            await serving


def machine(ground: LinuxGround, name: str, number: int) -> MachineSpec:
    ident = str(uuid.uuid4())
    address = ground.gateway.rpartition(".")[0] + f".{10 + number}"
    return MachineSpec(ident, name, address, "core", (), ident.replace("-", ""))


async def until(found: Callable[[], Awaitable[object]], seconds: float = 120):
    """Wait until `found` finds something, and return it."""
    end = time.monotonic() + seconds
    while not (value := await found()):
        assert time.monotonic() < end, f"not there after {seconds} s"
        await asyncio.sleep(0.5)
    return value


class Kubectl:
    """Run kubectl on a master."""

    def __init__(self, ground: LinuxGround, master: MachineSpec):
        self.machine = ground._machines[master.id]

    async def __call__(self, *words: str, input: str | None = None, check: bool = True) -> str:
        argv = ["/usr/local/bin/kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", *words]
        return await self.machine.run(*argv, input=input, timeout=60, check=check)

    async def get(self, *words: str) -> list[dict]:
        return json.loads(await self("get", *words, "-o", "json"))["items"]

    async def pods(self, app: str) -> dict[str, tuple[str, int]]:
        """Ready pods: name -> node, restarts."""
        ready = {}
        for each in await self.get("pods", "-l", f"app={app}"):
            (status,) = each["status"].get("containerStatuses") or [{}]
            if status.get("ready") and "deletionTimestamp" not in each["metadata"]:
                ready[each["metadata"]["name"]] = each["spec"]["nodeName"], status["restartCount"]
        return ready

    async def versions(self) -> dict[str, str]:
        return {
            node["metadata"]["name"]: node["status"]["nodeInfo"]["kubeletVersion"] for node in await self.get("nodes")
        }


@contextlib.asynccontextmanager
async def watched(attempt: Callable[[], Awaitable[bool]]) -> AsyncIterator[list[float]]:
    """The length in seconds of each period without a response."""
    gaps: list[float] = []

    async def watch() -> None:
        since = None
        while True:
            if await attempt():
                if since:
                    gaps.append(time.monotonic() - since)
                since = None
            else:
                since = since or time.monotonic()
            await asyncio.sleep(0.1)

    task = asyncio.create_task(watch())
    try:
        yield gaps
    finally:
        task.cancel()


def test_nodes_get_another_kubernetes_while_pods_run(built: build.Built, tmp_path: Path):
    old, new = build.OLDER[-1], build.KUBERNETES
    report: dict[str, object] = {}

    async def life(ground: LinuxGround) -> None:
        master, one, two = (machine(ground, name, number) for number, name in enumerate(["master", "one", "two"]))
        await asyncio.gather(*(ground.boot(each) for each in (master, one, two)))
        cluster = KubernetesSpec("c", "c", old, (master,), "", cluster_api=True)
        await ground.start_cluster(cluster)
        await asyncio.gather(ground.join("c", one), ground.join("c", two))
        kubectl = Kubectl(ground, master)
        assert set((await kubectl.versions()).values()) == {old}

        # A cluster that is made so has a default StorageClass from the start.
        (storage_class,) = await kubectl.get("storageclass")
        assert storage_class["provisioner"] == "cinder.csi.openstack.org"
        assert storage_class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"

        for each in (deployment("web", SERVER, 2), deployment("fixed", WAIT, 2)):
            if each["metadata"]["name"] == "fixed":
                each["spec"]["template"]["spec"]["tolerations"] = [{"operator": "Exists"}]
                each["spec"]["template"]["spec"]["nodeName"] = "master"
            await kubectl("apply", "-f", "-", input=json.dumps(each))

        async def ready(app: str, count: int) -> dict[str, tuple[str, int]] | None:
            pods = await kubectl.pods(app)
            return pods if len(pods) == count else None

        web = await until(lambda: ready("web", 2))
        fixed = await until(lambda: ready("fixed", 2))
        assert {node for node, _ in web.values()} == {"one", "two"}
        # The images were pulled, and their layers were there.
        puller = ground._machines[one.id]
        assert "library/python:3.11" in await puller.run("ctr", "--namespace=k8s.io", "images", "list")
        content = puller.at("/var/lib/containerd/io.containerd.content.v1.content/blobs/sha256")
        assert 0 < sum(blob.stat().st_size for blob in content.iterdir()) < 100_000

        with pytest.raises(GroundError, match="upgrade the masters first"):
            await ground.upgrade("c", one, new)
        with pytest.raises(GroundError, match=r"Kubernetes v1\.99\.0 is not available on master"):
            await ground.upgrade("c", master, "v1.99.0")
        assert not any(node["spec"].get("unschedulable") for node in await kubectl.get("nodes"))

        api = ground._clusters["c"].client(master.address)
        async with watched(api.answers) as gaps:
            start = time.monotonic()
            await ground.upgrade("c", master, new)
            report["master"], report["api gap"] = time.monotonic() - start, gaps
        await api.close()
        assert sum(gaps) < 30
        assert await kubectl.versions() == {"master": new, "one": old, "two": old}
        assert new in await kubectl("version")
        # The only master is not drained: what ran there goes on, and so does what ran elsewhere.
        assert await until(lambda: ready("fixed", 2)) == fixed
        assert await until(lambda: ready("web", 2)) == web

        for worker, other in ((one, "two"), (two, "one")):
            start = time.monotonic()
            await ground.upgrade("c", worker, new)
            report[worker.name] = time.monotonic() - start
            assert {node for node, _ in (await until(lambda: ready("web", 2))).values()} == {other}
        assert set((await kubectl.versions()).values()) == {new}
        assert not any(node["spec"].get("unschedulable") for node in await kubectl.get("nodes"))

        # Whoever joins now has it too; and a node that has it may be told again.
        three = dataclasses.replace(machine(ground, "three", 3), nodegroup="gpus", role="gpu")
        await ground.boot(three)
        await ground.join("c", three)
        assert (await kubectl.versions())["three"] == new
        await ground.upgrade("c", three, new)
        labels = {"magnum.openstack.org/nodegroup": "gpus", "magnum.openstack.org/role": "gpu"}
        (node,) = await kubectl.get("nodes", "-l", "magnum.openstack.org/nodegroup=gpus")
        assert node["metadata"]["labels"].items() >= labels.items()
        await ground.stop_cluster("c")

    async def main() -> None:
        async with running(built, tmp_path) as ground:
            await life(ground)

    asyncio.run(main())
    print(report)


def test_masters_behind_a_load_balancer_take_turns(built: build.Built, tmp_path: Path):
    old, new = build.OLDER[-1], build.KUBERNETES

    async def life(ground: LinuxGround) -> None:
        names = ["master-0", "master-1", "master-2", "worker"]
        *masters, worker = (machine(ground, name, number) for number, name in enumerate(names))
        virtual = ground.gateway.rpartition(".")[0] + ".99"
        await asyncio.gather(*(ground.boot(each) for each in (*masters, worker)))
        await ground.balance(virtual, (Listener(6443, tuple((master.address, 6443) for master in masters)),))
        await ground.start_cluster(KubernetesSpec("c", "c", old, tuple(masters), "", endpoint=virtual))
        await ground.join("c", worker)
        assert await ground.ready("c") == dict.fromkeys(names, True)
        members = await ground._machines[masters[1].id].run("etcdctl", "member", "list", input="")
        assert members.count("started") == 3
        assert f"https://{virtual}:6443" in await ground._machines[worker.id].run("cat", "/etc/kubernetes/kubelet.conf")

        # One is away at a time, and the load balancer knows.
        api = ground._clusters["c"].client(virtual)
        async with watched(api.answers) as gaps:
            for master in masters:
                await ground.upgrade("c", master, new)
        await api.close()
        assert sum(gaps) < 10
        assert await Kubectl(ground, masters[2]).versions() == dict.fromkeys(names[:3], new) | {"worker": old}

        # Two of three masters are a majority.
        await ground.halt(masters[2].id)
        nodes = await until(lambda: Kubectl(ground, masters[0]).get("nodes"))
        assert len(nodes) == 4
        await ground.upgrade("c", worker, new)
        await ground.stop_cluster("c")

    async def main() -> None:
        async with running(built, tmp_path) as ground:
            await life(ground)

    asyncio.run(main())
