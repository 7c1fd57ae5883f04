"""The practice cloud with other clouds' behaviour: zerojhub works with each, and says what an older one lacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Shell, shell_in
from tests.contract.clouds import Site
from tests.contract.conftest import practice

DEPLOYMENT = """\
name: workshop
cluster: {template: kubernetes-v1.34.4, workers: 1, labels: {mine: "1"}}
hub: {chart: embedded, open_to_anyone: true}
"""


def shell_for(site: Site, folder: Path) -> Shell:
    shell = shell_in(folder)
    shell.environment |= {"OS_CLIENT_CONFIG_FILE": str(site.clouds), "OS_CLOUD": "practice"}
    (folder / "hub.yaml").write_text(DEPLOYMENT)
    return shell


@contextmanager
def with_cluster(folder: Path, profile: str) -> Iterator[tuple[Site, Shell]]:
    """A cloud with the profile, and a cluster created by zerojhub."""
    with practice(folder, profile) as site:
        shell = shell_for(site, folder)
        for stage in ("keypair", "cluster"):
            shell.zerojhub("stage", "run", stage)
        yield site, shell


@pytest.fixture(scope="module")
def heat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Shell]]:
    """An older cloud."""
    with with_cluster(tmp_path_factory.mktemp("magnum-heat"), "magnum-heat") as cloud:
        yield cloud


@pytest.fixture(scope="module")
def cluster_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Shell]]:
    """A cloud without Heat."""
    with with_cluster(tmp_path_factory.mktemp("cluster-api"), "cluster-api") as cloud:
        yield cloud


def test_an_older_magnum_speaks_as_it_did(heat: tuple[Site, Shell]) -> None:
    site, _ = heat
    client = site.client("/container-infra/v1", **{"OpenStack-API-Version": "container-infra latest"})
    answer = client.get("/clusters/workshop")
    assert answer.headers["OpenStack-API-Version"] == "container-infra 1.7"
    cluster, template = answer.json(), client.get("/clustertemplates/kubernetes-v1.34.4").json()
    assert cluster["stack_id"]
    assert not {"cluster_id", "merge_labels", "labels_added", "master_lb_enabled"} & cluster.keys()
    assert not {"driver", "tags"} & template.keys()
    assert client.get(f"/clusters/{cluster['uuid']}/nodegroups").status_code == 404
    body = {"name": "other", "cluster_template_id": template["uuid"], "merge_labels": True}
    refused = client.post("/clusters", json=body)
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["detail"] == "Unknown attribute for argument cluster: merge_labels"


def test_labels_are_merged_for_a_magnum_that_does_not(heat: tuple[Site, Shell]) -> None:
    _, shell = heat
    labels = shell.json("cluster", "show", "workshop")["labels"]
    assert labels == {"kube_tag": "v1.34.4", "mine": "1", "zerojhub_cluster": "workshop"}


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("nodegroup", "list", "workshop"), "node groups: that came with microversion 1.9"),
        (("cluster", "upgrade", "workshop", "--kube-tag", "v1.35.0"), "upgrades: that came with microversion 1.8"),
        (
            ("cluster", "credentials", "workshop", "--rotate", "--yes"),
            "rotating credentials: that came with microversion 1.12",
        ),
    ],
)
def test_what_an_older_magnum_cannot_do_is_said(heat: tuple[Site, Shell], words: tuple[str, ...], what: str) -> None:
    _, shell = heat
    error = shell.zerojhub(*words, code=2).stderr
    subject, _, version = what.partition(": ")
    assert f"the Magnum of cloud practice is too old for {subject} ({version}, and this one has 1.7)" in error


def test_an_older_magnum_resizes(heat: tuple[Site, Shell]) -> None:
    _, shell = heat
    shell.zerojhub("cluster", "resize", "workshop", "2")
    assert shell.json("cluster", "show", "workshop")["node_count"] == 2


def test_a_cloud_without_heat_is_one(cluster_api: tuple[Site, Shell]) -> None:
    site, shell = cluster_api
    kinds = {entry["type"] for entry in site.token().json()["token"]["catalog"]}
    assert "orchestration" not in kinds
    assert site.client("/orchestration/v1/x").get("/stacks").status_code == 404
    error = shell.zerojhub("heat", "show", "stack", code=1).stderr
    assert "cloud practice has no orchestration service in its catalog" in error
    assert shell.json("cluster", "show", "workshop")["status"] == "CREATE_COMPLETE"
