"""A real Kubernetes without nodes: its API server and its controllers. Tests do a kubelet's work themselves."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest
import yaml

from tests.waiting import until
from zerojhub.kube import client
from zerojhub.kube.client import Kube
from zerojhub.practice import build

T = TypeVar("T")


@dataclass(frozen=True)
class Kubernetes:
    programs: Path
    kubeconfig: Path

    def use(self, work: Callable[[Kube], Awaitable[T]]) -> T:
        """What `work` returns, with the product's client."""

        async def connected() -> T:
            kube = client.connect(self.kubeconfig.read_bytes())
            try:
                return await work(kube)
            finally:
                await kube.close()

        return anyio.run(connected)

    def kubectl(self, *words: str, code: int | None = 0) -> str:
        command = [str(self.programs / "kubectl"), f"--kubeconfig={self.kubeconfig}", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert code is None or done.returncode == code, done.stderr
        return done.stdout

    def names(self, *kinds: str, namespace: str = "default") -> set[str]:
        """`Kind/name` of the objects."""
        listed = self.kubectl("get", ",".join(kinds), "-n", namespace, "-o", "json")
        return {f"{each['kind']}/{each['metadata']['name']}" for each in json.loads(listed)["items"]}

    def get(self, kind: str, name: str, namespace: str = "default") -> dict[str, Any]:
        return json.loads(self.kubectl("get", kind, name, "-n", namespace, "-o", "json"))

    def end_pods(self, job: str, namespace: str = "default", *, code: int = 0) -> None:
        """Wait for pods of the job, and report as a kubelet that their container has exited."""
        selected = ("-n", namespace, "-l", f"job-name={job}", "-o", "json")
        for pod in until(lambda: json.loads(self.kubectl("get", "pod", *selected))["items"], pause=0.1):
            container = {"name": "c", "image": "i", "imageID": "", "ready": False, "restartCount": 0}
            state = {"terminated": {"exitCode": code, "finishedAt": "2026-01-01T00:00:00Z"}}
            phase = "Failed" if code else "Succeeded"
            status = {"phase": phase, "containerStatuses": [container | {"state": state}]}
            words = (
                "patch",
                "pod",
                pod["metadata"]["name"],
                "-n",
                namespace,
                "--subresource=status",
                "--type=merge",
                "-p",
            )
            self.kubectl(*words, json.dumps({"status": status}))


def free_ports(count: int) -> list[int]:
    with ExitStack() as sockets:
        opened = [sockets.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in opened]


@pytest.fixture(scope="session")
def kubernetes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubernetes]:
    parts, folder = build.built(), tmp_path_factory.mktemp("kubernetes")
    programs, (store, peer, api, manager) = list(parts.kubernetes.values())[-1], free_ports(4)
    kubernetes = Kubernetes(programs, folder / "kubeconfig")
    subprocess.run(["openssl", "genrsa", "-out", folder / "key", "2048"], check=True, capture_output=True)
    (folder / "tokens").write_text("word,admin,admin,system:masters\n")
    cluster = {"server": f"https://127.0.0.1:{api}", "insecure-skip-tls-verify": True}
    config = {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": "word"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    kubernetes.kubeconfig.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **config}))
    url, peers = f"http://127.0.0.1:{store}", f"http://127.0.0.1:{peer}"
    commands: dict[str, list[str | Path]] = {
        "etcd": [
            parts.root / "usr/bin/etcd",
            f"--data-dir={folder / 'data'}",
            f"--listen-client-urls={url}",
            f"--advertise-client-urls={url}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
            "--unsafe-no-fsync",
        ],
        "api": [
            programs / "kube-apiserver",
            f"--etcd-servers={url}",
            "--bind-address=127.0.0.1",
            f"--secure-port={api}",
            f"--cert-dir={folder}",
            f"--token-auth-file={folder / 'tokens'}",
            "--authorization-mode=RBAC",
            f"--service-account-key-file={folder / 'key'}",
            f"--service-account-signing-key-file={folder / 'key'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.96.0.0/16",
        ],
        "controllers": [
            programs / "kube-controller-manager",
            f"--kubeconfig={kubernetes.kubeconfig}",
            f"--service-account-private-key-file={folder / 'key'}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={manager}",
            f"--cert-dir={folder / 'manager'}",
        ],
    }
    running: list[subprocess.Popen[bytes]] = []
    try:
        for name, command in commands.items():
            if name == "controllers":
                until(lambda: kubernetes.kubectl("get", "--raw", "/readyz", code=None), pause=0.2)
            with (folder / f"{name}.log").open("wb") as log:
                running.append(subprocess.Popen(command, stdout=log, stderr=log))
        until(lambda: "ServiceAccount/default" in kubernetes.names("sa"), pause=0.2)
        yield kubernetes
    finally:
        # Nothing of them is kept, and an API server that is asked to end first waits up to a minute for its clients.
        for process in reversed(running):
            process.kill()
            process.wait(30)


@pytest.fixture
def namespace(kubernetes: Kubernetes, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace for the test, with what the controllers create in each."""
    name = f"t{abs(hash(request.node.nodeid)) % 10**8}"
    kubernetes.kubectl("create", "namespace", name)
    until(lambda: len(kubernetes.names("sa", "cm", namespace=name)) == 2, pause=0.1)
    yield name
    kubernetes.kubectl("delete", "namespace", name, "--wait=false")
