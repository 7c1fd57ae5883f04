"""Upgrading Kubernetes: masters first, workers in batches, and the resulting records."""

from __future__ import annotations

import pytest

from tests.contract.clouds import Site, until
from tests.contract.conftest import Magnum

NEXT = "v1.15.7"


def old_template(magnum: Magnum) -> str:
    """A template with Kubernetes v1.14.3, to upgrade from."""
    return next(
        each["uuid"]
        for each in magnum.client.get("/clustertemplates").json()["clustertemplates"]
        if each["name"] == "kubernetes-v1.14.3"
    )


def upgrade(magnum: Magnum, uuid: str, **body: object) -> dict:
    answer = magnum.client.post(f"/clusters/{uuid}/actions/upgrade", json=body)
    assert answer.status_code == 202, answer.text
    return magnum.settled(uuid)


def test_masters_come_first_and_then_workers_in_batches(site: Site, magnum: Magnum) -> None:
    uuid = magnum.create(cluster_template_id=old_template(magnum), node_count=3)
    assert magnum.settled(uuid)["coe_version"] == "v1.14.3"
    site.ground.upgraded.clear()
    site.ground.held = {"upgrade"}
    body = {"cluster_template": f"kubernetes-{NEXT}", "max_batch_size": 2}
    assert magnum.client.post(f"/clusters/{uuid}/actions/upgrade", json=body).status_code == 202
    assert magnum.show(uuid)["status"] == "UPDATE_IN_PROGRESS"
    assert not site.ground.upgraded
    site.ground.held = set()
    cluster = magnum.settled(uuid)
    kinds = [name.rpartition("-")[0].rpartition("-")[2] for name, _ in site.ground.upgraded]
    assert kinds == ["master", "node", "node", "node"]
    assert {version for _, version in site.ground.upgraded} == {NEXT}
    assert (cluster["status"], cluster["coe_version"]) == ("UPDATE_COMPLETE", NEXT)
    assert cluster["labels"]["kube_tag"] == NEXT
    template = magnum.client.get(f"/clustertemplates/{cluster['cluster_template_id']}").json()
    assert template["name"] == f"kubernetes-{NEXT}"
    groups = magnum.client.get(f"/clusters/{uuid}/nodegroups").json()["nodegroups"]
    shown = [magnum.client.get(f"/clusters/{uuid}/nodegroups/{group['uuid']}").json() for group in groups]
    assert [each["status"] for each in shown] == ["UPDATE_COMPLETE"] * 2
    assert [each["version"] for each in shown] == [None, None], "Magnum does not fill it in"


def test_another_node_group_follows_its_cluster(site: Site, magnum: Magnum) -> None:
    uuid = magnum.create(cluster_template_id=old_template(magnum), node_count=0)
    magnum.settled(uuid)
    magnum.client.post(f"/clusters/{uuid}/nodegroups", json={"name": "gpu", "node_count": 1}).raise_for_status()
    magnum.settled(uuid)
    body = {"cluster_template": f"kubernetes-{NEXT}", "nodegroup": "gpu"}
    answer = magnum.client.post(f"/clusters/{uuid}/actions/upgrade", json=body)
    assert answer.status_code == 409
    assert "can be upgraded only to match cluster's template (kubernetes-v1.14.3)" in answer.text
    upgrade(magnum, uuid, cluster_template=f"kubernetes-{NEXT}")
    site.ground.upgraded.clear()
    assert upgrade(magnum, uuid, **body)["status"] == "UPDATE_COMPLETE"
    ((name, version),) = site.ground.upgraded
    assert "-gpu-" in name
    assert version == NEXT


def test_an_older_kubernetes_is_refused(magnum: Magnum) -> None:
    uuid = magnum.create(node_count=0)
    magnum.settled(uuid)
    answer = magnum.client.post(f"/clusters/{uuid}/actions/upgrade", json={"cluster_template": f"kubernetes-{NEXT}"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["detail"] == "Received invalid tag for kube_tag."


def test_after_an_upgrade_that_failed_only_a_resize_leads_to_another(
    site: Site, magnum: Magnum, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = magnum.create(cluster_template_id=old_template(magnum), node_count=1)
    magnum.settled(uuid)
    body = {"name": "future", "coe": "kubernetes", "image_id": "fedora-coreos-38", "external_network_id": "public"}
    magnum.client.post("/clustertemplates", json={**body, "labels": {"kube_tag": "v1.99.0"}}).raise_for_status()
    cluster = upgrade(magnum, uuid, cluster_template="future")
    assert cluster["status"] == "UPDATE_FAILED"
    assert "Kubernetes v1.99.0 has not been built" in cluster["faults"]["default-master"]
    assert cluster["coe_version"] == "v1.14.3"
    answer = magnum.client.post(f"/clusters/{uuid}/actions/upgrade", json={"cluster_template": "future"})
    said = 'Upgrading a cluster when status is "UPDATE_FAILED" is not supported.'
    assert (answer.status_code, answer.json()["errors"][0]["detail"]) == (400, said)
    monkeypatch.setattr(site.ground, "versions", (*site.ground.versions, "v1.99.0"))
    assert magnum.resize(uuid, node_count=2)["status"] == "UPDATE_COMPLETE"
    cluster = upgrade(magnum, uuid, cluster_template="future")
    assert (cluster["status"], cluster["coe_version"]) == ("UPDATE_COMPLETE", "v1.99.0")
    magnum.delete(uuid)
    magnum.client.delete("/clustertemplates/future").raise_for_status()


def test_the_stack_says_what_is_being_upgraded(site: Site, magnum: Magnum, monkeypatch: pytest.MonkeyPatch) -> None:
    uuid = magnum.create(cluster_template_id=old_template(magnum), node_count=1)
    stack = site.store.stacks[magnum.settled(uuid)["cluster_id"]]
    monkeypatch.setattr(site.ground, "held", {"upgrade"})
    magnum.client.post(f"/clusters/{uuid}/actions/upgrade", json={"cluster_template": f"kubernetes-{NEXT}"})
    until(lambda: stack["resources"]["kube_masters"]["resource_status"] == "UPDATE_IN_PROGRESS")
    assert stack["resources"]["kube_minions"]["resource_status"] == "CREATE_COMPLETE"
    site.ground.held = set()
    assert magnum.settled(uuid)["status"] == "UPDATE_COMPLETE"
    assert stack["resources"]["kube_minions"]["resource_status"] == "UPDATE_COMPLETE"
