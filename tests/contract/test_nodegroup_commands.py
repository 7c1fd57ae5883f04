"""Node groups with labels of their own, and with labels and taints for their nodes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest
import yaml

from tests.contract.clouds import Site
from tests.contract.conftest import Magnum, Program, practice, program_in
from tests.unit.kubernetes import Changing
from zerojhub.cluster import marks
from zerojhub.errors import ZeroJHubError
from zerojhub.kube.marker import Mark, Marks
from zerojhub.kube.reach import Reach
from zerojhub.practice import profile
from zerojhub.run import Run
from zerojhub.stages import Access

MARKS = ("--node-labels", "gpu=a100,rack=3", "--node-taints", "nvidia.com/gpu:NoSchedule,b=c:NoExecute")
TAINTS: list[Mark] = [
    {"key": "nvidia.com/gpu", "value": "", "effect": "NoSchedule"},
    {"key": "b", "value": "c", "effect": "NoExecute"},
]


@pytest.fixture(autouse=True)
def kube(monkeypatch: pytest.MonkeyPatch) -> Changing:
    """The cluster's Kubernetes, without nodes, in which commands get at once."""
    kube = Changing(Node=[])

    async def connected(run: Run, *_: object) -> None:
        run[Access] = cast(Reach, SimpleNamespace(kube=kube))

    monkeypatch.setattr("zerojhub.graph.require", connected)
    return kube


def installed(kube: Changing) -> dict[str, Marks]:
    """What the program in the cluster gives new nodes."""
    return anyio.run(marks.current, cast(Reach, SimpleNamespace(kube=kube)))


@pytest.fixture
def hub(magnum: Magnum) -> Iterator[str]:
    """A cluster with one worker."""
    uuid = magnum.create("hub", node_count=1, labels={"a": "1"})
    magnum.settled(uuid)
    yield uuid
    magnum.settled(uuid)


def group_of(program: Program, name: str = "gpu") -> dict[str, Any]:
    shown: dict[str, Any] = program.json("nodegroup", "show", "hub", name)
    return shown


def test_labels_are_merged_or_replaced_and_nodes_have_their_own(
    site: Site, program: Program, hub: str, kube: Changing
) -> None:
    create = ("nodegroup", "create", "hub")
    program.zerojhub(*create, "gpu", "--nodes", "0", *MARKS, "--labels", "a=2,b=3", "--docker-volume-size", "12")
    group = group_of(program)
    assert group["labels"] == {"kube_tag": "v1.34.4", "a": "2", "b": "3"}
    assert (group["node_labels"], group["node_taints"]) == ({"gpu": "a100", "rack": "3"}, TAINTS)
    assert group["docker_volume_size"] == 12
    assert installed(kube) == {"gpu": {"labels": {"gpu": "a100", "rack": "3"}, "taints": TAINTS}}
    [shown] = site.asked("coe nodegroup show hub gpu")
    assert (shown["node_labels"], shown["node_taints"]) == (group["node_labels"], group["node_taints"])
    program.zerojhub(*create, "own", "--nodes", "0", "--labels", "b=3", "--replace-labels", "--role", "other")
    assert group_of(program, "own")["labels"] == {"b": "3"}
    assert [row["name"] for row in program.json("nodegroup", "list", "hub", "--role", "other")] == ["own"]
    assert program.json("nodegroup", "list", "hub", "--role", "none") == []


def test_node_labels_and_taints_are_replaced_and_removed(program: Program, hub: str, kube: Changing) -> None:
    program.zerojhub("nodegroup", "create", "hub", "gpu", "--nodes", "0", *MARKS)
    update = ("nodegroup", "update", "hub", "gpu")
    changed = program.json(*update, "--node-labels", "gpu=h100", "--max", "3")
    assert (changed["node_labels"], changed["node_taints"], changed["max_node_count"]) == ({"gpu": "h100"}, TAINTS, 3)
    changed = program.json(*update, "--node-taints", "")
    assert (changed["node_labels"], changed["node_taints"]) == ({"gpu": "h100"}, [])
    assert installed(kube) == {"gpu": Marks(labels={"gpu": "h100"}, taints=[])}
    assert program.json(*update, "--node-labels", "")["node_labels"] == {}
    assert installed(kube) == {}
    error = program.zerojhub(*update, code=2).stderr
    assert "nothing to change was given (--min, --max, --node-labels or --node-taints)" in error


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (["--node-taints", "gpu"], "--node-taints: 'gpu' is not KEY[=VALUE]:EFFECT (gpu=yes:NoSchedule)", 2),
        (["--node-taints", "gpu:Sometimes"], "unknown effect 'Sometimes' of a taint", 2),
        (["--node-labels", "gpu"], "--node-labels: 'gpu' is not KEY=VALUE", 2),
        (["--node-labels", "a b=c"], "node label 'a b=c' is invalid", 2),
        (["--node-labels", "a=-"], "node label 'a=-' is invalid", 2),
        (["--node-taints", "Example.com/a:NoSchedule"], "node taint 'Example.com/a=' is invalid", 2),
        (["--node-labels", "kubernetes.io/role=gpu"], "the kubelet will refuse to start", 1),
    ],
)
def test_what_keeps_nodes_from_registering_is_refused(
    program: Program, hub: str, words: list[str], said: str, code: int
) -> None:
    create = ("nodegroup", "create", "hub", "gpu", "--nodes", "0")
    assert said in program.zerojhub(*create, *words, code=code).stderr
    assert said in program.zerojhub("nodegroup", "update", "hub", "default-worker", *words, code=code).stderr
    assert len(program.json("nodegroup", "list", "hub")) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--min", "2"], "1 node, fewer than its minimum of 2 (--nodes, --min, --max)"),
        (["--nodes", "4", "--max", "3"], "4 nodes, more than its maximum of 3"),
        (["--nodes", "2", "--min", "3", "--max", "2"], "a maximum of 2 nodes is less than the minimum of 3"),
        (["--node-taints", "a:NoSchedule,a=b:NoSchedule"], "node taint a:NoSchedule is given more than once"),
    ],
)
def test_what_contradicts_itself_is_refused(program: Program, hub: str, words: list[str], said: str) -> None:
    assert said in program.zerojhub("nodegroup", "create", "hub", "gpu", *words, code=2).stderr
    assert len(program.json("nodegroup", "list", "hub")) == 2


