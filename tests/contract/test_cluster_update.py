"""`cluster update`: changes that fail are taken back, and what Magnum does not change is refused with its reason."""

from __future__ import annotations

import pytest

from tests.contract.clouds import Site
from tests.contract.conftest import Magnum, Program

UPDATE = ("cluster", "update", "hub")


@pytest.fixture
def hub(magnum: Magnum) -> str:
    """A cluster with one worker."""
    uuid = magnum.create("hub", node_count=1, labels={"a": "1"})
    magnum.settled(uuid)
    return uuid


def out_of_room(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on there is no room for another server, which only Nova knows."""
    monkeypatch.setitem(site.store.quotas["compute"], "cores", 3)
    monkeypatch.setattr("zerojhub.cluster.resize.check_room", nothing)


async def nothing(*_: object) -> None:
    pass


def test_more_workers_come_with_and_without_a_rollback(program: Program, magnum: Magnum, hub: str) -> None:
    assert program.json(*UPDATE, "replace", "node_count=2", "--rollback")["node_count"] == 2
    assert program.json(*UPDATE, "replace", "node_count=3")["node_count"] == 3
    assert magnum.show(hub)["status"] == "UPDATE_COMPLETE"


def test_a_change_that_fails_is_taken_back(
    site: Site, program: Program, magnum: Magnum, hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out_of_room(site, monkeypatch)
    error = program.zerojhub(*UPDATE, "replace", "node_count=2", "--rollback", code=1).stderr
    assert "the change of cluster hub failed and was taken back" in error
    assert "it has 1 worker as before" in error
    cluster = magnum.show(hub)
    assert (cluster["status"], cluster["node_count"], len(cluster["node_addresses"])) == ("ROLLBACK_COMPLETE", 1, 1)
    assert len(site.ground.nodes[hub]) == 2
    monkeypatch.undo()
    assert program.json(*UPDATE, "replace", "node_count=2")["node_count"] == 2


def test_without_a_rollback_it_stays_failed(
    site: Site, program: Program, magnum: Magnum, hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out_of_room(site, monkeypatch)
    assert "UPDATE_FAILED" in program.zerojhub(*UPDATE, "replace", "node_count=2", code=1).stderr
    assert magnum.show(hub)["node_count"] == 2


def test_a_driver_of_cluster_api_takes_nothing_back(
    site: Site, program: Program, magnum: Magnum, monkeypatch: pytest.MonkeyPatch
) -> None:
    magnum.settled(magnum.create("hub", node_count=1, cluster_template_id="kubernetes-v1.34.4-capi"))
    out_of_room(site, monkeypatch)
    error = program.zerojhub(*UPDATE, "replace", "node_count=2", "--rollback", code=1).stderr
    assert "UPDATE_FAILED" in error


@pytest.mark.parametrize("words", [["add", "labels/b=2"], ["replace", "labels/a=2"], ["remove", "labels/a"]])
def test_labels_are_refused_in_magnums_words_with_the_reason(
    program: Program, magnum: Magnum, hub: str, words: list[str]
) -> None:
    error = program.zerojhub(*UPDATE, *words, code=2).stderr
    assert "this Magnum does not change labels: cannot change cluster property(ies) labels." in error
    assert "labels are read when the cluster is created" in error
    assert magnum.show(hub)["labels"] == {"kube_tag": "v1.34.4", "a": "1"}


def test_a_magnum_that_changes_labels_is_let(
    program: Program, magnum: Magnum, hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def change(cloud, uuid, patch, *, rollback):  # as an operator's own Magnum does
        assert (patch, rollback) == ([{"op": "add", "path": "/labels/b", "value": "2"}], False)
        site_cluster = magnum.site.store.clusters[uuid]
        site_cluster["labels"] = {**site_cluster["labels"], "b": "2"}
        site_cluster["updated_at"] = "2026-01-01T00:00:00+00:00"

    monkeypatch.setattr("zerojhub.openstack.magnum.update_cluster", change)
    assert program.json(*UPDATE, "add", "labels/b=2")["labels"]["b"] == "2"


def test_a_rollback_brings_no_removed_nodes_back(program: Program, magnum: Magnum, hub: str) -> None:
    error = program.zerojhub(*UPDATE, "replace", "node_count=0", "--rollback", "--yes", code=2).stderr
    assert "--rollback cannot bring back nodes that were removed" in error
    assert magnum.show(hub)["node_count"] == 1
