"""Labels and taints of nodes: what a node lacks, and who adds it."""

from __future__ import annotations

import json
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar

import anyio
import pytest

from tests.unit.kubernetes import Changing, patched
from zerojhub.cluster import marks
from zerojhub.errors import ZeroJHubError
from zerojhub.kube import marker
from zerojhub.kube.marker import NONE, NOTED, Marks, change, group_of

GPU: Marks = {
    "labels": {"gpu": "a100"},
    "taints": [{"key": "nvidia.com/gpu", "value": "", "effect": "NoSchedule"}],
}
TAINT = {"key": "nvidia.com/gpu", "effect": "NoSchedule"}
OTHERS = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


def node(name: str = "n", group: str = "gpu", **more: Any) -> dict[str, Any]:
    labels = {"magnum.openstack.org/nodegroup": group} | more.get("labels", {})
    meta = {"name": name, "resourceVersion": "7", "labels": labels, "annotations": more.get("annotations", {})}
    return {"metadata": meta, "spec": {"taints": more.get("taints", [])}}


@pytest.mark.parametrize("key", marker.GROUP_LABELS)
def test_every_driver_says_of_which_group_a_node_is(key):
    assert group_of({"metadata": {"labels": {key: "gpu"}}}) == "gpu"
    assert group_of({"metadata": {}}) is None


def test_a_node_gets_what_it_lacks_once_and_keeps_what_others_set():
    there = node(taints=[OTHERS], labels={"rack": "3"})
    patch = change(there, GPU)
    assert patch
    assert patch["metadata"]["resourceVersion"] == "7"
    after = patched(there, patch)
    assert after["spec"]["taints"] == [OTHERS, TAINT]
    assert after["metadata"]["labels"].items() >= {"gpu": "a100", "rack": "3"}.items()
    assert change(after, GPU) is None


def test_what_is_no_longer_wanted_goes_and_nothing_else():
    there = node(taints=[OTHERS], labels={"rack": "3"})
    marked = patched(there, change(there, GPU) or {})
    more: Marks = {"labels": {"gpu": "h100"}, "taints": [{"key": "a", "value": "b", "effect": "NoExecute"}]}
    changed = patched(marked, change(marked, more) or {})
    assert changed["metadata"]["labels"]["gpu"] == "h100"
    assert changed["spec"]["taints"] == [OTHERS, {"key": "a", "effect": "NoExecute", "value": "b"}]
    bare = patched(changed, change(changed, NONE) or {})
    assert (bare["metadata"]["labels"], bare["spec"]["taints"]) == (there["metadata"]["labels"], [OTHERS])
    assert NOTED not in bare["metadata"]["annotations"]


def test_what_the_driver_has_set_is_not_ours_to_remove():
    there = node(taints=[TAINT], labels={"gpu": "a100"})
    assert change(there, GPU) is None
    assert change(there, NONE) is None


def test_a_taint_with_another_value_is_replaced():
    there = node(taints=[{"key": "a", "value": "old", "effect": "NoSchedule"}])
    patch = change(there, {"labels": {}, "taints": [{"key": "a", "value": "new", "effect": "NoSchedule"}]})
    assert patch
    assert patch["spec"]["taints"] == [{"key": "a", "effect": "NoSchedule", "value": "new"}]


def test_the_program_needs_no_other_file():
    """It is sent to the cluster as it is."""
    source = marks.manifests({"gpu": GPU})[-1]["spec"]["template"]["spec"]["containers"][0]["command"][-1]
    scope: dict[str, Any] = {"__name__": "elsewhere"}
    exec(compile(source, "marker.py", "exec"), scope)
    assert scope["change"](node(), GPU) == change(node(), GPU)
    assert "zerojhub" not in {
        line.split()[1].partition(".")[0] for line in source.splitlines() if line[:5] in ("from ", "impor")
    }