def test_nothing_is_changed_where_nobody_can_log_in(
    program: Program, hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(run: Run, *_: object) -> None:
        raise ZeroJHubError("the master refuses the key")

    monkeypatch.setattr("zerojhub.graph.require", refused)
    before = program.json("nodegroup", "list", "hub")
    for words in (("create", "hub", "gpu"), ("update", "hub", "default-worker", "--max", "3")):
        error = program.zerojhub("nodegroup", *words, "--node-labels", "a=b", code=1).stderr
        assert "the master refuses the key" in error
    assert program.json("nodegroup", "list", "hub") == before


def test_masters_have_none(program: Program, hub: str) -> None:
    error = program.zerojhub("nodegroup", "update", "hub", "default-master", "--node-labels", "a=b", code=1).stderr
    assert "node_labels may not be set on master nodegroups" in error


def test_with_a_magnum_before_them_the_cluster_has_them(tmp_path: Path, kube: Changing) -> None:
    older = yaml.safe_load((Path(profile.__file__).with_name("profiles") / "both.yaml").read_text())
    for service in older["services"]:
        if service["name"] == "magnum":
            service["microversions"]["newest"] = "1.13"
    (tmp_path / "older.yaml").write_text(yaml.safe_dump(older))
    with practice(tmp_path, tmp_path / "older.yaml") as site, program_in(tmp_path, site) as program:
        site.client("/compute/v2.1").post("/os-keypairs", json={"keypair": {"name": "mykey"}}).raise_for_status()
        program.zerojhub("cluster", "create", "hub", "--template", "kubernetes-v1.34.4", "--keypair", "mykey")
        program.zerojhub("nodegroup", "create", "hub", "gpu", "--nodes", "0", *MARKS)
        assert installed(kube) == {"gpu": {"labels": {"gpu": "a100", "rack": "3"}, "taints": TAINTS}}
        update = ("nodegroup", "update", "hub")
        changed = program.json(*update, "gpu", "--node-labels", "gpu=h100", "--max", "3")
        assert (changed["node_labels"], changed["node_taints"], changed["max_node_count"]) == (
            {"gpu": "h100"},
            TAINTS,
            3,
        )
        assert installed(kube) == {"gpu": {"labels": {"gpu": "h100"}, "taints": TAINTS}}
        error = program.zerojhub(*update, "default-master", "--node-labels", "a=b", code=2).stderr
        assert "masters have no labels and taints of their own" in error
        assert program.json(*update, "default-worker", "--max", "3")["max_node_count"] == 3
        program.zerojhub("nodegroup", "delete", "hub", "gpu", "--yes")
        assert installed(kube) == {}
        assert not {"node_labels", "node_taints"} & group_of(program, "default-worker").keys()
        magnum = site.client("/container-infra/v1", **{"OpenStack-API-Version": "container-infra latest"})
        answer = magnum.post("/clusters/hub/nodegroups", json={"name": "gpu", "node_labels": {"a": "b"}})
        assert answer.status_code == 400
        said = "Unknown attribute for argument nodegroup: node_labels"
        assert answer.json()["errors"][0]["detail"] == said
        patch = [{"op": "replace", "path": "/node_labels", "value": "{}"}]
        answer = magnum.patch("/clusters/hub/nodegroups/default-worker", json=patch)
        assert "can't replace a non-existent object 'node_labels'" in answer.json()["errors"][0]["detail"]
