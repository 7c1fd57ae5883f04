"""The program that marks nodes, with the rights that it has in a cluster."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from tests.kubernetes.conftest import Kubernetes
from zerojhub.cluster import marks
from zerojhub.kube.marker import Marks, Nodes

GPU: Marks = {"labels": {"gpu": "a100"}, "taints": [{"key": "nvidia.com/gpu", "value": "", "effect": "NoSchedule"}]}


@pytest.fixture
def nodes(kubernetes: Kubernetes, tmp_path: Path) -> Nodes:
    """The nodes as the program reaches them."""

    async def install(kube):
        for manifest in marks.manifests({"gpu": GPU}):
            await kube.apply(manifest)

    kubernetes.use(install)
    (tmp_path / "token").write_text(kubernetes.kubectl("create", "token", marks.NAME, "-n", marks.NAMESPACE))
    (tmp_path / "ca.crt").write_bytes((kubernetes.kubeconfig.parent / "apiserver.crt").read_bytes())
    [cluster] = yaml.safe_load(kubernetes.kubeconfig.read_text())["clusters"]
    return Nodes(cluster["cluster"]["server"], tmp_path)


def join(kubernetes: Kubernetes, tmp_path: Path, name: str, group: str) -> None:
    meta = {"name": name, "labels": {"magnum.openstack.org/nodegroup": group}}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": meta}
    (tmp_path / name).write_text(json.dumps(node))
    kubernetes.kubectl("create", "-f", str(tmp_path / name))


def is_marked(kubernetes: Kubernetes, name: str) -> bool:
    node = kubernetes.get("node", name)
    keys = [taint["key"] for taint in node["spec"].get("taints", [])]
    return node["metadata"]["labels"].get("gpu") == "a100" and "nvidia.com/gpu" in keys


def test_nodes_that_are_there_and_those_that_join_are_marked(
    kubernetes: Kubernetes, nodes: Nodes, tmp_path: Path
) -> None:
    join(kubernetes, tmp_path, "first", "gpu")
    join(kubernetes, tmp_path, "other", "default-worker")
    version = nodes.mark({"gpu": GPU})
    assert is_marked(kubernetes, "first")
    assert not is_marked(kubernetes, "other")
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(nodes.wait, {"gpu": GPU}, version)
        join(kubernetes, tmp_path, "second", "gpu")
        waiting.result(timeout=60)
    nodes.mark({"gpu": GPU})
    assert is_marked(kubernetes, "second")
    nodes.mark({})
    assert not is_marked(kubernetes, "second")
    assert kubernetes.kubectl("delete", "node", "first", "second", "other")


def test_it_may_do_nothing_else(kubernetes: Kubernetes, nodes: Nodes) -> None:
    account = f"--as=system:serviceaccount:{marks.NAMESPACE}:{marks.NAME}"
    for words, answer in ((("patch", "nodes"), "yes"), (("delete", "nodes"), "no"), (("list", "secrets"), "no")):
        assert kubernetes.kubectl("auth", "can-i", *words, account, code=None).strip() == answer
