"""Which Kubernetes version a node group can be upgraded to, and which node groups an upgrade leaves behind."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest

from tests.unit.kubernetes import Cluster
from zerojhub.cluster import upgrade
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.kube.reach import Reach
from zerojhub.openstack.magnum import NodeGroup

OLD, NEW = "v1.34.4", "v1.35.0"


def node(name: str, version: str, group: str | None = None) -> dict[str, Any]:
    labels = {"magnum.openstack.org/nodegroup": group} if group else {}
    info = {"kubeletVersion": version, "containerRuntimeVersion": "containerd://2"}
    return {"metadata": {"name": name, "labels": labels}, "status": {"nodeInfo": info}}


def reach(version: str, *nodes: dict[str, Any]) -> Reach:
    return cast(Reach, SimpleNamespace(kube=Cluster(Node=list(nodes)), version=version))


GPU = cast(NodeGroup, {"name": "gpu", "uuid": "g1", "is_default": False})
NODES = (node("m", NEW, "default-master"), node("w", NEW, "default-worker"), node("g", OLD, "gpu"))


@pytest.mark.parametrize("tag", [None, NEW])
def test_a_node_group_follows_its_cluster(tag: str | None) -> None:
    assert anyio.run(upgrade.own_version, reach(NEW, *NODES), GPU, tag) == NEW
    assert anyio.run(upgrade.own_version, reach(NEW, *NODES[:2]), GPU, tag) == NEW  # for nodes that come later


@pytest.mark.parametrize(
    ("at", "tag", "said"),
    [
        (reach(OLD, *NODES), NEW, f"node group gpu can only be upgraded to the version of its cluster, {OLD}"),
        (reach(OLD, *NODES), None, f"node group gpu already has Kubernetes {OLD}"),
        (reach(NEW, node("g", NEW, "gpu")), None, f"node group gpu already has Kubernetes {NEW}"),
    ],
)
def test_no_other_version_is_possible(at: Reach, tag: str | None, said: str) -> None:
    with pytest.raises(UserError, match=said):
        anyio.run(upgrade.own_version, at, GPU, tag)


def test_an_upgrade_tells_which_node_groups_are_behind() -> None:
    nodes, behind = anyio.run(upgrade.verified, reach(NEW, *NODES), NEW, ["gpu", "empty"])
    assert [each.name for each in nodes] == ["m", "w", "g"]
    assert behind == ["gpu"]


@pytest.mark.parametrize(
    ("at", "others", "said"),
    [
        (reach(NEW, *NODES), [], f"but g {OLD} is not {NEW}"),
        (reach(NEW, *NODES, node("x", OLD)), ["gpu"], f"but x {OLD} is not {NEW}"),
        (reach(OLD, *NODES), ["gpu"], f"but API server {OLD} is not {NEW}"),
    ],
)
def test_nodes_that_should_have_been_upgraded_are_a_failure(at: Reach, others: list[str], said: str) -> None:
    with pytest.raises(ZeroJHubError, match=said):
        anyio.run(upgrade.verified, at, NEW, others)
