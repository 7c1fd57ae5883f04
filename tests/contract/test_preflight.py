"""What `plan` and `up` report before they create anything: quotas, names of several things, and zones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.clouds import Site
from tests.contract.conftest import Magnum, Program

VALUES = """
hub: {config: {JupyterHub: {authenticator_class: dummy}, DummyAuthenticator: {password: secret}}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "values.yaml").write_text(VALUES)
    path = tmp_path / "hub.yaml"
    path.write_text(
        "name: class\ncluster: {template: kubernetes-v1.34.4, workers: 2}\nhub: {chart: embedded, values: values.yaml}\n"
    )
    return path


def calls(site: Site) -> list[dict[str, Any]]:
    return [json.loads(line) for line in site.audit.read_text().splitlines()]


@pytest.mark.parametrize(
    ("service", "limits", "said"),
    [
        ("container-infra", {"Cluster": 0}, ["1 cluster needed, 0 of 0 free"]),
        # Three nodes and the router, then the hub's load balancer.
        ("network", {"port": 3}, ["4 ports needed", "5 ports needed"]),
        ("network", {"security_group": 2}, ["2 security groups needed, 1 of 2 free"]),
        ("network", {"floatingip": 1}, ["2 floating IPs needed, 1 of 1 free"]),
        ("load-balancer", {"load_balancer": 0}, ["1 load balancer needed, 0 of 0 free"]),
        ("volume", {"volumes": 0}, ["1 volume needed, 0 of 0 free"]),
        ("volume", {"gigabytes": 0}, ["1 GB of volumes needed, 0 of 0 free"]),
        ("compute", {"instances": 2}, ["3 instances needed, 2 of 2 free"]),
    ],
)
def test_whatever_the_quotas_lack_is_reported_before_anything_is_created(
    site: Site,
    program: Program,
    monkeypatch: pytest.MonkeyPatch,
    file: Path,
    service: str,
    limits: dict[str, int],
    said: list[str],
) -> None:
    for resource, limit in limits.items():
        monkeypatch.setitem(site.store.quotas[service], resource, limit)
    before = len(calls(site))
    error = program.zerojhub("up", "-f", file, code=2).stderr
    assert all(each in error for each in said)
    assert {each["method"] for each in calls(site)[before:] if "/auth/tokens" not in each["path"]} == {"GET"}


def test_every_quota_is_asked_for_once(site: Site, program: Program, file: Path) -> None:
    before = len(calls(site))
    program.zerojhub("plan", "-f", file, code=3)
    asked = [each["path"] for each in calls(site)[before:] if "quota" in each["path"] or "limits" in each["path"]]
    assert len(asked) == len(set(asked)) == 5


def test_users_whose_volumes_do_not_fit_are_a_warning(
    site: Site, program: Program, monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    allowed = (
        "hub: {config: {Authenticator: {allowed_users: [ada, bob, eve]}, DummyAuthenticator: {password: secret}}}\n"
    )
    file.with_name("values.yaml").write_text(allowed)
    assert "no room" not in program.zerojhub("plan", "-f", file, code=3).stderr
    monkeypatch.setitem(site.store.quotas["volume"], "volumes", 3)
    error = program.zerojhub("plan", "-f", file, code=3).stderr
    assert "no room for the volumes of the 3 users whom the values name: quota: 4 volumes needed, 3 of 3 free" in error


def test_a_cluster_that_is_there_needs_no_quotas(
    site: Site, program: Program, magnum: Magnum, monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    magnum.settled(magnum.create("class"))
    monkeypatch.setitem(site.store.quotas["compute"], "instances", 3)
    before = len(calls(site))
    program.zerojhub("up", "-f", file, "--only", "template")
    assert not [each["path"] for each in calls(site)[before:] if "quota" in each["path"] or "limits" in each["path"]]


def test_names_of_several_things_are_reported_together_with_their_ids(site: Site, program: Program, file: Path) -> None:
    network = site.client("/network/v2.0")
    ids = [network.post("/networks", json={"network": {"name": "lab"}}).json()["network"]["id"] for _ in range(2)]
    file.write_text(file.read_text().replace("workers: 2", "workers: 500, fixed_network: lab"))
    error = program.zerojhub("up", "-f", file, code=2).stderr
    assert "2 networks are named 'lab'" in error
    assert all(each in error for each in [*ids, "500"])
    for each in ids:
        network.delete(f"/networks/{each}")


def test_two_clusters_of_the_deployments_name(site: Site, program: Program, magnum: Magnum, file: Path) -> None:
    ids = [magnum.settled(magnum.create("class"))["uuid"] for _ in range(2)]
    error = program.zerojhub("up", "-f", file, code=2).stderr
    assert "2 clusters are named 'class'" in error
    assert all(each in error for each in ids)


def test_a_zone_that_is_none(program: Program, file: Path) -> None:
    file.write_text(file.read_text().replace("workers: 2", "workers: 2, labels: {availability_zone: moon}"))
    error = program.zerojhub("up", "-f", file, code=2).stderr
    assert "zone 'moon', which has no servers" in error


def test_a_kept_volume_in_a_zone_without_servers(
    site: Site, program: Program, monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    async def of_volumes(*_: object) -> frozenset[str]:
        return frozenset({site.store.zone, "attic"})

    monkeypatch.setattr("zerojhub.openstack.zones._of_volumes", of_volumes)
    project = site.token().json()["token"]["project"]["id"]
    volumes = site.client(f"/volume/v3/{project}")
    metadata = {"zerojhub:deployment": "class", "zerojhub:namespace": "class", "zerojhub:user": "ada"}
    metadata |= {"zerojhub:claim": "claim-ada", "zerojhub:kept": "2026-01-01T00:00:00"}
    body = {"volume": {"size": 1, "name": "v", "metadata": metadata}}
    volume = volumes.post("/volumes", json=body).json()["volume"]["id"]
    site.store.volumes[volume]["availability_zone"] = "attic"
    error = program.zerojhub("plan", "-f", file, code=3).stderr
    assert f"volume {volume} of ada, 1 GB, is in zone attic, which has no servers" in error
    del site.store.volumes[volume]
