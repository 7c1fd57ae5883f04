"""The whole journey on the API road: a cluster without SSH access, and Helm on this machine."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.conftest import ROOT, Shell
from tests.waiting import until

pytestmark = pytest.mark.journey
FILE = f"""
name: api-road
cloud: practice
cluster: {{name: api-road, template: kubernetes-v1.34.4-capi, workers: 1}}
hub: {{chart: embedded, values: {ROOT}/config/practice-values.yaml}}
"""


@pytest.fixture(scope="module")
def hub(cloud: Shell):
    (cloud.folder / "api.yaml").write_text(FILE)
    try:
        yield cloud.json("up", "-f", "api.yaml")
    finally:
        cloud.zerojhub("down", "-f", "api.yaml", "--yes", "--delete-data", code=None)


def test_the_hub_answers_and_nothing_went_over_ssh(cloud: Shell, hub: dict) -> None:
    assert hub["ready"] is True
    assert httpx.get(hub["url"].rstrip("/") + "/hub/health", timeout=10).status_code == 200
    cluster = json.loads(cloud.openstack("coe", "cluster", "show", "api-road", "-f", "json"))
    assert cloud.openstack("stack", "list", "-f", "value").strip() == ""
    assert cloud.openstack("keypair", "list", "-f", "value").strip() == ""
    access = next(stage for stage in hub["stages"] if stage["name"] == "access")
    assert cluster["api_address"] in str(access)


def test_up_again_changes_nothing(cloud: Shell, hub: dict) -> None:
    until(lambda: cloud.volumes() == ["in-use"])  # the hub's
    before = len(cloud.audit())
    assert cloud.json("up", "-f", "api.yaml")["url"] == hub["url"]
    assert cloud.writes(before) == []


def test_a_new_credential_ends_the_old_one_and_the_cluster_goes_on(cloud: Shell, hub: dict) -> None:
    def listed() -> set[str]:
        return set(cloud.openstack("application", "credential", "list", "-f", "value", "-c", "ID").split())

    shown = cloud.json("cluster", "credentials", "api-road")
    assert (shown["kind"], shown["works"]) == ("application credential", True)
    assert shown["file"] == "Secret kube-system/cloud-config"
    assert shown["id"] in listed()
    asked = cloud.zerojhub("cluster", "credentials", "api-road", "--rotate", code=2).stderr
    assert f"revoke its application credential {shown['id']}? (confirm with --yes)" in asked
    rotated = cloud.json("cluster", "credentials", "api-road", "--rotate", "--yes")
    assert rotated["works"] is True
    assert rotated["before"] == {"kind": "application credential", "id": shown["id"], "works": False}
    assert rotated["settings"]["application-credential-secret"] == "********"
    assert listed() == {rotated["id"]}
    # A new user's server needs a new volume, which the cluster makes with the new credential.
    assert cloud.json("hub", "check", "-f", "api.yaml")["works"] is True


def test_down_leaves_nothing(cloud: Shell, hub: dict) -> None:
    cloud.zerojhub("down", "-f", "api.yaml", "--yes", "--delete-data")
    for kind in (("coe", "cluster"), ("floating", "ip"), ("loadbalancer",), ("volume",)):
        assert cloud.openstack(*kind, "list", "-f", "value").strip() == ""