class Api(BaseHTTPRequestHandler):
    """Kubernetes' API with these nodes; the second one joins while it is watched."""

    nodes: ClassVar[list[dict[str, Any]]] = []

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        if "watch=true" not in self.path:
            listed = self.nodes[: 1 if self.nodes[0]["spec"]["taints"] == [] else 2]
            self.wfile.write(json.dumps({"metadata": {"resourceVersion": "7"}, "items": listed}).encode())
            return
        assert "resourceVersion=7" in self.path
        for kind, node in (("MODIFIED", self.nodes[0]), ("DELETED", self.nodes[1]), ("ADDED", self.nodes[1])):
            self.wfile.write(json.dumps({"type": kind, "object": node}).encode() + b"\n")

    def do_PATCH(self) -> None:
        assert self.headers["Authorization"] == "Bearer word"
        assert self.headers["Content-Type"] == "application/merge-patch+json"
        name, text = self.path.rpartition("/")[2], self.rfile.read(int(self.headers["Content-Length"]))
        [index] = [index for index, each in enumerate(self.nodes) if each["metadata"]["name"] == name]
        self.nodes[index] = patched(self.nodes[index], json.loads(text))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep requests out of the test's output."""


def test_the_program_marks_nodes_that_are_there_and_waits_for_those_that_join(tmp_path):
    (tmp_path / "token").write_text("word")
    Api.nodes = [node("first"), node("second")]
    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        Thread(target=partial(server.serve_forever, 0.01), daemon=True).start()
        nodes = marker.Nodes(f"http://127.0.0.1:{server.server_port}", tmp_path)
        nodes.wait({"gpu": GPU}, nodes.mark({"gpu": GPU}))
        assert [each["spec"]["taints"] for each in Api.nodes] == [[TAINT], []]
        nodes.mark({"gpu": GPU})
        assert [each["spec"]["taints"] for each in Api.nodes] == [[TAINT], [TAINT]]
        server.shutdown()


def ensure(kube: Changing, wanted: Marks, group: str = "gpu", *, populated: bool = True) -> None:
    reach: Any = type("Reach", (), {"kube": kube})
    anyio.run(lambda: marks.ensure(reach, group, wanted, lambda text: None, populated=populated))


def installed(kube: Changing) -> dict[str, Marks]:
    reach: Any = type("Reach", (), {"kube": kube})
    return anyio.run(marks.current, reach)


def test_nodes_are_marked_at_once_and_new_ones_by_the_program_in_the_cluster():
    kube = Changing(Node=[node("a"), node("b"), node("c", "other")])
    kube.conflicts = 2
    ensure(kube, GPU)
    assert installed(kube) == {"gpu": GPU}
    assert [each["spec"]["taints"] for each in kube.objects["Node"]] == [[TAINT], [TAINT], []]
    ensure(kube, {"labels": {"x": "y"}, "taints": []}, "other")
    assert set(installed(kube)) == {"gpu", "other"}
    ensure(kube, NONE)
    assert set(installed(kube)) == {"other"}
    assert kube.objects["Node"][0]["spec"]["taints"] == []
    ensure(kube, NONE, "other")
    assert installed(kube) == {}
    assert kube.deleted == [marks.NAME] * 4


def test_what_the_driver_does_needs_no_program():
    kube = Changing(Node=[node("a", labels={"gpu": "a100"}, taints=[TAINT])])
    ensure(kube, GPU)
    assert not kube.applied
    ensure(kube, NONE)
    assert not kube.deleted


def test_an_empty_group_is_marked_when_its_nodes_come():
    kube = Changing(Node=[])
    ensure(kube, GPU, populated=False)
    assert installed(kube) == {"gpu": GPU}
    with pytest.raises(ZeroJHubError, match="no node says that it is of group gpu"):
        ensure(Changing(Node=[{"metadata": {"name": "a"}, "spec": {}}]), GPU)


def test_the_program_may_change_nodes_and_nothing_else():
    roles = [each for each in marks.manifests({"gpu": GPU}) if each["kind"] == "ClusterRole"]
    assert [rule["resources"] for role in roles for rule in role["rules"]] == [["nodes"]]
